// Order between pipes, between cores, and the registers that later instructions take.
#ifndef ASCENDC_MODEL_SYNC_H
#define ASCENDC_MODEL_SYNC_H

#include "ascendc_model/tensor.h"

namespace AscendCModel {

/// Whether the core has the pipe; what is meant for a pipe that it lacks vanishes, as on the device.
constexpr bool HasPipe(pipe_t pipe)
{
    switch (pipe) {
    case PIPE_S:
    case PIPE_MTE2:
    case PIPE_MTE3:
    case PIPE_ALL:
        return true;
    case PIPE_V:
        return IS_VECTOR;
    case PIPE_M:
    case PIPE_MTE1:
    case PIPE_FIX:
        return IS_CUBE;
    default:
        return false;
    }
}

struct PipePair {
    pipe_t src;
    pipe_t dst;
};

constexpr PipePair PipesOf(AscendC::HardEvent event)
{
    using E = AscendC::HardEvent;
    switch (event) {
    case E::MTE2_MTE1: return {PIPE_MTE2, PIPE_MTE1};
    case E::MTE1_MTE2: return {PIPE_MTE1, PIPE_MTE2};
    case E::MTE1_M: return {PIPE_MTE1, PIPE_M};
    case E::M_MTE1: return {PIPE_M, PIPE_MTE1};
    case E::MTE2_V: return {PIPE_MTE2, PIPE_V};
    case E::V_MTE2: return {PIPE_V, PIPE_MTE2};
    case E::MTE3_V: return {PIPE_MTE3, PIPE_V};
    case E::V_MTE3: return {PIPE_V, PIPE_MTE3};
    case E::M_V: return {PIPE_M, PIPE_V};
    case E::V_M: return {PIPE_V, PIPE_M};
    case E::V_V: return {PIPE_V, PIPE_V};
    case E::MTE3_MTE1: return {PIPE_MTE3, PIPE_MTE1};
    case E::MTE1_MTE3: return {PIPE_MTE1, PIPE_MTE3};
    case E::MTE1_V: return {PIPE_MTE1, PIPE_V};
    case E::MTE2_M: return {PIPE_MTE2, PIPE_M};
    case E::M_MTE2: return {PIPE_M, PIPE_MTE2};
    case E::V_MTE1: return {PIPE_V, PIPE_MTE1};
    case E::M_FIX: return {PIPE_M, PIPE_FIX};
    case E::FIX_M: return {PIPE_FIX, PIPE_M};
    case E::MTE3_MTE2: return {PIPE_MTE3, PIPE_MTE2};
    case E::MTE2_MTE3: return {PIPE_MTE2, PIPE_MTE3};
    case E::S_V: return {PIPE_S, PIPE_V};
    case E::V_S: return {PIPE_V, PIPE_S};
    case E::S_MTE2: return {PIPE_S, PIPE_MTE2};
    case E::MTE2_S: return {PIPE_MTE2, PIPE_S};
    case E::S_MTE3: return {PIPE_S, PIPE_MTE3};
    case E::MTE3_S: return {PIPE_MTE3, PIPE_S};
    case E::MTE2_FIX: return {PIPE_MTE2, PIPE_FIX};
    case E::FIX_MTE2: return {PIPE_FIX, PIPE_MTE2};
    case E::FIX_S: return {PIPE_FIX, PIPE_S};
    case E::M_S: return {PIPE_M, PIPE_S};
    case E::FIX_MTE3: return {PIPE_FIX, PIPE_MTE3};
    case E::MTE1_FIX: return {PIPE_MTE1, PIPE_FIX};
    case E::FIX_MTE1: return {PIPE_FIX, PIPE_MTE1};
    case E::FIX_FIX: return {PIPE_FIX, PIPE_FIX};
    case E::FIX_V: return {PIPE_FIX, PIPE_V};
    default: return {PIPE_ALL, PIPE_ALL};
    }
}

inline void SetFlagBetween(pipe_t src, pipe_t dst, uint32_t event, Site at)
{
    if (HasPipe(src) && HasPipe(dst)) {
        AscendCModel::SetFlag flag;
        flag.pipe = static_cast<uint8_t>(src);
        flag.dst = static_cast<uint8_t>(dst);
        flag.event = event;
        Execute(flag, at);
    }
}

inline void WaitFlagBetween(pipe_t src, pipe_t dst, uint32_t event, Site at)
{
    if (HasPipe(src) && HasPipe(dst)) {
        AscendCModel::WaitFlag flag;
        flag.pipe = static_cast<uint8_t>(dst);
        flag.src = static_cast<uint8_t>(src);
        flag.event = event;
        Execute(flag, at);
    }
}

inline void BarrierOf(pipe_t pipe, Site at)
{
    // The scalar unit is in order by itself.
    if (HasPipe(pipe) && pipe != PIPE_S) {
        Barrier barrier;
        barrier.pipe = static_cast<uint8_t>(pipe);
        Execute(barrier, at);
    }
}

inline void SetFlagOfCores(pipe_t pipe, uint32_t mode, uint32_t flag, Site at)
{
    if (HasPipe(pipe)) {
        CrossSet set;
        set.pipe = static_cast<uint8_t>(pipe);
        set.mode = mode;
        set.flag = flag;
        Execute(set, at);
    }
}

inline void WaitFlagOfCores(uint32_t mode, uint32_t flag, Site at)
{
    CrossWait wait;
    wait.pipe = static_cast<uint8_t>(Pipe::Scalar);
    wait.mode = mode;
    wait.flag = flag;
    Execute(wait, at);
}

inline void Meet(SyncScope scope, uint32_t cores, Site at)
{
    AscendCModel::SyncAll sync;
    sync.pipe = static_cast<uint8_t>(Pipe::All);
    sync.scope = static_cast<uint8_t>(scope);
    sync.cores = cores;
    Execute(sync, at);
}

/// Everything before it is done, then the word is written.
inline void Post(uint64_t address, uint32_t value, Site at)
{
    BarrierOf(PIPE_ALL, at);
    PostMemory post;
    post.pipe = static_cast<uint8_t>(Pipe::Scalar);
    post.value = value;
    post.address = address;
    Execute(post, at);
}

/// Holds the core until the word has the value.
inline void Await(uint64_t address, uint32_t value, uint32_t reset, Site at)
{
    WaitMemory wait;
    wait.pipe = static_cast<uint8_t>(Pipe::Scalar);
    wait.value = value;
    wait.address = address;
    wait.reset = reset;
    Execute(wait, at);
}

/// The number of this vector core among all of them.
inline uint64_t VectorCore()
{
    return current.view->block_idx * current.view->sub_block_num + current.view->sub_block_idx;
}

/// The registers as `InitSocState` leaves them.
inline void ResetRegisters()
{
    current.registers.mask = Mask {{~0ull, ~0ull}, 0, 0};
    current.registers.atomic = Atomic::None;
    current.registers.pad_value = 0;
    current.registers.load_padding = 0;
}

} // namespace AscendCModel

