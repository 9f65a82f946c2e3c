//! The order of the rooms: `docs/architecture.md` has a table of the files in `src/`, and each imports only from those
//! above its own row. So there is no circle, and no arrow that runs back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of files that stand for a module of another name, one for each system.
const ALIASES: [(&str, &str); 7] = [
    ("boundary/unix", "boundary/system"),
    ("boundary/windows", "boundary/system"),
    ("boundary/no_crash", "boundary/crash"),
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

/// The code of a file, without comments and the tests at its end.
fn code_of(source: &str) -> String {
    let tests = source
        .find("mod tests")
        .map(|at| source[..at].rfind("#[cfg(").unwrap_or(at));
    let code = &source[..tests.unwrap_or(source.len())];
    let lines = code.lines().map(str::trim_start);
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("//")).collect();
    // To whom something is visible is no import.
    lines.join("\n").replace("pub(in crate", "")
}

/// The paths that some code names: those of its own crate, from the root.
fn named(module: &str, code: &str) -> Vec<String> {
    let parent = module.rsplit_once('/').map_or("", |(parent, _)| parent);
    let mut found = Vec::new();
    for (prefix, base) in [("crate::", ""), ("super::", parent), ("self::", module)] {
        for (at, _) in code.match_indices(prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|it| it.is_alphanumeric() || "_$:".contains(it)) {
                continue;
            }
            let mut rest = &code[at + prefix.len()..];
            expand(base, &mut rest, &mut found);
        }
    }
    found
}

/// Takes a tree of names, such as `one::{two, three::{four}}`, off the front of `rest`, and adds the path of each leaf.
fn expand(base: &str, rest: &mut &str, found: &mut Vec<String>) {
    *rest = rest.trim_start();
    let is_path = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    let end = rest.find(|it| !is_path(it)).unwrap_or(rest.len());
    let path = rest[..end].trim_end_matches(':').replace("::", "/");
    let path = format!("{base}/{path}").trim_matches('/').to_owned();
    *rest = &rest[end..];
    let Some(inner) = rest.strip_prefix('{') else {
        found.push(path);
        return;
    };
    *rest = inner;
    loop {
        expand(&path, rest, found);
        // Another name for it, say.
        let Some(at) = rest.find([',', '}']) else {
            return;
        };
        let is_last = rest[at..].starts_with('}');
        *rest = rest[at + 1..].trim_start();
        if is_last || rest.starts_with('}') {
            return;
        }
    }
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
        let code = code_of(&fs::read_to_string(path).unwrap());
        for way in ["crate as", "crate self as", "include!("] {
            if code.contains(way) {
                wrong.push(format!(
                    "{module} says `{way}`, which this test cannot follow"
                ));
            }
        }
        for named in named(module, &code) {
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

#[test]
fn the_room_of_decisions_touches_nothing() {
    /// Words of code that looks at the world.
    const TOUCHES: [&str; 8] = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::thread",
        "::now()",
        "look::machine",
        "impl Files",
    ];
    let of_decisions = sources();
    let of_decisions = of_decisions
        .iter()
        .filter(|(module, _)| module.starts_with("decide"));
    for (module, path) in of_decisions {
        let code = code_of(&fs::read_to_string(path).unwrap());
        for touch in TOUCHES {
            assert!(!code.contains(touch), "{module} says `{touch}`");
        }
    }
}

#[test]
fn trees_of_names_are_taken_apart() {
    let code = "use crate::{\n    look::{clock::Clock, files as f},\n    host::owner::Host,\n};\nuse super::{a, b::{c, d},};\nlet x = crate::error::chain(y);";
    let mut found = named("watch/poller", code);
    found.sort();
    let expected = [
        "error/chain",
        "host/owner/Host",
        "look/clock/Clock",
        "look/files",
        "watch/a",
        "watch/b/c",
        "watch/b/d",
    ];
    assert_eq!(found, expected);
}
