// Lists of tensors under the name of their own header on the device.
#ifndef ASCENDC_MODEL_KERNEL_OPERATOR_LIST_TENSOR_INTF_H
#define ASCENDC_MODEL_KERNEL_OPERATOR_LIST_TENSOR_INTF_H

#include "kernel_operator.h"

#endif
