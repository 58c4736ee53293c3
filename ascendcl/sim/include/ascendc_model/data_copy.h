// Copies between global memory and the memories of the core, and what copies to global memory do there.
#ifndef ASCENDC_MODEL_DATA_COPY_H
#define ASCENDC_MODEL_DATA_COPY_H

#include "ascendc_model/sync.h"

namespace AscendC {

/// Rows of blocks of 32 bytes; gaps are from the end of a row to the start of the next.
struct DataCopyParams {
    __aicore__ inline DataCopyParams() {}
    __aicore__ inline DataCopyParams(AscendCModel::Field<uint16_t> count, AscendCModel::Field<uint16_t> len,
        AscendCModel::Field<uint16_t> srcGapIn = 0, AscendCModel::Field<uint16_t> dstGapIn = 0)
        : blockCount(count), blockLen(len), srcGap(srcGapIn), dstGap(dstGapIn)
    {
    }

    AscendCModel::Field<uint16_t> blockCount = 1;
    AscendCModel::Field<uint16_t> blockLen = 0;
    // Two names for one field, by versions of the toolkit.
    union {
        AscendCModel::Field<uint16_t> srcGap = 0;
        AscendCModel::Field<uint16_t> srcStride;
    };
    union {
        AscendCModel::Field<uint16_t> dstGap = 0;
        AscendCModel::Field<uint16_t> dstStride;
    };
};

/// Rows of bytes. Gaps in bytes in global memory and in blocks of 32 bytes in local memory.
struct DataCopyExtParams {
    __aicore__ inline DataCopyExtParams() {}
    __aicore__ inline DataCopyExtParams(AscendCModel::Field<uint16_t> count, AscendCModel::Field<uint32_t> len,
        AscendCModel::Field<uint32_t> srcStrideIn, AscendCModel::Field<uint32_t> dstStrideIn,
        AscendCModel::Field<uint32_t> rsvIn)
        : blockCount(count), blockLen(len), srcStride(srcStrideIn), dstStride(dstStrideIn), rsv(rsvIn)
    {
    }

    AscendCModel::Field<uint16_t> blockCount = 1;
    AscendCModel::Field<uint32_t> blockLen = 0;
    AscendCModel::Field<uint32_t> srcStride = 0;
    AscendCModel::Field<uint32_t> dstStride = 0;
    AscendCModel::Field<uint32_t> rsv = 0;
};

/// Elements put before and after each row in local memory.
struct DataCopyPadParams {
    __aicore__ inline DataCopyPadParams() {}
    __aicore__ inline DataCopyPadParams(bool isPadIn, AscendCModel::Field<uint8_t> left,
        AscendCModel::Field<uint8_t> right, uint64_t value)
        : isPad(isPadIn), leftPadding(left), rightPadding(right), paddingValue(value)
    {
    }

    bool isPad = false;
    AscendCModel::Field<uint8_t> leftPadding = 0;
    AscendCModel::Field<uint8_t> rightPadding = 0;
    uint64_t paddingValue = 0;
};

/// Elements put before and after each row in local memory.
template <typename T> struct DataCopyPadExtParams {
    using TYPE = PrimT<T>;
    __aicore__ inline DataCopyPadExtParams() {}
    template <typename V>
    __aicore__ inline DataCopyPadExtParams(
        bool isPadIn, AscendCModel::Field<uint8_t> left, AscendCModel::Field<uint8_t> right, V value)
        : isPad(isPadIn), leftPadding(left), rightPadding(right), paddingValue(static_cast<TYPE>(value))
    {
    }

    bool isPad = false;
    AscendCModel::Field<uint8_t> leftPadding = 0;
    AscendCModel::Field<uint8_t> rightPadding = 0;
    TYPE paddingValue = TYPE {};
};

enum class BlockMode : uint8_t {
    BLOCK_MODE_NORMAL = 0,
    BLOCK_MODE_MATRIX,
    BLOCK_MODE_VECTOR,
    BLOCK_MODE_SMALL_CHANNEL,
    BLOCK_MODE_DEPTHWISE,
};
enum class DeqScale : uint8_t { DEQ_NONE = 0, DEQ, VDEQ, DEQ8, VDEQ8, DEQ16, VDEQ16 };

/// Conversions on the way, which this device has in Fixpipe only: BLOCK_MODE_NORMAL and no scale.
struct DataCopyEnhancedParams {
    __aicore__ inline DataCopyEnhancedParams() {}
    __aicore__ inline DataCopyEnhancedParams(const BlockMode blockModeIn, const DeqScale deqScaleIn,
        const uint64_t deqValueIn, const uint8_t sidStoreModeIn, const bool isReluIn, const pad_t padModeIn,
        const uint64_t padValueIn)
        : blockMode(blockModeIn), deqScale(deqScaleIn), deqValue(deqValueIn), sidStoreMode(sidStoreModeIn),
          isRelu(isReluIn), padMode(padModeIn), padValue(padValueIn)
    {
    }

