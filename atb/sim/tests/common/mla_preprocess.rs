//! The tensors of MlaPreprocess.

use ascendcl_sys::*;
use atb_sys::*;

use std::ptr;

use super::{Fixture, message, nd, none, nz, tensor};

pub const INPUT: usize = 0;
pub const GAMMA0: usize = 1;
pub const BETA0: usize = 2;
pub const QUANT_SCALE0: usize = 3;
pub const QUANT_OFFSET0: usize = 4;
pub const WDQKV: usize = 5;
pub const DE_SCALE0: usize = 6;
pub const BIAS0: usize = 7;
pub const GAMMA1: usize = 8;
pub const BETA1: usize = 9;
pub const QUANT_SCALE1: usize = 10;
pub const QUANT_OFFSET1: usize = 11;
pub const WUQ: usize = 12;
pub const DE_SCALE1: usize = 13;
pub const BIAS1: usize = 14;
pub const GAMMA2: usize = 15;
pub const COS: usize = 16;
pub const SIN: usize = 17;
pub const WUK: usize = 18;
pub const KV_CACHE: usize = 19;
pub const KV_CACHE_ROPE: usize = 20;
pub const SLOTS: usize = 21;
pub const CTKV_SCALE: usize = 22;
pub const Q_NOPE_SCALE: usize = 23;

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    pub param: atb_mla_preprocess_param,
    pub inputs: Vec<atb_tensor_desc>,
    pub outputs: Vec<atb_tensor_desc>,
}

/// What a call is about.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub cache_mode: u8,
    pub quant_mode: u16,
    pub float: aclDataType,
    pub tokens: i64,
    pub heads: i64,
    pub hidden: i64,
    pub block: i64,
}

impl Default for Case {
    fn default() -> Self {
        Self { cache_mode: 1, quant_mode: 0, float: ACL_BF16, tokens: 2, heads: 3, hidden: 7168, block: 128 }
    }
}

impl Case {
    /// A call that ATB accepts (its own tests' tensors, OPERATOR facts 1.2 and 1.3), with three blocks of cache.
    pub fn call(self) -> Call {
        let Self { cache_mode, quant_mode, float, tokens, heads, hidden, block } = self;
        let per_token = quant_mode == 1;
        let unless_per_token = |desc| if per_token { none() } else { desc };
        let scale = if per_token || float == ACL_BF16 { ACL_FLOAT } else { ACL_INT64 };
        let (cache, rope) = match cache_mode {
            0 => (nd(float, &[3, block, 1, 576]), none()),
            1 => (nd(float, &[3, block, 1, 512]), nd(float, &[3, block, 1, 64])),
            2 => (nz(ACL_INT8, &[3, 16, block, 32]), nz(float, &[3, 4, block, 16])),
            _ => (nz(float, &[3, 32, block, 16]), nz(float, &[3, 4, block, 16])),
        };
        let if_int8 = |desc| if cache_mode == 2 { desc } else { none() };
        let inputs = vec![
            nd(float, &[tokens, hidden]),
            nd(float, &[hidden]),
            nd(float, &[hidden]),
            unless_per_token(nd(float, &[1])),
            unless_per_token(nd(ACL_INT8, &[1])),
            nz(ACL_INT8, &[1, hidden / 32, 2112, 32]),
            nd(scale, &[2112]),
            unless_per_token(nd(ACL_INT32, &[2112])),
            nd(float, &[1536]),
            nd(float, &[1536]),
            unless_per_token(nd(float, &[1])),
            unless_per_token(nd(ACL_INT8, &[1])),
            nz(ACL_INT8, &[1, 48, heads * 192, 32]),
            nd(scale, &[heads * 192]),
            unless_per_token(nd(ACL_INT32, &[heads * 192])),
            nd(float, &[512]),
            nd(float, &[tokens, 64]),
            nd(float, &[tokens, 64]),
            nd(float, &[heads, 128, 512]),
            cache,
            rope,
            nd(ACL_INT32, &[tokens]),
            if_int8(nd(float, &[1])),
            if_int8(nd(float, &[heads])),
        ];
        let outputs = if cache_mode == 0 {
            vec![nd(float, &[tokens, heads, 576]), cache]
        } else {
            let query = if cache_mode == 2 { ACL_INT8 } else { float };
            vec![nd(query, &[tokens, heads, 512]), cache, nd(float, &[tokens, heads, 64]), rope]
        };
        Call { param: param(cache_mode, quant_mode), inputs, outputs }
    }
}

pub fn param(cache_mode: u8, quant_mode: u16) -> atb_mla_preprocess_param {
    let mut param = std::mem::MaybeUninit::uninit();
    ok!(defaultMlaPreprocess(param.as_mut_ptr()));
    // SAFETY: The function has written it.
    let param = unsafe { param.assume_init() };
    atb_mla_preprocess_param { cacheMode: cache_mode, quantMode: quant_mode, ..param }
}

pub fn create(param: &atb_mla_preprocess_param) -> (atb_status, *mut atb_operation) {
    let mut operation = ptr::null_mut();
    (atb!(createMlaPreprocess(param, &mut operation)), operation)
}

/// What `InferShape` and `Setup` answer, the former without looking at the outputs.
pub fn check(fixture: &Fixture, call: &Call) -> (atb_status, atb_status, String) {
    let Call { param, inputs, outputs } = call;
    let (status, operation) = create(param);
    assert_eq!(status, ATB_NO_ERROR, "{}", message());
    let mut inferred = [none(); 4];
    let infer = atb!(inferShape(operation, inputs.as_ptr(), inputs.len(), inferred.as_mut_ptr(), 4, &mut 0));
    let message_of_infer = message();
    let without_memory = |desc: &atb_tensor_desc| tensor(*desc, ptr::null_mut());
    let (inputs, outputs): (Vec<_>, Vec<_>) =
        (inputs.iter().map(without_memory).collect(), outputs.iter().map(without_memory).collect());
    let set_up = atb!(setup(
        operation,
        inputs.as_ptr(),
        inputs.len(),
        outputs.as_ptr(),
        outputs.len(),
        &mut 0,
        fixture.context
    ));
    let text = format!("InferShape: {message_of_infer}; Setup: {}", message());
    ok!(destroyOperation(operation));
    (infer, set_up, text)
}

/// A call in these modes.
pub fn mode(cache_mode: u8, quant_mode: u16, float: aclDataType) -> Case {
    Case { cache_mode, quant_mode, float, ..Case::default() }
}
