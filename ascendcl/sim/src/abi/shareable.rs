//! Physical memory that processes share.

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::vmm::{keep, reserved};
use super::{Out, abi};
use crate::device::Device;
use crate::error::{Result, failure, misuse};
use crate::mapping::SharedFile;
use crate::physical::Physical;
use crate::sharing::{self, Key, Offer, Thing};

/// The bytes of a handle for processes of several servers, `aclrtMemFabricHandle` (AscendCL docs: structures).
const FABRIC_BYTES: usize = 128;

abi! {
    pub fn aclrtMemExportToShareableHandle(
        handle: aclrtDrvMemHandle,
        handle_type: aclrtMemHandleType,
        flags: u64,
        shareable_handle: *mut u64,
    ) {
        shareable_handle.required()?;
        if handle_type != ACL_MEM_HANDLE_TYPE_NONE {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "the type of the handle is {}, not ACL_MEM_HANDLE_TYPE_NONE",
                handle_type.0
            ));
        }
        shareable_handle.set(export(&Scope::enter()?, handle, flags)?.number())
    }

    pub fn aclrtMemExportToShareableHandleV2(
        handle: aclrtDrvMemHandle,
        flags: u64,
        share_type: aclrtMemSharedHandleType,
        shareable_handle: *mut c_void,
    ) {
        shareable_handle.required()?;
        let scope = Scope::enter()?;
        check_type(&scope, share_type)?;
        let key = export(&scope, handle, flags)?;
        write(&shareable_handle, share_type, key)
    }

    pub fn aclrtMemSetPidToShareableHandle(shareable_handle: u64, pid: *mut i32, pid_num: usize) {
        let processes = super::ipc::processes(&pid, pid_num)?;
        Scope::enter()?.simulator.offers.allow(Key::from_number(shareable_handle), &processes)
    }

    pub fn aclrtMemImportFromShareableHandle(
        shareable_handle: u64,
        device_id: i32,
        handle: *mut aclrtDrvMemHandle,
    ) {
        handle.required()?;
        let scope = Scope::enter()?;
        let device = scope.simulator.device(device_id)?;
        handle.set(import(&scope, device, Key::from_number(shareable_handle))?)
    }

    pub fn aclrtMemImportFromShareableHandleV2(
        shareable_handle: *mut c_void,
        share_type: aclrtMemSharedHandleType,
        flags: u64,
        handle: *mut aclrtDrvMemHandle,
    ) {
        handle.required()?;
        let scope = Scope::enter()?;
        reserved("flags", flags)?;
        check_type(&scope, share_type)?;
        let key = read(&shareable_handle)?;
        handle.set(import(&scope, &scope.context.device, key)?)
    }
}

fn export(scope: &Scope, handle: aclrtDrvMemHandle, flags: u64) -> Result<Key> {
    let with_all = super::ipc::without_list(flags, ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION)?;
    let physical = scope.simulator.physical_memory.get(handle.0)?;
    physical.share(|file: &Arc<SharedFile>| {
        let offer = Offer {
            thing: Thing::Physical,
            device: physical.device.id,
            start: 0,
            size: physical.size,
            page: physical.page.bytes(),
            file: Arc::clone(file),
        };
        scope.simulator.offers.add(offer, with_all)
    })
}

fn import(scope: &Scope, device: &Arc<Device>, key: Key) -> Result<aclrtDrvMemHandle> {
    if key.is_own() {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "the shareable handle is of this process; only other processes can import it"
        ));
    }
    let known = scope.simulator.physical_memory.all();
    if known.iter().any(|physical| physical.imported_by() == Some(key)) {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "the shareable handle is imported already; it has one handle in a process"
        ));
    }
    let physical = Physical::import(device, key, sharing::borrow_memory(key, Thing::Physical)?)?;
    Ok(keep(scope, &physical))
}

/// Handles for several servers are of Atlas A3 alone; the servers are one here.
fn check_type(scope: &Scope, share_type: aclrtMemSharedHandleType) -> Result {
    match share_type {
        ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT => Ok(()),
        ACL_MEM_SHARE_HANDLE_TYPE_FABRIC if scope.simulator.machine.soc.name.starts_with("Ascend910_93") => {
            Ok(())
        }
        ACL_MEM_SHARE_HANDLE_TYPE_FABRIC => Err(failure!(
            ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
            "{} shares no memory between servers",
            scope.simulator.machine.soc.name
        )),
        _ => Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no type {} of shareable handle", share_type.0)),
    }
}

/// A handle of each type starts with the number of the key.
fn write(to: &Out<c_void>, share_type: aclrtMemSharedHandleType, key: Key) -> Result {
    let to = to.required()?.cast::<u8>();
    let mut bytes = [0; FABRIC_BYTES];
    bytes[..8].copy_from_slice(&key.number().to_ne_bytes());
    let length = if share_type == ACL_MEM_SHARE_HANDLE_TYPE_FABRIC { FABRIC_BYTES } else { 8 };
    // SAFETY: Not null, hence room for a handle of the type that the program named.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, length) };
    Ok(())
}

fn read(from: &Out<c_void>) -> Result<Key> {
    let from = from.required()?.cast::<u64>();
    // SAFETY: Not null, hence a handle, of at least eight bytes.
    Ok(Key::from_number(unsafe { from.read_unaligned() }))
}
