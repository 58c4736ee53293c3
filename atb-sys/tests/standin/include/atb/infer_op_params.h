// A stand-in for the parameters of ATB's operations: fields, order, types and defaults. Enumerations have their width and the
// value that is the default.
#pragma once

#include <cstdint>

#include "atb/types.h"

namespace atb {
namespace infer {

enum InputLayout : int { TYPE_BSND = 0 };
enum QuantType : int { QUANT_UNQUANT = 0 };
enum DynamicQuantType : int { DYNAMIC_QUANT_UNDEFINED = 0 };
enum ActivationType : int { ACTIVATION_UNDEFINED = 0 };

struct ActivationParam {
    enum GeLUMode : int { TANH_MODE = 0 };
    ActivationType activationType = ACTIVATION_UNDEFINED;
    float scale = 1.0f;
    int32_t dim = -1;
    GeLUMode geluMode = TANH_MODE;
    uint8_t rsv[8] = {};
};

struct ConcatParam {
    int concatDim = 0;
    uint8_t rsv[12] = {};
};

struct ElewiseParam {
    enum ElewiseType : int { ELEWISE_UNDEFINED = 0 };
    struct QuantParam {
        float inputScale = 1.0f;
        bool asymmetric = false;
        int inputOffset = 0;
        uint8_t rsv[20] = {};
    };
    struct MulsParam {
        float varAttr = 0.0f;
        uint8_t rsv[12] = {};
    };
    ElewiseType elewiseType = ELEWISE_UNDEFINED;
    QuantParam quantParam;
    MulsParam mulsParam;
    aclDataType outTensorType = ACL_DT_UNDEFINED;
    uint8_t rsv[8] = {};
};

struct GatherParam {
    int64_t axis = 0;
    int64_t batchDims = 0;
    uint8_t rsv[16] = {};
};

struct LinearParam {
    enum MatmulType : uint8_t { MATMUL_UNDEFINED = 0 };
    bool transposeA = false;
    bool transposeB = true;
    bool hasBias = true;
    aclDataType outDataType = ACL_DT_UNDEFINED;
    bool enAccum = false;
    MatmulType matmulType = MATMUL_UNDEFINED;
#if STANDIN_NEWEST
    enum QuantMode : uint8_t { QUANT_UNDEFINED = 0 };
    QuantMode quantMode = QUANT_UNDEFINED;
    uint8_t rsv[21] = {};
#else
    uint8_t rsv[22] = {};
#endif
};

struct MlaPreprocessParam {
    enum CacheMode : uint8_t { KVCACHE = 0 };
    enum QuantMode : uint16_t { PER_TENSOR_QUANT_ASYMM = 0 };
    uint32_t wdqDim = 0;
    uint32_t qRopeDim = 0;
    uint32_t kRopeDim = 0;
    float epsilon = 1e-5;
    int32_t qRotaryCoeff = 2;
    int32_t kRotaryCoeff = 2;
    bool transposeWdq = true;
    bool transposeWuq = true;
    bool transposeWuk = true;
    CacheMode cacheMode = KVCACHE;
    QuantMode quantMode = PER_TENSOR_QUANT_ASYMM;
    uint8_t rsv[34] = {};
};

struct MultiLatentAttentionParam {
    enum MaskType : int { UNDEFINED = 0 };
    enum CalcType : int { CALC_TYPE_UNDEFINED = 0 };
    enum CacheMode : uint8_t { KVCACHE = 0 };
    int32_t headNum = 0;
    float qkScale = 1.0;
    int32_t kvHeadNum = 0;
    MaskType maskType = UNDEFINED;
    CalcType calcType = CALC_TYPE_UNDEFINED;
    CacheMode cacheMode = KVCACHE;
#if STANDIN_NEWEST
    enum MaskUseStatusType : int { MASK_USE_STATUS_TYPE_UNDEFINED = 0 };
    uint32_t windowSize = 0;
    MaskUseStatusType maskUseStatusType = MASK_USE_STATUS_TYPE_UNDEFINED;
    uint8_t rsv[32] = {};
#else
    uint8_t rsv[43] = {};
#endif
};

struct PagedAttentionParam {
    enum MaskType : int { UNDEFINED = 0 };
    enum QuantType : int { TYPE_QUANT_UNQUANT = 0 };
    enum CompressType : int { COMPRESS_TYPE_UNDEFINED = 0 };
    enum CalcType : int { CALC_TYPE_UNDEFINED = 0 };
    enum ScaleType : int { SCALE_TYPE_TOR = 0 };
    int32_t headNum = 0;
    float qkScale = 1.0;
    int32_t kvHeadNum = 0;
    MaskType maskType = UNDEFINED;
    bool batchRunStatusEnable = false;
    QuantType quantType = TYPE_QUANT_UNQUANT;
    aclDataType outDataType = ACL_DT_UNDEFINED;
    bool hasQuantOffset = false;
    CompressType compressType = COMPRESS_TYPE_UNDEFINED;
    CalcType calcType = CALC_TYPE_UNDEFINED;
    ScaleType scaleType = SCALE_TYPE_TOR;
    InputLayout inputLayout = TYPE_BSND;
    uint32_t mlaVHeadSize = 0;
#if STANDIN_NEWEST
    float qScale = 0;
    uint8_t rsv[64] = {};
#else
    uint8_t rsv[68] = {};
#endif
};

struct ReshapeAndCacheParam {
    enum CompressType : int { COMPRESS_TYPE_UNDEFINED = 0 };
    enum KvCacheCfg : int { K_CACHE_V_CACHE = 0 };
    CompressType compressType = COMPRESS_TYPE_UNDEFINED;
    KvCacheCfg kvCacheCfg = K_CACHE_V_CACHE;
    uint8_t rsv[16] = {};
};

struct RmsNormParam {
    enum RmsNormType : int { RMS_NORM_UNDEFINED = 0 };
    enum PrecisionMode : int { HIGH_PRECISION_MODE = 0 };
    enum ModelType : int { LLAMA_MODEL = 0 };
    struct NormParam {
        QuantType quantType = QUANT_UNQUANT;
        float epsilon = 1e-5;
        double layerNormEps = 1e-5;
        bool rstd = false;
        PrecisionMode precisionMode = HIGH_PRECISION_MODE;
        ModelType modelType = LLAMA_MODEL;
        DynamicQuantType dynamicQuantType = DYNAMIC_QUANT_UNDEFINED;
        uint8_t rsv[32] = {};
    };
    struct PreNormParam {
        QuantType quantType = QUANT_UNQUANT;
        float epsilon = 1e-5;
        bool hasBias = false;
        uint8_t rsv[23] = {};
    };
    struct PostNormParam {
        QuantType quantType = QUANT_UNQUANT;
        float epsilon = 1e-5;
        bool hasBias = false;
        uint8_t rsv[23] = {};
    };
    RmsNormType layerType = RMS_NORM_UNDEFINED;
    NormParam normParam;
    PreNormParam preNormParam;
    PostNormParam postNormParam;
    uint8_t rsv[8] = {};
};

struct RopeParam {
    int32_t rotaryCoeff = 4;
    int32_t cosFormat = 0;
    uint8_t rsv[8] = {};
};

struct RopeQConcatParam {
    uint8_t rsv[16] = {};
};

struct SliceParam {
    SVector<int64_t> offsets;
    SVector<int64_t> size;
    uint8_t rsv[8] = {};
};

struct SoftmaxParam {
    SVector<int64_t> axes;
    uint8_t rsv[8] = {};
};

struct SplitParam {
    int32_t splitDim = 0;
    int32_t splitNum = 2;
    SVector<int32_t> splitSizes = {};
    uint8_t rsv[8] = {};
};

struct TransdataParam {
    enum TransdataType : int { UNDEFINED = 0 };
    TransdataType transdataType = UNDEFINED;
    SVector<int64_t> outCrops = {0, 0};
    uint8_t rsv[8] = {};
};

struct TransposeParam {
    SVector<int32_t> perm;
    uint8_t rsv[8] = {};
};

} // namespace infer
} // namespace atb
