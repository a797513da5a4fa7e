//! Corpora with weights and tags: one model that copies or turns round, as its tag says.

mod common;

use std::fmt::Write;
use std::sync::OnceLock;

use common::{Outcome, Workplace, assert_same_run, random, start, wait_for_updates};
use serde_json::Value;

fn with<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|setting| ["--set", setting]).collect()
}

/// Letters in random order, two to five a line, and the same turned round or as they are.
fn letters(lines: usize, seed: u64, is_turned: bool) -> (String, String) {
    let mut next = random(seed);
    let (mut source, mut target) = (String::new(), String::new());
    for _ in 0..lines {
        let mut letters: Vec<String> = (0..2 + next(4))
            .map(|_| char::from(b'a' + next(6) as u8).to_string())
            .collect();
        let _ = writeln!(source, "{}", letters.join(" "));
        if is_turned {
            letters.reverse();
        }
        let _ = writeln!(target, "{}", letters.join(" "));
    }
    (source, target)
}

const TRAIN: &str = r#"data.train=[
    { path = "copy", tag = "<copy>" },
    { path = "turn", target = "rev", tag = "<turn>", weight = 1.5 },
]"#;
const VALID: &str = r#"data.valid=[
    { path = "copy-valid", tag = "<copy>" },
    { path = "turn-valid", target = "rev", tag = "<turn>" },
]"#;
const TEST: &str = r#"data.test={
    copy = { path = "copy-valid", tag = "<copy>" },
    turn = { path = "turn-valid", target = "rev", tag = "<turn>" }
}"#;

/// A workplace with both tasks, whose model has learnt them.
fn trained() -> &'static Workplace {
    static WORK: OnceLock<Workplace> = OnceLock::new();
    WORK.get_or_init(|| {
        let work = Workplace::new();
        for (name, lines, seed) in [("", 1500, 1), ("-valid", 40, 5)] {
            let (source, target) = letters(lines, seed, false);
            work.write(&format!("copy{name}.src"), source);
            work.write(&format!("copy{name}.tgt"), target);
            let (source, target) = letters(lines, seed + 1, true);
            work.write(&format!("turn{name}.src"), source);
            work.write(&format!("turn{name}.rev"), target);
        }
        let one_line = [TRAIN, VALID, TEST].map(|setting| setting.replace('\n', " "));
        let settings = one_line.each_ref().map(String::as_str);
        let more = [
            "tokenizer.kind=words",
            "tokenizer.vocabulary=20",
            "model.d_model=64",
            "model.d_ff=128",
            "model.encoder_layers=2",
            "model.dropout=0.0",
            "training.stop_after=\"700u\"",
            "training.schedule={ kind = \"cosine\", peak = 3e-3, warmup = 100, decay = 700, end = 1e-4 }",
            "training.label_smoothing=0.0",
            "validation.every=\"350u\"",
            "validation.metric=loss",
        ];
        let outcome = work.train("run", &with(&[&settings[..], &more].concat())).ok();
        assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
        common::remove_at_exit(&work);
        work
    })
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).expect("one JSON object")
}

/// Translates lines with more arguments.
fn translate(lines: &str, more: &[&str]) -> Outcome {
    let work = trained();
    let name = format!("input-{}", lines.len() + more.concat().len());
    work.write(&name, lines);
    work.run(&[&["translate", "runs/run", &name, "--device", "flex"], more].concat())
}

/// Percent of lines that are right.
fn exact_match(scores: &Value) -> f64 {
    let rows = scores["by_length"].as_array().expect("rows");
    assert_eq!(rows.len(), 1, "all lines are short");
    rows[0]["exact_match"].as_f64().expect("a share")
}

