//! Attention page and report in a real browser; skipped where there is none.

mod common;

use common::Workplace;
use common::browser::{Browser, Screen};
use serde_json::{Value, json};

/// Half a unit of the last digit shown, and what f32 adds.
const ROUNDING: f64 = 0.5e-4 + 1e-6;

const SCREENS: [Screen; 4] = [
    Screen {
        width: 390,
        dark: false,
    },
    Screen { width: 390, dark: true },
    Screen {
        width: 1280,
        dark: false,
    },
    Screen {
        width: 1280,
        dark: true,
    },
];

/// A word that would do harm if a page took it for markup.
const HOSTILE: &str = "</script><img/src=x/onerror=alert(1)>";

/// A small run with two decoder layers.
fn trained() -> Workplace {
    let work = Workplace::new();
    work.train("run", &["--set", "model.decoder_layers=2"]).ok();
    work
}

/// The same for whole words, one of them hostile.
fn trained_on_hostile_words() -> Workplace {
    let work = Workplace::new();
    for name in [
        "train.src",
        "train.tgt",
        "valid.src",
        "valid.tgt",
        "test.src",
        "test.tgt",
    ] {
        work.write(name, work.read(name).replace("a0", HOSTILE));
    }
    let settings = ["--set", "model.decoder_layers=2", "--set", "tokenizer.kind=words"];
    work.train("run", &settings).ok();
    work
}

/// Translates lines with their attention into `maps.html` and `maps.json`; the latter is returned.
fn translate(work: &Workplace, input: &str) -> Value {
    work.write("input", input);
    for file in ["maps.html", "maps.json"] {
        let command = [
            "translate",
            "runs/run",
            "input",
            "--device",
            "flex",
            "--attention",
            file,
        ];
        work.run(&command).ok();
    }
    serde_json::from_str(&work.read("maps.json")).expect("JSON")
}

#[test]
fn the_attention_page_shows_the_numbers_of_the_json() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained_on_hostile_words();
    let maps = translate(&work, &format!("a1 b2 c3\n\n{HOSTILE} d4 \u{2028}{HOSTILE}\n"));
    let pieces = maps["lines"][2]["source"].as_array().expect("pieces");
    assert!(pieces.contains(&HOSTILE.into()), "{pieces:?}");
    browser.open(&work.path("maps.html"));
    assert_eq!(options(&mut browser, "sentence").len(), 3);
    compare(&mut browser, 0, &maps["lines"][0]);
    compare(&mut browser, 2, &maps["lines"][2]);

    choose(&mut browser, "sentence", "1");
    assert_eq!(browser.evaluate("document.querySelectorAll('.map table').length"), 0);
    let status = browser.evaluate("document.querySelector('.status').textContent");
    assert_eq!(status, "No maps were kept for this sentence.");
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn cells_are_reached_by_keys() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained();
    let maps = translate(&work, "a1 b2 c3 d4\n");
    browser.open(&work.path("maps.html"));
    choose(&mut browser, "kind", "1");
    choose(&mut browser, "head", "1");
    let line = &maps["lines"][0];
    let source = line["source"].as_array().expect("pieces");
    let last = source.len() - 1;
    browser.evaluate("document.querySelector('.cell').focus()");
    for (key, [row, column]) in [
        ("ArrowRight", [0, 1]),
        ("ArrowDown", [1, 1]),
        ("ArrowUp", [0, 1]),
        ("ArrowUp", [0, 1]),
        ("End", [0, last]),
        ("ArrowRight", [0, last]),
        ("ArrowDown", [1, last]),
        ("ArrowLeft", [1, last - 1]),
        ("Home", [1, 0]),
        ("ArrowLeft", [1, 0]),
    ] {
        browser.press(key);
        let weight = line["encoder"][0][1][row][column].as_f64().expect("a weight");
        let told = browser.evaluate("document.querySelector('.readout').textContent");
        let told = told.as_str().expect("text").to_owned();
        let (pieces, number) = told.rsplit_once(": ").expect("a number at the end");
        let text = |piece: &Value| piece.as_str().expect("a piece").to_owned();
        assert_eq!(
            pieces,
            format!("{} → {}", text(&source[row]), text(&source[column])),
            "{key}"
        );
        let number: f64 = number.parse().expect("a number");
        assert!((number - weight).abs() < ROUNDING, "{key}: {told} instead of {weight}");
        let focused = "document.activeElement.title + document.querySelectorAll('.cell[tabindex=\"0\"]').length";
        assert_eq!(browser.evaluate(focused), format!("{told}1"), "{key}");
    }
}

