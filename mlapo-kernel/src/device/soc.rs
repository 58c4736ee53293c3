//! The devices that the kernel is for.

/// The NPU architecture of the kernel's source, as the compiler calls it.
pub const ARCH: &str = "dav-2201";

/// The SoCs of that architecture, as `aclrtGetSocName` calls them: Atlas A2, then Atlas A3.
pub const SOCS: [&str; 12] = [
    "Ascend910B1",
    "Ascend910B2",
    "Ascend910B2C",
    "Ascend910B3",
    "Ascend910B4",
    "Ascend910B4-1",
    "Ascend910_9391",
    "Ascend910_9392",
    "Ascend910_9381",
    "Ascend910_9382",
    "Ascend910_9372",
    "Ascend910_9362",
];
