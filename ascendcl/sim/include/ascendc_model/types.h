// What the device's compiler knows by itself (address spaces, half, bfloat16_t, pipes), and the enumerations
// that the rest of the interface shares.
#ifndef ASCENDC_MODEL_TYPES_H
#define ASCENDC_MODEL_TYPES_H

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

// The device's compiler has `sqrt` and its like as functions of the scalar unit, without a header.
#include <math.h>

#include "ascendc_model/core.h"

#ifndef __CCE_AICORE__
#define __CCE_AICORE__ 220
#endif
#ifndef __NPU_ARCH__
#define __NPU_ARCH__ 2201
#endif

// Address spaces and function kinds: in the model all memory is the host's.
#define __aicore__
#ifndef __global__
#define __global__
#endif
#define __gm__
#define __ubuf__
#define __cbuf__
#define __ca__
#define __cb__
#define __cc__
#define __fbuf__
#define __ssbuf__
#define __cube__
#define __vector__
#define __mix__(cube, vector)
#define __inout_pipe__(pipe)
#define __in_pipe__(pipe)
#define __out_pipe__(pipe)
#define __sync_alias__
#define __check_sync_alias__
#define __sync_noalias__
#define __sync_in__
#define __sync_out__
#define __kfc_workspace__
#define __forceinline__ inline
// A variable that each core has for itself: a core is a thread.
#define __BLOCK_LOCAL__ thread_local

#define GM_ADDR __gm__ uint8_t*

// The compiler's own name of the type.
#define __bf16 bfloat16_t

#ifndef likely
#define likely(condition) __builtin_expect(!!(condition), 1)
#endif
#ifndef unlikely
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#endif

// Code is fetched ahead: no effect on results.
#define PRELOAD(lines) static_cast<void>(lines)

/// A pipe of the core; the values are those of the device's compiler.
enum pipe_t : int {
    PIPE_S = 0,
    PIPE_V = 1,
    PIPE_M = 2,
    PIPE_MTE1 = 3,
    PIPE_MTE2 = 4,
    PIPE_MTE3 = 5,
    PIPE_ALL = 6,
    PIPE_MTE4 = 7,
    PIPE_MTE5 = 8,
    PIPE_V2 = 9,
    PIPE_FIX = 10,
};

/// The number of a flag between two pipes.
enum event_t : int {
    EVENT_ID0 = 0,
    EVENT_ID1,
    EVENT_ID2,
    EVENT_ID3,
    EVENT_ID4,
    EVENT_ID5,
    EVENT_ID6,
    EVENT_ID7,
};

/// The memories of a barrier for data (`DataSyncBarrier`, `dsb`).
enum mem_dsb_t : int {
    DSB_ALL = 0,
    DSB_DDR = 1,
    DSB_UB = 2,
    DSB_SEQ = 3,
};

/// The smaller and the larger of two numbers: functions of the device's compiler.
template <typename A, typename B, std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B>, int> = 0>
constexpr std::common_type_t<A, B> min(A a, B b)
{
    const std::common_type_t<A, B> x = a, y = b;
    return x < y ? x : y;
}
template <typename A, typename B, std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B>, int> = 0>
constexpr std::common_type_t<A, B> max(A a, B b)
{
    const std::common_type_t<A, B> x = a, y = b;
    return x < y ? y : x;
}

/// Padding of a copy between L0C and UB, which this device has not: `PAD_NONE` only.
enum class pad_t : uint8_t { PAD_NONE = 0 };

