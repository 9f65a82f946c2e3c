//! Who works in a target directory at this moment: who holds cargo's locks, and which editor checks there.

use std::fs;
use std::path::{Path, PathBuf};

use replug::shown::shown;
use replug::watch::{Files as _, Holder, Lock, OsFiles};

use super::finding::{Said, page};

/// The lock files of all versions of cargo, in the directory of a profile.
const LOCKS: [&str; 3] = [".cargo-artifact-lock", ".cargo-build-lock", ".cargo-lock"];

/// What an editor's check costs, and how that is mended.
const OWN_DIRECTORY: &str = "give the editor a target directory of its own (`rust-analyzer.cargo.targetDir`: true), or build \
                             with another `--target-dir`";

/// A lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    lock: PathBuf,
    holder: Option<Holder>,
}

/// The locks that are held in a directory and in those directly below it. No lock is asked twice, and none is made.
pub(super) fn held_in(directory: &Path) -> Vec<Held> {
    let below = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = below.filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut profiles: Vec<_> = below.map(|entry| entry.path()).collect();
    profiles.sort();
    profiles.insert(0, directory.to_owned());
    let locks = profiles
        .iter()
        .flat_map(|it| LOCKS.map(|name| it.join(name)));
    let held = locks.filter(|lock| matches!(OsFiles.probe(lock), Ok(Lock::Held)));
    let held = held.map(|lock| Held {
        holder: OsFiles.holder(&lock),
        lock,
    });
    held.collect()
}

/// What is to be said of locks that are held. Nothing if none is, for that there are none is no news.
pub(super) fn judge(held: &[Held]) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for Held { lock, holder } in held {
        let one = said_of(lock, *holder);
        // One process holds several locks of one build.
        if !said.iter().any(|it| it.about == one.about) {
            said.push(one);
        }
    }
    said
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
        "rust-analyzer (process {first}) works in `{}`; where it checks on save in the same target directory, builds wait \
         for its checks",
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
            let said = judge(&[held(holder), held(holder)]);
            assert_eq!(said.len(), 1);
            assert_eq!(said[0].about, about);
            assert!(said[0].words.contains(telling), "{said:?}");
        }
        assert!(judge(&[]).is_empty());
    }

    #[test]
    fn locks_are_looked_for_in_the_directory_and_in_each_profile_below() {
        let scratch = tempfile::tempdir().unwrap();
        let profile = scratch.path().join("debug");
        fs::create_dir(&profile).unwrap();
        let lock = profile.join(".cargo-lock");
        let holder = File::create(&lock).unwrap();
        assert!(held_in(scratch.path()).is_empty());
        holder.try_lock().unwrap();
        for directory in [scratch.path(), &profile] {
            let found = held_in(directory);
            assert_eq!(found.len(), 1, "{directory:?}");
            assert_eq!(found[0].lock, lock);
        }
        assert_eq!(
            fs::read_dir(&profile).unwrap().count(),
            1,
            "no lock is made"
        );
    }

    #[test]
    fn an_editor_is_named_with_a_remedy() {
        assert!(judge_editors(&[], Path::new("/w")).is_none());
        let said = judge_editors(&[4711], Path::new("/w")).unwrap();
        assert!(said.words.contains("process 4711"), "{said:?}");
        assert!(said.remedy.unwrap().contains("targetDir"));
    }
}
