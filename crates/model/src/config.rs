//! The `[model]` and `[decoding]` sections of a config file, with every default in one place.
//!
//! The defaults are the base model of Vaswani et al. (2017), table 3.

mod dropout;

use serde::{Deserialize, Serialize};

pub use dropout::{LayerDropout, LayerRates, Rates, Side, SideRates};

/// Largest search width.
pub const MOST_BEAMS: usize = 256;

/// Largest width or number of layers: what is beyond it is a slip of the pen.
const LARGEST: usize = 65_536;

/// A value that cannot work, the key it stands under, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}\nhint: {hint}")]
pub struct ModelConfigError {
    /// Dotted key, such as `model.d_model`.
    pub key: &'static str,
    /// What is wrong, with value and limit.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Which architecture; see `arch/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// "Attention Is All You Need", Vaswani et al. 2017.
    #[default]
    Transformer,
    /// Recurrent encoder and decoder; the encoder's last state is all that the decoder learns of the source (Sutskever et
    /// al. 2014).
    Rnn,
    /// The same with attention over all of the encoder's outputs (Bahdanau et al. 2015, Luong et al. 2015).
    RnnAttention,
}

/// The cell of a recurrent layer; see `cell.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellKind {
    /// A layer that reads its own last output (Elman 1990).
    Elman,
    /// Two gates (Cho et al. 2014).
    Gru,
    /// Three gates and a state that nothing but they change (Hochreiter and Schmidhuber 1997).
    #[default]
    Lstm,
}

/// How well a decoder's state fits an encoder's output, before the softmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// `v · tanh(W_q q + W_k k)` (Bahdanau et al. 2015).
    #[default]
    Additive,
    /// `q · k` (Luong et al. 2015, section 3.1).
    Dot,
    /// `q · W k` (the same).
    General,
}

/// Where layer normalisation stands in a sub-layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormPosition {
    /// `norm(x + sublayer(x))`, as in the paper.
    #[default]
    Post,
    /// `x + sublayer(norm(x))` and one more norm behind the last layer (Xiong et al. 2020).
    Pre,
}

/// The function between the two maps of the feed-forward sub-layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(0, x)`, as in the paper.
    #[default]
    Relu,
    /// `x Φ(x)`, the exact form with erf (Hendrycks and Gimpel 2016).
    Gelu,
    /// `silu(x W_g) ⊙ (x W_1)`, a gated unit with a third weight (Shazeer 2020).
    Swiglu,
}

/// Which of source embedding, target embedding and output projection are one matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tie {
    /// Three matrices.
    None,
    /// Target embedding and output projection are one (Press and Wolf 2017).
    Target,
    /// All three are one; needs a shared vocabulary (the paper, section 3.4).
    All,
}

/// How positions meet embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionMerge {
    /// `embedding + position`, as in the paper.
    #[default]
    Sum,
    /// `[embedding; position]`, each `d_model / 2` wide.
    Concat,
}

