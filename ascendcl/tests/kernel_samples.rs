//! Sample kernels on the simulated device, against plain formulas; with the same bits at any number of threads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use ascendcl::{Device, Kernel, KernelArgs, Module, Stream};
use ascendcl_sim::kernel::{Options, configure};
use common::device;
use half::{bf16, f16};
use parking_lot::Mutex;

/// How kernels run is a setting of the process.
static THREADS: Mutex<()> = Mutex::new(());

/// Builds a source of the samples, and runs `body` with the kernel of a name at 1, 2 and 8 threads.
fn sample<R: PartialEq>(source: &str, name: &str, body: impl Fn(&Stream, &Kernel) -> R) -> R {
    let folder = tempfile::tempdir().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels").join(source);
    let built = ascendcl_sim_cc::Build::new(folder.path().join("sample.so")).source(path).run().unwrap();
    let device: Device = device(0);
    let stream = device.stream().unwrap();
    let kernel = Module::load(&device, &built.output).unwrap().kernel(name).unwrap();
    let run = |threads| {
        configure(Options { threads, ..Options::default() });
        body(&stream, &kernel)
    };
    let _alone = THREADS.lock();
    let result = run(1);
    assert!(result == run(2), "{name}: other bits with 2 threads");
    assert!(result == run(8), "{name}: other bits with 8 threads");
    result
}

/// Numbers that look random, from -1 to 1, with 8 bits after the point.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 23) as f32 - 256.0) / 256.0
    };
    (0..count).map(|_| next()).collect()
}

fn halves(numbers: &[f32]) -> Vec<f16> {
    numbers.iter().map(|&number| f16::from_f32(number)).collect()
}

/// `a[m, k]` times transposed `b[n, k]`
fn product(a: &[f32], b: &[f32], k: usize) -> Vec<f32> {
    let dot = |row: &[f32], column: &[f32]| row.iter().zip(column).map(|(x, y)| x * y).sum();
    a.chunks(k).flat_map(|row| b.chunks(k).map(move |column| dot(row, column))).collect()
}

#[track_caller]
fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert!((actual - expected).abs() <= tolerance, "{index}: {actual} instead of {expected}");
    }
}

#[test]
fn vector_add() {
    let (x, y) = (numbers(3 * 4 * 256, 1), numbers(3 * 4 * 256, 2));
    let sums = sample("vector_add.cpp", "vector_add", |stream, kernel| {
        let (a, b) = (stream.alloc_from(&halves(&x)).unwrap(), stream.alloc_from(&halves(&y)).unwrap());
        let mut c = stream.alloc_from(&vec![f16::ZERO; x.len()]).unwrap();
        let arguments = KernelArgs::new().read(&a).read(&b).write(&mut c).value(4u32);
        // SAFETY: 3 blocks with 4 tiles of 256 numbers each.
        unsafe { kernel.launch(stream, 3, arguments) }.unwrap();
        stream.download_vec(&c).unwrap()
    });
    let expected: Vec<f16> = x.iter().zip(&y).map(|(x, y)| f16::from_f32(x + y)).collect();
    assert_eq!(sums, expected);
}

#[test]
fn matmul_bias_gelu() {
    const BLOCKS: usize = 5;
    let (a, b, bias) = (numbers(BLOCKS * 32 * 128, 3), numbers(64 * 128, 4), numbers(64, 5));
    let (sums, y) = sample("matmul_bias_gelu.cpp", "matmul_bias_gelu", |stream, kernel| {
        let left = stream.alloc_from(&halves(&a)).unwrap();
        let right = stream.alloc_from(&halves(&b)).unwrap();
        let terms = stream.alloc_from(&bias).unwrap();
        let mut sums = stream.alloc_from(&vec![0f32; BLOCKS * 32 * 64]).unwrap();
        let mut y = stream.alloc_from(&vec![0f32; BLOCKS * 32 * 64]).unwrap();
        let arguments =
            KernelArgs::new().read(&left).read(&right).read(&terms).write(&mut sums).write(&mut y);
        // SAFETY: 32 rows of 128 numbers for each block, 64 columns.
        unsafe { kernel.launch(stream, BLOCKS as u32, arguments) }.unwrap();
        (stream.download_vec(&sums).unwrap(), stream.download_vec(&y).unwrap())
    });
    let expected: Vec<f32> =
        product(&a, &b, 128).iter().enumerate().map(|(index, sum)| sum + bias[index % 64]).collect();
    // Products have 16 bits after the point and sums less than 8 before it: nothing rounds.
    assert_eq!(sums, expected);
    let gelu: Vec<f32> = expected.iter().map(|&x| x / (1.0 + (-1.702 * x).exp())).collect();
    assert_close(&y, &gelu, 1e-4);
}

