//! The ways to load and launch kernels, and what can be asked of them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use ascendcl::{
    Device, Engine, Error, KernelArgs, KernelCores, LaunchConfig, Module, PreparedLaunch, ScheduleMode,
    Stream,
};
use common::{Gate, device};

/// The kernels write `first[i] * factor + second[i]`, and the second table backwards.
const SOURCE: &str = r#"
#include "ascendc_model/core.h"

extern "C" __global__ void combine_7(const float* first, uint16_t count, const float* second, float factor, float* to)
{
    const auto* view = AscendCModel::current.view;
    for (uint32_t i = view->block_idx; i < count; i += view->block_num) {
        to[i] = first[i] * factor + second[i];
    }
}

extern "C" __global__ void combine_back_8(
    const float* first, uint16_t count, const float* second, float factor, float* to)
{
    const auto* view = AscendCModel::current.view;
    for (uint32_t i = view->block_idx; i < count; i += view->block_num) {
        to[i] = first[i] * factor + second[count - 1 - i];
    }
}
"#;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

static OBJECT: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = FOLDER.path().join("combine.cpp");
    std::fs::write(&source, SOURCE).unwrap();
    ascendcl_sim_cc::Build::new(FOLDER.path().join("combine.so")).source(source).run().unwrap().output
});

const FIRST: [f32; 3] = [1.0, 2.0, 3.0];
const SECOND: [f32; 3] = [10.0, 20.0, 30.0];

fn set_up(number: i32) -> (Device, Stream, Module) {
    let device = device(number);
    let stream = device.stream().unwrap();
    let module = Module::load(&device, &*OBJECT).unwrap();
    (device, stream, module)
}

#[test]
fn kernels_are_found_by_entry_and_say_what_they_are() {
    let (_device, _stream, module) = set_up(0);
    let kernel = module.kernel_by_entry(8).unwrap();
    assert_eq!((kernel.name(), kernel.function_name().unwrap().as_str()), ("entry 8", "combine_back_8"));
    assert!(matches!(module.kernel_by_entry(9), Err(Error::Acl(_))));
    let other = module.kernel("combine_7").unwrap();
    let addresses = kernel.addresses().unwrap();
    assert_ne!(addresses, other.addresses().unwrap());
    let (cube, vector) = kernel.cube_and_vector_cores().unwrap();
    let cores = kernel.cores().unwrap();
    // What is told in three ways agrees.
    assert_eq!(addresses.cube.is_some(), cube > 0);
    assert_eq!(addresses.vector.is_some(), vector > 0);
    assert_eq!(cores == KernelCores::Mix, cube > 0 && vector > 0);
    assert_eq!(kernel.schedule_mode().unwrap(), ScheduleMode::Batch);
}

#[test]
fn data_travels_with_the_arguments() {
    let (_device, stream, module) = set_up(1);
    let kernel = module.kernel("combine_7").unwrap();
    let mut to = stream.alloc_from(&[0f32; 3]).unwrap();
    let gate = Gate::close(&stream);
    {
        let (first, second) = (FIRST.to_vec(), SECOND.to_vec());
        let arguments = KernelArgs::new().data(&first).value(3u16).data(&second).value(2f32).write(&mut to);
        assert_eq!(arguments.as_bytes().len(), 40);
        // SAFETY: the kernel reads 3 numbers twice, and writes as many.
        unsafe { kernel.launch(&stream, 2, arguments) }.unwrap();
        // The values are the program's again when nothing has run yet.
    }
    drop(gate);
    assert_eq!(stream.download_vec(&to).unwrap(), [12.0, 24.0, 36.0]);
    let arguments = KernelArgs::new().data::<f32>(&[]).value(0u16).data(&SECOND).value(2f32).write(&mut to);
    // SAFETY: the kernel reads and writes nothing.
    unsafe { kernel.launch(&stream, 1, arguments) }.unwrap();
    stream.synchronize().unwrap();
    let arguments = || KernelArgs::new().data(&FIRST).value(3u16);
    assert!(matches!(kernel.prepare(arguments()), Err(Error::Shape(_))));
    assert!(matches!(kernel.prepare(KernelArgs::new()), Err(Error::Shape(_))));
    // SAFETY: nothing is launched.
    let error = unsafe { kernel.launch_each(&stream, 1, arguments(), &LaunchConfig::new()) }.unwrap_err();
    assert!(matches!(error, Error::Shape(_)));
}

