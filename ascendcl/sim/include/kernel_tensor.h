// The tensors under the name of their own header on the device.
#ifndef ASCENDC_MODEL_KERNEL_TENSOR_H
#define ASCENDC_MODEL_KERNEL_TENSOR_H

#include "kernel_operator.h"

#endif