/// What `dcci` writes back: one line of 64 bytes or all.
enum cache_line_t : uint64_t { SINGLE_CACHE_LINE = 0, ENTIRE_DATA_CACHE = 1 };
enum dcci_dst_t : uint64_t { CACHELINE_ALL = 0, CACHELINE_UB = 1, CACHELINE_OUT = 2, CACHELINE_ATOMIC = 3 };

namespace AscendC {

/// Sets flag `eventID` from the first pipe of the event to the second.
template <HardEvent event> __aicore__ inline void SetFlag(AscendCModel::Field<int32_t> eventID, ASCENDC_MODEL_SITE)
{
    constexpr AscendCModel::PipePair pipes = AscendCModel::PipesOf(event);
    AscendCModel::SetFlagBetween(pipes.src, pipes.dst, eventID.Wide(), at);
}

/// Holds the second pipe of the event until flag `eventID` is set, and takes it.
template <HardEvent event> __aicore__ inline void WaitFlag(AscendCModel::Field<int32_t> eventID, ASCENDC_MODEL_SITE)
{
    constexpr AscendCModel::PipePair pipes = AscendCModel::PipesOf(event);
    AscendCModel::WaitFlagBetween(pipes.src, pipes.dst, eventID.Wide(), at);
}

/// Flags between two pipes, as an object.
template <pipe_t src, pipe_t dst> class TQueSync {
public:
    __aicore__ inline void SetFlag(AscendCModel::Field<TEventID> id, ASCENDC_MODEL_SITE)
    {
        AscendCModel::SetFlagBetween(src, dst, id.Wide(), at);
    }
    __aicore__ inline void WaitFlag(AscendCModel::Field<TEventID> id, ASCENDC_MODEL_SITE)
    {
        AscendCModel::WaitFlagBetween(src, dst, id.Wide(), at);
    }
};

/// What comes later in the pipe waits for what came before.
template <pipe_t pipe> __aicore__ inline void PipeBarrier(ASCENDC_MODEL_SITE)
{
    AscendCModel::BarrierOf(pipe, at);
}

enum class MemDsbT : uint64_t { ALL = 0, DDR, UB, SEQ };

/// Later instructions wait until earlier accesses to the memory are done; the model holds all pipes.
template <MemDsbT arg0> __aicore__ inline void DataSyncBarrier(ASCENDC_MODEL_SITE)
{
    AscendCModel::BarrierOf(PIPE_ALL, at);
}

/// Tells other cores that everything before it in the pipe is done. Mode 0: all cores of the kind; 1: the
/// vector cores of the block; 2: cube core and vector cores of the block.
template <uint8_t modeId, pipe_t pipe>
__aicore__ inline void CrossCoreSetFlag(AscendCModel::Field<uint16_t> flagId, ASCENDC_MODEL_SITE)
{
    static_assert(modeId <= 2, "CrossCoreSetFlag: this device has the modes 0, 1 and 2");
    static_assert(pipe != PIPE_S && pipe != PIPE_ALL, "CrossCoreSetFlag: not a flag of PIPE_S or PIPE_ALL");
    AscendCModel::SetFlagOfCores(pipe, modeId, flagId.Wide(), at);
}

/// Holds the core until the other cores have set the flag. On this device the template parameters do nothing.
template <uint8_t modeId = 0, pipe_t pipe = PIPE_S>
__aicore__ inline void CrossCoreWaitFlag(AscendCModel::Field<uint16_t> flagId, ASCENDC_MODEL_SITE)
{
    static_assert(modeId <= 2, "CrossCoreWaitFlag: this device has the modes 0, 1 and 2");
    AscendCModel::WaitFlagOfCores(modeId, flagId.Wide(), at);
}

__aicore__ inline void WaitEvent(AscendCModel::Field<uint16_t> flagId, ASCENDC_MODEL_SITE)
{
    AscendCModel::WaitFlagOfCores(0, flagId.Wide(), at);
}

/// Which pipes take part in a SyncAll. The model lets all take part: a kernel that is right with the pipes it
/// names is right with all.
struct SyncAllConfig {
    pipe_t triggerPipe;
    pipe_t waitPipe;
};
inline constexpr SyncAllConfig DEFAULT_SYNC_ALL_CONFIG = {PIPE_ALL, PIPE_ALL};

/// All vector cores meet (`isAIVOnly`), or all cores of a mixed kernel.
template <bool isAIVOnly = true, const SyncAllConfig& config = DEFAULT_SYNC_ALL_CONFIG>
__aicore__ inline void SyncAll(ASCENDC_MODEL_SITE)
{
    if constexpr (!isAIVOnly) {
        AscendCModel::Meet(AscendCModel::SyncScope::Mixed, 0, at);
    } else if constexpr (AscendCModel::IS_VECTOR) {
        AscendCModel::Meet(AscendCModel::SyncScope::Vector, 0, at);
    } else {
        // In a mixed kernel only the vector cores meet; a kernel of cube cores has no others to wait for.
        const auto type = static_cast<AscendCModel::KernelType>(AscendCModel::current.view->kernel_type);
        if (type == AscendCModel::KernelType::AicOnly || type == AscendCModel::KernelType::MixAic10) {
            AscendCModel::Meet(AscendCModel::SyncScope::Cube, 0, at);
        }
    }
}

/// The first `usedCores` vector cores meet (0: all), by words in global memory.
template <bool isAIVOnly = true>
__aicore__ inline void SyncAll(const GlobalTensor<int32_t>& gmWorkspace, const LocalTensor<int32_t>& ubWorkspace,
    const int32_t usedCores = 0, ASCENDC_MODEL_SITE)
{
    static_cast<void>(gmWorkspace);
    static_cast<void>(ubWorkspace);
    if constexpr (AscendCModel::IS_VECTOR) {
        AscendCModel::Meet(AscendCModel::SyncScope::Vector, static_cast<uint32_t>(usedCores), at);
    }
}

/// Tells core `blockIdx` that waits in `IBWait`, by a word in global memory that starts as 0.
template <bool isAIVOnly = true>
__aicore__ inline void IBSet(const GlobalTensor<int32_t>& gmWorkspace, const LocalTensor<int32_t>& ubWorkspace,
    int32_t blockIdx, int32_t eventID, ASCENDC_MODEL_SITE)
{
    static_cast<void>(ubWorkspace);
    if constexpr (AscendCModel::IS_VECTOR) {
        const int64_t cores = static_cast<int64_t>(AscendCModel::current.view->block_num) * (isAIVOnly ? 1 : 2);
        const auto word = gmWorkspace[static_cast<uint64_t>((cores * eventID + blockIdx) * 8)].ModelAddress();
        // What the other core has not yet seen must not be lost.
        AscendCModel::Await(word, 0, 0, at);
        AscendCModel::Post(word, 1, at);
    }
}

/// Holds the core until another calls `IBSet` with the same arguments.
template <bool isAIVOnly = true>
__aicore__ inline void IBWait(const GlobalTensor<int32_t>& gmWorkspace, const LocalTensor<int32_t>& ubWorkspace,
    int32_t blockIdx, int32_t eventID, ASCENDC_MODEL_SITE)
{
    static_cast<void>(ubWorkspace);
    if constexpr (AscendCModel::IS_VECTOR) {
        const int64_t cores = static_cast<int64_t>(AscendCModel::current.view->block_num) * (isAIVOnly ? 1 : 2);
        const auto word = gmWorkspace[static_cast<uint64_t>((cores * eventID + blockIdx) * 8)].ModelAddress();
        AscendCModel::Await(word, 1, 0, at);
    }
}

/// Prepares the words by which the cores take turns in the order of their numbers.
__aicore__ inline void InitDetermineComputeWorkspace(
    GlobalTensor<int32_t>& gmWorkspace, LocalTensor<int32_t>& ubWorkspace, ASCENDC_MODEL_SITE)
{
    static_cast<void>(ubWorkspace);
    if constexpr (AscendCModel::IS_VECTOR) {
        const uint64_t core = AscendCModel::VectorCore();
        AscendCModel::Post(gmWorkspace[core * 8].ModelAddress(), core == 0 ? 1 : 0, at);
        AscendCModel::Meet(AscendCModel::SyncScope::Vector, 0, at);
    }
}

/// Holds the core until it is its turn.
__aicore__ inline void WaitPreBlock(
    GlobalTensor<int32_t>& gmWorkspace, LocalTensor<int32_t>& ubWorkspace, ASCENDC_MODEL_SITE)
{
    static_cast<void>(ubWorkspace);
    if constexpr (AscendCModel::IS_VECTOR) {
        AscendCModel::Await(gmWorkspace[AscendCModel::VectorCore() * 8].ModelAddress(), 1, 0, at);
    }
}

/// It is the next core's turn.
__aicore__ inline void NotifyNextBlock(
    GlobalTensor<int32_t>& gmWorkspace, LocalTensor<int32_t>& ubWorkspace, ASCENDC_MODEL_SITE)
{
    static_cast<void>(ubWorkspace);
    if constexpr (AscendCModel::IS_VECTOR) {
        const auto* view = AscendCModel::current.view;
        const uint64_t next = (AscendCModel::VectorCore() + 1) % (view->block_num * view->sub_block_num);
        AscendCModel::Post(gmWorkspace[next * 8].ModelAddress(), 1, at);
    }
}

/// Writes back and drops the scalar unit's cache: one line, or all.
template <typename T, CacheLine entireType, DcciDst dcciDst = DcciDst::CACHELINE_ALL>
__aicore__ inline void DataCacheCleanAndInvalid(const GlobalTensor<T>& dst, ASCENDC_MODEL_SITE)
{
    AscendCModel::CleanCache clean;
    clean.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Scalar);
    clean.entire = entireType == CacheLine::ENTIRE_DATA_CACHE;
    clean.address = dst.ModelAddress();
    AscendCModel::Execute(clean, at);
}
template <typename T, CacheLine entireType, DcciDst dcciDst = DcciDst::CACHELINE_ALL>
__aicore__ inline void DataCacheCleanAndInvalid(const LocalTensor<T>& dst, ASCENDC_MODEL_SITE)
{
    AscendCModel::CleanCache clean;
    clean.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Scalar);
    clean.entire = entireType == CacheLine::ENTIRE_DATA_CACHE;
    clean.address = dst.ModelAddress();
    AscendCModel::Execute(clean, at);
}

