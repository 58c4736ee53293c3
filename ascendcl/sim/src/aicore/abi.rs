//! What a kernel object and the model say to each other: the same structures as `include/ascendc_model/abi.h`,
//! field by field (a test compiles the header and compares every size and offset).
//!
//! An instruction is passed as a structure that starts with its [`Kind`]. It holds everything that decides
//! what the instruction does, so that a pipe can keep it until it may run and a trace can replay it. Fields
//! are as wide as the programmer's values, not as the hardware's: a value that does not fit is a finding.
//!
//! Addresses: the top byte is the [`Space`](super::memory::Space), the rest the offset in it; in global
//! memory (space 0) it is the address itself. Strides and lengths are in the units that each field names.

use std::ffi::{c_char, c_void};

/// Counts the changes of this interface; an object of another version is refused.
pub(crate) const VERSION: u32 = 1;

/// Declares a C enumeration: a Rust enum and the check of a code that comes from outside.
macro_rules! codes {
    ($($(#[$doc:meta])* pub(crate) enum $name:ident: $repr:ty { $($(#[$item_doc:meta])* $item:ident = $value:expr),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr($repr)]
        #[allow(clippy::enum_variant_names, reason = "items have the names of the hardware's documents")]
        pub(crate) enum $name { $($(#[$item_doc])* $item = $value),* }

        impl $name {
            /// Every item, in the order of declaration.
            #[allow(dead_code, reason = "not every enumeration is listed somewhere")]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$item),*];

            /// The item of this code.
            #[allow(dead_code, reason = "not every enumeration comes from outside")]
            pub(crate) fn of(code: $repr) -> Option<Self> {
                match code { $(code if code == $value => Some(Self::$item),)* _ => None }
            }
        }
    )*};
}

codes! {
    /// The kind of an instruction: which structure follows.
    pub(crate) enum Kind: u16 {
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
    }

    /// A pipe, by the values of `pipe_t`.
    pub(crate) enum Pipe: u8 {
        Scalar = 0,
        Vector = 1,
        Cube = 2,
        Mte1 = 3,
        Mte2 = 4,
        Mte3 = 5,
        All = 6,
        Fix = 10,
    }

    /// The type of an element.
    pub(crate) enum DataType: u8 {
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
    }

    /// What a [`Vector`] instruction computes for each element `i`; `s` is its scalar.
    pub(crate) enum VectorOp: u16 {
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
    }

    /// How a cast rounds, by the values of `RoundMode`.
    pub(crate) enum Round: u8 {
        None = 0,
        Rint = 1,
        Floor = 2,
        Ceil = 3,
        /// Half away from zero.
        Round = 4,
        Trunc = 5,
        Odd = 6,
    }

    /// By the values of `CMPMODE`.
    pub(crate) enum Comparison: u8 {
        Lt = 0,
        Gt = 1,
        Eq = 2,
        Le = 3,
        Ge = 4,
        Ne = 5,
    }

    /// By the values of `SELMODE`; the mask is a tensor, one bit per element.
    pub(crate) enum SelectMode: u8 {
        /// The register of the comparison mask, the same for each repeat; the other operand is a tensor.
        MaskRegister = 0,
        /// A mask tensor; the other operand is the scalar.
        TensorScalar = 1,
        /// A mask tensor that goes on from repeat to repeat; the other operand is a tensor.
        TensorTensor = 2,
    }

    /// What a [`Reduce`] instruction keeps.
    pub(crate) enum ReduceOp: u8 {
        Sum = 0,
        Max = 1,
        Min = 2,
    }

    /// Over what a [`Reduce`] instruction runs.
    pub(crate) enum ReduceScope: u8 {
        /// One result for a repeat (256 bytes).
        Repeat = 0,
        /// One result for each block of 32 bytes.
        Block = 1,
        /// One result for each pair of neighbours.
        Pair = 2,
        /// One result for all repeats, however many: sums of repeats are added in order; an index counts the
        /// elements from the address of the source, the smallest of equal ones.
        All = 3,
    }

    /// What a reduction over repeats writes, by the values of `ReduceOrder`.
    pub(crate) enum ReduceOrder: u8 {
        ValueIndex = 0,
        IndexValue = 1,
        OnlyValue = 2,
        OnlyIndex = 3,
    }

    /// What is gathered or scattered.
    pub(crate) enum GatherMode: u8 {
        /// d\[i] = the element at `src + base + offset[i]` bytes
        Elements = 0,
        /// Blocks of 32 bytes: block i = the block at `src + offset[i]` bytes
        Blocks = 1,
        /// The element at `dst + base + offset[i]` bytes = a\[i]
        Scatter = 2,
    }

    /// What a copy to global memory does with what is there.
    pub(crate) enum Atomic: u8 {
        None = 0,
        Add = 1,
        Max = 2,
        Min = 3,
    }

    /// Which cores meet in a [`SyncAll`].
    pub(crate) enum SyncScope: u8 {
        /// All vector cores.
        Vector = 0,
        /// All cube cores.
        Cube = 1,
        /// All cores of a mixed kernel.
        Mixed = 2,
    }

    /// The kind of a core.
    pub(crate) enum CoreType: u8 {
        /// A cube core.
        Aic = 1,
        /// A vector core.
        Aiv = 2,
    }

    /// On which cores a kernel runs, by the values of `KernelMetaType`.
    pub(crate) enum KernelType: u8 {
        AivOnly = 0,
        AicOnly = 1,
        MixAiv10 = 2,
        MixAic10 = 3,
        MixAic11 = 4,
        MixAic12 = 5,
    }

    /// A register that the scalar unit reads.
    pub(crate) enum Register: u32 {
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
    }
}

impl Pipe {
    /// The name that programmers know.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "S",
            Self::Vector => "V",
            Self::Cube => "M",
            Self::Mte1 => "MTE1",
            Self::Mte2 => "MTE2",
            Self::Mte3 => "MTE3",
            Self::All => "ALL",
            Self::Fix => "FIX",
        }
    }
}

impl DataType {
    /// Bits of one element.
    pub(crate) const fn bits(self) -> usize {
        match self {
            Self::I4 => 4,
            Self::I8 | Self::U8 => 8,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 16,
            Self::I32 | Self::U32 | Self::F32 => 32,
            Self::I64 | Self::U64 => 64,
        }
    }
}

/// The lanes that take part in a vector instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Mask {
    /// Normal mode: a bit for each lane of a repeat, lane 0 first. Counter mode: `bits[0]` elements in all.
    pub bits: [u64; 2],
    /// 1 for counter mode.
    pub counter: u32,
    pub reserved: u32,
}

/// A line of the kernel's source.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Site {
    /// Null-terminated, for the life of the object.
    pub file: *const c_char,
    pub line: u32,
    pub reserved: u32,
}

