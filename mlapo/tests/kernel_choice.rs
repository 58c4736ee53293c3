//! Which kernel a device is given: what the library is decides, and nothing else takes the place of a kernel that is not
//! there.
//!
//! A library of a few C functions stands for that of an NPU. It is chosen by variables, so each case is a process: this
//! program once more, with the test `child` alone.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use ascendcl::{BackendKind, Runtime};
use mlapo::{Backend, Config, Error, Mlapo, Weights};
use mlapo_kernel::{SIMULATOR_OBJECT, binary_for};

/// As much of AscendCL as is called before a kernel runs. It loads no kernel, but keeps what it is given.
const LIBRARY: &str = r#"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char object;
#define OK(name) int name() { return 0; }
OK(aclInit) OK(aclrtSetDevice) OK(aclrtResetDevice) OK(aclrtSetCurrentContext) OK(aclrtSynchronizeStream)
OK(aclrtDestroyStream) OK(aclrtSynchronizeDevice) OK(aclrtDestroyEvent) OK(aclrtRecordEvent)
OK(aclrtSynchronizeEvent)
#define GIVES(name) int name(void **out) { *out = &object; return 0; }
GIVES(aclrtGetCurrentContext) GIVES(aclrtCreateStreamWithConfig) GIVES(aclrtCreateStream)
GIVES(aclrtCreateEventExWithFlag)

const char *aclGetRecentErrMsg(void) { return 0; }
int aclrtStreamGetId(void *stream, int32_t *id) { *id = 1; return 0; }
int aclrtGetDeviceCount(uint32_t *count) { *count = 1; return 0; }
const char *aclrtGetSocName(void) { return getenv("STAND_IN_SOC"); }
int aclGetDeviceCapability(uint32_t device, int info, int64_t *value) { *value = 20; return 0; }
int aclrtGetDeviceInfo(uint32_t device, int info, int64_t *value) { *value = 20; return 0; }
int aclrtGetMemInfo(int kind, size_t *left, size_t *all) { *left = *all = 1; return 0; }
int aclsysGetCANNVersion(int package, char *version)
{
    const char *text = getenv("STAND_IN_RUNTIME");
    if (text == 0) {
        return 500000;
    }
    strcpy(version, text);
    return 0;
}
int aclrtBinaryLoadFromData(const void *data, size_t size, const void *options, void **binary)
{
    FILE *file = fopen(getenv("STAND_IN_LOADED"), "wb");
    fwrite(data, 1, size, file);
    fclose(file);
    return 507018;
}
"#;

/// The stand-in for an NPU's library, in a folder of its own.
fn library() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("npu.c"), folder.path().join("libascendcl.so"));
    fs::write(&source, LIBRARY).unwrap();
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .args(["-shared", "-fPIC", "-w", "-o"])
        .args([&library, &source])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, library)
}

/// What the test `child` prints in a process with these variables.
fn process(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--ignored"]);
    for name in ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME", "ASCENDCL_LIBRARY", "ASCENDCL_BACKEND"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Makes the operation with the kernel, and with the backend that is best, and prints what comes of it.
#[test]
#[ignore = "the other tests start it in processes of its own"]
fn child() {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return println!("no runtime: {error}"),
    };
    println!("library: {:?}", runtime.backend());
    let stream = runtime.device(0).unwrap().stream().unwrap();
    let config = Config::builder().hidden_size(64).q_lora_rank(32).num_heads(1).build().unwrap();
    let weights = Weights::random(&config, 1);
    for backend in [Backend::Kernel, Backend::Auto] {
        match Mlapo::new(&stream, config.clone(), &weights, backend) {
            Ok(operation) => println!("{backend}: computes by {}", operation.backend()),
            Err(Error::NoKernel(error)) => println!("{backend}: no kernel: {error}"),
            Err(error) => println!("{backend}: {error}"),
        }
    }
    let config =
        Config::builder().hidden_size(64).q_lora_rank(32).num_heads(1).qk_rope_head_dim(256).build().unwrap();
    let weights = Weights::random(&config, 1);
    let result = tracing::subscriber::with_default(Log, || {
        Mlapo::new(&stream, config.clone(), &weights, Backend::Auto)
    });
    match result {
        Ok(operation) => println!("not for the kernel: computes by {}", operation.backend()),
        Err(error) => println!("not for the kernel: {error}"),
    }
}

