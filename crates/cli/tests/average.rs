//! `ember average`: which checkpoints it takes.

mod common;

use common::Workplace;

#[test]
fn given_checkpoints_are_averaged_also_with_a_moving_average() {
    let work = Workplace::new();
    work.train("run", &["--set", "training.ema=0.5"]).ok();
    let outcome = work.run(&["average", "runs/run", "--checkpoints", "12,4"]).ok();
    assert!(
        outcome.stderr.contains("averaged the checkpoints 4, 12 into"),
        "{}",
        outcome.stderr
    );
    let json: serde_json::Value =
        serde_json::from_str(&work.read("runs/run/checkpoints/average/average.json")).expect("JSON");
    assert_eq!(json["selection"], serde_json::json!({ "updates": [12, 4] }));
    let updates: Vec<_> = json["checkpoints"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|part| &part["update"])
        .collect();
    assert_eq!(updates, [4, 12]);
    if cfg!(target_os = "linux") {
        // Where nothing can be said the work is done all the same.
        let full = std::fs::File::create("/dev/full").expect("a device");
        let status = work
            .ember(&["average", "runs/run"])
            .args(["--last", "2"])
            .stderr(full)
            .status();
        assert_eq!(status.expect("the ember command").code(), Some(0));
    }
    let translate = [
        "translate",
        "runs/run",
        "test.src",
        "--checkpoint",
        "average",
        "--device",
        "flex",
    ];
    assert_eq!(work.run(&translate).ok().stdout.lines().count(), 20);
}

#[test]
fn without_a_number_what_there_is_is_averaged() {
    let work = Workplace::new();
    work.train("run", &[]).ok();
    let outcome = work.run(&["average", "runs/run"]).ok();
    assert!(
        outcome.stderr.contains("averaged the checkpoints 4, 8, 12 into"),
        "{}",
        outcome.stderr
    );
    work.run(&["average", "runs/run", "--last", "5"])
        .fails_with(&["3 checkpoints to average, 5 were asked for", "hint: "]);
}

#[test]
fn checkpoints_that_are_not_there_are_told() {
    let work = Workplace::new();
    work.train("run", &[]).ok();
    let average = |updates: &str| work.run(&["average", "runs/run", "--checkpoints", updates]);
    average("4,5,7").fails_with(&["no checkpoint of update 5, 7", "it has 4, 8, 12"]);
    average("4,8,4").fails_with(&["update 4 twice", "hint: "]);
    for arguments in [["--checkpoints", "four"], ["--checkpoints", ""]] {
        assert_eq!(
            work.run(&[&["average", "runs/run"], &arguments[..]].concat()).code,
            Some(2)
        );
    }
    let both = ["average", "runs/run", "--checkpoints", "4", "--best", "1"];
    assert_eq!(work.run(&both).code, Some(2));
    assert!(!work.path("runs/run/checkpoints/average").exists());
}
