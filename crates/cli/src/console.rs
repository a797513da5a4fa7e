//! What is shown while a command works: progress bars on a terminal, lines elsewhere; all on stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use ember_data::Progress;
use ember_trainer::console::{Console, TrainingStatus};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws on the terminal, or prints lines where there is none.
pub struct Terminal {
    bars: MultiProgress,
    /// The long step that is going on.
    step: Mutex<Option<ProgressBar>>,
    /// The training bar.
    training: Mutex<Option<ProgressBar>>,
    is_terminal: bool,
    quiet: bool,
}

impl Terminal {
    /// Everything is shown.
    pub fn new() -> Self {
        Self::with_quiet(false)
    }

    /// Bars only: for commands whose messages would disturb, such as `--json`.
    pub fn quiet() -> Self {
        Self::with_quiet(true)
    }

    fn with_quiet(quiet: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let target = if is_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            step: Mutex::new(None),
            training: Mutex::new(None),
            is_terminal,
            quiet,
        }
    }

    fn print(&self, text: &str) {
        self.bars.suspend(|| print_to_stderr(text));
    }
}

/// Shown bars redraw at most this often.
const TICK: Duration = Duration::from_millis(200);

impl Progress for Terminal {
    fn begin(&self, label: &str, total: Option<u64>) {
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{msg} {wide_bar} {percent:>3} % {elapsed} left {eta}",
            ),
            None => (ProgressBar::no_length(), "{msg} {spinner} {human_pos} {elapsed}"),
        };
        let bar = self
            .bars
            .add(bar.with_message(label.to_owned()).with_style(style(template)));
        bar.enable_steady_tick(TICK);
        if let Some(old) = lock(&self.step).replace(bar) {
            old.finish_and_clear();
        }
    }

    fn advance(&self, units: u64) {
        if let Some(bar) = &*lock(&self.step) {
            bar.inc(units);
        }
    }

    fn finish(&self) {
        if let Some(bar) = lock(&self.step).take() {
            bar.finish_and_clear();
        }
    }
}

impl Console for Terminal {
    fn message(&self, text: &str) {
        if !self.quiet || text.starts_with("warning") {
            self.print(text);
        }
    }

    fn log_line(&self, text: &str) {
        if !self.is_terminal && !self.quiet {
            self.print(text);
        }
    }

    fn training(&self, status: &TrainingStatus) {
        let mut training = lock(&self.training);
        let bar = training.get_or_insert_with(|| {
            let bar = ProgressBar::new(status.total).with_position(status.done);
            bar.reset_eta();
            self.bars
                .add(bar.with_style(style("{wide_bar} {percent:>3} % {msg} left {eta}")))
        });
        bar.set_position(status.done);
        bar.set_message(format!(
            "up. {} loss {:.3} lr {:.2e} {:.0} tokens/s",
            status.update, status.loss, status.learning_rate, status.target_tokens_per_second
        ));
    }

    fn training_paused(&self) {
        if let Some(bar) = lock(&self.training).take() {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// A poisoned lock only means that another thread panicked while it drew.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// An error and its causes as one paragraph.
pub fn print_error(error: &anyhow::Error) {
    let mut text = format!("error: {error}");
    // Many errors tell their cause themselves, with a hint after it.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(&format!(": {cause}"));
        }
    }
    print_to_stderr(&text);
}

/// Nobody may be listening any more; that is no reason to stop the work.
pub fn print_to_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a result to stdout.
///
/// # Errors
/// What the system refuses, but for a reader who has seen enough, as in `ember evaluate … | head`.
pub fn print_result(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}
