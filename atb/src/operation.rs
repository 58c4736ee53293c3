//! Operations.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use ascendcl::{DeviceBuffer, Runtime, Stream, Workspace};
use atb_sys::atb_operation;

use crate::context::{Context, ContextCore};
use crate::error::{Error, Result};
use crate::library::Library;
use crate::pack::VariantPack;
use crate::param::{OpParam, Param, SelfContained};
use crate::prepared::Prepared;
use crate::raw::graph::Closures;
use crate::raw::param::RawParam;
use crate::raw::{check_outside, is_inside};
use crate::tensor::TensorDesc;

/// An operation of the library (`atb::Operation`), made from its parameter, or a [`Graph`](crate::Graph) of operations.
///
/// It is set up with tensors in a [`Context`], and then executed on a stream, once or more often: see
/// [`setup`](Self::setup) and [`run`](Self::run). It can be sent to another thread, but used by one at a time.
///
/// ```
/// use ascendcl::{Backend, Format, Runtime, Workspace};
/// use atb::param::Concat;
/// use atb::{Context, DataType, Operation, TensorDesc, VariantPack};
///
/// let runtime = Runtime::with_backend(Backend::Sim)?;
/// let stream = runtime.device(0)?.stream()?;
/// let mut context = Context::new(&stream)?;
/// let mut workspace = Workspace::default();
///
/// let mut concat = Operation::new(&runtime, Concat { concat_dim: 1 })?;
/// let half = |values: &[f32]| values.iter().map(|value| half::f16::from_f32(*value)).collect::<Vec<_>>();
/// let x = stream.tensor_from(&half(&[1.0, 2.0, 3.0, 4.0]), Format::Nd, &[2, 2])?;
/// let y = stream.tensor_from(&half(&[5.0, 6.0]), Format::Nd, &[2, 1])?;
/// let shapes = concat.infer_shape(&[x.desc().into(), y.desc().into()])?;
/// assert_eq!(shapes, [TensorDesc::nd(DataType::Float16, &[2, 3])]);
///
/// let mut both = stream.tensor_zeros(ascendcl::TensorDesc::new(DataType::Float16, Format::Nd, &[2, 3])?)?;
/// let pack = VariantPack::new().input(&x).input(&y).output(&mut both);
/// concat.run(&mut context, &stream, pack, &mut workspace)?;
/// assert_eq!(stream.tensor_to_vec::<half::f16>(&both)?, half(&[1.0, 2.0, 5.0, 3.0, 4.0, 6.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Operation<P: Param> {
    pub(crate) core: OperationCore,
    param: P,
    /// The library says nothing about threads that share one.
    not_sync: PhantomData<Cell<()>>,
}

/// The library's operation with what must outlive it.
pub(crate) struct OperationCore {
    /// `None` when a graph owns it.
    raw: Option<NonNull<atb_operation>>,
    name: String,
    library: Library,
    runtime: Runtime,
    /// The context of the first set-up: the operation has got memory from it that goes back when it is destroyed.
    context: Option<Arc<ContextCore>>,
    /// Stands for what the operation's work uses of it; there is none before the first execution.
    token: Option<DeviceBuffer<u8>>,
    /// What the operation calls, if it is a graph.
    closures: Closures,
    /// How far its outputs can be trusted to fit.
    trust: Trust,
}

/// What is known of the memory that an operation touches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust {
    /// Whether it depends on what the safe calls cannot check.
    pub(crate) unchecked: bool,
    /// Whether the inferred outputs are as large as what is written.
    pub(crate) infers_sizes: bool,
}

// SAFETY: the library has no state that belongs to the thread that made an operation; it is used by one thread at a time, by
// `&mut` or because `Operation` is not `Sync`, and calls that use its context hold the context's lock.
unsafe impl Send for OperationCore {}

impl<P: OpParam> Operation<P> {
    /// Makes an operation (`CreateOperation`).
    ///
    /// # Errors
    /// [`Error::Atb`] for a parameter that the library refuses, or does not have; [`Error::Unavailable`] as
    /// [`Library::of`].
    pub fn new(runtime: &Runtime, param: P) -> Result<Self> {
        check_outside("CreateOperation")?;
        let library = Library::of(runtime)?;
        param.check()?;
        // SAFETY: arrays are the parameter's own.
        let raw = param
            .with_raw(|raw| unsafe { P::Raw::create(library.atb(), raw) })
            .map_err(|error| error.about(P::NAME))?;
        let trust = Trust { unchecked: P::ADDRESSES, infers_sizes: true };
        // SAFETY: the operation was just made, for us.
        unsafe { Self::of_raw(raw, param, (runtime, library), Closures::default(), trust) }
    }

