use half::{bf16, f16};
use proptest::prelude::*;

use super::mmad::Sizes;
use super::product::{float, integer};
use crate::aicore::abi::{self, DataType, Kind};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Space, Use};
use crate::aicore::testing::Core;

fn at(space: Space, offset: u64) -> u64 {
    Core::address(space, offset)
}

fn nd_to_nz(element: u32, dst: u64, src: u64, rows: u32, columns: u32) -> abi::NdToNz {
    abi::NdToNz {
        kind: Kind::NdToNz as u16,
        pipe: 4,
        reserved: 0,
        element,
        dst,
        src,
        nd_num: 1,
        n_value: rows,
        d_value: columns,
        src_nd_matrix_stride: 0,
        src_d_value: columns,
        dst_nz_c0_stride: rows.next_multiple_of(16),
        dst_nz_n_stride: 1,
        dst_nz_matrix_stride: 0,
    }
}

fn load2d(element: u32, dst: u64, src: u64, repeat: u32, src_stride: u32) -> abi::Load2d {
    abi::Load2d {
        kind: Kind::Load2d as u16,
        pipe: 3,
        reserved: 0,
        element,
        dst,
        src,
        start_index: 0,
        repeat,
        src_stride,
        dst_gap: 0,
        transpose: 0,
        descending: 0,
        reserved1: [0; 6],
    }
}

fn mmad(kind: DataType, m: u32, n: u32, k: u32) -> abi::Mmad {
    let c_type = if matches!(kind, DataType::I8 | DataType::I4) { DataType::I32 } else { DataType::F32 };
    abi::Mmad {
        kind: Kind::Mmad as u16,
        pipe: 2,
        reserved: 0,
        c_type: c_type as u8,
        a_type: kind as u8,
        b_type: kind as u8,
        unit_flag: 0,
        c: at(Space::L0c, 0),
        a: at(Space::L0a, 0),
        b: at(Space::L0b, 0),
        bias: 0,
        m,
        n,
        k,
        c_init: 1,
        c_source: 0,
        gemv_disabled: 1,
        k_direction_align: 0,
        hf32: 0,
        reserved1: [0; 7],
    }
}

fn fixpipe(src: DataType, dst: DataType, mode: u8, m: u32, n: u32) -> abi::Fixpipe {
    abi::Fixpipe {
        kind: Kind::Fixpipe as u16,
        pipe: 10,
        reserved: 0,
        src_type: src as u8,
        dst_type: dst as u8,
        quant_mode: mode,
        unit_flag: 0,
        dst: at(Space::Gm, 0),
        src: at(Space::L0c, 0),
        n_size: n,
        m_size: m,
        src_stride: m.next_multiple_of(16),
        dst_stride: n,
        nd_num: 1,
        src_nd_stride: 0,
        dst_nd_stride: 0,
        relu: 0,
        nz_to_nd: 1,
        channel_split: 0,
        atomic: 0,
        atomic_type: 0,
        reserved1: [0; 3],
        scale: 0,
        scales: 0,
    }
}

/// Small numbers, different at each place.
fn number(i: usize) -> f32 {
    ((i * 37 + i / 7 * 11) % 61) as f32 / 8.0 - 3.5
}

