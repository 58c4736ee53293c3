/*
 * The C interface of the shim over ATB, Ascend's C++ operator library.
 *
 * A shim is whoever fills the table `atb_functions`: the C++ of this crate, compiled against an installed ATB, or a simulated
 * library. It has one symbol, `atb_shim_functions`; everything else is reached through the table, so that the compiler checks
 * each function's type on both sides.
 *
 * Names are those of ATB's headers, in which each struct and field here has its counterpart. What ATB passes by C++
 * containers is a pointer with a length here, which need to live for the call only. No C++ exception crosses the boundary.
 */
#ifndef ATB_SHIM_H
#define ATB_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever a type or the table does. */
#define ATB_SHIM_VERSION 1

/* `atb::ErrorType`, a code of AscendCL (100000 and more), or one of the shim's own codes, which are negative. */
typedef int32_t atb_status;

enum {
    ATB_NO_ERROR = 0,
    ATB_ERROR_INVALID_PARAM = 1,
    ATB_ERROR_INVALID_GRAPH = 2,
    ATB_ERROR_INTERNAL_ERROR = 3,
    ATB_ERROR_RT_FAIL = 4,
    ATB_ERROR_INVALID_IN_TENSOR_NUM = 5,
    ATB_ERROR_INVALID_TENSOR_DTYPE = 6,
    ATB_ERROR_INVALID_TENSOR_FORMAT = 7,
    ATB_ERROR_INVALID_TENSOR_DIM = 8,
    ATB_ERROR_INVALID_TENSOR_SIZE = 9,
    ATB_ERROR_OPERATION_NULL_RUNNER = 10,
    ATB_ERROR_GRAPH_INFERSHAPE_FUNC_FAIL = 11,
    ATB_ERROR_CANN_ERROR = 12,
    ATB_ERROR_INVALID_TENSOR_INI_MATCH = 13,
    ATB_ERROR_INVALID_TENSOR_ADDR = 14,
    ATB_ERROR_INVALID_TENSOR_NUM = 15,
    ATB_ERROR_INVALID_TENSOR_DIM_NUM = 16,
    ATB_ERROR_INVALID_SINGLE_OPERATION_PARAM = 17,
    ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL = 18,
    ATB_ERROR_INVALID_GRAPH_NODE_CHUNK = 19,
    ATB_ERROR_INVALID_CONTEXT_ADDR = 20,
    ATB_ERROR_INVALID_STREAM = 21,
    ATB_ERROR_INVALID_WORKSPACE_SIZE = 22,
    ATB_ERROR_INVALID_WORKSPACE_ADDR = 23,
    ATB_ERROR_INVALID_OPERATION_ADDR = 24,
    ATB_ERROR_HCCL_FAIL = 25,
    ATB_ERROR_OUT_OF_DEVICE_MEMORY = 26,
    ATB_ERROR_OUT_OF_HOST_MEMORY = 27,
    ATB_ERROR_COMM_EMPTY = 28,
    ATB_ERROR_COPY_HOST_MEMORY_FAIL = 29,

    /* The library threw; `message` has what it said. */
    ATB_SHIM_EXCEPTION = -1,
    /* The installed version does not have this function or this parameter. */
    ATB_SHIM_UNSUPPORTED = -2,
    /* A pointer that must not be null is, or a length is beyond ATB's limits. */
    ATB_SHIM_INVALID_ARGUMENT = -3
};

#define ATB_MAX_DIM 8

/* `atb::Dims` */
typedef struct atb_dims {
    int64_t dims[ATB_MAX_DIM];
    uint64_t dimNum;
} atb_dims;

/* `atb::TensorDesc`; type and format are `aclDataType` and `aclFormat`. */
typedef struct atb_tensor_desc {
    int32_t dtype;
    int32_t format;
    atb_dims shape;
} atb_tensor_desc;

/* `atb::Tensor`, of the same layout. A tensor that is left out is all zero, its type ACL_DT_UNDEFINED (-1). */
typedef struct atb_tensor {
    atb_tensor_desc desc;
    void *deviceData;
    void *hostData;
    uint64_t dataSize;
} atb_tensor;

