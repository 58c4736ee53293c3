//! Graphs, and the closures that they call.

use std::any::Any;
use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use atb_sys::{
    ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL, ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL, ATB_NO_ERROR, atb_chunk,
    atb_dims, atb_graph_param, atb_infer_shape, atb_node, atb_operation, atb_reshape, atb_status,
    atb_tensor_desc,
};
use parking_lot::Mutex;

use super::{Atb, call, context::null, inside};
use crate::error::{Error, Result};
use crate::tensor::TensorDesc;

/// A node's new shape of an input.
pub(crate) type ReshapeFn = dyn Fn(&[i64]) -> Vec<i64> + Send + Sync;
/// A graph's outputs for its inputs.
pub(crate) type InferShapeFn = dyn Fn(&[TensorDesc]) -> Vec<TensorDesc> + Send + Sync;

/// What a closure failed with; the first failure of a call.
type Failure = Arc<Mutex<Option<Failed>>>;

enum Failed {
    Panicked(String),
    Wrong(Error),
}

/// A closure with the place where it says what went wrong.
struct Closure<F: ?Sized> {
    function: Box<F>,
    failure: Failure,
}

/// The closures of a graph and of the graphs in it.
#[derive(Default)]
pub(crate) struct Closures {
    failure: Failure,
    reshapes: Vec<Arc<Closure<ReshapeFn>>>,
    infer_shape: Option<Arc<Closure<InferShapeFn>>>,
    nested: Vec<Self>,
}

/// A graph to be made.
pub(crate) struct RawGraph<'a> {
    pub(crate) name: &'a CStr,
    pub(crate) inputs: u32,
    pub(crate) outputs: u32,
    pub(crate) internals: u32,
    pub(crate) nodes: Vec<RawNode>,
}

/// A node of it.
pub(crate) struct RawNode {
    pub(crate) operation: NonNull<atb_operation>,
    pub(crate) inputs: Vec<u32>,
    pub(crate) outputs: Vec<u32>,
    /// For each input.
    pub(crate) reshapes: Vec<atb_reshape>,
    /// For each input, or none at all.
    pub(crate) chunks: Vec<atb_chunk>,
}

impl Closures {
    /// Takes a reshape over; the answer is valid as long as `self`.
    pub(crate) fn reshape(&mut self, function: Box<ReshapeFn>) -> atb_reshape {
        let closure = Arc::new(Closure { function, failure: Arc::clone(&self.failure) });
        let data = Arc::as_ptr(&closure).cast_mut().cast();
        self.reshapes.push(closure);
        atb_reshape { function: Some(reshape), data }
    }

    /// Takes a shape inference over; the answer is valid as long as `self`.
    pub(crate) fn infer_shape(&mut self, function: Box<InferShapeFn>) -> atb_infer_shape {
        let closure = Arc::new(Closure { function, failure: Arc::clone(&self.failure) });
        let data = Arc::as_ptr(&closure).cast_mut().cast();
        self.infer_shape = Some(closure);
        atb_infer_shape { function: Some(infer_shape), data }
    }

    /// Takes the closures of a node over, which is a graph.
    pub(crate) fn nest(&mut self, closures: Self) {
        if !closures.reshapes.is_empty() || closures.infer_shape.is_some() || !closures.nested.is_empty() {
            self.nested.push(closures);
        }
    }

    /// What a closure failed with in the last call.
    pub(crate) fn take_failure(&self, graph: &str) -> Option<Error> {
        let mine = self.failure.lock().take();
        // All are taken, so that none is left for the next call.
        let of_nested = |found: Option<Error>, closures: &Self| closures.take_failure(graph).or(found);
        let nested = self.nested.iter().fold(None, of_nested);
        match mine {
            Some(Failed::Panicked(message)) => {
                Some(Error::ClosurePanicked { graph: graph.to_owned(), message })
            }
            Some(Failed::Wrong(error)) => Some(error),
            None => nested,
        }
    }
}

