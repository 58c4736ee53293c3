//! Elewise: one operation for each element, and the quantisers.
//!
//! What is rounded where:
//! * The sum, difference, product and quotient of 16-bit floats are those of f32, rounded once, which is the same as computing in
//!   the narrow type. Whole numbers wrap around.
//! * `MULS` of fp16 takes the factor as fp16, of bf16 and f32 as f32. Its kernel is the toolkit's, as are those of `COS`,
//!   `SIN`, `TANH`, which are exact up to the one rounding here.
//! * `CAST` rounds to nearest even; int64 to int32 saturates.
//! * `QUANT`, in fp16: `x * inputScale + inputOffset`, both steps rounded, then to int8 (ATB's `quant.cpp`).
//! * `QUANT_PER_CHANNEL` of fp16 *divides* by the scale in fp16 and adds the offset in fp16; of bf16 it divides in f32, rounds to fp16, and
//!   adds the offset in fp16. A single scale is not divided by: its reciprocal is multiplied with, for fp16 rounded to fp16
//!   (`quant_per_channel.cpp`).
//! * `DEQUANT_PER_CHANNEL`: `(y - offset) * scale`, both steps in fp16 (`dequant_per_channel.cpp`).
//! * `DYNAMIC_QUANT`: each row is multiplied by `127 / max|x|`, for fp16 rounded to fp16 as is the product, and goes to int8 from fp16
//!   with ties *away from zero*; the scale is `max|x| * (1/127)` (`dynamic_quant_align.h`).

mod compute;
#[cfg(test)]
mod tests;

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{
    ACL_BF16, ACL_DT_UNDEFINED, ACL_FLOAT, ACL_FLOAT16, ACL_INT8, ACL_INT32, ACL_INT64, aclDataType,
};

use super::shape::{dim_from_end, rank};
use super::table::{self, BF16, Combination, F16, F32, I8, I32, I64};
use crate::operator::{Operator, Refusal, Result, refuse};
use crate::tensor::{Operand, TensorDesc};

/// `atb::infer::ElewiseParam` with its `QuantParam` and `MulsParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ElewiseParam {
    pub elewise_type: i32,
    pub input_scale: f32,
    pub asymmetric: bool,
    pub input_offset: i32,
    pub var_attr: f32,
    pub out_tensor_type: i32,
}

/// `atb::infer::ElewiseParam::ElewiseType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cast = 1,
    Muls,
    Cos,
    Sin,
    Neg,
    Quant,
    LogicalNot,
    Add,
    Mul,
    RealDiv,
    LogicalAnd,
    LogicalOr,
    Less,
    Greater,
    Sub,
    Equal,
    QuantPerChannel,
    DequantPerChannel,
    DynamicQuant,
    Tanh,
}

const KINDS: [Kind; 20] = [
    Kind::Cast,
    Kind::Muls,
    Kind::Cos,
    Kind::Sin,
    Kind::Neg,
    Kind::Quant,
    Kind::LogicalNot,
    Kind::Add,
    Kind::Mul,
    Kind::RealDiv,
    Kind::LogicalAnd,
    Kind::LogicalOr,
    Kind::Less,
    Kind::Greater,
    Kind::Sub,
    Kind::Equal,
    Kind::QuantPerChannel,
    Kind::DequantPerChannel,
    Kind::DynamicQuant,
    Kind::Tanh,
];

pub(crate) struct Elewise {
    param: ElewiseParam,
    kind: Kind,
}

fn wrong_param(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_PARAM, "Elewise: {what}")
}

impl Elewise {
    pub(crate) fn new(param: ElewiseParam) -> Result<Self> {
        let kind = KINDS
            .into_iter()
            .find(|kind| *kind as i32 == param.elewise_type)
            .ok_or_else(|| wrong_param(format!("elewiseType is 1 to 20, not {}", param.elewise_type)))?;
        if kind == Kind::DynamicQuant && param.asymmetric {
            return Err(wrong_param("dynamic quantisation is symmetric"));
        }
        Ok(Self { param, kind })
    }

