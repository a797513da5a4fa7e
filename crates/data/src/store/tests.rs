mod reuse;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::*;
use crate::config::{TokenizerConfig, TokenizerKind};
use crate::progress::NoProgress;

const SETTINGS: StoreSettings = StoreSettings {
    max_length: 6,
    deduplicate: false,
};

/// A folder with a corpus, a tokenizer of its words, and a place for stores.
struct Bench {
    folder: tempfile::TempDir,
    tokenizer: Tokenizer,
}

impl Bench {
    fn new(source: &str, target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.a"), source).unwrap();
        fs::write(folder.path().join("c.b"), target).unwrap();
        let config = TokenizerConfig {
            vocabulary: 1000,
            ..TokenizerConfig::new(TokenizerKind::Words)
        };
        let text = (source.to_owned(), target.to_owned());
        let tokenizer = Tokenizer::train(&config, [Ok(text)], &NoProgress).unwrap();
        Self { folder, tokenizer }
    }

    fn files(&self) -> CorpusFiles {
        CorpusFiles::resolve(&self.folder.path().join("c"), "a", "b").unwrap()
    }

    /// Lets files seem to have been written a minute ago.
    fn age(&self, names: &[&str]) {
        let old = SystemTime::now() - Duration::from_secs(60);
        for name in names {
            let file = fs::File::options().append(true).open(self.folder.path().join(name));
            file.unwrap().set_modified(old).unwrap();
        }
    }

    /// Puts another file in the place of one, with the same time of modification.
    fn replace(&self, name: &str, text: &str) {
        let (place, new) = (self.folder.path().join(name), self.folder.path().join("new"));
        let modified = fs::metadata(&place).unwrap().modified().unwrap();
        fs::write(&new, text).unwrap();
        fs::File::options()
            .append(true)
            .open(&new)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        fs::rename(&new, &place).unwrap();
    }

    fn stores(&self) -> PathBuf {
        self.folder.path().join(".store")
    }

    fn build(&self, files: &[CorpusFiles], settings: &StoreSettings) -> Result<(TokenStore, DataReport)> {
        let corpora: Vec<TrainingCorpus> = files.iter().cloned().map(Into::into).collect();
        self.build_corpora(&corpora, settings)
    }

    fn build_corpora(&self, corpora: &[TrainingCorpus], settings: &StoreSettings) -> Result<(TokenStore, DataReport)> {
        TokenStore::build_or_open(&self.stores(), corpora, &self.tokenizer, settings, &NoProgress)
    }

    fn text(&self, store: &TokenStore) -> Vec<(String, String)> {
        let source = |i| self.tokenizer.decode(Side::Source, &store.source(i));
        let target = |i| self.tokenizer.decode(Side::Target, &store.target(i));
        (0..store.len()).map(|i| (source(i), target(i))).collect()
    }
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|&(source, target)| (source.to_owned(), target.to_owned()))
        .collect()
}

#[test]
fn keeps_the_pairs_in_order_and_counts_the_rest() {
    let bench = Bench::new("a b\n\nc\n \nd e f g h i j\na b\n", "A\nB\n\u{200B}\n\u{3000}\nD\nA\n");
    let (store, report) = bench.build(&[bench.files()], &SETTINGS).unwrap();
    assert_eq!(bench.text(&store), pairs(&[("a b", "A"), ("a b", "A")]));
    assert_eq!(store.lengths(0), (2, 1));
    let expected = LeftOut {
        empty_source: 1,
        empty_target: 1,
        empty_both: 1,
        too_long: 1,
        duplicate: 0,
    };
    assert_eq!(report.left_out, expected);
    assert_eq!(
        (report.lines, report.kept, report.source_tokens, report.target_tokens),
        (6, 2, 4, 2)
    );
    assert_eq!(report.corpora[0].files.len(), 2);
    assert_eq!(
        report.corpora[0].lines,
        report.corpora[0].kept + report.corpora[0].left_out.total()
    );

    let (store, report) = bench
        .build(
            &[bench.files()],
            &StoreSettings {
                deduplicate: true,
                ..SETTINGS
            },
        )
        .unwrap();
    assert_eq!(bench.text(&store), pairs(&[("a b", "A")]));
    assert_eq!(
        report.left_out,
        LeftOut {
            duplicate: 1,
            ..expected
        }
    );
}

