//! The Transformer (Vaswani et al. 2017, section 3).
//!
//! B batch, S source length, T target length, D model width, V vocabulary.

mod maps;

use burn::nn::{Embedding, LayerNorm, Linear, LinearConfig};
use burn::prelude::*;
use ember_kernels::output_loss::Projection;
use ember_kernels::residual_norm::norm;

use super::{Source, Vocabularies, ids_tensor};
use crate::attention::{Mask, MultiHeadAttention};
use crate::cache::{DecoderCache, LayerCache};
use crate::config::{LayerDropout, ModelConfig, ModelConfigError, NormPosition, Side, Tie};
use crate::embedding::{EmbeddingRule, table};
use crate::feed_forward::FeedForward;
use crate::pass::Pass;
use crate::residual::{Residual, layer_norm};

/// Encoder, decoder, embeddings and output projection.
#[derive(Module, Debug)]
pub struct Transformer {
    /// `[V_source, width]`; with `tie = "all"` it is the target embedding and the output projection as well.
    pub source_embedding: Embedding,
    /// `[V_target, width]`; with `tie = "target"` it is the output projection as well.
    pub target_embedding: Option<Embedding>,
    /// `[D, V_target]`, where nothing is tied to it.
    pub output: Option<Linear>,
    /// The encoder's layers.
    pub encoder: Encoder,
    /// The decoder's layers.
    pub decoder: Decoder,
    embedding_rule: EmbeddingRule,
}

impl Transformer {
    /// A model with all values zero; [`crate::weights`] initialises or reads them.
    ///
    /// # Errors
    /// When the config cannot work, alone or with these vocabularies.
    pub fn new(config: &ModelConfig, vocabularies: Vocabularies, device: &Device) -> Result<Self, ModelConfigError> {
        config.validate()?;
        let tie = config.resolved_tie(vocabularies.shared)?;
        let width = config.embedding_width();
        Ok(Self {
            source_embedding: table(vocabularies.source, width, device),
            target_embedding: (tie != Tie::All).then(|| table(vocabularies.target, width, device)),
            output: (tie == Tie::None).then(|| {
                LinearConfig::new(config.d_model, vocabularies.target)
                    .with_bias(false)
                    .with_initializer(nn::Initializer::Zeros)
                    .init(device)
            }),
            encoder: Encoder::new(config, device),
            decoder: Decoder::new(config, device),
            embedding_rule: EmbeddingRule::new(config),
        })
    }

    /// The encoder's output: `[B, S, D]`.
    pub fn encode(&self, source: &Source, pass: &mut Pass) -> Tensor<3> {
        let x = self
            .embedding_rule
            .embed(&self.source_embedding, source.ids.clone(), 0, pass);
        self.encoder.forward(x, &source.mask, pass)
    }

    /// The decoder's output for whole target sentences at once (teacher forcing).
    ///
    /// # Shapes
    /// - `memory`: `[B, S, D]`, `target_input`: `[B, T]`, each row `<s>` and the reference
    /// - result: `[B, T, D]`
    pub fn decode(
        &self,
        memory: Tensor<3>,
        source: &Source,
        target_input: Tensor<2, Int>,
        pass: &mut Pass,
    ) -> Tensor<3> {
        let x = self.embedding_rule.embed(self.target_table(), target_input, 0, pass);
        self.decoder.forward(x, memory, &source.mask, pass)
    }

    /// Encoder and decoder: `[B * T, R]`, ready for [`Transformer::projection`].
    pub fn forward(&self, source: &Source, target_input: Tensor<2, Int>, pass: &mut Pass) -> Tensor<2> {
        let memory = self.encode(source, pass);
        self.readout(self.decode(memory, source, target_input, pass))
    }

    /// What the output projection reads of the decoder's output: all of it, R = D. Only where embeddings are
    /// `d_model / 2` wide (`position_merge = "concat"`) and one of them is the output projection, R = D / 2: the half
    /// that stands where the embedding stands in the decoder's input.
    fn readout(&self, hidden: Tensor<3>) -> Tensor<2> {
        let [batch, length, d_model] = hidden.dims();
        let hidden = hidden.reshape([batch * length, d_model]);
        let [width, _] = self.output_weight().dims();
        if width == d_model {
            hidden
        } else {
            hidden.slice_dim(1, 0..width)
        }
    }

