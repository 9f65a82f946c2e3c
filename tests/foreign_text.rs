//! Foreign text is printed by one function. The ways around it that std has are used nowhere else in the library, the
//! plugin's crate and the program.

use std::fs;
use std::path::{Path, PathBuf};

/// What std has to print names that may hold anything, and C text.
const WAYS_AROUND: [&str; 3] = [".display()", "to_string_lossy", "from_utf8_lossy"];

/// Every source file below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    });
    found.collect()
}

/// The lines of a file that are neither comments nor tests.
fn code_of(source: &str) -> impl Iterator<Item = &str> {
    let end = source.find("\nmod tests").unwrap_or(source.len());
    let lines = source[..end].lines().map(str::trim_start);
    lines.filter(|line| !line.starts_with("//"))
}

#[test]
fn names_and_foreign_words_are_printed_by_one_function() {
    let tests = ["tests.rs", "fuzz.rs", "header.rs"];
    let mut read = 0;
    for directory in ["src", "plugin/src", "cli/src"] {
        for path in sources(Path::new(directory)) {
            if tests.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            read += 1;
            let source = fs::read_to_string(&path).unwrap();
            for line in code_of(&source) {
                let found = WAYS_AROUND.iter().find(|way| line.contains(*way));
                assert_eq!(
                    found, None,
                    "{path:?}: use `replug_plugin::shown` in: {line}"
                );
            }
        }
    }
    assert!(read > 50, "the sources are elsewhere");
}
