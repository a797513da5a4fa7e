//! Samples of a batch of sentences, each drawn word by word.

use rayon::prelude::*;

use super::draw::{Sampling, log_probability, uniform};
use super::ensemble::Members;
use super::{BOS, EMPTY, EOS, Hypothesis, Searcher, max_output_length, pad_sources};

/// A sample under way.
struct Draft {
    /// Which sentence of the batch.
    sentence: usize,
    /// Which sample of the sentence.
    sample: usize,
    /// [`Sampling::key`] of the sentence.
    key: u64,
    /// Longest output in tokens, `</s>` included.
    max_length: usize,
    tokens: Vec<u32>,
    log_probability: f64,
    done: bool,
}

impl Draft {
    /// Takes the step to the next token.
    fn advance(&mut self, logits: &[f32], sampling: &Sampling) {
        let token = sampling.draw(logits, uniform(self.key, self.sample, self.tokens.len()));
        self.log_probability += log_probability(logits, token);
        if token != EOS {
            self.tokens.push(token);
        }
        self.done = token == EOS || self.tokens.len() >= self.max_length;
    }

    fn last_token(&self) -> u32 {
        self.tokens.last().copied().unwrap_or(BOS)
    }

    fn into_hypothesis(self) -> Hypothesis {
        Hypothesis {
            tokens: self.tokens,
            score: self.log_probability,
            log_probability: self.log_probability,
        }
    }
}

/// Draws `sampling.samples` samples of each sentence, with its key; see [`Searcher::sample_all`].
pub(super) fn sample_batch(
    searcher: &Searcher<'_>,
    sampling: &Sampling,
    sources: &[(&[u32], u64)],
) -> Vec<Vec<Hypothesis>> {
    let mut results: Vec<Vec<Hypothesis>> = sources.iter().map(|_| Vec::new()).collect();
    let mut drafts = begin(searcher, sampling, sources, &mut results);
    let Some(max_length) = drafts.iter().map(|draft| draft.max_length).max() else {
        return results;
    };
    let sentences: Vec<&[u32]> = drafts
        .iter()
        .step_by(sampling.samples)
        .map(|draft| sources[draft.sentence].0)
        .collect();
    let source = pad_sources(&sentences, searcher.device);
    let mut members = Members::start(searcher.models, &source, sampling.samples, max_length);
    loop {
        let tokens: Vec<u32> = drafts.iter().map(Draft::last_token).collect();
        let logits = members.step(&tokens);
        let vocabulary = logits.len() / drafts.len();
        drafts
            .par_iter_mut()
            .zip(logits.par_chunks(vocabulary))
            .filter(|(draft, _)| !draft.done)
            .for_each(|(draft, logits)| draft.advance(logits, sampling));
        let groups = drafts.chunks(sampling.samples).enumerate();
        let live: Vec<usize> = groups
            .filter(|(_, group)| group.iter().any(|draft| !draft.done))
            .map(|(place, _)| place)
            .collect();
        if live.is_empty() {
            break;
        }
        // As in the search, finished sentences stay until they are a quarter.
        if live.len() * 4 <= drafts.len() / sampling.samples * 3 {
            members.keep(&live);
            let (left, done) = partition(drafts, &live, sampling.samples);
            drafts = left;
            collect(done, &mut results);
        }
    }
    collect(drafts, &mut results);
    results
}

/// The drafts of all sentences that have words; an empty one has empty results at once.
fn begin(
    searcher: &Searcher<'_>,
    sampling: &Sampling,
    sources: &[(&[u32], u64)],
    results: &mut [Vec<Hypothesis>],
) -> Vec<Draft> {
    let mut drafts = Vec::with_capacity(sources.len() * sampling.samples);
    for (sentence, (source, key)) in sources.iter().enumerate() {
        if source.is_empty() {
            results[sentence] = vec![EMPTY; sampling.samples];
            continue;
        }
        drafts.extend((0..sampling.samples).map(|sample| Draft {
            sentence,
            sample,
            key: *key,
            max_length: max_output_length(searcher.config, source.len()),
            tokens: Vec::new(),
            log_probability: 0.0,
            done: false,
        }));
    }
    drafts
}

/// The drafts of the sentences that stand at the places `live`, and the others.
fn partition(drafts: Vec<Draft>, live: &[usize], samples: usize) -> (Vec<Draft>, Vec<Draft>) {
    let (mut left, mut done) = (Vec::new(), Vec::new());
    for (row, draft) in drafts.into_iter().enumerate() {
        let goes_on = live.binary_search(&(row / samples)).is_ok();
        if goes_on { &mut left } else { &mut done }.push(draft);
    }
    (left, done)
}

fn collect(done: Vec<Draft>, results: &mut [Vec<Hypothesis>]) {
    for draft in done {
        let sentence = draft.sentence;
        results[sentence].push(draft.into_hypothesis());
    }
}
