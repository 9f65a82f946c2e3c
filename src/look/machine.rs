//! This machine's filesystem, behind the seam of [`files`](super::files). Decides nothing.

use std::ffi::OsStr;
use std::fs::{self, Metadata, TryLockError};
use std::io;
use std::path::{Component, Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::files::{Files, Filesystem, Listing, Lock, Route, Unlisted, Writers, is_absent};
use super::holder::Holder;
use super::naming::{CARGO_MARK, is_made_on_the_way};
use super::os;
use super::rights::{Rights, Standing};
use super::snapshot::{Kind, Snapshot};
use crate::boundary::has_more_rights;

/// The filesystem of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFiles;

impl Files for OsFiles {
    type Artifact = os::Artifact;
    type Directory = os::Directory;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        os::look(path)
    }

    fn look_open(&self, artifact: &os::Artifact) -> io::Result<Snapshot> {
        os::look_open(artifact)
    }

    fn open(&self, path: &Path) -> io::Result<os::Artifact> {
        os::open(path)
    }

    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        os::names(directory, each)
    }

    fn list(
        &self,
        directory: &Path,
        depth: usize,
        is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
    ) -> io::Result<Listing> {
        list(directory, depth, is_wanted)
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        std::path::absolute(path)
    }

    fn has_plain_looks(&self) -> bool {
        os::has_plain_looks()
    }

    fn ask_for_name(&self, path: &Path) {
        os::ask_for_name(path);
    }

    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        os::look_link(path)
    }

    fn open_directory(&self, directory: &Path, looks: usize) -> Option<os::Directory> {
        os::open_directory(directory, looks)
    }

    fn look_from(&self, directory: &os::Directory, path: &Path) -> io::Result<Snapshot> {
        os::look_from(directory, path)
    }

    fn forget_content(&self, artifact: &os::Artifact) -> io::Result<()> {
        os::forget_content(artifact)
    }

    fn route(&self, path: &Path) -> io::Result<Route> {
        route(path)
    }

    fn filesystem(&self, path: &Path) -> io::Result<Filesystem> {
        // A link that leads to nothing counts as part of the place to which it leads.
        let end = route(path).map(|route| route.end);
        os::filesystem(nearest_existing(end.as_deref().unwrap_or(path)))
    }

    fn mounted(&self, path: &Path) -> Option<Filesystem> {
        os::mounted(&std::path::absolute(path).ok()?)
    }

    fn rights(&self, artifact: &os::Artifact, path: &Path) -> io::Result<Vec<Rights>> {
        rights(artifact, path)
    }

    fn standing(&self) -> Standing {
        os::standing(has_more_rights())
    }

    fn writers(&self, artifact: &os::Artifact) -> Writers {
        os::writers(artifact)
    }

    fn opener(&self, path: &Path) -> Option<u32> {
        os::opener(path)
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        probe(lock)
    }

    fn holder(&self, lock: &Path) -> Option<Holder> {
        os::holder(&os::open_lock(lock).ok()??)
    }
}

/// Lists `directory`, `depth` levels deep; links to directories are not followed.
///
/// Names that vanish while being listed are left out. A directory below that cannot be opened is named as such. Any
/// other failure fails the listing, for a partial listing would look like removals.
fn list(
    directory: &Path,
    depth: usize,
    is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
) -> io::Result<Listing> {
    let mut listing = Listing::default();
    let is_wanted = |entry: &DirEntry| {
        is_wanted(entry.file_name(), kind_of(entry.file_type())) && !is_cargos_own(entry)
    };
    let entries = WalkDir::new(directory)
        .min_depth(1)
        .max_depth(depth)
        .sort_by_file_name();
    for entry in entries.into_iter().filter_entry(is_wanted) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                // A directory at the last level is not searched, so its changes do not matter.
                if entry.depth() < depth {
                    listing.directories.push(entry.into_path());
                }
            }
            Ok(entry) => listing.files.push(entry.into_path()),
            Err(error) if error.depth() > 0 && is_gone(&error) => {}
            Err(error) => listing.unlisted.push(unlisted(error)?),
        }
    }
    Ok(listing)
}

/// The directory below that a listing could not enter; or the error itself, if it is about the whole listing.
fn unlisted(error: walkdir::Error) -> io::Result<Unlisted> {
    let below = error.path().filter(|_| error.depth() > 0);
    let directory = below.map(Path::to_owned);
    // Without the path, which the error would print as it is.
    let source = error
        .into_io_error()
        .unwrap_or_else(|| io::Error::other("the links below it go in a circle"));
    match directory {
        Some(directory) => Ok(Unlisted {
            directory,
            reason: source.kind(),
        }),
        None => Err(source),
    }
}

