//! Graphs: nodes, the caller's functions, and who owns the operations.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use atb_sys::*;

use crate::support::{Atb, all, desc};

/// A node without reshapes and chunks.
fn node(operation: *mut atb_operation, inputs: &[u32], outputs: &[u32]) -> atb_node {
    atb_node {
        operation,
        inTensorIds: inputs.as_ptr(),
        inTensorNum: inputs.len(),
        outTensorIds: outputs.as_ptr(),
        outTensorNum: outputs.len(),
        inTensorReshapes: null(),
        inTensorChunks: null(),
    }
}

const NO_INFER_SHAPE: atb_infer_shape = atb_infer_shape { function: None, data: null_mut() };

/// A graph of two inputs and one output, without internal tensors.
fn graph(nodes: &[atb_node]) -> atb_graph_param {
    atb_graph_param {
        name: c"layer_0".as_ptr(),
        inTensorNum: 2,
        outTensorNum: 1,
        internalTensorNum: 0,
        nodes: nodes.as_ptr(),
        nodeNum: nodes.len(),
        inferShape: NO_INFER_SHAPE,
    }
}

/// The status and the shape of the graph's output for inputs of these shapes.
fn infer(atb: &Atb, graph: *mut atb_operation, inputs: &[&[i64]]) -> (atb_status, Vec<i64>) {
    let inputs: Vec<_> = inputs.iter().map(|dims| desc(dims)).collect();
    let (mut output, mut number) = (desc(&[]), 0);
    let status = call!(atb, inferShape, graph, inputs.as_ptr(), inputs.len(), &mut output, 1, &mut number);
    (status, output.shape.dims[..output.shape.dimNum as usize].to_vec())
}

/// Puts the first two dimensions together; fails where there is only one.
unsafe extern "C" fn merge(data: *mut c_void, old: *const atb_dims, new: *mut atb_dims) -> atb_status {
    // SAFETY: The data is that of the test, and the shapes are the library's.
    let (calls, old, new) = unsafe { (&mut *data.cast::<u32>(), &*old, &mut *new) };
    *calls += 1;
    if old.dimNum < 2 {
        return 77;
    }
    new.dims = [0; 8];
    new.dims[0] = old.dims[0] * old.dims[1];
    new.dims[1] = old.dims[2];
    new.dimNum = old.dimNum - 1;
    ATB_NO_ERROR
}

/// Answers more dimensions than there can be.
unsafe extern "C" fn too_many(_: *mut c_void, _: *const atb_dims, new: *mut atb_dims) -> atb_status {
    // SAFETY: The shape is the library's.
    unsafe { (*new).dimNum = 9 };
    ATB_NO_ERROR
}

#[test]
fn nodes_see_reshaped_inputs_and_parts_of_inputs() {
    for atb in all() {
        let mut calls = 0_u32;
        let reshapes = [
            atb_reshape { function: None, data: null_mut() },
            atb_reshape { function: Some(merge), data: (&raw mut calls).cast() },
        ];
        let chunks = [atb_chunk { chunkNum: 2, chunkIndex: 1 }, atb_chunk { chunkNum: 1, chunkIndex: 0 }];
        let mut first = node(atb.operation(), &[0, 1], &[3]);
        first.inTensorReshapes = reshapes.as_ptr();
        first.inTensorChunks = chunks.as_ptr();
        let nodes = [first, node(atb.operation(), &[3, 0], &[2])];
        let mut param = graph(&nodes);
        param.internalTensorNum = 1;
        let mut operation = null_mut();
        assert_eq!(call!(atb, createGraph, &param, &mut operation), 0, "{}", atb.message());
        assert_eq!(atb.alive(), 3);
        // SAFETY: The operation is alive.
        assert_eq!(name(atb, operation), c"layer_0".to_owned());

        let (status, shape) = infer(atb, operation, &[&[8, 5], &[2, 3, 4]]);
        assert_eq!((status, shape), (0, vec![4, 5]), "{}", atb.message());
        assert_eq!(atb.record(), "ConcatParam 1:2(4,5) 1:2(6,4); ConcatParam 1:2(4,5) 1:2(8,5); ");
        assert_eq!(calls, 1);

        // The graph owns its nodes.
        atb.destroy(operation);
        assert_eq!(atb.alive(), 0);
    }
}

fn name(atb: &Atb, operation: *const atb_operation) -> std::ffi::CString {
    let (mut bytes, mut length) = ([0_u8; 64], 0);
    let text: *mut c_char = bytes.as_mut_ptr().cast();
    assert_eq!(call!(atb, getName, operation, text, 64, &mut length), 0);
    CStr::from_bytes_until_nul(&bytes).unwrap().to_owned()
}

