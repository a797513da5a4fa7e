//! The arguments of `ember translate --sample`.

use clap::Args;
use ember_model::search::Sampling;

/// How to draw instead of searching.
#[derive(Args)]
pub struct SamplingArguments {
    /// Draw from the model's probabilities instead of searching for the best translation; --n-best N draws N times a line
    #[arg(long, conflicts_with = "length_penalty")]
    sample: bool,
    /// With --sample: below 1 prefers what is probable, above 1 what is not
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature, requires = "sample")]
    temperature: f64,
    /// With --sample: choose among the K most probable sub-words; 0 is all
    #[arg(long, value_name = "K", default_value_t = 0, requires = "sample")]
    top_k: usize,
    /// With --sample: choose among the fewest sub-words that have a share P of the probability together; 1 is all
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = share, requires = "sample")]
    top_p: f64,
    /// With --sample: another number draws other samples
    #[arg(long, value_name = "N", default_value_t = 1, requires = "sample")]
    sample_seed: u64,
}

impl SamplingArguments {
    /// What was asked for; none without --sample.
    ///
    /// # Errors
    /// A beam: there is none to sampling.
    pub fn sampling(&self, beam: Option<usize>, samples: usize) -> anyhow::Result<Option<Sampling>> {
        if !self.sample {
            return Ok(None);
        }
        if let Some(beam) = beam.filter(|beam| *beam > 1) {
            anyhow::bail!(
                "--beam {beam} with --sample: samples are drawn one by one\nhint: --n-best {beam} draws {beam} a line"
            );
        }
        Ok(Some(Sampling {
            samples,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            seed: self.sample_seed,
        }))
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(temperature) if temperature.is_finite() && temperature > 0.0 => Ok(temperature),
        Ok(temperature) => Err(format!("{temperature} is not a number above 0")),
        Err(error) => Err(error.to_string()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        Ok(share) => Err(format!("{share} is not above 0 and at most 1")),
        Err(error) => Err(error.to_string()),
    }
}
