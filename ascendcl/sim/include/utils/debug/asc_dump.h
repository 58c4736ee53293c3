// Elements at a pointer of a kernel, printed.
#ifndef ASCENDC_MODEL_UTILS_DEBUG_DUMP_H
#define ASCENDC_MODEL_UTILS_DEBUG_DUMP_H

#include "kernel_operator.h"

namespace AscendCModel {

/// Prints what lies at `input`, when all that was issued before is done. A core without the memory prints nothing.
template <typename T> void DumpAt(const T* input, uint32_t desc, uint32_t count, Site at)
{
    const uint64_t address = AddressOf(input);
    const uint64_t space = address >> SPACE_SHIFT;
    const auto bytes = static_cast<uint32_t>(BytesOf<T>(count));
    BarrierOf(PIPE_ALL, at);
    if (space == 0) {
        ScalarAccess(address, bytes, false, at);
    } else if ((address & ((1ull << SPACE_SHIFT) - 1)) + bytes > current.view->size[space]) {
        Fail("asc_dump: beyond the end of the local memory", at);
    }
    constexpr const char* names[] = {"GM", "UB", "L1", "L0A", "L0B", "L0C", "BT", "FB"};
    Dump<T>(names[space], reinterpret_cast<const uint8_t*>(input), desc, count, at);
}

} // namespace AscendCModel

template <typename T>
__aicore__ inline void asc_dump_gm(__gm__ T* input, uint32_t desc, uint32_t dump_size, ASCENDC_MODEL_SITE)
{
    AscendCModel::DumpAt(input, desc, dump_size, at);
}
template <typename T>
__aicore__ inline void asc_dump_ubuf(__ubuf__ T* input, uint32_t desc, uint32_t dump_size, ASCENDC_MODEL_SITE)
{
    if constexpr (AscendCModel::IS_VECTOR) {
        AscendCModel::DumpAt(input, desc, dump_size, at);
    }
}
template <typename T>
__aicore__ inline void asc_dump_l1buf(__cbuf__ T* input, uint32_t desc, uint32_t dump_size, ASCENDC_MODEL_SITE)
{
    if constexpr (AscendCModel::IS_CUBE) {
        AscendCModel::DumpAt(input, desc, dump_size, at);
    }
}
/// L0C
template <typename T>
__aicore__ inline void asc_dump_cbuf(__cc__ T* input, uint32_t desc, uint32_t dump_size, ASCENDC_MODEL_SITE)
{
    if constexpr (AscendCModel::IS_CUBE) {
        AscendCModel::DumpAt(input, desc, dump_size, at);
    }
}
/// Of any of these memories
template <typename T>
__aicore__ inline void asc_dump(T* input, uint32_t desc, uint32_t dump_size, ASCENDC_MODEL_SITE)
{
    AscendCModel::DumpAt(input, desc, dump_size, at);
}

#endif
