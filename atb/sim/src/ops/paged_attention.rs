//! PagedAttention: one query for each sequence, over the keys and values of a paged cache.
//!
//! `[tokens, heads, width]` queries; caches `[blocks, block size, heads of keys, width]`. Heads share keys in groups.
//! See [`attend`] for what is rounded.
//!
//! Computed is the plain form: no mask, no quantisation, no compressed heads, no `logN` scale, no speculative decoding,
//! layout BSND, keys and values apart, caches in ND.

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_BF16, ACL_FLOAT16, aclDataType};
use rayon::prelude::*;

use super::pages::Pages;
use super::shape::{dim, dim_from_end, product, rank};
use super::table::{self, BF16, F16, I32};
use crate::arithmetic::attention::attend;
use crate::operator::{Operator, Refusal, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};

/// Inputs.
const QUERY: usize = 0;
const KEYS: usize = 1;
const VALUES: usize = 2;
const TABLE: usize = 3;
const LENGTHS: usize = 4;

/// `atb::infer::PagedAttentionParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PagedAttentionParam {
    pub head_num: i32,
    pub qk_scale: f32,
    pub kv_head_num: i32,
    pub mask_type: i32,
    pub batch_run_status_enable: bool,
    pub quant_type: i32,
    pub out_data_type: i32,
    pub has_quant_offset: bool,
    pub compress_type: i32,
    pub calc_type: i32,
    pub scale_type: i32,
    pub input_layout: i32,
    pub mla_v_head_size: u32,
    pub q_scale: f32,
}

const MASK_NORM: i32 = 1;
const MASK_ALIBI: i32 = 2;
const MASK_SPEC: i32 = 3;
const MASK_NORM_COMPRESS: i32 = 5;
const DEQUANT_FUSION: i32 = 1;
const QUANT_OFFLINE: i32 = 2;
const QUANT_ONLINE: i32 = 3;
const COMPRESS_KVHEAD_ROPE: i32 = 2;

pub(crate) struct PagedAttention {
    param: PagedAttentionParam,
}

fn wrong_dim(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "PagedAttention: {what}")
}

impl PagedAttention {
    pub(crate) fn new(param: PagedAttentionParam) -> Result<Self> {
        for (wrong, what) in invalid(&param) {
            if wrong {
                return Err(refuse!(ATB_ERROR_INVALID_PARAM, "PagedAttention: {what}"));
            }
        }
        for (left_out, what) in [
            (param.mask_type != 0, "a maskType"),
            (param.batch_run_status_enable, "batchRunStatusEnable"),
            (param.quant_type != 0, "a quantType"),
            (param.compress_type != 0, "a compressType"),
            (param.calc_type != 0, "a calcType"),
            (param.scale_type != 0, "scaleType SCALE_TYPE_LOGN"),
            (param.input_layout != 0, "inputLayout TYPE_BNSD"),
            (param.mla_v_head_size != 0, "mlaVHeadSize"),
        ] {
            if left_out {
                return Err(refuse!(ATB_SHIM_UNSUPPORTED, "PagedAttention: {what} is not simulated"));
            }
        }
        Ok(Self { param })
    }
}

