//! Nouns, names and the measures of what cannot be counted.

/// What a noun stands for, as far as grammar cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Counted with 명; 들 in the plural.
    Person,
    /// Counted with 분; the verb honours this subject.
    Elder,
    /// Counted with 마리; 들 in the plural.
    Animal,
    /// Counted with a counter of its own; no plural ending.
    Thing,
    /// Not counted.
    Mass,
    /// The weather and what it brings: 비, 눈, 날씨.
    Weather,
}

/// A noun in both languages.
#[derive(Debug)]
pub struct Noun {
    pub english: &'static str,
    pub korean: &'static str,
    pub counter: &'static str,
    pub role: Role,
}

impl Noun {
    /// Whether the verb honours this subject.
    #[must_use]
    pub fn is_elder(&self) -> bool {
        self.role == Role::Elder
    }

    /// Whether English refers to it with "who".
    #[must_use]
    pub fn is_human(&self) -> bool {
        matches!(self.role, Role::Person | Role::Elder)
    }
}

const fn noun(english: &'static str, korean: &'static str, counter: &'static str, role: Role) -> Noun {
    Noun {
        english,
        korean,
        counter,
        role,
    }
}

const fn person(english: &'static str, korean: &'static str) -> Noun {
    noun(english, korean, "명", Role::Person)
}

const fn elder(english: &'static str, korean: &'static str) -> Noun {
    noun(english, korean, "분", Role::Elder)
}

const fn animal(english: &'static str, korean: &'static str) -> Noun {
    noun(english, korean, "마리", Role::Animal)
}

const fn thing(english: &'static str, korean: &'static str, counter: &'static str) -> Noun {
    noun(english, korean, counter, Role::Thing)
}

const fn mass(english: &'static str, korean: &'static str) -> Noun {
    noun(english, korean, "", Role::Mass)
}

/// People who are called by their name, without an article.
pub static NAMES: [Noun; 10] = [
    person("Minji", "민지"),
    person("Junho", "준호"),
    person("Sujin", "수진"),
    person("Jiyoung", "지영"),
    person("Minsu", "민수"),
    person("Anna", "안나"),
    person("Tom", "톰"),
    person("Peter", "피터"),
    elder("Grandmother", "할머니"),
    elder("Grandfather", "할아버지"),
];

/// Every noun that takes an article or a numeral, and the mass nouns.
pub static NOUNS: [Noun; 74] = [
    person("student", "학생"),
    person("doctor", "의사"),
    person("nurse", "간호사"),
    person("child", "아이"),
    person("woman", "여자"),
    person("man", "남자"),
    person("friend", "친구"),
    person("farmer", "농부"),
    person("singer", "가수"),
    person("writer", "작가"),
    person("chef", "요리사"),
    person("painter", "화가"),
    person("girl", "소녀"),
    person("boy", "소년"),
    elder("teacher", "선생님"),
    animal("dog", "개"),
    animal("cat", "고양이"),
    animal("bird", "새"),
    animal("horse", "말"),
    thing("book", "책", "권"),
    thing("novel", "소설", "권"),
    thing("newspaper", "신문", "부"),
    thing("letter", "편지", "통"),
    thing("poem", "시", "편"),
    thing("song", "노래", "곡"),
    thing("movie", "영화", "편"),
    thing("apple", "사과", "개"),
    thing("orange", "오렌지", "개"),
    thing("banana", "바나나", "개"),
    thing("potato", "감자", "개"),
    thing("egg", "달걀", "개"),
    thing("cake", "케이크", "개"),
    thing("chair", "의자", "개"),
    thing("desk", "책상", "개"),
    thing("table", "탁자", "개"),
    thing("box", "상자", "개"),
    thing("bag", "가방", "개"),
    thing("umbrella", "우산", "개"),
    thing("clock", "시계", "개"),
    thing("key", "열쇠", "개"),
    thing("ball", "공", "개"),
    thing("window", "창문", "개"),
    thing("door", "문", "개"),
    thing("hat", "모자", "개"),
    thing("shirt", "셔츠", "벌"),
    thing("coat", "코트", "벌"),
    thing("dress", "원피스", "벌"),
    thing("pencil", "연필", "자루"),
    thing("pen", "펜", "자루"),
    thing("knife", "칼", "자루"),
    thing("picture", "그림", "점"),
    thing("ticket", "표", "장"),
    thing("flower", "꽃", "송이"),
    thing("tree", "나무", "그루"),
    thing("house", "집", "채"),
    thing("bicycle", "자전거", "대"),
    thing("car", "자동차", "대"),
    thing("computer", "컴퓨터", "대"),
    thing("bus", "버스", "대"),
    thing("train", "기차", "대"),
    mass("tea", "차"),
    mass("coffee", "커피"),
    mass("water", "물"),
    mass("milk", "우유"),
    mass("juice", "주스"),
    mass("bread", "빵"),
    mass("rice", "밥"),
    mass("soup", "수프"),
    mass("music", "음악"),
    mass("Korean", "한국어"),
    mass("English", "영어"),
    mass("history", "역사"),
    mass("math", "수학"),
    noun("weather", "날씨", "", Role::Weather),
];

/// What falls from the sky; "it" in English.
pub static FALLING: [Noun; 2] = [noun("it", "비", "", Role::Weather), noun("it", "눈", "", Role::Weather)];

/// "two cups of tea": 차 두 잔.
#[derive(Debug)]
pub struct Measure {
    pub english: &'static str,
    pub counter: &'static str,
    pub nouns: &'static str,
}

/// How each mass noun is measured out.
pub static MEASURES: [Measure; 5] = [
    Measure {
        english: "cup",
        counter: "잔",
        nouns: "tea coffee",
    },
    Measure {
        english: "glass",
        counter: "잔",
        nouns: "water milk juice",
    },
    Measure {
        english: "bottle",
        counter: "병",
        nouns: "water milk juice",
    },
    Measure {
        english: "slice",
        counter: "조각",
        nouns: "bread",
    },
    Measure {
        english: "bowl",
        counter: "그릇",
        nouns: "rice soup",
    },
];
