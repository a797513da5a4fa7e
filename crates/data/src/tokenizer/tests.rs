//! What every kind of tokenizer promises, tried on small corpora.

use super::*;

#[test]
fn placeholder() {
    let _ = PAD;
}
