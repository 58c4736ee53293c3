//! Matrix products, with weights read where they are.

use rayon::prelude::*;

use super::nz::Nz;

/// What products are made of: int8 summed up in int32, or floats in f32.
pub(crate) trait Element: Copy + Send + Sync {
    type Sum: Copy + Default + Send + Sync;

    fn product(self, other: Self) -> Self::Sum;

    fn sum(left: Self::Sum, right: Self::Sum) -> Self::Sum;
}

impl Element for i8 {
    /// Exact for up to 131 071 products; then it wraps, as the cube's do.
    type Sum = i32;

    fn product(self, other: Self) -> i32 {
        i32::from(self) * i32::from(other)
    }

    fn sum(left: i32, right: i32) -> i32 {
        left.wrapping_add(right)
    }
}

impl Element for f32 {
    /// The cube's sums have f32; the order of its additions is not published, here it is that of `k`.
    type Sum = f32;

    fn product(self, other: Self) -> f32 {
        self * other
    }

    fn sum(left: f32, right: f32) -> f32 {
        left + right
    }
}

/// The right factor of a product, `k` rows and `n` columns, in one of its four layouts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight<'a, T> {
    pub values: &'a [T],
    pub k: usize,
    pub n: usize,
    /// Stored with `n` rows and `k` columns.
    pub transposed: bool,
    /// Stored in FRACTAL_NZ with these dimensions.
    pub nz: Option<Nz>,
}

/// Columns of the result that are computed at once.
const TILE: usize = 64;

impl<'a, T: Element> Weight<'a, T> {
    fn columns(&self) -> usize {
        if self.transposed { self.k } else { self.n }
    }

    /// The stored elements of a row from a column on, up to the end of their block or of `wanted`.
    fn run(&self, row: usize, column: usize, wanted: usize) -> &'a [T] {
        let (start, room) = match self.nz {
            Some(nz) => (nz.position(row, column), nz.block - column % nz.block),
            None => (row * self.columns() + column, self.columns() - column),
        };
        &self.values[start..][..room.min(wanted)]
    }

    /// `a` (`m` rows of `k`) times the weight: `m` rows of `n`, row by row.
    pub(crate) fn product(&self, a: &[T], m: usize) -> Vec<T::Sum> {
        let starts: Vec<usize> = (0..self.n).step_by(TILE).collect();
        let tiles: Vec<Vec<T::Sum>> =
            starts.par_iter().map(|start| self.tile(a, m, *start, TILE.min(self.n - start))).collect();
        let mut result = vec![T::Sum::default(); m * self.n];
        for (start, tile) in starts.into_iter().zip(tiles) {
            let width = tile.len() / m.max(1);
            for row in 0..m {
                result[row * self.n + start..][..width].copy_from_slice(&tile[row * width..][..width]);
            }
        }
        result
    }

    /// The columns `start..start + width` of the product.
    fn tile(&self, a: &[T], m: usize, start: usize, width: usize) -> Vec<T::Sum> {
        let mut sums = vec![T::Sum::default(); m * width];
        if self.transposed {
            let step = self.nz.map_or(self.k, |nz| nz.block);
            for column in (0..self.k).step_by(step.max(1)) {
                for offset in 0..width {
                    let run = self.run(start + offset, column, self.k - column);
                    for row in 0..m {
                        let left = &a[row * self.k + column..][..run.len()];
                        let mut sum = T::Sum::default();
                        for (left, right) in left.iter().zip(run) {
                            sum = T::sum(sum, left.product(*right));
                        }
                        let total = &mut sums[row * width + offset];
                        *total = T::sum(*total, sum);
                    }
                }
            }
        } else {
            let mut offset = 0;
            while offset < width {
                let mut done = 0;
                for k in 0..self.k {
                    let run = self.run(k, start + offset, width - offset);
                    done = run.len();
                    for row in 0..m {
                        let left = a[row * self.k + k];
                        for (sum, right) in sums[row * width + offset..][..done].iter_mut().zip(run) {
                            *sum = T::sum(*sum, left.product(*right));
                        }
                    }
                }
                if done == 0 {
                    break;
                }
                offset += done;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A weight of every layout whose element `(k, n)` is `value(k, n)`; padding would be noticed.
    fn stored(
        k: usize,
        n: usize,
        transposed: bool,
        nz: bool,
        value: impl Fn(usize, usize) -> i8,
    ) -> (Vec<i8>, Option<Nz>) {
        let (rows, columns) = if transposed { (n, k) } else { (k, n) };
        let nz = nz.then(|| Nz::new(rows, 1));
        let mut values = vec![99; nz.map_or(rows * columns, |nz| nz.len(columns))];
        for row in 0..rows {
            for column in 0..columns {
                let at = match nz {
                    Some(nz) => column / 32 * nz.rows * 32 + row * 32 + column % 32,
                    None => row * columns + column,
                };
                values[at] = if transposed { value(column, row) } else { value(row, column) };
            }
        }
        (values, nz)
    }

    proptest! {
        #[test]
        fn products_are_sums_of_products(
            m in 1usize..4, k in 1usize..100, n in 1usize..150, transposed: bool, nz: bool, seed: u32,
        ) {
            let hash = |i: usize| ((i as u32 ^ seed).wrapping_mul(2_654_435_761) >> 24) as u8 as i8;
            let a: Vec<i8> = (0..m * k).map(|i| hash(i + 7)).collect();
            let value = |k: usize, n: usize| hash(k * 1000 + n);
            let (values, nz) = stored(k, n, transposed, nz, value);
            let weight = Weight { values: &values, k, n, transposed, nz };
            let product = weight.product(&a, m);
            for row in 0..m {
                for column in 0..n {
                    let expected: i32 =
                        (0..k).map(|k_| i32::from(a[row * k + k_]) * i32::from(value(k_, column))).sum();
                    prop_assert_eq!(product[row * n + column], expected, "({}, {})", row, column);
                }
            }
        }
    }

    #[test]
    fn floats_add_up_in_f32() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let weight = Weight { values: &values, k: 3, n: 2, transposed: false, nz: None };
        assert_eq!(weight.product(&[1.0f32, 10.0, 100.0], 1), [531.0, 642.0]);
        let weight = Weight { transposed: true, ..weight };
        assert_eq!(weight.product(&[1.0, 10.0, 100.0], 1), [321.0, 654.0]);
    }

    #[test]
    fn the_largest_sums_are_exact() {
        let values = vec![-128i8; 65_536];
        let weight = Weight { values: &values, k: 65_536, n: 1, transposed: true, nz: None };
        assert_eq!(weight.product(&values, 1), [65_536 * 128 * 128]);
    }
}
