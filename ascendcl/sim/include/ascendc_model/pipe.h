// TPipe, which gives out local memory and flags, and the queues whose buffers carry their flags with them.
#ifndef ASCENDC_MODEL_PIPE_H
#define ASCENDC_MODEL_PIPE_H

#include <exception>
#include <tuple>

#include "ascendc_model/sync.h"

namespace AscendC {

class TPipe;

} // namespace AscendC

namespace AscendCModel {

/// The pipe object of the core that this thread is.
inline thread_local AscendC::TPipe* current_pipe = nullptr;

constexpr uint32_t EVENTS = 8;
constexpr uint32_t PIPE_BUFFERS = 64;

/// Which flags a queue sets when data came in (`full`), and when they are used up (`free`).
struct QueueEvents {
    AscendC::HardEvent full;
    AscendC::HardEvent free;
    bool used;
};

constexpr bool InUnifiedBuffer(AscendC::TPosition position)
{
    return SpaceOf(position) == Space::UB;
}

/// By what fills the buffer and what uses it.
constexpr QueueEvents EventsOf(AscendC::TPosition src, AscendC::TPosition dst)
{
    using P = AscendC::TPosition;
    using E = AscendC::HardEvent;
    const Space from = SpaceOf(src);
    const Space to = SpaceOf(dst);
    if (src == P::CO1) {
        return {E::M_FIX, E::FIX_M, true};
    }
    if (src == P::VECIN && dst == P::VECOUT) {
        return {E::MTE2_MTE3, E::MTE3_MTE2, true};
    }
    if (from == Space::GM && to == Space::UB) {
        return {E::MTE2_V, E::V_MTE2, true};
    }
    if (from == Space::UB && to == Space::GM) {
        return {E::V_MTE3, E::MTE3_V, true};
    }
    if (from == Space::GM && to == Space::L1) {
        return {E::MTE2_MTE1, E::MTE1_MTE2, true};
    }
    if (from == Space::L1 && (to == Space::L0A || to == Space::L0B || to == Space::BT)) {
        return {E::MTE1_M, E::M_MTE1, true};
    }
    return {E::MAX, E::MAX, false};
}

/// The ends of the way on which a queue of one position lies.
constexpr AscendC::TPosition SourceOf(AscendC::TPosition position)
{
    using P = AscendC::TPosition;
    switch (position) {
    case P::A2: return P::A1;
    case P::B2: return P::B1;
    case P::C2:
    case P::C2PIPE2GM: return P::C1;
    case P::VECOUT:
    case P::VECCALC:
    case P::CO1:
    case P::CO2: return position;
    default: return P::GM;
    }
}

constexpr AscendC::TPosition DestinationOf(AscendC::TPosition position)
{
    using P = AscendC::TPosition;
    switch (position) {
    case P::VECOUT:
    case P::CO2: return P::GM;
    case P::CO1: return P::CO2;
    default: return position;
    }
}

/// Where the buffers of a queue lie.
constexpr AscendC::TPosition PlaceOf(AscendC::TPosition src, AscendC::TPosition dst)
{
    using P = AscendC::TPosition;
    if (dst == P::GM || src == P::CO1 || (src == P::VECIN && dst == P::VECOUT)) {
        return src;
    }
    return dst;
}

} // namespace AscendCModel