#[test]
fn matmul_int8_with_a_scale_for_each_column() {
    let integers = |count, seed| numbers(count, seed).iter().map(|x| (x * 127.0) as i8).collect::<Vec<_>>();
    let (a, b) = (integers(16 * 96, 6), integers(64 * 96, 7));
    let scales: Vec<f32> = (0..64).map(|column| 1.0 / (1 << (7 + column % 5)) as f32).collect();
    let y = sample("matmul_int8.cpp", "matmul_int8", |stream, kernel| {
        let (left, right) = (stream.alloc_from(&a).unwrap(), stream.alloc_from(&b).unwrap());
        let factors: Vec<u64> = scales.iter().map(|scale| u64::from(scale.to_bits())).collect();
        let factors = stream.alloc_from(&factors).unwrap();
        let mut y = stream.alloc_from(&[f16::ZERO; 16 * 64]).unwrap();
        let arguments = KernelArgs::new().read(&left).read(&right).read(&factors).write(&mut y);
        // SAFETY: 16 rows and 64 columns of 96 numbers.
        unsafe { kernel.launch(stream, 1, arguments) }.unwrap();
        stream.download_vec(&y).unwrap()
    });
    let wide = |numbers: &[i8]| numbers.iter().map(|&x| f32::from(x)).collect::<Vec<_>>();
    let expected: Vec<f16> = product(&wide(&a), &wide(&b), 96)
        .iter()
        .enumerate()
        .map(|(index, sum)| f16::from_f32(sum * scales[index % 64]))
        .collect();
    assert_eq!(y, expected);
}

#[test]
fn reductions() {
    let x = numbers(256, 8);
    let y = sample("reductions.cpp", "reductions", |stream, kernel| {
        let from = stream.alloc_from(&x).unwrap();
        let mut to = stream.alloc_from(&[0f32; 216]).unwrap();
        // SAFETY: the kernel reads 256 numbers and writes 216.
        unsafe { kernel.launch(stream, 1, KernelArgs::new().read(&from).write(&mut to)) }.unwrap();
        stream.download_vec(&to).unwrap()
    });
    // Sums of so few bits are exact in any order.
    assert_eq!(y[0], x.iter().sum::<f32>());
    let largest = x.iter().copied().fold(f32::MIN, f32::max);
    let smallest = x.iter().copied().fold(f32::MAX, f32::min);
    let place = |wanted| x.iter().position(|&number| number == wanted).unwrap() as u32;
    assert_eq!((y[8], y[9].to_bits()), (largest, place(largest)));
    assert_eq!((y[16], y[17].to_bits()), (smallest, place(smallest)));
    let block_sums: Vec<f32> = x.chunks(8).map(|block| block.iter().sum()).collect();
    assert_eq!(y[24..56], block_sums);
    let block_maxima: Vec<f32> =
        x.chunks(8).map(|block| block.iter().copied().fold(f32::MIN, f32::max)).collect();
    assert_eq!(y[56..88], block_maxima);
    let pairs: Vec<f32> = x.chunks(2).map(|pair| pair[0] + pair[1]).collect();
    assert_eq!(y[88..216], pairs);
}

#[test]
fn cube_and_vector_cores_take_turns() {
    let counters = sample("meetings.cpp", "ping_pong", |stream, kernel| {
        let mut counters = stream.alloc_from(&[1i32; 7 * 16]).unwrap();
        // SAFETY: 7 counters with 64 bytes each.
        unsafe { kernel.launch(stream, 7, KernelArgs::new().write(&mut counters).value(10u32)) }.unwrap();
        stream.download_vec(&counters).unwrap()
    });
    let expected = (0..10).fold(1, |counter, _| counter * 2 + 1 + 3);
    assert!(counters.iter().step_by(16).all(|&counter| counter == expected), "{counters:?}");
}

