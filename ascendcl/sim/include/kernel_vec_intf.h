// The vector unit's interface under its own name.
#ifndef ASCENDC_MODEL_KERNEL_VEC_INTF_H
#define ASCENDC_MODEL_KERNEL_VEC_INTF_H

#include "kernel_operator.h"

#endif
