//! FRACTAL_NZ against the formula of the operator's contract.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ascendcl::{FractalNz, nd_to_nz, nz_to_nd};
use proptest::prelude::*;

/// Section 1.2 of the operator's contract, element by element.
fn by_formula<T: Copy + Default>(nd: &[T], rows: usize, columns: usize) -> Vec<T> {
    let c0 = 32 / size_of::<T>();
    let padded_rows = rows.div_ceil(16) * 16;
    let mut nz = vec![T::default(); padded_rows * columns.div_ceil(c0) * c0];
    for r in 0..rows {
        for c in 0..columns {
            nz[(c / c0) * padded_rows * c0 + r * c0 + c % c0] = nd[r * columns + c];
        }
    }
    nz
}

fn check<T: ascendcl::Element + Default + PartialEq + std::fmt::Debug>(
    batch: usize,
    rows: usize,
    columns: usize,
    value: impl Fn(usize) -> T,
) {
    let nd: Vec<T> = (0..batch * rows * columns).map(value).collect();
    let expected: Vec<T> = nd.chunks(rows * columns).flat_map(|m| by_formula(m, rows, columns)).collect();
    let nz = nd_to_nz(&nd, batch, rows, columns).unwrap();
    assert_eq!(nz, expected);
    assert_eq!(nz_to_nd(&nz, batch, rows, columns).unwrap(), nd);
}

proptest! {
    #[test]
    fn converts_as_the_formula_says(batch in 0usize..3, rows in 1usize..40, columns in 1usize..70) {
        check(batch, rows, columns, |i| (i * 7 + 1) as i8);
        check(batch, rows, columns, |i| (i * 7 + 1) as u16);
        check(batch, rows, columns, |i| (i * 7 + 1) as f32);
    }

    #[test]
    fn no_shape_panics(batch: usize, rows: usize, columns: usize, size in 0usize..9, len in 0usize..100) {
        let _ = FractalNz::new(rows, columns, size);
        let values = vec![0u8; len];
        prop_assert!(nd_to_nz(&values, batch, rows, columns).is_err() || batch.saturating_mul(rows).saturating_mul(columns) == len);
        let _ = nz_to_nd(&values, batch, rows, columns);
        let _ = ascendcl::TensorDesc::new(ascendcl::DataType::Int8, ascendcl::Format::FractalNz, &[batch, rows, columns]);
        let _ = ascendcl::TensorDesc::new(ascendcl::DataType::Int64, ascendcl::Format::Nd, &[batch, rows, columns]);
    }
}

#[test]
fn eight_byte_elements_have_no_fractals() {
    let error = nd_to_nz(&[0u64; 4], 1, 2, 2).unwrap_err();
    assert_eq!(error.to_string(), "FRACTAL_NZ element size must be 1, 2 or 4 bytes, got 8");
}
