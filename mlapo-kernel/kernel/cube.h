// The cube cores' part: three products whose weights come in one unbroken stream.
//
// Each cube core owns a range of output columns of every product. Its weights, product after product, are cut into
// chunks, and the chunks pass through a ring of buffers in L1. The ring is refilled as soon as a buffer is free,
// also while the core waits for the vector cores to hand over the next activations: at a few tokens the weights are
// all that the memory carries, and the memory must not idle at a synchronization.
#ifndef MLAPO_CUBE_H
#define MLAPO_CUBE_H

#include "kernel_operator.h"
#include "operation.h"

namespace Mlapo {

constexpr uint32_t FRACTAL_ROWS = 16;
constexpr uint32_t BLOCK_BYTES = 32;
constexpr uint32_t FRACTAL_BYTES = FRACTAL_ROWS * BLOCK_BYTES;

// L1: four buffers of weights and two of activations. Events of the two pipes: one for each buffer.
constexpr uint32_t WEIGHT_SLOTS = 4;
constexpr uint32_t WEIGHT_SLOT_BYTES = 96 * 1024;
constexpr uint32_t ROW_SLOTS = 2;
constexpr uint32_t ROW_SLOT_BYTES = 56 * 1024;
// Of a tile whose sums are dequantized on their way out: scales and bias of its columns, for two tiles.
constexpr uint32_t SCALE_COLUMNS = 256;
constexpr uint32_t BIAS_AT = SCALE_COLUMNS * sizeof(uint64_t);
constexpr uint32_t SCALE_SLOT_BYTES = BIAS_AT + SCALE_COLUMNS * sizeof(int32_t);
// The event of the bias table, beside those of the halves of L0A and L0B.
constexpr uint32_t BIAS_EVENT = 2;
// L0A, L0B and L0C: two halves each.
constexpr uint32_t L0_HALF_BYTES = 32 * 1024;
constexpr uint32_t L0C_HALF_BYTES = 64 * 1024;

__aicore__ inline event_t Event(uint32_t id)
{
    return static_cast<event_t>(id);
}

// A place in the stream of weights: product, tile of columns, chunk of token rows, chunk of the inner dimension.
struct Place {
    uint32_t product = 0;
    uint32_t tile = 0;
    uint32_t rows = 0;
    uint32_t inner = 0;
};

template <typename T> class CubeCore {
public:
    __aicore__ inline CubeCore(const Operands& operands, const Tiling& tiling) : operands_(operands), tiling_(tiling)
    {
        pipe_.InitBuffer(weights_, WEIGHT_SLOTS * WEIGHT_SLOT_BYTES);
        pipe_.InitBuffer(rows_, ROW_SLOTS * ROW_SLOT_BYTES);
        pipe_.InitBuffer(left_, 2 * L0_HALF_BYTES);
        pipe_.InitBuffer(right_, 2 * L0_HALF_BYTES);
        pipe_.InitBuffer(sums_, 2 * L0C_HALF_BYTES);
        pipe_.InitBuffer(scales_, 2 * SCALE_SLOT_BYTES);
        pipe_.InitBuffer(bias_, SCALE_COLUMNS * sizeof(int32_t));
        block_ = AscendC::GetBlockIdx();
    }

    __aicore__ inline void Run()
    {
        Open();
        for (uint32_t product = 0; product < PRODUCTS; ++product) {
            // The weights of the first tiles are on their way before the wait.
            Ahead();
            AscendC::CrossCoreWaitFlag(FLAG_START + product);
            const uint32_t tiles = Tiles(tiling_.product[product], block_, tiling_.blocks);
            for (uint32_t tile = 0; tile < tiles; ++tile) {
                for (uint32_t rows = 0; rows < tiling_.row_chunks; ++rows) {
                    Tile(product, tile, rows);
                }
            }
            Finish(product);
        }
        Close();
    }

private:
    // Says that every buffer is free.
    __aicore__ inline void Open()
    {
        for (uint32_t slot = 0; slot < WEIGHT_SLOTS + ROW_SLOTS; ++slot) {
            AscendC::SetFlag<AscendC::HardEvent::MTE1_MTE2>(Event(slot));
        }
        for (uint32_t half = 0; half < 2; ++half) {
            AscendC::SetFlag<AscendC::HardEvent::M_MTE1>(Event(half));
            AscendC::SetFlag<AscendC::HardEvent::FIX_M>(Event(half));
            AscendC::SetFlag<AscendC::HardEvent::FIX_MTE2>(Event(half));
        }
        AscendC::SetFlag<AscendC::HardEvent::M_MTE1>(Event(BIAS_EVENT));
        place_.product = NextProduct(0);
    }

    // Takes back what Open said.
    __aicore__ inline void Close()
    {
        for (uint32_t slot = 0; slot < WEIGHT_SLOTS + ROW_SLOTS; ++slot) {
            AscendC::WaitFlag<AscendC::HardEvent::MTE1_MTE2>(Event(slot));
        }
        for (uint32_t half = 0; half < 2; ++half) {
            AscendC::WaitFlag<AscendC::HardEvent::M_MTE1>(Event(half));
            AscendC::WaitFlag<AscendC::HardEvent::FIX_M>(Event(half));
            AscendC::WaitFlag<AscendC::HardEvent::FIX_MTE2>(Event(half));
        }
        AscendC::WaitFlag<AscendC::HardEvent::M_MTE1>(Event(BIAS_EVENT));
    }

    // Whether a product's sums are dequantized on their way out.
    __aicore__ inline bool Fuses(uint32_t product) const
    {
        return Half<T>::FROM_SUMS && tiling_.fused_dequant != 0 && product != PRODUCT_ABSORB;
    }

    // Loads scales and bias of a tile's columns.
    __aicore__ inline void LoadScales(uint32_t product, const Columns& columns, uint32_t sums)
    {
        AscendC::GlobalTensor<uint64_t> scales;
        AscendC::GlobalTensor<int32_t> bias;
        const bool down = product == PRODUCT_DOWN;
        scales.SetGlobalBuffer(reinterpret_cast<__gm__ uint64_t*>(down ? operands_.descale0 : operands_.descale1));
        bias.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(down ? operands_.bias0 : operands_.bias1));
        AscendC::WaitFlag<AscendC::HardEvent::FIX_MTE2>(Event(sums));
        AscendC::DataCopy(Scales(sums), scales[columns.first], columns.count);
        AscendC::DataCopy(Bias(sums), bias[columns.first], columns.count);
    }

