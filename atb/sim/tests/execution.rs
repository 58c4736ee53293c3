//! Setup and Execute: what is refused and when, and how work is ordered.

#[macro_use]
mod common;

use std::ptr;

use ascendcl_sys::*;
use atb_sys::*;
use common::*;

const VALUES: [i64; 6] = [1, 2, 3, 4, 5, 6];
const TRANSPOSED: [i64; 6] = [1, 4, 2, 5, 3, 6];

#[test]
fn work_runs_in_stream_order() {
    let fixture = Fixture::new();
    let (operation, x, y) = (transpose(), fixture.upload(&VALUES), fixture.alloc::<i64>(6));
    let (x_tensor, y_tensor) = (matrix(&x, &[2, 3]), matrix(&y, &[3, 2]));
    fixture.set_up(operation, &[x_tensor], &[y_tensor]);
    // The operation sees what the stream wrote before it, and not what it writes after it.
    acl!(aclrtMemsetAsync(x.memory, 24, 1, 24, fixture.stream));
    ok!(execute(operation, &x_tensor, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context));
    acl!(aclrtMemsetAsync(x.memory, 48, 9, 48, fixture.stream));
    fixture.synchronize();
    let ones = 0x0101_0101_0101_0101;
    assert_eq!(y.download(), [ones, 4, ones, 5, ones, 6]);
    ok!(destroyOperation(operation));
}

#[test]
fn a_captured_execution_is_replayed() {
    let fixture = Fixture::new();
    let (operation, x, y) = (transpose(), fixture.upload(&VALUES), fixture.alloc::<i64>(6));
    let (x_tensor, y_tensor) = (matrix(&x, &[2, 3]), matrix(&y, &[3, 2]));
    fixture.set_up(operation, &[x_tensor], &[y_tensor]);
    let mut graph = aclmdlRI::null();
    acl!(aclmdlRICaptureBegin(fixture.stream, ACL_MODEL_RI_CAPTURE_MODE_RELAXED));
    ok!(execute(operation, &x_tensor, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context));
    acl!(aclmdlRICaptureEnd(fixture.stream, &mut graph));
    assert_ne!(y.download(), TRANSPOSED, "it was only captured");
    // The operation itself is not needed any more.
    ok!(destroyOperation(operation));
    acl!(aclmdlRIExecuteAsync(graph, fixture.stream));
    fixture.synchronize();
    assert_eq!(y.download(), TRANSPOSED);
    acl!(aclrtMemset(x.memory, 48, 0, 48));
    acl!(aclmdlRIExecuteAsync(graph, fixture.stream));
    fixture.synchronize();
    assert_eq!(y.download(), [0; 6]);
    acl!(aclmdlRIDestroy(graph));
}

#[test]
fn tensors_may_be_elsewhere_than_at_setup() {
    let fixture = Fixture::new();
    let operation = transpose();
    let nowhere = |shape| tensor(nd(ACL_INT64, shape), ptr::null_mut());
    fixture.set_up(operation, &[nowhere(&[2, 3])], &[nowhere(&[3, 2])]);
    for values in [VALUES, [7, 8, 9, 10, 11, 12]] {
        let (x, y) = (fixture.upload(&values), fixture.alloc::<i64>(6));
        let (x, y_tensor) = (matrix(&x, &[2, 3]), matrix(&y, &[3, 2]));
        // The memory is freed by the end of the block, and so is waited for.
        ok!(execute(operation, &x, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context));
        fixture.synchronize();
        assert_eq!(y.download(), transposed(&values, 2, 3));
    }
    ok!(destroyOperation(operation));
}

