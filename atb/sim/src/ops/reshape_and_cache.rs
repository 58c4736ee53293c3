//! ReshapeAndCache: keys and values of tokens go to their slots of a paged cache, in place.
//!
//! A token with a negative slot is passed over, whatever the number (ATB's `reshape_and_cache_nd.cpp`,
//! `reshape_and_cache_nz.cpp`). Rows that no token has stay as they are. If two tokens have one slot, the last one stays; on a device
//! whichever core is later. A slot beyond the cache is a fault of the device here; there it would overwrite what follows.
//!
//! * `K_CACHE_V_CACHE`, `K_CACHE_V_BYPASS` (keys only): the cache is `[blocks, block size, heads, width]`.
//! * `K_CACHE_V_CACHE_NZ`: `[blocks, heads * width / c0, block size, c0]`, c0 being 32 for int8 and 16 for 16-bit types.
//!
//! Not computed: compressed heads.

use ascendcl_sim::operator::Fault;
use ascendcl_sys::ACL_INT8;

use super::shape::{dim, rank};
use super::table::{self, BF16, BF16_NZ, Combination, F16, F16_NZ, I8, I8_NZ, I32};
use crate::operator::{Operator, Refusal, Result, refuse};
use crate::tensor::{Operand, TensorDesc, element_size};
use crate::tensor_check::byte_count;

pub(crate) const K_CACHE_V_CACHE: i32 = 0;
pub(crate) const K_CACHE_V_BYPASS: i32 = 1;
pub(crate) const K_CACHE_V_CACHE_NZ: i32 = 2;
const COMPRESS_TYPE_UNDEFINED: i32 = 0;
const COMPRESS_TYPE_KVHEAD_ROPE: i32 = 2;

/// `atb::infer::ReshapeAndCacheParam`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReshapeAndCacheParam {
    pub compress_type: i32,
    pub kv_cache_cfg: i32,
}

pub(crate) struct ReshapeAndCache {
    param: ReshapeAndCacheParam,
}

fn wrong_dim(what: impl std::fmt::Display) -> Refusal {
    refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "ReshapeAndCache: {what}")
}

fn equal(what: &str, left: i64, right: i64) -> Result {
    if left == right {
        Ok(())
    } else {
        Err(wrong_dim(format!("{what} must agree, but are {left} and {right}")))
    }
}

impl ReshapeAndCache {
    pub(crate) fn new(param: ReshapeAndCacheParam) -> Result<Self> {
        let wrong = |what: String| Err(refuse!(ATB_ERROR_INVALID_PARAM, "ReshapeAndCache: {what}"));
        let (compress, cache) = (param.compress_type, param.kv_cache_cfg);
        if !(COMPRESS_TYPE_UNDEFINED..=COMPRESS_TYPE_KVHEAD_ROPE).contains(&compress) {
            return wrong(format!("compressType is 0, 1 or 2, not {compress}"));
        }
        if !(K_CACHE_V_CACHE..=K_CACHE_V_CACHE_NZ).contains(&cache) {
            return wrong(format!("kvCacheCfg is 0, 1 or 2, not {cache}"));
        }
        if compress != COMPRESS_TYPE_UNDEFINED {
            if cache != K_CACHE_V_CACHE {
                return wrong("compressType is only for K_CACHE_V_CACHE".to_owned());
            }
            return Err(refuse!(ATB_SHIM_UNSUPPORTED, "ReshapeAndCache: compressed heads are not simulated"));
        }
        Ok(Self { param })
    }

    fn is_nz(&self) -> bool {
        self.param.kv_cache_cfg == K_CACHE_V_CACHE_NZ
    }

    fn keys_only(&self) -> bool {
        self.param.kv_cache_cfg == K_CACHE_V_BYPASS
    }

