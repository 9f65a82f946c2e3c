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
    saved: Receiver<Saved>,
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
        let (say, saved) = crossbeam_channel::unbounded();
        thread::Builder::new()
            .name("replug-sources".to_owned())
            .spawn(move || watch(&received, &say))?;
        let watch = Watch { orders, saved };
        let followed = watch.follow(sources, None);
        // A filesystem that hangs must not take the program along: it is followed once it answers.
        let _ = followed.recv_timeout(patience);
        Ok(watch)
    }

    /// The queue of what was saved.
    pub(super) fn saved(&self) -> &Receiver<Saved> {
        &self.saved
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

fn watch(orders: &Receiver<Order>, say: &Sender<Saved>) {
    let (mut eyes, mut quiet) = (Eyes::default(), Quiet::default());
    let mut last_save = Instant::now();
    loop {
        let began = Instant::now();
        if eyes.look(began) {
            quiet.stir(began);
        }
        if quiet.is_over(Instant::now())
            && let Some(saved) = eyes.take_saved()
        {
            last_save = began;
            if say.send(saved).is_err() {
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
                quiet.stir(Instant::now());
                let _ = done.send(());
            }
            Ok(Order::LeaveLock) => eyes.leave_lock(),
            Ok(Order::TakeLock) => eyes.take_lock(Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
