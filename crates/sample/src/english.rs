//! English inflection, by rule, with the exceptions that the lexicon needs.

/// Person and number of a subject, as far as English verbs tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// I.
    FirstSingular,
    /// he, she, it and every singular noun.
    ThirdSingular,
    /// we, they and every plural noun.
    Plural,
}

/// The article in front of a word: an apple, a pear.
#[must_use]
pub fn with_article(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u', 'E']);
    format!("{} {word}", if vowel { "an" } else { "a" })
}

/// The plural of a noun.
#[must_use]
pub fn plural(noun: &str) -> String {
    match noun {
        "man" => "men".to_owned(),
        "woman" => "women".to_owned(),
        "child" => "children".to_owned(),
        "knife" => "knives".to_owned(),
        "potato" => "potatoes".to_owned(),
        _ => third_person(noun),
    }
}

/// The third person singular of a verb; of "look for" the first word changes.
#[must_use]
pub fn third_person(verb: &str) -> String {
    let (head, rest) = split(verb);
    let changed = if let Some(root) = consonant_y(head) {
        format!("{root}ies")
    } else if ["s", "sh", "ch", "x", "o"].iter().any(|end| head.ends_with(end)) && head != "piano" && head != "photo" {
        format!("{head}es")
    } else {
        format!("{head}s")
    };
    changed + rest
}

/// The present participle of a verb.
#[must_use]
pub fn participle(verb: &str) -> String {
    let (head, rest) = split(verb);
    let root = match head {
        "run" => "runn",
        "sit" => "sitt",
        "swim" => "swimm",
        _ if head.ends_with("ee") => head,
        _ => head.strip_suffix('e').unwrap_or(head),
    };
    format!("{root}ing{rest}")
}

/// "be" in the present and in the past.
#[must_use]
pub fn be(agreement: Agreement, past: bool) -> &'static str {
    match (agreement, past) {
        (Agreement::FirstSingular, false) => "am",
        (Agreement::ThirdSingular, false) => "is",
        (Agreement::Plural, false) => "are",
        (Agreement::Plural, true) => "were",
        (_, true) => "was",
    }
}

/// The sentence with a capital first letter.
#[must_use]
pub fn capitalized(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn split(verb: &str) -> (&str, &str) {
    verb.split_at(verb.find(' ').unwrap_or(verb.len()))
}

fn consonant_y(word: &str) -> Option<&str> {
    word.strip_suffix('y')
        .filter(|root| !root.ends_with(['a', 'e', 'i', 'o', 'u']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles() {
        assert_eq!(
            [with_article("old book"), with_article("pear"), with_article("umbrella")],
            ["an old book", "a pear", "an umbrella"]
        );
    }

    #[test]
    fn plurals() {
        assert_eq!(
            ["box", "diary", "boy", "child", "potato", "photo", "watch"].map(plural),
            ["boxes", "diaries", "boys", "children", "potatoes", "photos", "watches"]
        );
    }

    #[test]
    fn verbs() {
        assert_eq!(
            ["read", "wash", "carry", "play", "go", "look for"].map(third_person),
            ["reads", "washes", "carries", "plays", "goes", "looks for"]
        );
        assert_eq!(
            ["read", "write", "sit", "see", "listen to"].map(participle),
            ["reading", "writing", "sitting", "seeing", "listening to"]
        );
    }
}
