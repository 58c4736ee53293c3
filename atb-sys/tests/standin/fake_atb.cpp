// A fake libatb: it keeps a record of what it is given, counts its objects, and fails and throws on demand. All its state is
// the calling thread's, so that tests do not disturb each other.

#include <cstring>
#include <stdexcept>

#include "atb/context.h"
#include "atb/operation.h"
#include "atb/utils.h"
#include "record.h"

namespace {

thread_local int64_t alive = 0;
thread_local int armedException = 0;
thread_local atb::Status armedStatus = atb::NO_ERROR;
thread_local std::string record;

// Every function of the library begins with this.
void enter()
{
    const int kind = armedException;
    armedException = 0;
    switch (kind) {
        case 1:
            throw std::runtime_error("the tiling data is gone");
        case 2:
            throw atb::MaxSizeExceeded();
        case 3:
            throw std::bad_alloc();
        case 4:
            throw 42;
        default:
            return;
    }
}

atb::Status status()
{
    const atb::Status armed = armedStatus;
    armedStatus = atb::NO_ERROR;
    return armed;
}

class FakeContext : public atb::Context {
public:
    FakeContext() { ++alive; }
    ~FakeContext() override
    {
        --alive;
        if (deallocate_) {
            deallocate_(memory_);
        }
    }
    void own(const std::function<void *(size_t)> &allocate, const std::function<void(void *)> &deallocate)
    {
        memory_ = allocate(4096);
        deallocate_ = deallocate;
    }

    atb::Status SetExecuteStream(aclrtStream stream) override
    {
        enter();
        streams_ = {stream};
        return status();
    }
    aclrtStream GetExecuteStream() const override
    {
        enter();
        return streams_.empty() ? nullptr : streams_.front();
    }
    atb::Status SetAsyncTilingCopyStatus(bool enable) override
    {
        enter();
        async_ = enable;
        return status();
    }
    bool GetAsyncTilingCopyStatus() const override
    {
        enter();
        return async_;
    }
    atb::Status SetExecuteStreams(const std::vector<aclrtStream> &streams) override
    {
        enter();
        streams_ = streams;
        return status();
    }
    std::vector<aclrtStream> GetExecuteStreams() override
    {
        enter();
        return streams_;
    }
    atb::Status SetExecuteType(atb::ExecuteType type) override
    {
        enter();
        type_ = type;
        return status();
    }
    atb::ExecuteType GetExecuteType() override
    {
        enter();
        return type_;
    }
#if STANDIN_NEWEST
    atb::Status SetLaunchMode(atb::LaunchMode mode) override
    {
        enter();
        mode_ = mode;
        return status();
    }
    atb::LaunchMode GetLaunchMode() override
    {
        enter();
        return mode_;
    }
#endif

private:
    std::vector<aclrtStream> streams_;
    bool async_ = false;
    atb::ExecuteType type_ = atb::EXECUTE_NORMAL;
#if STANDIN_NEWEST
    atb::LaunchMode mode_ = atb::KERNEL_LAUNCH_MODE;
#endif
    void *memory_ = nullptr;
    std::function<void(void *)> deallocate_;
};

// An operation of two inputs and one output, which has the first input's shape.
class FakeOperation : public atb::Operation {
public:
    explicit FakeOperation(std::string name) : name_(std::move(name)) { ++alive; }
    ~FakeOperation() override { --alive; }

    std::string GetName() const override
    {
        enter();
        return name_;
    }
    uint32_t GetInputNum() const override
    {
        enter();
        return 2;
    }
    uint32_t GetOutputNum() const override
    {
        enter();
        return 1;
    }
    atb::Status InferShape(const atb::SVector<atb::TensorDesc> &in,
                           atb::SVector<atb::TensorDesc> &out) const override
    {
        enter();
        std::ostringstream text;
        text << record << name_;
        for (const atb::TensorDesc &desc : in) {
            text << " ";
            write(text, desc);
        }
        record = text.str() + "; ";
        if (in.size() != GetInputNum()) {
            return atb::ERROR_INVALID_IN_TENSOR_NUM;
        }
        out.reserve(GetOutputNum());
        out.resize(GetOutputNum());
        for (atb::TensorDesc &desc : out) {
            desc = in.at(0);
        }
        return status();
    }
    atb::Status Setup(const atb::VariantPack &pack, uint64_t &workspaceSize, atb::Context *context) override
    {
        enter();
        std::ostringstream text;
        text << "setup " << name_;
        tensors(text, pack);
        text << (dynamic_cast<FakeContext *>(context) != nullptr ? " context" : " no context");
        record = text.str();
        workspaceSize = 4096 + pack.inTensors.size();
        return status();
    }
    atb::Status Execute(const atb::VariantPack &pack, uint8_t *workspace, uint64_t workspaceSize,
                        atb::Context *context) override
    {
        enter();
        std::ostringstream text;
        text << "execute " << name_;
        tensors(text, pack);
        text << " workspace@" << reinterpret_cast<uintptr_t>(workspace) << "+" << workspaceSize;
        text << (dynamic_cast<FakeContext *>(context) != nullptr ? " context" : " no context");
        record = text.str();
        return status();
    }

