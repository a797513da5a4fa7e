//! The verb of a clause, in both languages.

use crate::clause::{Clause, Core, Mode, Question};
use crate::english::{Agreement, be, participle, third_person};
use crate::korean::{Class, Kind, Stem, Style};
use crate::lexicon::{Flow, Verb};
use crate::particle;

/// An English verb: what moves in front of the subject in a question, and the rest.
pub(crate) struct VerbGroup {
    /// "is", "does", "will not", ...; none where a bare verb states something.
    pub auxiliary: Option<String>,
    pub main: String,
}

impl Clause {
    /// The English verb, with "do" where a question or a negation needs it.
    pub(crate) fn verb_group(&self, needs_auxiliary: bool) -> VerbGroup {
        let agreement = self.subject.agreement();
        let Core::Act { verb, .. } = &self.core else {
            return self.group_of_be(agreement);
        };
        let not = if self.negative { " not" } else { "" };
        let with = |auxiliary: &str, main: String| VerbGroup {
            auxiliary: Some(format!("{auxiliary}{not}")),
            main,
        };
        let third = agreement == Agreement::ThirdSingular;
        let base = verb.english.to_owned();
        let support = needs_auxiliary || self.negative;
        let do_form = match (self.mode.is_past(), third) {
            (true, _) => "did",
            (false, true) => "does",
            (false, false) => "do",
        };
        match self.mode {
            Mode::Present if support => with(do_form, base),
            Mode::Present if third => VerbGroup {
                auxiliary: None,
                main: third_person(verb.english),
            },
            Mode::Present => VerbGroup {
                auxiliary: None,
                main: base,
            },
            Mode::Past if support => with(do_form, base),
            Mode::Past => VerbGroup {
                auxiliary: None,
                main: verb.past.to_owned(),
            },
            Mode::Future => with("will", base),
            Mode::Progressive => with(be(agreement, false), participle(verb.english)),
            Mode::PastProgressive => with(be(agreement, true), participle(verb.english)),
            Mode::Can if self.negative => VerbGroup {
                auxiliary: Some("cannot".to_owned()),
                main: base,
            },
            Mode::Can => with("can", base),
            Mode::Must => with("must", base),
            Mode::Want | Mode::Wanted if support => with(do_form, format!("want to {base}")),
            Mode::Want if third => VerbGroup {
                auxiliary: None,
                main: format!("wants to {base}"),
            },
            Mode::Want => VerbGroup {
                auxiliary: None,
                main: format!("want to {base}"),
            },
            Mode::Wanted => VerbGroup {
                auxiliary: None,
                main: format!("wanted to {base}"),
            },
        }
    }

    fn group_of_be(&self, agreement: Agreement) -> VerbGroup {
        let not = if self.negative { " not" } else { "" };
        match self.mode {
            Mode::Future => VerbGroup {
                auxiliary: Some(format!("will{not}")),
                main: "be".to_owned(),
            },
            mode => VerbGroup {
                auxiliary: Some(format!("{}{not}", be(agreement, mode.is_past()))),
                main: String::new(),
            },
        }
    }

    /// The Korean stem with its tense.
    pub(crate) fn stem(&self) -> Stem {
        let root = self.root();
        match self.mode {
            Mode::Past | Mode::PastProgressive | Mode::Wanted => root.past(),
            Mode::Future => root.future(),
            _ => root,
        }
    }

    /// The Korean predicate before a noun.
    pub(crate) fn attributive(&self) -> String {
        let root = self.root();
        match self.mode {
            Mode::Past => root.perfective(),
            Mode::PastProgressive | Mode::Wanted => root.before("던"),
            Mode::Future => root.prospective(),
            _ => root.attributive(),
        }
    }

    /// The Korean stem before its tense: aspect, modality, negation and respect for the subject.
    fn root(&self) -> Stem {
        let elder = self.subject.is_elder();
        let verb = match &self.core {
            Core::Act { verb, recipient, .. } => {
                self.verb_stem(verb, recipient.as_ref().is_some_and(|noun| noun.is_elder()))
            }
            Core::Quality { adjective, .. } => adjective.korean(),
            Core::Identity { noun } if self.negative => {
                let noun = particle::subject(&noun.korean(Style::Plain));
                return Stem::new(format!("{noun} 아니"), Class::Copula, Kind::Adjective);
            }
            Core::Identity { noun } => return Stem::copula(&noun.korean(Style::Plain)),
            Core::Location { .. } | Core::Existence { .. } => return self.being(),
        };
        let respect = |stem: Stem| if elder { stem.honorific() } else { stem };
        // 드시지 않는다: a verb that honours already is enough.
        let is_enough = verb == verb.honorific() && self.negative;
        let polarity = |stem: Stem| if self.negative { stem.negative() } else { stem };
        match self.mode {
            Mode::Present | Mode::Past | Mode::Future if is_enough => polarity(verb),
            Mode::Present | Mode::Past | Mode::Future => respect(polarity(verb)),
            Mode::Progressive | Mode::PastProgressive if elder => polarity(Stem::verb(verb.before("고 계시"))),
            Mode::Progressive | Mode::PastProgressive => {
                polarity(Stem::new(verb.before("고 있"), Class::Regular, Kind::Existence))
            }
            Mode::Can => respect(verb).ability(!self.negative),
            Mode::Must => respect(verb).duty(),
            Mode::Want | Mode::Wanted if self.subject.is_speaker() => {
                polarity(Stem::new(verb.before("고 싶"), Class::Regular, Kind::Adjective))
            }
            Mode::Want | Mode::Wanted => respect(polarity(Stem::new(verb.before("고 싶어 하"), Class::Ha, Kind::Verb))),
        }
    }

