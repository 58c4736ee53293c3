//! The launch of the kernel.

use ascendcl::{DeviceSlice, Element, KernelArg, KernelArgs, LaunchConfig, ScheduleMode, Stream};
use mlapo_kernel::Tiling;

use super::{KernelBackend, not_for_the_kernel, shape};
use crate::cache::PagedCache;
use crate::config::Config;
use crate::error::Error;
use crate::operation::{Input, Output};

/// [`Tiling`] as an argument of a launch.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct TilingArg(Tiling);

// SAFETY: `Tiling` is `bytemuck::Pod`, so it has no padding, and the kernel's header declares the same structure.
unsafe impl KernelArg for TilingArg {}

impl KernelBackend {
    /// One launch: the token rows `first .. first + count`.
    #[expect(clippy::too_many_arguments, reason = "a call's arguments, and which rows of them")]
    pub(super) fn launch(
        &mut self,
        stream: &Stream,
        config: &Config,
        first: usize,
        count: usize,
        input: &Input<'_>,
        cache: &mut PagedCache,
        output: &mut Output,
    ) -> Result<(), Error> {
        let block_size = cache.layout().block_size();
        let shape = shape(config, count, block_size, &self.prepared);
        let tiling = Tiling::plan(&shape, self.cube_cores).map_err(not_for_the_kernel)?;
        let workspace = self.workspace.reserve(stream, tiling.workspace_bytes as usize)?;
        let weights = &self.weights;
        // Each token has as many bytes of a tensor as all tokens have, divided by their number.
        let rows = |tensor: &ascendcl::Tensor| {
            let row = tensor.buffer().len() / input.slot_mapping.slots().len().max(1);
            first * row..(first + count) * row
        };
        let q_out0 = rows(&output.q_out0);
        let q_out1 = output.q_out1.as_ref().map(&rows);
        let slots = input.slot_mapping.tensor();
        let arguments = KernelArgs::new()
            .read(input.hidden.buffer().slice(rows(input.hidden))?)
            .optional(weights.gamma0.as_ref())
            .optional(weights.beta0.as_ref())
            .read(&weights.wdqkv)
            .read(&weights.descale0)
            .optional(weights.bias0.as_ref())
            .read(&weights.gamma1)
            .read(&weights.beta1)
            .read(&weights.wuq)
            .read(&weights.descale1)
            .optional(weights.bias1.as_ref())
            .read(&weights.gamma2)
            .read(input.cos.buffer().slice(rows(input.cos))?)
            .read(input.sin.buffer().slice(rows(input.sin))?)
            .read(&weights.wuk)
            .optional(weights.q_nope_scale.as_ref())
            .read(slots.buffer().slice(rows(slots))?)
            .write(cache.latent.1.buffer_mut());
        let arguments = match &mut cache.rotary {
            Some((_, tensor)) => arguments.write(tensor.buffer_mut()),
            None => arguments.address(0),
        };
        let arguments = arguments.write(output.q_out0.buffer_mut().slice_mut(q_out0)?);
        let arguments = match (&mut output.q_out1, q_out1) {
            (Some(tensor), Some(range)) => arguments.write(tensor.buffer_mut().slice_mut(range)?),
            _ => arguments.address(0),
        };
        let arguments = arguments.write(workspace).value(TilingArg(tiling));
        // Cores wait for each other: a launch on another stream must not get between them.
        let together = LaunchConfig::new().schedule(ScheduleMode::Batch);
        // SAFETY: the arguments are the kernel's, in its order. Every tensor has the shape of the configuration, which
        // was checked, and the tiling is of the same shape, so the kernel stays within them; slots are within the cache.
        unsafe { self.kernel.launch_with(stream, tiling.blocks, arguments, &together) }?;
        Ok(())
    }
}

/// Arguments that a mode may lack.
trait Optional<'a> {
    /// The address of memory that is read, or null.
    fn optional<T: Element, M: Into<DeviceSlice<'a, T>>>(self, memory: Option<M>) -> Self;
}

impl<'a> Optional<'a> for KernelArgs<'a> {
    fn optional<T: Element, M: Into<DeviceSlice<'a, T>>>(self, memory: Option<M>) -> Self {
        match memory {
            Some(memory) => self.read(memory),
            None => self.address(0),
        }
    }
}
