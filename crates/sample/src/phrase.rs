//! Noun phrases: "two old books that the teacher bought", 선생님이 사신 오래된 책 두 권.

use crate::clause::Clause;
use crate::english::{Agreement, plural, with_article};
use crate::korean::Style;
use crate::lexicon::{Adjective, Fixed, Measure, Noun, Role};
use crate::particle;

/// What stands before a noun, or instead of one.
#[derive(Debug, Clone, Copy)]
pub enum Determiner {
    /// 나, or 저 to somebody who is addressed.
    I,
    /// 우리, or 저희 to somebody who is addressed formally.
    We,
    /// A name, a mass noun or, in the plural, things in general.
    Bare,
    A,
    The,
    This,
    That,
    My,
    /// "Minji's".
    Of(&'static Noun),
    Count(&'static Fixed),
    Many,
    /// "three cups of".
    Measured(&'static Fixed, &'static Measure),
}

/// A noun with all that belongs to it.
#[derive(Debug, Clone)]
pub struct NounPhrase {
    pub determiner: Determiner,
    pub noun: &'static Noun,
    pub plural: bool,
    pub adjective: Option<&'static Adjective>,
    pub relative: Option<Box<Relative>>,
    /// A second noun without anything else: "Minji and Junho".
    pub and: Option<&'static Noun>,
}

/// A relative clause. The noun that it describes is its subject or its object.
#[derive(Debug, Clone)]
pub struct Relative {
    pub clause: Clause,
    pub of_subject: bool,
}

impl NounPhrase {
    /// A noun with a determiner and nothing else.
    #[must_use]
    pub fn new(determiner: Determiner, noun: &'static Noun) -> Self {
        let plural = match determiner {
            Determiner::We | Determiner::Many => true,
            Determiner::Count(number) => number.english != "one",
            _ => false,
        };
        Self {
            determiner,
            noun,
            plural,
            adjective: None,
            relative: None,
            and: None,
        }
    }

    /// Which verb form it takes in English.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        match self.determiner {
            Determiner::I => Agreement::FirstSingular,
            Determiner::Measured(number, _) if number.english != "one" => Agreement::Plural,
            _ if self.plural || self.and.is_some() => Agreement::Plural,
            _ => Agreement::ThirdSingular,
        }
    }

    /// Whether it is the speaker, alone or with others.
    #[must_use]
    pub fn is_speaker(&self) -> bool {
        matches!(self.determiner, Determiner::I | Determiner::We)
    }

    /// Whether the verb honours it as its subject.
    #[must_use]
    pub fn is_elder(&self) -> bool {
        !self.is_speaker() && self.noun.is_elder()
    }

    /// Whether the listener knows it already, so that a statement can be about it: then it takes 은/는.
    #[must_use]
    pub fn is_topic(&self) -> bool {
        match self.determiner {
            Determiner::A | Determiner::Count(_) | Determiner::Many | Determiner::Measured(..) => false,
            Determiner::Bare => !self.plural && self.noun.role != Role::Weather,
            _ => true,
        }
    }

    /// The English phrase.
    #[must_use]
    pub fn english(&self) -> String {
        let noun = if self.plural {
            plural(self.noun.english)
        } else {
            self.noun.english.to_owned()
        };
        let noun = match self.adjective {
            Some(adjective) => format!("{} {noun}", adjective.english),
            None => noun,
        };
        let mut phrase = match self.determiner {
            Determiner::I => "I".to_owned(),
            Determiner::We => "we".to_owned(),
            Determiner::Bare => noun,
            Determiner::A => with_article(&noun),
            Determiner::The => format!("the {noun}"),
            Determiner::This => format!("this {noun}"),
            Determiner::That => format!("that {noun}"),
            Determiner::My => format!("my {noun}"),
            Determiner::Of(owner) => format!("{}'s {noun}", owner.english),
            Determiner::Count(number) => format!("{} {noun}", number.english),
            Determiner::Many => format!("many {noun}"),
            Determiner::Measured(number, measure) if number.english == "one" => {
                format!("a {} of {noun}", measure.english)
            }
            Determiner::Measured(number, measure) => {
                format!("{} {} of {noun}", number.english, plural(measure.english))
            }
        };
        if let Some(second) = self.and {
            let second = if self.plural {
                plural(second.english)
            } else {
                second.english.to_owned()
            };
            phrase = format!("{phrase} and {second}");
        }
        match &self.relative {
            Some(relative) => format!("{phrase} {}", relative.english(self.noun)),
            None => phrase,
        }
    }

    /// The Korean phrase, without a particle.
    #[must_use]
    pub fn korean(&self, style: Style) -> String {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.relative.as_ref().map(|relative| relative.korean(style)));
        parts.extend(self.determiner_before(style));
        parts.extend(self.adjective.map(Adjective::attributive));
        let noun = match self.determiner {
            Determiner::I => first_person(style).to_owned(),
            Determiner::We => (if style == Style::Formal { "저희" } else { "우리" }).to_owned(),
            Determiner::Count(number) => format!("{} {} {}", self.noun.korean, number.korean, self.noun.counter),
            Determiner::Measured(number, measure) => {
                format!("{} {} {}", self.noun.korean, number.korean, measure.counter)
            }
            _ if self.plural && self.has_plural_ending() => format!("{}들", self.noun.korean),
            _ => self.noun.korean.to_owned(),
        };
        parts.push(match self.and {
            Some(second) => format!("{} {}", particle::with(&noun), second.korean),
            None => noun,
        });
        parts.join(" ")
    }

    fn determiner_before(&self, style: Style) -> Option<String> {
        match self.determiner {
            Determiner::This => Some("이".to_owned()),
            Determiner::That => Some("저".to_owned()),
            Determiner::My => Some((if style == Style::Plain { "내" } else { "제" }).to_owned()),
            Determiner::Of(owner) => Some(format!("{}의", owner.korean)),
            Determiner::Many => Some("많은".to_owned()),
            _ => None,
        }
    }

    /// People and animals take 들, unless they are meant in general or 많은 says the number already.
    fn has_plural_ending(&self) -> bool {
        match self.determiner {
            Determiner::Bare => false,
            Determiner::Many => self.noun.is_human(),
            _ => self.noun.is_human() || self.noun.role == Role::Animal,
        }
    }
}

impl Relative {
    fn english(&self, head: &Noun) -> String {
        let pronoun = if head.is_human() { "who" } else { "that" };
        format!("{pronoun} {}", self.clause.english_relative(self.of_subject))
    }

    fn korean(&self, style: Style) -> String {
        self.clause.korean_relative(style, self.of_subject)
    }
}

fn first_person(style: Style) -> &'static str {
    if style == Style::Plain { "나" } else { "저" }
}
