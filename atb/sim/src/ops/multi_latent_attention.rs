//! MultiLatentAttention: one query for each sequence, over the latents and rotary keys of a paged cache.
//!
//! The latent is key and value at once: scores are `(query . latent + rotary query . rotary key) * qkScale`, and what is weighted is
//! the latent. See [`attend`] for what is rounded.
//!
//! Computed is decoding of 16-bit caches, apart in ND (`KROPE_CTKV`) or in FRACTAL_NZ (`NZCACHE`), without a mask. Not
//! computed: int8 caches, speculative decoding, ring attention, prefill.

use ascendcl_sim::operator::Fault;
use rayon::prelude::*;

use super::paged_attention::widen;
use super::pages::Pages;
use super::shape::{dim, rank};
use super::table::{self, BF16, BF16_NZ, Combination, F16, F16_NZ, I32};
use crate::arithmetic::attention::attend;
use crate::arithmetic::nz::Nz;
use crate::operator::{Operator, Refusal, Result, refuse};
use crate::tensor::{Operand, TensorDesc};

/// Inputs.
const QUERY: usize = 0;
const QUERY_ROPE: usize = 1;
const CACHE: usize = 2;
const CACHE_ROPE: usize = 3;
const TABLE: usize = 4;
const LENGTHS: usize = 5;

const LATENT: usize = 512;
const ROPE: usize = 64;
const BLOCK_SIZE: usize = 128;

const MASK_CAUSAL: i32 = 3;
const MASK_SWA_NORM: i32 = 4;
const CALC_SPEC: i32 = 1;
const CALC_RING: i32 = 2;
const CALC_SPEC_AND_RING: i32 = 3;
const CALC_PREFILL: i32 = 4;
const CACHE_KV: u8 = 0;
const CACHE_KROPE_CTKV: u8 = 1;
const CACHE_INT8_NZ: u8 = 2;
const CACHE_NZ: u8 = 3;

/// `atb::infer::MultiLatentAttentionParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MultiLatentAttentionParam {
    pub head_num: i32,
    pub qk_scale: f32,
    pub kv_head_num: i32,
    pub mask_type: i32,
    pub calc_type: i32,
    pub cache_mode: u8,
    pub window_size: u32,
    pub mask_use_status_type: i32,
}

pub(crate) struct MultiLatentAttention {
    param: MultiLatentAttentionParam,
}

fn wrong_dim(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "MultiLatentAttention: {what}")
}

impl MultiLatentAttention {
    pub(crate) fn new(param: MultiLatentAttentionParam) -> Result<Self> {
        let checks =
            if param.calc_type == CALC_PREFILL { invalid_prefill(&param) } else { invalid_decode(&param) };
        for (wrong, what) in invalid(&param).into_iter().chain(checks) {
            if wrong {
                return Err(refuse!(ATB_ERROR_INVALID_PARAM, "MultiLatentAttention: {what}"));
            }
        }
        for (left_out, what) in [
            (param.calc_type != 0, "a calcType"),
            (param.cache_mode == CACHE_INT8_NZ, "cacheMode INT8_NZCACHE"),
        ] {
            if left_out {
                return Err(refuse!(ATB_SHIM_UNSUPPORTED, "MultiLatentAttention: {what} is not simulated"));
            }
        }
        Ok(Self { param })
    }

    fn is_nz(&self) -> bool {
        self.param.cache_mode == CACHE_NZ
    }

    fn check_query(&self, inputs: &[TensorDesc]) -> Result {
        let heads = i64::from(self.param.head_num);
        for (input, width) in [(QUERY, LATENT), (QUERY_ROPE, ROPE)] {
            let shape = &inputs[input].shape;
            let expected = [dim(&inputs[QUERY], 0), heads, width as i64];
            if shape[..] != expected {
                return Err(wrong_dim(format!("input {input} has the shape {expected:?}, not {shape:?}")));
            }
        }
        Ok(())
    }

