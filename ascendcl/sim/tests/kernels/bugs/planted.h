// What the kernels with planted bugs share.
//
// Each kernel takes `wrong`: if it is not 0 the bug is there, else the kernel is right. BUG marks the line that the
// finding must name, EARLIER the line of the access or setting that it conflicts with.
#ifndef PLANTED_H
#define PLANTED_H

#include "kernel_operator.h"

using namespace AscendC;

// Floats of a copy, and bytes of it.
constexpr uint32_t COUNT = 256;
constexpr uint32_t BYTES = COUNT * sizeof(float);
// Floats that each of the two tensors in global memory has.
constexpr uint32_t GM_COUNT = 65536;

template <typename T = float> __aicore__ inline GlobalTensor<T> Gm(GM_ADDR address)
{
    GlobalTensor<T> tensor;
    tensor.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(address));
    return tensor;
}

template <typename T = float> __aicore__ inline LocalTensor<T> Local(TPosition position, uint32_t byte)
{
    return LocalTensor<T>(position, byte, COUNT);
}

// The pipe behind the event waits for the one before it.
template <HardEvent event> __aicore__ inline void Pass()
{
    SetFlag<event>(EVENT_ID0);
    WaitFlag<event>(EVENT_ID0);
}

#endif
