//! Limits of every value, checked before any work.

use super::{Config, ConfigError, Optimizer, Schedule, TrainingConfig, ValidationConfig};

/// More target tokens than that in an update fit into no machine's memory.
const MOST_BATCH_TOKENS: usize = 1 << 30;

type Checked = Result<(), ConfigError>;

impl Config {
    /// Checks what can be checked before any corpus is read; paths need not exist.
    ///
    /// # Errors
    /// Names the first key whose value cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_name()?;
        self.validate_seed()?;
        self.validate_paths()?;
        self.data.validate()?;
        self.tokenizer.validate()?;
        self.model.validate()?;
        self.model.resolved_tie(self.tokenizer.shared)?;
        self.training.validate()?;
        self.validate_r_drop()?;
        self.validation.validate()?;
        self.decoding.validate()?;
        Ok(())
    }

    fn validate_name(&self) -> Checked {
        let name = &self.name;
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0', '\n']);
        ensure(
            plain,
            "name",
            || format!("{name:?} cannot name a folder"),
            "use letters, digits, `-` and `_`",
        )
    }

    fn validate_seed(&self) -> Checked {
        // Saved as TOML, whose integers end there.
        let most = i64::MAX as u64;
        ensure(
            self.seed <= most,
            "seed",
            || format!("{} is above the greatest value {most}", self.seed),
            "use 1",
        )
    }

    /// Two passes differ by what they drop, and by nothing else.
    fn validate_r_drop(&self) -> Checked {
        ensure(
            self.training.passes() == 1 || self.model.has_dropout(),
            "training.r_drop",
            || {
                format!(
                    "{} compares two passes with other dropout, but every dropout rate is 0",
                    self.training.r_drop
                )
            },
            "set model.dropout above 0, or training.r_drop to 0",
        )
    }

    /// The resolved config is kept as TOML and the data report as JSON: both are UTF-8.
    fn validate_paths(&self) -> Checked {
        let corpora = self.data.corpora();
        let corpora = corpora.iter().map(|(key, corpus)| (key.as_str(), &corpus.path));
        let models = [
            ("tokenizer.model", &self.tokenizer.model),
            ("tokenizer.target_model", &self.tokenizer.target_model),
        ];
        let models = models.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?)));
        corpora.chain(models).try_for_each(|(key, path)| {
            ensure(
                path.to_str().is_some(),
                key,
                || format!("the path {} is not UTF-8", path.display()),
                "rename its folders, or name it by an absolute path that is; a relative one counts from the config \
                 file's folder",
            )
        })
    }
}

impl TrainingConfig {
    fn validate(&self) -> Checked {
        ensure(
            (1..=MOST_BATCH_TOKENS).contains(&self.batch_tokens),
            "training.batch_tokens",
            || format!("{} is not in 1 to {MOST_BATCH_TOKENS}", self.batch_tokens),
            "4096 is common",
        )?;
        at_least("training.accumulate", self.accumulate, 1, "1 is an update a batch")?;
        ensure(
            self.accumulate <= self.batch_tokens,
            "training.accumulate",
            || {
                format!(
                    "{} micro-batches of batch_tokens {} leave none for each",
                    self.accumulate, self.batch_tokens
                )
            },
            "micro-batches have batch_tokens / accumulate target tokens",
        )?;
        at_least(
            "training.window",
            self.window.unwrap_or(1),
            1,
            "leave it out for the default",
        )?;
        below_one(
            "training.label_smoothing",
            self.label_smoothing,
            "0.1 is common, 0 is off",
        )?;
        not_negative(
            "training.r_drop",
            self.r_drop,
            "5 is the paper's value for translation, 0 is off",
        )?;
        not_negative("training.clip_norm", self.clip_norm, "1 is common, 0 is off")?;
        below_one("training.ema", self.ema, "0.999 is common, 0 is off")?;
        validate_schedule(&self.schedule)?;
        validate_optimizer(&self.optimizer)
    }
}

