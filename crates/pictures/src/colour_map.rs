//! Numbers to colours.
//!
//! Colours are mixed in Oklab (Ottosson 2020), where equal steps look equal. Both maps hold on light and on dark pages
//! without a change, and grow darker steadily from the middle or the low end, so that a grey print keeps the order; of the
//! diverging one's ends the negative is the darker.

/// Colours that a map is cut into; odd, so that 0 in the middle of a diverging one has its own.
pub const LEVELS: usize = 33;

/// Which colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMap {
    /// From 0, nearly white, to 1, dark blue.
    Sequential,
    /// From -1, dark blue, over 0, nearly white, to 1, orange.
    Diverging,
}

impl ColourMap {
    /// The values at its ends; those beyond have the ends' colours.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Sequential => (0.0, 1.0),
            Self::Diverging => (-1.0, 1.0),
        }
    }

    /// The level of a value, below [`LEVELS`]; none for what is no number.
    pub fn level(self, value: f32) -> Option<usize> {
        let (low, high) = self.range();
        let share = (f64::from(value) - low) / (high - low);
        (!share.is_nan()).then(|| (share.clamp(0.0, 1.0) * (LEVELS - 1) as f64).round() as usize)
    }

    /// The colour of a level, such as `#12224f`.
    pub fn colour(self, level: usize) -> String {
        let anchors: [[f64; 3]; 3] = match self {
            Self::Sequential => [[248.0, 246.0, 238.0], [72.0, 152.0, 178.0], [16.0, 28.0, 76.0]],
            Self::Diverging => [[12.0, 52.0, 120.0], [244.0, 243.0, 240.0], [222.0, 96.0, 20.0]],
        };
        let place = 2.0 * level.min(LEVELS - 1) as f64 / (LEVELS - 1) as f64;
        let (from, share) = if place < 1.0 { (0, place) } else { (1, place - 1.0) };
        let (one, other) = (to_oklab(anchors[from]), to_oklab(anchors[from + 1]));
        let mixed = std::array::from_fn(|axis| one[axis] + share * (other[axis] - one[axis]));
        let [red, green, blue] = from_oklab(mixed).map(|value| value.round().clamp(0.0, 255.0) as u8);
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}

/// Linear light to the responses of the eye's three cones, rows of a matrix; and the cones' cube roots to lightness and two
/// opponent colours. The numbers of <https://bottosson.github.io/posts/oklab/>.
const TO_CONES: [[f64; 3]; 3] = [
    [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
    [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
    [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
];
const TO_LAB: [[f64; 3]; 3] = [
    [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
    [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
    [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
];
const FROM_LAB: [[f64; 3]; 3] = [
    [1.0, 0.396_337_777_4, 0.215_803_757_3],
    [1.0, -0.105_561_345_8, -0.063_854_172_8],
    [1.0, -0.089_484_177_5, -1.291_485_548_0],
];
const FROM_CONES: [[f64; 3]; 3] = [
    [4.076_741_662_1, -3.307_711_591_3, 0.230_969_929_2],
    [-1.268_438_004_6, 2.609_757_401_1, -0.341_319_396_5],
    [-0.004_196_086_3, -0.703_418_614_7, 1.707_614_701_0],
];

fn times(matrix: [[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(vector).map(|(weight, value)| weight * value).sum())
}

/// From red, green and blue, 0 to 255.
fn to_oklab(colour: [f64; 3]) -> [f64; 3] {
    let linear = colour.map(|value| {
        let share = value / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    });
    times(TO_LAB, times(TO_CONES, linear).map(f64::cbrt))
}

/// To red, green and blue, 0 to 255.
fn from_oklab(lab: [f64; 3]) -> [f64; 3] {
    times(FROM_CONES, times(FROM_LAB, lab).map(|root| root.powi(3))).map(|light| {
        let light = light.max(0.0);
        let share = if light <= 0.003_130_8 {
            12.92 * light
        } else {
            1.055 * light.powf(1.0 / 2.4) - 0.055
        };
        255.0 * share
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(colour: &str) -> f64 {
        let channel = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap());
        to_oklab([channel(1), channel(3), channel(5)])[0]
    }

    #[test]
    fn the_space_has_its_published_white_and_a_way_back() {
        for (one, other) in to_oklab([255.0; 3]).iter().zip([1.0, 0.0, 0.0]) {
            assert!((one - other).abs() < 1e-6);
        }
        for (one, other) in from_oklab(to_oklab([12.0, 200.0, 99.0]))
            .iter()
            .zip([12.0, 200.0, 99.0])
        {
            assert!((one - other).abs() < 1e-3);
        }
    }

    #[test]
    fn lightness_tells_the_order() {
        let lightness = |map: ColourMap| {
            (0..LEVELS)
                .map(|level| lightness(&map.colour(level)))
                .collect::<Vec<_>>()
        };
        let sequential = lightness(ColourMap::Sequential);
        assert!(sequential.is_sorted_by(|one, other| one > other), "{sequential:?}");
        let diverging = lightness(ColourMap::Diverging);
        let middle = LEVELS / 2;
        assert!(
            diverging[..=middle].is_sorted_by(|one, other| one < other),
            "{diverging:?}"
        );
        assert!(
            diverging[middle..].is_sorted_by(|one, other| one > other),
            "{diverging:?}"
        );
        assert!(diverging[0] < diverging[LEVELS - 1] - 0.2, "{diverging:?}");
    }

    #[test]
    fn values_beyond_the_range_have_the_ends_levels() {
        for (map, value, level) in [
            (ColourMap::Sequential, 0.0, Some(0)),
            (ColourMap::Sequential, 2.0, Some(LEVELS - 1)),
            (ColourMap::Diverging, 0.0, Some(LEVELS / 2)),
            (ColourMap::Diverging, f32::NEG_INFINITY, Some(0)),
            (ColourMap::Diverging, f32::NAN, None),
        ] {
            assert_eq!(map.level(value), level, "{map:?} {value}");
        }
    }
}
