//! A directory of plugins that share an interface: one host for each, as they appear.

use std::collections::BTreeMap;
use std::collections::btree_map::Values;
use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use replug_plugin::Interface;

use super::feed::{Fed, Feed, Owner};
use super::noted::noted;
use super::outcome::{Next, Outcome, Retired};
use super::owner::Host;
use super::retire::Unload;
use crate::boundary::{AnyPlugin, Table, Text, TextFunction};
use crate::error::Error;
use crate::handshake::Expected;
use crate::look::digest::Digest;
use crate::look::naming::plugin_name;
use crate::options::Options;
use crate::store::StoreError;
use crate::warning::Warning;
use crate::watch::update::Update;
use crate::watch::watcher::Watcher;

/// The owner of the live generations of all plugins in a directory.
///
/// Each plugin has a host of its own: a plugin that is kept out, degraded or missing changes nothing for the others.
/// A library that appears is loaded; a library that changes is reloaded. A plugin whose library vanishes stays live
/// and [is missing](Member::is_missing), and whether it is called on is for you to say. Of libraries that are ready
/// at the same poll, those with earlier names are loaded first; the libraries of one cargo build are ready together.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// replug::interface! {
///     /// Changes text.
///     pub interface Filter, plugin trait Change, version 1 {
///         /// Writes what becomes of `text`.
///         fn change(text: &str, changed: replug::Sink<'_>);
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut filters = replug::HostSet::<Filter>::watch(replug::Options::new("filters"))?;
/// loop {
///     if let Some((artifact, outcome)) = filters.wait(Duration::from_secs(1)) {
///         println!("{}: {outcome}", artifact.display());
///     }
///     for filter in filters.iter().filter(|filter| !filter.is_missing()) {
///         let mut changed = Vec::new();
///         filter.change("text", replug::Sink::new(&mut changed))?;
///     }
/// }
/// # }
/// ```
pub struct HostSet<T> {
    members: BTreeMap<Arc<Path>, Member<T>>,
    /// Members that were removed, for as long as there is still something to be done about their generations.
    removed: Vec<Member<T>>,
    new_host: Box<dyn Fn() -> Host<T> + Send>,
    unload: Option<Unload>,
    feed: Feed,
}

/// One plugin of a [`HostSet`].
#[derive(Debug)]
pub struct Member<T> {
    artifact: Arc<Path>,
    host: Host<T>,
    is_missing: bool,
}

impl<T: Interface> HostSet<T> {
    /// Watches a directory for plugins that were built from the declaration of `T`, or that offer more if the
    /// options [expect](Options::expected) them to.
    ///
    /// # Errors
    ///
    /// As [`Watcher::new`].
    pub fn watch(options: Options) -> Result<HostSet<T>, Error> {
        let expected = options.expected.unwrap_or_else(Expected::of::<T>);
        let expected = expected.called_by::<T>();
        let watcher = Watcher::new(options.expected(expected))?;
        Ok(HostSet::with(watcher, move || {
            Host::<T>::new().expecting(expected)
        }))
    }
}

impl HostSet<Text> {
    /// Watches a directory for plugins whose `function` takes and returns text.
    ///
    /// # Errors
    ///
    /// As [`Watcher::new`].
    pub fn watch(function: TextFunction, options: Options) -> Result<HostSet<Text>, Error> {
        let watcher = Watcher::new(options.exports([function.name(), Text::FREE]))?;
        let new_host = move || Host::<Text>::new(function.clone());
        Ok(HostSet::with(watcher, new_host))
    }
}

impl HostSet<AnyPlugin> {
    /// Watches a directory for plugins whose `function` takes and returns text. With
    /// [`or_declared`](Options::or_declared) those with an interface are loaded as well, and nothing of them is called.
    ///
    /// # Errors
    ///
    /// As [`Watcher::new`].
    pub fn watch(function: TextFunction, options: Options) -> Result<HostSet<AnyPlugin>, Error> {
        let watcher = Watcher::new(options.exports([function.name(), Text::FREE]))?;
        let new_host = move || Host::<AnyPlugin>::new(function.clone());
        Ok(HostSet::with(watcher, new_host))
    }
}

