//! Properties of a search by several models together that hold for any weights.

mod common;

use std::convert::Infallible;

use burn::prelude::*;
use common::{configs, log_probability, model, probabilities, sentences, spoken, tokens};
use ember_model::arch::Model;
use ember_model::config::DecodingConfig;
use ember_model::search::{Hypothesis, Searcher, max_output_length};
use ember_model::{BOS, EOS, PAD};

fn search_all(models: &[&Model], sources: &[Vec<u32>], config: &DecodingConfig) -> Vec<Vec<Hypothesis>> {
    let searcher = Searcher {
        models,
        config,
        device: &Device::flex(),
    };
    let Ok(found) = searcher.search_all(sources, |_| Ok::<_, Infallible>(()));
    found
}

fn beam(beam: usize) -> DecodingConfig {
    DecodingConfig {
        beam,
        ..Default::default()
    }
}

/// Ensembles of unlike members: a Transformer with a recurrent model, and three with every way to carry a state.
fn ensembles() -> Vec<Vec<Model>> {
    let configs = configs();
    let of = |members: &[usize]| {
        members
            .iter()
            .map(|&one| model(&configs[one], 50 + one as u64))
            .collect()
    };
    vec![of(&[0, 5]), of(&[3, 1]), of(&[6, 2, 7])]
}

fn members(models: &[Model]) -> Vec<&Model> {
    models.iter().collect()
}

#[test]
fn a_model_with_itself_is_the_model() {
    for config in configs() {
        let model = model(&config, 40);
        for width in [1, 4] {
            let alone = search_all(&[&model], &sentences(), &beam(width));
            for copies in [2, 3] {
                let copies = search_all(&vec![&model; copies], &sentences(), &beam(width));
                for (alone, copies) in alone.iter().zip(&copies) {
                    assert_eq!(tokens(alone), tokens(copies));
                    for (alone, copies) in alone.iter().zip(copies) {
                        assert!((alone.score - copies.score).abs() < 1e-5, "{alone:?} and {copies:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn members_change_the_choice() {
    for models in ensembles() {
        let together = search_all(&members(&models), &sentences(), &beam(4));
        for model in &models {
            assert_ne!(search_all(&[model], &sentences(), &beam(4)), together);
        }
    }
}

#[test]
fn beam_one_takes_the_greatest_mean_probability() {
    for models in ensembles() {
        let models = members(&models);
        let found = search_all(&models, &sentences(), &beam(1));
        for (source, found) in sentences().iter().zip(found).filter(|(source, _)| !source.is_empty()) {
            let longest = max_output_length(&beam(1), source.len());
            let mut input = vec![BOS];
            while input.len() <= longest {
                let rows = probabilities(&models, source, &input);
                let row = &rows[rows.len() - 1];
                let allowed = (0..row.len() as u32).filter(|token| ![PAD, BOS].contains(token));
                let best = allowed.max_by(|a, b| row[*a as usize].total_cmp(&row[*b as usize]));
                match best.expect("a token") {
                    EOS => break,
                    token => input.push(token),
                }
            }
            assert_eq!(found[0].tokens, input[1..]);
        }
    }
}

#[test]
fn scores_are_those_of_the_mean_probabilities() {
    let config = DecodingConfig {
        length_penalty: 0.0,
        ..beam(6)
    };
    for models in ensembles() {
        let models = members(&models);
        let found = search_all(&models, &sentences(), &config);
        for (source, hypotheses) in sentences().iter().zip(found).filter(|(source, _)| !source.is_empty()) {
            for hypothesis in hypotheses {
                let expected = log_probability(&models, source, &spoken(&hypothesis, source, &config));
                let found = hypothesis.score;
                assert!((found - expected).abs() < 1e-3, "{found} instead of {expected}");
            }
        }
    }
}

#[test]
fn a_batch_equals_its_sentences_one_by_one() {
    for models in ensembles() {
        let models = members(&models);
        let together = search_all(&models, &sentences(), &beam(4));
        for (source, together) in sentences().iter().zip(together) {
            let alone = search_all(&models, std::slice::from_ref(source), &beam(4));
            assert_eq!(tokens(&alone[0]), tokens(&together));
        }
    }
}

/// The mean is the same from either end.
#[test]
fn the_order_of_members_does_not_matter() {
    for models in ensembles() {
        let reversed: Vec<&Model> = models.iter().rev().collect();
        let found = search_all(&members(&models), &sentences(), &beam(4));
        for (one, other) in found.iter().zip(search_all(&reversed, &sentences(), &beam(4))) {
            assert_eq!(tokens(one), tokens(&other));
        }
    }
}
