//! The order of the rooms: `docs/architecture.md` has a table of the files in `src/`, and each imports only from those above
//! its own row. So there is no circle, and no arrow that runs back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of files that stand for a module of another name, one for each system.
const ALIASES: [(&str, &str); 6] = [
    ("boundary/unix", "boundary/system"),
    ("boundary/windows", "boundary/system"),
    ("boundary/no_residence", "boundary/residence"),
    ("look/os/linux", "look/os/system"),
    ("look/os/unix", "look/os/system"),
    ("look/os/windows", "look/os/system"),
];

/// The modules in the order of the table, and the number of each one's row.
fn rows() -> BTreeMap<String, usize> {
    let page = fs::read_to_string("docs/architecture.md").unwrap();
    let (_, table) = page.split_once("\n## Rooms\n").expect("a chapter `Rooms`");
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    names
        .enumerate()
        .map(|(row, name)| (name.to_owned(), row))
        .collect()
}

/// Every source file that is no test, with the name of its module.
fn sources() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut ahead = vec![PathBuf::from("src")];
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None => ahead.push(path),
                Some(_) if path.ends_with("tests.rs") => {}
                Some(_) => found.push((module_of(&path), path)),
            }
        }
    }
    found
}

fn module_of(path: &Path) -> String {
    let path = path.strip_prefix("src").unwrap().with_extension("");
    let path = match path.file_name() {
        Some(name) if name == "mod" => path.parent().unwrap().to_owned(),
        _ => path,
    };
    let name = path.to_str().unwrap();
    let alias = ALIASES.iter().find(|(file, _)| *file == name);
    alias.map_or(name, |(_, module)| module).to_owned()
}

/// The paths that a file names: those of its own crate, from the root, without comments and tests.
fn named(module: &str, source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code = code.split("#[cfg(all(test").next().unwrap_or_default();
    // To whom something is visible is no import.
    let code = code.replace("pub(in crate", "");
    let lines = code.lines().map(str::trim_start);
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("//")).collect();
    let code = lines.join("\n");
    let parent = module.rsplit_once('/').map_or("", |(parent, _)| parent);
    let mut found = Vec::new();
    for (prefix, base) in [("crate::", ""), ("super::", parent), ("self::", module)] {
        for (at, _) in code.match_indices(prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|it| it.is_alphanumeric() || "_$:".contains(it)) {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            // `use super::{one, another}` names each of them.
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(rest) => rest.split('}').next().unwrap().split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let is_path = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
                let name = name.trim_start();
                let end = name.find(|it| !is_path(it)).unwrap_or(name.len());
                let path = name[..end].trim_end_matches(':').replace("::", "/");
                found.push(format!("{base}/{path}").trim_matches('/').to_owned());
            }
        }
    }
    found
}

/// The module that a path leads to: its longest beginning that is one.
fn target(path: &str, rows: &BTreeMap<String, usize>) -> Option<String> {
    let mut path = path.to_owned();
    loop {
        if rows.contains_key(&path) {
            return Some(path);
        }
        path.truncate(path.rfind('/')?);
    }
}

#[test]
fn every_file_has_its_row_and_imports_only_from_those_above() {
    let rows = rows();
    let sources = sources();
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for (module, path) in &sources {
        let Some(own) = rows.get(module) else {
            wrong.push(format!("{} has no row", path.display()));
            continue;
        };
        let source = fs::read_to_string(path).unwrap();
        for named in named(module, &source) {
            match target(&named, &rows) {
                Some(target) if target == *module => {}
                Some(target) if rows[&target] < *own => arrows += 1,
                Some(target) => {
                    wrong.push(format!("{module} imports {named}, below it in {target}"))
                }
                None => wrong.push(format!("{module} names {named}, which has no row")),
            }
        }
    }
    for name in rows.keys() {
        let is_file = sources.iter().any(|(module, _)| module == name);
        if !is_file {
            wrong.push(format!("`{name}` has a row and no file"));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
    assert!(arrows > sources.len(), "imports are found: {arrows}");
}
