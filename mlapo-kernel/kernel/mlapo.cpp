// MLAPO in one launch: RMSNorm and quantization, int8 down-projection, RMSNorm and quantization, int8 up-projection,
// key absorption, rotary embedding and the write to the paged cache. For NPU architecture 2201 (dav-c220): a block is
// a cube core and two vector cores.
//
// Vector cores                               Cube cores
//   hidden: norm, quantize        ------->     sums of the down-projection
//   latent: dequantize, norm, quantize  <-->
//   keys: norm, rotate, cache     |  ------>   sums of the up-projection, tile by tile
//   query: dequantize, rotate     <--|
//                                 ------->     absorbed query
//   int8 query: quantize          <--
//
// The cube cores load weights without a break from the launch on (cube.h).
#include "cube.h"
#include "vector.h"

namespace Mlapo {

template <typename T> __aicore__ inline void Run(const Operands& operands, const Tiling& tiling)
{
    if ASCEND_IS_AIC {
        CubeCore<T> core(operands, tiling);
        core.Run();
    }
    if ASCEND_IS_AIV {
        VectorCore<T> core(operands, tiling);
        core.Run();
    }
}

} // namespace Mlapo

extern "C" __global__ __aicore__ void mlapo(GM_ADDR hidden, GM_ADDR gamma0, GM_ADDR beta0, GM_ADDR wdqkv, GM_ADDR descale0,
    GM_ADDR bias0, GM_ADDR gamma1, GM_ADDR beta1, GM_ADDR wuq, GM_ADDR descale1, GM_ADDR bias1, GM_ADDR gamma2, GM_ADDR cos,
    GM_ADDR sin, GM_ADDR wuk, GM_ADDR q_nope_scale, GM_ADDR slot_mapping, GM_ADDR kv_cache, GM_ADDR kv_cache_rope,
    GM_ADDR q_out0, GM_ADDR q_out1, GM_ADDR workspace, Mlapo::Tiling tiling)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    const Mlapo::Operands operands = {hidden, gamma0, beta0, wdqkv, descale0, bias0, gamma1, beta1, wuq, descale1, bias1,
        gamma2, cos, sin, wuk, q_nope_scale, slot_mapping, kv_cache, kv_cache_rope, q_out0, q_out1, workspace};
    if (tiling.bf16 != 0) {
        Mlapo::Run<bfloat16_t>(operands, tiling);
    } else {
        Mlapo::Run<half>(operands, tiling);
    }
}
