//! Pictures that explain a model: charts and heat maps as SVG, and self-contained HTML pages.
//!
//! It knows nothing of models or runs: numbers and labels come in, text goes out. Nothing is fetched when a picture is
//! made or looked at.
