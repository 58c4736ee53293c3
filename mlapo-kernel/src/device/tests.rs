use super::*;

const fn binary(release: &'static str, runtime: &'static str) -> DeviceBinary {
    DeviceBinary {
        arch: ARCH,
        socs: &["Ascend910B3", "Ascend910B4"],
        toolkit_version: release,
        runtime_version: runtime,
        bytes: b"\x7fELF",
        source_hash: "0123",
    }
}

/// Not in the order of their age.
const THREE: [DeviceBinary; 3] =
    [binary("8.5.0", "8.5.0.1.200"), binary("8.1.RC1", "7.7.0.1.238"), binary("9.1.0", "9.1.0")];

fn chosen(soc: &str, runtime: Option<&str>) -> Result<&'static str, NoBinary> {
    select(&THREE, soc, runtime).map(|binary| binary.toolkit_version)
}

#[test]
fn the_newest_that_the_installed_runtime_can_load_is_taken() {
    assert_eq!(chosen("Ascend910B3", Some("7.7.0.5.100")), Ok("8.1.RC1"));
    assert_eq!(chosen("Ascend910B3", Some("8.5.1")), Ok("8.5.0"));
    assert_eq!(chosen("Ascend910B4", Some("9.0.0-beta.1")), Ok("8.5.0"));
    assert_eq!(chosen("Ascend910B4", Some("9.1.0")), Ok("9.1.0"));
    // Numbers are compared, not digits.
    assert_eq!(chosen("Ascend910B4", Some("10.0.0")), Ok("9.1.0"));
}

#[test]
fn the_oldest_is_taken_if_the_installed_version_is_not_known() {
    assert_eq!(chosen("Ascend910B3", None), Ok("8.1.RC1"));
    assert_eq!(chosen("Ascend910B3", Some("nightly")), Ok("8.1.RC1"));
    assert!(!is_comparable("nightly") && !is_comparable("9") && !is_comparable(""));
    assert!(is_comparable("7.7.0.1.238") && is_comparable("9.1.0-beta.1"));
}

#[test]
fn both_remedies_are_told() {
    for error in [chosen("Ascend910_9391", None), chosen("Ascend910B3", Some("7.6.0.1"))] {
        let message = error.unwrap_err().to_string();
        for part in ["`--out DIR`", "MLAPO_KERNEL_ARTIFACTS=DIR", env!("CARGO_PKG_VERSION")] {
            assert!(message.contains(part), "{part} in: {message}");
        }
    }
}

#[test]
fn only_newer_kernels_are_refused_with_both_versions() {
    let error = chosen("Ascend910B3", Some("7.6.0.1")).unwrap_err();
    assert!(matches!(&error, NoBinary::NewerToolkit { installed, .. } if installed == "7.6.0.1"));
    let message = error.to_string();
    for part in ["Ascend910B3", "7.6.0.1", "8.1.RC1 (runtime 7.7.0.1.238)", "build-kernels --soc Ascend910B3"]
    {
        assert!(message.contains(part), "{part} in: {message}");
    }
}

#[test]
fn a_soc_without_a_kernel_is_told_what_is_there_and_the_command() {
    let error = chosen("Ascend910_9391", Some("9.1.0")).unwrap_err();
    assert!(matches!(&error, NoBinary::NotBuilt { embedded, .. } if embedded.len() == 3));
    let message = error.to_string();
    for part in
        ["Ascend910_9391", "dav-2201 by CANN 8.5.0", "`cargo xtask build-kernels --soc Ascend910_9391`"]
    {
        assert!(message.contains(part), "{part} in: {message}");
    }
    let message = select(&[], "Ascend910B1", None).unwrap_err().to_string();
    assert!(message.contains("Ascend910B1") && message.contains("embedded: none"), "{message}");
}

#[test]
fn other_architectures_are_refused_whatever_is_embedded() {
    for soc in ["Ascend310P3", "Ascend950PR_9599", "ascend910b3", ""] {
        let error = chosen(soc, None).unwrap_err();
        assert_eq!(error, NoBinary::UnsupportedSoc { soc: soc.to_owned() });
        let message = error.to_string();
        assert!(message.contains("Ascend910B4-1") && message.contains("Ascend910_9362"), "{message}");
    }
}

#[test]
fn what_is_embedded_is_for_this_architecture_and_not_empty() {
    for binary in device_binaries() {
        assert_eq!(binary.arch, ARCH);
        assert!(binary.socs.iter().all(|soc| SOCS.contains(soc)), "{binary:?}");
        assert!(!binary.bytes.is_empty(), "{binary:?}");
    }
}
