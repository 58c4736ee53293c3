//! Device memory, notifies and events that processes share.

use std::ffi::c_char;
use std::sync::Arc;

use ascendcl_sys::*;

use super::stream::Scope;
use super::{Out, abi};
use crate::context;
use crate::error::{Result, misuse};
use crate::event::Event;
use crate::notify::{self, Notify};
use crate::report;
use crate::shared_marks::SharedEvent;
use crate::sharing::{self, Key, Offer, Thing};

/// The characters of a key, with the null (AscendCL docs: sharing memory between processes).
const KEY_LENGTH: usize = 65;

abi! {
    pub fn aclrtIpcMemGetExportKey(
        dev_ptr: *mut std::ffi::c_void,
        size: usize,
        key: *mut c_char,
        len: usize,
        flags: u64,
    ) {
        let address = dev_ptr.address()?;
        key.required()?;
        let scope = Scope::enter()?;
        if len != KEY_LENGTH {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a key has {KEY_LENGTH} characters, not {len}"));
        }
        let with_all = without_list(flags, ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION)?;
        let offer = memory_offer(&scope, address, size)?;
        write_key(&key, scope.simulator.offers.add(offer, with_all)?)
    }

    pub fn aclrtIpcMemSetImportPid(key: *const c_char, pid: *mut i32, num: usize) {
        let key = Key::parse(&key.text()?)?;
        let processes = processes(&pid, num)?;
        Scope::enter()?.simulator.offers.allow(key, &processes)
    }

    pub fn aclrtIpcMemImportByKey(dev_ptr: *mut *mut std::ffi::c_void, key: *const c_char, flags: u64) {
        dev_ptr.required()?;
        let key = Key::parse(&key.text()?)?;
        let scope = Scope::enter()?;
        let opens_peer = without_list(flags, ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS)?;
        let memory = &scope.context.device.memory;
        if scope.simulator.devices.iter().any(|device| device.memory.virtual_memory.has_import(key)) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the memory of the key {} is imported already",
                key.text()
            ));
        }
        let loan = sharing::borrow_memory(key, Thing::Memory)?;
        if opens_peer {
            open_peer(&scope, loan.device);
        }
        let offset = memory.virtual_memory.import(memory.mapping()?, key, Arc::new(loan))?;
        dev_ptr.set(std::ptr::with_exposed_provenance_mut(memory.address(offset)?))
    }

    /// Who imported the memory ends that; who exported it, after them, takes the key back.
    pub fn aclrtIpcMemClose(key: *const c_char) {
        let key = Key::parse(&key.text()?)?;
        let scope = Scope::enter()?;
        let mut imports = 0;
        for device in &scope.simulator.devices {
            if device.memory.virtual_memory.has_import(key) {
                imports += device.memory.virtual_memory.end_imports(device.memory.mapping()?, key)?;
            }
        }
        if imports > 0 {
            return Ok(());
        }
        if !scope.simulator.offers.has(key, Thing::Memory) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the key {} is not open in this process; it was closed, or never exported or imported",
                key.text()
            ));
        }
        let left = scope.simulator.offers.withdraw(key);
        if left > 0 {
            // Documented as wrong, and as an error of those others: the call itself succeeds.
            let error = misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the key {} was closed while {left} processes had its memory imported; their tasks on it fail",
                key.text()
            );
            tracing::warn!("{}", error.message);
            report::misuse_on(context::current_device(), "aclrtIpcMemClose", &error);
        }
        Ok(())
    }

    pub fn aclrtNotifyGetExportKey(notify: aclrtNotify, key: *mut c_char, len: usize, flags: u64) {
        key.required()?;
        let scope = Scope::enter()?;
        let notify = scope.simulator.notifies.get(notify.0)?;
        if len < KEY_LENGTH {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "a key has {KEY_LENGTH} characters, which do not fit into {len}"
            ));
        }
        let with_all = without_list(flags, ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION)?;
        let offers = &scope.simulator.offers;
        let made = notify.share(|mark| offers.add(notify::offer(notify.device.id, mark), with_all))?;
        write_key(&key, made)
    }

    pub fn aclrtNotifySetImportPid(notify: aclrtNotify, pid: *mut i32, num: usize) {
        let processes = processes(&pid, num)?;
        let scope = Scope::enter()?;
        let notify = scope.simulator.notifies.get(notify.0)?;
        match notify.key() {
            Some(key) => scope.simulator.offers.allow(key, &processes),
            None => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "notify {} is not shared; aclrtNotifyGetExportKey shares it",
                notify.id
            )),
        }
    }

    pub fn aclrtNotifyImportByKey(notify: *mut aclrtNotify, key: *const c_char, flags: u64) {
        notify.required()?;
        let key = Key::parse(&key.text()?)?;
        let scope = Scope::enter()?;
        let opens_peer = without_list(flags, ACL_RT_NOTIFY_IMPORT_FLAG_ENABLE_PEER_ACCESS)?;
        let imported = Notify::import(&scope.context.device, key)?;
        if opens_peer {
            open_peer(&scope, imported.home());
        }
        scope.simulator.notifies.insert(imported.handle, Arc::clone(&imported));
        notify.set(aclrtNotify(imported.handle.pointer()))
    }

    pub fn aclrtIpcGetEventHandle(event: aclrtEvent, handle: *mut aclrtIpcEventHandle) {
        handle.required()?;
        let scope = Scope::enter()?;
        let event = scope.simulator.events.get(event.0)?;
        let Some(shared) = &event.shared else {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "event {} cannot be shared: it was made without ACL_EVENT_IPC",
                event.id
            ));
        };
        let key = match shared.key.get() {
            Some(&key) => key,
            None => {
                let offer = Offer::of_page(Thing::Event, event.device.id, shared.page());
                let made = scope.simulator.offers.add(offer, true)?;
                let key = *shared.key.get_or_init(|| made);
                if key != made {
                    scope.simulator.offers.withdraw(made);
                }
                key
            }
        };
        let mut reserved = [0; 64];
        for (to, from) in reserved.iter_mut().zip(key.text().bytes()) {
            *to = from as c_char;
        }
        handle.set(aclrtIpcEventHandle { reserved })
    }

    pub fn aclrtIpcOpenEventHandle(handle: aclrtIpcEventHandle, event: *mut aclrtEvent) {
        event.required()?;
        let scope = Scope::enter()?;
        let bytes = handle.reserved.map(|byte| byte as u8);
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let key = Key::parse(&String::from_utf8_lossy(text))?;
        let opened = Event::shared(&scope.context.device, SharedEvent::borrow(key)?)?;
        scope.simulator.events.insert(opened.handle, Arc::clone(&opened));
        event.set(aclrtEvent(opened.handle.pointer()))
    }
}

