//! Several checkpoints that translate and score together.

mod common;

use std::sync::OnceLock;

use common::{Outcome, Workplace};
use serde_json::Value;

/// A Transformer of three checkpoints, a recurrent model with the same vocabularies, and a run with others.
fn trained() -> &'static Workplace {
    static WORK: OnceLock<Workplace> = OnceLock::new();
    WORK.get_or_init(|| {
        let work = Workplace::new();
        let longer = ["training.stop_after=\"300u\"", "validation.every=\"100u\""];
        train(&work, "run", &longer);
        let recurrent = [
            "model.arch=rnn-attention",
            "model.d_model=16",
            "training.stop_after=\"200u\"",
        ];
        train(&work, "wide.1", &[&longer[1..], &recurrent].concat());
        train(
            &work,
            "other",
            &[
                "tokenizer.shared=false",
                "tokenizer.vocabulary=265",
                "training.stop_after=\"2u\"",
            ],
        );
        common::remove_at_exit(&work);
        work
    })
}

fn train(work: &Workplace, run: &str, settings: &[&str]) {
    let schedule = "training.schedule={ kind = \"constant\", peak = 3e-3, warmup = 50 }";
    let settings = [settings, &[schedule, "model.dropout=0.0"]].concat();
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    work.train(run, &arguments).ok();
}

const WIDE: &str = "runs/wide.1/checkpoints/200";

fn ember(verb: &str, checkpoint: &str, more: &[&str]) -> Outcome {
    let arguments = [verb, "runs/run", "--device", "flex", "--checkpoint", checkpoint];
    trained().run(&[&arguments, more].concat())
}

/// Scores and texts of the test corpus.
fn translate(checkpoint: &str, more: &[&str]) -> Vec<(f64, String)> {
    let output = ember("translate", checkpoint, &[&["test.src", "--scores"], more].concat())
        .ok()
        .stdout;
    let line = |line: &str| {
        let (score, text) = line.split_once('\t').expect("a TAB");
        (score.parse().expect("a score"), text.to_owned())
    };
    output.lines().map(line).collect()
}

#[test]
fn a_checkpoint_with_itself_translates_and_scores_as_it_does_alone() {
    let alone = translate("300", &[]);
    for copies in ["300,300", "last, 300,runs/run/checkpoints/300"] {
        for ((score, text), (copied_score, copied)) in alone.iter().zip(translate(copies, &[])) {
            assert_eq!(*text, copied);
            assert!((score - copied_score).abs() <= 2e-4, "{score} and {copied_score}");
        }
    }
    let pairs = ["--source", "test.src", "--target", "test.tgt", "--json"];
    let scores = |checkpoint: &str| -> Value {
        serde_json::from_str(&ember("score", checkpoint, &pairs).ok().stdout).expect("JSON")
    };
    let (alone, copies) = (scores("300"), scores("300,300"));
    assert_eq!(alone["checkpoints"], serde_json::json!(["300"]));
    assert_eq!(copies["checkpoints"], serde_json::json!(["300", "300"]));
    let values = |json: &Value| -> Vec<f64> {
        let pairs = json["pairs"].as_array().expect("pairs").iter();
        pairs
            .map(|pair| pair["log_probability"].as_f64().expect("a number"))
            .collect()
    };
    for (alone, copied) in values(&alone).iter().zip(values(&copies)) {
        assert!((alone - copied).abs() < 1e-4, "{alone} and {copied}");
    }
}

#[test]
fn unlike_members_have_scores_of_their_own_and_batches_change_nothing() {
    let work = trained();
    let checkpoints = format!("100,200,{WIDE}");
    let settings = ["--beam", "3", "--length-penalty", "0"];
    let found = translate(&checkpoints, &settings);
    for alone in ["100", "200", WIDE] {
        assert_ne!(translate(alone, &settings), found, "{alone}");
    }
    let small = translate(&checkpoints, &[&settings[..], &["--batch-tokens", "1"]].concat());
    for ((score, text), (small_score, small)) in found.iter().zip(&small) {
        assert_eq!(text, small);
        assert!((score - small_score).abs() <= 2e-4, "{score} and {small_score}");
    }

    let texts: String = found.iter().map(|(_, text)| format!("{text}\n")).collect();
    work.write("found.tgt", texts);
    let scored = ember(
        "score",
        &checkpoints,
        &["--source", "test.src", "--target", "found.tgt"],
    )
    .ok()
    .stdout;
    let agree = scored.lines().zip(&found).filter(|(scored, (score, _))| {
        let scored: f64 = scored.parse().expect("a number");
        (scored - score).abs() < 1e-3
    });
    // A text may be cut into other sub-words than the search chose.
    let (agree, lines) = (agree.count(), found.len());
    assert!(
        agree >= lines * 3 / 4,
        "{agree} of {lines} lines have the search's score"
    );
}

#[test]
fn evaluate_says_which_checkpoints_translated() {
    let work = trained();
    let evaluate = |checkpoint: &str| -> Value {
        let outcome = ember("evaluate", checkpoint, &["--json"]).ok();
        serde_json::from_str(&outcome.stdout).expect("one JSON object")
    };
    let json = evaluate(&format!("100,300,{WIDE}"));
    assert_eq!(json["checkpoints"], serde_json::json!(["100", "300", "wide-1@200"]));
    assert_eq!(
        work.read("runs/run/translations/test.100+300+wide-1@200.txt")
            .lines()
            .count(),
        20
    );
    assert_eq!(evaluate("300")["checkpoints"], serde_json::json!(["300"]));
    assert_eq!(evaluate(WIDE)["checkpoints"], serde_json::json!(["wide-1@200"]));
    let text = ember("evaluate", "100,300", &[]).ok().stdout;
    assert!(text.contains("\n  by checkpoint 100 + 300\n"), "{text}");
    let given = [
        "evaluate",
        "--hypothesis",
        "test.src",
        "--reference",
        "test.tgt",
        "--json",
    ];
    let given: Value = serde_json::from_str(&work.run(&given).ok().stdout).expect("one JSON object");
    assert!(given.get("checkpoints").is_none());
}

#[test]
fn members_that_do_not_fit_are_told() {
    let work = trained();
    for verb in [&["translate", "runs/run", "test.src"][..], &["evaluate", "runs/run"]] {
        let with = |checkpoint: &str| work.run(&[verb, &["--device", "flex", "--checkpoint", checkpoint]].concat());
        with("300,runs/other/checkpoints/2").fails_with(&[
            "runs/other has other vocabularies than runs/run: ",
            " instead of ",
            "hint: only models with the same tokenizer.json",
        ]);
        with("300,250").fails_with(&["there is no checkpoint \"250\"", "100, 200, 300"]);
        with("300,").fails_with(&["there is no checkpoint \"\"", "hint: "]);
        with("300,average").fails_with(&["ember average"]);
    }
    ember("translate", "100,300", &["test.src", "--attention", "maps.json"])
        .fails_with(&["an ensemble of 2 models", "hint: name one checkpoint"]);
    assert!(!work.path("maps.json").exists());
}
