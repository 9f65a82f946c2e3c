//! Where private copies would be made: the directory that a host would take, and why it passes over a better one.

use std::env;
use std::path::{Path, PathBuf};

use replug::chain;
use replug::error::StageError;
use replug::shown::shown;
use replug::watch::{Files as _, OsFiles, StageDirectory};

use tracing::subscriber::{NoSubscriber, with_default};

use super::finding::{Said, page};

/// The least room for copies, in bytes: one of a large library.
const LITTLE_ROOM: u64 = 128 << 20;

/// Makes a stage as a host does, or in a directory that was chosen. What the log has to say of it the findings say.
pub(super) fn make(chosen: Option<&Path>) -> Result<StageDirectory, StageError> {
    with_default(NoSubscriber::default(), || StageDirectory::new(chosen))
}

/// Says where a stage was made, and why not elsewhere.
pub(super) fn examine(stage: &StageDirectory) -> Vec<Said> {
    let taken = stage.path();
    let parent = taken.as_deref().and_then(Path::parent);
    let mut said: Vec<_> = passed_over(parent)
        .into_iter()
        .map(|(directory, why)| judge_passed_over(&directory, &why, parent))
        .collect();
    said.push(match parent {
        Some(parent) => judge_taken(parent, free_space(parent)),
        None => in_memory(),
    });
    said
}

/// The directories that a host would rather take, the best first, each with the reason why it does not. A process with
/// more rights than its user asks that user's environment for none.
fn passed_over(taken: Option<&Path>) -> Vec<(PathBuf, String)> {
    if OsFiles.standing().has_more_rights {
        return Vec::new();
    }
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let better = runtime.into_iter().chain([env::temp_dir()]);
    let is_taken = |directory: &PathBuf| {
        let real = directory.canonicalize();
        taken.is_some()
            && real.ok().as_deref() == taken.and_then(|it| it.canonicalize().ok()).as_deref()
    };
    let better = better.take_while(|it| !is_taken(it));
    better.map(|it| (it.clone(), why_not(&it))).collect()
}

/// Why no stage is made in a directory.
fn why_not(directory: &Path) -> String {
    match make(Some(directory)) {
        Err(error) => chain(&error),
        Ok(stage) => match stage.path() {
            Some(path) if path.starts_with(directory) => {
                "others can enter it, or it has less than 256 MiB of room".to_owned()
            }
            _ => "code cannot be mapped from it: it is mounted `noexec`".to_owned(),
        },
    }
}

fn judge_passed_over(directory: &Path, why: &str, taken: Option<&Path>) -> Said {
    let words = format!("copies are not made in `{}`: {why}", shown(directory));
    let remedy = "mend that, or name a directory with `--stage-dir`";
    match taken {
        Some(_) => Said::note("stage", words, Some(remedy), page::STAGES),
        None => Said::finding("stage", words, remedy, page::STAGES),
    }
}

fn judge_taken(parent: &Path, free: Option<u64>) -> Said {
    /// Of a number of bytes, for people.
    const MIB: u64 = 1 << 20;
    let parent = shown(parent);
    match free {
        Some(free) if free < LITTLE_ROOM => Said::finding(
            "stage",
            format!(
                "copies are made in `{parent}`, which has {} MiB of room: less than a large library with its debug \
                 information takes",
                free / MIB
            ),
            "make room there, or name a directory with `--stage-dir`",
            page::STAGES,
        ),
        Some(free) => {
            let words = format!(
                "copies are made in `{parent}`, which has {} MiB of room; code can be mapped from it",
                free / MIB
            );
            Said::ok("stage", words, page::STAGES)
        }
        None => {
            let words = format!("copies are made in `{parent}`; code can be mapped from it");
            Said::ok("stage", words, page::STAGES)
        }
    }
}

fn in_memory() -> Said {
    Said::finding(
        "stage",
        "copies are made in memory, since no directory can hold them: none is larger than 1 GiB, and debuggers find no \
         file",
        "name a directory with `--stage-dir` from which code can be mapped",
        page::STAGES,
    )
}

/// The finding that no stage can be made, so that nothing can be watched.
pub(super) fn nowhere(error: &StageError) -> Said {
    let why = chain(error);
    let remedy = "name a directory with `--stage-dir` that this user can write to";
    Said::finding("stage", why, remedy, page::STAGES)
}

/// The room that is left for this user where a directory is, in bytes, if the system tells.
#[cfg(unix)]
#[allow(
    clippy::useless_conversion,
    reason = "the types of the fields differ between systems"
)]
fn free_space(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(u64::from(found.f_bavail).saturating_mul(u64::from(found.f_frsize)))
}

/// The system does not tell.
#[cfg(not(unix))]
fn free_space(_directory: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::*;

    #[test]
    fn a_stage_with_little_room_is_a_finding_and_one_that_is_passed_over_only_if_there_is_no_other()
    {
        let (tmp, other) = (Path::new("/tmp"), Path::new("/var/tmp"));
        for (free, weight) in [
            (Some(0), Weight::Finding),
            (Some(LITTLE_ROOM - 1), Weight::Finding),
            (Some(LITTLE_ROOM), Weight::Ok),
            (None, Weight::Ok),
        ] {
            assert_eq!(judge_taken(tmp, free).weight, weight, "{free:?}");
        }
        let why = "code cannot be mapped";
        assert_eq!(
            judge_passed_over(tmp, why, Some(other)).weight,
            Weight::Note
        );
        assert_eq!(judge_passed_over(tmp, why, None).weight, Weight::Finding);
    }
}
