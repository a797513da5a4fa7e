use super::*;
use crate::line_chart::{Axis, LineChart, Scale, Series};

fn page(blocks: Vec<Block>) -> String {
    let page = Page {
        title: "runs & <tests>".into(),
        introduction: String::new(),
        sections: vec![Section::new("one", blocks)],
    };
    page.to_html()
}

fn chart(points: Vec<(f64, f64)>) -> LineChart {
    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Linear,
    };
    LineChart {
        title: "loss".into(),
        description: "falls".into(),
        x: axis("updates"),
        y: axis("nats"),
        series: vec![Series {
            name: "training".into(),
            points,
        }],
    }
}

#[test]
fn text_is_escaped_wherever_it_stands() {
    let text = "<script>alert('&')</script>";
    let html = page(vec![
        Block::Text(text.into()),
        Block::Note(text.into()),
        Block::Facts(vec![(text.into(), text.into())]),
        Block::Table(Table {
            caption: text.into(),
            headings: vec![text.into()],
            rows: vec![vec![text.into(), text.into()]],
        }),
        Block::Folded {
            summary: text.into(),
            text: text.into(),
        },
    ]);
    assert!(!html.contains("<script"));
    // The caption of a table names its region too.
    assert_eq!(html.matches("&lt;script&gt;").count(), 11);
    assert!(html.contains("<title>runs &amp; &lt;tests&gt;</title>"));
}

#[test]
fn a_page_without_maps_has_no_script() {
    assert!(!page(vec![Block::Text("text".into())]).contains("<script"));
    assert!(page(vec![Block::Attention(vec![])]).contains("<script"));
}

#[test]
fn a_chart_tells_its_ends_and_extremes_in_words() {
    let html = page(vec![Block::Chart(chart(vec![
        (1.0, 7.63),
        (2.0, 0.000_012_34),
        (3.0, f64::NAN),
        (4.0, 12_345.6),
        (5.0, 2.0),
    ]))]);
    let row = "<tr><th scope=\"row\" dir=\"auto\">training</th><td dir=\"auto\">7.630 at 1</td>\
               <td dir=\"auto\">2.000 at 5</td><td dir=\"auto\">1.234e-5 at 2</td><td dir=\"auto\">12346 at 4</td></tr>";
    assert!(html.contains(row), "{html}");
}

#[test]
fn a_chart_without_values_has_no_row() {
    let html = page(vec![Block::Chart(chart(vec![(1.0, f64::NAN)]))]);
    assert!(html.contains("<tbody>\n</tbody>"));
}

#[test]
fn numbers_stand_at_the_right_of_their_column() {
    let row = |cells: [&str; 3]| cells.map(String::from).to_vec();
    let html = page(vec![Block::Table(Table {
        caption: "scores".into(),
        headings: row(["metric", "score", "mixed"]),
        rows: vec![row(["BLEU", "41.02", "1"]), row(["chrF", "", "none"])],
    })]);
    for right in [
        "<th scope=\"col\" class=\"number\">score</th>",
        "<td dir=\"auto\" class=\"number\">41.02</td>",
        "<td dir=\"auto\" class=\"number\"></td>",
    ] {
        assert!(html.contains(right), "{right}");
    }
    assert_eq!(html.matches("class=\"number\"").count(), 3);
}
