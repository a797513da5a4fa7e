//! Recurrent models through every command.

mod common;

use common::{Workplace, assert_same_run};

fn with<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|setting| ["--set", setting]).collect()
}

#[test]
fn a_run_in_two_parts_equals_one_and_its_model_can_be_used() {
    let work = Workplace::new();
    let arguments = with(&[
        "model.arch=rnn-attention",
        "model.cell=gru",
        "model.encoder_layers=2",
        "model.input_feeding=true",
        "model.dropout=0.2",
        "training.stop_after=\"8u\"",
    ]);
    work.train("whole", &arguments).ok();
    work.train(
        "parts",
        &[&arguments[..], &with(&["training.stop_after=\"4u\""])].concat(),
    )
    .ok();
    work.train("parts", &arguments).ok();
    assert_same_run(&work.path("runs/whole"), &work.path("runs/parts"));

    work.write("input", "a1 b2 c3\n\nd4 e0\n");
    let translate = ["translate", "runs/whole", "input", "--beam", "3", "--device", "flex"];
    let found = work.run(&[&translate[..], &["--attention", "maps.json"]].concat()).ok();
    assert_eq!(found.stdout.lines().count(), 3);
    let maps: serde_json::Value = serde_json::from_str(&work.read("maps.json")).expect("JSON");
    assert_eq!((&maps["layers"], &maps["heads"]), (&1.into(), &1.into()));
    let line = maps["lines"][0].as_object().expect("an object");
    assert_eq!(line.keys().collect::<Vec<_>>(), ["source", "target", "weights"]);
    let rows = line["weights"][0][0].as_array().expect("rows");
    for row in rows {
        let sum: f64 = row
            .as_array()
            .expect("a row")
            .iter()
            .filter_map(serde_json::Value::as_f64)
            .sum();
        assert!((sum - 1.0).abs() < 1e-5, "{row}");
    }
    work.run(&["evaluate", "runs/whole", "--device", "flex"]).ok();
    work.run(&["average", "runs/whole", "--last", "2"]).ok();
    work.run(&[
        "bench",
        "small.toml",
        "--seconds",
        "0",
        "--batch",
        "2",
        "--set",
        "model.arch=rnn",
    ])
    .ok();
}

#[test]
fn a_model_without_attention_has_none_to_show() {
    let work = Workplace::new();
    let arguments = with(&[
        "model.arch=rnn",
        "model.bidirectional=false",
        "training.stop_after=\"2u\"",
    ]);
    work.train("run", &arguments).ok();
    work.write("input", "a1 b2\n");
    let command = ["translate", "runs/run", "input", "--attention", "maps.json"];
    work.run(&command)
        .fails_with(&["model.arch: this model has no attention to show", "hint: "]);
    assert!(!work.path("maps.json").exists());
}

#[test]
fn keys_of_another_architecture_are_refused() {
    let work = Workplace::new();
    for (settings, told) in [
        (vec!["model.cell=gru"], "model.cell: "),
        (vec!["model.arch=rnn", "model.score=dot"], "model.score: "),
        (
            vec!["model.arch=rnn", "model.position_merge=concat"],
            "model.position_merge: ",
        ),
        (
            vec!["model.arch=rnn", "model.d_model=33", "model.n_heads=1"],
            "model.d_model: ",
        ),
        (vec!["model.arch=lstm"], "model.arch"),
    ] {
        work.train("run", &with(&settings)).fails_with(&[told, "hint: "]);
    }
    assert!(!work.path("runs").exists());
}
