// The key's path: the latent's norm, the rotary part, and the paged cache.
#ifndef MLAPO_KEY_H
#define MLAPO_KEY_H

#include "dequant.h"
#include "rope.h"

namespace Mlapo {

// Where one row of a cache goes, by slot: in ND a row is one piece; in FRACTAL_NZ a piece is 32 bytes and pieces are a
// block of rows apart.
struct CacheRow {
    uint64_t first;
    uint32_t pieces;
    uint32_t piece;
    uint64_t stride;
};

__aicore__ inline CacheRow RowOfSlot(uint64_t slot, uint32_t width, uint32_t element, uint32_t block_size, bool nz)
{
    if (!nz) {
        return {slot * width, 1, width, width};
    }
    const uint32_t c0 = 32 / element;
    const uint64_t block = slot / block_size;
    const uint64_t row = slot % block_size;
    return {block * width * block_size + row * c0, width / c0, c0, static_cast<uint64_t>(block_size) * c0};
}

template <typename T> class KeyPath {
public:
    __aicore__ inline KeyPath(Buffer& buffer, const Operands& operands, const Tiling& tiling, const Dequant& dequant)
        : buffer_(buffer), operands_(operands), tiling_(tiling), dequant_(dequant)
    {
    }

    // Loads what does not depend on the row.
    __aicore__ inline void Open()
    {
        const uint32_t width = tiling_.kv_lora_rank + tiling_.qk_rope_head_dim;
        const AscendC::LocalTensor<T> raw = buffer_.At<T>(RAW1);
        Pass<AscendC::HardEvent::V_MTE2>();
        LoadRows(raw, Global<T>(operands_.gamma2), 1, tiling_.kv_lora_rank, tiling_.kv_lora_rank);
        if (!dequant_.done) {
            LoadScales(buffer_, dequant_, 0, width, BIAS, DESCALE);
        }
        Pass<AscendC::HardEvent::MTE2_V>();
        AscendC::Cast(buffer_.At<float>(GAMMA), raw, AscendC::RoundMode::CAST_NONE, tiling_.kv_lora_rank);
        Then();
    }

    // A token's key goes to its slot.
    __aicore__ inline void Row(uint32_t row)
    {
        const int32_t slot = Global<int32_t>(operands_.slot_mapping).GetValue(row);
        if (slot < 0) {
            return;
        }
        const uint32_t latent = tiling_.kv_lora_rank;
        const uint32_t rope = tiling_.qk_rope_head_dim;
        const AscendC::LocalTensor<int32_t> sums = buffer_.At<int32_t>(SUMS);
        const AscendC::LocalTensor<float> row_scale = buffer_.At<float>(ROW_SCALE);
        const AscendC::LocalTensor<T> rounded = buffer_.At<T>(RAW0);
        GM_ADDR down = operands_.workspace + tiling_.down_offset;
        const uint64_t at = static_cast<uint64_t>(row) * tiling_.product[PRODUCT_DOWN].columns;
        Pass<AscendC::HardEvent::V_MTE2>();
        if (dequant_.done) {
            LoadRows(rounded, Global<T>(down)[at], 1, latent + rope, latent + rope);
            Pass<AscendC::HardEvent::MTE2_V>();
            Latent(rounded, static_cast<uint64_t>(slot));
            Rotary(rounded, row, static_cast<uint64_t>(slot));
            return;
        }
        LoadRows(sums, Global<int32_t>(down)[at], 1, latent + rope, latent + rope);
        if (dequant_.per_token) {
            Pass<AscendC::HardEvent::S_MTE2>();
            const AscendC::DataCopyExtParams one(1, sizeof(float), 0, 0, 0);
            const AscendC::DataCopyPadExtParams<float> padding(false, 0, 0, 0);
            AscendC::DataCopyPad(row_scale, Global<float>(dequant_.row_scale)[row], one, padding);
            Pass<AscendC::HardEvent::MTE2_S>();
        }
        Pass<AscendC::HardEvent::MTE2_V>();
        Dequantize<T>(dequant_, sums, buffer_.At<int32_t>(BIAS), buffer_.At<float>(DESCALE), row_scale, 1, latent + rope,
            rounded);
        Then();
        Latent(rounded, static_cast<uint64_t>(slot));
        Rotary(rounded, row, static_cast<uint64_t>(slot));
    }

private:
    // The buffer's places in this part.
    static constexpr uint32_t SUMS = FLOAT0;
    static constexpr uint32_t GAMMA = FLOAT1 + 2 * LONGEST_PIECE;
    static constexpr uint32_t BIAS = FLOAT2 + 2 * LONGEST_PIECE;
    static constexpr uint32_t DESCALE = FLOAT2 + 3 * LONGEST_PIECE;
    static constexpr uint32_t ROW_SCALE = SMALL + SMALL_BYTES / 2;

    // x / sqrt(mean(x^2) + epsilon) * gamma, to the cache.
    __aicore__ inline void Latent(const AscendC::LocalTensor<T>& rounded, uint64_t slot)
    {
        const uint32_t latent = tiling_.kv_lora_rank;
        const AscendC::LocalTensor<float> values = buffer_.At<float>(FLOAT0);
        const AscendC::LocalTensor<float> other = buffer_.At<float>(FLOAT1);
        const AscendC::LocalTensor<float> work = buffer_.At<float>(FLOAT2);
        const AscendC::LocalTensor<float> small = buffer_.At<float>(SMALL);
        AscendC::Cast(values, rounded, AscendC::RoundMode::CAST_NONE, latent);
        Then();
        AscendC::Mul(other, values, values, latent);
        Then();
        AscendC::ReduceSum(small, other, work, latent);
        Then();
        AscendC::Muls(small, small, 1.0f / static_cast<float>(latent), 1);
        Then();
        AscendC::Adds(small, small, tiling_.epsilon, 1);
        Then();
        AscendC::Sqrt(small, small, 1);
        Then();
        const float rms = Read(small);
        AscendC::Duplicate(other, rms, latent);
        Then();
        AscendC::Div(values, values, other, latent);
        Then();
        AscendC::Mul(values, values, buffer_.At<float>(GAMMA), latent);
        Then();
        const bool nz = tiling_.cache_mode == CACHE_SPLIT_NZ || tiling_.cache_mode == CACHE_SPLIT_NZ_INT8;
        if (tiling_.cache_mode == CACHE_SPLIT_NZ_INT8) {
            if (tiling_.divide != 0) {
                AscendC::Duplicate(other, tiling_.ctkv_scale, latent);
                Then();
                AscendC::Div(values, values, other, latent);
            } else {
                AscendC::Muls(values, values, 1.0f / tiling_.ctkv_scale, latent);
            }
            Then();
            const AscendC::LocalTensor<half> narrow = buffer_.At<half>(NARROW);
            const AscendC::LocalTensor<int8_t> bytes = buffer_.At<int8_t>(BYTES);
            AscendC::Cast(narrow, values, AscendC::RoundMode::CAST_RINT, latent);
            Then();
            AscendC::Cast(bytes, narrow, AscendC::RoundMode::CAST_RINT, latent);
            Store(operands_.kv_cache, bytes, RowOfSlot(slot, latent, sizeof(int8_t), tiling_.block_size, nz));
            return;
        }
        const AscendC::LocalTensor<T> narrow = buffer_.At<T>(NARROW);
        AscendC::Cast(narrow, values, AscendC::RoundMode::CAST_RINT, latent);
        if (tiling_.cache_mode == CACHE_COMBINED) {
            Store(operands_.kv_cache, narrow,
                {slot * (latent + tiling_.qk_rope_head_dim), 1, latent, latent});
            return;
        }
        Store(operands_.kv_cache, narrow, RowOfSlot(slot, latent, sizeof(T), tiling_.block_size, nz));
    }

    __aicore__ inline void Rotary(const AscendC::LocalTensor<T>& rounded, uint32_t row, uint64_t slot)
    {
        const uint32_t latent = tiling_.kv_lora_rank;
        const uint32_t rope = tiling_.qk_rope_head_dim;
        const AscendC::LocalTensor<float> values = buffer_.At<float>(FLOAT0);
        const AscendC::LocalTensor<T> narrow = buffer_.At<T>(NARROW);
        LoadAngles<T>(buffer_, operands_.cos, operands_.sin, row, 1, rope);
        AscendC::Cast(values, rounded[latent], AscendC::RoundMode::CAST_NONE, rope);
        Then();
        Rotate(values, values[rope], buffer_.At<float>(FLOAT1), buffer_.At<float>(FLOAT2), 1, rope);
        AscendC::Cast(narrow, values, AscendC::RoundMode::CAST_RINT, rope);
        if (tiling_.cache_mode == CACHE_COMBINED) {
            Store(operands_.kv_cache, narrow, {slot * (latent + rope) + latent, 1, rope, rope});
            return;
        }
        const bool nz = tiling_.cache_mode != CACHE_SPLIT;
        Store(operands_.kv_cache_rope, narrow, RowOfSlot(slot, rope, sizeof(T), tiling_.block_size, nz));
    }

    template <typename E>
    __aicore__ inline void Store(GM_ADDR cache, const AscendC::LocalTensor<E>& from, const CacheRow& to)
    {
        Pass<AscendC::HardEvent::V_MTE3>();
        StoreRows(Global<E>(cache)[to.first], from, to.pieces, to.piece, to.stride);
        Pass<AscendC::HardEvent::MTE3_V>();
    }

    Buffer& buffer_;
    const Operands& operands_;
    const Tiling& tiling_;
    Dequant dequant_;
};

} // namespace Mlapo

#endif
