//! The operation on a stream, timed, and its results beside the reference's.

use std::time::{Duration, Instant};

use ascendcl::{BackendKind, DataType, DeviceProperties, Runtime, TensorDesc};
use half::{bf16, f16};
use mlapo::call::Values;
use mlapo::reference::Order;
use mlapo::{Backend, Config, Dtype, SampleInputs, Weights};

use crate::call::{Call, Inputs};
use crate::failure::Failure;

/// What a run found.
pub struct Run {
    /// Number of the device.
    pub device: i32,
    pub properties: DeviceProperties,
    pub kind: BackendKind,
    /// What `backend` was resolved to.
    pub backend: Backend,
    pub inputs: Vec<(&'static str, TensorDesc)>,
    pub results: Vec<ResultTensor>,
    /// One for each iteration, ascending: from the call to the end of its work.
    pub times: Vec<Duration>,
    /// One for each iteration, ascending: between events on the stream.
    pub stream_times: Vec<Duration>,
}

/// An output or a cache after the run.
pub struct ResultTensor {
    pub name: &'static str,
    pub desc: TensorDesc,
    pub checksum: u64,
    /// Largest absolute difference from the reference.
    pub difference: f64,
}

impl Run {
    /// Sum of the results' checksums.
    pub fn checksum(&self) -> u64 {
        self.results.iter().fold(0, |sum, result| sum.wrapping_add(result.checksum))
    }

    /// The largest difference of the int8 results, or of the others; `None` if there are none of that kind.
    pub fn largest_difference(&self, int8: bool) -> Option<f64> {
        let results = self.results.iter().filter(|result| (result.desc.dtype() == DataType::Int8) == int8);
        results.map(|result| result.difference).reduce(f64::max)
    }
}

/// The middle of ascending times.
pub fn median(times: &[Duration]) -> Duration {
    let middle = times.len() / 2;
    match times {
        [] => Duration::ZERO,
        times if times.len() % 2 == 1 => times[middle],
        times => (times[middle - 1] + times[middle]) / 2,
    }
}

/// Runs the operation `iterations` times on device 0, and the reference once.
pub fn run(
    runtime: &Runtime,
    config: &Config,
    weights: &Weights,
    sample: SampleInputs,
    backend: Backend,
    iterations: u32,
    block_size: usize,
) -> Result<Run, Failure> {
    let device = runtime.device(0)?;
    let stream = device.stream()?;
    let tokens = sample.tokens;
    let inputs = Inputs::upload(&stream, config, sample)?;
    let mut call = Call::new(&stream, config, weights, backend, tokens, block_size)?;

    call.forward(&stream, &inputs)?;
    stream.synchronize()?;
    let (before, after) = (device.timing_event()?, device.timing_event()?);
    let (mut times, mut stream_times) = (Vec::new(), Vec::new());
    for _ in 0..iterations {
        stream.record(&before)?;
        let started = Instant::now();
        call.forward(&stream, &inputs)?;
        stream.record(&after)?;
        stream.synchronize()?;
        times.push(started.elapsed());
        stream_times.push(after.elapsed_since(&before)?);
    }
    times.sort();
    stream_times.sort();

    let by_reference = Backend::Reference(Order::Kernel);
    let mut reference = Call::new(&stream, config, weights, by_reference, tokens, block_size)?;
    reference.forward(&stream, &inputs)?;
    let mut results = Vec::new();
    for ((name, tensor), (_, expected)) in call.results().zip(reference.results()) {
        let values = Values::download(&stream, tensor)?;
        let expected = Values::download(&stream, expected)?;
        results.push(ResultTensor {
            name,
            desc: tensor.desc().clone(),
            checksum: values.checksum(),
            difference: largest_difference(&values, &expected, config.dtype),
        });
    }
    let Inputs { hidden, cos, sin, slots } = &inputs;
    let inputs = [("input", hidden), ("cos", cos), ("sin", sin), ("slot_mapping", slots.tensor())];
    Ok(Run {
        device: device.id(),
        properties: device.properties()?,
        kind: runtime.backend(),
        backend: call.operation.backend(),
        inputs: inputs.map(|(name, tensor)| (name, tensor.desc().clone())).to_vec(),
        results,
        times,
        stream_times,
    })
}

/// The largest absolute difference; infinite where only one side is finite.
fn largest_difference(values: &Values, expected: &Values, dtype: Dtype) -> f64 {
    fn largest<T: Copy + PartialEq>(a: &[T], b: &[T], value: impl Fn(T) -> f64) -> f64 {
        let pairs = a.iter().zip(b).filter(|(a, b)| a != b).map(|(a, b)| (value(*a), value(*b)));
        pairs.filter(|(a, b)| a != b).fold(0.0, |largest, (a, b)| {
            let difference = (a - b).abs();
            f64::max(largest, if difference.is_nan() { f64::INFINITY } else { difference })
        })
    }
    match (values, expected) {
        (Values::Int8(a), Values::Int8(b)) => largest(a, b, f64::from),
        (Values::Half(a), Values::Half(b)) => match dtype {
            Dtype::Fp16 => largest(a, b, |bits| f16::from_bits(bits).to_f64()),
            Dtype::Bf16 => largest(a, b, |bits| bf16::from_bits(bits).to_f64()),
        },
        _ => f64::INFINITY,
    }
}

/// The word of an element type.
pub fn type_word(dtype: DataType) -> String {
    match dtype {
        DataType::Float16 => "fp16".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        let times = [1, 2, 4, 90].map(Duration::from_secs);
        assert_eq!(median(&times), Duration::from_secs(3));
        assert_eq!(median(&times[..3]), Duration::from_secs(2));
        assert_eq!(median(&[]), Duration::ZERO);
    }

    #[test]
    fn differences_are_wide_and_not_finite_shows() {
        let int8 = |value| Values::Int8(vec![0, value]);
        assert_eq!(largest_difference(&int8(-128), &int8(127), Dtype::Bf16), 255.0);
        let half = |value: f32| Values::Half(vec![bf16::from_f32(value).to_bits(), 0]);
        assert_eq!(largest_difference(&half(1.5), &half(1.0), Dtype::Bf16), 0.5);
        assert_eq!(largest_difference(&half(f32::NAN), &half(1.0), Dtype::Bf16), f64::INFINITY);
        assert_eq!(largest_difference(&half(-0.0), &half(0.0), Dtype::Bf16), 0.0);
    }
}
