//! Tags: ids of their own, whatever the kind of tokenizer and whatever the text.

use super::saved::saved_and_loaded;
use super::*;

fn every_kind() -> (tempfile::TempDir, Vec<TokenizerConfig>) {
    let (folder, path) = sentencepiece_file();
    let sentencepiece = TokenizerConfig {
        model: Some(path.clone()),
        ..config(TokenizerKind::Sentencepiece)
    };
    let kinds = [
        bpe(),
        pretokenized(),
        config(TokenizerKind::Words),
        config(TokenizerKind::Chars),
        sentencepiece,
    ];
    let apart = |config: TokenizerConfig| TokenizerConfig {
        shared: false,
        target_model: config.model.clone(),
        ..config
    };
    let both = kinds.into_iter().flat_map(|config| [config.clone(), apart(config)]);
    (folder, both.collect())
}

fn with_tags(config: &TokenizerConfig) -> Tokenizer {
    train(config).with_tags(vec!["<2de>".into(), "<2ko>".into()])
}

#[test]
fn tags_follow_all_other_ids_of_the_source() {
    let (_folder, configs) = every_kind();
    for config in configs {
        let (plain, tagged) = (train(&config), with_tags(&config));
        let size = plain.vocabulary_size(Side::Source);
        assert_eq!(tagged.vocabulary_size(Side::Source), size + 2);
        let of_target = plain.vocabulary_size(Side::Target) + if config.shared { 2 } else { 0 };
        assert_eq!(tagged.vocabulary_size(Side::Target), of_target);
        assert_eq!(tagged.tag("<2de>"), Some(size as u32));
        assert_eq!(tagged.tag("<2ko>"), Some(size as u32 + 1));
        assert_eq!((tagged.tag("<2fr>"), plain.tag("<2de>")), (None, None));
        assert_ne!(tagged.fingerprint(), plain.fingerprint());
    }
}

#[test]
fn no_text_becomes_a_tag() {
    let (_folder, configs) = every_kind();
    for config in configs {
        let (plain, tagged) = (train(&config), with_tags(&config));
        for line in ["<2de>", "<2de> A man", " <2ko>", "a<2de>b", "▁<2ko>"]
            .iter()
            .chain(&ODD_LINES)
        {
            for side in [Side::Source, Side::Target] {
                let ids = tagged.encode(side, line);
                assert_eq!(ids, plain.encode(side, line), "{line:?}");
                assert_eq!(tagged.split_tag(&ids).0, None, "{line:?}");
            }
        }
    }
    // Not even where the corpus is full of the spelling.
    let literal = train_on(&config(TokenizerKind::Words), &["<2de> a"; 3]).with_tags(vec!["<2de>".into()]);
    assert_eq!(
        literal.decode(Side::Source, &literal.encode(Side::Source, "<2de>")),
        "<2de>"
    );
    assert!(
        !literal
            .encode(Side::Source, "<2de>")
            .contains(&literal.tag("<2de>").expect("a tag"))
    );
}

#[test]
fn a_tag_is_left_out_of_text_and_shown_in_pieces() {
    let (_folder, configs) = every_kind();
    for config in configs {
        let tokenizer = with_tags(&config);
        let tag = tokenizer.tag("<2ko>");
        let text = tokenizer.encode(Side::Source, "a ab");
        let ids = tagged(tag, text.clone());
        assert_eq!(tokenizer.split_tag(&ids), (tag, &text[..]));
        assert_eq!(
            tokenizer.decode(Side::Source, &ids),
            tokenizer.decode(Side::Source, &text)
        );
        assert_eq!(tokenizer.pieces(Side::Source, &ids)[0], "<2ko>");
        // On a target side of its own the id is none.
        let on_target = tokenizer.piece(Side::Target, ids[0]);
        assert_eq!(on_target == Some("<2ko>"), config.shared);
        assert_eq!(tokenizer.split_tag(&[]), (None, &[][..]));
    }
}

#[test]
fn a_file_keeps_its_tags() {
    let (_folder, configs) = every_kind();
    for config in configs {
        let tokenizer = with_tags(&config);
        let loaded = saved_and_loaded(&tokenizer);
        assert_eq!(loaded.tags(), tokenizer.tags());
        assert_eq!(loaded.tag("<2ko>"), tokenizer.tag("<2ko>"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokenizer.json");
    let sound = String::from_utf8(with_tags(&bpe()).to_bytes()).expect("text");
    for (from, to) in [
        ("<2de>", "<2fr>"),
        ("[\"<2de>\",\"<2ko>\"]", "[]"),
        ("\"version\":2", "\"version\":1"),
    ] {
        assert!(sound.contains(from));
        std::fs::write(&path, sound.replace(from, to)).expect("written");
        let message = Tokenizer::load(&path).expect_err("damaged").to_string();
        assert!(
            message.contains("was changed after it was written"),
            "{from}: {message}"
        );
    }
}
