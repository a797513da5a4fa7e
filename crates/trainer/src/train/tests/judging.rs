//! Validations: which checkpoint is the best, what is kept, and what counts.

use super::*;

const THREE: [&str; 3] = [
    "training.stop_after=3u",
    "validation.keep_best=3",
    "validation.metric=chrf",
];

/// A run of three updates with a best checkpoint for each metric: 1 by chrF, 2 by BLEU, 3 by loss.
fn run_of_three(folder: &Path) -> TrainOptions {
    let options = options_with(folder, "run", &THREE);
    train(&options, &Silence).unwrap();
    change_state(&options.run.checkpoints().join("3"), |state| {
        let values = [(1.0, 9.0, 3.0), (2.0, 8.0, 2.0), (1.5, 7.0, 1.0)];
        for (scored, (bleu, chrf, nll)) in state.kept.iter_mut().zip(values) {
            scored.values = Some(Values::new(bleu, chrf, nll));
            scored.score = chrf;
        }
        state.best = Some(state.kept[0]);
    });
    options
}

#[test]
fn another_metric_and_back_loses_no_checkpoint() {
    let folder = corpus();
    let by_chrf = run_of_three(folder.path());
    let by = |metric: &str| {
        let metric = format!("validation.metric={metric}");
        options_with(folder.path(), "run", &[THREE[0], "validation.keep_best=1", &metric])
    };
    for (metric, expected) in [("chrf", 1), ("loss", 3), ("loss", 3), ("bleu", 2), ("chrf", 1)] {
        let options = by(metric);
        assert_eq!(train(&options, &Silence).unwrap().end, End::Finished);
        assert_eq!(best(&options.run), expected, "{metric}");
        assert_eq!(files::list(&options.run.checkpoints()).unwrap(), [1, 2, 3], "{metric}");
        let state = State::<Position>::read(&options.run.checkpoints().join("3")).unwrap();
        assert_eq!(state.best.map(|best| best.update), Some(expected), "{metric}");
        assert_eq!(
            average(&options.run, Selection::Best(1)).unwrap(),
            [expected],
            "{metric}"
        );
    }
    assert_eq!(
        log(&by_chrf.run)
            .matches("validations are judged otherwise than before; the best")
            .count(),
        3
    );
    assert_eq!(
        validations(&by_chrf.run, ["update", "metric"]).len(),
        3,
        "none was made again"
    );
}

#[test]
fn validations_without_the_new_metrics_value_are_made_again_before_one_is_pruned() {
    let folder = corpus();
    let options = run_of_three(folder.path());
    // As the first version of state.json has them.
    change_state(&options.run.checkpoints().join("3"), |state| {
        state.yardsticks = None;
        state.kept.iter_mut().for_each(|scored| scored.values = None);
        state.best = Some(state.kept[0]);
    });
    train(&options, &Silence).unwrap();
    let by_loss = options_with(folder.path(), "run", &[THREE[0], "validation.metric=loss"]);
    let stopped = train(&by_loss, &StopsAt::new("validating", 1, &by_loss.stop)).unwrap();
    assert_eq!((stopped.end, best(&by_loss.run)), (End::Interrupted, 1));
    assert_eq!(files::list(&by_loss.run.checkpoints()).unwrap(), [1, 2, 3]);
    by_loss.stop.store(false, Ordering::Relaxed);
    assert_eq!(train(&by_loss, &Silence).unwrap().end, End::Finished);
    assert_eq!(best(&by_loss.run), 3);
    assert_eq!(files::list(&by_loss.run.checkpoints()).unwrap(), [3]);
    let metrics = validations(&by_loss.run, ["update", "metric"]).into_iter();
    assert_eq!(
        metrics.map(|[_, metric]| metric).collect::<Vec<_>>(),
        ["chrf", "chrf", "loss"]
    );
}

