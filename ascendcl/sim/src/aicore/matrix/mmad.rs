//! `Mmad`: the product of the cube unit.
//!
//! * int8 and int4 accumulate exactly in int32 (which wraps; no product of one instruction can reach that).
//! * fp16, bf16 and fp32 accumulate in fp32: `c = fma(a[k], b[k], c)` with k ascending from the initial value,
//!   each step rounded once to nearest even. The documents leave the order of the real unit open; this one is
//!   the same on every host. With HF32 both operands are first rounded to 11 bits of mantissa.
//! * Rows beyond `m` and columns beyond `n` of the last fractals: the unit works on whole fractals, and what it
//!   leaves there is of no meaning. Here they become zero when c is initialized, and stay as they are when c is
//!   accumulated. What lies beyond `m`, `n` and `k` in L0A and L0B is not read.
//! * `m == 1` computes a vector: a is `k` elements in a row (GEMV).

use super::product::{float, integer};
use super::{FRACTAL, ROW, SIDE};
use crate::aicore::abi::{self, DataType};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};
use crate::aicore::transfer::operand::{aligned, placed, supported, within};
use crate::aicore::transfer::raw;

/// Bytes of a fractal of c.
const RESULT: u64 = SIDE * SIDE * 4;
/// Bytes of its row.
const RESULT_ROW: u64 = SIDE * 4;

/// Where c starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Zero,
    /// What is there.
    Itself,
    /// A row for all rows, in the bias table.
    Bias,
    /// A matrix like c elsewhere in L0C.
    Matrix,
}

impl abi::Mmad {
    fn idle(&self) -> bool {
        self.m == 0 || self.n == 0 || self.k == 0
    }

    fn start(&self) -> Start {
        if self.c_init != 0 {
            Start::Zero
        } else if self.c_source == 0 {
            Start::Itself
        } else if Address(self.bias).space() == Some(Space::Bt) {
            Start::Bias
        } else {
            Start::Matrix
        }
    }

    fn vector(&self) -> bool {
        self.m == 1 && self.gemv_disabled == 0
    }

    fn operand(&self) -> Result<DataType, Fault> {
        use DataType::{Bf16, F16, F32, I4, I8, I32};
        let types = [self.a_type, self.b_type, self.c_type].map(DataType::of);
        match types {
            [Some(a @ (I8 | I4)), Some(b), Some(I32)] if a == b => Ok(a),
            [Some(a @ (F16 | Bf16 | F32)), Some(b), Some(F32)] if a == b => Ok(a),
            [a, b, c] => Err(Fault::Unsupported(format!("Mmad of {a:?} by {b:?} to {c:?}"))),
        }
    }

    /// Sizes in elements and fractals; of types that `check` lets through.
    fn shape(&self) -> Shape {
        let bits = DataType::of(self.a_type).map_or(8, DataType::bits) as u64;
        let k0 = ROW * 8 / bits;
        let k = u64::from(self.k);
        let wide = self.k_direction_align != 0 && bits == 32;
        Shape {
            m: u64::from(self.m),
            n: u64::from(self.n),
            k,
            k0,
            m1: u64::from(self.m).div_ceil(SIDE),
            n1: u64::from(self.n).div_ceil(SIDE),
            a_k1: if wide { k.div_ceil(SIDE) * 2 } else { k.div_ceil(k0) },
            whole_k: k / k0,
            rest_bytes: (k % k0 * bits).div_ceil(8),
            row_bytes: (k * bits).div_ceil(8),
        }
    }
}

struct Shape {
    m: u64,
    n: u64,
    k: u64,
    k0: u64,
    m1: u64,
    n1: u64,
    /// Fractals in a row of a.
    a_k1: u64,
    /// Fractals that k fills.
    whole_k: u64,
    /// Bytes of a row in the fractal that k does not fill.
    rest_bytes: u64,
    /// Bytes of k elements in a row.
    row_bytes: u64,
}

impl Shape {
    fn c_bytes(&self) -> u64 {
        self.m1 * self.n1 * RESULT
    }

