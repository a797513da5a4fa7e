//! What was found, as tables of at most 80 columns.

use std::fmt::Write;

use ember_data::TokenizerKind;
use ember_model::config::{Architecture, Tie};
use ember_trainer::inspect::dropout::LayerRow;
use ember_trainer::inspect::memory::{BatchSource, Forecast};
use ember_trainer::inspect::parameters::{Module, Parameters};
use ember_trainer::inspect::schedule::LearningRates;
use ember_trainer::inspect::vocabulary::{SideFacts, Vocabulary};
use ember_trainer::inspect::{Inspection, Positions};
use ember_trainer::journal::grouped;

/// Everything, in the order of a model's life.
pub fn text(found: &Inspection) -> String {
    let arch = match found.arch {
        Architecture::Transformer => "transformer",
        Architecture::Rnn => "rnn",
        Architecture::RnnAttention => "rnn-attention",
    };
    let total = grouped(found.parameters.total as u64);
    let mut text = format!("{}: {arch}, {total} parameters\n\n", found.name);
    parameters(&mut text, &found.parameters);
    text.push('\n');
    if let Some(layers) = &found.dropout {
        dropout(&mut text, layers);
        text.push('\n');
    }
    vocabulary(&mut text, &found.vocabulary);
    text.push('\n');
    memory(&mut text, &found.memory);
    text.push('\n');
    schedule(&mut text, &found.schedule);
    text + &positions(found.positions)
}

fn parameters(text: &mut String, found: &Parameters) {
    let row = |text: &mut String, name: &str, shapes: &str, count: usize, share: f64| {
        let (count, share) = (grouped(count as u64), 100.0 * share);
        let _ = writeln!(text, "{name:<26} {shapes:<33} {count:>11} {share:>5.1} %");
    };
    let _ = writeln!(
        text,
        "{:<26} {:<33} {:>11} {:>7}",
        "module", "shapes", "parameters", "share"
    );
    let mut above: Vec<&str> = Vec::new();
    for module in &found.modules {
        let names: Vec<&str> = module.name.split('.').collect();
        let (own, parents) = names.split_last().expect("a name");
        let known = above
            .iter()
            .zip(parents)
            .take_while(|(one, other)| one == other)
            .count();
        for (depth, parent) in parents.iter().enumerate().skip(known) {
            let _ = writeln!(text, "{:indent$}{parent}", "", indent = 2 * depth);
        }
        let name = format!("{:indent$}{own}", "", indent = 2 * parents.len());
        row(text, &name, &shapes(module), module.parameters, module.share);
        above = parents.to_vec();
    }
    text.push('\n');
    let parts = found.parts;
    let share = |count: usize| count as f64 / found.total as f64;
    row(
        text,
        "embedding",
        tied(found.tie),
        parts.embedding,
        share(parts.embedding),
    );
    row(text, "encoder", "", parts.encoder, share(parts.encoder));
    row(text, "decoder", "", parts.decoder, share(parts.decoder));
    let output = if found.tie == Tie::None { "" } else { "is an embedding" };
    row(text, "output", output, parts.output, share(parts.output));
    row(text, "all", "", found.total, 1.0);
    row(text, "of these attention", "", parts.attention, share(parts.attention));
}

/// Rates of layers that are not all the same; the places that a recurrent model has not are left out.
fn dropout(text: &mut String, layers: &[LayerRow]) {
    let _ = writeln!(
        text,
        "{:<26} {:>12} {:>12} {:>12}",
        "dropout", "attention", "feed-forward", "residual"
    );
    let rate = |rate: Option<f64>| rate.map_or_else(String::new, |rate| rate.to_string());
    for row in layers {
        let (attention, feed_forward) = (rate(row.attention), rate(row.feed_forward));
        let _ = writeln!(
            text,
            "{:<26} {attention:>12} {feed_forward:>12} {:>12}",
            row.layer, row.residual
        );
    }
}

fn tied(tie: Tie) -> &'static str {
    match tie {
        Tie::None => "not tied",
        Tie::Target => "target table is the output too",
        Tie::All => "one table, the output as well",
    }
}

/// Matrices by their sizes; vectors beside them are biases.
fn shapes(module: &Module) -> String {
    let mut parts = Vec::new();
    for repeated in module.shapes.iter().filter(|repeated| repeated.shape.len() > 1) {
        let sizes: Vec<String> = repeated.shape.iter().map(usize::to_string).collect();
        parts.push(times(repeated.count, &sizes.join("x")));
    }
    let vectors = || module.shapes.iter().filter(|repeated| repeated.shape.len() == 1);
    if parts.is_empty() {
        parts.extend(vectors().map(|repeated| times(repeated.count, &repeated.shape[0].to_string())));
    } else if vectors().next().is_some() {
        parts.push("biases".into());
    }
    parts.join(", ")
}

