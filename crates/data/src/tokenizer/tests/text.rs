//! Text to ids and back: nothing is lost, and no special token is made up.

use proptest::prelude::*;

use super::*;

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
    let again = saved::saved_and_loaded(&tokenizer);
    assert_eq!(again.encode(Side::Source, "ab a ba"), ids);
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
