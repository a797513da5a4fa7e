//! Log-probabilities of given pairs, by a model or by an ensemble: then each token has the mean of the members'
//! probabilities, as in their search.
//!
//! A pair with a side of more than `data.max_length` tokens is scored whole, like every other: cut into parts, its
//! score would be that of another text. The model was trained on nothing that long, so such pairs are marked, and who
//! asks is told how many they are.

use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use ember_data::batch::Batch;
use ember_data::tokenizer::{Side, tagged};
use ember_model::arch::Model;
use ember_model::pass::Pass;
use ember_model::search::log_mean_exp;
use ember_model::weights::host_values;
use serde::Serialize;

use crate::tag::TaggedLines;
use crate::tensors::BatchTensors;
use crate::trained::TrainedModel;

/// Target tokens scored at once, padding counted.
const BATCH_TOKENS: usize = 2048;

/// How probable a target is, given its source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairScore {
    /// Sum of the tokens' log-probabilities, `</s>` included, in nats.
    pub log_probability: f64,
    /// Target tokens, `</s>` included.
    pub tokens: usize,
    /// Whether a side has more tokens than `data.max_length`, the tag not counted.
    pub over_max_length: bool,
}

/// Scores each target given the source of the same line; results in the order of the lines.
///
/// # Panics
/// When there are more lines on one side.
pub fn score_pairs(trained: &TrainedModel, source: TaggedLines<'_>, target: &[String]) -> Vec<PairScore> {
    assert_eq!(source.lines.len(), target.len(), "lines are paired");
    let tokenizer = &trained.tokenizer;
    let pairs: Vec<(Vec<u32>, Vec<u32>)> = source
        .iter()
        .zip(target)
        .map(|((source, tag), target)| {
            (
                tagged(tag, tokenizer.encode(Side::Source, source)),
                tokenizer.encode(Side::Target, target),
            )
        })
        .collect();
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    let length = |index: usize| pairs[index].0.len().max(pairs[index].1.len()) + 1;
    order.sort_by_key(|&index| (std::cmp::Reverse(length(index)), index));

    let mut scores = vec![
        PairScore {
            log_probability: 0.0,
            tokens: 0,
            over_max_length: false,
        };
        pairs.len()
    ];
    let mut rest = &order[..];
    while let Some(&longest) = rest.first() {
        let (batch, behind) = rest.split_at((BATCH_TOKENS / length(longest)).clamp(1, rest.len()));
        rest = behind;
        let rows: Vec<_> = batch.iter().map(|&index| pairs[index].clone()).collect();
        for (&index, log_probability) in batch.iter().zip(score_batch(trained, &Batch::from_pairs(&rows))) {
            let (source, target) = &pairs[index];
            let (_, source) = tokenizer.split_tag(source);
            scores[index] = PairScore {
                log_probability,
                tokens: target.len() + 1,
                over_max_length: source.len().max(target.len()) > trained.config.data.max_length,
            };
        }
    }
    scores
}

/// The log-probability of each row's target.
fn score_batch(trained: &TrainedModel, batch: &Batch) -> Vec<f64> {
    let members = trained
        .members()
        .map(|model| score_tokens(model, batch, &trained.device));
    let mut members: Vec<Vec<f32>> = members.collect();
    let found = match members.len() {
        1 => members.remove(0),
        _ => {
            let of_members = |cell: usize| log_mean_exp(members.iter().map(|member| member[cell]));
            (0..batch.target_output.len()).map(of_members).collect()
        }
    };
    let rows = found
        .chunks(batch.target_length)
        .zip(batch.target_output.chunks(batch.target_length));
    rows.map(|(found, ids)| {
        let real = found.iter().zip(ids).filter(|(_, id)| **id != ember_model::PAD);
        real.map(|(log_probability, _)| f64::from(*log_probability)).sum()
    })
    .collect()
}

/// One model's log-probability of every target token: `[B * T]`.
fn score_tokens(model: &Model, batch: &Batch, device: &Device) -> Vec<f32> {
    let tensors = BatchTensors::new(batch, device);
    let hidden = model.forward(&tensors.source, tensors.target_input, &mut Pass::inference());
    let logits = hidden.matmul(model.output_weight()); // [B * T, V]
    let [cells, _] = logits.dims();
    host_values(log_softmax(logits, 1).gather(1, tensors.target_output.reshape([cells, 1])))
}
