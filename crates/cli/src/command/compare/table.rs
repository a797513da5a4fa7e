//! A comparison for people: a table a metric, and what its p values mean in words.

use ember_metrics::TestKind;
use ember_trainer::compare::{AgainstBaseline, Comparison, MetricComparison, SIGNIFICANCE_LEVEL, SystemComparison};

/// All of a comparison, ended by an empty line.
pub fn render(name: &str, comparison: &Comparison, width: usize) -> String {
    let test = match comparison.test {
        TestKind::Bootstrap => "paired bootstrap resampling",
        TestKind::Randomisation => "paired approximate randomisation",
    };
    let mut lines = vec![format!(
        "{name}: {} lines, {test} with {} samples, seed {}; {:.1} s",
        comparison.lines, comparison.samples, comparison.seed, comparison.seconds
    )];
    for metric in &comparison.metrics {
        lines.push(String::new());
        lines.extend(table(metric, width));
        lines.push(format!("  {}", metric.signature));
        lines.extend(in_words(metric, width).into_iter().map(|line| format!("  {line}")));
    }
    lines.push(String::new());
    lines.push(format!(
        "p: how often chance alone would make a difference this large between systems that are equally good.\n\
         *: p below {SIGNIFICANCE_LEVEL}, so that the difference is unlikely to be chance on lines like these."
    ));
    if comparison.test == TestKind::Bootstrap {
        lines.push("mean ± 95 %: where the score would lie on other lines of the same kind.".into());
    }
    lines.push("\n".into());
    lines.join("\n")
}

/// What stands in the columns, then a line a system.
fn table(metric: &MetricComparison, width: usize) -> Vec<String> {
    let name = match metric.higher_is_better {
        true => metric.name.clone(),
        false => format!("{}, lower is better", metric.name),
    };
    let names = metric.systems.iter().map(|system| system.name.chars().count());
    let longest = names.chain([name.chars().count()]).max().unwrap_or(0);
    let decimals = width + 4;
    let has_intervals = metric.systems.iter().any(|system| system.mean.is_some());
    let (title, interval_width) = if has_intervals {
        ("mean ± 95 %", 2 * decimals + 3)
    } else {
        ("", 0)
    };
    let mut lines = vec![format!(
        "  {name:<longest$} {:>decimals$} {title:>interval_width$}  p",
        "score"
    )];
    for system in &metric.systems {
        let interval = match (system.mean, system.confidence) {
            (Some(mean), Some(half)) => format!("{mean:.width$} ± {half:.width$}"),
            _ => String::new(),
        };
        let against = match system.against_baseline {
            None => "baseline".into(),
            Some(against) => format!(
                "{}{}",
                rounded(against.p_value),
                if against.significant { " *" } else { "" }
            ),
        };
        lines.push(format!(
            "  {:<longest$} {:>decimals$.width$} {interval:>interval_width$}  {against}",
            system.name, system.score
        ));
    }
    lines
}

/// A sentence for each system but the baseline.
fn in_words(metric: &MetricComparison, width: usize) -> Vec<String> {
    let Some((baseline, systems)) = metric.systems.split_first() else {
        return Vec::new();
    };
    let sentence = |system: &SystemComparison| {
        let against = system.against_baseline?;
        Some(verdict(&system.name, &baseline.name, &against, width))
    };
    systems.iter().filter_map(sentence).collect()
}

fn verdict(system: &str, baseline: &str, against: &AgainstBaseline, width: usize) -> String {
    let AgainstBaseline {
        difference,
        p_value,
        significant,
        better,
    } = *against;
    if difference == 0.0 {
        return format!("{system} has the same score as {baseline}.");
    }
    let distance = format!("{:.width$}", difference.abs());
    let p = match rounded(p_value) {
        p if p.starts_with('<') => format!("p {p}"),
        p => format!("p = {p}"),
    };
    if significant {
        let (better, worse) = if better { (system, baseline) } else { (baseline, system) };
        return format!(
            "{better} is better than {worse} by {distance}; a difference this large would arise by chance with {p}."
        );
    }
    let seems = if better { "better" } else { "worse" };
    format!("{system} scores {seems} than {baseline} by {distance}, but that may well be chance: {p}.")
}

/// Four decimals, as far as they say something.
fn rounded(p_value: f64) -> String {
    if p_value < 0.0001 {
        "< 0.0001".into()
    } else {
        format!("{p_value:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(difference: f64, p_value: f64, better: bool) -> AgainstBaseline {
        AgainstBaseline {
            difference,
            p_value,
            significant: p_value < SIGNIFICANCE_LEVEL,
            better,
        }
    }

    #[test]
    fn p_values_are_told_in_words() {
        assert_eq!(
            verdict("b", "a", &against(1.204, 0.012, true), 2),
            "b is better than a by 1.20; a difference this large would arise by chance with p = 0.0120."
        );
        assert_eq!(
            verdict("b", "a", &against(1.204, 0.00001, false), 1),
            "a is better than b by 1.2; a difference this large would arise by chance with p < 0.0001."
        );
        assert_eq!(
            verdict("b", "a", &against(-0.3, 0.31, false), 2),
            "b scores worse than a by 0.30, but that may well be chance: p = 0.3100."
        );
        assert_eq!(
            verdict("b", "a", &against(0.0, 0.5, false), 2),
            "b has the same score as a."
        );
    }

    #[test]
    fn columns_stand_below_each_other() {
        let system = |name: &str, score: f64, against_baseline| SystemComparison {
            name: name.into(),
            score,
            mean: Some(score + 0.01),
            confidence: Some(1.5),
            against_baseline,
        };
        let metric = MetricComparison {
            name: "TER".into(),
            signature: String::new(),
            higher_is_better: false,
            systems: vec![
                system("runs/baseline", 47.25, None),
                system("runs/b", 101.5, Some(against(54.25, 0.001, false))),
            ],
        };
        let expected = [
            "  TER, lower is better  score     mean ± 95 %  p",
            "  runs/baseline         47.25    47.26 ± 1.50  baseline",
            "  runs/b               101.50   101.51 ± 1.50  0.0010 *",
        ];
        assert_eq!(table(&metric, 2), expected);
    }
}
