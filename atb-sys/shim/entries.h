// The functions that fill the table, by the file that has them. Their types are those of `atb_functions`.
#ifndef ATB_SHIM_ENTRIES_H
#define ATB_SHIM_ENTRIES_H

#include "atb_shim.h"

namespace shim {

// guard.cpp
void message(char *text, size_t size, size_t *length) noexcept;

// library.cpp
atb_status getAtbVersion(char *text, size_t size, size_t *length) noexcept;
atb_status getTensorSize(const atb_tensor_desc *desc, uint64_t *bytes) noexcept;
atb_status getTensorNumel(const atb_tensor_desc *desc, uint64_t *elements) noexcept;
atb_status quantParamConvert(const float *src, uint64_t *dest, uint64_t itemCount) noexcept;
atb_status setLogLevel(int32_t level) noexcept;
atb_status resetLogLevel() noexcept;
void *entryPoint(const char *name) noexcept;

// context.cpp
atb_status createContext(atb_context **context) noexcept;
atb_status createContextWithAllocator(atb_tiling_allocator allocator, atb_context **context) noexcept;
atb_status createContextWithTilingBlocks(uint32_t hostTilingBlockNum, uint32_t deviceTilingBlockNum,
                                         atb_context **context) noexcept;
atb_status destroyContext(atb_context *context) noexcept;
atb_status setExecuteStream(atb_context *context, void *stream) noexcept;
atb_status getExecuteStream(atb_context *context, void **stream) noexcept;
atb_status setExecuteStreams(atb_context *context, void *const *streams, size_t streamNum) noexcept;
atb_status getExecuteStreams(atb_context *context, void **streams, size_t capacity, size_t *streamNum) noexcept;
atb_status setAsyncTilingCopyStatus(atb_context *context, bool enable) noexcept;
atb_status getAsyncTilingCopyStatus(atb_context *context, bool *enable) noexcept;
atb_status setExecuteType(atb_context *context, int32_t type) noexcept;
atb_status getExecuteType(atb_context *context, int32_t *type) noexcept;
atb_status setLaunchMode(atb_context *context, int32_t mode) noexcept;
atb_status getLaunchMode(atb_context *context, int32_t *mode) noexcept;

// operation.cpp
atb_status destroyOperation(atb_operation *operation) noexcept;
atb_status getName(const atb_operation *operation, char *text, size_t size, size_t *length) noexcept;
atb_status getInputNum(const atb_operation *operation, uint32_t *number) noexcept;
atb_status getOutputNum(const atb_operation *operation, uint32_t *number) noexcept;
atb_status inferShape(const atb_operation *operation, const atb_tensor_desc *inTensorDescs, size_t inTensorNum,
                      atb_tensor_desc *outTensorDescs, size_t capacity, size_t *outTensorNum) noexcept;
atb_status setup(atb_operation *operation, const atb_tensor *inTensors, size_t inTensorNum,
                 const atb_tensor *outTensors, size_t outTensorNum, uint64_t *workspaceSize,
                 atb_context *context) noexcept;
atb_status execute(atb_operation *operation, const atb_tensor *inTensors, size_t inTensorNum,
                   const atb_tensor *outTensors, size_t outTensorNum, void *workspace, uint64_t workspaceSize,
                   atb_context *context) noexcept;
atb_status setExecuteStreamId(atb_operation *operation, uint32_t streamId) noexcept;
atb_status getExecuteStreamId(atb_operation *operation, uint32_t *streamId) noexcept;

// graph.cpp
atb_status createGraph(const atb_graph_param *param, atb_operation **operation) noexcept;

// parameters.cpp: its part of the table, which is many functions of few templates.
void fillParameters(atb_functions &table) noexcept;

} // namespace shim

#endif