    /// The valid part of a matrix like c.
    fn visit_c(&self, address: Address, used: Use, visit: &mut dyn FnMut(Access)) {
        let column = self.m1 * RESULT;
        let (whole, rest) = (self.n / SIDE, self.n % SIDE);
        if whole > 0 {
            visit(Access { address, used, length: self.m * RESULT_ROW, count: whole, stride: column });
        }
        if rest > 0 {
            let address = address.add(whole * column);
            visit(Access { address, used, length: rest * 4, count: self.m, stride: RESULT_ROW });
        }
    }

    fn visit_a(&self, address: Address, visit: &mut dyn FnMut(Access)) {
        for m1 in 0..self.m1 {
            let rows = SIDE.min(self.m - m1 * SIDE);
            let address = address.add(m1 * self.a_k1 * FRACTAL);
            visit_rows(address, rows, self.whole_k, FRACTAL, self.rest_bytes, visit);
        }
    }

    fn visit_b(&self, address: Address, visit: &mut dyn FnMut(Access)) {
        visit_rows(address, self.n, self.whole_k, self.n1 * FRACTAL, self.rest_bytes, visit);
    }
}

/// Rows of 32 bytes that follow each other, in each of `whole` columns of fractals, and `rest` bytes of each in the
/// column after them.
fn visit_rows(
    address: Address,
    rows: u64,
    whole: u64,
    stride: u64,
    rest: u64,
    visit: &mut dyn FnMut(Access),
) {
    if whole > 0 {
        visit(Access { address, used: Use::Read, length: rows * ROW, count: whole, stride });
    }
    if rest > 0 {
        let address = address.add(whole * stride);
        visit(Access { address, used: Use::Read, length: rest, count: rows, stride: ROW });
    }
}

impl Semantics for abi::Mmad {
    fn check(&self) -> Result<(), Fault> {
        self.operand()?;
        within("m", self.m, 0, 4095)?;
        within("n", self.n, 0, 4095)?;
        within("k", self.k, 0, 4095)?;
        supported(matches!(self.unit_flag, 0 | 2 | 3), || format!("unitFlag {}", self.unit_flag))?;
        supported(self.hf32 <= 2, || format!("HF32 mode {}", self.hf32))?;
        placed("fm", self.a, &[Space::L0a])?;
        placed("filter", self.b, &[Space::L0b])?;
        placed("dst", self.c, &[Space::L0c])?;
        aligned("dst", self.c, RESULT)?;
        if self.start() == Start::Matrix || self.start() == Start::Bias {
            placed("bias", self.bias, &[Space::Bt, Space::L0c])?;
        }
        // Elements of 4 bits lie two in a byte.
        supported(DataType::of(self.a_type) != Some(DataType::I4) || self.k.is_multiple_of(2), || {
            format!("k of {} elements of 4 bits", self.k)
        })
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        if self.idle() {
            return;
        }
        let shape = self.shape();
        if self.vector() {
            visit(Access::run(Address(self.a), Use::Read, shape.row_bytes));
        } else {
            shape.visit_a(Address(self.a), visit);
        }
        shape.visit_b(Address(self.b), visit);
        match self.start() {
            Start::Zero => {}
            Start::Itself => {
                shape.visit_c(Address(self.c), Use::Read, visit);
                shape.visit_c(Address(self.c), Use::Write, visit);
                return;
            }
            Start::Bias => visit(Access::run(Address(self.bias), Use::Read, shape.n * 4)),
            Start::Matrix => shape.visit_c(Address(self.bias), Use::Read, visit),
        }
        visit(Access::run(Address(self.c), Use::Write, shape.c_bytes()));
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        if self.idle() {
            return Ok(());
        }
        let operand = self.operand()?;
        let shape = self.shape();
        let a = if self.vector() {
            raw::read(memory, Address(self.a), shape.row_bytes)?
        } else {
            raw::read(memory, Address(self.a), shape.m1 * shape.a_k1 * FRACTAL)?
        };
        let b = raw::read(memory, Address(self.b), shape.k.div_ceil(shape.k0) * shape.n1 * FRACTAL)?;
        memory.at(Address(self.c), shape.c_bytes())?;
        let mut c = self.initial(memory, &shape)?;
        let sizes = Sizes {
            m: shape.m as usize,
            n: shape.n as usize,
            k: shape.k as usize,
            m1: shape.m1 as usize,
            a_k1: shape.a_k1 as usize,
            vector: self.vector(),
        };
        match operand {
            DataType::I8 | DataType::I4 => integer::multiply(&sizes, operand == DataType::I4, &a, &b, &mut c),
            _ => float::multiply(&sizes, operand, self.hf32, &a, &b, &mut c),
        }
        raw::put(memory, Address(self.c), c.as_flattened())
    }
}

