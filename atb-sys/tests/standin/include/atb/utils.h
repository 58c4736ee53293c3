// A stand-in for ATB's helpers.
#pragma once

#include <string>

#include "atb/types.h"

namespace atb {

class Utils {
public:
    static std::string GetAtbVersion();
    static uint64_t GetTensorSize(const Tensor &tensor);
    static uint64_t GetTensorSize(const TensorDesc &tensorDesc);
    static uint64_t GetTensorNumel(const Tensor &tensor);
    static uint64_t GetTensorNumel(const TensorDesc &tensorDesc);
    static void QuantParamConvert(const float *src, uint64_t *dest, uint64_t itemCount);
#if STANDIN_NEWEST
    static Status SetLogLevel(const LogLevel level);
    static Status ResetLogLevel();
#endif
};

} // namespace atb
