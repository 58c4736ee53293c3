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
//! Views may have any offset and strides. A result overwrites an operand only after all were read.

mod elementwise;
mod layout;
mod matmul;
mod number;

pub(crate) use layout::Layout;
pub(crate) use number::{Number, Type};

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
        Ok(Self { name, inputs, out, work })
    }

    /// The tensors, inputs first.
    pub(crate) fn layouts(&self) -> [&Layout; 3] {
        [&self.inputs[0], &self.inputs[1], &self.out]
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

/// Computes, on the memory of the tensors.
pub(crate) fn run(plan: &Plan, memory: &[Memory]) -> Result<(), Fault> {
    let [a, b, out, ..] = memory else {
        return Err(Fault::new(format!("{} tensors, and there are 3", memory.len())));
    };
    let [x, y] = &plan.inputs;
    match &plan.work {
        Work::Elementwise(work) => work.run(&x.read(a)?, &y.read(b)?, &plan.out, out),
        Work::Matmul(work) => work.run(&x.read(a)?, &y.read(b)?, &plan.out, out),
    }
}
