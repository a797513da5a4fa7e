//! `ember compare` on text of any origin; of runs in `commands.rs`.

mod common;

use common::{Outcome, Workplace};
use serde_json::Value;

/// Thirty sentences, and three systems that replace a word here and there.
fn texts() -> Workplace {
    const WORDS: [&str; 10] = ["the", "a", "dog", "cat", "house", "runs", "sees", "red", "big", "on"];
    let work = Workplace::new();
    let sentence = |line: usize| {
        let words = (0..5 + line % 6).map(|word| WORDS[(line * 7 + word * 3) % 10]);
        words.collect::<Vec<_>>().join(" ") + "."
    };
    let text = |change: &dyn Fn(usize, String) -> String| -> String {
        (0..30).map(|line| change(line, sentence(line)) + "\n").collect()
    };
    work.write("ref", text(&|_, text| text));
    work.write(
        "a",
        text(&|line, text| match line {
            line if line % 3 == 0 => text.replace("dog", "cat"),
            line if line % 4 == 1 => text.replace("the", "a"),
            _ => text,
        }),
    );
    work.write(
        "b",
        text(&|line, text| {
            if line % 5 == 0 {
                text.replace("red", "big")
            } else {
                text
            }
        }),
    );
    work.write(
        "c",
        text(&|line, text| match line {
            line if line % 4 == 0 => text.replace("cat", "dog"),
            line if line % 3 == 1 => text.replace("a ", "the "),
            _ => text,
        }),
    );
    work
}

fn compare(work: &Workplace, more: &[&str]) -> Outcome {
    let texts = [
        "compare",
        "--hypothesis",
        "a",
        "--hypothesis",
        "b",
        "c",
        "--reference",
        "ref",
    ];
    work.run(&[&texts[..], more].concat())
}

fn json(work: &Workplace, more: &[&str]) -> Value {
    let outcome = compare(work, &[&["--json"], more].concat()).ok();
    serde_json::from_str(&outcome.stdout).expect("one JSON object")
}

fn numbers(systems: &Value, key: &str) -> Vec<f64> {
    let systems = systems.as_array().expect("systems").iter();
    systems.filter_map(|system| system[key].as_f64()).collect()
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{what}: {found} not {expected}");
    }
}

/// The values are those of sacreBLEU 2.6.0's `PairedTest` with `test_type="bs"` and its defaults.
#[test]
fn the_bootstrap_gives_sacrebleus_numbers() {
    let found = json(&texts(), &[]);
    assert_eq!(
        (found["lines"].as_u64(), found["baseline"].as_str()),
        (Some(30), Some("a"))
    );
    assert_eq!(
        (found["samples"].as_u64(), found["seed"].as_u64()),
        (Some(1000), Some(12345))
    );
    let metrics = found["metrics"].as_array().expect("metrics");
    let [bleu, chrf, ter] = metrics.as_slice() else {
        panic!("{found}")
    };
    let (bleu_systems, chrf_systems, ter_systems) = (&bleu["systems"], &chrf["systems"], &ter["systems"]);
    let scores = [86.29972592583708, 96.19649903049029, 90.54744221668841];
    assert_near(&numbers(bleu_systems, "score"), &scores, "BLEU");
    let means = [86.28152524748782, 96.16022778340886, 90.394642762098];
    assert_near(&numbers(bleu_systems, "mean"), &means, "mean BLEU");
    let widths = [6.2247645714325515, 4.314881472308549, 5.636956259991187];
    assert_near(&numbers(bleu_systems, "confidence"), &widths, "interval of BLEU");
    assert_eq!(
        numbers(bleu_systems, "p_value"),
        [0.005994005994005994, 0.13686313686313686]
    );
    let means = [90.89197540283203, 97.4326400756836, 93.7566909790039];
    assert_near(&numbers(chrf_systems, "mean"), &means, "mean chrF");
    assert_eq!(
        numbers(chrf_systems, "p_value"),
        [0.005994005994005994, 0.12687312687312688]
    );
    let widths = [2.5169334411621094, 1.4893617630004883, 2.322120189666748];
    assert_near(&numbers(ter_systems, "confidence"), &widths, "interval of TER");
    assert_eq!(
        numbers(ter_systems, "p_value"),
        [0.001998001998001998, 0.12187812187812187]
    );
    assert_eq!(
        bleu["signature"],
        "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
    );
    assert_eq!(bleu["systems"][1]["significant"], true);
    assert_eq!(
        (&ter["higher_is_better"], &ter["systems"][1]["better"]),
        (&false.into(), &true.into())
    );
    let [difference, _] = numbers(ter_systems, "difference")[..] else {
        panic!("{ter}")
    };
    assert!((difference - (1.3333333333333335 - 5.777777777777778)).abs() < 1e-9);
}

