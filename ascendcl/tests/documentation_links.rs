//! What the pages of the repository name is there: files and headings that they link to, tasks of `cargo xtask`, and
//! environment variables.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What begins the name of a variable of ours.
const PREFIXES: [&str; 2] = ["ASCENDCL_", "ATB_"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files below a folder whose names end so, but for what builds leave there, and this file.
fn files(folder: &Path, endings: &[&str], into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "target" && name != "fixtures" && !name.starts_with('.') {
                files(&path, endings, into);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) && name != "documentation_links.rs" {
            into.push(path);
        }
    }
}

/// Pages at the top level and in `docs`.
fn pages() -> Vec<PathBuf> {
    let root = root();
    let mut pages = Vec::new();
    files(&root.join("docs"), &[".md"], &mut pages);
    let top = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(top.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    pages
}

/// Words of capital letters that begin as our variables do; one that ends in `_` stands for all that begin so.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| {
        PREFIXES.iter().any(|prefix| word.starts_with(prefix))
            && !word.contains(|c: char| c.is_ascii_lowercase())
    })
}

/// The tasks that the program has: `SimCc(sim_cc::Args)` is `sim-cc`.
fn tasks(main: &str) -> BTreeSet<String> {
    let (_, rest) = main.split_once("enum Task {").unwrap();
    let names = rest.split('}').next().unwrap().lines().filter_map(|line| line.trim().split_once('('));
    names
        .map(|(name, _)| {
            let dashed = name.chars().flat_map(|c| {
                let dash = c.is_ascii_uppercase().then_some('-');
                dash.into_iter().chain([c.to_ascii_lowercase()])
            });
            dashed.skip(1).collect()
        })
        .collect()
}

/// The text without blocks of code.
fn prose(text: &str) -> String {
    let mut in_code = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// The targets of links `[text](target)`.
fn links(text: &str) -> Vec<String> {
    prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(to, _)| to.to_owned())
        .collect()
}

/// The names by which headings can be linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings =
        headings.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_matches(['#', ' ']));
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    headings.map(anchor).collect()
}

/// What pages may name.
struct Named {
    tasks: BTreeSet<String>,
    variables: BTreeSet<String>,
}

impl Named {
    fn of_repository() -> Self {
        let mut sources = Vec::new();
        files(&root(), &[".rs", ".h", ".cpp", ".c", ".cmake", ".toml", "CMakeLists.txt"], &mut sources);
        let texts = sources.iter().map(|path| fs::read_to_string(path).unwrap());
        let variables =
            texts.flat_map(|text| variables(&text).map(str::to_owned).collect::<Vec<_>>()).collect();
        Self { tasks: tasks(&fs::read_to_string(root().join("xtask/src/main.rs")).unwrap()), variables }
    }

    /// What a page names that is not there.
    fn missing(&self, page: &Path, text: &str) -> Vec<String> {
        let mut missing = Vec::new();
        for link in links(text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let file = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
            if !path.is_empty() && !file.exists() {
                missing.push(format!("{link}: no such file"));
            } else if !anchor.is_empty() {
                let there =
                    if path.is_empty() { text.to_owned() } else { fs::read_to_string(&file).unwrap() };
                if !anchors(&there).contains(anchor) {
                    missing.push(format!("{link}: no such heading"));
                }
            }
        }
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for rest in words.split("cargo xtask ").skip(1) {
            let task = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().unwrap();
            if !task.is_empty() && !task.starts_with('-') && !self.tasks.contains(task) {
                missing.push(format!("cargo xtask {task}: no such task"));
            }
        }
        for name in variables(text) {
            let is_there = match name.ends_with('_') {
                true => {
                    self.variables.range(name.to_owned()..).next().is_some_and(|next| next.starts_with(name))
                }
                false => self.variables.contains(name),
            };
            if !is_there {
                missing.push(format!("{name}: no source has it"));
            }
        }
        missing
    }
}

#[test]
fn what_pages_name_is_there() {
    let named = Named::of_repository();
    let pages = pages();
    assert!(pages.len() > 5, "the pages were not found: {pages:?}");
    for page in pages {
        let missing = named.missing(&page, &fs::read_to_string(&page).unwrap());
        assert!(missing.is_empty(), "{}: {missing:#?}", page.display());
    }
}

#[test]
fn what_is_not_there_is_found() {
    let named = Named::of_repository();
    let page = root().join("docs/planted.md");
    let good = "# A page, and `more`\n[1](../README.md) [2](https://example.org/none) [3](#a-page-and-more) \
                [4](ai-cores.md#levels)\n```sh\ncargo xtask sim-cc x.cpp # [5](none)\n```\n`cargo xtask ...`, `cargo xtask \
                --help`, `ASCENDCL_BACKEND`, `ASCENDCL_SIM_*`, `ATB_SHIM_LIBRARY`\n";
    assert_eq!(named.missing(&page, good), [""; 0]);
    for (bad, found) in [
        ("[page](none.md)", "none.md: no such file"),
        ("[page](../docs/ai-cores.md#none)", "../docs/ai-cores.md#none: no such heading"),
        ("[page](#none)", "#none: no such heading"),
        ("`cargo xtask\nfly`", "cargo xtask fly: no such task"),
        ("`ASCENDCL_NONE=1`", "ASCENDCL_NONE: no source has it"),
        ("`ATB_NONE_*`", "ATB_NONE_: no source has it"),
    ] {
        assert_eq!(named.missing(&page, &format!("{good}{bad}\n")), [found]);
    }
}

#[test]
fn translations_and_originals_link_to_each_other() {
    let root = root();
    let mut translations = Vec::new();
    files(&root.join("docs/zh"), &[".md"], &mut translations);
    assert!(!translations.is_empty());
    let has = |page: &Path, link: &str| links(&fs::read_to_string(page).unwrap()).iter().any(|to| to == link);
    for translation in translations {
        let name = translation.file_name().unwrap().to_str().unwrap();
        let back = if name == "README.md" { "../../README.md".to_owned() } else { format!("../{name}") };
        assert!(has(&translation, &back), "{name} does not link to its original");
        let (original, forth) = match name {
            "README.md" => (root.join(name), "docs/zh/README.md".to_owned()),
            _ => (root.join("docs").join(name), format!("zh/{name}")),
        };
        assert!(has(&original, &forth), "no English page links to {forth}");
        // What one leads to, the other does.
        let (from_original, from_translation) = (linked_pages(&original), linked_pages(&translation));
        assert_eq!(from_original, from_translation, "{name} and its original link to other pages");
    }
}

/// The pages of `docs` that a page links to, in whatever language, but for itself in another one.
fn linked_pages(page: &Path) -> BTreeSet<PathBuf> {
    let docs = root().join("docs").canonicalize().unwrap();
    links(&fs::read_to_string(page).unwrap())
        .iter()
        .filter_map(|link| page.parent()?.join(link.split('#').next()?).canonicalize().ok())
        .filter_map(|path| Some(path.strip_prefix(&docs).ok()?.to_owned()))
        .map(|path| path.strip_prefix("zh").unwrap_or(&path).to_owned())
        .filter(|path| path.file_name() != page.file_name() && path != Path::new("README.md"))
        .collect()
}
