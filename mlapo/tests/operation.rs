//! The operation on a stream: what it refuses, and that it then leaves everything alone; how calls follow each other.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ascendcl::{DataType, Format, Runtime, Stream, Tensor, TensorDesc};
use half::{bf16, f16};
use mlapo::{
    Backend, CacheMode, Config, Dtype, Error, Input, Mlapo, Output, PagedCache, QuantMode, SlotMapping,
    Weights,
};
use proptest::prelude::*;

const MODES: [CacheMode; 4] =
    [CacheMode::Combined, CacheMode::Split, CacheMode::SplitNzInt8, CacheMode::SplitNz];
const BLOCKS: usize = 2;
const BLOCK_SIZE: usize = 4;

fn stream() -> Stream {
    Runtime::with_backend(ascendcl::Backend::Sim).unwrap().device(0).unwrap().stream().unwrap()
}

fn config(cache_mode: CacheMode) -> Config {
    Config::builder()
        .hidden_size(64)
        .q_lora_rank(32)
        .kv_lora_rank(32)
        .qk_rope_head_dim(16)
        .qk_nope_head_dim(16)
        .num_heads(2)
        .cache_mode(cache_mode)
        .build()
        .unwrap()
}

fn tensor(stream: &Stream, shape: &[usize], seed: usize) -> Tensor {
    let len = shape.iter().product();
    let values: Vec<bf16> =
        (0..len).map(|i| bf16::from_f32(((i * 37 + seed) % 101) as f32 / 50.0 - 1.0)).collect();
    stream.tensor_from(&values, Format::Nd, shape).unwrap()
}

/// Valid arguments of a call.
struct Call {
    hidden: Tensor,
    cos: Tensor,
    sin: Tensor,
    slots: SlotMapping,
    cache: PagedCache,
    output: Output,
}

impl Call {
    fn new(stream: &Stream, operation: &Mlapo, slots: &[i32]) -> Self {
        let (config, n) = (operation.config(), slots.len());
        Self {
            hidden: tensor(stream, &[n, config.hidden_size], 1),
            cos: tensor(stream, &[n, config.qk_rope_head_dim], 2),
            sin: tensor(stream, &[n, config.qk_rope_head_dim], 3),
            slots: SlotMapping::new(stream, slots).unwrap(),
            cache: PagedCache::new(stream, config, BLOCKS, BLOCK_SIZE).unwrap(),
            output: operation.output(stream, n).unwrap(),
        }
    }

    fn forward(&mut self, stream: &Stream, operation: &mut Mlapo) -> Result<(), Error> {
        let Self { hidden, cos, sin, slots, cache, output } = self;
        operation.forward(stream, &Input { hidden, cos, sin, slot_mapping: slots }, cache, output)
    }

    /// All bytes that a call may write.
    fn written(&self, stream: &Stream) -> Vec<Vec<u8>> {
        let tensors = [
            Some(self.cache.kv_cache()),
            self.cache.kv_cache_rope(),
            Some(&self.output.q_out0),
            self.output.q_out1.as_ref(),
        ];
        tensors.into_iter().flatten().map(|tensor| stream.download_vec(tensor.buffer()).unwrap()).collect()
    }
}

fn operation(stream: &Stream, config: &Config, backend: Backend) -> Mlapo {
    Mlapo::new(stream, config.clone(), &Weights::random(config, 5), backend).unwrap()
}

/// A call with one argument exchanged is refused with the message given, and nothing is written.
fn refused(mode: CacheMode, exchange: impl FnOnce(&Stream, &mut Call), message: &str) {
    let stream = stream();
    let mut operation = operation(&stream, &config(mode), Backend::Host);
    let mut call = Call::new(&stream, &operation, &[0, 5, -1]);
    exchange(&stream, &mut call);
    let before = call.written(&stream);
    let error = call.forward(&stream, &mut operation).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(call.written(&stream), before, "{message}");
}

