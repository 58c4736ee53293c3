// Casts between types, and the dequantization register.
#ifndef ASCENDC_MODEL_VECTOR_CAST_H
#define ASCENDC_MODEL_VECTOR_CAST_H

#include "ascendc_model/vector_lower.h"

namespace AscendCModel {

template <typename D, typename S>
constexpr bool IsCast = Converts<D, S, Conversion<half, AscendC::int4b_t>, Conversion<half, int8_t>,
    Conversion<half, uint8_t>, Conversion<half, int16_t>, Conversion<float, int16_t>, Conversion<AscendC::int4b_t, half>,
    Conversion<int8_t, half>, Conversion<uint8_t, half>, Conversion<int16_t, half>, Conversion<int32_t, half>,
    Conversion<float, half>, Conversion<int32_t, bfloat16_t>, Conversion<float, bfloat16_t>,
    Conversion<int16_t, int32_t>, Conversion<half, int32_t>, Conversion<float, int32_t>, Conversion<int64_t, int32_t>,
    Conversion<int16_t, float>, Conversion<half, float>, Conversion<bfloat16_t, float>, Conversion<int32_t, float>,
    Conversion<float, float>, Conversion<int64_t, float>, Conversion<int32_t, int64_t>, Conversion<float, int64_t>>;

/// d = a in the type of d
template <typename T, typename U>
void RunCast(const LocalTensor<T>& dst, const LocalTensor<U>& src, AscendC::RoundMode mode, const Span& span, Site at)
{
    static_assert(IsCast<Element<T>, Element<U>>, "Cast: NPU architecture 2201 has no cast between these types");
    if (mode == AscendC::RoundMode::CAST_HYBRID) {
        if constexpr (IS_VECTOR) {
            Fail("CAST_HYBRID is not available on the model of NPU architecture 2201", at);
        }
    }
    constexpr bool dequantizes = std::is_same_v<Element<T>, half> && std::is_same_v<Element<U>, int32_t>;
    RunScalar(VectorOp::Cast, dst, src, dequantizes ? current.registers.deq_scale : 0, span, at,
        static_cast<Round>(mode));
}

} // namespace AscendCModel

namespace AscendC {

/// d = a in the type of d, of lanes by bits
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode,
    const uint64_t mask[], AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams,
    ASCENDC_MODEL_SITE)
{
    AscendCModel::RunCast(dst, src, roundMode,
        {AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>, AscendCModel::Element<U>>(mask),
            repeatTime.Wide(), repeatParams},
        at);
}

/// d = a in the type of d, of the first lanes
template <typename T, typename U, bool isSetMask = true>
__aicore__ inline void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode,
    uint64_t mask, AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunCast(
        dst, src, roundMode, {AscendCModel::LaneMask<isSetMask>(mask, at), repeatTime.Wide(), repeatParams}, at);
}

/// d = a in the type of d, of the first elements
template <typename T, typename U>
__aicore__ inline void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode,
    int64_t count, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunCast(dst, src, roundMode,
        AscendCModel::FirstElements<AscendCModel::Element<T>, AscendCModel::Element<U>>(count), at);
}

/// The scale of casts from int32_t to half and of `AddDeqRelu`
__aicore__ inline void SetDeqScale(half scale)
{
    AscendCModel::current.registers.deq_scale = AscendCModel::Bits(scale);
}

/// Scale, offset and sign of casts from int16_t to 8 bits: bits 0-31, 37-45 and 46 of the register
__aicore__ inline void SetDeqScale(float scale, int16_t offset, bool signMode)
{
    AscendCModel::current.registers.deq_scale = AscendCModel::Bits(scale)
        | (static_cast<uint64_t>(offset) & 0x1ff) << 37 | static_cast<uint64_t>(signMode) << 46;
}

/// Scales by column belong to casts from int16_t to 8 bits, which the model has not.
template <typename T> __aicore__ inline void SetDeqScale(const LocalTensor<T>&, const VdeqInfo&)
{
    static_assert(AscendCModel::Always<T>::value,
        "SetDeqScale with a tensor is not available on the model of NPU architecture 2201");
}

/// d = a * scale of `SetDeqScale`, from int32_t to half; lanes by bits
template <typename T, typename U, bool isSetMask = true, bool isVecDeq = true, bool halfBlock = true>
__aicore__ inline void CastDequant(const LocalTensor<T>& dst, const LocalTensor<U>& src, const uint64_t mask[],
    AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    static_assert(std::is_same_v<PrimT<T>, half> && std::is_same_v<PrimT<U>, int32_t>,
        "CastDequant from int16_t is not available on the model of NPU architecture 2201");
    Cast<T, U, isSetMask>(dst, src, RoundMode::CAST_NONE, mask, repeatTime, repeatParams, at);
}

/// d = a * scale of `SetDeqScale`, from int32_t to half; the first lanes
template <typename T, typename U, bool isSetMask = true, bool isVecDeq = true, bool halfBlock = true>
__aicore__ inline void CastDequant(const LocalTensor<T>& dst, const LocalTensor<U>& src, int32_t mask,
    AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    static_assert(std::is_same_v<PrimT<T>, half> && std::is_same_v<PrimT<U>, int32_t>,
        "CastDequant from int16_t is not available on the model of NPU architecture 2201");
    Cast<T, U, isSetMask>(
        dst, src, RoundMode::CAST_NONE, static_cast<uint64_t>(mask), repeatTime, repeatParams, at);
}

/// d = a * scale of `SetDeqScale`, from int32_t to half; the first elements
template <typename T, typename U, bool isVecDeq = true, bool halfBlock = true>
__aicore__ inline void CastDequant(
    const LocalTensor<T>& dst, const LocalTensor<U>& src, int64_t count, ASCENDC_MODEL_SITE)
{
    static_assert(std::is_same_v<PrimT<T>, half> && std::is_same_v<PrimT<U>, int32_t>,
        "CastDequant from int16_t is not available on the model of NPU architecture 2201");
    Cast(dst, src, RoundMode::CAST_NONE, count, at);
}

/// `CastDequant` by its older name
template <typename T, typename U, bool isVecDeq = true, bool halfBlock = true>
__aicore__ inline void CastDeq(
    const LocalTensor<T>& dst, const LocalTensor<U>& src, int64_t count, ASCENDC_MODEL_SITE)
{
    CastDequant<T, U, isVecDeq, halfBlock>(dst, src, count, at);
}

/// `CastDequant` by its older name; lanes by bits (an array) or the first lanes (a number)
template <typename T, typename U, bool isSetMask = true, bool isVecDeq = true, bool halfBlock = true, typename M>
__aicore__ inline void CastDeq(const LocalTensor<T>& dst, const LocalTensor<U>& src, const M& mask,
    AscendCModel::Field<uint8_t> repeatTime, const UnaryRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    CastDequant<T, U, isSetMask, isVecDeq, halfBlock>(dst, src, mask, repeatTime, repeatParams, at);
}

} // namespace AscendC

#endif
