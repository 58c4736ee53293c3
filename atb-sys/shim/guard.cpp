#include "guard.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <memory>
#include <new>
#include <typeinfo>

#include "entries.h"

namespace shim {
namespace {

// Of fixed size, because there may be no memory left when it is written.
thread_local char lastMessage[2048] = "";

// The name of the exception that is being handled, as C++ writes it.
std::string exceptionName()
{
    const std::type_info *type = abi::__cxa_current_exception_type();
    if (type == nullptr) {
        return "an unknown exception";
    }
    int status = 0;
    const std::unique_ptr<char, void (*)(void *)> name(abi::__cxa_demangle(type->name(), nullptr, nullptr, &status),
                                                       std::free);
    return name ? name.get() : type->name();
}

// Copies as much as fits, and a final zero.
void copyBytes(const char *from, size_t length, char *text, size_t size) noexcept
{
    if (size > 0) {
        const size_t copied = std::min(length, size - 1);
        std::memcpy(text, from, copied);
        text[copied] = '\0';
    }
}

} // namespace

void setMessage(const char *text) noexcept
{
    copyBytes(text, std::strlen(text), lastMessage, sizeof(lastMessage));
}

atb_status handledException() noexcept
{
    try {
        throw;
    } catch (const Refusal &refusal) {
        setMessage(refusal.what());
        return refusal.status();
    } catch (const std::bad_alloc &error) {
        // Says so without asking for memory.
        setMessage("std::bad_alloc: there is no memory left");
    } catch (const std::exception &error) {
        try {
            setMessage((exceptionName() + ": " + error.what()).c_str());
        } catch (...) {
            setMessage(error.what());
        }
    } catch (...) {
        try {
            setMessage((exceptionName() + ", which is not a std::exception").c_str());
        } catch (...) {
            setMessage("an exception that is not a std::exception");
        }
    }
    return ATB_SHIM_EXCEPTION;
}

void copyText(const std::string &from, char *text, size_t size, size_t *length)
{
    requiredArray(text, size, "text");
    *required(length, "length") = from.size();
    copyBytes(from.data(), from.size(), text, size);
}

void message(char *text, size_t size, size_t *length) noexcept
{
    const size_t whole = std::strlen(lastMessage);
    if (text != nullptr) {
        copyBytes(lastMessage, whole, text, size);
    }
    if (length != nullptr) {
        *length = whole;
    }
}

} // namespace shim
