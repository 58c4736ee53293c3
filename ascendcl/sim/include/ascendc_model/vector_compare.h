// Comparisons, whose results are bits, and the selection by bits.
#ifndef ASCENDC_MODEL_VECTOR_COMPARE_H
#define ASCENDC_MODEL_VECTOR_COMPARE_H

#include "ascendc_model/vector_lower.h"

namespace AscendCModel {

/// The most repeats of one comparison whose results end at a block of 32 bytes.
constexpr uint32_t COMPARE_REPEATS = 252;

template <typename T, typename U> constexpr void CheckComparison(AscendC::CMPMODE mode, Site at)
{
    static_assert(IsOneOf<Element<T>, half, float, int32_t> && IsOneOf<Element<U>, int8_t, uint8_t>,
        "Compare: the elements must be of half, float or int32_t, the results of int8_t or uint8_t");
    if constexpr (IS_VECTOR && std::is_same_v<Element<T>, int32_t>) {
        if (mode != AscendC::CMPMODE::EQ) {
            Fail("Compare: of int32_t there is CMPMODE::EQ only", at);
        }
    }
}

/// Compares with a tensor, or with the scalar if that is absent. The hardware takes no mask.
template <typename T, typename U>
void RunCompare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>* src1, uint64_t scalar,
    AscendC::CMPMODE mode, uint32_t repeat, const Strides& strides, Site at)
{
    CheckComparison<T, U>(mode, at);
    const Span span {FULL_MASK, repeat, strides};
    Vector vector = Operation(src1 != nullptr ? VectorOp::Compare : VectorOp::CompareScalar, dst, span);
    SetFirstSource(vector, src0, span);
    if (src1 != nullptr) {
        SetSecondSource(vector, *src1, span);
    }
    vector.scalar = scalar;
    vector.compare = static_cast<uint8_t>(mode);
    ExecuteVector(vector, at);
}

/// Compares the first elements: whole repeats only, as the hardware does.
template <typename T, typename U>
void CompareFirst(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>* src1, uint64_t scalar,
    AscendC::CMPMODE mode, int64_t count, Site at)
{
    constexpr uint32_t lanes = 256 / sizeof(Element<T>);
    const auto repeats = static_cast<uint32_t>(count / lanes);
    for (uint32_t done = 0; done < repeats; done += COMPARE_REPEATS) {
        const uint32_t now = repeats - done < COMPARE_REPEATS ? repeats - done : COMPARE_REPEATS;
        const LocalTensor<T> first = src0[done * lanes];
        const LocalTensor<T> second = src1 != nullptr ? (*src1)[done * lanes] : first;
        RunCompare(dst[done * lanes / 8], first, src1 != nullptr ? &second : nullptr, scalar, mode, now, Strides(), at);
    }
}

/// Compares one repeat into the register of the comparison mask.
template <typename T>
void CompareToRegister(const LocalTensor<T>& src0, const LocalTensor<T>& src1, AscendC::CMPMODE mode, const Mask& mask,
    const Strides& strides, Site at)
{
    static_assert(IsFloating<Element<T>>, "Compare into the register: the elements must be of half or float");
    const Span span {mask, 1, strides};
    Vector vector = Operation(VectorOp::CompareMask, src0, span);
    vector.dst = 0;
    SetFirstSource(vector, src0, span);
    SetSecondSource(vector, src1, span);
    vector.compare = static_cast<uint8_t>(mode);
    ExecuteVector(vector, at);
}

/// The register of the comparison mask from (LoadCompareMask) or to (StoreCompareMask) 16 bytes of a tensor.
template <typename T> void MoveCompareMask(VectorOp op, const LocalTensor<T>& tensor, Site at)
{
    const Span span {FULL_MASK, 1, Strides()};
    Vector vector = Operation(op, tensor, span);
    if (op == VectorOp::LoadCompareMask) {
        vector.dst = 0;
        SetFirstSource(vector, tensor, span);
    }
    ExecuteVector(vector, at);
}

