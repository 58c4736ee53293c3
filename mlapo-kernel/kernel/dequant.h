// From int32 sums of a product to 16-bit values.
#ifndef MLAPO_DEQUANT_H
#define MLAPO_DEQUANT_H

#include "buffers.h"

namespace Mlapo {

constexpr uint32_t FLOATS_OF_A_REPEAT = 64;
constexpr uint32_t FLOATS_OF_A_BLOCK = 8;

// Calls `apply(lane, lanes, params)` for each run of lanes of rows of `count` values, all rows at once; the second source
// is one row for all.
template <typename F> __aicore__ inline void EachRow(uint32_t count, F apply)
{
    AscendC::BinaryRepeatParams params;
    params.dstBlkStride = 1;
    params.src0BlkStride = 1;
    params.src1BlkStride = 1;
    params.dstRepStride = static_cast<uint8_t>(count / FLOATS_OF_A_BLOCK);
    params.src0RepStride = static_cast<uint8_t>(count / FLOATS_OF_A_BLOCK);
    params.src1RepStride = 0;
    for (uint32_t lane = 0; lane < count; lane += FLOATS_OF_A_REPEAT) {
        apply(lane, Min(FLOATS_OF_A_REPEAT, count - lane), params);
    }
}

// The scales of a product's columns, and what is added to its sums.
struct Dequant {
    GM_ADDR descale;
    // Per tensor.
    GM_ADDR bias;
    // Per token: scales of the rows, floats.
    GM_ADDR row_scale;
    bool per_token;
};

// Loads bias and scales of `count` columns into the buffer.
__aicore__ inline void LoadScales(Buffer& buffer, const Dequant& dequant, uint32_t column, uint32_t count,
    uint32_t bias_at, uint32_t descale_at)
{
    LoadRows(buffer.At<float>(descale_at), Global<float>(dequant.descale)[column], 1, count, count);
    if (!dequant.per_token) {
        LoadRows(buffer.At<int32_t>(bias_at), Global<int32_t>(dequant.bias)[column], 1, count, count);
    }
}

// float(sum + bias) * descale, or float(sum) * descale * row_scale: first to floats in place, then rounded to T at `to`.
// `row_scales` are of the rows, for the scalar unit to read; a row has at most 2040 values.
template <typename T>
__aicore__ inline void Dequantize(const Dequant& dequant, const AscendC::LocalTensor<int32_t>& sums,
    const AscendC::LocalTensor<int32_t>& bias, const AscendC::LocalTensor<float>& descale,
    const AscendC::LocalTensor<float>& row_scales, uint32_t rows, uint32_t count, const AscendC::LocalTensor<T>& to)
{
    const uint8_t repeat = static_cast<uint8_t>(rows);
    if (!dequant.per_token) {
        EachRow(count, [&](uint32_t lane, uint32_t lanes, const AscendC::BinaryRepeatParams& params) {
            AscendC::Add(sums[lane], sums[lane], bias[lane], static_cast<uint64_t>(lanes), repeat, params);
        });
        Then();
    }
    const AscendC::LocalTensor<float> values = sums.template ReinterpretCast<float>();
    AscendC::Cast(values, sums, AscendC::RoundMode::CAST_RINT, rows * count);
    Then();
    EachRow(count, [&](uint32_t lane, uint32_t lanes, const AscendC::BinaryRepeatParams& params) {
        AscendC::Mul(values[lane], values[lane], descale[lane], static_cast<uint64_t>(lanes), repeat, params);
    });
    Then();
    if (dequant.per_token) {
        for (uint32_t row = 0; row < rows; ++row) {
            AscendC::Muls(values[row * count], values[row * count], row_scales.GetValue(row), static_cast<int32_t>(count));
        }
        Then();
    }
    AscendC::Cast(to, values, AscendC::RoundMode::CAST_RINT, rows * count);
}

} // namespace Mlapo

#endif
