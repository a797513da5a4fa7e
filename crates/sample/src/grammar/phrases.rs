//! Draws noun phrases and relative clauses.

use super::{Combination, Grammar};
use crate::clause::{Circumstances, Clause, Core, Mode};
use crate::english::Agreement;
use crate::lexicon::{
    ADJECTIVES, Adjective, FALLING, Fixed, Flow, MEASURES, NAMES, NUMERALS, Noun, PEOPLE, Role, VERBS, Verb, noun,
    words,
};
use crate::phrase::{Determiner, NounPhrase, Relative};

/// What a noun phrase may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything that fits.
    Any,
    /// Nothing counted: "did not buy two books" is said of something else than it seems.
    Uncounted,
    /// Something in general, or something known: what one likes.
    General,
}

impl Grammar {
    pub(super) fn combine(&mut self, first: &'static str, second: &'static str) {
        self.combinations.push(Combination(first, second));
    }

    /// A noun of the list that the sentence does not have yet.
    pub(super) fn unused(&mut self, list: &'static str) -> &'static Noun {
        let choices: Vec<&'static Noun> = words(list).filter_map(noun).collect();
        let fresh: Vec<&'static Noun> = choices
            .iter()
            .copied()
            .filter(|noun| !self.used.contains(&noun.english))
            .collect();
        // A list is never empty; one that is used up gives its first word again.
        let chosen = if fresh.is_empty() {
            choices.first().copied().unwrap_or(&FALLING[0])
        } else {
            *self.random.pick(&fresh)
        };
        self.used.push(chosen.english);
        chosen
    }

    /// Somebody with a name whom the sentence does not have yet.
    pub(super) fn unused_name(&mut self, elders: bool) -> &'static Noun {
        loop {
            let name = self.random.pick(&NAMES);
            if !self.used.contains(&name.english) && (elders || !name.is_elder()) {
                self.used.push(name.english);
                return name;
            }
        }
    }