    BlockMode blockMode = BlockMode::BLOCK_MODE_NORMAL;
    DeqScale deqScale = DeqScale::DEQ_NONE;
    uint64_t deqValue = 0;
    uint8_t sidStoreMode = 0;
    bool isRelu = false;
    pad_t padMode = pad_t::PAD_NONE;
    uint64_t padValue = 0;
    uint64_t deqTensorAddr = 0;
};

/// A part of an axis: segments of `burstLen` blocks with `stride` elements between them.
struct SliceInfo {
    uint32_t startIndex = 0;
    uint32_t endIndex = 0;
    uint32_t stride = 0;
    uint32_t burstLen = 0;
    uint32_t shapeValue = 0;
};

/// Matrices of rows that become fractals.
struct Nd2NzParams {
    __aicore__ inline Nd2NzParams() {}
    __aicore__ inline Nd2NzParams(AscendCModel::Field<uint16_t> ndNumIn, AscendCModel::Field<uint16_t> nValueIn,
        AscendCModel::Field<uint16_t> dValueIn, AscendCModel::Field<uint16_t> srcNdMatrixStrideIn,
        AscendCModel::Field<uint16_t> srcDValueIn, AscendCModel::Field<uint16_t> dstNzC0StrideIn,
        AscendCModel::Field<uint16_t> dstNzNStrideIn, AscendCModel::Field<uint16_t> dstNzMatrixStrideIn)
        : ndNum(ndNumIn), nValue(nValueIn), dValue(dValueIn), srcNdMatrixStride(srcNdMatrixStrideIn),
          srcDValue(srcDValueIn), dstNzC0Stride(dstNzC0StrideIn), dstNzNStride(dstNzNStrideIn),
          dstNzMatrixStride(dstNzMatrixStrideIn)
    {
    }

    AscendCModel::Field<uint16_t> ndNum = 0;
    AscendCModel::Field<uint16_t> nValue = 0;
    AscendCModel::Field<uint16_t> dValue = 0;
    AscendCModel::Field<uint16_t> srcNdMatrixStride = 0;
    AscendCModel::Field<uint16_t> srcDValue = 0;
    AscendCModel::Field<uint16_t> dstNzC0Stride = 0;
    AscendCModel::Field<uint16_t> dstNzNStride = 0;
    AscendCModel::Field<uint16_t> dstNzMatrixStride = 0;
};

/// Fractals that become matrices of rows.
struct Nz2NdParamsFull {
    __aicore__ inline Nz2NdParamsFull() {}
    __aicore__ inline Nz2NdParamsFull(AscendCModel::Field<uint16_t> ndNumIn, AscendCModel::Field<uint16_t> nValueIn,
        AscendCModel::Field<uint16_t> dValueIn, AscendCModel::Field<uint16_t> srcNdMatrixStrideIn,
        AscendCModel::Field<uint16_t> srcNStrideIn, AscendCModel::Field<uint16_t> dstDStrideIn,
        AscendCModel::Field<uint16_t> dstNdMatrixStrideIn)
        : ndNum(ndNumIn), nValue(nValueIn), dValue(dValueIn), srcNdMatrixStride(srcNdMatrixStrideIn),
          srcNStride(srcNStrideIn), dstDStride(dstDStrideIn), dstNdMatrixStride(dstNdMatrixStrideIn)
    {
    }

    AscendCModel::Field<uint16_t> ndNum = 1;
    AscendCModel::Field<uint16_t> nValue = 0;
    AscendCModel::Field<uint16_t> dValue = 0;
    AscendCModel::Field<uint16_t> srcNdMatrixStride = 0;
    AscendCModel::Field<uint16_t> srcNStride = 0;
    AscendCModel::Field<uint16_t> dstDStride = 0;
    AscendCModel::Field<uint16_t> dstNdMatrixStride = 0;
};

/// Strides of `Copy` in blocks: between the blocks of a repeat, and between repeats.
struct CopyRepeatParams {
    __aicore__ inline CopyRepeatParams() {}
    __aicore__ inline CopyRepeatParams(AscendCModel::Field<uint16_t> dstStrideIn,
        AscendCModel::Field<uint16_t> srcStrideIn, AscendCModel::Field<uint16_t> dstRepeatSizeIn,
        AscendCModel::Field<uint16_t> srcRepeatSizeIn)
        : dstStride(dstStrideIn), srcStride(srcStrideIn), dstRepeatSize(dstRepeatSizeIn),
          srcRepeatSize(srcRepeatSizeIn)
    {
    }

