//! `cargo xtask sim-install`: the simulated AscendCL for C and C++ programs, laid out as a toolkit.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, io};

/// Install the simulated AscendCL: libraries, headers, sim-cc, and packages of CMake and pkg-config.
///
/// The folder is laid out as a toolkit's: programs that build against ASCEND_HOME_PATH build against it. Running it again
/// brings the folder up to date.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder to install into.
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The profile of cargo that the library is built with.
    #[arg(long, default_value = "release", value_name = "NAME")]
    profile: String,
}

/// Why nothing, or not all, was installed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("cargo cannot be started: {0}")]
    Cargo(io::Error),
    #[error("cargo build failed; its messages are above")]
    Build,
    #[error("cargo did not say where it put {0}")]
    NotBuilt(&'static str),
    #[error(
        "{} is there, and not from sim-install; choose another folder, so that a real toolkit is not overwritten",
        .0.display()
    )]
    Foreign(PathBuf),
}

type Result<T = ()> = std::result::Result<T, Error>;

/// The names that programs link the library by. It has all functions of the first nine.
const NAMES: [&str; 18] = [
    "ascendcl",
    "acl_rt",
    "acl_rt_impl",
    "nnopbase",
    "opapi",
    "acl_tdt_channel",
    "acl_tdt_queue",
    "msprofiler",
    "ascend_dump",
    // Samples link these, most without using any of their functions; one that is used is missing at link time.
    "runtime",
    "tiling_api",
    "register",
    "platform",
    "graph_base",
    "unified_dlog",
    "ascendalog",
    "profapi",
    "c_sec",
];

/// Folders by which older toolkits and their samples name the same.
const OTHER_ROOTS: [&str; 3] = ["runtime", "acllib", arch_folder()];

const fn arch_folder() -> &'static str {
    if cfg!(target_arch = "aarch64") { "aarch64-linux" } else { "x86_64-linux" }
}

/// The list of what was installed, one path a line.
const MANIFEST: &str = "share/ascendcl-sim/manifest";

const CMAKE: [(&str, &str); 7] = [
    (
        "AscendCLSim/AscendCLSimConfig.cmake",
        include_str!("../../ascendcl/sim/cc/cmake/AscendCLSimConfig.cmake"),
    ),
    (
        "AscendCLSim/AscendCLSimConfigVersion.cmake",
        include_str!("../../ascendcl/sim/cc/cmake/AscendCLSimConfigVersion.cmake"),
    ),
    ("ASC/asc-config.cmake", include_str!("../../ascendcl/sim/cc/cmake/asc/asc-config.cmake")),
    (
        "ASC/CMakeDetermineASCCompiler.cmake",
        include_str!("../../ascendcl/sim/cc/cmake/asc/CMakeDetermineASCCompiler.cmake"),
    ),
    (
        "ASC/CMakeASCCompiler.cmake.in",
        include_str!("../../ascendcl/sim/cc/cmake/asc/CMakeASCCompiler.cmake.in"),
    ),
    (
        "ASC/CMakeASCInformation.cmake",
        include_str!("../../ascendcl/sim/cc/cmake/asc/CMakeASCInformation.cmake"),
    ),
    (
        "ASC/CMakeTestASCCompiler.cmake",
        include_str!("../../ascendcl/sim/cc/cmake/asc/CMakeTestASCCompiler.cmake"),
    ),
];

/// Files of text, with their paths in the prefix.
const TEXTS: [(&str, &str); 5] = [
    ("lib64/pkgconfig/ascendcl-sim.pc", include_str!("../../ascendcl/sim/cc/cmake/ascendcl-sim.pc")),
    ("set_env.sh", SET_ENV),
    ("bin/setenv.bash", SET_ENV),
    // Toolkits have it in either of these.
    ("compiler/tikcpp/ascendc_kernel_cmake/ascendc.cmake", KERNEL_PROJECT),
    ("tools/tikcpp/ascendc_kernel_cmake/ascendc.cmake", KERNEL_PROJECT),
];

const SET_ENV: &str = include_str!("../../ascendcl/sim/cc/cmake/set_env.sh");
const KERNEL_PROJECT: &str = include_str!("../../ascendcl/sim/cc/cmake/ascendc.cmake");

/// What is put at a path of the prefix.
enum Content {
    Copy(PathBuf),
    Text(String),
    Link(String),
}

/// What cargo built.
struct Built {
    library: PathBuf,
    sim_cc: PathBuf,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match install(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim-install: {error}");
            ExitCode::FAILURE
        }
    }
}

