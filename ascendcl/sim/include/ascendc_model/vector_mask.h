// The register of the vector mask: which lanes take part in instructions that do not set it themselves.
#ifndef ASCENDC_MODEL_VECTOR_MASK_H
#define ASCENDC_MODEL_VECTOR_MASK_H

#include "ascendc_model/vector_lower.h"

namespace AscendC {

/// The mask has a bit for each lane of a repeat.
__aicore__ inline void SetMaskNorm()
{
    AscendCModel::current.registers.mask.counter = 0;
}

/// The mask is the number of elements of an instruction.
__aicore__ inline void SetMaskCount()
{
    AscendCModel::current.registers.mask.counter = 1;
}

/// Bits of the lanes; in counter mode the number of elements is `maskLow`.
template <typename T, MaskMode mode = MaskMode::NORMAL>
__aicore__ inline void SetVectorMask(const uint64_t maskHigh, const uint64_t maskLow)
{
    AscendCModel::current.registers.mask.bits[0] = maskLow;
    AscendCModel::current.registers.mask.bits[1] = maskHigh;
}

/// The first `len` lanes, or `len` elements in all.
template <typename T, MaskMode mode = MaskMode::NORMAL>
__aicore__ inline void SetVectorMask(int32_t len, ASCENDC_MODEL_SITE)
{
    AscendCModel::Mask& mask = AscendCModel::current.registers.mask;
    const uint32_t counter = mask.counter;
    mask.counter = mode == MaskMode::COUNTER ? 1 : 0;
    AscendCModel::LaneMask<true>(static_cast<uint64_t>(static_cast<int64_t>(len)), at);
    mask.counter = counter;
}

/// All lanes; the mode stays.
__aicore__ inline void ResetMask()
{
    AscendCModel::current.registers.mask.bits[0] = ~0ull;
    AscendCModel::current.registers.mask.bits[1] = ~0ull;
}

} // namespace AscendC

#endif