/// The `[model]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Which architecture.
    pub arch: Architecture,
    /// Width of every layer's input and output.
    pub d_model: usize,
    /// Encoder layers.
    pub encoder_layers: usize,
    /// Decoder layers.
    pub decoder_layers: usize,
    /// Attention heads; divides `d_model`.
    pub n_heads: usize,
    /// Inner width of the feed-forward sub-layer.
    pub d_ff: usize,
    /// Dropout rate wherever no rate of its own is given; it and those of layers may differ by layer.
    pub dropout: Rates,
    /// Dropout on the sum of embedding and position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_dropout: Option<f64>,
    /// Dropout on attention weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_dropout: Option<Rates>,
    /// Dropout behind the activation of the feed-forward sub-layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_forward_dropout: Option<Rates>,
    /// Dropout on every sub-layer's output before it joins the residual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual_dropout: Option<Rates>,
    /// Where layer normalisation stands.
    pub norm: NormPosition,
    /// The feed-forward activation.
    pub activation: Activation,
    /// Which embeddings are one; by default `all` for a shared vocabulary, else `target`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie: Option<Tie>,
    /// How positions meet embeddings.
    pub position_merge: PositionMerge,
    /// Multiply embeddings by the square root of their width (the paper, section 3.4).
    pub embedding_scale: bool,
    /// Recurrent models: the cell, by default `lstm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<CellKind>,
    /// Recurrent models: whether the encoder reads in both directions, by default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bidirectional: Option<bool>,
    /// `rnn-attention`: the score, by default `additive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// `rnn-attention`: whether the decoder reads what it last attended to, by default false (Luong et al. 2015,
    /// section 3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_feeding: Option<bool>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            arch: Architecture::Transformer,
            d_model: 512,
            encoder_layers: 6,
            decoder_layers: 6,
            n_heads: 8,
            d_ff: 2048,
            dropout: Rates::from(0.1),
            embedding_dropout: None,
            attention_dropout: None,
            feed_forward_dropout: None,
            residual_dropout: None,
            norm: NormPosition::Post,
            activation: Activation::Relu,
            tie: None,
            position_merge: PositionMerge::Sum,
            embedding_scale: true,
            cell: None,
            bidirectional: None,
            score: None,
            input_feeding: None,
        }
    }
}

impl ModelConfig {
    /// Checks what can be checked before any corpus is read.
    ///
    /// # Errors
    /// Names the first key whose value cannot work.
    pub fn validate(&self) -> Result<(), ModelConfigError> {
        let fail = |key, message, hint: &str| {
            Err(ModelConfigError {
                key,
                message,
                hint: hint.into(),
            })
        };
        for (key, value) in [
            ("model.d_model", self.d_model),
            ("model.encoder_layers", self.encoder_layers),
            ("model.decoder_layers", self.decoder_layers),
            ("model.n_heads", self.n_heads),
            ("model.d_ff", self.d_ff),
        ] {
            if value == 0 || value > LARGEST {
                let message = format!("{value} is not in 1 to {LARGEST}");
                return fail(key, message, "the base model of the paper uses the defaults");
            }
        }
        let is_transformer = self.arch == Architecture::Transformer;
        if is_transformer && !self.d_model.is_multiple_of(self.n_heads) {
            return fail(
                "model.n_heads",
                format!("d_model {} is not divisible by n_heads {}", self.d_model, self.n_heads),
                "choose n_heads so that d_model / n_heads is whole, 32 to 64 is common",
            );
        }
        self.check_recurrent_keys()?;
        let encoding_width = self.embedding_width();
        let is_halved = self.position_merge == PositionMerge::Concat;
        if is_transformer && (!encoding_width.is_multiple_of(2) || (is_halved && !self.d_model.is_multiple_of(4))) {
            return fail(
                "model.d_model",
                format!("d_model {} leaves an odd width for sine and cosine pairs", self.d_model),
                "use a multiple of 2, or of 4 with position_merge = \"concat\"",
            );
        }
        self.check_dropout()
    }

    /// Keys of recurrent models stand with such a model only, and fit it.
    fn check_recurrent_keys(&self) -> Result<(), ModelConfigError> {
        let fail = |key, message: String, hint: &str| {
            Err(ModelConfigError {
                key,
                message,
                hint: hint.into(),
            })
        };
        let is_recurrent = self.arch != Architecture::Transformer;
        let has_attention = self.arch == Architecture::RnnAttention;
        for (key, is_given, fits, which) in [
            (
                "model.cell",
                self.cell.is_some(),
                is_recurrent,
                "\"rnn\" or \"rnn-attention\"",
            ),
            (
                "model.bidirectional",
                self.bidirectional.is_some(),
                is_recurrent,
                "\"rnn\" or \"rnn-attention\"",
            ),
            ("model.score", self.score.is_some(), has_attention, "\"rnn-attention\""),
            (
                "model.input_feeding",
                self.input_feeding.is_some(),
                has_attention,
                "\"rnn-attention\"",
            ),
        ] {
            if is_given && !fits {
                let hint = format!("remove it, or set model.arch = {which}");
                return fail(key, "this architecture has no such thing".into(), &hint);
            }
        }
        if is_recurrent && self.position_merge != PositionMerge::Sum {
            return fail(
                "model.position_merge",
                "a recurrent model has no positions to merge".into(),
                "remove it: the order of the words is in the states",
            );
        }
        if is_recurrent && self.bidirectional != Some(false) && !self.d_model.is_multiple_of(2) {
            return fail(
                "model.d_model",
                format!("{} cannot be halved for two directions", self.d_model),
                "use an even width, or bidirectional = false",
            );
        }
        Ok(())
    }

