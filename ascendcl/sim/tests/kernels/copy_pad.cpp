// Copies rows of any number of bytes through UB, padded with 7 on the way, and keeps the padded rows too.
#include "kernel_operator.h"

extern "C" __global__ __aicore__ void copy_pad(GM_ADDR x, GM_ADDR y, GM_ADDR padded, uint32_t rows, uint32_t length)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    AscendC::TPipe pipe;
    AscendC::TQueBind<AscendC::TPosition::VECIN, AscendC::TPosition::VECOUT, 1> rowsOfUb;
    const uint32_t width = (length + 15) / 16 * 16;
    pipe.InitBuffer(rowsOfUb, 1, rows * width * sizeof(half));
    AscendC::GlobalTensor<half> from;
    AscendC::GlobalTensor<half> to;
    AscendC::GlobalTensor<half> whole;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(x));
    to.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(y));
    whole.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(padded));
    const uint32_t bytes = length * sizeof(half);
    const AscendC::DataCopyExtParams shape {static_cast<uint16_t>(rows), bytes, 0, 0, 0};
    AscendC::LocalTensor<half> local = rowsOfUb.AllocTensor<half>();
    AscendC::DataCopyPad(local, from, shape,
        AscendC::DataCopyPadExtParams<half> {true, 0, static_cast<uint8_t>(width - length), half(7.0f)});
    rowsOfUb.EnQue(local);
    local = rowsOfUb.DeQue<half>();
    AscendC::DataCopyPad(to, local, shape);
    AscendC::DataCopy(whole, local, rows * width);
    rowsOfUb.FreeTensor(local);
}
