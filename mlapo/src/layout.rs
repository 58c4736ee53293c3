//! Where elements are in the paged caches (operator contract, section 1.3; golden specification, section 5).

use std::ops::Range;

use crate::config::{CacheMode, Config};
use crate::error::TensorError;

/// Bytes of the innermost dimension of a FRACTAL_NZ cache.
const NZ_COLUMN_BYTES: usize = 32;

/// One paged cache: `num_blocks` blocks of `block_size` rows of `width` elements, found by slot.
///
/// Slot `s` is row `s % block_size` of block `s / block_size`. An ND cache is `[num_blocks, block_size, 1, width]`; a
/// FRACTAL_NZ one is `[num_blocks, width / c0, block_size, c0]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLayout {
    num_blocks: usize,
    block_size: usize,
    width: usize,
    // In ND the whole row is one column of blocks, so `c0 == width` makes one formula serve both.
    c0: usize,
    nz: bool,
}

impl CacheLayout {
    /// The first cache: the latent, followed by the rotary key in [`CacheMode::Combined`].
    ///
    /// # Errors
    /// [`TensorError`] for `kv_cache` when a dimension is zero or the cache does not fit the address space.
    pub fn latent(config: &Config, num_blocks: usize, block_size: usize) -> Result<Self, TensorError> {
        let (width, c0) = match config.cache_mode {
            CacheMode::Combined => (config.kv_width(), config.kv_width()),
            CacheMode::Split => (config.kv_lora_rank, config.kv_lora_rank),
            CacheMode::SplitNzInt8 => (config.kv_lora_rank, NZ_COLUMN_BYTES),
            CacheMode::SplitNz => (config.kv_lora_rank, NZ_COLUMN_BYTES / 2),
        };
        Self { num_blocks, block_size, width, c0, nz: config.cache_mode.is_nz() }.checked("kv_cache")
    }

    /// The second cache, of rotary keys; `None` in [`CacheMode::Combined`].
    ///
    /// # Errors
    /// [`TensorError`] for `kv_cache_rope` when a dimension is zero or the cache does not fit the address space.
    pub fn rotary(
        config: &Config,
        num_blocks: usize,
        block_size: usize,
    ) -> Result<Option<Self>, TensorError> {
        if config.cache_mode == CacheMode::Combined {
            return Ok(None);
        }
        let (width, nz) = (config.qk_rope_head_dim, config.cache_mode.is_nz());
        let c0 = if nz { NZ_COLUMN_BYTES / 2 } else { width };
        Self { num_blocks, block_size, width, c0, nz }.checked("kv_cache_rope").map(Some)
    }

    fn checked(self, tensor: &'static str) -> Result<Self, TensorError> {
        let fits = checked_product(&[self.num_blocks, self.block_size, self.width])
            .is_some_and(|elements| isize::try_from(elements).is_ok());
        if self.num_blocks == 0 || self.block_size == 0 || !fits {
            return Err(TensorError {
                tensor,
                what: "shape",
                expected: "at least one block of at least one row, fitting the address space".into(),
                got: format!("{} blocks of {} rows", self.num_blocks, self.block_size),
            });
        }
        Ok(self)
    }

    /// Shape of the tensor.
    pub const fn shape(&self) -> [usize; 4] {
        if self.nz {
            [self.num_blocks, self.width / self.c0, self.block_size, self.c0]
        } else {
            [self.num_blocks, self.block_size, 1, self.width]
        }
    }

    /// Elements of a row.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Rows of a block.
    pub const fn block_size(&self) -> usize {
        self.block_size
    }

    /// Number of blocks.
    pub const fn num_blocks(&self) -> usize {
        self.num_blocks
    }

    /// Rows of the whole cache.
    pub const fn slots(&self) -> usize {
        self.num_blocks * self.block_size
    }

    /// Elements of the whole cache; never zero.
    #[expect(clippy::len_without_is_empty, reason = "a layout has at least one element")]
    pub const fn len(&self) -> usize {
        self.slots() * self.width
    }

