//! The verbs on a small trained model, as a user calls them.

mod common;

use std::io::Write;
use std::process::Stdio;
use std::sync::OnceLock;

use common::{Outcome, Workplace};

/// One run, trained once for all tests of this file.
fn trained() -> &'static Workplace {
    static WORK: OnceLock<Workplace> = OnceLock::new();
    WORK.get_or_init(|| {
        let work = Workplace::new();
        // Long enough for the model to end its sentences by itself.
        let settings = [
            "--set",
            "training.stop_after=\"600u\"",
            "--set",
            "training.schedule={ kind = \"constant\", peak = 3e-3, warmup = 50 }",
            "--set",
            "model.dropout=0.0",
            "--set",
            "validation.every=\"200u\"",
            "--set",
            "data.max_length=24",
        ];
        let outcome = work.train("run", &settings).ok();
        assert!(outcome.stdout.starts_with("test BLEU "), "{}", outcome.stdout);
        assert!(
            outcome.stdout.trim_end().ends_with("|version:2.6.0"),
            "{}",
            outcome.stdout
        );
        assert_eq!(outcome.stdout.lines().count(), 1, "one line on stdout per test split");
        common::remove_at_exit(&work);
        work
    })
}

fn translate(input: &str, more: &[&str]) -> Outcome {
    let arguments = [&["translate", "runs/run", "--device", "flex"], more].concat();
    let mut command = trained().ember(&arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ember");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes())
        .expect("the input");
    Outcome::new(child.wait_with_output().expect("ember"))
}

#[test]
fn the_run_folder_holds_what_the_contract_names() {
    let work = trained();
    for name in [
        "config.toml",
        "tokenizer.json",
        "data.json",
        "train.log",
        "metrics.jsonl",
        "validations.tsv",
    ] {
        assert!(work.path(&format!("runs/run/{name}")).is_file(), "{name}");
    }
    for name in [
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
        "manifest.json",
    ] {
        assert!(
            work.path(&format!("runs/run/checkpoints/600/{name}")).is_file(),
            "{name}"
        );
    }
    let names = std::fs::read_dir(work.path("runs/run")).expect("the run folder");
    let names: Vec<_> = names
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    assert!(
        names.iter().any(|name| name.starts_with("events.out.tfevents.")),
        "{names:?}"
    );
    assert_eq!(work.read("runs/run/checkpoints/last").trim(), "600");
    assert!(work.path("runs/.store").is_dir(), "the token store lies beside the run");
    assert_eq!(work.losses("run").len(), 600);
}

#[test]
fn one_line_out_for_each_line_in() {
    let input = "a1 b2 c3\n\n  \nf0\u{2028}e1 d2\na1 b2";
    let output = translate(input, &[]).ok().stdout;
    let lines: Vec<&str> = output.split('\n').collect();
    assert_eq!(lines.len(), 6, "five lines, each with its end: {output:?}");
    assert_eq!((lines[1], lines[2], lines[5]), ("", "", ""));
    assert!(!lines[0].is_empty() && !lines[4].is_empty());
    assert_eq!(translate("", &[]).ok().stdout, "");
}

#[test]
fn batches_and_order_change_nothing() {
    let input = trained().read("test.src");
    let whole = translate(&input, &[]).ok().stdout;
    assert_eq!(translate(&input, &["--batch-tokens", "1"]).ok().stdout, whole);
    let reversed: Vec<&str> = input.lines().rev().collect();
    let reversed = translate(&(reversed.join("\n") + "\n"), &[]).ok().stdout;
    assert_eq!(
        reversed.lines().rev().collect::<Vec<_>>(),
        whole.lines().collect::<Vec<_>>()
    );
}

#[test]
fn n_best_and_scores() {
    let output = translate("a1 b2 c3\nd4 e0\n", &["--n-best", "3", "--beam", "4", "--scores"])
        .ok()
        .stdout;
    let lines: Vec<(f64, &str)> = output
        .lines()
        .map(|line| {
            line.split_once('\t')
                .map(|(score, text)| (score.parse().expect("a score"), text))
                .expect("a TAB")
        })
        .collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].0 >= lines[1].0 && lines[1].0 >= lines[2].0 && lines[3].0 >= lines[4].0);
    translate("a1 b2 c3\n", &["--n-best", "3", "--beam", "2"])
        .fails_with(&["--beam 2 finds 2 at most", "hint: --beam 3"]);
    assert_eq!(
        lines[0].1,
        translate("a1 b2 c3\n", &["--beam", "4"]).ok().stdout.trim_end()
    );
}