impl<F: ?Sized> Closure<F> {
    /// Runs the closure, and keeps what it failed with.
    fn run<R>(&self, run: impl FnOnce(&F) -> Result<R>) -> Option<R> {
        let failed = match inside(|| catch_unwind(AssertUnwindSafe(|| run(&self.function)))) {
            Ok(Ok(result)) => return Some(result),
            Ok(Err(error)) => Failed::Wrong(error),
            Err(panic) => Failed::Panicked(message_of(&*panic)),
        };
        self.failure.lock().get_or_insert(failed);
        None
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// The dimensions of a shape, if it has not too many.
fn dims(shape: &atb_dims) -> Option<&[i64]> {
    shape.dims.get(..usize::try_from(shape.dimNum).ok()?)
}

/// # Safety
/// `data` came from [`Closures::reshape`], which is alive; `old` points to a shape, and `new` to room for one.
unsafe extern "C" fn reshape(data: *mut c_void, old: *const atb_dims, new: *mut atb_dims) -> atb_status {
    // SAFETY: the caller's promise.
    let (closure, old) = unsafe { (&*data.cast::<Closure<ReshapeFn>>(), &*old) };
    let reshaped = closure.run(|function| {
        let old = dims(old).unwrap_or_default();
        let shape = function(old);
        let mut dims = [0; atb_sys::ATB_MAX_DIM as usize];
        let product = |shape: &[i64]| shape.iter().map(|dim| i128::from(*dim)).try_fold(1, i128::checked_mul);
        if shape.len() > dims.len() || shape.iter().any(|dim| *dim < 0) || product(&shape) != product(old) {
            let expected =
                format_args!("of as many elements as {old:?}, in at most {} dimensions", dims.len());
            return Err(Error::tensor(
                "shape from a reshape of a graph",
                expected,
                format_args!("{shape:?}"),
            ));
        }
        dims[..shape.len()].copy_from_slice(&shape);
        Ok(atb_dims { dims, dimNum: shape.len() as u64 })
    });
    let Some(reshaped) = reshaped else { return ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL };
    // SAFETY: the caller's promise.
    unsafe { new.write(reshaped) };
    ATB_NO_ERROR
}

/// # Safety
/// `data` came from [`Closures::infer_shape`], which is alive; the pointers are to as many descriptions as the numbers say, and
/// to room for them.
unsafe extern "C" fn infer_shape(
    data: *mut c_void,
    inputs: *const atb_tensor_desc,
    input_num: usize,
    outputs: *mut atb_tensor_desc,
    output_num: usize,
) -> atb_status {
    // SAFETY: the caller's promise.
    let closure = unsafe { &*data.cast::<Closure<InferShapeFn>>() };
    let inferred = closure.run(|function| {
        let inputs = match input_num {
            0 => &[],
            // SAFETY: the caller's promise.
            _ => unsafe { std::slice::from_raw_parts(inputs, input_num) },
        };
        let describe = |(index, desc)| TensorDesc::from_raw(desc, format_args!("input {index} of a graph"));
        let inputs: Vec<_> = inputs.iter().enumerate().map(describe).collect::<Result<_>>()?;
        let inferred = function(&inputs);
        if inferred.len() != output_num {
            let what = "outputs from a shape inference of a graph";
            return Err(Error::tensor(what, output_num, inferred.len()));
        }
        let raw =
            |(index, desc): (usize, &TensorDesc)| desc.to_raw(&format_args!("output {index} of a graph"));
        inferred.iter().enumerate().map(raw).collect::<Result<Vec<_>>>()
    });
    let Some(inferred) = inferred else { return ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL };
    // SAFETY: the caller's promise; there are as many.
    unsafe { ptr::copy_nonoverlapping(inferred.as_ptr(), outputs, inferred.len()) };
    ATB_NO_ERROR
}

impl Atb {
    /// `CreateOperation` of a graph.
    ///
    /// # Safety
    /// The nodes' operations are alive and nobody else's, and become the graph's if this succeeds. Each has a reshape for each
    /// input. What the reshapes and the shape inference came from is alive as long as the graph.
    pub(crate) unsafe fn create_graph(
        &self,
        graph: &RawGraph<'_>,
        infer_shape: Option<atb_infer_shape>,
    ) -> Result<NonNull<atb_operation>> {
        let nodes: Vec<_> = graph
            .nodes
            .iter()
            .map(|node| atb_node {
                operation: node.operation.as_ptr(),
                inTensorIds: node.inputs.as_ptr(),
                inTensorNum: node.inputs.len(),
                outTensorIds: node.outputs.as_ptr(),
                outTensorNum: node.outputs.len(),
                inTensorReshapes: node.reshapes.as_ptr(),
                inTensorChunks: if node.chunks.is_empty() { ptr::null() } else { node.chunks.as_ptr() },
            })
            .collect();
        let param = atb_graph_param {
            name: graph.name.as_ptr(),
            inTensorNum: graph.inputs,
            outTensorNum: graph.outputs,
            internalTensorNum: graph.internals,
            nodes: nodes.as_ptr(),
            nodeNum: nodes.len(),
            inferShape: infer_shape.unwrap_or(atb_infer_shape { function: None, data: ptr::null_mut() }),
        };
        let mut operation = ptr::null_mut();
        // SAFETY: the caller's promise; pointers to arrays that live for the call, with their lengths, and an out-pointer.
        unsafe { call!(self, "CreateOperation": createGraph(&param, &mut operation)) }?;
        NonNull::new(operation).ok_or_else(|| null("CreateOperation"))
    }
}
