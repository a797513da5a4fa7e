//! `validations.tsv` as rows.

use std::path::Path;

/// A validation.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationRow {
    /// The update it was taken after.
    pub update: u64,
    /// The epoch that update belongs to, from 1.
    pub epoch: u64,
    /// Label-smoothed cross-entropy a target token, in nats.
    pub loss: f64,
    /// Perplexity of the plain cross-entropy.
    pub perplexity: f64,
    /// 0 to 100; None where nothing was translated.
    pub bleu: Option<f64>,
    /// 0 to 100; None where nothing was translated.
    pub chrf: Option<f64>,
    /// Whether it was the best so far.
    pub best: bool,
    /// What loss and translation took.
    pub seconds: f64,
}

/// Reads the file; one that is not there has no rows.
pub fn read(path: &Path) -> Vec<ValidationRow> {
    std::fs::read_to_string(path).map_or_else(|_| Vec::new(), |text| rows(&text))
}

/// The rows that are there whole: a run that goes on may be writing the last one.
fn rows(text: &str) -> Vec<ValidationRow> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines.filter_map(|line| row(&names, line)).collect()
}

fn row(names: &[&str], line: &str) -> Option<ValidationRow> {
    let values: Vec<&str> = line.split('\t').collect();
    let text = |name: &str| values.get(names.iter().position(|other| *other == name)?).copied();
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    let seconds = number("loss_seconds").unwrap_or(0.0) + number("decode_seconds").unwrap_or(0.0);
    (values.len() == names.len()).then_some(())?;
    Some(ValidationRow {
        update: text("update")?.parse().ok()?,
        epoch: text("epoch")?.parse().ok()?,
        loss: number("loss")?,
        perplexity: number("perplexity")?,
        bleu: number("bleu"),
        chrf: number("chrf"),
        best: text("best") == Some("*"),
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "update\tepoch\tloss\tperplexity\tbleu\tchrf\tbest\tloss_seconds\tdecode_seconds";

    #[test]
    fn columns_are_found_by_name() {
        let text = format!("{HEADER}\n500\t2\t1.5\t3.25\t29.5\t55\t*\t0.25\t0.5\n1000\t4\tNaN\tNaN\t\t\t\t0.25\t0\n");
        let found = rows(&text);
        let first = ValidationRow {
            update: 500,
            epoch: 2,
            loss: 1.5,
            perplexity: 3.25,
            bleu: Some(29.5),
            chrf: Some(55.0),
            best: true,
            seconds: 0.75,
        };
        assert_eq!(found[0], first);
        assert!(found[1].loss.is_nan() && found[1].bleu.is_none() && !found[1].best);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn half_a_row_is_none() {
        let half = format!("{HEADER}\n500\t2\t1.5\t3.25\t29.5\t55\t*\t0.25\t0.");
        assert_eq!(rows(&half), []);
        let short = format!("{HEADER}\n500\t2\t1.5\t3.25\t29.5\n");
        assert_eq!(rows(&short), []);
        assert_eq!(rows(""), []);
    }
}
