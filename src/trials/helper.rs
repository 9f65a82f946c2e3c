//! A helper: this program, started once more to try a build. It is started, listened to and ended on a thread of its own, so
//! that nobody else waits for it.

use std::convert::Infallible;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, Write as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use replug_plugin::shown::shown;

use super::Trial;
use super::child::{self, Helper};
use super::part;
use super::states::Saved;
use super::verdict::{KILLED, TrialEnd, TrialFailure, TrialPart, last_words};
use super::words::{Request, Word};
use crate::look::os;
use crate::look::process::Process;

/// How often it is looked whether a helper has ended by itself.
const LOOKS: Duration = Duration::from_millis(5);

/// How long the rest of what a helper wrote is waited for when it has ended. Only what has left its group can keep that from
/// coming to an end, and a machine that is busy makes it late.
const REST: Duration = Duration::from_secs(2);

/// The longest word of a helper, in bytes. The rest of a longer one is lost.
const LONGEST_WORD: u64 = 64 * 1024;

/// How much of the last words is kept, in bytes: an error, and not the backtrace before it.
const LAST_WORDS: usize = 1024;

/// Lines of a helper's that wait to be taken.
const WORDS: usize = 16;

/// A build that is to be tried.
pub(crate) struct Subject {
    pub(crate) artifact: PathBuf,
    /// The private copy.
    pub(crate) library: PathBuf,
    pub(crate) siblings: Vec<PathBuf>,
    pub(crate) state: Option<Saved>,
}

/// The verdict on a build; an error if it could not be tried, which says nothing about the build.
pub(crate) type Tried = io::Result<Result<(), TrialFailure>>;

/// A trial that is going on. Dropping it ends the helper.
#[derive(Debug)]
pub(crate) struct Running {
    // Dropped top to bottom: hanging up `_stop` ends the thread's wait, and only then can it be joined.
    _stop: Sender<Infallible>,
    ended: Receiver<Tried>,
    _thread: JoinOnDrop,
}

/// A thread that is waited for when its owner goes: it ends the helper, and waits for nobody else, or not for long ([`REST`]).
#[derive(Debug)]
struct JoinOnDrop {
    thread: Option<JoinHandle<()>>,
    /// The process that the thread is in.
    process: Process,
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        let thread = self.thread.take();
        if self.process.is_another() {
            // Thread and helper are the parent's.
            mem::forget(thread);
            return;
        }
        // A thread that has panicked has left no helper behind either.
        let _ = thread.map(JoinHandle::join);
    }
}

impl Running {
    /// Begins a trial.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub(crate) fn begin(trial: &Trial, subject: Subject) -> io::Result<Running> {
        let (stop, stopped) = bounded(0);
        let (verdict, ended) = bounded(1);
        let trial = trial.clone();
        let thread = thread::Builder::new()
            .name("replug-trial".to_owned())
            .spawn(move || {
                let tried = hold(&trial, &subject, &stopped);
                // Whoever has given the trial up does not listen.
                let _ = verdict.send(tried);
            })?;
        Ok(Running {
            _stop: stop,
            ended,
            _thread: JoinOnDrop {
                thread: Some(thread),
                process: Process::this(),
            },
        })
    }

    /// The verdict, once there is one.
    pub(crate) fn verdict(&self) -> Option<Tried> {
        match self.ended.try_recv() {
            Ok(tried) => Some(tried),
            Err(error) if error.is_empty() => None,
            Err(_) => Some(Err(io::Error::other("the thread of the trial panicked"))),
        }
    }
}

/// Tries a build, and once more if its helper was killed: that can be somebody else's doing, and twice in a row hardly is.
fn hold(trial: &Trial, subject: &Subject, stopped: &Receiver<Infallible>) -> Tried {
    match hold_once(trial, subject, stopped)? {
        Err(failure) if failure.was_killed() => {
            tracing::debug!(artifact = %shown(&subject.artifact), "tried once more: {failure}");
            hold_once(trial, subject, stopped)
        }
        tried => Ok(tried),
    }
}

