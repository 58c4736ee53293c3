//! Copies that compute with what is there (`SetAtomicAdd`, `SetAtomicMax`, `SetAtomicMin`).
//!
//! Ascend C docs, atomic operations: int8, int16, int32, fp16, bf16 and fp32. Integers saturate nowhere: they
//! wrap, as the documents name no saturation. 16-bit floats compute in fp32 and round to nearest even.

use half::{bf16, f16};

use super::operand::supported;
use super::raw;
use crate::aicore::abi::{Atomic, DataType};
use crate::aicore::fault::Fault;
use crate::aicore::memory::{Address, CoreMemory, Space, Use};

/// What a transfer does at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Plain,
    Combine(Atomic, DataType),
}

impl Store {
    /// Of the codes of an instruction. Only global memory has atomic operations; elsewhere the mode means nothing.
    pub(crate) fn of(atomic: u8, atomic_type: u8, dst: u64) -> Result<Self, Fault> {
        let operation = Atomic::of(atomic)
            .ok_or_else(|| Fault::Unsupported(format!("{atomic} is no atomic operation")))?;
        if operation == Atomic::None || Address(dst).space() != Some(Space::Gm) {
            return Ok(Self::Plain);
        }
        use DataType::{Bf16, F16, F32, I8, I16, I32};
        match DataType::of(atomic_type) {
            Some(kind @ (I8 | I16 | I32 | F16 | Bf16 | F32)) => Ok(Self::Combine(operation, kind)),
            _ => Err(Fault::Unsupported(format!("atomic operations do not compute with type {atomic_type}"))),
        }
    }

    /// Whole elements only.
    pub(crate) fn check_length(self, bytes: u64) -> Result<(), Fault> {
        match self {
            Self::Plain => Ok(()),
            Self::Combine(_, kind) => supported(bytes.is_multiple_of(kind.bits() as u64 / 8), || {
                format!("an atomic copy of {bytes} bytes does not hold whole elements of {kind:?}")
            }),
        }
    }

    pub(crate) fn used(self) -> Use {
        match self {
            Self::Plain => Use::Write,
            Self::Combine(..) => Use::Atomic,
        }
    }

    /// Writes bytes, or combines them with what is there.
    pub(crate) fn put(self, memory: &CoreMemory, dst: Address, bytes: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Plain => raw::put(memory, dst, bytes),
            Self::Combine(operation, kind) => {
                let mut there = raw::read(memory, dst, bytes.len() as u64)?;
                combine(operation, kind, &mut there, bytes);
                raw::put(memory, dst, &there)
            }
        }
    }
}

fn combine(operation: Atomic, kind: DataType, there: &mut [u8], new: &[u8]) {
    macro_rules! each {
        ($type:ty, $add:expr, $max:expr, $min:expr) => {{
            const SIZE: usize = size_of::<$type>();
            let (olds, _) = there.as_chunks_mut::<SIZE>();
            for (old, new) in olds.iter_mut().zip(new.as_chunks::<SIZE>().0) {
                let (a, b) = (<$type>::from_le_bytes(*old), <$type>::from_le_bytes(*new));
                let result: $type = match operation {
                    Atomic::None => b,
                    Atomic::Add => $add(a, b),
                    Atomic::Max => $max(a, b),
                    Atomic::Min => $min(a, b),
                };
                *old = result.to_le_bytes();
            }
        }};
    }
    match kind {
        DataType::I8 => each!(i8, i8::wrapping_add, i8::max, i8::min),
        DataType::I16 => each!(i16, i16::wrapping_add, i16::max, i16::min),
        DataType::I32 => each!(i32, i32::wrapping_add, i32::max, i32::min),
        DataType::F32 => each!(f32, |a: f32, b| a + b, f32::max, f32::min),
        DataType::F16 => each!(
            f16,
            |a: f16, b: f16| f16::from_f32(a.to_f32() + b.to_f32()),
            |a: f16, b: f16| f16::from_f32(a.to_f32().max(b.to_f32())),
            |a: f16, b: f16| f16::from_f32(a.to_f32().min(b.to_f32()))
        ),
        DataType::Bf16 => each!(
            bf16,
            |a: bf16, b: bf16| bf16::from_f32(a.to_f32() + b.to_f32()),
            |a: bf16, b: bf16| bf16::from_f32(a.to_f32().max(b.to_f32())),
            |a: bf16, b: bf16| bf16::from_f32(a.to_f32().min(b.to_f32()))
        ),
        // `Store::of` lets no other type through.
        _ => {}
    }
}