namespace AscendC {

/// What a queue can be told beyond its positions.
struct TQueConfig {
    bool nd2nz = false;
    bool nz2nd = false;
    bool scmBlockGroup = false;
    uint32_t bufferLen = 0;
    uint32_t bufferNumber = 0;
    uint32_t consumerSize = 0;
    TPosition consumer[8] = {};
    bool enableStaticEvtId = false;
    bool enableLoopQueue = false;
};

/// Buffers that go from the unit that fills them to the unit that uses them, with flags in between.
template <TPosition src, TPosition dst, int32_t depth, auto mask = 0> class TQueBind {
public:
    static constexpr TPosition srcPosition = src;
    static constexpr TPosition dstPosition = dst;
    static constexpr TPosition place = AscendCModel::PlaceOf(src, dst);

    __aicore__ inline TQueBind() = default;

    template <typename T> __aicore__ inline LocalTensor<T> AllocTensor(ASCENDC_MODEL_SITE);
    template <typename T> __aicore__ inline void AllocTensor(LocalTensor<T>& tensor, ASCENDC_MODEL_SITE);
    template <typename T> __aicore__ inline void FreeTensor(LocalTensor<T>& tensor, ASCENDC_MODEL_SITE);
    template <typename T> __aicore__ inline bool EnQue(const LocalTensor<T>& tensor, ASCENDC_MODEL_SITE)
    {
        return Push(tensor.GetBufferHandle(), AscendCModel::EventsOf(src, dst), at);
    }
    template <TPosition srcUserPos, TPosition dstUserPos, typename T>
    __aicore__ inline bool EnQue(const LocalTensor<T>& tensor, ASCENDC_MODEL_SITE)
    {
        return Push(tensor.GetBufferHandle(), AscendCModel::EventsOf(srcUserPos, dstUserPos), at);
    }
    template <typename T> __aicore__ inline LocalTensor<T> DeQue(ASCENDC_MODEL_SITE)
    {
        return Tensor<T>(Pop(at));
    }
    template <typename T> __aicore__ inline void DeQue(LocalTensor<T>& tensor, ASCENDC_MODEL_SITE)
    {
        tensor = Tensor<T>(Pop(at));
    }
    template <TPosition srcUserPos, TPosition dstUserPos, typename T>
    __aicore__ inline LocalTensor<T> DeQue(ASCENDC_MODEL_SITE)
    {
        return Tensor<T>(Pop(at));
    }

    __aicore__ inline bool VacantInQue() { return count_ < CAPACITY; }
    __aicore__ inline bool HasTensorInQue() { return count_ != 0; }
    __aicore__ inline int32_t GetTensorCountInQue() { return static_cast<int32_t>(count_); }
    __aicore__ inline bool HasIdleBuffer()
    {
        for (uint32_t i = 0; i < number_; ++i) {
            if (buffers_[i].state == AscendCModel::QueueBuffer::State::Free) {
                return true;
            }
        }
        return false;
    }
    /// Waits for every flag that the queue has set.
    __aicore__ inline void FreeAllEvent(ASCENDC_MODEL_SITE)
    {
        for (uint32_t i = 0; i < number_; ++i) {
            Settle(buffers_[i], at);
        }
    }

    // For the pool that gives the buffers out.
    __aicore__ inline void Adopt(AscendCModel::QueueBuffer* buffers, uint32_t number)
    {
        buffers_ = buffers;
        number_ = number;
        next_ = 0;
        first_ = 0;
        count_ = 0;
    }

protected:
    using Buffer = AscendCModel::QueueBuffer;
    using State = AscendCModel::QueueBuffer::State;
    static constexpr uint32_t CAPACITY = depth > 1 ? depth : 1;

    template <typename T> LocalTensor<T> Tensor(Buffer& buffer) const
    {
        TBuffAddr address;
        address.dataLen = buffer.length;
        address.bufferAddr = buffer.address;
        address.bufferHandle = reinterpret_cast<TBufHandle>(&buffer);
        address.logicPos = static_cast<uint8_t>(place);
        return LocalTensor<T>(address);
    }

    static void Settle(Buffer& buffer, AscendCModel::Site at);
    Buffer& Take(AscendCModel::Site at);
    bool Push(TBufHandle handle, AscendCModel::QueueEvents events, AscendCModel::Site at);
    Buffer& Pop(AscendCModel::Site at);

    Buffer* buffers_ = nullptr;
    uint32_t number_ = 0;
    uint32_t next_ = 0;
    Buffer* queue_[CAPACITY] = {};
    uint32_t first_ = 0;
    uint32_t count_ = 0;
};

/// A queue on the usual way through a position.
template <TPosition pos, int32_t depth, auto mask = 0>
class TQue : public TQueBind<AscendCModel::SourceOf(pos), AscendCModel::DestinationOf(pos), depth, mask> {
};

template <TPosition pos, int32_t depth = 1, auto mask = 0> using TSCM = TQueBind<pos, TPosition::TSCM, depth, mask>;

/// One buffer without a queue and without flags.
template <TPosition pos = TPosition::LCM> class TBuf : public TQueBind<pos, pos, 0, 0> {
public:
    __aicore__ inline TBuf() = default;

    template <typename T> __aicore__ inline LocalTensor<T> Get(ASCENDC_MODEL_SITE)
    {
        return this->template Tensor<T>(One(at));
    }
    /// `len` elements.
    template <typename T> __aicore__ inline LocalTensor<T> Get(uint32_t len, ASCENDC_MODEL_SITE)
    {
        LocalTensor<T> tensor = this->template Tensor<T>(One(at));
        tensor.SetSize(len);
        return tensor;
    }
    /// `size` elements, from byte `bufOffset` on.
    template <typename T>
    __aicore__ inline LocalTensor<T> GetWithOffset(uint32_t size, uint32_t bufOffset, ASCENDC_MODEL_SITE)
    {
        LocalTensor<T> tensor = this->template Tensor<T>(One(at));
        tensor.address_.bufferAddr += bufOffset;
        tensor.SetSize(size);
        return tensor;
    }
    __aicore__ inline uint32_t GetBufLen() const { return this->buffers_ != nullptr ? this->buffers_->length : 0; }

    template <typename T> void EnQue(const LocalTensor<T>&) = delete;
    template <typename T> void DeQue() = delete;

private:
    AscendCModel::QueueBuffer& One(AscendCModel::Site at)
    {
        if (this->buffers_ == nullptr) {
            AscendCModel::Fail("TBuf: InitBuffer was not called", at);
        }
        return *this->buffers_;
    }
};

} // namespace AscendC

