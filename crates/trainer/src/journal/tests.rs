use super::*;

pub(super) fn update(update: u64) -> UpdateRecord {
    UpdateRecord {
        update,
        epoch: 1,
        loss: 4.21,
        nll: 3.9,
        perplexity: 3.9f64.exp(),
        smoothed_perplexity: 4.21f64.exp(),
        kl: None,
        learning_rate: 3e-4,
        gradient_norm: 1.23,
        sentences: 120,
        source_tokens: 3900,
        target_tokens: 4000,
        total_sentences: 7079,
        total_target_tokens: 4000 * update,
        skipped: 0,
        seconds: 12.34,
        target_tokens_per_second: 5123.45,
    }
}

pub(super) fn validation(update: u64) -> ValidationRecord {
    ValidationRecord {
        update,
        epoch: 2,
        loss: 2.01,
        nll: 1.73,
        perplexity: 1.73f64.exp(),
        bleu: 29.2,
        chrf: 55.1,
        learning_rate: 3e-4,
        metric: "bleu",
        best_value: 29.2,
        best: true,
        stalled: 0,
        loss_seconds: 1.5,
        decode_seconds: 9.25,
        decode_target_tokens_per_second: 1234.5,
    }
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn covered(update: u64) -> Covered {
    Covered {
        updates: update,
        validations: update,
    }
}

#[test]
fn a_validation_that_the_checkpoint_does_not_know_of_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), Covered::default()).unwrap();
    for at in [2, 4] {
        journal.update(&update(at)).unwrap();
        journal.validation(&validation(at)).unwrap();
    }
    let at_4 = Covered {
        updates: 4,
        validations: 3,
    };
    drop(Journal::open(folder.path(), at_4).unwrap());
    assert_eq!(read(folder.path(), "metrics.jsonl").lines().count(), 2);
    let validations = read(folder.path(), "validations.tsv");
    assert_eq!(
        validations,
        format!("{}\n{}\n", ValidationRecord::header(), validation(2).to_row())
    );
}

#[test]
fn a_resumed_journal_equals_an_uninterrupted_one() {
    let whole = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(whole.path(), Covered::default()).unwrap();
    for at in 1..=6 {
        journal.update(&update(at)).unwrap();
        if at % 2 == 0 {
            journal.validation(&validation(at)).unwrap();
        }
    }
    let resumed = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(resumed.path(), Covered::default()).unwrap();
    for at in 1..=3 {
        journal.update(&update(at)).unwrap();
        if at % 2 == 0 {
            journal.validation(&validation(at)).unwrap();
        }
    }
    journal.update(&update(4)).unwrap();
    journal.validation(&validation(4)).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let mut journal = Journal::open(resumed.path(), covered(2)).unwrap();
    for at in 3..=6 {
        journal.update(&update(at)).unwrap();
        if at % 2 == 0 {
            journal.validation(&validation(at)).unwrap();
        }
    }
    for name in ["metrics.jsonl", "validations.tsv"] {
        assert_eq!(read(resumed.path(), name), read(whole.path(), name), "{name}");
    }
}

#[test]
fn torn_last_lines_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), Covered::default()).unwrap();
    journal.update(&update(1)).unwrap();
    journal.validation(&validation(1)).unwrap();
    drop(journal);
    let before = [
        read(folder.path(), "metrics.jsonl"),
        read(folder.path(), "validations.tsv"),
    ];
    for torn in ["{\"update\":1,\"epo", "1\t2\t0.3", "\0\0\0\n", "{\"update\":1}"] {
        for (name, whole) in ["metrics.jsonl", "validations.tsv"].iter().zip(&before) {
            fs::write(folder.path().join(name), format!("{whole}{torn}")).unwrap();
        }
        drop(Journal::open(folder.path(), covered(5)).unwrap());
        assert_eq!(
            [
                read(folder.path(), "metrics.jsonl"),
                read(folder.path(), "validations.tsv")
            ],
            before,
            "{torn:?}"
        );
    }
}

#[test]
fn a_new_run_starts_with_empty_tables() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), Covered::default()).unwrap();
    journal.update(&update(1)).unwrap();
    journal.validation(&validation(1)).unwrap();
    drop(Journal::open(folder.path(), Covered::default()).unwrap());
    assert_eq!(read(folder.path(), "metrics.jsonl"), "");
    assert_eq!(
        read(folder.path(), "validations.tsv"),
        format!("{}\n", ValidationRecord::header())
    );
}

#[test]
fn metrics_are_one_object_a_line_with_the_clock_in_the_names() {
    let line = update(7).to_json();
    let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
    assert_eq!(value.keys().next().unwrap(), "update");
    let clock: Vec<_> = value
        .keys()
        .filter(|key| key.contains("seconds") || key.contains("per_second"))
        .collect();
    assert_eq!(clock, ["seconds", "target_tokens_per_second"]);
    let lost = UpdateRecord {
        loss: f64::NAN,
        gradient_norm: f64::INFINITY,
        ..update(7)
    };
    assert!(!line.contains("kl"));
    let paired = UpdateRecord {
        kl: Some(0.25),
        ..update(7)
    };
    assert!(paired.to_json().contains("\"kl\":0.25"));
    assert!(lost.to_json().contains("\"loss\":null") && lost.to_json().contains("\"gradient_norm\":null"));
}

#[test]
fn rows_have_the_columns_of_the_header() {
    let header = ValidationRecord::header();
    assert_eq!(
        validation(1000).to_row().split('\t').count(),
        header.split('\t').count()
    );
    assert_eq!(
        validation(1000).to_row(),
        "1000\t2\t2.01\t1.73\t5.6406539084283205\t29.2\t55.1\t0.0003\tbleu\t29.2\t*\t0\t1.500\t9.250\t1234.5"
    );
}

#[test]
fn log_lines_carry_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), Covered::default()).unwrap();
    journal.log("first\nsecond").unwrap();
    let log = read(folder.path(), "train.log");
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("[20") && lines[0].ends_with("] first"), "{log}");
}
