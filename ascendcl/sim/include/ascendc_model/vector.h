// The vector compute interface of Ascend C (documents: "Memory vector computation"), lowered to the model.
#ifndef ASCENDC_MODEL_VECTOR_H
#define ASCENDC_MODEL_VECTOR_H

#include "ascendc_model/vector_binary.h"
#include "ascendc_model/vector_cast.h"
#include "ascendc_model/vector_compare.h"
#include "ascendc_model/vector_compound.h"
#include "ascendc_model/vector_fill.h"
#include "ascendc_model/vector_gather.h"
#include "ascendc_model/vector_layout.h"
#include "ascendc_model/vector_params.h"
#include "ascendc_model/vector_reduce.h"
#include "ascendc_model/vector_refused.h"
#include "ascendc_model/vector_scalar.h"
#include "ascendc_model/vector_sort.h"
#include "ascendc_model/vector_unary.h"

#endif
