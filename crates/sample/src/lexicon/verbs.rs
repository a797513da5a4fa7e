//! Verbs, and who does them to what, where.

use crate::korean::{Class, Kind, Stem};
use crate::lexicon::PEOPLE;

/// How a verb fills time, which decides the tenses and the times that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// At any hour, for a while: every tense and time.
    Activity,
    /// Over weeks: no hour of the day.
    Project,
    /// All at once: no progressive.
    Moment,
    /// A state: neither progressive nor time nor place.
    State,
}

/// A verb in both languages. Two entries may share their English word where their objects differ.
#[derive(Debug)]
pub struct Verb {
    pub english: &'static str,
    pub past: &'static str,
    pub stem: &'static str,
    pub class: Class,
    /// The stem that honours the subject, where it is a word of its own.
    pub honorific: &'static str,
    pub flow: Flow,
    pub subjects: &'static str,
    pub objects: &'static str,
    /// What animals do it to; "-" where animals do it and it takes no object.
    pub animals: &'static str,
    pub places: &'static str,
    /// Where it leads, with "to" and 에; where one stays, for "live".
    pub goals: &'static str,
    /// Whether there is somebody who receives the object.
    pub gives: bool,
    /// How it may be done.
    pub manners: &'static str,
    /// How often it is drawn.
    pub weight: usize,
}

impl Verb {
    /// The Korean stem.
    #[must_use]
    pub fn korean(&self) -> Stem {
        Stem::new(self.stem, self.class, Kind::Verb)
    }
}

const ACT: Verb = Verb {
    english: "",
    past: "",
    stem: "",
    class: Class::Regular,
    honorific: "",
    flow: Flow::Activity,
    subjects: PEOPLE,
    objects: "",
    animals: "",
    places: "",
    goals: "",
    gives: false,
    manners: "",
    weight: 10,
};

const OUTDOORS: &str = "park garden beach village";
const SHOPS: &str = "market store Seoul Busan";
const CITIES: &str = "Seoul Busan London village";
const TRIPS: &str = "park library market school restaurant cafe office hospital station beach store theater \
                     museum Seoul Busan London";
const SUBJECTS: &str = "Korean English history math";
const GIFTS: &str = "book novel letter apple orange cake bag umbrella clock key ball hat pencil \
                     pen picture ticket flower";
const GOODS: &str = "book novel newspaper apple orange banana potato egg cake chair desk table box \
                     bag umbrella clock ball hat shirt coat dress pencil pen knife picture ticket flower bicycle \
                     computer milk juice bread coffee tea";

