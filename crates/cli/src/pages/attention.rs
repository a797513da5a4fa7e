//! The attention of translations as a page, and as pictures.

use ember_pictures::{ColourMap, HeatMap, Labels, MapKind, Page, Sentence, attention_page};
use ember_trainer::attention::{Attention, LineAttention};
use ember_trainer::translate::Translation;

/// Characters of a sentence that name it in a list.
const LONGEST_TITLE: usize = 44;

/// A page for the translations of some lines; a line without attention has its texts alone.
pub fn of_translations(run: &str, lines: &[String], translations: &[Translation], attention: Attention) -> Page {
    let parts = lines.iter().zip(translations).zip(attention.lines);
    let sentences = parts
        .enumerate()
        .map(|(index, ((line, translation), attention))| Sentence {
            title: title(index, line),
            texts: vec![
                ("source".into(), line.clone()),
                ("translation".into(), translation.text().to_owned()),
            ],
            kinds: attention.map(kinds).unwrap_or_default(),
        });
    let introduction = "How much each token took from which others, in every layer and head. A row is a query and adds up \
                        to 1. Point at a cell or walk through the cells by the arrow keys to read its weight.";
    attention_page(&format!("Attention: {run}"), introduction, sentences.collect())
}

/// A heat map of every kind, layer and head, and a name for the file of each.
pub fn pictures_of(attention: LineAttention) -> Vec<(String, HeatMap)> {
    let mut pictures = Vec::new();
    for kind in kinds(attention) {
        for (layer, heads) in kind.layers.iter().enumerate() {
            for (head, map) in heads.iter().enumerate() {
                let (layer, head) = (layer + 1, head + 1);
                let picture = HeatMap {
                    title: format!("{}, layer {layer}, head {head}", kind.name),
                    description: kind.note.clone(),
                    row_axis: "query".into(),
                    column_axis: "key".into(),
                    rows: Labels::Names(kind.queries.clone()),
                    columns: Labels::Names(kind.keys.clone()),
                    values: map.concat(),
                    colours: ColourMap::Sequential,
                };
                let name = kind.name.replace(' ', "-");
                pictures.push((format!("{name}.layer-{layer}.head-{head}"), picture));
            }
        }
    }
    pictures
}

/// The number and the first words of a sentence.
pub fn title(index: usize, text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_TITLE).collect();
    if text.chars().nth(LONGEST_TITLE).is_some() {
        short.push('…');
    }
    format!("{}: {short}", index + 1)
}

/// The kinds of attention of a translation that its model has, each with what its rows and columns are.
pub fn kinds(attention: LineAttention) -> Vec<MapKind> {
    let read = attention.decoder_input();
    let LineAttention {
        source,
        target,
        weights,
        encoder,
        decoder,
    } = attention;
    let kind = |name: &str, note: &str, [queries, keys]: [&[String]; 2], layers| MapKind {
        name: name.into(),
        note: note.into(),
        queries: queries.into(),
        keys: keys.into(),
        layers,
    };
    let all = [
        kind(
            "cross-attention",
            "Rows: pieces of the translation as the decoder writes them. Columns: pieces of the source.",
            [&target, &source],
            weights,
        ),
        kind(
            "encoder self-attention",
            "Rows and columns: pieces of the source.",
            [&source, &source],
            encoder,
        ),
        kind(
            "decoder self-attention",
            "Rows and columns: what the decoder reads, <s> and the pieces of the translation before the last. A row sees \
             itself and what stands before it.",
            [&read, &read],
            decoder,
        ),
    ];
    all.into_iter().filter(|kind| !kind.layers.is_empty()).collect()
}
