// From int32 sums of a product to 16-bit values.
#ifndef MLAPO_DEQUANT_H
#define MLAPO_DEQUANT_H

#include "buffers.h"

namespace Mlapo {

constexpr uint32_t FLOATS_OF_A_REPEAT = 64;
constexpr uint32_t FLOATS_OF_A_BLOCK = 8;

// For rows of `count` values and a second source that is one row for all of them.
__aicore__ inline AscendC::BinaryRepeatParams OneRowForAll(uint32_t count)
{
    const uint8_t stride = static_cast<uint8_t>(count / FLOATS_OF_A_BLOCK);
    return AscendC::BinaryRepeatParams(1, 1, 1, stride, stride, 0);
}

// The scales of a product's columns, and what is added to its sums.
struct Dequant {
    GM_ADDR descale;
    // Per tensor.
    GM_ADDR bias;
    // Per token: scales of the rows, floats.
    GM_ADDR row_scale;
    bool per_token;
    // The cube cores have done it: there are 16-bit values in the place of sums.
    bool done;
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
    const AscendC::BinaryRepeatParams params = OneRowForAll(count);
    if (!dequant.per_token) {
        for (uint32_t lane = 0; lane < count; lane += FLOATS_OF_A_REPEAT) {
            const uint64_t lanes = Min(FLOATS_OF_A_REPEAT, count - lane);
            AscendC::Add(sums[lane], sums[lane], bias[lane], lanes, repeat, params);
        }
        Then();
    }
    const AscendC::LocalTensor<float> values = sums.template ReinterpretCast<float>();
    AscendC::Cast(values, sums, AscendC::RoundMode::CAST_RINT, rows * count);
    Then();
    for (uint32_t lane = 0; lane < count; lane += FLOATS_OF_A_REPEAT) {
        const uint64_t lanes = Min(FLOATS_OF_A_REPEAT, count - lane);
        AscendC::Mul(values[lane], values[lane], descale[lane], lanes, repeat, params);
    }
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
