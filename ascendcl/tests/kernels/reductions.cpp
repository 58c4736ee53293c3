// Sums, maxima and minima of 256 numbers: of all, of blocks of 32 bytes, of pairs.
#include "kernel_operator.h"

using namespace AscendC;

constexpr uint32_t COUNT = 256;

// y: sum, maximum with its index, minimum with its index (8 numbers each), 32 sums and 32 maxima of blocks,
// 128 sums of pairs.
extern "C" __global__ __aicore__ void reductions(GM_ADDR x, GM_ADDR y)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<float> from, to;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x), COUNT);
    to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y));
    TPipe pipe;
    TBuf<TPosition::VECCALC> buffer;
    pipe.InitBuffer(buffer, 4 * COUNT * sizeof(float));
    LocalTensor<float> numbers = buffer.Get<float>();
    LocalTensor<float> work = numbers[COUNT];
    LocalTensor<float> results = numbers[2 * COUNT];
    DataCopy(numbers, from, COUNT);
    SetFlag<HardEvent::MTE2_V>(EVENT_ID0);
    WaitFlag<HardEvent::MTE2_V>(EVENT_ID0);
    Duplicate(results, 0.0f, 24);
    PipeBarrier<PIPE_V>();
    ReduceSum(results, numbers, work, COUNT);
    PipeBarrier<PIPE_V>();
    ReduceMax(results[8], numbers, work, COUNT, true);
    PipeBarrier<PIPE_V>();
    ReduceMin(results[16], numbers, work, COUNT, true);
    BlockReduceSum(results[24], numbers, COUNT / 64, 64, 1, 1, 8);
    BlockReduceMax(results[56], numbers, COUNT / 64, 64, 1, 1, 8);
    PairReduceSum(results[88], numbers, COUNT / 64, 64, 1, 1, 8);
    SetFlag<HardEvent::V_MTE3>(EVENT_ID0);
    WaitFlag<HardEvent::V_MTE3>(EVENT_ID0);
    DataCopy(to, results, 216);
}
