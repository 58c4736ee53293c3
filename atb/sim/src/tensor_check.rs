//! What ATB demands of every tensor, whatever the operation (ATB's source tensor_check.cpp and utils.cpp).

use ascendcl_sys::*;

use crate::operator::{Result, refuse};
use crate::tensor::TensorDesc;

/// ATB's `MAX_DIM`.
pub(crate) const MAX_DIMENSIONS: usize = 8;

/// 256 GiB.
const MAX_BYTES: u64 = 256 << 30;

/// Elements as `Utils::GetTensorNumel` counts them: 0 if a dimension is not positive or the product overflows.
pub(crate) fn element_count(desc: &TensorDesc) -> u64 {
    if desc.is_none() {
        return 0;
    }
    let positive = |dim: &i64| u64::try_from(*dim).ok().filter(|dim| *dim > 0);
    desc.shape.iter().try_fold(1u64, |count, dim| count.checked_mul(positive(dim)?)).unwrap_or(0)
}

/// Bytes as `Utils::GetTensorSize` counts them: 0 for what it cannot count.
pub(crate) fn byte_count(desc: &TensorDesc) -> u64 {
    element_count(desc).checked_mul(element_bytes(desc.dtype)).unwrap_or(0)
}

/// Bytes of an element for ATB, which knows more types than its operations take; an undefined type has one byte.
fn element_bytes(dtype: aclDataType) -> u64 {
    match dtype {
        ACL_DT_UNDEFINED | ACL_BOOL | ACL_INT8 | ACL_UINT8 => 1,
        ACL_HIFLOAT8 | ACL_FLOAT8_E5M2 | ACL_FLOAT8_E4M3FN | ACL_FLOAT8_E8M0 => 1,
        ACL_FLOAT16 | ACL_BF16 | ACL_INT16 | ACL_UINT16 => 2,
        ACL_FLOAT | ACL_INT32 | ACL_UINT32 => 4,
        ACL_INT64 | ACL_UINT64 | ACL_DOUBLE | ACL_COMPLEX64 => 8,
        ACL_COMPLEX128 => 16,
        // `sizeof(std::string)`.
        ACL_STRING => 32,
        _ => 0,
    }
}

/// Whether ATB takes a description for a tensor that is left out.
pub(crate) fn is_empty(desc: &TensorDesc) -> bool {
    desc.is_none() || desc.shape.contains(&0)
}

/// `CheckTensorShape`: one to eight dimensions, more than no bytes and at most 256 GiB.
pub(crate) fn check(what: &str, index: usize, desc: &TensorDesc) -> Result {
    let dimensions = desc.shape.len();
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        let number = if dimensions == 0 { "no".to_owned() } else { format!("more than {MAX_DIMENSIONS}") };
        return Err(refuse!(
            ATB_ERROR_INVALID_TENSOR_DIM,
            "{what} {index} has {number} dimensions; 1 to {MAX_DIMENSIONS} are expected"
        ));
    }
    let bytes = byte_count(desc);
    if bytes == 0 || bytes > MAX_BYTES {
        return Err(refuse!(
            ATB_ERROR_INVALID_TENSOR_SIZE,
            "{what} {index} of type {} and shape {:?} has {bytes} bytes; 1 to {MAX_BYTES} are expected",
            desc.dtype.0,
            desc.shape
        ));
    }
    Ok(())
}
