//! `LoadData` with `LoadData3DParamsV2`: a part of the matrix that a convolution multiplies.
//!
//! The feature map in L1 is `[channels / c0][height][width][c0]`, with `c0` elements in 32 bytes; what is left of
//! the channels follows as `[height][width][rest]`. Convolution makes a matrix of it with a row for each place
//! of the filter and, in a row, `[channels / c0][filter height][filter width][c0]`. The instruction takes
//! `m_extension` rows from `m_start` and `k_extension` columns from `k_start` of it:
//!
//! * into L0A as zZ, or transposed as a whole (16-bit and 32-bit elements);
//! * into L0B always transposed in the sense that the rows of the matrix are the k of the product.
//!
//! Fractals are written whole: places that the extensions or the matrix do not reach become zero. The documents
//! leave their content open.

use super::{FRACTAL, ROW, SIDE};
use crate::aicore::abi;
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};
use crate::aicore::transfer::operand::{placed, supported, within};
use crate::aicore::transfer::raw;

/// Where an element of the convolution's matrix comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Byte offset in the feature map.
    Map(u64),
    Padding,
    /// Beyond the matrix.
    Nothing,
}

/// The instruction with everything derived.
struct Plan<'a> {
    load: &'a abi::Load3d,
    size: u64,
    c0: u64,
    filter_w: u64,
    filter_h: u64,
    out_w: u64,
    /// Rows of the whole matrix.
    rows: u64,
    /// Rows and columns of one repeat, in whole fractals.
    m_block: u64,
    k_block: u64,
    /// Rows and columns of all repeats.
    m: u64,
    k: u64,
}

impl abi::Load3d {
    fn idle(&self) -> bool {
        [
            self.l1_h,
            self.l1_w,
            self.channel_size,
            self.k_extension,
            self.m_extension,
            self.filter_w,
            self.filter_h,
            self.repeat_time,
        ]
        .contains(&0)
    }

    fn plan(&self) -> Option<Plan<'_>> {
        if self.idle() || self.stride_w == 0 || self.stride_h == 0 || self.element == 0 {
            return None;
        }
        let [left, right, top, bottom] = self.padding.map(u64::from);
        let (filter_w, filter_h) = (u64::from(self.filter_w), u64::from(self.filter_h));
        let reach_w = (filter_w - 1) * u64::from(self.dilation_filter_w) + 1;
        let reach_h = (filter_h - 1) * u64::from(self.dilation_filter_h) + 1;
        let places =
            |size: u64, reach: u64, stride: u32| Some(size.checked_sub(reach)? / u64::from(stride) + 1);
        let out_w = places(u64::from(self.l1_w) + left + right, reach_w, self.stride_w)?;
        let out_h = places(u64::from(self.l1_h) + top + bottom, reach_h, self.stride_h)?;
        let size = u64::from(self.element);
        let c0 = ROW / size;
        let m_block = u64::from(self.m_extension).next_multiple_of(SIDE);
        let k_block = u64::from(self.k_extension).next_multiple_of(c0);
        let repeats = u64::from(self.repeat_time);
        let (m, k) = if self.repeat_mode == 0 {
            (m_block * (repeats - 1) + u64::from(self.m_extension), u64::from(self.k_extension))
        } else {
            (u64::from(self.m_extension), k_block * (repeats - 1) + u64::from(self.k_extension))
        };
        Some(Plan {
            load: self,
            size,
            c0,
            filter_w,
            filter_h,
            out_w,
            rows: out_w * out_h,
            m_block,
            k_block,
            m,
            k,
        })
    }
}

