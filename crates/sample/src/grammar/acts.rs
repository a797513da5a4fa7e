//! Draws clauses in which somebody does something.

use super::Grammar;
use super::phrases::{Kind, is_unclear};
use crate::clause::{Circumstances, Clause, Core, Mode};
use crate::lexicon::{
    FALLING, FREQUENCIES, Fixed, Flow, Instrument, MANNERS, MEANS, NAMES, PEOPLE, Place, TIMES, TIMES_OF_CALENDAR,
    Time, VERBS, Verb, WEATHER, place, words,
};
use crate::phrase::{Determiner, NounPhrase};

const ANIMALS: &str = "dog cat bird horse";

/// What happens while something else goes on.
const EVENTS: [&str; 12] = [
    "come", "go", "open", "close", "buy", "meet", "lose", "give", "send", "see", "show", "pick up",
];

impl Grammar {
    pub(super) fn verb(&mut self) -> &'static Verb {
        let choices: Vec<(usize, &'static Verb)> = VERBS.iter().map(|verb| (verb.weight, verb)).collect();
        self.random.weighted(&choices)
    }

    /// Somebody does something, somewhere, at some time.
    pub(super) fn act(&mut self) -> Clause {
        let verb = self.verb();
        let mode = self.mode(verb);
        let negative = mode != Mode::Must && self.random.chance(12);
        let mut clause = self.act_of(verb, mode, negative);
        self.add_circumstances(verb, &mut clause);
        clause
    }

    /// An act in the given tense without time or place.
    pub(super) fn short_act(&mut self, mode: Mode, negative: bool) -> Clause {
        self.short_act_among("", mode, negative)
    }

    /// A short act with one of the verbs of the list; with any verb where the list is empty.
    pub(super) fn short_act_among(&mut self, list: &'static str, mode: Mode, negative: bool) -> Clause {
        let combinations = self.combinations.len();
        loop {
            let verb = self.verb();
            let listed = list.is_empty() || words(list).any(|word| word == verb.english);
            if listed && allows(verb, mode) && !(verb.flow == Flow::State && mode == Mode::Past) {
                let clause = self.act_of(verb, mode, negative);
                if clause.mode == mode {
                    return clause;
                }
                // The sentence would be unclear; what it used stays used, and another verb is drawn.
                self.combinations.truncate(combinations);
            }
        }
    }

    /// Something that happens all at once.
    pub(super) fn event(&mut self, mode: Mode) -> Clause {
        loop {
            let verb = self.verb();
            let loses = verb.english == "lose" && mode != Mode::Past;
            if EVENTS.contains(&verb.english) && !loses {
                return self.act_of(verb, mode, false);
            }
        }
    }

    /// It rains or snows.
    pub(super) fn weather(&mut self, mode: Option<Mode>) -> Clause {
        let which = self.random.below(WEATHER.len());
        let subject = NounPhrase::new(Determiner::Bare, &FALLING[which]);
        let drawn = self.random.weighted(&[
            (4, Mode::Past),
            (3, Mode::Future),
            (2, Mode::Progressive),
            (2, Mode::PastProgressive),
        ]);
        let core = Core::Act {
            verb: &WEATHER[which],
            object: None,
            recipient: None,
            goal: None,
        };
        let mode = mode.unwrap_or(drawn);
        let mut circumstances = Circumstances::default();
        if mode != Mode::Present || self.random.chance(40) {
            let mode = if mode == Mode::Present { Mode::Future } else { mode };
            circumstances.time = self.time(&TIMES, mode);
            let open = ["park", "village", "beach", "Seoul", "Busan", "London"];
            if self.random.chance(50) {
                circumstances.place = place(open[self.random.below(open.len())]);
            }
        }
        Clause {
            subject,
            core,
            mode,
            negative: false,
            circumstances,
        }
    }

    pub(super) fn asks_what(&mut self) -> Clause {
        loop {
            let verb = self.verb();
            // "What did she wear?" would be 입다 or 쓰다, as the answer may be.
            if !verb.objects.is_empty() && !["meet", "help", "like", "wear"].contains(&verb.english) {
                let mode = self.mode(verb);
                let subject = self.subject(verb.subjects, Kind::Any);
                if subject.is_speaker() {
                    self.forget();
                    continue;
                }
                let mut clause = self.act_by(subject, verb, mode, false, "");
                if self.random.chance(50) {
                    clause.circumstances.place = self.place_of(verb);
                }
                return clause;
            }
        }
    }

