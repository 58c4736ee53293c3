//! Graphs of operations.

mod common;

use ascendcl::DataType;
use atb::param::{Concat, KvCacheCfg, ReshapeAndCache, Softmax, Split, Transpose};
use atb::{Error, GraphBuilder, Operation, TensorDesc, VariantPack};
use common::Rig;

const CONCAT: Concat = Concat { concat_dim: 0 };

fn transpose() -> Transpose {
    Transpose { perm: vec![1, 0] }
}

#[test]
fn inputs_are_reshaped_and_internal_tensors_shared() {
    let mut rig = Rig::new();
    // y = transpose(x as [3, 2]), twice; the internal tensor goes to both inputs of the last node.
    let mut graph = GraphBuilder::new("Reshaped", 1, 1);
    let (x, turned, y) = (graph.input(0), graph.internal(), graph.output(0));
    let node = graph.node(rig.operation(transpose()), &[x], &[turned]).unwrap();
    let _ = node.reshape(0, |shape| vec![shape.iter().product::<i64>() / 2, 2]);
    graph.node(rig.operation(CONCAT), &[turned, turned], &[y]).unwrap();
    let mut graph = graph.build(&rig.runtime).unwrap();
    assert_eq!((graph.name(), graph.param().node_num()), ("Reshaped", 2));
    assert_eq!((graph.input_num().unwrap(), graph.output_num().unwrap()), (1, 1));

    let half = |shape: &[usize]| TensorDesc::nd(DataType::Float16, shape);
    assert_eq!(graph.infer_shape(&[half(&[6, 1])]).unwrap(), [half(&[4, 3])]);
    let x = rig.half(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[6, 1]);
    let mut y = rig.output(&[4, 3]);
    let pack = VariantPack::new().input(&x).output(&mut y);
    let prepared = graph.setup(&mut rig.context, pack).unwrap();
    assert!(prepared.workspace_size() >= 12, "the internal tensor is in the workspace");
    drop(prepared);
    let pack = VariantPack::new().input(&x).output(&mut y);
    graph.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.floats(&y), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0].repeat(2));
}

#[test]
fn chunks_are_parts_of_inputs_and_need_unsafe_executions() {
    let mut rig = Rig::new();
    let mut graph = GraphBuilder::new("Chunks", 1, 1);
    let (x, y) = (graph.input(0), graph.output(0));
    let node = graph.node(rig.operation(CONCAT), &[x, x], &[y]).unwrap();
    let _ = node.chunk(0, 2, 1).chunk(1, 2, 0);
    let mut graph = graph.build(&rig.runtime).unwrap();
    let x = rig.half(&[1.0, 2.0, 3.0, 4.0], &[4, 1]);
    let mut y = rig.output(&[4, 1]);
    let pack = VariantPack::new().input(&x).output(&mut y);
    let mut prepared = graph.setup(&mut rig.context, pack).unwrap();
    let error = prepared.execute(&rig.stream, &mut rig.workspace).unwrap_err();
    assert!(matches!(&error, Error::Unchecked { operation } if operation == "Chunks"), "{error}");
    // SAFETY: two halves of four rows make four.
    unsafe { prepared.execute_unchecked(&rig.stream, &mut rig.workspace) }.unwrap();
    drop(prepared);
    assert_eq!(rig.floats(&y), [3.0, 4.0, 1.0, 2.0]);
}

#[test]
fn graphs_are_nodes_of_graphs() {
    let mut rig = Rig::new();
    let mut inner = GraphBuilder::new("Swap", 1, 1);
    let (x, a, b, y) = (inner.input(0), inner.internal(), inner.internal(), inner.output(0));
    inner.node(rig.operation(Split::default()), &[x], &[a, b]).unwrap();
    let _ = inner.node(rig.operation(CONCAT), &[b, a], &[y]).unwrap().reshape(0, <[i64]>::to_vec);
    let inner = inner.build(&rig.runtime).unwrap();

    let mut outer = GraphBuilder::new("Swap_and_turn", 1, 1);
    let (x, swapped, y) = (outer.input(0), outer.internal(), outer.output(0));
    outer.node(inner, &[x], &[swapped]).unwrap();
    outer.node(rig.operation(transpose()), &[swapped], &[y]).unwrap();
    let mut outer = outer.build(&rig.runtime).unwrap();
    let x = rig.half(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    let mut y = rig.output(&[2, 2]);
    let pack = VariantPack::new().input(&x).output(&mut y);
    outer.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.floats(&y), [3.0, 1.0, 4.0, 2.0]);
}

