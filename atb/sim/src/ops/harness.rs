//! How tests call operations: as the library does, on memory of the host.

use ascendcl_sim::operator::{Fault, Memory};
use ascendcl_sys::{ACL_BF16, ACL_FLOAT, ACL_FLOAT16, aclDataType};
use bytemuck::{AnyBitPattern, NoUninit};
use half::{bf16, f16};

use crate::operator::{Operator, Result};
use crate::tensor::{Operand, TensorDesc};

/// A tensor with memory of the host.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub desc: TensorDesc,
    pub memory: Memory,
}

impl Tensor {
    pub(crate) fn new<T: NoUninit>(desc: TensorDesc, values: &[T]) -> Self {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        assert_eq!(Some(bytes.len()), desc.bytes(), "{desc:?}");
        Self { memory: Memory::staged(bytes).unwrap(), desc }
    }

    pub(crate) fn nd<T: NoUninit>(dtype: aclDataType, shape: &[i64], values: &[T]) -> Self {
        Self::new(TensorDesc::nd(dtype, shape), values)
    }

    /// Floats, rounded to the type.
    pub(crate) fn floats(dtype: aclDataType, shape: &[i64], values: &[f32]) -> Self {
        Self::floats_as(TensorDesc::nd(dtype, shape), values)
    }

    pub(crate) fn floats_as(desc: TensorDesc, values: &[f32]) -> Self {
        match desc.dtype {
            ACL_FLOAT => Self::new(desc, values),
            ACL_FLOAT16 => Self::new(desc, &values.iter().map(|x| f16::from_f32(*x)).collect::<Vec<_>>()),
            ACL_BF16 => Self::new(desc, &values.iter().map(|x| bf16::from_f32(*x)).collect::<Vec<_>>()),
            other => panic!("{other:?} is no type of floats"),
        }
    }

    pub(crate) fn none() -> Self {
        Self { desc: TensorDesc::none(), memory: Memory::staged(&[]).unwrap() }
    }

    /// Memory for an output, whose bytes are not what any operation writes.
    pub(crate) fn blank(desc: TensorDesc) -> Self {
        let bytes = vec![0xA5; desc.bytes().unwrap()];
        Self { memory: Memory::staged(&bytes).unwrap(), desc }
    }

    pub(crate) fn values<T: AnyBitPattern + NoUninit>(&self) -> Vec<T> {
        self.memory.read(0, self.desc.bytes().unwrap() / size_of::<T>()).unwrap()
    }

    pub(crate) fn to_f32(&self) -> Vec<f32> {
        self.operand().to_f32().unwrap()
    }

    pub(crate) fn operand(&self) -> Operand<'_> {
        Operand { desc: &self.desc, memory: &self.memory, host: None }
    }
}

fn descs(tensors: &[Tensor]) -> Vec<TensorDesc> {
    tensors.iter().map(|tensor| tensor.desc.clone()).collect()
}

/// Infers shapes, with all checks before.
pub(crate) fn infer(operation: &dyn Operator, inputs: &[TensorDesc]) -> Result<Vec<TensorDesc>> {
    assert_eq!(inputs.len(), operation.input_num());
    operation.check_types(inputs, &[])?;
    operation.check_inputs(inputs)?;
    let outputs = operation.infer_shape(inputs)?;
    assert_eq!(outputs.len(), operation.output_num());
    Ok(outputs)
}

/// Sets up with these outputs.
pub(crate) fn set_up(operation: &dyn Operator, inputs: &[TensorDesc], outputs: &[TensorDesc]) -> Result {
    operation.check_types(inputs, outputs)?;
    operation.check_inputs(inputs)?;
    operation.check_outputs(inputs, outputs)
}

/// The outputs of a call, of the shapes that were inferred.
pub(crate) fn run(operation: &dyn Operator, inputs: &[Tensor]) -> Vec<Tensor> {
    let outputs: Vec<Tensor> =
        infer(operation, &descs(inputs)).unwrap().into_iter().map(Tensor::blank).collect();
    run_into(operation, inputs, &outputs).unwrap();
    outputs
}

/// A call with outputs of the caller's.
pub(crate) fn run_into(
    operation: &dyn Operator,
    inputs: &[Tensor],
    outputs: &[Tensor],
) -> std::result::Result<(), Fault> {
    set_up(operation, &descs(inputs), &descs(outputs)).unwrap();
    let inputs: Vec<Operand<'_>> = inputs.iter().map(Tensor::operand).collect();
    let outputs: Vec<Operand<'_>> = outputs.iter().map(Tensor::operand).collect();
    operation.run(&inputs, &outputs)
}

/// Floats that spread over `-limit..limit`, different for each seed.
pub(crate) fn noise(seed: u32, len: usize, limit: f32) -> Vec<f32> {
    (0..len as u32)
        .map(|i| {
            let mut x = (i + 1).wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(0x9E37_79B9);
            x ^= x >> 15;
            x = x.wrapping_mul(0x85EB_CA6B);
            x ^= x >> 13;
            (f64::from(x) / f64::from(u32::MAX) * 2.0 - 1.0) as f32 * limit
        })
        .collect()
}

/// Values as they are after they were rounded to a type.
pub(crate) fn rounded(dtype: aclDataType, values: &[f32]) -> Vec<f32> {
    Tensor::floats(dtype, &[values.len() as i64], values).to_f32()
}