#[test]
fn a_cell_that_is_reached_by_keys_is_in_sight() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained();
    translate(&work, "a1 b2 c3 d4 e0 f1 a2 b3 c4 d0 e1 f2\n");
    browser.open(&work.path("maps.html"));
    browser.show_on(SCREENS[0]);
    browser.evaluate("document.querySelector('.cell').focus()");
    let sight = "(() => {
        const box = document.querySelector('.map').getBoundingClientRect();
        const heads = document.querySelector('.map thead td').getBoundingClientRect();
        const cell = document.activeElement.getBoundingClientRect();
        const seen = cell.left >= heads.right && cell.right <= box.right && cell.top >= heads.bottom && cell.bottom <= box.bottom;
        return seen ? 'seen' : JSON.stringify({ box, heads, cell });
    })()";
    let scrolled = "document.querySelector('.map').scrollLeft > 0";
    browser.press("End");
    assert_eq!(browser.evaluate(scrolled), true, "the map is wider than a phone");
    for key in ["End"].into_iter().chain(["ArrowLeft"; 12]).chain(["Home"]) {
        browser.press(key);
        assert_eq!(browser.evaluate(sight), "seen", "{key}");
    }
    assert_eq!(browser.evaluate(scrolled), false);
}

#[test]
fn a_screen_reader_finds_heads_and_numbers() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained();
    let maps = translate(&work, "a1 b2 c3\n");
    browser.open(&work.path("maps.html"));
    choose(&mut browser, "head", "0");
    let line = &maps["lines"][0];
    let nodes = accessible(&mut browser);
    let names = |role: &str| {
        let nodes = nodes.iter().filter(|node| node["role"]["value"] == role);
        nodes.map(|node| node["name"]["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("grid"), ["cross-attention, layer 2, head 1"]);
    assert_eq!(Value::Array(names("columnheader")), line["source"]);
    assert_eq!(Value::Array(names("rowheader")), line["target"]);
    assert_eq!(names("combobox"), ["sentence", "kind", "layer", "head"]);
    assert_eq!(names("checkbox"), ["show numbers", "colours from 0 to 1"]);
    let cells = names("gridcell");
    let weights = flat(&line["weights"][1][0]);
    assert_eq!(cells.len(), weights.len() + 1, "one in the corner");
    for (cell, weight) in cells[1..].iter().zip(weights) {
        let number: f64 = cell.as_str().and_then(|text| text.parse().ok()).expect("a number");
        assert!((number - weight).abs() < ROUNDING, "{number}, not {weight}");
    }
}

#[test]
fn colours_reach_to_the_greatest_weight_or_to_1() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained();
    let maps = translate(&work, "a1 b2 c3\n");
    browser.open(&work.path("maps.html"));
    choose(&mut browser, "head", "0");
    let weights = flat(&maps["lines"][0]["weights"][1][0]);
    let greatest = weights.iter().copied().fold(0.0, f64::max);
    let shares =
        "[...document.querySelectorAll('.cell')].map((cell) => Number(cell.style.getPropertyValue('--share')))";
    for most in [greatest, 1.0] {
        let found = flat(&browser.evaluate(shares));
        assert_eq!(found.len(), weights.len());
        for (found, weight) in found.iter().zip(&weights) {
            assert!(
                (found - weight / most).abs() < 4.0 * ROUNDING / most,
                "{found}, not {weight} of {most}"
            );
        }
        let legend = browser.evaluate("document.querySelector('.most').textContent");
        let number = legend
            .as_str()
            .and_then(|text| text.split(',').next()?.parse::<f64>().ok());
        assert!((number.expect("a number") - most).abs() < ROUNDING, "{legend}");
        browser.evaluate("document.querySelector('input[name=absolute]').click()");
    }
}

#[test]
fn a_reader_without_scripts_is_told() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained();
    translate(&work, "a1 b2 c3\n");
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.open(&work.path("maps.html"));
    let text = browser.evaluate("document.body.innerText");
    let text = text.as_str().expect("text");
    assert!(text.contains("allow JavaScript to see them"), "{text}");
    assert!(!text.contains("show numbers"), "no controls that do nothing: {text}");
}

