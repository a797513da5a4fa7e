//! How fast a config's model trains and translates, on batches that are made up.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use burn::prelude::*;
use ember_data::batch::Batch;
use ember_model::arch::Vocabularies;
use ember_model::config::{DecodingConfig, ModelConfigError};
use ember_model::search::{Hypothesis, max_output_length, search_all};
use serde::Serialize;

use crate::config::Config;
use crate::learner::Learner;

/// Updates before the clock starts: memory is taken and kernels are chosen in them.
const WARM_UP: u64 = 3;

/// `<pad>`, `<s>`, `</s>` and `<unk>`.
const SPECIAL_IDS: usize = 4;

/// What `merges` come on top of, beside the text's characters: the bytes and the end of a word.
const BYTES_AND_END_OF_WORD: usize = 256 + 1;

/// Batches that take turns.
const BATCHES: usize = 8;

/// What to measure.
pub struct BenchOptions {
    /// The model, the batch size, the optimizer; corpora are not read.
    pub config: Config,
    /// Without autodiff.
    pub device: Device,
    /// Tokens of every sentence, `</s>` counted.
    pub length: usize,
    /// How long to train, and again to translate.
    pub time: Duration,
    /// Sentences translated at once, with each of the beams.
    pub decode_batch: usize,
    /// Search widths.
    pub beams: Vec<usize>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// Numbers in the model's weights.
    pub parameters: usize,
    /// Training.
    pub train: TrainSpeed,
    /// Translation, one a beam.
    pub decode: Vec<DecodeSpeed>,
}

/// Speed of training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainSpeed {
    /// By the median update.
    pub target_tokens_per_second: f64,
    /// The median.
    pub milliseconds_per_update: f64,
    /// Updates measured.
    pub updates: usize,
    /// Most memory the process held until the end of training; absent where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_mib: Option<f64>,
    /// Mean loss of the last update, to see that something was learnt.
    pub loss: f64,
    /// Mean divergence of the last update's two passes; absent without R-Drop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
}

/// Speed of translation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecodeSpeed {
    /// Search width.
    pub beam: usize,
    /// Sentences at once.
    pub batch: usize,
    /// Tokens of the best translations, `</s>` counted.
    pub target_tokens_per_second: f64,
}

/// Measures.
///
/// # Errors
/// When the model's config cannot work.
pub fn bench(options: &BenchOptions) -> Result<BenchReport, ModelConfigError> {
    let config = &options.config;
    let vocabularies = vocabularies_of_config(config);
    let vocabulary = vocabularies.source.min(vocabularies.target);
    let mut learner = Learner::new(config, vocabularies, &options.device)?;
    let train = train(options, &mut learner, vocabulary);
    let sentences = sentences(options.decode_batch, options.length - 1, vocabulary, 1 << 20);
    let decode = options
        .beams
        .iter()
        .map(|beam| decode(options, &learner, &sentences, *beam))
        .collect();
    Ok(BenchReport {
        parameters: learner.model().num_params(),
        train,
        decode,
    })
}

/// As many ids as the config asks for, tags added; what a tokenizer finds in text may be less. With `merges` the text's
/// characters come on top, each alone and at the end of a word, which only the text could tell. A ready-made tokenizer
/// is not read, so that its vocabulary counts as the default.
pub(crate) fn vocabularies_of_config(config: &Config) -> Vocabularies {
    let tokenizer = &config.tokenizer;
    let wanted = tokenizer.merges.map_or(tokenizer.vocabulary, |merges| {
        SPECIAL_IDS + BYTES_AND_END_OF_WORD + merges
    });
    let wanted = wanted.max(SPECIAL_IDS + 1);
    let tags = config.data.train.tags().len();
    Vocabularies {
        source: wanted + tags,
        target: wanted + if tokenizer.shared { tags } else { 0 },
        shared: tokenizer.shared,
    }
}

fn train(options: &BenchOptions, learner: &mut Learner, vocabulary: usize) -> TrainSpeed {
    let training = &options.config.training;
    let rows = (training.micro_batch_tokens() / options.length).max(1);
    let batches: Vec<Batch> = (0..BATCHES as u32)
        .map(|batch| {
            let sources = sentences(rows, options.length - 1, vocabulary, 2 * batch);
            let targets = sentences(rows, options.length - 1, vocabulary, 2 * batch + 1);
            Batch::from_pairs(&sources.into_iter().zip(targets).collect::<Vec<_>>())
        })
        .collect();
    let mut times = Vec::new();
    let (mut loss, mut kl) = (0.0, None);
    let mut started = Instant::now();
    for update in 1.. {
        let begin = Instant::now();
        let micro_batches = (0..training.accumulate).map(|number| &batches[(update as usize + number) % BATCHES]);
        let gradients = learner.gradients(micro_batches, update);
        (loss, kl) = (gradients.loss, gradients.divergence);
        let rate = training
            .schedule
            .learning_rate(update, options.config.model.d_model, &Default::default());
        learner.step(gradients, rate);
        if update <= WARM_UP {
            started = Instant::now();
            continue;
        }
        times.push(begin.elapsed().as_secs_f64());
        if started.elapsed() >= options.time {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    TrainSpeed {
        target_tokens_per_second: (rows * options.length * training.accumulate) as f64 / median,
        milliseconds_per_update: median * 1e3,
        updates: times.len(),
        peak_rss_mib: peak_memory(),
        loss,
        kl,
    }
}

fn decode(options: &BenchOptions, learner: &Learner, sentences: &[Vec<u32>], beam: usize) -> DecodeSpeed {
    let decoding = DecodingConfig {
        beam,
        batch_tokens: usize::MAX,
        ..options.config.decoding.clone()
    };
    let model = learner.model().clone().valid();
    let search = || {
        let Ok(found) = search_all(&model, sentences, &decoding, &options.device, |_| {
            Ok::<_, Infallible>(())
        });
        // The `</s>` that ends a sentence was searched for as well, unless the sentence was cut off.
        let longest = max_output_length(&decoding, options.length - 1);
        let tokens = |hypotheses: &Vec<Hypothesis>| (hypotheses[0].tokens.len() + 1).min(longest);
        found.iter().map(tokens).sum::<usize>()
    };
    search(); // warms up
    let started = Instant::now();
    let mut tokens = 0;
    loop {
        tokens += search();
        if started.elapsed() >= options.time / options.beams.len() as u32 {
            break;
        }
    }
    DecodeSpeed {
        beam,
        batch: sentences.len(),
        target_tokens_per_second: tokens as f64 / started.elapsed().as_secs_f64(),
    }
}

/// Sentences of ids that are no special ones.
fn sentences(count: usize, length: usize, vocabulary: usize, seed: u32) -> Vec<Vec<u32>> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut id = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (SPECIAL_IDS + state as usize % (vocabulary - SPECIAL_IDS)) as u32
    };
    (0..count).map(|_| (0..length).map(|_| id()).collect()).collect()
}

/// Most memory that this process ever held, in MiB.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_come_on_top_of_bytes() {
        let text = "name = \"a\"\n[data]\nsource = \"en\"\ntarget = \"de\"\ntrain = \"train\"\nvalid = \"valid\"\n\
                    [tokenizer]\nkind = \"bpe\"\npretokenized = true\nmerges = 100\n[training]\nstop_after = \"1u\"\n";
        let config = Config::from_toml(text, std::path::Path::new("a.toml"), &[]).expect("a config");
        let sizes = vocabularies_of_config(&config);
        // <pad>, <s>, </s>, <unk>; 256 bytes; the end of a word; 100 merges.
        assert_eq!((sizes.source, sizes.target), (361, 361));
    }
}
