//! What the operators of the simulator itself compute.
//!
//! * `aclnnAdd`: `self + alpha * other`, and `aclnnMul`: `self * other`, of fp32, fp16, bf16 and int32, with broadcasting. The
//!   operands are taken as their common type: the type itself if it is the same, the floating-point one if the other is
//!   int32, and fp32 for two different floating-point types. Floating-point numbers are computed in fp32, product and sum
//!   each rounded to it (`alpha` of 1 leaves the sum alone), then rounded once to the common type, to the nearest even; int32
//!   wraps around. The result is converted to the type of `out`, which is floating-point if the common type is.
//! * `aclnnMatmul`: the product of matrices with one to six dimensions, of which those before the last two are broadcast; a
//!   vector is a row on the left and a column on the right. Products are summed in ascending order, with one rounding to
//!   fp32 each, as the cube does, and the sum is rounded once to the type of `out`. `cubeMathType` says how operands of fp32
//!   are taken: as they are (0), rounded to HF32 with 11 bits of fraction (1 and 3), or to fp16 (2).
//!
//! A result that is infinite or no number, rounded to the common type or to that of `out`, has overflowed. On streams that
//! saturate (`aclrtSetDeviceSatMode`), what is infinite then becomes the largest number of the type, and the overflow is
//! kept for `aclrtGetOverflowStatus`; what is no number stays so.
//!
//! Views may have any offset and strides. A result overwrites an operand only after all were read.

mod elementwise;
mod layout;
mod matmul;
mod number;

pub(crate) use layout::{Layout, offsets};
pub(crate) use number::{Number, Type};

use serde_json::{Value, json};

use crate::operator::{Fault, Memory};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    /// `self + alpha * other`
    Add(Number),
    Mul,
    Matmul {
        cube_math_type: i8,
    },
}

/// A call of an operator that was found right.
#[derive(Debug)]
pub(crate) struct Plan {
    pub name: &'static str,
    request: Request,
    inputs: [Layout; 2],
    out: Layout,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Elementwise(elementwise::Elementwise),
    Matmul(matmul::Matmul),
}

impl Plan {
    /// Checks a call.
    pub(crate) fn new(
        name: &'static str,
        request: Request,
        inputs: [Layout; 2],
        out: Layout,
    ) -> Result<Self, String> {
        let work = match request {
            Request::Add(alpha) => Work::Elementwise(elementwise::Elementwise::add(alpha, &inputs, &out)?),
            Request::Mul => Work::Elementwise(elementwise::Elementwise::mul(&inputs, &out)?),
            Request::Matmul { cube_math_type } => {
                Work::Matmul(matmul::Matmul::new(cube_math_type, &inputs, &out)?)
            }
        };
        Ok(Self { name, request, inputs, out, work })
    }

    /// The tensors, inputs first.
    pub(crate) fn layouts(&self) -> [&Layout; 3] {
        [&self.inputs[0], &self.inputs[1], &self.out]
    }

    /// The type of the operator.
    pub(crate) fn operator(&self) -> &'static str {
        match self.request {
            Request::Add(_) => "Add",
            Request::Mul => "Mul",
            Request::Matmul { .. } => "MatMul",
        }
    }

    /// What the call is: the operator, its attributes, and its tensors.
    pub(crate) fn describe(&self) -> Value {
        let attributes = match self.request {
            Request::Add(Number::Float(alpha)) => json!({ "alpha": alpha }),
            Request::Add(Number::Integer(alpha)) => json!({ "alpha": alpha }),
            Request::Mul => json!({}),
            Request::Matmul { cube_math_type } => json!({ "cubeMathType": cube_math_type }),
        };
        json!({
            "op_type": self.operator(),
            "attributes": attributes,
            "inputs": self.inputs.iter().map(Layout::describe).collect::<Vec<_>>(),
            "outputs": [self.out.describe()],
        })
    }

    /// The bytes of the workspace: a copy of each tensor that is converted, or not contiguous, as the device's kernels take
    /// it.
    pub(crate) fn workspace(&self, alignment: usize) -> usize {
        let common = match &self.work {
            Work::Elementwise(work) => work.common,
            Work::Matmul(work) => work.common,
        };
        let copy = |layout: &&Layout| !layout.is_contiguous() || layout.data_type != common;
        self.layouts()
            .iter()
            .filter(|layout| copy(layout))
            .map(|layout| (layout.elements() * common.bytes()).next_multiple_of(alignment))
            .sum()
    }
}

/// Computes, on the memory of the tensors. Answers whether a result overflowed, and then was made the largest number if the
/// stream saturates.
pub(crate) fn run(plan: &Plan, memory: &[Memory], saturates: bool) -> Result<bool, Fault> {
    let [a, b, out, ..] = memory else {
        return Err(Fault::new(format!("{} tensors, and there are 3", memory.len())));
    };
    let [x, y] = &plan.inputs;
    let (x, y) = (x.read(a)?, y.read(b)?);
    let (common, mut result) = match &plan.work {
        Work::Elementwise(work) => (work.common, work.run(&x, &y)),
        // The sum is rounded to the type of the result alone.
        Work::Matmul(work) => (plan.out.data_type, work.run(&x, &y)),
    };
    // In this order: what the common type does not hold is the largest number of that type, also in a wider one.
    let overflowed = [common, plan.out.data_type].map(|data_type| result.overflow(data_type, saturates));
    plan.out.write(out, &result)?;
    Ok(overflowed.contains(&true))
}
