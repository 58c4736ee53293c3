// A stand-in for ATB's vector: its layout, its limits, and how it fails. With STANDIN_NEWEST=1 it grows as newer versions do.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <new>
#include <stdexcept>

namespace atb {

constexpr std::size_t MAX_SVECTOR_SIZE = 256;
constexpr std::size_t DEFAULT_SVECTOR_SIZE = 64;

struct MaxSizeExceeded : public std::exception {};

template <class T> class SVector {
public:
    SVector()
    {
        for (T &element : storage_) {
            element = T();
        }
    }
    SVector(std::initializer_list<T> list) : SVector()
    {
        resize(list.size());
        std::size_t i = 0;
        for (const T &element : list) {
            data()[i++] = element;
        }
    }
    SVector(const SVector &other) : SVector()
    {
        // Every version copies into a new vector what it should.
        reserve(other.size_);
        take(other);
    }
    SVector &operator=(const SVector &other)
    {
#if STANDIN_NEWEST
        if (this != &other) {
            reserve(other.size_);
            take(other);
        }
#else
        // Older versions would run over the inline storage.
        if (other.size_ > DEFAULT_SVECTOR_SIZE && heap_ == nullptr) {
            std::abort();
        }
        take(other);
#endif
        return *this;
    }
    ~SVector() { std::free(heap_); }

    T *data() noexcept { return heap_ != nullptr ? heap_ : storage_; }
    const T *data() const noexcept { return heap_ != nullptr ? heap_ : storage_; }
    T *begin() noexcept { return data(); }
    T *end() noexcept { return data() + size_; }
    const T *begin() const noexcept { return data(); }
    const T *end() const noexcept { return data() + size_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    void clear() noexcept { size_ = 0; }

    T &operator[](std::size_t i) { return at(i); }
    const T &operator[](std::size_t i) const { return at(i); }
    T &at(std::size_t i)
    {
        check(i);
        return data()[i];
    }
    const T &at(std::size_t i) const
    {
        check(i);
        return data()[i];
    }

    void resize(std::size_t size)
    {
        if (heap_ != nullptr && size > capacity_) {
            throw MaxSizeExceeded();
        }
        if (heap_ == nullptr && size > DEFAULT_SVECTOR_SIZE) {
#if STANDIN_NEWEST
            reserve(MAX_SVECTOR_SIZE);
#endif
        }
        // Older versions take any size here, and fail when an element is used.
        size_ = size;
    }

    // Forgets what was in it.
    void reserve(std::size_t size)
    {
        if (size > MAX_SVECTOR_SIZE) {
            throw MaxSizeExceeded();
        }
        if (size <= DEFAULT_SVECTOR_SIZE) {
            return;
        }
        std::free(heap_);
        heap_ = static_cast<T *>(std::calloc(size, sizeof(T)));
        if (heap_ == nullptr) {
            throw std::bad_alloc();
        }
        capacity_ = size;
    }

    void push_back(const T &value)
    {
        resize(size_ + 1);
        at(size_ - 1) = value;
    }

private:
    void check(std::size_t i) const
    {
        if (i >= size_ || (heap_ == nullptr && i >= DEFAULT_SVECTOR_SIZE)) {
            throw std::out_of_range("an index beyond the vector");
        }
    }
    void take(const SVector &other)
    {
        size_ = other.size_;
        for (std::size_t i = 0; i < size_; ++i) {
            data()[i] = other.data()[i];
        }
    }

    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
    T storage_[DEFAULT_SVECTOR_SIZE + 1];
    T *heap_ = nullptr;
};

} // namespace atb
