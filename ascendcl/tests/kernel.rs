//! Kernels on the simulated device, against the same arithmetic on the host.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ascendcl::{Device, Error, Kernel, KernelArg, KernelArgs, Module};
use common::{Gate, device};

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

static OBJECT: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/scale.cpp");
    ascendcl_sim_cc::Build::new(FOLDER.path().join("scale.so")).source(source).run().unwrap().output
});

#[derive(Clone, Copy)]
#[repr(C)]
struct Settings {
    count: u32,
    add: i32,
}

// SAFETY: two numbers of 4 bytes, without a gap.
unsafe impl KernelArg for Settings {}

fn scale(device: &Device) -> Kernel {
    Module::load(device, &*OBJECT).unwrap().kernel("scale").unwrap()
}

#[test]
fn every_kind_of_argument_arrives() {
    let device = device(0);
    let stream = device.stream().unwrap();
    let values: Vec<f32> = (0..100).map(|index| index as f32).collect();
    let from = stream.alloc_from(&values).unwrap();
    let mut to = stream.alloc_from(&[0f32; 100]).unwrap();
    let kernel =
        Module::from_bytes(&device, &std::fs::read(&*OBJECT).unwrap()).unwrap().kernel("scale").unwrap();
    let arguments = KernelArgs::new()
        .read(from.slice(10..60).unwrap())
        .write(to.slice_mut(..50).unwrap())
        .value(0.5f32)
        .value(Settings { count: 50, add: -3 })
        .value(4u16);
    assert_eq!(arguments.as_bytes().len(), 30);
    // SAFETY: the kernel reads and writes 50 numbers.
    unsafe { kernel.launch(&stream, 7, arguments) }.unwrap();
    let expected: Vec<f32> =
        (0..100).map(|index| if index < 50 { (index as f32 + 10.0) * 2.0 - 3.0 } else { 0.0 }).collect();
    assert_eq!(stream.download_vec(&to).unwrap(), expected);
}

#[test]
fn buffers_outlive_the_launch_and_streams_are_ordered() {
    let device = device(1);
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let kernel = scale(&device);
    let mut middle = stream.alloc_from(&[0f32; 8]).unwrap();
    let mut to = other.alloc_from(&[0f32; 8]).unwrap();
    let gate = Gate::close(&stream);
    let arguments = |factor| (factor, Settings { count: 8, add: 1 }, 1u16);
    {
        let from = other.alloc_from(&[2f32; 8]).unwrap();
        let (factor, settings, times) = arguments(3f32);
        let arguments =
            KernelArgs::new().read(&from).write(&mut middle).value(factor).value(settings).value(times);
        // SAFETY: the kernel reads and writes 8 numbers.
        unsafe { kernel.launch(&stream, 2, arguments) }.unwrap();
    }
    // Whoever gets the memory of `from` next writes after the kernel has read it.
    let mut next = other.alloc::<f32>(8).unwrap();
    other.fill_bytes(&mut next, 0x77).unwrap();
    drop(gate);
    let (factor, settings, times) = arguments(10f32);
    let arguments = KernelArgs::new().read(&middle).write(&mut to).value(factor).value(settings).value(times);
    // SAFETY: as above.
    unsafe { kernel.launch(&other, 3, arguments) }.unwrap();
    assert_eq!(other.download_vec(&to).unwrap(), [71f32; 8]);
}

#[test]
fn graphs_replay_launches_and_steady_launches_allocate_nothing() {
    let device = device(2);
    let stream = device.stream().unwrap();
    let kernel = scale(&device);
    let from = stream.alloc_from(&[1f32; 4]).unwrap();
    let mut to = stream.alloc_from(&[0f32; 4]).unwrap();
    let mut launch = || {
        let settings = Settings { count: 4, add: 0 };
        let arguments = KernelArgs::new().read(&from).write(&mut to).value(5f32).value(settings).value(1u16);
        // SAFETY: the kernel reads and writes 4 numbers.
        unsafe { kernel.launch(&stream, 1, arguments) }
    };
    let graph = stream.capture(|_| launch()).unwrap();
    let before = device.memory_info().unwrap().free;
    for _ in 0..100 {
        launch().unwrap();
    }
    assert_eq!(device.memory_info().unwrap().free, before);
    stream.fill_bytes(&mut to, 0).unwrap();
    graph.launch(&stream).unwrap();
    assert_eq!(stream.download_vec(&to).unwrap(), [5f32; 4]);
}

#[test]
fn errors_name_the_kernel() {
    let device = device(3);
    let stream = device.stream().unwrap();
    let module = Module::load(&device, &*OBJECT).unwrap();
    let error = module.kernel("other").unwrap_err();
    assert!(error.to_string().contains("\"other\"") && error.to_string().contains("scale"), "{error}");
    assert!(matches!(module.kernel("a\0b"), Err(Error::Shape(_))));
    let kernel = module.kernel("scale").unwrap();
    drop(module);
    // SAFETY: the library refuses the arguments.
    let error = unsafe { kernel.launch(&stream, 1, KernelArgs::new().address(0)) }.unwrap_err();
    assert!(error.to_string().contains("kernel scale"), "{error}");
    let error = Module::load(&device, "/there/is/none.o").unwrap_err();
    assert!(error.to_string().contains("/there/is/none.o"), "{error}");
    let error = Module::from_bytes(&device, b"no object").unwrap_err();
    assert!(error.to_string().contains("sim-cc"), "{error}");
}
