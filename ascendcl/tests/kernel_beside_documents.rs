//! What kernels rely on beside the documents of the interface: the results of such kernels.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ascendcl::{KernelArgs, Module};
use common::device;
use half::f16;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

static OBJECT: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/beside_documents.cpp");
    ascendcl_sim_cc::Build::new(FOLDER.path().join("beside.so")).source(source).run().unwrap().output
});

#[test]
fn tensors_placed_by_hand_leave_by_the_older_fixpipe() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let value = |i: usize| f16::from_f32(((i * 7 + i / 5) % 11) as f32 - 5.0);
    let (a, b): (Vec<_>, Vec<_>) = ((0..256).map(value).collect(), (3..515).map(value).collect());
    let (left, right) = (stream.alloc_from(&a).unwrap(), stream.alloc_from(&b).unwrap());
    let mut out = stream.alloc_from(&vec![f16::from_f32(99.0); 640 + 2 * 272]).unwrap();
    let kernel = Module::load(&device, &*OBJECT).unwrap().kernel("product").unwrap();
    // SAFETY: the kernel reads 256 and 512 numbers and writes 16 rows of 40, then two columns of 17 blocks.
    unsafe { kernel.launch(&stream, 1, KernelArgs::new().read(&left).read(&right).write(&mut out)) }.unwrap();
    let mut expected = vec![f16::from_f32(99.0); 640 + 2 * 272];
    for (m, n) in (0..16).flat_map(|m| (0..32).map(move |n| (m, n))) {
        let sum: f32 = (0..16).map(|k| a[m * 16 + k].to_f32() * b[n * 16 + k].to_f32()).sum();
        expected[m * 40 + n] = f16::from_f32(sum);
        expected[640 + n / 16 * 272 + m * 16 + n % 16] = f16::from_f32(sum);
    }
    assert_eq!(stream.download_vec(&out).unwrap(), expected);
}

#[test]
fn objects_that_are_loaded_at_once_stay_apart() {
    let device = device(0);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/scale.cpp");
    let other =
        ascendcl_sim_cc::Build::new(FOLDER.path().join("other.so")).source(source).run().unwrap().output;
    let (first, second) = (Module::load(&device, &*OBJECT).unwrap(), Module::load(&device, other).unwrap());
    assert_eq!(first.kernel("product").unwrap().name(), "product");
    assert_eq!(second.kernel("scale").unwrap().name(), "scale");
    assert!(second.kernel("product").is_err());
}

#[test]
fn kernels_of_macros_call_without_a_namespace() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let module = Module::load(&device, &*OBJECT).unwrap();
    let values: Vec<f32> = (0..50).map(|i| (i % 9) as f32).collect();
    for count in [3u32, 16, 40, 45] {
        let sum: f32 = values[..count.min(40) as usize].iter().sum::<f32>() + 3.0;
        let from = stream.alloc_from(&values).unwrap();
        let mut to = stream.alloc_from(&[0f32; 2]).unwrap();
        let arguments = KernelArgs::new().read(&from).write(&mut to).value(count);
        // SAFETY: the kernel reads at most 40 numbers and writes one.
        unsafe { module.kernel("sum_float").unwrap().launch(&stream, 1, arguments) }.unwrap();
        assert_eq!(stream.download_vec(&to).unwrap(), [sum.sqrt(), 0.0], "{count}");
        let halves: Vec<f16> = values.iter().copied().map(f16::from_f32).collect();
        let from = stream.alloc_from(&halves).unwrap();
        let mut to = stream.alloc_from(&[f16::ZERO; 2]).unwrap();
        let arguments = KernelArgs::new().read(&from).write(&mut to).value(count);
        // SAFETY: as above.
        unsafe { module.kernel("sum_half").unwrap().launch(&stream, 1, arguments) }.unwrap();
        assert_eq!(stream.download_vec(&to).unwrap(), [f16::from_f32(sum.sqrt()), f16::ZERO], "{count}");
    }
}
