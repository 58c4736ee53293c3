//! Compiles Ascend C kernels into objects of the simulated AI cores, with the host's C++ compiler.
//!
//! A kernel's source is compiled twice, as the device's compiler does it: with `__DAV_C220_CUBE__` for cube cores
//! and with `__DAV_C220_VEC__` for vector cores, against the headers of `ascendcl-sim`. The two become one shared
//! library that `aclrtBinaryLoadFromFile` of the simulator loads.
//!
//! Functions and variables of the two variants have the same names and differ in what they do, so the linker must
//! not merge them: each object file is linked into a relocatable one without groups, all of whose symbols but the
//! entries of its kernels are then made local (`objcopy`, which comes with the compiler's linker). So a source sees
//! nothing of the others.
//!
//! Files that also have host code, which launches their kernels by `<<<...>>>`, become object files of a [`Program`].
//!
//! ```no_run
//! # fn main() -> Result<(), ascendcl_sim_cc::Error> {
//! let built = ascendcl_sim_cc::Build::new("add.so").source("add.cpp").run()?;
//! assert_eq!(built.kernels[0].name, "add_custom");
//! # Ok(())
//! # }
//! ```

pub mod cli;
mod launch_headers;
mod lex;
mod program;
mod scan;
mod tools;
mod translate;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

pub use program::Program;
use scan::Found;
use tempfile::TempDir;
use tools::{check_compiled, is_system, quoted, run, run_linker, write};

/// Why a kernel cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to compile.
    #[error("no source was given")]
    NoSource,
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A program of the compiler's tool chain cannot be started.
    #[error(
        "{program} cannot be started ({error}); install g++ 9 or later with binutils (`apt install g++`), or name \
         the compiler with --cxx or CXX"
    )]
    NoProgram {
        /// The program.
        program: String,
        /// What the system says.
        error: io::Error,
    },
    /// The compiler refuses a source; its output names file and line.
    #[error("{} does not compile for {cores}:\n{output}", source_file.display())]
    Compile {
        /// The source.
        source_file: PathBuf,
        /// The kind of core that it was compiled for.
        cores: &'static str,
        /// What the compiler says.
        output: String,
    },
    /// The objects cannot be linked.
    #[error("{program} fails on the objects of the kernels:\n{output}")]
    Link {
        /// The program.
        program: String,
        /// What it says.
        output: String,
    },
    /// No file has a kernel.
    #[error(
        "no kernel function in {files}: a kernel is `__global__ __aicore__ void name(...) {{ ... }}` and no template"
    )]
    NoKernel {
        /// The sources.
        files: String,
    },
    /// Two kernels have one name.
    #[error("there are two kernels {name}")]
    Twice {
        /// The name.
        name: String,
    },
    /// Host code in the source of a kernel.
    #[error(
        "{file}:{line}: a launch by <<<...>>> is host code, which an object of kernels has not; build a program \
         (sim-cc -o PROGRAM), an object file (sim-cc -c) or a shared library (sim-cc -shared), or put the host code \
         between `#ifndef __CCE_AICORE__` and `#endif`"
    )]
    HostCode {
        /// The file.
        file: String,
        /// The line.
        line: u32,
    },
    /// A launch by `<<<...>>>` that cannot be read.
    #[error("{file}:{line}: {why}; a launch is `kernel<<<blocks, nullptr, stream>>>(arguments)`")]
    Launch {
        /// The file.
        file: String,
        /// The line.
        line: u32,
        /// What is missing.
        why: &'static str,
    },
    /// An option of the command line.
    #[error("{option}: {why}")]
    Option {
        /// The option.
        option: String,
        /// What is wrong with it.
        why: String,
    },
    /// A kernel's type that NPU architecture 2201 has not.
    #[error(
        "{file}:{line}: {text} is no type of kernel on this device; it has KERNEL_TYPE_AIV_ONLY, _AIC_ONLY, \
         _MIX_AIV_1_0, _MIX_AIC_1_0, _MIX_AIC_1_1 and _MIX_AIC_1_2"
    )]
    KernelType {
        /// The file.
        file: String,
        /// The line.
        line: u32,
        /// The type.
        text: String,
    },
}

/// On which cores a kernel runs (`KERNEL_TASK_TYPE_DEFAULT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KernelType {
    /// Vector cores.
    AivOnly = 0,
    /// Cube cores.
    AicOnly = 1,
    /// Vector cores, with synchronization between cores.
    MixAiv10 = 2,
    /// Cube cores, with synchronization between cores.
    MixAic10 = 3,
    /// A cube core and a vector core for each block.
    MixAic11 = 4,
    /// A cube core and two vector cores for each block.
    MixAic12 = 5,
}

