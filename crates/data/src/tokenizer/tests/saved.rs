//! Tokenizers in files.

use super::*;

pub(super) fn saved_and_loaded(tokenizer: &Tokenizer) -> Tokenizer {
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
pub(super) fn saved_and_loaded_it_is_the_same() {
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
    assert!(message(&sound.replace("\"version\":1", "\"version\":3")).contains("format version 3 is none of 1 and 2"));
    assert!(message(&sound.replace("\"version\":1", "\"version\":2")).contains("was changed after it was written"));
    assert!(message(&sound.replace("EmberNMT tokenizer", "other")).contains("\"other\""));
    assert!(message(&sound.replace("\"bpe\"", "\"bqe\"")).contains("is damaged"));
    let missing = Tokenizer::load(&folder.path().join("none.json"))
        .expect_err("missing")
        .to_string();
    assert!(missing.contains("cannot read") && missing.contains("hint:"));
}
