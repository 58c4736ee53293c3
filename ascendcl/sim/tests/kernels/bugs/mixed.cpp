// Planted bugs on cube and vector cores together.
#include "planted.h"

constexpr uint16_t DONE = 1;
constexpr uint16_t AGAIN = 2;

__aicore__ inline LocalTensor<float> Ub()
{
    return Local(TPosition::VECCALC, 0);
}

// 16 by 16 sums in L0C, ready for Fixpipe.
__aicore__ inline LocalTensor<float> Product(GM_ADDR x)
{
    const LocalTensor<half> l1 = Local<half>(TPosition::A1, 0);
    const LocalTensor<half> a = Local<half>(TPosition::A2, 0);
    const LocalTensor<half> b = Local<half>(TPosition::B2, 0);
    const LocalTensor<float> c = Local(TPosition::CO1, 0);
    DataCopy(l1, Gm<half>(x), COUNT);
    Pass<HardEvent::MTE2_MTE1>();
    const LoadData2DParams load(0, 1, 1, 0, 0, false, 0);
    LoadData(a, l1, load);
    LoadData(b, l1, load);
    Pass<HardEvent::MTE1_M>();
    MmadParams params;
    params.m = 16;
    params.n = 16;
    params.k = 16;
    Mmad(c, a, b, params);
    Pass<HardEvent::M_FIX>();
    return c;
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

extern "C" __global__ __aicore__ void no_flag_from_cube_to_vector(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    if ASCEND_IS_AIC {
        Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), Product(x), Rows()); // EARLIER
        if (wrong == 0) {
            CrossCoreSetFlag<2, PIPE_FIX>(DONE);
        }
    }
    if ASCEND_IS_AIV {
        if (wrong == 0) {
            CrossCoreWaitFlag(DONE);
        }
        DataCopy(Ub(), Gm(y), COUNT); // BUG
    }
}

extern "C" __global__ __aicore__ void flag_of_the_wrong_pipe(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    // The flag says that MTE2 is done, not FIX.
    if ASCEND_IS_AIC {
        Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), Product(x), Rows()); // EARLIER
        if (wrong != 0) {
            CrossCoreSetFlag<2, PIPE_MTE2>(DONE);
        } else {
            CrossCoreSetFlag<2, PIPE_FIX>(DONE);
        }
    }
    if ASCEND_IS_AIV {
        CrossCoreWaitFlag(DONE);
        DataCopy(Ub(), Gm(y), COUNT); // BUG
    }
}

extern "C" __global__ __aicore__ void no_flag_from_vector_to_cube(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    if ASCEND_IS_AIC {
        if (wrong == 0) {
            CrossCoreWaitFlag(DONE);
        }
        DataCopy(Local<float>(TPosition::A1, 0), Gm(y), COUNT); // EARLIER
    }
    if ASCEND_IS_AIV {
        if (GetSubBlockIdx() == 0) {
            Duplicate(Ub(), 1.0f, COUNT);
            Pass<HardEvent::V_MTE3>();
            DataCopy(Gm(y), Ub(), COUNT); // BUG
        }
        if (wrong == 0) {
            CrossCoreSetFlag<2, PIPE_MTE3>(DONE);
        }
    }
}

extern "C" __global__ __aicore__ void no_flag_back_to_the_cube(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    // The cube core writes again what the vector cores may still read.
    if ASCEND_IS_AIC {
        const LocalTensor<float> c = Product(x);
        Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), c, Rows());
        CrossCoreSetFlag<2, PIPE_FIX>(DONE);
        if (wrong == 0) {
            CrossCoreWaitFlag(AGAIN);
        }
        PipeBarrier<PIPE_FIX>();
        Fixpipe<float, float, CFG_ROW_MAJOR>(Gm(y), c, Rows()); // EARLIER
    }
    if ASCEND_IS_AIV {
        CrossCoreWaitFlag(DONE);
        DataCopy(Ub(), Gm(y), COUNT); // BUG
        if (wrong == 0) {
            CrossCoreSetFlag<2, PIPE_MTE2>(AGAIN);
        }
    }
}

extern "C" __global__ __aicore__ void counter_overflow(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    const uint32_t times = wrong != 0 ? 16 : 15;
    if ASCEND_IS_AIC {
        for (uint32_t i = 0; i < times; ++i) {
            CrossCoreSetFlag<2, PIPE_FIX>(DONE); // BUG
        }
    }
    if ASCEND_IS_AIV {
        for (uint32_t i = 0; i < times; ++i) {
            CrossCoreWaitFlag(DONE);
        }
    }
}

extern "C" __global__ __aicore__ void deadlock_of_a_block(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    if ASCEND_IS_AIC {
        CrossCoreWaitFlag(DONE); // BUG
    }
    if ASCEND_IS_AIV {
        if (wrong == 0 || GetSubBlockIdx() == 0) {
            CrossCoreSetFlag<2, PIPE_MTE3>(DONE);
        }
    }
}

extern "C" __global__ __aicore__ void flag_number_too_large(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    const uint16_t flag = wrong != 0 ? 16 : 15;
    if ASCEND_IS_AIC {
        CrossCoreSetFlag<2, PIPE_FIX>(flag); // BUG
    }
    if ASCEND_IS_AIV {
        CrossCoreWaitFlag(wrong != 0 ? 0 : flag);
    }
}

extern "C" __global__ __aicore__ void flag_left_for_the_vector_cores(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    if ASCEND_IS_AIC {
        CrossCoreSetFlag<2, PIPE_FIX>(DONE); // BUG
    }
    if ASCEND_IS_AIV {
        if (wrong == 0) {
            CrossCoreWaitFlag(DONE);
        }
    }
}

extern "C" __global__ __aicore__ void flag_of_one_vector_core(GM_ADDR x, GM_ADDR y, uint32_t wrong)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    if ASCEND_IS_AIC {
        if (wrong == 0) {
            CrossCoreWaitFlag(DONE);
        }
    }
    if ASCEND_IS_AIV {
        if (wrong == 0 || GetSubBlockIdx() == 1) {
            CrossCoreSetFlag<2, PIPE_MTE3>(DONE); // BUG
        }
    }
}
