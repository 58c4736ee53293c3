/* AscendCL, all of it that programs usually need.
 *
 * These headers declare the interface of CANN 8.1 and a part of what 9.1 added. What stands between the marks
 * "since 9.1" and "since 8.1" came with 9.1; the generator of the Rust bindings reads the marks.
 */
#ifndef ASCENDCL_ACL_H
#define ASCENDCL_ACL_H

#include "acl_base.h"
#include "acl_rt.h"
#include "acl_rt_allocator.h"
#include "acl_op.h"
#include "acl_mdl.h"
#include "acl_dump.h"

#endif
