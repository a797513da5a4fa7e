//! The sections of a report about translations.

use ember_pictures::{Block, MapKind, Sentence, Table};
use ember_trainer::evaluate::{LengthScore, Scores, with_ranges};
use ember_trainer::report::{Found, Sample, Samples, SplitScores};

use super::attention::{kinds, title};

/// Attention weights in a report at most, about 3 bytes each: more would make it slow to open.
const MOST_WEIGHTS: usize = 150_000;

/// Scores of every test corpus, and BLEU and exact matches by source length.
pub fn tests(splits: &[SplitScores]) -> Vec<Block> {
    if splits.is_empty() {
        return vec![Block::Note("The config names no test corpus.".into())];
    }
    let scored = || {
        splits
            .iter()
            .filter_map(|split| Some((split, split.scores.as_ref().ok()?)))
    };
    let mut blocks = Vec::new();
    if scored().next().is_some() {
        blocks.push(Block::Table(all_scores(scored())));
    }
    for split in splits {
        if let Err(reason) = &split.scores {
            blocks.push(Block::Note(format!("{}: {reason}", name(split))));
        }
    }
    for (split, scores) in scored() {
        blocks.extend(
            scores
                .warnings
                .iter()
                .map(|warning| Block::Note(format!("{}: {warning}", name(split)))),
        );
        if !scores.by_length.is_empty() {
            blocks.push(Block::Table(by_length(split, &scores.by_length)));
        }
    }
    let signatures: Vec<String> = scored()
        .take(1)
        .flat_map(|(_, scores)| &scores.metrics)
        .map(|metric| format!("{} {}", metric.name, metric.signature))
        .collect();
    if !signatures.is_empty() {
        blocks.push(Block::Folded {
            summary: "Signatures".into(),
            text: signatures.join("\n"),
        });
    }
    blocks
}

fn name(split: &SplitScores) -> String {
    match &split.checkpoint {
        Some(checkpoint) => format!("{} by checkpoint {checkpoint}", split.split),
        None => split.split.clone(),
    }
}

fn all_scores<'a>(scored: impl Iterator<Item = (&'a SplitScores, &'a Scores)>) -> Table {
    let mut headings = vec!["corpus".to_owned(), "checkpoint".into(), "lines".into()];
    let mut rows = Vec::new();
    for (split, scores) in scored {
        if rows.is_empty() {
            headings.extend(scores.metrics.iter().map(|metric| metric.name.clone()));
        }
        let checkpoint = split.checkpoint.clone().unwrap_or_default();
        let best = if split.best { " (best)" } else { "" };
        let mut row = vec![split.split.clone(), checkpoint + best, scores.lines.to_string()];
        row.extend(scores.metrics.iter().map(|metric| format!("{:.2}", metric.score)));
        rows.push(row);
    }
    Table {
        caption: "Scores; for TER lower is better".into(),
        headings,
        rows,
    }
}

fn by_length(split: &SplitScores, lengths: &[LengthScore]) -> Table {
    let row = |(words, row): ((usize, Option<usize>), &LengthScore)| {
        let words = match words {
            (shortest, Some(longest)) => format!("{shortest} to {longest}"),
            (shortest, None) => format!("{shortest} and more"),
        };
        let exact = format!("{:.2}", row.exact_match);
        vec![words, row.lines.to_string(), format!("{:.2}", row.bleu), exact]
    };
    Table {
        caption: format!("By source length, {}", name(split)),
        headings: ["words", "lines", "BLEU", "exact matches, %"].map(String::from).into(),
        rows: with_ranges(lengths).map(row).collect(),
    }
}

/// A few sentences with reference, translation and attention.
pub fn samples(samples: Found<Samples>) -> Vec<Block> {
    let samples = match samples {
        Ok(samples) => samples,
        Err(reason) => return vec![Block::Note(format!("No sentence could be translated: {reason}"))],
    };
    let Samples {
        checkpoint,
        split,
        lines,
    } = samples;
    let row = |sample: &Sample| {
        let texts = [&sample.source, &sample.reference, &sample.translation];
        let number = (sample.line + 1).to_string();
        std::iter::once(number).chain(texts.map(String::clone)).collect()
    };
    let table = Table {
        caption: format!("Sentences of {split}, from short to long, as checkpoint {checkpoint} translates them"),
        headings: ["line", "source", "reference", "translation"].map(String::from).into(),
        rows: lines.iter().map(row).collect(),
    };
    let mut left = MOST_WEIGHTS;
    let sentences = lines.into_iter().map(|sample| sentence(sample, &mut left)).collect();
    vec![Block::Table(table), Block::Attention(sentences)]
}

/// A sample with as many of its maps as there is room for, taken from `left`: kind by kind, attention over the source
/// first.
fn sentence(sample: Sample, left: &mut usize) -> Sentence {
    let fits = |kind: &MapKind| {
        let fits = kind.weights() <= *left;
        *left -= if fits { kind.weights() } else { 0 };
        fits
    };
    let texts = [
        ("source", &sample.source),
        ("reference", &sample.reference),
        ("translation", &sample.translation),
    ];
    Sentence {
        title: title(sample.line, &sample.source),
        texts: texts.map(|(name, text)| (name.to_owned(), text.clone())).into(),
        kinds: sample
            .attention
            .map(kinds)
            .unwrap_or_default()
            .into_iter()
            .filter(fits)
            .collect(),
    }
}
