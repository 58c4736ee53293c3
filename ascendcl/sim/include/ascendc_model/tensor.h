// Tensors in local and in global memory.
#ifndef ASCENDC_MODEL_TENSOR_H
#define ASCENDC_MODEL_TENSOR_H

#include <cstdint>
#include <tuple>

#include "ascendc_model/types.h"

namespace AscendC {

/// Shape of a tensor, as a note for the programmer: no instruction looks at it.
struct ShapeInfo {
    __aicore__ inline ShapeInfo() = default;
    __aicore__ inline ShapeInfo(const uint8_t inputShapeDim, const uint32_t inputShape[],
        const uint8_t inputOriginalShapeDim, const uint32_t inputOriginalShape[], const DataFormat inputFormat)
        : shapeDim(inputShapeDim), originalShapeDim(inputOriginalShapeDim), dataFormat(inputFormat)
    {
        Keep(shape, inputShape, shapeDim);
        Keep(originalShape, inputOriginalShape, originalShapeDim);
    }
    __aicore__ inline ShapeInfo(
        const uint8_t inputShapeDim, const uint32_t inputShape[], const DataFormat inputFormat)
        : ShapeInfo(inputShapeDim, inputShape, inputShapeDim, inputShape, inputFormat)
    {
    }
    __aicore__ inline ShapeInfo(const uint8_t inputShapeDim, const uint32_t inputShape[])
        : ShapeInfo(inputShapeDim, inputShape, DataFormat::ND)
    {
    }

    uint8_t shapeDim = 0;
    uint8_t originalShapeDim = 0;
    uint32_t shape[K_MAX_SHAPE_DIM] = {};
    uint32_t originalShape[K_MAX_SHAPE_DIM] = {};
    DataFormat dataFormat = DataFormat::ND;

private:
    __aicore__ static inline void Keep(uint32_t* to, const uint32_t* from, uint8_t count)
    {
        for (uint8_t i = 0; i < count && i < K_MAX_SHAPE_DIM; ++i) {
            to[i] = from[i];
        }
    }
};

/// Product of the extents.
__aicore__ inline int GetShapeSize(const ShapeInfo& shapeInfo)
{
    int size = 1;
    for (uint8_t i = 0; i < shapeInfo.shapeDim; ++i) {
        size *= static_cast<int>(shapeInfo.shape[i]);
    }
    return size;
}

template <typename... Extents> struct Shape : std::tuple<Extents...> {
    using std::tuple<Extents...>::tuple;
};
template <typename... Extents> struct Stride : std::tuple<Extents...> {
    using std::tuple<Extents...>::tuple;
};
template <typename... Extents> struct Coord : std::tuple<Extents...> {
    using std::tuple<Extents...>::tuple;
};
template <typename... Extents> constexpr Shape<Extents...> MakeShape(const Extents&... extents)
{
    return {extents...};
}
template <typename... Extents> constexpr Stride<Extents...> MakeStride(const Extents&... extents)
{
    return {extents...};
}
template <typename... Extents> constexpr Coord<Extents...> MakeCoord(const Extents&... extents)
{
    return {extents...};
}

/// A shape with the distance between neighbours in each of its axes.
template <typename ShapeType, typename StrideType> struct Layout {
    constexpr Layout(const ShapeType& shape = {}, const StrideType& stride = {}) : shape_(shape), stride_(stride) {}
    constexpr decltype(auto) GetShape() { return (shape_); }
    constexpr decltype(auto) GetShape() const { return (shape_); }
    constexpr decltype(auto) GetStride() { return (stride_); }
    constexpr decltype(auto) GetStride() const { return (stride_); }

private:
    ShapeType shape_;
    StrideType stride_;
};
template <typename ShapeType, typename StrideType>
constexpr Layout<ShapeType, StrideType> MakeLayout(const ShapeType& shape, const StrideType& stride)
{
    return {shape, stride};
}

/// An element type with the position and the layout of a tensor.
template <typename T, TPosition pos = TPosition::GM, typename LayoutType = Layout<Shape<>, Stride<>>>
struct TensorTrait {
    using LiteType = T;
    using LiteLayoutType = LayoutType;
    static constexpr const TPosition tPos = pos;

