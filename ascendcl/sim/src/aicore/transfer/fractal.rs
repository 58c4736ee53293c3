//! Copies that turn rows into fractals and back.
//!
//! A matrix in NZ format is a row of columns of fractals; in such a column the rows of the matrix follow each
//! other, 32 bytes each (16 elements each in `Nz2NdParamsFull`).

use super::atomic::Store;
use super::operand::{aligned, placed, supported, within};
use super::raw;
use crate::aicore::abi;
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};

/// Bytes of a row of a fractal.
const ROW: u64 = 32;

impl abi::NdToNz {
    fn idle(&self) -> bool {
        self.nd_num == 0 || self.n_value == 0 || self.d_value == 0
    }

    fn row_bytes(&self) -> u64 {
        u64::from(self.d_value) * u64::from(self.element)
    }

    fn source_stride(&self) -> u64 {
        u64::from(self.src_d_value) * u64::from(self.element)
    }

    fn source(&self, matrix: u64) -> Address {
        Address(self.src).add(matrix * u64::from(self.src_nd_matrix_stride) * u64::from(self.element))
    }

    fn destination(&self, matrix: u64, column: u64) -> Address {
        let matrix = matrix * u64::from(self.dst_nz_matrix_stride) * u64::from(self.element);
        Address(self.dst).add(matrix + column * u64::from(self.dst_nz_c0_stride) * ROW)
    }
}

impl Semantics for abi::NdToNz {
    fn check(&self) -> Result<(), Fault> {
        within("ndNum", self.nd_num, 0, 4095)?;
        within("nValue", self.n_value, 0, 16384)?;
        within("dValue", self.d_value, 0, 65535)?;
        placed("source", self.src, &[Space::Gm, Space::Ub])?;
        placed("destination", self.dst, &[Space::L1])?;
        supported(matches!(self.element, 1 | 2 | 4), || format!("elements of {} bytes", self.element))?;
        if self.idle() {
            return Ok(());
        }
        // Strides that lead nowhere need no value.
        within("srcDValue", self.src_d_value, u64::from(self.n_value > 1), 65535)?;
        within("dstNzNStride", self.dst_nz_n_stride, u64::from(self.n_value > 1), 16384)?;
        within("dstNzC0Stride", self.dst_nz_c0_stride, u64::from(self.row_bytes() > ROW), 16384)?;
        if self.nd_num > 1 {
            within("srcNdMatrixStride", self.src_nd_matrix_stride, 0, 65535)?;
            within("dstNzMatrixStride", self.dst_nz_matrix_stride, 0, 16384)?;
            aligned("second matrix of the destination", self.destination(1, 0).0, ROW)?;
        }
        Ok(())
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if self.idle() {
            return;
        }
        let rows = u64::from(self.n_value);
        for matrix in 0..u64::from(self.nd_num) {
            visit(Access {
                address: self.source(matrix),
                used: Use::Read,
                length: self.row_bytes(),
                count: rows,
                stride: self.source_stride(),
            });
            for column in 0..self.row_bytes().div_ceil(ROW) {
                visit(Access {
                    address: self.destination(matrix, column),
                    used: Use::Write,
                    length: ROW,
                    count: rows,
                    stride: u64::from(self.dst_nz_n_stride) * ROW,
                });
            }
        }
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        if self.idle() {
            return Ok(());
        }
        let length = self.row_bytes() as usize;
        // Columns that the matrix does not fill are zero.
        let mut row = vec![0; length.next_multiple_of(ROW as usize)];
        for matrix in 0..u64::from(self.nd_num) {
            for n in 0..u64::from(self.n_value) {
                let source = self.source(matrix).add(n * self.source_stride());
                raw::get(memory, source, &mut row[..length])?;
                for (column, bytes) in row.chunks_exact(ROW as usize).enumerate() {
                    let start = self.destination(matrix, column as u64);
                    raw::put(memory, start.add(n * u64::from(self.dst_nz_n_stride) * ROW), bytes)?;
                }
            }
        }
        Ok(())
    }
}

/// Elements of a row of a fractal in `Nz2NdParamsFull`, of any type.
const ELEMENTS: u64 = 16;

impl abi::NzToNd {
    fn idle(&self) -> bool {
        self.nd_num == 0 || self.n_value == 0 || self.d_value == 0
    }

    fn source(&self, matrix: u64, column: u64) -> Address {
        let fractals = matrix * u64::from(self.src_nd_matrix_stride) * ELEMENTS;
        let rows = fractals + column * u64::from(self.src_n_stride);
        Address(self.src).add(rows * ELEMENTS * u64::from(self.element))
    }

    fn destination(&self, matrix: u64, row: u64) -> Address {
        let elements = matrix * u64::from(self.dst_nd_matrix_stride) + row * u64::from(self.dst_d_stride);
        Address(self.dst).add(elements * u64::from(self.element))
    }

    fn columns(&self) -> u64 {
        u64::from(self.d_value) / ELEMENTS
    }
}

impl Semantics for abi::NzToNd {
    fn check(&self) -> Result<(), Fault> {
        within("ndNum", self.nd_num, 0, 4095)?;
        within("nValue", self.n_value, 0, 8192)?;
        within("dValue", self.d_value, 0, 8192)?;
        placed("source", self.src, &[Space::Ub])?;
        placed("destination", self.dst, &[Space::Gm])?;
        supported(matches!(self.element, 2 | 4), || format!("elements of {} bytes", self.element))?;
        if self.idle() {
            return Ok(());
        }
        supported(u64::from(self.d_value).is_multiple_of(ELEMENTS), || {
            format!("dValue is {}, which is no multiple of {ELEMENTS}", self.d_value)
        })?;
        within("srcNStride", self.src_n_stride, 0, 4096)?;
        within("dstDStride", self.dst_d_stride, u64::from(self.n_value > 1), 65535)?;
        if self.nd_num > 1 {
            within("srcNdMatrixStride", self.src_nd_matrix_stride, 1, 512)?;
            within("dstNdMatrixStride", self.dst_nd_matrix_stride, 1, 65535)?;
        }
        Store::of(self.atomic, self.atomic_type, self.dst)?
            .check_length(u64::from(self.d_value) * u64::from(self.element))
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if self.idle() {
            return;
        }
        let size = u64::from(self.element);
        let used = Store::of(self.atomic, self.atomic_type, self.dst).map_or(Use::Write, Store::used);
        for matrix in 0..u64::from(self.nd_num) {
            for column in 0..self.columns() {
                let length = u64::from(self.n_value) * ELEMENTS * size;
                visit(Access::run(self.source(matrix, column), Use::Read, length));
            }
            visit(Access {
                address: self.destination(matrix, 0),
                used,
                length: u64::from(self.d_value) * size,
                count: u64::from(self.n_value),
                stride: u64::from(self.dst_d_stride) * size,
            });
        }
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        if self.idle() {
            return Ok(());
        }
        let store = Store::of(self.atomic, self.atomic_type, self.dst)?;
        let piece = ELEMENTS * u64::from(self.element);
        let mut row = vec![0; (self.columns() * piece) as usize];
        for matrix in 0..u64::from(self.nd_num) {
            for n in 0..u64::from(self.n_value) {
                for (column, bytes) in row.chunks_exact_mut(piece as usize).enumerate() {
                    raw::get(memory, self.source(matrix, column as u64).add(n * piece), bytes)?;
                }
                store.put(memory, self.destination(matrix, n), &row)?;
            }
        }
        Ok(())
    }
}
