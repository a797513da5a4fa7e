//! Tells Burn's autodiff about an operation and its backward step.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

/// Tensors without autodiff, and what stands for them in its graph.
pub fn parts<B: Backend, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
) -> ([FloatTensor<B>; N], [NodeGuard; N]) {
    let mut guards = Vec::with_capacity(N);
    let tensors = tensors.map(|tensor| {
        let (tensor, guard) = tensor.into_parts();
        guards.push(guard);
        tensor
    });
    (tensors, guards.try_into().expect("one for each tensor"))
}

/// The output of an operation on `parents`, with what its backward step needs.
pub fn record<B, C, Step, State, const N: usize>(
    step: Step,
    parents: [NodeGuard; N],
    output: FloatTensor<B>,
    state: impl FnOnce() -> State,
) -> FloatTensor<Autodiff<B, C>>
where
    B: Backend,
    C: CheckpointStrategy,
    Step: Backward<B, N, State = State>,
    State: Clone + Send + Debug + 'static,
{
    match step.prepare::<C>(parents).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state(), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

/// Hands each parent that wants one its gradient.
pub fn register<B: Backend, State, const N: usize>(
    ops: Ops<State, N>,
    gradients: &mut Gradients,
    of_parents: [FloatTensor<B>; N],
) {
    for (parent, gradient) in ops.parents.into_iter().zip(of_parents) {
        if let Some(parent) = parent {
            gradients.register::<B>(parent.id, gradient);
        }
    }
}
