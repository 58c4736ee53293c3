// The way of results out of the cube unit: Fixpipe, and DataCopy from L0C.
#ifndef ASCENDC_MODEL_FIXPIPE_H
#define ASCENDC_MODEL_FIXPIPE_H

#include <cstdint>

#include "ascendc_model/tensor.h"

/// What is done to results on the way; the values are those of the device's compiler.
enum QuantMode_t : uint8_t {
    NoQuant = 0,
    F322F16 = 1,
    VREQ8 = 8,
    REQ8 = 9,
    VDEQF16 = 10,
    DEQF16 = 11,
    VSHIFTS322S16 = 12,
    SHIFTS322S16 = 13,
    F322BF16 = 16,
    VQF322B8_PRE = 23,
    QF322B8_PRE = 24,
};

namespace AscendC {

using ::QuantMode_t;

enum class CO2Layout : uint8_t { NZ = 0, ROW_MAJOR, COLUMN_MAJOR };

struct FixpipeConfig {
    CO2Layout format;
};
constexpr FixpipeConfig CFG_NZ = {CO2Layout::NZ};
constexpr FixpipeConfig CFG_ROW_MAJOR = {CO2Layout::ROW_MAJOR};

struct FixpipeParamsV220 {
    FixpipeParamsV220() = default;
    constexpr FixpipeParamsV220(AscendCModel::Field<uint16_t> nSizeIn, AscendCModel::Field<uint16_t> mSizeIn,
        AscendCModel::Field<uint16_t> srcStrideIn, AscendCModel::Field<uint32_t> dstStrideIn, bool reluEnIn)
        : nSize(nSizeIn), mSize(mSizeIn), srcStride(srcStrideIn), dstStride(dstStrideIn), reluEn(reluEnIn)
    {
    }
    constexpr FixpipeParamsV220(AscendCModel::Field<uint16_t> nSizeIn, AscendCModel::Field<uint16_t> mSizeIn,
        AscendCModel::Field<uint16_t> srcStrideIn, AscendCModel::Field<uint32_t> dstStrideIn, bool reluEnIn,
        QuantMode_t quantPreIn, int64_t deqScalarIn, AscendCModel::Field<uint16_t> ndNumIn,
        AscendCModel::Field<uint16_t> srcNdStrideIn, AscendCModel::Field<uint16_t> dstNdStrideIn,
        AscendCModel::Field<uint8_t> unitFlagIn, bool isChannelSplitIn = false)
        : nSize(nSizeIn), mSize(mSizeIn), srcStride(srcStrideIn), dstStride(dstStrideIn), quantPre(quantPreIn),
          deqScalar(static_cast<uint64_t>(deqScalarIn)), ndNum(ndNumIn), srcNdStride(srcNdStrideIn),
          dstNdStride(dstNdStrideIn), reluEn(reluEnIn), unitFlag(unitFlagIn), isChannelSplit(isChannelSplitIn)
    {
    }