    uint32_t streamId = 0;

private:
    static void tensors(std::ostream &out, const atb::VariantPack &pack)
    {
        for (const atb::Tensor &tensor : pack.inTensors) {
            out << " ";
            write(out, tensor);
        }
        out << " ->";
        for (const atb::Tensor &tensor : pack.outTensors) {
            out << " ";
            write(out, tensor);
        }
    }

    std::string name_;
};

// A graph, which infers shapes through its nodes.
class FakeGraph : public FakeOperation {
public:
    explicit FakeGraph(const atb::GraphParam &graph) : FakeOperation(graph.name), graph_(graph) {}
    ~FakeGraph() override
    {
        for (atb::Node &node : graph_.nodes) {
            atb::DestroyOperation(node.operation);
        }
    }
    uint32_t GetInputNum() const override { return graph_.inTensorNum; }
    uint32_t GetOutputNum() const override { return graph_.outTensorNum; }
    atb::Status InferShape(const atb::SVector<atb::TensorDesc> &in,
                           atb::SVector<atb::TensorDesc> &out) const override
    {
        if (graph_.inferShapeFunc) {
            return graph_.inferShapeFunc(in, out);
        }
        if (graph_.nodes.empty()) {
            return FakeOperation::InferShape(in, out);
        }
        std::vector<atb::TensorDesc> all(graph_.inTensorNum + graph_.outTensorNum + graph_.internalTensorNum);
        std::copy(in.begin(), in.end(), all.begin());
        record.clear();
        for (const atb::Node &node : graph_.nodes) {
            atb::SVector<atb::TensorDesc> descs;
            for (size_t i = 0; i < node.inTensorIds.size(); ++i) {
                atb::TensorDesc desc = all.at(node.inTensorIds[i]);
                if (i < node.inTensorReshapeFuncs.size() && node.inTensorReshapeFuncs[i]) {
                    atb::Dims shape;
                    node.inTensorReshapeFuncs[i](desc.shape, shape);
                    desc.shape = shape;
                }
                if (i < node.inTensorChunks.size()) {
                    desc.shape.dims[0] /= node.inTensorChunks[i].chunkNum;
                }
                descs.push_back(desc);
            }
            atb::SVector<atb::TensorDesc> results;
            const atb::Status inferred = node.operation->InferShape(descs, results);
            if (inferred != atb::NO_ERROR) {
                return inferred;
            }
            for (size_t i = 0; i < node.outTensorIds.size(); ++i) {
                all.at(node.outTensorIds[i]) = results.at(i);
            }
        }
        out.resize(graph_.outTensorNum);
        for (size_t i = 0; i < out.size(); ++i) {
            out[i] = all.at(graph_.inTensorNum + i);
        }
        return atb::NO_ERROR;
    }

private:
    atb::GraphParam graph_;
};

template <class P> bool reserveIsZero(const P &param)
{
    for (const uint8_t byte : param.rsv) {
        if (byte != 0) {
            return false;
        }
    }
    return true;
}

template <class P> atb::Status create(const char *name, const P &param, atb::Operation **operation)
{
    enter();
    record = shown(name, param);
    if (!reserveIsZero(param)) {
        return atb::ERROR_INVALID_PARAM;
    }
    const atb::Status result = status();
    if (result == atb::NO_ERROR) {
        *operation = new FakeOperation(name);
    }
    return result;
}

template <class P> atb::Status update(const char *name, const P &param, atb::Operation *operation)
{
    enter();
    if (operation->GetName() != name) {
        return atb::ERROR_INVALID_PARAM;
    }
    record = "update " + shown(name, param);
    return status();
}

size_t copy(const std::string &from, char *text, size_t size)
{
    std::strncpy(text, from.c_str(), size - 1);
    text[size - 1] = '\0';
    return from.size();
}

} // namespace

