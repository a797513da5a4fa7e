//! Curves over a linear or logarithmic axis.

use crate::canvas::{Anchor, Canvas, Point, TEXT, text_width};
use crate::theme::{Ink, WIDTH};
use crate::thin::{is_point, thin};
use crate::ticks::{self, Tick};

/// Height without the legend, pixels.
const HEIGHT: f64 = 380.0;

/// Pixels between the drawing's edge and what stands there.
const MARGIN: f64 = 12.0;

/// Height of a line of the legend, pixels.
const LEGEND_ROW: f64 = 20.0;

/// Markers of a series.
const MARKERS: usize = 9;

/// Curves in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChart {
    /// Above the picture.
    pub title: String,
    /// What is to be seen, for those who cannot see it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves. The legend names them, but a single one only if it has a name.
    pub series: Vec<Series>,
}

/// What an axis shows; its range is that of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// With the unit, such as `time (s)`.
    pub label: String,
    /// How values become lengths.
    pub scale: Scale,
}

/// How values become lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By their logarithm; values that are not above 0 are gaps.
    Logarithmic,
}

/// A named curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// `(x, y)` by growing x. The curve has a gap where either is not finite.
    pub points: Vec<(f64, f64)>,
}

/// An axis with its range, and where it lies in the picture.
struct Span {
    scale: Scale,
    low: f64,
    high: f64,
    /// Pixels at `low` and `high`.
    pixels: (f64, f64),
}

impl LineChart {
    /// The picture. The same chart gives the same bytes.
    pub fn to_svg(&self) -> String {
        let curves: Vec<Vec<(f64, f64)>> = self.series.iter().map(|series| self.visible(series)).collect();
        let points = || curves.iter().flatten().copied().filter(|point| is_point(*point));
        let legend = self.legend();
        let top = 36.0 + LEGEND_ROW * legend.last().map_or(0.0, |(row, _, _)| row + 1.0);
        let bottom = top + HEIGHT - 84.0;
        let mut y = Span::of(self.y.scale, points().map(|point| point.1), (bottom, top));
        let y_ticks = y.ticks((HEIGHT / 50.0) as usize, |_| 0.0);
        let widest = y_ticks
            .iter()
            .map(|(_, label)| text_width(label, TEXT))
            .fold(0.0, f64::max);
        let left = MARGIN + TEXT + 14.0 + widest;
        let mut x = Span::of(
            self.x.scale,
            points().map(|point| point.0),
            (left, WIDTH - 2.0 * MARGIN),
        );
        let x_ticks = x.ticks(10, |label| text_width(label, TEXT) + 12.0);

        let mut canvas = Canvas::new(bottom + 48.0);
        canvas.title(&self.title);
        for (row, at, index) in &legend {
            self.legend_entry(&mut canvas, (MARGIN + at, 42.0 + LEGEND_ROW * row), *index);
        }
        self.axes(&mut canvas, (&x, &x_ticks), (&y, &y_ticks));
        for (index, curve) in curves.iter().enumerate() {
            draw_curve(&mut canvas, index, curve, |point| (x.pixel(point.0), y.pixel(point.1)));
        }
        if points().next().is_none() {
            canvas.text("no data", ((left + WIDTH) / 2.0, (top + bottom) / 2.0), Anchor::Middle);
        }
        canvas.finish(&self.title, &self.description)
    }

    /// A series' points as they are drawn.
    fn visible(&self, series: &Series) -> Vec<(f64, f64)> {
        let shown = |scale, value: f64| {
            if scale == Scale::Logarithmic && value <= 0.0 {
                f64::NAN
            } else {
                value
            }
        };
        let points = series.points.iter();
        thin(
            &points
                .map(|(x, y)| (shown(self.x.scale, *x), shown(self.y.scale, *y)))
                .collect::<Vec<_>>(),
        )
    }

    /// Row, pixels from the left, and number of each named series.
    fn legend(&self) -> Vec<(f64, f64, usize)> {
        let (mut row, mut at) = (0.0, 0.0);
        let mut entries = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            if self.series.len() == 1 && series.name.is_empty() {
                continue;
            }
            let width = 34.0 + text_width(&series.name, TEXT) + 20.0;
            if at > 0.0 && at + width > WIDTH - 2.0 * MARGIN {
                (row, at) = (row + 1.0, 0.0);
            }
            entries.push((row, at, index));
            at += width;
        }
        entries
    }

    fn legend_entry(&self, canvas: &mut Canvas, (left, middle): Point, index: usize) {
        canvas.line((left, middle), (left + 28.0, middle), 2.0, Ink::line(index));
        draw_marker(canvas, index, (left + 14.0, middle));
        canvas.text(&self.series[index].name, (left + 34.0, middle), Anchor::Left);
    }

    fn axes(&self, canvas: &mut Canvas, (x, x_ticks): (&Span, &[Tick]), (y, y_ticks): (&Span, &[Tick])) {
        let ((left, right), (bottom, top)) = (x.pixels, y.pixels);
        for (value, label) in y_ticks {
            let at = y.pixel(*value);
            canvas.line((left, at), (right, at), 1.0, Ink::Grid);
            canvas.text(label, (left - 6.0, at), Anchor::Right);
        }
        for (value, label) in x_ticks {
            let at = x.pixel(*value);
            canvas.line((at, top), (at, bottom), 1.0, Ink::Grid);
            canvas.text(label, (at, bottom + 13.0), Anchor::Middle);
        }
        canvas.path(&[(left, top), (left, bottom), (right, bottom)], 1.0, Ink::Axis);
        canvas.text(&self.x.label, ((left + right) / 2.0, bottom + 34.0), Anchor::Middle);
        canvas.text(
            &self.y.label,
            (MARGIN + 4.0, (top + bottom) / 2.0),
            Anchor::TurnedMiddle,
        );
    }
}

