//! A model and its optimizer: batches in, better weights out.

use burn::optim::GradientsParams;
use burn::prelude::*;
use ember_data::batch::Batch;
use ember_model::arch::{Model, Vocabularies};
use ember_model::config::ModelConfigError;
use ember_model::kernels::{self, is_fused, together};
use ember_model::loss::output_loss;
use ember_model::loss::pairs::{PairRule, paired_output_loss};
use ember_model::pass::Pass;
use ember_model::weights::{host_values, initialise};

use crate::config::{Config, Precision, TrainingConfig};
use crate::optimizer::{Optimizer, add_gradients, gradient_norm};
use crate::tensors::BatchTensors;

/// A model in training.
pub struct Learner {
    /// `None` only while a step changes the weights: they are changed in their place, which takes owning them.
    model: Option<Model>,
    /// Its running means and moving average.
    pub optimizer: Optimizer,
    /// With autodiff.
    device: Device,
    seed: u64,
    training: TrainingConfig,
}

/// What is to be said where bf16 is asked for and there is none.
pub fn missing_precision(wanted: Precision, device: &Device) -> Option<String> {
    if kernels::Precision::from(wanted).available_on(device) == wanted.into() {
        return None;
    }
    let lack = if is_fused(device) {
        "this CPU has no bf16 products (AMX or AVX-512 BF16)"
    } else {
        "this device has no bf16 numbers"
    };
    Some(format!("training.precision is bf16, but {lack}: fp32 is used"))
}

/// What the target tokens of one update say.
pub struct UpdateGradients {
    /// Gradients of the loss summed over all target tokens.
    sum: GradientsParams,
    target_tokens: f64,
    /// Norm of the gradient of the mean loss.
    pub norm: f64,
    /// Mean smoothed loss of a target token, in nats.
    pub loss: f64,
    /// Mean plain loss of a target token, in nats.
    pub nll: f64,
    /// Mean divergence of the two passes at a target token, in nats; `None` without R-Drop.
    pub divergence: Option<f64>,
}

/// Sums over the target tokens of a micro-batch, in nats: `[1]` each.
struct MicroBatchLoss {
    /// What gradients are taken of.
    trained: Tensor<1>,
    /// The smoothed loss, the plain one, and with R-Drop the divergence; without autodiff.
    reported: Vec<Tensor<1>>,
}

impl UpdateGradients {
    /// Whether they can be learnt from.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.norm.is_finite()
    }
}

impl Learner {
    /// With initial weights.
    ///
    /// # Errors
    /// When the model's config cannot work with these vocabularies.
    pub fn new(config: &Config, vocabularies: Vocabularies, device: &Device) -> Result<Self, ModelConfigError> {
        let device = device.clone().autodiff();
        let model = Model::new(&config.model, vocabularies, &device)?;
        Ok(Self {
            model: Some(initialise(model, config.seed)),
            optimizer: Optimizer::new(&config.training.optimizer, config.training.ema),
            device,
            seed: config.seed,
            training: config.training.clone(),
        })
    }

    /// The model with its weights of now.
    pub fn model(&self) -> &Model {
        self.model.as_ref().expect("no step is under way")
    }

    /// Goes on with other weights.
    pub fn set_model(&mut self, model: Model) {
        self.model = Some(model);
    }

    /// Gradients of update `update` (from 1) over its micro-batches.
    pub fn gradients<'a>(
        &self,
        micro_batches: impl IntoIterator<Item = &'a Batch> + Send,
        update: u64,
    ) -> UpdateGradients {
        together(&self.device, || self.sum_of_gradients(micro_batches, update))
    }

    fn sum_of_gradients<'a>(&self, micro_batches: impl IntoIterator<Item = &'a Batch>, update: u64) -> UpdateGradients {
        let model = self.model();
        let mut total = UpdateGradients {
            sum: GradientsParams::new(),
            target_tokens: 0.0,
            norm: 0.0,
            loss: 0.0,
            nll: 0.0,
            divergence: None,
        };
        for (number, batch) in micro_batches.into_iter().enumerate() {
            let mut pass = Pass::training(self.seed, update, number as u64, self.training.precision.into());
            let loss = self.micro_batch_loss(batch, &mut pass);
            let gradients = GradientsParams::from_grads(loss.trained.backward(), model);
            total.sum = if number == 0 {
                gradients
            } else {
                add_gradients(model, total.sum, gradients)
            };
            total.target_tokens += batch.target_tokens as f64;
            // One copy from the device for all.
            let sums = host_values(Tensor::cat(loss.reported, 0));
            total.loss += f64::from(sums[0]);
            total.nll += f64::from(sums[1]);
            if let Some(divergence) = sums.get(2) {
                *total.divergence.get_or_insert(0.0) += f64::from(*divergence);
            }
        }
        total.norm = gradient_norm(model, &total.sum) / total.target_tokens;
        total.loss /= total.target_tokens;
        total.nll /= total.target_tokens;
        total.divergence = total.divergence.map(|sum| sum / total.target_tokens);
        total
    }

    /// With R-Drop every sentence stands in the batch twice: as other rows, they have other numbers dropped.
    fn micro_batch_loss(&self, batch: &Batch, pass: &mut Pass) -> MicroBatchLoss {
        let model = self.model();
        let passes = self.training.passes();
        let tensors = BatchTensors::repeated(batch, passes, &self.device);
        let (smoothing, precision) = (self.training.label_smoothing, pass.precision());
        let hidden = model.forward(&tensors.source, tensors.target_input, pass);
        if passes == 1 {
            let loss = output_loss(hidden, model.projection(), tensors.target_output, smoothing, precision);
            return MicroBatchLoss {
                reported: vec![loss.smoothed.clone().inner(), loss.nll.inner()],
                trained: loss.smoothed,
            };
        }
        let rule = PairRule {
            smoothing,
            divergence_weight: self.training.r_drop,
            precision,
        };
        let loss = paired_output_loss(hidden, model.projection(), tensors.target_output, rule);
        MicroBatchLoss {
            reported: [loss.smoothed, loss.nll, loss.divergence].map(Tensor::inner).to_vec(),
            trained: loss.trained,
        }
    }

    /// One step of the optimizer, after clipping.
    pub fn step(&mut self, gradients: UpdateGradients, learning_rate: f64) {
        let longest = self.training.clip_norm;
        let clip = if longest > 0.0 && gradients.norm > longest {
            longest / gradients.norm
        } else {
            1.0
        };
        let scale = clip / gradients.target_tokens;
        let model = self.model.take().expect("no step is under way");
        let optimizer = &mut self.optimizer;
        let step = || optimizer.step(model, gradients.sum, learning_rate, scale);
        self.model = Some(together(&self.device, step));
    }
}