/// Holds one trial: starts the helper, listens to it, and ends it with all that it has started.
fn hold_once(trial: &Trial, subject: &Subject, stopped: &Receiver<Infallible>) -> Tried {
    part::check(Some(trial)).map_err(io::Error::other)?;
    let nonce = nonce();
    let request = request(trial, subject, &nonce)?;
    let begun = Instant::now();
    let mut helper = child::start(trial, request)?;
    let (words, stderr) = helper.streams();
    let words = listen(words, move |words, heard| hear(words, &nonce, heard))?;
    let tail = Arc::<Mutex<Vec<u8>>>::default();
    let written = Arc::clone(&tail);
    let stderr = listen(stderr, move |stderr, _ended: &Sender<Infallible>| {
        keep_tail(stderr, &written)
    })?;
    let (mut end, mut part) = follow(&mut helper, &words, stopped, begun + trial.time);
    let took = begun.elapsed();
    drop(helper);
    // The last words may still be on their way.
    let until = Instant::now() + REST;
    while matches!(end, End::Ended(_))
        && let Some(word) = rest_of(&words, stopped, until)
    {
        match word {
            Word::Begins(next) => part = Some(next),
            Word::Failed(reason) => end = End::Failed(reason),
            Word::Passed => end = End::Passed,
        }
    }
    let end = match end {
        End::Passed => return Ok(Ok(())),
        End::Failed(reason) => TrialEnd::Failed(reason),
        End::Ended(status) if child::signal(status) == Some(KILLED) => TrialEnd::Signal(KILLED),
        End::TimeLimit | End::Ended(_) if part.is_none() => TrialEnd::NoPart(trial.kind),
        End::TimeLimit => TrialEnd::TimeLimit(trial.time),
        End::Ended(status) => {
            child::signal(status).map_or(TrialEnd::Exit(status.code()), TrialEnd::Signal)
        }
        End::Error(error) => return Err(error),
    };
    let _ = rest_of(&stderr, stopped, until);
    let tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Err(TrialFailure {
        end,
        part: part.unwrap_or(TrialPart::Start),
        took,
        last_words: last_words(&tail),
    }))
}

/// How a trial has ended, as the host saw it.
enum End {
    Passed,
    Failed(String),
    Ended(ExitStatus),
    TimeLimit,
    /// Nobody wants to know any more, or the system does not tell.
    Error(io::Error),
}

/// Listens to a helper until the trial is decided. Says how far it had come, if it took part at all.
fn follow(
    helper: &mut Helper,
    words: &Receiver<Word>,
    stopped: &Receiver<Infallible>,
    deadline: Instant,
) -> (End, Option<TrialPart>) {
    let (mut part, silence) = (None, never());
    let mut words = words;
    loop {
        select! {
            recv(words) -> word => match word {
                Ok(Word::Begins(next)) => part = Some(next),
                Ok(Word::Failed(reason)) => return (End::Failed(reason), part),
                Ok(Word::Passed) => return (End::Passed, part),
                // Whoever has closed its mouth is about to end, or never will.
                Err(_) => words = &silence,
            },
            recv(stopped) -> _ => return (End::Error(io::ErrorKind::Interrupted.into()), part),
            default(LOOKS) => {}
        }
        if helper.has_ended() {
            break;
        }
        if Instant::now() >= deadline {
            return (End::TimeLimit, part);
        }
    }
    (helper.end().map_or_else(End::Error, End::Ended), part)
}

/// The next of what is still heard of a helper that has ended. `None` when nobody can write there any more, when nobody wants
/// to know any more, or after `until`.
fn rest_of<T>(heard: &Receiver<T>, stopped: &Receiver<Infallible>, until: Instant) -> Option<T> {
    select! {
        recv(heard) -> heard => heard.ok(),
        recv(stopped) -> _ => None,
        default(until.saturating_duration_since(Instant::now())) => None,
    }
}

