use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::order::{BatchOptions, Position, window_with_pairs};
use super::stream::planned_from;
use super::*;
use crate::store::TokenStore;
use crate::tokenizer::{Side, Tokenizer, tagged};
use crate::{NoProgress, TokenizerConfig, TokenizerKind};

/// Pairs of the given lengths, whose ids tell them apart.
fn store(lengths: &[(usize, usize)]) -> Arc<TokenStore> {
    let folder = tempfile::tempdir().unwrap();
    let pairs = lengths.iter().enumerate().map(|(index, &(source, target))| {
        let id = 4 + 2 * index as u32;
        (vec![id; source], vec![id + 1; target])
    });
    // The mapping outlives the file's name.
    Arc::new(TokenStore::from_ids(&folder.path().join("store"), pairs).unwrap())
}

fn options(batch_tokens: usize, window: usize) -> BatchOptions {
    BatchOptions {
        window,
        ..BatchOptions::new(batch_tokens, 11)
    }
}

/// The weights of corpora of so many pairs each.
fn mixture(corpora: &[(usize, f64)]) -> Mixture {
    Mixture::new(corpora.iter().map(|&(pairs, weight)| (pairs as u64, weight)))
}

/// The batches of the stream, computed here and now.
fn direct<'a>(
    store: &'a TokenStore,
    options: &'a BatchOptions,
    position: Position,
) -> impl Iterator<Item = (Batch, Position)> + 'a {
    planned_from(store, options, position).flat_map(|planned| planned.into_batches(store))
}

fn epoch(store: &TokenStore, options: &BatchOptions, epoch: u64) -> Vec<Batch> {
    let start = Position {
        epoch,
        ..Position::default()
    };
    if window_with_pairs(store, options, epoch, 0).is_none() {
        return Vec::new();
    }
    let mut batches = Vec::new();
    for (batch, after) in direct(store, options, start) {
        batches.push(batch);
        if after.epoch > epoch {
            assert_eq!(
                after,
                Position {
                    epoch: epoch + 1,
                    window: 0,
                    batch: 0
                }
            );
            break;
        }
    }
    batches
}

#[test]
fn a_batch_is_padded_and_framed() {
    let batch = Batch::from_pairs(&[(vec![10, 11], vec![20]), (vec![12], vec![21, 22, 23])]);
    assert_eq!((batch.rows, batch.source_length, batch.target_length), (2, 3, 4));
    assert_eq!(batch.source, [10, 11, 3, 12, 3, 0]);
    assert_eq!(batch.target_input, [2, 20, 0, 0, 2, 21, 22, 23]);
    assert_eq!(batch.target_output, [20, 3, 0, 0, 21, 22, 23, 3]);
    assert_eq!((batch.source_tokens, batch.target_tokens), (5, 6));
}

#[test]
fn epochs_and_seeds_differ() {
    let store = store(&(0..300).map(|i| (1 + i % 7, 1 + i % 5)).collect::<Vec<_>>());
    let options = options(32, 64);
    let order = |options: &BatchOptions, number| -> Vec<u64> {
        epoch(&store, options, number)
            .into_iter()
            .flat_map(|batch| batch.indices)
            .collect()
    };
    assert_eq!(order(&options, 0), order(&options, 0));
    assert_ne!(order(&options, 0), order(&options, 1));
    assert_ne!(
        order(&options, 0),
        order(
            &BatchOptions {
                seed: 12,
                ..options.clone()
            },
            0
        )
    );
}

