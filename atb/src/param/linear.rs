//! Matrix products.

use ascendcl::DataType;

c_enum! {
    /// What is multiplied (`LinearParam::MatmulType`).
    MatmulType: i32 {
        /// Matrices, batched or not (`MATMUL_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// `x` `[m, batch, k]` and `weight` `[batch, k, n]` to `[m, batch, n]` (`MATMUL_EIN_SUM`).
        EinSum = 1,
    }
}

c_enum! {
    /// How a quantised product is scaled (`LinearParam::QuantMode`, newer than 8.1).
    LinearQuantMode: i32 {
        /// As before there was a choice: for each channel (`QUANT_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// For each channel (`PER_CHANNEL`).
        PerChannel = 1,
        /// For each channel and each token (`PER_TOKEN`).
        PerToken = 2,
    }
}

/// A matrix product, with bias, accumulation or dequantisation (`atb::infer::LinearParam`).
///
/// Without [`out_data_type`](Self::out_data_type), of floats:
/// * Inputs: `x` `[.., m, k]` 16-bit; `weight` `[n, k]` as [`transpose_b`](Self::transpose_b) says, ND or FRACTAL_NZ; `bias` `[1, n]`
///   if [`has_bias`](Self::has_bias), or `accum` `[m, n]` Float32 if [`en_accum`](Self::en_accum).
/// * Output: `[.., m, n]`; with `en_accum` it is the input `accum`, which must be given by
///   [`updated`](crate::VariantPack::updated).
///
/// With it, of int8 matrices:
/// * Inputs: `x` and `weight` Int8; `bias` `[1, n]` Int32 if `has_bias`; `deqScale` `[1, n]`, which is Int64 (bits of a Float32)
///   for Float16 outputs and Float32 for Bf16; for [`LinearQuantMode::PerToken`] instead of the bias a scale `[m]` Float32 for each token, last.
/// * Output: `[.., m, n]` of that type: `(x · weightᵀ + bias) * deqScale`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Whether `x` is transposed (`transposeA`).
    pub transpose_a: bool,
    /// Whether `weight` is transposed, that is `[n, k]` (`transposeB`); true by default.
    pub transpose_b: bool,
    /// Whether there is a bias (`hasBias`); true by default.
    pub has_bias: bool,
    /// Type of the output of int8 matrices; `None` for floats (`outDataType`).
    pub out_data_type: Option<DataType>,
    /// Whether the product is added to a tensor (`enAccum`).
    pub en_accum: bool,
    /// What is multiplied (`matmulType`).
    pub matmul_type: MatmulType,
    /// How a quantised product is scaled (`quantMode`, newer than 8.1).
    pub quant_mode: LinearQuantMode,
}

impl Default for Linear {
    fn default() -> Self {
        Self {
            transpose_a: false,
            transpose_b: true,
            has_bias: true,
            out_data_type: None,
            en_accum: false,
            matmul_type: MatmulType::Undefined,
            quant_mode: LinearQuantMode::Undefined,
        }
    }
}

impl super::sealed::Sealed for Linear {
    fn updates(&self) -> Vec<(usize, usize)> {
        if self.en_accum { vec![(0, 2)] } else { Vec::new() }
    }
}
impl super::SelfContained for Linear {}

plain_param!(Linear: atb_linear_param, "Linear", addresses: false {
    transpose_a: transposeA,
    transpose_b: transposeB,
    has_bias: hasBias,
    out_data_type: outDataType,
    en_accum: enAccum,
    matmul_type: matmulType,
    quant_mode: quantMode,
});