#[test]
fn what_judges_otherwise_makes_a_validation_due() {
    let folder = corpus();
    let run = |set: &[&str]| {
        let options = options_with(folder.path(), "run", &[&["validation.metric=bleu"], set].concat());
        assert_eq!(train(&options, &Silence).unwrap().end, End::Finished);
        (
            log(&options.run).matches("are judged otherwise").count(),
            best(&options.run),
        )
    };
    run(&[]);
    assert_eq!(
        run(&["decoding.batch_tokens=64", "decoding.beam=2"]).0,
        0,
        "validation has its own beam"
    );
    let mut set = vec![];
    for (times, more) in [
        "validation.lowercase=true",
        "validation.beam=2",
        "decoding.length_penalty=0.5",
    ]
    .into_iter()
    .enumerate()
    {
        set.push(more);
        assert_eq!(run(&set), (times + 1, 2), "{set:?}");
    }
    fs::copy(folder.path().join("text.src"), folder.path().join("other.src")).unwrap();
    fs::write(folder.path().join("other.tgt"), "cba\nacb\nbac\ncbb\n").unwrap();
    set.push("data.valid=other");
    assert_eq!(run(&set), (4, 2));
}

#[test]
fn a_run_that_goes_back_names_a_best_checkpoint_that_is_there() {
    let folder = corpus();
    let options = run_of_three(folder.path());
    let checkpoints = options.run.checkpoints();
    change_state(&checkpoints.join("2"), |state| {
        state.best = state.kept.first().copied();
        state.to_beat = Some(1e9);
    });
    // The third save pruned the first checkpoint, and then was lost itself.
    fs::remove_dir_all(checkpoints.join("1")).unwrap();
    fs::write(checkpoints.join("3/model.safetensors"), "").unwrap();
    fs::write(checkpoints.join("best"), "1\n").unwrap();
    let shorter = options_with(
        folder.path(),
        "run",
        &[&THREE[1..], &["training.stop_after=2u"]].concat(),
    );
    train(&shorter, &Silence).unwrap();
    assert_eq!(best(&shorter.run), 2);
    train(&options, &Silence).unwrap();
    let state = State::<Position>::read(&checkpoints.join("3")).unwrap();
    assert_eq!(state.to_beat, Some(1e9), "what was reached is still to be beaten");
    assert!([2, 3].contains(&best(&options.run)));
}

#[test]
fn a_validation_belongs_to_the_epoch_of_its_update() {
    let folder = corpus();
    // Every epoch has two batches.
    let set = ["training.batch_tokens=8", "training.stop_after=5u"];
    let options = options_with(folder.path(), "run", &set);
    train(&options, &Silence).unwrap();
    let rows = validations(&options.run, ["update", "epoch"]);
    let rows: Vec<_> = rows
        .iter()
        .map(|[update, epoch]| (update.as_str(), epoch.as_str()))
        .collect();
    assert_eq!(rows, [("1", "1"), ("2", "1"), ("3", "2"), ("4", "2"), ("5", "3")]);
}

#[test]
fn the_end_of_a_run_is_no_validation_that_patience_and_plateau_count() {
    let folder = corpus();
    let plateau = [
        "training.schedule={ kind = \"plateau\", peak = 1e-2, patience = 1 }",
        "validation.every=4u",
        "validation.metric=bleu",
        "validation.keep_last=9",
    ];
    let until = |run: &str, end: &str| {
        let end = format!("training.stop_after={end}");
        let options = options_with(folder.path(), run, &[&plateau[..], &[&end]].concat());
        assert_eq!(train(&options, &Silence).unwrap().end, End::Finished);
        options.run
    };
    let whole = until("whole", "12u");
    until("parts", "6u");
    let parts = until("parts", "12u");
    assert_eq!(files::list(&parts.checkpoints()).unwrap(), [4, 6, 8, 12]);
    for file in [
        "8/model.safetensors",
        "12/model.safetensors",
        "12/optimizer.safetensors",
    ] {
        let [one, other] = [&whole, &parts].map(|run| fs::read(run.checkpoints().join(file)).unwrap());
        assert!(one == other, "{file} differs");
    }
    let state = |run: &RunFolder| State::<Position>::read(&run.checkpoints().join("12")).unwrap();
    let (one, other) = (state(&whole), state(&parts));
    assert_eq!(
        (one.stalled, one.plateau, one.to_beat),
        (other.stalled, other.plateau, other.to_beat)
    );
    assert!(one.plateau.reductions > 0, "the rate was never reduced");
}
