//! `cargo xtask build-kernels`: the kernel for real devices.

mod error;
mod step;
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

use artifacts::{Hashes, MANIFEST, Manifest, OBJECT, TILING, hash};
use error::Error;
use soc::{ARCH, SOCS};
use step::{Plan, Step};
use toolkit::{Method, Toolkit, places};

/// Build the kernel for real devices with an installed CANN toolkit, for mlapo-kernel to embed.
///
/// The object and its manifest go to mlapo-kernel/artifacts/; the next build of mlapo-kernel embeds them. All SoCs of the
/// kernel's architecture share one object. What was built before from the same source with the same toolkit, compiler and
/// options is taken from the cache under target/.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A device to build for, as aclrtGetSocName or npu-smi calls it, such as Ascend910B3; all if it is not said. May be
    /// given several times.
    #[arg(long = "soc", value_name = "SOC")]
    socs: Vec<String>,
    /// Where the toolkit is installed; ASCEND_HOME_PATH, ASCEND_TOOLKIT_HOME and /usr/local/Ascend if it is not said.
    #[arg(long, value_name = "DIR")]
    ascend_home: Option<PathBuf>,
    /// How to build; the best way that the toolkit has if it is not said.
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// Print every command and run none.
    #[arg(long)]
    dry_run: bool,
}

const MLAPO_KERNEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../mlapo-kernel");
/// The CMake project for toolkits whose compiler cannot be called directly.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../mlapo-kernel/device");

/// The folders that a build reads and writes.
struct Folders {
    /// The kernel's source.
    kernel: PathBuf,
    /// Objects and manifests for the build script of `mlapo-kernel`.
    artifacts: PathBuf,
    /// Objects by what they were built from.
    cache: PathBuf,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let root = Path::new(MLAPO_KERNEL);
    // Without "..", which would be in every command.
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("../target"), PathBuf::from);
    let target = target.canonicalize().unwrap_or(target);
    let folders = Folders {
        kernel: root.join("kernel"),
        artifacts: root.join("artifacts"),
        cache: target.join("build-kernels"),
    };
    let places = places(args.ascend_home.as_deref(), |name| env::var_os(name));
    match build(args, &places, &folders, &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("build-kernels: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(args: &Args, places: &[PathBuf], folders: &Folders, out: &mut impl Write) -> Result<(), Error> {
    if let Some(soc) = args.socs.iter().find(|soc| !SOCS.contains(&soc.as_str())) {
        return Err(Error::UnsupportedSoc { soc: soc.clone() });
    }
    let header = folders.kernel.join(TILING);
    if !crate::tiling_header::is_current(&header).map_err(Error::file(&header))? {
        return Err(Error::OldHeader { header });
    }
    let toolkit = Toolkit::find(places)?;
    let method = toolkit.method(args.method)?;
    let mut say = |line: String| writeln!(out, "{line}").map_err(Error::file(Path::new("standard output")));
    say(format!(
        "CANN {} (runtime {}) in {}, method {}",
        toolkit.release,
        toolkit.runtime_version,
        toolkit.home.display(),
        method.word()
    ))?;
    // Toolkits build the same for every SoC of the architecture; the CMake project wants the name of one.
    let soc = args.socs.first().map_or(SOCS[0], String::as_str);
    let plan = |work: &Path| Plan::new(&toolkit, method, &folders.kernel, work, soc);
    let version = Step::version(&toolkit);
    let destination = folders.artifacts.join(ARCH).join(folder_name(&toolkit.release));
    if args.dry_run {
        let plan = plan(&folders.cache.join("work"));
        version.iter().chain(&plan.steps).try_for_each(|step| say(step.to_string()))?;
        return say(format!(
            "would write {} and {MANIFEST}, unless they are in the cache",
            destination.join(OBJECT).display()
        ));
    }
    let compiler = version.map(|step| step.run()).transpose()?.unwrap_or_else(|| "unknown".to_owned());
    let hashes = Hashes::of(&folders.kernel).map_err(Error::file(&folders.kernel))?;
    // The commands stand for method and options; the folder of the work is no part of what is built. The SoC, too, is
    // none: see above.
    let commands = Plan::new(&toolkit, method, &folders.kernel, Path::new(""), SOCS[0]).steps;
    let commands: Vec<String> = commands.iter().map(Step::to_string).collect();
    let parts = [&hashes.source, &hashes.tiling, &toolkit.release, &toolkit.runtime_version, &compiler];
    let key = hash(format!("{parts:?} {commands:?}").as_bytes());
    let cached = folders.cache.join(&key).join(OBJECT);
    let from_cache = cached.is_file();
    if !from_cache {
        let work = folders.cache.join(format!("{key}.work"));
        compile(&plan(&work), &work, &cached, |step| say(format!("  {step}"))).map_err(
            |error| match error {
                Error::Failed { step, status, output, .. } => {
                    let other = toolkit.other_method(method).map(Method::word);
                    Error::Failed { step, status, output, other }
                }
                error => error,
            },
        )?;
    }
    let object = fs::read(&cached).map_err(Error::file(&cached))?;
    for missing in missing_names(&object) {
        say(format!(
            "warning: the object has no symbol {missing}; the library looks for the kernel's two halves by such names"
        ))?;
    }
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
    let written = write_artifact(&destination, &object, &manifest)?;
    say(format!(
        "{}: {}, {}",
        destination.join(OBJECT).display(),
        if from_cache { "from the cache" } else { "built" },
        if written { "embedded when mlapo-kernel is built next" } else { "already in place" }
    ))
}

/// Runs a plan in a new folder and puts its object where it is kept.
fn compile(
    plan: &Plan,
    work: &Path,
    cached: &Path,
    mut say: impl FnMut(&Step) -> Result<(), Error>,
) -> Result<(), Error> {
    // What a build that failed has left.
    match fs::remove_dir_all(work) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::file(work)(error)),
        _ => fs::create_dir_all(work).map_err(Error::file(work))?,
    }
    for step in &plan.steps {
        say(step)?;
        step.run()?;
    }
    let object = &plan.object;
    let no_object = |what| Error::NoObject { object: object.clone(), what };
    let bytes = fs::read(object).map_err(|_| no_object("not there"))?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err(no_object("no ELF object"));
    }
    if let Some(folder) = cached.parent() {
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    fs::rename(object, cached).map_err(Error::file(cached))?;
    fs::remove_dir_all(work).map_err(Error::file(work))
}

