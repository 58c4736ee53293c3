//! MlaPreprocess in all of its modes: what it takes, what shapes follow, and what memory it needs.

#[macro_use]
mod common;

use std::ptr;

use ascendcl_sys::*;
use atb_sys::*;
use common::mla_preprocess::*;
use common::*;

#[test]
fn every_mode_is_accepted() {
    let fixture = Fixture::new();
    for cache_mode in 0..4 {
        for quant_mode in 0..2 {
            for float in [ACL_FLOAT16, ACL_BF16] {
                let mut call = mode(cache_mode, quant_mode, float).call();
                if (cache_mode, quant_mode, float) == (2, 1, ACL_BF16) {
                    // ATB's table has fp16 for these two whatever the activations are.
                    let (infer, set_up, _) = check(&fixture, &call);
                    assert_eq!([infer, set_up], [ATB_ERROR_INVALID_TENSOR_INI_MATCH; 2]);
                    call.inputs[CTKV_SCALE].dtype = ACL_FLOAT16.0;
                    call.inputs[Q_NOPE_SCALE].dtype = ACL_FLOAT16.0;
                }
                let (infer, set_up, text) = check(&fixture, &call);
                let what = format!("cache {cache_mode}, quant {quant_mode}, {float:?}: {text}");
                assert_eq!([infer, set_up], [ATB_NO_ERROR; 2], "{what}");
                // The key projection may be in fractals.
                call.inputs[WUK] = nz(float, &[3, 32, 128, 16]);
                let (infer, set_up, text) = check(&fixture, &call);
                assert_eq!([infer, set_up], [ATB_NO_ERROR; 2], "{what}: {text}");
            }
        }
    }
}

#[test]
fn shapes_are_inferred() {
    initialize();
    for case in (0..4).map(|cache_mode| mode(cache_mode, 0, ACL_FLOAT16)) {
        let Call { param, inputs, outputs } = case.call();
        let (_, operation) = create(&param);
        let (mut inferred, mut count) = ([none(); 4], 0);
        ok!(inferShape(operation, inputs.as_ptr(), inputs.len(), inferred.as_mut_ptr(), 4, &mut count));
        assert_eq!(count, outputs.len());
        for (inferred, output) in inferred.iter().zip(&outputs) {
            assert_eq!((inferred.dtype, inferred.format), (output.dtype, output.format));
            assert_eq!(shape_of(inferred), shape_of(output));
        }
        ok!(destroyOperation(operation));
    }
}

#[test]
fn workspace_of_the_published_formula() {
    let fixture = Fixture::new();
    // 2 tokens, 3 heads. The largest part is 4 bytes for each of the 2112 columns (3 heads have 576).
    let part = 2 * 4 * 2112;
    let align = |bytes: u64| bytes.div_ceil(512) * 512;
    for (case, expected) in [
        (mode(1, 0, ACL_FLOAT16), align(3 * part)),
        (mode(1, 0, ACL_BF16), align(4 * part + 2 * 2 * 4)),
        (mode(1, 1, ACL_FLOAT16), align(4 * part + 2 * 2 * 4)),
        // 128 heads: 4 bytes for each of 24 576 columns; in mode 2 2 bytes for each of 65 536.
        (Case { heads: 128, ..mode(3, 0, ACL_FLOAT16) }, align(3 * 2 * 4 * 24_576)),
        (Case { heads: 128, ..mode(2, 0, ACL_FLOAT16) }, align(3 * 2 * 2 * 65_536)),
    ] {
        let Call { param, inputs, outputs } = case.call();
        let (_, operation) = create(&param);
        let without_memory = |descs: &[atb_tensor_desc]| -> Vec<atb_tensor> {
            descs.iter().map(|desc| tensor(*desc, ptr::null_mut())).collect()
        };
        let size = fixture.set_up(operation, &without_memory(&inputs), &without_memory(&outputs));
        assert_eq!(size, expected, "{case:?}");
        ok!(destroyOperation(operation));
    }
}