    pub(super) fn asks_where(&mut self) -> Clause {
        loop {
            let verb = self.verb();
            if !verb.places.is_empty() || !verb.goals.is_empty() {
                let mode = self.mode(verb);
                let clause = self.act_of_other(verb, mode);
                if !self.has_relative {
                    return clause;
                }
                self.forget();
            }
        }
    }

    pub(super) fn asks_who(&mut self) -> Clause {
        let verb = self.verb();
        let drawn = self.mode(verb);
        let mode = if matches!(drawn, Mode::Want | Mode::Wanted) {
            Mode::Past
        } else {
            drawn
        };
        let subject = NounPhrase::new(Determiner::Bare, &NAMES[0]);
        let mut clause = self.act_by(subject, verb, mode, false, verb.objects);
        self.combinations
            .retain(|combination| combination.0 != NAMES[0].english);
        self.add_circumstances(verb, &mut clause);
        clause.circumstances.front = None;
        clause
    }

    /// An act of somebody other than the speaker, for nobody asks about himself.
    fn act_of_other(&mut self, verb: &'static Verb, mode: Mode) -> Clause {
        loop {
            let clause = self.act_of(verb, mode, false);
            if !clause.subject.is_speaker() {
                return clause;
            }
            self.forget();
        }
    }

    fn act_of(&mut self, verb: &'static Verb, mode: Mode, negative: bool) -> Clause {
        let kind = if negative { Kind::Uncounted } else { Kind::Any };
        let feral = !matches!(mode, Mode::Want | Mode::Wanted | Mode::Must) && !verb.animals.is_empty();
        if feral && self.random.chance(22) {
            let subject = self.subject(ANIMALS, kind);
            let objects = if verb.animals == "-" { "" } else { verb.animals };
            return self.act_by(subject, verb, mode, negative, objects);
        }
        let subject = self.subject(verb.subjects, kind);
        self.act_by(subject, verb, mode, negative, verb.objects)
    }

    fn act_by(
        &mut self,
        subject: NounPhrase,
        verb: &'static Verb,
        mode: Mode,
        negative: bool,
        objects: &'static str,
    ) -> Clause {
        let mode = if is_unclear(verb, mode, &subject) {
            Mode::PastProgressive
        } else {
            mode
        };
        if !subject.is_speaker() {
            self.combine(subject.noun.english, verb.english);
        }
        let kind = match (verb.flow, negative) {
            (Flow::State, _) => Kind::General,
            (_, true) => Kind::Uncounted,
            _ => Kind::Any,
        };
        let recipient = verb.gives.then(|| self.companion());
        let goal = self.goal(verb);
        let object = (!objects.is_empty()).then(|| self.object(verb, objects, kind));
        let core = Core::Act {
            verb,
            object,
            recipient,
            goal,
        };
        Clause {
            subject,
            core,
            mode,
            negative,
            circumstances: Circumstances::default(),
        }
    }

    fn mode(&mut self, verb: &Verb) -> Mode {
        loop {
            let mode = self.random.weighted(&[
                (20, Mode::Present),
                (32, Mode::Past),
                (14, Mode::Future),
                (12, Mode::Progressive),
                (6, Mode::PastProgressive),
                (6, Mode::Can),
                (5, Mode::Must),
                (6, Mode::Want),
                (3, Mode::Wanted),
            ]);
            if allows(verb, mode) {
                return mode;
            }
        }
    }

