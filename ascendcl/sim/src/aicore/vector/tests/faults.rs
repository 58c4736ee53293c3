//! What the hardware refuses.

use super::arena::{Arena, SIZE, ub};
use super::elementwise::vector;
use crate::aicore::abi::{self, DataType, Kind, Mask, Round, VectorOp};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Address, Space};
use DataType::{Bf16, F16, F32, I4, I8, I32, I64, U8, U16};

fn add() -> abi::Vector {
    vector(VectorOp::Add, F32, F32)
}

fn field(v: &dyn Semantics) -> &'static str {
    match v.check() {
        Err(Fault::Field { field, .. }) => field,
        other => panic!("{other:?} is no fault of a field"),
    }
}

#[test]
fn fields_have_the_limits_of_the_hardware() {
    assert_eq!(field(&abi::Vector { repeat: 256, ..add() }), "repeat");
    assert_eq!(field(&abi::Vector { dst_block_stride: 256, ..add() }), "dst block stride");
    assert_eq!(field(&abi::Vector { dst_block_stride: 0, ..add() }), "dst block stride");
    assert_eq!(field(&abi::Vector { src0_repeat_stride: 256, ..add() }), "src0 repeat stride");
    assert_eq!(field(&abi::Vector { src1_block_stride: 256, ..add() }), "src1 block stride");
    let wide = abi::Vector { src0_block_stride: 256, ..vector(VectorOp::Adds, F32, F32) };
    assert_eq!(wide.check(), Ok(()));
    let shift = |scalar| abi::Vector { scalar, ..vector(VectorOp::ShiftLeft, U16, U16) };
    assert_eq!(shift(16).check(), Ok(()));
    assert_eq!(field(&shift(17)), "shift");
    // In counter mode the repeat count has no effect.
    let mask = Mask { bits: [64, 0], counter: 1, reserved: 0 };
    assert_eq!(abi::Vector { repeat: 256, mask, ..add() }.check(), Ok(()));
    // A single block has no stride.
    let mask = Mask { bits: [0xff, 0], counter: 0, reserved: 0 };
    assert_eq!(abi::Vector { dst_block_stride: 0, mask, ..add() }.check(), Ok(()));
}

#[test]
fn addresses_are_aligned_and_of_the_unified_buffer() {
    for (operand, v) in [
        ("dst", abi::Vector { dst: ub(16), ..add() }),
        ("src0", abi::Vector { src0: ub(4), ..add() }),
        ("src1", abi::Vector { src1: ub(8), ..add() }),
    ] {
        match v.check() {
            Err(Fault::Misaligned { operand: got, alignment: 32, .. }) => assert_eq!(got, operand),
            other => panic!("{other:?}"),
        }
    }
    // What an operation does not use may be anything.
    assert_eq!(abi::Vector { src1: 3, ..vector(VectorOp::Abs, F32, F32) }.check(), Ok(()));
    let l1 = abi::Vector { src0: Address::new(Space::L1, 0).0, ..add() };
    assert!(matches!(l1.check(), Err(Fault::Unsupported(_))));
}

#[test]
fn types_that_the_device_lacks_are_refused() {
    let lacking = [
        (VectorOp::Add, Bf16, Bf16),
        (VectorOp::Add, I64, I64),
        (VectorOp::Add, F16, F32),
        (VectorOp::Exp, I32, I32),
        (VectorOp::And, I32, I32),
        (VectorOp::Select, I32, I32),
        (VectorOp::Duplicate, I64, I64),
        (VectorOp::Cast, F16, Bf16),
        (VectorOp::MulCast, F32, F16),
        (VectorOp::CompareMask, I32, I32),
    ];
    for (op, src, dst) in lacking {
        assert!(matches!(vector(op, src, dst).check(), Err(Fault::Unsupported(_))), "{op:?} {src:?} {dst:?}");
    }
    // int32 compares for equality only; 0 is LT.
    assert!(vector(VectorOp::Compare, I32, U8).check().is_err());
    assert!(abi::Vector { op: 999, ..add() }.check().is_err());
    assert!(abi::Vector { src_type: 99, ..add() }.check().is_err());
    let cast = abi::Vector { round: Round::Odd as u8, ..vector(VectorOp::Cast, F16, I8) };
    assert!(cast.check().is_err());
    let mask = Mask { bits: [7, 0], counter: 0, reserved: 0 };
    assert!(abi::Vector { mask, ..vector(VectorOp::Cast, I4, F16) }.check().is_err());
}

#[test]
fn what_lies_beyond_the_memory_is_a_fault_and_nothing_is_written() {
    let mut arena = Arena::random(4);
    let before = arena.bytes().to_vec();
    let end = SIZE as u64;
    for v in [
        abi::Vector { dst: ub(end - 224), ..add() },
        abi::Vector { src1: ub(end - 224), ..add() },
        abi::Vector { repeat: 255, src0_repeat_stride: 255, ..add() },
        abi::Vector { mask: Mask { bits: [u64::from(u32::MAX), 0], counter: 1, reserved: 0 }, ..add() },
    ] {
        assert!(matches!(arena.run(&v), Err(Fault::OutOfBounds { .. })), "{v:?}");
    }
    assert!(arena.bytes() == before);
    // The last block is in bounds.
    arena.run(&abi::Vector { dst: ub(end - 256), ..add() }).expect("the tensor ends with the memory");
}

#[test]
fn gathers_refuse_offsets_that_split_elements_or_leave_the_memory() {
    let gather = |mode: u8, data_type: DataType| abi::Gather {
        kind: Kind::Gather as u16,
        pipe: 1,
        reserved: 0,
        mode,
        data_type: data_type as u8,
        reserved1: [0; 2],
        repeat: 1,
        dst: ub(0),
        src: ub(64 << 10),
        offset: ub(128 << 10),
        base: 0,
        dst_block_stride: 1,
        dst_repeat_stride: 8,
        src_repeat_stride: 8,
        mask: Mask { bits: [1, 0], counter: 0, reserved: 0 },
    };
    let mut arena = Arena::random(0);
    arena.put(128 << 10, &2u32.to_le_bytes());
    assert!(matches!(arena.run(&gather(0, F32)), Err(Fault::Misaligned { .. })));
    arena.run(&gather(0, F16)).expect("2 is a multiple of the size of fp16");
    arena.put(128 << 10, &(128u32 << 10).to_le_bytes());
    assert!(matches!(arena.run(&gather(0, F32)), Err(Fault::OutOfBounds { .. })));
    assert!(matches!(gather(2, F32).check(), Err(Fault::Unsupported(_))));
    assert!(matches!(gather(1, F32).check(), Err(Fault::Unsupported(_))));
}
