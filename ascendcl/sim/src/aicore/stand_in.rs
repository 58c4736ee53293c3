//! STAND-IN for the engine, dropped when it is merged: runs the blocks one after the other, scalar code only.
use super::abi::*;
use super::launch::{Launch, Outcome, Stop};
use std::ffi::{c_char, c_void};
use std::ptr;
unsafe extern "C" fn execute(_: *mut c_void, _: *const c_void, _: Site) -> i32 {
    0
}
unsafe extern "C" fn scalar(_: *mut c_void, _: u64, _: u32, _: u32, _: Site) -> i32 {
    0
}
unsafe extern "C" fn read(_: *mut c_void, _: u32) -> u64 {
    0
}
unsafe extern "C" fn write(_: *mut c_void, _: u32, _: u64) {}
unsafe extern "C" fn print(o: *mut c_void, t: *const c_char, n: u64) {
    // SAFETY: stand-in
    unsafe {
        (*o.cast::<Outcome>())
            .printed
            .push(String::from_utf8_lossy(std::slice::from_raw_parts(t.cast(), n as usize)).into_owned())
    }
}
unsafe extern "C" fn fail(o: *mut c_void, t: *const c_char, n: u64, _: Site) -> i32 {
    // SAFETY: stand-in
    unsafe {
        (*o.cast::<Outcome>()).stop = Some(Stop::Exception(
            String::from_utf8_lossy(std::slice::from_raw_parts(t.cast(), n as usize)).into_owned(),
        ))
    }
    1
}
unsafe extern "C" fn buffer(_: *mut c_void, _: u64, _: u64, _: u32, _: Site) -> i32 {
    0
}
pub(crate) fn run(launch: Launch) -> Outcome {
    let mut outcome = Outcome::default();
    let model = Model {
        version: VERSION,
        reserved: 0,
        execute,
        scalar_access: scalar,
        read_register: read,
        write_register: write,
        print,
        fail,
        buffer,
    };
    let g = &launch.global;
    for block in 0..launch.block_num {
        for (core_type, entry) in [(CoreType::Aic, launch.kernel.cube), (CoreType::Aiv, launch.kernel.vector)]
        {
            let Some(entry) = entry else { continue };
            let view = CoreView {
                core: (&raw mut outcome).cast(),
                model: &model,
                base: [ptr::null_mut(); 8],
                size: [0; 8],
                block_idx: block,
                block_num: launch.block_num,
                sub_block_idx: 0,
                sub_block_num: 1,
                core_type: core_type as u8,
                kernel_type: launch.kernel.kernel_type as u8,
                checked: 0,
                reserved: [0; 5],
                device_start: g.alias_start.wrapping_sub(g.alias_delta),
                device_end: g.alias_end.wrapping_sub(g.alias_delta),
                device_delta: g.alias_delta,
                system_workspace: ptr::null_mut(),
            };
            // SAFETY: stand-in
            unsafe { entry(&view, launch.arguments.as_ptr()) };
        }
    }
    outcome
}