    pub(super) fn goal(&mut self, verb: &Verb) -> Option<&'static Place> {
        self.place_in(verb.goals)
    }

    fn place_of(&mut self, verb: &Verb) -> Option<&'static Place> {
        self.place_in(verb.places)
    }

    fn place_in(&mut self, list: &'static str) -> Option<&'static Place> {
        let places: Vec<&'static Place> = words(list)
            .filter_map(place)
            .filter(|place| !self.used.contains(&place.english))
            .collect();
        if places.is_empty() {
            None
        } else {
            Some(*self.random.pick(&places))
        }
    }

    /// Somebody who goes along or receives something.
    fn companion(&mut self) -> NounPhrase {
        match self.random.weighted(&[(60, 0), (28, 1), (12, 2)]) {
            0 => NounPhrase::new(Determiner::Bare, self.unused_name(true)),
            1 => NounPhrase::new(Determiner::The, self.unused(PEOPLE)),
            _ => NounPhrase::new(Determiner::A, self.unused("friend child student")),
        }
    }

    fn time(&mut self, times: &'static [Time], mode: Mode) -> Option<&'static Time> {
        let fitting: Vec<&'static Time> = times
            .iter()
            .filter(|time| time.tenses.contains(mode.letter()))
            .collect();
        if fitting.is_empty() {
            None
        } else {
            Some(*self.random.pick(&fitting))
        }
    }

    /// Adds when, where and how: nothing, one or two of them. After a relative clause it would be unclear what a time
    /// or a place belongs to, so only a time in front of the sentence is added there.
    fn add_circumstances(&mut self, verb: &'static Verb, clause: &mut Clause) {
        let closed = match &clause.core {
            Core::Act { object, .. } => object.as_ref().is_some_and(|noun| noun.relative.is_some()),
            _ => false,
        };
        let times: &'static [Time] = match verb.flow {
            Flow::State => return,
            Flow::Project => &TIMES_OF_CALENDAR,
            _ => &TIMES,
        };
        let alone = matches!(
            clause.core,
            Core::Act {
                object: None,
                goal: None,
                ..
            }
        );
        let wanted = self.random.weighted(&[
            (if alone { 0 } else { 28 }, 0),
            (47, 1),
            (if alone { 45 } else { 25 }, 2),
        ]);
        for _ in 0..wanted {
            let choice = self
                .random
                .weighted(&[(40, 0), (30, 1), (9, 2), (14, 3), (12, 4), (12, 5)]);
            let c = &mut clause.circumstances;
            let timed = c.front.is_some() || c.time.is_some() || c.frequency.is_some();
            match choice {
                0 if !timed && (closed || self.random.chance(25)) => {
                    c.front = self.time(times, clause.mode).filter(|time| time.english != "now");
                }
                0 if !timed => c.time = self.time(times, clause.mode),
                1 if !closed => c.place = self.place_of(verb),
                2 if !closed && clause.subject.and.is_none() && verb.flow == Flow::Activity && !clause.negative => {
                    c.companion = Some(self.companion());
                }
                3 if !closed => c.means = self.means(verb),
                4 if !timed && !clause.negative && clause.mode == Mode::Present => {
                    c.frequency = Some(self.random.pick(&FREQUENCIES));
                }
                5 if !closed && !clause.negative => c.manner = self.manner(verb),
                _ => {}
            }
        }
    }

    fn means(&mut self, verb: &Verb) -> Option<&'static Instrument> {
        let fitting: Vec<&'static Instrument> = MEANS
            .iter()
            .filter(|means| words(means.verbs).any(|word| word == verb.english))
            .collect();
        if fitting.is_empty() {
            None
        } else {
            Some(*self.random.pick(&fitting))
        }
    }

    fn manner(&mut self, verb: &Verb) -> Option<&'static Fixed> {
        let fitting: Vec<_> = MANNERS
            .iter()
            .filter(|manner| words(verb.manners).any(|word| word == manner.english))
            .collect();
        if fitting.is_empty() {
            None
        } else {
            Some(*self.random.pick(&fitting))
        }
    }
}

/// Whether a verb is used in a tense.
fn allows(verb: &Verb, mode: Mode) -> bool {
    match (verb.english, verb.flow) {
        ("lose", _) => mode == Mode::Past,
        ("see", _) if mode == Mode::Present => false,
        (_, Flow::State) => matches!(mode, Mode::Present | Mode::Past),
        (_, Flow::Moment) => !matches!(mode, Mode::Progressive | Mode::PastProgressive),
        (_, Flow::Project) => mode != Mode::Present,
        (_, Flow::Activity) => true,
    }
}
