// The vector cores' buffer, cut by hand, and how pipes wait for each other.
#ifndef MLAPO_BUFFERS_H
#define MLAPO_BUFFERS_H

#include "operation.h"

namespace Mlapo {

// The longest piece of a row that is in the buffer at a time, in elements.
constexpr uint32_t LONGEST_PIECE = 8192;

// Where things lie in the unified buffer, in bytes. The parts of the operation follow one another and use the same
// places under these names.
constexpr uint32_t RAW0 = 0;                              // 16-bit or int32 values as they come
constexpr uint32_t RAW1 = RAW0 + 2 * LONGEST_PIECE;       // gamma, or cosines
constexpr uint32_t RAW2 = RAW1 + 2 * LONGEST_PIECE;       // beta, or sines
constexpr uint32_t FLOAT0 = RAW2 + 2 * LONGEST_PIECE;     // values in float
constexpr uint32_t FLOAT1 = FLOAT0 + 4 * LONGEST_PIECE;
constexpr uint32_t FLOAT2 = FLOAT1 + 4 * LONGEST_PIECE;
constexpr uint32_t NARROW = FLOAT2 + 4 * LONGEST_PIECE;   // 16-bit values on their way out
constexpr uint32_t BYTES = NARROW + 2 * LONGEST_PIECE;    // int8 values on their way out
constexpr uint32_t SMALL = BYTES + LONGEST_PIECE;         // sums, scales
constexpr uint32_t SMALL_BYTES = 4096;
constexpr uint32_t BUFFER_BYTES = SMALL + SMALL_BYTES;
static_assert(BUFFER_BYTES <= 184 * 1024, "the toolkit keeps the end of the unified buffer for itself");

// The pipe behind `event` goes on when the pipe before it has done what it was given so far.
template <AscendC::HardEvent event> __aicore__ inline void Pass()
{
    AscendC::SetFlag<event>(EVENT_ID0);
    AscendC::WaitFlag<event>(EVENT_ID0);
}

// The next vector instruction sees the results of those before.
__aicore__ inline void Then()
{
    AscendC::PipeBarrier<PIPE_V>();
}

class Buffer {
public:
    __aicore__ inline Buffer()
    {
        pipe_.InitBuffer(all_, BUFFER_BYTES);
    }

    template <typename E> __aicore__ inline AscendC::LocalTensor<E> At(uint32_t byte)
    {
        return all_.Get<uint8_t>()[byte].template ReinterpretCast<E>();
    }

private:
    AscendC::TPipe pipe_;
    AscendC::TBuf<AscendC::TPosition::VECCALC> all_;
};

template <typename E> __aicore__ inline AscendC::GlobalTensor<E> Global(GM_ADDR address)
{
    AscendC::GlobalTensor<E> tensor;
    tensor.SetGlobalBuffer(reinterpret_cast<__gm__ E*>(address));
    return tensor;
}

// `rows` rows of `count` elements; in global memory a row starts every `stride` elements, in the buffer they lie one
// after the other. A row must be a multiple of 32 bytes.
template <typename E>
__aicore__ inline void LoadRows(
    const AscendC::LocalTensor<E>& to, const AscendC::GlobalTensor<E>& from, uint32_t rows, uint32_t count, uint64_t stride)
{
    const AscendC::DataCopyExtParams params(static_cast<uint16_t>(rows), count * static_cast<uint32_t>(sizeof(E)),
        static_cast<uint32_t>((stride - count) * sizeof(E)), 0, 0);
    const AscendC::DataCopyPadExtParams<E> padding(false, 0, 0, 0);
    AscendC::DataCopyPad(to, from, params, padding);
}

template <typename E>
__aicore__ inline void StoreRows(
    const AscendC::GlobalTensor<E>& to, const AscendC::LocalTensor<E>& from, uint32_t rows, uint32_t count, uint64_t stride)
{
    const AscendC::DataCopyExtParams params(static_cast<uint16_t>(rows), count * static_cast<uint32_t>(sizeof(E)), 0,
        static_cast<uint32_t>((stride - count) * sizeof(E)), 0);
    AscendC::DataCopyPad(to, from, params);
}

// Reads one value that the vector unit made.
__aicore__ inline float Read(const AscendC::LocalTensor<float>& tensor, uint32_t index = 0)
{
    Pass<AscendC::HardEvent::V_S>();
    const float value = tensor.GetValue(index);
    Pass<AscendC::HardEvent::S_V>();
    return value;
}

} // namespace Mlapo

#endif
