// Calls every vector function with a model that records instructions, and compares their fields with what the
// documents say of the call. On a cube core every call must vanish.
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "ascendc_model/sync.h"
#include "ascendc_model/vector.h"

using namespace AscendC;
using AscendCModel::DataType;
using AscendCModel::Kind;
using AscendCModel::Mask;
using AscendCModel::VectorOp;

static int failures = 0;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            std::printf("line %d: %s\n", __LINE__, #condition);                                              \
            ++failures;                                                                                      \
        }                                                                                                    \
    } while (false)

// The recording model.

struct Recorded {
    Kind kind;
    std::vector<uint8_t> bytes;
    AscendCModel::Site site;
};
static std::vector<Recorded> recorded;
static std::string_view failed;
static uint64_t registers[16];

template <typename I> static void Keep(const void* instruction, AscendCModel::Site site)
{
    const auto* bytes = static_cast<const uint8_t*>(instruction);
    recorded.push_back({static_cast<Kind>(bytes[0]), std::vector<uint8_t>(bytes, bytes + sizeof(I)), site});
}

static int32_t RecordInstruction(void*, const void* instruction, AscendCModel::Site site)
{
    switch (static_cast<Kind>(*static_cast<const uint16_t*>(instruction))) {
    case Kind::Vector: Keep<AscendCModel::Vector>(instruction, site); break;
    case Kind::Reduce: Keep<AscendCModel::Reduce>(instruction, site); break;
    case Kind::Gather: Keep<AscendCModel::Gather>(instruction, site); break;
    case Kind::GatherMask: Keep<AscendCModel::GatherMask>(instruction, site); break;
    case Kind::BroadcastBlocks: Keep<AscendCModel::BroadcastBlocks>(instruction, site); break;
    case Kind::Transpose: Keep<AscendCModel::Transpose>(instruction, site); break;
    case Kind::TransposeRows: Keep<AscendCModel::TransposeRows>(instruction, site); break;
    case Kind::Sort: Keep<AscendCModel::Sort>(instruction, site); break;
    case Kind::Merge: Keep<AscendCModel::Merge>(instruction, site); break;
    case Kind::Barrier: Keep<AscendCModel::Barrier>(instruction, site); break;
    default: std::printf("an instruction of an unexpected kind\n"); std::exit(1);
    }
    return 0;
}
static int32_t Access(void*, uint64_t, uint32_t, uint32_t, AscendCModel::Site) { return 0; }
static uint64_t Read(void*, uint32_t reg) { return registers[reg]; }
static int32_t RecordFailure(void*, const char* text, uint64_t length, AscendCModel::Site)
{
    failed = std::string_view(text, length);
    return 0;
}

// What a call made: the next instruction, as its structure.
static size_t taken = 0;
template <typename I> static I Next(int line)
{
    I instruction;
    if (taken >= recorded.size() || recorded[taken].kind != static_cast<Kind>(instruction.kind)) {
        std::printf("line %d: no such instruction\n", line);
        ++failures;
        taken = recorded.size();
        return instruction;
    }
    std::memcpy(static_cast<void*>(&instruction), recorded[taken].bytes.data(), sizeof(I));
    CHECK(instruction.pipe == static_cast<uint8_t>(AscendCModel::Pipe::Vector));
    // The call is on the line, or a few above; operators of C++ do not know theirs.
    const uint32_t site = recorded[taken].site.line;
    if (site != 0 && (site > static_cast<uint32_t>(line) || site + 12 < static_cast<uint32_t>(line))) {
        std::printf("line %d: the call is said to be on line %u\n", line, site);
        ++failures;
    }
    ++taken;
    return instruction;
}

/// The last call must have made `count` instructions, none of which was looked at.
static void Made(int line, size_t count)
{
    if (AscendCModel::IS_CUBE) {
        count = 0;
    }
    if (recorded.size() - taken != count) {
        std::printf("line %d: %zu instructions, not %zu\n", line, recorded.size() - taken, count);
        ++failures;
        taken = recorded.size();
    }
}

