// The high-level matrix multiplication is not part of the model. Kernels include its header without using it, so that
// only its use is refused.
#ifndef ASCENDC_MODEL_LIB_MATMUL_INTF_H
#define ASCENDC_MODEL_LIB_MATMUL_INTF_H

#include "kernel_operator.h"

namespace matmul {

template <typename... T> class Matmul {
    static_assert(sizeof...(T) > 100,
        "the model has no high-level matrix multiplication (Matmul): use the basic interface (LoadData, Mmad, Fixpipe)");
};
template <typename... T> using MatmulImpl = Matmul<T...>;

} // namespace matmul

namespace AscendC {
using matmul::Matmul;
using matmul::MatmulImpl;
} // namespace AscendC

#endif
