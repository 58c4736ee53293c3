//! Weights that come in FRACTAL_NZ, as the published operator takes them.

use super::Weights;
use crate::config::Config;
use crate::error::{Error, TensorError};

impl Weights {
    /// Takes `wdqkv` and `wuq` from their FRACTAL_NZ storage, `[hidden_size / 32, down_rows, 32]` and
    /// `[q_lora_rank / 32, up_rows, 32]` (rows padded to a multiple of 16).
    ///
    /// # Errors
    /// [`Error::Tensor`] if a length is not that of the storage.
    pub fn set_projections_nz(&mut self, config: &Config, wdqkv: &[i8], wuq: &[i8]) -> Result<(), Error> {
        let down = from_nz("wdqkv", wdqkv, 1, config.down_rows(), config.hidden_size)?;
        self.up.weight = from_nz("wuq", wuq, 1, config.up_rows(), config.q_lora_rank)?;
        self.down.weight = down;
        Ok(())
    }

    /// Takes `wuk` from its FRACTAL_NZ storage, `[num_heads, kv_lora_rank / 16, qk_nope_head_dim, 16]`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if the length is not that of the storage.
    pub fn set_wuk_nz(&mut self, config: &Config, wuk: &[u16]) -> Result<(), Error> {
        self.wuk = from_nz("wuk", wuk, config.num_heads, config.qk_nope_head_dim, config.kv_lora_rank)?;
        Ok(())
    }

    /// `wuk` in FRACTAL_NZ, the inverse of [`set_wuk_nz`](Self::set_wuk_nz).
    ///
    /// # Errors
    /// [`Error::Tensor`] if the weights do not fit the configuration.
    pub fn wuk_nz(&self, config: &Config) -> Result<Vec<u16>, Error> {
        let (heads, rows, columns) = (config.num_heads, config.qk_nope_head_dim, config.kv_lora_rank);
        Ok(ascendcl::nd_to_nz(&self.wuk, heads, rows, columns)
            .map_err(|error| TensorError::shape("wuk", error))?)
    }
}

fn from_nz<T: ascendcl::Element + Default>(
    tensor: &'static str,
    storage: &[T],
    batch: usize,
    rows: usize,
    columns: usize,
) -> Result<Vec<T>, TensorError> {
    ascendcl::nz_to_nd(storage, batch, rows, columns).map_err(|error| TensorError::shape(tensor, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractal_weights_are_the_same_weights() {
        // Rows that need padding: 3 heads of 16 + 16.
        let config = Config::builder()
            .hidden_size(64)
            .q_lora_rank(32)
            .kv_lora_rank(32)
            .qk_rope_head_dim(16)
            .qk_nope_head_dim(16)
            .num_heads(3)
            .build()
            .unwrap();
        let weights = Weights::random(&config, 3);
        let mut taken = Weights::random(&config, 4);
        taken.set_wuk_nz(&config, &weights.wuk_nz(&config).unwrap()).unwrap();
        assert_eq!(taken.wuk, weights.wuk);
        // Element by element by the contract's formula, section 1.2.
        let stored = |rows: usize, columns: usize, nd: &[i8]| {
            let padded = rows.div_ceil(16) * 16;
            let mut nz = vec![0i8; padded * columns];
            for (i, value) in nd.iter().enumerate() {
                let (r, c) = (i / columns, i % columns);
                nz[(c / 32) * padded * 32 + r * 32 + c % 32] = *value;
            }
            nz
        };
        let wdqkv = stored(config.down_rows(), 64, &weights.down.weight);
        let wuq = stored(config.up_rows(), 32, &weights.up.weight);
        taken.set_projections_nz(&config, &wdqkv, &wuq).unwrap();
        assert_eq!((&taken.down.weight, &taken.up.weight), (&weights.down.weight, &weights.up.weight));
        let error = taken.set_wuk_nz(&config, &[0; 5]).unwrap_err();
        assert!(error.to_string().starts_with("tensor `wuk`: "), "{error}");
    }
}
