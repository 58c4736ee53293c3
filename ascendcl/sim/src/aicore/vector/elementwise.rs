//! Instructions that compute element by element: their fields, their operands, and the way through them.

use super::lanes::{self, Bytes, Lanes, Operand, within};
use super::raw::Region;
use super::{arithmetic, cast, data_type, is_movable, select};
use crate::aicore::abi::{self, Comparison, DataType, Round, SelectMode, VectorOp};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Use};
use DataType::{F16, F32, I8, I16, I32, U8, U16, U32};

/// The operands of one repeat.
pub(super) struct Staging {
    pub src0: Bytes,
    pub src1: Bytes,
    /// Holds what was there for operations that accumulate.
    pub dst: Bytes,
}

/// The codes of an instruction, understood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codes {
    pub op: VectorOp,
    pub src: DataType,
    pub dst: DataType,
    pub round: Round,
    pub compare: Comparison,
    pub select: SelectMode,
}

/// What an operation reads besides its first source.
struct Shape {
    src0: bool,
    src1: bool,
    /// The destination is a source too.
    accumulates: bool,
}

impl abi::Vector {
    fn codes(&self) -> Result<Codes, Fault> {
        let unknown = |what: &str, code: u32| Fault::Unsupported(format!("{what} {code} does not exist"));
        let op = VectorOp::of(self.op).ok_or_else(|| unknown("vector operation", self.op.into()))?;
        let dst = data_type(self.dst_type)?;
        // Those that fill have no source.
        let src =
            if matches!(op, VectorOp::Duplicate | VectorOp::Index) { dst } else { data_type(self.src_type)? };
        let round = Round::of(self.round).ok_or_else(|| unknown("rounding mode", self.round.into()))?;
        let compare =
            Comparison::of(self.compare).ok_or_else(|| unknown("comparison", self.compare.into()))?;
        let select = SelectMode::of(self.select).ok_or_else(|| unknown("select mode", self.select.into()))?;
        let codes = Codes { op, src, dst, round, compare, select };
        if codes.is_supported() {
            Ok(codes)
        } else {
            let mode = if op == VectorOp::Cast { format!(" with {round:?}") } else { String::new() };
            Err(Fault::Unsupported(format!(
                "{op:?} from {src:?} to {dst:?}{mode} does not exist on this device"
            )))
        }
    }

    fn lanes(&self, codes: Codes) -> Lanes {
        let per_repeat = codes.per_repeat();
        match codes.op {
            // The mask has no effect (docs: Compare, Compares); of a count only whole repeats are compared.
            VectorOp::Compare | VectorOp::CompareScalar => {
                let repeats = match self.mask.counter {
                    0 => u64::from(self.repeat),
                    _ => self.mask.bits[0] / per_repeat as u64,
                };
                Lanes::all(repeats, per_repeat)
            }
            VectorOp::CompareMask => Lanes::new(&self.mask, 1, per_repeat),
            // In counter mode the count is of each repeat, and the repeats count (docs: Copy between UB).
            VectorOp::Copy if self.mask.counter != 0 => {
                let active = lanes::Active::first(self.mask.bits[0].min(per_repeat as u64) as usize);
                Lanes::each(u64::from(self.repeat), per_repeat, active)
            }
            _ => Lanes::new(&self.mask, self.repeat, per_repeat),
        }
    }

    fn src0(&self, codes: Codes) -> Operand {
        Operand::new(self.src0, codes.src.bits(), self.src0_block_stride, self.src0_repeat_stride)
    }

    fn src1(&self, codes: Codes) -> Operand {
        Operand::new(self.src1, codes.src.bits(), self.src1_block_stride, self.src1_repeat_stride)
    }

    /// The destination; comparisons pack one bit for each lane.
    fn dst(&self, codes: Codes) -> Operand {
        Operand::new(self.dst, codes.dst.bits(), self.dst_block_stride, self.dst_repeat_stride)
    }

    fn check_strides(&self, op: VectorOp, lanes: &Lanes, codes: Codes, shape: &Shape) -> Result<(), Fault> {
        // Widths of the fields: one source leaves room for wide block strides.
        let (most_block, most_repeat) = match op {
            VectorOp::Copy => (65535, 4095),
            _ if shape.src1 || op == VectorOp::Select => (255, 255),
            _ => (65535, 255),
        };
        if !packs(op) {
            within("dst block stride", self.dst_block_stride.into(), 0, most_block)?;
            within("dst repeat stride", self.dst_repeat_stride.into(), 0, most_repeat)?;
            // The docs leave a stride of 0 between several blocks undefined.
            if lanes.span() > 256 / codes.dst.bits() {
                within("dst block stride", self.dst_block_stride.into(), 1, most_block)?;
            }
        }
        if shape.src0 {
            within("src0 block stride", self.src0_block_stride.into(), 0, most_block)?;
            within("src0 repeat stride", self.src0_repeat_stride.into(), 0, most_repeat)?;
        }
        if shape.src1 {
            within("src1 block stride", self.src1_block_stride.into(), 0, most_block)?;
            within("src1 repeat stride", self.src1_repeat_stride.into(), 0, most_repeat)?;
        }
        Ok(())
    }

