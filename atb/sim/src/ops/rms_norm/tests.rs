use super::*;
use crate::ops::harness::{Tensor, infer, noise, run, set_up};
use ascendcl_sys::ACL_BF16;
use atb_sys::{
    ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DTYPE,
    ATB_ERROR_INVALID_TENSOR_FORMAT, ATB_ERROR_INVALID_TENSOR_INI_MATCH, ATB_ERROR_INVALID_TENSOR_SIZE,
    ATB_SHIM_UNSUPPORTED,
};
use half::{bf16, f16};

const EPSILON: f32 = 1e-3;

/// A plain layer of this type.
fn param(layer_type: i32) -> RmsNormParam {
    let residual = ResidualNormParam { quant_type: QUANT_UNQUANT, epsilon: EPSILON, has_bias: false };
    RmsNormParam {
        layer_type,
        norm_param: NormParam {
            quant_type: QUANT_UNQUANT,
            epsilon: EPSILON,
            layer_norm_eps: 1e-5,
            rstd: false,
            precision_mode: 0,
            model_type: LLAMA_MODEL,
            dynamic_quant_type: DYNAMIC_QUANT_UNDEFINED,
        },
        pre_norm_param: residual.clone(),
        post_norm_param: residual,
    }
}

fn with(layer_type: i32, change: impl FnOnce(&mut RmsNormParam)) -> RmsNormParam {
    let mut param = param(layer_type);
    change(&mut param);
    param
}

fn norm(param: RmsNormParam) -> RmsNorm {
    RmsNorm::new(param).unwrap()
}

fn quant() -> RmsNormParam {
    with(LAYER_NORM, |param| param.norm_param.quant_type = QUANT_INT8)
}

fn dynamic() -> RmsNormParam {
    with(LAYER_NORM, |param| {
        param.norm_param.quant_type = QUANT_INT8;
        param.norm_param.dynamic_quant_type = DYNAMIC_QUANT_SYMMETRIC;
    })
}

#[test]
fn what_is_refused_at_once() {
    for (param, status) in [
        (param(0), ATB_ERROR_INVALID_PARAM),
        (param(4), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_NORM, |param| param.norm_param.epsilon = 0.0), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_NORM, |param| param.norm_param.layer_norm_eps = 1e-38), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_NORM, |param| param.pre_norm_param.epsilon = 0.0), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_NORM, |param| param.post_norm_param.epsilon = 0.0), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_NORM, |param| param.norm_param.quant_type = 1), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_PRENORM, |param| param.pre_norm_param.quant_type = 3), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_POSTNORM, |param| param.post_norm_param.quant_type = 4), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_NORM, |param| param.norm_param.dynamic_quant_type = 2), ATB_ERROR_INVALID_PARAM),
        (with(LAYER_NORM, |param| param.norm_param.rstd = true), ATB_SHIM_UNSUPPORTED),
        (with(LAYER_PRENORM, |param| param.pre_norm_param.quant_type = QUANT_INT8), ATB_SHIM_UNSUPPORTED),
        (with(LAYER_POSTNORM, |param| param.post_norm_param.quant_type = QUANT_INT8), ATB_SHIM_UNSUPPORTED),
    ] {
        assert_eq!(RmsNorm::new(param.clone()).err().unwrap().status, status, "{param:?}");
    }
}

const ROWS: usize = 3;
const COLUMNS: usize = 96;

fn x(dtype: aclDataType) -> Tensor {
    Tensor::floats(dtype, &[1, ROWS as i64, COLUMNS as i64], &noise(1, ROWS * COLUMNS, 4.0))
}

fn gamma(dtype: aclDataType) -> Tensor {
    Tensor::floats(dtype, &[COLUMNS as i64], &noise(2, COLUMNS, 1.5))
}

fn beta(dtype: aclDataType) -> Tensor {
    Tensor::floats(dtype, &[COLUMNS as i64], &noise(3, COLUMNS, 0.5))
}

