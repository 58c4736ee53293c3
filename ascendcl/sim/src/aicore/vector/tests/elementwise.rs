use half::f16;
use proptest::prelude::*;

use super::arena::{Arena, Expected, SIZE, scramble, ub};
use crate::aicore::abi::{self, Comparison, DataType, Mask, SelectMode, VectorOp};
use DataType::{F16, F32, I8, I16, I32, U8, U16, U32};
use VectorOp::*;

/// The size of an element in bytes.
pub(super) fn size(data_type: DataType) -> usize {
    data_type.bits() / 8
}

pub(super) fn vector(op: VectorOp, src: DataType, dst: DataType) -> abi::Vector {
    abi::Vector {
        kind: abi::Kind::Vector as u16,
        pipe: 1,
        reserved: 0,
        op: op as u16,
        dst_type: dst as u8,
        src_type: src as u8,
        round: 0,
        compare: 0,
        select: 0,
        reserved1: 0,
        repeat: 1,
        dst: ub(0),
        src0: ub(64 << 10),
        src1: ub(128 << 10),
        scalar: 0,
        selection: 0,
        mask: Mask { bits: [u64::MAX; 2], counter: 0, reserved: 0 },
        dst_block_stride: 1,
        src0_block_stride: 1,
        src1_block_stride: 1,
        dst_repeat_stride: 8,
        src0_repeat_stride: 8,
        src1_repeat_stride: 8,
    }
}

/// The lanes of each repeat that take part, by the words of the documentation.
pub(super) fn active_lanes(mask: &Mask, repeat: u32, per_repeat: usize) -> Vec<Vec<usize>> {
    if mask.counter == 1 {
        let count = mask.bits[0] as usize;
        let all: Vec<usize> = (0..count).collect();
        return all.chunks(per_repeat).map(|part| part.iter().map(|i| i % per_repeat).collect()).collect();
    }
    let lanes: Vec<usize> =
        (0..per_repeat).filter(|lane| mask.bits[lane / 64] >> (lane % 64) & 1 == 1).collect();
    if lanes.is_empty() { Vec::new() } else { vec![lanes; repeat as usize] }
}

/// The offset of a lane from the start of its tensor.
pub(super) fn lane_offset(
    lane: usize,
    size: usize,
    repeat: usize,
    block_stride: u32,
    repeat_stride: u32,
) -> u64 {
    let byte = lane * size;
    (repeat as u64 * u64::from(repeat_stride) + (byte / 32) as u64 * u64::from(block_stride)) * 32
        + (byte % 32) as u64
}

/// Little-endian bits.
fn bits(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

fn float(data_type: DataType, bits: u64) -> f64 {
    match data_type {
        F16 => f16::from_bits(bits as u16).to_f64(),
        _ => f64::from(f32::from_bits(bits as u32)),
    }
}

/// One rounding to f32, and for fp16 another.
fn float_bits(data_type: DataType, value: f64) -> u64 {
    match data_type {
        _ if value.is_nan() => {
            if data_type == F16 {
                0x7e00
            } else {
                0x7fc0_0000
            }
        }
        F16 => u64::from(f16::from_f32(value as f32).to_bits()),
        _ => u64::from((value as f32).to_bits()),
    }
}

fn signed(data_type: DataType, bits: u64) -> i128 {
    match data_type {
        I16 => i128::from(bits as i16),
        I32 => i128::from(bits as i32),
        _ => i128::from(bits),
    }
}

struct Lane {
    a: u64,
    b: u64,
    d: u64,
    s: u64,
    index: u64,
}

fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a > b {
        a
    } else {
        b
    }
}

fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a < b {
        a
    } else {
        b
    }
}

