// Text and tensors printed from a kernel, and assertions.
#ifndef ASCENDC_MODEL_PRINT_H
#define ASCENDC_MODEL_PRINT_H

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "ascendc_model/sync.h"

namespace AscendCModel {

/// What the C library's formats take.
template <typename T> constexpr auto Printable(T value)
{
    if constexpr (std::is_same_v<T, half> || std::is_same_v<T, bfloat16_t> || std::is_same_v<T, float>) {
        return static_cast<double>(static_cast<float>(value));
    } else {
        return value;
    }
}

/// From a core into its report. Host code in the file of a kernel calls the same function: there is no core then.
inline void Print(const std::string& text)
{
    const CoreView* view = current.view;
    if (view == nullptr) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        return;
    }
    view->model->print(view->core, text.data(), text.size());
}

template <typename... Args> std::string Format(const char* format, Args... args)
{
    if constexpr (sizeof...(Args) == 0) {
        // Still a format: "%%" is one sign.
        return Format(format, 0);
    } else {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        const int length = std::snprintf(nullptr, 0, format, Printable(args)...);
        std::string text(length > 0 ? static_cast<size_t>(length) : 0, '\0');
        std::snprintf(text.data(), text.size() + 1, format, Printable(args)...);
#pragma GCC diagnostic pop
        return text;
    }
}

inline std::string Explain(const char* expression)
{
    return std::string("assertion failed: ") + expression;
}
template <typename... Args> std::string Explain(const char* expression, const char* format, Args... args)
{
    return Explain(expression) + ": " + Format(format, args...);
}

/// Ends the kernel.
template <typename... Args> [[noreturn]] void AssertionFailed(Site at, const char* expression, Args... args)
{
#ifdef ASCENDC_MODEL_HOST
    std::fprintf(stderr, "%s:%u: %s\n", at.file, static_cast<unsigned>(at.line), Explain(expression, args...).c_str());
    std::abort();
#else
    Fail(Explain(expression, args...).c_str(), at);
#endif
}

template <typename T> std::string ElementText(T value)
{
    if constexpr (std::is_same_v<T, AscendC::int4b_t>) {
        return std::to_string(value.storage);
    } else if constexpr (std::is_integral_v<T>) {
        return std::to_string(value);
    } else {
        return Format("%g", value);
    }
}

/// Elements with a head line, 16 to a line. `from` is where the first element lies.
template <typename T> void Dump(const char* what, const uint8_t* from, uint32_t desc, uint32_t count, Site at)
{
    static_cast<void>(at);
    std::string text = Format("DumpTensor desc=%u %s, %u elements\n[", desc, what, count);
    for (uint32_t i = 0; i < count; ++i) {
        T value;
        std::memcpy(&value, from + BytesOf<T>(i), sizeof(T));
        if constexpr (std::is_same_v<T, AscendC::int4b_t>) {
            const auto bits = static_cast<uint8_t>(value.storage);
            value.storage = static_cast<int8_t>(i % 2 != 0 ? bits : bits << 4) >> 4;
        }
        text += i == 0 ? "" : i % 16 == 0 ? ",\n " : ", ";
        text += ElementText(value);
    }
    Print(text + "]\n");
}

} // namespace AscendCModel

