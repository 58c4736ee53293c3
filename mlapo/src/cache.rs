//! The paged cache on the device, which knows its layout.

use ascendcl::{DataType, Format, Stream, Tensor, TensorDesc};

use crate::config::{CacheMode, Config};
use crate::error::{Error, TensorError};
use crate::layout::CacheLayout;

/// The paged cache of one layer: one or two tensors in the layout of the configuration's [`CacheMode`].
///
/// | mode | first cache | second cache |
/// |---|---|---|
/// | [`Combined`](CacheMode::Combined) | `[blocks, block_size, 1, kv_lora_rank + qk_rope_head_dim]` | none |
/// | [`Split`](CacheMode::Split) | `[blocks, block_size, 1, kv_lora_rank]` | `[blocks, block_size, 1, qk_rope_head_dim]` |
/// | [`SplitNzInt8`](CacheMode::SplitNzInt8) | int8 `[blocks, kv_lora_rank / 32, block_size, 32]` | `[blocks, qk_rope_head_dim / 16, block_size, 16]` |
/// | [`SplitNz`](CacheMode::SplitNz) | `[blocks, kv_lora_rank / 16, block_size, 16]` | as above |
///
/// (operator contract of MlaPreprocess, section 1.3). In the FRACTAL_NZ modes the tensors are ND tensors of
/// these physical shapes.
#[derive(Debug)]
pub struct PagedCache {
    mode: CacheMode,
    pub(crate) latent: (CacheLayout, Tensor),
    pub(crate) rotary: Option<(CacheLayout, Tensor)>,
}

impl PagedCache {
    /// A cache of zeros.
    ///
    /// # Errors
    /// [`Error::Tensor`] for no block, empty blocks or a size that does not fit; [`Error::Device`] if the device has
    /// not that much memory.
    pub fn new(
        stream: &Stream,
        config: &Config,
        num_blocks: usize,
        block_size: usize,
    ) -> Result<Self, Error> {
        let (latent, rotary) = Self::layouts(config, num_blocks, block_size)?;
        let zeros =
            |(layout, desc): (CacheLayout, TensorDesc)| Ok::<_, Error>((layout, stream.tensor_zeros(desc)?));
        Ok(Self { mode: config.cache_mode, latent: zeros(latent)?, rotary: rotary.map(zeros).transpose()? })
    }

    /// A cache made of tensors that exist already, in the mode's shapes.
    ///
    /// # Errors
    /// [`Error::Tensor`] with the first tensor whose type, format or shape is not the mode's.
    pub fn from_tensors(
        config: &Config,
        kv_cache: Tensor,
        kv_cache_rope: Option<Tensor>,
    ) -> Result<Self, Error> {
        let [num_blocks, second, third, _] = *kv_cache.desc().shape() else {
            return Err(TensorError {
                tensor: "kv_cache",
                what: "rank",
                expected: "4".into(),
                got: kv_cache.desc().shape().len().to_string(),
            }
            .into());
        };
        let block_size = if config.cache_mode.is_nz() { third } else { second };
        let (latent, rotary) = Self::layouts(config, num_blocks, block_size)?;
        let checked = |tensor, (layout, desc): (CacheLayout, TensorDesc), given: Tensor| {
            check_desc(tensor, &desc, given.desc())?;
            Ok::<_, Error>((layout, given))
        };
        let rotary = match (rotary, kv_cache_rope) {
            (Some(expected), Some(given)) => Some(checked("kv_cache_rope", expected, given)?),
            (None, None) => None,
            (expected, given) => {
                return Err(
                    TensorError::presence("kv_cache_rope", expected.is_some(), given.is_some()).into()
                );
            }
        };
        Ok(Self { mode: config.cache_mode, latent: checked("kv_cache", latent, kv_cache)?, rotary })
    }

    #[expect(clippy::type_complexity, reason = "layout and description of each of the two caches")]
    fn layouts(
        config: &Config,
        num_blocks: usize,
        block_size: usize,
    ) -> Result<((CacheLayout, TensorDesc), Option<(CacheLayout, TensorDesc)>), Error> {
        let dtype = config.dtype.data_type();
        let first = if config.cache_mode == CacheMode::SplitNzInt8 { DataType::Int8 } else { dtype };
        let described = |layout: CacheLayout, dtype| {
            Ok::<_, Error>((layout, TensorDesc::new(dtype, Format::Nd, &layout.shape())?))
        };
        let latent = described(CacheLayout::latent(config, num_blocks, block_size)?, first)?;
        let rotary = CacheLayout::rotary(config, num_blocks, block_size)?;
        Ok((latent, rotary.map(|layout| described(layout, dtype)).transpose()?))
    }

    /// The mode whose layout it has.
    pub fn mode(&self) -> CacheMode {
        self.mode
    }

    /// Rows of the cache: blocks times block size.
    pub fn slots(&self) -> usize {
        self.latent.0.slots()
    }

    /// The first cache, `kv_cache` of the operator's contract.
    pub fn kv_cache(&self) -> &Tensor {
        &self.latent.1
    }

    /// The second cache, `kv_cache_rope`.
    pub fn kv_cache_rope(&self) -> Option<&Tensor> {
        self.rotary.as_ref().map(|(_, tensor)| tensor)
    }

    /// Layout of the first cache.
    pub fn layout(&self) -> &CacheLayout {
        &self.latent.0
    }

    /// Checks that the cache is one for this configuration.
    pub(crate) fn check(&self, config: &Config) -> Result<(), Error> {
        if self.mode != config.cache_mode {
            return Err(TensorError {
                tensor: "kv_cache",
                what: "cache mode",
                expected: format!("{:?}", config.cache_mode),
                got: format!("{:?}", self.mode),
            }
            .into());
        }
        let (layout, tensor) = &self.latent;
        let (latent, rotary) = Self::layouts(config, layout.num_blocks(), layout.block_size())?;
        check_desc("kv_cache", &latent.1, tensor.desc())?;
        if let (Some((_, expected)), Some((_, given))) = (&rotary, &self.rotary) {
            check_desc("kv_cache_rope", expected, given.desc())?;
        }
        Ok(())
    }
}

/// Checks type, format and shape.
pub(crate) fn check_desc(
    tensor: &'static str,
    expected: &TensorDesc,
    got: &TensorDesc,
) -> Result<(), TensorError> {
    let differ = |what, expected: String, got: String| TensorError { tensor, what, expected, got };
    if expected.dtype() != got.dtype() {
        return Err(differ("dtype", format!("{:?}", expected.dtype()), format!("{:?}", got.dtype())));
    }
    if expected.format() != got.format() {
        return Err(differ("format", format!("{:?}", expected.format()), format!("{:?}", got.format())));
    }
    if expected.shape().len() != got.shape().len() {
        return Err(differ("rank", expected.shape().len().to_string(), got.shape().len().to_string()));
    }
    if expected.shape() != got.shape() {
        return Err(differ("shape", format!("{:?}", expected.shape()), format!("{:?}", got.shape())));
    }
    Ok(())
}
