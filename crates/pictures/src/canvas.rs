//! Lines, shapes and text in pixels, by plotters' SVG backend.
//!
//! plotters is built without fonts, so that widths of text are estimates: close for Latin text in a common sans-serif,
//! generous for wide scripts.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, FontTransform, IntoFont, RGBColor, ShapeStyle};

use crate::theme::{Frame, Ink, UNITS_PER_PIXEL, WIDTH, is_xml};

/// Size of ordinary text, pixels.
pub const TEXT: f64 = 12.0;

/// plotters divides font sizes by this.
const FONT_SCALE: f64 = 1.24;

/// A point, pixels from the top left corner.
pub type Point = (f64, f64);

/// Where text stands from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The point is at the middle of the left edge.
    Left,
    /// The point is at the middle of the right edge.
    Right,
    /// The point is the middle.
    Middle,
    /// Turned to be read from below, the point at its upper end.
    TurnedEnd,
    /// Turned to be read from below, the point is the middle.
    TurnedMiddle,
}

/// A drawing that grows.
pub struct Canvas {
    elements: String,
    height: f64,
}

impl Canvas {
    /// Of a height in pixels, with its background.
    pub fn new(height: f64) -> Self {
        let mut canvas = Self {
            elements: String::new(),
            height,
        };
        canvas.rectangle((0.0, 0.0), (WIDTH, height), Ink::Paper);
        canvas
    }

    /// The whole SVG.
    pub fn finish(self, title: &str, description: &str) -> String {
        let frame = Frame {
            title,
            description,
            height: self.height,
        };
        frame.close(&self.elements)
    }

    /// Elements written by hand, in [`UNITS_PER_PIXEL`].
    pub fn raw(&mut self, elements: &str) {
        self.elements.push_str(elements);
    }

    /// A straight line.
    pub fn line(&mut self, from: Point, to: Point, width: f64, ink: Ink) {
        self.path(&[from, to], width, ink);
    }

    /// A line through points.
    pub fn path(&mut self, points: &[Point], width: f64, ink: Ink) {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        self.draw(|backend| backend.draw_path(points, &pen(ink, width)));
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[Point], ink: Ink) {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        self.draw(|backend| backend.fill_polygon(points, &pen(ink, 0.0)));
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: Point, to: Point, ink: Ink) {
        let pen = pen(ink, 0.0);
        self.draw(|backend| backend.draw_rect(units(from), units(to), &pen, true));
    }

    /// Text of [`TEXT`] pixels.
    pub fn text(&mut self, text: &str, at: Point, anchor: Anchor) {
        self.write(text, at, anchor, (TEXT, FontStyle::Normal));
    }

    /// The picture's title, at the top left.
    pub fn title(&mut self, text: &str) {
        let fitting = shorten(text, WIDTH - 24.0, TEXT + 3.0);
        self.write(&fitting, (12.0, 18.0), Anchor::Left, (TEXT + 2.0, FontStyle::Bold));
    }

    fn write(&mut self, text: &str, at: Point, anchor: Anchor, (size, weight): (f64, FontStyle)) {
        let (horizontal, transform) = match anchor {
            Anchor::Left => (HPos::Left, FontTransform::None),
            Anchor::Right => (HPos::Right, FontTransform::None),
            Anchor::Middle => (HPos::Center, FontTransform::None),
            Anchor::TurnedEnd => (HPos::Right, FontTransform::Rotate270),
            Anchor::TurnedMiddle => (HPos::Center, FontTransform::Rotate270),
        };
        let style = (FontFamily::SansSerif, size * UNITS_PER_PIXEL * FONT_SCALE, weight)
            .into_font()
            .transform(transform)
            .color(&sentinel(Ink::Text))
            .pos(Pos::new(horizontal, VPos::Center));
        let text: String = text
            .chars()
            .map(|character| if is_xml(character) { character } else { '\u{FFFD}' })
            .collect();
        self.draw(|backend| backend.draw_text(&text, &style, units(at)));
    }

    /// Adds what plotters writes for one element.
    fn draw<E>(&mut self, element: impl FnOnce(&mut SVGBackend) -> Result<(), E>) {
        let mut written = String::new();
        let mut backend = SVGBackend::with_string(&mut written, (1, 1));
        let drawn = element(&mut backend);
        assert!(drawn.is_ok(), "a string takes whatever is written");
        drop(backend);
        // A backend writes the outer tags of a whole document as well; the frame has its own.
        let begin = written.find(">\n").map_or(0, |end| end + 2);
        self.elements.push_str(written[begin..].trim_end_matches("</svg>\n"));
    }
}

/// An ink as plotters' colour.
fn sentinel(ink: Ink) -> RGBColor {
    let (red, green, blue) = ink.sentinel();
    RGBColor(red, green, blue)
}

/// An ink and a width, pixels, as plotters wants them.
fn pen(ink: Ink, width: f64) -> ShapeStyle {
    sentinel(ink).stroke_width((width * UNITS_PER_PIXEL).round() as u32)
}

fn units((x, y): Point) -> (i32, i32) {
    (
        (x * UNITS_PER_PIXEL).round() as i32,
        (y * UNITS_PER_PIXEL).round() as i32,
    )
}

/// About the width of text, pixels.
pub fn text_width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | 'I' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '(' | ')' => 0.33,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.9,
            'A'..='Z' => 0.7,
            '\0'..='\u{24F}' => 0.58,
            _ => 1.0,
        })
        .sum();
    em * size
}

/// Text that is cut, with an ellipsis, where it is wider than so many pixels.
pub fn shorten(text: &str, width: f64, size: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if text_width(&kept, size) + size > width {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_its_width() {
        assert_eq!(shorten("short", 100.0, TEXT), "short");
        let cut = shorten(&"가나다".repeat(20), 100.0, TEXT);
        assert!(cut.ends_with('…') && text_width(&cut, TEXT) <= 100.0, "{cut}");
    }
}