/// Every verb.
#[rustfmt::skip]
pub static VERBS: [Verb; 44] = [
    // What is done to something.
    Verb { english: "read", past: "read", stem: "읽", objects: "book newspaper novel letter poem",
        places: "library park cafe station garden home room classroom", manners: "slowly quietly", weight: 22, ..ACT },
    Verb { english: "write", past: "wrote", stem: "쓰", objects: "letter novel poem book",
        places: "library cafe home room office", manners: "slowly quickly", ..ACT },
    Verb { english: "buy", past: "bought", stem: "사", objects: GOODS, places: SHOPS, weight: 22, ..ACT },
    Verb { english: "sell", past: "sold", stem: "팔", objects: GOODS, places: SHOPS, weight: 12, ..ACT },
    Verb { english: "buy", past: "bought", stem: "사", objects: "house car", places: "Seoul Busan village", weight: 4, ..ACT },
    Verb { english: "sell", past: "sold", stem: "팔", objects: "house car", places: "Seoul Busan village", weight: 4, ..ACT },
    Verb { english: "drink", past: "drank", stem: "마시", honorific: "드시", objects: "tea coffee water milk juice",
        animals: "water milk", places: "cafe kitchen restaurant garden home office", manners: "slowly quickly",
        weight: 24, ..ACT },
    Verb { english: "eat", past: "ate", stem: "먹", honorific: "드시",
        objects: "apple orange banana potato egg cake bread rice soup", animals: "apple banana potato bread",
        places: "kitchen restaurant park garden home cafe", manners: "slowly quickly quietly", weight: 26, ..ACT },
    Verb { english: "make", past: "made", stem: "만들", objects: "chair desk table box bag cake soup bread juice \
        movie dress", places: "home room village", manners: "carefully quickly", ..ACT },
    Verb { english: "watch", past: "watched", stem: "보", objects: "movie bird child dog train",
        places: "park home theater station village", manners: "quietly", ..ACT },
    Verb { english: "see", past: "saw", stem: "보", flow: Flow::Moment, objects: "bird dog cat horse doctor singer \
        teacher child car picture house", places: "park market station beach village museum", ..ACT },
    Verb { english: "meet", past: "met", stem: "만나", flow: Flow::Moment, objects: PEOPLE,
        places: "park library market school cafe restaurant hospital station theater Seoul London", weight: 14, ..ACT },
    Verb { english: "help", past: "helped", stem: "돕", class: Class::Bieup, objects: PEOPLE,
        places: "hospital school station market village kitchen office", manners: "quietly", weight: 12, ..ACT },
    Verb { english: "wait for", past: "waited for", stem: "기다리",
        objects: "bus train student doctor child friend singer teacher letter",
        places: "station park cafe school hospital", manners: "quietly", ..ACT },
    Verb { english: "listen to", past: "listened to", stem: "듣", class: Class::Dieut, objects: "music song",
        places: "room home cafe park office", manners: "quietly", weight: 13, ..ACT },
    Verb { english: "like", past: "liked", stem: "좋아하", class: Class::Ha, flow: Flow::State,
        objects: "book movie song music tea coffee milk apple orange banana cake bread soup dog cat horse \
        flower history math teacher singer picture", animals: "milk water apple bread child", weight: 14, ..ACT },
    Verb { english: "look for", past: "looked for", stem: "찾",
        objects: "book letter bag umbrella key ball hat pencil ticket dog cat child doctor house",
        places: "park library room office station home", manners: "slowly carefully", weight: 12, ..ACT },
    Verb { english: "draw", past: "drew", stem: "그리", objects: "picture flower tree house bird horse cat",
        places: "park garden room classroom museum", manners: "slowly carefully", ..ACT },
    Verb { english: "carry", past: "carried", stem: "나르", class: Class::Reu,
        objects: "box desk chair table water bag", places: "station office school market garden",
        manners: "slowly quickly carefully", ..ACT },
    Verb { english: "open", past: "opened", stem: "열", flow: Flow::Moment, objects: "window door box bag",
        manners: "slowly quickly carefully quietly", weight: 9, ..ACT },
    Verb { english: "close", past: "closed", stem: "닫", flow: Flow::Moment, objects: "window door box",
        manners: "slowly quickly quietly", weight: 8, ..ACT },
    Verb { english: "wear", past: "wore", stem: "입", objects: "shirt coat dress", weight: 8, ..ACT },
    Verb { english: "wear", past: "wore", stem: "쓰", objects: "hat", weight: 3, ..ACT },
    Verb { english: "learn", past: "learned", stem: "배우", objects: SUBJECTS, places: "school library home Seoul London",
        manners: "quickly slowly", weight: 9, ..ACT },
    Verb { english: "study", past: "studied", stem: "공부하", class: Class::Ha, objects: SUBJECTS,
        places: "school library home room cafe", manners: "quietly", weight: 9, ..ACT },
    Verb { english: "borrow", past: "borrowed", stem: "빌리", flow: Flow::Moment,
        objects: "book novel umbrella bicycle car pencil pen knife chair",
        places: "school office village", weight: 9, ..ACT },
    Verb { english: "lose", past: "lost", stem: "잃어버리", flow: Flow::Moment,
        objects: "book letter bag umbrella key ball hat pencil ticket",
        places: "park market station beach theater", weight: 9, ..ACT },
    Verb { english: "sing", past: "sang", stem: "부르", class: Class::Reu, objects: "song",
        places: "park garden theater home school", manners: "quietly", weight: 7, ..ACT },
    Verb { english: "fix", past: "fixed", stem: "고치", objects: "bicycle car computer clock chair desk door window umbrella",
        places: "home office garden", manners: "quickly carefully", weight: 9, ..ACT },
    Verb { english: "build", past: "built", stem: "짓", class: Class::Siot, flow: Flow::Project, objects: "house",
        places: "village Seoul Busan", weight: 5, ..ACT },
    Verb { english: "pick up", past: "picked up", stem: "줍", class: Class::Bieup, objects: "ball pen key apple",
        places: "park garden beach station classroom", manners: "quickly slowly", weight: 8, ..ACT },
    // What is done alone.
    Verb { english: "go", past: "went", stem: "가", goals: TRIPS, weight: 26, ..ACT },
    Verb { english: "come", past: "came", stem: "오", goals: TRIPS, weight: 14, ..ACT },
    Verb { english: "walk", past: "walked", stem: "걷", class: Class::Dieut, animals: "-", places: OUTDOORS,
        manners: "slowly quickly quietly", weight: 9, ..ACT },
    Verb { english: "run", past: "ran", stem: "달리", animals: "-", places: OUTDOORS, manners: "quickly slowly", weight: 9, ..ACT },
    Verb { english: "sleep", past: "slept", stem: "자", honorific: "주무시", animals: "-", places: "home room garden train",
        manners: "quietly", weight: 10, ..ACT },
    Verb { english: "live", past: "lived", stem: "살", flow: Flow::State, goals: CITIES, weight: 8, ..ACT },
    Verb { english: "work", past: "worked", stem: "일하", class: Class::Ha,
        places: "hospital school library market office restaurant garden Seoul", manners: "quietly quickly", ..ACT },
    Verb { english: "rest", past: "rested", stem: "쉬", animals: "-", places: "home room garden park beach",
        manners: "quietly", ..ACT },
    Verb { english: "play", past: "played", stem: "놀", subjects: "student child girl boy friend", animals: "-",
        places: "park garden beach room school", manners: "quietly", weight: 9, ..ACT },
    Verb { english: "dance", past: "danced", stem: "춤을 추", places: "park theater beach room school", manners: "slowly", weight: 8, ..ACT },
    // What is given to somebody.
    Verb { english: "give", past: "gave", stem: "주", flow: Flow::Moment, objects: GIFTS, gives: true, weight: 16, ..ACT },
    Verb { english: "send", past: "sent", stem: "보내", flow: Flow::Moment, objects: GIFTS, gives: true, weight: 10, ..ACT },
    Verb { english: "show", past: "showed", stem: "보여 주", flow: Flow::Moment,
        objects: "book letter picture ticket house computer bicycle clock", gives: true, weight: 9, ..ACT },
];

/// "rain" and "snow", whose subject in Korean is what falls: 비가 오다, 눈이 오다.
pub static WEATHER: [Verb; 2] = [
    Verb {
        english: "rain",
        past: "rained",
        stem: "오",
        ..ACT
    },
    Verb {
        english: "snow",
        past: "snowed",
        stem: "오",
        ..ACT
    },
];