    /// The verb, in its own honorific form where it has one: 드시다 for 먹다, 드리다 for 주다.
    fn verb_stem(&self, verb: &Verb, elder_receives: bool) -> Stem {
        if self.subject.is_elder() && !verb.honorific.is_empty() {
            return Stem::verb(verb.honorific);
        }
        match verb.stem.strip_suffix('주') {
            Some(start) if elder_receives && !self.subject.is_elder() => Stem::verb(format!("{start}드리")),
            _ => verb.korean(),
        }
    }

    fn being(&self) -> Stem {
        match (self.subject.is_elder(), self.negative) {
            (true, false) => Stem::verb("계시"),
            (true, true) => Stem::verb("계시").negative(),
            (false, negative) => Stem::new(if negative { "없" } else { "있" }, Class::Regular, Kind::Existence),
        }
    }

    /// The English clause as a statement, without capital and full stop.
    #[must_use]
    pub fn english(&self) -> String {
        let group = self.verb_group(false);
        let mut words = vec![self.english_front(), self.english_subject()];
        words.extend(self.english_verb(group));
        words.push(self.english_rest(true));
        join(&words)
    }

    /// The English question, without capital and mark.
    #[must_use]
    pub fn english_question(&self, question: Question) -> String {
        if question == Question::Who {
            let group = self.verb_group(false);
            let mut words = vec!["who".to_owned()];
            words.extend(self.english_verb(group));
            words.push(self.english_rest(true));
            return join(&words);
        }
        let group = self.verb_group(true);
        let word = match question {
            Question::What => "what",
            Question::Where => "where",
            Question::YesNo | Question::Who => "",
        };
        let auxiliary = group.auxiliary.unwrap_or_default();
        join(&[
            word.to_owned(),
            auxiliary,
            self.english_subject(),
            group.main,
            self.english_rest(question != Question::Where),
        ])
    }

    /// What follows "who" or "that".
    #[must_use]
    pub fn english_relative(&self, of_subject: bool) -> String {
        let group = self.verb_group(false);
        let mut words = if of_subject {
            Vec::new()
        } else {
            vec![self.subject.english()]
        };
        words.extend(self.english_verb(group));
        words.push(self.english_rest(true));
        join(&words)
    }

    fn english_front(&self) -> String {
        self.circumstances
            .front
            .map_or_else(String::new, |time| format!("{},", time.english))
    }

    fn english_subject(&self) -> String {
        if matches!(self.core, Core::Existence { .. }) {
            "there".to_owned()
        } else {
            self.subject.english()
        }
    }

    fn english_verb(&self, group: VerbGroup) -> Vec<String> {
        let often = self
            .circumstances
            .frequency
            .map_or_else(String::new, |adverb| adverb.english.to_owned());
        vec![group.auxiliary.unwrap_or_default(), often, group.main]
    }

    /// What follows the verb; a question for the place leaves the goal out.
    fn english_rest(&self, with_goal: bool) -> String {
        let c = &self.circumstances;
        let mut words: Vec<String> = Vec::new();
        match &self.core {
            Core::Act {
                verb,
                object,
                recipient,
                goal,
            } => {
                words.extend(object.as_ref().map(|noun| noun.english()));
                words.extend(recipient.as_ref().map(|noun| format!("to {}", noun.english())));
                if let Some(place) = goal.filter(|_| with_goal) {
                    words.push((if verb.flow == Flow::State { place.at } else { place.to }).to_owned());
                }
            }
            Core::Quality { adjective, very, than } => {
                words.extend(very.then(|| "very".to_owned()));
                match than {
                    Some(noun) => words.push(format!("{} than {}", adjective.comparative, noun.english())),
                    None => words.push(adjective.english.to_owned()),
                }
            }
            Core::Identity { noun } => words.push(noun.english()),
            Core::Location { spot } => words.push(spot.english()),
            Core::Existence { spot } => {
                words.push(self.subject.english());
                words.push(spot.english());
            }
        }
        words.extend(c.manner.map(|adverb| adverb.english.to_owned()));
        words.extend(c.companion.as_ref().map(|noun| format!("with {}", noun.english())));
        words.extend(c.means.map(|means| means.english.to_owned()));
        words.extend(c.place.map(|place| place.at.to_owned()));
        words.extend(c.time.map(|time| time.english.to_owned()));
        join(&words)
    }
}

fn join(words: &[String]) -> String {
    words
        .iter()
        .filter(|word| !word.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}
