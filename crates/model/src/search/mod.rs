//! Greedy and beam search.
//!
//! A beam of width 1 is greedy search. Each step takes, for every sentence, the `2 K` best continuations of its K live
//! hypotheses; those that end in `</s>` and rank among the first K are finished, the best K others live on. A sentence
//! is done when K hypotheses are finished or the longest output is reached.

mod beam;

use std::cmp::Reverse;

use burn::prelude::*;
use ember_kernels::together;

use crate::arch::{Model, Source};
use crate::config::{DecodingConfig, LengthPenaltyKind};
use crate::{BOS, EOS, PAD};
use beam::{Beam, best_continuations};

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

/// Translates sentences of any number and length: batched by length, results in the order of the input.
///
/// Each source is its token ids without `</s>`; an empty one gives an empty hypothesis with score 0. `on_batch` is told
/// how many sentences each finished batch held, none at first.
///
/// Returns up to `config.beam` hypotheses a sentence, best first.
///
/// # Errors
/// That of `on_batch`, which ends the search.
pub fn search_all<E>(
    model: &Model,
    sources: &[Vec<u32>],
    config: &DecodingConfig,
    device: &Device,
    mut on_batch: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<Vec<Hypothesis>>, E> {
    on_batch(0)?;
    let mut results = vec![Vec::new(); sources.len()];
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_key(|&index| (Reverse(sources[index].len()), index));
    let vocabulary = model.target_vocabulary();
    let mut rest = &order[..];
    while let Some(&longest) = rest.first() {
        // The order descends, so that the first sentence of a batch is its longest.
        let fits = most_at_once(config, vocabulary, sources[longest].len()).min(rest.len());
        let (batch, behind) = rest.split_at(fits);
        rest = behind;
        let sentences: Vec<&[u32]> = batch.iter().map(|&index| &sources[index][..]).collect();
        let found = together(device, || search_batch(model, &sentences, config, device));
        for (&index, hypotheses) in batch.iter().zip(found) {
            results[index] = hypotheses;
        }
        on_batch(batch.len())?;
    }
    Ok(results)
}

/// Sentences that are translated at once, at least 1, when the longest has so many tokens, `</s>` not counted.
pub fn most_at_once(config: &DecodingConfig, target_vocabulary: usize, longest: usize) -> usize {
    let by_tokens = config.batch_tokens / (longest + 1);
    let by_logits = MOST_LOGITS / (config.beam * target_vocabulary);
    by_tokens.min(by_logits).max(1)
}

/// Translates the sentences of one batch; see [`search_all`].
fn search_batch(model: &Model, sources: &[&[u32]], config: &DecodingConfig, device: &Device) -> Vec<Vec<Hypothesis>> {
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
    let mut cache = model.start(&pad_sources(&sentences, device), config.beam, max_length);

    loop {
        let tokens: Vec<u32> = beams.iter().flat_map(Beam::last_tokens).collect();
        let logits = model.step(&tokens, &mut cache);
        let scores: Vec<f64> = beams.iter().flat_map(Beam::log_probabilities).collect();
        let continuations = best_continuations(logits, &scores, config.beam);
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
        cache.reorder(&order);
        if live.len() * 4 <= beams.len() * 3 {
            cache.keep(&live);
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
