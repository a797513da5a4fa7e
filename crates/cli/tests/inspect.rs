//! `ember inspect`: what it tells of configs and runs, and what it leaves behind.

mod common;

use common::{Outcome, Workplace};
use serde_json::Value;

fn inspect(work: &Workplace, more: &[&str]) -> Value {
    let outcome = work.run(&[&["inspect"], more, &["--json"]].concat()).ok();
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
    serde_json::from_str(&outcome.stdout).expect("one JSON object")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Everything but what a machine or a measured constant decides.
#[test]
fn the_tables_of_a_config() {
    let work = Workplace::new();
    let outcome = work.run(&["inspect", "small.toml"]).ok();
    let (before, after) = outcome.stdout.split_once("memory on a CPU").expect("a forecast");
    let (_, after) = after.split_once("\n\n").expect("what follows it");
    insta::assert_snapshot!(format!("{before}{after}"));
    assert_narrow(&outcome.stdout);
}

#[track_caller]
fn assert_narrow(text: &str) {
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?} columns:\n{text}");
}

#[test]
fn every_architecture_has_its_parts() {
    let work = Workplace::new();
    for (arch, module) in [
        ("transformer", "decoder.layers.0.cross_attention"),
        ("rnn", "decoder.0"),
        ("rnn-attention", "attention"),
    ] {
        let found = inspect(&work, &["small.toml", "--set", &format!("model.arch={arch}")]);
        let parameters = &found["parameters"];
        let modules = parameters["modules"].as_array().expect("modules");
        assert!(modules.iter().any(|found| found["name"] == module), "{arch}");
        let sum: f64 = modules.iter().map(|module| number(&module["parameters"])).sum();
        assert_eq!(sum, number(&parameters["total"]));
        let parts = ["embedding", "encoder", "decoder", "output"];
        let sum: f64 = parts.iter().map(|part| number(&parameters["parts"][*part])).sum();
        assert_eq!(sum, number(&parameters["total"]));
        assert_eq!(found["positions"].is_null(), arch != "transformer");
        assert!(number(&found["memory"]["peak_mib"]) >= number(&found["memory"]["update_mib"]));
    }
}

#[test]
fn rates_are_listed_where_layers_differ() {
    let work = Workplace::new();
    let table = "model.residual_dropout={ encoder = 0.1, decoder = [0.2, 0.3] }";
    let settings = ["small.toml", "--set", "model.decoder_layers=2", "--set", table];
    let rows = inspect(&work, &settings)["dropout"].clone();
    let row = |layer: &str, residual: f64| serde_json::json!({ "layer": layer, "attention": 0.1, "feed_forward": 0.1, "residual": residual });
    let expected = [
        row("encoder.layers.0", 0.1),
        row("decoder.layers.0", 0.2),
        row("decoder.layers.1", 0.3),
    ];
    assert_eq!(rows, serde_json::json!(expected));
    let text = work.run(&[&["inspect"], &settings[..]].concat()).ok().stdout;
    assert!(
        text.contains("decoder.layers.1                    0.1          0.1          0.3"),
        "{text}"
    );
    assert_narrow(&text);

    let sides = "model.residual_dropout={ encoder = 0.1, decoder = 0.2 }";
    let found = inspect(&work, &["small.toml", "--set", "model.arch=rnn", "--set", sides]);
    let row = |layer: &str, residual: f64| serde_json::json!({ "layer": layer, "residual": residual });
    assert_eq!(
        found["dropout"],
        serde_json::json!([row("encoder", 0.1), row("decoder", 0.2)])
    );
    let same = "model.residual_dropout={ encoder = 0.1, decoder = [0.1] }";
    assert!(inspect(&work, &["small.toml", "--set", same])["dropout"].is_null());
}

