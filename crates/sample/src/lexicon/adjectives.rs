//! Adjectives, and what they say something about.

use crate::korean::{Class, Kind, Stem};
use crate::lexicon::PEOPLE;

/// An adjective in both languages. Two entries may share their English word where their nouns differ.
#[derive(Debug)]
pub struct Adjective {
    pub english: &'static str,
    /// "bigger", or "" where nothing is compared.
    pub comparative: &'static str,
    pub stem: &'static str,
    pub class: Class,
    pub kind: Kind,
    /// What stands before the noun, where it isn't the attributive of the stem: 새, 오래된.
    pub attribute: &'static str,
    /// The nouns that it may stand before.
    pub nouns: &'static str,
    /// More nouns that it may be said of after "is".
    pub predicate_nouns: &'static str,
}

impl Adjective {
    /// The Korean stem.
    #[must_use]
    pub fn korean(&self) -> Stem {
        Stem::new(self.stem, self.class, self.kind)
    }

    /// The word before the noun: 큰 집.
    #[must_use]
    pub fn attributive(&self) -> String {
        if self.attribute.is_empty() {
            self.korean().attributive()
        } else {
            self.attribute.to_owned()
        }
    }

    /// Whether it stands after "is" as well.
    #[must_use]
    pub fn is_predicate(&self) -> bool {
        !self.stem.is_empty()
    }
}

const OF: Adjective = Adjective {
    english: "",
    comparative: "",
    stem: "",
    class: Class::Regular,
    kind: Kind::Adjective,
    attribute: "",
    nouns: "",
    predicate_nouns: "",
};

/// Every adjective.
#[rustfmt::skip]
pub static ADJECTIVES: [Adjective; 35] = [
    Adjective { english: "big", comparative: "bigger", stem: "크", nouns: "dog cat horse apple potato cake desk table \
        box bag umbrella clock ball window door hat picture tree house car", ..OF },
    Adjective { english: "small", comparative: "smaller", stem: "작", nouns: "dog cat bird apple orange egg \
        chair box bag key ball window hat flower tree house car computer", ..OF },
    Adjective { english: "new", attribute: "새", nouns: "book novel song movie chair desk table bag umbrella clock key \
        ball hat shirt coat dress pencil pen knife house bicycle car computer bus train", ..OF },
    Adjective { english: "old", attribute: "오래된", nouns: "book letter song movie chair desk table clock picture \
        tree house bicycle car computer train", ..OF },
    Adjective { english: "expensive", comparative: "more expensive", stem: "비싸", nouns: "bag clock hat coat dress pen \
        picture ticket house car computer bicycle cake", ..OF },
    Adjective { english: "cheap", stem: "싸", nouns: "bag umbrella clock hat shirt pencil pen ticket \
        bicycle car computer apple potato", ..OF },
    Adjective { english: "heavy", comparative: "heavier", stem: "무겁", class: Class::Bieup, nouns: "box bag desk table chair \
        book door bicycle computer", ..OF },
    Adjective { english: "light", stem: "가볍", class: Class::Bieup, nouns: "box bag chair umbrella \
        hat coat ball bicycle computer", ..OF },
    Adjective { english: "red", stem: "빨갛", class: Class::Hieut, nouns: "apple bag umbrella ball hat shirt coat dress \
        flower bicycle car bus door pencil", ..OF },
    Adjective { english: "blue", stem: "파랗", class: Class::Hieut, nouns: "bag umbrella ball hat shirt coat dress bird \
        bicycle car bus door pen chair", ..OF },
    Adjective { english: "white", stem: "하얗", class: Class::Hieut, nouns: "dog cat horse bird hat shirt coat dress \
        flower car door table", ..OF },
    Adjective { english: "black", stem: "까맣", class: Class::Hieut, nouns: "dog cat horse bird bag umbrella hat coat car \
        pen", ..OF },
    Adjective { english: "pretty", stem: "예쁘", nouns: "bird cat flower dress hat bag clock \
        picture umbrella coat", ..OF },
    Adjective { english: "beautiful", stem: "아름답", class: Class::Bieup, nouns: "song music \
        poem picture flower bird house dress woman", ..OF },
    Adjective { english: "clean", stem: "깨끗하", class: Class::Ha, nouns: "water desk table chair \
        window shirt house knife coat", ..OF },
    Adjective { english: "long", comparative: "longer", stem: "길", nouns: "book novel letter poem song movie coat dress \
        pencil knife train", ..OF },
    Adjective { english: "short", stem: "짧", nouns: "book novel letter poem song movie coat dress \
        pencil", ..OF },
    Adjective { english: "interesting", comparative: "more interesting", stem: "재미있", kind: Kind::Existence,
        nouns: "book novel letter newspaper poem movie", predicate_nouns: "history math Korean English", ..OF },
    Adjective { english: "difficult", comparative: "more difficult", stem: "어렵", class: Class::Bieup,
        nouns: "book novel poem song", predicate_nouns: "history math Korean English", ..OF },
    Adjective { english: "easy", comparative: "easier", stem: "쉽", class: Class::Bieup, nouns: "book poem song novel",
        predicate_nouns: "history math Korean English", ..OF },
    Adjective { english: "delicious", stem: "맛있", kind: Kind::Existence, nouns: "apple orange banana potato egg \
        cake bread soup tea coffee juice", predicate_nouns: "rice milk", ..OF },
    Adjective { english: "sweet", stem: "달", nouns: "apple orange banana cake juice", ..OF },
    Adjective { english: "hot", stem: "뜨겁", class: Class::Bieup, nouns: "tea coffee water milk soup", ..OF },
    Adjective { english: "hot", stem: "덥", class: Class::Bieup, predicate_nouns: "weather", ..OF },
    Adjective { english: "cold", stem: "차갑", class: Class::Bieup, nouns: "tea coffee water milk juice", ..OF },
    Adjective { english: "cold", stem: "춥", class: Class::Bieup, predicate_nouns: "weather", ..OF },
    Adjective { english: "fast", comparative: "faster", stem: "빠르", class: Class::Reu, nouns: "horse dog bicycle car \
        bus train computer", ..OF },
    Adjective { english: "slow", stem: "느리", nouns: "horse bicycle car bus train computer", ..OF },
    Adjective { english: "tall", comparative: "taller", stem: "키가 크", nouns: PEOPLE, ..OF },
    Adjective { english: "kind", stem: "친절하", class: Class::Ha, nouns: PEOPLE, ..OF },
    Adjective { english: "smart", comparative: "smarter", stem: "똑똑하", class: Class::Ha,
        nouns: "student doctor nurse child woman man girl boy friend writer dog horse", ..OF },
    Adjective { english: "busy", stem: "바쁘",
        nouns: "student doctor nurse woman man farmer singer writer chef painter teacher", ..OF },
    Adjective { english: "tired", stem: "피곤하", class: Class::Ha, nouns: PEOPLE, ..OF },
    Adjective { english: "happy", stem: "행복하", class: Class::Ha, nouns: PEOPLE, ..OF },
    Adjective { english: "hungry", stem: "배고프", nouns: "student child woman man girl boy dog cat bird horse",
        predicate_nouns: "doctor nurse friend farmer singer writer chef painter", ..OF },
];

/// Adjectives that are said of people with a name and of the speaker.
pub const OF_NAMES: &str = "tall kind smart busy tired happy hungry";
