// The toolkit's own name for the header of printf from kernels.
#ifndef ASCENDC_MODEL_UTILS_DEBUG_PRINTF_H
#define ASCENDC_MODEL_UTILS_DEBUG_PRINTF_H

#include "kernel_operator.h"

#endif
