//! A mutable matrix that can be divided by columns among threads.

use std::marker::PhantomData;
use std::ops::Range;

/// A range of columns of a row-major matrix, borrowed mutably.
#[derive(Debug)]
pub(super) struct ColumnsMut<'a, T> {
    /// First element of the first row's range.
    start: *mut T,
    rows: usize,
    /// Elements from one row to the next.
    stride: usize,
    columns: usize,
    matrix: PhantomData<&'a mut [T]>,
}

// SAFETY: the value is a unique borrow of the elements of its columns, like `&mut [T]`: no two values made from
// one matrix share an element (see `split_at`), so sending one is sending those elements' borrow.
unsafe impl<T: Send> Send for ColumnsMut<'_, T> {}

impl<'a, T> ColumnsMut<'a, T> {
    /// All columns of `matrix` `[len / columns, columns]`; elements after the last whole row are left alone.
    pub(super) fn new(matrix: &'a mut [T], columns: usize) -> Self {
        let rows = matrix.len().checked_div(columns).unwrap_or(0);
        Self { start: matrix.as_mut_ptr(), rows, stride: columns, columns, matrix: PhantomData }
    }

    /// Divides the columns at `column`, or at the end if there are fewer.
    pub(super) fn split_at(self, column: usize) -> (Self, Self) {
        let column = column.min(self.columns);
        let right = Self {
            // Stays in the matrix or, for an empty range of its last columns, one past a row's end: never
            // dereferenced then, so a wrapping offset is enough.
            start: self.start.wrapping_add(column),
            columns: self.columns - column,
            ..self
        };
        (Self { columns: column, ..self }, right)
    }

    /// Columns in the range.
    #[cfg(test)]
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// A part of a row, by positions in the range.
    ///
    /// # Panics
    /// If the row or the range is out of bounds, as a slice would.
    pub(super) fn row(&mut self, row: usize, range: Range<usize>) -> &mut [T] {
        assert!(
            row < self.rows && range.start <= range.end && range.end <= self.columns,
            "columns out of bounds"
        );
        // SAFETY: `row` and `range` are inside this value's rows and columns (checked above), so every element is
        // inside the matrix that `new` borrowed for 'a, and no other value covers it (`split_at` divides disjointly
        // and takes the old value). The borrow of `self` keeps two such slices from living at once.
        unsafe {
            let first = self.start.add(row * self.stride + range.start);
            std::slice::from_raw_parts_mut(first, range.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each part writes its mark; the matrix must show each mark exactly at its columns.
        #[test]
        fn parts_are_disjoint_and_complete(
            rows in 0..5usize, columns in 1..20usize, extra in 0..3usize, cut in 0..25usize,
        ) {
            let mut matrix = vec![0u8; rows * columns + extra.min(columns - 1)];
            let (mut left, mut right) = ColumnsMut::new(&mut matrix, columns).split_at(cut);
            for row in 0..rows {
                let (l, r) = (left.columns(), right.columns());
                left.row(row, 0..l).fill(1);
                right.row(row, 0..r).fill(2);
            }
            for (i, mark) in matrix.iter().enumerate() {
                let expected = if i >= rows * columns { 0 } else if i % columns < cut { 1 } else { 2 };
                prop_assert_eq!(*mark, expected);
            }
        }

        #[test]
        fn out_of_bounds_panics(row in 0..4usize, start in 0..8usize, len in 0..8usize) {
            let mut matrix = vec![0u8; 3 * 5];
            let mut columns = ColumnsMut::new(&mut matrix, 5).split_at(2).1;
            let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                columns.row(row, start..start + len).len()
            }));
            prop_assert_eq!(got.ok(), (row < 3 && start + len <= 3).then_some(len));
        }
    }
}
