use ember_model::config::{Activation, CellKind, NormPosition, Score};

use super::*;

const BATCH: BatchShape = BatchShape {
    rows: 10,
    source_length: 5,
    target_length: 4,
};

fn small(arch: Architecture) -> ModelConfig {
    ModelConfig {
        arch,
        d_model: 8,
        d_ff: 32,
        n_heads: 2,
        encoder_layers: 1,
        decoder_layers: 1,
        ..ModelConfig::default()
    }
}

fn update(model: ModelConfig, has_average: bool) -> Update {
    Update {
        model,
        vocabularies: Vocabularies {
            source: 20,
            target: 20,
            shared: true,
        },
        tie: Tie::All,
        parameters: 1_000,
        has_average,
        accumulates: false,
        micro_batch_tokens: 40,
        passes: 1,
        is_bf16: false,
    }
}

/// 50 source and 40 target tokens of 8 numbers; counted by hand along the layers.
#[test]
fn what_a_transformer_keeps_of_a_batch() {
    let expected = [
        ("embeddings", 50 * 8 + 40 * 8),
        // Encoder: q, k, v and output; decoder: the same, then query and output, and key and value of the source.
        ("attention", 50 * 32 + 40 * 32 + 40 * 16 + 50 * 16),
        // Two heads: 10 x 5 x 5, 10 x 4 x 4, 10 x 4 x 5.
        ("attention weights", 2 * (250 + 160 + 200)),
        ("feed-forward", 50 * 32 + 40 * 32),
        // Two norms and three, each with rows before and after scaling and a scale.
        ("residuals and norms", 2 * 50 * 17 + 3 * 40 * 17),
    ];
    let kept = transformer::kept(&small(Architecture::Transformer), BATCH);
    assert_eq!(kept.activations, expected);

    let other = ModelConfig {
        norm: NormPosition::Pre,
        activation: Activation::Swiglu,
        ..small(Architecture::Transformer)
    };
    let kept = transformer::kept(&other, BATCH);
    assert_eq!(kept.activations[3], ("feed-forward", 3 * (50 * 32 + 40 * 32)));
    assert_eq!(kept.activations[4], ("residuals and norms", 3 * 50 * 17 + 4 * 40 * 17));
}

#[test]
fn what_a_recurrent_model_keeps_of_a_batch() {
    let lstm = recurrent::kept(&small(Architecture::Rnn), BATCH);
    let expected = [
        ("embeddings", 50 * 8 + 40 * 8),
        // Both layers: five numbers and an output a unit, and the last inner states; the encoder's directions joined.
        ("recurrent layers", 8 * (50 * 6 + 10) + 50 * 8 + 8 * (40 * 6 + 10)),
        ("dropout between layers", 0),
    ];
    assert_eq!(lstm.activations, expected);

    let config = ModelConfig {
        cell: Some(CellKind::Gru),
        encoder_layers: 2,
        bidirectional: Some(false),
        ..small(Architecture::RnnAttention)
    };
    let gru = recurrent::kept(&config, BATCH);
    assert_eq!(gru.activations[1], ("recurrent layers", 8 * (2 * 50 * 5 + 40 * 5)));
    assert_eq!(gru.activations[2], ("dropout between layers", 2 * 8 * 50));
    // Additive: states, mapped queries, two numbers beside each other, the output; outputs of the encoder, mapped keys.
    assert_eq!(gru.activations[3], ("attention", 5 * 8 * 40 + 2 * 8 * 50));
    assert_eq!(gru.activations[4], ("attention weights", 10 * 4 * 5));
    let dot = ModelConfig {
        score: Some(Score::Dot),
        ..config
    };
    let dot = recurrent::kept(&dot, BATCH);
    assert_eq!(dot.activations[3], ("attention", 4 * 8 * 40 + 8 * 50));
}

