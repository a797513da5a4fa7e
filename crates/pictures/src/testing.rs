//! What tests of pictures share.

/// The names of all elements of a document, in order.
///
/// # Panics
/// Where it is not well-formed: tags that do not match, attributes without quotes or twice in a tag, bare `<` or `&`.
pub fn elements(document: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = document;
    while let Some(begin) = rest.find('<') {
        check_text(&rest[..begin]);
        let end = rest[begin..].find('>').expect("a tag ends") + begin;
        let tag = &rest[begin + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "the innermost tag is closed");
        } else {
            let name = check_tag(tag.trim_end_matches('/'));
            names.push(name.clone());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(rest.trim().is_empty(), "nothing behind the last tag: {rest}");
    assert!(open.is_empty(), "all tags are closed: {open:?}");
    names
}

/// Checks the attributes of a tag and tells its name.
fn check_tag(tag: &str) -> String {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(!name.is_empty() && name.chars().all(char::is_alphanumeric), "<{tag}>");
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        let (attribute, value) = rest
            .trim_start()
            .split_once("=\"")
            .expect("an attribute has a quoted value");
        let (value, behind) = value.split_once('"').expect("a value ends");
        assert!(!value.contains('<'), "<{tag}>");
        check_text(value);
        assert!(!attributes.contains(&attribute), "{attribute} twice in <{tag}>");
        attributes.push(attribute);
        rest = behind;
    }
    name.to_owned()
}

/// Every ampersand begins an entity.
fn check_text(text: &str) {
    for (at, _) in text.match_indices('&') {
        let entity = &text[at + 1..];
        let known = ["lt;", "gt;", "amp;", "quot;", "apos;"];
        assert!(known.iter().any(|name| entity.starts_with(name)), "{text}");
    }
    assert!(text.chars().all(crate::theme::is_xml), "{text:?}");
}

#[test]
fn what_is_not_well_formed_is_found() {
    assert_eq!(elements("<a b=\"1\"><c/>&lt;</a>\n"), ["a", "c"]);
    for wrong in [
        "<a>",
        "<a></b>",
        "<a b=1/>",
        "<a b=\"1\" b=\"2\"/>",
        "<a>&</a>",
        "<a>\u{1}</a>",
    ] {
        assert!(std::panic::catch_unwind(|| elements(wrong)).is_err(), "{wrong}");
    }
}
