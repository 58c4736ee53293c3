// Functions that change the order of elements.
#ifndef ASCENDC_MODEL_VECTOR_LAYOUT_H
#define ASCENDC_MODEL_VECTOR_LAYOUT_H

#include "ascendc_model/vector_lower.h"

namespace AscendCModel {

/// Transposes 16 rows of one block each, at addresses of the model.
template <typename T>
void RunTransposeRows(const uint64_t dst[16], const uint64_t src[16], const AscendC::TransDataTo5HDParams& params, Site at)
{
    static_assert(IsOneOf<T, int8_t, uint8_t, int16_t, uint16_t, half, int32_t, uint32_t, float>,
        "TransDataTo5HD: NPU architecture 2201 does not transpose elements of this type");
    TransposeRows rows;
    rows.pipe = static_cast<uint8_t>(Pipe::Vector);
    rows.data_type = static_cast<uint8_t>(DataTypeOf<T>);
    rows.dst_high = params.dstHighHalf ? 1 : 0;
    rows.src_high = params.srcHighHalf ? 1 : 0;
    rows.repeat = params.repeatTimes.Wide();
    rows.dst_repeat_stride = params.dstRepStride.Wide();
    rows.src_repeat_stride = params.srcRepStride.Wide();
    uint64_t dst_start = 0;
    uint64_t src_start = 0;
    if (rows.repeat == 1) {
        // Documented: a single repeat already starts one stride behind the addresses.
        dst_start = 32ull * rows.dst_repeat_stride;
        src_start = 32ull * rows.src_repeat_stride;
        rows.dst_repeat_stride = rows.src_repeat_stride = 0;
    }
    for (int i = 0; i < 16; ++i) {
        rows.dst[i] = dst[i] + dst_start;
        rows.src[i] = src[i] + src_start;
    }
    ExecuteVector(rows, at);
}

/// Transposes matrices one after the other. The device's library does it with many TransDataTo5HD by way of a
/// temporary buffer; the model moves each element on the scalar unit, with all other pipes idle: the same result, but
/// not the same time, and the temporary buffer stays as it is.
template <typename T>
void TransposeMatrices(const AscendC::LocalTensor<T>& dst, const AscendC::LocalTensor<T>& src, uint32_t matrices,
    uint32_t rows, uint32_t columns, Site at)
{
    static_assert(IsOneOf<Element<T>, int8_t, uint8_t, int16_t, uint16_t, half, int32_t, uint32_t, float>,
        "Transpose: NPU architecture 2201 does not transpose elements of this type");
    if constexpr (IS_VECTOR) {
        if (rows > 4095 || columns > 4095) {
            Fail("Transpose: cSize and hSize * wSize are at most 4095", at);
        }
        BarrierOf(PIPE_ALL, at);
        for (uint32_t matrix = 0; matrix < matrices; ++matrix) {
            const uint32_t start = matrix * rows * columns;
            for (uint32_t row = 0; row < rows; ++row) {
                for (uint32_t column = 0; column < columns; ++column) {
                    dst.SetValue(start + column * rows + row, src.GetValue(start + row * columns + column, at), at);
                }
            }
        }
        BarrierOf(PIPE_ALL, at);
    }
}

} // namespace AscendCModel

namespace AscendC {

/// d = a transposed, both 16 by 16
template <typename T>
__aicore__ inline void Transpose(const LocalTensor<T>& dst, const LocalTensor<T>& src, ASCENDC_MODEL_SITE)
{
    static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, int16_t, uint16_t, half>,
        "Transpose: the elements must be of int16_t, uint16_t or half");
    AscendCModel::Transpose transpose;
    transpose.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Vector);
    transpose.dst = dst.ModelAddress();
    transpose.src = src.ModelAddress();
    AscendCModel::ExecuteVector(transpose, at);
}

