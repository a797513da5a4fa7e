//! The sections of a report about training.

use ember_data::store::{CorpusReport, DataReport, FileEntry};
use ember_pictures::{Axis, Block, LineChart, Scale, Series, Table};
use ember_trainer::journal::grouped;
use ember_trainer::report::{Found, RunReport, Times, UpdatePoint, Updates, ValidationRow};

/// Validations that are listed at most, the newest.
const MOST_ROWS: usize = 100;

/// Loss, BLEU, learning rate, speed and gradient over updates.
pub fn curves(report: &RunReport) -> Vec<Block> {
    let (updates, validations) = (&report.updates, &report.validations[..]);
    if updates.points.is_empty() {
        return vec![Block::Note("metrics.jsonl tells of no update yet.".into())];
    }
    let mut blocks = vec![Block::Text(each_point(updates))];
    if updates.damaged > 0 {
        let note = format!("{} lines of metrics.jsonl could not be read.", updates.damaged);
        blocks.push(Block::Note(note));
    }
    let loss = vec![
        ("training", of_updates(updates, |point| point.loss)),
        ("validation", of_validations(validations, |row| Some(row.loss))),
    ];
    blocks.push(chart(
        "Loss",
        "nats a target token, smoothed labels",
        Scale::Linear,
        loss,
    ));
    let divergence = of_updates(updates, |point| point.kl);
    if divergence.iter().any(|(_, kl)| kl.is_finite()) {
        blocks.push(chart(
            "Divergence of two passes",
            "nats a target token, R-Drop",
            Scale::Linear,
            vec![("", divergence)],
        ));
    }
    if validations.iter().any(|row| row.bleu.is_some()) {
        let scores = vec![
            ("BLEU", of_validations(validations, |row| row.bleu)),
            ("chrF", of_validations(validations, |row| row.chrf)),
        ];
        blocks.push(chart(
            "Scores of the validation text",
            "0 to 100",
            Scale::Linear,
            scores,
        ));
    }
    let rate = of_updates(updates, |point| point.learning_rate);
    let speed = of_updates(updates, |point| point.target_tokens_per_second);
    let norm = of_updates(updates, |point| point.gradient_norm);
    blocks.extend([
        chart("Learning rate", "learning rate", Scale::Linear, vec![("", rate)]),
        chart("Speed", "target tokens a second", Scale::Linear, vec![("", speed)]),
        chart("Gradient", "norm before clipping", Scale::Logarithmic, vec![("", norm)]),
    ]);
    blocks
}

fn of_updates(updates: &Updates, value: fn(&UpdatePoint) -> f64) -> Vec<(f64, f64)> {
    let points = updates.points.iter();
    points.map(|point| (point.update as f64, value(point))).collect()
}

fn of_validations(rows: &[ValidationRow], value: fn(&ValidationRow) -> Option<f64>) -> Vec<(f64, f64)> {
    rows.iter()
        .map(|row| (row.update as f64, value(row).unwrap_or(f64::NAN)))
        .collect()
}

fn each_point(updates: &Updates) -> String {
    match updates.per_point {
        1 => "Each point of a training curve is one update.".into(),
        count => format!(
            "Each point of a training curve stands for {count} updates: their mean loss and speed, their largest gradient \
             and their last learning rate."
        ),
    }
}

fn chart(title: &str, unit: &str, scale: Scale, series: Vec<(&str, Vec<(f64, f64)>)>) -> Block {
    let axis = |label: &str, scale| Axis {
        label: label.into(),
        scale,
    };
    Block::Chart(LineChart {
        title: title.into(),
        description: format!("{title} over updates; the table below it has the ends and extremes."),
        x: axis("updates", Scale::Linear),
        y: axis(unit, scale),
        series: series
            .into_iter()
            .map(|(name, points)| Series {
                name: name.into(),
                points,
            })
            .collect(),
    })
}

