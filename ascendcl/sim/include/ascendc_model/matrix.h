// The way of matrices into the cube unit, and their product: LoadData, LoadDataWithTranspose, Fill, Mmad.
//
// Members of parameter structures keep what the programmer assigns, so that a value that does not fit the field of
// the instruction is found.
#ifndef ASCENDC_MODEL_MATRIX_H
#define ASCENDC_MODEL_MATRIX_H

#include <cstdint>

#include "ascendc_model/tensor.h"

namespace AscendC {

constexpr int32_t PAD_SIZE = 4;

/// Fractals of 512 bytes.
struct LoadData2DParams {
    LoadData2DParams() = default;
    constexpr LoadData2DParams(AscendCModel::Field<uint16_t> startIndexIn, AscendCModel::Field<uint8_t> repeatTimesIn,
        AscendCModel::Field<uint16_t> srcStrideIn, AscendCModel::Field<uint8_t> sidIn,
        AscendCModel::Field<uint16_t> dstGapIn, bool ifTransposeIn, AscendCModel::Field<uint8_t> addrModeIn)
        : startIndex(startIndexIn), dstGap(dstGapIn), srcStride(srcStrideIn), ifTranspose(ifTransposeIn),
          repeatTimes(repeatTimesIn), sid(sidIn), addrMode(addrModeIn)
    {
    }

    AscendCModel::Field<uint16_t> startIndex = 0;
    AscendCModel::Field<uint16_t> dstGap = 0;
    AscendCModel::Field<uint16_t> srcStride = 0;
    bool ifTranspose = false;
    AscendCModel::Field<uint8_t> repeatTimes = 0;
    AscendCModel::Field<uint8_t> sid = 0;
    AscendCModel::Field<uint8_t> addrMode = 0;
};
using LoadData2dParams = LoadData2DParams;

/// Of other devices; no function of this one takes it.
struct LoadData2DParamsV2 {
    uint32_t mStartPosition = 0;
    uint32_t kStartPosition = 0;
    uint16_t mStep = 0;
    uint16_t kStep = 0;
    int32_t srcStride = 0;
    uint16_t dstStride = 0;
    bool ifTranspose = false;
    uint8_t sid = 0;
};

/// A part of the matrix that a convolution multiplies.
template <typename T> struct LoadData3DParamsV2 {
    LoadData3DParamsV2() = default;
    constexpr LoadData3DParamsV2(const uint8_t padListIn[PAD_SIZE], AscendCModel::Field<uint16_t> l1HIn,
        AscendCModel::Field<uint16_t> l1WIn, AscendCModel::Field<uint16_t> channelSizeIn,
        AscendCModel::Field<uint16_t> kExtensionIn, AscendCModel::Field<uint16_t> mExtensionIn,
        AscendCModel::Field<uint16_t> kStartPtIn, AscendCModel::Field<uint16_t> mStartPtIn,
        AscendCModel::Field<uint8_t> strideWIn, AscendCModel::Field<uint8_t> strideHIn,
        AscendCModel::Field<uint8_t> filterWIn, AscendCModel::Field<uint8_t> filterHIn,
        AscendCModel::Field<uint8_t> dilationFilterWIn, AscendCModel::Field<uint8_t> dilationFilterHIn,
        bool enTransposeIn, bool enSmallKIn, T padValueIn, bool filterSizeWIn = false, bool filterSizeHIn = false,
        bool fMatrixCtrlIn = false)
        : l1H(l1HIn), l1W(l1WIn), channelSize(channelSizeIn), kExtension(kExtensionIn), mExtension(mExtensionIn),
          kStartPt(kStartPtIn), mStartPt(mStartPtIn), strideW(strideWIn), strideH(strideHIn), filterW(filterWIn),
          filterH(filterHIn), dilationFilterW(dilationFilterWIn), dilationFilterH(dilationFilterHIn),
          enTranspose(enTransposeIn), enSmallK(enSmallKIn), padValue(padValueIn), filterSizeW(filterSizeWIn),
          filterSizeH(filterSizeHIn), fMatrixCtrl(fMatrixCtrlIn)
    {
        for (int32_t i = 0; i < PAD_SIZE; ++i) {
            padList[i] = padListIn[i];
        }
    }

    /// left, right, top, bottom
    uint8_t padList[PAD_SIZE] = {};
    AscendCModel::Field<uint16_t> l1H = 0;
    AscendCModel::Field<uint16_t> l1W = 0;
    AscendCModel::Field<uint16_t> channelSize = 0;
    AscendCModel::Field<uint16_t> kExtension = 0;
    AscendCModel::Field<uint16_t> mExtension = 0;
    AscendCModel::Field<uint16_t> kStartPt = 0;
    AscendCModel::Field<uint16_t> mStartPt = 0;
    AscendCModel::Field<uint8_t> strideW = 1;
    AscendCModel::Field<uint8_t> strideH = 1;
    AscendCModel::Field<uint8_t> filterW = 1;
    AscendCModel::Field<uint8_t> filterH = 1;
    AscendCModel::Field<uint8_t> dilationFilterW = 1;
    AscendCModel::Field<uint8_t> dilationFilterH = 1;
    bool enTranspose = false;
    bool enSmallK = false;
    T padValue {};
    bool filterSizeW = false;
    bool filterSizeH = false;
    bool fMatrixCtrl = false;
};

/// The same with its numbers packed; feature map and padding come from `SetFmatrix` and `SetLoadDataPaddingValue`.
struct LoadData3DParamsV2Pro {
    LoadData3DParamsV2Pro() = default;
    constexpr LoadData3DParamsV2Pro(AscendCModel::Field<uint16_t> channelSizeIn, bool enTransposeIn, bool enSmallKIn,
        bool filterSizeWIn, bool filterSizeHIn, bool fMatrixCtrlIn, uint64_t extConfigIn, uint64_t filterConfigIn)
        : channelSize(channelSizeIn), enTranspose(enTransposeIn), enSmallK(enSmallKIn), filterSizeW(filterSizeWIn),
          filterSizeH(filterSizeHIn), fMatrixCtrl(fMatrixCtrlIn), extConfig(extConfigIn), filterConfig(filterConfigIn)
    {
    }

