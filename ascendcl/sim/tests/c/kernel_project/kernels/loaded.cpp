// A kernel that main loads from a file.
#include "each.h"
#include "kernel_operator.h"

extern "C" __global__ __aicore__ void offset(GM_ADDR numbers)
{
    __gm__ int32_t* own = reinterpret_cast<__gm__ int32_t*>(numbers) + EACH * AscendC::GetBlockIdx();
    for (uint32_t i = 0; i < EACH; ++i) {
        own[i] = own[i] + OFFSET;
    }
}