/// Whether the one flag that there is, is set.
pub(super) fn without_list(flags: u64, flag: u32) -> Result<bool> {
    if flags != 0 && flags != u64::from(flag) {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "flags is {flags:#x}, not 0 or {flag:#x}"));
    }
    Ok(flags != 0)
}

/// Ids of processes.
pub(super) fn processes(pid: &Out<i32>, count: usize) -> Result<Vec<i32>> {
    if count == 0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a list of no processes"));
    }
    pid.to_vec(count)
}

fn write_key(to: &Out<c_char>, key: Key) -> Result {
    to.set_all(key.text().bytes().chain([0]).map(|byte| byte as c_char))
}

fn open_peer(scope: &Scope, home: i32) {
    let device = &scope.context.device;
    if device.id != home {
        device.state.lock().peers.insert(home);
    }
}

fn memory_offer(scope: &Scope, address: usize, size: usize) -> Result<Offer> {
    let found = scope.simulator.owner(address);
    let found = found.and_then(|owner| {
        let offset = owner.memory.offset(address)?;
        Some((owner, offset, owner.memory.allocation_at(offset)?))
    });
    let Some((owner, offset, allocation)) = found.filter(|(_, _, allocation)| !allocation.is_pooled()) else {
        return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "{address:#x} is not memory of aclrtMalloc"));
    };
    let left = allocation.size.saturating_sub(offset - allocation.offset);
    if size == 0 || size > left {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "{size} bytes to export at {address:#x}, where {left} are left of an allocation of {}",
            allocation.size
        ));
    }
    let page = allocation.page.bytes();
    if !offset.is_multiple_of(page) {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "{address:#x} is not the start of a page of {page} bytes; other processes get whole pages"
        ));
    }
    let file = Arc::clone(owner.memory.file()?);
    Ok(Offer { thing: Thing::Memory, device: owner.id, start: offset, size, page, file })
}
