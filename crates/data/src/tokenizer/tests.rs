//! What every kind of tokenizer promises, tried on small corpora.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::NoProgress;

/// Enough German and English for a few hundred merges.
const PAIRS: [(&str, &str); 8] = [
    (
        "Two young men are standing near many bushes.",
        "Zwei junge Männer stehen in der Nähe vieler Büsche.",
    ),
    (
        "Several men are operating a giant pulley system.",
        "Mehrere Männer bedienen ein riesiges Flaschenzugsystem.",
    ),
    (
        "A little girl is climbing into a wooden playhouse.",
        "Ein kleines Mädchen klettert in ein Spielhaus aus Holz.",
    ),
    (
        "A man in a blue shirt is standing on a ladder.",
        "Ein Mann in einem blauen Hemd steht auf einer Leiter.",
    ),
    (
        "Two men are at the stove preparing food.",
        "Zwei Männer stehen am Herd und bereiten Essen zu.",
    ),
    (
        "A man in green holds a guitar in 2016.",
        "Ein Mann in Grün hält 2016 eine Gitarre.",
    ),
    (
        "A man is smiling at a stuffed lion.",
        "Ein Mann lächelt einen ausgestopften Löwen an.",
    ),
    (
        "A trendy girl is talking on her cellphone.",
        "Ein schickes Mädchen spricht mit dem Handy.",
    ),
];

/// Lines on which a tokenizer could well lose something, or take text for something else.
const ODD_LINES: [&str; 40] = [
    "",
    " ",
    "   ",
    " leading",
    "trailing ",
    "two  spaces   three",
    "tab\tand\t\ttabs ",
    "\t",
    "no\u{a0}break\u{a0}\u{a0}space\u{a0}",
    "line\u{2028}separator\u{2029}",
    "nul\0inside",
    "\0",
    "control\u{1}\u{7f}\u{85}\u{b}\u{c}",
    "carriage\rreturn\r",
    "new\nline\n",
    "\u{feff}mark",
    "\u{10ffff}",
    "private \u{e000}\u{f8ff}",
    "caf\u{e9} cafe\u{301} \u{1e9b}\u{323}",
    "👨\u{200d}👩\u{200d}👧 🇩🇪 👍🏽 ❤\u{fe0f}",
    "한국어 문장은 띄어쓰기가 있다.",
    "中文没有空格，日本語も。",
    "שלום \u{202e}עולם مرحبا",
    "zero\u{200b}width\u{2060}",
    "\u{3000}wide\u{3000}",
    "▁",
    "▁▁a ▁b ▁",
    "<unk>",
    "<pad> <s> </s> <unk>",
    "</s>",
    "a </s> b</s>",
    "</w>",
    "word</w> a</w>b",
    "<0x41>",
    "<0x00><0xFF> <0xE2><0x96><0x81>",
    "@@ a@@ b",
    "\\u0041 \\n &amp; %20",
    "1234567890 3.14 ½ Ⅷ ٣",
    "don't DON'T ’s 's it''s",
    "\u{301}\u{200d}",
];

fn config(kind: TokenizerKind) -> TokenizerConfig {
    TokenizerConfig {
        kind,
        vocabulary: 500,
        shared: true,
        pretokenized: false,
        merges: None,
        dropout: 0.0,
        model: None,
        target_model: None,
    }
}

fn bpe() -> TokenizerConfig {
    config(TokenizerKind::Bpe)
}

fn pretokenized() -> TokenizerConfig {
    TokenizerConfig {
        pretokenized: true,
        ..bpe()
    }
}

fn train(config: &TokenizerConfig) -> Tokenizer {
    let pairs = PAIRS.map(|(source, target)| Ok((source.to_owned(), target.to_owned())));
    Tokenizer::train(config, pairs, &NoProgress).expect("trains")
}

fn train_on(config: &TokenizerConfig, lines: &[&str]) -> Tokenizer {
    let pairs = lines.iter().map(|line| Ok(((*line).to_owned(), String::new())));
    Tokenizer::train(config, pairs, &NoProgress).expect("trains")
}

fn round_trip(tokenizer: &Tokenizer, text: &str) -> String {
    let ids = tokenizer.encode(Side::Source, text);
    assert!(
        ids.iter().all(|id| ![PAD, BOS, EOS].contains(id)),
        "a special token came out of {text:?}"
    );
    assert!(
        ids.iter()
            .all(|&id| (id as usize) < tokenizer.vocabulary_size(Side::Source))
    );
    tokenizer.decode(Side::Source, &ids)
}