    AscendCModel::Field<uint16_t> dstStride = 1;
    AscendCModel::Field<uint16_t> srcStride = 1;
    AscendCModel::Field<uint16_t> dstRepeatSize = 8;
    AscendCModel::Field<uint16_t> srcRepeatSize = 8;
};

enum class AtomicDtype { ATOMIC_NONE = 0, ATOMIC_F32, ATOMIC_F16, ATOMIC_S16, ATOMIC_S32, ATOMIC_S8, ATOMIC_BF16 };
enum class AtomicOp { ATOMIC_SUM = 0 };

} // namespace AscendC

namespace AscendCModel {

constexpr uint32_t BLOCK = 32;

constexpr uint64_t RoundUpToBlock(uint64_t bytes)
{
    return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

inline bool HasMemory(Space space)
{
    return current.view->base[static_cast<uint32_t>(space)] != nullptr;
}

/// The pipe that brings data from global memory into a local memory; the copy vanishes on a core without it.
inline bool CanLoad(Space space, Site at)
{
    if (space != Space::UB && space != Space::L1) {
        Fail("DataCopy: global memory is copied to UB and L1 only", at);
    }
    return HasMemory(space);
}

inline bool CanStore(Space space, Site at)
{
    if (space != Space::UB && space != Space::L1) {
        Fail("DataCopy: UB and L1 only are copied to global memory; Fixpipe copies L0C", at);
    }
    return HasMemory(space);
}

/// The number and the length of rows as the programmer passed them, with the limits of their fields.
inline void Limit(Copy& copy, uint32_t count, uint32_t count_limit, uint32_t length, uint32_t length_limit)
{
    copy.rows = count;
    copy.count_field = count;
    copy.count_limit = count_limit;
    copy.length_field = length;
    copy.length_limit = length_limit;
}

inline void TakeAtomic(Copy& copy)
{
    copy.atomic = static_cast<uint8_t>(current.registers.atomic);
    copy.atomic_type = static_cast<uint8_t>(current.registers.atomic_type);
}

/// A copy of rows of blocks; a copy of nothing is no instruction.
inline Copy RowsOfBlocks(const AscendC::DataCopyParams& params)
{
    Copy copy;
    Limit(copy, params.blockCount.Wide(), 4095, params.blockLen.Wide(), 65535);
    copy.row_bytes = uint64_t {params.blockLen.Wide()} * BLOCK;
    copy.src_stride = copy.row_bytes + uint64_t {params.srcGap.Wide()} * BLOCK;
    copy.dst_stride = copy.row_bytes + uint64_t {params.dstGap.Wide()} * BLOCK;
    copy.blocks = 1;
    return copy;
}

inline void Run(Copy& copy, pipe_t pipe, uint64_t dst, uint64_t src, uint32_t element, Site at)
{
    if (copy.rows == 0 || copy.row_bytes + copy.left_padding + copy.right_padding == 0) {
        return;
    }
    copy.pipe = static_cast<uint8_t>(pipe);
    copy.dst = dst;
    copy.src = src;
    copy.element = element;
    Execute(copy, at);
}

/// Whole blocks of so many elements: what is left over is not copied.
template <typename T> AscendC::DataCopyParams Contiguous(uint32_t count)
{
    return {1, BytesOf<T>(count) / BLOCK, 0, 0};
}

/// The first `count` lanes, or in counter mode so many elements.
inline Mask FirstLanes(uint64_t count)
{
    Mask mask = current.registers.mask;
    if (mask.counter != 0) {
        mask.bits[0] = count;
        mask.bits[1] = 0;
    } else {
        mask.bits[0] = count >= 64 ? ~0ull : (1ull << count) - 1;
        mask.bits[1] = count >= 128 ? ~0ull : count > 64 ? (1ull << (count - 64)) - 1 : 0;
    }
    return mask;
}

} // namespace AscendCModel

namespace AscendC {

/// Global memory to UB or L1.
template <typename T>
__aicore__ inline void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const DataCopyParams& repeatParams, ASCENDC_MODEL_SITE)
{
    if (AscendCModel::CanLoad(dst.Memory(), at)) {
        AscendCModel::Copy copy = AscendCModel::RowsOfBlocks(repeatParams);
        AscendCModel::Run(copy, PIPE_MTE2, dst.ModelAddress(), src.ModelAddress(), sizeof(PrimT<T>), at);
    }
}

/// UB or L1 to global memory.
template <typename T>
__aicore__ inline void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
    const DataCopyParams& repeatParams, ASCENDC_MODEL_SITE)
{
    if (AscendCModel::CanStore(src.Memory(), at)) {
        AscendCModel::Copy copy = AscendCModel::RowsOfBlocks(repeatParams);
        AscendCModel::TakeAtomic(copy);
        AscendCModel::Run(copy, PIPE_MTE3, dst.ModelAddress(), src.ModelAddress(), sizeof(PrimT<T>), at);
    }
}

