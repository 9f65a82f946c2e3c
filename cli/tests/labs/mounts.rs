//! A program in a mount namespace of its own, with filesystems mounted where the lab wants them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A filesystem to be mounted at a path: the arguments of `mount -t KIND -o OPTIONS SOURCE AT`.
pub struct Mounted<'a> {
    kind: &'a str,
    options: String,
    source: &'a Path,
    at: &'a Path,
}

impl<'a> Mounted<'a> {
    /// A filesystem in memory.
    pub fn tmpfs(at: &'a Path, options: String) -> Mounted<'a> {
        Mounted {
            kind: "tmpfs",
            options,
            source: Path::new("replug-lab"),
            at,
        }
    }

    /// The filesystem on a device.
    pub fn device(source: &'a Path, at: &'a Path) -> Mounted<'a> {
        Mounted {
            kind: "ext4",
            options: "defaults".to_owned(),
            source,
            at,
        }
    }

    /// The filesystem of this kind in a file.
    pub fn image(kind: &'a str, image: &'a Path, at: &'a Path) -> Mounted<'a> {
        Mounted {
            kind,
            options: "loop".to_owned(),
            source: image,
            at,
        }
    }

    /// A directory or a file, under another path.
    pub fn bound(source: &'a Path, at: &'a Path) -> Mounted<'a> {
        Mounted {
            kind: "none",
            options: "bind".to_owned(),
            source,
            at,
        }
    }

    /// The files in `lower`, and in front of them the files in `upper`, as in a container.
    pub fn overlay(lower: &Path, upper: &Path, work: &Path, at: &'a Path) -> Mounted<'a> {
        let [lower, upper, work] = [lower, upper, work].map(Path::display);
        Mounted {
            kind: "overlay",
            options: format!("lowerdir={lower},upperdir={upper},workdir={work}"),
            source: Path::new("replug-lab"),
            at,
        }
    }
}

/// This command with these filesystems mounted for it, and for nobody else.
pub fn with_mounts(command: &Command, mounts: &[Mounted<'_>]) -> Command {
    // The mounts are named in the script's arguments, in fours, before the command.
    const SCRIPT: &str = r#"
        set -e
        count=$1; shift
        while [ "$count" -gt 0 ]; do
            mount -t "$1" -o "$2" "$3" "$4"
            shift 4
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
        unshare.args([mount.kind, &mount.options]);
        unshare.args([mount.source, mount.at]);
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

/// The path by which we see what the process with this number sees at `path`.
pub fn as_seen_by(process: u32, path: &Path) -> PathBuf {
    let inside = path.strip_prefix("/").expect("an absolute path");
    Path::new("/proc")
        .join(process.to_string())
        .join("root")
        .join(inside)
}
