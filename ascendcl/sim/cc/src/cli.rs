//! The command line of `sim-cc`, which is that of a compiler.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use tempfile::TempDir;

use crate::program::is_source;
use crate::tools::run_linker;
use crate::{Build, Error, Program};

const HELP: &str = "\
Compiles Ascend C for the simulated AI cores.

  sim-cc SOURCE... -o OUT.so             kernels only: an object for aclrtBinaryLoadFromFile
  sim-cc SOURCE... -o PROGRAM            a program with kernels and host code (kernel<<<blocks, nullptr, stream>>>(...))
  sim-cc -shared SOURCE... -o LIB.so     a shared library with kernels and host code
  sim-cc -c SOURCE [-o OBJECT.o]         an object file with kernels and host code, for any linker

Options are those of g++, which compiles: -I, -D, -U, -std=, -O, -g, -W, -f, -m, -include, -MD, -MF, -l, -L, -Wl, and
others. Those of the device's compiler about its own work are taken and have no effect: --npu-arch=dav-2201, --cce-...
  --launch-headers DIR                   with -c: also functions aclrtlaunch_KERNEL, with their headers in DIR
  --cxx PROGRAM                          the compiler, in place of CXX or g++
  --version, --help
";

/// Options with a value that may be the next argument.
const WITH_VALUE: [&str; 14] = [
    "-o",
    "-I",
    "-D",
    "-U",
    "-L",
    "-l",
    "-include",
    "-isystem",
    "-iquote",
    "-idirafter",
    "-MF",
    "-MT",
    "-MQ",
    "-x",
];

/// Where the program finds its own: in a tree that `sim-install` made, or in the source tree.
#[derive(Clone, Debug, Default)]
struct Installed {
    /// Of kernels.
    headers: Option<PathBuf>,
    /// Of AscendCL.
    include: Option<PathBuf>,
    libraries: Option<PathBuf>,
}

impl Installed {
    /// `sim-cc` is `PREFIX/bin/sim-cc`.
    fn find() -> Self {
        let program = env::current_exe().and_then(|path| path.canonicalize());
        let Some(prefix) = program.ok().and_then(|path| Some(path.parent()?.parent()?.to_owned())) else {
            return Self::in_source_tree();
        };
        let headers = prefix.join("include/ascendc");
        if !headers.join("kernel_operator.h").is_file() {
            return Self::in_source_tree();
        }
        Self {
            headers: Some(headers),
            include: Some(prefix.join("include")),
            libraries: Some(prefix.join("lib64")),
        }
    }

    fn in_source_tree() -> Self {
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../ascendcl-sys/include");
        Self { headers: None, include: include.canonicalize().ok(), libraries: None }
    }
}

/// What the command line says.
#[derive(Debug, Default)]
struct Arguments {
    inputs: Vec<PathBuf>,
    output: Option<PathBuf>,
    /// For all steps.
    options: Vec<OsString>,
    includes: Vec<PathBuf>,
    defines: Vec<String>,
    dependencies: Vec<OsString>,
    /// For the linker, in the order of the command line: also what is between sources.
    link: Vec<Link>,
    compiler: Option<OsString>,
    launch_headers: Option<PathBuf>,
    compile_only: bool,
    shared: bool,
    help: bool,
    version: bool,
}

#[derive(Debug)]
enum Link {
    Source(PathBuf),
    Other(OsString),
}

/// Runs `sim-cc` with these arguments, without the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(arguments).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim-cc: {error}");
            ExitCode::FAILURE
        }
    }
}