impl Plan<'_> {
    fn to_b(&self) -> bool {
        Address(self.load.dst).space() == Some(Space::L0b)
    }

    /// Rows and columns of the destination's matrix, in fractals: in L0B the rows are those of the columns of b.
    fn grid(&self) -> (u64, u64) {
        if self.to_b() || self.load.transpose != 0 {
            // k of the product is taken by 16 also where a fractal holds 8.
            (self.k.div_ceil(SIDE), self.m.next_multiple_of(SIDE) / self.c0)
        } else {
            (self.m.div_ceil(SIDE), self.k.div_ceil(self.c0))
        }
    }

    /// Row and column of the convolution's matrix at a place of a fractal of the destination.
    fn place(&self, fractal: (u64, u64), row: u64, column: u64) -> (u64, u64) {
        let (r, c) = (fractal.0 * SIDE + row, fractal.1 * self.c0 + column);
        if self.to_b() || self.load.transpose != 0 { (c, r) } else { (r, c) }
    }

    /// Fractals before this one in the destination.
    fn index(&self, fractal: (u64, u64)) -> u64 {
        let (rows, columns) = self.grid();
        if self.to_b() { fractal.1 * rows + fractal.0 } else { fractal.0 * columns + fractal.1 }
    }

    fn source(&self, m: u64, k: u64) -> Source {
        let load = self.load;
        if m >= self.m || k >= self.k {
            return Source::Nothing;
        }
        let stride = u64::from(load.repeat_stride);
        let (m, k) = if load.repeat_mode == 0 {
            let (repeat, inner) = (m / self.m_block, m % self.m_block);
            if inner >= u64::from(load.m_extension) {
                return Source::Nothing;
            }
            (inner + repeat * stride * SIDE, k)
        } else {
            let (repeat, inner) = (k / self.k_block, k % self.k_block);
            if inner >= u64::from(load.k_extension) {
                return Source::Nothing;
            }
            (m, inner + repeat * stride * self.c0)
        };
        let (m, k) = (m + u64::from(load.m_start), k + u64::from(load.k_start));
        let filter = self.filter_w * self.filter_h;
        let channels = u64::from(load.channel_size);
        if m >= self.rows || k >= channels * filter {
            return Source::Nothing;
        }
        // The last block of channels may be narrower.
        let whole = channels / self.c0;
        let block = (k / (filter * self.c0)).min(whole);
        let width = if block < whole { self.c0 } else { channels % self.c0 };
        let within = k - block * filter * self.c0;
        let (point, channel) = (within / width, within % width);
        let (filter_y, filter_x) = (point / self.filter_w, point % self.filter_w);
        let y = m / self.out_w * u64::from(load.stride_h) + filter_y * u64::from(load.dilation_filter_h);
        let x = m % self.out_w * u64::from(load.stride_w) + filter_x * u64::from(load.dilation_filter_w);
        let (height, wide) = (u64::from(load.l1_h), u64::from(load.l1_w));
        let inside =
            |at: u64, before: u32, size: u64| at.checked_sub(u64::from(before)).filter(|&at| at < size);
        match (inside(y, load.padding[2], height), inside(x, load.padding[0], wide)) {
            (Some(y), Some(x)) => {
                let element = block * height * wide * self.c0 + (y * wide + x) * width + channel;
                Source::Map(element * self.size)
            }
            _ => Source::Padding,
        }
    }

    fn address(&self, offset: u64) -> Address {
        let address = Address(self.load.src).add(offset);
        let boundary = u64::from(self.load.boundary);
        if boundary != 0 && address.offset() >= boundary {
            Address::new(Space::L1, address.offset() % boundary)
        } else {
            address
        }
    }

    /// Runs of elements in a row of the convolution's matrix: the first column, their number, and the source.
    fn runs(&self, m: u64, visit: &mut dyn FnMut(u64, u64, Source)) {
        // Within a run all elements follow each other in the source: at most the channels of one block.
        let mut k = 0;
        while k < self.k {
            let first = self.source(m, k);
            let mut length = 1;
            while k + length < self.k {
                let next = self.source(m, k + length);
                let goes_on = match (first, next) {
                    (Source::Map(a), Source::Map(b)) => {
                        b == a + length * self.size
                            && self.address(b) == self.address(a).add(length * self.size)
                    }
                    (a, b) => a == b,
                };
                if !goes_on {
                    break;
                }
                length += 1;
            }
            visit(k, length, first);
            k += length;
        }
    }
}

