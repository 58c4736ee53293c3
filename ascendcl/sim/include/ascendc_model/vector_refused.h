// Vector functions of the documents that the model does not have: a call is an error of the compiler that says so.
#ifndef ASCENDC_MODEL_VECTOR_REFUSED_H
#define ASCENDC_MODEL_VECTOR_REFUSED_H

#include "ascendc_model/types.h"

/// Defines a function that no call compiles with, with or without types as template arguments.
#define ASCENDC_MODEL_REFUSED(Name)                                                                          \
    template <typename... Arguments> __aicore__ inline void Name(const Arguments&...)                        \
    {                                                                                                        \
        static_assert(AscendCModel::Always<void(Arguments...)>::value,                                       \
            #Name " is not available on the model of NPU architecture 2201");                                \
    }

namespace AscendC {

// The hardware has it, the model does not.
ASCENDC_MODEL_REFUSED(BilinearInterpolation)

// Functions of other architectures.
ASCENDC_MODEL_REFUSED(AbsSub)
ASCENDC_MODEL_REFUSED(Ands)
ASCENDC_MODEL_REFUSED(DeInterleave)
ASCENDC_MODEL_REFUSED(Divs)
ASCENDC_MODEL_REFUSED(ExpSub)
ASCENDC_MODEL_REFUSED(FusedAbsSub)
ASCENDC_MODEL_REFUSED(FusedExpSub)
ASCENDC_MODEL_REFUSED(Interleave)
ASCENDC_MODEL_REFUSED(MrgSort4)
ASCENDC_MODEL_REFUSED(Mull)
ASCENDC_MODEL_REFUSED(MulsCast)
ASCENDC_MODEL_REFUSED(Neg)
ASCENDC_MODEL_REFUSED(Ors)
ASCENDC_MODEL_REFUSED(Prelu)
ASCENDC_MODEL_REFUSED(ProposalConcat)
ASCENDC_MODEL_REFUSED(ProposalExtract)
ASCENDC_MODEL_REFUSED(RpSort16)
ASCENDC_MODEL_REFUSED(Scatter)
ASCENDC_MODEL_REFUSED(Subs)
ASCENDC_MODEL_REFUSED(Truncate)
ASCENDC_MODEL_REFUSED(VectorPadding)

} // namespace AscendC

#undef ASCENDC_MODEL_REFUSED

#endif
