//! `LoadData` of fractals and `LoadDataWithTranspose`.

use super::FRACTAL;
use crate::aicore::abi;
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};
use crate::aicore::transfer::operand::{placed, supported, within};
use crate::aicore::transfer::raw;

/// Where repeat `i` starts to read, counted in `unit` bytes from the start index, up or down.
fn source(src: u64, start: u32, stride: u32, descending: u8, unit: u64, i: u64) -> Address {
    let step = u64::from(stride) * i;
    let index = u64::from(start);
    let index = if descending == 0 { index.wrapping_add(step) } else { index.wrapping_sub(step) };
    Address(src).add(index.wrapping_mul(unit))
}

/// Source addresses must not go below the first fractal of the memory.
fn check_descent(
    src: u64,
    start: u32,
    stride: u32,
    repeat: u32,
    descending: u8,
    unit: u64,
) -> Result<(), Fault> {
    let last = u64::from(stride) * u64::from(repeat.saturating_sub(1));
    let first = Address(src).offset() / unit + u64::from(start);
    supported(descending == 0 || last <= first, || {
        "descending source addresses go below the start of the memory".to_owned()
    })
}

impl Semantics for abi::Load2d {
    fn check(&self) -> Result<(), Fault> {
        within("startIndex", self.start_index, 0, 65535)?;
        within("repeatTimes", self.repeat, 0, 255)?;
        within("srcStride", self.src_stride, 0, 65535)?;
        within("dstGap", self.dst_gap, 0, 65535)?;
        within("addrMode", u32::from(self.descending), 0, 1)?;
        let src = placed("source", self.src, &[Space::Gm, Space::L1])?;
        let from_global = [Space::L1, Space::L0a, Space::L0b];
        placed("destination", self.dst, if src == Space::Gm { &from_global } else { &from_global[1..] })?;
        if self.transpose != 0 {
            supported(src == Space::L1, || "only loads from L1 transpose".to_owned())?;
            supported(self.element == 2, || {
                format!("only 16-bit elements are transposed, not those of {} bytes", self.element)
            })?;
        }
        check_descent(self.src, self.start_index, self.src_stride, self.repeat, self.descending, FRACTAL)
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let stride = u64::from(self.src_stride) * FRACTAL;
        visit(Access {
            address: source(self.src, self.start_index, self.src_stride, self.descending, FRACTAL, {
                // The lowest address comes last if addresses go down.
                if self.descending == 0 { 0 } else { u64::from(self.repeat.saturating_sub(1)) }
            }),
            used: Use::Read,
            length: FRACTAL,
            count: u64::from(self.repeat),
            stride,
        });
        visit(Access {
            address: Address(self.dst),
            used: Use::Write,
            length: FRACTAL,
            count: u64::from(self.repeat),
            stride: (1 + u64::from(self.dst_gap)) * FRACTAL,
        });
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        for i in 0..u64::from(self.repeat) {
            let src = source(self.src, self.start_index, self.src_stride, self.descending, FRACTAL, i);
            let dst = Address(self.dst).add(i * (1 + u64::from(self.dst_gap)) * FRACTAL);
            if self.transpose == 0 {
                raw::copy(memory, dst, src, FRACTAL)?;
            } else {
                let mut fractal = [0; FRACTAL as usize];
                raw::get(memory, src, &mut fractal)?;
                raw::put(memory, dst, &transposed(&fractal, 16, 2))?;
            }
        }
        Ok(())
    }
}

/// A square of whole bytes per element, its rows and columns exchanged.
fn transposed(square: &[u8], side: usize, element: usize) -> Vec<u8> {
    let mut out = vec![0; square.len()];
    for row in 0..side {
        for column in 0..side {
            let (from, to) = ((row * side + column) * element, (column * side + row) * element);
            out[to..to + element].copy_from_slice(&square[from..from + element]);
        }
    }
    out
}

