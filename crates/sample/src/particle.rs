//! Korean particles, whose form depends on the final consonant of the word before them.

use crate::hangul::{NONE, RIEUL, tail};

/// The topic: 학생은, 의사는.
#[must_use]
pub fn topic(word: &str) -> String {
    choose(word, "은", "는")
}

/// The subject: 학생이, 의사가; 내가, 제가 and 누가 for the pronouns that change.
#[must_use]
pub fn subject(word: &str) -> String {
    match word {
        "나" => "내가".to_owned(),
        "저" => "제가".to_owned(),
        "누구" => "누가".to_owned(),
        _ => choose(word, "이", "가"),
    }
}

/// The object: 책을, 차를.
#[must_use]
pub fn object(word: &str) -> String {
    choose(word, "을", "를")
}

/// Company: 동생과, 친구와.
#[must_use]
pub fn with(word: &str) -> String {
    choose(word, "과", "와")
}

/// Means or direction: 펜으로, 버스로, and 연필로, for ㄹ counts as a vowel here.
#[must_use]
pub fn by(word: &str) -> String {
    format!(
        "{word}{}",
        if matches!(tail(word), NONE | RIEUL) {
            "로"
        } else {
            "으로"
        }
    )
}

/// The recipient: 친구에게, and 선생님께 for somebody who is honoured.
#[must_use]
pub fn to(word: &str, honoured: bool) -> String {
    format!("{word}{}", if honoured { "께" } else { "에게" })
}

fn choose(word: &str, after_consonant: &str, after_vowel: &str) -> String {
    format!(
        "{word}{}",
        if tail(word) == NONE {
            after_vowel
        } else {
            after_consonant
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_consonant_decides() {
        assert_eq!([topic("학생"), topic("의사")], ["학생은", "의사는"]);
        assert_eq!([subject("책"), subject("차")], ["책이", "차가"]);
        assert_eq!([object("책"), object("차")], ["책을", "차를"]);
        assert_eq!([with("수진"), with("민지")], ["수진과", "민지와"]);
    }

    #[test]
    fn rieul_counts_as_a_vowel_before_ro() {
        assert_eq!(
            [by("버스"), by("펜"), by("연필"), by("지하철")],
            ["버스로", "펜으로", "연필로", "지하철로"]
        );
    }

    #[test]
    fn pronouns_change_before_the_subject_particle() {
        assert_eq!(
            [subject("나"), subject("저"), subject("누구")],
            ["내가", "제가", "누가"]
        );
        assert_eq!([topic("나"), topic("저")], ["나는", "저는"]);
    }

    #[test]
    fn the_honoured_receive_with_their_own_particle() {
        assert_eq!([to("친구", false), to("선생님", true)], ["친구에게", "선생님께"]);
    }
}