#[test]
fn a_reshape_that_fails_leaves_the_shape_and_fails_the_call() {
    for atb in all() {
        let mut calls = 0_u32;
        for (function, expected) in [
            (merge as unsafe extern "C" fn(_, _, _) -> _, "a reshape function failed with status 77"),
            (too_many, "a reshape function answered 9 dimensions"),
        ] {
            let operation = reshaped(atb, function, (&raw mut calls).cast());
            let (status, shape) = infer(atb, operation, &[&[8], &[9]]);
            assert_eq!((status, shape), (ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL, vec![]));
            assert_eq!(atb.message(), expected);
            assert_eq!(atb.record(), "ConcatParam 1:2(8) 1:2(9); ", "the shapes are what they were");

            // It is forgotten with the call.
            let plain = atb.operation();
            assert_eq!(infer(atb, plain, &[&[8], &[9]]), (0, vec![8]));
            atb.destroy(plain);
            atb.destroy(operation);
        }
        assert_eq!(atb.alive(), 0);
    }
}

/// A graph whose reshape functions are `function`, of one node.
fn reshaped(
    atb: &Atb,
    function: unsafe extern "C" fn(*mut c_void, *const atb_dims, *mut atb_dims) -> atb_status,
    data: *mut c_void,
) -> *mut atb_operation {
    let reshapes = [atb_reshape { function: Some(function), data }; 2];
    let mut node = node(atb.operation(), &[0, 1], &[2]);
    node.inTensorReshapes = reshapes.as_ptr();
    let mut operation = null_mut();
    assert_eq!(call!(atb, createGraph, &graph(&[node]), &mut operation), 0);
    operation
}

/// Calls another graph, in which a function fails, and goes on as if it had not.
unsafe extern "C" fn forgiving(data: *mut c_void, _: *const atb_dims, _: *mut atb_dims) -> atb_status {
    // SAFETY: The data is that of the test.
    let (atb, inner) = unsafe { &*data.cast::<(&Atb, *mut atb_operation)>() };
    assert_eq!(infer(atb, *inner, &[&[1], &[1]]).0, ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL);
    ATB_NO_ERROR
}

#[test]
fn a_failure_within_a_callers_function_is_the_callers_to_judge() {
    for atb in all() {
        let inner = reshaped(atb, too_many, null_mut());
        let mut data = (atb, inner);
        let outer = reshaped(atb, forgiving, (&raw mut data).cast());
        assert_eq!(infer(atb, outer, &[&[8], &[9]]), (0, vec![8]), "{}", atb.message());
        atb.destroy(outer);
        atb.destroy(inner);
        assert_eq!(atb.alive(), 0);
    }
}

/// Answers the second input's description for the one output.
unsafe extern "C" fn second(
    data: *mut c_void,
    inputs: *const atb_tensor_desc,
    input_num: usize,
    outputs: *mut atb_tensor_desc,
    output_num: usize,
) -> atb_status {
    // SAFETY: The data is that of the test, and there are as many descriptions as the numbers say.
    unsafe {
        assert_eq!((input_num, output_num), (2, 1));
        assert_eq!(((*outputs).dtype, (*outputs).format, (*outputs).shape.dimNum), (-1, -1, 0));
        *outputs = *inputs.add(1);
        (*outputs).shape.dimNum += *data.cast::<u64>() >> 32;
        *data.cast::<u64>() as atb_status
    }
}

#[test]
fn shapes_may_be_inferred_by_the_caller() {
    for atb in all() {
        // What the function answers, and dimensions that it adds.
        for (status, more, expected) in [
            (0_u64, 0_u64, (0, vec![6, 7])),
            (42, 0, (42, vec![])),
            (0, 7, (ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL, vec![])),
        ] {
            let mut data = status | more << 32;
            let nodes = [node(atb.operation(), &[0, 1], &[2])];
            let mut param = graph(&nodes);
            param.inferShape = atb_infer_shape { function: Some(second), data: (&raw mut data).cast() };
            let mut operation = null_mut();
            assert_eq!(call!(atb, createGraph, &param, &mut operation), 0);
            assert_eq!(infer(atb, operation, &[&[5], &[6, 7]]), expected);
            atb.destroy(operation);
        }
        assert_eq!(atb.alive(), 0);
    }
}

