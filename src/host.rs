//! The second half: owns the live generation, and changes it only inside a call that its owner makes. It does
//! not know how an artifact was found.

mod retire;
mod succeed;

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::boundary::{Bound, BoundHooks, Image, LoadFailure, Raw, Text};
use crate::digest::Digest;
use crate::error::Error;
use crate::feed::{Fed, Feed};
use crate::handle::{Handle, Publish};
use crate::handshake::Expected;
use replug_plugin::Interface;
use crate::options::Options;
use crate::outcome::{Loaded, NotLive, Outcome};
use crate::stage::Staged;
use crate::update::{Kept, Ready, Update};
use crate::watcher::Watcher;

use self::retire::Leftover;
pub use self::retire::Unload;
use self::succeed::prepare;

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
    /// The live generation's functions, or ones that say that there is none: calls go through here and nowhere else.
    table: T,
    live: Option<Live>,
    bind: Bind<T>,
    generations: u64,
    feed: Feed,
    unload: Unload,
    /// What was retired and cannot be stopped or unmapped yet.
    leftovers: VecDeque<Leftover>,
    /// Tells handles of a swap, once there are any.
    published: Option<Box<dyn Publish<T>>>,
}

/// The functions of a plugin, as a host calls them.
pub trait Table: Sized {
    /// Those of a plugin that is not there yet.
    fn absent() -> Self;
}

impl<T: Interface> Table for T {
    fn absent() -> T {
        Interface::absent()
    }
}

/// Makes the table of functions out of an image, resolving all it will ever need.
type Bind<T> = Box<dyn Fn(&Image) -> Result<Bound<T>, LoadFailure> + Send>;

/// What is live, beside its functions.
#[derive(Debug)]
struct Live {
    hooks: Option<BoundHooks>,
    /// Counts as in use, for the ceiling on thread-local keys, until this generation is retired.
    image: Arc<Image>,
    staged: Staged,
    generation: u64,
    digest: Digest,
}

/// The live generation of a plugin.
#[derive(Debug)]
pub struct Plugin<'a, T> {
    table: &'a T,
    live: &'a Live,
}

impl<T: Interface> Host<T> {
    /// A host of plugins that were built from the declaration of `T`.
    pub fn new() -> Host<T> {
        Host::expecting(Expected::of::<T>())
    }

    /// The same of plugins that may offer more, if `expected` says so. It says nothing else: what is called is `T`.
    pub fn expecting(expected: Expected) -> Host<T> {
        Host::binding(move |image| Bound::of(image, expected))
    }

    /// Watches for a plugin that was built from the declaration of `T`, or that offers more if the
    /// options [expect](Options::expected) it to.
    ///
    /// # Errors
    ///
    /// As [`Watcher::new`].
    pub fn watch(options: Options) -> Result<Host<T>, Error> {
        let expected = options.expected.unwrap_or_else(Expected::of::<T>);
        let expected = expected.called_by::<T>();
        let watcher = Watcher::new(options.expected(expected))?;
        Ok(Host::<T>::expecting(expected).watching(watcher))
    }
}

impl<T: Interface> Host<T> {
    /// A way to call the live generation from other threads.
    pub fn handle(&mut self) -> Handle<T> {
        let image = self.live.as_ref().map(|live| &live.image);
        let table = &self.table;
        let first = || Box::new(Handle::new(table, image)) as Box<dyn Publish<T>>;
        self.published.get_or_insert_with(first).handle()
    }
}

impl<T: Interface> Default for Host<T> {
    fn default() -> Host<T> {
        Host::<T>::new()
    }
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

impl<T: Table> Host<T> {
    /// A host whose table of functions is made by `bind`. Symbols that `bind` does not resolve are never
    /// looked for later, so a generation that has gone live is complete.
    pub fn with(bind: impl Fn(&Image) -> Result<T, LoadFailure> + Send + 'static) -> Host<T> {
        Host::binding(move |image| {
            let table = bind(image)?;
            Ok(Bound { table, hooks: None })
        })
    }

    fn binding(bind: impl Fn(&Image) -> Result<Bound<T>, LoadFailure> + Send + 'static) -> Host<T> {
        Host {
            table: T::absent(),
            live: None,
            bind: Box::new(bind),
            generations: 0,
            feed: Feed::none(),
            unload: Unload::Never,
            leftovers: VecDeque::new(),
            published: None,
        }
    }
}

impl<T> Host<T> {
    /// What becomes of the images of generations that it loads from now on, when they are retired.
    pub fn unloading(mut self, unload: Unload) -> Host<T> {
        self.unload = unload;
        self
    }

    /// Takes its updates from `watcher`, and owns it from now on.
    pub fn watching(mut self, watcher: Watcher) -> Host<T> {
        self.feed = Feed::of(watcher);
        self
    }

