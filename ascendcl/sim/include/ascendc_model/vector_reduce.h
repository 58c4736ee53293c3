// Reductions: one result for a repeat, a block, a pair of neighbours, or the whole tensor.
#ifndef ASCENDC_MODEL_VECTOR_REDUCE_H
#define ASCENDC_MODEL_VECTOR_REDUCE_H

#include "ascendc_model/vector_lower.h"

namespace AscendCModel {

/// Strides of a reduction: of results in results of one repeat, of the source in blocks of 32 bytes.
struct ReduceStrides {
    uint32_t dst_repeat = 0;
    uint32_t src_block = 1;
    uint32_t src_repeat = 8;
};

template <typename T>
void RunReduce(ReduceOp op, ReduceScope scope, AscendC::ReduceOrder order, const LocalTensor<T>& dst,
    const LocalTensor<T>& src, const Mask& mask, uint32_t repeat, const ReduceStrides& strides, Site at)
{
    static_assert(IsFloating<Element<T>>, "reductions: the elements must be of half or float");
    Reduce reduce;
    reduce.pipe = static_cast<uint8_t>(Pipe::Vector);
    reduce.op = static_cast<uint8_t>(op);
    reduce.scope = static_cast<uint8_t>(scope);
    reduce.order = static_cast<uint8_t>(order);
    reduce.data_type = static_cast<uint8_t>(DataTypeOf<Element<T>>);
    reduce.repeat = repeat;
    reduce.dst = dst.ModelAddress();
    reduce.src = src.ModelAddress();
    reduce.mask = mask;
    reduce.dst_repeat_stride = strides.dst_repeat;
    reduce.src_block_stride = strides.src_block;
    reduce.src_repeat_stride = strides.src_repeat;
    ExecuteVector(reduce, at);
}

constexpr ReduceOp OpOf(AscendC::ReduceType type)
{
    return type == AscendC::ReduceType::SUM ? ReduceOp::Sum
        : type == AscendC::ReduceType::MAX  ? ReduceOp::Max
                                            : ReduceOp::Min;
}

/// The sum of the lanes of all repeats: each repeat by a tree, then their sums by trees, which lie in `work`.
template <typename T>
void SumOfRepeats(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& work, const Mask& mask,
    int32_t repeats, uint32_t src_repeat, Site at)
{
    constexpr auto order = AscendC::ReduceOrder::ORDER_ONLY_VALUE;
    constexpr int32_t lanes = 256 / sizeof(Element<T>);
    const uint32_t elements_between = src_repeat * (32 / sizeof(Element<T>));
    // One instruction has at most 255 repeats.
    for (int32_t done = 0; done < repeats; done += 255) {
        const int32_t now = repeats - done < 255 ? repeats - done : 255;
        const LocalTensor<T>& into = repeats == 1 ? dst : work;
        RunReduce(ReduceOp::Sum, ReduceScope::Repeat, order, into[static_cast<uint32_t>(done)],
            src[static_cast<uint32_t>(done) * elements_between], mask, static_cast<uint32_t>(now), {1, 1, src_repeat},
            at);
    }
    for (int32_t sums = repeats; sums > 1;) {
        const int32_t left = (sums + lanes - 1) / lanes;
        VectorBarrier(at);
        RunReduce(ReduceOp::Sum, ReduceScope::Repeat, order, left == 1 ? dst : work, work,
            Mask {{static_cast<uint64_t>(sums), 0}, 1, 0}, 1, {1, 1, 8}, at);
        sums = left;
    }
}

/// The largest or smallest of all lanes of all repeats.
template <typename T>
void ExtremeOfRepeats(ReduceOp op, const LocalTensor<T>& dst, const LocalTensor<T>& src, const Mask& mask,
    uint32_t repeats, uint32_t src_repeat, bool with_index, Site at)
{
    RunReduce(op, ReduceScope::All,
        with_index ? AscendC::ReduceOrder::ORDER_VALUE_INDEX : AscendC::ReduceOrder::ORDER_ONLY_VALUE, dst, src, mask,
        repeats, {0, 1, src_repeat}, at);
}

} // namespace AscendCModel

