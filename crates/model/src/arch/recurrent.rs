//! Recurrent encoder and decoder, with and without attention.
//!
//! ```text
//! encoder   layers of cells, in both directions side by side or in one
//! bridge    the decoder's first states, tanh(W h + b) of the top layer's last states in each direction
//! decoder   layers of cells over the target
//! attention (rnn-attention) h~ = tanh(W [c; h] + b), c the encoder's outputs weighted by their scores with h
//! ```
//!
//! Without attention the bridge is all that passes from encoder to decoder: one vector of fixed size, whatever the length of
//! the sentence (Sutskever et al. 2014, Cho et al. 2014). With it the decoder sees all outputs again at every step
//! (Bahdanau et al. 2015); what it makes of them, h~, is what the output projection reads (Luong et al. 2015, eq. 5), and
//! with input feeding the decoder's next step as well (section 3.3).

use burn::nn::{Embedding, Initializer, Linear, LinearConfig};
use burn::prelude::*;
use ember_kernels::Dropout;
use ember_kernels::activation::{Activation, activate};
use ember_kernels::linear::linear;
use ember_kernels::output_loss::Projection;
use ember_kernels::recurrent::{Direction, State};

use super::{Source, Vocabularies, ids_tensor};
use crate::attention::{AttentionMaps, Mask};
use crate::cache::{index_tensor, rows_of};
use crate::cell::{RecurrentLayer, select};
use crate::config::{Architecture, CellKind, ModelConfig, ModelConfigError, Side, Tie};
use crate::embedding::{EmbeddingRule, table};
use crate::pass::Pass;
use crate::source_attention::{Keys, SourceAttention};

/// Encoder, decoder, embeddings and output projection.
#[derive(Module, Debug)]
pub struct Recurrent {
    /// `[V_source, D]`; with `tie = "all"` it is the target embedding and the output projection as well.
    pub source_embedding: Embedding,
    /// `[V_target, D]`; with `tie = "target"` it is the output projection as well.
    pub target_embedding: Option<Embedding>,
    /// `[D, V_target]`, where nothing is tied to it.
    pub output: Option<Linear>,
    /// The encoder's layers.
    pub encoder: Vec<EncoderLayer>,
    /// From the encoder's last states to the decoder's first ones; two for an LSTM.
    pub bridges: Vec<Linear>,
    /// The decoder's layers.
    pub decoder: Vec<RecurrentLayer>,
    /// Over the encoder's outputs.
    pub attention: Option<SourceAttention>,
    embedding_rule: EmbeddingRule,
    input_feeding: bool,
    /// Between the encoder's layers.
    encoder_dropout: f64,
    /// Between the decoder's layers.
    decoder_dropout: f64,
}

/// One layer of the encoder.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    /// Reads from the first word on.
    pub forward: RecurrentLayer,
    /// Reads from the last word back.
    pub backward: Option<RecurrentLayer>,
}

impl EncoderLayer {
    /// Outputs `[B, S, D]`, and the last state of every direction, side by side `[B, D]`.
    fn run(&self, x: Tensor<3>, padding: &Mask, pass: &Pass) -> (Tensor<3>, State) {
        let [batch, _, _] = x.dims();
        let run = |layer: &RecurrentLayer, direction| {
            let start = layer.zero_state(batch, &x.device());
            layer.forward(x.clone(), start, Some(padding), direction, pass)
        };
        let (outputs, last) = run(&self.forward, Direction::Forward);
        let Some(backward) = &self.backward else {
            return (outputs, last);
        };
        let (other_outputs, other_last) = run(backward, Direction::Backward);
        let beside = |a, b| Tensor::cat(vec![a, b], 1);
        let last = State {
            hidden: beside(last.hidden, other_last.hidden),
            inner: last.inner.zip(other_last.inner).map(|(a, b)| beside(a, b)),
        };
        (Tensor::cat(vec![outputs, other_outputs], 2), last)
    }
}

