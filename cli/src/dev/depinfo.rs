//! The dep-info of a library: the file beside the library in which cargo names every file that the library was made of.
//! Pure: text to paths.

use std::path::{Path, PathBuf};

/// Where the dep-info of a library is.
pub(super) fn beside(library: &Path) -> PathBuf {
    library.with_extension("d")
}

/// The files that the rules in `text` name behind their colons. Cargo writes one rule, as `make` reads it: in a name a
/// blank has a backslash in front of it.
pub(super) fn files(text: &str) -> Vec<PathBuf> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .flat_map(|(_, names)| words(names))
        .collect()
}

fn words(names: &str) -> Vec<PathBuf> {
    let mut words = vec![String::new()];
    let mut characters = names.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&' ') => {
                words.last_mut().expect("one at least").push(' ');
                characters.next();
            }
            ' ' => words.push(String::new()),
            other => words.last_mut().expect("one at least").push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words.into_iter().map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_files_with_and_without_blanks() {
        for (text, named) in [
            ("", vec![]),
            ("/t/libx.so:\n", vec![]),
            (
                "/t/libx.so: /x/lib.rs /x/build.rs\n",
                vec!["/x/lib.rs", "/x/build.rs"],
            ),
            (
                "/t/libx.so: /x/a\\ b.txt  /x/c.rs",
                vec!["/x/a b.txt", "/x/c.rs"],
            ),
            (r"C:\t\x.dll: C:\x\lib.rs", vec![r"C:\x\lib.rs"]),
            ("# env-dep:A=b: c\n/t/x: /y\n", vec!["/y"]),
            ("/t/x: \\ y", vec![" y"]),
        ] {
            let named: Vec<_> = named.into_iter().map(PathBuf::from).collect();
            assert_eq!(files(text), named, "{text:?}");
        }
    }

    #[test]
    fn the_dep_info_lies_beside_the_library() {
        let beside = beside(Path::new("target/debug/libx.so"));
        assert_eq!(beside, Path::new("target/debug/libx.d"));
    }
}
