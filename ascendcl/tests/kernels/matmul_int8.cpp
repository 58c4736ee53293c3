// An int8 product whose columns Fixpipe multiplies with a scale each on the way out, to fp16.
#include "matmul.h"

constexpr uint32_t M = 16;
constexpr uint32_t N = 64;
constexpr uint32_t K = 96;

extern "C" __global__ __aicore__ void matmul_int8(GM_ADDR a, GM_ADDR b, GM_ADDR scales, GM_ADDR y)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    GlobalTensor<int8_t> from_a, from_b;
    GlobalTensor<uint64_t> from_scales;
    GlobalTensor<half> to;
    from_a.SetGlobalBuffer(reinterpret_cast<__gm__ int8_t*>(a));
    from_b.SetGlobalBuffer(reinterpret_cast<__gm__ int8_t*>(b));
    from_scales.SetGlobalBuffer(reinterpret_cast<__gm__ uint64_t*>(scales));
    to.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(y));
    LocalTensor<int8_t> left(TPosition::A1, 0, M * K);
    LocalTensor<int8_t> right(TPosition::B1, M * K, N * K);
    LocalTensor<uint64_t> factors(TPosition::C1, (M + N) * K, N);
    LocalTensor<int32_t> sums(TPosition::CO1, 0, M * N);
    LoadFractals(left, from_a, M, K);
    LoadFractals(right, from_b, N, K);
    DataCopy(factors, from_scales, N);
    Order<HardEvent::MTE2_MTE1>();
    Order<HardEvent::MTE2_FIX>();
    Product(sums, left, right, sums, false, M, N, K);
    FixpipeParamsV220 params;
    params.nSize = N;
    params.mSize = M;
    params.srcStride = M;
    params.dstStride = N;
    params.quantPre = QuantMode_t::VDEQF16;
    Fixpipe(to, sums, factors, params);
}