/// d = bit ? a : b, of tensors.
template <typename T, typename U>
void RunSelect(const LocalTensor<T>& dst, const LocalTensor<U>& selection, const LocalTensor<T>& src0,
    const LocalTensor<T>& src1, AscendC::SELMODE mode, const Span& span, Site at)
{
    static_assert(IsFloating<Element<T>> && IsOneOf<Element<U>, int8_t, uint8_t, uint16_t, uint32_t, uint64_t>,
        "Select: the elements must be of half or float, the mask of uint8_t, uint16_t, uint32_t or uint64_t");
    if (IS_VECTOR && mode == AscendC::SELMODE::VSEL_TENSOR_SCALAR_MODE) {
        Fail("Select: VSEL_TENSOR_SCALAR_MODE takes a scalar, not a second tensor", at);
    }
    if (mode == AscendC::SELMODE::VSEL_CMPMASK_SPR) {
        MoveCompareMask(VectorOp::LoadCompareMask, selection, at);
    }
    Vector vector = Operation(VectorOp::Select, dst, span);
    SetFirstSource(vector, src0, span);
    SetSecondSource(vector, src1, span);
    vector.select = static_cast<uint8_t>(mode);
    vector.selection = mode == AscendC::SELMODE::VSEL_TENSOR_TENSOR_MODE ? selection.ModelAddress() : 0;
    ExecuteVector(vector, at);
}

/// d = bit ? a : s
template <typename T, typename U>
void RunSelect(const LocalTensor<T>& dst, const LocalTensor<U>& selection, const LocalTensor<T>& src0,
    Element<T> scalar, AscendC::SELMODE mode, const Span& span, Site at)
{
    static_assert(IsFloating<Element<T>> && IsOneOf<Element<U>, int8_t, uint8_t, uint16_t, uint32_t, uint64_t>,
        "Select: the elements must be of half or float, the mask of uint8_t, uint16_t, uint32_t or uint64_t");
    if (IS_VECTOR && mode != AscendC::SELMODE::VSEL_TENSOR_SCALAR_MODE) {
        Fail("Select: a scalar needs VSEL_TENSOR_SCALAR_MODE", at);
    }
    Vector vector = Operation(VectorOp::Select, dst, span);
    SetFirstSource(vector, src0, span);
    vector.scalar = Bits(scalar);
    vector.select = static_cast<uint8_t>(mode);
    vector.selection = selection.ModelAddress();
    ExecuteVector(vector, at);
}

} // namespace AscendCModel

/// Defines the three forms of a comparison with a scalar: lanes by bits, first lanes, first elements.
#define ASCENDC_MODEL_COMPARE_SCALAR(Name)                                                                   \
    template <typename T, typename U, bool isSetMask = true>                                                 \
    __aicore__ inline void Name(const LocalTensor<U>& dst, const LocalTensor<T>& src0,                       \
        AscendCModel::Element<T> src1Scalar, CMPMODE cmpMode, const uint64_t[],                              \
        AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)  \
    {                                                                                                        \
        AscendCModel::RunCompare<T, U>(dst, src0, nullptr, AscendCModel::Bits(src1Scalar), cmpMode,          \
            repeatTime.Wide(), repeatParams, at);                                                            \
    }                                                                                                        \
    template <typename T, typename U, bool isSetMask = true>                                                 \
    __aicore__ inline void Name(const LocalTensor<U>& dst, const LocalTensor<T>& src0,                       \
        AscendCModel::Element<T> src1Scalar, CMPMODE cmpMode, uint64_t,                                      \
        AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)  \
    {                                                                                                        \
        AscendCModel::RunCompare<T, U>(dst, src0, nullptr, AscendCModel::Bits(src1Scalar), cmpMode,          \
            repeatTime.Wide(), repeatParams, at);                                                            \
    }                                                                                                        \
    template <typename T, typename U>                                                                        \
    __aicore__ inline void Name(const LocalTensor<U>& dst, const LocalTensor<T>& src0,                       \
        AscendCModel::Element<T> src1Scalar, CMPMODE cmpMode, int64_t count, ASCENDC_MODEL_SITE)             \
    {                                                                                                        \
        AscendCModel::CompareFirst<T, U>(                                                                    \
            dst, src0, nullptr, AscendCModel::Bits(src1Scalar), cmpMode, count, at);                         \
    }

