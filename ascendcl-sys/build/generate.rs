//! Generates the bindings from C headers: the one place that knows how, used by `cargo xtask bindgen` for the
//! headers of this crate and by `build.rs` (feature `bindgen`) for those of an installed toolkit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use quote::{ToTokens, quote};
use syn::{File, ForeignItem, ForeignItemFn, Item, ReturnType};

/// Every header that is bound, each after those that it includes, with the group of libraries that has its
/// functions (`Group` of the loader).
const HEADERS: &[(&str, &str)] = &[
    ("acl/error_codes/rt_error_codes.h", "Runtime"),
    ("acl/error_codes/ge_error_codes.h", "Runtime"),
    ("acl/acl_base.h", "Runtime"),
    ("acl/acl_base_rt.h", "Runtime"),
    ("acl/acl_base_mdl.h", "Runtime"),
    ("acl/acl_rt.h", "Runtime"),
    ("acl/acl_rt_memory_soma.h", "Runtime"),
    ("acl/acl_rt_allocator.h", "Runtime"),
    ("acl/acl_op.h", "Runtime"),
    ("acl/acl_mdl.h", "Runtime"),
    ("acl/acl_dump.h", "Dump"),
    ("acl/acl.h", "Runtime"),
    ("acl/acl_op_compiler.h", "OpCompiler"),
    ("acl/acl_tdt.h", "TdtChannel"),
    ("acl/acl_tdt_queue.h", "TdtQueue"),
    ("acl/acl_prof.h", "Profiler"),
    ("acl/ops/acl_cblas.h", "Cblas"),
    ("aclnn/acl_meta.h", "OpBase"),
    ("aclnn/aclnn_base.h", "OpBase"),
];

/// The version that declarations outside every `/* since X */` fence carry.
const FIRST_VERSION: &str = "8.1";

/// Stands for a version where only the installed toolkit is known to have something.
const INSTALLED: &str = "installed";

/// Which headers are read, and in which surroundings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Headers {
    /// Headers of our own: plain C, no system header beyond the compiler's, hence the same output everywhere.
    Own,
    /// Headers of an installed toolkit: partly C++, and they include the system's.
    Toolkit,
}

/// The two generated files.
pub struct Bindings {
    /// Types, constants and the table of error names.
    pub types: String,
    /// The list of functions, as one invocation of the macro `functions!`.
    pub functions: String,
}

/// Why nothing could be generated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library that reads C is not installed.
    #[error("libclang is not installed or not found, and bindings cannot be generated without it ({0})")]
    NoLibclang(String),
    /// A header cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The header.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The headers do not compile.
    #[error("bindgen refuses the headers in {}: {message}", include.display())]
    Bindgen {
        /// The include directory.
        include: PathBuf,
        /// What bindgen said.
        message: String,
    },
    /// What bindgen wrote is not the Rust that we expect.
    #[error("bindgen's output cannot be parsed: {0}")]
    Parse(#[from] syn::Error),
}

/// Generates the bindings of the headers in `toolkit`, with whatever they lack taken from those in `own`;
/// without a toolkit, of the headers in `own`.
pub fn generate(own: &Path, toolkit: Option<&Path>) -> Result<Bindings, Error> {
    let own = Declarations::read(own, Headers::Own)?;
    let declarations = match toolkit {
        Some(toolkit) => Declarations::read(toolkit, Headers::Toolkit)?.completed_by(own),
        None => own,
    };
    Ok(Bindings { types: declarations.types(), functions: declarations.functions() })
}

/// Where a name is declared.
#[derive(Clone)]
struct Origin {
    header: &'static str,
    group: &'static str,
    since: String,
    /// The suffix of a macro's number decides its type.
    is_64_bit: bool,
}

impl Origin {
    /// What an installed toolkit declares in a header that we do not know.
    fn unknown() -> Self {
        Self { header: "acl/acl.h", group: "Runtime", since: INSTALLED.to_owned(), is_64_bit: false }
    }
}

