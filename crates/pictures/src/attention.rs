//! Attention maps to be looked through: one table at a time, chosen by sentence, kind, layer and head.
//!
//! A table and no picture, so that every weight can be reached: by pointing, by the arrow keys, by a screen reader. The
//! colour of a cell comes from its weight. Numbers travel as whole ten-thousandths, which keeps a page small; the script
//! divides them again. Tokens are arbitrary text and may look like markup: they are escaped in the JSON, see
//! `script_json`, and the script writes them as text only.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::page::{Block, Page, Section};
use crate::theme::escape;

pub(crate) const STYLE: &str = include_str!("attention/viewer.css");
pub(crate) const SCRIPT: &str = include_str!("attention/viewer.js");

/// Parts that a weight of 1 is counted in: four digits behind the point.
const PARTS: f32 = 10_000.0;

/// A sentence with its maps.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// In the list of sentences.
    pub title: String,
    /// Shown above the maps, each with its name: such as source, reference and translation.
    pub texts: Vec<(String, String)>,
    /// The kinds of attention there are; a sentence without any has its texts alone.
    pub kinds: Vec<MapKind>,
}

/// All maps of a kind: rows are queries, columns are keys.
#[derive(Debug, Clone, PartialEq)]
pub struct MapKind {
    /// Such as `cross-attention`.
    pub name: String,
    /// What rows and columns mean, in a sentence.
    pub note: String,
    /// Who looks.
    pub queries: Vec<String>,
    /// What is looked at.
    pub keys: Vec<String>,
    /// `[layer][head][query][key]`, between 0 and 1.
    pub layers: Vec<Vec<Vec<Vec<f32>>>>,
}

/// A page with nothing but attention maps.
pub fn attention_page(title: &str, introduction: &str, sentences: Vec<Sentence>) -> Page {
    Page {
        title: title.into(),
        introduction: introduction.into(),
        sections: vec![Section::new("", vec![Block::Attention(sentences)])],
    }
}

impl MapKind {
    /// Weights in all of its maps.
    pub fn weights(&self) -> usize {
        let heads: usize = self.layers.iter().map(Vec::len).sum();
        heads * self.queries.len() * self.keys.len()
    }
}

/// The controls, an empty table, and the data that the script fills it with.
pub(crate) fn viewer(sentences: &[Sentence]) -> String {
    let choices: String = ["sentence", "kind", "layer", "head"]
        .map(|name| format!("<label>{name} <select name=\"{name}\" autocomplete=\"off\"></select></label>\n"))
        .concat();
    let switches: String = [("numbers", "show numbers"), ("absolute", "colours from 0 to 1")]
        .map(|(name, label)| {
            format!("<label><input type=\"checkbox\" name=\"{name}\" autocomplete=\"off\">{label}</label>\n")
        })
        .concat();
    let first = sentences.first().map_or("", |sentence| &sentence.title);
    format!(
        "<div class=\"attention\">\n<noscript><p class=\"note\">The maps, the first of them that of \
         \u{201c}{first}\u{201d}, are drawn by a script in this file: allow JavaScript to see them.</p></noscript>\n\
         <form class=\"controls\" hidden>\n{choices}{switches}</form>\n\
         <dl class=\"texts\"></dl>\n<p class=\"status\" role=\"status\"></p>\n\
         <div class=\"legend\" hidden><span>0</span><span class=\"ramp\"></span><span class=\"most\"></span></div>\n\
         <p class=\"readout\"></p>\n<div class=\"scroll map\"></div>\n\
         <script type=\"application/json\">{data}</script>\n</div>\n",
        first = escape(first),
        data = script_json(&Value::Array(sentences.iter().map(sentence_json).collect())),
    )
}

fn sentence_json(sentence: &Sentence) -> Value {
    let kinds = sentence.kinds.iter().map(|kind| {
        let layers = kind.layers.iter();
        let layers = layers.map(|heads| heads.iter().map(|map| whole_parts(map)).collect::<Vec<_>>());
        json!({
            "name": kind.name,
            "note": kind.note,
            "queries": kind.queries,
            "keys": kind.keys,
            "layers": layers.collect::<Vec<_>>(),
        })
    });
    json!({
        "title": sentence.title,
        "texts": sentence.texts,
        "kinds": kinds.collect::<Vec<_>>(),
    })
}

/// The weights of a map, row after row, in ten-thousandths; what is no number is `null`.
fn whole_parts(map: &[Vec<f32>]) -> Vec<Option<u32>> {
    let parts = |weight: &f32| weight.is_finite().then(|| (weight * PARTS).round() as u32);
    map.iter().flatten().map(parts).collect()
}

/// JSON that may stand in a script element: without `<` no text in it can end the element or open a comment (HTML,
/// section 4.12.1.3, "Restrictions for contents of script elements").
fn script_json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}
