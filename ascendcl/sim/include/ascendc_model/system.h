// What a kernel can ask of the core and of its launch, tiling data, lists of tensors and scalar functions.
#ifndef ASCENDC_MODEL_SYSTEM_H
#define ASCENDC_MODEL_SYSTEM_H

#include "ascendc_model/sync.h"

namespace AscendCModel {

/// The workspace that `SetSysWorkspace` named.
inline thread_local uint8_t* system_workspace = nullptr;
/// The control register, for those who set and read bits of it.
inline thread_local uint64_t control_register = 0;

/// Cores of this kind in a block.
inline uint32_t CoresOfBlock()
{
    return IS_CUBE ? 1 : current.view->sub_block_num;
}

/// Bytes of global memory as the scalar unit reads them.
inline void ReadGlobal(void* to, const volatile void* from, uint64_t bytes, Site at)
{
    const auto address = reinterpret_cast<uint64_t>(from);
    ScalarAccess(address, static_cast<uint32_t>(bytes), false, at);
    std::memcpy(to, GlobalPointer(address), bytes);
}

} // namespace AscendCModel

// The number of the block, and of the core in it.
__aicore__ inline int64_t get_block_idx()
{
    return AscendCModel::current.view->block_idx;
}
__aicore__ inline int64_t get_block_num()
{
    return AscendCModel::current.view->block_num;
}
__aicore__ inline int64_t get_subblockid()
{
    return AscendCModel::IS_CUBE ? 0 : AscendCModel::current.view->sub_block_idx;
}
__aicore__ inline int64_t get_subblockdim()
{
    return AscendCModel::CoresOfBlock();
}
__aicore__ inline int64_t get_coreid()
{
    return get_block_idx() * get_subblockdim() + get_subblockid();
}
/// The number of the block where a kernel names it as a variable.
struct AscendCModelBlockIndex {
    operator int64_t() const { return AscendCModel::current.view->block_idx; }
};
inline constexpr AscendCModelBlockIndex block_idx {};
__aicore__ inline int64_t get_sys_cnt()
{
    return static_cast<int64_t>(AscendCModel::ReadRegister(AscendCModel::Register::SystemCycle));
}
/// Ends the kernel with an exception.
__aicore__ inline void trap(ASCENDC_MODEL_SITE)
{
    AscendCModel::Fail("trap", at);
}

