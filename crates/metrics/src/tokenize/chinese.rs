//! `zh`: each Chinese character is a token; the rest is cut as by `13a`.

use super::western;

/// What counts as Chinese, ends included: ideographs, radicals, strokes, full-width forms, Bopomofo, CJK punctuation.
///
/// The first range, from U+2001 to U+2A6D, takes in all sorts of Western punctuation and arrows. sacreBLEU means the
/// ideographs of the second plane there but writes them with four digits; scores are only comparable with the slip.
const CHINESE: [(char, char); 19] = [
    ('\u{2001}', '\u{2a6d}'),
    ('\u{2e80}', '\u{2eff}'),
    ('\u{2f00}', '\u{2fdf}'),
    ('\u{2ff0}', '\u{2fff}'),
    ('\u{3000}', '\u{303f}'),
    ('\u{3100}', '\u{312f}'),
    ('\u{31a0}', '\u{31bf}'),
    ('\u{31c0}', '\u{31ef}'),
    ('\u{3200}', '\u{32ff}'),
    ('\u{3300}', '\u{33ff}'),
    ('\u{3400}', '\u{4db5}'),
    ('\u{4e00}', '\u{9fa5}'),
    ('\u{9fa6}', '\u{9fbb}'),
    ('\u{f900}', '\u{fa2d}'),
    ('\u{fa30}', '\u{fa6a}'),
    ('\u{fa70}', '\u{fad9}'),
    ('\u{fe10}', '\u{fe1f}'),
    ('\u{fe30}', '\u{fe4f}'),
    ('\u{ff00}', '\u{ffef}'),
];

/// Unlike `13a` this neither unescapes markup nor adds a space at either end.
pub(super) fn tokenize(line: &str) -> String {
    let mut spaced = String::with_capacity(line.len() * 2);
    for c in line.chars() {
        match is_chinese(c) {
            true => spaced.extend([' ', c, ' ']),
            false => spaced.push(c),
        }
    }
    western::separate(&spaced)
}

fn is_chinese(c: char) -> bool {
    CHINESE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn tokens(line: &str) -> String {
        text::words(&tokenize(line)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn chinese_characters_stand_alone() {
        assert_eq!(tokens("我喜欢NMT，v1.5很好。"), "我 喜 欢 NMT ， v1.5 很 好 。");
    }

    #[test]
    fn a_full_stop_after_a_final_digit_stays() {
        assert_eq!(tokens("since 1984."), "since 1984.");
        assert_eq!(tokens("since then."), "since then .");
    }

    #[test]
    fn the_ranges_are_those_of_sacrebleu() {
        assert!(is_chinese('“') && is_chinese('→') && is_chinese('一'));
        assert!(!is_chinese('\u{2000}') && !is_chinese('\u{20000}') && !is_chinese('あ') && !is_chinese('한'));
    }
}
