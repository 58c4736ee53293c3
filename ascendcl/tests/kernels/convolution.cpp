// A convolution as a matrix product: 16 channels of an 8 x 8 map, 3 x 3 filters, a border of zeros. LoadData 3D brings
// each place's window into a row of the left matrix, k = (filter row, filter column, channel).
#include "matmul.h"

constexpr uint32_t SIDE = 8;
constexpr uint32_t CHANNELS = 16;
constexpr uint32_t M = SIDE * SIDE;
constexpr uint32_t N = 16;
constexpr uint32_t K = 9 * CHANNELS;

extern "C" __global__ __aicore__ void convolution(GM_ADDR map, GM_ADDR filters, GM_ADDR y)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    GlobalTensor<half> from_map, from_filters;
    GlobalTensor<float> to;
    from_map.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(map), M * CHANNELS);
    from_filters.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(filters), N * K);
    to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y), M * N);
    LocalTensor<half> pixels(TPosition::A1, 0, M * CHANNELS);
    LocalTensor<half> weights(TPosition::B1, M * CHANNELS * sizeof(half), N * K);
    LocalTensor<half> left(TPosition::A2, 0, M * K);
    LocalTensor<half> right(TPosition::B2, 0, N * K);
    LocalTensor<float> sums(TPosition::CO1, 0, M * N);
    DataCopy(pixels, from_map, M * CHANNELS);
    LoadFractals(weights, from_filters, N, K);
    Order<HardEvent::MTE2_MTE1>();
    LoadData3DParamsV2<half> windows;
    for (uint8_t side = 0; side < 4; ++side) {
        windows.padList[side] = 1;
    }
    windows.l1H = SIDE;
    windows.l1W = SIDE;
    windows.channelSize = CHANNELS;
    windows.kExtension = K;
    windows.mExtension = M;
    windows.filterW = 3;
    windows.filterH = 3;
    LoadData(left, pixels, windows);
    LoadData2DParams params;
    params.repeatTimes = N / 16 * (K / 16);
    params.srcStride = 1;
    LoadData(right, weights, params);
    Order<HardEvent::MTE1_M>();
    MmadParams product;
    product.m = M;
    product.n = N;
    product.k = K;
    Mmad(sums, left, right, product);
    Order<HardEvent::M_FIX>();
    FixpipeParamsV220 out;
    out.nSize = N;
    out.mSize = M;
    out.srcStride = M;
    out.dstStride = N;
    Fixpipe(to, sums, out);
}
