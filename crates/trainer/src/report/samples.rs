//! A few sentences of a test corpus, from short to long, as the best checkpoint translates them now.

use burn::prelude::*;
use ember_data::corpus::is_blank;

use crate::attention::{LineAttention, attention_of};
use crate::config::Config;
use crate::console::Console;
use crate::error::Result;
use crate::prepare::ParallelText;
use crate::run::RunFolder;
use crate::tag::{self, TaggedLines};
use crate::trained::TrainedModel;

/// Sentences that are translated.
const SAMPLES: usize = 6;

/// Characters of a sentence at most, where there are enough shorter ones: attention maps grow by the square.
const LONGEST: usize = 160;

/// Translated sentences.
#[derive(Debug, Clone)]
pub struct Samples {
    /// The checkpoint that translated them.
    pub checkpoint: String,
    /// The corpus they are from: a test corpus' name, or `valid`.
    pub split: String,
    /// From short to long.
    pub lines: Vec<Sample>,
}

/// A translated sentence.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its line in the corpus, from 0.
    pub line: usize,
    /// What was translated.
    pub source: String,
    /// A human's translation.
    pub reference: String,
    /// The model's.
    pub translation: String,
    /// What the model looked at; none where it has no attention, or the line was translated in parts.
    pub attention: Option<LineAttention>,
}

/// Translates sentences of the first test corpus, or of the validation corpus where the config names no other.
///
/// # Errors
/// No checkpoint or corpus, damage in either, or the user's wish to stop.
pub fn translate(run: &RunFolder, config: &Config, device: &Device, console: &dyn Console) -> Result<Samples> {
    let trained = TrainedModel::load(run, "best", device)?;
    let data = &config.data;
    let (split, corpora) = match data.test.iter().next() {
        Some((name, corpus)) => (name.clone(), std::slice::from_ref(corpus)),
        None => ("valid".to_owned(), data.valid.as_slice()),
    };
    let text = ParallelText::read(data, corpora)?;
    let chosen = from_short_to_long(&text.source);
    let source: Vec<String> = chosen.iter().map(|line| text.source[*line].clone()).collect();
    let tags: Vec<Option<String>> = chosen.iter().map(|line| text.tags[*line].clone()).collect();
    let tags = tag::ids(&trained.tokenizer, &tags)?;
    let found = trained.translate(TaggedLines::new(&source, &tags), &config.decoding, console)?;
    let attention = match trained.model.attention_maps() {
        Some(maps) => attention_of(&trained, maps, &found).lines,
        None => vec![None; found.len()],
    };
    let parts = chosen.into_iter().zip(source).zip(found).zip(attention);
    let lines = parts.map(|(((line, source), found), attention)| Sample {
        line,
        source,
        reference: text.reference[line].clone(),
        translation: found.text().to_owned(),
        attention,
    });
    Ok(Samples {
        checkpoint: trained.checkpoint(),
        split,
        lines: lines.collect(),
    })
}

/// Lines spread evenly over all lengths, [`LONGEST`] at most.
fn from_short_to_long(source: &[String]) -> Vec<usize> {
    let length = |line: &usize| source[*line].chars().count();
    let mut lines: Vec<usize> = (0..source.len()).filter(|line| !is_blank(&source[*line])).collect();
    lines.sort_by_key(|line| (length(line), *line));
    let short = lines.partition_point(|line| length(line) <= LONGEST);
    lines.truncate(short.max(SAMPLES));
    let count = lines.len().min(SAMPLES);
    (0..count)
        .map(|sample| lines[(2 * sample + 1) * lines.len() / (2 * count)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_lengths(lengths: &[usize]) -> Vec<String> {
        lengths.iter().map(|length| "x".repeat(*length)).collect()
    }

    #[test]
    fn samples_spread_over_all_lengths() {
        let source = of_lengths(&(0..=200).rev().collect::<Vec<_>>());
        let lengths: Vec<usize> = from_short_to_long(&source)
            .iter()
            .map(|line| source[*line].len())
            .collect();
        assert_eq!(lengths.len(), SAMPLES);
        assert!(lengths.is_sorted() && lengths[0] > 0 && lengths[0] < 30, "{lengths:?}");
        assert!(lengths[5] > 130 && lengths[5] <= LONGEST, "{lengths:?}");
    }

    #[test]
    fn few_and_long_sentences_are_taken_as_they_are() {
        assert_eq!(from_short_to_long(&of_lengths(&[300, 0, 200])), [2, 0]);
        assert_eq!(from_short_to_long(&[]), [0; 0]);
    }
}
