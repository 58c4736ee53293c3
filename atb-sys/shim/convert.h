// Between the C types of the shim and the C++ types of ATB.
#ifndef ATB_SHIM_CONVERT_H
#define ATB_SHIM_CONVERT_H

#include <cstddef>

#include "atb/context.h"
#include "atb/operation.h"
#include "atb/types.h"
#include "guard.h"

namespace shim {

// Both sides of these types are the same memory; what follows would otherwise be wrong silently.
static_assert(ATB_MAX_DIM == atb::MAX_DIM, "MAX_DIM");
static_assert(sizeof(atb::Dims) == sizeof(atb_dims), "Dims");
static_assert(offsetof(atb::Dims, dims) == offsetof(atb_dims, dims), "Dims.dims");
static_assert(offsetof(atb::Dims, dimNum) == offsetof(atb_dims, dimNum), "Dims.dimNum");
static_assert(sizeof(atb::TensorDesc) == sizeof(atb_tensor_desc), "TensorDesc");
static_assert(sizeof(atb::TensorDesc::dtype) == sizeof(atb_tensor_desc::dtype), "TensorDesc.dtype");
static_assert(sizeof(atb::TensorDesc::format) == sizeof(atb_tensor_desc::format), "TensorDesc.format");
static_assert(offsetof(atb::TensorDesc, dtype) == offsetof(atb_tensor_desc, dtype), "TensorDesc.dtype");
static_assert(offsetof(atb::TensorDesc, format) == offsetof(atb_tensor_desc, format), "TensorDesc.format");
static_assert(offsetof(atb::TensorDesc, shape) == offsetof(atb_tensor_desc, shape), "TensorDesc.shape");
static_assert(sizeof(atb::Tensor) == sizeof(atb_tensor), "Tensor");
static_assert(offsetof(atb::Tensor, desc) == offsetof(atb_tensor, desc), "Tensor.desc");
static_assert(offsetof(atb::Tensor, deviceData) == offsetof(atb_tensor, deviceData), "Tensor.deviceData");
static_assert(offsetof(atb::Tensor, hostData) == offsetof(atb_tensor, hostData), "Tensor.hostData");
static_assert(offsetof(atb::Tensor, dataSize) == offsetof(atb_tensor, dataSize), "Tensor.dataSize");
static_assert(sizeof(atb::Chunk) == sizeof(atb_chunk), "Chunk");
static_assert(offsetof(atb::Chunk, chunkNum) == offsetof(atb_chunk, chunkNum), "Chunk.chunkNum");
static_assert(offsetof(atb::Chunk, chunkIndex) == offsetof(atb_chunk, chunkIndex), "Chunk.chunkIndex");

inline const atb::Dims &toAtb(const atb_dims &dims) { return reinterpret_cast<const atb::Dims &>(dims); }
inline const atb_dims &toC(const atb::Dims &dims) { return reinterpret_cast<const atb_dims &>(dims); }
inline const atb::TensorDesc &toAtb(const atb_tensor_desc &desc)
{
    return reinterpret_cast<const atb::TensorDesc &>(desc);
}
inline const atb_tensor_desc &toC(const atb::TensorDesc &desc)
{
    return reinterpret_cast<const atb_tensor_desc &>(desc);
}
inline const atb::Tensor &toAtb(const atb_tensor &tensor) { return reinterpret_cast<const atb::Tensor &>(tensor); }

inline const atb::Chunk &toAtb(const atb_chunk &chunk) { return reinterpret_cast<const atb::Chunk &>(chunk); }

// The pointers are the library's own.
inline atb::Context *toAtb(atb_context *context)
{
    return reinterpret_cast<atb::Context *>(required(context, "context"));
}
inline atb::Operation *toAtb(atb_operation *operation)
{
    return reinterpret_cast<atb::Operation *>(required(operation, "operation"));
}
inline const atb::Operation *toAtb(const atb_operation *operation)
{
    return reinterpret_cast<const atb::Operation *>(required(operation, "operation"));
}

// Gives what the library made to the caller; a success without an object is none.
template <class C, class Library> atb_status deliver(atb::Status status, Library *made, C **to)
{
    if (status == atb::NO_ERROR) {
        if (made == nullptr) {
            throw Refusal(ATB_ERROR_INTERNAL_ERROR, "ATB reported success but made nothing");
        }
        *to = reinterpret_cast<C *>(made);
    }
    return status;
}

// ATB itself trusts the number of dimensions and would read beyond the array.
inline void checkShape(const atb_dims &dims, const char *argument)
{
    if (dims.dimNum > ATB_MAX_DIM) {
        throw Refusal(ATB_SHIM_INVALID_ARGUMENT, std::string("`") + argument + "` has " +
                                                     std::to_string(dims.dimNum) + " dimensions, more than " +
                                                     std::to_string(ATB_MAX_DIM));
    }
}

// As above, for each of some tensors.
inline void checkShape(const atb_dims &dims, const char *argument, size_t index)
{
    if (dims.dimNum > ATB_MAX_DIM) {
        checkShape(dims, (std::string(argument) + "[" + std::to_string(index) + "]").c_str());
    }
}

// Refuses a vector that is longer than ATB can hold.
inline void checkLength(size_t length, size_t limit, const char *argument)
{
    if (length > limit) {
        throw Refusal(ATB_SHIM_INVALID_ARGUMENT, std::string("`") + argument + "` has " + std::to_string(length) +
                                                     " elements, more than ATB's limit of " + std::to_string(limit));
    }
}

// Makes a vector of ATB's as long as this. Versions differ in what grows by itself beyond the inline storage; to reserve
// first works in all of them.
template <class T> void resize(atb::SVector<T> &vector, size_t length, const char *argument)
{
    checkLength(length, atb::MAX_SVECTOR_SIZE, argument);
    if (length > atb::DEFAULT_SVECTOR_SIZE) {
        vector.reserve(length);
    }
    vector.resize(length);
}

// Fills a vector of ATB's from an array, each element by `element(value, index)`.
template <class T, class U, class Element>
void fill(atb::SVector<T> &vector, const U *values, size_t length, const char *argument, Element &&element)
{
    requiredArray(values, length, argument);
    resize(vector, length, argument);
    for (size_t i = 0; i < length; ++i) {
        vector[i] = element(values[i], i);
    }
}

template <class T> void fill(atb::SVector<T> &vector, const T *values, size_t length, const char *argument)
{
    fill(vector, values, length, argument, [](const T &value, size_t) { return value; });
}

} // namespace shim

#endif