#[test]
fn inputs_that_nodes_write_are_updated() {
    let mut rig = Rig::new();
    let param = ReshapeAndCache { kv_cache_cfg: KvCacheCfg::KCacheVBypass, ..ReshapeAndCache::default() };
    let mut graph = GraphBuilder::new("Write", 3, 0);
    let (key, cache, slots) = (graph.input(0), graph.input(1), graph.input(2));
    let elsewhere = graph.internal();
    let error =
        graph.node(rig.operation(param.clone()), &[key, cache, slots], &[elsewhere]).map(drop).unwrap_err();
    assert!(error.to_string().contains("writes its input 1 in place"), "{error}");

    let mut graph = GraphBuilder::new("Write", 3, 0);
    graph.node(rig.operation(param), &[key, cache, slots], &[cache]).unwrap();
    let mut graph = graph.build(&rig.runtime).unwrap();
    assert_eq!(graph.param().written_inputs(), [1]);
    let (key, slots) = (rig.half(&[5.0; 16], &[1, 1, 16]), rig.tensor(&[1i32], &[1]));
    let mut cache = rig.half(&[0.0; 32], &[2, 1, 1, 16]);
    let pack = VariantPack::new().input(&key).input(&cache).input(&slots);
    let error = graph.setup(&mut rig.context, pack).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("input 1 of Write must be given by `updated`"), "{error}");
    let pack = VariantPack::new().input(&key).updated(&mut cache).input(&slots);
    // SAFETY: the cache has a slot 1.
    unsafe { graph.run_unchecked(&mut rig.context, &rig.stream, pack, &mut rig.workspace) }.unwrap();
    assert_eq!(rig.floats(&cache), [[0.0; 16], [5.0; 16]].concat());
}

#[test]
fn closures_that_panic_or_answer_nonsense_are_errors() {
    let mut rig = Rig::new();
    let build = |rig: &Rig, reshape: fn(&[i64]) -> Vec<i64>| {
        let mut graph = GraphBuilder::new("Closure", 1, 1);
        let (x, y) = (graph.input(0), graph.output(0));
        let _ =
            graph.node(rig.operation(Softmax { axes: vec![-1] }), &[x], &[y]).unwrap().reshape(0, reshape);
        graph.build(&rig.runtime).unwrap()
    };
    let x = rig.half(&[1.0, 1.0], &[2]);
    let mut y = rig.output(&[2]);

    let mut panics = build(&rig, |_| panic!("no shape today"));
    for _ in 0..2 {
        let pack = VariantPack::new().input(&x).output(&mut y);
        let error = panics.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap_err();
        assert_eq!(error.to_string(), "a closure of the graph `Closure` panicked: no shape today");
    }
    for (reshape, got) in [
        ((|_: &[i64]| vec![3]) as fn(&[i64]) -> Vec<i64>, "[3]"),
        (|_| vec![-1, -2], "[-1, -2]"),
        (|_| vec![1, 1, 1, 1, 1, 1, 1, 1, 2], "[1, 1, 1, 1, 1, 1, 1, 1, 2]"),
    ] {
        let wrong = build(&rig, reshape);
        let error = wrong.infer_shape(&[x.desc().into()]).unwrap_err();
        let expected = "of as many elements as [2], in at most 8 dimensions";
        assert_eq!(
            error.to_string(),
            format!("shape from a reshape of a graph must be {expected}, got {got}")
        );
    }
    // The library's set-up is not reentrant.
    let mut calls_back = build(&rig, |shape| {
        let runtime = ascendcl::Runtime::with_backend(ascendcl::Backend::Sim).unwrap();
        let refused = Operation::new(&runtime, CONCAT).map(drop);
        assert!(matches!(refused, Err(Error::InClosure { call: "CreateOperation" })), "{refused:?}");
        shape.to_vec()
    });
    let pack = VariantPack::new().input(&x).output(&mut y);
    calls_back.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.floats(&y), [0.5, 0.5]);
}

