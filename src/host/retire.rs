//! The way out of use for a generation: it is stopped when nobody calls it any more, and unmapped if that is wanted
//! and proven to be safe.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use replug_plugin::CallError;

use super::build::Build;
use super::company;
use super::outcome::Retired;
use crate::boundary::{BoundHooks, Image, Mapped};

/// The choice of what becomes of the image of a retired generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unload {
    /// The image stays mapped, about 0.4 MB for a library of half a megabyte, and whatever reaches the image still
    /// works. The generation's staged copy leaves the disk.
    #[default]
    Never,
    /// The image is unmapped as soon as nothing can reach it any more: no call or handle lends it, no thread that it
    /// started runs, no thread of the host has thread-locals of it, it never handled a signal, and it uses nothing else
    /// by which libc, the kernel or another library keeps pointers into it. Then the loader is asked whether the image
    /// is gone.
    ///
    /// When a generation is retired, the owner thread drops its thread-locals of the image, and so does the thread of
    /// each [`Caller`](crate::Caller) when the caller notices. Only for plugins made with
    /// [`export!`](crate::export!), on Linux with glibc on x86-64, and on aarch64 from glibc 2.39 on; all other images
    /// stay mapped, and [`Retired::mapped`] says why. Pointers that a plugin gave away in other ways, such as a callback
    /// that it registered in a library of the host which it found by name, are not seen; `docs/contract.md` has the list.
    WhenProven,
}

/// A retired generation that is still to be stopped or unmapped.
#[derive(Debug)]
struct Leftover {
    /// The build, which has a number unless it was loaded and never became a generation.
    build: Build,
    /// The hooks, until the generation is stopped.
    hooks: Option<BoundHooks>,
    image: Arc<Image>,
}

/// The retired generations of a host that cannot be stopped or unmapped yet.
#[derive(Debug, Default)]
pub(super) struct Leftovers(VecDeque<Leftover>);

impl Leftovers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a generation out of use: stops it, and unmaps its image, if that is wanted and possible. While a handle
    /// lends it, it is not stopped yet.
    pub(super) fn retire(
        &mut self,
        build: Build,
        hooks: Option<BoundHooks>,
        image: Arc<Image>,
    ) -> Retired {
        let mut leftover = Leftover {
            build,
            hooks,
            image,
        };
        let retired = leftover.finish();
        leftover.note(&retired);
        if leftover.is_worth_keeping(retired.mapped.as_ref()) {
            self.0.push_back(leftover);
        }
        retired
    }

    /// Keeps the image of a build that was kept out after it was loaded, until it can go.
    pub(super) fn dispose(&mut self, build: Build, image: Arc<Image>) {
        let mut leftover = Leftover {
            build,
            hooks: None,
            image,
        };
        let Err(mapped) = leftover.release() else {
            return;
        };
        let build = &leftover.build;
        tracing::warn!(
            artifact = %build.artifact(),
            digest = %build.digest,
            "a build that was kept out is {mapped}"
        );
        if leftover.is_worth_keeping(Some(&mapped)) {
            self.0.push_back(leftover);
        }
    }

    /// Goes on with each leftover, until there is something to tell.
    pub(super) fn sweep(&mut self) -> Option<Retired> {
        for _ in 0..self.0.len() {
            let mut leftover = self.0.pop_front()?;
            let was_live = leftover.build.generation.is_some();
            let was_stopped = leftover.hooks.is_none();
            let retired = leftover.finish();
            let is_stopped = leftover.hooks.is_none();
            let is_over = !leftover.is_worth_keeping(retired.mapped.as_ref());
            let is_news = was_live && (is_over || is_stopped != was_stopped);
            if is_news {
                leftover.note(&retired);
            }
            if !is_over {
                self.0.push_back(leftover);
            }
            if is_news {
                return Some(retired);
            }
        }
        None
    }

    /// Gives the leftovers up, because nobody will ask again: a generation that is still lent is stopped all the same,
    /// and an image that can be unmapped is unmapped.
    pub(super) fn abandon(&mut self) {
        for mut leftover in mem::take(&mut self.0) {
            leftover.stop();
            if let Err(mapped) = leftover.release() {
                let build = &leftover.build;
                tracing::debug!(
                    artifact = %build.artifact(),
                    generation = build.generation,
                    digest = %build.digest,
                    "the host is dropped, and its image is {mapped}"
                );
            }
        }
    }
}

impl Leftover {
    /// Stops the generation and lets go of its image, as far as that can be done now.
    fn finish(&mut self) -> Retired {
        let mut retired = Retired {
            generation: self.build.generation.unwrap_or_default(),
            mapped: Some(Mapped::Lent),
            stop: None,
        };
        if Arc::get_mut(&mut self.image).is_some() && !self.image.has_futures() {
            retired.stop = self.stop();
            retired.mapped = self.release().err();
        }
        retired
    }

    /// Notes in the log what became of a generation.
    fn note(&self, retired: &Retired) {
        let build = &self.build;
        tracing::debug!(
            artifact = %build.artifact(),
            generation = build.generation,
            digest = %build.digest,
            "{retired}"
        );
    }

    /// Unmaps the image, if that is wanted and possible.
    fn release(&mut self) -> Result<(), Mapped> {
        if !self.image.is_to_go() {
            return Err(self.image.running_threads().unwrap_or(self.image.kept()));
        }
        let image = Arc::get_mut(&mut self.image).ok_or(Mapped::Lent)?;
        // Nobody lends the image, so no call of this thread is in it.
        image.leave();
        let id = image.id();
        image.unmap()?;
        company::forget(id);
        Ok(())
    }

    /// Whether there is more to be done later, if the image is still `mapped` for this reason.
    fn is_worth_keeping(&self, mapped: Option<&Mapped>) -> bool {
        match mapped {
            Some(Mapped::Lent) => true,
            Some(mapped) => self.image.is_to_go() && mapped.can_pass(),
            None => false,
        }
    }

    /// Runs the generation's `stop`, once.
    fn stop(&mut self) -> Option<CallError> {
        let error = self.hooks.take()?.stop().err()?;
        let build = &self.build;
        tracing::warn!(
            artifact = %build.artifact(),
            generation = build.generation,
            digest = %build.digest,
            %error,
            "a retired generation did not stop"
        );
        Some(error)
    }
}
