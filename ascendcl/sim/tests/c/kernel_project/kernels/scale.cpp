// Two kernels: one that main launches by a function of this file, one that it launches by ACLRT_LAUNCH_KERNEL.
#include "each.h"
#include "kernel_operator.h"

static_assert(__cplusplus > 201703L, "the standard is the project's");

extern "C" __global__ __aicore__ void scale(__gm__ int32_t* numbers)
{
    __gm__ int32_t* own = numbers + EACH * AscendC::GetBlockIdx();
    for (uint32_t i = 0; i < EACH; ++i) {
        own[i] = own[i] * FACTOR;
    }
}

extern "C" __global__ __aicore__ void raise_by(GM_ADDR numbers, int32_t by, GM_ADDR count)
{
    __gm__ int32_t* own = reinterpret_cast<__gm__ int32_t*>(numbers) + EACH * AscendC::GetBlockIdx();
    for (uint32_t i = 0; i < *reinterpret_cast<__gm__ uint32_t*>(count); ++i) {
        own[i] = own[i] + by;
    }
}

int32_t Scale(uint32_t blocks, void* stream, int32_t* numbers)
{
    return static_cast<int32_t>(scale<<<blocks, nullptr, stream>>>(numbers));
}
