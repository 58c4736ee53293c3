//! `atb::GraphParam`.

use std::collections::HashSet;
use std::ffi::c_void;
use std::sync::Arc;

use atb_sys::{
    ATB_NO_ERROR, atb_chunk, atb_graph_param, atb_infer_shape, atb_node, atb_operation, atb_reshape,
    atb_tensor_desc,
};

use super::abi;
use super::argument::{Opaque, describe, member, raw_desc, raw_dims, shape};
use super::operation::create;
use crate::execution::OPERATIONS;
use crate::graph::{Chunk, Counts, Graph, InferShape, Node, Reshape, check_limits};
use crate::operation::{Body, Operation};
use crate::operator::{Result, refuse};
use crate::tensor::TensorDesc;

abi! {
    fn createGraph(param: *const atb_graph_param, operation: *mut *mut atb_operation) {
        let mut owned = HashSet::new();
        create(operation, || {
            let graph = graph(&param.get()?, &mut owned)?;
            Ok(Operation::new(Body::Graph(graph)))
        })?;
        for handle in owned {
            // Another thread may have destroyed it meanwhile; then the graph has it all the same.
            let _ = OPERATIONS.remove(std::ptr::without_provenance(handle));
        }
        Ok(())
    }
}

/// The graph of a parameter. The handles of its nodes' operations are added to `owned`.
fn graph(param: &atb_graph_param, owned: &mut HashSet<usize>) -> Result<Graph> {
    // SAFETY: Pointers within a parameter are null or valid for the call, as the parameter itself.
    let (name, nodes) = unsafe { (member(param.name, "name"), member(param.nodes, "nodes")) };
    let name = if name.is_null() { String::new() } else { name.text()? };
    let counts =
        Counts { inputs: param.inTensorNum, outputs: param.outTensorNum, internals: param.internalTensorNum };
    check_limits(&name, counts, param.nodeNum)?;
    let nodes = nodes.to_vec(param.nodeNum)?;
    let nodes =
        nodes.iter().enumerate().map(|(index, raw)| node(index, raw, owned)).collect::<Result<_>>()?;
    Graph::new(name, counts, nodes, infer_shape(param.inferShape))
}

fn node(index: usize, raw: &atb_node, owned: &mut HashSet<usize>) -> Result<Node> {
    if raw.operation.is_null() {
        return Err(refuse!(ATB_ERROR_INVALID_GRAPH, "node {index} has no operation"));
    }
    let operation = OPERATIONS.get(raw.operation)?.operation();
    if !owned.insert(raw.operation.addr()) {
        return Err(refuse!(
            ATB_ERROR_INVALID_GRAPH,
            "node {index}: another node has its operation already, and a graph destroys each once"
        ));
    }
    // SAFETY: Pointers within a node are null or valid for the call, as the node itself.
    let (inputs, outputs, reshapes, chunks) = unsafe {
        (
            member(raw.inTensorIds, "inTensorIds"),
            member(raw.outTensorIds, "outTensorIds"),
            member(raw.inTensorReshapes, "inTensorReshapes"),
            member(raw.inTensorChunks, "inTensorChunks"),
        )
    };
    let of_each = |is_null: bool| if is_null { 0 } else { raw.inTensorNum };
    let reshapes = reshapes.to_small_vec(of_each(reshapes.is_null()))?.into_iter().map(reshape).collect();
    let chunks = chunks.to_small_vec(of_each(chunks.is_null()))?;
    let chunk = |atb_chunk { chunkNum, chunkIndex }| Chunk { number: chunkNum, index: chunkIndex };
    Ok(Node {
        operation,
        inputs: inputs.to_small_vec(raw.inTensorNum)?,
        outputs: outputs.to_small_vec(raw.outTensorNum)?,
        reshapes,
        chunks: chunks.into_iter().map(chunk).collect(),
    })
}

fn reshape(raw: atb_reshape) -> Option<Reshape> {
    let (function, data) = (raw.function?, Opaque(raw.data));
    Some(Arc::new(move |old: &[i64]| {
        let old = raw_dims(old);
        let mut new = raw_dims(&[]);
        // SAFETY: The program gave the function with its data for as long as the graph lives.
        let status = unsafe { function(pointer(data), &old, &mut new) };
        if status == ATB_NO_ERROR { Ok(shape(&new)) } else { Err(status) }
    }))
}

fn infer_shape(raw: atb_infer_shape) -> Option<InferShape> {
    let (function, data) = (raw.function?, Opaque(raw.data));
    Some(Arc::new(move |inputs: &[TensorDesc], number| {
        let inputs: Vec<atb_tensor_desc> = inputs.iter().map(raw_desc).collect();
        let mut outputs = vec![raw_desc(&TensorDesc::none()); number];
        // SAFETY: As for a reshape; the arrays have the lengths that are passed.
        let status =
            unsafe { function(pointer(data), inputs.as_ptr(), inputs.len(), outputs.as_mut_ptr(), number) };
        if status == ATB_NO_ERROR { Ok(outputs.iter().map(describe).collect()) } else { Err(status) }
    }))
}

/// Takes the data as a whole, so that a closure that calls this holds it as a whole.
fn pointer(Opaque(data): Opaque) -> *mut c_void {
    data
}
