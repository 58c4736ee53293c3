mod cache;
mod commands;
mod failures;
mod finding;
mod objects;
mod own;
mod stand_in;

use stand_in::{CMAKE, CODE};

use super::*;

const HOST: &str = env::consts::ARCH;

/// A stand-in for a toolkit, a kernel's source, and folders to build in.
struct Bench {
    directory: tempfile::TempDir,
}

/// Writes a file for `-o`, whose content the toolkit's file `code` says; but, as the toolkit's compiler, only if a library
/// of the toolkit is found where the loader looks.
const COMPILE: &str = r#"
[ "$1" = --version ] && { cat "$ASCEND_HOME_PATH/compiler-version"; exit 0; }
found=
IFS=:
for folder in $LD_LIBRARY_PATH; do [ -e "$folder/libmmpa.so" ] && found=yes; done
unset IFS
[ "$found" ] || { echo 'libmmpa.so: cannot open shared object file' >&2; exit 127; }
while [ $# -gt 1 ]; do
    [ "$1" = -o ] && cp "$ASCEND_HOME_PATH/code" "$2"
    shift
done
exit 0
"#;

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        let Source { kernel, project } = bench.source();
        for folder in [&kernel, &project] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(kernel.join("mlapo.cpp"), "kernel").unwrap();
        fs::write(project.join("CMakeLists.txt"), "project").unwrap();
        fs::copy(Path::new(MLAPO_KERNEL).join("kernel").join(TILING), kernel.join(TILING)).unwrap();
        bench
    }

    /// A toolkit of the newest kind, which also has the older way.
    fn newest() -> Self {
        let bench = Self::new();
        bench.compiler(&format!("{HOST}-linux/ccec_compiler/bin"));
        bench.file("lib64/libmmpa.so", "");
        let project = format!("{HOST}-linux/tikcpp/ascendc_kernel_cmake");
        bench.file(&format!("{project}/ascendc.cmake"), "");
        bench.file(&format!("{project}/asc_modules/FindASC.cmake"), "options(--aicore-only)");
        bench.file(&format!("{project}/legacy_modules/function.cmake"), "function(ascendc_fatbin_library x)");
        bench.is_release_9("9.1.0-beta.1");
        bench
    }

    /// States a release as toolkits since 9.0 do.
    fn is_release_9(&self, release: &str) {
        let text = format!(
            "Version={release}\nversion_dir=cann\nrequired_package_metadef_version=\">=8.5\"\n\
             timestamp=20260115_093000123\n"
        );
        self.file("share/info/runtime/version.info", &text);
    }

    /// A toolkit like 8.1.
    fn older() -> Self {
        let bench = Self::new();
        bench.compiler("compiler/ccec_compiler/bin");
        let project = "compiler/tikcpp/ascendc_kernel_cmake";
        bench.file(&format!("{project}/ascendc.cmake"), "");
        bench.file(&format!("{project}/function.cmake"), "function(ascendc_fatbin_library target_name)");
        bench.file(
            "runtime/version.info",
            "Version=7.7.0.1.238\nversion_dir=8.1.RC1\ntimestamp=20250427_001207352\nruntime_acl_version=1.0\n",
        );
        bench
    }

    fn compiler(&self, folder: &str) {
        self.program(&format!("{folder}/bisheng"), COMPILE);
        self.program(&format!("{folder}/ld.lld"), COMPILE);
        // Here instead of somewhere in PATH: the toolkit's tools come first there.
        self.program(&format!("{folder}/cmake"), CMAKE);
        self.file("compiler-version", "bisheng 1\nof today\n");
        self.file("code", CODE);
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.home().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, path: &str, body: &str) {
        stand_in::program(&self.home().join(path), body);
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("toolkit")
    }

    fn source(&self) -> Source {
        Source::of_crate(self.directory.path())
    }

    fn folders(&self) -> Folders {
        let path = self.directory.path();
        Folders {
            source: self.source(),
            artifacts: path.join("artifacts"),
            usual: true,
            cache: path.join("target/build-kernels"),
        }
    }

    /// What a build says, or why it failed.
    fn build(&self, change: impl FnOnce(&mut Args)) -> Result<String, Error> {
        let mut args = Args::default();
        change(&mut args);
        let mut out = Vec::new();
        build(&args, &[self.home()], &self.folders(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// The command lines since the last call, without the folder that all is in.
    fn commands(&self) -> Vec<String> {
        let log = self.home().join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        let root = format!("{}/", self.directory.path().display());
        text.lines().map(|line| line.replace(&root, "")).collect()
    }

    fn manifest(&self, release: &str) -> Manifest {
        let path = self.folders().artifacts.join("dav-2201").join(release).join(MANIFEST);
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// What the build script of `mlapo-kernel` would embed.
    fn embedded(&self) -> Vec<String> {
        let folders = self.folders();
        let found = artifacts::collect(&folders.artifacts, &Hashes::of(&folders.source).unwrap()).unwrap();
        found.fresh.into_iter().map(|(manifest, _)| manifest.toolkit_version).collect()
    }
}

/// Without the name that a build gives its folder of work, so that command lines can be compared.
fn without_key(line: &str) -> String {
    let Some(start) = line.find("target/build-kernels/") else { return line.to_owned() };
    let start = start + "target/build-kernels/".len();
    let end = start + line[start..].find('/').unwrap();
    let key = line[start..end].to_owned();
    assert!(key.starts_with("work-"), "{key}");
    line.replace(&key, "WORK")
}
