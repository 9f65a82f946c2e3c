//! The owner of one plugin: it has the live generation, and changes it only inside a call that its own owner makes.

use std::cell::OnceCell;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use replug_plugin::Interface;
#[cfg(feature = "trial")]
use replug_plugin::shown::shown;

use super::build::Build;
use super::company;
use super::feed::{Fed, Feed, Owner};
use super::handle::{Handle, Publish};
use super::live::{Live, Plugin};
use super::lost::Lost;
use super::noted::noted;
use super::outcome::{Kept, Loaded, Next, NotLive, Outcome, Retired};
use super::retire::{Leftovers, Unload};
use super::succeed::{HandOver, Handover, prepare, stop_in_vain};
use crate::boundary::{self, Bound, BoundHooks, Image, LoadFailure, State, Table};
use crate::error::Error;
use crate::handshake::{Expected, Met};
use crate::look::digest::Digest;
use crate::look::process::Process;
use crate::options::Options;
use crate::store::{StoreError, prefix_of};
#[cfg(feature = "trial")]
use crate::trials::states::States;
use crate::warning::Warning;
use crate::watch::update::{Ready, Update};
use crate::watch::watcher::Watcher;

/// The owner of the live generation of one plugin, whose functions are a `T`.
///
/// Loading happens only inside [`poll`](Host::poll), [`wait`](Host::wait) and [`apply`](Host::apply), on the
/// thread that calls them. Whatever fails there, the live generation stays.
///
/// A host is made by [`watch`](Host::watch), which watches a path; by `new`, for updates that are brought by
/// [`apply`](Host::apply); or by [`with`](Host::with), for a table of one's own. A chain of
/// [`expecting`](Host::expecting), [`watching`](Host::watching), [`unloading`](Host::unloading) says the rest.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use replug::{Host, Options};
///
/// replug::interface! {
///     /// Adds.
///     pub interface Adder, plugin trait Add, version 1 {
///         /// The sum.
///         fn add(one: u32, other: u32) -> u32;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut host = Host::<Adder>::watch(Options::new("target/debug/libadder.so"))?;
/// loop {
///     if let Some(outcome) = host.wait(Duration::from_secs(1)) {
///         println!("{outcome}");
///     }
///     if let Some(adder) = host.live() {
///         println!("generation {}: {}", adder.generation(), adder.add(1, 2)?);
///     }
/// }
/// # }
/// ```
pub struct Host<T> {
    /// The live generation's functions, or functions that say that there is no generation: calls go through here and
    /// nowhere else.
    table: T,
    live: Option<Live>,
    bind: Bind<T>,
    generations: u64,
    feed: Feed,
    unload: Unload,
    /// Retired generations that cannot be stopped or unmapped yet.
    leftovers: Leftovers,
    /// The copies that were taken away before they were loaded.
    lost: Lost,
    /// Where a trial looks for the state of the live generation, if that is wanted.
    #[cfg(feature = "trial")]
    states: Option<States>,
    /// The way to tell handles of a swap, once there are handles.
    published: OnceCell<Box<dyn Publish<T>>>,
    /// The process that the host was made in.
    process: Process,
}

/// Makes the table of functions out of an image, resolving all symbols that the table will ever need.
type Bind<T> = Box<dyn FnMut(&Image) -> Result<Bound<T>, LoadFailure> + Send>;

/// Takes the functions of a `T` out of images whose declaration is the expected one.
fn binds<T: Interface>(
    expected: Expected,
) -> impl FnMut(&Image) -> Result<Bound<T>, LoadFailure> + Send {
    let mut met = Met::never(expected.called_by::<T>());
    move |image| Bound::of(image, &mut met)
}

impl<T: Interface> Host<T> {
    /// A host of plugins that were built from the declaration of `T`.
    pub fn new() -> Host<T> {
        Host::binding(binds(Expected::of::<T>()))
    }

