//! The committed files of `data/sample`: the generator gives them again, and they keep what data/README.md promises.

use ember_sample::corpus::{
    COMMON, HELD_OUT, SEED, TEST, TEST_HELD_OUT, TRAIN, VALID, count_words, is_held_out, words,
};
use ember_sample::{Corpus, Pair, generate};
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::LazyLock;

static CORPUS: LazyLock<Corpus> = LazyLock::new(|| generate(SEED));

fn committed(name: &str) -> io::Result<String> {
    std::fs::read_to_string(Path::new("../../data/sample").join(name))
}

fn english(pairs: &[Pair]) -> HashSet<&str> {
    pairs.iter().map(|pair| pair.english.as_str()).collect()
}

#[test]
fn the_generator_gives_the_committed_files_byte_for_byte() -> io::Result<()> {
    for (name, text) in CORPUS.files() {
        // Not assert_eq!, which would print both files.
        assert!(
            committed(&name)? == text,
            "data/sample/{name} isn't what generate-sample writes"
        );
    }
    Ok(())
}

#[test]
fn the_files_have_the_promised_lines() -> io::Result<()> {
    for (part, lines) in [("train", TRAIN), ("valid", VALID), ("test", TEST)] {
        for side in ["en", "ko"] {
            let text = committed(&format!("{part}.{side}"))?;
            assert_eq!(text.lines().count(), lines, "{part}.{side}");
            assert!(text.ends_with('\n') && !text.contains('\r'), "{part}.{side}");
        }
    }
    Ok(())
}

#[test]
fn korean_is_written_in_precomposed_syllables() -> io::Result<()> {
    for part in ["train", "valid", "test"] {
        let text = committed(&format!("{part}.ko"))?;
        let odd: HashSet<char> = text
            .chars()
            .filter(|c| !matches!(c, '가'..='힣' | ' ' | '\n' | ',' | '.' | '?'))
            .collect();
        assert!(odd.is_empty(), "{part}.ko has {odd:?}");
    }
    Ok(())
}

#[test]
fn no_english_sentence_is_in_two_parts_or_twice_in_one() {
    let [train, valid, test] = [english(&CORPUS.train), english(&CORPUS.valid), english(&CORPUS.test)];
    assert_eq!([train.len(), valid.len(), test.len()], [TRAIN, VALID, TEST]);
    assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));
}

#[test]
fn held_out_combinations_come_in_test_only() {
    assert!(!CORPUS.train.iter().chain(&CORPUS.valid).any(is_held_out));
    assert_eq!(
        CORPUS.test.iter().filter(|pair| is_held_out(pair)).count(),
        TEST_HELD_OUT
    );
    let present: HashSet<_> = CORPUS.test.iter().flat_map(|pair| &pair.combinations).collect();
    let absent: Vec<_> = HELD_OUT
        .iter()
        .filter(|combination| !present.contains(combination))
        .collect();
    assert!(absent.is_empty(), "test lacks {absent:?}");
}

#[test]
fn every_english_word_of_test_is_common_in_train() {
    let counts = count_words(&CORPUS.train);
    let rare: HashSet<&str> = CORPUS
        .test
        .iter()
        .flat_map(|pair| words(&pair.english))
        .filter(|word| counts.get(word).copied().unwrap_or_default() < COMMON)
        .collect();
    assert!(rare.is_empty(), "fewer than {COMMON} times in train: {rare:?}");
}
