//! Normalisation by the root mean square.

use super::fields::Field;

c_enum! {
    /// What is done around the norm (`RmsNormParam::RmsNormType`).
    RmsNormType: i32 {
        /// None is chosen: the library refuses it (`RMS_NORM_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// The norm alone (`RMS_NORM_NORM`).
        Norm = 1,
        /// The residual is added before it, and the sum is an output, too (`RMS_NORM_PRENORM`).
        Prenorm = 2,
        /// The residual is added before it (`RMS_NORM_POSTNORM`).
        Postnorm = 3,
    }
}

c_enum! {
    /// What the output is quantised to (`atb::infer::QuantType`).
    QuantType: i32 {
        /// It is not (`QUANT_UNQUANT`).
        #[default]
        Unquant = 0,
        /// The library refuses it (`QUANT_INT4`).
        Int4 = 1,
        /// To int8 (`QUANT_INT8`).
        Int8 = 2,
        /// The library refuses it (`QUANT_INT16`).
        Int16 = 3,
        /// The library refuses it (`QUANT_FLOAT8`).
        Float8 = 4,
        /// The library refuses it (`QUANT_FLOAT16`).
        Float16 = 5,
    }
}

c_enum! {
    /// Whether the quantisation's scales are computed (`atb::infer::DynamicQuantType`).
    DynamicQuantType: i32 {
        /// They are given (`DYNAMIC_QUANT_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// For each row, without an offset (`DYNAMIC_QUANT_SYMMETRIC`).
        Symmetric = 1,
        /// For each row, with an offset: the library refuses it (`DYNAMIC_QUANT_ASYMMETRIC`).
        Asymmetric = 2,
    }
}

c_enum! {
    /// What is computed in between (`RmsNormParam::PrecisionMode`).
    PrecisionMode: i32 {
        /// In float32 (`HIGH_PRECISION_MODE`).
        #[default]
        HighPrecision = 0,
        /// In float16 (`HIGH_PERFORMANCE_MODE`).
        HighPerformance = 1,
    }
}

c_enum! {
    /// Whose formula (`RmsNormParam::ModelType`).
    ModelType: i32 {
        /// `x / rms * gamma` (`LLAMA_MODEL`).
        #[default]
        Llama = 0,
        /// `x / rms * (1 + gamma)` (`GEMMA_MODEL`).
        Gemma = 1,
    }
}

/// What is special to [`RmsNormType::Norm`] (`RmsNormParam::NormParam`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormParam {
    /// What the output is quantised to (`quantType`).
    pub quant_type: QuantType,
    /// Added to the mean of the squares (`epsilon`); 1e-5 by default.
    pub epsilon: f32,
    /// Not used (`layerNormEps`); 1e-5 by default.
    pub layer_norm_eps: f64,
    /// Whether the reciprocal of the root is an output, too (`rstd`).
    pub rstd: bool,
    /// What is computed in between (`precisionMode`).
    pub precision_mode: PrecisionMode,
    /// Whose formula (`modelType`).
    pub model_type: ModelType,
    /// Whether the quantisation's scales are computed (`dynamicQuantType`).
    pub dynamic_quant_type: DynamicQuantType,
}

impl Default for NormParam {
    fn default() -> Self {
        Self {
            quant_type: QuantType::default(),
            epsilon: 1e-5,
            // The default of the C++ field is a double.
            layer_norm_eps: 1e-5,
            rstd: false,
            precision_mode: PrecisionMode::default(),
            model_type: ModelType::default(),
            dynamic_quant_type: DynamicQuantType::default(),
        }
    }
}

/// What is special to [`RmsNormType::Prenorm`] and [`RmsNormType::Postnorm`] (`RmsNormParam::PreNormParam`, `PostNormParam`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResidualNormParam {
    /// What the output is quantised to (`quantType`).
    pub quant_type: QuantType,
    /// Added to the mean of the squares (`epsilon`); 1e-5 by default.
    pub epsilon: f32,
    /// Whether there is a bias, which is added with the residual (`hasBias`).
    pub has_bias: bool,
}