#[test]
fn the_report_shows_the_run() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained();
    work.run(&["plot", "runs/run"]).ok();
    browser.open(&work.path("runs/run/report.html"));
    assert_eq!(browser.evaluate("document.querySelectorAll('figure svg').length"), 5);
    let validations = work.read("runs/run/validations.tsv");
    let rows = "[...document.querySelectorAll('section')].find((section) => section.textContent.startsWith('\\nValidations'))\
                .querySelectorAll('tbody tr').length";
    assert_eq!(browser.evaluate(rows), validations.lines().count() - 1);

    let sentences = options(&mut browser, "sentence");
    assert_eq!(sentences.len(), 6);
    let source = work.read("test.src");
    let line = |title: &String| {
        let number = title.split(':').next().and_then(|text| text.parse::<usize>().ok());
        source
            .lines()
            .nth(number.expect("a line's number") - 1)
            .expect("a line")
    };
    let input: Vec<&str> = sentences.iter().map(line).collect();
    let maps = translate(&work, &(input.join("\n") + "\n"));
    for index in [0, 5] {
        compare(&mut browser, index, &maps["lines"][index]);
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn both_pages_fit_phone_and_desk_by_day_and_night() {
    let Some(mut browser) = Browser::start() else { return };
    let work = trained();
    translate(&work, "a1 b2 c3 d4 e0 f1 a2 b3 c4 d0 e1 f2\n");
    work.run(&["plot", "runs/run"]).ok();
    for (name, file) in [("attention", "maps.html"), ("report", "runs/run/report.html")] {
        browser.open(&work.path(file));
        browser.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })");
        browser.evaluate("document.querySelector('input[name=numbers]').click()");
        let shots = SCREENS.map(|screen| looks_right(&mut browser, name, screen));
        for (light, dark) in [(0, 1), (2, 3)] {
            assert_ne!(shots[light], shots[dark], "{name}: light and dark");
        }
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

/// Nothing sticks out at the side, all text has contrast. Returns the screenshot, and leaves it where builds go.
fn looks_right(browser: &mut Browser, name: &str, screen: Screen) -> Vec<u8> {
    browser.show_on(screen);
    let width = browser.evaluate("document.documentElement.scrollWidth").as_u64();
    assert!(
        width.is_some_and(|width| width <= screen.width.into()),
        "{name} on {screen:?}: {width:?} wide"
    );
    let contrast = browser.evaluate(include_str!("common/contrast.js"));
    assert_eq!(contrast["low"], json!([]), "{name} on {screen:?}");
    assert!(contrast["checked"].as_u64() > Some(100), "{contrast}");

    let shot = browser.screenshot();
    assert_eq!(shot[1..4], *b"PNG");
    assert_eq!(shot[16..20], screen.width.to_be_bytes(), "{name} on {screen:?}");
    let scheme = if screen.dark { "dark" } else { "light" };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join(format!("{name}-{}-{scheme}.png", screen.width)), &shot).expect("a picture");
    shot
}

