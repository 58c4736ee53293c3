//! Graphs: what is refused, how tensors go from node to node, and what memory they take.

#[macro_use]
mod common;

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::{ACL_FLOAT16, ACL_INT64};
use atb_sys::*;
use common::*;

fn destroy(operations: &[*mut atb_operation]) {
    for &operation in operations {
        ok!(destroyOperation(operation));
    }
}

/// Counts up from 1.
fn numbers(count: i64) -> Vec<i64> {
    (1..=count).collect()
}

#[test]
fn internal_tensors_share_memory() {
    let fixture = Fixture::new();
    // in 0, out 1, internal 2 to 6; each only lives from one node to the next.
    let ids = [0, 2, 3, 4, 5, 6, 1];
    let nodes: Vec<Node> = ids.windows(2).map(|pair| node(transpose(), &pair[..1], &pair[1..])).collect();
    let operation = graph([1, 1, 5], &nodes);

    let (rows, columns) = (64, 48);
    let values = numbers(rows * columns);
    let x = fixture.upload(&values);
    let y = fixture.alloc::<i64>(values.len());
    // Six transpositions are none.
    let shape = [rows, columns];
    let workspace = fixture.run(operation, &[matrix(&x, &shape)], &[matrix(&y, &shape)]);
    assert_eq!(y.download(), values);

    let bytes = (rows * columns * 8) as u64;
    assert!(workspace >= 2 * bytes, "two of them are needed at a time");
    assert!(workspace < 3 * bytes, "{workspace} bytes for tensors of {bytes}, of which two live at a time");
    destroy(&[operation]);
}

#[test]
fn a_tensor_that_is_needed_later_keeps_its_memory() {
    let fixture = Fixture::new();
    // 4 = x^T stays until the last node, while 5 and 6 come and go.
    let nodes = [
        node(transpose(), &[0], &[4]),
        node(transpose(), &[4], &[5]),
        node(transpose(), &[5], &[6]),
        node(transpose(), &[6], &[2]),
        node(transpose(), &[4], &[3]),
        node(transpose(), &[3], &[1]),
    ];
    let operation = graph([1, 3, 3], &nodes);
    let values = numbers(6);
    let x = fixture.upload(&values);
    let outputs = [fixture.alloc::<i64>(6), fixture.alloc::<i64>(6), fixture.alloc::<i64>(6)];
    let shapes = [[3, 2], [2, 3], [2, 3]];
    let tensors: Vec<atb_tensor> =
        outputs.iter().zip(&shapes).map(|(buffer, shape)| matrix(buffer, shape)).collect();
    fixture.run(operation, &[matrix(&x, &[2, 3])], &tensors);
    assert_eq!(outputs[0].download(), [1, 4, 2, 5, 3, 6]);
    assert_eq!(outputs[1].download(), values);
    assert_eq!(outputs[2].download(), values);
    destroy(&[operation]);
}

unsafe extern "C" fn flatten_to_two_rows(
    data: *mut c_void,
    old: *const atb_dims,
    new: *mut atb_dims,
) -> atb_status {
    // SAFETY: The test passes a number of columns as data, and the library valid dimensions.
    unsafe {
        let columns = *data.cast::<i64>();
        assert_eq!((*old).dimNum, 2);
        *new = dims(&[2, columns]);
    }
    ATB_NO_ERROR
}

unsafe extern "C" fn fail_to_reshape(_: *mut c_void, _: *const atb_dims, _: *mut atb_dims) -> atb_status {
    ATB_ERROR_INVALID_PARAM
}

#[test]
fn a_node_may_reshape_its_input() {
    let fixture = Fixture::new();
    let columns = Cell::new(6i64);
    let reshape = atb_reshape { function: Some(flatten_to_two_rows), data: columns.as_ptr().cast() };
    let reshaping = Node { reshapes: vec![reshape], ..node(transpose(), &[0], &[1]) };
    let operation = graph([1, 1, 0], &[reshaping]);

    let x_desc = nd(ACL_INT64, &[3, 4]);
    let (mut y_desc, mut count) = (none(), 0);
    ok!(inferShape(operation, &x_desc, 1, &mut y_desc, 1, &mut count));
    assert_eq!((count, shape_of(&y_desc)), (1, vec![6, 2]));

    let values = numbers(12);
    let (x, y) = (fixture.upload(&values), fixture.alloc::<i64>(12));
    fixture.run(operation, &[matrix(&x, &[3, 4])], &[matrix(&y, &[6, 2])]);
    assert_eq!(y.download(), transposed(&values, 2, 6));

    columns.set(5);
    let wrong = "not as many elements";
    fails!(
        ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL,
        wrong,
        inferShape(operation, &x_desc, 1, &mut y_desc, 1, &mut count)
    );
    let (x, y) = (matrix(&x, &[3, 4]), matrix(&y, &[6, 2]));
    fails!(
        ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL,
        wrong,
        setup(operation, &x, 1, &y, 1, &mut 0, fixture.context)
    );
    destroy(&[operation]);

    let failing = atb_reshape { function: Some(fail_to_reshape), data: ptr::null_mut() };
    let operation = graph([1, 1, 0], &[Node { reshapes: vec![failing], ..node(transpose(), &[0], &[1]) }]);
    fails!(
        ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL,
        "answers 1",
        inferShape(operation, &x_desc, 1, &mut y_desc, 1, &mut count)
    );
    destroy(&[operation]);
}