    /// Position of an element of a row.
    ///
    /// `slot` must be below [`slots`](Self::slots) and `column` below [`width`](Self::width); other arguments give a
    /// position without meaning.
    pub const fn offset(&self, slot: usize, column: usize) -> usize {
        let (block, row) = (slot / self.block_size, slot % self.block_size);
        ((block * (self.width / self.c0) + column / self.c0) * self.block_size + row) * self.c0
            + column % self.c0
    }

    /// Length of each piece of [`runs`](Self::runs).
    pub const fn run_len(&self) -> usize {
        self.c0
    }

    /// The contiguous pieces of a row in column order, all of the same length: one in ND, `width / c0` in FRACTAL_NZ.
    pub fn runs(&self, slot: usize) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let (start, c0) = (self.offset(slot, 0), self.c0);
        let step = self.block_size * c0;
        (0..self.width / c0).map(move |i| start + i * step..start + i * step + c0)
    }
}

fn checked_product(factors: &[usize]) -> Option<usize> {
    factors.iter().try_fold(1usize, |product, factor| product.checked_mul(*factor))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(mode: CacheMode, latent: usize, rope: usize) -> Config {
        Config::builder().cache_mode(mode).kv_lora_rank(latent).qk_rope_head_dim(rope).build().unwrap()
    }

    const MODES: [CacheMode; 4] =
        [CacheMode::Combined, CacheMode::Split, CacheMode::SplitNzInt8, CacheMode::SplitNz];

    proptest! {
        /// The formulas of the golden specification, section 5, and that rows are disjoint and cover the cache.
        #[test]
        fn cache_rows_follow_the_specification(
            mode in 0usize..4, blocks in 1usize..5, bs in 1usize..40, latent in 1usize..5, rope in 1usize..5,
        ) {
            let config = config(MODES[mode], latent * 32, rope * 16);
            let first = CacheLayout::latent(&config, blocks, bs).unwrap();
            let second = CacheLayout::rotary(&config, blocks, bs).unwrap();
            prop_assert_eq!(second.is_none(), mode == 0);
            for (layout, int8) in [Some((first, mode == 2)), second.map(|s| (s, false))].into_iter().flatten() {
                let width = layout.width();
                let c0 = if int8 { 32 } else { 16 };
                let mut seen = vec![false; layout.len()];
                prop_assert_eq!(layout.shape().iter().product::<usize>(), layout.len());
                for slot in 0..layout.slots() {
                    let (block, row) = (slot / bs, slot % bs);
                    let positions: Vec<usize> = layout.runs(slot).flatten().collect();
                    prop_assert_eq!(positions.len(), width);
                    prop_assert_eq!(layout.runs(slot).len(), if mode < 2 { 1 } else { width / c0 });
                    for (c, position) in positions.into_iter().enumerate() {
                        let expected = if mode < 2 {
                            slot * width + c
                        } else {
                            ((block * (width / c0) + c / c0) * bs + row) * c0 + c % c0
                        };
                        prop_assert_eq!(position, expected);
                        prop_assert_eq!(layout.offset(slot, c), expected);
                        prop_assert!(!std::mem::replace(&mut seen[position], true));
                    }
                }
                prop_assert!(seen.into_iter().all(|s| s));
            }
        }
    }

    #[test]
    fn addresses_are_64_bit() {
        let config = config(CacheMode::SplitNz, 512, 64);
        let layout = CacheLayout::latent(&config, 100_000, 128).unwrap();
        assert_eq!(layout.offset(70_000 * 128 + 5, 17), 70_000 * 128 * 512 + 128 * 16 + 5 * 16 + 1);
        assert_eq!(layout.shape(), [100_000, 32, 128, 16]);
    }

    #[test]
    fn impossible_caches_are_refused() {
        let config = config(CacheMode::Split, 512, 64);
        for (blocks, size) in [(0, 128), (2, 0), (usize::MAX, 2), (usize::MAX / 512, 1)] {
            let error = CacheLayout::latent(&config, blocks, size).unwrap_err();
            assert_eq!(error.tensor, "kv_cache");
        }
    }
}
