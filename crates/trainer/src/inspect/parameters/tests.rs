use ember_model::arch::Vocabularies;
use ember_model::config::{Architecture, CellKind, ModelConfig};

use super::*;

const APART: Vocabularies = Vocabularies {
    source: 50,
    target: 70,
    shared: false,
};

fn small() -> ModelConfig {
    ModelConfig {
        d_model: 8,
        d_ff: 16,
        n_heads: 2,
        encoder_layers: 2,
        decoder_layers: 1,
        ..ModelConfig::default()
    }
}

fn names(parameters: &Parameters) -> Vec<&str> {
    parameters.modules.iter().map(|module| module.name.as_str()).collect()
}

#[test]
fn the_modules_of_a_transformer() {
    let parameters = Parameters::count(&small(), APART).unwrap();
    assert_eq!(
        names(&parameters),
        [
            "source_embedding",
            "target_embedding",
            "encoder.layers.0.self_attention",
            "encoder.layers.0.self_attention_norm",
            "encoder.layers.0.feed_forward",
            "encoder.layers.0.feed_forward_norm",
            "encoder.layers.1.self_attention",
            "encoder.layers.1.self_attention_norm",
            "encoder.layers.1.feed_forward",
            "encoder.layers.1.feed_forward_norm",
            "decoder.layers.0.self_attention",
            "decoder.layers.0.self_attention_norm",
            "decoder.layers.0.cross_attention",
            "decoder.layers.0.cross_attention_norm",
            "decoder.layers.0.feed_forward",
            "decoder.layers.0.feed_forward_norm",
        ]
    );
    // Four maps of 8 x 8 with biases; maps of 8 x 16 and 16 x 8; a scale and a shift.
    let (attention, feed_forward, norm) = (4 * (64 + 8), 2 * 128 + 16 + 8, 16);
    let attention_module = &parameters.modules[2];
    assert_eq!(attention_module.parameters, attention);
    let shapes = attention_module.shapes.iter();
    let shapes: Vec<_> = shapes.map(|repeated| (repeated.count, &repeated.shape[..])).collect();
    assert_eq!(shapes, [(4, &[8, 8][..]), (4, &[8])]);
    assert_eq!(
        parameters.parts,
        Parts {
            embedding: 50 * 8 + 70 * 8,
            encoder: 2 * (attention + feed_forward + 2 * norm),
            decoder: 2 * attention + feed_forward + 3 * norm,
            output: 0,
            attention: 4 * attention,
        }
    );
    assert_eq!(parameters.tie, Tie::Target);
}

#[test]
fn every_architecture_adds_up_to_the_model() {
    let shared = Vocabularies {
        source: 60,
        target: 60,
        shared: true,
    };
    for arch in [Architecture::Transformer, Architecture::Rnn, Architecture::RnnAttention] {
        for tie in [None, Some(Tie::None)] {
            let config = ModelConfig { arch, tie, ..small() };
            let parameters = Parameters::count(&config, shared).unwrap();
            let model = Model::new(&config, shared, &burn::prelude::Device::flex()).unwrap();
            assert_eq!(parameters.total, burn::module::Module::num_params(&model));
            let Parts {
                embedding,
                encoder,
                decoder,
                output,
                attention,
            } = parameters.parts;
            assert_eq!(embedding + encoder + decoder + output, parameters.total, "{arch:?}");
            assert_eq!(output, if tie == Some(Tie::None) { 60 * 8 } else { 0 });
            assert_eq!(attention == 0, arch == Architecture::Rnn);
            let share: f64 = parameters.modules.iter().map(|module| module.share).sum();
            assert!((share - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn the_modules_of_a_recurrent_model() {
    let config = ModelConfig {
        arch: Architecture::RnnAttention,
        cell: Some(CellKind::Gru),
        encoder_layers: 1,
        ..small()
    };
    let parameters = Parameters::count(&config, APART).unwrap();
    assert_eq!(
        names(&parameters),
        [
            "source_embedding",
            "target_embedding",
            "encoder.0.forward",
            "encoder.0.backward",
            "bridges.0",
            "decoder.0",
            "attention",
        ]
    );
}
