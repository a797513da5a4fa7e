//! A model's parameters by name: initialise, read, write.
//!
//! A name is the path of fields, such as `encoder.layers.0.self_attention.query.weight`; which of several kinds a module is
//! does not show in it. Linear weights are `[d_in, d_out]`.

use std::collections::BTreeMap;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;

use crate::pass::mix;

/// One parameter's values on the host, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Shape, outermost first.
    pub shape: Vec<usize>,
    /// Values.
    pub values: Vec<f32>,
}

/// Parameters by name, in the names' order.
pub type Weights = BTreeMap<String, Weight>;

/// Where a visitor of modules is.
#[derive(Debug, Clone, Default)]
pub struct Path(Vec<String>);

impl Path {
    /// To be called by `enter_module`.
    pub fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_owned());
        }
    }

    /// To be called by `exit_module`.
    pub fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }

    /// The name of the parameter that is visited.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
}

/// All parameters of a module.
pub fn export<M: Module>(module: &M) -> Weights {
    struct Export {
        path: Path,
        weights: Weights,
    }
    impl ModuleVisitor for Export {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, container: &str) {
            self.path.exit(container);
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let shape = param.dims().to_vec();
            let values = host_values(param.val());
            self.weights.insert(self.path.name(), Weight { shape, values });
        }
    }
    let mut export = Export {
        path: Path::default(),
        weights: Weights::new(),
    };
    module.visit(&mut export);
    export.weights
}

/// Name and shape of every parameter of a module, in the module's order. No memory is taken for weights that were not used
/// yet.
pub fn shapes<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    struct Shapes {
        path: Path,
        found: Vec<(String, Vec<usize>)>,
    }
    impl ModuleVisitor for Shapes {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, container: &str) {
            self.path.exit(container);
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push((self.path.name(), param.lazy_shape().to_vec()));
        }
    }
    let mut shapes = Shapes {
        path: Path::default(),
        found: Vec::new(),
    };
    module.visit(&mut shapes);
    shapes.found
}

/// A tensor's values on the host.
pub fn host_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .expect("the data was converted to f32")
}

/// Why weights do not fit a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The model has a parameter that the weights lack.
    #[error("parameter {0} is missing")]
    Missing(String),
    /// The weights hold a parameter that the model lacks.
    #[error("parameter {0} is not part of this model")]
    Unknown(String),
    /// The shapes differ.
    #[error("parameter {name} has shape {found:?}, the model needs {needed:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape in the weights.
        found: Vec<usize>,
        /// Its shape in the model.
        needed: Vec<usize>,
    },
}

/// Replaces every parameter of a module.
///
/// # Errors
/// When a parameter is missing, unknown, or of another shape; the module is lost then.
pub fn import<M: Module>(module: M, mut weights: Weights) -> Result<M, WeightsError> {
    let mut fault = None;
    let module = map_weights(module, |name, shape| match weights.remove(name) {
        Some(weight) if weight.shape == shape => Some(weight.values),
        Some(weight) => {
            let (found, needed) = (weight.shape, shape.to_vec());
            fault.get_or_insert(WeightsError::Shape {
                name: name.to_owned(),
                found,
                needed,
            });
            None
        }
        None => {
            fault.get_or_insert(WeightsError::Missing(name.to_owned()));
            None
        }
    });
    match (fault, weights.into_keys().next()) {
        (Some(fault), _) => Err(fault),
        (None, Some(name)) => Err(WeightsError::Unknown(name)),
        (None, None) => Ok(module),
    }
}

/// Gives every parameter its first value, a pure function of seed and name:
/// embeddings from N(0, 1/width), matrices from Xavier's uniform distribution (Glorot and Bengio 2010, eq. 16), norms'
/// scales 1, biases 0.
pub fn initialise<M: Module>(module: M, seed: u64) -> M {
    map_weights(module, |name, shape| Some(initial_values(name, shape, seed)))
}

fn initial_values(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    let count = shape.iter().product();
    let mut uniform = UniformStream::new(seed, name);
    match shape {
        [_, width] if name.ends_with("embedding.weight") => {
            let deviation = (*width as f64).powf(-0.5);
            (0..count).map(|_| (uniform.next_normal() * deviation) as f32).collect()
        }
        [d_in, d_out] => {
            let bound = (6.0 / (d_in + d_out) as f64).sqrt();
            (0..count)
                .map(|_| ((uniform.next() * 2.0 - 1.0) * bound) as f32)
                .collect()
        }
        _ if name.ends_with("gamma") => vec![1.0; count],
        _ => vec![0.0; count],
    }
}

/// Uniform numbers in [0, 1) from a counter.
struct UniformStream {
    key: u64,
    counter: u64,
}

impl UniformStream {
    fn new(seed: u64, name: &str) -> Self {
        Self {
            key: name.bytes().fold(mix(seed), |key, byte| mix(key ^ u64::from(byte))),
            counter: 0,
        }
    }

    fn next(&mut self) -> f64 {
        self.counter += 1;
        (mix(self.key ^ self.counter) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller (1958).
    fn next_normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.next()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.next()).cos()
    }
}

/// Replaces each parameter by what `values(name, shape)` gives; `None` leaves it.
fn map_weights<M: Module>(module: M, values: impl FnMut(&str, &[usize]) -> Option<Vec<f32>>) -> M {
    struct Map<F> {
        path: Path,
        values: F,
    }
    impl<F: FnMut(&str, &[usize]) -> Option<Vec<f32>>> ModuleMapper for Map<F> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, container: &str) {
            self.path.exit(container);
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match (self.values)(&self.path.name(), &param.dims()) {
                Some(values) => replace(param, values),
                None => param,
            }
        }
    }
    module.map(&mut Map {
        path: Path::default(),
        values,
    })
}

/// A parameter with the same identity and shape and other values.
fn replace<const D: usize>(param: Param<Tensor<D>>, values: Vec<f32>) -> Param<Tensor<D>> {
    param.map(|tensor| {
        let tracked = tensor.is_require_grad();
        let data = TensorData::new(values, tensor.shape());
        Tensor::from_data(data, &tensor.device()).set_require_grad(tracked)
    })
}
