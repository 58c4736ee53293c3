// Which struct of ATB each parameter is, and which of its fields is which.
#ifndef ATB_SHIM_PARAMETERS_H
#define ATB_SHIM_PARAMETERS_H

#include "atb/infer_op_params.h"
#include "parameter.h"

namespace shim {

// For each C struct: `Library`, the struct of ATB; its `name`; and `fields`, which names the fields to a direction.
template <class C> struct Parameter;

// A field that has one name on both sides.
#define SHIM_FIELD(member) way.field(#member, c.member, atb.member)
// A field that is not in all versions of ATB; whether it is there is asked of the struct itself.
#define SHIM_NEWER(member)                                                                                             \
    way.newer(#member, c.member, atb, [](auto &of) -> decltype((of.member)) { return of.member; })
// The description of one parameter. `C` and `A` are const where the direction only reads.
#define SHIM_PARAMETER(c_struct, library)                                                                              \
    template <> struct Parameter<c_struct> {                                                                           \
        using Library = atb::infer::library;                                                                           \
        static constexpr const char *name = #library;                                                                  \
        template <class Way, class C, class A> static void fields(const Way &way, C &c, A &atb);                       \
    };                                                                                                                 \
    template <class Way, class C, class A>                                                                             \
    void Parameter<c_struct>::fields([[maybe_unused]] const Way &way, [[maybe_unused]] C &c, [[maybe_unused]] A &atb)

SHIM_PARAMETER(atb_activation_param, ActivationParam)
{
    SHIM_FIELD(activationType);
    SHIM_FIELD(scale);
    SHIM_FIELD(dim);
    SHIM_FIELD(geluMode);
}

SHIM_PARAMETER(atb_concat_param, ConcatParam)
{
    SHIM_FIELD(concatDim);
}

SHIM_PARAMETER(atb_elewise_param, ElewiseParam)
{
    SHIM_FIELD(elewiseType);
    way.field("quantParam.inputScale", c.inputScale, atb.quantParam.inputScale);
    way.field("quantParam.asymmetric", c.asymmetric, atb.quantParam.asymmetric);
    way.field("quantParam.inputOffset", c.inputOffset, atb.quantParam.inputOffset);
    way.field("mulsParam.varAttr", c.varAttr, atb.mulsParam.varAttr);
    SHIM_FIELD(outTensorType);
}

SHIM_PARAMETER(atb_gather_param, GatherParam)
{
    SHIM_FIELD(axis);
    SHIM_FIELD(batchDims);
}

SHIM_PARAMETER(atb_linear_param, LinearParam)
{
    SHIM_FIELD(transposeA);
    SHIM_FIELD(transposeB);
    SHIM_FIELD(hasBias);
    SHIM_FIELD(outDataType);
    SHIM_FIELD(enAccum);
    SHIM_FIELD(matmulType);
    SHIM_NEWER(quantMode);
}

SHIM_PARAMETER(atb_mla_preprocess_param, MlaPreprocessParam)
{
    SHIM_FIELD(wdqDim);
    SHIM_FIELD(qRopeDim);
    SHIM_FIELD(kRopeDim);
    SHIM_FIELD(epsilon);
    SHIM_FIELD(qRotaryCoeff);
    SHIM_FIELD(kRotaryCoeff);
    SHIM_FIELD(transposeWdq);
    SHIM_FIELD(transposeWuq);
    SHIM_FIELD(transposeWuk);
    SHIM_FIELD(cacheMode);
    SHIM_FIELD(quantMode);
}

SHIM_PARAMETER(atb_multi_latent_attention_param, MultiLatentAttentionParam)
{
    SHIM_FIELD(headNum);
    SHIM_FIELD(qkScale);
    SHIM_FIELD(kvHeadNum);
    SHIM_FIELD(maskType);
    SHIM_FIELD(calcType);
    SHIM_FIELD(cacheMode);
    SHIM_NEWER(windowSize);
    SHIM_NEWER(maskUseStatusType);
}

SHIM_PARAMETER(atb_paged_attention_param, PagedAttentionParam)
{
    SHIM_FIELD(headNum);
    SHIM_FIELD(qkScale);
    SHIM_FIELD(kvHeadNum);
    SHIM_FIELD(maskType);
    SHIM_FIELD(batchRunStatusEnable);
    SHIM_FIELD(quantType);
    SHIM_FIELD(outDataType);
    SHIM_FIELD(hasQuantOffset);
    SHIM_FIELD(compressType);
    SHIM_FIELD(calcType);
    SHIM_FIELD(scaleType);
    SHIM_FIELD(inputLayout);
    SHIM_FIELD(mlaVHeadSize);
    SHIM_NEWER(qScale);
}

SHIM_PARAMETER(atb_reshape_and_cache_param, ReshapeAndCacheParam)
{
    SHIM_FIELD(compressType);
    SHIM_FIELD(kvCacheCfg);
}

SHIM_PARAMETER(atb_rms_norm_param, RmsNormParam)
{
    SHIM_FIELD(layerType);
    SHIM_FIELD(normParam.quantType);
    SHIM_FIELD(normParam.epsilon);
    SHIM_FIELD(normParam.layerNormEps);
    SHIM_FIELD(normParam.rstd);
    SHIM_FIELD(normParam.precisionMode);
    SHIM_FIELD(normParam.modelType);
    SHIM_FIELD(normParam.dynamicQuantType);
    SHIM_FIELD(preNormParam.quantType);
    SHIM_FIELD(preNormParam.epsilon);
    SHIM_FIELD(preNormParam.hasBias);
    SHIM_FIELD(postNormParam.quantType);
    SHIM_FIELD(postNormParam.epsilon);
    SHIM_FIELD(postNormParam.hasBias);
}

SHIM_PARAMETER(atb_rope_param, RopeParam)
{
    SHIM_FIELD(rotaryCoeff);
    SHIM_FIELD(cosFormat);
}

SHIM_PARAMETER(atb_rope_q_concat_param, RopeQConcatParam) {}

SHIM_PARAMETER(atb_slice_param, SliceParam)
{
    way.array("offsets", c.offsets, c.dimNum, atb.offsets);
    way.array("size", c.size, c.dimNum, atb.size);
}

SHIM_PARAMETER(atb_softmax_param, SoftmaxParam)
{
    way.array("axes", c.axes, c.axisNum, atb.axes);
}

SHIM_PARAMETER(atb_split_param, SplitParam)
{
    SHIM_FIELD(splitDim);
    SHIM_FIELD(splitNum);
    way.array("splitSizes", c.splitSizes, c.splitSizeNum, atb.splitSizes);
}

SHIM_PARAMETER(atb_transdata_param, TransdataParam)
{
    SHIM_FIELD(transdataType);
    way.fixed("outCrops", c.outCrops, atb.outCrops);
}

SHIM_PARAMETER(atb_transpose_param, TransposeParam)
{
    way.array("perm", c.perm, c.dimNum, atb.perm);
}

#undef SHIM_FIELD
#undef SHIM_NEWER
#undef SHIM_PARAMETER

} // namespace shim

#endif