    AscendCModel::Field<uint16_t> channelSize = 0;
    bool enTranspose = false;
    bool enSmallK = false;
    bool filterSizeW = false;
    bool filterSizeH = false;
    bool fMatrixCtrl = false;
    /// mStartPt, kStartPt, mExtension, kExtension: 16 bits each, from the top
    uint64_t extConfig = 0;
    /// dilationFilterH, dilationFilterW, filterH, filterW, strideH, strideW: 8 bits each, from bit 40 down
    uint64_t filterConfig = 0x10101010101;
};

/// Squares of one, two or four fractals.
struct LoadData2dTransposeParams {
    LoadData2dTransposeParams() = default;
    constexpr LoadData2dTransposeParams(AscendCModel::Field<uint16_t> startIndexIn,
        AscendCModel::Field<uint8_t> repeatTimesIn, AscendCModel::Field<uint16_t> srcStrideIn,
        AscendCModel::Field<uint16_t> dstGapIn, AscendCModel::Field<uint16_t> dstFracGapIn,
        AscendCModel::Field<uint8_t> addrModeIn = 0)
        : startIndex(startIndexIn), repeatTimes(repeatTimesIn), srcStride(srcStrideIn), dstGap(dstGapIn),
          dstFracGap(dstFracGapIn), addrMode(addrModeIn)
    {
    }