/// The same with `test_type="ar"`.
#[test]
fn randomisation_gives_sacrebleus_numbers() {
    let found = json(&texts(), &["--test", "randomisation"]);
    assert_eq!(
        (found["test"].as_str(), found["samples"].as_u64()),
        (Some("randomisation"), Some(10_000))
    );
    for (metric, p_values) in [
        [0.005499450054994501, 0.36526347365263473],
        [0.0064993500649935, 0.3488651134886511],
        [0.0006999300069993001, 0.21637836216378362],
    ]
    .iter()
    .enumerate()
    {
        let systems = &found["metrics"][metric]["systems"];
        assert_eq!(numbers(systems, "p_value"), p_values);
        assert_eq!(numbers(systems, "mean"), [0.0; 0]);
    }
    let signature = found["metrics"][2]["signature"].as_str().expect("a signature");
    assert!(
        signature.starts_with("nrefs:1|ar:10000|seed:12345|case:lc|"),
        "{signature}"
    );
}

#[test]
fn a_table_tells_what_the_p_values_mean() {
    let work = texts();
    let outcome = compare(&work, &["--metrics", "bleu,ter"]).ok();
    for words in [
        "text: 30 lines, paired bootstrap resampling with 1000 samples, seed 12345; ",
        "86.30    86.28 ± 6.22  baseline",
        "96.20    96.16 ± 4.31  0.0060 *",
        "b is better than a by 9.90; a difference this large would arise by chance with p = 0.0060.",
        "c scores better than a by 4.25, but that may well be chance: p = 0.1369.",
        "TER, lower is better  score     mean ± 95 %  p",
        "b is better than a by 4.44; a difference this large would arise by chance with p = 0.0020.",
        "nrefs:1|bs:1000|seed:12345|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0",
    ] {
        assert!(
            outcome.stdout.contains(words),
            "{words:?} is not in\n{}",
            outcome.stdout
        );
    }
    let outcome = compare(
        &work,
        &["--metrics", "bleu", "--test", "randomisation", "--samples", "50"],
    )
    .ok();
    assert!(
        outcome
            .stdout
            .contains("paired approximate randomisation with 50 samples")
            && !outcome.stdout.contains('±'),
        "{}",
        outcome.stdout
    );
}

#[test]
fn options_and_seeds_are_heeded() {
    let work = texts();
    let options = ["--tokenize", "char", "--samples", "60", "--metrics", "bleu", "--seed"];
    let with_seed = |seed: &str| json(&work, &[&options[..], &[seed]].concat())["metrics"].clone();
    let found = with_seed("7");
    let expected = "nrefs:1|bs:60|seed:7|case:mixed|eff:no|tok:char|smooth:exp|version:2.6.0";
    assert_eq!(found[0]["signature"], expected);
    assert_eq!(found, with_seed("7"));
    assert_ne!(found, with_seed("8"));
}

#[test]
fn systems_that_cannot_be_compared_are_refused() {
    let work = texts();
    let compare = |arguments: &[&str]| work.run(&[&["compare"], arguments].concat());
    compare(&["--hypothesis", "a", "--reference", "ref"]).fails_with(&["1 hypothesis", "needs 2", "hint"]);
    compare(&["--hypothesis", "a", "b", "a", "--reference", "ref"]).fails_with(&["a is given twice", "hint"]);
    compare(&["--hypothesis", "a", "test.src", "--reference", "ref"])
        .fails_with(&["test.src has 20 lines, a has 30", "hint"]);
    compare(&["--hypothesis", "a", "b", "--reference", "test.tgt"])
        .fails_with(&["test.tgt has 20 lines, a has 30", "hint"]);
    for arguments in [
        &["--hypothesis", "a", "b"][..],
        &["runs/one"],
        &["runs/one", "runs/two", "--hypothesis", "a", "--reference", "ref"],
        &["--hypothesis", "a", "b", "--reference", "ref", "--samples", "0"],
        &["--hypothesis", "a", "b", "--reference", "ref", "--test", "t-test"],
        &["--hypothesis", "a", "b", "--reference", "ref", "--seed", "-1"],
    ] {
        assert_eq!(compare(arguments).code, Some(2), "{arguments:?}");
    }
    compare(&["runs/one", "runs/two"]).fails_with(&["runs/one", "hint"]);
}
