use super::*;
use crate::testing::elements;

fn map(rows: Labels, columns: Labels, values: Vec<f32>, colours: ColourMap) -> HeatMap {
    HeatMap {
        title: "attention <1> & \"2\"".into(),
        description: "which words were looked at".into(),
        row_axis: "target".into(),
        column_axis: "source".into(),
        rows,
        columns,
        values,
        colours,
    }
}

fn names(names: &[&str]) -> Labels {
    Labels::Names(names.iter().map(|name| (*name).to_owned()).collect())
}

fn squares(svg: &str) -> usize {
    // The legend has its own.
    svg.matches('M').count() - LEVELS
}

#[test]
fn a_map_is_well_formed_and_the_same_every_time() {
    let labels = names(&["<s>", "a&b", "\u{1}x\"", "너"]);
    let values = vec![0.0, 0.5, 1.0, f32::NAN, 0.1, 0.2, 0.3, 0.4];
    let map = map(names(&["one", "two"]), labels, values, ColourMap::Sequential);
    let svg = map.to_svg();
    assert_eq!(&elements(&svg)[..4], ["svg", "title", "desc", "style"]);
    assert!(svg.contains("a&amp;b") && svg.contains("&lt;s&gt;"));
    assert!(!svg.contains("#0000"), "every sentinel has become a class");
    assert_eq!(svg, map.to_svg());
    assert_eq!(squares(&svg), 7, "the cell that is no number is empty");
}

#[test]
fn neighbours_of_one_colour_are_one_shape() {
    let rows = vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    let by_row = map(Labels::Count(2), Labels::Count(3), rows, ColourMap::Diverging);
    assert_eq!(squares(&by_row.to_svg()), 2);
    let columns = vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0];
    let by_column = map(Labels::Count(2), Labels::Count(3), columns, ColourMap::Diverging);
    assert_eq!(squares(&by_column.to_svg()), 3);
}

#[test]
fn a_large_matrix_keeps_its_peaks() {
    let side = 1000;
    let mut values = vec![0.0; side * side];
    values[123 * side + 777] = 1.0;
    values[900 * side + 5] = -1.0;
    let svg = map(Labels::Count(side), Labels::Count(side), values, ColourMap::Diverging).to_svg();
    elements(&svg);
    for level in [0, LEVELS - 1] {
        let colour = ColourMap::Diverging.colour(level);
        assert_eq!(svg.matches(&colour).count(), 2, "in the map and in the legend");
    }
    assert!(svg.len() < 50_000, "{} bytes", svg.len());
}

#[test]
fn nothing_and_a_single_cell_are_drawn_too() {
    let none = map(names(&[]), names(&[]), vec![], ColourMap::Sequential).to_svg();
    assert!(none.contains("no data"));
    elements(&none);
    for labels in [Labels::Count(1), names(&["word"])] {
        let svg = map(labels.clone(), labels, vec![0.5], ColourMap::Sequential).to_svg();
        elements(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}

#[test]
fn labels_keep_their_distance() {
    let many = Labels::Names((0..300).map(|index| format!("word{index}")).collect());
    let side = Side::new(&many, 0.0, 600.0);
    let labels = side.labels(LABEL_HEIGHT);
    assert!(
        labels.windows(2).all(|pair| pair[1].0 - pair[0].0 >= LABEL_HEIGHT),
        "{labels:?}"
    );
    assert_eq!(labels[0].1, "word0");
}
