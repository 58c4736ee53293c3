//! The structures that the kernel reads, defined once for both languages: the C++ header
//! `kernel/mlapo_tiling.h` is [`tiling_header`]'s text (`cargo xtask tiling-header` writes it), and a test compares them.

macro_rules! c_type {
    (u32) => {
        "uint32_t"
    };
    (u64) => {
        "uint64_t"
    };
    (f32) => {
        "float"
    };
    ([Product; 3]) => {
        "Product"
    };
}

macro_rules! c_suffix {
    ([Product; 3]) => {
        "[3]"
    };
    ($($other:tt)*) => {
        ""
    };
}

macro_rules! structures {
    ($($(#[doc = $doc:literal])+ pub struct $name:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $type:tt,)* })*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
            #[repr(C)]
            pub struct $name { $($(#[doc = $field_doc])+ pub $field: $type,)* }
        )*

        /// The text of `kernel/mlapo_tiling.h`: the structures in C++.
        pub fn tiling_header() -> String {
            let mut text = String::from(HEADER_START);
            $(
                $(text.push_str(concat!("//", $doc, "\n"));)+
                text.push_str(concat!("struct ", stringify!($name), " {\n"));
                $(
                    $(text.push_str(concat!("    //", $field_doc, "\n"));)+
                    text.push_str(concat!("    ", c_type!($type), " ", stringify!($field), c_suffix!($type), ";\n"));
                )*
                text.push_str("};\n\n");
            )*
            text.push_str(HEADER_END);
            text
        }
    };
}

const HEADER_START: &str =
    "// Written by `cargo xtask tiling-header` from src/tiling/definition.rs: change it there.
#ifndef MLAPO_TILING_H
#define MLAPO_TILING_H

#include <cstdint>

namespace Mlapo {

";

const HEADER_END: &str = "} // namespace Mlapo

#endif
";

structures! {
    /// How one of the three products is cut.
    pub struct Product {
        /// Columns of the result.
        columns: u32,
        /// Length of the inner dimension, in elements.
        inner: u32,
        /// Columns that belong together.
        unit: u32,
        /// How many units there are; a block takes a range of them.
        units: u32,
        /// Units of a tile.
        tile_units: u32,
        /// Elements of the inner dimension in a chunk of weights.
        inner_chunk: u32,
        /// How many chunks there are.
        inner_chunks: u32,
        /// Chunks whose rows of the left side are loaded at a time.
        row_chunks_of_inner: u32,
        /// Elements of the inner dimension in a step of the cube unit.
        step: u32,
    }

    /// What a launch is asked to do and how its work is cut.
    pub struct Tiling {
        /// Token rows of this launch.
        tokens: u32,
        /// Width of the hidden state.
        hidden_size: u32,
        /// Width of the query latent.
        q_lora_rank: u32,
        /// Width of the key-value latent.
        kv_lora_rank: u32,
        /// Rotary part of a head.
        qk_rope_head_dim: u32,
        /// Non-rotary part of a head.
        qk_nope_head_dim: u32,
        /// Query heads.
        num_heads: u32,
        /// 1 for bfloat16, 0 for half.
        bf16: u32,
        /// The cache mode's number.
        cache_mode: u32,
        /// 1 if each token has its own activation scales.
        per_token: u32,
        /// 1 if the hidden state is normalized here.
        input_norm: u32,
        /// 1 if static scales divide, 0 if their reciprocals multiply.
        divide: u32,
        /// 1 if the key up-projection is FRACTAL_NZ.
        wuk_nz: u32,
        /// 1 if the sums of the int8 products are dequantized as they leave the cube cores: half with one scale for
        /// each column, as 64-bit words.
        fused_dequant: u32,
        /// Rows of a block of the cache.
        block_size: u32,
        /// Added to mean squares.
        epsilon: f32,
        /// Static scale of the hidden state.
        quant_scale0: f32,
        /// Its zero point.
        quant_offset0: f32,
        /// Static scale of the query latent.
        quant_scale1: f32,
        /// Its zero point.
        quant_offset1: f32,
        /// Scale of an int8 latent in the cache.
        ctkv_scale: f32,
        /// Blocks of the launch: cube cores.
        blocks: u32,
        /// Token rows that the cube cores take at a time.
        row_chunk: u32,
        /// How many times that is.
        row_chunks: u32,
        /// How many vector cores share a row of the hidden state.
        hidden_parts: u32,
        /// Columns of each of them.
        hidden_part: u32,
        /// How many vector cores share a row of the query latent.
        latent_parts: u32,
        /// Columns of each of them.
        latent_part: u32,
        /// Keeps what follows aligned.
        reserved: u32,
        /// Down-projection, up-projection, absorption.
        product: [Product; 3],
        /// In the workspace, in bytes: quantized hidden state, int8 rows.
        hidden_offset: u64,
        /// Scales of its rows, floats.
        hidden_scale_offset: u64,
        /// Sums of the down-projection, int32 rows.
        down_offset: u64,
        /// Quantized query latent, int8 rows.
        latent_offset: u64,
        /// Scales of its rows, floats.
        latent_scale_offset: u64,
        /// Sums of the up-projection, int32 rows.
        up_offset: u64,
        /// Non-rotary part of the query, 16-bit rows.
        query_offset: u64,
        /// Absorbed query before it is quantized, 16-bit rows.
        absorbed_offset: u64,
        /// Bytes of the whole workspace.
        workspace_bytes: u64,
    }
}
