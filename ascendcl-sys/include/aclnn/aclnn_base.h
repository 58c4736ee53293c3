/* Start and end of the two-phase operators (aclnn). */
#ifndef ASCENDCL_ACLNN_ACLNN_BASE_H
#define ASCENDCL_ACLNN_ACLNN_BASE_H

#include "acl_meta.h"

#ifdef __cplusplus
extern "C" {
#endif

aclnnStatus aclnnInit(const char *configPath);
aclnnStatus aclnnFinalize(void);

#ifdef __cplusplus
}
#endif

#endif