namespace AscendCModel {

constexpr uint32_t FloatBits(float value)
{
    return __builtin_bit_cast(uint32_t, value);
}

constexpr float BitsFloat(uint32_t bits)
{
    return __builtin_bit_cast(float, bits);
}

/// fp32 to fp16, to nearest, ties to even; what is too large becomes infinite.
constexpr uint16_t HalfBits(float value)
{
    const uint32_t bits = FloatBits(value);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    }
    if (magnitude >= 0x477ff000u) {
        return static_cast<uint16_t>(sign | 0x7c00u);
    }
    if (magnitude < 0x38800000u) {
        // Subnormal: multiples of 2^-24.
        if (magnitude < 0x33000000u) {
            return sign;
        }
        const uint32_t shift = 126u - (magnitude >> 23);
        const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
        const uint32_t whole = mantissa >> shift;
        const uint32_t rest = mantissa & ((1u << shift) - 1u);
        const uint32_t tie = 1u << (shift - 1u);
        return static_cast<uint16_t>(sign | (whole + (rest > tie || (rest == tie && (whole & 1u)) ? 1u : 0u)));
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

constexpr float HalfValue(uint16_t bits)
{
    const uint32_t sign = (bits & 0x8000u) << 16;
    const uint32_t exponent = (bits >> 10) & 0x1fu;
    const uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0) {
        const float magnitude = static_cast<float>(mantissa) * BitsFloat(0x33800000u);
        return sign != 0 ? -magnitude : magnitude;
    }
    const uint32_t wide = exponent == 31 ? 0x7f800000u : (exponent + 112u) << 23;
    return BitsFloat(sign | wide | (mantissa << 13));
}

/// fp32 to bfloat16, to nearest, ties to even.
constexpr uint16_t BfloatBits(float value)
{
    const uint32_t bits = FloatBits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return static_cast<uint16_t>((bits >> 16) | 0x40u);
    }
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

constexpr float BfloatValue(uint16_t bits)
{
    return BitsFloat(static_cast<uint32_t>(bits) << 16);
}

/// A number of 16 bits that computes as fp32 and rounds each result.
template <uint16_t (*Narrow)(float), float (*Widen)(uint16_t)> struct Float16 {
    uint16_t bits;

    Float16() = default;
    template <typename N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0>
    constexpr Float16(N number) : bits(Narrow(static_cast<float>(number))) {}
    template <typename N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0>
    constexpr explicit Float16(const volatile N* number) = delete;

    constexpr operator float() const { return Widen(bits); }

    static constexpr Float16 FromBits(uint16_t bits)
    {
        Float16 value {};
        value.bits = bits;
        return value;
    }

    constexpr Float16 operator-() const { return FromBits(static_cast<uint16_t>(bits ^ 0x8000u)); }
    constexpr Float16 operator+() const { return *this; }
    constexpr Float16& operator+=(float other) { return *this = static_cast<float>(*this) + other; }
    constexpr Float16& operator-=(float other) { return *this = static_cast<float>(*this) - other; }
    constexpr Float16& operator*=(float other) { return *this = static_cast<float>(*this) * other; }
    constexpr Float16& operator/=(float other) { return *this = static_cast<float>(*this) / other; }
    constexpr Float16& operator++() { return *this += 1.0f; }
    constexpr Float16& operator--() { return *this -= 1.0f; }
};

} // namespace AscendCModel

/// IEEE 754 binary16.
using half = AscendCModel::Float16<AscendCModel::HalfBits, AscendCModel::HalfValue>;
/// The upper half of an fp32.
using bfloat16_t = AscendCModel::Float16<AscendCModel::BfloatBits, AscendCModel::BfloatValue>;
using float16_t = half;
using float32_t = float;

static_assert(sizeof(half) == 2 && std::is_trivially_copyable_v<half> && std::is_trivial_v<half>);

