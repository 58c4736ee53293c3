//! MlaPreprocess: what a DeepSeek-style model computes before every attention, in one kernel.
//!
//! ATB has two kernels for it. Its own one is for hidden size 7168 and int8 weights, and always adds 1e-6 where the parameter
//! has an `epsilon`. Other hidden sizes and float weights go through `aclnn`, if the toolkit has it ([`ACLNN_VARIABLE`]); that
//! kernel takes the parameter's `epsilon`, and quantisation per tensor only. Float weights, which skip the first quantisation,
//! are not simulated.

mod checks;
mod compute;

use ascendcl_sim::operator::{Fault, soc_name};
use ascendcl_sys::ACL_INT8;

use crate::operator::{Operator, Result, refuse, total_bytes};
use crate::tensor::{Operand, TensorDesc};
use crate::tensor_check::byte_count;

/// Whether the simulated toolkit has the `aclnn` kernel, `on` (the default, as in the newest toolkits) or `off`.
const ACLNN_VARIABLE: &str = "ATB_SIM_ACLNN";

pub(crate) const CACHE_KV: u8 = 0;
pub(crate) const CACHE_KROPE_CTKV: u8 = 1;
pub(crate) const CACHE_INT8_NZ: u8 = 2;
const CACHE_NZ: u8 = 3;

pub(crate) const QUANT_PER_TENSOR: u16 = 0;
pub(crate) const QUANT_PER_TOKEN: u16 = 1;
const QUANT_PER_TOKEN_ASYMMETRIC: u16 = 2;
pub(crate) const QUANT_UNQUANT: u16 = 3;

/// What ATB's own kernel has built in.
const KERNEL_EPSILON: f32 = 1e-6;

const INPUT: usize = 0;
const GAMMA0: usize = 1;
const BETA0: usize = 2;
const WDQKV: usize = 5;
const WUK: usize = 18;
const KV_CACHE: usize = 19;
const KV_CACHE_ROPE: usize = 20;
const INPUTS: usize = 24;

const HIDDEN: i64 = 7168;
/// Columns of the first product: key latent, key rope, query latent.
const DOWN: i64 = 2112;
const QUERY_LATENT: i64 = 1536;
const LATENT: i64 = 512;
const ROPE: i64 = 64;
/// Columns of the second product for each head.
const HEAD: i64 = 192;

/// The fields of `atb::infer::MlaPreprocessParam` that ATB reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MlaPreprocessParam {
    pub epsilon: f32,
    pub cache_mode: u8,
    pub quant_mode: u16,
}

pub(crate) struct MlaPreprocess {
    param: MlaPreprocessParam,
    has_aclnn: bool,
}

/// What a call computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Call {
    pub cache_mode: u8,
    pub quant_mode: u16,
    pub epsilon: f32,
    pub tokens: usize,
    pub heads: usize,
    pub hidden: usize,
    pub block_size: usize,
}

impl MlaPreprocess {
    pub(crate) fn new(param: MlaPreprocessParam) -> Result<Self> {
        let soc = soc_name().unwrap_or_default();
        if !is_a2_or_a3(&soc) {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "MlaPreprocess is for Atlas A2 and A3 (Ascend910B*, Ascend910_93*), not for {soc:?}"
            ));
        }
        if param.cache_mode > CACHE_NZ {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "MlaPreprocess: a cacheMode is 0 to {CACHE_NZ}, not {}",
                param.cache_mode
            ));
        }
        if [QUANT_PER_TOKEN_ASYMMETRIC, QUANT_UNQUANT].contains(&param.quant_mode) {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "MlaPreprocess: quantMode {} is not supported: neither PER_TOKEN_QUANT_ASYMM nor UNQUANT is",
                param.quant_mode
            ));
        }
        let has_aclnn = std::env::var(ACLNN_VARIABLE).map_or(true, |value| value != "off");
        Ok(Self { param, has_aclnn })
    }

    fn is_per_token(&self) -> bool {
        self.param.quant_mode == QUANT_PER_TOKEN
    }

    fn has_nz_cache(&self) -> bool {
        [CACHE_INT8_NZ, CACHE_NZ].contains(&self.param.cache_mode)
    }

    fn block_size(&self, cache: &TensorDesc) -> i64 {
        dim(cache, if self.has_nz_cache() { 2 } else { 1 })
    }
}

/// As ATB looks at the name that `aclrtGetSocName` answers.
fn is_a2_or_a3(soc: &str) -> bool {
    (soc.contains("Ascend910B") && soc.len() > "Ascend910B".len()) || soc.contains("Ascend910_93")
}

/// A dimension; 0 where there is none, as in ATB's struct.
fn dim(desc: &TensorDesc, index: usize) -> i64 {
    desc.shape.get(index).copied().unwrap_or(0)
}

