//! What the operations of a recurrent model keep of a batch until their backward step.
//!
//! ```text
//! embedding    its output                                                D a token
//! layer        what its cell keeps of every position (recurrent.rs)      0, 4 H or 5 H
//!              its outputs, an LSTM's last inner state behind them       H, and H a run over a sentence
//! directions   the outputs of both side by side                          D
//! dropout      between layers its factors and what is left               2 D
//! attention    see `source_attention`
//! ```

use ember_model::config::{Architecture, CellKind, ModelConfig, Score};

use super::{BatchShape, Kept, Numbers};

/// Of a forward pass, in numbers.
pub fn kept(config: &ModelConfig, batch: BatchShape) -> Kept {
    let (source, target) = (batch.source(), batch.target());
    let width = config.d_model as Numbers;
    let cell = config.cell.unwrap_or_default();
    // Both directions together are as wide as the one of a decoder layer.
    let layer = |tokens: Numbers, runs: Numbers| {
        let inner = if cell == CellKind::Lstm { runs } else { 0 };
        width * ((of_cell(cell) + 1) * tokens + inner)
    };
    let beside = if config.bidirectional.unwrap_or(true) {
        source
    } else {
        0
    };
    let [encoder, decoder] = [config.encoder_layers, config.decoder_layers].map(|layers| layers as Numbers);
    let rows = batch.rows as Numbers;
    let is_fed = config.input_feeding.unwrap_or(false);
    // With input feeding the decoder runs anew for every position.
    let decoder_runs = if is_fed { target } else { rows };
    let attention = match config.arch {
        Architecture::RnnAttention => source_attention(config, batch),
        _ => Kept::default(),
    };
    let mut activations = vec![
        ("embeddings", width * (source + target)),
        (
            "recurrent layers",
            encoder * (layer(source, rows) + width * beside) + decoder * layer(target, decoder_runs),
        ),
        (
            "dropout between layers",
            2 * width * ((encoder - 1) * source + (decoder - 1) * target),
        ),
    ];
    if is_fed {
        // What was attended to, beside the word.
        activations.push(("input feeding", 2 * width * target));
    }
    activations.extend(attention.activations);
    // Gates and their gradients, of the widest layer.
    let gates = 2 * gates(cell) * width * source.max(target);
    Kept {
        activations,
        work: gates.max(attention.work),
    }
}

/// Attention over the source, `ember_kernels::source_attention`; sums of the additive score are made anew for the gradient.
fn source_attention(config: &ModelConfig, batch: BatchShape) -> Kept {
    let (source, target) = (batch.source(), batch.target());
    let width = config.d_model as Numbers;
    let score = config.score.unwrap_or_default();
    let mapped_keys = Numbers::from(score != Score::Dot);
    let mapped_queries = Numbers::from(score == Score::Additive);
    // The top layer's outputs, mapped queries, [context; query], tanh of what is made of them.
    let of_target = (1 + mapped_queries + 2 + 1) * width * target;
    let of_source = (1 + mapped_keys) * width * source;
    Kept {
        activations: vec![
            ("attention", of_target + of_source),
            ("attention weights", target * batch.source_length as Numbers),
        ],
        // Gradients of queries, keys and outputs.
        work: width * (2 * target + 2 * source),
    }
}

/// Numbers that a cell keeps of a position, in units of its width.
fn of_cell(cell: CellKind) -> Numbers {
    match cell {
        CellKind::Elman => 0,
        CellKind::Gru => 4,
        CellKind::Lstm => 5,
    }
}

fn gates(cell: CellKind) -> Numbers {
    match cell {
        CellKind::Elman => 1,
        CellKind::Gru => 3,
        CellKind::Lstm => 4,
    }
}
