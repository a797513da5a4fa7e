//! When a store is opened again, and when a corpus has changed.

use super::*;

/// Remembers the labels of the steps begun.
#[derive(Default)]
struct Labels(Mutex<Vec<String>>);

impl Progress for Labels {
    fn begin(&self, label: &str, _total: Option<u64>) {
        self.0.lock().unwrap().push(label.to_owned());
    }
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}

#[test]
fn a_second_start_opens_what_the_first_built() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    bench.age(&["c.a", "c.b"]);
    let start = |files: &CorpusFiles| {
        let labels = Labels::default();
        let corpora = [files.clone().into()];
        let (_, report) =
            TokenStore::build_or_open(&bench.stores(), &corpora, &bench.tokenizer, &SETTINGS, &labels).unwrap();
        (report, labels.0.into_inner().unwrap())
    };
    let (first, steps) = start(&bench.files());
    assert_eq!(steps, ["hashing", "hashing", "tokenising"]);
    let (second, steps) = start(&bench.files());
    assert!(steps.is_empty(), "{steps:?}");
    assert_eq!(first, second);

    // The same text under another name is the same store, and the report names the files as they are now.
    let moved =
        |from: &str, to: &str| fs::rename(bench.folder.path().join(from), bench.folder.path().join(to)).unwrap();
    moved("c.a", "d.a");
    moved("c.b", "d.b");
    let (third, steps) = start(&CorpusFiles::resolve(&bench.folder.path().join("d"), "a", "b").unwrap());
    assert_eq!(steps, ["hashing", "hashing"]);
    assert!(third.corpora[0].files[0].file.path.ends_with("d.a"));
    assert_eq!(third.fingerprint, first.fingerprint);
}

#[test]
fn weights_of_many_digits_leave_a_store_whole() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    let weights = [0.1 + 0.2, 1.0 / 3.0].into_iter();
    let weights = weights.chain((1..200).map(|i| f64::from(i).sqrt() / 7.0));
    let corpora = weights.map(|weight| TrainingCorpus {
        weight,
        ..bench.files().into()
    });
    let corpora: Vec<TrainingCorpus> = corpora.collect();
    let build = || {
        let labels = Labels::default();
        TokenStore::build_or_open(&bench.stores(), &corpora, &bench.tokenizer, &SETTINGS, &labels).unwrap();
        labels.0.into_inner().unwrap()
    };
    assert!(build().contains(&"tokenising".to_owned()));
    assert!(!build().contains(&"tokenising".to_owned()), "the store was built anew");
}

#[cfg(unix)]
#[test]
fn a_file_replaced_by_one_of_its_size_and_time_is_hashed_again() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    bench.age(&["c.a", "c.b"]);
    let first = bench.build(&[bench.files()], &SETTINGS).unwrap().1;
    bench.replace("c.b", "B\nA\n");
    let (store, second) = bench.build(&[bench.files()], &SETTINGS).unwrap();
    assert_ne!(first.fingerprint, second.fingerprint);
    assert_eq!(bench.text(&store), pairs(&[("a", "B"), ("b", "A")]));
}

/// Does something once, when the step of that label begins.
struct Meanwhile<F>(&'static str, F);

impl<F: Fn() + Sync> Progress for Meanwhile<F> {
    fn begin(&self, label: &str, _total: Option<u64>) {
        if label == self.0 {
            self.1();
        }
    }
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}

#[test]
fn a_corpus_that_changes_while_it_is_read_makes_no_store() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    let corpora = [bench.files().into()];
    let build = |progress: &dyn Progress| {
        TokenStore::build_or_open(&bench.stores(), &corpora, &bench.tokenizer, &SETTINGS, progress)
    };
    let path = bench.folder.path().join("c.b");
    let in_place = || fs::write(&path, "B\nA\n").unwrap();
    let longer = || fs::write(&path, "A\nB \n").unwrap();
    let replaced = || bench.replace("c.b", "B\nA\n");
    let mut changes: Vec<&(dyn Fn() + Sync)> = vec![&in_place, &longer];
    if cfg!(unix) {
        changes.push(&replaced);
    }
    for change in changes {
        fs::write(&path, "A\nB\n").unwrap();
        bench.age(&["c.a", "c.b"]);
        let error = build(&Meanwhile("tokenising", change)).err().unwrap().to_string();
        assert!(
            error.starts_with(&format!("{}: the file changed while it was read", path.display())),
            "{error}"
        );
        let left = fs::read_dir(bench.stores())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["hashes.json"]);
    }
    // What the file holds now is what the next start reads.
    assert_eq!(
        bench.text(&build(&NoProgress).unwrap().0)[0].1,
        if cfg!(unix) { "B" } else { "A" }
    );
}

#[test]
fn another_name_or_mode_is_no_change_of_a_corpus() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    bench.age(&["c.a", "c.b"]);
    let [file, link] = ["c.b", "c.link"].map(|name| bench.folder.path().join(name));
    let linked = Meanwhile("tokenising", || fs::hard_link(&file, &link).unwrap());
    let corpora = [bench.files().into()];
    TokenStore::build_or_open(&bench.stores(), &corpora, &bench.tokenizer, &SETTINGS, &linked).unwrap();
}

#[test]
fn a_plan_names_the_store_and_what_changed_before_it_is_built() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    let plan = |corpora: &[TrainingCorpus]| {
        let labels = Labels::default();
        let plan = TokenStore::plan(&bench.stores(), corpora, &bench.tokenizer, &SETTINGS, &labels).unwrap();
        assert!(!labels.0.into_inner().unwrap().contains(&"tokenising".to_owned()));
        let changed = bench.build(&[bench.files()], &SETTINGS).map(|(_, report)| {
            let names = plan.changed_files(&report).into_iter().map(Path::to_owned);
            (plan.fingerprint() == report.fingerprint, names.collect::<Vec<_>>())
        });
        changed.unwrap()
    };
    assert_eq!(plan(&[bench.files().into()]), (true, vec![]));
    let tsv = bench.folder.path().join("more.tsv");
    fs::write(&tsv, "b\tA\n").unwrap();
    let more = [bench.files().into(), CorpusFiles::Tsv(tsv.clone()).into()];
    assert_eq!(plan(&more), (false, vec![tsv]));

    let report = bench.build(&[bench.files()], &SETTINGS).unwrap().1;
    let path = bench.folder.path().join("c.b");
    fs::write(&path, "B\nA\n").unwrap();
    let corpora = [bench.files().into()];
    let plan = TokenStore::plan(&bench.stores(), &corpora, &bench.tokenizer, &SETTINGS, &NoProgress).unwrap();
    assert_ne!(plan.fingerprint(), report.fingerprint);
    assert_eq!(plan.changed_files(&report), [path.as_path()]);
}

#[test]
fn a_changed_corpus_or_setting_is_another_store() {
    let bench = Bench::new("a\nb\n", "A\nB\n");
    let fingerprint = |settings| bench.build(&[bench.files()], &settings).unwrap().1.fingerprint;
    let first = fingerprint(SETTINGS);
    assert_ne!(
        first,
        fingerprint(StoreSettings {
            max_length: 7,
            ..SETTINGS
        })
    );
    assert_ne!(
        first,
        fingerprint(StoreSettings {
            deduplicate: true,
            ..SETTINGS
        })
    );
    // Same size, and perhaps the same time stamp: still noticed.
    fs::write(bench.folder.path().join("c.b"), "B\nA\n").unwrap();
    assert_ne!(first, fingerprint(SETTINGS));
}
