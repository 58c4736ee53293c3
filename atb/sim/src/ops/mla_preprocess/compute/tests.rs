//! The whole chain in f64, by its definition and with dense arrays: what is left between the two is rounding.

use super::*;
use crate::ops::harness::{Tensor, noise};
use crate::ops::mla_preprocess::CACHE_KROPE_CTKV;
use crate::tensor::TensorDesc;
use ascendcl_sys::{ACL_INT8, ACL_INT32, ACL_INT64};

const TOKENS: usize = 3;
const HEADS: usize = 2;
const HIDDEN: usize = 256;
const BLOCKS: usize = 2;
const BLOCK_SIZE: usize = 128;
const SLOTS_OF_TOKENS: [i32; TOKENS] = [130, -1, 7];

/// Inputs by name, as numbers.
struct Case {
    dtype: aclDataType,
    cache_mode: u8,
    per_token: bool,
    tensors: Vec<Tensor>,
}

fn int8(seed: u32, len: usize) -> Vec<i8> {
    noise(seed, len, 127.0).into_iter().map(|x| x as i8).collect()
}

/// Rows of FRACTAL_NZ with this many elements in a block, rows being a multiple of 16.
fn fractals<T: Copy + Default>(values: &[T], rows: usize, columns: usize, block: usize) -> Vec<T> {
    let mut stored = vec![T::default(); values.len()];
    for row in 0..rows {
        for column in 0..columns {
            stored[column / block * rows * block + row * block + column % block] =
                values[row * columns + column];
        }
    }
    stored
}

fn weight(seed: u32, n: usize, k: usize) -> Tensor {
    let stored = fractals(&int8(seed, n * k), n, k, 32);
    Tensor::new(TensorDesc::nz(ACL_INT8, &[1, (k / 32) as i64, n as i64, 32]), &stored)
}

impl Case {
    fn new(dtype: aclDataType, cache_mode: u8, per_token: bool, nz_wuk: bool) -> Self {
        let floats = |seed: u32, len: usize, from: f32, to: f32| {
            let values: Vec<f32> =
                noise(seed, len, 1.0).into_iter().map(|x| from + (to - from) * (x + 1.0) / 2.0).collect();
            Tensor::floats(dtype, &[len as i64], &values)
        };
        let descale = |seed: u32, n: usize, scale: f32| {
            let values: Vec<f32> = noise(seed, n, 1.0).into_iter().map(|x| scale * (1.5 + x)).collect();
            if dtype == ACL_FLOAT16 && !per_token {
                let words: Vec<i64> = values.iter().map(|value| i64::from(value.to_bits())).collect();
                Tensor::nd(ACL_INT64, &[n as i64], &words)
            } else {
                Tensor::floats(ACL_FLOAT, &[n as i64], &values)
            }
        };
        let bias = |seed: u32, n: usize, limit: f32| {
            let values: Vec<i32> = noise(seed, n, limit).into_iter().map(|x| x as i32).collect();
            Tensor::nd(ACL_INT32, &[n as i64], &values)
        };
        let scale =
            |value: f32| if per_token { Tensor::none() } else { Tensor::floats(dtype, &[1], &[value]) };
        let offset =
            |value: i8| if per_token { Tensor::none() } else { Tensor::nd(ACL_INT8, &[1], &[value]) };
        let optional = |tensor: Tensor| if per_token { Tensor::none() } else { tensor };
        let descales = if per_token { [6e-4, 1.2e-3] } else { [3e-5, 5e-5] };
        let wuk = Tensor::floats(dtype, &[2, 128, 512], &noise(18, HEADS * NOPE * LATENT, 0.15));
        let wuk = if nz_wuk {
            let values = wuk.values::<u16>();
            let stored: Vec<u16> =
                values.chunks(NOPE * LATENT).flat_map(|head| fractals(head, NOPE, LATENT, 16)).collect();
            Tensor::new(TensorDesc::nz(dtype, &[2, 32, 128, 16]), &stored)
        } else {
            wuk
        };
        let int8_cache = cache_mode == CACHE_INT8_NZ;
        let (width, second) = if cache_mode == CACHE_KV { (LATENT + ROPE, 0) } else { (LATENT, ROPE) };
        let cache = |seed: u8, width: usize, size: usize| -> Tensor {
            let bytes: Vec<u8> = (0..BLOCKS * BLOCK_SIZE * width * size).map(|i| i as u8 ^ seed).collect();
            let dtype = if size == 1 { ACL_INT8 } else { dtype };
            let shape: &[i64] =
                &[BLOCKS as i64, (width * size / 32) as i64, BLOCK_SIZE as i64, 32 / size as i64];
            let desc = if [CACHE_INT8_NZ, CACHE_NZ].contains(&cache_mode) {
                TensorDesc::nz(dtype, shape)
            } else {
                TensorDesc::nd(dtype, &[BLOCKS as i64, BLOCK_SIZE as i64, 1, width as i64])
            };
            Tensor::new(desc, &bytes)
        };
        let tensors = vec![
            Tensor::floats(dtype, &[TOKENS as i64, HIDDEN as i64], &noise(1, TOKENS * HIDDEN, 2.0)),
            floats(2, HIDDEN, 0.4, 1.6),
            floats(3, HIDDEN, -0.5, 0.5),
            scale(0.05),
            offset(-6),
            weight(5, DOWN, HIDDEN),
            descale(6, DOWN, descales[0]),
            optional(bias(7, DOWN, 30_000.0)),
            floats(8, QUERY_LATENT, 0.4, 1.6),
            floats(9, QUERY_LATENT, -0.5, 0.5),
            scale(0.06),
            offset(5),
            weight(12, HEADS * HEAD, QUERY_LATENT),
            descale(13, HEADS * HEAD, descales[1] / 2.0),
            optional(bias(14, HEADS * HEAD, 12_000.0)),
            floats(15, LATENT, 0.4, 1.6),
            floats(16, TOKENS * ROPE, -1.0, 1.0),
            floats(17, TOKENS * ROPE, -1.0, 1.0),
            wuk,
            cache(0x33, width, if int8_cache { 1 } else { 2 }),
            if second == 0 { Tensor::none() } else { cache(0x77, second, 2) },
            Tensor::nd(ACL_INT32, &[TOKENS as i64], &SLOTS_OF_TOKENS),
            if int8_cache { Tensor::floats(dtype, &[1], &[0.046]) } else { Tensor::none() },
            if int8_cache { Tensor::floats(dtype, &[2], &[20.0, 24.0]) } else { Tensor::none() },
        ];
        Self { dtype, cache_mode, per_token, tensors }
    }

