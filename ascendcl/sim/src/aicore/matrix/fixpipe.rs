//! `Fixpipe`: results of the cube unit to global memory or L1, converted on the way.
//!
//! Quantization parameters are 64 bits wide (Ascend C docs, quantization on the way out, NPU architecture 2201):
//!
//! | bits | meaning |
//! |---|---|
//! | 0..31 | fp32 scale, of which the unit keeps sign, exponent and the upper 10 bits of the mantissa |
//! | 32..35 | N - 1: bits that int32 is first shifted right, if bit 36 is set (then taken as int16) |
//! | 37..45 | offset, a signed number of 9 bits, added after rounding (8-bit results only) |
//! | 46 | 8-bit results are signed |
//!
//! All roundings are to nearest even; integers saturate, what is too large for fp16 becomes infinite. With ReLU
//! the scale of negative values is zero, as the documents define it.

use half::{bf16, f16};

use super::{ROW, SIDE};
use crate::aicore::abi::{self, DataType};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};
use crate::aicore::transfer::atomic::Store;
use crate::aicore::transfer::operand::{aligned, placed, supported, within};
use crate::aicore::transfer::raw;

/// Bytes of a row of 16 results.
const RESULT_ROW: u64 = SIDE * 4;

/// The conversions of the architecture, by their codes in `QuantMode_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    /// None.
    Keep,
    /// fp32 rounded to 16 bits.
    Narrow,
    /// int32 scaled to fp16.
    Dequantize,
    /// fp32 or int32 scaled to 8 bits.
    Quantize,
}

impl abi::Fixpipe {
    fn idle(&self) -> bool {
        self.n_size == 0 || self.m_size == 0 || (self.nz_to_nd != 0 && self.nd_num == 0)
    }

    /// The conversion, and whether its parameter is a vector.
    fn conversion(&self) -> Result<(Conversion, bool), Fault> {
        use DataType::{Bf16, F16, F32, I8, I32, U8};
        let (src, dst) = (DataType::of(self.src_type), DataType::of(self.dst_type));
        let (Some(from), Some(to)) = (src, dst) else {
            return Err(Fault::Unsupported(format!(
                "Fixpipe of type {} to {}",
                self.src_type, self.dst_type
            )));
        };
        match (self.quant_mode, from, to) {
            (0, F32, F32) | (0, I32, I32) => Ok((Conversion::Keep, false)),
            (1, F32, F16) | (16, F32, Bf16) => Ok((Conversion::Narrow, false)),
            (10 | 11, I32, F16) => Ok((Conversion::Dequantize, self.quant_mode == 10)),
            (8 | 9, I32, I8 | U8) => Ok((Conversion::Quantize, self.quant_mode == 8)),
            (23 | 24, F32, I8 | U8) => Ok((Conversion::Quantize, self.quant_mode == 23)),
            (mode, ..) => {
                Err(Fault::Unsupported(format!("quantization mode {mode} from {from:?} to {to:?}")))
            }
        }
    }

    /// Bytes of an element of the destination.
    fn size(&self) -> u64 {
        DataType::of(self.dst_type).map_or(1, |kind| kind.bits() as u64 / 8)
    }

    fn store(&self) -> Result<Store, Fault> {
        Store::of(self.atomic, self.atomic_type, self.dst)
    }

    fn matrices(&self) -> u64 {
        if self.nz_to_nd != 0 { u64::from(self.nd_num) } else { 1 }
    }

    /// The columns of fractals, 16 wide.
    fn source(&self, matrix: u64, column: u64) -> Address {
        let matrix = matrix * u64::from(self.src_nd_stride) * SIDE * RESULT_ROW;
        Address(self.src).add(matrix + column * u64::from(self.src_stride) * RESULT_ROW)
    }

