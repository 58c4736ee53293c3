// The families of vector functions that are no plain element-wise operations; part of vector.cpp.

static void Compares()
{
    const uint64_t two = AscendCModel::Bits(2.0f);
    BinaryRepeatParams strides {1, 2, 3, 4, 5, 6};
    Compare(At<uint8_t>(D), At<float>(A), At<float>(B), CMPMODE::LE, bits, 3, strides);
    Compare(At<uint8_t>(D), At<float>(A), At<float>(B), CMPMODE::LE, 64, 3, strides);
    Made(__LINE__, 2);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 2; ++i) {
        const auto v = Same(__LINE__, {VectorOp::Compare, DataType::U8, DataType::F32, Lanes(~0ull, ~0ull), 3, {1, 2, 3, 4, 5, 6}, A, B});
        CHECK(v.compare == 3 && v.dst == Ub(D));
    }
    // 300 repeats are two instructions, and what is no whole repeat is left out.
    Compare(At<int8_t>(D), At<half>(A), At<half>(B), CMPMODE::GT, 300 * 128 + 5);
    Made(__LINE__, 2);
    if (AscendCModel::IS_VECTOR) {
        CHECK(Same(__LINE__, {VectorOp::Compare, DataType::I8, DataType::F16, Lanes(~0ull, ~0ull), 252, {1, 1, 1, 8, 8, 8}, A, B}).compare == 1);
        CHECK(Same(__LINE__, {VectorOp::Compare, DataType::I8, DataType::F16, Lanes(~0ull, ~0ull), 48, {1, 1, 1, 8, 8, 8}, A + 252 * 256, B + 252 * 256}).dst == Ub(D + 252 * 16));
    }
    Compare(At<float>(A), At<float>(B), CMPMODE::NE, bits, strides);
    Compare(At<float>(A), At<float>(B), CMPMODE::NE, 16, strides);
    Made(__LINE__, 2);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 2; ++i) {
        const auto v = Same(__LINE__, {VectorOp::CompareMask, DataType::F32, DataType::F32, Lanes(i == 0 ? 0x0f0f : 0xffff, 0), 1, {1, 2, 3, 4, 5, 6}, A, B});
        CHECK(v.compare == 5 && v.dst == 0);
    }
    CompareScalar(At<uint8_t>(D), At<float>(A), 2.0f, CMPMODE::LT, bits, 3, {1, 2, 8, 16});
    CompareScalar(At<uint8_t>(D), At<float>(A), 2.0f, CMPMODE::LT, 64, 3, {1, 2, 8, 16});
    Compares(At<uint8_t>(D), At<float>(A), 2.0f, CMPMODE::LT, 64, 3, {1, 2, 8, 16});
    Compares(At<uint8_t>(D), At<float>(A), 2.0f, CMPMODE::LT, bits, 3, {1, 2, 8, 16});
    Made(__LINE__, 4);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 4; ++i) {
        CHECK(Same(__LINE__, {VectorOp::CompareScalar, DataType::U8, DataType::F32, Lanes(~0ull, ~0ull), 3, {1, 2, 0, 8, 16, 0}, A, 0, two}).compare == 0);
    }
    CompareScalar(At<uint8_t>(D), At<int32_t>(A), 2, CMPMODE::EQ, 128);
    Compares(At<uint8_t>(D), At<int32_t>(A), 2, CMPMODE::EQ, 128);
    Made(__LINE__, 2);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 2; ++i) {
        CHECK(Same(__LINE__, {VectorOp::CompareScalar, DataType::U8, DataType::I32, Lanes(~0ull, ~0ull), 2, {1, 1, 0, 8, 8, 0}, A, 0, 2}).compare == 2);
    }
    GetCmpMask(At<uint8_t>(D));
    SetCmpMask(At<uint8_t>(A));
    Made(__LINE__, 2);
    if (AscendCModel::IS_VECTOR) {
        CHECK(Next<AscendCModel::Vector>(__LINE__).dst == Ub(D));
        const auto load = Next<AscendCModel::Vector>(__LINE__);
        CHECK(load.op == static_cast<uint16_t>(VectorOp::LoadCompareMask) && load.src0 == Ub(A) && load.dst == 0);
    }
    // With a tensor of bits.
    Select(At<float>(D), At<uint8_t>(C), At<float>(A), At<float>(B), SELMODE::VSEL_TENSOR_TENSOR_MODE, bits, 3, strides);
    Select(At<float>(D), At<uint32_t>(C), At<float>(A), At<float>(B), SELMODE::VSEL_TENSOR_TENSOR_MODE, 64, 3, strides);
    Select(At<float>(D), At<uint8_t>(C), At<float>(A), At<float>(B), SELMODE::VSEL_TENSOR_TENSOR_MODE, 100);
    Made(__LINE__, 3);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 3; ++i) {
        const Mask mask = i == 0 ? Lanes(0x0f0f, 0) : i == 1 ? Lanes(~0ull, 0) : Count(100);
        Expected expected {VectorOp::Select, DataType::F32, DataType::F32, mask, 3, {1, 2, 3, 4, 5, 6}, A, B};
        if (i == 2) {
            expected = {VectorOp::Select, DataType::F32, DataType::F32, mask, 1, {1, 1, 1, 8, 8, 8}, A, B};
        }
        const auto v = Same(__LINE__, expected);
        CHECK(v.select == 2 && v.selection == Ub(C) && v.dst == Ub(D));
    }
    Select(At<float>(D), At<uint8_t>(C), At<float>(A), 2.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, bits, 3, strides);
    Select(At<float>(D), At<uint8_t>(C), At<float>(A), 2.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, 64, 3, strides);
    Select(At<float>(D), At<uint8_t>(C), At<float>(A), 2.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, 100);
    Made(__LINE__, 3);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 3; ++i) {
        const auto v = Next<AscendCModel::Vector>(__LINE__);
        CHECK(v.select == 1 && v.selection == Ub(C) && v.scalar == two && v.src0 == Ub(A) && v.src1 == 0);
        CHECK(v.mask.bits[0] == (i == 0 ? 0x0f0f : i == 1 ? ~0ull : 100) && v.mask.counter == (i == 2 ? 1u : 0u));
        CHECK(v.repeat == (i == 2 ? 1u : 3u));
    }
    // With the register: from a tensor, and as it is.
    Select(At<half>(D), At<uint8_t>(C), At<half>(A), At<half>(B), SELMODE::VSEL_CMPMASK_SPR, 256);
    Made(__LINE__, 2);
    if (AscendCModel::IS_VECTOR) {
        CHECK(Next<AscendCModel::Vector>(__LINE__).src0 == Ub(C));
        const auto v = Same(__LINE__, {VectorOp::Select, DataType::F16, DataType::F16, Count(256), 1, {1, 1, 1, 8, 8, 8}, A, B});
        CHECK(v.select == 0 && v.selection == 0);
    }
    SetVectorMask<half>(1, 2);
    Select<half, SELMODE::VSEL_CMPMASK_SPR>(At<half>(D), At<half>(A), At<half>(B), 4, strides);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        CHECK(Same(__LINE__, {VectorOp::Select, DataType::F16, DataType::F16, Lanes(2, 1), 4, {1, 2, 3, 4, 5, 6}, A, B}).select == 0);
}