/// What the decoder starts from.
struct Encoded {
    /// The encoder's outputs, for a model with attention.
    keys: Option<Keys>,
    /// The first state of each decoder layer.
    states: Vec<State>,
}

/// A search in progress.
pub struct SearchState {
    states: Vec<State>,
    /// What was attended to at the last step, with input feeding: `[N, D]`.
    fed: Option<Tensor<2>>,
    /// The encoder's outputs, for a model with attention.
    keys: Option<Keys>,
    /// Hides padding.
    mask: Mask,
    beam: usize,
}

impl Recurrent {
    /// A model with all values zero; [`crate::weights`] initialises or reads them.
    ///
    /// # Errors
    /// When the config cannot work, alone or with these vocabularies.
    pub fn new(config: &ModelConfig, vocabularies: Vocabularies, device: &Device) -> Result<Self, ModelConfigError> {
        config.validate()?;
        let tie = config.resolved_tie(vocabularies.shared)?;
        let width = config.d_model;
        let kind = config.cell.unwrap_or_default();
        let map = |from, to| LinearConfig::new(from, to).with_initializer(Initializer::Zeros);
        let layer = |from, to| RecurrentLayer::new(kind, from, to, device);
        let encoder_layer = |_| match config.bidirectional.unwrap_or(true) {
            true => EncoderLayer {
                forward: layer(width, width / 2),
                backward: Some(layer(width, width / 2)),
            },
            false => EncoderLayer {
                forward: layer(width, width),
                backward: None,
            },
        };
        let input_feeding = config.input_feeding.unwrap_or(false);
        let decoder_layer = |number| layer(if number == 0 && input_feeding { 2 * width } else { width }, width);
        // All layers of a side have the same rate.
        let dropout = |side| config.layer_dropout(side, 0).residual;
        let states = if kind == CellKind::Lstm { 2 } else { 1 };
        Ok(Self {
            source_embedding: table(vocabularies.source, width, device),
            target_embedding: (tie != Tie::All).then(|| table(vocabularies.target, width, device)),
            output: (tie == Tie::None).then(|| map(width, vocabularies.target).with_bias(false).init(device)),
            encoder: (0..config.encoder_layers).map(encoder_layer).collect(),
            bridges: (0..states).map(|_| map(width, width).init(device)).collect(),
            decoder: (0..config.decoder_layers).map(decoder_layer).collect(),
            attention: (config.arch == Architecture::RnnAttention).then(|| SourceAttention::new(config, device)),
            embedding_rule: EmbeddingRule::new(config),
            input_feeding,
            encoder_dropout: dropout(Side::Encoder),
            decoder_dropout: dropout(Side::Decoder),
        })
    }

    /// Whether it looks back at the source.
    pub fn has_attention(&self) -> bool {
        self.attention.is_some()
    }

    /// Encoder and decoder: `[B * T, D]`, ready for [`Recurrent::projection`].
    pub fn forward(&self, source: &Source, target_input: Tensor<2, Int>, pass: &mut Pass) -> Tensor<2> {
        let encoded = self.encode(source, pass);
        let (read, _) = self.decode(encoded, source, target_input, pass);
        let [batch, length, width] = read.dims();
        read.reshape([batch * length, width])
    }

    fn encode(&self, source: &Source, pass: &mut Pass) -> Encoded {
        let mut x = self
            .embedding_rule
            .embed(&self.source_embedding, source.ids.clone(), 0, pass);
        let mut last = None;
        for (number, layer) in self.encoder.iter().enumerate() {
            if number > 0 {
                x = pass.dropout(self.encoder_dropout).apply(x);
            }
            let (outputs, state) = layer.run(x, &source.mask, pass);
            x = outputs;
            last = Some(state);
        }
        let last = last.expect("an encoder layer");
        let bridge = |number: usize, state: Tensor<2>| -> Tensor<2> {
            let state = linear(&[&self.bridges[number]], state.unsqueeze_dim(1), pass.precision());
            activate(Activation::Tanh, state, Dropout::OFF).squeeze_dim(1)
        };
        let first = State {
            hidden: bridge(0, last.hidden),
            inner: last.inner.map(|inner| bridge(1, inner)),
        };
        Encoded {
            keys: self.attention.as_ref().map(|attention| attention.keys(x, pass)),
            states: vec![first; self.decoder.len()],
        }
    }

