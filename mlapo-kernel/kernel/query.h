// The query's path after a product: tiles of the up-projection and, for an int8 query, of the absorbed query.
#ifndef MLAPO_QUERY_H
#define MLAPO_QUERY_H

#include "dequant.h"
#include "rope.h"

namespace Mlapo {

template <typename T> class QueryPath {
public:
    __aicore__ inline QueryPath(Buffer& buffer, const Operands& operands, const Tiling& tiling, const Dequant& dequant)
        : buffer_(buffer), operands_(operands), tiling_(tiling), dequant_(dequant)
    {
    }

    // Columns of the up-projection for some token rows: the part without rotation goes to the workspace for the
    // absorption, the rotated part to the output. `columns` must not cut a head's rotary part.
    __aicore__ inline void Up(const Columns& columns, uint32_t row, uint32_t rows)
    {
        const uint32_t nope = tiling_.qk_nope_head_dim;
        const uint32_t rope = tiling_.qk_rope_head_dim;
        const uint32_t batch = BatchRows(nope > rope ? nope : rope);
        for (uint32_t first = 0; first < rows; first += batch) {
            const uint32_t count = Min(batch, rows - first);
            bool angles = false;
            for (uint32_t column = columns.first; column < columns.first + columns.count;) {
                const uint32_t head = column / (nope + rope);
                const uint32_t within = column % (nope + rope);
                if (within < nope) {
                    const uint32_t width = Min(nope - within, columns.first + columns.count - column);
                    // What the cube cores have dequantized they also read where it is.
                    if (!dequant_.done) {
                        Nope(head, within, column, width, row + first, count);
                    }
                    column += width;
                } else {
                    if (!angles) {
                        LoadAngles<T>(buffer_, operands_.cos, operands_.sin, row + first, count, rope);
                        angles = true;
                    }
                    Rope(head, column, row + first, count);
                    column += rope;
                }
            }
        }
    }

    // Columns of one head of the absorbed query, to int8.
    __aicore__ inline void Absorbed(const Columns& columns, uint32_t row, uint32_t rows)
    {
        const uint32_t latent = tiling_.kv_lora_rank;
        const uint32_t head = columns.first / latent;
        const uint64_t stride = static_cast<uint64_t>(tiling_.num_heads) * latent;
        const float scale = Global<float>(operands_.q_nope_scale).GetValue(head);
        const AscendC::LocalTensor<T> raw = buffer_.At<T>(RAW0);
        const AscendC::LocalTensor<float> values = buffer_.At<float>(FLOAT0);
        const AscendC::LocalTensor<half> narrow = buffer_.At<half>(NARROW);
        const AscendC::LocalTensor<int8_t> bytes = buffer_.At<int8_t>(BYTES);
        const uint32_t batch = BatchRows(columns.count);
        for (uint32_t first = 0; first < rows; first += batch) {
            const uint32_t count = Min(batch, rows - first);
            const uint64_t at = static_cast<uint64_t>(row + first) * stride + columns.first;
            Pass<AscendC::HardEvent::V_MTE2>();
            LoadRows(raw, Global<T>(operands_.workspace + tiling_.absorbed_offset)[at], count, columns.count, stride);
            Pass<AscendC::HardEvent::MTE2_V>();
            const int32_t elements = static_cast<int32_t>(count * columns.count);
            AscendC::Cast(values, raw, AscendC::RoundMode::CAST_NONE, elements);
            Then();
            AscendC::Muls(values, values, scale, elements);
            Then();
            AscendC::Cast(narrow, values, AscendC::RoundMode::CAST_RINT, elements);
            Then();
            AscendC::Cast(bytes, narrow, AscendC::RoundMode::CAST_RINT, elements);
            Pass<AscendC::HardEvent::V_MTE3>();
            StoreRows(Global<int8_t>(operands_.q_out0)[at], bytes, count, columns.count, stride);
            Pass<AscendC::HardEvent::MTE3_V>();
        }
    }

private:
    // The buffer's places in this part; angles are in FLOAT1 and FLOAT2.
    static constexpr uint32_t SUMS = FLOAT0;
    static constexpr uint32_t ROTATED = FLOAT0 + 2 * LONGEST_PIECE;
    static constexpr uint32_t BIAS = BYTES;
    static constexpr uint32_t DESCALE = BYTES + LONGEST_PIECE / 2;
    static constexpr uint32_t ROW_SCALES = SMALL + SMALL_BYTES / 2;

    // Rows of `width` that are in work at a time: a repeat counts to 255, and the places hold 4096 floats.
    __aicore__ inline uint32_t BatchRows(uint32_t width) const
    {
        const uint32_t fitting = LONGEST_PIECE / 2 / width;
        return fitting == 0 ? 1 : Min(fitting, 255);
    }

    // Columns of the up-projection as 16-bit values in RAW0.
    __aicore__ inline AscendC::LocalTensor<T> Load(uint32_t column, uint32_t width, uint32_t row, uint32_t rows)
    {
        const AscendC::LocalTensor<int32_t> sums = buffer_.At<int32_t>(SUMS);
        const AscendC::LocalTensor<float> row_scales = buffer_.At<float>(ROW_SCALES);
        const AscendC::LocalTensor<T> rounded = buffer_.At<T>(RAW0);
        const uint64_t stride = tiling_.product[PRODUCT_UP].columns;
        GM_ADDR up = operands_.workspace + tiling_.up_offset;
        Pass<AscendC::HardEvent::V_MTE2>();
        if (dequant_.done) {
            LoadRows(rounded, Global<T>(up)[row * stride + column], rows, width, stride);
            Pass<AscendC::HardEvent::MTE2_V>();
            return rounded;
        }
        LoadRows(sums, Global<int32_t>(up)[row * stride + column], rows, width, stride);
        LoadScales(buffer_, dequant_, column, width, BIAS, DESCALE);
        if (dequant_.per_token) {
            Pass<AscendC::HardEvent::S_MTE2>();
            const AscendC::DataCopyExtParams some(1, rows * static_cast<uint32_t>(sizeof(float)), 0, 0, 0);
            const AscendC::DataCopyPadExtParams<float> padding(false, 0, 0, 0);
            AscendC::DataCopyPad(row_scales, Global<float>(dequant_.row_scale)[row], some, padding);
            Pass<AscendC::HardEvent::MTE2_S>();
        }
        Pass<AscendC::HardEvent::MTE2_V>();
        Dequantize<T>(dequant_, sums, buffer_.At<int32_t>(BIAS), buffer_.At<float>(DESCALE), row_scales, rows, width, rounded);
        return rounded;
    }

    __aicore__ inline void Nope(
        uint32_t head, uint32_t within, uint32_t column, uint32_t width, uint32_t row, uint32_t rows)
    {
        const AscendC::LocalTensor<T> rounded = Load(column, width, row, rows);
        const uint64_t nope = tiling_.qk_nope_head_dim;
        const uint64_t stride = tiling_.num_heads * nope;
        Pass<AscendC::HardEvent::V_MTE3>();
        StoreRows(Global<T>(operands_.workspace + tiling_.query_offset)[row * stride + head * nope + within], rounded,
            rows, width, stride);
        Pass<AscendC::HardEvent::MTE3_V>();
    }

    __aicore__ inline void Rope(uint32_t head, uint32_t column, uint32_t row, uint32_t rows)
    {
        const uint32_t rope = tiling_.qk_rope_head_dim;
        const AscendC::LocalTensor<T> rounded = Load(column, rope, row, rows);
        const AscendC::LocalTensor<float> values = buffer_.At<float>(FLOAT0);
        const AscendC::LocalTensor<T> narrow = buffer_.At<T>(NARROW);
        Then();
        AscendC::Cast(values, rounded, AscendC::RoundMode::CAST_NONE, rows * rope);
        Then();
        Rotate(values, buffer_.At<float>(ROTATED), buffer_.At<float>(FLOAT1), buffer_.At<float>(FLOAT2), rows, rope);
        AscendC::Cast(narrow, values, AscendC::RoundMode::CAST_RINT, rows * rope);
        const bool combined = tiling_.cache_mode == CACHE_COMBINED;
        const uint64_t width = combined ? tiling_.kv_lora_rank + rope : rope;
        const uint64_t stride = tiling_.num_heads * width;
        const uint64_t at = row * stride + head * width + (combined ? tiling_.kv_lora_rank : 0);
        Pass<AscendC::HardEvent::V_MTE3>();
        StoreRows(Global<T>(combined ? operands_.q_out0 : operands_.q_out1)[at], narrow, rows, rope, stride);
        Pass<AscendC::HardEvent::MTE3_V>();
    }

    Buffer& buffer_;
    const Operands& operands_;
    const Tiling& tiling_;
    Dequant dequant_;
};

} // namespace Mlapo

#endif
