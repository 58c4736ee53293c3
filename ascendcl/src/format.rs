//! FRACTAL_NZ, the storage format of matrices that the cube unit reads.
//!
//! A matrix `[rows, columns]` is cut into columns of `c0` elements (32 bytes); each such column of blocks is stored
//! whole, row by row, before the next one. Rows are padded to 16 and columns to `c0`, with zeros:
//! element `(r, c)` stands at `(c / c0) * padded_rows * c0 + r * c0 + c % c0`
//! (operator contract of MlaPreprocess, section 1.2).

use crate::{Element, error::ShapeError};

/// Rows of a fractal.
const FRACTAL_ROWS: usize = 16;
/// Bytes of a fractal's row.
const BLOCK_BYTES: usize = 32;

/// The geometry of one FRACTAL_NZ matrix.
///
/// ```
/// use ascendcl::FractalNz;
/// let nz = FractalNz::new(17, 40, 1)?;
/// assert_eq!((nz.c0(), nz.padded_rows(), nz.padded_columns()), (32, 32, 64));
/// assert_eq!(nz.offset(3, 33), Some(32 * 32 + 3 * 32 + 1));
/// assert_eq!(nz.offset(32, 0), None);
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FractalNz {
    rows: usize,
    columns: usize,
    c0: usize,
}

impl FractalNz {
    /// The geometry of a `[rows, columns]` matrix whose elements have `element_size` bytes: 1, 2 or 4.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for another element size, or if the padded matrix does not fit the address space.
    pub fn new(rows: usize, columns: usize, element_size: usize) -> Result<Self, ShapeError> {
        if !matches!(element_size, 1 | 2 | 4) {
            return Err(ShapeError::new("FRACTAL_NZ element size", "1, 2 or 4 bytes", element_size));
        }
        let nz = Self { rows, columns, c0: BLOCK_BYTES / element_size };
        let padded = |n: usize, to: usize| n.checked_next_multiple_of(to);
        padded(rows, FRACTAL_ROWS)
            .zip(padded(columns, nz.c0))
            .and_then(|(r, c)| r.checked_mul(c)?.checked_mul(element_size))
            .filter(|bytes| isize::try_from(*bytes).is_ok())
            .ok_or_else(|| {
                ShapeError::new(
                    "FRACTAL_NZ matrix",
                    "a size that fits the address space",
                    format!("{rows} x {columns}"),
                )
            })?;
        Ok(nz)
    }

    /// Elements in one row of a fractal: 32 bytes' worth.
    pub const fn c0(&self) -> usize {
        self.c0
    }

    /// Rows, padded to a multiple of 16.
    pub const fn padded_rows(&self) -> usize {
        self.rows.next_multiple_of(FRACTAL_ROWS)
    }

    /// Columns, padded to a multiple of [`c0`](Self::c0).
    pub const fn padded_columns(&self) -> usize {
        self.columns.next_multiple_of(self.c0)
    }

    /// Elements in storage, padding included.
    pub const fn storage_len(&self) -> usize {
        self.padded_rows() * self.padded_columns()
    }

    /// The storage shape `[columns / c0, rows, c0]`, padded.
    pub const fn storage_shape(&self) -> [usize; 3] {
        [self.padded_columns() / self.c0, self.padded_rows(), self.c0]
    }

    /// Where element `(row, column)` stands in storage, padding included; `None` outside it.
    pub const fn offset(&self, row: usize, column: usize) -> Option<usize> {
        if row >= self.padded_rows() || column >= self.padded_columns() {
            return None;
        }
        Some((column / self.c0) * self.padded_rows() * self.c0 + row * self.c0 + column % self.c0)
    }

    fn check_len(what: &'static str, expected: usize, got: usize) -> Result<(), ShapeError> {
        if expected == got { Ok(()) } else { Err(ShapeError::new(what, format!("{expected} elements"), got)) }
    }
}

/// Converts row-major matrices to FRACTAL_NZ, padding with zeros.
///
/// `nd` holds `batch` matrices `[rows, columns]` one after the other, and so does the result.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if the element size is not 1, 2 or 4 bytes or the length does not fit.
pub fn nd_to_nz<T: Element + Default>(
    nd: &[T],
    batch: usize,
    rows: usize,
    columns: usize,
) -> Result<Vec<T>, ShapeError> {
    let nz = FractalNz::new(rows, columns, size_of::<T>())?;
    let overflow = || ShapeError::new("FRACTAL_NZ batch", "a size that fits the address space", batch);
    FractalNz::check_len("ND matrix", (rows * columns).checked_mul(batch).ok_or_else(overflow)?, nd.len())?;
    let mut out = vec![T::default(); nz.storage_len().checked_mul(batch).ok_or_else(overflow)?];
    if out.is_empty() || nd.is_empty() {
        return Ok(out);
    }
    for (nd, out) in nd.chunks_exact(rows * columns).zip(out.chunks_exact_mut(nz.storage_len())) {
        for (block, column) in out.chunks_exact_mut(nz.padded_rows() * nz.c0).zip((0..columns).step_by(nz.c0))
        {
            let width = nz.c0.min(columns - column);
            for (to, from) in block.chunks_exact_mut(nz.c0).zip(nd.chunks_exact(columns)) {
                to[..width].copy_from_slice(&from[column..column + width]);
            }
        }
    }
    Ok(out)
}

/// Converts FRACTAL_NZ matrices to row-major ones and drops the padding: the inverse of [`nd_to_nz`].
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if the element size is not 1, 2 or 4 bytes or the length does not fit.
pub fn nz_to_nd<T: Element + Default>(
    nz: &[T],
    batch: usize,
    rows: usize,
    columns: usize,
) -> Result<Vec<T>, ShapeError> {
    let geometry = FractalNz::new(rows, columns, size_of::<T>())?;
    let overflow = || ShapeError::new("FRACTAL_NZ batch", "a size that fits the address space", batch);
    let stored = geometry.storage_len();
    FractalNz::check_len("FRACTAL_NZ matrix", stored.checked_mul(batch).ok_or_else(overflow)?, nz.len())?;
    let mut out = vec![T::default(); (rows * columns).checked_mul(batch).ok_or_else(overflow)?];
    if out.is_empty() {
        return Ok(out);
    }
    let c0 = geometry.c0;
    for (nz, out) in nz.chunks_exact(stored).zip(out.chunks_exact_mut(rows * columns)) {
        for (block, column) in nz.chunks_exact(geometry.padded_rows() * c0).zip((0..columns).step_by(c0)) {
            let width = c0.min(columns - column);
            for (from, to) in block.chunks_exact(c0).zip(out.chunks_exact_mut(columns)) {
                to[column..column + width].copy_from_slice(&from[..width]);
            }
        }
    }
    Ok(out)
}