/// A hint: no effect on results.
template <typename T> __aicore__ inline void DataCachePreload(const GlobalTensor<uint64_t>&, const T) {}
/// A hint: no effect on results.
__aicore__ inline void ICachePreLoad(const int64_t) {}
/// 0: done.
__aicore__ inline int64_t GetICachePreloadStatus()
{
    return 0;
}

// Early start of the next kernel: only within a super kernel, which the model does not have, so that they do
// nothing, as on the device outside one.
template <pipe_t AIV_PIPE = PIPE_MTE3, pipe_t AIC_PIPE = PIPE_FIX, bool FORCE = false>
__aicore__ inline void SetNextTaskStart()
{
}
template <bool FORCE = false> __aicore__ inline void WaitPreTaskEnd() {}

// Where the flags between cores are kept: the model has its own.
__aicore__ inline void SetSyncBaseAddr(uint64_t) {}
__aicore__ inline void SetFftsBaseAddr(uint64_t) {}

/// The mask counts lanes.
__aicore__ inline void SetMaskCount()
{
    AscendCModel::current.registers.mask.counter = 1;
}

/// The mask has a bit for each lane.
__aicore__ inline void SetMaskNorm()
{
    AscendCModel::current.registers.mask.counter = 0;
}

/// The bits of the mask, or in counter mode the number of elements in `maskLow`.
template <typename T, MaskMode mode = MaskMode::NORMAL>
__aicore__ inline void SetVectorMask(const uint64_t maskHigh, const uint64_t maskLow)
{
    AscendCModel::current.registers.mask.bits[0] = maskLow;
    AscendCModel::current.registers.mask.bits[1] = maskHigh;
}

