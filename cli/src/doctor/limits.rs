//! The limits that the system sets to a process, such as a host started from here. What is said of them is pure.

use super::finding::{Said, page};

/// The fewest open files with which a host with a few plugins works: each copy that is checked, each directory on the
/// way, and what the host itself has open.
const FEW_FILES: u64 = 64;

/// A number of open files that a directory of plugins can reach.
const SOME_FILES: u64 = 256;

/// The size that a library with its debug information has now and then, in bytes (85 MB were seen).
const LARGE_LIBRARY: u64 = 128 << 20;

/// Limits; `None` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    pub(super) open_files: Option<u64>,
    /// In bytes.
    pub(super) file_size: Option<u64>,
    /// The largest file that is left after a crash, in bytes.
    pub(super) core: Option<u64>,
}

/// The limits of this process, which it hands on to those that are started beside it.
#[cfg(unix)]
pub(super) fn of_this_process() -> Limits {
    use rustix::process::{Resource, getrlimit};
    Limits {
        open_files: getrlimit(Resource::Nofile).current,
        file_size: getrlimit(Resource::Fsize).current,
        core: getrlimit(Resource::Core).current,
    }
}

/// There are no such limits.
#[cfg(not(unix))]
pub(super) fn of_this_process() -> Limits {
    Limits::default()
}

/// What is to be said of limits.
pub(super) fn judge(limits: Limits) -> Vec<Said> {
    let mut said: Vec<_> = [open_files(limits.open_files), file_size(limits.file_size)]
        .into_iter()
        .flatten()
        .collect();
    if said.is_empty() {
        let core = match limits.core {
            Some(0) => "; a crash leaves no core file (`ulimit -c`)",
            _ => "",
        };
        let words =
            format!("open files and file sizes are limited to nothing that a host reaches{core}");
        said.push(Said::ok("limits", words, page::BOUNDS));
    }
    said
}

fn open_files(limit: Option<u64>) -> Option<Said> {
    let limit = limit.filter(|limit| *limit < SOME_FILES)?;
    let words =
        format!("a process may have {limit} files open; where there are no more, reloading pauses");
    let remedy = "raise it with `ulimit -n`, or `LimitNOFILE=` of a service";
    Some(match limit < FEW_FILES {
        true => Said::finding("limits", words, remedy, page::ERRORS),
        false => Said::note("limits", words, Some(remedy), page::ERRORS),
    })
}

fn file_size(limit: Option<u64>) -> Option<Said> {
    let limit = limit.filter(|limit| *limit < LARGE_LIBRARY)?;
    let words =
        format!("a process may write no file above {limit} bytes, so a larger library is kept out");
    let remedy = "raise it with `ulimit -f`, or `LimitFSIZE=` of a service";
    Some(Said::finding("limits", words, remedy, page::BOUNDS))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::*;

    #[test]
    fn limits_that_a_host_reaches_are_told() {
        use Weight::{Finding, Note, Ok};
        for (open_files, file_size, weights) in [
            (None, None, vec![Ok]),
            (Some(1024), Some(1 << 40), vec![Ok]),
            (Some(200), None, vec![Note]),
            (Some(20), None, vec![Finding]),
            (Some(1024), Some(102_400), vec![Finding]),
            (Some(20), Some(0), vec![Finding, Finding]),
        ] {
            let limits = Limits {
                open_files,
                file_size,
                core: Some(0),
            };
            let found: Vec<_> = judge(limits).iter().map(|it| it.weight).collect();
            assert_eq!(found, weights, "{limits:?}");
        }
    }
}