/// Prints what is logged.
struct Log;

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let level = *event.metadata().level();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            println!("{level} {field}: {value:?}");
        });
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// What comes of the backend in a child's output.
fn line<'a>(text: &'a str, backend: &str) -> &'a str {
    let start = format!("{backend}: ");
    text.lines()
        .find_map(|line| line.strip_prefix(&start))
        .unwrap_or_else(|| panic!("no {backend} in {text}"))
}

/// What comes of both backends on an NPU, and the object that its library was given.
fn on_an_npu(soc: &str, runtime: Option<&str>) -> ([String; 2], Option<Vec<u8>>) {
    let (folder, library) = library();
    let loaded = folder.path().join("loaded");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (library, loaded_path) = (path(&library), path(&loaded));
    let mut variables = vec![
        ("ASCENDCL_BACKEND", "npu"),
        ("ASCENDCL_LIBRARY", &library),
        ("STAND_IN_SOC", soc),
        ("STAND_IN_LOADED", &loaded_path),
    ];
    variables.extend(runtime.map(|version| ("STAND_IN_RUNTIME", version)));
    let text = process(&variables);
    assert!(text.contains(&format!("library: {:?}", BackendKind::Npu)), "{text}");
    (["kernel", "auto"].map(|backend| line(&text, backend).to_owned()), fs::read(loaded).ok())
}

#[test]
fn the_simulated_device_is_given_its_object() {
    let text = process(&[("ASCENDCL_BACKEND", "sim")]);
    assert_eq!(line(&text, "library"), format!("{:?}", BackendKind::Sim));
    for backend in ["kernel", "auto"] {
        assert_eq!(line(&text, backend), "computes by kernel");
    }
}

#[test]
fn an_npu_is_given_a_kernel_that_was_built_for_it_or_none() {
    for (soc, runtime) in
        [("Ascend910B3", Some("9.1.0")), ("Ascend910_9391", None), ("Ascend910B4-1", Some("1.0.0"))]
    {
        let (results, loaded) = on_an_npu(soc, runtime);
        // Nothing is embedded unless a toolkit was at hand when this program was built.
        match binary_for(soc, runtime) {
            Ok(binary) => assert_eq!(loaded.as_deref(), Some(binary.bytes)),
            Err(error) => {
                assert_eq!(loaded, None, "what is not there has no stand-in");
                for result in results {
                    assert_eq!(result, format!("no kernel: {error}"));
                    let command = format!("`cargo xtask build-kernels --soc {soc}`");
                    assert!(result.contains(&command), "{result}");
                }
            }
        }
        assert_ne!(loaded.as_deref(), Some(SIMULATOR_OBJECT));
    }
}

#[test]
fn an_npu_of_another_architecture_is_refused() {
    let (results, loaded) = on_an_npu("Ascend310P3", Some("9.1.0"));
    assert_eq!(loaded, None);
    for result in results {
        assert!(result.starts_with("no kernel: ") && result.ends_with("not for Ascend310P3"), "{result}");
    }
}

/// What the kernel does not take is computed by the host, and said; not where the NPU was asked for.
#[test]
fn an_npu_is_not_left_idle_in_silence() {
    let (_folder, library) = library();
    let with = |backend| {
        let variables = [("ASCENDCL_LIBRARY", library.to_str().unwrap()), ("STAND_IN_SOC", "Ascend310P3")];
        process(&[&variables[..], &[("ASCENDCL_BACKEND", backend)]].concat())
    };
    let refusal = "configuration: `qk_rope_head_dim` must be ";
    let text = with("npu");
    assert_eq!(line(&text, "library"), format!("{:?}", BackendKind::Npu));
    assert!(line(&text, "not for the kernel").starts_with(refusal), "{text}");
    for (backend, kind, warning) in [
        ("auto", BackendKind::Npu, format!("WARN message: the host computes, not the NPU: {refusal}")),
        (
            "sim",
            BackendKind::Sim,
            format!("INFO message: the host computes, not the simulated device: {refusal}"),
        ),
    ] {
        let text = with(backend);
        assert_eq!(line(&text, "library"), format!("{kind:?}"));
        assert_eq!(line(&text, "not for the kernel"), "computes by host");
        assert!(text.lines().any(|line| line.starts_with(&warning)), "{warning}: {text}");
    }
}

#[test]
fn an_npu_that_is_asked_for_and_not_there_is_an_error() {
    let text = process(&[("ASCENDCL_BACKEND", "npu"), ("ASCENDCL_LIBRARY", "/no/such/libascendcl.so")]);
    let message = line(&text, "no runtime");
    assert!(message.contains("libascendcl.so"), "{message}");
    assert!(text.contains("/no/such/libascendcl.so"), "{text}");
    assert!(!text.contains("library: "), "{text}");
}
