//! Damaged and odd corpora: each ends in a clear error, or in pairs whose losses are counted. Never a panic, never a
//! silent loss.
//!
//! The corpora are made here. A larger collection of the same cases is read from `EMBER_SHARED_DATA/bad`, or from
//! `shared/data/bad` beside the repository, where there is one.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ember_data::batch::{BatchOptions, BatchStream, Position};
use ember_data::corpus::{CorpusFiles, read_pairs, read_sides};
use ember_data::store::{DataReport, LeftOut, StoreSettings, TokenStore};
use ember_data::tokenizer::Tokenizer;
use ember_data::{NoProgress, Result, TokenizerConfig, TokenizerKind};

const SETTINGS: StoreSettings = StoreSettings {
    max_length: 128,
    deduplicate: false,
};

/// All the way from files to an epoch of batches; the report says what was kept.
fn prepare(files: &CorpusFiles, settings: &StoreSettings) -> Result<DataReport> {
    let config = TokenizerConfig {
        vocabulary: 400,
        ..TokenizerConfig::new(TokenizerKind::Bpe)
    };
    let pairs = read_pairs(files)?.map(|pair| pair.map(|pair| (pair.source, pair.target)));
    let tokenizer = Tokenizer::train(&config, pairs, &NoProgress)?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, report) = TokenStore::build_or_open(
        folder.path(),
        &[files.clone().into()],
        &tokenizer,
        settings,
        &NoProgress,
    )?;

    // Nothing is lost silently: every line is kept or counted, and every pair kept comes once.
    assert_eq!(report.lines, report.kept + report.left_out.total());
    assert_eq!(report.kept, store.len() as u64);
    let mut seen = vec![0; store.len()];
    for (batch, after) in BatchStream::new(Arc::new(store), BatchOptions::new(512, 1), Position::default()) {
        batch.indices.iter().for_each(|&index| seen[index as usize] += 1);
        if after.epoch == 1 {
            break;
        }
    }
    assert!(seen.iter().all(|&times| times == 1));
    Ok(report)
}

/// What becomes of a case.
enum Outcome {
    /// So many pairs are kept, and those left out have these reasons.
    Kept(u64, LeftOut),
    /// An error that contains all of these.
    Error(&'static [&'static str]),
}
use Outcome::{Error, Kept};

const NONE: LeftOut = LeftOut {
    empty_source: 0,
    empty_target: 0,
    empty_both: 0,
    too_long: 0,
    duplicate: 0,
};

#[track_caller]
fn expect(name: &str, outcome: Outcome, result: Result<DataReport>) -> Option<DataReport> {
    match (outcome, result) {
        (Kept(kept, left_out), Ok(report)) => {
            assert_eq!((report.kept, report.left_out), (kept, left_out), "{name}");
            Some(report)
        }
        (Error(parts), Err(error)) => {
            let message = error.to_string();
            for part in parts.iter().chain(&["\nhint: "]) {
                assert!(message.contains(part), "{name}: {part:?} is missing in {message:?}");
            }
            None
        }
        (Kept(..), Err(error)) => panic!("{name}: {error}"),
        (Error(_), Ok(report)) => panic!("{name}: no error, but {report:?}"),
    }
}

/// A small corpus written here.
fn written(name: &str, source: &[u8], target: &[u8], outcome: Outcome) -> Option<DataReport> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let prefix = folder.path().join(name);
    fs::write(prefix.with_extension("src"), source).expect("a written file");
    fs::write(prefix.with_extension("tgt"), target).expect("a written file");
    let files = CorpusFiles::resolve(&prefix, "src", "tgt").expect("both files");
    expect(name, outcome, prepare(&files, &SETTINGS))
}

#[test]
fn lines_that_do_not_pair_up_stop() {
    written(
        "short",
        b"a\nb\nc\n",
        b"A\nB\n",
        Error(&["short.src:3: ", "short.src has 3 lines", "short.tgt has 2"]),
    );
    written(
        "long",
        b"a\nb\n",
        b"A\nB\nC\nD",
        Error(&["long.tgt:3: ", "long.tgt has 4 lines", "long.src has 2"]),
    );
    written(
        "blank",
        b"a\n\n",
        b"A\n",
        Error(&["blank.src:2: ", "one empty line too many at its end"]),
    );
    written(
        "blanks",
        b"a\n",
        b"A\n\n \n\n",
        Error(&["blanks.tgt:2: ", "the last 3 lines of"]),
    );
    written(
        "half",
        b"a\nb\n",
        b"",
        Error(&["half.src:1: ", "half.tgt has 0", "half.tgt is empty"]),
    );
    written(
        "none",
        b"",
        b"",
        Error(&["none.src: no pairs", "none.tgt are both empty"]),
    );
}