fn float_formula(op: VectorOp, src: DataType, dst: DataType, lane: &Lane) -> u64 {
    let (a, b, s) = (float(src, lane.a), float(src, lane.b), float(src, lane.s));
    let d = float(dst, lane.d);
    // The operation before a relu rounds as it would alone.
    let rounded = |value: f64| float(dst, float_bits(dst, value));
    let value = match op {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Div => a / b,
        Max => larger(a, b),
        Min => smaller(a, b),
        AddRelu => larger(rounded(a + b), 0.0),
        SubRelu => larger(rounded(a - b), 0.0),
        MulAddDst => a * b + d,
        FusedMulAdd => a * d + b,
        FusedMulAddRelu => larger(rounded(a * d + b), 0.0),
        Axpy => a * s + d,
        Adds => a + s,
        Muls => a * s,
        Maxs => larger(a, s),
        Mins => smaller(a, s),
        LeakyRelu => {
            if a < 0.0 {
                a * s
            } else {
                a
            }
        }
        Abs => a.abs(),
        Relu => larger(a, 0.0),
        Sqrt => a.sqrt(),
        Rsqrt => 1.0 / a.sqrt(),
        Reciprocal => 1.0 / a,
        Index => s + lane.index as f64,
        Duplicate => return lane.s,
        Copy => return lane.a,
        _ => unreachable!("{op:?} has no float formula"),
    };
    float_bits(dst, value)
}

fn integer_formula(op: VectorOp, data_type: DataType, round: bool, lane: &Lane) -> u64 {
    let width = data_type.bits() as u32;
    let (a, b, s) = (signed(data_type, lane.a), signed(data_type, lane.b), signed(data_type, lane.s));
    let wrap = |value: i128| value as u64 & ((1 << width) - 1);
    let is_signed = matches!(data_type, I16 | I32);
    let value = match op {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Max => a.max(b),
        Min => a.min(b),
        And => a & b,
        Or => a | b,
        Not => !a,
        AddRelu => signed(data_type, wrap(a + b)).max(0),
        SubRelu => signed(data_type, wrap(a - b)).max(0),
        Adds => a + s,
        Muls => a * s,
        Maxs => a.max(s),
        Mins => a.min(s),
        Relu => a.max(0),
        ShiftLeft if is_signed => {
            let low = (lane.a << s) & ((1 << (width - 1)) - 1);
            (low | lane.a & 1 << (width - 1)).into()
        }
        ShiftLeft => a << s,
        ShiftRight => (a + if round && s > 0 { 1 << (s - 1) } else { 0 }) >> s,
        Index => s + i128::from(lane.index),
        Duplicate => s,
        Copy => a,
        _ => unreachable!("{op:?} has no integer formula"),
    };
    wrap(value)
}

fn formula(op: VectorOp, src: DataType, dst: DataType, round: bool, lane: &Lane) -> u64 {
    let saturated =
        |value: f64, least: f64, most: f64| value.round_ties_even().clamp(least, most) as i64 as u64 & 0xff;
    match op {
        AddDeqRelu => {
            let sum = (lane.a as i32).wrapping_add(lane.b as i32) as f32;
            let scaled = sum / 131_072.0 * f16::from_bits(lane.s as u16).to_f32() * 131_072.0;
            float_bits(F16, larger(scaled.into(), 0.0))
        }
        MulCast => {
            let product = float(F16, float_formula(Mul, src, src, lane));
            if dst == U8 { saturated(product, 0.0, 255.0) } else { saturated(product, -128.0, 127.0) }
        }
        AddReluCast | SubReluCast => {
            let plain = if op == AddReluCast { AddRelu } else { SubRelu };
            if src == I16 {
                return signed(I16, integer_formula(plain, src, false, lane)).clamp(-128, 127) as u64 & 0xff;
            }
            let value = float(src, float_formula(plain, src, src, lane));
            if dst == F16 { float_bits(F16, value) } else { saturated(value, -128.0, 127.0) }
        }
        _ if matches!(dst, F16 | F32) => float_formula(op, src, dst, lane),
        _ => integer_formula(op, dst, round, lane),
    }
}

