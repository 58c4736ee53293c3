// How the fake libatb writes down what it is given.
#pragma once

#include <sstream>
#include <string>
#include <type_traits>

#include "atb/infer_op_params.h"

namespace {

template <class T> void write(std::ostream &out, const T &value)
{
    if constexpr (std::is_enum_v<T>) {
        out << static_cast<int64_t>(value);
    } else {
        out << +value;
    }
}
template <class T> void write(std::ostream &out, const atb::SVector<T> &values)
{
    out << "[";
    for (size_t i = 0; i < values.size(); ++i) {
        out << (i == 0 ? "" : ",");
        write(out, values[i]);
    }
    out << "]";
}
void write(std::ostream &out, const atb::Dims &dims)
{
    out << "(";
    for (uint64_t i = 0; i < dims.dimNum; ++i) {
        out << (i == 0 ? "" : ",") << dims.dims[i];
    }
    out << ")";
}
void write(std::ostream &out, const atb::TensorDesc &desc)
{
    out << desc.dtype << ":" << desc.format;
    write(out, desc.shape);
}
void write(std::ostream &out, const atb::Tensor &tensor)
{
    write(out, tensor.desc);
    out << "@" << reinterpret_cast<uintptr_t>(tensor.deviceData) << "/" << reinterpret_cast<uintptr_t>(tensor.hostData)
        << "+" << tensor.dataSize;
}

// What is in a parameter.
#define SHOW(parameter) void show(std::ostream &out, const atb::infer::parameter &p)
#define FIELD(member)                                                                                                  \
    out << " " #member "=";                                                                                            \
    write(out, p.member)

SHOW(ActivationParam)
{
    FIELD(activationType);
    FIELD(scale);
    FIELD(dim);
    FIELD(geluMode);
}
SHOW(ConcatParam) { FIELD(concatDim); }
SHOW(ElewiseParam)
{
    FIELD(elewiseType);
    FIELD(quantParam.inputScale);
    FIELD(quantParam.asymmetric);
    FIELD(quantParam.inputOffset);
    FIELD(mulsParam.varAttr);
    FIELD(outTensorType);
}
SHOW(GatherParam)
{
    FIELD(axis);
    FIELD(batchDims);
}
SHOW(LinearParam)
{
    FIELD(transposeA);
    FIELD(transposeB);
    FIELD(hasBias);
    FIELD(outDataType);
    FIELD(enAccum);
    FIELD(matmulType);
#if STANDIN_NEWEST
    FIELD(quantMode);
#endif
}
SHOW(MlaPreprocessParam)
{
    FIELD(wdqDim);
    FIELD(qRopeDim);
    FIELD(kRopeDim);
    FIELD(epsilon);
    FIELD(qRotaryCoeff);
    FIELD(kRotaryCoeff);
    FIELD(transposeWdq);
    FIELD(transposeWuq);
    FIELD(transposeWuk);
    FIELD(cacheMode);
    FIELD(quantMode);
}
SHOW(MultiLatentAttentionParam)
{
    FIELD(headNum);
    FIELD(qkScale);
    FIELD(kvHeadNum);
    FIELD(maskType);
    FIELD(calcType);
    FIELD(cacheMode);
#if STANDIN_NEWEST
    FIELD(windowSize);
    FIELD(maskUseStatusType);
#endif
}
SHOW(PagedAttentionParam)
{
    FIELD(headNum);
    FIELD(qkScale);
    FIELD(kvHeadNum);
    FIELD(maskType);
    FIELD(batchRunStatusEnable);
    FIELD(quantType);
    FIELD(outDataType);
    FIELD(hasQuantOffset);
    FIELD(compressType);
    FIELD(calcType);
    FIELD(scaleType);
    FIELD(inputLayout);
    FIELD(mlaVHeadSize);
#if STANDIN_NEWEST
    FIELD(qScale);
#endif
}
SHOW(ReshapeAndCacheParam)
{
    FIELD(compressType);
    FIELD(kvCacheCfg);
}
SHOW(RmsNormParam)
{
    FIELD(layerType);
    FIELD(normParam.quantType);
    FIELD(normParam.epsilon);
    FIELD(normParam.layerNormEps);
    FIELD(normParam.rstd);
    FIELD(normParam.precisionMode);
    FIELD(normParam.modelType);
    FIELD(normParam.dynamicQuantType);
    FIELD(preNormParam.quantType);
    FIELD(preNormParam.epsilon);
    FIELD(preNormParam.hasBias);
    FIELD(postNormParam.quantType);
    FIELD(postNormParam.epsilon);
    FIELD(postNormParam.hasBias);
}
SHOW(RopeParam)
{
    FIELD(rotaryCoeff);
    FIELD(cosFormat);
}
void show(std::ostream &, const atb::infer::RopeQConcatParam &) {}
SHOW(SliceParam)
{
    FIELD(offsets);
    FIELD(size);
}
SHOW(SoftmaxParam) { FIELD(axes); }
SHOW(SplitParam)
{
    FIELD(splitDim);
    FIELD(splitNum);
    FIELD(splitSizes);
}
SHOW(TransdataParam)
{
    FIELD(transdataType);
    FIELD(outCrops);
}
SHOW(TransposeParam) { FIELD(perm); }

template <class P> std::string shown(const char *name, const P &param)
{
    std::ostringstream out;
    out << name;
    show(out, param);
    return out.str();
}

} // namespace
