// The toolkit's own name for the header of assertions in kernels.
#ifndef ASCENDC_MODEL_UTILS_DEBUG_ASSERT_H
#define ASCENDC_MODEL_UTILS_DEBUG_ASSERT_H

#include "kernel_operator.h"

#endif