    fn table(&self) -> &'static [Combination<'static>] {
        match self.kind {
            Kind::Cast => &[
                (&[F16], &[F32]),
                (&[F32], &[F16]),
                (&[I32], &[I64]),
                (&[I64], &[I32]),
                (&[BF16], &[F32]),
                (&[F32], &[BF16]),
            ],
            Kind::Muls | Kind::Cos | Kind::Sin => &[(&[F16], &[F16]), (&[F32], &[F32]), (&[BF16], &[BF16])],
            Kind::Neg | Kind::Tanh => &[(&[F16], &[F16]), (&[BF16], &[BF16])],
            Kind::Quant => &[(&[F16], &[I8])],
            Kind::LogicalNot => &[(&[I8], &[I8])],
            Kind::Add => &[
                (&[F16; 2], &[F16]),
                (&[F32; 2], &[F32]),
                (&[BF16; 2], &[BF16]),
                (&[I32; 2], &[I32]),
                (&[I64; 2], &[I64]),
            ],
            Kind::Sub => &[(&[F16; 2], &[F16]), (&[I64; 2], &[I64]), (&[BF16; 2], &[BF16])],
            Kind::Mul => &[(&[F16; 2], &[F16]), (&[BF16; 2], &[BF16])],
            Kind::RealDiv => &[(&[F16; 2], &[F16]), (&[F32; 2], &[F32]), (&[BF16; 2], &[BF16])],
            Kind::LogicalAnd | Kind::LogicalOr => &[(&[I8; 2], &[I8])],
            Kind::Less | Kind::Greater => {
                &[(&[I64; 2], &[I8]), (&[F16; 2], &[I8]), (&[F32; 2], &[I8]), (&[BF16; 2], &[I8])]
            }
            Kind::Equal => &[(&[F16; 2], &[I8]), (&[F32; 2], &[I8]), (&[BF16; 2], &[I8])],
            Kind::QuantPerChannel => &[(&[F16, F16, I8], &[I8]), (&[BF16, BF16, I8], &[I8])],
            Kind::DequantPerChannel => &[(&[I8, F16, I8], &[F16])],
            Kind::DynamicQuant => &[(&[F16], &[I8, F32]), (&[BF16], &[I8, F32])],
        }
    }

    fn cast_type(&self, from: aclDataType) -> Result<aclDataType> {
        match aclDataType(self.param.out_tensor_type) {
            ACL_DT_UNDEFINED if from == ACL_FLOAT => Ok(ACL_FLOAT16),
            ACL_DT_UNDEFINED => Ok(ACL_FLOAT),
            to @ (ACL_FLOAT16 | ACL_FLOAT | ACL_INT32 | ACL_INT64 | ACL_BF16) => Ok(to),
            to => Err(wrong_param(format!("nothing is cast to type {}", to.0))),
        }
    }

    fn dynamic_shapes(x: &TensorDesc) -> Result<Vec<TensorDesc>> {
        let columns = dim_from_end(x, 0);
        let longest = if x.dtype == ACL_FLOAT16 { 26_624 } else { 7_552 };
        if rank(x) < 2 {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM_NUM,
                "Elewise: dynamic quantisation takes 2 or more dimensions, not {}",
                rank(x)
            ));
        }
        if columns > longest {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM,
                "Elewise: dynamic quantisation of this type takes rows of up to {longest}, not {columns}"
            ));
        }
        let rows = x.shape[..rank(x) - 1].to_vec();
        let scales = TensorDesc { dtype: ACL_FLOAT, shape: rows, ..x.clone() };
        Ok(vec![TensorDesc { dtype: ACL_INT8, ..x.clone() }, scales])
    }
}

/// The shape that two have in common: dimensions of 1 stretch.
fn broadcast(left: &[i64], right: &[i64]) -> Result<Vec<i64>> {
    let rank = left.len().max(right.len());
    let at =
        |shape: &[i64], index: usize| (index + shape.len()).checked_sub(rank).map_or(1, |index| shape[index]);
    (0..rank)
        .map(|index| {
            let (a, b) = (at(left, index), at(right, index));
            if a != 1 && b != 1 && a != b {
                return Err(refuse!(
                    ATB_ERROR_INVALID_TENSOR_DIM,
                    "Elewise: the shapes {left:?} and {right:?} have none in common"
                ));
            }
            Ok(a.max(b))
        })
        .collect()
}

impl Operator for Elewise {
    fn name(&self) -> &'static str {
        "ElewiseOperation"
    }

    fn input_num(&self) -> usize {
        match self.kind {
            Kind::QuantPerChannel | Kind::DequantPerChannel => 3,
            Kind::Add
            | Kind::Mul
            | Kind::RealDiv
            | Kind::LogicalAnd
            | Kind::LogicalOr
            | Kind::Less
            | Kind::Greater
            | Kind::Sub
            | Kind::Equal => 2,
            _ => 1,
        }
    }

    fn output_num(&self) -> usize {
        if self.kind == Kind::DynamicQuant { 2 } else { 1 }
    }

    fn may_be_empty(&self, input: usize) -> bool {
        self.input_num() == 3 && input == 2
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        table::check("Elewise", self.table(), inputs, outputs)
    }

    fn check_inputs(&self, _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let x = inputs[0].clone();
        let dtype = match self.kind {
            Kind::DynamicQuant => return Self::dynamic_shapes(&x),
            Kind::Cast => self.cast_type(x.dtype)?,
            Kind::Quant if dim_from_end(&x, 0) % 32 != 0 => {
                return Err(refuse!(
                    ATB_ERROR_INVALID_TENSOR_DIM,
                    "Elewise: quantisation takes rows of a multiple of 32, not {}",
                    dim_from_end(&x, 0)
                ));
            }
            Kind::Quant
            | Kind::QuantPerChannel
            | Kind::Less
            | Kind::Greater
            | Kind::Equal
            | Kind::LogicalAnd
            | Kind::LogicalOr => ACL_INT8,
            Kind::DequantPerChannel => {
                // ATB compares the types of all three, so leaving the offset out is for the set-up only.
                if inputs[2].is_none() {
                    return Err(wrong_param(
                        "shapes of DEQUANT_PER_CHANNEL are inferred with an offset only",
                    ));
                }
                ACL_FLOAT16
            }
            _ => x.dtype,
        };
        let shape = match self.input_num() {
            2 => broadcast(&x.shape, &inputs[1].shape)?,
            _ => x.shape.clone(),
        };
        Ok(vec![TensorDesc { dtype, shape, ..x }])
    }

    /// ATB compares nothing here; the set-up of its kernels would fail for shapes that fit no output.
    fn check_outputs(&self, inputs: &[TensorDesc], _: &[TensorDesc]) -> Result {
        if self.input_num() == 3 { Ok(()) } else { self.infer_shape(inputs).map(drop) }
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        self.compute(inputs, outputs)
    }
}

/// Types whose elements are whole numbers.
fn is_whole(dtype: aclDataType) -> bool {
    [ACL_INT8, ACL_INT32, ACL_INT64].contains(&dtype)
}
