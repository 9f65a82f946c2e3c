//! A store in use: the one host that has locked it, writes its journal and its copies, and takes requests; and how others
//! read it and ask.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use replug_plugin::shown::shown;
use tempfile::NamedTempFile;

use super::files::{self, Directory, Unusable};
use super::history::History;
use super::lines::{Build, Entry, Event, HEADER, Parts, read_all};
use super::request::{Answer, NoWay, Plan, Request, Wish};
use super::verdict::{Note, judge};
use crate::look::digest::Digest;
use crate::look::os;

/// The size of a journal, in bytes, from which on it is written anew with what is still worth knowing: some thousand events.
const CONDENSED_FROM: u64 = 1024 * 1024;

/// Why a store cannot be used, or does not answer. A host goes on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file of the store cannot be made, read or written.
    #[error("cannot use the store `{}`", shown(path))]
    Files {
        /// The store's directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can enter the directory.
    #[error(
        "cannot use the store `{}`: it is not this user's alone, so others could put builds into it; `chmod 700` it, or choose \
         another directory",
        shown(path)
    )]
    NotPrivate {
        /// The store's directory.
        path: PathBuf,
    },
    /// Another host uses the store.
    #[error(
        "cannot use the store `{}`: another host has it; give each host a store of its own",
        shown(path)
    )]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// The journal is none, or one of another version.
    #[error(
        "cannot use the store `{}`: its file `journal` does not begin with `{HEADER}`; it is left as it is; choose another \
         directory, or remove this one",
        shown(path)
    )]
    Foreign {
        /// The store's directory.
        path: PathBuf,
    },
    /// A copy is not what it was.
    #[error(
        "the copy {} in the store `{}` is damaged: it has another digest; it is removed, and what is live goes on", digest.short(),
        shown(path)
    )]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// The digest that the copy should have.
        digest: Digest,
    },
    /// There is no copy of the build any more.
    #[error("there is no copy of {} in the store `{}` any more", digest.short(), shown(path))]
    Gone {
        /// The store's directory.
        path: PathBuf,
        /// The build.
        digest: Digest,
    },
    /// The host has no store.
    #[error("the host has no store: `Options::store`")]
    NoStore,
    /// The store could not be opened; that was said.
    #[error("the store `{}` could not be opened", shown(path))]
    NotOpen {
        /// The store's directory.
        path: PathBuf,
    },
    /// What was asked for cannot be.
    #[error(transparent)]
    NoWay(#[from] NoWay),
    /// Another request waits.
    #[error(
        "another request waits in `{}` for the host; try again when that has its answer",
        shown(path)
    )]
    Busy {
        /// The store's directory.
        path: PathBuf,
    },
    /// The host that has the store has not answered.
    #[error(
        "the host that has the store `{}` did not answer within {} s; {}", shown(path), waited.as_secs(),
        match is_taken {
            true => "it has taken the request, and acts on it when its owner next polls",
            false => "it has not taken the request, which was withdrawn: does it poll?",
        }
    )]
    Unanswered {
        /// The store's directory.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
        /// Whether the host has taken the request.
        is_taken: bool,
    },
}

/// A store that a host has opened, and what was found.
pub(crate) struct Opened {
    pub(crate) store: Store,
    /// How many lines of the journal are damaged.
    pub(crate) passed_over: usize,
    /// What became of builds that were on probation when the last run ended.
    pub(crate) deaths: Vec<Event>,
}

/// A store in use by this host.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    directory: Directory,
    journal: File,
    /// The length of what was written whole, and whether there is more to be written than the next event.
    length: u64,
    is_behind: bool,
    entries: Vec<Entry>,
    history: History,
    /// The builds of which copies are being made, which are not on the disk for good yet.
    unfinished: Vec<Unfinished>,
    note: File,
    /// Whether a host uses the store, whose end is to be taken down.
    is_run: bool,
    /// Kept locked.
    lock: File,
}

/// Copies of a build on their way to the disk.
#[derive(Debug)]
struct Unfinished {
    build: Build,
    parts: Parts,
    copies: Vec<(NamedTempFile, Digest)>,
}

