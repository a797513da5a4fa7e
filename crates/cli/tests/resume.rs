//! A run that was stopped, or killed, and started again ends in the same bytes as one that was never stopped.

mod common;

use std::time::Instant;

use common::{Workplace, assert_same_run, start, terminate, wait_at_most, wait_for_updates};

#[test]
fn the_same_command_twice_gives_the_same_bytes() {
    let work = Workplace::new();
    work.train("one", &[]).ok();
    work.train("two", &[]).ok();
    assert_same_run(&work.path("runs/one"), &work.path("runs/two"));
}

#[test]
fn a_run_in_two_parts_equals_one() {
    let work = Workplace::new();
    // With everything on that carries state: accumulation, moving average, BPE-dropout, plateau; and rates by layer.
    let settings = [
        "--set",
        "training.accumulate=2",
        "--set",
        "training.ema=0.9",
        "--set",
        "tokenizer.dropout=0.1",
        "--set",
        "model.residual_dropout={ encoder = [0.2], decoder = 0.1 }",
        // At so low a rate the translations stay as they are, so that every validation but the first lowers it more.
        "--set",
        "validation.metric=bleu",
        "--set",
        "training.schedule={ kind = \"plateau\", peak = 1e-6, warmup = 3, patience = 1 }",
    ];
    work.train("whole", &settings).ok();
    work.train(
        "parts",
        &[&settings[..], &["--set", "training.stop_after=\"8u\""]].concat(),
    )
    .ok();
    let state = work.read("runs/parts/checkpoints/8/state.json");
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    assert_eq!(
        state["plateau"]["reductions"], 1,
        "there is a reduced rate to go on with"
    );
    work.train("parts", &settings).ok();
    // Both parts, as the whole, end with the test corpus translated by the best checkpoint, the first.
    assert_same_run(&work.path("runs/whole"), &work.path("runs/parts"));
}

