// `atb::Operation`.

#include <algorithm>

#include "callbacks.h"
#include "convert.h"
#include "entries.h"

namespace shim {
namespace {

void fillTensors(atb::SVector<atb::Tensor> &vector, const atb_tensor *tensors, size_t length,
                 const char *argument)
{
    fill(vector, tensors, length, argument, [&](const atb_tensor &tensor, size_t i) {
        checkShape(tensor.desc.shape, argument, i);
        return toAtb(tensor);
    });
}

// The tensors of one call. Some 14 KB, but on the stack: a launch does not ask the heap for memory.
atb::VariantPack variantPack(const atb_tensor *inTensors, size_t inTensorNum, const atb_tensor *outTensors,
                             size_t outTensorNum)
{
    atb::VariantPack pack;
    fillTensors(pack.inTensors, inTensors, inTensorNum, "inTensors");
    fillTensors(pack.outTensors, outTensors, outTensorNum, "outTensors");
    return pack;
}

} // namespace

atb_status destroyOperation(atb_operation *operation) noexcept
{
    return guarded([&] { return atb::DestroyOperation(toAtb(operation)); });
}

atb_status getName(const atb_operation *operation, char *text, size_t size, size_t *length) noexcept
{
    return guarded([&] {
        copyText(toAtb(operation)->GetName(), text, size, length);
        return ATB_NO_ERROR;
    });
}

atb_status getInputNum(const atb_operation *operation, uint32_t *number) noexcept
{
    return guarded([&] {
        *required(number, "number") = toAtb(operation)->GetInputNum();
        return ATB_NO_ERROR;
    });
}

atb_status getOutputNum(const atb_operation *operation, uint32_t *number) noexcept
{
    return guarded([&] {
        *required(number, "number") = toAtb(operation)->GetOutputNum();
        return ATB_NO_ERROR;
    });
}

atb_status inferShape(const atb_operation *operation, const atb_tensor_desc *inTensorDescs, size_t inTensorNum,
                      atb_tensor_desc *outTensorDescs, size_t capacity, size_t *outTensorNum) noexcept
{
    return guarded([&] {
        requiredArray(outTensorDescs, capacity, "outTensorDescs");
        required(outTensorNum, "outTensorNum");
        atb::SVector<atb::TensorDesc> in;
        atb::SVector<atb::TensorDesc> out;
        fill(in, inTensorDescs, inTensorNum, "inTensorDescs", [](const atb_tensor_desc &desc, size_t i) {
            checkShape(desc.shape, "inTensorDescs", i);
            return toAtb(desc);
        });
        const ReshapeWatch watch;
        const atb::Status status = toAtb(operation)->InferShape(in, out);
        watch.check();
        if (status == atb::NO_ERROR) {
            for (size_t i = 0; i < std::min(out.size(), capacity); ++i) {
                outTensorDescs[i] = toC(out[i]);
            }
            *outTensorNum = out.size();
        }
        return status;
    });
}

atb_status setup(atb_operation *operation, const atb_tensor *inTensors, size_t inTensorNum,
                 const atb_tensor *outTensors, size_t outTensorNum, uint64_t *workspaceSize,
                 atb_context *context) noexcept
{
    return guarded([&] {
        required(workspaceSize, "workspaceSize");
        const atb::VariantPack pack = variantPack(inTensors, inTensorNum, outTensors, outTensorNum);
        const ReshapeWatch watch;
        uint64_t size = 0;
        const atb::Status status = toAtb(operation)->Setup(pack, size, toAtb(context));
        watch.check();
        if (status == atb::NO_ERROR) {
            *workspaceSize = size;
        }
        return status;
    });
}

atb_status execute(atb_operation *operation, const atb_tensor *inTensors, size_t inTensorNum,
                   const atb_tensor *outTensors, size_t outTensorNum, void *workspace, uint64_t workspaceSize,
                   atb_context *context) noexcept
{
    return guarded([&] {
        requiredArray(workspace, workspaceSize, "workspace");
        const atb::VariantPack pack = variantPack(inTensors, inTensorNum, outTensors, outTensorNum);
        const ReshapeWatch watch;
        const atb::Status status =
            toAtb(operation)->Execute(pack, static_cast<uint8_t *>(workspace), workspaceSize, toAtb(context));
        watch.check();
        return status;
    });
}

atb_status setExecuteStreamId(atb_operation *operation, uint32_t streamId) noexcept
{
    return guarded([&] { return atb::SetExecuteStreamId(toAtb(operation), streamId); });
}

atb_status getExecuteStreamId(atb_operation *operation, uint32_t *streamId) noexcept
{
    return guarded([&] {
        *required(streamId, "streamId") = atb::GetExecuteStreamId(toAtb(operation));
        return ATB_NO_ERROR;
    });
}

} // namespace shim