    fn call(&self) -> Call {
        Call {
            cache_mode: self.cache_mode,
            quant_mode: if self.per_token { QUANT_PER_TOKEN } else { 0 },
            epsilon: 1e-6,
            tokens: TOKENS,
            heads: HEADS,
            hidden: HIDDEN,
            block_size: BLOCK_SIZE,
        }
    }

    /// The outputs: query, cache, and the rotary parts of both if they are apart.
    fn run(&self) -> Vec<Tensor> {
        let query = |dtype: aclDataType, width: i64| Tensor::blank(TensorDesc::nd(dtype, &[3, 2, width]));
        let cache = |input: usize| {
            let tensor = &self.tensors[input];
            Tensor::new(tensor.desc.clone(), &tensor.values::<u8>())
        };
        let outputs = match self.cache_mode {
            CACHE_KV => vec![query(self.dtype, 576), cache(19)],
            mode => {
                let dtype = if mode == CACHE_INT8_NZ { ACL_INT8 } else { self.dtype };
                vec![query(dtype, 512), cache(19), query(self.dtype, 64), cache(20)]
            }
        };
        let inputs: Vec<Operand<'_>> = self.tensors.iter().map(Tensor::operand).collect();
        let operands: Vec<Operand<'_>> = outputs.iter().map(Tensor::operand).collect();
        compute(&self.call(), &inputs, &operands).unwrap();
        outputs
    }

    fn numbers(&self, input: usize) -> Vec<f64> {
        self.tensors[input].to_f32().into_iter().map(f64::from).collect()
    }

    /// The scales of columns as numbers, all 32 bits of them.
    fn descales(&self, input: usize) -> Vec<f64> {
        if self.tensors[input].desc.dtype == ACL_FLOAT {
            return self.numbers(input);
        }
        self.tensors[input]
            .values::<i64>()
            .into_iter()
            .map(|word| f32::from_bits(word as u32).into())
            .collect()
    }

