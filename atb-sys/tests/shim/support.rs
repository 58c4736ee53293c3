//! Makes the fake libraries and the shims over them, once.

use std::ffi::{CString, c_char};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use atb_sys::{Shim, atb_functions, atb_operation, atb_tensor_desc};
use libloading::Library;

use crate::compile;

pub const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// Calls a function of the shim of an [`Atb`].
macro_rules! call {
    ($atb:expr, $function:ident $(, $argument:expr)* $(,)?) => {{
        let function = $atb.table().$function.unwrap();
        // SAFETY: Each test gives pointers that are valid for what the header says, or null where that is what it tests.
        unsafe { function($($argument),*) }
    }};
}

/// A version of ATB that the stand-in stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Of81,
    Newest,
}

/// A fake libatb and the shim over it.
pub struct Atb {
    pub version: Version,
    pub cxx11_abi: u8,
    /// The directory that ATB would be installed in.
    pub home: PathBuf,
    pub shim: Shim,
    fake: Library,
}

/// Both versions for both C++ ABIs.
pub fn all() -> &'static [Atb] {
    static ALL: LazyLock<Vec<Atb>> = LazyLock::new(|| {
        let kinds = [(Version::Of81, 0), (Version::Of81, 1), (Version::Newest, 0), (Version::Newest, 1)];
        thread::scope(|scope| {
            let built = kinds.map(|(version, abi)| scope.spawn(move || Atb::build(version, abi)));
            built.map(|thread| thread.join().unwrap()).into()
        })
    });
    &ALL
}

