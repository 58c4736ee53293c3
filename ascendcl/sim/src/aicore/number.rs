//! Number formats of the vector unit: rounding, saturation, and functions that give the same bits on every host.

use super::abi::Round;

/// A binary floating-point format with an implicit leading bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// Bits of the significand with the leading one.
    precision: u32,
    /// Exponent of the smallest normal number.
    least_exponent: i32,
    /// The bits of infinity.
    infinity: u32,
}

pub(super) const F16: Format = Format { precision: 11, least_exponent: -14, infinity: 0x7c00 };
pub(super) const BF16: Format = Format { precision: 8, least_exponent: -126, infinity: 0x7f80 };
pub(super) const F32: Format = Format { precision: 24, least_exponent: -126, infinity: 0x7f80_0000 };

impl Format {
    const fn sign(self) -> u32 {
        // The formats fill 16 or 32 bits; the sign is the bit above infinity's exponent.
        (self.infinity | ((1 << (self.precision - 1)) - 1)) + 1
    }

    const fn nan(self) -> u32 {
        self.infinity | 1 << (self.precision - 2)
    }

    /// The bits of (-1)^`negative` * `magnitude` * 2^`exponent`, rounded once (Ascend C docs: precision
    /// conversion, table 1).
    ///
    /// What is too large becomes infinity, or the largest finite number where the mode rounds toward zero.
    pub(super) fn encode(self, negative: bool, magnitude: u64, exponent: i32, round: Round) -> u32 {
        let sign = if negative { self.sign() } else { 0 };
        if magnitude == 0 {
            return sign;
        }
        let stored = self.precision as i32 - 1;
        let top = 63 - magnitude.leading_zeros() as i32 + exponent;
        let least_quantum = self.least_exponent - stored;
        let quantum = top.max(self.least_exponent) - stored;
        let shift = quantum - exponent;
        let (kept, rest, half) = match shift {
            ..=0 => (magnitude << -shift, 0, 1),
            1..=63 => {
                let kept = magnitude >> shift;
                (kept, magnitude - (kept << shift), 1 << (shift - 1))
            }
            64 => (0, magnitude, 1 << 63),
            _ => (0, 1, 2),
        };
        let away = match round {
            Round::None | Round::Rint => rest > half || (rest == half && kept & 1 == 1),
            Round::Floor => negative && rest != 0,
            Round::Ceil => !negative && rest != 0,
            Round::Round => rest >= half,
            Round::Trunc => false,
            Round::Odd => rest != 0 && kept & 1 == 0,
        };
        let scale = (quantum - least_quantum) as u64;
        let bits = (scale << stored) + kept + u64::from(away);
        let largest = u64::from(self.infinity) - 1;
        let toward_zero = match round {
            Round::None | Round::Rint | Round::Round => false,
            Round::Trunc | Round::Odd => true,
            Round::Floor => !negative,
            Round::Ceil => negative,
        };
        let limit = if toward_zero { largest } else { u64::from(self.infinity) };
        sign | bits.min(limit) as u32
    }

    /// The bits of a number, rounded once.
    pub(super) fn encode_f32(self, value: f32, round: Round) -> u32 {
        let bits = value.to_bits();
        let negative = bits >> 31 != 0;
        if value.is_nan() {
            return self.nan();
        }
        if value.is_infinite() {
            return self.infinity | if negative { self.sign() } else { 0 };
        }
        let field = (bits >> 23 & 0xff) as i32;
        let fraction = u64::from(bits & 0x7f_ffff);
        let magnitude = if field == 0 { fraction } else { fraction | 1 << 23 };
        self.encode(negative, magnitude, field.max(1) - 150, round)
    }

    /// The bits of an integer, rounded once.
    pub(super) fn encode_integer(self, value: i64, round: Round) -> u32 {
        self.encode(value < 0, value.unsigned_abs(), 0, round)
    }
}