#[test]
fn killed_at_any_moment_it_goes_on_as_if_nothing_had_been() {
    let work = Workplace::new();
    let settings = [
        "--set",
        "training.stop_after=\"40u\"",
        "--set",
        "validation.every=\"2u\"",
    ];
    let started = Instant::now();
    work.train("whole", &settings).ok();
    // The first kill comes early in the run, however fast the machine is, and each later one a little later.
    let mut moment = started.elapsed() / 8;
    let mut kills = 0;
    loop {
        let mut child = start(&work, "killed", &settings);
        if wait_at_most(&mut child, moment) {
            break;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("the end of a killed process");
        kills += 1;
        moment = moment * 5 / 4;
        assert!(kills < 60, "the run does not come to an end");
    }
    assert!(kills >= 3, "only {kills} kills: the run is too short for this test");
    assert_same_run(&work.path("runs/whole"), &work.path("runs/killed"));
}

#[cfg(unix)]
#[test]
fn sigterm_saves_and_exits_0() {
    let work = Workplace::new();
    let settings = [
        "--set",
        "training.stop_after=\"60u\"",
        "--set",
        "validation.every=\"30u\"",
    ];
    work.train("whole", &settings).ok();
    let mut child = start(&work, "stopped", &settings);
    wait_for_updates(&work, "stopped", 3);
    terminate(&child);
    assert_eq!(child.wait().expect("the end of the run").code(), Some(0));
    let updates = work.losses("stopped").len();
    assert!((3..60).contains(&updates), "it stopped at update {updates}");
    assert!(
        work.path(&format!("runs/stopped/checkpoints/{updates}/model.safetensors"))
            .is_file()
    );
    work.train("stopped", &settings).ok();
    assert_same_run(&work.path("runs/whole"), &work.path("runs/stopped"));
}

#[test]
fn a_changed_model_is_refused_and_a_changed_end_is_not() {
    let work = Workplace::new();
    work.train("run", &["--set", "training.stop_after=\"4u\""]).ok();
    work.train("run", &["--set", "model.d_ff=128"])
        .fails_with(&["model.d_ff", "64", "128", "--fresh"]);
    work.train("run", &["--set", "tokenizer.vocabulary=280"])
        .fails_with(&["tokenizer.vocabulary"]);
    let resumed = work.train("run", &["--set", "training.stop_after=\"6u\""]).ok();
    assert!(resumed.stderr.contains("training.stop_after"), "{}", resumed.stderr);
    assert_eq!(work.losses("run").len(), 6);
}

#[test]
fn changed_training_text_is_named_and_refused_before_it_is_tokenised() {
    let work = Workplace::new();
    work.train("run", &["--set", "training.stop_after=\"2u\""]).ok();
    let stores = || {
        let entries = std::fs::read_dir(work.path("runs/.store")).expect("the stores");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    let before = stores();
    let target = work.read("train.tgt");
    work.write("train.tgt", format!("{target}a1\n"));
    let source = work.read("train.src");
    work.write("train.src", format!("{source}a1\n"));
    work.train("run", &[])
        .fails_with(&["train.src", "train.tgt", "--fresh"]);
    work.write("train.src", &source);
    let refused = work
        .train("run", &[])
        .fails_with(&["changed or new are", "train.tgt", "--fresh"]);
    assert!(!refused.stderr.contains("train.src"), "{}", refused.stderr);
    assert_eq!(stores(), before);
    work.write("train.tgt", &target);
    work.train("run", &["--set", "training.stop_after=\"4u\""]).ok();
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let work = Workplace::new();
    work.train("whole", &[]).ok();
    work.train("run", &["--set", "training.stop_after=\"8u\""]).ok();
    let path = work.path("runs/run/checkpoints/8/optimizer.safetensors");
    let mut bytes = std::fs::read(&path).expect("a checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("a damaged file");
    let resumed = work.train("run", &[]).ok();
    assert!(resumed.stderr.contains("optimizer.safetensors"), "{}", resumed.stderr);
    assert_same_run(&work.path("runs/whole"), &work.path("runs/run"));
}

#[test]
fn fresh_starts_over_and_keeps_the_old_run() {
    let work = Workplace::new();
    work.train("run", &["--set", "training.stop_after=\"4u\""]).ok();
    work.train(
        "run",
        &[
            "--fresh",
            "--set",
            "training.stop_after=\"2u\"",
            "--set",
            "model.d_ff=32",
        ],
    )
    .ok();
    assert_eq!(work.losses("run").len(), 2);
    assert_eq!(work.losses("run.old-1").len(), 4);
}

#[test]
fn fresh_moves_nothing_before_config_and_corpora_are_right() {
    let work = Workplace::new();
    work.train("run", &["--set", "training.stop_after=\"2u\""]).ok();
    let before = common::reproducible_files(&work.path("runs"));
    work.write("torn.src", "a1 b2\nc3\n");
    work.write("torn.tgt", "b2 a1\n");
    for (fault, word) in [
        ("data.train=trian", "trian"),
        ("data.train=torn", "torn.src:2"),
        ("data.valid=torn", "torn.src:2"),
        ("data.test={ test = \"tset\" }", "tset"),
        ("training.stop_after=2", "training.stop_after"),
        (
            "tokenizer={ kind = \"sentencepiece\", model = \"missing.model\" }",
            "missing.model",
        ),
    ] {
        work.train("run", &["--fresh", "--set", fault]).fails_with(&[word]);
        let after = common::reproducible_files(&work.path("runs"));
        assert!(before == after, "{fault} changed something");
    }
    work.train("new", &["--set", "data.train=trian"]).fails_with(&["trian"]);
    assert!(
        !work.path("runs/new").exists(),
        "nothing is written before the corpora are found"
    );
}

#[test]
fn two_processes_do_not_train_in_one_folder() {
    let work = Workplace::new();
    let mut first = start(&work, "run", &["--set", "training.stop_after=\"100000u\""]);
    wait_for_updates(&work, "run", 1);
    work.train("run", &[]).fails_with(&["another process", "--run-dir"]);
    first.kill().expect("SIGKILL");
    first.wait().expect("the end of a killed process");
}
