//! A program with this crate embeds the kernels of the folder that it names, and finds them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

#[path = "../build/artifacts.rs"]
#[allow(dead_code, reason = "the build script uses the rest")]
mod artifacts;

use artifacts::{Hashes, MANIFEST, Manifest, OBJECT, Source, VARIABLE, hash};

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Says what is embedded, and what a device with each runtime is given.
const PROGRAM: &str = r#"
fn main() {
    let text = |binary: &mlapo_kernel::DeviceBinary| String::from_utf8_lossy(binary.bytes).into_owned();
    for binary in mlapo_kernel::device_binaries() {
        println!("{binary}: {}", text(binary));
    }
    for runtime in [None, Some("7.6.0"), Some("7.7.0.5"), Some("9.0.0"), Some("9.1.0")] {
        match mlapo_kernel::binary_for("Ascend910B3", runtime) {
            Ok(binary) => println!("{runtime:?}: {}", text(binary)),
            Err(error) => println!("{runtime:?}: {error}"),
        }
    }
    println!("{:?}", mlapo_kernel::binary_for("Ascend910_9391", None).map(text));
}
"#;

/// The program's package, with folders that stay from run to run, so that little is compiled again.
struct Package {
    folder: PathBuf,
}

impl Package {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedding");
        let manifest = format!(
            "[package]\nname = \"embedding\"\nedition = \"2024\"\n[dependencies]\nmlapo-kernel.path = {CRATE:?}\n[workspace]\n"
        );
        write(&folder.join("Cargo.toml"), manifest.as_bytes());
        write(&folder.join("src/main.rs"), PROGRAM.as_bytes());
        // The versions that are here already.
        if let Ok(lock) = fs::read(Path::new(CRATE).join("../Cargo.lock")) {
            fs::write(folder.join("Cargo.lock"), lock).unwrap();
        }
        Self { folder }
    }

    /// A kernel of this crate's source, as `build-kernels` leaves it.
    fn build_kernel(&self, toolkit: &str, runtime: &str, object: &str) {
        let folder = self.artifacts().join("dav-2201").join(toolkit);
        let Hashes { source, tiling } = Hashes::of(&Source::of_crate(Path::new(CRATE))).unwrap();
        let manifest = Manifest {
            kernel: "mlapo".into(),
            arch: "dav-2201".into(),
            socs: vec!["Ascend910B2".into(), "Ascend910B3".into()],
            toolkit_version: toolkit.into(),
            runtime_version: runtime.into(),
            method: "direct".into(),
            compiler: "a \"compiler\"".into(),
            source_hash: source,
            tiling_hash: tiling,
            object_hash: hash(object.as_bytes()),
        };
        write(&folder.join(OBJECT), object.as_bytes());
        write(&folder.join(MANIFEST), &serde_json::to_vec(&manifest).unwrap());
    }

    fn artifacts(&self) -> PathBuf {
        // A name that has to be written with care in a program.
        self.folder.join("built \"here\"")
    }

    fn run(&self, artifacts: &Path) -> Output {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["run", "--quiet", "--offline", "--manifest-path"]).arg(self.folder.join("Cargo.toml"));
        command.env("CARGO_TARGET_DIR", self.folder.join("target")).env(VARIABLE, artifacts);
        // The kernel for the simulated device is not needed, and takes longest.
        command.env("DOCS_RS", "1");
        command.output().unwrap()
    }
}

/// Leaves a file alone that is as it should be: cargo looks at times.
fn write(path: &Path, content: &[u8]) {
    if fs::read(path).is_ok_and(|there| there == content) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_program_embeds_from_the_folder_that_it_names() {
    let package = Package::new();
    package.build_kernel("8.1.RC1", "7.7.0.1.238", "the older kernel");
    package.build_kernel("9.1.0", "9.1.0", "the newer kernel");
    let output = package.run(&package.artifacts());
    let (said, message) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{message}");
    let lines: Vec<&str> = said.lines().collect();
    let [older, newer, unknown, too_old, equal, between, newest, other_soc] = lines[..] else {
        panic!("{said}")
    };
    assert_eq!(older, "dav-2201 by CANN 8.1.RC1 (runtime 7.7.0.1.238): the older kernel");
    assert_eq!(newer, "dav-2201 by CANN 9.1.0 (runtime 9.1.0): the newer kernel");
    assert_eq!(unknown, "None: the older kernel");
    assert!(too_old.contains("built by a newer toolkit") && too_old.contains("7.6.0"), "{too_old}");
    assert_eq!(equal, "Some(\"7.7.0.5\"): the older kernel");
    assert_eq!(between, "Some(\"9.0.0\"): the older kernel");
    assert_eq!(newest, "Some(\"9.1.0\"): the newer kernel");
    assert!(other_soc.starts_with("Err(NotBuilt"), "{other_soc}");

    // What is named and not there fails the build: a program without its kernel would be found out much later.
    let output = package.run(Path::new("a/relative/folder"));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(message.contains("MLAPO_KERNEL_ARTIFACTS must be an absolute path"), "{message}");
}
