use super::*;
use crate::ops::harness::{Tensor, infer, noise, run, set_up};
use ascendcl_sys::{ACL_INT8, ACL_INT32, ACL_INT64, ACL_UINT64};
use atb_sys::{
    ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DIM_NUM,
    ATB_ERROR_INVALID_TENSOR_INI_MATCH,
};
use half::{bf16, f16};

/// A plain product with a bias.
fn param() -> LinearParam {
    LinearParam {
        transpose_a: false,
        transpose_b: false,
        has_bias: true,
        out_data_type: ACL_DT_UNDEFINED.0,
        en_accum: false,
        matmul_type: MATMUL_UNDEFINED,
        quant_mode: QUANT_UNDEFINED,
    }
}

fn linear(param: LinearParam) -> Linear {
    Linear::new(param).unwrap()
}

fn int8(seed: u32, len: usize) -> Vec<i8> {
    noise(seed, len, 128.0).into_iter().map(|x| x as i8).collect()
}

#[test]
fn what_is_refused_at_once() {
    for param in [
        LinearParam { matmul_type: 2, ..param() },
        LinearParam { matmul_type: MATMUL_EIN_SUM, ..param() },
        LinearParam { matmul_type: MATMUL_EIN_SUM, has_bias: false, transpose_a: true, ..param() },
        LinearParam { matmul_type: MATMUL_EIN_SUM, has_bias: false, en_accum: true, ..param() },
        LinearParam { matmul_type: MATMUL_EIN_SUM, has_bias: false, out_data_type: ACL_BF16.0, ..param() },
        LinearParam { quant_mode: 1, ..param() },
        LinearParam { en_accum: true, ..param() },
        LinearParam { out_data_type: ACL_FLOAT.0, ..param() },
        LinearParam { out_data_type: ACL_FLOAT16.0, en_accum: true, ..param() },
        LinearParam { out_data_type: ACL_BF16.0, quant_mode: QUANT_PER_TOKEN, ..param() },
    ] {
        assert_eq!(Linear::new(param.clone()).err().unwrap().status, ATB_ERROR_INVALID_PARAM, "{param:?}");
    }
}

/// `[n, k]` as FRACTAL_NZ `[1, k / 32, n, 32]`, by the published index formula.
fn fractal(values: &[i8], n: usize, k: usize) -> Tensor {
    let mut stored = vec![0i8; n * k];
    for row in 0..n {
        for column in 0..k {
            stored[column / 32 * n * 32 + row * 32 + column % 32] = values[row * k + column];
        }
    }
    Tensor::new(TensorDesc::nz(ACL_INT8, &[1, k as i64 / 32, n as i64, 32]), &stored)
}

#[test]
fn int8_is_dequantised_per_column() {
    let (m, k, n) = (3, 64, 32);
    let (x, weight) = (int8(1, m * k), int8(2, n * k));
    let bias: Vec<i32> = noise(3, n, 1e5).into_iter().map(|x| x as i32).collect();
    let scales = noise(4, n, 1e-2);
    let sum = |row: usize, column: usize| -> i64 {
        (0..k).map(|i| i64::from(x[row * k + i]) * i64::from(weight[column * k + i])).sum::<i64>()
    };
    let words: Vec<i64> = scales.iter().map(|scale| i64::from(scale.to_bits())).collect();
    let x_tensor = Tensor::nd(ACL_INT8, &[m as i64, k as i64], &x);
    let bias_tensor = Tensor::nd(ACL_INT32, &[n as i64], &bias);
    for weight_tensor in [Tensor::nd(ACL_INT8, &[n as i64, k as i64], &weight), fractal(&weight, n, k)] {
        for has_bias in [false, true] {
            let dequantise = |dtype: aclDataType, scale: Tensor| {
                let operation =
                    linear(LinearParam { transpose_b: true, has_bias, out_data_type: dtype.0, ..param() });
                let mut inputs = vec![x_tensor.clone(), weight_tensor.clone()];
                inputs.extend(has_bias.then(|| bias_tensor.clone()));
                inputs.push(scale);
                let output = run(&operation, &inputs);
                assert_eq!(output[0].desc, TensorDesc::nd(dtype, &[m as i64, n as i64]));
                output[0].to_f32()
            };
            let wide = dequantise(ACL_BF16, Tensor::floats(ACL_FLOAT, &[n as i64], &scales));
            let signed = dequantise(ACL_FLOAT16, Tensor::nd(ACL_INT64, &[n as i64], &words));
            let unsigned = dequantise(ACL_FLOAT16, Tensor::nd(ACL_UINT64, &[n as i64], &words));
            for at in 0..m * n {
                let (row, column) = (at / n, at % n);
                let total = sum(row, column) + if has_bias { i64::from(bias[column]) } else { 0 };
                let expected = bf16::from_f32(total as f32 * scales[column]).to_f32();
                assert_eq!(wide[at], expected, "bf16 {at}, bias {has_bias}");
                let kept = f32::from_bits(scales[column].to_bits() >> 13 << 13);
                let expected = f16::from_f32(total as f32 * kept).to_f32();
                assert_eq!([signed[at], unsigned[at]], [expected; 2], "fp16 {at}, bias {has_bias}");
            }
        }
    }
}

