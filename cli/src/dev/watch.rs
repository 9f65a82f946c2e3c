//! The thread that watches the sources, and says when some were saved. A filesystem that hangs takes this thread along
//! and nothing else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use replug::watch::Stamp;

use super::ahead::Ahead;
use super::eyes::{Eyes, Saved};
use super::quiet::Quiet;
use super::sources::Sources;

/// How long after a save looks stay frequent.
const BUSY_FOR: Duration = Duration::from_secs(5 * 60);

/// How often to look while a save is on its way: within a third of the quiet that ends it.
const STIRRED_PAUSE: Duration = Duration::from_millis(10);

/// The watch over the sources. Dropping it ends the thread.
pub(super) struct Watch {
    orders: Sender<Order>,
    saved: Receiver<Saved>,
    seen: Arc<Seen>,
}

/// What the thread has seen. Whoever may not hang in the filesystem of the sources asks here.
#[derive(Default)]
struct Seen {
    has_lock: AtomicBool,
    /// How many looks at all sources have come back.
    looks: AtomicU32,
}

/// An order for the thread.
enum Order {
    /// To follow these sources; those that are new count if they were written after the given time.
    Follow(Sources, Option<Stamp>, Sender<()>),
    /// A build begins that may write cargo's lock file.
    LeaveLock,
    /// That build has ended.
    TakeLock,
    /// To say that all is as it was built, if a look from now on finds it so.
    Rest(Sender<()>),
}

impl Watch {
    /// Begins to watch `sources`, and returns when all of them were looked at, or after `patience`. At the first sign of a
    /// save a build begins `ahead`.
    pub(super) fn start(sources: Sources, ahead: Ahead, patience: Duration) -> io::Result<Watch> {
        let (orders, received) = crossbeam_channel::unbounded();
        let (say, saved) = crossbeam_channel::unbounded();
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        thread::Builder::new()
            .name("replug-sources".to_owned())
            .spawn(move || watch(&received, &ahead, &say, &noted))?;
        let watch = Watch {
            orders,
            saved,
            seen,
        };
        let followed = watch.follow(sources, None);
        // A filesystem that hangs must not take the program along: it is followed once it answers.
        let _ = followed.recv_timeout(patience);
        Ok(watch)
    }

    /// The queue of saves, each told once. A save without files asks for a build all the same: a build that began ahead was
    /// ended, and nothing that it showed is so any more.
    pub(super) fn saved(&self) -> &Receiver<Saved> {
        &self.saved
    }

    /// Follows other sources; says when all of them were looked at.
    pub(super) fn follow(&self, sources: Sources, since: Option<Stamp>) -> Receiver<()> {
        let (done, followed) = crossbeam_channel::bounded(1);
        self.order(Order::Follow(sources, since, done));
        followed
    }

    /// Whether cargo's lock file was there at the last look.
    pub(super) fn has_lock(&self) -> bool {
        self.seen.has_lock.load(Ordering::Relaxed)
    }

    /// How many looks at all sources have come back.
    pub(super) fn looks(&self) -> u32 {
        self.seen.looks.load(Ordering::Relaxed)
    }

    /// Says that all that counts is as it was when a build last began, once a look from now on has found it so. Otherwise a save
    /// is told, and then this is hung up.
    pub(super) fn rest(&self) -> Receiver<()> {
        let (say, rested) = crossbeam_channel::bounded(1);
        self.order(Order::Rest(say));
        rested
    }

    pub(super) fn leave_lock(&self) {
        self.order(Order::LeaveLock);
    }

    pub(super) fn take_lock(&self) {
        self.order(Order::TakeLock);
    }

    fn order(&self, order: Order) {
        // A thread that ended by a fault says so itself, when its queue is hung up.
        let _ = self.orders.send(order);
    }
}