impl Store {
    /// Opens a store for one host, and judges how the run before has ended.
    pub(crate) fn open(path: &Path) -> Result<Opened, StoreError> {
        let (mut store, passed_over) = Store::lock(path)?;
        let failed = |source| files_error(path, source);
        let (note, _) = store.directory.take_note().map_err(failed)?;
        let boot = boot();
        let deaths = judge(&store.history, &boot, Note::read(&note).as_ref()).deaths;
        let started = Event::Started {
            run: run_number(),
            boot,
            process: process::id(),
        };
        let opened = store.append(deaths.iter().cloned().chain([started]));
        opened.map_err(failed)?;
        store.is_run = true;
        // Only now: a note that is lost before its death is written down would be a death that nobody knows of.
        files::clear_note(&store.note).map_err(failed)?;
        let wanted = store.history.copies();
        let swept = store.directory.sweep(|digest| wanted.contains(&digest));
        swept.map_err(failed)?;
        Ok(Opened {
            store,
            passed_over,
            deaths,
        })
    }

    /// Takes a store for this process alone, as it was left.
    fn lock(path: &Path) -> Result<(Store, usize), StoreError> {
        /// Whoever asks holds the lock for a moment, and so may a process that is about to end.
        const TRIES: usize = 20;
        const PAUSE: Duration = Duration::from_millis(5);
        let failed = |source| files_error(path, source);
        let owned = || path.to_owned();
        let directory = Directory::at(path);
        directory.make().map_err(|unusable| match unusable {
            Unusable::NotPrivate => StoreError::NotPrivate { path: owned() },
            Unusable::Failed(source) => failed(source),
        })?;
        let mut lock = directory.lock().map_err(failed)?;
        for _ in 0..TRIES {
            if lock.is_none() {
                thread::sleep(PAUSE);
                lock = directory.lock().map_err(failed)?;
            }
        }
        let lock = lock.ok_or_else(|| StoreError::InUse { path: owned() })?;
        // Made here, should it not be there yet.
        let journal = directory.open_journal().map_err(failed)?;
        let bytes = directory.read_journal().map_err(failed)?;
        let read = read_all(&bytes).ok_or_else(|| StoreError::Foreign { path: owned() })?;
        let (_, note) = directory.take_note().map_err(failed)?;
        let mut store = Store {
            path: owned(),
            journal,
            length: read.whole as u64,
            is_behind: false,
            history: History::of(&read.entries),
            entries: read.entries,
            directory,
            unfinished: Vec::new(),
            note,
            is_run: false,
            lock,
        };
        store.begin().map_err(failed)?;
        Ok((store, read.passed_over))
    }

