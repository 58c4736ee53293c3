//! Where the layout FRACTAL_NZ keeps the elements of a matrix.

/// A matrix in FRACTAL_NZ: columns in blocks of 32 bytes, each block with all rows, rows padded to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nz {
    /// Rows with padding.
    pub rows: usize,
    /// Elements of a block: 32 of int8, 16 of 16-bit types.
    pub block: usize,
}

/// Rows of a fractal.
const FRACTAL_ROWS: usize = 16;

impl Nz {
    /// The layout of a matrix of `rows` rows whose elements have `element_size` bytes.
    pub(crate) fn new(rows: usize, element_size: usize) -> Self {
        Self { rows: rows.next_multiple_of(FRACTAL_ROWS), block: 32 / element_size }
    }

    /// The position of an element; those of one block follow each other.
    pub(crate) fn position(self, row: usize, column: usize) -> usize {
        (column / self.block * self.rows + row) * self.block + column % self.block
    }

    /// Elements of a matrix with this many columns, padding included.
    pub(crate) fn len(self, columns: usize) -> usize {
        columns.next_multiple_of(self.block) * self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_of_columns_have_all_rows() {
        let nz = Nz::new(16, 2);
        assert_eq!((nz.position(0, 15), nz.position(1, 0), nz.position(0, 16)), (15, 16, 256));
        let nz = Nz::new(17, 1);
        assert_eq!((nz.rows, nz.position(0, 32), nz.len(33)), (32, 1024, 2048));
    }

    proptest! {
        #[test]
        fn no_two_elements_meet(rows in 1usize..40, columns in 1usize..70, size in 1usize..=2) {
            let nz = Nz::new(rows, size);
            let mut seen = vec![false; nz.len(columns)];
            for row in 0..rows {
                for column in 0..columns {
                    prop_assert!(!std::mem::replace(&mut seen[nz.position(row, column)], true));
                }
            }
        }
    }
}
