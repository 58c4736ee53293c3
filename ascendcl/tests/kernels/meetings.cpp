// Cores that meet: a cube core and its vector cores in turn, all vector cores, and many that add to one place.
#include "kernel_operator.h"

using namespace AscendC;

constexpr uint16_t PING = 1;
constexpr uint16_t PONG = 2;

// The cube core and the vector cores add to a counter of their block in turn.
extern "C" __global__ __aicore__ void ping_pong(GM_ADDR counters, uint32_t rounds)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    const uint64_t block = ASCEND_IS_AIC ? GetBlockIdx() : GetBlockIdx() / 2;
    GlobalTensor<int32_t> counter;
    counter.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(counters) + block * 16, 16);
    for (uint32_t round = 0; round < rounds; ++round) {
        if ASCEND_IS_AIC {
            DataCacheCleanAndInvalid<int32_t, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(counter);
            counter.SetValue(0, counter.GetValue(0) * 2 + 1);
            DataCacheCleanAndInvalid<int32_t, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(counter);
            PipeBarrier<PIPE_ALL>();
            CrossCoreSetFlag<2, PIPE_FIX>(PING);
            CrossCoreWaitFlag(PONG);
        } else {
            CrossCoreWaitFlag(PING);
            if (GetSubBlockIdx() == 0) {
                DataCacheCleanAndInvalid<int32_t, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(counter);
                counter.SetValue(0, counter.GetValue(0) + 3);
                DataCacheCleanAndInvalid<int32_t, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(counter);
            }
            PipeBarrier<PIPE_ALL>();
            CrossCoreSetFlag<2, PIPE_MTE3>(PONG);
        }
    }
}

// Each core leaves a block of its index, meets the others by the hardware and by memory, and adds up what all left.
extern "C" __global__ __aicore__ void sync_all(GM_ADDR left, GM_ADDR meeting, GM_ADDR sums, uint32_t soft)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIV_1_0);
    const uint32_t cores = GetBlockNum();
    GlobalTensor<int32_t> shared, flags, to;
    shared.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(left), cores * 8);
    flags.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(meeting), cores * 8);
    to.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(sums) + GetBlockIdx() * 8, 8);
    LocalTensor<int32_t> mine(TPosition::VECCALC, 0, 8);
    LocalTensor<int32_t> work(TPosition::VECCALC, 32, cores * 8);
    LocalTensor<int32_t> all(TPosition::VECCALC, 32 + cores * 32, cores * 8);
    Duplicate(mine, static_cast<int32_t>(GetBlockIdx() + 1), 8);
    PipeBarrier<PIPE_ALL>();
    DataCopy(shared[GetBlockIdx() * 8], mine, 8);
    PipeBarrier<PIPE_ALL>();
    if (soft != 0) {
        SyncAll(flags, work, cores);
    } else {
        SyncAll();
    }
    DataCopy(all, shared, cores * 8);
    Duplicate(mine, 0, 8);
    PipeBarrier<PIPE_ALL>();
    for (uint32_t core = 0; core < cores; ++core) {
        Add(mine, mine, all[core * 8], 8);
        PipeBarrier<PIPE_V>();
    }
    PipeBarrier<PIPE_ALL>();
    DataCopy(to, mine, 8);
}

// Each core adds its index and a half to all 64 sums, 1 of them to a maximum.
extern "C" __global__ __aicore__ void atomic_add(GM_ADDR sums, GM_ADDR largest)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<float> to;
    GlobalTensor<int32_t> maximum;
    to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(sums), 64);
    maximum.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(largest), 8);
    LocalTensor<float> mine(TPosition::VECCALC, 0, 64);
    LocalTensor<int32_t> index(TPosition::VECCALC, 256, 8);
    Duplicate(mine, static_cast<float>(GetBlockIdx()) + 0.5f, 64);
    Duplicate(index, static_cast<int32_t>(GetBlockIdx()), 8);
    SetFlag<HardEvent::V_MTE3>(EVENT_ID0);
    WaitFlag<HardEvent::V_MTE3>(EVENT_ID0);
    SetAtomicAdd<float>();
    DataCopy(to, mine, 64);
    SetAtomicMax<int32_t>();
    DataCopy(maximum, index, 8);
    SetAtomicNone();
}

// The cores hand a token from the last one to the first by polling memory, with nothing else in the loop.
extern "C" __global__ __aicore__ void relay(GM_ADDR tokens)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    __gm__ int32_t* token = reinterpret_cast<__gm__ int32_t*>(tokens) + GetBlockIdx() * 16;
    int32_t value = 0;
    if (GetBlockIdx() + 1 < GetBlockNum()) {
        while ((value = ReadGmByPassDCache(token + 16)) == 0) {
        }
    }
    WriteGmByPassDCache(token, value * 2 + 1);
}