#[test]
fn a_line_beyond_the_models_length_is_split_and_never_dropped() {
    let long = "a1 b2 c3 d4 e0. ".repeat(40);
    let outcome = translate(&format!("a1 b2\n{long}\nc3\n"), &[]).ok();
    assert!(
        outcome.stderr.contains("line 2") && outcome.stderr.contains("parts"),
        "{}",
        outcome.stderr
    );
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].split_whitespace().count() > 40, "{}", lines[1]);
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_the_work() {
    let work = Workplace::new();
    for option in ["--output", "--attention"] {
        for file in ["no/folder/out", "no/folder/out.svg", "."] {
            // Not even the model is there.
            work.run(&["translate", "runs/none", "test.src", option, file])
                .fails_with(&[&format!("cannot write {file}: "), "hint: "]);
        }
    }
}

#[test]
fn output_goes_to_files_and_to_what_is_none() {
    let work = trained();
    let expected = translate("a1 b2\nc3\n", &[]).ok().stdout;
    work.write("out.txt", "older and longer than what follows\n".repeat(9));
    translate("a1 b2\nc3\n", &["--output", "out.txt"]).ok();
    assert_eq!(work.read("out.txt"), expected);
    #[cfg(unix)]
    assert_eq!(
        translate("a1 b2\nc3\n", &["--output", "/dev/stdout"]).ok().stdout,
        expected
    );
    let names = std::fs::read_dir(work.path("")).expect("a folder");
    let mut names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    assert!(!names.any(|name| name.starts_with(".tmp")), "a temporary file is left");
}

