//! The place of an artifact: which filesystem it is on, how it must be looked at there to learn the truth, and whether
//! the gate is asked.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;

use replug_plugin::shown::shown;

use super::files::{Files, Filesystem, Locality, Names};
use super::snapshot::{Kind, Snapshot};
use crate::options::{FsPolicy, GatePolicy, Options};

/// The place of a watched path: its filesystem, and the consequences of the filesystem and of the user's choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the filesystem.
    pub filesystem: Cow<'static, str>,
    /// Who can change files there, unless the user knows better.
    pub locality: Locality,
    /// Whether a look can lag behind the content. A user who calls a filesystem local vouches for the looks.
    pub looks_can_lag: bool,
    /// What makes the filesystem's client ask for names. A user who calls a local filesystem remote believes none of its
    /// looks.
    pub names: Names,
    /// Whether the system's word holds that nobody writes to a file. Not for a user who believes nothing there.
    pub tells_writers: bool,
    /// How the gate is asked: not at all where asking for a lock can hang.
    pub gate: GatePolicy,
}

impl Place {
    /// The place of a path on this filesystem, by these options.
    pub(crate) fn on(filesystem: Filesystem, options: &Options) -> Place {
        let locality = match options.fs {
            FsPolicy::Auto => filesystem.locality,
            FsPolicy::Local => Locality::Local,
            FsPolicy::Remote => Locality::Remote,
        };
        let gate = match filesystem.locks_can_hang {
            true => GatePolicy::Off,
            false => options.gate,
        };
        let is_called_remote =
            options.fs == FsPolicy::Remote && filesystem.locality == Locality::Local;
        let names = match is_called_remote {
            true => Names::ByListing,
            false => filesystem.names,
        };
        Place {
            filesystem: filesystem.name,
            locality,
            looks_can_lag: filesystem.looks_can_lag && options.fs != FsPolicy::Local,
            names,
            tells_writers: filesystem.tells_writers && locality == Locality::Local,
            gate,
        }
    }

    /// Whether anything else follows from this place than from another one, whatever the two filesystems are called.
    pub(crate) fn differs_from(&self, other: &Place) -> bool {
        let filesystem = other.filesystem.clone();
        let alike = Place {
            filesystem,
            ..self.clone()
        };
        alike != *other
    }

    /// Whether others than this system can change files there.
    pub fn is_remote(&self) -> bool {
        self.locality == Locality::Remote
    }

    /// Advice: what a person can do so that more is seen there, or sooner.
    pub fn advice(&self) -> Option<&'static str> {
        match self.filesystem.as_ref() {
            _ if !self.is_remote() => None,
            "nfs" | "fuse" | "fuse.bindfs" => None,
            "fuse.sshfs" => Some(
                "sshfs itself remembers names and attributes for up to 20 s; mounted with `-o dir_cache=no` it does not",
            ),
            "9p" => Some(
                "a 9p client that is mounted with `cache=loose` never asks for what it remembers; with `cache=none` or \
                 `cache=mmap` it does",
            ),
            "cifs" | "smb2" | "smbfs" | "afpfs" | "webdav" | "p9fs" | "ceph" | "vboxsf" => {
                Some("nobody has tried replug there; what no look shows, the audits find")
            }
            _ => Some(
                "this filesystem is not known, so it counts as remote; if only this machine changes files there, \
                 `--fs local` costs less",
            ),
        }
    }

    /// How files are looked at there, for people.
    pub fn manner(&self) -> String {
        let asks = match (self.locality, self.names) {
            (Locality::Local, _) => {
                return "one look at each library per poll; the directory is listed when it changes"
                    .to_owned();
            }
            (Locality::Remote, Names::ByLook) => {
                "asks the server at each poll for the directories on the way and for each library"
            }
            (Locality::Remote, Names::ByPath) => {
                "lists the directory and opens each library to look at it at each poll"
            }
            (Locality::Remote, Names::ByListing) => {
                "lists the directories on the way and opens each library to look at it at each poll"
            }
        };
        let reads = match self.looks_can_lag {
            true => "reads twice what changed, and ",
            false => "and ",
        };
        format!("{asks}, {reads}digests now and then what seems unchanged")
    }

    /// Whether the gate is asked there, `on` or `off`, and why, for people. The options that switch it off are not known
    /// to a place.
    pub fn why_gate(&self) -> (&'static str, &'static str) {
        match self.gate {
            GatePolicy::Off => (
                "off",
                "asking for a lock on this filesystem can hang, or the options switched it off",
            ),
            GatePolicy::Auto => ("on", "waits while a cargo build holds its lock"),
            GatePolicy::Require => ("on", "waits until cargo's lock is there and open"),
        }
    }

    /// What makes the client ask for names there, if a client is in between.
    pub(crate) fn asks(&self) -> Option<Names> {
        self.is_remote().then_some(self.names)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locality = self.locality.word();
        write!(f, "{}, {locality}", shown(&*self.filesystem))
    }
}

/// The filesystem that `path` is on; an unknown one if the system does not tell.
pub(crate) fn filesystem(files: &impl Files, path: &Path) -> Filesystem {
    files.filesystem(path).unwrap_or_else(|error| {
        tracing::debug!(path = %shown(path), %error, "the filesystem has no name");
        Filesystem::unknown()
    })
}

/// Looks once at what `path` leads to. On a remote filesystem, the client must have been made to ask for the names on
/// the way before.
///
/// On NFS, a look asks the server. Elsewhere a client may answer it from its memory; only opening the file makes the
/// client ask. Opening a device can set something off, and opening a pipe releases a writer that waits for a reader. So
/// a path that was no file at the last look is looked at before it is opened. An idle poll of a file asks no more for
/// that.
pub(crate) fn look_afresh(
    files: &impl Files,
    path: &Path,
    asks: Option<Names>,
    was_file: bool,
) -> io::Result<Snapshot> {
    if matches!(asks, None | Some(Names::ByLook)) {
        return files.look(path);
    }
    // A look that fails may have come from the client's memory: opening the file will tell.
    if !was_file
        && let Ok(snapshot) = files.look(path)
        && snapshot.kind != Kind::File
    {
        return Ok(snapshot);
    }
    files.look_open(&files.open(path)?)
}
