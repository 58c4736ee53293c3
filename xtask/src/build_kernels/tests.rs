use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const HOST: &str = env::consts::ARCH;

/// A stand-in for a toolkit with programs that record how they are called, a kernel's source, and folders to build in.
struct Bench {
    directory: tempfile::TempDir,
}

/// Puts the command line and the toolkit that it sees into a log.
const RECORD: &str = r#"#!/bin/sh
echo "${0##*/} $*" >> "$ASCEND_HOME_PATH/log"
"#;
/// Writes a file for `-o`, whose content the toolkit's file `code` says.
const COMPILE: &str = r#"
[ "$1" = --version ] && { cat "$ASCEND_HOME_PATH/compiler-version"; exit 0; }
while [ $# -gt 1 ]; do
    [ "$1" = -o ] && cp "$ASCEND_HOME_PATH/code" "$2"
    shift
done
exit 0
"#;
/// Configures and builds as far as to leave an object where the kernel project leaves it.
const CMAKE: &str = r#"
case "$1" in
-S)
    for argument; do
        case "$argument" in -DCMAKE_INSTALL_PREFIX=*) out="${argument#*=}" ;; esac
    done
    mkdir -p "$4" && echo "$out" > "$4/out" ;;
--build)
    out=$(cat "$2/out") && mkdir -p "$out/fatbin/mlapo" && cp "$ASCEND_HOME_PATH/code" "$out/fatbin/mlapo/mlapo.o" ;;
esac
"#;
const CODE: &str = "\x7fELF mlapo_mix_aic mlapo_mix_aiv";

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        let folders = bench.folders();
        fs::create_dir_all(&folders.kernel).unwrap();
        fs::write(folders.kernel.join("mlapo.cpp"), "kernel").unwrap();
        fs::copy(Path::new(MLAPO_KERNEL).join("kernel").join(TILING), folders.kernel.join(TILING)).unwrap();
        bench
    }

    /// A toolkit of the newest kind, which also has the older way.
    fn newest() -> Self {
        let bench = Self::new();
        bench.compiler(&format!("{HOST}-linux/ccec_compiler/bin"));
        let project = format!("{HOST}-linux/tikcpp/ascendc_kernel_cmake");
        bench.file(&format!("{project}/ascendc.cmake"), "");
        bench.file(&format!("{project}/asc_modules/FindASC.cmake"), "options(--aicore-only)");
        bench.file(&format!("{project}/legacy_modules/function.cmake"), "function(ascendc_fatbin_library x)");
        bench.file("share/info/runtime/version.info", "Version=9.1.0\nversion_dir=9.1.0-beta.1\n");
        bench
    }

    /// A toolkit like 8.1.
    fn older() -> Self {
        let bench = Self::new();
        bench.compiler("compiler/ccec_compiler/bin");
        let project = "compiler/tikcpp/ascendc_kernel_cmake";
        bench.file(&format!("{project}/ascendc.cmake"), "");
        bench.file(&format!("{project}/function.cmake"), "function(ascendc_fatbin_library target_name)");
        bench.file("runtime/version.info", "Version=7.7.0.1.238\nversion_dir=8.1.RC1\n");
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
        let text = format!("{path}.text");
        self.file(&text, &format!("{RECORD}{body}"));
        // By another process: a file that this one has open for writing, or a child that another thread is just about to
        // start, cannot be executed.
        let mut install = std::process::Command::new("install");
        install.args(["-m", "755"]).args([self.home().join(text), self.home().join(path)]);
        assert!(install.status().unwrap().success());
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("toolkit")
    }

    fn folders(&self) -> Folders {
        let path = self.directory.path();
        Folders {
            kernel: path.join("kernel"),
            artifacts: path.join("artifacts"),
            cache: path.join("target/build-kernels"),
        }
    }

    /// What a build says, or why it failed.
    fn build(&self, change: impl FnOnce(&mut Args)) -> Result<String, Error> {
        let mut args = Args { socs: Vec::new(), ascend_home: None, method: None, dry_run: false };
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
        let found = artifacts::collect(&folders.artifacts, &Hashes::of(&folders.kernel).unwrap()).unwrap();
        found.fresh.into_iter().map(|(manifest, _)| manifest.toolkit_version).collect()
    }
}

