//! Settings of devices, on a chip with 24 cube and 48 vector cores (HARDWARE facts, section 1.1: Ascend910B1). Each test
//! has a device of its own.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ascendcl::{Backend, Device, ErrorKind, Limit, OverflowMode, Runtime, SystemParameter};

fn device(id: i32) -> Device {
    let config = ascendcl_sim::SimConfig { devices: 4, soc: "Ascend910B1".into(), ..Default::default() };
    let _ = ascendcl_sim::configure(config);
    Runtime::with_backend(Backend::Sim).unwrap().device(id).unwrap()
}

#[test]
fn limits_are_those_of_the_chip_until_they_are_set() {
    let device = device(0);
    let limits = || [Limit::CubeCores, Limit::VectorCores].map(|limit| device.limit(limit).unwrap());
    assert_eq!(limits(), [24, 48]);
    device.set_limit(Limit::VectorCores, 7).unwrap();
    assert_eq!(limits(), [24, 7]);
    for impossible in [0, 49, u32::MAX] {
        let error = device.set_limit(Limit::VectorCores, impossible).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    device.set_limit(Limit::CubeCores, 24).unwrap();
    device.set_limit(Limit::CubeCores, 1).unwrap();
    assert_eq!(limits(), [1, 7]);
    device.reset_limits().unwrap();
    assert_eq!(limits(), [24, 48]);
}

#[test]
fn the_overflow_mode_can_be_chosen() {
    let device = device(1);
    for mode in [OverflowMode::Saturation, OverflowMode::InfNan, OverflowMode::Saturation] {
        device.set_overflow_mode(mode).unwrap();
        assert_eq!(device.overflow_mode().unwrap(), mode);
    }
}

#[test]
fn system_parameters_are_kept_by_scope() {
    let [device, other] = [device(2), device(3)];
    let runtime = device.runtime();
    let parameters =
        [SystemParameter::Deterministic, SystemParameter::DebugKernel, SystemParameter::StrongConsistency];
    for parameter in parameters {
        assert_eq!(device.system_parameter(parameter).unwrap(), None);
        assert_eq!(runtime.system_parameter(parameter).unwrap(), None);
        device.set_system_parameter(parameter, 1).unwrap();
        assert_eq!(device.system_parameter(parameter).unwrap(), Some(1));
        assert_eq!(other.system_parameter(parameter).unwrap(), None);
        assert_eq!(runtime.system_parameter(parameter).unwrap(), None);
        runtime.set_system_parameter(parameter, 0).unwrap();
        assert_eq!(runtime.system_parameter(parameter).unwrap(), Some(0));
        assert_eq!(device.system_parameter(parameter).unwrap(), Some(1));
    }
}

#[test]
fn peers_are_let_in_and_out() {
    let [device, peer] = [device(1), device(2)];
    assert!(device.can_access_peer(&peer).unwrap());
    device.enable_peer_access(&peer).unwrap();
    device.disable_peer_access(&peer).unwrap();
    // It is not mutual, and ends once.
    for result in [
        peer.disable_peer_access(&device),
        device.disable_peer_access(&peer),
        device.enable_peer_access(&device),
        device.can_access_peer(&device).map(drop),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
