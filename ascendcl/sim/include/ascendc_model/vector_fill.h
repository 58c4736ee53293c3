// Functions that fill a tensor: with a scalar, with indices, or blocks with the elements of a tensor.
#ifndef ASCENDC_MODEL_VECTOR_FILL_H
#define ASCENDC_MODEL_VECTOR_FILL_H

#include "ascendc_model/vector_lower.h"

namespace AscendCModel {

/// d = f(s)
template <typename T> void RunFill(VectorOp op, const LocalTensor<T>& dst, Element<T> scalar, const Span& span, Site at)
{
    Vector vector = Operation(op, dst, span);
    vector.scalar = Bits(scalar);
    ExecuteVector(vector, at);
}

template <typename T>
constexpr bool IsFillable = IsOneOf<T, int16_t, uint16_t, half, bfloat16_t, int32_t, uint32_t, float>;

} // namespace AscendCModel

/// Defines the three forms of a function that fills: lanes by bits, first lanes, first elements.
#define ASCENDC_MODEL_FILL(Name, Op, ...)                                                                    \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const AscendCModel::Element<T>& scalarValue,      \
        const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime,                                      \
        AscendCModel::Field<uint16_t> dstBlockStride, AscendCModel::Field<uint8_t> dstRepeatStride,          \
        ASCENDC_MODEL_SITE)                                                                                  \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunFill(AscendCModel::VectorOp::Op, dst, scalarValue,                                  \
            {AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),            \
                {dstBlockStride.Wide(), dstRepeatStride.Wide()}},                                            \
            at);                                                                                             \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const AscendCModel::Element<T>& scalarValue,      \
        uint64_t mask, AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstBlockStride, \
        AscendCModel::Field<uint8_t> dstRepeatStride, ASCENDC_MODEL_SITE)                                    \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunFill(AscendCModel::VectorOp::Op, dst, scalarValue,                                  \
            {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(),                                 \
                {dstBlockStride.Wide(), dstRepeatStride.Wide()}},                                            \
            at);                                                                                             \
    }                                                                                                        \
    template <typename T>                                                                                    \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const AscendCModel::Element<T>& scalarValue,      \
        int64_t count, ASCENDC_MODEL_SITE)                                                                   \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        using E = AscendCModel::Element<T>;                                                                  \
        AscendCModel::RunFill(                                                                               \
            AscendCModel::VectorOp::Op, dst, scalarValue, AscendCModel::FirstElements<E, E>(count), at);     \
    }

namespace AscendC {

/// d = s
ASCENDC_MODEL_FILL(Duplicate, Duplicate, int16_t, uint16_t, half, bfloat16_t, int32_t, uint32_t, float)
/// d[i] = s + i
ASCENDC_MODEL_FILL(CreateVecIndex, Index, int16_t, half, int32_t, float)

/// Block i of d = a[i] in all its elements, 8 for a repeat
template <typename T>
__aicore__ inline void Brcb(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    AscendCModel::Field<uint8_t> repeatTime, const BrcbRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    static_assert(AscendCModel::IsFillable<E>, "Brcb: the elements must be of 16 or 32 bits");
    AscendCModel::BroadcastBlocks blocks;
    blocks.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Vector);
    blocks.data_type = static_cast<uint8_t>(AscendCModel::DataTypeOf<E>);
    blocks.repeat = repeatTime.Wide();
    blocks.dst = dst.ModelAddress();
    blocks.src = src.ModelAddress();
    blocks.dst_block_stride = repeatParams.dstBlkStride.Wide();
    blocks.dst_repeat_stride = repeatParams.dstRepStride.Wide();
    AscendCModel::ExecuteVector(blocks, at);
}

} // namespace AscendC

#undef ASCENDC_MODEL_FILL

#endif