/// The newest validations as a table.
pub fn validations(rows: &[ValidationRow]) -> Vec<Block> {
    if rows.is_empty() {
        return vec![Block::Note("There is no validation yet.".into())];
    }
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    let score = |score: Option<f64>| score.map_or_else(String::new, |score| format!("{score:.2}"));
    let row = |row: &ValidationRow| {
        vec![
            row.update.to_string(),
            row.epoch.to_string(),
            format!("{:.4}", row.loss),
            format!("{:.4}", row.perplexity),
            score(row.bleu),
            score(row.chrf),
            if row.best { "yes".into() } else { String::new() },
            format!("{:.1}", row.seconds),
        ]
    };
    let mut blocks = vec![Block::Table(Table {
        caption: "In the order of training; best means better than all before".into(),
        headings: [
            "update",
            "epoch",
            "loss",
            "perplexity",
            "BLEU",
            "chrF",
            "best",
            "seconds",
        ]
        .map(String::from)
        .into(),
        rows: rows[left_out..].iter().map(row).collect(),
    })];
    if left_out > 0 {
        let note = format!("The {left_out} validations before these stand in validations.tsv.");
        blocks.push(Block::Text(note));
    }
    blocks
}

/// Where the time of the starts went that came to their end.
pub fn times(times: &Times, updates: &Updates) -> Vec<Block> {
    let all = format!("All updates together took {:.1} s.", updates.seconds);
    if times.starts == 0 {
        let note = "train.log has no summary yet: a start writes one when it ends, and none where it is killed.";
        return vec![Block::Text(all), Block::Note(note.into())];
    }
    let known = times.updates + times.data + times.validations + times.checkpoints;
    let parts = [
        ("updates", times.updates),
        ("waiting for batches", times.data),
        ("validation", times.validations),
        ("checkpoints", times.checkpoints),
        ("everything else", (times.total - known).max(0.0)),
    ];
    let row = |(name, seconds): (&str, f64)| {
        let share = 100.0 * seconds / times.total.max(1e-9);
        vec![name.into(), format!("{seconds:.1}"), format!("{share:.1}")]
    };
    let starts = match times.starts {
        1 => "the start that came to its end".to_owned(),
        count => format!("the {count} starts that came to their end"),
    };
    let table = Table {
        caption: format!("Time of {starts}: {:.0} s", times.total),
        headings: ["", "seconds", "%"].map(String::from).into(),
        rows: parts.map(row).into(),
    };
    vec![Block::Text(all), Block::Table(table)]
}

/// The training corpora, file by file.
pub fn data(report: &Found<DataReport>) -> Vec<Block> {
    let report = match report {
        Ok(report) => report,
        Err(reason) => return vec![Block::Note(reason.clone())],
    };
    let facts = [
        ("lines", grouped(report.lines)),
        ("pairs trained on", grouped(report.kept)),
        ("left out", report.left_out.to_string()),
        ("source tokens", grouped(report.source_tokens)),
        ("target tokens", grouped(report.target_tokens)),
        ("fingerprint", report.fingerprint.clone()),
    ];
    vec![
        Block::Facts(facts.map(|(name, value)| (name.to_owned(), value)).into()),
        Block::Table(files(&report.corpora)),
    ]
}

/// With weights and tags where some corpus has one.
fn files(corpora: &[CorpusReport]) -> Table {
    let is_mixed = !corpora.iter().all(CorpusReport::is_plain);
    let row = |corpus: &CorpusReport, entry: &FileEntry| {
        let mut row = vec![
            entry.file.path.display().to_string(),
            entry.file.lines.lines.to_string(),
        ];
        if is_mixed {
            row.extend([corpus.weight.to_string(), corpus.tag.clone().unwrap_or_default()]);
        }
        row.extend([
            entry.file.lines.oddities().unwrap_or_default(),
            entry.fingerprint.clone(),
        ]);
        row
    };
    let rows = corpora
        .iter()
        .flat_map(|corpus| corpus.files.iter().map(move |entry| row(corpus, entry)));
    let headings: &[&str] = match is_mixed {
        true => &["file", "lines", "weight", "tag", "oddities", "BLAKE3"],
        false => &["file", "lines", "oddities", "BLAKE3"],
    };
    Table {
        caption: "Files".into(),
        headings: headings.iter().map(ToString::to_string).collect(),
        rows: rows.collect(),
    }
}