/// Rounds to an integer.
pub(super) fn round_to_integer(value: f32, round: Round) -> f32 {
    match round {
        Round::None | Round::Rint => value.round_ties_even(),
        Round::Floor => value.floor(),
        Round::Ceil => value.ceil(),
        Round::Round => value.round(),
        Round::Trunc => value.trunc(),
        Round::Odd => {
            let below = value.floor();
            if below == value || below % 2.0 != 0.0 { below } else { below + 1.0 }
        }
    }
}

/// The one pattern for what is not a number: hosts differ in the sign that they give it.
#[inline(always)]
pub(super) fn canonical(value: f32) -> f32 {
    if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value }
}

/// Larger than any sum of a number and a half, so that adding it rounds to an integer (2^52 + 2^51).
const INTEGER: f64 = 6_755_399_441_055_744.0;
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

/// e^x in f64 arithmetic, rounded to f32; the error before the last rounding is below 2^-45.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r by its series to r^11.
#[inline(always)]
pub(super) fn exp(value: f32) -> f32 {
    const COEFFICIENTS: [f64; 12] = [
        1.0,
        1.0,
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5040.0,
        1.0 / 40320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
        1.0 / 39_916_800.0,
    ];
    // Outside, f32 has only zero and infinity.
    let x = f64::from(value).clamp(-200.0, 200.0);
    let shifted = x * std::f64::consts::LOG2_E + INTEGER;
    let n = shifted - INTEGER;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut sum = 0.0;
    for coefficient in COEFFICIENTS.iter().rev() {
        sum = sum * r + coefficient;
    }
    // The low bits of `shifted` hold n.
    let power = f64::from_bits((shifted.to_bits().wrapping_add(1023) & 0x7ff) << 52);
    (sum * power) as f32
}

/// The natural logarithm in f64 arithmetic, rounded to f32; the error before the last rounding is below 2^-45.
///
/// x = m 2^e with m around 1, and ln m = 2 artanh((m - 1) / (m + 1)) by its series.
#[inline(always)]
pub(super) fn ln(value: f32) -> f32 {
    let x = f64::from(value);
    // Every positive f32 is a normal f64. Counted from sqrt(1/2), the exponent is that of the nearest power.
    let offset = x.to_bits().wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits());
    let e = offset as i64 >> 52;
    let m = f64::from_bits(x.to_bits().wrapping_sub((e as u64) << 52));
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for k in (0..11).rev() {
        sum = sum * square + 1.0 / f64::from(2 * k + 1);
    }
    let e = e as f64;
    let result = (e * LN_2_HIGH + (e * LN_2_LOW + 2.0 * s * sum)) as f32;
    if value > 0.0 && value < f32::INFINITY {
        result
    } else if value == 0.0 {
        f32::NEG_INFINITY
    } else if value == f32::INFINITY {
        value
    } else {
        f32::NAN
    }
}

