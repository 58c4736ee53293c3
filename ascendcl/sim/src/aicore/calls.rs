//! The functions of the model that kernels call, and the call of a kernel.

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use super::abi::{CoreView, Model, Register, Site, VERSION};
use super::core::{Core, Ended};
use super::instruction::Instruction;
use super::launch::Entry;

/// The table that kernels call.
pub(super) static MODEL: Model = Model {
    version: VERSION,
    reserved: 0,
    execute,
    scalar_access,
    read_register,
    write_register,
    print,
    fail,
    buffer,
};

/// Runs a kernel on a core, to its end.
///
/// # Safety
///
/// `entry` must be a kernel that calls the model as its header does, with the core of the view, and `arguments`
/// what it takes. `view` must be of the arena of `core`.
pub(super) unsafe fn run(core: &mut Core<'_, '_>, mut view: CoreView, entry: Entry, arguments: &[u8]) {
    let pointer: *mut Core<'_, '_> = core;
    view.core = pointer.cast();
    // SAFETY: As the caller says; `core` is not used but through the view while the kernel runs.
    let code = unsafe { entry(&raw const view, arguments.as_ptr()) };
    // SAFETY: The kernel has returned, and nothing else uses the core.
    let core = unsafe { &mut *pointer };
    guarded(core, |core| {
        core.finish(code);
        Ok(())
    });
}

/// Calls `action`; a panic of it ends the kernel and nothing else. Returns what the kernel is told.
fn guarded(core: &mut Core<'_, '_>, action: impl FnOnce(&mut Core<'_, '_>) -> Result<(), Ended>) -> i32 {
    let result = catch_unwind(AssertUnwindSafe(|| action(core))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        core.fail(format!("the model of the core failed: {}", text.unwrap_or_default()))
    });
    i32::from(result.is_err())
}

/// The core of a call.
///
/// # Safety
///
/// `core` must be the pointer of the view with which the kernel runs, and nothing else may use the core.
unsafe fn core_of<'a>(core: *mut c_void) -> &'a mut Core<'a, 'a> {
    // SAFETY: As the caller says.
    unsafe { &mut *core.cast() }
}

unsafe extern "C" fn execute(core: *mut c_void, instruction: *const c_void, site: Site) -> i32 {
    // SAFETY: The header passes the pointer of the view, in the thread of the core.
    let core = unsafe { core_of(core) };
    // SAFETY: The header passes the structures of the interface.
    let read = unsafe { Instruction::read(instruction) };
    guarded(core, |core| match &read {
        Some(instruction) => core.execute(instruction, site),
        None => core.fail("the kernel passed an instruction of an unknown kind".to_owned()),
    })
}

unsafe extern "C" fn scalar_access(
    core: *mut c_void,
    address: u64,
    bytes: u32,
    write: u32,
    site: Site,
) -> i32 {
    // SAFETY: The header passes the pointer of the view, in the thread of the core.
    let core = unsafe { core_of(core) };
    guarded(core, |core| core.scalar_access(address, bytes, write != 0, site))
}

unsafe extern "C" fn read_register(core: *mut c_void, register: u32) -> u64 {
    // SAFETY: The header passes the pointer of the view, in the thread of the core.
    let core = unsafe { core_of(core) };
    let mut value = 0;
    guarded(core, |core| match Register::of(register) {
        Some(register) => {
            value = core.read_register(register);
            Ok(())
        }
        None => core.fail(format!("the kernel read a register {register}, which is unknown")),
    });
    value
}

unsafe extern "C" fn write_register(core: *mut c_void, register: u32, value: u64) {
    // SAFETY: The header passes the pointer of the view, in the thread of the core.
    let core = unsafe { core_of(core) };
    guarded(core, |core| match Register::of(register) {
        Some(register) => {
            core.write_register(register, value);
            Ok(())
        }
        None => core.fail(format!("the kernel wrote a register {register}, which is unknown")),
    });
}

unsafe extern "C" fn print(core: *mut c_void, text: *const c_char, length: u64) {
    // SAFETY: The header passes the pointer of the view, in the thread of the core.
    let core = unsafe { core_of(core) };
    // SAFETY: The header passes so many bytes.
    let text = unsafe { text_of(text, length) };
    guarded(core, |core| {
        core.print(&text);
        Ok(())
    });
}

unsafe extern "C" fn fail(core: *mut c_void, text: *const c_char, length: u64, site: Site) -> i32 {
    // SAFETY: The header passes the pointer of the view, in the thread of the core.
    let core = unsafe { core_of(core) };
    // SAFETY: The header passes so many bytes.
    let text = unsafe { text_of(text, length) };
    guarded(core, |core| core.assertion(&text, site))
}

unsafe extern "C" fn buffer(core: *mut c_void, address: u64, bytes: u64, live: u32, site: Site) -> i32 {
    // SAFETY: The header passes the pointer of the view, in the thread of the core.
    let core = unsafe { core_of(core) };
    guarded(core, |core| core.buffer(address, bytes, live != 0, site))
}

/// # Safety
///
/// `text` must be null or to `length` bytes.
unsafe fn text_of(text: *const c_char, length: u64) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: As the caller says.
    let bytes = unsafe { slice::from_raw_parts(text.cast(), length as usize) };
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;
    use std::sync::Arc;

    use super::super::abi::KernelType;
    use super::super::core::End;
    use super::super::layout::Layout;
    use super::super::memory::CoreMemory;
    use super::super::schedule::Schedule;
    use super::*;

    #[test]
    fn a_panic_of_the_model_ends_the_kernel() {
        let schedule = Schedule::new(Layout::new(KernelType::AivOnly, 1), 1, 1, false);
        // SAFETY: There is no memory.
        let memory = unsafe { CoreMemory::new([null_mut(); 8], Arc::default()) };
        let mut core = Core::new(&schedule, 0, memory, None, None);
        assert_eq!(guarded(&mut core, |_| Ok(())), 0);
        assert_eq!(guarded(&mut core, |_| panic!("no such {}", "lane")), 1);
        let end = core.outcome().end;
        assert_eq!(end, Some(End::Failed("the model of the core failed: no such lane".to_owned())));
    }
}