/// What ATB refuses, in its order.
fn invalid(param: &PagedAttentionParam) -> Vec<(bool, &'static str)> {
    let PagedAttentionParam { head_num, kv_head_num, mask_type, quant_type, compress_type, .. } = *param;
    let spec = param.calc_type != 0;
    let qkv = [QUANT_OFFLINE, QUANT_ONLINE].contains(&quant_type);
    let logn = param.scale_type == 1;
    let bnsd = param.input_layout == 1;
    let mla = param.mla_v_head_size > 0;
    let compressed = compress_type != 0;
    let out = aclDataType(param.out_data_type);
    vec![
        (head_num <= 0, "headNum must be above 0"),
        (kv_head_num < 0, "kvHeadNum must not be negative"),
        (kv_head_num > 0 && head_num % kv_head_num != 0, "kvHeadNum must divide headNum"),
        (mask_type == MASK_NORM_COMPRESS, "MASK_TYPE_NORM_COMPRESS is for another device"),
        (!(0..=2).contains(&compress_type), "compressType is 0, 1 or 2"),
        (
            compress_type == COMPRESS_KVHEAD_ROPE && mask_type != 0,
            "COMPRESS_TYPE_KVHEAD_ROPE is not for a maskType",
        ),
        (
            compress_type == COMPRESS_KVHEAD_ROPE && param.batch_run_status_enable,
            "COMPRESS_TYPE_KVHEAD_ROPE is not for batchRunStatusEnable",
        ),
        (spec && param.batch_run_status_enable, "CALC_TYPE_SPEC is not for batchRunStatusEnable"),
        (spec && compressed, "CALC_TYPE_SPEC is not for a compressType"),
        (
            spec && !mla && ![MASK_NORM, MASK_SPEC].contains(&mask_type),
            "CALC_TYPE_SPEC needs MASK_TYPE_NORM or MASK_TYPE_SPEC",
        ),
        (quant_type == DEQUANT_FUSION && spec, "TYPE_DEQUANT_FUSION is not for a calcType"),
        (qkv && out != ACL_FLOAT16 && out != ACL_BF16, "outDataType is ACL_FLOAT16 or ACL_BF16"),
        (qkv && param.has_quant_offset, "this quantType is not for hasQuantOffset"),
        (qkv && compressed, "this quantType is not for a compressType"),
        (qkv && spec, "this quantType is not for a calcType"),
        (!(0..=1).contains(&param.scale_type), "scaleType is 0 or 1"),
        (logn && quant_type != 0, "SCALE_TYPE_LOGN is not for a quantType"),
        (logn && spec, "SCALE_TYPE_LOGN is not for a calcType"),
        (logn && compressed, "SCALE_TYPE_LOGN is not for a compressType"),
        (bnsd && spec, "TYPE_BNSD is not for a calcType"),
        (bnsd && compressed, "TYPE_BNSD is not for a compressType"),
        (bnsd && quant_type != 0, "TYPE_BNSD is not for a quantType"),
        (bnsd && logn, "TYPE_BNSD is not for a scaleType"),
        (mla && mask_type == MASK_ALIBI, "mlaVHeadSize is not for MASK_TYPE_ALIBI"),
        (
            mla && spec && (mask_type == MASK_NORM || quant_type != 0 || param.batch_run_status_enable),
            "mlaVHeadSize with CALC_TYPE_SPEC is not for these",
        ),
        (mla && compressed, "mlaVHeadSize is not for a compressType"),
        (mla && quant_type == DEQUANT_FUSION, "mlaVHeadSize is not for TYPE_DEQUANT_FUSION"),
        (mla && logn, "mlaVHeadSize is not for a scaleType"),
        (mla && bnsd, "mlaVHeadSize is not for TYPE_BNSD"),
        (mla && kv_head_num != 1, "mlaVHeadSize needs kvHeadNum 1"),
        (param.mla_v_head_size > 576, "mlaVHeadSize is at most 576"),
    ]
}

