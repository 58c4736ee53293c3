// The Ascend C interface for kernels of the dav-c220 AI cores, for a host's C++17 compiler: each call becomes an
// instruction of the model. Include it as on the device.
#ifndef ASCENDC_MODEL_KERNEL_OPERATOR_H
#define ASCENDC_MODEL_KERNEL_OPERATOR_H

#include "ascendc_model/abi.h"
#include "ascendc_model/core.h"
#include "ascendc_model/data_copy.h"
#include "ascendc_model/pipe.h"
#include "ascendc_model/print.h"
#include "ascendc_model/standard.h"
#include "ascendc_model/sync.h"
#include "ascendc_model/system.h"
#include "ascendc_model/tensor.h"
#include "ascendc_model/types.h"
#if __has_include("ascendc_model/vector.h")
#include "ascendc_model/vector.h"
#endif
#if __has_include("ascendc_model/matrix.h")
#include "ascendc_model/matrix.h"
#endif
#if __has_include("ascendc_model/fixpipe.h")
#include "ascendc_model/fixpipe.h"
#endif

#endif