#[test]
fn a_prepared_launch_is_updated_between_launches() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let (_device, stream, module) = set_up(2);
    let mut to = stream.alloc_from(&[0f32; 3]).unwrap();
    let [first, second] = [FIRST, SECOND].map(|values| stream.alloc_from(&values).unwrap());
    let mut all: Vec<PreparedLaunch> = ["combine_7", "combine_back_8"]
        .map(|name| {
            let arguments =
                KernelArgs::new().read(&first).value(3u16).read(&second).value(0f32).write(&mut to);
            module.kernel(name).unwrap().prepare(arguments).unwrap()
        })
        .into();
    // Prepared launches keep what they need.
    drop(module);
    is_send_and_sync(&all);
    let config = LaunchConfig::new();
    for factor in [0f32, 1.0, 5.0] {
        for (back, prepared) in all.iter_mut().enumerate() {
            prepared.update(3, factor).unwrap();
            let memory = [first.read(), second.read(), to.write()];
            // SAFETY: the kernel reads 3 numbers twice, and writes as many.
            unsafe { prepared.launch(&stream, 2, memory, &config) }.unwrap();
            // Not for the launch that is queued.
            prepared.update(3, 77f32).unwrap();
            let expected: [f32; 3] =
                std::array::from_fn(|i| FIRST[i] * factor + SECOND[if back == 1 { 2 - i } else { i }]);
            assert_eq!(stream.download_vec(&to).unwrap(), expected);
        }
    }
    let prepared = &mut all[0];
    prepared.update(3, 1f32).unwrap();
    prepared.update(2, first.as_device_ptr().addr() as u64).unwrap();
    // SAFETY: as above.
    unsafe { prepared.launch(&stream, 1, [first.read(), to.write()], &config) }.unwrap();
    assert_eq!(stream.download_vec(&to).unwrap(), [2.0, 4.0, 6.0]);
    let error = prepared.update(5, 1u64).unwrap_err();
    assert!(matches!(&error, Error::Shape(_)) && error.to_string().contains("below 5"), "{error}");
    let error = prepared.update(1, 1u32).unwrap_err();
    assert!(error.to_string().contains("2 bytes for argument 1"), "{error}");
}

#[test]
fn prepared_memory_is_in_order_and_outlives_the_launch() {
    let (device, stream, module) = set_up(3);
    let other = device.stream().unwrap();
    let mut to = other.alloc_from(&[0f32; 3]).unwrap();
    let first = other.alloc_from(&FIRST).unwrap();
    let second = other.alloc_from(&SECOND).unwrap();
    let arguments = KernelArgs::new().read(&first).value(3u16).read(&second).value(1f32).write(&mut to);
    let mut prepared = module.kernel("combine_7").unwrap().prepare(arguments).unwrap();
    let gate = Gate::close(&stream);
    let memory = [first.read(), second.read(), to.write()];
    // SAFETY: the kernel reads 3 numbers twice, and writes as many.
    unsafe { prepared.launch(&stream, 1, memory, &LaunchConfig::new()) }.unwrap();
    drop(first);
    let mut next = other.alloc::<f32>(3).unwrap();
    other.fill_bytes(&mut next, 0x77).unwrap();
    drop((prepared, gate));
    assert_eq!(other.download_vec(&to).unwrap(), [11.0, 22.0, 33.0]);
}

#[test]
fn every_way_to_launch_computes_the_same_with_options() {
    let (device, stream, _) = set_up(0);
    let module = Module::from_bytes_plain(&device, &std::fs::read(&*OBJECT).unwrap()).unwrap();
    let kernel = module.kernel("combine_7").unwrap();
    let mut to = stream.alloc_from(&[0f32; 3]).unwrap();
    let [first, second] = [FIRST, SECOND].map(|values| stream.alloc_from(&values).unwrap());
    let options = LaunchConfig::new()
        .schedule(ScheduleMode::Normal)
        .engine(Engine::AiCore)
        .block_offset(0)
        .dynamic_buffer(0)
        .prefetch(false)
        .dump(false)
        .timeout(Duration::from_secs(60))
        .profiling(false);
    let configs = [
        LaunchConfig::new(),
        options,
        LaunchConfig::new().timeout(Duration::from_micros(90_000_001)),
        LaunchConfig::new().timeout(Duration::MAX),
    ];
    for config in &configs {
        for way in 0..3 {
            stream.fill_bytes(&mut to, 0).unwrap();
            let address = to.as_device_ptr().addr() as u64;
            let arguments =
                KernelArgs::new().read(&first).value(3u16).read(&second).value(3f32).address(address);
            let packed = stream.alloc_from(arguments.as_bytes()).unwrap();
            let arguments = arguments.touches(to.write());
            // SAFETY: the kernel reads 3 numbers twice, and writes as many.
            unsafe {
                match way {
                    0 => kernel.launch_with(&stream, 2, arguments, config),
                    1 => kernel.launch_each(&stream, 2, arguments, config),
                    _ => {
                        let memory = [first.read(), second.read(), to.write()];
                        kernel.launch_on_device_args(&stream, 2, &packed, memory, config)
                    }
                }
            }
            .unwrap();
            drop(packed);
            assert_eq!(stream.download_vec(&to).unwrap(), [13.0, 26.0, 39.0], "way {way}, {config:?}");
        }
    }
    // An option that the simulated device has not is told, with the kernel's name, by each.
    let refused = LaunchConfig::new().block_offset(2);
    let packed = stream.alloc_from(&[0u8; 40]).unwrap();
    for way in 0..3 {
        let arguments = KernelArgs::new().address(0).value(0u16).address(0).value(3f32).address(0);
        // SAFETY: the library refuses the options.
        let error = unsafe {
            match way {
                0 => kernel.launch_with(&stream, 2, arguments, &refused),
                1 => kernel.launch_each(&stream, 2, arguments, &refused),
                _ => kernel.launch_on_device_args(&stream, 2, &packed, [], &refused),
            }
        }
        .unwrap_err();
        assert!(error.to_string().contains("kernel combine_7"), "{error}");
    }
    let error = Module::from_bytes_plain(&device, b"no object").unwrap_err();
    assert!(error.to_string().contains("sim-cc"), "{error}");
    assert!(matches!(Module::from_bytes_plain(&device, &[]), Err(Error::Acl(_))));
}