    /// Tokens and caches that belong together: positions of inputs, and of the output.
    fn pairs(&self) -> &'static [(usize, usize, usize)] {
        if self.keys_only() { &[(0, 1, 0)] } else { &[(0, 2, 0), (1, 3, 1)] }
    }

    fn check_nd(inputs: &[TensorDesc]) -> Result {
        let (key, value, key_cache, value_cache) = (&inputs[0], &inputs[1], &inputs[2], &inputs[3]);
        equal("tokens of key and value", dim(key, 0), dim(value, 0))?;
        equal("heads of key and value", dim(key, 1), dim(value, 1))?;
        equal("blocks of the caches", dim(key_cache, 0), dim(value_cache, 0))?;
        equal("block sizes of the caches", dim(key_cache, 1), dim(value_cache, 1))?;
        equal("heads of key and its cache", dim(key, 1), dim(key_cache, 2))?;
        equal("heads of value and its cache", dim(value, 1), dim(value_cache, 2))?;
        equal("widths of key and its cache", dim(key, 2), dim(key_cache, 3))?;
        equal("widths of value and its cache", dim(value, 2), dim(value_cache, 3))
    }

    fn check_keys_only(inputs: &[TensorDesc]) -> Result {
        let (key, cache, slots) = (&inputs[0], &inputs[1], &inputs[2]);
        equal("tokens of key and slots", dim(key, 0), dim(slots, 0))?;
        equal("heads of key and its cache", dim(key, 1), dim(cache, 2))?;
        equal("widths of key and its cache", dim(key, 2), dim(cache, 3))
    }

    fn check_nz(inputs: &[TensorDesc]) -> Result {
        let (key, value, key_cache, value_cache) = (&inputs[0], &inputs[1], &inputs[2], &inputs[3]);
        equal("tokens of key and value", dim(key, 0), dim(value, 0))?;
        equal("heads of key and value", dim(key, 1), dim(value, 1))?;
        equal("block sizes of the caches", dim(key_cache, 2), dim(value_cache, 2))?;
        if dim(key_cache, 2) % 16 != 0 {
            return Err(wrong_dim(format!(
                "the block size must be a multiple of 16, not {}",
                dim(key_cache, 2)
            )));
        }
        let key_block = if key.dtype == ACL_INT8 { 32 } else { 16 };
        for (what, tokens, cache, block) in
            [("key", key, key_cache, key_block), ("value", value, value_cache, 16)]
        {
            let width = dim(tokens, 1).saturating_mul(dim(tokens, 2));
            if dim(cache, 3) != block || dim(cache, 1).saturating_mul(block) != width {
                return Err(wrong_dim(format!(
                    "the cache of {what} must be [blocks, {width} / {block}, block size, {block}], not {:?}",
                    cache.shape
                )));
            }
        }
        Ok(())
    }
}