#[test]
fn every_tensor_is_checked_by_name() {
    let split = CacheMode::Split;
    let nd = |shape: &[usize]| TensorDesc::new(DataType::Bf16, Format::Nd, shape).unwrap();
    refused(
        split,
        |s, c| c.hidden = tensor(s, &[3, 32], 0),
        "tensor `input`: shape must be [3, 64], got [3, 32]",
    );
    refused(split, |s, c| c.hidden = tensor(s, &[192], 0), "tensor `input`: rank must be 2, got 1");
    refused(
        split,
        |s, c| c.hidden = s.tensor_from(&[f16::ONE; 192], Format::Nd, &[3, 64]).unwrap(),
        "tensor `input`: dtype must be Bf16, got Float16",
    );
    refused(
        split,
        |s, c| c.hidden = s.tensor_from(&[bf16::ONE; 192], Format::FractalNz, &[3, 64]).unwrap(),
        "tensor `input`: format must be Nd, got FractalNz",
    );
    refused(split, |s, c| c.cos = tensor(s, &[2, 16], 0), "tensor `cos`: shape must be [3, 16], got [2, 16]");
    refused(split, |s, c| c.sin = tensor(s, &[3, 32], 0), "tensor `sin`: shape must be [3, 16], got [3, 32]");
    refused(
        split,
        |s, c| c.slots = SlotMapping::new(s, &[0, 1]).unwrap(),
        "tensor `slot_mapping`: shape must be [3], got [2]",
    );
    refused(
        split,
        |s, c| c.slots = SlotMapping::new(s, &[0, 8, 9]).unwrap(),
        "slot_mapping[1] is 8, but the cache has 8 slots (negative slots are skipped)",
    );
    refused(
        split,
        |s, c| c.output.q_out0 = s.tensor_zeros(nd(&[3, 2, 48])).unwrap(),
        "tensor `q_out0`: shape must be [3, 2, 32], got [3, 2, 48]",
    );
    refused(split, |_, c| c.output.q_out1 = None, "tensor `q_out1`: the tensor must be present, got absent");
    refused(
        CacheMode::Combined,
        |s, c| c.output.q_out1 = Some(s.tensor_zeros(nd(&[3, 2, 16])).unwrap()),
        "tensor `q_out1`: the tensor must be absent, got present",
    );
    refused(
        CacheMode::SplitNzInt8,
        |s, c| c.output.q_out0 = s.tensor_zeros(nd(&[3, 2, 32])).unwrap(),
        "tensor `q_out0`: dtype must be Int8, got Bf16",
    );
    refused(
        split,
        |s, c| c.cache = PagedCache::new(s, &config(CacheMode::SplitNz), BLOCKS, BLOCK_SIZE).unwrap(),
        "tensor `kv_cache`: cache mode must be Split, got SplitNz",
    );
    refused(
        split,
        |s, c| {
            let other = Config::builder().kv_lora_rank(64).qk_rope_head_dim(16).build().unwrap();
            c.cache = PagedCache::new(s, &other, BLOCKS, BLOCK_SIZE).unwrap();
        },
        "tensor `kv_cache`: shape must be [2, 4, 1, 32], got [2, 4, 1, 64]",
    );
}

#[test]
fn caches_are_checked_when_they_are_made() {
    let stream = stream();
    let config = config(CacheMode::SplitNzInt8);
    let zeros = |dtype, shape: &[usize]| {
        stream.tensor_zeros(TensorDesc::new(dtype, Format::Nd, shape).unwrap()).unwrap()
    };
    let made = |first, second| PagedCache::from_tensors(&config, first, second).map(|cache| cache.slots());
    let (int8, half) = (DataType::Int8, DataType::Bf16);
    assert_eq!(made(zeros(int8, &[3, 1, 128, 32]), Some(zeros(half, &[3, 1, 128, 16]))).unwrap(), 384);
    let message = |result: Result<usize, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(made(zeros(half, &[3, 1, 128, 32]), Some(zeros(half, &[3, 1, 128, 16])))),
        "tensor `kv_cache`: dtype must be Int8, got Bf16"
    );
    assert_eq!(
        message(made(zeros(int8, &[3, 1, 128, 32]), Some(zeros(half, &[3, 1, 64, 16])))),
        "tensor `kv_cache_rope`: shape must be [3, 1, 128, 16], got [3, 1, 64, 16]"
    );
    assert_eq!(
        message(made(zeros(int8, &[3, 1, 128, 32]), None)),
        "tensor `kv_cache_rope`: the tensor must be present, got absent"
    );
    assert_eq!(message(made(zeros(int8, &[3, 32]), None)), "tensor `kv_cache`: rank must be 4, got 2");
    assert!(PagedCache::new(&stream, &config, 0, 128).is_err());
    assert!(PagedCache::new(&stream, &config, usize::MAX / 2, 128).is_err());
}