/// The name that a build gives its folder of work, so that command lines can be compared.
fn without_key(line: &str) -> String {
    let Some(start) = line.find("target/build-kernels/") else { return line.to_owned() };
    let start = start + "target/build-kernels/".len();
    let end = start + line[start..].find('/').unwrap();
    let key = line[start..end].to_owned();
    assert!(key.ends_with(".work") && key.len() == 64 + 5, "{key}");
    line.replace(&key, "WORK")
}

#[test]
fn the_newest_toolkits_are_called_directly() {
    let bench = Bench::newest();
    let said = bench.build(|_| ()).unwrap();
    let commands: Vec<_> = bench.commands().iter().map(|line| without_key(line)).collect();
    let work = "target/build-kernels/WORK";
    assert_eq!(
        commands,
        [
            "bisheng --version".to_owned(),
            format!(
                "bisheng -c -x asc -std=c++17 -O3 --npu-arch=dav-2201 --aicore-only -I kernel kernel/mlapo.cpp \
                 -o {work}/mlapo.device.o"
            ),
            format!("ld.lld -m aicorelinux -Ttext=0 {work}/mlapo.device.o -static -o {work}/mlapo.o"),
        ]
    );
    for part in ["CANN 9.1.0-beta.1 (runtime 9.1.0)", "method direct", "mlapo.o: built", "embedded when"] {
        assert!(said.contains(part), "{part} in: {said}");
    }
    assert_eq!(bench.embedded(), ["9.1.0-beta.1"]);
    let object = bench.folders().artifacts.join("dav-2201/9.1.0-beta.1/mlapo.o");
    assert_eq!(fs::read_to_string(object).unwrap(), CODE);
}

#[test]
fn older_toolkits_build_with_their_cmake_project() {
    let bench = Bench::older();
    let said = bench.build(|args| args.socs = vec!["Ascend910B4-1".into()]).unwrap();
    let commands: Vec<_> = bench.commands().iter().map(|line| without_key(line)).collect();
    let work = "target/build-kernels/WORK";
    assert_eq!(
        commands,
        [
            "bisheng --version".to_owned(),
            format!(
                "cmake -S {PROJECT} -B {work}/build -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX={work}/out \
                 -DRUN_MODE=npu -DSOC_VERSION=Ascend910B4-1 -DASCEND_CANN_PACKAGE_PATH=toolkit \
                 -DASCENDC_CMAKE_DIR=toolkit/compiler/tikcpp/ascendc_kernel_cmake -DMLAPO_KERNEL_DIR=kernel"
            ),
            format!("cmake --build {work}/build"),
        ]
    );
    assert!(said.contains("CANN 8.1.RC1 (runtime 7.7.0.1.238)") && said.contains("method cmake"), "{said}");
    assert_eq!(bench.embedded(), ["8.1.RC1"]);
}

#[test]
fn the_cmake_project_names_what_the_command_gives_it() {
    let text = fs::read_to_string(Path::new(PROJECT).join("CMakeLists.txt")).unwrap();
    for part in [
        "include(${ASCENDC_CMAKE_DIR}/ascendc.cmake)",
        "ascendc_fatbin_library(mlapo ${MLAPO_KERNEL_DIR}/mlapo.cpp)",
    ] {
        assert!(text.contains(part), "{part} in: {text}");
    }
}

#[test]
fn the_way_can_be_chosen_among_those_that_the_toolkit_has() {
    let bench = Bench::newest();
    bench.build(|args| args.method = Some(Method::Cmake)).unwrap();
    assert!(bench.commands().iter().any(|line| line.starts_with("cmake --build")));
    assert_eq!(bench.manifest("9.1.0-beta.1").method, "cmake");
    let bench = Bench::older();
    let error = bench.build(|args| args.method = Some(Method::Direct)).unwrap_err().to_string();
    let home = bench.home();
    assert_eq!(error, format!("{} cannot build by the method direct; it has: cmake", home.display()));
    assert!(bench.commands().is_empty());
}