/// What the code gave before corpora had weights: a run of that time goes on in the same order.
#[test]
fn the_order_of_batches_is_what_it_always_was() {
    let lengths: Vec<_> = (0..24).map(|i| (1 + i * 5 % 7, 1 + i * 3 % 5)).collect();
    let few = store(&lengths);
    let many = store(
        &(0..5000)
            .map(|i| (1 + i * 31 % 37, 1 + i * 17 % 29))
            .collect::<Vec<_>>(),
    );
    for corpora in [0, 1, 4] {
        let options = |batch_tokens, window, pairs: usize| BatchOptions {
            mixture: mixture(&vec![(pairs / corpora.max(1), 1.0); corpora]),
            ..options(batch_tokens, window)
        };
        let order = |number| -> Vec<Vec<u64>> {
            let batches = epoch(&few, &options(16, 10, 24), number);
            batches.into_iter().map(|batch| batch.indices).collect()
        };
        let first: [&[u64]; 9] = [
            &[23],
            &[1, 16, 6],
            &[20, 22, 17, 9],
            &[14, 21],
            &[8],
            &[0, 10, 5, 12, 2],
            &[13, 18],
            &[15, 7, 19, 4],
            &[11, 3],
        ];
        let second: [&[u64]; 9] = [
            &[18],
            &[14, 6, 11],
            &[0, 10, 15, 4],
            &[8],
            &[1, 16, 21],
            &[20, 5, 7, 19],
            &[9, 3],
            &[17, 2, 12, 22],
            &[13, 23],
        ];
        assert_eq!(order(0), first);
        assert_eq!(order(1), second);

        let mut hasher = blake3::Hasher::new();
        for number in 0..3 {
            for batch in epoch(&many, &options(300, 700, 5000), number) {
                batch.indices.iter().for_each(|index| {
                    hasher.update(&index.to_le_bytes());
                });
                hasher.update(b"end of batch");
            }
        }
        assert_eq!(hasher.finalize().to_hex()[..16], *"47d773e492058567");
    }
}

#[test]
fn an_over_long_pair_has_its_own_batch() {
    let store = store(&[(3, 3), (90, 3), (3, 90), (3, 3)]);
    let batches = epoch(&store, &options(16, 100), 0);
    for long in [1, 2] {
        assert!(batches.iter().any(|batch| batch.indices == [long]), "{long}");
    }
    assert_eq!(batches.iter().map(|batch| batch.rows).sum::<usize>(), 4);
}

#[test]
fn a_dropped_stream_ends_its_threads() {
    let store = store(&[(3, 3); 50]);
    let mut stream = BatchStream::new(Arc::clone(&store), options(16, 8), Position::default());
    stream.next().unwrap();
    drop(stream);
    assert_eq!(Arc::strong_count(&store), 1);
}

#[test]
fn a_position_of_other_options_moves_on() {
    let store = store(&[(3, 3); 20]);
    let options = options(16, 8);
    let start = |epoch, window, batch| {
        direct(&store, &options, Position { epoch, window, batch })
            .next()
            .unwrap()
            .0
    };
    assert_eq!(start(0, 99, 5), start(1, 0, 0));
    assert_eq!(start(0, 1, 99), start(0, 2, 0));
}

