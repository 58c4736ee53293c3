//! Gathers, `Brcb` and transpositions.

use proptest::prelude::*;

use super::arena::{Arena, Expected, scramble, ub};
use super::elementwise::{active_lanes, lane_offset, masks, size};
use crate::aicore::abi::{self, DataType, GatherMode, Kind};
use DataType::{Bf16, F16, F32, I8, I16, I32, U8, U16, U32};

const MOVABLE: [DataType; 7] = [I16, U16, F16, Bf16, I32, U32, F32];
const SRC: u64 = 64 << 10;
const THIRD: u64 = 128 << 10;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn gather_takes_elements_at_offsets_in_bytes(
        data_type in prop::sample::select(MOVABLE.to_vec()),
        mask in masks(),
        repeat in 0u32..7,
        base in 0u32..100,
        step in 0u32..24,
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let size = size(data_type);
        let mut state = seed;
        for i in 0..1024 {
            let offset = scramble(&mut state) as u32 % 8000 * size as u32;
            arena.put(THIRD + 4 * i, &offset.to_le_bytes());
        }
        let base = base * size as u32;
        let g = abi::Gather {
            kind: Kind::Gather as u16, pipe: 1, reserved: 0, mode: GatherMode::Elements as u8,
            data_type: data_type as u8, reserved1: [0; 2], repeat, dst: ub(0), src: ub(SRC), offset: ub(THIRD),
            base, dst_block_stride: 1, dst_repeat_stride: step, src_repeat_stride: 0, mask,
        };
        let mut expected = Expected::default();
        let per_repeat = 256 / size;
        for (repeat, lanes) in active_lanes(&mask, repeat, per_repeat).iter().enumerate() {
            for lane in lanes {
                let at = THIRD + 4 * (repeat * per_repeat + lane) as u64;
                expected.read(at, 4);
                let bytes = &arena.bytes()[at as usize..][..4];
                let offset = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                let from = SRC + u64::from(base + offset);
                expected.read(from, size);
                let value = arena.bytes()[from as usize..][..size].to_vec();
                expected.write(lane_offset(*lane, size, repeat, 1, step), &value);
            }
        }
        expected.verify(&mut arena, &g);
    }

    #[test]
    fn gatherb_takes_blocks(
        data_type in prop::sample::select(vec![U16, U32]),
        repeat in 0u32..7,
        block in 0u32..4,
        step in 0u32..40,
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let mut state = seed;
        for i in 0..64 {
            arena.put(THIRD + 4 * i, &(scramble(&mut state) as u32 % 500 * 32).to_le_bytes());
        }
        let g = abi::Gather {
            kind: Kind::Gather as u16, pipe: 1, reserved: 0, mode: GatherMode::Blocks as u8,
            data_type: data_type as u8, reserved1: [0; 2], repeat, dst: ub(0), src: ub(SRC), offset: ub(THIRD),
            base: 0, dst_block_stride: block, dst_repeat_stride: step, src_repeat_stride: 0,
            mask: abi::Mask::default(),
        };
        let mut expected = Expected::default();
        for i in 0..u64::from(repeat) * 8 {
            expected.read(THIRD + 4 * i, 4);
            let bytes = &arena.bytes()[(THIRD + 4 * i) as usize..][..4];
            let from = SRC + u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            expected.read(from, 32);
            let value = arena.bytes()[from as usize..][..32].to_vec();
            expected.write(32 * (i / 8 * u64::from(step) + i % 8 * u64::from(block.max(1))), &value);
        }
        expected.verify(&mut arena, &g);
    }

    #[test]
    fn gather_mask_keeps_what_the_pattern_selects(
        data_type in prop::sample::select(MOVABLE.to_vec()),
        built_in in 0u8..8,
        reduce in any::<bool>(),
        count in 1u32..300,
        repeat in 0u32..6,
        (block, step, pattern_step) in (0u32..4, 0u32..24, 0u32..3),
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let size = size(data_type);
        let g = abi::GatherMask {
            kind: Kind::GatherMask as u16, pipe: 1, reserved: 0, data_type: data_type as u8, built_in,
            reduce: reduce.into(), reserved1: 0, repeat, dst: ub(0), src: ub(SRC), pattern: ub(THIRD), count,
            src_block_stride: block, src_repeat_stride: step, pattern_repeat_stride: pattern_step,
        };
        // As the docs write them, the lowest bit last.
        let patterns = ["", "0101", "1010", "0001", "0010", "0100", "1000", "1111"];
        let per_repeat = if reduce { count as usize } else { 256 / size };
        let mut expected = Expected::default();
        let mut kept = Vec::new();
        for repeat in 0..repeat as usize {
            for i in 0..per_repeat {
                let keep = if built_in == 0 {
                    let at = THIRD + 32 * (repeat as u64 * u64::from(pattern_step)) + i as u64 / 8;
                    expected.read(at, 1);
                    arena.bytes()[at as usize] >> (i % 8) & 1 == 1
                } else {
                    patterns[built_in as usize].as_bytes()[3 - i % 4] == b'1'
                };
                if keep {
                    let from = SRC + lane_offset(i, size, repeat, block, step);
                    expected.read(from, size);
                    kept.extend_from_slice(&arena.bytes()[from as usize..][..size]);
                }
            }
        }
        expected.write(0, &kept);
        expected.verify(&mut arena, &g);
        prop_assert_eq!(arena.registers.remaining_count, (kept.len() / size) as u64);
    }

    #[test]
    fn brcb_fills_a_block_with_each_element(
        data_type in prop::sample::select(MOVABLE.to_vec()),
        repeat in 0u32..9,
        block in 0u32..4,
        step in 0u32..40,
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let size = size(data_type);
        let b = abi::BroadcastBlocks {
            kind: Kind::BroadcastBlocks as u16, pipe: 1, reserved: 0, data_type: data_type as u8, reserved1: [0; 3],
            repeat, dst: ub(0), src: ub(SRC), dst_block_stride: block, dst_repeat_stride: step,
        };
        let mut expected = Expected::default();
        for i in 0..u64::from(repeat) * 8 {
            let from = SRC + i * size as u64;
            expected.read(from, size);
            let value = arena.bytes()[from as usize..][..size].repeat(32 / size);
            expected.write(32 * (i / 8 * u64::from(step) + i % 8 * u64::from(block.max(1))), &value);
        }
        expected.verify(&mut arena, &b);
    }

    #[test]
    fn rows_become_columns(
        data_type in prop::sample::select(vec![I8, U8, I16, U16, F16, I32, U32, F32]),
        high in any::<(bool, bool)>(),
        repeat in 0u32..4,
        steps in (0u32..20, 0u32..20),
        seed in any::<u64>(),
    ) {
        let mut arena = Arena::random(seed);
        let mut state = seed;
        let size = size(data_type);
        let src = std::array::from_fn(|_| ub(SRC + scramble(&mut state) % 900 * 32));
        // Blocks of the destination that are all different.
        let shift = scramble(&mut state) % 16;
        let dst = std::array::from_fn(|i| ub((i as u64 * 7 + shift) % 16 * 96));
        let t = abi::TransposeRows {
            kind: Kind::TransposeRows as u16, pipe: 1, reserved: 0, data_type: data_type as u8,
            dst_high: high.0.into(), src_high: high.1.into(), reserved1: 0, repeat, dst, src,
            dst_repeat_stride: steps.0, src_repeat_stride: steps.1,
        };
        let half = |high: bool| if size == 1 && high { 16 } else { 0 };
        let columns = if size == 1 { 16 } else { 32 / size };
        let mut expected = Expected::default();
        for repeat_index in 0..u64::from(repeat) {
            let step = if repeat == 1 { 1 } else { repeat_index };
            let mut writes = Vec::new();
            for (row, src) in src.iter().enumerate() {
                for column in 0..columns {
                    let from = (src & 0xff_ffff) + step * u64::from(steps.1) * 32 + half(high.1) + (column * size) as u64;
                    expected.read(from, size);
                    let value = arena.bytes()[from as usize..][..size].to_vec();
                    // Column by column, 16 rows each, through the blocks of the list.
                    let place = (column * 16 + row) * size;
                    let length = columns * size;
                    let to = (dst[place / length] & 0xff_ffff) + step * u64::from(steps.0) * 32 + half(high.0);
                    writes.push((to + (place % length) as u64, value));
                }
            }
            for (to, value) in writes {
                expected.write(to, &value);
            }
        }
        expected.verify(&mut arena, &t);
    }

    #[test]
    fn transpose_turns_a_matrix_also_in_place(seed in any::<u64>(), in_place in any::<bool>()) {
        let mut arena = Arena::random(seed);
        let src = if in_place { 0 } else { SRC };
        let t = abi::Transpose { kind: Kind::Transpose as u16, pipe: 1, reserved: 0, reserved1: 0, dst: ub(0), src: ub(src) };
        let mut expected = Expected::default();
        expected.read(src, 512);
        for row in 0..16 {
            for column in 0..16 {
                let value = arena.bytes()[src as usize + (row * 16 + column) * 2..][..2].to_vec();
                expected.write((column as u64 * 16 + row as u64) * 2, &value);
            }
        }
        expected.verify(&mut arena, &t);
    }
}
