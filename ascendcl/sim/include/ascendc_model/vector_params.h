// The parameters of vector instructions: strides, modes and lists.
//
// A stride or a number of repeats is kept as wide as the programmer passed it (Field), so that the model sees what
// does not fit the hardware's field.
#ifndef ASCENDC_MODEL_VECTOR_PARAMS_H
#define ASCENDC_MODEL_VECTOR_PARAMS_H

#include "ascendc_model/tensor.h"

namespace AscendC {

constexpr int32_t DEFAULT_BLK_NUM = 8;
constexpr int32_t DEFAULT_BLK_STRIDE = 1;
constexpr uint8_t DEFAULT_REPEAT_STRIDE = 8;

/// Stands where a mask would, in calls with isSetMask = false.
constexpr uint64_t MASK_PLACEHOLDER = 0;
constexpr uint64_t MASK_PLACEHOLDER_LIST[2] = {0, 0};

/// Addresses of a list of `TransDataTo5HD`.
constexpr int32_t NCHW_CONV_ADDR_LIST_SIZE = 16;

/// Strides of one source: between the blocks of a repeat and between repeats, in blocks of 32 bytes.
struct UnaryRepeatParams {
    using Block = AscendCModel::Field<uint16_t>;
    using Repeat = AscendCModel::Field<uint8_t>;

    __aicore__ UnaryRepeatParams() {}
    __aicore__ UnaryRepeatParams(Block dstBlkStrideIn, Block srcBlkStrideIn, Repeat dstRepStrideIn, Repeat srcRepStrideIn)
        : dstBlkStride(dstBlkStrideIn), srcBlkStride(srcBlkStrideIn), dstRepStride(dstRepStrideIn),
          srcRepStride(srcRepStrideIn)
    {}
    __aicore__ UnaryRepeatParams(
        Block dstBlkStrideIn, Block srcBlkStrideIn, Repeat dstRepStrideIn, Repeat srcRepStrideIn, bool halfBlockIn)
        : dstBlkStride(dstBlkStrideIn), srcBlkStride(srcBlkStrideIn), dstRepStride(dstRepStrideIn),
          srcRepStride(srcRepStrideIn), halfBlock(halfBlockIn)
    {}

    uint32_t blockNumber = DEFAULT_BLK_NUM;
    Block dstBlkStride = DEFAULT_BLK_STRIDE;
    Block srcBlkStride = DEFAULT_BLK_STRIDE;
    Repeat dstRepStride = DEFAULT_REPEAT_STRIDE;
    Repeat srcRepStride = DEFAULT_REPEAT_STRIDE;
    bool repeatStrideMode = false;
    bool strideSizeMode = false;
    bool halfBlock = false;
};

/// Strides of two sources: between the blocks of a repeat and between repeats, in blocks of 32 bytes.
struct BinaryRepeatParams {
    using Stride = AscendCModel::Field<uint8_t>;

    __aicore__ BinaryRepeatParams() {}
    __aicore__ BinaryRepeatParams(Stride dstBlkStrideIn, Stride src0BlkStrideIn, Stride src1BlkStrideIn,
        Stride dstRepStrideIn, Stride src0RepStrideIn, Stride src1RepStrideIn)
        : dstBlkStride(dstBlkStrideIn), src0BlkStride(src0BlkStrideIn), src1BlkStride(src1BlkStrideIn),
          dstRepStride(dstRepStrideIn), src0RepStride(src0RepStrideIn), src1RepStride(src1RepStrideIn)
    {}

    uint32_t blockNumber = DEFAULT_BLK_NUM;
    Stride dstBlkStride = DEFAULT_BLK_STRIDE;
    Stride src0BlkStride = DEFAULT_BLK_STRIDE;
    Stride src1BlkStride = DEFAULT_BLK_STRIDE;
    Stride dstRepStride = DEFAULT_REPEAT_STRIDE;
    Stride src0RepStride = DEFAULT_REPEAT_STRIDE;
    Stride src1RepStride = DEFAULT_REPEAT_STRIDE;
    bool repeatStrideMode = false;
    bool strideSizeMode = false;
};

/// Strides of the destination of `Brcb`, in blocks of 32 bytes.
struct BrcbRepeatParams {
    __aicore__ BrcbRepeatParams() {}
    __aicore__ BrcbRepeatParams(
        AscendCModel::Field<uint16_t> dstBlkStrideIn, AscendCModel::Field<uint16_t> dstRepStrideIn)
        : dstBlkStride(dstBlkStrideIn), dstRepStride(dstRepStrideIn)
    {}