    AscendCModel::Field<uint16_t> nSize = 0;
    AscendCModel::Field<uint16_t> mSize = 0;
    /// In rows of 16 elements.
    AscendCModel::Field<uint16_t> srcStride = 0;
    /// NZ: blocks of 32 bytes; ND: elements.
    AscendCModel::Field<uint32_t> dstStride = 0;
    QuantMode_t quantPre = QuantMode_t::NoQuant;
    uint64_t deqScalar = 0;
    AscendCModel::Field<uint16_t> ndNum = 1;
    AscendCModel::Field<uint16_t> srcNdStride = 0;
    AscendCModel::Field<uint16_t> dstNdStride = 0;
    bool reluEn = false;
    AscendCModel::Field<uint8_t> unitFlag = 0;
    bool isChannelSplit = false;
};

struct QuantParams {
    QuantParams() = default;
    constexpr QuantParams(QuantMode_t quantPreIn, uint64_t deqScalarIn = 0)
        : quantPre(quantPreIn), deqScalar(deqScalarIn)
    {
    }
    QuantMode_t quantPre = QuantMode_t::NoQuant;
    uint64_t deqScalar = 0;
};

struct Nz2NdParams {
    Nz2NdParams() = default;
    constexpr Nz2NdParams(bool nz2ndEnIn, AscendCModel::Field<uint16_t> ndNumIn,
        AscendCModel::Field<uint16_t> srcNdStrideIn, AscendCModel::Field<uint16_t> dstNdStrideIn,
        AscendCModel::Field<uint16_t> originalNSizeIn)
        : nz2ndEn(nz2ndEnIn), ndNum(ndNumIn), srcNdStride(srcNdStrideIn), dstNdStride(dstNdStrideIn),
          originalNSize(originalNSizeIn)
    {
    }
    bool nz2ndEn = false;
    AscendCModel::Field<uint16_t> ndNum = 1;
    AscendCModel::Field<uint16_t> srcNdStride = 0;
    AscendCModel::Field<uint16_t> dstNdStride = 0;
    AscendCModel::Field<uint16_t> originalNSize = 0;
};

/// The older form: columns of 16 elements as bursts with gaps between them.
template <typename Src = int32_t> struct FixpipeParams {
    FixpipeParams() = default;
    constexpr FixpipeParams(AscendCModel::Field<uint16_t> count, AscendCModel::Field<uint16_t> len,
        AscendCModel::Field<uint16_t> srcStrideIn, AscendCModel::Field<uint32_t> dstStrideIn)
        : cburstNum(count), burstLen(len), dstStride(dstStrideIn), srcStride(srcStrideIn)
    {
    }

    /// Columns of 16 elements.
    AscendCModel::Field<uint16_t> cburstNum = 1;
    /// Of a column in L0C, in blocks of 32 bytes.
    AscendCModel::Field<uint16_t> burstLen = 1;
    /// NZ: gap in blocks of 32 bytes; ND: length of a row in elements.
    AscendCModel::Field<uint32_t> dstStride = 0;
    /// Gap in L0C, in fractals of 16 x 16 elements.
    AscendCModel::Field<uint16_t> srcStride = 0;
    QuantParams quantParams;
    bool reluEn = false;
    Nz2NdParams nz2ndParams;
    AscendCModel::Field<uint8_t> unitFlag = 0;
};

/// DataCopy from L0C; what it quantizes with and how ND matrices lie comes from `SetFixpipePreQuantFlag`,
/// `SetFixPipeConfig` and `SetFixpipeNz2ndFlag`.
struct DataCopyCO12DstParams {
    DataCopyCO12DstParams() = default;
    constexpr DataCopyCO12DstParams(AscendCModel::Field<uint16_t> nSizeIn, AscendCModel::Field<uint16_t> mSizeIn,
        AscendCModel::Field<uint32_t> dstStrideIn, AscendCModel::Field<uint16_t> srcStrideIn, QuantMode_t quantPreIn,
        AscendCModel::Field<uint8_t> reluPreIn, bool channelSplitIn, bool nz2ndEnIn)
        : nSize(nSizeIn), mSize(mSizeIn), dstStride(dstStrideIn), srcStride(srcStrideIn), quantPre(quantPreIn),
          reluPre(reluPreIn), channelSplit(channelSplitIn), nz2ndEn(nz2ndEnIn)
    {
    }

    uint8_t sid = 0;
    AscendCModel::Field<uint16_t> nSize = 0;
    AscendCModel::Field<uint16_t> mSize = 0;
    AscendCModel::Field<uint32_t> dstStride = 0;
    AscendCModel::Field<uint16_t> srcStride = 0;
    AscendCModel::Field<uint8_t> unitFlag = 0;
    /// Of other devices: must stay 0, like the next.
    uint8_t clipReluPre = 0;
    uint8_t eltWiseOp = 0;
    QuantMode_t quantPre = QuantMode_t::NoQuant;
    AscendCModel::Field<uint8_t> reluPre = 0;
    bool channelSplit = false;
    bool nz2ndEn = false;
};

} // namespace AscendC

