//! Ctrl-C and SIGTERM: a request to stop, and the means to stop even if nobody listens.

use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

/// How long the program has to end by itself. It is held up if a plugin does not return from a call, or if
/// nobody reads its output.
const GRACE: Duration = Duration::from_millis(700);

/// How long the last line may take to be written.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What stopping takes. Dropped when the program has ended by itself.
#[derive(Debug)]
pub(crate) struct Stop {
    requested: Receiver<()>,
    last_words: Arc<Mutex<LastWords>>,
    _ended: Sender<()>,
}

/// What is left to do if the program has to be ended from outside.
#[derive(Default)]
struct LastWords {
    stage: Option<PathBuf>,
    say: Option<Box<dyn FnOnce() + Send>>,
}

impl Stop {
    /// Takes the signals over.
    pub(crate) fn on_signals() -> Result<Stop, ctrlc::Error> {
        let (request, requested) = crossbeam_channel::bounded(1);
        let (ended, has_ended) = crossbeam_channel::bounded::<()>(0);
        let last_words = Arc::<Mutex<LastWords>>::default();
        let watchdog = Arc::clone(&last_words);
        ctrlc::set_handler(move || {
            // A second request is the same request.
            let _ = request.try_send(());
            if has_ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                end_from_outside(&watchdog);
            }
        })?;
        Ok(Stop {
            requested,
            last_words,
            _ended: ended,
        })
    }

    /// Receives when the program is to stop.
    pub(crate) fn requested(&self) -> &Receiver<()> {
        &self.requested
    }

    /// Says what to do if the program has to be ended from outside: remove `stage`, and `say` the last thing.
    pub(crate) fn if_stuck(&self, stage: Option<PathBuf>, say: impl FnOnce() + Send + 'static) {
        let mut last_words = self
            .last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last_words = LastWords {
            stage,
            say: Some(Box::new(say)),
        };
    }
}

/// Ends the process while its main thread is stuck, and leaves nothing behind.
fn end_from_outside(last_words: &Mutex<LastWords>) {
    let mut last_words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("replug: a call or a write did not return in time; ending without it");
    if let Some(stage) = &last_words.stage
        && let Err(error) = std::fs::remove_dir_all(stage)
        && error.kind() != io::ErrorKind::NotFound
    {
        eprintln!("replug: cannot remove `{}`: {error}", stage.display());
    }
    if let Some(say) = last_words.say.take() {
        let (said, has_said) = crossbeam_channel::bounded(1);
        thread::spawn(move || {
            say();
            let _ = said.send(());
        });
        // If it is the output that is stuck, this is not said.
        let _ = has_said.recv_timeout(LAST_WORDS);
    }
    process::exit(0);
}

impl std::fmt::Debug for LastWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastWords")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
