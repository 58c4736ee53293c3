// Functions that collect elements of a tensor: by offsets, or by a pattern of bits.
#ifndef ASCENDC_MODEL_VECTOR_GATHER_H
#define ASCENDC_MODEL_VECTOR_GATHER_H

#include "ascendc_model/vector_lower.h"

namespace AscendCModel {

template <typename T>
void RunGather(GatherMode mode, const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint32_t>& offset,
    uint32_t base, const Span& span, Site at)
{
    Gather gather;
    gather.pipe = static_cast<uint8_t>(Pipe::Vector);
    gather.mode = static_cast<uint8_t>(mode);
    gather.data_type = static_cast<uint8_t>(DataTypeOf<Element<T>>);
    gather.repeat = span.repeat;
    gather.dst = dst.ModelAddress();
    gather.src = src.ModelAddress();
    gather.offset = offset.ModelAddress();
    gather.base = base;
    gather.dst_block_stride = span.strides.dst_block;
    gather.dst_repeat_stride = span.strides.dst_repeat;
    gather.mask = span.mask;
    ExecuteVector(gather, at);
}

template <typename T>
constexpr bool IsGathered = IsOneOf<T, int16_t, uint16_t, half, bfloat16_t, int32_t, uint32_t, float>;

/// Keeps elements by a built-in pattern, or by the bits at an address; returns how many.
template <typename T>
uint64_t RunGatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src, uint8_t built_in, uint64_t pattern,
    bool reduce, uint32_t count, const AscendC::GatherMaskParams& params, Site at)
{
    static_assert(IsGathered<Element<T>>, "GatherMask: the elements must be of 16 or 32 bits");
    GatherMask gather;
    gather.pipe = static_cast<uint8_t>(Pipe::Vector);
    gather.data_type = static_cast<uint8_t>(DataTypeOf<Element<T>>);
    gather.built_in = built_in;
    gather.reduce = reduce ? 1 : 0;
    gather.repeat = params.repeatTimes.Wide();
    gather.dst = dst.ModelAddress();
    gather.src = src.ModelAddress();
    gather.pattern = pattern;
    gather.count = count;
    gather.src_block_stride = params.src0BlockStride.Wide();
    gather.src_repeat_stride = params.src0RepeatStride.Wide();
    gather.pattern_repeat_stride = params.src1RepeatStride.Wide();
    ExecuteVector(gather, at);
    // The function sets the mask for itself and leaves normal mode.
    current.registers.mask = FULL_MASK;
    return IS_VECTOR ? ReadRegister(Register::RemainingCount) : 0;
}

} // namespace AscendCModel

namespace AscendC {

/// d[i] = the element `srcBaseAddr + offset[i]` bytes behind the start of src, of lanes by bits
template <typename T>
__aicore__ inline void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<uint32_t>& srcOffset, uint32_t srcBaseAddr, const uint64_t mask[],
    AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    static_assert(AscendCModel::IsGathered<E>, "Gather: the elements must be of 16 or 32 bits");
    AscendCModel::RunGather(AscendCModel::GatherMode::Elements, dst, src, srcOffset, srcBaseAddr,
        {AscendCModel::BitMask<true, E>(mask), repeatTime.Wide(), {1, dstRepStride.Wide()}}, at);
}

/// d[i] = the element `srcBaseAddr + offset[i]` bytes behind the start of src, of the first lanes
template <typename T>
__aicore__ inline void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<uint32_t>& srcOffset, uint32_t srcBaseAddr, uint64_t mask,
    AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride, ASCENDC_MODEL_SITE)
{
    static_assert(AscendCModel::IsGathered<AscendCModel::Element<T>>, "Gather: the elements must be of 16 or 32 bits");
    AscendCModel::RunGather(AscendCModel::GatherMode::Elements, dst, src, srcOffset, srcBaseAddr,
        {AscendCModel::LaneMask<true>(mask, at), repeatTime.Wide(), {1, dstRepStride.Wide()}}, at);
}

/// d[i] = the element `srcBaseAddr + offset[i]` bytes behind the start of src, of the first elements
template <typename T>
__aicore__ inline void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<uint32_t>& srcOffset, uint32_t srcBaseAddr, int64_t count, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    static_assert(AscendCModel::IsGathered<E>, "Gather: the elements must be of 16 or 32 bits");
    AscendCModel::RunGather(AscendCModel::GatherMode::Elements, dst, src, srcOffset, srcBaseAddr,
        AscendCModel::FirstElements<E, E>(count), at);
}

/// Block i of d = the block `offset[i]` bytes behind the start of src, 8 for a repeat
template <typename T>
__aicore__ inline void Gatherb(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<uint32_t>& offset, AscendCModel::Field<uint8_t> repeatTime,
    const GatherRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    static_assert(AscendCModel::IsOneOf<AscendCModel::Element<T>, uint16_t, uint32_t>,
        "Gatherb: the elements must be of uint16_t or uint32_t");
    // A block stride of 0 is documented to mean 1.
    const uint32_t block = repeatParams.dstBlkStride.Wide() != 0 ? repeatParams.dstBlkStride.Wide() : 1;
    AscendCModel::RunGather(AscendCModel::GatherMode::Blocks, dst, src, offset, 0,
        {AscendCModel::FULL_MASK, repeatTime.Wide(), {block, repeatParams.dstRepStride.Wide()}}, at);
}

/// d = the elements of src whose bit in a tensor is 1, without gaps; `rsvdCnt` says how many
template <typename T, typename U, GatherMaskMode mode = defaultGatherMaskMode>
__aicore__ inline void GatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src0,
    const LocalTensor<U>& src1Pattern, bool reduceMode, uint32_t mask, const GatherMaskParams& gatherMaskParams,
    uint64_t& rsvdCnt, ASCENDC_MODEL_SITE)
{
    static_assert(AscendCModel::IsOneOf<AscendCModel::Element<U>, uint16_t, uint32_t>
            && sizeof(AscendCModel::Element<T>) == sizeof(AscendCModel::Element<U>),
        "GatherMask: the pattern must be of uint16_t for elements of 16 bits, of uint32_t for elements of 32 bits");
    rsvdCnt = AscendCModel::RunGatherMask(
        dst, src0, 0, src1Pattern.ModelAddress(), reduceMode, mask, gatherMaskParams, at);
}

/// d = the elements of src that pattern 1 to 7 keeps, without gaps; `rsvdCnt` says how many
template <typename T, GatherMaskMode mode = defaultGatherMaskMode>
__aicore__ inline void GatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src0, uint8_t src1Pattern,
    bool reduceMode, uint32_t mask, const GatherMaskParams& gatherMaskParams, uint64_t& rsvdCnt, ASCENDC_MODEL_SITE)
{
    if constexpr (AscendCModel::IS_VECTOR) {
        if (src1Pattern < 1 || src1Pattern > 7) {
            AscendCModel::Fail("GatherMask: the built-in patterns are 1 to 7", at);
        }
    }
    rsvdCnt = AscendCModel::RunGatherMask(dst, src0, src1Pattern, 0, reduceMode, mask, gatherMaskParams, at);
}

} // namespace AscendC

#endif
