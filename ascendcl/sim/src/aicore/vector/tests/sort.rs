use half::f16;
use proptest::prelude::*;

use super::arena::{Arena, Expected, scramble, ub};
use super::elementwise::size;
use crate::aicore::abi::{self, DataType, Kind};
use DataType::{F16, F32};

const SRC: u64 = 64 << 10;
const INDEX: u64 = 128 << 10;

fn encode(data_type: DataType, value: f32) -> Vec<u8> {
    match data_type {
        F16 => f16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

fn record(data_type: DataType, value: f32, index: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    let score = encode(data_type, value);
    bytes[..score.len()].copy_from_slice(&score);
    bytes[4..].copy_from_slice(&index.to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn sort32_orders_each_32(
        data_type in prop::sample::select(vec![F16, F32]),
        repeat in 0u32..6,
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let mut state = seed;
        let mut expected = Expected::default();
        for repeat in 0..u64::from(repeat) {
            let mut items = Vec::new();
            for lane in 0..32 {
                let i = repeat * 32 + lane;
                // Small numbers, so that there are equals.
                let value = (scramble(&mut state) % 40) as f32 - 20.0;
                let index = scramble(&mut state) as u32;
                arena.put(SRC + i * size(data_type) as u64, &encode(data_type, value));
                arena.put(INDEX + i * 4, &index.to_le_bytes());
                items.push((value, lane, index));
            }
            expected.read(SRC + repeat * 32 * size(data_type) as u64, 32 * size(data_type));
            expected.read(INDEX + repeat * 128, 128);
            // Each goes behind all that are larger, and behind equals before it.
            for (value, lane, index) in &items {
                let place = items.iter().filter(|(v, l, _)| v > value || (v == value && l < lane)).count();
                expected.write(repeat * 256 + 8 * place as u64, &record(data_type, *value, *index));
            }
        }
        let s = abi::Sort {
            kind: Kind::Sort as u16, pipe: 1, reserved: 0, data_type: data_type as u8, reserved1: [0; 3], repeat,
            dst: ub(0), src: ub(SRC), index: ub(INDEX),
        };
        expected.verify(&mut arena, &s);
    }

    #[test]
    fn a_merge_orders_all_lists(
        data_type in prop::sample::select(vec![F16, F32]),
        lists in 2usize..5,
        lengths in prop::array::uniform4(0u32..40),
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let mut state = seed;
        let mut expected = Expected::default();
        let mut items = Vec::new();
        let src: [u64; 4] = std::array::from_fn(|list| SRC + list as u64 * 4096 + 8);
        for list in 0..lists {
            let mut values: Vec<i32> = (0..lengths[list]).map(|_| (scramble(&mut state) % 50) as i32).collect();
            values.sort_by_key(|value| -value);
            for (i, value) in values.into_iter().enumerate() {
                let bytes = record(data_type, value as f32, scramble(&mut state) as u32);
                arena.put(src[list] + 8 * i as u64, &bytes);
                expected.read(src[list] + 8 * i as u64, 8);
                items.push((value, bytes));
            }
        }
        // In the order of lists: equals of earlier lists come first.
        items.sort_by_key(|(value, _)| -value);
        let sorted: Vec<u8> = items.iter().flat_map(|(_, bytes)| *bytes).collect();
        expected.write(0, &sorted);
        let m = abi::Merge {
            kind: Kind::Merge as u16, pipe: 1, reserved: 0, data_type: data_type as u8, valid: (1 << lists) - 1,
            exhausted: 0, reserved1: 0, repeat: 1, dst: ub(0), src: src.map(ub), length: lengths,
        };
        expected.verify(&mut arena, &m);
    }
}

fn float_lists(arena: &mut Arena, lists: &[&[f32]], distance: u64) {
    for (list, values) in lists.iter().enumerate() {
        for (i, value) in values.iter().enumerate() {
            let index = (list * 100 + i) as u32;
            arena.put(SRC + list as u64 * distance + 8 * i as u64, &record(F32, *value, index));
        }
    }
}

fn scores(arena: &Arena, count: usize) -> Vec<f32> {
    arena.bytes()[..8 * count]
        .as_chunks::<8>()
        .0
        .iter()
        .map(|r| f32::from_le_bytes([r[0], r[1], r[2], r[3]]))
        .collect()
}

#[test]
fn a_merge_stops_at_the_end_of_a_list_and_tells_how_far_it_came() {
    let mut arena = Arena::random(0);
    float_lists(&mut arena, &[&[9.0, 4.0, 1.0], &[8.0, 7.0], &[3.0, 2.0]], 256);
    let m = abi::Merge {
        kind: Kind::Merge as u16,
        pipe: 1,
        reserved: 0,
        data_type: F32 as u8,
        valid: 7,
        exhausted: 1,
        reserved1: 0,
        repeat: 1,
        dst: ub(0),
        src: std::array::from_fn(|list| ub(SRC + list as u64 * 256)),
        length: [3, 2, 2, 0],
    };
    arena.run(&m).expect("the merge is valid");
    assert_eq!(scores(&arena, 3), [9.0, 8.0, 7.0]);
    assert_eq!(arena.registers.merge_result, 2 << 16 | 1);
}

#[test]
fn repeats_of_a_merge_go_on_behind_all_lists() {
    let mut arena = Arena::random(0);
    let lists: [&[f32]; 8] = [
        &[8.0, 1.0],
        &[7.0, 2.0],
        &[6.0, 3.0],
        &[5.0, 4.0],
        &[1.0, 0.0],
        &[2.0, 0.0],
        &[3.0, 0.0],
        &[4.0, 0.0],
    ];
    float_lists(&mut arena, &lists, 16);
    let m = abi::Merge {
        kind: Kind::Merge as u16,
        pipe: 1,
        reserved: 0,
        data_type: F32 as u8,
        valid: 15,
        exhausted: 0,
        reserved1: 0,
        repeat: 2,
        dst: ub(0),
        src: std::array::from_fn(|list| ub(SRC + list as u64 * 16)),
        length: [2; 4],
    };
    arena.run(&m).expect("the merge is valid");
    let expected = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(scores(&arena, 16), expected);
}
