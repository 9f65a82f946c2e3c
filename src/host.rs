//! The second half: owns the live generation, and changes it only inside a call that its owner makes. It does
//! not know how an artifact was found.

use std::ffi::{CStr, CString};
use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::digest::Digest;
use crate::error::Error;
use crate::options::Options;
use crate::outcome::{Loaded, Outcome, Retired};
use crate::plugin::{Image, LoadFailure, Raw, Text};
use crate::pulse::Stall;
use crate::stage::Staged;
use crate::update::{Kept, News, Ready, Update};
use crate::watcher::Watcher;

/// Owns the live generation of one plugin, whose functions are a `T`.
///
/// Loading happens only inside [`poll`](Host::poll), [`wait`](Host::wait) and [`apply`](Host::apply), on the
/// thread that calls them. Whatever fails there, the live generation stays.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use replug::{Host, Options, Text};
///
/// let options = Options::new("target/debug/libplugin01.so");
/// let mut host = Host::<Text>::watch(c"plugin_function", options)?;
/// loop {
///     if let Some(outcome) = host.wait(Duration::from_secs(1)) {
///         println!("{outcome:?}");
///     }
///     if let Some(plugin) = host.live() {
///         println!("generation {}: {:?}", plugin.generation(), plugin.call(c"world"));
///     }
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), replug::Error>(())
/// ```
pub struct Host<T> {
    live: Option<Plugin<T>>,
    bind: Bind<T>,
    generations: u64,
    updates: Receiver<Update>,
    watcher: Option<Watcher>,
}

/// Makes the table of functions out of an image, resolving all it will ever need.
type Bind<T> = Box<dyn Fn(&Image) -> Result<T, LoadFailure> + Send>;

/// One generation of a plugin.
#[derive(Debug)]
pub struct Plugin<T> {
    table: T,
    /// Counts as in use, for the ceiling on thread-local keys, until this generation is retired.
    _image: Image,
    staged: Staged,
    generation: u64,
    digest: Digest,
}

impl Host<Raw> {
    /// A host that looks symbols up by name. Each of `names` must be in every generation.
    pub fn new<S: Into<CString>>(names: impl IntoIterator<Item = S>) -> Host<Raw> {
        let names: Vec<CString> = names.into_iter().map(Into::into).collect();
        Host::with(move |image| Raw::bind(image, &names))
    }
}

impl Host<Text> {
    /// A host that calls `function`, which takes and returns text.
    pub fn new(function: &CStr) -> Host<Text> {
        let function = function.to_owned();
        Host::with(move |image| Text::bind(image, &function))
    }

    /// Watches for a plugin whose `function` takes and returns text; vet checks that it exports what that takes.
    ///
    /// # Errors
    ///
    /// As [`Watcher::new`].
    pub fn watch(function: &CStr, options: Options) -> Result<Host<Text>, Error> {
        let watcher = Watcher::new(options.exports([function, Text::FREE]))?;
        Ok(Host::<Text>::new(function).watching(watcher))
    }
}

impl<T> Host<T> {
    /// A host whose table of functions is made by `bind`. Symbols that `bind` does not resolve are never
    /// looked for later, so a generation that has gone live is complete.
    pub fn with(bind: impl Fn(&Image) -> Result<T, LoadFailure> + Send + 'static) -> Host<T> {
        Host {
            live: None,
            bind: Box::new(bind),
            generations: 0,
            updates: crossbeam_channel::never(),
            watcher: None,
        }
    }

    /// Takes its updates from `watcher`, and owns it from now on.
    pub fn watching(mut self, watcher: Watcher) -> Host<T> {
        self.updates = watcher.updates().clone();
        self.watcher = Some(watcher);
        self
    }

    /// The watcher it takes its updates from.
    pub fn watcher(&self) -> Option<&Watcher> {
        self.watcher.as_ref()
    }

    /// Where its updates come from, for hosts that `select!` and then [`apply`](Host::apply).
    pub fn updates(&self) -> &Receiver<Update> {
        &self.updates
    }

    /// The live generation, if there is one yet.
    pub fn live(&self) -> Option<&Plugin<T>> {
        self.live.as_ref()
    }

