//! The symbolic links on the way to an artifact. Each link is compared by itself: a swap of one link (Kubernetes
//! swaps `..data`) can lead to a file that looks like the file before. And a network filesystem's client that
//! remembers names must be asked for each link.

use std::path::{Path, PathBuf};

use super::files::{Files, Route};
use super::snapshot::{Fields, Snapshot};

/// The links on the way, as they looked when they were last followed.
#[derive(Debug)]
pub(crate) struct Hops {
    links: Vec<(PathBuf, Snapshot)>,
    /// The directories that hold the names of the links, and of the file at their end.
    directories: Vec<PathBuf>,
}

impl Hops {
    /// The links of a route; `None` if the route has none, or if a link is gone already.
    pub(crate) fn of(route: &Route, files: &impl Files) -> Option<Box<Hops>> {
        if route.links.is_empty() {
            return None;
        }
        let mut directories: Vec<_> = route.links.iter().map(|link| directory_of(link)).collect();
        directories.push(directory_of(&route.end));
        directories.dedup();
        let directories = directories.into_iter().map(Path::to_owned).collect();
        let look = |link: &PathBuf| Some((link.clone(), files.look_link(link).ok()?));
        Some(Box::new(Hops {
            links: route.links.iter().map(look).collect::<Option<_>>()?,
            directories,
        }))
    }

    /// Whether a link has changed. Fields in `noise` do not count: the daemon behind the link makes them up anew at
    /// each look.
    pub(crate) fn have_changed(&self, files: &impl Files, noise: Fields) -> bool {
        let is_as_it_was = |(link, before): &(PathBuf, Snapshot)| {
            let seen = files.look_link(link);
            seen.is_ok_and(|seen| seen.without(noise) == before.without(noise))
        };
        !self.links.iter().all(is_as_it_was)
    }

    /// The directories that must be listed for a fresh look.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories.iter().map(PathBuf::as_path)
    }
}

/// The directory that holds the name of a path.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}