/// What pre-tokenised text keeps: its words.
fn words_of(text: &str) -> String {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A SentencePiece model of nine pieces, written by hand: protocol buffers with a piece, its score and its type.
fn sentencepiece_model() -> Vec<u8> {
    const NORMAL: u8 = 1;
    let pieces: [(&str, f32, u8); 12] = [
        ("<unk>", 0.0, 2),
        ("<s>", 0.0, 3),
        ("</s>", 0.0, 3),
        ("▁a", -1.0, NORMAL),
        ("▁ab", -2.0, NORMAL),
        ("b", -3.0, NORMAL),
        ("a", -3.5, NORMAL),
        ("▁", -4.0, NORMAL),
        ("<", -5.0, NORMAL),
        ("s", -5.5, NORMAL),
        (">", -6.0, NORMAL),
        ("/", -6.5, NORMAL),
    ];
    let mut model = Vec::new();
    for (piece, score, kind) in pieces {
        let mut message = vec![0x0a, piece.len() as u8];
        message.extend(piece.as_bytes());
        message.push(0x15);
        message.extend(score.to_le_bytes());
        message.extend([0x18, kind]);
        model.extend([0x0a, message.len() as u8]);
        model.extend(message);
    }
    model
}

/// The hand-written model's file, in a folder that lives as long as the first value.
fn sentencepiece_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hand.model");
    std::fs::write(&path, sentencepiece_model()).expect("written");
    (folder, path)
}

static BPE: LazyLock<Tokenizer> = LazyLock::new(|| train(&bpe()));
static PRETOKENIZED: LazyLock<Tokenizer> = LazyLock::new(|| train(&pretokenized()));

#[test]
fn bpe_loses_nothing() {
    for line in ODD_LINES
        .into_iter()
        .chain(PAIRS.iter().flat_map(|&(source, target)| [source, target]))
    {
        assert_eq!(round_trip(&BPE, line), line);
        assert_eq!(round_trip(&PRETOKENIZED, line), words_of(line));
    }
}

