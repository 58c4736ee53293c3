//! Between formats.

c_enum! {
    /// From which format to which (`TransdataParam::TransdataType`).
    TransdataType: i32 {
        /// None is chosen: the library refuses it (`UNDEFINED`).
        #[default]
        Undefined = 0,
        /// `FRACTAL_NZ_TO_ND`.
        FractalNzToNd = 1,
        /// `ND_TO_FRACTAL_NZ`.
        NdToFractalNz = 2,
    }
}

/// A tensor in another format (`atb::infer::TransdataParam`).
///
/// * Input: `x`, 16-bit or Int8; ND `[rows, columns]` or `[batch, rows, columns]`, or FRACTAL_NZ `[batch, columns / c0, rows, c0]`.
/// * Output: the other one; FRACTAL_NZ is padded with zeros to whole fractals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transdata {
    /// From which format to which (`transdataType`).
    pub transdata_type: TransdataType,
    /// Rows and columns without padding, for [`TransdataType::FractalNzToNd`] (`outCrops`); zeros by default.
    pub out_crops: [i64; 2],
}

impl super::sealed::Sealed for Transdata {}
impl super::SelfContained for Transdata {}
plain_param!(Transdata: atb_transdata_param, "Transdata", addresses: false {
    transdata_type: transdataType, out_crops: outCrops,
});
