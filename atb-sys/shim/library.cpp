// `atb::Utils`, and what is exported beside the classes.

#include <dlfcn.h>

#include "atb/utils.h"
#include "convert.h"
#include "entries.h"

namespace shim {
namespace {

// The type of the level is found by its function, since older headers have neither.
template <class Level> atb_status applyLevel(atb::Status (*set)(Level), int32_t level)
{
    return set(static_cast<Level>(level));
}

template <class Utils> auto setLevel(int32_t level, int) -> decltype(applyLevel(&Utils::SetLogLevel, level))
{
    return applyLevel(&Utils::SetLogLevel, level);
}
template <class Utils> atb_status setLevel(int32_t, long) { unsupported("Utils::SetLogLevel"); }

template <class Utils> auto resetLevel(int) -> decltype(Utils::ResetLogLevel()) { return Utils::ResetLogLevel(); }
template <class Utils> atb_status resetLevel(long) { unsupported("Utils::ResetLogLevel"); }

// The library that has ATB's classes: it is loaded, since this shim is linked with it.
struct Library {
    void *handle = nullptr;
    void *base = nullptr;

    Library()
    {
        const auto create = static_cast<atb::Status (*)(atb::Context **)>(&atb::CreateContext);
        Dl_info info{};
        if (dladdr(reinterpret_cast<void *>(create), &info) != 0 && info.dli_fname != nullptr) {
            handle = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
            base = info.dli_fbase;
        }
    }
};

} // namespace

atb_status getAtbVersion(char *text, size_t size, size_t *length) noexcept
{
    return guarded([&] {
        copyText(atb::Utils::GetAtbVersion(), text, size, length);
        return ATB_NO_ERROR;
    });
}

atb_status getTensorSize(const atb_tensor_desc *desc, uint64_t *bytes) noexcept
{
    return guarded([&] {
        checkShape(required(desc, "desc")->shape, "desc");
        *required(bytes, "bytes") = atb::Utils::GetTensorSize(toAtb(*desc));
        return ATB_NO_ERROR;
    });
}

atb_status getTensorNumel(const atb_tensor_desc *desc, uint64_t *elements) noexcept
{
    return guarded([&] {
        checkShape(required(desc, "desc")->shape, "desc");
        *required(elements, "elements") = atb::Utils::GetTensorNumel(toAtb(*desc));
        return ATB_NO_ERROR;
    });
}

atb_status quantParamConvert(const float *src, uint64_t *dest, uint64_t itemCount) noexcept
{
    return guarded([&] {
        requiredArray(src, itemCount, "src");
        requiredArray(dest, itemCount, "dest");
        atb::Utils::QuantParamConvert(src, dest, itemCount);
        return ATB_NO_ERROR;
    });
}

atb_status setLogLevel(int32_t level) noexcept
{
    return guarded([&] { return setLevel<atb::Utils>(level, 0); });
}

atb_status resetLogLevel() noexcept
{
    return guarded([] { return resetLevel<atb::Utils>(0); });
}

void *entryPoint(const char *name) noexcept
{
    static const Library library;
    if (name == nullptr || library.handle == nullptr) {
        return nullptr;
    }
    // The search goes on in the libraries that ATB needs; what is found there is not ATB's.
    void *const address = dlsym(library.handle, name);
    Dl_info info{};
    const bool own = address != nullptr && dladdr(address, &info) != 0 && info.dli_fbase == library.base;
    return own ? address : nullptr;
}

} // namespace shim
