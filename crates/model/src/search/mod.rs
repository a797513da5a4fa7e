//! Greedy search, beam search and sampling, by one model or several.
//!
//! ```text
//! beam      the hypotheses of a sentence, and the best continuations of a batch
//! sample    samples of a batch
//! draw      one token drawn from a model's probabilities
//! ensemble  the next token's probabilities, by all models together
//! ```
//!
//! A beam of width 1 is greedy search. Each step takes, for every sentence, the `2 K` best continuations of its K live
//! hypotheses; those that end in `</s>` and rank among the first K are finished, the best K others live on. A sentence
//! is done when K hypotheses are finished or the longest output is reached.

mod beam;
mod draw;
mod ensemble;
mod sample;

use std::cmp::Reverse;

use burn::prelude::*;
use ember_kernels::together;

use crate::arch::{Model, Source};
use crate::config::{DecodingConfig, LengthPenaltyKind};
use crate::{BOS, EOS, PAD};
use beam::{Beam, best_continuations};
pub use draw::Sampling;
use ensemble::Members;
pub use ensemble::log_mean_exp;
use sample::sample_batch;

/// Logits of one step at most: 256 MiB.
const MOST_LOGITS: usize = 1 << 26;

/// A finished translation.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Token ids without `<s>` and `</s>`.
    pub tokens: Vec<u32>,
    /// Log-probability divided by the length penalty, in nats; what hypotheses are ranked by.
    pub score: f64,
    /// Sum of the tokens' log-probabilities, `</s>` included, in nats.
    pub log_probability: f64,
}

/// Longest output for a source sentence, `</s>` included: `max_length_ratio` times its tokens, and 10 more.
pub fn max_output_length(config: &DecodingConfig, source_tokens: usize) -> usize {
    (source_tokens as f64 * config.max_length_ratio).ceil() as usize + 10
}

/// Models that choose every word together, and how they search.
#[derive(Clone, Copy)]
pub struct Searcher<'a> {
    /// One, or the members of an ensemble; their target vocabularies are the same.
    pub models: &'a [&'a Model],
    /// Width, penalty, longest output, size of batches.
    pub config: &'a DecodingConfig,
    /// Where the models lie.
    pub device: &'a Device,
}