/// Something that nobody can guess who has not read the request.
fn nonce() -> String {
    let part = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", part(), part())
}

/// The request as a file, which a helper reads from its beginning, at its leisure. A pipe would have to be filled while the
/// helper reads, and to fill one whose reader has died ends a host that wants to know of that.
fn request(trial: &Trial, subject: &Subject, nonce: &str) -> io::Result<File> {
    let request = Request {
        nonce: nonce.to_owned(),
        asker: std::process::id(),
        time: trial.time,
        memory: trial.memory,
        descriptors: trial.descriptors,
        artifact: subject.artifact.clone(),
        library: for_another(&subject.library),
        siblings: subject.siblings.iter().map(|it| for_another(it)).collect(),
        state: subject.state.clone(),
    };
    let in_memory = os::memory_file(c"replug-trial", 1).map(|(file, _)| file);
    let mut file = in_memory.or_else(|_| tempfile::tempfile())?;
    file.write_all(&request.to_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// The path of a copy, for another process: a copy in memory is among the open files of this one.
fn for_another(path: &Path) -> PathBuf {
    match path.strip_prefix("/proc/self") {
        Ok(rest) => Path::new("/proc")
            .join(std::process::id().to_string())
            .join(rest),
        Err(_) => path.to_owned(),
    }
}

/// Reads a stream of a helper on a thread of its own, which ends with the stream. The channel hangs up then.
fn listen<S: Send + 'static, T: Send + 'static>(
    stream: Option<S>,
    hear: impl FnOnce(S, &Sender<T>) + Send + 'static,
) -> io::Result<Receiver<T>> {
    let (sender, receiver) = bounded(WORDS);
    let stream = stream.ok_or_else(|| io::Error::other("a stream of the helper is missing"))?;
    thread::Builder::new()
        .name("replug-trial".to_owned())
        .spawn(move || hear(stream, &sender))?;
    Ok(receiver)
}

/// Hands on the words of a helper, until there can be no more or nobody wants them.
fn hear(stream: impl Read, nonce: &str, heard: &Sender<Word>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut next = (&mut stream).take(LONGEST_WORD);
        match next.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Some(word) = Word::read(&line, nonce)
            && heard.send(word).is_err()
        {
            return;
        }
    }
}

/// Reads a stream to its end, and keeps the last of it.
fn keep_tail(mut stream: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut piece = [0; LAST_WORDS];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&piece[..read]);
        let surplus = tail.len().saturating_sub(LAST_WORDS);
        tail.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_writes_to_the_hosts_ear_is_no_word_and_takes_no_room() {
        let (sender, receiver) = bounded(WORDS);
        let long = "x".repeat(3 * LONGEST_WORD as usize);
        let written = format!("0124 passed\n{long}\n\n0123 init\n0123 passed\nrest");
        hear(written.as_bytes(), "0123", &sender);
        let words: Vec<_> = receiver.try_iter().collect();
        assert_eq!(words, [Word::Begins(TrialPart::Init), Word::Passed]);
    }

    #[test]
    fn of_what_is_written_the_last_is_kept() {
        let written = [vec![b'x'; 100_000], b"the end".to_vec()].concat();
        let tail = Mutex::default();
        keep_tail(&written[..], &tail);
        let tail = tail.into_inner().unwrap();
        assert_eq!(tail.len(), LAST_WORDS);
        assert!(tail.ends_with(b"the end"));
    }

    #[test]
    #[cfg(unix)]
    fn a_copy_in_memory_is_another_file_to_another_process() {
        let own = for_another(Path::new("/proc/self/fd/.//./7"));
        let expected = format!("/proc/{}/fd/.//./7", std::process::id());
        assert_eq!(own.as_os_str(), &*expected);
        let path = Path::new("/run/replug/libx.1.so");
        assert_eq!(for_another(path), path);
    }
}
