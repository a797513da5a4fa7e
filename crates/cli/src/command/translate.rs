//! `ember translate`

mod attention_file;
mod sampling;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use ember_data::corpus::{LineReader, PairFile, read_lines};
use ember_trainer::attention::{attention_maps, attention_of};
use ember_trainer::run::RunFolder;
use ember_trainer::synthetic::{MachineSide, synthetic_pairs};
use ember_trainer::tag::TaggedLines;
use ember_trainer::trained::TrainedModel;
use ember_trainer::translate::{Candidate, Translation};

use self::attention_file::AttentionFile;
use self::sampling::SamplingArguments;
use super::{at_least_one, beam, length_penalty};
use crate::console::{Terminal, print_to_stderr};
use crate::device::{self, DeviceChoice};
use crate::output_file::OutputFile;
use crate::pages;

/// Translate text: one output line per input line, in order
#[derive(Args)]
pub struct Translate {
    /// The run folder of a trained model
    run: PathBuf,
    /// The text to translate, one sentence a line [default: stdin]
    input: Option<PathBuf>,
    /// The tag that every line begins with, of a model that was trained with tags, such as "<2de>"
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Where to write [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Hypotheses kept for a sentence; 1 is greedy search [default: the config's]
    #[arg(long, value_name = "N", value_parser = beam)]
    beam: Option<usize>,
    /// Exponent of the length penalty; 0 is none [default: the config's]
    #[arg(long, value_name = "A", allow_negative_numbers = true, value_parser = length_penalty)]
    length_penalty: Option<f64>,
    /// Write the N best translations of each line, one a line; always N, empty ones where there are fewer. The search
    /// keeps N hypotheses at least
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = beam)]
    n_best: usize,
    /// best, last, average, an update's number, or a checkpoint's or run's folder; several with commas translate
    /// together
    #[arg(long, default_value = "best", value_name = "CHECKPOINT")]
    checkpoint: String,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Most source tokens translated at once [default: the config's]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    batch_tokens: Option<usize>,
    /// auto, flex, ndarray, wgpu[:i] or cuda[:i]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Write each line's score (length-normalised log-probability in nats, of samples the log-probability itself) and a
    /// TAB before it
    #[arg(long)]
    scores: bool,
    /// Write pairs to train a model of the other direction on instead of lines: translation, TAB, input; FILE ends in
    /// .tsv, .tsv.gz or .tsv.zst
    #[arg(long, value_name = "FILE", value_parser = pair_file, conflicts_with_all = ["output", "scores"])]
    pairs: Option<PairFile>,
    /// With --pairs: input, TAB, translation, to train a model of the same direction on
    #[arg(long, requires = "pairs")]
    forward: bool,
    /// Write what the best translations attended to, layer by layer and head by head: a page to look at if FILE ends in
    /// .html or .htm, one picture a map beside FILE if it ends in .svg, else JSON
    #[arg(long, value_name = "FILE")]
    attention: Option<PathBuf>,
}

impl Translate {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let sampling = self.sampling.sampling(self.beam, self.n_best)?;
        if let (None, Some(beam)) = (&sampling, self.beam)
            && beam < self.n_best
        {
            let wanted = self.n_best;
            anyhow::bail!("--n-best {wanted}: --beam {beam} finds {beam} at most\nhint: --beam {wanted}");
        }
        // What cannot be written is told before the work, not after it.
        if let Some(pairs) = &self.pairs {
            pairs.check_writable()?;
        }
        let output = self.output.as_deref().map(OutputFile::new).transpose()?;
        let attention = self.attention.as_deref().map(AttentionFile::new).transpose()?;
        let device = device::open(self.device)?;
        let console = Terminal::quiet();
        let trained = TrainedModel::load(&RunFolder::new(&self.run), &self.checkpoint, &device.device)?;
        let mut decoding = trained.config.decoding.clone();
        decoding.beam = self.beam.unwrap_or(decoding.beam).max(self.n_best);
        decoding.length_penalty = self.length_penalty.unwrap_or(decoding.length_penalty);
        decoding.batch_tokens = self.batch_tokens.unwrap_or(decoding.batch_tokens);
        decoding.validate()?;

        let maps = self.attention.as_ref().map(|_| attention_maps(&trained)).transpose()?;

        // Before a user types text that could not be translated.
        trained.tags(self.tag.as_deref(), 0)?;
        let lines = match &self.input {
            Some(path) => read_lines(path)?,
            None => read_standard_input()?,
        };
        let tags = trained.tags(self.tag.as_deref(), lines.len())?;
        let tagged = TaggedLines::new(&lines, &tags);
        let translations = match sampling {
            Some(sampling) => trained.sample(tagged, &decoding, &sampling, &console)?,
            None => trained.translate(tagged, &decoding, &console)?,
        };
        match (&self.pairs, &output) {
            (Some(pairs), _) => self.write_pairs(pairs, &lines, &translations)?,
            (None, Some(file)) => file.write(|to| self.write(&translations, to))?,
            (None, None) => self.write_to_stdout(&translations)?,
        }
        if let (Some(file), Some(maps)) = (attention, maps) {
            let attention = attention_of(&trained, maps, &translations);
            let page = |attention| pages::of_translations(&trained.config.name, &lines, &translations, attention);
            file.write(attention, page)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn write_pairs(&self, file: &PairFile, lines: &[String], translations: &[Translation]) -> anyhow::Result<()> {
        let machine = match self.forward {
            true => MachineSide::Target,
            false => MachineSide::Source,
        };
        let found = synthetic_pairs(lines, translations, machine, self.n_best);
        let written = file.write(found.pairs)?;
        print_to_stderr(&format!(
            "{}: {written} pairs of {} lines; left out: {}",
            file.path().display(),
            lines.len(),
            found.left_out
        ));
        Ok(())
    }

    fn write(&self, translations: &[Translation], mut to: impl Write) -> io::Result<()> {
        for translation in translations {
            let missing = Candidate {
                score: f64::NEG_INFINITY,
                ..Candidate::default()
            };
            let candidates = translation.candidates.iter().chain(std::iter::repeat(&missing));
            for candidate in candidates.take(self.n_best) {
                if self.scores {
                    write!(to, "{:.4}\t", candidate.score)?;
                }
                // An output may hold any character of the training text; a line feed would shift all lines behind it.
                writeln!(to, "{}", candidate.text.replace('\n', " "))?;
            }
        }
        to.flush()
    }

    fn write_to_stdout(&self, translations: &[Translation]) -> anyhow::Result<()> {
        match self.write(translations, BufWriter::new(io::stdout().lock())) {
            // The reader has seen enough, as in `ember translate … | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("cannot write to stdout"),
        }
    }
}

/// A file of pairs by its name.
fn pair_file(text: &str) -> Result<PairFile, String> {
    PairFile::new(Path::new(text)).map_err(|error| error.to_string())
}

fn read_standard_input() -> anyhow::Result<Vec<String>> {
    let mut reader = LineReader::from_reader(Path::new("stdin"), Box::new(io::BufReader::new(io::stdin())));
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line()? {
        lines.push(line);
    }
    Ok(lines)
}