namespace AscendCModel {

/// Buffers in a part of each memory: what TPipe and TBufPool have in common.
template <uint32_t capacity> class BufferPool {
protected:
    /// Gives `number` buffers of `length` bytes to a queue.
    template <typename Q> void Give(Q& queue, uint32_t number, uint64_t length, Site at)
    {
        const Space space = SpaceOf(Q::place);
        if (space == Space::GM) {
            Fail("InitBuffer: this device has no local memory for the position", at);
        }
        QueueBuffer* first = buffers_ + used_;
        for (uint32_t i = 0; i < number; ++i) {
            const uint64_t start = head_[static_cast<uint32_t>(space)];
            // Buffers start and end at blocks of 32 bytes.
            const uint64_t bytes = (length + 31) / 32 * 32;
            Place(space, start, bytes, at);
            head_[static_cast<uint32_t>(space)] = start + bytes;
        }
        queue.Adopt(first, number);
    }

    /// One buffer at an address.
    void Place(Space space, uint64_t start, uint64_t bytes, Site at)
    {
        const auto index = static_cast<uint32_t>(space);
        if (used_ == capacity) {
            Fail("InitBuffer: more buffers than a kernel can have", at);
        }
        if (start + bytes > limit_[index]) {
            Fail("InitBuffer: the buffers do not fit the local memory", at);
        }
        QueueBuffer& buffer = buffers_[used_];
        buffer = {};
        buffer.address = static_cast<uint32_t>(start);
        buffer.length = static_cast<uint32_t>(bytes);
        spaces_[used_] = space;
        ++used_;
    }

    /// The memory of the pool: everything, or a part of one memory.
    void Own(Space space, uint64_t start, uint64_t end)
    {
        head_[static_cast<uint32_t>(space)] = start;
        limit_[static_cast<uint32_t>(space)] = end;
    }

    QueueBuffer buffers_[capacity] = {};
    Space spaces_[capacity] = {};
    uint32_t used_ = 0;
    uint64_t head_[8] = {};
    uint64_t limit_[8] = {};
};

/// Tells the sanitizer, for memories that the core has.
inline void Announce(Space space, const QueueBuffer& buffer, bool live, Site at)
{
    if (current.view->base[static_cast<uint32_t>(space)] != nullptr) {
        Buffer(space, buffer.address, buffer.length, live, at);
    }
}

} // namespace AscendCModel

