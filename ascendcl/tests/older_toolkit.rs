//! On a library of CANN 8.1, everything works but what docs/toolkit-versions.md lists, and that as it says.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod older;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use ascendcl::{
    Allocation, Backend, BackendKind, DeviceAttribute, DeviceFeature, Error, Format, KernelArgs,
    LaunchConfig, Limit, Module, Operators, PageBox, PagePolicy, Result, Runtime, ScheduleMode, Side, Stream,
};
use ascendcl_sim_cc::Build;

const PAGE: &str = include_str!("../../docs/toolkit-versions.md");
/// Set for the process that has the older library.
const LIBRARY: &str = "ASCENDCL_LIBRARY";

/// What the page says of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    /// The methods answer with `Error::MissingSymbol`.
    Error,
    /// Another way is taken.
    Instead,
}

/// The rows of the page's table of newer functions.
fn rows() -> Vec<(&'static str, Without)> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `acl")?.split_once('`'));
    rows.map(|(name, rest)| {
        let last = rest.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        let without = if last.starts_with("error") { Without::Error } else { Without::Instead };
        let start = PAGE.find(&format!("| `acl{name}`")).unwrap() + 3;
        (&PAGE[start..start + 3 + name.len()], without)
    })
    .collect()
}

/// The newer functions that the crate's sources call.
fn called() -> BTreeSet<&'static str> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/raw");
    let texts = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let code: String = texts
        .flat_map(|text| {
            text.lines().map(|line| format!("{}\n", line.split("//").next().unwrap())).collect::<Vec<_>>()
        })
        .collect();
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let newer = ascendcl::sys::FUNCTIONS.iter().filter(|function| function.since != "8.1");
    newer.map(|function| function.name).filter(|name| words.contains(name)).collect()
}

#[test]
fn the_page_lists_the_newer_functions_that_are_called() {
    let listed: BTreeSet<&str> = rows().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, called());
}

/// Runs the other tests of this file with the older library, in a process of their own.
#[test]
fn a_library_of_8_1_degrades_as_the_page_says() {
    if let Some(path) = std::env::var_os(LIBRARY) {
        older::connect(Path::new(&path));
        return degrades();
    }
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libascendcl.so");
    if !older::build(&library) {
        eprintln!("skipped: no jump for this machine's instructions");
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let name = "a_library_of_8_1_degrades_as_the_page_says";
    let output = child.args(["--exact", name, "--nocapture"]).env(LIBRARY, &library).output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn degrades() {
    let runtime = Runtime::with_backend(Backend::Npu).unwrap();
    assert_eq!(runtime.backend(), BackendKind::Npu);
    for (name, _) in rows() {
        assert!(!runtime.has_function(name), "{name}");
    }
    let device = runtime.device(0).unwrap();
    let stream = device.stream().unwrap();
    instead(&runtime, &stream);
    let mut missing = errors(&runtime, &stream);
    drop((stream, device));
    match runtime.finalize_reference() {
        Err(Error::MissingSymbol(symbol)) => missing.insert(symbol.name),
        other => panic!("not a missing function: {other:?}"),
    };
    // It has ended nothing.
    assert!(Runtime::with_backend(Backend::Npu).unwrap().device_count().unwrap() > 0);
    let expected: BTreeSet<&str> =
        rows().into_iter().filter(|(_, without)| *without == Without::Error).map(|(name, _)| name).collect();
    assert_eq!(missing, expected);
}

const KERNEL: &str = r#"
#include "kernel_operator.h"
extern "C" __global__ __aicore__ void fill(GM_ADDR to, int32_t value)
{
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    reinterpret_cast<__gm__ int32_t*>(to)[0] = value;
    AscendC::GlobalTensor<int32_t> all;
    all.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(to), 8);
    AscendC::DataCacheCleanAndInvalid<int32_t, AscendC::CacheLine::SINGLE_CACHE_LINE, AscendC::DcciDst::CACHELINE_OUT>(all);
}
"#;

fn module(stream: &Stream) -> Module {
    let folder = tempfile::tempdir().unwrap();
    let (source, object) = (folder.path().join("fill.cpp"), folder.path().join("fill.so"));
    std::fs::write(&source, KERNEL).unwrap();
    Build::new(&object).source(&source).run().unwrap();
    // By a temporary file here.
    Module::from_bytes(stream.device(), &std::fs::read(&object).unwrap()).unwrap()
}

/// What has another way.
fn instead(runtime: &Runtime, stream: &Stream) {
    let device = stream.device();
    // The foundation.
    let from = stream.alloc_from(&[1.0f32, 2.0, 3.0]).unwrap();
    let mut to = stream.alloc::<f32>(3).unwrap();
    stream.copy(&from, &mut to).unwrap();
    assert_eq!(stream.download_vec(&to).unwrap(), [1.0, 2.0, 3.0]);
    assert!(device.properties().unwrap().ai_cores > 0 && device.memory_info().unwrap().total > 0);
    // Host functions, by a thread that is subscribed.
    let (sender, receiver) = mpsc::channel();
    stream.host_function(move || sender.send(7).unwrap()).unwrap();
    stream.synchronize().unwrap();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(7));
    // Memory of its own, freed at once.
    let how = Allocation::Configured { peer: false, module: 33 };
    stream.alloc_dedicated::<u8>(64, PagePolicy::Huge, how).unwrap().free_now().unwrap();
    stream.alloc_pinned_dedicated::<u8>(64, 33).unwrap().free_now().unwrap();
    // Registered memory; on kernels of the host that the older way does not take, that is the answer.
    match device.register(PageBox::<u32>::zeroed(16).unwrap()) {
        Ok(registered) => drop(registered.unregister().unwrap()),
        Err(error) => assert!(matches!(error, Error::Backend { .. }), "{error}"),
    }
    // Kernels: from memory, and with data behind the arguments.
    let kernel = module(stream).kernel("fill").unwrap();
    let mut filled = stream.alloc::<i32>(8).unwrap();
    let arguments = KernelArgs::new().write(&mut filled).value(5i32);
    // SAFETY: the kernel writes the first number.
    unsafe { kernel.launch(stream, 1, arguments) }.unwrap();
    assert_eq!(stream.download_vec(&filled).unwrap()[0], 5);
    assert!(runtime.version().unwrap()[0] >= 1);
}

/// The newer functions whose absence is an error, as the methods name them.
fn errors(runtime: &Runtime, stream: &Stream) -> BTreeSet<&'static str> {
    let device = stream.device();
    let mut missing = BTreeSet::new();
    let mut note = |result: Result<()>| match result {
        Err(Error::MissingSymbol(symbol)) => {
            assert_eq!(symbol.since, "9.1", "{symbol}");
            missing.insert(symbol.name);
        }
        other => panic!("not a missing function: {other:?}"),
    };
    fn unit<T>(result: Result<T>) -> Result<()> {
        result.map(drop)
    }
    note(unit(device.attribute(DeviceAttribute::CubeCores)));
    note(unit(device.supports(DeviceFeature::TaskUpdate)));
    note(unit(device.uuid()));
    note(unit(device.memory_usage()));
    note(unit(device.limit(Limit::CubeCores)));
    note(device.set_limit(Limit::CubeCores, 1));
    note(device.reset_limits());
    note(unit(device.stream_priority_range()));
    note(unit(device.create_mem_pool(1 << 20)));
    note(unit(runtime.package_version_text("runtime")));
    note(unit(runtime.package_version_number("runtime")));
    note(unit(stream.priority()));
    note(stream.set_priority(1));
    note(unit(stream.flags()));
    note(unit(stream.tag()));
    // SAFETY: the stream has no work.
    note(unsafe { stream.stop_running_task() });
    let event = device.event().unwrap();
    note(stream.wait_timeout(&event, Duration::from_secs(1)));
    let event = device.graph_event(Side::Stream, Side::Stream).unwrap();
    note(stream.record_graph_event(&event));
    note(stream.wait_graph_event(&event));

    let mut words = stream.alloc::<u32>(4).unwrap();
    note(stream.fill_words(&mut words, 1));
    note(device.fill_words(&mut words, 1));
    let pinned = stream.alloc_pinned::<u32>(4).unwrap();
    note(stream.upload_batch([(pinned.slice(..).unwrap(), words.slice_mut(..).unwrap())]));
    note(device.upload_batch([(&[1u32, 2, 3, 4][..], words.slice_mut(..).unwrap())]));

    let graph = stream.capture(|stream| stream.fill_bytes(&mut words, 1)).unwrap();
    note(graph.execute());
    note(graph.debug_json(std::env::temp_dir().join("never-written.json")));
    // SAFETY: the graph is not running.
    note(unsafe { graph.abort() });

    let kernel = module(stream).kernel("fill").unwrap();
    note(unit(kernel.function_name()));
    note(unit(kernel.cores()));
    let mut filled = stream.alloc::<i32>(8).unwrap();
    let arguments = KernelArgs::new().write(&mut filled).value(5i32);
    // SAFETY: nothing is launched; the arguments are the kernel's all the same.
    note(unsafe { kernel.launch_each(stream, 1, arguments, &LaunchConfig::new()) });
    let bytes = stream.alloc_from(KernelArgs::new().write(&mut filled).value(5i32).as_bytes()).unwrap();
    let batch = LaunchConfig::new().schedule(ScheduleMode::Batch);
    // SAFETY: as above.
    note(unsafe { kernel.launch_on_device_args(stream, 1, &bytes, [filled.write()], &batch) });

    let operators = Operators::new(runtime).unwrap();
    let tensor = stream.tensor_from(&[1.0f32], Format::Nd, &[1]).unwrap();
    let operand = operators.tensor(&tensor).unwrap();
    note(operators.dump(["Add", "add"], &[&operand], &[], stream));
    drop(operand);
    operators.finalize().unwrap();
    missing
}
