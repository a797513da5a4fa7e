//! Pre-tokenised BPE against what subword-nmt learnt and wrote: the same merges, and the same pieces of every word.
//!
//! The vectors are not part of the repository. They are looked for in `$EMBER_SHARED_DATA`, else in `shared/data`
//! beside the repository; where there are none, the tests say so and pass.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use ember_data::tokenizer::{Side, Tokenizer};
use ember_data::{NoProgress, TokenizerConfig, TokenizerKind};

fn vectors() -> Option<PathBuf> {
    let folder = match std::env::var_os("EMBER_SHARED_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from("../../../shared/data"),
    };
    let found = folder.join("vectors/subword-nmt").is_dir();
    if !found {
        println!("skipped: no vectors in {} (set EMBER_SHARED_DATA)", folder.display());
    }
    found.then_some(folder)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn learn(merges: usize, source: &str, target: &str) -> Tokenizer {
    let config = TokenizerConfig {
        kind: TokenizerKind::Bpe,
        vocabulary: 8000,
        shared: true,
        pretokenized: true,
        merges: Some(merges),
        dropout: 0.0,
        model: None,
        target_model: None,
    };
    let mut target = target.lines();
    let pairs = source
        .lines()
        .map(|line| Ok((line.to_owned(), target.next().unwrap_or_default().to_owned())));
    Tokenizer::train(&config, pairs, &NoProgress).expect("the settings are sound")
}

/// The merges as subword-nmt writes them, one a line below its header.
fn codes(tokenizer: &Tokenizer) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder to write in");
    let path = folder.path().join("tokenizer.json");
    tokenizer.save(&path).expect("saved");
    let saved: serde_json::Value = serde_json::from_str(&read(&path)).expect("JSON");
    let text = |piece: &serde_json::Value| match piece.as_str().expect("a string") {
        piece if piece.ends_with(' ') => format!("{}</w>", piece.trim_end_matches(' ')),
        piece => piece.to_owned(),
    };
    let merges = saved["sides"][0]["merges"].as_array().expect("a list");
    merges
        .iter()
        .map(|merge| format!("{} {}", text(&merge[0]), text(&merge[1])))
        .collect()
}

fn assert_equal_codes(tokenizer: &Tokenizer, codes_file: &Path) {
    let theirs = read(codes_file);
    let theirs: Vec<_> = theirs.lines().skip(1).collect();
    let ours = codes(tokenizer);
    let equal = ours
        .iter()
        .zip(&theirs)
        .take_while(|(ours, theirs)| ours == theirs)
        .count();
    println!(
        "{}: the first {equal} of {} merges are equal",
        codes_file.display(),
        theirs.len()
    );
    assert_eq!(ours, theirs);
}

/// The line as `subword-nmt apply-bpe` writes it. It knows no bytes: a character that it never saw stands alone.
fn segmented(tokenizer: &Tokenizer, line: &str) -> String {
    let mut segments = Vec::new();
    let mut bytes = Vec::new();
    for piece in tokenizer.pieces(Side::Source, &tokenizer.encode(Side::Source, line)) {
        if let Some(digits) = piece.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>')) {
            bytes.push(u8::from_str_radix(digits, 16).expect("a byte"));
            if let Ok(character) = std::str::from_utf8(&bytes) {
                segments.push(format!("{character}@@"));
                bytes.clear();
            }
        } else if piece == "</w>" {
            let character = segments.pop().expect("a character that ends the word");
            segments.push(character.trim_end_matches("@@").to_owned());
        } else {
            match piece.strip_suffix("</w>") {
                Some(last) => segments.push(last.to_owned()),
                None => segments.push(format!("{piece}@@")),
            }
        }
    }
    segments.join(" ")
}

/// Segments a file and compares it with subword-nmt's, every line of it; tells what the training text did not hold.
fn assert_equal_segments(tokenizer: &Tokenizer, training: &[&str], text: &Path, reference: &Path) {
    let known: HashSet<char> = training.iter().flat_map(|text| text.chars()).collect();
    let (text, reference) = (read(text), read(reference));
    assert_eq!(text.lines().count(), reference.lines().count());
    let unknown: Vec<char> = text.chars().filter(|character| !known.contains(character)).collect();
    println!("{} characters of the text are unknown: {unknown:?}", unknown.len());
    for (number, (line, expected)) in text.lines().zip(reference.lines()).enumerate() {
        assert_eq!(segmented(tokenizer, line), expected, "line {}", number + 1);
        assert_eq!(
            tokenizer.decode(Side::Source, &tokenizer.encode(Side::Source, line)),
            line,
            "line {}",
            number + 1
        );
    }
}

#[test]
fn the_reference_corpus_of_subword_nmt() {
    let Some(folder) = vectors() else { return };
    let folder = folder.join("vectors/subword-nmt");
    let corpus = read(&folder.join("corpus.en"));
    let tokenizer = learn(1000, &corpus, "");
    assert_equal_codes(&tokenizer, &folder.join("bpe.ref"));
    assert_equal_segments(
        &tokenizer,
        &[&corpus],
        &folder.join("corpus.en"),
        &folder.join("corpus.bpe.ref.en"),
    );
}

#[test]
fn the_published_multi30k_merges() {
    let Some(folder) = vectors() else { return };
    let (multi30k, reference) = (folder.join("multi30k-tok"), folder.join("vectors/wu2021-bpe"));
    let (source, target) = (read(&multi30k.join("train.en")), read(&multi30k.join("train.de")));
    let tokenizer = learn(10_000, &source, &target);
    assert_equal_codes(&tokenizer, &reference.join("code"));
    for language in ["en", "de"] {
        let text = multi30k.join(format!("test2016.{language}"));
        let expected = reference.join(format!("test2016.bpe.{language}"));
        assert_equal_segments(&tokenizer, &[&source, &target], &text, &expected);
    }
}