/// TRANSPOSE_ND2ND_B16: d = a transposed, both 16 by 16. TRANSPOSE_NCHW2NHWC and TRANSPOSE_NHWC2NCHW: each of nSize
/// matrices of cSize rows and hSize * wSize columns, or the reverse, transposed. TRANSPOSE_TYPE_NONE does nothing.
template <typename T>
__aicore__ inline void Transpose(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint8_t>&,
    const TransposeParamsExt& transposeParams, ASCENDC_MODEL_SITE)
{
    const TransposeType type = transposeParams.transposeType;
    if (type == TransposeType::TRANSPOSE_TYPE_NONE) {
        return;
    }
    if constexpr (AscendCModel::IsOneOf<AscendCModel::Element<T>, int16_t, uint16_t, half>) {
        if (type == TransposeType::TRANSPOSE_ND2ND_B16) {
            Transpose(dst, src, at);
            return;
        }
    }
    const uint32_t area = uint32_t {transposeParams.hSize} * transposeParams.wSize;
    if (type == TransposeType::TRANSPOSE_NCHW2NHWC) {
        AscendCModel::TransposeMatrices(dst, src, transposeParams.nSize, transposeParams.cSize, area, at);
    } else if (type == TransposeType::TRANSPOSE_NHWC2NCHW) {
        AscendCModel::TransposeMatrices(dst, src, transposeParams.nSize, area, transposeParams.cSize, at);
    } else if constexpr (AscendCModel::IS_VECTOR) {
        AscendCModel::Fail("Transpose: on the model of NPU architecture 2201 there are TRANSPOSE_ND2ND_B16 of 16-bit "
                           "elements, TRANSPOSE_NCHW2NHWC and TRANSPOSE_NHWC2NCHW",
            at);
    }
}

/// Row j of d = element j of each of the 16 rows of src, at pointers of `GetPhyAddr`
template <typename T>
__aicore__ inline void TransDataTo5HD(const uint64_t dstList[NCHW_CONV_ADDR_LIST_SIZE],
    const uint64_t srcList[NCHW_CONV_ADDR_LIST_SIZE], const TransDataTo5HDParams& nchwconvParams, ASCENDC_MODEL_SITE)
{
    if constexpr (AscendCModel::IS_VECTOR) {
        uint64_t dst[NCHW_CONV_ADDR_LIST_SIZE];
        uint64_t src[NCHW_CONV_ADDR_LIST_SIZE];
        for (int i = 0; i < NCHW_CONV_ADDR_LIST_SIZE; ++i) {
            dst[i] = AscendCModel::AddressOf(reinterpret_cast<const void*>(dstList[i]));
            src[i] = AscendCModel::AddressOf(reinterpret_cast<const void*>(srcList[i]));
        }
        AscendCModel::RunTransposeRows<AscendCModel::Element<T>>(dst, src, nchwconvParams, at);
    }
}

/// Row j of d = element j of each of the 16 rows of src, at pointers of `GetPhyAddr` that two tensors hold
template <typename T>
__aicore__ inline void TransDataTo5HD(const LocalTensor<uint64_t>& dst, const LocalTensor<uint64_t>& src,
    const TransDataTo5HDParams& nchwconvParams, ASCENDC_MODEL_SITE)
{
    if constexpr (AscendCModel::IS_VECTOR) {
        uint64_t dst_list[NCHW_CONV_ADDR_LIST_SIZE];
        uint64_t src_list[NCHW_CONV_ADDR_LIST_SIZE];
        for (int i = 0; i < NCHW_CONV_ADDR_LIST_SIZE; ++i) {
            dst_list[i] = dst.GetValue(i, at);
            src_list[i] = src.GetValue(i, at);
        }
        TransDataTo5HD<T>(dst_list, src_list, nchwconvParams, at);
    }
}

/// Row j of d = element j of each of the 16 rows of src
template <typename T>
__aicore__ inline void TransDataTo5HD(const LocalTensor<T> (&dstList)[NCHW_CONV_ADDR_LIST_SIZE],
    const LocalTensor<T> (&srcList)[NCHW_CONV_ADDR_LIST_SIZE], const TransDataTo5HDParams& nchwconvParams,
    ASCENDC_MODEL_SITE)
{
    uint64_t dst[NCHW_CONV_ADDR_LIST_SIZE];
    uint64_t src[NCHW_CONV_ADDR_LIST_SIZE];
    for (int i = 0; i < NCHW_CONV_ADDR_LIST_SIZE; ++i) {
        dst[i] = dstList[i].ModelAddress();
        src[i] = srcList[i].ModelAddress();
    }
    AscendCModel::RunTransposeRows<AscendCModel::Element<T>>(dst, src, nchwconvParams, at);
}

} // namespace AscendC

#endif
