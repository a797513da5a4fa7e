//! Where, when, how and to whom something is said or done.

use crate::korean::Style;
use crate::lexicon::{Fixed, fixed};

/// A place: "in the park", "to the park"; 공원에서, 공원에.
#[derive(Debug)]
pub struct Place {
    pub english: &'static str,
    pub at: &'static str,
    /// "" where nobody goes "to" it.
    pub to: &'static str,
    pub korean: &'static str,
}

const fn place(english: &'static str, at: &'static str, to: &'static str, korean: &'static str) -> Place {
    Place {
        english,
        at,
        to,
        korean,
    }
}

/// Every place.
pub static PLACES: [Place; 23] = [
    place("park", "in the park", "to the park", "공원"),
    place("library", "in the library", "to the library", "도서관"),
    place("market", "at the market", "to the market", "시장"),
    place("school", "at school", "to school", "학교"),
    place("kitchen", "in the kitchen", "", "부엌"),
    place("garden", "in the garden", "", "정원"),
    place("cafe", "in the cafe", "to the cafe", "카페"),
    place("restaurant", "in the restaurant", "to the restaurant", "식당"),
    place("office", "in the office", "to the office", "사무실"),
    place("hospital", "in the hospital", "to the hospital", "병원"),
    place("station", "at the station", "to the station", "역"),
    place("classroom", "in the classroom", "", "교실"),
    place("home", "at home", "", "집"),
    place("room", "in the room", "", "방"),
    place("beach", "at the beach", "to the beach", "해변"),
    place("store", "in the store", "to the store", "가게"),
    place("theater", "in the theater", "to the theater", "극장"),
    place("museum", "in the museum", "to the museum", "박물관"),
    place("village", "in the village", "", "마을"),
    place("train", "on the train", "", "기차"),
    place("Seoul", "in Seoul", "to Seoul", "서울"),
    place("Busan", "in Busan", "to Busan", "부산"),
    place("London", "in London", "to London", "런던"),
];

/// Where a thing is: "on the desk", 책상 위에.
pub static RELATIONS: [Fixed; 5] = [
    fixed("on", "위에"),
    fixed("under", "아래에"),
    fixed("next to", "옆에"),
    fixed("behind", "뒤에"),
    fixed("in front of", "앞에"),
];

/// A time and the tenses that go with it.
#[derive(Debug)]
pub struct Time {
    pub english: &'static str,
    pub korean: &'static str,
    /// p past, n simple present, f future, g present progressive, d past progressive, m can or must, w wants, v wanted.
    pub tenses: &'static str,
}

const fn time(english: &'static str, korean: &'static str, tenses: &'static str) -> Time {
    Time {
        english,
        korean,
        tenses,
    }
}

/// Times of the day and of the week.
pub static TIMES: [Time; 17] = [
    time("yesterday", "어제", "pdv"),
    time("last night", "어젯밤에", "pd"),
    time("this morning", "오늘 아침에", "pdv"),
    time("tomorrow", "내일", "fmw"),
    time("tonight", "오늘 밤에", "fmw"),
    time("every day", "매일", "n"),
    time("every morning", "매일 아침", "n"),
    time("on weekends", "주말에", "n"),
    time("now", "지금", "gmw"),
    time("today", "오늘", "pfmw"),
    time("in the morning", "아침에", "pnf"),
    time("in the evening", "저녁에", "pnf"),
    time("at three o'clock", "세 시에", "pdf"),
    time("at seven o'clock", "일곱 시에", "pdf"),
    time("on Monday", "월요일에", "pfm"),
    time("on Friday", "금요일에", "pfm"),
    time("on Sunday", "일요일에", "pfm"),
];

/// Times that last long enough to build a house.
pub static TIMES_OF_CALENDAR: [Time; 4] = [
    time("last week", "지난주에", "p"),
    time("last year", "작년에", "pd"),
    time("next week", "다음 주에", "fm"),
    time("next year", "내년에", "fmw"),
];

/// How often; before the verb in English.
pub static FREQUENCIES: [Fixed; 4] = [
    fixed("often", "자주"),
    fixed("always", "항상"),
    fixed("sometimes", "가끔"),
    fixed("usually", "보통"),
];

/// How; right before the verb in Korean.
pub static MANNERS: [Fixed; 4] = [
    fixed("slowly", "천천히"),
    fixed("quickly", "빨리"),
    fixed("carefully", "조심스럽게"),
    fixed("quietly", "조용히"),
];

/// Means: "by bus", 버스로; "with a pencil", 연필로.
#[derive(Debug)]
pub struct Instrument {
    pub english: &'static str,
    pub korean: &'static str,
    pub verbs: &'static str,
}

/// Every means, and what is done with it.
pub static MEANS: [Instrument; 6] = [
    Instrument {
        english: "by bus",
        korean: "버스",
        verbs: "go come",
    },
    Instrument {
        english: "by train",
        korean: "기차",
        verbs: "go come",
    },
    Instrument {
        english: "by subway",
        korean: "지하철",
        verbs: "go come",
    },
    Instrument {
        english: "by bicycle",
        korean: "자전거",
        verbs: "go come",
    },
    Instrument {
        english: "with a pencil",
        korean: "연필",
        verbs: "write draw",
    },
    Instrument {
        english: "with a pen",
        korean: "펜",
        verbs: "write draw",
    },
];

/// Whom the speaker addresses, which decides how politely the sentence ends.
#[derive(Debug)]
pub struct Address {
    pub english: &'static str,
    pub korean: &'static str,
    pub style: Style,
    /// Whether questions are put to them.
    pub asked: bool,
}

/// Everybody who is addressed.
pub static ADDRESSES: [Address; 8] = [
    Address {
        english: "Sir",
        korean: "선생님",
        style: Style::Formal,
        asked: true,
    },
    Address {
        english: "Captain",
        korean: "선장님",
        style: Style::Formal,
        asked: true,
    },
    Address {
        english: "Professor",
        korean: "교수님",
        style: Style::Formal,
        asked: true,
    },
    Address {
        english: "Ladies and gentlemen",
        korean: "여러분",
        style: Style::Formal,
        asked: false,
    },
    Address {
        english: "Mom",
        korean: "엄마",
        style: Style::Polite,
        asked: true,
    },
    Address {
        english: "Dad",
        korean: "아빠",
        style: Style::Polite,
        asked: true,
    },
    Address {
        english: "Uncle",
        korean: "삼촌",
        style: Style::Polite,
        asked: true,
    },
    Address {
        english: "Auntie",
        korean: "이모",
        style: Style::Polite,
        asked: true,
    },
];
