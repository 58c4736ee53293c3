//! What a program did wrong and what it left behind.

use std::fmt;

use ascendcl_sys::{aclError, error_name};
use parking_lot::Mutex;

use crate::context;
use crate::error::Error;
use crate::simulator;

/// What a program did wrong and left behind. It is complete when `aclFinalize` or `aclrtResetDevice` has
/// logged it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is alive, or was when its device was reset or the process finalized.
    pub leaks: Vec<Leak>,
    /// Broken rules, in order; the first thousand are kept.
    pub misuse: Vec<Misuse>,
}

/// Something that was not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Its device; -1 for what belongs to none.
    pub device: i32,
    /// What it is.
    pub resource: Resource,
}

/// A resource of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource {
    /// Memory of the device (`aclrtMalloc`).
    DeviceMemory {
        /// Its address.
        address: usize,
        /// The bytes that were asked for.
        size: usize,
    },
    /// Page-locked memory of the host (`aclrtMallocHost`), or registered memory (`aclrtHostRegister`).
    HostMemory {
        /// Its address.
        address: usize,
        /// The bytes that were asked for.
        size: usize,
    },
    /// A context that was created by name.
    Context,
    /// A stream, by its id.
    Stream(i32),
    /// An event, by its id.
    Event(u32),
    /// A captured graph, by its id.
    Graph(u32),
    /// A notify, by its id.
    Notify(u32),
    /// A memory pool, by its id.
    MemPool(u32),
    /// A label, by its id.
    Label(u32),
    /// A list of labels, by its id.
    LabelList(u32),
    /// Virtual addresses (`aclrtReserveMemAddress`).
    ReservedAddress {
        /// The first one.
        address: usize,
        /// How many were asked for.
        size: usize,
    },
    /// Physical memory (`aclrtMallocPhysical` or an import of it), by its id.
    PhysicalMemory {
        /// Its id.
        id: u32,
        /// Its bytes.
        size: usize,
    },
    /// A key of memory that was exported and not closed (`aclrtIpcMemGetExportKey`).
    ExportedMemory {
        /// The address of the memory.
        address: usize,
        /// The bytes that the key stands for.
        size: usize,
    },
    /// Memory of another process that was imported and not closed (`aclrtIpcMemImportByKey`).
    ImportedMemory {
        /// Its address.
        address: usize,
        /// Its bytes.
        size: usize,
    },
    /// Memory of the host and all devices (`aclrtMemAllocManaged`).
    ManagedMemory {
        /// Its address.
        address: usize,
        /// The bytes that were asked for.
        size: usize,
    },
    /// A channel of tensors (`acltdtCreateChannel`).
    Channel,
    /// A queue of data, by its number (`acltdtCreateQueue`).
    Queue(u32),
    /// The description of an allocator (`aclrtAllocatorCreateDesc`).
    AllocatorDescription,
    /// An allocator of the program that is registered for a stream (`aclrtAllocatorRegister`).
    Allocator,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The device that was current, or that the task ran on.
    pub device: Option<i32>,
    /// The function that was called, or `task` for a task that failed when it ran.
    pub function: &'static str,
    /// What the call returned.
    pub code: aclError,
    /// What was wrong.
    pub message: String,
}

impl Report {
    /// The part that concerns one device.
    pub fn of_device(&self, device: i32) -> Self {
        Self {
            leaks: self.leaks.iter().filter(|leak| leak.device == device).copied().collect(),
            misuse: self.misuse.iter().filter(|misuse| misuse.device == Some(device)).cloned().collect(),
        }
    }

    /// Whether nothing was done wrong or left behind.
    pub fn is_clean(&self) -> bool {
        self.leaks.is_empty() && self.misuse.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing leaked, no misuse");
        }
        for Leak { device, resource } in &self.leaks {
            match device {
                -1 => writeln!(f, "leaked {resource}")?,
                _ => writeln!(f, "device {device}: leaked {resource}")?,
            }
        }
        for Misuse { function, code, message, .. } in &self.misuse {
            writeln!(f, "{function}: {message} ({}, {code})", error_name(*code).unwrap_or("unknown code"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeviceMemory { address, size } => {
                write!(f, "{size} bytes of device memory at {address:#x}")
            }
            Self::HostMemory { address, size } => {
                write!(f, "{size} bytes of pinned host memory at {address:#x}")
            }
            Self::Context => f.write_str("a context"),
            Self::Stream(id) => write!(f, "stream {id}"),
            Self::Event(id) => write!(f, "event {id}"),
            Self::Graph(id) => write!(f, "graph {id}"),
            Self::Notify(id) => write!(f, "notify {id}"),
            Self::MemPool(id) => write!(f, "memory pool {id}"),
            Self::Label(id) => write!(f, "label {id}"),
            Self::LabelList(id) => write!(f, "list of labels {id}"),
            Self::ReservedAddress { address, size } => {
                write!(f, "{size} virtual addresses from {address:#x}")
            }
            Self::PhysicalMemory { id, size } => write!(f, "physical memory {id} of {size} bytes"),
            Self::ExportedMemory { address, size } => {
                write!(f, "the key of {size} bytes of exported memory at {address:#x}")
            }
            Self::ImportedMemory { address, size } => {
                write!(f, "{size} bytes of another process, imported at {address:#x}")
            }
            Self::ManagedMemory { address, size } => {
                write!(f, "{size} bytes of managed memory at {address:#x}")
            }
            Self::Channel => f.write_str("a channel"),
            Self::Queue(number) => write!(f, "queue {number}"),
            Self::AllocatorDescription => f.write_str("the description of an allocator"),
            Self::Allocator => f.write_str("the allocator of a stream"),
        }
    }
}

const MAX_MISUSE: usize = 1000;

/// What happened since `aclInit`, or, after `aclFinalize`, up to it.
static HISTORY: Mutex<Report> = Mutex::new(Report { leaks: Vec::new(), misuse: Vec::new() });

/// The report so far: misuse since `aclInit`, leaks of the devices that were reset, and everything that is
/// alive now. After `aclFinalize` it stays as it was then, until the next `aclInit`.
pub fn report() -> Report {
    let alive = simulator::running().map(|simulator| simulator.alive(None)).unwrap_or_default();
    let mut report = HISTORY.lock().clone();
    report.leaks.extend(alive);
    report
}

pub(crate) fn clear() {
    *HISTORY.lock() = Report::default();
}

pub(crate) fn misuse(function: &'static str, error: &Error) {
    misuse_on(context::current_device(), function, error);
}

pub(crate) fn misuse_on(device: Option<i32>, function: &'static str, error: &Error) {
    let mut history = HISTORY.lock();
    if history.misuse.len() < MAX_MISUSE {
        history.misuse.push(Misuse { device, function, code: error.code, message: error.message.clone() });
    }
}

pub(crate) fn leaked(leaks: Vec<Leak>) {
    for Leak { device, resource } in &leaks {
        tracing::warn!(device, "leaked {resource}");
    }
    HISTORY.lock().leaks.extend(leaks);
}