    AscendCModel::Field<uint16_t> startIndex = 0;
    AscendCModel::Field<uint8_t> repeatTimes = 0;
    AscendCModel::Field<uint16_t> srcStride = 0;
    AscendCModel::Field<uint16_t> dstGap = 0;
    AscendCModel::Field<uint16_t> dstFracGap = 0;
    AscendCModel::Field<uint8_t> addrMode = 0;
};

/// Of other devices; no function of this one takes it.
struct LoadData2dTransposeParamsV2 {
    uint16_t startIndex = 0;
    uint8_t repeatTimes = 0;
    uint16_t srcStride = 0;
    uint16_t dstGap = 0;
    uint16_t dstFracGap = 0;
    uint16_t srcFracGap = 0;
    uint8_t addrMode = 0;
};

struct MmadParams {
    MmadParams() = default;
    constexpr MmadParams(AscendCModel::Field<uint16_t> mIn, AscendCModel::Field<uint16_t> nIn,
        AscendCModel::Field<uint16_t> kIn, bool isBiasIn, int32_t fmOffsetIn, bool enSsparseIn, bool enWinogradAIn,
        bool enWinogradBIn)
        : m(mIn), n(nIn), k(kIn), isBias(isBiasIn), fmOffset(fmOffsetIn), enSsparse(enSsparseIn),
          enWinogradA(enWinogradAIn), enWinogradB(enWinogradBIn)
    {
    }
    constexpr MmadParams(AscendCModel::Field<uint16_t> mIn, AscendCModel::Field<uint16_t> nIn,
        AscendCModel::Field<uint16_t> kIn, AscendCModel::Field<uint8_t> unitFlagIn, bool cmatrixSourceIn,
        bool cmatrixInitValIn)
        : m(mIn), n(nIn), k(kIn), unitFlag(unitFlagIn), cmatrixSource(cmatrixSourceIn),
          cmatrixInitVal(cmatrixInitValIn)
    {
    }

    AscendCModel::Field<uint16_t> m = 0;
    AscendCModel::Field<uint16_t> n = 0;
    AscendCModel::Field<uint16_t> k = 0;
    bool isBias = false;
    /// Without effect on this device, like the three that follow.
    int32_t fmOffset = 0;
    bool enSsparse = false;
    bool enWinogradA = false;
    bool enWinogradB = false;
    AscendCModel::Field<uint8_t> unitFlag = 0;
    bool kDirectionAlign = false;
    bool cmatrixSource = false;
    bool cmatrixInitVal = true;
};

template <typename U> struct InitConstValueParams {
    InitConstValueParams() = default;
    constexpr InitConstValueParams(AscendCModel::Field<uint16_t> repeatTimesIn,
        AscendCModel::Field<uint16_t> blockNumIn, AscendCModel::Field<uint16_t> dstGapIn, U initValueIn)
        : repeatTimes(repeatTimesIn), blockNum(blockNumIn), dstGap(dstGapIn), initValue(initValueIn)
    {
    }
    constexpr InitConstValueParams(AscendCModel::Field<uint16_t> repeatTimesIn, U initValueIn)
        : repeatTimes(repeatTimesIn), initValue(initValueIn)
    {
    }

    AscendCModel::Field<uint16_t> repeatTimes = 0;
    AscendCModel::Field<uint16_t> blockNum = 0;
    AscendCModel::Field<uint16_t> dstGap = 0;
    U initValue {};
};

struct LoadDataRepeatParam {
    LoadDataRepeatParam() = default;
    constexpr LoadDataRepeatParam(AscendCModel::Field<uint16_t> repeatStrideIn,
        AscendCModel::Field<uint8_t> repeatTimeIn, AscendCModel::Field<uint8_t> repeatModeIn)
        : repeatStride(repeatStrideIn), repeatTime(repeatTimeIn), repeatMode(repeatModeIn)
    {
    }

    AscendCModel::Field<uint16_t> repeatStride = 0;
    AscendCModel::Field<uint8_t> repeatTime = 1;
    AscendCModel::Field<uint8_t> repeatMode = 0;
    uint8_t reserved = 0;
};

/// Whether LoadData sets the feature map and the padding from its parameters.
struct IsResetLoad3dConfig {
    bool isSetFMatrix = true;
    bool isSetPadding = true;
};
constexpr IsResetLoad3dConfig IS_RESER_LOAD3D_DEFAULT_CONFIG = {true, true};

enum class FmatrixMode : uint8_t { FMATRIX_LEFT = 0, FMATRIX_RIGHT = 1 };
enum class HF32Mode : uint8_t { DISABLE = 0, ENABLE = 1 };
enum class HF32TransMode : uint8_t { NEAREST_EVEN = 0, NEAREST_ZERO = 1 };

} // namespace AscendC

