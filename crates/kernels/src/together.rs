//! Work that consists of many operations, on the pool's threads.
//!
//! A thread of the pool that finds no task falls asleep after some microseconds. To wake it can take a hundred, longer than
//! many operations take. While work is under way, the other threads therefore go on looking for tasks, also where only
//! one thread has something to do.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use burn::prelude::*;
use rayon::{BroadcastContext, Yield};

use crate::cpu::is_fused;

/// How long a thread looks for tasks in vain before it may sleep.
const PATIENCE: Duration = Duration::from_millis(5);
/// How often it looks before it lets other programs have the CPU for a moment, should they want it.
const LOOKS: usize = 64;

/// Does work that consists of many operations: where they run fused on a thread of the pool, so that each operation
/// shares its tasks out from within, and otherwise on this thread.
///
/// One work at a time is on the pool. Two could come to lie on one thread's stack, where the lower one waits for the
/// upper one, with whatever it holds.
pub fn together<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    static CPUS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    if !is_fused(device) || TAKEN.swap(true, Ordering::Acquire) {
        return work();
    }
    let _taken = Unset(&TAKEN);
    let is_under_way = AtomicBool::new(true);
    // With more threads than CPUs, those beyond would only take time from the others.
    let wakeful = AtomicUsize::new(*CPUS - 1);
    rayon::scope(|scope| {
        let this = rayon::current_thread_index();
        let _under_way = Unset(&is_under_way);
        let (is_under_way, wakeful) = (&is_under_way, &wakeful);
        scope.spawn_broadcast(move |_, thread: BroadcastContext| {
            let one_less = |left: usize| left.checked_sub(1);
            if Some(thread.index()) != this
                && wakeful
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                    .is_ok()
            {
                stay_awake(is_under_way);
            }
        });
        work()
    })
}

/// Does tasks as they come, as long as the work goes on.
///
/// It ends when none have come for a while, so that what this thread did before, which may lie below on its stack, is
/// not held up for long.
fn stay_awake(is_under_way: &AtomicBool) {
    let mut last = Instant::now();
    let mut looks = 0;
    while is_under_way.load(Ordering::Acquire) {
        match rayon::yield_now() {
            Some(Yield::Executed) => last = Instant::now(),
            _ if last.elapsed() > PATIENCE => return,
            _ => {
                looks += 1;
                if looks % LOOKS == 0 {
                    std::thread::yield_now();
                } else {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

/// Sets it to false in the end, also if there is a panic.
struct Unset<'a>(&'a AtomicBool);

impl Drop for Unset<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// Works beside each other, inside each other and inside parallel loops all come to their end, and a panic frees
    /// the pool.
    #[test]
    fn works_together_come_to_an_end() {
        let device = Device::flex();
        let count = |numbers: usize| together(&device, || (0..numbers).into_par_iter().map(|x| x % 7).sum::<usize>());
        let expected = count(10_000);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..200).for_each(|_| assert_eq!(count(10_000), expected)));
            }
        });
        let sums: Vec<usize> = (0..64).into_par_iter().map(|_| count(10_000)).collect();
        assert!(sums.iter().all(|sum| *sum == expected));
        assert_eq!(together(&device, || count(10_000)), expected);
        let panicked = std::panic::catch_unwind(|| together(&Device::flex(), || panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(count(10_000), expected);
    }

    /// A thread that has looked in vain for long enough goes, though the work goes on.
    #[test]
    fn nobody_waits_for_ever() {
        let began = Instant::now();
        stay_awake(&AtomicBool::new(true));
        assert!(began.elapsed() > PATIENCE);
    }
}