    fn check_caches(&self, inputs: &[TensorDesc]) -> Result {
        let blocks = dim(&inputs[CACHE], 0);
        for (input, width) in [(CACHE, LATENT as i64), (CACHE_ROPE, ROPE as i64)] {
            let shape = &inputs[input].shape;
            let expected = match self.is_nz() {
                true => [blocks, width / 16, BLOCK_SIZE as i64, 16],
                false => [blocks, BLOCK_SIZE as i64, 1, width],
            };
            if shape[..] != expected {
                return Err(wrong_dim(format!("input {input} has the shape {expected:?}, not {shape:?}")));
            }
        }
        Ok(())
    }

    /// Rows of a cache, one after the other.
    fn rows(
        &self,
        cache: &Operand<'_>,
        slots: &[usize],
        width: usize,
    ) -> std::result::Result<Vec<f32>, Fault> {
        let nz = Nz { rows: BLOCK_SIZE, block: 16 };
        let run = if self.is_nz() { nz.block } else { width };
        let mut values = Vec::with_capacity(slots.len() * width);
        for slot in slots {
            let (block, row) = (slot / BLOCK_SIZE * BLOCK_SIZE * width, slot % BLOCK_SIZE);
            for column in (0..width).step_by(run) {
                let at = if self.is_nz() { block + nz.position(row, column) } else { slot * width + column };
                let bits = cache.memory.read::<u16>(2 * at, run)?;
                values.extend(bits.into_iter().map(|bits| widen(cache.desc.dtype, bits)));
            }
        }
        Ok(values)
    }
}

/// What ATB refuses of every parameter.
fn invalid(param: &MultiLatentAttentionParam) -> Vec<(bool, &'static str)> {
    vec![
        (param.qk_scale <= 0.0 || param.qk_scale > 1.0, "qkScale is above 0 and at most 1"),
        (!(0..=MASK_SWA_NORM).contains(&param.mask_type), "maskType is 0 to 4"),
        (!(0..=CALC_PREFILL).contains(&param.calc_type), "calcType is 0 to 4"),
        (param.cache_mode > CACHE_NZ, "cacheMode is 0 to 3"),
    ]
}

fn invalid_decode(param: &MultiLatentAttentionParam) -> Vec<(bool, &'static str)> {
    let MultiLatentAttentionParam { mask_type, calc_type, cache_mode, mask_use_status_type, .. } = *param;
    let spec = [CALC_SPEC, CALC_SPEC_AND_RING].contains(&calc_type);
    let ring = [CALC_RING, CALC_SPEC_AND_RING].contains(&calc_type);
    vec![
        (![8, 16, 32, 64, 128].contains(&param.head_num), "headNum is 8, 16, 32, 64 or 128"),
        (param.kv_head_num != 1, "kvHeadNum is 1"),
        (cache_mode == CACHE_KV, "cacheMode KVCACHE is not supported"),
        (!spec && mask_type != 0, "a maskType needs CALC_TYPE_SPEC"),
        (spec && mask_type == MASK_SWA_NORM, "MASK_TYPE_SWA_NORM is not for CALC_TYPE_SPEC"),
        (
            cache_mode == CACHE_INT8_NZ && ring && mask_type != 0,
            "INT8_NZCACHE with a ring is not for a maskType",
        ),
        (!(0..=1).contains(&mask_use_status_type), "maskUseStatusType is 0 or 1"),
        (
            mask_use_status_type == 1 && calc_type != CALC_SPEC_AND_RING,
            "maskUseStatusType needs CALC_TYPE_SPEC_AND_RING",
        ),
    ]
}

