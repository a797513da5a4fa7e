//! How much memory learning sub-words takes for text without spaces, whose clauses are all different:
//! `cargo run --release -p ember-data --example tokenizer_memory -- MEGABYTES`. Linux only.

use ember_data::config::{TokenizerConfig, TokenizerKind};
use ember_data::tokenizer::Tokenizer;
use ember_data::{NoProgress, Result};

const CLAUSE: usize = 10;
const CLAUSES: usize = 3;
/// Characters of the script; lower ones are more frequent.
const CHARACTERS: f64 = 3000.0;

fn main() -> Result<()> {
    let megabytes: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    // Three bytes a character, the stop after a clause counted.
    let lines = (megabytes << 20) / (3 * CLAUSES * (CLAUSE + 1));
    let config = TokenizerConfig {
        vocabulary: 8000,
        ..TokenizerConfig::new(TokenizerKind::Bpe)
    };
    let mut state = 1;
    let pairs = (0..lines).map(|_| Ok((line(&mut state), String::new())));
    let tokenizer = Tokenizer::train(&config, pairs, &NoProgress)?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("VmHWM: unknown");
    println!("{megabytes} MiB of text, {lines} lines; {tokenizer:?}; {peak}");
    Ok(())
}

/// A line of clauses, drawn at random.
fn line(state: &mut u64) -> String {
    let mut line = String::new();
    for _ in 0..CLAUSES {
        line.extend((0..CLAUSE).map(|_| character(uniform(state))));
        line.push('。');
    }
    line
}

/// The character of rank `CHARACTERS^draw`, as Zipf's law has it.
fn character(draw: f64) -> char {
    let rank = CHARACTERS.powf(draw) as u32;
    char::from_u32(0x4e00 + rank).unwrap_or('一')
}

/// From 0 to below 1 (SplitMix64).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
