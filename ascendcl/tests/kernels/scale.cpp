// A kernel of scalar code: block b of n scales every n-th number from b on, and adds to it.
#include "ascendc_model/core.h"

struct Settings {
    uint32_t count;
    int32_t add;
};

extern "C" __global__ void scale(const float* from, float* to, float factor, Settings settings, uint16_t times)
{
    const auto* view = AscendCModel::current.view;
    for (uint32_t i = view->block_idx; i < settings.count; i += view->block_num) {
        to[i] = from[i] * factor * times + settings.add;
    }
}
