//! Text to ids, search or sampling, ids to text.

use burn::prelude::*;
use ember_data::Progress;
use ember_data::corpus::is_blank;
use ember_data::tokenizer::{Side, Tokenizer, tagged};
use ember_model::arch::Model;
use ember_model::config::DecodingConfig;
use ember_model::search::{Hypothesis, Sampling, Searcher, max_output_length};

use crate::error::Result;
use crate::split::split_to_fit;
use crate::tag::TaggedLines;

/// What is needed to translate; borrowed, since training translates with the model it trains.
#[derive(Clone, Copy)]
pub struct Translator<'a> {
    /// Without autodiff.
    pub model: &'a Model,
    /// The other members of an ensemble, for the same vocabularies; none for a model alone.
    pub others: &'a [Model],
    /// Of the model's vocabulary.
    pub tokenizer: &'a Tokenizer,
    /// Where the model lies.
    pub device: &'a Device,
    /// Longest source in tokens, its tag not counted; longer lines are split.
    pub max_length: usize,
}

/// A line's translations.
#[derive(Debug, Clone, Default)]
pub struct Translation {
    /// Best first, or samples in their order; at least one.
    pub candidates: Vec<Candidate>,
    /// Parts that the line was split into; 1 if it was not.
    pub parts: usize,
}

/// One translation of a line.
#[derive(Debug, Clone, Default)]
pub struct Candidate {
    /// The text.
    pub text: String,
    /// Length-normalised log-probability in nats, of a sample the log-probability itself; summed over the parts of a
    /// split line.
    pub score: f64,
    /// Stopped by the longest output before it ended by itself, in any part.
    pub cut_off: bool,
    /// The pieces of source and output, for attention pictures; empty for a split line.
    pub tokens: Option<CandidateTokens>,
}

/// Ids of a translation that was not split.
#[derive(Debug, Clone, Default)]
pub struct CandidateTokens {
    /// Source ids, the tag's among them, without `</s>`.
    pub source: Vec<u32>,
    /// Output ids without `<s>` and `</s>`.
    pub target: Vec<u32>,
}

/// The best translation of each line.
pub fn texts(translations: &[Translation]) -> Vec<String> {
    translations.iter().map(|line| line.text().to_owned()).collect()
}

impl Translation {
    /// The best translation's text.
    pub fn text(&self) -> &str {
        self.candidates.first().map_or("", |candidate| &candidate.text)
    }
}

