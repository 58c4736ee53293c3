//! Linear: matrix products, of 16-bit floats or of int8 with dequantisation.
//!
//! What is rounded where:
//! * int8: sums and the bias are exact in int32. The sum becomes f32 and is multiplied by the scale of its column, and the
//!   product is rounded once, to fp16 or bf16. For fp16 the scale passes through the cube's output stage (ATB's
//!   `pp_matmul.cce` hands it to the fixpipe), which keeps 19 of its bits: 64-bit words hold an f32 in their low half, of which the
//!   low 13 bits are dropped. For bf16 the scale is a whole f32 (`pp_matmul_bf16.cce`).
//! * int8 with a scale per token: `(sum * scale of the column) * scale of the row`, rounded once.
//! * floats: sums in f32, with the bias, rounded once. How the cube orders its additions is not published.
//!
//! With `MATMUL_EIN_SUM`, `[m, b, k] x [b, k, n]` gives `[m, b, n]`.

mod checks;
mod compute;
#[cfg(test)]
mod tests;

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_BF16, ACL_DT_UNDEFINED, ACL_FLOAT, ACL_FLOAT16, aclDataType};

use super::table::{self, BF16, BF16_NZ, Combination, F16, F16_NZ, F32, I8, I8_NZ, I32, I64, U64};
use crate::operator::{Operator, Refusal, Result, refuse};
use crate::tensor::{Operand, TensorDesc};

pub(crate) const MATMUL_UNDEFINED: i32 = 0;
pub(crate) const MATMUL_EIN_SUM: i32 = 1;
pub(crate) const QUANT_UNDEFINED: i32 = 0;
pub(crate) const QUANT_PER_TOKEN: i32 = 2;

/// `atb::infer::LinearParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LinearParam {
    pub transpose_a: bool,
    pub transpose_b: bool,
    pub has_bias: bool,
    pub out_data_type: i32,
    pub en_accum: bool,
    pub matmul_type: i32,
    pub quant_mode: i32,
}

pub(crate) struct Linear {
    param: LinearParam,
}

fn wrong_param(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_PARAM, "Linear: {what}")
}

impl Linear {
    pub(crate) fn new(param: LinearParam) -> Result<Self> {
        match param.matmul_type {
            MATMUL_EIN_SUM => check_ein_sum(&param)?,
            MATMUL_UNDEFINED => check_plain(&param)?,
            other => {
                return Err(wrong_param(format!(
                    "matmulType is MATMUL_UNDEFINED (0) or MATMUL_EIN_SUM (1), not {other}"
                )));
            }
        }
        Ok(Self { param })
    }

    fn out_data_type(&self) -> Option<aclDataType> {
        let dtype = aclDataType(self.param.out_data_type);
        (dtype != ACL_DT_UNDEFINED).then_some(dtype)
    }

    fn is_ein_sum(&self) -> bool {
        self.param.matmul_type == MATMUL_EIN_SUM
    }

    fn is_per_token(&self) -> bool {
        self.param.quant_mode == QUANT_PER_TOKEN
    }