namespace AscendCModel {

// Both operands are of the type; mixed operands compute as fp32 by themselves.
template <uint16_t (*N)(float), float (*W)(uint16_t)>
constexpr Float16<N, W> operator+(Float16<N, W> a, Float16<N, W> b)
{
    return W(a.bits) + W(b.bits);
}
template <uint16_t (*N)(float), float (*W)(uint16_t)>
constexpr Float16<N, W> operator-(Float16<N, W> a, Float16<N, W> b)
{
    return W(a.bits) - W(b.bits);
}
template <uint16_t (*N)(float), float (*W)(uint16_t)>
constexpr Float16<N, W> operator*(Float16<N, W> a, Float16<N, W> b)
{
    return W(a.bits) * W(b.bits);
}
template <uint16_t (*N)(float), float (*W)(uint16_t)>
constexpr Float16<N, W> operator/(Float16<N, W> a, Float16<N, W> b)
{
    return W(a.bits) / W(b.bits);
}

} // namespace AscendCModel

namespace std {

template <> struct numeric_limits<half> {
    static constexpr bool is_specialized = true;
    static constexpr bool is_signed = true;
    static constexpr bool is_integer = false;
    static constexpr bool is_exact = false;
    static constexpr bool has_infinity = true;
    static constexpr bool has_quiet_NaN = true;
    static constexpr int digits = 11;
    static constexpr int radix = 2;
    static constexpr half min() { return half::FromBits(0x0400); }
    static constexpr half max() { return half::FromBits(0x7bff); }
    static constexpr half lowest() { return half::FromBits(0xfbff); }
    static constexpr half epsilon() { return half::FromBits(0x1400); }
    static constexpr half infinity() { return half::FromBits(0x7c00); }
    static constexpr half quiet_NaN() { return half::FromBits(0x7e00); }
    static constexpr half signaling_NaN() { return half::FromBits(0x7d00); }
    static constexpr half denorm_min() { return half::FromBits(0x0001); }
};

template <> struct numeric_limits<bfloat16_t> {
    static constexpr bool is_specialized = true;
    static constexpr bool is_signed = true;
    static constexpr bool is_integer = false;
    static constexpr bool is_exact = false;
    static constexpr bool has_infinity = true;
    static constexpr bool has_quiet_NaN = true;
    static constexpr int digits = 8;
    static constexpr int radix = 2;
    static constexpr bfloat16_t min() { return bfloat16_t::FromBits(0x0080); }
    static constexpr bfloat16_t max() { return bfloat16_t::FromBits(0x7f7f); }
    static constexpr bfloat16_t lowest() { return bfloat16_t::FromBits(0xff7f); }
    static constexpr bfloat16_t epsilon() { return bfloat16_t::FromBits(0x3c00); }
    static constexpr bfloat16_t infinity() { return bfloat16_t::FromBits(0x7f80); }
    static constexpr bfloat16_t quiet_NaN() { return bfloat16_t::FromBits(0x7fc0); }
    static constexpr bfloat16_t signaling_NaN() { return bfloat16_t::FromBits(0x7fa0); }
    static constexpr bfloat16_t denorm_min() { return bfloat16_t::FromBits(0x0001); }
};

} // namespace std

