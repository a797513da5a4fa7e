//! Text to ids, search, ids to text.

use burn::prelude::*;
use ember_data::Progress;
use ember_data::corpus::is_blank;
use ember_data::tokenizer::{Side, Tokenizer, tagged};
use ember_model::arch::Model;
use ember_model::config::DecodingConfig;
use ember_model::search::{Hypothesis, search_all};

use crate::error::Result;
use crate::split::split_to_fit;
use crate::tag::TaggedLines;

/// What is needed to translate; borrowed, since training translates with the model it trains.
#[derive(Clone, Copy)]
pub struct Translator<'a> {
    /// Without autodiff.
    pub model: &'a Model,
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
    /// Best first; at least one.
    pub candidates: Vec<Candidate>,
    /// Parts that the line was split into; 1 if it was not.
    pub parts: usize,
}

/// One translation of a line.
#[derive(Debug, Clone, Default)]
pub struct Candidate {
    /// The text.
    pub text: String,
    /// Length-normalised log-probability in nats, summed over the parts of a split line.
    pub score: f64,
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
        let mut parts = Vec::with_capacity(lines.lines.len());
        let mut counts = Vec::with_capacity(lines.lines.len());
        for (line, tag) in lines.iter() {
            let before = parts.len();
            parts.extend(self.encode_parts(line, tag));
            counts.push(parts.len() - before);
        }
        let found = search_all(self.model, &parts, config, self.device, |finished| {
            progress.advance(finished as u64);
            progress.go_on()
        });
        let mut found = found?.into_iter().zip(parts);
        Ok(counts
            .iter()
            .map(|&count| self.assemble(found.by_ref().take(count)))
            .collect())
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

    fn assemble(&self, parts: impl Iterator<Item = (Vec<Hypothesis>, Vec<u32>)>) -> Translation {
        let parts: Vec<_> = parts.collect();
        if let [(hypotheses, source)] = &parts[..] {
            let candidates = hypotheses.iter().map(|hypothesis| Candidate {
                text: self.tokenizer.decode(Side::Target, &hypothesis.tokens),
                score: hypothesis.score,
                tokens: Some(CandidateTokens {
                    source: source.clone(),
                    target: hypothesis.tokens.clone(),
                }),
            });
            return Translation {
                candidates: candidates.collect(),
                parts: 1,
            };
        }
        let best = parts.iter().filter_map(|(hypotheses, _)| hypotheses.first());
        let texts: Vec<String> = best
            .clone()
            .map(|hypothesis| self.tokenizer.decode(Side::Target, &hypothesis.tokens))
            .collect();
        let score = best.map(|hypothesis| hypothesis.score).sum();
        Translation {
            candidates: vec![Candidate {
                text: texts.join(" "),
                score,
                tokens: None,
            }],
            parts: parts.len(),
        }
    }
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
            kind: TokenizerKind::Chars,
            vocabulary: 20,
            shared: true,
            pretokenized: false,
            merges: None,
            dropout: 0.0,
            model: None,
            target_model: None,
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
