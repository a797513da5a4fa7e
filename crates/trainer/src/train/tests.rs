use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ember_data::Progress;

use super::*;
use crate::checkpoint::crash;

/// Two updates of the smallest model, each validated and saved; the second takes the place of the first.
const CONFIG: &str = r#"
name = "tiny"

[data]
source = "src"
target = "tgt"
train = "text"
valid = "text"

[tokenizer]
kind = "chars"
vocabulary = 20

[model]
d_model = 8
encoder_layers = 1
decoder_layers = 1
n_heads = 1
d_ff = 8

[training]
batch_tokens = 20
stop_after = "2u"
ema = 0.5
schedule = { kind = "constant", peak = 1e-2 }

[validation]
every = "1u"
metric = "loss"
keep_best = 1
keep_last = 1

[decoding]
max_length_ratio = 1.0
"#;

struct Silence;

impl Progress for Silence {
    fn begin(&self, _label: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}

impl Console for Silence {
    fn message(&self, _text: &str) {}
    fn log_line(&self, _text: &str) {}
    fn training(&self, _status: &TrainingStatus) {}
    fn training_paused(&self) {}
}

/// A folder with a corpus of a few lines.
fn corpus() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.src"), "abc\nbca\ncab\nbac\n").unwrap();
    fs::write(folder.path().join("text.tgt"), "cba\nacb\nbac\ncab\n").unwrap();
    folder
}

fn options(folder: &Path, run: &str) -> TrainOptions {
    TrainOptions {
        config: Config::from_toml(CONFIG, &folder.join("tiny.toml"), &[]).unwrap(),
        run: RunFolder::new(folder.join(run)),
        device: Device::flex(),
        device_name: "flex".into(),
        fresh: false,
        stop: Arc::default(),
    }
}

/// All files of a run that do not depend on the clock.
fn files_of(run: &RunFolder) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![run.root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(run.root()).unwrap().to_string_lossy().into_owned();
            let clock = ["metrics.jsonl", "validations.tsv", "train.log", ".lock"].contains(&&*name);
            if path.is_dir() {
                folders.push(path);
            } else if !clock && !name.starts_with("events.") {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn a_run_that_died_at_any_write_of_a_checkpoint_ends_in_the_same_bytes() {
    let folder = corpus();
    let whole = options(folder.path(), "whole");
    assert_eq!(train(&whole, &Silence).unwrap().end, End::Finished);
    let expected = files_of(&whole.run);
    for calls in 1.. {
        let options = options(folder.path(), &format!("died-{calls}"));
        let ended = crash::dies_after(calls, || train(&options, &Silence).unwrap());
        train(&options, &Silence).unwrap();
        let found = files_of(&options.run);
        assert!(found.keys().eq(expected.keys()), "call {calls}: {:?}", found.keys());
        let differs = found.iter().find(|(name, bytes)| expected[*name] != **bytes);
        assert!(differs.is_none(), "call {calls}: {differs:?}");
        fs::remove_dir_all(options.run.root()).unwrap();
        if ended.is_some() {
            assert!(calls > 60, "only {calls} system calls were tried");
            break;
        }
    }
}