namespace AscendCModel {

/// Bytes of an element where an instruction counts them; half bytes have the number 0.
template <typename T> constexpr uint32_t ElementBytes = std::is_same_v<T, AscendC::int4b_t> ? 0 : sizeof(T);

template <typename T>
inline void ExecuteLoad2d(
    uint64_t dst, uint64_t src, const AscendC::LoadData2DParams& params, Pipe pipe, Site at)
{
    Load2d load;
    load.pipe = static_cast<uint8_t>(pipe);
    load.element = sizeof(T);
    load.dst = dst;
    load.src = src;
    load.start_index = params.startIndex.Wide();
    load.repeat = params.repeatTimes.Wide();
    load.src_stride = params.srcStride.Wide();
    load.dst_gap = params.dstGap.Wide();
    load.transpose = params.ifTranspose;
    load.descending = params.addrMode != 0;
    ExecuteCube(load, at);
}

/// Fills in what the special registers say.
template <typename T> inline Load3d Load3dOfRegisters(uint64_t dst, uint64_t src)
{
    const SpecialRegisters& registers = current.registers;
    Load3d load;
    load.pipe = static_cast<uint8_t>(Pipe::Mte1);
    load.element = sizeof(T);
    load.dst = dst;
    load.src = src;
    load.l1_h = registers.l1_h;
    load.l1_w = registers.l1_w;
    for (int i = 0; i < 4; ++i) {
        load.padding[i] = registers.l1_padding[i];
    }
    load.pad_value = registers.load_padding;
    load.repeat_stride = registers.load_repeat_stride;
    load.repeat_time = registers.load_repeat_time;
    load.repeat_mode = registers.load_repeat_mode;
    load.boundary = registers.load_boundary;
    return load;
}

template <typename C, typename A, typename B>
inline Mmad MmadOf(uint64_t c, uint64_t a, uint64_t b, const AscendC::MmadParams& params)
{
    constexpr bool floats = (std::is_same_v<A, half> || std::is_same_v<A, bfloat16_t> || std::is_same_v<A, float>)
        && std::is_same_v<C, float>;
    constexpr bool integers
        = (std::is_same_v<A, int8_t> || std::is_same_v<A, AscendC::int4b_t>) && std::is_same_v<C, int32_t>;
    static_assert(std::is_same_v<A, B> && (floats || integers),
        "Mmad multiplies int8_t or int4b_t to int32_t, and half, bfloat16_t or float to float");
    Mmad mmad;
    mmad.pipe = static_cast<uint8_t>(Pipe::Cube);
    mmad.c_type = static_cast<uint8_t>(DataTypeOf<C>);
    mmad.a_type = static_cast<uint8_t>(DataTypeOf<A>);
    mmad.b_type = static_cast<uint8_t>(DataTypeOf<B>);
    mmad.unit_flag = static_cast<uint8_t>(params.unitFlag);
    mmad.c = c;
    mmad.a = a;
    mmad.b = b;
    mmad.m = params.m.Wide();
    mmad.n = params.n.Wide();
    mmad.k = params.k.Wide();
    mmad.k_direction_align = params.kDirectionAlign;
    if (std::is_same_v<A, float> && current.registers.hf32) {
        mmad.hf32 = current.registers.hf32_toward_zero ? 2 : 1;
    }
    return mmad;
}

/// Two neighbouring channels of 4 bits move as one of 8.
template <typename T> inline void InBytes(Load3d& load, Site at)
{
    if constexpr (std::is_same_v<T, AscendC::int4b_t>) {
        if (load.channel_size % 2 != 0 || load.k_extension % 2 != 0 || load.k_start % 2 != 0) {
            Fail("LoadData: channelSize, kExtension and kStartPt of 4-bit elements must be even", at);
        }
        load.channel_size /= 2;
        load.k_extension /= 2;
        load.k_start /= 2;
    }
}

} // namespace AscendCModel

namespace AscendC {

/// Fractals from L1 to L0A or L0B.
template <typename T>
__aicore__ inline void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LoadData2DParams& loadDataParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteLoad2d<PrimT<T>>(
        dst.ModelAddress(), src.ModelAddress(), loadDataParams, AscendCModel::Pipe::Mte1, at);
}

/// Fractals from global memory to L1, L0A or L0B.
template <typename T>
__aicore__ inline void LoadData(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
    const LoadData2DParams& loadDataParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::ExecuteLoad2d<PrimT<T>>(
        dst.ModelAddress(), src.ModelAddress(), loadDataParams, AscendCModel::Pipe::Mte2, at);
}

