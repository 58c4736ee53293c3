//! `atb::Context`.

use std::ffi::c_void;
use std::sync::Arc;

use atb_sys::{atb_context, atb_tiling_allocator};

use super::abi;
use super::argument::{Opaque, Out};
use crate::context::{CONTEXTS, Context, DEFAULT_TILING_BLOCKS, DeviceAllocator, TilingAllocator};
use crate::execution::{ExecuteType, execute_type, set_execute_type};
use crate::operator::{Result, refuse};

/// The program's own functions.
struct ProgramAllocator {
    allocate: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    deallocate: unsafe extern "C" fn(*mut c_void, *mut c_void),
    data: Opaque,
}

impl TilingAllocator for ProgramAllocator {
    fn allocate(&self, bytes: usize) -> usize {
        // SAFETY: The program gave the functions with their data for as long as the context lives.
        unsafe { (self.allocate)(self.data.0, bytes) }.expose_provenance()
    }

    fn deallocate(&self, address: usize) {
        // SAFETY: As above; the address is one that `allocate` answered.
        unsafe { (self.deallocate)(self.data.0, std::ptr::with_exposed_provenance_mut(address)) }
    }
}

fn create(context: Out<*mut atb_context>, allocator: Box<dyn TilingAllocator>, blocks: u32) -> Result {
    if context.is_null() {
        return Err(refuse!(ATB_ERROR_INVALID_PARAM, "there is nowhere to put the context"));
    }
    context.set(CONTEXTS.add(Context::new(allocator, blocks)?))
}

/// The context of a handle.
pub(super) fn get(context: Out<atb_context>) -> Result<Arc<Context>> {
    CONTEXTS.get(context.raw())
}

abi! {
    fn createContext(context: *mut *mut atb_context) {
        create(context, Box::new(DeviceAllocator), DEFAULT_TILING_BLOCKS)
    }

    /// With no functions at all, `aclrtMalloc` is used.
    fn createContextWithAllocator(allocator: atb_tiling_allocator, context: *mut *mut atb_context) {
        let allocator: Box<dyn TilingAllocator> = match (allocator.allocate, allocator.deallocate) {
            (Some(allocate), Some(deallocate)) => {
                Box::new(ProgramAllocator { allocate, deallocate, data: Opaque(allocator.data) })
            }
            (None, None) => Box::new(DeviceAllocator),
            _ => return Err(refuse!(ATB_ERROR_INVALID_PARAM, "an allocator has both functions or none")),
        };
        create(context, allocator, DEFAULT_TILING_BLOCKS)
    }

    fn createContextWithTilingBlocks(
        hostTilingBlockNum: u32,
        deviceTilingBlockNum: u32,
        context: *mut *mut atb_context,
    ) {
        for (name, number, least) in [("host", hostTilingBlockNum, 128), ("device", deviceTilingBlockNum, 32)] {
            if !context.is_null() && !(least..=1024).contains(&number) {
                return Err(refuse!(
                    ATB_ERROR_INVALID_PARAM,
                    "{number} blocks of tilings on the {name}; {least} to 1024 are possible"
                ));
            }
        }
        create(context, Box::new(DeviceAllocator), deviceTilingBlockNum)
    }

    /// Null is nothing to destroy.
    fn destroyContext(context: *mut atb_context) {
        if context.is_null() { Ok(()) } else { CONTEXTS.remove(context.raw()).map(drop) }
    }

    fn setExecuteStream(context: *mut atb_context, stream: *mut c_void) {
        let address = stream.raw().expose_provenance();
        get(context)?.set(|settings| settings.streams[0] = address);
        Ok(())
    }

    fn getExecuteStream(context: *mut atb_context, stream: *mut *mut c_void) {
        stream.set(std::ptr::with_exposed_provenance_mut(get(context)?.settings().streams[0]))
    }

    fn setExecuteStreams(context: *mut atb_context, streams: *const *mut c_void, streamNum: usize) {
        let context = get(context)?;
        if streamNum == 0 {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "a context has at least one execute stream"));
        }
        let addresses = streams.to_small_vec(streamNum)?.into_iter().map(|stream| stream.expose_provenance()).collect();
        context.set(|settings| settings.streams = addresses);
        Ok(())
    }

    fn getExecuteStreams(
        context: *mut atb_context,
        streams: *mut *mut c_void,
        capacity: usize,
        streamNum: *mut usize,
    ) {
        let all = get(context)?.settings().streams;
        let fitting = &all[..all.len().min(capacity)];
        streams.set_all(fitting.iter().map(|&address| std::ptr::with_exposed_provenance_mut(address)))?;
        streamNum.set(all.len())
    }

    /// Tilings take no time here, so that it makes no difference when they are copied.
    fn setAsyncTilingCopyStatus(context: *mut atb_context, enable: bool) {
        get(context)?.set(|settings| settings.copies_tiling_alongside = enable);
        Ok(())
    }

    fn getAsyncTilingCopyStatus(context: *mut atb_context, enable: *mut bool) {
        enable.set(get(context)?.settings().copies_tiling_alongside)
    }

    fn setExecuteType(context: *mut atb_context, r#type: i32) {
        get(context)?;
        let kind = match r#type {
            0 => ExecuteType::Normal,
            1 => ExecuteType::PreLaunch,
            2 => ExecuteType::Launch,
            other => return Err(refuse!(ATB_ERROR_INVALID_PARAM, "an execute type is 0, 1 or 2, not {other}")),
        };
        set_execute_type(kind);
        Ok(())
    }

    fn getExecuteType(context: *mut atb_context, r#type: *mut i32) {
        get(context)?;
        r#type.set(match execute_type() {
            ExecuteType::Normal => 0,
            ExecuteType::PreLaunch => 1,
            ExecuteType::Launch => 2,
        })
    }

    fn setLaunchMode(context: *mut atb_context, mode: i32) {
        let context = get(context)?;
        if !(0..=1).contains(&mode) {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "a launch mode is 0 or 1, not {mode}"));
        }
        context.set(|settings| settings.is_graph_launch = mode == 1);
        Ok(())
    }

    fn getLaunchMode(context: *mut atb_context, mode: *mut i32) {
        mode.set(i32::from(get(context)?.settings().is_graph_launch))
    }
}
