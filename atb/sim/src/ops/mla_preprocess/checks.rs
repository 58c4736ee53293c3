//! What ATB checks of MlaPreprocess's tensors, in its order (ATB's source mla_preprocess_operation.cpp).
//!
//! ATB does not look at the shapes of the weights and the biases, at the caches but for their block size, at the scales of
//! cache mode 2, nor at any output of cache modes 2 and 3.

use ascendcl_sys::{
    ACL_BF16, ACL_FLOAT, ACL_FLOAT16, ACL_FORMAT_FRACTAL_NZ, ACL_FORMAT_ND, ACL_INT8, ACL_INT32, ACL_INT64,
    aclDataType, aclFormat,
};

use super::*;
use crate::operator::{Refusal, refuse};
use crate::tensor_check::is_empty;

const MAX_TOKENS: i64 = 1024;
/// Hidden sizes of the `aclnn` kernel.
const ACLNN_HIDDEN: std::ops::RangeInclusive<i64> = 2048..=8192;
const NZ_BLOCK: i64 = 128;

const NAMES: [&str; INPUTS] = [
    "input",
    "gamma0",
    "beta0",
    "quantScale0",
    "quantOffset0",
    "wdqkv",
    "deScale0",
    "bias0",
    "gamma1",
    "beta1",
    "quantScale1",
    "quantOffset1",
    "wuq",
    "deScale1",
    "bias1",
    "gamma2",
    "cos",
    "sin",
    "wuk",
    "kvCache",
    "kvCacheRope",
    "slotmapping",
    "ctkvScale",
    "qNopeScale",
];

/// What one row of ATB's table leaves open.
#[derive(Clone, Copy, Debug)]
struct Combination {
    /// The type of activations.
    float: aclDataType,
    weights: aclDataType,
    wuk: aclFormat,
}

impl Combination {
    /// The eight of each operation of the table.
    fn all() -> impl Iterator<Item = Self> {
        let of = |float| {
            [float, ACL_INT8].into_iter().flat_map(move |weights| {
                [ACL_FORMAT_FRACTAL_NZ, ACL_FORMAT_ND].map(move |wuk| Self { float, weights, wuk })
            })
        };
        [ACL_FLOAT16, ACL_BF16].into_iter().flat_map(of)
    }
}

/// The first tensor that is not left out and has another type or format.
fn first_misfit(descs: &[TensorDesc], expected: impl Fn(usize) -> (aclDataType, aclFormat)) -> Option<usize> {
    let mut descs = descs.iter().enumerate();
    let (index, _) =
        descs.find(|(index, desc)| !is_empty(desc) && (desc.dtype, desc.format) != expected(*index))?;
    Some(index)
}

fn dim_num(message: String) -> Refusal {
    refuse!(ATB_ERROR_INVALID_TENSOR_DIM_NUM, "MlaPreprocess: {message}")
}

fn dimension(message: String) -> Refusal {
    refuse!(ATB_ERROR_INVALID_TENSOR_DIM, "MlaPreprocess: {message}")
}

impl MlaPreprocess {
    /// Whether the table says that an input may be left out.
    pub(super) fn is_optional(&self, input: usize) -> bool {
        match input {
            3 | 4 | 7 | 10 | 11 | 14 => self.is_per_token(),
            KV_CACHE_ROPE => {
                let mode = self.param.cache_mode;
                mode == CACHE_KV || (mode == CACHE_KROPE_CTKV && self.is_per_token())
            }
            22 | 23 => self.param.cache_mode != CACHE_INT8_NZ,
            _ => false,
        }
    }

    pub(super) fn check_combination(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        // The combination that fits the most inputs, and the first that does not fit, for the message.
        let mut best = (0, String::new());
        for combination in Combination::all() {
            let wrong = |what: &str, desc: &TensorDesc, (dtype, format): (aclDataType, aclFormat)| {
                format!(
                    "{what} has type {} and format {}, where {} and {} are expected if the activations' type is {}, the \
                     weights' {} and the format of wuk {}",
                    desc.dtype.0,
                    desc.format.0,
                    dtype.0,
                    format.0,
                    combination.float.0,
                    combination.weights.0,
                    combination.wuk.0
                )
            };
            let misfit = first_misfit(inputs, |index| self.input(index, combination));
            if let Some(index) = misfit {
                if index >= best.0 {
                    best = (index, wrong(NAMES[index], &inputs[index], self.input(index, combination)));
                }
                continue;
            }
            let misfit = first_misfit(outputs, |index| self.output(index, combination));
            let Some(index) = misfit else { return Ok(()) };
            if INPUTS + index >= best.0 {
                let what = format!("output {index}");
                best = (INPUTS + index, wrong(&what, &outputs[index], self.output(index, combination)));
            }
        }
        Err(refuse!(ATB_ERROR_INVALID_TENSOR_INI_MATCH, "MlaPreprocess: {}", best.1))
    }

