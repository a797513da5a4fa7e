//! What the models say they look at.

use burn::prelude::*;
use ember_model::EOS;
use ember_model::arch::{Model, Source, Vocabularies, ids_tensor};
use ember_model::attention::AttentionMaps;
use ember_model::config::{Architecture, ModelConfig, NormPosition};
use ember_model::weights::{host_values, initialise};

const VOCABULARY: usize = 23;

fn transformer() -> ModelConfig {
    ModelConfig {
        d_model: 16,
        encoder_layers: 3,
        decoder_layers: 2,
        n_heads: 2,
        d_ff: 32,
        ..Default::default()
    }
}

fn configs() -> [ModelConfig; 4] {
    let base = transformer();
    [
        base.clone(),
        ModelConfig {
            norm: NormPosition::Pre,
            ..base.clone()
        },
        ModelConfig {
            arch: Architecture::RnnAttention,
            ..base.clone()
        },
        ModelConfig {
            arch: Architecture::RnnAttention,
            input_feeding: Some(true),
            ..base
        },
    ]
}

/// All weights zero.
fn blank(config: &ModelConfig) -> Model {
    let vocabularies = Vocabularies {
        source: VOCABULARY,
        target: VOCABULARY,
        shared: true,
    };
    Model::new(config, vocabularies, &Device::flex()).expect("a valid config")
}

/// Two sentences of three and five source tokens, of four target tokens each.
fn padded_maps(model: &Model) -> AttentionMaps {
    let device = Device::flex();
    let source = Source::new(&[5, 6, EOS, 0, 0, 9, 8, 7, 6, EOS], [2, 5], &device);
    let target = ids_tensor(&[2, 9, 10, 11, 2, 4, 5, 6], [2, 4], &device);
    model.attention(&source, target)
}

fn all(maps: &AttentionMaps) -> impl Iterator<Item = &Tensor<4>> {
    maps.encoder.iter().chain(&maps.decoder).chain(&maps.cross)
}

#[test]
fn every_row_adds_up_to_one() {
    for config in configs() {
        let maps = padded_maps(&initialise(blank(&config), 1));
        for map in all(&maps) {
            let [_, _, _, keys] = map.dims();
            for row in host_values(map.clone()).chunks(keys) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
                assert!(row.iter().all(|weight| (0.0..=1.0).contains(weight)), "{row:?}");
            }
        }
    }
}

#[test]
fn there_is_a_map_for_every_layer_that_attends() {
    for config in configs() {
        let model = initialise(blank(&config), 1);
        let maps = padded_maps(&model);
        let shapes = |maps: &[Tensor<4>]| maps.iter().map(Tensor::dims).collect::<Vec<_>>();
        let recurrent = config.arch == Architecture::RnnAttention;
        let [layers, heads] = if recurrent { [1, 1] } else { [2, 2] };
        assert_eq!(model.attention_maps(), Some([layers, heads]));
        assert_eq!(shapes(&maps.cross), vec![[2, heads, 4, 5]; layers]);
        let own = |layers, length| match recurrent {
            true => vec![],
            false => vec![[2, 2, length, length]; layers],
        };
        assert_eq!(shapes(&maps.encoder), own(3, 5));
        assert_eq!(shapes(&maps.decoder), own(2, 4));
    }
}

#[test]
fn the_decoder_sees_nothing_that_is_yet_to_come() {
    let maps = padded_maps(&initialise(blank(&transformer()), 2));
    for map in &maps.decoder {
        for (index, weight) in host_values(map.clone()).iter().enumerate() {
            let (query, key) = (index / 4 % 4, index % 4);
            assert_eq!(*weight == 0.0, key > query, "{weight} of key {key} for query {query}");
        }
    }
}

#[test]
fn padding_is_not_looked_at_and_changes_nothing() {
    let device = Device::flex();
    for config in configs() {
        let model = initialise(blank(&config), 3);
        let source = Source::new(&[5, 6, EOS], [1, 3], &device);
        let target = ids_tensor(&[2, 9, 10, 11], [1, 4], &device);
        let (alone, padded) = (model.attention(&source, target), padded_maps(&model));
        for (alone, padded) in all(&alone).zip(all(&padded)) {
            let [_, _, queries, keys] = alone.dims();
            let first = padded.clone().slice_dim(0, 0..1).slice_dim(2, 0..queries);
            let seen = host_values(first.clone().slice_dim(3, 0..keys));
            for (alone, padded) in host_values(alone.clone()).iter().zip(seen) {
                assert!((alone - padded).abs() < 1e-5, "{alone} alone, {padded} beside another");
            }
            let [_, _, _, length] = padded.dims();
            if length > keys {
                let behind = host_values(first.slice_dim(3, keys..length));
                assert!(behind.iter().all(|weight| *weight == 0.0), "{behind:?}");
            }
        }
    }
}

/// Where all scores are equal, every query takes the same from every key that it sees.
#[test]
fn a_model_of_zeros_looks_everywhere_alike() {
    let maps = padded_maps(&blank(&transformer()));
    let lengths = [3, 5];
    for map in maps.encoder.iter().chain(&maps.cross) {
        let [_, heads, queries, keys] = map.dims();
        for (index, weight) in host_values(map.clone()).iter().enumerate() {
            let length = lengths[index / (heads * queries * keys)];
            let expected = if index % keys < length {
                1.0 / length as f32
            } else {
                0.0
            };
            assert!((weight - expected).abs() < 1e-6, "{weight} instead of {expected}");
        }
    }
    for map in &maps.decoder {
        for (index, weight) in host_values(map.clone()).iter().enumerate() {
            let (query, key) = (index / 4 % 4, index % 4);
            let expected = if key <= query { 1.0 / (query + 1) as f32 } else { 0.0 };
            assert!((weight - expected).abs() < 1e-6, "{weight} instead of {expected}");
        }
    }
}
