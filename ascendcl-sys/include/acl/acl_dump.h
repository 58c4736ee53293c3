/* Dump of AscendCL. */
#ifndef ASCENDCL_ACL_DUMP_H
#define ASCENDCL_ACL_DUMP_H

#include <stddef.h>
#include <stdint.h>
#include "acl_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits and flags. */
#define ACL_DUMP_MAX_FILE_PATH_LENGTH 4096
/* since 9.1 */
#define ACL_DUMP_MAX_SHAPE_NUM 25
/* since 8.1 */

/* Dump of tensors and of exception data. */
typedef struct acldumpChunk {
    char fileName[ACL_DUMP_MAX_FILE_PATH_LENGTH];
    uint32_t bufLen;
    uint32_t isLastChunk;
    int64_t offset;
    int32_t flag;
    uint8_t dataBuf[0];
} acldumpChunk;

/* since 9.1 */
typedef enum acldumpType {
    AIC_ERR_BRIEF_DUMP = 1,
    AIC_ERR_NORM_DUMP = 2,
    AIC_ERR_DETAIL_DUMP = 3,
    DATA_DUMP = 4,
    OVERFLOW_DUMP = 5,
} acldumpType;

/* since 8.1 */
aclError acldumpRegCallback(
    int32_t (*const messageCallback)(const acldumpChunk *, int32_t), int32_t flag);
void acldumpUnregCallback(void);
/* since 9.1 */
const char *acldumpGetPath(acldumpType dumpType);
/* since 8.1 */

#ifdef __cplusplus
}
#endif

#endif