fn refused(option: impl Into<String>, why: impl Into<String>) -> Error {
    Error::Option { option: option.into(), why: why.into() }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Error> {
    let mut parsed = Arguments::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        if !text.starts_with('-') {
            let path = PathBuf::from(&argument);
            if is_source(&path) {
                parsed.inputs.push(path.clone());
                parsed.link.push(Link::Source(path));
            } else {
                parsed.link.push(Link::Other(argument));
            }
            continue;
        }
        if let Some(name) =
            WITH_VALUE.iter().find(|name| text.starts_with(**name) && (text == **name || name.len() == 2))
        {
            let joined = &text[name.len()..];
            let value = match joined {
                "" => arguments.next().ok_or_else(|| refused(&text, "a value is missing"))?,
                _ => joined.into(),
            };
            parsed.with_value(name, value);
            continue;
        }
        match text.as_str() {
            "-c" => parsed.compile_only = true,
            "-shared" | "--shared" => {
                parsed.shared = true;
                parsed.link.push(Link::Other("-shared".into()));
            }
            "--help" | "-h" => parsed.help = true,
            "--version" => parsed.version = true,
            "--cxx" => {
                parsed.compiler =
                    Some(arguments.next().ok_or_else(|| refused("--cxx", "the compiler is missing"))?);
            }
            "--launch-headers" => {
                let folder = arguments.next().ok_or_else(|| refused(&text, "the folder is missing"))?;
                parsed.launch_headers = Some(folder.into());
            }
            "-Xlinker" => {
                let value = arguments.next().ok_or_else(|| refused("-Xlinker", "a value is missing"))?;
                parsed.link.extend([Link::Other(argument), Link::Other(value)]);
            }
            "--enable-simt" => {
                return Err(refused(&text, "the simulated device, dav-2201, has no SIMT cores"));
            }
            _ => parsed.other(&text, argument)?,
        }
    }
    Ok(parsed)
}

impl Arguments {
    fn with_value(&mut self, name: &str, value: OsString) {
        let both = |value: &OsStr| [OsString::from(name), value.to_owned()];
        match name {
            "-o" => self.output = Some(value.into()),
            // A file is what its name says.
            "-x" => {}
            "-L" | "-l" => {
                let mut option = OsString::from(name);
                option.push(value);
                self.link.push(Link::Other(option));
            }
            "-MF" | "-MT" | "-MQ" => self.dependencies.extend(both(&value)),
            _ => {
                match name {
                    "-I" => self.includes.push(value.clone().into()),
                    "-D" => self.defines.push(value.to_string_lossy().into_owned()),
                    _ => {}
                }
                self.options.extend(both(&value));
            }
        }
    }

