//! MlaPreprocess by the C functions of newer versions of ATB.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;

use std::ffi::{CStr, c_void};
use std::mem::transmute;
use std::ptr;

use ascendcl_sys::*;
use atb_sys::{aclTensor, *};
use common::mla_preprocess::*;
use common::*;

fn entry_point(name: &CStr) -> *mut c_void {
    // SAFETY: The name is a C string.
    unsafe { (atb_sim::functions().entryPoint.unwrap())(name.as_ptr()) }
}

fn get_workspace_size() -> AtbMLAPreprocessGetWorkspaceSizeFn {
    // SAFETY: The function of this name has this type.
    unsafe { transmute(entry_point(c"AtbMLAPreprocessGetWorkspaceSize")) }
}

fn execute_fn() -> AtbExecuteFn {
    // SAFETY: As above.
    unsafe { transmute(entry_point(c"AtbMLAPreprocess")) }
}

/// A tensor of AscendCL's operator library.
fn acl_tensor(desc: &atb_tensor_desc, memory: *mut c_void) -> *mut aclTensor {
    if desc.shape.dimNum == 0 {
        return ptr::null_mut();
    }
    let (dims, number) = (desc.shape.dims.as_ptr(), desc.shape.dimNum);
    let (dtype, format) = (aclDataType(desc.dtype), aclFormat(desc.format));
    // SAFETY: The dimensions are as many as it is told.
    let tensor =
        unsafe { ACL.aclCreateTensor(dims, number, dtype, ptr::null(), 0, format, dims, number, memory) };
    tensor.unwrap().cast()
}

struct Tensors {
    inputs: Vec<*mut aclTensor>,
    outputs: Vec<*mut aclTensor>,
}

impl Drop for Tensors {
    fn drop(&mut self) {
        for tensor in self.inputs.iter().chain(&self.outputs).filter(|tensor| !tensor.is_null()) {
            acl!(aclDestroyTensor(tensor.cast_const().cast()));
        }
    }
}

/// The first function, with the parameter's modes.
fn set_up(
    Tensors { inputs: i, outputs: o }: &Tensors,
    param: &atb_mla_preprocess_param,
    size: *mut u64,
    operation: *mut *mut atb_operation,
    context: *mut atb_context,
) -> atb_status {
    let output = |index: usize| o.get(index).copied().unwrap_or(ptr::null_mut());
    // SAFETY: The pointers are null, or of what the function uses them for.
    unsafe {
        get_workspace_size().unwrap()(
            i[0],
            i[1],
            i[2],
            i[3],
            i[4],
            i[5],
            i[6],
            i[7],
            i[8],
            i[9],
            i[10],
            i[11],
            i[12],
            i[13],
            i[14],
            i[15],
            i[16],
            i[17],
            i[18],
            i[19],
            i[20],
            i[21],
            i[22],
            i[23],
            0,
            0,
            0,
            param.epsilon,
            2,
            2,
            true,
            true,
            true,
            param.cacheMode,
            param.quantMode,
            output(0),
            output(1),
            output(2),
            output(3),
            size,
            operation,
            context,
        )
    }
}