    /// What the output projection reads, and the states of the top layer it was made from: both `[B, T, D]`.
    fn decode(
        &self,
        encoded: Encoded,
        source: &Source,
        target_input: Tensor<2, Int>,
        pass: &mut Pass,
    ) -> (Tensor<3>, Tensor<3>) {
        let Encoded { keys, mut states } = encoded;
        let [batch, length] = target_input.dims();
        let x = self.embedding_rule.embed(self.target_table(), target_input, 0, pass);
        let attend = |hidden: Tensor<3>, pass: &Pass| match (&self.attention, &keys) {
            (Some(attention), Some(keys)) => attention.forward(hidden, keys, &source.mask, pass),
            _ => hidden,
        };
        if !self.input_feeding {
            let hidden = self.run_layers(x, &mut states, pass);
            return (attend(hidden.clone(), pass), hidden);
        }
        let width = self.decoder[0].width();
        let mut fed = Tensor::zeros([batch, 1, width], &x.device());
        let (mut read, mut all_hidden) = (Vec::new(), Vec::new());
        for position in 0..length {
            let word = x.clone().slice_dim(1, position..position + 1);
            let hidden = self.run_layers(Tensor::cat(vec![word, fed], 2), &mut states, pass);
            fed = attend(hidden.clone(), pass);
            read.push(fed.clone());
            all_hidden.push(hidden);
        }
        (Tensor::cat(read, 1), Tensor::cat(all_hidden, 1))
    }

    /// All positions of `x` through all layers, from `states` on, which are moved along.
    fn run_layers(&self, mut x: Tensor<3>, states: &mut [State], pass: &mut Pass) -> Tensor<3> {
        for (number, (layer, state)) in self.decoder.iter().zip(states).enumerate() {
            let dropout = pass.dropout(self.decoder_dropout);
            if number > 0 {
                x = dropout.apply(x);
            }
            let (outputs, last) = layer.forward(x, state.clone(), None, Direction::Forward, pass);
            x = outputs;
            *state = last;
        }
        x
    }

    /// The output projection.
    pub fn projection(&self) -> Projection {
        match &self.output {
            Some(output) => Projection::Weight(output.weight.val()),
            None => Projection::Table(self.target_table().weight.val()),
        }
    }

    /// Prepares a search; `beam` rows stand for each source sentence.
    pub fn start(&self, source: &Source, beam: usize) -> SearchState {
        let pass = &mut Pass::inference();
        let Encoded { keys, states } = self.encode(source, pass);
        let [batch, width] = states[0].hidden.dims();
        let rows: Vec<usize> = (0..batch * beam).map(|row| row / beam).collect();
        let device = states[0].hidden.device();
        SearchState {
            states: states.iter().map(|state| select(state, &rows)).collect(),
            fed: self
                .input_feeding
                .then(|| Tensor::zeros([batch * beam, width], &device)),
            keys,
            mask: source.mask.clone(),
            beam,
        }
    }

    /// One step of a search: logits `[N, V_target]` for the token that each row ends in.
    pub fn step(&self, tokens: &[u32], search: &mut SearchState) -> Tensor<2> {
        let pass = &mut Pass::inference();
        let rows = tokens.len();
        let ids = ids_tensor(tokens, [rows, 1], &self.source_embedding.weight.val().device());
        let mut x = self.embedding_rule.embed(self.target_table(), ids, 0, pass);
        if let Some(fed) = &search.fed {
            x = Tensor::cat(vec![x, fed.clone().unsqueeze_dim(1)], 2);
        }
        let mut read = self.run_layers(x, &mut search.states, pass);
        if let (Some(attention), Some(keys)) = (&self.attention, &search.keys) {
            // A sentence's beams are its queries.
            let [_, _, width] = read.dims();
            let queries = read.reshape([rows / search.beam, search.beam, width]);
            let attended = attention.forward(queries, keys, &search.mask, pass);
            read = attended.reshape([rows, 1, width]);
        }
        let read: Tensor<2> = read.squeeze_dim(1);
        if let Some(fed) = &mut search.fed {
            *fed = read.clone();
        }
        read.matmul(self.projection().weight())
    }