/// Declares the structures of instructions.
macro_rules! instructions {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
    $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub(crate) struct $name {
            /// [`Kind`]
            pub kind: u16,
            /// [`Pipe`] that runs it
            pub pipe: u8,
            pub reserved: u8,
            $($(#[$field_doc])* pub $field: $type),*
        }
    )*

        /// How the compiler laid the instructions out.
        #[cfg(test)]
        fn instruction_layouts() -> Vec<tests::StructLayout> {
            vec![$(tests::layout_of!($name { kind, pipe, reserved, $($field),* })),*]
        }
    };
}

instructions! {
    /// An element-wise operation of the vector unit.
    ///
    /// A repeat is 256 bytes of the widest operand, in 8 blocks of 32 bytes; block strides are between the
    /// blocks of a repeat and repeat strides between repeats, in blocks. In counter mode there are as many
    /// repeats as the count needs, whatever `repeat` says.
    struct Vector {
        /// [`VectorOp`]
        op: u16,
        /// [`DataType`] of the destination
        dst_type: u8,
        /// [`DataType`] of the first source, and of the scalar
        src_type: u8,
        /// [`Round`]
        round: u8,
        /// [`Comparison`]
        compare: u8,
        /// [`SelectMode`]
        select: u8,
        reserved1: u8,
        repeat: u32,
        dst: u64,
        src0: u64,
        src1: u64,
        /// Bits of the scalar, in the type of the source (of the destination for Axpy, Duplicate and Index)
        scalar: u64,
        /// The mask tensor of `Select`
        selection: u64,
        mask: Mask,
        dst_block_stride: u32,
        src0_block_stride: u32,
        src1_block_stride: u32,
        dst_repeat_stride: u32,
        src0_repeat_stride: u32,
        src1_repeat_stride: u32,
    }

    /// A reduction of the vector unit.
    struct Reduce {
        /// [`ReduceOp`]
        op: u8,
        /// [`ReduceScope`]
        scope: u8,
        /// [`ReduceOrder`]
        order: u8,
        /// [`DataType`]
        data_type: u8,
        repeat: u32,
        dst: u64,
        src: u64,
        mask: Mask,
        /// In results of one repeat (value and index count as one result of two elements)
        dst_repeat_stride: u32,
        src_block_stride: u32,
        src_repeat_stride: u32,
        reserved1: u32,
    }

    /// `Gather`, `Gatherb` and `Scatter`.
    struct Gather {
        /// [`GatherMode`]
        mode: u8,
        /// [`DataType`]
        data_type: u8,
        reserved1: [u8; 2],
        repeat: u32,
        dst: u64,
        src: u64,
        /// The tensor of offsets in bytes, u32 each
        offset: u64,
        /// Bytes added to each offset
        base: u32,
        /// In blocks; 1 unless `Gatherb` says otherwise
        dst_block_stride: u32,
        /// In blocks
        dst_repeat_stride: u32,
        /// In blocks, for `Scatter`
        src_repeat_stride: u32,
        mask: Mask,
    }

    /// `GatherMask`: keeps the elements that a pattern selects, without gaps.
    struct GatherMask {
        /// [`DataType`] (its size counts)
        data_type: u8,
        /// 1..7 for a built-in pattern, 0 for the tensor `pattern`
        built_in: u8,
        /// 1 for counter mode: `count` elements of each repeat; 0: whole repeats
        reduce: u8,
        reserved1: u8,
        repeat: u32,
        dst: u64,
        src: u64,
        pattern: u64,
        count: u32,
        src_block_stride: u32,
        src_repeat_stride: u32,
        pattern_repeat_stride: u32,
    }

    /// `Brcb`: each of 8 elements of the source for a repeat fills a block of the destination.
    struct BroadcastBlocks {
        /// [`DataType`] (its size counts)
        data_type: u8,
        reserved1: [u8; 3],
        repeat: u32,
        dst: u64,
        src: u64,
        dst_block_stride: u32,
        dst_repeat_stride: u32,
    }

    /// `Transpose` of a 16 by 16 matrix of 16-bit elements.
    struct Transpose {
        reserved1: u32,
        dst: u64,
        src: u64,
    }

    /// `TransDataTo5HD`: transposes 16 rows of one block each.
    struct TransposeRows {
        /// [`DataType`] (its size counts)
        data_type: u8,
        /// 8-bit elements: write to the upper half of the destination blocks
        dst_high: u8,
        /// 8-bit elements: read the upper half of the source blocks
        src_high: u8,
        reserved1: u8,
        repeat: u32,
        dst: [u64; 16],
        src: [u64; 16],
        dst_repeat_stride: u32,
        src_repeat_stride: u32,
    }

    /// `Sort32`: sorts 32 scores with their indices, largest first.
    struct Sort {
        /// [`DataType`] of the scores
        data_type: u8,
        reserved1: [u8; 3],
        repeat: u32,
        dst: u64,
        src: u64,
        index: u64,
    }

    /// `MrgSort`: merges up to four sorted lists.
    struct Merge {
        /// [`DataType`] of the scores
        data_type: u8,
        /// A bit for each list that takes part
        valid: u8,
        /// Stop as soon as one list is used up
        exhausted: u8,
        reserved1: u8,
        repeat: u32,
        dst: u64,
        src: [u64; 4],
        length: [u32; 4],
    }

    /// Rows of bytes from one memory to another: `DataCopy`, `DataCopyPad`, `Copy` between local memories.
    struct Copy {
        rows: u32,
        dst: u64,
        src: u64,
        /// Bytes of a row that are read
        row_bytes: u64,
        /// Bytes from the start of a row to the start of the next
        src_stride: u64,
        dst_stride: u64,
        /// Bytes written before and after a row in the destination
        left_padding: u32,
        right_padding: u32,
        /// What padding is filled with, bits of one element
        padding: u64,
        /// Bytes of an element
        element: u32,
        /// [`Atomic`]
        atomic: u8,
        /// [`DataType`] of the atomic operation
        atomic_type: u8,
        /// The copy's unit is a block of 32 bytes: addresses must be aligned to it, also in global memory's length
        blocks: u8,
        /// From half to float on the way from L1 to the bias table: twice as many bytes are written as are read
        widens: u8,
        /// What the programmer passed for the number and the length of the rows, in the units of the
        /// parameter, and their limits (`DataCopyParams`: 4095 and 65535 blocks)
        count_field: u32,
        count_limit: u32,
        length_field: u32,
        length_limit: u32,
    }

    /// `DataCopy` with `Nd2NzParams`: matrices of rows become fractals (16 rows of 32 bytes).
    struct NdToNz {
        /// Bytes of an element
        element: u32,
        dst: u64,
        src: u64,
        nd_num: u32,
        /// Rows of a matrix
        n_value: u32,
        /// Columns of a matrix
        d_value: u32,
        /// Elements between matrices
        src_nd_matrix_stride: u32,
        /// Elements between rows
        src_d_value: u32,
        /// Between columns of fractals, in blocks of 32 bytes
        dst_nz_c0_stride: u32,
        /// Between rows, in blocks of 32 bytes
        dst_nz_n_stride: u32,
        /// Elements between matrices
        dst_nz_matrix_stride: u32,
    }

    /// `DataCopy` with `Nz2NdParamsFull`: fractals become matrices of rows.
    struct NzToNd {
        /// Bytes of an element
        element: u32,
        dst: u64,
        src: u64,
        nd_num: u32,
        n_value: u32,
        d_value: u32,
        /// Fractals of 256 elements between matrices
        src_nd_matrix_stride: u32,
        /// Between columns of fractals, in units of 16 elements
        src_n_stride: u32,
        /// Elements between rows
        dst_d_stride: u32,
        /// Elements between matrices
        dst_nd_matrix_stride: u32,
        /// [`Atomic`]
        atomic: u8,
        /// [`DataType`] of the atomic operation
        atomic_type: u8,
        reserved1: [u8; 2],
    }

    /// `LoadData` with `LoadData2DParams`: fractals of 512 bytes.
    struct Load2d {
        /// Bytes of an element
        element: u32,
        dst: u64,
        src: u64,
        /// In fractals
        start_index: u32,
        repeat: u32,
        /// In fractals
        src_stride: u32,
        /// In fractals
        dst_gap: u32,
        /// Transposes each fractal (16-bit elements)
        transpose: u8,
        /// 1 if the source address goes down
        descending: u8,
        reserved1: [u8; 6],
    }

    /// `LoadDataWithTranspose`.
    struct LoadTranspose {
        /// Bytes of an element; 0 for half a byte
        element: u32,
        dst: u64,
        src: u64,
        start_index: u32,
        repeat: u32,
        src_stride: u32,
        dst_gap: u32,
        dst_fractal_gap: u32,
        descending: u8,
        reserved1: [u8; 3],
    }

    /// `LoadData` with `LoadData3DParamsV2`.
    struct Load3d {
        /// Bytes of an element
        element: u32,
        dst: u64,
        src: u64,
        l1_h: u32,
        l1_w: u32,
        channel_size: u32,
        k_extension: u32,
        m_extension: u32,
        k_start: u32,
        m_start: u32,
        stride_w: u32,
        stride_h: u32,
        filter_w: u32,
        filter_h: u32,
        dilation_filter_w: u32,
        dilation_filter_h: u32,
        /// left, right, top, bottom
        padding: [u32; 4],
        pad_value: u64,
        transpose: u8,
        small_k: u8,
        reserved1: [u8; 6],
        /// `SetLoadDataRepeat`: 16 rows (mode 0) or one block of columns (mode 1) between repeats
        repeat_stride: u32,
        repeat_time: u32,
        /// 0: repeats go on in m, 1: in k
        repeat_mode: u32,
        /// `SetLoadDataBoundary`: bytes after which L1 is read from its start again; 0 for none
        boundary: u32,
    }

    /// `InitConstValue`, which fills L1, L0A or L0B.
    struct Fill {
        /// Bytes of an element
        element: u32,
        dst: u64,
        repeat: u32,
        /// In blocks (32 bytes in L1, 512 bytes in L0A and L0B)
        block_num: u32,
        /// In blocks
        dst_gap: u32,
        reserved1: u32,
        value: u64,
    }

    /// `Mmad`: c = a * b (+ c or bias).
    struct Mmad {
        /// [`DataType`] of c
        c_type: u8,
        /// [`DataType`] of a
        a_type: u8,
        /// [`DataType`] of b
        b_type: u8,
        /// `unitFlag` (0, 2 or 3)
        unit_flag: u8,
        c: u64,
        a: u64,
        b: u64,
        /// In BT or L0C, if `c_source` is 1
        bias: u64,
        m: u32,
        n: u32,
        k: u32,
        /// c starts from zero
        c_init: u8,
        /// c starts from the bias
        c_source: u8,
        /// m == 1 computes a matrix and not a vector
        gemv_disabled: u8,
        /// fp32: the matrix in L0A is padded to 16 and not to 8 in k
        k_direction_align: u8,
        /// fp32: computes in HF32; 1 rounds to nearest with ties to even, 2 with ties toward zero
        hf32: u8,
        reserved1: [u8; 7],
    }

    /// `Fixpipe`: from L0C to global memory or L1, converted on the way.
    struct Fixpipe {
        /// [`DataType`] in L0C
        src_type: u8,
        /// [`DataType`] of the destination
        dst_type: u8,
        /// `QuantMode_t`
        quant_mode: u8,
        /// `unitFlag` (0, 2 or 3)
        unit_flag: u8,
        dst: u64,
        src: u64,
        n_size: u32,
        m_size: u32,
        /// In units of 16 elements (one row of a fractal)
        src_stride: u32,
        /// NZ: in blocks of 32 bytes between columns of fractals; ND: elements between rows
        dst_stride: u32,
        nd_num: u32,
        /// In fractals
        src_nd_stride: u32,
        /// In elements
        dst_nd_stride: u32,
        relu: u8,
        nz_to_nd: u8,
        channel_split: u8,
        /// [`Atomic`]
        atomic: u8,
        /// [`DataType`] of the atomic operation
        atomic_type: u8,
        reserved1: [u8; 3],
        /// The scalar parameter of the quantization
        scale: u64,
        /// The vector parameter, in FB
        scales: u64,
    }

    /// Sets the flag of an event when everything before it in the pipe is done.
    struct SetFlag {
        /// [`Pipe`] that waits
        dst: u8,
        reserved1: [u8; 3],
        event: u32,
        reserved2: u32,
    }

    /// Holds the pipe until the flag is set, and takes it.
    struct WaitFlag {
        /// [`Pipe`] that sets
        src: u8,
        reserved1: [u8; 3],
        event: u32,
        reserved2: u32,
    }

    /// Holds the pipe (or all) until what is before it is done.
    struct Barrier {
        reserved1: u32,
    }

    /// Sets a flag for other cores when everything before it in the pipe is done.
    struct CrossSet {
        /// 0: all cores of the same kind, 1: the vector cores of the block, 2: between cube and vector cores of the block
        mode: u32,
        flag: u32,
        reserved1: u32,
    }

    /// Holds the core until the flag is set.
    struct CrossWait {
        mode: u32,
        flag: u32,
        reserved1: u32,
    }

    /// Holds the core until all cores of the scope are here.
    struct SyncAll {
        /// [`SyncScope`]
        scope: u8,
        reserved1: [u8; 3],
        /// How many cores take part; 0 for all
        cores: u32,
        reserved2: u32,
    }

    /// `DataCacheCleanAndInvalid` and its like.
    struct CleanCache {
        /// 1: the whole cache
        entire: u32,
        address: u64,
    }

    /// Writes a word of global memory that other cores wait for (`IBSet`).
    struct PostMemory {
        value: u32,
        address: u64,
    }

    /// Holds the core until a word of global memory has the value, then leaves `reset` there (`IBWait`).
    struct WaitMemory {
        value: u32,
        address: u64,
        reset: u32,
        reserved1: u32,
    }
}

