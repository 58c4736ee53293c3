//! What the library knows of an address.

use std::ffi::c_void;

use ascendcl_sys as sys;

use crate::device::Device;
use crate::error::Result;

/// Where memory is (`aclrtMemLocation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemoryLocation {
    /// Host memory that the library knows: pinned or registered.
    Host,
    /// Memory of the device with this number.
    Device(u32),
    /// Memory that the library does not know, such as the program's own.
    Unregistered,
    /// Memory that moves between the host and devices (since 9.1).
    Managed,
    /// Pinned memory of the host's NUMA node with this number (since 9.1).
    HostNuma(u32),
    /// Something newer, by its number in C (`aclrtMemLocationType`).
    Other(u32),
}

/// What the library knows of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PointerAttributes {
    /// Where the memory is.
    pub location: MemoryLocation,
    /// Bytes of a page of it; 0 for memory that the library does not know.
    pub page_bytes: u32,
}

impl Device {
    /// Where the memory at an address is (`aclrtPointerGetAttributes`). The address is looked up, not accessed.
    ///
    /// ```
    /// use ascendcl::{Backend, MemoryLocation, Runtime};
    /// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
    /// let buffer = stream.alloc::<f32>(4)?;
    /// let attributes = stream.device().pointer_attributes(buffer.as_device_ptr())?;
    /// assert_eq!(attributes.location, MemoryLocation::Device(0));
    /// # Ok::<(), ascendcl::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Acl`](crate::Error::Acl) from the library.
    pub fn pointer_attributes(&self, address: *const c_void) -> Result<PointerAttributes> {
        let sys::aclrtPtrAttributes { location, pageSize: page_bytes, .. } =
            self.bind()?.pointer_attributes(address)?;
        let location = match location.type_ {
            sys::ACL_MEM_LOCATION_TYPE_HOST => MemoryLocation::Host,
            sys::ACL_MEM_LOCATION_TYPE_DEVICE => MemoryLocation::Device(location.id),
            sys::ACL_MEM_LOCATION_TYPE_UNREGISTERED => MemoryLocation::Unregistered,
            sys::ACL_MEM_LOCATION_TYPE_MANAGED => MemoryLocation::Managed,
            sys::ACL_MEM_LOCATION_TYPE_HOST_NUMA => MemoryLocation::HostNuma(location.id),
            sys::aclrtMemLocationType(other) => MemoryLocation::Other(other),
        };
        Ok(PointerAttributes { location, page_bytes })
    }
}
