use ember_data::config::CorpusConfig;

use super::*;
use crate::duration::{Duration, Unit};
use ember_model::config::Rates;

const SMALL: &str = r#"
name = "small"

[data]
source = "en"
target = "de"
train = ["../data/train", "/corpora/more"]
valid = "../data/./valid"
test = { test2016 = "../data/test2016" }

[tokenizer]
kind = "bpe"
vocabulary = 8000

[training]
stop_after = "8000u"
"#;

fn read(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    Config::from_toml(text, Path::new("/home/user/configs/x.toml"), &overrides)
}

fn small() -> Config {
    read(SMALL, &[]).unwrap()
}

#[test]
fn defaults_fill_what_is_left_out() {
    let config = small();
    assert_eq!(config.seed, 1);
    assert_eq!(config.training.batch_tokens, 4096);
    assert_eq!(
        config.training.schedule,
        Schedule::Noam {
            warmup: 4000,
            factor: 1.0
        }
    );
    assert_eq!(
        config.training.optimizer,
        Optimizer::Adam {
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-9
        }
    );
    assert_eq!(config.validation, ValidationConfig::default());
    assert_eq!(config.model, ModelConfig::default());
}

#[test]
fn the_resolved_config_of_few_lines() {
    insta::assert_snapshot!(small().to_toml());
}

#[test]
fn paths_are_taken_from_the_folder_of_the_file() {
    let data = small().data;
    assert_eq!(
        data.train.as_slice(),
        ["/home/user/data/train", "/corpora/more"].map(CorpusConfig::new)
    );
    assert_eq!(data.valid.as_slice(), [CorpusConfig::new("/home/user/data/valid")]);
    assert_eq!(data.test["test2016"], CorpusConfig::new("/home/user/data/test2016"));
    assert_eq!(clean(Path::new("/../a/../../b")), Path::new("/b"));
    assert!(clean(Path::new("a")).is_absolute());
}

#[test]
fn every_schedule_and_optimizer_reads_back() {
    for schedule in [
        "{ kind = \"noam\" }",
        "{ warmup = 2000, kind = \"noam\", factor = 2 }",
        "{ kind = \"inverse-sqrt\", peak = 5e-3, warmup = 2000 }",
        "{ kind = \"linear\", peak = 1e-3, warmup = 10, decay = 100 }",
        "{ kind = \"cosine\", peak = 1e-3, warmup = 10, decay = 100, end = 1e-5 }",
        "{ kind = \"constant\", peak = 0.1 }",
        "{ kind = \"plateau\", peak = 0.1, patience = 3, minimum = 1e-7 }",
    ] {
        for optimizer in ["{ kind = \"adam\" }", "{ kind = \"adamw\", weight_decay = 0.05 }"] {
            let text = format!("{SMALL}schedule = {schedule}\noptimizer = {optimizer}\n");
            let config = read(
                &text,
                &["tokenizer.dropout=0.1", "training.window=5000", "training.ema=0.9999"],
            )
            .unwrap();
            let again = Config::from_toml(&config.to_toml(), Path::new("/elsewhere/config.toml"), &[]).unwrap();
            assert_eq!(again, config, "{}", config.to_toml());
            assert_eq!(again.to_toml(), config.to_toml());
        }
    }
}

#[test]
fn dropout_by_layer_reads_back() {
    for rates in [
        "dropout = [0.1, 0.1, 0.2]\nembedding_dropout = 0.05",
        "attention_dropout = { encoder = 0, decoder = [0.1, 0.2, 0.3] }\nresidual_dropout = [0.0, 0.1, 0.2]",
        "dropout = { encoder = [0.3, 0.2, 0.1], decoder = 0.25 }\nembedding_dropout = 0.05\nfeed_forward_dropout = 0.4",
    ] {
        let text = format!("{SMALL}[model]\nencoder_layers = 3\ndecoder_layers = 3\n{rates}\n");
        let config = read(&text, &[]).unwrap_or_else(|error| panic!("{error}"));
        let again = Config::from_toml(&config.to_toml(), Path::new("/elsewhere/config.toml"), &[]).unwrap();
        assert_eq!(again, config, "{}", config.to_toml());
        assert_eq!(again.to_toml(), config.to_toml());
    }
}

