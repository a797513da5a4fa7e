//! Batches one after another, without end, prepared while the model computes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use super::Batch;
use super::order::{BatchOptions, Plan, Position, window_with_pairs};
use crate::store::TokenStore;

/// Batches waiting to be taken.
const PREPARED: usize = 4;

/// The batches from a [`Position`] on, each with the position after it. Never ends: after an epoch comes the next.
///
/// One thread plans the next window, one fills the next batches. Dropping the stream ends both.
pub struct BatchStream {
    batches: Option<Receiver<(Batch, Position)>>,
    threads: Vec<JoinHandle<()>>,
}

impl BatchStream {
    /// Starts at `position`, which is the default for the first batch of all.
    pub fn new(store: Arc<TokenStore>, options: BatchOptions, position: Position) -> Self {
        let (plan_sender, plans) = sync_channel::<Planned>(1);
        let (batch_sender, batches) = sync_channel(PREPARED);

        let planning = Arc::clone(&store);
        let planner = move || {
            for planned in planned_from(&planning, &options, position) {
                if plan_sender.send(planned).is_err() {
                    return;
                }
            }
        };
        let filler = move || {
            for item in plans.into_iter().flat_map(|planned| planned.into_batches(&store)) {
                if batch_sender.send(item).is_err() {
                    return;
                }
            }
        };
        Self {
            batches: Some(batches),
            threads: vec![std::thread::spawn(planner), std::thread::spawn(filler)],
        }
    }
}

impl Iterator for BatchStream {
    type Item = (Batch, Position);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(Ok(item)) = self.batches.as_ref().map(Receiver::recv) {
            return Some(item);
        }
        // The threads end by themselves only if one of them panicked: pass that on.
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        None
    }
}

impl Drop for BatchStream {
    fn drop(&mut self) {
        // Without a receiver the next send fails, in one thread and then in the other.
        self.batches = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A window, and where in it to begin.
pub(super) struct Planned {
    plan: Plan,
    /// Position of the first batch to take.
    from: Position,
    /// Position behind the last batch.
    next: Position,
}

impl Planned {
    pub(super) fn into_batches(self, store: &TokenStore) -> impl Iterator<Item = (Batch, Position)> + '_ {
        (self.from.batch as usize..self.plan.batches.len()).map(move |number| {
            let after = if number + 1 < self.plan.batches.len() {
                Position {
                    batch: number as u64 + 1,
                    ..self.from
                }
            } else {
                self.next
            };
            (self.plan.batch(store, number), after)
        })
    }
}

/// The windows from `position` on. A position outside of the epoch, as other options would give, moves to the next.
///
/// Never ends, and finds no window at all where the mixture shows no pair on average.
pub(super) fn planned_from<'a>(
    store: &'a TokenStore,
    options: &'a BatchOptions,
    position: Position,
) -> impl Iterator<Item = Planned> + 'a {
    let mut next = position;
    std::iter::from_fn(move || {
        let from = loop {
            match window_with_pairs(store, options, next.epoch, next.window) {
                Some(window) if window == next.window => break next,
                Some(window) => {
                    break Position {
                        window,
                        batch: 0,
                        ..next
                    };
                }
                None => next = epoch_behind(next),
            }
        };
        next = match window_with_pairs(store, options, from.epoch, from.window + 1) {
            Some(window) => Position {
                window,
                batch: 0,
                ..from
            },
            None => epoch_behind(from),
        };
        Some(Planned {
            plan: Plan::new(store, options, from.epoch, from.window),
            from,
            next,
        })
    })
}

/// The beginning of the next epoch.
fn epoch_behind(position: Position) -> Position {
    Position {
        epoch: position.epoch + 1,
        ..Position::default()
    }
}
