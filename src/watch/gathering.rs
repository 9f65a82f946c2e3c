//! How the libraries that an artifact brings along are staged with it, so that all of them are one unit.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Seek};
use std::path::{self, Path, PathBuf};

use replug_plugin::shown::spelled_bytes;

use super::followed::Followed;
use super::pulse::Beating;
use super::trusting::Judged;
use super::update::Sibling;
use crate::boundary;
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::{Files, is_absent};
use crate::look::snapshot::Snapshot;
use crate::stage::copies::Stage;
use crate::stage::reading::{self, Terms, Unread};
use crate::stage::siblings::{Candidate, candidates, directories};
use crate::stage::vet::linkage::Linkage;
use crate::stage::vet::{self, Refusal, Wanted};
use crate::warning::Warning;

/// The most libraries that one artifact can bring along.
const MOST: usize = 64;

/// Why the libraries beside an artifact are not staged with it.
pub(super) enum Ungathered {
    /// They must hold still first, or be complete.
    Later,
    /// One of them cannot be read.
    Unread(PathBuf, io::Error),
    /// A copy cannot be written.
    Unstaged(io::Error),
    /// Others can change one of them, and trust is strict.
    Distrusted(Judged),
    /// One of them is larger than may be staged.
    Limited(Box<Error>),
    /// One of them, or the way it is needed, cannot be made right.
    Refused(PathBuf, Refusal),
}

/// The libraries beside an artifact, so far.
struct Gathering<S> {
    /// The names that were met.
    met: BTreeSet<String>,
    seen: Vec<(PathBuf, Option<Snapshot>)>,
    siblings: Vec<Sibling<S>>,
    /// The name of a library that has to be loaded from where it is.
    unstaged: Option<String>,
}

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Stages the libraries that the artifact brings along, each after those that it needs itself.
    pub(super) fn gather(
        &mut self,
        linkage: &Linkage,
    ) -> Result<Vec<Sibling<S::Staged>>, Ungathered> {
        let mut gathering = Gathering {
            met: BTreeSet::new(),
            seen: Vec::new(),
            siblings: Vec::new(),
            unstaged: None,
        };
        let mut gathered = Ok(());
        // The working directory is asked for only if there is something to look for.
        if boundary::KNOWS_BY_SONAME && !linkage.search.is_empty() {
            let library = path::absolute(&self.artifact.path);
            let library = library.unwrap_or_else(|_| self.path());
            gathered = self.bring(&library, linkage, &[], &mut gathering);
        }
        let (now, rules) = (self.shared.clock.now(), &self.shared.rules);
        let is_still = self.artifact.beside.sees(now, gathering.seen, rules);
        gathered?;
        if !is_still {
            return Err(Ungathered::Later);
        }
        match gathering.unstaged {
            Some(name) => self.warn(Warning::Unstaged(name)),
            None => self.unwarn(Warning::Unstaged(String::new()).about()),
        }
        Ok(gathering.siblings)
    }

    /// Stages what `library` needs, looking in its own directories and in those that were `handed_on` to it.
    fn bring(
        &mut self,
        library: &Path,
        linkage: &Linkage,
        handed_on: &[Candidate],
        gathering: &mut Gathering<S::Staged>,
    ) -> Result<(), Ungathered> {
        let own = directories(library, linkage);
        // A library with a `DT_RUNPATH` looks nowhere else.
        let handed_on = match linkage.hands_search_on {
            true => handed_on,
            false => &[],
        };
        let directories = [&own[..], handed_on].concat();
        let next = match linkage.hands_search_on {
            true => &directories[..],
            false => &[],
        };
        for needed in &linkage.needed {
            if !gathering.met.insert(needed.clone()) {
                continue;
            }
            for candidate in candidates(needed, &directories) {
                let Some(snapshot) = self.look_beside(&candidate, gathering)? else {
                    continue;
                };
                self.bring_one(needed, &candidate, snapshot, next, gathering)?;
                break;
            }
        }
        Ok(())
    }

    /// Looks for a library at one place, and takes down what is there.
    fn look_beside(
        &mut self,
        candidate: &Candidate,
        gathering: &mut Gathering<S::Staged>,
    ) -> Result<Option<Snapshot>, Ungathered> {
        let look = match self.shared.files.look(&candidate.path) {
            Ok(seen) => Some(seen),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(Ungathered::Unread(candidate.path.clone(), error)),
        };
        let seen = look.map(|seen| seen.without(self.artifact.tracker.noise()));
        gathering.seen.push((candidate.path.clone(), seen));
        Ok(look)
    }

    /// Stages one library, after those that it needs.
    fn bring_one(
        &mut self,
        needed: &str,
        candidate: &Candidate,
        snapshot: Snapshot,
        handed_on: &[Candidate],
        gathering: &mut Gathering<S::Staged>,
    ) -> Result<(), Ungathered> {
        let path = &candidate.path;
        let refused = |refusal| Ungathered::Refused(path.clone(), refusal);
        if gathering.siblings.len() >= MOST {
            return Err(refused(Refusal::TooMany(MOST)));
        }
        let (digest, mut staged) = self.copy(path, snapshot)?;
        staged.rewind().map_err(Ungathered::Unstaged)?;
        let vetted = vet::vet(&mut staged, Wanted::default());
        let vetted = vetted.and_then(|it| it.check_process(boundary::process_has).map(|()| it));
        let mut linkage = match vetted {
            Ok(vetted) => vetted.linkage,
            Err(refusal) if refusal.is_incomplete() => return Err(Ungathered::Later),
            Err(Refusal::Unreadable(error)) => return Err(Ungathered::Unstaged(error)),
            Err(refusal) => return Err(refused(refusal)),
        };
        let soname = linkage.soname.take();
        let Some(soname) = soname.filter(|it| it.as_bytes() == needed.as_bytes()) else {
            if candidate.is_relative {
                return Err(Ungathered::Refused(
                    self.path(),
                    Refusal::Soname(needed.to_owned()),
                ));
            }
            gathering.unstaged.get_or_insert_with(|| needed.to_owned());
            return Ok(());
        };
        self.bring(path, &linkage, handed_on, gathering)?;
        // All of it is mapped by the loader as it likes, so all of it stays.
        self.shared.stage.seal(&mut staged, u64::MAX);
        gathering.siblings.push(Sibling {
            soname,
            digest,
            unique: linkage.unique,
            staged,
        });
        Ok(())
    }

    /// Refuses a library that is too large, as an artifact would be.
    fn limit_beside(&self, path: &Path, size: u64) -> Result<(), Ungathered> {
        let path = || path.to_owned();
        let allowed = self.shared.rules.options.max_size;
        let error = match self.shared.stage.largest_copy() {
            _ if size > allowed => Error::TooLarge {
                path: path(),
                size,
                limit: allowed,
            },
            Some(limit) if size > limit => Error::FileLimit {
                path: path(),
                size,
                limit,
            },
            _ => return Ok(()),
        };
        Err(Ungathered::Limited(Box::new(error)))
    }

    /// Makes a private copy of a library, with looks before and after.
    fn copy(&mut self, path: &Path, snapshot: Snapshot) -> Result<(Digest, S::Staged), Ungathered> {
        self.limit_beside(path, snapshot.size)?;
        let staged = self.shared.stage.create_sized(path, snapshot.size);
        let mut staged = staged.map_err(Ungathered::Unstaged)?;
        let terms = Terms {
            snapshot,
            noise: self.artifact.tracker.noise(),
            asks: self.shared.rules.place.asks(),
        };
        self.shared.readings_left = self.shared.readings_left.saturating_sub(1);
        let mut copy = Beating::new(&mut staged, &self.shared.pulse);
        let mut judged = None;
        let trust = self.shared.rules.options.trust;
        let admits = |library: &F::Artifact| {
            let judged = judged.insert(Judged::of(&self.shared.files, library, path, trust)?);
            Ok(!judged.is_refused())
        };
        let mut refusal = None;
        let mut is_worth_it = |head: &[u8]| {
            refusal = vet::judge_head(head).err();
            refusal.is_none()
        };
        let files = &self.shared.files;
        let read = reading::read(files, path, terms, admits, &mut copy, &mut is_worth_it);
        if let Some(judged) = judged.as_ref().filter(|it| !it.is_refused()) {
            self.warn_of_distrust(judged);
        }
        match (read, refusal) {
            (Ok(_), Some(refusal)) if refusal.is_incomplete() => Err(Ungathered::Later),
            (Ok(_), Some(refusal)) => Err(Ungathered::Refused(path.to_owned(), refusal)),
            (Ok(digest), None) => {
                self.shared.digests += 1;
                Ok((digest, staged))
            }
            (Err(Unread::NotAdmitted), _) => {
                Err(Ungathered::Distrusted(judged.unwrap_or_default()))
            }
            (Err(Unread::Torn(_)), _) => Err(Ungathered::Later),
            (Err(Unread::Artifact(error)), _) if is_absent(&error) => Err(Ungathered::Later),
            (Err(Unread::Artifact(error)), _) => Err(Ungathered::Unread(path.to_owned(), error)),
            (Err(Unread::Staged(error)), _) => Err(Ungathered::Unstaged(error)),
        }
    }
}