/// Operations and their types for Atlas A2 (Ascend C docs).
fn table() -> Vec<(VectorOp, DataType, DataType)> {
    let mut table = Vec::new();
    let mut same = |ops: &[VectorOp], types: &[DataType]| {
        table.extend(ops.iter().flat_map(|op| types.iter().map(|t| (*op, *t, *t))));
    };
    same(&[Add, Sub, Mul, Max, Min, Adds, Muls, Maxs, Mins, Index], &[I16, F16, I32, F32]);
    same(&[Div, LeakyRelu, Abs, Sqrt, Rsqrt, Reciprocal], &[F16, F32]);
    same(&[FusedMulAdd, FusedMulAddRelu, MulAddDst, Axpy], &[F16, F32]);
    same(&[And, Or, Not], &[I16, U16]);
    same(&[AddRelu, SubRelu], &[I16, F16, F32]);
    same(&[ShiftLeft, ShiftRight], &[I16, U16, I32, U32]);
    same(&[Relu], &[F16, I32, F32]);
    same(&[Duplicate, Copy], &[I16, U16, F16, I32, U32, F32]);
    table.extend([(MulAddDst, F16, F32), (Axpy, F16, F32), (MulCast, F16, I8), (MulCast, F16, U8)]);
    for op in [AddReluCast, SubReluCast] {
        table.extend([(op, F16, I8), (op, I16, I8), (op, F32, F16)]);
    }
    table.push((AddDeqRelu, I32, F16));
    table
}

fn reads_two(op: VectorOp) -> bool {
    use VectorOp as V;
    matches!(
        op,
        V::Add | V::Sub | V::Mul | V::Div | V::Max | V::Min | V::And | V::Or | V::AddRelu | V::SubRelu
    ) || matches!(op, V::MulAddDst | V::FusedMulAdd | V::FusedMulAddRelu | V::MulCast | V::AddReluCast)
        || matches!(op, V::SubReluCast | V::AddDeqRelu | V::Compare | V::CompareMask)
}

fn accumulates(op: VectorOp) -> bool {
    matches!(op, MulAddDst | FusedMulAdd | FusedMulAddRelu | Axpy)
}

/// Numbers of few digits and moderate size, so that a product and a sum are exact in f64.
fn short_numbers(arena: &mut Arena, src: DataType, seed: u64) {
    let mut seed = seed;
    let mut next = |data_type: DataType| {
        let word = scramble(&mut seed);
        match data_type {
            F16 => (word as u16 & 0x83ff | (8 + (word >> 32) as u16 % 12) << 10).to_le_bytes().to_vec(),
            _ => {
                let exponent = 120 + (word >> 40) as u32 % 16;
                (word as u32 & 0x807f_f000 | exponent << 23).to_le_bytes().to_vec()
            }
        }
    };
    // The destination lies in the first third.
    for (range, data_type) in [(0..64 << 10, F32), (64 << 10..SIZE as u64, src)] {
        let mut at = range.start;
        while at < range.end {
            let bytes = next(data_type);
            arena.put(at, &bytes);
            at += bytes.len() as u64;
        }
    }
}

pub(super) fn masks() -> impl Strategy<Value = Mask> {
    let normal = |bits| Mask { bits, counter: 0, reserved: 0 };
    prop_oneof![
        Just(normal([u64::MAX; 2])),
        any::<[u64; 2]>().prop_map(normal),
        (0u32..129).prop_map(move |n| {
            let bits = if n == 128 { u128::MAX } else { (1 << n) - 1 };
            normal([bits as u64, (bits >> 64) as u64])
        }),
        (0u64..700).prop_map(|count| Mask { bits: [count, 7], counter: 1, reserved: 0 }),
    ]
}