/// `x / sqrt(mean of squares + epsilon) * gamma`, in f64.
fn expected(x: &[f32], gamma: &[f32]) -> Vec<f64> {
    x.chunks(COLUMNS)
        .flat_map(|row| {
            let mean = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / COLUMNS as f64;
            let root = (mean + f64::from(EPSILON)).sqrt();
            row.iter().zip(gamma).map(move |(x, gamma)| f64::from(*x) / root * f64::from(*gamma))
        })
        .collect()
}

/// Whether values are the expected ones, rounded to `dtype`, up to what f32 loses before that.
fn assert_rounded(dtype: aclDataType, actual: &[f32], expected: &[f64]) {
    for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let near = [1.0 - 1e-6, 1.0, 1.0 + 1e-6].map(|off| match dtype {
            ascendcl_sys::ACL_FLOAT16 => f16::from_f64(expected * off).to_f32(),
            _ => bf16::from_f64(expected * off).to_f32(),
        });
        assert!(near.contains(actual), "element {at}: {actual}, not {near:?}");
    }
}

#[test]
fn plain_rows_are_the_formula() {
    for dtype in [ACL_FLOAT16, ACL_BF16] {
        let inputs = [x(dtype), gamma(dtype)];
        let output = run(&norm(param(LAYER_NORM)), &inputs);
        assert_eq!(output[0].desc, inputs[0].desc);
        let (x, gamma) = (inputs[0].to_f32(), inputs[1].to_f32());
        assert_rounded(dtype, &output[0].to_f32(), &expected(&x, &gamma));
        let gemma = with(LAYER_NORM, |param| param.norm_param.model_type = GEMMA_MODEL);
        let gamma: Vec<f32> = gamma.iter().map(|gamma| gamma + 1.0).collect();
        assert_rounded(dtype, &run(&norm(gemma), &inputs)[0].to_f32(), &expected(&x, &gamma));
    }
}

#[test]
fn high_performance_rounds_twice() {
    let fast = with(LAYER_NORM, |param| param.norm_param.precision_mode = HIGH_PERFORMANCE_MODE);
    let inputs = [x(ACL_FLOAT16), gamma(ACL_FLOAT16)];
    let quotients = expected(&inputs[0].to_f32(), &[1.0; COLUMNS]);
    let gamma = inputs[1].to_f32();
    for (at, actual) in run(&norm(fast), &inputs)[0].to_f32().into_iter().enumerate() {
        let near = [1.0 - 1e-6, 1.0, 1.0 + 1e-6].map(|off| {
            let quotient = f16::from_f64(quotients[at] * off).to_f64();
            f16::from_f64(quotient * f64::from(gamma[at % COLUMNS])).to_f32()
        });
        assert!(near.contains(&actual), "element {at}: {actual}, not {near:?}");
    }
}

#[test]
fn quantised_rows_are_the_formula() {
    for dtype in [ACL_FLOAT16, ACL_BF16] {
        let inputs = [
            x(dtype),
            gamma(dtype),
            beta(dtype),
            Tensor::floats(dtype, &[1], &[0.0234375]),
            Tensor::nd(ACL_INT8, &[1], &[-7i8]),
        ];
        let output = run(&norm(quant()), &inputs);
        assert_eq!(output[0].desc, TensorDesc { dtype: ACL_INT8, ..inputs[0].desc.clone() });
        let y = expected(&inputs[0].to_f32(), &inputs[1].to_f32());
        let beta = inputs[2].to_f32();
        for (at, actual) in output[0].values::<i8>().into_iter().enumerate() {
            let value = (y[at] + f64::from(beta[at % COLUMNS])) / 0.0234375 - 7.0;
            let near = [-1e-4, 0.0, 1e-4]
                .map(|off| f16::from_f64(value + off).to_f64().clamp(-128.0, 127.0).round_ties_even() as i8);
            assert!(near.contains(&actual), "element {at}: {actual}, not {near:?}");
        }
    }
}