    fn table(&self) -> &'static [Combination<'static>] {
        if self.is_ein_sum() {
            return &[
                (&[F16, F16], &[F16]),
                (&[BF16, BF16], &[BF16]),
                (&[F16, F16_NZ], &[F16]),
                (&[BF16, BF16_NZ], &[BF16]),
            ];
        }
        let (bias, token) = (self.param.has_bias, self.is_per_token());
        match self.out_data_type() {
            None if self.param.en_accum => &[(&[F16, F16, F32], &[F32]), (&[BF16, BF16, F32], &[F32])],
            None if bias => &[
                (&[F16, F16, F16], &[F16]),
                (&[F16, F16_NZ, F16], &[F16]),
                (&[BF16, BF16, BF16], &[BF16]),
                (&[BF16, BF16_NZ, BF16], &[BF16]),
                (&[F16, F16, F32], &[F16]),
                (&[BF16, BF16, F32], &[BF16]),
            ],
            None => &[
                (&[F16, F16], &[F16]),
                (&[F16, F16_NZ], &[F16]),
                (&[BF16, BF16], &[BF16]),
                (&[BF16, BF16_NZ], &[BF16]),
                (&[F32, F32], &[F32]),
            ],
            Some(ACL_FLOAT16) if token => &[(&[I8, I8, F32, F32], &[F16])],
            Some(_) if token => &[(&[I8, I8, F32, F32], &[BF16])],
            Some(ACL_FLOAT16) if bias => &[
                (&[I8, I8, I32, U64], &[F16]),
                (&[I8, I8, I32, I64], &[F16]),
                (&[I8, I8_NZ, I32, U64], &[F16]),
                (&[I8, I8_NZ, I32, I64], &[F16]),
            ],
            Some(ACL_FLOAT16) => &[
                (&[I8, I8, U64], &[F16]),
                (&[I8, I8, I64], &[F16]),
                (&[I8, I8_NZ, U64], &[F16]),
                (&[I8, I8_NZ, I64], &[F16]),
            ],
            Some(_) if bias => &[(&[I8, I8, I32, F32], &[BF16]), (&[I8, I8_NZ, I32, F32], &[BF16])],
            Some(_) => &[(&[I8, I8, F32], &[BF16]), (&[I8, I8_NZ, F32], &[BF16])],
        }
    }
}

fn check_ein_sum(param: &LinearParam) -> Result {
    for (wrong, what) in [
        (param.en_accum, "MATMUL_EIN_SUM is not for enAccum"),
        (param.transpose_a, "MATMUL_EIN_SUM is not for transposeA"),
        (param.has_bias, "MATMUL_EIN_SUM is not for hasBias"),
        (param.out_data_type != ACL_DT_UNDEFINED.0, "MATMUL_EIN_SUM needs outDataType ACL_DT_UNDEFINED"),
    ] {
        if wrong {
            return Err(wrong_param(what));
        }
    }
    Ok(())
}

fn check_plain(param: &LinearParam) -> Result {
    match aclDataType(param.out_data_type) {
        ACL_DT_UNDEFINED => {
            if param.quant_mode != QUANT_UNDEFINED {
                return Err(wrong_param("quantMode needs an outDataType"));
            }
            if param.en_accum && param.has_bias {
                return Err(wrong_param("enAccum is not for hasBias"));
            }
        }
        ACL_FLOAT16 | ACL_BF16 => {
            if param.en_accum {
                return Err(wrong_param("enAccum needs outDataType ACL_DT_UNDEFINED"));
            }
            if param.quant_mode == QUANT_PER_TOKEN && param.has_bias {
                return Err(wrong_param("quantMode PER_TOKEN is not for hasBias"));
            }
        }
        other => {
            return Err(wrong_param(format!(
                "outDataType is ACL_DT_UNDEFINED, ACL_FLOAT16 or ACL_BF16, not {}",
                other.0
            )));
        }
    }
    Ok(())
}

impl Operator for Linear {
    fn name(&self) -> &'static str {
        "LinearOperation"
    }

    fn input_num(&self) -> usize {
        match self.out_data_type() {
            None => 2 + usize::from(self.param.has_bias || self.param.en_accum),
            Some(_) => 3 + usize::from(self.param.has_bias || self.is_per_token()),
        }
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        table::check("Linear", self.table(), inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        self.check_shapes(inputs)
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let mut output = inputs[0].clone();
        if let Some(dtype) = self.out_data_type() {
            output.dtype = dtype;
        } else if self.param.en_accum {
            output.dtype = ACL_FLOAT;
        }
        let (m, n) = (self.m(&inputs[0]), self.n(&inputs[1]));
        if let [.., rows, columns] = output.shape.as_mut_slice() {
            *columns = n;
            if !self.is_ein_sum() {
                *rows = m;
            }
        }
        Ok(vec![output])
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        self.check_output(inputs, &outputs[0])
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        self.compute(inputs, &outputs[0])
    }
}
