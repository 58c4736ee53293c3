// z = factor * x + y in half precision: each block computes its own tiles.
#include "kernel_operator.h"

using namespace AscendC;

constexpr uint32_t TILE = 256;

extern "C" __global__ __aicore__ void scaled_add(GM_ADDR x, GM_ADDR y, GM_ADDR z, float factor, uint32_t tiles)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    TPipe pipe;
    TQue<QuePosition::VECIN, 2> in_x;
    TQue<QuePosition::VECIN, 2> in_y;
    TQue<QuePosition::VECOUT, 2> out;
    pipe.InitBuffer(in_x, 2, TILE * sizeof(half));
    pipe.InitBuffer(in_y, 2, TILE * sizeof(half));
    pipe.InitBuffer(out, 2, TILE * sizeof(half));
    GlobalTensor<half> from_x, from_y, to;
    const uint64_t start = static_cast<uint64_t>(GetBlockIdx()) * tiles * TILE;
    from_x.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(x) + start, tiles * TILE);
    from_y.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(y) + start, tiles * TILE);
    to.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(z) + start, tiles * TILE);
    for (uint32_t tile = 0; tile < tiles; ++tile) {
        LocalTensor<half> left = in_x.AllocTensor<half>();
        LocalTensor<half> right = in_y.AllocTensor<half>();
        DataCopy(left, from_x[tile * TILE], TILE);
        DataCopy(right, from_y[tile * TILE], TILE);
        in_x.EnQue(left);
        in_y.EnQue(right);
        left = in_x.DeQue<half>();
        right = in_y.DeQue<half>();
        LocalTensor<half> sum = out.AllocTensor<half>();
        Muls(sum, left, static_cast<half>(factor), TILE);
        PipeBarrier<PIPE_V>();
        Add(sum, sum, right, TILE);
        out.EnQue(sum);
        in_x.FreeTensor(left);
        in_y.FreeTensor(right);
        sum = out.DeQue<half>();
        DataCopy(to[tile * TILE], sum, TILE);
        out.FreeTensor(sum);
    }
}