#[test]
fn other_encodings_stop() {
    written(
        "latin",
        b"a\nb\n",
        b"A\nf\xFCr\n",
        Error(&["latin.tgt:2: not valid UTF-8: bytes FC 72 at byte 2 of the line"]),
    );
    written(
        "utf16",
        b"\xFF\xFEa\0\n\0",
        b"A\n",
        Error(&["utf16.src:1: ", "looks like UTF-16"]),
    );
    written(
        "gzip",
        b"\x1F\x8B\x08\0\n",
        b"A\n",
        Error(&["gzip.src:1: ", "end in .gz"]),
    );
    for (name, bytes) in [
        ("cut", &b"a\nb \xE2\x82\n"[..]),
        ("overlong", b"a\nb \xC0\xAF\n"),
        ("surrogate", b"a\nb \xED\xA0\x80\n"),
        ("beyond", b"a\nb \xF4\x90\x80\x80\n"),
    ] {
        written(
            name,
            bytes,
            b"A\nB\n",
            Error(&[".src:2: not valid UTF-8", "at byte 3 of the line, byte 5 of the text"]),
        );
    }
}

#[test]
fn empty_sides_are_counted() {
    let left_out = LeftOut {
        empty_source: 1,
        empty_target: 2,
        empty_both: 1,
        ..NONE
    };
    written(
        "empty",
        b"a\n \nb\nc\n\n",
        "A\nB\n\t\n\u{200B}\n\u{3000}\u{A0}\n".as_bytes(),
        Kept(1, left_out),
    );
    written(
        "all",
        b"\n\n",
        b"A\nB\n",
        Error(&["no pair is left of 2", "2 with an empty source side"]),
    );
    written(
        "lone nul",
        b"\0\nb\0b\n",
        b"A\nB\n",
        Kept(
            1,
            LeftOut {
                empty_source: 1,
                ..NONE
            },
        ),
    );
}

#[test]
fn marks_and_line_ends_are_reported() {
    let report = written("marks", b"\xEF\xBB\xBFa\r\nb\rb\r\nc\0\r\n", b"A\nB\nC", Kept(3, NONE)).expect("kept");
    let json = serde_json::to_value(&report.corpora[0].files).expect("JSON");
    assert_eq!(json[0]["bom"], true);
    assert_eq!(json[0]["crlf"], 3);
    assert_eq!(json[0]["inner_cr"], 1);
    assert_eq!(json[0]["nul"], 1);
    assert_eq!(json[1]["bom"], false);
    assert_eq!(json[1]["no_final_newline"], true);
}

#[test]
fn only_line_feeds_split_lines() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("c.src"), "a\u{2028}b\nc\u{85}d\x0B\x0C\u{2029}\n").expect("a written file");
    fs::write(path("c.tgt"), "A\rB\nC\n").expect("a written file");
    let files = CorpusFiles::resolve(&path("c"), "src", "tgt").expect("both files");
    let (source, target) = read_sides(&files).expect("two lines");
    assert_eq!(source, ["a\u{2028}b", "c\u{85}d\x0B\x0C\u{2029}"]);
    assert_eq!(target, ["A\rB", "C"]);
}

#[test]
fn odd_but_sound_text_is_kept() {
    written("one", b"one pair", b"ein Paar", Kept(1, NONE));
    written("one character", &b"a\n".repeat(50), &b"b\n".repeat(50), Kept(50, NONE));
    let long = format!("{}\nb\n", "word ".repeat(200_000));
    written(
        "long line",
        long.as_bytes(),
        b"A\nB\n",
        Kept(1, LeftOut { too_long: 1, ..NONE }),
    );
    let unicode = "👩\u{200D}🚀 🇰🇷 👍🏽\ncafé cafe\u{301}\n한국어 \u{1112}\u{1161}\u{11AB}\nİ ß ſ\n\u{E000} \u{10FFFF}\nشكرا \u{202E}x\nไม่มีช่องว่าง\n";
    written("unicode", unicode.as_bytes(), unicode.as_bytes(), Kept(7, NONE));
}

