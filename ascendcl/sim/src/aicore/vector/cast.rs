//! Casts between types (Ascend C docs: Cast, the table of Atlas A2; precision conversion).

use half::{bf16, f16};

use super::arithmetic::{Element, dequantize, to_f32};
use super::elementwise::Staging;
use super::lanes::LANES;
use crate::aicore::abi::{DataType, Round};
use crate::aicore::number::{self, BF16, F32, Format, canonical, round_to_integer};

/// Whether the device has the cast with the rounding mode.
pub(super) fn is_supported(src: DataType, dst: DataType, round: Round) -> bool {
    use DataType::*;
    let rounds = matches!(round, Round::Rint | Round::Floor | Round::Ceil | Round::Round | Round::Trunc);
    let none = round == Round::None;
    match (src, dst) {
        (I4 | I8 | U8, F16) | (I16, F32) | (F16 | Bf16, F32) | (I32, I16 | I64) | (I64, I32) => none,
        (I16, F16) | (F16, I4 | I8 | U8) | (I32, F32) => rounds || none,
        (F16, I16 | I32) | (Bf16, I32) | (F32, I16 | Bf16 | I32 | F32 | I64) | (I64, F32) => rounds,
        (F32, F16) => true,
        // The mode has no effect, the scale comes from the dequantization register.
        (I32, F16) => true,
        _ => false,
    }
}

const fn is_nearest(round: Round) -> bool {
    matches!(round, Round::None | Round::Rint)
}

/// Casts `n` lanes of the first source. The pair and the mode must be supported.
pub(super) fn cast(src: DataType, dst: DataType, round: Round, register: u64, io: &mut Staging, n: usize) {
    use DataType::*;
    match src {
        F16 | Bf16 | F32 => {
            let values = to_f32(src, &io.src0, n);
            from_f32(&values[..n], dst, round, io);
        }
        I4 => {
            let mut values = [0.0; LANES];
            for (lane, value) in values[..n].iter_mut().enumerate() {
                // The element of an even lane is in the low half; shifts bring its sign along.
                let byte = io.src0.0[lane / 2] as i8;
                *value = f32::from(if lane % 2 == 0 { byte << 4 >> 4 } else { byte >> 4 });
            }
            from_f32(&values[..n], dst, round, io);
        }
        I8 => from_small::<i8>(dst, round, io, n),
        U8 => from_small::<u8>(dst, round, io, n),
        I16 if dst == I8 => {
            for (to, from) in io.dst.lanes_mut::<i8>()[..n].iter_mut().zip(io.src0.lanes::<i16>()) {
                *to = (*from).clamp(i8::MIN.into(), i8::MAX.into()) as i8;
            }
        }
        I16 => from_small::<i16>(dst, round, io, n),
        I32 => from_i32(dst, round, register, io, n),
        _ => from_i64(dst, round, io, n),
    }
}

/// Integers that f32 holds exactly.
fn from_small<T: bytemuck::Pod + Into<f32>>(dst: DataType, round: Round, io: &mut Staging, n: usize) {
    let mut values = [0.0; LANES];
    for (value, from) in values[..n].iter_mut().zip(io.src0.lanes::<T>()) {
        *value = (*from).into();
    }
    from_f32(&values[..n], dst, round, io);
}

fn from_i32(dst: DataType, round: Round, register: u64, io: &mut Staging, n: usize) {
    let from = &io.src0.lanes::<i32>()[..n];
    match dst {
        DataType::I16 => {
            for (to, from) in io.dst.lanes_mut::<i16>().iter_mut().zip(from) {
                *to = (*from).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            }
        }
        DataType::I64 => {
            for (to, from) in io.dst.lanes_mut::<i64>().iter_mut().zip(from) {
                *to = i64::from(*from);
            }
        }
        DataType::F16 => {
            let mut values = [0.0; LANES];
            for (value, from) in values.iter_mut().zip(from) {
                *value = dequantize(*from, register);
            }
            f16::narrow(&values[..n], &mut io.dst.lanes_mut()[..n]);
        }
        _ if is_nearest(round) => {
            for (to, from) in io.dst.lanes_mut::<f32>().iter_mut().zip(from) {
                *to = *from as f32;
            }
        }
        _ => {
            for (to, from) in io.dst.lanes_mut::<u32>().iter_mut().zip(from) {
                *to = F32.encode_integer(i64::from(*from), round);
            }
        }
    }
}

fn from_i64(dst: DataType, round: Round, io: &mut Staging, n: usize) {
    let from = &io.src0.lanes::<i64>()[..n];
    if dst == DataType::I32 {
        for (to, from) in io.dst.lanes_mut::<i32>().iter_mut().zip(from) {
            *to = (*from).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        }
    } else {
        for (to, from) in io.dst.lanes_mut::<u32>().iter_mut().zip(from) {
            *to = F32.encode_integer(*from, round);
        }
    }
}

/// To integers: rounded, then saturated; what is not a number gives 0.
fn from_f32(values: &[f32], dst: DataType, round: Round, io: &mut Staging) {
    use DataType::*;
    macro_rules! integers {
        ($type:ty) => {
            for (to, value) in io.dst.lanes_mut::<$type>().iter_mut().zip(values) {
                *to = round_to_integer(*value, round) as $type;
            }
        };
    }
    match dst {
        F32 if is_lossless(round) => {
            for (to, value) in io.dst.lanes_mut::<f32>().iter_mut().zip(values) {
                *to = canonical(*value);
            }
        }
        // From f32 to f32: an integral value.
        F32 => {
            for (to, value) in io.dst.lanes_mut::<f32>().iter_mut().zip(values) {
                *to = canonical(round_to_integer(*value, round));
            }
        }
        F16 if is_nearest(round) => f16::narrow(values, &mut io.dst.lanes_mut()[..values.len()]),
        F16 => narrow(number::F16, values, round, io),
        Bf16 if is_nearest(round) => {
            for (to, value) in io.dst.lanes_mut::<bf16>().iter_mut().zip(values) {
                *to = bf16::from_f32(canonical(*value));
            }
        }
        Bf16 => narrow(BF16, values, round, io),
        I4 => {
            for (to, pair) in io.dst.0.iter_mut().zip(values.chunks(2)) {
                let half = |value: f32| (round_to_integer(value, round) as i8).clamp(-8, 7) as u8 & 0xf;
                *to = half(pair[0]) | pair.get(1).map_or(0, |value| half(*value) << 4);
            }
        }
        I8 => integers!(i8),
        U8 => integers!(u8),
        I16 => integers!(i16),
        I32 => integers!(i32),
        _ => integers!(i64),
    }
}

/// Casts without loss have no rounding mode.
const fn is_lossless(round: Round) -> bool {
    matches!(round, Round::None)
}

fn narrow(format: Format, values: &[f32], round: Round, io: &mut Staging) {
    for (to, value) in io.dst.lanes_mut::<u16>().iter_mut().zip(values) {
        *to = format.encode_f32(*value, round) as u16;
    }
}
