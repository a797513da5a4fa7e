//! Training text comes to the same, whatever form its files have.

mod common;

use std::path::Path;

use common::Workplace;

/// What training made of a corpus: the tokenizer, the token store's files, and the losses.
#[derive(PartialEq)]
struct Made {
    tokenizer: Vec<u8>,
    tokens: Vec<u8>,
    index: Vec<u8>,
    losses: Vec<f64>,
    kept: u64,
}

/// Trains two updates from the corpus `name`, in a folder of its own.
fn train_from(work: &Workplace, name: &str) -> Made {
    let run = format!("{name}/run");
    let corpus = format!("data.train={name}");
    let stop = "training.stop_after=\"2u\"";
    work.train(&run, &["--set", &corpus, "--set", stop]).ok();
    let report: serde_json::Value = serde_json::from_str(&work.read(&format!("runs/{run}/data.json"))).expect("JSON");
    let fingerprint = report["fingerprint"].as_str().expect("a fingerprint");
    let store = work.path(&format!("runs/{name}/.store/{fingerprint}"));
    let read = |path: &Path| std::fs::read(path).expect("a file");
    Made {
        tokenizer: read(&work.path(&format!("runs/{run}/tokenizer.json"))),
        tokens: read(&store.join("tokens.bin")),
        index: read(&store.join("index.bin")),
        losses: work.losses(&run),
        kept: report["kept"].as_u64().expect("a number"),
    }
}

#[test]
fn plain_compressed_and_tab_separated_text_give_the_same_run() {
    let work = Workplace::new();
    let (source, target) = (work.read("train.src"), work.read("train.tgt"));
    let pairs = source.lines().zip(target.lines());
    let tsv: String = pairs.map(|(source, target)| format!("{source}\t{target}\n")).collect();
    work.write("gz.src.gz", gzip(source.as_bytes()));
    work.write("gz.tgt.gz", gzip(target.as_bytes()));
    work.write("zst.src.zst", zstandard(source.as_bytes()));
    work.write("zst.tgt.zst", zstandard(target.as_bytes()));
    work.write("mixed.src", &source);
    work.write("mixed.tgt.gz", gzip(target.as_bytes()));
    work.write("pairs.tsv", &tsv);
    work.write("pairs.tsv.gz", gzip(tsv.as_bytes()));
    work.write("pairs.tsv.zst", zstandard(tsv.as_bytes()));

    let plain = train_from(&work, "train");
    assert_eq!((plain.kept, plain.losses.len()), (400, 2));
    for name in ["gz", "zst", "mixed", "pairs.tsv", "pairs.tsv.gz", "pairs.tsv.zst"] {
        let made = train_from(&work, name);
        assert_eq!(made.losses, plain.losses, "{name}");
        assert!(made == plain, "{name}: tokenizer or token store differ");
    }
}

/// A gzip file (RFC 1952) of stored blocks (RFC 1951, 3.2.4), two members of it.
fn gzip(text: &[u8]) -> Vec<u8> {
    let (first, second) = text.split_at(text.len() / 2);
    [first, second].map(gzip_member).concat()
}

fn gzip_member(text: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = text.chunks(1000).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        file.push(u8::from(blocks.peek().is_none()));
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend(block);
    }
    let checksum = !text.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    });
    file.extend(checksum.to_le_bytes());
    file.extend((text.len() as u32).to_le_bytes());
    file
}

/// A Zstandard frame (RFC 8878, 3.1.1) of raw blocks, with a window of 1 MiB.
fn zstandard(text: &[u8]) -> Vec<u8> {
    let mut file = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 10 << 3];
    let mut blocks = text.chunks(1000).peekable();
    while let Some(block) = blocks.next() {
        let header = (block.len() as u32) << 3 | u32::from(blocks.peek().is_none());
        file.extend(&header.to_le_bytes()[..3]);
        file.extend(block);
    }
    file
}