namespace AscendC {

/// The number of the core among those of its kind.
__aicore__ inline int64_t GetBlockIdx()
{
    return get_block_idx() * get_subblockdim() + get_subblockid();
}
/// Blocks of the launch.
__aicore__ inline int64_t GetBlockNum()
{
    return get_block_num();
}
/// The number of the core in its block.
__aicore__ inline int64_t GetSubBlockIdx()
{
    return get_subblockid();
}
/// Cores of this kind in a block.
__aicore__ inline int64_t GetSubBlockNum()
{
    return get_subblockdim();
}
/// Cores of this kind in a block.
__aicore__ inline int64_t GetTaskRatio()
{
    return get_subblockdim();
}
__aicore__ inline int64_t GetTaskRation()
{
    return GetTaskRatio();
}
/// Ticks of 20 ns.
__aicore__ inline int64_t GetSystemCycle()
{
    return get_sys_cnt();
}
/// An address in the code; of no meaning but to tell places apart.
__aicore__ inline int64_t GetProgramCounter()
{
    return reinterpret_cast<int64_t>(__builtin_return_address(0));
}
__aicore__ inline void GetArchVersion(uint32_t& coreVersion)
{
    coreVersion = 220;
}
__aicore__ inline constexpr int16_t GetDataBlockSizeInBytes()
{
    return 32;
}
__aicore__ inline constexpr uint32_t GetVecLen()
{
    return 256;
}
__aicore__ inline constexpr uint32_t GetUBSizeInBytes()
{
    return AscendCModel::SizeOfSpace(AscendCModel::Space::UB);
}
__aicore__ inline uint32_t GetRuntimeUBSize()
{
    return GetUBSizeInBytes();
}

/// Sets the special registers to what kernels expect at their start.
__aicore__ inline void InitSocState()
{
    AscendCModel::ResetRegisters();
}

__aicore__ inline void Trap(ASCENDC_MODEL_SITE)
{
    AscendCModel::Fail("Trap", at);
}

template <int count = 1> __aicore__ inline void Nop() {}

// The first part of the workspace belongs to the system.

__aicore__ inline __gm__ uint8_t* GetSysWorkSpacePtr()
{
    return AscendCModel::system_workspace != nullptr ? AscendCModel::system_workspace
                                                     : AscendCModel::current.view->system_workspace;
}
__aicore__ inline void SetSysWorkspace(GM_ADDR workspace)
{
    AscendCModel::system_workspace = workspace;
}
__aicore__ inline void SetSysWorkspaceForce(GM_ADDR workspace)
{
    AscendCModel::system_workspace = workspace;
}
/// 16 MiB at the start of a workspace are the system's.
constexpr uint64_t RESERVED_WORKSPACE = 16 * 1024 * 1024;
__aicore__ inline GM_ADDR GetUserWorkspace(GM_ADDR workspace)
{
    return workspace + RESERVED_WORKSPACE;
}

/// Bits `startBit` to `endBit` of the control register. Its atomic bits are those of SetAtomicAdd and the like.
template <int8_t startBit, int8_t endBit> __aicore__ inline void SetCtrlSpr(int64_t value)
{
    static_assert(startBit >= 0 && startBit <= endBit && endBit < 64, "SetCtrlSpr: not bits of a 64-bit register");
    static_assert(endBit < 6 || startBit > 10, "SetCtrlSpr: set atomic modes with SetAtomicAdd, SetAtomicMax ...");
    constexpr uint64_t ones = endBit - startBit == 63 ? ~0ull : (1ull << (endBit - startBit + 1)) - 1;
    auto& control = AscendCModel::control_register;
    control = (control & ~(ones << startBit)) | ((static_cast<uint64_t>(value) & ones) << startBit);
}
template <int8_t startBit, int8_t endBit> __aicore__ inline int64_t GetCtrlSpr()
{
    static_assert(startBit >= 0 && startBit <= endBit && endBit < 64, "GetCtrlSpr: not bits of a 64-bit register");
    constexpr uint64_t ones = endBit - startBit == 63 ? ~0ull : (1ull << (endBit - startBit + 1)) - 1;
    return static_cast<int64_t>((AscendCModel::control_register >> startBit) & ones);
}
template <int8_t startBit, int8_t endBit> __aicore__ inline void ResetCtrlSpr()
{
    SetCtrlSpr<startBit, endBit>(0);
}

// Scalar functions.

__aicore__ constexpr inline int32_t CeilDivision(int32_t num1, int32_t num2)
{
    return num2 == 0 ? 0 : (num1 + num2 - 1) / num2;
}

__aicore__ constexpr inline uint32_t DivCeil(uint32_t a, uint32_t b)
{
    return b == 0 ? 0 : (a + b - 1) / b;
}

/// How many bits of `valueIn` are `countValue`.
template <int countValue> __aicore__ inline int64_t GetBitCount(uint64_t valueIn)
{
    static_assert(countValue == 0 || countValue == 1, "GetBitCount: counts zeros or ones");
    const int64_t ones = __builtin_popcountll(valueIn);
    return countValue == 1 ? ones : 64 - ones;
}
template <int countValue> __aicore__ inline int64_t ScalarGetCountOfValue(uint64_t valueIn)
{
    return GetBitCount<countValue>(valueIn);
}

/// Zeros above the highest one.
__aicore__ inline int64_t CountLeadingZero(uint64_t valueIn)
{
    return valueIn == 0 ? 64 : __builtin_clzll(valueIn);
}
__aicore__ inline int64_t ScalarCountLeadingZero(uint64_t valueIn)
{
    return CountLeadingZero(valueIn);
}

/// Bits below the sign bit that are equal to it and next to it; -1 if all are.
__aicore__ inline int64_t CountBitsCntSameAsSignBit(int64_t valueIn)
{
    if (valueIn == 0 || valueIn == -1) {
        return -1;
    }
    return __builtin_clrsbll(valueIn);
}

/// The place of the lowest bit that is `countValue`, or -1.
template <int countValue> __aicore__ inline int64_t GetSFFValue(uint64_t valueIn)
{
    static_assert(countValue == 0 || countValue == 1, "GetSFFValue: looks for a zero or a one");
    const uint64_t bits = countValue == 1 ? valueIn : ~valueIn;
    return bits == 0 ? -1 : __builtin_ctzll(bits);
}
template <int countValue> __aicore__ inline int64_t ScalarGetSFFValue(uint64_t valueIn)
{
    return GetSFFValue<countValue>(valueIn);
}

__aicore__ inline float ToFloat(const bfloat16_t& bVal)
{
    return bVal;
}
__aicore__ inline bfloat16_t ToBfloat16(const float& fVal)
{
    return fVal;
}

/// Reads past the cache, as after a clean of its line: that tells the model of a core that polls, which must let others
/// run.
template <typename T> __aicore__ inline T ReadGmByPassDCache(__gm__ T* addr, ASCENDC_MODEL_SITE)
{
    AscendCModel::CleanCache clean;
    clean.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Scalar);
    clean.address = reinterpret_cast<uint64_t>(addr);
    AscendCModel::Execute(clean, at);
    T value;
    AscendCModel::ReadGlobal(&value, addr, sizeof(T), at);
    return value;
}
template <typename T> __aicore__ inline void WriteGmByPassDCache(__gm__ T* addr, T value, ASCENDC_MODEL_SITE)
{
    const auto address = reinterpret_cast<uint64_t>(addr);
    AscendCModel::ScalarAccess(address, sizeof(T), true, at);
    std::memcpy(AscendCModel::GlobalPointer(address), &value, sizeof(T));
}