namespace AscendCModel {

constexpr bool IsVectorQuant(QuantMode_t mode)
{
    return mode == VREQ8 || mode == VDEQF16 || mode == VQF322B8_PRE || mode == VSHIFTS322S16;
}

template <typename Dst, typename Src> constexpr void CheckFixpipeTypes()
{
    constexpr bool floats = std::is_same_v<Src, float>
        && (std::is_same_v<Dst, int8_t> || std::is_same_v<Dst, uint8_t> || std::is_same_v<Dst, half>
            || std::is_same_v<Dst, bfloat16_t> || std::is_same_v<Dst, float>);
    constexpr bool integers = std::is_same_v<Src, int32_t>
        && (std::is_same_v<Dst, int8_t> || std::is_same_v<Dst, uint8_t> || std::is_same_v<Dst, half>
            || std::is_same_v<Dst, int32_t>);
    static_assert(floats || integers,
        "results of float leave L0C as int8_t, uint8_t, half, bfloat16_t or float, those of int32_t as int8_t, "
        "uint8_t, half or int32_t");
}

/// The way to L1 knows no ND: there ROW_MAJOR, which is the default, has no effect.
template <AscendC::CO2Layout Layout>
constexpr AscendC::CO2Layout LocalLayout
    = Layout == AscendC::CO2Layout::ROW_MAJOR ? AscendC::CO2Layout::NZ : Layout;

/// Quantization parameters that FB holds at once.
constexpr uint32_t FIXPIPE_COLUMNS = 256;

template <typename Dst, typename Src, AscendC::CO2Layout Layout>
inline Fixpipe FixpipeOf(uint64_t dst, uint64_t src, const AscendC::FixpipeParamsV220& params)
{
    CheckFixpipeTypes<Dst, Src>();
    static_assert(Layout != AscendC::CO2Layout::COLUMN_MAJOR, "COLUMN_MAJOR is not for this device");
    SpecialRegisters& registers = current.registers;
    Fixpipe fixpipe;
    fixpipe.pipe = static_cast<uint8_t>(Pipe::Fix);
    fixpipe.src_type = static_cast<uint8_t>(DataTypeOf<Src>);
    fixpipe.dst_type = static_cast<uint8_t>(DataTypeOf<Dst>);
    fixpipe.quant_mode = params.quantPre;
    fixpipe.unit_flag = static_cast<uint8_t>(params.unitFlag);
    fixpipe.dst = dst;
    fixpipe.src = src;
    fixpipe.n_size = params.nSize.Wide();
    fixpipe.m_size = params.mSize.Wide();
    fixpipe.src_stride = params.srcStride.Wide();
    fixpipe.dst_stride = params.dstStride.Wide();
    fixpipe.nd_num = params.ndNum.Wide();
    fixpipe.src_nd_stride = params.srcNdStride.Wide();
    fixpipe.dst_nd_stride = params.dstNdStride.Wide();
    fixpipe.relu = params.reluEn;
    fixpipe.nz_to_nd = Layout == AscendC::CO2Layout::ROW_MAJOR;
    fixpipe.channel_split = params.isChannelSplit;
    fixpipe.atomic = static_cast<uint8_t>(registers.atomic);
    fixpipe.atomic_type = static_cast<uint8_t>(registers.atomic_type);
    fixpipe.scale = params.deqScalar;
    fixpipe.scales = registers.quant_vector;
    return fixpipe;
}

template <typename Dst, typename Src, AscendC::CO2Layout Layout>
inline void ExecuteFixpipe(uint64_t dst, uint64_t src, const AscendC::FixpipeParamsV220& params, Site at)
{
    ExecuteCube(FixpipeOf<Dst, Src, Layout>(dst, src, params), at);
}

inline void FixpipeBarrier(Site at)
{
    Barrier barrier;
    barrier.pipe = static_cast<uint8_t>(Pipe::Fix);
    ExecuteCube(barrier, at);
}

/// With a vector of quantization parameters: in FB as it is, in L1 copied to the start of FB, 256 columns at a time.
template <typename Dst, typename Src, AscendC::CO2Layout Layout>
inline void ExecuteFixpipe(
    uint64_t dst, uint64_t src, uint64_t scales, const AscendC::FixpipeParamsV220& params, Site at)
{
    auto fixpipe = FixpipeOf<Dst, Src, Layout>(dst, src, params);
    if (!IsVectorQuant(params.quantPre)) {
        ExecuteCube(fixpipe, at);
        return;
    }
    if (scales >> SPACE_SHIFT == static_cast<uint64_t>(Space::FB)) {
        fixpipe.scales = scales;
        ExecuteCube(fixpipe, at);
        return;
    }
    const uint32_t columns = params.nSize.Wide();
    for (uint32_t first = 0; first < columns; first += FIXPIPE_COLUMNS) {
        const uint32_t count = columns - first < FIXPIPE_COLUMNS ? columns - first : FIXPIPE_COLUMNS;
        FixpipeBarrier(at);
        Copy copy;
        copy.pipe = static_cast<uint8_t>(Pipe::Fix);
        copy.rows = 1;
        copy.dst = LocalAddress(Space::FB, 0);
        copy.src = scales + first * sizeof(uint64_t);
        copy.row_bytes = count * sizeof(uint64_t);
        copy.element = sizeof(uint64_t);
        ExecuteCube(copy, at);
        FixpipeBarrier(at);
        auto part = fixpipe;
        part.n_size = count;
        part.src = src + static_cast<uint64_t>(first) * fixpipe.src_stride * sizeof(Src);
        // Columns of 16-bit results are 16 wide in NZ, those of 8-bit results 32.
        constexpr uint32_t width = sizeof(Dst) == 1 ? 32 : 16;
        part.dst = dst
            + (fixpipe.nz_to_nd ? first * sizeof(Dst)
                                : static_cast<uint64_t>(first / width) * fixpipe.dst_stride * 32);
        part.scales = copy.dst;
        ExecuteCube(part, at);
    }
}

/// The older form of parameters as the newer one.
template <typename Dst, typename Src, typename S>
constexpr AscendC::FixpipeParamsV220 StridesOf(const AscendC::FixpipeParams<S>& params)
{
    constexpr int64_t block = 32;
    constexpr int64_t columns = 16;
    const int64_t rows = params.burstLen.value * block / static_cast<int64_t>(columns * sizeof(Src));
    const auto& nd = params.nz2ndParams;
    AscendC::FixpipeParamsV220 strides;
    strides.mSize = rows;
    strides.nSize = nd.nz2ndEn ? nd.originalNSize.value : params.cburstNum.value * columns;
    strides.srcStride = params.srcStride.value * 16 + (rows + 15) / 16 * 16;
    strides.dstStride = params.dstStride.value
        + (nd.nz2ndEn ? 0 : params.burstLen.value * static_cast<int64_t>(sizeof(Dst)) / static_cast<int64_t>(sizeof(Src)));
    strides.quantPre = params.quantParams.quantPre;
    strides.deqScalar = params.quantParams.deqScalar;
    strides.ndNum = nd.ndNum;
    strides.srcNdStride = nd.srcNdStride;
    strides.dstNdStride = nd.dstNdStride;
    strides.reluEn = params.reluEn;
    strides.unitFlag = params.unitFlag;
    return strides;
}

template <typename Dst, typename Src>
inline void ExecuteCopyOut(uint64_t dst, uint64_t src, const AscendC::DataCopyCO12DstParams& params, Site at)
{
    const SpecialRegisters& registers = current.registers;
    if (params.clipReluPre != 0 || params.eltWiseOp != 0 || params.reluPre.value > 1) {
        Fail("DataCopy from L0C: this device has normal ReLU only, no clipping and no element-wise operation", at);
    }
    AscendC::FixpipeParamsV220 fixpipe;
    fixpipe.nSize = params.nSize;
    fixpipe.mSize = params.mSize;
    fixpipe.srcStride = params.srcStride;
    fixpipe.dstStride = params.dstStride;
    fixpipe.quantPre = params.quantPre;
    fixpipe.deqScalar = registers.quant_scalar;
    fixpipe.ndNum = registers.nd_num;
    fixpipe.srcNdStride = registers.src_nd_stride;
    fixpipe.dstNdStride = registers.dst_nd_stride;
    fixpipe.reluEn = params.reluPre != 0;
    fixpipe.unitFlag = params.unitFlag;
    fixpipe.isChannelSplit = params.channelSplit;
    if (params.nz2ndEn) {
        ExecuteFixpipe<Dst, Src, AscendC::CO2Layout::ROW_MAJOR>(dst, src, fixpipe, at);
    } else {
        ExecuteFixpipe<Dst, Src, AscendC::CO2Layout::NZ>(dst, src, fixpipe, at);
    }
}

} // namespace AscendCModel

