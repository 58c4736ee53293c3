//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test file uses everything")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::mpsc::{Sender, channel};

use ascendcl::{Backend, Element, Format, Runtime, Stream, Tensor, Workspace};
use atb::{Context, OpParam, Operation};
use half::f16;

/// A stream of the simulated device with a context.
pub struct Rig {
    pub workspace: Workspace,
    pub context: Context,
    pub stream: Stream,
    pub runtime: Runtime,
}

impl Rig {
    pub fn new() -> Self {
        let runtime = Runtime::with_backend(Backend::Sim).unwrap();
        let stream = runtime.device(0).unwrap().stream().unwrap();
        let context = Context::new(&stream).unwrap();
        Self { workspace: Workspace::default(), context, stream, runtime }
    }

    pub fn operation<P: OpParam>(&self, param: P) -> Operation<P> {
        Operation::new(&self.runtime, param).unwrap()
    }

    pub fn tensor<T: Element + Default>(&self, values: &[T], shape: &[usize]) -> Tensor {
        self.stream.tensor_from(values, Format::Nd, shape).unwrap()
    }

    /// A Float16 tensor of these numbers.
    pub fn half(&self, values: &[f32], shape: &[usize]) -> Tensor {
        self.tensor(&halves(values), shape)
    }

    /// A Float16 tensor in which a mistake would show.
    pub fn output(&self, shape: &[usize]) -> Tensor {
        self.half(&vec![-999.0; shape.iter().product()], shape)
    }

    /// The numbers of a Float16 tensor.
    pub fn floats(&self, tensor: &Tensor) -> Vec<f32> {
        self.values::<f16>(tensor).into_iter().map(f16::to_f32).collect()
    }

    pub fn values<T: Element + Default>(&self, tensor: &Tensor) -> Vec<T> {
        self.stream.tensor_to_vec(tensor).unwrap()
    }
}

pub fn halves(values: &[f32]) -> Vec<f16> {
    values.iter().copied().map(f16::from_f32).collect()
}

/// Holds a stream's work up until it is dropped.
pub struct Gate {
    _open: Sender<()>,
}

impl Gate {
    /// Queues a host function that waits for the gate.
    pub fn close(stream: &Stream) -> Self {
        let (open, opened) = channel();
        stream.host_function(move || opened.recv().unwrap_or(())).unwrap();
        Self { _open: open }
    }
}
