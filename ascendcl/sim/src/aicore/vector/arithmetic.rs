//! The formulas of element-wise operations.

use bytemuck::Pod;
use half::f16;
use half::slice::HalfFloatSliceExt;

use super::cast;
use super::elementwise::{Codes, Staging};
use super::lanes::{Bytes, LANES};
use crate::aicore::abi::{DataType, Round, VectorOp};
use crate::aicore::number::{self, canonical};

/// An element as memory holds it, and the type in which the unit computes with it.
pub(super) trait Element: Pod {
    type Wide: Copy + Default + PartialOrd;

    fn widen(from: &[Self], into: &mut [Self::Wide]);
    fn narrow(from: &[Self::Wide], into: &mut [Self]);

    /// From the bits of a scalar.
    fn scalar(bits: u64) -> Self::Wide {
        let mut wide = [Self::Wide::default()];
        Self::widen(&bytemuck::cast_slice::<u64, Self>(&[bits.to_le()])[..1], &mut wide);
        wide[0]
    }
}

macro_rules! elements {
    ($($type:ty),*) => {$(
        impl Element for $type {
            type Wide = Self;

            #[inline(always)]
            fn widen(from: &[Self], into: &mut [Self]) {
                into.copy_from_slice(from);
            }

            #[inline(always)]
            fn narrow(from: &[Self], into: &mut [Self]) {
                into.copy_from_slice(from);
            }
        }
    )*};
}

elements!(i16, u16, i32, u32);

impl Element for f32 {
    type Wide = Self;

    #[inline(always)]
    fn widen(from: &[Self], into: &mut [Self]) {
        into.copy_from_slice(from);
    }

    #[inline(always)]
    fn narrow(from: &[Self], into: &mut [Self]) {
        for (to, from) in into.iter_mut().zip(from) {
            *to = canonical(*from);
        }
    }
}

impl Element for f16 {
    type Wide = f32;

    #[inline(always)]
    fn widen(from: &[Self], into: &mut [f32]) {
        from.convert_to_f32_slice(into);
    }

    #[inline(always)]
    fn narrow(from: &[f32], into: &mut [Self]) {
        into.convert_from_f32_slice(from);
        for to in into {
            *to = if to.is_nan() { Self::NAN } else { *to };
        }
    }
}

#[inline(always)]
fn map<T: Element>(io: &mut Staging, n: usize, f: impl Fn(T::Wide) -> T::Wide) {
    let mut a = [T::Wide::default(); LANES];
    T::widen(&io.src0.lanes()[..n], &mut a[..n]);
    for a in &mut a[..n] {
        *a = f(*a);
    }
    T::narrow(&a[..n], &mut io.dst.lanes_mut()[..n]);
}

#[inline(always)]
fn zip<T: Element>(io: &mut Staging, n: usize, f: impl Fn(T::Wide, T::Wide) -> T::Wide) {
    let mut a = [T::Wide::default(); LANES];
    let mut b = [T::Wide::default(); LANES];
    T::widen(&io.src0.lanes()[..n], &mut a[..n]);
    T::widen(&io.src1.lanes()[..n], &mut b[..n]);
    for (a, b) in a[..n].iter_mut().zip(&b[..n]) {
        *a = f(*a, *b);
    }
    T::narrow(&a[..n], &mut io.dst.lanes_mut()[..n]);
}

/// `f` of both sources and the destination; sources that are narrower than the destination are widened.
#[inline(always)]
fn accumulate<S: Element<Wide = f32>, D: Element<Wide = f32>>(
    io: &mut Staging,
    n: usize,
    f: impl Fn(f32, f32, f32) -> f32,
) {
    let mut a = [0.0; LANES];
    let mut b = [0.0; LANES];
    let mut d = [0.0; LANES];
    S::widen(&io.src0.lanes()[..n], &mut a[..n]);
    S::widen(&io.src1.lanes()[..n], &mut b[..n]);
    D::widen(&io.dst.lanes()[..n], &mut d[..n]);
    for ((a, b), d) in a[..n].iter().zip(&b[..n]).zip(&mut d[..n]) {
        *d = f(*a, *b, *d);
    }
    D::narrow(&d[..n], &mut io.dst.lanes_mut()[..n]);
}

