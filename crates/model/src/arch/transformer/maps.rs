//! What a Transformer's heads look at: the forward pass once more, without dropout, every map kept.
//!
//! B batch, H heads, S source length, T target length.

use burn::prelude::*;

use super::Transformer;
use crate::arch::Source;
use crate::attention::{AttentionMaps, Mask};
use crate::pass::Pass;

impl Transformer {
    /// Every layer's attention for given sentence pairs.
    ///
    /// # Shapes
    /// - `target_input`: `[B, T]`, each row `<s>` and the target
    pub fn attention(&self, source: &Source, target_input: Tensor<2, Int>) -> AttentionMaps {
        let pass = &mut Pass::inference();
        let embed = |table, ids, pass: &mut Pass| self.embedding_rule.embed(table, ids, 0, pass);
        let mut maps = AttentionMaps::default();

        let mut x = embed(&self.source_embedding, source.ids.clone(), pass);
        for layer in &self.encoder.layers {
            let block = &layer.self_attention;
            x = layer.forward_with(x, pass, |y, pass| {
                maps.encoder.push(block.weights(y.clone(), y.clone(), &source.mask)); // [B, H, S, S]
                block.to_itself(y, &source.mask, pass)
            });
        }
        let memory = super::apply(&self.encoder.norm, x);

        let mut x = embed(self.target_table(), target_input, pass);
        for layer in &self.decoder.layers {
            let (own, cross) = (&layer.self_attention, &layer.cross_attention);
            let attend_to_itself = |y: Tensor<3>, pass: &mut Pass| {
                maps.decoder.push(own.weights(y.clone(), y.clone(), &Mask::LookAhead)); // [B, H, T, T]
                own.to_itself(y, &Mask::LookAhead, pass)
            };
            let attend_to_memory = |y: Tensor<3>, pass: &mut Pass| {
                maps.cross.push(cross.weights(y.clone(), memory.clone(), &source.mask)); // [B, H, T, S]
                cross.to_memory(y, memory.clone(), &source.mask, pass)
            };
            x = layer.forward_with(x, pass, attend_to_itself, attend_to_memory);
        }
        maps
    }
}
