//! Keys and values of a search in progress, so that a step costs one position and not the whole sentence again.
//!
//! N rows (B sentences times K beams), H heads, d_k = D / H, M longest output, S source length.

use burn::prelude::*;
use ember_kernels::Precision;
use ember_kernels::attention::{attention_weights, merge_heads, split_heads};
use ember_kernels::linear::linear;

use crate::attention::MultiHeadAttention;

/// The caches of all decoder layers.
pub struct DecoderCache {
    layers: Vec<LayerCache>,
    /// `[B, 1, 1, S]`.
    memory_mask: Tensor<4>,
    beam: usize,
    length: usize,
}

/// One decoder layer's keys and values.
pub struct LayerCache {
    /// Keys and values of the output so far, `[N, H, M, d_k]` each; allocated once.
    target: [Tensor<4>; 2],
    /// Keys and values of the encoder's output, `[B, H, S, d_k]` each; beams share them.
    memory: [Tensor<4>; 2],
}

impl LayerCache {
    /// Room for `max_length` positions, and the encoder's output `[B, S, D]` mapped.
    pub(crate) fn new(
        self_attention: &MultiHeadAttention,
        cross_attention: &MultiHeadAttention,
        memory: Tensor<3>,
        beam: usize,
        max_length: usize,
    ) -> Self {
        let [batch, _, d_model] = memory.dims();
        let heads = self_attention.heads.count;
        let shape = [batch * beam, heads, max_length, d_model / heads];
        let room = || Tensor::zeros(shape, &memory.device());
        let maps = [&cross_attention.key, &cross_attention.value];
        let memory = maps.map(|map| split_heads(linear(&[map], memory.clone(), Precision::Fp32), heads));
        Self {
            target: [room(), room()],
            memory,
        }
    }

    /// Writes the newest position and returns all up to it.
    fn append(&mut self, position: usize, new: [Tensor<4>; 2]) -> [Tensor<4>; 2] {
        let mut new = new.into_iter();
        self.target.each_mut().map(|cache| {
            if let Some(new) = new.next() {
                cache.inplace(|cache| cache.slice_assign(s![.., .., position..position + 1], new));
            }
            cache.clone().slice_dim(2, 0..position + 1)
        })
    }
}

impl DecoderCache {
    pub(crate) fn new(layers: Vec<LayerCache>, memory_mask: Tensor<4>, beam: usize) -> Self {
        Self {
            layers,
            memory_mask,
            beam,
            length: 0,
        }
    }

    /// Positions held, the position of the next token.
    pub fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn advance(&mut self) {
        self.length += 1;
    }

    /// Self-attention of one new position: `x` and result `[N, 1, D]`.
    pub(crate) fn self_attention(&mut self, layer: usize, block: &MultiHeadAttention, x: Tensor<3>) -> Tensor<3> {
        let map = |map| split_heads(linear(&[map], x.clone(), Precision::Fp32), block.heads.count);
        let query = map(&block.query);
        let new = [&block.key, &block.value].map(map);
        let [keys, values] = self.layers[layer].append(self.length, new);
        let context = attention_weights(query, keys, None).matmul(values);
        linear(&[&block.output], merge_heads(context), Precision::Fp32)
    }

    /// Attention over the encoder's output: `x` and result `[N, 1, D]`. A sentence's beams are its queries' positions.
    pub(crate) fn cross_attention(&mut self, layer: usize, block: &MultiHeadAttention, x: Tensor<3>) -> Tensor<3> {
        let [rows, _, d_model] = x.dims();
        let batch = rows / self.beam;
        let query = linear(&[&block.query], x, Precision::Fp32).reshape([batch, self.beam, d_model]);
        let query = split_heads(query, block.heads.count); // [B, H, K, d_k]
        let [keys, values] = self.layers[layer].memory.clone();
        let context = attention_weights(query, keys, Some(self.memory_mask.clone())).matmul(values);
        linear(&[&block.output], merge_heads(context), Precision::Fp32).reshape([rows, 1, d_model])
    }

    /// Makes row i continue what row `order[i]` holds. Only the positions in use move.
    pub(crate) fn reorder(&mut self, order: &[usize]) {
        let used = 0..self.length;
        for cache in self.layers.iter_mut().flat_map(|layer| layer.target.iter_mut()) {
            let order = index_tensor(order, &cache.device());
            cache.inplace(|cache| {
                let moved = cache.clone().slice_dim(2, used.clone()).select(0, order);
                cache.slice_assign(s![.., .., used.clone()], moved)
            });
        }
    }

    /// Keeps the given sentences with all their beams, in this order, and forgets the others.
    pub(crate) fn keep(&mut self, sentences: &[usize]) {
        let device = self.memory_mask.device();
        let rows = index_tensor(&rows_of(sentences, self.beam), &device);
        let sentences = index_tensor(sentences, &device);
        for layer in &mut self.layers {
            for cache in &mut layer.target {
                cache.inplace(|cache| cache.select(0, rows.clone()));
            }
            for memory in &mut layer.memory {
                memory.inplace(|memory| memory.select(0, sentences.clone()));
            }
        }
        self.memory_mask.inplace(|mask| mask.select(0, sentences));
    }
}

/// The rows of sentences, all their beams.
pub(crate) fn rows_of(sentences: &[usize], beams: usize) -> Vec<usize> {
    sentences
        .iter()
        .flat_map(|sentence| (0..beams).map(move |beam| sentence * beams + beam))
        .collect()
}

pub(crate) fn index_tensor(indices: &[usize], device: &Device) -> Tensor<1, Int> {
    let ids: Vec<i32> = indices.iter().map(|index| *index as i32).collect();
    Tensor::from_data(TensorData::new(ids, [indices.len()]), device)
}