namespace AscendC {

constexpr uint32_t defaultBufIDSize = 4;

/// Gives out local memory from address 0 upward, and the numbers of flags.
class TPipe : protected AscendCModel::BufferPool<AscendCModel::PIPE_BUFFERS> {
public:
    __aicore__ inline TPipe() { Init(); }
    // Ends the kernel's flags, which may end the kernel.
    __aicore__ inline ~TPipe() noexcept(false)
    {
        if (std::uncaught_exceptions() == 0) {
            Destroy();
        }
        if (AscendCModel::current_pipe == this) {
            AscendCModel::current_pipe = nullptr;
        }
    }
    TPipe(const TPipe&) = delete;
    TPipe& operator=(const TPipe&) = delete;

    __aicore__ inline void Init()
    {
        AscendCModel::ResetRegisters();
        AscendCModel::current_pipe = this;
        Clear();
        alive_ = true;
    }

    /// Waits for the flags that the queues have set and gives the memory back.
    __aicore__ inline void Destroy(ASCENDC_MODEL_SITE)
    {
        if (alive_) {
            Release(at);
            AscendCModel::BarrierOf(PIPE_ALL, at);
            alive_ = false;
        }
    }
    __aicore__ inline void DestroyWithoutPipeAll(ASCENDC_MODEL_SITE)
    {
        if (alive_) {
            Release(at);
            alive_ = false;
        }
    }
    /// Waits for the flags that the queues have set; all memory and all flags are free again.
    __aicore__ inline void Reset(ASCENDC_MODEL_SITE) { Release(at); }

    /// `num` buffers of `len` bytes each for a queue.
    template <class T, typename N, typename L,
        std::enable_if_t<std::is_convertible_v<N, int64_t> && std::is_convertible_v<L, int64_t>, int> = 0>
    __aicore__ inline bool InitBuffer(T& que, N num, L len, ASCENDC_MODEL_SITE)
    {
        Give(que, static_cast<uint32_t>(num), static_cast<uint64_t>(len), at);
        return true;
    }
    /// A buffer of `len` bytes without a queue.
    template <TPosition bufPos> __aicore__ inline bool InitBuffer(TBuf<bufPos>& buf, uint32_t len, ASCENDC_MODEL_SITE)
    {
        Give(buf, 1, len, at);
        buffers_[used_ - 1].state = AscendCModel::QueueBuffer::State::Occupied;
        AscendCModel::Announce(AscendCModel::SpaceOf(bufPos), buffers_[used_ - 1], true, at);
        return true;
    }
    /// Buffers of a queue at addresses of the programmer's: (start, length) for each.
    template <class T, typename U, typename V, class... Addrs>
    __aicore__ inline bool InitBuffer(T& que, const std::tuple<U, V>& addr0, const Addrs&... addrs)
    {
        const AscendCModel::Site at {__builtin_FILE(), __builtin_LINE(), 0};
        AscendCModel::QueueBuffer* first = buffers_ + used_;
        const AscendCModel::Space space = AscendCModel::SpaceOf(T::place);
        Place(space, std::get<0>(addr0), std::get<1>(addr0), at);
        (Place(space, std::get<0>(addrs), std::get<1>(addrs), at), ...);
        que.Adopt(first, 1 + sizeof...(addrs));
        return true;
    }

    /// A part of a memory for a pool, `len` bytes.
    template <class T> __aicore__ inline bool InitBufPool(T& bufPool, uint32_t len, ASCENDC_MODEL_SITE)
    {
        constexpr auto index = static_cast<uint32_t>(AscendCModel::SpaceOf(T::poolPosition));
        const uint64_t bytes = (uint64_t {len} + 31) / 32 * 32;
        if (head_[index] + bytes > limit_[index]) {
            AscendCModel::Fail("InitBufPool: the pool does not fit the local memory", at);
        }
        bufPool.Take(head_[index], bytes);
        head_[index] += bytes;
        return true;
    }
    /// The same memory as another pool.
    template <class T, class U>
    __aicore__ inline bool InitBufPool(T& bufPool, uint32_t len, U& shareBuf, ASCENDC_MODEL_SITE)
    {
        if (len > shareBuf.Length()) {
            AscendCModel::Fail("InitBufPool: longer than the pool that it shares", at);
        }
        bufPool.Take(shareBuf.Start(), shareBuf.Length());
        return true;
    }

