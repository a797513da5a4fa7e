mod judging;
mod watchers;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use ember_model::weights::Weights;

use super::*;
use crate::average::{Selection, average};
use crate::checkpoint::by_metric::Values;
use crate::checkpoint::{crash, pointers};
use watchers::{Reader, Silence, StopsAfter, StopsAt};

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

/// A folder with a corpus of a few lines.
fn corpus() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.src"), "abc\nbca\ncab\nbac\n").unwrap();
    fs::write(folder.path().join("text.tgt"), "cba\nacb\nbac\ncab\n").unwrap();
    folder
}

/// The run with some keys of its config set.
fn options_with(folder: &Path, run: &str, set: &[&str]) -> TrainOptions {
    let set: Vec<String> = set.iter().map(|set| set.to_string()).collect();
    TrainOptions {
        config: Config::from_toml(CONFIG, &folder.join("tiny.toml"), &set).unwrap(),
        ..options(folder, run)
    }
}

/// Writes a checkpoint anew with another state.
fn change_state(checkpoint: &Path, change: impl FnOnce(&mut State<Position>)) {
    let mut state = State::read(checkpoint).unwrap();
    change(&mut state);
    let names = ["model.safetensors", "optimizer.safetensors"];
    let [model, optimizer] = names.map(|name| fs::read(checkpoint.join(name)).unwrap());
    let json = state.to_json();
    let contents = [(names[0], &model[..]), (names[1], &optimizer), ("state.json", &json)];
    files::write_checkpoint(checkpoint.parent().unwrap(), state.update, &contents).unwrap();
}

