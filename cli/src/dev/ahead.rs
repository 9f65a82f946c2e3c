//! A build that begins ahead: at the first sign of a save, while it is not sure that this is all of the save. Most often it
//! is, and then the build has a start of as long as it takes to know that. Otherwise the build is ended, and nobody hears of
//! it.
//!
//! The thread that watches the sources begins and ends such builds, so that none goes on to its end because a session is
//! busy with a call.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::building::Building;
use super::eyes::Saved;
use super::project::Project;
use super::stale::seems_built;
use crate::child;

/// What starts a build.
type Start = Box<dyn Fn() -> io::Result<Building> + Send>;

/// The build ahead, if there is one, between the thread that watches the sources and the session.
#[derive(Clone)]
pub(super) struct Ahead(Arc<Mutex<Inner>>);

struct Inner {
    start: Start,
    state: State,
}

enum State {
    /// The session is building, or a build would need preparation.
    Forbidden,
    /// The session is at rest. A build ended at this time last, if one did.
    Allowed(Option<SystemTime>),
    Running(Building),
    /// A build ahead was ended. It may have put into place what shows a part of a save, so another build must follow before
    /// anything is loaded.
    Ended,
}

impl Ahead {
    pub(super) fn new(start: impl Fn() -> io::Result<Building> + Send + 'static) -> Ahead {
        Ahead(Arc::new(Mutex::new(Inner {
            start: Box::new(start),
            state: State::Forbidden,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is in place shows all of what was saved: nothing is, or was, built ahead.
    pub(super) fn is_none(&self) -> bool {
        matches!(self.lock().state, State::Forbidden | State::Allowed(_))
    }

    /// Lets a build begin ahead from now on if the session `is_at_rest`, after one that ended then. One that has begun goes
    /// on.
    pub(super) fn allow(&self, is_at_rest: bool, last_end: Option<SystemTime>) {
        let mut inner = self.lock();
        if let State::Forbidden | State::Allowed(_) = inner.state {
            inner.state = match is_at_rest {
                true => State::Allowed(last_end),
                false => State::Forbidden,
            };
        }
    }

    /// Lets none begin. The session begins a build of its own, and ends what began ahead.
    pub(super) fn forbid(&self) {
        // Ended without the lock, for the thread that watches the sources must not wait for that.
        let before = mem::replace(&mut self.lock().state, State::Forbidden);
        if let State::Running(building) = before {
            building.end();
        }
    }

    /// Begins a build of the session's own.
    pub(super) fn start(&self) -> io::Result<Building> {
        (self.lock().start)()
    }

    /// The build that began ahead and shows all that was saved.
    pub(super) fn take(&self) -> Option<Building> {
        let mut inner = self.lock();
        match mem::replace(&mut inner.state, State::Forbidden) {
            State::Running(building) => Some(building),
            before => {
                inner.state = before;
                None
            }
        }
    }

    /// A save has begun.
    pub(super) fn begin(&self, so_far: &Saved) {
        self.end();
        let mut inner = self.lock();
        let State::Allowed(last_end) = inner.state else {
            return;
        };
        let mut files = so_far.files.iter();
        let may_write_lock = files.any(|it| Project::is_manifest(it) || it.ends_with("Cargo.lock"));
        let both = so_far.oldest.zip(last_end);
        let seems_built = both.is_some_and(|(oldest, end)| seems_built(oldest, end));
        if may_write_lock || seems_built {
            return;
        }
        match (inner.start)() {
            Ok(building) => inner.state = State::Running(building),
            // The session tries it next, and says so.
            Err(error) => tracing::debug!(%error, "cannot begin a build ahead"),
        }
    }

    /// Kills what is running, for a program that has to be ended from outside.
    pub(super) fn kill(&self) {
        // Whoever holds the lock is about to end that build.
        if let Ok(inner) = self.0.try_lock()
            && let State::Running(building) = &inner.state
        {
            child::kill(building.id());
        }
    }

    /// The save goes on, or is none any more. Returns whether another build must follow.
    pub(super) fn end(&self) -> bool {
        let mut inner = self.lock();
        if let State::Running(_) = inner.state
            && let State::Running(building) = mem::replace(&mut inner.state, State::Ended)
        {
            drop(inner);
            building.end();
            return true;
        }
        matches!(inner.state, State::Ended)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::dev::stale::stamp;

    /// Whether a build begins ahead at the first sign of a save of `file`, which was written so long after a build.
    fn begins(is_at_rest: bool, file: &str, later: Duration) -> bool {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        let ahead = Ahead::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Err(io::ErrorKind::Other.into())
        });
        let end = SystemTime::now();
        ahead.allow(is_at_rest, Some(end));
        ahead.begin(&Saved {
            files: vec![file.into()],
            oldest: Some(stamp(end + later)),
        });
        assert!(ahead.is_none());
        starts.load(Ordering::Relaxed) > 0
    }

    #[test]
    fn a_build_begins_ahead_only_if_it_needs_no_preparation() {
        let second = Duration::from_secs(1);
        assert!(begins(true, "src/lib.rs", second));
        assert!(!begins(false, "src/lib.rs", second), "a build is running");
        assert!(
            !begins(true, "src/lib.rs", Duration::ZERO),
            "cargo has to be shown it"
        );
        assert!(
            !begins(true, "Cargo.toml", second),
            "it may write the lock file"
        );
        assert!(!begins(true, "Cargo.lock", second));
    }
}
