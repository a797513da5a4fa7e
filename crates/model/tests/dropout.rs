//! Dropout rates that differ by layer reach the layers they are meant for.

use burn::prelude::*;
use ember_model::arch::{Model, Source, Transformer, Vocabularies, ids_tensor};
use ember_model::config::ModelConfig;
use ember_model::kernels::Precision;
use ember_model::pass::Pass;
use ember_model::weights::{host_values, initialise};

const VOCABULARIES: Vocabularies = Vocabularies {
    source: 17,
    target: 17,
    shared: true,
};

/// Two layers on both sides; nothing is dropped but by what `dropout` says.
fn config(dropout: serde_json::Value) -> ModelConfig {
    let mut config = serde_json::json!({
        "d_model": 8, "d_ff": 12, "n_heads": 2, "encoder_layers": 2, "decoder_layers": 2, "embedding_dropout": 0.0,
        "dropout": 0.0,
    });
    let given = dropout.as_object().expect("a table").clone();
    config.as_object_mut().expect("a table").extend(given);
    let config: ModelConfig = serde_json::from_value(config).expect("a [model] section");
    config.validate().expect("a valid config");
    config
}

/// What the model makes of two sentences in training.
fn trained(dropout: serde_json::Value) -> Vec<f32> {
    let device = Device::flex();
    let model = Model::new(&config(dropout), VOCABULARIES, &device).expect("a valid config");
    let model = initialise(model, 3);
    let ids: Vec<u32> = (0..10).map(|place| 4 + place * 5 % 13).collect();
    let source = Source::new(&ids, [2, 5], &device);
    let pass = &mut Pass::training(1, 1, 0, Precision::Fp32);
    host_values(model.forward(&source, ids_tensor(&ids, [2, 5], &device), pass))
}

#[test]
fn a_list_of_equal_rates_is_the_rate() {
    for arch in ["transformer", "rnn-attention"] {
        let number = trained(serde_json::json!({ "arch": arch, "dropout": 0.3 }));
        let table = serde_json::json!({ "arch": arch, "dropout": { "encoder": 0.3, "decoder": 0.3 } });
        assert_eq!(trained(table), number);
        assert_ne!(trained(serde_json::json!({ "arch": arch })), number);
    }
    let number = trained(serde_json::json!({ "dropout": 0.3 }));
    assert_eq!(trained(serde_json::json!({ "dropout": [0.3, 0.3] })), number);
}

/// Each rate changes the result, and no two of them in the same way.
#[test]
fn every_place_has_its_own_rate() {
    let mut found = vec![trained(serde_json::json!({}))];
    for key in ["attention_dropout", "feed_forward_dropout", "residual_dropout"] {
        for rates in [
            serde_json::json!({ "encoder": [0.5, 0.0], "decoder": 0.0 }),
            serde_json::json!({ "encoder": [0.0, 0.5], "decoder": 0.0 }),
            serde_json::json!({ "encoder": 0.0, "decoder": [0.5, 0.0] }),
            serde_json::json!({ "encoder": 0.0, "decoder": [0.0, 0.5] }),
        ] {
            let result = trained(serde_json::json!({ key: rates }));
            assert!(!found.contains(&result), "{key} {rates}");
            found.push(result);
        }
    }
    found.push(trained(serde_json::json!({ "arch": "rnn" })));
    for sides in [
        serde_json::json!({ "encoder": 0.5, "decoder": 0.0 }),
        serde_json::json!({ "encoder": 0.0, "decoder": 0.5 }),
    ] {
        let result = trained(serde_json::json!({ "arch": "rnn", "residual_dropout": sides }));
        assert!(!found.contains(&result), "{sides}");
        found.push(result);
    }
}

#[test]
fn rates_count_from_the_input_up() {
    let rates = serde_json::json!({ "attention_dropout": { "encoder": [0.1, 0.2], "decoder": [0.3, 0.4] } });
    let model = Transformer::new(&config(rates), VOCABULARIES, &Device::flex()).expect("a valid config");
    let encoder = model
        .encoder
        .layers
        .iter()
        .map(|layer| layer.self_attention.heads.dropout);
    assert_eq!(encoder.collect::<Vec<_>>(), [0.1, 0.2]);
    for (layer, rate) in model.decoder.layers.iter().zip([0.3, 0.4]) {
        assert_eq!(layer.self_attention.heads.dropout, rate);
        assert_eq!(layer.cross_attention.heads.dropout, rate);
    }
}