namespace AscendC {

using ::bfloat16_t;
using ::half;

/// Four bits; a tensor of them holds two in a byte, the first in the low half.
struct int4b_t {
    int8_t storage;
};

/// Where a tensor lies, by what it is for.
enum class TPosition : uint8_t {
    GM,
    A1,
    A2,
    B1,
    B2,
    C1,
    C2,
    CO1,
    CO2,
    VECIN,
    VECOUT,
    VECCALC,
    LCM = VECCALC,
    SPM,
    SHM = SPM,
    TSCM,
    C2PIPE2GM,
    C2PIPE2LOCAL,
    MAX,
};
using QuePosition = TPosition;

/// A memory.
enum class Hardware : uint8_t { GM, UB, L1, L0A, L0B, L0C, BIAS, FIXBUF, MAX };

/// Flags from the first pipe to the second.
enum class HardEvent : uint8_t {
    MTE2_MTE1,
    MTE1_MTE2,
    MTE1_M,
    M_MTE1,
    MTE2_V,
    V_MTE2,
    MTE3_V,
    V_MTE3,
    M_V,
    V_M,
    V_V,
    MTE3_MTE1,
    MTE1_MTE3,
    MTE1_V,
    MTE2_M,
    M_MTE2,
    V_MTE1,
    M_FIX,
    FIX_M,
    MTE3_MTE2,
    MTE2_MTE3,
    S_V,
    V_S,
    S_MTE2,
    MTE2_S,
    S_MTE3,
    MTE3_S,
    MTE2_FIX,
    FIX_MTE2,
    FIX_S,
    M_S,
    FIX_MTE3,
    MTE1_FIX,
    FIX_MTE1,
    FIX_FIX,
    FIX_V,
    MAX,
};

using TEventID = int8_t;
using TTagType = int32_t;
using TBufHandle = uint8_t*;

enum class CacheMode : uint8_t {
    CACHE_MODE_DISABLE = 0,
    CACHE_MODE_NORMAL = 1,
    CACHE_MODE_LAST = 2,
    CACHE_MODE_PERSISTENT = 4,
};

enum class CacheRwMode : uint8_t { READ = 1, WRITE = 2, RW = 3 };

enum class CacheLine : uint64_t { SINGLE_CACHE_LINE = 0, ENTIRE_DATA_CACHE };

enum class DcciDst : uint64_t { CACHELINE_ALL = 0, CACHELINE_UB, CACHELINE_OUT, CACHELINE_ATOMIC };

/// How the lanes of a vector instruction are chosen.
enum class MaskMode : uint8_t { NORMAL = 0, COUNTER };

enum class DataFormat : uint8_t {
    ND = 0,
    NZ,
    NCHW,
    NC1HWC0,
    NHWC,
    NCDHW,
    NDC1HWC0,
    FRACTAL_Z_3D,
    DN,
    SCALE,
};

/// The kind of a core; `g_coreType` is that of the core that this code is compiled for.
constexpr int AIC = 1;
constexpr int AIV = 2;
constexpr int MIX = 0;

constexpr int32_t DEFAULT_C0_SIZE = 32;
/// Bytes of a block and of a repeat, rows of a fractal.
constexpr uint32_t ONE_BLK_SIZE = 32;
constexpr uint32_t ONE_REPEAT_BYTE_SIZE = 256;
constexpr int32_t BLOCK_CUBE = 16;
constexpr uint8_t K_MAX_DIM = 8;
constexpr uint8_t K_MAX_SHAPE_DIM = K_MAX_DIM;

} // namespace AscendC

constexpr int g_coreType = AscendCModel::IS_CUBE ? AscendC::AIC : AscendC::AIV;

#define ASCEND_IS_AIC (g_coreType == AscendC::AIC)
#define ASCEND_IS_AIV (g_coreType == AscendC::AIV)
#define ASCEND_IS_NOT_AIC (g_coreType != AscendC::AIC)
#define ASCEND_IS_NOT_AIV (g_coreType != AscendC::AIV)

/// On which cores a kernel runs.
enum KernelMetaType {
    KERNEL_TYPE_AIV_ONLY,
    KERNEL_TYPE_AIC_ONLY,
    KERNEL_TYPE_MIX_AIV_1_0,
    KERNEL_TYPE_MIX_AIC_1_0,
    KERNEL_TYPE_MIX_AIC_1_1,
    KERNEL_TYPE_MIX_AIC_1_2,
    KERNEL_TYPE_AICORE,
    KERNEL_TYPE_VECTORCORE,
    KERNEL_TYPE_MIX_AICORE,
    KERNEL_TYPE_MIX_VECTOR_CORE,
    KERNEL_TYPE_MAX,
};

