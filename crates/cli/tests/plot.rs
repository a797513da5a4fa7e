//! `ember plot` on runs that are whole, that go on, and that lack something.

mod common;

use std::fmt::Write;

use common::Workplace;

/// Makes and reads a run's report.
fn report(work: &Workplace, run: &str) -> String {
    work.run(&["plot", &format!("runs/{run}")]).ok();
    work.read(&format!("runs/{run}/report.html"))
}

#[test]
fn a_whole_run_has_all_its_facts() {
    let work = Workplace::new();
    let scored = work.train("run", &[]).ok().stdout;
    let outcome = work.run(&["plot", "runs/run", "--output", "here.html"]).ok();
    assert!(outcome.stderr.contains("wrote here.html"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    assert!(!work.path("runs/run/report.html").exists());
    let page = work.read("here.html");
    let best = work.read("runs/run/checkpoints/best");
    let bleu = scored.split(' ').nth(2).expect("a score");
    for text in [
        "<title>small</title>",
        "12 updates, in epoch 1.",
        "finished at update 12",
        "<dd dir=\"auto\">flex</dd>",
        "target = &quot;tgt&quot;",
        "train.src</th>",
        "chrF2",
        "By source length, test by checkpoint",
        "waiting for batches",
        &format!("<td dir=\"auto\">{} (best)</td>", best.trim()),
        &format!("<td dir=\"auto\" class=\"number\">{bleu}</td>"),
    ] {
        assert!(page.contains(text), "{text} is not in the report");
    }
    // The corpus is lower-case, which BLEU warns of; the other note is for readers without scripts.
    let notes = page.split("class=\"note\">").skip(1);
    let beginnings: Vec<&str> = notes.map(|note| &note[..18]).collect();
    assert_eq!(beginnings, ["test by checkpoint", "The maps, the firs"]);
}

#[test]
fn a_run_that_goes_on_is_shown_up_to_its_last_whole_line() {
    let work = Workplace::new();
    work.train("run", &[]).ok();
    let metrics = work.read("runs/run/metrics.jsonl");
    let end = metrics.trim_end().rfind('\n').expect("several lines");
    work.write("runs/run/metrics.jsonl", &metrics[..end + 40]);
    let rows = work.read("runs/run/validations.tsv");
    work.write("runs/run/validations.tsv", &rows[..rows.len() - 9]);
    let page = report(&work, "run");
    assert!(page.contains("<p>11 updates, in epoch 1. The best validation was after update"));
    assert!(!page.contains("could not be read"));
}

#[test]
fn what_a_run_lacks_is_said_in_its_place() {
    let work = Workplace::new();
    work.train("run", &[]).ok();
    for lost in ["metrics.jsonl", "validations.tsv", "train.log", "data.json"] {
        std::fs::remove_file(work.path("runs/run").join(lost)).expect("a file");
    }
    for lost in ["checkpoints", "translations"] {
        std::fs::remove_dir_all(work.path("runs/run").join(lost)).expect("a folder");
    }
    let page = report(&work, "run");
    for text in [
        "A run without an update so far.",
        "metrics.jsonl tells of no update yet.",
        "There is no validation yet.",
        "test: not translated yet",
        "No sentence could be translated: ",
        "train.log has no summary yet",
        "data.json cannot be read",
    ] {
        assert!(page.contains(text), "{text} is not in the report");
    }
}

#[test]
fn references_that_are_gone_or_changed_are_told() {
    let work = Workplace::new();
    work.train("run", &[]).ok();
    work.write("test.tgt", "one line\n");
    assert!(report(&work, "run").contains("<p class=\"note\">test by checkpoint "));
    std::fs::remove_file(work.path("test.tgt")).expect("a file");
    let page = report(&work, "run");
    assert!(page.contains("test.tgt") && page.contains("No sentence could be translated"));
}

#[test]
fn a_translation_that_the_run_would_not_make_is_not_scored() {
    let work = Workplace::new();
    let settings = ["--set", "training.stop_after=\"2u\"", "--set", "decoding.beam=2"];
    work.train("run", &settings).ok();
    let note = work.read("runs/run/translations/test.2.json");
    let scored = "By source length, test by checkpoint 2";
    assert!(report(&work, "run").contains(scored));
    for (old, new, reason) in [
        ("\"beam\":2", "\"beam\":1", "other options than the config"),
        (
            "\"models_blake3\":[\"",
            "\"models_blake3\":[\"0",
            "the checkpoint had other weights",
        ),
        (
            "\"source_blake3\":\"",
            "\"source_blake3\":\"0",
            "the source was another one",
        ),
        (
            "\"text_blake3\":\"",
            "\"text_blake3\":\"0",
            "it was changed since it was made",
        ),
        ("{", "", "nothing tells how it was made"),
    ] {
        let other = note.replacen(old, new, 1);
        assert_ne!(note, other, "{old} stands in {note}");
        work.write("runs/run/translations/test.2.json", other);
        let page = report(&work, "run");
        let told = "test by checkpoint 2: the translation that is kept is left out: ";
        assert!(
            page.contains(told) && page.contains(reason),
            "{reason} is not in the report"
        );
        assert!(!page.contains(scored), "{reason}");
    }
}

#[test]
fn a_model_without_attention_has_a_report_too() {
    let work = Workplace::new();
    work.train(
        "run",
        &["--set", "model.arch=rnn", "--set", "training.stop_after=\"2u\""],
    )
    .ok();
    let page = report(&work, "run");
    assert!(page.contains("\"kinds\":[]") && page.contains("[\"reference\","));
}

#[test]
fn a_long_run_has_a_small_report() {
    let work = Workplace::new();
    work.train("run", &[]).ok();
    let (mut metrics, mut rows) = (String::new(), work.read("runs/run/validations.tsv"));
    let header: Vec<String> = rows
        .lines()
        .next()
        .expect("a header")
        .split('\t')
        .map(String::from)
        .collect();
    for update in 1..=30_000u32 {
        let wave = f64::from(update * 7919 % 1000) / 300.0;
        let _ = writeln!(
            metrics,
            "{{\"update\":{update},\"epoch\":3,\"loss\":{wave},\"learning_rate\":1e-3,\"gradient_norm\":{wave},\
             \"target_tokens\":100,\"total_target_tokens\":{},\"skipped\":0,\"seconds\":0.01}}",
            100 * update
        );
        if update % 10 == 0 {
            let values = header.iter().map(|name| match name.as_str() {
                "update" => update.to_string(),
                "best" | "metric" => String::new(),
                _ => "1".into(),
            });
            let _ = writeln!(rows, "{}", values.collect::<Vec<_>>().join("\t"));
        }
    }
    work.write("runs/run/metrics.jsonl", metrics);
    work.write("runs/run/validations.tsv", rows);
    let page = report(&work, "run");
    assert!(page.contains("30000 updates") && page.contains("stands for 100 updates"));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn what_is_no_run_is_refused() {
    let work = Workplace::new();
    work.run(&["plot", "nowhere"])
        .fails_with(&["nowhere does not exist", "hint: "]);
    work.train("run", &["--set", "training.stop_after=\"2u\""]).ok();
    work.run(&["plot", "runs/run", "--output", "no/folder/report.html"])
        .fails_with(&["no/folder"]);
}
