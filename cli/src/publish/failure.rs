//! Why a library was not published: what could not be done, to which file, and what to do.

use std::io;
use std::path::PathBuf;

use replug::Digest;
use replug::shown::shown;

/// Why a library was not published, or not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("cannot read `{}`", shown(path))]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot sign with the key in `{}`: {}", shown(path), shown(reason))]
    Key { path: PathBuf, reason: String },
    #[error("cannot publish `{}`: it is no regular file", shown(.0))]
    NotAFile(PathBuf),
    #[error("cannot publish to `{}`", shown(path))]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot publish to `{}`: it is neither a file nor a directory", shown(.0))]
    NoPlace(PathBuf),
    #[error("cannot publish to `{}`: that is the very file which is to be published", shown(.0))]
    Itself(PathBuf),
    #[error("cannot keep what is at `{}` as `{}`", shown(path), shown(before))]
    Keep {
        path: PathBuf,
        before: PathBuf,
        source: io::Error,
    },
    #[error(
        "cannot publish to `{}`: the library has {size} bytes, and this process may write files of at most {limit}; raise \
         that limit (`ulimit -f`, RLIMIT_FSIZE)",
        shown(path)
    )]
    FileLimit {
        path: PathBuf,
        size: u64,
        limit: u64,
    },
    #[error(
        "cannot publish `{}`: its bytes are others than those that were asked for; their SHA-256 is {found}",
        shown(path)
    )]
    Another { path: PathBuf, found: Digest },
    #[error("cannot publish to `{}`: it was told to stop", shown(.0))]
    Stopped(PathBuf),
    #[error(
        "cannot write the directory of `{}` to the disk: the new library is in its place, and may not be after a crash of \
         the system",
        shown(path)
    )]
    Unsynced { path: PathBuf, source: io::Error },
}