impl Operator for ReshapeAndCache {
    fn name(&self) -> &'static str {
        "ReshapeAndCacheOperation"
    }

    fn input_num(&self) -> usize {
        if self.keys_only() { 3 } else { 5 }
    }

    fn output_num(&self) -> usize {
        self.pairs().len()
    }

    fn check_types(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        const ND: &[Combination<'static>] = &[
            (&[F16, F16, F16, F16, I32], &[F16, F16]),
            (&[I8, I8, I8, I8, I32], &[I8, I8]),
            (&[BF16, BF16, BF16, BF16, I32], &[BF16, BF16]),
        ];
        const KEYS_ONLY: &[Combination<'static>] =
            &[(&[F16, F16, I32], &[F16]), (&[I8, I8, I32], &[I8]), (&[BF16, BF16, I32], &[BF16])];
        const NZ: &[Combination<'static>] = &[
            (&[I8, F16, I8_NZ, F16_NZ, I32], &[I8_NZ, F16_NZ]),
            (&[I8, BF16, I8_NZ, BF16_NZ, I32], &[I8_NZ, BF16_NZ]),
            (&[F16, F16, F16_NZ, F16_NZ, I32], &[F16_NZ, F16_NZ]),
            (&[BF16, BF16, BF16_NZ, BF16_NZ, I32], &[BF16_NZ, BF16_NZ]),
            (&[F16, BF16, F16_NZ, BF16_NZ, I32], &[F16_NZ, BF16_NZ]),
            (&[BF16, F16, BF16_NZ, F16_NZ, I32], &[BF16_NZ, F16_NZ]),
        ];
        let table = match self.param.kv_cache_cfg {
            K_CACHE_V_CACHE => ND,
            K_CACHE_V_BYPASS => KEYS_ONLY,
            _ => NZ,
        };
        table::check("ReshapeAndCache", table, inputs, outputs)
    }

    fn check_inputs(&self, inputs: &[TensorDesc]) -> Result {
        let expected: &[usize] = if self.keys_only() { &[3, 4, 1] } else { &[3, 3, 4, 4, 1] };
        let ranks: Vec<usize> = inputs.iter().map(rank).collect();
        if ranks != expected {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DIM_NUM,
                "ReshapeAndCache: the inputs have as many dimensions as {expected:?}, not {ranks:?}"
            ));
        }
        match self.param.kv_cache_cfg {
            K_CACHE_V_CACHE => Self::check_nd(inputs),
            K_CACHE_V_BYPASS => Self::check_keys_only(inputs),
            _ => Self::check_nz(inputs),
        }
    }

    fn infer_shape(&self, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
        Ok(self.pairs().iter().map(|(_, cache, _)| inputs[*cache].clone()).collect())
    }

    fn check_outputs(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        match self.pairs().iter().find(|(_, cache, output)| inputs[*cache] != outputs[*output]) {
            Some((_, cache, output)) => Err(wrong_dim(format!(
                "output {output} must be as input {cache}, {:?}, not {:?}",
                inputs[*cache].shape, outputs[*output].shape
            ))),
            None => Ok(()),
        }
    }

    fn workspace_size(&self, _: &[TensorDesc]) -> u64 {
        0
    }

    /// Tokens and slots are read; of the caches only the rows of the tokens are written.
    fn bytes(&self, inputs: &[TensorDesc], _: &[TensorDesc]) -> (u64, u64) {
        let tokens: u64 = self.pairs().iter().map(|(tokens, ..)| byte_count(&inputs[*tokens])).sum();
        (tokens + byte_count(&inputs[self.input_num() - 1]), tokens)
    }

    fn run(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> std::result::Result<(), Fault> {
        for (tokens, _, output) in self.pairs() {
            let (tokens, cache) = (&inputs[*tokens], &outputs[*output]);
            let slots = inputs[self.input_num() - 1].memory.read::<i32>(0, tokens.dim(0))?;
            let bytes = tokens.dim(1) * tokens.dim(2) * element_size(tokens.desc.dtype).unwrap_or(0);
            let layout = Layout::of(cache, self.is_nz(), bytes);
            for (token, slot) in slots.into_iter().enumerate() {
                let Ok(slot) = usize::try_from(slot) else { continue };
                if slot >= layout.slots {
                    return Err(Fault::new(format!(
                        "ReshapeAndCache: token {token} has the slot {slot}, the cache {} slots",
                        layout.slots
                    )));
                }
                let row = tokens.memory.read::<u8>(token * bytes, bytes)?;
                for (start, piece) in layout.pieces(slot, &row) {
                    cache.memory.write(start, piece)?;
                }
            }
        }
        Ok(())
    }
}

/// Where the bytes of a cache's rows are.
struct Layout {
    slots: usize,
    block_size: usize,
    /// Bytes of a row.
    row: usize,
    /// Bytes of a row that stay together: 32 in FRACTAL_NZ.
    piece: usize,
}

impl Layout {
    fn of(cache: &Operand<'_>, nz: bool, row: usize) -> Self {
        let block_size = cache.dim(if nz { 2 } else { 1 });
        Self {
            slots: cache.dim(0).saturating_mul(block_size),
            block_size,
            row,
            piece: if nz { 32 } else { row },
        }
    }

