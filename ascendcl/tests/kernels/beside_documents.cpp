// Names that kernels rely on and the documents of the interface do not have.
#include "kernel_operator.h"
#include "kernel_tensor.h"
#include "lib/matmul_intf.h"

// A tensor of no queue.
template <typename T> __aicore__ inline AscendC::LocalTensor<T> Placed(AscendC::TPosition position, uint32_t offset)
{
    AscendC::LocalTensor<T> tensor;
    tensor.InitBuffer(offset, 512);
    tensor.address_.logicPos = static_cast<uint8_t>(position);
    return tensor;
}

// c[16, 32] of rows of 40 = a[16, 16] b[32, 16]^T
extern "C" __global__ __aicore__ void product(GM_ADDR a, GM_ADDR b, GM_ADDR c)
{
    PRELOAD(2);
    AscendC::SetSyncBaseAddr(0);
    AscendC::SetMaskNorm();
    AscendC::GlobalTensor<half> left, right, out;
    left.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(a));
    right.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(b));
    out.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(c));
    const auto left1 = Placed<half>(AscendC::TPosition::A1, 0);
    const auto right1 = Placed<half>(AscendC::TPosition::A1, 2048);
    const auto left0 = Placed<half>(AscendC::TPosition::A2, 0);
    const auto right0 = Placed<half>(AscendC::TPosition::B2, 0);
    // No position: what the instruction takes.
    AscendC::LocalTensor<float> sums;
    AscendC::DataCopy(left1, left, 256);
    AscendC::DataCopy(right1, right, 512);
    set_flag(PIPE_MTE2, PIPE_MTE1, EVENT_ID0);
    wait_flag(PIPE_MTE2, PIPE_MTE1, EVENT_ID0);
    AscendC::LoadData(left0, left1, AscendC::LoadData2DParams(0, 1, 1, 0, 0, false, 0));
    AscendC::LoadData(right0, right1, AscendC::LoadData2DParams(0, 2, 1, 0, 0, false, 0));
    set_flag(PIPE_MTE1, PIPE_M, EVENT_ID0);
    wait_flag(PIPE_MTE1, PIPE_M, EVENT_ID0);
    AscendC::Mmad(sums, left0, right0, AscendC::MmadParams(16, 32, 16, 0, false, true));
    set_flag(PIPE_M, PIPE_FIX, EVENT_ID0);
    wait_flag(PIPE_M, PIPE_FIX, EVENT_ID0);
    AscendC::FixpipeParams<float> params(2, 16 * 16 * sizeof(float) / 32, 0, 40);
    params.nz2ndParams = {true, 1, 0, 0, 32};
    params.quantParams = {QuantMode_t::F322F16};
    AscendC::Fixpipe(out, sums, params);
    // The same as fractals, with a gap of a block between the columns.
    AscendC::FixpipeParams<float> fractals(2, 16 * 16 * sizeof(float) / 32, 0, 1);
    fractals.quantParams = {QuantMode_t::F322F16};
    AscendC::Fixpipe(out[640], sums, fractals);
    pipe_barrier(PIPE_ALL);
}

// y[0] = sqrt of (the sum of the first `count` of at most 40 numbers, plus 3). The calls name no namespace.
#define SUM_OF(TYPE)                                                                                         \
    extern "C" __global__ __aicore__ void sum_##TYPE(GM_ADDR x, GM_ADDR y, uint32_t count)                   \
    {                                                                                                        \
        AscendC::GlobalTensor<TYPE> from, to;                                                                \
        from.SetGlobalBuffer(reinterpret_cast<__gm__ TYPE*>(x));                                             \
        to.SetGlobalBuffer(reinterpret_cast<__gm__ TYPE*>(y));                                               \
        const auto numbers = Placed<TYPE>(AscendC::TPosition::VECIN, 0);                                     \
        const uint32_t taken = min(count, 40);                                                               \
        const uint32_t bytes = taken * sizeof(TYPE);                                                         \
        DataCopyPad(numbers, from, {1, bytes, 0, 0}, {});                                                    \
        set_flag(PIPE_MTE2, PIPE_V, EVENT_ID0);                                                              \
        wait_flag(PIPE_MTE2, PIPE_V, EVENT_ID0);                                                             \
        AscendC::AscendCUtils::SetMask<TYPE>(3);                                                             \
        AscendC::Adds<TYPE, false>(                                                                          \
            numbers, numbers, static_cast<TYPE>(1), AscendC::MASK_PLACEHOLDER, 1, {1, 1, 8, 8});             \
        pipe_barrier(PIPE_V);                                                                                \
        ReduceSum<TYPE>(numbers, numbers, numbers, static_cast<int32_t>(taken));                             \
        set_flag(PIPE_V, PIPE_S, EVENT_ID0);                                                                 \
        wait_flag(PIPE_V, PIPE_S, EVENT_ID0);                                                                \
        const float sum = static_cast<float>(numbers.GetValue(0));                                           \
        if (likely(sum > 0)) {                                                                               \
            numbers.SetValue(0, static_cast<TYPE>(sqrt(sum)));                                               \
        }                                                                                                    \
        set_flag(PIPE_S, PIPE_MTE3, EVENT_ID0);                                                              \
        wait_flag(PIPE_S, PIPE_MTE3, EVENT_ID0);                                                             \
        DataCopyPad(to, numbers, {1, sizeof(TYPE), 0, 0});                                                   \
    }

SUM_OF(half)
SUM_OF(float)