/// What a kernel knows of the core that it runs on. Valid during the kernel; only the model changes it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct CoreView {
    /// The model's own.
    pub core: *mut c_void,
    /// The functions of the model.
    pub model: *const Model,
    /// Where the local memories start in the host's memory, by space; each aligned to 1 MiB.
    pub base: [*mut u8; 8],
    /// Their sizes in bytes.
    pub size: [u32; 8],
    pub block_idx: u32,
    pub block_num: u32,
    pub sub_block_idx: u32,
    /// Vector cores of a block: 2, 1 or, in kernels that are not mixed, 1.
    pub sub_block_num: u32,
    /// [`CoreType`]
    pub core_type: u8,
    /// [`KernelType`]
    pub kernel_type: u8,
    /// 1 if scalar accesses must be reported.
    pub checked: u8,
    pub reserved: [u8; 5],
    /// What to add to an address of device memory to reach it from the kernel's scalar code.
    pub device_start: u64,
    pub device_end: u64,
    pub device_delta: u64,
    /// Memory of the system workspace (`GetSysWorkSpacePtr`).
    pub system_workspace: *mut u8,
}

/// The functions that a kernel object calls. Those that return a number return 0, or 1 if the kernel must end
/// at once.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Model {
    pub version: u32,
    pub reserved: u32,
    /// Runs an instruction; the pointer is to one of the structures above.
    pub execute: unsafe extern "C" fn(*mut c_void, *const c_void, Site) -> i32,
    /// The scalar unit reads (`write` 0) or writes memory at an address of the ABI; called if `checked`.
    pub scalar_access: unsafe extern "C" fn(*mut c_void, address: u64, bytes: u32, write: u32, Site) -> i32,
    /// Reads a [`Register`].
    pub read_register: unsafe extern "C" fn(*mut c_void, register: u32) -> u64,
    /// Writes a [`Register`] (the comparison mask).
    pub write_register: unsafe extern "C" fn(*mut c_void, register: u32, value: u64),
    /// Prints text of `length` bytes.
    pub print: unsafe extern "C" fn(*mut c_void, text: *const c_char, length: u64),
    /// A failed assertion, or something that the header refuses at run time.
    pub fail: unsafe extern "C" fn(*mut c_void, text: *const c_char, length: u64, Site) -> i32,
    /// A buffer of local memory was given out (`live` 1) or taken back: what lies there is of no use.
    pub buffer: unsafe extern "C" fn(*mut c_void, address: u64, bytes: u64, live: u32, Site) -> i32,
}

/// Where an argument of a kernel lies among the packed ones, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Parameter {
    pub offset: u32,
    pub size: u32,
}

/// A kernel of an object, for one kind of core.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct KernelEntry {
    /// Null-terminated.
    pub name: *const c_char,
    /// [`CoreType`] that the code is for.
    pub core_type: u8,
    /// [`KernelType`], or 255 if the source does not say.
    pub kernel_type: u8,
    /// 1 if the code has instructions of the vector unit, or of the cube unit, by `core_type`.
    pub computes: u8,
    pub reserved: [u8; 5],
    /// Bytes of the packed arguments.
    pub argument_bytes: u64,
    /// Runs the kernel on a core; returns 1 if it ended early.
    pub run: unsafe extern "C" fn(*const CoreView, arguments: *const u8) -> i32,
    /// `parameter_count` of them, in order.
    pub parameters: *const Parameter,
    pub parameter_count: u32,
    pub reserved1: u32,
}

/// The symbol `ascendc_model_object` of a kernel object.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Object {
    pub version: u32,
    pub kernel_count: u32,
    pub kernels: *const KernelEntry,
}

#[cfg(test)]
#[path = "abi_tests.rs"]
mod tests;