fn times(count: usize, what: &str) -> String {
    if count == 1 {
        what.to_owned()
    } else {
        format!("{count} of {what}")
    }
}

fn vocabulary(text: &mut String, found: &Vocabulary) {
    let kind = match found.kind {
        TokenizerKind::Bpe => "bpe",
        TokenizerKind::Words => "words",
        TokenizerKind::Chars => "chars",
        TokenizerKind::Sentencepiece => "sentencepiece",
    };
    let shared = if found.shared {
        "one for both sides"
    } else {
        "one a side"
    };
    let _ = writeln!(text, "vocabulary: {kind}, {shared}");
    if !found.is_learnt {
        let _ = writeln!(
            text,
            "  the training text is not there: sizes are those the config asks for"
        );
    }
    if found.lacks_characters {
        let _ = writeln!(
            text,
            "  the text's characters, which come on top of the merges, are not counted"
        );
    }
    let row = |text: &mut String, name: &str, fact: &dyn Fn(&SideFacts) -> Option<String>| {
        if let (Some(source), Some(target)) = (fact(&found.source), fact(&found.target)) {
            let _ = writeln!(text, "  {name:<32} {source:>12} {target:>12}");
        }
    };
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    row(text, "", &|side| {
        Some(
            if std::ptr::eq(side, &found.source) {
                "source"
            } else {
                "target"
            }
            .into(),
        )
    });
    row(text, "entries", &|side| Some(grouped(side.size as u64)));
    row(text, "entries that the text uses", &|side| {
        Some(percent(side.coverage?.used_share))
    });
    row(text, "characters that are known", &|side| {
        Some(percent(side.coverage?.known_characters_share))
    });
    row(text, "unknown tokens", &|side| {
        Some(percent(side.coverage?.unknown_share))
    });
    row(text, "tokens a word", &|side| {
        Some(format!("{:.2}", side.coverage?.tokens_a_word))
    });
    for (name, side) in [("source", &found.source), ("target", &found.target)] {
        if !side.longest.is_empty() {
            let _ = writeln!(text, "  longest, {name}: {}", cut(&side.longest.join(" "), 62));
        }
    }
    if !found.tags.is_empty() {
        let _ = writeln!(text, "  tags: {}", cut(&found.tags.join(" "), 70));
    }
}

/// At most so many characters of a text.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).collect::<String>() + "…"
}

fn memory(text: &mut String, found: &Forecast) {
    let batch = found.batch;
    let from = match found.batch_source {
        BatchSource::Corpus => "the corpus's largest batch",
        BatchSource::Length => "the length asked for",
        BatchSource::Longest => "the longest allowed, as no corpus is there",
    };
    let _ = writeln!(
        text,
        "memory on a CPU, a forecast for {} pairs of {} source and {} target tokens\n({from})",
        grouped(batch.rows as u64),
        batch.source_length,
        batch.target_length
    );
    if found.passes > 1 {
        let _ = writeln!(text, "each pair {} times, for training.r_drop", found.passes);
    }
    let row = |text: &mut String, name: &str, mib: f64| {
        let _ = writeln!(text, "  {name:<45} {mib:>8.1} MiB");
    };
    for part in &found.parts {
        row(text, part.name, part.mib);
    }
    row(text, "an update", found.update_mib);
    row(text, "writing a checkpoint", found.checkpoint_mib);
    row(text, "translating the validation text", found.search_mib);
    row(text, "at most", found.peak_mib);
}

fn schedule(text: &mut String, found: &LearningRates) {
    let updates = match found.updates {
        Some(updates) => format!("{} updates", grouped(updates)),
        None => "an unknown number of updates, as no corpus is there".into(),
    };
    let _ = writeln!(text, "stops after {}: {updates}", found.stop_after);
    let _ = writeln!(
        text,
        "learning rate: {:.2e} at update {}, {:.2e} at update {}",
        found.highest.learning_rate,
        grouped(found.highest.update),
        found.last.learning_rate,
        grouped(found.last.update)
    );
    if found.depends_on_validation {
        let _ = writeln!(text, "  validations without improvement lower it as well");
    }
}

fn positions(found: Option<Positions>) -> String {
    match found {
        Some(positions) => format!(
            "positions: sines and cosines of {} dimensions, up to position {}\n",
            positions.width,
            positions.longest - 1
        ),
        None => "positions: none, a recurrent model reads in order\n".into(),
    }
}