#[test]
fn duplicates_go_only_if_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("c.tsv");
    // Only a pair that is the same on both sides is a duplicate.
    fs::write(&path, "a\tA\na\tB\na\tA\nb\tA\na\tA\n").expect("a written file");
    let files = CorpusFiles::Tsv(path);
    expect("kept", Kept(5, NONE), prepare(&files, &SETTINGS));
    let deduplicate = StoreSettings {
        deduplicate: true,
        ..SETTINGS
    };
    expect(
        "left out",
        Kept(3, LeftOut { duplicate: 2, ..NONE }),
        prepare(&files, &deduplicate),
    );
}

/// The folder with the larger collection, if there is one.
fn collection() -> Option<PathBuf> {
    let shared = std::env::var_os("EMBER_SHARED_DATA").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| "../../../shared/data".into());
    Some(shared.join("bad")).filter(|folder| folder.join("CASES.tsv").is_file())
}

#[test]
fn every_case_of_the_collection_is_handled() {
    let Some(folder) = collection() else {
        println!("skipped: no folder shared/data/bad; EMBER_SHARED_DATA can name shared/data");
        return;
    };
    let cases = fs::read_to_string(folder.join("CASES.tsv")).expect("CASES.tsv");
    for name in cases.lines().skip(1).filter_map(|line| line.split('\t').next()) {
        let outcome = match name {
            "misaligned_short" => Error(&[
                "src:200: ",
                "misaligned_short.src has 200 lines",
                "misaligned_short.tgt has 199",
            ]),
            "misaligned_long" => Error(&[
                "tgt:201: ",
                "misaligned_long.tgt has 201 lines",
                "misaligned_long.src has 200",
            ]),
            "extra_blank_end" => Error(&["src:201: ", "one empty line too many at its end"]),
            "empty_file" => Error(&["no pairs"]),
            "empty_target_file" => Error(&["src:1: ", "has 200 lines", "empty_target_file.tgt is empty"]),
            "invalid_utf8" => Error(&["invalid_utf8.src:10: not valid UTF-8"]),
            "empty_lines" => Kept(
                197,
                LeftOut {
                    empty_source: 1,
                    empty_target: 1,
                    empty_both: 1,
                    ..NONE
                },
            ),
            "whitespace_lines" => Kept(
                196,
                LeftOut {
                    empty_source: 2,
                    empty_target: 2,
                    ..NONE
                },
            ),
            "nul" => Kept(
                199,
                LeftOut {
                    empty_source: 1,
                    ..NONE
                },
            ),
            "long_line_words" => Kept(199, LeftOut { too_long: 1, ..NONE }),
            "one_pair" => Kept(1, NONE),
            "unicode" => Kept(20, NONE),
            "rtl" | "no_spaces" => Kept(7, NONE),
            "duplicates" | "all_different" => Kept(500, NONE),
            "one_char" => Kept(100, NONE),
            "ok" | "no_final_newline" | "bom" | "crlf" | "crlf_one_side" | "cr_inside" => Kept(200, NONE),
            other => panic!("a new case: {other}"),
        };
        let files = CorpusFiles::resolve(&folder.join(name), "src", "tgt").expect("both files");
        let result = prepare(&files, &SETTINGS);
        match &result {
            Ok(report) => println!("{name}: {} kept; left out: {}", report.kept, report.left_out),
            Err(error) => println!("{name}: {error}"),
        }
        let Some(report) = expect(name, outcome, result) else {
            continue;
        };
        let [source, target] = [0, 1].map(|side| &report.corpora[0].files[side].file.lines);
        let found = match name {
            "bom" => source.bom && target.bom,
            "crlf" => (source.crlf, target.crlf) == (200, 200),
            "crlf_one_side" => (source.crlf, target.crlf) == (200, 0),
            "cr_inside" => source.inner_cr == 1,
            "no_final_newline" => source.no_final_newline && target.no_final_newline,
            "nul" => source.nul == 2,
            _ => true,
        };
        assert!(found, "{name}: {source:?} {target:?}");
    }
}

#[test]
fn a_corpus_of_one_pair_repeated_keeps_one_when_asked() {
    let Some(folder) = collection() else {
        println!("skipped: no folder shared/data/bad; EMBER_SHARED_DATA can name shared/data");
        return;
    };
    let files = CorpusFiles::resolve(&folder.join("duplicates"), "src", "tgt").expect("both files");
    let settings = StoreSettings {
        deduplicate: true,
        ..SETTINGS
    };
    expect(
        "duplicates",
        Kept(1, LeftOut { duplicate: 499, ..NONE }),
        prepare(&files, &settings),
    );
}