#[test]
fn nothing_is_left_behind() {
    let work = Workplace::new();
    let temporary = tempfile::tempdir().expect("a folder");
    let names = || {
        let entries = std::fs::read_dir(work.path("")).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let mut command = work.ember(&["inspect", "small.toml"]);
    let status = command.env("TMPDIR", temporary.path()).output().expect("ember").status;
    assert!(status.success());
    assert_eq!(names(), before);
    assert_eq!(std::fs::read_dir(temporary.path()).expect("a folder").count(), 0);
}

#[test]
fn without_its_text_a_config_is_inspected_all_the_same() {
    let work = Workplace::new();
    let nowhere = ["small.toml", "--set", "data.train=nowhere/train"];
    let found = inspect(&work, &nowhere);
    assert_eq!(found["vocabulary"]["is_learnt"], false);
    assert_eq!(found["vocabulary"]["source"]["size"], 300);
    assert!(found["vocabulary"]["source"]["coverage"].is_null());
    assert_eq!(found["memory"]["batch_source"], "longest");
    assert_eq!(found["memory"]["batch"]["target_length"], 41, "max_length 40 and </s>");
    let text = work.run(&[&["inspect"], &nowhere[..]].concat()).ok().stdout;
    assert!(text.contains("the training text is not there"), "{text}");
    assert_narrow(&text);
}

#[test]
fn merges_without_the_text_are_counted_with_the_bytes() {
    let work = Workplace::new();
    let merges = [
        "small.toml",
        "--set",
        "data.train=nowhere/train",
        "--set",
        "tokenizer.pretokenized=true",
        "--set",
        "tokenizer.merges=100",
    ];
    let vocabulary = &inspect(&work, &merges)["vocabulary"];
    assert_eq!(vocabulary["source"]["size"], 4 + 256 + 1 + 100);
    assert_eq!(vocabulary["lacks_characters"], true);
    let text = work.run(&[&["inspect"], &merges[..]].concat()).ok().stdout;
    assert!(text.contains("characters, which come on top of the merges"), "{text}");
    assert_narrow(&text);
}

#[test]
fn a_run_tells_what_its_config_told() {
    let work = Workplace::new();
    let before = inspect(&work, &["small.toml"]);
    work.train("run", &["--set", "training.stop_after=\"2u\""]).ok();
    let after = inspect(&work, &["runs/run"]);
    for part in ["parameters", "vocabulary", "memory"] {
        assert_eq!(before[part], after[part], "{part}");
    }
    assert_eq!(after["schedule"]["updates"], 2);
    work.run(&["inspect", "runs/run", "--set", "seed=2"])
        .fails_with(&["--set seed=2", "run folder", "hint: "]);
}

#[test]
fn pictures_are_drawn_where_they_are_wanted() {
    let work = Workplace::new();
    work.run(&["inspect", "small.toml"]).ok();
    assert!(!work.path("schedule.svg").exists());
    let concat = ["--set", "model.position_merge=concat"];
    let outcome = work
        .run(&[&["inspect", "small.toml", "--pictures", "pictures/new"], &concat[..]].concat())
        .ok();
    assert!(
        outcome.stderr.contains("wrote pictures/new/positions.svg"),
        "{}",
        outcome.stderr
    );
    let positions = work.read("pictures/new/positions.svg");
    assert!(positions.starts_with("<svg ") && positions.contains("dimensions 16 to 31 beside the embedding"));
    assert!(work.read("pictures/new/schedule.svg").contains("learning rate"));

    let recurrent = ["inspect", "small.toml", "--set", "model.arch=rnn", "--pictures", "rnn"];
    let outcome = work.run(&recurrent).ok();
    assert!(
        outcome.stderr.contains("no positions.svg: a recurrent model"),
        "{}",
        outcome.stderr
    );
    assert!(work.path("rnn/schedule.svg").is_file() && !work.path("rnn/positions.svg").exists());

    let plateau = "training.schedule={ kind = \"plateau\", peak = 1e-3, warmup = 3 }";
    let outcome = work.run(&["inspect", "small.toml", "--set", plateau]).ok();
    assert!(
        outcome.stdout.contains("validations without improvement"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn what_cannot_be_inspected_is_told() {
    let work = Workplace::new();
    work.run(&["inspect", "missing.toml"]).fails_with(&["missing.toml"]);
    std::fs::create_dir(work.path("empty")).expect("a folder");
    work.run(&["inspect", "empty"])
        .fails_with(&["is no run folder", "hint: "]);
    work.run(&["inspect", "small.toml", "--set", "model.d_modell=8"])
        .fails_with(&["d_model"]);
    work.write("train.tgt", "one line\n");
    work.run(&["inspect", "small.toml"]).fails_with(&["train.tgt"]);
    work.run(&[
        "inspect",
        "small.toml",
        "--pictures",
        "small.toml",
        "--set",
        "data.train=nowhere",
    ])
    .fails_with(&["cannot create small.toml"]);
    assert_eq!(work.run(&["inspect"]).code, Some(2));
    assert_eq!(work.run(&["inspect", "small.toml", "--length", "1"]).code, Some(2));
}

/// The forecast against what a process of its own takes.
#[cfg(target_os = "linux")]
#[test]
fn the_forecast_is_near_what_bench_measures() {
    for r_drop in ["training.r_drop=0", "training.r_drop=5"] {
        assert_forecast_is_near(r_drop);
    }
}

#[cfg(target_os = "linux")]
fn assert_forecast_is_near(setting: &str) {
    let work = Workplace::new();
    let settings = [
        "model.d_model=128",
        "model.d_ff=512",
        "model.encoder_layers=2",
        "model.decoder_layers=2",
        "training.batch_tokens=4096",
        "tokenizer.vocabulary=2000",
        "data.train=nowhere",
        setting,
    ];
    let run = |arguments: &[&str]| -> Value {
        let mut command = work.ember(arguments);
        for setting in settings {
            command.args(["--set", setting]);
        }
        // As many as on a small machine, for every thread has its share of the allocator.
        command.args(["--length", "16", "--json"]).env("RAYON_NUM_THREADS", "2");
        let outcome = Outcome::new(command.output().expect("ember")).ok();
        serde_json::from_str(&outcome.stdout).expect("one JSON object")
    };
    let forecast = number(&run(&["inspect", "small.toml"])["memory"]["update_mib"]);
    let bench = run(&[
        "bench",
        "small.toml",
        "--device",
        "flex",
        "--seconds",
        "0",
        "--batch",
        "1",
    ]);
    let measured = number(&bench["train"]["peak_rss_mib"]);
    assert!(
        (forecast / measured - 1.0).abs() < 0.2,
        "{setting}: {forecast} MiB forecast, {measured} MiB measured"
    );
}

#[test]
fn the_help() {
    insta::assert_snapshot!(Workplace::new().run(&["inspect", "--help"]).ok().stdout);
}
