use proptest::prelude::*;

use crate::aicore::abi::{self, Atomic, DataType, Kind};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Address, Space, Use};
use crate::aicore::testing::{Core, GLOBAL};

fn copy() -> abi::Copy {
    abi::Copy {
        kind: Kind::Copy as u16,
        pipe: 4,
        reserved: 0,
        rows: 1,
        dst: Address::new(Space::Ub, 0).0,
        src: GLOBAL,
        row_bytes: 32,
        src_stride: 0,
        dst_stride: 0,
        left_padding: 0,
        right_padding: 0,
        padding: 0,
        element: 4,
        atomic: 0,
        atomic_type: 0,
        blocks: 0,
        widens: 0,
        count_field: 1,
        count_limit: 4095,
        length_field: 1,
        length_limit: 65535,
    }
}

#[test]
fn bias_widens_on_the_way_to_its_table() {
    let mut core = Core::new();
    let copy = abi::Copy {
        pipe: 3,
        src: Address::new(Space::L1, 64).0,
        dst: Address::new(Space::Bt, 64).0,
        row_bytes: 64,
        widens: 1,
        ..copy()
    };
    core.execute(&copy).unwrap();
    let source = core.random(Space::L1);
    for i in 0..32 {
        let half = half::f16::from_le_bytes([source[64 + 2 * i], source[65 + 2 * i]]).to_f32();
        let float = [0, 1, 2, 3].map(|byte| core.byte(Space::Bt, 64 + 4 * i as u64 + byte));
        let float = f32::from_le_bytes(float);
        assert!(float == half || (float.is_nan() && half.is_nan()), "{i}: {float} of {half}");
    }
    assert!(matches!(
        abi::Copy { dst: Address::new(Space::Ub, 0).0, ..copy }.check(),
        Err(Fault::Unsupported(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_arrive_with_their_padding(rows in 1u32..6, row in 1u64..70, gap in 0u64..40, left in 0u32..4, right in 0u32..4) {
        let mut core = Core::new();
        let dst_stride = (row + u64::from(left + right) * 4).next_multiple_of(32) + 32;
        let copy = abi::Copy {
            rows, row_bytes: row, src_stride: row + gap, dst_stride,
            left_padding: left * 4, right_padding: right * 4, padding: 0x0403_0201, ..copy()
        };
        core.execute(&copy).unwrap();
        let source = core.random(Space::Gm);
        for r in 0..u64::from(rows) {
            for i in 0..u64::from(left) * 4 {
                prop_assert_eq!(core.byte(Space::Ub, r * dst_stride + i), 1 + (i % 4) as u8);
            }
            for i in 0..row {
                let at = r * dst_stride + u64::from(left) * 4 + i;
                prop_assert_eq!(core.byte(Space::Ub, at), source[(r * (row + gap) + i) as usize]);
            }
            for i in 0..u64::from(right) * 4 {
                let at = r * dst_stride + u64::from(left) * 4 + row + i;
                prop_assert_eq!(core.byte(Space::Ub, at), 1 + (i % 4) as u8);
            }
        }
    }

    #[test]
    fn matrices_become_fractals(nd in 1u32..3, n in 1u32..20, d in 1u32..70, element in prop::sample::select(vec![1u32, 2, 4]), step in 1u32..3) {
        let mut core = Core::new();
        let c0 = 32 / element;
        let c0_stride = n * step + 3;
        let matrix = d.div_ceil(c0) * c0_stride * c0;
        let copy = abi::NdToNz {
            kind: Kind::NdToNz as u16, pipe: 4, reserved: 0, element,
            dst: Address::new(Space::L1, 64).0, src: GLOBAL + 3, nd_num: nd, n_value: n, d_value: d,
            src_nd_matrix_stride: n * (d + 5) + 7, src_d_value: d + 5, dst_nz_c0_stride: c0_stride,
            dst_nz_n_stride: step, dst_nz_matrix_stride: matrix,
        };
        core.execute(&copy).unwrap();
        let source = core.random(Space::Gm);
        for x in 0..nd { for r in 0..n { for c in 0..d.next_multiple_of(c0) { for b in 0..element {
            let at = 64 + (x * matrix + (c / c0) * c0_stride * c0 + r * step * c0 + c % c0) * element + b;
            let from = 3 + (x * (n * (d + 5) + 7) + r * (d + 5) + c) * element + b;
            let expected = if c < d { source[from as usize] } else { 0 };
            prop_assert_eq!(core.byte(Space::L1, u64::from(at)), expected);
        }}}}
    }

    #[test]
    fn fractals_become_matrices(nd in 1u32..3, n in 1u32..20, blocks in 1u32..4, element in prop::sample::select(vec![2u32, 4])) {
        let mut core = Core::new();
        let (d, matrix) = (blocks * 16, (n * blocks).div_ceil(16));
        let copy = abi::NzToNd {
            kind: Kind::NzToNd as u16, pipe: 5, reserved: 0, element,
            dst: GLOBAL + 1, src: Address::new(Space::Ub, 32).0, nd_num: nd, n_value: n, d_value: d,
            src_nd_matrix_stride: matrix, src_n_stride: n, dst_d_stride: d + 3,
            dst_nd_matrix_stride: n * (d + 3) + 1, atomic: 0, atomic_type: 0, reserved1: [0; 2],
        };
        core.execute(&copy).unwrap();
        let source = core.random(Space::Ub);
        for x in 0..nd { for r in 0..n { for c in 0..d { for b in 0..element {
            let from = 32 + (x * matrix * 256 + (c / 16) * n * 16 + r * 16 + c % 16) * element + b;
            let at = 1 + (x * (n * (d + 3) + 1) + r * (d + 3) + c) * element + b;
            prop_assert_eq!(core.byte(Space::Gm, u64::from(at)), source[from as usize]);
        }}}}
    }
}

#[test]
fn atomic_copies_combine_with_what_is_there() {
    type Case<'a> = (DataType, Atomic, &'a [u8], &'a [u8], &'a [u8]);
    let cases: [Case; 8] = [
        (DataType::I8, Atomic::Add, &[5, 127], &[250, 1], &[255, 128]),
        (DataType::I16, Atomic::Max, &(-3i16).to_le_bytes(), &2i16.to_le_bytes(), &2i16.to_le_bytes()),
        (DataType::I32, Atomic::Min, &(-3i32).to_le_bytes(), &2i32.to_le_bytes(), &(-3i32).to_le_bytes()),
        (DataType::I32, Atomic::Add, &7i32.to_le_bytes(), &(-9i32).to_le_bytes(), &(-2i32).to_le_bytes()),
        (DataType::F32, Atomic::Add, &1.5f32.to_le_bytes(), &2.25f32.to_le_bytes(), &3.75f32.to_le_bytes()),
        (DataType::F32, Atomic::Max, &1.5f32.to_le_bytes(), &2.25f32.to_le_bytes(), &2.25f32.to_le_bytes()),
        // 2048 + 1 lies between two fp16 and goes to the even one.
        (DataType::F16, Atomic::Add, &[0x00, 0x68], &[0x00, 0x3c], &[0x00, 0x68]),
        // 1 + 1/128 = 1 + one step of bf16.
        (DataType::Bf16, Atomic::Add, &[0x80, 0x3f], &[0x00, 0x3c], &[0x81, 0x3f]),
    ];
    for (kind, operation, there, new, expected) in cases {
        let mut core = Core::new();
        core.write(Space::Gm, 0, there);
        core.write(Space::Ub, 0, new);
        let copy = abi::Copy {
            dst: GLOBAL,
            src: Address::new(Space::Ub, 0).0,
            row_bytes: there.len() as u64,
            atomic: operation as u8,
            atomic_type: kind as u8,
            ..copy()
        };
        core.execute(&copy).unwrap();
        assert_eq!(core.bytes(Space::Gm, 0, there.len()), expected, "{kind:?} {operation:?}");
        assert!(core.accesses(&copy).iter().any(|access| access.used == Use::Atomic));
    }
}

#[test]
fn what_the_hardware_refuses() {
    let ub = |offset| Address::new(Space::Ub, offset).0;
    let field = |copy: abi::Copy| matches!(copy.check(), Err(Fault::Field { .. }));
    assert!(field(abi::Copy { count_field: 4096, ..copy() }));
    assert!(field(abi::Copy { length_field: 65536, ..copy() }));
    assert!(field(abi::Copy { left_padding: 33, ..copy() }));
    assert!(matches!(abi::Copy { dst: ub(16), ..copy() }.check(), Err(Fault::Misaligned { .. })));
    assert!(matches!(abi::Copy { row_bytes: 33, blocks: 1, ..copy() }.check(), Err(Fault::Unsupported(_))));
    let atomic = abi::Copy { dst: GLOBAL, src: ub(0), atomic: 1, atomic_type: DataType::U32 as u8, ..copy() };
    assert!(matches!(atomic.check(), Err(Fault::Unsupported(_))));
    assert_eq!(copy().check(), Ok(()));
    let mut core = Core::new();
    let beyond = abi::Copy { dst: ub((192 << 10) - 32), row_bytes: 64, ..copy() };
    assert!(matches!(core.execute(&beyond), Err(Fault::OutOfBounds { .. })));
    let beyond = abi::Copy { src: GLOBAL + (1 << 20) - 16, ..copy() };
    assert!(matches!(core.execute(&beyond), Err(Fault::OutOfBounds { .. })));
}

#[test]
fn overlapping_rows_move_whole() {
    let mut core = Core::new();
    let before = core.bytes(Space::Ub, 0, 96);
    core.execute(&abi::Copy {
        dst: Address::new(Space::Ub, 32).0,
        src: Address::new(Space::Ub, 0).0,
        row_bytes: 64,
        ..copy()
    })
    .unwrap();
    assert_eq!(core.bytes(Space::Ub, 32, 64), before[..64]);
}
