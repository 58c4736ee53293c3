// The interface under its other name.
#ifndef ASCENDC_MODEL_KERNEL_OPERATOR_INTF_H
#define ASCENDC_MODEL_KERNEL_OPERATOR_INTF_H

#include "kernel_operator.h"

#endif
