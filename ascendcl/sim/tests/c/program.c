/* A program as C programmers write them: allocates, copies, records events, synchronizes, checks data and codes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "acl/acl.h"

#define COUNT 4096

static int failures;

static void check(int condition, const char *what)
{
    if (!condition) {
        const char *message = aclGetRecentErrMsg();
        printf("failed: %s %s\n", what, message != NULL ? message : "");
        ++failures;
    }
}

#define OK(call) check((call) == ACL_SUCCESS, #call)
#define IS(code, call) check((call) == (code), #call " is not " #code)

static void add(void *sum)
{
    *(int *)sum += 5;
}

int main(void)
{
    uint32_t count = 0;
    IS(ACL_ERROR_UNINITIALIZE, aclrtGetDeviceCount(&count));
    OK(aclInit(NULL));
    if (failures != 0) {
        return 1;
    }
    OK(aclrtGetDeviceCount(&count));
    check(count == 3, "three devices");
    check(aclrtGetSocName() != NULL && strcmp(aclrtGetSocName(), "Ascend910_9391") == 0, "name of the processor");
    OK(aclrtSetDevice(2));

    size_t free_before = 0, free_bytes = 0, total = 0;
    OK(aclrtGetMemInfo(ACL_HBM_MEM, &free_before, &total));
    check(total == (size_t)1 << 30, "1 GiB of memory");

    aclrtStream stream = NULL;
    aclrtEvent start = NULL, end = NULL;
    OK(aclrtCreateStream(&stream));
    OK(aclrtCreateEvent(&start));
    OK(aclrtCreateEvent(&end));

    void *device = NULL, *host = NULL;
    const size_t size = COUNT * sizeof(int32_t);
    OK(aclrtMalloc(&device, size, ACL_MEM_MALLOC_HUGE_FIRST));
    OK(aclrtMallocHost(&host, size));
    int32_t *numbers = host;
    for (int32_t i = 0; i < COUNT; ++i) {
        numbers[i] = i * i;
    }
    OK(aclrtRecordEvent(start, stream));
    OK(aclrtMemcpyAsync(device, size, host, size, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    OK(aclrtSynchronizeStream(stream));
    memset(host, 0, size);
    OK(aclrtMemcpyAsync(host, size, device, size, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    int sum = 1;
    OK(aclrtLaunchHostFunc(stream, add, &sum));
    OK(aclrtRecordEvent(end, stream));
    OK(aclrtSynchronizeEvent(end));
    int right = 1;
    for (int32_t i = 0; i < COUNT; ++i) {
        right = right && numbers[i] == i * i;
    }
    check(right, "data after the round trip");
    check(sum == 6, "the host function ran once");
    float elapsed = -1.0f;
    OK(aclrtEventElapsedTime(&elapsed, start, end));
    check(elapsed >= 0.0f, "time does not run backwards");

    IS(ACL_ERROR_INVALID_PARAM, aclrtMemcpy(device, size, host, size + 1, ACL_MEMCPY_HOST_TO_DEVICE));
    IS(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(device, size + 1, 0, size + 1));
    const char *message = aclGetRecentErrMsg();
    check(message != NULL && strstr(message, "aclrtMemset") != NULL, "the message names the call");
    uint32_t groups = 0;
    IS(ACL_ERROR_API_NOT_SUPPORT, aclrtGetGroupCount(&groups));

    OK(aclrtDestroyEvent(start));
    OK(aclrtDestroyEvent(end));
    OK(aclrtDestroyStream(stream));
    OK(aclrtFree(device));
    IS(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(device));
    OK(aclrtFreeHost(host));
    OK(aclrtGetMemInfo(ACL_HBM_MEM, &free_bytes, &total));
    check(free_bytes == free_before, "all memory is back");
    OK(aclrtResetDevice(2));
    OK(aclFinalize());
    printf("%d failures\n", failures);
    return failures != 0;
}