#[test]
fn int8_is_dequantised_per_token() {
    let (m, k, n) = (4, 32, 16);
    let (x, weight) = (int8(5, m * k), int8(6, k * n));
    let (columns, rows) = (noise(7, n, 1e-2), noise(8, m, 1.0));
    for (dtype, round) in [
        (ACL_FLOAT16, (|x| f16::from_f32(x).to_f32()) as fn(f32) -> f32),
        (ACL_BF16, |x| bf16::from_f32(x).to_f32()),
    ] {
        let operation = linear(LinearParam {
            has_bias: false,
            out_data_type: dtype.0,
            quant_mode: QUANT_PER_TOKEN,
            ..param()
        });
        let inputs = [
            Tensor::nd(ACL_INT8, &[m as i64, k as i64], &x),
            Tensor::nd(ACL_INT8, &[k as i64, n as i64], &weight),
            Tensor::floats(ACL_FLOAT, &[n as i64], &columns),
            Tensor::floats(ACL_FLOAT, &[m as i64], &rows),
        ];
        for (at, actual) in run(&operation, &inputs)[0].to_f32().into_iter().enumerate() {
            let (row, column) = (at / n, at % n);
            let sum: i32 =
                (0..k).map(|i| i32::from(x[row * k + i]) * i32::from(weight[i * n + column])).sum();
            assert_eq!(actual, round(sum as f32 * columns[column] * rows[row]), "{at}");
        }
    }
}

/// Small whole numbers, whose sums are exact in any order.
fn whole(seed: u32, len: usize) -> Vec<f32> {
    noise(seed, len, 8.0).into_iter().map(f32::trunc).collect()
}

#[test]
fn floats_with_every_transposition_and_batch() {
    let (batches, m, k, n) = (2, 3, 16, 32);
    let (x, weight, bias) = (whole(1, batches * m * k), whole(2, batches * k * n), whole(3, batches * n));
    for shared in [false, true] {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            if shared && transpose_a {
                continue;
            }
            let operation = linear(LinearParam { transpose_a, transpose_b, ..param() });
            let x_shape = if transpose_a { [2, 16, 3] } else { [2, 3, 16] };
            let weight_shape: &[i64] = if transpose_b { &[2, 32, 16] } else { &[2, 16, 32] };
            let weights = if shared { 1 } else { 2 };
            let inputs = [
                Tensor::floats(ACL_FLOAT16, &x_shape, &x),
                Tensor::floats(ACL_FLOAT16, &weight_shape[usize::from(shared)..], &weight[..weights * k * n]),
                Tensor::floats(ACL_FLOAT, &[weights as i64, 32], &bias[..weights * n]),
            ];
            let output = run(&operation, &inputs);
            assert_eq!(output[0].desc.shape, [2, 3, 32]);
            for (at, actual) in output[0].to_f32().into_iter().enumerate() {
                let (batch, row, column) = (at / (m * n), at / n % m, at % n);
                let matrix = if shared { 0 } else { batch };
                let sum: f32 = (0..k)
                    .map(|i| {
                        let left =
                            if transpose_a { (batch * k + i) * m + row } else { (batch * m + row) * k + i };
                        let right = if transpose_b {
                            (matrix * n + column) * k + i
                        } else {
                            (matrix * k + i) * n + column
                        };
                        x[left] * weight[right]
                    })
                    .sum();
                assert_eq!(
                    actual,
                    sum + bias[matrix * n + column],
                    "{at}, {transpose_a} {transpose_b} {shared}"
                );
            }
        }
    }
}

