//! Random numbers by their index: element `i` of a sequence is the `i`-th output of SplitMix64.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A sequence of numbers that can be asked for in any order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence of its own for one purpose.
    pub(crate) fn fork(self, purpose: u64) -> Self {
        Self(self.bits(purpose))
    }

    pub(crate) fn bits(self, index: u64) -> u64 {
        let mut z = self.0.wrapping_add(index.wrapping_add(1).wrapping_mul(GAMMA));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn uniform(self, index: u64) -> f32 {
        (self.bits(index) >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Nearly normal with mean 0 and variance 1, within ±4.88: the standardised sum of eight bytes. Integer
    /// arithmetic and one multiplication, so that every machine has the same value.
    pub(crate) fn normal(self, index: u64) -> f32 {
        const LOW_BYTES: u64 = 0x00FF_00FF_00FF_00FF;
        let bits = self.bits(index);
        let pairs = (bits & LOW_BYTES) + ((bits >> 8) & LOW_BYTES);
        // The four 16-bit sums add up in the top lane: at most 8 * 255, no carry is lost.
        let sum = pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48;
        // Mean 8 * 127.5, variance 8 * (256^2 - 1) / 12.
        (sum as f32 - 1020.0) * (1.0 / 209.021_53)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of SplitMix64 for the seed 1234567, from the published reference implementation's
    /// test vectors.
    #[test]
    fn is_splitmix64() {
        let sequence = Sequence::new(1_234_567);
        let expected = [6_457_827_717_110_365_317u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|i| sequence.bits(i)), expected);
    }

    #[test]
    fn the_moments_are_those_of_a_normal_distribution() {
        const COUNT: u64 = 200_000;
        let values: Vec<f64> = (0..COUNT).map(|i| Sequence::new(9).normal(i).into()).collect();
        let moment = |k| values.iter().map(|v| v.powi(k)).sum::<f64>() / COUNT as f64;
        // Five standard errors of each moment; the sum of eight uniforms has kurtosis 3 - 1.2 / 8.
        assert!(moment(1).abs() < 0.012, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.016, "{}", moment(2));
        assert!((moment(4) - 2.85).abs() < 0.11, "{}", moment(4));
        assert!(values.iter().all(|v| v.abs() <= 4.89));
    }
}
