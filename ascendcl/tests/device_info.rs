//! What devices tell about themselves, against what is published about the chip (HARDWARE facts, section 1.1: an
//! Ascend910B3 has 20 cube and 40 vector cores, 64 GB of memory and 192 MiB of L2 cache; an Atlas A2 is architecture
//! 2201, with 192 KiB of unified buffer per vector core). Each test has a device of its own.

mod common;

use std::time::Duration;

use ascendcl::{
    DeviceAttribute, DeviceFeature, DeviceStatus, Error, ErrorKind, MemoryKind, Package, RunMode, sys,
};
use ascendcl_sim::fault::{Fault, inject};
use common::{Gate, device};

const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

#[test]
fn attributes_are_those_of_the_chip() {
    let device = device(0);
    assert_eq!(device.properties().unwrap().soc_name, "Ascend910B3");
    let facts = [
        (DeviceAttribute::AiCores, 20),
        (DeviceAttribute::CubeCores, 20),
        (DeviceAttribute::VectorCores, 40),
        (DeviceAttribute::UnifiedBufferBytes, 196_608),
        (DeviceAttribute::L2Bytes, 201_326_592),
        (DeviceAttribute::PhysicalChip, 0),
        (DeviceAttribute::IsVirtual, 0),
        (DeviceAttribute::Architecture, 2201),
    ];
    for (attribute, expected) in facts {
        assert_eq!(device.attribute(attribute).unwrap(), expected, "{attribute:?}");
    }
    // The system keeps some of the 64 GB for itself.
    let memory = usize::try_from(device.attribute(DeviceAttribute::MemoryBytes).unwrap()).unwrap();
    assert!((60 * GIB..=64 * GIB).contains(&memory), "{memory}");
    assert_eq!(memory, device.properties().unwrap().memory_bytes);
    // A device that is in no super pod has no number there.
    let error = device.attribute(DeviceAttribute::SuperPod).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(!device.supports(DeviceFeature::TaskUpdate).unwrap());
    assert!(!device.supports(DeviceFeature::QueueEventsAcrossDevices).unwrap());
    assert_eq!(device.runtime().run_mode().unwrap(), RunMode::Host);
}

#[test]
fn each_device_has_a_uuid_of_its_own() {
    let [first, second] = [1, 2].map(|id| device(id).uuid().unwrap());
    assert_ne!(first, second);
    assert_eq!(first, device(1).uuid().unwrap());
}

#[test]
fn memory_is_told_by_kind_and_by_component() {
    let device = device(1);
    let stream = device.stream().unwrap();
    let total = device.memory_info().unwrap().total;
    for (kind, page) in [
        (MemoryKind::Normal, 4 << 10),
        (MemoryKind::Huge, 2 * MIB),
        (MemoryKind::Gigantic, GIB),
        (MemoryKind::PeerNormal, 4 << 10),
        (MemoryKind::PeerHuge, 2 * MIB),
        (MemoryKind::PeerGigantic, GIB),
    ] {
        let info = device.memory_info_of(kind).unwrap();
        assert!(info.total > 0 && info.free <= info.total && info.total <= total, "{kind:?}: {info:?}");
        assert_eq!((info.total % page, info.free % page), (0, 0), "{kind:?}: {info:?}");
    }

    let current = || device.memory_usage().unwrap().iter().map(|usage| usage.current_bytes).sum::<u64>();
    let peak = || device.memory_usage().unwrap().iter().map(|usage| usage.peak_bytes).sum::<u64>();
    let (before, huge) = (current(), device.memory_info_of(MemoryKind::Huge).unwrap().free);
    let buffer = stream.alloc::<u8>(GIB).unwrap();
    let growth = usize::try_from(current() - before).unwrap();
    assert!((GIB..=GIB + 4 * MIB).contains(&growth), "{growth}");
    let taken = huge - device.memory_info_of(MemoryKind::Huge).unwrap().free;
    assert!((GIB..=GIB + 4 * MIB).contains(&taken), "{taken}");
    drop(buffer);
    device.trim_pools().unwrap();
    assert_eq!(current(), before);
    assert!(peak() >= before + GIB as u64);
    assert!(device.memory_usage().unwrap().iter().all(|usage| !usage.component.is_empty()));
}

#[test]
fn a_lost_device_has_that_status() {
    let device = device(3);
    assert_eq!(device.status().unwrap(), DeviceStatus::Normal);
    // Nothing runs, and the simulator cannot tell how busy memory is.
    let utilization = device.utilization().unwrap();
    assert_eq!((utilization.cube, utilization.vector, utilization.ai_cpu), (Some(0), Some(0), Some(0)));
    assert_eq!(utilization.memory, None);
    let fault = inject(3, Fault::DeviceLost);
    assert_eq!(device.status().unwrap(), DeviceStatus::Abnormal);
    assert_eq!(device.utilization().unwrap_err().kind(), ErrorKind::DeviceLost);
    drop(fault);
    assert_eq!(device.status().unwrap(), DeviceStatus::Normal);
}

#[test]
fn a_wait_for_a_device_can_end_early() {
    let device = device(2);
    let stream = device.stream().unwrap();
    let gate = Gate::close(&stream);
    let error = device.synchronize_timeout(Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    drop(gate);
    device.synchronize_timeout(Duration::from_secs(600)).unwrap();
    assert!(stream.is_idle().unwrap());
}

#[test]
fn packages_have_versions() {
    let runtime = device(0).runtime().clone();
    let packages = [
        Package::Cann,
        Package::Runtime,
        Package::Compiler,
        Package::Hccl,
        Package::Toolkit,
        Package::Opp,
        Package::OppKernel,
        Package::Driver,
    ];
    for package in packages {
        let version = runtime.package_version(package).unwrap();
        // The simulator has the interface of CANN 9.1.
        assert_eq!((version.major.as_str(), version.minor.as_str()), ("9", "1"), "{package:?}");
        assert!(version.full.starts_with("9.1."), "{version:?}");
    }
    assert_eq!(runtime.package_version_text("runtime").unwrap(), "9.1.0");
    // As the AscendCL docs count: 9.1.0 is newer than any 9.0 and older than any 9.2.
    let number = runtime.package_version_number("runtime").unwrap();
    assert!((90_100_000..90_200_000).contains(&number), "{number}");
    let error = runtime.package_version_text("run\0time").unwrap_err();
    assert!(matches!(error, Error::Shape(_)), "{error}");
    assert_eq!(runtime.package_version_number("").unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn the_last_error_of_a_thread_is_kept_until_it_is_taken() {
    let device = device(0);
    let runtime = device.runtime();
    runtime.take_last_error().unwrap();
    assert_eq!(runtime.peek_last_error().unwrap(), None);
    assert_eq!(device.can_access_peer(&device).unwrap_err().kind(), ErrorKind::InvalidArgument);
    for answer in [runtime.peek_last_error(), runtime.take_last_error()] {
        assert_eq!(answer.unwrap().unwrap().code, sys::ACL_ERROR_INVALID_PARAM);
    }
    assert_eq!(runtime.take_last_error().unwrap(), None);
    std::thread::scope(|scope| {
        device.can_access_peer(&device).unwrap_err();
        scope.spawn(|| assert_eq!(runtime.take_last_error().unwrap(), None));
    });
}
