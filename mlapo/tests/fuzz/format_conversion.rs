//! Conversion between row-major matrices and FRACTAL_NZ, of any dimensions.

use ascendcl::{Element, FractalNz, nd_to_nz, nz_to_nd};

use super::allocations::within_limit;
use super::input::Input;

/// Converts matrices there and back: an error exactly where the dimensions do not fit the data, else every element at
/// the place of the formula, zeros around, and the same matrices again. Whether there were matrices.
pub fn format_conversion(bytes: &[u8]) -> bool {
    let mut input = Input(bytes);
    let (element, fitting) = (input.byte() % 4, input.flag());
    let dimensions = if fitting {
        [input.up_to(4) - 1, input.up_to(70) - 1, input.up_to(140) - 1]
    } else {
        [input.size(), input.size(), input.size()]
    };
    let len = match fitting {
        true => dimensions.iter().product(),
        false => input.up_to(600) - 1,
    };
    within_limit("a conversion", || match element {
        0 => convert(dimensions, len, |i| (i % 127) as i8 + 1),
        1 => convert(dimensions, len, |i| (i % 65521) as u16 + 1),
        2 => convert(dimensions, len, |i| i as f32 + 1.0),
        _ => convert(dimensions, len, |i| i as i64 + 1),
    })
}

/// Converts `len` elements as matrices of these dimensions (batch, rows, columns).
pub fn convert<T>([batch, rows, columns]: [usize; 3], len: usize, element: impl Fn(usize) -> T) -> bool
where
    T: Element + Default + PartialEq + std::fmt::Debug,
{
    let nd: Vec<T> = (0..len).map(element).collect();
    let nz = nd_to_nz(&nd, batch, rows, columns);
    // In numbers that cannot overflow.
    let wide = |n: usize| n as u128;
    let c0 = 32 / size_of::<T>();
    let (padded_rows, padded_columns) =
        (wide(rows).next_multiple_of(16), wide(columns).next_multiple_of(wide(c0)));
    let sides_fit = padded_rows.max(padded_columns) <= wide(usize::MAX);
    let stored = padded_rows.saturating_mul(padded_columns);
    let possible = size_of::<T>() <= 4
        && sides_fit
        && stored.saturating_mul(wide(size_of::<T>())) <= wide(isize::MAX as usize);
    let whole = (wide(rows) * wide(columns)).saturating_mul(wide(batch)) == wide(len);
    assert_eq!(
        FractalNz::new(rows, columns, size_of::<T>()).is_ok(),
        possible,
        "{rows} x {columns} of {} bytes",
        size_of::<T>()
    );
    if !(possible && whole) {
        let error = nz.expect_err("dimensions that do not fit");
        assert!(!error.to_string().is_empty());
        // As storage they do not fit either, unless it is just as long.
        if let Ok(back) = nz_to_nd(&nd, batch, rows, columns) {
            assert!(possible && stored * wide(batch) == wide(len));
            assert_eq!(wide(back.len()), wide(rows) * wide(columns) * wide(batch));
        }
        return false;
    }
    let nz = nz.unwrap();
    if nd.is_empty() {
        assert!(nz.is_empty() && nz_to_nd(&nz, batch, rows, columns).unwrap().is_empty());
        return false;
    }
    let stored = stored as usize;
    assert_eq!(nz.len(), batch * stored);
    let mut expected = vec![T::default(); nz.len()];
    for (i, value) in nd.iter().enumerate() {
        let (matrix, row, column) = (i / (rows * columns), i / columns % rows, i % columns);
        let place = column / c0 * padded_rows as usize * c0 + row * c0 + column % c0;
        expected[matrix * stored + place] = *value;
    }
    assert_eq!(nz, expected, "{batch} x {rows} x {columns}");
    assert_eq!(nz_to_nd(&nz, batch, rows, columns).unwrap(), nd);
    assert!(nz_to_nd(&nz[1..], batch, rows, columns).is_err());
    true
}
