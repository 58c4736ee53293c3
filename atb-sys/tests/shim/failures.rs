//! What goes wrong in the library or before it.

use std::ptr::{null, null_mut};

use atb_sys::*;

use crate::support::{all, desc};

#[test]
fn no_exception_leaves_the_shim() {
    for atb in all() {
        let exceptions = [
            (1, "std::runtime_error: the tiling data is gone"),
            (2, "atb::MaxSizeExceeded: std::exception"),
            (3, "std::bad_alloc: there is no memory left"),
            (4, "int, which is not a std::exception"),
        ];
        let (operation, mut context) = (atb.operation(), null_mut());
        assert_eq!(call!(atb, createContext, &mut context), 0);
        for (kind, expected) in exceptions {
            let mut number = 0;
            let thrown = |status: atb_status, what: &str| {
                assert_eq!(status, ATB_SHIM_EXCEPTION, "{what}");
                assert_eq!(atb.message(), expected, "{what}");
                atb.throw(kind);
            };
            let (param, mut other, mut stream, mut size) =
                (atb_rope_param { rotaryCoeff: 2, cosFormat: 0 }, null_mut(), null_mut(), 0);
            let (shape, mut context_of_failure) = (desc(&[1]), null_mut());
            let tensor =
                atb_tensor { desc: shape, deviceData: null_mut(), hostData: null_mut(), dataSize: 0 };

            atb.throw(kind);
            thrown(call!(atb, createRope, &param, &mut other), "createRope");
            thrown(call!(atb, updateRope, operation, &param), "updateRope");
            thrown(call!(atb, createContext, &mut context_of_failure), "createContext");
            thrown(call!(atb, getExecuteStream, context, &mut stream), "getExecuteStream");
            thrown(call!(atb, setExecuteType, context, 1), "setExecuteType");
            thrown(call!(atb, getInputNum, operation, &mut number), "getInputNum");
            thrown(call!(atb, inferShape, operation, &shape, 1, null_mut(), 0, &mut size), "inferShape");
            thrown(
                call!(atb, setup, operation, &tensor, 1, &tensor, 1, (&raw mut size).cast(), context),
                "setup",
            );
            thrown(call!(atb, execute, operation, &tensor, 1, &tensor, 1, null_mut(), 0, context), "execute");
            thrown(call!(atb, getTensorNumel, &shape, (&raw mut size).cast()), "getTensorNumel");
            thrown(call!(atb, setExecuteStreamId, operation, 1), "setExecuteStreamId");
            thrown(call!(atb, destroyOperation, operation), "destroyOperation");
            atb.throw(0);
            assert!(other.is_null() && context_of_failure.is_null());
        }
        assert_eq!(call!(atb, destroyContext, context), 0);
        atb.destroy(operation);
        assert_eq!(atb.alive(), 0);
    }
}

