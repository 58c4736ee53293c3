//! Launches by `kernel<<<blocks, l2ctrl, stream>>>(arguments)`: what `sim-cc` makes of them.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

use ascendcl_sys::aclrtStream;
use parking_lot::Mutex;

use super::kernel_launch::launch;
use super::stream::Scope;
use super::{In, abi};
use crate::aicore::abi::Object as Table;
use crate::aicore::object::Object;
use crate::error::{Result, misuse};
use crate::kernel::{Function, Packed};

/// A table that was launched from.
struct Known {
    /// The number and the place of its entries: after its library was unloaded, another may be at its address.
    entries: (u32, usize),
    object: Arc<Object>,
}

/// The tables by their addresses.
static TABLES: Mutex<BTreeMap<usize, Known>> = Mutex::new(BTreeMap::new());

abi! {
    /// Queues the kernel of this name. The arguments are copied.
    pub fn ascendcl_sim_launch(
        unit: *const Table,
        kernel: *const c_char,
        blocks: u64,
        l2ctrl: u64,
        stream: *mut c_void,
        arguments: *const u8,
        length: u64,
    ) {
        let name = kernel.text()?;
        if l2ctrl != 0 {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "kernel {name}: the second value in <<<>>> is {l2ctrl}, and must be null or 0"
            ));
        }
        let object = object(&unit)?;
        let found = object.find(&name)?.clone();
        let bytes = arguments.to_vec(length as usize)?;
        if bytes.len() < found.kernel.argument_bytes {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "kernel {name} has {} bytes of arguments, and {length} came",
                found.kernel.argument_bytes
            ));
        }
        let device = Scope::enter()?.context.device.id;
        let function = Arc::new(Function::new(object, found, device));
        // More than any launch may have stays more.
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        launch(function, blocks, Packed::Host { bytes, data: Vec::new() }, aclrtStream(stream.raw()))
    }
}

fn object(unit: &In<Table>) -> Result<Arc<Object>> {
    let address = unit.address()?;
    // SAFETY: Not null, hence a table, by the contract of the C function: only what `sim-cc` compiled calls it.
    let table = unsafe { &*unit.raw() };
    let entries = (table.kernel_count, table.kernels.addr());
    let mut tables = TABLES.lock();
    if let Some(known) = tables.get(&address).filter(|known| known.entries == entries) {
        return Ok(Arc::clone(&known.object));
    }
    // SAFETY: As above; the code of a launch stays, as it is that of the program which launches.
    let object = unsafe { Object::of_program(table) }?;
    tables.insert(address, Known { entries, object: Arc::clone(&object) });
    Ok(object)
}