impl<T: Table> HostSet<T> {
    /// A set that `watcher` feeds, with a host from `new_host` for each plugin.
    pub fn with(watcher: Watcher, new_host: impl Fn() -> Host<T> + Send + 'static) -> HostSet<T> {
        HostSet {
            members: BTreeMap::new(),
            removed: Vec::new(),
            new_host: Box::new(new_host),
            unload: None,
            feed: Feed::of(watcher),
        }
    }
}

impl<T> HostSet<T> {
    /// Decides about the images of generations that its hosts load from now on, when they are retired.
    pub fn unloading(mut self, unload: Unload) -> HostSet<T> {
        self.unload = Some(unload);
        for member in self.members.values_mut() {
            member.host.set_unload(unload);
        }
        self
    }

    /// The watcher that this set takes its updates from.
    pub fn watcher(&self) -> &Watcher {
        let watcher = self.feed.watcher();
        watcher.expect("a set is made with its watcher")
    }

    /// The queue of this set's updates, for hosts that `select!` and then [`apply`](HostSet::apply).
    pub fn updates(&self) -> &Receiver<Update> {
        self.feed.updates()
    }

    /// Every plugin that was ever ready, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = &Member<T>> {
        self.members.values()
    }

    /// The plugin of this name: the library's file name without `lib` and extension.
    pub fn get(&self, name: &str) -> Option<&Member<T>> {
        self.iter().find(|member| member.name() == name)
    }

    /// Takes the plugin of this name, as for [`get`](HostSet::get), out of the set and out of use: it is retired as if
    /// another generation had taken its place. Should its library be published again, it is taken up again, whatever its
    /// bytes. `None` if there is no such plugin, or no generation of it was live.
    pub fn remove(&mut self, name: &str) -> Option<Retired> {
        let artifact = Arc::clone(&self.get(name)?.artifact);
        let mut member = self.members.remove(&artifact)?;
        self.watcher().forget(&artifact);
        let retired = member.host.withdraw();
        if member.host.has_leftovers() {
            self.removed.push(member);
        }
        retired
    }

    /// Takes the plugin of this name back to the build that was live before, or to that of a digest, as [`Host::back`] does.
    ///
    /// # Errors
    ///
    /// If the set has no store.
    pub fn back(&self, name: &str, to: Option<Digest>) -> Result<(), StoreError> {
        let watcher = self.feed.keeper()?;
        if let Some(member) = self.get(name) {
            watcher.go_back(&member.artifact, to);
        }
        Ok(())
    }

    /// Lets a build be loaded again, as [`Host::release`] does.
    ///
    /// # Errors
    ///
    /// As [`back`](HostSet::back).
    pub fn release(&self, digest: Option<Digest>) -> Result<(), StoreError> {
        self.feed.keeper()?.release(digest);
        Ok(())
    }

    /// Says that a call of the plugin at this path has failed, as [`Host::call_failed`] does.
    ///
    /// # Errors
    ///
    /// As [`back`](HostSet::back).
    pub fn call_failed(&self, artifact: &Path) -> Result<(), StoreError> {
        let watcher = self.feed.keeper()?;
        let live = self.members.get(artifact).and_then(|it| it.live());
        if let Some(digest) = live.map(|live| live.digest()) {
            watcher.call_failed(artifact, digest);
        }
        Ok(())
    }

    /// Applies the next update that waits, if one does, and names its artifact; news about the whole directory names
    /// the directory. Never waits itself.
    pub fn poll(&mut self) -> Option<(Arc<Path>, Outcome)> {
        self.take_waiting()
    }

    /// Waits for the next update, for at most `timeout`, and applies it, as [`Host::wait`] does. `None` after that time.
    pub fn wait(&mut self, timeout: Duration) -> Option<(Arc<Path>, Outcome)> {
        self.take_until(timeout)
    }

    /// Goes on with retired generations as [`Host::sweep`] does, for hosts that `select!` and
    /// [`apply`](HostSet::apply).
    pub fn sweep(&mut self) -> Option<(Arc<Path>, Outcome)> {
        let told = self
            .members
            .values_mut()
            .chain(&mut self.removed)
            .find_map(|member| Some((Arc::clone(&member.artifact), member.host.sweep()?)));
        self.removed.retain(|member| member.host.has_leftovers());
        told
    }

    /// Whether the worker has got stuck in the filesystem since the last question, or has come free again.
    /// [`poll`](HostSet::poll) and [`wait`](HostSet::wait) ask by themselves.
    pub fn stall(&mut self) -> Option<(Arc<Path>, Outcome)> {
        self.take_stall()
    }

    /// Applies one update: loads a copy that is ready, and passes on all other news. `None` if the update brings the
    /// bytes that are live already.
    pub fn apply(&mut self, update: Update) -> Option<(Arc<Path>, Outcome)> {
        let artifact = update.artifact;
        let member = self.members.get(&artifact);
        let live = member.and_then(|member| member.host.generation());
        let outcome = match Next::after(update.news, live) {
            Next::Load(ready) => {
                let new_member = || {
                    let mut host = (self.new_host)();
                    #[cfg(feature = "trial")]
                    host.share_states(self.feed.states());
                    self.unload
                        .iter()
                        .for_each(|unload| host.set_unload(*unload));
                    Member {
                        artifact: Arc::clone(&artifact),
                        host,
                        is_missing: false,
                    }
                };
                let members = &mut self.members;
                let member = members
                    .entry(Arc::clone(&artifact))
                    .or_insert_with(new_member);
                member.is_missing = false;
                let outcome = member.host.take_up(&artifact, ready, &mut |_| Ok(()))?;
                self.feed.report(&artifact, &outcome);
                if member.host.has_lost_copy(&outcome) {
                    self.feed.stage_again(&artifact);
                }
                outcome
            }
            Next::Tell(outcome) => outcome,
        };
        if let Some(member) = self.members.get_mut(&artifact) {
            member.is_missing = match outcome {
                Outcome::Missing => true,
                Outcome::Returned => false,
                _ => member.is_missing,
            };
        }
        let outcome = noted(&artifact, outcome);
        Some((artifact, outcome))
    }
}

