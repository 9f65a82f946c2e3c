//! Admission: who may run, as a person says. A build is asked about once all else is known to be right with it. Touches
//! nothing: texts are read by whoever asks.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use replug_plugin::HookError;

pub(crate) use self::list::Texts;
pub(crate) use self::standing::{Claim, Signed, Standings, follows};
use crate::look::digest::Digest;

// The two ways of saying so without a program.
mod list;
#[cfg(feature = "signatures")]
mod signature;
// What is live already.
mod standing;

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

/// By what a build was admitted.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// Its signature, if one is required.
    pub(crate) signature: Option<Signed>,
}

impl Admitted {
    pub(crate) fn comment(&self) -> Option<&str> {
        self.signature.as_ref().map(|it| it.comment.as_str())
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
    /// Whether a build may be older than what is live.
    allows_downgrade: bool,
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

    /// Whether anything is asked at all.
    pub(crate) fn is_none(&self) -> bool {
        #[cfg(feature = "signatures")]
        let has_keys = !self.keys.is_empty();
        #[cfg(not(feature = "signatures"))]
        let has_keys = false;
        self.lists.is_empty() && self.own.is_empty() && !has_keys
    }

    /// Says whether a build may be older than what is live, by its signature.
    #[cfg(feature = "signatures")]
    pub(crate) fn allow_downgrade(&mut self, allow: bool) {
        self.allows_downgrade = allow;
    }

    /// Whether a build may be older than what is live.
    pub(crate) fn allows_downgrade(&self) -> bool {
        self.allows_downgrade
    }

    /// What a signature says of its build, for one that was found to be right before.
    pub(crate) fn comment_of(&self, signature: &str) -> Option<String> {
        #[cfg(feature = "signatures")]
        return (!self.keys.is_empty())
            .then(|| signature::comment(signature))
            .flatten();
        #[cfg(not(feature = "signatures"))]
        return {
            let _ = signature;
            None
        };
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
    ) -> Result<Admitted, HookError> {
        for list in &self.lists {
            list::check(list, digest, texts)?;
        }
        #[cfg(feature = "signatures")]
        let signature = signature::check(&self.keys, path, digest, texts)?;
        #[cfg(not(feature = "signatures"))]
        let signature = None;
        let admitted = Admitted { signature };
        let applicant = Applicant {
            path,
            digest,
            comment: admitted.comment(),
        };
        // A check that panics refuses, and the watch goes on.
        self.own.iter().try_for_each(|check| {
            let asked = panic::catch_unwind(AssertUnwindSafe(|| check(&applicant)));
            asked.unwrap_or_else(|_| Err("the check panicked".into()))
        })?;
        Ok(admitted)
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").finish_non_exhaustive()
    }
}