static void Fills()
{
    Duplicate(At<float>(D), 2.0f, bits, 3, 2, 16);
    Duplicate(At<bfloat16_t>(D), bfloat16_t(2.0f), 128, 3, 1, 8);
    Duplicate(At<half>(D), half(2.0f), 50);
    Duplicate<int16_t>(At<int16_t>(D), 3, 50);
    CreateVecIndex(At<int32_t>(D), 5, 50);
    CreateVecIndex(At<float>(D), 5.0f, bits, 3, 2, 16);
    CreateVecIndex(At<float>(D), 5.0f, 64, 3, 2, 16);
    Made(__LINE__, 7);
    const VectorOp fill = VectorOp::Duplicate;
    const VectorOp index = VectorOp::Index;
    // A tensor that is not read has no strides and no address.
    if (AscendCModel::IS_VECTOR) {
        Same(__LINE__, {fill, DataType::F32, DataType::F32, Lanes(0x0f0f, 0), 3, {2, 0, 0, 16, 0, 0}, 0, 0, 0x40000000});
        Same(__LINE__, {fill, DataType::Bf16, DataType::Bf16, Lanes(~0ull, ~0ull), 3, {1, 0, 0, 8, 0, 0}, 0, 0, 0x4000});
        Same(__LINE__, {fill, DataType::F16, DataType::F16, Count(50), 1, {1, 0, 0, 8, 0, 0}, 0, 0, 0x4000});
        Same(__LINE__, {fill, DataType::I16, DataType::I16, Count(50), 1, {1, 0, 0, 8, 0, 0}, 0, 0, 3});
        Same(__LINE__, {index, DataType::I32, DataType::I32, Count(50), 1, {1, 0, 0, 8, 0, 0}, 0, 0, 5});
        Same(__LINE__, {index, DataType::F32, DataType::F32, Lanes(0x0f0f, 0), 3, {2, 0, 0, 16, 0, 0}, 0, 0, 0x40a00000});
        Same(__LINE__, {index, DataType::F32, DataType::F32, Lanes(~0ull, 0), 3, {2, 0, 0, 16, 0, 0}, 0, 0, 0x40a00000});
    }
    Brcb(At<uint32_t>(D), At<uint32_t>(A), 7, {2, 16});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR) {
        const auto b = Next<AscendCModel::BroadcastBlocks>(__LINE__);
        CHECK(b.data_type == static_cast<uint8_t>(DataType::U32) && b.repeat == 7 && b.dst == Ub(D) && b.src == Ub(A));
        CHECK(b.dst_block_stride == 2 && b.dst_repeat_stride == 16);
    }
}

