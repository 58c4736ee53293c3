// Planted bugs on vector cores.
#include "planted.h"

__aicore__ inline LocalTensor<float> Ub(uint32_t byte)
{
    return Local(TPosition::VECCALC, byte);
}

extern "C" __global__ __aicore__ void ub_out_of_bounds(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    constexpr uint32_t END = 192 * 1024;
    DataCopy(Ub(wrong != 0 ? END - 32 : 0), Gm(x), COUNT); // BUG
}

extern "C" __global__ __aicore__ void gm_out_of_bounds(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    DataCopy(Ub(0), Gm(x)[wrong != 0 ? GM_COUNT - 8 : 0], COUNT); // BUG
}

extern "C" __global__ __aicore__ void ub_misaligned(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, COUNT);
    PipeBarrier<PIPE_V>();
    Adds(Ub(BYTES), Ub(wrong != 0 ? 4 : 0), 1.0f, COUNT - 8); // BUG
}

extern "C" __global__ __aicore__ void ub_not_written(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, wrong != 0 ? COUNT - 8 : COUNT);
    PipeBarrier<PIPE_V>();
    Adds(Ub(BYTES), Ub(0), 1.0f, COUNT); // BUG
}

extern "C" __global__ __aicore__ void no_flag_mte2_v(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    DataCopy(Ub(0), Gm(x), COUNT); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::MTE2_V>();
    }
    Adds(Ub(BYTES), Ub(0), 1.0f, COUNT); // BUG
}

extern "C" __global__ __aicore__ void no_flag_v_mte3(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, COUNT); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::V_MTE3>();
    }
    DataCopy(Gm(y), Ub(0), COUNT); // BUG
}

extern "C" __global__ __aicore__ void no_flag_mte3_mte2(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    DataCopy(Ub(0), Gm(x), COUNT);
    Pass<HardEvent::MTE2_MTE3>();
    DataCopy(Gm(y), Ub(0), COUNT); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::MTE3_MTE2>();
    }
    DataCopy(Ub(0), Gm(x)[COUNT], COUNT); // BUG
}

extern "C" __global__ __aicore__ void no_flag_v_mte2(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, COUNT);
    PipeBarrier<PIPE_V>();
    Adds(Ub(BYTES), Ub(0), 1.0f, COUNT); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::V_MTE2>();
    }
    DataCopy(Ub(0), Gm(x), COUNT); // BUG
}

extern "C" __global__ __aicore__ void no_flag_v_s(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, COUNT); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::V_S>();
    }
    const float value = Ub(0).GetValue(0); // BUG
    ascendc_assert(value == 1.0f);
}

extern "C" __global__ __aicore__ void no_flag_of_the_event(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    // The flag is of an event that says nothing of the second copy.
    DataCopy(Ub(0), Gm(x), COUNT);
    SetFlag<HardEvent::MTE2_V>(EVENT_ID0);
    DataCopy(Ub(BYTES), Gm(x), COUNT); // EARLIER
    SetFlag<HardEvent::MTE2_V>(EVENT_ID1);
    WaitFlag<HardEvent::MTE2_V>(EVENT_ID0);
    if (wrong == 0) {
        WaitFlag<HardEvent::MTE2_V>(EVENT_ID1);
    }
    Add(Ub(2 * BYTES), Ub(0), Ub(BYTES), COUNT); // BUG
    if (wrong != 0) {
        WaitFlag<HardEvent::MTE2_V>(EVENT_ID1);
    }
}

extern "C" __global__ __aicore__ void no_barrier_v(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, COUNT); // EARLIER
    if (wrong == 0) {
        PipeBarrier<PIPE_V>();
    }
    Adds(Ub(BYTES), Ub(0), 1.0f, COUNT); // BUG
}

extern "C" __global__ __aicore__ void no_barrier_mte2(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    DataCopy(Ub(0), Gm(x), COUNT); // EARLIER
    if (wrong == 0) {
        PipeBarrier<PIPE_MTE2>();
    }
    DataCopy(Ub(BYTES / 2), Gm(x), COUNT); // BUG
}

extern "C" __global__ __aicore__ void no_barrier_mte3(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, COUNT);
    Pass<HardEvent::V_MTE3>();
    DataCopy(Gm(y), Ub(0), COUNT); // EARLIER
    if (wrong == 0) {
        PipeBarrier<PIPE_MTE3>();
    }
    DataCopy(Gm(y)[COUNT / 2], Ub(0), COUNT); // BUG
}

extern "C" __global__ __aicore__ void event_reused(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    SetFlag<HardEvent::MTE2_V>(EVENT_ID3); // EARLIER
    if (wrong == 0) {
        WaitFlag<HardEvent::MTE2_V>(EVENT_ID3);
    }
    SetFlag<HardEvent::MTE2_V>(EVENT_ID3); // BUG
    if (wrong != 0) {
        WaitFlag<HardEvent::MTE2_V>(EVENT_ID3);
    }
    WaitFlag<HardEvent::MTE2_V>(EVENT_ID3);
}

extern "C" __global__ __aicore__ void flag_left(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    SetFlag<HardEvent::V_MTE3>(EVENT_ID2); // BUG
    if (wrong == 0) {
        WaitFlag<HardEvent::V_MTE3>(EVENT_ID2);
    }
}