/// Defines a reduction with one result for a repeat, with an order of value and index: lanes by bits, first lanes.
#define ASCENDC_MODEL_WHOLE_REDUCE(Name, Op)                                                                 \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint64_t mask[], \
        AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,                 \
        AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride,              \
        ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, ASCENDC_MODEL_SITE)                              \
    {                                                                                                        \
        AscendCModel::RunReduce(AscendCModel::ReduceOp::Op, AscendCModel::ReduceScope::Repeat, order, dst,   \
            src, AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),        \
            {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);                            \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src, int32_t mask,          \
        AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,                 \
        AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride,              \
        ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, ASCENDC_MODEL_SITE)                              \
    {                                                                                                        \
        AscendCModel::RunReduce(AscendCModel::ReduceOp::Op, AscendCModel::ReduceScope::Repeat, order, dst,   \
            src, AscendCModel::LaneMask<isSetMask>(static_cast<uint32_t>(mask), at), repeatTime.Wide(),      \
            {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);                            \
    }

/// Defines a reduction over parts of a repeat: first lanes, lanes by bits.
#define ASCENDC_MODEL_PART_REDUCE(Name, Op, Scope)                                                           \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        AscendCModel::Field<uint8_t> repeatTime, const uint64_t mask[],                                      \
        AscendCModel::Field<uint16_t> dstRepStride, AscendCModel::Field<uint16_t> srcBlkStride,              \
        AscendCModel::Field<uint16_t> srcRepStride, ASCENDC_MODEL_SITE)                                      \
    {                                                                                                        \
        AscendCModel::RunReduce(AscendCModel::ReduceOp::Op, AscendCModel::ReduceScope::Scope,                \
            ReduceOrder::ORDER_ONLY_VALUE, dst, src,                                                         \
            AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),             \
            {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);                            \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        AscendCModel::Field<uint8_t> repeatTime, int32_t mask, AscendCModel::Field<uint16_t> dstRepStride,   \
        AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride,              \
        ASCENDC_MODEL_SITE)                                                                                  \
    {                                                                                                        \
        AscendCModel::RunReduce(AscendCModel::ReduceOp::Op, AscendCModel::ReduceScope::Scope,                \
            ReduceOrder::ORDER_ONLY_VALUE, dst, src,                                                         \
            AscendCModel::LaneMask<isSetMask>(static_cast<uint32_t>(mask), at), repeatTime.Wide(),           \
            {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);                            \
    }

/// Defines a reduction by its newer name, with the kind of the reduction as first template argument.
#define ASCENDC_MODEL_TYPED_REDUCE(Name, Scope)                                                              \
    template <ReduceType reduceType, typename T, typename U, bool isSetMask = true>                          \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<U>& src, const uint64_t mask[], \
        AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,                 \
        AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride,              \
        ASCENDC_MODEL_SITE)                                                                                  \
    {                                                                                                        \
        static_assert(std::is_same_v<T, U>, #Name ": both tensors must be of one type");                     \
        static_assert(AscendCModel::ReduceScope::Scope != AscendCModel::ReduceScope::Pair                    \
                || reduceType == ReduceType::SUM,                                                            \
            #Name ": there is only the sum");                                                                \
        AscendCModel::RunReduce(AscendCModel::OpOf(reduceType), AscendCModel::ReduceScope::Scope,            \
            ReduceOrder::ORDER_ONLY_VALUE, dst, src,                                                         \
            AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),             \
            {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);                            \
    }                                                                                                        \
    template <ReduceType reduceType, typename T, typename U, bool isSetMask = true>                          \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<U>& src, int32_t mask,          \
        AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,                 \
        AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride,              \
        ASCENDC_MODEL_SITE)                                                                                  \
    {                                                                                                        \
        static_assert(std::is_same_v<T, U>, #Name ": both tensors must be of one type");                     \
        static_assert(AscendCModel::ReduceScope::Scope != AscendCModel::ReduceScope::Pair                    \
                || reduceType == ReduceType::SUM,                                                            \
            #Name ": there is only the sum");                                                                \
        AscendCModel::RunReduce(AscendCModel::OpOf(reduceType), AscendCModel::ReduceScope::Scope,            \
            ReduceOrder::ORDER_ONLY_VALUE, dst, src,                                                         \
            AscendCModel::LaneMask<isSetMask>(static_cast<uint32_t>(mask), at), repeatTime.Wide(),           \
            {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);                            \
    }

/// Defines the largest or smallest element of a tensor: lanes by bits, first lanes, first elements. What the hardware
/// needs `sharedTmpBuffer` for, the model keeps elsewhere.
#define ASCENDC_MODEL_EXTREME(Name, Op)                                                                      \
    template <typename T>                                                                                    \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        const LocalTensor<T>& sharedTmpBuffer, const uint64_t mask[], int32_t repeatTime,                    \
        AscendCModel::Field<uint16_t> srcRepStride, bool calIndex = false, ASCENDC_MODEL_SITE)               \
    {                                                                                                        \
        static_cast<void>(sharedTmpBuffer);                                                                  \
        AscendCModel::ExtremeOfRepeats(AscendCModel::ReduceOp::Op, dst, src,                                 \
            AscendCModel::BitMask<true, AscendCModel::Element<T>>(mask), static_cast<uint32_t>(repeatTime),  \
            srcRepStride.Wide(), calIndex, at);                                                              \
    }                                                                                                        \
    template <typename T>                                                                                    \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        const LocalTensor<T>& sharedTmpBuffer, int32_t mask, int32_t repeatTime,                             \
        AscendCModel::Field<uint16_t> srcRepStride, bool calIndex = false, ASCENDC_MODEL_SITE)               \
    {                                                                                                        \
        static_cast<void>(sharedTmpBuffer);                                                                  \
        AscendCModel::ExtremeOfRepeats(AscendCModel::ReduceOp::Op, dst, src,                                 \
            AscendCModel::LaneMask<true>(static_cast<uint32_t>(mask), at), static_cast<uint32_t>(repeatTime), \
            srcRepStride.Wide(), calIndex, at);                                                              \
    }                                                                                                        \
    template <typename T>                                                                                    \
    __aicore__ inline void Name(const LocalTensor<T>& dst, const LocalTensor<T>& src,                        \
        const LocalTensor<T>& sharedTmpBuffer, int32_t count, bool calIndex = false, ASCENDC_MODEL_SITE)     \
    {                                                                                                        \
        static_cast<void>(sharedTmpBuffer);                                                                  \
        AscendCModel::ExtremeOfRepeats(                                                                      \
            AscendCModel::ReduceOp::Op, dst, src, AscendCModel::CountMask(count), 1, 8, calIndex, at);       \
    }

namespace AscendC {

/// d[r] = the largest lane of repeat r and its index, as `order` says
ASCENDC_MODEL_WHOLE_REDUCE(WholeReduceMax, Max)
/// d[r] = the smallest lane of repeat r and its index, as `order` says
ASCENDC_MODEL_WHOLE_REDUCE(WholeReduceMin, Min)

/// d[r] = the sum of the lanes of repeat r; lanes by bits
template <typename T, bool isSetMask = true>
__aicore__ inline void WholeReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint64_t mask[],
    AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,
    AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunReduce(AscendCModel::ReduceOp::Sum, AscendCModel::ReduceScope::Repeat,
        ReduceOrder::ORDER_ONLY_VALUE, dst, src, AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask),
        repeatTime.Wide(), {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);
}

/// d[r] = the sum of the first lanes of repeat r
template <typename T, bool isSetMask = true>
__aicore__ inline void WholeReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, int32_t mask,
    AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,
    AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride, ASCENDC_MODEL_SITE)
{
    AscendCModel::RunReduce(AscendCModel::ReduceOp::Sum, AscendCModel::ReduceScope::Repeat,
        ReduceOrder::ORDER_ONLY_VALUE, dst, src,
        AscendCModel::LaneMask<isSetMask>(static_cast<uint32_t>(mask), at), repeatTime.Wide(),
        {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);
}

/// The sum of each repeat in d, by its oldest name; lanes by bits (an array) or the first lanes (a number)
template <typename T, bool isSetMask = true, typename M>
__aicore__ inline void RepeatReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    AscendCModel::Field<uint8_t> repeatTime, const M& mask, int32_t dstBlkStride,
    AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> dstRepStride,
    AscendCModel::Field<uint16_t> srcRepStride, ASCENDC_MODEL_SITE)
{
    // One result has no blocks.
    static_cast<void>(dstBlkStride);
    WholeReduceSum<T, isSetMask>(dst, src, mask, repeatTime, dstRepStride, srcBlkStride, srcRepStride, at);
}

/// d[b] = the sum of block b of 32 bytes
ASCENDC_MODEL_PART_REDUCE(BlockReduceSum, Sum, Block)
/// d[b] = the largest of block b of 32 bytes
ASCENDC_MODEL_PART_REDUCE(BlockReduceMax, Max, Block)
/// d[b] = the smallest of block b of 32 bytes
ASCENDC_MODEL_PART_REDUCE(BlockReduceMin, Min, Block)
/// d[i] = a[2 i] + a[2 i + 1]
ASCENDC_MODEL_PART_REDUCE(PairReduceSum, Sum, Pair)

/// d[b] = the sum, the largest or the smallest of block b of 32 bytes
ASCENDC_MODEL_TYPED_REDUCE(ReduceDataBlock, Block)
/// d[i] = a[2 i] + a[2 i + 1]
ASCENDC_MODEL_TYPED_REDUCE(ReducePairElem, Pair)

/// d[r] = the sum, the largest or the smallest of repeat r, the latter two with their index as `order` says; lanes by bits
template <ReduceType reduceType, typename T, typename U, bool isSetMask = true>
__aicore__ inline void ReduceRepeat(const LocalTensor<T>& dst, const LocalTensor<U>& src, const uint64_t mask[],
    AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,
    AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride,
    ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, ASCENDC_MODEL_SITE)
{
    static_assert(std::is_same_v<T, U>, "ReduceRepeat: both tensors must be of one type");
    AscendCModel::RunReduce(AscendCModel::OpOf(reduceType), AscendCModel::ReduceScope::Repeat,
        reduceType == ReduceType::SUM ? ReduceOrder::ORDER_ONLY_VALUE : order, dst, src,
        AscendCModel::BitMask<isSetMask, AscendCModel::Element<T>>(mask), repeatTime.Wide(),
        {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);
}

/// d[r] = the sum, the largest or the smallest of the first lanes of repeat r, the latter two with their index
template <ReduceType reduceType, typename T, typename U, bool isSetMask = true>
__aicore__ inline void ReduceRepeat(const LocalTensor<T>& dst, const LocalTensor<U>& src, int32_t mask,
    AscendCModel::Field<uint8_t> repeatTime, AscendCModel::Field<uint16_t> dstRepStride,
    AscendCModel::Field<uint16_t> srcBlkStride, AscendCModel::Field<uint16_t> srcRepStride,
    ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, ASCENDC_MODEL_SITE)
{
    static_assert(std::is_same_v<T, U>, "ReduceRepeat: both tensors must be of one type");
    AscendCModel::RunReduce(AscendCModel::OpOf(reduceType), AscendCModel::ReduceScope::Repeat,
        reduceType == ReduceType::SUM ? ReduceOrder::ORDER_ONLY_VALUE : order, dst, src,
        AscendCModel::LaneMask<isSetMask>(static_cast<uint32_t>(mask), at), repeatTime.Wide(),
        {dstRepStride.Wide(), srcBlkStride.Wide(), srcRepStride.Wide()}, at);
}

/// d[0] = the sum of all repeats, added by trees; lanes by bits
template <typename T>
__aicore__ inline void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<T>& sharedTmpBuffer, const uint64_t mask[], int32_t repeatTime,
    AscendCModel::Field<uint16_t> srcRepStride, ASCENDC_MODEL_SITE)
{
    AscendCModel::SumOfRepeats(dst, src, sharedTmpBuffer,
        AscendCModel::BitMask<true, AscendCModel::Element<T>>(mask), repeatTime, srcRepStride.Wide(), at);
}

/// d[0] = the sum of the first lanes of all repeats, added by trees
template <typename T>
__aicore__ inline void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<T>& sharedTmpBuffer, int32_t mask, int32_t repeatTime,
    AscendCModel::Field<uint16_t> srcRepStride, ASCENDC_MODEL_SITE)
{
    AscendCModel::SumOfRepeats(dst, src, sharedTmpBuffer,
        AscendCModel::LaneMask<true>(static_cast<uint32_t>(mask), at), repeatTime, srcRepStride.Wide(), at);
}

