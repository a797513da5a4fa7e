//! Self-contained HTML pages: headings, facts, tables, charts, folded text and attention maps.
//!
//! A page is one file that works from anywhere, `file://` too. Style and scripts stand inside it, and a content security
//! policy keeps the browser from fetching anything at all. Every text is escaped here and nowhere else.

mod block;
#[cfg(test)]
mod tests;

use crate::attention;
use crate::theme::escape;

pub use block::{Block, Table};

const STYLE: &str = include_str!("page/page.css");

/// Nothing is fetched; what stands in the page itself may be used.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// A document in English with text of any language in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In the browser's tab and at the top.
    pub title: String,
    /// A sentence or two below it.
    pub introduction: String,
    /// What it is about, part by part.
    pub sections: Vec<Section>,
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its heading; without text there is none.
    pub title: String,
    /// What stands below it.
    pub blocks: Vec<Block>,
}

impl Section {
    /// With a heading.
    pub fn new(title: &str, blocks: Vec<Block>) -> Self {
        Self {
            title: title.into(),
            blocks,
        }
    }
}

impl Page {
    /// The whole file.
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let maps = |section: &Section| section.blocks.iter().any(|block| matches!(block, Block::Attention(_)));
        let has_maps = self.sections.iter().any(maps);
        let (style, script) = match has_maps {
            true => (attention::STYLE, format!("<script>\n{}</script>\n", attention::SCRIPT)),
            false => ("", String::new()),
        };
        let sections: String = self.sections.iter().map(Section::to_html).collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n\
             <header>\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n<main>\n{sections}</main>\n{script}</body>\n</html>\n",
            escape(&self.introduction)
        )
    }
}

impl Section {
    fn to_html(&self) -> String {
        let heading = match self.title.as_str() {
            "" => String::new(),
            title => format!("<h2>{}</h2>\n", escape(title)),
        };
        let blocks: String = self.blocks.iter().map(Block::to_html).collect();
        format!("<section>\n{heading}{blocks}</section>\n")
    }
}
