//! How the libraries that an artifact brings along are staged with it, so that all of them are one unit.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::io::{self, Seek};
use std::path::{self, Path, PathBuf};

use replug_plugin::shown::spelled_bytes;

use super::followed::{Followed, flaws};
use super::pulse::Beating;
use super::trusting::Judged;
use super::update::Sibling;
use crate::boundary;
use crate::decide::settle::Proof;
use crate::decide::trouble::{Cause, Class, Reached};
use crate::error::{Distrust, Error};
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::{Files, is_absent};
use crate::look::snapshot::{Kind, Snapshot};
use crate::stage::copies::Stage;
use crate::stage::pen::Writing;
use crate::stage::reading::{self, Terms, Unread, Whole};
use crate::stage::siblings::{Candidate, candidates, directories};
use crate::stage::vet::linkage::Linkage;
use crate::stage::vet::{self, Refusal, Wanted};
use crate::warning::Warning;

/// The most libraries that one artifact can bring along.
pub(crate) const MOST: usize = 64;

/// Why the libraries beside an artifact are not staged with it.
pub(super) enum Ungathered {
    /// They must hold still first.
    Later,
    /// A part of one of them is missing.
    Incomplete(PathBuf, Refusal),
    /// One of them cannot be read, copied or trusted now.
    Failed(Cause, Box<Error>),
    /// One of them, or the way it is needed, cannot be made right.
    Refused(Box<Error>),
}

impl Ungathered {
    fn unread(path: &Path, source: io::Error) -> Ungathered {
        let (cause, path) = (Cause::from(&source).beside(path), path.to_owned());
        Ungathered::Failed(cause, Box::new(Error::Read { path, source }))
    }

    fn unstaged(path: &Path, source: io::Error) -> Ungathered {
        let (cause, path) = (Cause::from(&source).beside(path), path.to_owned());
        Ungathered::Failed(cause, Box::new(Error::Stage { path, source }))
    }

    fn distrusted(path: &Path, source: Distrust) -> Ungathered {
        let cause = Cause::Distrust(source.number()).beside(path);
        let path = path.to_owned();
        Ungathered::Failed(cause, Box::new(Error::Trust { path, source }))
    }

    /// What vet's refusal of a library means for those who need it.
    fn vet(path: &Path, source: Refusal) -> Ungathered {
        let path = path.to_owned();
        match source {
            Refusal::Unreadable(error) => Ungathered::unstaged(&path, error),
            source if source.is_incomplete() => Ungathered::Incomplete(path, source),
            source => Ungathered::Refused(Box::new(Error::Vet { path, source })),
        }
    }
}

