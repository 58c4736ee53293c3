//! How launches are to run, beyond their blocks and arguments.

use std::time::Duration;

/// When the blocks of a kernel start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScheduleMode {
    /// Each as soon as a core is free.
    Normal,
    /// All at once, when there are cores for all.
    Batch,
}

/// The cores that a launch is for, on the devices that let one choose (`aclrtEngineType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The AI cores (`ACL_RT_ENGINE_TYPE_AIC`).
    AiCore,
    /// The vector cores (`ACL_RT_ENGINE_TYPE_AIV`).
    VectorCore,
}

/// Options of a launch (`aclrtLaunchKernelCfg`). What is not said is the library's own choice.
///
/// CANN 8.1 knows the schedule mode alone; a library refuses what it does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchConfig {
    pub(crate) schedule: Option<ScheduleMode>,
    pub(crate) dynamic_buffer: Option<u32>,
    pub(crate) engine: Option<Engine>,
    pub(crate) block_offset: Option<u32>,
    pub(crate) prefetch: Option<bool>,
    pub(crate) dump: Option<bool>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) profiling: Option<bool>,
}

impl LaunchConfig {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// When the blocks start (`ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE`).
    #[must_use]
    pub fn schedule(mut self, mode: ScheduleMode) -> Self {
        self.schedule = Some(mode);
        self
    }

    /// Bytes of the unified buffer that a kernel of threads (SIMT) asks for beyond what it was compiled with
    /// (`ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE`, since 9.1).
    #[must_use]
    pub fn dynamic_buffer(mut self, bytes: u32) -> Self {
        self.dynamic_buffer = Some(bytes);
        self
    }

    /// The cores to run on (`ACL_RT_LAUNCH_KERNEL_ATTR_ENGINE_TYPE`, since 9.1; inference devices only).
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// The number of the first block, when a kernel is launched in two parts on two engines
    /// (`ACL_RT_LAUNCH_KERNEL_ATTR_BLOCKDIM_OFFSET`, since 9.1; inference devices only).
    #[must_use]
    pub fn block_offset(mut self, first: u32) -> Self {
        self.block_offset = Some(first);
        self
    }

    /// Whether the hardware may fetch what it needs of the launch ahead of its turn
    /// (`ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH`, since 9.1, which says the opposite).
    #[must_use]
    pub fn prefetch(mut self, allowed: bool) -> Self {
        self.prefetch = Some(allowed);
        self
    }

    /// Whether the operands are dumped (`ACL_RT_LAUNCH_KERNEL_ATTR_DATA_DUMP`, since 9.1).
    #[must_use]
    pub fn dump(mut self, dump: bool) -> Self {
        self.dump = Some(dump);
        self
    }

    /// How long the kernel may run (`ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT` for whole seconds, else
    /// `ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT_US`, since 9.1): a microsecond at least, as 0 means no limit to the library;
    /// [`Duration::MAX`] is no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether the launch is profiled (`ACL_RT_LAUNCH_KERNEL_ATTR_ENABLE_PROFILING`, since 9.1).
    #[must_use]
    pub fn profiling(mut self, enabled: bool) -> Self {
        self.profiling = Some(enabled);
        self
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use std::ffi::{CStr, c_void};
    use std::path::Path;
    use std::ptr::NonNull;

    use ascendcl_sys::Library;

    use super::*;
    use crate::backend::Opened;
    use crate::device::Device;
    use crate::error::Error;
    use crate::kernel::KernelArgs;
    use crate::module::Module;
    use crate::raw::Acl;
    use crate::runtime::Runtime;

    /// The simulator as an older library: without the functions that CANN 9.1 brought.
    fn resolve_8_1(name: &CStr) -> Option<NonNull<c_void>> {
        let newer = [
            c"aclrtBinaryLoadFromData",
            c"aclrtGetFunctionName",
            c"aclrtGetFunctionAttribute",
            c"aclrtLaunchKernelV2",
            c"aclrtLaunchKernelWithHostArgs",
            c"aclrtLaunchKernelWithArgsArray",
        ];
        if newer.contains(&name) { None } else { ascendcl_sim::resolve(name) }
    }

    fn missing(result: Result<impl std::fmt::Debug, Error>) -> &'static str {
        match result {
            Err(Error::MissingSymbol(missing)) if missing.since == "9.1" => missing.name,
            other => panic!("not a missing symbol of CANN 9.1: {other:?}"),
        }
    }

    #[test]
    fn an_older_library_takes_data_in_lists_and_says_what_it_lacks() {
        // SAFETY: the simulator's functions have the signatures of their names.
        let acl = Acl { functions: unsafe { Library::from_resolver("CANN 8.1", resolve_8_1) } };
        let initialised_here = acl.init().unwrap();
        let runtime = Runtime::of_library(Opened { acl, initialised_here }, crate::BackendKind::Sim);
        let device = Device::open(runtime, 0).unwrap();
        let stream = device.stream().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/scale.cpp");
        let object =
            ascendcl_sim_cc::Build::new(folder.path().join("scale.so")).source(source).run().unwrap();
        let kernel =
            Module::from_bytes(&device, &std::fs::read(object.output).unwrap()).unwrap().kernel("scale");
        let kernel = kernel.unwrap();
        assert_eq!(missing(kernel.function_name()), "aclrtGetFunctionName");
        assert_eq!(missing(kernel.cores()), "aclrtGetFunctionAttribute");

        let mut to = stream.alloc_from(&[0f32; 3]).unwrap();
        for round in 0..3u8 {
            let values = [1f32, 2.0, f32::from(round)];
            let arguments = KernelArgs::new().data(&values).write(&mut to).value(10f32);
            let arguments = arguments.value(3u32).value(1i32).value(2u16);
            // SAFETY: the kernel reads and writes 3 numbers.
            unsafe { kernel.launch(&stream, 2, arguments) }.unwrap();
            assert_eq!(stream.download_vec(&to).unwrap(), values.map(|value| value * 20.0 + 1.0));
        }

        let from = stream.alloc_from(&[1f32; 3]).unwrap();
        let address = to.as_device_ptr().addr() as u64;
        let arguments = || {
            let arguments = KernelArgs::new().read(&from).address(address).value(1f32);
            arguments.value(3u32).value(0i32).value(1u16)
        };
        let packed = stream.alloc_from(arguments().as_bytes()).unwrap();
        let (plain, batch) = (LaunchConfig::new(), LaunchConfig::new().schedule(ScheduleMode::Batch));
        // SAFETY: nothing is launched by functions that are not there; otherwise as above.
        unsafe {
            let launched = kernel.launch_each(&stream, 1, arguments(), &plain);
            assert_eq!(missing(launched), "aclrtLaunchKernelWithArgsArray");
            let launched = kernel.launch_on_device_args(&stream, 1, &packed, [from.read()], &batch);
            assert_eq!(missing(launched), "aclrtLaunchKernelV2");
            kernel.launch_with(&stream, 1, arguments().touches(to.write()), &batch).unwrap();
        }
        assert_eq!(stream.download_vec(&to).unwrap(), [1f32; 3]);
        stream.fill_bytes(&mut to, 0).unwrap();
        let touched = [from.read(), to.write()];
        // SAFETY: as above.
        unsafe { kernel.launch_on_device_args(&stream, 1, &packed, touched, &plain) }.unwrap();
        assert_eq!(stream.download_vec(&to).unwrap(), [1f32; 3]);
    }
}
