//! The tiling of any shape.

use mlapo_kernel::{Shape, Tiling};

use super::input::Input;
use super::tiling_check::check;

/// Plans the shape that the bytes say: a plan that [`check`] accepts, or an error that names a dimension. Whether
/// there was a plan.
pub fn tiling(bytes: &[u8]) -> bool {
    let mut input = Input(bytes);
    let (shape, cores) = if input.flag() { likely(&mut input) } else { any(&mut input) };
    plan(&shape, cores)
}

/// As [`tiling`], of a shape.
pub fn plan(shape: &Shape, cores: usize) -> bool {
    match Tiling::plan(shape, cores) {
        Ok(tiling) => {
            if let Err(fault) = check(&tiling, shape, cores) {
                panic!("{fault}: {shape:?} on {cores} cube cores: {tiling:?}");
            }
            true
        }
        Err(error) => {
            assert!(!error.field.is_empty() && error.to_string().contains(error.field), "{error}");
            assert!(!documented(shape, cores), "refused with `{error}`: {shape:?} on {cores} cube cores");
            false
        }
    }
}

/// Whether the documentation of [`Shape`] and of the kernel's limits says that there is a plan.
fn documented(shape: &Shape, cores: usize) -> bool {
    let is = |value: usize, multiple: usize, largest: usize| {
        value >= 1 && value <= largest && value.is_multiple_of(multiple)
    };
    let (nope, rope) = (shape.qk_nope_head_dim, shape.qk_rope_head_dim);
    is(shape.tokens, 1, 4096)
        && is(shape.hidden_size, 32, 65536)
        && is(shape.q_lora_rank, 32, 65536)
        && is(shape.kv_lora_rank, 32, 1920)
        && is(rope, 16, 128)
        && is(nope, 16, 1024)
        && is(shape.num_heads, 1, 4096)
        && is(shape.block_size, 1, 65536)
        && shape.cache_mode <= 3
        && is(cores, 1, 64)
        // A head that cannot be cut between its parts is in a tile as a whole: 16 rows of it in half of L0C.
        && (nope.is_multiple_of(rope) || nope + rope <= 1024)
}

/// A shape within the limits, or nearly.
fn likely(input: &mut Input<'_>) -> (Shape, usize) {
    let shape = Shape {
        tokens: input.up_to_one_of(40, 4096),
        hidden_size: 32 * input.up_to_one_of(256, 2048),
        q_lora_rank: 32 * input.up_to_one_of(64, 2048),
        kv_lora_rank: 32 * input.up_to(61),
        qk_rope_head_dim: 16 * input.up_to(8),
        qk_nope_head_dim: 16 * input.up_to(64),
        num_heads: input.up_to_one_of(200, 4096),
        block_size: input.up_to(1 << 16),
        cache_mode: input.byte() % 4,
        ..modes(input)
    };
    (shape, input.up_to(64))
}

/// Any shape at all.
fn any(input: &mut Input<'_>) -> (Shape, usize) {
    let shape = Shape {
        tokens: input.size(),
        hidden_size: input.size(),
        q_lora_rank: input.size(),
        kv_lora_rank: input.size(),
        qk_rope_head_dim: input.size(),
        qk_nope_head_dim: input.size(),
        num_heads: input.size(),
        block_size: input.size(),
        cache_mode: input.byte(),
        ..modes(input)
    };
    (shape, input.size())
}

/// The modes; the dimensions are those of DeepSeek-V3.
fn modes(input: &mut Input<'_>) -> Shape {
    Shape {
        bf16: input.flag(),
        per_token: input.flag(),
        input_norm: input.flag(),
        wuk_nz: input.flag(),
        short_scales: input.flag(),
        epsilon: f32::from_bits(input.word() as u32),
        quant: std::array::from_fn(|_| (f32::from_bits(input.word() as u32), input.byte() as i8)),
        ctkv_scale: f32::from_bits(input.word() as u32),
        ..deepseek_v3()
    }
}

/// DeepSeek-V3 on one device of eight, four tokens.
pub fn deepseek_v3() -> Shape {
    Shape {
        tokens: 4,
        hidden_size: 7168,
        q_lora_rank: 1536,
        kv_lora_rank: 512,
        qk_rope_head_dim: 64,
        qk_nope_head_dim: 128,
        num_heads: 16,
        bf16: true,
        cache_mode: 1,
        per_token: false,
        input_norm: true,
        wuk_nz: false,
        short_scales: false,
        block_size: 128,
        epsilon: 1e-6,
        quant: [(0.05, 0); 2],
        ctkv_scale: 1.0,
    }
}
