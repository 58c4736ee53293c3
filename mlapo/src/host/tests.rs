//! The whole kernel against the reference, and against itself under other circumstances.

use proptest::prelude::*;

use super::*;
use crate::call::Values;
use crate::config::{Dtype, QuantMode};
use crate::numeric::{from_f32, to_f32};
use crate::reference::{self, Order};
use crate::weights::{ActivationQuant, CacheScales, Norm, Projection};

/// A small generator of values; each call of a method draws anew.
struct Source {
    state: u64,
    dtype: Dtype,
}

impl Source {
    fn next(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state ^ self.state >> 33
    }

    /// Between the bounds.
    fn real(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.next() >> 40 & 0xffff) as f32 / 65536.0
    }

    fn halves(&mut self, n: usize, low: f32, high: f32) -> Vec<u16> {
        (0..n).map(|_| from_f32(self.real(low, high), self.dtype)).collect()
    }

    fn projection(&mut self, config: &Config, rows: usize, columns: usize) -> Projection {
        let scale = match config.quant_mode {
            QuantMode::PerTensor => 3e-4,
            QuantMode::PerToken => 5e-3,
        } / (columns as f32).sqrt();
        Projection {
            weight: (0..rows * columns).map(|_| (self.next() >> 20) as i8).collect(),
            descale: (0..rows).map(|_| self.real(0.5, 1.5) * scale).collect(),
            input: match config.quant_mode {
                QuantMode::PerTensor => ActivationQuant::PerTensor {
                    scale: from_f32(0.02, self.dtype),
                    offset: self.real(-9.0, 9.0) as i8,
                    bias: (0..rows).map(|_| self.real(-9000.0, 9000.0) as i32).collect(),
                },
                QuantMode::PerToken => ActivationQuant::PerToken,
            },
        }
    }

    fn weights(&mut self, c: &Config) -> Weights {
        let norm = |source: &mut Self, n| Norm {
            gamma: source.halves(n, 0.4, 1.6),
            beta: source.halves(n, -0.5, 0.5),
        };
        Weights {
            input_norm: c.input_norm.then(|| norm(self, c.hidden_size)),
            down: self.projection(c, c.down_rows(), c.hidden_size),
            q_norm: norm(self, c.q_lora_rank),
            up: self.projection(c, c.up_rows(), c.q_lora_rank),
            kv_gamma: self.halves(c.kv_lora_rank, 0.4, 1.6),
            wuk: self.halves(c.num_heads * c.qk_nope_head_dim * c.kv_lora_rank, -0.15, 0.15),
            cache_scales: (c.cache_mode == CacheMode::SplitNzInt8).then(|| CacheScales {
                ctkv_scale: from_f32(0.04, self.dtype),
                q_nope_scale: self.halves(c.num_heads, 14.0, 26.0),
            }),
        }
    }
}

/// One call's inputs.
struct Call {
    tokens: usize,
    hidden: Vec<u16>,
    cos: Vec<u16>,
    sin: Vec<u16>,
}

