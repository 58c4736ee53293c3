// Functions of a tensor and a scalar: d = f(a, s), element by element.
#ifndef ASCENDC_MODEL_VECTOR_SCALAR_H
#define ASCENDC_MODEL_VECTOR_SCALAR_H

#include "ascendc_model/vector_lower.h"

/// Defines the forms of a function of a tensor and a scalar: lanes by bits, first lanes, first elements; each also
/// with the type of the scalar as second template argument, as tensors with a TensorTrait are called.
#define ASCENDC_MODEL_SCALAR(Name, ...)                                                                      \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        AscendCModel::Element<T> scalarValue, const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime, \
        const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)                                           \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunScalar(AscendCModel::VectorOp::Name, dst, src, AscendCModel::Bits(scalarValue),     \
            {AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),            \
                repeatParams},                                                                               \
            at);                                                                                             \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        AscendCModel::Element<T> scalarValue, uint64_t mask, AscendCModel::Field<uint8_t> repeatTime,        \
        const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)                                           \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunScalar(AscendCModel::VectorOp::Name, dst, src, AscendCModel::Bits(scalarValue),     \
            {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);             \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        AscendCModel::Element<T> scalarValue, int64_t count, ASCENDC_MODEL_SITE)                             \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        using E = AscendCModel::Element<T>;                                                                  \
        AscendCModel::RunScalar(AscendCModel::VectorOp::Name, dst, src, AscendCModel::Bits(scalarValue),     \
            AscendCModel::FirstElements<E, E, isSetMask>(count), at);                                        \
    }                                                                                                        \
    template <typename T, typename U, bool isSetMask = true,                                                 \
        std::enable_if_t<std::is_same_v<AscendCModel::Element<T>, U>, bool> = true>                          \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        const AscendCModel::Exactly<U>& scalarValue, const uint64_t mask[],                                  \
        AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)  \
    {                                                                                                        \
        Name<T, isSetMask>(dst, src, scalarValue, mask, repeatTime, repeatParams, at);                       \
    }                                                                                                        \
    template <typename T, typename U, bool isSetMask = true,                                                 \
        std::enable_if_t<std::is_same_v<AscendCModel::Element<T>, U>, bool> = true>                          \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        const AscendCModel::Exactly<U>& scalarValue, uint64_t mask,                                          \
        AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)  \
    {                                                                                                        \
        Name<T, isSetMask>(dst, src, scalarValue, mask, repeatTime, repeatParams, at);                       \
    }                                                                                                        \
    template <typename T, typename U, bool isSetMask = true,                                                 \
        std::enable_if_t<std::is_same_v<AscendCModel::Element<T>, U>, bool> = true>                          \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        const AscendCModel::Exactly<U>& scalarValue, int64_t count, ASCENDC_MODEL_SITE)                      \
    {                                                                                                        \
        Name<T, isSetMask>(dst, src, scalarValue, count, at);                                                \
    }

namespace AscendC {

/// d = a + s
ASCENDC_MODEL_SCALAR(Adds, int16_t, half, int32_t, float)
/// d = a * s
ASCENDC_MODEL_SCALAR(Muls, int16_t, half, int32_t, float)
/// d = the larger of a and s
ASCENDC_MODEL_SCALAR(Maxs, int16_t, half, int32_t, float)
/// d = the smaller of a and s
ASCENDC_MODEL_SCALAR(Mins, int16_t, half, int32_t, float)
/// d = a < 0 ? a * s : a
ASCENDC_MODEL_SCALAR(LeakyRelu, half, float)
/// d = a << s
ASCENDC_MODEL_SCALAR(ShiftLeft, int16_t, uint16_t, int32_t, uint32_t)
/// d = a >> s, arithmetic for signed types
ASCENDC_MODEL_SCALAR(ShiftRight, int16_t, uint16_t, int32_t, uint32_t)

/// d = a >> s of lanes by bits, rounded by the last bit that falls out if `roundEn`
template <typename T, bool isSetMask = true>
__aicore__ inline void ShiftRight(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    AscendCModel::Element<T> scalarValue, const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime,
    const UnaryRepeatParams& repeatParams, bool roundEn, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    static_assert(AscendCModel::IsOneOf<E, int16_t, uint16_t, int32_t, uint32_t>,
        "ShiftRight: the type of the elements must be one of int16_t, uint16_t, int32_t, uint32_t");
    AscendCModel::RunScalar(AscendCModel::VectorOp::ShiftRight, dst, src, AscendCModel::Bits(scalarValue),
        {AscendCModel::BitMask<isSetMask, E>(mask), repeatTime.Wide(), repeatParams}, at,
        static_cast<AscendCModel::Round>(roundEn));
}

/// d = a >> s of the first lanes, rounded by the last bit that falls out if `roundEn`
template <typename T, bool isSetMask = true>
__aicore__ inline void ShiftRight(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    AscendCModel::Element<T> scalarValue, uint64_t mask, AscendCModel::Field<uint8_t> repeatTime,
    const UnaryRepeatParams& repeatParams, bool roundEn, ASCENDC_MODEL_SITE)
{
    static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, int16_t, uint16_t, int32_t, uint32_t>,
        "ShiftRight: the type of the elements must be one of int16_t, uint16_t, int32_t, uint32_t");
    AscendCModel::RunScalar(AscendCModel::VectorOp::ShiftRight, dst, src, AscendCModel::Bits(scalarValue),
        {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at,
        static_cast<AscendCModel::Round>(roundEn));
}

/// d = a >> s with the type of the scalar as second template argument, lanes by bits or the first lanes
template <typename T, typename U, bool isSetMask = true, typename M,
    std::enable_if_t<std::is_same_v<AscendCModel::Element<T>, U>, bool> = true>
__aicore__ inline void ShiftRight(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const AscendCModel::Exactly<U>& scalarValue, const M& mask, AscendCModel::Field<uint8_t> repeatTime,
    const UnaryRepeatParams& repeatParams, bool roundEn, ASCENDC_MODEL_SITE)
{
    ShiftRight<T, isSetMask>(dst, src, scalarValue, mask, repeatTime, repeatParams, roundEn, at);
}

} // namespace AscendC

#undef ASCENDC_MODEL_SCALAR

#endif