    /// A flag that nobody else gets until it is released.
    template <HardEvent evt> __aicore__ inline TEventID AllocEventID(ASCENDC_MODEL_SITE)
    {
        return AcquireEvent(evt, at);
    }
    template <HardEvent evt> __aicore__ inline void ReleaseEventID(TEventID id) { ReturnEvent(evt, id); }
    /// A flag that is free now.
    __aicore__ inline TEventID FetchEventID(HardEvent evt, ASCENDC_MODEL_SITE)
    {
        const uint32_t taken = events_[static_cast<uint32_t>(evt)];
        for (uint32_t id = 0; id < AscendCModel::EVENTS; ++id) {
            if ((taken >> id & 1u) == 0) {
                return static_cast<TEventID>(id);
            }
        }
        AscendCModel::Fail("FetchEventID: all flags of the event are in use", at);
    }
    template <HardEvent evt> __aicore__ inline TEventID FetchEventID(ASCENDC_MODEL_SITE)
    {
        return FetchEventID(evt, at);
    }

    /// Where a memory that no buffer has taken begins, and how much is left (for `PopStackBuffer`).
    uint32_t Head(AscendCModel::Space space) const
    {
        return static_cast<uint32_t>(head_[static_cast<uint32_t>(space)]);
    }

    // For queues.
    TEventID AcquireEvent(HardEvent evt, AscendCModel::Site at)
    {
        const TEventID id = FetchEventID(evt, at);
        events_[static_cast<uint32_t>(evt)] |= 1u << id;
        return id;
    }
    void ReturnEvent(HardEvent evt, TEventID id) { events_[static_cast<uint32_t>(evt)] &= ~(1u << id); }

private:
    void Clear()
    {
        for (uint32_t& taken : events_) {
            taken = 0;
        }
        used_ = 0;
        for (uint32_t space = 1; space < 8; ++space) {
            const auto which = static_cast<AscendCModel::Space>(space);
            Own(which, 0, AscendCModel::SizeOfSpace(which));
        }
    }

    void Release(AscendCModel::Site at);

    uint32_t events_[static_cast<uint32_t>(HardEvent::MAX) + 1] = {};
    bool alive_ = false;
};

/// The TPipe of this core.
__aicore__ inline TPipe* GetTPipePtr()
{
    return AscendCModel::current_pipe;
}

/// A part of a memory that is divided by hand, and may be shared with another pool.
template <TPosition pos, uint32_t bufIDSize = defaultBufIDSize>
class TBufPool : protected AscendCModel::BufferPool<bufIDSize> {
public:
    static constexpr TPosition poolPosition = pos;

    __aicore__ inline TBufPool() = default;

    template <class T, typename N, typename L,
        std::enable_if_t<std::is_convertible_v<N, int64_t> && std::is_convertible_v<L, int64_t>, int> = 0>
    __aicore__ inline bool InitBuffer(T& que, N num, L len, ASCENDC_MODEL_SITE)
    {
        static_assert(AscendCModel::SpaceOf(T::place) == AscendCModel::SpaceOf(pos), "not the memory of the pool");
        this->Give(que, static_cast<uint32_t>(num), static_cast<uint64_t>(len), at);
        return true;
    }
    template <TPosition bufPos> __aicore__ inline bool InitBuffer(TBuf<bufPos>& buf, uint32_t len, ASCENDC_MODEL_SITE)
    {
        static_assert(AscendCModel::SpaceOf(bufPos) == AscendCModel::SpaceOf(pos), "not the memory of the pool");
        this->Give(buf, 1, len, at);
        return true;
    }
    template <class T> __aicore__ inline bool InitBufPool(T& bufPool, uint32_t len, ASCENDC_MODEL_SITE)
    {
        constexpr auto index = static_cast<uint32_t>(AscendCModel::SpaceOf(pos));
        const uint64_t bytes = (uint64_t {len} + 31) / 32 * 32;
        if (this->head_[index] + bytes > this->limit_[index]) {
            AscendCModel::Fail("InitBufPool: the pool does not fit the one around it", at);
        }
        bufPool.Take(this->head_[index], bytes);
        this->head_[index] += bytes;
        return true;
    }
    template <class T, class U>
    __aicore__ inline bool InitBufPool(T& bufPool, uint32_t len, U& shareBuf, ASCENDC_MODEL_SITE)
    {
        if (len > shareBuf.Length()) {
            AscendCModel::Fail("InitBufPool: longer than the pool that it shares", at);
        }
        bufPool.Take(shareBuf.Start(), shareBuf.Length());
        return true;
    }
    /// Waits for the flags of its queues; its buffers are free again.
    __aicore__ inline void Reset(ASCENDC_MODEL_SITE);