template <typename T, typename S>
__aicore__ inline void LoadData(const LocalTensor<T>&, const S&, const LoadData2DParamsV2&)
{
    static_assert(AscendCModel::Always<T>::value, "LoadData2DParamsV2 is not for this device: use LoadData2DParams");
}

/// From a feature map in L1.
template <typename T, const IsResetLoad3dConfig& defaultConfig = IS_RESER_LOAD3D_DEFAULT_CONFIG>
__aicore__ inline void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LoadData3DParamsV2<PrimT<T>>& loadDataParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::SpecialRegisters& registers = AscendCModel::current.registers;
    if constexpr (defaultConfig.isSetFMatrix) {
        registers.l1_h = loadDataParams.l1H.Wide();
        registers.l1_w = loadDataParams.l1W.Wide();
        for (int i = 0; i < PAD_SIZE; ++i) {
            registers.l1_padding[i] = loadDataParams.padList[i];
        }
    }
    if constexpr (defaultConfig.isSetPadding) {
        registers.load_padding = AscendCModel::Bits(loadDataParams.padValue);
    }
    auto load = AscendCModel::Load3dOfRegisters<PrimT<T>>(dst.ModelAddress(), src.ModelAddress());
    load.channel_size = loadDataParams.channelSize.Wide();
    load.k_extension = loadDataParams.kExtension.Wide();
    load.m_extension = loadDataParams.mExtension.Wide();
    load.k_start = loadDataParams.kStartPt.Wide();
    load.m_start = loadDataParams.mStartPt.Wide();
    load.stride_w = loadDataParams.strideW.Wide();
    load.stride_h = loadDataParams.strideH.Wide();
    load.filter_w = loadDataParams.filterW.Wide() + (loadDataParams.filterSizeW ? 256 : 0);
    load.filter_h = loadDataParams.filterH.Wide() + (loadDataParams.filterSizeH ? 256 : 0);
    load.dilation_filter_w = loadDataParams.dilationFilterW.Wide();
    load.dilation_filter_h = loadDataParams.dilationFilterH.Wide();
    load.transpose = loadDataParams.enTranspose;
    load.small_k = loadDataParams.enSmallK;
    if (loadDataParams.fMatrixCtrl) {
        AscendCModel::Fail("LoadData: fMatrixCtrl must be false on this device", at);
    }
    AscendCModel::InBytes<PrimT<T>>(load, at);
    AscendCModel::ExecuteCube(load, at);
}

template <typename T>
__aicore__ inline void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LoadData3DParamsV2Pro& loadDataParams, ASCENDC_MODEL_SITE)
{
    const uint64_t extents = loadDataParams.extConfig;
    const uint64_t filter = loadDataParams.filterConfig;
    auto load = AscendCModel::Load3dOfRegisters<PrimT<T>>(dst.ModelAddress(), src.ModelAddress());
    load.channel_size = loadDataParams.channelSize.Wide();
    load.k_extension = extents & 0xffff;
    load.m_extension = extents >> 16 & 0xffff;
    load.k_start = extents >> 32 & 0xffff;
    load.m_start = extents >> 48;
    load.stride_w = filter & 0xff;
    load.stride_h = filter >> 8 & 0xff;
    load.filter_w = (filter >> 16 & 0xff) + (loadDataParams.filterSizeW ? 256 : 0);
    load.filter_h = (filter >> 24 & 0xff) + (loadDataParams.filterSizeH ? 256 : 0);
    load.dilation_filter_w = filter >> 32 & 0xff;
    load.dilation_filter_h = filter >> 40 & 0xff;
    load.transpose = loadDataParams.enTranspose;
    load.small_k = loadDataParams.enSmallK;
    if (loadDataParams.fMatrixCtrl) {
        AscendCModel::Fail("LoadData: fMatrixCtrl must be false on this device", at);
    }
    AscendCModel::InBytes<PrimT<T>>(load, at);
    AscendCModel::ExecuteCube(load, at);
}

