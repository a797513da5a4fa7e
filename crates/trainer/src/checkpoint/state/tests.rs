use super::*;
use crate::checkpoint::by_metric::{Values, Yardsticks};

/// A validation whose values all have the same size.
fn values(score: f64) -> Values {
    Values::new(score, score, score)
}

/// Takes note of a validation that was due.
fn validate<P>(state: &mut State<P>, update: u64, values: Values) -> Option<Outcome> {
    state.update = update;
    state.validation_due = true;
    state.validated(values)
}

fn yardsticks(bleu: &str, chrf: &str, nll: &str) -> Yardsticks {
    Yardsticks {
        bleu: bleu.into(),
        chrf: chrf.into(),
        nll: nll.into(),
    }
}

#[test]
fn a_state_reads_back() {
    let run = tempfile::tempdir().unwrap();
    let mut state = State::new((3u64, 0.1f64), Metric::Loss);
    state.judge_by(Metric::Loss, yardsticks("a", "b", "c"));
    // To the last bit: a best value that is read back a little lower would be beaten by its equal.
    for update in 1..2000 {
        validate(&mut state, update, values(30.0 * (update as f64).sin().exp()));
    }
    validate(&mut state, 2000, values(f64::NAN));
    state.plateau = PlateauState {
        stalled: 2,
        reductions: 3,
    };
    assert!(state.to_beat.is_some() && state.stalled > 0);
    fs::write(run.path().join("state.json"), state.to_json()).unwrap();
    assert!(State::<(u64, f64)>::read(run.path()).unwrap() == state);
    for (text, told) in [
        ("{}", "missing field"),
        ("{\"version\": 2}", "missing field"),
        ("{\"version\": 3}", "its form has version 3, this program reads 1 to 2"),
        ("{\"version\": 0}", "its form has version 0"),
    ] {
        fs::write(run.path().join("state.json"), text).unwrap();
        let error = State::<u64>::read(run.path()).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("\nhint: "), "{error}");
    }
}

/// As version 1 of the form had it.
const STATE_1: &str = r#"{"version": 1, "update": 8, "epoch": 0, "position": null, "source_tokens": 9,
    "target_tokens": 9, "sentences": 3, "skipped": 0, "skipped_in_a_row": 0, "metric": "chrf", "best": {"update": 4, "score": 30.5},
    "stalled": 1, "plateau": {"stalled": 1, "reductions": 0}, "validation_due": false, "validated": [4, 8],
    "kept": [{"update": 4, "score": 30.5}, {"update": 8, "score": 29.0}]}"#;

#[test]
fn a_state_of_an_older_version_goes_on() {
    let run = tempfile::tempdir().unwrap();
    fs::write(run.path().join("state.json"), STATE_1).unwrap();
    let read = || State::<()>::read(run.path()).unwrap();
    let mut state = read();
    assert_eq!((state.version, state.to_beat), (2, Some(30.5)));
    let alike = state.judge_by(Metric::Chrf, yardsticks("a", "b", "c"));
    assert_eq!((alike, state.ranked()), (Judging::AsBefore, vec![4, 8]));
    assert_eq!(validate(&mut state, 12, values(30.0)), Some(Outcome::Stalled));
    assert_eq!(state.ranked(), [4, 12, 8]);
    // By another metric nothing is known of them: the present one is validated again, and none is lost before that.
    let mut state = read();
    let changed = state.judge_by(Metric::Bleu, yardsticks("a", "b", "c"));
    assert_eq!(changed, Judging::Changed { forgotten: 2 });
    assert!(state.validation_due && !state.is_validated());
    assert_eq!((state.best, state.to_beat, state.stalled), (None, None, 0));
    assert_eq!(state.stays(), BTreeSet::from([4, 8]));
    assert_eq!(state.validated(values(1.0)), Some(Outcome::Improved));
    assert_eq!((state.best_there(), state.is_validated()), (Some(8), true));
}

#[test]
fn another_metric_ranks_the_same_validations_anew() {
    let mut state = State::new((), Metric::Chrf);
    state.judge_by(Metric::Chrf, yardsticks("a", "b", "c"));
    for (update, bleu, chrf, nll) in [(4, 3.0, 30.0, 2.0), (8, 2.0, 40.0, 1.9), (12, 2.5, 35.0, 1.8)] {
        validate(&mut state, update, Values::new(bleu, chrf, nll));
    }
    assert_eq!((state.best_there(), state.stalled), (Some(8), 1));
    let before = state.clone();
    for (metric, ranked) in [
        (Metric::Bleu, [4, 12, 8]),
        (Metric::Loss, [12, 8, 4]),
        (Metric::Chrf, [8, 12, 4]),
    ] {
        let judging = state.judge_by(metric, yardsticks("a", "b", "c"));
        assert_eq!(judging, Judging::Changed { forgotten: 0 });
        assert_eq!((state.ranked(), state.best_there()), (ranked.to_vec(), Some(ranked[0])));
        assert!(state.is_validated() && !state.validation_due && state.stalled == 0);
        assert_eq!(state.stays(), before.stays());
    }
    assert_eq!((state.best, state.to_beat), (before.best, Some(40.0)));
    assert_eq!(state.kept, before.kept);
}