    __aicore__ inline AscendC::LocalTensor<uint64_t> Scales(uint32_t sums)
    {
        return scales_.Get<uint8_t>()[sums * SCALE_SLOT_BYTES].template ReinterpretCast<uint64_t>();
    }

    __aicore__ inline AscendC::LocalTensor<int32_t> Bias(uint32_t sums)
    {
        return scales_.Get<uint8_t>()[sums * SCALE_SLOT_BYTES + BIAS_AT].template ReinterpretCast<int32_t>();
    }

    // The first product from here on in which this core has work.
    __aicore__ inline uint32_t NextProduct(uint32_t product) const
    {
        while (product < PRODUCTS && Tiles(tiling_.product[product], block_, tiling_.blocks) == 0) {
            ++product;
        }
        return product;
    }

    // Sends for weights until the ring is full.
    __aicore__ inline void Ahead()
    {
        while (place_.product < PRODUCTS && loaded_ < used_ + WEIGHT_SLOTS) {
            const uint32_t slot = loaded_ % WEIGHT_SLOTS;
            AscendC::WaitFlag<AscendC::HardEvent::MTE1_MTE2>(Event(slot));
            if (place_.product == PRODUCT_ABSORB) {
                LoadKeyWeights(slot);
            } else {
                LoadWeights(slot);
            }
            AscendC::SetFlag<AscendC::HardEvent::MTE2_MTE1>(Event(slot));
            ++loaded_;
            Next();
        }
    }

    __aicore__ inline void Next()
    {
        const Product& product = tiling_.product[place_.product];
        if (++place_.inner < product.inner_chunks) {
            return;
        }
        place_.inner = 0;
        if (++place_.rows < tiling_.row_chunks) {
            return;
        }
        place_.rows = 0;
        if (++place_.tile < Tiles(product, block_, tiling_.blocks)) {
            return;
        }
        place_.tile = 0;
        place_.product = NextProduct(place_.product + 1);
    }

