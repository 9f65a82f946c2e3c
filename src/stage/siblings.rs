//! Siblings: libraries that a plugin brings along, because the plugin tells the loader to look for them beside itself.
//! Which these are is read off the plugin, by the rules of glibc's loader. Pure: whether a file is there is asked
//! elsewhere.

use std::path::{Component, Path, PathBuf};

use super::vet::linkage::Linkage;

/// A place where the loader would look for a library that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: PathBuf,
    /// Whether the place is told from where the needing library is (`$ORIGIN`), so that the loader would not look
    /// there for a copy that is somewhere else.
    pub(crate) is_relative: bool,
}

/// The directories in which the loader looks for what a library needs, of those that the library brings: the library's
/// own directory, and what `$ORIGIN` leads to. In the loader's order.
///
/// `library` is the absolute path of the library. Directories of the system are none of these.
pub(crate) fn directories(library: &Path, linkage: &Linkage) -> Vec<Candidate> {
    let Some(origin) = library.parent() else {
        return Vec::new();
    };
    let entries = linkage.search.split(':').filter(|entry| !entry.is_empty());
    entries
        .filter_map(|entry| directory(origin, entry))
        .collect()
}

fn directory(origin: &Path, entry: &str) -> Option<Candidate> {
    let after_origin = entry
        .strip_prefix("$ORIGIN")
        .or_else(|| entry.strip_prefix("${ORIGIN}"));
    let after_origin = after_origin.filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = match after_origin {
        Some(rest) => origin.join(rest.trim_start_matches('/')),
        None => PathBuf::from(entry),
    };
    let is_relative = after_origin.is_some();
    // What else begins with a dollar has another meaning on each system.
    let is_brought = is_relative || path.is_absolute() && plain(&path) == plain(origin);
    let is_known = after_origin.unwrap_or(entry).find('$').is_none();
    (is_brought && is_known).then_some(Candidate { path, is_relative })
}

/// The same directory, without the dots in its path.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|it| *it != Component::CurDir)
        .collect()
}

/// The places where the loader looks for `needed`, in these directories. A path in place of a name is not looked for.
pub(crate) fn candidates(needed: &str, directories: &[Candidate]) -> Vec<Candidate> {
    if needed.is_empty() || needed.contains('/') {
        return Vec::new();
    }
    let within = |directory: &Candidate| Candidate {
        path: directory.path.join(needed),
        is_relative: directory.is_relative,
    };
    directories.iter().map(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // What a library says of places is in the words of Unix.
    #[cfg(unix)]
    #[test]
    fn what_lies_beside_the_library_or_is_told_from_there_is_brought_along() {
        for (search, expected) in [
            ("", vec![]),
            ("$ORIGIN", vec![("/d", true)]),
            ("${ORIGIN}/", vec![("/d", true)]),
            ("$ORIGIN/../lib", vec![("/d/../lib", true)]),
            ("/usr/lib:$ORIGIN/deps", vec![("/d/deps", true)]),
            ("/d:/e", vec![("/d", false)]),
            ("/d/.", vec![("/d/.", false)]),
            ("$ORIGIN:/d", vec![("/d", true), ("/d", false)]),
            (".:d", vec![]),
            ("$LIB:$ORIGIN/$LIB:$ORIGINAL", vec![]),
        ] {
            let search = search.to_owned();
            let linkage = Linkage {
                search,
                ..Linkage::default()
            };
            let found = directories(Path::new("/d/libx.so"), &linkage);
            let found: Vec<_> = found
                .iter()
                .map(|it| (it.path.as_path(), it.is_relative))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(path, is)| (Path::new(path), *is))
                .collect();
            assert_eq!(found, expected, "{}", linkage.search);
        }
    }

    #[test]
    fn a_library_is_looked_for_by_name_only() {
        let beside = &[Candidate {
            path: "/d".into(),
            is_relative: true,
        }];
        let found = candidates("libhelper.so", beside);
        assert_eq!(found[0].path, Path::new("/d/libhelper.so"));
        assert!(candidates("/d/libhelper.so", beside).is_empty());
        assert!(candidates("", beside).is_empty());
    }
}
