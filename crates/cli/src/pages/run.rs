//! The report of a run as a page.

use ember_pictures::{Block, Page, Section};
use ember_trainer::journal::grouped;
use ember_trainer::report::RunReport;

use super::{scores, training};

/// A run's report. What the run lacks is said in its place.
pub fn of_run(report: RunReport) -> Page {
    let introduction = introduction(&report);
    let sections = vec![
        Section::new("At a glance", vec![glance(&report)]),
        Section::new("Training", training::curves(&report)),
        Section::new("Validations", training::validations(&report.validations)),
        Section::new("Test scores", scores::tests(&report.splits)),
        Section::new("Sample translations", scores::samples(report.samples)),
        Section::new(
            "Where the time went",
            training::times(&report.log.times, &report.updates),
        ),
        Section::new("Training data", training::data(&report.data)),
        Section::new(
            "Config",
            vec![Block::Folded {
                summary: "config.toml, every default filled in".into(),
                text: report.config,
            }],
        ),
    ];
    Page {
        title: report.name,
        introduction,
        sections,
    }
}

fn introduction(report: &RunReport) -> String {
    let updates = &report.updates;
    if updates.last == 0 {
        return "A run without an update so far.".into();
    }
    let best = report.validations.iter().rev().find(|row| row.best);
    let best = match best {
        Some(row) => match row.bleu {
            Some(bleu) => format!(
                "The best validation was after update {}, with BLEU {bleu:.2}.",
                row.update
            ),
            None => format!(
                "The best validation was after update {}, with loss {:.4}.",
                row.update, row.loss
            ),
        },
        None => "It has no validation yet.".into(),
    };
    format!("{} updates, in epoch {}. {best}", updates.last, updates.epoch)
}

fn glance(report: &RunReport) -> Block {
    let (updates, log) = (&report.updates, &report.log);
    let unknown = || "not in train.log".to_owned();
    let speed = match updates.seconds {
        0.0 => "no update yet".into(),
        seconds => grouped((updates.target_tokens as f64 / seconds).round() as u64),
    };
    let facts = [
        ("updates", grouped(updates.last)),
        ("epoch", updates.epoch.to_string()),
        ("target tokens", grouped(updates.target_tokens)),
        ("target tokens a second", speed),
        ("skipped updates", updates.skipped.to_string()),
        ("parameters", log.parameters.map_or_else(unknown, grouped)),
        ("vocabulary", log.vocabulary.clone().unwrap_or_else(unknown)),
        ("device", log.device.clone().unwrap_or_else(unknown)),
        ("began (UTC)", log.began.clone().unwrap_or_else(unknown)),
        ("last line of the log (UTC)", log.newest.clone().unwrap_or_else(unknown)),
        (
            "state",
            log.end.clone().unwrap_or_else(|| "goes on, or was killed".into()),
        ),
    ];
    Block::Facts(facts.map(|(name, value)| (name.to_owned(), value)).into())
}
