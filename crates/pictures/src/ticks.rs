//! Where an axis has numbers, and how they are written.

/// A tick: its value and its label.
pub type Tick = (f64, String);

/// Round numbers within a range, at most `most` of them and two at least where the range is one.
pub fn linear(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) || most == 0 {
        return Vec::new();
    }
    let mut step = 10f64.powf((span / most as f64).log10().floor());
    // 1, 2, 5, 10 and so on until few enough fit.
    for factor in [2.0, 2.5, 2.0, 2.0, 2.5, 2.0] {
        if (span / step).floor() < most as f64 {
            break;
        }
        step *= factor;
    }
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step + 1e-9).floor() - first).max(0.0) as usize + 1;
    let values: Vec<f64> = (0..count).map(|index| (first + index as f64) * step).collect();
    let largest = low.abs().max(high.abs());
    values
        .iter()
        .map(|value| (*value, label(*value, step, largest)))
        .collect()
}

/// Powers of ten within a range above 0, each second or third where they are too many; where they are few, 2 and 5 times
/// as well, and round numbers where there is hardly a power of ten.
pub fn logarithmic(low: f64, high: f64, most: usize) -> Vec<Tick> {
    if !(low > 0.0 && high > low && high.is_finite()) || most == 0 {
        return Vec::new();
    }
    if high < 10.0 * low {
        return linear(low, high, most);
    }
    let (first, last) = ((low.log10() + 1e-9).floor() as i32, (high.log10() - 1e-9).ceil() as i32);
    let factors: &[f64] = if 3 * (last - first) as usize <= most + 2 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let every = ((last - first + 1) as usize).div_ceil(most).max(1);
    (first..=last)
        .step_by(every)
        .flat_map(|exponent| factors.iter().map(move |factor| factor * 10f64.powi(exponent)))
        .filter(|value| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value))
        .map(|value| (value, label(value, value, value)))
        .collect()
}

/// A number with as many digits as `step` needs; thousands as k, M and G, small ones with an exponent, so that all ticks of
/// an axis, `largest` the greatest, are alike.
fn label(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if largest < 0.999e-3 {
        let exponent = (largest.log10() + 1e-9).floor() as i32;
        let scale = 10f64.powi(exponent);
        return format!("{}e{exponent}", decimals(value / scale, step / scale));
    }
    let units = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(unit, _)| largest >= unit * 0.999 && largest >= 1e4) {
        Some((unit, name)) => decimals(value / unit, step / unit) + name,
        None => decimals(value, step),
    }
}

fn decimals(value: f64, step: f64) -> String {
    let places = (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize;
    // Typographic minus: as wide as a digit, and no hyphen.
    format!("{value:.places$}").replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn round_numbers_few_enough() {
        assert_eq!(labels(&linear(0.0, 1.0, 6)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&linear(0.0, 8000.0, 5)), ["0", "2000", "4000", "6000", "8000"]);
        assert_eq!(labels(&linear(0.0, 60_000.0, 4)), ["0", "20k", "40k", "60k"]);
        assert_eq!(labels(&linear(-1.0, 1.0, 3)), ["\u{2212}1", "0", "1"]);
        assert_eq!(labels(&linear(0.0, 5e-4, 3)), ["0", "2e-4", "4e-4"]);
        for most in 2..20 {
            for (low, high) in [(0.0, 1.0), (3.0, 17.0), (-0.7, 123.4), (1e-9, 2e-9), (1e6, 1e6 + 3.0)] {
                let count = linear(low, high, most).len();
                assert!((1..=most).contains(&count), "{count} of {most} in {low}..{high}");
            }
        }
    }

    #[test]
    fn powers_of_ten() {
        assert_eq!(labels(&logarithmic(1e-2, 1e2, 6)), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(&logarithmic(3.0, 60.0, 6)), ["5", "10", "20", "50"]);
        assert_eq!(labels(&logarithmic(2.0, 5.0, 4)), ["2", "3", "4", "5"]);
        assert_eq!(labels(&logarithmic(1e-6, 1e-3, 4)), ["1e-6", "1e-5", "1e-4", "0.001"]);
    }

    #[test]
    fn no_range_no_ticks() {
        assert!(linear(1.0, 1.0, 5).is_empty() && linear(0.0, f64::INFINITY, 5).is_empty());
        assert!(logarithmic(0.0, 1.0, 5).is_empty());
    }
}