    __aicore__ inline TensorTrait(const LayoutType& t = {}) : layout_(t) {}
    __aicore__ inline LayoutType& GetLayout() { return layout_; }
    __aicore__ inline const LayoutType& GetLayout() const { return layout_; }
    __aicore__ inline void SetLayout(const LayoutType& t) { layout_ = t; }

private:
    LayoutType layout_;
};
template <typename T, TPosition pos, typename LayoutType>
__aicore__ inline TensorTrait<T, pos, LayoutType> MakeTensorTrait(const LayoutType& t)
{
    return {t};
}

template <typename T> struct is_tensorTrait : std::false_type {};
template <typename T, TPosition pos, typename LayoutType>
struct is_tensorTrait<TensorTrait<T, pos, LayoutType>> : std::true_type {};
template <typename T> constexpr bool is_tensorTrait_v = is_tensorTrait<T>::value;

} // namespace AscendC

namespace AscendCModel {

template <typename T> struct ElementOf {
    using Type = T;
};
template <typename T, AscendC::TPosition pos, typename LayoutType>
struct ElementOf<AscendC::TensorTrait<T, pos, LayoutType>> {
    using Type = T;
};

/// A buffer of a queue or a TBuf, for as long as tensors of it are in use.
struct QueueBuffer {
    enum class State : uint8_t { Free, Occupied, EnQue, DeQue };
    uint32_t address = 0;
    uint32_t length = 0;
    State state = State::Free;
    AscendC::TTagType tag = 0;
    /// The flag that `EnQue` set and `DeQue` waits for.
    int32_t full_event = -1;
    /// The flag that `FreeTensor` set and `AllocTensor` waits for.
    int32_t free_event = -1;
};

/// An element that scalar code reads or writes in place.
template <typename T, typename Tensor> class ElementReference {
public:
    ElementReference(const Tensor& tensor, uint64_t index, Site at) : tensor_(tensor), index_(index), at_(at) {}

    operator T() const { return tensor_.GetValue(index_, at_); }
    template <typename N, std::enable_if_t<std::is_same_v<N, float> && !std::is_arithmetic_v<T>, int> = 0>
    operator N() const
    {
        return static_cast<T>(*this);
    }
    template <typename N,
        std::enable_if_t<std::is_arithmetic_v<N> && !std::is_same_v<N, T> && !std::is_same_v<N, float>, int> = 0>
    explicit operator N() const
    {
        return static_cast<N>(static_cast<T>(*this));
    }
    template <typename V> const ElementReference& operator=(const V& value) const
    {
        tensor_.Store(index_, static_cast<T>(value), at_);
        return *this;
    }
    const ElementReference& operator=(const ElementReference& other) const { return *this = static_cast<T>(other); }
    ElementReference(const ElementReference&) = default;
    template <typename V> const ElementReference& operator+=(const V& value) const
    {
        return *this = static_cast<T>(static_cast<T>(*this) + value);
    }
    template <typename V> const ElementReference& operator-=(const V& value) const
    {
        return *this = static_cast<T>(static_cast<T>(*this) - value);
    }
    template <typename V> const ElementReference& operator*=(const V& value) const
    {
        return *this = static_cast<T>(static_cast<T>(*this) * value);
    }
    template <typename V> const ElementReference& operator/=(const V& value) const
    {
        return *this = static_cast<T>(static_cast<T>(*this) / value);
    }

private:
    Tensor tensor_;
    uint64_t index_;
    Site at_;
};

} // namespace AscendCModel