constexpr uint64_t D = 0x1000;
constexpr uint64_t A = 0x2000;
constexpr uint64_t B = 0x3000;
constexpr uint64_t C = 0x4000;
static uint64_t Ub(uint64_t offset) { return AscendCModel::LocalAddress(AscendCModel::Space::UB, offset); }
template <typename T> static LocalTensor<T> At(uint64_t offset)
{
    return LocalTensor<T>(TPosition::VECCALC, static_cast<uint32_t>(offset), 256);
}

// The expected fields of a Vector instruction.
struct Expected {
    VectorOp op;
    DataType dst;
    DataType src;
    Mask mask;
    uint32_t repeat = 1;
    uint32_t strides[6] = {};
    uint64_t src0 = A;
    uint64_t src1 = 0;
    uint64_t scalar = 0;
};

static AscendCModel::Vector Same(int line, const Expected& e)
{
    const auto v = Next<AscendCModel::Vector>(line);
    const bool same = v.op == static_cast<uint16_t>(e.op) && v.dst_type == static_cast<uint8_t>(e.dst)
        && v.src_type == static_cast<uint8_t>(e.src) && v.mask.bits[0] == e.mask.bits[0]
        && v.mask.bits[1] == e.mask.bits[1] && v.mask.counter == e.mask.counter && v.repeat == e.repeat
        && v.dst_block_stride == e.strides[0] && v.src0_block_stride == e.strides[1]
        && v.src1_block_stride == e.strides[2] && v.dst_repeat_stride == e.strides[3]
        && v.src0_repeat_stride == e.strides[4] && v.src1_repeat_stride == e.strides[5]
        && v.src0 == (e.src0 != 0 ? Ub(e.src0) : 0) && v.src1 == (e.src1 != 0 ? Ub(e.src1) : 0)
        && v.scalar == e.scalar;
    if (!same) {
        std::printf("line %d: op %u types %u %u mask %llx %llx %u repeat %u strides %u %u %u %u %u %u scalar %llx\n", line,
            v.op, v.dst_type, v.src_type, static_cast<unsigned long long>(v.mask.bits[0]),
            static_cast<unsigned long long>(v.mask.bits[1]), v.mask.counter, v.repeat, v.dst_block_stride,
            v.src0_block_stride, v.src1_block_stride, v.dst_repeat_stride, v.src0_repeat_stride, v.src1_repeat_stride,
            static_cast<unsigned long long>(v.scalar));
        ++failures;
    }
    return v;
}

constexpr Mask Lanes(uint64_t low, uint64_t high) { return {{low, high}, 0, 0}; }
constexpr Mask Count(uint64_t count) { return {{count, 0}, 1, 0}; }

static uint64_t bits[2] = {0x0f0f, 0xf0f0};
template <typename T> constexpr uint64_t HIGH = sizeof(T) == 2 ? 0xf0f0 : 0;

#define UNARY(Name, T)                                                                                       \
    Name(At<T>(D), At<T>(A), bits, 3, {1, 2, 8, 16});                                                        \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        CHECK(Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Lanes(0x0f0f, HIGH<T>), 3, {1, 2, 0, 8, 16, 0}}).dst == Ub(D)); \
    Name(At<T>(D), At<T>(A), 20, 300, {1, 1, 8, 256});                                                       \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Lanes(0xfffff, 0), 300, {1, 1, 0, 8, 256, 0}});    \
    Name(At<T>(D), At<T>(A), 1000);                                                                          \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Count(1000), 1, {1, 1, 0, 8, 8, 0}});              \
    SetVectorMask<T>(5, 9);                                                                                  \
    Name<T, false>(At<T>(D), At<T>(A), MASK_PLACEHOLDER, 1, {1, 1, 8, 8});                                   \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Lanes(9, 5), 1, {1, 1, 0, 8, 8, 0}})

template <typename T> constexpr DataType type = AscendCModel::DataTypeOf<T>;

