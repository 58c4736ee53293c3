// A program for AscendCL with a kernel of its own: z = x + y on the vector cores, by events timed and ordered between two
// streams, and then z = z + 2 * x by the operator aclnnAdd.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "acl/acl.h"
#include "aclnnop/aclnn_add.h"
#include "kernel_operator.h"

constexpr uint32_t BLOCKS = 8;
constexpr uint32_t TILE = 256;

template <typename T> class Adder {
public:
    __aicore__ inline void Init(GM_ADDR x, GM_ADDR y, GM_ADDR z, uint32_t count)
    {
        each_ = count / AscendC::GetBlockNum();
        const uint32_t start = each_ * AscendC::GetBlockIdx();
        x_.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(x) + start, each_);
        y_.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(y) + start, each_);
        z_.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(z) + start, each_);
        pipe_.InitBuffer(in_, 2, 2 * TILE * sizeof(T));
        pipe_.InitBuffer(out_, 2, TILE * sizeof(T));
    }

    __aicore__ inline void Process()
    {
        for (uint32_t start = 0; start < each_; start += TILE) {
            AscendC::LocalTensor<T> in = in_.template AllocTensor<T>();
            AscendC::DataCopy(in, x_[start], TILE);
            AscendC::DataCopy(in[TILE], y_[start], TILE);
            in_.EnQue(in);
            in = in_.template DeQue<T>();
            AscendC::LocalTensor<T> out = out_.template AllocTensor<T>();
            AscendC::Add(out, in, in[TILE], TILE);
            in_.FreeTensor(in);
            out_.EnQue(out);
            out = out_.template DeQue<T>();
            AscendC::DataCopy(z_[start], out, TILE);
            out_.FreeTensor(out);
        }
    }

private:
    AscendC::TPipe pipe_;
    AscendC::TQue<AscendC::TPosition::VECIN, 2> in_;
    AscendC::TQue<AscendC::TPosition::VECOUT, 2> out_;
    AscendC::GlobalTensor<T> x_, y_, z_;
    uint32_t each_ = 0;
};

template <typename T> __global__ __aicore__ void vector_add(GM_ADDR x, GM_ADDR y, GM_ADDR z, uint32_t count)
{
    Adder<T> adder;
    adder.Init(x, y, z, count);
    adder.Process();
}

#define CHECK(call)                                                                                          \
    do {                                                                                                     \
        const int code = (call);                                                                             \
        if (code != 0) {                                                                                     \
            const char* message = aclGetRecentErrMsg();                                                      \
            std::fprintf(stderr, "%s:%d: %s is %d: %s\n", __FILE__, __LINE__, #call, code,                   \
                message == nullptr ? "" : message);                                                          \
            std::exit(1);                                                                                    \
        }                                                                                                    \
    } while (0)

static aclTensor* TensorOf(void* memory, int64_t count)
{
    return aclCreateTensor(&count, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, &count, 1, memory);
}

int main()
{
    constexpr uint32_t COUNT = BLOCKS * TILE * 3;
    constexpr size_t BYTES = COUNT * sizeof(float);
    std::vector<float> x(COUNT), y(COUNT), z(COUNT);
    for (uint32_t i = 0; i < COUNT; ++i) {
        x[i] = static_cast<float>(i);
        y[i] = static_cast<float>(1000 - static_cast<int>(i % 7));
    }

    CHECK(aclInit(nullptr));
    CHECK(aclrtSetDevice(0));
    aclrtStream copies = nullptr, kernels = nullptr;
    CHECK(aclrtCreateStream(&copies));
    CHECK(aclrtCreateStream(&kernels));
    void *dx = nullptr, *dy = nullptr, *dz = nullptr;
    for (void** memory : { &dx, &dy, &dz }) {
        CHECK(aclrtMalloc(memory, BYTES, ACL_MEM_MALLOC_HUGE_FIRST));
    }

    aclrtEvent uploaded = nullptr, begin = nullptr, end = nullptr;
    for (aclrtEvent* event : { &uploaded, &begin, &end }) {
        CHECK(aclrtCreateEvent(event));
    }
    CHECK(aclrtMemcpyAsync(dx, BYTES, x.data(), BYTES, ACL_MEMCPY_HOST_TO_DEVICE, copies));
    CHECK(aclrtMemcpyAsync(dy, BYTES, y.data(), BYTES, ACL_MEMCPY_HOST_TO_DEVICE, copies));
    CHECK(aclrtRecordEvent(uploaded, copies));
    CHECK(aclrtStreamWaitEvent(kernels, uploaded));

    CHECK(aclrtRecordEvent(begin, kernels));
    vector_add<float><<<BLOCKS, nullptr, kernels>>>(
        static_cast<uint8_t*>(dx), static_cast<uint8_t*>(dy), static_cast<uint8_t*>(dz), COUNT);
    CHECK(aclrtRecordEvent(end, kernels));

    float factor = 2.0f;
    aclScalar* alpha = aclCreateScalar(&factor, ACL_FLOAT);
    aclTensor* tx = TensorOf(dx, COUNT);
    aclTensor* tz = TensorOf(dz, COUNT);
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK(aclnnAddGetWorkspaceSize(tz, tx, alpha, tz, &size, &executor));
    void* workspace = nullptr;
    if (size > 0) {
        CHECK(aclrtMalloc(&workspace, size, ACL_MEM_MALLOC_HUGE_FIRST));
    }
    CHECK(aclnnAdd(workspace, size, executor, kernels));
    CHECK(aclrtSynchronizeStream(kernels));

    float milliseconds = -1;
    CHECK(aclrtEventElapsedTime(&milliseconds, begin, end));
    CHECK(aclrtMemcpy(z.data(), BYTES, dz, BYTES, ACL_MEMCPY_DEVICE_TO_HOST));
    int wrong = milliseconds < 0;
    for (uint32_t i = 0; i < COUNT; ++i) {
        wrong += z[i] != 3 * x[i] + y[i];
    }

    CHECK(aclDestroyTensor(tx));
    CHECK(aclDestroyTensor(tz));
    CHECK(aclDestroyScalar(alpha));
    for (aclrtEvent event : { uploaded, begin, end }) {
        CHECK(aclrtDestroyEvent(event));
    }
    for (void* memory : { dx, dy, dz, workspace }) {
        if (memory != nullptr) {
            CHECK(aclrtFree(memory));
        }
    }
    CHECK(aclrtDestroyStream(copies));
    CHECK(aclrtDestroyStream(kernels));
    CHECK(aclrtResetDevice(0));
    CHECK(aclFinalize());
    std::printf("%u elements, %d wrong\n", COUNT, wrong);
    return wrong != 0;
}
