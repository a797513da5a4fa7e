//! Copying and reversing sequences of symbols: tasks that no model can do without remembering every word.
//!
//! A symbol says nothing of its neighbours, so that all of a sequence has to pass from encoder to decoder: in one vector of
//! a fixed size, or by looking back. Sutskever et al. (2014) and Bahdanau et al. (2015) argue about just this.

use crate::random::Random;

/// The default seed.
pub const SEED: u64 = 7;

/// The symbols; one letter, one word.
pub const SYMBOLS: usize = 26;

/// Longest sequence of the training and validation parts.
pub const LONGEST: usize = 40;

/// Pairs of each part.
pub const TRAIN: usize = 100_000;
/// See [`TRAIN`].
pub const VALID: usize = 500;

/// Lengths of the test part, and how many pairs there are of each. The last two are longer than what was trained on.
pub const TEST_LENGTHS: [usize; 10] = [5, 10, 15, 20, 25, 30, 35, 40, 45, 50];
/// See [`TEST_LENGTHS`].
pub const TEST_PAIRS: usize = 100;

/// What is done to a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Nothing.
    Copy,
    /// Its order is turned round.
    Reverse,
}

impl Task {
    /// By its name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "copy" => Some(Self::Copy),
            "reverse" => Some(Self::Reverse),
            _ => None,
        }
    }

    fn target(self, symbols: &[char]) -> String {
        match self {
            Self::Copy => line(symbols.iter()),
            Self::Reverse => line(symbols.iter().rev()),
        }
    }
}

/// The files of a task, by name: `train`, `valid` and `test`, each with sources (`.src`) and targets (`.tgt`).
///
/// Lengths of training and validation are drawn evenly from 1 to [`LONGEST`]; the test part goes through
/// [`TEST_LENGTHS`], shortest first.
pub fn files(task: Task, seed: u64) -> Vec<(String, String)> {
    let mut random = Random::new(seed);
    let drawn = |random: &mut Random, count| -> Vec<usize> { (0..count).map(|_| 1 + random.below(LONGEST)).collect() };
    let parts = [
        ("train", drawn(&mut random, TRAIN)),
        ("valid", drawn(&mut random, VALID)),
        (
            "test",
            TEST_LENGTHS
                .iter()
                .flat_map(|length| vec![*length; TEST_PAIRS])
                .collect(),
        ),
    ];
    let mut files = Vec::new();
    for (name, lengths) in parts {
        let (mut source, mut target) = (String::new(), String::new());
        for length in lengths {
            let symbols: Vec<char> = (0..length).map(|_| symbol(random.below(SYMBOLS))).collect();
            source += &line(symbols.iter());
            target += &task.target(&symbols);
        }
        files.push((format!("{name}.src"), source));
        files.push((format!("{name}.tgt"), target));
    }
    files
}

fn symbol(number: usize) -> char {
    char::from(b'a' + number as u8)
}

fn line<'a>(symbols: impl Iterator<Item = &'a char>) -> String {
    let words: Vec<String> = symbols.map(char::to_string).collect();
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(files: &[(String, String)], name: &str) -> Vec<Vec<String>> {
        let (_, text) = files.iter().find(|(file, _)| file == name).expect("a file");
        text.lines()
            .map(|line| line.split(' ').map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn targets_are_the_sources_copied_or_turned_round() {
        for task in [Task::Copy, Task::Reverse] {
            let files = files(task, SEED);
            for name in ["train", "valid", "test"] {
                let sources = part(&files, &format!("{name}.src"));
                let targets = part(&files, &format!("{name}.tgt"));
                assert_eq!(sources.len(), targets.len());
                for (mut source, target) in sources.into_iter().zip(targets) {
                    if task == Task::Reverse {
                        source.reverse();
                    }
                    assert_eq!(source, target);
                }
            }
        }
    }

    #[test]
    fn lengths_are_as_promised() {
        let files = files(Task::Reverse, SEED);
        let train = part(&files, "train.src");
        assert_eq!(train.len(), TRAIN);
        let of_length = |length| train.iter().filter(|words| words.len() == length).count();
        for length in 1..=LONGEST {
            let share = of_length(length) as f64 * LONGEST as f64 / TRAIN as f64;
            assert!((0.9..1.1).contains(&share), "length {length}: {share}");
        }
        assert_eq!(of_length(LONGEST + 1), 0);
        let test: Vec<usize> = part(&files, "test.src").iter().map(Vec::len).collect();
        let expected: Vec<usize> = TEST_LENGTHS.iter().flat_map(|length| [*length; TEST_PAIRS]).collect();
        assert_eq!(test, expected);
    }

    #[test]
    fn a_seed_gives_one_corpus() {
        assert!(files(Task::Copy, 1) == files(Task::Copy, 1));
        assert!(files(Task::Copy, 1) != files(Task::Copy, 2));
    }
}
