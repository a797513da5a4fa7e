//! The signature line: how a score came about, so that two of them can be compared (Post 2018).

/// The version of sacreBLEU whose numbers these are.
pub const SACREBLEU_VERSION: &str = "2.6.0";

/// The number of references to state where it differs from line to line; written `nrefs:var`.
pub const VARIABLE_REFERENCES: usize = 0;

/// Joins the fields of a metric with the number of references in front and the version at the end.
pub(crate) fn signature(n_references: usize, fields: &[(&str, String)]) -> String {
    let mut line = match n_references {
        VARIABLE_REFERENCES => "nrefs:var".to_string(),
        n => format!("nrefs:{n}"),
    };
    for (key, value) in fields {
        line.push_str(&format!("|{key}:{value}"));
    }
    line.push_str(&format!("|version:{SACREBLEU_VERSION}"));
    line
}

/// How sacreBLEU writes a switch.
pub(crate) fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_last() {
        let fields = [("case", "lc".to_string()), ("norm", yes_no(false))];
        assert_eq!(signature(2, &fields), "nrefs:2|case:lc|norm:no|version:2.6.0");
        assert_eq!(signature(VARIABLE_REFERENCES, &[]), "nrefs:var|version:2.6.0");
    }
}