#[test]
fn weights_and_configuration_are_checked_by_name() {
    let config = config(CacheMode::SplitNzInt8);
    let message = |change: fn(&mut Weights)| {
        let mut weights = Weights::random(&config, 1);
        change(&mut weights);
        Mlapo::new(&stream(), config.clone(), &weights, Backend::Auto).unwrap_err().to_string()
    };
    assert_eq!(
        message(|w| w.down.weight.truncate(5119)),
        "tensor `wdqkv`: length must be 5120 elements, got 5119 elements"
    );
    assert_eq!(message(|w| w.input_norm = None), "tensor `gamma0`: the tensor must be present, got absent");
    assert_eq!(
        message(|w| w.cache_scales = None),
        "tensor `ctkv_scale`: the tensor must be present, got absent"
    );
    assert_eq!(
        message(|w| w.up.input = mlapo::ActivationQuant::PerToken),
        "tensor `wuq`: input quantisation must be PerTensor, got PerToken"
    );
    let error = Config::builder().hidden_size(100).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "configuration: `hidden_size` must be a multiple of 32 from 32 to 65536, got 100"
    );
    assert!(Config::builder().epsilon(f32::NAN).build().is_err());
    assert!(Config::builder().num_heads(0).build().is_err());
}

#[test]
fn a_capture_refuses_the_host_backend_before_anything_is_queued() {
    let stream = stream();
    let mut operation = operation(&stream, &config(CacheMode::Split), Backend::Host);
    let mut call = Call::new(&stream, &operation, &[0, 1]);
    let mut result = Ok(());
    let graph = stream.capture(|stream| {
        result = call.forward(stream, &mut operation);
        Ok(())
    });
    drop(graph);
    assert!(
        matches!(result, Err(Error::Device(ascendcl::Error::Capturing { call: "Mlapo::forward" }))),
        "{result:?}"
    );
    call.forward(&stream, &mut operation).unwrap();
    stream.synchronize().unwrap();
}

#[test]
fn calls_on_several_streams_take_turns() {
    let (first, second) = (stream(), stream());
    let config = config(CacheMode::SplitNz);
    let mut operation = operation(&first, &config, Backend::Host);
    let mut alone = Vec::new();
    for round in 0..6 {
        let mut call = Call::new(&first, &operation, &[round, 7 - round]);
        call.forward(&first, &mut operation).unwrap();
        alone.push(call.written(&first));
    }
    let mut calls: Vec<Call> =
        (0..6).map(|round| Call::new(&first, &operation, &[round, 7 - round])).collect();
    for (round, call) in calls.iter_mut().enumerate() {
        call.forward(if round % 2 == 0 { &first } else { &second }, &mut operation).unwrap();
    }
    for (call, expected) in calls.iter().zip(&alone) {
        assert_eq!(&call.written(&second), expected);
    }
}

#[test]
fn no_token_is_no_work_and_the_last_of_equal_slots_wins() {
    let stream = stream();
    for backend in [Backend::Host, Backend::Reference(Default::default())] {
        let mut operation = operation(&stream, &config(CacheMode::Split), backend);
        let mut none = Call::new(&stream, &operation, &[]);
        none.forward(&stream, &mut operation).unwrap();

        let mut twice = Call::new(&stream, &operation, &[3, 3]);
        twice.forward(&stream, &mut operation).unwrap();
        let mut last = Call::new(&stream, &operation, &[-5, 3]);
        last.forward(&stream, &mut operation).unwrap();
        assert_eq!(twice.written(&stream)[0], last.written(&stream)[0]);
    }
}

