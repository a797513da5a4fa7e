//! SIGINT and SIGTERM ask for a checkpoint and a clean end; a second one, a moment later, ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Exit code of a process that a second signal ended, as shells report SIGINT.
const KILLED: i32 = 130;

/// Signals this soon after the first are the same wish: a terminal or `timeout` may send one to a process and to its group.
const SAME_WISH: Duration = Duration::from_secs(1);

/// A flag that turns true at the first signal.
pub fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let flag = stop.clone();
    std::thread::spawn(move || {
        let mut first = None;
        for _ in signals.forever() {
            flag.store(true, Ordering::Relaxed);
            if first.get_or_insert_with(Instant::now).elapsed() > SAME_WISH {
                std::process::exit(KILLED);
            }
        }
    });
    Ok(stop)
}
