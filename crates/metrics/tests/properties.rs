//! What must hold for any text.

use ember_metrics::{Bleu, BleuOptions, BleuTokenizer, Chrf, ChrfOptions, Smoothing, Ter, TerOptions};
use proptest::prelude::*;

const TOKENIZERS: [BleuTokenizer; 5] = [
    BleuTokenizer::Thirteen,
    BleuTokenizer::Intl,
    BleuTokenizer::Char,
    BleuTokenizer::None,
    BleuTokenizer::Zh,
];

fn all_bleu() -> impl Iterator<Item = Bleu> {
    TOKENIZERS.into_iter().map(|tokenizer| {
        Bleu::new(BleuOptions {
            tokenizer,
            ..BleuOptions::default()
        })
    })
}

/// Words of few kinds, so that there are matches to count, beside any character at all.
fn line() -> impl Strategy<Value = String> {
    let word =
        prop_oneof![4 => "[abc]{1,2}", 1 => "[.,'!-]", 1 => "\\PC{1,3}", 1 => any::<char>().prop_map(String::from)];
    proptest::collection::vec(word, 0..14).prop_map(|words| words.join(" "))
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec((line(), line()), 1..8)
}

proptest! {
    #[test]
    fn equal_texts_are_perfect(line in line()) {
        for bleu in all_bleu() {
            let score = bleu.sentence(&line, &[&line]);
            let expected = if score.hypothesis_length > 0 { 100.0 } else { 0.0 };
            prop_assert!((score.score - expected).abs() < 1e-9);
        }
        let chrf = Chrf::new(ChrfOptions::plus_plus());
        let expected = if line.chars().all(ember_metrics::text::is_space) { 0.0 } else { 100.0 };
        prop_assert!((chrf.sentence(&line, &[&line]).score - expected).abs() < 1e-9);
        prop_assert_eq!(Ter::new(TerOptions::default()).sentence(&line, &[&line]).edits, 0);
    }

    #[test]
    fn the_order_of_sentences_does_not_matter(pairs in pairs(), turn in 0usize..8) {
        let mut turned = pairs.clone();
        turned.rotate_left(turn % pairs.len());
        let (h1, r1): (Vec<String>, Vec<String>) = pairs.into_iter().unzip();
        let (h2, r2): (Vec<String>, Vec<String>) = turned.into_iter().unzip();
        let (r1, r2) = ([r1], [r2]);
        for bleu in all_bleu() {
            prop_assert_eq!(bleu.corpus(&h1, &r1), bleu.corpus(&h2, &r2));
        }
        let chrf = Chrf::new(ChrfOptions::plus_plus());
        prop_assert_eq!(chrf.corpus(&h1, &r1), chrf.corpus(&h2, &r2));
        let ter = Ter::new(TerOptions::default());
        prop_assert_eq!(ter.corpus(&h1, &r1), ter.corpus(&h2, &r2));
    }

    #[test]
    fn a_corpus_is_the_sum_of_its_sentences(pairs in pairs()) {
        let bleu = Bleu::new(BleuOptions::default());
        let sum = pairs.iter().map(|(hypothesis, reference)| bleu.statistics(hypothesis, &[reference])).sum();
        let (hypotheses, references): (Vec<String>, Vec<String>) = pairs.into_iter().unzip();
        prop_assert_eq!(bleu.corpus(&hypotheses, &[references]), Ok(bleu.score(&sum)));
    }

    #[test]
    fn scores_stay_in_range(hypothesis in line(), references in proptest::collection::vec(line(), 0..4)) {
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let smoothings = [Smoothing::Exp, Smoothing::Floor(None), Smoothing::AddK(None), Smoothing::None];
        for smoothing in smoothings {
            for tokenizer in TOKENIZERS {
                let bleu = Bleu::new(BleuOptions { tokenizer, smoothing, ..BleuOptions::default() });
                let score = bleu.sentence(&hypothesis, &references).score;
                prop_assert!((0.0..100.000001).contains(&score), "{} {} {}", tokenizer, smoothing, score);
            }
        }
        for eps_smoothing in [false, true] {
            let chrf = Chrf::new(ChrfOptions { eps_smoothing, ..ChrfOptions::plus_plus() });
            prop_assert!((0.0..100.000001).contains(&chrf.sentence(&hypothesis, &references).score));
        }
        let options = TerOptions { normalized: true, no_punct: true, asian_support: true, case_sensitive: false };
        for options in [TerOptions::default(), options] {
            prop_assert!(Ter::new(options).sentence(&hypothesis, &references).score >= 0.0);
        }
    }

    #[test]
    fn another_reference_never_lowers_matches(hypothesis in line(), one in line(), two in line()) {
        let bleu = Bleu::new(BleuOptions::default());
        let with_one = bleu.statistics(&hypothesis, &[&one]).counts;
        let with_both = bleu.statistics(&hypothesis, &[&one, &two]).counts;
        prop_assert!(with_one.iter().zip(&with_both).all(|(one, both)| one <= both));
        let ter = Ter::new(TerOptions::default());
        prop_assert!(ter.statistics(&hypothesis, &[&one, &two]).edits <= ter.statistics(&hypothesis, &[&one]).edits);
    }

    #[test]
    fn very_unequal_lengths_are_edited(hypothesis in 0usize..400, reference in 0usize..400) {
        let line = |length: usize, shift: usize| (0..length).map(|i| format!("w{} ", (i * 7 + shift) % 13)).collect::<String>();
        let (short, long) = (line(hypothesis / 20, 0), line(reference, 3));
        let ter = Ter::new(TerOptions::default());
        for (hypothesis, reference) in [(&short, &long), (&long, &short)] {
            let words = |text: &str| text.split_whitespace().count() as u64;
            let edits = ter.statistics(hypothesis, &[reference]).edits;
            prop_assert!(edits >= words(hypothesis).abs_diff(words(reference)));
            prop_assert!(edits <= words(hypothesis) + words(reference));
        }
    }
}