#[test]
fn a_dry_run_prints_every_command_and_runs_none() {
    for bench in [Bench::newest(), Bench::older()] {
        let said = bench.build(|args| args.dry_run = true).unwrap();
        assert!(bench.commands().is_empty());
        let folders = bench.folders();
        assert!(!folders.artifacts.exists() && !folders.cache.exists());
        // The same commands as those that a build runs, up to the folder of the work.
        bench.build(|_| ()).unwrap();
        let root = format!("{}/", bench.directory.path().display());
        let printed =
            said.replace(&root, "").replace("target/build-kernels/work", "target/build-kernels/WORK");
        for line in bench.commands() {
            let line = without_key(&line);
            assert!(printed.lines().any(|printed| printed.ends_with(&line)), "{line} in: {printed}");
        }
        assert!(printed.contains("ASCEND_HOME_PATH=toolkit PATH=toolkit/"), "{printed}");
        assert!(printed.contains("would write artifacts/dav-2201/"), "{printed}");
    }
}

#[test]
fn what_is_printed_is_what_a_shell_takes() {
    let bench = Bench::newest();
    let home = bench.directory.path().join("a tool'kit");
    fs::rename(bench.home(), &home).unwrap();
    let toolkit = Toolkit::find(&[home]).unwrap();
    let printed = Step::version(&toolkit).unwrap().to_string();
    let output = std::process::Command::new("sh").arg("-c").arg(&printed).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "bisheng 1\nof today\n", "{printed}");
}

#[test]
fn a_missing_toolkit_is_told_with_everything_that_was_tried() {
    let bench = Bench::new();
    fs::create_dir_all(bench.home()).unwrap();
    let absent = bench.directory.path().join("absent");
    let places = [absent.clone(), bench.home()];
    let message = Toolkit::find(&places).unwrap_err().to_string();
    for part in [
        format!("{}: no such folder", absent.display()),
        format!("{}: it has not what builds kernels", bench.home().display()),
        "ccec_compiler/bin".into(),
        "ascendc_fatbin_library".into(),
        "set_env.sh".into(),
        "--ascend-home".into(),
    ] {
        assert!(message.contains(&part), "{part} in: {message}");
    }
}

#[test]
fn a_compiler_without_a_recipe_for_loadable_objects_is_not_called() {
    let bench = Bench::new();
    bench.compiler("compiler/ccec_compiler/bin");
    bench.file("compiler/tikcpp/ascendc_kernel_cmake/ascendc.cmake", "");
    bench.file("compiler/tikcpp/ascendc_kernel_cmake/function.cmake", "function(ascendc_library)");
    assert!(matches!(bench.build(|_| ()), Err(Error::NoToolkit { .. })));
    assert!(bench.commands().is_empty());
}

#[test]
fn the_first_place_that_can_build_is_taken() {
    let (nothing, older, newest) = (tempfile::tempdir().unwrap(), Bench::older(), Bench::newest());
    let places = [nothing.path().to_owned(), older.home(), newest.home()];
    assert_eq!(Toolkit::find(&places).unwrap().home, older.home());
}

#[test]
fn toolkits_are_looked_for_where_libraries_are() {
    let variables = |name: &str| match name {
        "ASCEND_HOME_PATH" => Some(OsString::from("/home/cann")),
        "ASCEND_TOOLKIT_HOME" => Some(OsString::from("/usr/local/Ascend/cann")),
        _ => None,
    };
    let usual = ["/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/latest"].map(PathBuf::from);
    let cann = PathBuf::from("/usr/local/Ascend/cann");
    let home = PathBuf::from("/home/cann");
    assert_eq!(places(None, variables), [&home, &cann, &usual[0], &usual[1]].map(PathBuf::clone));
    assert_eq!(places(None, |_| Some(OsString::new())), [&usual[0], &usual[1], &cann].map(PathBuf::clone));
    assert_eq!(places(Some(Path::new("/my")), variables), [PathBuf::from("/my")]);
}

#[test]
fn a_release_is_found_where_older_toolkits_state_it() {
    let bench = Bench::older();
    bench.file("runtime/version.info", "Version=7.6.0\n");
    bench.file(&format!("{HOST}-linux/ascend_toolkit_install.info"), "package_name=x\nversion=8.0.0\n");
    bench.build(|_| ()).unwrap();
    let manifest = bench.manifest("8.0.0");
    assert_eq!((&*manifest.toolkit_version, &*manifest.runtime_version), ("8.0.0", "7.6.0"));
    // Nowhere.
    fs::remove_dir_all(bench.home().join("runtime")).unwrap();
    fs::remove_dir_all(bench.home().join(format!("{HOST}-linux"))).unwrap();
    bench.build(|_| ()).unwrap();
    assert_eq!(bench.manifest("unknown").runtime_version, "unknown");
}

