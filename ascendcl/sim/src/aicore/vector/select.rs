//! Comparisons, and the choice between operands by their bits.

use super::arithmetic::to_f32;
use super::elementwise::{Codes, Staging};
use super::lanes::{LANES, Lanes, Runs};
use super::raw::Region;
use crate::aicore::abi::{self, Comparison, DataType, SelectMode, VectorOp};
use crate::aicore::fault::Fault;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};

#[inline(always)]
fn bits_of<T: Copy + PartialOrd>(a: &[T], b: &[T], compare: Comparison) -> u128 {
    let mut truths = [0u8; LANES];
    macro_rules! fill {
        ($op:tt) => {
            for ((truth, a), b) in truths.iter_mut().zip(a).zip(b) {
                *truth = u8::from(a $op b);
            }
        };
    }
    match compare {
        Comparison::Lt => fill!(<),
        Comparison::Gt => fill!(>),
        Comparison::Eq => fill!(==),
        Comparison::Le => fill!(<=),
        Comparison::Ge => fill!(>=),
        Comparison::Ne => fill!(!=),
    }
    let mut bytes = [0u8; LANES / 8];
    for (byte, truths) in bytes.iter_mut().zip(truths.chunks_exact(8)) {
        *byte = truths.iter().enumerate().fold(0, |byte, (bit, truth)| byte | truth << bit);
    }
    u128::from_le_bytes(bytes)
}

/// The comparison of `n` lanes, lane 0 in the lowest bit.
pub(super) fn compare(codes: Codes, scalar: u64, io: &Staging, n: usize) -> u128 {
    let by_scalar = codes.op == VectorOp::CompareScalar;
    if codes.src == DataType::I32 {
        let a = &io.src0.lanes::<i32>()[..n];
        return if by_scalar {
            bits_of(a, &[scalar as i32; LANES], codes.compare)
        } else {
            bits_of(a, io.src1.lanes(), codes.compare)
        };
    }
    let a = to_f32(codes.src, &io.src0, n);
    let b = if by_scalar {
        let scalar = match codes.src {
            DataType::F16 => half::f16::from_bits(scalar as u16).to_f32(),
            _ => f32::from_bits(scalar as u32),
        };
        [scalar; LANES]
    } else {
        to_f32(codes.src, &io.src1, n)
    };
    bits_of(&a[..n], &b, codes.compare)
}

/// Chooses for `n` lanes: the first source where the bit is set.
pub(super) fn select(codes: Codes, scalar: u64, bits: u128, io: &mut Staging, n: usize) {
    fn choose<T: bytemuck::Pod>(scalar: Option<T>, bits: u128, io: &mut Staging, n: usize) {
        let (a, b) = (io.src0.lanes::<T>(), io.src1.lanes::<T>());
        for (lane, d) in io.dst.lanes_mut::<T>()[..n].iter_mut().enumerate() {
            *d = if bits >> lane & 1 == 1 { a[lane] } else { scalar.unwrap_or(b[lane]) };
        }
    }
    let by_scalar = codes.select == SelectMode::TensorScalar;
    if codes.src.bits() == 16 {
        choose::<u16>(by_scalar.then_some(scalar as u16), bits, io, n);
    } else {
        choose::<u32>(by_scalar.then_some(scalar as u32), bits, io, n);
    }
}

/// The bits by which a `Select` chooses.
pub(super) enum Selection<'a> {
    /// The same for each repeat.
    Same(u128),
    /// Goes on from repeat to repeat.
    Tensor { region: Region<'a>, bytes: usize },
}

impl Selection<'_> {
    pub(super) fn bits(&self, repeat: u64) -> Result<u128, Fault> {
        match self {
            Self::Same(bits) => Ok(*bits),
            Self::Tensor { region, bytes } => {
                let mut bits = [0; 16];
                region.read(repeat as usize * bytes, &mut bits[..*bytes])?;
                Ok(u128::from_le_bytes(bits))
            }
        }
    }
}

impl abi::Vector {
    /// The register holds the bits, unless a tensor is named from which it is loaded first.
    pub(super) fn selects_by_register(&self, codes: Codes) -> bool {
        codes.select == SelectMode::MaskRegister && self.selection == 0
    }

    pub(super) fn selection<'a>(
        &self,
        codes: Codes,
        memory: &'a CoreMemory,
        lanes: &Lanes,
        registers: &mut Registers,
    ) -> Result<Selection<'a>, Fault> {
        let bytes = lanes.per_repeat / 8;
        if codes.select != SelectMode::MaskRegister {
            let region = Region::of(memory, self.selection, lanes.repeats * bytes as u64)?;
            return Ok(Selection::Tensor { region, bytes });
        }
        if self.selection != 0 {
            let mut bits = [0; 16];
            Region::of(memory, self.selection, bytes as u64)?.read(0, &mut bits[..bytes])?;
            let bits = u128::from_le_bytes(bits);
            registers.compare_mask = [bits as u64, (bits >> 64) as u64];
        }
        let [low, high] = registers.compare_mask;
        Ok(Selection::Same(u128::from(low) | u128::from(high) << 64))
    }

    /// Tells the bytes of the selection tensor that hold bits of active lanes.
    pub(super) fn selection_accesses(&self, codes: Codes, lanes: &Lanes, visit: &mut dyn FnMut(Access)) {
        let bytes = lanes.per_repeat as u64 / 8;
        let same = codes.select == SelectMode::MaskRegister;
        if lanes.repeats * bytes > Space::Ub.size() as u64 {
            visit(Access::run(Address(self.selection), Use::Read, lanes.repeats * bytes));
            return;
        }
        let mut runs = Runs::new(Use::Read, visit);
        for repeat in 0..lanes.repeats {
            let start = self.selection + if same { 0 } else { repeat * bytes };
            for (byte, bits) in lanes.active(repeat).bits.to_le_bytes().iter().enumerate() {
                if *bits != 0 {
                    runs.push(start + byte as u64, 1);
                }
            }
            if same {
                break;
            }
        }
        runs.finish();
    }
}
