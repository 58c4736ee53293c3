//! Casts.

use half::{bf16, f16};
use proptest::prelude::*;

use super::arena::{Arena, Expected, scramble};
use super::elementwise::{active_lanes, lane_offset, masks, over, size, vector};
use crate::aicore::abi::{self, DataType, Mask, Round, VectorOp};
use crate::aicore::instruction::Semantics;
use crate::aicore::number;
use DataType::{Bf16, F16, F32, I4, I8, I16, I32, I64, U8};

const ROUNDS: [Round; 5] = [Round::Rint, Round::Floor, Round::Ceil, Round::Round, Round::Trunc];

fn cast(src: DataType, dst: DataType, round: Round) -> abi::Vector {
    let mut v = abi::Vector { round: round as u8, ..vector(VectorOp::Cast, src, dst) };
    // Without gaps: a repeat has as many elements of each side.
    let widest = src.bits().max(dst.bits());
    v.src0_repeat_stride = (8 * src.bits() / widest) as u32;
    v.dst_repeat_stride = (8 * dst.bits() / widest) as u32;
    v
}

/// The integer that the mode picks, by integer arithmetic on sixteenths and a bit for what lies below.
fn integer(value: f64, round: Round) -> f64 {
    if value.is_nan() {
        return 0.0;
    }
    let value = value.clamp(-1e19, 1e19);
    let below = (value as i128 - i128::from((value as i128) as f64 > value)) as f64;
    let rest = value - below;
    let up = match round {
        Round::None | Round::Rint => rest > 0.5 || (rest == 0.5 && (below as i128) % 2 != 0),
        Round::Floor => false,
        Round::Ceil => rest > 0.0,
        Round::Round => rest > 0.5 || (rest == 0.5 && value > 0.0),
        Round::Trunc => rest > 0.0 && value < 0.0,
        Round::Odd => rest > 0.0 && (below as i128) % 2 == 0,
    };
    below + f64::from(u8::from(up))
}

#[test]
fn all_halves_cast_to_integers_by_every_mode() {
    let ranges = [
        (F16, I8, -128.0, 127.0),
        (F16, U8, 0.0, 255.0),
        (F16, I16, -32768.0, 32767.0),
        (F16, I32, f64::from(i32::MIN), f64::from(i32::MAX)),
        (Bf16, I32, f64::from(i32::MIN), f64::from(i32::MAX)),
    ];
    for part in 0..4u32 {
        let inputs: Vec<u16> = (part << 14..(part + 1) << 14).map(|bits| bits as u16).collect();
        let bytes: Vec<u8> = inputs.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        for (src, dst, least, most) in ranges {
            for round in ROUNDS {
                let got = over::<2>(cast(src, dst, round), &bytes, size(dst));
                for (input, got) in inputs.iter().zip(got.chunks_exact(size(dst))) {
                    let value = if src == F16 {
                        f16::from_bits(*input).to_f64()
                    } else {
                        bf16::from_bits(*input).to_f64()
                    };
                    let expected = integer(value, round).clamp(least, most) as i64;
                    assert_eq!(got, &expected.to_le_bytes()[..size(dst)], "{value} to {dst:?} by {round:?}");
                }
            }
        }
        for src in [F16, Bf16] {
            let got = over::<2>(cast(src, F32, Round::None), &bytes, 4);
            for (input, got) in inputs.iter().zip(got.as_chunks::<4>().0) {
                let value = if src == F16 {
                    f16::from_bits(*input).to_f64()
                } else {
                    bf16::from_bits(*input).to_f64()
                };
                let got = f32::from_le_bytes(*got);
                assert!(
                    f64::from(got) == value || (got.is_nan() && value.is_nan()),
                    "{input:#x} gives {got}"
                );
            }
        }
        for round in ROUNDS {
            let got = over::<2>(cast(F16, I4, round), &bytes, 1);
            for (place, input) in inputs.iter().enumerate() {
                let expected =
                    integer(f16::from_bits(*input).to_f64(), round).clamp(-8.0, 7.0) as i8 as u8 & 0xf;
                assert_eq!(got[place / 2] >> (place % 2 * 4) & 0xf, expected, "{input:#x} by {round:?}");
            }
        }
    }
}

