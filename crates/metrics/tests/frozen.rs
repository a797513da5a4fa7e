//! Noisy text of our own making, and what sacreBLEU 2.6.0 says about it, made by `scripts/freeze_sacrebleu.py`.
//!
//! `EMBER_FROZEN_JSON` names another file of the same kind, for a differential test on more text.

use std::path::PathBuf;

use ember_metrics::corpus::n_references;
use ember_metrics::{Bleu, Chrf, Metric, PairedTest, Rows, Ter};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

type References = Vec<Vec<Option<String>>>;

fn frozen() -> Value {
    let file: PathBuf = match std::env::var_os("EMBER_FROZEN_JSON") {
        Some(file) => file.into(),
        None => "tests/frozen.json".into(),
    };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// Runs a check with every set of options of a metric, on every corpus.
fn for_each(metric: &str, check: impl Fn(&str, &[String], &References, &Value)) {
    for_each_corpus(metric, |what, _, hypotheses, references, expected| {
        check(what, hypotheses, references, expected)
    });
}

/// The same, with the corpus itself.
fn for_each_corpus(metric: &str, check: impl Fn(&str, &Value, &[String], &References, &Value)) {
    let frozen = frozen();
    for (name, corpus) in frozen["corpora"].as_object().unwrap() {
        let hypotheses: Vec<String> = serde_json::from_value(corpus["hypotheses"].clone()).unwrap();
        let references: References = serde_json::from_value(corpus["references"].clone()).unwrap();
        for expected in corpus[metric].as_array().unwrap() {
            let what = format!("{metric} {} on {name}", expected["options"]);
            check(&what, corpus, &hypotheses, &references, expected);
        }
    }
}

/// Compares sentence by sentence, and shows the text where they differ.
fn each_sentence(
    what: &str,
    hypotheses: &[String],
    references: &References,
    expected: &Value,
    score: impl Fn(&str, &[&str]) -> f64,
) {
    for (line, expected) in expected["sentences"].as_array().unwrap().iter().enumerate() {
        let texts: Vec<&str> = references
            .iter()
            .filter_map(|reference| reference[line].as_deref())
            .collect();
        let (found, expected) = (score(&hypotheses[line], &texts), expected.as_f64().unwrap());
        let near = (found - expected).abs() < TOLERANCE;
        assert!(
            near,
            "{what}, line {line}: {found} not {expected}\n{:?}\n{texts:?}",
            hypotheses[line]
        );
    }
}

fn assert_near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() < TOLERANCE, "{what}: {found} not {expected}");
}

#[test]
fn bleu() {
    for_each("bleu", |what, hypotheses, references, expected| {
        let bleu = Bleu::new(serde_json::from_value(expected["options"].clone()).unwrap());
        each_sentence(what, hypotheses, references, expected, |line, texts| {
            bleu.sentence(line, texts).score
        });
        let found = bleu.corpus(hypotheses, references).unwrap();
        if let Some(counts) = expected.get("counts") {
            assert_eq!(Value::from(found.counts.clone()), *counts, "{what}");
            assert_eq!(Value::from(found.totals.clone()), expected["totals"], "{what}");
        }
        assert_eq!(
            Value::from(found.hypothesis_length),
            expected["hypothesis_length"],
            "{what}"
        );
        assert_eq!(
            Value::from(found.reference_length),
            expected["reference_length"],
            "{what}"
        );
        assert_near(found.score, &expected["score"], what);
        assert_near(found.brevity_penalty, &expected["brevity_penalty"], what);
        for (found, expected) in found.precisions.iter().zip(expected["precisions"].as_array().unwrap()) {
            assert_near(*found, expected, what);
        }
        assert_eq!(found.to_string(), expected["printed"].as_str().unwrap(), "{what}");
        assert_eq!(
            bleu.signature(n_references(references)),
            expected["signature"].as_str().unwrap(),
            "{what}"
        );
    });
}

#[test]
fn chrf() {
    for_each("chrf", |what, hypotheses, references, expected| {
        let chrf = Chrf::new(serde_json::from_value(expected["options"].clone()).unwrap());
        each_sentence(what, hypotheses, references, expected, |line, texts| {
            chrf.sentence(line, texts).score
        });
        assert_near(
            chrf.corpus(hypotheses, references).unwrap().score,
            &expected["score"],
            what,
        );
        assert_eq!(chrf.name(), expected["name"].as_str().unwrap(), "{what}");
        assert_eq!(
            chrf.signature(n_references(references)),
            expected["signature"].as_str().unwrap(),
            "{what}"
        );
    });
}

#[test]
fn ter() {
    for_each("ter", |what, hypotheses, references, expected| {
        let ter = Ter::new(serde_json::from_value(expected["options"].clone()).unwrap());
        each_sentence(what, hypotheses, references, expected, |line, texts| {
            ter.sentence(line, texts).edits as f64
        });
        let found = ter.corpus(hypotheses, references).unwrap();
        assert_eq!(Value::from(found.edits), expected["edits"], "{what}");
        assert_near(found.reference_length, &expected["reference_length"], what);
        assert_near(found.score, &expected["score"], what);
        assert_eq!(
            ter.signature(n_references(references)),
            expected["signature"].as_str().unwrap(),
            "{what}"
        );
    });
}

fn metric(name: &str, options: &Value) -> Metric {
    let options = options.clone();
    match name {
        "bleu" => Metric::Bleu(Bleu::new(serde_json::from_value(options).unwrap())),
        "chrf" => Metric::Chrf(Chrf::new(serde_json::from_value(options).unwrap())),
        "ter" => Metric::Ter(Ter::new(serde_json::from_value(options).unwrap())),
        _ => panic!("unknown metric {name}"),
    }
}

#[test]
fn paired_tests() {
    for_each_corpus("paired", |what, corpus, hypotheses, references, expected| {
        let metric = metric(expected["metric"].as_str().unwrap(), &expected["options"]);
        let test = PairedTest {
            kind: expected["test"].as_str().unwrap().parse().unwrap(),
            samples: expected["samples"].as_u64().unwrap() as usize,
            seed: expected["seed"].as_u64().unwrap(),
        };
        let what = format!("{what} {} {}", expected["metric"], expected["test"]);
        let others: Vec<Vec<String>> = serde_json::from_value(corpus["systems"].clone()).unwrap();
        let systems = std::iter::once(hypotheses).chain(others.iter().map(Vec::as_slice));
        let systems: Vec<Rows> = systems.map(|system| metric.rows(system, references).unwrap()).collect();
        let results = test.run(&metric, &systems);
        let expected_results = expected["systems"].as_array().unwrap();
        assert_eq!(results.len(), expected_results.len());
        for (system, (found, expected)) in results.iter().zip(expected_results).enumerate() {
            let what = format!("{what}, system {system}");
            assert_near(found.score, &expected["score"], &what);
            // How often chance does more is a count: near is not enough.
            assert_eq!(found.p_value, expected["p"].as_f64(), "{what}: p value");
            assert_eq!(found.interval.is_some(), !expected["mean"].is_null(), "{what}");
            if let Some(interval) = found.interval {
                assert_near(interval.mean, &expected["mean"], &format!("{what}: mean"));
                assert_near(interval.half_width, &expected["ci"], &format!("{what}: interval"));
            }
        }
        let signature = test.signature(&metric, n_references(references));
        assert_eq!(signature, expected["signature"].as_str().unwrap(), "{what}");
    });
}