namespace atb {

#define OPERATION(parameter)                                                                                           \
    template <> Status CreateOperation(const infer::parameter &param, Operation **operation)                           \
    {                                                                                                                  \
        return create(#parameter, param, operation);                                                                   \
    }                                                                                                                  \
    template <> Status UpdateOperationParam(Operation *operation, const infer::parameter &param)                       \
    {                                                                                                                  \
        return update(#parameter, param, operation);                                                                   \
    }
#define OPERATIONS(each)                                                                                               \
    each(ActivationParam) each(ConcatParam) each(ElewiseParam) each(GatherParam) each(LinearParam)                     \
        each(MlaPreprocessParam) each(MultiLatentAttentionParam) each(PagedAttentionParam) each(ReshapeAndCacheParam)  \
            each(RmsNormParam) each(RopeParam) each(RopeQConcatParam) each(SliceParam) each(SoftmaxParam)              \
                each(SplitParam) each(TransdataParam) each(TransposeParam)
OPERATIONS(OPERATION)

template <> Status CreateOperation(const GraphParam &param, Operation **operation)
{
    enter();
    // The checks of which the shim's promise about ownership depends: they come before there is an owner.
    for (const Node &node : param.nodes) {
        if (node.inTensorIds.size() != node.operation->GetInputNum() ||
            node.outTensorIds.size() != node.operation->GetOutputNum()) {
            return ERROR_INVALID_GRAPH;
        }
    }
    *operation = new FakeGraph(param);
    return NO_ERROR;
}

Status DestroyOperation(Operation *operation)
{
    enter();
    delete operation;
    return status();
}
Status SetExecuteStreamId(Operation *operation, uint32_t streamId)
{
    enter();
    dynamic_cast<FakeOperation &>(*operation).streamId = streamId;
    return status();
}
uint32_t GetExecuteStreamId(Operation *operation)
{
    enter();
    return dynamic_cast<FakeOperation &>(*operation).streamId;
}

Status CreateContext(Context **context)
{
    enter();
    const Status result = status();
    if (result == NO_ERROR) {
        *context = new FakeContext();
    }
    return result;
}
#if STANDIN_NEWEST
Status CreateContext(Context **context, const std::function<void *(size_t)> &alloc,
                     const std::function<void(void *)> &dealloc)
{
    auto *made = new FakeContext();
    made->own(alloc, dealloc);
    *context = made;
    return NO_ERROR;
}
Status CreateContext(Context **context, uint32_t hostTilingBlockNum, uint32_t deviceTilingBlockNum)
{
    record = "blocks " + std::to_string(hostTilingBlockNum) + " " + std::to_string(deviceTilingBlockNum);
    *context = new FakeContext();
    return NO_ERROR;
}
#endif
Status DestroyContext(Context *context)
{
    enter();
    delete context;
    return status();
}

std::string Utils::GetAtbVersion()
{
    enter();
    return STANDIN_NEWEST ? "a stand-in of the newest version" : "a stand-in of 8.1";
}
uint64_t Utils::GetTensorSize(const TensorDesc &desc)
{
    return GetTensorNumel(desc) * (desc.dtype == ACL_INT8 ? 1 : 2);
}
uint64_t Utils::GetTensorNumel(const TensorDesc &desc)
{
    enter();
    uint64_t elements = desc.shape.dimNum == 0 ? 0 : 1;
    for (uint64_t i = 0; i < desc.shape.dimNum; ++i) {
        elements *= static_cast<uint64_t>(desc.shape.dims[i]);
    }
    return elements;
}
uint64_t Utils::GetTensorSize(const Tensor &tensor) { return GetTensorSize(tensor.desc); }
uint64_t Utils::GetTensorNumel(const Tensor &tensor) { return GetTensorNumel(tensor.desc); }
void Utils::QuantParamConvert(const float *src, uint64_t *dest, uint64_t itemCount)
{
    enter();
    for (uint64_t i = 0; i < itemCount; ++i) {
        uint32_t bits = 0;
        std::memcpy(&bits, src + i, sizeof(bits));
        dest[i] = bits;
    }
}
#if STANDIN_NEWEST
Status Utils::SetLogLevel(const LogLevel level)
{
    enter();
    record = "level " + std::to_string(static_cast<int>(level));
    return NO_ERROR;
}
Status Utils::ResetLogLevel()
{
    enter();
    record = "level reset";
    return NO_ERROR;
}
#endif

} // namespace atb

extern "C" {

// One of the C functions of newer versions; it says whether it got real objects.
#if STANDIN_NEWEST
atb::Status AtbMLAPreprocess(void *, uint64_t workspaceSize, atb::Operation *operation, atb::Context *context)
{
    record = operation->GetName() + " " + std::to_string(workspaceSize);
    return dynamic_cast<FakeContext *>(context) != nullptr ? atb::NO_ERROR : atb::ERROR_INVALID_CONTEXT_ADDR;
}
#endif

// What tests ask and demand.
int64_t fake_alive() { return alive; }
void fake_throw(int kind) { armedException = kind; }
void fake_fail(int32_t code) { armedStatus = code; }
size_t fake_record(char *text, size_t size)
{
    const size_t length = copy(record, text, size);
    record.clear();
    return length;
}
// How the default of a parameter looks.
size_t fake_default(const char *name, char *text, size_t size)
{
#define SHOW_DEFAULT(parameter)                                                                                        \
    if (std::strcmp(name, #parameter) == 0) {                                                                          \
        return copy(shown(#parameter, atb::infer::parameter()), text, size);                                           \
    }
    OPERATIONS(SHOW_DEFAULT)
    return copy("no such parameter", text, size);
}

}
