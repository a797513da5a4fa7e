use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::files::{self, Resumable, clean_up, find_resumable, list, prune, verify, verify_file, write_checkpoint};
use super::lock::RunLock;
use super::manifest::Manifest;
use super::pointers::{Pointer, resolve};
use super::*;

fn write(checkpoints: &Path, update: u64, text: &str) -> PathBuf {
    let files: [(&str, &[u8]); 2] = [("model.safetensors", text.as_bytes()), ("state.json", b"{}\n")];
    write_checkpoint(checkpoints, update, &files).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_checkpoint_has_its_files_and_their_sums() {
    let run = tempfile::tempdir().unwrap();
    let checkpoints = run.path().join("checkpoints");
    let folder = write(&checkpoints, 500, "weights");
    assert_eq!(folder, checkpoints.join("500"));
    assert_eq!(names(&folder), ["manifest.json", "model.safetensors", "state.json"]);
    let manifest = verify(&folder).unwrap();
    assert_eq!(manifest.files["model.safetensors"].bytes, 7);
    assert_eq!(
        manifest.files["model.safetensors"].blake3,
        blake3::hash(b"weights").to_hex().to_string()
    );
    assert_eq!(names(&checkpoints), ["500"]);
}

/// The weights can be used whatever became of the rest.
#[test]
fn one_file_is_checked_without_the_others() {
    let run = tempfile::tempdir().unwrap();
    let folder = write(run.path(), 500, "weights");
    fs::write(folder.join("state.json"), "damaged").unwrap();
    verify(&folder).unwrap_err();
    verify_file(&folder, "model.safetensors").unwrap();
    let message = verify_file(&folder, "state.json").unwrap_err().to_string();
    assert!(
        message.contains("state.json") && message.contains("hint: "),
        "{message}"
    );
    verify_file(&folder, "optimizer.safetensors").unwrap_err();
}

#[test]
fn a_pointer_to_nothing_is_named() {
    let run = tempfile::tempdir().unwrap();
    let checkpoints = run.path().join("checkpoints");
    write(&checkpoints, 500, "weights");
    Pointer::Best.write(&checkpoints, 777).unwrap();
    let message = resolve(run.path(), "best").unwrap_err().to_string();
    assert!(message.contains("\"best\" names the checkpoint 777"), "{message}");
    assert!(message.contains("there are 500"), "{message}");
}

#[test]
fn an_older_checkpoint_of_the_same_update_is_replaced() {
    let run = tempfile::tempdir().unwrap();
    write(run.path(), 500, "old");
    let folder = write(run.path(), 500, "new");
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), b"new");
    verify(&folder).unwrap();
    assert_eq!(names(run.path()), ["500"]);
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_nothing() {
    let run = tempfile::tempdir().unwrap();
    write(run.path(), 500, "old");
    // The first file can be written, the second cannot: its folder is missing.
    let files: [(&str, &[u8]); 2] = [("model.safetensors", b"new"), ("missing/state.json", b"{}")];
    let error = write_checkpoint(run.path(), 500, &files).unwrap_err().to_string();
    assert!(error.starts_with("cannot create "), "{error}");
    assert_eq!(names(run.path()), ["500"]);
    verify(&run.path().join("500")).unwrap();
}

/// Saves as training does: the checkpoint, the pointers, and away with what is no longer wanted.
fn save(checkpoints: &Path, update: u64, text: &str) {
    write(checkpoints, update, text);
    Pointer::Last.write(checkpoints, update).unwrap();
    Pointer::Best.write(checkpoints, update).unwrap();
    prune(checkpoints, &BTreeSet::from([update])).unwrap();
}

/// What a start finds: the newest intact checkpoint, and what its model holds.
fn found(checkpoints: &Path) -> (u64, String) {
    clean_up(checkpoints).unwrap();
    let (resumable, warnings) = find_resumable(checkpoints).unwrap();
    assert_eq!(warnings, [""; 0], "nothing is half there");
    let resumable = resumable.expect("an intact checkpoint");
    let model = fs::read_to_string(resumable.folder.join("model.safetensors")).unwrap();
    (resumable.update, model)
}

#[test]
fn after_a_death_at_any_write_there_is_a_whole_checkpoint() {
    let mut seen = BTreeSet::new();
    for calls in 1.. {
        let run = tempfile::tempdir().unwrap();
        save(run.path(), 1, "one");
        let whole = crash::dies_after(calls, || save(run.path(), 2, "two")).is_some();
        let (update, model) = found(run.path());
        assert_eq!(model, if update == 1 { "one" } else { "two" }, "call {calls}");
        seen.insert((update, list(run.path()).unwrap()));
        // The start that follows makes up for what was missing.
        save(run.path(), 2, "two");
        assert_eq!(found(run.path()), (2, "two".into()), "call {calls}");
        assert_eq!(names(run.path()), ["2", "best", "last"], "call {calls}");
        if whole {
            assert!(calls > 20, "only {calls} system calls were tried");
            break;
        }
    }
    assert_eq!(seen, BTreeSet::from([(1, vec![1]), (2, vec![1, 2]), (2, vec![2])]));
}

