// What ATB's headers need of the collective communication library, for machines without a toolkit's headers.
#ifndef HCCL_TYPES_H
#define HCCL_TYPES_H

// The handle of a communicator.
typedef void *HcclComm;

#endif
