//! How a build comes back out of the store: copied into the stage, compared with its digest, and through the same checks as
//! every update.

use std::ffi::CString;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::artifact::Artifact;
use super::followed::Followed;
use super::shared::Shared;
use super::update::{Ready, Sibling};
use crate::admission::{Admitted, Claim};
use crate::boundary;
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::digest::{Digest, Digester};
use crate::look::files::Files;
use crate::look::text;
use crate::stage::copies::Stage;
use crate::stage::pen::{Pen, PrivateCopy as _, Writing};
use crate::stage::vet::{self, Wanted};
use crate::store::{Build, StoreError};

impl<F: Files, S: Stage, C: Clock> Shared<F, S, C> {
    /// Makes a build of the store ready to be loaded.
    ///
    /// # Errors
    ///
    /// If a copy is not there or is another one, or the build does not pass the checks of today.
    pub(super) fn bring_back(&mut self, build: &Build) -> Result<Ready<S::Staged>, Error> {
        let path: Arc<Path> = build.artifact.as_path().into();
        let failed = |source| Error::Back {
            path: path.to_path_buf(),
            source,
        };
        let first_seen = self.clock.now();
        let parts = self.parts_of(build).map_err(failed)?;
        let mut siblings = Vec::new();
        for along in parts.along {
            let mut staged = self.take_out(build, along.digest)?;
            let vetted = vet::vet(&mut staged, Wanted::default())
                .and_then(|it| it.check_process(boundary::process_has).map(|()| it));
            let vetted = vetted.map_err(|source| Error::Vet {
                path: path.to_path_buf(),
                source,
            })?;
            staged.seal(u64::MAX, &Pen::new());
            let soname = CString::new(along.soname).unwrap_or_default();
            boundary::note_brought(&soname);
            siblings.push(Sibling {
                soname,
                digest: along.digest,
                // It is in the store already.
                signature: None,
                unique: vetted.linkage.unique,
                staged,
            });
        }
        let mut staged = self.take_out(build, parts.own)?;
        // No look at the artifact's file plays a part.
        let mut artifact = Artifact::named(Arc::clone(&path));
        let followed = Followed {
            artifact: &mut artifact,
            shared: self,
        };
        let vetted = followed.judge(&mut staged).map_err(|source| Error::Vet {
            path: path.to_path_buf(),
            source,
        })?;
        followed
            .shake_hands(&vetted)
            .map_err(|source| Error::Handshake {
                path: path.to_path_buf(),
                source,
            })?;
        let along: Vec<_> = siblings.iter().map(|it| it.digest).collect();
        for digest in along {
            self.admit_kept(&path, digest)?;
        }
        let admitted = self.admit_kept(&path, parts.own)?;
        let comment = admitted.signature.map(|it| it.comment);
        staged.seal(vetted.mapped, &Pen::new());
        Ok(Ready {
            digest: build.digest,
            staged,
            first_seen,
            own: parts.own,
            unique: vetted.linkage.unique,
            allows_unique: self.rules.options.allow_unique,
            siblings,
            is_kept: true,
            // Whatever is live: somebody goes back, or nothing better is there.
            claim: Claim::new(comment, true, &self.standings).into(),
        })
    }

    fn parts_of(&self, build: &Build) -> Result<crate::store::Parts, StoreError> {
        let store = self.open_store().ok_or(StoreError::NoStore)?;
        let past = store.history().get(build);
        let parts = past.and_then(|past| past.parts().cloned());
        parts.ok_or_else(|| StoreError::Gone {
            path: store.path().to_owned(),
            digest: build.digest,
        })
    }

    /// Copies what has this digest into the stage. A copy that is another one leaves the store.
    fn take_out(&mut self, build: &Build, digest: Digest) -> Result<S::Staged, Error> {
        let path = &build.artifact;
        let unstaged = |source| Error::Stage {
            path: path.clone(),
            source,
        };
        let back = |source| Error::Back {
            path: path.clone(),
            source,
        };
        let store = self.open_store().ok_or_else(|| back(StoreError::NoStore))?;
        let store_path = store.path().to_owned();
        let unread = |source| {
            back(StoreError::Files {
                path: store_path.clone(),
                source,
            })
        };
        let (mut file, size) = store.open_copy(digest).map_err(unread)?;
        if let Some(limit) = self.stage.largest_copy().filter(|limit| size > *limit) {
            let path = path.clone();
            return Err(Error::FileLimit { path, size, limit });
        }
        let mut staged = self.stage.create_sized(path, size).map_err(unstaged)?;
        let mut writing = Writing::begin(&mut staged).map_err(unstaged)?;
        let mut digester = Digester::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unread(error)),
            };
            self.pulse.beat();
            digester.update(read);
            writing.write_all(read).map_err(unstaged)?;
        }
        writing.flush().map_err(unstaged)?;
        if digester.finish() != digest {
            self.let_go(build);
            return Err(back(StoreError::Damaged {
                path: store_path.clone(),
                digest,
            }));
        }
        staged.rewind().map_err(unstaged)?;
        Ok(staged)
    }

    /// Asks the checks of a person about a copy. Its signature is the one that was kept with it.
    fn admit_kept(&self, path: &Path, digest: Digest) -> Result<Admitted, Error> {
        let checks = &self.rules.options.checks;
        let signature = checks.signature_of(path);
        let texts = |asked: &Path| match (self.open_store(), &signature) {
            (Some(store), Some(signature)) if asked == signature => store.signature(digest),
            _ => text::read(&self.files, asked),
        };
        let asked = checks.ask(path, digest, &texts);
        asked.map_err(|source| Error::Admission {
            path: path.to_owned(),
            source,
        })
    }
}