#[test]
fn after_a_death_while_a_checkpoint_is_replaced_it_is_the_old_or_the_new_one() {
    let mut seen = BTreeSet::new();
    for calls in 1.. {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), 7, "old");
        let whole = crash::dies_after(calls, || write(run.path(), 7, "new")).is_some();
        let (update, model) = found(run.path());
        assert_eq!(update, 7, "call {calls}");
        assert_eq!(names(run.path()), ["7"], "call {calls}");
        seen.insert(model);
        if whole {
            break;
        }
    }
    assert_eq!(seen, BTreeSet::from(["new".to_owned(), "old".to_owned()]));
}

#[test]
fn a_full_disk_is_told_with_a_hint() {
    let full: io::Result<()> = Err(io::ErrorKind::StorageFull.into());
    let error = full
        .during("write", Path::new("model.safetensors"))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("cannot write model.safetensors: "), "{error}");
    assert!(error.contains("hint: free some space"), "{error}");
}

#[test]
fn damage_names_the_file_and_the_newest_intact_checkpoint() {
    let run = tempfile::tempdir().unwrap();
    for update in [100, 200, 1000] {
        write(run.path(), update, "weights");
    }
    let newest = run.path().join("1000");
    let model = newest.join("model.safetensors");
    let told = |text: &str| {
        let error = verify(&newest).unwrap_err().to_string();
        assert!(error.starts_with(&model.display().to_string()), "{error}");
        assert!(error.contains(text), "{error}");
        assert!(
            error.ends_with("hint: the newest intact checkpoint is 200: --checkpoint 200"),
            "{error}"
        );
    };
    fs::write(&model, "Weights").unwrap();
    told("its BLAKE3 sum is");
    fs::write(&model, "weight").unwrap();
    told("it has 6 bytes, 7 were written");
    fs::remove_file(&model).unwrap();
    told("the file is missing");
    let (found, warnings) = find_resumable(run.path()).unwrap();
    assert_eq!(
        found,
        Some(Resumable {
            update: 200,
            folder: run.path().join("200")
        })
    );
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("the file is missing"), "{warnings:?}");
}

#[test]
fn damaged_manifests_are_told() {
    let run = tempfile::tempdir().unwrap();
    let folder = write(run.path(), 100, "weights");
    for text in [
        "",
        "{",
        "{\"format\": 2, \"program\": \"9.0\", \"files\": {}}",
        &"[".repeat(100_000),
    ] {
        fs::write(folder.join("manifest.json"), text).unwrap();
        let error = verify(&folder).unwrap_err().to_string();
        assert!(
            error.ends_with("no other checkpoint of this run is intact; start over with --fresh"),
            "{error}"
        );
        let error = Manifest::read(&folder).unwrap_err().to_string();
        assert!(
            error.ends_with("hint: choose another one of the run by --checkpoint"),
            "{error}"
        );
    }
    let outside = r#"{"format": 1, "program": "0", "files": {"../x": {"bytes": 0, "blake3": ""}}}"#;
    fs::write(folder.join("manifest.json"), outside).unwrap();
    assert!(
        verify(&folder)
            .unwrap_err()
            .to_string()
            .contains("is not the name of a file")
    );
    assert!(
        find_resumable(run.path()).is_err(),
        "no checkpoint is intact, and the run must not silently begin anew"
    );
    fs::remove_file(folder.join("manifest.json")).unwrap();
    assert!(matches!(verify(&folder), Err(CheckpointError::Missing { .. })));
}

#[test]
fn only_complete_checkpoints_are_listed() {
    let run = tempfile::tempdir().unwrap();
    for update in [1000, 200, 30] {
        write(run.path(), update, "weights");
    }
    for name in ["40", "050", ".tmp-60-1", "average", "best.txt"] {
        fs::create_dir(run.path().join(name)).unwrap();
    }
    assert_eq!(list(run.path()).unwrap(), [30, 200, 1000]);
    assert_eq!(list(&run.path().join("nowhere")).unwrap(), [0; 0]);
    assert_eq!(find_resumable(&run.path().join("nowhere")).unwrap(), (None, vec![]));
}