#[test]
fn all_cores_meet_by_the_hardware_and_by_memory() {
    const CORES: usize = 12;
    for soft in [0u32, 1] {
        let sums = sample("meetings.cpp", "sync_all", |stream, kernel| {
            let mut left = stream.alloc_from(&[0i32; CORES * 8]).unwrap();
            let mut meeting = stream.alloc_from(&[0i32; CORES * 8]).unwrap();
            let mut sums = stream.alloc_from(&[0i32; CORES * 8]).unwrap();
            let arguments =
                KernelArgs::new().write(&mut left).write(&mut meeting).write(&mut sums).value(soft);
            // SAFETY: 8 numbers for each core.
            unsafe { kernel.launch(stream, CORES as u32, arguments) }.unwrap();
            stream.download_vec(&sums).unwrap()
        });
        assert_eq!(sums, [78; CORES * 8]);
    }
}

#[test]
fn many_cores_add_to_one_place() {
    let (sums, largest) = sample("meetings.cpp", "atomic_add", |stream, kernel| {
        let mut sums = stream.alloc_from(&[0.25f32; 64]).unwrap();
        let mut largest = stream.alloc_from(&[-3i32; 8]).unwrap();
        let arguments = KernelArgs::new().write(&mut sums).write(&mut largest);
        // SAFETY: 64 sums and 8 maxima, whatever the number of cores is.
        unsafe { kernel.launch(stream, 30, arguments) }.unwrap();
        (stream.download_vec(&sums).unwrap(), stream.download_vec(&largest).unwrap())
    });
    assert_eq!(sums, [0.25 + 435.0 + 15.0; 64]);
    assert_eq!(largest, [29; 8]);
}

#[test]
fn cores_that_poll_let_others_run() {
    let tokens = sample("meetings.cpp", "relay", |stream, kernel| {
        let mut tokens = stream.alloc_from(&[0i32; 12 * 16]).unwrap();
        // SAFETY: a token for each of 12 cores, in 64 bytes.
        unsafe { kernel.launch(stream, 12, KernelArgs::new().write(&mut tokens)) }.unwrap();
        stream.download_vec(&tokens).unwrap()
    });
    let expected: Vec<i32> = (1..=12).rev().map(|cores| (1 << cores) - 1).collect();
    assert_eq!(tokens.iter().copied().step_by(16).collect::<Vec<_>>(), expected);
}

#[test]
fn rows_of_odd_lengths_are_padded() {
    let x = numbers(9 * 5, 9);
    let (padded, stripped) = sample("rearrange.cpp", "pad_rows", |stream, kernel| {
        let from = stream.alloc_from(&x).unwrap();
        let mut padded = stream.alloc_from(&[0f32; 9 * 8]).unwrap();
        let mut stripped = stream.alloc_from(&[0f32; 9 * 5 + 3]).unwrap();
        let arguments = KernelArgs::new().read(&from).write(&mut padded).write(&mut stripped).value(9u32);
        // SAFETY: 9 rows.
        unsafe { kernel.launch(stream, 1, arguments) }.unwrap();
        (stream.download_vec(&padded).unwrap(), stream.download_vec(&stripped).unwrap())
    });
    for (row, padded) in x.chunks(5).zip(padded.chunks(8)) {
        assert_eq!((&padded[..5], &padded[5..]), (row, &[-1.0; 3][..]));
    }
    assert_eq!((&stripped[..45], &stripped[45..]), (&x[..], &[0.0; 3][..]));
}

#[test]
fn numbers_are_gathered_and_sorted() {
    let x: Vec<f32> = (0..256).map(|index| (index * 97 % 256) as f32).collect();
    let offsets: Vec<u32> = (0..256).map(|index| index * 31 % 256 * 4).collect();
    let (even, gathered, sorted) = sample("rearrange.cpp", "gather_and_sort", |stream, kernel| {
        let (from, places) = (stream.alloc_from(&x).unwrap(), stream.alloc_from(&offsets).unwrap());
        let mut even = stream.alloc_from(&[0f32; 128]).unwrap();
        let mut gathered = stream.alloc_from(&[0f32; 256]).unwrap();
        let mut sorted = stream.alloc_from(&[0f32; 512]).unwrap();
        let arguments = KernelArgs::new()
            .read(&from)
            .read(&places)
            .write(&mut even)
            .write(&mut gathered)
            .write(&mut sorted);
        // SAFETY: the kernel reads 256 numbers and places, and writes 128, 256 and 512 numbers.
        unsafe { kernel.launch(stream, 1, arguments) }.unwrap();
        let sorted = stream.download_vec(&sorted).unwrap();
        let bits: Vec<u32> = sorted.iter().map(|number| number.to_bits()).collect();
        (stream.download_vec(&even).unwrap(), stream.download_vec(&gathered).unwrap(), bits)
    });
    assert_eq!(even, x.iter().copied().step_by(2).collect::<Vec<_>>());
    assert_eq!(gathered, offsets.iter().map(|&offset| x[offset as usize / 4]).collect::<Vec<_>>());
    let mut expected = Vec::new();
    for start in (0..256).step_by(32) {
        let mut indices: Vec<usize> = (start..start + 32).collect();
        indices.sort_by(|&left, &right| x[right].total_cmp(&x[left]));
        expected.extend(indices.into_iter().flat_map(|index| [x[index].to_bits(), index as u32]));
    }
    assert_eq!(sorted, expected);
}