#[test]
fn the_two_phases_are_those_of_the_table() {
    let fixture = Fixture::new();
    let Call { param, inputs, outputs } =
        Case { heads: 1, hidden: 2048, cache_mode: 0, float: ACL_FLOAT16, ..Case::default() }.call();
    let buffer = |desc: &atb_tensor_desc| {
        let bytes = tensor(*desc, ptr::null_mut()).dataSize.max(1) as usize;
        // Small numbers of any type, and finite ones of fp16.
        fixture.upload(
            &(0..bytes)
                .map(|index| if index % 2 == 0 { 0 } else { 0x2C + (index % 5) as u8 })
                .collect::<Vec<u8>>(),
        )
    };
    let memory: Vec<Buffer<u8>> = inputs.iter().map(buffer).collect();
    // The tokens' slots: none of the first, the second block's third of the second.
    acl!(aclrtMemcpy(memory[SLOTS].memory, 8, [-1i32, 130].as_ptr().cast(), 8, ACL_MEMCPY_HOST_TO_DEVICE));
    let run = |by_table: bool| {
        let (query, cache) = (buffer(&outputs[0]), buffer(&outputs[1]));
        let out = [&query, &cache];
        let place = |index: usize| if index == KV_CACHE { cache.memory } else { memory[index].memory };
        if by_table {
            let mut operation = ptr::null_mut();
            ok!(createMlaPreprocess(&param, &mut operation));
            let at = |(index, desc): (usize, &atb_tensor_desc)| {
                tensor(*desc, if desc.shape.dimNum == 0 { ptr::null_mut() } else { place(index) })
            };
            let inputs: Vec<_> = inputs.iter().enumerate().map(at).collect();
            let outputs: Vec<_> =
                outputs.iter().zip(out).map(|(desc, to)| tensor(*desc, to.memory)).collect();
            fixture.run(operation, &inputs, &outputs);
            ok!(destroyOperation(operation));
        } else {
            let tensors = Tensors {
                inputs: inputs
                    .iter()
                    .enumerate()
                    .map(|(index, desc)| acl_tensor(desc, place(index)))
                    .collect(),
                outputs: outputs.iter().zip(out).map(|(desc, to)| acl_tensor(desc, to.memory)).collect(),
            };
            let (mut operation, mut size) = (ptr::null_mut(), 0);
            let status = set_up(&tensors, &param, &mut size, &mut operation, fixture.context);
            assert_eq!(status, ATB_NO_ERROR, "{}", message());
            assert!(!operation.is_null());
            let workspace = fixture.alloc::<u8>(size as usize);
            // SAFETY: The workspace has that many bytes.
            let status = unsafe { execute_fn().unwrap()(workspace.memory, size, operation, fixture.context) };
            assert_eq!(status, ATB_NO_ERROR, "{}", message());
            fixture.synchronize();
            ok!(destroyOperation(operation));
        }
        (query.download(), cache.download())
    };
    let (by_table, by_entry_points) = (run(true), run(false));
    assert_eq!(by_table, by_entry_points);
    assert_ne!(by_table.0, buffer(&outputs[0]).download(), "something was computed");
    // Of the cache one row of 576 was written, the one of slot 130.
    let (before, row) = (buffer(&outputs[1]).download(), 576 * 2);
    assert_ne!(by_table.1, before);
    assert_eq!(by_table.1[..130 * row], before[..130 * row]);
    assert_eq!(by_table.1[131 * row..], before[131 * row..]);
}

#[test]
fn row_24_and_other_pointers() {
    let fixture = Fixture::new();
    let Call { param, inputs, outputs } = Case { heads: 1, ..Case::default() }.call();
    let nowhere = |desc: &atb_tensor_desc| acl_tensor(desc, ptr::null_mut());
    let tensors = Tensors {
        inputs: inputs.iter().map(nowhere).collect(),
        outputs: outputs.iter().map(nowhere).collect(),
    };
    let mut size = 0;
    let context = fixture.context;
    assert_eq!(
        set_up(&tensors, &param, &mut size, ptr::null_mut(), context),
        ATB_ERROR_INVALID_OPERATION_ADDR
    );
    // SAFETY: Null and handles are only looked up.
    let execute =
        |operation, context| unsafe { execute_fn().unwrap()(ptr::null_mut(), 0, operation, context) };
    assert_eq!(execute(ptr::null_mut(), context), ATB_ERROR_INVALID_OPERATION_ADDR);

    // A parameter that cannot be makes no operation.
    let mut operation = ptr::null_mut();
    let wrong = atb_mla_preprocess_param { quantMode: 2, ..param };
    assert_eq!(set_up(&tensors, &wrong, &mut size, &mut operation, context), ATB_ERROR_INVALID_PARAM);
    assert!(operation.is_null());

    // What Setup refuses leaves the operation to the program.
    assert_eq!(set_up(&tensors, &param, &mut size, &mut operation, ptr::null_mut()), ATB_ERROR_INVALID_PARAM);
    assert!(!operation.is_null());
    assert_eq!(set_up(&tensors, &param, ptr::null_mut(), &mut operation, context), ATB_SHIM_INVALID_ARGUMENT);
    assert_eq!(set_up(&tensors, &param, &mut size, &mut operation, context), ATB_NO_ERROR, "{}", message());
    assert_eq!(execute(operation, ptr::null_mut()), ATB_ERROR_INVALID_PARAM);

    // An operation that is there keeps its own mode; the tensors follow the call's.
    let other = atb_mla_preprocess_param { cacheMode: 0, ..param };
    let mut same = operation;
    assert_eq!(set_up(&tensors, &other, &mut size, &mut same, context), ATB_ERROR_INVALID_IN_TENSOR_NUM);
    assert_eq!(same, operation);

    let destroyed = acl_tensor(&inputs[0], ptr::null_mut());
    acl!(aclDestroyTensor(destroyed.cast_const().cast()));
    let stale = Tensors { inputs: [vec![destroyed], tensors.inputs[1..].to_vec()].concat(), outputs: vec![] };
    assert_eq!(set_up(&stale, &param, &mut size, &mut operation, context), ATB_ERROR_INVALID_TENSOR_DIM);
    std::mem::forget(stale);
    ok!(destroyOperation(operation));
}

#[test]
fn other_names_are_unknown() {
    assert!(entry_point(c"AtbMLA").is_null());
    // SAFETY: Null is a name that the function takes.
    assert!(unsafe { (atb_sim::functions().entryPoint.unwrap())(ptr::null()) }.is_null());
}