#[test]
fn a_failing_compiler_is_shown() {
    let bench = Bench::newest();
    let body =
        "[ \"$1\" = --version ] && exit 0\necho 'a note'; echo 'mlapo.cpp:7: no such call' >&2; exit 3\n";
    bench.program(&format!("{HOST}-linux/ccec_compiler/bin/bisheng"), body);
    let error = bench.build(|_| ()).unwrap_err();
    let message = error.to_string();
    for part in [
        "bisheng failed (exit status: 3)",
        "a note\nmlapo.cpp:7: no such call",
        "--aicore-only",
        "--method cmake",
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    assert!(!bench.folders().artifacts.exists(), "nothing of a failed build is embedded");
    // The other way's failure has the same form.
    let bench = Bench::older();
    bench.program("compiler/ccec_compiler/bin/cmake", "echo 'SOC_VERSION' >&2; exit 1\n");
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(
        message.contains("cmake failed (exit status: 1)") && message.contains("SOC_VERSION"),
        "{message}"
    );
    assert!(!message.contains("--method"), "there is no other way: {message}");
}

#[test]
fn a_compiler_that_does_not_start_is_told() {
    let bench = Bench::newest();
    let compiler = bench.home().join(format!("{HOST}-linux/ccec_compiler/bin/bisheng"));
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o644)).unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.starts_with(&format!("{} cannot be started", compiler.display())), "{message}");
}

#[test]
fn a_result_that_is_no_object_is_refused() {
    let bench = Bench::newest();
    bench.file("code", "#!/bin/sh");
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains("mlapo.o is no ELF object"), "{message}");
    bench.program(&format!("{HOST}-linux/ccec_compiler/bin/ld.lld"), "exit 0\n");
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains("mlapo.o is not there"), "{message}");
    assert!(!bench.folders().artifacts.exists());
}

#[test]
fn an_object_without_the_kernels_names_is_kept_with_a_warning() {
    let bench = Bench::newest();
    bench.file("code", "\x7fELF mlapo_mix_aic");
    let said = bench.build(|_| ()).unwrap();
    assert!(said.contains("warning: the object has no symbol mlapo_mix_aiv"), "{said}");
    assert!(!said.contains("no symbol mlapo_mix_aic"), "{said}");
    assert_eq!(bench.embedded().len(), 1);
}

#[test]
fn the_cache_is_by_content() {
    let bench = Bench::newest();
    let compiled = || bench.commands().iter().any(|line| line.contains("mlapo.cpp"));
    let said = bench.build(|_| ()).unwrap();
    assert!(compiled() && said.contains("built"), "{said}");
    // Nothing has changed, not even the time of the files.
    let object = bench.folders().artifacts.join("dav-2201/9.1.0-beta.1").join(OBJECT);
    let time = || fs::metadata(&object).unwrap().modified().unwrap();
    let before = time();
    let said = bench.build(|_| ()).unwrap();
    assert!(!compiled() && said.contains("from the cache, already in place"), "{said}");
    assert_eq!(time(), before);
    // Lost artefacts come from the cache.
    fs::remove_dir_all(bench.folders().artifacts).unwrap();
    let said = bench.build(|_| ()).unwrap();
    assert!(!compiled() && said.contains("from the cache, embedded when"), "{said}");
    // A source that is as new but says the same is no other source.
    let source = bench.folders().kernel.join("mlapo.cpp");
    fs::write(&source, "kernel").unwrap();
    bench.build(|_| ()).unwrap();
    assert!(!compiled());
    // Source, compiler, options, toolkit.
    fs::write(&source, "another kernel").unwrap();
    assert!(bench.embedded().is_empty(), "what is stale is not embedded");
    bench.build(|_| ()).unwrap();
    assert!(compiled());
    assert_eq!(bench.embedded().len(), 1);
    bench.file("compiler-version", "bisheng 1\nof tomorrow\n");
    bench.build(|_| ()).unwrap();
    assert!(compiled());
    bench.build(|args| args.method = Some(Method::Cmake)).unwrap();
    assert!(bench.commands().iter().any(|line| line.starts_with("cmake --build")));
    bench.file("share/info/runtime/version.info", "Version=9.2.0\nversion_dir=9.2.0\n");
    bench.build(|_| ()).unwrap();
    assert!(compiled());
    assert_eq!(bench.embedded(), ["9.1.0-beta.1", "9.2.0"]);
    // And back.
    fs::write(&source, "kernel").unwrap();
    bench.file("compiler-version", "bisheng 1\nof today\n");
    bench.file("share/info/runtime/version.info", "Version=9.1.0\nversion_dir=9.1.0-beta.1\n");
    bench.build(|_| ()).unwrap();
    assert!(!compiled());
}

