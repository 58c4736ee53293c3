// Planted bugs on cube cores.
#include "planted.h"

// One fractal of halves, and the 16 by 16 sums of floats that two of them make.
constexpr uint32_t FRACTAL = 256;

__aicore__ inline LocalTensor<half> L1(uint32_t byte)
{
    return Local<half>(TPosition::A1, byte);
}

__aicore__ inline LocalTensor<half> L0a(uint32_t byte)
{
    return Local<half>(TPosition::A2, byte);
}

__aicore__ inline LocalTensor<half> L0b(uint32_t byte)
{
    return Local<half>(TPosition::B2, byte);
}

__aicore__ inline LocalTensor<float> L0c(uint32_t byte)
{
    return Local(TPosition::CO1, byte);
}

__aicore__ inline LoadData2DParams Fractals(uint32_t count)
{
    return LoadData2DParams(0, count, 1, 0, 0, false, 0);
}

// 16 by 16 by 16, from zero or added to what is there.
__aicore__ inline MmadParams Square(bool from_zero)
{
    MmadParams params;
    params.m = 16;
    params.n = 16;
    params.k = 16;
    params.cmatrixInitVal = from_zero;
    return params;
}

__aicore__ inline FixpipeParamsV220 Rows()
{
    FixpipeParamsV220 params;
    params.nSize = 16;
    params.mSize = 16;
    params.srcStride = 16;
    params.dstStride = 16;
    return params;
}

// Both sides of a product, ready for the cube unit.
__aicore__ inline void Operands(GM_ADDR x)
{
    DataCopy(L1(0), Gm<half>(x), FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    LoadData(L0a(0), L1(0), Fractals(1));
    LoadData(L0b(0), L1(0), Fractals(1));
    Pass<HardEvent::MTE1_M>();
}

extern "C" __global__ __aicore__ void l1_out_of_bounds(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    constexpr uint32_t END = 512 * 1024;
    DataCopy(L1(wrong != 0 ? END - 32 : 0), Gm<half>(x), FRACTAL); // BUG
}

extern "C" __global__ __aicore__ void l0a_out_of_bounds(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), 2 * FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    constexpr uint32_t END = 64 * 1024;
    LoadData(L0a(wrong != 0 ? END - 512 : 0), L1(0), Fractals(2)); // BUG
}

extern "C" __global__ __aicore__ void l0b_out_of_bounds(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), 2 * FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    constexpr uint32_t END = 64 * 1024;
    LoadData(L0b(wrong != 0 ? END - 512 : 0), L1(0), Fractals(2)); // BUG
}

extern "C" __global__ __aicore__ void l0c_out_of_bounds(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Operands(x);
    LoadData(L0a(512), L1(0), Fractals(1));
    Pass<HardEvent::MTE1_M>();
    constexpr uint32_t END = 128 * 1024;
    MmadParams params = Square(true);
    params.m = 32;
    Mmad(L0c(wrong != 0 ? END - 1024 : 0), L0a(0), L0b(0), params); // BUG
}

extern "C" __global__ __aicore__ void bt_out_of_bounds(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    constexpr uint32_t END = 1024;
    DataCopy(Local(TPosition::C2, wrong != 0 ? END - 64 : 0), Local(TPosition::C1, 0), 32); // BUG
}

extern "C" __global__ __aicore__ void gm_out_of_bounds_of_fixpipe(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Operands(x);
    Mmad(L0c(0), L0a(0), L0b(0), Square(true));
    Pass<HardEvent::M_FIX>();
    Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y)[wrong != 0 ? GM_COUNT - 128 : 0], L0c(0), Rows()); // BUG
}

extern "C" __global__ __aicore__ void l0a_misaligned(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    LoadData(L0a(wrong != 0 ? 256 : 0), L1(0), Fractals(1)); // BUG
}

extern "C" __global__ __aicore__ void l1_not_written(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), wrong != 0 ? FRACTAL : 2 * FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    LoadData(L0a(0), L1(0), Fractals(2)); // BUG
}

extern "C" __global__ __aicore__ void l0c_not_written(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    if (wrong == 0) {
        Operands(x);
        Mmad(L0c(0), L0a(0), L0b(0), Square(true));
        Pass<HardEvent::M_FIX>();
    }
    Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), L0c(0), Rows()); // BUG
}

extern "C" __global__ __aicore__ void l0c_added_to_but_not_written(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Operands(x);
    Mmad(L0c(0), L0a(0), L0b(0), Square(wrong == 0)); // BUG
}

extern "C" __global__ __aicore__ void no_flag_mte2_mte1(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), FRACTAL); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::MTE2_MTE1>();
    }
    LoadData(L0a(0), L1(0), Fractals(1)); // BUG
}

