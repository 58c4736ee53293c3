// The one symbol of the shim.

#include <string>

#include "entries.h"

namespace shim {
namespace {

atb_functions makeTable() noexcept
{
    atb_functions table{};
    table.version = ATB_SHIM_VERSION;
    table.cxx11Abi = _GLIBCXX_USE_CXX11_ABI;
    table.message = message;
    table.getAtbVersion = getAtbVersion;
    table.getTensorSize = getTensorSize;
    table.getTensorNumel = getTensorNumel;
    table.quantParamConvert = quantParamConvert;
    table.setLogLevel = setLogLevel;
    table.resetLogLevel = resetLogLevel;
    table.createContext = createContext;
    table.createContextWithAllocator = createContextWithAllocator;
    table.createContextWithTilingBlocks = createContextWithTilingBlocks;
    table.destroyContext = destroyContext;
    table.setExecuteStream = setExecuteStream;
    table.getExecuteStream = getExecuteStream;
    table.setExecuteStreams = setExecuteStreams;
    table.getExecuteStreams = getExecuteStreams;
    table.setAsyncTilingCopyStatus = setAsyncTilingCopyStatus;
    table.getAsyncTilingCopyStatus = getAsyncTilingCopyStatus;
    table.setExecuteType = setExecuteType;
    table.getExecuteType = getExecuteType;
    table.setLaunchMode = setLaunchMode;
    table.getLaunchMode = getLaunchMode;
    table.destroyOperation = destroyOperation;
    table.getName = getName;
    table.getInputNum = getInputNum;
    table.getOutputNum = getOutputNum;
    table.inferShape = inferShape;
    table.setup = setup;
    table.execute = execute;
    table.setExecuteStreamId = setExecuteStreamId;
    table.getExecuteStreamId = getExecuteStreamId;
    table.createGraph = createGraph;
    fillParameters(table);
    table.entryPoint = entryPoint;
    return table;
}

} // namespace
} // namespace shim

extern "C" __attribute__((visibility("default"))) const atb_functions *atb_shim_functions(uint32_t version)
{
    static const atb_functions table = shim::makeTable();
    return version == table.version ? &table : nullptr;
}
