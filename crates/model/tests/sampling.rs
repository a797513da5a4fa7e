//! Properties of sampling that hold for any weights.

mod common;

use std::convert::Infallible;

use burn::prelude::*;
use common::{VOCABULARY, configs, log_probability, model, probabilities, sentences, spoken, tokens};
use ember_model::arch::Model;
use ember_model::config::DecodingConfig;
use ember_model::search::{Hypothesis, Sampling, Searcher};
use ember_model::{BOS, EOS, PAD};

/// Samples of sentences that stand in these lines.
fn sample_lines(
    models: &[&Model],
    lines: &[(u64, Vec<u32>)],
    sampling: &Sampling,
    config: &DecodingConfig,
) -> Vec<Vec<Hypothesis>> {
    let searcher = Searcher {
        models,
        config,
        device: &Device::flex(),
    };
    let keys: Vec<u64> = lines.iter().map(|(line, _)| sampling.key(*line, 0)).collect();
    let sources: Vec<Vec<u32>> = lines.iter().map(|(_, source)| source.clone()).collect();
    let Ok(found) = searcher.sample_all(sampling, &sources, &keys, |_| Ok::<_, Infallible>(()));
    found
}

fn sample(models: &[&Model], sampling: &Sampling) -> Vec<Vec<Hypothesis>> {
    sample_lines(models, &numbered(), sampling, &DecodingConfig::default())
}

fn numbered() -> Vec<(u64, Vec<u32>)> {
    (0..).zip(sentences()).collect()
}

fn samples(samples: usize) -> Sampling {
    Sampling {
        samples,
        ..Sampling::default()
    }
}

#[test]
fn batches_order_and_other_samples_change_nothing() {
    for config in configs() {
        let (one, other) = (model(&config, 60), model(&configs()[0], 61));
        for models in [&[&one][..], &[&one, &other]] {
            let whole = sample(models, &samples(3));
            assert!(whole.iter().all(|found| found.len() == 3));
            let small = DecodingConfig {
                batch_tokens: 1,
                ..Default::default()
            };
            let alone = sample_lines(models, &numbered(), &samples(3), &small);
            let reversed: Vec<_> = numbered().into_iter().rev().collect();
            let reversed = sample_lines(models, &reversed, &samples(3), &DecodingConfig::default());
            let fewer = sample(models, &samples(2));
            for (line, whole) in whole.iter().enumerate() {
                assert_eq!(tokens(&alone[line]), tokens(whole));
                assert_eq!(tokens(&reversed[reversed.len() - 1 - line]), tokens(whole));
                assert_eq!(tokens(&fewer[line]), tokens(&whole[..2]));
            }
        }
    }
}

#[test]
fn seeds_lines_and_samples_draw_differently() {
    let model = model(&configs()[0], 62);
    let sentence = sentences()[5].clone();
    let lines: Vec<_> = (0..20).map(|line| (line, sentence.clone())).collect();
    let with = |seed| {
        let sampling = Sampling { seed, ..samples(2) };
        sample_lines(&[&model], &lines, &sampling, &DecodingConfig::default())
    };
    let found = [with(1), with(2)];
    let mut all: Vec<_> = found.iter().flatten().flat_map(|found| tokens(found)).collect();
    all.sort_unstable();
    all.dedup();
    assert!(all.len() > 70, "{} of 80 samples differ", all.len());
}

#[test]
fn scores_are_the_models_whatever_the_temperature() {
    let config = DecodingConfig::default();
    let (one, other) = (model(&configs()[0], 63), model(&configs()[5], 64));
    for models in [&[&one][..], &[&one, &other]] {
        let sampling = Sampling {
            temperature: 0.7,
            top_k: 9,
            ..samples(4)
        };
        let mut ended = 0;
        for (source, found) in sentences().iter().zip(sample(models, &sampling)) {
            for hypothesis in found.iter().filter(|_| !source.is_empty()) {
                let output = spoken(hypothesis, source, &config);
                let expected = log_probability(models, source, &output);
                assert!(
                    (hypothesis.score - expected).abs() < 1e-3,
                    "{hypothesis:?}, not {expected}"
                );
                assert_eq!(hypothesis.score, hypothesis.log_probability);
                ended += usize::from(output.ends_with(&[EOS]));
            }
        }
        assert!(ended > 0, "some end by themselves");
    }
}

