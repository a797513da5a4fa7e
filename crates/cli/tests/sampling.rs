//! Samples instead of a search, and training on pairs that were made so.

mod common;

use std::sync::OnceLock;

use common::{Outcome, Workplace};

/// A run of the reverse direction, far enough to end its sentences by itself as a rule.
fn trained() -> &'static Workplace {
    static WORK: OnceLock<Workplace> = OnceLock::new();
    WORK.get_or_init(|| {
        let work = Workplace::new();
        let settings = [
            "data.source=tgt",
            "data.target=src",
            "training.stop_after=\"300u\"",
            "training.schedule={ kind = \"constant\", peak = 3e-3, warmup = 50 }",
            "model.dropout=0.0",
            "validation.every=\"300u\"",
            "data.max_length=24",
        ];
        let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        work.train("reverse", &arguments).ok();
        common::remove_at_exit(&work);
        work
    })
}

fn translate(input: &str, more: &[&str]) -> Outcome {
    trained().run(&[&["translate", "runs/reverse", input, "--device", "flex"], more].concat())
}

fn sample(input: &str, more: &[&str]) -> String {
    translate(input, &[&["--sample"], more].concat()).ok().stdout
}

#[test]
fn samples_depend_on_seed_line_and_number_alone() {
    let work = trained();
    let text = work.read("test.tgt");
    let whole = sample("test.tgt", &["--n-best", "2"]);
    assert_eq!(whole.lines().count(), 40);
    assert_eq!(sample("test.tgt", &["--n-best", "2"]), whole);
    assert_eq!(sample("test.tgt", &["--n-best", "2", "--batch-tokens", "1"]), whole);
    assert_eq!(
        sample("test.tgt", &["--n-best", "2", "--sample-seed", "1", "--beam", "1"]),
        whole
    );
    let first: Vec<&str> = whole.lines().step_by(2).collect();
    assert_eq!(sample("test.tgt", &[]).lines().collect::<Vec<_>>(), first);
    assert_ne!(whole.lines().skip(1).step_by(2).collect::<Vec<_>>(), first);
    assert_ne!(sample("test.tgt", &["--n-best", "2", "--sample-seed", "2"]), whole);

    // Other lines do not matter, but the number of a line does.
    let emptied: String = (0..20)
        .zip(text.lines())
        .map(|(number, line)| {
            if number % 2 == 0 {
                format!("{line}\n")
            } else {
                "\n".into()
            }
        })
        .collect();
    work.write("emptied.tgt", emptied);
    let emptied = sample("emptied.tgt", &[]);
    for (number, (line, whole)) in emptied.lines().zip(&first).enumerate() {
        assert_eq!(line, if number % 2 == 0 { *whole } else { "" });
    }
    work.write("same.tgt", "a1 b2 c3 d4 e0\n".repeat(20));
    let same = sample("same.tgt", &["--temperature", "1.5"]);
    let mut outputs: Vec<&str> = same.lines().collect();
    outputs.sort_unstable();
    outputs.dedup();
    assert!(outputs.len() > 15, "{outputs:?}");
}

#[test]
fn a_line_in_parts_has_samples_of_all_its_parts() {
    let work = trained();
    work.write("long.tgt", format!("a1 b2\n{}\n", "a1 b2 c3 d4 e0. ".repeat(10).trim()));
    let outcome = translate("long.tgt", &["--sample", "--n-best", "3"]).ok();
    assert!(
        outcome.stderr.contains("line 2") && outcome.stderr.contains("parts"),
        "{}",
        outcome.stderr
    );
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 6);
    let mut long = lines[3..].to_vec();
    assert!(long.iter().all(|line| line.split_whitespace().count() > 20), "{long:?}");
    long.dedup();
    assert_eq!(long.len(), 3, "{long:?}");
}

#[test]
fn what_leaves_one_choice_is_greedy() {
    let greedy = translate("test.tgt", &["--beam", "1"]).ok().stdout;
    for one in [["--temperature", "1e-9"], ["--top-k", "1"], ["--top-p", "1e-9"]] {
        assert_eq!(sample("test.tgt", &one), greedy, "{one:?}");
    }
    assert_ne!(sample("test.tgt", &["--temperature", "3"]), greedy);
}

#[test]
fn scores_of_samples_are_the_models_log_probabilities() {
    let work = trained();
    let output = sample("test.tgt", &["--temperature", "0.5", "--top-p", "0.9", "--scores"]);
    let lines: Vec<(f64, &str)> = output
        .lines()
        .map(|line| line.split_once('\t').expect("a TAB"))
        .map(|(score, text)| (score.parse().expect("a score"), text))
        .collect();
    work.write(
        "sampled.src",
        lines.iter().map(|(_, text)| format!("{text}\n")).collect::<String>(),
    );
    let files = ["--source", "test.tgt", "--target", "sampled.src", "--device", "flex"];
    let scored = work.run(&[&["score", "runs/reverse"], &files[..]].concat()).ok().stdout;
    let agree = scored.lines().zip(&lines).filter(|(scored, (score, _))| {
        let scored: f64 = scored.parse().expect("a number");
        (scored - score).abs() < 1e-3
    });
    // A text may be cut into other sub-words than those that were drawn.
    let agree = agree.count();
    assert!(agree >= 10, "{agree} of 20 lines have the sample's score");
}

