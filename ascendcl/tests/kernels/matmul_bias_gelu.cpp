// gelu(a * transposed b + bias) for 32 rows in each block: the cube core multiplies and adds the bias out of the bias
// table, the vector cores take half of the rows each. gelu(x) = x / (1 + exp(-1.702 x)).
#include "matmul.h"

constexpr uint32_t M = 32;
constexpr uint32_t N = 64;
constexpr uint32_t K = 128;
constexpr uint16_t PRODUCT_READY = 5;

extern "C" __global__ __aicore__ void matmul_bias_gelu(GM_ADDR a, GM_ADDR b, GM_ADDR bias, GM_ADDR product, GM_ADDR y)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    if ASCEND_IS_AIC {
        const uint64_t block = GetBlockIdx();
        GlobalTensor<half> from_a, from_b;
        GlobalTensor<float> from_bias, to;
        from_a.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(a) + block * M * K);
        from_b.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(b));
        from_bias.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(bias));
        to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(product) + block * M * N);
        LocalTensor<half> left(TPosition::A1, 0, M * K);
        LocalTensor<half> right(TPosition::B1, M * K * sizeof(half), N * K);
        LocalTensor<float> terms(TPosition::C1, (M + N) * K * sizeof(half), N);
        LocalTensor<float> table(TPosition::C2, 0, N);
        LocalTensor<float> sums(TPosition::CO1, 0, M * N);
        LoadFractals(left, from_a, M, K);
        LoadFractals(right, from_b, N, K);
        DataCopy(terms, from_bias, N);
        Order<HardEvent::MTE2_MTE1>();
        DataCopy(table, terms, N);
        Product(sums, left, right, table, true, M, N, K);
        FixpipeParamsV220 params;
        params.nSize = N;
        params.mSize = M;
        params.srcStride = M;
        params.dstStride = N;
        Fixpipe(to, sums, params);
        CrossCoreSetFlag<2, PIPE_FIX>(PRODUCT_READY);
    }
    if ASCEND_IS_AIV {
        constexpr uint32_t SHARE = M / 2 * N;
        CrossCoreWaitFlag(PRODUCT_READY);
        const uint64_t start = GetBlockIdx() * SHARE;
        GlobalTensor<float> from, to;
        from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(product) + start);
        to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y) + start);
        LocalTensor<float> x(TPosition::VECIN, 0, SHARE);
        LocalTensor<float> divisor(TPosition::VECCALC, SHARE * sizeof(float), SHARE);
        DataCopy(x, from, SHARE);
        Order<HardEvent::MTE2_V>();
        Muls(divisor, x, -1.702f, SHARE);
        PipeBarrier<PIPE_V>();
        Exp(divisor, divisor, SHARE);
        PipeBarrier<PIPE_V>();
        Adds(divisor, divisor, 1.0f, SHARE);
        PipeBarrier<PIPE_V>();
        Div(x, x, divisor, SHARE);
        Order<HardEvent::V_MTE3>();
        DataCopy(to, x, SHARE);
    }
}