fn watch(orders: &Receiver<Order>, ahead: &Ahead, say: &Sender<Saved>, seen: &Seen) {
    let (mut eyes, mut quiet) = (Eyes::default(), Quiet::default());
    let mut last_save = Instant::now();
    let mut must_build = false;
    let mut rest: Option<Sender<()>> = None;
    loop {
        let began = Instant::now();
        if eyes.look(began) {
            match quiet.stir(Instant::now()) {
                true => eyes.saved().iter().for_each(|so_far| ahead.begin(so_far)),
                false => must_build |= ahead.end(),
            }
        }
        seen.has_lock.store(eyes.has_lock(), Ordering::Relaxed);
        seen.looks.fetch_add(1, Ordering::Relaxed);
        // A look shows what was there when it began: a long one says nothing of the time that it took.
        if quiet.is_over(began) {
            let saved = eyes.take_saved();
            // What a build ahead has shown is so no more, and nothing was saved.
            let in_vain = || (ahead.end() || must_build).then(Saved::default);
            let saved = saved.or_else(in_vain);
            must_build = false;
            if let Some(saved) = saved {
                last_save = began;
                if say.send(saved).is_err() {
                    return;
                }
                // Only now: whoever asked hears of the save first.
                rest = None;
            }
        }
        if let Some(rest) = rest.take_if(|_| eyes.saved().is_none()) {
            let _ = rest.send(());
        }
        let pause = match quiet.is_stirred() {
            true => STIRRED_PAUSE,
            false => eyes.pause(began.elapsed(), last_save.elapsed() < BUSY_FOR),
        };
        let first = match orders.recv_timeout(pause) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // One look for all that were given at once.
        for order in first.into_iter().chain(orders.try_iter()) {
            match order {
                Order::Follow(sources, since, done) => {
                    eyes.follow(sources, since, Instant::now());
                    // What counts may have changed before, in eyes for which it did not count.
                    if eyes.saved().is_some() && !quiet.stir(Instant::now()) {
                        must_build |= ahead.end();
                    }
                    let _ = done.send(());
                }
                Order::LeaveLock => eyes.leave_lock(),
                Order::TakeLock => eyes.take_lock(Instant::now()),
                Order::Rest(say) => rest = Some(say),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use vocabulary::{pause, put_in_place};

    use super::super::quiet::QUIET;
    use super::*;

    /// As long as a thread of a busy machine could need to come to its turn.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A file `lib.rs`, a watch over it, and the begins of builds ahead, none of which can be started.
    struct Watched {
        _directory: tempfile::TempDir,
        file: PathBuf,
        watch: Watch,
        begun: Receiver<()>,
    }

    fn watched() -> Watched {
        watched_with(|_| {})
    }

    /// What `as_one_begins` does to the file is done by the thread that watches, when a build is to begin.
    fn watched_with(as_one_begins: impl Fn(&Path) + Send + 'static) -> Watched {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lib.rs");
        fs::write(&file, "0").unwrap();
        let sources = Sources {
            named: [file.clone()].into(),
            ..Sources::default()
        };
        let (say, begun) = crossbeam_channel::unbounded();
        let saved = file.clone();
        let ahead = Ahead::new(move || {
            as_one_begins(&saved);
            say.send(()).unwrap();
            Err(io::ErrorKind::Other.into())
        });
        ahead.allow(true, None);
        let watch = Watch::start(sources, ahead, PATIENCE).unwrap();
        // Until the watch has come to rest after its own begin.
        let _ = watch.saved().recv_timeout(Duration::from_millis(100));
        Watched {
            _directory: directory,
            file,
            watch,
            begun,
        }
    }

    /// Saves a file in one step.
    fn save(file: &Path, content: &str) {
        let aside = file.with_extension("aside");
        fs::write(&aside, content).unwrap();
        put_in_place(|| fs::rename(&aside, file));
    }

    #[test]
    fn rest_is_told_where_nothing_is_being_saved_and_otherwise_a_save() {
        let (release, held) = crossbeam_channel::bounded::<()>(0);
        // Until then no save is told, however late somebody asks.
        let until_released = move |_: &Path| {
            let _ = held.recv();
        };
        let Watched { file, watch, .. } = &watched_with(until_released);
        watch.rest().recv_timeout(PATIENCE).unwrap();
        save(file, "1");
        let rested = watch.rest();
        drop(release);
        assert_eq!(
            rested.recv_timeout(PATIENCE),
            Err(RecvTimeoutError::Disconnected)
        );
        assert_eq!(watch.saved().len(), 1, "that is told before");
    }

    #[test]
    fn a_build_is_to_begin_at_the_first_sign_of_a_save_and_the_save_is_told_when_it_is_quiet() {
        let Watched {
            file, watch, begun, ..
        } = &watched();
        save(file, "1");
        begun.recv_timeout(PATIENCE).unwrap();
        let saved = watch.saved().recv_timeout(PATIENCE).unwrap();
        assert_eq!(saved.files, std::slice::from_ref(file));
        assert!(watch.saved().is_empty(), "one save is told once");
    }

    #[test]
    fn a_save_that_goes_on_when_a_build_has_begun_is_told_once_and_at_its_end() {
        // A machine that is busy comes back to the watch when the quiet would be over.
        let goes_on = |file: &Path| {
            pause(QUIET * 2);
            save(file, "12");
        };
        let Watched {
            file, watch, begun, ..
        } = &watched_with(goes_on);
        save(file, "1");
        let saved = watch.saved().recv_timeout(PATIENCE).unwrap();
        assert_eq!(saved.files, std::slice::from_ref(file));
        assert_eq!(begun.len(), 1);
        watch.rest().recv_timeout(PATIENCE).unwrap();
        assert!(watch.saved().is_empty(), "all of it was told");
    }
}
