//! Published test sets with sacreBLEU's scores, where they are at hand.
//!
//! They are looked for in `shared/data/vectors` beside the repository or under `$EMBER_SHARED_DATA/vectors`. Their terms
//! do not let them be part of the repository; without them the tests say so and pass. `frozen.rs` needs no such data.

use std::path::{Path, PathBuf};

use ember_metrics::{Bleu, BleuOptions, BleuScore, Chrf, ChrfOptions, Ter, TerOptions};
use serde_json::Value;

/// The scores were written down with six decimals or more.
const TOLERANCE: f64 = 1e-6;

/// The TER of the systems in SCORES.tsv is that of their first lines only.
const TER_LINES: usize = 500;

fn vectors() -> Option<PathBuf> {
    let shared = match std::env::var_os("EMBER_SHARED_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from("../../../shared/data"),
    };
    let vectors = shared.join("vectors");
    if !vectors.is_dir() {
        println!("skipped: there is no folder {}", vectors.display());
        return None;
    }
    Some(vectors)
}

fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.strip_suffix('\n')
        .unwrap_or(&text)
        .split('\n')
        .map(str::to_string)
        .collect()
}

fn assert_near(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < TOLERANCE,
        "{what}: {found}, sacreBLEU says {expected}"
    );
}

fn bleu(tokenizer: &str, lowercase: bool) -> Bleu {
    Bleu::new(BleuOptions {
        tokenizer: tokenizer.parse().unwrap(),
        lowercase,
        ..BleuOptions::default()
    })
}

/// The score of a column of SCORES.tsv or a key of the cases.
fn score(metric: &str, hypotheses: &[String], references: &[Vec<String>]) -> f64 {
    let chrf = |options| Chrf::new(options).corpus(hypotheses, references).unwrap().score;
    match metric {
        "chrF2" => chrf(ChrfOptions::default()),
        "chrF2.lc" => chrf(ChrfOptions {
            lowercase: true,
            ..ChrfOptions::default()
        }),
        "chrF2++" => chrf(ChrfOptions::plus_plus()),
        "ter" | "TER" => {
            Ter::new(TerOptions::default())
                .corpus(hypotheses, references)
                .unwrap()
                .score
        }
        _ => {
            let name = metric
                .strip_prefix("BLEU-")
                .unwrap_or_else(|| panic!("unknown metric {metric}"));
            let (tokenizer, lowercase) = name.strip_suffix("-lc").map_or((name, false), |name| (name, true));
            bleu(tokenizer, lowercase).corpus(hypotheses, references).unwrap().score
        }
    }
}

#[test]
fn wmt17_systems() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("wmt17-en-de");
    let references = [lines(&folder.join("reference"))];
    let table = lines(&folder.join("SCORES.tsv"));
    let metrics: Vec<&str> = table[0].split('\t').skip(1).collect();
    for row in &table[1..] {
        let mut fields = row.split('\t');
        let system = fields.next().unwrap();
        let hypotheses = lines(&folder.join(system));
        for (metric, expected) in metrics.iter().zip(fields).filter(|(_, expected)| *expected != "-") {
            let found = match *metric {
                "TER" => score(metric, &hypotheses[..TER_LINES], &[references[0][..TER_LINES].to_vec()]),
                _ => score(metric, &hypotheses, &references),
            };
            assert_near(found, expected.parse().unwrap(), &format!("{system} {metric}"));
        }
    }
}

#[test]
fn cases() {
    let Some(vectors) = vectors() else { return };
    let text = std::fs::read_to_string(vectors.join("sacrebleu-2.6.0-cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let Some((hypotheses, references)) = case_text(case, &vectors) else {
            println!("skipped: the files of {name} are not there");
            continue;
        };
        for (metric, expected) in case["expected"].as_object().unwrap() {
            let what = format!("{name} {metric}");
            match metric.strip_prefix("bleu.") {
                Some(tokenizer) => {
                    let (tokenizer, lowercase) = tokenizer
                        .strip_suffix(".lc")
                        .map_or((tokenizer, false), |name| (name, true));
                    let found = bleu(tokenizer, lowercase).corpus(&hypotheses, &references).unwrap();
                    assert_same_bleu(&found, expected, &what);
                }
                None => assert_near(
                    score(metric, &hypotheses, &references),
                    expected.as_f64().unwrap(),
                    &what,
                ),
            }
        }
    }
}

fn assert_same_bleu(found: &BleuScore, expected: &Value, what: &str) {
    assert_eq!(Value::from(found.counts.clone()), expected["counts"], "{what}: counts");
    assert_eq!(Value::from(found.totals.clone()), expected["totals"], "{what}: totals");
    assert_eq!(
        Value::from(found.hypothesis_length),
        expected["sys_len"],
        "{what}: hypothesis length"
    );
    assert_eq!(
        Value::from(found.reference_length),
        expected["ref_len"],
        "{what}: reference length"
    );
    assert_near(found.score, expected["score"].as_f64().unwrap(), what);
    assert_near(found.brevity_penalty, expected["bp"].as_f64().unwrap(), what);
    for (found, expected) in found.precisions.iter().zip(expected["precisions"].as_array().unwrap()) {
        assert_near(*found, expected.as_f64().unwrap(), what);
    }
}

/// The lines of a case: its own, or those of the two files it names.
fn case_text(case: &Value, vectors: &Path) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let strings = |value: &Value| {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line.as_str().unwrap().to_string())
            .collect()
    };
    if case.get("hyp").is_some() {
        return Some((
            strings(&case["hyp"]),
            case["refs"].as_array().unwrap().iter().map(strings).collect(),
        ));
    }
    let folder = vectors.join(case["files"].as_str().unwrap());
    let named = |part: &str| {
        let files = std::fs::read_dir(&folder).ok()?;
        files
            .flatten()
            .map(|file| file.path())
            .find(|path| path.to_string_lossy().contains(part))
    };
    Some((lines(&named(".hyp.")?), vec![lines(&named(".ref.")?)]))
}