fn chunk(number: u32, index: u32) -> Vec<atb_chunk> {
    vec![atb_chunk { chunkNum: number, chunkIndex: index }]
}

#[test]
fn a_node_may_take_a_chunk_of_its_input() {
    let fixture = Fixture::new();
    let nodes = [
        node(transpose(), &[0], &[3]),
        Node { chunks: chunk(3, 2), ..node(transpose(), &[0], &[1]) },
        // Of an internal tensor, too.
        Node { chunks: chunk(2, 1), ..node(transpose(), &[3], &[2]) },
    ];
    let operation = graph([1, 2, 1], &nodes);
    let values = numbers(24);
    let (x, y, z) = (fixture.upload(&values), fixture.alloc::<i64>(8), fixture.alloc::<i64>(12));
    fixture.run(operation, &[matrix(&x, &[6, 4])], &[matrix(&y, &[4, 2]), matrix(&z, &[6, 2])]);
    // Rows 4 and 5 of six.
    assert_eq!(y.download(), [17, 21, 18, 22, 19, 23, 20, 24]);
    // Rows 2 and 3 of the four of the transposed matrix are columns 2 and 3.
    assert_eq!(z.download(), [3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23, 24]);
    destroy(&[operation]);
}

#[test]
fn wrong_chunks_are_refused() {
    let fixture = Fixture::new();
    let x = fixture.upload(&numbers(24));
    let y = fixture.alloc::<i64>(24);
    for (chunks, status) in [
        (chunk(0, 0), ATB_ERROR_INVALID_PARAM),
        (chunk(4, 0), ATB_ERROR_INVALID_PARAM),
        (chunk(3, 3), ATB_ERROR_INVALID_GRAPH_NODE_CHUNK),
    ] {
        let operation = graph([1, 1, 0], &[Node { chunks: chunks.clone(), ..node(transpose(), &[0], &[1]) }]);
        let (x, y) = (matrix(&x, &[6, 4]), matrix(&y, &[4, 6]));
        assert_eq!(atb!(setup(operation, &x, 1, &y, 1, &mut 0, fixture.context)), status, "{chunks:?}");
        assert!(message().contains("chunk of input 0"), "{}", message());
        destroy(&[operation]);
    }
}

#[test]
fn graphs_within_graphs() {
    let fixture = Fixture::new();
    let inner = graph([1, 1, 1], &[node(transpose(), &[0], &[2]), node(transpose(), &[2], &[1])]);
    let operation = graph(
        [1, 1, 2],
        &[node(transpose(), &[0], &[2]), node(inner, &[2], &[3]), node(transpose(), &[3], &[1])],
    );
    let values = numbers(6);
    let (x, y) = (fixture.upload(&values), fixture.alloc::<i64>(6));
    let workspace = fixture.run(operation, &[matrix(&x, &[2, 3])], &[matrix(&y, &[2, 3])]);
    assert_eq!(y.download(), values);
    // The three internal tensors, of 512 bytes each with their padding, share two places.
    assert_eq!(workspace, 1024);
    fails!(ATB_ERROR_INVALID_OPERATION_ADDR, "a graph owns it", destroyOperation(inner));
    destroy(&[operation]);
}

#[test]
fn an_output_may_be_written_in_place() {
    let fixture = Fixture::new();
    // Input 0 is overwritten by its own transposition, and then read.
    let operation = graph([1, 1, 0], &[node(transpose(), &[0], &[0]), node(transpose(), &[0], &[1])]);
    let values = numbers(6);
    let (x, y) = (fixture.upload(&values), fixture.alloc::<i64>(6));
    fixture.run(operation, &[matrix(&x, &[2, 3])], &[matrix(&y, &[2, 3])]);
    assert_eq!(x.download(), [1, 4, 2, 5, 3, 6]);
    assert_eq!(y.download(), values);
    destroy(&[operation]);
}

#[test]
fn an_output_that_is_too_small_is_refused() {
    let fixture = Fixture::new();
    let operation = graph([1, 1, 0], &[node(transpose(), &[0], &[1])]);
    let (x, y) = (fixture.upload(&numbers(6)), fixture.alloc::<i64>(4));
    let (x, y) = (matrix(&x, &[2, 3]), matrix(&y, &[2, 2]));
    fails!(
        ATB_ERROR_INVALID_TENSOR_DIM,
        "node 0 writes [3, 2]",
        setup(operation, &x, 1, &y, 1, &mut 0, fixture.context)
    );
    destroy(&[operation]);
}