fn invalid_prefill(param: &MultiLatentAttentionParam) -> Vec<(bool, &'static str)> {
    let mask = param.mask_type;
    vec![
        (!(1..=128).contains(&param.head_num), "headNum is 1 to 128"),
        (mask != MASK_CAUSAL && param.head_num != param.kv_head_num, "kvHeadNum must be headNum for prefill"),
        (mask == 1, "MASK_TYPE_SPEC is not for prefill"),
        (param.cache_mode != CACHE_KROPE_CTKV, "cacheMode is KROPE_CTKV for prefill"),
        (mask == MASK_SWA_NORM && param.window_size == 0, "MASK_TYPE_SWA_NORM needs a windowSize"),
    ]
}

impl Operator for MultiLatentAttention {
    fn name(&self) -> &'static str {
        "MultiLatentAttentionOperation"
    }

    fn input_num(&self) -> usize {
        6
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        const ND: &[Combination<'static>] =
            &[(&[F16, F16, F16, F16, I32, I32], &[F16]), (&[BF16, BF16, BF16, BF16, I32, I32], &[BF16])];
        const NZ: &[Combination<'static>] = &[
            (&[F16, F16, F16_NZ, F16_NZ, I32, I32], &[F16]),
            (&[BF16, BF16, BF16_NZ, BF16_NZ, I32, I32], &[BF16]),
        ];
        table::check("MultiLatentAttention", if self.is_nz() { NZ } else { ND }, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let ranks: Vec<usize> = inputs.iter().map(rank).collect();
        if ranks != [3, 3, 4, 4, 2, 1] {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM_NUM,
                "MultiLatentAttention: the inputs have 3, 3, 4, 4, 2 and 1 dimensions, not {ranks:?}"
            ));
        }
        let batch = dim(&inputs[TABLE], 0);
        if batch > 8192 {
            return Err(wrong_dim(format!("there are at most 8192 sequences, not {batch}")));
        }
        if dim(&inputs[QUERY], 0) != batch || dim(&inputs[LENGTHS], 0) != batch {
            return Err(wrong_dim(format!(
                "{batch} sequences have {} tokens and {} lengths",
                dim(&inputs[QUERY], 0),
                dim(&inputs[LENGTHS], 0)
            )));
        }
        self.check_caches(inputs)?;
        self.check_query(inputs)
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        Ok(vec![TensorDesc { dtype: inputs[QUERY_ROPE].dtype, ..inputs[QUERY].clone() }])
    }

    /// ATB compares the outputs of rings only.
    fn check_outputs(&self, _: &[TensorDesc], _: &[TensorDesc]) -> Result {
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let cache = &inputs[CACHE];
        let pages = Pages::new(&inputs[TABLE], &inputs[LENGTHS], cache.dim(0), BLOCK_SIZE)?;
        let heads = inputs[QUERY].dim(1);
        let (query, rope) = (inputs[QUERY].to_f32()?, inputs[QUERY_ROPE].to_f32()?);
        let dtype = inputs[QUERY].desc.dtype;
        let mut output = Vec::with_capacity(query.len());
        for token in 0..inputs[QUERY].dim(0) {
            let slots = pages.slots(token)?;
            let latents = self.rows(cache, &slots, LATENT)?;
            let ropes = self.rows(&inputs[CACHE_ROPE], &slots, ROPE)?;
            let keys: Vec<f32> = latents
                .chunks(LATENT)
                .zip(ropes.chunks(ROPE))
                .flat_map(|(latent, rope)| latent.iter().chain(rope))
                .copied()
                .collect();
            let rows: Vec<Vec<f32>> = (token * heads..(token + 1) * heads)
                .into_par_iter()
                .map(|head| {
                    let query = [&query[head * LATENT..][..LATENT], &rope[head * ROPE..][..ROPE]].concat();
                    attend(&query, &keys, &latents, LATENT, self.param.qk_scale, dtype)
                })
                .collect();
            output.extend(rows.concat());
        }
        outputs[0].write_f32(0, &output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, noise, run};
    use ascendcl_sys::{ACL_BF16, ACL_FLOAT16, ACL_INT32, aclDataType};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ATB_ERROR_INVALID_TENSOR_INI_MATCH, ATB_SHIM_UNSUPPORTED,
    };

    fn param(cache_mode: u8) -> MultiLatentAttentionParam {
        MultiLatentAttentionParam {
            head_num: 8,
            qk_scale: 0.07,
            kv_head_num: 1,
            mask_type: 0,
            calc_type: 0,
            cache_mode,
            window_size: 0,
            mask_use_status_type: 0,
        }
    }

    fn operation(cache_mode: u8) -> MultiLatentAttention {
        MultiLatentAttention::new(param(cache_mode)).unwrap()
    }

    /// Two sequences, of 130 and 2 tokens, in three blocks.
    fn inputs(dtype: aclDataType, nz: bool) -> Vec<Tensor> {
        let cache = |seed: u32, width: usize| {
            let values = noise(seed, 3 * 128 * width, 1.0);
            if !nz {
                return Tensor::floats(dtype, &[3, 128, 1, width as i64], &values);
            }
            let mut stored = vec![0.0; values.len()];
            for (at, value) in values.into_iter().enumerate() {
                let (slot, column) = (at / width, at % width);
                stored[slot / 128 * 128 * width + column / 16 * 2048 + slot % 128 * 16 + column % 16] = value;
            }
            Tensor::floats_as(TensorDesc::nz(dtype, &[3, width as i64 / 16, 128, 16]), &stored)
        };
        vec![
            Tensor::floats(dtype, &[2, 8, 512], &noise(1, 2 * 8 * 512, 1.0)),
            Tensor::floats(dtype, &[2, 8, 64], &noise(2, 2 * 8 * 64, 1.0)),
            cache(3, 512),
            cache(4, 64),
            Tensor::nd(ACL_INT32, &[2, 2], &[2i32, 1, 0, 0]),
            Tensor::nd(ACL_INT32, &[2], &[130i32, 2]),
        ]
    }

    #[test]
    fn every_head_is_the_formula() {
        for (dtype, step) in [(ACL_FLOAT16, 2e-3), (ACL_BF16, 1e-2)] {
            let inputs = inputs(dtype, false);
            let [q, q_rope, latent, rope] = [0, 1, 2, 3].map(|input: usize| inputs[input].to_f32());
            let output = run(&operation(CACHE_KROPE_CTKV), &inputs)[0].to_f32();
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            for head in 0..16 {
                let slots: Vec<usize> = if head < 8 {
                    (0..128).map(|row| 256 + row).chain([128, 129]).collect()
                } else {
                    vec![0, 1]
                };
                let weights: Vec<f64> = slots
                    .iter()
                    .map(|slot| {
                        let plain = dot(&q[head * 512..][..512], &latent[slot * 512..][..512]);
                        let turned = dot(&q_rope[head * 64..][..64], &rope[slot * 64..][..64]);
                        ((plain + turned) * f64::from(0.07f32)).exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                for column in 0..512 {
                    let expected: f64 = slots
                        .iter()
                        .zip(&weights)
                        .map(|(slot, weight)| weight / total * f64::from(latent[slot * 512 + column]))
                        .sum();
                    let actual = f64::from(output[head * 512 + column]);
                    assert!((actual - expected).abs() < step, "{head}, {column}: {actual}, not {expected}");
                }
            }
            let fractal = run(&operation(CACHE_NZ), &self::inputs(dtype, true));
            assert_eq!(fractal[0].to_f32(), output, "another layout of the same cache");
        }
    }

    #[test]
    fn what_is_refused_at_once() {
        type Change = fn(&mut MultiLatentAttentionParam);
        let change = |change: Change| {
            let mut param = param(CACHE_KROPE_CTKV);
            change(&mut param);
            MultiLatentAttention::new(param).err().map(|refusal| refusal.status)
        };
        let invalid: [Change; 18] = [
            |p| p.qk_scale = 0.0,
            |p| p.qk_scale = 1.5,
            |p| p.mask_type = 5,
            |p| p.calc_type = 5,
            |p| p.cache_mode = 4,
            |p| p.head_num = 12,
            |p| p.kv_head_num = 2,
            |p| p.cache_mode = CACHE_KV,
            |p| p.mask_type = 1,
            |p| (p.calc_type, p.mask_type) = (CALC_SPEC, MASK_SWA_NORM),
            |p| (p.cache_mode, p.calc_type, p.mask_type) = (CACHE_INT8_NZ, CALC_SPEC_AND_RING, 1),
            |p| p.mask_use_status_type = 2,
            |p| p.mask_use_status_type = 1,
            |p| (p.calc_type, p.head_num) = (CALC_PREFILL, 129),
            |p| p.calc_type = CALC_PREFILL,
            |p| (p.calc_type, p.kv_head_num, p.mask_type) = (CALC_PREFILL, 8, 1),
            |p| (p.calc_type, p.kv_head_num, p.cache_mode) = (CALC_PREFILL, 8, CACHE_NZ),
            |p| (p.calc_type, p.kv_head_num, p.mask_type) = (CALC_PREFILL, 8, MASK_SWA_NORM),
        ];
        for (index, param) in invalid.into_iter().enumerate() {
            assert_eq!(change(param), Some(ATB_ERROR_INVALID_PARAM), "case {index}");
        }
        let left_out: [Change; 4] = [
            |p| p.cache_mode = CACHE_INT8_NZ,
            |p| p.calc_type = CALC_SPEC,
            |p| p.calc_type = CALC_RING,
            |p| (p.calc_type, p.kv_head_num) = (CALC_PREFILL, 8),
        ];
        for (index, param) in left_out.into_iter().enumerate() {
            assert_eq!(change(param), Some(ATB_SHIM_UNSUPPORTED), "case {index}");
        }
    }

    #[test]
    fn what_is_refused() {
        let descs =
            |nz| -> Vec<TensorDesc> { inputs(ACL_BF16, nz).into_iter().map(|tensor| tensor.desc).collect() };
        let bf16 = |shape: &[i64]| TensorDesc::nd(ACL_BF16, shape);
        let int = |shape: &[i64]| TensorDesc::nd(ACL_INT32, shape);
        let nz = |shape: &[i64]| TensorDesc::nz(ACL_BF16, shape);
        let dim = ATB_ERROR_INVALID_TENSOR_DIM;
        for (cache_mode, index, desc, status) in [
            (CACHE_KROPE_CTKV, 0, bf16(&[2, 4096]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (CACHE_KROPE_CTKV, 4, int(&[2]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (CACHE_KROPE_CTKV, 4, int(&[8193, 2]), dim),
            (CACHE_KROPE_CTKV, 5, int(&[3]), dim),
            (CACHE_KROPE_CTKV, 0, bf16(&[3, 8, 512]), dim),
            (CACHE_KROPE_CTKV, 0, bf16(&[2, 8, 256]), dim),
            (CACHE_KROPE_CTKV, 1, bf16(&[2, 16, 64]), dim),
            (CACHE_KROPE_CTKV, 2, bf16(&[3, 64, 1, 512]), dim),
            (CACHE_KROPE_CTKV, 3, bf16(&[2, 128, 1, 64]), dim),
            (CACHE_KROPE_CTKV, 3, bf16(&[3, 128, 2, 64]), dim),
            (CACHE_KROPE_CTKV, 2, nz(&[3, 32, 128, 16]), ATB_ERROR_INVALID_TENSOR_INI_MATCH),
            (CACHE_NZ, 2, nz(&[3, 16, 128, 32]), dim),
            (CACHE_NZ, 3, nz(&[3, 4, 64, 16]), dim),
        ] {
            let mut inputs = descs(cache_mode == CACHE_NZ);
            inputs[index] = desc;
            assert_eq!(infer(&operation(cache_mode), &inputs).unwrap_err().status, status, "{inputs:?}");
        }
    }
}