namespace AscendC {

/// Bit i of d = a[i] compared with b[i], of whole repeats; the hardware takes no mask
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1,
    CMPMODE cmpMode, const uint64_t[], AscendCModel::Field<uint8_t> repeatTime,
    const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunCompare<T, U>(dst, src0, &src1, 0, cmpMode, repeatTime.Wide(), repeatParams, at);
}

/// Bit i of d = a[i] compared with b[i], of whole repeats; the hardware takes no mask
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1,
    CMPMODE cmpMode, uint64_t, AscendCModel::Field<uint8_t> repeatTime, const BinaryRepeatParams& repeatParams,
    ASCENDC_MODEL_SITE)
{
    AscendCModel::RunCompare<T, U>(dst, src0, &src1, 0, cmpMode, repeatTime.Wide(), repeatParams, at);
}

/// Bit i of d = a[i] compared with b[i], of the first elements in whole repeats
template <typename T, typename U>
__aicore__ inline void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1,
    CMPMODE cmpMode, int64_t count, ASCENDC_MODEL_SITE)
{
    AscendCModel::CompareFirst<T, U>(dst, src0, &src1, 0, cmpMode, count, at);
}

/// One repeat of a compared with b, into the register of the comparison mask; lanes by bits
template <typename T, bool isSetMask = true>
__aicore__ inline void Compare(const LocalTensor<T>& src0, const LocalTensor<T>& src1, CMPMODE cmpMode,
    const uint64_t mask[], const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::CompareToRegister(
        src0, src1, cmpMode, AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatParams, at);
}

/// One repeat of a compared with b, into the register of the comparison mask; the first lanes
template <typename T, bool isSetMask = true>
__aicore__ inline void Compare(const LocalTensor<T>& src0, const LocalTensor<T>& src1, CMPMODE cmpMode, uint64_t mask,
    const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::CompareToRegister(
        src0, src1, cmpMode, AscendCModel::LaneMask<isSetMask>(mask, at), repeatParams, at);
}

/// Bit i of d = a[i] compared with s
ASCENDC_MODEL_COMPARE_SCALAR(CompareScalar)
/// Bit i of d = a[i] compared with s, by its newer name
ASCENDC_MODEL_COMPARE_SCALAR(Compares)

/// d = the register of the comparison mask, 16 bytes
template <typename T> __aicore__ inline void GetCmpMask(const LocalTensor<T>& dst, ASCENDC_MODEL_SITE)
{
    AscendCModel::MoveCompareMask(AscendCModel::VectorOp::StoreCompareMask, dst, at);
}

/// The register of the comparison mask = 16 bytes
template <typename T> __aicore__ inline void SetCmpMask(const LocalTensor<T>& src, ASCENDC_MODEL_SITE)
{
    AscendCModel::MoveCompareMask(AscendCModel::VectorOp::LoadCompareMask, src, at);
}

/// d = bit ? a : b, of lanes by bits
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
    const LocalTensor<T>& src1, SELMODE selMode, const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime,
    const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunSelect(dst, selMask, src0, src1, selMode,
        {AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(), repeatParams}, at);
}

/// d = bit ? a : b, of the first lanes
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
    const LocalTensor<T>& src1, SELMODE selMode, uint64_t mask, AscendCModel::Field<uint8_t> repeatTime,
    const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunSelect(dst, selMask, src0, src1, selMode,
        {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);
}

/// d = bit ? a : b, of the first elements
template <typename T, typename U>
__aicore__ inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
    const LocalTensor<T>& src1, SELMODE selMode, int64_t count, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    AscendCModel::RunSelect(dst, selMask, src0, src1, selMode, AscendCModel::FirstElements<E, E>(count), at);
}

/// d = bit ? a : s, of lanes by bits
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
    AscendCModel::Element<T> src1, SELMODE selMode, const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime,
    const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunSelect(dst, selMask, src0, src1, selMode,
        {AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(), repeatParams}, at);
}

