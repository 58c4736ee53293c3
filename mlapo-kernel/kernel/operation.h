// What both kinds of cores know: operands, constants, flags, and how a product's columns are shared out.
#ifndef MLAPO_OPERATION_H
#define MLAPO_OPERATION_H

#include "kernel_operator.h"
#include "mlapo_tiling.h"

namespace Mlapo {

// The products: index of Tiling::product.
constexpr uint32_t PRODUCT_DOWN = 0;
constexpr uint32_t PRODUCT_UP = 1;
constexpr uint32_t PRODUCT_ABSORB = 2;
constexpr uint32_t PRODUCTS = 3;

constexpr uint32_t CACHE_COMBINED = 0;
constexpr uint32_t CACHE_SPLIT = 1;
constexpr uint32_t CACHE_SPLIT_NZ_INT8 = 2;
constexpr uint32_t CACHE_SPLIT_NZ = 3;

// Flags between cores.
constexpr uint16_t FLAG_VECTOR_CORES = 0; // all vector cores are here (mode 0)
constexpr uint16_t FLAG_START = 1;        // vector to cube: product 0, 1, 2 may start (flags 1, 2, 3)
constexpr uint16_t FLAG_DOWN_DONE = 4;    // cube to vector: this block's columns of the down-projection are there
constexpr uint16_t FLAG_TILE = 5;         // cube to vector: a tile is there
constexpr uint16_t FLAG_TILE_TAKEN = 6;   // vector to cube: a tile was taken
constexpr uint32_t TILES_AHEAD = 12;

// Addresses in global memory.
struct Operands {
    GM_ADDR hidden;
    GM_ADDR gamma0;
    GM_ADDR beta0;
    GM_ADDR wdqkv;
    GM_ADDR descale0;
    GM_ADDR bias0;
    GM_ADDR gamma1;
    GM_ADDR beta1;
    GM_ADDR wuq;
    GM_ADDR descale1;
    GM_ADDR bias1;
    GM_ADDR gamma2;
    GM_ADDR cos;
    GM_ADDR sin;
    GM_ADDR wuk;
    GM_ADDR q_nope_scale;
    GM_ADDR slot_mapping;
    GM_ADDR kv_cache;
    GM_ADDR kv_cache_rope;
    GM_ADDR q_out0;
    GM_ADDR q_out1;
    GM_ADDR workspace;
};

__aicore__ inline uint32_t Min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

__aicore__ inline uint32_t RoundUp(uint32_t value, uint32_t unit)
{
    return (value + unit - 1) / unit * unit;
}

// A range of a product's columns.
struct Columns {
    uint32_t first;
    uint32_t count;
};

// The units of columns of a block: block b of n has those from U * b / n up to U * (b + 1) / n.
__aicore__ inline uint32_t FirstUnit(const Product& product, uint32_t block, uint32_t blocks)
{
    return static_cast<uint32_t>(static_cast<uint64_t>(product.units) * block / blocks);
}

__aicore__ inline uint32_t Tiles(const Product& product, uint32_t block, uint32_t blocks)
{
    const uint32_t units = FirstUnit(product, block + 1, blocks) - FirstUnit(product, block, blocks);
    return (units + product.tile_units - 1) / product.tile_units;
}

__aicore__ inline Columns TileColumns(const Product& product, uint32_t tile, uint32_t block, uint32_t blocks)
{
    const uint32_t first = FirstUnit(product, block, blocks) + tile * product.tile_units;
    const uint32_t end = Min(first + product.tile_units, FirstUnit(product, block + 1, blocks));
    return {first * product.unit, (end - first) * product.unit};
}

// Length of a chunk of the inner dimension.
__aicore__ inline uint32_t InnerLength(const Product& product, uint32_t chunk)
{
    return Min(product.inner_chunk, product.inner - chunk * product.inner_chunk);
}

// How the 16-bit types differ.
template <typename T> struct Half;

template <> struct Half<half> {
    // The way out of the cube cores turns int32 sums into this type.
    static constexpr bool FROM_SUMS = true;
    static constexpr QuantMode_t FROM_FLOAT = QuantMode_t::F322F16;
};

template <> struct Half<bfloat16_t> {
    static constexpr bool FROM_SUMS = false;
    static constexpr QuantMode_t FROM_FLOAT = QuantMode_t::F322BF16;
};

} // namespace Mlapo

#endif