impl Operator for MlaPreprocess {
    fn name(&self) -> &'static str {
        "MlaPreprocessOperation"
    }

    fn input_num(&self) -> usize {
        INPUTS
    }

    fn output_num(&self) -> usize {
        if self.param.cache_mode == CACHE_KV { 2 } else { 4 }
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        self.check_combination(inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        self.check_dimensions(inputs)
    }

    /// Query and cache, and if they are apart, their rotary parts.
    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let (tokens, heads) = (dim(&inputs[INPUT], 0), dim(&inputs[WUK], 0));
        let query = |width: i64| TensorDesc { shape: vec![tokens, heads, width], ..inputs[INPUT].clone() };
        let cache = inputs[KV_CACHE].clone();
        if self.param.cache_mode == CACHE_KV {
            return Ok(vec![query(LATENT + ROPE), cache]);
        }
        let mut latent = query(LATENT);
        if self.param.cache_mode == CACHE_INT8_NZ {
            latent.dtype = ACL_INT8;
        }
        Ok(vec![latent, cache, query(ROPE), inputs[KV_CACHE_ROPE].clone()])
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        self.check_output_shapes(inputs, outputs)
    }

    fn may_be_empty(&self, input: usize) -> bool {
        self.is_optional(input)
    }

    /// What ATB's tiling asks for: one size for each part, that of the largest of them, namely the first norm's int8 (in
    /// cache mode 2 also the query before it is quantised), the sums of the second product in 16 and in 32 bits, and the result of
    /// the first product in 16 bits. There are three parts if the cube cores dequantise (fp16, per tensor), else four and the
    /// scales of the tokens.
    fn workspace_size(&self, inputs: &[TensorDesc]) -> u64 {
        let size = |value: i64| u64::try_from(value).unwrap_or(0);
        let (tokens, heads) = (size(dim(&inputs[INPUT], 0)), size(dim(&inputs[WUK], 0)));
        let unquantised = if self.param.cache_mode == CACHE_INT8_NZ { 2 * heads * size(LATENT) } else { 0 };
        let first = size(dim(&inputs[INPUT], 1)).max(unquantised);
        let second = 2 * heads * size(HEAD);
        let third = 2 * size(DOWN);
        let fourth = 4 * (heads * size(HEAD)).max(size(DOWN));
        let part = tokens * first.max(second).max(third).max(fourth);
        if inputs[INPUT].dtype == ascendcl_sys::ACL_BF16 || self.is_per_token() {
            4 * part + tokens * 2 * size_of::<f32>() as u64
        } else {
            3 * part
        }
    }

    /// Of the caches only the rows of the tokens are written, and nothing is read.
    fn bytes(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> (u64, u64) {
        let read = total_bytes(&inputs[..KV_CACHE]) + total_bytes(&inputs[KV_CACHE_ROPE + 1..]);
        let tokens = u64::try_from(dim(&inputs[INPUT], 0)).unwrap_or(0);
        let row = |cache: &TensorDesc| {
            let slots = dim(cache, 0).checked_mul(self.block_size(cache)).unwrap_or(0);
            byte_count(cache) / u64::try_from(slots).unwrap_or(0).max(1)
        };
        let written = outputs.iter().enumerate().map(|(index, desc)| match index {
            1 | 3 => tokens * row(desc),
            _ => byte_count(desc),
        });
        (read, written.sum())
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let MlaPreprocessParam { epsilon, cache_mode, quant_mode } = self.param;
        if quant_mode > QUANT_UNQUANT {
            // ATB does not refuse it, and has no kernel for it.
            return Err(Fault::new(format!("MlaPreprocess: there is no kernel for quantMode {quant_mode}")));
        }
        let hidden = inputs[INPUT].dim(1);
        let uses_aclnn = hidden as i64 != HIDDEN;
        let call = Call {
            cache_mode,
            quant_mode,
            epsilon: if uses_aclnn { epsilon } else { KERNEL_EPSILON },
            tokens: inputs[INPUT].dim(0),
            heads: inputs[WUK].dim(0),
            hidden,
            block_size: usize::try_from(self.block_size(inputs[KV_CACHE].desc)).unwrap_or(0),
        };
        compute::compute(&call, inputs, outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::is_a2_or_a3;

    #[test]
    fn machines_by_their_names() {
        for soc in ["Ascend910B3", "Ascend910B4-1", "Ascend910_9391"] {
            assert!(is_a2_or_a3(soc), "{soc}");
        }
        // `Ascend910B` alone is a name of the generation before.
        for soc in ["Ascend910B", "Ascend910A", "Ascend310P3", ""] {
            assert!(!is_a2_or_a3(soc), "{soc}");
        }
    }
}
