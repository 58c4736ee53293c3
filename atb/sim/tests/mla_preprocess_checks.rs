//! What MlaPreprocess refuses, row by row of ATB's checks, and with which status.

#[macro_use]
mod common;

use std::ptr;

use ascendcl_sys::*;
use atb_sys::*;
use common::mla_preprocess::*;
use common::*;

/// A row: what is wrong, with what call, and the status.
type Row = (&'static str, Case, fn(&mut Call), atb_status);

fn check_rows(fixture: &Fixture, rows: &[Row], expected: impl Fn(atb_status) -> (atb_status, atb_status)) {
    for (what, case, change, status) in rows {
        let mut call = case.call();
        change(&mut call);
        let (infer, set_up, text) = check(fixture, &call);
        assert_eq!((infer, set_up), expected(*status), "{what}: {text}");
    }
}

#[test]
fn rows_1_to_5_parameters() {
    initialize();
    let good = param(0, 0);
    fails!(ATB_ERROR_INVALID_PARAM, "nowhere", createMlaPreprocess(&good, ptr::null_mut()));
    let mut operation = ptr::null_mut();
    fails!(ATB_SHIM_INVALID_ARGUMENT, "param is null", createMlaPreprocess(ptr::null(), &mut operation));
    fails!(ATB_ERROR_INVALID_PARAM, "cacheMode", createMlaPreprocess(&param(4, 0), &mut operation));
    fails!(ATB_ERROR_INVALID_PARAM, "quantMode 2", createMlaPreprocess(&param(0, 2), &mut operation));
    fails!(ATB_ERROR_INVALID_PARAM, "quantMode 3", createMlaPreprocess(&param(0, 3), &mut operation));
    // ATB takes larger ones.
    ok!(createMlaPreprocess(&param(0, 4), &mut operation));
    ok!(destroyOperation(operation));
}

#[test]
fn row_8_numbers_of_tensors() {
    let fixture = Fixture::new();
    let rows: &[Row] = &[
        ("23 inputs", Case::default(), |call| call.inputs.truncate(23), ATB_ERROR_INVALID_IN_TENSOR_NUM),
        ("25 inputs", Case::default(), |call| call.inputs.push(none()), ATB_ERROR_INVALID_IN_TENSOR_NUM),
    ];
    check_rows(&fixture, rows, |status| (status, status));
    let rows: &[Row] = &[
        ("3 outputs", Case::default(), |call| call.outputs.truncate(3), ATB_ERROR_INVALID_IN_TENSOR_NUM),
        (
            "4 outputs",
            mode(0, 0, ACL_BF16),
            |call| call.outputs.extend([none(); 2]),
            ATB_ERROR_INVALID_IN_TENSOR_NUM,
        ),
    ];
    check_rows(&fixture, rows, |status| (ATB_NO_ERROR, status));
}

#[test]
fn row_9_types_and_formats() {
    let fixture = Fixture::new();
    // Each input of another type than the table has.
    for case in [mode(0, 0, ACL_BF16), mode(1, 0, ACL_FLOAT16), mode(2, 0, ACL_BF16), mode(3, 1, ACL_BF16)] {
        for index in 0..24 {
            let mut call = case.call();
            if call.inputs[index].shape.dimNum == 0 {
                continue;
            }
            call.inputs[index].dtype = ACL_DOUBLE.0;
            let (infer, set_up, text) = check(&fixture, &call);
            assert_eq!([infer, set_up], [ATB_ERROR_INVALID_TENSOR_INI_MATCH; 2], "input {index}: {text}");
            assert!(index == INPUT || text.contains(&format!("type {}", ACL_DOUBLE.0)), "{text}");
        }
    }
    check_rows(
        &fixture,
        &[
            (
                "ND weights",
                Case::default(),
                |call| call.inputs[WDQKV].format = 2,
                ATB_ERROR_INVALID_TENSOR_INI_MATCH,
            ),
            (
                "ND weights",
                Case::default(),
                |call| call.inputs[WUQ].format = 2,
                ATB_ERROR_INVALID_TENSOR_INI_MATCH,
            ),
            (
                "NZ cache in mode 1",
                Case::default(),
                |call| call.inputs[KV_CACHE].format = 29,
                ATB_ERROR_INVALID_TENSOR_INI_MATCH,
            ),
            (
                "one of the weights float",
                Case::default(),
                |call| call.inputs[WUQ].dtype = ACL_BF16.0,
                ATB_ERROR_INVALID_TENSOR_INI_MATCH,
            ),
            (
                "scales of fp16 for bf16",
                Case::default(),
                |call| call.inputs[DE_SCALE0].dtype = ACL_INT64.0,
                ATB_ERROR_INVALID_TENSOR_INI_MATCH,
            ),
        ],
        |status| (status, status),
    );
    let rows: &[Row] = &[
        (
            "int8 query in mode 1",
            Case::default(),
            |call| call.outputs[0].dtype = ACL_INT8.0,
            ATB_ERROR_INVALID_TENSOR_INI_MATCH,
        ),
        (
            "ND cache output in mode 3",
            mode(3, 0, ACL_BF16),
            |call| call.outputs[3].format = 2,
            ATB_ERROR_INVALID_TENSOR_INI_MATCH,
        ),
    ];
    check_rows(&fixture, rows, |status| (ATB_NO_ERROR, status));
}

#[test]
fn tensors_that_may_not_be_left_out() {
    let fixture = Fixture::new();
    for cache_mode in 0..4u8 {
        for quant_mode in 0..2 {
            for index in 0..24 {
                let optional = match index {
                    QUANT_SCALE0 | QUANT_OFFSET0 | BIAS0 | QUANT_SCALE1 | QUANT_OFFSET1 | BIAS1 => {
                        quant_mode == 1
                    }
                    KV_CACHE_ROPE => cache_mode == 0 || (cache_mode == 1 && quant_mode == 1),
                    CTKV_SCALE | Q_NOPE_SCALE => cache_mode != 2,
                    _ => false,
                };
                let mut call = mode(cache_mode, quant_mode, ACL_FLOAT16).call();
                call.inputs[index] = none();
                let (infer, _, text) = check(&fixture, &call);
                let expected = if optional { ATB_NO_ERROR } else { ATB_ERROR_INVALID_TENSOR_DIM };
                assert_eq!(infer, expected, "cache {cache_mode}, quant {quant_mode}, input {index}: {text}");
            }
        }
    }
}

#[test]
fn rows_10_to_13_tokens_and_blocks() {
    let fixture = Fixture::new();
    let tokens = |tokens| Case { tokens, ..Case::default() };
    let block = |cache_mode, block| Case { cache_mode, block, ..Case::default() };
    let same: fn(&mut Call) = |_| {};
    // What has no elements is found before the operation looks.
    let rows: &[Row] = &[
        ("no tokens", tokens(0), same, ATB_ERROR_INVALID_TENSOR_SIZE),
        ("less than no tokens", tokens(-1), same, ATB_ERROR_INVALID_TENSOR_SIZE),
        (
            "no heads",
            Case::default(),
            |call| call.inputs[WUK].shape.dims[0] = 0,
            ATB_ERROR_INVALID_TENSOR_SIZE,
        ),
        ("no slots", block(1, 0), same, ATB_ERROR_INVALID_TENSOR_SIZE),
        ("1025 tokens", tokens(1025), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("129 slots", block(0, 129), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("255 slots", block(1, 255), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("257 slots", block(1, 257), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("64 slots of an NZ cache", block(2, 64), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("256 slots of an NZ cache", block(3, 256), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("1024 tokens", tokens(1024), same, ATB_NO_ERROR),
        ("1 slot", block(1, 1), same, ATB_NO_ERROR),
        ("256 slots", block(0, 256), same, ATB_NO_ERROR),
    ];
    check_rows(&fixture, rows, |status| (status, status));
}

#[test]
fn rows_14_to_20_hidden_sizes() {
    let fixture = Fixture::new();
    let hidden = |hidden, quant_mode| Case { hidden, quant_mode, ..Case::default() };
    let same: fn(&mut Call) = |_| {};
    let rows: &[Row] = &[
        ("another hidden size per token", hidden(4096, 1), same, ATB_ERROR_INVALID_PARAM),
        ("float weights per token", hidden(7168, 1), float_weights, ATB_ERROR_INVALID_PARAM),
        ("float weights", hidden(7168, 0), float_weights, ATB_SHIM_UNSUPPORTED),
        (
            "three dimensions",
            Case::default(),
            |call| call.inputs[INPUT] = nd(ACL_BF16, &[2, 7168, 1]),
            ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ),
        (
            "one dimension",
            Case::default(),
            |call| call.inputs[INPUT] = nd(ACL_BF16, &[7168]),
            // Its 7168 are taken for tokens.
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        ("hidden size 2016", hidden(2016, 0), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("hidden size 8224", hidden(8224, 0), same, ATB_ERROR_INVALID_TENSOR_DIM),
        ("hidden size 2048", hidden(2048, 0), same, ATB_NO_ERROR),
        ("hidden size 8192", hidden(8192, 0), same, ATB_NO_ERROR),
    ];
    check_rows(&fixture, rows, |status| (status, status));

    for index in [GAMMA0, BETA0] {
        for (shape, status) in
            [(&[7168i64, 1][..], ATB_ERROR_INVALID_TENSOR_DIM_NUM), (&[7167], ATB_ERROR_INVALID_TENSOR_DIM)]
        {
            let mut call = Case::default().call();
            call.inputs[index] = nd(ACL_BF16, shape);
            let (infer, set_up, text) = check(&fixture, &call);
            assert_eq!([infer, set_up], [status; 2], "input {index}: {text}");
        }
    }
}

fn float_weights(call: &mut Call) {
    call.inputs[WDQKV] = nz(ACL_BF16, &[1, 448, 2112, 16]);
    call.inputs[WUQ] = nz(ACL_BF16, &[1, 96, 3 * 192, 16]);
}

#[test]
fn row_21_the_other_inputs() {
    let fixture = Fixture::new();
    let checked = [
        QUANT_SCALE0,
        QUANT_OFFSET0,
        DE_SCALE0,
        GAMMA1,
        BETA1,
        QUANT_SCALE1,
        QUANT_OFFSET1,
        DE_SCALE1,
        GAMMA2,
        COS,
        SIN,
        SLOTS,
    ];
    for index in 3..24 {
        let call = mode(2, 0, ACL_FLOAT16).call();
        let mut another_size = call.clone();
        let mut another_rank = call;
        another_size.inputs[index].shape.dims[0] += 1;
        let shape = &mut another_rank.inputs[index].shape;
        shape.dims[shape.dimNum as usize] = 1;
        shape.dimNum += 1;
        let expected = match index {
            index if checked.contains(&index) => {
                [ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DIM_NUM]
            }
            // It says how many heads there are.
            WUK => [ATB_ERROR_INVALID_TENSOR_DIM, ATB_NO_ERROR],
            // ATB does not look at these.
            _ => [ATB_NO_ERROR; 2],
        };
        let answers = [check(&fixture, &another_size), check(&fixture, &another_rank)];
        for ((infer, set_up, text), expected) in answers.into_iter().zip(expected) {
            assert_eq!([infer, set_up], [expected; 2], "input {index}: {text}");
        }
    }
}

#[test]
fn rows_22_and_23_outputs() {
    let fixture = Fixture::new();
    let rows: &[Row] = &[
        (
            "rank of q",
            mode(0, 0, ACL_BF16),
            |call| call.outputs[0].shape.dimNum = 2,
            ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ),
        (
            "rank of kv",
            mode(0, 0, ACL_BF16),
            |call| call.outputs[1].shape.dimNum = 3,
            ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ),
        (
            "width of q",
            mode(0, 0, ACL_BF16),
            |call| call.outputs[0].shape.dims[2] = 512,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "heads of q",
            mode(0, 0, ACL_BF16),
            |call| call.outputs[0].shape.dims[1] = 4,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "tokens of q",
            mode(0, 0, ACL_BF16),
            |call| call.outputs[0].shape.dims[0] = 4,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "another cache",
            mode(0, 0, ACL_BF16),
            |call| call.outputs[1].shape.dims[0] = 4,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "rank of q",
            Case::default(),
            |call| call.outputs[0].shape.dimNum = 2,
            ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ),
        (
            "rank of kv",
            Case::default(),
            |call| call.outputs[1].shape.dimNum = 3,
            ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ),
        (
            "rank of q rope",
            Case::default(),
            |call| call.outputs[2].shape.dimNum = 2,
            ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ),
        (
            "rank of k rope",
            Case::default(),
            |call| call.outputs[3].shape.dimNum = 3,
            ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ),
        (
            "width of q",
            Case::default(),
            |call| call.outputs[0].shape.dims[2] = 576,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "blocks of kv",
            Case::default(),
            |call| call.outputs[1].shape.dims[0] = 4,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "slots of kv",
            Case::default(),
            |call| call.outputs[1].shape.dims[1] = 64,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        ("kv heads", Case::default(), |call| call.outputs[1].shape.dims[2] = 2, ATB_ERROR_INVALID_TENSOR_DIM),
        (
            "width of kv",
            Case::default(),
            |call| call.outputs[1].shape.dims[3] = 576,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "heads of q rope",
            Case::default(),
            |call| call.outputs[2].shape.dims[1] = 4,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "width of q rope",
            Case::default(),
            |call| call.outputs[2].shape.dims[2] = 32,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "blocks of k rope",
            Case::default(),
            |call| call.outputs[3].shape.dims[0] = 4,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        (
            "width of k rope",
            Case::default(),
            |call| call.outputs[3].shape.dims[3] = 32,
            ATB_ERROR_INVALID_TENSOR_DIM,
        ),
        // ATB does not look at those of modes 2 and 3.
        ("width of q", mode(2, 0, ACL_BF16), |call| call.outputs[0].shape.dims[2] = 576, ATB_NO_ERROR),
        ("rank of kv", mode(3, 0, ACL_BF16), |call| call.outputs[1].shape.dimNum = 3, ATB_NO_ERROR),
    ];
    check_rows(&fixture, rows, |status| (ATB_NO_ERROR, status));
}

/// The negative cases of ATB's own table of tests, with 128 heads and 32 blocks.
#[test]
fn the_cases_of_atb_s_tests() {
    initialize();
    assert_eq!(create(&param(4, 0)).0, ATB_ERROR_INVALID_PARAM);
    let int8_nz = |call: &mut Call| {
        call.inputs[KV_CACHE_ROPE] = nz(ACL_FLOAT16, &[32, 512, 128, 16]);
        call.outputs[3] = call.inputs[KV_CACHE_ROPE];
    };
    let fixture = Fixture::new();
    for (cache_mode, status, change) in [
        (
            1,
            ATB_ERROR_INVALID_TENSOR_INI_MATCH,
            &(|call: &mut Call| call.inputs[INPUT].dtype = ACL_BF16.0) as &dyn Fn(&mut Call),
        ),
        (1, ATB_ERROR_INVALID_TENSOR_DIM, &|call: &mut Call| call.inputs[INPUT].shape.dims[0] = 3),
        (2, ATB_ERROR_INVALID_TENSOR_INI_MATCH, &|call: &mut Call| {
            int8_nz(call);
            call.inputs[INPUT].dtype = ACL_BF16.0;
        }),
        (2, ATB_ERROR_INVALID_TENSOR_INI_MATCH, &|call: &mut Call| {
            int8_nz(call);
            call.inputs[KV_CACHE_ROPE].format = ACL_FORMAT_ND.0;
        }),
        (2, ATB_ERROR_INVALID_TENSOR_DIM, &|call: &mut Call| {
            int8_nz(call);
            call.inputs[INPUT].shape.dims[0] = 3;
        }),
    ] {
        let mut call = Case { heads: 128, ..mode(cache_mode, 0, ACL_FLOAT16) }.call();
        call.inputs[WUK] = nz(ACL_FLOAT16, &[128, 32, 128, 16]);
        // The table's tests give these in every mode.
        call.inputs[CTKV_SCALE] = nd(ACL_FLOAT16, &[1]);
        call.inputs[Q_NOPE_SCALE] = nd(ACL_FLOAT16, &[128]);
        for cache in [KV_CACHE, KV_CACHE_ROPE] {
            call.inputs[cache].shape.dims[0] = 32;
        }
        change(&mut call);
        let (infer, set_up, text) = check(&fixture, &call);
        assert_eq!([infer, set_up], [status; 2], "{text}");
    }
}