namespace AscendC {

/// Results from L0C to global memory.
template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR>
__aicore__ inline void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
    const FixpipeParamsV220& intriParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteFixpipe<PrimT<T>, PrimT<U>, config.format>(
        dst.ModelAddress(), src.ModelAddress(AscendCModel::Space::L0C), intriParams, at);
}

/// With the quantization parameters of each column, in L1 or FB.
template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR, typename S = uint64_t,
    std::enable_if_t<std::is_same_v<PrimT<S>, uint64_t>, bool> = true>
__aicore__ inline void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
    const LocalTensor<S>& cbufWorkspace, const FixpipeParamsV220& intriParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteFixpipe<PrimT<T>, PrimT<U>, config.format>(
        dst.ModelAddress(), src.ModelAddress(AscendCModel::Space::L0C), cbufWorkspace.ModelAddress(), intriParams, at);
}

/// Results from L0C to L1: in NZ format only, whatever the default of `config` is.
template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR>
__aicore__ inline void Fixpipe(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const FixpipeParamsV220& intriParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteFixpipe<PrimT<T>, PrimT<U>, AscendCModel::LocalLayout<config.format>>(
        dst.ModelAddress(), src.ModelAddress(AscendCModel::Space::L0C), intriParams, at);
}

template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR, typename S = uint64_t,
    std::enable_if_t<std::is_same_v<PrimT<S>, uint64_t>, bool> = true>