/// Everything that a set of headers declares.
struct Declarations {
    items: Vec<(String, Item)>,
    functions: Vec<ForeignItemFn>,
    origins: HashMap<String, Origin>,
}

impl Declarations {
    fn read(include: &Path, headers: Headers) -> Result<Self, Error> {
        let text = run_bindgen(include, headers)?;
        let file: File = syn::parse_str(&text)?;
        let mut items: Vec<(String, Item)> = Vec::new();
        let mut functions = Vec::new();
        for item in file.items {
            match item {
                Item::ForeignMod(block) => {
                    functions.extend(block.items.into_iter().filter_map(|item| match item {
                        ForeignItem::Fn(function) => Some(function),
                        _ => None,
                    }));
                }
                // Checks of a layout go with the type that they follow.
                Item::Const(item) if item.ident == "_" => {
                    let checked = items.last().map_or("", |(key, _)| key);
                    items.push((format!("layout of {checked}"), Item::Const(item)));
                }
                item => items.push((key(&item), item)),
            }
        }
        Ok(Self { items, functions, origins: origins(include)? })
    }

    /// Adds what `other` declares and `self` does not, by name.
    fn completed_by(mut self, other: Self) -> Self {
        let known: HashSet<String> = self.items.iter().map(|(key, _)| key.clone()).collect();
        self.items.extend(other.items.into_iter().filter(|(key, _)| !known.contains(key)));
        let known: HashSet<String> = self.functions.iter().map(|f| f.sig.ident.to_string()).collect();
        self.functions
            .extend(other.functions.into_iter().filter(|f| !known.contains(&f.sig.ident.to_string())));
        // Our headers know the version that brought a name; the toolkit only that it has it.
        for (name, origin) in &mut self.origins {
            if !other.origins.contains_key(name) {
                INSTALLED.clone_into(&mut origin.since);
            }
        }
        self.origins.extend(other.origins);
        self
    }

    fn types(&self) -> String {
        let items = self.items.iter().filter(|(key, _)| !key.contains(INCOMPLETE_ARRAY));
        let items: Vec<Item> = items.map(|(_, item)| self.processed(item.clone())).collect();
        let names = error_names(&items);
        let file = File { shebang: None, attrs: Vec::new(), items };
        let mut body = without_incomplete_arrays(shorten(&prettyplease::unparse(&file)));
        body.push_str("\n/// Error codes and their names, sorted by code.\n");
        body.push_str("pub(crate) const ERROR_NAMES: &[(aclError, &str)] = &[\n");
        for (code, name) in names {
            let _ = writeln!(body, "    ({code}, \"{name}\"),");
        }
        body.push_str("];\n");
        format!("{GENERATED}\n{}\nuse crate::handle::{{handle, opaque}};\n\n{body}", imports(&body))
    }