/// Squares of fractals from L1 to L0A or L0B, rows and columns exchanged.
template <typename T>
__aicore__ inline void LoadDataWithTranspose(const LocalTensor<T>& dst, const LocalTensor<T>& src,
    const LoadData2dTransposeParams& loadDataParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::LoadTranspose load;
    load.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Mte1);
    load.element = AscendCModel::ElementBytes<PrimT<T>>;
    load.dst = dst.ModelAddress();
    load.src = src.ModelAddress();
    load.start_index = loadDataParams.startIndex.Wide();
    load.repeat = loadDataParams.repeatTimes.Wide();
    load.src_stride = loadDataParams.srcStride.Wide();
    load.dst_gap = loadDataParams.dstGap.Wide();
    load.dst_fractal_gap = loadDataParams.dstFracGap.Wide();
    load.descending = loadDataParams.addrMode != 0;
    AscendCModel::ExecuteCube(load, at);
}

template <typename T>
__aicore__ inline void LoadDataWithTranspose(
    const LocalTensor<T>&, const LocalTensor<T>&, const LoadData2dTransposeParamsV2&)
{
    static_assert(AscendCModel::Always<T>::value,
        "LoadData2dTransposeParamsV2 is not for this device: use LoadData2dTransposeParams");
}

/// A constant into L1, L0A or L0B.
template <typename T>
__aicore__ inline void Fill(
    const LocalTensor<T>& dst, const InitConstValueParams<PrimT<T>>& initConstValueParams, ASCENDC_MODEL_SITE)
{
    AscendCModel::Fill fill;
    fill.dst = dst.ModelAddress();
    const bool l1 = fill.dst >> AscendCModel::SPACE_SHIFT == static_cast<uint64_t>(AscendCModel::Space::L1);
    fill.pipe = static_cast<uint8_t>(l1 ? AscendCModel::Pipe::Mte2 : AscendCModel::Pipe::Mte1);
    fill.element = sizeof(PrimT<T>);
    fill.repeat = initConstValueParams.repeatTimes.Wide();
    fill.block_num = initConstValueParams.blockNum.Wide();
    fill.dst_gap = initConstValueParams.dstGap.Wide();
    fill.value = AscendCModel::Bits(initConstValueParams.initValue);
    AscendCModel::ExecuteCube(fill, at);
}

template <typename T>
__aicore__ inline void InitConstValue(
    const LocalTensor<T>& dst, const InitConstValueParams<PrimT<T>>& initConstValueParams, ASCENDC_MODEL_SITE)
{
    Fill<T>(dst, initConstValueParams, at);
}

/// dst = fm * filter, added to what `mmadParams` says.
template <typename T, typename U, typename S>
__aicore__ inline void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm, const LocalTensor<S>& filter,
    const MmadParams& mmadParams, ASCENDC_MODEL_SITE)
{
    auto mmad = AscendCModel::MmadOf<PrimT<T>, PrimT<U>, PrimT<S>>(
        dst.ModelAddress(AscendCModel::Space::L0C), fm.ModelAddress(AscendCModel::Space::L0A),
        filter.ModelAddress(AscendCModel::Space::L0B), mmadParams);
    mmad.c_init = mmadParams.cmatrixInitVal && !mmadParams.isBias;
    mmad.c_source = mmadParams.cmatrixSource;
    // Without a tensor the bias is at the start of the table.
    mmad.bias = AscendCModel::LocalAddress(AscendCModel::Space::BT, 0);
    AscendCModel::ExecuteCube(mmad, at);
}

/// dst = fm * filter + bias, if `cmatrixInitVal` is false; `cmatrixSource` has no effect.
template <typename T, typename U, typename S, typename V>
__aicore__ inline void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm, const LocalTensor<S>& filter,
    const LocalTensor<V>& bias, const MmadParams& mmadParams, ASCENDC_MODEL_SITE)
{
    static_assert(std::is_same_v<PrimT<V>, PrimT<T>>, "the bias has the type of the result");
    auto mmad = AscendCModel::MmadOf<PrimT<T>, PrimT<U>, PrimT<S>>(
        dst.ModelAddress(AscendCModel::Space::L0C), fm.ModelAddress(AscendCModel::Space::L0A),
        filter.ModelAddress(AscendCModel::Space::L0B), mmadParams);
    mmad.c_init = mmadParams.cmatrixInitVal;
    mmad.c_source = 1;
    mmad.bias = bias.ModelAddress();
    AscendCModel::ExecuteCube(mmad, at);
}

