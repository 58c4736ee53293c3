// What all families of vector functions share: lanes, strides and the way into a Vector instruction.
#ifndef ASCENDC_MODEL_VECTOR_LOWER_H
#define ASCENDC_MODEL_VECTOR_LOWER_H

#include "ascendc_model/vector_params.h"

namespace AscendCModel {

using AscendC::LocalTensor;

/// The type of an element of a tensor whose type may be a TensorTrait.
template <typename T> using Element = typename LocalTensor<T>::PrimType;

/// Where a parameter must not take part in the deduction of U.
template <typename U> using Exactly = std::common_type_t<U>;

template <typename T, typename... Types> constexpr bool IsOneOf = (std::is_same_v<T, Types> || ...);

template <typename T> constexpr bool IsFloating = IsOneOf<T, half, float>;

template <typename T> constexpr uint32_t BitsOf = std::is_same_v<T, AscendC::int4b_t> ? 4 : sizeof(T) * 8;

/// The types of the destination and of the sources of an operation that changes the type.
template <typename D, typename S> struct Conversion {};
template <typename D, typename S, typename... Pairs> constexpr bool Converts = IsOneOf<Conversion<D, S>, Pairs...>;

constexpr Mask FULL_MASK {{~0ull, ~0ull}, 0, 0};

/// Strides of an instruction, in blocks of 32 bytes.
struct Strides {
    uint32_t dst_block = 1;
    uint32_t src0_block = 1;
    uint32_t src1_block = 1;
    uint32_t dst_repeat = 8;
    uint32_t src0_repeat = 8;
    uint32_t src1_repeat = 8;