#[test]
fn overrides_are_toml_or_bare_words() {
    let config = read(
        SMALL,
        &[
            "name=other-run",
            "seed = 7",
            "training.stop_after='120u'",
            "training.schedule={kind=\"constant\",peak=1}",
            "training.schedule.warmup=5",
            "validation.every=2.5kt",
            "validation.metric=chrf",
            "data.train=\"only\"",
            "model.dropout=0",
            "tokenizer.shared=false",
        ],
    )
    .unwrap();
    assert_eq!(config.name, "other-run");
    assert_eq!(config.seed, 7);
    assert_eq!(config.training.stop_after, Duration::updates(120));
    assert_eq!(config.training.schedule, Schedule::Constant { peak: 1.0, warmup: 5 });
    assert_eq!(
        config.validation.every,
        Duration {
            value: 2500,
            unit: Unit::TargetTokens
        }
    );
    assert_eq!(config.validation.metric, Metric::Chrf);
    assert_eq!(
        config.data.train.as_slice(),
        [CorpusConfig::new("/home/user/configs/only")]
    );
    assert_eq!(config.model.dropout, Rates::from(0.0));
    assert!(!config.tokenizer.shared);
    assert_eq!(read(SMALL, &["name=2026-11-21"]).unwrap().name, "2026-11-21");
    assert_eq!(read(SMALL, &["name=a b=c"]).unwrap().name, "a b=c");
}