#[test]
fn heads_have_their_own_weight() {
    let (tokens, heads, k, n) = (3, 2, 16, 32);
    let (x, weight) = (whole(4, tokens * heads * k), whole(5, heads * k * n));
    let mut stored = vec![0.0; heads * k * n];
    for head in 0..heads {
        for row in 0..k {
            for column in 0..n {
                stored[head * k * n + column / 16 * k * 16 + row * 16 + column % 16] =
                    weight[(head * k + row) * n + column];
            }
        }
    }
    let operation = linear(LinearParam { has_bias: false, matmul_type: MATMUL_EIN_SUM, ..param() });
    for weight_tensor in [
        Tensor::floats(ACL_BF16, &[2, 16, 32], &weight),
        Tensor::floats_as(TensorDesc::nz(ACL_BF16, &[2, 2, 16, 16]), &stored),
    ] {
        let output = run(&operation, &[Tensor::floats(ACL_BF16, &[3, 2, 16], &x), weight_tensor]);
        assert_eq!(output[0].desc.shape, [3, 2, 32]);
        for (at, actual) in output[0].to_f32().into_iter().enumerate() {
            let (token, head, column) = (at / (heads * n), at / n % heads, at % n);
            let sum: f32 =
                (0..k).map(|i| x[(token * heads + head) * k + i] * weight[(head * k + i) * n + column]).sum();
            assert_eq!(actual, bf16::from_f32(sum).to_f32(), "{at}");
        }
    }
}

#[test]
fn sums_add_to_what_was_there() {
    let operation = linear(LinearParam { has_bias: false, en_accum: true, ..param() });
    let inputs = [
        Tensor::floats(ACL_FLOAT16, &[1, 2], &[2.0, 3.0]),
        Tensor::floats(ACL_FLOAT16, &[2, 2], &[1.0, 10.0, 100.0, 1000.0]),
        Tensor::floats(ACL_FLOAT, &[1, 2], &[0.5, 0.25]),
    ];
    assert_eq!(run(&operation, &inputs)[0].to_f32(), [302.5, 3020.25]);
}