/// UB to UB; L1 to the bias table (blocks of 64 bytes there) or to the parameters of Fixpipe (128 bytes).
template <typename T, typename U>
__aicore__ inline void DataCopy(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const DataCopyParams& repeatParams, ASCENDC_MODEL_SITE)
{
    using AscendCModel::Space;
    const Space to = dst.Memory();
    AscendCModel::Copy copy = AscendCModel::RowsOfBlocks(repeatParams);
    pipe_t pipe = PIPE_V;
    if (src.Memory() == Space::L1 && to == Space::BT) {
        pipe = PIPE_MTE1;
        constexpr bool WIDENS = std::is_same_v<PrimT<T>, float> && std::is_same_v<PrimT<U>, half>;
        if constexpr (!WIDENS && !std::is_same_v<PrimT<T>, PrimT<U>>) {
            AscendCModel::Fail("DataCopy: from L1 to the bias table only half becomes another type, float", at);
        }
        // The unit of lengths is that of the table: a value that is widened has half of it in L1.
        copy.widens = WIDENS;
        copy.row_bytes *= WIDENS ? 1 : 2;
        copy.dst_stride *= 2;
        // No gap means the first row again.
        const uint64_t gap = repeatParams.srcGap.Wide();
        copy.src_stride = gap == 0 ? 0 : copy.row_bytes + gap * AscendCModel::BLOCK;
    } else if (src.Memory() == Space::L1 && to == Space::FB) {
        pipe = PIPE_FIX;
        copy.row_bytes *= 4;
        // From start to start.
        copy.src_stride = uint64_t {repeatParams.srcGap.Wide()} * AscendCModel::BLOCK;
        copy.dst_stride = uint64_t {repeatParams.dstGap.Wide()} * 4 * AscendCModel::BLOCK;
    } else if (src.Memory() != Space::UB || to != Space::UB) {
        AscendCModel::Fail("DataCopy: this device does not copy between these local memories", at);
    }
    if (AscendCModel::HasMemory(to)) {
        AscendCModel::Run(copy, pipe, dst.ModelAddress(), src.ModelAddress(), sizeof(PrimT<T>), at);
    }
}

/// `count` elements; what is not a whole block of 32 bytes is left out.
template <typename T>
__aicore__ inline void DataCopy(
    const LocalTensor<T>& dst, const GlobalTensor<T>& src, const uint32_t count, ASCENDC_MODEL_SITE)
{
    DataCopy(dst, src, AscendCModel::Contiguous<PrimT<T>>(count), at);
}
template <typename T>
__aicore__ inline void DataCopy(
    const GlobalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t count, ASCENDC_MODEL_SITE)
{
    DataCopy(dst, src, AscendCModel::Contiguous<PrimT<T>>(count), at);
}
template <typename T>
__aicore__ inline void DataCopy(
    const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t count, ASCENDC_MODEL_SITE)
{
    if (dst.Memory() == AscendCModel::Space::UB) {
        DataCopy(dst, src, AscendCModel::Contiguous<PrimT<T>>(count), at);
        return;
    }
    if (src.Memory() != AscendCModel::Space::L1
        || (dst.Memory() != AscendCModel::Space::BT && dst.Memory() != AscendCModel::Space::FB)) {
        AscendCModel::Fail("DataCopy: this device does not copy between these local memories", at);
    }
    if (AscendCModel::HasMemory(dst.Memory())) {
        AscendCModel::Copy copy = AscendCModel::RowsOfBlocks(AscendCModel::Contiguous<PrimT<T>>(count));
        const pipe_t pipe = dst.Memory() == AscendCModel::Space::BT ? PIPE_MTE1 : PIPE_FIX;
        AscendCModel::Run(copy, pipe, dst.ModelAddress(), src.ModelAddress(), sizeof(PrimT<T>), at);
    }
}

