//! Korean conjugation: a stem and the endings that it takes.
//!
//! Three regularities need no marking, for the spelling shows them: ㅡ falls out before -아/어 (쓰다, 써요), ㄹ falls out
//! before ㄴ, ㅂ and ㅅ (살다, 사는, 삽니다), and neighbouring vowels contract (마시다, 마셔요). What the spelling does
//! not show is a [`Class`].

use crate::hangul::{
    A, AE, BIEUP, E, EO, EU, I, NIEUN, NONE, O, RIEUL, SSANG_SIOT, Syllable, U, WA, WO, YA, YAE, YEO, last, map_last,
    tail, with_tail, without_last,
};

/// How a stem changes before a vowel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 읽다, 읽어요; 씻다, 씻어요; 닫다, 닫아요.
    Regular,
    /// 듣다, 들어요.
    Dieut,
    /// 돕다, 도와요; 줍다, 주워요.
    Bieup,
    /// 짓다, 지어요.
    Siot,
    /// 부르다, 불러요.
    Reu,
    /// 빨갛다, 빨개요.
    Hieut,
    /// 하다, 해요.
    Ha,
    /// 이다 with the noun before it, and 아니다.
    Copula,
}

/// Which plain and attributive endings a stem takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 읽는다, 읽는.
    Verb,
    /// 작다, 작은.
    Adjective,
    /// 있다, 있는.
    Existence,
}

/// How the speaker addresses the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// 해라체, the style of writing: 읽는다.
    Plain,
    /// 해요체: 읽어요.
    Polite,
    /// 합니다체: 읽습니다.
    Formal,
}

/// A stem: what stands before 다 in a dictionary, possibly after other words (읽지 않).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stem {
    text: String,
    class: Class,
    kind: Kind,
}

impl Stem {
    /// The stem of a dictionary entry.
    #[must_use]
    pub fn new(text: impl Into<String>, class: Class, kind: Kind) -> Self {
        Self {
            text: text.into(),
            class,
            kind,
        }
    }

    /// A regular verb.
    #[must_use]
    pub fn verb(text: impl Into<String>) -> Self {
        Self::new(text, Class::Regular, Kind::Verb)
    }

    /// "to be" that noun: 학생이다.
    #[must_use]
    pub fn copula(noun: &str) -> Self {
        Self::new(format!("{noun}이"), Class::Copula, Kind::Adjective)
    }

    // ---- what ends a sentence -------------------------------------------------------------------------------------

    /// The statement: 읽는다, 읽어요, 읽습니다.
    #[must_use]
    pub fn statement(&self, style: Style) -> String {
        match style {
            Style::Plain => self.plain(),
            Style::Polite => self.polite(),
            Style::Formal => format!("{}니다", self.formal()),
        }
    }

    /// The question, without its mark: 읽어요, 읽습니까. The plain style asks as the polite one does.
    #[must_use]
    pub fn question(&self, style: Style) -> String {
        match style {
            Style::Plain | Style::Polite => self.polite(),
            Style::Formal => format!("{}니까", self.formal()),
        }
    }

    fn plain(&self) -> String {
        match (self.kind, tail(&self.text)) {
            (Kind::Verb, NONE | RIEUL) => format!("{}다", with_tail(&self.text, NIEUN)),
            (Kind::Verb, _) => format!("{}는다", self.text),
            _ => format!("{}다", self.text),
        }
    }

    fn polite(&self) -> String {
        if let Some(start) = self.text.strip_suffix(" 것이") {
            return format!("{start} 거예요");
        }
        if self.class == Class::Copula {
            return match self.text.strip_suffix('이') {
                Some(noun) if tail(noun) == NONE => format!("{noun}예요"),
                _ => format!("{}에요", self.text),
            };
        }
        match self.honorific_root() {
            Some(root) => format!("{root}세요"),
            None => format!("{}요", self.infinitive()),
        }
    }

    fn formal(&self) -> String {
        match tail(&self.text) {
            NONE | RIEUL => with_tail(&self.text, BIEUP),
            _ => format!("{}습", self.text),
        }
    }

    // ---- what joins a clause to the next --------------------------------------------------------------------------

    /// The stem before an ending that changes nothing: 읽고, 읽지만, 읽기 때문에.
    #[must_use]
    pub fn before(&self, ending: &str) -> String {
        format!("{}{ending}", self.text)
    }

    /// "if": 읽으면, 살면.
    #[must_use]
    pub fn condition(&self) -> String {
        format!("{}면", self.open())
    }

    /// What says how a noun is or what it does: 읽는, 사는, 작은, 재미있는.
    #[must_use]
    pub fn attributive(&self) -> String {
        match self.kind {
            Kind::Verb if tail(&self.text) == RIEUL => format!("{}는", with_tail(&self.text, NONE)),
            Kind::Verb | Kind::Existence => format!("{}는", self.text),
            Kind::Adjective => self.perfective(),
        }
    }

    /// What a verb did before: 읽은, 산, 들은; the attributive of adjectives: 작은.
    #[must_use]
    pub fn perfective(&self) -> String {
        with_tail(&self.open(), NIEUN)
    }

