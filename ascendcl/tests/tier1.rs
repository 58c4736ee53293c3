//! Every function of the first tier is called by the crate, by name. A list in `tier1.txt` says which they are.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;
use std::path::Path;

use ascendcl::sys::FUNCTIONS;

/// The identifiers in the code of a folder, without comments, texts and unit tests.
fn identifiers(folder: &Path, found: &mut HashSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            identifiers(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let tests = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| text.find(mark)).min();
        for line in text[..tests.unwrap_or(text.len())].lines() {
            let code = line.split("//").next().unwrap_or_default();
            // Every second part is within quotes.
            for part in code.split('"').step_by(2) {
                let words = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                found.extend(words.filter(|word| word.starts_with("acl")).map(str::to_owned));
            }
        }
    }
}

/// The names of the list with their versions: those that are wrapped, and those that are not yet.
fn list() -> [Vec<(&'static str, &'static str)>; 2] {
    let functions = |text: &'static str| {
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split_once(' ').unwrap())
            .collect::<Vec<_>>()
    };
    let text = include_str!("tier1.txt");
    let (wrapped, rest) = text.split_once("[not wrapped yet]\n").unwrap_or((text, ""));
    [functions(wrapped), functions(rest)]
}

#[test]
fn every_function_of_the_first_tier_is_called() {
    let mut called = HashSet::new();
    identifiers(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut called);
    let [wrapped, rest] = list();
    let missing: Vec<_> = wrapped.iter().filter(|(name, _)| !called.contains(*name)).collect();
    assert!(missing.is_empty(), "not called anywhere: {missing:?}");
    let all_wrapped = rest.iter().all(|(name, _)| called.contains(*name));
    assert!(rest.is_empty() || !all_wrapped, "all is wrapped: remove `[not wrapped yet]` from tier1.txt");
}

#[test]
fn the_list_is_complete_and_knows_the_versions() {
    let [wrapped, rest] = list();
    let all = [wrapped, rest].concat();
    // As counted from the headers of both versions.
    assert_eq!(all.len(), 198);
    assert_eq!(all.iter().filter(|(_, since)| *since == "8.1").count(), 154);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "no name is there twice");
    for (name, since) in all {
        let function = FUNCTIONS.iter().find(|function| function.name == name);
        assert_eq!(function.map(|function| function.since), Some(since), "{name}");
    }
}