__aicore__ inline void SetFmatrix(AscendCModel::Field<uint16_t> l1H, AscendCModel::Field<uint16_t> l1W,
    const uint8_t padList[4], const FmatrixMode& fmatrixMode, ASCENDC_MODEL_SITE)
{
    if (fmatrixMode != FmatrixMode::FMATRIX_LEFT) {
        AscendCModel::Fail("SetFmatrix: this device has FMATRIX_LEFT only", at);
    }
    AscendCModel::SpecialRegisters& registers = AscendCModel::current.registers;
    registers.l1_h = l1H.Wide();
    registers.l1_w = l1W.Wide();
    for (int i = 0; i < 4; ++i) {
        registers.l1_padding[i] = padList[i];
    }
}

/// Bytes after which LoadData from a feature map reads L1 from its start again; 0 for none.
__aicore__ inline void SetLoadDataBoundary(uint32_t boundaryValue)
{
    AscendCModel::current.registers.load_boundary = boundaryValue;
}

__aicore__ inline void SetLoadDataRepeat(const LoadDataRepeatParam& repeatParams)
{
    AscendCModel::SpecialRegisters& registers = AscendCModel::current.registers;
    registers.load_repeat_stride = repeatParams.repeatStride.Wide();
    registers.load_repeat_time = repeatParams.repeatTime.Wide();
    registers.load_repeat_mode = repeatParams.repeatMode.Wide();
}

template <typename T> __aicore__ inline void SetLoadDataPaddingValue(const T padValue)
{
    AscendCModel::current.registers.load_padding = AscendCModel::Bits(padValue);
}

__aicore__ inline void SetHF32Mode(HF32Mode mode)
{
    AscendCModel::current.registers.hf32 = mode == HF32Mode::ENABLE;
}
__aicore__ inline void SetHF32Mode(bool hf32Mode)
{
    AscendCModel::current.registers.hf32 = hf32Mode;
}

__aicore__ inline void SetHF32TransMode(HF32TransMode mode)
{
    AscendCModel::current.registers.hf32_toward_zero = mode == HF32TransMode::NEAREST_ZERO;
}
__aicore__ inline void SetHF32TransMode(bool hf32TransMode)
{
    AscendCModel::current.registers.hf32_toward_zero = hf32TransMode;
}

/// In which direction the unit goes through the result first: results do not depend on it.
__aicore__ inline void SetMMLayoutTransform(bool mmLayoutMode)
{
    AscendCModel::current.registers.column_major = mmLayoutMode;
}
__aicore__ inline void SetMMColumnMajor()
{
    SetMMLayoutTransform(true);
}
__aicore__ inline void SetMMRowMajor()
{
    SetMMLayoutTransform(false);
}

// What the model or the device does not have.

template <typename T, typename... Rest> __aicore__ inline void BroadCastVecToMM(const LocalTensor<T>&, const Rest&...)
{
    static_assert(AscendCModel::Always<T>::value, "BroadCastVecToMM is not for this device");
}
template <typename T, typename... Rest> __aicore__ inline void LoadImageToLocal(const LocalTensor<T>&, const Rest&...)
{
    static_assert(AscendCModel::Always<T>::value, "LoadImageToLocal is not for this device");
}
template <typename T, typename... Rest> __aicore__ inline void LoadDataUnzip(const LocalTensor<T>&, const Rest&...)
{
    static_assert(AscendCModel::Always<T>::value, "LoadDataUnzip is not for this device");
}
template <typename T, typename... Rest> __aicore__ inline void LoadDataWithSparse(const LocalTensor<T>&, const Rest&...)
{
    static_assert(AscendCModel::Always<T>::value, "the model has no sparse matrices (LoadDataWithSparse)");
}
template <typename T, typename... Rest> __aicore__ inline void MmadWithSparse(const LocalTensor<T>&, const Rest&...)
{
    static_assert(AscendCModel::Always<T>::value, "the model has no sparse matrices (MmadWithSparse)");
}

} // namespace AscendC

#endif