fn install(args: &Args) -> Result {
    let prefix =
        std::path::absolute(&args.prefix).map_err(|error| Error::Io { path: args.prefix.clone(), error })?;
    let built = if args.dry_run {
        let folder = workspace().join("target").join(&args.profile);
        println!("build   ascendcl-sim and sim-cc with cargo, profile {}", args.profile);
        Built { library: folder.join("libascendcl_sim.so"), sim_cc: folder.join("sim-cc") }
    } else {
        build(&args.profile)?
    };
    let items = items(&prefix, &built)?;
    let old = manifest(&prefix);
    for (path, _) in &items {
        let full = prefix.join(path);
        if full.symlink_metadata().is_ok() && !old.contains(path) {
            return Err(Error::Foreign(full));
        }
    }
    let new: BTreeSet<String> = items.iter().map(|(path, _)| path.clone()).collect();
    if args.dry_run {
        for (path, content) in &items {
            let path = prefix.join(path);
            match content {
                Content::Copy(from) => println!("copy    {} from {}", path.display(), from.display()),
                Content::Text(_) => println!("write   {}", path.display()),
                Content::Link(to) => println!("link    {} to {to}", path.display()),
            }
        }
        for path in old.difference(&new) {
            println!("remove  {}", prefix.join(path).display());
        }
        return Ok(());
    }
    // The list first, of old and new: an installation that is cut short is recognized as one.
    let all: Vec<&str> = old.union(&new).map(String::as_str).collect();
    put(&prefix, MANIFEST, &Content::Text(all.join("\n") + "\n"))?;
    for (path, content) in &items {
        put(&prefix, path, content)?;
    }
    for path in old.difference(&new) {
        let path = prefix.join(path);
        fs::remove_file(&path).or_else(missing_is_fine).map_err(|error| Error::Io { path, error })?;
    }
    let all: Vec<&str> = new.iter().map(String::as_str).collect();
    put(&prefix, MANIFEST, &Content::Text(all.join("\n") + "\n"))?;
    println!("installed into {}", prefix.display());
    println!("  source {}/set_env.sh   or   cmake -DCMAKE_PREFIX_PATH={0}", prefix.display());
    Ok(())
}

/// Builds the library and the compiler, and asks cargo where they are.
fn build(profile: &str) -> Result<Built> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--profile", profile, "-p", "ascendcl-sim", "-p", "ascendcl-sim-cc"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::Cargo)?;
    if !output.status.success() {
        return Err(Error::Build);
    }
    let (mut library, mut sim_cc) = (None, None);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let path = |value: &serde_json::Value| value.as_str().map(PathBuf::from);
        if message["target"]["name"] == "sim-cc" {
            sim_cc = path(&message["executable"]).or(sim_cc);
        }
        if message["target"]["name"] == "ascendcl_sim" {
            let files = message["filenames"].as_array().into_iter().flatten();
            library =
                files.filter_map(path).find(|file| file.extension().is_some_and(|e| e == "so")).or(library);
        }
    }
    Ok(Built {
        library: library.ok_or(Error::NotBuilt("libascendcl_sim.so"))?,
        sim_cc: sim_cc.ok_or(Error::NotBuilt("sim-cc"))?,
    })
}

fn workspace() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    path.canonicalize().unwrap_or(path)
}

/// All that is installed, each with its path in the prefix.
fn items(prefix: &Path, built: &Built) -> Result<Vec<(String, Content)>> {
    let workspace = workspace();
    let mut items = vec![
        ("bin/sim-cc".to_owned(), Content::Copy(built.sim_cc.clone())),
        ("lib64/libascendcl_sim.so".to_owned(), Content::Copy(built.library.clone())),
        // CMake looks into lib, also where it does not into lib64.
        ("lib".to_owned(), Content::Link("lib64".into())),
    ];
    for name in NAMES {
        let file = format!("lib{name}.so");
        items.push((format!("lib64/stub/{file}"), Content::Link("../libascendcl_sim.so".into())));
        items.push((format!("lib64/{file}"), Content::Link("libascendcl_sim.so".into())));
    }
    for root in OTHER_ROOTS {
        for folder in ["include", "lib64"] {
            items.push((format!("{root}/{folder}"), Content::Link(format!("../{folder}"))));
        }
    }
    for (folder, to) in [("ascendcl-sys/include", "include"), ("ascendcl/sim/include", "include/ascendc")] {
        let root = workspace.join(folder);
        let mut files = Vec::new();
        collect(&root, &mut files)?;
        for file in files {
            let Ok(relative) = file.strip_prefix(&root) else { continue };
            // Operators are called by host code.
            let to = if relative.starts_with("aclnnop") { "include" } else { to };
            items.push((format!("{to}/{}", relative.display()), Content::Copy(file)));
        }
    }
    let filled = |text: &str| {
        text.replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@PREFIX@", &prefix.display().to_string())
    };
    for (path, text) in CMAKE {
        let path = format!("lib64/cmake/{path}");
        // CMake fills the template itself.
        let text = if path.ends_with(".in") { text.to_owned() } else { filled(text) };
        items.push((path, Content::Text(text)));
    }
    for (path, text) in TEXTS {
        items.push((path.to_owned(), Content::Text(filled(text))));
    }
    Ok(items)
}

/// The files below a folder, sorted.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result {
    let failed = |error| Error::Io { path: folder.to_owned(), error };
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// What an earlier run installed.
fn manifest(prefix: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(prefix.join(MANIFEST)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Puts content at a path, in place of what is there: a program that runs keeps the file that it has open.
fn put(prefix: &Path, path: &str, content: &Content) -> Result {
    let to = prefix.join(path);
    let failed = |error| Error::Io { path: to.clone(), error };
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let new = to.with_file_name(format!(".{name}.new"));
    fs::remove_file(&new).or_else(missing_is_fine).map_err(failed)?;
    match content {
        Content::Copy(from) => {
            fs::copy(from, &new).map_err(|error| Error::Io { path: from.clone(), error })?;
        }
        Content::Text(text) => {
            fs::write(&new, text).map_err(failed)?;
            fs::set_permissions(&new, Permissions::from_mode(0o644)).map_err(failed)?;
        }
        Content::Link(target) => symlink(target, &new).map_err(failed)?,
    }
    fs::rename(&new, &to).map_err(failed)
}

fn missing_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
