// 64 numbers as fp16 and bf16 and back, and as integers by every rounding.
#include "kernel_operator.h"

using namespace AscendC;

constexpr uint32_t COUNT = 64;

template <typename T>
__aicore__ inline void ThereAndBack(const LocalTensor<float>& to, const LocalTensor<T>& middle, const LocalTensor<float>& from)
{
    Cast(middle, from, RoundMode::CAST_RINT, COUNT);
    PipeBarrier<PIPE_V>();
    Cast(to, middle, RoundMode::CAST_NONE, COUNT);
    PipeBarrier<PIPE_V>();
}

// y has 64 numbers of each: fp16, bf16, int16 (rint) as float; z of int32: rint, floor, ceil, round, trunc.
extern "C" __global__ __aicore__ void casts(GM_ADDR x, GM_ADDR y, GM_ADDR z)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<float> from, floats;
    GlobalTensor<int32_t> integers;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x), COUNT);
    floats.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y), 3 * COUNT);
    integers.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(z), 5 * COUNT);
    LocalTensor<float> numbers(TPosition::VECCALC, 0, COUNT);
    LocalTensor<float> back(TPosition::VECCALC, 0x400, 3 * COUNT);
    LocalTensor<int32_t> rounded(TPosition::VECCALC, 0x1000, 5 * COUNT);
    LocalTensor<half> middle(TPosition::VECCALC, 0x2000, COUNT);
    DataCopy(numbers, from, COUNT);
    SetFlag<HardEvent::MTE2_V>(EVENT_ID0);
    WaitFlag<HardEvent::MTE2_V>(EVENT_ID0);
    ThereAndBack(back, middle, numbers);
    ThereAndBack(back[COUNT], middle.ReinterpretCast<bfloat16_t>(), numbers);
    ThereAndBack(back[2 * COUNT], middle.ReinterpretCast<int16_t>(), numbers);
    Cast(rounded, numbers, RoundMode::CAST_RINT, COUNT);
    Cast(rounded[COUNT], numbers, RoundMode::CAST_FLOOR, COUNT);
    Cast(rounded[2 * COUNT], numbers, RoundMode::CAST_CEIL, COUNT);
    Cast(rounded[3 * COUNT], numbers, RoundMode::CAST_ROUND, COUNT);
    Cast(rounded[4 * COUNT], numbers, RoundMode::CAST_TRUNC, COUNT);
    SetFlag<HardEvent::V_MTE3>(EVENT_ID0);
    WaitFlag<HardEvent::V_MTE3>(EVENT_ID0);
    DataCopy(floats, back, 3 * COUNT);
    DataCopy(integers, rounded, 5 * COUNT);
}
