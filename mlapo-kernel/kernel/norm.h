// RMSNorm and quantization of rows for a product.
#ifndef MLAPO_NORM_H
#define MLAPO_NORM_H

#include "dequant.h"

namespace Mlapo {

// Values of a row as floats: of the hidden state.
template <typename T> class HiddenRows {
public:
    __aicore__ inline HiddenRows(Buffer& buffer, GM_ADDR hidden, uint32_t width)
        : buffer_(buffer), hidden_(Global<T>(hidden)), width_(width)
    {
    }

    // The longest piece that fits.
    __aicore__ inline uint32_t Longest() const { return LONGEST_PIECE; }

    // Columns [first, first + count) of a row at `to`.
    __aicore__ inline void Get(uint32_t row, uint32_t first, uint32_t count, const AscendC::LocalTensor<float>& to)
    {
        const AscendC::LocalTensor<T> raw = buffer_.At<T>(RAW0);
        if (row != row_ || first < first_ || first + count > first_ + count_) {
            Pass<AscendC::HardEvent::V_MTE2>();
            LoadRows(raw, hidden_[static_cast<uint64_t>(row) * width_ + first], 1, count, count);
            Pass<AscendC::HardEvent::MTE2_V>();
            row_ = row;
            first_ = first;
            count_ = count;
        }
        AscendC::Cast(to, raw[first - first_], AscendC::RoundMode::CAST_NONE, count);
        Then();
    }

private:
    Buffer& buffer_;
    AscendC::GlobalTensor<T> hidden_;
    uint32_t width_;
    // What the buffer holds.
    uint32_t row_ = 0;
    uint32_t first_ = 0;
    uint32_t count_ = 0;
};

// Values of a row as floats: of a product's sums, dequantized and rounded to T on the way.
template <typename T> class LatentRows {
public:
    // Columns from `column` on of rows of `stride` sums.
    __aicore__ inline LatentRows(Buffer& buffer, const Dequant& dequant, GM_ADDR sums, uint32_t stride, uint32_t column)
        : buffer_(buffer), dequant_(dequant), sums_(Global<int32_t>(sums)), values_(Global<T>(sums)), stride_(stride),
          column_(column)
    {
    }

    __aicore__ inline uint32_t Longest() const { return LONGEST; }

    __aicore__ inline void Get(uint32_t row, uint32_t first, uint32_t count, const AscendC::LocalTensor<float>& to)
    {
        const AscendC::LocalTensor<T> rounded = buffer_.At<T>(ROUNDED);
        if (row != row_ || first < first_ || first + count > first_ + count_) {
            const AscendC::LocalTensor<int32_t> sums = buffer_.At<int32_t>(SUMS);
            const AscendC::LocalTensor<float> row_scale = buffer_.At<float>(SMALL + SMALL_BYTES / 2);
            const uint64_t at = static_cast<uint64_t>(row) * stride_ + column_ + first;
            row_ = row;
            first_ = first;
            count_ = count;
            Pass<AscendC::HardEvent::V_MTE2>();
            if (dequant_.done) {
                LoadRows(rounded, values_[at], 1, count, count);
                Pass<AscendC::HardEvent::MTE2_V>();
                AscendC::Cast(to, rounded, AscendC::RoundMode::CAST_NONE, count);
                Then();
                return;
            }
            LoadRows(sums, sums_[at], 1, count, count);
            LoadScales(buffer_, dequant_, column_ + first, count, BIAS, DESCALE);
            if (dequant_.per_token) {
                Pass<AscendC::HardEvent::S_MTE2>();
                const AscendC::DataCopyExtParams one(1, sizeof(float), 0, 0, 0);
                const AscendC::DataCopyPadExtParams<float> padding(false, 0, 0, 0);
                AscendC::DataCopyPad(row_scale, Global<float>(dequant_.row_scale)[row], one, padding);
                Pass<AscendC::HardEvent::MTE2_S>();
            }
            Pass<AscendC::HardEvent::MTE2_V>();
            // One row: the values are dequantized in pieces of what a repeat's stride can span.
            Dequantize<T>(dequant_, sums, buffer_.At<int32_t>(BIAS), buffer_.At<float>(DESCALE), row_scale, 1, count,
                rounded);
            Then();
        }
        AscendC::Cast(to, rounded[first - first_], AscendC::RoundMode::CAST_NONE, count);
        Then();
    }

private:
    static constexpr uint32_t LONGEST = 1984;
    // In RAW0: sums and bias; in RAW1 and RAW2 behind gamma and beta: scales and rounded values.
    static constexpr uint32_t SUMS = RAW0;
    static constexpr uint32_t BIAS = RAW0 + LONGEST_PIECE;
    static constexpr uint32_t DESCALE = RAW1 + LONGEST_PIECE;
    static constexpr uint32_t ROUNDED = RAW2 + LONGEST_PIECE;

    Buffer& buffer_;
    Dequant dequant_;
    AscendC::GlobalTensor<int32_t> sums_;
    AscendC::GlobalTensor<T> values_;
    uint32_t stride_;
    uint32_t column_;
    uint32_t row_ = 0;
    uint32_t first_ = 0;
    uint32_t count_ = 0;
};

// How rows are normalized and quantized, and where they go.
struct NormQuant {
    GM_ADDR gamma;
    GM_ADDR beta;
    // [rows, width] int8
    GM_ADDR out;
    // [rows] floats, per token
    GM_ADDR out_scale;
    uint32_t width;
    // How many parts of a row different cores make, each of this width (a multiple of 32)
    uint32_t parts;
    uint32_t part_width;
    float epsilon;
    float scale;
    float offset;
    bool norm;
    bool per_token;
    // Divide by the scale; else multiply by its reciprocal
    bool divide;
};

template <typename T, typename Rows> class NormQuantizer {
public:
    __aicore__ inline NormQuantizer(Buffer& buffer, Rows& rows, const NormQuant& how)
        : buffer_(buffer), rows_(rows), how_(how), values_(buffer.At<float>(FLOAT0)), other_(buffer.At<float>(FLOAT1)),
          factors_(buffer.At<float>(FLOAT2)), small_(buffer.At<float>(SMALL))
    {
    }

    // Part `part` of a row.
    __aicore__ inline void Run(uint32_t row, uint32_t part)
    {
        const float factor = how_.norm ? 1.0f / RootMeanSquare(row) : 1.0f;
        float scale = how_.scale;
        if (how_.per_token) {
            scale = Largest(row, factor) / 127.0f;
            if (part == 0) {
                StoreScale(row, scale);
            }
        }
        const uint32_t first = part * how_.part_width;
        const uint32_t end = Min(first + how_.part_width, how_.width);
        for (uint32_t column = first; column < end; column += rows_.Longest()) {
            const uint32_t count = Min(rows_.Longest(), end - column);
            Normalize(row, column, count, factor);
            Quantize(count, scale);
            Pass<AscendC::HardEvent::V_MTE3>();
            StoreRows(Global<int8_t>(how_.out)[static_cast<uint64_t>(row) * how_.width + column],
                buffer_.At<int8_t>(BYTES), 1, count, count);
            Pass<AscendC::HardEvent::MTE3_V>();
        }
    }

private:
    // sqrt(mean(x^2) + epsilon)
    __aicore__ inline float RootMeanSquare(uint32_t row)
    {
        const uint32_t longest = Min(rows_.Longest(), how_.width);
        AscendC::Duplicate(other_, 0.0f, longest);
        Then();
        for (uint32_t column = 0; column < how_.width; column += longest) {
            const uint32_t count = Min(longest, how_.width - column);
            rows_.Get(row, column, count, values_);
            AscendC::MulAddDst(other_, values_, values_, count);
            Then();
        }
        AscendC::ReduceSum(small_, other_, factors_, longest);
        Then();
        AscendC::Muls(small_, small_, 1.0f / static_cast<float>(how_.width), 1);
        Then();
        AscendC::Adds(small_, small_, how_.epsilon, 1);
        Then();
        AscendC::Sqrt(small_, small_, 1);
        Then();
        return Read(small_);
    }

    // The largest magnitude of the normalized row.
    __aicore__ inline float Largest(uint32_t row, float factor)
    {
        const uint32_t longest = Min(rows_.Longest(), how_.width);
        AscendC::Duplicate(other_, 0.0f, longest);
        Then();
        for (uint32_t column = 0; column < how_.width; column += longest) {
            const uint32_t count = Min(longest, how_.width - column);
            Normalize(row, column, count, factor);
            AscendC::Abs(values_, values_, count);
            Then();
            AscendC::Max(other_, other_, values_, count);
            Then();
        }
        AscendC::ReduceMax(small_, other_, factors_, longest, false);
        Then();
        return Read(small_);
    }

    // x * factor * gamma + beta
    __aicore__ inline void Normalize(uint32_t row, uint32_t column, uint32_t count, float factor)
    {
        rows_.Get(row, column, count, values_);
        if (!how_.norm) {
            return;
        }
        const AscendC::LocalTensor<T> gamma = buffer_.At<T>(RAW1);
        const AscendC::LocalTensor<T> beta = buffer_.At<T>(RAW2);
        if (column < first_ || column + count > first_ + count_) {
            Pass<AscendC::HardEvent::V_MTE2>();
            LoadRows(gamma, Global<T>(how_.gamma)[column], 1, count, count);
            LoadRows(beta, Global<T>(how_.beta)[column], 1, count, count);
            Pass<AscendC::HardEvent::MTE2_V>();
            first_ = column;
            count_ = count;
        }
        AscendC::Muls(values_, values_, factor, count);
        AscendC::Cast(factors_, gamma[column - first_], AscendC::RoundMode::CAST_NONE, count);
        Then();
        AscendC::Mul(values_, values_, factors_, count);
        Then();
        AscendC::Cast(factors_, beta[column - first_], AscendC::RoundMode::CAST_NONE, count);
        Then();
        AscendC::Add(values_, values_, factors_, count);
        Then();
    }

    // To half, then to int8: both round to the nearest even and saturate.
    __aicore__ inline void Quantize(uint32_t count, float scale)
    {
        const AscendC::LocalTensor<half> narrow = buffer_.At<half>(NARROW);
        if (how_.divide && !how_.per_token) {
            AscendC::Duplicate(factors_, scale, count);
            Then();
            AscendC::Div(values_, values_, factors_, count);
        } else {
            AscendC::Muls(values_, values_, 1.0f / scale, count);
        }
        Then();
        if (!how_.per_token) {
            AscendC::Adds(values_, values_, how_.offset, count);
            Then();
        }
        AscendC::Cast(narrow, values_, AscendC::RoundMode::CAST_RINT, count);
        Then();
        AscendC::Cast(buffer_.At<int8_t>(BYTES), narrow, AscendC::RoundMode::CAST_RINT, count);
    }

    __aicore__ inline void StoreScale(uint32_t row, float scale)
    {
        const AscendC::LocalTensor<float> one = small_[FLOATS_OF_A_BLOCK];
        AscendC::Duplicate(one, scale, FLOATS_OF_A_BLOCK);
        Pass<AscendC::HardEvent::V_MTE3>();
        StoreRows(Global<float>(how_.out_scale)[row], one, 1, 1, 1);
        Pass<AscendC::HardEvent::MTE3_V>();
    }

    Buffer& buffer_;
    Rows& rows_;
    NormQuant how_;
    AscendC::LocalTensor<float> values_;
    AscendC::LocalTensor<float> other_;
    AscendC::LocalTensor<float> factors_;
    AscendC::LocalTensor<float> small_;
    // Columns of gamma and beta that the buffer holds.
    uint32_t first_ = 0;
    uint32_t count_ = 0;
};

} // namespace Mlapo

#endif