fn encode(kind: DataType, value: f32) -> Vec<u8> {
    match kind {
        DataType::I8 => vec![(value * 16.0) as i8 as u8],
        DataType::F16 => f16::from_f32(value).to_le_bytes().to_vec(),
        DataType::Bf16 => bf16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

fn decode(kind: DataType, bytes: &[u8]) -> f64 {
    match kind {
        DataType::I8 => f64::from(bytes[0] as i8),
        DataType::F16 => f16::from_le_bytes(bytes.try_into().unwrap()).to_f64(),
        DataType::Bf16 => bf16::from_le_bytes(bytes.try_into().unwrap()).to_f64(),
        _ => f64::from(f32::from_le_bytes(bytes.try_into().unwrap())),
    }
}

fn words(core: &Core, space: Space, offset: u64, count: usize) -> Vec<[u8; 4]> {
    core.bytes(space, offset, count * 4).as_chunks().0.to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// From rows in global memory to rows there: a (m by k) times b (n by k, transposed), against three loops.
    #[test]
    fn products_agree_with_three_loops(
        kind in prop::sample::select(vec![DataType::I8, DataType::F16, DataType::Bf16, DataType::F32]),
        m in 1u32..40, n in 1u32..40, k in 1u32..80, bias in any::<bool>(),
    ) {
        let mut core = Core::new();
        let element = kind.bits() as u32 / 8;
        let c0 = 32 / element;
        let (m1, n1, k1) = (m.div_ceil(16), n.div_ceil(16), k.div_ceil(c0));
        let a: Vec<Vec<u8>> = (0..m * k).map(|i| encode(kind, number(i as usize))).collect();
        let b: Vec<Vec<u8>> = (0..n * k).map(|i| encode(kind, number(i as usize * 5 + 3))).collect();
        core.write(Space::Gm, 0, &a.concat());
        core.write(Space::Gm, 65536, &b.concat());
        core.execute(&nd_to_nz(element, at(Space::L1, 0), at(Space::Gm, 0), m, k)).unwrap();
        core.execute(&nd_to_nz(element, at(Space::L1, 65536), at(Space::Gm, 65536), n, k)).unwrap();
        for row in 0..u64::from(m1) {
            let dst = at(Space::L0a, row * u64::from(k1) * 512);
            core.execute(&load2d(element, dst, at(Space::L1, row * 512), k1, m1)).unwrap();
        }
        core.execute(&load2d(element, at(Space::L0b, 0), at(Space::L1, 65536), k1 * n1, 1)).unwrap();
        let integer = kind == DataType::I8;
        let starts: Vec<[u8; 4]> = (0..n)
            .map(|i| if integer { (i as i32 * 100 - 900).to_le_bytes() } else { number(i as usize).to_le_bytes() })
            .collect();
        core.write(Space::Bt, 0, starts.as_flattened());
        let with_bias = abi::Mmad { c_init: 0, c_source: 1, bias: at(Space::Bt, 0), ..mmad(kind, m, n, k) };
        core.execute(&if bias { with_bias } else { mmad(kind, m, n, k) }).unwrap();
        // And once more on top.
        core.execute(&abi::Mmad { c_init: 0, ..mmad(kind, m, n, k) }).unwrap();
        let c = if integer { DataType::I32 } else { DataType::F32 };
        core.execute(&fixpipe(c, c, 0, m, n)).unwrap();
        let results = words(&core, Space::Gm, 0, (m * n) as usize);
        for row in 0..m as usize {
            for column in 0..n as usize {
                let result = results[row * n as usize + column];
                let start = starts[column];
                let mut sum = 0.0;
                let mut steps = if bias { f32::from_le_bytes(start) } else { 0.0 };
                for _ in 0..2 {
                    for i in 0..k as usize {
                        let x = decode(kind, &a[row * k as usize + i]);
                        let y = decode(kind, &b[column * k as usize + i]);
                        sum += x * y;
                        // The product is exact in f64; so is the sum but for bits far below those of an f32.
                        steps = (x * y + f64::from(steps)) as f32;
                    }
                }
                if integer {
                    let start = if bias { i32::from_le_bytes(start) } else { 0 };
                    prop_assert_eq!(i32::from_le_bytes(result), sum as i32 + start);
                } else {
                    prop_assert_eq!(f32::from_le_bytes(result), steps, "at {} {}", row, column);
                }
            }
        }
    }

    /// Each way of computing int8 gives the same, with every sign and size.
    #[test]
    fn integer_products_are_exact_in_every_way(m in 1usize..40, n in 1usize..40, k in 1usize..100, seed in any::<u8>()) {
        let (m1, n1, k1) = (m.div_ceil(16), n.div_ceil(16), k.div_ceil(32));
        let byte = |i: usize| (i * 167 + i / 3 * 31 + usize::from(seed)) as u8;
        let a: Vec<u8> = (0..m1 * k1 * 512).map(byte).collect();
        let b: Vec<u8> = (0..n1 * k1 * 512).map(|i| byte(i + 77)).collect();
        let sizes = Sizes { m, n, k, m1, a_k1: k1, vector: false };
        let mut fast = vec![[3; 64]; m1 * n1 * 16];
        let mut plain = fast.clone();
        integer::multiply(&sizes, false, &a, &b, &mut fast);
        integer::by_columns(&sizes, false, &a, &b, &mut plain);
        prop_assert_eq!(&fast, &plain);
        for row in 0..m { for column in 0..n {
            let mut sum = 0x0303_0303i64;
            for i in 0..k {
                let x = a[((row / 16 * k1 + i / 32) * 16 + row % 16) * 32 + i % 32] as i8;
                let y = b[((i / 32 * n1 + column / 16) * 16 + column % 16) * 32 + i % 32] as i8;
                sum += i64::from(x) * i64::from(y);
            }
            let element = fast[(column / 16 * m1 + row / 16) * 16 + row % 16].as_chunks::<4>().0[column % 16];
            prop_assert_eq!(i64::from(i32::from_le_bytes(element)), sum);
        }}
    }

    #[test]
    fn fractals_go_where_the_parameters_say(
        start in 0u32..4, repeat in 0u32..6, stride in 0u32..4, gap in 0u32..3, transpose in any::<bool>(), down in any::<bool>(),
    ) {
        let mut core = Core::new();
        let load = abi::Load2d {
            start_index: start + 20, src_stride: stride, dst_gap: gap, transpose: transpose.into(),
            descending: down.into(), ..load2d(2, at(Space::L0b, 512), at(Space::L1, 32), repeat, stride)
        };
        core.execute(&load).unwrap();
        let source = core.random(Space::L1);
        for i in 0..repeat { for row in 0..16 { for column in 0..16 { for byte in 0..2 {
            let index = if down { start + 20 - i * stride } else { start + 20 + i * stride };
            let place = if transpose { column * 16 + row } else { row * 16 + column };
            let from = 32 + index * 512 + place * 2 + byte;
            let to = 512 + i * (gap + 1) * 512 + (row * 16 + column) * 2 + byte;
            prop_assert_eq!(core.byte(Space::L0b, u64::from(to)), source[from as usize]);
        }}}}
    }

    /// Nibble, byte or word at a place of a square, by the documented arrangement of its fractals.
    #[test]
    fn squares_are_transposed(element in prop::sample::select(vec![0u32, 1, 2, 4]), repeat in 0u32..4, start in 0u32..3, gap in 0u32..3) {
        let mut core = Core::new();
        let fractals = match element { 0 => 4, 2 => 1, _ => 2 };
        let load = abi::LoadTranspose {
            kind: Kind::LoadTranspose as u16, pipe: 3, reserved: 0, element,
            dst: at(Space::L0b, 0), src: at(Space::L1, 64), start_index: start, repeat, src_stride: 2,
            dst_gap: gap, dst_fractal_gap: 8, descending: 0, reserved1: [0; 3],
        };
        // Fractals of a later repeat may cover those of an earlier one only if the gaps collide; these do not.
        core.execute(&load).unwrap();
        let source = core.random(Space::L1);
        let side = match element { 0 => 64, 1 => 32, _ => 16u32 };
        let width = 64 / element.max(1) / 2;
        for i in 0..repeat { for row in 0..side { for column in 0..side {
            // Which fractal of a square, and which element of it.
            let place = |r: u32, c: u32| match element {
                0 => (r / 16, r % 16 * 64 + c),
                1 => (r / 16, r % 16 * 32 + c),
                2 => (0, r * 16 + c),
                _ => (c / width, r * 8 + c % width),
            };
            let (fractal, from) = place(column, row);
            let from_byte = |byte: u32| 64 + (start + i * 2) * fractals * 512 + fractal * 512 + byte;
            let (fractal, to) = place(row, column);
            let to_byte = |byte: u32| u64::from((i * (gap + 1) + fractal * 9) * 512 + byte);
            if element == 0 {
                let x = source[from_byte(from / 2) as usize] >> (4 * (from % 2)) & 15;
                let y = core.byte(Space::L0b, to_byte(to / 2)) >> (4 * (to % 2)) & 15;
                prop_assert_eq!(x, y);
            } else {
                for byte in 0..element {
                    let x = source[from_byte(from * element + byte) as usize];
                    prop_assert_eq!(x, core.byte(Space::L0b, to_byte(to * element + byte)));
                }
            }
        }}}
    }

    /// The matrix of a convolution, element by element from the definition.
    #[test]
    fn feature_maps_become_matrices(
        element in prop::sample::select(vec![1u32, 2, 4]),
        (height, width) in (3u32..7, 3u32..7),
        (blocks, rest) in (1u32..3, prop::sample::select(vec![0u32, 4])),
        (filter_h, filter_w) in (1u32..4, 1u32..4),
        (stride_h, stride_w) in (1u32..3, 1u32..3),
        padding in prop::array::uniform4(0u32..2),
        (m_start, m) in (0u32..5, 1u32..36),
        (k_start, k) in (0u32..2, 1u32..70),
        target in 0..3,
    ) {
        let c0 = 32 / element;
        prop_assume!(element != 1 || target == 0);
        let channels = blocks * c0 + if rest < c0 { rest } else { 0 };
        let mut core = Core::new();
        let load = abi::Load3d {
            kind: Kind::Load3d as u16, pipe: 3, reserved: 0, element,
            dst: at(if target == 2 { Space::L0b } else { Space::L0a }, 0), src: at(Space::L1, 32),
            l1_h: height, l1_w: width, channel_size: channels, k_extension: k, m_extension: m,
            k_start: k_start * c0, m_start, stride_w, stride_h, filter_w, filter_h,
            dilation_filter_w: 1, dilation_filter_h: 1, padding, pad_value: 0x0807_0605,
            transpose: u8::from(target == 1), small_k: 0, reserved1: [0; 6],
            repeat_stride: 0, repeat_time: 1, repeat_mode: 0, boundary: 0,
        };
        let out_w = (width + padding[0] + padding[1] - filter_w) / stride_w + 1;
        let out_h = (height + padding[2] + padding[3] - filter_h) / stride_h + 1;
        core.execute(&load).unwrap();
        let source = core.random(Space::L1);
        let (k1, n_pad) = (k.div_ceil(c0), m.next_multiple_of(16));
        for r in 0..m { for c in 0..k { for byte in 0..element {
            let (row, column) = (r + m_start, c + k_start * c0);
            let taps = filter_h * filter_w;
            let expected = if row >= out_w * out_h || column >= channels * taps {
                0
            } else {
                let block = (column / (taps * c0)).min(blocks);
                let span = if block < blocks { c0 } else { channels - blocks * c0 };
                let inner = column - block * taps * c0;
                let (tap, channel) = (inner / span, inner % span);
                let y = (row / out_w * stride_h + tap / filter_w) as i64 - i64::from(padding[2]);
                let x = (row % out_w * stride_w + tap % filter_w) as i64 - i64::from(padding[0]);
                if y < 0 || x < 0 || y >= i64::from(height) || x >= i64::from(width) {
                    0x0807_0605u32.to_le_bytes()[byte as usize]
                } else {
                    let place = block * height * width * c0 + (y as u32 * width + x as u32) * span + channel;
                    source[(32 + place * element + byte) as usize]
                }
            };
            let (space, to) = match target {
                0 => (Space::L0a, ((r / 16 * k1 + c / c0) * 16 + r % 16) * c0 + c % c0),
                1 => (Space::L0a, ((c / 16 * (n_pad / c0) + r / c0) * 16 + c % 16) * c0 + r % c0),
                _ => (Space::L0b, ((r / c0 * k.div_ceil(16) + c / 16) * 16 + c % 16) * c0 + r % c0),
            };
            prop_assert_eq!(core.byte(space, u64::from(to * element + byte)), expected, "{} {} of {:?}", r, c, load);
        }}}
    }
}

/// A matrix of 64 rows in L1 as a feature map of one column: 16-bit elements, 3 columns of fractals.
fn load3d() -> abi::Load3d {
    abi::Load3d {
        kind: Kind::Load3d as u16,
        pipe: 3,
        reserved: 0,
        element: 2,
        dst: at(Space::L0a, 0),
        src: at(Space::L1, 0),
        l1_h: 64,
        l1_w: 1,
        channel_size: 48,
        k_extension: 16,
        m_extension: 16,
        k_start: 0,
        m_start: 0,
        stride_w: 1,
        stride_h: 1,
        filter_w: 1,
        filter_h: 1,
        dilation_filter_w: 1,
        dilation_filter_h: 1,
        padding: [0; 4],
        pad_value: 0,
        transpose: 0,
        small_k: 0,
        reserved1: [0; 6],
        repeat_stride: 2,
        repeat_time: 2,
        repeat_mode: 0,
        boundary: 0,
    }
}

#[test]
fn feature_maps_are_loaded_in_repeats_and_within_a_boundary() {
    let mut core = Core::new();
    let source = core.random(Space::L1);
    // Fractal `i` of the matrix, counted down the columns of fractals.
    let fractal = |i: usize| source[i * 512..(i + 1) * 512].to_vec();
    core.execute(&load3d()).unwrap();
    assert_eq!(core.bytes(Space::L0a, 0, 1024), [fractal(0), fractal(2)].concat(), "32 rows further");
    core.execute(&abi::Load3d { repeat_mode: 1, ..load3d() }).unwrap();
    assert_eq!(core.bytes(Space::L0a, 0, 1024), [fractal(0), fractal(8)].concat(), "two columns further");
    core.execute(&abi::Load3d {
        m_extension: 32,
        repeat_time: 1,
        boundary: 1024,
        src: at(Space::L1, 512),
        ..load3d()
    })
    .unwrap();
    assert_eq!(core.bytes(Space::L0a, 0, 1024), [fractal(1), fractal(0)].concat(), "from the start again");
    assert!(core.accesses(&abi::Load3d { repeat_time: 0, ..load3d() }).is_empty());
}

#[test]
fn results_start_from_a_matrix_elsewhere() {
    let mut core = Core::new();
    core.write(Space::L0c, 0, &[0; 4096]);
    core.write(Space::L0c, 4096 + 64 + 8, &77i32.to_le_bytes());
    core.write(Space::L0a, 0, &[1; 512]);
    core.write(Space::L0b, 0, &[2; 512]);
    let product =
        abi::Mmad { c_init: 0, c_source: 1, bias: at(Space::L0c, 4096), ..mmad(DataType::I8, 2, 3, 10) };
    core.execute(&product).unwrap();
    let result = core.bytes(Space::L0c, 64 + 8, 4);
    assert_eq!(i32::from_le_bytes(result.try_into().unwrap()), 77 + 20);
}

#[test]
fn a_vector_is_read_without_fractals() {
    let mut core = Core::new();
    let k = 70;
    let a: Vec<u8> = (0..k).flat_map(|i| encode(DataType::F16, number(i))).collect();
    core.write(Space::L0a, 0, &a);
    let b: Vec<u8> =
        (0..k.next_multiple_of(16) * 32).flat_map(|i| encode(DataType::F16, number(i * 3))).collect();
    core.write(Space::L0b, 0, &b);
    let vector = abi::Mmad { gemv_disabled: 0, ..mmad(DataType::F16, 1, 20, k as u32) };
    core.execute(&vector).unwrap();
    for column in 0..20usize {
        let mut sum = 0.0f32;
        for i in 0..k {
            let y = number(((i / 16 * 2 + column / 16) * 256 + column % 16 * 16 + i % 16) * 3);
            sum = (f64::from(number(i)) * f64::from(y) + f64::from(sum)) as f32;
        }
        let result = core.bytes(Space::L0c, (column / 16 * 1024 + column % 16 * 4) as u64, 4);
        assert_eq!(decode(DataType::F32, &result), f64::from(sum));
    }
    assert!(core.accesses(&vector).iter().any(|access| access.used == Use::Read && access.length == 140));
}

#[test]
fn fp32_may_be_padded_to_sixteen_in_k() {
    let mut core = Core::new();
    for space in [Space::L0a, Space::L0b] {
        let values: Vec<u8> = (0..4096).flat_map(|i| number(i).to_le_bytes()).collect();
        core.write(space, 0, &values);
    }
    core.execute(&abi::Mmad { k_direction_align: 1, ..mmad(DataType::F32, 20, 16, 20) }).unwrap();
    // Row 17 is in the second row of fractals, which starts after four of them and not three.
    let mut sum = 0.0f32;
    for i in 0..20 {
        let (x, y) = (number((4 + i / 8) * 128 + 8 + i % 8), number(i / 8 * 128 + 5 * 8 + i % 8));
        sum = (f64::from(x) * f64::from(y) + f64::from(sum)) as f32;
    }
    assert_eq!(decode(DataType::F32, &core.bytes(Space::L0c, (17 * 16 + 5) * 4, 4)), f64::from(sum));
}

#[test]
fn hf32_keeps_eleven_bits() {
    let one_and = |ulps: u32| f32::from_bits(0x3f80_0000 + ulps);
    // Half a step of HF32 is 0x800 of fp32.
    let sizes = Sizes { m: 1, n: 1, k: 1, m1: 1, a_k1: 1, vector: false };
    for (value, mode, expected) in [
        (one_and(0x7ff), 1, one_and(0)),
        (one_and(0x800), 1, one_and(0)),
        (one_and(0x1800), 1, one_and(0x2000)),
        (one_and(0x1800), 2, one_and(0x1000)),
        (one_and(0x801), 2, one_and(0x1000)),
        (one_and(0x801), 0, one_and(0x801)),
    ] {
        let mut a = vec![0; 512];
        a[..4].copy_from_slice(&value.to_le_bytes());
        let mut b = vec![0; 512];
        b[..4].copy_from_slice(&1.0f32.to_le_bytes());
        let mut c = vec![[0; 64]; 16];
        float::multiply(&sizes, DataType::F32, mode, &a, &b, &mut c);
        assert_eq!(c[0][..4], expected.to_le_bytes(), "{value} in mode {mode}");
    }
}

#[test]
fn nibbles_multiply() {
    let mut core = Core::new();
    core.execute(&mmad(DataType::I4, 3, 5, 70)).unwrap();
    let (a, b) = (core.random(Space::L0a), core.random(Space::L0b));
    let nibble = |bytes: &[u8], i: usize| i64::from((bytes[i / 2] << (4 * (1 - i % 2))) as i8 >> 4);
    for row in 0..3 {
        for column in 0..5 {
            let sum: i64 = (0..70)
                .map(|i| {
                    let fractal = i / 64 * 1024;
                    nibble(&a, fractal + row * 64 + i % 64) * nibble(&b, fractal + column * 64 + i % 64)
                })
                .sum();
            let result = core.bytes(Space::L0c, (row * 64 + column * 4) as u64, 4);
            assert_eq!(i64::from(i32::from_le_bytes(result.try_into().unwrap())), sum);
        }
    }
}

/// Runs one number through the fixpipe.
fn converted(src: DataType, dst: DataType, mode: u8, bits: u32, parameter: u64, relu: bool) -> Vec<u8> {
    let mut core = Core::new();
    core.write(Space::L0c, 0, &bits.to_le_bytes());
    core.write(Space::Fb, 0, &parameter.to_le_bytes());
    let fixpipe = abi::Fixpipe {
        relu: relu.into(),
        scale: parameter,
        scales: at(Space::Fb, 0),
        ..fixpipe(src, dst, mode, 1, 1)
    };
    core.execute(&fixpipe).unwrap();
    core.bytes(Space::Gm, 0, dst.bits() / 8)
}

#[test]
fn every_quantization_mode_rounds_as_documented() {
    use DataType::{Bf16, F16, F32, I8, I32, U8};
    let scale = |value: f32| u64::from(value.to_bits());
    let half = |value: f32| f16::from_f32(value).to_le_bytes().to_vec();
    const SIGNED: u64 = 1 << 46;
    let offset = |value: i64| ((value & 0x1ff) as u64) << 37;
    let float = |value: f32| value.to_bits();
    let int = |value: i32| value as u32;
    // 1 + 2^-13 is cut to 1: the unit keeps ten bits of the mantissa.
    let cut = f32::from_bits(0x3f80_0400);
    for (src, dst, modes, bits, parameter, relu, expected) in [
        (F32, F16, [1, 1], float(2049.0), 0, false, half(2048.0)),
        (F32, F16, [1, 1], float(-3.0), 0, true, half(0.0)),
        (F32, Bf16, [16, 16], float(f32::from_bits(0x3f80_8000)), 0, false, vec![0x80, 0x3f]),
        (I32, F16, [11, 10], int(-7), scale(0.5), false, half(-3.5)),
        (I32, F16, [11, 10], int(-7), scale(0.5), true, half(0.0)),
        (I32, F16, [11, 10], int(2000), scale(cut), false, half(2000.0)),
        (I32, F16, [11, 10], int(1 << 20), scale(1.0), false, half(f32::INFINITY)),
        // Shifted right by 3 + 1 and taken as int16.
        (I32, F16, [11, 10], int(-1000), scale(1.0) | 1 << 36 | 3 << 32, false, half(-63.0)),
        (I32, F16, [11, 10], int(i32::MAX), scale(1.0) | 1 << 36, false, half(32767.0)),
        (I32, I8, [9, 8], int(5), scale(0.5) | SIGNED, false, vec![2]),
        (I32, I8, [9, 8], int(7), scale(0.5) | SIGNED, false, vec![4]),
        (I32, I8, [9, 8], int(-1000), scale(0.5) | SIGNED | offset(100), false, vec![(-128i8) as u8]),
        (I32, I8, [9, 8], int(-400), scale(0.5) | SIGNED | offset(100), false, vec![(-100i8) as u8]),
        (I32, U8, [9, 8], int(-3), scale(1.0), false, vec![0]),
        (I32, U8, [9, 8], int(300), scale(1.0) | offset(-56), false, vec![199]),
        (I32, U8, [9, 8], int(-30), scale(1.0) | offset(9), true, vec![9]),
        (F32, I8, [24, 23], float(2.5), scale(1.0) | SIGNED, false, vec![2]),
        (F32, I8, [24, 23], float(-1.5), scale(3.0) | SIGNED | offset(-1), false, vec![(-5i8) as u8]),
        (F32, U8, [24, 23], float(1e9), scale(1.0), false, vec![255]),
        (F32, U8, [24, 23], float(f32::NAN), scale(1.0), false, vec![0]),
        (F32, F32, [0, 0], float(-2.5), 0, false, (-2.5f32).to_le_bytes().to_vec()),
        (F32, F32, [0, 0], float(-2.5), 0, true, vec![0; 4]),
        (I32, I32, [0, 0], int(-5), 0, true, vec![0; 4]),
        (I32, I32, [0, 0], int(5), 0, true, vec![5, 0, 0, 0]),
    ] {
        for mode in modes {
            let result = converted(src, dst, mode, bits, parameter, relu);
            assert_eq!(result, expected, "{src:?} {bits:#x} to {dst:?} in mode {mode} with {parameter:#x}");
        }
    }
}

#[test]
fn results_leave_in_every_layout() {
    let mut core = Core::new();
    let source = core.random(Space::L0c);
    let element = |matrix: usize, row: usize, column: usize| {
        let start = matrix * 3 * 1024 + (column / 16 * 20 + row) * 64 + column % 16 * 4;
        source[start..start + 4].to_vec()
    };
    let base = abi::Fixpipe { src_stride: 20, ..fixpipe(DataType::I32, DataType::I32, 0, 18, 32) };
    // Two matrices as rows, of a width that fills no fractal.
    let rows =
        abi::Fixpipe { n_size: 21, dst_stride: 30, nd_num: 2, src_nd_stride: 3, dst_nd_stride: 600, ..base };
    core.execute(&rows).unwrap();
    for (matrix, row, column) in
        (0..2).flat_map(|x| (0..18).flat_map(move |r| (0..21).map(move |c| (x, r, c))))
    {
        let to = (matrix * 600 + row * 30 + column) * 4;
        assert_eq!(core.bytes(Space::Gm, to as u64, 4), element(matrix, row, column));
    }
    // Fractals.
    let fractals = abi::Fixpipe { nz_to_nd: 0, dst_stride: 50, ..base };
    core.execute(&fractals).unwrap();
    for (row, column) in (0..18).flat_map(|r| (0..32).map(move |c| (r, c))) {
        let to = column / 16 * 50 * 32 + (row * 16 + column % 16) * 4;
        assert_eq!(core.bytes(Space::Gm, to as u64, 4), element(0, row, column));
    }
    // Fractals of 8 columns.
    let float = DataType::F32 as u8;
    let split = abi::Fixpipe {
        channel_split: 1,
        n_size: 24,
        src_type: float,
        dst_type: float,
        dst_stride: 19,
        ..fractals
    };
    core.execute(&split).unwrap();
    for (row, column) in (0..18).flat_map(|r| (0..24).map(move |c| (r, c))) {
        let to = column / 8 * 19 * 32 + (row * 8 + column % 8) * 4;
        assert_eq!(core.bytes(Space::Gm, to as u64, 4), element(0, row, column));
    }
}

#[test]
fn columns_of_bytes_are_merged_to_fractals_of_32() {
    let mut core = Core::new();
    for i in 0..3 * 16 * 16 {
        core.write(Space::L0c, i * 4, &((i % 120) as i32).to_le_bytes());
    }
    core.execute(&abi::Fixpipe {
        dst: at(Space::L1, 0),
        nz_to_nd: 0,
        dst_stride: 16,
        scale: u64::from(1f32.to_bits()) | 1 << 46,
        ..fixpipe(DataType::I32, DataType::I8, 9, 16, 48)
    })
    .unwrap();
    for row in 0..16 {
        for column in 0..48 {
            // The last 16 columns stay a fractal of 16 by 16.
            let to = if column < 32 { row * 32 + column } else { 512 + row * 16 + column - 32 };
            assert_eq!(
                u64::from(core.byte(Space::L1, to)),
                (column / 16 * 256 + row * 16 + column % 16) % 120
            );
        }
    }
}

#[test]
fn results_are_added_to_what_is_there() {
    let mut core = Core::new();
    core.write(Space::L0c, 0, &2.5f32.to_le_bytes());
    core.write(Space::Gm, 0, &1.25f32.to_le_bytes());
    let add = abi::Fixpipe {
        atomic: 1,
        atomic_type: DataType::F32 as u8,
        ..fixpipe(DataType::F32, DataType::F32, 0, 1, 1)
    };
    core.execute(&add).unwrap();
    assert_eq!(core.bytes(Space::Gm, 0, 4), 3.75f32.to_le_bytes());
}

#[test]
fn constants_fill_blocks() {
    let mut core = Core::new();
    let fill = abi::Fill {
        kind: Kind::Fill as u16,
        pipe: 3,
        reserved: 0,
        element: 2,
        dst: at(Space::L0a, 512),
        repeat: 2,
        block_num: 3,
        dst_gap: 1,
        reserved1: 0,
        value: 0x1234,
    };
    for (fill, space, block) in
        [(fill, Space::L0a, 512), (abi::Fill { dst: at(Space::L1, 512), ..fill }, Space::L1, 32)]
    {
        core.execute(&fill).unwrap();
        for repeat in 0..2 {
            let bytes = core.bytes(space, 512 + repeat * 4 * block, 3 * block as usize);
            assert!(bytes.as_chunks().0.iter().all(|&pair: &[u8; 2]| pair == [0x34, 0x12]));
        }
        assert_eq!(core.byte(space, 512 + 3 * block), core.random(space)[512 + 3 * block as usize]);
    }
}

#[test]
fn what_the_hardware_refuses() {
    let field = |result: Result<(), Fault>| matches!(result, Err(Fault::Field { .. }));
    let misaligned = |result: Result<(), Fault>| matches!(result, Err(Fault::Misaligned { .. }));
    let unsupported = |result: Result<(), Fault>| matches!(result, Err(Fault::Unsupported(_)));
    let product = mmad(DataType::F16, 16, 16, 16);
    assert_eq!(product.check(), Ok(()));
    assert!(field(abi::Mmad { k: 4096, ..product }.check()));
    assert!(misaligned(abi::Mmad { a: at(Space::L0a, 256), ..product }.check()));
    assert!(misaligned(abi::Mmad { c: at(Space::L0c, 64), ..product }.check()));
    assert!(unsupported(abi::Mmad { a: at(Space::L0b, 0), ..product }.check()));
    assert!(unsupported(abi::Mmad { b_type: DataType::Bf16 as u8, ..product }.check()));
    assert!(unsupported(abi::Mmad { unit_flag: 1, ..product }.check()));
    let out = fixpipe(DataType::I32, DataType::F16, 11, 16, 16);
    assert_eq!(out.check(), Ok(()));
    assert!(field(abi::Fixpipe { n_size: 4096, ..out }.check()));
    assert!(field(abi::Fixpipe { m_size: 8193, ..out }.check()));
    assert!(field(abi::Fixpipe { dst_stride: 0, ..out }.check()));
    assert!(field(abi::Fixpipe { nd_num: 2, src_nd_stride: 513, ..out }.check()));
    assert!(unsupported(abi::Fixpipe { dst_type: DataType::Bf16 as u8, ..out }.check()), "int32 to bf16");
    assert!(unsupported(abi::Fixpipe { nz_to_nd: 0, n_size: 24, ..out }.check()));
    assert!(unsupported(abi::Fixpipe { dst: at(Space::L1, 0), ..out }.check()), "rows to L1");
    assert!(misaligned(abi::Fixpipe { nz_to_nd: 0, dst: at(Space::Gm, 1), ..out }.check()));
    let load = load2d(2, at(Space::L0a, 0), at(Space::L1, 0), 1, 1);
    assert_eq!(load.check(), Ok(()));
    assert!(field(abi::Load2d { repeat: 256, ..load }.check()));
    assert!(unsupported(abi::Load2d { transpose: 1, element: 4, ..load }.check()));
    assert!(unsupported(abi::Load2d { descending: 1, repeat: 3, ..load }.check()));
    assert!(misaligned(abi::Load2d { dst: at(Space::L0a, 32), ..load }.check()));
    let mut core = Core::new();
    let beyond = abi::Load2d { repeat: 200, ..load };
    assert!(matches!(core.execute(&beyond), Err(Fault::OutOfBounds { .. })));
    assert!(field(nd_to_nz(2, at(Space::L1, 0), at(Space::Gm, 0), 16385, 16).check()));
}