    /// Applies the next update that waits, if one does. Never waits itself.
    pub fn poll(&mut self) -> Option<Outcome> {
        while let Ok(update) = self.updates.try_recv() {
            if let Some(outcome) = self.apply(update) {
                return Some(outcome);
            }
        }
        self.stall()
    }

    /// What the worker cannot say itself.
    fn stall(&mut self) -> Option<Outcome> {
        Some(match self.watcher.as_mut()?.stall()? {
            Stall::Begun(since) => Outcome::Stalled(since),
            Stall::Over => Outcome::Recovered,
        })
    }

    /// Waits for the next update, for at most `timeout`, and applies it. `None` after that time.
    pub fn wait(&mut self, timeout: Duration) -> Option<Outcome> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map_or(timeout, |at| at.saturating_duration_since(Instant::now()));
            // A stuck worker wakes nobody.
            let update = self.updates.recv_timeout(left.min(Watcher::STALL_CHECK));
            match update.map(|update| self.apply(update)) {
                Ok(None) => {}
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Timeout) => match self.stall() {
                    None if left > Watcher::STALL_CHECK => {}
                    outcome => return outcome,
                },
                Err(RecvTimeoutError::Disconnected) => {
                    tracing::error!(
                        "the worker has ended by a fault in replug; nothing will be reloaded any more"
                    );
                    self.updates = crossbeam_channel::never();
                }
            }
        }
    }

    /// Applies one update: loads what is ready, and passes on the rest. `None` if it brings the bytes that are
    /// live already.
    pub fn apply(&mut self, update: Update) -> Option<Outcome> {
        let ready = match update.news {
            News::Ready(ready) => ready,
            News::Kept(kept) => return Some(Outcome::Kept(kept)),
            News::Waiting(reason) => return Some(Outcome::Waiting(reason)),
            News::Missing => return Some(Outcome::Missing),
            News::Returned => return Some(Outcome::Returned),
            News::Degraded(error) => return Some(Outcome::Degraded(error)),
            News::Recovered => return Some(Outcome::Recovered),
        };
        if self
            .live
            .as_ref()
            .is_some_and(|live| live.digest == ready.digest)
        {
            return None;
        }
        let digest = Some(ready.digest);
        Some(match self.load(ready) {
            Ok(loaded) => Outcome::Loaded(loaded),
            Err(source) => {
                let error = Error::Load {
                    path: update.artifact.to_path_buf(),
                    source,
                };
                Outcome::Kept(Kept { digest, error })
            }
        })
    }

    /// New before old: only when the new image is mapped, is provably another one and has all its symbols does
    /// it take the old one's place.
    fn load(&mut self, ready: Ready) -> Result<Loaded, LoadFailure> {
        let begun = Instant::now();
        let image = Image::open(ready.staged.path())?;
        let table = (self.bind)(&image)?;
        self.generations += 1;
        let staged = ready.staged.path().to_owned();
        let (digest, generation) = (ready.digest, self.generations);
        let new = Plugin {
            table,
            _image: image,
            staged: ready.staged,
            generation,
            digest,
        };
        let old = self.live.replace(new);
        let swapped = Instant::now();
        let latency = swapped.saturating_duration_since(ready.first_seen);
        let retired = old.map(Plugin::retire);
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
}

impl<T> Deref for Host<T> {
    type Target = T;

    /// The live generation's functions.
    ///
    /// # Panics
    ///
    /// If there is no live generation yet. [`Host::live`] asks without panicking.
    fn deref(&self) -> &T {
        &self
            .live
            .as_ref()
            .expect("no generation of the plugin is live yet")
            .table
    }
}

impl<T> fmt::Debug for Host<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("generation", &self.live.as_ref().map(Plugin::generation))
            .field("generations", &self.generations)
            .finish_non_exhaustive()
    }
}

impl<T> Plugin<T> {
    /// Takes it out of use. Its staged copy leaves the disk; its image stays mapped.
    fn retire(self) -> Retired {
        Retired {
            generation: self.generation,
            unloaded: false,
            reason: "kept mapped, because something may still reach its code",
        }
    }

    /// How many successful loads it took to come here; the first is 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The private copy that was loaded.
    pub fn staged(&self) -> &Path {
        self.staged.path()
    }
}

impl<T> Deref for Plugin<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.table
    }
}
