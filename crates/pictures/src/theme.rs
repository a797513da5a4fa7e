//! What all pictures share: colours that follow the page, and the frame around the drawing.
//!
//! plotters writes fixed colours. A picture is therefore drawn with [`Ink`]s, each a number in the place of a colour, and
//! every one becomes a class afterwards. The style element inside the picture gives the classes their colours, those of
//! `prefers-color-scheme: dark` on a screen that asks for them and the light ones elsewhere, print included. The rules of
//! all pictures are the same and their names begin with `ember-`, so that many may be inlined in one page. There are no
//! ids; a `title` and a `desc` as first children name an image for screen readers without.
//!
//! Series differ in hue (after Okabe and Ito 2008, who chose colours that stay apart for the colour-blind; darkened or
//! lightened for contrast), and in dashes as well, for whoever prints in grey.

use std::fmt::Write;

/// Series that look different; one more begins again with the first colour and other dashes.
pub const SERIES: usize = 6;

/// Drawn this many times larger, because plotters' coordinates are whole numbers.
pub const UNITS_PER_PIXEL: f64 = 4.0;

/// Width of every picture, pixels.
pub const WIDTH: f64 = 720.0;

/// What a mark is, not which colour it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The background.
    Paper,
    /// Text.
    Text,
    /// The lines of axes.
    Axis,
    /// Grid lines.
    Grid,
    /// A series' line; colours and dashes go round by different numbers.
    Line { colour: usize, dash: usize },
    /// A series' markers.
    Mark(usize),
}

const LINES_FROM: usize = 16;
const MARKS_FROM: usize = LINES_FROM + SERIES * SERIES;
const LAST: usize = MARKS_FROM + SERIES;

/// Name, light and dark colour of each thing that is no series.
const PLAIN: [(&str, &str, &str, &str); 4] = [
    ("paper", "fill", "#ffffff", "#16191d"),
    ("text", "fill", "#1c2126", "#e4e7ea"),
    ("axis", "stroke", "#555b61", "#b9bfc6"),
    ("grid", "stroke", "#d5d9dd", "#3a4047"),
];

/// Light and dark colour of each series.
const HUES: [(&str, &str); SERIES] = [
    ("#0068a8", "#5ab4f0"),
    ("#c85000", "#ff9650"),
    ("#007f5f", "#33cfa4"),
    ("#a03c78", "#eb9bc8"),
    ("#806000", "#ead94c"),
    ("#555b61", "#b9bfc6"),
];

/// Dashes of each series, pixels on and off.
const DASHES: [&[u32]; SERIES] = [&[], &[7, 3], &[2, 2], &[9, 3, 2, 3], &[12, 3], &[4, 2, 1, 2, 1, 2]];

impl Ink {
    /// The line of a series by its place among the others.
    pub fn line(series: usize) -> Self {
        Self::Line {
            colour: series % SERIES,
            dash: (series + series / SERIES) % SERIES,
        }
    }

    /// The markers of a series by its place among the others.
    pub fn mark(series: usize) -> Self {
        Self::Mark(series % SERIES)
    }

    /// What stands for it in the drawing.
    pub fn sentinel(self) -> (u8, u8, u8) {
        (0, 0, self.number() as u8)
    }

    fn number(self) -> usize {
        match self {
            Self::Paper => 0,
            Self::Text => 1,
            Self::Axis => 2,
            Self::Grid => 3,
            Self::Line { colour, dash } => LINES_FROM + SERIES * colour + dash,
            Self::Mark(colour) => MARKS_FROM + colour,
        }
    }
}

/// The classes of the ink with a number; none where no ink has it.
fn classes(number: usize) -> Option<String> {
    match number {
        0..4 => Some(format!("ember-{}", PLAIN[number].0)),
        LINES_FROM..MARKS_FROM => {
            let (colour, dash) = ((number - LINES_FROM) / SERIES, (number - LINES_FROM) % SERIES);
            Some(format!("ember-line-{colour} ember-dash-{dash}"))
        }
        MARKS_FROM..LAST => Some(format!("ember-mark-{}", number - MARKS_FROM)),
        _ => None,
    }
}

/// The picture around what was drawn.
pub struct Frame<'a> {
    /// Read out by screen readers.
    pub title: &'a str,
    /// What is to be seen, in a sentence or two; read out as well.
    pub description: &'a str,
    /// Pixels; the width is [`WIDTH`].
    pub height: f64,
}

impl Frame<'_> {
    /// The whole SVG. `drawing` holds elements in [`UNITS_PER_PIXEL`] with sentinels.
    pub fn close(&self, drawing: &str) -> String {
        let mut drawing = drawing.replace(" opacity=\"1\"", "");
        for number in 0..LAST {
            let Some(classes) = classes(number) else { continue };
            for attribute in ["fill", "stroke"] {
                // Text cannot hold this: quotes are escaped there.
                let sentinel = format!("{attribute}=\"#0000{number:02X}\"");
                drawing = drawing.replace(&sentinel, &format!("class=\"{classes}\""));
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" class=\"ember-picture\">\n\
             <title>{}</title>\n<desc>{}</desc>\n<style>\n{}</style>\n<g transform=\"scale({})\">\n{drawing}</g>\n</svg>\n",
            self.height,
            escape(self.title),
            escape(self.description),
            style(),
            1.0 / UNITS_PER_PIXEL,
        )
    }
}

/// Rules for all inks, first the light ones, then what a dark screen changes.
fn style() -> String {
    let colours = |dark: bool| {
        let mut rules = String::new();
        for (name, property, light, night) in PLAIN {
            let _ = writeln!(
                rules,
                ".ember-{name}{{{property}:{}}}",
                if dark { night } else { light }
            );
        }
        for (series, (light, night)) in HUES.iter().enumerate() {
            let colour = if dark { night } else { light };
            let _ = writeln!(
                rules,
                ".ember-line-{series}{{stroke:{colour}}}.ember-mark-{series}{{fill:{colour}}}"
            );
        }
        rules
    };
    let mut rules = colours(false);
    for (series, dashes) in DASHES.iter().enumerate().filter(|(_, dashes)| !dashes.is_empty()) {
        let lengths: Vec<String> = dashes
            .iter()
            .map(|length| (f64::from(*length) * UNITS_PER_PIXEL).to_string())
            .collect();
        let _ = writeln!(rules, ".ember-dash-{series}{{stroke-dasharray:{}}}", lengths.join(" "));
    }
    rules + "@media screen and (prefers-color-scheme: dark){\n" + &colours(true) + "}\n"
}

/// Text as XML holds it; characters that XML cannot hold become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(if is_xml(other) { other } else { '\u{FFFD}' }),
        }
    }
    escaped
}

/// Whether XML 1.0 allows a character (section 2.2 of its recommendation).
pub fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_have_sentinels_of_their_own() {
        let mut inks = vec![Ink::Paper, Ink::Text, Ink::Axis, Ink::Grid];
        inks.extend((0..SERIES * SERIES).map(Ink::line));
        inks.extend((0..SERIES).map(Ink::mark));
        let mut sentinels: Vec<_> = inks.iter().map(|ink| ink.sentinel()).collect();
        sentinels.sort_unstable();
        sentinels.dedup();
        assert_eq!(sentinels.len(), inks.len(), "and all series look different");
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            escape("a<b> & \"c\"\u{1}\u{FFFF}"),
            "a&lt;b&gt; &amp; &quot;c&quot;\u{FFFD}\u{FFFD}"
        );
    }
}