    fn check_scalar(&self, codes: Codes) -> Result<(), Fault> {
        if matches!(codes.op, VectorOp::ShiftLeft | VectorOp::ShiftRight) {
            let bits = codes.src.bits();
            within("shift", self.scalar & ((1 << bits) - 1), 0, bits as u64)?;
        }
        Ok(())
    }
}

const fn packs(op: VectorOp) -> bool {
    matches!(op, VectorOp::Compare | VectorOp::CompareScalar | VectorOp::CompareMask)
}

impl Codes {
    /// A repeat has 256 bytes of the widest operand.
    fn per_repeat(self) -> usize {
        let bits = if packs(self.op) { self.src.bits() } else { self.src.bits().max(self.dst.bits()) };
        lanes::REPEAT * 8 / bits
    }

    fn shape(self) -> Shape {
        use VectorOp::*;
        let src0 = !matches!(self.op, Duplicate | Index);
        let src1 = match self.op {
            Select => self.select != SelectMode::TensorScalar,
            op => matches!(
                op,
                Add | Sub
                    | Mul
                    | Div
                    | Max
                    | Min
                    | And
                    | Or
                    | AddRelu
                    | SubRelu
                    | MulAddDst
                    | FusedMulAdd
                    | FusedMulAddRelu
                    | MulCast
                    | AddReluCast
                    | SubReluCast
                    | AddDeqRelu
                    | Compare
                    | CompareMask
            ),
        };
        let accumulates = matches!(self.op, MulAddDst | FusedMulAdd | FusedMulAddRelu | Axpy);
        Shape { src0, src1, accumulates }
    }

    /// The type tables of the docs for Atlas A2.
    fn is_supported(self) -> bool {
        use VectorOp::*;
        let (src, dst) = (self.src, self.dst);
        let same = src == dst;
        match self.op {
            Add | Sub | Mul | Max | Min | Adds | Muls | Maxs | Mins | Index => {
                same && matches!(src, I16 | F16 | I32 | F32)
            }
            Div | FusedMulAdd | FusedMulAddRelu | LeakyRelu | Abs | Exp | Ln | Sqrt | Rsqrt | Reciprocal
            | Select => same && matches!(src, F16 | F32),
            And | Or | Not => same && matches!(src, I16 | U16),
            AddRelu | SubRelu => same && matches!(src, I16 | F16 | F32),
            MulAddDst | Axpy => matches!((src, dst), (F16, F16 | F32) | (F32, F32)),
            MulCast => matches!((src, dst), (F16, I8 | U8)),
            AddReluCast | SubReluCast => matches!((src, dst), (F16 | I16, I8) | (F32, F16)),
            AddDeqRelu => matches!((src, dst), (I32, F16)),
            ShiftLeft | ShiftRight => same && matches!(src, I16 | U16 | I32 | U32),
            Relu => same && matches!(src, F16 | I32 | F32),
            Cast => cast::is_supported(src, dst, self.round),
            Duplicate | Copy => same && is_movable(src),
            Compare | CompareScalar => match src {
                F16 | F32 => true,
                I32 => self.compare == Comparison::Eq,
                _ => false,
            },
            CompareMask => matches!(src, F16 | F32),
            // Bits, whatever their type.
            LoadCompareMask | StoreCompareMask => true,
        }
    }
}

/// Bytes of the register of the comparison mask.
const COMPARE_MASK_BYTES: u64 = 16;

impl abi::Vector {
    /// If the instruction moves the register of the comparison mask: where to or from, and which.
    fn moved_mask(&self) -> Option<(Address, Use)> {
        match VectorOp::of(self.op)? {
            VectorOp::LoadCompareMask => Some((Address(self.src0), Use::Read)),
            VectorOp::StoreCompareMask => Some((Address(self.dst), Use::Write)),
            _ => None,
        }
    }
}