extern "C" __global__ __aicore__ void no_flag_mte1_mte2(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    LoadData(L0a(0), L1(0), Fractals(1)); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::MTE1_MTE2>();
    }
    DataCopy(L1(0), Gm<half>(x), FRACTAL); // BUG
}

extern "C" __global__ __aicore__ void no_flag_mte1_m(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    DataCopy(L1(0), Gm<half>(x), FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    LoadData(L0b(0), L1(0), Fractals(1));
    Pass<HardEvent::MTE1_M>();
    LoadData(L0a(0), L1(0), Fractals(1)); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::MTE1_M>();
    }
    Mmad(L0c(0), L0a(0), L0b(0), Square(true)); // BUG
}

extern "C" __global__ __aicore__ void no_flag_m_mte1(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Operands(x);
    Mmad(L0c(0), L0a(0), L0b(0), Square(true)); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::M_MTE1>();
    }
    LoadData(L0a(0), L1(0), Fractals(1)); // BUG
}

extern "C" __global__ __aicore__ void no_flag_m_fix(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Operands(x);
    Mmad(L0c(0), L0a(0), L0b(0), Square(true)); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::M_FIX>();
    }
    Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), L0c(0), Rows()); // BUG
}

extern "C" __global__ __aicore__ void no_flag_fix_m(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Operands(x);
    Mmad(L0c(0), L0a(0), L0b(0), Square(true));
    Pass<HardEvent::M_FIX>();
    Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), L0c(0), Rows()); // EARLIER
    if (wrong == 0) {
        Pass<HardEvent::FIX_M>();
    }
    Mmad(L0c(0), L0a(0), L0b(0), Square(true)); // BUG
}

extern "C" __global__ __aicore__ void no_barrier_m(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Operands(x);
    Mmad(L0c(0), L0a(0), L0b(0), Square(true)); // EARLIER
    if (wrong == 0) {
        PipeBarrier<PIPE_M>();
    }
    Mmad(L0c(0), L0a(0), L0b(0), Square(false)); // BUG
}

extern "C" __global__ __aicore__ void l1_overlap(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    TPipe pipe;
    TBuf<TPosition::A1> one;
    TBuf<TPosition::B1> two;
    pipe.InitBuffer(one, BYTES); // EARLIER
    if (wrong != 0) {
        pipe.Init();
    } else {
        pipe.Reset();
    }
    pipe.InitBuffer(two, BYTES); // BUG
}

extern "C" __global__ __aicore__ void l0a_overlap(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    TPipe pipe;
    TBuf<TPosition::A2> one;
    TBuf<TPosition::A2> two;
    pipe.InitBuffer(one, BYTES); // EARLIER
    if (wrong != 0) {
        pipe.Init();
    } else {
        pipe.Reset();
    }
    pipe.InitBuffer(two, BYTES); // BUG
}

extern "C" __global__ __aicore__ void l0c_overlap(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    TPipe pipe;
    TBuf<TPosition::CO1> one;
    TBuf<TPosition::CO1> two;
    pipe.InitBuffer(one, BYTES); // EARLIER
    if (wrong != 0) {
        pipe.Init();
    } else {
        pipe.Reset();
    }
    pipe.InitBuffer(two, BYTES); // BUG
}

extern "C" __global__ __aicore__ void l1_row_count_too_large(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    Nd2NzParams params;
    params.ndNum = 1;
    params.nValue = wrong != 0 ? 16385 : 16;
    params.dValue = 16;
    params.srcDValue = 16;
    params.dstNzC0Stride = 16;
    params.dstNzNStride = 1;
    DataCopy(L1(0), Gm<half>(x), params); // BUG
}

extern "C" __global__ __aicore__ void l1_rows_that_fill_no_fractal(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    // Right in both cases: the rest of a fractal of few rows goes to L0A as it is, and is not used there.
    const uint32_t rows = wrong != 0 ? 1 : 5;
    DataCopy(L1(0), Gm<half>(x), rows * 16);
    DataCopy(L1(512), Gm<half>(x), FRACTAL);
    Pass<HardEvent::MTE2_MTE1>();
    LoadData(L0a(0), L1(0), Fractals(1));
    LoadData(L0b(0), L1(512), Fractals(1));
    Pass<HardEvent::MTE1_M>();
    MmadParams product = Square(true);
    product.m = rows;
    Mmad(L0c(0), L0a(0), L0b(0), product);
    Pass<HardEvent::M_FIX>();
    FixpipeParamsV220 out = Rows();
    out.mSize = rows;
    Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), L0c(0), out);
}
