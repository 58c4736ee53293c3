//! RmsNorm: root mean square normalisation of rows, with what may come before and after it.
//!
//! Rows are those of the last dimension. What is added up and multiplied is f32:
//! * `NORM`: `x / root * gamma`, rounded once (ATB's `rms_norm.cpp`). Gemma's model multiplies by `gamma + 1`. In the mode of
//!   high performance the quotient is rounded to fp16 before the product, which is rounded again.
//! * `NORM` to int8: `(x * (1 / root) * gamma + beta) * (1 / scale) + offset`, then fp16, then int8 (`rms_norm_quant.cpp`).
//!   Rows beyond the unified buffer multiply the sum of squares by `1/n` instead of each square there, here never.
//! * `NORM` with dynamic quantisation: `x / root * gamma + beta` is rounded to fp16, its largest magnitude gives the scale, and
//!   the product with the scale's reciprocal is fp16 (`norm_dynamic_quant_base.h`).
//! * `PRENORM` and `POSTNORM`: the residual, then the bias, are added in f32. The sum is an output of `PRENORM`, rounded; what
//!   is normalised is the sum before that, times `1 / root`, times `gamma` (`comm_pre_post.h`).
//!
//! Not computed: `rstd`, and `PRENORM` and `POSTNORM` with quantisation.

#[cfg(test)]
mod tests;

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_FLOAT, ACL_FLOAT16, ACL_INT8, aclDataType};
use rayon::prelude::*;

use crate::arithmetic::{quantize, rms_norm, round};
use crate::operator::{Operator, Result, refuse};
use crate::ops::shape::{dim, dim_from_end, rank, rows_and_columns};
use crate::ops::table::{self, BF16, Combination, F16, F32, I8};
use crate::tensor::{Operand, TensorDesc};

pub(crate) const LAYER_NORM: i32 = 1;
pub(crate) const LAYER_PRENORM: i32 = 2;
pub(crate) const LAYER_POSTNORM: i32 = 3;
pub(crate) const QUANT_UNQUANT: i32 = 0;
pub(crate) const QUANT_INT8: i32 = 2;
pub(crate) const DYNAMIC_QUANT_UNDEFINED: i32 = 0;
pub(crate) const DYNAMIC_QUANT_SYMMETRIC: i32 = 1;
const DYNAMIC_QUANT_ASYMMETRIC: i32 = 2;
const HIGH_PERFORMANCE_MODE: i32 = 1;
const LLAMA_MODEL: i32 = 0;
const GEMMA_MODEL: i32 = 1;

/// The longest row of dynamic quantisation.
const LONGEST_DYNAMIC_ROW: i64 = 12_288;

/// `atb::infer::RmsNormParam::NormParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NormParam {
    pub quant_type: i32,
    pub epsilon: f32,
    pub layer_norm_eps: f64,
    pub rstd: bool,
    pub precision_mode: i32,
    pub model_type: i32,
    pub dynamic_quant_type: i32,
}

/// `atb::infer::RmsNormParam::PreNormParam` and `PostNormParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResidualNormParam {
    pub quant_type: i32,
    pub epsilon: f32,
    pub has_bias: bool,
}

/// `atb::infer::RmsNormParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RmsNormParam {
    pub layer_type: i32,
    pub norm_param: NormParam,
    pub pre_norm_param: ResidualNormParam,
    pub post_norm_param: ResidualNormParam,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Norm,
    Quant,
    DynamicQuant,
    Pre { bias: bool },
    Post { bias: bool },
}

pub(crate) struct RmsNorm {
    param: RmsNormParam,
    form: Form,
}

