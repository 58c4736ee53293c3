// Rotary embedding in half layout.
#ifndef MLAPO_ROPE_H
#define MLAPO_ROPE_H

#include "buffers.h"

namespace Mlapo {

// x * cos + rotated(x) * sin with rotated(x) = [-x[half..], x[..half]], for rows of `width` floats; the result is in `x`.
// `width` is at most 128, there are at most 255 rows, and `rotated` is another place of the size of `x`.
__aicore__ inline void Rotate(const AscendC::LocalTensor<float>& x, const AscendC::LocalTensor<float>& rotated,
    const AscendC::LocalTensor<float>& cos, const AscendC::LocalTensor<float>& sin, uint32_t rows, uint32_t width)
{
    constexpr uint32_t FLOATS_OF_BLOCK = 8;
    const uint32_t half_width = width / 2;
    const uint8_t stride = static_cast<uint8_t>(width / FLOATS_OF_BLOCK);
    const AscendC::UnaryRepeatParams params(1, 1, stride, stride);
    const uint64_t lanes = half_width;
    const uint8_t repeat = static_cast<uint8_t>(rows);
    AscendC::Muls(rotated, x[half_width], -1.0f, lanes, repeat, params);
    AscendC::Muls(rotated[half_width], x, 1.0f, lanes, repeat, params);
    Then();
    const int32_t count = static_cast<int32_t>(rows * width);
    AscendC::Mul(rotated, rotated, sin, count);
    AscendC::Mul(x, x, cos, count);
    Then();
    AscendC::Add(x, x, rotated, count);
    Then();
}

// Loads rows of cosines and sines and widens them.
template <typename T>
__aicore__ inline void LoadAngles(Buffer& buffer, GM_ADDR cos, GM_ADDR sin, uint32_t row, uint32_t rows, uint32_t width)
{
    const uint64_t from = static_cast<uint64_t>(row) * width;
    const AscendC::LocalTensor<T> raw_cos = buffer.At<T>(RAW1);
    const AscendC::LocalTensor<T> raw_sin = buffer.At<T>(RAW2);
    Pass<AscendC::HardEvent::V_MTE2>();
    LoadRows(raw_cos, Global<T>(cos)[from], 1, rows * width, rows * width);
    LoadRows(raw_sin, Global<T>(sin)[from], 1, rows * width, rows * width);
    Pass<AscendC::HardEvent::MTE2_V>();
    AscendC::Cast(buffer.At<float>(FLOAT1), raw_cos, AscendC::RoundMode::CAST_NONE, rows * width);
    AscendC::Cast(buffer.At<float>(FLOAT2), raw_sin, AscendC::RoundMode::CAST_NONE, rows * width);
    Then();
}

} // namespace Mlapo

#endif
