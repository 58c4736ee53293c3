//! Activation: functions of one value, and SwiGLU, which halves the last dimension.
//!
//! Each value is computed to more than f32's precision and rounded once; ATB's kernels compute in f32 and round once, with the
//! vector unit's own `exp` and `ln`, whose last bits are not published.
//!
//! Not computed: `SWIGLU_BACKWARD`.

use ascendcl_sim::operator::Fault;
use rayon::prelude::*;

use super::shape::{dim, dim_from_end, rank, rows_and_columns};
use super::table::{self, BF16, Combination, F16, F32};
use crate::operator::{Operator, Result, refuse};
use crate::tensor::{Operand, TensorDesc};

/// `atb::infer::ActivationParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActivationParam {
    pub activation_type: i32,
    /// Of `SWISH`.
    pub scale: f32,
    pub dim: i32,
    pub gelu_mode: i32,
}

/// `atb::infer::ActivationType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Relu,
    Gelu,
    FastGelu,
    Swish,
    Log,
    Swiglu,
    Sigmoid,
    FasterGelu,
}

const SWIGLU_BACKWARD: i32 = 7;
const TANH_MODE: i32 = 0;

pub(crate) struct Activation {
    param: ActivationParam,
    kind: Kind,
}

impl Activation {
    pub(crate) fn new(param: ActivationParam) -> Result<Self> {
        if !(1..=9).contains(&param.activation_type) {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "Activation: activationType is 1 to 9, not {}",
                param.activation_type
            ));
        }
        if param.dim != -1 {
            return Err(refuse!(ATB_ERROR_INVALID_PARAM, "Activation: dim is -1, not {}", param.dim));
        }
        let kind = match param.activation_type {
            1 => Kind::Relu,
            2 => Kind::Gelu,
            3 => Kind::FastGelu,
            4 => Kind::Swish,
            5 => Kind::Log,
            6 => Kind::Swiglu,
            SWIGLU_BACKWARD => {
                return Err(refuse!(ATB_SHIM_UNSUPPORTED, "Activation: SWIGLU_BACKWARD is not simulated"));
            }
            8 => Kind::Sigmoid,
            _ => Kind::FasterGelu,
        };
        Ok(Self { param, kind })
    }

    fn value(&self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self.kind {
            Kind::Relu => x.max(0.0),
            Kind::Gelu if self.param.gelu_mode == TANH_MODE => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }
            Kind::Gelu => 0.5 * x * complementary_error(-x / std::f64::consts::SQRT_2),
            Kind::FastGelu => x * (0.851 * (x - x.abs())).exp() / (1.0 + (-1.702 * x.abs()).exp()),
            Kind::FasterGelu => x * sigmoid(1.702 * x),
            Kind::Swish => x * sigmoid(f64::from(self.param.scale) * x),
            Kind::Log => x.ln(),
            Kind::Sigmoid => sigmoid(x),
            Kind::Swiglu => x * sigmoid(x),
        }
    }

    fn table(&self) -> &'static [Combination<'static>] {
        match self.kind {
            Kind::Gelu | Kind::Swiglu | Kind::Log | Kind::FasterGelu => {
                &[(&[F32], &[F32]), (&[F16], &[F16]), (&[BF16], &[BF16])]
            }
            Kind::Relu => &[(&[F32], &[F32]), (&[BF16], &[BF16])],
            Kind::FastGelu | Kind::Sigmoid | Kind::Swish => &[(&[F16], &[F16]), (&[BF16], &[BF16])],
        }
    }
}

/// `erfc`: 1 minus the series of `erf` near 0, a continued fraction far away.
fn complementary_error(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - complementary_error(-x);
    }
    let root_of_pi = std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let mut term = x;
        let mut sum = x;
        for n in 1..100 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return 1.0 - 2.0 / root_of_pi * sum;
    }
    let fraction = (1..=60).rev().fold(0.0, |rest, n| f64::from(n) / 2.0 / (x + rest));
    (-x * x).exp() / root_of_pi / (x + fraction)
}