    /// Type and format of an input in a row of the table.
    fn input(&self, input: usize, combination: Combination) -> (aclDataType, aclFormat) {
        let Combination { float, weights, wuk } = combination;
        let per_token = self.is_per_token();
        let cache_format = if self.has_nz_cache() { ACL_FORMAT_FRACTAL_NZ } else { ACL_FORMAT_ND };
        match input {
            // For activations of any type; of a tensor that no kernel reads.
            3 | 10 if per_token => (ACL_FLOAT16, ACL_FORMAT_ND),
            4 | 11 => (if per_token { ACL_FLOAT16 } else { ACL_INT8 }, ACL_FORMAT_ND),
            5 | 12 => (weights, ACL_FORMAT_FRACTAL_NZ),
            6 | 13 if per_token || float == ACL_BF16 => (ACL_FLOAT, ACL_FORMAT_ND),
            6 | 13 => (ACL_INT64, ACL_FORMAT_ND),
            7 | 14 => (if per_token { float } else { ACL_INT32 }, ACL_FORMAT_ND),
            WUK => (float, wuk),
            KV_CACHE if self.param.cache_mode == CACHE_INT8_NZ => (ACL_INT8, cache_format),
            KV_CACHE | KV_CACHE_ROPE => (float, cache_format),
            21 => (ACL_INT32, ACL_FORMAT_ND),
            // The kernel reads these in the type of the activations; the table says fp16 even for bf16. So bf16 with per-token
            // quantisation cannot be right in cache mode 2, where they must not be left out.
            22 | 23 if per_token => (ACL_FLOAT16, ACL_FORMAT_ND),
            _ => (float, ACL_FORMAT_ND),
        }
    }

    /// Type and format of an output in a row of the table.
    fn output(&self, output: usize, combination: Combination) -> (aclDataType, aclFormat) {
        match output {
            0 if self.param.cache_mode == CACHE_INT8_NZ => (ACL_INT8, ACL_FORMAT_ND),
            1 => self.input(KV_CACHE, combination),
            3 => self.input(KV_CACHE_ROPE, combination),
            _ => (combination.float, ACL_FORMAT_ND),
        }
    }

    pub(super) fn check_dimensions(&self, inputs: &[TensorDesc]) -> Result {
        let (tokens, heads) = (dim(&inputs[INPUT], 0), dim(&inputs[WUK], 0));
        if tokens <= 0 || heads <= 0 {
            return Err(dimension(format!(
                "there must be tokens (input) and heads (wuk), not {tokens} and {heads}"
            )));
        }
        if tokens > MAX_TOKENS {
            return Err(dimension(format!("at most {MAX_TOKENS} tokens are possible, not {tokens}")));
        }
        self.check_block_size(&inputs[KV_CACHE])?;
        let uses_aclnn = self.check_kernel(inputs)?;
        check_hidden(uses_aclnn, inputs)?;
        let expected: [&[i64]; INPUTS] = [
            &[],
            &[],
            &[],
            &[1],
            &[1],
            &[],
            &[DOWN],
            &[],
            &[QUERY_LATENT],
            &[QUERY_LATENT],
            &[1],
            &[1],
            &[],
            &[heads.saturating_mul(HEAD)],
            &[],
            &[LATENT],
            &[tokens, ROPE],
            &[tokens, ROPE],
            &[],
            &[],
            &[],
            &[tokens],
            &[],
            &[],
        ];
        for ((name, desc), expected) in NAMES.iter().zip(inputs).zip(expected) {
            if expected.is_empty() || desc.is_none() {
                continue;
            }
            if desc.shape.len() != expected.len() {
                return Err(dim_num(format!("{name} is {:?}; {expected:?} is expected", desc.shape)));
            }
            if desc.shape != expected {
                return Err(dimension(format!("{name} is {:?}; {expected:?} is expected", desc.shape)));
            }
        }
        Ok(())
    }

    fn check_block_size(&self, cache: &TensorDesc) -> Result {
        let block = self.block_size(cache);
        if !(1..=128).contains(&block) && block != 256 {
            return Err(dimension(format!("a block of kvCache has 1 to 128 or 256 slots, not {block}")));
        }
        if self.has_nz_cache() && block != NZ_BLOCK {
            return Err(dimension(format!("a block of an NZ cache has {NZ_BLOCK} slots, not {block}")));
        }
        Ok(())
    }