    /// An item of bindgen's as we want it: handles and opaque structs through macros of ours, error codes of
    /// one type, one line of documentation.
    fn processed(&self, item: Item) -> Item {
        let doc = |name: &syn::Ident| self.doc(&name.to_string());
        match item {
            Item::Type(alias)
                if alias.ty.to_token_stream().to_string() == "* mut :: core :: ffi :: c_void" =>
            {
                let (name, doc) = (&alias.ident, doc(&alias.ident));
                syn::parse_quote!(handle! { #[doc = #doc] #name })
            }
            Item::Struct(item) if is_opaque(&item) => {
                let (name, doc) = (&item.ident, doc(&item.ident));
                syn::parse_quote!(opaque! { #[doc = #doc] #name })
            }
            Item::Type(mut item) => {
                let doc = doc(&item.ident);
                item.attrs.push(syn::parse_quote!(#[doc = #doc]));
                Item::Type(item)
            }
            Item::Struct(mut item) => {
                let doc = doc(&item.ident);
                item.attrs.insert(0, syn::parse_quote!(#[doc = #doc]));
                Item::Struct(item)
            }
            Item::Union(mut item) => {
                let doc = doc(&item.ident);
                item.attrs.insert(0, syn::parse_quote!(#[doc = #doc]));
                Item::Union(item)
            }
            Item::Const(mut item) => {
                let name = item.ident.to_string();
                if is_error_code(&name) {
                    item.ty = syn::parse_quote!(aclError);
                } else if self.origins.get(&name).is_some_and(|origin| origin.is_64_bit) {
                    item.ty = syn::parse_quote!(u64);
                }
                Item::Const(item)
            }
            item => item,
        }
    }

    fn doc(&self, name: &str) -> String {
        match self.origins.get(name) {
            Some(Origin { header, since, .. }) => format!(" `{name}` ({header}, since {since})."),
            None => format!(" `{name}`, part of another declaration."),
        }
    }

    /// The functions, header by header.
    fn functions(&self) -> String {
        let mut lines: Vec<(usize, String)> = Vec::new();
        for function in &self.functions {
            if function.sig.variadic.is_some() {
                // No method can have its signature; the crate's documentation says so.
                continue;
            }
            let name = function.sig.ident.to_string();
            let origin = self.origins.get(&name).cloned().unwrap_or_else(Origin::unknown);
            let arguments: Vec<String> =
                function.sig.inputs.iter().map(|argument| spelled(&argument.to_token_stream())).collect();
            let output = match &function.sig.output {
                ReturnType::Default => "()".to_owned(),
                ReturnType::Type(_, ty) => spelled(&ty.to_token_stream()),
            };
            let Origin { header, group, since, .. } = origin;
            lines.push((
                HEADERS.iter().position(|&(known, _)| known == header).unwrap_or(HEADERS.len()),
                format!(
                    "    [{since} {group} \"{header}\"] fn {name}({}) -> {output};\n",
                    arguments.join(", ")
                ),
            ));
        }
        lines.sort_by_key(|&(position, _)| position);
        let list: String = lines.into_iter().map(|(_, line)| line).collect();
        let body = shorten(&format!("functions! {{\n{list}}}\n"));
        format!("{GENERATED}\n{}\nuse super::types::*;\nuse crate::function::*;\n\n{body}", imports(&body))
    }
}

const GENERATED: &str =
    "// Generated by `cargo xtask bindgen` from the headers under `include/`. Do not edit.\n";

fn run_bindgen(include: &Path, headers: Headers) -> Result<String, Error> {
    clang_sys::load().map_err(Error::NoLibclang)?;
    let includes: String = HEADERS
        .iter()
        .filter(|(header, _)| include.join(header).exists())
        .fold(String::new(), |text, (header, _)| text + "#include \"" + header + "\"\n");
    let mut builder = bindgen::builder()
        .header_contents("all.hpp", &includes)
        .clang_args(["-x", "c++", "-std=c++17"])
        .clang_args([format!("-I{}", include.display()), format!("-I{}", include.join("acl").display())])
        .allowlist_item("(acl|ACL|Acl|MAX_MEM_UCE_|UCE_INFO_).*")
        .default_enum_style(bindgen::EnumVariation::NewType { is_bitfield: false, is_global: true })
        .prepend_enum_name(false)
        .generate_comments(false)
        .generate_cstr(true)
        .layout_tests(true)
        .derive_hash(true)
        .derive_eq(true)
        .derive_partialeq(true)
        .merge_extern_blocks(true)
        .ctypes_prefix("::core::ffi")
        .use_core()
        .formatter(bindgen::Formatter::None);
    if headers == Headers::Own {
        builder = builder.clang_args(["--target=x86_64-unknown-linux-gnu", "-ffreestanding", "-nostdlibinc"]);
    }
    match builder.generate() {
        Ok(bindings) => Ok(bindings.to_string()),
        Err(error) => Err(Error::Bindgen { include: include.to_owned(), message: error.to_string() }),
    }
}

/// The name under which two sets of declarations are compared.
fn key(item: &Item) -> String {
    match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        item => item.to_token_stream().to_string(),
    }
}

/// bindgen's form of a struct that is only ever pointed to.
fn is_opaque(item: &syn::ItemStruct) -> bool {
    item.fields.iter().any(|field| field.ident.as_ref().is_some_and(|name| name == "_unused"))
}

fn is_error_code(name: &str) -> bool {
    name.starts_with("ACL_ERROR_") || name == "ACL_SUCCESS" || name == "ACL_RT_SUCCESS"
}

/// The first name of every error code, by code.
fn error_names(items: &[Item]) -> BTreeMap<i32, String> {
    let mut names = BTreeMap::new();
    names.insert(0, "ACL_SUCCESS".to_owned());
    for item in items {
        if let Item::Const(item) = item
            && is_error_code(&item.ident.to_string())
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(code), .. }) = &*item.expr
            && let Ok(code) = code.base10_parse()
        {
            names.entry(code).or_insert_with(|| item.ident.to_string());
        }
    }
    names
}

/// Finds where each name is declared. C declares before it uses, so the first mention of a name, in the order
/// of inclusion, is its declaration.
fn origins(include: &Path) -> Result<HashMap<String, Origin>, Error> {
    let mut origins = HashMap::new();
    for &(header, group) in HEADERS {
        let path = include.join(header);
        if !path.exists() {
            continue;
        }
        let text = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
        let mut since = FIRST_VERSION.to_owned();
        for piece in pieces(&String::from_utf8_lossy(&text)) {
            match piece {
                Piece::Comment(comment) => {
                    if let Some(version) = comment.strip_prefix("since ") {
                        since = version.to_owned();
                    }
                }
                Piece::Code(code) => {
                    for line in code.lines() {
                        let is_64_bit = line.starts_with("#define") && line.ends_with("ULL");
                        for name in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
                            origins.entry(name.to_owned()).or_insert_with(|| Origin {
                                header,
                                group,
                                since: since.clone(),
                                is_64_bit,
                            });
                        }
                    }
                }
            }
        }
    }
    Ok(origins)
}

/// A piece of a header.
enum Piece<'a> {
    Code(&'a str),
    Comment(&'a str),
}

/// Splits C at its `/* */` comments.
fn pieces(mut text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    while let Some((code, rest)) = text.split_once("/*") {
        let (comment, rest) = rest.split_once("*/").unwrap_or((rest, ""));
        pieces.extend([Piece::Code(code), Piece::Comment(comment.trim())]);
        text = rest;
    }
    pieces.push(Piece::Code(text));
    pieces
}

/// The names of `core::ffi` that the text uses.
fn imports(body: &str) -> String {
    let words: HashSet<&str> = body.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut used = ["CStr", "c_char", "c_int", "c_long", "c_uchar", "c_uint", "c_ulong", "c_void"].to_vec();
    used.retain(|name| words.contains(name));
    format!("use core::ffi::{{{}}};", used.join(", "))
}

/// bindgen's type for a C array without a length.
const INCOMPLETE_ARRAY: &str = "__IncompleteArrayField";

/// Writes C arrays without a length as arrays of length 0.
fn without_incomplete_arrays(mut text: String) -> String {
    let open = format!("{INCOMPLETE_ARRAY}<");
    while let Some(start) = text.find(&open) {
        let Some(length) = text[start..].find('>') else { break };
        let element = text[start + open.len()..start + length].to_owned();
        text.replace_range(start..=start + length, &format!("[{element}; 0]"));
    }
    text
}

fn shorten(text: &str) -> String {
    text.replace("::core::ffi::", "")
}

/// The tokens of a type or an argument, spaced as rustfmt does.
fn spelled(tokens: &proc_macro2::TokenStream) -> String {
    let file: Result<File, _> = syn::parse2(quote!(type T = fn(#tokens);));
    match file {
        Ok(file) => {
            let text = prettyplease::unparse(&file).split_whitespace().collect::<Vec<_>>().join(" ");
            let inner = text.trim_start_matches("type T = fn(").trim_end_matches(';').trim_end();
            inner.strip_suffix(')').unwrap_or(inner).trim().trim_end_matches(',').to_owned()
        }
        Err(_) => tokens.to_string(),
    }
}