/* `atb::Chunk` */
typedef struct atb_chunk {
    uint32_t chunkNum;
    uint32_t chunkIndex;
} atb_chunk;

/* `atb::Context` and `atb::Operation`: the library's own pointers. */
typedef struct atb_context atb_context;
typedef struct atb_operation atb_operation;

/* ---- Parameters. Fields that the installed version lacks are refused unless they have their default. ---- */

/* `atb::infer::ActivationParam` */
typedef struct atb_activation_param {
    int32_t activationType;
    float scale;
    int32_t dim;
    int32_t geluMode;
} atb_activation_param;

/* `atb::infer::ConcatParam` */
typedef struct atb_concat_param {
    int32_t concatDim;
} atb_concat_param;

/* `atb::infer::ElewiseParam` with its `QuantParam` and `MulsParam` */
typedef struct atb_elewise_param {
    int32_t elewiseType;
    float inputScale;
    bool asymmetric;
    int32_t inputOffset;
    float varAttr;
    int32_t outTensorType;
} atb_elewise_param;

/* `atb::infer::GatherParam` */
typedef struct atb_gather_param {
    int64_t axis;
    int64_t batchDims;
} atb_gather_param;

/* `atb::infer::LinearParam`; `quantMode` is newer than 8.1. */
typedef struct atb_linear_param {
    bool transposeA;
    bool transposeB;
    bool hasBias;
    int32_t outDataType;
    bool enAccum;
    int32_t matmulType;
    int32_t quantMode;
} atb_linear_param;

/* `atb::infer::MlaPreprocessParam` */
typedef struct atb_mla_preprocess_param {
    uint32_t wdqDim;
    uint32_t qRopeDim;
    uint32_t kRopeDim;
    float epsilon;
    int32_t qRotaryCoeff;
    int32_t kRotaryCoeff;
    bool transposeWdq;
    bool transposeWuq;
    bool transposeWuk;
    uint8_t cacheMode;
    uint16_t quantMode;
} atb_mla_preprocess_param;

/* `atb::infer::MultiLatentAttentionParam`; `windowSize` and `maskUseStatusType` are newer than 8.1. */
typedef struct atb_multi_latent_attention_param {
    int32_t headNum;
    float qkScale;
    int32_t kvHeadNum;
    int32_t maskType;
    int32_t calcType;
    uint8_t cacheMode;
    uint32_t windowSize;
    int32_t maskUseStatusType;
} atb_multi_latent_attention_param;

/* `atb::infer::PagedAttentionParam`; `qScale` is newer than 8.1. */
typedef struct atb_paged_attention_param {
    int32_t headNum;
    float qkScale;
    int32_t kvHeadNum;
    int32_t maskType;
    bool batchRunStatusEnable;
    int32_t quantType;
    int32_t outDataType;
    bool hasQuantOffset;
    int32_t compressType;
    int32_t calcType;
    int32_t scaleType;
    int32_t inputLayout;
    uint32_t mlaVHeadSize;
    float qScale;
} atb_paged_attention_param;

/* `atb::infer::ReshapeAndCacheParam` */
typedef struct atb_reshape_and_cache_param {
    int32_t compressType;
    int32_t kvCacheCfg;
} atb_reshape_and_cache_param;

/* `atb::infer::RmsNormParam::NormParam` */
typedef struct atb_norm_param {
    int32_t quantType;
    float epsilon;
    double layerNormEps;
    bool rstd;
    int32_t precisionMode;
    int32_t modelType;
    int32_t dynamicQuantType;
} atb_norm_param;

/* `atb::infer::RmsNormParam::PreNormParam` and `PostNormParam` */
typedef struct atb_residual_norm_param {
    int32_t quantType;
    float epsilon;
    bool hasBias;
} atb_residual_norm_param;

/* `atb::infer::RmsNormParam` */
typedef struct atb_rms_norm_param {
    int32_t layerType;
    atb_norm_param normParam;
    atb_residual_norm_param preNormParam;
    atb_residual_norm_param postNormParam;
} atb_rms_norm_param;