#define BINARY_AS(Name, Op, T, U)                                                                            \
    Name(At<T>(D), At<U>(A), At<U>(B), bits, 3, {1, 2, 3, 8, 16, 24});                                       \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        CHECK(Same(__LINE__, {VectorOp::Op, type<T>, type<U>, Lanes(0x0f0f, sizeof(T) < 4 && sizeof(U) < 4 ? 0xf0f0 : 0), 3, {1, 2, 3, 8, 16, 24}, A, B, scale}).dst == Ub(D)); \
    Name(At<T>(D), At<U>(A), At<U>(B), 128, 2, {1, 1, 1, 8, 8, 8});                                          \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Op, type<T>, type<U>, Lanes(~0ull, ~0ull), 2, {1, 1, 1, 8, 8, 8}, A, B, scale}); \
    SetMaskCount();                                                                                          \
    SetVectorMask<T, MaskMode::COUNTER>(77);                                                                 \
    Name<BINARY_TYPES(T, U) false>(At<T>(D), At<U>(A), At<U>(B), MASK_PLACEHOLDER, 1, {1, 1, 1, 8, 8, 8});   \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Op, type<T>, type<U>, Count(77), 1, {1, 1, 1, 8, 8, 8}, A, B, scale});     \
    SetMaskNorm();                                                                                           \
    ResetMask();                                                                                             \
    Name(At<T>(D), At<U>(A), At<U>(B), 100);                                                                 \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Op, type<T>, type<U>, Count(100), 1, {1, 1, 1, stride<T, U>, stride<U, T>, stride<U, T>}, A, B, scale})

/// Blocks of a repeat of tensors of T beside those of U.
template <typename T, typename U>
constexpr uint32_t stride = 8 * sizeof(T) / (sizeof(T) > sizeof(U) ? sizeof(T) : sizeof(U));

static uint64_t scale = 0;

static void Binary()
{
#define BINARY_TYPES(T, U) T,
#define BINARY(Name, T) BINARY_AS(Name, Name, T, T)
    BINARY(Add, half);
    BINARY(Add, float);
    BINARY(Add, int16_t);
    BINARY(Add, int32_t);
    BINARY(Sub, float);
    BINARY(Mul, int32_t);
    BINARY(Div, half);
    BINARY(Max, float);
    BINARY(Min, half);
    BINARY(And, uint16_t);
    BINARY(Or, int16_t);
    BINARY(AddRelu, float);
    BINARY(SubRelu, half);
    BINARY(FusedMulAdd, float);
    BINARY(FusedMulAddRelu, half);
    BINARY_AS(MulAddRelu, FusedMulAddRelu, float, float);
#undef BINARY_TYPES
#define BINARY_TYPES(T, U) T, U,
    BINARY_AS(MulAddDst, MulAddDst, float, half);
    BINARY_AS(MulAddDst, MulAddDst, half, half);
    BINARY_AS(MulCast, MulCast, int8_t, half);
    BINARY_AS(MulCast, MulCast, uint8_t, half);
    BINARY_AS(AddReluCast, AddReluCast, int8_t, int16_t);
    BINARY_AS(AddReluCast, AddReluCast, half, float);
    BINARY_AS(SubReluCast, SubReluCast, int8_t, half);
    SetDeqScale(half(0.5f));
    scale = 0x3800;
    BINARY_AS(AddDeqRelu, AddDeqRelu, half, int32_t);
    AddDeqRelu<true>(At<half>(D), At<int32_t>(A), At<int32_t>(B), 64, 1, BinaryRepeatParams(1, 1, 1, 4, 8, 8));
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        Same(__LINE__, {VectorOp::AddDeqRelu, DataType::F16, DataType::I32, Lanes(~0ull, 0), 1, {1, 1, 1, 4, 8, 8}, A, B, scale});
    scale = 0;
}

static void Unary()
{
    UNARY(Abs, half);
    UNARY(Abs, float);
    UNARY(Relu, int32_t);
    UNARY(Exp, half);
    UNARY(Ln, float);
    UNARY(Sqrt, half);
    UNARY(Rsqrt, float);
    UNARY(Reciprocal, half);
    UNARY(Not, uint16_t);
}