/// One fault each: what is appended to or replaced in the small config, and the overrides.
const FAULTS: &[(&str, &str, &[&str])] = &[
    ("", "label_smooting = 0.1", &[]),
    ("", "\tlabel-smoothing = 0.1 # a comment", &[]),
    ("", "momentum = 0.9", &[]),
    ("", "beams = 5\nd_model = 256", &[]),
    ("", "d_model = 256", &[]),
    ("", "[validation]\nlowercase = \"yes\"", &[]),
    ("", "[trainig]\nx = 1", &[]),
    ("", "[validation]\nmetric = \"bluu\"", &[]),
    ("", "[validation]\nmetric = 5", &[]),
    ("", "[validation]\nevery = 500", &[]),
    ("", "[validation]\nevery = \"500\"", &[]),
    ("", "[validation]\nevery = \"500x\"", &[]),
    ("", "[validation]\ntokenize = \"zhh\"", &[]),
    ("", "[validation]\nbeam = 0", &[]),
    ("", "[validation]\nkeep_last = -1", &[]),
    ("", "[model]\nd_model = 510", &[]),
    ("", "[model]\nn_heads = 7", &[]),
    ("", "[model]\nnorm = true", &[]),
    ("", "[model]\ndropout = \"0.1\"", &[]),
    ("", "[model]\ndropout = [0.1, 0.2]\nembedding_dropout = 0.1", &[]),
    ("", "[model]\ndropout = [0.1, \"0.2\"]", &[]),
    ("", "[model]\ndropout = { encoder = 0.1, decoder = 0.2 }", &[]),
    ("", "[model]\nresidual_dropout = { encoder = 0.1 }", &[]),
    ("", "[model]\nresidual_dropout = { encoder = 0.1, decodr = 0.2 }", &[]),
    (
        "",
        "[model]\nattention_dropout = { encoder = 0, decoder = [0, 0, 0, 0, 0, 1.5] }",
        &[],
    ),
    (
        "",
        "[model]\narch = \"rnn\"\nresidual_dropout = [0, 0, 0, 0, 0, 0.1]",
        &[],
    ),
    ("", "[decoding]\nbeam = 1000", &[]),
    ("", "batch_tokens = 4096.5", &[]),
    ("", "batch_tokens = 99999999999999999999", &[]),
    ("", "accumulate = 5000", &[]),
    ("", "label_smoothing = 1.5", &[]),
    ("", "clip_norm = nan", &[]),
    ("", "r_drop = -0.5", &[]),
    ("", "r_drop = nan", &[]),
    ("", "r_drop = 5\n[model]\ndropout = 0", &[]),
    ("", "schedule = \"noam\"", &[]),
    ("", "schedule = { warmup = 2000 }", &[]),
    ("", "schedule = { kind = \"noan\" }", &[]),
    ("", "schedule = { kind = 5 }", &[]),
    ("", "schedule = { kind = \"noam\", warmpu = 2000 }", &[]),
    ("", "schedule = { kind = \"noam\", peak = 2000 }", &[]),
    ("", "schedule = { kind = \"noam\", warmup = \"2000\" }", &[]),
    ("", "schedule = { kind = \"noam\", warmup = -1 }", &[]),
    (
        "",
        "schedule = { kind = \"linear\", peak = 1, warmup = \"5\", decay = \"5\" }",
        &[],
    ),
    ("", "schedule = { kind = \"noam\", warmup = 0 }", &[]),
    ("", "schedule = { kind = \"inverse-sqrt\", warmup = 0 }", &[]),
    (
        "",
        "schedule = { kind = \"linear\", peak = 1, warmup = 10, decay = 10 }",
        &[],
    ),
    (
        "",
        "[training.schedule]\nkind = \"cosine\"\npeak = 0.1\nwarmup = 10\ndecay = 100\nend = 0.2",
        &[],
    ),
    ("", "[training.optimizer]\nkind = \"adam\"\nweight_decay = 0.1", &[]),
    ("", "optimizer = { kind = \"adam\", beta2 = 1 }", &[]),
    ("", "batch_tokens = 1\nbatch_tokens = 2", &[]),
    ("", "this is no TOML", &[]),
    ("", "batch_tokens = 2026-11-21", &[]),
    ("name = \"small\"", "", &[]),
    ("name = \"small\"", "name = \"../small\"", &[]),
    ("name = \"small\"", "name = \"small\"\nlabel_smoothing = 0.1", &[]),
    ("stop_after = \"8000u\"", "", &[]),
    ("[training]\nstop_after = \"8000u\"", "", &[]),
    ("train = [\"../data/train\", \"/corpora/more\"]", "train = 5", &[]),
    ("train = [\"../data/train\", \"/corpora/more\"]", "train = []", &[]),
    ("valid = \"../data/./valid\"", "valid = []", &[]),
    (
        "valid = \"../data/./valid\"",
        "valid = { path = \"a\", weight = 2 }",
        &[],
    ),
    (
        "valid = \"../data/./valid\"",
        "valid = { path = \"a\", tag = \"<t>\" }",
        &[],
    ),
    ("\"/corpora/more\"", "5", &[]),
    ("\"/corpora/more\"", "{ weight = 2 }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", wieght = 2 }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", weight = \"2\" }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", weight = 0 }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", weight = nan }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", weight = 1e9 }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", tag = \"2de\" }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", tag = \"<2 de>\" }", &[]),
    ("\"/corpora/more\"", "{ path = \"a\", target = \"en\" }", &[]),
    (
        "train = [\"../data/train\", \"/corpora/more\"]",
        "train = { path = \"a\", tag = \"<t>\" }",
        &[],
    ),
    (
        "train = [\"../data/train\", \"/corpora/more\"]\nvalid = \"../data/./valid\"\ntest = { test2016 = \"../data/test2016\" }",
        "train = { path = \"a\", tag = \"<t>\" }\nvalid = { path = \"a\", tag = \"<t>\" }\ntest.b = { path = \"b\", tag = \"<u>\" }",
        &[],
    ),
    ("{ test2016 = \"../data/test2016\" }", "\"../data/test2016\"", &[]),
    ("target = \"de\"", "target = \"en\"", &[]),
    ("kind = \"bpe\"", "kind = \"bpee\"", &[]),
    ("kind = \"bpe\"", "kind = \"words\"\ndropout = 0.1", &[]),
    ("kind = \"bpe\"", "kind = \"sentencepiece\"", &[]),
    (
        "kind = \"bpe\"",
        "kind = \"bpe\"\nshared = false\n[model]\ntie = \"all\"",
        &[],
    ),
    ("", "", &["training.label_smooting=0.1"]),
    ("", "", &["trainig.label_smoothing=0.1"]),
    ("", "", &["training.label_smoothing=high"]),
    ("", "", &["training.label_smoothing=2"]),
    ("", "", &["training.schedule={kind=\"inverse-sqrt\"}"]),
    ("", "", &["training.schedule.kind=inverse-sqrt"]),
    ("", "", &["training.stop_after=5"]),
    ("", "", &["training.stop_after=\"5e"]),
    ("", "", &["training"]),
    ("", "", &["training.=5"]),
    ("", "", &["name.x=5"]),
    ("", "", &["model=5"]),
    ("", "", &["a.a.a.a.a.a.a.a.a=5"]),
    ("", "é = 1", &[]),
    ("", "batch_tokens = \"é", &[]),
];