impl Semantics for abi::Load3d {
    fn check(&self) -> Result<(), Fault> {
        within("l1H", self.l1_h, 0, 32767)?;
        within("l1W", self.l1_w, 0, 32767)?;
        within("channelSize", self.channel_size, 0, 65535)?;
        within("kExtension", self.k_extension, 0, 65535)?;
        within("mExtension", self.m_extension, 0, 65535)?;
        within("kStartPt", self.k_start, 0, 65535)?;
        within("mStartPt", self.m_start, 0, 32767)?;
        // 256 more with filterSizeW and filterSizeH.
        within("filterW", self.filter_w, 0, 511)?;
        within("filterH", self.filter_h, 0, 511)?;
        within("dilationFilterW", self.dilation_filter_w, 0, 255)?;
        within("dilationFilterH", self.dilation_filter_h, 0, 255)?;
        for padding in self.padding {
            within("padList", padding, 0, 255)?;
        }
        within("repeatStride", self.repeat_stride, 0, 65535)?;
        within("repeatTime", self.repeat_time, 0, 255)?;
        within("repeatMode", self.repeat_mode, 0, 1)?;
        placed("source", self.src, &[Space::L1])?;
        let dst = placed("destination", self.dst, &[Space::L0a, Space::L0b])?;
        supported(matches!(self.element, 1 | 2 | 4), || format!("elements of {} bytes", self.element))?;
        supported(self.element != 1 || (dst == Space::L0a && self.transpose == 0), || {
            "8-bit elements go to L0A untransposed only".to_owned()
        })?;
        supported(self.small_k == 0, || "enSmallK".to_owned())?;
        supported(self.boundary == 0 || self.boundary >= 1024, || {
            format!("a boundary of {} bytes, which is less than 1024", self.boundary)
        })?;
        if self.idle() {
            return Ok(());
        }
        within("strideW", self.stride_w, 1, 63)?;
        within("strideH", self.stride_h, 1, 63)?;
        let c0 = (ROW as u32) / self.element;
        supported(self.k_start.is_multiple_of(c0), || {
            format!("kStartPt is {}, which is no multiple of {c0}", self.k_start)
        })?;
        let rest = self.channel_size % c0;
        supported([0, 4, 8, 16].contains(&rest), || {
            format!("{} channels leave {rest} of a block of {c0}", self.channel_size)
        })?;
        supported(self.plan().is_some(), || "the filter is larger than the padded feature map".to_owned())
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Some(plan) = self.plan() else { return };
        for m in 0..plan.m {
            plan.runs(m, &mut |_, length, source| {
                if let Source::Map(offset) = source {
                    visit(Access::run(plan.address(offset), Use::Read, length * plan.size));
                }
            });
        }
        let (rows, columns) = plan.grid();
        visit(Access::run(Address(self.dst), Use::Write, rows * columns * FRACTAL));
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        let Some(plan) = self.plan() else { return Ok(()) };
        let (rows, columns) = plan.grid();
        // Bounds come first: the fractals may be more than any memory holds.
        memory.at(Address(self.dst), rows * columns * FRACTAL)?;
        let size = plan.size as usize;
        let padding = self.pad_value.to_le_bytes();
        // The part of the matrix, row by row.
        let width = plan.k as usize * size;
        let mut matrix = vec![0; plan.m as usize * width];
        for (m, row) in matrix.chunks_exact_mut(width).enumerate() {
            let mut result = Ok(());
            plan.runs(m as u64, &mut |k, length, source| {
                let start = k as usize * size;
                let bytes = &mut row[start..start + length as usize * size];
                match source {
                    Source::Map(offset) if result.is_ok() => {
                        result = raw::get(memory, plan.address(offset), bytes);
                    }
                    Source::Padding => {
                        bytes
                            .chunks_exact_mut(size)
                            .for_each(|element| element.copy_from_slice(&padding[..size]));
                    }
                    _ => {}
                }
            });
            result?;
        }
        let mut fractal = [0; FRACTAL as usize];
        for row in 0..rows {
            for column in 0..columns {
                for (i, element) in fractal.chunks_exact_mut(size).enumerate() {
                    let (r, c) = (i as u64 / plan.c0, i as u64 % plan.c0);
                    let (m, k) = plan.place((row, column), r, c);
                    if m < plan.m && k < plan.k {
                        let from = m as usize * width + k as usize * size;
                        element.copy_from_slice(&matrix[from..from + size]);
                    } else {
                        element.fill(0);
                    }
                }
                raw::put(memory, Address(self.dst).add(plan.index((row, column)) * FRACTAL), &fractal)?;
            }
        }
        Ok(())
    }
}
