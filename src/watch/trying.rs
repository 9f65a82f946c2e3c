//! How a build that is ready is tried before it is handed over, and what follows from the verdict.

use std::time::Instant;

use replug_plugin::shown::shown;

use super::followed::Followed;
use super::underway::Ended;
use super::update::{News, Ready};
use crate::decide::trouble::{Cause, Reached};
use crate::error::Error;
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::Files;
use crate::measures;
use crate::stage::copies::Stage;
use crate::trials::verdict::TrialFailure;

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Hands a build over, if it need not be tried or was tried before; else it is tried first.
    pub(super) fn try_or_hand_over(&mut self, ready: Ready<S::Staged>) {
        if self.shared.rules.options.trial.is_none() {
            return self.say(News::Ready(ready));
        }
        let tried = self.artifact.tried.as_deref();
        match tried.filter(|(digest, _)| *digest == ready.digest) {
            Some((_, verdict)) => {
                let verdict = verdict.clone();
                self.follow_verdict(ready, verdict);
            }
            None => {
                let digest = ready.digest;
                self.say(News::Trying { digest });
                self.shared.trials.add(&self.artifact.path, ready);
            }
        }
    }

    /// Whether a build is being tried.
    pub(super) fn is_tried(&self) -> bool {
        self.shared.trials.is_about(&self.artifact.path)
    }

    /// Gives up the trial of a build, because there is a newer one. Should the file come to hold the former bytes again,
    /// they are news.
    pub(super) fn give_trial_up(&mut self) {
        if self.shared.trials.give_up(&self.artifact.path) {
            self.artifact.tracker.taken_back();
            self.end_trouble();
        }
    }

    /// A trial has ended.
    pub(super) fn tried(&mut self, now: Instant, ended: Ended<S::Staged>) {
        let took = ended.took(now);
        let (build, tried) = ended.take();
        let verdict = match &tried {
            Ok(Ok(())) => "passed",
            Ok(Err(_)) => "kept",
            Err(_) => "untried",
        };
        measures::tried(&self.artifact.path, verdict, took);
        match tried {
            Ok(verdict) => {
                self.end_trouble();
                let ready = build.into_ready();
                tracing::info!(
                    artifact = %shown(&*self.artifact.path),
                    digest = %ready.digest,
                    took = ?took,
                    "a build was tried: {}",
                    verdict.as_ref().map_or("it is kept out", |()| "it has passed")
                );
                let remembered = (ready.digest, verdict.clone());
                self.artifact.tried = Some(Box::new(remembered));
                self.follow_verdict(ready, verdict);
            }
            Err(source) => {
                let (cause, path) = (Cause::from(&source), self.path());
                self.fail(Reached::Trial, cause, Error::NotTried { path, source });
                self.shared.trials.put_off(build, now);
            }
        }
    }

    fn follow_verdict(&mut self, ready: Ready<S::Staged>, verdict: Result<(), TrialFailure>) {
        match verdict {
            Ok(()) => self.say(News::Ready(ready)),
            Err(source) => self.keep_out_tried(ready.digest, source),
        }
    }

    fn keep_out_tried(&mut self, digest: Digest, source: TrialFailure) {
        let path = self.path();
        let error = Error::Trial { path, source };
        self.shared
            .keep_no_longer(&self.artifact.path, digest, &error);
        self.say(News::Kept {
            digest: Some(digest),
            error,
        });
    }

    /// Ends a trouble with the start of helpers.
    fn end_trouble(&mut self) {
        let trouble = self.artifact.trouble.as_deref();
        if trouble.is_some_and(|it| it.at == Reached::Trial) {
            self.recovered(Reached::Trial);
        }
    }
}