/// Without a conversion, which this device has in Fixpipe only.
template <template <typename> class Dst, template <typename> class Src, typename T, typename U>
__aicore__ inline void DataCopy(const Dst<T>& dst, const Src<U>& src, const DataCopyParams& intriParams,
    const DataCopyEnhancedParams& enhancedParams, ASCENDC_MODEL_SITE)
{
    if (enhancedParams.blockMode != BlockMode::BLOCK_MODE_NORMAL || enhancedParams.deqScale != DeqScale::DEQ_NONE
        || enhancedParams.isRelu) {
        AscendCModel::Fail("DataCopy: this device converts in Fixpipe only", at);
    }
    DataCopy(dst, src, intriParams, at);
}

/// Matrices of rows in global memory become fractals in L1 or UB.
template <typename T>
__aicore__ inline void DataCopy(
    const LocalTensor<T>& dst, const GlobalTensor<T>& src, const Nd2NzParams& intriParams, ASCENDC_MODEL_SITE)
{
    if (!AscendCModel::CanLoad(dst.Memory(), at) || intriParams.ndNum == 0) {
        return;
    }
    AscendCModel::NdToNz copy;
    copy.pipe = static_cast<uint8_t>(PIPE_MTE2);
    copy.element = sizeof(PrimT<T>);
    copy.dst = dst.ModelAddress();
    copy.src = src.ModelAddress();
    copy.nd_num = intriParams.ndNum.Wide();
    copy.n_value = intriParams.nValue.Wide();
    copy.d_value = intriParams.dValue.Wide();
    copy.src_nd_matrix_stride = intriParams.srcNdMatrixStride.Wide();
    copy.src_d_value = intriParams.srcDValue.Wide();
    copy.dst_nz_c0_stride = intriParams.dstNzC0Stride.Wide();
    copy.dst_nz_n_stride = intriParams.dstNzNStride.Wide();
    copy.dst_nz_matrix_stride = intriParams.dstNzMatrixStride.Wide();
    AscendCModel::Execute(copy, at);
}

/// Fractals in UB become matrices of rows in global memory.
template <typename T>
__aicore__ inline void DataCopy(
    const GlobalTensor<T>& dst, const LocalTensor<T>& src, const Nz2NdParamsFull& intriParams, ASCENDC_MODEL_SITE)
{
    if (!AscendCModel::CanStore(src.Memory(), at) || intriParams.ndNum == 0) {
        return;
    }
    AscendCModel::NzToNd copy;
    copy.pipe = static_cast<uint8_t>(PIPE_MTE3);
    copy.element = sizeof(PrimT<T>);
    copy.dst = dst.ModelAddress();
    copy.src = src.ModelAddress();
    copy.nd_num = intriParams.ndNum.Wide();
    copy.n_value = intriParams.nValue.Wide();
    copy.d_value = intriParams.dValue.Wide();
    copy.src_nd_matrix_stride = intriParams.srcNdMatrixStride.Wide();
    copy.src_n_stride = intriParams.srcNStride.Wide();
    copy.dst_d_stride = intriParams.dstDStride.Wide();
    copy.dst_nd_matrix_stride = intriParams.dstNdMatrixStride.Wide();
    copy.atomic = static_cast<uint8_t>(AscendCModel::current.registers.atomic);
    copy.atomic_type = static_cast<uint8_t>(AscendCModel::current.registers.atomic_type);
    AscendCModel::Execute(copy, at);
}

} // namespace AscendC