static void Gathers()
{
    Gather(At<half>(D), At<half>(A), At<uint32_t>(B), 64, bits, 3, 16);
    Gather(At<half>(D), At<half>(A), At<uint32_t>(B), 64, 128, 3, 16);
    Gather(At<half>(D), At<half>(A), At<uint32_t>(B), 64, 50);
    Made(__LINE__, 3);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 3; ++i) {
        const auto g = Next<AscendCModel::Gather>(__LINE__);
        CHECK(g.mode == 0 && g.data_type == static_cast<uint8_t>(DataType::F16) && g.base == 64);
        CHECK(g.dst == Ub(D) && g.src == Ub(A) && g.offset == Ub(B) && g.dst_block_stride == 1);
        CHECK(g.repeat == (i == 2 ? 1u : 3u) && g.dst_repeat_stride == (i == 2 ? 8u : 16u));
        CHECK(g.mask.bits[0] == (i == 0 ? 0x0f0f : i == 1 ? ~0ull : 50) && g.mask.counter == (i == 2 ? 1u : 0u));
    }
    Gatherb(At<uint16_t>(D), At<uint16_t>(A), At<uint32_t>(B), 5, {0, 9});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR) {
        const auto g = Next<AscendCModel::Gather>(__LINE__);
        CHECK(g.mode == 1 && g.repeat == 5 && g.dst_block_stride == 1 && g.dst_repeat_stride == 9 && g.offset == Ub(B));
    }
    registers[static_cast<int>(AscendCModel::Register::RemainingCount)] = 42;
    uint64_t kept = 7;
    SetMaskCount();
    GatherMask(At<float>(D), At<float>(A), At<uint32_t>(B), true, 70, {1, 2, 8, 3}, kept);
    CHECK(kept == (AscendCModel::IS_VECTOR ? 42u : 0u));
    CHECK(AscendCModel::current.registers.mask.counter == 0);
    GatherMask(At<half>(D), At<half>(A), 7, false, 0, {2, 300, 16, 0}, kept);
    Made(__LINE__, 2);
    if (AscendCModel::IS_VECTOR) {
        const auto user = Next<AscendCModel::GatherMask>(__LINE__);
        CHECK(user.built_in == 0 && user.pattern == Ub(B) && user.reduce == 1 && user.count == 70 && user.repeat == 2);
        CHECK(user.src_block_stride == 1 && user.src_repeat_stride == 8 && user.pattern_repeat_stride == 3);
        CHECK(user.data_type == static_cast<uint8_t>(DataType::F32) && user.dst == Ub(D) && user.src == Ub(A));
        const auto fixed = Next<AscendCModel::GatherMask>(__LINE__);
        CHECK(fixed.built_in == 7 && fixed.pattern == 0 && fixed.reduce == 0 && fixed.repeat == 300);
        CHECK(fixed.src_block_stride == 2 && fixed.src_repeat_stride == 16);
    }
}

