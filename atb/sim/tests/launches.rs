//! The record of launches. It is the process's, so this file has one test.

#[macro_use]
mod common;

use ascendcl_sys::ACL_BF16;
use atb_sim::Launch;
use common::mla_preprocess::{Call, Case};
use common::*;

#[test]
fn kernels_and_their_bytes_are_recorded() {
    let fixture = Fixture::new();
    let values: Vec<i64> = (0..6).collect();
    let (x, y) = (fixture.upload(&values), fixture.alloc::<i64>(6));
    let operation = graph([1, 1, 1], &[node(transpose(), &[0], &[2]), node(transpose(), &[2], &[1])]);
    let run = || fixture.run(operation, &[matrix(&x, &[2, 3])], &[matrix(&y, &[2, 3])]);
    run();
    assert_eq!((atb_sim::launches(), atb_sim::take_launches()), (0, vec![]), "it is off at first");

    atb_sim::record_launches(true);
    run();
    let launch = Launch { name: "TransposeOperation", inputs_bytes: 48, outputs_bytes: 48 };
    assert_eq!(atb_sim::launches(), 2);
    assert_eq!(atb_sim::take_launches(), [launch.clone(), launch]);
    assert_eq!(atb_sim::launches(), 0);

    // One token, one head: all of the weights, and one row of each cache of three blocks.
    let Call { param, inputs, outputs } =
        Case { tokens: 1, heads: 1, hidden: 2048, ..Case::default() }.call();
    let mut operation_of_mla = std::ptr::null_mut();
    ok!(createMlaPreprocess(&param, &mut operation_of_mla));
    let sizes = |descs: &[atb_sys::atb_tensor_desc]| -> Vec<usize> {
        descs.iter().map(|desc| tensor(*desc, std::ptr::null_mut()).dataSize as usize).collect()
    };
    let memory: Vec<Buffer<u8>> =
        sizes(&inputs).into_iter().map(|size| fixture.upload(&vec![0u8; size.max(1)])).collect();
    let at = |desc: &atb_sys::atb_tensor_desc, memory: &Buffer<u8>| {
        tensor(*desc, if desc.shape.dimNum == 0 { std::ptr::null_mut() } else { memory.memory })
    };
    let in_tensors: Vec<_> = inputs.iter().zip(&memory).map(|(desc, memory)| at(desc, memory)).collect();
    let queries = [fixture.alloc::<u8>(512 * 2), fixture.alloc::<u8>(64 * 2)];
    let out_memory = [&queries[0], &memory[19], &queries[1], &memory[20]];
    let out_tensors: Vec<_> = outputs.iter().zip(out_memory).map(|(desc, memory)| at(desc, memory)).collect();
    fixture.run(operation_of_mla, &in_tensors, &out_tensors);
    atb_sim::record_launches(false);
    run();
    let weights = 2112 * 2048 + 192 * 1536 + 128 * 512 * 2;
    let scales = 2112 * (4 + 4) + 192 * (4 + 4) + 2 * (2 + 1);
    let norms = 2 * (2 * 2048 + 2 * 1536 + 512);
    let token = 2 * (2048 + 64 + 64) + 4;
    let written = 2 * (512 + 64) + 2 * (512 + 64);
    let launch = Launch {
        name: "MlaPreprocessOperation",
        inputs_bytes: weights + scales + norms + token,
        outputs_bytes: written,
    };
    assert_eq!(param.cacheMode, 1);
    assert_eq!(inputs[0].dtype, ACL_BF16.0);
    assert_eq!(atb_sim::take_launches(), [launch]);
    ok!(destroyOperation(operation));
    ok!(destroyOperation(operation_of_mla));
}