#[test]
fn several_corpora_are_joined() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    let tsv = bench.folder.path().join("more.tsv");
    fs::write(&tsv, "b\tA\n").unwrap();
    let files = [bench.files(), CorpusFiles::Tsv(tsv), bench.files()];
    let (store, report) = bench.build(&files, &SETTINGS).unwrap();
    assert_eq!(
        bench.text(&store),
        pairs(&[("a", "A"), ("b", "B"), ("b", "A"), ("a", "A"), ("b", "B")])
    );
    assert_eq!(
        report.corpora.iter().map(|corpus| corpus.kept).collect::<Vec<_>>(),
        [2, 1, 2]
    );
}

#[test]
fn a_tag_stands_before_every_source_of_its_corpus() {
    let mut bench = Bench::new("a b\n\na b a b a b\na b a b a b a\n", "A\nB\nA\nB\n");
    bench.tokenizer = bench.tokenizer.with_tags(vec!["<x>".into(), "<y>".into()]);
    let corpora = [None, Some("<y>"), Some("<x>"), Some("<y>")].map(|tag| TrainingCorpus {
        files: bench.files(),
        tag: tag.map(str::to_owned),
        weight: 1.0,
    });
    let deduplicate = StoreSettings {
        deduplicate: true,
        ..SETTINGS
    };
    let (store, report) = bench.build_corpora(&corpora, &deduplicate).unwrap();
    // Six tokens and the tag are kept where six are the most, and the same pair with another tag is another pair.
    let kept: Vec<u64> = report.corpora.iter().map(|corpus| corpus.kept).collect();
    assert_eq!((kept, report.left_out.too_long), (vec![2, 2, 2, 0], 3));
    let tags = |index| bench.tokenizer.split_tag(&store.source(index)).0;
    let [x, y] = ["<x>", "<y>"].map(|tag| bench.tokenizer.tag(tag));
    assert_eq!((0..6).map(tags).collect::<Vec<_>>(), [None, None, y, y, x, x]);
    assert_eq!(store.lengths(3), (7, 1));
    assert_eq!(report.source_tokens, 3 * (2 + 6) + 4);
    assert_eq!(bench.text(&store)[2], ("a b".into(), "A".into()));

    let unknown = TrainingCorpus {
        tag: Some("<z>".into()),
        ..bench.files().into()
    };
    let error = bench.build_corpora(&[unknown], &SETTINGS).err().unwrap().to_string();
    assert!(
        error.starts_with("data.train: the tag <z> is not in the tokenizer"),
        "{error}"
    );
}

#[test]
fn tags_make_another_store_and_weights_do_not() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    let tagged = Bench {
        tokenizer: Bench::new("a\nb\n", "A\nB\n").tokenizer.with_tags(vec!["<x>".into()]),
        ..bench
    };
    let build = |tag: Option<&str>, weight| {
        let corpus = TrainingCorpus {
            files: tagged.files(),
            tag: tag.map(str::to_owned),
            weight,
        };
        tagged.build_corpora(&[corpus], &SETTINGS).unwrap().1
    };
    let (plain, weighted) = (build(None, 1.0), build(None, 2.5));
    assert_eq!(plain.fingerprint, weighted.fingerprint);
    assert_eq!((plain.corpora[0].weight, weighted.corpora[0].weight), (1.0, 2.5));
    assert_eq!(weighted.mixture().pairs_an_epoch(2), 5);
    let report = build(Some("<x>"), 1.0);
    assert_ne!(report.fingerprint, plain.fingerprint);
    assert_eq!(report.corpora[0].tag.as_deref(), Some("<x>"));
    // What a run without weights and tags has in its data.json is what it always was.
    let json = serde_json::to_string(&plain).unwrap();
    assert!(!json.contains("weight") && !json.contains("tag"), "{json}");
    assert_eq!(serde_json::from_str::<DataReport>(&json).unwrap(), plain);
}