fn any_config() -> impl Strategy<Value = Config> {
    (0usize..4, any::<bool>(), any::<bool>(), any::<bool>(), 1usize..4, 1usize..4, 1usize..3, 1usize..3)
        .prop_map(|(mode, fp16, per_token, input_norm, heads, hidden, ranks, parts)| {
            Config::builder()
                .hidden_size(32 * hidden)
                .q_lora_rank(32 * ranks)
                .kv_lora_rank(32 * parts)
                .qk_rope_head_dim(16 * ranks)
                .qk_nope_head_dim(16 * parts)
                .num_heads(heads)
                .dtype(if fp16 { Dtype::Fp16 } else { Dtype::Bf16 })
                .cache_mode(MODES[mode])
                .quant_mode(if per_token { QuantMode::PerToken } else { QuantMode::PerTensor })
                .input_norm(input_norm)
                .build()
                .unwrap()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever shapes and slots come: either a typed error and nothing is written, or only the named rows change.
    #[test]
    fn any_input_is_computed_or_refused_whole(
        config in any_config(), backend in prop_oneof![Just(Backend::Host), Just(Backend::Reference(Default::default()))],
        slots in proptest::collection::vec(-3i32..10, 0..6),
        wrong_tokens in 0usize..7, wrong_width in prop_oneof![9 => Just(0usize), 1 => 1usize..70], seed: u64,
    ) {
        let stream = stream();
        let weights = Weights::random(&config, seed);
        let mut operation = Mlapo::new(&stream, config.clone(), &weights, backend).unwrap();
        let n = slots.len();
        let random = |shape: [usize; 2]| {
            let bytes: Vec<u16> = (0..shape[0] * shape[1]).map(|i| (seed as usize).wrapping_mul(i * 31 + 7) as u16).collect();
            let desc = TensorDesc::new(config.dtype.data_type(), Format::Nd, &shape).unwrap();
            let mut tensor = stream.tensor(desc).unwrap();
            let bytes: Vec<u8> = bytes.iter().flat_map(|v| v.to_le_bytes()).collect();
            stream.upload(&bytes, tensor.buffer_mut()).unwrap();
            tensor
        };
        // Any bit pattern at all: also infinities and NaN.
        let mut call = Call {
            hidden: random([n, config.hidden_size]),
            cos: random([if wrong_tokens < 6 { n } else { n + 1 }, config.qk_rope_head_dim]),
            sin: random([n, config.qk_rope_head_dim + wrong_width]),
            slots: SlotMapping::new(&stream, &slots).unwrap(),
            cache: PagedCache::new(&stream, &config, BLOCKS, BLOCK_SIZE).unwrap(),
            output: operation.output(&stream, n).unwrap(),
        };
        let before = call.written(&stream);
        let valid = wrong_tokens < 6 && wrong_width == 0 && slots.iter().all(|slot| *slot < 8);
        let result = call.forward(&stream, &mut operation);
        stream.synchronize().unwrap();
        prop_assert_eq!(result.is_ok(), valid, "{:?}", result);
        let after = call.written(&stream);
        if !valid {
            prop_assert_eq!(after, before);
            return Ok(());
        }
        // The cache's rows by the address formula of the golden specification, section 5; untouched ones are zero.
        let caches = 1 + usize::from(config.cache_mode != CacheMode::Combined);
        for (index, bytes) in after.iter().take(caches).enumerate() {
            let int8 = index == 0 && config.cache_mode == CacheMode::SplitNzInt8;
            let (size, c0) = if int8 { (1, 32) } else { (2, 16) };
            let width = bytes.len() / size / 8;
            for slot in (0..8).filter(|slot| !slots.contains(&(*slot as i32))) {
                for c in 0..width {
                    let at = if config.cache_mode.is_nz() {
                        ((slot / 4 * (width / c0) + c / c0) * 4 + slot % 4) * c0 + c % c0
                    } else {
                        slot * width + c
                    };
                    prop_assert_eq!(&bytes[at * size..(at + 1) * size], &[0u8; 2][..size]);
                }
            }
        }
    }
}
