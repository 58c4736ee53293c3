//! MlaPreprocess by ATB, as the demonstration does it that ATB publishes (`example/op_demo/mla_preprocess`): quantised latent
//! cache in fractals, ten executions.
//!
//! ```text
//! cargo run --release --example mla_preprocess -- [fp16|bf16] [tokens] [heads]
//! ```
//!
//! Without arguments: fp16, 4 tokens, 128 heads. `ASCENDCL_BACKEND=npu|sim` chooses the device.
//!
//! What differs from the original: every token has a slot (its vector has one element, whatever the number of tokens), caches
//! have one head (not as many as the query), scales are not zero (0 as a divisor is NaN), and values vary, so that the
//! result can be looked at.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use ascendcl::{DataType, Element, Format, Runtime, Stream, Tensor, Workspace};
use atb::param::{CacheMode, MlaPreprocess};
use atb::{Context, Library, Operation, VariantPack};
use half::{bf16, f16};

const HIDDEN: usize = 7168;
/// Latent query, latent key, and the part of the key that is rotated.
const Q_LORA: usize = 1536;
const KV_LORA: usize = 512;
const ROPE: usize = 64;
/// The part of a head's query that is not rotated.
const NOPE: usize = 128;

const BLOCK_SIZE: usize = 128;
const BLOCKS: usize = 64;
const EXECUTIONS: usize = 10;

/// The types of activations.
trait Activation: Element + Default {
    /// A channel's scale, as the operation takes it for this type.
    type Scale: Element + Default;
    fn of(value: f32) -> Self;
    fn scale(value: f32) -> Self::Scale;
}

impl Activation for f16 {
    /// The bits of a float32 in 64 bits.
    type Scale = i64;

    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn scale(value: f32) -> i64 {
        value.to_bits().into()
    }
}