namespace AscendCModel {

/// Rows of bytes from global memory; each is filled up to whole blocks. Without `isPad` the device fills with
/// the first element of the row or with anything: no kernel can rely on it, and the model fills with the
/// register of `SetPadValue`.
template <typename T, typename Tensor, typename Source>
inline void LoadPadded(const Tensor& dst, const Source& src, Copy copy, uint64_t src_gap, uint64_t dst_gap,
    bool is_pad, uint64_t left, uint64_t right, uint64_t value, Site at)
{
    if (!CanLoad(dst.Memory(), at)) {
        return;
    }
    if (left * sizeof(T) > BLOCK || right * sizeof(T) > BLOCK) {
        Fail("DataCopyPad: the padding of one side is longer than 32 bytes", at);
    }
    if (is_pad && sizeof(T) == 8 && value != 0) {
        Fail("DataCopyPad: elements of 64 bits are padded with 0 only", at);
    }
    const uint64_t used = left * sizeof(T) + copy.row_bytes + right * sizeof(T);
    const uint64_t whole = RoundUpToBlock(used);
    copy.left_padding = static_cast<uint32_t>(left * sizeof(T));
    copy.right_padding = static_cast<uint32_t>(whole - copy.left_padding - copy.row_bytes);
    copy.padding = is_pad ? value : current.registers.pad_value;
    copy.src_stride = copy.row_bytes + src_gap;
    copy.dst_stride = whole + dst_gap * BLOCK;
    if (copy.row_bytes != 0) {
        Run(copy, PIPE_MTE2, dst.ModelAddress(), src.ModelAddress(), sizeof(T), at);
    }
}

template <typename T, typename Tensor, typename Source>
inline void StorePadded(const Tensor& dst, const Source& src, Copy copy, uint64_t src_gap, uint64_t dst_gap, Site at)
{
    if (!CanStore(src.Memory(), at)) {
        return;
    }
    copy.src_stride = RoundUpToBlock(copy.row_bytes) + src_gap * BLOCK;
    copy.dst_stride = copy.row_bytes + dst_gap;
    TakeAtomic(copy);
    Run(copy, PIPE_MTE3, dst.ModelAddress(), src.ModelAddress(), sizeof(T), at);
}

inline Copy RowsOfBytes(uint32_t count, uint32_t length, uint32_t length_limit)
{
    Copy copy;
    Limit(copy, count, 4095, length, length_limit);
    copy.row_bytes = length;
    return copy;
}

} // namespace AscendCModel

namespace AscendC {

/// Global memory to UB; rows of bytes.
template <typename T>
__aicore__ inline void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const DataCopyExtParams& dataCopyParams, const DataCopyPadExtParams<T>& padParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::LoadPadded<PrimT<T>>(dst, src,
        AscendCModel::RowsOfBytes(dataCopyParams.blockCount.Wide(), dataCopyParams.blockLen.Wide(), 2097151),
        dataCopyParams.srcStride.Wide(), dataCopyParams.dstStride.Wide(), padParams.isPad,
        padParams.leftPadding.Wide(), padParams.rightPadding.Wide(), AscendCModel::Bits(padParams.paddingValue), at);
}
template <typename T>
__aicore__ inline void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const DataCopyParams& dataCopyParams, const DataCopyPadParams& padParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::LoadPadded<PrimT<T>>(dst, src,
        AscendCModel::RowsOfBytes(dataCopyParams.blockCount.Wide(), dataCopyParams.blockLen.Wide(), 65535),
        dataCopyParams.srcGap.Wide(), dataCopyParams.dstGap.Wide(), padParams.isPad,
        padParams.leftPadding.Wide(), padParams.rightPadding.Wide(), padParams.paddingValue, at);
}

/// UB to global memory; rows of bytes.
template <typename T>
__aicore__ inline void DataCopyPad(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
    const DataCopyExtParams& dataCopyParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::StorePadded<PrimT<T>>(dst, src,
        AscendCModel::RowsOfBytes(dataCopyParams.blockCount.Wide(), dataCopyParams.blockLen.Wide(), 2097151),
        dataCopyParams.srcStride.Wide(), dataCopyParams.dstStride.Wide(), at);
}
template <typename T>
__aicore__ inline void DataCopyPad(const GlobalTensor<T>& dst, const LocalTensor<T>& src,
    const DataCopyParams& dataCopyParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::StorePadded<PrimT<T>>(dst, src,
        AscendCModel::RowsOfBytes(dataCopyParams.blockCount.Wide(), dataCopyParams.blockLen.Wide(), 65535),
        dataCopyParams.srcGap.Wide(), dataCopyParams.dstGap.Wide(), at);
}

/// What DataCopyPad fills with where its parameters do not say.
template <typename T, TPosition pos = TPosition::MAX> __aicore__ inline void SetPadValue(T paddingValue)
{
    AscendCModel::current.registers.pad_value = AscendCModel::Bits(paddingValue);
}

} // namespace AscendC

