//! `aclnnAdd` and `aclnnMul`.

use super::layout::{Elements, Layout, Values, broadcast_shape, offsets};
use super::{Number, Type};

#[derive(Debug)]
pub(super) struct Elementwise {
    pub common: Type,
    shape: Vec<usize>,
    operation: Operation,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Add(Number),
    Mul,
}

impl Elementwise {
    pub(super) fn add(alpha: Number, inputs: &[Layout; 2], out: &Layout) -> Result<Self, String> {
        let new = Self::new(Operation::Add(alpha), inputs, out)?;
        match alpha {
            Number::Float(value) if !new.common.is_float() => {
                Err(format!("alpha is the floating-point number {value}, and self and other are INT32"))
            }
            _ => Ok(new),
        }
    }

    pub(super) fn mul(inputs: &[Layout; 2], out: &Layout) -> Result<Self, String> {
        Self::new(Operation::Mul, inputs, out)
    }

    fn new(operation: Operation, [a, b]: &[Layout; 2], out: &Layout) -> Result<Self, String> {
        let common = a.data_type.common(b.data_type);
        if common.is_float() && !out.data_type.is_float() {
            return Err(format!("{out} cannot hold the result of {a} and {b}, which is {common}"));
        }
        let shape = broadcast_shape(&a.shape, &b.shape)
            .ok_or_else(|| format!("{a} and {b} cannot be broadcast to one shape"))?;
        if shape != out.shape {
            return Err(format!("{out} must have the shape {shape:?}, which {a} and {b} are broadcast to"));
        }
        Ok(Self { common, shape, operation })
    }

    /// The result, in order.
    pub(super) fn run(&self, a: &Elements<'_>, b: &Elements<'_>) -> Values {
        let [x, y] = [a, b].map(|elements| elements.layout.broadcast(&self.shape));
        let pairs = offsets(&self.shape, &x).zip(offsets(&self.shape, &y));
        match (&a.values, &b.values) {
            (Values::Integer(a), Values::Integer(b)) => {
                Values::Integer(pairs.map(|(x, y)| self.integer(a[x], b[y])).collect())
            }
            (a, b) => Values::Float(pairs.map(|(x, y)| self.float(a.float(x), b.float(y))).collect()),
        }
    }

    fn integer(&self, a: i32, b: i32) -> i32 {
        match self.operation {
            Operation::Add(Number::Integer(alpha)) => a.wrapping_add(b.wrapping_mul(alpha as i32)),
            Operation::Add(Number::Float(alpha)) => a.wrapping_add(b.wrapping_mul(alpha as i32)),
            Operation::Mul => a.wrapping_mul(b),
        }
    }

    fn float(&self, a: f32, b: f32) -> f32 {
        // An int32 beside fp16 is one.
        let [a, b] = [a, b].map(|value| self.common.round(value));
        self.common.round(match self.operation {
            Operation::Add(alpha) => match alpha.as_f32() {
                1.0 => a + b,
                alpha => a + alpha * b,
            },
            Operation::Mul => a * b,
        })
    }
}