#[test]
fn a_tag_says_what_the_model_does() {
    let work = trained();
    for split in ["copy", "turn"] {
        let evaluate = ["evaluate", "runs/run", "--json", "--device", "flex"];
        let of_split = json(&work.run(&[&evaluate[..], &["--split", split]].concat()).ok());
        assert!(exact_match(&of_split) >= 90.0, "{split}: {of_split}");

        // The same text from outside of the config, with the tag of the split and with the other.
        let source = format!("{split}-valid.src");
        let target = if split == "copy" {
            "copy-valid.tgt"
        } else {
            "turn-valid.rev"
        };
        let files = ["--source", &source, "--reference", target];
        let of_text = |tag: &str| json(&work.run(&[&evaluate[..], &files, &["--tag", tag]].concat()).ok());
        let (own, other) = if split == "copy" {
            ("<copy>", "<turn>")
        } else {
            ("<turn>", "<copy>")
        };
        assert_eq!(of_text(own)["metrics"], of_split["metrics"]);
        assert!(exact_match(&of_text(other)) < 40.0, "{split}");
    }
    let lines = "a b c d\n\nf e a\n";
    let [copied, turned] = ["<copy>", "<turn>"].map(|tag| translate(lines, &["--tag", tag]).ok().stdout);
    assert_eq!(copied, "a b c d\n\nf e a\n");
    assert_eq!(turned, "d c b a\n\na e f\n");
}

#[test]
fn a_score_depends_on_the_tag() {
    let work = trained();
    work.write("score.src", "a b c d\n");
    work.write("score.tgt", "d c b a\n");
    let score = |tag: &str| -> f64 {
        let files = ["--source", "score.src", "--target", "score.tgt", "--tag", tag];
        let outcome = work
            .run(&[&["score", "runs/run", "--device", "flex"], &files[..]].concat())
            .ok();
        outcome.stdout.trim().parse().expect("a number")
    };
    assert!(score("<turn>") > -0.5 && score("<copy>") < -3.0);
}

#[test]
fn a_tag_is_a_token_of_the_attention_and_its_spelling_in_text_is_not() {
    let work = trained();
    translate("<copy> a\n", &["--tag", "<turn>", "--attention", "maps.json"]).ok();
    let maps: Value = serde_json::from_str(&work.read("maps.json")).expect("JSON");
    let line = &maps["lines"][0];
    assert_eq!(line["source"], serde_json::json!(["<turn>", "<unk>", "a", "</s>"]));
    assert_eq!(line["encoder"][0][0].as_array().map(Vec::len), Some(4));
    translate("a b\n", &["--tag", "<turn>", "--attention", "maps.html"]).ok();
    assert!(work.read("maps.html").contains("turn>"));
    translate("a b\n", &["--tag", "<turn>", "--attention", "maps.svg"]).ok();
    let picture = work.read("maps.1.cross-attention.layer-1.head-1.svg");
    assert!(picture.contains("&lt;turn&gt;"), "{picture}");
}

#[test]
fn tags_that_are_missing_or_unknown_are_told_with_those_there_are() {
    let work = trained();
    let known = ["<copy>, <turn>", "hint: "];
    translate("a\n", &[]).fails_with(&[&["the model needs a tag"], &known[..]].concat());
    translate("a\n", &["--tag", "<2de>"]).fails_with(&[&["\"<2de>\""], &known[..]].concat());
    let source = ["--source", "copy-valid.src"];
    let evaluate = [&["evaluate", "runs/run", "--reference", "copy-valid.tgt"], &source[..]].concat();
    work.run(&evaluate).fails_with(&["the model needs a tag"]);
    let score = [&["score", "runs/run", "--target", "copy-valid.tgt"], &source[..]].concat();
    work.run(&score).fails_with(&["the model needs a tag"]);
    work.run(&[&score[..], &["--tag", "copy"]].concat())
        .fails_with(&["\"copy\"", "<copy>, <turn>"]);
    // A test corpus has its own.
    let split = ["evaluate", "runs/run", "--split", "copy", "--tag", "<turn>"];
    assert_eq!(work.run(&split).code, Some(2));
}