impl KernelType {
    fn of_macro(name: &str) -> Option<Self> {
        Some(match name {
            "KERNEL_TYPE_AIV_ONLY" => Self::AivOnly,
            "KERNEL_TYPE_AIC_ONLY" => Self::AicOnly,
            "KERNEL_TYPE_MIX_AIV_1_0" => Self::MixAiv10,
            "KERNEL_TYPE_MIX_AIC_1_0" => Self::MixAic10,
            "KERNEL_TYPE_MIX_AIC_1_1" => Self::MixAic11,
            "KERNEL_TYPE_MIX_AIC_1_2" => Self::MixAic12,
            _ => return None,
        })
    }

    /// The type of a kernel that does not say it, by whether it computes on vector cores and on cube cores.
    fn of_use([vector, cube]: [bool; 2]) -> Self {
        match (vector, cube) {
            (true, true) => Self::MixAic12,
            (false, true) => Self::AicOnly,
            // What computes nothing runs on vector cores, as scalar code does on the device.
            (_, false) => Self::AivOnly,
        }
    }

    fn runs_on(self, core: Core) -> bool {
        match self {
            Self::AivOnly | Self::MixAiv10 => core == Core::Vector,
            Self::AicOnly | Self::MixAic10 => core == Core::Cube,
            Self::MixAic11 | Self::MixAic12 => true,
        }
    }
}

/// A kernel that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The name by which `aclrtBinaryGetFunction` finds it.
    pub name: String,
    /// The cores that it runs on: what the source says, else what its instructions need.
    pub kernel_type: KernelType,
}

/// A kernel object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The shared library.
    pub output: PathBuf,
    /// Its kernels, in the order of the sources.
    pub kernels: Vec<Kernel>,
}

/// The kinds of core, each with its variant of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Core {
    Vector,
    Cube,
}

impl Core {
    const ALL: [Self; 2] = [Self::Vector, Self::Cube];

    const fn name(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Cube => "cube",
        }
    }

    const fn cores(self) -> &'static str {
        match self {
            Self::Vector => "vector cores",
            Self::Cube => "cube cores",
        }
    }

    const fn define(self) -> &'static str {
        match self {
            Self::Vector => "-D__DAV_C220_VEC__",
            Self::Cube => "-D__DAV_C220_CUBE__",
        }
    }

    /// The section that instructions of this kind of core leave in an object.
    const fn section(self) -> &'static [u8] {
        match self {
            Self::Vector => b".ascendc_model.vector\0",
            Self::Cube => b".ascendc_model.cube\0",
        }
    }
}

/// A kernel object to be.
#[derive(Clone, Debug)]
pub struct Build {
    output: PathBuf,
    sources: Vec<PathBuf>,
    includes: Vec<PathBuf>,
    defines: Vec<String>,
    compiler: Option<OsString>,
    headers: PathBuf,
}

/// Some kernels of a source, which become one object file for each kind of core.
struct Unit<'a> {
    source: &'a Path,
    kernels: Vec<Found>,
    objects: Vec<(Core, PathBuf)>,
    /// Whether each kind of core has something to compute.
    computes: [bool; 2],
}

impl Build {
    /// A kernel object that will be written to `output`.
    pub fn new(output: impl Into<PathBuf>) -> Self {
        Self {
            output: output.into(),
            sources: Vec::new(),
            includes: Vec::new(),
            defines: Vec::new(),
            compiler: None,
            headers: Self::headers(),
        }
    }

    /// Adds a source: a file of C++, whatever its name ends in.
    #[must_use]
    pub fn source(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(path.into());
        self
    }

    /// Adds a folder to look for included files in.
    #[must_use]
    pub fn include(mut self, path: impl Into<PathBuf>) -> Self {
        self.includes.push(path.into());
        self
    }

    /// Defines a macro: `NAME` or `NAME=VALUE`.
    #[must_use]
    pub fn define(mut self, definition: impl Into<String>) -> Self {
        self.defines.push(definition.into());
        self
    }

    /// Takes this compiler, which must understand the options of g++, in place of `CXX` or `g++`.
    #[must_use]
    pub fn compiler(mut self, program: impl Into<OsString>) -> Self {
        self.compiler = Some(program.into());
        self
    }

    /// Takes the headers that kernels are compiled against from this folder.
    #[must_use]
    pub fn headers_in(mut self, path: impl Into<PathBuf>) -> Self {
        self.headers = path.into();
        self
    }

    /// The folder of the headers that kernels are compiled against, in the source tree of this crate.
    pub fn headers() -> PathBuf {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
        path.canonicalize().unwrap_or(path)
    }