fn validate_schedule(schedule: &Schedule) -> Checked {
    let peak_hint = "peaks from 1e-4 to 5e-3 are common";
    let line = |peak: f64, warmup: u64, decay: u64, end: f64| {
        above_zero("training.schedule.peak", peak, peak_hint)?;
        ensure(
            decay > warmup,
            "training.schedule.decay",
            || format!("{decay} is not above warmup {warmup}"),
            "decay is the update at which the rate has come down, counted from the start",
        )?;
        ensure(
            (0.0..=peak).contains(&end),
            "training.schedule.end",
            || format!("{end} is not in 0 to peak {peak}"),
            "0 is common",
        )
    };
    match *schedule {
        Schedule::Noam { warmup, factor } => {
            at_least(
                "training.schedule.warmup",
                warmup as usize,
                1,
                "4000 is the paper's value",
            )?;
            above_zero("training.schedule.factor", factor, "1 is the paper's value")
        }
        Schedule::InverseSqrt { peak, warmup } => {
            above_zero("training.schedule.peak", peak, peak_hint)?;
            at_least("training.schedule.warmup", warmup as usize, 1, "4000 is common")
        }
        Schedule::Linear {
            peak,
            warmup,
            decay,
            end,
        }
        | Schedule::Cosine {
            peak,
            warmup,
            decay,
            end,
        } => line(peak, warmup, decay, end),
        Schedule::Constant { peak, .. } => above_zero("training.schedule.peak", peak, peak_hint),
        Schedule::Plateau {
            peak,
            factor,
            patience,
            minimum,
            ..
        } => {
            above_zero("training.schedule.peak", peak, peak_hint)?;
            above_zero("training.schedule.factor", factor, "0.5 is common")?;
            below_one("training.schedule.factor", factor, "0.5 is common")?;
            at_least("training.schedule.patience", patience as usize, 1, "2 is common")?;
            let fits = (0.0..=peak).contains(&minimum);
            ensure(
                fits,
                "training.schedule.minimum",
                || format!("{minimum} is not in 0 to peak {peak}"),
                "0 is no limit",
            )
        }
    }
}

fn validate_optimizer(optimizer: &Optimizer) -> Checked {
    let (beta1, beta2, epsilon, weight_decay) = match *optimizer {
        Optimizer::Adam { beta1, beta2, epsilon } => (beta1, beta2, epsilon, 0.0),
        Optimizer::Adamw {
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } => (beta1, beta2, epsilon, weight_decay),
    };
    below_one("training.optimizer.beta1", beta1, "0.9 is the paper's value")?;
    below_one("training.optimizer.beta2", beta2, "0.98 is the paper's value")?;
    above_zero("training.optimizer.epsilon", epsilon, "1e-9 is the paper's value")?;
    below_one("training.optimizer.weight_decay", weight_decay, "0.01 is common")
}

impl ValidationConfig {
    fn validate(&self) -> Checked {
        at_least(
            "validation.keep_best",
            self.keep_best,
            1,
            "the best checkpoint is what `translate` uses",
        )?;
        at_least(
            "validation.keep_last",
            self.keep_last,
            1,
            "the last checkpoint is what a resumed run starts from",
        )?;
        let beam = (1..=256).contains(&self.beam);
        ensure(
            beam,
            "validation.beam",
            || format!("{} is not in 1 to 256", self.beam),
            "1 is greedy, and fast",
        )
    }
}

fn ensure(holds: bool, key: &str, message: impl FnOnce() -> String, hint: &str) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::invalid(key, message(), hint))
    }
}

fn at_least(key: &str, value: usize, least: usize, hint: &str) -> Checked {
    ensure(
        value >= least,
        key,
        || format!("{value} is below the least value {least}"),
        hint,
    )
}

/// 0 <= value < 1; NaN is refused.
fn below_one(key: &str, value: f64, hint: &str) -> Checked {
    ensure(
        (0.0..1.0).contains(&value),
        key,
        || format!("{value} is not in 0 <= value < 1"),
        hint,
    )
}

fn above_zero(key: &str, value: f64, hint: &str) -> Checked {
    ensure(
        value.is_finite() && value > 0.0,
        key,
        || format!("{value} is not a finite number above 0"),
        hint,
    )
}

fn not_negative(key: &str, value: f64, hint: &str) -> Checked {
    ensure(
        value.is_finite() && value >= 0.0,
        key,
        || format!("{value} is not a finite number from 0 up"),
        hint,
    )
}
