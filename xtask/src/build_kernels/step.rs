//! The commands that build a kernel.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Error;
use super::toolkit::{Method, Toolkit};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) program: PathBuf,
    arguments: Vec<OsString>,
    /// The toolkit: its programs and CMake files look at `ASCEND_HOME_PATH`.
    home: PathBuf,
    /// Comes first in `PATH`: the toolkit's scripts call its tools by name.
    tools: Option<PathBuf>,
    /// Come first in `LD_LIBRARY_PATH`: the compiler loads plug-ins that need the toolkit's libraries.
    libraries: Vec<PathBuf>,
}

/// What is built.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// The kernel's file, which may include others of its folder.
    pub(super) file: PathBuf,
    /// The folder of the CMake project that builds it.
    pub(super) project: PathBuf,
}

impl Code {
    /// The file's name without its ending, which the object has, too.
    fn name(&self) -> String {
        self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// How a kernel is built.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What the last step leaves.
    pub(super) object: PathBuf,
}

impl Step {
    fn new(toolkit: &Toolkit, program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            home: toolkit.home.clone(),
            tools: toolkit.compiler.clone(),
            libraries: toolkit.libraries(),
        }
    }

    fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    fn args<const N: usize>(self, arguments: [&str; N]) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// `-DNAME=VALUE`.
    fn define(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = OsString::from(format!("-D{name}="));
        argument.push(value);
        self.arg(argument)
    }

    /// What the compiler says of itself, if the toolkit has it where it is known to be.
    pub(super) fn version(toolkit: &Toolkit) -> Option<Self> {
        let compiler = toolkit.compiler.as_ref()?.join("bisheng");
        Some(Self::new(toolkit, compiler).arg("--version"))
    }

    /// Runs it, and answers with what it writes to its standard output.
    pub(super) fn run(&self) -> Result<String, Error> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("ASCEND_HOME_PATH", &self.home);
        if let Some(tools) = &self.tools {
            command.env("PATH", with_others(joined([tools]), "PATH"));
        }
        command.env("LD_LIBRARY_PATH", with_others(joined(&self.libraries), "LD_LIBRARY_PATH"));
        let step = || Box::new(self.clone());
        let output =
            command.output().map_err(|error| Error::NotStarted { step: step(), error, other: None })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let output_text = text + &String::from_utf8_lossy(&output.stderr);
        Err(Error::Failed {
            step: step(),
            status: output.status.to_string(),
            output: output_text.trim_end().to_owned(),
            other: None,
        })
    }
}

/// As a shell takes it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ASCEND_HOME_PATH={}", quoted(self.home.as_os_str()))?;
        if let Some(tools) = &self.tools {
            write!(f, " PATH={}:\"$PATH\"", quoted(tools.as_os_str()))?;
        }
        let libraries = joined(&self.libraries);
        write!(f, " LD_LIBRARY_PATH={}\"${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"", quoted(&libraries))?;
        write!(f, " {}", quoted(self.program.as_os_str()))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

/// Folders as in `PATH`.
fn joined<'a>(folders: impl IntoIterator<Item = &'a PathBuf>) -> OsString {
    let mut text = OsString::new();
    for folder in folders {
        if !text.is_empty() {
            text.push(":");
        }
        text.push(folder);
    }
    text
}

/// Folders in front of those that a variable has already. An empty one is left out: it would mean the current folder.
fn with_others(mut folders: OsString, variable: &str) -> OsString {
    if let Some(others) = std::env::var_os(variable).filter(|others| !others.is_empty()) {
        folders.push(":");
        folders.push(others);
    }
    folders
}

fn quoted(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+=:,".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Plan {
    /// How `method` builds the kernel in the folder `work`.
    pub(super) fn new(toolkit: &Toolkit, method: Method, code: &Code, work: &Path, soc: &str) -> Self {
        match method {
            Method::Direct => Self::direct(toolkit, code, work),
            Method::Cmake => Self::cmake(toolkit, code, work, soc),
        }
    }

    /// One object of device code with the code of both kinds of cores, and the linker that makes a loadable binary of it:
    /// the recipe for such a binary in the newest toolkits' CMake files (their `ascendc_fatbin_library`).
    fn direct(toolkit: &Toolkit, code: &Code, work: &Path) -> Self {
        let tools = toolkit.compiler.clone().unwrap_or_default();
        let unlinked = work.join(format!("{}.device.o", code.name()));
        let object = work.join(format!("{}.o", code.name()));
        let compile = Step::new(toolkit, tools.join("bisheng"))
            .args(["-c", "-x", "asc", "-std=c++17", "-O3"])
            .arg(format!("--npu-arch={}", super::soc::ARCH))
            .args(["--aicore-only", "-I"])
            .arg(code.file.parent().unwrap_or(Path::new("")))
            .arg(&code.file)
            .arg("-o")
            .arg(&unlinked);
        let link = Step::new(toolkit, tools.join("ld.lld"))
            .args(["-m", "aicorelinux", "-Ttext=0"])
            .arg(&unlinked)
            .args(["-static", "-o"])
            .arg(&object);
        Self { steps: vec![compile, link], object }
    }

    fn cmake(toolkit: &Toolkit, code: &Code, work: &Path, soc: &str) -> Self {
        let name = code.name();
        let (build, out) = (work.join("build"), work.join("out"));
        let project = toolkit.kernel_project.clone().unwrap_or_default();
        let configure = Step::new(toolkit, "cmake")
            .arg("-S")
            .arg(&code.project)
            .arg("-B")
            .arg(&build)
            .define("CMAKE_BUILD_TYPE", "Release")
            .define("CMAKE_INSTALL_PREFIX", &out)
            .define("RUN_MODE", "npu")
            .define("SOC_VERSION", soc)
            .define("ASCEND_CANN_PACKAGE_PATH", &toolkit.home)
            .define("ASCENDC_CMAKE_DIR", project)
            .define("KERNEL_NAME", &name)
            .define("KERNEL_FILE", &code.file);
        let build = Step::new(toolkit, "cmake").arg("--build").arg(&build);
        Self { steps: vec![configure, build], object: out.join(format!("fatbin/{name}/{name}.o")) }
    }
}
