// Elements that change their places: rows of odd lengths with padding, gathers, a sort, a transposition.
#include "kernel_operator.h"

using namespace AscendC;

constexpr uint32_t COUNT = 256;

// Rows of 5 numbers are filled up to 8 with -1 and come back without: `padded` has all, `stripped` what came.
extern "C" __global__ __aicore__ void pad_rows(GM_ADDR x, GM_ADDR padded, GM_ADDR stripped, uint32_t rows)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<float> from, whole, back;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x), rows * 5);
    whole.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(padded), rows * 8);
    back.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(stripped), rows * 5);
    TPipe pipe;
    TQueBind<TPosition::VECIN, TPosition::VECOUT, 1> queue;
    pipe.InitBuffer(queue, 1, rows * 8 * sizeof(float));
    LocalTensor<float> numbers = queue.AllocTensor<float>();
    const DataCopyExtParams params {static_cast<uint16_t>(rows), 5 * sizeof(float), 0, 0, 0};
    DataCopyPad(numbers, from, params, DataCopyPadExtParams<float> {true, 0, 3, -1.0f});
    queue.EnQue(numbers);
    numbers = queue.DeQue<float>();
    DataCopy(whole, numbers, rows * 8);
    DataCopyPad(back, numbers, params);
    queue.FreeTensor(numbers);
}

// Of 256 numbers: those with an even index, those at the given byte offsets, all in falling order by 32 with
// their indices.
extern "C" __global__ __aicore__ void gather_and_sort(
    GM_ADDR x, GM_ADDR offsets, GM_ADDR even, GM_ADDR gathered, GM_ADDR sorted)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<float> from, to_even, to_gathered, to_sorted;
    GlobalTensor<uint32_t> from_offsets;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x), COUNT);
    from_offsets.SetGlobalBuffer(reinterpret_cast<__gm__ uint32_t*>(offsets), COUNT);
    to_even.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(even), COUNT / 2);
    to_gathered.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(gathered), COUNT);
    to_sorted.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(sorted), 2 * COUNT);
    constexpr uint32_t BYTES = COUNT * sizeof(float);
    LocalTensor<float> numbers(TPosition::VECCALC, 0, COUNT);
    LocalTensor<uint32_t> places(TPosition::VECCALC, BYTES, COUNT);
    LocalTensor<float> halved(TPosition::VECCALC, 2 * BYTES, COUNT);
    LocalTensor<float> picked(TPosition::VECCALC, 3 * BYTES, COUNT);
    LocalTensor<int32_t> indices(TPosition::VECCALC, 4 * BYTES, COUNT);
    LocalTensor<float> falling(TPosition::VECCALC, 5 * BYTES, 2 * COUNT);
    DataCopy(numbers, from, COUNT);
    DataCopy(places, from_offsets, COUNT);
    SetFlag<HardEvent::MTE2_V>(EVENT_ID0);
    WaitFlag<HardEvent::MTE2_V>(EVENT_ID0);
    uint64_t kept = 0;
    GatherMask(halved, numbers, 1, false, 0, {1, COUNT / 64, 8, 0}, kept);
    Gather(picked, numbers, places, 0, COUNT);
    CreateVecIndex(indices, 0, COUNT);
    PipeBarrier<PIPE_V>();
    Sort32(falling, numbers, indices.ReinterpretCast<uint32_t>(), COUNT / 32);
    PipeBarrier<PIPE_ALL>();
    DataCopy(to_even, halved, static_cast<uint32_t>(kept));
    DataCopy(to_gathered, picked, COUNT);
    DataCopy(to_sorted, falling, 2 * COUNT);
}

extern "C" __global__ __aicore__ void transpose(GM_ADDR x, GM_ADDR y)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<half> from, to;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(x), COUNT);
    to.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(y), COUNT);
    LocalTensor<half> matrix(TPosition::VECCALC, 0, COUNT);
    LocalTensor<half> transposed(TPosition::VECCALC, COUNT * sizeof(half), COUNT);
    DataCopy(matrix, from, COUNT);
    SetFlag<HardEvent::MTE2_V>(EVENT_ID0);
    WaitFlag<HardEvent::MTE2_V>(EVENT_ID0);
    Transpose(transposed, matrix);
    SetFlag<HardEvent::V_MTE3>(EVENT_ID0);
    WaitFlag<HardEvent::V_MTE3>(EVENT_ID0);
    DataCopy(to, transposed, COUNT);
}
