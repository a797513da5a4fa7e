//! Noisy text of our own making, and what sacreBLEU 2.6.0 says about it, made by `scripts/freeze_sacrebleu.py`.
//!
//! `EMBER_FROZEN_JSON` names another file of the same kind, for a differential test on more text.

use std::path::PathBuf;

use ember_metrics::{Bleu, Chrf, Ter, VARIABLE_REFERENCES};
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
    let frozen = frozen();
    for (name, corpus) in frozen["corpora"].as_object().unwrap() {
        let hypotheses: Vec<String> = serde_json::from_value(corpus["hypotheses"].clone()).unwrap();
        let references: References = serde_json::from_value(corpus["references"].clone()).unwrap();
        for expected in corpus[metric].as_array().unwrap() {
            let what = format!("{metric} {} on {name}", expected["options"]);
            check(&what, &hypotheses, &references, expected);
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

/// The number of references as signatures state it.
fn n_references(references: &References) -> usize {
    let count = |line: usize| references.iter().filter(|reference| reference[line].is_some()).count();
    let first = count(0);
    let same = (1..references[0].len()).all(|line| count(line) == first);
    if same { first } else { VARIABLE_REFERENCES }
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