#[test]
fn a_damaged_store_is_built_anew() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    let (store, first) = bench.build(&[bench.files()], &SETTINGS).unwrap();
    let whole = bench.text(&store);
    drop(store);
    let place = bench.stores().join(&first.fingerprint);
    for name in ["tokens.bin", "index.bin", "manifest.json"] {
        let path = place.join(name);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for damaged in [
            Some(flipped),
            Some(bytes[..bytes.len() - 1].to_vec()),
            Some(vec![]),
            None,
        ] {
            match damaged {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let (store, report) = bench.build(&[bench.files()], &SETTINGS).unwrap();
            assert_eq!((bench.text(&store), &report), (whole.clone(), &first), "{name}");
        }
    }
    let names: Vec<String> = fs::read_dir(bench.stores())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| *name == first.fingerprint || name == "hashes.json"),
        "{names:?}"
    );
}

#[test]
fn several_may_build_at_once() {
    let text: String = (0..2000).map(|i| format!("{i} {}\n", i + 1)).collect();
    let bench = Bench::new(&text, &text);
    let lengths: Vec<usize> = std::thread::scope(|scope| {
        let build = || bench.build(&[bench.files()], &SETTINGS).unwrap().0.len();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(lengths, [2000; 4]);
    let leftovers = fs::read_dir(bench.stores()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".building")
    });
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn no_pair_left_is_an_error_with_the_reasons() {
    let bench = Bench::new("a a a a a a a\n\n", "A\nB\n");
    let error = bench.build(&[bench.files()], &SETTINGS).err().unwrap().to_string();
    assert!(
        error.contains("no pair is left of 2; left out: 1 with an empty source side, 1 longer than data.max_length")
    );
    let mut entries = fs::read_dir(bench.stores())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(entries.all(|name| name == "hashes.json"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let bench = Bench::new("a\n", "A\n");
    let blocked = bench.folder.path().join("c.a").join(".store");
    let corpora = [bench.files().into()];
    let result = TokenStore::build_or_open(&blocked, &corpora, &bench.tokenizer, &SETTINGS, &NoProgress);
    assert!(result.err().unwrap().to_string().starts_with("cannot create "));
}

#[test]
fn ids_take_two_bytes_or_four() {
    let folder = tempfile::tempdir().unwrap();
    for (name, vocabulary, bytes) in [("two", 65_536, 2), ("four", 65_537, 4)] {
        let place = folder.path().join(name);
        let mut writer = Writer::create(&place, vocabulary).unwrap();
        let (source, target) = (vec![4, 65_535], vec![7, vocabulary as u32 - 1, 256]);
        writer.push(&[5], &[6]).unwrap();
        writer.push(&source, &target).unwrap();
        assert_eq!(writer.tokens(), (3, 4));
        writer.finish(DataReport::default()).unwrap();
        let (reader, _) = Reader::open(&place).unwrap().unwrap();
        assert_eq!(fs::metadata(place.join("tokens.bin")).unwrap().len(), 7 * bytes);
        assert_eq!(
            (reader.source(1).collect(), reader.target(1).collect()),
            (source, target)
        );
        assert_eq!(
            (reader.source(0).collect(), reader.target(0).collect()),
            (vec![5], vec![6])
        );
    }
}

#[test]
fn what_killed_processes_left_long_ago_is_removed() {
    let bench = Bench::new("a b\n", "b a\n");
    fs::create_dir_all(bench.stores().join(".building-folder")).unwrap();
    fs::write(bench.stores().join(".building-file"), "{").unwrap();
    fs::write(bench.stores().join(".building-fresh"), "{").unwrap();
    let old = SystemTime::now() - Duration::from_secs(25 * 3600);
    for name in [".building-folder", ".building-file"] {
        let entry = fs::File::open(bench.stores().join(name)).unwrap();
        entry.set_modified(old).unwrap();
    }
    bench.build(&[bench.files()], &SETTINGS).unwrap();
    let left: Vec<_> = fs::read_dir(bench.stores())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with(".building"))
        .collect();
    assert_eq!(left, [".building-fresh"], "another process may be at it");
}
