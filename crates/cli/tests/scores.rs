//! `ember evaluate --hypothesis`: text against references, as sacreBLEU's command scores it.

mod common;

use common::Workplace;
use serde_json::Value;

/// Reference files, metric, options, score, signature: what sacreBLEU 2.6.0's command prints for [`texts`] with the same
/// options and `--width 9`.
#[rustfmt::skip]
const EXPECTED: [(&[&str], &str, &str, f64, &str); 23] = [
    (&["ref"], "bleu", "", 27.122174653, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"),
    (&["ref", "more"], "bleu", "", 42.210681264, "nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp"),
    (&["ref"], "bleu", "--tokenize intl", 20.684838647, "nrefs:1|case:mixed|eff:no|tok:intl|smooth:exp"),
    (&["ref"], "bleu", "--tokenize char", 60.393871693, "nrefs:1|case:mixed|eff:no|tok:char|smooth:exp"),
    (&["ref"], "bleu", "--tokenize none", 31.380438618, "nrefs:1|case:mixed|eff:no|tok:none|smooth:exp"),
    (&["ref"], "bleu", "--tokenize zh", 29.388084467, "nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp"),
    (&["more"], "bleu", "--tokenize none", 15.690219309, "nrefs:1|case:mixed|eff:no|tok:none|smooth:exp"),
    (&["more"], "bleu", "--tokenize none --smooth-method floor", 10.492682046, "nrefs:1|case:mixed|eff:no|tok:none|smooth:floor[0.10]"),
    (&["more"], "bleu", "--tokenize none --smooth-method floor --smooth-value 0.5 --force", 15.690219309, "nrefs:1|case:mixed|eff:no|tok:none|smooth:floor[0.50]"),
    (&["more"], "bleu", "--tokenize none --smooth-method none", 0.0, "nrefs:1|case:mixed|eff:no|tok:none|smooth:none"),
    (&["ref"], "bleu", "--lowercase", 32.649710286, "nrefs:1|case:lc|eff:no|tok:13a|smooth:exp"),
    (&["ref"], "bleu", "--smooth-method add-k", 34.642995921, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:add-k[1.00]"),
    (&["ref"], "chrf", "", 57.448241063, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"),
    (&["ref"], "chrf", "--chrf-word-order 2", 55.39320615, "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no"),
    (&["ref"], "chrf", "--chrf-char-order 4 --chrf-beta 3", 64.329014274, "nrefs:1|case:mixed|eff:yes|nc:4|nw:0|space:no"),
    (&["ref"], "chrf", "--chrf-whitespace --chrf-lowercase", 70.99291396, "nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:yes"),
    (&["ref"], "chrf", "--chrf-eps-smoothing", 57.447608077, "nrefs:1|case:mixed|eff:no|nc:6|nw:0|space:no"),
    (&["ref"], "ter", "", 53.333333333, "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no"),
    (&["ref", "more"], "ter", "", 61.538461538, "nrefs:2|case:lc|tok:tercom|norm:no|punct:yes|asian:no"),
    (&["ref"], "ter", "--ter-normalized", 50.0, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:no"),
    (&["ref"], "ter", "--ter-no-punct", 40.0, "nrefs:1|case:lc|tok:tercom|norm:no|punct:no|asian:no"),
    (&["ref"], "ter", "--ter-normalized --ter-asian-support", 37.5, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:yes"),
    (&["ref"], "ter", "--ter-case-sensitive", 60.0, "nrefs:1|case:mixed|tok:tercom|norm:no|punct:yes|asian:no"),
];

/// The file `more` has an empty line; lines end in white space here and there, which sacreBLEU's command takes off.
fn texts() -> Workplace {
    let work = Workplace::new();
    work.write(
        "hyp",
        "The cat sat on the mat. \t\nIt's 3.5 degrees, isn't it?\nGröße zählt nicht\u{a0}\n我喜欢苹果。\n",
    );
    work.write(
        "ref",
        "The cat sat on a mat.\r\nIt is 3.5 degrees. \nGröße zählt NICHT immer!\n我喜欢吃苹果。\n",
    );
    work.write(
        "more",
        "A cat was sitting on the mat.\n\nSize doesn't matter.\n我爱苹果。",
    );
    work
}

fn json(work: &Workplace, references: &[&str], options: &str) -> Value {
    let mut arguments = vec!["evaluate", "--hypothesis", "hyp", "--json"];
    arguments.extend(references.iter().flat_map(|file| ["--reference", file]));
    arguments.extend(options.split_whitespace());
    serde_json::from_str(&work.run(&arguments).ok().stdout).expect("one JSON object")
}

fn assert_near(found: &Value, expected: f64, what: &str) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{what}: {found}"));
    assert!((found - expected).abs() < 1e-8, "{what}: {found} not {expected}");
}

/// BLEU, chrF and TER have these values in the field, and signatures that begin so.
#[track_caller]
fn assert_scores(found: &Value, field: &str, expected: [f64; 3], signature: &str) {
    for (index, expected) in expected.into_iter().enumerate() {
        let metric = &found["metrics"][index];
        assert_near(&metric[field], expected, field);
        let own = metric["signature"].as_str().expect("a signature");
        assert!(own.starts_with(signature), "{own}");
    }
}

#[test]
fn every_option_gives_sacrebleus_score_and_signature() {
    let work = texts();
    for (references, metric, options, score, signature) in EXPECTED {
        let found = json(&work, references, &format!("--metrics {metric} {options}"));
        let what = format!("{metric} {options} {references:?}");
        let signature = format!("{signature}|version:2.6.0");
        assert_near(&found["metrics"][0]["score"], score, &what);
        assert_eq!(
            found["metrics"][0]["signature"].as_str(),
            Some(signature.as_str()),
            "{what}"
        );
    }
}

#[test]
fn orders_that_only_the_python_interface_has() {
    let found = json(&texts(), &["ref"], "--metrics bleu --max-order 6 --effective-order");
    assert_near(&found["metrics"][0]["score"], 17.444805596505866, "six orders");
    let both = json(&texts(), &["ref"], "--metrics chrf++ --lowercase --chrf-beta 1");
    assert_eq!(both["metrics"][0]["name"], "chrF1++");
    assert!(
        both["metrics"][0]["signature"]
            .as_str()
            .is_some_and(|line| line.contains("case:lc"))
    );
}

#[test]
fn an_empty_line_is_a_reference_unless_it_is_missing() {
    let work = texts();
    // sacreBLEU's Python interface with None in the place of the empty line.
    let missing = json(&work, &["ref", "more"], "--empty-is-missing");
    let expected = [42.21068126374528, 57.44824106322596, 53.333333333333336];
    assert_scores(&missing, "score", expected, "nrefs:var|");
    let empty = json(&work, &["ref", "more"], "");
    assert_near(&empty["metrics"][2]["score"], 61.53846153846154, "empty");
    work.run(&[
        "evaluate",
        "--hypothesis",
        "hyp",
        "--reference",
        "more",
        "--empty-is-missing",
    ])
    .fails_with(&["line 2 has no reference at all", "hint"]);
}

#[test]
fn references_may_stand_in_one_file() {
    let work = texts();
    work.write(
        "both",
        "The cat sat on a mat.\tA cat was sitting on the mat.\r\nIt is 3.5 degrees.\tx \n\
         Größe zählt NICHT immer!\tSize doesn't\tmatter.\n我喜欢吃苹果。\t我爱苹果。\n",
    );
    let found = json(&work, &["both"], "--num-refs 2");
    let expected = [42.210681263745, 57.448241063226, 59.259259259259];
    assert_scores(&found, "score", expected, "nrefs:2|");
    // The second and third lines have no second reference.
    work.write(
        "gaps",
        "The cat sat on a mat.\tA cat was sitting on the mat.\nIt is 3.5 degrees.\t\n\
         Größe zählt NICHT immer!\t\n我喜欢吃苹果。\t我爱苹果。\n",
    );
    let found = json(&work, &["gaps"], "--num-refs 2 --empty-is-missing");
    let signature = found["metrics"][0]["signature"].as_str().expect("a signature");
    assert!(signature.starts_with("nrefs:var|"), "{signature}");
    let arguments = [
        "evaluate",
        "--hypothesis",
        "hyp",
        "--reference",
        "both",
        "--num-refs",
        "3",
    ];
    work.run(&arguments)
        .fails_with(&["both:1: expected 3 references with TABs between them, found 2", "hint"]);
}

#[test]
fn confidence_is_sacrebleus() {
    let work = texts();
    // Seed, means by metric, and halves of their intervals, of sacreBLEU's --confidence --confidence-n 200.
    for (seed, means, halves) in [
        (
            12345,
            [24.638187241763, 57.749599456787, 57.013572692871],
            [23.643539999597, 12.870651245117, 51.538463592529],
        ),
        (
            7,
            [24.422951131739, 56.786010742188, 55.978851318359],
            [23.643539999597, 13.642131805420, 50.909095764160],
        ),
    ] {
        let found = json(&work, &["ref"], &format!("--confidence --samples 200 --seed {seed}"));
        let signature = format!("nrefs:1|bs:200|seed:{seed}|case:");
        assert_scores(&found, "mean", means, &signature);
        assert_scores(&found, "confidence", halves, &signature);
    }
    assert!(json(&work, &["ref"], "")["metrics"][0].get("mean").is_none());
    let arguments = ["evaluate", "--hypothesis", "hyp", "--reference", "ref", "--confidence"];
    let output = work.run(&arguments).ok().stdout;
    assert!(output.contains("\n           μ = "), "{output}");
}

#[test]
fn sentences_have_scores_of_their_own() {
    let work = texts();
    let arguments = [
        "evaluate",
        "--hypothesis",
        "hyp",
        "--reference",
        "ref",
        "--sentence-level",
    ];
    let output = work
        .run(&[&arguments[..], &["--metrics", "bleu,ter", "--width", "3"]].concat())
        .ok();
    assert_eq!(
        output.stdout,
        "48.892\t16.667\n13.135\t125.000\n28.254\t25.000\n0.000\t100.000\n"
    );
    let found = json(&work, &["ref"], "--sentence-level");
    assert_eq!(found["lines"], 4);
    let bleu = &found["sentences"][0];
    assert_eq!(
        bleu["signature"],
        "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0"
    );
    for (line, score) in [48.892302243490086, 13.134549472120788, 28.254432923044853, 0.0]
        .into_iter()
        .enumerate()
    {
        assert_near(&bleu["scores"][line], score, "sentence");
    }
    assert!(json(&work, &["ref"], "").get("sentences").is_none());
}

#[test]
fn compressed_text_is_read_as_it_is() {
    let work = texts();
    // The first two lines of `ref`, by gzip.
    const GZIP: [u8; 59] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 11, 201, 72, 85, 72, 78, 44, 81, 40, 6, 226, 252, 60, 133, 68, 133, 220, 196,
        18, 61, 46, 207, 18, 133, 204, 98, 5, 99, 61, 83, 133, 148, 212, 244, 162, 212, 212, 98, 61, 46, 0, 33, 223,
        196, 141, 41, 0, 0, 0,
    ];
    work.write("short.gz", GZIP);
    work.write("short", "The cat sat on a mat.\nIt is 3.5 degrees.\n");
    let output = work
        .run(&["evaluate", "--hypothesis", "short", "--reference", "short.gz", "--json"])
        .ok();
    let found: Value = serde_json::from_str(&output.stdout).expect("one JSON object");
    assert_near(&found["metrics"][0]["score"], 100.0, "the same text");
}

#[test]
fn a_byte_order_mark_is_left_out_and_told() {
    let work = texts();
    let whole = work
        .run(&["evaluate", "--hypothesis", "hyp", "--reference", "ref"])
        .ok();
    assert!(!whole.stderr.contains("byte order mark"), "{}", whole.stderr);
    for name in ["hyp", "ref"] {
        let text = work.read(name);
        work.write(name, format!("\u{feff}{text}"));
        let marked = work
            .run(&["evaluate", "--hypothesis", "hyp", "--reference", "ref"])
            .ok();
        let warning = format!("warning: {name}: the byte order mark at its start is left out");
        assert!(marked.stderr.contains(&warning), "{}", marked.stderr);
        assert_eq!(marked.stderr.matches("byte order mark").count(), 1, "{}", marked.stderr);
        // The first line has the seconds.
        assert!(
            marked.stdout.lines().skip(1).eq(whole.stdout.lines().skip(1)),
            "{}",
            marked.stdout
        );
        work.write(name, text);
    }
}

#[test]
fn decimals_can_be_chosen() {
    let work = texts();
    let arguments = ["evaluate", "--hypothesis", "hyp", "--reference", "ref"];
    let output = work.run(&[&arguments[..], &["--width", "5"]].concat()).ok().stdout;
    assert!(
        output.contains("27.12217  nrefs:1|") && output.contains("53.33333  nrefs:1|"),
        "{output}"
    );
    assert!(work.run(&arguments).ok().stdout.contains(" 27.12  nrefs:1|"));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let work = texts();
    work.write("nothing", "");
    let with = |more: &[&str]| work.run(&[&["evaluate", "--hypothesis", "hyp"], more].concat());
    with(&["--reference", "ref", "test.src"]).fails_with(&["test.src has 20 lines, hyp has 4", "hint"]);
    with(&["--reference", "ref", "--source", "test.src"]).fails_with(&["test.src has 20 lines, hyp has 4", "hint"]);
    with(&["--reference", "nothing"]).fails_with(&["nothing has no lines", "hint"]);
    let absent = with(&["--reference", "absent"]).fails_with(&["cannot read absent", "hint"]);
    assert_eq!(absent.stderr.matches("os error").count(), 1, "{}", absent.stderr);
    with(&["--reference", "ref", "--smooth-value", "1"]).fails_with(&["--smooth-value 1", "exp", "floor and add-k"]);
    for (arguments, words) in [
        (&["--tokenize", "ko-mecab"][..], "MeCab and a Korean dictionary"),
        (&["--tokenize", "flores200"], "SentencePiece model"),
        (&["--tokenize", "13b"], "one of 13a, intl, char, none, zh"),
        (&["--smooth-method", "laplace"], "one of exp, none, floor"),
        (
            &["--smooth-method", "floor", "--smooth-value=-1"],
            "-1 is not a number from 0 up",
        ),
        (&["--max-order", "0"], "1..=100"),
        (&["--samples", "5"], "--confidence"),
        (&["--confidence", "--samples", "0"], "1..=10000000"),
        (&["--num-refs", "0"], "1..=100"),
        (&["--chrf-char-order", "101"], "1..=100"),
        (&["--metrics", "meteor"], "is not one of bleu, chrf, chrf++, ter"),
    ] {
        let outcome = with(&[&["--reference", "ref"], arguments].concat());
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(outcome.stderr.contains(words), "{arguments:?}: {}", outcome.stderr);
    }
}