namespace AscendCModel {

/// Copies segments for each index of the outer axes, the innermost of them moving fastest.
template <typename T, typename Dst, typename Src, typename Store>
inline void CopySlices(const Dst& dst, const Src& src, const AscendC::SliceInfo* to, const AscendC::SliceInfo* from,
    uint32_t axes, Store&& store, Site at)
{
    if (axes == 0 || axes > 8) {
        Fail("DataCopy: slices have 1 to 8 axes", at);
    }
    uint64_t to_index[8] = {};
    uint64_t from_index[8] = {};
    for (uint32_t axis = 0; axis < axes; ++axis) {
        to_index[axis] = to[axis].startIndex;
        from_index[axis] = from[axis].startIndex;
    }
    const uint64_t segment = ElementsOf<T>(uint64_t {from[0].burstLen} * BLOCK);
    if (segment == 0) {
        return;
    }
    const uint64_t length = uint64_t {from[0].endIndex} - from[0].startIndex + 1;
    const uint64_t segments = (length + from[0].stride) / (segment + from[0].stride);
    for (;;) {
        uint64_t to_start = 0;
        uint64_t from_start = 0;
        uint64_t to_unit = 1;
        uint64_t from_unit = 1;
        for (uint32_t axis = 0; axis < axes; ++axis) {
            to_start += to_index[axis] * to_unit;
            from_start += from_index[axis] * from_unit;
            to_unit *= to[axis].shapeValue;
            from_unit *= from[axis].shapeValue;
        }
        Copy copy = RowsOfBytes(static_cast<uint32_t>(segments), from[0].burstLen * BLOCK, 2097151);
        copy.src_stride = copy.row_bytes + BytesOf<T>(from[0].stride);
        copy.dst_stride = copy.row_bytes + BytesOf<T>(to[0].stride);
        store(copy, dst[static_cast<uint32_t>(to_start)].ModelAddress(),
            src[static_cast<uint32_t>(from_start)].ModelAddress());
        uint32_t axis = 1;
        for (; axis < axes; ++axis) {
            to_index[axis] += to[axis].stride + 1;
            from_index[axis] += from[axis].stride + 1;
            if (from_index[axis] <= from[axis].endIndex) {
                break;
            }
            to_index[axis] = to[axis].startIndex;
            from_index[axis] = from[axis].startIndex;
        }
        if (axis >= axes) {
            return;
        }
    }
}

} // namespace AscendCModel

namespace AscendC {

/// Parts of a tensor in global memory to UB; the first axis is the innermost.
template <typename T>
__aicore__ inline void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const SliceInfo dstSliceInfo[],
    const SliceInfo srcSliceInfo[], const uint32_t dimValue = 1, ASCENDC_MODEL_SITE)
{
    if (AscendCModel::CanLoad(dst.Memory(), at)) {
        AscendCModel::CopySlices<PrimT<T>>(dst, src, dstSliceInfo, srcSliceInfo, dimValue,
            [&](AscendCModel::Copy& copy, uint64_t to, uint64_t from) {
                AscendCModel::Run(copy, PIPE_MTE2, to, from, sizeof(PrimT<T>), at);
            }, at);
    }
}

/// Parts of a tensor in UB to global memory; the first axis is the innermost.
template <typename T>
__aicore__ inline void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const SliceInfo dstSliceInfo[],
    const SliceInfo srcSliceInfo[], const uint32_t dimValue = 1, ASCENDC_MODEL_SITE)
{
    if (AscendCModel::CanStore(src.Memory(), at)) {
        AscendCModel::CopySlices<PrimT<T>>(dst, src, dstSliceInfo, srcSliceInfo, dimValue,
            [&](AscendCModel::Copy& copy, uint64_t to, uint64_t from) {
                AscendCModel::TakeAtomic(copy);
                AscendCModel::Run(copy, PIPE_MTE3, to, from, sizeof(PrimT<T>), at);
            }, at);
    }
}

} // namespace AscendC

namespace AscendCModel {

template <typename T>
inline void CopyLanes(const AscendC::LocalTensor<T>& dst, const AscendC::LocalTensor<T>& src, const Mask& mask,
    uint32_t repeat, const AscendC::CopyRepeatParams& strides, Site at)
{
    Vector vector;
    vector.pipe = static_cast<uint8_t>(Pipe::Vector);
    vector.op = static_cast<uint16_t>(VectorOp::Copy);
    vector.dst_type = static_cast<uint8_t>(DataTypeOf<AscendC::PrimT<T>>);
    vector.src_type = vector.dst_type;
    vector.repeat = repeat;
    vector.dst = dst.ModelAddress();
    vector.src0 = src.ModelAddress();
    vector.mask = mask;
    vector.dst_block_stride = strides.dstStride.Wide();
    vector.src0_block_stride = strides.srcStride.Wide();
    vector.dst_repeat_stride = strides.dstRepeatSize.Wide();
    vector.src0_repeat_stride = strides.srcRepeatSize.Wide();
    ExecuteVector(vector, at);
}

} // namespace AscendCModel

