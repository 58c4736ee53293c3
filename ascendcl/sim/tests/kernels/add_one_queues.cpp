// Adds 1 to each element on the scalar unit, with queues and two buffers each: the flags are the queues'.
#include "kernel_operator.h"

constexpr uint32_t TILE = 64;

extern "C" __global__ __aicore__ void add_one_queues(GM_ADDR x, GM_ADDR y, uint32_t tiles)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    AscendC::TPipe pipe;
    AscendC::TQue<AscendC::TPosition::VECIN, 1> in;
    AscendC::TQue<AscendC::TPosition::VECOUT, 1> out;
    pipe.InitBuffer(in, 2, TILE * sizeof(float));
    pipe.InitBuffer(out, 2, TILE * sizeof(float));
    AscendC::GlobalTensor<float> from;
    AscendC::GlobalTensor<float> to;
    const uint64_t start = AscendC::GetBlockIdx() * tiles * TILE;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x) + start, tiles * TILE);
    to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y) + start, tiles * TILE);
    for (uint32_t tile = 0; tile < tiles; ++tile) {
        AscendC::LocalTensor<float> filled = in.AllocTensor<float>();
        AscendC::DataCopy(filled, from[tile * TILE], TILE);
        in.EnQue(filled);
        AscendC::LocalTensor<float> source = in.DeQue<float>();
        AscendC::LocalTensor<float> result = out.AllocTensor<float>();
        const event_t ready = static_cast<event_t>(pipe.FetchEventID(AscendC::HardEvent::V_S));
        AscendC::SetFlag<AscendC::HardEvent::V_S>(ready);
        AscendC::WaitFlag<AscendC::HardEvent::V_S>(ready);
        for (uint32_t i = 0; i < TILE; ++i) {
            result.SetValue(i, source.GetValue(i) + 1.0f);
        }
        const event_t written = static_cast<event_t>(pipe.FetchEventID(AscendC::HardEvent::S_V));
        AscendC::SetFlag<AscendC::HardEvent::S_V>(written);
        AscendC::WaitFlag<AscendC::HardEvent::S_V>(written);
        in.FreeTensor(source);
        out.EnQue(result);
        result = out.DeQue<float>();
        AscendC::DataCopy(to[tile * TILE], result, TILE);
        out.FreeTensor(result);
    }
}