#[test]
fn an_empty_sentence_has_empty_samples() {
    let model = model(&configs()[0], 65);
    let found = sample_lines(&[&model], &[(0, Vec::new())], &samples(3), &DecodingConfig::default());
    assert_eq!(tokens(&found[0]), [[0u32; 0]; 3]);
}

#[test]
fn a_low_temperature_is_greedy() {
    for config in configs() {
        let model = model(&config, 66);
        let greedy = DecodingConfig {
            beam: 1,
            ..Default::default()
        };
        let searcher = Searcher {
            models: &[&model],
            config: &greedy,
            device: &Device::flex(),
        };
        let Ok(greedy) = searcher.search_all(&sentences(), |_| Ok::<_, Infallible>(()));
        for sampling in [
            Sampling {
                temperature: 1e-9,
                ..samples(1)
            },
            Sampling { top_k: 1, ..samples(1) },
            Sampling {
                top_p: 1e-9,
                ..samples(1)
            },
        ] {
            for (greedy, found) in greedy.iter().zip(sample(&[&model], &sampling)) {
                assert_eq!(tokens(greedy), tokens(&found));
            }
        }
    }
}

/// First and second words of many samples of one sentence against their exact probabilities, by Pearson's chi-square.
#[test]
fn words_are_as_frequent_as_the_model_says() {
    const LINES: u64 = 200;
    const SAMPLES: usize = 50;
    let model = model(&configs()[0], 67);
    let source = vec![5, 9, 7];
    let lines: Vec<_> = (0..LINES).map(|line| (line, source.clone())).collect();
    let found = sample_lines(&[&model], &lines, &samples(SAMPLES), &DecodingConfig::default());
    let outputs: Vec<Vec<u32>> = found
        .iter()
        .flatten()
        .map(|sample| spoken(sample, &source, &DecodingConfig::default()))
        .collect();
    assert_frequencies(&model, &source, &[BOS], outputs.iter().map(|output| output[0]));
    let starting_with = |first: u32| outputs.iter().filter(move |output| output[0] == first);
    let words = (0..VOCABULARY as u32).filter(|token| *token != EOS);
    let first = words.max_by_key(|word| starting_with(*word).count()).expect("a word");
    let second = starting_with(first).map(|output| output[1]);
    assert_frequencies(&model, &source, &[BOS, first], second);
}

/// The tokens that followed `input` are drawn from the model's probabilities of the tokens that can be.
#[track_caller]
fn assert_frequencies(model: &Model, source: &[u32], input: &[u32], tokens: impl Iterator<Item = u32>) {
    let rows = probabilities(&[model], source, input);
    let mut exact = rows[rows.len() - 1].clone();
    for token in [PAD, BOS] {
        exact[token as usize] = 0.0;
    }
    let sum: f64 = exact.iter().sum();
    let mut counts = [0.0; VOCABULARY];
    tokens.for_each(|token| counts[token as usize] += 1.0);
    let draws: f64 = counts.iter().sum();
    assert!(draws > 200.0, "{draws} draws are too few to tell");
    let expected = exact.iter().map(|probability| probability / sum * draws);
    let terms = counts
        .iter()
        .zip(expected)
        .map(|(count, expected)| match expected > 0.0 {
            true => (count - expected).powi(2) / expected,
            false => *count * f64::INFINITY,
        });
    let statistic: f64 = terms.filter(|term| !term.is_nan()).sum();
    let freedom = (VOCABULARY - 3) as f64;
    let most = freedom + 5.0 * (2.0 * freedom).sqrt();
    assert!(statistic < most, "chi-square {statistic} above {most}: {counts:?}");
}