namespace AscendC {

/// UB to UB by the vector unit, with a mask.
template <typename T, bool isSetMask = true>
__aicore__ inline void Copy(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint64_t mask[],
    AscendCModel::Field<uint8_t> repeatTime, const CopyRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::Mask lanes = AscendCModel::current.registers.mask;
    if constexpr (isSetMask) {
        lanes.bits[0] = mask[0];
        lanes.bits[1] = sizeof(PrimT<T>) == 2 ? mask[1] : 0;
    }
    AscendCModel::CopyLanes(dst, src, lanes, repeatTime.Wide(), repeatParams, at);
}
template <typename T, bool isSetMask = true>
__aicore__ inline void Copy(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint64_t mask,
    AscendCModel::Field<uint8_t> repeatTime, const CopyRepeatParams& repeatParams, ASCENDC_MODEL_SITE)
{
    const AscendCModel::Mask lanes
        = isSetMask ? AscendCModel::FirstLanes(mask) : AscendCModel::current.registers.mask;
    AscendCModel::CopyLanes(dst, src, lanes, repeatTime.Wide(), repeatParams, at);
}

/// Later copies to global memory add to what is there.
template <typename T> __aicore__ inline void SetAtomicAdd()
{
    AscendCModel::current.registers.atomic = AscendCModel::Atomic::Add;
    AscendCModel::current.registers.atomic_type = AscendCModel::DataTypeOf<T>;
}
template <typename T> __aicore__ inline void SetAtomicMax()
{
    AscendCModel::current.registers.atomic = AscendCModel::Atomic::Max;
    AscendCModel::current.registers.atomic_type = AscendCModel::DataTypeOf<T>;
}
template <typename T> __aicore__ inline void SetAtomicMin()
{
    AscendCModel::current.registers.atomic = AscendCModel::Atomic::Min;
    AscendCModel::current.registers.atomic_type = AscendCModel::DataTypeOf<T>;
}
/// The element type of the operation that is set.
template <typename T> __aicore__ inline void SetAtomicType()
{
    AscendCModel::current.registers.atomic_type = AscendCModel::DataTypeOf<T>;
}
/// Later copies to global memory overwrite what is there.
__aicore__ inline void SetAtomicNone()
{
    AscendCModel::current.registers.atomic = AscendCModel::Atomic::None;
}
__aicore__ inline void DisableDmaAtomic()
{
    SetAtomicNone();
}
template <AtomicDtype type, AtomicOp op> __aicore__ inline void SetStoreAtomicConfig()
{
    static_assert(op == AtomicOp::ATOMIC_SUM, "SetStoreAtomicConfig: this device adds");
    auto& registers = AscendCModel::current.registers;
    registers.atomic = type == AtomicDtype::ATOMIC_NONE ? AscendCModel::Atomic::None : AscendCModel::Atomic::Add;
    switch (type) {
    case AtomicDtype::ATOMIC_F16: registers.atomic_type = AscendCModel::DataType::F16; break;
    case AtomicDtype::ATOMIC_BF16: registers.atomic_type = AscendCModel::DataType::Bf16; break;
    case AtomicDtype::ATOMIC_S8: registers.atomic_type = AscendCModel::DataType::I8; break;
    case AtomicDtype::ATOMIC_S16: registers.atomic_type = AscendCModel::DataType::I16; break;
    case AtomicDtype::ATOMIC_S32: registers.atomic_type = AscendCModel::DataType::I32; break;
    default: registers.atomic_type = AscendCModel::DataType::F32; break;
    }
}
__aicore__ inline void GetStoreAtomicConfig(uint16_t& atomicType, uint16_t& atomicOp)
{
    const auto& registers = AscendCModel::current.registers;
    AtomicDtype type = AtomicDtype::ATOMIC_NONE;
    if (registers.atomic != AscendCModel::Atomic::None) {
        switch (registers.atomic_type) {
        case AscendCModel::DataType::F16: type = AtomicDtype::ATOMIC_F16; break;
        case AscendCModel::DataType::Bf16: type = AtomicDtype::ATOMIC_BF16; break;
        case AscendCModel::DataType::I8: type = AtomicDtype::ATOMIC_S8; break;
        case AscendCModel::DataType::I16: type = AtomicDtype::ATOMIC_S16; break;
        case AscendCModel::DataType::I32: type = AtomicDtype::ATOMIC_S32; break;
        default: type = AtomicDtype::ATOMIC_F32; break;
        }
    }
    atomicType = static_cast<uint16_t>(type);
    atomicOp = static_cast<uint16_t>(AtomicOp::ATOMIC_SUM);
}

} // namespace AscendC

#endif