    /// Watches for a plugin that was built from the declaration of `T`, or that offers more if the
    /// options [expect](Options::expected) it to. A directory of plugins is for a [`HostSet`](crate::HostSet): a host
    /// would swap one plugin for another.
    ///
    /// # Errors
    ///
    /// As [`Watcher::new`].
    pub fn watch(options: Options) -> Result<Host<T>, Error> {
        let expected = options.expected.unwrap_or_else(Expected::of::<T>);
        let expected = expected.called_by::<T>();
        let watcher = Watcher::new(options.expected(expected))?;
        Ok(Host::<T>::new().expecting(expected).watching(watcher))
    }

    /// Accepts plugins that offer more than `T` declares, if `expected` [allows more](Expected::or_more). The
    /// functions that are called stay those of `T`, whatever `expected` was made of.
    pub fn expecting(mut self, expected: Expected) -> Host<T> {
        self.bind = Box::new(binds(expected));
        self
    }

    /// A way to call the live generation from other threads.
    pub fn handle(&self) -> Handle<T> {
        let image = self.live.as_ref().map(|live| &live.image);
        let table = &self.table;
        let first = || Box::new(Handle::new(table, image)) as Box<dyn Publish<T>>;
        self.published.get_or_init(first).handle()
    }
}

impl<T: Interface> Default for Host<T> {
    fn default() -> Host<T> {
        Host::<T>::new()
    }
}

impl<T: Table> Host<T> {
    /// A host whose table of functions is made by `bind`. Symbols that `bind` does not resolve are never
    /// looked for later, so a generation that has gone live is complete.
    pub fn with(bind: impl Fn(&Image) -> Result<T, LoadFailure> + Send + 'static) -> Host<T> {
        Host::binding(move |image| {
            let table = bind(image)?;
            Ok(Bound { table, hooks: None })
        })
    }

    fn binding(
        bind: impl FnMut(&Image) -> Result<Bound<T>, LoadFailure> + Send + 'static,
    ) -> Host<T> {
        Host {
            table: T::absent(),
            live: None,
            bind: Box::new(bind),
            generations: 0,
            feed: Feed::none(),
            unload: Unload::Never,
            leftovers: Leftovers::default(),
            lost: Lost::default(),
            #[cfg(feature = "trial")]
            states: None,
            published: OnceCell::new(),
            process: Process::this(),
        }
    }
}

impl<T> Host<T> {
    /// Chooses what becomes of the images of generations that this host loads from now on, when they are retired.
    pub fn unloading(mut self, unload: Unload) -> Host<T> {
        self.set_unload(unload);
        self
    }

    pub(super) fn set_unload(&mut self, unload: Unload) {
        self.unload = unload;
    }

    /// Makes this host take its updates from `watcher`, and own the watcher from now on.
    pub fn watching(mut self, watcher: Watcher) -> Host<T> {
        self.feed = Feed::of(watcher);
        #[cfg(feature = "trial")]
        self.share_states(self.feed.states());
        self
    }

    /// Leaves the state of each live generation where a trial looks for it.
    #[cfg(feature = "trial")]
    pub(super) fn share_states(&mut self, states: Option<States>) {
        self.states = states;
    }

    /// Takes the functions out of an image.
    #[cfg(feature = "trial")]
    pub(super) fn bind(&mut self, image: &Image) -> Result<Bound<T>, LoadFailure> {
        (self.bind)(image)
    }

    /// The watcher that this host takes its updates from.
    pub fn watcher(&self) -> Option<&Watcher> {
        self.feed.watcher()
    }

    /// The queue of this host's updates, for hosts that `select!` and then [`apply`](Host::apply), and
    /// [`sweep`](Host::sweep).
    pub fn updates(&self) -> &Receiver<Update> {
        self.feed.updates()
    }