impl Operator for PagedAttention {
    fn name(&self) -> &'static str {
        "PagedAttentionOperation"
    }

    fn input_num(&self) -> usize {
        5
    }

    fn output_num(&self) -> usize {
        1
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        if inputs.iter().skip(KEYS).take(2).any(TensorDesc::is_nz) {
            return Err(refuse!(
                ATB_SHIM_UNSUPPORTED,
                "PagedAttention: caches in FRACTAL_NZ are not simulated"
            ));
        }
        let table = [(&[F16, F16, F16, I32, I32][..], &[F16][..]), (&[BF16, BF16, BF16, I32, I32], &[BF16])];
        table::check("PagedAttention", &table, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let ranks: Vec<usize> = inputs.iter().map(rank).collect();
        if ranks != [3, 4, 4, 2, 1] {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM_NUM,
                "PagedAttention: the inputs have 3, 4, 4, 2 and 1 dimensions, not {ranks:?}"
            ));
        }
        let (query, keys, values) = (&inputs[QUERY], &inputs[KEYS], &inputs[VALUES]);
        if keys.shape[..3] != values.shape[..3] {
            return Err(wrong_dim(format!(
                "the caches have blocks, block sizes and heads in common, not {:?} and {:?}",
                keys.shape, values.shape
            )));
        }
        let (width, value_width) = (dim(keys, 3), dim(values, 3));
        if width != dim(query, 2) {
            return Err(wrong_dim(format!("keys are {width} wide, queries {}", dim(query, 2))));
        }
        if width > 576 || value_width > 576 {
            return Err(wrong_dim(format!(
                "keys and values are at most 576 wide, not {width} and {value_width}"
            )));
        }
        if (width > 256 || value_width > 256) && dim(keys, 1) > 128 {
            return Err(wrong_dim(format!(
                "the block size of wide heads is at most 128, not {}",
                dim(keys, 1)
            )));
        }
        Ok(())
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        let mut output = inputs[QUERY].clone();
        if let Some(columns) = output.shape.last_mut() {
            *columns = dim_from_end(&inputs[VALUES], 0);
        }
        Ok(vec![output])
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let (heads, width) = (dim(&inputs[QUERY], 1), dim(&inputs[VALUES], 3));
        if dim(&outputs[0], 2) != width || dim(&outputs[0], 1) != heads {
            return Err(wrong_dim(format!(
                "the output has {heads} heads of {width}, not {} of {}",
                dim(&outputs[0], 1),
                dim(&outputs[0], 2)
            )));
        }
        Ok(())
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        let (keys, values) = (&inputs[KEYS], &inputs[VALUES]);
        let pages = Pages::new(&inputs[TABLE], &inputs[LENGTHS], keys.dim(0), keys.dim(1))?;
        let (heads, width, value_width) = (inputs[QUERY].dim(1), keys.dim(3), values.dim(3));
        let key_heads = keys.dim(2);
        let expected = if self.param.kv_head_num > 0 { self.param.kv_head_num } else { self.param.head_num };
        let expected = [self.param.head_num, expected].map(|number| product(&[number.into()]));
        if [heads, key_heads] != expected {
            return Err(Fault::new(format!(
                "PagedAttention: there are {heads} heads of queries and {key_heads} of keys, not {expected:?}"
            )));
        }
        let query = inputs[QUERY].to_f32()?;
        let rows = query.par_chunks((heads * width).max(1)).enumerate().map(|(token, query)| {
            let slots = pages.slots(token)?;
            let mut output = Vec::with_capacity(heads * value_width);
            for key_head in 0..key_heads {
                let of =
                    |cache: &Operand<'_>, width: usize| gather(cache, &slots, key_heads, key_head, width);
                let (k, v) = (of(keys, width)?, of(values, value_width)?);
                for query in query.chunks(width).skip(key_head * heads / key_heads).take(heads / key_heads) {
                    let scale = self.param.qk_scale;
                    output.extend(attend(query, &k, &v, value_width, scale, inputs[QUERY].desc.dtype));
                }
            }
            Ok(output)
        });
        let rows: Vec<Vec<f32>> = rows.collect::<std::result::Result<_, Fault>>()?;
        outputs[0].write_f32(0, &rows.concat())
    }
}

/// One head of the given slots of a cache.
fn gather(
    cache: &Operand<'_>,
    slots: &[usize],
    heads: usize,
    head: usize,
    width: usize,
) -> std::result::Result<Vec<f32>, Fault> {
    let size = element_size(cache.desc.dtype).unwrap_or(2);
    let mut values = Vec::with_capacity(slots.len() * width);
    for slot in slots {
        let bits = cache.memory.read::<u16>((slot * heads + head) * width * size, width)?;
        values.extend(bits.into_iter().map(|bits| widen(cache.desc.dtype, bits)));
    }
    Ok(values)
}