/* `atb::infer::RopeParam` */
typedef struct atb_rope_param {
    int32_t rotaryCoeff;
    int32_t cosFormat;
} atb_rope_param;

/* `atb::infer::RopeQConcatParam`, which has no field. */
typedef struct atb_rope_q_concat_param {
    uint8_t none;
} atb_rope_q_concat_param;

/* `atb::infer::SliceParam`: two arrays of one length. */
typedef struct atb_slice_param {
    const int64_t *offsets;
    const int64_t *size;
    size_t dimNum;
} atb_slice_param;

/* `atb::infer::SoftmaxParam` */
typedef struct atb_softmax_param {
    const int64_t *axes;
    size_t axisNum;
} atb_softmax_param;

/* `atb::infer::SplitParam`; without sizes the parts are equal. */
typedef struct atb_split_param {
    int32_t splitDim;
    int32_t splitNum;
    const int32_t *splitSizes;
    size_t splitSizeNum;
} atb_split_param;

/* `atb::infer::TransdataParam` */
typedef struct atb_transdata_param {
    int32_t transdataType;
    int64_t outCrops[2];
} atb_transdata_param;

/* `atb::infer::TransposeParam` */
typedef struct atb_transpose_param {
    const int32_t *perm;
    size_t dimNum;
} atb_transpose_param;

/* ---- Graphs. ---- */

/* `atb::ReshapeFunc`. `data` and the function live as long as the graph. Answers other than ATB_NO_ERROR leave the shape as
 * it was, and make the call of the graph in which this happened fail with ATB_ERROR_GRAPH_NODE_RESHAPE_FUNC_FAIL. */
typedef struct atb_reshape {
    atb_status (*function)(void *data, const atb_dims *oldShape, atb_dims *newShape);
    void *data;
} atb_reshape;

/* `atb::InferShapeFunc`. `data` and the function live as long as the graph. */
typedef struct atb_infer_shape {
    atb_status (*function)(void *data, const atb_tensor_desc *inTensorDescs, size_t inTensorNum,
                           atb_tensor_desc *outTensorDescs, size_t outTensorNum);
    void *data;
} atb_infer_shape;

/* `atb::Node` */
typedef struct atb_node {
    atb_operation *operation;
    const uint32_t *inTensorIds;
    size_t inTensorNum;
    const uint32_t *outTensorIds;
    size_t outTensorNum;
    /* Null, or one for each input; without a function the shape stays. */
    const atb_reshape *inTensorReshapes;
    /* Null, or one for each input. */
    const atb_chunk *inTensorChunks;
} atb_node;

/* `atb::GraphParam`. Tensor numbers: inputs, then outputs, then internal ones. */
typedef struct atb_graph_param {
    const char *name;
    uint32_t inTensorNum;
    uint32_t outTensorNum;
    uint32_t internalTensorNum;
    const atb_node *nodes;
    size_t nodeNum;
    /* Without a function, shapes follow from the nodes. */
    atb_infer_shape inferShape;
} atb_graph_param;

/* `std::function`s of an allocator of tiling memory on the device. */
typedef struct atb_tiling_allocator {
    void *(*allocate)(void *data, size_t size);
    void (*deallocate)(void *data, void *memory);
    void *data;
} atb_tiling_allocator;

/* Texts are copied out: as many bytes as fit and a final zero; `length` is what the whole text has. */