    /// Compiles and links.
    ///
    /// # Errors
    /// [`Error`] says what is missing or wrong.
    pub fn run(&self) -> Result<Built, Error> {
        if self.sources.is_empty() {
            return Err(Error::NoSource);
        }
        let folder = TempDir::new().map_err(|error| Error::Io { path: env::temp_dir(), error })?;
        let folder = folder.path();
        let mut units = Vec::new();
        let sources = self
            .sources
            .iter()
            .map(|path| path.canonicalize().map_err(|error| Error::Io { path: path.clone(), error }));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeSet::new();
        for source in &sources {
            let kernels = self.scan(source)?;
            for kernel in &kernels {
                if !names.insert(kernel.name.clone()) {
                    return Err(Error::Twice { name: kernel.name.clone() });
                }
            }
            // What a kernel computes can be told only if it is alone in its object.
            let (said, unsaid): (Vec<_>, Vec<_>) =
                kernels.into_iter().partition(|kernel| kernel.kernel_type.is_some());
            let groups = [said].into_iter().chain(unsaid.into_iter().map(|kernel| vec![kernel]));
            units.extend(groups.filter(|kernels| !kernels.is_empty()).map(|kernels| Unit {
                source,
                kernels,
                objects: Vec::new(),
                computes: [false; 2],
            }));
        }
        if units.is_empty() {
            let files: Vec<_> = self.sources.iter().map(|path| path.display().to_string()).collect();
            return Err(Error::NoKernel { files: files.join(", ") });
        }
        for (index, unit) in units.iter_mut().enumerate() {
            self.compile_unit(folder, index, unit)?;
        }
        self.link(folder, &units)
    }

    /// The kernels of a source, for either kind of core.
    fn scan(&self, source: &Path) -> Result<Vec<Found>, Error> {
        let headers = &self.headers;
        let mut kernels: Vec<Found> = Vec::new();
        for core in Core::ALL {
            let mut command = self.command(core);
            command.args(["-E", "-fdirectives-only", "-x", "c++"]).arg(source);
            let output = run(&mut command)?;
            check_compiled(source, core.cores(), &output)?;
            let text = String::from_utf8_lossy(&output.stdout);
            // A kernel may be in a file that the source includes.
            let is_own = |file: &str| {
                !file.starts_with('<') && !Path::new(file).starts_with(headers) && !is_system(file)
            };
            let mut found = scan::scan(&text, is_own)?;
            // Macros may expand to kernels; those lose what macros of the interface say, so they come second.
            let mut command = self.command(core);
            command.args(["-E", "-D__global__=__global__", "-x", "c++"]).arg(source);
            let output = run(&mut command)?;
            check_compiled(source, core.cores(), &output)?;
            found.extend(scan::scan(&String::from_utf8_lossy(&output.stdout), is_own)?);
            for found in found {
                if kernels.iter().all(|kernel| kernel.path != found.path) {
                    kernels.push(found);
                }
            }
        }
        Ok(kernels)
    }

    fn compile_unit(&self, folder: &Path, index: usize, unit: &mut Unit<'_>) -> Result<(), Error> {
        for core in Core::ALL {
            let wanted = |kernel: &Found| kernel.kernel_type.is_none_or(|kind| kind.runs_on(core));
            if !unit.kernels.iter().any(wanted) {
                continue;
            }
            let stem = format!("{}-{index}", core.name());
            let wrapper = folder.join(format!("{stem}.cpp"));
            let mut text = format!(
                "#include \"ascendc_model/object.h\"\n#include {}\n",
                quoted(&unit.source.display().to_string())
            );
            for kernel in unit.kernels.iter().filter(|kernel| wanted(kernel)) {
                let Found { name, path, .. } = kernel;
                let _ = writeln!(
                    text,
                    "extern \"C\" const AscendCModel::KernelEntry ascendc_model_{}_{name};\n\
                     const AscendCModel::KernelEntry ascendc_model_{}_{name} = \
                     AscendCModel::Entry<&{path}>(\"{name}\");",
                    core.name(),
                    core.name(),
                );
            }
            write(&wrapper, text.as_bytes())?;
            let object = folder.join(format!("{stem}.o"));
            let mut command = self.command(core);
            command.args([
                "-O2",
                "-g",
                "-fPIC",
                "-fno-strict-aliasing",
                "-ffp-contract=off",
                "-fno-gnu-unique",
            ]);
            command
                .args(["-Wno-attributes", "-Wno-unknown-pragmas", "-c"])
                .arg(&wrapper)
                .arg("-o")
                .arg(&object);
            let output = run(&mut command)?;
            // The device's compiler takes a part of C++20 in C++17: `f<T>(x)` finds the template f in the namespace
            // of x. What compiles as neither is judged as C++17.
            if !output.status.success() && !run(command.arg("-std=c++2a"))?.status.success() {
                check_compiled(unit.source, core.cores(), &output)?;
            }
            let bytes = fs::read(&object).map_err(|error| Error::Io { path: object.clone(), error })?;
            let section = core.section();
            unit.computes[core as usize] = bytes.windows(section.len()).any(|window| window == section);
            unit.objects.push((core, object));
        }
        Ok(())
    }