static void Layouts()
{
    Transpose(At<half>(D), At<half>(A));
    Transpose(At<uint16_t>(D), At<uint16_t>(A), At<uint8_t>(B), TransposeParamsExt(0, 0, 16, 16, TransposeType::TRANSPOSE_ND2ND_B16));
    Transpose(At<uint16_t>(D), At<uint16_t>(A), At<uint8_t>(B), TransposeParamsExt(0, 0, 16, 16, TransposeType::TRANSPOSE_TYPE_NONE));
    Made(__LINE__, 2);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 2; ++i) {
        const auto t = Next<AscendCModel::Transpose>(__LINE__);
        CHECK(t.dst == Ub(D) && t.src == Ub(A));
    }
    uint64_t dst_list[16];
    uint64_t src_list[16];
    LocalTensor<half> dst[16];
    LocalTensor<half> src[16];
    for (uint32_t i = 0; i < 16; ++i) {
        dst[i] = At<half>(D + 32 * i);
        src[i] = At<half>(A + 64 * i);
        dst_list[i] = AscendCModel::IS_VECTOR ? dst[i].GetPhyAddr() : 0;
        src_list[i] = AscendCModel::IS_VECTOR ? src[i].GetPhyAddr() : 0;
        At<uint64_t>(B).SetValue(i, dst_list[i]);
        At<uint64_t>(C).SetValue(i, src_list[i]);
    }
    TransDataTo5HD<half>(dst_list, src_list, {true, false, 4, 16, 1});
    TransDataTo5HD<half>(dst, src, {true, false, 4, 16, 1});
    TransDataTo5HD<half>(At<uint64_t>(B), At<uint64_t>(C), {true, false, 4, 16, 1});
    Made(__LINE__, 3);
    for (int k = 0; AscendCModel::IS_VECTOR && k < 3; ++k) {
        const auto t = Next<AscendCModel::TransposeRows>(__LINE__);
        CHECK(t.dst_high == 1 && t.src_high == 0 && t.repeat == 4 && t.dst_repeat_stride == 16 && t.src_repeat_stride == 1);
        for (int i = 0; i < 16; ++i) {
            CHECK(t.dst[i] == Ub(D + 32 * i) && t.src[i] == Ub(A + 64 * i));
        }
    }
    // A single repeat starts one stride behind the addresses.
    TransDataTo5HD<half>(dst, src, {false, false, 1, 2, 3});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR) {
        const auto t = Next<AscendCModel::TransposeRows>(__LINE__);
        CHECK(t.dst[0] == Ub(D + 64) && t.src[0] == Ub(A + 96) && t.dst_repeat_stride == 0 && t.src_repeat_stride == 0);
    }
}

// The expected fields of a Reduce instruction.
static void Reduced(int line, AscendCModel::ReduceOp op, AscendCModel::ReduceScope scope, ReduceOrder order, Mask mask,
    uint32_t repeat, uint32_t dst_repeat, uint32_t src_block, uint32_t src_repeat, uint64_t dst = D, uint64_t src = A)
{
    if (!AscendCModel::IS_VECTOR) {
        return;
    }
    const auto r = Next<AscendCModel::Reduce>(line);
    CHECK(r.op == static_cast<uint8_t>(op) && r.scope == static_cast<uint8_t>(scope));
    CHECK(r.order == static_cast<uint8_t>(order) && r.data_type == static_cast<uint8_t>(DataType::F32));
    CHECK(r.mask.bits[0] == mask.bits[0] && r.mask.bits[1] == mask.bits[1] && r.mask.counter == mask.counter);
    CHECK(r.repeat == repeat && r.dst == Ub(dst) && r.src == Ub(src) && r.dst_repeat_stride == dst_repeat);
    if (r.src_block_stride != src_block || r.src_repeat_stride != src_repeat) {
        std::printf("line %d: strides of the source %u %u\n", line, r.src_block_stride, r.src_repeat_stride);
        ++failures;
    }
}

