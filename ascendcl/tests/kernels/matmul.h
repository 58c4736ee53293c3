// What the kernels with a matrix product share: one tile of fp16 or int8 from global memory to L0C, where
// all of it fits at once.
#pragma once

#include "kernel_operator.h"

using namespace AscendC;

template <HardEvent EVENT> __aicore__ inline void Order()
{
    SetFlag<EVENT>(EVENT_ID0);
    WaitFlag<EVENT>(EVENT_ID0);
}

/// Rows of `columns` elements to fractals.
template <typename T>
__aicore__ inline void LoadFractals(const LocalTensor<T>& to, const GlobalTensor<T>& from, uint32_t rows, uint32_t columns)
{
    Nd2NzParams params;
    params.ndNum = 1;
    params.nValue = rows;
    params.dValue = columns;
    params.srcDValue = columns;
    params.dstNzC0Stride = rows;
    params.dstNzNStride = 1;
    DataCopy(to, from, params);
}

/// c[m, n] = a[m, k] * transposed b[n, k], with the bias of each column if the table has one.
template <typename T, typename R>
__aicore__ inline void Product(const LocalTensor<R>& c, const LocalTensor<T>& a, const LocalTensor<T>& b,
    const LocalTensor<R>& bias, bool biased, uint32_t m, uint32_t n, uint32_t k)
{
    constexpr uint32_t WIDTH = 32 / sizeof(T);
    LocalTensor<T> left(TPosition::A2, 0, m * k);
    LocalTensor<T> right(TPosition::B2, 0, n * k);
    LoadData2DParams params;
    // In L1 a column of fractals after the other, in L0A a row after the other.
    params.repeatTimes = k / WIDTH;
    params.srcStride = m / 16;
    for (uint32_t row = 0; row < m / 16; ++row) {
        params.startIndex = row;
        LoadData(left[row * 16 * k], a, params);
    }
    params.startIndex = 0;
    params.srcStride = 1;
    params.repeatTimes = n / 16 * (k / WIDTH);
    LoadData(right, b, params);
    Order<HardEvent::MTE1_M>();
    MmadParams product;
    product.m = m;
    product.n = n;
    product.k = k;
    product.cmatrixInitVal = !biased;
    if (biased) {
        Mmad(c, left, right, bias, product);
    } else {
        Mmad(c, left, right, product);
    }
    Order<HardEvent::M_FIX>();
}
