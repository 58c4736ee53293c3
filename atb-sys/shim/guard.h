// Keeps C++ on its side of the boundary: exceptions become a status and a text, wrong pointers are refused.
#ifndef ATB_SHIM_GUARD_H
#define ATB_SHIM_GUARD_H

#include <stdexcept>
#include <string>
#include <utility>

#include "atb_shim.h"

namespace shim {

// A call that the shim itself refuses.
class Refusal : public std::runtime_error {
public:
    Refusal(atb_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
    atb_status status() const noexcept { return status_; }

private:
    atb_status status_;
};

// What this thread's last call that failed had to say.
void setMessage(const char *text) noexcept;

// Turns the exception that is being handled into a status, and keeps its text.
atb_status handledException() noexcept;

// Runs an entry of the table.
template <class Call> atb_status guarded(Call &&call) noexcept
{
    try {
        const atb_status status = std::forward<Call>(call)();
        if (status != ATB_NO_ERROR) {
            setMessage("");
        }
        return status;
    } catch (...) {
        return handledException();
    }
}

// Refuses a pointer that must not be null. Names are plain text: what is right costs no memory from the heap.
template <class T> T *required(T *pointer, const char *argument)
{
    if (pointer == nullptr) {
        throw Refusal(ATB_SHIM_INVALID_ARGUMENT, std::string("`") + argument + "` is null");
    }
    return pointer;
}

// Refuses an array without memory, unless it is empty.
template <class T> T *requiredArray(T *pointer, size_t length, const char *argument)
{
    return length == 0 ? pointer : required(pointer, argument);
}

// Refuses what the ATB that this was compiled for does not have.
[[noreturn]] inline atb_status unsupported(const std::string &what)
{
    throw Refusal(ATB_SHIM_UNSUPPORTED, "the ATB that this shim was compiled for does not have " + what);
}

// Copies a text out, as the header promises.
void copyText(const std::string &from, char *text, size_t size, size_t *length);

} // namespace shim

#endif
