//! An artifact while it is followed, and how something is said of it: each failure once, and its end.

use std::path::PathBuf;

use replug_plugin::shown::shown;

use super::artifact::Artifact;
use super::shared::Shared;
use super::update::News;
use crate::decide::trouble::{Cause, Reached, Trouble};
use crate::error::{Error, chain};
use crate::look::clock::Clock;
use crate::look::files::Files;
use crate::stage::copies::Stage;
use crate::stage::vet::Vetted;
use crate::warning::Warning;

/// An artifact while it is followed.
pub(super) struct Followed<'a, F: Files, S: Stage, C: Clock> {
    pub(super) artifact: &'a mut Artifact,
    pub(super) shared: &'a mut Shared<F, S, C>,
}

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    pub(super) fn path(&self) -> PathBuf {
        self.artifact.path.to_path_buf()
    }

    /// Reports a failure, once for each cause until the trouble is over.
    pub(super) fn fail(&mut self, at: Reached, cause: Cause, error: Error) {
        let now = self.shared.clock.now();
        let trouble = Trouble::go_on(&mut self.artifact.trouble, at, now);
        if !trouble.is_news(now, cause) {
            let artifact = shown(&*self.artifact.path);
            tracing::debug!(%artifact, "{}", chain(&error));
            return;
        }
        if at.is_degradation() && !self.artifact.listed {
            self.shared.pulse.say();
        }
        self.say(match at.is_degradation() {
            true => News::Degraded(error),
            false => News::Kept {
                digest: None,
                error,
            },
        });
    }

    /// Ends the trouble, if having come as far as `reached` overcomes it.
    pub(super) fn recovered(&mut self, reached: Reached) {
        let Some(trouble) = &mut self.artifact.trouble else {
            return;
        };
        if !trouble.is_over(self.shared.clock.now(), reached) {
            return;
        }
        let overcome = self.artifact.trouble.take();
        if overcome.is_some_and(|trouble| trouble.has_degraded()) {
            self.say(News::Recovered);
        }
    }

    /// Says a warning, unless the warning was said and still holds. Of two warnings about one subject the later holds.
    pub(super) fn warn(&mut self, warning: Warning) {
        let warned = &mut self.artifact.warned;
        if warned.contains(&warning) {
            return;
        }
        warned.retain(|said| !said.has_subject_of(&warning));
        warned.push(warning.clone());
        self.say(News::Warned(warning));
    }

    /// Takes down that no warning about this subject holds for the artifact itself any more, so that the next one is news.
    pub(super) fn unwarn(&mut self, about: &str) {
        let warned = &mut self.artifact.warned;
        warned.retain(|said| said.library().is_some() || said.about() != about);
    }

    /// Says the warnings of the libraries that the artifact brings along. No others of them hold any more.
    pub(super) fn warn_beside(&mut self, warnings: Vec<Warning>) {
        let warned = &mut self.artifact.warned;
        warned.retain(|said| said.library().is_none() || warnings.contains(said));
        for warning in warnings {
            self.warn(warning);
        }
    }

    pub(super) fn say(&mut self, news: News<S::Staged>) {
        match &news {
            News::Waiting(_) | News::Trying { .. } => self.artifact.owes_a_word = true,
            // What else is said may end, and then the bytes that are found are the word.
            News::Ready(_)
            | News::Unchanged { .. }
            | News::Kept {
                digest: Some(_), ..
            } => self.artifact.owes_a_word = false,
            _ => {}
        }
        self.shared.outbox.say(&self.artifact.path, news);
    }
}

/// What a person should know about how a library was built, and whether that holds for this one.
pub(crate) fn flaws(vetted: &Vetted) -> [(bool, Warning); 3] {
    let linkage = &vetted.linkage;
    [
        (vetted.static_tls, Warning::StaticTls),
        (linkage.wants_executable_stack, Warning::ExecutableStack),
        (linkage.has_text_relocations, Warning::TextRelocations),
    ]
}
