//! `ember plot`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ember_trainer::report::collect;
use ember_trainer::run::RunFolder;

use crate::console::{Terminal, print_to_stderr};
use crate::device::{self, DeviceChoice};
use crate::output_file::OutputFile;
use crate::pages;

/// Write a run's report: one HTML page with curves, scores, sample translations and their attention
///
/// The page needs no network and no server. A run that is still being trained can be plotted too.
#[derive(Args)]
pub struct Plot {
    /// The run folder
    run: PathBuf,
    /// Where to write [default: report.html in the run folder]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Translates the samples: flex, ndarray, wgpu[:i], cuda[:i] or auto. They are few, and a GPU may be training
    #[arg(long, default_value = "flex", value_name = "DEVICE")]
    device: DeviceChoice,
}

impl Plot {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let run = RunFolder::new(&self.run);
        let path = self.output.unwrap_or_else(|| run.root().join("report.html"));
        // A run that is none is told as that, and not as a page that cannot be written.
        run.load_config()?;
        let output = OutputFile::new(&path)?;
        let device = device::open(self.device)?;
        let report = collect(&run, &device.device, &Terminal::quiet())?;
        let page = pages::of_run(report).to_html();
        output.write(|to| to.write_all(page.as_bytes()))?;
        print_to_stderr(&format!("wrote {}", path.display()));
        Ok(ExitCode::SUCCESS)
    }
}
