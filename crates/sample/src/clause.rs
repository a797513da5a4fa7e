//! Clauses: one structure from which both languages are read off.
//!
//! English:  \[time,\] subject often verb object recipient manner companion means place time
//! Korean:   \[time\] subject 은/는/이/가, often, time, companion, place, means, recipient, goal, object, manner, verb

use crate::korean::Style;
use crate::lexicon::{Adjective, Fixed, Instrument, Place, Role, Time, Verb};
use crate::particle;
use crate::phrase::NounPhrase;

/// Tense, aspect and modality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Present,
    Past,
    Future,
    Progressive,
    PastProgressive,
    Can,
    Must,
    Want,
    Wanted,
}

impl Mode {
    /// The letter that stands for it in [`Time::tenses`].
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Present => 'n',
            Self::Past => 'p',
            Self::Future => 'f',
            Self::Progressive => 'g',
            Self::PastProgressive => 'd',
            Self::Can | Self::Must => 'm',
            Self::Want => 'w',
            Self::Wanted => 'v',
        }
    }

    /// Whether the Korean verb is in the past.
    #[must_use]
    pub fn is_past(self) -> bool {
        matches!(self, Self::Past | Self::PastProgressive | Self::Wanted)
    }
}

/// What the clause says about its subject.
#[derive(Debug, Clone)]
pub enum Core {
    /// Somebody does something.
    Act {
        verb: &'static Verb,
        object: Option<NounPhrase>,
        recipient: Option<NounPhrase>,
        goal: Option<&'static Place>,
    },
    /// Something is so, or more so than something else.
    Quality {
        adjective: &'static Adjective,
        very: bool,
        than: Option<NounPhrase>,
    },
    /// Somebody is something.
    Identity { noun: NounPhrase },
    /// Something is somewhere.
    Location { spot: Spot },
    /// There is something somewhere.
    Existence { spot: Spot },
}

/// Where something is.
#[derive(Debug, Clone)]
pub enum Spot {
    At(&'static Place),
    /// "under the desk".
    By(&'static Fixed, NounPhrase),
}

impl Spot {
    pub(crate) fn english(&self) -> String {
        match self {
            Self::At(place) => place.at.to_owned(),
            Self::By(relation, noun) => format!("{} {}", relation.english, noun.english()),
        }
    }

    pub(crate) fn korean(&self, style: Style) -> String {
        match self {
            Self::At(place) => format!("{}에", place.korean),
            Self::By(relation, noun) => format!("{} {}", noun.korean(style), relation.korean),
        }
    }
}

/// When, where and how; a clause has two of these at most.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    pub front: Option<&'static Time>,
    pub frequency: Option<&'static Fixed>,
    pub time: Option<&'static Time>,
    pub place: Option<&'static Place>,
    pub companion: Option<NounPhrase>,
    pub means: Option<&'static Instrument>,
    pub manner: Option<&'static Fixed>,
}

/// A clause, before it is put into words.
#[derive(Debug, Clone)]
pub struct Clause {
    pub subject: NounPhrase,
    pub core: Core,
    pub mode: Mode,
    pub negative: bool,
    pub circumstances: Circumstances,
}

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    YesNo,
    /// The object.
    What,
    /// The place or the goal.
    Where,
    /// The subject, which stands in the clause as any other.
    Who,
}

/// What a clause is to the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Statement,
    Question(Question),
    /// -고
    And,
    /// -지만
    But,
    /// -기 때문에
    Because,
    /// -(으)ㄹ 때
    When,
    /// -(으)면
    If,
}