    uint32_t blockNumber = DEFAULT_BLK_NUM;
    AscendCModel::Field<uint16_t> dstBlkStride = DEFAULT_BLK_STRIDE;
    AscendCModel::Field<uint16_t> dstRepStride = DEFAULT_REPEAT_STRIDE;
    uint16_t src1BlkStride = DEFAULT_BLK_STRIDE;
    uint16_t src1RepStride = DEFAULT_REPEAT_STRIDE;
    bool repeatStrideMode = false;
    bool strideSizeMode = false;
};

/// Strides of the destination of `Gatherb`, in blocks of 32 bytes.
struct GatherRepeatParams {
    __aicore__ GatherRepeatParams() {}
    __aicore__ GatherRepeatParams(
        AscendCModel::Field<uint8_t> dstBlkStrideIn, AscendCModel::Field<uint8_t> dstRepStrideIn)
        : dstBlkStride(dstBlkStrideIn), dstRepStride(dstRepStrideIn)
    {}

    uint32_t blockNumber = DEFAULT_BLK_NUM;
    AscendCModel::Field<uint8_t> dstBlkStride = DEFAULT_BLK_STRIDE;
    uint8_t src0BlkStride = DEFAULT_BLK_STRIDE;
    uint8_t src1BlkStride = DEFAULT_BLK_STRIDE;
    AscendCModel::Field<uint8_t> dstRepStride = DEFAULT_REPEAT_STRIDE;
    uint8_t src0RepStride = DEFAULT_REPEAT_STRIDE;
    uint8_t src1RepStride = DEFAULT_REPEAT_STRIDE;
    bool repeatStrideMode = false;
    bool strideSizeMode = false;
};

/// Strides and repeats of `GatherMask`, in blocks of 32 bytes.
struct GatherMaskParams {
    __aicore__ GatherMaskParams() {}
    __aicore__ GatherMaskParams(AscendCModel::Field<uint8_t> src0BlockStrideIn,
        AscendCModel::Field<uint16_t> repeatTimesIn, AscendCModel::Field<uint16_t> src0RepeatStrideIn,
        AscendCModel::Field<uint8_t> src1RepeatStrideIn)
        : src0BlockStride(src0BlockStrideIn), repeatTimes(repeatTimesIn), src0RepeatStride(src0RepeatStrideIn),
          src1RepeatStride(src1RepeatStrideIn)
    {}

    AscendCModel::Field<uint8_t> src0BlockStride = DEFAULT_BLK_STRIDE;
    AscendCModel::Field<uint16_t> repeatTimes = 0;
    AscendCModel::Field<uint16_t> src0RepeatStride = DEFAULT_REPEAT_STRIDE;
    AscendCModel::Field<uint8_t> src1RepeatStride = DEFAULT_REPEAT_STRIDE;
};

enum class GatherMaskMode : uint8_t { VERSION_V1 = 0, VERSION_V2 = 1 };
constexpr GatherMaskMode defaultGatherMaskMode = GatherMaskMode::VERSION_V1;

/// Halves of blocks (8-bit elements), repeats and strides of `TransDataTo5HD`, in blocks of 32 bytes.
struct TransDataTo5HDParams {
    __aicore__ TransDataTo5HDParams() {}
    __aicore__ TransDataTo5HDParams(bool dstHighHalfIn, bool srcHighHalfIn, AscendCModel::Field<uint8_t> repeatTimesIn,
        AscendCModel::Field<uint16_t> dstRepStrideIn, AscendCModel::Field<uint16_t> srcRepStrideIn)
        : dstHighHalf(dstHighHalfIn), srcHighHalf(srcHighHalfIn), repeatTimes(repeatTimesIn),
          dstRepStride(dstRepStrideIn), srcRepStride(srcRepStrideIn)
    {}

