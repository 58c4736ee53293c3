// y = x + alpha * r, for fp32 tensors of `count` elements, a multiple of 8 (32 bytes, the unit of a copy).
#include "kernel_operator.h"
using namespace AscendC;

constexpr uint32_t TILE = 2048; // elements

extern "C" __global__ __aicore__ void scaled_add(GM_ADDR x, GM_ADDR r, GM_ADDR y, float alpha, uint32_t count)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<float> gx, gr, gy;
    gx.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x), count);
    gr.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(r), count);
    gy.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y), count);

    // Two buffers each way: while one tile is computed, the next comes in and the last goes out.
    TPipe pipe;
    TQue<TPosition::VECIN, 2> in;
    TQue<TPosition::VECOUT, 2> out;
    pipe.InitBuffer(in, 2, 2 * TILE * sizeof(float));
    pipe.InitBuffer(out, 2, TILE * sizeof(float));

    for (uint32_t first = GetBlockIdx() * TILE; first < count; first += GetBlockNum() * TILE) {
        const uint32_t length = count - first < TILE ? count - first : TILE;
        LocalTensor<float> both = in.AllocTensor<float>(); // x, and r behind it
        DataCopy(both, gx[first], length);
        DataCopy(both[TILE], gr[first], length);
        in.EnQue(both);

        both = in.DeQue<float>();
        LocalTensor<float> sum = out.AllocTensor<float>();
        Muls(sum, both[TILE], alpha, length);
        PipeBarrier<PIPE_V>();
        Add(sum, sum, both, length);
        in.FreeTensor(both);
        out.EnQue(sum);

        sum = out.DeQue<float>();
        DataCopy(gy[first], sum, length);
        out.FreeTensor(sum);
    }
}