impl RmsNorm {
    pub(crate) fn new(param: RmsNormParam) -> Result<Self> {
        let (norm, pre, post) = (&param.norm_param, &param.pre_norm_param, &param.post_norm_param);
        // Below this the device's floats have no normal numbers.
        let vanishes = |epsilon: f64| epsilon.abs() < f64::from(2e-38f32);
        if [norm.epsilon.into(), norm.layer_norm_eps, pre.epsilon.into(), post.epsilon.into()]
            .into_iter()
            .any(vanishes)
        {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "RmsNorm: every epsilon must be other than 0, also of layers that are not used"
            ));
        }
        let quant_type = match param.layer_type {
            LAYER_NORM => norm.quant_type,
            LAYER_PRENORM => pre.quant_type,
            LAYER_POSTNORM => post.quant_type,
            other => {
                return Err(refuse!(
                    ATB_ERROR_INVALID_PARAM,
                    "RmsNorm: layerType is NORM (1), PRENORM (2) or POSTNORM (3), not {other}"
                ));
            }
        };
        if quant_type != QUANT_UNQUANT && quant_type != QUANT_INT8 {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "RmsNorm: quantType is QUANT_UNQUANT (0) or QUANT_INT8 (2), not {quant_type}"
            ));
        }
        if param.layer_type == LAYER_NORM && norm.dynamic_quant_type == DYNAMIC_QUANT_ASYMMETRIC {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "RmsNorm: dynamicQuantType is not DYNAMIC_QUANT_ASYMMETRIC"
            ));
        }
        let form = match (param.layer_type, quant_type, norm.dynamic_quant_type) {
            (LAYER_NORM, QUANT_UNQUANT, _) if norm.rstd => {
                return Err(refuse!(ATB_SHIM_UNSUPPORTED, "RmsNorm: rstd is not simulated"));
            }
            (LAYER_NORM, QUANT_UNQUANT, _) => Form::Norm,
            (LAYER_NORM, _, DYNAMIC_QUANT_UNDEFINED) => Form::Quant,
            (LAYER_NORM, _, _) => Form::DynamicQuant,
            (_, QUANT_INT8, _) => {
                return Err(refuse!(
                    ATB_SHIM_UNSUPPORTED,
                    "RmsNorm: PRENORM and POSTNORM with quantisation are not simulated"
                ));
            }
            // ATB counts the bias of either.
            (LAYER_PRENORM, _, _) => Form::Pre { bias: pre.has_bias || post.has_bias },
            _ => Form::Post { bias: pre.has_bias || post.has_bias },
        };
        Ok(Self { param, form })
    }

    fn table(&self) -> &'static [Combination<'static>] {
        match self.form {
            Form::Norm => &[(&[F16; 2], &[F16]), (&[BF16; 2], &[BF16])],
            Form::Quant => &[(&[F16, F16, F16, F16, I8], &[I8]), (&[BF16, BF16, BF16, BF16, I8], &[I8])],
            Form::DynamicQuant => &[(&[F16; 3], &[I8, F32])],
            Form::Pre { bias: false } => &[(&[F16; 3], &[F16; 2]), (&[BF16; 3], &[BF16; 2])],
            Form::Pre { bias: true } => &[(&[F16; 4], &[F16; 2]), (&[BF16; 4], &[BF16; 2])],
            Form::Post { bias: false } => &[(&[F16; 3], &[F16]), (&[BF16; 3], &[BF16])],
            Form::Post { bias: true } => &[(&[F16; 4], &[F16]), (&[BF16; 4], &[BF16])],
        }
    }

    fn any_quant(&self) -> bool {
        [
            &self.param.norm_param.quant_type,
            &self.param.pre_norm_param.quant_type,
            &self.param.post_norm_param.quant_type,
        ]
        .contains(&&QUANT_INT8)
    }

    fn check_last_dims(&self, inputs: &[TensorDesc]) -> Result {
        let wrong = |what: String| {
            Err(match self.param.post_norm_param.quant_type {
                QUANT_INT8 => refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "RmsNorm: {what}"),
                _ => refuse!(ATB_ERROR_INVALID_TENSOR_SIZE, "RmsNorm: {what}"),
            })
        };
        let columns = dim_from_end(&inputs[0], 0);
        let alignment = match inputs[0].dtype {
            _ if self.param.post_norm_param.quant_type == QUANT_INT8 => 32,
            ACL_FLOAT => 8,
            _ => 16,
        };
        if columns % alignment != 0 {
            return wrong(format!("the last dimension must be a multiple of {alignment}, not {columns}"));
        }
        let norm = &self.param.norm_param;
        if norm.quant_type == QUANT_INT8
            && norm.dynamic_quant_type == DYNAMIC_QUANT_SYMMETRIC
            && columns > LONGEST_DYNAMIC_ROW
        {
            return wrong(format!(
                "the last dimension must be at most {LONGEST_DYNAMIC_ROW} for dynamic quantisation, not {columns}"
            ));
        }
        // ATB leaves the last two tensors out whatever is quantised, so for dynamic quantisation gamma and beta too.
        let compared = self.input_num() - if self.any_quant() { 2 } else { 0 };
        for (index, desc) in inputs.iter().enumerate().take(compared).skip(1) {
            if dim_from_end(desc, 0) != columns {
                return wrong(format!(
                    "the last dimension of input {index} must be {columns} as that of input 0, not {}",
                    dim_from_end(desc, 0)
                ));
            }
        }
        Ok(())
    }

    fn check_modes(&self) -> Result {
        let norm = &self.param.norm_param;
        let fast = norm.precision_mode == HIGH_PERFORMANCE_MODE;
        let model = norm.model_type != LLAMA_MODEL;
        let quant = norm.quant_type != QUANT_UNQUANT;
        for (wrong, what) in [
            (model && quant, "modelType is not for quantisation"),
            (model && fast, "modelType is not for HIGH_PERFORMANCE_MODE"),
            (model && norm.rstd, "modelType is not for rstd"),
            (fast && quant, "HIGH_PERFORMANCE_MODE is not for quantisation"),
            (fast && norm.rstd, "HIGH_PERFORMANCE_MODE is not for rstd"),
            (has_quantised_bias(&self.param.pre_norm_param), "preNormParam.hasBias is not for quantisation"),
            (
                has_quantised_bias(&self.param.post_norm_param),
                "postNormParam.hasBias is not for quantisation",
            ),
            (norm.rstd && quant, "rstd is not for quantisation"),
        ] {
            if wrong {
                return Err(refuse!(ATB_ERROR_INVALID_PARAM, "RmsNorm: {what}"));
            }
        }
        Ok(())
    }

    /// `y` of one row, in f32, for the forms of `NORM`.
    fn normalised(&self, x: &[f32], gamma: &[f32], beta: &[f32]) -> Vec<f32> {
        let epsilon = self.param.norm_param.epsilon;
        match self.form {
            Form::Quant => rms_norm::scaled(x, gamma, beta, 1.0 / x.len() as f32, epsilon),
            Form::DynamicQuant => {
                let y = rms_norm::divided(x, gamma, epsilon);
                y.iter().zip(beta).map(|(y, beta)| y + beta).collect()
            }
            _ if self.param.norm_param.precision_mode == HIGH_PERFORMANCE_MODE => {
                let root = rms_norm::root(x, epsilon);
                x.iter().zip(gamma).map(|(x, gamma)| round::half(x / root) * gamma).collect()
            }
            _ => rms_norm::divided(x, gamma, epsilon),
        }
    }

    fn run_norm(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let (_, columns) = rows_and_columns(&inputs[0]);
        let x = inputs[0].to_f32()?;
        let mut gamma = vector(&inputs[1], columns)?;
        if self.param.norm_param.model_type == GEMMA_MODEL {
            gamma.iter_mut().for_each(|gamma| *gamma += 1.0);
        }
        let beta = if inputs.len() > 2 { vector(&inputs[2], columns)? } else { Vec::new() };
        let rows = x.par_chunks(columns.max(1)).map(|x| self.normalised(x, &gamma, &beta));
        match self.form {
            Form::Quant => {
                let reciprocal = 1.0 / vector(&inputs[3], 1)?[0];
                let offset = f32::from(inputs[4].memory.read::<i8>(0, 1)?[0]);
                let y: Vec<i8> =
                    rows.flat_map_iter(|y| quantize::per_tensor(&y, reciprocal, offset)).collect();
                outputs[0].memory.write(0, &y)
            }
            Form::DynamicQuant => {
                let quantised: Vec<(Vec<i8>, f32)> = rows
                    .map(|y| quantize::per_token_half(&y.into_iter().map(round::half).collect::<Vec<_>>()))
                    .collect();
                let y: Vec<i8> = quantised.iter().flat_map(|(y, _)| y.iter().copied()).collect();
                let scales: Vec<f32> = quantised.iter().map(|(_, scale)| *scale).collect();
                outputs[0].memory.write(0, &y)?;
                outputs[1].memory.write(0, &scales)
            }
            _ => outputs[0].write_f32(0, &rows.flat_map_iter(|y| y).collect::<Vec<f32>>()),
        }
    }

    fn run_residual(
        &self,
        bias: bool,
        inputs: &[Operand<'_>],
        outputs: &[Operand<'_>],
    ) -> std::result::Result<(), Fault> {
        let (_, columns) = rows_and_columns(&inputs[0]);
        let mut sums = inputs[0].to_f32()?;
        let residual = inputs[if bias { 2 } else { 1 }].to_f32()?;
        sums.iter_mut().zip(residual).for_each(|(sum, residual)| *sum += residual);
        if bias {
            let bias = vector(&inputs[1], columns)?;
            sums.iter_mut().zip(bias.iter().cycle()).for_each(|(sum, bias)| *sum += bias);
        }
        let gamma = vector(&inputs[if bias { 3 } else { 2 }], columns)?;
        let epsilon = match self.form {
            Form::Pre { .. } => {
                outputs[1].write_f32(0, &sums)?;
                self.param.pre_norm_param.epsilon
            }
            _ => self.param.post_norm_param.epsilon,
        };
        let y: Vec<f32> = sums
            .par_chunks(columns.max(1))
            .flat_map_iter(|row| {
                let factor = 1.0 / rms_norm::root(row, epsilon);
                row.iter().zip(&gamma).map(move |(x, gamma)| x * factor * gamma)
            })
            .collect();
        outputs[0].write_f32(0, &y)
    }
}

fn has_quantised_bias(param: &ResidualNormParam) -> bool {
    param.has_bias && param.quant_type != QUANT_UNQUANT
}

/// The values of a tensor that must have this many.
fn vector(operand: &Operand<'_>, len: usize) -> std::result::Result<Vec<f32>, Fault> {
    let values = operand.to_f32()?;
    if values.len() == len {
        Ok(values)
    } else {
        Err(Fault::new(format!(
            "RmsNorm: a row has {len} elements, but a vector of weights {}",
            values.len()
        )))
    }
}

/// Whether all dimensions but the last are 1.
fn is_row(desc: &TensorDesc) -> bool {
    desc.shape.iter().rev().skip(1).all(|dim| *dim == 1)
}

fn is_one(desc: &TensorDesc) -> bool {
    desc.shape == [1]
}

impl Operator for RmsNorm {
    fn name(&self) -> &'static str {
        "RmsNormOperation"
    }

    fn input_num(&self) -> usize {
        match self.form {
            Form::Norm => 2,
            Form::Quant => 5,
            Form::DynamicQuant => 3,
            Form::Pre { bias } | Form::Post { bias } => 3 + usize::from(bias),
        }
    }

    fn output_num(&self) -> usize {
        match self.form {
            Form::DynamicQuant | Form::Pre { .. } => 2,
            Form::Norm | Form::Quant | Form::Post { .. } => 1,
        }
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        table::check("RmsNorm", self.table(), inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let wrong = |what: &str| Err(refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "RmsNorm: {what}"));
        let norm = &self.param.norm_param;
        if norm.rstd && inputs[0].dtype != ACL_FLOAT {
            return Err(refuse!(ATB_ERROR_INVALID_TENSOR_DTYPE, "RmsNorm: rstd needs x of float"));
        }
        if norm.precision_mode == HIGH_PERFORMANCE_MODE && inputs[0].dtype != ACL_FLOAT16 {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DTYPE,
                "RmsNorm: HIGH_PERFORMANCE_MODE needs x of float16"
            ));
        }
        let columns = dim_from_end(&inputs[0], 0);
        match self.form {
            Form::Norm | Form::Quant | Form::DynamicQuant => {
                if dim_from_end(&inputs[1], 0) != columns {
                    return wrong("the last dimension of gamma must be that of x");
                }
                if !is_row(&inputs[1]) {
                    return wrong("all dimensions of gamma but the last must be 1");
                }
                if self.form == Form::Quant {
                    if inputs[2] != inputs[1] {
                        return wrong("beta must have type, format and shape of gamma");
                    }
                    if !is_one(&inputs[3]) || !is_one(&inputs[4]) {
                        return wrong("scale and offset must have the shape [1]");
                    }
                }
            }
            Form::Pre { bias } | Form::Post { bias } => {
                let residual = &inputs[if bias { 2 } else { 1 }];
                if *residual != inputs[0] {
                    return wrong("the residual must have type, format and shape of x");
                }
                let is_vector = |desc: &TensorDesc| {
                    desc.dtype == inputs[0].dtype
                        && desc.format == inputs[0].format
                        && dim_from_end(desc, 0) == columns
                        && is_row(desc)
                };
                if !is_vector(&inputs[if bias { 3 } else { 2 }]) {
                    return wrong("gamma must have type and format of x, and one row of its columns");
                }
                if bias && !is_vector(&inputs[1]) {
                    return wrong("the bias must have type and format of x, and one row of its columns");
                }
            }
        }
        self.check_last_dims(inputs)?;
        self.check_modes()
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let x = inputs[0].clone();
        let int8 = TensorDesc { dtype: ACL_INT8, ..x.clone() };
        Ok(match self.form {
            Form::Norm | Form::Post { .. } => vec![x],
            Form::Quant => vec![int8],
            Form::DynamicQuant => {
                let rows = x.shape[..x.shape.len().saturating_sub(1)].to_vec();
                vec![int8, TensorDesc { dtype: ACL_FLOAT, shape: rows, ..x }]
            }
            Form::Pre { .. } => vec![x.clone(), x],
        })
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let dtype: aclDataType = if self.any_quant() { ACL_INT8 } else { inputs[0].dtype };
        let (x, y) = (&inputs[0], &outputs[0]);
        if y.dtype != dtype {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DTYPE,
                "RmsNorm: the output has type {}, not {}",
                y.dtype.0,
                dtype.0
            ));
        }
        if y.format != x.format {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_FORMAT,
                "RmsNorm: the output must have the format of x"
            ));
        }
        if rank(y) != rank(x) {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_SIZE,
                "RmsNorm: the output must have as many dimensions as x"
            ));
        }
        match (0..rank(x)).find(|index| dim(x, *index) != dim(y, *index)) {
            Some(index) => Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM,
                "RmsNorm: dimension {index} of the output must be {}, not {}",
                dim(x, index),
                dim(y, index)
            )),
            None => Ok(()),
        }
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        match self.form {
            Form::Norm | Form::Quant | Form::DynamicQuant => self.run_norm(inputs, outputs),
            Form::Pre { bias } | Form::Post { bias } => self.run_residual(bias, inputs, outputs),
        }
    }
}
