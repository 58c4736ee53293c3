//! Conversions between row-major and FRACTAL_NZ storage.
//!
//! Throughput is in bytes of the row-major matrix: what `nd_to_nz` reads and `nz_to_nd` writes. Each call also
//! allocates its result.

use std::hint::black_box;

use ascendcl::{Element, nd_to_nz, nz_to_nd};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Rows of the matrix.
const ROWS: usize = 2048;
/// Bytes of a row: the width of DeepSeek-V3's hidden state in int8. The same for all element sizes.
const ROW_BYTES: usize = 7168;

fn conversion<T: Element + Default>(criterion: &mut Criterion) {
    let columns = ROW_BYTES / size_of::<T>();
    let nd = vec![T::default(); ROWS * columns];
    let nz = nd_to_nz(&nd, 1, ROWS, columns).expect("the shape fits");
    let bits = 8 * size_of::<T>();
    let mut group = criterion.benchmark_group("format");
    group.throughput(Throughput::Bytes((ROWS * ROW_BYTES) as u64));
    group.bench_function(format!("nd_to_nz/{bits} bit"), |bencher| {
        bencher.iter(|| nd_to_nz(black_box(&nd), 1, ROWS, columns));
    });
    group.bench_function(format!("nz_to_nd/{bits} bit"), |bencher| {
        bencher.iter(|| nz_to_nd(black_box(&nz), 1, ROWS, columns));
    });
    group.finish();
}

criterion_group!(benches, conversion<u8>, conversion<u16>, conversion<u32>);
criterion_main!(benches);
