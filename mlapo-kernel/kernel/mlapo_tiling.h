// Written by `cargo xtask tiling-header` from src/tiling/definition.rs: change it there.
#ifndef MLAPO_TILING_H
#define MLAPO_TILING_H

#include <cstdint>

namespace Mlapo {

// How one of the three products is cut.
struct Product {
    // Columns of the result.
    uint32_t columns;
    // Length of the inner dimension, in elements.
    uint32_t inner;
    // Columns that belong together.
    uint32_t unit;
    // How many units there are; a block takes a range of them.
    uint32_t units;
    // Units of a tile.
    uint32_t tile_units;
    // Elements of the inner dimension in a chunk of weights.
    uint32_t inner_chunk;
    // How many chunks there are.
    uint32_t inner_chunks;
    // Chunks whose rows of the left side are loaded at a time.
    uint32_t row_chunks_of_inner;
    // Elements of the inner dimension in a step of the cube unit.
    uint32_t step;
};

// What a launch is asked to do and how its work is cut.
struct Tiling {
    // Token rows of this launch.
    uint32_t tokens;
    // Width of the hidden state.
    uint32_t hidden_size;
    // Width of the query latent.
    uint32_t q_lora_rank;
    // Width of the key-value latent.
    uint32_t kv_lora_rank;
    // Rotary part of a head.
    uint32_t qk_rope_head_dim;
    // Non-rotary part of a head.
    uint32_t qk_nope_head_dim;
    // Query heads.
    uint32_t num_heads;
    // 1 for bfloat16, 0 for half.
    uint32_t bf16;
    // The cache mode's number.
    uint32_t cache_mode;
    // 1 if each token has its own activation scales.
    uint32_t per_token;
    // 1 if the hidden state is normalized here.
    uint32_t input_norm;
    // 1 if static scales divide, 0 if their reciprocals multiply.
    uint32_t divide;
    // 1 if the key up-projection is FRACTAL_NZ.
    uint32_t wuk_nz;
    // 1 if the sums of the int8 products are dequantized as they leave the cube cores: half with one scale for
    // each column, as 64-bit words.
    uint32_t fused_dequant;
    // Rows of a block of the cache.
    uint32_t block_size;
    // Added to mean squares.
    float epsilon;
    // Static scale of the hidden state.
    float quant_scale0;
    // Its zero point.
    float quant_offset0;
    // Static scale of the query latent.
    float quant_scale1;
    // Its zero point.
    float quant_offset1;
    // Scale of an int8 latent in the cache.
    float ctkv_scale;
    // Blocks of the launch: cube cores.
    uint32_t blocks;
    // Token rows that the cube cores take at a time.
    uint32_t row_chunk;
    // How many times that is.
    uint32_t row_chunks;
    // How many vector cores share a row of the hidden state.
    uint32_t hidden_parts;
    // Columns of each of them.
    uint32_t hidden_part;
    // How many vector cores share a row of the query latent.
    uint32_t latent_parts;
    // Columns of each of them.
    uint32_t latent_part;
    // Keeps what follows aligned.
    uint32_t reserved;
    // Down-projection, up-projection, absorption.
    Product product[3];
    // In the workspace, in bytes: quantized hidden state, int8 rows.
    uint64_t hidden_offset;
    // Scales of its rows, floats.
    uint64_t hidden_scale_offset;
    // Sums of the down-projection, int32 rows.
    uint64_t down_offset;
    // Quantized query latent, int8 rows.
    uint64_t latent_offset;
    // Scales of its rows, floats.
    uint64_t latent_scale_offset;
    // Sums of the up-projection, int32 rows.
    uint64_t up_offset;
    // Non-rotary part of the query, 16-bit rows.
    uint64_t query_offset;
    // Absorbed query before it is quantized, 16-bit rows.
    uint64_t absorbed_offset;
    // Bytes of the whole workspace.
    uint64_t workspace_bytes;
};

} // namespace Mlapo

#endif
