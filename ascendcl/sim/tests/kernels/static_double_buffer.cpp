// Copies through two tensors at fixed addresses, without a TPipe: the flags are the programmer's.
#include "kernel_operator.h"

constexpr uint32_t TILE = 1024;

extern "C" __global__ __aicore__ void static_double_buffer(GM_ADDR x, GM_ADDR y, uint32_t tiles)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    AscendC::InitSocState();
    AscendC::LocalMemAllocator<AscendC::Hardware::UB> allocator;
    const AscendC::LocalTensor<int32_t> tile[2]
        = {allocator.Alloc<int32_t, TILE>(), AscendC::LocalTensor<int32_t>(AscendC::TPosition::VECCALC, 8192, TILE)};
    AscendC::GlobalTensor<int32_t> from;
    AscendC::GlobalTensor<int32_t> to;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(x));
    to.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(y));
    AscendC::SetFlag<AscendC::HardEvent::MTE3_MTE2>(EVENT_ID0);
    AscendC::SetFlag<AscendC::HardEvent::MTE3_MTE2>(EVENT_ID1);
    for (uint32_t i = 0; i < tiles; ++i) {
        const event_t event = i % 2 == 0 ? EVENT_ID0 : EVENT_ID1;
        AscendC::WaitFlag<AscendC::HardEvent::MTE3_MTE2>(event);
        AscendC::DataCopy(tile[i % 2], from[i * TILE], TILE);
        AscendC::SetFlag<AscendC::HardEvent::MTE2_MTE3>(event);
        AscendC::WaitFlag<AscendC::HardEvent::MTE2_MTE3>(event);
        AscendC::DataCopy(to[i * TILE], tile[i % 2], TILE);
        AscendC::SetFlag<AscendC::HardEvent::MTE3_MTE2>(event);
    }
    AscendC::WaitFlag<AscendC::HardEvent::MTE3_MTE2>(EVENT_ID0);
    AscendC::WaitFlag<AscendC::HardEvent::MTE3_MTE2>(EVENT_ID1);
    AscendC::PipeBarrier<PIPE_ALL>();
}