#[test]
fn a_run_tells_of_its_weights_and_tags() {
    let work = trained();
    let data: Value = serde_json::from_str(&work.read("runs/run/data.json")).expect("JSON");
    let corpora = data["corpora"].as_array().expect("corpora");
    assert_eq!(
        (&corpora[0]["tag"], &corpora[0]["weight"]),
        (&"<copy>".into(), &Value::Null)
    );
    assert_eq!(
        (&corpora[1]["tag"], &corpora[1]["weight"]),
        (&"<turn>".into(), &1.5.into())
    );
    let log = work.read("runs/run/train.log");
    for text in [
        "turn.src: 1500 pairs, weight 1.5, tag <turn>",
        "3750 pairs an epoch on average",
        "source      <copy> ",
    ] {
        assert!(log.contains(text), "{text:?} is not in {log}");
    }
    work.run(&["plot", "runs/run"]).ok();
    let page = work.read("runs/run/report.html");
    assert!(page.contains("&lt;turn&gt;") && page.contains("1.5"));
    let inspected = json(&work.run(&["inspect", "runs/run", "--json"]).ok());
    let words = 6 + 4;
    assert_eq!(inspected["vocabulary"]["source"]["size"], words + 2);
    assert_eq!(inspected["vocabulary"]["source"]["coverage"]["used_share"], 8.0 / 12.0);
    let longest = inspected["vocabulary"]["source"]["longest"].to_string();
    assert!(!longest.contains('<'), "a tag is no piece: {longest}");
    assert_eq!(inspected["positions"]["longest"], 40 + 2);
}

#[test]
fn sizes_count_tags() {
    let work = Workplace::new();
    let nowhere = [
        "data.train={ path = \"nowhere\", tag = \"<t>\" }",
        "data.valid={ path = \"nowhere\", tag = \"<t>\" }",
        "data.test={}",
    ];
    for (shared, target) in [("tokenizer.shared=true", 301), ("tokenizer.shared=false", 300)] {
        let settings = with(&[&nowhere[..], &[shared]].concat());
        let found = json(
            &work
                .run(&[&["inspect", "small.toml", "--json"], &settings[..]].concat())
                .ok(),
        );
        let vocabulary = &found["vocabulary"];
        assert_eq!(
            (&vocabulary["source"]["size"], &vocabulary["target"]["size"]),
            (&301.into(), &target.into())
        );
        assert_eq!(vocabulary["tags"], serde_json::json!(["<t>"]));
        // The longest source of 40 tokens has a tag and `</s>` as well.
        let batch = &found["memory"]["batch"];
        assert_eq!(
            (&batch["source_length"], &batch["target_length"]),
            (&42.into(), &41.into())
        );
        let bench = [
            "bench",
            "small.toml",
            "--seconds",
            "0",
            "--batch",
            "2",
            "--json",
            "--device",
            "flex",
        ];
        let bench = json(&work.run(&[&bench[..], &settings].concat()).ok());
        assert_eq!(bench["parameters"], found["parameters"]["total"], "{shared}");
        let text = work
            .run(&[&["inspect", "small.toml"], &settings[..]].concat())
            .ok()
            .stdout;
        assert!(text.contains("  tags: <t>\n"), "{text}");
    }
}

#[test]
fn where_some_corpus_has_no_tag_none_is_needed() {
    let work = Workplace::new();
    let train = "data.train=[\"train\", { path = \"train\", source = \"tgt\", target = \"src\", tag = \"<back>\" }]";
    for shared in ["true", "false"] {
        let run = format!("shared-{shared}");
        let shared = format!("tokenizer.shared={shared}");
        work.train(&run, &with(&[train, &shared, "training.stop_after=\"4u\""]))
            .ok();
        let run = format!("runs/{run}");
        let of = |more: &[&str]| {
            let command = ["translate", &run, "test.src", "--scores", "--device", "flex"];
            work.run(&[&command[..], more].concat()).ok().stdout
        };
        assert_ne!(of(&[]), of(&["--tag", "<back>"]));
    }
    work.train("plain", &with(&["training.stop_after=\"2u\""])).ok();
    work.run(&["translate", "runs/plain", "test.src", "--tag", "<back>"])
        .fails_with(&["\"<back>\"", "trained without tags"]);
}

