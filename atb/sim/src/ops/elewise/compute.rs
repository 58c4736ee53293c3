//! What is done to the elements.

use ascendcl_sim::operator::Fault;
use ascendcl_sys::{ACL_FLOAT16, ACL_INT8, ACL_INT32, ACL_INT64};
use rayon::prelude::*;

use super::{Elewise, Kind, broadcast, is_whole};
use crate::arithmetic::quantize::largest;
use crate::arithmetic::round::{half, half_to_i8};
use crate::ops::shape::product;
use crate::tensor::Operand;

/// Below this a row counts as zeros (ATB's `dynamic_quant_util.h`).
const LEAST_MAXIMUM: f32 = 1e-12;

impl Elewise {
    pub(super) fn compute(&self, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> Result<(), Fault> {
        let (x, y) = (&inputs[0], &outputs[0]);
        match self.kind {
            Kind::Cast => cast(x, y),
            Kind::Muls => {
                let factor = self.param.var_attr;
                let factor = if x.desc.dtype == ACL_FLOAT16 { half(factor) } else { factor };
                map(x, y, |x| x * factor)
            }
            Kind::Cos => map(x, y, |x| f64::from(x).cos() as f32),
            Kind::Sin => map(x, y, |x| f64::from(x).sin() as f32),
            Kind::Tanh => map(x, y, |x| f64::from(x).tanh() as f32),
            Kind::Neg => map(x, y, |x| -x),
            Kind::LogicalNot => {
                let values = x.memory.read::<i8>(0, x.len())?;
                y.memory.write(0, &values.into_iter().map(|x| i8::from(x == 0)).collect::<Vec<_>>())
            }
            Kind::Quant => {
                let (scale, offset) = (half(self.param.input_scale), half(self.param.input_offset as f32));
                let quantise = |x: f32| half_to_i8(half(half(x * scale) + offset));
                y.memory.write(0, &x.to_f32()?.into_par_iter().map(quantise).collect::<Vec<i8>>())
            }
            Kind::QuantPerChannel => quantise_channels(inputs, y),
            Kind::DequantPerChannel => dequantise_channels(inputs, y),
            Kind::DynamicQuant => quantise_rows(x, outputs),
            _ => self.compute_pairs(inputs, y),
        }
    }

    fn compute_pairs(&self, inputs: &[Operand<'_>], y: &Operand<'_>) -> Result<(), Fault> {
        let kind = self.kind;
        if is_whole(inputs[0].desc.dtype) {
            let narrow = inputs[0].desc.dtype == ACL_INT32;
            let pairs = pairs(inputs, &whole(&inputs[0])?, &whole(&inputs[1])?)?;
            let values: Vec<i64> = pairs
                .into_iter()
                .map(|(a, b)| match kind {
                    Kind::Add if narrow => i64::from((a as i32).wrapping_add(b as i32)),
                    Kind::Add => a.wrapping_add(b),
                    Kind::Sub => a.wrapping_sub(b),
                    Kind::LogicalAnd => i64::from(a != 0 && b != 0),
                    Kind::LogicalOr => i64::from(a != 0 || b != 0),
                    Kind::Less => i64::from(a < b),
                    _ => i64::from(a > b),
                })
                .collect();
            return write_whole(y, &values);
        }
        let pairs = pairs(inputs, &inputs[0].to_f32()?, &inputs[1].to_f32()?)?.into_iter();
        let values: Vec<f32> = match kind {
            Kind::Less | Kind::Greater | Kind::Equal => {
                let values = pairs.map(|(a, b)| {
                    i64::from(match kind {
                        Kind::Less => a < b,
                        Kind::Greater => a > b,
                        _ => a == b,
                    })
                });
                return write_whole(y, &values.collect::<Vec<_>>());
            }
            Kind::Add => pairs.map(|(a, b)| a + b).collect(),
            Kind::Sub => pairs.map(|(a, b)| a - b).collect(),
            Kind::Mul => pairs.map(|(a, b)| a * b).collect(),
            _ => pairs.map(|(a, b)| a / b).collect(),
        };
        y.write_f32(0, &values)
    }
}

fn map(x: &Operand<'_>, y: &Operand<'_>, function: impl Fn(f32) -> f32 + Sync + Send) -> Result<(), Fault> {
    y.write_f32(0, &x.to_f32()?.into_par_iter().map(function).collect::<Vec<f32>>())
}

fn cast(x: &Operand<'_>, y: &Operand<'_>) -> Result<(), Fault> {
    if is_whole(x.desc.dtype) { write_whole(y, &whole(x)?) } else { y.write_f32(0, &x.to_f32()?) }
}

/// Whole numbers of any type.
fn whole(operand: &Operand<'_>) -> Result<Vec<i64>, Fault> {
    let len = operand.len();
    Ok(match operand.desc.dtype {
        ACL_INT64 => operand.memory.read(0, len)?,
        ACL_INT32 => operand.memory.read::<i32>(0, len)?.into_iter().map(i64::from).collect(),
        _ => operand.memory.read::<i8>(0, len)?.into_iter().map(i64::from).collect(),
    })
}

/// Writes whole numbers; to int32, what does not fit saturates.
fn write_whole(operand: &Operand<'_>, values: &[i64]) -> Result<(), Fault> {
    let clamped = |value: &i64| (*value).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    match operand.desc.dtype {
        ACL_INT64 => operand.memory.write(0, values),
        ACL_INT32 => operand.memory.write(0, &values.iter().map(clamped).collect::<Vec<i32>>()),
        ACL_INT8 => operand.memory.write(0, &values.iter().map(|value| *value as i8).collect::<Vec<i8>>()),
        other => Err(Fault::new(format!("Elewise: no whole numbers can be written as type {}", other.0))),
    }
}

/// The pairs of elements of two tensors, for each element of their common shape.
fn pairs<T: Copy>(inputs: &[Operand<'_>], a: &[T], b: &[T]) -> Result<Vec<(T, T)>, Fault> {
    let (left, right) = (&inputs[0].desc.shape, &inputs[1].desc.shape);
    let shape = broadcast(left, right).map_err(|refusal| Fault::new(refusal.message))?;
    let places = positions(&shape, left).zip(positions(&shape, right));
    Ok(places.map(|(left, right)| (a[left], b[right])).collect())
}

/// Where the elements of `shape` are in a tensor that is stretched to it.
fn positions(shape: &[i64], stretched: &[i64]) -> impl Iterator<Item = usize> + use<> {
    let missing = shape.len() - stretched.len();
    let mut dims: Vec<(usize, usize)> = Vec::new();
    for (index, size) in shape.iter().enumerate() {
        let own = index.checked_sub(missing);
        let stride = match own {
            Some(own) if stretched[own] != 1 => product(&stretched[own + 1..]),
            _ => 0,
        };
        dims.push((product(&[*size]), stride));
    }
    (0..product(shape)).map(move |mut rest| {
        let mut position = 0;
        for (size, stride) in dims.iter().rev() {
            position += rest % size * stride;
            rest /= size;
        }
        position
    })
}

/// Scales and offsets for the elements: of one length, which is repeated.
fn channels(inputs: &[Operand<'_>]) -> Result<(Vec<f32>, Vec<f32>), Fault> {
    let scales = inputs[1].to_f32()?;
    let offsets = if inputs[2].is_none() { vec![0.0; scales.len()] } else { inputs[2].to_f32()? };
    let count = inputs[0].len();
    if scales.is_empty() || offsets.len() != scales.len() || !count.is_multiple_of(scales.len()) {
        return Err(Fault::new(format!(
            "Elewise: {count} elements are no rows of {} scales and {} offsets",
            scales.len(),
            offsets.len()
        )));
    }
    Ok((scales, offsets))
}

fn quantise_channels(inputs: &[Operand<'_>], y: &Operand<'_>) -> Result<(), Fault> {
    let (scales, offsets) = channels(inputs)?;
    let narrow = inputs[0].desc.dtype == ACL_FLOAT16;
    let single = scales.len() == 1;
    let quotient = |x: f32, scale: f32| match (single, narrow) {
        (true, true) => x * half(1.0 / scale),
        (true, false) => x * (1.0 / scale),
        (false, _) => x / scale,
    };
    let x = inputs[0].to_f32()?;
    let values: Vec<i8> = x
        .par_chunks(scales.len())
        .flat_map_iter(|row| {
            row.iter()
                .zip(scales.iter().zip(&offsets))
                .map(move |(x, (scale, offset))| half_to_i8(half(half(quotient(*x, *scale)) + offset)))
        })
        .collect();
    y.memory.write(0, &values)
}

fn dequantise_channels(inputs: &[Operand<'_>], y: &Operand<'_>) -> Result<(), Fault> {
    let (scales, offsets) = channels(inputs)?;
    let values = inputs[0].to_f32()?;
    let values: Vec<f32> = values
        .iter()
        .zip(scales.iter().zip(&offsets).cycle())
        .map(|(value, (scale, offset))| half(value - offset) * scale)
        .collect();
    y.write_f32(0, &values)
}

fn quantise_rows(x: &Operand<'_>, outputs: &[Operand<'_>]) -> Result<(), Fault> {
    let columns = x.dim(x.desc.shape.len().saturating_sub(1)).max(1);
    let narrow = x.desc.dtype == ACL_FLOAT16;
    let values = x.to_f32()?;
    let rows: Vec<(Vec<i8>, f32)> = values
        .par_chunks(columns)
        .map(|row| {
            let maximum = largest(row);
            let factor = if maximum <= LEAST_MAXIMUM { 0.0 } else { 127.0 / maximum };
            let factor = if narrow { half(factor) } else { factor };
            let quantise = |x: &f32| half(x * factor).round().clamp(-128.0, 127.0) as i8;
            (row.iter().map(quantise).collect(), maximum * (1.0 / 127.0))
        })
        .collect();
    outputs[0].memory.write(0, &rows.iter().flat_map(|(row, _)| row.iter().copied()).collect::<Vec<i8>>())?;
    outputs[1].memory.write(0, &rows.iter().map(|(_, scale)| *scale).collect::<Vec<f32>>())
}