/// Compares every map of a sentence, and the mean of heads, with the same of the JSON.
fn compare(browser: &mut Browser, sentence: usize, line: &Value) {
    choose(browser, "sentence", &sentence.to_string());
    let (source, target) = (&line["source"], &line["target"]);
    let mut read = vec![json!("<s>")];
    read.extend_from_slice(target.as_array().expect("pieces"));
    read.pop();
    let read = Value::Array(read);
    let kinds = [
        ("weights", target, source),
        ("encoder", source, source),
        ("decoder", &read, &read),
    ];
    for (number, (kind, queries, keys)) in kinds.into_iter().enumerate() {
        choose(browser, "kind", &number.to_string());
        let layers = line[kind].as_array().expect("layers");
        assert_eq!(options(browser, "layer").len(), layers.len(), "{kind}");
        for (layer, heads) in layers.iter().enumerate() {
            choose(browser, "layer", &layer.to_string());
            let heads: Vec<Vec<f64>> = heads.as_array().expect("heads").iter().map(flat).collect();
            assert_eq!(options(browser, "head").len(), heads.len() + 1);
            let mean =
                (0..heads[0].len()).map(|cell| heads.iter().map(|head| head[cell]).sum::<f64>() / heads.len() as f64);
            let named = heads
                .iter()
                .enumerate()
                .map(|(head, map)| (head.to_string(), map.clone()));
            for (head, expected) in named.chain([("mean".to_owned(), mean.collect())]) {
                choose(browser, "head", &head);
                let shown = shown_map(browser);
                assert_eq!((&shown["queries"], &shown["keys"]), (queries, keys), "{kind}");
                let found = shown["cells"].as_array().expect("cells");
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    let found: f64 = found.as_str().and_then(|text| text.parse().ok()).expect("a number");
                    // Heads are rounded before their mean is taken, and the mean once more.
                    let tolerance = if head == "mean" { 2.0 * ROUNDING } else { ROUNDING };
                    assert!(
                        (found - expected).abs() < tolerance,
                        "{kind} {layer} {head}: {found}, not {expected}"
                    );
                }
            }
        }
    }
}

/// What assistive technology sees of the page, in the order of the document.
fn accessible(browser: &mut Browser) -> Vec<Value> {
    let mut tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let Value::Array(nodes) = tree["nodes"].take() else {
        panic!("no tree: {tree}")
    };
    let mut waiting = vec![nodes[0]["nodeId"].clone()];
    let mut ordered = Vec::new();
    while let Some(id) = waiting.pop() {
        // The boxes of lines of text are named by their parents, but not listed.
        let Some(node) = nodes.iter().find(|node| node["nodeId"] == id) else {
            continue;
        };
        waiting.extend(node["childIds"].as_array().into_iter().flatten().rev().cloned());
        ordered.push(node.clone());
    }
    ordered
}

/// The numbers of nested lists, in order.
fn flat(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().flat_map(flat).collect(),
        None => vec![value.as_f64().expect("a number")],
    }
}

/// The heads and numbers of the table, as they are read out.
fn shown_map(browser: &mut Browser) -> Value {
    browser.evaluate(
        "(() => {
            const texts = (selector) => [...document.querySelectorAll(`.map ${selector}`)].map((node) => node.textContent);
            return { keys: texts('th[scope=col]'), queries: texts('th[scope=row]'), cells: texts('td.cell') };
        })()",
    )
}

fn options(browser: &mut Browser, select: &str) -> Vec<String> {
    let texts = format!("[...document.querySelector('select[name={select}]').options].map((option) => option.text)");
    let texts = browser.evaluate(&texts);
    let texts = texts.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("text").to_owned()).collect()
}

/// Chooses an option as a user does, so that the page is told.
fn choose(browser: &mut Browser, select: &str, value: &str) {
    let chosen = browser.evaluate(&format!(
        "(() => {{
            const select = document.querySelector('select[name={select}]');
            select.value = '{value}';
            select.dispatchEvent(new Event('change', {{ bubbles: true }}));
            return select.value;
        }})()"
    ));
    assert_eq!(chosen, value, "{select}");
}
