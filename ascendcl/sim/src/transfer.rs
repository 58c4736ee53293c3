//! Copies and fills: what they touch, and doing them.

use std::sync::Arc;

use ascendcl_sys::{
    ACL_MEMCPY_DEFAULT, ACL_MEMCPY_DEVICE_TO_DEVICE, ACL_MEMCPY_DEVICE_TO_HOST,
    ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE, ACL_MEMCPY_HOST_TO_DEVICE, ACL_MEMCPY_HOST_TO_HOST,
    ACL_MEMCPY_INNER_DEVICE_TO_DEVICE, ACL_MEMCPY_INTER_DEVICE_TO_DEVICE, aclrtMemcpyKind,
};

use crate::device::Device;
use crate::error::{Error, Result, failure, misuse};
use crate::host_memory::Pinned;
use crate::memory::Span;
use crate::raw::{self, HostBlock};
use crate::simulator::Simulator;
use crate::virtual_memory::Accessor;

/// A range of bytes that work touches.
#[derive(Clone)]
pub(crate) enum Place {
    /// In an allocation of device memory.
    Device { device: Arc<Device>, span: Span },
    /// In page-locked host memory.
    Pinned { memory: Arc<Pinned>, address: usize },
    /// Anywhere else; only the program knows whether it may be touched.
    Pageable { address: usize },
    /// A copy that the simulator made of host memory.
    Staged(Arc<HostBlock>),
}

impl Place {
    /// What is at an address. Device memory must be the memory of `device`, or of one that it has peer access
    /// to.
    pub(crate) fn find(
        simulator: &Simulator,
        device: &Device,
        address: usize,
        length: usize,
    ) -> Result<Self> {
        if let Some(owner) = simulator.owner(address) {
            if owner.memory.virtual_offset(address).is_some() {
                // Whose memory it is, the mapping says.
                let state = device.state.lock();
                let accessor = Accessor { device: device.id, peers: Some(&state.peers) };
                let span = owner.memory.span(address, length, &accessor)?;
                return Ok(Self::Device { device: Arc::clone(owner), span });
            }
            if owner.id != device.id && !device.state.lock().peers.contains(&owner.id) {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "{address:#x} is memory of device {}, to which device {} has no peer access",
                    owner.id,
                    device.id
                ));
            }
            let span = owner.memory.span(address, length, &Accessor::alone(device.id))?;
            return Ok(Self::Device { device: Arc::clone(owner), span });
        }
        let Some(memory) = simulator.host_memory.find(address) else { return Ok(Self::Pageable { address }) };
        let left = memory.address + memory.size - address;
        if length > left {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{length} bytes at {address:#x} are out of bounds: {left} are left of {} page-locked bytes",
                memory.size
            ));
        }
        Ok(Self::Pinned { memory, address })
    }

    pub(crate) fn is_device(&self) -> bool {
        matches!(self, Self::Device { .. })
    }

    /// Whether it is memory of another device that another process shares by a key.
    fn is_foreign(&self, device: &Device) -> bool {
        matches!(self, Self::Device { span, .. } if span.by_key && span.home != device.id)
    }

    /// Whether it is memory of the host and of all devices.
    pub(crate) fn is_managed(&self) -> bool {
        matches!(self, Self::Pinned { memory, .. } if memory.is_managed())
    }

    /// Whether it fits a kind of copy that says device here, or host.
    fn fits(&self, is_device: bool) -> bool {
        self.is_managed() || self.is_device() == is_device
    }

    pub(crate) fn is_pageable(&self) -> bool {
        matches!(self, Self::Pageable { .. })
    }

    /// Where the bytes are, if they still are.
    fn reach(&self) -> Result<usize> {
        match self {
            Self::Device { device, span } => device.memory.reach(span).map_err(|what| {
                misuse!(
                    ACL_ERROR_RT_SYS_DMA,
                    "the task touches device memory that was {what} while it was queued ({:#x} of device {})",
                    span.offset,
                    device.id
                )
            }),
            Self::Pinned { memory, address } if memory.is_live() => Ok(*address),
            Self::Pinned { address, .. } => Err(misuse!(
                ACL_ERROR_RT_SYS_DMA,
                "the task touches host memory that was freed while it was queued ({address:#x})"
            )),
            Self::Pageable { address } => Ok(*address),
            Self::Staged(block) => Ok(block.address()),
        }
    }
}

