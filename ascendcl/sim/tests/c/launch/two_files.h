#ifndef TWO_FILES_H
#define TWO_FILES_H

#include "acl/acl.h"
#include "kernel_operator.h"

constexpr uint32_t COUNT = 64;

__aicore__ inline void Add(__gm__ int32_t* x, int32_t value)
{
    AscendC::GlobalTensor<int32_t> global;
    global.SetGlobalBuffer(x, COUNT);
    AscendC::TPipe pipe;
    AscendC::TBuf<AscendC::TPosition::VECCALC> buffer;
    pipe.InitBuffer(buffer, COUNT * sizeof(int32_t));
    AscendC::LocalTensor<int32_t> local = buffer.Get<int32_t>();
    AscendC::DataCopy(local, global, COUNT);
    AscendC::PipeBarrier<PIPE_ALL>();
    AscendC::Adds(local, local, value, COUNT);
    AscendC::PipeBarrier<PIPE_ALL>();
    AscendC::DataCopy(global, local, COUNT);
}

template <int32_t VALUE> __global__ __vector__ void shared(__gm__ int32_t* x)
{
    Add(x, VALUE);
}

// Two vector cores to a cube core: each of them is a part of one block.
__global__ __mix__(1, 2) void both(__gm__ int32_t* x)
{
    if ASCEND_IS_AIV {
        if (AscendC::GetSubBlockIdx() == 1) {
            Add(x, 10000);
        }
    }
}

#endif
