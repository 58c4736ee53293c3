//! An operator of one's own, from its kernel in Ascend C to a safe call: `y = x + alpha * r`.
//!
//! ```sh
//! cargo run -p ascendcl --example own_operator               # builds the kernel for the simulated device
//! cargo run -p ascendcl --example own_operator -- KERNEL.o   # loads one that was built for the device
//! ```
//!
//! `docs/writing-an-operator.md` goes through it step by step.

use std::error::Error;
use std::path::{Path, PathBuf};

use ascendcl::{
    BackendKind, DataType, Device, Format, Kernel, KernelArgs, Module, Runtime, ShapeError, Stream, Tensor,
};

/// Elements that the kernel takes at a time, as its source has it.
const TILE: usize = 2048;
/// The unit of a copy, in elements of fp32: 32 bytes.
const UNIT: usize = 8;
/// The kernel counts in 32 bits, and steps beyond the last tile.
const MAX_LEN: usize = 1 << 31;

/// The operator: `y = x + alpha * r`, each product and each sum rounded once to fp32.
#[derive(Debug)]
pub struct ScaledAdd {
    kernel: Kernel,
    /// As many blocks as run at the same time.
    cores: usize,
}

impl ScaledAdd {
    /// Loads the kernel for a device.
    ///
    /// # Errors
    /// [`ascendcl::Error`] if the object cannot be loaded, or has no such kernel.
    ///
    /// # Safety
    /// The object is built from `own_operator.cpp`: it is native code, and nobody can check what it does.
    pub unsafe fn load(device: &Device, object: &Path) -> ascendcl::Result<Self> {
        let kernel = Module::load(device, object)?.kernel("scaled_add")?;
        let cores = device.properties()?.vector_cores;
        Ok(Self { kernel, cores })
    }

    /// Queues `y = x + alpha * r`. The three tensors are FLOAT, ND, of one shape, whose elements are a multiple of 8.
    ///
    /// # Errors
    /// [`ascendcl::Error::Shape`] with the tensor that does not fit; [`ascendcl::Error::Mismatch`] for one of another
    /// device; [`ascendcl::Error::Acl`] from the library.
    pub fn forward(
        &self,
        stream: &Stream,
        x: &Tensor,
        r: &Tensor,
        alpha: f32,
        y: &mut Tensor,
    ) -> ascendcl::Result<()> {
        let (shape, len) = (x.desc().shape(), x.desc().len());
        for (what, tensor) in [("x", x), ("r", r), ("y", &*y)] {
            let desc = tensor.desc();
            let refuse = |expected: String, got: String| Err(ShapeError { what, expected, got }.into());
            if (desc.dtype(), desc.format()) != (DataType::Float32, Format::Nd) {
                let got = format!("{:?}, {:?}", desc.dtype(), desc.format());
                return refuse("Float32, Nd".into(), got);
            }
            if desc.shape() != shape {
                return refuse(format!("{shape:?}, the shape of x"), format!("{:?}", desc.shape()));
            }
        }
        if !len.is_multiple_of(UNIT) || len > MAX_LEN {
            let expected = format!("a multiple of {UNIT} elements, at most {MAX_LEN}");
            return Err(ShapeError { what: "x", expected, got: len.to_string() }.into());
        }
        if len == 0 {
            return Ok(());
        }
        let blocks = len.div_ceil(TILE).min(self.cores);
        let arguments = KernelArgs::new()
            .read(x.buffer())
            .read(r.buffer())
            .write(y.buffer_mut())
            .value(alpha)
            .value(len as u32);
        // SAFETY: the kernel is that of `own_operator.cpp` (`load`), whose parameters these are. It reads `len` numbers of x
        // and r and writes `len` of y, which all three have as they were checked above; `len` is a multiple of its unit.
        unsafe { self.kernel.launch(stream, blocks as u32, arguments) }
    }
}

/// Builds the kernel for the simulated device.
fn build(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own_operator.cpp");
    Ok(ascendcl_sim_cc::Build::new(folder.join("own_operator.so")).source(source).run()?.output)
}

/// Runs the operator on three rows, and compares with the formula.
pub fn run(object: Option<PathBuf>) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let device = runtime.device(0)?;
    let stream = device.stream()?;
    let folder = tempfile::tempdir()?;
    let object = match (object, runtime.backend()) {
        (Some(object), _) => object,
        (None, BackendKind::Sim) => build(folder.path())?,
        (None, BackendKind::Npu) => {
            return Err("name the kernel's object that was built for the device".into());
        }
    };
    // SAFETY: it is built from that source, or the caller says so.
    let scaled_add = unsafe { ScaledAdd::load(&device, &object) }?;

    let shape = [3, 7168];
    let numbers =
        |step: usize| -> Vec<f32> { (0..3 * 7168).map(|i| (i * step % 257) as f32 / 16.0).collect() };
    let (x, r, alpha) = (numbers(3), numbers(5), 0.3);
    let on_device = |values: &[f32]| stream.tensor_from(values, Format::Nd, &shape);
    let (dx, dr) = (on_device(&x)?, on_device(&r)?);
    let mut dy = stream.tensor(dx.desc().clone())?;
    scaled_add.forward(&stream, &dx, &dr, alpha, &mut dy)?;

    let y = stream.tensor_to_vec::<f32>(&dy)?;
    let wrong = (0..y.len()).filter(|&i| y[i] != x[i] + alpha * r[i]).count();
    println!("{} elements on {}, {wrong} wrong", y.len(), device.properties()?.soc_name);

    // A shape that does not fit is an error that names the tensor, before anything is queued.
    let mut narrow = stream.tensor(stream.tensor_from(&[0.0f32; 8], Format::Nd, &[8])?.desc().clone())?;
    match scaled_add.forward(&stream, &dx, &dr, alpha, &mut narrow) {
        Err(error) => println!("refused: {error}"),
        Ok(()) => return Err("a wrong shape was taken".into()),
    }
    if wrong == 0 { Ok(()) } else { Err("the result differs from the formula".into()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args_os().nth(1).map(PathBuf::from))
}
