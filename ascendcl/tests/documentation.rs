//! The kernel of docs/ai-cores.md does what the page says.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use ascendcl::{Backend, KernelArgs, Module, Runtime};
use ascendcl_sim::kernel::{FindingKind, Level, Options};
use ascendcl_sim_cc::Build;

const PAGE: &str = include_str!("../../docs/ai-cores.md");

/// Builds a source, launches it as the page does, and answers with the sums.
fn sums(source: &str) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let (file, object) = (folder.path().join("add.cpp"), folder.path().join("add.so"));
    fs::write(&file, source).unwrap();
    Build::new(&object).source(&file).run().unwrap();
    let device = Runtime::with_backend(Backend::Sim).unwrap().device(0).unwrap();
    let stream = device.stream().unwrap();
    let (x, y) = (stream.alloc_from(&[1.0f32; 1024]).unwrap(), stream.alloc_from(&[2.0f32; 1024]).unwrap());
    let mut z = stream.alloc::<f32>(1024).unwrap();
    let kernel = Module::load(&device, &object).unwrap().kernel("add").unwrap();
    let arguments = KernelArgs::new().read(&x).read(&y).write(&mut z).value(1024u32);
    // SAFETY: the kernel reads and writes 1024 numbers.
    unsafe { kernel.launch(&stream, 8, arguments) }.unwrap();
    stream.download_vec(&z).unwrap()
}

#[test]
fn the_kernel_adds_and_the_sanitizer_finds_what_the_page_shows() {
    let source = PAGE.split("```cpp\n").nth(1).unwrap().split("```").next().unwrap();
    let options = Options { level: Level::Check, auto_sync: false, trace: true, ..Options::default() };
    ascendcl_sim::kernel::configure(options);
    assert_eq!(sums(source), [3.0; 1024]);
    let reports = ascendcl_sim::kernel::take_reports();
    assert!(reports.iter().all(|report| report.findings.is_empty()));
    // What the source says, in its order.
    let written: Vec<u32> = (1..)
        .zip(source.lines())
        .filter(|(_, line)| {
            ["DataCopy(", "Flag<", "Add("].iter().any(|call| line.trim_start().contains(call))
        })
        .map(|(number, _)| number)
        .collect();
    assert_eq!(reports[0].traces.len(), 8);
    for trace in &reports[0].traces {
        // The end of the kernel is in a header.
        let of_page = trace.instructions().filter(|traced| traced.file.ends_with("add.cpp"));
        let (lines, pipes): (Vec<u32>, Vec<&str>) = of_page.map(|traced| (traced.line, traced.pipe)).unzip();
        assert_eq!(lines, written);
        assert_eq!(pipes, ["MTE2", "MTE2", "MTE2", "V", "V", "V", "MTE3", "MTE3"]);
    }

    let lines: Vec<&str> = source.lines().collect();
    let flag = lines.iter().position(|line| line.contains("SetFlag<HardEvent::MTE2_V>")).unwrap();
    // Empty lines keep the numbers of the others.
    let without: Vec<&str> = lines
        .iter()
        .enumerate()
        .map(|(i, line)| if i == flag || i == flag + 1 { "" } else { line })
        .collect();
    sums(&without.join("\n"));
    let reports = ascendcl_sim::kernel::take_reports();
    let finding = reports.iter().flat_map(|report| &report.findings).next().unwrap();
    assert_eq!(finding.kind, FindingKind::MissingFlag);
    let (actor, other) = (&finding.actor, finding.other.as_ref().unwrap());
    for (who, core, pipe, instruction) in [(actor, "AIV 0", "V", "Vector"), (other, "AIV 0", "MTE2", "Copy")]
    {
        let shown = format!("{core} {pipe} {instruction} at add.cpp:{}", who.source.line);
        assert_eq!((&*who.core, &*who.pipe, &*who.instruction), (core, pipe, instruction));
        assert!(PAGE.contains(&shown), "the page does not show: {shown}");
    }
}
