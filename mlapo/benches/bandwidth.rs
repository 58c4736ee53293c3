//! How fast this machine reads memory with all the cores that the host backend uses: the bound of decode.
//!
//! * `DRAM`: each thread reads its own part of buffers much larger than the last-level cache, again and again.
//! * `working set`: the same for as many bytes as one decode call reads, which a large last-level cache holds.

use std::fs;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The weights of one DeepSeek-V3 layer's operation, rounded.
const WORKING_SET: usize = 70_000_000;
/// The least that a thread reads from DRAM.
const DRAM_BYTES_PER_THREAD: usize = 512 << 20;
/// How much larger than the last-level cache all threads' memory is: what an LRU-like cache keeps of a cyclic read is
/// then little.
const DRAM_TO_CACHE: usize = 4;

/// Bytes of the largest cache of the first processor, as Linux reports it; 0 if it reports none.
fn last_level_cache() -> usize {
    let Ok(caches) = fs::read_dir("/sys/devices/system/cpu/cpu0/cache") else { return 0 };
    let size = |text: String| text.trim().strip_suffix('K')?.parse::<usize>().ok();
    let sizes =
        caches.flatten().filter_map(|cache| size(fs::read_to_string(cache.path().join("size")).ok()?));
    sizes.max().unwrap_or(0) << 10
}

/// Reads everything: sums in 16 lanes, which the compiler makes eight vector registers, so that neither the additions'
/// latency nor the loop's overhead limits.
fn sum(values: &[u64]) -> u64 {
    let mut lanes = [0u64; 16];
    for chunk in values.chunks_exact(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(*value);
        }
    }
    lanes.iter().fold(0, |sum, lane| sum.wrapping_add(*lane))
}

fn read(criterion: &mut Criterion) {
    let threads = rayon::current_num_threads();
    let dram = (DRAM_TO_CACHE * last_level_cache() / threads).max(DRAM_BYTES_PER_THREAD);
    let mut group = criterion.benchmark_group("read bandwidth");
    for (name, bytes_per_thread) in [("working set", WORKING_SET / threads), ("DRAM", dram)] {
        // Each thread writes its own part first, so that it is in memory near it and not the shared page of zeros.
        let parts = rayon::broadcast(|_| vec![1u64; bytes_per_thread / size_of::<u64>()]);
        group.throughput(Throughput::Bytes((parts.len() * size_of_val(&*parts[0])) as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| rayon::broadcast(|thread| sum(black_box(&parts[thread.index()]))));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = read
}
criterion_main!(benches);
