// How a parameter's C struct and ATB's C++ struct correspond: each pair is described once, field by field, and read in both
// directions.
#ifndef ATB_SHIM_PARAMETER_H
#define ATB_SHIM_PARAMETER_H

#include <limits>
#include <string>
#include <type_traits>

#include "convert.h"

namespace shim {

// The direction from the caller to the library: `field`, `newer`, `array` and `fixed` assign to ATB's struct.
class ToLibrary {
public:
    explicit ToLibrary(const char *parameter) : parameter_(parameter) {}

    // A number that both sides have.
    template <class C, class L> void field(const char *name, const C &from, L &to) const
    {
        if constexpr (std::is_enum_v<L>) {
            using Number = std::underlying_type_t<L>;
            // An enumeration of ATB may be as small as a byte; a value that does not fit must not become another one.
            if (from < std::numeric_limits<Number>::min() || from > std::numeric_limits<Number>::max()) {
                throw Refusal(ATB_ERROR_INVALID_PARAM, path(name) + " has no value " + std::to_string(from));
            }
        }
        to = static_cast<L>(from);
    }

    // A number that the installed version may lack. `member` gives it of those structs that have it.
    template <class C, class L, class Member>
    void newer(const char *name, const C &from, L &to, Member member) const
    {
        if constexpr (std::is_invocable_v<Member, L &>) {
            field(name, from, member(to));
        } else if (!(from == C())) {
            unsupported(path(name) + ", which is " + std::to_string(from));
        }
    }

    // An array that has its length beside it.
    template <class C, class T>
    void array(const char *name, const C *const &from, const size_t &length, atb::SVector<T> &to) const
    {
        static_assert(std::is_same_v<C, T>, "both sides count in the same type");
        fill(to, from, length, path(name).c_str());
    }

    // An array of a length that never changes.
    template <class C, size_t length, class T>
    void fixed(const char *name, const C (&from)[length], atb::SVector<T> &to) const
    {
        fill(to, from, length, path(name).c_str());
    }

private:
    std::string path(const char *name) const { return std::string(parameter_) + "." + name; }

    const char *parameter_;
};

// The direction from the library to the caller, which only defaults take.
class FromLibrary {
public:
    template <class C, class L> void field(const char *, C &to, const L &from) const { to = static_cast<C>(from); }

    template <class C, class L, class Member> void newer(const char *, C &to, const L &from, Member member) const
    {
        if constexpr (std::is_invocable_v<Member, const L &>) {
            to = static_cast<C>(member(from));
        } else {
            to = C();
        }
    }

    // ATB has no default that is not empty, and there would be nobody to own it.
    template <class C, class T>
    void array(const char *, const C *&to, size_t &length, const atb::SVector<T> &) const
    {
        to = nullptr;
        length = 0;
    }

    template <class C, size_t length, class T>
    void fixed(const char *, C (&to)[length], const atb::SVector<T> &from) const
    {
        for (size_t i = 0; i < length; ++i) {
            to[i] = i < from.size() ? from[i] : C();
        }
    }
};

} // namespace shim

#endif