#[test]
fn small_integers_cast_to_halves() {
    let bytes: Vec<u8> = (0..=255).collect();
    let halves = |got: Vec<u8>| -> Vec<f32> {
        got.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
    };
    let got = halves(over::<1>(cast(I8, F16, Round::None), &bytes, 2));
    assert!(got.iter().zip(&bytes).all(|(got, byte)| *got == f32::from(*byte as i8)));
    let got = halves(over::<1>(cast(U8, F16, Round::None), &bytes, 2));
    assert!(got.iter().zip(&bytes).all(|(got, byte)| *got == f32::from(*byte)));
    let mut arena = Arena::random(3);
    arena.put(64 << 10, &[0x10, 0x32, 0x98, 0xfe]);
    let v =
        abi::Vector { mask: Mask { bits: [8, 0], counter: 1, reserved: 0 }, ..cast(I4, F16, Round::None) };
    arena.run(&v).expect("the cast is valid");
    assert_eq!(halves(arena.bytes()[..16].to_vec()), [0.0, 1.0, 2.0, 3.0, -8.0, -7.0, -2.0, -1.0]);
}

#[test]
fn numbers_of_many_bits_cast_by_every_mode() {
    let mut seed = 9;
    let words: Vec<u64> = (0..4096).map(|_| scramble(&mut seed)).map(|word| word >> (word % 40)).collect();
    // f32: any bits, and moderate numbers with a fraction.
    let floats: Vec<f32> = words
        .iter()
        .enumerate()
        .map(|(i, word)| {
            if i % 2 == 0 { f32::from_bits(*word as u32) } else { (*word as i32 >> (word % 31)) as f32 / 8.0 }
        })
        .collect();
    let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
    for round in ROUNDS {
        let to16 = over::<4>(cast(F32, I16, round), &bytes, 2);
        let to32 = over::<4>(cast(F32, I32, round), &bytes, 4);
        let to64 = over::<4>(cast(F32, I64, round), &bytes, 8);
        let whole = over::<4>(cast(F32, F32, round), &bytes, 4);
        let halves = over::<4>(cast(F32, F16, round), &bytes, 2);
        let brains = over::<4>(cast(F32, Bf16, round), &bytes, 2);
        for (i, value) in floats.iter().enumerate() {
            let exact = integer(f64::from(*value), round);
            let expected = exact.clamp(-9.3e18, 9.3e18) as i64;
            assert_eq!(to16[2 * i..][..2], (expected.clamp(-32768, 32767) as i16).to_le_bytes(), "{value}");
            let clamped = expected.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
            assert_eq!(to32[4 * i..][..4], clamped.to_le_bytes(), "{value}");
            assert_eq!(to64[8 * i..][..8], expected.to_le_bytes(), "{value}");
            let got =
                f32::from_le_bytes([whole[4 * i], whole[4 * i + 1], whole[4 * i + 2], whole[4 * i + 3]]);
            let same = if value.abs() < 1e18 { f64::from(got) == exact } else { got == *value };
            assert!(same || (got.is_nan() && value.is_nan()), "{value} by {round:?} gives {got}");
            // The encoding has tests of its own, in `number`.
            let half = number::F16.encode_f32(*value, round) as u16;
            assert_eq!(halves[2 * i..][..2], half.to_le_bytes(), "{value} by {round:?}");
            let brain = number::BF16.encode_f32(*value, round) as u16;
            assert_eq!(brains[2 * i..][..2], brain.to_le_bytes(), "{value} by {round:?}");
        }
        let integers: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let got = over::<8>(cast(I64, F32, round), &integers, 4);
        let from32 = over::<4>(cast(I32, F32, round), &integers, 4);
        let from16 = over::<2>(cast(I16, F16, round), &integers[..8192], 2);
        for (i, word) in words.iter().enumerate() {
            let expected = number::F32.encode_integer(*word as i64, round);
            assert_eq!(got[4 * i..][..4], expected.to_le_bytes(), "{word:#x}");
            for half in 0..2 {
                let expected = number::F32.encode_integer(i64::from((word >> (32 * half)) as i32), round);
                assert_eq!(from32[8 * i + 4 * half..][..4], expected.to_le_bytes(), "{word:#x}");
            }
        }
        for (from, got) in integers.as_chunks::<2>().0.iter().zip(from16.as_chunks::<2>().0) {
            let expected = number::F16.encode_integer(i16::from_le_bytes(*from).into(), round) as u16;
            assert_eq!(*got, expected.to_le_bytes());
        }
    }
}