/// d = bit ? a : s, of the first lanes
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
    AscendCModel::Element<T> src1, SELMODE selMode, uint64_t mask, AscendCModel::Field<uint8_t> repeatTime,
    const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunSelect(dst, selMask, src0, src1, selMode,
        {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);
}

/// d = bit ? a : s, of the first elements
template <typename T, typename U>
__aicore__ inline void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
    AscendCModel::Element<T> src1, SELMODE selMode, int64_t count, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    AscendCModel::RunSelect(dst, selMask, src0, src1, selMode, AscendCModel::FirstElements<E, E>(count), at);
}

/// d = bit of the register of the comparison mask ? a : b, with the mask of `SetVectorMask`
template <typename T, SELMODE selMode>
__aicore__ inline void Select(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1,
    AscendCModel::Field<uint8_t> repeatTime, const BinaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    static_assert(selMode == SELMODE::VSEL_CMPMASK_SPR,
        "Select without a mask in another mode than VSEL_CMPMASK_SPR is not available on the model of NPU "
        "architecture 2201");
    static_assert(AscendCModel::IsFloating<AscendCModel::Element<T>>, "Select: the elements must be of half or float");
    const AscendCModel::Span span {AscendCModel::current.registers.mask, repeatTime.Wide(), repeatParams};
    AscendCModel::Vector vector = AscendCModel::Operation(AscendCModel::VectorOp::Select, dst, span);
    AscendCModel::SetFirstSource(vector, src0, span);
    AscendCModel::SetSecondSource(vector, src1, span);
    vector.select = static_cast<uint8_t>(selMode);
    AscendCModel::ExecuteVector(vector, at);
}

/// The scalar of this form lies in the register of the comparison mask, which the model does not read for it.
template <typename T, typename U>
__aicore__ inline void Select(const LocalTensor<T>&, const LocalTensor<U>&, const LocalTensor<T>&,
    AscendCModel::Field<uint8_t>, const BinaryRepeatParams&)
{
    static_assert(AscendCModel::Always<T>::value,
        "Select of a tensor and the scalar of SetCmpMask is not available on the model of NPU architecture 2201");
}

} // namespace AscendC

#undef ASCENDC_MODEL_COMPARE_SCALAR

namespace AscendCModel {

/// `a compare b` of whole tensors; the assignment to a tensor of bits compares as many elements as `a` has.
template <AscendC::CMPMODE mode, typename T> struct ComparisonExpression {
    using TensorExpression = void;
    const LocalTensor<T>& a;
    const LocalTensor<T>& b;

    template <typename U> void Into(const LocalTensor<U>& dst) const
    {
        // Operators of C++ have no room for the line of the call.
        AscendC::Compare(dst, a, b, mode, a.GetSize(), Site {"an operator of tensors", 0, 0});
    }
};

} // namespace AscendCModel

/// Defines a comparison of whole tensors.
#define ASCENDC_MODEL_COMPARISON(symbol, mode)                                                               \
    template <typename T>                                                                                    \
    __aicore__ inline AscendCModel::ComparisonExpression<CMPMODE::mode, T> operator symbol(                  \
        const LocalTensor<T>& a, const LocalTensor<T>& b)                                                    \
    {                                                                                                        \
        return {a, b};                                                                                       \
    }

namespace AscendC {

/// `dst = a < b`
ASCENDC_MODEL_COMPARISON(<, LT)
/// `dst = a > b`
ASCENDC_MODEL_COMPARISON(>, GT)
/// `dst = a == b`
ASCENDC_MODEL_COMPARISON(==, EQ)
/// `dst = a <= b`
ASCENDC_MODEL_COMPARISON(<=, LE)
/// `dst = a >= b`
ASCENDC_MODEL_COMPARISON(>=, GE)
/// `dst = a != b`
ASCENDC_MODEL_COMPARISON(!=, NE)

} // namespace AscendC

#undef ASCENDC_MODEL_COMPARISON

#endif