    /// Normalises, quantises, multiplies, dequantises; `at` are gamma, beta, scale, offset, weight, descale, bias.
    fn project(&self, x: &[f64], k: usize, n: usize, at: [usize; 7], weight: &[i8]) -> Vec<f64> {
        let [gamma, beta, scale, offset, _, descale, bias] = at;
        let (gamma, beta, descales) = (self.numbers(gamma), self.numbers(beta), self.descales(descale));
        let mut output = Vec::new();
        for row in x.chunks(k) {
            let mean = row.iter().map(|x| x * x).sum::<f64>() / k as f64;
            let y: Vec<f64> = (0..k).map(|i| row[i] / (mean + 1e-6).sqrt() * gamma[i] + beta[i]).collect();
            let largest = y.iter().fold(0.0f64, |largest, y| largest.max(y.abs()));
            let (step, zero) = match self.per_token {
                true => (largest / 127.0, 0.0),
                false => (self.numbers(scale)[0], f64::from(self.tensors[offset].values::<i8>()[0])),
            };
            let q: Vec<i64> = y
                .iter()
                .map(|y| {
                    f16::from_f64(y / step + zero).to_f64().clamp(-128.0, 127.0).round_ties_even() as i64
                })
                .collect();
            for column in 0..n {
                let sum: i64 = (0..k).map(|i| q[i] * i64::from(weight[column * k + i])).sum();
                output.push(match self.per_token {
                    true => sum as f64 * descales[column] * step,
                    false => {
                        let bias = self.tensors[bias].values::<i32>()[column];
                        (sum + i64::from(bias)) as f64 * descales[column]
                    }
                });
            }
        }
        output
    }

    /// For each token: the query's latent and rotary parts, the key's.
    fn expected(&self) -> Vec<[Vec<f64>; 4]> {
        let at_down = [1, 2, 3, 4, 5, 6, 7];
        let at_up = [8, 9, 10, 11, 12, 13, 14];
        let down = self.project(&self.numbers(0), HIDDEN, DOWN, at_down, &int8(5, DOWN * HIDDEN));
        let latent: Vec<f64> = down.chunks(DOWN).flat_map(|row| row[576..].to_vec()).collect();
        let up = self.project(&latent, 1536, HEADS * HEAD, at_up, &int8(12, HEADS * HEAD * 1536));
        let wuk =
            Tensor::floats(self.dtype, &[2, 128, 512], &noise(18, HEADS * NOPE * LATENT, 0.15)).to_f32();
        let (cos, sin, gamma) = (self.numbers(16), self.numbers(17), self.numbers(15));
        let rotate = |x: &[f64], token: usize| -> Vec<f64> {
            (0..64)
                .map(|i| {
                    let other = if i < 32 { -x[i + 32] } else { x[i - 32] };
                    x[i] * cos[token * 64 + i] + other * sin[token * 64 + i]
                })
                .collect()
        };
        (0..TOKENS)
            .map(|token| {
                let row = &down[token * DOWN..][..DOWN];
                let heads = &up[token * HEADS * HEAD..][..HEADS * HEAD];
                let mut nope = Vec::new();
                let mut rope = Vec::new();
                for head in 0..HEADS {
                    let x = &heads[head * HEAD..][..HEAD];
                    for column in 0..512 {
                        nope.push(
                            (0..128).map(|i| x[i] * f64::from(wuk[(head * 128 + i) * 512 + column])).sum(),
                        );
                    }
                    rope.extend(rotate(&x[128..], token));
                }
                let root = (row[..512].iter().map(|x| x * x).sum::<f64>() / 512.0 + 1e-6).sqrt();
                let key = (0..512).map(|i| row[i] / root * gamma[i]).collect();
                [nope, rope, key, rotate(&row[512..576], token)]
            })
            .collect()
    }
}

/// Roundings and a few int8 values that differ by one are all that may be between the two.
fn assert_close(what: &str, dtype: aclDataType, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let power = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    let error = power(&mut actual.iter().zip(expected).map(|(a, b)| a - b));
    let size = power(&mut expected.iter().copied());
    let relative = (error / size).sqrt();
    let limit = match dtype {
        ACL_FLOAT16 => 0.004,
        ACL_BF16 => 0.012,
        _ => 0.02,
    };
    assert!(size > 0.0 && relative < limit, "{what} is off by {relative}");
}

fn check(case: &Case) {
    let outputs = case.run();
    let expected = case.expected();
    let all = |part: usize| -> Vec<f64> { expected.iter().flat_map(|token| token[part].clone()).collect() };
    let numbers = |tensor: &Tensor| -> Vec<f64> { tensor.to_f32().into_iter().map(f64::from).collect() };
    let what = format!("{:?}, cache mode {}, per token {}", case.dtype, case.cache_mode, case.per_token);
    let query = numbers(&outputs[0]);
    match case.cache_mode {
        CACHE_KV => {
            let part = |range: std::ops::Range<usize>| -> Vec<f64> {
                query.chunks(576).flat_map(|head| head[range.clone()].to_vec()).collect()
            };
            assert_close(&format!("query, {what}"), case.dtype, &part(0..512), &all(0));
            assert_close(&format!("rotated query, {what}"), case.dtype, &part(512..576), &all(1));
        }
        CACHE_INT8_NZ => {
            let scales = case.numbers(23);
            let wide = all(0).into_iter().enumerate();
            let wide: Vec<f64> =
                wide.map(|(at, x)| (x * scales[at / 512 % 2]).clamp(-128.0, 127.0)).collect();
            assert_close(&format!("query, {what}"), ACL_INT8, &query, &wide);
            assert_close(&format!("rotated query, {what}"), case.dtype, &numbers(&outputs[2]), &all(1));
        }
        _ => {
            assert_close(&format!("query, {what}"), case.dtype, &query, &all(0));
            assert_close(&format!("rotated query, {what}"), case.dtype, &numbers(&outputs[2]), &all(1));
        }
    }
    check_caches(case, &outputs, &expected, &what);
}