impl Span {
    /// The range of some values; one of a width above 0 whatever they are.
    fn of(scale: Scale, values: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = match scale {
            _ if low > high => (if scale == Scale::Linear { 0.0 } else { 0.1 }, 1.0),
            Scale::Linear if high - low <= 1e-9 * high.abs() => {
                let around = if high == 0.0 { 1.0 } else { 0.5 * high.abs() };
                (low - around, high + around)
            }
            Scale::Logarithmic if high / low <= 1.0 + 1e-9 => (low / 2.0, high * 2.0),
            _ => (low, high),
        };
        Self {
            scale,
            low,
            high,
            pixels,
        }
    }

    /// As many ticks, up to `most`, as stand beside each other when `extent` gives each label's pixels. A linear range
    /// that nearly begins at 0 begins there.
    fn ticks(&mut self, most: usize, extent: impl Fn(&str) -> f64) -> Vec<Tick> {
        if self.scale == Scale::Linear && self.low > 0.0 && self.low < 0.1 * self.high {
            self.low = 0.0;
        }
        for count in (1..=most).rev() {
            let ticks = match self.scale {
                Scale::Linear => ticks::linear(self.low, self.high, count),
                Scale::Logarithmic => ticks::logarithmic(self.low, self.high, count),
            };
            let places: Vec<(f64, f64)> = ticks
                .iter()
                .map(|(value, label)| (self.pixel(*value), extent(label)))
                .collect();
            let overlaps = |pair: &[(f64, f64)]| (pair[1].0 - pair[0].0).abs() < (pair[0].1 + pair[1].1) / 2.0;
            if !places.windows(2).any(overlaps) {
                return ticks;
            }
        }
        Vec::new()
    }

    fn pixel(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }
}

/// The pieces of a curve between its gaps, and markers on it.
fn draw_curve(canvas: &mut Canvas, index: usize, curve: &[(f64, f64)], place: impl Fn((f64, f64)) -> Point) {
    for piece in curve.split(|point| !is_point(*point)) {
        match piece {
            [] => {}
            // A line of one point would not be seen.
            [alone] => draw_marker(canvas, index, place(*alone)),
            _ => {
                let points: Vec<Point> = piece.iter().copied().map(&place).collect();
                canvas.path(&points, 1.75, Ink::line(index));
            }
        }
    }
    // Series begin their markers at different places, so that they are told apart where curves meet.
    let every = (curve.len() / MARKERS).max(1);
    for point in curve.iter().skip(index * every / 4 % every).step_by(every) {
        if is_point(*point) {
            draw_marker(canvas, index, place(*point));
        }
    }
}

/// The shape of a series at a point.
fn draw_marker(canvas: &mut Canvas, index: usize, (x, y): Point) {
    // Corners in units of 1 pixel: circle (as 12 corners), square, triangle, diamond, triangle upside down, bar.
    const CIRCLE: [Point; 12] = [
        (3.6, 0.0),
        (3.1, 1.8),
        (1.8, 3.1),
        (0.0, 3.6),
        (-1.8, 3.1),
        (-3.1, 1.8),
        (-3.6, 0.0),
        (-3.1, -1.8),
        (-1.8, -3.1),
        (0.0, -3.6),
        (1.8, -3.1),
        (3.1, -1.8),
    ];
    const SHAPES: [&[Point]; 6] = [
        &CIRCLE,
        &[(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)],
        &[(0.0, -4.4), (4.2, 3.2), (-4.2, 3.2)],
        &[(0.0, -4.8), (4.8, 0.0), (0.0, 4.8), (-4.8, 0.0)],
        &[(0.0, 4.4), (4.2, -3.2), (-4.2, -3.2)],
        &[(-1.4, -4.6), (1.4, -4.6), (1.4, 4.6), (-1.4, 4.6)],
    ];
    let shape = SHAPES[index % SHAPES.len()];
    let corners: Vec<Point> = shape.iter().map(|corner| (x + corner.0, y + corner.1)).collect();
    canvas.polygon(&corners, Ink::mark(index));
}

#[cfg(test)]
mod tests;