    /// The number in front of a noun; low numbers come more often.
    fn number(&mut self, counter: &str) -> &'static Fixed {
        let limit = match counter {
            "채" | "대" | "그루" => 4,
            "명" | "분" | "개" | "권" | "장" | "송이" => NUMERALS.len(),
            _ => 6,
        };
        let (first, second) = (self.random.below(limit), self.random.below(limit));
        &NUMERALS[if self.random.chance(50) {
            first.min(second)
        } else {
            first
        }]
    }

    /// A noun with a numeral.
    pub(super) fn counted(&mut self, noun: &'static Noun) -> NounPhrase {
        NounPhrase::new(Determiner::Count(self.number(noun.counter)), noun)
    }

    /// Whoever does something: one of the nouns of the list, somebody with a name, or the speaker.
    pub(super) fn subject(&mut self, list: &'static str, kind: Kind) -> NounPhrase {
        let counted = usize::from(kind == Kind::Any);
        match self.random.weighted(&[
            (36, 0),
            (8, 1),
            (4, 2),
            (22, 3),
            (8 * counted, 4),
            (8, 5),
            (7 * counted, 6),
            (3 * counted, 7),
            (4, 8),
            (4, 9),
        ]) {
            0 => NounPhrase::new(Determiner::Bare, self.unused_name(true)),
            1 => NounPhrase::new(Determiner::I, &NAMES[0]),
            2 => NounPhrase::new(Determiner::We, &NAMES[0]),
            8 => {
                let first = self.unused_name(false);
                let second = self.unused_name(false);
                NounPhrase {
                    and: Some(second),
                    ..NounPhrase::new(Determiner::Bare, first)
                }
            }
            other => {
                let noun = self.unused(list);
                self.subject_of_noun(noun, other)
            }
        }
    }

    fn subject_of_noun(&mut self, noun: &'static Noun, choice: usize) -> NounPhrase {
        let mut phrase = match choice {
            4 => NounPhrase::new(Determiner::A, noun),
            6 => self.counted(noun),
            7 => NounPhrase::new(Determiner::Many, noun),
            9 if noun.english == "friend" => NounPhrase::new(Determiner::My, noun),
            9 => {
                let near = self.random.chance(50);
                NounPhrase::new(if near { Determiner::This } else { Determiner::That }, noun)
            }
            _ => NounPhrase::new(Determiner::The, noun),
        };
        phrase.plural |= choice == 5;
        if self.random.chance(12) {
            self.describe(&mut phrase);
        } else if matches!(choice, 3 | 4) && self.random.chance(20) {
            self.relate_subject(&mut phrase);
        }
        phrase
    }

    /// Puts an adjective before the noun, where one fits.
    pub(super) fn describe(&mut self, phrase: &mut NounPhrase) {
        // 많은 단 사과: two attributes in a row are heavy.
        if matches!(phrase.determiner, Determiner::Many) {
            return;
        }
        let name = phrase.noun.english;
        let fitting: Vec<&'static Adjective> = ADJECTIVES
            .iter()
            .filter(|adjective| words(adjective.nouns).any(|word| word == name))
            .collect();
        if !fitting.is_empty() {
            let adjective = *self.random.pick(&fitting);
            self.combine(adjective.english, name);
            phrase.adjective = Some(adjective);
        }
    }

    /// What something is done to.
    pub(super) fn object(&mut self, verb: &'static Verb, list: &'static str, kind: Kind) -> NounPhrase {
        let noun = self.unused(list);
        self.combine(verb.english, noun.english);
        let mut phrase = match noun.role {
            Role::Mass => self.mass(noun, kind),
            _ => self.countable(noun, kind),
        };
        if self.random.chance(28) {
            self.describe(&mut phrase);
        }
        let relates = matches!(
            phrase.determiner,
            Determiner::The | Determiner::A | Determiner::Count(_)
        );
        if relates && noun.role == Role::Thing && self.random.chance(26) {
            self.relate_object(&mut phrase, Some(verb));
        } else if relates && noun.is_human() && self.random.chance(20) {
            self.relate_subject(&mut phrase);
        }
        phrase
    }

    fn mass(&mut self, noun: &'static Noun, kind: Kind) -> NounPhrase {
        let measures: Vec<_> = MEASURES
            .iter()
            .filter(|measure| words(measure.nouns).any(|word| word == noun.english))
            .collect();
        let measured = kind == Kind::Any && !measures.is_empty() && self.random.chance(45);
        if !measured {
            return NounPhrase::new(Determiner::Bare, noun);
        }
        let measure = *self.random.pick(&measures);
        NounPhrase::new(Determiner::Measured(self.number(measure.counter), measure), noun)
    }

    fn countable(&mut self, noun: &'static Noun, kind: Kind) -> NounPhrase {
        let counted = usize::from(kind == Kind::Any);
        let single = usize::from(kind != Kind::General);
        let general = if kind == Kind::General { 40 } else { 5 };
        let owned = usize::from(is_owned(noun));
        let determiner = self.random.weighted(&[
            (26, Determiner::The),
            (24 * single, Determiner::A),
            (4, Determiner::This),
            (4, Determiner::That),
            (5 * owned, Determiner::My),
            (general, Determiner::Bare),
            (5 * counted, Determiner::Many),
            (16 * counted, Determiner::Count(&NUMERALS[0])),
            (6 * owned, Determiner::Of(&NAMES[0])),
        ]);
        let determiner = match determiner {
            Determiner::Count(_) => Determiner::Count(self.number(noun.counter)),
            Determiner::Of(_) => Determiner::Of(self.unused_name(true)),
            other => other,
        };
        let mut phrase = NounPhrase::new(determiner, noun);
        phrase.plural |= matches!(determiner, Determiner::Bare);
        phrase
    }

    /// "who is reading a book": the noun is the subject of the clause.
    pub(super) fn relate_subject(&mut self, phrase: &mut NounPhrase) {
        if self.has_relative || !phrase.noun.is_human() {
            return;
        }
        self.has_relative = true;
        let verb = loop {
            let verb = self.verb();
            let fits = words(verb.subjects).any(|word| word == phrase.noun.english);
            if fits && !verb.gives && verb.english != "lose" && !(verb.objects.is_empty() && verb.goals.is_empty()) {
                break verb;
            }
        };
        let mode = match verb.flow {
            Flow::Activity => {
                self.random
                    .weighted(&[(4, Mode::Progressive), (4, Mode::Past), (1, Mode::PastProgressive)])
            }
            Flow::State => Mode::Present,
            Flow::Moment | Flow::Project => Mode::Past,
        };
        let mut head = NounPhrase::new(Determiner::The, phrase.noun);
        head.plural = phrase.plural;
        let mode = if is_unclear(verb, mode, &head) {
            Mode::Progressive
        } else {
            mode
        };
        self.combine(phrase.noun.english, verb.english);
        let goal = self.goal(verb);
        let object = (!verb.objects.is_empty()).then(|| {
            let kind = if verb.flow == Flow::State {
                Kind::General
            } else {
                Kind::Any
            };
            self.object(verb, verb.objects, kind)
        });
        let core = Core::Act {
            verb,
            object,
            recipient: None,
            goal,
        };
        let clause = Clause {
            subject: head,
            core,
            mode,
            negative: false,
            circumstances: Circumstances::default(),
        };
        phrase.relative = Some(Box::new(Relative {
            clause,
            of_subject: true,
        }));
    }

    /// "that the teacher bought": the noun is the object of the clause.
    pub(super) fn relate_object(&mut self, phrase: &mut NounPhrase, main: Option<&'static Verb>) {
        let main = main.map_or("", |verb| verb.english);
        // What comes into being by the act has no history yet.
        if self.has_relative || ["write", "make", "draw", "build", "sing"].contains(&main) {
            return;
        }
        let fitting: Vec<&'static Verb> = VERBS
            .iter()
            .filter(|verb| verb.flow != Flow::State && verb.english != main && !USED_UP.contains(&verb.english))
            // What is lost can be looked for and found, but not read or given away.
            .filter(|verb| verb.english != "lose" || ["", "look for", "pick up"].contains(&main))
            .filter(|verb| words(verb.objects).any(|word| word == phrase.noun.english))
            .collect();
        if fitting.is_empty() {
            return;
        }
        self.has_relative = true;
        let verb = *self.random.pick(&fitting);
        let subject = match self.random.weighted(&[(50, 0), (15, 1), (35, 2)]) {
            0 => NounPhrase::new(Determiner::Bare, self.unused_name(true)),
            1 => NounPhrase::new(Determiner::I, &NAMES[0]),
            _ => NounPhrase::new(Determiner::The, self.unused(PEOPLE)),
        };
        let mode = match (verb.english, verb.flow) {
            ("lose" | "carry", _) => Mode::Past,
            ("read" | "write" | "draw" | "make" | "look for" | "wear" | "fix", _) => {
                self.random
                    .weighted(&[(7, Mode::Past), (3, Mode::Progressive), (1, Mode::Future)])
            }
            _ => self.random.weighted(&[(8, Mode::Past), (1, Mode::Future)]),
        };
        let mode = if is_unclear(verb, mode, &subject) {
            Mode::Progressive
        } else {
            mode
        };
        self.combine(verb.english, phrase.noun.english);
        if !subject.is_speaker() {
            self.combine(subject.noun.english, verb.english);
        }
        let recipient = verb
            .gives
            .then(|| NounPhrase::new(Determiner::Bare, self.unused_name(true)));
        let core = Core::Act {
            verb,
            object: None,
            recipient,
            goal: None,
        };
        let clause = Clause {
            subject,
            core,
            mode,
            negative: false,
            circumstances: Circumstances::default(),
        };
        phrase.relative = Some(Box::new(Relative {
            clause,
            of_subject: false,
        }));
    }
}

/// What leaves nothing to speak of afterwards, or changes nothing about its object.
const USED_UP: [&str; 7] = ["eat", "drink", "open", "close", "see", "watch", "wait for"];

/// Whether a thing belongs to somebody.
pub(super) fn is_owned(noun: &Noun) -> bool {
    noun.role == Role::Thing && !["bus", "train", "tree", "movie", "song"].contains(&noun.english)
}

/// "They read books" may be past or present, so it isn't said.
pub(super) fn is_unclear(verb: &Verb, mode: Mode, subject: &NounPhrase) -> bool {
    verb.english == verb.past
        && matches!(mode, Mode::Present | Mode::Past)
        && subject.agreement() != Agreement::ThirdSingular
}