impl Default for ResidualNormParam {
    fn default() -> Self {
        Self { quant_type: QuantType::default(), epsilon: 1e-5, has_bias: false }
    }
}

/// Normalisation of rows by their root mean square, with or without quantisation (`atb::infer::RmsNormParam`).
///
/// For [`RmsNormType::Norm`]:
/// * Inputs: `x` [.., size] Float32 or 16-bit; `gamma` `[size]`; for [`QuantType::Int8`] also `beta` `[size]`, and unless the
///   scales are computed `scale` `[1]` of the type of `x` and `offset` `[1]` Int8.
/// * Outputs: like `x`, and Int8 if quantised: `clamp(round((x / rms * gamma + beta) / scale + offset))`; with computed
///   scales also one Float32 for each row; with [`rstd`](NormParam::rstd) also the reciprocals of the roots.
///
/// For [`RmsNormType::Prenorm`] and [`RmsNormType::Postnorm`]: `x`, the residual, a bias if there is one, `gamma`; quantised
/// `x`, the residual, `gamma`, `beta`, `scale` and `offset`. The former, and both if quantised, also give the sum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RmsNorm {
    /// What is done around the norm (`layerType`).
    pub layer_type: RmsNormType,
    /// What is special to [`RmsNormType::Norm`] (`normParam`).
    pub norm_param: NormParam,
    /// What is special to [`RmsNormType::Prenorm`] (`preNormParam`).
    pub pre_norm_param: ResidualNormParam,
    /// What is special to [`RmsNormType::Postnorm`] (`postNormParam`).
    pub post_norm_param: ResidualNormParam,
}

impl RmsNorm {
    /// The norm alone.
    pub fn norm(norm_param: NormParam) -> Self {
        Self { layer_type: RmsNormType::Norm, norm_param, ..Self::default() }
    }
}

impl Field<atb_sys::atb_norm_param> for NormParam {
    fn to_raw(&self) -> atb_sys::atb_norm_param {
        atb_sys::atb_norm_param {
            quantType: self.quant_type.to_raw(),
            epsilon: self.epsilon,
            layerNormEps: self.layer_norm_eps,
            rstd: self.rstd,
            precisionMode: self.precision_mode.to_raw(),
            modelType: self.model_type.to_raw(),
            dynamicQuantType: self.dynamic_quant_type.to_raw(),
        }
    }

    fn from_raw(raw: atb_sys::atb_norm_param) -> crate::Result<Self> {
        Ok(Self {
            quant_type: QuantType::from_raw(raw.quantType)?,
            epsilon: raw.epsilon,
            layer_norm_eps: raw.layerNormEps,
            rstd: raw.rstd,
            precision_mode: PrecisionMode::from_raw(raw.precisionMode)?,
            model_type: ModelType::from_raw(raw.modelType)?,
            dynamic_quant_type: DynamicQuantType::from_raw(raw.dynamicQuantType)?,
        })
    }
}

impl Field<atb_sys::atb_residual_norm_param> for ResidualNormParam {
    fn to_raw(&self) -> atb_sys::atb_residual_norm_param {
        let quant_type = self.quant_type.to_raw();
        atb_sys::atb_residual_norm_param {
            quantType: quant_type,
            epsilon: self.epsilon,
            hasBias: self.has_bias,
        }
    }

    fn from_raw(raw: atb_sys::atb_residual_norm_param) -> crate::Result<Self> {
        let quant_type = QuantType::from_raw(raw.quantType)?;
        Ok(Self { quant_type, epsilon: raw.epsilon, has_bias: raw.hasBias })
    }
}

impl super::sealed::Sealed for RmsNorm {}
impl super::SelfContained for RmsNorm {}
plain_param!(RmsNorm: atb_rms_norm_param, "RmsNorm", addresses: false {
    layer_type: layerType,
    norm_param: normParam,
    pre_norm_param: preNormParam,
    post_norm_param: postNormParam,
});