/// d[0] = the sum of the first elements: repeats by trees, their sums in order; `sharedTmpBuffer` is documented as unused
template <typename T, bool isSetMask = true>
__aicore__ inline void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LocalTensor<T>& sharedTmpBuffer, int32_t count, ASCENDC_MODEL_SITE)
{
    static_cast<void>(sharedTmpBuffer);
    AscendCModel::RunReduce(AscendCModel::ReduceOp::Sum, AscendCModel::ReduceScope::All,
        ReduceOrder::ORDER_ONLY_VALUE, dst, src, AscendCModel::CountMask<isSetMask>(count), 1, {0, 1, 8}, at);
}

/// d[0] = the largest of all elements, d[1] = its index if `calIndex`
ASCENDC_MODEL_EXTREME(ReduceMax, Max)
/// d[0] = the smallest of all elements, d[1] = its index if `calIndex`
ASCENDC_MODEL_EXTREME(ReduceMin, Min)

/// The value of the last maximum or minimum, and its index in the bits of T
template <typename T> __aicore__ inline void GetReduceRepeatMaxMinSpr(T& maxMinValue, T& maxMinIndex)
{
    static_assert(AscendCModel::IsFloating<T>, "GetReduceRepeatMaxMinSpr: of half or float");
    if constexpr (AscendCModel::IS_VECTOR) {
        const uint64_t bits = AscendCModel::ReadRegister(AscendCModel::Register::ReduceMaxMin);
        maxMinValue = AscendCModel::FromBits<T>(bits);
        maxMinIndex = AscendCModel::FromBits<T>(bits >> 32);
    }
}