    /// The watcher it takes its updates from.
    pub fn watcher(&self) -> Option<&Watcher> {
        self.feed.watcher()
    }

    /// Where its updates come from, for hosts that `select!` and then [`apply`](Host::apply), and [`sweep`](Host::sweep).
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
        loop {
            let Some(fed) = self.feed.poll() else {
                return self.sweep();
            };
            if let Some(outcome) = self.take(fed) {
                return Some(outcome);
            }
        }
    }

    /// Waits for the next update, for at most `timeout`, and applies it. `None` after that time.
    pub fn wait(&mut self, timeout: Duration) -> Option<Outcome> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let Some(fed) = self.feed.wait(deadline) else {
                return self.sweep();
            };
            if let Some(outcome) = self.take(fed) {
                return Some(outcome);
            }
        }
    }

    /// Waits until generation `number`, or a later one, is live, and applies all that comes until then. For tests of a
    /// plugin: build it, wait for the next generation, call it.
    ///
    /// # Errors
    ///
    /// If it is not live at `deadline`; with what was kept out meanwhile.
    pub fn wait_for_generation(&mut self, number: u64, deadline: Instant) -> Result<(), NotLive> {
        let mut kept = None;
        while self.generations < number {
            self.sweep();
            let Some(fed) = self.feed.wait(Some(deadline)) else {
                let live = self.live.as_ref().map(|live| live.generation);
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

    fn take(&mut self, fed: Fed) -> Option<Outcome> {
        match fed {
            Fed::Update(update) => self.apply(update),
            Fed::Stall(stall) => Some(stall.into()),
        }
    }

    /// Applies one update: loads what is ready, and passes on the rest. `None` if it brings the bytes that are
    /// live already.
    pub fn apply(&mut self, update: Update) -> Option<Outcome> {
        match Outcome::of(update.news) {
            Ok(outcome) => Some(outcome),
            Err(ready) => self.take_up(&update.artifact, ready),
        }
    }

    /// Loads what is ready, unless it is live already.
    pub(crate) fn take_up(&mut self, artifact: &Path, ready: Ready) -> Option<Outcome> {
        let live = self.live.as_ref();
        if live.is_some_and(|live| live.digest == ready.digest) {
            return None;
        }
        let digest = Some(ready.digest);
        Some(match self.load(artifact, ready) {
            Ok(loaded) => Outcome::Loaded(loaded),
            Err(error) => Outcome::Kept(Kept { digest, error }),
        })
    }

    /// New before old: only when the new image is mapped, is provably another one, has all its symbols and is ready does
    /// it take the old one's place.
    fn load(&mut self, artifact: &Path, ready: Ready) -> Result<Loaded, Error> {
        let begun = Instant::now();
        let is_to_go = self.unload == Unload::WhenProven;
        let image = Image::open(ready.staged.path(), is_to_go);
        let bound = image.and_then(|image| Ok(((self.bind)(&image)?, image)));
        let (Bound { table, hooks }, image) = bound.map_err(|failure| {
            let path = artifact.to_owned();
            match failure {
                LoadFailure::Handshake(source) => Error::Handshake { path, source },
                source => Error::Load { path, source },
            }
        })?;
        let image = Arc::new(image);
        let old = self.live.as_ref().and_then(|live| live.hooks.as_ref());
        if let Err((hook, source)) = prepare(hooks.as_ref(), old) {
            self.dispose(image);
            let path = artifact.to_owned();
            return Err(Error::Hook { path, hook, source });
        }
        self.generations += 1;
        let staged = ready.staged.path().to_owned();
        let (digest, generation) = (ready.digest, self.generations);
        let new = Live {
            hooks,
            image,
            staged: ready.staged,
            generation,
            digest,
        };
        self.table = table;
        if let Some(published) = &self.published {
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
}

impl<T> Drop for Host<T> {
    /// The live generation stops, and so does what was retired and not stopped yet, even while a handle lends it. Handles
    /// find none any more.
    fn drop(&mut self) {
        self.published
            .iter()
            .for_each(|published| published.withdraw());
        if let Some(live) = self.live.take() {
            self.retire(live);
        }
        self.abandon();
    }
}

impl<T> Deref for Host<T> {
    type Target = T;

    /// The live generation's functions. While there is none, those of an interface say so; of text and symbols there are
    /// none.
    fn deref(&self) -> &T {
        &self.table
    }
}

impl<T> fmt::Debug for Host<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field(
                "generation",
                &self.live.as_ref().map(|live| live.generation),
            )
            .field("generations", &self.generations)
            .finish_non_exhaustive()
    }
}

impl<T> Plugin<'_, T> {
    /// How many successful loads it took to come here; the first is 1.
    pub fn generation(&self) -> u64 {
        self.live.generation
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.live.digest
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