#[test]
fn values_that_are_measured_otherwise_now_are_forgotten() {
    let mut state = State::new((), Metric::Bleu);
    state.judge_by(Metric::Bleu, yardsticks("a", "b", "c"));
    validate(&mut state, 4, values(3.0));
    validate(&mut state, 8, values(2.0));
    // What the metric does not depend on changes nothing, but is not to be ranked by later.
    assert_eq!(
        state.judge_by(Metric::Bleu, yardsticks("a", "x", "c")),
        Judging::AsBefore
    );
    assert_eq!((state.ranked(), state.stalled), (vec![4, 8], 1));
    let mut by_loss = state.clone();
    assert_eq!(
        by_loss.judge_by(Metric::Loss, yardsticks("a", "x", "c")),
        Judging::Changed { forgotten: 0 }
    );
    assert_eq!(by_loss.ranked(), [8, 4]);
    let mut by_chrf = state.clone();
    assert_eq!(
        by_chrf.judge_by(Metric::Chrf, yardsticks("a", "x", "c")),
        Judging::Changed { forgotten: 2 }
    );

    assert_eq!(
        state.judge_by(Metric::Bleu, yardsticks("x", "x", "c")),
        Judging::Changed { forgotten: 2 }
    );
    assert_eq!((state.best, state.stalled, state.validation_due), (None, 0, true));
    assert_eq!(state.stays(), BTreeSet::from([4, 8]));
}

#[test]
fn a_validation_that_was_not_due_decides_on_the_best_but_not_on_patience() {
    let mut state = State::new((), Metric::Bleu);
    assert_eq!(validate(&mut state, 4, values(1.0)), Some(Outcome::Improved));
    state.update = 6;
    assert_eq!(state.validated(values(3.0)), None);
    assert_eq!(
        (state.best_there(), state.stalled, state.to_beat),
        (Some(6), 0, Some(1.0))
    );
    // Better than the last one that was due, as it would be in a run that was never stopped.
    assert_eq!(validate(&mut state, 8, values(2.0)), Some(Outcome::Improved));
    assert_eq!((state.best_there(), state.to_beat), (Some(6), Some(2.0)));
    state.update = 10;
    assert_eq!(state.validated(values(1.5)), None);
    assert_eq!(state.stalled, 0);
    assert_eq!(validate(&mut state, 12, values(2.0)), Some(Outcome::Stalled));
}

#[test]
fn the_best_that_there_is_may_not_be_the_best_of_all() {
    let mut state = State::new((), Metric::Bleu);
    for (update, bleu) in [(4, 9.0), (8, 7.0), (12, 8.0)] {
        validate(&mut state, update, values(bleu));
    }
    state.forget_missing(&[8, 12]);
    assert_eq!((state.best_there(), state.stays()), (Some(12), BTreeSet::from([8, 12])));
    assert_eq!(
        validate(&mut state, 16, values(8.5)),
        Some(Outcome::Stalled),
        "4 is still to be beaten"
    );
    state.keep(1, 1);
    assert_eq!((state.best_there(), state.stays()), (Some(16), BTreeSet::from([16])));
}

#[test]
fn the_best_and_the_last_are_kept() {
    let mut state = State::new((), Metric::Bleu);
    let mut outcomes = vec![];
    for (update, bleu) in [(1, 5.0), (2, 9.0), (3, 7.0), (4, 9.0), (5, f64::NAN), (6, 1.0)] {
        outcomes.push(validate(&mut state, update, values(bleu)));
        state.keep(2, 2);
    }
    assert_eq!(
        outcomes[..4],
        [Outcome::Improved, Outcome::Improved, Outcome::Stalled, Outcome::Stalled].map(Some)
    );
    assert_eq!(state.best.map(|best| (best.update, best.score)), Some((2, 9.0)));
    assert_eq!(state.stalled, 4);
    assert_eq!(state.stays(), BTreeSet::from([2, 4, 5, 6]));
    let by_loss = |scores: [f64; 2]| {
        let mut state = State::new((), Metric::Loss);
        scores.map(|score| validate(&mut state, 1, values(score)))
    };
    assert_eq!(by_loss([2.0, 1.0]), [Outcome::Improved, Outcome::Improved].map(Some));
    assert_eq!(
        by_loss([f64::NAN, 1.0]),
        [Outcome::Stalled, Outcome::Improved].map(Some)
    );
}