    /// The output projection.
    pub fn projection(&self) -> Projection {
        match &self.output {
            Some(output) => Projection::Weight(output.weight.val()),
            None => Projection::Table(self.target_table().weight.val()),
        }
    }

    /// The output projection as a matrix: `[R, V_target]`.
    pub fn output_weight(&self) -> Tensor<2> {
        self.projection().weight()
    }

    /// Prepares a search: keys and values of the encoder's output are computed here, once a sentence.
    ///
    /// `beam` rows stand for each source sentence; `max_length` is the longest output in tokens.
    pub fn start(&self, source: &Source, beam: usize, max_length: usize) -> DecoderCache {
        let pass = &mut Pass::inference();
        let memory = self.encode(source, pass);
        let layers = self
            .decoder
            .layers
            .iter()
            .map(|layer| layer.start(memory.clone(), beam, max_length))
            .collect();
        let [_, length] = source.ids.dims();
        let mask = source.mask.tensor(length, &source.ids.device());
        DecoderCache::new(layers, mask, beam)
    }

    /// One step of the search: logits of the next token for each row, and the cache grows by one position.
    ///
    /// # Shapes
    /// - `tokens`: `[B * beam]`, the token each row ends in
    /// - result: `[B * beam, V_target]`
    pub fn step(&self, tokens: &[u32], cache: &mut DecoderCache) -> Tensor<2> {
        let device = self.source_embedding.weight.val().device();
        let ids = ids_tensor(tokens, [tokens.len(), 1], &device);
        let pass = &mut Pass::inference();
        let x = self
            .embedding_rule
            .embed(self.target_table(), ids, cache.length(), pass);
        self.readout(self.decoder.step(x, cache)).matmul(self.output_weight())
    }

    /// Decoder layers and heads.
    pub fn attention_maps(&self) -> [usize; 2] {
        let layers = &self.decoder.layers;
        [layers.len(), layers[0].cross_attention.heads.count]
    }

    fn target_table(&self) -> &Embedding {
        self.target_embedding.as_ref().unwrap_or(&self.source_embedding)
    }
}

/// A stack of encoder layers, and with pre-norm a norm behind it.
#[derive(Module, Debug)]
pub struct Encoder {
    /// From the input up.
    pub layers: Vec<EncoderLayer>,
    /// Pre-norm's final norm.
    pub norm: Option<LayerNorm>,
}

impl Encoder {
    fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            layers: config
                .layer_dropouts(Side::Encoder)
                .into_iter()
                .map(|dropout| EncoderLayer::new(config, dropout, device))
                .collect(),
            norm: final_norm(config, device),
        }
    }

    /// `x`: `[B, S, D]`.
    fn forward(&self, mut x: Tensor<3>, mask: &Mask, pass: &mut Pass) -> Tensor<3> {
        for layer in &self.layers {
            x = layer.forward(x, mask, pass);
        }
        apply(&self.norm, x)
    }
}

/// Self-attention and feed-forward.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    pub self_attention: MultiHeadAttention,
    pub self_attention_norm: LayerNorm,
    pub feed_forward: FeedForward,
    pub feed_forward_norm: LayerNorm,
    residual: Residual,
}

impl EncoderLayer {
    fn new(config: &ModelConfig, dropout: LayerDropout, device: &Device) -> Self {
        Self {
            self_attention: MultiHeadAttention::new(config, dropout.attention, device),
            self_attention_norm: layer_norm(config, device),
            feed_forward: FeedForward::new(config, dropout.feed_forward, device),
            feed_forward_norm: layer_norm(config, device),
            residual: Residual::new(config, dropout.residual),
        }
    }

    fn forward(&self, x: Tensor<3>, mask: &Mask, pass: &mut Pass) -> Tensor<3> {
        self.forward_with(x, pass, |y, pass| self.self_attention.to_itself(y, mask, pass))
    }

    /// The layer with its self-attention given by the caller.
    fn forward_with(
        &self,
        x: Tensor<3>,
        pass: &mut Pass,
        self_attention: impl FnOnce(Tensor<3>, &mut Pass) -> Tensor<3>,
    ) -> Tensor<3> {
        let x = self.residual.around(&self.self_attention_norm, x, pass, self_attention);
        self.residual.around(&self.feed_forward_norm, x, pass, |y, pass| {
            self.feed_forward.forward(y, pass)
        })
    }
}

