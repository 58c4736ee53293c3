//! Tensors as files of NumPy.

use ascendcl_sys::*;
use half::bf16;

use crate::aclnn::offsets;
use crate::operator::{Fault, Memory};

/// How a tensor lies in memory.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub data_type: aclDataType,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

impl View {
    /// The bytes of an element, and what NumPy calls its type; `None` for types that NumPy lacks.
    pub(crate) fn element(&self) -> Option<(usize, &'static str)> {
        Some(match self.data_type {
            ACL_FLOAT => (4, "<f4"),
            ACL_FLOAT16 => (2, "<f2"),
            // NumPy has no such type; as fp32 each keeps its value.
            ACL_BF16 => (2, "<f4"),
            ACL_DOUBLE => (8, "<f8"),
            ACL_INT8 => (1, "|i1"),
            ACL_INT16 => (2, "<i2"),
            ACL_INT32 => (4, "<i4"),
            ACL_INT64 => (8, "<i8"),
            ACL_UINT8 => (1, "|u1"),
            ACL_UINT16 => (2, "<u2"),
            ACL_UINT32 => (4, "<u4"),
            ACL_UINT64 => (8, "<u8"),
            ACL_BOOL => (1, "|b1"),
            ACL_COMPLEX64 => (8, "<c8"),
            ACL_COMPLEX128 => (16, "<c16"),
            _ => return None,
        })
    }

    /// From the first element to the end of the last one, in elements; `None` if that is more than any memory.
    pub(crate) fn span(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut axes = self.shape.iter().zip(&self.strides);
        axes.try_fold(1usize, |span, (&size, &stride)| span.checked_add(stride.checked_mul(size - 1)?))
    }

    /// The file of the tensor, whose memory starts with its first element.
    pub(super) fn file(&self, memory: &Memory) -> Result<Vec<u8>, Fault> {
        let (size, name) = self
            .element()
            .ok_or_else(|| Fault::new(format!("data type {} is none that NumPy has", self.data_type.0)))?;
        let bytes = memory.read::<u8>(0, memory.len())?;
        let mut file = header(name, &self.shape);
        for offset in offsets(&self.shape, &self.strides) {
            let element = bytes
                .get(offset * size..(offset + 1) * size)
                .ok_or_else(|| Fault::new(format!("element {offset} is not within {} bytes", bytes.len())))?;
            match (self.data_type, element) {
                (ACL_BF16, &[low, high]) => {
                    file.extend(bf16::from_le_bytes([low, high]).to_f32().to_le_bytes());
                }
                _ => file.extend(element),
            }
        }
        Ok(file)
    }
}

/// The beginning of a file, of version 1.0 of the format: its length is a multiple of 64 bytes.
fn header(name: &str, shape: &[usize]) -> Vec<u8> {
    const START: usize = 10;
    let shape: String = shape.iter().map(|size| format!("{size},")).collect();
    let mut text = format!("{{'descr': '{name}', 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (START + text.len() + 1).next_multiple_of(64) - START;
    text += &" ".repeat(length - 1 - text.len());
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((length as u16).to_le_bytes());
    header.extend(text.bytes());
    header
}