#[test]
fn dequantization_scales_by_the_register() {
    let values = [0, 1, -1, 1000, 123_456, i32::MAX, i32::MIN];
    let bytes: Vec<u8> = values.iter().flat_map(|value: &i32| value.to_le_bytes()).collect();
    let scale = f16::from_f64(0.125);
    let v = abi::Vector { scalar: scale.to_bits().into(), ..cast(I32, F16, Round::None) };
    let got = over::<4>(v, &bytes, 2);
    for (value, got) in values.iter().zip(got.as_chunks::<2>().0) {
        assert_eq!(*got, f16::from_f64(f64::from(*value) * 0.125).to_le_bytes(), "{value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sides_of_different_width_go_lane_by_lane(
        pair in prop::sample::select(vec![(I16, F32), (F32, I16), (F16, I8), (I32, I64), (I64, I32), (I32, I16), (U8, F16)]),
        mask in masks(),
        repeat in 0u32..7,
        block in (1u32..4, 0u32..4),
        step in (0u32..24, 0u32..24),
        seed in any::<u64>(),
    ) {
        let (src, dst) = pair;
        let round = if matches!(pair, (F32, I16)) { Round::Rint } else { Round::None };
        let mut arena = Arena::random(seed);
        let mut v = abi::Vector { mask, repeat, ..cast(src, dst, round) };
        (v.dst_block_stride, v.src0_block_stride) = block;
        (v.dst_repeat_stride, v.src0_repeat_stride) = step;
        let mut expected = Expected::default();
        let per_repeat = 256 / size(src).max(size(dst));
        for (repeat, lanes) in active_lanes(&mask, repeat, per_repeat).iter().enumerate() {
            for lane in lanes {
                let at = (64 << 10) + lane_offset(*lane, size(src), repeat, block.1, step.1);
                expected.read(at, size(src));
                let mut bytes = [0; 8];
                bytes[..size(src)].copy_from_slice(&arena.bytes()[at as usize..][..size(src)]);
                let word = u64::from_le_bytes(bytes);
                let value = match pair {
                    (I16, F32) => f32::from(word as i16).to_bits().into(),
                    (F32, I16) => integer(f64::from(f32::from_bits(word as u32)), round).clamp(-32768.0, 32767.0) as i64,
                    (F16, I8) => integer(f16::from_bits(word as u16).to_f64(), round).clamp(-128.0, 127.0) as i64,
                    (I32, I64) => i64::from(word as i32),
                    (I64, I32) => (word as i64).clamp(i32::MIN.into(), i32::MAX.into()),
                    (I32, I16) => i64::from((word as i32).clamp(-32768, 32767)),
                    _ => f16::from_f64(word as f64).to_bits().into(),
                };
                let at = lane_offset(*lane, size(dst), repeat, block.0, step.0);
                expected.write(at, &value.to_le_bytes()[..size(dst)]);
            }
        }
        expected.verify(&mut arena, &v);
    }
}

#[test]
fn only_the_casts_of_the_table_exist() {
    let mut pairs = 0;
    for src in DataType::ALL {
        for dst in DataType::ALL {
            for round in Round::ALL {
                pairs += usize::from(cast(*src, *dst, *round).check().is_ok());
            }
        }
    }
    // Ascend C docs, Cast, the table of Atlas A2. With no mode: 3 to half, 2 to float, int16 to float,
    // int32 to int16 and int64, int64 to int32. With five modes and none: int16 to half, half to 3 small types,
    // int32 to float. With five: half to 2, bfloat16 to 1, float to 5, int64 to float. With all seven: float to
    // half, and int32 to half, whose mode has no effect.
    assert_eq!(pairs, 9 + 5 * 6 + 9 * 5 + 2 * 7);
}
