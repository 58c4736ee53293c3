/*
 * Types of the C functions that newer versions of ATB export (atb_acl.h there), as `atb_functions.entryPoint` finds them.
 *
 * Each operation is a pair as in aclnn: the first function checks, sets up and answers the size of the workspace, the second
 * one queues the work on the context's stream. An operation pointer that is not null is used again, with the parameters that
 * it was made with. Tensors are `aclTensor`; those that a mode does not have are null.
 */
#ifndef ATB_ENTRY_POINTS_H
#define ATB_ENTRY_POINTS_H

#include "atb_shim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `aclTensor` of AscendCL's operator library. */
typedef struct aclTensor aclTensor;

/* AtbMLAPreprocessGetWorkspaceSize */
typedef atb_status (*AtbMLAPreprocessGetWorkspaceSizeFn)(
    const aclTensor *input, const aclTensor *gamma0, const aclTensor *beta0, const aclTensor *quantScale0,
    const aclTensor *quantOffset0, const aclTensor *wdqkv, const aclTensor *deScale0, const aclTensor *bias0,
    const aclTensor *gamma1, const aclTensor *beta1, const aclTensor *quantScale1, const aclTensor *quantOffset1,
    const aclTensor *wuq, const aclTensor *deScale1, const aclTensor *bias1, const aclTensor *gamma2,
    const aclTensor *cos, const aclTensor *sin, const aclTensor *wuk, const aclTensor *kvCache,
    const aclTensor *kvCacheRope, const aclTensor *slotmapping, const aclTensor *ctkvScale,
    const aclTensor *qNopeScale, uint32_t wdqDim, uint32_t qRopeDim, uint32_t kRopeDim, float epsilon,
    uint32_t qRotaryCoeff, uint32_t kRotaryCoeff, bool transposeWdq, bool transposeWuq, bool transposeWuk,
    uint8_t cacheMode, uint16_t quantMode, aclTensor *qOut0, aclTensor *kvCacheOut0, aclTensor *qOut1,
    aclTensor *kvCacheOut1, uint64_t *workspaceSize, atb_operation **op, atb_context *context);

/* AtbMLAPreprocess, and the second function of every other pair */
typedef atb_status (*AtbExecuteFn)(void *workspace, uint64_t workspaceSize, atb_operation *op, atb_context *context);

#ifdef __cplusplus
}
#endif

#endif
