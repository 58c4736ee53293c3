// Functions of one tensor: d = f(a), element by element.
#ifndef ASCENDC_MODEL_VECTOR_UNARY_H
#define ASCENDC_MODEL_VECTOR_UNARY_H

#include "ascendc_model/vector_lower.h"

/// Defines the three forms of a function of one tensor: lanes by bits, first lanes, first elements.
#define ASCENDC_MODEL_UNARY(Name, ...)                                                                       \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint64_t mask[], \
        AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)  \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunUnary(AscendCModel::VectorOp::Name, dst, src,                                       \
            {AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),            \
                repeatParams},                                                                               \
            at);                                                                                             \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, uint64_t mask,         \
        AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)  \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunUnary(AscendCModel::VectorOp::Name, dst, src,                                       \
            {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);             \
    }                                                                                                        \
    template <typename T>                                                                                    \
    __aicore__ inline void Name(                                                                             \
        const LocalTensor<T>& dst, const LocalTensor<T>& src, int64_t count, ASCENDC_MODEL_SITE)             \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        using E = AscendCModel::Element<T>;                                                                  \
        AscendCModel::RunUnary(                                                                              \
            AscendCModel::VectorOp::Name, dst, src, AscendCModel::FirstElements<E, E>(count), at);           \
    }

namespace AscendC {

/// d = |a|
ASCENDC_MODEL_UNARY(Abs, half, float)
/// d = max(a, 0)
ASCENDC_MODEL_UNARY(Relu, half, int32_t, float)
/// d = e^a
ASCENDC_MODEL_UNARY(Exp, half, float)
/// d = natural logarithm of a
ASCENDC_MODEL_UNARY(Ln, half, float)
/// d = square root of a
ASCENDC_MODEL_UNARY(Sqrt, half, float)
/// d = 1 / square root of a
ASCENDC_MODEL_UNARY(Rsqrt, half, float)
/// d = 1 / a
ASCENDC_MODEL_UNARY(Reciprocal, half, float)
/// d = ~a
ASCENDC_MODEL_UNARY(Not, int16_t, uint16_t)

} // namespace AscendC

#undef ASCENDC_MODEL_UNARY

#endif
