//! `ember bench`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ember_trainer::bench::{BenchOptions, BenchReport, bench};
use ember_trainer::config::Config;
use ember_trainer::learner::missing_precision;

use super::{batch_size, sentence_length};
use crate::console::{print_result, print_to_stderr};
use crate::device::{self, DeviceChoice};

/// Measure how fast a config's model trains and translates
///
/// Batches of the config's size are made up, so that its corpora need not be there; a tokenizer that is given as a file
/// is not read, and its vocabulary counts as the default one. The weights are forgotten.
#[derive(Args)]
pub struct Bench {
    /// The config file
    config: PathBuf,
    /// Override one key, such as training.precision=bf16; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// auto, flex, ndarray, wgpu[:i] or cuda[:i]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Seconds to train, and again to translate; 0 measures one update
    #[arg(long, default_value_t = 20.0, value_name = "N", allow_negative_numbers = true)]
    seconds: f64,
    /// Tokens of every sentence, on both sides
    #[arg(long, default_value_t = 16, value_parser = sentence_length, value_name = "N")]
    length: usize,
    /// Sentences translated at once
    #[arg(long, default_value_t = 32, value_parser = batch_size, value_name = "N")]
    batch: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(&self.config, &self.set)?;
        let device = device::open(self.device)?;
        let name = device.choice.to_string();
        if let Some(missing) = missing_precision(config.training.precision, &device.device) {
            print_to_stderr(&format!("warning: {missing}"));
        }
        let time = Duration::try_from_secs_f64(self.seconds).map_err(|_| {
            let seconds = self.seconds;
            anyhow::anyhow!(
                "--seconds {seconds} is not a number from 0 up\nhint: 20 measures well; 0 measures one update"
            )
        })?;
        let report = bench(&BenchOptions {
            config,
            device: device.device,
            length: self.length,
            time,
            decode_batch: self.batch,
            beams: vec![1, 5],
        })?;
        print_result(&if self.json {
            json(&name, &report)?
        } else {
            table(&name, &report)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn json(device: &str, report: &BenchReport) -> anyhow::Result<String> {
    let mut value = serde_json::json!({ "device": device });
    if let (Some(all), serde_json::Value::Object(found)) = (value.as_object_mut(), serde_json::to_value(report)?) {
        all.extend(found);
    }
    Ok(format!("{value}\n"))
}

fn table(device: &str, report: &BenchReport) -> String {
    let train = &report.train;
    let memory = match train.peak_rss_mib {
        Some(mib) => format!(", {mib:.0} MiB at most"),
        None => String::new(),
    };
    let mut text = format!(
        "device {device}, {} parameters\ntrain   {:.0} target tokens/s, {:.1} ms an update ({} updates){memory}\n",
        report.parameters, train.target_tokens_per_second, train.milliseconds_per_update, train.updates
    );
    for decode in &report.decode {
        text += &format!(
            "decode  {:.0} target tokens/s, beam {}, {} sentences at once\n",
            decode.target_tokens_per_second, decode.beam, decode.batch
        );
    }
    text
}