#[test]
fn dynamic_rows_have_a_scale_each() {
    let inputs = [x(ACL_FLOAT16), gamma(ACL_FLOAT16), beta(ACL_FLOAT16)];
    let output = run(&norm(dynamic()), &inputs);
    assert_eq!(output[1].desc, TensorDesc::nd(ACL_FLOAT, &[1, ROWS as i64]));
    let y = expected(&inputs[0].to_f32(), &inputs[1].to_f32());
    let beta = inputs[2].to_f32();
    let y: Vec<f64> = y.iter().zip(beta.iter().cycle()).map(|(y, beta)| y + f64::from(*beta)).collect();
    let (values, scales) = (output[0].values::<i8>(), output[1].to_f32());
    for row in 0..ROWS {
        let y = &y[row * COLUMNS..][..COLUMNS];
        let largest = y.iter().fold(0.0f64, |largest, y| largest.max(y.abs()));
        let scale = f64::from(scales[row]);
        assert!((scale * 127.0 / largest - 1.0).abs() < 1e-3, "row {row}: {scale}");
        let values = &values[row * COLUMNS..][..COLUMNS];
        assert!(values.iter().any(|value| value.unsigned_abs() == 127), "row {row}");
        for (y, value) in y.iter().zip(values) {
            assert!((y / scale - f64::from(*value)).abs() < 0.7, "row {row}: {y} is not {value}");
        }
    }
}

#[test]
fn residuals_and_biases_are_added_before() {
    for dtype in [ACL_FLOAT16, ACL_BF16] {
        for (layer, bias) in
            [(LAYER_PRENORM, false), (LAYER_PRENORM, true), (LAYER_POSTNORM, false), (LAYER_POSTNORM, true)]
        {
            let operation = norm(with(layer, |param| param.pre_norm_param.has_bias = bias));
            let residual = Tensor::floats(dtype, &[1, 3, 96], &noise(9, ROWS * COLUMNS, 3.0));
            let mut inputs = vec![x(dtype)];
            inputs.extend(bias.then(|| beta(dtype)));
            inputs.extend([residual.clone(), gamma(dtype)]);
            let output = run(&operation, &inputs);
            let mut sums: Vec<f32> =
                inputs[0].to_f32().iter().zip(residual.to_f32()).map(|(x, residual)| x + residual).collect();
            if bias {
                let beta = beta(dtype).to_f32();
                sums.iter_mut().zip(beta.iter().cycle()).for_each(|(sum, beta)| *sum += beta);
            }
            assert_rounded(dtype, &output[0].to_f32(), &expected(&sums, &gamma(dtype).to_f32()));
            if layer == LAYER_PRENORM {
                let sums: Vec<f64> = sums.into_iter().map(f64::from).collect();
                assert_rounded(dtype, &output[1].to_f32(), &sums);
            }
        }
    }
}

