//! Tensor descriptions: what `aclop` operators and offline models are told about their tensors.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use ascendcl_sys::*;

use super::data_type::bits;
use super::{In, abi};
use crate::error::{Result, failure, misuse};
use crate::object::Objects;

/// As many dimensions as a shape has at most.
pub(super) const MAX_DIMENSIONS: usize = 25;

#[derive(Clone)]
struct Description {
    data_type: aclDataType,
    format: aclFormat,
    /// A dimension that is not known is -1. The only dimension of a shape of unknown rank is -2.
    dimensions: Vec<i64>,
    shape_range: Vec<[i64; 2]>,
    name: CString,
    settings: Settings,
}

/// What only the execution of an operator looks at.
#[derive(Clone, Default)]
struct Settings {
    storage_format: Option<aclFormat>,
    storage_dimensions: Option<Vec<i64>>,
    origin_format: Option<aclFormat>,
    origin_dimensions: Option<Vec<i64>>,
    value_range: Vec<[i64; 2]>,
    dynamic_input: Option<String>,
    constant: Option<Vec<u8>>,
    placement: Option<aclMemType>,
}

static DESCRIPTIONS: Objects<aclTensorDesc, Description> = Objects::new("tensor description");

const UNKNOWN_RANK: i64 = -2;

abi! {
    pub fn aclCreateTensorDesc(
        data_type: aclDataType,
        num_dims: c_int,
        dims: *const i64,
        format: aclFormat,
    ) -> *mut aclTensorDesc, else ptr::null_mut(); {
        Ok(DESCRIPTIONS.add(Description {
            data_type,
            format,
            dimensions: shape(num_dims, &dims)?,
            shape_range: Vec::new(),
            name: CString::default(),
            settings: Settings::default(),
        }))
    }

    pub fn aclDestroyTensorDesc(desc: *const aclTensorDesc) -> (), else (); {
        DESCRIPTIONS.remove(desc.raw()).map(drop)
    }

    pub fn aclGetTensorDescType(desc: *const aclTensorDesc) -> aclDataType, else ACL_DT_UNDEFINED; {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.data_type)
    }

    pub fn aclGetTensorDescFormat(desc: *const aclTensorDesc) -> aclFormat, else ACL_FORMAT_UNDEFINED; {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.format)
    }

    /// In bytes, rounded up for elements smaller than one; 0 if the shape is not known.
    pub fn aclGetTensorDescSize(desc: *const aclTensorDesc) -> usize, else 0; {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.size())?
    }

    /// 0 if the shape is not known.
    pub fn aclGetTensorDescElementCount(desc: *const aclTensorDesc) -> usize, else 0; {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.elements())?
    }

    pub fn aclGetTensorDescNumDims(desc: *const aclTensorDesc) -> usize, else 0; {
        DESCRIPTIONS.with(desc.raw(), |desc| match desc.dimensions[..] {
            [UNKNOWN_RANK] => ACL_UNKNOWN_RANK as usize,
            _ => desc.dimensions.len(),
        })
    }

    /// -1 also says that a dimension is not known, for which reason there is `aclGetTensorDescDimV2`.
    pub fn aclGetTensorDescDim(desc: *const aclTensorDesc, index: usize) -> i64, else -1; {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.dimension(index))?
    }

    pub fn aclGetTensorDescDimV2(desc: *const aclTensorDesc, index: usize, dim_size: *mut i64) {
        dim_size.set(DESCRIPTIONS.with(desc.raw(), |desc| desc.dimension(index))??)
    }

    /// The least and the greatest size of a dimension, which are its size if no range was set.
    pub fn aclGetTensorDescDimRange(
        desc: *const aclTensorDesc,
        index: usize,
        dim_range_num: usize,
        dim_range: *mut i64,
    ) {
        if dim_range_num != 2 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "a range has 2 ends, not {dim_range_num}"));
        }
        let range = DESCRIPTIONS.with(desc.raw(), |desc| match desc.shape_range.get(index) {
            Some(range) => Ok(*range),
            None => desc.dimension(index).map(|size| match size {
                // From nothing to without limit.
                -1 => [0, -1],
                size => [size, size],
            }),
        })??;
        dim_range.set_all(range)
    }

    pub fn aclSetTensorShapeRange(desc: *mut aclTensorDesc, dims_count: usize, dims_range: *mut [i64; 2]) {
        if dims_count > MAX_DIMENSIONS {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "no shape has {dims_count} dimensions"));
        }
        let ranges = dims_range.to_vec(dims_count)?;
        DESCRIPTIONS.with(desc.raw(), |desc| desc.shape_range = ranges)
    }

    pub fn aclSetTensorValueRange(desc: *mut aclTensorDesc, value_count: usize, value_range: *mut [i64; 2]) {
        let ranges = value_range.to_vec(value_count)?;
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.value_range = ranges)
    }

    pub fn aclSetTensorDescName(desc: *mut aclTensorDesc, name: *const c_char) -> (), else (); {
        let name = CString::new(name.text()?)
            .map_err(|error| misuse!(ACL_ERROR_INVALID_PARAM, "the name is not a C string: {error}"))?;
        DESCRIPTIONS.with(desc.raw(), |desc| desc.name = name)
    }

    /// Empty if no name was set. The text lives until the name changes or the description ends.
    pub fn aclGetTensorDescName(desc: *mut aclTensorDesc) -> *const c_char, else ptr::null(); {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.name.as_ptr())
    }

    /// Makes the description of the same tensor in another order of its dimensions. Formats that split dimensions
    /// are not simulated.
    pub fn aclTransTensorDescFormat(
        src_desc: *const aclTensorDesc,
        dst_format: aclFormat,
        dst_desc: *mut *mut aclTensorDesc,
    ) {
        dst_desc.required()?;
        let converted = DESCRIPTIONS.with(src_desc.raw(), |desc| desc.reordered(dst_format))??;
        dst_desc.set(DESCRIPTIONS.add(converted))
    }

    pub fn aclSetTensorFormat(desc: *mut aclTensorDesc, format: aclFormat) {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.storage_format = Some(format))
    }

    pub fn aclSetTensorShape(desc: *mut aclTensorDesc, num_dims: c_int, dims: *const i64) {
        let dimensions = shape(num_dims, &dims)?;
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.storage_dimensions = Some(dimensions))
    }

    pub fn aclSetTensorStorageFormat(desc: *mut aclTensorDesc, format: aclFormat) {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.storage_format = Some(format))
    }

    pub fn aclSetTensorStorageShape(desc: *mut aclTensorDesc, num_dims: c_int, dims: *const i64) {
        let dimensions = shape(num_dims, &dims)?;
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.storage_dimensions = Some(dimensions))
    }

    pub fn aclSetTensorOriginFormat(desc: *mut aclTensorDesc, format: aclFormat) {
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.origin_format = Some(format))
    }

    pub fn aclSetTensorOriginShape(desc: *mut aclTensorDesc, num_dims: c_int, dims: *const i64) {
        let dimensions = shape(num_dims, &dims)?;
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.origin_dimensions = Some(dimensions))
    }

    /// Only operators of offline models have descriptions in rows, so that each is the only one of its row.
    pub fn aclGetTensorDescByIndex(
        desc: *mut aclTensorDesc,
        index: usize,
    ) -> *mut aclTensorDesc, else ptr::null_mut(); {
        DESCRIPTIONS.get(desc.raw())?;
        if index != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is 1 description, hence none of index {index}"));
        }
        Ok(desc.raw())
    }

    /// Null: only tensors of offline models have an address.
    pub fn aclGetTensorDescAddress(desc: *const aclTensorDesc) -> *mut c_void, else ptr::null_mut(); {
        DESCRIPTIONS.get(desc.raw()).map(|_| ptr::null_mut())
    }

    pub fn aclSetTensorDynamicInput(desc: *mut aclTensorDesc, dynamic_input_name: *const c_char) {
        let name = dynamic_input_name.text()?;
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.dynamic_input = Some(name))
    }

    /// Copies the data, which the program may free afterwards.
    pub fn aclSetTensorConst(desc: *mut aclTensorDesc, data_buffer: *mut c_void, length: usize) {
        let data = data_buffer.required()?.cast::<u8>().cast_const();
        if simulated_device_has(data) {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the data of a constant is on the host, not on a device"));
        }
        // SAFETY: Not null and not of a device, hence host memory that the program vouches for.
        let constant = unsafe { std::slice::from_raw_parts(data, length) }.to_vec();
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.constant = Some(constant))
    }

    pub fn aclSetTensorPlaceMent(desc: *mut aclTensorDesc, mem_type: aclMemType) {
        if mem_type.0 > ACL_MEMTYPE_HOST_COMPILE_INDEPENDENT.0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no type of memory {}", mem_type.0));
        }
        DESCRIPTIONS.with(desc.raw(), |desc| desc.settings.placement = Some(mem_type))
    }
}