impl Operator for Activation {
    fn name(&self) -> &'static str {
        "ActivationOperation"
    }

    fn input_num(&self) -> usize {
        1
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        table::check("Activation", self.table(), inputs, outputs)
    }

    fn check_inputs(&self, _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let mut output = inputs[0].clone();
        if self.kind == Kind::Swiglu
            && let Some(columns) = output.shape.last_mut()
        {
            *columns /= 2;
        }
        Ok(vec![output])
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let wrong = |what: String| Err(refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "Activation: {what}"));
        let (x, y) = (&inputs[0], &outputs[0]);
        if rank(x) != rank(y) {
            return wrong(format!("the output has {} dimensions, not {}", rank(x), rank(y)));
        }
        let halved = self.kind == Kind::Swiglu;
        let compared = rank(x) - usize::from(halved && rank(x) > 0);
        if let Some(index) = (0..compared).find(|index| dim(x, *index) != dim(y, *index)) {
            return wrong(format!(
                "dimension {index} of the output is {}, not {}",
                dim(x, index),
                dim(y, index)
            ));
        }
        if halved && dim_from_end(y, 0).checked_mul(2) != Some(dim_from_end(x, 0)) {
            return wrong(format!(
                "the output has half of {} columns, not {}",
                dim_from_end(x, 0),
                dim_from_end(y, 0)
            ));
        }
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let x = inputs[0].to_f32()?;
        let value = |x: f32| self.value(x.into()) as f32;
        if self.kind != Kind::Swiglu {
            return outputs[0].write_f32(0, &x.into_par_iter().map(value).collect::<Vec<f32>>());
        }
        let (_, columns) = rows_and_columns(&inputs[0]);
        let values: Vec<f32> = x
            .par_chunks(columns.max(1))
            .flat_map_iter(|row| {
                let (gated, linear) = row.split_at(columns / 2);
                gated.iter().zip(linear).map(move |(gated, linear)| value(*gated) * linear)
            })
            .collect();
        outputs[0].write_f32(0, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, run, set_up};
    use ascendcl_sys::{ACL_BF16, ACL_FLOAT, ACL_FLOAT16};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_INI_MATCH,
        ATB_SHIM_UNSUPPORTED,
    };

    fn param(activation_type: i32) -> ActivationParam {
        ActivationParam { activation_type, scale: 1.0, dim: -1, gelu_mode: TANH_MODE }
    }

    fn of(param: ActivationParam, dtype: ascendcl_sys::aclDataType, x: &[f32]) -> Vec<f32> {
        let x = Tensor::floats(dtype, &[1, x.len() as i64], x);
        run(&Activation::new(param).unwrap(), &[x])[0].to_f32()
    }

    fn near(actual: &[f32], expected: &[f64], step: f64) {
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            assert!(
                (f64::from(*actual) - expected).abs() <= step * (1e-6 + expected.abs()),
                "{actual} {expected}"
            );
        }
    }

    /// Values of tables: the normal distribution's, and of the functions at hand-picked places.
    #[test]
    fn values_are_those_of_tables() {
        let x = [-3.0, -1.0, 0.0, 0.5, 1.0, 2.0];
        near(&of(param(1), ACL_FLOAT, &x), &[0.0, 0.0, 0.0, 0.5, 1.0, 2.0], 0.0);
        // x times the normal distribution.
        let exact = [-0.004_049_694, -0.158_655_254, 0.0, 0.345_731_230, 0.841_344_746, 1.954_499_736];
        near(&of(ActivationParam { gelu_mode: 1, ..param(2) }, ACL_FLOAT, &x), &exact, 2e-6);
        let tanh = [-0.003_637_392, -0.158_808_009, 0.0, 0.345_714_010, 0.841_191_991, 1.954_597_694];
        near(&of(param(2), ACL_FLOAT, &x), &tanh, 2e-6);
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let faster: Vec<f64> = x.iter().map(|x| f64::from(*x) * logistic(1.702 * f64::from(*x))).collect();
        near(&of(param(9), ACL_FLOAT, &x), &faster, 1e-6);
        near(&of(param(3), ACL_BF16, &x), &faster, 4e-3);
        let swish: Vec<f64> = x.iter().map(|x| f64::from(*x) * logistic(2.0 * f64::from(*x))).collect();
        near(&of(ActivationParam { scale: 2.0, ..param(4) }, ACL_FLOAT16, &x), &swish, 5e-4);
        near(&of(param(8), ACL_FLOAT16, &[0.0, 100.0, -100.0]), &[0.5, 1.0, 0.0], 5e-4);
        near(&of(param(5), ACL_FLOAT, &[1.0, 10.0]), &[0.0, std::f64::consts::LN_10], 1e-6);
    }

    #[test]
    fn the_error_function_has_no_seam() {
        // From tables: erfc(1), erfc(2), erfc(2.5), erfc(3).
        for (x, expected) in [
            (0.0, 1.0),
            (1.0, 0.157_299_207_050_285),
            (2.0, 4.677_734_981_047_27e-3),
            (2.5, 4.069_520_174_449_59e-4),
            (3.0, 2.209_049_699_858_54e-5),
        ] {
            assert!((complementary_error(x) / expected - 1.0).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn the_first_half_gates_the_second() {
        let y = of(param(6), ACL_FLOAT, &[1.0, -2.0, 10.0, 100.0]);
        near(&y, &[10.0 / (1.0 + (-1f64).exp()), -200.0 / (1.0 + 2f64.exp())], 1e-6);
    }

    #[test]
    fn what_is_refused() {
        for (param, status) in [
            (param(0), ATB_ERROR_INVALID_PARAM),
            (param(10), ATB_ERROR_INVALID_PARAM),
            (ActivationParam { dim: 0, ..param(6) }, ATB_ERROR_INVALID_PARAM),
            (param(SWIGLU_BACKWARD), ATB_SHIM_UNSUPPORTED),
        ] {
            assert_eq!(Activation::new(param).err().unwrap().status, status);
        }
        let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
        let operation = |kind| Activation::new(param(kind)).unwrap();
        assert_eq!(
            infer(&operation(1), &[f16(&[2])]).unwrap_err().status,
            ATB_ERROR_INVALID_TENSOR_INI_MATCH
        );
        for (kind, output) in [(2, &[2, 4, 1][..]), (2, &[2, 5]), (6, &[2, 4]), (6, &[1, 2])] {
            let refused = set_up(&operation(kind), &[f16(&[2, 4])], &[f16(output)]).unwrap_err();
            assert_eq!(refused.status, ATB_ERROR_INVALID_TENSOR_DIM, "{kind} {output:?}");
        }
        assert_eq!(set_up(&operation(6), &[f16(&[2, 4])], &[f16(&[2, 2])]), Ok(()));
    }
}
