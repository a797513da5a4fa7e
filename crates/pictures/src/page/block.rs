//! What a page is made of.

use crate::attention::{Sentence, viewer};
use crate::line_chart::{LineChart, Series};
use crate::theme::escape;

/// A piece of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A paragraph about something that is missing or went wrong.
    Note(String),
    /// Names with their values.
    Facts(Vec<(String, String)>),
    /// Rows under headings.
    Table(Table),
    /// Curves, and below them the ends and extremes of each as a table.
    Chart(LineChart),
    /// Preformatted text that is unfolded on demand.
    Folded {
        /// What is always to be seen.
        summary: String,
        /// The text, line by line.
        text: String,
    },
    /// Sentences with their attention maps.
    Attention(Vec<Sentence>),
}

/// Rows under headings; the first cell of a row names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// One heading a column.
    pub headings: Vec<String>,
    /// As many cells a row; numbers stand at the right of their column.
    pub rows: Vec<Vec<String>>,
}

impl Block {
    pub(super) fn to_html(&self) -> String {
        match self {
            Self::Text(text) => format!("<p>{}</p>\n", escape(text)),
            Self::Note(text) => format!("<p class=\"note\">{}</p>\n", escape(text)),
            Self::Facts(facts) => facts_html(facts),
            Self::Table(table) => table.to_html(),
            Self::Chart(chart) => chart_html(chart),
            Self::Folded { summary, text } => format!(
                "<details>\n<summary>{}</summary>\n<pre tabindex=\"0\">{}</pre>\n</details>\n",
                escape(summary),
                escape(text)
            ),
            Self::Attention(sentences) => viewer(sentences),
        }
    }
}

impl Table {
    fn to_html(&self) -> String {
        let class = |column| {
            if self.is_number(column) {
                " class=\"number\""
            } else {
                ""
            }
        };
        let headings = self.headings.iter().enumerate();
        let headings: String = headings
            .map(|(column, text)| format!("<th scope=\"col\"{}>{}</th>", class(column), escape(text)))
            .collect();
        let row = |row: &Vec<String>| {
            let cell = |(column, text): (usize, &String)| match column {
                0 => format!("<th scope=\"row\" dir=\"auto\"{}>{}</th>", class(column), escape(text)),
                _ => format!("<td dir=\"auto\"{}>{}</td>", class(column), escape(text)),
            };
            let cells: String = row.iter().enumerate().map(cell).collect();
            format!("<tr>{cells}</tr>\n")
        };
        let rows: String = self.rows.iter().map(row).collect();
        // A box that scrolls must be reachable by keyboard, and a region must have a name.
        let caption = escape(&self.caption);
        format!(
            "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n\
             <caption>{caption}</caption>\n<thead><tr>{headings}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        )
    }

    /// Whether all cells of a column that are not empty are numbers.
    fn is_number(&self, column: usize) -> bool {
        let mut cells = self
            .rows
            .iter()
            .map(|row| &row[column])
            .filter(|text| !text.is_empty())
            .peekable();
        cells.peek().is_some() && cells.all(|text| text.parse::<f64>().is_ok())
    }
}

fn facts_html(facts: &[(String, String)]) -> String {
    let fact = |(name, value): &(String, String)| {
        format!(
            "<div><dt>{}</dt><dd dir=\"auto\">{}</dd></div>\n",
            escape(name),
            escape(value)
        )
    };
    format!("<dl>\n{}</dl>\n", facts.iter().map(fact).collect::<String>())
}

fn chart_html(chart: &LineChart) -> String {
    let title = escape(&chart.title);
    let extremes = Table {
        caption: format!("{}: ends and extremes", chart.title),
        headings: ["", "first", "last", "lowest", "highest"].map(String::from).into(),
        rows: chart
            .series
            .iter()
            .filter_map(|series| extremes(chart, series))
            .collect(),
    };
    format!(
        "<figure>\n<div class=\"scroll chart\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\">\n{}</div>\n\
         <details><summary>Ends and extremes as a table</summary>\n{}</details>\n</figure>\n",
        chart.to_svg(),
        extremes.to_html()
    )
}

/// First, last, lowest and highest value of a curve with their places; none where it has no value.
fn extremes(chart: &LineChart, series: &Series) -> Option<Vec<String>> {
    let points = || series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    let by_height = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
    let ends = [points().next(), points().next_back()];
    let extremes = [points().min_by(by_height), points().max_by(by_height)];
    let name = match series.name.as_str() {
        "" => &chart.y.label,
        name => name,
    };
    let mut row = vec![name.to_owned()];
    for point in ends.into_iter().chain(extremes) {
        let (x, y) = point?;
        row.push(format!("{} at {x}", significant(*y)));
    }
    Some(row)
}

/// A number with four significant digits.
fn significant(value: f64) -> String {
    let digits = 3 - value.abs().max(1e-300).log10().floor() as i32;
    match digits {
        _ if value == 0.0 => "0".into(),
        ..=0 => format!("{value:.0}"),
        1..=6 => format!("{value:.*}", digits as usize),
        _ => format!("{value:.3e}"),
    }
}
