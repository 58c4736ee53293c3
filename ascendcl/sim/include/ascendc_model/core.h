// The core that the calling thread is, and the way of an instruction into the model.
//
// The source of a kernel is compiled twice, as the device's compiler does: with __DAV_C220_CUBE__ for cube
// cores and with __DAV_C220_VEC__ for vector cores. Instructions of the other kind of core vanish.
#ifndef ASCENDC_MODEL_CORE_H
#define ASCENDC_MODEL_CORE_H

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "ascendc_model/abi.h"

#if defined(__DAV_C220_CUBE__) + defined(__DAV_C220_VEC__) + defined(ASCENDC_MODEL_HOST) != 1
#error "compile for one kind of core: define __DAV_C220_CUBE__ or __DAV_C220_VEC__ (cargo xtask sim-cc does)"
#endif

namespace AscendCModel {

#ifdef __DAV_C220_CUBE__
constexpr bool IS_CUBE = true;
#else
constexpr bool IS_CUBE = false;
#endif
// Where host code is compiled, kernels are only looked at: neither kind of instruction is there.
#ifdef __DAV_C220_VEC__
constexpr bool IS_VECTOR = true;
#else
constexpr bool IS_VECTOR = false;
#endif

/// What scalar code sets and later instructions take: the special registers of the core.
struct SpecialRegisters {
    /// Vector mask: bits in normal mode, count in bits[0] in counter mode.
    Mask mask{{~0ull, ~0ull}, 0, 0};
    /// What copies to global memory do there.
    Atomic atomic = Atomic::None;
    DataType atomic_type = DataType::F32;
    /// Of casts and fused operations that dequantize (`SetDeqScale`): bits, or the address of a vector.
    uint64_t deq_scale = 0;
    /// Fixpipe: `SetFixpipeNz2ndFlag`, `SetFixpipePreQuantFlag`, `SetFixPipeConfig` (address in FB).
    uint32_t nd_num = 1;
    uint32_t src_nd_stride = 0;
    uint32_t dst_nd_stride = 0;
    uint64_t quant_scalar = 0;
    uint64_t quant_vector = 0;
    /// `SetPadValue` of DataCopyPad, `SetLoadDataPaddingValue` of LoadData 3D.
    uint64_t pad_value = 0;
    uint64_t load_padding = 0;
    /// `SetFmatrix`, `SetLoadDataBoundary`, `SetLoadDataRepeat`
    uint32_t l1_h = 0;
    uint32_t l1_w = 0;
    uint8_t l1_padding[4] = {};
    uint32_t load_boundary = 0;
    uint32_t load_repeat_stride = 0;
    uint32_t load_repeat_time = 1;
    uint32_t load_repeat_mode = 0;
    /// `SetHF32Mode`, `SetMMLayoutTransform`
    bool hf32 = false;
    bool column_major = false;
    /// `SetHF32TransMode`: ties go toward zero and not to even.
    bool hf32_toward_zero = false;
};

/// The state of the core that this thread is.
struct Core {
    const CoreView* view = nullptr;
    SpecialRegisters registers;
};

inline thread_local Core current;

/// Thrown through the kernel when it must end at once.
struct Ended {};

/// The line that calls; as a default argument, the line of the call that leaves it out. (g++ takes the line of the
/// declaration if the default argument is an aggregate of the builtins itself.)
constexpr Site Here(const char* file = __builtin_FILE(), uint32_t line = __builtin_LINE())
{
    return Site {file, line, 0};
}

/// Where the programmer wrote the call. The last parameter of every function of the interface:
/// `ASCENDC_MODEL_SITE`.
#define ASCENDC_MODEL_SITE ::AscendCModel::Site at = ::AscendCModel::Here()

/// A number as the programmer passed it, wide enough to see that it does not fit the field of type T.
template <typename T> struct Field {
    int64_t value = 0;
    constexpr Field() = default;
    template <typename I, std::enable_if_t<std::is_integral_v<I> || std::is_enum_v<I>, int> = 0>
    constexpr Field(I number) : value(static_cast<int64_t>(number)) {}
    template <typename U> constexpr Field(const Field<U>& number) : value(number.value) {}
    constexpr Field& operator+=(int64_t number) { return value += number, *this; }
    constexpr Field& operator-=(int64_t number) { return value -= number, *this; }
    constexpr Field& operator*=(int64_t number) { return value *= number, *this; }
    constexpr Field& operator++() { return ++value, *this; }
    constexpr Field& operator--() { return --value, *this; }
    constexpr T operator++(int) { return static_cast<T>(value++); }
    constexpr T operator--(int) { return static_cast<T>(value--); }
    constexpr operator T() const { return static_cast<T>(value); }
    /// For the 32-bit fields of instructions: what does not fit stays visible as the largest number.
    constexpr uint32_t Wide() const
    {
        return value < 0 || value > 0xffffffffll ? 0xffffffffu : static_cast<uint32_t>(value);
    }
};

template <typename I> inline void Execute(const I& instruction, Site at)
{
    const CoreView* view = current.view;
    if (view->model->execute(view->core, &instruction, at) != 0) {
        throw Ended {};
    }
}

// In a file with host code, kernels share their object: there sim-cc asks which of them reach an instruction, by
// following references, of which this is one.
#ifdef ASCENDC_MODEL_LAUNCH
#define ASCENDC_MODEL_REFERENCE(symbol) asm volatile(".reloc ., BFD_RELOC_NONE, " symbol)
#else
#define ASCENDC_MODEL_REFERENCE(symbol) static_cast<void>(0)
#endif

/// Runs an instruction of the vector unit or of a pipe that only vector cores have.
template <typename I> inline void ExecuteVector(const I& instruction, Site at)
{
    if constexpr (IS_VECTOR) {
        // The section tells sim-cc that the source computes on vector cores.
        ASCENDC_MODEL_REFERENCE("ascendc_model_uses_vector");
        asm volatile(".pushsection .ascendc_model.vector,\"\",@progbits\n\t.byte 1\n\t.popsection");
        Execute(instruction, at);
    }
}

/// Runs an instruction of the cube unit or of a pipe that only cube cores have.
template <typename I> inline void ExecuteCube(const I& instruction, Site at)
{
    if constexpr (IS_CUBE) {
        ASCENDC_MODEL_REFERENCE("ascendc_model_uses_cube");
        asm volatile(".pushsection .ascendc_model.cube,\"\",@progbits\n\t.byte 1\n\t.popsection");
        Execute(instruction, at);
    }
}

/// An address in local memory.
constexpr uint64_t LocalAddress(Space space, uint64_t offset)
{
    return (static_cast<uint64_t>(space) << SPACE_SHIFT) | offset;
}

/// The address of the ABI that a pointer of the kernel means: into a local memory of this core, or global memory.
inline uint64_t AddressOf(const volatile void* pointer)
{
    const auto value = reinterpret_cast<uint64_t>(pointer);
    const CoreView* view = current.view;
    for (uint32_t space = 1; space < 8; ++space) {
        const auto base = reinterpret_cast<uint64_t>(view->base[space]);
        // One MiB from the base belongs to the memory, so that an address out of bounds is seen as such.
        if (base != 0 && value >= base && value < base + (1u << 20)) {
            return LocalAddress(static_cast<Space>(space), value - base);
        }
    }
    return value;
}

/// Where the kernel's scalar code reaches a local memory.
inline uint8_t* LocalPointer(Space space, uint64_t offset)
{
    return current.view->base[static_cast<uint32_t>(space)] + offset;
}

/// Where the kernel's scalar code reaches an address of device memory.
inline uint8_t* GlobalPointer(uint64_t address)
{
    const CoreView* view = current.view;
    const bool device = address >= view->device_start && address < view->device_end;
    return reinterpret_cast<uint8_t*>(device ? address + view->device_delta : address);
}

/// Reports an access of the scalar unit, at an address of the ABI.
inline void ScalarAccess(uint64_t address, uint32_t bytes, bool write, Site at)
{
    const CoreView* view = current.view;
    if (view->checked && view->model->scalar_access(view->core, address, bytes, write, at) != 0) {
        throw Ended {};
    }
}

inline uint64_t ReadRegister(Register reg)
{
    return current.view->model->read_register(current.view->core, static_cast<uint32_t>(reg));
}

inline void WriteRegister(Register reg, uint64_t value)
{
    current.view->model->write_register(current.view->core, static_cast<uint32_t>(reg), value);
}

/// Ends the kernel with a message.
[[noreturn]] inline void Fail(const char* text, Site at)
{
    current.view->model->fail(current.view->core, text, std::strlen(text), at);
    throw Ended {};
}

/// A buffer of local memory is given out, or taken back.
inline void Buffer(Space space, uint64_t offset, uint64_t bytes, bool live, Site at)
{
    const CoreView* view = current.view;
    if (view->checked && view->model->buffer(view->core, LocalAddress(space, offset), bytes, live, at) != 0) {
        throw Ended {};
    }
}

/// The bits of a scalar, for the field of an instruction.
template <typename T> inline uint64_t Bits(T value)
{
    static_assert(sizeof(T) <= 8);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
}

template <typename T> inline T FromBits(uint64_t bits)
{
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

} // namespace AscendCModel

#endif