    /// Where the decoder attends for given sentence pairs: one map of `[B, 1, T, S]`; none without attention.
    pub fn attention(&self, source: &Source, target_input: Tensor<2, Int>) -> AttentionMaps {
        let pass = &mut Pass::inference();
        let encoded = self.encode(source, pass);
        let (Some(attention), Some(keys)) = (&self.attention, encoded.keys.clone()) else {
            return AttentionMaps::default();
        };
        let (_, hidden) = self.decode(encoded, source, target_input, pass);
        let weights = attention.weights(hidden, &keys, &source.mask, pass);
        AttentionMaps {
            cross: vec![weights.unsqueeze_dim(1)],
            ..Default::default()
        }
    }

    fn target_table(&self) -> &Embedding {
        self.target_embedding.as_ref().unwrap_or(&self.source_embedding)
    }
}

impl SearchState {
    pub(super) fn reorder(&mut self, order: &[usize]) {
        self.states.iter_mut().for_each(|state| *state = select(state, order));
        self.fed = self
            .fed
            .take()
            .map(|fed| fed.clone().select(0, index_tensor(order, &fed.device())));
    }

    pub(super) fn keep(&mut self, sentences: &[usize]) {
        self.reorder(&rows_of(sentences, self.beam));
        self.keys = self.keys.take().map(|keys| keys.select(sentences));
        self.mask = self.mask.select(sentences);
    }
}

#[cfg(test)]
mod tests {
    use ember_kernels::Precision;

    use super::*;
    use crate::weights::{host_values, initialise};

    const VOCABULARIES: Vocabularies = Vocabularies {
        source: 9,
        target: 9,
        shared: true,
    };

    fn model(config: &ModelConfig) -> Recurrent {
        let model = Recurrent::new(config, VOCABULARIES, &Device::flex());
        initialise(model.expect("a valid config"), 1)
    }

    /// Heads and pairs of sine and cosine are a Transformer's concern.
    #[test]
    fn any_width_fits() {
        let device = Device::flex();
        for (arch, d_model) in [(Architecture::Rnn, 9), (Architecture::RnnAttention, 11)] {
            let config = ModelConfig {
                arch,
                d_model,
                bidirectional: Some(false),
                ..Default::default()
            };
            let source = Source::new(&[4, 5], [1, 2], &device);
            let read = model(&config).forward(&source, ids_tensor(&[4], [1, 1], &device), &mut Pass::inference());
            assert_eq!(read.dims(), [1, d_model]);
        }
    }

    /// Words at two positions do not lose the same numbers.
    #[test]
    fn every_position_of_input_feeding_drops_by_itself() {
        let config = ModelConfig {
            arch: Architecture::RnnAttention,
            input_feeding: Some(true),
            d_model: 32,
            decoder_layers: 2,
            dropout: 0.5.into(),
            ..Default::default()
        };
        let device = Device::flex();
        let model = model(&config);
        let pass = &mut Pass::training(1, 1, 0, Precision::Fp32);
        let zeros = || Tensor::zeros([1, 32], &device);
        let state = State {
            hidden: zeros(),
            inner: Some(zeros()),
        };
        let [one, other] = [1, 2].map(|_| {
            let mut states = vec![state.clone(); 2];
            host_values(model.run_layers(Tensor::ones([1, 1, 64], &device), &mut states, pass))
        });
        assert_ne!(one, other);
    }
}
