// Functions that compute twice: sums of products, and results in another type.
#ifndef ASCENDC_MODEL_VECTOR_COMPOUND_H
#define ASCENDC_MODEL_VECTOR_COMPOUND_H

#include "ascendc_model/vector_lower.h"

namespace AscendCModel {

/// Of `MulAddDst` and `Axpy`: the sum may be wider than the product's operands.
template <typename D, typename S>
constexpr bool Accumulates =
    Converts<D, S, Conversion<half, half>, Conversion<float, float>, Conversion<float, half>>;

/// Of `MulCast`.
template <typename D, typename S>
constexpr bool NarrowsProduct = Converts<D, S, Conversion<int8_t, half>, Conversion<uint8_t, half>>;

/// Of `AddReluCast` and `SubReluCast`.
template <typename D, typename S>
constexpr bool NarrowsSum =
    Converts<D, S, Conversion<int8_t, half>, Conversion<int8_t, int16_t>, Conversion<half, float>>;

/// Of `AddDeqRelu`.
template <typename D, typename S> constexpr bool Dequantizes = Converts<D, S, Conversion<half, int32_t>>;

} // namespace AscendCModel

/// Defines the three forms of a function of two tensors with a result of another type, the pairs of types by a
/// predicate: lanes by bits, first lanes, first elements.
#define ASCENDC_MODEL_COMPOUND(Name, Predicate)                                                              \
    template <typename T, typename U, bool isSetMask = true>                                                 \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<U>& src0,                       \
        const LocalTensor<U>& src1, const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime,          \
        const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)                                          \
    {                                                                                                        \
        using D = AscendCModel::Element<T>;                                                                  \
        using S = AscendCModel::Element<U>;                                                                  \
        static_assert(AscendCModel::Predicate<D, S>,                                                         \
            #Name ": NPU architecture 2201 does not compute with these types");                              \
        AscendCModel::RunBinary(AscendCModel::VectorOp::Name, dst, src0, src1,                               \
            {AscendCModel::BitMask<isSetMask, D, S>(mask), repeatTime.Wide(), repeatParams}, at);            \
    }                                                                                                        \
    template <typename T, typename U, bool isSetMask = true>                                                 \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<U>& src0,                       \
        const LocalTensor<U>& src1, uint64_t mask, AscendCModel::Field<uint8_t> repeatTime,                  \
        const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)                                          \
    {                                                                                                        \
        using D = AscendCModel::Element<T>;                                                                  \
        using S = AscendCModel::Element<U>;                                                                  \
        static_assert(AscendCModel::Predicate<D, S>,                                                         \
            #Name ": NPU architecture 2201 does not compute with these types");                              \
        AscendCModel::RunBinary(AscendCModel::VectorOp::Name, dst, src0, src1,                               \
            {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);             \
    }                                                                                                        \
    template <typename T, typename U>                                                                        \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<U>& src0,                       \
        const LocalTensor<U>& src1, int64_t count, ASCENDC_MODEL_SITE)                                       \
    {                                                                                                        \
        using D = AscendCModel::Element<T>;                                                                  \
        using S = AscendCModel::Element<U>;                                                                  \
        static_assert(AscendCModel::Predicate<D, S>,                                                         \
            #Name ": NPU architecture 2201 does not compute with these types");                              \
        AscendCModel::RunBinary(AscendCModel::VectorOp::Name, dst, src0, src1,                               \
            AscendCModel::FirstElements<D, S>(count), at);                                                   \
    }

namespace AscendC {

/// d = a * b + d
ASCENDC_MODEL_COMPOUND(MulAddDst, Accumulates)
/// d = a * b in the type of d
ASCENDC_MODEL_COMPOUND(MulCast, NarrowsProduct)
/// d = max(a + b, 0) in the type of d
ASCENDC_MODEL_COMPOUND(AddReluCast, NarrowsSum)
/// d = max(a - b, 0) in the type of d
ASCENDC_MODEL_COMPOUND(SubReluCast, NarrowsSum)
/// d = max((a + b) * scale of `SetDeqScale`, 0)
ASCENDC_MODEL_COMPOUND(AddDeqRelu, Dequantizes)

/// `AddDeqRelu` with isSetMask as first template argument; lanes by bits (an array) or the first lanes (a number)
template <bool isSetMask, typename M>
__aicore__ inline void AddDeqRelu(const LocalTensor<half>& dst, const LocalTensor<int32_t>& src0,
    const LocalTensor<int32_t>& src1, const M& mask, AscendCModel::Field<uint8_t> repeatTime,
    const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AddDeqRelu<half, int32_t, isSetMask>(dst, src0, src1, mask, repeatTime, repeatParams, at);
}

/// d = a * s + d, of lanes by bits
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    AscendCModel::Element<U> scalarValue, const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime,
    const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    using D = AscendCModel::Element<T>;
    using S = AscendCModel::Element<U>;
    static_assert(AscendCModel::Accumulates<D, S>, "Axpy: NPU architecture 2201 does not compute with these types");
    AscendCModel::RunScalar(AscendCModel::VectorOp::Axpy, dst, src, AscendCModel::Bits(static_cast<D>(scalarValue)),
        {AscendCModel::BitMask<isSetMask, D, S>(mask), repeatTime.Wide(), repeatParams}, at);
}

/// d = a * s + d, of the first lanes
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    AscendCModel::Element<U> scalarValue, uint64_t mask, AscendCModel::Field<uint8_t> repeatTime,
    const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    using D = AscendCModel::Element<T>;
    using S = AscendCModel::Element<U>;
    static_assert(AscendCModel::Accumulates<D, S>, "Axpy: NPU architecture 2201 does not compute with these types");
    AscendCModel::RunScalar(AscendCModel::VectorOp::Axpy, dst, src, AscendCModel::Bits(static_cast<D>(scalarValue)),
        {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);
}

/// d = a * s + d, of the first elements
template <typename T, typename U>
__aicore__ inline void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    AscendCModel::Element<U> scalarValue, int64_t count, ASCENDC_MODEL_SITE)
{
    using D = AscendCModel::Element<T>;
    using S = AscendCModel::Element<U>;
    static_assert(AscendCModel::Accumulates<D, S>, "Axpy: NPU architecture 2201 does not compute with these types");
    AscendCModel::RunScalar(AscendCModel::VectorOp::Axpy, dst, src, AscendCModel::Bits(static_cast<D>(scalarValue)),
        AscendCModel::FirstElements<D, S>(count), at);
}

} // namespace AscendC

#undef ASCENDC_MODEL_COMPOUND

#endif
