// Sorting: pairs of 8 bytes of a score and its index, largest score first.
#ifndef ASCENDC_MODEL_VECTOR_SORT_H
#define ASCENDC_MODEL_VECTOR_SORT_H

#include "ascendc_model/vector_gather.h"

namespace AscendCModel {

/// Elements of T that a pair of score and index takes.
template <typename T> constexpr uint32_t PAIR = 8 / sizeof(T);

/// Merges sorted lists of `length` pairs, four at a time, until one list is left: `from` and `to` take turns.
/// Returns where the result is.
template <typename T>
LocalTensor<T> MergeAll(LocalTensor<T> from, LocalTensor<T> to, uint32_t pairs, uint32_t length, Site at);

} // namespace AscendCModel

namespace AscendC {

/// Each 32 scores of `src0` with their indices in `src1`, sorted
template <typename T>
__aicore__ inline void Sort32(const LocalTensor<T>& dst, const LocalTensor<T>& src0,
    const LocalTensor<uint32_t>& src1, AscendCModel::Field<uint8_t> repeatTime, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    static_assert(AscendCModel::IsFloating<E>, "Sort32: the scores must be of half or float");
    AscendCModel::Sort sort;
    sort.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Vector);
    sort.data_type = static_cast<uint8_t>(AscendCModel::DataTypeOf<E>);
    sort.repeat = repeatTime.Wide();
    sort.dst = dst.ModelAddress();
    sort.src = src0.ModelAddress();
    sort.index = src1.ModelAddress();
    AscendCModel::ExecuteVector(sort, at);
}

/// Up to four sorted lists, merged
template <typename T>
__aicore__ inline void MrgSort(
    const LocalTensor<T>& dst, const MrgSortSrcList<T>& src, const MrgSort4Info& params, ASCENDC_MODEL_SITE)
{
    using E = AscendCModel::Element<T>;
    static_assert(AscendCModel::IsFloating<E>, "MrgSort: the scores must be of half or float");
    AscendCModel::Merge merge;
    merge.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Vector);
    merge.data_type = static_cast<uint8_t>(AscendCModel::DataTypeOf<E>);
    merge.valid = static_cast<uint8_t>(params.validBit);
    merge.exhausted = params.ifExhaustedSuspension ? 1 : 0;
    merge.repeat = params.repeatTimes.Wide();
    merge.dst = dst.ModelAddress();
    const LocalTensor<T>* const lists[4] = {&src.src1, &src.src2, &src.src3, &src.src4};
    for (int i = 0; i < 4; ++i) {
        // A list that does not take part may be a tensor that was never set.
        if ((params.validBit >> i & 1) != 0) {
            merge.src[i] = lists[i]->ModelAddress();
            merge.length[i] = params.elementLengths[i];
        }
    }
    AscendCModel::ExecuteVector(merge, at);
}

/// How many pairs of each list the last merge used up
__aicore__ inline void GetMrgSortResult(
    uint16_t& mrgSortList1, uint16_t& mrgSortList2, uint16_t& mrgSortList3, uint16_t& mrgSortList4)
{
    if constexpr (AscendCModel::IS_VECTOR) {
        const uint64_t lengths = AscendCModel::ReadRegister(AscendCModel::Register::MergeResult);
        mrgSortList1 = static_cast<uint16_t>(lengths);
        mrgSortList2 = static_cast<uint16_t>(lengths >> 16);
        mrgSortList3 = static_cast<uint16_t>(lengths >> 32);
        mrgSortList4 = static_cast<uint16_t>(lengths >> 48);
    }
}

/// Up to four sorted lists of `elementCountList` pairs, merged; `sortedNum` says how many pairs were used up
template <typename T, bool isExhaustedSuspension = false>
__aicore__ inline void MrgSort(const LocalTensor<T>& dst, const MrgSortSrcList<T>& sortList,
    const uint16_t elementCountList[4], uint32_t sortedNum[4], uint16_t validBit,
    AscendCModel::Field<uint8_t> repeatTime, ASCENDC_MODEL_SITE)
{
    MrgSort(dst, sortList, MrgSort4Info(elementCountList, isExhaustedSuspension, validBit, repeatTime), at);
    if constexpr (isExhaustedSuspension) {
        uint16_t used[4] = {};
        GetMrgSortResult(used[0], used[1], used[2], used[3]);
        for (int i = 0; i < 4; ++i) {
            sortedNum[i] = used[i];
        }
    }
}