fn simulated_device_has(data: *const u8) -> bool {
    crate::simulator::running().is_some_and(|simulator| simulator.owner(data.addr()).is_some())
}

impl Description {
    fn dimension(&self, index: usize) -> Result<i64> {
        self.dimensions.get(index).copied().filter(|&size| size != UNKNOWN_RANK).ok_or_else(|| {
            misuse!(ACL_ERROR_INVALID_PARAM, "there is no dimension {index} in {:?}", self.dimensions)
        })
    }

    fn elements(&self) -> Result<usize> {
        let mut sizes = self.dimensions.iter().map(|&size| usize::try_from(size).unwrap_or(0));
        sizes
            .try_fold(1_usize, |product, size| product.checked_mul(size))
            .ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "{:?} are too many elements", self.dimensions))
    }

    fn size(&self) -> Result<usize> {
        let elements = self.elements()?;
        let bits = bits(self.data_type).ok_or_else(|| {
            misuse!(ACL_ERROR_INVALID_PARAM, "data type {} has no size in bytes", self.data_type.0)
        })?;
        elements
            .checked_mul(bits)
            .map(|bits| bits.div_ceil(8))
            .ok_or_else(|| misuse!(ACL_ERROR_INVALID_PARAM, "{:?} are too many bytes", self.dimensions))
    }

    fn reordered(&self, format: aclFormat) -> Result<Self> {
        let mut converted = Self { format, ..self.clone() };
        if format == self.format {
            return Ok(converted);
        }
        let (Some(from), Some(to)) = (order(self.format), order(format)) else {
            return Err(not_convertible(self.format, format));
        };
        if from.len() != to.len() || from.len() != self.dimensions.len() {
            return Err(not_convertible(self.format, format));
        }
        let positions = to.bytes().filter_map(|axis| from.bytes().position(|other| other == axis));
        let positions: Vec<usize> = positions.collect();
        converted.dimensions = positions.iter().map(|&axis| self.dimensions[axis]).collect();
        converted.shape_range =
            positions.iter().filter_map(|&axis| self.shape_range.get(axis).copied()).collect();
        Ok(converted)
    }
}

