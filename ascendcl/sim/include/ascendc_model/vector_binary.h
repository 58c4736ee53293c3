// Functions of two tensors of one type: d = f(a, b), element by element.
#ifndef ASCENDC_MODEL_VECTOR_BINARY_H
#define ASCENDC_MODEL_VECTOR_BINARY_H

#include "ascendc_model/vector_lower.h"

/// Defines the three forms of a function of two tensors: lanes by bits, first lanes, first elements.
#define ASCENDC_MODEL_BINARY_AS(Name, Op, ...)                                                               \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src0,                       \
        const LocalTensor<T>& src1, const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime,          \
        const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)                                          \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunBinary(AscendCModel::VectorOp::Op, dst, src0, src1,                                 \
            {AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),            \
                repeatParams},                                                                               \
            at);                                                                                             \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src0,                       \
        const LocalTensor<T>& src1, uint64_t mask, AscendCModel::Field<uint8_t> repeatTime,                  \
        const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)                                          \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        AscendCModel::RunBinary(AscendCModel::VectorOp::Op, dst, src0, src1,                                 \
            {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);             \
    }                                                                                                        \
    template <typename T>                                                                                    \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src0,                       \
        const LocalTensor<T>& src1, int64_t count, ASCENDC_MODEL_SITE)                                       \
    {                                                                                                        \
        static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, __VA_ARGS__>,                          \
            #Name ": the type of the elements must be one of " #__VA_ARGS__);                                \
        using E = AscendCModel::Element<T>;                                                                  \
        AscendCModel::RunBinary(                                                                             \
            AscendCModel::VectorOp::Op, dst, src0, src1, AscendCModel::FirstElements<E, E>(count), at);      \
    }
#define ASCENDC_MODEL_BINARY(Name, ...) ASCENDC_MODEL_BINARY_AS(Name, Name, __VA_ARGS__)

namespace AscendC {

/// d = a + b
ASCENDC_MODEL_BINARY(Add, int16_t, half, int32_t, float)
/// d = a - b
ASCENDC_MODEL_BINARY(Sub, int16_t, half, int32_t, float)
/// d = a * b
ASCENDC_MODEL_BINARY(Mul, int16_t, half, int32_t, float)
/// d = a / b
ASCENDC_MODEL_BINARY(Div, half, float)
/// d = the larger of a and b
ASCENDC_MODEL_BINARY(Max, int16_t, half, int32_t, float)
/// d = the smaller of a and b
ASCENDC_MODEL_BINARY(Min, int16_t, half, int32_t, float)
/// d = a & b
ASCENDC_MODEL_BINARY(And, int16_t, uint16_t)
/// d = a | b
ASCENDC_MODEL_BINARY(Or, int16_t, uint16_t)
/// d = max(a + b, 0)
ASCENDC_MODEL_BINARY(AddRelu, int16_t, half, float)
/// d = max(a - b, 0)
ASCENDC_MODEL_BINARY(SubRelu, int16_t, half, float)
/// d = a * d + b
ASCENDC_MODEL_BINARY(FusedMulAdd, half, float)
/// d = max(a * d + b, 0)
ASCENDC_MODEL_BINARY(FusedMulAddRelu, half, float)
/// d = max(a * d + b, 0), by its newer name
ASCENDC_MODEL_BINARY_AS(MulAddRelu, FusedMulAddRelu, half, float)

} // namespace AscendC

#undef ASCENDC_MODEL_BINARY
#undef ASCENDC_MODEL_BINARY_AS

namespace AscendCModel {

/// `a op b` of whole tensors; the assignment to a tensor computes as many elements as that has.
template <VectorOp op, typename T> struct BinaryExpression {
    using TensorExpression = void;
    const LocalTensor<T>& a;
    const LocalTensor<T>& b;

    void Into(const LocalTensor<T>& dst) const
    {
        // Operators of C++ have no room for the line of the call.
        const Site at {"an operator of tensors", 0, 0};
        if constexpr (op == VectorOp::Add) {
            AscendC::Add(dst, a, b, dst.GetSize(), at);
        } else if constexpr (op == VectorOp::Sub) {
            AscendC::Sub(dst, a, b, dst.GetSize(), at);
        } else if constexpr (op == VectorOp::Mul) {
            AscendC::Mul(dst, a, b, dst.GetSize(), at);
        } else if constexpr (op == VectorOp::Div) {
            AscendC::Div(dst, a, b, dst.GetSize(), at);
        } else if constexpr (op == VectorOp::And) {
            AscendC::And(dst, a, b, dst.GetSize(), at);
        } else {
            static_assert(op == VectorOp::Or);
            AscendC::Or(dst, a, b, dst.GetSize(), at);
        }
    }
};

} // namespace AscendCModel

/// Defines an operator between whole tensors.
#define ASCENDC_MODEL_OPERATOR(symbol, Op)                                                                   \
    template <typename T>                                                                                    \
    __aicore__ inline AscendCModel::BinaryExpression<AscendCModel::VectorOp::Op, T> operator symbol(         \
        const LocalTensor<T>& a, const LocalTensor<T>& b)                                                    \
    {                                                                                                        \
        return {a, b};                                                                                       \
    }

namespace AscendC {

/// `dst = a + b`
ASCENDC_MODEL_OPERATOR(+, Add)
/// `dst = a - b`
ASCENDC_MODEL_OPERATOR(-, Sub)
/// `dst = a * b`
ASCENDC_MODEL_OPERATOR(*, Mul)
/// `dst = a / b`
ASCENDC_MODEL_OPERATOR(/, Div)
/// `dst = a & b`
ASCENDC_MODEL_OPERATOR(&, And)
/// `dst = a | b`
ASCENDC_MODEL_OPERATOR(|, Or)

} // namespace AscendC

#undef ASCENDC_MODEL_OPERATOR

#endif
