//! Which types and formats an operation takes: ATB's table `atb_ops_info.ini`.

use ascendcl_sys::{
    ACL_BF16, ACL_BOOL, ACL_FLOAT, ACL_FLOAT16, ACL_FORMAT_FRACTAL_NZ, ACL_FORMAT_ND, ACL_INT8, ACL_INT32,
    ACL_INT64, ACL_UINT32, ACL_UINT64, aclDataType, aclFormat,
};

use crate::operator::{Result, refuse};
use crate::tensor::TensorDesc;

/// Type and format of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    dtype: aclDataType,
    format: aclFormat,
}

const fn nd(dtype: aclDataType) -> Kind {
    Kind { dtype, format: ACL_FORMAT_ND }
}

const fn nz(dtype: aclDataType) -> Kind {
    Kind { dtype, format: ACL_FORMAT_FRACTAL_NZ }
}

pub(crate) const F16: Kind = nd(ACL_FLOAT16);
pub(crate) const BF16: Kind = nd(ACL_BF16);
pub(crate) const F32: Kind = nd(ACL_FLOAT);
pub(crate) const I8: Kind = nd(ACL_INT8);
pub(crate) const BOOL: Kind = nd(ACL_BOOL);
pub(crate) const I32: Kind = nd(ACL_INT32);
pub(crate) const U32: Kind = nd(ACL_UINT32);
pub(crate) const I64: Kind = nd(ACL_INT64);
pub(crate) const U64: Kind = nd(ACL_UINT64);
pub(crate) const F16_NZ: Kind = nz(ACL_FLOAT16);
pub(crate) const BF16_NZ: Kind = nz(ACL_BF16);
pub(crate) const I8_NZ: Kind = nz(ACL_INT8);

/// What the inputs are, and the outputs.
pub(crate) type Combination<'a> = (&'a [Kind], &'a [Kind]);

/// Whether the tensors are one of the combinations; those that are left out fit any. Outputs may be absent altogether.
///
/// # Errors
/// `ATB_ERROR_INVALID_TENSOR_INI_MATCH`, with what came and what there is.
pub(crate) fn check(
    operation: &str,
    table: &[Combination<'_>],
    inputs: &[TensorDesc],
    outputs: &[TensorDesc],
) -> Result {
    let fits = |tensors: &[TensorDesc], kinds: &[Kind]| {
        tensors.len() == kinds.len()
            && tensors.iter().zip(kinds).all(|(tensor, kind)| {
                tensor.is_none() || (tensor.dtype == kind.dtype && tensor.format == kind.format)
            })
    };
    let any = table
        .iter()
        .any(|(takes, gives)| fits(inputs, takes) && (outputs.is_empty() || fits(outputs, gives)));
    if any {
        return Ok(());
    }
    let came = |tensors: &[TensorDesc]| {
        list(tensors.iter().map(|tensor| kind_name(Kind { dtype: tensor.dtype, format: tensor.format })))
    };
    let known = |kinds: &[Kind]| list(kinds.iter().copied().map(kind_name));
    let combinations: Vec<String> =
        table.iter().map(|(takes, gives)| format!("({}) -> ({})", known(takes), known(gives))).collect();
    Err(refuse!(
        ATB_ERROR_INVALID_TENSOR_INI_MATCH,
        "{operation}: no combination of types and formats has the inputs ({}) and the outputs ({}); there are {}",
        came(inputs),
        came(outputs),
        combinations.join(", ")
    ))
}

fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn kind_name(kind: Kind) -> String {
    let dtype = match kind.dtype {
        ACL_FLOAT16 => "float16",
        ACL_BF16 => "bf16",
        ACL_FLOAT => "float",
        ACL_INT8 => "int8",
        ACL_BOOL => "bool",
        ACL_INT32 => "int32",
        ACL_UINT32 => "uint32",
        ACL_INT64 => "int64",
        ACL_UINT64 => "uint64",
        other => return format!("type {}", other.0),
    };
    match kind.format {
        ACL_FORMAT_ND => dtype.to_owned(),
        ACL_FORMAT_FRACTAL_NZ => format!("{dtype} fractal_nz"),
        other => format!("{dtype} in format {}", other.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Combination<'static>] = &[(&[F16, F16_NZ], &[F16]), (&[BF16, BF16_NZ], &[BF16])];

    #[test]
    fn a_column_fits_as_a_whole() {
        let f16 = TensorDesc::nd(ACL_FLOAT16, &[16]);
        let f16_nz = TensorDesc::nz(ACL_FLOAT16, &[16]);
        let bf16 = TensorDesc::nd(ACL_BF16, &[16]);
        let check = |inputs: &[TensorDesc], outputs: &[TensorDesc]| check("Test", TABLE, inputs, outputs);
        assert_eq!(check(&[f16.clone(), f16_nz.clone()], &[]), Ok(()));
        assert_eq!(check(&[f16.clone(), f16_nz.clone()], std::slice::from_ref(&f16)), Ok(()));
        assert_eq!(check(&[f16.clone(), TensorDesc::none()], &[]), Ok(()), "left out");
        for (inputs, outputs) in [
            (vec![f16.clone(), f16.clone()], vec![]),
            (vec![bf16.clone(), f16_nz.clone()], vec![]),
            (vec![f16.clone()], vec![]),
            (vec![f16.clone(), f16_nz.clone()], vec![bf16.clone()]),
        ] {
            let refusal = check(&inputs, &outputs).unwrap_err();
            assert_eq!(refusal.status, atb_sys::ATB_ERROR_INVALID_TENSOR_INI_MATCH);
            assert!(
                refusal.message.contains("(float16, float16 fractal_nz) -> (float16)"),
                "{}",
                refusal.message
            );
        }
    }
}
