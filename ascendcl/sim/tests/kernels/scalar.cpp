// Kernels of scalar code only: what they get and what they leave.
#include "ascendc_model/core.h"

using AscendCModel::current;

struct Tiling {
    uint8_t small;
    uint64_t large;
    uint16_t array[3];
};

// Each block writes what it knows: 8 numbers.
extern "C" __global__ void describe(uint64_t* out, int32_t a, uint8_t b, int16_t c, double d, Tiling tiling, float e)
{
    const auto* view = current.view;
    uint64_t* mine = out + 8 * view->block_idx;
    mine[0] = view->block_num;
    mine[1] = static_cast<uint64_t>(static_cast<int64_t>(a));
    mine[2] = b;
    mine[3] = static_cast<uint64_t>(static_cast<int64_t>(c));
    mine[4] = static_cast<uint64_t>(d);
    mine[5] = tiling.small + tiling.large + tiling.array[2];
    mine[6] = static_cast<uint64_t>(e * 2);
    mine[7] = AscendCModel::IS_CUBE;
}

extern "C" __global__ void add_one(int32_t* values, uint32_t* count)
{
    for (uint32_t i = 0; i < *count; ++i) {
        values[i] += 1;
    }
}

// The two variants of an inline function must stay apart.
inline int Kind() { return AscendCModel::IS_CUBE ? 1 : 2; }

extern "C" __global__ void tell_cube(int32_t* out)
{
    AscendCModel::ExecuteCube(AscendCModel::Barrier {}, AscendCModel::Site { __FILE__, __LINE__, 0 });
    out[0] = Kind();
}

extern "C" __global__ void tell_vector_7(int32_t* out)
{
    out[1] = Kind();
}

extern "C" __global__ void fails(int32_t* out)
{
    out[0] = 1;
    AscendCModel::Fail("assertion `x > 0` failed", AscendCModel::Site { "scalar.cpp", 55, 0 });
}