    Strides() = default;
    Strides(const AscendC::UnaryRepeatParams& params)
        : dst_block(params.dstBlkStride.Wide()), src0_block(params.srcBlkStride.Wide()), src1_block(0),
          dst_repeat(params.dstRepStride.Wide()), src0_repeat(params.srcRepStride.Wide()), src1_repeat(0)
    {}
    Strides(const AscendC::BinaryRepeatParams& params)
        : dst_block(params.dstBlkStride.Wide()), src0_block(params.src0BlkStride.Wide()),
          src1_block(params.src1BlkStride.Wide()), dst_repeat(params.dstRepStride.Wide()),
          src0_repeat(params.src0RepStride.Wide()), src1_repeat(params.src1RepStride.Wide())
    {}
    Strides(uint32_t dst_block, uint32_t dst_repeat) : dst_block(dst_block), dst_repeat(dst_repeat) {}
};

/// Strides of tensors without gaps: a repeat is 256 bytes of the widest type.
template <typename D, typename S> Strides Contiguous()
{
    constexpr uint32_t widest = BitsOf<D> > BitsOf<S> ? BitsOf<D> : BitsOf<S>;
    Strides strides;
    strides.dst_repeat = 8 * BitsOf<D> / widest;
    strides.src0_repeat = strides.src1_repeat = 8 * BitsOf<S> / widest;
    return strides;
}

/// Which elements an instruction computes, and where they lie.
struct Span {
    Mask mask;
    uint32_t repeat = 1;
    Strides strides;
};

/// The first `lanes` lanes of a repeat; in counter mode, as many elements in all. The register keeps the mask.
template <bool isSetMask> Mask LaneMask(uint64_t lanes, Site at)
{
    Mask& mask = current.registers.mask;
    if constexpr (isSetMask) {
        if (mask.counter != 0) {
            mask.bits[0] = lanes;
            mask.bits[1] = 0;
        } else {
            if (IS_VECTOR && lanes > 128) {
                Fail("a mask of more than 128 elements: a repeat has no more", at);
            }
            mask.bits[0] = lanes >= 64 ? ~0ull : (1ull << lanes) - 1;
            mask.bits[1] = lanes >= 128 ? ~0ull : lanes > 64 ? (1ull << (lanes - 64)) - 1 : 0;
        }
    }
    return mask;
}

/// The lanes of bits; a repeat of 32-bit elements has one word of them. The register keeps the mask.
template <bool isSetMask, typename... Types> Mask BitMask(const uint64_t bits[])
{
    Mask& mask = current.registers.mask;
    if constexpr (isSetMask) {
        constexpr bool one_word = ((BitsOf<Types> >= 32) || ...);
        mask.bits[0] = bits[0];
        mask.bits[1] = one_word || mask.counter != 0 ? 0 : bits[1];
    }
    return mask;
}

/// The first `count` elements. Functions that count leave the register in normal mode with all lanes.
template <bool isSetMask = true> Mask CountMask(int64_t count)
{
    if constexpr (!isSetMask) {
        return current.registers.mask;
    }
    current.registers.mask = FULL_MASK;
    return Mask {{static_cast<uint64_t>(count), 0}, 1, 0};
}

/// The span of the first `count` elements of tensors without gaps.
template <typename D, typename S, bool isSetMask = true> Span FirstElements(int64_t count)
{
    return Span {CountMask<isSetMask>(count), 1, Contiguous<D, S>()};
}

/// An element-wise instruction without its sources.
template <typename D> Vector Operation(VectorOp op, const LocalTensor<D>& dst, const Span& span)
{
    Vector vector;
    vector.pipe = static_cast<uint8_t>(Pipe::Vector);
    vector.op = static_cast<uint16_t>(op);
    vector.dst_type = vector.src_type = static_cast<uint8_t>(DataTypeOf<Element<D>>);
    vector.repeat = span.repeat;
    vector.dst = dst.ModelAddress();
    vector.mask = span.mask;
    vector.dst_block_stride = span.strides.dst_block;
    vector.dst_repeat_stride = span.strides.dst_repeat;
    return vector;
}

template <typename S> void SetFirstSource(Vector& vector, const LocalTensor<S>& src, const Span& span)
{
    vector.src_type = static_cast<uint8_t>(DataTypeOf<Element<S>>);
    vector.src0 = src.ModelAddress();
    vector.src0_block_stride = span.strides.src0_block;
    vector.src0_repeat_stride = span.strides.src0_repeat;
}

template <typename S> void SetSecondSource(Vector& vector, const LocalTensor<S>& src, const Span& span)
{
    vector.src1 = src.ModelAddress();
    vector.src1_block_stride = span.strides.src1_block;
    vector.src1_repeat_stride = span.strides.src1_repeat;
}

/// d = op(a)
template <typename D, typename S>
void RunUnary(VectorOp op, const LocalTensor<D>& dst, const LocalTensor<S>& src, const Span& span, Site at)
{
    Vector vector = Operation(op, dst, span);
    SetFirstSource(vector, src, span);
    ExecuteVector(vector, at);
}

/// d = op(a, b); the dequantization register goes along.
template <typename D, typename S>
void RunBinary(VectorOp op, const LocalTensor<D>& dst, const LocalTensor<S>& src0, const LocalTensor<S>& src1,
    const Span& span, Site at)
{
    Vector vector = Operation(op, dst, span);
    SetFirstSource(vector, src0, span);
    SetSecondSource(vector, src1, span);
    if (op == VectorOp::AddDeqRelu) {
        vector.scalar = current.registers.deq_scale;
    }
    ExecuteVector(vector, at);
}

/// d = op(a, s)
template <typename D, typename S>
void RunScalar(VectorOp op, const LocalTensor<D>& dst, const LocalTensor<S>& src, uint64_t scalar, const Span& span,
    Site at, Round round = Round::None)
{
    Vector vector = Operation(op, dst, span);
    SetFirstSource(vector, src, span);
    vector.scalar = scalar;
    vector.round = static_cast<uint8_t>(round);
    ExecuteVector(vector, at);
}

/// Waits in the vector pipe for what a function itself wrote before.
inline void VectorBarrier(Site at)
{
    Barrier barrier;
    barrier.pipe = static_cast<uint8_t>(Pipe::Vector);
    ExecuteVector(barrier, at);
}

} // namespace AscendCModel

#endif
