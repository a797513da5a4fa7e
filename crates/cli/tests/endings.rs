//! The ways in which a training run ends other than by its config's `stop_after`.

mod common;

use std::time::Duration;

use common::{Workplace, assert_same_run, start, terminate, wait_at_most};

/// A learning rate at which nothing changes: the first validation stays the best.
const NOTHING_LEARNT: [&str; 8] = [
    "--set",
    "training.schedule={ kind = \"constant\", peak = 1e-12 }",
    "--set",
    "training.stop_after=\"1000u\"",
    "--set",
    "validation.every=\"2u\"",
    "--set",
    "validation.patience=3",
];

#[test]
fn early_stopping_comes_at_the_same_update_however_often_a_run_is_stopped() {
    let work = Workplace::new();
    let whole = work.train("whole", &NOTHING_LEARNT).ok();
    assert!(whole.stderr.contains("stopped early"), "{}", whole.stderr);
    assert_eq!(work.losses("whole").len(), 8, "the best, and three that are not");

    let until_4 = [&NOTHING_LEARNT[..], &["--set", "training.stop_after=\"4u\""]].concat();
    work.train("parts", &until_4).ok();
    let rest = work.train("parts", &NOTHING_LEARNT).ok();
    assert!(rest.stderr.contains("stopped early"), "{}", rest.stderr);
    assert_same_run(&work.path("runs/whole"), &work.path("runs/parts"));

    // Once more from the end: there is nothing left to do.
    let again = work.train("parts", &NOTHING_LEARNT).ok();
    assert_eq!(again.stdout, whole.stdout);
    assert_same_run(&work.path("runs/whole"), &work.path("runs/parts"));
}

#[test]
fn early_stopping_counts_over_kills() {
    let work = Workplace::new();
    work.train("whole", &NOTHING_LEARNT).ok();
    let mut moment = Duration::from_millis(20);
    let mut kills = 0;
    loop {
        let mut child = start(&work, "killed", &NOTHING_LEARNT);
        if wait_at_most(&mut child, moment) {
            break;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("the end of a killed process");
        kills += 1;
        moment = moment * 6 / 5;
        assert!(kills < 60, "the run does not come to an end");
    }
    assert!(kills > 0, "the run is too short for this test");
    assert_same_run(&work.path("runs/whole"), &work.path("runs/killed"));
}

/// One step of this length makes every weight so large that no loss is finite from then on.
const ABSURD: [&str; 4] = [
    "--set",
    "training.schedule={ kind = \"constant\", peak = 1e30 }",
    "--set",
    "training.stop_after=\"1000u\"",
];

/// Trains up to a checkpoint at update 4, then into a divergence that must be told with `words`, and then on as the
/// hint says.
fn diverges(every: &str, words: &[&str]) {
    let work = Workplace::new();
    let until_4 = ["--set", "training.stop_after=\"4u\""];
    work.train("run", &until_4).ok();
    let checkpoints = work.path("runs/run/checkpoints");
    let before = common::reproducible_files(&checkpoints);

    let every = format!("validation.every=\"{every}\"");
    let failed = work
        .train("run", &[&ABSURD[..], &["--set", &every]].concat())
        .fails_with(&[words, &["the last good checkpoint is runs/run/checkpoints/4\nhint: "]].concat());
    assert!(failed.stderr.contains("update 6 is skipped"), "{}", failed.stderr);
    assert_eq!(common::reproducible_files(&checkpoints), before);

    work.train("run", &[]).ok();
    work.train("whole", &until_4).ok();
    work.train("whole", &[]).ok();
    assert_same_run(&work.path("runs/whole"), &work.path("runs/run"));
}

#[test]
fn ten_skipped_updates_in_a_row_end_the_run_and_leave_the_last_good_checkpoint() {
    diverges(
        "100u",
        &["stopped at update 15: loss or gradient was not finite 10 times in a row"],
    );
}

#[test]
fn a_validation_whose_loss_is_not_finite_ends_the_run_and_writes_no_checkpoint() {
    diverges("4u", &["stopped at update 8: the validation loss is NaN"]);
}

#[test]
fn a_run_whose_last_updates_are_skipped_writes_no_checkpoint_of_them() {
    let work = Workplace::new();
    work.train("run", &["--set", "training.stop_after=\"4u\""]).ok();
    let short = [&ABSURD[..2], &["--set", "training.stop_after=\"7u\""]].concat();
    work.train("run", &short)
        .fails_with(&["stopped at update 7: the validation loss is NaN", "checkpoints/4"]);
    assert!(!work.path("runs/run/checkpoints/7").exists());
}

/// With sub-words, a validation and a test corpus that take their time.
const UNHURRIED: [&str; 8] = [
    "--set",
    "tokenizer.vocabulary=330",
    "--set",
    "validation.every=\"3u\"",
    "--set",
    "validation.beam=12",
    "--set",
    "decoding.beam=12",
];

#[cfg(unix)]
#[test]
fn stopped_at_any_moment_it_exits_0_and_goes_on_as_if_nothing_had_been() {
    let work = Workplace::new();
    work.train("whole", &UNHURRIED).ok();
    let mut moment = Duration::from_millis(10);
    let mut stops = 0;
    loop {
        let mut child = start(&work, "stopped", &UNHURRIED);
        // It listens for signals a moment before it takes the folder.
        let lock = work.path("runs/stopped/.lock");
        let owner = child.id().to_string();
        while std::fs::read_to_string(&lock).unwrap_or_default().trim() != owner {
            assert!(
                !wait_at_most(&mut child, Duration::from_millis(2)),
                "it ends before it begins"
            );
        }
        if wait_at_most(&mut child, moment) {
            break;
        }
        terminate(&child);
        assert_eq!(child.wait().expect("the end of the run").code(), Some(0));
        let names = std::fs::read_dir(work.path("runs/.store")).into_iter().flatten();
        let mut names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        assert!(
            !names.any(|name| name.starts_with(".building")),
            "a store is left half built"
        );
        stops += 1;
        moment += Duration::from_millis(20);
        assert!(stops < 200, "the run does not come to an end");
    }
    assert!(stops > 0, "the run is too short for this test");
    work.train("stopped", &UNHURRIED).ok();
    assert_same_run(&work.path("runs/whole"), &work.path("runs/stopped"));
}