/// The names of a mixed kernel's two halves that are not in an object. The runtime cuts their endings off, so that
/// `aclrtBinaryGetFunction` finds both as `mlapo`.
fn missing_names(object: &[u8]) -> impl Iterator<Item = &'static str> {
    ["mlapo_mix_aic", "mlapo_mix_aiv"]
        .into_iter()
        .filter(|name| !object.windows(name.len()).any(|window| window == name.as_bytes()))
}

/// Whether anything had to be written: files that are as they should be keep their time, so that nothing is rebuilt.
fn write_artifact(folder: &Path, object: &[u8], manifest: &Manifest) -> Result<bool, Error> {
    let (object_path, manifest_path) = (folder.join(OBJECT), folder.join(MANIFEST));
    let text = serde_json::to_string_pretty(manifest)
        .map_err(|error| Error::file(&manifest_path)(error.into()))?
        + "\n";
    let same = |path: &Path, content: &[u8]| fs::read(path).is_ok_and(|there| there == content);
    if same(&object_path, object) && same(&manifest_path, text.as_bytes()) {
        return Ok(false);
    }
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    fs::write(&object_path, object).map_err(Error::file(&object_path))?;
    // Last: until it is there, the build script leaves the object out.
    fs::write(&manifest_path, text).map_err(Error::file(&manifest_path))?;
    Ok(true)
}

/// A release as the name of a folder.
fn folder_name(release: &str) -> String {
    let keep = |character: char| character.is_ascii_alphanumeric() || ".-_+".contains(character);
    let name: String =
        release.chars().map(|character| if keep(character) { character } else { '_' }).collect();
    if name.chars().all(|character| character == '.') { "_".to_owned() } else { name }
}