// Kernels call printf with and without the namespace; both must reach the model. Host code in the same file has the
// host's, also where the file is compiled for a core, but is not executed.
#ifdef ASCENDC_MODEL_HOST
namespace AscendC {

using ::printf;
#else
#define printf ascendc_model_printf

template <typename... Args> __aicore__ inline int ascendc_model_printf(__gm__ const char* fmt, Args... args)
{
    AscendCModel::Print(AscendCModel::Format(fmt, args...));
    return 0;
}

#ifdef ASCENDC_MODEL_LAUNCH
namespace std {
using ::ascendc_model_printf;
}
#endif

namespace AscendC {

using ::ascendc_model_printf;
#endif

template <typename... Args> __aicore__ inline void PRINTF(__gm__ const char* fmt, Args... args)
{
    AscendCModel::Print(AscendCModel::Format(fmt, args...));
}

/// Prints the first `dumpSize` elements, when all that was issued before is done.
template <typename T>
__aicore__ inline void DumpTensor(const LocalTensor<T>& tensor, uint32_t desc, uint32_t dumpSize, ASCENDC_MODEL_SITE)
{
    const auto* view = AscendCModel::current.view;
    const auto space = static_cast<uint32_t>(tensor.Memory());
    if (view->base[space] == nullptr) {
        return;
    }
    AscendCModel::BarrierOf(PIPE_ALL, at);
    if (tensor.Offset() + AscendCModel::BytesOf<PrimT<T>>(dumpSize) > view->size[space]) {
        AscendCModel::Fail("DumpTensor: beyond the end of the local memory", at);
    }
    constexpr const char* names[] = {"GM", "UB", "L1", "L0A", "L0B", "L0C", "BT", "FB"};
    AscendCModel::Dump<PrimT<T>>(
        names[space], AscendCModel::LocalPointer(tensor.Memory(), tensor.Offset()), desc, dumpSize, at);
}
template <typename T>
__aicore__ inline void DumpTensor(const GlobalTensor<T>& tensor, uint32_t desc, uint32_t dumpSize, ASCENDC_MODEL_SITE)
{
    AscendCModel::BarrierOf(PIPE_ALL, at);
    AscendCModel::ScalarAccess(
        tensor.ModelAddress(), static_cast<uint32_t>(AscendCModel::BytesOf<PrimT<T>>(dumpSize)), false, at);
    AscendCModel::Dump<PrimT<T>>("GM", AscendCModel::GlobalPointer(tensor.ModelAddress()), desc, dumpSize, at);
}
template <template <typename> class Tensor, typename T>
__aicore__ inline void DumpTensor(
    const Tensor<T>& tensor, uint32_t desc, uint32_t dumpSize, const ShapeInfo& shapeInfo, ASCENDC_MODEL_SITE)
{
    static_cast<void>(shapeInfo);
    DumpTensor(tensor, desc, dumpSize, at);
}

/// Prints elements from `countOff` on.
template <template <typename> class Tensor, typename T>
__aicore__ inline void DumpAccChkPoint(
    const Tensor<T>& tensor, uint32_t index, uint32_t countOff, uint32_t dumpSize, ASCENDC_MODEL_SITE)
{
    DumpTensor(tensor[countOff], index, dumpSize, at);
}

/// Prints the system counter.
__aicore__ inline void PrintTimeStamp(uint32_t descId)
{
    AscendCModel::Print(AscendCModel::Format("time stamp %u: %llu\n", descId,
        static_cast<unsigned long long>(AscendCModel::ReadRegister(AscendCModel::Register::SystemCycle))));
}

// Marks for a profiler: the model's trace has every instruction.
__aicore__ inline void MetricsProfStart() {}
__aicore__ inline void MetricsProfStop() {}

} // namespace AscendC

// Of host code, the host's assertions are left out as ever.
#if defined(ASCENDC_MODEL_HOST) && defined(NDEBUG)
#define ASCENDC_MODEL_ASSERT(expr, ...) static_cast<void>(0)
#else
#define ASCENDC_MODEL_ASSERT(expr, ...)                                                                      \
    (static_cast<bool>(expr)                                                                                 \
            ? static_cast<void>(0)                                                                           \
            : ::AscendCModel::AssertionFailed(                                                               \
                ::AscendCModel::Site {__FILE__, __LINE__, 0}, #expr, ##__VA_ARGS__))
#endif
#undef assert
#define assert(...) ASCENDC_MODEL_ASSERT(__VA_ARGS__)
#define ascendc_assert(...) ASCENDC_MODEL_ASSERT(__VA_ARGS__)
#define ASCENDC_ASSERT(condition, ...) ASCENDC_MODEL_ASSERT(condition)

#endif