__aicore__ inline void Fixpipe(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const LocalTensor<S>& cbufWorkspace, const FixpipeParamsV220& intriParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteFixpipe<PrimT<T>, PrimT<U>, AscendCModel::LocalLayout<config.format>>(
        dst.ModelAddress(), src.ModelAddress(AscendCModel::Space::L0C), cbufWorkspace.ModelAddress(), intriParams, at);
}

/// With the older form of parameters, which says itself whether ND or NZ is made.
template <typename T, typename U, typename S>
__aicore__ inline void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
    const FixpipeParams<S>& intriParams, ASCENDC_MODEL_SITE)
{
    const auto strides = AscendCModel::StridesOf<PrimT<T>, PrimT<U>>(intriParams);
    if (intriParams.nz2ndParams.nz2ndEn) {
        Fixpipe<T, U, CFG_ROW_MAJOR>(dst, src, strides, at);
    } else {
        Fixpipe<T, U, CFG_NZ>(dst, src, strides, at);
    }
}

template <typename T, typename U, typename S, typename V>
__aicore__ inline void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
    const LocalTensor<S>& cbufWorkspace, const FixpipeParams<V>& intriParams, ASCENDC_MODEL_SITE)
{
    const auto strides = AscendCModel::StridesOf<PrimT<T>, PrimT<U>>(intriParams);
    if (intriParams.nz2ndParams.nz2ndEn) {
        Fixpipe<T, U, CFG_ROW_MAJOR>(dst, src, cbufWorkspace, strides, at);
    } else {
        Fixpipe<T, U, CFG_NZ>(dst, src, cbufWorkspace, strides, at);
    }
}

