// ((x + 5) * 3) + 7, each step by a kernel that is launched in another way. The argument is the object of the third.
#include <cstdint>
#include <cstdio>

#include "acl/acl.h"
#include "aclrtlaunch_raise_by.h"
#include "each.h"

int32_t Scale(uint32_t blocks, void* stream, int32_t* numbers);

int main(int count, char** arguments)
{
    constexpr uint32_t BLOCKS = 2;
    int32_t host[BLOCKS * EACH] = {};
    for (int32_t& number : host) {
        number = static_cast<int32_t>(&number - host);
    }
    void* numbers = nullptr;
    void* each = nullptr;
    aclrtStream stream = nullptr;
    int wrong = (count != 2) + aclInit(nullptr) + aclrtSetDevice(0) + aclrtCreateStream(&stream);
    wrong += aclrtMalloc(&numbers, sizeof(host), ACL_MEM_MALLOC_HUGE_FIRST);
    wrong += aclrtMalloc(&each, sizeof(EACH), ACL_MEM_MALLOC_HUGE_FIRST);
    wrong += aclrtMemcpy(numbers, sizeof(host), host, sizeof(host), ACL_MEMCPY_HOST_TO_DEVICE);
    wrong += aclrtMemcpy(each, sizeof(EACH), &EACH, sizeof(EACH), ACL_MEMCPY_HOST_TO_DEVICE);

    wrong += static_cast<int>(ACLRT_LAUNCH_KERNEL(raise_by)(BLOCKS, stream, numbers, 5, each));
    wrong += Scale(BLOCKS, stream, static_cast<int32_t*>(numbers));

    aclrtBinHandle binary = nullptr;
    aclrtFuncHandle kernel = nullptr;
    aclrtArgsHandle packed = nullptr;
    aclrtParamHandle parameter = nullptr;
    wrong += aclrtBinaryLoadFromFile(arguments[1], nullptr, &binary) + aclrtBinaryGetFunction(binary, "offset", &kernel);
    wrong += aclrtKernelArgsInit(kernel, &packed);
    wrong += aclrtKernelArgsAppend(packed, &numbers, sizeof(numbers), &parameter) + aclrtKernelArgsFinalize(packed);
    wrong += aclrtLaunchKernelWithConfig(kernel, BLOCKS, stream, nullptr, packed, nullptr);

    wrong += aclrtSynchronizeStream(stream);
    wrong += aclrtMemcpy(host, sizeof(host), numbers, sizeof(host), ACL_MEMCPY_DEVICE_TO_HOST);
    for (int32_t& number : host) {
        wrong += number != (static_cast<int32_t>(&number - host) + 5) * 3 + 7;
    }
    // A launch without a device's context says so.
    wrong += aclrtBinaryUnLoad(binary) + aclrtFree(numbers) + aclrtFree(each) + aclrtDestroyStream(stream);
    wrong += aclrtResetDevice(0);
    wrong += ACLRT_LAUNCH_KERNEL(raise_by)(BLOCKS, nullptr, nullptr, 5, nullptr) == 0;
    wrong += aclFinalize();
    std::printf("%d wrong\n", wrong);
    return wrong != 0;
}