impl Call {
    fn draw(source: &mut Source, c: &Config, tokens: usize) -> Self {
        let rope = tokens * c.qk_rope_head_dim;
        Self {
            tokens,
            hidden: source.halves(tokens * c.hidden_size, -2.0, 2.0),
            cos: source.halves(rope, -1.0, 1.0),
            sin: source.halves(rope, -1.0, 1.0),
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs { tokens: self.tokens, hidden: &self.hidden, cos: &self.cos, sin: &self.sin }
    }

    /// Only some of the tokens.
    fn part(&self, from: usize, to: usize) -> Self {
        let rows = |all: &[u16]| {
            let width = all.len() / self.tokens;
            all[from * width..to * width].to_vec()
        };
        Self { tokens: to - from, hidden: rows(&self.hidden), cos: rows(&self.cos), sin: rows(&self.sin) }
    }
}

/// One call's outputs.
#[derive(Clone, Debug, PartialEq)]
struct Results {
    q0: Values,
    q1: Option<Vec<u16>>,
    kv0: Values,
    kv1: Option<Vec<u16>>,
}

/// Runs `compute` on outputs that hold nothing it could rely on.
fn results(
    c: &Config,
    tokens: usize,
    compute: impl FnOnce(&mut Outputs<'_>) -> Result<(), Error>,
) -> Result<Results, Error> {
    let combined = c.cache_mode == CacheMode::Combined;
    let width = if combined { c.kv_width() } else { c.kv_lora_rank };
    let dirty = |len| match Values::zeros(c.cache_mode, len) {
        Values::Half(_) => Values::Half(vec![0x7fff; len]),
        Values::Int8(_) => Values::Int8(vec![0x55; len]),
    };
    let rope = |rows: usize| (!combined).then(|| vec![0x7fff; rows * c.qk_rope_head_dim]);
    let mut all = Results {
        q0: dirty(tokens * c.num_heads * width),
        q1: rope(tokens * c.num_heads),
        kv0: dirty(tokens * width),
        kv1: rope(tokens),
    };
    compute(&mut Outputs {
        q_out0: all.q0.elements(),
        q_out1: all.q1.as_deref_mut(),
        kv_rows0: all.kv0.elements(),
        kv_rows1: all.kv1.as_deref_mut(),
    })?;
    Ok(all)
}

fn run(kernel: &mut HostKernel, call: &Call) -> Results {
    let config = kernel.config().clone();
    results(&config, call.tokens, |outputs| kernel.run(&call.inputs(), outputs)).unwrap()
}

/// Everything is bit for bit the reference's, but the absorbed queries: f32 sums there, f64 sums in the reference.
fn assert_agrees(c: &Config, got: &Results, expected: &Results) {
    assert_eq!(got.kv0, expected.kv0, "cache rows");
    assert_eq!(got.kv1, expected.kv1, "rotary cache rows");
    assert_eq!(got.q1, expected.q1, "rotary queries");
    match (&got.q0, &expected.q0) {
        (Values::Half(got), Values::Half(expected)) => {
            let unit = if c.dtype == Dtype::Bf16 { 2f32.powi(-7) } else { 2f32.powi(-10) };
            let width = got.len().checked_div(got.len() / c.kv_width()).unwrap_or(1);
            for (i, (g, e)) in got.iter().zip(expected).enumerate() {
                let (g, e) = (to_f32(*g, c.dtype), to_f32(*e, c.dtype));
                assert!((g - e).abs() <= unit * e.abs() + 1e-5, "query {i} of rows of {width}: {g} {e}");
            }
        }
        (Values::Int8(got), Values::Int8(expected)) => {
            let most = got.iter().zip(expected).map(|(g, e)| (i32::from(*g) - i32::from(*e)).abs()).max();
            assert!(most <= Some(1), "{most:?}");
        }
        _ => panic!("another type of queries"),
    }
}

prop_compose! {
    fn configs()(
        dims in (1..7usize, 1..6usize, 1..4usize, 1..4usize, 1..5usize, 1..6usize),
        bf16 in any::<bool>(), mode in 0..4usize, per_token in any::<bool>(), input_norm in any::<bool>(),
        epsilon in prop_oneof![Just(1e-6f32), Just(0.25)],
    ) -> Config {
        let (hidden, q_lora, latent, rope, nope, heads) = dims;
        let modes = [CacheMode::Combined, CacheMode::Split, CacheMode::SplitNzInt8, CacheMode::SplitNz];
        Config::builder()
            .hidden_size(32 * hidden)
            .q_lora_rank(32 * q_lora)
            .kv_lora_rank(32 * latent)
            .qk_rope_head_dim(16 * rope)
            .qk_nope_head_dim(16 * nope)
            .num_heads(heads)
            .dtype(if bf16 { Dtype::Bf16 } else { Dtype::Fp16 })
            .cache_mode(modes[mode])
            .quant_mode(if per_token { QuantMode::PerToken } else { QuantMode::PerTensor })
            .input_norm(input_norm)
            .epsilon(epsilon)
            .build()
            .unwrap()
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_with_the_reference(
        config in configs(), tokens in prop_oneof![8 => 0..40usize, 1 => 190..200usize], seed in any::<u64>(),
    ) {
        let mut source = Source { state: seed, dtype: config.dtype };
        let weights = source.weights(&config);
        let call = Call::draw(&mut source, &config, tokens);
        let expected = results(&config, tokens, |outputs| {
            reference::run(&config, &weights, &call.inputs(), outputs, Order::Kernel, None)
        })?;
        let mut first = None;
        for isa in Isa::available() {
            let got = run(&mut HostKernel::with_isa(isa, &config, &weights)?, &call);
            assert_agrees(&config, &got, &expected);
            prop_assert_eq!(first.get_or_insert(got.clone()), &got, "{:?}", isa);
        }
    }

    /// Equal inputs give equal bits: with other threads, other neighbors, and after other calls.
    #[test]
    fn depends_on_nothing_but_its_inputs(
        config in configs(), tokens in 1..30usize, cut in 0..30usize, seed in any::<u64>(),
    ) {
        let mut source = Source { state: seed, dtype: config.dtype };
        let weights = source.weights(&config);
        let call = Call::draw(&mut source, &config, tokens);
        let mut kernel = HostKernel::new(&config, &weights)?;
        let whole = run(&mut kernel, &call);
        for threads in [1, 2, 3, 7] {
            prop_assert_eq!(&pool(threads).install(|| run(&mut kernel, &call)), &whole);
        }
        let cut = cut.min(tokens);
        let (a, b) = (run(&mut kernel, &call.part(0, cut)), run(&mut kernel, &call.part(cut, tokens)));
        prop_assert_eq!(joined(a, b), whole);
    }
}

fn joined(a: Results, b: Results) -> Results {
    let values = |a, b| match (a, b) {
        (Values::Half(a), Values::Half(b)) => Values::Half([a, b].concat()),
        (Values::Int8(a), Values::Int8(b)) => Values::Int8([a, b].concat()),
        _ => panic!("different types"),
    };
    let rope = |a: Option<Vec<u16>>, b: Option<Vec<u16>>| Some([a?, b?].concat());
    Results {
        q0: values(a.q0, b.q0),
        q1: rope(a.q1, b.q1),
        kv0: values(a.kv0, b.kv0),
        kv1: rope(a.kv1, b.kv1),
    }
}

fn small(quant: QuantMode) -> Config {
    let dims = Config::builder().hidden_size(64).q_lora_rank(32).kv_lora_rank(32);
    dims.qk_rope_head_dim(16).qk_nope_head_dim(16).num_heads(3).quant_mode(quant).build().unwrap()
}

#[test]
fn a_row_of_zeros_gives_zeros_per_token() {
    let config = small(QuantMode::PerToken);
    let mut source = Source { state: 1, dtype: config.dtype };
    let mut weights = source.weights(&config);
    for norm in weights.input_norm.iter_mut().chain([&mut weights.q_norm]) {
        norm.beta.fill(0);
    }
    let mut call = Call::draw(&mut source, &config, 3);
    call.hidden[64..128].fill(0);
    let got = run(&mut HostKernel::new(&config, &weights).unwrap(), &call);
    let (Values::Half(q0), Values::Half(kv0)) = (&got.q0, &got.kv0) else { panic!("16-bit outputs") };
    for (rows, width) in
        [(q0, 3 * 32), (got.q1.as_ref().unwrap(), 3 * 16), (kv0, 32), (got.kv1.as_ref().unwrap(), 16)]
    {
        // 0x8000 is a zero too.
        assert!(rows[width..2 * width].iter().all(|b| b & 0x7fff == 0), "{rows:x?}");
        assert!(rows[..width].iter().any(|b| b & 0x7fff != 0));
        assert!(rows.iter().all(|b| to_f32(*b, config.dtype).is_finite()));
    }
}

/// Infinities and NaN stay in their token.
#[test]
fn values_that_are_not_finite_stay_in_their_token() {
    for quant in [QuantMode::PerTensor, QuantMode::PerToken] {
        let config = small(quant);
        let mut source = Source { state: 2, dtype: config.dtype };
        let weights = source.weights(&config);
        let mut call = Call::draw(&mut source, &config, 3);
        call.hidden[64] = 0x7f80;
        call.hidden[65] = 0xffff;
        call.cos[16] = 0x7fc0;
        let mut kernel = HostKernel::new(&config, &weights).unwrap();
        let got = run(&mut kernel, &call);
        for token in [0, 2] {
            let alone = run(&mut kernel, &call.part(token, token + 1));
            let (Values::Half(row), Values::Half(all)) = (&alone.q0, &got.q0) else {
                panic!("16-bit outputs")
            };
            assert_eq!(row[..], all[token * row.len()..][..row.len()]);
        }
    }
}

#[test]
fn a_wrong_length_is_refused_and_writes_nothing() {
    let config = small(QuantMode::PerTensor);
    let mut source = Source { state: 3, dtype: config.dtype };
    let weights = source.weights(&config);
    let mut call = Call::draw(&mut source, &config, 2);
    call.sin.pop();
    let mut kernel = HostKernel::new(&config, &weights).unwrap();
    let mut untouched = true;
    let refused = results(&config, 2, |outputs| {
        let error = kernel.run(&call.inputs(), outputs);
        if let crate::call::Elements::Half(values) = &outputs.q_out0 {
            untouched = values.iter().all(|v| *v == 0x7fff);
        }
        error
    });
    assert!(matches!(refused, Err(Error::Tensor(e)) if e.tensor == "sin"));
    assert!(untouched);

    let mut weights = weights;
    weights.wuk.pop();
    assert!(matches!(HostKernel::new(&config, &weights), Err(Error::Tensor(e)) if e.tensor == "wuk"));
}