#[test]
fn what_a_failed_build_leaves_is_not_taken() {
    let bench = Bench::newest();
    let linker = format!("{HOST}-linux/ccec_compiler/bin/ld.lld");
    bench.program(&linker, &COMPILE.replace("\nexit 0\n", "\nexit 1\n"));
    bench.build(|_| ()).unwrap_err();
    bench.commands();
    bench.program(&linker, COMPILE);
    bench.build(|_| ()).unwrap();
    assert!(bench.commands().iter().any(|line| line.contains("mlapo.cpp")));
    let left: Vec<_> =
        fs::read_dir(bench.folders().cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 1, "the folder of the work is gone: {left:?}");
}

#[test]
fn several_socs_of_the_architecture_share_one_object() {
    for bench in [Bench::newest(), Bench::older()] {
        bench.build(|args| args.socs = vec!["Ascend910B3".into(), "Ascend910_9391".into()]).unwrap();
        let commands = bench.commands();
        let builds = |line: &&String| line.contains("mlapo.cpp") || line.starts_with("cmake --build");
        assert_eq!(commands.iter().filter(builds).count(), 1, "{commands:?}");
        let said = bench.build(|args| args.socs = vec!["Ascend910B2C".into()]).unwrap();
        assert!(said.contains("from the cache, already in place"), "{said}");
    }
}

#[test]
fn other_socs_are_refused_before_anything_is_done() {
    let bench = Bench::newest();
    for soc in ["Ascend310P3", "Ascend950PR_9599", "dav-2201"] {
        let socs = vec!["Ascend910B3".to_owned(), soc.to_owned()];
        let message = bench.build(|args| args.socs = socs).unwrap_err().to_string();
        assert!(message.ends_with(&format!("not for {soc}")), "{message}");
        assert!(message.contains("Ascend910B1") && message.contains("Ascend910_9362"), "{message}");
    }
    assert!(bench.commands().is_empty());
}

#[test]
fn a_header_that_differs_from_the_definition_is_refused() {
    let bench = Bench::newest();
    fs::write(bench.folders().kernel.join(TILING), "struct Tiling {};").unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains(TILING) && message.contains("cargo xtask tiling-header"), "{message}");
    fs::remove_file(bench.folders().kernel.join(TILING)).unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains(TILING) && message.contains("No such file"), "{message}");
    assert!(bench.commands().is_empty());
}

#[test]
fn the_manifest_says_what_was_built_from_what() {
    let bench = Bench::older();
    bench.build(|_| ()).unwrap();
    let manifest = bench.manifest("8.1.RC1");
    let tiling = fs::read(bench.folders().kernel.join(TILING)).unwrap();
    let expected = Manifest {
        kernel: "mlapo".into(),
        arch: "dav-2201".into(),
        socs: SOCS.map(str::to_owned).to_vec(),
        toolkit_version: "8.1.RC1".into(),
        runtime_version: "7.7.0.1.238".into(),
        method: "cmake".into(),
        compiler: "bisheng 1".into(),
        source_hash: manifest.source_hash.clone(),
        tiling_hash: hash(&tiling),
        object_hash: hash(CODE.as_bytes()),
    };
    assert_eq!(manifest, expected);
    // The file without the tiling: length and bytes of the name, then of the content.
    let mut source = Vec::new();
    for part in ["mlapo.cpp", "kernel"] {
        source.extend((part.len() as u64).to_le_bytes());
        source.extend(part.as_bytes());
    }
    assert_eq!(manifest.source_hash, hash(&source));
}

#[test]
fn a_release_becomes_the_name_of_one_folder() {
    assert_eq!(folder_name("8.1.RC1"), "8.1.RC1");
    assert_eq!(folder_name("../x y"), ".._x_y");
    assert_eq!(folder_name(".."), "_");
    assert_eq!(folder_name(""), "_");
}