#[test]
fn faults_are_told_with_place_and_hint() {
    let mut told = String::new();
    for (from, to, overrides) in FAULTS {
        let text = if from.is_empty() {
            format!("{SMALL}{to}\n")
        } else {
            SMALL.replacen(from, to, 1)
        };
        let error = read(&text, overrides).expect_err(&format!("{from:?} {to:?} {overrides:?}"));
        told += &format!("{error}\n\n");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_missing_file_is_told() {
    let error = Config::load(Path::new("/nowhere/x.toml"), &[]).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the config /nowhere/x.toml: "), "{error}");
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let file = Path::new(std::ffi::OsStr::from_bytes(b"/home/caf\xe9/configs/x.toml"));
    let error = Config::from_toml(SMALL, file, &[]).unwrap_err();
    assert_eq!(error.key, "data.train[0]");
    assert_eq!(
        error.message,
        "data.train[0]: the path /home/caf\u{fffd}/data/train is not UTF-8"
    );
}

#[test]
fn a_byte_order_mark_and_carriage_returns_do_no_harm() {
    let text = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    assert_eq!(read(&text, &[]).unwrap(), small());
    let error = read(&format!("{text}x = 1\r\n"), &[]).unwrap_err();
    assert_eq!(error.excerpt.unwrap().text, "x = 1");
}

#[test]
fn what_may_change_between_runs_is_told() {
    let overrides = [
        "name=other",
        "training.stop_after=9000u",
        "training.schedule={kind=\"constant\",peak=1e-3}",
        "validation.patience=3",
        "decoding.beam=2",
        "data.test.test2017=\"x\"",
        "training.label_smoothing=0",
        "training.r_drop=5",
    ];
    let changes = compare_for_resume(&small(), &read(SMALL, &overrides).unwrap()).unwrap();
    insta::assert_snapshot!(changes.join("\n"));
    assert_eq!(compare_for_resume(&small(), &small()), Ok(vec![]));
}

#[test]
fn a_model_of_a_tokenizer_may_move() {
    let at = |path: &str| {
        let tokenizer = format!("tokenizer={{ kind = \"sentencepiece\", model = \"{path}\" }}");
        read(SMALL, &[&tokenizer]).unwrap()
    };
    let changes = compare_for_resume(&at("/old/a.model"), &at("/new/a.model")).unwrap();
    assert_eq!(changes, ["tokenizer.model was \"/old/a.model\", now \"/new/a.model\""]);
}

#[test]
fn what_may_not_change_is_refused_by_key() {
    let overrides = [
        "model.d_model=256",
        "model.tie=target",
        "tokenizer.vocabulary=4000",
        "seed=2",
        "training.stop_after=9000u",
        "training.optimizer={kind=\"adamw\"}",
        "data.train=\"a\"",
    ];
    let error = compare_for_resume(&small(), &read(SMALL, &overrides).unwrap()).unwrap_err();
    insta::assert_snapshot!(error.to_string());
}

/// Several corpora with weights, tags and sides of their own.
const MIXED: &str = r#"[
    "../data/a",
    { path = "../data/b", weight = 2 },
    { path = "../data/c", target = "ko", tag = "<2ko>", weight = 0.5 },
]"#;

fn mixed(overrides: &[&str]) -> Result<Config, ConfigError> {
    let text = SMALL.replacen("[\"../data/train\", \"/corpora/more\"]", MIXED, 1);
    read(&text, overrides)
}

#[test]
fn corpora_with_weights_and_tags_read_back() {
    let config = mixed(&["data.valid={ path = \"v\", tag = \"<2ko>\", target = \"ko\" }"]).unwrap();
    assert_eq!(config.data.train.tags(), ["<2ko>"]);
    assert_eq!(config.data.train.as_slice()[2].path, Path::new("/home/user/data/c"));
    assert_eq!(config.data.valid.as_slice()[0].path, Path::new("/home/user/configs/v"));
    let again = Config::from_toml(&config.to_toml(), Path::new("/elsewhere/config.toml"), &[]).unwrap();
    assert_eq!(again, config, "{}", config.to_toml());
    let joined = mixed(&["data.valid=[\"v\", { path = \"w\", tag = \"<2ko>\" }]"]).unwrap();
    assert_eq!(joined.data.valid.as_slice().len(), 2);
    let again = Config::from_toml(&joined.to_toml(), Path::new("/elsewhere/config.toml"), &[]).unwrap();
    assert_eq!(again, joined, "{}", joined.to_toml());
}

#[test]
fn weights_and_tags_may_not_change() {
    let change = |from: &str, to: &str| {
        let train = format!("data.train={}", MIXED.replace('\n', " ").replacen(from, to, 1));
        compare_for_resume(&mixed(&[]).unwrap(), &mixed(&[&train]).unwrap())
    };
    for (from, to, key) in [
        (
            "\"../data/a\"",
            "{ path = \"../data/a\", weight = 1.5 }",
            "data.train[0].weight was 1.0, now 1.5",
        ),
        ("weight = 2 ", "weight = 3 ", "data.train[1].weight was 2.0, now 3.0"),
        (
            "\"<2ko>\"",
            "\"<2kr>\"",
            "data.train[2].tag was \"<2ko>\", now \"<2kr>\"",
        ),
        (", tag = \"<2ko>\"", "", "data.train[2].tag was \"<2ko>\", now (absent)"),
    ] {
        let message = change(from, to).unwrap_err().to_string();
        assert!(message.contains(key), "{message}");
    }
    // Text may lie elsewhere, as its fingerprint says what it is; and a table may say what a path says.
    let moved = change("\"../data/a\"", "{ path = \"../elsewhere/a\", weight = 1 }").unwrap();
    assert_eq!(moved.len(), 1);
    assert!(moved[0].starts_with("data.train[0].path was "), "{moved:?}");
    assert_eq!(
        change("\"../data/a\"", "{ path = \"../data/a\", weight = 1 }"),
        Ok(vec![])
    );
    let one = |train: &str| read(SMALL, &[&format!("data.train={train}")]).unwrap();
    assert_eq!(compare_for_resume(&one("\"a\""), &one("[\"a\"]")), Ok(vec![]));
}

proptest::proptest! {
    #[test]
    fn no_text_and_no_override_panics(text in "\\PC{0,40}", key in "[a-z.\"= ]{0,12}", value in "\\PC{0,12}") {
        // What comes out may be right or wrong; it must come out, and be told.
        for (text, set) in [(text.clone(), None), (format!("{SMALL}{text}"), None), (SMALL.into(), Some(format!("{key}={value}")))] {
            let overrides: Vec<String> = set.into_iter().collect();
            if let Err(error) = Config::from_toml(&text, Path::new("x.toml"), &overrides) {
                proptest::prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_change_of_one_place_panics(at in 0..SMALL.len(), put in "[\\PC\n]{0,3}", gone in 0usize..4) {
        let mut text = SMALL.to_string();
        let end = text.floor_char_boundary((at + gone).min(text.len()));
        text.replace_range(at..end.max(at), &put);
        if let Err(error) = Config::from_toml(&text, Path::new("x.toml"), &[]) {
            proptest::prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn every_shipped_config_is_sound() {
    let mut count = 0;
    for folder in ["../../configs", "../../configs/story"] {
        for entry in std::fs::read_dir(folder).expect("the configs") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                continue;
            }
            let config = Config::load(&path, &[]).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(!config.name.is_empty());
            count += 1;
        }
    }
    assert!(count >= 13, "{count} configs");
}
