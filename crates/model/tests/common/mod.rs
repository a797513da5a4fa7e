//! Small models with random weights, and what they give when they are told everything.
#![allow(dead_code)] // Each test file uses a part.

use burn::prelude::*;
use ember_model::arch::{Model, Vocabularies, ids_tensor};
use ember_model::config::{
    Activation, Architecture, CellKind, DecodingConfig, ModelConfig, NormPosition, PositionMerge, Score,
};
use ember_model::pass::Pass;
use ember_model::search::{Hypothesis, max_output_length, pad_sources};
use ember_model::weights::{host_values, initialise};
use ember_model::{BOS, EOS};

pub const VOCABULARY: usize = 23;

/// One of every kind of layer.
pub fn configs() -> Vec<ModelConfig> {
    let base = ModelConfig {
        d_model: 16,
        encoder_layers: 2,
        decoder_layers: 2,
        n_heads: 2,
        d_ff: 32,
        ..Default::default()
    };
    vec![
        base.clone(),
        ModelConfig {
            norm: NormPosition::Pre,
            activation: Activation::Gelu,
            ..base.clone()
        },
        ModelConfig {
            position_merge: PositionMerge::Concat,
            activation: Activation::Swiglu,
            ..base.clone()
        },
        ModelConfig {
            arch: Architecture::Rnn,
            ..base.clone()
        },
        ModelConfig {
            arch: Architecture::Rnn,
            cell: Some(CellKind::Elman),
            bidirectional: Some(false),
            ..base.clone()
        },
        ModelConfig {
            arch: Architecture::RnnAttention,
            cell: Some(CellKind::Gru),
            ..base.clone()
        },
        ModelConfig {
            arch: Architecture::RnnAttention,
            score: Some(Score::Dot),
            input_feeding: Some(true),
            ..base.clone()
        },
        ModelConfig {
            arch: Architecture::RnnAttention,
            cell: Some(CellKind::Gru),
            score: Some(Score::General),
            input_feeding: Some(true),
            bidirectional: Some(false),
            ..base
        },
    ]
}

pub fn model(config: &ModelConfig, seed: u64) -> Model {
    let vocabularies = Vocabularies {
        source: VOCABULARY,
        target: VOCABULARY,
        shared: true,
    };
    initialise(
        Model::new(config, vocabularies, &Device::flex()).expect("a valid config"),
        seed,
    )
}

/// Of no word and of many.
pub fn sentences() -> Vec<Vec<u32>> {
    (0..12u32)
        .map(|i| {
            (0..(i * 5) % 13)
                .map(|j| 4 + (i * 7 + j * 3) % (VOCABULARY as u32 - 4))
                .collect()
        })
        .collect()
}

/// The mean of what the models give to every token behind `input`: `[T][V]`. No cache, no batch.
pub fn probabilities(models: &[&Model], source: &[u32], input: &[u32]) -> Vec<Vec<f64>> {
    let device = Device::flex();
    let mut mean = vec![vec![0.0; VOCABULARY]; input.len()];
    for model in models {
        let input = ids_tensor(input, [1, input.len()], &device);
        let hidden = model.forward(&pad_sources(&[source], &device), input, &mut Pass::inference());
        let logits = host_values(hidden.matmul(model.output_weight()));
        for (mean, logits) in mean.iter_mut().zip(logits.chunks(VOCABULARY)) {
            let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
            for (mean, logit) in mean.iter_mut().zip(logits) {
                *mean += f64::from(*logit).exp() / sum / models.len() as f64;
            }
        }
    }
    mean
}

/// What the models give to an output when they are told all of it.
pub fn log_probability(models: &[&Model], source: &[u32], output: &[u32]) -> f64 {
    let input = [&[BOS], &output[..output.len() - 1]].concat();
    let rows = probabilities(models, source, &input);
    output
        .iter()
        .zip(rows)
        .map(|(token, row)| row[*token as usize].ln())
        .sum()
}

/// What a translation says, with the `</s>` of one that ended by itself, by the longest output for its source.
pub fn spoken(hypothesis: &Hypothesis, source: &[u32], config: &DecodingConfig) -> Vec<u32> {
    let mut output = hypothesis.tokens.clone();
    if output.len() < max_output_length(config, source.len()) {
        output.push(EOS);
    }
    output
}

pub fn tokens(hypotheses: &[Hypothesis]) -> Vec<&[u32]> {
    hypotheses.iter().map(|hypothesis| &hypothesis.tokens[..]).collect()
}
