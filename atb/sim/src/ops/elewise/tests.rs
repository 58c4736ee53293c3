use super::*;
use crate::ops::harness::{Tensor, infer, noise, run, set_up};
use atb_sys::{
    ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DIM_NUM,
    ATB_ERROR_INVALID_TENSOR_INI_MATCH,
};
use half::{bf16, f16};

fn param(kind: Kind) -> ElewiseParam {
    ElewiseParam {
        elewise_type: kind as i32,
        input_scale: 1.0,
        asymmetric: false,
        input_offset: 0,
        var_attr: 0.0,
        out_tensor_type: ACL_DT_UNDEFINED.0,
    }
}

fn elewise(kind: Kind) -> Elewise {
    Elewise::new(param(kind)).unwrap()
}

fn round(dtype: aclDataType, value: f64) -> f32 {
    match dtype {
        ACL_FLOAT16 => f16::from_f64(value).to_f32(),
        ACL_BF16 => bf16::from_f64(value).to_f32(),
        _ => value as f32,
    }
}

#[test]
fn what_is_refused_at_once() {
    for elewise_type in [-1, 0, 21] {
        let refused = Elewise::new(ElewiseParam { elewise_type, ..param(Kind::Cast) });
        assert_eq!(refused.err().unwrap().status, ATB_ERROR_INVALID_PARAM);
    }
    let refused = Elewise::new(ElewiseParam { asymmetric: true, ..param(Kind::DynamicQuant) });
    assert_eq!(refused.err().unwrap().status, ATB_ERROR_INVALID_PARAM);
    let numbers: Vec<i32> = KINDS.iter().map(|kind| *kind as i32).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}

#[test]
fn functions_of_one_value() {
    let values = noise(1, 64, 5.0);
    for dtype in [ACL_FLOAT16, ACL_BF16, ACL_FLOAT] {
        let x = Tensor::floats(dtype, &[2, 32], &values);
        let factor = 0.3;
        let muls = Elewise::new(ElewiseParam { var_attr: factor, ..param(Kind::Muls) }).unwrap();
        let narrow = if dtype == ACL_FLOAT16 { f16::from_f32(factor).to_f64() } else { f64::from(factor) };
        let cases: [(Elewise, &dyn Fn(f64) -> f64); 5] = [
            (muls, &|x| x * narrow),
            (elewise(Kind::Cos), &f64::cos),
            (elewise(Kind::Sin), &f64::sin),
            (elewise(Kind::Neg), &|x| -x),
            (elewise(Kind::Tanh), &f64::tanh),
        ];
        for (operation, function) in cases {
            if operation.check_types(std::slice::from_ref(&x.desc), &[]).is_err() {
                assert!(dtype == ACL_FLOAT && matches!(operation.kind, Kind::Neg | Kind::Tanh));
                continue;
            }
            let y = run(&operation, std::slice::from_ref(&x));
            assert_eq!(y[0].desc, x.desc);
            for (x, y) in x.to_f32().into_iter().zip(y[0].to_f32()) {
                let expected = round(dtype, function(f64::from(x)));
                assert!((y - expected).abs() <= expected.abs() * 1e-7, "{:?} of {x}: {y}", operation.kind);
            }
        }
    }
}

