//! Random numbers, as `aclrtRandomNumAsync` makes them.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
//! 2011), which AscendCL documents with a counter of 128 bits. Its key is the seed, low word first; its counter
//! is the 16 bytes at `randomCounterAddr`, little-endian, and counts up by one for every four words. The counter
//! in memory is read and not changed, so equal tasks give equal numbers. Words become numbers in order:
//!
//! * **uniform**, floating point: one word `w` each, `min + (max - min) * (w >> 8) / 2^24` in single precision, then
//!   rounded to the type, which may give `max`;
//! * **uniform**, integers: `min + w mod (max - min)`, so `max` never; a number of 64 bits takes two words, the low
//!   one first;
//! * **normal**: two words `a`, `b` give two numbers (Box and Muller), `mean + stddev * r * cos(t)` and the same with
//!   `sin(t)`, where `r = sqrt(-2 ln((a + 1) / 2^32))` and `t = 2 pi b / 2^32`, in double precision;
//! * **truncated normal**: as normal, without the numbers that are two `stddev` or more from `mean`;
//! * **dropout bitmask**: one word each, a bit that is 1 (kept) unless `w / 2^32` is less than the ratio; the first
//!   number is the lowest bit of the first byte, and the last byte is filled up with zeros.
//!
//! The documents leave open how the device maps words to numbers, so its numbers are other ones.

use std::sync::Weak;

use ascendcl_sys::{
    ACL_BF16, ACL_FLOAT, ACL_FLOAT16, ACL_INT32, ACL_INT64, ACL_UINT32, ACL_UINT64, aclDataType,
};
use half::{bf16, f16};

use crate::device::Device;
use crate::error::{Result, misuse};
use crate::simulator::{self, Simulator};
use crate::transfer::Place;

/// The generator.
struct Philox {
    key: [u32; 2],
    counter: u128,
    words: [u32; 4],
    /// How many of the words are used.
    used: usize,
}

impl Philox {
    fn new(seed: u64, counter: u128) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], counter, words: [0; 4], used: 4 }
    }

    fn word(&mut self) -> u32 {
        if self.used == self.words.len() {
            self.words = self.block();
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    fn block(&self) -> [u32; 4] {
        let multiply = |a: u32, b: u32| {
            let product = u64::from(a) * u64::from(b);
            ((product >> 32) as u32, product as u32)
        };
        let mut x = [0, 32, 64, 96].map(|shift| (self.counter >> shift) as u32);
        let mut key = self.key;
        for _ in 0..10 {
            let (high0, low0) = multiply(0xd251_1f53, x[0]);
            let (high1, low1) = multiply(0xcd9e_8d57, x[2]);
            x = [high1 ^ x[1] ^ key[0], low1, high0 ^ x[3] ^ key[1], low0];
            key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
        }
        x
    }

    /// Two numbers of the standard normal distribution.
    fn normals(&mut self) -> [f64; 2] {
        const SCALE: f64 = 1.0 / 4_294_967_296.0;
        let radius = (-2.0 * ((f64::from(self.word()) + 1.0) * SCALE).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * f64::from(self.word()) * SCALE).sin_cos();
        [radius * cosine, radius * sine]
    }
}

/// A value of a task, or where it will be when the task runs.
#[derive(Clone)]
pub(crate) enum Parameter {
    /// In the lowest bytes.
    Value([u8; 8]),
    At {
        place: Place,
        width: usize,
    },
}

impl Parameter {
    fn read(&self) -> Result<[u8; 8]> {
        match self {
            Self::Value(bytes) => Ok(*bytes),
            Self::At { place, width } => {
                let mut bytes = [0; 8];
                place.read_at(0, &mut bytes[..*width])?;
                Ok(bytes)
            }
        }
    }

    fn read_word(&self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.read()?))
    }
}

/// What the numbers are.
pub(crate) enum Distribution {
    Uniform { min: Parameter, max: Parameter },
    Normal { mean: Parameter, deviation: Parameter, is_truncated: bool },
    DropoutMask { ratio: Parameter },
}

/// A task that makes numbers.
pub(crate) struct Random {
    pub data_type: aclDataType,
    pub distribution: Distribution,
    pub seed: Parameter,
    pub count: Parameter,
    /// The 16 bytes of the counter.
    pub counter: Place,
    pub result: usize,
    pub simulator: Weak<Simulator>,
}

/// The bytes of a number of a type that there are random numbers of.
pub(crate) fn width(data_type: aclDataType) -> Option<usize> {
    Some(match data_type {
        ACL_BF16 | ACL_FLOAT16 => 2,
        ACL_FLOAT | ACL_INT32 | ACL_UINT32 => 4,
        ACL_INT64 | ACL_UINT64 => 8,
        _ => return None,
    })
}

/// Whether a type is one of floating point.
pub(crate) fn is_float(data_type: aclDataType) -> bool {
    matches!(data_type, ACL_BF16 | ACL_FLOAT16 | ACL_FLOAT)
}