/// The value of the last maximum or minimum
template <typename T> __aicore__ inline void GetReduceRepeatMaxMinSpr(T& maxMinValue)
{
    T index {};
    GetReduceRepeatMaxMinSpr(maxMinValue, index);
}

/// `GetReduceRepeatMaxMinSpr` by its older name
template <typename T> __aicore__ inline void GetReduceMaxMinCount(T& maxMinValue, T& maxMinIndex)
{
    GetReduceRepeatMaxMinSpr(maxMinValue, maxMinIndex);
}

/// `GetReduceRepeatMaxMinSpr` by its older name
template <typename T> __aicore__ inline void GetReduceMaxMinCount(T& maxMinValue)
{
    GetReduceRepeatMaxMinSpr(maxMinValue);
}

/// The result of the last sum of first elements
template <typename T> __aicore__ inline T GetReduceRepeatSumSpr()
{
    static_assert(AscendCModel::IsFloating<T>, "GetReduceRepeatSumSpr: of half or float");
    if constexpr (AscendCModel::IS_VECTOR) {
        return AscendCModel::FromBits<T>(AscendCModel::ReadRegister(AscendCModel::Register::ReduceSum));
    } else {
        return T {};
    }
}

/// `GetReduceRepeatSumSpr` by its older name
template <typename T> __aicore__ inline T GetAccVal()
{
    return GetReduceRepeatSumSpr<T>();
}

} // namespace AscendC

#undef ASCENDC_MODEL_WHOLE_REDUCE
#undef ASCENDC_MODEL_PART_REDUCE
#undef ASCENDC_MODEL_TYPED_REDUCE
#undef ASCENDC_MODEL_EXTREME

#endif