#[test]
fn functions_of_two_values_stretch_shapes() {
    for dtype in [ACL_FLOAT16, ACL_BF16, ACL_FLOAT] {
        let a = Tensor::floats(dtype, &[2, 1, 3], &[1.0, -2.5, 3.0, 4.0, 0.1, -6.0]);
        let b = Tensor::floats(dtype, &[2, 1], &[0.5, 3.0]);
        let (x, y) = (a.to_f32(), b.to_f32());
        type Function = fn(f64, f64) -> f64;
        let cases: [(Kind, Function); 4] = [
            (Kind::Add, |a, b| a + b),
            (Kind::Sub, |a, b| a - b),
            (Kind::Mul, |a, b| a * b),
            (Kind::RealDiv, |a, b| a / b),
        ];
        for (kind, function) in cases {
            let operation = elewise(kind);
            if operation.check_types(&[a.desc.clone(), b.desc.clone()], &[]).is_err() {
                assert!(dtype == ACL_FLOAT && matches!(kind, Kind::Sub | Kind::Mul));
                continue;
            }
            let output = run(&operation, &[a.clone(), b.clone()]);
            assert_eq!(output[0].desc, TensorDesc::nd(dtype, &[2, 2, 3]));
            for (at, actual) in output[0].to_f32().into_iter().enumerate() {
                let (i, j, k) = (at / 6, at / 3 % 2, at % 3);
                assert_eq!(actual, round(dtype, function(x[i * 3 + k].into(), y[j].into())), "{kind:?} {at}");
            }
        }
        let compare =
            |kind| run(&elewise(kind), &[a.clone(), Tensor::floats(dtype, &[1], &[1.0])])[0].values::<i8>();
        assert_eq!(compare(Kind::Less), [0, 1, 0, 0, 1, 1]);
        assert_eq!(compare(Kind::Greater), [0, 0, 1, 1, 0, 0]);
        assert_eq!(compare(Kind::Equal), [1, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn whole_numbers() {
    let wide = |values: &[i64]| Tensor::nd(ACL_INT64, &[values.len() as i64], values);
    let bytes = |values: &[i8]| Tensor::nd(ACL_INT8, &[values.len() as i64], values);
    let (a, b) = (wide(&[1, i64::MAX, -5]), wide(&[2, 1, -7]));
    let of = |kind, a: &Tensor, b: &Tensor| run(&elewise(kind), &[a.clone(), b.clone()]).remove(0);
    assert_eq!(of(Kind::Add, &a, &b).values::<i64>(), [3, i64::MIN, -12]);
    assert_eq!(of(Kind::Sub, &a, &b).values::<i64>(), [-1, i64::MAX - 1, 2]);
    assert_eq!(of(Kind::Less, &a, &b).values::<i8>(), [1, 0, 0]);
    assert_eq!(of(Kind::Greater, &a, &b).values::<i8>(), [0, 1, 1]);
    let narrow = Tensor::nd(ACL_INT32, &[2], &[i32::MAX, 7]);
    assert_eq!(of(Kind::Add, &narrow, &Tensor::nd(ACL_INT32, &[1], &[1i32])).values::<i32>(), [i32::MIN, 8]);
    let (a, b) = (bytes(&[0, 0, 2, -1]), bytes(&[0, 3, 0, 1]));
    assert_eq!(of(Kind::LogicalAnd, &a, &b).values::<i8>(), [0, 0, 0, 1]);
    assert_eq!(of(Kind::LogicalOr, &a, &b).values::<i8>(), [0, 1, 1, 1]);
    assert_eq!(run(&elewise(Kind::LogicalNot), &[a])[0].values::<i8>(), [1, 1, 0, 0]);
}

#[test]
fn casts_round_to_even_and_saturate() {
    let cast = |to: aclDataType, x: Tensor| {
        let operation = Elewise::new(ElewiseParam { out_tensor_type: to.0, ..param(Kind::Cast) }).unwrap();
        run(&operation, &[x]).remove(0)
    };
    let x = [1.0 + 1.0 / 2048.0, 1.0 + 1.0 / 256.0, 70_000.0];
    let floats = || Tensor::floats(ACL_FLOAT, &[3], &x);
    assert_eq!(cast(ACL_FLOAT16, floats()).to_f32(), [1.0, 1.0 + 1.0 / 256.0, f32::INFINITY]);
    assert_eq!(cast(ACL_DT_UNDEFINED, floats()).desc.dtype, ACL_FLOAT16);
    assert_eq!(cast(ACL_BF16, floats()).to_f32(), [1.0, 1.0, 70_144.0]);
    let halves = Tensor::floats(ACL_FLOAT16, &[1], &[0.5]);
    assert_eq!(cast(ACL_DT_UNDEFINED, halves).values::<f32>(), [0.5]);
    let wide = Tensor::nd(ACL_INT64, &[3], &[5i64, 1 << 40, -(1 << 40)]);
    assert_eq!(cast(ACL_INT32, wide).values::<i32>(), [5, i32::MAX, i32::MIN]);
    assert_eq!(cast(ACL_INT64, Tensor::nd(ACL_INT32, &[1], &[-3i32])).values::<i64>(), [-3]);
}

/// fp16 in f64.
fn half64(value: f64) -> f64 {
    f16::from_f64(value).to_f64()
}

fn int8(value: f64) -> i8 {
    value.clamp(-128.0, 127.0).round_ties_even() as i8
}

#[test]
fn one_scale_multiplies() {
    let operation =
        Elewise::new(ElewiseParam { input_scale: 7.3, input_offset: -11, ..param(Kind::Quant) }).unwrap();
    let x = Tensor::floats(ACL_FLOAT16, &[2, 32], &noise(2, 64, 20.0));
    let y = run(&operation, std::slice::from_ref(&x));
    for (x, y) in x.to_f32().into_iter().zip(y[0].values::<i8>()) {
        assert_eq!(y, int8(half64(half64(f64::from(x) * half64(7.3)) - 11.0)), "{x}");
    }
}

#[test]
fn channels_divide_and_a_single_scale_multiplies() {
    for dtype in [ACL_FLOAT16, ACL_BF16] {
        for offsets in [Some([3i8, -100, 0, 7]), None] {
            let x = Tensor::floats(dtype, &[5, 4], &noise(3, 20, 30.0));
            let scale = Tensor::floats(dtype, &[4], &[0.3, 1.7, 0.011, 9.0]);
            let offset = offsets.map_or_else(Tensor::none, |offsets| Tensor::nd(ACL_INT8, &[4], &offsets));
            let y = run(&elewise(Kind::QuantPerChannel), &[x.clone(), scale.clone(), offset]);
            let scales = scale.to_f32();
            for (at, (x, y)) in x.to_f32().into_iter().zip(y[0].values::<i8>()).enumerate() {
                // The quotient is f32 for bf16 before it becomes fp16, for fp16 that changes nothing.
                let quotient = half64((x / scales[at % 4]).into());
                let offset = offsets.map_or(0, |offsets| offsets[at % 4]);
                assert_eq!(y, int8(half64(quotient + f64::from(offset))), "{at}");
            }
        }
        let x = Tensor::floats(dtype, &[5, 4], &noise(4, 20, 3.0));
        let inputs = [x.clone(), Tensor::floats(dtype, &[1], &[0.043]), Tensor::nd(ACL_INT8, &[1], &[-2i8])];
        let scale = inputs[1].to_f32()[0];
        let y = run(&elewise(Kind::QuantPerChannel), &inputs);
        for (x, y) in x.to_f32().into_iter().zip(y[0].values::<i8>()) {
            let reciprocal =
                if dtype == ACL_FLOAT16 { f16::from_f32(1.0 / scale).to_f32() } else { 1.0 / scale };
            assert_eq!(y, int8(half64(half64((x * reciprocal).into()) - 2.0)), "{x}");
        }
    }
}

#[test]
fn channels_come_back() {
    let y = Tensor::nd(ACL_INT8, &[2, 2], &[127i8, -128, 1, 2]);
    let inputs =
        [y, Tensor::floats(ACL_FLOAT16, &[2], &[0.3, 2.0]), Tensor::nd(ACL_INT8, &[2], &[-128i8, 5])];
    let scale = inputs[1].to_f32()[0];
    let x = run(&elewise(Kind::DequantPerChannel), &inputs)[0].to_f32();
    let half = |value: f32| f16::from_f32(value).to_f32();
    assert_eq!(x, [half(255.0 * scale), -266.0, half(129.0 * scale), -6.0]);
}

#[test]
fn rows_have_scales_of_their_own() {
    for dtype in [ACL_FLOAT16, ACL_BF16] {
        let x = Tensor::floats(
            dtype,
            &[1, 3, 4],
            &[1.0, -4.0, 2.0, 0.5, 0.0, 0.0, 0.0, 0.0, 127.0, 2.5, -2.5, 1.5],
        );
        let outputs = run(&elewise(Kind::DynamicQuant), &[x]);
        assert_eq!(outputs[0].values::<i8>()[..4], [32, -127, 64, 16], "31.75, -127, 63.5, 15.875");
        assert_eq!(outputs[0].values::<i8>()[4..], [0, 0, 0, 0, 127, 3, -3, 2], "ties go away from zero");
        assert_eq!(outputs[1].desc, TensorDesc::nd(ACL_FLOAT, &[1, 3]));
        let scales = outputs[1].to_f32();
        for (scale, expected) in scales.iter().zip([4.0 / 127.0, 0.0, 1.0]) {
            assert!((scale - expected).abs() < 1e-8 + expected * 1e-6, "{scales:?}");
        }
    }
}

#[test]
fn what_is_refused() {
    let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
    let bf16 = |shape: &[i64]| TensorDesc::nd(ACL_BF16, shape);
    let dim = ATB_ERROR_INVALID_TENSOR_DIM;
    for (kind, inputs, status) in [
        (Kind::Add, vec![f16(&[2, 3]), f16(&[2])], dim),
        (Kind::Mul, vec![f16(&[2, 3]), f16(&[4, 1, 2])], dim),
        (Kind::Add, vec![f16(&[2]), bf16(&[2])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        (Kind::Quant, vec![f16(&[2, 31])], dim),
        (Kind::Quant, vec![bf16(&[2, 32])], ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        (Kind::DynamicQuant, vec![f16(&[32])], ATB_ERROR_INVALID_TENSOR_DIM_NUM),
        (Kind::DynamicQuant, vec![f16(&[1, 26_625])], dim),
        (Kind::DynamicQuant, vec![bf16(&[1, 7_553])], dim),
        (
            Kind::DequantPerChannel,
            vec![TensorDesc::nd(ACL_INT8, &[2, 2]), f16(&[2]), TensorDesc::none()],
            ATB_ERROR_INVALID_PARAM,
        ),
    ] {
        assert_eq!(infer(&elewise(kind), &inputs).unwrap_err().status, status, "{kind:?} {inputs:?}");
    }
    let to_int8 = Elewise::new(ElewiseParam { out_tensor_type: ACL_INT8.0, ..param(Kind::Cast) }).unwrap();
    assert_eq!(infer(&to_int8, &[f16(&[2])]).unwrap_err().status, ATB_ERROR_INVALID_PARAM);
    let set_up = set_up(&elewise(Kind::Add), &[f16(&[2, 3]), f16(&[2])], &[f16(&[2, 3])]);
    assert_eq!(set_up.unwrap_err().status, dim);
    assert!(elewise(Kind::QuantPerChannel).may_be_empty(2) && !elewise(Kind::Add).may_be_empty(0));
}