#[test]
fn faults_of_corpora_are_told_before_anything_is_written() {
    let work = Workplace::new();
    for (setting, words) in [
        (
            "data.train=[{ path = \"train\", weight = 0 }]",
            &["data.train[0].weight: 0 ", "hint: "][..],
        ),
        (
            "data.train={ path = \"train\", weight = -1 }",
            &["data.train.weight: -1 "],
        ),
        (
            "data.train={ path = \"train\", wieght = 2 }",
            &["`wieght`", "did you mean `weight`?"],
        ),
        (
            "data.train=[\"train\", { path = \"train\", tag = \"de\" }]",
            &["data.train[1].tag: \"de\" "],
        ),
        ("data.train={ path = \"train\", tag = \"<t>\" }", &["data.valid", "<t>"]),
        (
            "data.test={ test = { path = \"test\", tag = \"<t>\" } }",
            &["data.test.test.tag: <t> "],
        ),
        (
            "data.valid={ path = \"valid\", weight = 2 }",
            &["data.valid.weight: 2 "],
        ),
        ("data.train={ path = \"train\", source = \"nl\" }", &["train.nl"]),
    ] {
        work.train("run", &with(&[setting])).fails_with(words);
        assert!(!work.path("runs/run").exists(), "{setting}");
    }
    work.train("run", &with(&["data.train={ path = \"train\", weight = 0.0001 }"]))
        .fails_with(&[
            "data.train: the weights leave less than one pair an epoch of 400",
            "hint: ",
        ]);
}

/// Weights, tags and everything else that decides what comes next.
const MIXED: [&str; 5] = [
    "data.train=[\"train\", { path = \"train\", source = \"tgt\", target = \"src\", tag = \"<back>\", weight = 1.4 }, \
     { path = \"test\", tag = \"<bt>\", weight = 0.5 }]",
    "data.valid=[\"valid\", { path = \"valid\", source = \"tgt\", target = \"src\", tag = \"<back>\" }]",
    "tokenizer.dropout=0.1",
    "training.window=150",
    "training.stop_after=\"96u\"",
];

#[test]
fn a_killed_mixture_goes_on_as_if_nothing_had_been() {
    let work = Workplace::new();
    let settings = with(&[&MIXED[..], &["validation.every=\"6u\""]].concat());
    work.train("whole", &settings).ok();
    let epochs: Vec<u64> = work
        .read("runs/whole/metrics.jsonl")
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["epoch"]
                .as_u64()
                .expect("a number")
        })
        .collect();
    // Early, in the middle, around the end of the first epoch, and in the second, whose draws are others.
    let first = epochs.iter().filter(|epoch| **epoch == 1).count();
    assert!((20..85).contains(&first), "{first} updates of the first epoch");
    for updates in [3, first / 2, first - 1, first + 5] {
        let mut child = start(&work, "killed", &settings);
        wait_for_updates(&work, "killed", updates);
        child.kill().expect("SIGKILL");
        child.wait().expect("the end of a killed process");
    }
    work.train("killed", &settings).ok();
    assert_same_run(&work.path("runs/whole"), &work.path("runs/killed"));
}

#[test]
fn weights_and_tags_stay_what_they_were() {
    let work = Workplace::new();
    let settings = with(&[&MIXED[..], &["training.stop_after=\"2u\""]].concat());
    work.train("run", &settings).ok();
    for (from, to, key) in [
        ("weight = 1.4", "weight = 1.5", "data.train[1].weight was 1.4, now 1.5"),
        (
            "tag = \"<bt>\", weight = 0.5",
            "tag = \"<bt>\"",
            "data.train[2].weight was 0.5, now 1.0",
        ),
        (
            "\"train\", {",
            "{ path = \"train\", weight = 2 }, {",
            "data.train[0].weight was 1.0, now 2.0",
        ),
        (
            "\"<bt>\"",
            "\"<back>\"",
            "data.train[2].tag was \"<bt>\", now \"<back>\"",
        ),
    ] {
        let changed = MIXED[0].replacen(from, to, 1);
        let more = ["--set", &changed, "--set", "training.stop_after=\"4u\""];
        work.train("run", &[&settings[..], &more].concat())
            .fails_with(&[key, "--fresh"]);
    }
    work.train(
        "run",
        &[&settings[..], &["--set", "training.stop_after=\"4u\""]].concat(),
    )
    .ok();
    assert_eq!(work.losses("run").len(), 4);
}

#[test]
fn a_whole_weight_counts_in_every_epoch() {
    let work = Workplace::new();
    let train = "data.train=[\"train\", { path = \"test\", weight = 3 }]";
    work.train("run", &with(&[train, "training.stop_after=\"2e\""])).ok();
    let log = work.read("runs/run/metrics.jsonl");
    let last: Value = serde_json::from_str(log.lines().last().expect("updates")).expect("JSON");
    assert_eq!(last["total_sentences"], 2 * (400 + 3 * 20));
}