impl<T> Owner for HostSet<T> {
    type Told = (Arc<Path>, Outcome);

    fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    fn take(&mut self, fed: Fed) -> Option<(Arc<Path>, Outcome)> {
        match fed {
            Fed::Update(update) => self.apply(*update),
            Fed::Stall(stall) => {
                let path = self.watcher().path();
                Some((Arc::clone(path), stall.into()))
            }
            Fed::Forked => {
                let path = self.watcher().path();
                Some((Arc::clone(path), Outcome::Warned(Warning::Forked)))
            }
        }
    }

    fn sweep_up(&mut self) -> Option<(Arc<Path>, Outcome)> {
        self.sweep()
    }
}

impl<'a, T> IntoIterator for &'a HostSet<T> {
    type Item = &'a Member<T>;
    type IntoIter = Values<'a, Arc<Path>, Member<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.values()
    }
}

impl<T> fmt::Debug for HostSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(Member::name);
        f.debug_set().entries(names).finish()
    }
}

impl<T> Member<T> {
    /// The plugin's name.
    pub fn name(&self) -> String {
        plugin_name(&self.artifact)
    }

    /// The path of the plugin's library.
    pub fn artifact(&self) -> &Path {
        &self.artifact
    }

    /// Whether the plugin's library is gone. The plugin is still live.
    pub fn is_missing(&self) -> bool {
        self.is_missing
    }
}

impl<T> Deref for Member<T> {
    type Target = Host<T>;

    fn deref(&self) -> &Host<T> {
        &self.host
    }
}