#[test]
fn shapes_can_be_inferred_by_a_closure() {
    let rig = Rig::new();
    let build = |count: usize| {
        let mut graph = GraphBuilder::new("Inferred", 2, 1);
        let (x, y, z) = (graph.input(0), graph.input(1), graph.output(0));
        graph.node(rig.operation(CONCAT), &[x, y], &[z]).unwrap();
        graph
            .infer_shape(move |inputs| vec![TensorDesc::nd(inputs[0].dtype, &[77]); count])
            .build(&rig.runtime)
    };
    let half = TensorDesc::nd(DataType::Float16, &[1]);
    let inferred = build(1).unwrap().infer_shape(&[half.clone(), half.clone()]).unwrap();
    assert_eq!(inferred, [TensorDesc::nd(DataType::Float16, &[77])]);
    let error = build(2).unwrap().infer_shape(&[half.clone(), half]).unwrap_err();
    assert_eq!(error.to_string(), "outputs from a shape inference of a graph must be 1, got 2");
}

#[test]
fn mistakes_of_builders_are_told() {
    let mut rig = Rig::new();
    let refused = |build: &dyn Fn(&mut GraphBuilder) -> atb::Result<()>, text: &str| {
        let mut graph = GraphBuilder::new("Wrong", 1, 1);
        let error = build(&mut graph).and_then(|()| graph.build(&rig.runtime).map(drop)).unwrap_err();
        assert_eq!(error.to_string(), format!("graph `Wrong`: {text}"));
    };
    let concat = || rig.operation(CONCAT);
    refused(
        &|graph| graph.node(concat(), &[graph.input(0)], &[graph.output(0)]).map(drop),
        "node 0 (ConcatOperation) has 2 inputs, got 1",
    );
    refused(
        &|graph| graph.node(concat(), &[graph.input(0), graph.input(1)], &[graph.output(0)]).map(drop),
        "node 0 (ConcatOperation) takes input 1, which nothing gives before it",
    );
    refused(
        &|graph| {
            let internal = graph.internal();
            graph.node(concat(), &[graph.input(0), internal], &[graph.output(0)]).map(drop)
        },
        "node 0 (ConcatOperation) takes internal tensor 0, which nothing gives before it",
    );
    refused(
        &|graph| {
            let (x, y) = (graph.input(0), graph.output(0));
            graph.node(concat(), &[x, x], &[y])?;
            graph.node(concat(), &[x, x], &[y]).map(drop)
        },
        "node 1 (ConcatOperation) gives output 0, which is not there or given before",
    );
    refused(
        &|graph| {
            let (x, y) = (graph.input(0), graph.output(0));
            let _ = graph.internal();
            graph.node(concat(), &[x, x], &[y]).map(drop)
        },
        "no node gives internal tensor 0",
    );
    refused(
        &|graph| {
            let (x, y) = (graph.input(0), graph.output(0));
            graph
                .node(concat(), &[x, x], &[y])
                .map(|node| _ = node.chunk(0, 2, 2).reshape(9, <[i64]>::to_vec))
        },
        "node 0 has no chunk 2 of 2 of input 0",
    );
    // A name that the library refuses.
    let mut graph = GraphBuilder::new("not a name", 1, 1);
    let (x, y) = (graph.input(0), graph.output(0));
    graph.node(concat(), &[x, x], &[y]).unwrap();
    assert_eq!(graph.build(&rig.runtime).map(drop).unwrap_err().name(), Some("ERROR_INVALID_GRAPH"));

    // An operation that has a context of its own.
    let mut own = rig.operation(CONCAT);
    let x = rig.half(&[1.0], &[1]);
    let mut y = rig.output(&[2]);
    let pack = VariantPack::new().input(&x).input(&x).output(&mut y);
    own.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    let mut graph = GraphBuilder::new("Wrong", 1, 1);
    let (x, y) = (graph.input(0), graph.output(0));
    let error = graph.node(own, &[x, x], &[y]).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "graph `Wrong`: node 0 (ConcatOperation) was set up by itself before");
}
