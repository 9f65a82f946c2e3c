//! Ctrl-C and SIGTERM: a request to stop, and the means to stop even if nobody listens.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::stream::Stream;

/// How long the program has to end by itself: longer than a watcher waits for its worker, shorter than the second in
/// which a person expects an end. The program is held up if a plugin does not return from a call, or if nobody reads
/// the program's output.
const GRACE: Duration = Duration::from_millis(700);

/// How long the last line may take to be written.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The request to stop, and what is to be done if nobody heeds it. Dropped when the program has ended by itself.
#[derive(Debug)]
pub(crate) struct Stop {
    requested: Receiver<()>,
    last_words: Arc<Mutex<LastWords>>,
    _ended: Sender<()>,
}

/// The last things to do, if the program has to be ended from outside.
#[derive(Default)]
struct LastWords {
    stage: Option<PathBuf>,
    say: Option<Box<dyn FnOnce() + Send>>,
}

impl Stop {
    /// Takes over Ctrl-C and SIGTERM.
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

    /// A channel that receives when the program is to stop.
    pub(crate) fn requested(&self) -> &Receiver<()> {
        &self.requested
    }

    /// Sets the last things to do, if the program has to be ended from outside: remove `stage`, and `say` the last
    /// line.
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
    let (said, has_said) = crossbeam_channel::bounded(1);
    let say = last_words.say.take();
    // If the output itself is stuck, the note is never written, and nobody may wait for it.
    thread::spawn(move || {
        let note = "replug: a call or a write did not return in time; ending without it";
        let _ = Stream::Err.write_all(format!("{note}\n").as_bytes());
        if let Some(say) = say {
            say();
        }
        let _ = said.send(());
    });
    let _ = has_said.recv_timeout(LAST_WORDS);
    // The stage goes last, because the worker is alive and would make it again. Nobody is left to hear of a failure;
    // the next start sweeps.
    let _ = last_words.stage.as_deref().map(remove_stage);
    process::exit(0);
}

/// Removes a stage directory whose worker may still be at work.
pub(crate) fn remove_stage(stage: &Path) -> io::Result<()> {
    /// The most tries. A worker can add a file while the directory is emptied, but not again and again.
    const TRIES: usize = 10;
    let mut removed = fs::remove_dir_all(stage);
    for _ in 1..TRIES {
        match &removed {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                removed = fs::remove_dir_all(stage);
            }
            _ => break,
        }
    }
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl std::fmt::Debug for LastWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastWords")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
