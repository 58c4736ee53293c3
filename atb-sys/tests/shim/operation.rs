//! Operations: tensors go in as they are.

use std::ffi::c_void;
use std::ptr::null_mut;

use atb_sys::*;

use crate::support::{all, desc, text};

fn tensor(dims: &[i64], device: usize, host: usize, size: u64) -> atb_tensor {
    atb_tensor {
        desc: desc(dims),
        deviceData: device as *mut c_void,
        hostData: host as *mut c_void,
        dataSize: size,
    }
}

#[test]
fn an_operation_says_what_it_is() {
    for atb in all() {
        let operation = atb.operation();
        let name = text(|text, size| {
            let mut length = 0;
            assert_eq!(call!(atb, getName, operation, text, size, &mut length), 0);
            length
        });
        assert_eq!(name, "ConcatParam");
        let (mut inputs, mut outputs, mut stream) = (0, 0, 0);
        assert_eq!(call!(atb, getInputNum, operation, &mut inputs), 0);
        assert_eq!(call!(atb, getOutputNum, operation, &mut outputs), 0);
        assert_eq!(call!(atb, setExecuteStreamId, operation, 5), 0);
        assert_eq!(call!(atb, getExecuteStreamId, operation, &mut stream), 0);
        assert_eq!((inputs, outputs, stream), (2, 1, 5));
        atb.destroy(operation);
    }
}

#[test]
fn shapes_are_inferred() {
    for atb in all() {
        let operation = atb.operation();
        let inputs = [desc(&[4, 7]), desc(&[1, 2, 3, 4, 5, 6, 7, 8])];
        let (mut outputs, mut number) = ([desc(&[]); 2], 0);
        let status =
            call!(atb, inferShape, operation, inputs.as_ptr(), 2, outputs.as_mut_ptr(), 2, &mut number);
        assert_eq!(status, 0);
        assert_eq!(atb.record(), "ConcatParam 1:2(4,7) 1:2(1,2,3,4,5,6,7,8); ");
        assert_eq!(number, 1);
        assert_eq!((outputs[0].dtype, outputs[0].format), (1, 2));
        assert_eq!((outputs[0].shape.dimNum, &outputs[0].shape.dims[..2]), (2, &[4, 7][..]));
        assert_eq!(outputs[1].shape.dimNum, 0, "what is not answered is not touched");

        // The number alone can be asked for.
        let status = call!(atb, inferShape, operation, inputs.as_ptr(), 2, null_mut(), 0, &mut number);
        assert_eq!((status, number), (0, 1));

        number = 9;
        let status =
            call!(atb, inferShape, operation, inputs.as_ptr(), 1, outputs.as_mut_ptr(), 2, &mut number);
        assert_eq!((status, number), (ATB_ERROR_INVALID_IN_TENSOR_NUM, 9));
        atb.destroy(operation);
    }
}

#[test]
fn set_up_and_execute_get_the_tensors_and_the_workspace() {
    for atb in all() {
        let (operation, mut context, mut size) = (atb.operation(), null_mut(), 0);
        assert_eq!(call!(atb, createContext, &mut context), 0);
        let inputs = [tensor(&[2, 3], 0x10, 0, 12), tensor(&[5], 0, 0x20, 10)];
        let output = tensor(&[], 0x30, 0, 1 << 40);
        let status = call!(atb, setup, operation, inputs.as_ptr(), 2, &output, 1, &mut size, context);
        assert_eq!(status, 0);
        let tensors = "ConcatParam 1:2(2,3)@16/0+12 1:2(5)@0/32+10 -> 1:2()@48/0+1099511627776";
        assert_eq!(atb.record(), format!("setup {tensors} context"));
        assert_eq!(size, 4098);

        let workspace = 0x40 as *mut c_void;
        let status = call!(atb, execute, operation, inputs.as_ptr(), 2, &output, 1, workspace, size, context);
        assert_eq!(status, 0);
        assert_eq!(atb.record(), format!("execute {tensors} workspace@64+4098 context"));

        // A workspace of no bytes needs no memory.
        let status = call!(atb, execute, operation, inputs.as_ptr(), 2, &output, 1, null_mut(), 0, context);
        assert_eq!(status, 0);
        assert!(atb.record().ends_with("workspace@0+0 context"));

        atb.fail(ATB_ERROR_INVALID_TENSOR_ADDR);
        size = 7;
        let status = call!(atb, setup, operation, inputs.as_ptr(), 2, &output, 1, &mut size, context);
        assert_eq!((status, size), (ATB_ERROR_INVALID_TENSOR_ADDR, 7));
        assert_eq!(atb.message(), "");

        assert_eq!(call!(atb, destroyContext, context), 0);
        atb.destroy(operation);
        assert_eq!(atb.alive(), 0);
    }
}

#[test]
fn the_library_gets_no_shape_that_it_would_read_beyond() {
    for atb in all() {
        let (operation, mut context, mut size) = (atb.operation(), null_mut(), 0);
        assert_eq!(call!(atb, createContext, &mut context), 0);
        let mut inputs = [tensor(&[2], 0x10, 0, 4), tensor(&[2], 0x10, 0, 4)];
        inputs[1].desc.shape.dimNum = u64::MAX;
        let status = call!(atb, setup, operation, inputs.as_ptr(), 2, &inputs[0], 1, &mut size, context);
        assert_eq!(status, ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), format!("`inTensors[1]` has {} dimensions, more than 8", u64::MAX));
        let status =
            call!(atb, execute, operation, &inputs[0], 1, inputs.as_ptr(), 2, null_mut(), 0, context);
        assert_eq!(status, ATB_SHIM_INVALID_ARGUMENT);
        assert!(atb.message().starts_with("`outTensors[1]` has"));
        let descs = [desc(&[1]), inputs[1].desc];
        let mut number = 0;
        let status = call!(atb, inferShape, operation, descs.as_ptr(), 2, null_mut(), 0, &mut number);
        assert_eq!(status, ATB_SHIM_INVALID_ARGUMENT);
        assert!(atb.message().starts_with("`inTensorDescs[1]` has"));
        assert_eq!(atb.record(), "", "the library was not called");
        assert_eq!(call!(atb, destroyContext, context), 0);
        atb.destroy(operation);
    }
}