template <typename T, typename U, typename S>
__aicore__ inline void Fixpipe(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const FixpipeParams<S>& intriParams, ASCENDC_MODEL_SITE)
{
    Fixpipe<T, U, CFG_NZ>(dst, src, AscendCModel::StridesOf<PrimT<T>, PrimT<U>>(intriParams), at);
}

template <typename T, typename U, typename S, typename V>
__aicore__ inline void Fixpipe(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const LocalTensor<S>& cbufWorkspace, const FixpipeParams<V>& intriParams, ASCENDC_MODEL_SITE)
{
    Fixpipe<T, U, CFG_NZ>(dst, src, cbufWorkspace, AscendCModel::StridesOf<PrimT<T>, PrimT<U>>(intriParams), at);
}

/// Results from L0C to global memory, as the fixpipe's registers say.
template <typename T, typename U>
__aicore__ inline void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
    const DataCopyCO12DstParams& intriParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteCopyOut<PrimT<T>, PrimT<U>>(dst.ModelAddress(), src.ModelAddress(AscendCModel::Space::L0C), intriParams, at);
}

/// Results from L0C to L1, as the fixpipe's registers say.
template <typename T, typename U>
__aicore__ inline void DataCopy(const LocalTensor<T>& dst, const LocalTensor<U>& src,
    const DataCopyCO12DstParams& intriParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteCopyOut<PrimT<T>, PrimT<U>>(dst.ModelAddress(), src.ModelAddress(AscendCModel::Space::L0C), intriParams, at);
}

/// How ND matrices lie that DataCopy makes.
__aicore__ inline void SetFixpipeNz2ndFlag(AscendCModel::Field<uint16_t> ndNum,
    AscendCModel::Field<uint16_t> srcNdStride, AscendCModel::Field<uint16_t> dstNdStride)
{
    AscendCModel::SpecialRegisters& registers = AscendCModel::current.registers;
    registers.nd_num = ndNum.Wide();
    registers.src_nd_stride = srcNdStride.Wide();
    registers.dst_nd_stride = dstNdStride.Wide();
}

/// The quantization parameter of all columns.
__aicore__ inline void SetFixpipePreQuantFlag(uint64_t config)
{
    AscendCModel::current.registers.quant_scalar = config;
}

/// Where the quantization parameters of the columns are in FB. Unit flags hold nothing back in the model, so
/// there are none to reset.
template <typename T, bool setRelu = false>
__aicore__ inline void SetFixPipeConfigImpl(const LocalTensor<T>& preData, bool isUnitFlag = false)
{
    static_assert(!setRelu, "this device takes the parameters of quantization only, not those of ReLU");
    static_cast<void>(isUnitFlag);
    const uint64_t address = preData.ModelAddress();
    // A tensor in L0C only resets unit flags.
    if (address >> AscendCModel::SPACE_SHIFT == static_cast<uint64_t>(AscendCModel::Space::FB)) {
        AscendCModel::current.registers.quant_vector = address;
    }
}
template <typename T>
__aicore__ inline void SetFixPipeConfigImpl(
    const LocalTensor<T>&, const LocalTensor<T>& quantPre, bool isUnitFlag = false)
{
    SetFixPipeConfigImpl<T, false>(quantPre, isUnitFlag);
}

template <typename T, bool setRelu = false>
__aicore__ inline void SetFixPipeConfig(const LocalTensor<T>& preData, bool isUnitFlag = false)
{
    SetFixPipeConfigImpl<T, setRelu>(preData, isUnitFlag);
}
/// The first tensor is reserved by the interface.
template <typename T>
__aicore__ inline void SetFixPipeConfig(
    const LocalTensor<T>& reluPre, const LocalTensor<T>& quantPre, bool isUnitFlag = false)
{
    SetFixPipeConfigImpl<T>(reluPre, quantPre, isUnitFlag);
}

} // namespace AscendC

#endif
