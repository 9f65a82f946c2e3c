//! Trouble: a failure that has not ended. Pure. An error is a state: it is reported once per cause, the artifact is
//! looked at again ever more slowly, and the end of the trouble is reported as well.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use super::settle::LOOK_AGAIN;
use crate::look::os::{HOST_DOWN, IN_USE, TOO_MANY_FILES};
use crate::look::snapshot::Kind;

/// How long a failure that often ends by itself must last to be reported, and how long a failure must be over before
/// its end is reported.
const GRACE: Duration = Duration::from_secs(1);

/// The longest pause before a new look at an artifact that cannot be looked at, unless the interval is longer: a
/// server that is back is noticed while somebody watches.
const SLOWEST_LOOK: Duration = Duration::from_secs(2);

/// A failure, from its first sight to its end.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) at: Reached,
    since: Instant,
    /// The causes that were reported so far, each with the step that the artifact had reached.
    said: Vec<(Reached, Cause)>,
    /// The length of the next pause, and the end of the present one.
    pause: Duration,
    until: Instant,
    /// Since when all has been well, if all is well.
    well_since: Option<Instant>,
}

impl Trouble {
    pub(crate) fn new(at: Reached, now: Instant) -> Trouble {
        Trouble {
            at,
            since: now,
            said: Vec::new(),
            pause: LOOK_AGAIN,
            until: now,
            well_since: None,
        }
    }

    /// The trouble that there is, or a new one; now `at` this step.
    pub(crate) fn go_on(
        trouble: &mut Option<Box<Trouble>>,
        at: Reached,
        now: Instant,
    ) -> &mut Trouble {
        let trouble = trouble.get_or_insert_with(|| Box::new(Trouble::new(at, now)));
        trouble.at = at;
        trouble.well_since = None;
        trouble
    }

    /// The artifact failed for this `cause` now. Says whether that is to be reported.
    pub(crate) fn is_news(&mut self, now: Instant, cause: Cause) -> bool {
        let is_early = cause.often_ends_by_itself() && now < self.since + GRACE;
        // A failure to look at the artifact and a failure to read it count as one.
        let is_said = |(at, said): &(Reached, Cause)| {
            at.is_degradation() == self.at.is_degradation() && *said == cause
        };
        if is_early || self.said.iter().any(is_said) {
            return false;
        }
        self.said.push((self.at, cause));
        true
    }

    /// The artifact came as far as `reached` now without failing. Says whether the trouble is over. An artifact that
    /// is well and unwell by turns has one trouble, not many.
    pub(crate) fn is_over(&mut self, now: Instant, reached: Reached) -> bool {
        if self.at > reached && self.well_since.is_none() {
            return false;
        }
        let since = *self.well_since.get_or_insert(now);
        !self.has_degraded() || now >= since + GRACE
    }

    /// When to look again after a look that has failed just `now`. Soon at first, then ever more slowly; but never so
    /// slowly that a server which is back is noticed late, however long the look took to fail: to wait for an answer costs
    /// nobody anything.
    pub(crate) fn next_look(&mut self, now: Instant, interval: Duration) -> Instant {
        self.until = now + self.pause;
        self.pause = (self.pause * 2).min(SLOWEST_LOOK.max(interval));
        self.until
    }

    /// The end of the present pause, if `now` is too early for a look.
    pub(crate) fn pauses_until(&self, now: Instant) -> Option<Instant> {
        Some(self.until).filter(|until| now < *until)
    }

    /// Ends the pause, because somebody wants to know now.
    pub(crate) fn end_pause(&mut self, now: Instant) {
        self.until = now;
    }

    /// Whether the artifact cannot be looked at or read, and that was not reported, for it may end by itself.
    pub(crate) fn is_unsaid(&self) -> bool {
        self.at.is_degradation() && !self.has_degraded()
    }

    /// Whether the artifact is kept out, and that was reported, for a reason that is not its content.
    pub(crate) fn keeps_out(&self) -> bool {
        match self.at {
            Reached::Trust | Reached::Stage => true,
            #[cfg(feature = "trial")]
            Reached::Trial => true,
            // Half a library is waited for, until its writer is seen to be gone.
            Reached::Beside => self.said.iter().any(|(at, _)| *at == Reached::Beside),
            Reached::Look | Reached::Kind | Reached::Read => false,
        }
    }

    /// Whether a failure to look at or read the artifact was reported, so that its end is to be reported too.
    pub(crate) fn has_degraded(&self) -> bool {
        self.said.iter().any(|(at, _)| at.is_degradation())
    }
}

