use super::*;

const HOSTILE: [&str; 6] = [
    "</script>",
    "<!-- <script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "a\u{2028}b & c\\",
    "겁",
];

fn sentence() -> Sentence {
    let tokens = || HOSTILE.map(String::from).to_vec();
    let count = HOSTILE.len();
    let mut map = vec![vec![0.0; count]; count];
    map[0][1] = 0.123_456;
    map[0][2] = f32::NAN;
    map[1][0] = 1.0;
    Sentence {
        title: "1: </option><script>alert(1)</script>".into(),
        texts: vec![("source".into(), HOSTILE.concat())],
        kinds: vec![MapKind {
            name: "cross-attention".into(),
            note: "rows are queries".into(),
            queries: tokens(),
            keys: tokens(),
            layers: vec![vec![map.clone(), map]; 3],
        }],
    }
}

/// The JSON of the page's only viewer.
fn data(html: &str) -> Value {
    let (_, rest) = html
        .split_once("<script type=\"application/json\">")
        .expect("a data element");
    let (data, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(data).expect("JSON")
}

#[test]
fn no_token_can_leave_its_place() {
    let html = attention_page("a <b>", "c </p><script>", vec![sentence()]).to_html();
    assert_eq!(html.matches("<script").count(), 2, "the data and the script");
    assert_eq!(html.matches("</script").count(), 2);
    for text in ["<img", "<!-- <script", "\" onmouseover=\"", "</option>"] {
        assert!(!html.contains(text), "{text}");
    }
    let data = data(&html);
    let kind = &data[0]["kinds"][0];
    for side in ["queries", "keys"] {
        assert_eq!(kind[side], json!(HOSTILE));
    }
    assert_eq!(data[0]["title"], sentence().title);
    assert_eq!(data[0]["texts"], json!([["source", HOSTILE.concat()]]));
}

#[test]
fn weights_are_whole_ten_thousandths() {
    let data = data(&attention_page("", "", vec![sentence()]).to_html());
    let layers = data[0]["kinds"][0]["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 3);
    let map = layers[2][1].as_array().expect("a map");
    assert_eq!(map.len(), HOSTILE.len() * HOSTILE.len());
    assert_eq!(map[..3], [json!(0), json!(1235), Value::Null]);
    assert_eq!(map[HOSTILE.len()], 10_000);
}

#[test]
fn the_number_of_weights_is_known_before_they_are_written() {
    assert_eq!(sentence().kinds[0].weights(), 3 * 2 * HOSTILE.len() * HOSTILE.len());
}

#[test]
fn nothing_is_fetched_and_a_reader_without_scripts_is_told() {
    let html = attention_page("maps", "", vec![]).to_html();
    assert!(html.contains("default-src 'none'"));
    for text in ["http://", "https://", "@import", "url(", " src=", "fetch("] {
        assert!(!html.contains(text), "{text}");
    }
    assert!(html.contains("<noscript>") && html.contains("allow JavaScript"));
}
