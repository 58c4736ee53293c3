// Calls that must not compile, each for the reason that vector_headers.rs expects.
#include "ascendc_model/sync.h"
#include "ascendc_model/vector.h"

using namespace AscendC;

template <typename T> using Tensor = LocalTensor<T>;

void Kernel(Tensor<float> f, Tensor<half> h, Tensor<int16_t> i16, Tensor<int8_t> i8, Tensor<uint64_t> u64,
    Tensor<bfloat16_t> bf, Tensor<uint8_t> u8, Tensor<uint32_t> u32, uint64_t count)
{
    // Functions that the model or the architecture has not.
    BilinearInterpolation(h, h, u32, h, 16, 1, false, 1, 128, 1, u8);
    AbsSub(f, f, f, 8);
    Ands(i16, i16, 3, 8);
    DeInterleave(f, f, f, f);
    Divs(f, f, 2.0f, 8);
    ExpSub(f, f, f, 8);
    FusedAbsSub(f, f, f, 8);
    FusedExpSub(f, f, f, 8);
    Interleave(f, f, f, f);
    MrgSort4(h, h, h);
    Mull(u32, u32, u32, u32, 8);
    MulsCast(h, f, 2.0f, 8);
    Neg(f, f, 8);
    Ors(i16, i16, 3, 8);
    Prelu(f, f, f, 8);
    ProposalConcat(h, h, 1, 0);
    ProposalExtract(h, h, 1, 0);
    RpSort16(h, h, 1);
    Scatter(f, f, u32, 0, 8);
    Subs(f, f, 2.0f, 8);
    Truncate<float>(f, f, 8);
    VectorPadding(f, f, 0, false, 8);
    CastDequant(i8, i16, 16);
    SetDeqScale(u64, VdeqInfo());
    Select(f, u8, f, 1, BinaryRepeatParams());
    Select<float, SELMODE::VSEL_TENSOR_TENSOR_MODE>(f, f, f, 1, BinaryRepeatParams());
    // Types that the hardware does not compute with.
    Abs(i16, i16, 8);
    Add(bf, bf, bf, 8);
    Muls(u32, u32, 2, 8);
    Cast(bf, h, RoundMode::CAST_RINT, 8);
    MulAddDst(h, f, f, 8);
    Axpy(h, f, 1.0f, 8);
    Duplicate(i8, 1, 8);
    Brcb(u64, u64, 1, BrcbRepeatParams());
    Gather(u64, u64, u32, 0, 8);
    Gatherb(f, f, u32, 1, GatherRepeatParams());
    GatherMask(f, f, i16, false, 0, GatherMaskParams(), count);
    WholeReduceSum(i16, i16, 8, 1, 1, 1, 8);
    ReducePairElem<ReduceType::MAX>(f, f, 8, 1, 1, 1, 8);
    Compare(i16, f, f, CMPMODE::LT, 64);
    Select(i16, u8, i16, i16, SELMODE::VSEL_TENSOR_TENSOR_MODE, 8);
    Transpose(f, f);
    Sort32(i16, i16, u32, 1);
    TransDataTo5HD<uint64_t>(u64, u64, TransDataTo5HDParams());
}