    void Take(uint64_t start, uint64_t length)
    {
        start_ = start;
        length_ = length;
        this->used_ = 0;
        this->Own(AscendCModel::SpaceOf(pos), start, start + length);
    }
    uint64_t Start() const { return start_; }
    uint64_t Length() const { return length_; }

private:
    uint64_t start_ = 0;
    uint64_t length_ = 0;
};

} // namespace AscendC

namespace AscendCModel {

/// Waits for the flags of a buffer that are still set.
inline void SettleEvents(QueueBuffer& buffer, Site at)
{
    using AscendC::HardEvent;
    for (int32_t* slot : {&buffer.full_event, &buffer.free_event}) {
        if (*slot >= 0) {
            // The event in the upper bits, its number in the lower.
            const auto event = static_cast<HardEvent>(*slot >> 8);
            const auto id = static_cast<AscendC::TEventID>(*slot & 0xff);
            const PipePair pipes = PipesOf(event);
            WaitFlagBetween(pipes.src, pipes.dst, static_cast<uint32_t>(id), at);
            current_pipe->ReturnEvent(event, id);
            *slot = -1;
        }
    }
}

/// Sets a flag and remembers it in the slot.
inline void RaiseEvent(int32_t& slot, AscendC::HardEvent event, Site at)
{
    const PipePair pipes = PipesOf(event);
    if (!HasPipe(pipes.src) || !HasPipe(pipes.dst)) {
        return;
    }
    if (current_pipe == nullptr) {
        Fail("a queue is used without a TPipe", at);
    }
    const AscendC::TEventID id = current_pipe->AcquireEvent(event, at);
    SetFlagBetween(pipes.src, pipes.dst, static_cast<uint32_t>(id), at);
    slot = static_cast<int32_t>(event) << 8 | id;
}

} // namespace AscendCModel

