//! SIGINT and SIGTERM ask for a checkpoint and a clean end; a second one ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit code of a process that a second signal ended, as shells report SIGINT.
const KILLED: i32 = 130;

/// A flag that turns true at the first signal.
pub fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the second signal finds the flag set, the first one sets it.
        flag::register_conditional_shutdown(signal, KILLED, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .context("cannot listen for signals")?;
    }
    Ok(stop)
}