#[test]
fn bpe_that_learnt_odd_text_loses_nothing_either() {
    let everything: Vec<_> = ODD_LINES.iter().flat_map(|line| [*line; 3]).collect();
    for config in [bpe(), pretokenized()] {
        let tokenizer = train_on(
            &TokenizerConfig {
                vocabulary: 2000,
                ..config.clone()
            },
            &everything,
        );
        for line in ODD_LINES {
            let kept = if config.pretokenized {
                words_of(line)
            } else {
                line.to_owned()
            };
            assert_eq!(round_trip(&tokenizer, line), kept);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bpe_loses_no_string(text in "\\PC*|[ a-zäÄ▁<>/\\x00-\\x20]*|(?s).*") {
        prop_assert_eq!(round_trip(&BPE, &text), text.clone());
        prop_assert_eq!(round_trip(&PRETOKENIZED, &text), words_of(&text));
    }

    #[test]
    fn dropout_loses_no_string(text in "[ A-Za-zäü.]*|(?s).*", probability in 0.0f32..=1.0, seed: u64) {
        let ids = BPE.encode_with_dropout(Side::Target, &text, probability, seed);
        prop_assert_eq!(BPE.decode(Side::Target, &ids), text.clone());
        let ids = PRETOKENIZED.encode_with_dropout(Side::Target, &text, probability, seed);
        prop_assert_eq!(PRETOKENIZED.decode(Side::Target, &ids), words_of(&text));
    }
}

#[test]
fn bpe_joins_frequent_words() {
    let ids = BPE.encode(Side::Source, "A man is standing");
    assert_eq!(BPE.pieces(Side::Source, &ids), ["▁A", "▁man", "▁is", "▁standing"]);
    let ids = PRETOKENIZED.encode(Side::Source, "a man is stand");
    assert_eq!(PRETOKENIZED.pieces(Side::Source, &ids)[1..3], ["man</w>", "is</w>"]);
}

#[test]
fn a_character_that_was_never_seen_is_written_in_bytes() {
    let ids = BPE.encode(Side::Source, "語");
    assert_eq!(BPE.pieces(Side::Source, &ids), ["▁", "<0xE8>", "<0xAA>", "<0x9E>"]);
    let ids = PRETOKENIZED.encode(Side::Source, "語");
    assert_eq!(
        PRETOKENIZED.pieces(Side::Source, &ids),
        ["<0xE8>", "<0xAA>", "<0x9E>", "</w>"]
    );
    assert_eq!(
        BPE.decode(Side::Source, &ids[..1]),
        "\u{fffd}",
        "half a character is told as such"
    );
}

#[test]
fn the_vocabulary_is_as_large_as_asked_or_as_the_corpus_allows() {
    for vocabulary in [300, 350] {
        let tokenizer = train(&TokenizerConfig { vocabulary, ..bpe() });
        assert_eq!(tokenizer.vocabulary_size(Side::Source), vocabulary);
        assert!(tokenizer.vocabulary_size(Side::Source) < BPE.vocabulary_size(Side::Source));
    }
    let large = train(&TokenizerConfig {
        vocabulary: 100_000,
        ..bpe()
    });
    assert_eq!(
        large.fingerprint(),
        BPE.fingerprint(),
        "there is no more to learn from these lines"
    );
    let spelt = train(&TokenizerConfig {
        merges: Some(0),
        ..pretokenized()
    });
    assert_eq!(spelt.encode(Side::Source, "Two men.").len(), 7);
    let small = train(&TokenizerConfig {
        vocabulary: 261,
        ..bpe()
    });
    assert_eq!(small.vocabulary_size(Side::Source), 261);
    assert_eq!(round_trip(&small, "Two men."), "Two men.");
    let small = train(&TokenizerConfig {
        vocabulary: 264,
        ..pretokenized()
    });
    assert!(small.vocabulary_size(Side::Source) <= 264);
    assert_eq!(round_trip(&small, "Two men."), "Two men.");
    let words = train(&TokenizerConfig {
        vocabulary: 10,
        ..config(TokenizerKind::Words)
    });
    assert_eq!(words.vocabulary_size(Side::Target), 10);
}

#[test]
fn a_corpus_of_nothing_gives_a_vocabulary_of_bytes() {
    for kind in [TokenizerKind::Bpe, TokenizerKind::Words, TokenizerKind::Chars] {
        let tokenizer = train_on(&config(kind), &["", ""]);
        assert_eq!(tokenizer.decode(Side::Source, &tokenizer.encode(Side::Source, "")), "");
    }
    let bytes = train_on(&bpe(), &[]);
    assert_eq!(round_trip(&bytes, "Zwei Männer"), "Zwei Männer");
}

#[test]
fn two_sides_learn_from_their_own_text() {
    let tokenizer = train(&TokenizerConfig { shared: false, ..bpe() });
    assert!(!tokenizer.is_shared() && BPE.is_shared());
    assert_eq!(
        tokenizer.pieces(Side::Target, &tokenizer.encode(Side::Target, "Männer")),
        ["▁Männer"]
    );
    assert!(
        tokenizer
            .pieces(Side::Source, &tokenizer.encode(Side::Source, "Männer"))
            .len()
            > 3
    );
    assert_eq!(BPE.encode(Side::Source, "Männer"), BPE.encode(Side::Target, "Männer"));
}

#[test]
fn special_tokens_are_left_out_of_text_and_shown_in_pieces() {
    let tokenizers = [
        bpe(),
        pretokenized(),
        config(TokenizerKind::Words),
        config(TokenizerKind::Chars),
    ]
    .map(|c| train(&c));
    for tokenizer in &tokenizers {
        let mut ids = vec![BOS];
        ids.extend(tokenizer.encode(Side::Source, "men are"));
        ids.extend([EOS, PAD, PAD]);
        assert_eq!(tokenizer.decode(Side::Source, &ids), "men are");
        assert_eq!(tokenizer.pieces(Side::Source, &ids)[0], "<s>");
        assert_eq!(tokenizer.decode(Side::Source, &[UNK]), "<unk>");
        assert_eq!(tokenizer.decode(Side::Source, &[u32::MAX]), "<unk>");
        let size = tokenizer.vocabulary_size(Side::Source) as u32;
        assert!((0..size).all(|id| tokenizer.piece(Side::Source, id).is_some_and(|piece| !piece.is_empty())));
        assert_eq!(tokenizer.piece(Side::Source, size), None);
    }
}

#[test]
fn dropout_is_a_function_of_its_seed() {
    let line = PAIRS[1].1;
    for tokenizer in [&*BPE, &*PRETOKENIZED] {
        let encode = |probability, seed| tokenizer.encode_with_dropout(Side::Target, line, probability, seed);
        assert_eq!(encode(0.0, 1), tokenizer.encode(Side::Target, line));
        assert_eq!(encode(0.5, 1), encode(0.5, 1));
        assert_ne!(encode(0.5, 1), encode(0.5, 2));
        assert!(encode(0.1, 3).len() < encode(0.9, 3).len());
        let spelt = encode(1.0, 1);
        assert!(spelt.len() >= line.chars().filter(|character| *character != ' ').count());
        assert!(
            tokenizer
                .pieces(Side::Target, &spelt)
                .iter()
                .all(|p| p.trim_end_matches("</w>").chars().count() == 1)
        );
    }
}

#[test]
fn dropout_leaves_the_other_kinds_alone() {
    let words = train(&config(TokenizerKind::Words));
    let line = PAIRS[0].0;
    assert_eq!(
        words.encode_with_dropout(Side::Source, line, 1.0, 7),
        words.encode(Side::Source, line)
    );
}

#[test]
fn words_and_characters() {
    let words = train(&config(TokenizerKind::Words));
    assert_eq!(round_trip(&words, "  A man\tis qwertz "), "A man is <unk>");
    let chars = train(&config(TokenizerKind::Chars));
    assert_eq!(round_trip(&chars, " A  man語"), " A  man<unk>");
    let ids = chars.encode(Side::Source, "a b");
    assert_eq!(chars.pieces(Side::Source, &ids), ["a", "▁", "b"]);
    let look_alikes = train_on(&config(TokenizerKind::Words), &["<unk> </s> <pad>"; 2]);
    assert_eq!(round_trip(&look_alikes, "<unk> </s> <pad>"), "<unk> </s> <pad>");
    assert!(!look_alikes.encode(Side::Source, "<unk>").contains(&UNK));
}

#[test]
fn a_sentencepiece_model_under_our_ids() {
    let (_folder, path) = sentencepiece_file();
    let tokenizer = train(&TokenizerConfig {
        model: Some(path),
        ..config(TokenizerKind::Sentencepiece)
    });
    assert_eq!(tokenizer.vocabulary_size(Side::Source), 4 + 9);
    let ids = tokenizer.encode(Side::Source, "ab a ba");
    assert_eq!(tokenizer.pieces(Side::Source, &ids), ["▁ab", "▁a", "▁", "b", "a"]);
    assert_eq!(tokenizer.decode(Side::Source, &ids), "ab a ba");
    assert_eq!(round_trip(&tokenizer, "a 語 b"), "a <unk> b");
    assert!(tokenizer.encode(Side::Source, "").is_empty());
    assert_eq!(round_trip(&tokenizer, "<s></s>"), "<s></s>");
    let again = saved_and_loaded(&tokenizer);
    assert_eq!(again.encode(Side::Source, "ab a ba"), ids);
}

fn saved_and_loaded(tokenizer: &Tokenizer) -> Tokenizer {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokenizer.json");
    tokenizer.save(&path).expect("saved");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("listed").count(),
        1,
        "nothing else is left behind"
    );
    let loaded = Tokenizer::load(&path).expect("loaded");
    assert_eq!(loaded.fingerprint(), tokenizer.fingerprint());
    loaded
}

#[test]
fn saved_and_loaded_it_is_the_same() {
    let kinds = [
        bpe(),
        pretokenized(),
        config(TokenizerKind::Words),
        config(TokenizerKind::Chars),
    ];
    for config in kinds.into_iter().flat_map(|config| {
        [
            config.clone(),
            TokenizerConfig {
                shared: false,
                ..config
            },
        ]
    }) {
        let tokenizer = train(&config);
        let loaded = saved_and_loaded(&tokenizer);
        for side in [Side::Source, Side::Target] {
            assert_eq!(loaded.vocabulary_size(side), tokenizer.vocabulary_size(side));
            for line in ODD_LINES
                .into_iter()
                .chain(PAIRS.iter().flat_map(|&(source, target)| [source, target]))
            {
                assert_eq!(loaded.encode(side, line), tokenizer.encode(side, line));
            }
        }
    }
}

#[test]
fn trained_twice_it_is_the_same() {
    for config in [
        bpe(),
        pretokenized(),
        config(TokenizerKind::Words),
        config(TokenizerKind::Chars),
    ] {
        assert_eq!(train(&config).to_bytes(), train(&config).to_bytes());
    }
    assert_ne!(BPE.fingerprint(), PRETOKENIZED.fingerprint());
}

#[test]
fn a_damaged_file_is_told_from_a_sound_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokenizer.json");
    let sound = String::from_utf8(BPE.to_bytes()).expect("text");
    let message = |content: &str| {
        std::fs::write(&path, content).expect("written");
        Tokenizer::load(&path).expect_err("damaged").to_string()
    };
    assert!(message("").contains("was cut off"));
    assert!(message("{}").contains("not a tokenizer file"));
    assert!(message(&sound[..sound.len() / 2]).contains("was cut off"));
    assert!(message(&sound.replacen("\"an\"", "\"na\"", 1)).contains("was changed after it was written"));
    assert!(message(&sound.replace("\"version\":1", "\"version\":2")).contains("format version 2 is not the 1"));
    assert!(message(&sound.replace("EmberNMT tokenizer", "other")).contains("\"other\""));
    assert!(message(&sound.replace("\"bpe\"", "\"bqe\"")).contains("is damaged"));
    let missing = Tokenizer::load(&folder.path().join("none.json"))
        .expect_err("missing")
        .to_string();
    assert!(missing.contains("cannot read") && missing.contains("hint:"));
}