/// From text of the target language to a training on it.
#[test]
fn back_translations_are_trained_on() {
    let work = trained();
    let mono: String = work.read("valid.tgt").lines().map(|line| format!("{line}\n")).collect();
    work.write("mono.tgt", format!("{mono}\n  \n{}\n", "a1 b2\tc3"));
    for name in ["bt.tsv", "bt.tsv.gz", "bt.tsv.zst"] {
        let outcome = translate("mono.tgt", &["--sample", "--n-best", "2", "--pairs", name]).ok();
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.contains(&format!("{name}: ")), "{}", outcome.stderr);
        let told = " pairs of 23 lines; left out: 4 with an empty line";
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    }
    let pairs = work.read("bt.tsv");
    let samples = sample("mono.tgt", &["--n-best", "2"]);
    let expected = samples.lines().zip(mono.lines().flat_map(|line| [line, line]));
    // A TAB that was drawn, as a byte, would part the pair elsewhere.
    let mut expected = expected.map(|(source, target)| format!("{}\t{target}", source.replace('\t', " ")));
    for pair in pairs.lines().filter(|pair| !pair.ends_with("\ta1 b2 c3")) {
        assert!(
            expected.any(|line| line == pair),
            "{pair:?} is out of order or none of the samples"
        );
    }
    translate(
        "mono.tgt",
        &["--sample", "--n-best", "2", "--pairs", "forward.tsv", "--forward"],
    )
    .ok();
    let exchanged: Vec<String> = pairs
        .lines()
        .map(|pair| pair.split_once('\t').expect("a TAB"))
        .map(|(source, target)| format!("{target}\t{source}"))
        .collect();
    assert_eq!(work.read("forward.tsv").lines().collect::<Vec<_>>(), exchanged);

    let written = pairs.lines().count();
    assert!(written > 30, "{written} pairs of 42 samples");

    let settings = [
        "data.train=[\"train\", \"bt.tsv.zst\"]",
        "data.max_length=100",
        "training.stop_after=\"2u\"",
    ];
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    work.train("forward", &arguments).ok();
    let report: serde_json::Value = serde_json::from_str(&work.read("runs/forward/data.json")).expect("JSON");
    assert_eq!(report["kept"].as_u64(), Some(400 + written as u64));
}

/// A model that has learnt nothing does not come to an end.
#[test]
fn what_was_cut_off_is_left_out() {
    let work = trained();
    work.train("young", &["--set", "training.stop_after=\"1u\""]).ok();
    let arguments = [
        "translate",
        "runs/young",
        "test.src",
        "--device",
        "flex",
        "--pairs",
        "young.tsv",
    ];
    let outcome = work.run(&arguments).ok();
    let lines = work.read("young.tsv").lines().count();
    let (told, left_out) = (format!("young.tsv: {lines} pairs of 20 lines"), 20 - lines);
    assert!(outcome.stderr.contains(&told), "{}", outcome.stderr);
    assert!(
        left_out > 0 && outcome.stderr.contains("cut off at the longest output"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    for (arguments, told) in [
        (&["--sample", "--temperature", "0"][..], "0 is not a number above 0"),
        (&["--sample", "--temperature", "-1"], "-1"),
        (&["--sample", "--temperature", "inf"], "inf is not a number above 0"),
        (&["--sample", "--top-p", "0"], "0 is not above 0 and at most 1"),
        (&["--sample", "--top-p", "1.5"], "1.5 is not above 0 and at most 1"),
        (&["--sample", "--top-p", "nan"], "NaN is not above 0 and at most 1"),
        (&["--sample", "--top-k", "-1"], "-1"),
        (&["--sample", "--n-best", "0"], "0 is below the least value 1"),
        (&["--sample", "--length-penalty", "1"], "--length-penalty"),
        (&["--temperature", "1"], "--sample"),
        (&["--top-k", "5"], "--sample"),
        (&["--top-p", "0.9"], "--sample"),
        (&["--sample-seed", "3"], "--sample"),
        (&["--pairs", "pairs.txt"], "ends in .tsv, .tsv.gz or .tsv.zst"),
        (&["--pairs", "p.tsv", "--output", "o"], "--output"),
        (&["--pairs", "p.tsv", "--scores"], "--scores"),
    ] {
        let outcome = translate("test.tgt", arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(told), "{arguments:?}: {}", outcome.stderr);
    }
    translate("test.tgt", &["--sample", "--beam", "4"]).fails_with(&["--beam 4", "hint: --n-best 4"]);
    translate("test.tgt", &["--pairs", "nowhere/p.tsv"]).fails_with(&["cannot write nowhere/p.tsv", "hint: "]);
}