    /// Which embeddings are one, the default resolved.
    ///
    /// # Errors
    /// `all` with two vocabularies.
    pub fn resolved_tie(&self, shared_vocabulary: bool) -> Result<Tie, ModelConfigError> {
        match (self.tie, shared_vocabulary) {
            (Some(Tie::All), false) => Err(ModelConfigError {
                key: "model.tie",
                message: "\"all\" needs one vocabulary for both sides, but tokenizer.shared is false".into(),
                hint: "set tokenizer.shared = true or model.tie = \"target\"".into(),
            }),
            (Some(tie), _) => Ok(tie),
            (None, true) => Ok(Tie::All),
            (None, false) => Ok(Tie::Target),
        }
    }

    /// Width of an embedding before positions join it: `d_model`, or half of it with `concat`.
    pub fn embedding_width(&self) -> usize {
        match self.position_merge {
            PositionMerge::Sum => self.d_model,
            PositionMerge::Concat => self.d_model / 2,
        }
    }
}

/// How a hypothesis' log-probability is made comparable across lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LengthPenaltyKind {
    /// Divide by `((5 + length) / 6) ^ length_penalty` (Wu et al. 2016, eq. 14).
    #[default]
    Gnmt,
    /// Divide by `length ^ length_penalty`; with 1 the average log-probability of a token.
    Average,
}

/// The `[decoding]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecodingConfig {
    /// Hypotheses kept for a sentence; 1 is greedy search.
    pub beam: usize,
    /// Exponent of the length penalty; 0 is none.
    pub length_penalty: f64,
    /// Form of the length penalty.
    pub length_penalty_kind: LengthPenaltyKind,
    /// Longest output: this many target tokens for each source token, and 10 more.
    pub max_length_ratio: f64,
    /// Most source tokens translated at once, beams not counted, padding counted.
    pub batch_tokens: usize,
}

impl Default for DecodingConfig {
    fn default() -> Self {
        Self {
            beam: 5,
            length_penalty: 1.0,
            length_penalty_kind: LengthPenaltyKind::Gnmt,
            max_length_ratio: 2.0,
            batch_tokens: 2048,
        }
    }
}

impl DecodingConfig {
    /// Checks the values against their limits.
    ///
    /// # Errors
    /// Names the first key whose value cannot work.
    pub fn validate(&self) -> Result<(), ModelConfigError> {
        let fail = |key, message, hint: &str| {
            Err(ModelConfigError {
                key,
                message,
                hint: hint.into(),
            })
        };
        if self.beam == 0 || self.beam > MOST_BEAMS {
            let message = format!("{} is not in 1 to {MOST_BEAMS}", self.beam);
            return fail("decoding.beam", message, "4 or 5 is common, 1 is greedy");
        }
        if !self.length_penalty.is_finite() || self.length_penalty < 0.0 {
            return fail(
                "decoding.length_penalty",
                format!("{} is not a number from 0 up", self.length_penalty),
                "0.6 to 1 is common",
            );
        }
        if !(self.max_length_ratio > 0.0 && self.max_length_ratio <= 100.0) {
            let message = format!("{} is not above 0 and at most 100", self.max_length_ratio);
            return fail("decoding.max_length_ratio", message, "2 is common");
        }
        if self.batch_tokens == 0 {
            return fail(
                "decoding.batch_tokens",
                "0 is below the least value 1".into(),
                "2048 suits a CPU",
            );
        }
        Ok(())
    }
}