/// The larger; what is not a number wins, and of equals the second.
#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller, likewise.
#[inline(always)]
fn min(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

#[inline(always)]
fn relu(a: f32) -> f32 {
    max(a, 0.0)
}

/// The scale of a dequantization as the docs have it: by 2^-17, the fp16 scale, and 2^17, so that nothing
/// overflows before its time.
pub(super) fn dequantize(value: i32, register: u64) -> f32 {
    const DOWN: f32 = 1.0 / 131_072.0;
    let scale = f16::from_bits(register as u16).to_f32();
    value as f32 * DOWN * scale * 131_072.0
}

/// Computes `n` lanes of a repeat; `first` counts the lanes before it.
pub(super) fn compute(codes: Codes, scalar: u64, first: u64, io: &mut Staging, n: usize) {
    match codes.dst {
        _ if is_cast(codes.op) => compute_cast(codes, scalar, io, n),
        DataType::F16 => compute_float::<f16, f16>(codes, scalar, first, io, n),
        DataType::F32 if codes.src == DataType::F16 => compute_float::<f16, f32>(codes, scalar, first, io, n),
        DataType::F32 => compute_float::<f32, f32>(codes, scalar, first, io, n),
        DataType::I16 => compute_i16(codes, scalar, first, io, n),
        DataType::I32 => compute_i32(codes, scalar, first, io, n),
        DataType::U16 | DataType::Bf16 => compute_u16(codes, scalar, io, n),
        _ => compute_u32(codes, scalar, io, n),
    }
}

const fn is_cast(op: VectorOp) -> bool {
    use VectorOp::*;
    matches!(op, MulCast | AddReluCast | SubReluCast | AddDeqRelu)
}

/// A multiplication and an addition are one step, with one rounding.
fn compute_float<S: Element<Wide = f32>, T: Element<Wide = f32>>(
    codes: Codes,
    scalar: u64,
    first: u64,
    io: &mut Staging,
    n: usize,
) {
    use VectorOp::*;
    let s = S::scalar(scalar);
    match codes.op {
        Add => zip::<T>(io, n, |a, b| a + b),
        Sub => zip::<T>(io, n, |a, b| a - b),
        Mul => zip::<T>(io, n, |a, b| a * b),
        Div => zip::<T>(io, n, |a, b| a / b),
        Max => zip::<T>(io, n, max),
        Min => zip::<T>(io, n, min),
        AddRelu => zip::<T>(io, n, |a, b| relu(a + b)),
        SubRelu => zip::<T>(io, n, |a, b| relu(a - b)),
        MulAddDst => accumulate::<S, T>(io, n, |a, b, d| a.mul_add(b, d)),
        FusedMulAdd => accumulate::<S, T>(io, n, |a, b, d| a.mul_add(d, b)),
        FusedMulAddRelu => accumulate::<S, T>(io, n, |a, b, d| relu(a.mul_add(d, b))),
        Axpy => accumulate::<S, T>(io, n, |a, _, d| a.mul_add(s, d)),
        Adds => map::<T>(io, n, |a| a + s),
        Muls => map::<T>(io, n, |a| a * s),
        Maxs => map::<T>(io, n, |a| max(a, s)),
        Mins => map::<T>(io, n, |a| min(a, s)),
        LeakyRelu => map::<T>(io, n, |a| if a < 0.0 { a * s } else { a }),
        Abs => map::<T>(io, n, f32::abs),
        Relu => map::<T>(io, n, relu),
        Exp => map::<T>(io, n, number::exp),
        Ln => map::<T>(io, n, number::ln),
        Sqrt => map::<T>(io, n, f32::sqrt),
        Rsqrt => map::<T>(io, n, number::reciprocal_square_root),
        Reciprocal => map::<T>(io, n, |a| 1.0 / a),
        Index => {
            let mut d = [0.0; LANES];
            for (lane, d) in d[..n].iter_mut().enumerate() {
                *d = s + (first + lane as u64) as f32;
            }
            T::narrow(&d[..n], &mut io.dst.lanes_mut()[..n]);
        }
        _ => move_elements::<T>(codes.op, scalar, io, n),
    }
}

macro_rules! integers {
    ($($name:ident, $signed:ty, $unsigned:ty);*) => {$(
        fn $name(codes: Codes, scalar: u64, first: u64, io: &mut Staging, n: usize) {
            use VectorOp::*;
            type T = $signed;
            let s = T::scalar(scalar);
            match codes.op {
                Add => zip::<T>(io, n, T::wrapping_add),
                Sub => zip::<T>(io, n, T::wrapping_sub),
                Mul => zip::<T>(io, n, T::wrapping_mul),
                Max => zip::<T>(io, n, T::max),
                Min => zip::<T>(io, n, T::min),
                And => zip::<T>(io, n, |a, b| a & b),
                Or => zip::<T>(io, n, |a, b| a | b),
                AddRelu => zip::<T>(io, n, |a, b| a.wrapping_add(b).max(0)),
                SubRelu => zip::<T>(io, n, |a, b| a.wrapping_sub(b).max(0)),
                Adds => map::<T>(io, n, |a| a.wrapping_add(s)),
                Muls => map::<T>(io, n, |a| a.wrapping_mul(s)),
                Maxs => map::<T>(io, n, |a| a.max(s)),
                Mins => map::<T>(io, n, |a| a.min(s)),
                Relu => map::<T>(io, n, |a| a.max(0)),
                Not => map::<T>(io, n, |a| !a),
                // The sign stays where it is (docs: ShiftLeft).
                ShiftLeft => map::<T>(io, n, |a| {
                    let moved = (a as $unsigned).checked_shl(s as u32).unwrap_or(0) as T;
                    (a & T::MIN) | (moved & T::MAX)
                }),
                ShiftRight => map::<T>(io, n, |a| {
                    let half = rounding(codes.round, s as u32);
                    ((i64::from(a) + half as i64) >> s) as T
                }),
                Index => {
                    for (lane, d) in io.dst.lanes_mut::<T>()[..n].iter_mut().enumerate() {
                        *d = s.wrapping_add((first + lane as u64) as T);
                    }
                }
                op => move_elements::<T>(op, scalar, io, n),
            }
        }
    )*};
}

integers!(compute_i16, i16, u16; compute_i32, i32, u32);

macro_rules! unsigned_integers {
    ($($name:ident, $type:ty);*) => {$(
        fn $name(codes: Codes, scalar: u64, io: &mut Staging, n: usize) {
            use VectorOp::*;
            type T = $type;
            let s = T::scalar(scalar);
            match codes.op {
                And => zip::<T>(io, n, |a, b| a & b),
                Or => zip::<T>(io, n, |a, b| a | b),
                Not => map::<T>(io, n, |a| !a),
                ShiftLeft => map::<T>(io, n, |a| a.checked_shl(s as u32).unwrap_or(0)),
                ShiftRight => map::<T>(io, n, |a| {
                    ((u64::from(a) + rounding(codes.round, s as u32)) >> s) as T
                }),
                op => move_elements::<T>(op, scalar, io, n),
            }
        }
    )*};
}

unsigned_integers!(compute_u16, u16; compute_u32, u32);

/// Half of what falls out of a shift to the right, if it is rounded.
fn rounding(round: Round, shift: u32) -> u64 {
    if round == Round::None || shift == 0 { 0 } else { 1 << (shift - 1) }
}

/// Operations that keep bits as they are.
fn move_elements<T: Pod>(op: VectorOp, scalar: u64, io: &mut Staging, n: usize) {
    if op == VectorOp::Duplicate {
        io.dst.lanes_mut::<T>()[..n].fill(bytemuck::cast_slice::<u64, T>(&[scalar.to_le()])[0]);
    } else {
        io.dst.lanes_mut::<T>()[..n].copy_from_slice(&io.src0.lanes()[..n]);
    }
}

/// Operations whose result is cast, rounded to the nearest even and saturated.
fn compute_cast(codes: Codes, scalar: u64, io: &mut Staging, n: usize) {
    use VectorOp::*;
    if codes.op == AddDeqRelu {
        let mut d = [0.0; LANES];
        for ((a, b), d) in io.src0.lanes::<i32>().iter().zip(io.src1.lanes::<i32>()).zip(&mut d[..n]) {
            *d = relu(dequantize(a.wrapping_add(*b), scalar));
        }
        f16::narrow(&d[..n], &mut io.dst.lanes_mut()[..n]);
        return;
    }
    // First the operation in the type of the source, then the cast of its result.
    let plain = match codes.op {
        MulCast => Mul,
        AddReluCast => AddRelu,
        _ => SubRelu,
    };
    compute(Codes { op: plain, dst: codes.src, ..codes }, scalar, 0, io, n);
    std::mem::swap(&mut io.src0, &mut io.dst);
    cast::cast(codes.src, codes.dst, Round::None, scalar, io, n);
}

/// The lanes of a repeat as f32, exactly; of fp16, bf16 or f32.
pub(super) fn to_f32(data_type: DataType, from: &Bytes, n: usize) -> [f32; LANES] {
    let mut into = [0.0; LANES];
    match data_type {
        DataType::F16 => f16::widen(&from.lanes()[..n], &mut into[..n]),
        DataType::Bf16 => from.lanes::<half::bf16>()[..n].convert_to_f32_slice(&mut into[..n]),
        _ => into[..n].copy_from_slice(&from.lanes()[..n]),
    }
    into
}
