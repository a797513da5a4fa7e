//! A small corpus, a small config, and the `ember` command in a folder of its own.
#![allow(dead_code)] // Each test file uses a part.

pub mod browser;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder with `small.toml` and its corpora; removed at the end.
pub struct Workplace {
    folder: TempDir,
}

/// Twelve updates on a task that a small model can learn: the words of a sentence in reverse order.
const CONFIG: &str = r#"
name = "small"

[data]
source = "src"
target = "tgt"
train = "train"
valid = "valid"
test = { test = "test" }
max_length = 40

[tokenizer]
kind = "bpe"
vocabulary = 300

[model]
d_model = 32
encoder_layers = 1
decoder_layers = 1
n_heads = 2
d_ff = 64
dropout = 0.1

[training]
batch_tokens = 256
stop_after = "12u"
schedule = { kind = "inverse-sqrt", peak = 3e-3, warmup = 5 }
clip_norm = 1.0

[validation]
every = "4u"
samples = 2
"#;

impl Workplace {
    pub fn new() -> Self {
        let workplace = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        for (name, lines, seed) in [("train", 400, 1), ("valid", 20, 2), ("test", 20, 3)] {
            let (source, target) = reversed_sentences(lines, seed);
            workplace.write(&format!("{name}.src"), &source);
            workplace.write(&format!("{name}.tgt"), &target);
        }
        workplace.write("small.toml", CONFIG);
        workplace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a file in a temporary folder");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The command, to be run in this folder.
    pub fn ember(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ember"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("RUST_BACKTRACE", "1");
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::new(self.ember(arguments).output().expect("the ember command"))
    }

    /// Trains `small.toml` into `runs/<run>` with more arguments.
    pub fn train(&self, run: &str, more: &[&str]) -> Outcome {
        let folder = format!("runs/{run}");
        self.run(&[&["train", "small.toml", "--device", "flex", "--run-dir", &folder], more].concat())
    }

    /// The loss of every update of a run.
    pub fn losses(&self, run: &str) -> Vec<f64> {
        let metrics = self.read(&format!("runs/{run}/metrics.jsonl"));
        let loss =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a JSON object")["loss"].as_f64();
        metrics.lines().map(|line| loss(line).expect("a loss")).collect()
    }
}

/// What a command left behind.
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn new(output: Output) -> Self {
        let outcome = Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        outcome
    }

    /// The command must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The command must have failed with exit code 1 and these words on stderr.
    #[track_caller]
    pub fn fails_with(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for words in words {
            assert!(self.stderr.contains(words), "{words:?} is not in: {}", self.stderr);
        }
        self
    }
}

/// Numbers from 0 to below what is asked for, the same for the same seed.
pub fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Sentences of words `a0`, `b3` and so on, and the same words in reverse order.
fn reversed_sentences(lines: usize, seed: u64) -> (String, String) {
    let mut next = random(seed);
    let (mut source, mut target) = (String::new(), String::new());
    for _ in 0..lines {
        let words: Vec<String> = (0..3 + next(8))
            .map(|_| format!("{}{}", (b'a' + next(6) as u8) as char, next(5)))
            .collect();
        let _ = writeln!(source, "{}", words.join(" "));
        let _ = writeln!(
            target,
            "{}",
            words.iter().rev().map(String::as_str).collect::<Vec<_>>().join(" ")
        );
    }
    (source, target)
}

/// Every file of a folder that must not depend on when or how often a run was started, with its content.
pub fn reproducible_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    files.sort();
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
    {
        let name = entry
            .strip_prefix(root)
            .expect("below the root")
            .to_string_lossy()
            .into_owned();
        if entry.is_dir() {
            collect(root, &entry, files);
        } else if name == "metrics.jsonl" {
            files.push((name, without_clock_json(&entry)));
        } else if name == "validations.tsv" {
            files.push((name, without_clock_tsv(&entry)));
        } else if name != "train.log" && name != ".lock" && !name.starts_with("events.") {
            files.push((name, std::fs::read(&entry).expect("a file")));
        }
    }
}

fn depends_on_the_clock(field: &str) -> bool {
    field.contains("seconds") || field.contains("per_second")
}

fn without_clock_json(path: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(path).expect("text");
    let line = |line: &str| {
        let mut value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("a JSON object");
        value.retain(|field, _| !depends_on_the_clock(field));
        serde_json::to_string(&value).expect("JSON") + "\n"
    };
    text.lines().map(line).collect::<String>().into_bytes()
}

fn without_clock_tsv(path: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(path).expect("text");
    let header: Vec<&str> = text.lines().next().unwrap_or_default().split('\t').collect();
    let row = |line: &str| {
        let kept = line
            .split('\t')
            .zip(&header)
            .filter(|(_, field)| !depends_on_the_clock(field));
        kept.map(|(value, _)| value).collect::<Vec<_>>().join("\t") + "\n"
    };
    text.lines().map(row).collect::<String>().into_bytes()
}

/// Compares two runs file by file.
#[track_caller]
pub fn assert_same_run(one: &Path, two: &Path) {
    let (one, two) = (reproducible_files(one), reproducible_files(two));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one), names(&two));
    for ((name, one), (_, two)) in one.iter().zip(&two) {
        assert!(
            one == two,
            "{name} differs:\n{}\n{}",
            String::from_utf8_lossy(one),
            String::from_utf8_lossy(two)
        );
    }
}

/// Begins to train `small.toml` into `runs/<run>`.
pub fn start(work: &Workplace, run: &str, more: &[&str]) -> Child {
    let folder = format!("runs/{run}");
    let arguments = [&["train", "small.toml", "--device", "flex", "--run-dir", &folder], more].concat();
    work.ember(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the ember command")
}

/// Whether the process ended by itself in time; it must have succeeded then.
pub fn wait_at_most(child: &mut Child, time: Duration) -> bool {
    let started = Instant::now();
    while started.elapsed() < time {
        if let Some(status) = child.try_wait().expect("a child's status") {
            assert!(status.success(), "{status}");
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

/// Waits until a run has made so many updates.
pub fn wait_for_updates(work: &Workplace, run: &str, updates: usize) {
    let metrics = work.path(&format!("runs/{run}/metrics.jsonl"));
    let started = Instant::now();
    while std::fs::read_to_string(&metrics).unwrap_or_default().lines().count() < updates {
        assert!(started.elapsed() < Duration::from_secs(120), "the run does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks a process to stop.
pub fn terminate(child: &Child) {
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.expect("the kill command").success());
}

/// Removes the folder of a workplace that lives in a `static`, which Rust never drops, when the process ends.
pub fn remove_at_exit(work: &Workplace) {
    static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    extern "C" fn remove() {
        for folder in FOLDERS.lock().iter().flat_map(|folders| folders.iter()) {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
    unsafe extern "C" {
        safe fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
    }
    let mut folders = FOLDERS.lock().expect("nobody panics while holding it");
    if folders.is_empty() {
        atexit(remove);
    }
    folders.push(work.path(""));
}
