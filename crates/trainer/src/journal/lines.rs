//! Updates and validations as Marian prints them, so that scripts that read its logs read ours.

use super::records::{UpdateRecord, ValidationRecord};

/// `Ep. 1 : Up. 1000 : Sen. 7,079 : Cost 4.21 : Time 12.34s : 5123.45 words/s : gNorm 1.23 : L.r. 3.0000e-04`.
///
/// Sentences are those of the run, the cost is the smoothed loss, words are target tokens. `: KL 0.1234` follows with
/// R-Drop, and `: skipped 2` where updates were.
pub fn update_line(record: &UpdateRecord) -> String {
    format!(
        "Ep. {} : Up. {} : Sen. {} : Cost {:.4} : Time {:.2}s : {:.2} words/s : gNorm {:.4} : L.r. {:.4e}{}{}",
        record.epoch,
        record.update,
        grouped(record.total_sentences),
        record.loss,
        record.seconds,
        record.target_tokens_per_second,
        record.gradient_norm,
        Exponent(record.learning_rate),
        record.kl.map_or_else(String::new, |kl| format!(" : KL {kl:.4}")),
        if record.skipped > 0 {
            format!(" : skipped {}", record.skipped)
        } else {
            String::new()
        },
    )
}

/// `[valid] Ep. 2 : Up. 1000 : ce-mean-words : 1.73 : perplexity : 5.64 : chrf : 55.10 : bleu-detok : 29.20 : new best`,
/// or at its end `: stalled 22 times (last best: 30.40)`.
///
/// The metric that decides stands last.
pub fn validation_line(record: &ValidationRecord) -> String {
    let mut scores = [
        ("loss", format!("ce-mean-words : {:.4}", record.nll)),
        ("perplexity", format!("perplexity : {:.4}", record.perplexity)),
        ("chrf", format!("chrf : {:.2}", record.chrf)),
        ("bleu", format!("bleu-detok : {:.2}", record.bleu)),
    ];
    scores.sort_by_key(|(name, _)| *name == record.metric);
    let scores = scores.map(|(_, score)| score);
    let decimals = if record.metric == "loss" { 4 } else { 2 };
    let verdict = if record.best {
        "new best".to_string()
    } else {
        format!(
            "stalled {} times (last best: {:.decimals$})",
            record.stalled, record.best_value
        )
    };
    format!(
        "[valid] Ep. {} : Up. {} : {} : {verdict}",
        record.epoch,
        record.update,
        scores.join(" : ")
    )
}

/// `7079` as `7,079`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Scientific notation as C prints it, with two digits of exponent.
struct Exponent(f64);

impl std::fmt::LowerExp for Exponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.*e}", f.precision().unwrap_or(4), self.0);
        match text.split_once('e') {
            Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
                Some(exponent) => write!(f, "{mantissa}e-{exponent:0>2}"),
                None => write!(f, "{mantissa}e+{exponent:0>2}"),
            },
            None => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{update, validation};
    use super::*;

    #[test]
    fn an_update_reads_as_marian_prints_it() {
        assert_eq!(
            update_line(&update(1000)),
            "Ep. 1 : Up. 1000 : Sen. 7,079 : Cost 4.2100 : Time 12.34s : 5123.45 words/s : gNorm 1.2300 : L.r. 3.0000e-04"
        );
        let skipped = UpdateRecord {
            skipped: 2,
            ..update(1000)
        };
        assert!(update_line(&skipped).ends_with(": skipped 2"));
        let paired = UpdateRecord {
            kl: Some(0.25),
            ..skipped
        };
        assert!(update_line(&paired).ends_with(" : KL 0.2500 : skipped 2"));
    }

    #[test]
    fn a_validation_ends_with_the_metric_and_its_verdict() {
        let best = validation(1000);
        assert_eq!(
            validation_line(&best),
            "[valid] Ep. 2 : Up. 1000 : ce-mean-words : 1.7300 : perplexity : 5.6407 : chrf : 55.10 : bleu-detok : 29.20 \
             : new best"
        );
        let stalled = ValidationRecord {
            best: false,
            stalled: 22,
            best_value: 30.4,
            ..validation(1000)
        };
        assert!(validation_line(&stalled).ends_with("bleu-detok : 29.20 : stalled 22 times (last best: 30.40)"));
        let by_loss = ValidationRecord {
            metric: "loss",
            ..validation(1000)
        };
        assert!(validation_line(&by_loss).ends_with(": bleu-detok : 29.20 : ce-mean-words : 1.7300 : new best"));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn exponents_have_two_digits_as_in_c() {
        assert_eq!(format!("{:.4e}", Exponent(3e-4)), "3.0000e-04");
        assert_eq!(format!("{:.1e}", Exponent(0.0)), "0.0e+00");
        assert_eq!(format!("{:.1e}", Exponent(f64::NAN)), "NaN");
    }
}