    // A chunk of an int8 weight in FRACTAL_NZ, [inner / 32, columns, 32]: runs of whole fractals.
    __aicore__ inline void LoadWeights(uint32_t slot)
    {
        const Product& product = tiling_.product[place_.product];
        const Columns columns = TileColumns(product, place_.tile, block_, tiling_.blocks);
        const uint32_t first = place_.inner * product.inner_chunk / BLOCK_BYTES;
        const uint32_t steps = InnerLength(product, place_.inner) / BLOCK_BYTES;
        AscendC::GlobalTensor<int8_t> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ int8_t*>(
            place_.product == PRODUCT_DOWN ? operands_.wdqkv : operands_.wuq));
        const uint64_t total = product.columns;
        AscendC::LocalTensor<int8_t> to = weights_.Get<int8_t>()[slot * WEIGHT_SLOT_BYTES];
        constexpr uint32_t LARGEST_GAP = 65535;
        if (total - columns.count <= LARGEST_GAP) {
            const AscendC::DataCopyParams params(static_cast<uint16_t>(steps), static_cast<uint16_t>(columns.count),
                static_cast<uint16_t>(total - columns.count), 0);
            AscendC::DataCopy(to, gm[(first * total + columns.first) * BLOCK_BYTES], params);
            return;
        }
        for (uint32_t step = 0; step < steps; ++step) {
            AscendC::DataCopy(to[step * columns.count * BLOCK_BYTES],
                gm[((first + step) * total + columns.first) * BLOCK_BYTES], columns.count * BLOCK_BYTES);
        }
    }

    // A head's key up-projection, columns of it: [columns / 16, qk_nope_head_dim, 16] in L1.
    __aicore__ inline void LoadKeyWeights(uint32_t slot)
    {
        const Product& product = tiling_.product[PRODUCT_ABSORB];
        const Columns columns = TileColumns(product, place_.tile, block_, tiling_.blocks);
        const uint64_t latent = tiling_.kv_lora_rank;
        const uint64_t head = columns.first / latent;
        const uint64_t column = columns.first % latent;
        const uint32_t first = place_.inner * product.inner_chunk;
        const uint32_t length = InnerLength(product, place_.inner);
        const uint64_t nope = tiling_.qk_nope_head_dim;
        AscendC::GlobalTensor<T> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(operands_.wuk));
        AscendC::LocalTensor<T> to =
            weights_.Get<int8_t>()[slot * WEIGHT_SLOT_BYTES].template ReinterpretCast<T>();
        if (tiling_.wuk_nz != 0) {
            const AscendC::DataCopyParams params(static_cast<uint16_t>(columns.count / FRACTAL_ROWS),
                static_cast<uint16_t>(length), static_cast<uint16_t>(nope - length), 0);
            const uint64_t from = (head * latent + column) * nope + first * FRACTAL_ROWS;
            AscendC::DataCopy(to, gm[from], params);
            return;
        }
        AscendC::Nd2NzParams params;
        params.ndNum = 1;
        params.nValue = static_cast<uint16_t>(length);
        params.dValue = static_cast<uint16_t>(columns.count);
        params.srcNdMatrixStride = 0;
        params.srcDValue = static_cast<uint16_t>(latent);
        params.dstNzC0Stride = static_cast<uint16_t>(length);
        params.dstNzNStride = 1;
        params.dstNzMatrixStride = 0;
        AscendC::DataCopy(to, gm[(head * nope + first) * latent + column], params);
    }

    // Token rows of a product's left side, some chunks of the inner dimension, as fractals in L1.
    template <typename E>
    __aicore__ inline void LoadRows(
        uint32_t slot, GM_ADDR from, uint64_t stride, uint64_t offset, uint32_t rows, uint32_t length)
    {
        AscendC::GlobalTensor<E> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ E*>(from));
        AscendC::LocalTensor<E> to = rows_.Get<int8_t>()[slot * ROW_SLOT_BYTES].template ReinterpretCast<E>();
        const uint32_t padded = RoundUp(rows, FRACTAL_ROWS);
        if (padded != rows) {
            // The rows that fill up the last fractal take part in the product, but are not kept.
            AscendC::LocalTensor<int16_t> words = to.template ReinterpretCast<int16_t>();
            const AscendC::InitConstValueParams<int16_t> zero(
                1, static_cast<uint16_t>(padded * (length * sizeof(E) / BLOCK_BYTES)), 0, 0);
            AscendC::InitConstValue(words, zero);
            AscendC::PipeBarrier<PIPE_MTE2>();
        }
        AscendC::Nd2NzParams params;
        params.ndNum = 1;
        params.nValue = static_cast<uint16_t>(rows);
        params.dValue = static_cast<uint16_t>(length);
        params.srcNdMatrixStride = 0;
        params.srcDValue = 1;
        params.dstNzC0Stride = static_cast<uint16_t>(padded);
        params.dstNzNStride = 1;
        params.dstNzMatrixStride = 0;
        constexpr uint64_t LARGEST_STRIDE = 65535;
        if (stride <= LARGEST_STRIDE) {
            params.srcDValue = static_cast<uint16_t>(stride);
            AscendC::DataCopy(to, gm[offset], params);
            return;
        }
        params.nValue = 1;
        for (uint32_t row = 0; row < rows; ++row) {
            AscendC::DataCopy(to[row * (BLOCK_BYTES / sizeof(E))], gm[offset + row * stride], params);
        }
    }

    __aicore__ inline void LoadLeft(uint32_t product, const Columns& columns, uint32_t slot, uint32_t row,
        uint32_t rows, uint32_t inner, uint32_t length)
    {
        if (product == PRODUCT_ABSORB) {
            // The query's parts without rotation, which the vector cores have gathered; or the whole query as it came.
            const uint64_t head = columns.first / tiling_.kv_lora_rank;
            const uint64_t nope = tiling_.qk_nope_head_dim;
            const bool whole = Fuses(PRODUCT_UP);
            const uint64_t width = whole ? nope + tiling_.qk_rope_head_dim : nope;
            const uint64_t stride = tiling_.num_heads * width;
            LoadRows<T>(slot, operands_.workspace + (whole ? tiling_.up_offset : tiling_.query_offset), stride,
                row * stride + head * width + inner, rows, length);
            return;
        }
        const uint64_t stride = tiling_.product[product].inner;
        const uint64_t from = product == PRODUCT_DOWN ? tiling_.hidden_offset : tiling_.latent_offset;
        LoadRows<int8_t>(slot, operands_.workspace + from, stride, row * stride + inner, rows, length);
    }

    // The part of a product that one tile of columns and one chunk of token rows make.
    __aicore__ inline void Tile(uint32_t product, uint32_t tile, uint32_t chunk)
    {
        const Product& shape = tiling_.product[product];
        const Columns columns = TileColumns(shape, tile, block_, tiling_.blocks);
        const uint32_t row = chunk * tiling_.row_chunk;
        const uint32_t rows = Min(tiling_.row_chunk, tiling_.tokens - row);
        const uint32_t sums = tiles_ % 2;
        AscendC::WaitFlag<AscendC::HardEvent::FIX_M>(Event(sums));
        for (uint32_t inner = 0; inner < shape.inner_chunks; ++inner) {
            Ahead();
            const uint32_t part = inner % shape.row_chunks_of_inner;
            const uint32_t row_slot = panels_ % ROW_SLOTS;
            if (part == 0) {
                const uint32_t first = inner * shape.inner_chunk;
                const uint32_t length = Min(shape.row_chunks_of_inner * shape.inner_chunk, shape.inner - first);
                AscendC::WaitFlag<AscendC::HardEvent::MTE1_MTE2>(Event(WEIGHT_SLOTS + row_slot));
                if (inner == 0 && Fuses(product)) {
                    LoadScales(product, columns, sums);
                }
                LoadLeft(product, columns, row_slot, row, rows, first, length);
                AscendC::SetFlag<AscendC::HardEvent::MTE2_MTE1>(Event(WEIGHT_SLOTS + row_slot));
                AscendC::WaitFlag<AscendC::HardEvent::MTE2_MTE1>(Event(WEIGHT_SLOTS + row_slot));
            }
            const uint32_t slot = used_ % WEIGHT_SLOTS;
            AscendC::WaitFlag<AscendC::HardEvent::MTE2_MTE1>(Event(slot));
            if (inner == 0 && Fuses(product)) {
                // The first step of the tile before has used the table.
                AscendC::WaitFlag<AscendC::HardEvent::M_MTE1>(Event(BIAS_EVENT));
                AscendC::DataCopy(bias_.Get<int32_t>(), Bias(sums), RoundUp(columns.count, FRACTAL_ROWS));
            }
            if (product == PRODUCT_ABSORB) {
                Multiply<T, float>(shape, columns.count, rows, inner, part, slot, row_slot, sums, false);
            } else {
                Multiply<int8_t, int32_t>(
                    shape, columns.count, rows, inner, part, slot, row_slot, sums, Fuses(product));
            }
            AscendC::SetFlag<AscendC::HardEvent::MTE1_MTE2>(Event(slot));
            ++used_;
            if (part + 1 == shape.row_chunks_of_inner || inner + 1 == shape.inner_chunks) {
                AscendC::SetFlag<AscendC::HardEvent::MTE1_MTE2>(Event(WEIGHT_SLOTS + row_slot));
                ++panels_;
            }
        }
        AscendC::SetFlag<AscendC::HardEvent::M_FIX>(Event(sums));
        AscendC::WaitFlag<AscendC::HardEvent::M_FIX>(Event(sums));
        Drain(product, columns, row, rows, sums);
        AscendC::SetFlag<AscendC::HardEvent::FIX_M>(Event(sums));
        ++tiles_;
        TileDone(product);
    }

    // Adds a chunk of the inner dimension to the sums in L0C.
    template <typename E, typename Sum>
    __aicore__ inline void Multiply(const Product& shape, uint32_t columns, uint32_t rows, uint32_t inner,
        uint32_t part, uint32_t slot, uint32_t row_slot, uint32_t sums, bool biased)
    {
        constexpr uint32_t C0 = BLOCK_BYTES / sizeof(E);
        constexpr uint32_t FRACTAL = FRACTAL_ROWS * C0;
        const uint32_t row_fractals = RoundUp(rows, FRACTAL_ROWS) / FRACTAL_ROWS;
        const uint32_t column_fractals = columns / FRACTAL_ROWS;
        const uint32_t length = InnerLength(shape, inner);
        const AscendC::LocalTensor<E> weights =
            weights_.Get<int8_t>()[slot * WEIGHT_SLOT_BYTES].template ReinterpretCast<E>();
        const AscendC::LocalTensor<E> rows_l1 =
            rows_.Get<int8_t>()[row_slot * ROW_SLOT_BYTES].template ReinterpretCast<E>();
        const AscendC::LocalTensor<Sum> c =
            sums_.Get<int8_t>()[sums * L0C_HALF_BYTES].template ReinterpretCast<Sum>();
        for (uint32_t k = 0; k < length; k += shape.step) {
            const uint32_t step = Min(shape.step, length - k);
            const uint32_t fractals = step / C0;
            const uint32_t half = steps_++ % 2;
            const AscendC::LocalTensor<E> a =
                left_.Get<int8_t>()[half * L0_HALF_BYTES].template ReinterpretCast<E>();
            const AscendC::LocalTensor<E> b =
                right_.Get<int8_t>()[half * L0_HALF_BYTES].template ReinterpretCast<E>();
            AscendC::WaitFlag<AscendC::HardEvent::M_MTE1>(Event(half));
            // Left: columns of fractals in L1, rows of fractals in L0A.
            const uint32_t left = (part * shape.inner_chunk + k) / C0 * row_fractals;
            AscendC::LoadData2DParams load;
            load.repeatTimes = static_cast<uint8_t>(fractals);
            load.srcStride = static_cast<uint16_t>(row_fractals);
            for (uint32_t fractal = 0; fractal < row_fractals; ++fractal) {
                load.startIndex = static_cast<uint16_t>(left + fractal);
                AscendC::LoadData(a[fractal * fractals * FRACTAL], rows_l1, load);
            }
            LoadRight(b, weights, column_fractals, length / C0, k / C0, fractals);
            AscendC::SetFlag<AscendC::HardEvent::MTE1_M>(Event(half));
            AscendC::WaitFlag<AscendC::HardEvent::MTE1_M>(Event(half));
            AscendC::MmadParams params;
            params.m = static_cast<uint16_t>(row_fractals * FRACTAL_ROWS);
            params.n = static_cast<uint16_t>(columns);
            params.k = static_cast<uint16_t>(step);
            const bool first = inner == 0 && k == 0;
            params.cmatrixInitVal = first && !biased;
            if (first && biased) {
                MultiplyOntoBias(c, a, b, params);
                AscendC::SetFlag<AscendC::HardEvent::M_MTE1>(Event(BIAS_EVENT));
            } else {
                AscendC::Mmad(c, a, b, params);
            }
            AscendC::PipeBarrier<PIPE_M>();
            AscendC::SetFlag<AscendC::HardEvent::M_MTE1>(Event(half));
        }
    }

    __aicore__ inline void MultiplyOntoBias(const AscendC::LocalTensor<int32_t>& c, const AscendC::LocalTensor<int8_t>& a,
        const AscendC::LocalTensor<int8_t>& b, const AscendC::MmadParams& params)
    {
        AscendC::Mmad(c, a, b, bias_.Get<int32_t>(), params);
    }

    // Only int8 products have a bias.
    template <typename E>
    __aicore__ inline void MultiplyOntoBias(const AscendC::LocalTensor<float>&, const AscendC::LocalTensor<E>&,
        const AscendC::LocalTensor<E>&, const AscendC::MmadParams&)
    {
    }

    // Int8 weights lie in L1 as L0B wants them: fractals of 16 columns by 32 of the inner dimension.
    __aicore__ inline void LoadRight(const AscendC::LocalTensor<int8_t>& b, const AscendC::LocalTensor<int8_t>& weights,
        uint32_t column_fractals, uint32_t, uint32_t first, uint32_t fractals)
    {
        AscendC::LoadData2DParams load;
        load.startIndex = static_cast<uint16_t>(first * column_fractals);
        load.repeatTimes = static_cast<uint8_t>(fractals * column_fractals);
        load.srcStride = 1;
        AscendC::LoadData(b, weights, load);
    }

    // The key up-projection lies with its rows along the inner dimension: every fractal is transposed.
    template <typename E>
    __aicore__ inline void LoadRight(const AscendC::LocalTensor<E>& b, const AscendC::LocalTensor<E>& weights,
        uint32_t column_fractals, uint32_t chunk_fractals, uint32_t first, uint32_t fractals)
    {
        AscendC::LoadData2DParams load;
        load.repeatTimes = static_cast<uint8_t>(column_fractals);
        load.srcStride = static_cast<uint16_t>(chunk_fractals);
        load.ifTranspose = true;
        for (uint32_t fractal = 0; fractal < fractals; ++fractal) {
            load.startIndex = static_cast<uint16_t>(first + fractal);
            AscendC::LoadData(b[fractal * column_fractals * FRACTAL_BYTES / sizeof(E)], weights, load);
        }
    }

    // From L0C to global memory, as rows.
    __aicore__ inline void Drain(uint32_t product, const Columns& columns, uint32_t row, uint32_t rows, uint32_t sums)
    {
        AscendC::FixpipeParamsV220 params;
        params.nSize = static_cast<uint16_t>(columns.count);
        params.mSize = static_cast<uint16_t>(rows);
        params.srcStride = static_cast<uint16_t>(RoundUp(rows, FRACTAL_ROWS));
        params.ndNum = 1;
        params.srcNdStride = 0;
        params.dstNdStride = 0;
        const AscendC::LocalTensor<int8_t> c = sums_.Get<int8_t>()[sums * L0C_HALF_BYTES];
        if constexpr (Half<T>::FROM_SUMS) {
            if (Fuses(product)) {
                const uint64_t stride = tiling_.product[product].columns;
                AscendC::GlobalTensor<T> gm;
                gm.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(
                    operands_.workspace + (product == PRODUCT_DOWN ? tiling_.down_offset : tiling_.up_offset)));
                params.dstStride = static_cast<uint32_t>(stride);
                params.quantPre = QuantMode_t::VDEQF16;
                AscendC::Fixpipe<T, int32_t, AscendC::CFG_ROW_MAJOR>(
                    gm[row * stride + columns.first], c.ReinterpretCast<int32_t>(), Scales(sums), params);
                AscendC::SetFlag<AscendC::HardEvent::FIX_MTE2>(Event(sums));
                return;
            }
        }
        if (product != PRODUCT_ABSORB) {
            const uint64_t stride = tiling_.product[product].columns;
            AscendC::GlobalTensor<int32_t> gm;
            gm.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(
                operands_.workspace + (product == PRODUCT_DOWN ? tiling_.down_offset : tiling_.up_offset)));
            params.dstStride = static_cast<uint32_t>(stride);
            params.quantPre = QuantMode_t::NoQuant;
            AscendC::Fixpipe<int32_t, int32_t, AscendC::CFG_ROW_MAJOR>(
                gm[row * stride + columns.first], c.ReinterpretCast<int32_t>(), params);
            return;
        }
        const uint64_t latent = tiling_.kv_lora_rank;
        const uint64_t width = tiling_.cache_mode == CACHE_COMBINED ? latent + tiling_.qk_rope_head_dim : latent;
        const uint64_t stride = tiling_.num_heads * width;
        const uint64_t at = row * stride + columns.first / latent * width + columns.first % latent;
        AscendC::GlobalTensor<T> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(
            tiling_.cache_mode == CACHE_SPLIT_NZ_INT8 ? operands_.workspace + tiling_.absorbed_offset : operands_.q_out0));
        params.dstStride = static_cast<uint32_t>(stride);
        params.quantPre = Half<T>::FROM_FLOAT;
        AscendC::Fixpipe<T, float, AscendC::CFG_ROW_MAJOR>(gm[at], c.ReinterpretCast<float>(), params);
    }

    // Products whose tiles the vector cores of the block take over one by one.
    __aicore__ inline bool HandsOver(uint32_t product) const
    {
        return product == PRODUCT_UP || (product == PRODUCT_ABSORB && tiling_.cache_mode == CACHE_SPLIT_NZ_INT8);
    }

    __aicore__ inline void TileDone(uint32_t product)
    {
        if (!HandsOver(product)) {
            return;
        }
        // A flag counts to 15: the vector cores may be that many tiles behind, less a few.
        if (handed_ >= TILES_AHEAD) {
            AscendC::CrossCoreWaitFlag(FLAG_TILE_TAKEN);
        }
        AscendC::CrossCoreSetFlag<2, PIPE_FIX>(FLAG_TILE);
        ++handed_;
    }

    __aicore__ inline void Finish(uint32_t product)
    {
        if (!HandsOver(product)) {
            if (product == PRODUCT_DOWN) {
                AscendC::CrossCoreSetFlag<2, PIPE_FIX>(FLAG_DOWN_DONE);
            }
            return;
        }
        for (uint32_t tile = Min(handed_, TILES_AHEAD); tile > 0; --tile) {
            AscendC::CrossCoreWaitFlag(FLAG_TILE_TAKEN);
        }
        handed_ = 0;
    }

    const Operands& operands_;
    const Tiling& tiling_;
    AscendC::TPipe pipe_;
    AscendC::TBuf<AscendC::TPosition::B1> weights_;
    AscendC::TBuf<AscendC::TPosition::A1> rows_;
    AscendC::TBuf<AscendC::TPosition::A2> left_;
    AscendC::TBuf<AscendC::TPosition::B2> right_;
    AscendC::TBuf<AscendC::TPosition::CO1> sums_;
    AscendC::TBuf<AscendC::TPosition::C1> scales_;
    AscendC::TBuf<AscendC::TPosition::C2> bias_;
    uint32_t block_ = 0;
    // The next chunk of weights to load, and how many were loaded and used.
    Place place_;
    uint32_t loaded_ = 0;
    uint32_t used_ = 0;
    // How many panels of rows, tiles and steps there were: they alternate between two buffers.
    uint32_t panels_ = 0;
    uint32_t tiles_ = 0;
    uint32_t steps_ = 0;
    // Tiles of this product that the vector cores were told of.
    uint32_t handed_ = 0;
};

} // namespace Mlapo

#endif