#[test]
fn what_is_there_at_the_end_of_a_forward_pass() {
    let model = small(Architecture::Transformer);
    let kept: Numbers = transformer::kept(&model, BATCH)
        .activations
        .iter()
        .map(|(_, numbers)| numbers)
        .sum();
    let table = 20 * 8;
    let work = (3 * 8 + 32) * 40; // more than 40 rows of logits and the table twice
    let expected = 3 * 1_000 + kept + 40 * 8 + table + work;
    assert_eq!(update(model.clone(), false).peak(BATCH), expected);
    assert_eq!(update(model, true).peak(BATCH), expected + 1_000);
}

/// With R-Drop every pair is there twice; of the logits there are never more than before.
#[test]
fn two_passes_are_twice_the_batch() {
    let twice = Update {
        passes: 2,
        ..update(small(Architecture::Transformer), false)
    };
    let batch = BatchShape {
        rows: 2 * BATCH.rows,
        ..BATCH
    };
    assert_eq!(
        twice.peak(BATCH),
        update(small(Architecture::Transformer), false).peak(batch)
    );
    let texts = Texts::new(&Default::default(), &config(), 5);
    let forecast = twice.forecast(BATCH, BatchSource::Length, &texts);
    assert_eq!((forecast.batch, forecast.passes), (BATCH, 2));
}

#[test]
fn a_small_batch_takes_most_at_the_end_of_the_backward_pass() {
    let mut update = update(small(Architecture::Transformer), false);
    update.parameters = 1_000_000;
    assert_eq!(update.peak(BATCH), 4_000_000 + 2 * 20 * 8);
    update.accumulates = true;
    assert_eq!(update.peak(BATCH), 5_000_000 + 2 * 20 * 8);
}

#[test]
fn a_checkpoint_is_counted_in_parameters() {
    // Weights and means, their copies, the model's file, and the optimizer's file twice.
    assert_eq!(update(small(Architecture::Rnn), false).checkpoint(), 11_000);
    assert_eq!(update(small(Architecture::Rnn), true).checkpoint(), 15_000);
}

#[test]
fn the_parts_add_up_to_the_update() {
    let texts = Texts::new(&Default::default(), &config(), 5);
    for arch in [Architecture::Transformer, Architecture::Rnn, Architecture::RnnAttention] {
        let forecast = update(small(arch), true).forecast(BATCH, BatchSource::Length, &texts);
        let sum: f64 = forecast.parts.iter().map(|part| part.mib).sum();
        assert!((sum - forecast.update_mib).abs() < 1e-9);
        assert!(
            forecast.peak_mib
                >= forecast
                    .update_mib
                    .max(forecast.checkpoint_mib)
                    .max(forecast.search_mib)
        );
    }
}

/// 5 tokens and `</s>`, 340 sentences at once, outputs of 20 tokens.
#[test]
fn what_a_greedy_search_keeps() {
    let texts = Texts::new(&Default::default(), &config(), 6);
    let sentences: Numbers = 2048 / 6;
    let keys_and_values = 2 * (sentences * 20 * 8 + sentences * 6 * 8);
    let expected = keys_and_values + sentences * 20 * 8 + 2 * sentences * 20;
    assert_eq!(texts.most(&small(Architecture::Transformer), 20), expected);
    assert!(texts.most(&small(Architecture::Rnn), 20) < expected);
}

#[test]
fn what_no_memory_holds_is_a_number_all_the_same() {
    let model = ModelConfig {
        n_heads: 65_536,
        d_model: 65_536,
        encoder_layers: 65_536,
        ..small(Architecture::Transformer)
    };
    let batch = BatchShape {
        rows: usize::MAX / 65_536,
        source_length: 65_536,
        target_length: 65_536,
    };
    let texts = Texts::new(&Default::default(), &config(), 65_536);
    assert!(
        update(model, true)
            .forecast(batch, BatchSource::Length, &texts)
            .peak_mib
            > 1e20
    );
}

fn config() -> Config {
    let text = "name = \"a\"\n[data]\nsource = \"en\"\ntarget = \"de\"\ntrain = \"train\"\nvalid = \"valid\"\n\
                [tokenizer]\nkind = \"bpe\"\n[training]\nstop_after = \"10u\"\n";
    Config::from_toml(text, std::path::Path::new("a.toml"), &[]).expect("a config")
}
