// Launches by `kernel<<<blocks, l2ctrl, stream>>>(arguments)`, which sim-cc rewrites to
// `Launch<kernel>(blocks, l2ctrl, stream)(arguments)`. Only sim-cc includes this, before all else.
//
// A file with such launches is compiled three times. For either kind of core, every kernel that is launched leaves an
// entry; sim-cc collects them in a table. For the host, the launch looks its kernel up there, by name, and queues it.
#ifndef ASCENDC_MODEL_LAUNCH_H
#define ASCENDC_MODEL_LAUNCH_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "ascendc_model/object.h"

#ifdef ASCENDC_MODEL_HOST
extern "C" {
/// The kernels of this file, both kinds of core.
__attribute__((visibility("hidden"))) extern const AscendCModel::Object ASCENDC_MODEL_UNIT;

/// Queues a kernel of a table on a stream, with packed arguments. Its errors are those of `aclrtGetLastError`.
int32_t ascendcl_sim_launch(const AscendCModel::Object* unit, const char* kernel, uint64_t blocks, uint64_t l2ctrl,
    void* stream, const uint8_t* arguments, uint64_t length);
}
#endif

namespace AscendCModel {

template <auto KERNEL> constexpr std::string_view Signature()
{
    return __PRETTY_FUNCTION__;
}

/// The name of a kernel, with its template arguments, as the compiler prints it.
template <auto KERNEL> struct KernelName {
    static constexpr auto Make()
    {
        constexpr std::string_view text = Signature<KERNEL>();
        constexpr std::string_view before = "KERNEL = ";
        constexpr size_t start = text.find(before) + before.size();
        constexpr size_t length = text.rfind(';') == text.npos || text.rfind(';') < start
            ? text.rfind(']') - start
            : text.rfind(';') - start;
        std::array<char, length + 1> name {};
        for (size_t index = 0; index < length; ++index) {
            name[index] = text[start + index];
        }
        return name;
    }

    static constexpr auto VALUE = Make();
};

#ifndef ASCENDC_MODEL_HOST
/// What sim-cc finds in the object of a kind of core.
template <auto KERNEL> struct DeviceEntry {
    static const KernelEntry VALUE;
};
template <auto KERNEL>
const KernelEntry DeviceEntry<KERNEL>::VALUE = Entry<KERNEL>(KernelName<KERNEL>::VALUE.data());
#endif

/// An address in the device's memory, as a pointer of the type that the kernel takes.
struct Address {
    void* value;

    template <typename T> operator T*() const { return static_cast<T*>(value); }
};

/// A launch that waits for the kernel's arguments.
template <auto KERNEL, typename F> class Launched;

template <auto KERNEL, typename... T> class Launched<KERNEL, void (*)(T...)> {
public:
    Launched(uint64_t blocks, uint64_t l2ctrl, void* stream) : blocks_(blocks), l2ctrl_(l2ctrl), stream_(stream) {}

    /// Queues the kernel; the code is AscendCL's.
    uint32_t operator()(T... arguments) const
    {
#ifdef ASCENDC_MODEL_HOST
        using Packed = Arguments<void (*)(T...)>;
        uint8_t bytes[Packed::LAYOUT[Packed::COUNT].offset + 1] = {};
        [[maybe_unused]] size_t index = 0;
        (std::memcpy(bytes + Packed::LAYOUT[index++].offset, &arguments, sizeof(T)), ...);
        return static_cast<uint32_t>(ascendcl_sim_launch(&ASCENDC_MODEL_UNIT, KernelName<KERNEL>::VALUE.data(), blocks_,
            l2ctrl_, stream_, bytes, sizeof(bytes) - 1));
#else
        // Nothing calls this, but it keeps the entry.
        ((void)arguments, ...);
        asm volatile("" : : "r"(&DeviceEntry<KERNEL>::VALUE));
        return 0;
#endif
    }

private:
    uint64_t blocks_;
    uint64_t l2ctrl_;
    void* stream_;
};

/// `KERNEL<<<blocks, l2ctrl, stream>>>`. `l2ctrl` is null, or 0.
template <auto KERNEL, typename Blocks, typename Control>
inline Launched<KERNEL, decltype(KERNEL)> Launch(Blocks blocks, Control l2ctrl, void* stream = nullptr)
{
    static_assert(std::is_integral_v<Blocks> || std::is_enum_v<Blocks>, "the number of blocks is an integer");
    static_assert(std::is_integral_v<Control> || std::is_pointer_v<Control> || std::is_null_pointer_v<Control>,
        "between the number of blocks and the stream is l2ctrl: null, or 0");
    if constexpr (std::is_integral_v<Control>) {
        return { static_cast<uint64_t>(blocks), static_cast<uint64_t>(l2ctrl), stream };
    } else {
        return { static_cast<uint64_t>(blocks), reinterpret_cast<uint64_t>(l2ctrl), stream };
    }
}

} // namespace AscendCModel

#endif
