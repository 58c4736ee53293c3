// For each parameter: the library's defaults, `CreateOperation` and `UpdateOperationParam`.

#include "parameters.h"

#include <cstring>

#include "entries.h"

namespace shim {
namespace {

// ATB's struct with what the caller's says.
template <class C> typename Parameter<C>::Library library(const C &param)
{
    typename Parameter<C>::Library to;
    Parameter<C>::fields(ToLibrary(Parameter<C>::name), param, to);
    return to;
}

template <class C> atb_status defaults(C *param) noexcept
{
    return guarded([&] {
        const typename Parameter<C>::Library from;
        // What has no counterpart is zero.
        std::memset(required(param, "param"), 0, sizeof(C));
        Parameter<C>::fields(FromLibrary(), *param, from);
        return ATB_NO_ERROR;
    });
}

template <class C> atb_status create(const C *param, atb_operation **operation) noexcept
{
    return guarded([&] {
        required(param, "param");
        required(operation, "operation");
        atb::Operation *made = nullptr;
        const atb::Status status = atb::CreateOperation(library(*param), &made);
        return deliver(status, made, operation);
    });
}

template <class C> atb_status update(atb_operation *operation, const C *param) noexcept
{
    return guarded([&] {
        required(param, "param");
        return atb::UpdateOperationParam(toAtb(operation), library(*param));
    });
}

} // namespace

#define SHIM_OPERATION(operation, c_struct)                                                                            \
    table.default##operation = defaults<c_struct>;                                                                     \
    table.create##operation = create<c_struct>;                                                                        \
    table.update##operation = update<c_struct>

void fillParameters(atb_functions &table) noexcept
{
    SHIM_OPERATION(Activation, atb_activation_param);
    SHIM_OPERATION(Concat, atb_concat_param);
    SHIM_OPERATION(Elewise, atb_elewise_param);
    SHIM_OPERATION(Gather, atb_gather_param);
    SHIM_OPERATION(Linear, atb_linear_param);
    SHIM_OPERATION(MlaPreprocess, atb_mla_preprocess_param);
    SHIM_OPERATION(MultiLatentAttention, atb_multi_latent_attention_param);
    SHIM_OPERATION(PagedAttention, atb_paged_attention_param);
    SHIM_OPERATION(ReshapeAndCache, atb_reshape_and_cache_param);
    SHIM_OPERATION(RmsNorm, atb_rms_norm_param);
    SHIM_OPERATION(Rope, atb_rope_param);
    SHIM_OPERATION(RopeQConcat, atb_rope_q_concat_param);
    SHIM_OPERATION(Slice, atb_slice_param);
    SHIM_OPERATION(Softmax, atb_softmax_param);
    SHIM_OPERATION(Split, atb_split_param);
    SHIM_OPERATION(Transdata, atb_transdata_param);
    SHIM_OPERATION(Transpose, atb_transpose_param);
}

#undef SHIM_OPERATION

} // namespace shim