impl Place {
    /// The bytes, of which there must be as many as were asked for when the place was found.
    pub(crate) fn read(&self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes bytes, of which there must be no more than were asked for when the place was found.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result {
        self.write_at(0, bytes)
    }

    /// Fills `bytes` with what is there from an offset on, all within what was asked for when the place was found.
    pub(crate) fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result {
        // SAFETY: As in `Transfer::run`.
        unsafe { raw::copy(bytes.as_mut_ptr().expose_provenance(), self.reach()? + offset, bytes.len()) };
        Ok(())
    }

    /// Writes `bytes` from an offset on, all within what was asked for when the place was found.
    pub(crate) fn write_at(&self, offset: usize, bytes: &[u8]) -> Result {
        // SAFETY: As in `Transfer::run`.
        unsafe { raw::copy(self.reach()? + offset, bytes.as_ptr().expose_provenance(), bytes.len()) };
        Ok(())
    }

    /// Writes eight bytes.
    pub(crate) fn write_value(&self, value: u64) -> Result {
        // SAFETY: As in `Transfer::run`; the place has eight bytes, at a multiple of eight.
        unsafe { raw::store(self.reach()?, value) };
        Ok(())
    }

    /// Reads eight bytes.
    pub(crate) fn read_value(&self) -> Result<u64> {
        // SAFETY: As in `write_value`.
        Ok(unsafe { raw::load(self.reach()?) })
    }
}

/// A copy of `height` rows of `width` bytes.
#[derive(Clone)]
pub(crate) struct Transfer {
    pub to: Place,
    pub from: Place,
    pub width: usize,
    pub height: usize,
    pub to_pitch: usize,
    pub from_pitch: usize,
    /// An injected fault.
    pub fails: bool,
}

/// What a program asks to copy.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub to: usize,
    pub from: usize,
    pub width: usize,
    pub height: usize,
    pub to_pitch: usize,
    pub from_pitch: usize,
    pub kind: aclrtMemcpyKind,
}

impl Request {
    /// A copy in one piece.
    pub(crate) fn linear(to: usize, from: usize, length: usize, kind: aclrtMemcpyKind) -> Self {
        Self { to, from, width: length, height: 1, to_pitch: length, from_pitch: length, kind }
    }

    /// Checks the pointers and the kind, for a copy that `device` carries out.
    pub(crate) fn resolve(&self, simulator: &Simulator, device: &Device) -> Result<Transfer> {
        let extent =
            |pitch: usize| (self.height - 1).checked_mul(pitch).and_then(|rows| rows.checked_add(self.width));
        let too_large = || misuse!(ACL_ERROR_RT_PARAM_INVALID, "the copy is larger than any memory");
        let to_length = extent(self.to_pitch).ok_or_else(too_large)?;
        let from_length = extent(self.from_pitch).ok_or_else(too_large)?;
        let to =
            Place::find(simulator, device, self.to, to_length).map_err(|e| e.about("the destination"))?;
        let from =
            Place::find(simulator, device, self.from, from_length).map_err(|e| e.about("the source"))?;
        check_kind(self.kind, &to, &from)?;
        if (to.is_foreign(device) || from.is_foreign(device))
            && !matches!(
                self.kind,
                ACL_MEMCPY_DEVICE_TO_DEVICE
                    | ACL_MEMCPY_INNER_DEVICE_TO_DEVICE
                    | ACL_MEMCPY_INTER_DEVICE_TO_DEVICE
            )
        {
            return Err(misuse!(
                ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "memory that a process shares of another device is copied from device to device alone, not by kind {}",
                self.kind.0
            ));
        }
        Ok(Transfer {
            to,
            from,
            width: self.width,
            height: self.height,
            to_pitch: self.to_pitch,
            from_pitch: self.from_pitch,
            fails: false,
        })
    }
}