#[test]
fn the_librarys_codes_come_through_and_leave_no_text() {
    for atb in all() {
        let mut context = null_mut();
        assert_eq!(call!(atb, createContext, null_mut()), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`context` is null");
        // A success says nothing, and what the last failure said stays.
        let mut bytes = 0;
        assert_eq!(call!(atb, getTensorSize, &desc(&[1]), &mut bytes), 0);
        assert_eq!(atb.message(), "`context` is null");
        for status in [ATB_ERROR_OUT_OF_HOST_MEMORY, 107_002] {
            atb.fail(status);
            assert_eq!(call!(atb, createContext, &mut context), status);
            assert_eq!(atb.message(), "");
        }
        assert!(context.is_null());

        // Another thread has its own.
        assert_eq!(call!(atb, createContext, null_mut()), ATB_SHIM_INVALID_ARGUMENT);
        std::thread::scope(|scope| scope.spawn(|| assert_eq!(atb.message(), "")).join().unwrap());
    }
}

#[test]
fn pointers_that_are_missing_are_named() {
    for atb in all() {
        let (operation, mut context) = (atb.operation(), null_mut());
        assert_eq!(call!(atb, createContext, &mut context), 0);
        let refused = |status: atb_status, argument: &str| {
            assert_eq!(status, ATB_SHIM_INVALID_ARGUMENT, "{argument}");
            assert_eq!(atb.message(), format!("`{argument}` is null"));
        };
        let (mut wide, mut number, mut size, mut enable, mut kind) = (0_u64, 0_u32, 0_usize, false, 0_i32);
        let (shape, mut stream, none) = (desc(&[1]), null_mut(), null_mut());
        let tensor = atb_tensor { desc: shape, deviceData: null_mut(), hostData: null_mut(), dataSize: 0 };

        refused(call!(atb, getAtbVersion, null_mut(), 0, null_mut()), "length");
        refused(call!(atb, getTensorSize, null(), &mut wide), "desc");
        refused(call!(atb, getTensorSize, &shape, null_mut()), "bytes");
        refused(call!(atb, getTensorNumel, null(), &mut wide), "desc");
        refused(call!(atb, getTensorNumel, &shape, null_mut()), "elements");
        refused(call!(atb, quantParamConvert, null(), &mut wide, 1), "src");
        refused(call!(atb, quantParamConvert, &1.0, null_mut(), 1), "dest");
        assert_eq!(call!(atb, quantParamConvert, null(), null_mut(), 0), 0, "nothing needs no memory");

        refused(call!(atb, destroyContext, null_mut()), "context");
        refused(call!(atb, setExecuteStream, null_mut(), none), "context");
        refused(call!(atb, getExecuteStream, null_mut(), &mut stream), "context");
        refused(call!(atb, getExecuteStream, context, null_mut()), "stream");
        refused(call!(atb, setExecuteStreams, context, null(), 1), "streams");
        refused(call!(atb, setExecuteStreams, null_mut(), null(), 0), "context");
        refused(call!(atb, getExecuteStreams, context, null_mut(), 1, &mut size), "streams");
        refused(call!(atb, getExecuteStreams, context, null_mut(), 0, null_mut()), "streamNum");
        refused(call!(atb, setAsyncTilingCopyStatus, null_mut(), true), "context");
        refused(call!(atb, getAsyncTilingCopyStatus, null_mut(), &mut enable), "context");
        refused(call!(atb, getAsyncTilingCopyStatus, context, null_mut()), "enable");
        refused(call!(atb, setExecuteType, null_mut(), 0), "context");
        refused(call!(atb, getExecuteType, null_mut(), &mut kind), "context");
        refused(call!(atb, getExecuteType, context, null_mut()), "type");
        refused(call!(atb, setLaunchMode, null_mut(), 0), "context");
        refused(call!(atb, getLaunchMode, null_mut(), &mut kind), "context");

        refused(call!(atb, destroyOperation, null_mut()), "operation");
        refused(call!(atb, getName, null(), null_mut(), 0, &mut size), "operation");
        refused(call!(atb, getInputNum, null(), &mut number), "operation");
        refused(call!(atb, getInputNum, operation, null_mut()), "number");
        refused(call!(atb, getOutputNum, null(), &mut number), "operation");
        refused(call!(atb, getOutputNum, operation, null_mut()), "number");
        refused(call!(atb, inferShape, null(), &shape, 1, null_mut(), 0, &mut size), "operation");
        refused(call!(atb, inferShape, operation, null(), 1, null_mut(), 0, &mut size), "inTensorDescs");
        refused(call!(atb, inferShape, operation, &shape, 1, null_mut(), 1, &mut size), "outTensorDescs");
        refused(call!(atb, inferShape, operation, &shape, 1, null_mut(), 0, null_mut()), "outTensorNum");
        refused(call!(atb, setup, null_mut(), &tensor, 1, &tensor, 1, &mut wide, context), "operation");
        refused(call!(atb, setup, operation, null(), 1, &tensor, 1, &mut wide, context), "inTensors");
        refused(call!(atb, setup, operation, &tensor, 1, null(), 1, &mut wide, context), "outTensors");
        refused(call!(atb, setup, operation, &tensor, 1, &tensor, 1, null_mut(), context), "workspaceSize");
        refused(call!(atb, setup, operation, &tensor, 1, &tensor, 1, &mut wide, null_mut()), "context");
        refused(call!(atb, execute, null_mut(), &tensor, 1, &tensor, 1, none, 0, context), "operation");
        refused(call!(atb, execute, operation, null(), 1, &tensor, 1, none, 0, context), "inTensors");
        refused(call!(atb, execute, operation, &tensor, 1, null(), 1, none, 0, context), "outTensors");
        refused(call!(atb, execute, operation, &tensor, 1, &tensor, 1, none, 1, context), "workspace");
        refused(call!(atb, execute, operation, &tensor, 1, &tensor, 1, none, 0, null_mut()), "context");
        refused(call!(atb, setExecuteStreamId, null_mut(), 0), "operation");
        refused(call!(atb, getExecuteStreamId, null_mut(), &mut number), "operation");
        refused(call!(atb, getExecuteStreamId, operation, null_mut()), "streamId");
        refused(call!(atb, createGraph, null(), &mut null_mut()), "param");

        assert_eq!(atb.record(), "", "none of it came to an operation of the library");
        assert_eq!(call!(atb, destroyContext, context), 0);
        atb.destroy(operation);
        assert_eq!(atb.alive(), 0);
    }
}
