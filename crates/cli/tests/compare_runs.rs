//! `ember compare` of trained runs: by the translations that they keep, or translated now.

mod common;

use common::Workplace;
use serde_json::Value;

/// Two runs of twelve updates that differ in their seed.
fn trained() -> Workplace {
    let work = Workplace::new();
    work.train("one", &[]).ok();
    work.train("two", &["--set", "seed=2"]).ok();
    work
}

fn compare(work: &Workplace, more: &[&str]) -> Value {
    let runs = [
        "compare",
        "runs/one",
        "runs/two",
        "--json",
        "--device",
        "flex",
        "--samples",
        "50",
    ];
    let output = work.run(&[&runs[..], more].concat()).ok().stdout;
    serde_json::from_str(&output).expect("one JSON object")
}

/// All but the names and the time.
fn results(mut comparison: Value) -> Value {
    for metric in comparison["metrics"].as_array_mut().expect("metrics") {
        for system in metric["systems"].as_array_mut().expect("systems") {
            system["name"].take();
        }
    }
    comparison["metrics"].take()
}

fn translation(work: &Workplace, run: &str, kind: &str) -> String {
    let best = work.read(&format!("runs/{run}/checkpoints/best"));
    format!("runs/{run}/translations/test.{}.{kind}", best.trim())
}

#[test]
fn kept_translations_are_compared_and_stale_ones_are_made_again() {
    let work = trained();
    let found = compare(&work, &[]);
    assert_eq!(found["baseline"], "runs/one");
    assert_eq!(found["lines"], 20);
    let texts = ["one", "two"].map(|run| translation(&work, run, "txt"));
    let arguments = [
        "compare",
        "--json",
        "--samples",
        "50",
        "--reference",
        "test.tgt",
        "--hypothesis",
    ];
    let of_text = work
        .run(&[&arguments[..], &[&texts[0], &texts[1]]].concat())
        .ok()
        .stdout;
    let of_text: Value = serde_json::from_str(&of_text).expect("one JSON object");
    assert_eq!(results(found.clone()), results(of_text));

    // A search that the config does not ask for is not kept, and a text that somebody changed is not what the run would
    // say.
    let kept = || ["txt", "json"].map(|kind| work.read(&translation(&work, "one", kind)));
    let before = kept();
    for options in [["--beam", "1"], ["--length-penalty", "0.5"]] {
        work.run(&[&["evaluate", "runs/one", "--device", "flex"], &options[..]].concat())
            .ok();
        assert_eq!(kept(), before, "{options:?}");
    }
    work.write(&texts[1], "a0\n".repeat(20));
    assert_eq!(results(compare(&work, &[])), results(found.clone()));

    // Now all is kept again, so that no model is needed; without the note on its origin it is.
    for run in ["one", "two"] {
        let best = work.read(&format!("runs/{run}/checkpoints/best"));
        work.write(
            &format!("runs/{run}/checkpoints/{}/model.safetensors", best.trim()),
            "damaged",
        );
    }
    assert_eq!(results(compare(&work, &[])), results(found));
    std::fs::remove_file(work.path(&translation(&work, "two", "json"))).expect("the note is there");
    work.run(&["compare", "runs/one", "runs/two", "--device", "flex"])
        .fails_with(&["runs/two", "model.safetensors", "hint"]);
}

#[test]
fn other_splits_and_other_references() {
    let work = trained();
    let valid = compare(&work, &["--split", "valid", "--metrics", "chrf"]);
    assert_eq!(valid["metrics"][0]["systems"].as_array().map(Vec::len), Some(2));
    let runs = ["compare", "runs/one", "runs/two", "--split"];
    work.run(&[&runs[..], &["tset"]].concat())
        .fails_with(&["runs/one", "\"tset\"", "test, valid", "--split"]);

    let config = work.read("runs/two/config.toml");
    let other = config.replace("/test\"", "/valid\"");
    assert_ne!(config, other, "the test corpus stands in {config}");
    work.write("runs/two/config.toml", other);
    work.run(&["compare", "runs/one", "runs/two"]).fails_with(&[
        "the references of test differ in line 1",
        "runs/one",
        "runs/two",
        "hint",
    ]);
    work.run(&["compare", "runs/one", "runs/one"])
        .fails_with(&["runs/one is given twice"]);
}
