//! A long curve as few points that look the same.

/// Groups that a long curve is cut into; each leaves its lowest and its highest point.
const GROUPS: usize = 200;

/// At most about `2 * GROUPS` of the points, in their order, with every extreme of a group, the first and the last point,
/// and gaps. A point is a gap where a coordinate is not finite; a group keeps one gap of its own.
pub fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= 2 * GROUPS {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(3 * GROUPS);
    for (number, group) in points.chunks(points.len().div_ceil(GROUPS)).enumerate() {
        let is_gap = |index: &usize| !is_point(group[*index]);
        let by_height = |one: &usize, other: &usize| group[*one].1.total_cmp(&group[*other].1);
        let mut indices: Vec<usize> = (0..group.len()).find(is_gap).into_iter().collect();
        let within = || (0..group.len()).filter(|index| !is_gap(index));
        indices.extend(within().min_by(by_height));
        indices.extend(within().max_by(by_height));
        if number == 0 {
            indices.push(0);
        }
        indices.sort_unstable();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| group[index]));
    }
    let last = points[points.len() - 1];
    if kept.last().is_some_and(|end| end.0 < last.0) {
        kept.push(last);
    }
    kept
}

/// Whether there is something to draw.
pub fn is_point((x, y): (f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_ends_and_gaps_stay() {
        let mut points: Vec<(f64, f64)> = (0..10_000)
            .map(|x| (f64::from(x), (f64::from(x) / 100.0).sin()))
            .collect();
        points[1234].1 = 50.0;
        points[4321].1 = -50.0;
        points[7000].1 = f64::NAN;
        let thinned = thin(&points);
        assert!(thinned.len() <= 410, "{}", thinned.len());
        for place in [0, 1234, 4321, 9999] {
            assert!(thinned.contains(&points[place]), "{place}");
        }
        assert_eq!(thinned.iter().filter(|point| !is_point(**point)).count(), 1);
        assert!(thinned.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn a_short_curve_stays_as_it_is() {
        let points = [(0.0, 1.0), (1.0, 2.0)];
        assert_eq!(thin(&points), points);
    }
}
