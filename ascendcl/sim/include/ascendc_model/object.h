// What a kernel object needs besides its kernels: for each kernel a function that the model can call, and the
// layout of its arguments. Only what sim-cc generates includes this.
#ifndef ASCENDC_MODEL_OBJECT_H
#define ASCENDC_MODEL_OBJECT_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <type_traits>
#include <utility>

#include "ascendc_model/core.h"

namespace AscendCModel {

/// The packed arguments of a kernel: what `aclrtLaunchKernel` and its like hand over.
template <typename F> struct Arguments;

template <typename... T> struct Arguments<void (*)(T...)> {
    static_assert((std::is_trivially_copyable_v<T> && ...), "a kernel takes its arguments by value, as bytes");

    static constexpr size_t COUNT = sizeof...(T);

    /// As in C, but nothing is aligned to less than 4 bytes (Ascend C docs: parameters of kernel functions). The last
    /// one stands for the end.
    static constexpr std::array<Parameter, COUNT + 1> Layout()
    {
        std::array<Parameter, COUNT + 1> layout {};
        size_t end = 0;
        size_t index = 0;
        [[maybe_unused]] const auto place = [&](size_t size, size_t alignment) {
            const size_t offset = (end + alignment - 1) / alignment * alignment;
            layout[index].offset = static_cast<uint32_t>(offset);
            layout[index].size = static_cast<uint32_t>(size);
            end = offset + size;
            ++index;
        };
        (place(sizeof(T), alignof(T) < 4 ? 4 : alignof(T)), ...);
        layout[index].offset = static_cast<uint32_t>(end);
        return layout;
    }

    static constexpr std::array<Parameter, COUNT + 1> LAYOUT = Layout();

    template <typename V> static V Unpack(const uint8_t* bytes)
    {
        if constexpr (std::is_pointer_v<V>) {
            uint64_t address;
            std::memcpy(&address, bytes, sizeof(address));
            return reinterpret_cast<V>(GlobalPointer(address));
        } else {
            std::remove_cv_t<V> value;
            std::memcpy(&value, bytes, sizeof(value));
            return value;
        }
    }

    template <size_t... I>
    static void Call(void (*kernel)(T...), [[maybe_unused]] const uint8_t* arguments, std::index_sequence<I...>)
    {
        kernel(Unpack<T>(arguments + LAYOUT[I].offset)...);
    }
};

/// Runs a kernel on the core that this thread is from now on.
template <auto KERNEL> int32_t Run(const CoreView* view, const uint8_t* arguments)
{
    using Packed = Arguments<decltype(KERNEL)>;
    current = Core {};
    current.view = view;
    int32_t ended = 0;
    const char* thrown = nullptr;
    try {
        Packed::Call(KERNEL, arguments, std::make_index_sequence<Packed::COUNT> {});
    } catch (const Ended&) {
        ended = 1;
    } catch (const std::exception& exception) {
        thrown = exception.what();
        view->model->fail(view->core, thrown, std::strlen(thrown), Site { "", 0, 0 });
        ended = 1;
    } catch (...) {
        thrown = "the kernel threw an exception";
        view->model->fail(view->core, thrown, std::strlen(thrown), Site { "", 0, 0 });
        ended = 1;
    }
    current.view = nullptr;
    return ended;
}

/// Makes the entry of a kernel for the kind of core that this unit is compiled for.
template <auto KERNEL> constexpr KernelEntry Entry(const char* name)
{
    using Packed = Arguments<decltype(KERNEL)>;
    KernelEntry entry {};
    entry.name = name;
    entry.core_type = static_cast<uint8_t>(IS_CUBE ? CoreType::Aic : CoreType::Aiv);
    entry.kernel_type = 255;
    entry.argument_bytes = Packed::LAYOUT[Packed::COUNT].offset;
    entry.run = &Run<KERNEL>;
    entry.parameters = Packed::LAYOUT.data();
    entry.parameter_count = Packed::COUNT;
    return entry;
}

} // namespace AscendCModel

#endif