/* What a shim can do. No member is null unless it says so. */
typedef struct atb_functions {
    uint32_t version;
    /* `_GLIBCXX_USE_CXX11_ABI` of the library; -1 if it is not C++. */
    int32_t cxx11Abi;

    /* What the thread's last call that failed had to say; empty if nothing. */
    void (*message)(char *text, size_t size, size_t *length);

    /* `atb::Utils` */
    atb_status (*getAtbVersion)(char *text, size_t size, size_t *length);
    atb_status (*getTensorSize)(const atb_tensor_desc *desc, uint64_t *bytes);
    atb_status (*getTensorNumel)(const atb_tensor_desc *desc, uint64_t *elements);
    atb_status (*quantParamConvert)(const float *src, uint64_t *dest, uint64_t itemCount);
    /* Newer than 8.1. */
    atb_status (*setLogLevel)(int32_t level);
    atb_status (*resetLogLevel)(void);

    /* `atb::Context` */
    atb_status (*createContext)(atb_context **context);
    /* Both newer than 8.1. */
    atb_status (*createContextWithAllocator)(atb_tiling_allocator allocator, atb_context **context);
    atb_status (*createContextWithTilingBlocks)(uint32_t hostTilingBlockNum, uint32_t deviceTilingBlockNum,
                                                atb_context **context);
    atb_status (*destroyContext)(atb_context *context);
    atb_status (*setExecuteStream)(atb_context *context, void *stream);
    atb_status (*getExecuteStream)(atb_context *context, void **stream);
    atb_status (*setExecuteStreams)(atb_context *context, void *const *streams, size_t streamNum);
    /* As many as fit; `streamNum` is how many there are. */
    atb_status (*getExecuteStreams)(atb_context *context, void **streams, size_t capacity, size_t *streamNum);
    atb_status (*setAsyncTilingCopyStatus)(atb_context *context, bool enable);
    atb_status (*getAsyncTilingCopyStatus)(atb_context *context, bool *enable);
    atb_status (*setExecuteType)(atb_context *context, int32_t type);
    atb_status (*getExecuteType)(atb_context *context, int32_t *type);
    /* Newer than 8.1. */
    atb_status (*setLaunchMode)(atb_context *context, int32_t mode);
    atb_status (*getLaunchMode)(atb_context *context, int32_t *mode);

    /* `atb::Operation` */
    atb_status (*destroyOperation)(atb_operation *operation);
    atb_status (*getName)(const atb_operation *operation, char *text, size_t size, size_t *length);
    atb_status (*getInputNum)(const atb_operation *operation, uint32_t *number);
    atb_status (*getOutputNum)(const atb_operation *operation, uint32_t *number);
    /* As many descriptions as fit; `outTensorNum` is how many there are. */
    atb_status (*inferShape)(const atb_operation *operation, const atb_tensor_desc *inTensorDescs, size_t inTensorNum,
                             atb_tensor_desc *outTensorDescs, size_t capacity, size_t *outTensorNum);
    atb_status (*setup)(atb_operation *operation, const atb_tensor *inTensors, size_t inTensorNum,
                        const atb_tensor *outTensors, size_t outTensorNum, uint64_t *workspaceSize,
                        atb_context *context);
    /* With the tensors that `setup` had last. */
    atb_status (*execute)(atb_operation *operation, const atb_tensor *inTensors, size_t inTensorNum,
                          const atb_tensor *outTensors, size_t outTensorNum, void *workspace, uint64_t workspaceSize,
                          atb_context *context);
    atb_status (*setExecuteStreamId)(atb_operation *operation, uint32_t streamId);
    atb_status (*getExecuteStreamId)(atb_operation *operation, uint32_t *streamId);

    /* The graph owns the operations of its nodes from then on; if it cannot be made, they stay the caller's. */
    atb_status (*createGraph)(const atb_graph_param *param, atb_operation **operation);

    /* For each operation: the library's defaults (arrays are empty), `CreateOperation` and `UpdateOperationParam`. */
    atb_status (*defaultActivation)(atb_activation_param *param);
    atb_status (*createActivation)(const atb_activation_param *param, atb_operation **operation);
    atb_status (*updateActivation)(atb_operation *operation, const atb_activation_param *param);
    atb_status (*defaultConcat)(atb_concat_param *param);
    atb_status (*createConcat)(const atb_concat_param *param, atb_operation **operation);
    atb_status (*updateConcat)(atb_operation *operation, const atb_concat_param *param);
    atb_status (*defaultElewise)(atb_elewise_param *param);
    atb_status (*createElewise)(const atb_elewise_param *param, atb_operation **operation);
    atb_status (*updateElewise)(atb_operation *operation, const atb_elewise_param *param);
    atb_status (*defaultGather)(atb_gather_param *param);
    atb_status (*createGather)(const atb_gather_param *param, atb_operation **operation);
    atb_status (*updateGather)(atb_operation *operation, const atb_gather_param *param);
    atb_status (*defaultLinear)(atb_linear_param *param);
    atb_status (*createLinear)(const atb_linear_param *param, atb_operation **operation);
    atb_status (*updateLinear)(atb_operation *operation, const atb_linear_param *param);
    atb_status (*defaultMlaPreprocess)(atb_mla_preprocess_param *param);
    atb_status (*createMlaPreprocess)(const atb_mla_preprocess_param *param, atb_operation **operation);
    atb_status (*updateMlaPreprocess)(atb_operation *operation, const atb_mla_preprocess_param *param);
    atb_status (*defaultMultiLatentAttention)(atb_multi_latent_attention_param *param);
    atb_status (*createMultiLatentAttention)(const atb_multi_latent_attention_param *param, atb_operation **operation);
    atb_status (*updateMultiLatentAttention)(atb_operation *operation, const atb_multi_latent_attention_param *param);
    atb_status (*defaultPagedAttention)(atb_paged_attention_param *param);
    atb_status (*createPagedAttention)(const atb_paged_attention_param *param, atb_operation **operation);
    atb_status (*updatePagedAttention)(atb_operation *operation, const atb_paged_attention_param *param);
    atb_status (*defaultReshapeAndCache)(atb_reshape_and_cache_param *param);
    atb_status (*createReshapeAndCache)(const atb_reshape_and_cache_param *param, atb_operation **operation);
    atb_status (*updateReshapeAndCache)(atb_operation *operation, const atb_reshape_and_cache_param *param);
    atb_status (*defaultRmsNorm)(atb_rms_norm_param *param);
    atb_status (*createRmsNorm)(const atb_rms_norm_param *param, atb_operation **operation);
    atb_status (*updateRmsNorm)(atb_operation *operation, const atb_rms_norm_param *param);
    atb_status (*defaultRope)(atb_rope_param *param);
    atb_status (*createRope)(const atb_rope_param *param, atb_operation **operation);
    atb_status (*updateRope)(atb_operation *operation, const atb_rope_param *param);
    atb_status (*defaultRopeQConcat)(atb_rope_q_concat_param *param);
    atb_status (*createRopeQConcat)(const atb_rope_q_concat_param *param, atb_operation **operation);
    atb_status (*updateRopeQConcat)(atb_operation *operation, const atb_rope_q_concat_param *param);
    atb_status (*defaultSlice)(atb_slice_param *param);
    atb_status (*createSlice)(const atb_slice_param *param, atb_operation **operation);
    atb_status (*updateSlice)(atb_operation *operation, const atb_slice_param *param);
    atb_status (*defaultSoftmax)(atb_softmax_param *param);
    atb_status (*createSoftmax)(const atb_softmax_param *param, atb_operation **operation);
    atb_status (*updateSoftmax)(atb_operation *operation, const atb_softmax_param *param);
    atb_status (*defaultSplit)(atb_split_param *param);
    atb_status (*createSplit)(const atb_split_param *param, atb_operation **operation);
    atb_status (*updateSplit)(atb_operation *operation, const atb_split_param *param);
    atb_status (*defaultTransdata)(atb_transdata_param *param);
    atb_status (*createTransdata)(const atb_transdata_param *param, atb_operation **operation);
    atb_status (*updateTransdata)(atb_operation *operation, const atb_transdata_param *param);
    atb_status (*defaultTranspose)(atb_transpose_param *param);
    atb_status (*createTranspose)(const atb_transpose_param *param, atb_operation **operation);
    atb_status (*updateTranspose)(atb_operation *operation, const atb_transpose_param *param);

    /* The address of a C function of the library, such as AtbMLAPreprocess (newer than 8.1); null if it has none of this
     * name. Their types are in atb_entry_points.h. */
    void *(*entryPoint)(const char *name);
} atb_functions;

/* The table, which lives for ever; null if the shim has another version than the one that is asked for. */
const atb_functions *atb_shim_functions(uint32_t version);

#ifdef __cplusplus
}
#endif

#endif