/// Translates sentences by one model; see [`Searcher::search_all`].
///
/// # Errors
/// That of `on_batch`, which ends the search.
pub fn search_all<E>(
    model: &Model,
    sources: &[Vec<u32>],
    config: &DecodingConfig,
    device: &Device,
    on_batch: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<Vec<Hypothesis>>, E> {
    let searcher = Searcher {
        models: &[model],
        config,
        device,
    };
    searcher.search_all(sources, on_batch)
}

impl Searcher<'_> {
    /// Translates sentences of any number and length: batched by length, results in the order of the input.
    ///
    /// Each source is its token ids without `</s>`; an empty one gives an empty hypothesis with score 0. `on_batch` is
    /// told how many sentences each finished batch held, none at first.
    ///
    /// Returns up to `config.beam` hypotheses a sentence, best first.
    ///
    /// # Errors
    /// That of `on_batch`, which ends the search.
    ///
    /// # Panics
    /// When there is no model, or target vocabularies differ in size.
    pub fn search_all<E>(
        &self,
        sources: &[Vec<u32>],
        on_batch: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Vec<Vec<Hypothesis>>, E> {
        self.in_batches(sources, on_batch, |batch| {
            let sentences: Vec<&[u32]> = batch.iter().map(|&index| &sources[index][..]).collect();
            search_batch(self, &sentences)
        })
    }

    /// Draws `sampling.samples` translations of each sentence, batched like a search; width and penalty of the config
    /// do not matter. A sample's score is its log-probability by the models, whatever the temperature.
    ///
    /// `keys` holds one [`Sampling::key`] a source. Which batch a sentence is in changes no more than the rounding of its
    /// probabilities.
    ///
    /// # Errors
    /// That of `on_batch`, which ends the search.
    ///
    /// # Panics
    /// As [`Searcher::search_all`], or when there are not as many keys as sources.
    pub fn sample_all<E>(
        &self,
        sampling: &Sampling,
        sources: &[Vec<u32>],
        keys: &[u64],
        on_batch: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Vec<Vec<Hypothesis>>, E> {
        assert_eq!(sources.len(), keys.len(), "a key for each source");
        let config = DecodingConfig {
            beam: sampling.samples,
            ..self.config.clone()
        };
        let searcher = Searcher {
            config: &config,
            ..*self
        };
        searcher.in_batches(sources, on_batch, |batch| {
            let sentences: Vec<(&[u32], u64)> = batch.iter().map(|&index| (&sources[index][..], keys[index])).collect();
            sample_batch(&searcher, sampling, &sentences)
        })
    }

    /// Hands sentences of about equal length together to `translate`, as their indices, and puts the results in order.
    fn in_batches<E>(
        &self,
        sources: &[Vec<u32>],
        mut on_batch: impl FnMut(usize) -> Result<(), E>,
        translate: impl Fn(&[usize]) -> Vec<Vec<Hypothesis>> + Sync,
    ) -> Result<Vec<Vec<Hypothesis>>, E> {
        let vocabulary = self.target_vocabulary();
        on_batch(0)?;
        let mut results = vec![Vec::new(); sources.len()];
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&index| (Reverse(sources[index].len()), index));
        let mut rest = &order[..];
        while let Some(&longest) = rest.first() {
            // The order descends, so that the first sentence of a batch is its longest.
            let logits = vocabulary * self.models.len();
            let fits = most_at_once(self.config, logits, sources[longest].len()).min(rest.len());
            let (batch, behind) = rest.split_at(fits);
            rest = behind;
            let found = together(self.device, || translate(batch));
            for (&index, hypotheses) in batch.iter().zip(found) {
                results[index] = hypotheses;
            }
            on_batch(batch.len())?;
        }
        Ok(results)
    }

    fn target_vocabulary(&self) -> usize {
        let mut sizes = self.models.iter().map(|model| model.target_vocabulary());
        let size = sizes.next().expect("a model");
        assert!(sizes.all(|other| other == size), "target vocabularies differ in size");
        size
    }
}

/// Sentences that are translated at once, at least 1, when the longest has so many tokens, `</s>` not counted. For an
/// ensemble, the vocabulary counts once a member.
pub fn most_at_once(config: &DecodingConfig, target_vocabulary: usize, longest: usize) -> usize {
    let by_tokens = config.batch_tokens / (longest + 1);
    let by_logits = MOST_LOGITS / (config.beam * target_vocabulary);
    by_tokens.min(by_logits).max(1)
}

/// Translates the sentences of one batch; see [`Searcher::search_all`].
fn search_batch(searcher: &Searcher<'_>, sources: &[&[u32]]) -> Vec<Vec<Hypothesis>> {
    let config = searcher.config;
    let mut results: Vec<Vec<Hypothesis>> = sources.iter().map(|_| vec![EMPTY]).collect();
    let mut beams: Vec<Beam> = (0..sources.len())
        .filter(|&sentence| !sources[sentence].is_empty())
        .map(|sentence| {
            Beam::new(
                sentence,
                config.beam,
                max_output_length(config, sources[sentence].len()),
            )
        })
        .collect();
    let Some(max_length) = beams.iter().map(|beam| beam.max_length).max() else {
        return results;
    };
    let sentences: Vec<&[u32]> = beams.iter().map(|beam| sources[beam.sentence]).collect();
    let source = pad_sources(&sentences, searcher.device);
    let mut members = Members::start(searcher.models, &source, config.beam, max_length);

    loop {
        let tokens: Vec<u32> = beams.iter().flat_map(Beam::last_tokens).collect();
        let logits = members.step(&tokens);
        let scores: Vec<f64> = beams.iter().flat_map(Beam::log_probabilities).collect();
        let continuations = best_continuations(&logits, &scores, config.beam);
        for (beam, continuations) in beams.iter_mut().zip(&continuations) {
            if !beam.done {
                beam.advance(continuations, config);
            }
        }
        // Finished sentences stay in the tensors until they are a quarter of them: moving the others costs time too.
        let live: Vec<usize> = (0..beams.len()).filter(|&index| !beams[index].done).collect();
        if live.is_empty() {
            break;
        }
        let order: Vec<usize> = beams
            .iter()
            .enumerate()
            .flat_map(|(index, beam)| beam.parents(index * config.beam))
            .collect();
        members.reorder(&order);
        if live.len() * 4 <= beams.len() * 3 {
            members.keep(&live);
            let (left, done) = beams.into_iter().partition(|beam| !beam.done);
            beams = left;
            collect(done, &mut results);
        }
    }
    collect(beams, &mut results);
    results
}

const EMPTY: Hypothesis = Hypothesis {
    tokens: Vec::new(),
    score: 0.0,
    log_probability: 0.0,
};

fn collect(done: Vec<Beam>, results: &mut [Vec<Hypothesis>]) {
    for beam in done {
        let sentence = beam.sentence;
        results[sentence] = beam.into_hypotheses();
    }
}

/// Sentences as the encoder reads them: `</s>` behind each, padded to the longest.
pub fn pad_sources(sentences: &[&[u32]], device: &Device) -> Source {
    let length = sentences.iter().map(|sentence| sentence.len() + 1).max().unwrap_or(1);
    let mut ids = Vec::with_capacity(sentences.len() * length);
    for sentence in sentences {
        ids.extend_from_slice(sentence);
        ids.push(EOS);
        ids.resize(ids.len() + length - sentence.len() - 1, PAD);
    }
    Source::new(&ids, [sentences.len(), length], device)
}

/// What a log-probability is divided by for an output of `length` tokens, `</s>` included.
pub fn length_penalty(config: &DecodingConfig, length: usize) -> f64 {
    match config.length_penalty_kind {
        LengthPenaltyKind::Gnmt => ((5.0 + length as f64) / 6.0).powf(config.length_penalty),
        LengthPenaltyKind::Average => (length as f64).powf(config.length_penalty),
    }
}
