//! The way to a path: the symbolic links on it, and the directories whose names lead on.
//!
//! A network filesystem's client remembers names, those of directories too. What is believed of a file must have been
//! asked of the server within the same poll, for each name from the root of the mount to the file: a directory that
//! was replaced goes on showing its old files to whoever is led there by an old name. Each link is compared by itself: a
//! swap of one (Kubernetes swaps `..data`) can lead to a file that looks like the file before.

use std::io;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::time::Instant;

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
    /// The device of the nearest directory above the end of the way that there was then, if anybody is asked.
    device: Option<u64>,
    /// Whether the path was ever named by its directory.
    was_named: bool,
}

/// The symbolic links on a way, and the path at the end.
#[derive(Debug)]
struct Detour {
    links: Vec<Link>,
    end: PathBuf,
}

/// A symbolic link on a way.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) path: PathBuf,
    /// The device of the directory that holds the link.
    pub(crate) device: u64,
    /// Whether the client is asked for the name of the link before each look at it.
    is_asked: bool,
    seen: Snapshot,
}

/// A directory whose names lead on, its device, and what makes the client ask for them.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) directory: PathBuf,
    pub(crate) device: u64,
    pub(crate) asked: Names,
    /// How many links lie before the directory: where they lead elsewhere by now, it is not asked.
    pub(crate) behind: usize,
    /// Whether the directory is the root of its mount, as far as was seen: should it be gone, nothing on the way to it was
    /// asked for.
    pub(crate) is_root: bool,
    /// Whether the directory was ever named by the one above.
    pub(crate) was_named: bool,
    /// What the last look said, and how many names there were when they were read last.
    seen: Option<Snapshot>,
    pub(crate) names: usize,
    /// When to ask for the names once more, because changes within one tick of the server's clock leave one look.
    confirm_at: Option<Instant>,
    /// Whether the names could not be read when they had to be.
    is_unread: bool,
}

impl Step {
    /// Whether the names in the directory, which looks like `seen`, need not be read once more: reading them takes long,
    /// and nothing says that they have changed.
    pub(crate) fn can_rest(&self, seen: &Snapshot) -> bool {
        /// More names than a directory on the way to a library has, unless something else is kept there.
        const MANY: usize = 1000;
        self.names > MANY && self.seen == Some(*seen)
    }

    /// Takes down that the names could not be read when they had to be, so that they are read once more.
    pub(crate) fn note_unread(&mut self) {
        self.is_unread = true;
    }

    /// Takes down that nobody lets us read the names, which are asked for once more after a tick.
    pub(crate) fn note_refused(&mut self, now: Instant) {
        self.confirm_at = self.seen.map(|seen| now + seen.racy_for());
    }

