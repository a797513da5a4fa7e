use std::fs;

use ember_data::config::TokenizerConfig;
use ember_data::progress::NoProgress;

use super::*;

/// Two pairs that fit, one that is too long, in a folder of its own.
fn config() -> (TempDir, Config) {
    let folder = TempDir::new().expect("a folder");
    fs::write(
        folder.path().join("train.en"),
        "a man sees a man\na dog\na b c d e f g h i j k l\n",
    )
    .expect("a file");
    fs::write(
        folder.path().join("train.de"),
        "ein Mann sieht einen Mann\nein Hund\nx\n",
    )
    .expect("a file");
    fs::write(folder.path().join("valid.en"), "a man\na cat sees\n").expect("a file");
    fs::write(folder.path().join("valid.de"), "ein Mann\neine Katze\n").expect("a file");
    let text = "name = \"a\"\n[data]\nsource = \"en\"\ntarget = \"de\"\ntrain = \"train\"\nvalid = \"valid\"\n\
                max_length = 6\n[tokenizer]\nkind = \"words\"\nvocabulary = 9\nshared = false\n\
                [training]\nbatch_tokens = 4\nstop_after = \"10u\"\n";
    let config = Config::from_toml(text, &folder.path().join("a.toml"), &[]).expect("a config");
    (folder, config)
}

#[test]
fn the_text_tells_batches_and_coverage() {
    let (_folder, config) = config();
    let corpus = Corpus::open(&config, None, &NoProgress).unwrap();
    let mut batches = corpus.batches.clone();
    batches.sort_by_key(|batch| batch.target_length);
    let shape = |rows, source_length, target_length| BatchShape {
        rows,
        source_length,
        target_length,
    };
    assert_eq!(batches, [shape(1, 3, 3), shape(1, 6, 6)]);
    let averages = corpus.averages(&config).unwrap();
    assert_eq!((averages.updates_an_epoch, averages.target_tokens), (2.0, 4.5));

    let [source, target] = corpus.coverage.unwrap();
    // Five words are known; of the text's 19 words, `a` stands four times, `man` twice, then `b`, `c` and `d`.
    assert_eq!((source.words, source.tokens, source.unknown), (19, 19, 10));
    assert_eq!(source.used.len(), 6, "the unknown one is used as well");
    assert_eq!((target.words, target.tokens), (8, 8));
    assert_eq!(corpus.valid_lengths, [2, 3]);
}

#[test]
fn characters_are_known_or_not() {
    let (folder, mut config) = config();
    config.tokenizer.kind = TokenizerKind::Chars;
    config.tokenizer.vocabulary = 5; // the special tokens and the most frequent letter
    fs::write(folder.path().join("train.en"), "aa ab\nab\na\n").expect("a file");
    let corpus = Corpus::open(&config, None, &NoProgress).unwrap();
    let [source, _] = corpus.coverage.unwrap();
    assert_eq!((source.characters, source.foreign_characters), (7, 7 - 5));
}

#[test]
fn a_text_that_is_not_there_leaves_less_to_tell() {
    let (folder, config) = config();
    fs::remove_file(folder.path().join("train.de")).expect("a file");
    let corpus = Corpus::open(&config, None, &NoProgress).unwrap();
    assert!(corpus.tokenizer.is_none() && corpus.batches.is_empty() && corpus.averages(&config).is_none());
}

#[test]
fn a_damaged_text_is_an_error() {
    let (folder, config) = config();
    fs::write(folder.path().join("train.de"), "only one line\n").expect("a file");
    let fault = Corpus::open(&config, None, &NoProgress).map(|_| ()).unwrap_err();
    assert!(fault.to_string().contains("train.de"), "{fault}");
}

#[test]
fn bytes_are_told_from_pieces() {
    assert!(is_byte("<0xE2>") && !is_byte("<0x>") && !is_byte("▁and") && !is_byte("<unk>"));
}

/// BPE-dropout has smaller windows, and so other batches.
#[test]
fn batches_are_those_of_training_with_bpe_dropout_too() {
    let (folder, mut config) = config();
    for (name, lines) in [("train.en", ["a b", "a", "b a b"]), ("train.de", ["c", "d c", "c d c"])] {
        fs::write(folder.path().join(name), (lines.join("\n") + "\n").repeat(20_000)).expect("a file");
    }
    config.tokenizer = TokenizerConfig {
        vocabulary: 270,
        dropout: 0.1,
        ..TokenizerConfig::new(TokenizerKind::Bpe)
    };
    config.training.batch_tokens = 1000;
    let batches = |window: Option<usize>| {
        let mut config = config.clone();
        config.training.window = window;
        Corpus::open(&config, None, &NoProgress).unwrap().batches
    };
    let found = batches(None);
    assert!(found == batches(Some(32_768)), "windows of 32768 pairs");
    assert!(found != batches(Some(131_072)));
}
