//! Those who watch a training.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ember_data::Progress;

use crate::console::{Console, TrainingStatus};

/// Those who do not look at progress bars.
macro_rules! no_progress {
    ($($name:ident)*) => { $(
        impl Progress for $name {
            fn begin(&self, _label: &str, _total: Option<u64>) {}
            fn advance(&self, _units: u64) {}
            fn finish(&self) {}
        }
    )* };
}
no_progress!(Silence Reader StopsAfter);

/// A user who says nothing and is told nothing.
pub struct Silence;

impl Console for Silence {
    fn message(&self, _text: &str) {}
    fn log_line(&self, _text: &str) {}
    fn training(&self, _status: &TrainingStatus) {}
    fn training_paused(&self) {}
}

/// A user who reads what is said.
#[derive(Default)]
pub struct Reader {
    pub said: Mutex<Vec<String>>,
}

impl Console for Reader {
    fn message(&self, text: &str) {
        self.said.lock().unwrap().push(text.to_owned());
    }
    fn log_line(&self, _text: &str) {}
    fn training(&self, _status: &TrainingStatus) {}
    fn training_paused(&self) {}
}

/// A user who wants to stop when the step `label` begins for the `time`th time, counted from 1.
pub struct StopsAt {
    label: &'static str,
    time: usize,
    begun: Mutex<usize>,
    stop: Arc<AtomicBool>,
}

impl StopsAt {
    pub fn new(label: &'static str, time: usize, stop: &Arc<AtomicBool>) -> Self {
        let (begun, stop) = (Mutex::new(0), stop.clone());
        Self {
            label,
            time,
            begun,
            stop,
        }
    }
}

impl Progress for StopsAt {
    fn begin(&self, label: &str, _total: Option<u64>) {
        if label == self.label {
            let mut begun = self.begun.lock().unwrap();
            *begun += 1;
            if *begun == self.time {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}

impl Console for StopsAt {
    fn message(&self, _text: &str) {}
    fn log_line(&self, _text: &str) {}
    fn training(&self, _status: &TrainingStatus) {}
    fn training_paused(&self) {}
}

/// A user who wants to stop after an update.
pub struct StopsAfter {
    pub update: u64,
    pub stop: Arc<AtomicBool>,
}

impl Console for StopsAfter {
    fn message(&self, _text: &str) {}
    fn log_line(&self, _text: &str) {}
    fn training(&self, status: &TrainingStatus) {
        if status.update == self.update {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn training_paused(&self) {}
}
