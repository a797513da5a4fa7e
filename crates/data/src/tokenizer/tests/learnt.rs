//! What is learnt from a corpus: sizes, sides, the same thing every time.

use super::*;

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
fn the_first_error_of_the_corpus_ends_training() {
    let fault = damaged(Path::new("train.en"), "is not UTF-8", "convert it");
    let pairs = [Ok(("a".to_owned(), "b".to_owned())), Err(fault)];
    let message = Tokenizer::train(&bpe(), pairs, &NoProgress)
        .expect_err("fails")
        .to_string();
    assert_eq!(message, "train.en: is not UTF-8\nhint: convert it");
}
