//! Corpora, settings and files that the tests share.

use std::path::PathBuf;
use std::sync::LazyLock;

use super::*;

/// Enough German and English for a few hundred merges.
pub(super) const PAIRS: [(&str, &str); 8] = [
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
pub(super) const ODD_LINES: [&str; 40] = [
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

pub(super) fn config(kind: TokenizerKind) -> TokenizerConfig {
    TokenizerConfig {
        vocabulary: 500,
        ..TokenizerConfig::new(kind)
    }
}

pub(super) fn bpe() -> TokenizerConfig {
    config(TokenizerKind::Bpe)
}

pub(super) fn pretokenized() -> TokenizerConfig {
    TokenizerConfig {
        pretokenized: true,
        ..bpe()
    }
}

pub(super) fn train(config: &TokenizerConfig) -> Tokenizer {
    let pairs = PAIRS.map(|(source, target)| Ok((source.to_owned(), target.to_owned())));
    Tokenizer::train(config, pairs, &NoProgress).expect("trains")
}

pub(super) fn train_on(config: &TokenizerConfig, lines: &[&str]) -> Tokenizer {
    let pairs = lines.iter().map(|line| Ok(((*line).to_owned(), String::new())));
    Tokenizer::train(config, pairs, &NoProgress).expect("trains")
}

pub(super) fn round_trip(tokenizer: &Tokenizer, text: &str) -> String {
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
pub(super) fn words_of(text: &str) -> String {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A SentencePiece model of nine pieces, written by hand: protocol buffers with a piece, its score and its type.
pub(super) fn sentencepiece_model() -> Vec<u8> {
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
pub(super) fn sentencepiece_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hand.model");
    std::fs::write(&path, sentencepiece_model()).expect("written");
    (folder, path)
}

pub(super) static BPE: LazyLock<Tokenizer> = LazyLock::new(|| train(&bpe()));
pub(super) static PRETOKENIZED: LazyLock<Tokenizer> = LazyLock::new(|| train(&pretokenized()));