extern "C" __global__ __aicore__ void deadlock_in_a_core(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if (wrong == 0) {
        SetFlag<HardEvent::MTE2_V>(EVENT_ID5);
    }
    WaitFlag<HardEvent::MTE2_V>(EVENT_ID5); // BUG
    Duplicate(Ub(0), 1.0f, COUNT);
    PipeBarrier<PIPE_ALL>();
}

extern "C" __global__ __aicore__ void repeat_too_large(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    Duplicate(Ub(0), 1.0f, COUNT);
    PipeBarrier<PIPE_V>();
    const UnaryRepeatParams params(1, 1, 8, 0);
    Adds(Ub(BYTES), Ub(0), 1.0f, 64, wrong != 0 ? 256 : 255, params); // BUG
}

extern "C" __global__ __aicore__ void block_count_too_large(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    const DataCopyParams params(wrong != 0 ? 4096 : 4095, 1, 0, 0);
    DataCopy(Ub(0), Gm(x), params); // BUG
}

extern "C" __global__ __aicore__ void event_too_large(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    const int32_t event = wrong != 0 ? 8 : 7;
    SetFlag<HardEvent::MTE2_V>(event); // BUG
    if (wrong == 0) {
        WaitFlag<HardEvent::MTE2_V>(event);
    }
}

extern "C" __global__ __aicore__ void assertion_fails(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    ascendc_assert(wrong == 0); // BUG
}

extern "C" __global__ __aicore__ void ub_overlap(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    TPipe pipe;
    TBuf<TPosition::VECCALC> one;
    TBuf<TPosition::VECCALC> two;
    pipe.InitBuffer(one, BYTES); // EARLIER
    Duplicate(one.Get<float>(), 1.0f, COUNT);
    if (wrong != 0) {
        pipe.Init();
    } else {
        pipe.Reset();
    }
    PipeBarrier<PIPE_V>();
    pipe.InitBuffer(two, BYTES); // BUG
    Duplicate(two.Get<float>(), 1.0f, COUNT);
}

extern "C" __global__ __aicore__ void ub_used_after_it_was_freed(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    TPipe pipe;
    TQue<TPosition::VECIN, 1> queue;
    TBuf<TPosition::VECCALC> result;
    pipe.InitBuffer(queue, 1, BYTES);
    pipe.InitBuffer(result, BYTES);
    LocalTensor<float> tensor = queue.AllocTensor<float>();
    DataCopy(tensor, Gm(x), COUNT);
    queue.EnQue(tensor);
    tensor = queue.DeQue<float>();
    if (wrong == 0) {
        Adds(result.Get<float>(), tensor, 1.0f, COUNT);
    }
    queue.FreeTensor(tensor); // EARLIER
    if (wrong != 0) {
        Adds(result.Get<float>(), tensor, 1.0f, COUNT); // BUG
    }
}

extern "C" __global__ __aicore__ void tensors_at_one_place(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    // Right in both cases: tensors at fixed addresses may share a place one after the other.
    const LocalTensor<float> floats = Ub(0);
    const LocalTensor<int32_t> integers = Local<int32_t>(TPosition::VECCALC, 0);
    DataCopy(floats, Gm(x), COUNT);
    Pass<HardEvent::MTE2_V>();
    Adds(Ub(BYTES), floats, static_cast<float>(wrong), COUNT);
    PipeBarrier<PIPE_V>();
    Duplicate(integers, static_cast<int32_t>(1), COUNT);
    Pass<HardEvent::V_MTE3>();
    DataCopy(Gm<int32_t>(y), integers, COUNT);
}

extern "C" __global__ __aicore__ void no_flag_between_vector_cores(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIV_1_0);
    if (GetBlockIdx() == 0) {
        Duplicate(Ub(0), 1.0f, COUNT);
        Pass<HardEvent::V_MTE3>();
        DataCopy(Gm(y), Ub(0), COUNT); // EARLIER
    }
    if (wrong == 0) {
        CrossCoreSetFlag<0, PIPE_MTE3>(1);
        CrossCoreWaitFlag(1);
    }
    if (GetBlockIdx() == 1) {
        DataCopy(Ub(0), Gm(y), COUNT); // BUG
    }
}

extern "C" __global__ __aicore__ void no_meeting_of_vector_cores(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIV_1_0);
    const uint32_t mine = static_cast<uint32_t>(GetBlockIdx()) * COUNT;
    Duplicate(Ub(0), 1.0f, COUNT);
    Pass<HardEvent::V_MTE3>();
    DataCopy(Gm(y)[mine], Ub(0), COUNT); // EARLIER
    if (wrong == 0) {
        SyncAll();
    }
    if (GetBlockIdx() == 1) {
        DataCopy(Ub(BYTES), Gm(y), COUNT); // BUG
    }
}

extern "C" __global__ __aicore__ void deadlock_of_cores(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIV_1_0);
    if (wrong == 0 || GetBlockIdx() == 0) {
        CrossCoreSetFlag<0, PIPE_MTE3>(4);
    }
    CrossCoreWaitFlag(4); // BUG
}