    /// Whether the `aclnn` kernel computes it.
    fn check_kernel(&self, inputs: &[TensorDesc]) -> Result<bool> {
        let hidden = dim(&inputs[INPUT], 1);
        let float = inputs[INPUT].dtype;
        let has_float_weights = inputs[WDQKV].dtype == float && [ACL_FLOAT16, ACL_BF16].contains(&float);
        if hidden == HIDDEN && !has_float_weights {
            return Ok(false);
        }
        if self.param.quant_mode != QUANT_PER_TENSOR {
            return Err(refuse!(
                ATB_ERROR_INVALID_PARAM,
                "MlaPreprocess: hidden sizes other than {HIDDEN} ({hidden} here) and float weights need quantMode 0"
            ));
        }
        if !self.has_aclnn && hidden != HIDDEN {
            return Err(dim_num(format!(
                "hidden size {hidden} needs the aclnn kernel, which this toolkit lacks ({ACLNN_VARIABLE}=off); {HIDDEN} \
                 does not"
            )));
        }
        if !self.has_aclnn {
            return Err(refuse!(
                ATB_ERROR_INVALID_TENSOR_DTYPE,
                "MlaPreprocess: float weights need the aclnn kernel, which this toolkit lacks ({ACLNN_VARIABLE}=off)"
            ));
        }
        if has_float_weights {
            return Err(refuse!(
                ATB_SHIM_UNSUPPORTED,
                "MlaPreprocess: float weights, for which ATB's aclnn kernel skips the first quantisation, are not simulated"
            ));
        }
        Ok(true)
    }

    pub(super) fn check_output_shapes(&self, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
        let (tokens, heads) = (dim(&inputs[INPUT], 0), dim(&inputs[WUK], 0));
        let cache = &inputs[KV_CACHE];
        let (blocks, block) = (dim(cache, 0), dim(cache, 1));
        match self.param.cache_mode {
            CACHE_KV => {
                check_ranks(outputs, &[3, 4])?;
                check_output(outputs, 0, &[tokens, heads, LATENT + ROPE])?;
                if outputs[1] == *cache {
                    return Ok(());
                }
                Err(dimension(format!("output 1 is {:?}, and kvCache, which it is, {cache:?}", outputs[1])))
            }
            CACHE_KROPE_CTKV => {
                check_ranks(outputs, &[3, 4, 3, 4])?;
                check_output(outputs, 0, &[tokens, heads, LATENT])?;
                check_output(outputs, 1, &[blocks, block, 1, LATENT])?;
                check_output(outputs, 2, &[tokens, heads, ROPE])?;
                check_output(outputs, 3, &[blocks, block, 1, ROPE])
            }
            _ => Ok(()),
        }
    }
}

fn check_hidden(uses_aclnn: bool, inputs: &[TensorDesc]) -> Result {
    let input = &inputs[INPUT];
    if input.shape.len() != 2 {
        return Err(dim_num(format!("input is {:?}; [tokens, hidden] is expected", input.shape)));
    }
    let hidden = dim(input, 1);
    if uses_aclnn && !ACLNN_HIDDEN.contains(&hidden) {
        return Err(dimension(format!("a hidden size is {ACLNN_HIDDEN:?}, not {hidden}")));
    }
    for index in [GAMMA0, BETA0] {
        let (name, desc) = (NAMES[index], &inputs[index]);
        if desc.shape.len() != 1 {
            return Err(dim_num(format!("{name} is {:?}; [{hidden}] is expected", desc.shape)));
        }
        if dim(desc, 0) != hidden {
            return Err(dimension(format!(
                "{name} is {:?}; [{hidden}], as input has, is expected",
                desc.shape
            )));
        }
    }
    Ok(())
}

fn check_ranks(outputs: &[TensorDesc], ranks: &[usize]) -> Result {
    let found: Vec<usize> = outputs.iter().map(|desc| desc.shape.len()).collect();
    if found == ranks {
        Ok(())
    } else {
        Err(dim_num(format!("the outputs' ranks are {found:?}, not {ranks:?}")))
    }
}

fn check_output(outputs: &[TensorDesc], index: usize, shape: &[i64]) -> Result {
    let found = &outputs[index].shape;
    if found == shape {
        Ok(())
    } else {
        Err(dimension(format!("output {index} is {found:?}, not {shape:?}")))
    }
}
