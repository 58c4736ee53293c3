//! The header, compiled, must say the same as this module.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::super::memory::Space;
use super::*;

/// A structure: its name, its size, and the name, offset and size of each field.
pub(super) struct StructLayout {
    name: &'static str,
    size: usize,
    fields: Vec<(&'static str, usize, usize)>,
}

/// The size of the field that a function picks.
pub(super) fn field_size<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// The layout of a structure. All fields must be named, else this does not compile.
macro_rules! layout_of {
    ($name:ident { $($field:ident),* $(,)? }) => {{
        #[allow(dead_code, reason = "only to name every field")]
        fn all_fields(value: $name) {
            let $name { $($field: _),* } = value;
        }
        tests::StructLayout::new(stringify!($name), size_of::<$name>(), vec![$((
            stringify!($field),
            std::mem::offset_of!($name, $field),
            tests::field_size(|value: &$name| &value.$field),
        )),*])
    }};
}
pub(super) use layout_of;

impl StructLayout {
    pub(super) fn new(name: &'static str, size: usize, fields: Vec<(&'static str, usize, usize)>) -> Self {
        Self { name, size, fields }
    }
}

fn structures() -> Vec<StructLayout> {
    use super::tests;
    let mut all = instruction_layouts();
    all.extend([
        layout_of!(Mask { bits, counter, reserved }),
        layout_of!(Site { file, line, reserved }),
        layout_of!(CoreView {
            core,
            model,
            base,
            size,
            block_idx,
            block_num,
            sub_block_idx,
            sub_block_num,
            core_type,
            kernel_type,
            checked,
            reserved,
            device_start,
            device_end,
            device_delta,
            system_workspace,
        }),
        layout_of!(Model {
            version,
            reserved,
            execute,
            scalar_access,
            read_register,
            write_register,
            print,
            fail,
            buffer,
        }),
        layout_of!(KernelEntry {
            name,
            core_type,
            kernel_type,
            computes,
            reserved,
            argument_bytes,
            run,
            parameters,
            parameter_count,
            reserved1,
        }),
        layout_of!(Parameter { offset, size }),
        layout_of!(Object { version, kernel_count, kernels }),
    ]);
    all
}

/// An enumeration: its name, the size of its code, and the names and values of its items.
struct Enumeration {
    name: &'static str,
    size: usize,
    items: Vec<(String, u64)>,
}

fn enumerations() -> Vec<Enumeration> {
    macro_rules! all {
        ($($name:ident),*) => { vec![$(Enumeration {
            name: stringify!($name),
            size: size_of::<$name>(),
            items: $name::ALL.iter().map(|&item| (format!("{item:?}"), item as u64)).collect(),
        }),*] };
    }
    let mut all = all![
        Kind,
        Pipe,
        DataType,
        VectorOp,
        Round,
        Comparison,
        SelectMode,
        ReduceOp,
        ReduceScope,
        ReduceOrder,
        GatherMode,
        Atomic,
        SyncScope,
        CoreType,
        KernelType,
        Register
    ];
    let spaces = Space::ALL.iter().map(|&space| (space.name().to_owned(), space as u64)).collect();
    all.push(Enumeration { name: "Space", size: size_of::<Space>(), items: spaces });
    all
}

fn include() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// The names of what the header defines with this word.
fn declared(header: &str, word: &str) -> BTreeSet<String> {
    let lines = header.lines().filter(|line| line.contains('{'));
    let names = lines.filter_map(|line| line.strip_prefix(word)?.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_header_says_the_same_to_a_compiler() {
    let (structures, enumerations) = (structures(), enumerations());
    let mut expected = format!("VERSION {VERSION}\n");
    let mut body = String::from("number(\"VERSION\", VERSION);\n");
    for StructLayout { name, size, fields } in &structures {
        writeln!(expected, "{name} {size}").unwrap();
        writeln!(body, "number(\"{name}\", sizeof({name}));").unwrap();
        for (field, offset, size) in fields {
            writeln!(expected, "{name}.{field} {offset}\n{name}.{field} bytes {size}").unwrap();
            writeln!(body, "number(\"{name}.{field}\", offsetof({name}, {field}));").unwrap();
            writeln!(body, "number(\"{name}.{field} bytes\", sizeof((({name}*)nullptr)->{field}));").unwrap();
        }
        // The code of an instruction is in its structure from the start.
        if let Some(kind) = Kind::ALL.iter().find(|kind| format!("{kind:?}") == *name) {
            writeln!(expected, "{name} kind {}", *kind as u16).unwrap();
            writeln!(body, "number(\"{name} kind\", {name} {{}}.kind);").unwrap();
        }
    }
    for Enumeration { name, size, items } in &enumerations {
        writeln!(expected, "{name} bytes {size}").unwrap();
        writeln!(body, "number(\"{name} bytes\", sizeof({name}));").unwrap();
        for (item, value) in items {
            writeln!(expected, "{name}::{item} {value}").unwrap();
            writeln!(body, "number(\"{name}::{item}\", (unsigned long)AscendCModel::{name}::{item});")
                .unwrap();
        }
    }
    let program = format!(
        "#include \"ascendc_model/abi.h\"\n#include <cstddef>\n#include <cstdio>\nusing namespace AscendCModel;\n\
         static void number(const char* name, unsigned long value) {{ std::printf(\"%s %lu\\n\", name, value); }}\n\
         int main() {{\n{body}}}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("layout.cpp");
    std::fs::write(&source, program).unwrap();
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let built = folder.path().join("layout");
    let output = Command::new(compiler)
        .args(["-std=c++17", "-Wall", "-Werror", "-I"])
        .arg(include())
        .arg(&source)
        .arg("-o")
        .arg(&built)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new(built).output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "the header (left) differs");
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn the_header_declares_nothing_else() {
    let header = std::fs::read_to_string(include().join("ascendc_model/abi.h")).unwrap();
    let names = structures().iter().map(|structure| structure.name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(declared(&header, "struct "), names);
    let names = enumerations().iter().map(|enumeration| enumeration.name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(declared(&header, "enum class "), names);
    // Each kind has a structure, and the number of items is the same.
    let kinds = Kind::ALL.iter().map(|kind| format!("{kind:?}")).collect::<BTreeSet<_>>();
    assert!(kinds.is_subset(&declared(&header, "struct ")));
    let mut text = &header[..];
    for _ in 0..enumerations().len() {
        text = &text[text.find("enum class ").unwrap() + "enum class ".len()..];
        let (name, rest) = text.split_once(' ').unwrap();
        let body = rest[rest.find('{').unwrap()..rest.find('}').unwrap()].lines();
        let items: usize =
            body.filter(|line| !line.trim().starts_with("//")).map(|line| line.matches(" = ").count()).sum();
        let known = enumerations().into_iter().find(|known| known.name == name).unwrap();
        assert_eq!(known.items.len(), items, "{name}");
    }
}