impl Clause {
    /// The Korean clause, without its full stop.
    #[must_use]
    pub fn korean(&self, style: Style, ending: Ending) -> String {
        let stem = self.stem();
        let predicate = match ending {
            Ending::Statement => stem.statement(style),
            Ending::Question(_) => stem.question(style),
            Ending::And => stem.before("고"),
            Ending::But => stem.before("지만"),
            Ending::Because => stem.before("기 때문에"),
            Ending::When => format!("{} 때", stem.prospective()),
            Ending::If => stem.condition(),
        };
        let question = if let Ending::Question(question) = ending {
            Some(question)
        } else {
            None
        };
        let dependent = matches!(ending, Ending::Because | Ending::When | Ending::If);
        let subject = match question {
            Some(Question::Who) => "누가".to_owned(),
            _ if self.subject.is_topic() && !dependent => particle::topic(&self.subject.korean(style)),
            _ => particle::subject(&self.subject.korean(style)),
        };
        let mut parts = self.korean_before_predicate(style, Some(subject), question);
        parts.push(predicate);
        parts.join(" ")
    }

    /// The relative clause before its noun: 선생님이 사신, 책을 읽는.
    #[must_use]
    pub fn korean_relative(&self, style: Style, of_subject: bool) -> String {
        let subject = (!of_subject).then(|| particle::subject(&self.subject.korean(style)));
        let mut parts = self.korean_before_predicate(style, subject, None);
        parts.push(self.attributive());
        parts.join(" ")
    }

    fn korean_before_predicate(&self, style: Style, subject: Option<String>, asked: Option<Question>) -> Vec<String> {
        let c = &self.circumstances;
        let mut parts: Vec<String> = Vec::new();
        parts.extend(c.front.map(|time| time.korean.to_owned()));
        if let Core::Existence { spot } = &self.core {
            parts.push(spot.korean(style));
            parts.push(particle::subject(&self.subject.korean(style)));
            return parts;
        }
        if self.subject.noun.role == Role::Weather {
            // What falls comes last: 어제 서울에 비가 왔다.
            parts.extend(c.time.map(|time| time.korean.to_owned()));
            parts.extend(c.place.map(|place| format!("{}에", place.korean)));
            parts.extend(subject);
            return self.with_degree(parts);
        }
        parts.extend(subject);
        parts.extend(c.frequency.map(|adverb| adverb.korean.to_owned()));
        parts.extend(c.time.map(|time| time.korean.to_owned()));
        parts.extend(
            c.companion
                .as_ref()
                .map(|noun| format!("{} 함께", particle::with(&noun.korean(style)))),
        );
        let goes = matches!(self.core, Core::Act { goal: Some(_), .. });
        if asked == Some(Question::Where) && !goes {
            parts.push("어디에서".to_owned());
        }
        parts.extend(c.place.map(|place| format!("{}에서", place.korean)));
        parts.extend(c.means.map(|means| particle::by(means.korean)));
        match &self.core {
            Core::Act {
                object,
                recipient,
                goal,
                ..
            } => {
                parts.extend(
                    recipient
                        .as_ref()
                        .map(|noun| particle::to(&noun.korean(style), noun.is_elder())),
                );
                if let Some(goal) = goal {
                    let place = if asked == Some(Question::Where) {
                        "어디"
                    } else {
                        goal.korean
                    };
                    parts.push(format!("{place}에"));
                }
                if asked == Some(Question::What) {
                    parts.push("무엇을".to_owned());
                }
                parts.extend(object.as_ref().map(|noun| particle::object(&noun.korean(style))));
            }
            Core::Quality { than, .. } => {
                parts.extend(than.as_ref().map(|noun| format!("{}보다 더", noun.korean(style))));
                return self.with_degree(parts);
            }
            Core::Location { spot } => parts.push(spot.korean(style)),
            Core::Identity { .. } | Core::Existence { .. } => {}
        }
        parts.extend(c.manner.map(|adverb| adverb.korean.to_owned()));
        parts
    }

    fn with_degree(&self, mut parts: Vec<String>) -> Vec<String> {
        if matches!(self.core, Core::Quality { very: true, .. }) {
            parts.push("아주".to_owned());
        }
        parts
    }
}