#[test]
fn attention_rows_add_up_to_one() {
    let work = trained();
    translate("a1 b2 c3\n\nd4\n", &["--attention", "attention.json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&work.read("attention.json")).expect("JSON");
    assert_eq!((json["layers"].as_u64(), json["heads"].as_u64()), (Some(1), Some(2)));
    assert!(json["lines"][1].is_null());
    let line = &json["lines"][0];
    let (source, target) = (pieces(&line["source"]), pieces(&line["target"]));
    assert!(source.ends_with(&["</s>"]) && target.ends_with(&["</s>"]));
    let (source, target) = (source.len(), target.len());
    for (maps, [queries, keys]) in [
        ("weights", [target, source]),
        ("encoder", [source, source]),
        ("decoder", [target, target]),
    ] {
        let rows = line[maps][0][1].as_array().expect("the second head");
        assert_eq!(rows.len(), queries);
        for row in rows {
            let row = row.as_array().expect("a row").iter();
            let row: Vec<f64> = row.map(|weight| weight.as_f64().expect("a number")).collect();
            assert_eq!(row.len(), keys);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{row:?}");
        }
    }
}

#[test]
fn attention_is_a_page_by_the_name_of_its_file() {
    let work = trained();
    for name in ["maps.html", "maps.HTM"] {
        translate("a1 b2 c3\n\nd4\n", &["--attention", name]).ok();
        let page = work.read(name);
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{page}");
        for text in ["encoder self-attention", "\"1: a1 b2 c3\"", "\"3: d4\""] {
            assert!(page.contains(text), "{text} is not in {name}");
        }
    }
    translate("a1 b2 c3\n", &["--attention", "maps.txt"]).ok();
    assert!(work.read("maps.txt").starts_with("{\"layers\":1"));
}

#[test]
fn attention_is_one_picture_a_map_by_the_name_of_its_file() {
    let work = trained();
    translate("a1 b2 c3\n\nd4\n", &["--attention", "maps.svg"]).ok();
    for line in [1, 3] {
        // The decoder reads `<s>` and never `</s>`.
        for (kind, token) in [
            ("cross-attention", "\n&lt;/s&gt;\n"),
            ("encoder-self-attention", "\n&lt;/s&gt;\n"),
            ("decoder-self-attention", "\n&lt;s&gt;\n"),
        ] {
            for head in [1, 2] {
                let picture = work.read(&format!("maps.{line}.{kind}.layer-1.head-{head}.svg"));
                assert!(picture.starts_with("<svg") && picture.contains(token), "{picture}");
                assert!(picture.contains(&format!("layer 1, head {head}")), "{picture}");
            }
        }
    }
    assert!(!work.path("maps.svg").exists() && !work.path("maps.2.cross-attention.layer-1.head-1.svg").exists());
}

fn pieces(list: &serde_json::Value) -> Vec<&str> {
    let pieces = list.as_array().expect("pieces").iter();
    pieces.map(|piece| piece.as_str().expect("a piece")).collect()
}

#[test]
fn evaluate_a_model_and_evaluate_its_text_agree() {
    let work = trained();
    let model = work
        .run(&["evaluate", "runs/run", "--split", "test", "--json", "--device", "flex"])
        .ok()
        .stdout;
    let model: serde_json::Value = serde_json::from_str(&model).expect("one JSON object");
    let best = work.read("runs/run/checkpoints/best").trim().to_owned();
    let hypothesis = format!("runs/run/translations/test.{best}.txt");
    let text = work
        .run(&[
            "evaluate",
            "--hypothesis",
            &hypothesis,
            "--reference",
            "test.tgt",
            "--json",
        ])
        .ok()
        .stdout;
    let text: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(model["metrics"], text["metrics"]);
    assert_eq!(
        (model["lines"].as_u64(), model["metrics"][0]["name"].as_str()),
        (Some(20), Some("BLEU"))
    );
    let rows = model["by_length"].as_array().expect("rows");
    assert_eq!(
        rows.iter()
            .map(|row| row["lines"].as_u64().expect("lines"))
            .sum::<u64>(),
        20
    );
}

#[test]
fn average_and_choice_of_checkpoint() {
    let work = trained();
    work.run(&["translate", "runs/run", "test.src", "--checkpoint", "average"])
        .fails_with(&["ember average"]);
    work.run(&["average", "runs/run", "--last", "9"]).fails_with(&["9"]);
    work.run(&["average", "runs/run", "--last", "1"]).ok();
    let of = |checkpoint: &str| {
        work.run(&[
            "translate",
            "runs/run",
            "test.src",
            "--checkpoint",
            checkpoint,
            "--device",
            "flex",
        ])
        .ok()
        .stdout
    };
    assert_eq!(
        of("average"),
        of("last"),
        "the mean of one checkpoint is the checkpoint"
    );
    assert_eq!(of("last"), of("600"));
    assert_eq!(of("runs/run/checkpoints/400"), of("400"));
    work.run(&["average", "runs/run", "--best", "3"]).ok();
    let file = "runs/run/checkpoints/average/average.json";
    let averaged: serde_json::Value = serde_json::from_str(&work.read(file)).expect("JSON");
    assert_eq!(averaged["run"], "small");
    assert_eq!(averaged["selection"], serde_json::json!({ "best": 3 }));
    let parts = averaged["checkpoints"].as_array().expect("a list");
    for (part, update) in parts.iter().zip([200, 400, 600]) {
        let manifest = work.read(&format!("runs/run/checkpoints/{update}/manifest.json"));
        let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
        assert_eq!(part["update"], update);
        assert_eq!(part["model_blake3"], manifest["files"]["model.safetensors"]["blake3"]);
    }
    assert_eq!(parts.len(), 3);
    work.run(&["translate", "runs/run", "test.src", "--checkpoint", "250"])
        .fails_with(&["250", "200, 400, 600"]);
}

#[test]
fn scores_of_pairs_are_those_of_the_search() {
    let work = trained();
    let line = translate("a1 b2 c3\n", &["--scores", "--length-penalty", "0", "--beam", "1"])
        .ok()
        .stdout;
    let (score, text) = line.trim_end().split_once('\t').expect("a TAB");
    work.write("one.src", "a1 b2 c3\n");
    work.write("one.tgt", format!("{text}\n"));
    let outcome = work
        .run(&[
            "score", "runs/run", "--source", "one.src", "--target", "one.tgt", "--device", "flex",
        ])
        .ok();
    let (found, expected): (f64, f64) = (
        outcome.stdout.trim().parse().expect("a number"),
        score.parse().expect("a number"),
    );
    assert!((found - expected).abs() < 1e-3, "{found} against {expected}");
}

#[test]
fn pairs_beyond_the_models_length_are_scored_whole_and_counted() {
    let work = trained();
    let long = "a1 b2 c3 d4 e0 ".repeat(10);
    work.write("long.src", format!("a1 b2\n{}\nc3\n{long}\n", long.trim()));
    work.write("long.tgt", format!("b2 a1\nc3\n{}\n{long}\n", long.trim()));
    let score = |more: &[&str]| {
        let files = ["--source", "long.src", "--target", "long.tgt", "--device", "flex"];
        work.run(&[&["score", "runs/run"], &files[..], more].concat()).ok()
    };
    let text = score(&[]);
    let warning = "warning: 3 of 4 pairs are longer than data.max_length 24, the first in line 2";
    assert!(text.stderr.contains(warning), "{}", text.stderr);
    let scores: Vec<f64> = text
        .stdout
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect();
    assert_eq!(scores.len(), 4);
    assert!(
        scores.iter().all(|score| score.is_finite() && *score < 0.0),
        "{scores:?}"
    );
    assert!(scores[3] < scores[0], "all of a long target counts");

    let json: serde_json::Value = serde_json::from_str(&score(&["--json"]).stdout).expect("one JSON object");
    assert_eq!(
        (json["lines"].as_u64(), json["over_max_length"].as_u64()),
        (Some(4), Some(3))
    );
    let marks = json["pairs"].as_array().expect("pairs").iter();
    let marks: Vec<_> = marks
        .map(|pair| pair["over_max_length"].as_bool().expect("a mark"))
        .collect();
    assert_eq!(marks, [false, true, true, true]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_whose_name_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let work = Workplace::new();
    let folder = work.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::copy(work.path("small.toml"), folder.join("small.toml")).expect("a copy");
    let mut command = work.ember(&["train"]);
    let run = command
        .arg(folder.join("small.toml"))
        .args(["--device", "flex"])
        .output();
    Outcome::new(run.expect("ember")).fails_with(&["data.train: the path ", "is not UTF-8", "hint: "]);
    assert!(!work.path("runs").exists());
}

#[test]
fn errors_have_exit_code_1_and_arguments_2() {
    let work = trained();
    work.run(&["translate", "nowhere"]).fails_with(&["nowhere", "hint"]);
    work.run(&["translate", "runs"]).fails_with(&["config.toml", "hint"]);
    work.run(&["translate", "runs/run", "missing.txt"])
        .fails_with(&["missing.txt"]);
    work.run(&["evaluate", "runs/run", "--split", "tset"])
        .fails_with(&["tset", "test", "valid"]);
    work.run(&["evaluate", "--hypothesis", "test.src", "--reference", "train.tgt"])
        .fails_with(&["20", "400"]);
    work.run(&["train", "missing.toml"]).fails_with(&["missing.toml"]);
    work.train("typo", &["--set", "training.label_smooting=0.1"])
        .fails_with(&["label_smoothing"]);
    for arguments in [
        &["evaluate"][..],
        &["translate"],
        &["train"],
        &["fly"],
        &["evaluate", "runs/run", "--metrics", "blue"],
    ] {
        assert_eq!(work.run(arguments).code, Some(2), "{arguments:?}");
    }
    assert!(
        !work.path("runs/typo").exists(),
        "nothing is written before the config is right"
    );
}

/// Needs no corpus: the folder that the config names is not there.
#[test]
fn bench_reports_training_and_decoding() {
    let work = Workplace::new();
    let arguments = [
        "bench",
        "small.toml",
        "--device",
        "flex",
        "--seconds",
        "0",
        "--batch",
        "2",
    ];
    let nowhere = ["--set", "data.train=nowhere/train", "--json"];
    let outcome = work.run(&[&arguments[..], &nowhere].concat()).ok();
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("a JSON object");
    assert_eq!(report["device"], "flex");
    assert!(report["parameters"].as_u64().is_some_and(|count| count > 1000));
    for key in ["target_tokens_per_second", "milliseconds_per_update"] {
        assert!(
            report["train"][key].as_f64().is_some_and(|value| value > 0.0),
            "{report}"
        );
    }
    let beams: Vec<_> = report["decode"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| (&d["beam"], &d["batch"]))
        .collect();
    assert_eq!(beams, [(&1.into(), &2.into()), (&5.into(), &2.into())]);
}
