//! The tables of `docs/unsafe.md`: all that the macros expand to and that is `unsafe`, and all that safe code can name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn source(file: &str) -> String {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap()
}

/// The contents of all files below a directory.
fn sources(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![fs::read_to_string(&path).unwrap()],
    });
    found.collect()
}

/// The rows of the table under a heading of `docs/unsafe.md`, each as its cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = source("docs/unsafe.md");
    let (_, from) = page.split_once(heading).unwrap();
    let table = from.lines().skip_while(|line| !line.starts_with("|--"));
    let table = table.skip(1).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.trim_matches('|');
        line.split(" | ").map(|cell| cell.trim().into()).collect()
    };
    table.map(cells).collect()
}

/// The texts in a cell that are set as code.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The lines with `unsafe` of each macro that others can expand, with the name of the macro.
fn unsafe_lines() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for source in sources(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/plugin/src"
    ))) {
        for exported in source.split("#[macro_export]\n").skip(1) {
            let body = exported.split("\n}\n").next().unwrap();
            let (_, name) = body.split_once("macro_rules! ").unwrap();
            let name = name.split(' ').next().unwrap();
            let lines = body.lines().map(str::trim);
            let lines = lines.filter(|line| !line.starts_with("//") && line.contains("unsafe"));
            found.extend(lines.map(|line| (name.to_owned(), line.to_owned())));
        }
    }
    found
}

#[test]
fn each_unsafe_that_the_macros_expand_to_is_listed_with_what_it_relies_on() {
    let rows = rows("## What the macros expand to");
    let lines = unsafe_lines();
    assert!(lines.len() > 10, "{lines:?}");
    let is_about = |row: &[String], (name, line): &(String, String)| {
        let is_of = row[0].contains(&format!("`{name}!`"));
        is_of && code(&row[1]).iter().any(|it| line.contains(it))
    };
    for line in &lines {
        assert!(rows.iter().any(|row| is_about(row, line)), "{line:?}");
    }
    for row in &rows {
        assert!(!row[2].is_empty(), "{row:?}");
        assert!(lines.iter().any(|line| is_about(row, line)), "{row:?}");
    }
}

/// The names that a file hands on, or that a module in it does.
fn handed_on(file: &str) -> BTreeSet<String> {
    let source = source(file);
    let handed_on = source.split("pub use ").skip(1);
    let names = handed_on.flat_map(|it| {
        let it = it.split(';').next().unwrap();
        let it = it.rsplit_once("::{").map_or(it, |(_, names)| names);
        let names = it.trim_end_matches('}').split(',');
        // Of `path::to::Name as Other`, the last word.
        let last = |name: &str| name.trim().rsplit([':', ' ']).next().unwrap().to_owned();
        names.map(last).collect::<Vec<_>>()
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn each_public_name_is_listed_with_what_it_relies_on() {
    let rows = rows("## What safe code can name");
    let listed: BTreeSet<_> = rows.iter().flat_map(|row| code(&row[0])).collect();
    let files = [
        "src/lib.rs",
        "src/error.rs",
        "src/inspect/mod.rs",
        "src/options.rs",
        "src/testing/mod.rs",
        "src/watch/mod.rs",
        "plugin/src/lib.rs",
    ];
    let named: BTreeSet<String> = files.into_iter().flat_map(handed_on).collect();
    assert!(named.contains("Host") && named.contains("Slot") && named.contains("Ready"));
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !listed.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