/// Sizes of a product, as its arithmetic needs them.
pub(super) struct Sizes {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Fractals in a column of c.
    pub m1: usize,
    /// Fractals in a row of a.
    pub a_k1: usize,
    /// a is one row without fractals.
    pub vector: bool,
}

impl Sizes {
    /// Bytes of row `m` of a from its fractals, with `k` elements of `bits` bits.
    pub(super) fn row_of_a<'a>(&self, a: &'a [u8], m: usize, bits: usize) -> impl Iterator<Item = &'a [u8]> {
        let bytes = (self.k * bits).div_ceil(8);
        let (first, step, rows) = if self.vector {
            (0, ROW as usize, bytes)
        } else {
            ((m / 16 * self.a_k1 * 16 + m % 16) * ROW as usize, FRACTAL as usize, ROW as usize)
        };
        let pieces = if self.vector { 1 } else { bytes.div_ceil(ROW as usize) };
        (0..pieces).map(move |piece| {
            let start = first + piece * step;
            &a[start..start + rows.min(bytes - piece * rows)]
        })
    }

    /// Bytes of column `n` of b, that is of its row in L0B.
    pub(super) fn column_of_b<'a>(
        &self,
        b: &'a [u8],
        n: usize,
        bits: usize,
    ) -> impl Iterator<Item = &'a [u8]> {
        let bytes = (self.k * bits).div_ceil(8);
        let n1 = self.n.div_ceil(16);
        let row = ROW as usize;
        (0..bytes.div_ceil(row)).map(move |piece| {
            let start = (piece * n1 * 16 + n) * row;
            &b[start..start + row.min(bytes - piece * row)]
        })
    }

    /// Row of 16 elements of c that holds column `16 * n1` of row `m`.
    pub(super) fn row_of_c(&self, n1: usize, m: usize) -> usize {
        n1 * self.m1 * 16 + m
    }

    /// Columns of c in its column of fractals `n1`.
    pub(super) fn lanes(&self, n1: usize) -> usize {
        (self.n - n1 * 16).min(16)
    }
}

impl abi::Mmad {
    /// c before the product: rows of 16 elements of 4 bytes.
    fn initial(&self, memory: &CoreMemory, shape: &Shape) -> Result<Vec<[u8; 64]>, Fault> {
        let rows = (shape.m1 * shape.n1 * SIDE) as usize;
        let mut c = vec![[0; 64]; rows];
        match self.start() {
            Start::Zero => {}
            Start::Itself => raw::get(memory, Address(self.c), c.as_flattened_mut())?,
            Start::Matrix => {
                // Only its valid part.
                let stride = (shape.m1 * SIDE) as usize;
                for n1 in 0..shape.n1 as usize {
                    let width = 4 * (shape.n as usize - n1 * 16).min(16);
                    for m in 0..shape.m as usize {
                        let row = n1 * stride + m;
                        let from = Address(self.bias).add(row as u64 * RESULT_ROW);
                        raw::get(memory, from, &mut c[row][..width])?;
                    }
                }
            }
            Start::Bias => {
                let bias = raw::read(memory, Address(self.bias), shape.n * 4)?;
                let stride = (shape.m1 * SIDE) as usize;
                for (n1, piece) in bias.chunks(64).enumerate() {
                    for row in &mut c[n1 * stride..n1 * stride + shape.m as usize] {
                        row[..piece.len()].copy_from_slice(piece);
                    }
                }
            }
        }
        Ok(c)
    }
}