#define SCALAR(Name, T, s)                                                                                   \
    scale = AscendCModel::Bits<T>(s);                                                                        \
    Name(At<T>(D), At<T>(A), s, bits, 3, {1, 2, 8, 16});                                                     \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        CHECK(Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Lanes(0x0f0f, HIGH<T>), 3, {1, 2, 0, 8, 16, 0}, A, 0, scale}).round == 0); \
    Name<T>(At<T>(D), At<T>(A), s, 7, 2, {1, 1, 8, 8});                                                      \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Lanes(0x7f, 0), 2, {1, 1, 0, 8, 8, 0}, A, 0, scale}); \
    Name<T, T>(At<T>(D), At<T>(A), s, 90);                                                                   \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Count(90), 1, {1, 1, 0, 8, 8, 0}, A, 0, scale});   \
    SetMaskCount();                                                                                          \
    SetVectorMask<T, MaskMode::COUNTER>(0, 33);                                                              \
    Name<T, false>(At<T>(D), At<T>(A), s, 1);                                                                \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Count(33), 1, {1, 1, 0, 8, 8, 0}, A, 0, scale});   \
    Name<T, T, true>(At<T>(D), At<T>(A), s, bits, 1, {1, 1, 8, 8});                                          \
    Made(__LINE__, 1);                                                                                       \
    if (AscendCModel::IS_VECTOR)                                                                             \
        Same(__LINE__, {VectorOp::Name, type<T>, type<T>, Count(0x0f0f), 1, {1, 1, 0, 8, 8, 0}, A, 0, scale}); \
    SetMaskNorm();                                                                                           \
    ResetMask()

static void Scalar()
{
    SCALAR(Adds, half, half(2));
    SCALAR(Adds, int16_t, -2);
    SCALAR(Muls, float, 0.5f);
    SCALAR(Maxs, int32_t, -7);
    SCALAR(Mins, half, half(-1));
    SCALAR(LeakyRelu, float, 0.1f);
    SCALAR(ShiftLeft, uint32_t, 3u);
    SCALAR(ShiftRight, int16_t, 4);
    ShiftRight(At<int32_t>(D), At<int32_t>(A), 4, 64, 1, {1, 1, 8, 8}, true);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        CHECK(Same(__LINE__, {VectorOp::ShiftRight, DataType::I32, DataType::I32, Lanes(~0ull, 0), 1, {1, 1, 0, 8, 8, 0}, A, 0, 4}).round == 1);
    ShiftRight(At<int32_t>(D), At<int32_t>(A), 4, bits, 1, {1, 1, 8, 8}, true);
    ShiftRight<int32_t, int32_t>(At<int32_t>(D), At<int32_t>(A), 4, bits, 1, {1, 1, 8, 8}, true);
    Made(__LINE__, 2);
    taken = recorded.size();
    Axpy(At<float>(D), At<half>(A), half(2), 64, 5, {1, 1, 8, 4});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        Same(__LINE__, {VectorOp::Axpy, DataType::F32, DataType::F16, Lanes(~0ull, 0), 5, {1, 1, 0, 8, 4, 0}, A, 0, 0x40000000});
    Axpy(At<half>(D), At<half>(A), half(2), bits, 5, {1, 1, 8, 8});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        Same(__LINE__, {VectorOp::Axpy, DataType::F16, DataType::F16, Lanes(0x0f0f, 0xf0f0), 5, {1, 1, 0, 8, 8, 0}, A, 0, 0x4000});
    Axpy(At<float>(D), At<half>(A), half(2), 100);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        Same(__LINE__, {VectorOp::Axpy, DataType::F32, DataType::F16, Count(100), 1, {1, 1, 0, 8, 4, 0}, A, 0, 0x40000000});
}

template <typename T, typename U> static void CastCount(RoundMode mode, uint32_t dst_stride, uint32_t src_stride)
{
    Cast(At<T>(D), At<U>(A), mode, 96);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        CHECK(Same(__LINE__, {VectorOp::Cast, type<T>, type<U>, Count(96), 1, {1, 1, 0, dst_stride, src_stride, 0}}).round == static_cast<uint8_t>(mode));
}

