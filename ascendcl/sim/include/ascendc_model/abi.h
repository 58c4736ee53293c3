// What a kernel object and the model say to each other: the same structures as `src/aicore/abi.rs`, field by
// field (a test compares every size and offset).
//
// An instruction is passed as a structure that starts with its Kind. It holds everything that decides what
// the instruction does. Fields are as wide as the programmer's values, not as the hardware's: a value that does
// not fit is a finding.
//
// Addresses: the top byte is the memory (the enumeration Space), the rest the offset in it; in global memory
// (0) it is the address itself.
#ifndef ASCENDC_MODEL_ABI_H
#define ASCENDC_MODEL_ABI_H

#include <cstdint>

namespace AscendCModel {

/// Counts the changes of this interface.
constexpr uint32_t VERSION = 1;

/// The memories of a core. BT is the bias table, FB holds the parameters of the fixpipe.
enum class Space : uint8_t { GM = 0, UB = 1, L1 = 2, L0A = 3, L0B = 4, L0C = 5, BT = 6, FB = 7 };

constexpr uint32_t SPACE_SHIFT = 56;

/// The kind of an instruction: which structure follows.
enum class Kind : uint16_t {
    Vector = 1,
    Reduce = 2,
    Gather = 3,
    GatherMask = 4,
    BroadcastBlocks = 5,
    Transpose = 6,
    TransposeRows = 7,
    Sort = 8,
    Merge = 9,
    Copy = 20,
    NdToNz = 21,
    NzToNd = 22,
    Load2d = 30,
    LoadTranspose = 31,
    Load3d = 32,
    Fill = 33,
    Mmad = 34,
    Fixpipe = 35,
    SetFlag = 40,
    WaitFlag = 41,
    Barrier = 42,
    CrossSet = 43,
    CrossWait = 44,
    SyncAll = 45,
    CleanCache = 46,
    PostMemory = 47,
    WaitMemory = 48,
};

/// A pipe, by the values of `pipe_t`.
enum class Pipe : uint8_t {
    Scalar = 0,
    Vector = 1,
    Cube = 2,
    Mte1 = 3,
    Mte2 = 4,
    Mte3 = 5,
    All = 6,
    Fix = 10,
};

/// The type of an element.
enum class DataType : uint8_t {
    I8 = 1,
    U8 = 2,
    I16 = 3,
    U16 = 4,
    I32 = 5,
    U32 = 6,
    I64 = 7,
    U64 = 8,
    F16 = 9,
    Bf16 = 10,
    F32 = 11,
    /// Two in a byte, the first in the low half.
    I4 = 12,
};

/// What a Vector instruction computes for each element `i`; `s` is its scalar.
enum class VectorOp : uint16_t {
    Add = 1,
    Sub = 2,
    Mul = 3,
    Div = 4,
    Max = 5,
    Min = 6,
    /// Bitwise, on 16-bit units.
    And = 7,
    /// Bitwise, on 16-bit units.
    Or = 8,
    /// max(a + b, 0)
    AddRelu = 9,
    /// max(a - b, 0)
    SubRelu = 10,
    /// d = a * b + d
    MulAddDst = 11,
    /// d = a * d + b
    FusedMulAdd = 12,
    /// d = max(a * d + b, 0)
    FusedMulAddRelu = 13,
    /// d = a * s + d
    Axpy = 14,
    /// (a * b) cast to the type of the destination
    MulCast = 15,
    /// max(a + b, 0) cast to the type of the destination
    AddReluCast = 16,
    /// max(a - b, 0) cast to the type of the destination
    SubReluCast = 17,
    /// max((a + b) * deq_scale, 0) as f16, of i32
    AddDeqRelu = 18,
    Adds = 30,
    Muls = 31,
    Maxs = 32,
    Mins = 33,
    /// a < 0 ? a * s : a
    LeakyRelu = 34,
    ShiftLeft = 35,
    /// Arithmetic for signed types; `round` 1 rounds the bits that fall out.
    ShiftRight = 36,
    Abs = 50,
    Relu = 51,
    Exp = 52,
    Ln = 53,
    Sqrt = 54,
    Rsqrt = 55,
    Reciprocal = 56,
    /// Bitwise, on 16-bit units.
    Not = 57,
    /// From the type of the source to that of the destination, rounded by `round`; `scalar` is the
    /// dequantization register where the pair of types uses it.
    Cast = 70,
    /// d = s
    Duplicate = 71,
    /// d = a, between places of UB.
    Copy = 72,
    /// Bit i of the destination = a `compare` b, packed without gaps over the repeats.
    Compare = 73,
    /// Bit i of the destination = a `compare` s.
    CompareScalar = 74,
    /// The comparison of one repeat, into the register of the comparison mask.
    CompareMask = 75,
    /// d = bit ? a : b, by `select`.
    Select = 76,
    /// d = s + i, counted over the whole instruction.
    Index = 77,
    /// The register of the comparison mask = the 16 bytes at the source.
    LoadCompareMask = 78,
    /// The 16 bytes at the destination = the register of the comparison mask.
    StoreCompareMask = 79,
};

/// How a cast rounds, by the values of `RoundMode`.
enum class Round : uint8_t {
    None = 0,
    Rint = 1,
    Floor = 2,
    Ceil = 3,
    /// Half away from zero.
    Round = 4,
    Trunc = 5,
    Odd = 6,
};

/// By the values of `CMPMODE`.
enum class Comparison : uint8_t {
    Lt = 0,
    Gt = 1,
    Eq = 2,
    Le = 3,
    Ge = 4,
    Ne = 5,
};

/// By the values of `SELMODE`; the mask is a tensor, one bit per element.
enum class SelectMode : uint8_t {
    /// The register of the comparison mask, the same for each repeat; the other operand is a tensor.
    MaskRegister = 0,
    /// A mask tensor; the other operand is the scalar.
    TensorScalar = 1,
    /// A mask tensor that goes on from repeat to repeat; the other operand is a tensor.
    TensorTensor = 2,
};

/// What a Reduce instruction keeps.
enum class ReduceOp : uint8_t {
    Sum = 0,
    Max = 1,
    Min = 2,
};

/// Over what a Reduce instruction runs.
enum class ReduceScope : uint8_t {
    /// One result for a repeat (256 bytes).
    Repeat = 0,
    /// One result for each block of 32 bytes.
    Block = 1,
    /// One result for each pair of neighbours.
    Pair = 2,
    /// One result for all repeats, however many: sums of repeats are added in order; an index counts the elements
    /// from the address of the source, the smallest of equal ones.
    All = 3,
};

/// What a reduction over repeats writes, by the values of `ReduceOrder`.
enum class ReduceOrder : uint8_t {
    ValueIndex = 0,
    IndexValue = 1,
    OnlyValue = 2,
    OnlyIndex = 3,
};

/// What is gathered or scattered.
enum class GatherMode : uint8_t {
    /// d[i] = the element at `src + base + offset[i]` bytes
    Elements = 0,
    /// Blocks of 32 bytes: block i = the block at `src + offset[i]` bytes
    Blocks = 1,
    /// The element at `dst + base + offset[i]` bytes = a[i]
    Scatter = 2,
};

/// What a copy to global memory does with what is there.
enum class Atomic : uint8_t {
    None = 0,
    Add = 1,
    Max = 2,
    Min = 3,
};

/// Which cores meet in a SyncAll.
enum class SyncScope : uint8_t {
    /// All vector cores.
    Vector = 0,
    /// All cube cores.
    Cube = 1,
    /// All cores of a mixed kernel.
    Mixed = 2,
};

/// The kind of a core.
enum class CoreType : uint8_t {
    /// A cube core.
    Aic = 1,
    /// A vector core.
    Aiv = 2,
};

/// On which cores a kernel runs, by the values of `KernelMetaType`.
enum class KernelType : uint8_t {
    AivOnly = 0,
    AicOnly = 1,
    MixAiv10 = 2,
    MixAic10 = 3,
    MixAic11 = 4,
    MixAic12 = 5,
};

/// A register that the scalar unit reads.
enum class Register : uint32_t {
    /// The sum of the last reductions (`GetReduceRepeatSumSpr`), bits of its type.
    ReduceSum = 1,
    /// The value of the last maximum or minimum, and its index in the upper half.
    ReduceMaxMin = 2,
    /// How many elements the last `GatherMask` kept.
    RemainingCount = 3,
    /// Lengths of the four lists that the last merge used up, 16 bits each.
    MergeResult = 4,
    /// Comparison mask, lower half.
    CompareMask0 = 5,
    /// Comparison mask, upper half.
    CompareMask1 = 6,
    /// The 50 MHz counter.
    SystemCycle = 7,
};

/// The lanes that take part in a vector instruction.
struct Mask {
    /// Normal mode: a bit for each lane of a repeat, lane 0 first. Counter mode: bits[0] elements in all.
    uint64_t bits[2] = {};
    /// 1 for counter mode.
    uint32_t counter = 0;
    uint32_t reserved = 0;
};

/// A line of the kernel's source.
struct Site {
    const char* file;
    uint32_t line;
    uint32_t reserved;
};

/// An element-wise operation of the vector unit.
///
/// A repeat is 256 bytes of the widest operand, in 8 blocks of 32 bytes; block strides are between the
/// blocks of a repeat and repeat strides between repeats, in blocks. In counter mode there are as many
/// repeats as the count needs, whatever `repeat` says.
struct Vector {
    uint16_t kind = static_cast<uint16_t>(Kind::Vector);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// VectorOp
    uint16_t op = 0;
    /// DataType of the destination
    uint8_t dst_type = 0;
    /// DataType of the first source, and of the scalar
    uint8_t src_type = 0;
    /// Round
    uint8_t round = 0;
    /// Comparison
    uint8_t compare = 0;
    /// SelectMode
    uint8_t select = 0;
    uint8_t reserved1 = 0;
    uint32_t repeat = 0;
    uint64_t dst = 0;
    uint64_t src0 = 0;
    uint64_t src1 = 0;
    /// Bits of the scalar, in the type of the source (of the destination for Axpy, Duplicate and Index)
    uint64_t scalar = 0;
    /// The mask tensor of `Select`
    uint64_t selection = 0;
    Mask mask;
    uint32_t dst_block_stride = 0;
    uint32_t src0_block_stride = 0;
    uint32_t src1_block_stride = 0;
    uint32_t dst_repeat_stride = 0;
    uint32_t src0_repeat_stride = 0;
    uint32_t src1_repeat_stride = 0;
};

/// A reduction of the vector unit.
struct Reduce {
    uint16_t kind = static_cast<uint16_t>(Kind::Reduce);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// ReduceOp
    uint8_t op = 0;
    /// ReduceScope
    uint8_t scope = 0;
    /// ReduceOrder
    uint8_t order = 0;
    /// DataType
    uint8_t data_type = 0;
    uint32_t repeat = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    Mask mask;
    /// In results of one repeat (value and index count as one result of two elements)
    uint32_t dst_repeat_stride = 0;
    uint32_t src_block_stride = 0;
    uint32_t src_repeat_stride = 0;
    uint32_t reserved1 = 0;
};

/// `Gather`, `Gatherb` and `Scatter`.
struct Gather {
    uint16_t kind = static_cast<uint16_t>(Kind::Gather);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// GatherMode
    uint8_t mode = 0;
    /// DataType
    uint8_t data_type = 0;
    uint8_t reserved1[2] = {};
    uint32_t repeat = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    /// The tensor of offsets in bytes, u32 each
    uint64_t offset = 0;
    /// Bytes added to each offset
    uint32_t base = 0;
    /// In blocks; 1 unless `Gatherb` says otherwise
    uint32_t dst_block_stride = 0;
    /// In blocks
    uint32_t dst_repeat_stride = 0;
    /// In blocks, for `Scatter`
    uint32_t src_repeat_stride = 0;
    Mask mask;
};

/// `GatherMask`: keeps the elements that a pattern selects, without gaps.
struct GatherMask {
    uint16_t kind = static_cast<uint16_t>(Kind::GatherMask);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// DataType (its size counts)
    uint8_t data_type = 0;
    /// 1..7 for a built-in pattern, 0 for the tensor `pattern`
    uint8_t built_in = 0;
    /// 1 for counter mode: `count` elements of each repeat; 0: whole repeats
    uint8_t reduce = 0;
    uint8_t reserved1 = 0;
    uint32_t repeat = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint64_t pattern = 0;
    uint32_t count = 0;
    uint32_t src_block_stride = 0;
    uint32_t src_repeat_stride = 0;
    uint32_t pattern_repeat_stride = 0;
};

/// `Brcb`: each of 8 elements of the source for a repeat fills a block of the destination.
struct BroadcastBlocks {
    uint16_t kind = static_cast<uint16_t>(Kind::BroadcastBlocks);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// DataType (its size counts)
    uint8_t data_type = 0;
    uint8_t reserved1[3] = {};
    uint32_t repeat = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint32_t dst_block_stride = 0;
    uint32_t dst_repeat_stride = 0;
};

/// `Transpose` of a 16 by 16 matrix of 16-bit elements.
struct Transpose {
    uint16_t kind = static_cast<uint16_t>(Kind::Transpose);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    uint32_t reserved1 = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
};

/// `TransDataTo5HD`: transposes 16 rows of one block each.
struct TransposeRows {
    uint16_t kind = static_cast<uint16_t>(Kind::TransposeRows);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// DataType (its size counts)
    uint8_t data_type = 0;
    /// 8-bit elements: write to the upper half of the destination blocks
    uint8_t dst_high = 0;
    /// 8-bit elements: read the upper half of the source blocks
    uint8_t src_high = 0;
    uint8_t reserved1 = 0;
    uint32_t repeat = 0;
    uint64_t dst[16] = {};
    uint64_t src[16] = {};
    uint32_t dst_repeat_stride = 0;
    uint32_t src_repeat_stride = 0;
};

/// `Sort32`: sorts 32 scores with their indices, largest first.
struct Sort {
    uint16_t kind = static_cast<uint16_t>(Kind::Sort);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// DataType of the scores
    uint8_t data_type = 0;
    uint8_t reserved1[3] = {};
    uint32_t repeat = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint64_t index = 0;
};

/// `MrgSort`: merges up to four sorted lists.
struct Merge {
    uint16_t kind = static_cast<uint16_t>(Kind::Merge);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// DataType of the scores
    uint8_t data_type = 0;
    /// A bit for each list that takes part
    uint8_t valid = 0;
    /// Stop as soon as one list is used up
    uint8_t exhausted = 0;
    uint8_t reserved1 = 0;
    uint32_t repeat = 0;
    uint64_t dst = 0;
    uint64_t src[4] = {};
    uint32_t length[4] = {};
};

/// Rows of bytes from one memory to another: `DataCopy`, `DataCopyPad`, `Copy` between local memories.
struct Copy {
    uint16_t kind = static_cast<uint16_t>(Kind::Copy);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    uint32_t rows = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    /// Bytes of a row that are read
    uint64_t row_bytes = 0;
    /// Bytes from the start of a row to the start of the next
    uint64_t src_stride = 0;
    uint64_t dst_stride = 0;
    /// Bytes written before and after a row in the destination
    uint32_t left_padding = 0;
    uint32_t right_padding = 0;
    /// What padding is filled with, bits of one element
    uint64_t padding = 0;
    /// Bytes of an element
    uint32_t element = 0;
    /// Atomic
    uint8_t atomic = 0;
    /// DataType of the atomic operation
    uint8_t atomic_type = 0;
    /// The copy's unit is a block of 32 bytes: addresses must be aligned to it, also in global memory's length
    uint8_t blocks = 0;
    /// From half to float on the way from L1 to the bias table: twice as many bytes are written as are read
    uint8_t widens = 0;
    /// What the programmer passed for the number and the length of the rows, in the units of the
    /// parameter, and their limits (`DataCopyParams`: 4095 and 65535 blocks)
    uint32_t count_field = 0;
    uint32_t count_limit = 0;
    uint32_t length_field = 0;
    uint32_t length_limit = 0;
};

/// `DataCopy` with `Nd2NzParams`: matrices of rows become fractals (16 rows of 32 bytes).
struct NdToNz {
    uint16_t kind = static_cast<uint16_t>(Kind::NdToNz);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Bytes of an element
    uint32_t element = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint32_t nd_num = 0;
    /// Rows of a matrix
    uint32_t n_value = 0;
    /// Columns of a matrix
    uint32_t d_value = 0;
    /// Elements between matrices
    uint32_t src_nd_matrix_stride = 0;
    /// Elements between rows
    uint32_t src_d_value = 0;
    /// Between columns of fractals, in blocks of 32 bytes
    uint32_t dst_nz_c0_stride = 0;
    /// Between rows, in blocks of 32 bytes
    uint32_t dst_nz_n_stride = 0;
    /// Elements between matrices
    uint32_t dst_nz_matrix_stride = 0;
};

/// `DataCopy` with `Nz2NdParamsFull`: fractals become matrices of rows.
struct NzToNd {
    uint16_t kind = static_cast<uint16_t>(Kind::NzToNd);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Bytes of an element
    uint32_t element = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint32_t nd_num = 0;
    uint32_t n_value = 0;
    uint32_t d_value = 0;
    /// Fractals of 256 elements between matrices
    uint32_t src_nd_matrix_stride = 0;
    /// Between columns of fractals, in units of 16 elements
    uint32_t src_n_stride = 0;
    /// Elements between rows
    uint32_t dst_d_stride = 0;
    /// Elements between matrices
    uint32_t dst_nd_matrix_stride = 0;
    /// Atomic
    uint8_t atomic = 0;
    /// DataType of the atomic operation
    uint8_t atomic_type = 0;
    uint8_t reserved1[2] = {};
};

/// `LoadData` with `LoadData2DParams`: fractals of 512 bytes.
struct Load2d {
    uint16_t kind = static_cast<uint16_t>(Kind::Load2d);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Bytes of an element
    uint32_t element = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    /// In fractals
    uint32_t start_index = 0;
    uint32_t repeat = 0;
    /// In fractals
    uint32_t src_stride = 0;
    /// In fractals
    uint32_t dst_gap = 0;
    /// Transposes each fractal (16-bit elements)
    uint8_t transpose = 0;
    /// 1 if the source address goes down
    uint8_t descending = 0;
    uint8_t reserved1[6] = {};
};

/// `LoadDataWithTranspose`.
struct LoadTranspose {
    uint16_t kind = static_cast<uint16_t>(Kind::LoadTranspose);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Bytes of an element; 0 for half a byte
    uint32_t element = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint32_t start_index = 0;
    uint32_t repeat = 0;
    uint32_t src_stride = 0;
    uint32_t dst_gap = 0;
    uint32_t dst_fractal_gap = 0;
    uint8_t descending = 0;
    uint8_t reserved1[3] = {};
};

/// `LoadData` with `LoadData3DParamsV2`.
struct Load3d {
    uint16_t kind = static_cast<uint16_t>(Kind::Load3d);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Bytes of an element
    uint32_t element = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint32_t l1_h = 0;
    uint32_t l1_w = 0;
    uint32_t channel_size = 0;
    uint32_t k_extension = 0;
    uint32_t m_extension = 0;
    uint32_t k_start = 0;
    uint32_t m_start = 0;
    uint32_t stride_w = 0;
    uint32_t stride_h = 0;
    uint32_t filter_w = 0;
    uint32_t filter_h = 0;
    uint32_t dilation_filter_w = 0;
    uint32_t dilation_filter_h = 0;
    /// left, right, top, bottom
    uint32_t padding[4] = {};
    uint64_t pad_value = 0;
    uint8_t transpose = 0;
    uint8_t small_k = 0;
    uint8_t reserved1[6] = {};
    /// `SetLoadDataRepeat`: 16 rows (mode 0) or one block of columns (mode 1) between repeats
    uint32_t repeat_stride = 0;
    uint32_t repeat_time = 1;
    /// 0: repeats go on in m, 1: in k
    uint32_t repeat_mode = 0;
    /// `SetLoadDataBoundary`: bytes after which L1 is read from its start again; 0 for none
    uint32_t boundary = 0;
};

/// `InitConstValue`, which fills L1, L0A or L0B.
struct Fill {
    uint16_t kind = static_cast<uint16_t>(Kind::Fill);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Bytes of an element
    uint32_t element = 0;
    uint64_t dst = 0;
    uint32_t repeat = 0;
    /// In blocks (32 bytes in L1, 512 bytes in L0A and L0B)
    uint32_t block_num = 0;
    /// In blocks
    uint32_t dst_gap = 0;
    uint32_t reserved1 = 0;
    uint64_t value = 0;
};

/// `Mmad`: c = a * b (+ c or bias).
struct Mmad {
    uint16_t kind = static_cast<uint16_t>(Kind::Mmad);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// DataType of c
    uint8_t c_type = 0;
    /// DataType of a
    uint8_t a_type = 0;
    /// DataType of b
    uint8_t b_type = 0;
    /// `unitFlag` (0, 2 or 3)
    uint8_t unit_flag = 0;
    uint64_t c = 0;
    uint64_t a = 0;
    uint64_t b = 0;
    /// In BT or L0C, if `c_source` is 1
    uint64_t bias = 0;
    uint32_t m = 0;
    uint32_t n = 0;
    uint32_t k = 0;
    /// c starts from zero
    uint8_t c_init = 0;
    /// c starts from the bias
    uint8_t c_source = 0;
    /// m == 1 computes a matrix and not a vector
    uint8_t gemv_disabled = 0;
    /// fp32: the matrix in L0A is padded to 16 and not to 8 in k
    uint8_t k_direction_align = 0;
    /// fp32: computes in HF32; 1 rounds to nearest with ties to even, 2 with ties toward zero
    uint8_t hf32 = 0;
    uint8_t reserved1[7] = {};
};

/// `Fixpipe`: from L0C to global memory or L1, converted on the way.
struct Fixpipe {
    uint16_t kind = static_cast<uint16_t>(Kind::Fixpipe);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// DataType in L0C
    uint8_t src_type = 0;
    /// DataType of the destination
    uint8_t dst_type = 0;
    /// `QuantMode_t`
    uint8_t quant_mode = 0;
    /// `unitFlag` (0, 2 or 3)
    uint8_t unit_flag = 0;
    uint64_t dst = 0;
    uint64_t src = 0;
    uint32_t n_size = 0;
    uint32_t m_size = 0;
    /// In units of 16 elements (one row of a fractal)
    uint32_t src_stride = 0;
    /// NZ: in blocks of 32 bytes between columns of fractals; ND: elements between rows
    uint32_t dst_stride = 0;
    uint32_t nd_num = 0;
    /// In fractals
    uint32_t src_nd_stride = 0;
    /// In elements
    uint32_t dst_nd_stride = 0;
    uint8_t relu = 0;
    uint8_t nz_to_nd = 0;
    uint8_t channel_split = 0;
    /// Atomic
    uint8_t atomic = 0;
    /// DataType of the atomic operation
    uint8_t atomic_type = 0;
    uint8_t reserved1[3] = {};
    /// The scalar parameter of the quantization
    uint64_t scale = 0;
    /// The vector parameter, in FB
    uint64_t scales = 0;
};

/// Sets the flag of an event when everything before it in the pipe is done.
struct SetFlag {
    uint16_t kind = static_cast<uint16_t>(Kind::SetFlag);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Pipe that waits
    uint8_t dst = 0;
    uint8_t reserved1[3] = {};
    uint32_t event = 0;
    uint32_t reserved2 = 0;
};

/// Holds the pipe until the flag is set, and takes it.
struct WaitFlag {
    uint16_t kind = static_cast<uint16_t>(Kind::WaitFlag);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// Pipe that sets
    uint8_t src = 0;
    uint8_t reserved1[3] = {};
    uint32_t event = 0;
    uint32_t reserved2 = 0;
};

/// Holds the pipe (or all) until what is before it is done.
struct Barrier {
    uint16_t kind = static_cast<uint16_t>(Kind::Barrier);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    uint32_t reserved1 = 0;
};

/// Sets a flag for other cores when everything before it in the pipe is done.
struct CrossSet {
    uint16_t kind = static_cast<uint16_t>(Kind::CrossSet);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// 0: all cores of the same kind, 1: the vector cores of the block, 2: between cube and vector cores of the block
    uint32_t mode = 0;
    uint32_t flag = 0;
    uint32_t reserved1 = 0;
};

/// Holds the core until the flag is set.
struct CrossWait {
    uint16_t kind = static_cast<uint16_t>(Kind::CrossWait);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    uint32_t mode = 0;
    uint32_t flag = 0;
    uint32_t reserved1 = 0;
};

/// Holds the core until all cores of the scope are here.
struct SyncAll {
    uint16_t kind = static_cast<uint16_t>(Kind::SyncAll);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// SyncScope
    uint8_t scope = 0;
    uint8_t reserved1[3] = {};
    /// How many cores take part; 0 for all
    uint32_t cores = 0;
    uint32_t reserved2 = 0;
};

/// `DataCacheCleanAndInvalid` and its like.
struct CleanCache {
    uint16_t kind = static_cast<uint16_t>(Kind::CleanCache);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    /// 1: the whole cache
    uint32_t entire = 0;
    uint64_t address = 0;
};

/// Writes a word of global memory that other cores wait for (`IBSet`).
struct PostMemory {
    uint16_t kind = static_cast<uint16_t>(Kind::PostMemory);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    uint32_t value = 0;
    uint64_t address = 0;
};

/// Holds the core until a word of global memory has the value, then leaves `reset` there (`IBWait`).
struct WaitMemory {
    uint16_t kind = static_cast<uint16_t>(Kind::WaitMemory);
    uint8_t pipe = 0;
    uint8_t reserved = 0;
    uint32_t value = 0;
    uint64_t address = 0;
    uint32_t reset = 0;
    uint32_t reserved1 = 0;
};

struct Model;

/// What a kernel knows of the core that it runs on. Valid during the kernel; only the model changes it.
struct CoreView {
    /// The model's own.
    void* core;
    const Model* model;
    /// Where the local memories start in the host's memory, by space; each aligned to 1 MiB.
    uint8_t* base[8];
    /// Their sizes in bytes.
    uint32_t size[8];
    uint32_t block_idx;
    uint32_t block_num;
    uint32_t sub_block_idx;
    /// Vector cores of a block: 2, 1 or, in kernels that are not mixed, 1.
    uint32_t sub_block_num;
    /// CoreType
    uint8_t core_type;
    /// KernelType
    uint8_t kernel_type;
    /// 1 if scalar accesses must be reported.
    uint8_t checked;
    uint8_t reserved[5];
    /// What to add to an address of device memory to reach it from the kernel's scalar code.
    uint64_t device_start;
    uint64_t device_end;
    uint64_t device_delta;
    /// Memory of the system workspace (`GetSysWorkSpacePtr`).
    uint8_t* system_workspace;
};

/// The functions that a kernel object calls. Those that return a number return 0, or 1 if the kernel must end
/// at once.
struct Model {
    uint32_t version;
    uint32_t reserved;
    /// Runs an instruction; the pointer is to one of the structures above.
    int32_t (*execute)(void* core, const void* instruction, Site site);
    /// The scalar unit reads (write 0) or writes memory at an address of this interface; called if `checked`.
    int32_t (*scalar_access)(void* core, uint64_t address, uint32_t bytes, uint32_t write, Site site);
    /// Reads a Register.
    uint64_t (*read_register)(void* core, uint32_t reg);
    /// Writes a Register (the comparison mask).
    void (*write_register)(void* core, uint32_t reg, uint64_t value);
    /// Prints text of `length` bytes.
    void (*print)(void* core, const char* text, uint64_t length);
    /// A failed assertion, or something that the header refuses at run time.
    int32_t (*fail)(void* core, const char* text, uint64_t length, Site site);
    /// A buffer of local memory was given out (live 1) or taken back: what lies there is of no use.
    int32_t (*buffer)(void* core, uint64_t address, uint64_t bytes, uint32_t live, Site site);
};

/// Where an argument of a kernel lies among the packed ones, in bytes.
struct Parameter {
    uint32_t offset;
    uint32_t size;
};

/// A kernel of an object, for one kind of core.
struct KernelEntry {
    const char* name;
    /// CoreType that the code is for.
    uint8_t core_type;
    /// KernelType, or 255 if the source does not say.
    uint8_t kernel_type;
    /// 1 if the code has instructions of the vector unit, or of the cube unit, by `core_type`.
    uint8_t computes;
    uint8_t reserved[5];
    /// Bytes of the packed arguments.
    uint64_t argument_bytes;
    /// Runs the kernel on a core; returns 1 if it ended early.
    int32_t (*run)(const CoreView* view, const uint8_t* arguments);
    /// `parameter_count` of them, in order.
    const Parameter* parameters;
    uint32_t parameter_count;
    uint32_t reserved1;
};

/// The symbol `ascendc_model_object` of a kernel object.
struct Object {
    uint32_t version;
    uint32_t kernel_count;
    const KernelEntry* kernels;
};

} // namespace AscendCModel

#endif