impl abi::LoadTranspose {
    /// Fractals of a square: those that lie side by side or under each other to make one.
    fn fractals(&self) -> u64 {
        match self.element {
            0 => 4,
            2 => 1,
            _ => 2,
        }
    }

    fn source(&self, i: u64) -> Address {
        let unit = self.fractals() * FRACTAL;
        source(self.src, self.start_index, self.src_stride, self.descending, unit, i)
    }

    fn destination(&self, i: u64, fractal: u64) -> Address {
        let gaps = i * (1 + u64::from(self.dst_gap)) + fractal * (1 + u64::from(self.dst_fractal_gap));
        Address(self.dst).add(gaps * FRACTAL)
    }

    /// The fractals of the destination one after the other.
    ///
    /// 4-bit and 8-bit fractals lie under each other in the square (64 by 64, 32 by 32), before and after.
    /// The two 32-bit fractals lie side by side (16 by 16), before and after.
    fn transpose(&self, square: &[u8]) -> Vec<u8> {
        match self.element {
            0 => {
                let nibble =
                    |row: usize, column: usize| square[row * 32 + column / 2] >> (4 * (column % 2)) & 0xf;
                let bytes = (0..64).flat_map(|row| (0..32).map(move |byte| (row, byte)));
                bytes.map(|(row, byte)| nibble(2 * byte, row) | nibble(2 * byte + 1, row) << 4).collect()
            }
            1 => transposed(square, 32, 1),
            2 => transposed(square, 16, 2),
            _ => {
                let at = |row: usize, column: usize| (column / 8 * 128 + row * 8 + column % 8) * 4;
                let mut out = vec![0; square.len()];
                for row in 0..16 {
                    for column in 0..16 {
                        let (from, to) = (at(row, column), at(column, row));
                        out[to..to + 4].copy_from_slice(&square[from..from + 4]);
                    }
                }
                out
            }
        }
    }
}

impl Semantics for abi::LoadTranspose {
    fn check(&self) -> Result<(), Fault> {
        within("startIndex", self.start_index, 0, 65535)?;
        within("repeatTimes", self.repeat, 0, 255)?;
        within("srcStride", self.src_stride, 0, 65535)?;
        within("dstGap", self.dst_gap, 0, 65535)?;
        within("dstFracGap", self.dst_fractal_gap, 0, 65535)?;
        within("addrMode", u32::from(self.descending), 0, 1)?;
        placed("source", self.src, &[Space::L1])?;
        let dst = placed("destination", self.dst, &[Space::L0a, Space::L0b])?;
        supported(matches!(self.element, 0 | 1 | 2 | 4), || format!("elements of {} bytes", self.element))?;
        supported(self.element != 0 || dst == Space::L0b, || {
            "4-bit elements are transposed on the way to L0B only".to_owned()
        })?;
        let unit = self.fractals() * FRACTAL;
        check_descent(self.src, self.start_index, self.src_stride, self.repeat, self.descending, unit)
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if self.repeat == 0 {
            return;
        }
        let unit = self.fractals() * FRACTAL;
        let lowest = if self.descending == 0 { 0 } else { u64::from(self.repeat - 1) };
        visit(Access {
            address: self.source(lowest),
            used: Use::Read,
            length: unit,
            count: u64::from(self.repeat),
            stride: u64::from(self.src_stride) * unit,
        });
        for fractal in 0..self.fractals() {
            visit(Access {
                address: self.destination(0, fractal),
                used: Use::Write,
                length: FRACTAL,
                count: u64::from(self.repeat),
                stride: (1 + u64::from(self.dst_gap)) * FRACTAL,
            });
        }
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        for i in 0..u64::from(self.repeat) {
            let square = raw::read(memory, self.source(i), self.fractals() * FRACTAL)?;
            let out = self.transpose(&square);
            for (fractal, bytes) in out.chunks_exact(FRACTAL as usize).enumerate() {
                raw::put(memory, self.destination(i, fractal as u64), bytes)?;
            }
        }
        Ok(())
    }
}
