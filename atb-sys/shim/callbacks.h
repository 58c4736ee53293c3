// The caller's functions in a graph, as ATB calls them.
#ifndef ATB_SHIM_CALLBACKS_H
#define ATB_SHIM_CALLBACKS_H

#include <string>

#include "convert.h"

namespace shim {

// Null if there is no function.
atb::ReshapeFunc reshapeFunction(const atb_reshape &reshape);

// Null if there is no function.
atb::InferShapeFunc inferShapeFunction(const atb_infer_shape &inferShape, size_t outTensorNum);

// ATB's reshape functions cannot fail, and an exception must not cross the library. So a failure is remembered here, and the
// call that led to it asks afterwards.
class ReshapeWatch {
public:
    ReshapeWatch() noexcept;
    ~ReshapeWatch();
    ReshapeWatch(const ReshapeWatch &) = delete;
    ReshapeWatch &operator=(const ReshapeWatch &) = delete;

    // Refuses the call if a reshape function failed since the watch began.
    void check() const;

private:
    // What was remembered for a call around this one, which one of its own functions may have led here.
    bool outer_;
};

} // namespace shim

#endif
