//! The headers and the bindings against tables of facts: the signature of every function that is declared,
//! and every constant and layout of CANN 8.1.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ascendcl_sys::{FUNCTIONS, Group};

use crate::support::{Language, build, compiler, text};

mod support;

const SIGNATURES: &str = include_str!("facts/functions.tsv");
const CONSTANTS: &str = include_str!("facts/constants.tsv");
const LAYOUTS: &str = include_str!("facts/layouts.tsv");

/// The columns of a table, without its head.
fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
}

fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// Every header, relative to `include`.
fn headers(include: &Path) -> Vec<String> {
    let mut directories = vec![include.to_owned()];
    let mut headers = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                headers.push(path.strip_prefix(include).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    headers.sort();
    headers
}

/// A program that does not compile, or that prints what is wrong, if the headers differ from the tables.
fn program(language: Language) -> String {
    let mut program = String::from("#include <stdalign.h>\n#include <stdbool.h>\n#include <stdio.h>\n");
    for header in headers(&include()) {
        let _ = writeln!(program, "#include \"{header}\"");
    }
    let (open, close, assert) = match language {
        Language::C => ("", "", "_Static_assert"),
        Language::Cpp => ("extern \"C\" {", "}", "static_assert"),
    };
    program.push_str(open);
    for [name, _, signature] in rows(SIGNATURES) {
        // The first line needs a declaration in the headers; the second must agree with it.
        let _ = writeln!(program, "\ntypedef __typeof__(&{name}) address_of_{name};\n{signature};");
    }
    program.push_str(close);
    for [name, second, third] in rows(LAYOUTS) {
        let _ = match third.strip_prefix('@') {
            Some(offset) => {
                writeln!(program, "{assert}(offsetof({name}, {second}) == {offset}, \"{name}.{second}\");")
            }
            None => writeln!(
                program,
                "{assert}(sizeof({name}) == {second} && alignof({name}) == {third}, \"{name}\");"
            ),
        };
    }
    program.push_str("int main(void) {\n    int wrong = 0;\n");
    for [name, value] in rows(CONSTANTS) {
        let _ = writeln!(
            program,
            "    if ((long long)({name}) != {value}LL) {{ puts(\"{name} is not {value}\"); wrong = 1; }}"
        );
    }
    program.push_str("    return wrong;\n}\n");
    program
}

/// What the compiler or the program says about the headers in `include`; nothing if they agree with the
/// tables.
fn check(language: Language, include: &Path) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let (source, binary) = (directory.path().join("facts.c"), directory.path().join("facts"));
    fs::write(&source, program(language)).unwrap();
    let compiled = build(language, &source, &binary, &["-I", include.to_str().unwrap()]);
    if !compiled.status.success() {
        return Err(text(&compiled));
    }
    let run = std::process::Command::new(&binary).output().unwrap();
    if run.status.success() { Ok(()) } else { Err(text(&run)) }
}

#[test]
fn headers_agree_with_the_tables_in_c() {
    check(Language::C, &include()).unwrap();
}

#[test]
fn headers_agree_with_the_tables_in_cpp() {
    check(Language::Cpp, &include()).unwrap();
}

#[test]
fn each_header_stands_alone() {
    let include = include();
    for header in headers(&include) {
        for language in [Language::C, Language::Cpp] {
            for directory in [include.clone(), include.join("acl")] {
                let output = compiler(language)
                    .args(["-fsyntax-only", "-I"])
                    .arg(directory)
                    .arg(include.join(&header))
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{header} as {language:?}: {}", text(&output));
            }
        }
    }
}

/// A copy of the headers in which `from` reads `to`.
fn planted(header: &str, from: &str, to: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in headers(&include()) {
        let mut text = fs::read_to_string(include().join(&name)).unwrap();
        if name == header {
            assert!(text.contains(from), "{header} has no {from}");
            text = text.replace(from, to);
        }
        let path = copy.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    copy
}

#[test]
fn a_planted_error_is_found() {
    for (header, from, to, finding) in [
        ("acl/acl_base.h", "ACL_BF16 = 27", "ACL_BF16 = 28", "ACL_BF16 is not 27"),
        ("acl/error_codes/rt_error_codes.h", "RT_CONTEXT_NULL 107002", "RT_CONTEXT_NULL 107003", "107002"),
        ("acl/acl_rt.h", "aclrtFree(void *devPtr)", "aclrtFree(const void *devPtr)", "aclrtFree"),
        ("acl/acl_rt.h", "aclError aclrtStreamAbort(aclrtStream stream);", "", "aclrtStreamAbort"),
        ("acl/acl_mdl.h", "int8_t cscSwitch;", "int16_t cscSwitch;", "aclAippInfo"),
    ] {
        let copy = planted(header, from, to);
        let [c, cpp] = [Language::C, Language::Cpp].map(|language| check(language, copy.path()));
        assert!(c.unwrap_err().contains(finding), "{from} -> {to}");
        assert!(cpp.unwrap_err().contains(finding), "{from} -> {to}");
    }
}

#[test]
fn bindings_have_every_function() {
    let ours: BTreeMap<&str, &str> =
        FUNCTIONS.iter().map(|function| (function.name, function.since)).collect();
    assert_eq!(ours.len(), FUNCTIONS.len(), "each function once");
    // A variadic function has no method.
    let expected: BTreeMap<&str, &str> = rows(SIGNATURES)
        .map(|[name, since, _]| (name, since))
        .filter(|&(name, _)| name != "aclAppLog")
        .collect();
    assert_eq!(ours, expected);
}

#[test]
fn functions_are_looked_for_in_the_libraries_of_their_headers() {
    for (name, group) in [
        ("aclrtMalloc", Group::Runtime),
        ("acldumpGetPath", Group::Dump),
        ("aclopCompile", Group::OpCompiler),
        ("acltdtSendTensor", Group::TdtChannel),
        ("acltdtCreateQueue", Group::TdtQueue),
        ("aclprofInit", Group::Profiler),
        ("aclblasHgemv", Group::Cblas),
        ("aclCreateTensor", Group::OpBase),
        ("aclnnInit", Group::OpBase),
    ] {
        let function = FUNCTIONS.iter().find(|function| function.name == name).unwrap();
        assert_eq!(function.group, group, "{name}");
    }
}

/// The generated constants by name, read as text so that none can be forgotten.
fn generated_constants() -> HashMap<String, i128> {
    let text = include_str!("../src/bindings/types.rs").replace(['\n', ' '], "");
    let mut constants = HashMap::new();
    for declaration in text.split(';') {
        let Some((_, declaration)) = declaration.rsplit_once("pubconst") else { continue };
        let Some((name, value)) = declaration.split_once(':') else { continue };
        let Some((_, value)) = value.split_once('=') else { continue };
        let digits = value.rsplit('(').next().unwrap().trim_end_matches([')', ',']);
        if let Ok(value) = digits.parse() {
            constants.insert(name.to_owned(), value);
        }
    }
    constants
}

#[test]
fn bindings_have_every_constant() {
    let ours = generated_constants();
    for [name, value] in rows(CONSTANTS) {
        let expected: i128 = value.parse().unwrap();
        // C compares this one as a signed number.
        let found = ours.get(name).map(|&value| value as i64 as i128);
        assert_eq!(found, Some(expected), "{name}");
    }
}
