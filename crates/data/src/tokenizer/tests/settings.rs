//! Settings and models that are refused.

use super::*;

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
