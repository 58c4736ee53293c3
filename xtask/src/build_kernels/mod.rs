//! `cargo xtask build-kernels`: the kernel for real devices.

mod error;
mod object;
mod step;
mod store;
#[cfg(test)]
mod tests;
mod toolkit;

// The files themselves, and not the crate: that builds the kernel for the simulated device.
#[path = "../../../mlapo-kernel/build/artifacts.rs"]
#[allow(dead_code, reason = "the build script uses the rest")]
mod artifacts;
#[path = "../../../mlapo-kernel/src/device/soc.rs"]
#[expect(unreachable_pub, reason = "public in the crate that it belongs to")]
mod soc;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use artifacts::{Hashes, MANIFEST, Manifest, OBJECT, Source, TILING, VARIABLE, hash};
use error::Error;
use soc::{ARCH, SOCS};
use step::{Code, Plan, Step};
use toolkit::{Method, Toolkit, places};

/// Build the kernel for real devices with an installed CANN toolkit, for mlapo-kernel to embed.
///
/// The object and its manifest go to mlapo-kernel/artifacts/; the next build of mlapo-kernel embeds them. All SoCs of the
/// kernel's architecture share one object. What was built before from the same source with the same toolkit, compiler and
/// options is taken from the cache under target/. A program that has mlapo-kernel from a registry embeds what --out wrote,
/// if it is built with MLAPO_KERNEL_ARTIFACTS=DIR.
///
/// With SOURCE it builds a kernel of your own instead, in the same way, into the object that -o names.
///
/// Exit status: 0 if the object is in its place, 1 if not, with the reason, and 2 for a mistake in the arguments.
#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// A kernel of your own: one file of Ascend C, which may include others of its folder.
    #[arg(value_name = "SOURCE", requires = "object")]
    source: Option<PathBuf>,
    /// Where the object of SOURCE goes: what `Module::load` of ascendcl takes, and aclrtBinaryLoadFromFile.
    #[arg(short = 'o', long, value_name = "OBJECT", requires = "source", conflicts_with = "out")]
    object: Option<PathBuf>,
    /// A device to build for, as aclrtGetSocName or npu-smi calls it, such as Ascend910B3 or 910b3; all if it is not said.
    /// May be given several times.
    #[arg(long = "soc", value_name = "SOC")]
    socs: Vec<String>,
    /// Where the toolkit is installed; ASCEND_HOME_PATH, ASCEND_TOOLKIT_HOME, /usr/local/Ascend and ~/Ascend if it is not
    /// said.
    #[arg(long, value_name = "DIR")]
    ascend_home: Option<PathBuf>,
    /// Where the built kernel goes; the folder that MLAPO_KERNEL_ARTIFACTS names, or mlapo-kernel/artifacts, if it is not
    /// said.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to build; the best way that the toolkit has if it is not said.
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// Print every command and run none.
    #[arg(long)]
    dry_run: bool,
}

const MLAPO_KERNEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../mlapo-kernel");

