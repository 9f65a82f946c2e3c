//! A program in a mount namespace of its own, with small filesystems mounted where the lab wants them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs at a path, with options for `mount -o`.
pub struct Tmpfs<'a> {
    pub at: &'a Path,
    pub options: String,
}

/// The same command, for which these filesystems are mounted, and for nobody else.
pub fn with_mounts(command: &Command, mounts: &[Tmpfs<'_>]) -> Command {
    // What it mounts is named in its arguments, in pairs, before the command.
    const SCRIPT: &str = r#"
        set -e
        count=$1; shift
        while [ "$count" -gt 0 ]; do
            mount -t tmpfs -o "$1" replug-lab "$2"
            shift 2
            count=$((count - 1))
        done
        exec "$@"
    "#;
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private"]);
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["sh", "-c", SCRIPT, "sh"]);
    unshare.arg(mounts.len().to_string());
    for mount in mounts {
        unshare.arg(&mount.options).arg(mount.at);
    }
    unshare.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    unshare
}

/// What the process with this number sees at `path`.
pub fn as_seen_by(process: u32, path: &Path) -> PathBuf {
    let inside = path.strip_prefix("/").expect("an absolute path");
    Path::new("/proc")
        .join(process.to_string())
        .join("root")
        .join(inside)
}