/// Limits of the element types.
template <typename T> struct NumericLimits {
    __aicore__ static constexpr T Max() { return std::numeric_limits<T>::max(); }
    __aicore__ static constexpr T Min() { return std::numeric_limits<T>::min(); }
    __aicore__ static constexpr T Lowest() { return std::numeric_limits<T>::lowest(); }
    __aicore__ static constexpr T Infinity() { return std::numeric_limits<T>::infinity(); }
    __aicore__ static constexpr T NegativeInfinity() { return -std::numeric_limits<T>::infinity(); }
    __aicore__ static constexpr T QuietNaN() { return std::numeric_limits<T>::quiet_NaN(); }
    __aicore__ static constexpr T SignalingNaN() { return std::numeric_limits<T>::signaling_NaN(); }
    __aicore__ static constexpr T DeNormMin() { return std::numeric_limits<T>::denorm_min(); }
};

/// Shape and data of a tensor of a list.
template <class T> class TensorDesc {
public:
    __aicore__ inline void SetShapeAddr(uint64_t* shapePtr) { shape_ = shapePtr; }
    __aicore__ inline uint64_t GetDim() const { return dim_; }
    __aicore__ inline uint64_t GetIndex() const { return index_; }
    __aicore__ inline uint64_t GetShape(uint32_t offset) const { return shape_[offset]; }
    __aicore__ inline T* GetDataPtr() const { return data_; }
    __aicore__ inline GlobalTensor<T> GetDataObj() const
    {
        GlobalTensor<T> tensor;
        tensor.SetGlobalBuffer(data_);
        return tensor;
    }

private:
    friend class ListTensorDesc;
    uint64_t* shape_ = nullptr;
    uint64_t dim_ = 0;
    uint64_t index_ = 0;
    T* data_ = nullptr;
};

