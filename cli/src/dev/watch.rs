//! The thread that watches the sources, and says when some were saved. A filesystem that hangs takes this thread along
//! and nothing else.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use replug::watch::Stamp;

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
    seen: Receiver<Seen>,
}

/// What is seen of a save.
#[derive(Debug)]
pub(super) enum Seen {
    /// These sources have changed so far. If that is all, the same ones are saved when the quiet is over.
    Begun(Saved),
    /// What was seen at the begin is not all, or is so no more.
    Changed,
    /// These sources were saved, and it is quiet.
    Saved(Saved),
}

/// An order for the thread.
enum Order {
    /// To follow these sources; those that are new count if they were written after the given time.
    Follow(Sources, Option<Stamp>, Sender<()>),
    /// A build begins that may write cargo's lock file.
    LeaveLock,
    /// That build has ended.
    TakeLock,
}

impl Watch {
    /// Begins to watch `sources`, and returns when all of them were looked at, or after `patience`.
    pub(super) fn start(sources: Sources, patience: Duration) -> io::Result<Watch> {
        let (orders, received) = crossbeam_channel::unbounded();
        let (say, seen) = crossbeam_channel::unbounded();
        thread::Builder::new()
            .name("replug-sources".to_owned())
            .spawn(move || watch(&received, &say))?;
        let watch = Watch { orders, seen };
        let followed = watch.follow(sources, None);
        // A filesystem that hangs must not take the program along: it is followed once it answers.
        let _ = followed.recv_timeout(patience);
        Ok(watch)
    }

    /// The queue of what is seen.
    pub(super) fn seen(&self) -> &Receiver<Seen> {
        &self.seen
    }

    /// Follows other sources; says when all of them were looked at.
    pub(super) fn follow(&self, sources: Sources, since: Option<Stamp>) -> Receiver<()> {
        let (done, followed) = crossbeam_channel::bounded(1);
        self.order(Order::Follow(sources, since, done));
        followed
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

fn watch(orders: &Receiver<Order>, say: &Sender<Seen>) {
    let (mut eyes, mut quiet) = (Eyes::default(), Quiet::default());
    let mut last_save = Instant::now();
    loop {
        let began = Instant::now();
        let seen = match eyes.look(began) {
            true if quiet.stir(began) => eyes.saved().map(Seen::Begun),
            true => Some(Seen::Changed),
            false => None,
        };
        let is_over = quiet.is_over(Instant::now());
        let saved = is_over.then(|| eyes.take_saved().map_or(Seen::Changed, Seen::Saved));
        if let Some(Seen::Saved(_)) = saved {
            last_save = began;
        }
        for seen in seen.into_iter().chain(saved) {
            if say.send(seen).is_err() {
                return;
            }
        }
        let pause = match quiet.is_stirred() {
            true => STIRRED_PAUSE,
            false => eyes.pause(began.elapsed(), last_save.elapsed() < BUSY_FOR),
        };
        match orders.recv_timeout(pause) {
            Ok(Order::Follow(sources, since, done)) => {
                eyes.follow(sources, since, Instant::now());
                // What counts may have changed before, in eyes for which it did not count.
                let is_saved = eyes.saved().is_some();
                if is_saved && !quiet.stir(Instant::now()) && say.send(Seen::Changed).is_err() {
                    return;
                }
                let _ = done.send(());
            }
            Ok(Order::LeaveLock) => eyes.leave_lock(),
            Ok(Order::TakeLock) => eyes.take_lock(Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// As long as a thread of a busy machine could need to come to its turn.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn next(watch: &Watch) -> Seen {
        watch.seen().recv_timeout(PATIENCE).unwrap()
    }

    #[test]
    fn a_save_is_seen_at_its_begin_at_each_change_and_when_it_is_quiet() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lib.rs");
        fs::write(&file, "0").unwrap();
        let sources = Sources {
            named: [file.clone()].into(),
            ..Sources::default()
        };
        let watch = Watch::start(sources, PATIENCE).unwrap();
        let aside = directory.path().join("aside");
        fs::write(&aside, "1").unwrap();
        fs::rename(&aside, &file).unwrap();
        let Seen::Begun(so_far) = next(&watch) else {
            panic!("it has not begun");
        };
        assert_eq!(so_far.files, std::slice::from_ref(&file));
        let Seen::Saved(saved) = next(&watch) else {
            panic!("nothing else was written");
        };
        assert_eq!(saved, so_far);

        // Written again and again, until it was seen to go on.
        let mut content = 2;
        loop {
            fs::write(&file, content.to_string()).unwrap();
            content += 1;
            let seen = watch.seen().recv_timeout(Duration::from_millis(1));
            if let Ok(Seen::Changed) = seen {
                break;
            }
        }
        let seen = std::iter::repeat_with(|| next(&watch));
        let saved = seen.filter_map(|seen| match seen {
            Seen::Saved(saved) => Some(saved),
            Seen::Begun(_) | Seen::Changed => None,
        });
        assert_eq!(saved.map(|it| it.files).next(), Some(vec![file]));
    }
}