    /// Whether this is the first look of all, or the first one after the tick in which the directory changed last, or
    /// after the names could not be read.
    ///
    /// Should a name have come within the tick, after the client asked for the name in vain, the client believes that
    /// there is none for as long as the directory looks the same. Only reading all names shows it that there is.
    pub(crate) fn is_tick_over(&mut self, seen: Snapshot, now: Instant) -> bool {
        let before = self.seen.replace(seen);
        let tick = now + seen.racy_for();
        if before.is_none_or(|it| (it.modified, it.changed) != (seen.modified, seen.changed)) {
            self.confirm_at = Some(tick);
        } else if before != Some(seen) {
            // Numbers that are made up at each look must not put it off for ever.
            self.confirm_at.get_or_insert(tick);
        }
        let was_unread = std::mem::take(&mut self.is_unread);
        let is_over = self.confirm_at.take_if(|at| now >= *at).is_some();
        before.is_none() || was_unread || is_over
    }
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
                is_asked: false,
                path,
            });
        }
        let (mut steps, mut device) = (Vec::new(), None);
        // A link can lead from one filesystem to another, and only some of them are remote.
        if asks_for_all && place.is_remote() || !links.is_empty() {
            let ends = links.iter().map(|link| &link.path).chain([&route.end]);
            for (behind, end) in ends.enumerate() {
                let above = directory_of(end);
                device = Some(add_steps(&mut steps, behind, above, options, files)?);
            }
        }
        for link in &mut links {
            let above = directory_of(&link.path);
            let mut listed = steps.iter().filter(|step| step.asked == Names::ByListing);
            link.is_asked = listed.any(|step| step.directory == above);
        }
        // While the filesystem is not mounted, there is nobody to ask; the way is learned anew until there is. But above the
        // root of a mount, there never is.
        let asks_somebody = !steps.is_empty() || is_root_of_a_mount(&route.end, files);
        let is_complete = !asks_for_all || !place.is_remote() || asks_somebody;
        let end = route.end.clone();
        let detour = Detour { links, end };
        *self = Way {
            detour: (!detour.links.is_empty()).then(|| Box::new(detour)),
            steps,
            learned_for: is_complete.then(|| place.asks()),
            device,
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

    /// The symbolic links on the way, in the order in which they are met.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.detour.iter().flat_map(|detour| &detour.links)
    }

    /// Whether there are symbolic links on the way.
    pub(crate) fn has_links(&self) -> bool {
        self.detour.is_some()
    }

    /// The path to which the links lead, if there are any.
    pub(crate) fn detour_end(&self) -> Option<&Path> {
        self.detour.as_ref().map(|detour| detour.end.as_path())
    }

    /// The path at the end of the way to `path`.
    pub(crate) fn end<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.detour_end().unwrap_or(path)
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

    /// Forgets the way, because it leads elsewhere now.
    pub(crate) fn forget(&mut self) {
        *self = Way::default();
    }

    /// Forgets the way if the nearest directory above its end is on another `device` than it was: of a filesystem whose
    /// client remembers no names nothing is asked, so nothing else shows that another one took its place.
    pub(crate) fn forget_unless_on(&mut self, device: u64) {
        if self.device.is_some_and(|before| before != device) {
            self.forget();
        }
    }

    /// Whether one of these links on the way to `path` leads elsewhere, by their numbers from 0.
    ///
    /// A daemon may make up the fields of a link anew at each look. So a link that looks different is followed: where
    /// links lead is their content.
    ///
    /// # Errors
    ///
    /// If nobody says what a link is, or where it leads: that is no turn, and the way stays as it was.
    pub(crate) fn has_moved(
        &mut self,
        path: &Path,
        numbers: impl RangeBounds<usize>,
        files: &impl Files,
    ) -> io::Result<bool> {
        let Some(detour) = &mut self.detour else {
            return Ok(false);
        };
        let mut different = Vec::new();
        for (number, link) in detour.links.iter().enumerate() {
            if numbers.contains(&number) {
                if link.is_asked {
                    files.ask_for_name(&link.path);
                }
                match files.look_link(&link.path) {
                    Ok(seen) if seen == link.seen => {}
                    Ok(seen) => different.push((number, seen)),
                    Err(error) if is_absent(&error) => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
        }
        if different.is_empty() {
            return Ok(false);
        }
        let route = files.route(path)?;
        for (number, seen) in different {
            detour.links[number].seen = seen;
        }
        let links = detour.links.iter().map(|link| &link.path);
        Ok(route.end != detour.end || !links.eq(&route.links))
    }
}

/// Adds the directories down to `directory`, from the root of the filesystem that it is on, or will be on. Returns the
/// device of that filesystem.
fn add_steps(
    steps: &mut Vec<Step>,
    behind: usize,
    directory: &Path,
    options: &Options,
    files: &impl Files,
) -> io::Result<u64> {
    let (nearest, device) = nearest_existing(directory, files)?;
    let place = Place::on(place::filesystem(files, nearest), options);
    let Some(names) = place.asks() else {
        return Ok(device);
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
    for (below, directory) in way.into_iter().rev().enumerate() {
        if steps.iter().all(|step| step.directory != directory) {
            steps.push(Step {
                directory: directory.to_owned(),
                device,
                asked: names,
                behind,
                is_root: names != Names::ByPath && below == 0,
                was_named: false,
                seen: None,
                names: 0,
                confirm_at: None,
                is_unread: false,
            });
        }
    }
    Ok(device)
}

/// Whether `path` is the root of its mount: all above is on another device, before it is looked at and after. The mount may
/// come or go in between, and a directory below its root is no root.
fn is_root_of_a_mount(path: &Path, files: &impl Files) -> bool {
    let above = device_above(path, files);
    let seen = files.look(path);
    let is_other = |above: u64| seen.as_ref().is_ok_and(|seen| above != seen.device);
    above.is_ok_and(is_other) && device_above(path, files).is_ok_and(is_other)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::look::snapshot::{Kind, Stamp};

    /// A directory that changed last at this second of a clock that knows only seconds.
    fn seen(seconds: i64) -> Snapshot {
        let second = Stamp {
            seconds,
            nanoseconds: 0,
        };
        Snapshot {
            kind: Kind::Directory,
            device: 1,
            mount: 1,
            inode: 1,
            links: 2,
            size: 4096,
            modified: second,
            changed: second,
            born: None,
        }
    }

    fn step() -> Step {
        Step {
            directory: PathBuf::from("d"),
            device: 1,
            asked: Names::ByLook,
            behind: 0,
            names: 0,
            is_root: false,
            was_named: false,
            seen: None,
            confirm_at: None,
            is_unread: false,
        }
    }

    #[test]
    fn numbers_made_up_at_each_look_do_not_put_off_the_end_of_a_tick() {
        let start = Instant::now();
        let mut step = step();
        let over = (0..20u64).filter(|look| {
            let inode = 100 + look;
            let now = start + Duration::from_millis(250 * look);
            step.is_tick_over(Snapshot { inode, ..seen(1) }, now)
        });
        // The first look of all, and then the end of each tick of a little more than two seconds.
        assert_eq!(over.collect::<Vec<_>>(), [0, 9, 19]);
    }

    #[test]
    fn a_directory_that_changed_is_read_once_when_its_tick_is_over() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut step = step();
        for (now, seconds, is_over) in [
            (0, 1, true),
            (250, 1, false),
            (1_000, 2, false),
            (3_000, 2, false),
            (3_250, 2, true),
            (3_500, 2, false),
            (60_000, 2, false),
        ] {
            let said = step.is_tick_over(seen(seconds), at(now));
            assert_eq!(said, is_over, "after {now} ms");
        }
        // Names that could not be read are read at once, and all the same once more when the tick is over.
        for (now, is_over) in [
            (70_000, false),
            (70_250, true),
            (72_250, true),
            // Who may not read them asks again after a tick.
            (72_500, false),
            (74_750, true),
            (76_750, false),
        ] {
            let said = step.is_tick_over(seen(3), at(now));
            assert_eq!(said, is_over, "after {now} ms");
            if now == 70_000 {
                step.note_unread();
            }
            if now == 72_250 {
                step.note_refused(at(now));
            }
        }
    }
}