#[test]
fn wrong_graphs_are_refused_and_leave_the_operations_to_the_program() {
    initialize();
    let (a, b) = (transpose(), transpose());
    let forward = || vec![node(a, &[0], &[2]), node(b, &[2], &[1])];
    let with = |change: &dyn Fn(&mut Vec<Node>)| {
        let mut nodes = forward();
        change(&mut nodes);
        nodes
    };
    let long = "n".repeat(129);
    let ok = [1, 1, 1];
    for (name, counts, nodes, text) in [
        ("a graph", ok, forward(), "is not made of"),
        (&long, ok, forward(), "is not made of"),
        ("g", [257, 1, 1], forward(), "more than 256"),
        ("g", ok, with(&|nodes| nodes[0].operation = ptr::null_mut()), "node 0 has no operation"),
        ("g", ok, with(&|nodes| nodes[1].operation = nodes[0].operation), "another node"),
        ("g", ok, with(&|nodes| nodes[0].inputs.clear()), "are (0, 1), (1, 1) are expected"),
        ("g", ok, with(&|nodes| nodes[1].outputs.push(1)), "are (1, 2), (1, 1) are expected"),
        ("g", ok, with(&|nodes| nodes[0].inputs[0] = 3), "input 3 is none of the graph's 3"),
        ("g", ok, with(&|nodes| nodes[1].outputs[0] = 7), "output 7 is none of the graph's 3"),
        ("g", ok, with(&|nodes| nodes.swap(0, 1)), "no node before it writes its input, tensor 2"),
        // A cycle: each waits for the other.
        ("g", ok, with(&|nodes| nodes[0].inputs[0] = 1), "no node before it writes its input, tensor 1"),
        ("g", [1, 1, 2], forward(), "no node writes tensor 3"),
        ("g", ok, with(&|nodes| nodes[1].outputs[0] = 2), "no node writes tensor 1"),
    ] {
        let mut operation = ptr::null_mut();
        let status = create_graph(name, counts, &nodes, NO_INFER_SHAPE, &mut operation);
        assert_eq!(status, ATB_ERROR_INVALID_GRAPH, "{text}");
        assert!(message().contains(text), "{text:?} is not in {:?}", message());
        assert!(operation.is_null());
    }
    // The program still has them, and so has the graph that is right at last.
    let operation = graph(ok, &forward());
    fails!(ATB_ERROR_INVALID_OPERATION_ADDR, "a graph owns it", getInputNum(a, &mut 0));
    destroy(&[operation]);
}

unsafe extern "C" fn infer(
    data: *mut c_void,
    inputs: *const atb_tensor_desc,
    input_num: usize,
    outputs: *mut atb_tensor_desc,
    output_num: usize,
) -> atb_status {
    // SAFETY: The test passes a status as data, and the library arrays of these lengths.
    unsafe {
        assert_eq!((input_num, output_num), (1, 1));
        let status = *data.cast::<i32>();
        if status == i32::MAX {
            return ATB_NO_ERROR;
        }
        *outputs = *inputs;
        (*outputs).shape = dims(&[77]);
        status
    }
}

#[test]
fn the_program_may_infer_shapes() {
    initialize();
    let answer = Cell::new(ATB_NO_ERROR);
    let function = atb_infer_shape { function: Some(infer), data: answer.as_ptr().cast() };
    let mut operation = ptr::null_mut();
    let status = create_graph("", [1, 1, 0], &[node(transpose(), &[0], &[1])], function, &mut operation);
    assert_eq!(status, ATB_NO_ERROR, "{}", message());

    let mut name = [0u8; 16];
    ok!(getName(operation, name.as_mut_ptr().cast(), name.len(), &mut 0));
    assert_eq!(&name, b"GraphOperation\0\0");

    let x = nd(ACL_FLOAT16, &[2, 3]);
    let mut y = none();
    ok!(inferShape(operation, &x, 1, &mut y, 1, &mut 0));
    assert_eq!((shape_of(&y), y.dtype), (vec![77], ACL_FLOAT16.0));
    // What is wrong with the inputs is found before.
    fails!(ATB_ERROR_INVALID_IN_TENSOR_NUM, "has 1 inputs", inferShape(operation, &x, 0, &mut y, 1, &mut 0));
    answer.set(ATB_ERROR_INVALID_TENSOR_DTYPE);
    fails!(ATB_ERROR_INVALID_TENSOR_DTYPE, "answers 6", inferShape(operation, &x, 1, &mut y, 1, &mut 0));
    answer.set(ATB_SHIM_EXCEPTION);
    fails!(ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL, "failed", inferShape(operation, &x, 1, &mut y, 1, &mut 0));
    answer.set(i32::MAX);
    fails!(
        ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL,
        "incomplete",
        inferShape(operation, &x, 1, &mut y, 1, &mut 0)
    );
    destroy(&[operation]);
}

#[test]
fn a_node_s_refusal_names_the_node() {
    initialize();
    let operation = graph([1, 1, 1], &[node(transpose(), &[0], &[2]), node(transpose(), &[2], &[1])]);
    let x = nd(ACL_INT64, &[2, 3, 4]);
    fails!(
        ATB_ERROR_INVALID_PARAM,
        "node 0, TransposeOperation",
        inferShape(operation, &x, 1, ptr::null_mut(), 0, &mut 0)
    );
    destroy(&[operation]);
}
