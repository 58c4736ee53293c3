// Knows nothing of kernels.
#include <cstdio>

#include "acl/acl.h"
#include "adder.h"

int main()
{
    constexpr uint32_t BLOCKS = 2;
    int32_t host[BLOCKS * ADDER_EACH] = {};
    for (int32_t& value : host) {
        value = static_cast<int32_t>(&value - host);
    }
    void* device = nullptr;
    aclrtStream stream = nullptr;
    int wrong = aclInit(nullptr) + aclrtSetDevice(0) + aclrtCreateStream(&stream);
    wrong += aclrtMalloc(&device, sizeof(host), ACL_MEM_MALLOC_HUGE_FIRST);
    wrong += aclrtMemcpy(device, sizeof(host), host, sizeof(host), ACL_MEMCPY_HOST_TO_DEVICE);
    AddOne(BLOCKS, stream, static_cast<int32_t*>(device));
    AddOne(BLOCKS, stream, static_cast<int32_t*>(device));
    wrong += aclrtSynchronizeStream(stream);
    wrong += aclrtMemcpy(host, sizeof(host), device, sizeof(host), ACL_MEMCPY_DEVICE_TO_HOST);
    for (int32_t& value : host) {
        wrong += value != static_cast<int32_t>(&value - host) + 2;
    }
    wrong += aclrtFree(device) + aclrtDestroyStream(stream) + aclrtResetDevice(0) + aclFinalize();
    std::printf("%d wrong\n", wrong);
    return wrong != 0;
}