/// The number that `best` names, of a checkpoint that must be there.
#[track_caller]
fn best(run: &RunFolder) -> u64 {
    let best = pointers::resolve(run.root(), "best").unwrap();
    best.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn log(run: &RunFolder) -> String {
    fs::read_to_string(run.root().join("train.log")).unwrap()
}

/// The columns of `validations.tsv` by their names.
fn validations(run: &RunFolder, names: [&str; 2]) -> Vec<[String; 2]> {
    let text = fs::read_to_string(run.root().join("validations.tsv")).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split('\t').collect();
    let places = names.map(|name| header.iter().position(|column| *column == name).unwrap());
    let row = |line: &str| {
        let values: Vec<&str> = line.split('\t').collect();
        places.map(|place| values[place].to_owned())
    };
    text.lines().skip(1).map(row).collect()
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

/// All files of a run that do not depend on the clock, and the rows of `validations.tsv` without its last three columns,
/// which do.
fn files_of(run: &RunFolder) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![run.root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(run.root()).unwrap().to_string_lossy().into_owned();
            let clock = ["metrics.jsonl", "train.log", ".lock"].contains(&&*name);
            if path.is_dir() {
                folders.push(path);
            } else if name == "validations.tsv" {
                let text = fs::read_to_string(&path).unwrap();
                let rows = text
                    .lines()
                    .map(|line| line.rsplitn(4, '\t').last().unwrap().to_owned() + "\n");
                files.insert(name, rows.collect::<String>().into_bytes());
            } else if !clock && !name.starts_with("events.") {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[track_caller]
fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    assert!(found.keys().eq(expected.keys()), "{what}: {:?}", found.keys());
    for (name, bytes) in found {
        let text = String::from_utf8_lossy;
        assert!(
            expected[name] == *bytes,
            "{what}: {name}:\n{}\n{}",
            text(&expected[name]),
            text(bytes)
        );
    }
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
        assert_same(&found, &expected, &format!("call {calls}"));
        fs::remove_dir_all(options.run.root()).unwrap();
        if ended.is_some() {
            assert!(calls > 60, "only {calls} system calls were tried");
            break;
        }
    }
}

#[test]
fn a_validation_that_is_cut_short_is_done_again_and_counts_once() {
    let folder = corpus();
    let whole = options(folder.path(), "whole");
    train(&whole, &Silence).unwrap();
    let expected = files_of(&whole.run);
    for time in 1..=2 {
        let stopped = options(folder.path(), &format!("stopped-{time}"));
        let trained = train(&stopped, &StopsAt::new("validating", time, &stopped.stop)).unwrap();
        assert_eq!((trained.end, trained.update), (End::Interrupted, time as u64));
        let state = State::<Position>::read(&stopped.run.checkpoints().join(time.to_string())).unwrap();
        assert!(state.validation_due && !state.is_validated());
        let validations = files_of(&stopped.run).remove("validations.tsv").unwrap();
        assert_eq!(
            String::from_utf8(validations).unwrap().lines().count(),
            time,
            "header and full ones"
        );
        // Stopped at once and stopped again: nothing changes.
        let before = files_of(&stopped.run);
        assert_eq!(train(&stopped, &Silence).unwrap().end, End::Interrupted);
        assert_same(&files_of(&stopped.run), &before, "stopped again");
        stopped.stop.store(false, Ordering::Relaxed);
        assert_eq!(train(&stopped, &Silence).unwrap().end, End::Finished);
        assert_same(
            &files_of(&stopped.run),
            &expected,
            &format!("stopped in validation {time}"),
        );
    }
}

/// The validation stands in `validations.tsv` a moment before the checkpoint that knows of it takes the place of the one
/// that does not.
#[test]
fn a_run_that_dies_while_it_catches_up_on_a_validation_counts_it_once() {
    let folder = corpus();
    let whole = options(folder.path(), "whole");
    train(&whole, &Silence).unwrap();
    let expected = files_of(&whole.run);
    for calls in (1..).step_by(7) {
        let options = options(folder.path(), &format!("died-{calls}"));
        train(&options, &StopsAt::new("validating", 1, &options.stop)).unwrap();
        options.stop.store(false, Ordering::Relaxed);
        let ended = crash::dies_after(calls, || train(&options, &Silence).unwrap());
        train(&options, &Silence).unwrap();
        assert_same(&files_of(&options.run), &expected, &format!("call {calls}"));
        if ended.is_some() {
            break;
        }
    }
}

#[test]
fn preparation_that_is_cut_short_leaves_nothing_half_written() {
    let folder = corpus();
    let sub_words = |run: &str| {
        let set = ["tokenizer.kind=bpe", "tokenizer.vocabulary=300"].map(str::to_owned);
        TrainOptions {
            config: Config::from_toml(CONFIG, &folder.path().join("tiny.toml"), &set).unwrap(),
            ..options(folder.path(), &format!("{run}/run"))
        }
    };
    let whole = sub_words("whole");
    train(&whole, &Silence).unwrap();
    let expected = files_of(&whole.run);
    for label in ["counting words", "learning merges", "hashing", "tokenising"] {
        let stopped = sub_words(label);
        let trained = train(&stopped, &StopsAt::new(label, 1, &stopped.stop)).unwrap();
        assert_eq!((trained.end, trained.update), (End::Interrupted, 0), "{label}");
        let learnt = ["hashing", "tokenising"].contains(&label).then_some("tokenizer.json");
        assert!(files_of(&stopped.run).keys().eq(learnt), "{label}");
        let stores = fs::read_dir(stopped.run.store()).into_iter().flatten();
        let stores: Vec<_> = stores.map(|entry| entry.unwrap().file_name()).collect();
        assert!(stores.iter().all(|name| name == "hashes.json"), "{label}: {stores:?}");
        stopped.stop.store(false, Ordering::Relaxed);
        train(&stopped, &Silence).unwrap();
        assert_same(&files_of(&stopped.run), &expected, label);
    }
}

/// Takes a value off the first tensor of a checkpoint's file whose name begins with `kind`, and gives the folder a
/// manifest that agrees. Gives the tensor's name without `kind`.
fn shorten(checkpoint: &Path, file: &str, kind: &str) -> String {
    let mut weights = crate::weights_file::read(&checkpoint.join(file)).unwrap();
    let (name, weight) = weights.iter_mut().find(|(name, _)| name.starts_with(kind)).unwrap();
    weight.values.pop();
    weight.shape = vec![weight.values.len()];
    let name = name[kind.len()..].to_owned();
    fs::write(checkpoint.join(file), crate::weights_file::to_bytes(&weights)).unwrap();
    let names = ["model.safetensors", "optimizer.safetensors", "state.json"];
    let bytes = names.map(|name| fs::read(checkpoint.join(name)).unwrap());
    let contents = names.into_iter().zip(bytes.iter().map(|bytes| &bytes[..]));
    files::write_checkpoint(checkpoint.parent().unwrap(), 2, &contents.collect::<Vec<_>>()).unwrap();
    name
}

#[test]
fn a_checkpoint_whose_tensors_have_another_size_is_refused() {
    let folder = corpus();
    for (number, (file, kind, told)) in [
        ("optimizer.safetensors", "mean.", " values, the parameter has "),
        ("optimizer.safetensors", "square.", " values, the parameter has "),
        ("optimizer.safetensors", "trained.", ", the model needs ["),
        ("model.safetensors", "", ", the trained parameter has ["),
    ]
    .into_iter()
    .enumerate()
    {
        let options = options(folder.path(), &format!("run-{number}"));
        train(&options, &Silence).unwrap();
        let checkpoint = options.run.checkpoints().join("2");
        let name = shorten(&checkpoint, file, kind);
        let error = train(&options, &Silence).err().expect("a fault").to_string();
        assert!(
            error.starts_with(&format!("{}: ", checkpoint.join(file).display())),
            "{error}"
        );
        assert!(error.contains(told) && error.contains(&name), "{error}");
        assert!(error.contains("hint: remove "), "{error}");
    }
}

#[test]
fn a_run_that_is_stopped_among_skipped_updates_keeps_its_last_good_checkpoint() {
    let folder = corpus();
    let with = |set: &[&str]| options_with(folder.path(), "run", set);
    train(&with(&["training.stop_after=1u"]), &Silence).unwrap();
    // The second update ruins the weights, the third and the fourth are skipped.
    let absurd = "training.schedule={ kind = \"constant\", peak = 1e30 }";
    let ruined = with(&[absurd, "training.stop_after=50u", "validation.every=50u"]);
    let stop = ruined.stop.clone();
    let trained = train(&ruined, &StopsAfter { update: 4, stop }).unwrap();
    assert_eq!((trained.end, trained.update), (End::Interrupted, 4));
    assert_eq!(files::list(&ruined.run.checkpoints()).unwrap(), [1]);
    assert_eq!(
        fs::read_to_string(ruined.run.root().join("train.log"))
            .unwrap()
            .matches("is skipped")
            .count(),
        2
    );

    train(&with(&[]), &Silence).unwrap();
    let whole = options(folder.path(), "whole");
    train(&whole, &Silence).unwrap();
    assert_same(
        &files_of(&ruined.run),
        &files_of(&whole.run),
        "gone on from the last good checkpoint",
    );
}

#[test]
fn a_loss_beyond_all_perplexities_is_warned_of() {
    let folder = corpus();
    let absurd = "training.schedule={ kind = \"constant\", peak = 1e6 }";
    let options = options_with(folder.path(), "run", &[absurd]);
    train(&options, &Silence).unwrap();
    let log = log(&options.run);
    assert!(log.contains("training has diverged; lower the peak"), "{log}");
}

/// A checkpoint of a run with a moving average holds that average, and so it is what is averaged again.
#[test]
fn moving_averages_are_averaged() {
    let folder = corpus();
    let set = ["validation.keep_last=2".to_owned()];
    let options = TrainOptions {
        config: Config::from_toml(CONFIG, &folder.path().join("tiny.toml"), &set).unwrap(),
        ..options(folder.path(), "run")
    };
    train(&options, &Silence).unwrap();
    assert_eq!(average(&options.run, Selection::Updates(vec![2, 1])).unwrap(), [1, 2]);
    let [first, last, mean] = ["1", "2", "average"].map(|name| {
        let path = options.run.checkpoints().join(name).join("model.safetensors");
        crate::weights_file::read(&path).unwrap()
    });
    let values = |weights: &Weights| {
        weights
            .values()
            .flat_map(|weight| weight.values.clone())
            .collect::<Vec<_>>()
    };
    let (first, last) = (values(&first), values(&last));
    assert_ne!(first, last);
    let expected: Vec<f32> = first
        .iter()
        .zip(&last)
        .map(|(a, b)| ((f64::from(*a) + f64::from(*b)) / 2.0) as f32)
        .collect();
    assert_eq!(values(&mean), expected);
}

#[test]
fn skipped_updates_at_the_end_without_a_validation_loss_are_not_kept() {
    let folder = corpus();
    fs::write(folder.path().join("long.src"), "abcabc\n").unwrap();
    fs::write(folder.path().join("long.tgt"), "cbacba\n").unwrap();
    let common = ["data.valid=long", "data.max_length=3", "validation.metric=chrf"];
    let with = |set: &[&str]| options_with(folder.path(), "run", &[&common[..], set].concat());
    train(&with(&["training.stop_after=1u"]), &Silence).unwrap();
    let absurd = "training.schedule={ kind = \"constant\", peak = 1e30 }";
    let ruined = with(&[absurd, "training.stop_after=4u", "validation.every=50u"]);
    let error = train(&ruined, &Silence).err().expect("a fault").to_string();
    assert!(
        error.starts_with("training stopped at update 4: loss or gradient was not finite in the last 2"),
        "{error}"
    );
    assert!(error.contains("checkpoints/1\nhint: "), "{error}");
    assert_eq!(files::list(&ruined.run.checkpoints()).unwrap(), [1]);
}

#[test]
fn training_data_that_cannot_be_compared_is_told() {
    let folder = corpus();
    let options = options(folder.path(), "run");
    train(&options, &Silence).unwrap();
    for content in [None, Some("{")] {
        match content {
            None => fs::remove_file(options.run.data()).unwrap(),
            Some(content) => fs::write(options.run.data(), content).unwrap(),
        }
        let reader = Reader::default();
        train(&options, &reader).unwrap();
        let said = reader.said.into_inner().unwrap();
        let told = |line: &String| line.starts_with("warning: ") && line.contains("data.json cannot be read (");
        assert_eq!(said.iter().filter(|line| told(line)).count(), 1, "{said:?}");
    }
    let reader = Reader::default();
    train(&options, &reader).unwrap();
    let said = reader.said.into_inner().unwrap();
    assert!(!said.iter().any(|line| line.starts_with("warning")), "{said:?}");
}
