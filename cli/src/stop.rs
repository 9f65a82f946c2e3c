//! Ctrl-C, SIGTERM and the end of a console: a request to stop, and the means to stop even if nobody listens.

use std::io::Write;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use replug::watch::Remover;

use crate::stream::Stream;

/// How long the program has to end by itself: longer than a watcher waits for its worker, shorter than the second in
/// which a person expects an end. The program is held up if a plugin does not return from a call, or if nobody reads
/// the program's output.
const GRACE: Duration = Duration::from_millis(700);

/// How long the last line may take to be written, from when its thread has begun.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The request to stop, and what is to be done if nobody heeds it. Dropped when the program has ended by itself.
#[derive(Debug)]
pub(crate) struct Stop {
    requested: Receiver<()>,
    last_things: Arc<Mutex<LastThings>>,
    _ended: Sender<()>,
}

/// The last things to do, in this order, if the program has to be ended from outside.
#[derive(Default)]
struct LastThings {
    end: Option<Box<dyn FnOnce() + Send>>,
    say: Option<Box<dyn FnOnce() + Send>>,
    stages: Vec<Remover>,
    /// Whether the end is a failure, for work was to be done.
    fails: bool,
}

impl Stop {
    /// Takes over Ctrl-C and SIGTERM.
    pub(crate) fn on_signals() -> Result<Stop, ctrlc::Error> {
        let (request, requested) = crossbeam_channel::bounded(1);
        let (ended, has_ended) = crossbeam_channel::bounded::<()>(0);
        let last_things = Arc::<Mutex<LastThings>>::default();
        let watchdog = Arc::clone(&last_things);
        let end = Arc::new(move || {
            // A second request is the same request.
            let _ = request.try_send(());
            if has_ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                end_from_outside(&watchdog);
            }
        });
        let on_signal = Arc::clone(&end);
        ctrlc::set_handler(move || on_signal())?;
        #[cfg(windows)]
        crate::windows::when_console_closes(move || end()).map_err(ctrlc::Error::System)?;
        Ok(Stop {
            requested,
            last_things,
            _ended: ended,
        })
    }

    /// A channel that receives when the program is to stop.
    pub(crate) fn requested(&self) -> &Receiver<()> {
        &self.requested
    }

    /// Sets the last things to do, if the program has to be ended from outside: `end` all that the program has begun, without
    /// waiting for anything; `say` the last line; and remove `stages`.
    pub(crate) fn if_stuck(
        &self,
        stages: Vec<Remover>,
        end: impl FnOnce() + Send + 'static,
        say: impl FnOnce() + Send + 'static,
    ) {
        *self.last_things() = LastThings {
            end: Some(Box::new(end)),
            say: Some(Box::new(say)),
            stages,
            fails: false,
        };
    }

    /// Makes it a failure if the program has to be ended from outside.
    pub(crate) fn fails_if_stuck(&self) {
        self.last_things().fails = true;
    }

    fn last_things(&self) -> MutexGuard<'_, LastThings> {
        let last_things = self.last_things.lock();
        last_things.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process while its main thread is stuck, and leaves nothing behind.
fn end_from_outside(last_things: &Mutex<LastThings>) {
    let mut last_things = last_things.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(end) = last_things.end.take() {
        end();
    }
    let (tell, told) = crossbeam_channel::bounded(2);
    let say = last_things.say.take();
    // If the output itself is stuck, the note is never written, and nobody may wait for it.
    thread::spawn(move || {
        let _ = tell.send("begun");
        let note = "replug: a call or a write did not return in time; ending without it";
        let _ = Stream::Err.write_all(format!("{note}\n").as_bytes());
        if let Some(say) = say {
            say();
        }
        let _ = tell.send("said");
    });
    // A busy machine can be late to begin a thread; the time of the words begins with it.
    let _ = told.recv_timeout(GRACE);
    let _ = told.recv_timeout(LAST_WORDS);
    for stage in &last_things.stages {
        // Nobody is left to hear of a failure; the next start sweeps.
        let _ = stage.remove();
    }
    process::exit(last_things.fails.into());
}

impl std::fmt::Debug for LastThings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastThings")
            .field("stages", &self.stages)
            .finish_non_exhaustive()
    }
}
