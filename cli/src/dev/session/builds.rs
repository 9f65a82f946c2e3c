//! The builds of a session: how one begins and ends, what is told of it, and who takes what it made.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::never;
use replug::shown::shown;

use super::super::beside::Beside;
use super::super::building::{self, Building, Made, Told};
use super::super::loaded::Plugin;
use super::super::said;
use super::super::sources::Sources;
use super::super::stale::{make_stale, seems_built, stamp};
use super::{Done, Failed, LAST_LOOK, Rest, Session};
use crate::build::BuildError;
use crate::run::Failure;

/// How long before the begin of a build a file may have been written that was read by the build, by another clock's
/// tick.
const TICK_BEFORE: Duration = Duration::from_millis(10);

/// The words for a build that was put back.
const BACK: &str =
    "the build before is back; the next save, or `r`, brings the newer one, and `b` too";

impl Session<'_> {
    /// Begins a build, and ends the one that is running.
    pub(super) fn begin(&mut self, changed: &[PathBuf]) -> Result<(), Failure> {
        self.end_build();
        said::building(&self.output, &self.args.packages, changed)?;
        self.show_old_sources_to_cargo();
        if self.may_write_lock() {
            self.watch.leave_lock();
        }
        let building = self.ahead.start().map_err(|source| BuildError::Start {
            package: self.args.packages.join("`, `"),
            source,
        })?;
        self.began(building);
        Ok(())
    }

    fn began(&mut self, building: Building) {
        self.rounds.began();
        self.last_begin = Some(building.since);
        self.groups.cargo.store(building.id(), Ordering::Relaxed);
        self.building = Some(building);
    }

    /// Goes on with the build that began ahead of the end of a save, or begins one.
    pub(super) fn begin_or_go_on(&mut self, changed: &[PathBuf]) -> Result<(), Failure> {
        let Some(building) = self.ahead.take() else {
            return self.begin(changed);
        };
        self.oldest = None;
        self.began(building);
        Ok(said::building(&self.output, &self.args.packages, changed)?)
    }

    /// Whether a build can write cargo's lock file.
    pub(super) fn may_write_lock(&self) -> bool {
        self.has_other_manifest || !self.watch.has_lock()
    }

    /// Makes cargo see what was saved with an old write time.
    fn show_old_sources_to_cargo(&mut self) {
        let (Some(oldest), Some(last_end)) = (self.oldest.take(), self.last_end) else {
            return;
        };
        if seems_built(oldest, last_end) {
            for profile in self.project.profiles(&self.made) {
                make_stale(&profile, &self.project.names());
            }
        }
    }

    /// Ends the builds that are running, and forgets one whose end is kept back.
    pub(super) fn end_build(&mut self) {
        self.ahead.forbid();
        if let Some(building) = self.building.take() {
            building.end();
            self.groups.cargo.store(0, Ordering::Relaxed);
            self.watch.take_lock();
            self.last_end = Some(SystemTime::now());
        }
        self.forget_end();
    }

    /// Forgets a build that has ended, and whose end is kept back.
    pub(super) fn forget_end(&mut self) {
        self.done = None;
        self.digested = never();
        self.failed = None;
        self.rest = None;
        self.rested = never();
    }

    /// Takes the end of a build: has what it made looked at, or tells why it failed.
    pub(super) fn finish(&mut self, told: Told) -> Result<(), Failure> {
        let Some(building) = self.building.take() else {
            return Ok(());
        };
        let since = building.since;
        let unread = |source| BuildError::Messages {
            package: self.args.packages.join("`, `"),
            source,
        };
        let (is_built, took) = building.finish().map_err(unread)?;
        let ended = Instant::now();
        self.groups.cargo.store(0, Ordering::Relaxed);
        self.watch.take_lock();
        self.rounds.ended(ended);
        self.last_end = Some(SystemTime::now());
        if self.rounds.is_void() {
            return Ok(());
        }
        if !is_built {
            return self.fail(told, took, since);
        }
        // Before anything else: that is what everybody waits for.
        self.plugins.iter().for_each(Plugin::look_now);
        if std::mem::take(&mut self.has_other_manifest) {
            self.project.ask();
        }
        let libraries = self.project.libraries(&told.artifacts);
        let libraries = match libraries.map_err(|package| BuildError::NoCdylib { package }) {
            Ok(libraries) => libraries,
            Err(error) if self.made.is_empty() => return Err(error.into()),
            // What was there before goes on.
            Err(error) => {
                let mut told = told;
                told.verdict.miss(&error.to_string());
                self.sources = self.project.sources(Some(&self.paths()));
                return self.fail(told, took, since);
            }
        };
        // Only a key asks for it.
        let is_wanted = self.keys.are_taken();
        self.kept = is_wanted.then(|| building::keep(&libraries)).flatten();
        let sources = self.project.sources(Some(&libraries));
        self.digested = building::digest(libraries);
        // Also of a file that this build was the first to read, nobody has seen yet whether it was being saved.
        self.follow(sources, since);
        self.done = Some(Done {
            took,
            ended,
            warnings: told.verdict.warnings,
            made: None,
        });
        self.wait_for_rest();
        Ok(())
    }

    /// Takes the failure of a build, and tells it unless it is kept back.
    fn fail(&mut self, told: Told, took: Duration, since: SystemTime) -> Result<(), Failure> {
        self.has_failed = true;
        self.failed = Some(Failed { told, took, since });
        self.wait_for_rest();
        match self.rest {
            Some(_) => Ok(()),
            None => self.tell_failure(true),
        }
    }

    /// Keeps back the end of a build. It may be that of half a save which nobody has seen yet: then the end of the save
    /// builds again, and nobody hears of this build.
    fn wait_for_rest(&mut self) {
        if self.rounds.must_count() {
            return;
        }
        self.rested = self.watch.rest();
        self.rest = Some(Rest {
            looks: self.watch.looks(),
            due: Instant::now() + LAST_LOOK,
        });
    }

    /// Whether the end of a build is kept back for no longer although no look says that nothing was being saved: none comes
    /// back, for the filesystem of the sources hangs.
    pub(super) fn is_rest_overdue(&mut self, now: Instant) -> bool {
        let (looks, is_saved) = (self.watch.looks(), !self.watch.saved().is_empty());
        let Some(rest) = &mut self.rest else {
            return false;
        };
        if rest.looks != looks {
            rest.looks = looks;
            rest.due = now + LAST_LOOK;
        }
        now >= rest.due && !is_saved
    }

    /// Keeps back no end of a build any longer. `can_look` is whether the filesystem of the sources answers.
    pub(super) fn come_to_rest(&mut self, can_look: bool) -> Result<(), Failure> {
        self.rest = None;
        self.rested = never();
        self.tell_failure(can_look)
    }

    /// Tells why the last build failed, if it did. What is live goes on, and the next save builds again.
    fn tell_failure(&mut self, can_look: bool) -> Result<(), Failure> {
        let Some(failed) = self.failed.take() else {
            return Ok(());
        };
        let Failed {
            mut told,
            took,
            since,
        } = failed;
        self.rounds.counted();
        told.verdict.fail(&told.stderr);
        let live = self.plugins.iter().find_map(Plugin::live);
        let live = live.map(|(generation, _)| generation);
        said::failed(&self.output, took, &told.verdict, live)?;
        let mut sources = self.sources.clone();
        if self.has_other_manifest && can_look {
            self.project.ask();
            sources = self.project.sources(Some(&self.paths()));
        }
        // Which files the failed build read, nobody knows.
        sources.all_count = true;
        self.follow(sources, since);
        Ok(())
    }

    /// The libraries that the last build made.
    fn paths(&self) -> Vec<PathBuf> {
        self.made.iter().map(|(path, _)| path.clone()).collect()
    }

    fn follow(&mut self, sources: Sources, since: SystemTime) {
        self.sources = sources.clone();
        // That all was looked at need not be waited for: what is asked of the watch next is answered after that.
        drop(self.watch.follow(sources, Some(stamp(since - TICK_BEFORE))));
    }

    /// Takes down what a build has made, whose digests are known by now.
    pub(super) fn know(&mut self, libraries: Made) {
        self.digested = never();
        if let Some(done) = &mut self.done {
            done.made = Some(libraries);
        }
    }

    /// Hands over what a build has made, if nothing keeps it back: from here on it is loaded.
    pub(super) fn hand_over(&mut self) -> Result<(), Failure> {
        let is_known = |done: &mut Done| self.rest.is_none() && done.made.is_some();
        let Some(done) = self.done.take_if(is_known) else {
            return Ok(());
        };
        let libraries = done.made.unwrap_or_default();
        self.has_failed = false;
        said::built(&self.output, done.took, done.warnings, &libraries)?;
        let was_live = self.is_all_live();
        self.earlier.built(&libraries, self.kept.take(), was_live);
        match self.args.command.is_empty() {
            true => self.load(&libraries, done.took, done.ended)?,
            false => self.run_beside(&libraries)?,
        }
        self.made = libraries;
        self.rounds.counted();
        self.tell_last_words();
        Ok(())
    }

    fn load(&mut self, libraries: &Made, took: Duration, ended: Instant) -> Result<(), Failure> {
        let is_made = |path: &PathBuf| libraries.iter().any(|(made, _)| made == path);
        self.plugins.retain(|plugin| is_made(&plugin.path));
        for (path, digest) in libraries {
            let known = self.plugins.iter().position(|it| it.path == *path);
            let number = match known {
                Some(number) => number,
                None => {
                    let watched = Plugin::watch(&self.args.serving, &self.output, path.clone());
                    self.plugins.push(watched?);
                    self.plugins.len() - 1
                }
            };
            if let Some(digest) = digest {
                self.plugins[number].built(*digest, took, ended)?;
            }
        }
        Ok(())
    }

    /// Whether all that the last build made is live, as far as it is loaded here.
    fn is_all_live(&self) -> bool {
        self.plugins.iter().all(|plugin| {
            let made = self.made.iter().find(|(path, _)| *path == plugin.path);
            let live = plugin.live().map(|(_, digest)| digest);
            made.is_some_and(|(_, digest)| *digest == live)
        })
    }

    /// Puts the build before back, and has it loaded as if it were built now. A build that is running ends, for it would
    /// take the place; unless there is nothing to go back to.
    pub(super) fn go_back(&mut self) -> Result<(), Failure> {
        // A build that has just ended is what one goes back from.
        if let Some(done) = &self.done {
            if done.made.is_none() {
                let libraries = self.digested.recv().unwrap_or_default();
                self.know(libraries);
            }
            self.come_to_rest(false)?;
            self.hand_over()?;
        }
        if let Err(error) = self.earlier.check() {
            return Ok(self.output.tell(&replug::chain(&error))?);
        }
        // A failure that waits for a look at the sources would end here unheard.
        self.come_to_rest(false)?;
        self.end_build();
        self.rounds.dropped();
        let was_live = self.is_all_live();
        match self.earlier.go_back(was_live) {
            Ok(made) => self.made = made,
            Err(error) => return Ok(self.output.tell(&replug::chain(&error))?),
        }
        self.output.tell(BACK)?;
        self.has_failed = false;
        let ended = Instant::now();
        for plugin in &mut self.plugins {
            let made = self.made.iter().find(|(path, _)| *path == plugin.path);
            if let Some((_, Some(digest))) = made {
                plugin.wait_for(*digest, ended);
            }
            plugin.look_now();
        }
        Ok(())
    }

    /// Ends the command beside, and starts it again.
    pub(super) fn start_again(&mut self) -> Result<(), Failure> {
        if self.args.command.is_empty() {
            return Ok(self.output.tell("there is no command to start again")?);
        }
        self.end_beside();
        // Before the first build there is nothing for it.
        match self.made.is_empty() {
            true => Ok(()),
            false => self.start_beside(),
        }
    }

    /// Starts the command beside, unless it runs, and says which libraries it will find as they were.
    fn run_beside(&mut self, libraries: &Made) -> Result<(), Failure> {
        for library in libraries
            .iter()
            .filter(|library| self.made.contains(library))
        {
            if let (path, Some(digest)) = library {
                said::unchanged(&self.output, path, *digest)?;
            }
        }
        match self.beside.is_some() {
            true => Ok(()),
            false => self.start_beside(),
        }
    }

    fn start_beside(&mut self) -> Result<(), Failure> {
        let (has_input, is_aside) = (!self.keys.are_taken(), self.args.serving.json);
        let started = Beside::start(&self.args.command, has_input, is_aside);
        let beside = started.map_err(|source| CannotRun {
            command: self.command(),
            source,
        })?;
        self.groups.beside.store(beside.id(), Ordering::Relaxed);
        said::beside(&self.output, &self.command(), beside.id())?;
        self.beside = Some(beside);
        Ok(())
    }

    pub(super) fn end_beside(&mut self) {
        if let Some(beside) = self.beside.take() {
            beside.end();
            self.groups.beside.store(0, Ordering::Relaxed);
        }
    }
}

/// The command beside cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("cannot run `{}`", shown(command))]
struct CannotRun {
    command: String,
    source: std::io::Error,
}
