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
        .and_then(|rest| rest.strip_suffix(std::env::consts::DLL_SUFFIX));
    middle.is_some_and(|middle| !middle.is_empty() && !name.starts_with('.'))
}

/// The plugin's name, made from its artifact's: `plugin01` for `target/debug/libplugin01.so`. A name that could move what
/// is printed beside it is [`shown`].
pub fn plugin_name(artifact: &Path) -> String {
    let stem = shown(artifact.file_stem().unwrap_or(artifact.as_os_str())).to_string();
    let prefix = std::env::consts::DLL_PREFIX;
    match stem.strip_prefix(prefix) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => stem,
    }
}

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
}
