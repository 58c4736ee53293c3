// `atb::GraphParam`.

#include <set>

#include "callbacks.h"
#include "convert.h"
#include "entries.h"

namespace shim {
namespace {

// Fills a vector that ATB copies when it is used. Where it is longer than the inline storage, ATB assigns to memory in which no
// element was constructed (functions), or reads beyond the storage (older versions, anything); so that is refused.
template <class T, class U, class Element>
void fillInline(atb::SVector<T> &vector, const U *values, size_t length, const std::string &argument,
                Element &&element)
{
    checkLength(length, atb::DEFAULT_SVECTOR_SIZE, argument.c_str());
    fill(vector, values, length, argument.c_str(), element);
}

void fillNode(atb::Node &node, const atb_node &from, const std::string &name)
{
    node.operation = reinterpret_cast<atb::Operation *>(required(from.operation, (name + ".operation").c_str()));
    fill(node.inTensorIds, from.inTensorIds, from.inTensorNum, (name + ".inTensorIds").c_str());
    fill(node.outTensorIds, from.outTensorIds, from.outTensorNum, (name + ".outTensorIds").c_str());
    if (from.inTensorReshapes != nullptr) {
        fillInline(node.inTensorReshapeFuncs, from.inTensorReshapes, from.inTensorNum, name + ".inTensorReshapes",
                   [](const atb_reshape &reshape, size_t) { return reshapeFunction(reshape); });
    }
    if (from.inTensorChunks != nullptr) {
        fillInline(node.inTensorChunks, from.inTensorChunks, from.inTensorNum, name + ".inTensorChunks",
                   [](const atb_chunk &chunk, size_t) { return toAtb(chunk); });
    }
}

} // namespace

// `GraphOperation` becomes the owner of the operations in its destructor alone. `CreateOperation` checks the whole graph before
// it makes one, so that a graph that is refused leaves them to the caller.
atb_status createGraph(const atb_graph_param *param, atb_operation **operation) noexcept
{
    return guarded([&] {
        required(param, "param");
        required(operation, "operation");
        requiredArray(param->nodes, param->nodeNum, "nodes");

        atb::GraphParam graph;
        graph.name = required(param->name, "name");
        graph.inTensorNum = param->inTensorNum;
        graph.outTensorNum = param->outTensorNum;
        graph.internalTensorNum = param->internalTensorNum;
        graph.inferShapeFunc = inferShapeFunction(param->inferShape, param->outTensorNum);

        // In place, because copies of vectors are what older versions of ATB get wrong.
        graph.nodes.resize(param->nodeNum);
        std::set<const atb_operation *> owned;
        for (size_t i = 0; i < param->nodeNum; ++i) {
            const std::string name = "nodes[" + std::to_string(i) + "]";
            fillNode(graph.nodes[i], param->nodes[i], name);
            if (!owned.insert(param->nodes[i].operation).second) {
                throw Refusal(ATB_SHIM_INVALID_ARGUMENT,
                              "`" + name + ".operation` is that of another node, and the graph can own it only once");
            }
        }

        atb::Operation *made = nullptr;
        const atb::Status status = atb::CreateOperation(graph, &made);
        return deliver(status, made, operation);
    });
}

} // namespace shim