/// The digest of an artifact together with the libraries that it brings along: of a text that begins with the
/// artifact's own digest, and goes on with a line `DIGEST  NAME` for each library, in the order of their names, as
/// `sha256sum` prints them. An artifact that brings nothing along keeps its own digest.
pub(super) fn unit_digest<S>(artifact: Digest, siblings: &[Sibling<S>]) -> Digest {
    if siblings.is_empty() {
        return artifact;
    }
    let line = |it: &Sibling<S>| (spelled_bytes(it.soname.to_bytes()).into_owned(), it.digest);
    let lines: BTreeMap<String, Digest> = siblings.iter().map(line).collect();
    let mut text = format!("{artifact}\n");
    for (name, digest) in lines {
        text += &format!("{digest}  {name}\n");
    }
    Digest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling(name: &str, content: &str) -> Sibling<()> {
        Sibling {
            soname: std::ffi::CString::new(name).unwrap(),
            digest: Digest::of(content.as_bytes()),
            unique: Vec::new(),
            staged: (),
        }
    }

    #[test]
    fn a_unit_is_known_by_all_its_digests_and_a_single_library_by_its_own() {
        let artifact = Digest::of(b"plugin");
        assert_eq!(unit_digest::<()>(artifact, &[]), artifact);
        let (one, two) = (|| sibling("libone.so", "1"), || sibling("libtwo.so", "2"));
        let text = format!(
            "{artifact}\n{}  libone.so\n{}  libtwo.so\n",
            Digest::of(b"1"),
            Digest::of(b"2")
        );
        let unit = unit_digest(artifact, &[two(), one()]);
        assert_eq!(unit, Digest::of(text.as_bytes()));
        assert_ne!(
            unit,
            unit_digest(artifact, &[one(), sibling("libtwo.so", "3")])
        );
        assert_ne!(unit, unit_digest(artifact, &[one()]));
    }
}