namespace AscendC {

template <TPosition src, TPosition dst, int32_t depth, auto mask>
inline void TQueBind<src, dst, depth, mask>::Settle(Buffer& buffer, AscendCModel::Site at)
{
    AscendCModel::SettleEvents(buffer, at);
}

template <TPosition src, TPosition dst, int32_t depth, auto mask>
inline AscendCModel::QueueBuffer& TQueBind<src, dst, depth, mask>::Take(AscendCModel::Site at)
{
    if (number_ == 0) {
        AscendCModel::Fail("AllocTensor: InitBuffer was not called for the queue", at);
    }
    // Buffers are used in turn, so that the one freed longest ago comes first.
    for (uint32_t i = 0; i < number_; ++i) {
        Buffer& buffer = buffers_[(next_ + i) % number_];
        if (buffer.state == State::Free) {
            next_ = (next_ + i + 1) % number_;
            Settle(buffer, at);
            buffer.state = State::Occupied;
            AscendCModel::Announce(AscendCModel::SpaceOf(place), buffer, true, at);
            return buffer;
        }
    }
    AscendCModel::Fail("AllocTensor: all buffers of the queue are in use", at);
}

template <TPosition src, TPosition dst, int32_t depth, auto mask>
template <typename T>
__aicore__ inline LocalTensor<T> TQueBind<src, dst, depth, mask>::AllocTensor(AscendCModel::Site at)
{
    return Tensor<T>(Take(at));
}

template <TPosition src, TPosition dst, int32_t depth, auto mask>
template <typename T>
__aicore__ inline void TQueBind<src, dst, depth, mask>::AllocTensor(LocalTensor<T>& tensor, AscendCModel::Site at)
{
    tensor = Tensor<T>(Take(at));
}

template <TPosition src, TPosition dst, int32_t depth, auto mask>
template <typename T>
__aicore__ inline void TQueBind<src, dst, depth, mask>::FreeTensor(LocalTensor<T>& tensor, AscendCModel::Site at)
{
    auto* buffer = reinterpret_cast<Buffer*>(tensor.GetBufferHandle());
    if (buffer == nullptr) {
        AscendCModel::Fail("FreeTensor: the tensor is not from a queue", at);
    }
    if (buffer->state == State::Free) {
        AscendCModel::Fail("FreeTensor: the tensor was freed before", at);
    }
    constexpr AscendCModel::QueueEvents events = AscendCModel::EventsOf(src, dst);
    if constexpr (events.used) {
        AscendCModel::RaiseEvent(buffer->free_event, events.free, at);
    }
    buffer->state = State::Free;
    AscendCModel::Announce(AscendCModel::SpaceOf(place), *buffer, false, at);
}

template <TPosition src, TPosition dst, int32_t depth, auto mask>
inline bool TQueBind<src, dst, depth, mask>::Push(
    TBufHandle handle, AscendCModel::QueueEvents events, AscendCModel::Site at)
{
    auto* buffer = reinterpret_cast<Buffer*>(handle);
    if (buffer == nullptr) {
        AscendCModel::Fail("EnQue: the tensor is not from a queue", at);
    }
    if (count_ == CAPACITY) {
        AscendCModel::Fail("EnQue: the queue is full; its depth is how many tensors it holds at a time", at);
    }
    if (buffer->state == State::Free || buffer->state == State::EnQue) {
        AscendCModel::Fail("EnQue: the tensor is not the programmer's", at);
    }
    if (events.used) {
        AscendCModel::RaiseEvent(buffer->full_event, events.full, at);
    }
    buffer->state = State::EnQue;
    queue_[(first_ + count_) % CAPACITY] = buffer;
    ++count_;
    return true;
}

template <TPosition src, TPosition dst, int32_t depth, auto mask>
inline AscendCModel::QueueBuffer& TQueBind<src, dst, depth, mask>::Pop(AscendCModel::Site at)
{
    if (count_ == 0) {
        AscendCModel::Fail("DeQue: the queue is empty", at);
    }
    Buffer& buffer = *queue_[first_];
    first_ = (first_ + 1) % CAPACITY;
    --count_;
    Settle(buffer, at);
    buffer.state = State::DeQue;
    return buffer;
}

inline void TPipe::Release(AscendCModel::Site at)
{
    AscendCModel::current_pipe = this;
    for (uint32_t i = 0; i < used_; ++i) {
        AscendCModel::SettleEvents(buffers_[i], at);
        if (buffers_[i].state != AscendCModel::QueueBuffer::State::Free) {
            AscendCModel::Announce(spaces_[i], buffers_[i], false, at);
        }
    }
    Clear();
}

template <TPosition pos, uint32_t bufIDSize>
__aicore__ inline void TBufPool<pos, bufIDSize>::Reset(AscendCModel::Site at)
{
    for (uint32_t i = 0; i < this->used_; ++i) {
        AscendCModel::SettleEvents(this->buffers_[i], at);
    }
    Take(start_, length_);
}

/// All of a memory that no buffer of the TPipe has.
template <typename T, TPosition pos> __aicore__ inline bool PopStackBuffer(LocalTensor<T>& popLocal)
{
    constexpr AscendCModel::Space space = AscendCModel::SpaceOf(pos);
    const uint32_t start = AscendCModel::current_pipe->Head(space);
    const uint32_t bytes = AscendCModel::SizeOfSpace(space) - start;
    popLocal = LocalTensor<T>(pos, start, static_cast<uint32_t>(AscendCModel::ElementsOf<T>(bytes)));
    return bytes != 0;
}

} // namespace AscendC

// The device's library has it in both namespaces.
using AscendC::GetTPipePtr;

#endif