    /// Where the pieces of a row go: the first column of each, its width, the address of row 0, bytes between rows.
    fn pieces(
        &self,
        matrix: u64,
        mut visit: impl FnMut(u64, u64, Address, u64) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (n, size) = (u64::from(self.n_size), self.size());
        if self.nz_to_nd != 0 {
            let start = Address(self.dst).add(matrix * u64::from(self.dst_nd_stride) * size);
            return visit(0, n, start, u64::from(self.dst_stride) * size);
        }
        // A column of fractals of the destination: 16 wide, 8 if channels are split, 32 in 8 bits.
        let width = if self.channel_split != 0 {
            8
        } else if size == 1 {
            2 * SIDE
        } else {
            SIDE
        };
        for (column, first) in (0..n).step_by(width as usize).enumerate() {
            // The last 16 of an odd number of 8-bit columns stay a fractal of 16 by 16.
            let width = width.min(n - first);
            let start = Address(self.dst).add(column as u64 * u64::from(self.dst_stride) * ROW);
            visit(first, width, start, width * size)?;
        }
        Ok(())
    }
}

impl Semantics for abi::Fixpipe {
    fn check(&self) -> Result<(), Fault> {
        let (conversion, vector) = self.conversion()?;
        within("nSize", self.n_size, 0, 4095)?;
        within("mSize", self.m_size, 0, if self.nz_to_nd != 0 { 8192 } else { 65535 })?;
        within("srcStride", self.src_stride, 0, 65535)?;
        within("reluEn", u32::from(self.relu), 0, 1)?;
        supported(matches!(self.unit_flag, 0 | 2 | 3), || format!("unitFlag {}", self.unit_flag))?;
        placed("source", self.src, &[Space::L0c])?;
        let dst = placed("destination", self.dst, &[Space::Gm, Space::L1])?;
        let split = self.channel_split != 0;
        if dst == Space::L1 {
            supported(conversion != Conversion::Keep, || {
                "results of 32 bits do not go to L1: choose a quantization mode".to_owned()
            })?;
            supported(self.nz_to_nd == 0, || "NZ2ND goes to global memory only".to_owned())?;
        }
        if vector {
            placed("quantization parameters", self.scales, &[Space::Fb])?;
        }
        if split {
            let dst_is_float = DataType::of(self.dst_type) == Some(DataType::F32);
            supported(dst_is_float && dst == Space::Gm && self.nz_to_nd == 0 && self.unit_flag == 0, || {
                "channel split is for fp32 to global memory in NZ format without unit flag".to_owned()
            })?;
        }
        if self.nz_to_nd != 0 {
            within("ndNum", self.nd_num, 0, 65535)?;
            if self.nd_num > 1 {
                within("srcNdStride", self.src_nd_stride, 0, 512)?;
                within("dstNdStride", self.dst_nd_stride, 0, 65535)?;
            }
        } else {
            aligned("destination", self.dst, ROW)?;
            let unit = if split { 8 } else { SIDE as u32 };
            supported(self.n_size.is_multiple_of(unit), || {
                format!("nSize is {}, which is no multiple of {unit}", self.n_size)
            })?;
        }
        if !self.idle() {
            within("dstStride", self.dst_stride, 1, u64::from(u32::MAX))?;
        }
        self.store()?.check_length(self.size())
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if self.idle() {
            return;
        }
        let (n, m) = (u64::from(self.n_size), u64::from(self.m_size));
        let (whole, rest) = (n / SIDE, n % SIDE);
        let used = self.store().map_or(Use::Write, Store::used);
        if let Ok((_, true)) = self.conversion() {
            visit(Access::run(Address(self.scales), Use::Read, n * 8));
        }
        for matrix in 0..self.matrices() {
            if whole > 0 {
                visit(Access {
                    address: self.source(matrix, 0),
                    used: Use::Read,
                    length: m * RESULT_ROW,
                    count: whole,
                    stride: u64::from(self.src_stride) * RESULT_ROW,
                });
            }
            if rest > 0 {
                let address = self.source(matrix, whole);
                visit(Access { address, used: Use::Read, length: rest * 4, count: m, stride: RESULT_ROW });
            }
            let visited = self.pieces(matrix, |_, width, address, stride| {
                visit(Access { address, used, length: width * self.size(), count: m, stride });
                Ok(())
            });
            debug_assert!(visited.is_ok(), "the visit has no error");
        }
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        if self.idle() {
            return Ok(());
        }
        let (conversion, vector) = self.conversion()?;
        let (n, m) = (u64::from(self.n_size), u64::from(self.m_size));
        let parameters: Vec<Parameter> = if vector {
            let bytes = raw::read(memory, Address(self.scales), n * 8)?;
            bytes.as_chunks().0.iter().map(|&bytes| Parameter::of(u64::from_le_bytes(bytes))).collect()
        } else {
            vec![Parameter::of(self.scale); n as usize]
        };
        let store = self.store()?;
        let size = self.size() as usize;
        let mut line = vec![0; n.next_multiple_of(SIDE) as usize * 4];
        let mut out = vec![0; n as usize * size];
        for matrix in 0..self.matrices() {
            for row in 0..m {
                for (column, piece) in line.chunks_exact_mut(RESULT_ROW as usize).enumerate() {
                    raw::get(memory, self.source(matrix, column as u64).add(row * RESULT_ROW), piece)?;
                }
                self.convert(conversion, &parameters, &line, &mut out);
                self.pieces(matrix, |first, width, address, stride| {
                    let bytes = &out[first as usize * size..(first + width) as usize * size];
                    store.put(memory, address.add(row * stride), bytes)
                })?;
            }
        }
        Ok(())
    }
}

