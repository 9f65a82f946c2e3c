//! The home of what was found at a path: the filesystem that it was on. If the home is gone, so is what was there, and
//! nobody has removed it.

use std::io;
use std::path::{Path, PathBuf};

use super::files::{Files, is_absent};
use super::snapshot::Kind;
use super::way::{Way, device_above};

/// Where something was found.
#[derive(Debug)]
pub(crate) struct Home {
    device: u64,
    /// The symbolic links that led there, each with the device of the directory that holds it, and the path at their
    /// end, if there were any.
    links: Box<[(PathBuf, u64)]>,
    end: Option<PathBuf>,
    /// The device that a file was on which was seen since, at the end of another way that nobody could follow.
    seen_on: Option<u64>,
}

impl Home {
    /// The home of what was found on this device, at the end of a way.
    pub(crate) fn at_the_end_of(way: &Way, device: u64) -> Home {
        let links = way.links().map(|link| (link.path.clone(), link.device));
        Home {
            device,
            links: links.collect(),
            end: way.detour_end().map(Path::to_owned),
            seen_on: None,
        }
    }

    /// Whether this is the home of what is on that device, at the end of that way.
    pub(crate) fn is_at_the_end_of(&self, way: &Way, device: u64) -> bool {
        self.device == device && self.is_of(way)
    }

    /// Whether that way leads to this home.
    fn is_of(&self, way: &Way) -> bool {
        let links = self.links.iter().map(|(path, _)| path);
        links.eq(way.links().map(|link| &link.path)) && self.end.as_deref() == way.detour_end()
    }

    /// Takes down that a file was seen on this device while its home could not be asked for. If that way led to another
    /// home, all that is known of the new one is the device of the file.
    pub(crate) fn note_seen(&mut self, way: &Way, device: u64) {
        if self.seen_on.is_some() || !self.is_of(way) {
            self.seen_on = Some(device);
        }
    }

    /// Whether this is where the file was seen last.
    pub(crate) fn is_current(&self) -> bool {
        self.seen_on.is_none()
    }

    /// Whether the home of something else is on this device too.
    pub(crate) fn is_on_that_of(&self, other: &Home) -> bool {
        self.device == other.device
    }

    /// Whether `path`, where nothing is found now, was on a filesystem that is gone: the nearest directory above that
    /// there still is, is on another device than the directory in which the path was seen.
    pub(crate) fn is_lost(&self, path: &Path, files: &impl Files) -> io::Result<bool> {
        for (link, device) in &self.links {
            if device_above(link, files)? != *device {
                return Ok(true);
            }
            match files.look_link(link) {
                Ok(seen) if seen.kind == Kind::Link => {}
                // The link itself was removed or replaced.
                Ok(_) => return Ok(false),
                Err(error) if is_absent(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if let Some(device) = self.seen_on {
            // A device of the file alone is not always one of a directory: so it was on this one, or on that of before.
            let above = device_above(&files.route(path)?.end, files)?;
            return Ok(above != device && above != self.device);
        }
        let end = self.end.as_deref().unwrap_or(path);
        if device_above(end, files)? == self.device {
            return Ok(false);
        }
        let route = files.route(path)?;
        // A path that leads elsewhere by now says nothing of the filesystem of before.
        let links = self.links.iter().map(|(path, _)| path);
        let leads_there = self.end.as_ref().is_none_or(|end| *end == route.end);
        Ok(leads_there && links.eq(&route.links))
    }
}