/// The libraries beside an artifact, so far.
struct Gathering<S> {
    /// The names that were met.
    met: BTreeSet<String>,
    seen: Vec<(PathBuf, Option<Snapshot>)>,
    siblings: Vec<Sibling<S>>,
    /// The name of a library that has to be loaded from where it is.
    unstaged: Option<String>,
    warnings: Vec<Warning>,
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
            warnings: Vec::new(),
        };
        let mut gathered = Ok(());
        if let Some(soname) = &linkage.soname {
            boundary::note_brought(soname);
        }
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
        self.warn_beside(gathering.warnings);
        self.recovered(Reached::Beside);
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
            let candidates = candidates(needed, &directories);
            if let Some((found, snapshot)) = self.find(needed, candidates, gathering)? {
                self.bring_one(needed, &found, snapshot, next, gathering)?;
            }
        }
        Ok(())
    }

    /// Finds the library that the loader would take at the first of these places, and takes down what is at each. Nothing
    /// is opened, for it may be a pipe or a device; and of a name that the process has itself nothing counts.
    fn find(
        &self,
        needed: &str,
        places: Vec<Candidate>,
        gathering: &mut Gathering<S::Staged>,
    ) -> Result<Option<(Candidate, Snapshot)>, Ungathered> {
        for place in places {
            let look = self.shared.files.look(&place.path);
            if look.as_ref().is_err_and(is_absent) {
                gathering.seen.push((place.path, None));
                continue;
            }
            if boundary::has_itself(needed) {
                return Ok(None);
            }
            let snapshot = look.map_err(|error| Ungathered::unread(&place.path, error))?;
            let seen = snapshot.without(self.artifact.tracker.noise());
            gathering.seen.push((place.path.clone(), Some(seen)));
            if snapshot.kind != Kind::File {
                let (path, kind) = (place.path, snapshot.kind);
                return Err(Ungathered::Refused(Box::new(Error::NotAFile {
                    path,
                    kind,
                })));
            }
            return Ok(Some((place, snapshot)));
        }
        Ok(None)
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
        if gathering.siblings.len() >= MOST {
            return Err(Ungathered::vet(path, Refusal::TooMany(MOST)));
        }
        let (digest, mut staged) = self.copy(path, snapshot)?;
        let rewound = staged.rewind();
        rewound.map_err(|error| Ungathered::unstaged(path, error))?;
        let vetted = vet::vet(&mut staged, Wanted::default());
        let vetted = vetted.and_then(|it| it.check_process(boundary::process_has).map(|()| it));
        let vetted = vetted.map_err(|refusal| Ungathered::vet(path, refusal))?;
        let admitted = self.admit(path, digest);
        let admitted = admitted.map_err(|error| Ungathered::Refused(Box::new(error)))?;
        let flaws = flaws(&vetted).into_iter().filter(|(holds, _)| *holds);
        gathering
            .warnings
            .extend(flaws.map(|(_, warning)| Warning::Beside {
                library: needed.to_owned(),
                warning: Box::new(warning),
            }));
        let mut linkage = vetted.linkage;
        let soname = linkage.soname.take();
        let Some(soname) = soname.filter(|it| it.as_bytes() == needed.as_bytes()) else {
            if candidate.is_relative {
                let refusal = Refusal::Soname(needed.to_owned());
                return Err(Ungathered::vet(&self.artifact.path, refusal));
            }
            // The loader will have it from there, and not as the process's own.
            let _ = CString::new(needed).map(|name| boundary::note_brought(&name));
            gathering.unstaged.get_or_insert_with(|| needed.to_owned());
            return Ok(());
        };
        boundary::note_brought(&soname);
        self.bring(path, &linkage, handed_on, gathering)?;
        gathering.siblings.push(Sibling {
            soname,
            digest,
            signature: admitted.signature,
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
        Err(Ungathered::Refused(Box::new(error)))
    }

    /// Makes a private copy of a library, with looks before and after.
    fn copy(&mut self, path: &Path, snapshot: Snapshot) -> Result<(Digest, S::Staged), Ungathered> {
        self.limit_beside(path, snapshot.size)?;
        let staged = self.shared.stage.create_sized(path, snapshot.size);
        let mut staged = staged.map_err(|error| Ungathered::unstaged(path, error))?;
        let terms = Terms {
            snapshot,
            noise: self.artifact.tracker.noise(),
            asks: self.shared.rules.place.asks(),
            // A helper that somebody keeps open would keep its plugin out.
            proof: Proof::Unasked,
        };
        self.shared.readings_left = self.shared.readings_left.saturating_sub(1);
        let writing = Writing::begin(&mut staged);
        let mut writing = writing.map_err(|error| Ungathered::unstaged(path, error))?;
        let mut copy = Beating::new(&mut writing, &self.shared.pulse);
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
            (Ok(_), Some(refusal)) => Err(Ungathered::vet(path, refusal)),
            (Ok(Whole { digest, .. }), None) => {
                self.shared.digests += 1;
                Ok((digest, staged))
            }
            (Err(Unread::NotAdmitted), _) => Err(match judged.and_then(Judged::into_distrust) {
                Some(distrust) => Ungathered::distrusted(path, distrust),
                None => Ungathered::Later,
            }),
            (Err(Unread::Torn(_) | Unread::Written | Unread::Unproven), _) => {
                Err(Ungathered::Later)
            }
            (Err(Unread::Artifact(error)), _)
                if is_absent(&error) || Class::of(&error) == Class::InUse =>
            {
                Err(Ungathered::Later)
            }
            (Err(Unread::Artifact(error)), _) => Err(Ungathered::unread(path, error)),
            (Err(Unread::Staged(error)), _) => Err(Ungathered::unstaged(path, error)),
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
            signature: None,
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