#[test]
fn what_setup_refuses() {
    let fixture = Fixture::new();
    let operation = transpose();
    let with = |change: fn(&mut atb_tensor_desc)| {
        let mut desc = nd(ACL_INT64, &[2, 3]);
        change(&mut desc);
        atb_tensor { desc, deviceData: ptr::null_mut(), hostData: ptr::null_mut(), dataSize: 0 }
    };
    let good = with(|_| {});
    let context = fixture.context;
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "context is null",
        setup(operation, &good, 1, &good, 1, &mut 0, ptr::null_mut())
    );
    fails!(
        ATB_SHIM_INVALID_ARGUMENT,
        "workspaceSize is null",
        setup(operation, &good, 1, &good, 1, ptr::null_mut(), context)
    );
    fails!(
        ATB_SHIM_INVALID_ARGUMENT,
        "operation is null",
        setup(ptr::null_mut(), &good, 1, &good, 1, &mut 0, context)
    );
    fails!(
        ATB_SHIM_INVALID_ARGUMENT,
        "inTensors is null",
        setup(operation, ptr::null(), 1, &good, 1, &mut 0, context)
    );
    fails!(
        ATB_SHIM_INVALID_ARGUMENT,
        "takes 256 at most",
        setup(operation, &good, 257, &good, 1, &mut 0, context)
    );
    fails!(
        ATB_ERROR_INVALID_IN_TENSOR_NUM,
        "1 inputs, and 0",
        setup(operation, ptr::null(), 0, &good, 1, &mut 0, context)
    );
    fails!(
        ATB_ERROR_INVALID_IN_TENSOR_NUM,
        "1 outputs, and 0",
        setup(operation, &good, 1, ptr::null(), 0, &mut 0, context)
    );
    let (no_dims, many_dims) = (with(|desc| desc.shape.dimNum = 0), with(|desc| desc.shape.dimNum = 9));
    let (no_size, large) = (with(|desc| desc.shape.dims[1] = 0), with(|desc| desc.shape.dims[1] = 1 << 35));
    let overflow = with(|desc| desc.shape.dims = [1 << 40; 8]);
    let strange = with(|desc| desc.dtype = 99);
    fails!(
        ATB_ERROR_INVALID_TENSOR_DIM,
        "input 0 has no dim",
        setup(operation, &no_dims, 1, &good, 1, &mut 0, context)
    );
    fails!(
        ATB_ERROR_INVALID_TENSOR_DIM,
        "more than 8",
        setup(operation, &many_dims, 1, &good, 1, &mut 0, context)
    );
    fails!(
        ATB_ERROR_INVALID_TENSOR_SIZE,
        "has 0 bytes",
        setup(operation, &no_size, 1, &good, 1, &mut 0, context)
    );
    fails!(ATB_ERROR_INVALID_TENSOR_SIZE, "input 0", setup(operation, &large, 1, &good, 1, &mut 0, context));
    fails!(ATB_ERROR_INVALID_TENSOR_SIZE, "output 0", setup(operation, &good, 1, &large, 1, &mut 0, context));
    fails!(
        ATB_ERROR_INVALID_TENSOR_SIZE,
        "type 99",
        setup(operation, &strange, 1, &good, 1, &mut 0, context)
    );
    let overflow = atb_tensor {
        desc: atb_tensor_desc { shape: atb_dims { dimNum: 8, ..overflow.desc.shape }, ..overflow.desc },
        ..overflow
    };
    fails!(
        ATB_ERROR_INVALID_TENSOR_SIZE,
        "has 0 bytes",
        setup(operation, &overflow, 1, &good, 1, &mut 0, context)
    );
    let double = with(|desc| desc.dtype = ACL_DOUBLE.0);
    fails!(
        ATB_ERROR_INVALID_TENSOR_INI_MATCH,
        "Transpose",
        setup(operation, &double, 1, &good, 1, &mut 0, context)
    );
    ok!(destroyOperation(operation));
}

#[test]
fn what_execute_refuses() {
    let fixture = Fixture::new();
    // A graph, since it needs a workspace.
    let operation = graph([1, 1, 1], &[node(transpose(), &[0], &[2]), node(transpose(), &[2], &[1])]);
    let (x_memory, y_memory) = (fixture.upload(&VALUES), fixture.alloc::<i64>(6));
    let (x, y) = (matrix(&x_memory, &[2, 3]), matrix(&y_memory, &[2, 3]));
    let workspace = fixture.alloc::<u8>(512);
    let (memory, context) = (workspace.memory, fixture.context);

    fails!(ATB_ERROR_INVALID_PARAM, "is not set up", execute(operation, &x, 1, &y, 1, memory, 512, context));
    assert_eq!(fixture.set_up(operation, &[x], &[y]), 512);
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "context is null",
        execute(operation, &x, 1, &y, 1, memory, 512, ptr::null_mut())
    );
    fails!(ATB_ERROR_INVALID_PARAM, "asked for 512", execute(operation, &x, 1, &y, 1, memory, 511, context));
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "workspace is null",
        execute(operation, &x, 1, &y, 1, ptr::null_mut(), 512, context)
    );
    fails!(ATB_ERROR_INVALID_PARAM, "Setup had 1", execute(operation, &x, 0, &y, 1, memory, 512, context));
    let short = atb_tensor { dataSize: 40, ..x };
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "dataSize of 40",
        execute(operation, &short, 1, &y, 1, memory, 512, context)
    );
    let other_shape = matrix(&x_memory, &[3, 2]);
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "was set up as",
        execute(operation, &other_shape, 1, &y, 1, memory, 512, context)
    );
    let nowhere = atb_tensor { deviceData: ptr::null_mut(), ..y };
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "output 0 has no memory",
        execute(operation, &x, 1, &nowhere, 1, memory, 512, context)
    );

    let mut other = ptr::null_mut();
    ok!(createContext(&mut other));
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "not that of the last Setup",
        execute(operation, &x, 1, &y, 1, memory, 512, other)
    );
    ok!(setup(operation, &x, 1, &y, 1, &mut 0, other));
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "no execute stream",
        execute(operation, &x, 1, &y, 1, memory, 512, other)
    );
    ok!(destroyContext(other));
    fails!(
        ATB_ERROR_INVALID_CONTEXT_ADDR,
        "no context",
        execute(operation, &x, 1, &y, 1, memory, 512, other)
    );

    // A Setup that fails ends the one before.
    fixture.set_up(operation, &[x], &[y]);
    assert_ne!(atb!(setup(operation, &x, 0, &y, 1, &mut 0, context)), ATB_NO_ERROR);
    fails!(ATB_ERROR_INVALID_PARAM, "is not set up", execute(operation, &x, 1, &y, 1, memory, 512, context));

    // AscendCL's own codes: memory of the host, and memory that is too short.
    fixture.set_up(operation, &[x], &[y]);
    let mut host = [0i64; 6];
    let on_host = atb_tensor { deviceData: host.as_mut_ptr().cast(), ..x };
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        "TransposeOperation could not be queued",
        execute(operation, &on_host, 1, &y, 1, memory, 512, context)
    );
    let beyond = atb_tensor { deviceData: x.deviceData.wrapping_byte_add(8), ..x };
    fails!(
        ACL_ERROR_RT_PARAM_INVALID,
        "could not be queued",
        execute(operation, &beyond, 1, &y, 1, memory, 512, context)
    );
    ok!(execute(operation, &x, 1, &y, 1, memory, 512, context));
    fixture.synchronize();
    assert_eq!(y_memory.download(), VALUES);
    ok!(destroyOperation(operation));
}