    /// The live generation, if there is one yet.
    pub fn live(&self) -> Option<Plugin<'_, T>> {
        let table = &self.table;
        self.live.as_ref().map(|live| Plugin { table, live })
    }

    /// Applies the next update that waits, if one does. Never waits itself.
    pub fn poll(&mut self) -> Option<Outcome> {
        self.take_waiting()
    }

    /// Waits for the next update, for at most `timeout`, and applies it; or until there is something to tell of a retired
    /// generation. `None` after that time.
    pub fn wait(&mut self, timeout: Duration) -> Option<Outcome> {
        self.take_until(timeout)
    }

    /// Whether the worker has got stuck in the filesystem since this was last asked, or has come free again.
    /// [`poll`](Host::poll) and [`wait`](Host::wait) ask by themselves; a host that does a `select!` of its own asks
    /// here, every [`STALL_CHECK`](Watcher::STALL_CHECK) or so.
    pub fn stall(&mut self) -> Option<Outcome> {
        self.take_stall()
    }

    /// Goes on with retired generations that could not be stopped or unmapped yet. [`poll`](Host::poll) and
    /// [`wait`](Host::wait) do so by themselves, a long wait every [`STALL_CHECK`](Watcher::STALL_CHECK); a host that
    /// calls [`apply`](Host::apply) instead calls this now and then.
    pub fn sweep(&mut self) -> Option<Outcome> {
        // The threads that `stop` would wait for are the parent's.
        let is_own = !self.process.is_another();
        let told = is_own.then(|| self.leftovers.sweep()).flatten();
        told.map(Outcome::Retired)
    }

    /// Waits until generation `number`, or a later one, is live, and applies all updates that come until then. For
    /// tests of a plugin: build it, wait for the next generation, call it.
    ///
    /// # Errors
    ///
    /// If that generation is not live at `deadline`; the error has the reason why a build was kept out meanwhile.
    pub fn wait_for_generation(&mut self, number: u64, deadline: Instant) -> Result<(), NotLive> {
        let mut kept = None;
        while self.generations < number {
            self.sweep();
            let is_last = Feed::waits_until(Some(deadline));
            let Some(fed) = self.feed.wait(Some(deadline)) else {
                if !is_last {
                    continue;
                }
                let live = self.generation();
                return Err(NotLive { number, live, kept });
            };
            match self.take(fed) {
                Some(Outcome::Kept(news)) => kept = Some(news.error),
                Some(Outcome::Loaded(_)) => kept = None,
                _ => {}
            }
        }
        Ok(())
    }

    /// Goes back to the build that was live before this one: out of the [store](Options::store), at once, without its builder, and
    /// through the same steps as every update. What comes of it is the outcome of a later [`poll`](Host::poll): `Loaded`, or `Kept`
    /// at the step `store`. The build that was live is then left: it is not loaded again until its bytes differ or it is
    /// [released](Host::release).
    ///
    /// # Errors
    ///
    /// If the host has no store.
    pub fn back(&self) -> Result<(), StoreError> {
        let watcher = self.feed.keeper()?;
        watcher.go_back(watcher.path(), None);
        Ok(())
    }

    /// Goes back to the build of this digest, as [`back`](Host::back) does to the one before.
    ///
    /// # Errors
    ///
    /// As [`back`](Host::back).
    pub fn back_to(&self, digest: Digest) -> Result<(), StoreError> {
        let watcher = self.feed.keeper()?;
        watcher.go_back(watcher.path(), Some(digest));
        Ok(())
    }

    /// Lets the build of this digest be loaded again, if it was left or has ended its host; all such builds without a digest. If it
    /// is at its path, it is loaded.
    ///
    /// # Errors
    ///
    /// As [`back`](Host::back).
    pub fn release(&self, digest: Option<Digest>) -> Result<(), StoreError> {
        self.feed.keeper()?.release(digest);
        Ok(())
    }

    /// Says that a call of the live generation has failed, for a host that wants to [go back](Options::probation_failures) from a
    /// build of which too many do while it is on probation.
    ///
    /// # Errors
    ///
    /// As [`back`](Host::back).
    pub fn call_failed(&self) -> Result<(), StoreError> {
        let watcher = self.feed.keeper()?;
        if let Some(live) = &self.live {
            watcher.call_failed(live.build.path(), live.build.digest);
        }
        Ok(())
    }

    /// Applies one update: loads a copy that is ready, and passes on all other news. `None` if the update brings the
    /// bytes that are live already.
    pub fn apply(&mut self, update: Update) -> Option<Outcome> {
        self.apply_with(update, &mut |_| Ok(()))
    }

    pub(super) fn apply_with(
        &mut self,
        update: Update,
        hand_over: HandOver<'_, T>,
    ) -> Option<Outcome> {
        let outcome = match Next::after(update.news, self.generation()) {
            Next::Load(ready) => {
                let outcome = self.take_up(&update.artifact, ready, hand_over)?;
                self.feed.report(&update.artifact, &outcome);
                if self.has_lost_copy(&outcome) {
                    self.feed.stage_again(&update.artifact);
                }
                outcome
            }
            Next::Tell(outcome) => outcome,
        };
        Some(noted(&update.artifact, outcome))
    }

    pub(super) fn take_with(&mut self, fed: Fed, hand_over: HandOver<'_, T>) -> Option<Outcome> {
        match fed {
            Fed::Update(update) => self.apply_with(*update, hand_over),
            Fed::Stall(stall) => Some(stall.into()),
            Fed::Forked => Some(Outcome::Warned(Warning::Forked)),
        }
    }

    /// Loads a copy that is ready, unless its bytes are live already.
    pub(super) fn take_up(
        &mut self,
        artifact: &Arc<Path>,
        ready: Ready,
        hand_over: HandOver<'_, T>,
    ) -> Option<Outcome> {
        let live = self.live.as_ref();
        if live.is_some_and(|live| live.build.digest == ready.digest) {
            return None;
        }
        let digest = Some(ready.digest);
        Some(match self.load(artifact, ready, hand_over) {
            Ok(loaded) => Outcome::Loaded(loaded),
            Err(error) => Outcome::Kept(Kept {
                live: self.generation(),
                digest,
                error,
            }),
        })
    }

    /// Whether a build was kept out because its copy was taken away, so that the worker is to make another one. To be
    /// asked once for each build that was taken up.
    pub(super) fn has_lost_copy(&mut self, outcome: &Outcome) -> bool {
        self.lost.calls_for_another(outcome)
    }

    /// Takes the live generation out of use, for good: handles find none any more. `None` if none is live.
    pub(super) fn withdraw(&mut self) -> Option<Retired> {
        if let Some(published) = self.published.get() {
            published.withdraw();
        }
        let live = self.live.take()?;
        live.claim.falls(live.build.path());
        #[cfg(feature = "trial")]
        if let Some(states) = &self.states {
            states.keep(live.build.path(), None);
        }
        Some(self.retire(live))
    }

    /// Whether a retired generation cannot be stopped or unmapped yet.
    pub(super) fn has_leftovers(&self) -> bool {
        !self.leftovers.is_empty()
    }

    /// The number of the live generation.
    pub(super) fn generation(&self) -> Option<u64> {
        self.live.as_ref().map(|live| live.generation)
    }

    /// New before old: only when the new image is mapped, is provably another one, has all its symbols and is ready
    /// does it take the old one's place.
    fn load(
        &mut self,
        artifact: &Arc<Path>,
        ready: Ready,
        hand_over: HandOver<'_, T>,
    ) -> Result<Loaded, Error> {
        let begun = Instant::now();
        ready.claim.check(artifact).map_err(|source| {
            let path = artifact.to_path_buf();
            Error::Admission { path, source }
        })?;
        let build = Build::of(artifact, ready.digest);
        let is_to_go = self.unload == Unload::WhenProven;
        let number = ready.is_kept.then(|| prefix_of(ready.digest));
        let _loading = number.map(boundary::Loading::begin);
        let image = self.open(&build, &ready, is_to_go);
        let watched = image.as_ref().ok().zip(number);
        let watched = watched.map(|(image, number)| boundary::watch(image, number));
        let bound = image.and_then(|image| Ok(((self.bind)(&image)?, image)));
        let (Bound { table, hooks }, image) = bound.map_err(|failure| {
            let path = artifact.to_path_buf();
            match failure {
                LoadFailure::Handshake(source) => Error::Handshake { path, source },
                source => Error::Load { path, source },
            }
        })?;
        let image = Arc::new(image);
        let old = self.live.as_ref().and_then(|live| live.hooks.as_ref());
        let taken_over = match prepare(&build, hooks.as_ref(), old) {
            Ok(taken_over) => taken_over,
            Err((hook, source)) => {
                self.leftovers.dispose(build, image);
                let path = artifact.to_path_buf();
                return Err(Error::Hook { path, hook, source });
            }
        };
        let generations = Handover {
            new: &table,
            old: self.live.is_some().then_some(&self.table),
        };
        if let Err(source) = hand_over(generations) {
            stop_in_vain(&build, hooks.as_ref());
            self.leftovers.dispose(build, image);
            let path = artifact.to_path_buf();
            return Err(Error::Handover { path, source });
        }
        self.leave_state(artifact, hooks.as_ref(), taken_over);
        self.generations += 1;
        let staged = ready.staged.path().to_owned();
        let (digest, generation) = (ready.digest, self.generations);
        ready.claim.stands(artifact);
        let new = Live {
            hooks,
            image,
            staged: ready.staged,
            claim: ready.claim,
            _siblings: ready.siblings,
            _watched: watched,
            build: build.live_as(generation),
            #[cfg(feature = "testing")]
            own: ready.own,
            generation,
        };
        self.table = table;
        if let Some(published) = self.published.get() {
            published.publish(&self.table, &new.image);
        }
        let old = self.live.replace(new);
        let swapped = Instant::now();
        let latency = swapped.saturating_duration_since(ready.first_seen);
        let retired = old.map(|old| self.retire(old));
        let pause = begun.elapsed();
        Ok(Loaded {
            generation,
            digest,
            staged,
            latency,
            pause,
            retired,
        })
    }

    /// Leaves the state of a generation that is about to be live where a trial looks for it: what it took over, or what it
    /// begins with.
    #[cfg(feature = "trial")]
    fn leave_state(&self, artifact: &Path, hooks: Option<&BoundHooks>, taken_over: Option<State>) {
        let Some(states) = &self.states else {
            return;
        };
        let begun_with = || match hooks.map_or(Ok(None), BoundHooks::save) {
            Ok(state) => state,
            Err(error) => {
                tracing::debug!(artifact = %shown(artifact), %error, "no state for a trial");
                None
            }
        };
        let state = taken_over.or_else(begun_with);
        states.keep(artifact, state.map(State::into_parts));
    }

    #[cfg(not(feature = "trial"))]
    fn leave_state(&self, _: &Path, _: Option<&BoundHooks>, _: Option<State>) {}

    /// Maps the very file that was vetted. The loader opens it once more by its path, so the path is compared with the
    /// vetted file before and after: a descriptor in place of the path would leave debuggers and backtraces without a
    /// file.
    fn open(&mut self, build: &Build, ready: &Ready, is_to_go: bool) -> Result<Image, LoadFailure> {
        let image = company::open(ready, build.path(), is_to_go)?;
        if let Err(failure) = company::is_vetted(&ready.staged) {
            self.leftovers.dispose(build.clone(), Arc::new(image));
            return Err(failure);
        }
        Ok(image)
    }

    /// Takes a generation out of use. Its staged copy leaves the disk when the worker next polls.
    fn retire(&mut self, old: Live) -> Retired {
        let Live {
            hooks,
            image,
            staged,
            build,
            ..
        } = old;
        drop(staged);
        self.leftovers.retire(build, hooks, image)
    }
}

impl<T> Owner for Host<T> {
    type Told = Outcome;

    fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    fn take(&mut self, fed: Fed) -> Option<Outcome> {
        self.take_with(fed, &mut |_| Ok(()))
    }

    fn sweep_up(&mut self) -> Option<Outcome> {
        self.sweep()
    }
}

impl<T> Drop for Host<T> {
    /// Stops the live generation, and every retired generation that was not stopped yet, even while a handle lends
    /// it. Handles find no generation any more. In a process that was forked from that of the host, nothing is stopped and
    /// nothing is removed.
    fn drop(&mut self) {
        if self.process.is_another() {
            // The threads that `stop` would wait for are the parent's, as the copies are.
            mem::forget(self.live.take());
            mem::forget(mem::take(&mut self.leftovers));
            return;
        }
        self.withdraw();
        self.leftovers.abandon();
    }
}

impl<T> Deref for Host<T> {
    type Target = T;

    /// The live generation's functions. While there is no generation, the functions of an interface say so; a host of
    /// text or symbols has no functions then.
    fn deref(&self) -> &T {
        &self.table
    }
}

impl<T> fmt::Debug for Host<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("generation", &self.generation())
            .field("generations", &self.generations)
            .finish_non_exhaustive()
    }
}
