//! Fifty updates of the real learner, with fused operations and with plain ones: micro-batches, clipping, AdamW and the
//! moving average included, with batches large enough for threads to share a product.
//!
//! [`use_reference`] holds for the whole process: nothing else stands in this file.

// Burn's hint to use Flex instead of NdArray; both are offered.
#![allow(deprecated)]

use std::path::Path;

use burn::prelude::*;
use ember_data::batch::Batch;
use ember_model::arch::Vocabularies;
use ember_model::kernels::{is_fused, use_reference};
use ember_model::weights::{Weight, Weights, export};
use ember_trainer::config::Config;
use ember_trainer::learner::Learner;

const UPDATES: u64 = 50;

/// Largest relative differences of a loss, of a gradient norm, and of a parameter or its moving average. Weights drift apart: where a gradient is near zero, Adam divides its rounding by its size.
const LOSS_BOUND: f64 = 1e-6;
const NORM_BOUND: f64 = 3e-6;
const WEIGHTS_BOUND: f64 = 1e-2;

const CLIP: f64 = 0.1;

const VOCABULARY: usize = 90;

fn config(model: &str) -> Config {
    let text = format!(
        r#"
        name = "curve"
        [data]
        source = "a"
        target = "b"
        train = "nowhere"
        valid = "nowhere"
        [tokenizer]
        kind = "words"
        [model]
        {model}
        d_model = 32
        encoder_layers = 1
        decoder_layers = 2
        dropout = 0.1
        [training]
        stop_after = "{UPDATES}u"
        accumulate = 2
        clip_norm = {CLIP}
        ema = 0.9
        [training.optimizer]
        kind = "adamw"
        "#
    );
    Config::from_toml(&text, Path::new("curve.toml"), &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// Sentences whose translation has each word's successor; lengths from `longest` down to 1.
fn batch(sentences: usize, longest: usize, seed: usize) -> Batch {
    let words = VOCABULARY - 4;
    let id = |word: usize| (4 + word % words) as u32;
    let pair = |sentence: usize| {
        let length = longest - sentence % longest;
        let word = |place: usize| sentence * 7 + place * place * 3 + seed * 11;
        let source = (0..length).map(|place| id(word(place))).collect();
        let target = (0..length).map(|place| id(word(place) + 1)).collect();
        (source, target)
    };
    Batch::from_pairs(&(0..sentences).map(pair).collect::<Vec<_>>())
}

/// Loss and gradient norm of every update, and at the end the weights and their moving average.
struct Training {
    curve: Vec<[f64; 2]>,
    weights: Weights,
    average: Weights,
}

fn train(config: &Config, device: &Device) -> Training {
    let vocabularies = Vocabularies {
        source: VOCABULARY,
        target: VOCABULARY,
        shared: true,
    };
    let mut learner = Learner::new(config, vocabularies, device).expect("a model that works");
    let mut curve = Vec::new();
    for update in 1..=UPDATES {
        // Over 1,024 rows, padding counted: sums of gradients are shared. And a few rows.
        let batches = [batch(70, 18, update as usize % 3), batch(5, 4, update as usize)];
        let gradients = learner.gradients(&batches, update);
        curve.push([gradients.loss, gradients.norm]);
        learner.step(gradients, 2e-3);
    }
    let weights = export(learner.model());
    let average = learner.optimizer.average(&weights).expect("a moving average");
    Training {
        curve,
        weights,
        average,
    }
}

fn compare(name: &str, found: &Training, expected: &Training) {
    let [first, last] = [0, UPDATES as usize - 1].map(|update| expected.curve[update][0]);
    assert!(last < 0.95 * first, "{name} learns: {first} to {last}");
    assert!(
        expected.curve.iter().any(|[_, norm]| *norm > CLIP),
        "{name}: gradients are clipped"
    );
    let curve = found.curve.iter().zip(&expected.curve);
    let [loss, norm] = [0, 1].map(|which| {
        let differences = curve
            .clone()
            .map(|(found, expected)| (found[which] / expected[which] - 1.0).abs());
        differences.fold(0.0, f64::max)
    });
    let [weights, average] = [(&found.weights, &expected.weights), (&found.average, &expected.average)]
        .map(|(found, expected)| largest_difference(found, expected));
    eprintln!("{name}: loss {loss:.1e}, norm {norm:.1e}, weights {weights:.1e}, average {average:.1e}");
    assert!(loss <= LOSS_BOUND && norm <= NORM_BOUND, "{name}: the curve");
    assert!(weights.max(average) <= WEIGHTS_BOUND, "{name}: what it ends in");
}

/// How far a parameter is from the expected one, relative to its length: the largest of all parameters.
fn largest_difference(found: &Weights, expected: &Weights) -> f64 {
    assert_eq!(found.len(), expected.len());
    let length = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let of = |(name, weight): (&String, &Weight)| {
        // A key's bias changes no weight of attention: its gradient is rounding, which Adam makes steps of.
        let measure = &expected[&name.replace("key.bias", "key.weight")].values;
        let numbers = found[name].values.iter().zip(&weight.values);
        length(&mut numbers.map(|(found, expected)| found - expected)) / length(&mut measure.iter().copied())
    };
    expected.iter().map(of).fold(0.0, f64::max)
}

/// Not with ReLU: once rounding brings one sum across zero, trainings drift apart, those of plain operations on Flex and
/// NdArray, too (gradient norms by one percent after fifty updates).
#[test]
fn fifty_updates_with_fused_operations_are_the_plain_ones() {
    for model in [
        "d_ff = 64\nn_heads = 4\nactivation = \"gelu\"",
        "d_ff = 64\nn_heads = 4\nactivation = \"swiglu\"\nnorm = \"pre\"",
        "arch = \"rnn-attention\"\ncell = \"gru\"",
        "arch = \"rnn\"\ncell = \"lstm\"",
    ] {
        let config = config(model);
        for device in [Device::flex(), Device::ndarray()] {
            let [found, expected] = [false, true].map(|plain| {
                use_reference(plain);
                assert_eq!(is_fused(&device), !plain);
                train(&config, &device)
            });
            let name = format!("{} on {device:?}", model.replace('\n', ", "));
            compare(&name, &found, &expected);
        }
    }
}