#[test]
fn a_parameter_may_change() {
    let fixture = Fixture::new();
    let (operation, x, y) = (transpose(), fixture.upload(&VALUES), fixture.alloc::<i64>(6));
    let (x_tensor, y_tensor) = (matrix(&x, &[2, 3]), matrix(&y, &[3, 2]));
    fixture.set_up(operation, &[x_tensor], &[y_tensor]);
    let perm = [0, 1];
    let param = atb_transpose_param { perm: perm.as_ptr(), dimNum: 2 };
    let concat = atb_concat_param { concatDim: 0 };
    fails!(ATB_ERROR_INVALID_PARAM, "operation is null", updateTranspose(ptr::null_mut(), &param));
    fails!(ATB_ERROR_INVALID_PARAM, "one of ConcatOperation", updateConcat(operation, &concat));
    ok!(updateTranspose(operation, &param));
    fails!(
        ATB_ERROR_OPERATION_NULL_RUNNER,
        "after its parameter changed",
        execute(operation, &x_tensor, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context)
    );
    let y_tensor = matrix(&y, &[2, 3]);
    fixture.run(operation, &[x_tensor], &[y_tensor]);
    assert_eq!(y.download(), VALUES, "the new one keeps the order");
    ok!(destroyOperation(operation));
}

#[test]
fn preparing_and_launching_apart() {
    let fixture = Fixture::new();
    let (operation, x, y) = (transpose(), fixture.upload(&VALUES), fixture.alloc::<i64>(6));
    let (x_tensor, y_tensor) = (matrix(&x, &[2, 3]), matrix(&y, &[3, 2]));
    fixture.set_up(operation, &[x_tensor], &[y_tensor]);
    let set_type = |kind| ok!(setExecuteType(fixture.context, kind));
    let execute = || ok!(execute(operation, &x_tensor, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context));
    set_type(2);
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "was not prepared",
        execute(operation, &x_tensor, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context)
    );
    set_type(1);
    execute();
    fixture.synchronize();
    assert_ne!(y.download(), TRANSPOSED);
    set_type(2);
    execute();
    fixture.synchronize();
    assert_eq!(y.download(), TRANSPOSED);
    let mut kind = 0;
    ok!(getExecuteType(fixture.context, &mut kind));
    assert_eq!(kind, 2);
    set_type(0);
    fails!(ATB_ERROR_INVALID_PARAM, "not 3", setExecuteType(fixture.context, 3));
    ok!(destroyOperation(operation));
}

