#include "callbacks.h"

namespace shim {
namespace {

// ATB calls the functions of a graph on the thread that calls the graph.
thread_local bool reshapeFailed = false;
thread_local std::string reshapeFailure;

void reshapeFails(const std::string &what)
{
    if (!reshapeFailed) {
        reshapeFailed = true;
        reshapeFailure = what;
    }
}

} // namespace

atb::ReshapeFunc reshapeFunction(const atb_reshape &reshape)
{
    if (reshape.function == nullptr) {
        return nullptr;
    }
    return [reshape](const atb::Dims &oldShape, atb::Dims &newShape) {
        atb_dims shape = toC(oldShape);
        const atb_status status = reshape.function(reshape.data, &toC(oldShape), &shape);
        if (status == ATB_NO_ERROR && shape.dimNum <= ATB_MAX_DIM) {
            newShape = toAtb(shape);
            return;
        }
        newShape = oldShape;
        reshapeFails(status == ATB_NO_ERROR
                         ? "a reshape function answered " + std::to_string(shape.dimNum) + " dimensions"
                         : "a reshape function failed with status " + std::to_string(status));
    };
}

atb::InferShapeFunc inferShapeFunction(const atb_infer_shape &inferShape, size_t outTensorNum)
{
    if (inferShape.function == nullptr) {
        return nullptr;
    }
    return [inferShape, outTensorNum](const atb::SVector<atb::TensorDesc> &inTensorDescs,
                                      atb::SVector<atb::TensorDesc> &outTensorDescs) -> atb::Status {
        resize(outTensorDescs, outTensorNum, "outTensorDescs");
        for (atb::TensorDesc &desc : outTensorDescs) {
            desc = atb::TensorDesc();
        }
        const atb_status status = inferShape.function(
            inferShape.data, reinterpret_cast<const atb_tensor_desc *>(inTensorDescs.data()), inTensorDescs.size(),
            reinterpret_cast<atb_tensor_desc *>(outTensorDescs.data()), outTensorNum);
        for (atb::TensorDesc &desc : outTensorDescs) {
            if (desc.shape.dimNum > ATB_MAX_DIM) {
                desc = atb::TensorDesc();
                return status == ATB_NO_ERROR ? atb::ERROR_GRAPH_INFERSHAPE_FUNC_FAIL : status;
            }
        }
        return status;
    };
}

ReshapeWatch::ReshapeWatch() noexcept : outer_(reshapeFailed)
{
    reshapeFailed = false;
}

ReshapeWatch::~ReshapeWatch()
{
    reshapeFailed = outer_;
}

void ReshapeWatch::check() const
{
    if (reshapeFailed) {
        throw Refusal(ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL, reshapeFailure);
    }
}

} // namespace shim