static void Reductions()
{
    using AscendCModel::ReduceOp;
    using AscendCModel::ReduceScope;
    const auto d = At<float>(D);
    const auto a = At<float>(A);
    const auto work = At<float>(C);
    const Mask some = Lanes(0x0f0f, 0);
    const Mask first = Lanes(0xff, 0);
    const auto value = ReduceOrder::ORDER_ONLY_VALUE;

    WholeReduceMax(d, a, bits, 3, 4, 1, 8, ReduceOrder::ORDER_INDEX_VALUE);
    Reduced(__LINE__, ReduceOp::Max, ReduceScope::Repeat, ReduceOrder::ORDER_INDEX_VALUE, some, 3, 4, 1, 8);
    WholeReduceMax(d, a, 8, 3, 4, 1, 8);
    Reduced(__LINE__, ReduceOp::Max, ReduceScope::Repeat, ReduceOrder::ORDER_VALUE_INDEX, first, 3, 4, 1, 8);
    WholeReduceMin(d, a, 8, 3, 4, 1, 8, ReduceOrder::ORDER_ONLY_INDEX);
    Reduced(__LINE__, ReduceOp::Min, ReduceScope::Repeat, ReduceOrder::ORDER_ONLY_INDEX, first, 3, 4, 1, 8);
    WholeReduceMin(d, a, bits, 3, 4, 1, 8);
    Reduced(__LINE__, ReduceOp::Min, ReduceScope::Repeat, ReduceOrder::ORDER_VALUE_INDEX, some, 3, 4, 1, 8);
    WholeReduceSum(d, a, bits, 3, 4, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, some, 3, 4, 2, 16);
    WholeReduceSum(d, a, 8, 3, 4, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, first, 3, 4, 2, 16);
    RepeatReduceSum(d, a, 3, 8, 0, 2, 4, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, first, 3, 4, 2, 16);
    RepeatReduceSum(d, a, 3, bits, 0, 2, 4, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, some, 3, 4, 2, 16);
    SetVectorMask<float>(0, 6);
    WholeReduceSum<float, false>(d, a, MASK_PLACEHOLDER, 3, 4, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, Lanes(6, 0), 3, 4, 2, 16);

    BlockReduceSum(d, a, 3, 8, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Block, value, first, 3, 1, 2, 16);
    BlockReduceMax(d, a, 3, bits, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Max, ReduceScope::Block, value, some, 3, 1, 2, 16);
    BlockReduceMin(d, a, 3, 8, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Min, ReduceScope::Block, value, first, 3, 1, 2, 16);
    PairReduceSum(d, a, 3, bits, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Pair, value, some, 3, 1, 2, 16);
    SetVectorMask<float>(0, 6);
    BlockReduceSum<float, false>(d, a, 8, 0, 1, 1, 8);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Block, value, Lanes(6, 0), 8, 1, 1, 8);

    ReduceDataBlock<ReduceType::MIN>(d, a, 8, 3, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Min, ReduceScope::Block, value, first, 3, 1, 2, 16);
    ReduceDataBlock<ReduceType::SUM>(d, a, bits, 3, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Block, value, some, 3, 1, 2, 16);
    ReducePairElem<ReduceType::SUM>(d, a, 8, 3, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Pair, value, first, 3, 1, 2, 16);
    ReducePairElem<ReduceType::SUM>(d, a, bits, 3, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Pair, value, some, 3, 1, 2, 16);
    ReduceRepeat<ReduceType::MAX>(d, a, 8, 3, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Max, ReduceScope::Repeat, ReduceOrder::ORDER_VALUE_INDEX, first, 3, 1, 2, 16);
    ReduceRepeat<ReduceType::SUM>(d, a, bits, 3, 1, 2, 16);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, some, 3, 1, 2, 16);

    ReduceSum(d, a, work, 1000);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::All, value, Count(1000), 1, 0, 1, 8);
    // 300 repeats: 255 and 45 into the work tensor, then 300 sums in 5 repeats, then 5 sums.
    ReduceSum(d, a, work, 64, 300, 16);
    Made(__LINE__, 6);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, Lanes(~0ull, 0), 255, 1, 1, 16, C);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, Lanes(~0ull, 0), 45, 1, 1, 16, C + 255 * 4, A + 255 * 512);
    if (AscendCModel::IS_VECTOR) Next<AscendCModel::Barrier>(__LINE__);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, Count(300), 1, 1, 1, 8, C, C);
    if (AscendCModel::IS_VECTOR) Next<AscendCModel::Barrier>(__LINE__);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, Count(5), 1, 1, 1, 8, D, C);
    ReduceSum(d, a, work, bits, 1, 8);
    Reduced(__LINE__, ReduceOp::Sum, ReduceScope::Repeat, value, some, 1, 1, 1, 8);
    ReduceMax(d, a, work, 1000, true);
    Reduced(__LINE__, ReduceOp::Max, ReduceScope::All, ReduceOrder::ORDER_VALUE_INDEX, Count(1000), 1, 0, 1, 8);
    ReduceMin(d, a, work, 1000);
    Reduced(__LINE__, ReduceOp::Min, ReduceScope::All, value, Count(1000), 1, 0, 1, 8);
    ReduceMax(d, a, work, 8, 300, 16);
    Reduced(__LINE__, ReduceOp::Max, ReduceScope::All, value, first, 300, 0, 1, 16);
    ReduceMin(d, a, work, bits, 3, 8, true);
    Reduced(__LINE__, ReduceOp::Min, ReduceScope::All, ReduceOrder::ORDER_VALUE_INDEX, some, 3, 0, 1, 8);
    Made(__LINE__, 0);

    registers[static_cast<int>(AscendCModel::Register::ReduceMaxMin)] = AscendCModel::Bits(1.5f) | 9ull << 32;
    registers[static_cast<int>(AscendCModel::Register::ReduceSum)] = AscendCModel::Bits(2.5f);
    float largest = 0;
    float index = 0;
    GetReduceRepeatMaxMinSpr(largest, index);
    CHECK(!AscendCModel::IS_VECTOR || (largest == 1.5f && AscendCModel::Bits(index) == 9));
    largest = index = 0;
    GetReduceMaxMinCount<float>(largest, index);
    CHECK(!AscendCModel::IS_VECTOR || (largest == 1.5f && AscendCModel::Bits(index) == 9));
    largest = 0;
    GetReduceMaxMinCount(largest);
    CHECK(!AscendCModel::IS_VECTOR || largest == 1.5f);
    CHECK(!AscendCModel::IS_VECTOR || (GetReduceRepeatSumSpr<float>() == 2.5f && GetAccVal<float>() == 2.5f));
}

