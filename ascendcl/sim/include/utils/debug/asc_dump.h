// The toolkit's own name for the header of DumpTensor.
#ifndef ASCENDC_MODEL_UTILS_DEBUG_DUMP_H
#define ASCENDC_MODEL_UTILS_DEBUG_DUMP_H

#include "kernel_operator.h"

#endif