    /// Gives the operation another parameter (`UpdateOperationParam`). Waits for the operation's work.
    ///
    /// # Errors
    /// [`Error::Atb`] for a parameter that the library refuses: the old one stays. [`Error::Device`] if the work failed.
    pub fn update(&mut self, param: P) -> Result<()> {
        check_outside("UpdateOperationParam")?;
        param.check()?;
        let core = &mut self.core;
        core.wait()?;
        let context = core.context.clone();
        let _state = context.as_ref().map(|context| context.lock());
        let raw = core.raw()?;
        param
            .with_raw(|new| {
                // SAFETY: arrays are the parameter's own; the operation is alive, has no work, is not used by anybody else, and its
                // context is locked.
                unsafe { P::Raw::update(core.library.atb(), raw, new) }
            })
            .map_err(|error| error.about(&core.name))?;
        self.param = param;
        Ok(())
    }
}

impl<P: Param> Operation<P> {
    /// # Safety
    /// The operation was made by this library, and is nobody else's. What it calls is in `closures`.
    pub(crate) unsafe fn of_raw(
        raw: NonNull<atb_operation>,
        param: P,
        (runtime, library): (&Runtime, Library),
        closures: Closures,
        trust: Trust,
    ) -> Result<Self> {
        let mut core = OperationCore {
            raw: Some(raw),
            name: String::new(),
            library,
            runtime: runtime.clone(),
            context: None,
            token: None,
            closures,
            trust,
        };
        // SAFETY: the operation is alive.
        core.name = unsafe { library.atb().operation_name(raw) }?;
        Ok(Self { core, param, not_sync: PhantomData })
    }

    /// The library's operation alone.
    pub(crate) fn into_core(self) -> OperationCore {
        self.core
    }

    /// The parameter, or the graph.
    pub fn param(&self) -> &P {
        &self.param
    }

    /// What the library calls the operation (`GetName`), such as `RmsNormOperation`.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// How many inputs it takes with its parameter, those that may be left out included (`GetInputNum`).
    ///
    /// # Errors
    /// [`Error::Atb`] from the library.
    pub fn input_num(&self) -> Result<usize> {
        self.core.tensor_numbers().map(|(inputs, _)| inputs)
    }

    /// How many outputs it gives with its parameter (`GetOutputNum`).
    ///
    /// # Errors
    /// [`Error::Atb`] from the library.
    pub fn output_num(&self) -> Result<usize> {
        self.core.tensor_numbers().map(|(_, outputs)| outputs)
    }

    /// The outputs' descriptions for the inputs' ones (`InferShape`).
    ///
    /// # Errors
    /// [`Error::Atb`] for inputs that the library refuses, [`Error::Tensor`] for one that cannot be described,
    /// [`Error::ClosurePanicked`] from a graph.
    pub fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        check_outside("InferShape")?;
        self.core.infer_shape(inputs)
    }

    /// First phase: checks the tensors, chooses kernels, and computes their tiling and the size of the workspace (`Setup`).
    ///
    /// The result borrows everything that the second phase needs, so that an execution always has the tensors of the
    /// set-up before it.
    ///
    /// ```compile_fail,E0499
    /// # use atb::{param::Softmax, *};
    /// fn twice(op: &mut Operation<Softmax>, context: &mut Context, packs: [VariantPack<'_>; 2]) -> Result<()> {
    ///     let [one, two] = packs;
    ///     let first = op.setup(context, one)?;
    ///     let second = op.setup(context, two)?; // the first set-up is gone
    ///     drop(first);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Tensor`] for a mistake in the pack or an output that is too small, [`Error::Atb`] for tensors that the
    /// library refuses, [`Error::ClosurePanicked`] from a graph, [`Error::Device`] for a context of another runtime, or
    /// another context than that of the operation's first set-up.
    pub fn setup<'a>(
        &'a mut self,
        context: &'a mut Context,
        pack: VariantPack<'a>,
    ) -> Result<Prepared<'a, P>> {
        Prepared::new(self, context, pack)
    }

    /// Both phases: [`setup`](Self::setup) and [`Prepared::execute`].
    ///
    /// # Errors
    /// As both.
    pub fn run(
        &mut self,
        context: &mut Context,
        stream: &Stream,
        pack: VariantPack<'_>,
        workspace: &mut Workspace,
    ) -> Result<()>
    where
        P: SelfContained,
    {
        self.setup(context, pack)?.execute(stream, workspace)
    }

    /// Both phases: [`setup`](Self::setup) and [`Prepared::execute_unchecked`].
    ///
    /// # Errors
    /// As both.
    ///
    /// # Safety
    /// As [`Prepared::execute_unchecked`].
    pub unsafe fn run_unchecked(
        &mut self,
        context: &mut Context,
        stream: &Stream,
        pack: VariantPack<'_>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.setup(context, pack)?.execute_unchecked(stream, workspace) }
    }
}