impl Random {
    /// The place of the result, if it has room for so many numbers.
    pub(crate) fn target(&self, simulator: &Simulator, device: &Device, count: u64) -> Result<Place> {
        let bytes = match self.distribution {
            Distribution::DropoutMask { .. } => Some(count.div_ceil(8)),
            _ => width(self.data_type).and_then(|width| count.checked_mul(width as u64)),
        };
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|&bytes| bytes > 0);
        let bytes = bytes.ok_or_else(|| {
            misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{count} random numbers are none, or more than any memory has"
            )
        })?;
        let place = Place::find(simulator, device, self.result, bytes)?;
        if !place.is_device() {
            return Err(misuse!(
                ACL_ERROR_RT_INVALID_MEMORY_TYPE,
                "the result, {:#x}, is not device memory",
                self.result
            ));
        }
        Ok(place)
    }

    pub(crate) fn run(&self, device: &Device) -> Result {
        let simulator = self.simulator.upgrade().map_or_else(simulator::get, Ok)?;
        let count = self.count.read_word()?;
        let target = self.target(&simulator, device, count)?;
        let mut counter = [0; 16];
        self.counter.read_at(0, &mut counter)?;
        let mut philox = Philox::new(self.seed.read_word()?, u128::from_le_bytes(counter));
        target.write(&self.numbers(&mut philox, count as usize)?)
    }

    fn numbers(&self, philox: &mut Philox, count: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &self.distribution {
            Distribution::Uniform { min, max } if is_float(self.data_type) => {
                let (min, max) = (self.float(min)?, self.float(max)?);
                if min > max || min.is_nan() || max.is_nan() {
                    return Err(misuse!(
                        ACL_ERROR_RT_PARAM_INVALID,
                        "there is no number from {min} to {max}"
                    ));
                }
                for _ in 0..count {
                    let fraction = (philox.word() >> 8) as f32 / 16_777_216.0;
                    self.push(&mut bytes, f64::from(min + (max - min) * fraction));
                }
            }
            Distribution::Uniform { min, max } => self.integers(philox, (min, max), count, &mut bytes)?,
            Distribution::Normal { mean, deviation, is_truncated } => {
                let (mean, deviation) = (f64::from(self.float(mean)?), f64::from(self.float(deviation)?));
                let mut left = count;
                while left > 0 {
                    for number in philox.normals() {
                        if left > 0 && !(*is_truncated && number.abs() >= 2.0) {
                            self.push(&mut bytes, mean + deviation * number);
                            left -= 1;
                        }
                    }
                }
            }
            Distribution::DropoutMask { ratio } => {
                let ratio = f64::from(self.float(ratio)?);
                if !(0.0..=1.0).contains(&ratio) {
                    return Err(misuse!(
                        ACL_ERROR_RT_PARAM_INVALID,
                        "a ratio is within 0 and 1, not {ratio}"
                    ));
                }
                bytes.resize(count.div_ceil(8), 0);
                for index in 0..count {
                    let is_kept = f64::from(philox.word()) / 4_294_967_296.0 >= ratio;
                    bytes[index / 8] |= u8::from(is_kept) << (index % 8);
                }
            }
        }
        Ok(bytes)
    }

    fn integers(
        &self,
        philox: &mut Philox,
        (min, max): (&Parameter, &Parameter),
        count: usize,
        bytes: &mut Vec<u8>,
    ) -> Result {
        let value = |parameter: &Parameter| -> Result<i128> {
            let word = parameter.read_word()?;
            Ok(match self.data_type {
                ACL_INT32 => i128::from(word as i32),
                ACL_UINT32 => i128::from(word as u32),
                ACL_INT64 => i128::from(word.cast_signed()),
                _ => i128::from(word),
            })
        };
        let (min, max) = (value(min)?, value(max)?);
        if min >= max {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "there is no number from {min} to {max}, which is excluded"
            ));
        }
        let width = width(self.data_type).unwrap_or(0);
        for _ in 0..count {
            let low = i128::from(philox.word());
            let high = if width == 8 { i128::from(philox.word()) << 32 } else { 0 };
            let number = min + (high | low) % (max - min);
            bytes.extend_from_slice(&number.to_le_bytes()[..width]);
        }
        Ok(())
    }

    fn float(&self, parameter: &Parameter) -> Result<f32> {
        let word = parameter.read_word()?;
        Ok(match self.data_type {
            ACL_FLOAT16 => f16::from_bits(word as u16).to_f32(),
            ACL_BF16 => bf16::from_bits(word as u16).to_f32(),
            _ => f32::from_bits(word as u32),
        })
    }

    fn push(&self, bytes: &mut Vec<u8>, number: f64) {
        match self.data_type {
            ACL_FLOAT16 => bytes.extend_from_slice(&f16::from_f64(number).to_le_bytes()),
            ACL_BF16 => bytes.extend_from_slice(&bf16::from_f64(number).to_le_bytes()),
            _ => bytes.extend_from_slice(&(number as f32).to_le_bytes()),
        }
    }
}
