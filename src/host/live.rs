//! The live generation: the image and the copy behind the functions that are called.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use super::build::Build;
use crate::admission::Claim;
use crate::boundary::{BoundHooks, Image, Watched};
use crate::look::digest::Digest;
use crate::stage::copies::Staged;
use crate::watch::update::Sibling;

/// The live generation, beside its functions.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) hooks: Option<BoundHooks>,
    /// The image. It counts as in use, for the ceiling on thread-local keys, until this generation is retired.
    pub(super) image: Arc<Image>,
    pub(super) staged: Staged,
    /// The copies of the libraries that came along: whoever prints a backtrace looks into them.
    pub(super) _siblings: Vec<Sibling>,
    /// Where its code is, for whoever is to know what has ended the process.
    pub(super) _watched: Option<Watched>,
    /// What its signature says of it.
    pub(super) claim: Box<Claim>,
    pub(super) generation: u64,
    pub(super) build: Build,
    /// The digest of the library alone, whatever came along.
    #[cfg(feature = "testing")]
    pub(super) own: Digest,
}

/// The live generation of a plugin.
#[derive(Debug)]
pub struct Plugin<'a, T> {
    pub(super) table: &'a T,
    pub(super) live: &'a Live,
}

impl<T> Plugin<'_, T> {
    /// The number of successful loads up to this generation; the first is 1.
    pub fn generation(&self) -> u64 {
        self.live.generation
    }

    /// The digest of the generation's bytes.
    pub fn digest(&self) -> Digest {
        self.live.build.digest
    }

    /// The digest of the library alone, whatever it brings along.
    #[cfg(feature = "testing")]
    pub(crate) fn own_digest(&self) -> Digest {
        self.live.own
    }

    /// The private copy that was loaded.
    pub fn staged(&self) -> &Path {
        self.live.staged.path()
    }
}

impl<T> Deref for Plugin<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.table
    }
}