/// A quantization parameter, taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Parameter {
    scale: f32,
    shift: Option<u32>,
    offset: i32,
    signed: bool,
}

impl Parameter {
    fn of(bits: u64) -> Self {
        Self {
            scale: f32::from_bits(bits as u32 & 0xffff_e000),
            shift: (bits >> 36 & 1 != 0).then_some((bits >> 32 & 0xf) as u32 + 1),
            offset: ((bits >> 37 & 0x1ff) as i32) << 23 >> 23,
            signed: bits >> 46 & 1 != 0,
        }
    }

    /// int32 as the unit multiplies it.
    fn widen(self, value: i32) -> f32 {
        match self.shift {
            Some(bits) => (value >> bits).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as f32,
            None => value as f32,
        }
    }

    fn scaled(self, value: f32, relu: bool) -> f32 {
        if relu && value < 0.0 { 0.0 } else { value * self.scale }
    }

    fn quantized(self, scaled: f32) -> u8 {
        // Nine bits before the offset; a NaN becomes zero.
        let value = scaled.round_ties_even().clamp(-256.0, 255.0) as i32 + self.offset;
        if self.signed { value.clamp(-128, 127) as i8 as u8 } else { value.clamp(0, 255) as u8 }
    }
}

impl abi::Fixpipe {
    /// Converts a row of 4-byte results.
    fn convert(&self, conversion: Conversion, parameters: &[Parameter], line: &[u8], out: &mut [u8]) {
        let relu = self.relu != 0;
        let float = DataType::of(self.src_type) == Some(DataType::F32);
        let results = line.as_chunks::<4>().0;
        match conversion {
            Conversion::Keep if relu => {
                for (to, &from) in out.as_chunks_mut::<4>().0.iter_mut().zip(results) {
                    let negative =
                        if float { f32::from_le_bytes(from) < 0.0 } else { i32::from_le_bytes(from) < 0 };
                    *to = if negative { [0; 4] } else { from };
                }
            }
            Conversion::Keep => out.copy_from_slice(&line[..out.len()]),
            Conversion::Narrow => {
                let brain = DataType::of(self.dst_type) == Some(DataType::Bf16);
                for (to, &from) in out.as_chunks_mut::<2>().0.iter_mut().zip(results) {
                    let value = f32::from_le_bytes(from);
                    let value = if relu && value < 0.0 { 0.0 } else { value };
                    *to = if brain {
                        bf16::from_f32(value).to_le_bytes()
                    } else {
                        f16::from_f32(value).to_le_bytes()
                    };
                }
            }
            Conversion::Dequantize => {
                let pairs = results.iter().zip(parameters);
                for (to, (&from, parameter)) in out.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
                    let value = parameter.scaled(parameter.widen(i32::from_le_bytes(from)), relu);
                    *to = f16::from_f32(value).to_le_bytes();
                }
            }
            Conversion::Quantize => {
                for (to, (&from, parameter)) in out.iter_mut().zip(results.iter().zip(parameters)) {
                    let value = if float {
                        f32::from_le_bytes(from)
                    } else {
                        parameter.widen(i32::from_le_bytes(from))
                    };
                    *to = parameter.quantized(parameter.scaled(value, relu));
                }
            }
        }
    }
}