impl Semantics for abi::Vector {
    fn check(&self) -> Result<(), Fault> {
        if let Some((place, _)) = self.moved_mask() {
            return lanes::check_address("comparison mask", place.0, 32);
        }
        let codes = self.codes()?;
        let shape = codes.shape();
        lanes::check_lanes(&self.mask, self.repeat)?;
        if codes.op == VectorOp::Copy && self.mask.counter != 0 {
            within("repeat", self.repeat.into(), 0, lanes::MOST_REPEATS)?;
            within("mask count", self.mask.bits[0], 0, codes.per_repeat() as u64)?;
        }
        let lanes = self.lanes(codes);
        self.check_strides(codes.op, &lanes, codes, &shape)?;
        self.check_scalar(codes)?;
        if codes.op != VectorOp::CompareMask {
            lanes::check_address("dst", self.dst, 32)?;
        }
        if shape.src0 {
            lanes::check_address("src0", self.src0, 32)?;
        }
        if shape.src1 {
            lanes::check_address("src1", self.src1, 32)?;
        }
        if codes.op == VectorOp::Select && !self.selects_by_register(codes) {
            lanes::check_address("selection mask", self.selection, 32)?;
        }
        let halves = codes.src == DataType::I4 || codes.dst == DataType::I4;
        if halves && !lanes.whole_bytes() {
            return Err(Fault::Unsupported("the mask splits a byte of two 4-bit elements".to_owned()));
        }
        Ok(())
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if let Some((place, used)) = self.moved_mask() {
            return visit(Access::run(place, used, COMPARE_MASK_BYTES));
        }
        let Ok(codes) = self.codes() else { return };
        let shape = codes.shape();
        let lanes = self.lanes(codes);
        if shape.src0 {
            self.src0(codes).accesses(&lanes, Use::Read, visit);
        }
        if shape.src1 {
            self.src1(codes).accesses(&lanes, Use::Read, visit);
        }
        if shape.accumulates {
            self.dst(codes).accesses(&lanes, Use::Read, visit);
        }
        match codes.op {
            VectorOp::Compare | VectorOp::CompareScalar => {
                let bytes = lanes.repeats * (lanes.per_repeat / 8) as u64;
                if bytes > 0 {
                    visit(Access::run(crate::aicore::memory::Address(self.dst), Use::Write, bytes));
                }
                return;
            }
            VectorOp::CompareMask => return,
            VectorOp::Select if !self.selects_by_register(codes) => {
                self.selection_accesses(codes, &lanes, visit);
            }
            _ => {}
        }
        self.dst(codes).accesses(&lanes, Use::Write, visit);
    }

    fn run(&self, memory: &CoreMemory, registers: &mut Registers) -> Result<(), Fault> {
        if let Some((place, used)) = self.moved_mask() {
            let region = Region::of(memory, place.0, COMPARE_MASK_BYTES)?;
            let mut bytes = [0; COMPARE_MASK_BYTES as usize];
            if used == Use::Read {
                region.read(0, &mut bytes)?;
                registers.compare_mask = bytemuck::cast(bytes);
            } else {
                bytes = bytemuck::cast(registers.compare_mask);
                region.write(0, &bytes)?;
            }
            return Ok(());
        }
        let codes = self.codes()?;
        let shape = codes.shape();
        let lanes = self.lanes(codes);
        if lanes.repeats == 0 {
            return Ok(());
        }
        let none = || Region::of(memory, self.dst, 0);
        let (src0, src1, dst) = (self.src0(codes), self.src1(codes), self.dst(codes));
        let from0 = if shape.src0 { src0.region(memory, &lanes)? } else { none()? };
        let from1 = if shape.src1 { src1.region(memory, &lanes)? } else { none()? };
        let mut staging = Staging { src0: Bytes::ZERO, src1: Bytes::ZERO, dst: Bytes::ZERO };
        if packs(codes.op) {
            let packed = match codes.op {
                VectorOp::CompareMask => None,
                _ => Some(Region::of(memory, self.dst, lanes.repeats * (lanes.per_repeat / 8) as u64)?),
            };
            for repeat in 0..lanes.repeats {
                let active = lanes.active(repeat);
                src0.load(&from0, repeat, active, &mut staging.src0)?;
                if shape.src1 {
                    src1.load(&from1, repeat, active, &mut staging.src1)?;
                }
                let bits = select::compare(codes, self.scalar, &staging, active.span);
                if let Some(packed) = &packed {
                    let bytes = lanes.per_repeat / 8;
                    packed.write(repeat as usize * bytes, &bits.to_le_bytes()[..bytes])?;
                } else {
                    // Lanes that the mask leaves out give 0.
                    let bits = bits & active.bits;
                    registers.compare_mask = [bits as u64, (bits >> 64) as u64];
                }
            }
            return Ok(());
        }
        let to = dst.region(memory, &lanes)?;
        let selection = match codes.op {
            VectorOp::Select => Some(self.selection(codes, memory, &lanes, registers)?),
            _ => None,
        };
        for repeat in 0..lanes.repeats {
            let active = lanes.active(repeat);
            if shape.src0 {
                src0.load(&from0, repeat, active, &mut staging.src0)?;
            }
            if shape.src1 {
                src1.load(&from1, repeat, active, &mut staging.src1)?;
            }
            if shape.accumulates {
                dst.load(&to, repeat, active, &mut staging.dst)?;
            }
            match &selection {
                Some(selection) => {
                    let bits = selection.bits(repeat)?;
                    select::select(codes, self.scalar, bits, &mut staging, active.span);
                }
                None if codes.op == VectorOp::Cast => {
                    cast::cast(codes.src, codes.dst, codes.round, self.scalar, &mut staging, active.span);
                }
                None => {
                    let first = repeat * lanes.per_repeat as u64;
                    arithmetic::compute(codes, self.scalar, first, &mut staging, active.span);
                }
            }
            dst.store(&to, repeat, active, &staging.dst)?;
        }
        Ok(())
    }
}