    bool dstHighHalf = false;
    bool srcHighHalf = false;
    AscendCModel::Field<uint8_t> repeatTimes = 1;
    AscendCModel::Field<uint16_t> dstRepStride = 0;
    AscendCModel::Field<uint16_t> srcRepStride = 0;
};

/// What `Transpose` changes.
enum class TransposeType : uint8_t {
    TRANSPOSE_TYPE_NONE,
    TRANSPOSE_NZ2ND_0213,
    TRANSPOSE_NZ2NZ_0213,
    TRANSPOSE_NZ2NZ_012_WITH_N,
    TRANSPOSE_NZ2ND_012_WITH_N,
    TRANSPOSE_NZ2ND_012_WITHOUT_N,
    TRANSPOSE_NZ2NZ_012_WITHOUT_N,
    TRANSPOSE_ND2ND_ONLY,
    TRANSPOSE_ND_UB_GM,
    TRANSPOSE_GRAD_ND_UB_GM,
    TRANSPOSE_ND2ND_B16,
    TRANSPOSE_NCHW2NHWC,
    TRANSPOSE_NHWC2NCHW,
};

/// The shape that `Transpose` changes.
struct TransposeParamsExt {
    __aicore__ TransposeParamsExt() {}
    __aicore__ TransposeParamsExt(
        uint16_t nSizeIn, uint16_t cSizeIn, uint16_t hSizeIn, uint16_t wSizeIn, TransposeType transposeTypeIn)
        : nSize(nSizeIn), cSize(cSizeIn), hSize(hSizeIn), wSize(wSizeIn), transposeType(transposeTypeIn)
    {}

    uint16_t nSize = 0;
    uint16_t cSize = 0;
    uint16_t hSize = 0;
    uint16_t wSize = 0;
    TransposeType transposeType = TransposeType::TRANSPOSE_ND2ND_B16;
};

/// Lengths of the lists of `MrgSort`, and what it does when one is used up.
struct MrgSort4Info {
    __aicore__ MrgSort4Info() {}
    __aicore__ MrgSort4Info(const uint16_t elementLengthsIn[4], bool ifExhaustedSuspensionIn, uint16_t validBitIn,
        AscendCModel::Field<uint8_t> repeatTimesIn = 1)
        : ifExhaustedSuspension(ifExhaustedSuspensionIn), validBit(validBitIn), repeatTimes(repeatTimesIn)
    {
        for (int i = 0; i < 4; ++i) {
            elementLengths[i] = elementLengthsIn[i];
        }
    }

    uint16_t elementLengths[4] = {};
    bool ifExhaustedSuspension = false;
    uint16_t validBit = 0;
    AscendCModel::Field<uint8_t> repeatTimes = 1;
};

/// The lists of `MrgSort`.
template <typename T> struct MrgSortSrcList {
    __aicore__ MrgSortSrcList() {}
    __aicore__ MrgSortSrcList(const LocalTensor<T>& src1In, const LocalTensor<T>& src2In,
        const LocalTensor<T>& src3In, const LocalTensor<T>& src4In)
        : src1(src1In), src2(src2In), src3(src3In), src4(src4In)
    {}

    LocalTensor<T> src1;
    LocalTensor<T> src2;
    LocalTensor<T> src3;
    LocalTensor<T> src4;
};

/// Parameters of 16 columns for `SetDeqScale`.
struct VdeqInfo {
    __aicore__ VdeqInfo() {}
    __aicore__ VdeqInfo(const float scale[16], const int16_t offset[16], const bool signMode[16])
    {
        for (int i = 0; i < 16; ++i) {
            vdeqScale[i] = scale[i];
            vdeqOffset[i] = offset[i];
            vdeqSignMode[i] = signMode[i];
        }
    }

    float vdeqScale[16] = {};
    int16_t vdeqOffset[16] = {};
    bool vdeqSignMode[16] = {};
};

/// How `Cast` rounds.
enum class RoundMode {
    CAST_NONE = 0,
    CAST_RINT,
    CAST_FLOOR,
    CAST_CEIL,
    CAST_ROUND,
    CAST_TRUNC,
    CAST_ODD,
    CAST_HYBRID,
};

/// What `Compare` asks.
enum class CMPMODE : uint8_t { LT = 0, GT, EQ, LE, GE, NE };

/// Where `Select` takes the mask and the other operand from.
enum class SELMODE : uint8_t { VSEL_CMPMASK_SPR = 0, VSEL_TENSOR_SCALAR_MODE, VSEL_TENSOR_TENSOR_MODE };

/// What reductions write for a repeat.
enum class ReduceOrder { ORDER_VALUE_INDEX = 0, ORDER_INDEX_VALUE, ORDER_ONLY_VALUE, ORDER_ONLY_INDEX };

/// What `ReduceRepeat` and its like keep.
enum class ReduceType { SUM = 0, MAX, MIN };

} // namespace AscendC

#endif