impl OperationCore {
    pub(crate) fn raw(&self) -> Result<NonNull<atb_operation>> {
        // Only a node of a graph has none, and nobody can call that.
        self.raw
            .ok_or_else(|| Error::Graph { graph: self.name.clone(), why: "owned by another graph".into() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    pub(crate) fn trust(&self) -> Trust {
        self.trust
    }

    pub(crate) fn is_set_up(&self) -> bool {
        self.context.is_some()
    }

    pub(crate) fn tensor_numbers(&self) -> Result<(usize, usize)> {
        // SAFETY: the operation is alive.
        unsafe { self.library.atb().tensor_numbers(self.raw()?) }.map_err(|error| error.about(&self.name))
    }

    pub(crate) fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let describe = |(index, desc): (usize, &TensorDesc)| desc.to_raw(&format_args!("input {index}"));
        let raw: Vec<_> = inputs.iter().enumerate().map(describe).collect::<Result<_>>()?;
        // SAFETY: the operation is alive, and used by one thread at a time.
        let inferred = unsafe { self.library.atb().infer_shape(self.raw()?, &raw) };
        self.explain(inferred)
    }

    /// What a call of the library answered, or what a closure in it had to say.
    pub(crate) fn explain<R>(&self, result: Result<R>) -> Result<R> {
        match self.closures.take_failure(&self.name) {
            Some(failure) => Err(failure),
            None => result.map_err(|error| error.about(&self.name)),
        }
    }

    /// Makes a context the operation's own, if it has none.
    pub(crate) fn keep(&mut self, context: &Arc<ContextCore>) -> Result<()> {
        self.library.check_same("context", context.library())?;
        match &self.context {
            Some(own) if !Arc::ptr_eq(own, context) => {
                let (expected, got) = ("the one of the operation's first set-up", "another one");
                let (expected, got) = (expected.into(), got.into());
                Err(Error::Device(ascendcl::Error::Mismatch { what: "context", expected, got }))
            }
            Some(_) => Ok(()),
            None => {
                self.context = Some(Arc::clone(context));
                Ok(())
            }
        }
    }

    /// The token, for work that is about to be queued.
    pub(crate) fn token(&mut self, stream: &Stream) -> Result<&mut DeviceBuffer<u8>> {
        let token = match self.token.take() {
            Some(token) => token,
            None => stream.alloc(1)?,
        };
        Ok(self.token.insert(token))
    }

    /// Waits for the operation's work.
    fn wait(&self) -> Result<()> {
        if let Some(token) = &self.token {
            token.synchronize()?;
        }
        Ok(())
    }

    /// Leaves the operation to a graph, with its closures.
    pub(crate) fn give_up(&mut self) -> (Option<NonNull<atb_operation>>, Closures) {
        (self.raw.take(), std::mem::take(&mut self.closures))
    }

    fn destroy(&mut self, raw: NonNull<atb_operation>) -> Result<()> {
        if is_inside() {
            return Err(Error::InClosure { call: "DestroyOperation" });
        }
        self.wait()?;
        let _state = match &self.context {
            Some(context) => {
                context.device().make_current()?;
                Some(context.lock())
            }
            None => None,
        };
        // SAFETY: the operation is alive and its last owner gives it up; its context is alive and locked, and its work was
        // waited for.
        unsafe { self.library.atb().destroy_operation(raw) }
    }
}

impl Drop for OperationCore {
    fn drop(&mut self) {
        let Some(raw) = self.raw.take() else { return };
        if let Err(error) = self.destroy(raw) {
            tracing::error!(operation = self.name, %error, "destroying the operation");
            // It may still be there and get memory from its context.
            std::mem::forget(self.context.take());
            std::mem::forget(std::mem::take(&mut self.closures));
        }
    }
}

impl fmt::Debug for OperationCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?} of {:?})", self.name, self.raw, self.runtime.backend())
    }
}

impl<P: Param> fmt::Debug for Operation<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("library", &self.core).field("param", &self.param).finish()
    }
}
