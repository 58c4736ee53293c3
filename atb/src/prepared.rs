//! Operations that are set up.

use std::fmt;

use ascendcl::{Stream, Workspace};

use crate::context::{Context, State};
use crate::error::{Error, Result};
use crate::operation::Operation;
use crate::pack::{RawPack, VariantPack};
use crate::param::{Param, SelfContained};
use crate::raw::check_outside;

/// An operation that is set up with its tensors, and can be executed on a stream, once or more often.
///
/// It borrows the operation, the context and the tensors until it is dropped; work that is queued goes on after that, in
/// order with all other work on the tensors.
///
/// ```
/// use ascendcl::{Backend, Format, Runtime, Workspace};
/// use atb::param::Linear;
/// use atb::{Context, Operation, VariantPack};
/// let runtime = Runtime::with_backend(Backend::Sim)?;
/// let stream = runtime.device(0)?.stream()?;
/// let (mut context, mut workspace) = (Context::new(&stream)?, Workspace::default());
///
/// // sum += x · weightᵀ
/// let mut linear = Operation::new(&runtime, Linear { has_bias: false, en_accum: true, ..Linear::default() })?;
/// let x = stream.tensor_from(&[1.0, 2.0].map(half::f16::from_f32), Format::Nd, &[1, 2])?;
/// let weight = stream.tensor_from(&[3.0, 4.0].map(half::f16::from_f32), Format::Nd, &[1, 2])?;
/// let mut sum = stream.tensor_from(&[100f32], Format::Nd, &[1, 1])?;
/// let pack = VariantPack::new().input(&x).input(&weight).updated(&mut sum).output_updated(2);
/// let mut prepared = linear.setup(&mut context, pack)?;
/// for _ in 0..3 {
///     prepared.execute(&stream, &mut workspace)?;
/// }
/// drop(prepared);
/// assert_eq!(stream.tensor_to_vec::<f32>(&sum)?, [133.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Prepared<'a, P: Param> {
    operation: &'a mut Operation<P>,
    context: &'a mut Context,
    pack: RawPack<'a>,
    workspace_size: u64,
}

impl<'a, P: Param> Prepared<'a, P> {
    pub(crate) fn new(
        operation: &'a mut Operation<P>,
        context: &'a mut Context,
        pack: VariantPack<'a>,
    ) -> Result<Self> {
        check_outside("Setup")?;
        check_updates(operation, &pack)?;
        let inputs = pack.input_descs();
        let pack = pack.into_raw()?;
        let core = &mut operation.core;
        core.keep(&context.core)?;
        context.device().make_current()?;
        let raw = core.raw()?;
        let workspace_size = {
            let mut state = context.core.lock();
            state.pace_setup()?;
            // Not every operation of the library compares its outputs with what it will write, so we do.
            let inferred = if core.trust().infers_sizes { core.infer_shape(&inputs)? } else { Vec::new() };
            for (index, (inferred, given)) in inferred.iter().zip(&pack.outputs).enumerate() {
                let bytes = inferred.bytes(&"inferred output")?;
                if (given.dataSize as u128) < bytes as u128 {
                    let (tensor, expected) =
                        (format!("output {index}"), format!("{inferred}: {bytes} bytes"));
                    return Err(Error::tensor(tensor, expected, format_args!("{} bytes", given.dataSize)));
                }
            }
            // SAFETY: operation and context are alive, and ours alone by `&mut` and the lock. The pack borrows the tensors'
            // memory, which is as large as the descriptions say; host data are the pack's.
            let setup =
                unsafe { core.library().atb().setup(raw, (&pack.inputs, &pack.outputs), context.core.raw()) };
            core.explain(setup)?
        };
        Ok(Self { operation, context, pack, workspace_size })
    }

    /// Bytes of workspace that an execution takes.
    pub fn workspace_size(&self) -> usize {
        usize::try_from(self.workspace_size).unwrap_or(usize::MAX)
    }

