//! Admission: who may run, as a person says. A build is asked about once all else is known to be right with it. Touches
//! nothing: texts are read by whoever asks.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use replug_plugin::HookError;

pub(crate) use self::list::Texts;
use crate::look::digest::Digest;

// The two ways of saying so without a program.
mod list;
#[cfg(feature = "signatures")]
mod signature;

#[cfg(feature = "signatures")]
pub use self::signature::NoKey;

/// A build that asks to run: a plugin, or a library that a plugin brings along.
#[derive(Debug)]
pub struct Applicant<'a> {
    path: &'a Path,
    digest: Digest,
    comment: Option<&'a str>,
}

impl<'a> Applicant<'a> {
    /// The path of the library.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// The SHA-256 of exactly the bytes that would run.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the signature says of the build, in the words of whoever has signed it: the trusted comment. `None` if no signature is
    /// [required](crate::Options::require_signature).
    pub fn comment(&self) -> Option<&'a str> {
        self.comment
    }
}

/// A check of a person's own.
type Check = dyn Fn(&Applicant<'_>) -> Result<(), HookError> + Send + Sync;

/// The checks that a build must pass, all of them.
#[derive(Clone, Default)]
pub(crate) struct Checks {
    lists: Vec<PathBuf>,
    #[cfg(feature = "signatures")]
    keys: Vec<signature::Key>,
    own: Vec<Arc<Check>>,
}

impl Checks {
    /// Adds a check of a person's own.
    pub(crate) fn add(
        &mut self,
        check: impl Fn(&Applicant<'_>) -> Result<(), HookError> + Send + Sync + 'static,
    ) {
        self.own.push(Arc::new(check));
    }

    /// Adds the check that the digest stands in a file.
    pub(crate) fn add_list(&mut self, list: PathBuf) {
        // A plugin that changes the working directory must not lead to another list.
        let list = path::absolute(&list).unwrap_or(list);
        self.lists.push(list);
    }

    /// Adds a key: a build must be signed with one of the keys.
    #[cfg(feature = "signatures")]
    pub(crate) fn add_key(&mut self, key: &str) -> Result<(), NoKey> {
        self.keys.push(key.parse()?);
        Ok(())
    }

    /// The place of a library's signature, if signatures are asked for.
    pub(crate) fn signature_of(&self, library: &Path) -> Option<PathBuf> {
        #[cfg(feature = "signatures")]
        return (!self.keys.is_empty()).then(|| signature::place(library));
        #[cfg(not(feature = "signatures"))]
        return {
            let _ = library;
            None
        };
    }

    /// Asks each check about the bytes of a library.
    pub(crate) fn ask(
        &self,
        path: &Path,
        digest: Digest,
        texts: Texts<'_>,
    ) -> Result<(), HookError> {
        for list in &self.lists {
            list::check(list, digest, texts)?;
        }
        #[cfg(feature = "signatures")]
        let comment = signature::check(&self.keys, path, digest, texts)?;
        #[cfg(not(feature = "signatures"))]
        let comment: Option<String> = None;
        let applicant = Applicant {
            path,
            digest,
            comment: comment.as_deref(),
        };
        // A check that panics refuses, and the watch goes on.
        self.own.iter().try_for_each(|check| {
            let asked = panic::catch_unwind(AssertUnwindSafe(|| check(&applicant)));
            asked.unwrap_or_else(|_| Err("the check panicked".into()))
        })
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").finish_non_exhaustive()
    }
}
