//! Names that mean something: which files are artifacts, what their plugins are called, and which directories hold the
//! private copies of some process. Pure.

use std::ffi::OsStr;
use std::path::Path;

use replug_plugin::shown::{shown, spelled};

/// The beginning of the name of each stage directory.
const STAGE: &str = "replug";

/// Whether a file of this name in a watched directory is an artifact: `lib*.so`, `lib*.dylib` or `*.dll` by
/// system. Hidden and temporary names (`.nfs...`, `.fuse_hidden...`, `libx.so.tmp`) are not.
pub(crate) fn is_library_name(name: &OsStr) -> bool {
    let name = spelled(name);
    let middle = name
        .strip_prefix(std::env::consts::DLL_PREFIX)
        .and_then(without_suffix);
    middle.is_some_and(|middle| !middle.is_empty() && !name.starts_with('.'))
}

/// Whether a file of this name, which is no artifact, is nearly one: people call modules `mod_x.so` or `x.so`, and
/// installed libraries `libx.so.1`.
pub(crate) fn is_nearly_a_library_name(name: &OsStr) -> bool {
    let name = spelled(name);
    let is_hidden = name.starts_with('.');
    let stem = without_suffix(unversioned(&name));
    !is_hidden && stem.is_some_and(|stem| !stem.is_empty())
}

/// A name without the extension that libraries have. On Windows `.DLL` is the same extension.
fn without_suffix(name: &str) -> Option<&str> {
    const SUFFIX: &str = std::env::consts::DLL_SUFFIX;
    let (stem, suffix) = name.split_at_checked(name.len().checked_sub(SUFFIX.len())?)?;
    let is_suffix = match cfg!(windows) {
        true => suffix.eq_ignore_ascii_case(SUFFIX),
        false => suffix == SUFFIX,
    };
    is_suffix.then_some(stem)
}

/// A name without the numbers behind it: `libx.so` for `libx.so.1.2`.
fn unversioned(name: &str) -> &str {
    name.trim_end_matches(|at: char| at.is_ascii_digit() || at == '.')
}

/// The plugin's name, made from its artifact's: `plugin01` for `target/debug/libplugin01.so` and for
/// `/usr/lib/libplugin01.so.1`. A name that could move what is printed beside it is [`shown`].
pub fn plugin_name(artifact: &Path) -> String {
    let name = shown(artifact.file_name().unwrap_or(artifact.as_os_str())).to_string();
    let known = without_suffix(unversioned(&name));
    let stem = match known.filter(|stem| !stem.is_empty()) {
        Some(stem) => stem,
        // The name without its extension, if it has one.
        None => match name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => &name,
        },
    };
    let prefix = std::env::consts::DLL_PREFIX;
    match stem.strip_prefix(prefix) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => stem.to_owned(),
    }
}

/// Whether a directory of this name holds what cargo makes on its way to a library, if it lies beside a directory that
/// is called [`CARGO_MARK`]: second names of libraries, those of procedural macros, and those of dependencies.
pub(crate) fn is_made_on_the_way(name: &OsStr) -> bool {
    ["deps", "build", "incremental", CARGO_MARK]
        .iter()
        .any(|made| name == *made)
}

/// The directory that marks one in which cargo builds, such as `target/debug`.
pub(crate) const CARGO_MARK: &str = ".fingerprint";

/// The name of a stage directory of the process with this number and start time, but for its last part, which is
/// random.
pub(crate) fn stage_prefix(pid: u32, start: u64) -> String {
    format!("{STAGE}-{pid}-{start}-")
}

/// The number and the start time of the process that a stage directory of this name belongs to; `None` for another
/// name.
pub(crate) fn stage_owner(name: &OsStr) -> Option<(u32, u64)> {
    let mut parts = name.to_str()?.split('-');
    let owner = match (parts.next()?, parts.next()?, parts.next()?) {
        (STAGE, pid, start) => (pid.parse().ok()?, start.parse().ok()?),
        _ => return None,
    };
    (parts.next().is_some() && parts.next().is_none()).then_some(owner)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_finished_visible_library_names_are_artifacts() {
        for name in ["libplugin01.so", "libx-0123abcd.so", "lib.x.so"] {
            assert!(is_library_name(OsStr::new(name)), "{name}");
        }
        for name in [
            "lib.so",
            "plugin01.so",
            "libx.so.tmp",
            "libx.so.1",
            "libx.a",
            ".libx.so",
            ".nfs0001",
            ".fuse_hidden0001",
            "libx.rlib",
            "libx.d",
        ] {
            assert!(!is_library_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_that_of_a_library_is_told_from_others() {
        for name in ["mod_hello.so", "libx.so.1", "libx.so.1.2.3", "x.so"] {
            assert!(is_nearly_a_library_name(OsStr::new(name)), "{name}");
        }
        for name in [
            ".so",
            ".so.1",
            "libx.so.tmp",
            ".x.so",
            "notes.1",
            "1",
            "libx.a",
        ] {
            assert!(!is_nearly_a_library_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_plugin_is_named_by_its_library_without_the_numbers_behind() {
        for (path, name) in [
            ("target/debug/libplugin01.so", "plugin01"),
            ("d/libx.so.1", "x"),
            ("d/libx.so.1.2", "x"),
            ("d/mod_x.so", "mod_x"),
            ("d/lib.x.so", ".x"),
            ("plugins", "plugins"),
            ("plugins.d", "plugins"),
            (".so", ".so"),
            ("d/lib.so", "lib"),
            ("/", "/"),
        ] {
            assert_eq!(plugin_name(Path::new(path)), name, "{path}");
        }
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_a_library_is_spelled_in_either_case() {
        for name in ["plugin01.dll", "B.DLL", "x.Dll"] {
            assert!(is_library_name(OsStr::new(name)), "{name}");
        }
        for name in [".dll", "x.dll.tmp", "x.lib", ".x.dll", "xdll"] {
            assert!(!is_library_name(OsStr::new(name)), "{name}");
        }
        assert_eq!(plugin_name(Path::new(r"C:\plugins\B.DLL")), "B");
    }
}
