//! Properties of the model and its search that hold for any weights.

mod common;

use std::convert::Infallible;

use burn::prelude::*;
use common::{VOCABULARY, configs, log_probability, model, sentences};
use ember_model::EOS;
use ember_model::arch::{Model, Source, ids_tensor};
use ember_model::config::DecodingConfig;
use ember_model::pass::Pass;
use ember_model::search::{Hypothesis, max_output_length, pad_sources};
use ember_model::weights::host_values;

/// Nobody stops the search.
fn search_all(model: &Model, sources: &[Vec<u32>], options: &DecodingConfig, device: &Device) -> Vec<Vec<Hypothesis>> {
    let Ok(found) = ember_model::search::search_all(model, sources, options, device, |_| Ok::<_, Infallible>(()));
    found
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn padding_and_other_rows_change_nothing() {
    let device = Device::flex();
    for config in configs() {
        let model = model(&config, 1);
        let pass = &mut Pass::inference();
        let alone = Source::new(&[5, 6, 7, EOS], [1, 4], &device);
        let padded = Source::new(&[5, 6, 7, EOS, 0, 0, 9, 8, 7, 6, 5, EOS], [2, 6], &device);
        let target = ids_tensor(&[2, 9, 10], [1, 3], &device);
        let targets = ids_tensor(&[2, 9, 10, 0, 2, 4, 5, 6], [2, 4], &device);
        let one = host_values(model.forward(&alone, target, pass));
        let two = host_values(model.forward(&padded, targets, pass));
        assert!(largest_difference(&one, &two[..one.len()]) < 1e-5);
    }
}

#[test]
fn later_target_tokens_change_nothing_before_them() {
    let device = Device::flex();
    for config in configs() {
        let model = model(&config, 2);
        let source = Source::new(&[5, 6, EOS], [1, 3], &device);
        let hidden = |last| {
            let target = ids_tensor(&[2, 9, 10, last], [1, 4], &device);
            host_values(model.forward(&source, target, &mut Pass::inference()))
        };
        let (one, two) = (hidden(11), hidden(12));
        let before_last = one.len() / 4 * 3;
        assert_eq!(one[..before_last], two[..before_last]);
        assert_ne!(one, two);
    }
}

#[test]
fn a_cached_step_equals_the_whole_sentence() {
    let device = Device::flex();
    for config in configs() {
        let model = model(&config, 3);
        let source = pad_sources(&[&[5, 6, 7], &[8]], &device);
        let inputs = [[2, 9, 10, 11], [2, 4, 4, 5]];
        let whole = model.forward(
            &source,
            ids_tensor(&inputs.concat(), [2, 4], &device),
            &mut Pass::inference(),
        );
        let whole = host_values(whole.matmul(model.output_weight()));
        let mut cache = model.start(&source, 1, 4);
        for position in 0..4 {
            let logits = host_values(model.step(&inputs.map(|row| row[position]), &mut cache));
            for row in 0..2 {
                let expected = &whole[(row * 4 + position) * VOCABULARY..][..VOCABULARY];
                assert!(largest_difference(&logits[row * VOCABULARY..][..VOCABULARY], expected) < 1e-5);
            }
        }
    }
}

#[test]
fn beam_one_is_greedy() {
    let device = Device::flex();
    for (seed, config) in configs().iter().enumerate() {
        let model = model(config, 10 + seed as u64);
        let options = DecodingConfig {
            beam: 1,
            ..Default::default()
        };
        for (source, found) in sentences()
            .iter()
            .zip(search_all(&model, &sentences(), &options, &device))
        {
            assert_eq!(found[0].tokens, greedy(&model, source, &options));
        }
    }
}

/// The argmax, word after word, without cache or batch.
fn greedy(model: &Model, source: &[u32], options: &DecodingConfig) -> Vec<u32> {
    let device = Device::flex();
    let mut tokens = Vec::new();
    if source.is_empty() {
        return tokens;
    }
    let padded = pad_sources(&[source], &device);
    while tokens.len() < max_output_length(options, source.len()) {
        let input = [&[2], &tokens[..]].concat();
        let hidden = model.forward(
            &padded,
            ids_tensor(&input, [1, input.len()], &device),
            &mut Pass::inference(),
        );
        let logits = host_values(hidden.matmul(model.output_weight()));
        let last = &logits[logits.len() - VOCABULARY..];
        let allowed = (0..VOCABULARY as u32).filter(|token| ![0, 2].contains(token));
        let best = allowed.max_by(|a, b| last[*a as usize].total_cmp(&last[*b as usize]).then(b.cmp(a)));
        match best {
            Some(EOS) | None => break,
            Some(token) => tokens.push(token),
        }
    }
    tokens
}

#[test]
fn a_batch_equals_its_sentences_one_by_one() {
    let device = Device::flex();
    for (seed, config) in configs().iter().enumerate() {
        let model = model(config, 20 + seed as u64);
        let options = DecodingConfig {
            beam: 4,
            ..Default::default()
        };
        let together = search_all(&model, &sentences(), &options, &device);
        for (source, together) in sentences().iter().zip(together) {
            let alone = &search_all(&model, std::slice::from_ref(source), &options, &device)[0];
            let tokens = |found: &[Hypothesis]| found.iter().map(|h| h.tokens.clone()).collect::<Vec<_>>();
            assert_eq!(tokens(alone), tokens(&together));
        }
    }
}

/// A hypothesis that ended by itself has the log-probability of its tokens and `</s>`; one that was cut off at the
/// longest output never said `</s>` and has that of its tokens alone.
#[test]
fn a_beam_is_sorted_and_its_scores_are_the_models() {
    let device = Device::flex();
    let mut counts = [0, 0];
    for (config, beam) in [(0, 1), (0, 12), (3, 12), (6, 12)] {
        let model = model(&configs()[config], 31);
        let options = DecodingConfig {
            beam,
            length_penalty: 0.0,
            ..Default::default()
        };
        let found = search_all(&model, &sentences(), &options, &device);
        for (source, hypotheses) in sentences().iter().zip(found) {
            let longest = max_output_length(&options, source.len());
            let cut_off = |hypothesis: &Hypothesis| hypothesis.tokens.len() == longest;
            assert!(hypotheses.is_sorted_by_key(|hypothesis| (cut_off(hypothesis), -hypothesis.score)));
            for hypothesis in hypotheses.iter().filter(|_| !source.is_empty()) {
                let mut output = hypothesis.tokens.clone();
                if !cut_off(hypothesis) {
                    output.push(EOS);
                }
                let expected = log_probability(&[&model], source, &output);
                let found = hypothesis.log_probability;
                assert!((found - expected).abs() < 1e-3, "{found} instead of {expected}");
                counts[usize::from(cut_off(hypothesis))] += 1;
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 0), "ended and cut off: {counts:?}");
}
