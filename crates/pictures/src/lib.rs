//! Pictures that explain a model: charts and heat maps as SVG, and self-contained HTML pages.
//!
//! It knows nothing of models or runs: numbers and labels come in, text goes out. Nothing is fetched when a picture is
//! made or looked at.
//!
//! | file | job |
//! |---|---|
//! | `line_chart.rs` | curves over a linear or logarithmic axis |
//! | `heat_map.rs` | a matrix as coloured cells |
//! | `page.rs` | HTML pages: text, tables, charts, maps, each in one file |
//! | `attention.rs` | attention maps to be looked through in a page |
//! | `theme.rs` | colours for light and dark pages, and the frame that every SVG has |
//! | `colour_map.rs` | numbers to colours |
//! | `canvas.rs` | lines, shapes and text by plotters' SVG backend |
//! | `ticks.rs` | where an axis has numbers, and how they are written |
//! | `thin.rs` | a long curve as few points |

pub mod attention;
mod canvas;
mod colour_map;
pub mod heat_map;
pub mod line_chart;
pub mod page;
#[cfg(test)]
mod testing;
mod theme;
mod thin;
mod ticks;

pub use attention::{MapKind, Sentence, attention_page};
pub use colour_map::ColourMap;
pub use heat_map::{HeatMap, Labels};
pub use line_chart::{Axis, LineChart, Scale, Series};
pub use page::{Block, Page, Section, Table};
