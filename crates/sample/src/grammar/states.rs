//! Draws clauses that say how, what or where something is.

use super::Grammar;
use super::phrases::{Kind, is_owned};
use crate::clause::{Circumstances, Clause, Core, Mode, Spot};
use crate::lexicon::{ADJECTIVES, Adjective, NAMES, OF_NAMES, PLACES, RELATIONS, Role, noun, place, words};
use crate::phrase::{Determiner, NounPhrase};

const OCCUPATIONS: &str = "student doctor nurse farmer singer writer chef painter";
const LITTLE_THINGS: &str = "book newspaper letter bag umbrella key ball hat pencil pen ticket \
                             apple orange knife clock box cat";
const BEINGS: &str = "student doctor nurse child woman man friend farmer singer painter girl boy teacher dog cat \
                      bird horse";
const OPEN_PLACES: [&str; 10] = [
    "park", "garden", "station", "beach", "village", "market", "museum", "library", "school", "hospital",
];

/// Adjectives, by their Korean stem, and what somebody else does because of it.
const EFFECTS: [(&str, &str); 6] = [
    ("바쁘", "help carry work go fix"),
    ("피곤하", "help carry work fix"),
    ("배고프", "make buy"),
    ("행복하", "dance sing"),
    ("춥", "drink wear make"),
    ("덥", "drink rest sleep"),
];

impl Grammar {
    /// Something is so, or more so than something else.
    pub(super) fn quality(&mut self) -> Clause {
        let adjective = loop {
            let adjective = self.random.pick(&ADJECTIVES);
            if adjective.is_predicate() {
                break adjective;
            }
        };
        let subject = self.described(adjective);
        let compares = !adjective.comparative.is_empty() && subject.relative.is_none() && !subject.plural;
        let than = (compares && self.random.chance(30))
            .then(|| self.compared(adjective, &subject))
            .flatten();
        let negative = self.random.chance(12);
        let very = than.is_none() && !negative && self.random.chance(30);
        let mode = self.random.weighted(&[(6, Mode::Present), (3, Mode::Past)]);
        let circumstances = Circumstances::default();
        Clause {
            subject,
            core: Core::Quality { adjective, very, than },
            mode,
            negative,
            circumstances,
        }
    }

    /// Why somebody does something: somebody feels so, or the weather is so. Beside it, the verbs that it is a reason
    /// for.
    pub(super) fn reason(&mut self, past: bool) -> (Clause, &'static str) {
        let mode = if past { Mode::Past } else { Mode::Present };
        if self.random.chance(25) {
            let weather = self.weather(Some(if past { Mode::Past } else { Mode::Progressive }));
            return (weather, "read rest sleep study draw");
        }
        let (stem, effects) = *self.random.pick(&EFFECTS);
        let adjective = ADJECTIVES
            .iter()
            .find(|adjective| adjective.stem == stem)
            .unwrap_or(&ADJECTIVES[0]);
        let subject = self.described(adjective);
        let very = self.random.chance(25);
        let core = Core::Quality {
            adjective,
            very,
            than: None,
        };
        (
            Clause {
                subject,
                core,
                mode,
                negative: false,
                circumstances: Circumstances::default(),
            },
            effects,
        )
    }

    /// What an adjective is said of.
    fn described(&mut self, adjective: &'static Adjective) -> NounPhrase {
        if words(OF_NAMES).any(|word| word == adjective.english) && self.random.chance(55) {
            if self.random.chance(15) {
                return NounPhrase::new(Determiner::I, &NAMES[0]);
            }
            let name = self.unused_name(true);
            self.combine(adjective.english, name.english);
            return NounPhrase::new(Determiner::Bare, name);
        }
        let both = [adjective.nouns, adjective.predicate_nouns];
        let all: Vec<&'static str> = both
            .iter()
            .flat_map(|list| words(list))
            .filter(|word| !self.used.contains(word))
            .collect();
        let name = *self.random.pick(&all);
        self.used.push(name);
        self.combine(adjective.english, name);
        let noun = noun(name).unwrap_or(&NAMES[0]);
        if noun.role == Role::Mass && ["Korean", "English", "history", "math"].contains(&name) {
            return NounPhrase::new(Determiner::Bare, noun);
        }
        if matches!(noun.role, Role::Mass | Role::Weather) {
            return NounPhrase::new(Determiner::The, noun);
        }
        let determiner = self.random.weighted(&[
            (50, Determiner::The),
            (12, Determiner::This),
            (12, Determiner::That),
            (if is_owned(noun) { 10 } else { 0 }, Determiner::My),
            (if is_owned(noun) { 12 } else { 0 }, Determiner::Of(&NAMES[0])),
        ]);
        let determiner = if let Determiner::Of(_) = determiner {
            Determiner::Of(self.unused_name(true))
        } else {
            determiner
        };
        let mut phrase = NounPhrase::new(determiner, noun);
        if matches!(determiner, Determiner::The) {
            phrase.plural = self.random.chance(18);
            if noun.role == Role::Thing && self.random.chance(35) {
                self.relate_object(&mut phrase, None);
            }
        }
        phrase
    }