impl Error {
    fn about(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

fn check_kind(kind: aclrtMemcpyKind, to: &Place, from: &Place) -> Result {
    let is_across = match (to, from) {
        (Place::Device { span: a, .. }, Place::Device { span: b, .. }) => a.home != b.home,
        _ => false,
    };
    let wanted = match kind {
        ACL_MEMCPY_DEFAULT => return Ok(()),
        ACL_MEMCPY_HOST_TO_HOST => (false, false),
        ACL_MEMCPY_HOST_TO_DEVICE | ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE => (false, true),
        ACL_MEMCPY_DEVICE_TO_HOST => (true, false),
        ACL_MEMCPY_DEVICE_TO_DEVICE => (true, true),
        ACL_MEMCPY_INNER_DEVICE_TO_DEVICE if !is_across => (true, true),
        ACL_MEMCPY_INTER_DEVICE_TO_DEVICE if is_across => (true, true),
        ACL_MEMCPY_INNER_DEVICE_TO_DEVICE | ACL_MEMCPY_INTER_DEVICE_TO_DEVICE => {
            return Err(misuse!(
                ACL_ERROR_RT_INVALID_MEMORY_TYPE,
                "the kind of copy says {} device, the pointers say otherwise",
                if is_across { "one" } else { "more than one" }
            ));
        }
        _ => return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no kind of copy {}", kind.0)),
    };
    if !from.fits(wanted.0) || !to.fits(wanted.1) {
        let found = (from.is_device(), to.is_device());
        let name = |is_device| if is_device { "device" } else { "host" };
        return Err(misuse!(
            ACL_ERROR_RT_INVALID_MEMORY_TYPE,
            "the kind of copy says {} to {}, the pointers say {} to {}",
            name(wanted.0),
            name(wanted.1),
            name(found.0),
            name(found.1)
        ));
    }
    Ok(())
}

impl Transfer {
    /// Copies host memory that the program may free before the task runs.
    pub(crate) fn stage(mut self) -> Result<Self> {
        let length = self.from_pitch * (self.height - 1) + self.width;
        let block = HostBlock::new(length).ok_or_else(|| {
            failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no {length} bytes to stage the copy in")
        })?;
        // SAFETY: The block was just allocated for that many bytes; the program lends the source to this
        // call.
        unsafe { raw::copy(block.address(), self.from.reach()?, length) };
        self.from = Place::Staged(Arc::new(block));
        Ok(self)
    }

    pub(crate) fn run(&self) -> Result {
        if self.fails {
            return Err(failure!(ACL_ERROR_RT_SYS_DMA, "injected fault: the asynchronous copy failed"));
        }
        let (to, from) = (self.to.reach()?, self.from.reach()?);
        let rows = if self.width == self.to_pitch && self.width == self.from_pitch {
            // SAFETY: Device memory is mapped as long as `Place` holds its device, page-locked memory as long
            // as it holds the block; both ranges were checked against it. Pageable memory is the program's
            // promise.
            unsafe { raw::copy(to, from, self.width * self.height) };
            0
        } else {
            self.height
        };
        for row in 0..rows {
            // SAFETY: As above; every row is within the range that was checked.
            unsafe { raw::copy(to + row * self.to_pitch, from + row * self.from_pitch, self.width) };
        }
        Ok(())
    }
}

/// What memory is filled with.
#[derive(Clone, Copy)]
pub(crate) enum Pattern {
    Byte(u8),
    Word(u32),
}

/// A fill of `length` bytes.
#[derive(Clone)]
pub(crate) struct Fill {
    pub to: Place,
    pub pattern: Pattern,
    pub length: usize,
}

impl Fill {
    pub(crate) fn run(&self) -> Result {
        let to = self.to.reach()?;
        // SAFETY: As in `Transfer::run`.
        unsafe {
            match self.pattern {
                Pattern::Byte(value) => raw::fill(to, value, self.length),
                Pattern::Word(value) => raw::fill_words(to, value, self.length / 4),
            }
        }
        Ok(())
    }
}
