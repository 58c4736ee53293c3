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

/// d = a transposed, both 16 by 16 (TRANSPOSE_ND2ND_B16); TRANSPOSE_TYPE_NONE does nothing
template <typename T>
__aicore__ inline void Transpose(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint8_t>&,
    const TransposeParamsExt& transposeParams, ASCENDC_MODEL_SITE)
{
    if (transposeParams.transposeType == TransposeType::TRANSPOSE_TYPE_NONE) {
        return;
    }
    if constexpr (AscendCModel::IsOneOf<AscendCModel::Element<T>, int16_t, uint16_t, half>) {
        if (transposeParams.transposeType == TransposeType::TRANSPOSE_ND2ND_B16) {
            Transpose(dst, src, at);
            return;
        }
    }
    if constexpr (AscendCModel::IS_VECTOR) {
        AscendCModel::Fail("Transpose: on the model of NPU architecture 2201 there is TRANSPOSE_ND2ND_B16 of 16-bit "
                           "elements only",
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