    /// The pieces of a row, and at which byte of the cache each starts.
    fn pieces<'a>(&self, slot: usize, row: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8])> {
        let (block, offset) = (slot / self.block_size, slot % self.block_size);
        let block = block * self.block_size * self.row;
        let (piece, block_size) = (self.piece, self.block_size);
        row.chunks(piece.max(1))
            .enumerate()
            .map(move |(index, bytes)| (block + index * block_size * piece + offset * piece, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::{Tensor, infer, run_into, set_up};
    use ascendcl_sys::{ACL_BF16, ACL_FLOAT16, ACL_INT32};
    use atb_sys::{
        ATB_ERROR_INVALID_PARAM, ATB_ERROR_INVALID_TENSOR_DIM, ATB_ERROR_INVALID_TENSOR_DIM_NUM,
        ATB_ERROR_INVALID_TENSOR_INI_MATCH, ATB_SHIM_UNSUPPORTED,
    };
    use proptest::prelude::*;

    fn operation(kv_cache_cfg: i32) -> ReshapeAndCache {
        ReshapeAndCache::new(ReshapeAndCacheParam { compress_type: 0, kv_cache_cfg }).unwrap()
    }

    #[test]
    fn what_is_refused_at_once() {
        for (compress_type, kv_cache_cfg, status) in [
            (-1, 0, ATB_ERROR_INVALID_PARAM),
            (3, 0, ATB_ERROR_INVALID_PARAM),
            (0, -1, ATB_ERROR_INVALID_PARAM),
            (0, 3, ATB_ERROR_INVALID_PARAM),
            (1, 1, ATB_ERROR_INVALID_PARAM),
            (2, 2, ATB_ERROR_INVALID_PARAM),
            (1, 0, ATB_SHIM_UNSUPPORTED),
            (2, 0, ATB_SHIM_UNSUPPORTED),
        ] {
            let refused = ReshapeAndCache::new(ReshapeAndCacheParam { compress_type, kv_cache_cfg });
            assert_eq!(refused.err().unwrap().status, status, "{compress_type}, {kv_cache_cfg}");
        }
    }

    fn caches(inputs: &[Tensor]) -> Vec<Tensor> {
        inputs.to_vec()
    }

    #[test]
    fn rows_go_to_their_slots_and_nothing_else_changes() {
        // Two heads of 16 and of 32; slots 5, none, 2.
        let key: Vec<u16> = (0..3 * 32).collect();
        let value: Vec<u16> = (1000..1000 + 3 * 64).collect();
        let old = |len: usize| vec![0xEEEEu16; len];
        let key_cache = Tensor::nd(ACL_FLOAT16, &[2, 4, 2, 16], &old(2 * 4 * 32));
        let value_cache = Tensor::nd(ACL_FLOAT16, &[2, 4, 2, 32], &old(2 * 4 * 64));
        let inputs = [
            Tensor::nd(ACL_FLOAT16, &[3, 2, 16], &key),
            Tensor::nd(ACL_FLOAT16, &[3, 2, 32], &value),
            key_cache.clone(),
            value_cache.clone(),
            Tensor::nd(ACL_INT32, &[3], &[5i32, -7, 2]),
        ];
        run_into(&operation(K_CACHE_V_CACHE), &inputs, &caches(&[key_cache.clone(), value_cache.clone()]))
            .unwrap();
        for (cache, tokens, width) in [(key_cache, key, 32), (value_cache, value, 64)] {
            let mut expected = old(8 * width);
            expected[5 * width..6 * width].copy_from_slice(&tokens[..width]);
            expected[2 * width..3 * width].copy_from_slice(&tokens[2 * width..]);
            assert_eq!(cache.values::<u16>(), expected);
        }
    }

    #[test]
    fn slots_beyond_the_cache_are_a_fault() {
        let cache = Tensor::nd(ACL_FLOAT16, &[2, 4, 1, 16], &[0u16; 128]);
        let with = |slot: i32| {
            let inputs = [
                Tensor::nd(ACL_FLOAT16, &[1, 1, 16], &[1u16; 16]),
                cache.clone(),
                Tensor::nd(ACL_INT32, &[1], &[slot]),
            ];
            run_into(&operation(K_CACHE_V_BYPASS), &inputs, &caches(std::slice::from_ref(&cache)))
        };
        assert!(with(7).is_ok());
        let message = with(8).unwrap_err().to_string();
        assert!(message.contains("slot 8") && message.contains("8 slots"), "{message}");
    }

    proptest! {
        #[test]
        fn fractals_are_addressed_by_the_formula(
            slots in proptest::sample::subsequence((0..64).collect::<Vec<i32>>(), 1..6), int8: bool, blocks in 1i64..3,
        ) {
            // 64 columns; a block of 32 rows.
            let (tokens, block) = (slots.len() as i64, if int8 { 32usize } else { 16 });
            let slots: Vec<i32> = slots.into_iter().map(|slot| slot % (32 * blocks as i32)).collect();
            let dtype = if int8 { ACL_INT8 } else { ACL_BF16 };
            let size = if int8 { 1 } else { 2 };
            let bytes = |salt: usize, len: usize| -> Vec<u8> { (0..len).map(|i| (i * 31 + salt) as u8).collect() };
            let key = bytes(1, slots.len() * 64 * size);
            let value = bytes(2, slots.len() * 128);
            let key_cache = Tensor::new(
                TensorDesc::nz(dtype, &[blocks, 64 / block as i64, 32, block as i64]),
                &vec![0xEEu8; blocks as usize * 64 * 32 * size],
            );
            let value_cache = Tensor::new(
                TensorDesc::nz(ACL_FLOAT16, &[blocks, 4, 32, 16]), &vec![0xEEu8; blocks as usize * 64 * 32 * 2],
            );
            let inputs = [
                Tensor::nd(dtype, &[tokens, 1, 64], &key),
                Tensor::nd(ACL_FLOAT16, &[tokens, 1, 64], &value),
                key_cache.clone(), value_cache.clone(),
                Tensor::nd(ACL_INT32, &[tokens], &slots),
            ];
            run_into(&operation(K_CACHE_V_CACHE_NZ), &inputs, &[key_cache.clone(), value_cache.clone()]).unwrap();
            for (cache, tokens, block, size) in [(&key_cache, &key, block, size), (&value_cache, &value, 16, 2)] {
                let actual = cache.values::<u8>();
                let mut expected = vec![0xEEu8; actual.len()];
                for (token, slot) in slots.iter().enumerate() {
                    let (page, row) = (*slot as usize / 32, *slot as usize % 32);
                    for column in 0..64 {
                        let to = page * 64 * 32 + column / block * 32 * block + row * block + column % block;
                        let from = token * 64 + column;
                        expected[to * size..][..size].copy_from_slice(&tokens[from * size..][..size]);
                    }
                }
                prop_assert_eq!(actual, expected);
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let f16 = |shape: &[i64]| TensorDesc::nd(ACL_FLOAT16, shape);
        let nz = |shape: &[i64]| TensorDesc::nz(ACL_FLOAT16, shape);
        let slots = TensorDesc::nd(ACL_INT32, &[3]);
        let nd =
            [f16(&[3, 2, 16]), f16(&[3, 2, 32]), f16(&[5, 4, 2, 16]), f16(&[5, 4, 2, 32]), slots.clone()];
        let fractal =
            [f16(&[3, 2, 16]), f16(&[3, 2, 32]), nz(&[5, 2, 16, 16]), nz(&[5, 4, 16, 16]), slots.clone()];
        let one = [f16(&[3, 2, 16]), f16(&[5, 4, 2, 16]), slots.clone()];
        let dim = ATB_ERROR_INVALID_TENSOR_DIM;
        let cases: [(i32, &[TensorDesc], usize, TensorDesc, i32); 20] = [
            (0, &nd, 0, f16(&[3, 32]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (0, &nd, 4, TensorDesc::nd(ACL_INT32, &[3, 1]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (0, &nd, 1, f16(&[4, 2, 32]), dim),
            (0, &nd, 1, f16(&[3, 1, 32]), dim),
            (0, &nd, 3, f16(&[6, 4, 2, 32]), dim),
            (0, &nd, 3, f16(&[5, 8, 2, 32]), dim),
            (0, &nd, 2, f16(&[5, 4, 1, 16]), dim),
            (0, &nd, 3, f16(&[5, 4, 2, 16]), dim),
            (0, &nd, 3, TensorDesc::nd(ACL_BF16, &[5, 4, 2, 32]), ATB_ERROR_INVALID_TENSOR_INI_MATCH),
            (1, &one, 1, f16(&[5, 4, 32]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (1, &one, 2, TensorDesc::nd(ACL_INT32, &[4]), dim),
            (1, &one, 1, f16(&[5, 4, 1, 16]), dim),
            (1, &one, 1, f16(&[5, 4, 2, 32]), dim),
            (2, &fractal, 2, nz(&[5, 2, 256]), ATB_ERROR_INVALID_TENSOR_DIM_NUM),
            (2, &fractal, 1, f16(&[4, 2, 32]), dim),
            (2, &fractal, 1, f16(&[3, 1, 32]), dim),
            (2, &fractal, 3, nz(&[5, 4, 32, 16]), dim),
            (2, &fractal, 2, nz(&[5, 1, 16, 32]), dim),
            (2, &fractal, 3, nz(&[5, 3, 16, 16]), dim),
            (2, &fractal, 3, f16(&[5, 4, 16, 16]), ATB_ERROR_INVALID_TENSOR_INI_MATCH),
        ];
        for (config, good, index, desc, status) in cases {
            assert!(infer(&operation(config), good).is_ok());
            let mut inputs = good.to_vec();
            inputs[index] = desc;
            assert_eq!(
                infer(&operation(config), &inputs).unwrap_err().status,
                status,
                "{config}: {inputs:?}"
            );
        }
        let mut unaligned = fractal.clone();
        unaligned[2].shape[2] = 24;
        unaligned[3].shape[2] = 24;
        assert_eq!(infer(&operation(2), &unaligned).unwrap_err().status, dim);
        let outputs = [nd[2].clone(), f16(&[6, 4, 2, 32])];
        assert_eq!(set_up(&operation(0), &nd, &outputs).unwrap_err().status, dim);
    }
}