fn check_caches(case: &Case, outputs: &[Tensor], expected: &[[Vec<f64>; 4]], what: &str) {
    let key_scale = if case.cache_mode == CACHE_INT8_NZ { case.numbers(22)[0] } else { 1.0 };
    let caches: &[(usize, usize, usize)] =
        if case.cache_mode == CACHE_KV { &[(1, 19, 576)] } else { &[(1, 19, 512), (3, 20, 64)] };
    for (output, input, width) in caches {
        let (new, old) = (&outputs[*output], &case.tensors[*input]);
        let size = if new.desc.dtype == ACL_INT8 { 1 } else { 2 };
        let mut untouched = old.values::<u8>();
        let bytes = new.values::<u8>();
        let values: Vec<f64> = new.to_f32().into_iter().map(f64::from).collect();
        for (token, slot) in SLOTS_OF_TOKENS.into_iter().enumerate().filter(|(_, slot)| *slot != -1) {
            let row: Vec<f64> = match (width, output) {
                (576, _) => [&expected[token][2][..], &expected[token][3]].concat(),
                (512, _) => expected[token][2].iter().map(|x| (x / key_scale).clamp(-128.0, 127.0)).collect(),
                _ => expected[token][3].clone(),
            };
            let slot = slot as usize;
            let place = |column: usize| match new.desc.is_nz() {
                true => {
                    let block = 32 / size;
                    slot / 128 * 128 * width
                        + column / block * 128 * block
                        + slot % 128 * block
                        + column % block
                }
                false => slot * width + column,
            };
            let actual: Vec<f64> = (0..*width).map(|column| values[place(column)]).collect();
            assert_close(&format!("cache {output}, {what}"), new.desc.dtype, &actual, &row);
            for column in 0..*width {
                let at = place(column) * size;
                untouched[at..at + size].copy_from_slice(&bytes[at..at + size]);
            }
        }
        assert!(untouched == bytes, "rows without a token changed, {what}");
    }
}

#[test]
fn every_mode_is_the_definition() {
    for dtype in [ACL_FLOAT16, ACL_BF16] {
        for cache_mode in [CACHE_KV, CACHE_KROPE_CTKV, CACHE_INT8_NZ, CACHE_NZ] {
            for per_token in [false, true] {
                check(&Case::new(dtype, cache_mode, per_token, per_token));
            }
        }
    }
}

#[test]
fn slots_that_are_not_there_are_a_fault() {
    for slot in [-2, 256, i32::MAX] {
        for cache_mode in [CACHE_KV, CACHE_NZ] {
            let mut case = Case::new(ACL_BF16, cache_mode, false, false);
            case.tensors[21] = Tensor::nd(ACL_INT32, &[3], &[0, slot, 1]);
            let outputs = case.tensors[19].clone();
            let query = Tensor::blank(TensorDesc::nd(ACL_BF16, &[3, 2, 576]));
            let (rope, rope_cache) = (query.clone(), case.tensors[20].clone());
            let inputs: Vec<Operand<'_>> = case.tensors.iter().map(Tensor::operand).collect();
            let outputs = [query.operand(), outputs.operand(), rope.operand(), rope_cache.operand()];
            let fault = compute(&case.call(), &inputs, &outputs).unwrap_err().to_string();
            assert!(fault.contains(&format!("slot {slot}")) && fault.contains("token 1"), "{fault}");
        }
    }
}

#[test]
fn a_row_of_zeros_stays_finite() {
    for per_token in [false, true] {
        let mut case = Case::new(ACL_BF16, CACHE_KV, per_token, false);
        let zeros = vec![0.0; TOKENS * HIDDEN];
        case.tensors[0] = Tensor::floats(ACL_BF16, &[3, 256], &zeros);
        case.tensors[2] = Tensor::floats(ACL_BF16, &[256], &[0.0; HIDDEN]);
        assert!(case.run()[0].to_f32().iter().all(|value| value.is_finite()), "per token {per_token}");
    }
}

#[test]
fn the_mean_is_the_kernels_literal() {
    assert_eq!([1.0 / 7168.0, 1.0 / 1536.0], [0.000_139_508_93_f32, 0.000_651_041_7_f32]);
}