impl Activation for bf16 {
    type Scale = f32;

    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn scale(value: f32) -> f32 {
        value
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mla_preprocess: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The program, which prints to `out`.
pub fn run(arguments: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let number =
        |index: usize, default| arguments.get(index).map_or(Ok(default), |word| word.parse::<usize>());
    match (arguments.first().map_or("fp16", String::as_str), number(1, 4), number(2, 128)) {
        ("fp16", Ok(tokens), Ok(heads)) => demonstrate::<f16>(tokens, heads, out),
        ("bf16", Ok(tokens), Ok(heads)) => demonstrate::<bf16>(tokens, heads, out),
        _ => Err("usage: mla_preprocess [fp16|bf16] [tokens] [heads]".into()),
    }
}

/// Everything that the operation reads, but the caches.
struct Inputs {
    hidden: Tensor,
    /// gamma0, beta0, quantScale0, quantOffset0
    norm0: [Tensor; 4],
    wdqkv: Tensor,
    /// deScale0, bias0
    product0: [Tensor; 2],
    /// gamma1, beta1, quantScale1, quantOffset1
    norm1: [Tensor; 4],
    wuq: Tensor,
    /// deScale1, bias1
    product1: [Tensor; 2],
    /// gamma2, cos, sin
    key: [Tensor; 3],
    wuk: Tensor,
    slots: Tensor,
    /// ctkvScale, qNopeScale
    quant: [Tensor; 2],
}

/// A row-major tensor whose elements follow from their index.
fn tensor<T: Element + Default>(
    stream: &Stream,
    shape: &[usize],
    value: impl Fn(usize) -> T,
) -> ascendcl::Result<Tensor> {
    let values: Vec<T> = (0..shape.iter().product()).map(value).collect();
    stream.tensor_from(&values, Format::Nd, shape)
}

impl Inputs {
    fn new<T: Activation>(stream: &Stream, tokens: usize, heads: usize) -> ascendcl::Result<Self> {
        let same = |shape: &[usize], value: f32| tensor(stream, shape, |_| T::of(value));
        // A weight in fractals; what is where does not matter here.
        let weight = |rows: usize, columns: usize| {
            let values: Vec<i8> = (0..rows * columns).map(|index| (index % 7) as i8 - 3).collect();
            stream.tensor_from(&values, Format::FractalNz, &[rows, columns])
        };
        let norm = |size: usize| {
            let offset = stream.tensor_from(&[1i8], Format::Nd, &[1])?;
            Ok::<_, ascendcl::Error>([
                same(&[size], 1.0)?,
                same(&[size], 0.125)?,
                same(&[1], 0.0625)?,
                offset,
            ])
        };
        let product = |size: usize| {
            let bias = tensor(stream, &[size], |index| index as i32 % 5 - 2)?;
            Ok::<_, ascendcl::Error>([tensor(stream, &[size], |_| T::scale(0.001))?, bias])
        };
        let (down, up) = (KV_LORA + ROPE + Q_LORA, heads * (NOPE + ROPE));
        let wuk: Vec<T> =
            (0..heads * NOPE * KV_LORA).map(|index| T::of((index % 11) as f32 / 64.0 - 0.078125)).collect();
        Ok(Self {
            hidden: tensor(stream, &[tokens, HIDDEN], |index| T::of((index % 13) as f32 / 8.0 - 0.75))?,
            norm0: norm(HIDDEN)?,
            wdqkv: weight(down, HIDDEN)?,
            product0: product(down)?,
            norm1: norm(Q_LORA)?,
            wuq: weight(up, Q_LORA)?,
            product1: product(up)?,
            key: [same(&[KV_LORA], 1.0)?, same(&[tokens, ROPE], 0.0)?, same(&[tokens, ROPE], 0.5)?],
            wuk: stream.tensor_from(&wuk, Format::FractalNz, &[heads, NOPE, KV_LORA])?,
            slots: tensor(stream, &[tokens], |token| slot(token) as i32)?,
            quant: [same(&[1], 0.03125)?, same(&[heads], 4.0)?],
        })
    }
}

/// Where a token goes: not in order, so that it shows.
fn slot(token: usize) -> usize {
    (token * 131) % (BLOCKS * BLOCK_SIZE)
}

/// What a cache has where nothing is written.
const UNTOUCHED: i8 = 111;

fn demonstrate<T: Activation>(
    tokens: usize,
    heads: usize,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let stream = runtime.device(0)?.stream()?;
    let mut context = Context::new(&stream)?;
    let library = Library::of(&runtime)?;
    writeln!(out, "{} {} on {:?}", library.name(), library.version()?, stream.device())?;

    let param = MlaPreprocess { cache_mode: CacheMode::Int8Nzcache, ..MlaPreprocess::default() };
    let mut operation = Operation::new(&runtime, param)?;
    let inputs = Inputs::new::<T>(&stream, tokens, heads)?;

    // A block of the cache is a matrix [tokens of the block, latent] in fractals.
    let latent_cache = vec![UNTOUCHED; BLOCKS * BLOCK_SIZE * KV_LORA];
    let mut kv_cache =
        stream.tensor_from(&latent_cache, Format::FractalNz, &[BLOCKS, BLOCK_SIZE, KV_LORA])?;
    let rope_cache = vec![T::of(UNTOUCHED.into()); BLOCKS * BLOCK_SIZE * ROPE];
    let mut kv_cache_rope =
        stream.tensor_from(&rope_cache, Format::FractalNz, &[BLOCKS, BLOCK_SIZE, ROPE])?;
    let mut query =
        stream.tensor(ascendcl::TensorDesc::new(DataType::Int8, Format::Nd, &[tokens, heads, KV_LORA])?)?;
    let mut query_rope =
        stream.tensor(ascendcl::TensorDesc::new(T::DATA_TYPE, Format::Nd, &[tokens, heads, ROPE])?)?;

    let pack = with_all(VariantPack::new().input(&inputs.hidden), &inputs.norm0).input(&inputs.wdqkv);
    let pack = with_all(with_all(pack, &inputs.product0), &inputs.norm1).input(&inputs.wuq);
    let pack = with_all(with_all(pack, &inputs.product1), &inputs.key)
        .input(&inputs.wuk)
        .updated(&mut kv_cache)
        .updated(&mut kv_cache_rope)
        .input(&inputs.slots)
        .input(&inputs.quant[0])
        .input(&inputs.quant[1])
        .output(&mut query)
        .output_updated(19)
        .output(&mut query_rope)
        .output_updated(20);
    for (index, desc) in operation.infer_shape(&pack.input_descs())?.iter().enumerate() {
        writeln!(out, "output {index}: {desc}")?;
    }

    let mut workspace = Workspace::default();
    let mut prepared = operation.setup(&mut context, pack)?;
    writeln!(out, "workspace: {} bytes", prepared.workspace_size())?;
    for execution in 1..=EXECUTIONS {
        // SAFETY: slots are below `BLOCKS * BLOCK_SIZE`, and shapes are those of the parameter's documentation.
        unsafe { prepared.execute_unchecked(&stream, &mut workspace) }?;
        stream.synchronize()?;
        writeln!(out, "tokens: {tokens} heads: {heads} execution: {execution}")?;
    }
    drop(prepared);

    check(&stream.tensor_to_vec::<i8>(&kv_cache)?, tokens)?;
    writeln!(out, "{tokens} rows of the cache were written, and no other")?;
    Ok(())
}

/// The pack with more inputs.
fn with_all<'a>(pack: VariantPack<'a>, tensors: &'a [Tensor]) -> VariantPack<'a> {
    tensors.iter().fold(pack, |pack, tensor| pack.input(tensor))
}

/// Whether the tokens' rows of the cache, and no others, have values.
fn check(cache: &[i8], tokens: usize) -> Result<(), String> {
    let mut written: Vec<usize> = (0..tokens).map(slot).collect();
    written.sort_unstable();
    let changed: Vec<usize> = cache
        .chunks(KV_LORA)
        .enumerate()
        .filter(|(_, row)| row.iter().any(|value| *value != UNTOUCHED))
        .map(|(row, _)| row)
        .collect();
    if changed == written {
        return Ok(());
    }
    Err(format!("rows {written:?} of the cache should have been written, and {changed:?} were"))
}
