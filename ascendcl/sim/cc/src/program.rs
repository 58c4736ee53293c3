//! Files with host code: kernels and their launches by `<<<...>>>` beside the program that launches them.
//!
//! Such a file is compiled three times, for the host and for either kind of core, and becomes one object file. Of the
//! objects for cores only the entries of kernels stay visible, and their constructors of host objects are removed. See
//! `ascendc_model/launch.h` for how the three parts meet.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, thread};

use tempfile::TempDir;

use crate::scan::{self, Found};
use crate::tools::{check_compiled, is_system, run, run_linker, write};
use crate::{Build, Core, Error, KernelType, launch_headers, translate};

/// How the compiler names `DeviceEntry<kernel>::VALUE`, before the kernel and after it.
const ENTRY: [&str; 2] = ["_ZN12AscendCModel11DeviceEntryI", "5VALUEE"];

/// Compiles files with host code and kernels into object files that link with the simulated `libascendcl.so`.
#[derive(Clone, Debug)]
pub struct Program {
    compiler: Option<OsString>,
    headers: PathBuf,
    options: Vec<OsString>,
    dependencies: Vec<OsString>,
    launch_headers: Option<PathBuf>,
}

/// What a file is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Host,
    Core(Core),
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Core(core) => core.name(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Host => "the host",
            Self::Core(core) => core.cores(),
        }
    }
}

/// A kernel that is launched.
#[derive(Clone, Debug)]
struct Launched {
    /// How the compiler names its entry.
    mangled: String,
    kernel_type: Option<KernelType>,
    /// For which kinds of core there is code.
    cores: BTreeSet<usize>,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            compiler: None,
            headers: Build::headers(),
            options: Vec::new(),
            dependencies: Vec::new(),
            launch_headers: None,
        }
    }
}

impl Program {
    /// A compiler without options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes this compiler, which must understand the options of g++, in place of `CXX` or `g++`.
    #[must_use]
    pub fn compiler(mut self, program: impl Into<OsString>) -> Self {
        self.compiler = Some(program.into());
        self
    }

    /// Takes the headers of kernels from this folder.
    #[must_use]
    pub fn headers_in(mut self, path: impl Into<PathBuf>) -> Self {
        self.headers = path.into();
        self
    }