/// Runs the formula repeat by repeat, as the unit reads a repeat before it writes it.
fn expect(v: &abi::Vector, op: VectorOp, src: DataType, dst: DataType, arena: &Arena) -> Expected {
    let mut memory = arena.bytes().to_vec();
    let mut expected = Expected::default();
    let (source, target) = (size(src), size(dst));
    let per_repeat = 256 / source.max(target);
    let mut lanes = active_lanes(&v.mask, v.repeat, per_repeat);
    if op == Copy && v.mask.counter == 1 {
        let each: Vec<usize> = (0..v.mask.bits[0] as usize).collect();
        lanes = if each.is_empty() { Vec::new() } else { vec![each; v.repeat as usize] };
    }
    let low = |address: u64| address & 0xff_ffff;
    for (repeat, lanes) in lanes.iter().enumerate() {
        let mut results = Vec::new();
        for lane in lanes {
            let mut fetch = |base: u64, size: usize, block, step, used: bool| {
                let at = low(base) + lane_offset(*lane, size, repeat, block, step);
                if used {
                    expected.read(at, size);
                }
                bits(&memory[at as usize..][..size])
            };
            let a = fetch(
                v.src0,
                source,
                v.src0_block_stride,
                v.src0_repeat_stride,
                !matches!(op, Duplicate | Index),
            );
            let b = fetch(v.src1, source, v.src1_block_stride, v.src1_repeat_stride, reads_two(op));
            let d = fetch(v.dst, target, v.dst_block_stride, v.dst_repeat_stride, accumulates(op));
            let index = (repeat * per_repeat + lane) as u64;
            let value = formula(op, src, dst, v.round == 1, &Lane { a, b, d, s: v.scalar, index });
            let at = low(v.dst) + lane_offset(*lane, target, repeat, v.dst_block_stride, v.dst_repeat_stride);
            results.push((at, value.to_le_bytes()));
        }
        for (at, bytes) in results {
            memory[at as usize..][..target].copy_from_slice(&bytes[..target]);
            expected.write(at, &bytes[..target]);
        }
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_operation_computes_its_formula(
        row in any::<prop::sample::Index>(),
        mask in masks(),
        repeat in 0u32..7,
        block in (1u32..4, 0u32..4, 0u32..4),
        step in (0u32..24, 0u32..24, 0u32..24),
        seed in any::<u64>(),
        scalar in any::<u64>(),
        plain in any::<bool>(),
        in_place in any::<bool>(),
        round in 0u8..2,
    ) {
        let table = table();
        let (op, src, dst) = table[row.index(table.len())];
        let mut v = abi::Vector { mask, repeat, round, ..vector(op, src, dst) };
        if !plain {
            (v.dst_block_stride, v.src0_block_stride, v.src1_block_stride) = block;
            (v.dst_repeat_stride, v.src0_repeat_stride, v.src1_repeat_stride) = step;
        }
        let mut arena = Arena::random(seed);
        v.scalar = scalar;
        if accumulates(op) {
            short_numbers(&mut arena, src, seed);
            v.scalar = bits(&arena.bytes()[64 << 10..][..size(src)]);
            if dst == F16 {
                // The destination is of the type of the sources too.
                let copy = arena.bytes()[64 << 10..128 << 10].to_vec();
                arena.put(0, &copy);
            }
        }
        if matches!(op, ShiftLeft | ShiftRight) {
            v.scalar = scalar % (src.bits() as u64 + 1);
        }
        if op == Index && !matches!(dst, F16 | F32) {
            v.scalar = scalar & ((1 << dst.bits()) - 1);
        }
        if op == Copy && mask.counter == 1 {
            v.mask.bits[0] %= 256 / size(src) as u64 + 1;
        }
        if in_place && src == dst {
            v.src0 = v.dst;
            v.src0_block_stride = v.dst_block_stride;
            v.src0_repeat_stride = v.dst_repeat_stride;
        }
        expect(&v, op, src, dst, &arena).verify(&mut arena, &v);
    }

    #[test]
    fn comparisons_pack_a_bit_for_each_lane(
        op in prop::sample::select(vec![Compare, CompareScalar]),
        data_type in prop::sample::select(vec![F16, F32, I32]),
        mode in 0u8..6,
        counter in any::<bool>(),
        count in 0u64..600,
        repeat in 0u32..7,
        block in (0u32..4, 0u32..4),
        step in (0u32..24, 0u32..24),
        seed in any::<u64>(),
        few in any::<bool>(),
    ) {
        let mut arena = Arena::random(seed);
        if few {
            // Equal values, also of different signs.
            for word in arena.bytes_mut()[64 << 10..].chunks_exact_mut(4) {
                word.copy_from_slice(&[[0, 0, 0, 0], [0, 0x80, 0, 0x80], [0, 0x3c, 0, 0x3c]][word[0] as usize % 3]);
            }
        }
        let compare = if data_type == I32 { Comparison::Eq as u8 } else { mode };
        let mut v = abi::Vector { compare, repeat, ..vector(op, data_type, U8) };
        // Which lanes a mask names has no effect.
        v.mask = Mask { bits: if counter { [count, 0] } else { [seed, 1] }, counter: counter.into(), reserved: 0 };
        (v.src0_block_stride, v.src1_block_stride) = block;
        (v.src0_repeat_stride, v.src1_repeat_stride) = step;
        v.scalar = bits(&arena.bytes()[64 << 10..][..size(data_type)]);
        let per_repeat = 256 / size(data_type);
        let repeats = if counter { count as usize / per_repeat } else { repeat as usize };
        let mut expected = Expected::default();
        let mut packed = vec![0u8; repeats * per_repeat / 8];
        for repeat in 0..repeats {
            for lane in 0..per_repeat {
                let mut fetch = |base: u64, block, step| {
                    let at = base + lane_offset(lane, size(data_type), repeat, block, step);
                    expected.read(at, size(data_type));
                    bits(&arena.bytes()[at as usize..][..size(data_type)])
                };
                let a = fetch(64 << 10, v.src0_block_stride, v.src0_repeat_stride);
                let b = if op == Compare {
                    fetch(128 << 10, v.src1_block_stride, v.src1_repeat_stride)
                } else {
                    v.scalar
                };
                let truth = if data_type == I32 {
                    a == b
                } else {
                    let (a, b) = (float(data_type, a), float(data_type, b));
                    match compare { 0 => a < b, 1 => a > b, 2 => a == b, 3 => a <= b, 4 => a >= b, _ => a != b }
                };
                let i = repeat * per_repeat + lane;
                packed[i / 8] |= u8::from(truth) << (i % 8);
            }
        }
        expected.write(0, &packed);
        expected.verify(&mut arena, &v);
    }

    #[test]
    fn a_comparison_into_the_register_is_what_select_chooses_by(
        data_type in prop::sample::select(vec![F16, F32]),
        mask in any::<[u64; 2]>(),
        repeat in 0u32..5,
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let mask = Mask { bits: mask, counter: 0, reserved: 0 };
        let v = abi::Vector { mask, compare: Comparison::Lt as u8, ..vector(CompareMask, data_type, data_type) };
        arena.run(&v).expect("the comparison is valid");
        let per_repeat = 256 / size(data_type);
        let value = |arena: &Arena, base: usize, i: usize| {
            float(data_type, bits(&arena.bytes()[base + i * size(data_type)..][..size(data_type)]))
        };
        let mut register = 0u128;
        for lane in 0..per_repeat {
            let active = mask.bits[lane / 64] >> (lane % 64) & 1 == 1;
            if active && value(&arena, 64 << 10, lane) < value(&arena, 128 << 10, lane) {
                register |= 1 << lane;
            }
        }
        prop_assert_eq!(arena.registers.compare_mask, [register as u64, (register >> 64) as u64]);
        let v = abi::Vector { repeat, ..vector(Select, data_type, data_type) };
        let mut expected = Expected::default();
        for i in 0..repeat as usize * per_repeat {
            let at = i * size(data_type);
            expected.read((64 << 10) + at as u64, size(data_type));
            expected.read((128 << 10) + at as u64, size(data_type));
            let base = if register >> (i % per_repeat) & 1 == 1 { 64 << 10 } else { 128 << 10 };
            expected.write(at as u64, &arena.bytes()[base + at..][..size(data_type)]);
        }
        expected.verify(&mut arena, &v);
    }

    #[test]
    fn select_chooses_by_the_bits_of_a_tensor(
        mode in prop::sample::select(SelectMode::ALL.to_vec()),
        data_type in prop::sample::select(vec![F16, F32]),
        mask in masks(),
        repeat in 0u32..7,
        block in (1u32..4, 0u32..4, 0u32..4),
        step in (0u32..24, 0u32..24, 0u32..24),
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let bits_at = 32 << 10;
        let mut v = abi::Vector { mask, repeat, select: mode as u8, selection: ub(bits_at), scalar: seed, ..vector(Select, data_type, data_type) };
        (v.dst_block_stride, v.src0_block_stride, v.src1_block_stride) = block;
        (v.dst_repeat_stride, v.src0_repeat_stride, v.src1_repeat_stride) = step;
        let size = size(data_type);
        let per_repeat = 256 / size;
        let mut expected = Expected::default();
        for (repeat, lanes) in active_lanes(&mask, repeat, per_repeat).iter().enumerate() {
            for lane in lanes {
                let bit = if mode == SelectMode::MaskRegister { *lane } else { repeat * per_repeat + lane };
                let at = bits_at + bit as u64 / 8;
                expected.read(at, 1);
                let first = arena.bytes()[at as usize] >> (bit % 8) & 1 == 1;
                let a = (64 << 10) + lane_offset(*lane, size, repeat, block.1, step.1);
                let b = (128 << 10) + lane_offset(*lane, size, repeat, block.2, step.2);
                expected.read(a, size);
                let mut other = v.scalar.to_le_bytes()[..size].to_vec();
                if mode != SelectMode::TensorScalar {
                    expected.read(b, size);
                    other = arena.bytes()[b as usize..][..size].to_vec();
                }
                let value = if first { arena.bytes()[a as usize..][..size].to_vec() } else { other };
                expected.write(lane_offset(*lane, size, repeat, block.0, step.0), &value);
            }
        }
        expected.verify(&mut arena, &v);
    }
}

/// Writes values to src0 in one run of repeats and returns what the operation makes of them.
pub(super) fn over<const N: usize>(v: abi::Vector, values: &[u8], result: usize) -> Vec<u8> {
    let mut arena = Arena::random(1);
    arena.put(64 << 10, values);
    let count = (values.len() / N) as u64;
    let v = abi::Vector { mask: Mask { bits: [count, 0], counter: 1, reserved: 0 }, ..v };
    arena.run(&v).expect("the instruction is valid");
    arena.bytes()[..count as usize * result].to_vec()
}

#[test]
fn exp_and_ln_of_all_halves_agree_with_the_host() {
    for (op, host) in [(Exp, f64::exp as fn(f64) -> f64), (Ln, f64::ln)] {
        for part in 0..4u32 {
            let inputs: Vec<u16> = (part << 14..(part + 1) << 14).map(|bits| bits as u16).collect();
            let bytes: Vec<u8> = inputs.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            let got = over::<2>(vector(op, F16, F16), &bytes, 2);
            for (input, got) in inputs.iter().zip(got.chunks_exact(2)) {
                let expected = float_bits(F16, host(float(F16, (*input).into())));
                assert_eq!(bits(got), expected, "{op:?} of {input:#x}");
            }
        }
    }
}

#[test]
fn exp_and_ln_of_floats_agree_with_the_host() {
    let mut seed = 5;
    for (op, host) in [(Exp, f64::exp as fn(f64) -> f64), (Ln, f64::ln)] {
        let inputs: Vec<f32> = (0..8192)
            .map(|i| {
                let word = scramble(&mut seed) as u32;
                if i % 2 == 0 { f32::from_bits(word) } else { (word as f32 / u32::MAX as f32 - 0.5) * 200.0 }
            })
            .collect();
        let bytes: Vec<u8> = inputs.iter().flat_map(|value| value.to_le_bytes()).collect();
        let got = over::<4>(vector(op, F32, F32), &bytes, 4);
        for (input, got) in inputs.iter().zip(got.chunks_exact(4)) {
            assert_eq!(bits(got), float_bits(F32, host(f64::from(*input))), "{op:?} of {input}");
        }
    }
}