static void Sorts()
{
    Sort32(At<float>(D), At<float>(A), At<uint32_t>(B), 4);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR) {
        const auto s = Next<AscendCModel::Sort>(__LINE__);
        CHECK(s.repeat == 4 && s.dst == Ub(D) && s.src == Ub(A) && s.index == Ub(B));
        CHECK(s.data_type == static_cast<uint8_t>(DataType::F32));
    }
    const uint16_t lengths[4] = {10, 20, 30, 40};
    const MrgSortSrcList<half> lists(At<half>(A), At<half>(B), At<half>(C), LocalTensor<half>());
    MrgSort(At<half>(D), lists, MrgSort4Info(lengths, true, 7, 1));
    uint32_t used[4] = {};
    registers[static_cast<int>(AscendCModel::Register::MergeResult)] = 0x0004000300020001;
    MrgSort<half, true>(At<half>(D), lists, lengths, used, 7, 1);
    Made(__LINE__, 2);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 2; ++i) {
        const auto m = Next<AscendCModel::Merge>(__LINE__);
        CHECK(m.valid == 7 && m.exhausted == 1 && m.repeat == 1 && m.dst == Ub(D) && m.src[0] == Ub(A) && m.src[2] == Ub(C));
        CHECK(m.src[3] == 0 && m.length[0] == 10 && m.length[2] == 30 && m.length[3] == 0);
        CHECK(used[0] == 1 && used[3] == 4);
    }
    // 160 pairs: five lists of 32, then 128 and 32, then one.
    LocalTensor<float> concat;
    Concat(concat, At<float>(A), At<float>(C), 10);
    CHECK(concat.ModelAddress() == Ub(A));
    Sort<float, true>(At<float>(D), concat, At<uint32_t>(B), At<float>(C), 5);
    Made(__LINE__, 6);
    if (AscendCModel::IS_VECTOR) {
        CHECK(Next<AscendCModel::Sort>(__LINE__).dst == Ub(D));
        Next<AscendCModel::Barrier>(__LINE__);
        const auto four = Next<AscendCModel::Merge>(__LINE__);
        CHECK(four.valid == 15 && four.dst == Ub(C) && four.src[3] == Ub(D + 96 * 8) && four.length[3] == 32);
        const auto carried = Next<AscendCModel::Vector>(__LINE__);
        CHECK(carried.op == static_cast<uint16_t>(VectorOp::Copy) && carried.dst == Ub(C + 128 * 8));
        CHECK(carried.src0 == Ub(D + 128 * 8) && carried.mask.bits[0] == 64 && carried.mask.counter == 1);
        Next<AscendCModel::Barrier>(__LINE__);
        const auto two = Next<AscendCModel::Merge>(__LINE__);
        CHECK(two.valid == 3 && two.dst == Ub(D) && two.src[1] == Ub(C + 128 * 8));
        CHECK(two.length[0] == 128 && two.length[1] == 32);
    }
    Extract(At<half>(D), At<uint32_t>(B), At<half>(A), 3);
    Made(__LINE__, 2);
    if (AscendCModel::IS_VECTOR) {
        const auto scores = Next<AscendCModel::GatherMask>(__LINE__);
        CHECK(scores.built_in == 3 && scores.dst == Ub(D) && scores.src == Ub(A) && scores.repeat == 3);
        const auto indices = Next<AscendCModel::GatherMask>(__LINE__);
        CHECK(indices.built_in == 2 && indices.dst == Ub(B) && indices.data_type == static_cast<uint8_t>(DataType::U32));
    }
}

