// Prints the layouts and the defaults of the stand-in as assertions, which the compiler then checks against ATB's own headers.

#include <cstddef>
#include <cstdio>

#include "atb/context.h"
#include "atb/infer_op_params.h"
#include "atb/operation.h"
#include "atb/utils.h"

#define SIZE(type) std::printf("static_assert(sizeof(%s) == %zu, \"%s\");\n", #type, sizeof(type), #type)
#define FIELD(type, member)                                                                                            \
    std::printf("static_assert(offsetof(%s, %s) == %zu && sizeof(%s::%s) == %zu, \"%s.%s\");\n", #type, #member,       \
                offsetof(type, member), #type, #member, sizeof(type::member), #type, #member)
#define DEFAULT(type, member)                                                                                          \
    std::printf("static_assert(static_cast<double>(%s{}.%s) == %a, \"default of %s.%s\");\n", #type, #member,          \
                static_cast<double>(type{}.member), #type, #member)
#define BOTH(type, member)                                                                                             \
    FIELD(type, member);                                                                                               \
    DEFAULT(type, member)
#define VALUE(name) std::printf("static_assert(static_cast<int>(%s) == %d, \"%s\");\n", #name, static_cast<int>(name), #name)

using namespace atb;
using namespace atb::infer;

int main()
{
    std::puts("#include <cstddef>\n#include \"atb/context.h\"\n#include \"atb/infer_op_params.h\"\n"
              "#include \"atb/operation.h\"\n#include \"atb/utils.h\"\nusing namespace atb;\nusing namespace atb::infer;");
    VALUE(ERROR_INVALID_PARAM);
    VALUE(ERROR_GRAPH_INFERSHAPE_FUNC_FAIL);
    VALUE(ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL);
    VALUE(ERROR_COPY_HOST_MEMORY_FAIL);
    VALUE(EXECUTE_LAUNCH);
#if STANDIN_NEWEST
    VALUE(GRAPH_LAUNCH_MODE);
    VALUE(LogLevel::NONE);
#endif
    SIZE(SVector<int32_t>);
    SIZE(SVector<Tensor>);
    SIZE(Dims);
    SIZE(TensorDesc);
    SIZE(Tensor);
    SIZE(VariantPack);
    SIZE(Chunk);
    DEFAULT(Chunk, chunkNum);
    SIZE(Node);
    FIELD(Node, inTensorReshapeFuncs);
    FIELD(Node, inTensorChunks);
    SIZE(GraphParam);
    FIELD(GraphParam, nodes);
    FIELD(GraphParam, inferShapeFunc);
    SIZE(ActivationParam);
    BOTH(ActivationParam, activationType);
    BOTH(ActivationParam, scale);
    BOTH(ActivationParam, dim);
    BOTH(ActivationParam, geluMode);
    SIZE(ConcatParam);
    BOTH(ConcatParam, concatDim);
    SIZE(ElewiseParam);
    BOTH(ElewiseParam, elewiseType);
    BOTH(ElewiseParam, quantParam.inputScale);
    BOTH(ElewiseParam, quantParam.asymmetric);
    BOTH(ElewiseParam, quantParam.inputOffset);
    BOTH(ElewiseParam, mulsParam.varAttr);
    BOTH(ElewiseParam, outTensorType);
    SIZE(GatherParam);
    BOTH(GatherParam, axis);
    BOTH(GatherParam, batchDims);
    SIZE(LinearParam);
    BOTH(LinearParam, transposeA);
    BOTH(LinearParam, transposeB);
    BOTH(LinearParam, hasBias);
    BOTH(LinearParam, outDataType);
    BOTH(LinearParam, enAccum);
    BOTH(LinearParam, matmulType);
    SIZE(MlaPreprocessParam);
    BOTH(MlaPreprocessParam, wdqDim);
    BOTH(MlaPreprocessParam, qRopeDim);
    BOTH(MlaPreprocessParam, kRopeDim);
    BOTH(MlaPreprocessParam, epsilon);
    BOTH(MlaPreprocessParam, qRotaryCoeff);
    BOTH(MlaPreprocessParam, kRotaryCoeff);
    BOTH(MlaPreprocessParam, transposeWdq);
    BOTH(MlaPreprocessParam, transposeWuq);
    BOTH(MlaPreprocessParam, transposeWuk);
    BOTH(MlaPreprocessParam, cacheMode);
    BOTH(MlaPreprocessParam, quantMode);
    SIZE(MultiLatentAttentionParam);
    BOTH(MultiLatentAttentionParam, headNum);
    BOTH(MultiLatentAttentionParam, qkScale);
    BOTH(MultiLatentAttentionParam, kvHeadNum);
    BOTH(MultiLatentAttentionParam, maskType);
    BOTH(MultiLatentAttentionParam, calcType);
    BOTH(MultiLatentAttentionParam, cacheMode);
    SIZE(PagedAttentionParam);
    BOTH(PagedAttentionParam, headNum);
    BOTH(PagedAttentionParam, qkScale);
    BOTH(PagedAttentionParam, kvHeadNum);
    BOTH(PagedAttentionParam, maskType);
    BOTH(PagedAttentionParam, batchRunStatusEnable);
    BOTH(PagedAttentionParam, quantType);
    BOTH(PagedAttentionParam, outDataType);
    BOTH(PagedAttentionParam, hasQuantOffset);
    BOTH(PagedAttentionParam, compressType);
    BOTH(PagedAttentionParam, calcType);
    BOTH(PagedAttentionParam, scaleType);
    BOTH(PagedAttentionParam, inputLayout);
    BOTH(PagedAttentionParam, mlaVHeadSize);
#if STANDIN_NEWEST
    BOTH(LinearParam, quantMode);
    BOTH(MultiLatentAttentionParam, windowSize);
    BOTH(MultiLatentAttentionParam, maskUseStatusType);
    BOTH(PagedAttentionParam, qScale);
#endif
    SIZE(ReshapeAndCacheParam);
    BOTH(ReshapeAndCacheParam, compressType);
    BOTH(ReshapeAndCacheParam, kvCacheCfg);
    SIZE(RmsNormParam);
    BOTH(RmsNormParam, layerType);
    BOTH(RmsNormParam, normParam.quantType);
    BOTH(RmsNormParam, normParam.epsilon);
    BOTH(RmsNormParam, normParam.layerNormEps);
    BOTH(RmsNormParam, normParam.rstd);
    BOTH(RmsNormParam, normParam.precisionMode);
    BOTH(RmsNormParam, normParam.modelType);
    BOTH(RmsNormParam, normParam.dynamicQuantType);
    BOTH(RmsNormParam, preNormParam.quantType);
    BOTH(RmsNormParam, preNormParam.epsilon);
    BOTH(RmsNormParam, preNormParam.hasBias);
    BOTH(RmsNormParam, postNormParam.quantType);
    BOTH(RmsNormParam, postNormParam.epsilon);
    BOTH(RmsNormParam, postNormParam.hasBias);
    SIZE(RopeParam);
    BOTH(RopeParam, rotaryCoeff);
    BOTH(RopeParam, cosFormat);
    SIZE(RopeQConcatParam);
    SIZE(SliceParam);
    FIELD(SliceParam, offsets);
    FIELD(SliceParam, size);
    SIZE(SoftmaxParam);
    FIELD(SoftmaxParam, axes);
    SIZE(SplitParam);
    FIELD(SplitParam, splitDim);
    FIELD(SplitParam, splitNum);
    FIELD(SplitParam, splitSizes);
    SIZE(TransdataParam);
    FIELD(TransdataParam, transdataType);
    FIELD(TransdataParam, outCrops);
    SIZE(TransposeParam);
    FIELD(TransposeParam, perm);
    return 0;
}