#[test]
fn what_is_refused() {
    let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
    let f16_nz = |shape: &[i64]| TensorDesc::nz(ACL_FLOAT16, shape);
    let i8 = |shape: &[i64]| TensorDesc::nd(ACL_INT8, shape);
    let i8_nz = |shape: &[i64]| TensorDesc::nz(ACL_INT8, shape);
    let i64_ = |shape: &[i64]| TensorDesc::nd(ACL_INT64, shape);
    let f32_ = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT, shape);
    let i32_ = |shape: &[i64]| TensorDesc::nd(ACL_INT32, shape);
    let plain = LinearParam { has_bias: false, ..param() };
    let bias = param();
    let accumulate = LinearParam { en_accum: true, ..plain.clone() };
    let ein = LinearParam { matmul_type: MATMUL_EIN_SUM, ..plain.clone() };
    let quant = LinearParam { out_data_type: ACL_FLOAT16.0, transpose_b: true, ..plain.clone() };
    let token = LinearParam { quant_mode: QUANT_PER_TOKEN, ..quant.clone() };
    let (rank, dim) = (ATB_ERROR_INVALID_TENSOR_DIM_NUM, ATB_ERROR_INVALID_TENSOR_DIM);
    for (param, inputs, status) in [
        (&plain, vec![f16(&[4]), f16(&[4, 8])], rank),
        (&plain, vec![f16(&[2, 4]), f16(&[4])], rank),
        (&plain, vec![f16(&[2, 4]), f16(&[1, 4, 8])], rank),
        (&plain, vec![f16(&[2, 2, 4]), f16(&[3, 4, 8])], dim),
        (&plain, vec![f16(&[2, 2, 16]), f16_nz(&[3, 1, 16, 16])], dim),
        (&LinearParam { transpose_a: true, ..plain.clone() }, vec![f16(&[2, 4, 2]), f16(&[4, 8])], dim),
        (&plain, vec![f16(&[2, 4]), f16(&[5, 8])], dim),
        (&plain, vec![f16(&[2, 24]), f16_nz(&[1, 1, 24, 16])], dim),
        (&plain, vec![f16(&[2, 16]), f16_nz(&[1, 1, 16, 32])], dim),
        (&plain, vec![f16(&[2, 4]), i8(&[4, 8])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        (&bias, vec![f16(&[2, 4]), f16(&[4, 8]), f16(&[1, 1, 8])], rank),
        (&bias, vec![f16(&[2, 4]), f16(&[4, 8]), f16(&[2, 8])], dim),
        (&bias, vec![f16(&[2, 4]), f16(&[4, 8]), f16(&[7])], dim),
        (&accumulate, vec![f16(&[2, 4]), f16(&[4, 8]), f32_(&[1, 2, 8])], rank),
        (&accumulate, vec![f16(&[2, 4]), f16(&[4, 8]), f32_(&[3, 8])], dim),
        (&accumulate, vec![f16(&[2, 4]), f16(&[4, 8]), f32_(&[2, 9])], dim),
        (&ein, vec![f16(&[3, 2, 4]), f16(&[4, 8])], rank),
        (&ein, vec![f16(&[3, 2, 16]), f16_nz(&[2, 16, 16])], rank),
        (&ein, vec![f16(&[3, 2, 4]), f16(&[3, 4, 8])], dim),
        (&quant, vec![i8(&[2, 32]), i8_nz(&[1, 2, 16, 16]), i64_(&[16])], dim),
        (&quant, vec![i8(&[2, 32]), i8(&[16, 32]), i64_(&[1, 1, 16])], rank),
        (&quant, vec![i8(&[2, 32]), i8(&[16, 32]), i64_(&[2, 16])], dim),
        (&quant, vec![i8(&[2, 32]), i8(&[16, 32]), i64_(&[15])], dim),
        (&quant, vec![i8(&[2, 32]), i8(&[16, 32]), f32_(&[16])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        (
            &LinearParam { has_bias: true, ..quant.clone() },
            vec![i8(&[2, 32]), i8(&[16, 32]), i32_(&[15]), i64_(&[16])],
            dim,
        ),
        (&token, vec![i8(&[1, 2, 32]), i8(&[16, 32]), f32_(&[16]), f32_(&[2])], rank),
        (&token, vec![i8(&[2, 32]), i8(&[16, 32]), f32_(&[1, 16]), f32_(&[2])], rank),
        (&token, vec![i8(&[2, 32]), i8(&[16, 32]), f32_(&[15]), f32_(&[2])], dim),
        (&token, vec![i8(&[2, 32]), i8(&[16, 32]), f32_(&[16]), f32_(&[3])], dim),
    ] {
        assert_eq!(
            infer(&linear(param.clone()), &inputs).unwrap_err().status,
            status,
            "{param:?} {inputs:?}"
        );
    }
    let inputs = [f16(&[2, 4]), f16(&[4, 8])];
    for (shape, status) in [(&[1, 2, 8][..], rank), (&[3, 8], dim), (&[2, 9], dim)] {
        assert_eq!(set_up(&linear(plain.clone()), &inputs, &[f16(shape)]).unwrap_err().status, status);
    }
    assert_eq!(set_up(&linear(plain), &inputs, &[f16(&[2, 8])]), Ok(()));
}