#[test]
fn shapes_are_fixed_after_the_first_call_in_graph_launch_mode() {
    let fixture = Fixture::new();
    ok!(setLaunchMode(fixture.context, 1));
    fails!(ATB_ERROR_INVALID_PARAM, "not 2", setLaunchMode(fixture.context, 2));
    let (operation, x, y) = (transpose(), fixture.upload(&VALUES), fixture.alloc::<i64>(6));
    let (a, b) = (matrix(&x, &[2, 3]), matrix(&x, &[3, 2]));
    let (y_of_a, y_of_b) = (matrix(&y, &[3, 2]), matrix(&y, &[2, 3]));
    fixture.set_up(operation, &[b], &[y_of_b]);
    fixture.run(operation, &[a], &[y_of_a]);
    fails!(
        ATB_ERROR_INVALID_TENSOR_DIM,
        "cannot change",
        setup(operation, &b, 1, &y_of_b, 1, &mut 0, fixture.context)
    );
    fixture.run(operation, &[a], &[y_of_a]);
    assert_eq!(y.download(), TRANSPOSED);
    ok!(destroyOperation(operation));
}

#[test]
fn an_operation_runs_on_the_stream_of_its_number() {
    let fixture = Fixture::new();
    let (operation, x, y) = (transpose(), fixture.upload(&VALUES), fixture.alloc::<i64>(6));
    let (x_tensor, y_tensor) = (matrix(&x, &[2, 3]), matrix(&y, &[3, 2]));
    ok!(setExecuteStreamId(operation, 1));
    let mut id = 0;
    ok!(getExecuteStreamId(operation, &mut id));
    assert_eq!(id, 1);
    fixture.set_up(operation, &[x_tensor], &[y_tensor]);
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "for execute stream 1, and the context has 1",
        execute(operation, &x_tensor, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context)
    );
    let mut second = aclrtStream::null();
    acl!(aclrtCreateStream(&mut second));
    let streams = [fixture.stream.0, second.0];
    ok!(setExecuteStreams(fixture.context, streams.as_ptr(), 2));
    ok!(execute(operation, &x_tensor, 1, &y_tensor, 1, ptr::null_mut(), 0, fixture.context));
    acl!(aclrtSynchronizeStream(second));
    assert_eq!(y.download(), TRANSPOSED);
    ok!(setExecuteStream(fixture.context, fixture.stream.0));
    acl!(aclrtDestroyStream(second));
    ok!(destroyOperation(operation));
}

#[test]
fn nodes_on_other_streams_share_no_memory() {
    let fixture = Fixture::new();
    let chain = |stream: u32| {
        let first = transpose();
        ok!(setExecuteStreamId(first, stream));
        let nodes = [
            node(first, &[0], &[2]),
            node(transpose(), &[2], &[3]),
            node(transpose(), &[3], &[4]),
            node(transpose(), &[4], &[1]),
        ];
        graph([1, 1, 3], &nodes)
    };
    let nowhere = |shape| tensor(nd(ACL_INT64, shape), ptr::null_mut());
    let size = |operation| fixture.set_up(operation, &[nowhere(&[2, 3])], &[nowhere(&[2, 3])]);
    let (alone, apart) = (chain(0), chain(1));
    assert_eq!(size(alone), 1024);
    // The tensor of the other stream's node has its place for itself, from the first node to the last.
    assert_eq!(size(apart), 1024 + 512);
    ok!(destroyOperation(alone));
    ok!(destroyOperation(apart));
}

#[test]
fn an_operation_is_for_one_call_at_a_time() {
    // A graph whose own function sets it up again.
    unsafe extern "C" fn again(
        data: *mut std::ffi::c_void,
        old: *const atb_dims,
        new: *mut atb_dims,
    ) -> atb_status {
        // SAFETY: The test passes the graph and the context as data, and the library valid dimensions.
        let (operation, context) = unsafe {
            *new = *old;
            *data.cast::<(*mut atb_operation, *mut atb_context)>()
        };
        let tensor = tensor(nd(ACL_INT64, &[1, 1]), ptr::null_mut());
        let status = atb!(setup(operation, &tensor, 1, &tensor, 1, &mut 0, context));
        assert_eq!(status, ATB_ERROR_INVALID_PARAM);
        assert!(message().contains("one thread at a time"));
        ATB_NO_ERROR
    }
    let fixture = Fixture::new();
    let mut data = (ptr::null_mut::<atb_operation>(), fixture.context);
    let reshape = atb_reshape { function: Some(again), data: (&raw mut data).cast() };
    let operation = graph([1, 1, 0], &[Node { reshapes: vec![reshape], ..node(transpose(), &[0], &[1]) }]);
    // SAFETY: The function reads it through the same pointer, in this thread.
    unsafe { (&raw mut data).write((operation, fixture.context)) };
    let nowhere = |shape| tensor(nd(ACL_INT64, shape), ptr::null_mut());
    fixture.set_up(operation, &[nowhere(&[2, 3])], &[nowhere(&[3, 2])]);
    ok!(destroyOperation(operation));
}
