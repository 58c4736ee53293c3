// What the compiler and the toolkit define, under the name of its own header on the device.
#ifndef ASCENDC_MODEL_KERNEL_MACROS_H
#define ASCENDC_MODEL_KERNEL_MACROS_H

#include "kernel_operator.h"

#endif