    /// What will be: 읽을, 살, 들을.
    #[must_use]
    pub fn prospective(&self) -> String {
        with_tail(&self.open(), RIEUL)
    }

    // ---- what makes a stem out of a stem ---------------------------------------------------------------------------

    /// The past: 읽었, 마셨, 였.
    #[must_use]
    pub fn past(&self) -> Self {
        let text = match (self.class, self.text.strip_suffix('이')) {
            (Class::Copula, Some(noun)) if tail(noun) == NONE => format!("{noun}였"),
            (Class::Copula, _) => format!("{}었", self.text),
            _ => with_tail(&self.infinitive(), SSANG_SIOT),
        };
        Self::new(text, Class::Regular, Kind::Adjective)
    }

    /// The future: 읽을 것이.
    #[must_use]
    pub fn future(&self) -> Self {
        Self::new(format!("{} 것이", self.prospective()), Class::Copula, Kind::Adjective)
    }

    /// Honours the subject: 읽으시, 사시, 도우시. A stem that honours already stays as it is.
    #[must_use]
    pub fn honorific(&self) -> Self {
        if self.honorific_root().is_some() {
            return self.clone();
        }
        let open = self.open();
        let open = if tail(&open) == RIEUL {
            with_tail(&open, NONE)
        } else {
            open
        };
        Self::new(format!("{open}시"), Class::Regular, self.kind)
    }

    /// The negation: 읽지 않, which stays a verb, and 작지 않, which stays an adjective.
    #[must_use]
    pub fn negative(&self) -> Self {
        let kind = if self.kind == Kind::Verb {
            Kind::Verb
        } else {
            Kind::Adjective
        };
        Self::new(self.before("지 않"), Class::Regular, kind)
    }

    /// Ability: 읽을 수 있; inability: 읽을 수 없.
    #[must_use]
    pub fn ability(&self, able: bool) -> Self {
        let end = if able { "있" } else { "없" };
        Self::new(
            format!("{} 수 {end}", self.prospective()),
            Class::Regular,
            Kind::Existence,
        )
    }

    /// Duty: 읽어야 하.
    #[must_use]
    pub fn duty(&self) -> Self {
        Self::new(format!("{}야 하", self.infinitive()), Class::Ha, Kind::Verb)
    }

    /// -아/어: 읽어, 마셔, 들어, 도와, 불러, 빨개, 해.
    #[must_use]
    pub fn infinitive(&self) -> String {
        let text = &self.text;
        match self.class {
            Class::Ha => format!("{}해", without_last(text)),
            Class::Reu => {
                let before = with_tail(without_last(text), RIEUL);
                let end = if is_bright(&before) { "라" } else { "러" };
                format!("{before}{end}")
            }
            Class::Hieut => map_last(text, |s| Syllable {
                vowel: if s.vowel == YA { YAE } else { AE },
                tail: NONE,
                ..s
            }),
            Class::Bieup if text.ends_with('돕') => format!("{}와", with_tail(text, NONE)),
            Class::Bieup => format!("{}워", with_tail(text, NONE)),
            Class::Dieut => with_vowel(&with_tail(text, RIEUL), text),
            Class::Siot => with_vowel(&with_tail(text, NONE), text),
            Class::Regular | Class::Copula => contracted(text),
        }
    }

    /// The stem as it stands before -(으) endings: 읽으, 가, 살, 들으, 도우, 지으, 빨가.
    fn open(&self) -> String {
        let text = &self.text;
        match (self.class, tail(text)) {
            (_, NONE) => text.clone(),
            (Class::Dieut, _) => format!("{}으", with_tail(text, RIEUL)),
            (Class::Bieup, _) => format!("{}우", with_tail(text, NONE)),
            (Class::Siot, _) => format!("{}으", with_tail(text, NONE)),
            (Class::Hieut, _) => with_tail(text, NONE),
            (_, RIEUL) => text.clone(),
            _ => format!("{text}으"),
        }
    }

    /// What stands before the 시 of an honorific stem. 마시 is the only other stem of the lexicon that ends in 시.
    fn honorific_root(&self) -> Option<&str> {
        self.text.strip_suffix('시').filter(|_| !self.text.ends_with("마시"))
    }
}

/// 아 after ㅏ, ㅑ and ㅗ, 어 after every other vowel and after the past.
fn with_vowel(changed: &str, stem: &str) -> String {
    let bright = is_bright(stem) && tail(stem) != SSANG_SIOT;
    format!("{changed}{}", if bright { "아" } else { "어" })
}

fn is_bright(word: &str) -> bool {
    last(word).is_some_and(|syllable| matches!(syllable.vowel, A | YA | O))
}

/// A regular stem with -아/어, its vowels contracted.
fn contracted(stem: &str) -> String {
    let Some(syllable) = last(stem).filter(|syllable| syllable.tail == NONE) else {
        return with_vowel(stem, stem);
    };
    let vowel = match syllable.vowel {
        A | EO | AE | E | YEO => syllable.vowel,
        O => WA,
        U => WO,
        I => YEO,
        EU if is_bright(without_last(stem)) => A,
        EU => EO,
        _ => return with_vowel(stem, stem),
    };
    map_last(stem, |s| Syllable { vowel, ..s })
}

#[cfg(test)]
mod tests;