/// The steps that an artifact can reach before it fails. Reaching a later step ends the trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    Look,
    Kind,
    Trust,
    Read,
    Stage,
    /// Staging the libraries that the artifact brings along. To read and stage the artifact itself overcomes nothing
    /// that fails here.
    Beside,
    /// Starting a helper process that tries the artifact.
    #[cfg(feature = "trial")]
    Trial,
}

impl Reached {
    /// Whether a failure at this step means that the artifact itself cannot be reached or read, as opposed to being
    /// of no use.
    pub(crate) fn is_degradation(self) -> bool {
        matches!(self, Reached::Look | Reached::Read)
    }
}

/// The cause of a failure. Failures with equal causes are the same failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    System(ErrorKind, Option<i32>),
    Kind(Kind),
    /// The file is larger than the options allow.
    TooLarge,
    /// The file is larger than this process may write one.
    FileLimit,
    /// The directory is now on another device, and the artifacts that were known there are gone.
    MountLost,
    /// One question finds what another one does not: the artifact is named by its directory and not found there, or the
    /// directory is found and cannot be listed for not being there.
    NotFoundThoughListed,
    /// Others can change the artifact; the number of the reasons, which is the same for the same reasons.
    Distrust(u64),
    /// A part of the file is missing, and may be written yet.
    Incomplete,
    /// Another cause, at a library that the artifact brings along.
    Beside {
        /// A number that is the same for the same cause at the same library.
        number: u64,
        often_ends_by_itself: bool,
    },
}

impl From<&io::Error> for Cause {
    fn from(error: &io::Error) -> Cause {
        Cause::System(error.kind(), error.raw_os_error())
    }
}

impl Cause {
    /// This cause, at a library that the artifact brings along: another one for each library.
    pub(crate) fn beside(self, library: &Path) -> Cause {
        let mut hasher = DefaultHasher::new();
        (self, library).hash(&mut hasher);
        Cause::Beside {
            number: hasher.finish(),
            often_ends_by_itself: self.often_ends_by_itself(),
        }
    }

    fn often_ends_by_itself(self) -> bool {
        match self {
            Cause::System(kind, number) => {
                matches!(
                    Class::of_system(kind, number),
                    Class::Transient | Class::Stale | Class::FilesOpen | Class::InUse
                )
            }
            Cause::NotFoundThoughListed | Cause::Incomplete => true,
            Cause::Beside {
                often_ends_by_itself,
                ..
            } => often_ends_by_itself,
            Cause::Kind(_)
            | Cause::TooLarge
            | Cause::FileLimit
            | Cause::MountLost
            | Cause::Distrust(_) => false,
        }
    }
}

/// The sort of failure that a system's error is, by what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The path leads nowhere.
    Absent,
    /// The server no longer knows the file by the handle its client has.
    Stale,
    /// The server, or the daemon behind a mount, does not answer.
    RemoteDown,
    /// This user may not look at the file, or not read it.
    Permission,
    /// This process has as many files open as it may.
    FilesOpen,
    /// Somebody else has the file for himself: in the usual case, whoever writes it.
    InUse,
    /// Anything else.
    Transient,
}

impl Class {
    pub(crate) fn of(error: &io::Error) -> Class {
        Class::of_system(error.kind(), error.raw_os_error())
    }

    fn of_system(kind: ErrorKind, number: Option<i32>) -> Class {
        match kind {
            _ if number == Some(HOST_DOWN) => Class::RemoteDown,
            _ if number == Some(TOO_MANY_FILES) => Class::FilesOpen,
            _ if number.is_some_and(|it| IN_USE.contains(&it)) => Class::InUse,
            ErrorKind::NotFound | ErrorKind::NotADirectory => Class::Absent,
            ErrorKind::StaleNetworkFileHandle => Class::Stale,
            ErrorKind::PermissionDenied => Class::Permission,
            ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::NotConnected
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset => Class::RemoteDown,
            _ => Class::Transient,
        }
    }

    /// Advice: what a person can do about the failure.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Class::Absent => "nothing is there; it is taken up when it appears",
            Class::Stale => "the server replaced it; if this lasts, mount the filesystem again",
            Class::RemoteDown => {
                "start the server or the mount's daemon, or mount the filesystem again"
            }
            Class::Permission => {
                "give this user the right to read it; if it is on a server, see that the server still lets this machine in"
            }
            Class::FilesOpen => "let this process open more files (`ulimit -n`), or close some",
            Class::InUse => "another program has it for itself; it is read when that one lets go",
            Class::Transient => "it is tried again; if this lasts, look into the system's log",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: Cause = Cause::System(ErrorKind::PermissionDenied, Some(13));
    const IO: Cause = Cause::System(ErrorKind::Other, Some(5));