/// A list of tensors as a kernel argument: the place of the addresses in bytes; for each tensor its number of
/// axes (32 bits), its index (32 bits) and its extents (64 bits each); then the addresses.
class ListTensorDesc {
public:
    __aicore__ inline ListTensorDesc() = default;
    __aicore__ inline ListTensorDesc(__gm__ void* data, uint32_t length = 0xffffffff, uint32_t shapeSize = 0xffffffff)
    {
        Init(data, length, shapeSize);
    }
    __aicore__ inline void Init(__gm__ void* data, uint32_t length = 0xffffffff, uint32_t shapeSize = 0xffffffff)
    {
        static_cast<void>(length);
        static_cast<void>(shapeSize);
        data_ = reinterpret_cast<uint64_t>(data);
    }
    template <class T> __aicore__ inline void GetDesc(TensorDesc<T>& desc, uint32_t index, ASCENDC_MODEL_SITE) const
    {
        uint64_t word = 1;
        for (uint32_t i = 0; i < index; ++i) {
            word += 1 + (Word(word, at) & 0xffffffffu);
        }
        const uint64_t head = Word(word, at);
        desc.dim_ = head & 0xffffffffu;
        desc.index_ = head >> 32;
        if (desc.shape_ != nullptr) {
            for (uint64_t axis = 0; axis < desc.dim_; ++axis) {
                desc.shape_[axis] = Word(word + 1 + axis, at);
            }
        }
        desc.data_ = GetDataPtr<T>(index, at);
    }
    template <class T> __aicore__ inline T* GetDataPtr(uint32_t index, ASCENDC_MODEL_SITE) const
    {
        return reinterpret_cast<T*>(Word(Word(0, at) / 8 + index, at));
    }
    __aicore__ inline uint32_t GetSize(ASCENDC_MODEL_SITE) const
    {
        const uint64_t end = Word(0, at) / 8;
        uint32_t count = 0;
        for (uint64_t word = 1; word < end; ++count) {
            word += 1 + (Word(word, at) & 0xffffffffu);
        }
        return count;
    }

private:
    uint64_t Word(uint64_t index, AscendCModel::Site at) const
    {
        uint64_t word = 0;
        AscendCModel::ReadGlobal(&word, reinterpret_cast<const void*>(data_ + index * 8), sizeof(word), at);
        return word;
    }

    uint64_t data_ = 0;
};

} // namespace AscendC

// Tiling data: structures in global memory that the host filled.

#ifndef TILING_KEY_VAR
/// Chooses the branch of a kernel that has several; give it to the compiler with -D.
#define TILING_KEY_VAR 0ull
#endif
#define TILING_KEY_IS(key) (TILING_KEY_VAR == static_cast<unsigned long long>(key))
#define REGISTER_TILING_DEFAULT(TILING_STRUCT) using AscendCModelTilingData = TILING_STRUCT
#define REGISTER_TILING_FOR_TILINGKEY(EXPRESSION, TILING_STRUCT) static_assert(sizeof(TILING_STRUCT) > 0)
#define REGISTER_NONE_TILING
#define ASCENDC_MODEL_HERE (::AscendCModel::Site {__FILE__, __LINE__, 0})
#define GET_TILING_DATA_WITH_STRUCT(tiling_struct, tiling_data, tiling_arg)                                  \
    tiling_struct tiling_data;                                                                               \
    ::AscendCModel::ReadGlobal(&(tiling_data), (tiling_arg), sizeof(tiling_struct), ASCENDC_MODEL_HERE)
#define GET_TILING_DATA(tiling_data, tiling_arg)                                                             \
    GET_TILING_DATA_WITH_STRUCT(AscendCModelTilingData, tiling_data, tiling_arg)
#define GET_TILING_DATA_MEMBER(tiling_struct, member, var, tiling_arg)                                       \
    decltype(tiling_struct::member) var;                                                                     \
    ::AscendCModel::ReadGlobal(&(var),                                                                       \
        reinterpret_cast<const uint8_t*>(tiling_arg) + offsetof(tiling_struct, member), sizeof(var),         \
        ASCENDC_MODEL_HERE)
#define GET_TILING_DATA_PTR_WITH_STRUCT(tiling_struct, dst_ptr, tiling_ptr)                                  \
    const tiling_struct* dst_ptr = reinterpret_cast<const tiling_struct*>(                                   \
        ::AscendCModel::GlobalPointer(reinterpret_cast<uint64_t>(tiling_ptr)))
#define COPY_TILING_WITH_STRUCT(tiling_struct, src_ptr, dst_ptr)                                             \
    ::AscendCModel::ReadGlobal((dst_ptr), (src_ptr), sizeof(tiling_struct), ASCENDC_MODEL_HERE)
#define COPY_TILING_WITH_ARRAY(arr_type, arr_count, src_ptr, dst_ptr)                                        \
    ::AscendCModel::ReadGlobal((dst_ptr), (src_ptr), sizeof(arr_type) * (arr_count), ASCENDC_MODEL_HERE)

#endif