#[test]
fn a_matrix_is_transposed() {
    let x = halves(&numbers(256, 10));
    let y = sample("rearrange.cpp", "transpose", |stream, kernel| {
        let from = stream.alloc_from(&x).unwrap();
        let mut to = stream.alloc_from(&[f16::ZERO; 256]).unwrap();
        // SAFETY: a matrix of 16 x 16 each.
        unsafe { kernel.launch(stream, 1, KernelArgs::new().read(&from).write(&mut to)) }.unwrap();
        stream.download_vec(&to).unwrap()
    });
    let expected: Vec<f16> = (0..256).map(|index| x[index % 16 * 16 + index / 16]).collect();
    assert_eq!(y, expected);
}

#[test]
fn casts_round_as_they_say() {
    let x: Vec<f32> = (0..64).map(|index| (index as f32 - 31.0) * 12.25 + 0.001 * index as f32).collect();
    let (floats, integers) = sample("casts.cpp", "casts", |stream, kernel| {
        let from = stream.alloc_from(&x).unwrap();
        let mut floats = stream.alloc_from(&[0f32; 3 * 64]).unwrap();
        let mut integers = stream.alloc_from(&[0i32; 5 * 64]).unwrap();
        let arguments = KernelArgs::new().read(&from).write(&mut floats).write(&mut integers);
        // SAFETY: the kernel reads 64 numbers and writes 3 and 5 times as many.
        unsafe { kernel.launch(stream, 1, arguments) }.unwrap();
        (stream.download_vec(&floats).unwrap(), stream.download_vec(&integers).unwrap())
    });
    let back: [fn(f32) -> f32; 3] =
        [|x| f16::from_f32(x).to_f32(), |x| bf16::from_f32(x).to_f32(), f32::round_ties_even];
    for (row, cast) in floats.chunks(64).zip(back) {
        assert_eq!(row, x.iter().map(|&x| cast(x)).collect::<Vec<_>>());
    }
    let rounded = [f32::round_ties_even, f32::floor, f32::ceil, f32::round, f32::trunc];
    for (row, round) in integers.chunks(64).zip(rounded) {
        assert_eq!(row, x.iter().map(|&x| round(x) as i32).collect::<Vec<_>>());
    }
}

#[test]
fn a_convolution_is_a_product_of_windows() {
    let (map, filters) = (numbers(64 * 16, 11), numbers(16 * 144, 12));
    let y = sample("convolution.cpp", "convolution", |stream, kernel| {
        let (from, weights) =
            (stream.alloc_from(&halves(&map)).unwrap(), stream.alloc_from(&halves(&filters)).unwrap());
        let mut to = stream.alloc_from(&[0f32; 64 * 16]).unwrap();
        // SAFETY: 64 pixels of 16 channels, 16 filters of 9 times as many weights.
        unsafe { kernel.launch(stream, 1, KernelArgs::new().read(&from).read(&weights).write(&mut to)) }
            .unwrap();
        stream.download_vec(&to).unwrap()
    });
    let pixel = |row: i32, column: i32, channel: usize| match (row, column) {
        (0..8, 0..8) => map[(row * 8 + column) as usize * 16 + channel],
        _ => 0.0,
    };
    let mut windows = Vec::new();
    for (row, column) in (0..64).map(|place| (place / 8, place % 8)) {
        for (down, right) in (0..9).map(|step| (step / 3 - 1, step % 3 - 1)) {
            windows.extend((0..16).map(|channel| pixel(row + down, column + right, channel)));
        }
    }
    assert_eq!(y, product(&windows, &filters, 144));
}
