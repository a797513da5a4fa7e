//! Training pairs out of the translations of text that a human wrote.
//!
//! Back-translation (Sennrich et al. 2016): a model of the reverse direction translates text of the target language. What
//! it makes of a line, faults and all, becomes the source of a pair, and the line itself, without fault, the target.
//!
//! Forward translation: a model of the same direction translates the source. What it writes is simpler and more regular
//! than what people write, and easier to learn (sequence-level distillation, Kim and Rush 2016; data diversification,
//! Nguyen et al. 2020).

use std::fmt;

use ember_data::corpus::is_blank;

use crate::translate::Translation;

/// The side of a pair that the machine wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineSide {
    /// The source: back-translation.
    Source,
    /// The target: forward translation.
    Target,
}

/// Pairs to train on, and what gave none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticPairs<'a> {
    /// Source and target.
    pub pairs: Vec<(&'a str, &'a str)>,
    /// What gave no pair.
    pub left_out: LeftOut,
}

/// How many translations gave no pair, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Those of lines with nothing to see in them.
    pub empty_lines: usize,
    /// Those with nothing to see in themselves.
    pub empty_translations: usize,
    /// Those that did not end by themselves; as a rule they say the same again and again.
    pub cut_off: usize,
}

/// Pairs the first `most` translations of each line with it.
pub fn synthetic_pairs<'a>(
    lines: &'a [String],
    translations: &'a [Translation],
    machine: MachineSide,
    most: usize,
) -> SyntheticPairs<'a> {
    let mut pairs = Vec::new();
    let mut left_out = LeftOut::default();
    for (line, translation) in lines.iter().zip(translations) {
        for candidate in translation.candidates.iter().take(most) {
            if is_blank(line) {
                left_out.empty_lines += 1;
            } else if candidate.cut_off {
                left_out.cut_off += 1;
            } else if is_blank(&candidate.text) {
                left_out.empty_translations += 1;
            } else {
                let (written, given) = (candidate.text.as_str(), line.as_str());
                pairs.push(match machine {
                    MachineSide::Source => (written, given),
                    MachineSide::Target => (given, written),
                });
            }
        }
    }
    SyntheticPairs { pairs, left_out }
}

/// In words, behind `left out: `.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = [
            (self.empty_lines, "with an empty line"),
            (self.empty_translations, "with an empty translation"),
            (self.cut_off, "cut off at the longest output"),
        ];
        let told = counted.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
        match told.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&told.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::Candidate;

    #[test]
    fn what_is_empty_or_cut_off_gives_no_pair() {
        let lines = ["one", " ", "two", "three"].map(String::from);
        let translation = |candidates: &[(&str, bool)]| Translation {
            candidates: candidates
                .iter()
                .map(|&(text, cut_off)| Candidate {
                    text: text.into(),
                    cut_off,
                    ..Candidate::default()
                })
                .collect(),
            parts: 1,
        };
        let translations = [
            translation(&[("eins", false), ("ein", false), ("einer", false)]),
            translation(&[("", false), ("", false)]),
            translation(&[("\u{200B}", false), ("zwei zwei zwei", true)]),
            translation(&[("drei", false)]),
        ];
        let found = synthetic_pairs(&lines, &translations, MachineSide::Source, 2);
        assert_eq!(found.pairs, [("eins", "one"), ("ein", "one"), ("drei", "three")]);
        let expected = "2 with an empty line, 1 with an empty translation, 1 cut off at the longest output";
        assert_eq!(found.left_out.to_string(), expected);
        let forward = synthetic_pairs(&lines, &translations, MachineSide::Target, 2);
        assert_eq!(forward.pairs, [("one", "eins"), ("one", "ein"), ("three", "drei")]);
        assert_eq!(forward.left_out, found.left_out);
        let first = synthetic_pairs(&lines[..1], &translations, MachineSide::Source, 9);
        assert_eq!(first.left_out.to_string(), "none");
    }
}
