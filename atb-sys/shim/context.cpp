// `atb::Context`.

#include <algorithm>
#include <functional>
#include <vector>

#include "convert.h"
#include "entries.h"

namespace shim {
namespace {

// Newer headers have more ways to create a context and more to set; each is used where the headers declare it.

using Allocate = std::function<void *(size_t)>;
using Deallocate = std::function<void(void *)>;

template <class Context>
auto createWithAllocator(Context **context, const Allocate &allocate, const Deallocate &deallocate, int)
    -> decltype(atb::CreateContext(context, allocate, deallocate))
{
    return atb::CreateContext(context, allocate, deallocate);
}
template <class Context>
atb::Status createWithAllocator(Context **, const Allocate &, const Deallocate &, long)
{
    unsupported("CreateContext with an allocator");
}

template <class Context>
auto createWithTilingBlocks(Context **context, uint32_t host, uint32_t device, int)
    -> decltype(atb::CreateContext(context, host, device))
{
    return atb::CreateContext(context, host, device);
}
template <class Context> atb::Status createWithTilingBlocks(Context **, uint32_t, uint32_t, long)
{
    unsupported("CreateContext with numbers of tiling blocks");
}

template <class Context, class Mode>
atb::Status applyMode(Context *context, atb::Status (Context::*set)(Mode), int32_t mode)
{
    return (context->*set)(static_cast<Mode>(mode));
}
template <class Context>
auto setMode(Context *context, int32_t mode, int) -> decltype(applyMode(context, &Context::SetLaunchMode, mode))
{
    return applyMode(context, &Context::SetLaunchMode, mode);
}
template <class Context> atb::Status setMode(Context *, int32_t, long) { unsupported("Context::SetLaunchMode"); }

template <class Context>
auto getMode(Context *context, int) -> decltype(static_cast<int32_t>(context->GetLaunchMode()))
{
    return static_cast<int32_t>(context->GetLaunchMode());
}
template <class Context> int32_t getMode(Context *, long) { unsupported("Context::GetLaunchMode"); }

// Runs one of the ways to create a context.
template <class Create> atb_status create(atb_context **context, Create &&how) noexcept
{
    return guarded([&] {
        required(context, "context");
        atb::Context *made = nullptr;
        const atb::Status status = how(&made);
        return deliver(status, made, context);
    });
}

} // namespace

atb_status createContext(atb_context **context) noexcept
{
    return create(context, [](atb::Context **made) { return atb::CreateContext(made); });
}

atb_status createContextWithAllocator(atb_tiling_allocator allocator, atb_context **context) noexcept
{
    return create(context, [&](atb::Context **made) {
        required(allocator.allocate, "allocator.allocate");
        required(allocator.deallocate, "allocator.deallocate");
        const Allocate allocate = [allocator](size_t size) { return allocator.allocate(allocator.data, size); };
        const Deallocate deallocate = [allocator](void *memory) { allocator.deallocate(allocator.data, memory); };
        return createWithAllocator(made, allocate, deallocate, 0);
    });
}

atb_status createContextWithTilingBlocks(uint32_t hostTilingBlockNum, uint32_t deviceTilingBlockNum,
                                         atb_context **context) noexcept
{
    return create(context, [&](atb::Context **made) {
        return createWithTilingBlocks(made, hostTilingBlockNum, deviceTilingBlockNum, 0);
    });
}

atb_status destroyContext(atb_context *context) noexcept
{
    return guarded([&] { return atb::DestroyContext(toAtb(context)); });
}

atb_status setExecuteStream(atb_context *context, void *stream) noexcept
{
    return guarded([&] { return toAtb(context)->SetExecuteStream(stream); });
}

atb_status getExecuteStream(atb_context *context, void **stream) noexcept
{
    return guarded([&] {
        *required(stream, "stream") = toAtb(context)->GetExecuteStream();
        return ATB_NO_ERROR;
    });
}

atb_status setExecuteStreams(atb_context *context, void *const *streams, size_t streamNum) noexcept
{
    return guarded([&] {
        requiredArray(streams, streamNum, "streams");
        const std::vector<aclrtStream> all(streams, streams + streamNum);
        return toAtb(context)->SetExecuteStreams(all);
    });
}

atb_status getExecuteStreams(atb_context *context, void **streams, size_t capacity, size_t *streamNum) noexcept
{
    return guarded([&] {
        requiredArray(streams, capacity, "streams");
        required(streamNum, "streamNum");
        const std::vector<aclrtStream> all = toAtb(context)->GetExecuteStreams();
        std::copy_n(all.begin(), std::min(all.size(), capacity), streams);
        *streamNum = all.size();
        return ATB_NO_ERROR;
    });
}

atb_status setAsyncTilingCopyStatus(atb_context *context, bool enable) noexcept
{
    return guarded([&] { return toAtb(context)->SetAsyncTilingCopyStatus(enable); });
}

atb_status getAsyncTilingCopyStatus(atb_context *context, bool *enable) noexcept
{
    return guarded([&] {
        *required(enable, "enable") = toAtb(context)->GetAsyncTilingCopyStatus();
        return ATB_NO_ERROR;
    });
}

atb_status setExecuteType(atb_context *context, int32_t type) noexcept
{
    return guarded([&] { return toAtb(context)->SetExecuteType(static_cast<atb::ExecuteType>(type)); });
}

atb_status getExecuteType(atb_context *context, int32_t *type) noexcept
{
    return guarded([&] {
        *required(type, "type") = static_cast<int32_t>(toAtb(context)->GetExecuteType());
        return ATB_NO_ERROR;
    });
}

atb_status setLaunchMode(atb_context *context, int32_t mode) noexcept
{
    return guarded([&] { return setMode(toAtb(context), mode, 0); });
}

atb_status getLaunchMode(atb_context *context, int32_t *mode) noexcept
{
    return guarded([&] {
        *required(mode, "mode") = getMode(toAtb(context), 0);
        return ATB_NO_ERROR;
    });
}

} // namespace shim
