// The vector cores' part: norms and quantization before each int8 product, the key's path, the query's path.
#ifndef MLAPO_VECTOR_H
#define MLAPO_VECTOR_H

#include "key.h"
#include "norm.h"
#include "query.h"

namespace Mlapo {

template <typename T> class VectorCore {
public:
    __aicore__ inline VectorCore(const Operands& operands, const Tiling& tiling) : operands_(operands), tiling_(tiling)
    {
        core_ = AscendC::GetBlockIdx();
        cores_ = tiling.blocks * 2;
    }

    __aicore__ inline void Run()
    {
        const bool per_token = tiling_.per_token != 0;
        const bool done = tiling_.fused_dequant != 0;
        const Dequant down = {operands_.descale0, operands_.bias0, operands_.workspace + tiling_.hidden_scale_offset, per_token, done};
        const Dequant up = {operands_.descale1, operands_.bias1, operands_.workspace + tiling_.latent_scale_offset, per_token, done};

        NormHidden();
        Start(PRODUCT_DOWN);
        AscendC::CrossCoreWaitFlag(FLAG_DOWN_DONE);
        Meet();
        NormLatent(down);
        Start(PRODUCT_UP);
        // The cube cores are at the up-projection meanwhile.
        Keys(down);
        QueryPath<T> query(buffer_, operands_, tiling_, up);
        TakeTiles(PRODUCT_UP, query);
        Start(PRODUCT_ABSORB);
        if (tiling_.cache_mode == CACHE_SPLIT_NZ_INT8) {
            TakeTiles(PRODUCT_ABSORB, query);
        }
    }

private:
    // All vector cores have written what they had to.
    __aicore__ inline void Meet()
    {
        AscendC::CrossCoreSetFlag<0, PIPE_MTE3>(FLAG_VECTOR_CORES);
        AscendC::CrossCoreWaitFlag(FLAG_VECTOR_CORES);
    }

    // The left side of a product is there.
    __aicore__ inline void Start(uint32_t product)
    {
        Meet();
        AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(FLAG_START + product);
    }

    __aicore__ inline void NormHidden()
    {
        HiddenRows<T> rows(buffer_, operands_.hidden, tiling_.hidden_size);
        const NormQuant how = {operands_.gamma0, operands_.beta0, operands_.workspace + tiling_.hidden_offset,
            operands_.workspace + tiling_.hidden_scale_offset, tiling_.hidden_size, tiling_.hidden_parts,
            tiling_.hidden_part, tiling_.epsilon, tiling_.quant_scale0, tiling_.quant_offset0, tiling_.input_norm != 0,
            tiling_.per_token != 0, tiling_.divide != 0};
        Norm(rows, how);
    }

    __aicore__ inline void NormLatent(const Dequant& down)
    {
        LatentRows<T> rows(buffer_, down, operands_.workspace + tiling_.down_offset, tiling_.product[PRODUCT_DOWN].columns,
            tiling_.kv_lora_rank + tiling_.qk_rope_head_dim);
        const NormQuant how = {operands_.gamma1, operands_.beta1, operands_.workspace + tiling_.latent_offset,
            operands_.workspace + tiling_.latent_scale_offset, tiling_.q_lora_rank, tiling_.latent_parts,
            tiling_.latent_part, tiling_.epsilon, tiling_.quant_scale1, tiling_.quant_offset1, true,
            tiling_.per_token != 0, tiling_.divide != 0};
        Norm(rows, how);
    }

    // Parts of rows, one after the other over all cores.
    template <typename Rows> __aicore__ inline void Norm(Rows& rows, const NormQuant& how)
    {
        NormQuantizer<T, Rows> quantizer(buffer_, rows, how);
        for (uint64_t item = core_; item < static_cast<uint64_t>(tiling_.tokens) * how.parts; item += cores_) {
            quantizer.Run(static_cast<uint32_t>(item / how.parts), static_cast<uint32_t>(item % how.parts));
        }
    }

    __aicore__ inline void Keys(const Dequant& down)
    {
        if (core_ >= tiling_.tokens) {
            return;
        }
        KeyPath<T> keys(buffer_, operands_, tiling_, down);
        keys.Open();
        for (uint32_t row = core_; row < tiling_.tokens; row += cores_) {
            keys.Row(row);
        }
    }

    // Takes over the tiles of this block's cube core; the block's two vector cores share each tile by columns.
    __aicore__ inline void TakeTiles(uint32_t product, QueryPath<T>& query)
    {
        const Product& shape = tiling_.product[product];
        const uint32_t block = core_ / 2;
        const uint32_t tiles = Tiles(shape, block, tiling_.blocks);
        for (uint32_t tile = 0; tile < tiles; ++tile) {
            const Columns columns = Share(TileColumns(shape, tile, block, tiling_.blocks), product);
            for (uint32_t chunk = 0; chunk < tiling_.row_chunks; ++chunk) {
                const uint32_t row = chunk * tiling_.row_chunk;
                const uint32_t rows = Min(tiling_.row_chunk, tiling_.tokens - row);
                AscendC::CrossCoreWaitFlag(FLAG_TILE);
                if (columns.count > 0) {
                    if (product == PRODUCT_UP) {
                        query.Up(columns, row, rows);
                    } else {
                        query.Absorbed(columns, row, rows);
                    }
                }
                AscendC::CrossCoreSetFlag<2, PIPE_MTE2>(FLAG_TILE_TAKEN);
            }
        }
    }

    // This core's half of a tile: whole units of the up-projection, multiples of 32 columns of the absorbed query.
    __aicore__ inline Columns Share(const Columns& tile, uint32_t product) const
    {
        const uint32_t unit = product == PRODUCT_UP ? tiling_.product[product].unit : 32;
        const uint32_t units = tile.count / unit;
        const uint32_t half_units = (units + 1) / 2;
        if (core_ % 2 == 0) {
            return {tile.first, half_units * unit};
        }
        return {tile.first + half_units * unit, (units - half_units) * unit};
    }

    const Operands& operands_;
    const Tiling& tiling_;
    Buffer buffer_;
    uint32_t core_ = 0;
    uint32_t cores_ = 0;
};

} // namespace Mlapo

#endif