#[test]
fn the_nodes_of_a_graph_that_cannot_be_made_stay_the_callers() {
    for atb in all() {
        let operations = [atb.operation(), atb.operation()];
        let good = [node(operations[0], &[0, 1], &[2]), node(operations[1], &[2, 1], &[2])];
        let mut operation = null_mut();

        // What the library refuses.
        let refused = [good[0], node(operations[1], &[0], &[2])];
        assert_eq!(call!(atb, createGraph, &graph(&refused), &mut operation), ATB_ERROR_INVALID_GRAPH);
        atb.throw(1);
        assert_eq!(call!(atb, createGraph, &graph(&good), &mut operation), ATB_SHIM_EXCEPTION);

        // What the shim refuses.
        let twice = [good[0], node(operations[0], &[2, 1], &[2])];
        assert_eq!(call!(atb, createGraph, &graph(&twice), &mut operation), ATB_SHIM_INVALID_ARGUMENT);
        let message = "`nodes[1].operation` is that of another node, and the graph can own it only once";
        assert_eq!(atb.message(), message);
        let missing = [good[0], node(null_mut(), &[2, 1], &[2])];
        assert_eq!(call!(atb, createGraph, &graph(&missing), &mut operation), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`nodes[1].operation` is null");
        let mut unnamed = graph(&good);
        unnamed.name = null();
        assert_eq!(call!(atb, createGraph, &unnamed, &mut operation), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`name` is null");
        let mut empty = graph(&[]);
        (empty.nodes, empty.nodeNum) = (null(), 1);
        assert_eq!(call!(atb, createGraph, &empty, &mut operation), ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`nodes` is null");

        // They are as good as before.
        assert!(operation.is_null());
        assert_eq!(atb.alive(), 2);
        assert_eq!(call!(atb, createGraph, &graph(&good), &mut operation), 0);
        assert_eq!(infer(atb, operation, &[&[8, 5], &[2]]), (0, vec![8, 5]));
        atb.destroy(operation);
        assert_eq!(atb.alive(), 0);
    }
}

#[test]
fn many_tensors() {
    for atb in all() {
        // A graph of no node takes any number of inputs; its output is like the first of them.
        let wide = |number: u32| {
            let mut param = graph(&[]);
            param.inTensorNum = number;
            let mut operation = null_mut();
            assert_eq!(call!(atb, createGraph, &param, &mut operation), 0);
            operation
        };
        for number in [64_u32, 65, 256] {
            let operation = wide(number);
            let shapes: Vec<_> = (1..=i64::from(number)).map(|dim| [dim]).collect();
            let inputs: Vec<&[i64]> = shapes.iter().map(|dims| &dims[..]).collect();
            assert_eq!(infer(atb, operation, &inputs), (0, vec![1]), "{number}: {}", atb.message());
            assert!(atb.record().ends_with(&format!(" 1:2({number}); ")));
            atb.destroy(operation);
        }
        let inputs = vec![&[1_i64][..]; 257];
        let operation = wide(256);
        assert_eq!(infer(atb, operation, &inputs).0, ATB_SHIM_INVALID_ARGUMENT);
        assert_eq!(atb.message(), "`inTensorDescs` has 257 elements, more than ATB's limit of 256");
        atb.destroy(operation);

        // As a node, it can have no functions for so many inputs: the library does not copy them right.
        let ids: Vec<u32> = (0..65).map(|id| id % 2).collect();
        let reshapes = vec![atb_reshape { function: None, data: null_mut() }; 65];
        let chunks = vec![atb_chunk { chunkNum: 1, chunkIndex: 0 }; 65];
        let inner = wide(65);
        let mut operation = null_mut();
        let mut with_reshapes = node(inner, &ids, &[2]);
        with_reshapes.inTensorReshapes = reshapes.as_ptr();
        let mut with_chunks = node(inner, &ids, &[2]);
        with_chunks.inTensorChunks = chunks.as_ptr();
        for (node, name) in [(with_reshapes, "inTensorReshapes"), (with_chunks, "inTensorChunks")] {
            let status = call!(atb, createGraph, &graph(&[node]), &mut operation);
            assert_eq!(status, ATB_SHIM_INVALID_ARGUMENT);
            let message = format!("`nodes[0].{name}` has 65 elements, more than ATB's limit of 64");
            assert_eq!(atb.message(), message);
        }
        assert_eq!(call!(atb, createGraph, &graph(&[node(inner, &ids, &[2])]), &mut operation), 0);
        atb.destroy(operation);
        assert_eq!(atb.alive(), 0);
    }
}
