//! `training.r_drop`: every sentence goes through the model twice.

mod common;

use common::{Workplace, assert_same_run};
use serde_json::Value;

fn with<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|setting| ["--set", setting]).collect()
}

/// The lines of a run's `metrics.jsonl`.
fn metrics(work: &Workplace, run: &str) -> Vec<Value> {
    let text = work.read(&format!("runs/{run}/metrics.jsonl"));
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object"))
        .collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_run_in_two_parts_equals_one_and_tells_the_divergence() {
    let transformer = ["model.dropout=0.2", "training.accumulate=2"];
    let recurrent = [
        "model.dropout=0.2",
        "model.arch=rnn-attention",
        "model.decoder_layers=2",
        "model.input_feeding=true",
    ];
    for settings in [&transformer[..], &recurrent[..]] {
        let work = Workplace::new();
        let settings = with(
            &[
                settings,
                &["training.r_drop=5", "training.stop_after=\"8u\"", "data.test={}"],
            ]
            .concat(),
        );
        work.train("whole", &settings).ok();
        work.train(
            "parts",
            &[&settings[..], &with(&["training.stop_after=\"4u\""])].concat(),
        )
        .ok();
        work.train("parts", &settings).ok();
        assert_same_run(&work.path("runs/whole"), &work.path("runs/parts"));

        let found = metrics(&work, "whole");
        assert_eq!(found.len(), 8);
        for update in &found {
            assert!(number(&update["kl"]) > 0.0, "{update}");
            assert_eq!(number(&update["perplexity"]), number(&update["nll"]).exp());
        }
        assert!(work.read("runs/whole/train.log").contains(" : KL "));
        work.run(&["plot", "runs/whole", "--output", "page.html"]).ok();
        assert!(work.read("page.html").contains("Divergence of two passes"));
    }
}

/// The first update's batch and weights are the same with and without, so that the loss differs by dropout alone.
#[test]
fn the_reported_loss_is_that_of_one_pass() {
    let work = Workplace::new();
    let settings = with(&["training.stop_after=\"1u\"", "model.dropout=0.01"]);
    work.train("once", &settings).ok();
    work.train("twice", &[&settings[..], &with(&["training.r_drop=5"])].concat())
        .ok();
    let [once, twice] = ["once", "twice"].map(|run| metrics(&work, run).remove(0));
    assert!(once.get("kl").is_none(), "{once}");
    for field in ["loss", "nll"] {
        let (once, twice) = (number(&once[field]), number(&twice[field]));
        assert!((once / twice - 1.0).abs() < 0.02, "{field}: {once} and {twice}");
        assert_ne!(once, twice, "{field}");
    }
    for count in ["sentences", "source_tokens", "target_tokens", "total_target_tokens"] {
        assert_eq!(once[count], twice[count], "{count}");
    }
}

#[test]
fn bench_and_inspect_know_of_it() {
    let work = Workplace::new();
    let r_drop = with(&["training.r_drop=5"]);
    let bench = [
        &["bench", "small.toml", "--seconds", "0", "--batch", "2", "--json"],
        &r_drop[..],
    ]
    .concat();
    let bench: Value = serde_json::from_str(&work.run(&bench).ok().stdout).expect("one JSON object");
    assert!(number(&bench["train"]["kl"]) > 0.0, "{bench}");
    let inspected = work.run(&[&["inspect", "small.toml"], &r_drop[..]].concat()).ok();
    assert!(
        inspected.stdout.contains("each pair 2 times, for training.r_drop"),
        "{}",
        inspected.stdout
    );
    let nothing_dropped = with(&["training.r_drop=5", "model.dropout=0"]);
    work.run(&[&["inspect", "small.toml"], &nothing_dropped[..]].concat())
        .fails_with(&["training.r_drop", "every dropout rate is 0", "hint: "]);
}