/// The first `len` lanes of each repeat, or in counter mode `len` elements.
template <typename T, MaskMode mode = MaskMode::NORMAL> __aicore__ inline void SetVectorMask(int32_t len)
{
    auto& bits = AscendCModel::current.registers.mask.bits;
    const auto lanes = static_cast<uint32_t>(len);
    if constexpr (mode == MaskMode::COUNTER) {
        bits[0] = lanes;
        bits[1] = 0;
    } else {
        bits[0] = lanes >= 64 ? ~0ull : (1ull << lanes) - 1;
        bits[1] = lanes >= 128 ? ~0ull : lanes > 64 ? (1ull << (lanes - 64)) - 1 : 0;
    }
}

/// All lanes.
__aicore__ inline void ResetMask()
{
    AscendCModel::current.registers.mask.bits[0] = ~0ull;
    AscendCModel::current.registers.mask.bits[1] = ~0ull;
}

/// Of the toolkit's own code, not documented; kernels set masks with it.
struct AscendCUtils {
    template <typename T, bool isSetMask = true> __aicore__ static inline void SetMask(int32_t len)
    {
        if constexpr (isSetMask) {
            SetVectorMask<T>(len);
        }
    }
    template <typename T, bool isSetMask = true>
    __aicore__ static inline void SetMask(const uint64_t maskHigh, const uint64_t maskLow)
    {
        if constexpr (isSetMask) {
            SetVectorMask<T>(maskHigh, maskLow);
        }
    }
    template <typename T> __aicore__ static inline void ResetMask() { AscendC::ResetMask(); }
};

} // namespace AscendC