#[test]
fn a_file_that_is_no_sentencepiece_model_is_refused() {
    let (folder, path) = sentencepiece_file();
    let config = |path| TokenizerConfig {
        model: Some(path),
        ..config(TokenizerKind::Sentencepiece)
    };
    let train = |path| Tokenizer::train(&config(path), [], &NoProgress);
    let message = train(folder.path().join("none.model"))
        .expect_err("missing")
        .to_string();
    assert!(message.contains("none.model"), "{message}");
    for content in [
        "".as_bytes(),
        b"{\"model\": 1}",
        &[0xff; 64],
        &sentencepiece_model()[..50],
    ] {
        std::fs::write(&path, content).expect("written");
        let message = train(path.clone()).expect_err("no model").to_string();
        assert!(message.contains("is not a SentencePiece model"), "{message}");
    }
}

#[test]
fn the_first_error_of_the_corpus_ends_training() {
    let fault = damaged(Path::new("train.en"), "is not UTF-8", "convert it");
    let pairs = [Ok(("a".to_owned(), "b".to_owned())), Err(fault)];
    let message = Tokenizer::train(&bpe(), pairs, &NoProgress)
        .expect_err("fails")
        .to_string();
    assert_eq!(message, "train.en: is not UTF-8\nhint: convert it");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let message = |config: TokenizerConfig| config.validate().expect_err("refused").to_string();
    let sentencepiece = || config(TokenizerKind::Sentencepiece);
    assert!(
        message(TokenizerConfig {
            vocabulary: 260,
            ..bpe()
        })
        .contains("260 is not between 261 and 10000000")
    );
    assert!(
        message(TokenizerConfig {
            vocabulary: 4,
            ..config(TokenizerKind::Chars)
        })
        .contains("between 5")
    );
    assert!(
        message(TokenizerConfig {
            merges: Some(10),
            ..bpe()
        })
        .contains("tokenizer.merges")
    );
    assert!(
        message(TokenizerConfig {
            pretokenized: true,
            ..config(TokenizerKind::Words)
        })
        .contains("pretokenized")
    );
    assert!(message(TokenizerConfig { dropout: 1.5, ..bpe() }).contains("1.5 is not between 0 and 1"));
    assert!(
        message(TokenizerConfig {
            dropout: f32::NAN,
            ..bpe()
        })
        .contains("NaN")
    );
    assert!(
        message(TokenizerConfig {
            dropout: 0.1,
            ..config(TokenizerKind::Words)
        })
        .contains("dropout")
    );
    assert!(
        message(TokenizerConfig {
            model: Some("a".into()),
            ..bpe()
        })
        .contains("tokenizer.model")
    );
    assert!(message(sentencepiece()).contains("tokenizer.model: is missing"));
    let one = TokenizerConfig {
        model: Some("a".into()),
        ..sentencepiece()
    };
    assert!(one.validate().is_ok());
    assert!(
        message(TokenizerConfig {
            shared: false,
            ..one.clone()
        })
        .contains("target_model: is missing")
    );
    assert!(
        message(TokenizerConfig {
            target_model: Some("b".into()),
            ..one
        })
        .contains("target_model: is read")
    );
}

#[test]
fn many_threads_get_the_ids_of_one() {
    let lines: Vec<_> = PAIRS.iter().flat_map(|&(source, target)| [source, target]).collect();
    let expected: Vec<_> = lines.iter().map(|line| BPE.encode(Side::Source, line)).collect();
    let shared = train(&bpe());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let ids: Vec<_> = lines.iter().map(|line| shared.encode(Side::Source, line)).collect();
                    assert_eq!(ids, expected);
                }
            });
        }
    });
}