impl Translator<'_> {
    /// Translates lines, results in the same order. `progress` is told how many parts each finished batch held.
    ///
    /// An empty line gives an empty line. A line of more than `max_length` tokens is split, each part has the line's tag,
    /// and the parts' best translations are joined by spaces.
    ///
    /// # Errors
    /// The user's wish to stop, between two batches.
    pub fn translate(
        &self,
        lines: TaggedLines<'_>,
        config: &DecodingConfig,
        progress: &dyn Progress,
    ) -> Result<Vec<Translation>> {
        let parts = self.encode(lines);
        let found = self.searcher(config, |searcher| {
            searcher.search_all(&parts.sources, |finished| {
                progress.advance(finished as u64);
                progress.go_on()
            })
        })?;
        Ok(self.assemble(parts, found, config, 1))
    }

    /// Draws `sampling.samples` translations of each line, in the way of [`Translator::translate`]. The first samples of
    /// a split line's parts are joined, and so on.
    ///
    /// What is drawn for a line depends on its number and its text, and on no other line.
    ///
    /// # Errors
    /// The user's wish to stop, between two batches.
    pub fn sample(
        &self,
        lines: TaggedLines<'_>,
        config: &DecodingConfig,
        sampling: &Sampling,
        progress: &dyn Progress,
    ) -> Result<Vec<Translation>> {
        let parts = self.encode(lines);
        let numbered = (0..).zip(&parts.counts);
        let keys: Vec<u64> = numbered
            .flat_map(|(line, count)| (0..*count as u64).map(move |part| sampling.key(line, part)))
            .collect();
        let found = self.searcher(config, |searcher| {
            searcher.sample_all(sampling, &parts.sources, &keys, |finished| {
                progress.advance(finished as u64);
                progress.go_on()
            })
        })?;
        Ok(self.assemble(parts, found, config, sampling.samples))
    }

    /// Lends a searcher by all members.
    fn searcher<R>(&self, config: &DecodingConfig, search: impl FnOnce(Searcher<'_>) -> R) -> R {
        let models: Vec<&Model> = std::iter::once(self.model).chain(self.others).collect();
        search(Searcher {
            models: &models,
            config,
            device: self.device,
        })
    }

    fn encode(&self, lines: TaggedLines<'_>) -> Parts {
        let mut sources = Vec::with_capacity(lines.lines.len());
        let mut counts = Vec::with_capacity(lines.lines.len());
        for (line, tag) in lines.iter() {
            let before = sources.len();
            sources.extend(self.encode_parts(line, tag));
            counts.push(sources.len() - before);
        }
        Parts { sources, counts }
    }

    /// The ids of a line, or of each of its parts where the line is too long, behind its tag.
    fn encode_parts(&self, line: &str, tag: Option<u32>) -> Vec<Vec<u32>> {
        let encode = |text: &str| self.tokenizer.encode(Side::Source, text);
        // Lines that training would have left out as empty have an empty translation.
        if is_blank(line) {
            return vec![Vec::new()];
        }
        let whole = encode(line);
        if whole.is_empty() {
            return vec![whole];
        }
        if whole.len() <= self.max_length {
            return vec![tagged(tag, whole)];
        }
        let fits = |text: &str| encode(text).len() <= self.max_length;
        let parts = split_to_fit(line, &fits)
            .into_iter()
            .map(str::trim)
            .map(encode)
            .filter(|ids| !ids.is_empty());
        // A single character of more tokens than the limit cannot be split; what is beyond the limit goes its own way.
        parts
            .flat_map(|ids| ids.chunks(self.max_length).map(<[u32]>::to_vec).collect::<Vec<_>>())
            .map(|ids| tagged(tag, ids))
            .collect()
    }

    /// The translations of lines out of those of their parts; of a split line, up to `joined` of the first.
    fn assemble(
        &self,
        parts: Parts,
        found: Vec<Vec<Hypothesis>>,
        config: &DecodingConfig,
        joined: usize,
    ) -> Vec<Translation> {
        let mut parts_found = parts.sources.into_iter().zip(found);
        let counts = parts.counts.into_iter();
        counts
            .map(|count| {
                let mut of_line: Vec<_> = parts_found.by_ref().take(count).collect();
                match of_line.len() {
                    1 => self.whole(of_line.remove(0), config),
                    _ => self.joined(&of_line, config, joined),
                }
            })
            .collect()
    }

    /// A line that was not split.
    fn whole(&self, (source, hypotheses): (Vec<u32>, Vec<Hypothesis>), config: &DecodingConfig) -> Translation {
        let candidates = hypotheses.into_iter().map(|hypothesis| Candidate {
            text: self.tokenizer.decode(Side::Target, &hypothesis.tokens),
            score: hypothesis.score,
            cut_off: is_cut_off(&hypothesis, &source, config),
            tokens: Some(CandidateTokens {
                source: source.clone(),
                target: hypothesis.tokens,
            }),
        });
        Translation {
            candidates: candidates.collect(),
            parts: 1,
        }
    }

    /// A line in parts: the first translations of all parts make up its first one, and so on up to `count`.
    fn joined(&self, parts: &[(Vec<u32>, Vec<Hypothesis>)], config: &DecodingConfig, count: usize) -> Translation {
        let candidate = |rank: usize| {
            let chosen: Vec<_> = parts
                .iter()
                .filter_map(|(source, hypotheses)| Some((source, hypotheses.get(rank)?)))
                .collect();
            let texts: Vec<String> = chosen
                .iter()
                .map(|(_, hypothesis)| self.tokenizer.decode(Side::Target, &hypothesis.tokens))
                .collect();
            Candidate {
                text: texts.join(" "),
                score: chosen.iter().map(|(_, hypothesis)| hypothesis.score).sum(),
                cut_off: chosen
                    .iter()
                    .any(|(source, hypothesis)| is_cut_off(hypothesis, source, config)),
                tokens: None,
            }
        };
        Translation {
            candidates: (0..count).map(candidate).collect(),
            parts: parts.len(),
        }
    }
}

/// Lines as the model reads them.
struct Parts {
    /// The ids of every part.
    sources: Vec<Vec<u32>>,
    /// Parts of each line, in order.
    counts: Vec<usize>,
}

/// Whether a translation fills the longest output: one that ended by itself keeps a place for its `</s>`.
fn is_cut_off(hypothesis: &Hypothesis, source: &[u32], config: &DecodingConfig) -> bool {
    hypothesis.tokens.len() >= max_output_length(config, source.len())
}

#[cfg(test)]
mod tests {
    use ember_data::config::{TokenizerConfig, TokenizerKind};
    use ember_data::progress::NoProgress;
    use ember_model::config::ModelConfig;

    use super::*;
    use crate::trained::vocabularies;

    #[test]
    fn every_part_of_a_line_has_its_tag() {
        let config = TokenizerConfig {
            vocabulary: 20,
            ..TokenizerConfig::new(TokenizerKind::Chars)
        };
        let text = Ok(("a b. c".to_owned(), String::new()));
        let tokenizer = Tokenizer::train(&config, [text], &NoProgress).expect("a tokenizer");
        let tokenizer = tokenizer.with_tags(vec!["<t>".into()]);
        let device = Device::flex();
        let model = ModelConfig {
            d_model: 8,
            n_heads: 1,
            d_ff: 8,
            encoder_layers: 1,
            decoder_layers: 1,
            ..ModelConfig::default()
        };
        let translator = Translator {
            others: &[],
            model: &Model::new(&model, vocabularies(&tokenizer), &device).expect("a model"),
            tokenizer: &tokenizer,
            device: &device,
            max_length: 7,
        };
        let tag = tokenizer.tag("<t>");
        let parts = |line: &str, tag| translator.encode_parts(line, tag);
        // Seven characters fit, the tag not counted.
        assert_eq!(
            parts("ab b. c", tag),
            [tagged(tag, tokenizer.encode(Side::Source, "ab b. c"))]
        );
        let split = parts("a b c. b c a.", tag);
        let expected = ["a b c.", "b c a."].map(|part| tagged(tag, tokenizer.encode(Side::Source, part)));
        assert_eq!(split, expected);
        assert_eq!(parts("a b c. b c a.", None).concat().len(), split.concat().len() - 2);
        assert_eq!(parts(" \u{200b}", tag), [Vec::<u32>::new()], "nothing to translate");
    }
}
