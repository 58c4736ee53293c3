//! Compares the functions that the bindings declare with those that `src/abi` defines, and writes
//! `$OUT_DIR/table.rs`: a stub for each that is missing, the look-up by name, and a check of every signature.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// The variable in which ascendcl-sys names the list of functions in its bindings, one declaration per line.
const BINDINGS: &str = "DEP_ASCENDCL_FUNCTIONS";

struct Declaration {
    name: String,
    /// `name: type, ...`
    arguments: String,
    output: String,
}

fn main() {
    println!("cargo::rerun-if-changed=src/abi");
    if let Err(message) = generate() {
        eprintln!("{message}");
        process::exit(1);
    }
}

fn generate() -> Result<(), String> {
    let bindings =
        env::var_os(BINDINGS).map(PathBuf::from).ok_or_else(|| format!("{BINDINGS} is not set"))?;
    println!("cargo::rerun-if-changed={}", bindings.display());
    let declared = declarations(&read(&bindings)?);
    let mut defined = definitions(Path::new("src/abi"))?;
    let mut stubs = String::from("unsupported! {\n");
    let mut checks = String::new();
    let mut look_up = String::from(
        "/// The address of the function of this name.\n\
         pub(super) fn address(name: &[u8]) -> Option<*const ()> {\n    Some(match name {\n",
    );
    for Declaration { name, arguments, output } in &declared {
        let module = defined.remove(name);
        if let Some(module) = &module {
            let types: Vec<&str> =
                split(arguments).into_iter().filter_map(|a| Some(a.split_once(':')?.1.trim())).collect();
            let types = types.join(", ");
            let _ = writeln!(
                checks,
                "const _: unsafe extern \"C\" fn({types}) -> {output} = crate::abi::{module}::{name};"
            );
        } else {
            let _ = writeln!(stubs, "    fn {name}({arguments}) -> {output};");
        }
        let path = module.map_or(name.clone(), |module| format!("crate::abi::{module}::{name}"));
        let _ = writeln!(look_up, "        b\"{name}\" => {path} as *const (),");
    }
    // Operators are no part of the bindings.
    for (name, module) in &defined {
        if module.starts_with("aclnn") {
            let _ = writeln!(look_up, "        b\"{name}\" => crate::abi::{module}::{name} as *const (),");
        }
    }
    defined.retain(|_, module| !module.starts_with("aclnn"));
    // The bindings have no variadic function, hence not this one.
    defined.remove("aclAppLog");
    if let Some((name, module)) = defined.into_iter().next() {
        return Err(format!("src/abi/{module}.rs defines {name}, which the bindings do not declare"));
    }
    stubs.push_str("}\n");
    look_up.push_str("        _ => return None,\n    })\n}\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?).join("table.rs");
    fs::write(&out, stubs + &checks + &look_up).map_err(|error| format!("{}: {error}", out.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// `[8.1 Runtime "acl/acl_rt.h"] fn aclrtFree(devPtr: *mut c_void) -> aclError;`, line by line.
fn declarations(text: &str) -> Vec<Declaration> {
    text.lines()
        .filter_map(|line| {
            let rest = line.trim().strip_prefix('[')?.split_once("] fn ")?.1.strip_suffix(';')?;
            let (name, rest) = rest.split_once('(')?;
            let (arguments, output) = rest.rsplit_once(") -> ")?;
            Some(Declaration { name: name.into(), arguments: arguments.into(), output: output.into() })
        })
        .collect()
}

/// The functions that the modules in a folder define, each with the name of its module.
fn definitions(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut names = BTreeMap::new();
    let parent = read(&folder.join("mod.rs"))?;
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let Some(module) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if module != "mod" && !parent.contains(&format!("mod {module};")) {
            println!("cargo::warning={} is not a module of {}", path.display(), folder.display());
            continue;
        }
        for line in read(&path)?.lines() {
            if let Some(rest) = line.trim().strip_prefix("pub fn ")
                && let Some((name, _)) = rest.split_once('(')
                && name.to_ascii_lowercase().starts_with("acl")
            {
                names.insert(name.to_owned(), module.to_owned());
            }
        }
    }
    Ok(names)
}

/// Splits an argument list at its outer commas.
fn split(arguments: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, character) in arguments.char_indices() {
        match character {
            '(' | '[' | '<' => depth += 1,
            // The `>` of `->` closes nothing.
            '>' if arguments[..index].ends_with('-') => {}
            ')' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&arguments[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&arguments[start..]);
    parts
}