/// Whether an entry is a directory of what cargo makes on its way: the same libraries under other names, and libraries
/// that are for cargo alone.
fn is_cargos_own(entry: &DirEntry) -> bool {
    let is_named_so = entry.file_type().is_dir() && is_made_on_the_way(entry.file_name());
    let mark = || entry.path().with_file_name(CARGO_MARK);
    is_named_so && fs::symlink_metadata(mark()).is_ok_and(|mark| mark.is_dir())
}

fn kind_of(file_type: fs::FileType) -> Kind {
    match () {
        () if file_type.is_dir() => Kind::Directory,
        () if file_type.is_file() => Kind::File,
        () if file_type.is_symlink() => Kind::Link,
        () => Kind::Other,
    }
}

fn is_gone(error: &walkdir::Error) -> bool {
    error
        .io_error()
        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The route of a path.
fn route(path: &Path) -> io::Result<Route> {
    let mut links = Vec::new();
    let end = follow(path, &mut |passed, found| {
        if found.is_symlink() {
            links.push(passed.to_owned());
        }
    })?;
    Ok(Route { links, end })
}

/// The rights at everything that is passed on the way to an open artifact, and at the artifact.
fn rights(artifact: &os::Artifact, path: &Path) -> io::Result<Vec<Rights>> {
    let inventors = os::Inventors::read();
    let inventor = |device| inventors.of_device(device);
    let absolute = std::path::absolute(path)?;
    let mut way = Vec::new();
    // No name leads to the root, so it is not passed.
    if let Some(root) = absolute.ancestors().last() {
        way.push(os::rights(root, &fs::symlink_metadata(root)?, &inventor));
    }
    let end = follow(&absolute, &mut |passed, found| {
        if found.is_dir() || found.is_symlink() {
            way.push(os::rights(passed, found, &inventor));
        }
    })?;
    way.push(os::rights(&end, &artifact.metadata()?, &inventor));
    Ok(way)
}

/// Follows `path` link by link, as the system does, and shows to `each` everything that is passed, in this order. Returns
/// the path at the end.
fn follow(path: &Path, each: &mut dyn FnMut(&Path, &Metadata)) -> io::Result<PathBuf> {
    /// The most links that are followed: as many as Linux follows before it says that they go in a circle.
    const MOST_LINKS: usize = 40;
    let absolute = std::path::absolute(path)?;
    let mut links = 0;
    let mut end = PathBuf::new();
    // The components still to be walked, the next one last.
    let mut ahead: Vec<PathBuf> = backwards(&absolute);
    while let Some(component) = ahead.pop() {
        match component.components().next() {
            Some(Component::ParentDir) => {
                end.pop();
                continue;
            }
            Some(Component::CurDir) | None => continue,
            Some(_) => end.push(&component),
        }
        // The prefix and the root of a path are not links, and a missing component leads nowhere.
        let is_link = match end.file_name().map(|_| fs::symlink_metadata(&end)) {
            Some(Ok(found)) => {
                each(&end, &found);
                found.is_symlink()
            }
            Some(Err(error)) if !is_absent(&error) => return Err(error),
            Some(Err(_)) | None => false,
        };
        if !is_link {
            continue;
        }
        if links == MOST_LINKS {
            return Err(io::Error::other("too many symbolic links"));
        }
        let target = fs::read_link(&end)?;
        links += 1;
        end.pop();
        ahead.extend(backwards(&target));
    }
    Ok(end)
}

/// The components of a path, last first.
fn backwards(path: &Path) -> Vec<PathBuf> {
    let components = path.components().rev();
    components.map(|part| part.as_os_str().into()).collect()
}

/// The nearest of `path` and its ancestors that exists: the place to ask about a path that does not exist yet.
fn nearest_existing(path: &Path) -> &Path {
    let existing = path.ancestors().find(|path| path.exists());
    match existing {
        Some(path) if !path.as_os_str().is_empty() => path,
        _ => Path::new("."),
    }
}

/// Probes one lock file: a shared, non-blocking try that is given back at once.
///
/// The file is opened read-only and never made, and what is no file of this build is not asked. While the probe holds the shared lock, for some microseconds,
/// a cargo that wants it exclusively prints that it waits, and goes on.
fn probe(lock: &Path) -> io::Result<Lock> {
    let file = match os::open_lock(lock) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Lock::Absent),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::Absent),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Lock::Free),
        Err(TryLockError::WouldBlock) => Ok(Lock::Held),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    use std::fs::File;

    use vocabulary::wait_until;

    use super::*;

    #[test]
    fn a_listing_goes_as_deep_as_it_was_told_and_names_what_it_searched() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        let library = |stem: &str| format!("{DLL_PREFIX}{stem}{DLL_SUFFIX}");
        let top = root.join(library("level"));
        let middle = root.join("a").join(library("middle"));
        let deep = root.join("a/b").join(library("deep"));
        for path in [&top, &middle, &deep, &root.join("notes.txt")] {
            fs::write(path, "").unwrap();
        }
        let notes = root.join("notes.txt");
        let shallow = list(root, 1, &|_, _| true).unwrap();
        assert_eq!(shallow.files, [top.as_path(), notes.as_path()]);
        assert!(shallow.directories.is_empty());
        let is_wanted = |name: &OsStr, kind| kind == Kind::Directory || name != "notes.txt";
        let deeper = list(root, 2, &is_wanted).unwrap();
        assert_eq!(deeper.files, [middle, top]);
        assert_eq!(deeper.directories, [root.join("a")]);
    }

    #[test]
    fn a_directory_that_is_not_there_fails_the_listing() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(list(&scratch.path().join("nowhere"), 1, &|_, _| true).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_no_lock_and_keeps_nobody_waiting() {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;

        use rustix::fs::{CWD, Mode, mkfifoat};

        let scratch = tempfile::tempdir().unwrap();
        let lock = scratch.path().join("lock");
        let holder = File::create(&lock).unwrap();
        holder.try_lock().unwrap();
        let in_place_of_a_lock = |name: &str| scratch.path().join(name);
        mkfifoat(CWD, in_place_of_a_lock("pipe"), Mode::RWXU).unwrap();
        let _socket = UnixListener::bind(in_place_of_a_lock("socket")).unwrap();
        fs::create_dir(in_place_of_a_lock("directory")).unwrap();
        symlink(&lock, in_place_of_a_lock("link")).unwrap();
        symlink("circle", in_place_of_a_lock("circle")).unwrap();
        symlink("/dev/ptmx", in_place_of_a_lock("device")).unwrap();
        for name in ["pipe", "socket", "directory", "link", "circle", "device"] {
            let answer = probe(&in_place_of_a_lock(name)).unwrap();
            assert_eq!(answer, Lock::Absent, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn rights_are_those_of_everything_that_is_passed_and_of_the_file_that_is_open() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let scratch = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(scratch.path()).unwrap();
        let set = |name: &str, mode| {
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(root.join("real/passed")).unwrap();
        let file = root.join("real/libx.so");
        fs::write(&file, "library").unwrap();
        symlink("real/passed/..", root.join("link")).unwrap();
        for (name, mode) in [
            ("real", 0o1777),
            ("real/passed", 0o711),
            ("real/libx.so", 0o604),
        ] {
            set(name, mode);
        }
        let open = File::open(&file).unwrap();
        fs::remove_file(&file).unwrap();
        fs::write(&file, "another").unwrap();
        set("real/libx.so", 0o600);
        let way = rights(&open, &root.join("link/libx.so")).unwrap();
        assert_eq!(way[0].path, Path::new("/"));
        let below: Vec<_> = way
            .iter()
            .filter_map(|it| {
                Some((
                    it.path.strip_prefix(&root).ok()?.to_str()?,
                    it.kind,
                    it.mode,
                ))
            })
            .skip(1)
            .filter(|(name, ..)| *name != "link")
            .collect();
        let expected = [
            ("real", Kind::Directory, 0o1777),
            ("real/passed", Kind::Directory, 0o711),
            ("real/libx.so", Kind::File, 0o604),
        ];
        assert_eq!(
            below, expected,
            "`passed` is on the way, for its name could lead elsewhere"
        );
        let link = way
            .iter()
            .find(|it| it.kind == Kind::Link && it.path == root.join("link"));
        assert!(link.is_some(), "{way:?}");
        let owner = rustix::process::geteuid().as_raw();
        assert!(
            way.iter()
                .filter(|it| it.path.starts_with(&root))
                .all(|it| it.owner == owner)
        );
    }

    #[test]
    fn a_probe_tells_absent_free_shared_and_held_apart_and_leaves_no_lock() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(".cargo-lock");
        assert_eq!(probe(&path).unwrap(), Lock::Absent);
        assert!(!path.exists(), "a probe makes no file");
        let holder = File::create(&path).unwrap();
        assert_eq!(probe(&path).unwrap(), Lock::Free);
        holder.try_lock_shared().unwrap();
        assert_eq!(
            probe(&path).unwrap(),
            Lock::Free,
            "shared holders write no artifact"
        );
        drop(holder);
        let holder = File::open(&path).unwrap();
        // A process that another test is starting has the file open for a moment; the probe has given its lock back.
        wait_until("the end of the lock", || holder.try_lock().is_ok());
        assert_eq!(probe(&path).unwrap(), Lock::Held);
    }
}
