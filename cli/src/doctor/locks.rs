//! Who works in a target directory at this moment: who holds cargo's locks, and which editor checks there.

use std::fs;
use std::path::{Path, PathBuf};

use replug::shown::shown;
use replug::watch::{Files as _, Holder, Lock, OsFiles};

use super::finding::{Said, page};

/// The lock files of all versions of cargo, in the directory of a profile.
const LOCKS: [&str; 3] = [".cargo-artifact-lock", ".cargo-build-lock", ".cargo-lock"];

/// What an editor's check costs, and how that is mended.
const OWN_DIRECTORY: &str = "give the editor a target directory of its own (`rust-analyzer.cargo.targetDir`: true), or \
                             build with another `--target-dir`";

/// A lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    lock: PathBuf,
    holder: Option<Holder>,
}

/// The lock files that matter to what is built into a directory: there, directly below, and above the directories that
/// cargo has in one of a profile.
fn locks_of(directory: &Path) -> Vec<PathBuf> {
    let below = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = below.filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut profiles: Vec<_> = below.map(|entry| entry.path()).collect();
    profiles.sort();
    profiles.insert(0, directory.to_owned());
    let name = directory.file_name().and_then(|name| name.to_str());
    if matches!(name, Some("deps" | "examples")) {
        profiles.extend(directory.parent().map(Path::to_owned));
    }
    let locks = profiles.iter();
    locks
        .flat_map(|it| LOCKS.map(|name| it.join(name)))
        .collect()
}

/// What was found of the locks around a directory. None is made.
#[derive(Debug, Default)]
pub(super) struct Found {
    held: Vec<Held>,
    /// What is in the place of a lock and is not asked.
    unasked: Vec<PathBuf>,
}

/// Asks the locks around a directory.
pub(super) fn ask(directory: &Path) -> Found {
    let mut found = Found::default();
    for lock in locks_of(directory) {
        match OsFiles.probe(&lock) {
            Ok(Lock::Held) => found.held.push(Held {
                holder: OsFiles.holder(&lock),
                lock,
            }),
            Ok(Lock::Absent) if OsFiles.look_link(&lock).is_ok() => found.unasked.push(lock),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a lock does not answer"),
        }
    }
    found
}

/// What is to be said of locks. Nothing if none is held, for that is no news.
pub(super) fn judge(found: &Found) -> Vec<Said> {
    let mut said: Vec<_> = found
        .unasked
        .first()
        .map(|it| unasked(it))
        .into_iter()
        .collect();
    for Held { lock, holder } in &found.held {
        let one = said_of(lock, *holder);
        // One process holds several locks of one build.
        if !said.iter().any(|it| it.about == one.about) {
            said.push(one);
        }
    }
    said
}

fn unasked(lock: &Path) -> Said {
    let words = format!(
        "`{}` is there and is not asked, for it is no regular file, or belongs neither to this user, nor to root, nor \
         to its directory's owner; whether a build runs is not known",
        shown(lock)
    );
    let remedy = "remove it, and let one user build there";
    Said::finding("foreign-lock", words, remedy, page::JUDGED)
}

fn said_of(lock: &Path, holder: Option<Holder>) -> Said {
    let lock = shown(lock);
    match holder {
        Some(holder) if holder.is_check() => Said::note(
            "check",
            format!(
                "{holder} holds `{lock}` now; builds in this target directory wait for its end"
            ),
            Some(OWN_DIRECTORY),
            page::DEV,
        ),
        Some(holder) if holder.subcommand.is_some() => Said::note(
            "build",
            format!("{holder} holds `{lock}` now; what it builds is looked at when it has ended"),
            None,
            page::LOCKS,
        ),
        Some(holder) => Said::note(
            "lock",
            format!(
                "{holder} holds `{lock}` now; it may build, so a change waits for it, for a minute at most"
            ),
            Some("if it does not build, end it, or use `--gate off`"),
            page::LOCKS,
        ),
        None => Said::note(
            "lock",
            format!(
                "somebody holds `{lock}` now, and the system does not tell who; a change waits for a minute at most"
            ),
            Some("if nothing builds there, use `--gate off`"),
            page::LOCKS,
        ),
    }
}

/// The editors that check this workspace: the numbers of their processes.
#[cfg(target_os = "linux")]
pub(super) fn editors(root: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let editors = processes.filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let works_in = fs::read_link(entry.path().join("cwd")).ok()?;
        (name.trim() == "rust-analyzer" && works_in.starts_with(root)).then_some(number)
    });
    editors.collect()
}

/// Nothing tells which processes there are.
#[cfg(not(target_os = "linux"))]
pub(super) fn editors(_root: &Path) -> Vec<u32> {
    Vec::new()
}

/// What is to be said of these editors.
pub(super) fn judge_editors(editors: &[u32], root: &Path) -> Option<Said> {
    let first = editors.first()?;
    let words = format!(
        "rust-analyzer (process {first}) works in `{}`; where it checks on save in the same target directory, builds \
         wait for its checks",
        shown(root)
    );
    Some(Said::note("editor", words, Some(OWN_DIRECTORY), page::DEV))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn held(holder: Option<Holder>) -> Held {
        Held {
            lock: "target/debug/.cargo-lock".into(),
            holder,
        }
    }

    #[test]
    fn a_check_a_build_and_somebody_unknown_are_told_apart() {
        let [check, build, other] =
            [Some(&b"check"[..]), Some(b"build"), None].map(|word| Holder::new(4711, word));
        for (holder, about, telling) in [
            (Some(check), "check", "`cargo check`, process 4711"),
            (Some(build), "build", "`cargo build`, process 4711"),
            (Some(other), "lock", "process 4711"),
            (None, "lock", "somebody"),
        ] {
            let said = judge(&Found {
                held: vec![held(holder), held(holder)],
                unasked: Vec::new(),
            });
            assert_eq!(said.len(), 1);
            assert_eq!(said[0].about, about);
            assert!(said[0].words.contains(telling), "{said:?}");
        }
        assert!(judge(&Found::default()).is_empty());
    }

    #[test]
    fn locks_are_looked_for_in_the_directory_and_in_each_profile_around() {
        let scratch = tempfile::tempdir().unwrap();
        let profile = scratch.path().join("debug");
        let deps = profile.join("deps");
        fs::create_dir_all(&deps).unwrap();
        let lock = profile.join(".cargo-lock");
        let holder = File::create(&lock).unwrap();
        assert!(ask(scratch.path()).held.is_empty());
        holder.try_lock().unwrap();
        for directory in [scratch.path(), &profile, &deps] {
            let found = ask(directory);
            assert_eq!(found.held.len(), 1, "{directory:?}");
            assert_eq!(found.held[0].lock, lock);
            assert!(found.unasked.is_empty());
        }
        assert_eq!(
            fs::read_dir(&profile).unwrap().count(),
            2,
            "no lock is made"
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_lock_and_has_its_name_is_a_finding() {
        let scratch = tempfile::tempdir().unwrap();
        let lock = scratch.path().join(".cargo-lock");
        std::os::unix::fs::symlink("elsewhere", &lock).unwrap();
        let said = judge(&ask(scratch.path()));
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].about, "foreign-lock");
    }

    #[test]
    fn an_editor_is_named_with_a_remedy() {
        assert!(judge_editors(&[], Path::new("/w")).is_none());
        let said = judge_editors(&[4711], Path::new("/w")).unwrap();
        assert!(said.words.contains("process 4711"), "{said:?}");
        assert!(said.remedy.unwrap().contains("targetDir"));
    }
}