#[test]
fn an_average_is_no_number_and_stays() {
    let run = tempfile::tempdir().unwrap();
    let checkpoints = run.path().join("checkpoints");
    write(&checkpoints, 7, "weights");
    for text in [&b"first"[..], b"again"] {
        files::write_named(&checkpoints, "average", &[("model.safetensors", text)]).unwrap();
    }
    prune(&checkpoints, &BTreeSet::from([7])).unwrap();
    assert_eq!(names(&checkpoints), ["7", "average"]);
    assert_eq!(list(&checkpoints).unwrap(), [7]);
    let average = resolve(run.path(), "average").unwrap();
    verify(&average).unwrap();
    assert_eq!(fs::read(average.join("model.safetensors")).unwrap(), b"again");
}

#[test]
fn pruning_keeps_what_is_named() {
    let run = tempfile::tempdir().unwrap();
    for update in 1..=5 {
        write(run.path(), update, "weights");
    }
    fs::create_dir(run.path().join("average")).unwrap();
    prune(run.path(), &BTreeSet::from([2, 5, 9])).unwrap();
    assert_eq!(names(run.path()), ["2", "5", "average"]);
}

#[test]
fn cleaning_up_removes_torn_folders_and_restores_a_checkpoint_set_aside() {
    let run = tempfile::tempdir().unwrap();
    for update in [1, 2, 3] {
        write(run.path(), update, "weights");
    }
    // No process has a number above Linux' limit of 4194304.
    fs::rename(run.path().join("1"), run.path().join(".old-1-5000077")).unwrap();
    fs::create_dir(run.path().join(".old-2-5000077")).unwrap();
    fs::create_dir(run.path().join(".tmp-4-5000077")).unwrap();
    fs::write(run.path().join(".tmp-4-5000077/model.safetensors"), "wei").unwrap();
    fs::write(run.path().join(".tmp-best-5000077"), "3").unwrap();
    fs::write(run.path().join(".tmp-tokenizer-x1Mbr0"), "{").unwrap();
    // One of a process that lives: number 1 always does.
    fs::create_dir(run.path().join(".tmp-average-1")).unwrap();
    fs::create_dir(run.path().join(".old-average-1")).unwrap();
    fs::create_dir(run.path().join(".tmp-4-1")).unwrap();
    clean_up(run.path()).unwrap();
    let busy = if cfg!(target_os = "linux") {
        vec![".old-average-1", ".tmp-average-1"]
    } else {
        vec![]
    };
    assert_eq!(names(run.path()), [busy, vec!["1", "2", "3"]].concat());
    verify(&run.path().join("1")).unwrap();
    clean_up(&run.path().join("nowhere")).unwrap();
}

#[test]
fn pointers_and_numbers_find_their_checkpoint() {
    let run = tempfile::tempdir().unwrap();
    let checkpoints = run.path().join("checkpoints");
    assert!(
        resolve(run.path(), "best")
            .unwrap_err()
            .to_string()
            .contains("there are no checkpoints yet")
    );
    for update in [100, 200] {
        write(&checkpoints, update, "weights");
    }
    assert_eq!(resolve(run.path(), "best").unwrap(), files::folder(&checkpoints, 200));
    Pointer::Best.write(&checkpoints, 100).unwrap();
    Pointer::Last.write(&checkpoints, 200).unwrap();
    assert_eq!(Pointer::Best.read(&checkpoints).unwrap(), Some(100));
    for (name, update) in [("best", 100), ("last", 200), ("200", 200)] {
        assert_eq!(resolve(run.path(), name).unwrap(), files::folder(&checkpoints, update));
    }
    let folder = checkpoints.join("100");
    assert_eq!(resolve(run.path(), folder.to_str().unwrap()).unwrap(), folder);
    let path = |name: &str| run.path().join(name).to_str().unwrap().to_owned();
    for (path, update) in [
        (path("checkpoints/last"), 200),
        (path("checkpoints/best"), 100),
        (path(""), 100),
    ] {
        let found = resolve(Path::new("elsewhere"), &path).unwrap();
        assert_eq!(found, files::folder(&checkpoints, update), "{path}");
    }
    for name in ["300", "bset", "average", "", "99999999999999999999999"] {
        let error = resolve(run.path(), name).unwrap_err().to_string();
        assert!(error.ends_with("hint: there are 100, 200"), "{error}");
    }
    fs::write(checkpoints.join("best"), "x").unwrap();
    assert!(
        resolve(run.path(), "best")
            .unwrap_err()
            .to_string()
            .contains("is not the number of a checkpoint")
    );
}

#[test]
fn a_run_folder_has_one_owner() {
    let run = tempfile::tempdir().unwrap();
    let lock = RunLock::acquire(&run.path().join("run")).unwrap();
    let error = RunLock::acquire(&run.path().join("run")).unwrap_err().to_string();
    let number = std::process::id();
    assert!(
        error.starts_with(&format!("another process (number {number}) is training in ")),
        "{error}"
    );
    drop(lock);
    RunLock::acquire(&run.path().join("run")).unwrap();
}