/// A stack of decoder layers, and with pre-norm a norm behind it.
#[derive(Module, Debug)]
pub struct Decoder {
    /// From the input up.
    pub layers: Vec<DecoderLayer>,
    /// Pre-norm's final norm.
    pub norm: Option<LayerNorm>,
}

impl Decoder {
    fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            layers: config
                .layer_dropouts(Side::Decoder)
                .into_iter()
                .map(|dropout| DecoderLayer::new(config, dropout, device))
                .collect(),
            norm: final_norm(config, device),
        }
    }

    /// `x`: `[B, T, D]`, `memory`: `[B, S, D]`.
    fn forward(&self, mut x: Tensor<3>, memory: Tensor<3>, memory_mask: &Mask, pass: &mut Pass) -> Tensor<3> {
        for layer in &self.layers {
            x = layer.forward(x, memory.clone(), memory_mask, pass);
        }
        apply(&self.norm, x)
    }

    /// `x`: `[N, 1, D]`, the position that `cache` holds next.
    fn step(&self, mut x: Tensor<3>, cache: &mut DecoderCache) -> Tensor<3> {
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.step(x, cache, index);
        }
        cache.advance();
        apply(&self.norm, x)
    }
}

/// Masked self-attention, attention over the encoder's output, feed-forward.
#[derive(Module, Debug)]
pub struct DecoderLayer {
    pub self_attention: MultiHeadAttention,
    pub self_attention_norm: LayerNorm,
    pub cross_attention: MultiHeadAttention,
    pub cross_attention_norm: LayerNorm,
    pub feed_forward: FeedForward,
    pub feed_forward_norm: LayerNorm,
    residual: Residual,
}

impl DecoderLayer {
    fn new(config: &ModelConfig, dropout: LayerDropout, device: &Device) -> Self {
        Self {
            self_attention: MultiHeadAttention::new(config, dropout.attention, device),
            self_attention_norm: layer_norm(config, device),
            cross_attention: MultiHeadAttention::new(config, dropout.attention, device),
            cross_attention_norm: layer_norm(config, device),
            feed_forward: FeedForward::new(config, dropout.feed_forward, device),
            feed_forward_norm: layer_norm(config, device),
            residual: Residual::new(config, dropout.residual),
        }
    }

    fn forward(&self, x: Tensor<3>, memory: Tensor<3>, memory_mask: &Mask, pass: &mut Pass) -> Tensor<3> {
        self.forward_with(
            x,
            pass,
            |y, pass| self.self_attention.to_itself(y, &Mask::LookAhead, pass),
            |y, pass| self.cross_attention.to_memory(y, memory, memory_mask, pass),
        )
    }

    /// The layer with both its attentions given by the caller.
    fn forward_with(
        &self,
        x: Tensor<3>,
        pass: &mut Pass,
        self_attention: impl FnOnce(Tensor<3>, &mut Pass) -> Tensor<3>,
        cross_attention: impl FnOnce(Tensor<3>, &mut Pass) -> Tensor<3>,
    ) -> Tensor<3> {
        let x = self.residual.around(&self.self_attention_norm, x, pass, self_attention);
        let x = self
            .residual
            .around(&self.cross_attention_norm, x, pass, cross_attention);
        self.residual.around(&self.feed_forward_norm, x, pass, |y, pass| {
            self.feed_forward.forward(y, pass)
        })
    }

    fn start(&self, memory: Tensor<3>, beam: usize, max_length: usize) -> LayerCache {
        LayerCache::new(&self.self_attention, &self.cross_attention, memory, beam, max_length)
    }

    fn step(&self, x: Tensor<3>, cache: &mut DecoderCache, layer: usize) -> Tensor<3> {
        let pass = &mut Pass::inference();
        let x = self.residual.around(&self.self_attention_norm, x, pass, |y, _| {
            cache.self_attention(layer, &self.self_attention, y)
        });
        let x = self.residual.around(&self.cross_attention_norm, x, pass, |y, _| {
            cache.cross_attention(layer, &self.cross_attention, y)
        });
        self.residual.around(&self.feed_forward_norm, x, pass, |y, pass| {
            self.feed_forward.forward(y, pass)
        })
    }
}

fn final_norm(config: &ModelConfig, device: &Device) -> Option<LayerNorm> {
    (config.norm == NormPosition::Pre).then(|| layer_norm(config, device))
}

fn apply(layer: &Option<LayerNorm>, x: Tensor<3>) -> Tensor<3> {
    match layer {
        Some(layer) => norm(layer, x),
        None => x,
    }
}