#[test]
fn what_is_refused() {
    let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
    let bf16 = |shape: &[i64]| TensorDesc::nd(ACL_BF16, shape);
    let offset = TensorDesc::nd(ACL_INT8, &[1]);
    let (dim, size) = (ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_SIZE);
    let quantised = |x: TensorDesc, gamma: TensorDesc, beta: TensorDesc, scale: TensorDesc| {
        vec![x, gamma, beta, scale, offset.clone()]
    };
    let gemma = |param: &mut RmsNormParam| param.norm_param.model_type = GEMMA_MODEL;
    let fast = |param: &mut RmsNormParam| param.norm_param.precision_mode = HIGH_PERFORMANCE_MODE;
    let mut gemma_quant = quant();
    gemma(&mut gemma_quant);
    let mut gemma_fast = with(LAYER_NORM, gemma);
    fast(&mut gemma_fast);
    let mut fast_quant = quant();
    fast(&mut fast_quant);
    let stray_bias = with(LAYER_NORM, |param| {
        param.post_norm_param = ResidualNormParam { quant_type: QUANT_INT8, epsilon: 1.0, has_bias: true };
    });
    let good_quant = quantised(f16(&[2, 32]), f16(&[32]), f16(&[32]), f16(&[1]));
    let bias = with(LAYER_POSTNORM, |param| param.post_norm_param.has_bias = true);
    for (param, inputs, status) in [
        (param(LAYER_NORM), vec![f16(&[2, 32]), f16(&[16])], dim),
        (param(LAYER_NORM), vec![f16(&[2, 32]), f16(&[2, 32])], dim),
        (param(LAYER_NORM), vec![f16(&[2, 24]), f16(&[24])], size),
        (param(LAYER_NORM), vec![f16(&[2, 32]), bf16(&[32])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        (with(LAYER_NORM, fast), vec![bf16(&[2, 32]), bf16(&[32])], ATB_ERROR_INVALID_TENSOR_DTYPE),
        (gemma_fast, vec![f16(&[2, 32]), f16(&[32])], ATB_ERROR_INVALID_PARAM),
        (gemma_quant, good_quant.clone(), ATB_ERROR_INVALID_PARAM),
        (fast_quant, good_quant.clone(), ATB_ERROR_INVALID_PARAM),
        (stray_bias, vec![f16(&[2, 32]), f16(&[32])], ATB_ERROR_INVALID_PARAM),
        (quant(), quantised(f16(&[2, 32]), f16(&[32]), f16(&[1, 32]), f16(&[1])), dim),
        (quant(), quantised(f16(&[2, 32]), f16(&[32]), f16(&[32]), f16(&[2])), dim),
        (quant(), quantised(f16(&[2, 32]), f16(&[32]), f16(&[32]), f16(&[1, 1])), dim),
        (dynamic(), vec![f16(&[2, 12_304]), f16(&[12_304]), f16(&[12_304])], size),
        (dynamic(), vec![bf16(&[2, 32]), bf16(&[32]), bf16(&[32])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        (param(LAYER_PRENORM), vec![f16(&[2, 32]), f16(&[1, 32]), f16(&[32])], dim),
        (param(LAYER_PRENORM), vec![f16(&[2, 32]), f16(&[2, 32]), f16(&[2, 32])], dim),
        (param(LAYER_POSTNORM), vec![f16(&[2, 32]), f16(&[2, 32]), f16(&[16])], dim),
        (bias, vec![f16(&[2, 32]), f16(&[16]), f16(&[2, 32]), f16(&[32])], dim),
    ] {
        assert_eq!(infer(&norm(param.clone()), &inputs).unwrap_err().status, status, "{param:?} {inputs:?}");
    }
    assert!(infer(&norm(quant()), &good_quant).is_ok());
}

#[test]
fn outputs_are_compared_with_x() {
    let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
    let inputs = [f16(&[2, 32]), f16(&[32])];
    let check = |output: TensorDesc| norm(param(LAYER_NORM)).check_outputs(&inputs, &[output]);
    assert_eq!(check(f16(&[2, 32])), Ok(()));
    for (output, status) in [
        (TensorDesc::nd(ACL_BF16, &[2, 32]), ATB_ERROR_INVALID_TENSOR_DTYPE),
        (TensorDesc::nz(ACL_FLOAT16, &[2, 32]), ATB_ERROR_INVALID_TENSOR_FORMAT),
        (f16(&[1, 2, 32]), ATB_ERROR_INVALID_TENSOR_SIZE),
        (f16(&[3, 32]), ATB_ERROR_INVALID_TENSOR_DIM),
    ] {
        assert_eq!(check(output).unwrap_err().status, status);
    }
    assert!(set_up(&norm(param(LAYER_NORM)), &inputs, &[f16(&[2, 32])]).is_ok());
}