/// What `Sort` reads: on this architecture the scores themselves
template <typename T>
__aicore__ inline void Concat(
    LocalTensor<T>& concat, const LocalTensor<T>& src, const LocalTensor<T>& tmp, const int32_t repeatTime)
{
    static_cast<void>(tmp);
    static_cast<void>(repeatTime);
    concat = src;
}

/// Each 32 scores with their indices, sorted; if `isFullSort`, all of them together
template <typename T, bool isFullSort>
__aicore__ inline void Sort(const LocalTensor<T>& dst, const LocalTensor<T>& concat,
    const LocalTensor<uint32_t>& index, const LocalTensor<T>& tmp, const int32_t repeatTime, ASCENDC_MODEL_SITE)
{
    if (!isFullSort || repeatTime <= 1) {
        Sort32(dst, concat, index, repeatTime, at);
        return;
    }
    const auto pairs = static_cast<uint32_t>(repeatTime) * 32;
    // Each level of merges changes the tensor: the last must write dst.
    bool into_dst = true;
    for (uint32_t length = 32; length < pairs; length *= 4) {
        into_dst = !into_dst;
    }
    const LocalTensor<T>& first = into_dst ? dst : tmp;
    const LocalTensor<T>& second = into_dst ? tmp : dst;
    Sort32(first, concat, index, repeatTime, at);
    AscendCModel::MergeAll(first, second, pairs, 32, at);
}

/// The scores and the indices of sorted pairs, 32 for a repeat
template <typename T>
__aicore__ inline void Extract(const LocalTensor<T>& dstValue, const LocalTensor<uint32_t>& dstIndex,
    const LocalTensor<T>& sorted, const int32_t repeatTime, ASCENDC_MODEL_SITE)
{
    constexpr bool wide = sizeof(AscendCModel::Element<T>) == 4;
    const LocalTensor<uint32_t> words = sorted.template ReinterpretCast<uint32_t>();
    // A repeat of `GatherMask` is 256 bytes, 32 pairs: of float each second element, of half each fourth is a score.
    uint64_t kept = 0;
    GatherMask(dstValue, sorted, wide ? 1 : 3, false, 0, GatherMaskParams(1, repeatTime, 8, 0), kept, at);
    GatherMask(dstIndex, words, 2, false, 0, GatherMaskParams(1, repeatTime, 8, 0), kept, at);
}

} // namespace AscendC

namespace AscendCModel {

template <typename T>
LocalTensor<T> MergeAll(LocalTensor<T> from, LocalTensor<T> to, uint32_t pairs, uint32_t length, Site at)
{
    for (; length < pairs; length *= 4) {
        VectorBarrier(at);
        for (uint32_t start = 0; start < pairs; start += 4 * length) {
            uint16_t lengths[4] = {};
            uint16_t valid = 0;
            LocalTensor<T> lists[4];
            for (uint32_t i = 0; i < 4; ++i) {
                const uint32_t begin = start + i * length;
                if (begin < pairs) {
                    lengths[i] = static_cast<uint16_t>(pairs - begin < length ? pairs - begin : length);
                    lists[i] = from[begin * PAIR<Element<T>>];
                    valid = static_cast<uint16_t>(valid | 1u << i);
                }
            }
            if (valid == 1) {
                // A list without others is carried over.
                const LocalTensor<int32_t> source = lists[0].template ReinterpretCast<int32_t>();
                const LocalTensor<int32_t> destination =
                    to[start * PAIR<Element<T>>].template ReinterpretCast<int32_t>();
                RunUnary(VectorOp::Copy, destination, source,
                    FirstElements<int32_t, int32_t>(static_cast<int64_t>(lengths[0]) * 2), at);
                continue;
            }
            AscendC::MrgSort(to[start * PAIR<Element<T>>],
                AscendC::MrgSortSrcList<T>(lists[0], lists[1], lists[2], lists[3]),
                AscendC::MrgSort4Info(lengths, false, valid, 1), at);
        }
        const LocalTensor<T> other = from;
        from = to;
        to = other;
    }
    return from;
}

} // namespace AscendCModel

#endif