/// The number that 16 bits are.
pub(crate) fn widen(dtype: aclDataType, bits: u16) -> f32 {
    match dtype {
        ACL_BF16 => half::bf16::from_bits(bits).to_f32(),
        _ => half::f16::from_bits(bits).to_f32(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, noise, run, run_into, set_up};
    use ascendcl_sys::{ACL_DT_UNDEFINED, ACL_INT32};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ATB_SHIM_UNSUPPORTED,
    };

    fn param(head_num: i32, kv_head_num: i32) -> PagedAttentionParam {
        PagedAttentionParam {
            head_num,
            qk_scale: 0.25,
            kv_head_num,
            mask_type: 0,
            batch_run_status_enable: false,
            quant_type: 0,
            out_data_type: ACL_DT_UNDEFINED.0,
            has_quant_offset: false,
            compress_type: 0,
            calc_type: 0,
            scale_type: 0,
            input_layout: 0,
            mla_v_head_size: 0,
            q_scale: 0.0,
        }
    }

    /// Four heads over two of keys; sequences of 5 and 3 in blocks of 4; keys 16 wide, values 32.
    fn inputs(dtype: aclDataType) -> Vec<Tensor> {
        vec![
            Tensor::floats(dtype, &[2, 4, 16], &noise(1, 2 * 4 * 16, 2.0)),
            Tensor::floats(dtype, &[3, 4, 2, 16], &noise(2, 3 * 4 * 2 * 16, 2.0)),
            Tensor::floats(dtype, &[3, 4, 2, 32], &noise(3, 3 * 4 * 2 * 32, 2.0)),
            Tensor::nd(ACL_INT32, &[2, 2], &[2i32, 0, 1, -1]),
            Tensor::nd(ACL_INT32, &[2], &[5i32, 3]),
        ]
    }

    #[test]
    fn every_head_is_the_formula() {
        for (dtype, step) in [(ACL_FLOAT16, 2e-3), (ACL_BF16, 1.5e-2)] {
            let inputs = inputs(dtype);
            let output = run(&PagedAttention::new(param(4, 2)).unwrap(), &inputs);
            assert_eq!(output[0].desc.shape, [2, 4, 32]);
            let [q, k, v] = [0, 1, 2].map(|input: usize| inputs[input].to_f32());
            let slots = [vec![8, 9, 10, 11, 0], vec![4, 5, 6]];
            for (at, actual) in output[0].to_f32().into_iter().enumerate() {
                let (token, head, column) = (at / 128, at / 32 % 4, at % 32);
                let score = |slot: usize| -> f64 {
                    let key = &k[(slot * 2 + head / 2) * 16..][..16];
                    let query = &q[(token * 4 + head) * 16..][..16];
                    query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>() * 0.25
                };
                let weights: Vec<f64> = slots[token].iter().map(|slot| score(*slot).exp()).collect();
                let total: f64 = weights.iter().sum();
                let value = |slot: usize| f64::from(v[(slot * 2 + head / 2) * 32 + column]);
                let expected: f64 = slots[token]
                    .iter()
                    .zip(&weights)
                    .map(|(slot, weight)| weight / total * value(*slot))
                    .sum();
                assert!((f64::from(actual) - expected).abs() < step, "{at}: {actual}, not {expected}");
            }
        }
    }

    #[test]
    fn heads_that_are_not_the_parameters_are_a_fault() {
        let inputs = inputs(ACL_BF16);
        let output = Tensor::blank(TensorDesc::nd(ACL_BF16, &[2, 4, 32]));
        for (heads, key_heads) in [(8, 2), (4, 0), (4, 1)] {
            let operation = PagedAttention::new(param(heads, key_heads)).unwrap();
            assert!(run_into(&operation, &inputs, std::slice::from_ref(&output)).is_err());
        }
    }

    #[test]
    fn what_is_refused_at_once() {
        let change = |change: &dyn Fn(&mut PagedAttentionParam)| {
            let mut param = param(4, 2);
            change(&mut param);
            PagedAttention::new(param).err().unwrap().status
        };
        let invalid: [&dyn Fn(&mut PagedAttentionParam); 18] = [
            &|p| p.head_num = 0,
            &|p| p.kv_head_num = -1,
            &|p| p.kv_head_num = 3,
            &|p| p.mask_type = MASK_NORM_COMPRESS,
            &|p| p.compress_type = 3,
            &|p| (p.compress_type, p.mask_type) = (2, 1),
            &|p| (p.compress_type, p.batch_run_status_enable) = (2, true),
            &|p| (p.calc_type, p.batch_run_status_enable) = (1, true),
            &|p| (p.calc_type, p.compress_type) = (1, 1),
            &|p| p.calc_type = 1,
            &|p| (p.calc_type, p.mask_type, p.quant_type) = (1, 1, 1),
            &|p| p.quant_type = 2,
            &|p| (p.quant_type, p.out_data_type, p.has_quant_offset) = (3, ACL_BF16.0, true),
            &|p| p.scale_type = 2,
            &|p| (p.scale_type, p.quant_type) = (1, 1),
            &|p| (p.input_layout, p.scale_type) = (1, 1),
            &|p| p.mla_v_head_size = 512,
            &|p| (p.mla_v_head_size, p.kv_head_num) = (577, 1),
        ];
        for (index, param) in invalid.into_iter().enumerate() {
            assert_eq!(change(param), ATB_ERROR_INVALID_PARAM, "case {index}");
        }
        let left_out: [&dyn Fn(&mut PagedAttentionParam); 8] = [
            &|p| p.mask_type = 1,
            &|p| p.batch_run_status_enable = true,
            &|p| p.quant_type = 1,
            &|p| p.compress_type = 1,
            &|p| (p.calc_type, p.mask_type) = (1, 1),
            &|p| p.scale_type = 1,
            &|p| p.input_layout = 1,
            &|p| (p.mla_v_head_size, p.kv_head_num) = (512, 1),
        ];
        for (index, param) in left_out.into_iter().enumerate() {
            assert_eq!(change(param), ATB_SHIM_UNSUPPORTED, "case {index}");
        }
    }

    #[test]
    fn what_is_refused() {
        let operation = PagedAttention::new(param(4, 2)).unwrap();
        let good: Vec<TensorDesc> = inputs(ACL_BF16).into_iter().map(|tensor| tensor.desc).collect();
        let bf16 = |shape: &[i64]| TensorDesc::nd(ACL_BF16, shape);
        let dim = ATB_ERROR_INVALID_TENSOR_DIM;
        for (index, desc, status) in [
            (0, bf16(&[2, 64]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (2, bf16(&[3, 4, 64]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (2, bf16(&[2, 4, 2, 32]), dim),
            (2, bf16(&[3, 8, 2, 32]), dim),
            (2, bf16(&[3, 4, 1, 32]), dim),
            (0, bf16(&[2, 4, 32]), dim),
            (2, bf16(&[3, 4, 2, 592]), dim),
            (1, TensorDesc::nz(ACL_BF16, &[3, 4, 2, 16]), ATB_SHIM_UNSUPPORTED),
        ] {
            let mut inputs = good.clone();
            inputs[index] = desc;
            assert_eq!(infer(&operation, &inputs).unwrap_err().status, status, "{inputs:?}");
        }
        let wide = [
            bf16(&[2, 4, 272]),
            bf16(&[3, 256, 2, 272]),
            bf16(&[3, 256, 2, 32]),
            good[3].clone(),
            good[4].clone(),
        ];
        assert_eq!(infer(&operation, &wide).unwrap_err().status, dim);
        for output in [&[2, 4, 16], &[2, 2, 32]] {
            assert_eq!(set_up(&operation, &good, &[bf16(output)]).unwrap_err().status, dim);
        }
    }
}
