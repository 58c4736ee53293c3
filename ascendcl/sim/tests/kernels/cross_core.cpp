// The vector cores of a block copy a half each; when the cube core knows, it tells them, and each copies the
// other's half.
#include "kernel_operator.h"

constexpr uint32_t HALF = 256;
constexpr uint16_t WRITTEN = 3;
constexpr uint16_t SEEN = 4;

extern "C" __global__ __aicore__ void cross_core(GM_ADDR x, GM_ADDR between, GM_ADDR y)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    if ASCEND_IS_AIC {
        AscendC::CrossCoreWaitFlag(WRITTEN);
        AscendC::CrossCoreSetFlag<2, PIPE_FIX>(SEEN);
    }
    if ASCEND_IS_AIV {
        AscendC::TPipe pipe;
        AscendC::TQueBind<AscendC::TPosition::VECIN, AscendC::TPosition::VECOUT, 1> halves;
        pipe.InitBuffer(halves, 2, HALF * sizeof(float));
        AscendC::GlobalTensor<float> from;
        AscendC::GlobalTensor<float> middle;
        AscendC::GlobalTensor<float> to;
        from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x));
        middle.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(between));
        to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y));
        const uint32_t mine = AscendC::GetBlockIdx() * HALF;
        const uint32_t other = (AscendC::GetBlockIdx() ^ 1) * HALF;
        AscendC::LocalTensor<float> part = halves.AllocTensor<float>();
        AscendC::DataCopy(part, from[mine], HALF);
        halves.EnQue(part);
        part = halves.DeQue<float>();
        AscendC::DataCopy(middle[mine], part, HALF);
        halves.FreeTensor(part);
        AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(WRITTEN);
        AscendC::CrossCoreWaitFlag(SEEN);
        part = halves.AllocTensor<float>();
        AscendC::DataCopy(part, middle[other], HALF);
        halves.EnQue(part);
        part = halves.DeQue<float>();
        AscendC::DataCopy(to[mine], part, HALF);
        halves.FreeTensor(part);
    }
}
