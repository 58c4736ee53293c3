//! What a stream of the simulated device costs when the work itself costs nothing, and what an allocation costs that
//! the pool serves from its cache.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ascendcl::{Backend, Result, Runtime, Stream};
use criterion::{Criterion, criterion_group, criterion_main};

/// Work that is queued before somebody waits for it, where only queueing is measured.
const BURST: u64 = 1000;

fn stream() -> Stream {
    let device = Runtime::with_backend(Backend::Sim).and_then(|runtime| runtime.device(0));
    device.and_then(|device| device.stream()).expect("the simulated device is always there")
}

/// Measures `enqueue` alone: waits for the stream after every burst, while the clock stands.
fn enqueue_only(stream: &Stream, count: u64, enqueue: impl Fn() -> Result<()>) -> Duration {
    let mut spent = Duration::ZERO;
    for first in (0..count).step_by(BURST as usize) {
        let start = Instant::now();
        for _ in first..count.min(first + BURST) {
            enqueue().expect("the stream takes work");
        }
        spent += start.elapsed();
        stream.synchronize().expect("the work succeeds");
    }
    spent
}

fn launch(criterion: &mut Criterion) {
    let stream = stream();
    let event = stream.device().event().expect("the device has events");
    let empty = || stream.host_function(|| {});
    let record = || stream.record(&event);
    let mut group = criterion.benchmark_group("launch");
    group.bench_function("empty host function, enqueue", |bencher| {
        bencher.iter_custom(|count| enqueue_only(&stream, count, empty));
    });
    group.bench_function("empty host function, enqueue and wait", |bencher| {
        bencher.iter(|| empty().and_then(|()| stream.synchronize()).expect("the work succeeds"));
    });
    group.bench_function("event record, enqueue", |bencher| {
        bencher.iter_custom(|count| enqueue_only(&stream, count, record));
    });
    group.bench_function("event record, enqueue and wait", |bencher| {
        bencher.iter(|| record().and_then(|()| event.synchronize()).expect("the work succeeds"));
    });
    group.finish();
}

fn allocation(criterion: &mut Criterion) {
    let stream = stream();
    let mut group = criterion.benchmark_group("allocator hit");
    for (name, bytes) in [("4 KiB", 4 << 10), ("1 MiB", 1 << 20), ("64 MiB", 64 << 20)] {
        let alloc = || stream.alloc::<u8>(bytes).expect("the device has the memory");
        drop(alloc());
        let misses = stream.device().pool_statistics().misses;
        group.bench_function(name, |bencher| bencher.iter(|| drop(black_box(alloc()))));
        assert_eq!(stream.device().pool_statistics().misses, misses, "every allocation was a hit");
    }
    group.finish();
}

criterion_group!(benches, launch, allocation);
criterion_main!(benches);
