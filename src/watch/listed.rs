//! The libraries that a listing names: which of them are taken up, and which artifacts are let go of. No artifact that
//! anything ever came of is given up because of a listing: each finds out for itself that its file is gone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::artifact::Artifact;
use crate::look::files::{Listing, Unlisted};
use crate::warning::Warning;

/// The most libraries of a directory that are followed. A poll looks at each: so many take some 20 ms of the worker's
/// time. Nobody has as many plugins.
pub(super) const MOST_LIBRARIES: usize = 16 * 1024;

/// Takes up the libraries that a listing names, the first by name if they are too many, and lets go of artifacts that it
/// does not name and nothing ever came of. Says if some are left out. Those that are followed already stay.
pub(super) fn take_up(artifacts: &mut Vec<Artifact>, listing: Listing) -> Option<Warning> {
    let Listing {
        files, unlisted, ..
    } = listing;
    let named: HashSet<&Path> = files.iter().map(PathBuf::as_path).collect();
    // Of what is below a directory that could not be listed the listing says nothing.
    let is_unknown = |path: &Path| unlisted.iter().any(|it| path.starts_with(&it.directory));
    artifacts.retain(|artifact| {
        let path = artifact.path();
        !artifact.is_idle() || named.contains(&**path) || is_unknown(path)
    });
    for artifact in &mut *artifacts {
        let is_named = named.contains(&**artifact.path());
        if is_named || !is_unknown(artifact.path()) {
            artifact.is_struck = !is_named;
        }
    }
    let known: HashSet<Arc<Path>> = artifacts.iter().map(|it| Arc::clone(it.path())).collect();
    let new = files
        .into_iter()
        .filter(|path| !known.contains(path.as_path()));
    let mut new: Vec<PathBuf> = new.collect();
    let room = MOST_LIBRARIES.saturating_sub(artifacts.len());
    let mut left_out = Vec::new();
    if new.len() > room {
        new.sort_unstable();
        left_out = new.split_off(room);
    }
    artifacts.extend(new.into_iter().map(|path| Artifact::listed(path.into())));
    Some(Warning::TooMany {
        followed: artifacts.len(),
        left_out: left_out.len(),
        first: left_out.into_iter().next()?,
    })
}

/// What a person should know of directories that could not be listed.
pub(super) fn warning_of(unlisted: &[Unlisted]) -> Option<Warning> {
    let first = unlisted.first()?;
    Some(Warning::Unlisted {
        directory: first.directory.clone(),
        others: unlisted.len() - 1,
        reason: first.reason,
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn listing(files: &[&str], unlisted: &[&str]) -> Listing {
        let unlisted = unlisted.iter().map(|directory| Unlisted {
            directory: directory.into(),
            reason: ErrorKind::PermissionDenied,
        });
        Listing {
            files: files.iter().map(PathBuf::from).collect(),
            unlisted: unlisted.collect(),
            ..Listing::default()
        }
    }

    fn struck(artifacts: &[Artifact]) -> Vec<&Path> {
        let struck = artifacts.iter().filter(|artifact| artifact.is_struck);
        struck.map(|artifact| &**artifact.path()).collect()
    }

    #[test]
    fn what_is_below_a_directory_that_cannot_be_listed_stays_as_it_is() {
        let mut artifacts = Vec::new();
        let all = ["d/a/libx.so", "d/b/liby.so", "d/ab/libz.so"];
        assert_eq!(take_up(&mut artifacts, listing(&all, &[])), None);
        take_up(&mut artifacts, listing(&["d/new.so"], &["d/a"]));
        assert_eq!(artifacts.len(), 4);
        let others = [Path::new("d/b/liby.so"), Path::new("d/ab/libz.so")];
        assert_eq!(struck(&artifacts), others);
        take_up(&mut artifacts, listing(&["d/new.so"], &[]));
        assert_eq!(struck(&artifacts).len(), 3);
    }

    #[test]
    fn of_too_many_libraries_the_first_by_name_are_taken_up_and_those_that_are_known_stay() {
        let name = |number: usize| format!("d/lib{number:06}.so");
        let known = name(MOST_LIBRARIES + 7);
        let mut artifacts = Vec::new();
        take_up(&mut artifacts, listing(&[&known], &[]));
        let names: Vec<String> = (0..MOST_LIBRARIES + 10).rev().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let warning = take_up(&mut artifacts, listing(&names, &[]));
        let (followed, left_out) = (MOST_LIBRARIES, 10);
        let first = PathBuf::from(name(MOST_LIBRARIES - 1));
        let told = Warning::TooMany {
            followed,
            left_out,
            first,
        };
        assert_eq!(warning, Some(told));
        assert_eq!(artifacts.len(), MOST_LIBRARIES);
        assert_eq!(**artifacts[0].path(), *Path::new(&known));
        let last = artifacts.last().unwrap().path();
        assert_eq!(**last, *Path::new(&name(MOST_LIBRARIES - 2)));
    }
}
