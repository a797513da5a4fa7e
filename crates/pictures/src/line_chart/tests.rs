use super::*;
use crate::testing::elements;

fn axis(label: &str, scale: Scale) -> Axis {
    Axis {
        label: label.into(),
        scale,
    }
}

fn chart(scale: Scale, series: Vec<(&str, Vec<(f64, f64)>)>) -> LineChart {
    LineChart {
        title: "loss <of> \"a\" & b".into(),
        description: "falls & falls".into(),
        x: axis("update", Scale::Linear),
        y: axis("loss (nats/token)", scale),
        series: series
            .into_iter()
            .map(|(name, points)| Series {
                name: name.into(),
                points,
            })
            .collect(),
    }
}

fn count(svg: &str, name: &str) -> usize {
    elements(svg).iter().filter(|element| *element == name).count()
}

#[test]
fn a_chart_is_well_formed_and_the_same_every_time() {
    let falling: Vec<(f64, f64)> = (1..1000).map(|x| (f64::from(x), 9.0 / f64::from(x))).collect();
    for scale in [Scale::Linear, Scale::Logarithmic] {
        let chart = chart(
            scale,
            vec![("train <1>", falling.clone()), ("valid & more", falling.clone())],
        );
        let svg = chart.to_svg();
        assert_eq!(&elements(&svg)[..4], ["svg", "title", "desc", "style"]);
        assert!(svg.contains("loss &lt;of&gt; &quot;a&quot; &amp; b") && svg.contains("train &lt;1&gt;"));
        assert!(!svg.contains("#0000"), "every sentinel has become a class");
        assert_eq!(svg, chart.to_svg());
        assert!(svg.len() < 30_000, "{} bytes", svg.len());
    }
}

#[test]
fn a_gap_cuts_the_curve() {
    let lines = |points: Vec<(f64, f64)>| count(&chart(Scale::Linear, vec![("", points)]).to_svg(), "polyline");
    let whole = lines((0..9).map(|x| (f64::from(x), f64::from(x * x))).collect());
    let gap = |x| if x == 4 { f64::NAN } else { f64::from(x * x) };
    let cut = lines((0..9).map(|x| (f64::from(x), gap(x))).collect());
    assert_eq!(cut, whole + 1);
}

#[test]
fn nothing_and_a_single_point_are_drawn_too() {
    for scale in [Scale::Linear, Scale::Logarithmic] {
        assert!(chart(scale, vec![]).to_svg().contains("no data"));
        let gaps = vec![("gaps", vec![(1.0, f64::NAN), (f64::INFINITY, 2.0)])];
        assert!(chart(scale, gaps).to_svg().contains("no data"));
        for y in [0.5, 1e-300, 1e300] {
            let single = chart(scale, vec![("one", vec![(3.0, y)])]).to_svg();
            assert!(count(&single, "polygon") >= 2, "the legend's marker and the point's");
            assert!(!single.contains("NaN") && !single.contains("inf"));
        }
    }
}

#[test]
fn what_is_not_above_zero_is_a_gap_of_a_logarithmic_axis() {
    let points = vec![
        (0.0, 1.0),
        (1.0, 10.0),
        (2.0, 0.0),
        (3.0, -4.0),
        (4.0, 100.0),
        (5.0, 10.0),
    ];
    let linear = count(&chart(Scale::Linear, vec![("", points.clone())]).to_svg(), "polygon");
    let logarithmic = count(&chart(Scale::Logarithmic, vec![("", points)]).to_svg(), "polygon");
    assert_eq!((linear, logarithmic), (6, 4));
}

#[test]
fn labels_of_ticks_do_not_overlap() {
    for high in [1.0, 7.0, 12_345.0, 999_999.0, 1e7] {
        let mut span = Span {
            scale: Scale::Linear,
            low: 0.0,
            high,
            pixels: (50.0, 350.0),
        };
        let width = |label: &str| text_width(label, TEXT);
        let ticks = span.ticks(10, width);
        assert!(ticks.len() >= 2, "{ticks:?}");
        for pair in ticks.windows(2) {
            let between = span.pixel(pair[1].0) - span.pixel(pair[0].0);
            assert!(between >= (width(&pair[0].1) + width(&pair[1].1)) / 2.0, "{ticks:?}");
        }
    }
}