static void Casts()
{
    CastCount<float, half>(RoundMode::CAST_NONE, 8, 4);
    CastCount<half, float>(RoundMode::CAST_ODD, 4, 8);
    CastCount<int8_t, half>(RoundMode::CAST_ROUND, 4, 8);
    CastCount<int4b_t, half>(RoundMode::CAST_CEIL, 2, 8);
    CastCount<half, int4b_t>(RoundMode::CAST_NONE, 8, 2);
    CastCount<int64_t, int32_t>(RoundMode::CAST_NONE, 8, 4);
    CastCount<float, float>(RoundMode::CAST_FLOOR, 8, 8);
    CastCount<bfloat16_t, float>(RoundMode::CAST_RINT, 4, 8);
    Cast(At<int32_t>(D), At<half>(A), RoundMode::CAST_TRUNC, 64, 8, {1, 1, 8, 4});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        CHECK(Same(__LINE__, {VectorOp::Cast, DataType::I32, DataType::F16, Lanes(~0ull, 0), 8, {1, 1, 0, 8, 4, 0}}).round == 5);
    Cast(At<half>(D), At<uint8_t>(A), RoundMode::CAST_NONE, bits, 8, {1, 1, 8, 4});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        Same(__LINE__, {VectorOp::Cast, DataType::F16, DataType::U8, Lanes(0x0f0f, 0xf0f0), 8, {1, 1, 0, 8, 4, 0}});
    SetVectorMask<half>(0, 6);
    Cast<float, half, false>(At<float>(D), At<half>(A), RoundMode::CAST_NONE, MASK_PLACEHOLDER, 1, {1, 1, 8, 4});
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR)
        Same(__LINE__, {VectorOp::Cast, DataType::F32, DataType::F16, Lanes(6, 0), 1, {1, 1, 0, 8, 4, 0}});
    SetDeqScale(half(1.0f));
    const Expected dequantized {VectorOp::Cast, DataType::F16, DataType::I32, Count(10), 1, {1, 1, 0, 4, 8, 0}, A, 0, 0x3c00};
    Cast(At<half>(D), At<int32_t>(A), RoundMode::CAST_NONE, 10);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR) Same(__LINE__, dequantized);
    CastDequant(At<half>(D), At<int32_t>(A), 10);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR) Same(__LINE__, dequantized);
    CastDeq(At<half>(D), At<int32_t>(A), 10);
    Made(__LINE__, 1);
    if (AscendCModel::IS_VECTOR) Same(__LINE__, dequantized);
    CastDequant(At<half>(D), At<int32_t>(A), 64, 2, {1, 1, 4, 8});
    CastDequant(At<half>(D), At<int32_t>(A), bits, 2, {1, 1, 4, 8});
    CastDeq(At<half>(D), At<int32_t>(A), 64, 2, {1, 1, 4, 8});
    CastDeq(At<half>(D), At<int32_t>(A), bits, 2, {1, 1, 4, 8});
    Made(__LINE__, 4);
    for (int i = 0; AscendCModel::IS_VECTOR && i < 4; ++i) {
        Same(__LINE__, {VectorOp::Cast, DataType::F16, DataType::I32, Lanes(i % 2 == 0 ? ~0ull : 0x0f0f, 0), 2, {1, 1, 0, 4, 8, 0}, A, 0, 0x3c00});
    }
    SetDeqScale(1.0f, -1, true);
    CHECK(AscendCModel::current.registers.deq_scale == (0x3f800000ull | 0x1ffull << 37 | 1ull << 46));
}

#include "vector_more.h"

int main()
{
    AscendCModel::Model model {};
    model.execute = RecordInstruction;
    model.scalar_access = Access;
    model.read_register = Read;
    model.fail = RecordFailure;
    AscendCModel::CoreView view {};
    view.model = &model;
    // The local memories are empty, except UB of vector cores.
    static uint8_t* const memory = static_cast<uint8_t*>(std::aligned_alloc(1 << 20, 1 << 20));
    std::memset(memory, 0, 1 << 20);
    if (AscendCModel::IS_VECTOR) {
        view.base[static_cast<int>(AscendCModel::Space::UB)] = memory;
        view.size[static_cast<int>(AscendCModel::Space::UB)] = 192 << 10;
    }
    AscendCModel::current.view = &view;
    Unary();
    Binary();
    Scalar();
    Casts();
    Compares();
    Fills();
    Gathers();
    Layouts();
    Reductions();
    Sorts();
    Operators();
    Refusals();
    CHECK(AscendCModel::IS_VECTOR || recorded.empty());
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