static void Operators()
{
    auto d = At<float>(D);
    auto logic = At<int16_t>(D);
    auto flags = At<uint8_t>(D);
    const auto a = At<float>(A);
    const auto b = At<float>(B);
    d = a + b;
    d = a - b;
    d = a * b;
    d = a / b;
    const VectorOp ops[] = {VectorOp::Add, VectorOp::Sub, VectorOp::Mul, VectorOp::Div};
    Made(__LINE__, 4);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 4; ++i) {
        Same(__LINE__, {ops[i], DataType::F32, DataType::F32, Count(256), 1, {1, 1, 1, 8, 8, 8}, A, B});
    }
    logic = At<int16_t>(A) & At<int16_t>(B);
    logic = At<int16_t>(A) | At<int16_t>(B);
    Made(__LINE__, 2);
    if (AscendCModel::IS_VECTOR) {
        Same(__LINE__, {VectorOp::And, DataType::I16, DataType::I16, Count(256), 1, {1, 1, 1, 8, 8, 8}, A, B});
        Same(__LINE__, {VectorOp::Or, DataType::I16, DataType::I16, Count(256), 1, {1, 1, 1, 8, 8, 8}, A, B});
    }
    flags = a < b;
    flags = a > b;
    flags = a == b;
    flags = a <= b;
    flags = a >= b;
    flags = a != b;
    Made(__LINE__, 6);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 6; ++i) {
        CHECK(Same(__LINE__, {VectorOp::Compare, DataType::U8, DataType::F32, Lanes(~0ull, ~0ull), 4, {1, 1, 1, 8, 8, 8}, A, B}).compare == i);
    }
}

/// A call that must end the kernel with a message, on a vector core.
template <typename F> static void Fails(int line, std::string_view message, F call)
{
    failed = {};
    bool ended = false;
    try {
        call();
    } catch (const AscendCModel::Ended&) {
        ended = true;
    }
    if (ended != AscendCModel::IS_VECTOR || (ended && failed.find(message) == std::string_view::npos)) {
        std::printf("line %d: not refused as it must be: %.*s\n", line, static_cast<int>(failed.size()), failed.data());
        ++failures;
    }
    taken = recorded.size();
}

static void Refusals()
{
    uint64_t kept = 0;
    Fails(__LINE__, "more than 128", [] { Abs(At<half>(D), At<half>(A), 129, 1, {1, 1, 8, 8}); });
    Fails(__LINE__, "EQ only", [] { CompareScalar(At<uint8_t>(D), At<int32_t>(A), 2, CMPMODE::LT, 64); });
    Fails(__LINE__, "CAST_HYBRID", [] { Cast(At<half>(D), At<float>(A), RoundMode::CAST_HYBRID, 64); });
    Fails(__LINE__, "patterns", [&] { GatherMask(At<half>(D), At<half>(A), 8, false, 0, {1, 1, 8, 0}, kept); });
    Fails(__LINE__, "takes a scalar", [] {
        Select(At<half>(D), At<uint8_t>(C), At<half>(A), At<half>(B), SELMODE::VSEL_TENSOR_SCALAR_MODE, 64);
    });
    Fails(__LINE__, "needs VSEL_TENSOR_SCALAR_MODE", [] {
        Select(At<half>(D), At<uint8_t>(C), At<half>(A), half(1), SELMODE::VSEL_CMPMASK_SPR, 64);
    });
    Fails(__LINE__, "TRANSPOSE_ND2ND_B16", [] {
        Transpose(At<half>(D), At<half>(A), At<uint8_t>(B), TransposeParamsExt(1, 16, 4, 4, TransposeType::TRANSPOSE_NZ2ND_0213));
    });
}