    #[test]
    fn each_cause_is_said_once_however_often_they_alternate() {
        let now = Instant::now();
        let mut trouble = Trouble::new(Reached::Look, now);
        let later = now + GRACE;
        assert!(trouble.is_news(now, DENIED));
        assert!(trouble.is_news(later, IO));
        assert!(!trouble.is_news(later, DENIED));
        assert!(!trouble.is_news(later, IO));
    }

    #[test]
    fn what_often_ends_by_itself_is_said_only_if_it_lasts() {
        let now = Instant::now();
        for cause in [IO, Cause::System(ErrorKind::StaleNetworkFileHandle, None)] {
            let mut trouble = Trouble::new(Reached::Look, now);
            assert!(!trouble.is_news(now, cause));
            assert!(!trouble.is_news(now + GRACE / 2, cause));
            assert!(!trouble.has_degraded());
            assert!(trouble.is_news(now + GRACE, cause));
            assert!(trouble.has_degraded());
        }
    }

    #[test]
    fn a_server_that_does_not_answer_is_said_at_once_whatever_the_system_calls_that() {
        let now = Instant::now();
        let down = io::Error::from_raw_os_error(HOST_DOWN);
        for error in [down, ErrorKind::HostUnreachable.into()] {
            assert_eq!(Class::of(&error), Class::RemoteDown);
            let mut trouble = Trouble::new(Reached::Look, now);
            assert!(trouble.is_news(now, Cause::from(&error)), "{error}");
        }
    }

    #[test]
    fn a_file_that_somebody_has_for_himself_is_no_failure_of_the_system() {
        for number in IN_USE {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(Class::of(&error), Class::InUse, "{error}");
        }
    }

    #[test]
    fn what_is_well_and_unwell_by_turns_is_one_trouble() {
        let now = Instant::now();
        let mut trouble = None;
        for round in 0..10 {
            let now = now + GRACE / 2 * round;
            let trouble = Trouble::go_on(&mut trouble, Reached::Read, now);
            assert_eq!(trouble.is_news(now, DENIED), round == 0);
            assert!(
                !trouble.is_over(now, Reached::Look),
                "it was looked at before as well"
            );
            assert!(!trouble.is_over(now, Reached::Read), "just now it failed");
        }
        let now = now + GRACE * 5;
        let trouble = Trouble::go_on(&mut trouble, Reached::Read, now);
        assert!(!trouble.is_over(now, Reached::Read));
        assert!(
            trouble.is_over(now + GRACE, Reached::Look),
            "nothing was wrong since"
        );
    }

    #[test]
    fn what_fails_beside_an_artifact_is_not_overcome_by_reading_the_artifact() {
        let now = Instant::now();
        let mut trouble = None;
        let (one, two) = (Path::new("/d/libone.so"), Path::new("/d/libtwo.so"));
        for (after, library, is_news) in [
            (Duration::ZERO, one, false),
            (GRACE, one, true),
            (GRACE * 2, one, false),
            (GRACE * 3, two, true),
        ] {
            let now = now + after;
            if let Some(trouble) = &mut trouble {
                let trouble: &mut Box<Trouble> = trouble;
                assert!(!trouble.is_over(now, Reached::Stage));
                assert!(!trouble.is_over(now, Reached::Read));
            }
            let trouble = Trouble::go_on(&mut trouble, Reached::Beside, now);
            let cause = Cause::Incomplete.beside(library);
            assert_eq!(trouble.is_news(now, cause), is_news, "{after:?}");
            assert_eq!(trouble.keeps_out(), after >= GRACE);
        }
        assert!(trouble.unwrap().is_over(now + GRACE * 4, Reached::Beside));
    }

    #[test]
    fn it_is_looked_at_again_soon_and_then_ever_more_slowly_up_to_a_cap() {
        let now = Instant::now();
        let pauses = |interval| {
            let mut trouble = Trouble::new(Reached::Look, now);
            let pauses = (0..20).map(|_| trouble.next_look(now, interval) - now);
            pauses.collect::<Vec<_>>()
        };
        let usual = pauses(Duration::from_millis(250));
        assert_eq!(usual[0], LOOK_AGAIN);
        assert!(usual.is_sorted());
        assert_eq!(usual[19], SLOWEST_LOOK);
        let long = Duration::from_secs(30);
        assert_eq!(pauses(long)[19], long);
    }
}