    /// Second phase: queues the operation's work on a stream of the context's device (`Execute`).
    ///
    /// The context is bound to the stream first, if it was bound to another one; that one's work is waited for on the device.
    /// The host waits when it is many executions ahead (see [`Context`]), and else not.
    ///
    /// An execution cannot be part of a captured graph: a replay would run with the tiling that the context's memory holds at
    /// that time, which is another operation's.
    ///
    /// # Errors
    /// [`Error::Capturing`] during a capture, [`Error::Unchecked`] for a graph that needs
    /// [`execute_unchecked`](Self::execute_unchecked), [`Error::Device`] for a stream or a tensor of another device or if there is no memory for the
    /// workspace, [`Error::Atb`] from the library.
    pub fn execute(&mut self, stream: &Stream, workspace: &mut Workspace) -> Result<()>
    where
        P: SelfContained,
    {
        if self.operation.core.trust().unchecked {
            return Err(Error::Unchecked { operation: self.operation.name().to_owned() });
        }
        // SAFETY: no address comes from the data.
        unsafe { self.execute_unchecked(stream, workspace) }
    }

    /// As [`execute`](Self::execute), for all operations: also for those that take addresses from their inputs' data, for graphs
    /// with such a node, and for graphs with chunks or a shape inference of their own, whose outputs' sizes cannot be checked.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), without [`Error::Unchecked`].
    ///
    /// # Safety
    /// When the device comes to the work, the inputs' data (and their host values) are such that the operation reads and
    /// writes within its tensors: slots are slots of the cache or negative, block tables name blocks of the cache for the
    /// lengths that go with them, indices are within the dimension that they index, lengths add up to the rows that there are.
    /// The parameter's documentation says which inputs these are, and what shapes the library does not check. A graph's outputs
    /// are as large as its nodes make them. Else the device faults, or other device memory is overwritten.
    pub unsafe fn execute_unchecked(&mut self, stream: &Stream, workspace: &mut Workspace) -> Result<()> {
        check_outside("Execute")?;
        let size = self.workspace_size();
        let core = &*self.context.core;
        let operation = &mut self.operation.core;
        let raw = operation.raw()?;
        let atb = operation.library().atb();
        // First of all, so that nothing is recorded in a graph for nothing.
        stream.check_not_capturing("Execute")?;
        if stream.device() != core.device() {
            let (expected, got) = (format!("{:?}", core.device()), format!("{:?}", stream.device()));
            return Err(Error::Device(ascendcl::Error::Mismatch { what: "stream", expected, got }));
        }
        let scratch = workspace.reserve(stream, size)?;
        let address = if size == 0 { std::ptr::null_mut() } else { scratch.as_device_ptr() };
        let token = operation.token(stream)?.write();
        let mut state = core.lock();
        state.pace_execution(stream)?;
        let State { token: context_token, stream: bound, .. } = &mut *state;
        let tensors = (&self.pack.inputs[..], &self.pack.outputs[..]);
        // The tokens' order is that of the context's and the operation's own memory.
        let own = [scratch.write(), token, context_token.write()];
        // SAFETY: the work touches what the pack touches, the scratch memory, and what the tokens stand for. What the caller
        // vouches for keeps it within the tensors. `Execute` queues on the stream that is bound, and waits for nothing. The
        // context's own stream for copies is ordered by the library.
        let queued = unsafe {
            stream.enqueue(&self.pack.touches, |_| {
                stream.enqueue(&own, |handle| {
                    // A capture may have begun meanwhile; from here on, none does.
                    stream.check_not_capturing("Execute")?;
                    let bound = core.bind(bound, handle.0);
                    Ok(bound
                        .and_then(|()| atb.execute(raw, tensors, (address, self.workspace_size), core.raw())))
                })
            })
        }?;
        queued.map_err(|error| error.about(self.operation.name()))
    }
}

/// Refuses a pack in which a tensor that the operation writes in place is not given as such.
fn check_updates<P: Param>(operation: &Operation<P>, pack: &VariantPack<'_>) -> Result<()> {
    for (output, input) in operation.param().updates() {
        if output < pack.output_num() && pack.update_of(output) != Some(input) {
            let tensor = format_args!("output {output} of {}", operation.name());
            let expected =
                format_args!("`output_updated({input})`: the operation writes that input in place");
            return Err(Error::tensor(tensor, expected, "another tensor"));
        }
    }
    for input in operation.param().written() {
        if input < pack.input_num() && !pack.is_updated(input) {
            let tensor = format_args!("input {input} of {}", operation.name());
            let expected = "given by `updated`: the operation writes it in place";
            return Err(Error::tensor(tensor, expected, "given by `input`"));
        }
    }
    Ok(())
}

impl<P: Param> fmt::Debug for Prepared<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("operation", &self.operation.core)
            .field("context", &self.context)
            .field("tensors", &(self.pack.inputs.len(), self.pack.outputs.len()))
            .field("workspace_size", &self.workspace_size)
            .finish()
    }
}