impl Atb {
    pub fn table(&self) -> &'static atb_functions {
        self.shim.functions()
    }

    pub fn is_newest(&self) -> bool {
        self.version == Version::Newest
    }

    /// The arguments that choose the version in the stand-in's headers.
    pub fn arguments(version: Version) -> [&'static str; 4] {
        let define = match version {
            Version::Of81 => "-DSTANDIN_NEWEST=0",
            Version::Newest => "-DSTANDIN_NEWEST=1",
        };
        ["-O0", "-Wall", "-Werror", define]
    }

    /// The name that the fake library is known by, which is its own so that all of them can be loaded at once.
    pub fn soname(version: Version, cxx11_abi: u8) -> String {
        format!("libatb_{version:?}_{cxx11_abi}.so")
    }

    pub fn soname_of(&self) -> String {
        Self::soname(self.version, self.cxx11_abi)
    }

    pub fn library(&self) -> PathBuf {
        self.home.join("lib")
    }

    pub fn shim_path(&self) -> &Path {
        self.shim.path().unwrap()
    }

    fn build(version: Version, cxx11_abi: u8) -> Self {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("atb_{version:?}_{cxx11_abi}"));
        let (library, output) = (home.join("lib"), home.join(compile::FILE));
        let soname = Self::soname(version, cxx11_abi);
        if !is_newer_than_its_sources(&output) {
            Self::compile(version, cxx11_abi, &home, &soname, &output);
        }
        let shim = Shim::open_at(&output).unwrap();
        // SAFETY: The library is loaded already, by the shim.
        let fake = unsafe { Library::new(library.join(&soname)) }.unwrap();
        Self { version, cxx11_abi, home, shim, fake }
    }

    /// Lays out an installation, with the shim beside it.
    fn compile(version: Version, cxx11_abi: u8, home: &Path, soname: &str, output: &Path) {
        let (library, include) = (home.join("lib"), Path::new(PACKAGE).join("tests/standin/include"));
        let _ = fs::remove_dir_all(home);
        fs::create_dir_all(&library).unwrap();
        symlink(&include, home.join("include")).unwrap();

        let arguments = Self::arguments(version);
        let compiler = compile::Shim {
            package: Path::new(PACKAGE),
            include: vec![include],
            cxx11_abi,
            arguments: &arguments,
        };
        let mut fake = compiler.compiler().unwrap();
        fake.args(["-shared", &format!("-Wl,-soname,{soname}")])
            .arg(Path::new(PACKAGE).join("tests/standin/fake_atb.cpp"))
            .arg("-o")
            .arg(library.join("libatb.so"));
        compile::run(&mut fake).unwrap();
        symlink("libatb.so", library.join(soname)).unwrap();
        compile::run(&mut compiler.build(&library, output).unwrap()).unwrap();
    }

    /// How many objects of this thread are alive.
    pub fn alive(&self) -> i64 {
        // SAFETY: The fake library defines the function so.
        unsafe { self.fake.get::<extern "C" fn() -> i64>("fake_alive").unwrap()() }
    }

    /// Makes the next function that is called on this thread throw.
    pub fn throw(&self, kind: i32) {
        // SAFETY: The fake library defines the function so.
        unsafe { self.fake.get::<extern "C" fn(i32)>("fake_throw").unwrap()(kind) }
    }

    /// Makes the next function that is called on this thread fail.
    pub fn fail(&self, status: i32) {
        // SAFETY: The fake library defines the function so.
        unsafe { self.fake.get::<extern "C" fn(i32)>("fake_fail").unwrap()(status) }
    }

    /// What this thread's last calls gave to the library.
    pub fn record(&self) -> String {
        // SAFETY: The fake library defines the function so, and the text is as long as it says.
        text(|text, size| unsafe {
            self.fake.get::<extern "C" fn(*mut c_char, usize) -> usize>("fake_record").unwrap()(text, size)
        })
    }

    /// The default of a parameter's C++ struct.
    pub fn default_of(&self, parameter: &str) -> String {
        let name = CString::new(parameter).unwrap();
        // SAFETY: The fake library defines the function so, and the text is as long as it says.
        text(|text, size| unsafe {
            let function =
                self.fake.get::<extern "C" fn(*const c_char, *mut c_char, usize) -> usize>("fake_default");
            function.unwrap()(name.as_ptr(), text, size)
        })
    }

    /// What the shim has to say about this thread's last failure.
    pub fn message(&self) -> String {
        text(|text, size| {
            let mut length = 0;
            call!(self, message, text, size, &mut length);
            length
        })
    }

    /// An operation of two inputs and one output.
    pub fn operation(&self) -> *mut atb_operation {
        let param = atb_sys::atb_concat_param { concatDim: 0 };
        let mut operation = std::ptr::null_mut();
        assert_eq!(call!(self, createConcat, &param, &mut operation), 0);
        assert_eq!(self.record(), "ConcatParam concatDim=0");
        operation
    }

    pub fn destroy(&self, operation: *mut atb_operation) {
        assert_eq!(call!(self, destroyOperation, operation), 0);
    }
}

/// Whether a library that an earlier run left is still what the sources give.
fn is_newer_than_its_sources(library: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let Ok(built) = changed(library) else { return false };
    let mut directories: Vec<_> =
        ["shim", "include", "build", "tests/standin"].map(|name| Path::new(PACKAGE).join(name)).into();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if changed(&path).unwrap() > built {
                return false;
            }
            if path.is_dir() {
                directories.push(path);
            }
        }
    }
    true
}

/// The text that a function copies out.
pub fn text(copy: impl FnOnce(*mut c_char, usize) -> usize) -> String {
    let mut bytes = [0x55_u8; 4096];
    let length = copy(bytes.as_mut_ptr().cast(), bytes.len());
    assert_eq!(bytes[length], 0, "texts end with zero");
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// A description of 16-bit numbers in the plain format.
pub fn desc(dims: &[i64]) -> atb_tensor_desc {
    let mut shape = atb_sys::atb_dims { dims: [0; 8], dimNum: dims.len() as u64 };
    shape.dims[..dims.len()].copy_from_slice(dims);
    atb_tensor_desc { dtype: 1, format: 2, shape }
}

/// Runs a test of this program that is ignored otherwise, in a process of its own.
pub fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", test]);
    for variable in ["ATB_SHIM_LIBRARY", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    command
}

/// What the child printed.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
