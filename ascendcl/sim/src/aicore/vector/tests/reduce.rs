use half::f16;
use proptest::prelude::*;

use super::arena::{Arena, Expected, scramble, ub};
use super::elementwise::{active_lanes, lane_offset, masks, size};
use crate::aicore::abi::{self, DataType, Mask, ReduceOp, ReduceOrder, ReduceScope};
use DataType::{F16, F32};

fn reduce(op: ReduceOp, scope: ReduceScope, order: ReduceOrder, data_type: DataType) -> abi::Reduce {
    abi::Reduce {
        kind: abi::Kind::Reduce as u16,
        pipe: 1,
        reserved: 0,
        op: op as u8,
        scope: scope as u8,
        order: order as u8,
        data_type: data_type as u8,
        repeat: 1,
        dst: ub(0),
        src: ub(64 << 10),
        mask: Mask { bits: [u64::MAX; 2], counter: 0, reserved: 0 },
        dst_repeat_stride: 1,
        src_block_stride: 1,
        src_repeat_stride: 8,
        reserved1: 0,
    }
}

fn decode(data_type: DataType, bytes: &[u8]) -> f32 {
    match data_type {
        F16 => f16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
        _ => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
    }
}

fn encode(data_type: DataType, value: f32) -> Vec<u8> {
    match data_type {
        F16 => f16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

/// The sum of both halves of the range, each summed likewise: the pairwise tree from its top.
fn tree(data_type: DataType, values: &[f32]) -> f32 {
    match values {
        [value] => *value,
        _ => {
            let (left, right) = values.split_at(values.len() / 2);
            let sum = tree(data_type, left) + tree(data_type, right);
            if data_type == F16 { f16::from_f32(sum).to_f32() } else { sum }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn reductions_compute_their_formula(
        op in prop::sample::select(ReduceOp::ALL.to_vec()),
        scope in prop::sample::select(vec![ReduceScope::Repeat, ReduceScope::Block, ReduceScope::Pair]),
        order in prop::sample::select(ReduceOrder::ALL.to_vec()),
        data_type in prop::sample::select(vec![F16, F32]),
        mask in masks(),
        repeat in 0u32..7,
        (dst_stride, block, step) in (1u32..5, 0u32..4, 0u32..24),
        seed in any::<u64>(),
        few in any::<bool>(),
    ) {
        prop_assume!(scope != ReduceScope::Pair || op == ReduceOp::Sum);
        let mut arena = Arena::random(seed);
        let size = size(data_type);
        // Finite numbers; few different ones, so that there are equals.
        let mut state = seed;
        for place in arena.bytes_mut()[64 << 10..].chunks_exact_mut(size) {
            let word = scramble(&mut state);
            let value = if few { (word % 5) as f32 } else { (word as i32 >> 8) as f32 / 65536.0 };
            place.copy_from_slice(&encode(data_type, value));
        }
        let mut r = reduce(op, scope, order, data_type);
        (r.mask, r.repeat) = (mask, repeat);
        (r.dst_repeat_stride, r.src_block_stride, r.src_repeat_stride) = (dst_stride, block, step);
        let per_repeat = 256 / size;
        let group = match scope {
            ReduceScope::Repeat => per_repeat,
            ReduceScope::Block => 32 / size,
            ReduceScope::Pair => 2,
            ReduceScope::All => return Err(TestCaseError::reject("its own test")),
        };
        let indexed = scope == ReduceScope::Repeat && op != ReduceOp::Sum;
        let result = match order {
            _ if !indexed => size,
            ReduceOrder::ValueIndex | ReduceOrder::IndexValue => 2 * size,
            ReduceOrder::OnlyValue => size,
            ReduceOrder::OnlyIndex => 4,
        };
        let mut expected = Expected::default();
        for (repeat, lanes) in active_lanes(&mask, repeat, per_repeat).iter().enumerate() {
            for first in (0..per_repeat).step_by(group) {
                let mut values = vec![0.0; group];
                let mut members = Vec::new();
                for lane in lanes.iter().filter(|lane| (first..first + group).contains(*lane)) {
                    let at = (64 << 10) + lane_offset(*lane, size, repeat, block, step);
                    expected.read(at, size);
                    let value = decode(data_type, &arena.bytes()[at as usize..]);
                    values[lane - first] = value;
                    members.push((value, lane - first));
                }
                if members.is_empty() {
                    continue;
                }
                let place = (repeat as u32 * dst_stride) as usize * (per_repeat / group) + first / group;
                let bytes = if op == ReduceOp::Sum {
                    encode(data_type, tree(data_type, &values))
                } else {
                    let most = members.iter().map(|(value, _)| *value).reduce(|a, b| {
                        if op == ReduceOp::Max { a.max(b) } else { a.min(b) }
                    });
                    let (value, lane) = *members.iter().find(|(value, _)| Some(*value) == most).expect("one is it");
                    let (value, index) = (encode(data_type, value), (lane as u32).to_le_bytes());
                    match order {
                        _ if !indexed => value,
                        ReduceOrder::ValueIndex => [&value[..], &index[..size]].concat(),
                        ReduceOrder::IndexValue => [&index[..size], &value[..]].concat(),
                        ReduceOrder::OnlyValue => value,
                        ReduceOrder::OnlyIndex => index.to_vec(),
                    }
                };
                expected.write((place * result) as u64, &bytes);
            }
        }
        expected.verify(&mut arena, &r);
    }
}

#[test]
fn registers_keep_the_result_of_all_repeats() {
    let mut arena = Arena::random(0);
    for i in 0..128u32 {
        arena.put((64 << 10) + u64::from(i) * 4, &((i * 37 % 101) as f32).to_le_bytes());
    }
    let mut r = reduce(ReduceOp::Max, ReduceScope::Repeat, ReduceOrder::ValueIndex, F32);
    r.repeat = 2;
    arena.run(&r).expect("the reduction is valid");
    let most = (0..128u32).map(|i| i * 37 % 101).max().expect("there are some");
    let first = (0..128u32).position(|i| i * 37 % 101 == most).expect("it is there");
    let bits = u64::from((most as f32).to_bits());
    assert_eq!(arena.registers.reduce_max_min, (first as u64) << 32 | bits);
    r.op = ReduceOp::Sum as u8;
    arena.run(&r).expect("the reduction is valid");
    let sum: u32 = (0..128u32).map(|i| i * 37 % 101).sum();
    assert_eq!(arena.registers.reduce_sum, u64::from((sum as f32).to_bits()));
}

#[test]
fn sums_of_halves_overflow_to_infinity_on_the_way() {
    let mut arena = Arena::random(0);
    let mut values = [0.0; 16];
    values[..4].copy_from_slice(&[60000.0, 60000.0, -30000.0, 100.0]);
    for (i, value) in values.iter().enumerate() {
        arena.put((64 << 10) + 2 * i as u64, &f16::from_f32(*value).to_le_bytes());
    }
    let mut r = reduce(ReduceOp::Sum, ReduceScope::Block, ReduceOrder::ValueIndex, F16);
    r.mask.bits = [0xffff, 0];
    arena.run(&r).expect("the reduction is valid");
    assert_eq!(arena.bytes()[..2], f16::INFINITY.to_le_bytes());
}
