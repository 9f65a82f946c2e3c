//! The way to a path: the symbolic links on it, and the directories whose names lead on.
//!
//! A network filesystem's client remembers names, those of directories too. What is believed of a file must have been
//! asked of the server within the same poll, for each name from the root of the mount to the file: a directory that
//! was replaced goes on showing its old files to whoever is led there by an old name. Each link is compared by itself: a
//! swap of one (Kubernetes swaps `..data`) can lead to a file that looks like the file before.

use std::io;
use std::path::{Path, PathBuf};

use super::files::{Files, Names, is_absent};
use super::place::{self, Place};
use super::snapshot::Snapshot;
use crate::options::Options;

/// The way to one path, between two polls.
#[derive(Debug, Default)]
pub(crate) struct Way {
    detour: Option<Box<Detour>>,
    /// The directories to be asked before each look, in the order in which they are walked.
    steps: Vec<Step>,
    /// What made the client ask for names where the path was, when the way was learned.
    learned_for: Option<Option<Names>>,
    /// The device of the directory at the end of the way, since something was found there.
    home: Option<u64>,
    /// Whether the path was ever named by its directory.
    was_named: bool,
}

/// The symbolic links on a way, and the path at the end.
#[derive(Debug)]
struct Detour {
    links: Vec<Link>,
    end: PathBuf,
}

#[derive(Debug)]
struct Link {
    path: PathBuf,
    seen: Snapshot,
    /// The device of the directory that holds the link.
    device: u64,
}

/// A directory whose names lead on, its device, and what makes the client ask for them.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) directory: PathBuf,
    pub(crate) device: u64,
    pub(crate) asked: Names,
    /// Whether the directory was ever named by the one above.
    pub(crate) was_named: bool,
}

/// The directory that holds the name of a path.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

impl Way {
    /// Learns the way to `path`, and returns the path at its end. If `asks_for_all`, the directories to be asked are
    /// those of the whole way; otherwise somebody asks for those of `path` itself, and only the ways behind its links
    /// are added.
    pub(crate) fn learn(
        &mut self,
        path: &Path,
        asks_for_all: bool,
        place: &Place,
        options: &Options,
        files: &impl Files,
    ) -> io::Result<PathBuf> {
        let route = files.route(path)?;
        let mut links = Vec::with_capacity(route.links.len());
        for path in route.links {
            links.push(Link {
                seen: files.look_link(&path)?,
                device: device_above(&path, files)?,
                path,
            });
        }
        let mut steps = Vec::new();
        if place.is_remote() && (asks_for_all || !links.is_empty()) {
            let ends = links.iter().map(|link| &link.path).chain([&route.end]);
            for end in ends {
                add_steps(&mut steps, directory_of(end), options, files)?;
            }
        }
        // While the filesystem is not mounted, there is nobody to ask; the way is learned anew until there is.
        let is_complete = !asks_for_all || !place.is_remote() || !steps.is_empty();
        let end = route.end.clone();
        let detour = Detour { links, end };
        *self = Way {
            detour: (!detour.links.is_empty()).then(|| Box::new(detour)),
            steps,
            learned_for: is_complete.then(|| place.asks()),
            // What was found once is at home there until it is found elsewhere.
            home: self.home,
            was_named: false,
        };
        Ok(route.end)
    }

    /// Whether the way was learned, for a path that is at such a place.
    pub(crate) fn is_learned_for(&self, place: &Place) -> bool {
        self.learned_for == Some(place.asks())
    }

    /// The directories to be asked before a look at the path.
    pub(crate) fn steps(&mut self) -> &mut [Step] {
        &mut self.steps
    }

    /// Whether there are symbolic links on the way.
    pub(crate) fn has_links(&self) -> bool {
        self.detour.is_some()
    }

    /// Whether the path was ever named by its directory, if the names in that directory tell whether it is there.
    ///
    /// They do not on a daemon that is asked by path, which may list what it remembers and find what there is; nor at the
    /// end of a link, which may lead elsewhere by now.
    pub(crate) fn was_named(&mut self) -> Option<&mut bool> {
        let is_listed = |step: &Step| step.asked == Names::ByListing;
        let tells = !self.has_links() && self.steps.last().is_some_and(is_listed);
        tells.then_some(&mut self.was_named)
    }