// The kind of a kernel must be known before it runs: sim-cc reads these from the source. Here they only check
// that the kind exists on this device.
#define KERNEL_TASK_TYPE_DEFAULT(value)                                                                      \
    static_assert((value) <= KERNEL_TYPE_MIX_AIC_1_2, "this device has no kernels of the type " #value)
#define KERNEL_TASK_TYPE(key, value)                                                                         \
    static_assert((value) <= KERNEL_TYPE_MIX_AIC_1_2, "this device has no kernels of the type " #value)

namespace AscendCModel {

template <typename T> struct Always : std::false_type {};

/// The code of an element type.
template <typename T> constexpr DataType DataTypeCode()
{
    using U = std::remove_cv_t<T>;
    if constexpr (std::is_same_v<U, int8_t> || std::is_same_v<U, char>) {
        return DataType::I8;
    } else if constexpr (std::is_same_v<U, uint8_t> || std::is_same_v<U, bool>) {
        return DataType::U8;
    } else if constexpr (std::is_same_v<U, int16_t>) {
        return DataType::I16;
    } else if constexpr (std::is_same_v<U, uint16_t>) {
        return DataType::U16;
    } else if constexpr (std::is_same_v<U, half>) {
        return DataType::F16;
    } else if constexpr (std::is_same_v<U, bfloat16_t>) {
        return DataType::Bf16;
    } else if constexpr (std::is_same_v<U, float>) {
        return DataType::F32;
    } else if constexpr (std::is_same_v<U, AscendC::int4b_t>) {
        return DataType::I4;
    } else if constexpr (std::is_integral_v<U> && sizeof(U) == 4) {
        return std::is_signed_v<U> ? DataType::I32 : DataType::U32;
    } else if constexpr (std::is_integral_v<U> && sizeof(U) == 8) {
        return std::is_signed_v<U> ? DataType::I64 : DataType::U64;
    } else {
        static_assert(Always<T>::value, "not an element type of this device");
        return DataType::U8;
    }
}

template <typename T> constexpr DataType DataTypeOf = DataTypeCode<T>();

/// Bytes that `count` elements take.
template <typename T> constexpr uint64_t BytesOf(uint64_t count)
{
    if constexpr (std::is_same_v<std::remove_cv_t<T>, AscendC::int4b_t>) {
        return count / 2;
    } else {
        return count * sizeof(T);
    }
}

/// Elements in `bytes` bytes.
template <typename T> constexpr uint64_t ElementsOf(uint64_t bytes)
{
    if constexpr (std::is_same_v<std::remove_cv_t<T>, AscendC::int4b_t>) {
        return bytes * 2;
    } else {
        return bytes / sizeof(T);
    }
}

/// The memory that a position is in; GM for those that this device keeps in global memory.
constexpr Space SpaceOf(AscendC::TPosition position)
{
    switch (position) {
    case AscendC::TPosition::A1:
    case AscendC::TPosition::B1:
    case AscendC::TPosition::C1:
    case AscendC::TPosition::TSCM:
    case AscendC::TPosition::SPM:
        return Space::L1;
    case AscendC::TPosition::A2:
        return Space::L0A;
    case AscendC::TPosition::B2:
        return Space::L0B;
    case AscendC::TPosition::CO1:
        return Space::L0C;
    case AscendC::TPosition::C2:
        return Space::BT;
    case AscendC::TPosition::C2PIPE2GM:
    case AscendC::TPosition::C2PIPE2LOCAL:
        return Space::FB;
    case AscendC::TPosition::VECIN:
    case AscendC::TPosition::VECOUT:
    case AscendC::TPosition::VECCALC:
        return Space::UB;
    default:
        return Space::GM;
    }
}

constexpr uint32_t SizeOfSpace(Space space)
{
    switch (space) {
    case Space::UB:
        return 192 * 1024;
    case Space::L1:
        return 512 * 1024;
    case Space::L0A:
    case Space::L0B:
        return 64 * 1024;
    case Space::L0C:
        return 128 * 1024;
    case Space::BT:
        return 1024;
    case Space::FB:
        return 7 * 1024;
    default:
        return 0;
    }
}

} // namespace AscendCModel

#endif