namespace AscendC {

/// The element type of a tensor of T, which may be a TensorTrait.
template <typename T> using PrimT = typename AscendCModel::ElementOf<T>::Type;

/// Where a local tensor lies: `bufferAddr` counts bytes from the start of the memory.
struct TBuffAddr {
    uint32_t dataLen = 0;
    uint64_t bufferAddr = 0;
    TBufHandle bufferHandle = nullptr;
    uint8_t logicPos = 0;
};

/// Elements in a memory of the core.
template <typename T> class LocalTensor {
public:
    using PrimType = PrimT<T>;

    __aicore__ inline LocalTensor() = default;
    __aicore__ inline explicit LocalTensor(const TBuffAddr& address) : address_(address) {}
    template <typename E, typename = typename E::TensorExpression>
    __aicore__ inline const LocalTensor& operator=(const E& expression)
    {
        expression.Into(*this);
        return *this;
    }
    /// `addr` in bytes, 32-byte aligned; `tileSize` in elements.
    __aicore__ inline LocalTensor(TPosition pos, uint32_t addr, uint32_t tileSize)
    {
        address_.logicPos = static_cast<uint8_t>(pos);
        InitBuffer(addr, tileSize);
    }
    template <typename U = T, std::enable_if_t<is_tensorTrait_v<U>, int> = 0>
    __aicore__ inline explicit LocalTensor(uint32_t addr)
    {
        address_.logicPos = static_cast<uint8_t>(U::tPos);
        address_.bufferAddr = addr;
    }

    /// The address of the first element in the ABI of the model.
    uint64_t ModelAddress() const
    {
        return AscendCModel::LocalAddress(Memory(), Offset());
    }

    /// As an operand that is in `operand` always: a tensor that was never given a position lies at its start, as on
    /// the device, where the instruction decides.
    uint64_t ModelAddress(AscendCModel::Space operand) const
    {
        return Memory() == AscendCModel::Space::GM ? AscendCModel::LocalAddress(operand, address_.bufferAddr)
                                                   : ModelAddress();
    }

    /// The memory that the tensor is in.
    AscendCModel::Space Memory() const { return AscendCModel::SpaceOf(static_cast<TPosition>(address_.logicPos)); }

    /// Bytes from the start of the memory. Scalar code may have put in a pointer from `GetPhyAddr`.
    uint64_t Offset() const
    {
        const uint64_t offset = address_.bufferAddr;
        if (offset < (1u << 20)) {
            return offset;
        }
        const auto base = reinterpret_cast<uint64_t>(AscendCModel::LocalPointer(Memory(), 0));
        return offset - base < (1u << 20) ? offset - base : offset & ((1ull << AscendCModel::SPACE_SHIFT) - 1);
    }

    __aicore__ inline uint64_t GetPhyAddr() const { return GetPhyAddr(0); }
    __aicore__ inline uint64_t GetPhyAddr(const uint32_t offset) const
    {
        return reinterpret_cast<uint64_t>(
            AscendCModel::LocalPointer(Memory(), Offset() + AscendCModel::BytesOf<PrimType>(offset)));
    }

    __aicore__ inline PrimType GetValue(const uint32_t index, ASCENDC_MODEL_SITE) const
    {
        PrimType value {};
        if (const uint8_t* element = Scalar(index, false, at)) {
            std::memcpy(&value, element, sizeof(PrimType));
            if constexpr (std::is_same_v<PrimType, int4b_t>) {
                const auto bits = static_cast<uint8_t>(value.storage);
                value.storage = static_cast<int8_t>((index % 2 != 0 ? bits : bits << 4)) >> 4;
            }
        }
        return value;
    }
    template <typename T1> __aicore__ inline void SetValue(const uint32_t index, const T1 value, ASCENDC_MODEL_SITE) const
    {
        if constexpr (std::is_same_v<PrimType, int4b_t>) {
            static_assert(AscendCModel::Always<T1>::value, "SetValue has no elements of 4 bits");
        } else {
            Store(index, static_cast<PrimType>(value), at);
        }
    }
    __aicore__ inline AscendCModel::ElementReference<PrimType, LocalTensor> operator()(
        const uint32_t offset, ASCENDC_MODEL_SITE) const
    {
        return {*this, offset, at};
    }

    template <typename CAST_T> __aicore__ inline LocalTensor<CAST_T> ReinterpretCast() const
    {
        LocalTensor<CAST_T> other(address_);
        return other;
    }
    __aicore__ inline LocalTensor operator[](const uint32_t offset) const
    {
        LocalTensor other = *this;
        const uint64_t bytes = AscendCModel::BytesOf<PrimType>(offset);
        other.address_.bufferAddr += bytes;
        other.address_.dataLen = bytes < address_.dataLen ? address_.dataLen - static_cast<uint32_t>(bytes) : 0;
        return other;
    }
    template <typename T1> __aicore__ inline void SetAddrWithOffset(LocalTensor<T1>& src, uint32_t offset)
    {
        address_ = src.address_;
        address_.bufferAddr += AscendCModel::BytesOf<PrimT<T1>>(offset);
    }
    __aicore__ inline void SetAddr(const TBuffAddr& address) { address_ = address; }

    /// `bufferOffset` in bytes, `bufferSize` in elements.
    __aicore__ inline void InitBuffer(const uint32_t bufferOffset, const uint32_t bufferSize)
    {
        address_.bufferAddr = bufferOffset;
        SetSize(bufferSize);
    }

    __aicore__ inline int32_t GetPosition() const { return address_.logicPos; }
    /// In elements.
    __aicore__ inline void SetSize(const uint32_t size)
    {
        address_.dataLen = static_cast<uint32_t>(AscendCModel::BytesOf<PrimType>(size));
    }
    /// In elements.
    __aicore__ inline uint32_t GetSize() const
    {
        return static_cast<uint32_t>(AscendCModel::ElementsOf<PrimType>(address_.dataLen));
    }
    /// In bytes.
    __aicore__ inline uint32_t GetLength() const { return address_.dataLen; }
    /// In elements.
    __aicore__ inline void SetBufferLen(uint32_t dataLen) { SetSize(dataLen); }

    __aicore__ inline void SetUserTag(const TTagType tag)
    {
        if (auto* buffer = reinterpret_cast<AscendCModel::QueueBuffer*>(address_.bufferHandle)) {
            buffer->tag = tag;
        }
    }
    __aicore__ inline TTagType GetUserTag() const
    {
        const auto* buffer = reinterpret_cast<const AscendCModel::QueueBuffer*>(address_.bufferHandle);
        return buffer != nullptr ? buffer->tag : 0;
    }

    __aicore__ inline void SetShapeInfo(const ShapeInfo& shapeInfo) { shapeInfo_ = shapeInfo; }
    __aicore__ inline ShapeInfo GetShapeInfo() const { return shapeInfo_; }
    __aicore__ inline TBufHandle GetBufferHandle() const { return address_.bufferHandle; }

    TBuffAddr address_;

private:
    template <typename, typename> friend class AscendCModel::ElementReference;

    __aicore__ inline void Store(uint64_t index, PrimType value, AscendCModel::Site at) const
    {
        if (uint8_t* element = Scalar(index, true, at)) {
            std::memcpy(element, &value, sizeof(PrimType));
        }
    }

    /// Where scalar code finds an element; null on a core without this memory, where the call vanishes.
    uint8_t* Scalar(uint64_t index, bool write, AscendCModel::Site at) const
    {
        const auto* view = AscendCModel::current.view;
        const AscendCModel::Space space = Memory();
        if (view->base[static_cast<uint32_t>(space)] == nullptr) {
            return nullptr;
        }
        const uint64_t offset = Offset() + AscendCModel::BytesOf<PrimType>(index);
        AscendCModel::ScalarAccess(AscendCModel::LocalAddress(space, offset), sizeof(PrimType), write, at);
        if (offset + sizeof(PrimType) > view->size[static_cast<uint32_t>(space)]) {
            AscendCModel::Fail("scalar access beyond the end of the local memory", at);
        }
        return AscendCModel::LocalPointer(space, offset);
    }

    ShapeInfo shapeInfo_;
};

/// Elements in global memory.
template <typename T> class GlobalTensor {
public:
    using PrimType = PrimT<T>;

    __aicore__ inline GlobalTensor() = default;

    /// The address of the first element in the ABI of the model.
    uint64_t ModelAddress() const { return reinterpret_cast<uint64_t>(address_); }

    /// `bufferSize` in elements.
    __aicore__ inline void SetGlobalBuffer(__gm__ PrimType* buffer, uint64_t bufferSize)
    {
        address_ = buffer;
        size_ = bufferSize;
    }
    __aicore__ inline void SetGlobalBuffer(__gm__ PrimType* buffer) { SetGlobalBuffer(buffer, 0); }

    __aicore__ inline const __gm__ PrimType* GetPhyAddr() const { return address_; }
    __aicore__ inline __gm__ PrimType* GetPhyAddr(const uint64_t offset) const { return At(offset); }

    __aicore__ inline PrimType GetValue(const uint64_t offset, ASCENDC_MODEL_SITE) const
    {
        const auto address = reinterpret_cast<uint64_t>(At(offset));
        AscendCModel::ScalarAccess(address, sizeof(PrimType), false, at);
        PrimType value {};
        std::memcpy(&value, AscendCModel::GlobalPointer(address), sizeof(PrimType));
        return value;
    }
    __aicore__ inline void SetValue(const uint64_t offset, PrimType value, ASCENDC_MODEL_SITE) const
    {
        Store(offset, value, at);
    }
    __aicore__ inline AscendCModel::ElementReference<PrimType, GlobalTensor> operator()(
        const uint64_t offset, ASCENDC_MODEL_SITE) const
    {
        return {*this, offset, at};
    }

    /// In elements; 0 if `SetGlobalBuffer` was not told.
    __aicore__ inline uint64_t GetSize() const { return size_; }
    __aicore__ inline GlobalTensor operator[](const uint64_t offset) const
    {
        GlobalTensor other = *this;
        other.address_ = At(offset);
        return other;
    }
    template <typename CAST_T> __aicore__ inline GlobalTensor<CAST_T> ReinterpretCast() const
    {
        GlobalTensor<CAST_T> other;
        const uint64_t bytes = AscendCModel::BytesOf<PrimType>(size_);
        other.SetGlobalBuffer(reinterpret_cast<__gm__ PrimT<CAST_T>*>(address_),
            AscendCModel::ElementsOf<PrimT<CAST_T>>(bytes));
        return other;
    }

    /// What the L2 cache does with the data; the results are the same.
    template <CacheRwMode rwMode = CacheRwMode::RW> __aicore__ inline void SetL2CacheHint(CacheMode mode)
    {
        static_cast<void>(mode);
    }
    __aicore__ inline void SetShapeInfo(const ShapeInfo& shapeInfo) { shapeInfo_ = shapeInfo; }
    __aicore__ inline ShapeInfo GetShapeInfo() const { return shapeInfo_; }

private:
    template <typename, typename> friend class AscendCModel::ElementReference;

    __aicore__ inline __gm__ PrimType* At(uint64_t offset) const
    {
        const uint64_t address = reinterpret_cast<uint64_t>(address_) + AscendCModel::BytesOf<PrimType>(offset);
        return reinterpret_cast<__gm__ PrimType*>(address);
    }
    __aicore__ inline void Store(uint64_t offset, PrimType value, AscendCModel::Site at) const
    {
        const auto address = reinterpret_cast<uint64_t>(At(offset));
        AscendCModel::ScalarAccess(address, sizeof(PrimType), true, at);
        std::memcpy(AscendCModel::GlobalPointer(address), &value, sizeof(PrimType));
    }

    __gm__ PrimType* address_ = nullptr;
    uint64_t size_ = 0;
    ShapeInfo shapeInfo_;
};

/// Gives out a memory from its start, once: for kernels without a TPipe.
template <Hardware hard = Hardware::UB> class LocalMemAllocator {
public:
    __aicore__ inline LocalMemAllocator() = default;

    /// The first byte that is not given out.
    __aicore__ inline uint32_t GetCurAddr() const { return head_; }

    template <class DataType, uint32_t tileSize> __aicore__ inline LocalTensor<DataType> Alloc(ASCENDC_MODEL_SITE)
    {
        return Next<DataType>(USUAL, tileSize, at);
    }
    template <TPosition pos, class DataType, uint32_t tileSize>
    __aicore__ inline LocalTensor<DataType> Alloc(ASCENDC_MODEL_SITE)
    {
        return Next<DataType>(pos, tileSize, at);
    }
    template <class DataType> __aicore__ inline LocalTensor<DataType> Alloc(uint32_t tileSize, ASCENDC_MODEL_SITE)
    {
        return Next<DataType>(USUAL, tileSize, at);
    }
    template <TPosition pos, class DataType>
    __aicore__ inline LocalTensor<DataType> Alloc(uint32_t tileSize, ASCENDC_MODEL_SITE)
    {
        return Next<DataType>(pos, tileSize, at);
    }

private:
    static constexpr TPosition Usual()
    {
        switch (hard) {
        case Hardware::L1:
            return TPosition::A1;
        case Hardware::L0A:
            return TPosition::A2;
        case Hardware::L0B:
            return TPosition::B2;
        case Hardware::L0C:
            return TPosition::CO1;
        case Hardware::BIAS:
            return TPosition::C2;
        case Hardware::FIXBUF:
            return TPosition::C2PIPE2GM;
        default:
            return TPosition::VECCALC;
        }
    }
    static constexpr TPosition USUAL = Usual();
    static constexpr AscendCModel::Space SPACE = AscendCModel::SpaceOf(USUAL);
    static_assert(hard != Hardware::GM && hard != Hardware::MAX, "LocalMemAllocator is for memories of the core");

    template <class DataType>
    LocalTensor<DataType> Next(TPosition pos, uint32_t elements, AscendCModel::Site at)
    {
        if (AscendCModel::SpaceOf(pos) != SPACE) {
            AscendCModel::Fail("LocalMemAllocator: the position is not in its memory", at);
        }
        const uint64_t bytes = AscendCModel::BytesOf<PrimT<DataType>>(elements);
        if (head_ + bytes > AscendCModel::SizeOfSpace(SPACE)) {
            AscendCModel::Fail("LocalMemAllocator: the memory is used up", at);
        }
        LocalTensor<DataType> tensor(pos, head_, elements);
        if (AscendCModel::current.view->base[static_cast<uint32_t>(SPACE)] != nullptr) {
            AscendCModel::Buffer(SPACE, head_, bytes, true, at);
        }
        // The next tensor must start at a block.
        head_ += static_cast<uint32_t>((bytes + 31) / 32 * 32);
        return tensor;
    }

    uint32_t head_ = 0;
};

} // namespace AscendC

#endif