    /// Forgets the way, because it leads elsewhere now. What was found once stays at home there.
    pub(crate) fn forget(&mut self) {
        *self = Way {
            home: self.home,
            ..Way::default()
        };
    }

    /// The device of the directory at the end of the way to `path`.
    pub(crate) fn device(&self, path: &Path, files: &impl Files) -> io::Result<u64> {
        device_above(self.end(path), files)
    }

    /// The thing at the end of the way was found on this device, and is at home there.
    pub(crate) fn set_home(&mut self, device: u64) {
        self.home = Some(device);
    }

    /// Whether a link on the way to `path` leads elsewhere.
    ///
    /// A daemon may make up the fields of a link anew at each look. So a link that looks different is followed: where
    /// links lead is their content.
    pub(crate) fn has_moved(&mut self, path: &Path, files: &impl Files) -> bool {
        let Some(detour) = &mut self.detour else {
            return false;
        };
        let mut looks_different = false;
        for link in &mut detour.links {
            let seen = files.look_link(&link.path).ok();
            looks_different |= seen != Some(link.seen);
            link.seen = seen.unwrap_or(link.seen);
        }
        if !looks_different {
            return false;
        }
        let leads_there = files.route(path).is_ok_and(|route| {
            let links = detour.links.iter().map(|link| &link.path);
            route.end == detour.end && links.eq(&route.links)
        });
        !leads_there
    }

    /// Whether `path`, which is not found, was on a filesystem that is gone: the nearest directory above that there
    /// still is, is on another device than the directory in which the path was seen.
    pub(crate) fn is_lost(&self, path: &Path, files: &impl Files) -> io::Result<bool> {
        let Some(home) = self.home else {
            return Ok(false);
        };
        for link in self.detour.iter().flat_map(|detour| &detour.links) {
            if device_above(&link.path, files)? != link.device {
                return Ok(true);
            }
            match files.look_link(&link.path) {
                Ok(_) => {}
                // The link itself was removed.
                Err(error) if is_absent(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(device_above(self.end(path), files)? != home)
    }

    fn end<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.detour.as_ref().map_or(path, |detour| &detour.end)
    }
}

/// Adds the directories down to `directory`, from the root of the filesystem that it is on, or will be on.
fn add_steps(
    steps: &mut Vec<Step>,
    directory: &Path,
    options: &Options,
    files: &impl Files,
) -> io::Result<()> {
    let (nearest, device) = nearest_existing(directory, files)?;
    let place = Place::on(place::filesystem(files, nearest), options);
    let Some(names) = place.asks() else {
        return Ok(());
    };
    let mut way = vec![directory];
    if names != Names::ByPath {
        for above in directory.ancestors().skip(1) {
            // A look that fails tells nothing of where the mount begins.
            if !above.starts_with(nearest) && files.look(above)?.device != device {
                break;
            }
            way.push(above);
        }
    }
    for directory in way.into_iter().rev() {
        if steps.iter().all(|step| step.directory != directory) {
            steps.push(Step {
                directory: directory.to_owned(),
                device,
                asked: names,
                was_named: false,
            });
        }
    }
    Ok(())
}

/// The device of the nearest directory above `path` that exists.
pub(crate) fn device_above(path: &Path, files: &impl Files) -> io::Result<u64> {
    nearest_existing(directory_of(path), files).map(|(_, device)| device)
}

/// The nearest of `directory` and those above it that exists, and its device.
fn nearest_existing<'a>(directory: &'a Path, files: &impl Files) -> io::Result<(&'a Path, u64)> {
    let mut directory = directory;
    loop {
        let above = directory_of(directory);
        match files.look(directory) {
            Ok(seen) => return Ok((directory, seen.device)),
            Err(error) if is_absent(&error) && above != directory => directory = above,
            Err(error) => return Err(error),
        }
    }
}
