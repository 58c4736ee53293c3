//! Functions of each element.

use ascendcl::DataType;

c_enum! {
    /// Which function (`ElewiseParam::ElewiseType`).
    ElewiseType: i32 {
        /// None is chosen: the library refuses it (`ELEWISE_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// Conversion to [`out_tensor_type`](Elewise::out_tensor_type) (`ELEWISE_CAST`).
        Cast = 1,
        /// `x * var_attr` (`ELEWISE_MULS`).
        Muls = 2,
        /// Cosine (`ELEWISE_COS`).
        Cos = 3,
        /// Sine (`ELEWISE_SIN`).
        Sin = 4,
        /// `-x` (`ELEWISE_NEG`).
        Neg = 5,
        /// To int8 with one scale: `round(x / input_scale) + input_offset` (`ELEWISE_QUANT`).
        Quant = 6,
        /// Logical not, of int8 (`ELEWISE_LOGICAL_NOT`).
        LogicalNot = 7,
        /// `x + y` (`ELEWISE_ADD`).
        Add = 8,
        /// `x * y` (`ELEWISE_MUL`).
        Mul = 9,
        /// `x / y` (`ELEWISE_REALDIV`).
        Realdiv = 10,
        /// Logical and, of int8 (`ELEWISE_LOGICAL_AND`).
        LogicalAnd = 11,
        /// Logical or, of int8 (`ELEWISE_LOGICAL_OR`).
        LogicalOr = 12,
        /// `x < y`, as int8 (`ELEWISE_LESS`).
        Less = 13,
        /// `x > y`, as int8 (`ELEWISE_GREATER`).
        Greater = 14,
        /// `x - y` (`ELEWISE_SUB`).
        Sub = 15,
        /// `x == y`, as int8 (`ELEWISE_EQUAL`).
        Equal = 16,
        /// To int8 with a scale and an offset for each channel (`ELEWISE_QUANT_PER_CHANNEL`).
        QuantPerChannel = 17,
        /// From int8 with a scale and an offset for each channel (`ELEWISE_DEQUANT_PER_CHANNEL`).
        DequantPerChannel = 18,
        /// To int8 with a scale for each row, which is computed (`ELEWISE_DYNAMIC_QUANT`).
        DynamicQuant = 19,
        /// Hyperbolic tangent (`ELEWISE_TANH`).
        Tanh = 20,
    }
}

/// A function of each element (`atb::infer::ElewiseParam`).
///
/// * Inputs: `x`, and for functions of two `y`, whose shapes broadcast; the functions for each channel take `x`, scales and
///   offsets (the offsets may be left out).
/// * Outputs: one; [`ElewiseType::DynamicQuant`] gives the int8 values, a Float32 scale for each row, and an offset as well
///   if it is [`asymmetric`](Self::asymmetric).
#[derive(Clone, Debug, PartialEq)]
pub struct Elewise {
    /// Which function (`elewiseType`).
    pub elewise_type: ElewiseType,
    /// Scale of [`ElewiseType::Quant`] (`quantParam.inputScale`); 1 by default.
    pub input_scale: f32,
    /// Whether [`ElewiseType::DynamicQuant`] has offsets (`quantParam.asymmetric`).
    pub asymmetric: bool,
    /// Offset of [`ElewiseType::Quant`] (`quantParam.inputOffset`).
    pub input_offset: i32,
    /// Factor of [`ElewiseType::Muls`] (`mulsParam.varAttr`); 0 by default.
    pub var_attr: f32,
    /// What [`ElewiseType::Cast`] converts to (`outTensorType`).
    pub out_tensor_type: Option<DataType>,
}

impl Elewise {
    /// A function with defaults for the rest.
    pub fn of(elewise_type: ElewiseType) -> Self {
        Self { elewise_type, ..Self::default() }
    }
}

impl Default for Elewise {
    fn default() -> Self {
        Self {
            elewise_type: ElewiseType::Undefined,
            input_scale: 1.0,
            asymmetric: false,
            input_offset: 0,
            var_attr: 0.0,
            out_tensor_type: None,
        }
    }
}

impl super::sealed::Sealed for Elewise {}
impl super::SelfContained for Elewise {}
plain_param!(Elewise: atb_elewise_param, "Elewise", addresses: false {
    elewise_type: elewiseType,
    input_scale: inputScale,
    asymmetric: asymmetric,
    input_offset: inputOffset,
    var_attr: varAttr,
    out_tensor_type: outTensorType,
});