/// The folders that a build reads and writes.
struct Folders {
    source: Source,
    /// Objects and manifests for the build script of `mlapo-kernel`.
    artifacts: PathBuf,
    /// Whether that folder is the one where the build script looks if it is not told another.
    usual: bool,
    /// Objects by what they were built from.
    cache: PathBuf,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let root = Path::new(MLAPO_KERNEL);
    // Without "..", which would be in every command.
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let target = variable("CARGO_TARGET_DIR").map_or_else(|| root.with_file_name("target"), PathBuf::from);
    let out = args.out.clone().or_else(|| variable(VARIABLE).map(PathBuf::from));
    let folders = Folders {
        source: Source::of_crate(&root),
        usual: out.is_none(),
        artifacts: absolute(out.unwrap_or_else(|| root.join("artifacts"))),
        cache: absolute(target).join("build-kernels"),
    };
    match build(args, &places(args.ascend_home.as_deref(), variable), &folders, &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("build-kernels: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Commands and messages have whole paths: they are used in other folders than this one.
fn absolute(path: PathBuf) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(&path)).unwrap_or(path)
}

fn build(args: &Args, places: &[PathBuf], folders: &Folders, out: &mut impl Write) -> Result<(), Error> {
    let socs = args.socs.iter().map(|name| soc_named(name)).collect::<Result<Vec<_>, _>>()?;
    let own = args.source.as_deref().zip(args.object.as_deref());
    let file = match own {
        Some((source, _)) => source.canonicalize().map_err(Error::file(source))?,
        None => folders.source.kernel.join("mlapo.cpp"),
    };
    let header = folders.source.kernel.join(TILING);
    if own.is_none() && !crate::tiling_header::is_current(&header).map_err(Error::file(&header))? {
        return Err(Error::OldHeader { header });
    }
    let toolkit = Toolkit::find(places)?;
    let method = toolkit.method(args.method)?;
    let other = toolkit.other_method(method).map(Method::word);
    let mut say = |line: String| writeln!(out, "{line}").map_err(Error::file(Path::new("standard output")));
    say(format!(
        "CANN {} (runtime {}) in {}, method {}",
        toolkit.release,
        toolkit.runtime_version,
        toolkit.home.display(),
        method.word()
    ))?;
    // Toolkits build the same for every SoC of the architecture; the CMake project wants the name of one.
    let soc = socs.first().copied().unwrap_or(SOCS[0]);
    let code = Code { file, project: folders.source.project.clone() };
    let plan = |work: &Path| Plan::new(&toolkit, method, &code, work, soc);
    let version = Step::version(&toolkit);
    let destination = folders.artifacts.join(ARCH).join(store::folder_name(&toolkit.release));
    if args.dry_run {
        let plan = plan(&folders.cache.join("work"));
        // The version is a part of what ours is kept by.
        let version = version.iter().filter(|_| own.is_none());
        version.chain(&plan.steps).try_for_each(|step| say(step.to_string()))?;
        return say(match own {
            Some((_, object)) => format!("would write {}", object.display()),
            None => format!(
                "would write {} and {MANIFEST}, unless they are in the cache",
                destination.join(OBJECT).display()
            ),
        });
    }
    if let Some((_, object)) = own {
        let copy = |built: &Path| store::copy(built, object);
        store::compile(plan, &folders.cache, &[], |step| say(format!("  {step}")), copy)
            .map_err(|error| error.or_by(other))?;
        return say(format!("{}: built", object.display()));
    }
    let compiler = match version.map(|step| step.run()).transpose() {
        Ok(text) => text,
        // The project finds its compiler itself, and it need not be this one.
        Err(error) if method == Method::Cmake => {
            say(format!("the compiler does not say its version: {error}"))?;
            None
        }
        Err(error) => return Err(error.or_by(other)),
    };
    let compiler = compiler.unwrap_or_else(|| "unknown".to_owned());
    let hashes = Hashes::of(&folders.source).map_err(Error::file(&folders.source.kernel))?;
    // The commands stand for method and options; the folder of the work is no part of what is built. The SoC, too, is
    // none: see above.
    let commands = Plan::new(&toolkit, method, &code, Path::new(""), SOCS[0]).steps;
    let commands: Vec<String> = commands.iter().map(Step::to_string).collect();
    let parts = [&hashes.source, &hashes.tiling, &toolkit.release, &toolkit.runtime_version, &compiler];
    let key = hash(format!("{parts:?} {commands:?}").as_bytes());
    let cached = store::place(&folders.cache, &key);
    let from_cache = cached.is_file();
    if !from_cache {
        let keep = |built: &Path| store::keep(built, &folders.cache, &key);
        store::compile(plan, &folders.cache, &object::FUNCTIONS, |step| say(format!("  {step}")), keep)
            .map_err(|error| error.or_by(other))?;
    }
    let object = fs::read(&cached).map_err(Error::file(&cached))?;
    let manifest = Manifest {
        kernel: "mlapo".to_owned(),
        arch: ARCH.to_owned(),
        socs: SOCS.map(str::to_owned).to_vec(),
        toolkit_version: toolkit.release.clone(),
        runtime_version: toolkit.runtime_version.clone(),
        method: method.word().to_owned(),
        compiler: compiler.lines().next().unwrap_or_default().to_owned(),
        source_hash: hashes.source,
        tiling_hash: hashes.tiling,
        object_hash: hash(&object),
    };
    let written = store::write_artifact(&destination, &object, &manifest)?;
    say(format!(
        "{}: {}, {}",
        destination.join(OBJECT).display(),
        if from_cache { "from the cache" } else { "built" },
        if written { "embedded when mlapo-kernel is built next" } else { "already in place" }
    ))?;
    if folders.usual {
        return Ok(());
    }
    say(format!("to embed it, build the program with {VARIABLE}={}", folders.artifacts.display()))
}

/// The SoC that a name means. `aclrtGetSocName` says `Ascend910B3`, `npu-smi` shows `910B3`.
fn soc_named(name: &str) -> Result<&'static str, Error> {
    let number = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        name.strip_prefix("ascend").unwrap_or(&name).trim_start().to_owned()
    };
    let soc = SOCS.into_iter().find(|soc| number(soc) == number(name));
    soc.ok_or_else(|| Error::UnsupportedSoc { soc: name.to_owned() })
}