    /// Cuts off what was being written when a process ended, and writes the first line if there is none.
    fn begin(&mut self) -> io::Result<()> {
        self.journal.set_len(self.length)?;
        if self.length == 0 {
            let header = format!("{HEADER}\n");
            files::check_size(header.len() as u64)?;
            self.journal.rewind()?;
            self.journal.write_all(header.as_bytes())?;
            self.length = header.len() as u64;
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// The file that the process's signal handler writes to.
    pub(crate) fn note(&self) -> &File {
        &self.note
    }

    /// Takes back the note of a signal that the process has survived.
    pub(crate) fn clear_note(&self) -> io::Result<()> {
        files::clear_note(&self.note)
    }

    /// Writes down what has happened. The history has it whether or not it could be written.
    pub(crate) fn append(&mut self, events: impl IntoIterator<Item = Event>) -> io::Result<()> {
        let at = now_ms();
        let events = events.into_iter();
        let entries: Vec<_> = events.map(|event| Entry { at, event }).collect();
        let must_last = entries.iter().any(|entry| entry.event.must_last());
        let lines: String = entries.iter().map(Entry::line).collect();
        for entry in entries {
            self.history.add(&entry);
            self.entries.push(entry);
        }
        let is_long = self.length + lines.len() as u64 > CONDENSED_FROM;
        let written = match self.is_behind || is_long {
            true => self.condense(),
            false => self.write(lines.as_bytes(), must_last),
        };
        // What could not be written now is written with the next event.
        self.is_behind = written.is_err();
        written
    }

    fn write(&mut self, lines: &[u8], must_last: bool) -> io::Result<()> {
        files::check_size(self.length + lines.len() as u64)?;
        self.journal.set_len(self.length)?;
        self.journal.seek(SeekFrom::Start(self.length))?;
        self.journal.write_all(lines)?;
        if must_last {
            self.journal.sync_data()?;
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Writes the journal anew, with what is still worth knowing.
    fn condense(&mut self) -> io::Result<()> {
        let kept = self.history.condensed(&self.entries);
        let lines: String = kept.iter().map(Entry::line).collect();
        let bytes = format!("{HEADER}\n{lines}");
        // Windows replaces no file that is open.
        self.journal = self.lock.try_clone()?;
        let replaced = self.directory.replace_journal(bytes.as_bytes());
        self.journal = self.directory.open_journal()?;
        replaced?;
        self.length = bytes.len() as u64;
        self.history = History::of(&kept);
        self.entries = kept;
        Ok(())
    }

    /// Begins to keep a build, which is about to be loaded. Nothing of it is on the disk for good until
    /// [`finish`](Store::finish): the build need not wait for the disk.
    pub(crate) fn begin_build(&mut self, build: Build, parts: Parts) -> io::Result<()> {
        let handed = Event::Handed {
            build: build.clone(),
        };
        self.unfinished.push(Unfinished {
            build,
            parts,
            copies: Vec::new(),
        });
        self.append([handed])
    }

    /// Adds a copy to the build that was begun last.
    pub(crate) fn add_copy(
        &mut self,
        digest: Digest,
        size: u64,
        from: &mut impl Read,
    ) -> io::Result<()> {
        match self.directory.begin_copy(digest, size, from) {
            Ok(new) => {
                if let (Some(new), Some(last)) = (new, self.unfinished.last_mut()) {
                    last.copies.push((new, digest));
                }
                Ok(())
            }
            Err(error) => {
                // A build of which a part is missing cannot come back.
                self.unfinished.pop();
                Err(error)
            }
        }
    }

    /// Keeps the signature of a library.
    pub(crate) fn put_signature(&self, digest: Digest, text: &str) -> io::Result<()> {
        self.directory.put_signature(digest, text)
    }

    /// The signature of a library that was kept.
    pub(crate) fn signature(&self, digest: Digest) -> io::Result<String> {
        self.directory.read_signature(digest)
    }

    /// Has everything that was begun outlive a power cut, and lets go of the copies beyond the `most` latest.
    pub(crate) fn finish(&mut self, most: usize) -> io::Result<()> {
        for Unfinished {
            build,
            parts,
            copies,
        } in std::mem::take(&mut self.unfinished)
        {
            for (new, digest) in copies {
                self.directory.end_copy(new, digest)?;
            }
            self.directory.end_copies()?;
            let artifact = build.artifact.clone();
            self.append([Event::Stored { build, parts }])?;
            self.prune(&artifact, most)?;
        }
        Ok(())
    }

    /// Whether copies are on their way to the disk.
    pub(crate) fn is_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    fn prune(&mut self, artifact: &Path, most: usize) -> io::Result<()> {
        self.let_go(self.history.surplus(artifact, most))
    }

    /// Lets go of the copies of these builds.
    pub(crate) fn let_go(&mut self, builds: Vec<Build>) -> io::Result<()> {
        let parts = |build: &Build| self.history.get(build)?.parts.clone();
        let digests: Vec<Digest> = builds
            .iter()
            .filter_map(parts)
            .flat_map(|parts| parts.digests().collect::<Vec<_>>())
            .collect();
        if digests.is_empty() {
            return Ok(());
        }
        let gone = builds.into_iter().map(|build| Event::Gone { build });
        self.append(gone)?;
        let wanted = self.history.copies();
        let unwanted = digests.into_iter().filter(|it| !wanted.contains(it));
        unwanted
            .into_iter()
            .try_for_each(|digest| self.directory.remove_copy(digest))
    }

    /// Opens a copy. Whoever reads it compares its digest.
    pub(crate) fn open_copy(&self, digest: Digest) -> io::Result<(File, u64)> {
        let file = File::open(self.directory.copy(digest))?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// The request that waits, which is then taken.
    pub(crate) fn take_request(&self) -> io::Result<Option<Request>> {
        let text = self.directory.take_request()?;
        Ok(text.and_then(|text| Request::read(&text)))
    }

    pub(crate) fn answer(&self, answer: &Answer) -> io::Result<()> {
        self.directory.answer(answer.text().as_bytes())
    }
}

impl Drop for Store {
    /// Takes down that the host has ended in order.
    fn drop(&mut self) {
        if !self.is_run {
            return;
        }
        if let Err(error) = self.append([Event::Stopped]) {
            let path = shown(&self.path);
            tracing::warn!("cannot write the end of this run to the store `{path}`: {error}");
        }
    }
}

/// The history of a store, whoever uses it.
///
/// # Errors
///
/// If the store cannot be read, or is one of another version.
pub fn history(store: &Path) -> Result<History, StoreError> {
    let bytes = Directory::at(store).read_journal();
    let bytes = bytes.map_err(|source| files_error(store, source))?;
    let read = read_all(&bytes);
    let read = read.ok_or_else(|| StoreError::Foreign {
        path: store.to_owned(),
    })?;
    Ok(History::of(&read.entries))
}

/// Whether a host uses the store now.
///
/// # Errors
///
/// If the store cannot be used.
pub fn is_in_use(store: &Path) -> Result<bool, StoreError> {
    let locked = Directory::at(store).is_locked();
    locked.map_err(|source| files_error(store, source))
}

/// Asks the host that uses a store to go back or to release, and waits for its answer. If no host uses the store, what is
/// wished is written down, and holds when one starts.
///
/// # Errors
///
/// If the store cannot be used, what is wished cannot be, or the host does not answer in time.
pub fn ask(store: &Path, wish: &Wish, timeout: Duration) -> Result<Answer, StoreError> {
    /// Time between two looks for the answer.
    const PAUSE: Duration = Duration::from_millis(20);
    let failed = |source| files_error(store, source);
    // A store that is not there is not made by asking.
    history(store)?;
    let directory = Directory::at(store);
    let request = Request {
        number: run_number(),
        wish: wish.clone(),
    };
    if !directory.is_locked().map_err(failed)? {
        return grant_without_host(store, wish);
    }
    let text = request.text();
    if !directory.leave_request(text.as_bytes()).map_err(failed)? {
        return Err(StoreError::Busy {
            path: store.to_owned(),
        });
    }
    let begun = Instant::now();
    loop {
        let answer = directory.read_answer().map_err(failed)?;
        if let Some(answer) = Answer::read(&answer).filter(|it| it.number == request.number) {
            return Ok(answer);
        }
        // The host has ended in between: before it took the request, or with it.
        let has_ended = !directory.is_locked().map_err(failed)?;
        let is_late = begun.elapsed() >= timeout;
        if has_ended || is_late {
            let was_there = directory.withdraw_request().map_err(failed)?;
            return match has_ended && was_there {
                true => grant_without_host(store, wish),
                false => Err(StoreError::Unanswered {
                    path: store.to_owned(),
                    waited: begun.elapsed(),
                    is_taken: !was_there,
                }),
            };
        }
        thread::sleep(PAUSE);
    }
}

/// Writes down what is wished while no host uses the store.
fn grant_without_host(path: &Path, wish: &Wish) -> Result<Answer, StoreError> {
    let (mut store, _) = Store::lock(path)?;
    let plan = wish.plan(store.history())?;
    let (events, words) = match plan {
        Plan::Release(builds) => {
            let words = released(&builds);
            let events = builds.into_iter().map(|build| Event::Released { build });
            (events.collect::<Vec<_>>(), words)
        }
        Plan::Back { to, from } => {
            let from = from.ok_or(NoWay::First)?;
            let words = format!(
                "no host runs now; at the next start {} is loaded in place of {}, which was left",
                to.digest.short(),
                from.digest.short()
            );
            let left = Event::Left {
                build: from,
                to: to.digest,
                reason: "it was left by `replug back` while no host was running".to_owned(),
            };
            (vec![left], words)
        }
    };
    let written = store.append(events);
    written.map_err(|source| files_error(path, source))?;
    Ok(Answer {
        number: 0,
        is_done: true,
        words,
    })
}

/// The words for builds that were released.
pub(crate) fn released(builds: &[Build]) -> String {
    let digests = builds.iter().map(|build| build.digest.short().to_string());
    let digests = digests.collect::<Vec<_>>().join(", ");
    format!("released {digests}: what is at its path is loaded again")
}

fn files_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Files {
        path: path.to_owned(),
        source,
    }
}

/// The time by the clock on the wall, for people, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// A number that no other run or request has.
fn run_number() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one((process::id(), os::own_start(), now_ms()))
}

/// Which boot of the machine this is, where the system tells.
fn boot() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    boot.map_or_else(|_| String::new(), |boot| boot.trim().to_owned())
}
