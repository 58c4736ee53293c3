// A stand-in for ATB's operations: the order of their virtual functions, and the functions around them.
#pragma once

#include <string>

#include "atb/context.h"
#include "atb/types.h"

namespace atb {

class Operation {
public:
    Operation() = default;
    virtual ~Operation() = default;
    virtual std::string GetName() const = 0;
    virtual Status InferShape(const SVector<TensorDesc> &in, SVector<TensorDesc> &out) const = 0;
    virtual uint32_t GetInputNum() const = 0;
    virtual uint32_t GetOutputNum() const = 0;
    virtual Status Setup(const VariantPack &variantPack, uint64_t &workspaceSize, Context *context) = 0;
    virtual Status Execute(const VariantPack &variantPack, uint8_t *workspace, uint64_t workspaceSize,
                           Context *context) = 0;
};

template <typename OpParam> Status CreateOperation(const OpParam &opParam, Operation **operation);
template <typename OpParam> Status UpdateOperationParam(Operation *operation, const OpParam &opParam);
Status DestroyOperation(Operation *operation);
Status SetExecuteStreamId(Operation *operation, uint32_t streamId);
uint32_t GetExecuteStreamId(Operation *operation);

} // namespace atb
