//! A model's parameters, module by module. Only shapes are looked at: no memory is taken for the weights.

use ember_model::arch::{Model, Vocabularies};
use ember_model::config::{ModelConfig, ModelConfigError, Tie};
use ember_model::weights::shapes;
use serde::Serialize;

/// All parameters of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameters {
    /// Numbers in all of them.
    pub total: usize,
    /// Which of source embedding, target embedding and output projection are one matrix, which then counts once.
    pub tie: Tie,
    /// From the input to the output.
    pub modules: Vec<Module>,
    /// Sums over modules.
    pub parts: Parts,
}

/// Parameters that belong together: a sub-layer, a norm, an embedding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Module {
    /// Where it stands in the model, such as `encoder.layers.0.self_attention`.
    pub name: String,
    /// Its matrices and vectors.
    pub shapes: Vec<Repeated>,
    /// Numbers in all of them.
    pub parameters: usize,
    /// Of the whole model, from 0 to 1.
    pub share: f64,
}

/// A shape that a module has one or several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeated {
    /// How often.
    pub count: usize,
    /// Outermost first.
    pub shape: Vec<usize>,
}

/// Numbers by what they do. Embedding, encoder, decoder and output add up to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Parts {
    /// Source and target tables.
    pub embedding: usize,
    /// The encoder with its attention.
    pub encoder: usize,
    /// The decoder with its attention, and a recurrent model's bridge between the two.
    pub decoder: usize,
    /// The output projection, 0 where an embedding serves as one.
    pub output: usize,
    /// Of encoder and decoder: maps of queries, keys, values, scores and outputs.
    pub attention: usize,
}

/// Maps that stand together in a module.
const MAPS: [&str; 10] = [
    "query",
    "key",
    "value",
    "output",
    "energy",
    "inner",
    "gate",
    "outer",
    "input",
    "recurrent",
];

impl Parameters {
    /// Those of the model that a config asks for.
    ///
    /// # Errors
    /// When the config cannot work with these vocabularies.
    pub fn count(config: &ModelConfig, vocabularies: Vocabularies) -> Result<Self, ModelConfigError> {
        let model = Model::new(config, vocabularies, &burn::prelude::Device::flex())?;
        let mut modules: Vec<Module> = Vec::new();
        for (name, shape) in shapes(&model) {
            let name = module_of(&name);
            let place = modules.iter().position(|module| module.name == name);
            let place = place.unwrap_or_else(|| {
                modules.push(Module {
                    name: name.to_owned(),
                    shapes: Vec::new(),
                    parameters: 0,
                    share: 0.0,
                });
                modules.len() - 1
            });
            modules[place].add(shape);
        }
        let total = modules.iter().map(|module| module.parameters).sum();
        for module in &mut modules {
            module.share = module.parameters as f64 / total as f64;
        }
        modules.sort_by_key(|module| place(&module.name));
        Ok(Self {
            total,
            tie: config.resolved_tie(vocabularies.shared)?,
            parts: Parts::sum(&modules),
            modules,
        })
    }
}

impl Module {
    fn add(&mut self, shape: Vec<usize>) {
        self.parameters += shape.iter().product::<usize>();
        match self.shapes.iter_mut().find(|repeated| repeated.shape == shape) {
            Some(repeated) => repeated.count += 1,
            None => self.shapes.push(Repeated { count: 1, shape }),
        }
        // Matrices first.
        self.shapes
            .sort_by_key(|repeated| std::cmp::Reverse(repeated.shape.len()));
    }
}

impl Parts {
    fn sum(modules: &[Module]) -> Self {
        let mut parts = Self::default();
        for module in modules {
            let part = match module.name.split('.').next().unwrap_or_default() {
                "source_embedding" | "target_embedding" => &mut parts.embedding,
                "encoder" => &mut parts.encoder,
                "output" => &mut parts.output,
                _ => &mut parts.decoder,
            };
            *part += module.parameters;
            if module.name.ends_with("attention") {
                parts.attention += module.parameters;
            }
        }
        parts
    }
}

/// The module that a parameter is listed under.
fn module_of(name: &str) -> &str {
    let (module, _) = name.rsplit_once('.').unwrap_or((name, ""));
    match module.rsplit_once('.') {
        Some((parent, map)) if MAPS.contains(&map) => parent,
        _ => module,
    }
}

/// Where a module stands in the table: as data flows. Within an encoder or decoder that is the order of its fields.
fn place(name: &str) -> usize {
    const ORDER: [&str; 7] = [
        "source_embedding",
        "target_embedding",
        "encoder",
        "bridges",
        "decoder",
        "attention",
        "output",
    ];
    let first = name.split('.').next().unwrap_or_default();
    ORDER.iter().position(|part| *part == first).unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests;