    /// Adds an option of g++ for all of a file's code: `-I`, `-D`, `-std=`, `-O`, `-W` and the like.
    #[must_use]
    pub fn option(mut self, option: impl Into<OsString>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Adds an option about the file of dependencies: `-MD`, `-MF` and the like.
    #[must_use]
    pub fn dependency_option(mut self, option: impl Into<OsString>) -> Self {
        self.dependencies.push(option.into());
        self
    }

    /// Adds a function `aclrtlaunch_NAME(blocks, stream, arguments)` for each kernel, and writes the header
    /// `aclrtlaunch_NAME.h` that declares it into this folder: the launches of the toolkit's kernel projects.
    #[must_use]
    pub fn launch_headers(mut self, folder: impl Into<PathBuf>) -> Self {
        self.launch_headers = Some(folder.into());
        self
    }

    /// The program that compiles and links.
    pub(crate) fn program(&self) -> OsString {
        self.compiler.clone().or_else(|| env::var_os("CXX")).unwrap_or_else(|| "g++".into())
    }

    /// Compiles a file into an object file.
    ///
    /// # Errors
    /// [`Error`] says what is missing or wrong; errors of the source name its own lines.
    pub fn compile(&self, source: &Path, object: &Path) -> Result<(), Error> {
        let source = &source.canonicalize().map_err(|error| Error::Io { path: source.to_owned(), error })?;
        let folder = TempDir::new().map_err(|error| Error::Io { path: env::temp_dir(), error })?;
        let folder = folder.path();
        let unit = self.unit(source, object);
        let added = match &self.launch_headers {
            None => String::new(),
            Some(folder) => {
                let found = self.kernels(source)?;
                launch_headers::write_headers(&found, folder)?;
                launch_headers::functions(&found)
            }
        };
        // The host's part first: it alone tells what the file depends on, and errors of host code should name the host.
        let launches = self.compile_for(Target::Host, source, &added, folder, &unit)?;
        let host = folder.join("host.o");
        if launches == 0 {
            return fs::copy(&host, object)
                .map(drop)
                .map_err(|error| Error::Io { path: object.to_owned(), error });
        }
        thread::scope(|scope| {
            let cores = Core::ALL.map(|core| {
                let (unit, added) = (&unit, &added);
                scope.spawn(move || self.compile_for(Target::Core(core), source, added, folder, unit))
            });
            cores.into_iter().try_for_each(|core| match core.join() {
                Ok(compiled) => compiled.map(drop),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        let found = self.kernels(source)?;
        let launched = self.entries(folder, &found)?;
        let mut parts = vec![host];
        for core in Core::ALL {
            parts.push(self.isolate(folder, core, &unit, &launched)?);
        }
        parts.push(self.table(folder, &unit, &launched)?);
        let mut command = Command::new(self.program());
        run_linker(command.args(["-r", "-nostdlib", "-o"]).arg(object).args(&parts))
    }

    /// The name of the table of a file's kernels.
    fn unit(&self, source: &Path, object: &Path) -> String {
        let mut hasher = DefaultHasher::new();
        (source, object, &self.options).hash(&mut hasher);
        format!("ascendc_model_unit_{:016x}", hasher.finish())
    }

    /// Preprocesses, rewrites launches, adds text, and compiles; how many launches there are.
    fn compile_for(
        &self,
        target: Target,
        source: &Path,
        added: &str,
        folder: &Path,
        unit: &str,
    ) -> Result<usize, Error> {
        let file = |ending: &str| folder.join(format!("{}{ending}", target.name()));
        let (preprocessed, translated, object) = (file(".pp"), file(".ii"), file(".o"));
        let mut command = self.command(target, unit);
        command.args(["-E", "-include", "ascendc_model/launch.h", "-x", "c++"]).arg(source);
        if target == Target::Host {
            command.args(&self.dependencies);
        }
        check_compiled(source, target.title(), &run(command.arg("-o").arg(&preprocessed))?)?;
        let text = fs::read(&preprocessed).map_err(|error| Error::Io { path: preprocessed, error })?;
        let (text, launches) = translate::translate(&String::from_utf8_lossy(&text))?;
        let launches = launches + usize::from(!added.is_empty());
        write(&translated, (text + added).as_bytes())?;
        let mut command = self.command(target, unit);
        match target {
            Target::Host => command.arg("-fPIC"),
            Target::Core(_) => command.args([
                "-O2",
                "-g",
                "-fPIC",
                "-fvisibility=hidden",
                "-ffunction-sections",
                "-fno-strict-aliasing",
                "-ffp-contract=off",
                "-fno-gnu-unique",
                "-w",
            ]),
        };
        command.args(["-Wno-attributes", "-Wno-unknown-pragmas", "-x", "c++-cpp-output", "-c"]);
        command.arg(&translated).arg("-o").arg(&object);
        let output = run(&mut command)?;
        // As for kernels alone: the device's compiler takes a part of C++20 in C++17.
        if !output.status.success() && !run(command.arg("-std=c++2a"))?.status.success() {
            check_compiled(source, target.title(), &output)?;
        }
        Ok(launches)
    }

    /// What the file says of its kernels.
    fn kernels(&self, source: &Path) -> Result<Vec<Found>, Error> {
        let mut command = self.command(Target::Core(Core::Vector), "none");
        command.args(["-E", "-fdirectives-only", "-x", "c++"]).arg(source);
        let output = run(&mut command)?;
        check_compiled(source, Core::Vector.cores(), &output)?;
        let is_own = |file: &str| {
            !file.starts_with('<') && !Path::new(file).starts_with(&self.headers) && !is_system(file)
        };
        scan::scan_with_host_code(&String::from_utf8_lossy(&output.stdout), is_own)
    }

    /// The kernels that are launched, by the symbols of the objects for cores.
    fn entries(&self, folder: &Path, found: &[Found]) -> Result<Vec<Launched>, Error> {
        let mut launched: BTreeMap<String, Launched> = BTreeMap::new();
        for core in Core::ALL {
            for symbol in symbols(&folder.join(format!("{}.o", core.name())), &["--defined-only"])? {
                let Some(kernel) = symbol.strip_prefix(ENTRY[0]).and_then(|rest| rest.strip_suffix(ENTRY[1]))
                else {
                    continue;
                };
                let entry = launched.entry(symbol.clone()).or_insert_with(|| Launched {
                    mangled: symbol.clone(),
                    kernel_type: said(kernel, found),
                    cores: BTreeSet::new(),
                });
                entry.cores.insert(core as usize);
            }
        }
        Ok(launched.into_values().collect())
    }

    /// Makes all of a core's object local, but the entries of kernels, under names that only this file has.
    fn isolate(
        &self,
        folder: &Path,
        core: Core,
        unit: &str,
        launched: &[Launched],
    ) -> Result<PathBuf, Error> {
        let object = folder.join(format!("{}.o", core.name()));
        let alone = folder.join(format!("{}.alone.o", core.name()));
        let mut command = Command::new(self.program());
        command.args(["-r", "-nostdlib", "-Wl,--force-group-allocation", "-o"]).arg(&alone).arg(&object);
        run_linker(&mut command)?;
        let objcopy = || Command::new(env::var_os("OBJCOPY").unwrap_or_else(|| "objcopy".into()));
        let mut command = objcopy();
        // Host objects are made once, by the host's part.
        command.args(["--wildcard", "--remove-section=.*init_array*", "--remove-section=.fini_array*"]);
        for (index, kernel) in launched.iter().enumerate() {
            command.arg(format!("--redefine-sym={}={}", kernel.mangled, entry_name(core, unit, index)));
        }
        run_linker(command.arg(&alone))?;
        // Also those of kernels that the source hides.
        for option in ["keep-global-symbol", "globalize-symbol"] {
            let mut command = objcopy();
            command.arg("--wildcard").arg(format!("--{option}={}", entry_name(core, unit, "*")));
            run_linker(command.arg(&alone))?;
        }
        Ok(alone)
    }

    /// Whether a kernel reaches an instruction of a kind of core.
    fn computes(&self, folder: &Path, core: Core, unit: &str, index: usize) -> Result<bool, Error> {
        let alone = folder.join(format!("{}.alone.o", core.name()));
        let reached = folder.join("reached.o");
        let mut command = Command::new(self.program());
        command.args(["-r", "-nostdlib", "-Wl,--gc-sections"]);
        command.arg(format!("-Wl,-u,{}", entry_name(core, unit, index))).arg("-o").arg(&reached).arg(&alone);
        run_linker(&mut command)?;
        let marker = format!("ascendc_model_uses_{}", core.name());
        Ok(symbols(&reached, &["--undefined-only"])?.contains(&marker))
    }

    /// The object with the table of the kernels.
    fn table(&self, folder: &Path, unit: &str, launched: &[Launched]) -> Result<PathBuf, Error> {
        let mut text = String::from("#include \"ascendc_model/abi.h\"\nusing namespace AscendCModel;\n");
        let mut list = String::new();
        let mut count = 0;
        for (index, kernel) in launched.iter().enumerate() {
            let mut computes = [false; 2];
            for core in Core::ALL {
                computes[core as usize] =
                    kernel.cores.contains(&(core as usize)) && self.computes(folder, core, unit, index)?;
            }
            let kernel_type = kernel.kernel_type.unwrap_or(KernelType::of_use(computes));
            for core in Core::ALL.into_iter().filter(|&core| kernel_type.runs_on(core)) {
                let symbol = entry_name(core, unit, index);
                let computes = u8::from(computes[core as usize]);
                let _ = writeln!(
                    text,
                    "extern \"C\" __attribute__((visibility(\"hidden\"))) const KernelEntry {symbol};"
                );
                let _ = writeln!(list, "    With({symbol}, {}, {computes}),", kernel_type as u8);
                count += 1;
            }
        }
        let _ = write!(
            text,
            "static KernelEntry With(KernelEntry entry, uint8_t kernel_type, uint8_t computes)\n\
             {{\n    entry.kernel_type = kernel_type;\n    entry.computes = computes;\n    return entry;\n}}\n\
             static const KernelEntry kernels[] = {{\n{list}}};\n\
             extern \"C\" {{\n\
             __attribute__((weak, visibility(\"hidden\"))) extern const char ascendc_model_uses_vector = 0;\n\
             __attribute__((weak, visibility(\"hidden\"))) extern const char ascendc_model_uses_cube = 0;\n\
             __attribute__((visibility(\"hidden\"))) extern const Object {unit};\n\
             const Object {unit} = {{ VERSION, {count}, kernels }};\n}}\n"
        );
        let (source, object) = (folder.join("table.cpp"), folder.join("table.o"));
        write(&source, text.as_bytes())?;
        let mut command = Command::new(self.program());
        command.args(["-std=c++17", "-O1", "-fPIC", "-c", "-w", "-I"]).arg(&self.headers).arg(&source);
        check_compiled(&source, "the host", &run(command.arg("-o").arg(&object))?)?;
        Ok(object)
    }

    fn command(&self, target: Target, unit: &str) -> Command {
        let mut command = Command::new(self.program());
        command.args(["-std=c++17", "-D__global__=inline", "-DASCENDC_MODEL_LAUNCH"]);
        command.arg(format!("-DASCENDC_MODEL_UNIT={unit}"));
        match target {
            Target::Host => command.arg("-DASCENDC_MODEL_HOST"),
            Target::Core(core) => {
                command.args([core.define(), "-D__CCE_AICORE__=220", "-D__NPU_ARCH__=2201", "-D__DAV_C220__"])
            }
        };
        command.args(&self.options).arg("-I").arg(&self.headers);
        command
    }
}

fn entry_name(core: Core, unit: &str, index: impl std::fmt::Display) -> String {
    format!("ascendc_model_{}_{unit}_{index}", core.name())
}

/// What the source says of the cores of a kernel, which has the longest of the found names that the symbol has.
fn said(symbol: &str, found: &[Found]) -> Option<KernelType> {
    // A name in a symbol follows its length. Where kernels of several namespaces have one name, the namespaces are there.
    let has = |part: &str| {
        let mangled = format!("{}{part}", part.len());
        symbol.match_indices(&mangled).any(|(at, _)| !symbol[..at].ends_with(|c: char| c.is_ascii_digit()))
    };
    let parts = |found: &Found| -> Vec<String> {
        found.path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    found
        .iter()
        .filter(|found| parts(found).iter().all(|part| has(part)))
        .max_by_key(|found| (parts(found).len(), found.name.len()))?
        .kernel_type
}

/// The names of the symbols of an object.
fn symbols(object: &Path, options: &[&str]) -> Result<Vec<String>, Error> {
    let program = env::var_os("NM").unwrap_or_else(|| "nm".into());
    let mut command = Command::new(program);
    command.args(["-P", "--no-demangle"]).args(options).arg(object);
    let output = run(&mut command)?;
    if !output.status.success() {
        return Err(Error::Link {
            program: command.get_program().to_string_lossy().into_owned(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect())
}

/// Whether a file name is that of a source.
pub(crate) fn is_source(path: &Path) -> bool {
    path.extension()
        .and_then(OsStr::to_str)
        .is_some_and(|ending| ["asc", "cce", "cpp", "cc", "cxx", "C", "h", "hpp"].contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_says_is_found_by_its_symbol() {
        let found = |name: &str, path: &str, kernel_type| Found {
            name: name.into(),
            path: path.into(),
            kernel_type: Some(kernel_type),
            is_template: false,
            parameters: Vec::new(),
        };
        let found = [
            found("k", "::k", KernelType::AicOnly),
            found("k", "::deep::k", KernelType::MixAic11),
            found("add_custom", "::add_custom", KernelType::AivOnly),
        ];
        // `k`, `deep::k`, `add_custom<2048>`, and `k_long_name`, of which nothing was found.
        assert_eq!(said("Xadl_Z1kPhEE", &found), Some(KernelType::AicOnly));
        assert_eq!(said("XadL_ZN4deep1kEPhEE", &found), Some(KernelType::MixAic11));
        assert_eq!(said("XadL_Z10add_customILj2048EEvPfEE", &found), Some(KernelType::AivOnly));
        assert_eq!(said("XadL_Z11k_long_namePhEE", &found), None);
    }
}