    fn link(&self, folder: &Path, units: &[Unit<'_>]) -> Result<Built, Error> {
        let mut kernels = Vec::new();
        let mut entries = Vec::new();
        for unit in units {
            for found in &unit.kernels {
                let kernel_type = found.kernel_type.unwrap_or(KernelType::of_use(unit.computes));
                for core in Core::ALL {
                    if kernel_type.runs_on(core) {
                        entries.push((core, found.name.clone(), kernel_type, unit.computes[core as usize]));
                    }
                }
                kernels.push(Kernel { name: found.name.clone(), kernel_type });
            }
        }
        let table = folder.join("table.cpp");
        write(&table, registration(&entries).as_bytes())?;
        let table_object = folder.join("table.o");
        // Any of the two will do: the table has no code.
        let mut command = self.command(Core::Vector);
        command.args(["-O1", "-fPIC", "-c"]).arg(&table).arg("-o").arg(&table_object);
        check_compiled(&table, Core::Vector.cores(), &run(&mut command)?)?;

        let mut parts = vec![table_object];
        for (core, object) in units.iter().flat_map(|unit| &unit.objects) {
            let alone = object.with_extension("alone.o");
            let mut command = Command::new(self.program());
            command.args(["-r", "-nostdlib", "-Wl,--force-group-allocation", "-o"]).arg(&alone).arg(object);
            run_linker(&mut command)?;
            let mut command = Command::new(env::var_os("OBJCOPY").unwrap_or_else(|| "objcopy".into()));
            command.args(["--wildcard", "--keep-global-symbol"]);
            command.arg(format!("ascendc_model_{}_*", core.name())).arg(&alone);
            run_linker(&mut command)?;
            parts.push(alone);
        }
        let mut command = Command::new(self.program());
        command.args(["-shared", "-Wl,-z,defs", "-o"]).arg(&self.output).args(&parts);
        run_linker(&mut command)?;
        Ok(Built { output: self.output.clone(), kernels })
    }

    fn program(&self) -> OsString {
        self.compiler.clone().or_else(|| env::var_os("CXX")).unwrap_or_else(|| "g++".into())
    }

    /// The compiler with what every step needs.
    fn command(&self, core: Core) -> Command {
        let mut command = Command::new(self.program());
        command.args(["-std=c++17", "-fvisibility=hidden", core.define()]);
        // A kernel is emitted only where its entry asks for it.
        command.args([
            "-D__CCE_AICORE__=220",
            "-D__NPU_ARCH__=2201",
            "-D__DAV_C220__",
            "-D__global__=inline",
        ]);
        for definition in &self.defines {
            command.arg(format!("-D{definition}"));
        }
        for path in &self.includes {
            command.arg("-I").arg(path);
        }
        command.arg("-I").arg(&self.headers);
        command
    }
}

/// The unit with the list of all kernels.
fn registration(entries: &[(Core, String, KernelType, bool)]) -> String {
    let mut text = String::from(
        "#include \"ascendc_model/abi.h\"\n\
         using namespace AscendCModel;\n",
    );
    let mut list = String::new();
    for (core, name, kernel_type, computes) in entries {
        let symbol = format!("ascendc_model_{}_{name}", core.name());
        let _ = writeln!(text, "extern \"C\" const KernelEntry {symbol};");
        let _ = writeln!(list, "    With({symbol}, {}, {}),", *kernel_type as u8, u8::from(*computes));
    }
    let _ = write!(
        text,
        "static KernelEntry With(KernelEntry entry, uint8_t kernel_type, uint8_t computes)\n\
         {{\n    entry.kernel_type = kernel_type;\n    entry.computes = computes;\n    return entry;\n}}\n\
         static const KernelEntry kernels[] = {{\n{list}}};\n\
         extern \"C\" __attribute__((visibility(\"default\"))) const Object ascendc_model_object;\n\
         const Object ascendc_model_object = {{ VERSION, {}, kernels }};\n",
        entries.len()
    );
    text
}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