// The instructions themselves, as the device's compiler names them.

__aicore__ inline void set_flag(pipe_t src, pipe_t dst, AscendCModel::Field<int32_t> id, ASCENDC_MODEL_SITE)
{
    AscendCModel::SetFlagBetween(src, dst, id.Wide(), at);
}
__aicore__ inline void wait_flag(pipe_t src, pipe_t dst, AscendCModel::Field<int32_t> id, ASCENDC_MODEL_SITE)
{
    AscendCModel::WaitFlagBetween(src, dst, id.Wide(), at);
}
__aicore__ inline void pipe_barrier(pipe_t pipe, ASCENDC_MODEL_SITE)
{
    AscendCModel::BarrierOf(pipe, at);
}
/// `config`: mode in bits 4 and 5, number of the flag from bit 8 on.
__aicore__ inline void ffts_cross_core_sync(pipe_t pipe, uint64_t config, ASCENDC_MODEL_SITE)
{
    AscendCModel::SetFlagOfCores(pipe, (config >> 4) & 3, static_cast<uint32_t>(config >> 8), at);
}
__aicore__ inline void wait_flag_dev(AscendCModel::Field<int64_t> flagID, ASCENDC_MODEL_SITE)
{
    AscendCModel::WaitFlagOfCores(0, flagID.Wide(), at);
}
__aicore__ inline void set_ffts_base_addr(uint64_t) {}
__aicore__ inline void dsb(mem_dsb_t, ASCENDC_MODEL_SITE)
{
    AscendCModel::BarrierOf(PIPE_ALL, at);
}
__aicore__ inline void dcci(
    const void* address, uint64_t entire, uint64_t destination = CACHELINE_ALL, ASCENDC_MODEL_SITE)
{
    static_cast<void>(destination);
    AscendCModel::CleanCache clean;
    clean.pipe = static_cast<uint8_t>(AscendCModel::Pipe::Scalar);
    clean.entire = entire == ENTIRE_DATA_CACHE;
    clean.address = AscendCModel::AddressOf(address);
    AscendCModel::Execute(clean, at);
}
__aicore__ inline void set_mask_count()
{
    AscendC::SetMaskCount();
}
__aicore__ inline void set_mask_norm()
{
    AscendC::SetMaskNorm();
}
__aicore__ inline void set_vector_mask(uint64_t high, uint64_t low)
{
    AscendC::SetVectorMask<int8_t>(high, low);
}

#endif