#[test]
fn sorting_keeps_padding_small() {
    // Lengths like those of sentences: a hump with a long tail, the sides alike.
    let lengths: Vec<(usize, usize)> = (0..20_000u64)
        .map(|i| {
            let random = |salt: u64| (i.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(salt) >> 40) as usize;
            let target = 5 + random(1) % 12 + random(2) % 12 + random(7) % 3 * (random(5) % 20);
            (target.saturating_sub(3) + random(3) % 7, target)
        })
        .collect();
    let store = store(&lengths);
    let padding = measure_padding(&store, &BatchOptions::new(4096, 1), 0);
    assert_eq!(padding.rows, 20_000);
    assert!(padding.target_share() < 0.05, "{padding:?}");
    let mut counted = Padding::default();
    epoch(&store, &BatchOptions::new(4096, 1), 0)
        .iter()
        .for_each(|batch| counted.add(batch));
    assert_eq!(padding, counted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_pair_comes_once_an_epoch_within_budget(
        lengths in prop::collection::vec((1usize..40, 1usize..40), 1..400),
        batch_tokens in 1usize..300,
        window in 1usize..500,
        number in 0u64..5,
    ) {
        let store = store(&lengths);
        let options = options(batch_tokens, window);
        let mut seen = vec![0; lengths.len()];
        for batch in epoch(&store, &options, number) {
            let fits = batch.rows * batch.target_length <= batch_tokens && batch.rows * batch.source_length <= 2 * batch_tokens;
            prop_assert!(fits || batch.rows == 1);
            prop_assert_eq!(batch.source.len(), batch.rows * batch.source_length);
            for (row, &index) in batch.indices.iter().enumerate() {
                seen[index as usize] += 1;
                let (source, target) = (store.source(index as usize), store.target(index as usize));
                let row_of = |cells: &[u32], length: usize| cells[row * length..(row + 1) * length].to_vec();
                let mut expected = [source, vec![EOS]].concat();
                expected.resize(batch.source_length, PAD);
                prop_assert_eq!(row_of(&batch.source, batch.source_length), expected);
                let mut expected = [target.clone(), vec![EOS]].concat();
                expected.resize(batch.target_length, PAD);
                prop_assert_eq!(row_of(&batch.target_output, batch.target_length), expected);
                let mut expected = [vec![BOS], target].concat();
                expected.resize(batch.target_length, PAD);
                prop_assert_eq!(row_of(&batch.target_input, batch.target_length), expected);
            }
        }
        prop_assert!(seen.iter().all(|&times| times == 1));
    }

    #[test]
    fn weights_say_how_often_a_pair_comes_within_budget(
        corpora in prop::collection::vec((1usize..60, 0.02f64..4.0), 1..5),
        batch_tokens in 1usize..300,
        window in 1usize..300,
        number in 0u64..5,
    ) {
        let weights = corpora.iter().flat_map(|&(pairs, weight)| vec![weight; pairs]).collect::<Vec<_>>();
        let lengths: Vec<_> = (0..weights.len()).map(|i| (1 + i * 7 % 11, 1 + i * 5 % 13)).collect();
        let store = store(&lengths);
        let options = BatchOptions { mixture: mixture(&corpora), ..options(batch_tokens, window) };
        prop_assume!(options.mixture.pairs_an_epoch(store.len() as u64) > 0);
        let mut seen = vec![0; weights.len()];
        let mut counted = Padding::default();
        for batch in epoch(&store, &options, number) {
            prop_assert!(batch.rows > 0);
            let fits = batch.rows * batch.target_length <= batch_tokens && batch.rows * batch.source_length <= 2 * batch_tokens;
            prop_assert!(fits || batch.rows == 1);
            counted.add(&batch);
            batch.indices.iter().for_each(|&index| seen[index as usize] += 1);
        }
        for (times, weight) in seen.into_iter().zip(weights) {
            prop_assert!((weight.floor() as i32..=weight.ceil() as i32).contains(&times), "{} for {}", times, weight);
        }
        prop_assert_eq!(measure_padding(&store, &options, number), counted);
        prop_assert_eq!(batch_shapes(&store, &options, number).len() as u64, counted.batches);
    }

    #[test]
    fn a_resumed_stream_equals_an_uninterrupted_one(
        corpora in prop::collection::vec((1usize..40, prop_oneof![Just(1.0), 0.1f64..3.0]), 1..4),
        batch_tokens in 10usize..100,
        window in 1usize..60,
        cut in 0usize..30,
    ) {
        let pairs = corpora.iter().map(|(pairs, _)| pairs).sum();
        let lengths: Vec<_> = (0..pairs).map(|i| (1 + i * 7 % 19, 1 + i * 11 % 17)).collect();
        let store = store(&lengths);
        let options = BatchOptions { mixture: mixture(&corpora), ..options(batch_tokens, window) };
        prop_assume!(options.mixture.pairs_an_epoch(pairs as u64) > 0);
        let whole: Vec<_> = direct(&store, &options, Position::default()).take(cut + 20).collect();
        let position = if cut == 0 { Position::default() } else { whole[cut - 1].1 };
        // Through the checkpoint's JSON, and on other threads.
        let position = serde_json::from_str(&serde_json::to_string(&position).unwrap()).unwrap();
        let resumed: Vec<_> = BatchStream::new(Arc::clone(&store), options, position).take(20).collect();
        prop_assert_eq!(&whole[cut..], &resumed[..]);
    }
}

#[test]
fn an_epoch_without_a_pair_is_passed_over() {
    let store = store(&[(3, 3); 2]);
    let options = BatchOptions {
        mixture: mixture(&[(2, 0.3)]),
        ..options(16, 8)
    };
    let epochs: Vec<usize> = (0..200).map(|number| epoch(&store, &options, number).len()).collect();
    assert!(epochs.contains(&0) && epochs.contains(&1), "{epochs:?}");
    let batches = epochs.iter().sum::<usize>();
    let (last, after) = direct(&store, &options, Position::default()).nth(batches - 1).unwrap();
    assert!(last.rows > 0);
    assert_eq!(
        after.epoch as usize,
        1 + epochs.iter().rposition(|count| *count > 0).unwrap()
    );
}

#[test]
fn dropout_cuts_anew_in_every_epoch_and_keeps_the_text() {
    let lines: Vec<(String, String)> = (0..40)
        .map(|i| {
            (
                format!("some words {i} again and again"),
                format!("einige Wörter {i} wieder"),
            )
        })
        .collect();
    let config = TokenizerConfig {
        vocabulary: 400,
        dropout: 0.3,
        ..TokenizerConfig::new(TokenizerKind::Bpe)
    };
    let tokenizer = Arc::new(Tokenizer::train(&config, lines.iter().cloned().map(Ok), &NoProgress).unwrap());
    let ids = lines.iter().map(|(source, target)| {
        (
            tokenizer.encode(Side::Source, source),
            tokenizer.encode(Side::Target, target),
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(TokenStore::from_ids(&folder.path().join("store"), ids).unwrap());
    let resegment = Resegment {
        tokenizer: Arc::clone(&tokenizer),
        dropout: 0.3,
        max_length: 60,
    };
    let options = BatchOptions {
        resegment: Some(resegment),
        ..options(200, 16)
    };

    let (first, second) = (epoch(&store, &options, 0), epoch(&store, &options, 1));
    assert_eq!(first, epoch(&store, &options, 0));
    let mut differ = 0;
    for batch in first.iter().chain(&second) {
        assert!(batch.rows * batch.target_length <= 200 || batch.rows == 1);
        for (row, &index) in batch.indices.iter().enumerate() {
            let source = &batch.source[row * batch.source_length..][..batch.source_length];
            let source: Vec<u32> = source.iter().copied().take_while(|&id| id != EOS).collect();
            assert_eq!(tokenizer.decode(Side::Source, &source), lines[index as usize].0);
            differ += usize::from(source != store.source(index as usize));
        }
    }
    assert!(differ > 40, "{differ} of 80 were cut differently");

    // A pair that is seen twice is cut twice.
    let twice = BatchOptions {
        mixture: mixture(&[(40, 2.0)]),
        ..options.clone()
    };
    let mut cuts = vec![HashSet::new(); 40];
    for batch in epoch(&store, &twice, 0) {
        for (row, &index) in batch.indices.iter().enumerate() {
            cuts[index as usize].insert(batch.source[row * batch.source_length..][..batch.source_length].to_vec());
        }
    }
    assert!(cuts.iter().filter(|cuts| cuts.len() > 1).count() > 20);

    // Where the new cut would be too long, the old one stays.
    let resegment = Resegment {
        tokenizer,
        dropout: 1.0,
        max_length: 1,
    };
    let options = BatchOptions {
        resegment: Some(resegment),
        ..options
    };
    for batch in epoch(&store, &options, 0) {
        let tokens: usize = batch
            .indices
            .iter()
            .map(|&index| store.lengths(index as usize).1 + 1)
            .sum();
        assert_eq!(batch.target_tokens, tokens);
    }
}

#[test]
fn dropout_leaves_tags_whole() {
    let line = "some words again and again";
    let config = TokenizerConfig {
        vocabulary: 400,
        dropout: 1.0,
        ..TokenizerConfig::new(TokenizerKind::Bpe)
    };
    let pair = Ok((line.to_owned(), line.to_owned()));
    let tokenizer = Tokenizer::train(&config, [pair], &NoProgress).unwrap();
    let tokenizer = Arc::new(tokenizer.with_tags(vec!["<2de>".into()]));
    let ids = tokenizer.encode(Side::Source, line);
    let source = tagged(tokenizer.tag("<2de>"), ids.clone());
    let folder = tempfile::tempdir().unwrap();
    let store = TokenStore::from_ids(&folder.path().join("store"), [(source, ids.clone())]).unwrap();
    // As long as the text without its tag may become.
    for max_length in [line.len() + 1, line.len()] {
        let resegment = Resegment {
            tokenizer: Arc::clone(&tokenizer),
            dropout: 1.0,
            max_length,
        };
        let options = options(200, 16).with_dropout(resegment);
        let batch = &epoch(&store, &options, 0)[0];
        let (tag, text) = tokenizer.split_tag(&batch.source[..batch.source_length - 1]);
        assert_eq!(tag, tokenizer.tag("<2de>"));
        assert_eq!(tokenizer.decode(Side::Source, text), line);
        let letters = line.len() + 1;
        assert_eq!(text.len(), if max_length < letters { ids.len() } else { letters });
    }
}