/// 1 / sqrt(x), rounded from f64 to f32.
#[inline(always)]
pub(super) fn reciprocal_square_root(value: f32) -> f32 {
    (1.0 / f64::from(value).sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use proptest::prelude::*;

    /// All finite values of a format that are not negative, by their definition, in the order of their bits.
    fn values(format: Format) -> Vec<f64> {
        let stored = format.precision - 1;
        (0..format.infinity)
            .map(|bits| {
                let fraction = f64::from(bits & ((1 << stored) - 1)) / f64::from(1u32 << stored);
                let field = bits >> stored;
                if field == 0 {
                    fraction * 2f64.powi(format.least_exponent)
                } else {
                    (1.0 + fraction) * 2f64.powi(format.least_exponent + field as i32 - 1)
                }
            })
            .collect()
    }

    /// The neighbor that the mode asks for, found by search among all values.
    fn nearest(values: &[f64], format: Format, value: f64, round: Round) -> u32 {
        let sign = if value.is_sign_negative() { format.sign() } else { 0 };
        let magnitude = value.abs();
        let low = values.partition_point(|v| *v <= magnitude) - 1;
        let last = values.len() - 1;
        if values[low] == magnitude {
            return sign | low as u32;
        }
        // Beyond the largest, the next value would be as far as the last one before.
        let next = if low == last { 2.0 * values[last] - values[last - 1] } else { values[low + 1] };
        let middle = (values[low] + next) / 2.0;
        let beyond = magnitude >= next;
        let up = match round {
            Round::None | Round::Rint => {
                beyond || magnitude > middle || (magnitude == middle && low % 2 == 1)
            }
            Round::Floor => value < 0.0,
            Round::Ceil => value > 0.0,
            Round::Round => beyond || magnitude >= middle,
            Round::Trunc => false,
            Round::Odd => low % 2 == 0,
        };
        sign | (low + usize::from(up)) as u32
    }

    proptest! {
        #[test]
        fn narrowing_picks_the_neighbor_of_the_mode(bits in any::<u32>(), half in any::<u16>(), tie in 0u32..3) {
            static HALVES: LazyLock<Vec<f64>> = LazyLock::new(|| values(F16));
            static BRAINS: LazyLock<Vec<f64>> = LazyLock::new(|| values(BF16));
            // Anything, values near and at ties of fp16, and in its range.
            let scaled = f32::from_bits(half::f16::from_bits(half).to_f32().to_bits().wrapping_add(tie << 12));
            for value in [f32::from_bits(bits), scaled, f32::from_bits(u32::from(half) << 16 | tie << 15)] {
                for round in Round::ALL {
                    for (format, values) in [(F16, &HALVES), (BF16, &BRAINS)] {
                        let got = format.encode_f32(value, *round);
                        let expected = if value.is_nan() {
                            format.nan()
                        } else if value.is_infinite() {
                            format.infinity | if value < 0.0 { format.sign() } else { 0 }
                        } else {
                            nearest(values, format, f64::from(value), *round)
                        };
                        prop_assert_eq!(got, expected, "{} {:?}", value, round);
                    }
                }
            }
        }

        #[test]
        fn integers_round_to_f32_by_mode(value in any::<i64>(), shift in 0u32..63) {
            let value = value >> shift;
            let exact = i128::from(value);
            // The nearest by the host's conversion; its neighbors bracket the exact value.
            let near = value as f32;
            prop_assert_eq!(F32.encode_integer(value, Round::Rint), near.to_bits());
            let floor = f32::from_bits(F32.encode_integer(value, Round::Floor));
            let ceil = f32::from_bits(F32.encode_integer(value, Round::Ceil));
            prop_assert!(floor as i128 <= exact && exact <= ceil as i128);
            prop_assert!(near == floor || near == ceil);
            prop_assert!(floor == ceil || floor.next_up() == ceil);
            let trunc = f32::from_bits(F32.encode_integer(value, Round::Trunc));
            prop_assert_eq!(trunc, if value < 0 { ceil } else { floor });
            let round = f32::from_bits(F32.encode_integer(value, Round::Round));
            let below = exact - floor as i128;
            let above = ceil as i128 - exact;
            let expected = match below.cmp(&above) {
                std::cmp::Ordering::Less => floor,
                std::cmp::Ordering::Greater => ceil,
                std::cmp::Ordering::Equal => if value < 0 { floor } else { ceil },
            };
            prop_assert_eq!(round, expected);
        }

        #[test]
        fn exp_and_ln_agree_with_the_host(bits in any::<u32>(), small in -100f32..100.0) {
            for value in [f32::from_bits(bits), small] {
                for (got, expected) in [
                    (exp(value), f64::from(value).exp() as f32),
                    (ln(value), f64::from(value).ln() as f32),
                ] {
                    // A difference before the rounding can only show at a tie of f32.
                    let close = got == expected
                        || (got.is_nan() && expected.is_nan())
                        || got.next_up() == expected
                        || got.next_down() == expected;
                    prop_assert!(close, "{}: {} {}", value, got, expected);
                }
            }
        }
    }

    #[test]
    fn functions_have_the_limits_of_ieee() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f32::NEG_INFINITY);
        assert_eq!(ln(-0.0), f32::NEG_INFINITY);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!(ln(-1.0).is_nan() && ln(f32::NAN).is_nan());
        assert_eq!(reciprocal_square_root(4.0), 0.5);
        assert_eq!(reciprocal_square_root(0.0), f32::INFINITY);
    }
}