fn not_convertible(from: aclFormat, to: aclFormat) -> crate::error::Error {
    failure!(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        "the simulator does not convert descriptions from format {} to {}",
        from.0,
        to.0
    )
}

/// The dimensions of formats that differ in their order only.
fn order(format: aclFormat) -> Option<&'static str> {
    match format {
        ACL_FORMAT_NCHW => Some("NCHW"),
        ACL_FORMAT_NHWC => Some("NHWC"),
        ACL_FORMAT_HWCN => Some("HWCN"),
        ACL_FORMAT_NCDHW => Some("NCDHW"),
        ACL_FORMAT_NDHWC => Some("NDHWC"),
        _ => None,
    }
}

fn shape(count: c_int, dimensions: &In<i64>) -> Result<Vec<i64>> {
    let count = usize::try_from(count).ok().filter(|&count| count <= MAX_DIMENSIONS).ok_or_else(|| {
        misuse!(ACL_ERROR_INVALID_PARAM, "a shape has 0 to {MAX_DIMENSIONS} dimensions, not {count}")
    })?;
    let dimensions = dimensions.to_vec(count)?;
    let unknown_rank = dimensions[..] == [UNKNOWN_RANK];
    if !unknown_rank && let Some(wrong) = dimensions.iter().find(|&&size| size < -1) {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{wrong} is no dimension, in {dimensions:?}"));
    }
    Ok(dimensions)
}
