//! How the worker keeps a store: what it writes down of each build, which builds are not let in, and how requests are granted.
//! What follows from a history is the [`store`](crate::store)'s to say.

use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use replug_plugin::shown::shown;

use super::followed::Followed;
use super::keeper::{Keeping, Returning, cannot_write};
use super::shared::Shared;
use super::update::{Became, News, Ready, Report, Sibling};
use crate::admission::Signed;
use crate::boundary;
use crate::decide::probation::Probation;
use crate::error::{Error, chain};
use crate::look::clock::Clock;
use crate::look::digest::Digest;
use crate::look::files::Files;
use crate::measures;
use crate::stage::copies::Stage;
use crate::store::{
    Along, Answer, Build, Event, Hold, Opened, Parts, Past, Plan, Store, StoreError, Verb, Wish,
    released,
};
use crate::warning::Warning;

/// The shortest time between two looks for a request: a person who asks waits for the answer, and a look is one system call.
const LOOK: Duration = Duration::from_millis(100);

/// How long after a note of a signal the process counts as having survived.
const SURVIVED: Duration = Duration::from_secs(2);

impl<F: Files, S: Stage, C: Clock> Shared<F, S, C> {
    /// Says a trouble of the store, once. What is loaded goes on without the store.
    pub(super) fn say_store_trouble(&mut self, words: String) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        if keeping.is_news(&words) {
            let root = Arc::clone(&self.root);
            self.outbox.say(&root, News::Warned(Warning::Store(words)));
        }
    }

    /// Writes events down, and says it if that fails.
    fn write_down(&mut self, events: impl IntoIterator<Item = Event>) {
        let written = self.keeping.as_mut().map(|it| it.write(events));
        if let Some(Err(words)) = written {
            self.say_store_trouble(words);
        }
    }

    /// The store, if it could be opened.
    pub(super) fn open_store(&self) -> Option<&Store> {
        self.keeping.as_ref()?.store.as_deref()
    }

    /// Lets go of the copies of a build.
    pub(super) fn let_go(&mut self, build: &Build) {
        let Some(store) = self.keeping.as_mut().and_then(|it| it.store.as_mut()) else {
            return;
        };
        if let Err(error) = store.let_go(vec![build.clone()]) {
            let words = cannot_write(store.path(), &error);
            self.say_store_trouble(words);
        }
    }

    /// Does what is due with the store: opens it, ends probations, and grants requests. Returns the libraries that are to be staged
    /// again.
    pub(super) fn keep(&mut self, now: Instant) -> Vec<PathBuf> {
        let Some(keeping) = &mut self.keeping else {
            return Vec::new();
        };
        if keeping.store.is_none() {
            if !Keeping::is_due(keeping.open_at, now) {
                return Vec::new();
            }
            let opened = keeping.open(now);
            self.take_opened(opened);
        }
        self.forget_survived(now);
        self.end_probations(now);
        self.look_for_request(now)
    }

    fn take_opened(&mut self, opened: Result<Opened, StoreError>) {
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return self.say_store_trouble(chain(&error)),
        };
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let Opened {
            store,
            passed_over,
            deaths,
        } = opened;
        if !keeping.probation.is_zero() {
            match boundary::note_to(store.note()) {
                Ok(notes) => keeping.notes = notes,
                Err(error) => tracing::debug!("nobody notes how this process ends: {error}"),
            }
        }
        keeping.said.clear();
        let path = store.path().to_owned();
        // What went live while the store could not be opened.
        let live = keeping.live.iter().map(|(artifact, it)| Event::Live {
            build: Build::new(artifact, it.0),
            generation: it.1,
        });
        let live: Vec<_> = live.collect();
        for death in deaths {
            let Event::Died {
                build,
                counts,
                reason,
                ..
            } = death
            else {
                continue;
            };
            if counts {
                measures::probation_ended(&build.artifact, "died");
                let past = store.history().get(&build);
                let is_quarantined = past.is_some_and(Past::is_quarantined);
                if is_quarantined {
                    measures::quarantined(&build.artifact);
                }
                tracing::info!(
                    artifact = %shown(&build.artifact),
                    digest = %build.digest,
                    is_quarantined,
                    "a build has ended its host within its probation: {reason}"
                );
                keeping.held.insert(build.clone());
            }
            let digest = build.digest;
            let warning = Warning::Died { digest, reason };
            self.outbox
                .say(&build.artifact.as_path().into(), News::Warned(warning));
        }
        keeping.store = Some(Box::new(store));
        self.write_down(live);
        if passed_over > 0 {
            let path = shown(&path);
            self.say_store_trouble(format!(
                "{passed_over} lines of the journal of the store `{path}` are damaged and were passed over"
            ));
        }
    }

    /// Takes back the note of a signal that this process has survived, for somebody handled the signal.
    fn forget_survived(&mut self, now: Instant) {
        if !boundary::has_noted() {
            return;
        }
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        if now < *keeping.noted_at.get_or_insert(now) + SURVIVED {
            return;
        }
        keeping.noted_at = None;
        if let Some(store) = &keeping.store
            && let Err(error) = store.clear_note()
        {
            let words = cannot_write(&keeping.path, &error);
            self.say_store_trouble(words);
        }
        boundary::forget_note();
    }

    fn end_probations(&mut self, now: Instant) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        if !keeping.on_probation.iter().any(|(_, it)| it.is_over(now)) {
            return;
        }
        let all = std::mem::take(&mut keeping.on_probation);
        let (over, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, it)| it.is_over(now));
        keeping.on_probation = rest;
        for (build, _) in &over {
            measures::probation_ended(&build.artifact, "outlived");
            tracing::info!(
                artifact = %shown(&build.artifact),
                digest = %build.digest,
                "a build has outlived its probation"
            );
        }
        let proven = over.into_iter().map(|(build, _)| Event::Proven { build });
        self.write_down(proven.collect::<Vec<_>>());
    }

    fn look_for_request(&mut self, now: Instant) -> Vec<PathBuf> {
        let Some(keeping) = &mut self.keeping else {
            return Vec::new();
        };
        let (true, Some(store)) = (Keeping::is_due(keeping.look_at, now), &keeping.store) else {
            return Vec::new();
        };
        keeping.look_at = Some(now + LOOK);
        let request = match store.take_request() {
            Ok(Some(request)) => request,
            Ok(None) => return Vec::new(),
            Err(error) => {
                let words = cannot_write(&keeping.path, &error);
                self.say_store_trouble(words);
                return Vec::new();
            }
        };
        let plan = request.wish.plan(store.history());
        let reason = "somebody went back by `replug back`".to_owned();
        match plan {
            Ok(Plan::Back { to, from }) => {
                self.go_back(Returning {
                    to,
                    from,
                    reason,
                    request: Some(request.number),
                });
                Vec::new()
            }
            Ok(Plan::Release(builds)) => {
                let words = released(&builds);
                let artifacts = self.release(builds);
                self.answer(request.number, true, words);
                artifacts
            }
            Err(no_way) => {
                self.answer(request.number, false, no_way.to_string());
                Vec::new()
            }
        }
    }

    fn answer(&mut self, number: u64, is_done: bool, words: String) {
        let answer = Answer {
            number,
            is_done,
            words,
        };
        if let Some(store) = self.open_store()
            && let Err(error) = store.answer(&answer)
        {
            let words = cannot_write(store.path(), &error);
            self.say_store_trouble(words);
        }
    }

    /// Lets these builds in again, and returns their libraries.
    fn release(&mut self, builds: Vec<Build>) -> Vec<PathBuf> {
        if let Some(keeping) = &mut self.keeping {
            builds.iter().for_each(|build| {
                keeping.held.remove(build);
            });
        }
        let artifacts = builds.iter().map(|it| it.artifact.clone()).collect();
        let events = builds.into_iter().map(|build| Event::Released { build });
        self.write_down(events.collect::<Vec<_>>());
        artifacts
    }

    /// Goes back to the build before the live one, or to that of a digest, for the owner of a library.
    pub(super) fn owner_goes_back(&mut self, artifact: &Path, to: Option<Digest>) {
        let plan = match self.open_store() {
            Some(store) => Plan::back(store.history(), artifact, to).map_err(StoreError::from),
            None => Err(self.no_store()),
        };
        match plan {
            Ok(Plan::Back { to, from }) => self.go_back(Returning {
                to,
                from,
                reason: "its host went back".to_owned(),
                request: None,
            }),
            Ok(Plan::Release(_)) => {}
            Err(source) => self.cannot_go_back(artifact, to, source),
        }
    }

    /// Lets a build in again, for the owner; all of its library without a digest. Returns the libraries.
    pub(super) fn owner_releases(&mut self, digest: Option<Digest>) -> Vec<PathBuf> {
        let wish = Wish {
            verb: Verb::Release,
            digest: digest.map(|digest| digest.to_string()),
            plugin: None,
        };
        let plan = self.open_store().map(|store| wish.plan(store.history()));
        match plan {
            Some(Ok(Plan::Release(builds))) => self.release(builds),
            // What is not held is let in as it is.
            _ => Vec::new(),
        }
    }

    fn no_store(&self) -> StoreError {
        let path = self.keeping.as_ref().map(|keeping| keeping.path.clone());
        path.map_or(StoreError::NoStore, |path| StoreError::NotOpen { path })
    }

    fn cannot_go_back(&mut self, artifact: &Path, to: Option<Digest>, source: StoreError) {
        let path = artifact.to_owned();
        let error = Error::Back { path, source };
        self.outbox
            .say(&artifact.into(), News::Kept { digest: to, error });
    }

    /// Hands a build over out of the store.
    fn go_back(&mut self, returning: Returning) {
        let to = &returning.to;
        match self.bring_back(to) {
            Ok(ready) => {
                let artifact: Arc<Path> = to.artifact.as_path().into();
                self.write_down([Event::Handed { build: to.clone() }]);
                self.outbox.say(&artifact, News::Ready(ready));
                if let Some(keeping) = &mut self.keeping {
                    // What somebody asks for now takes the place of what was asked before.
                    let is_other = |it: &Returning| it.to.artifact != returning.to.artifact;
                    let (rest, superseded): (Vec<_>, Vec<_>) =
                        std::mem::take(&mut keeping.returning)
                            .into_iter()
                            .partition(is_other);
                    keeping.returning = rest;
                    keeping.returning.push(returning);
                    for it in superseded {
                        self.answer_returning(&it, false, "another request came in between");
                    }
                }
            }
            Err(error) => {
                self.answer_returning(&returning, false, &chain(&error));
                let digest = Some(returning.to.digest);
                let artifact = returning.to.artifact.as_path().into();
                self.outbox.say(&artifact, News::Kept { digest, error });
            }
        }
    }

    fn answer_returning(&mut self, returning: &Returning, is_done: bool, words: &str) {
        if let Some(number) = returning.request {
            self.answer(number, is_done, words.to_owned());
        }
    }

    /// The owner says what became of a build.
    pub(super) fn became(&mut self, now: Instant, report: Report) {
        let Report {
            artifact,
            digest,
            became,
        } = report;
        let build = Build::new(&artifact, digest);
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let position = keeping
            .returning
            .iter()
            .position(|it| it.to.artifact == build.artifact);
        let returning = position.map(|at| keeping.returning.swap_remove(at));
        let is_return = returning.as_ref().is_some_and(|it| it.to == build);
        match became {
            Became::Live(generation) => {
                keeping
                    .live
                    .insert(build.artifact.clone(), (digest, generation));
                keeping
                    .on_probation
                    .retain(|(it, _)| it.artifact != build.artifact);
                let was_proven = keeping
                    .store
                    .as_ref()
                    .and_then(|store| store.history().get(&build))
                    .is_some_and(|past| past.is_proven());
                if !was_proven {
                    let probation = Probation::begin(now, keeping.probation);
                    keeping.on_probation.push((build.clone(), probation));
                }
                if is_return {
                    measures::went_back(&build.artifact);
                    let (from, reason) = returning
                        .as_ref()
                        .map_or((None, ""), |it| (it.from.as_ref(), it.reason.as_str()));
                    tracing::info!(
                        artifact = %shown(&build.artifact),
                        digest = from.map(|it| tracing::field::display(it.digest)),
                        to = %digest,
                        generation,
                        "a build came back out of the store: {reason}"
                    );
                }
                let mut events = Vec::new();
                if let Some(Returning {
                    from: Some(from),
                    to,
                    reason,
                    ..
                }) = returning.as_ref().filter(|_| is_return)
                {
                    events.push(Event::Left {
                        build: from.clone(),
                        to: to.digest,
                        reason: reason.clone(),
                    });
                }
                events.push(Event::Live {
                    build: build.clone(),
                    generation,
                });
                self.write_down(events);
                self.end_probations(now);
                if let Some(returning) = returning {
                    let words = live_words(&returning, digest, generation, is_return);
                    self.answer_returning(&returning, is_return, &words);
                }
            }
            Became::Kept { step, reason } => {
                let words = format!("{} was kept out at step {step}: {reason}", digest.short());
                self.write_down([Event::Kept {
                    build: build.clone(),
                    step,
                    reason,
                }]);
                self.let_go_unless_lived(build);
                match returning {
                    Some(returning) if is_return => {
                        self.answer_returning(&returning, false, &words);
                        self.try_the_next(returning);
                    }
                    // Another build was tried first; this one comes yet.
                    Some(returning) => {
                        if let Some(keeping) = &mut self.keeping {
                            keeping.returning.push(returning);
                        }
                    }
                    None => {}
                }
            }
        }
    }

    /// Hands over the next best build, should nothing of the library be live because this one was kept out.
    fn try_the_next(&mut self, returning: Returning) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let artifact = &returning.to.artifact;
        if returning.from.is_some() || keeping.has_live(artifact) {
            return;
        }
        keeping.held.insert(returning.to.clone());
        let next = self.ways_back(&returning.to).into_iter().next();
        if let Some(to) = next {
            self.go_back(Returning { to, ..returning });
        }
    }

    /// Removes the copies of a build that was kept out, and never was live: nobody goes back to it.
    fn let_go_unless_lived(&mut self, build: Build) {
        let past = self.open_store().and_then(|it| it.history().get(&build));
        if past.is_some_and(|past| past.lives().is_empty()) {
            self.let_go(&build);
        }
    }

    /// A call of the live generation has failed, as its owner says. Goes back if there were too many.
    pub(super) fn call_failed(&mut self, now: Instant, artifact: &Path, digest: Digest) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let build = Build::new(artifact, digest);
        let most = keeping.failures;
        let mut on_probation = keeping.on_probation.iter_mut();
        let found = on_probation.find(|(it, _)| *it == build);
        if !found.is_some_and(|(_, probation)| probation.fails(now, most)) {
            return;
        }
        measures::probation_ended(artifact, "failed");
        let ways = self.ways_back(&build);
        let reason = format!(
            "more than {} of its calls failed within its probation",
            most.unwrap_or_default()
        );
        match ways.into_iter().next() {
            Some(to) => self.go_back(Returning {
                to,
                from: Some(build),
                reason,
                request: None,
            }),
            None => {
                let warning = Warning::Died {
                    digest,
                    reason: format!("{reason}, and there is no build to go back to"),
                };
                self.outbox.say(&artifact.into(), News::Warned(warning));
            }
        }
    }

    fn ways_back(&self, from: &Build) -> Vec<Build> {
        let history = self.open_store().map(|store| store.history());
        let ways = history.map(|it| it.ways_back(&from.artifact, Some(from.digest)));
        let ways = ways.unwrap_or_default().into_iter();
        let held = self.keeping.as_ref().map(|keeping| &keeping.held);
        let is_held = |build: &Build| held.is_some_and(|held| held.contains(build));
        let ways = ways.map(|past| past.build().clone());
        ways.filter(|build| !is_held(build)).collect()
    }

    /// Has all that was begun in this poll outlive a power cut. The owner has the news already.
    pub(super) fn finish_keeping(&mut self) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let most = keeping.most;
        let Some(store) = keeping.store.as_mut().filter(|it| it.is_unfinished()) else {
            return;
        };
        match store.finish(most) {
            // What fails next is news.
            Ok(()) => keeping.said.clear(),
            Err(error) => {
                let words = cannot_write(&keeping.path, &error);
                self.say_store_trouble(words);
                self.outbox.deliver();
            }
        }
    }

    /// What is written down of a build that was begun to be kept, and is kept out before it is handed over.
    #[cfg(feature = "trial")]
    pub(super) fn keep_no_longer(&mut self, artifact: &Path, digest: Digest, error: &Error) {
        self.note_kept(artifact, digest, error);
        self.let_go_unless_lived(Build::new(artifact, digest));
    }

    /// What is written down of a build that is kept out before it is handed over.
    pub(super) fn note_kept(&mut self, artifact: &Path, digest: Digest, error: &Error) {
        if self.open_store().is_none() || matches!(error, Error::Left { .. }) {
            return;
        }
        let event = Event::Kept {
            build: Build::new(artifact, digest),
            step: error.step().to_string(),
            reason: chain(error),
        };
        self.write_down([event]);
    }
}