    fn other(&mut self, text: &str, argument: OsString) -> Result<(), Error> {
        for name in ["--npu-arch=", "--cce-aicore-arch=", "--npu-soc="] {
            if let Some(value) = text.strip_prefix(name) {
                let known =
                    value.contains("2201") || value.contains("c220") || value.starts_with("Ascend910");
                return match known {
                    true => Ok(()),
                    false => Err(refused(text, "the simulated device is dav-2201 (dav-c220)")),
                };
            }
        }
        if ["--cce", "--asc", "--run-mode"].iter().any(|start| text.starts_with(start)) {
            return Ok(());
        }
        match text.get(..2) {
            Some("-M") => self.dependencies.push(argument),
            _ if text.starts_with("-Wl,") || text == "-rdynamic" || text.starts_with("-nostd") => {
                self.link.push(Link::Other(argument));
            }
            Some("-O" | "-g" | "-f" | "-m" | "-W" | "-w" | "-s" | "-p") => {
                self.link.push(Link::Other(argument.clone()));
                self.options.push(argument);
            }
            _ => return Err(refused(text, "an unknown option; see sim-cc --help")),
        }
        Ok(())
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    if arguments.help {
        print!("{HELP}");
        return Ok(());
    }
    if arguments.version {
        println!("sim-cc {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    let installed = Installed::find();
    let ends_in_so = arguments.output.as_ref().and_then(|path| path.extension()) == Some(OsStr::new("so"));
    if ends_in_so && !arguments.shared && !arguments.compile_only {
        return build_kernels(arguments, &installed);
    }
    let mut program = Program::new();
    if let Some(headers) = &installed.headers {
        program = program.headers_in(headers);
    }
    if let Some(compiler) = &arguments.compiler {
        program = program.compiler(compiler);
    }
    program = arguments.options.iter().fold(program, Program::option);
    program = arguments.dependencies.iter().fold(program, Program::dependency_option);
    if let Some(include) = &installed.include {
        program = program.option("-isystem").option(include);
    }
    if arguments.compile_only {
        if let Some(folder) = &arguments.launch_headers {
            program = program.launch_headers(folder);
        }
        return compile(arguments, &program);
    }
    link(arguments, &installed, &program)
}

fn build_kernels(arguments: &Arguments, installed: &Installed) -> Result<(), Error> {
    let output = arguments.output.clone().ok_or_else(|| refused("-o", "no output was named"))?;
    let mut build = Build::new(output);
    build = arguments.inputs.iter().fold(build, Build::source);
    build = arguments.includes.iter().fold(build, Build::include);
    build = arguments.defines.iter().fold(build, Build::define);
    if let Some(compiler) = &arguments.compiler {
        build = build.compiler(compiler);
    }
    if let Some(headers) = &installed.headers {
        build = build.headers_in(headers);
    }
    let built = build.run()?;
    println!("{}", built.output.display());
    for kernel in built.kernels {
        println!("  {} ({:?})", kernel.name, kernel.kernel_type);
    }
    Ok(())
}

fn compile(arguments: &Arguments, program: &Program) -> Result<(), Error> {
    if arguments.inputs.is_empty() {
        return Err(Error::NoSource);
    }
    if arguments.inputs.len() > 1 && arguments.output.is_some() {
        return Err(refused("-c", "several sources with one -o"));
    }
    for source in &arguments.inputs {
        let object = arguments
            .output
            .clone()
            .unwrap_or_else(|| Path::new(source.file_name().unwrap_or_default()).with_extension("o"));
        program.compile(source, &object)?;
    }
    Ok(())
}

fn link(arguments: &Arguments, installed: &Installed, program: &Program) -> Result<(), Error> {
    if arguments
        .link
        .iter()
        .all(|link| matches!(link, Link::Other(text) if text.to_string_lossy().starts_with('-')))
    {
        return Err(Error::NoSource);
    }
    let output = arguments.output.clone().unwrap_or_else(|| "a.out".into());
    let folder = TempDir::new().map_err(|error| Error::Io { path: env::temp_dir(), error })?;
    let mut command = Command::new(program.program());
    for (index, link) in arguments.link.iter().enumerate() {
        match link {
            Link::Source(source) => {
                // The name of the object, which the table's name is made of, must not depend on the temporary folder.
                let object = folder.path().join(format!("{index}.o"));
                program.compile(source, &object)?;
                command.arg(object);
            }
            Link::Other(argument) => {
                command.arg(argument);
            }
        }
    }
    command.arg("-o").arg(&output);
    if let Some(libraries) = installed.libraries.as_ref().and_then(|path| fs::canonicalize(path).ok()) {
        command.arg("-L").arg(&libraries).arg("-lascendcl");
        let mut path = OsString::from("-Wl,-rpath,");
        path.push(&libraries);
        command.arg(path);
    }
    run_linker(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, Error> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn options_go_where_they_belong() {
        let arguments = parsed(&[
            "-c",
            "a.asc",
            "-o",
            "a.o",
            "-Iinc",
            "-I",
            "more",
            "-DX=1",
            "-std=c++20",
            "-MD",
            "-MF",
            "a.d",
            "-O2",
            "--npu-arch=dav-2201",
            "-Llib",
            "-lm",
            "-Wl,-z,now",
            "b.o",
            "--cce-auto-sync",
        ])
        .unwrap();
        assert!(arguments.compile_only && !arguments.shared);
        assert_eq!(arguments.inputs, [PathBuf::from("a.asc")]);
        assert_eq!(arguments.output.as_deref(), Some(Path::new("a.o")));
        assert_eq!(arguments.includes, [PathBuf::from("inc"), "more".into()]);
        assert_eq!(arguments.options, ["-I", "inc", "-I", "more", "-D", "X=1", "-std=c++20", "-O2"]);
        assert_eq!(arguments.dependencies, ["-MD", "-MF", "a.d"]);
        let link: Vec<_> = arguments
            .link
            .iter()
            .filter_map(|link| match link {
                Link::Source(_) => None,
                Link::Other(text) => Some(text.to_str().unwrap()),
            })
            .collect();
        assert_eq!(link, ["-std=c++20", "-O2", "-Llib", "-lm", "-Wl,-z,now", "b.o"]);
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused() {
        for arguments in [&["--npu-arch=dav-3510"][..], &["--enable-simt"], &["-o"], &["--unknown"]] {
            assert!(parsed(arguments).is_err(), "{arguments:?}");
        }
    }
}