    fn compared(&mut self, adjective: &'static Adjective, subject: &NounPhrase) -> Option<NounPhrase> {
        if subject.is_speaker() || matches!(subject.determiner, Determiner::Bare) && subject.noun.role != Role::Mass {
            return Some(NounPhrase::new(Determiner::Bare, self.unused_name(false)));
        }
        let bare = matches!(subject.determiner, Determiner::Bare);
        let list = if bare {
            adjective.predicate_nouns
        } else {
            adjective.nouns
        };
        let others: Vec<&'static str> = words(list).filter(|word| !self.used.contains(word)).collect();
        if others.is_empty() {
            return None;
        }
        let name = *self.random.pick(&others);
        self.used.push(name);
        let noun = noun(name)?;
        Some(NounPhrase::new(
            if bare { Determiner::Bare } else { Determiner::The },
            noun,
        ))
    }

    /// Somebody is something.
    pub(super) fn identity(&mut self) -> Clause {
        let subject = match self.random.weighted(&[(60, 0), (8, 1), (12, 2), (20, 3)]) {
            0 => NounPhrase::new(Determiner::Bare, self.unused_name(false)),
            1 => NounPhrase::new(Determiner::I, &NAMES[0]),
            2 => NounPhrase::new(Determiner::My, self.unused("friend")),
            _ => {
                let mut phrase = NounPhrase::new(Determiner::The, self.unused("man woman friend"));
                if self.random.chance(50) {
                    self.relate_subject(&mut phrase);
                }
                phrase
            }
        };
        let mut noun = NounPhrase::new(Determiner::A, self.unused(OCCUPATIONS));
        if self.random.chance(30) {
            self.describe(&mut noun);
        }
        let negative = self.random.chance(18);
        let mode = self.random.weighted(&[(6, Mode::Present), (3, Mode::Past)]);
        Clause {
            subject,
            core: Core::Identity { noun },
            mode,
            negative,
            circumstances: Circumstances::default(),
        }
    }

    /// Something known is somewhere.
    pub(super) fn location(&mut self) -> Clause {
        let (subject, spot) = if self.random.chance(60) {
            let noun = self.unused(LITTLE_THINGS);
            let determiner = if self.random.chance(20) && noun.role == Role::Thing {
                Determiner::Of(self.unused_name(true))
            } else {
                Determiner::The
            };
            let mut phrase = NounPhrase::new(determiner, noun);
            if self.random.chance(20) {
                self.describe(&mut phrase);
            }
            (phrase, self.near())
        } else {
            (self.subject(BEINGS, Kind::Uncounted), self.spot())
        };
        let negative = self.random.chance(12);
        let mode = self.random.weighted(&[(6, Mode::Present), (3, Mode::Past)]);
        Clause {
            subject,
            core: Core::Location { spot },
            mode,
            negative,
            circumstances: Circumstances::default(),
        }
    }

    /// There is something somewhere.
    pub(super) fn existence(&mut self) -> Clause {
        let little = self.random.chance(55);
        let noun = self.unused(if little { LITTLE_THINGS } else { BEINGS });
        let mut subject = match self.random.weighted(&[(35, 0), (50, 1), (15, 2)]) {
            0 => NounPhrase::new(Determiner::A, noun),
            1 => self.counted(noun),
            _ => NounPhrase::new(Determiner::Many, noun),
        };
        if self.random.chance(28) {
            self.describe(&mut subject);
        }
        let spot = if little { self.near() } else { self.spot() };
        let mode = self.random.weighted(&[(6, Mode::Present), (3, Mode::Past)]);
        Clause {
            subject,
            core: Core::Existence { spot },
            mode,
            negative: false,
            circumstances: Circumstances::default(),
        }
    }

    /// On, under or beside something.
    fn near(&mut self) -> Spot {
        let relation = self.random.below(RELATIONS.len());
        let list = match relation {
            0 => "desk table chair box",
            1 => "desk table chair tree car",
            2 => "desk table chair box door tree computer",
            3 => "desk door box chair computer",
            _ => "door desk computer box house",
        };
        Spot::By(
            &RELATIONS[relation],
            NounPhrase::new(Determiner::The, self.unused(list)),
        )
    }

    /// At a place, or beside something large.
    fn spot(&mut self) -> Spot {
        if self.random.chance(35) {
            let relation = 2 + self.random.below(3);
            return Spot::By(
                &RELATIONS[relation],
                NounPhrase::new(Determiner::The, self.unused("tree house car bus door")),
            );
        }
        let name = OPEN_PLACES[self.random.below(OPEN_PLACES.len())];
        Spot::At(place(name).unwrap_or(&PLACES[0]))
    }
}