fn live_words(returning: &Returning, digest: Digest, generation: u64, is_return: bool) -> String {
    let live = format!("generation {generation} ({}) is live", digest.short());
    match (&returning.from, is_return) {
        (Some(from), true) => format!(
            "{live}; {} was left, and is not loaded again until its bytes differ or it is released",
            from.digest.short()
        ),
        (None, true) => live,
        (_, false) => format!("{live}, which came in between"),
    }
}

impl<F: Files, S: Stage, C: Clock> Followed<'_, F, S, C> {
    /// Whether a build may be let in. If it may not, that is said, and should nothing of this library be live, the best build in
    /// the store is handed over instead.
    pub(super) fn is_let_in(&mut self, digest: Digest) -> bool {
        let build = Build::new(&self.artifact.path, digest);
        let Some(keeping) = &self.shared.keeping else {
            return true;
        };
        let Some(hold) = keeping.hold(&build) else {
            return true;
        };
        let has_live = keeping.has_live(&build.artifact);
        let reason = hold.reason().to_owned();
        let ready = match has_live {
            true => None,
            false => self.first_way_back(&build),
        };
        if matches!(hold, Hold::Once(_)) && !has_live && ready.is_none() {
            let warning = Warning::Died {
                digest,
                reason: format!("{reason}; there is no other build, so it is loaded all the same"),
            };
            self.warn(warning);
            return true;
        }
        if matches!(hold, Hold::Once(_))
            && let Some(keeping) = &mut self.shared.keeping
        {
            // For the rest of this run, whatever is live in between.
            keeping.held.insert(build);
        }
        let path = self.path();
        self.say(News::Kept {
            digest: Some(digest),
            error: Error::Left { path, reason },
        });
        if let Some((to, ready)) = ready {
            self.shared
                .write_down([Event::Handed { build: to.clone() }]);
            self.say(News::Ready(ready));
            if let Some(keeping) = &mut self.shared.keeping {
                keeping.returning.push(Returning {
                    to,
                    from: None,
                    reason: String::new(),
                    request: None,
                });
            }
        }
        false
    }

    /// The first build in the store that can be handed over in the place of this one.
    fn first_way_back(&mut self, from: &Build) -> Option<(Build, Ready<S::Staged>)> {
        for to in self.shared.ways_back(from) {
            match self.shared.bring_back(&to) {
                Ok(ready) => return Some((to, ready)),
                Err(error) => {
                    let digest = Some(to.digest);
                    self.say(News::Kept { digest, error });
                }
            }
        }
        None
    }

    /// Writes down that a build is handed over, and begins copies of it and of what it brings along.
    pub(super) fn keep_build(
        &mut self,
        digest: Digest,
        (own, signature): (Digest, Option<&Signed>),
        staged: &mut S::Staged,
        siblings: &mut [Sibling<S::Staged>],
    ) {
        let path = Arc::clone(&self.artifact.path);
        let Some(keeping) = &mut self.shared.keeping else {
            return;
        };
        let Some(store) = &mut keeping.store else {
            return;
        };
        let along = siblings.iter().map(|it| Along {
            soname: it.soname.to_bytes().to_owned(),
            digest: it.digest,
        });
        let parts = Parts {
            own,
            along: along.collect(),
        };
        let build = Build::new(&path, digest);
        let kept = store.begin_build(build, parts).and_then(|()| {
            let of_along = siblings.iter().map(|it| (it.digest, it.signature.as_ref()));
            for (digest, signature) in of_along.chain([(own, signature)]) {
                if let Some(Signed { text, .. }) = signature {
                    store.put_signature(digest, text)?;
                }
            }
            let copies = siblings.iter_mut().map(|it| (it.digest, &mut it.staged));
            for (digest, copy) in copies.chain([(own, staged)]) {
                let size = copy.seek(SeekFrom::End(0))?;
                copy.rewind()?;
                store.add_copy(digest, size, copy)?;
                copy.rewind()?;
            }
            Ok(())
        });
        if let Err(error) = kept {
            let words = cannot_write(store.path(), &error);
            self.shared.say_store_trouble(words);
        }
    }
}
