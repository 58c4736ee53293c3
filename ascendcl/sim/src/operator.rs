//! Operators of other libraries that run on the simulated device: work of theirs, in stream order, on device memory.
//!
//! A library of operators is told what memory a call touches, as on a real device. It [queues](enqueue) a function with it;
//! when the stream comes to the call, the function gets the memory, and copies what it reads and writes.

use std::sync::Arc;

use ascendcl_sys::{aclError, aclrtStream};
use bytemuck::{AnyBitPattern, NoUninit};

use crate::abi::stream::Scope;
use crate::error::{self, Error, Result, failure, misuse};
use crate::raw::HostBlock;
use crate::simulator;
use crate::stream::Stream;
use crate::task::Task;
use crate::transfer::Place;

/// Memory that work touches. A range of no bytes is nowhere.
#[derive(Clone)]
pub struct Memory {
    place: Option<Place>,
    length: usize,
}

impl Memory {
    /// Memory of the host with a copy of these bytes: what work gets that is tried without a device.
    ///
    /// # Errors
    /// [`Fault`] if the host has no memory left.
    pub fn staged(bytes: &[u8]) -> std::result::Result<Self, Fault> {
        if bytes.is_empty() {
            return Ok(Self { place: None, length: 0 });
        }
        let block = HostBlock::new(bytes.len()).ok_or_else(|| {
            failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no {} bytes", bytes.len())
        })?;
        let place = Place::Staged(Arc::new(block));
        place.write_at(0, bytes)?;
        Ok(Self { place: Some(place), length: bytes.len() })
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// A copy of `count` values from the byte `offset` on.
    ///
    /// # Errors
    /// [`Fault`] if they are not within the memory, or if it was freed meanwhile.
    pub fn read<T: AnyBitPattern + NoUninit>(
        &self,
        offset: usize,
        count: usize,
    ) -> std::result::Result<Vec<T>, Fault> {
        let mut values = vec![T::zeroed(); count];
        let bytes = bytemuck::cast_slice_mut(&mut values);
        if let Some(place) = self.within(offset, bytes.len())? {
            place.read_at(offset, bytes)?;
        }
        Ok(values)
    }

    /// Writes values from the byte `offset` on.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn write<T: NoUninit>(&self, offset: usize, values: &[T]) -> std::result::Result<(), Fault> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        if let Some(place) = self.within(offset, bytes.len())? {
            place.write_at(offset, bytes)?;
        }
        Ok(())
    }

    fn within(&self, offset: usize, length: usize) -> std::result::Result<Option<&Place>, Fault> {
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(Fault(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{length} bytes from byte {offset} on are out of bounds: the memory has {}",
                self.length
            )));
        }
        Ok(self.place.as_ref().filter(|_| length > 0))
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({} bytes)", self.length)
    }
}

/// Why work failed on the device; whoever waits for the stream is told.
#[derive(Clone, Debug)]
pub struct Fault(Error);

impl Fault {
    /// Work that its own device code gives up (`ACL_ERROR_RT_VECTOR_CORE_EXCEPTION`): what went wrong.
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self(misuse!(ACL_ERROR_RT_VECTOR_CORE_EXCEPTION, "{message}"))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Fault {}

/// Queues `run` on a stream of the thread's context, to be called when the stream comes to it, or at each replay of a graph
/// that captures it. It gets the memory at the given addresses, each with its length in bytes, in their order.
///
/// # Errors
/// A code of AscendCL, with its message left for `aclGetRecentErrMsg`: `function` was called without a context or on a
/// foreign stream, or the memory is not memory of the device, or is shorter than that.
pub fn enqueue(
    function: &'static str,
    stream: aclrtStream,
    memory: &[(usize, usize)],
    run: impl Fn(&[Memory]) -> std::result::Result<(), Fault> + Send + Sync + 'static,
) -> std::result::Result<(), aclError> {
    let body = || {
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        queue(function, &scope, &stream, memory, move |_, memory| run(memory))
    };
    match error::code_of(function, body) {
        ascendcl_sys::ACL_SUCCESS => Ok(()),
        code => Err(code),
    }
}

/// As [`enqueue`], for the simulator's own operators, which are told on which stream they run.
pub(crate) fn queue(
    function: &'static str,
    scope: &Scope,
    stream: &Arc<Stream>,
    memory: &[(usize, usize)],
    run: impl Fn(&Stream, &[Memory]) -> std::result::Result<(), Fault> + Send + Sync + 'static,
) -> Result {
    let find = |&(address, length): &(usize, usize)| {
        if length == 0 {
            return Ok(Memory { place: None, length });
        }
        let place = Place::find(&scope.simulator, &scope.context.device, address, length)?;
        let is_mapped = || scope.simulator.host_memory.is_mapped(address, length, scope.context.device.id);
        if !place.is_device() && !place.is_managed() && !is_mapped() {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} is not an address of device memory"
            ));
        }
        Ok(Memory { place: Some(place), length })
    };
    let memory: Vec<Memory> = memory.iter().map(find).collect::<Result<_>>()?;
    stream
        .submit(Task::operator(function, move |stream| run(stream, &memory).map_err(|fault| fault.0)))
        .map(drop)
}

/// The model of the devices, as `aclrtGetSocName` tells it; `None` before `aclInit`.
pub fn soc_name() -> Option<String> {
    Some(simulator::get().ok()?.machine.soc.name.to_owned())
}
