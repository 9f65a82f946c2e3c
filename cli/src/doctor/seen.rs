//! What follows from the changes that were made beside a path. Pure.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use replug::Options;
use replug::shown::shown;
use replug::watch::{Lock, Place, Writers};

use super::finding::{Said, page};
use super::probe::{Fate, LIMIT, Times, Told};
use super::ways::Way;

/// The longest time, in seconds, by which the clock of a filesystem may differ from ours: FAT counts in twos, and cargo
/// takes no harm by less.
const CLOCK_SLACK: i64 = 3;

/// What is to be said of changes of each way, and how long they took to be read.
pub(super) fn changes(made: &[(Way, Fate)], place: &Place) -> Vec<Said> {
    let mut all = Vec::new();
    let mut times = Vec::new();
    for (way, fate) in made {
        match fate {
            Fate::Read(time) => times.push(format!("{} ({})", spelled(*time), way.word())),
            Fate::Unread => all.push(unread(*way)),
            Fate::Unmade(error) => all.push(unmade(*way, error)),
        }
    }
    if !times.is_empty() {
        all.insert(0, read(&times.join(", "), place));
    }
    all
}

fn read(times: &str, place: &Place) -> Said {
    let interval = Options::INTERVAL.as_millis();
    let words = format!(
        "a host that polls at that moment has read a change after {times}; the time to its next poll comes on top, \
         {interval} ms at most"
    );
    match place.is_remote() {
        false => Said::ok("changes", words, page::TIMES),
        true => Said::note(
            "changes",
            format!(
                "{words}, and up to a second after long quiet; this was a change from here: one by others cannot be \
                 tried, and can take longer"
            ),
            None,
            page::HOW_LONG,
        ),
    }
}

/// A time in milliseconds, for people.
fn spelled(time: Duration) -> String {
    /// Below that, a tenth of a millisecond is news.
    const SHORT: Duration = Duration::from_millis(10);
    match time < SHORT {
        true => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        false => format!("{} ms", time.as_millis()),
    }
}

fn unread(way: Way) -> Said {
    let words = format!(
        "a file that was {} was not read within {} s: replug is late here, or never sees it",
        way.word(),
        LIMIT.as_secs()
    );
    let remedy = "mount it with options by which its client asks the server, or put the library on another filesystem";
    Said::finding("changes", words, remedy, page::NOT_SEEN)
}

fn unmade(way: Way, error: &std::io::Error) -> Said {
    let words = format!("no file can be {} here: {error}", way.word());
    Said::note("changes", words, None, page::FILESYSTEMS)
}

/// What is to be said of the system's word on writers.
pub(super) fn leases(told: Told, place: &Place) -> Said {
    let settle = Options::SETTLE.as_millis();
    let waits = format!("a library that is written in place must hold still for {settle} ms");
    let publish = Some("bring libraries there whole, by `replug publish`, `mv` or cargo itself");
    match (told.while_open, told.after) {
        (Writers::Somebody, Writers::Nobody) => Said::ok(
            "leases",
            "the system tells whether somebody writes to a file, so nothing is waited for",
            page::TIMES,
        ),
        (Writers::Somebody, Writers::Somebody) => Said::note(
            "leases",
            "another program opens each file that is made here, for writing, and a library is read only when nobody \
             has it open so",
            Some(
                "leave this directory out of what that program, such as a scanner or an indexer, looks through",
            ),
            page::TIMES,
        ),
        _ if place.tells_writers => Said::note(
            "leases",
            format!(
                "the system does not tell here who writes to a file, though it could: leases are refused, so {waits}"
            ),
            Some(
                "set `fs.leases-enable` to 1 (sysctl), or let the user who runs the host own the libraries",
            ),
            page::TIMES,
        ),
        _ => Said::note(
            "leases",
            format!("the system does not tell on this filesystem who writes to a file, so {waits}"),
            publish,
            page::TIMES,
        ),
    }
}

/// The note that the system does not tell this user who writes to a library, where it tells its owner.
pub(super) fn leases_refused(library: &Path) -> Said {
    let words = format!(
        "the system does not tell this user who writes to `{}`, as it tells its owner, so that what is written in \
         place must hold still for {} ms",
        shown(library),
        Options::SETTLE.as_millis()
    );
    let remedy = Some(
        "let the user who runs the host own the libraries, or bring them whole, by `replug publish` or `mv`",
    );
    Said::note("leases", words, remedy, page::TIMES)
}

/// What is to be said of locks, by what was answered of one that was held, and of one that was free.
pub(super) fn locks(answers: (Lock, Lock)) -> Said {
    match answers {
        (Lock::Held, Lock::Free) => Said::ok(
            "locks",
            "cargo's locks can be asked, so a build that runs is waited for",
            page::LOCKS,
        ),
        _ => no_locks("a lock that is held is not seen"),
    }
}

/// The finding that locks tell nothing, for this reason.
pub(super) fn no_locks(reason: &str) -> Said {
    let words = format!(
        "cargo's locks tell nothing here ({reason}), so nobody knows whether a build runs, and what it leaves half \
         done must be told by holding still"
    );
    let remedy = "build on a local filesystem (`--target-dir`), and bring libraries here by `replug publish`";
    Said::finding("locks", words, remedy, page::LOCKS)
}

/// The note that locks are never asked there.
pub(super) fn locks_unasked() -> Said {
    Said::note(
        "locks",
        "cargo's locks are never asked here, for that can hang, so whether a build runs is not known",
        Some(
            "build on a local filesystem (`--target-dir`), and bring libraries here by `replug publish`",
        ),
        page::LOCKS,
    )
}

/// What is to be said of the filesystem's clock.
pub(super) fn clock(times: &[Times]) -> Vec<Said> {
    let mut all: Vec<_> = times.iter().find_map(differing).into_iter().collect();
    let is_coarse = !times.is_empty() && times.iter().all(|it| it.written.nanoseconds == 0);
    if is_coarse {
        all.push(Said::note(
            "stamps",
            "write times are whole seconds here, so two writes within one look alike, and what was just read is read \
             again two seconds later",
            None,
            page::TIMES,
        ));
    }
    if all.is_empty() && !times.is_empty() {
        all.push(Said::ok(
            "clock",
            "the filesystem's clock is this machine's",
            page::TIMES,
        ));
    }
    all
}

fn differing(times: &Times) -> Option<Said> {
    let written = times.written.seconds;
    let behind = seconds(times.before) - written;
    let ahead = written - seconds(times.after);
    let (by, way) = match (behind > CLOCK_SLACK, ahead > CLOCK_SLACK) {
        (true, _) => (behind, "behind"),
        (_, true) => (ahead, "ahead of"),
        _ => return None,
    };
    let words = format!(
        "the filesystem's clock is {by} s {way} this machine's; replug compares no clocks, but cargo does, and then \
         builds what has not changed, or takes what has changed for built"
    );
    let remedy = "set both clocks by one source (NTP), on the server too";
    Some(Said::finding("clock", words, remedy, page::FILESYSTEMS))
}

/// A time in whole seconds since 1970.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::io;

    use replug::GatePolicy;
    use replug::watch::{Locality, Names, Stamp};

    use super::super::finding::Weight;
    use super::*;

    fn place(locality: Locality, tells_writers: bool) -> Place {
        Place {
            filesystem: Cow::Borrowed("some"),
            locality,
            looks_can_lag: false,
            names: Names::ByLook,
            tells_writers,
            gate: GatePolicy::Auto,
        }
    }

    #[test]
    fn the_time_of_each_way_is_said_and_a_change_that_is_not_read_is_a_finding() {
        let made = [
            (Way::InPlace, Fate::Read(Duration::from_millis(12))),
            (Way::Renamed, Fate::Unread),
            (Way::Linked, Fate::Unmade(io::ErrorKind::Unsupported.into())),
        ];
        let said = changes(&made, &place(Locality::Local, true));
        let weights: Vec<_> = said.iter().map(|it| it.weight).collect();
        assert_eq!(weights, [Weight::Ok, Weight::Finding, Weight::Note]);
        assert!(
            said[0].words.contains("12 ms (written in place)"),
            "{said:?}"
        );
        assert!(said[1].words.contains("renamed over"), "{said:?}");
        assert!(said[2].words.contains("linked over"), "{said:?}");
        let remote = changes(&made[..1], &place(Locality::Remote, false));
        assert!(remote[0].words.contains("by others"), "{remote:?}");
    }

    #[test]
    fn the_systems_word_on_writers_is_tried_and_not_believed() {
        use Writers::{Nobody, Somebody, Unknown};
        for (while_open, after, tells, weight, telling) in [
            (Somebody, Nobody, true, Weight::Ok, "nothing is waited for"),
            (Somebody, Somebody, true, Weight::Note, "another program"),
            (Unknown, Unknown, true, Weight::Note, "leases are refused"),
            (Somebody, Unknown, true, Weight::Note, "leases are refused"),
            (Nobody, Nobody, true, Weight::Note, "leases are refused"),
            (Unknown, Unknown, false, Weight::Note, "on this filesystem"),
        ] {
            let said = leases(Told { while_open, after }, &place(Locality::Local, tells));
            assert_eq!(said.weight, weight, "{said:?}");
            assert!(said.words.contains(telling), "{said:?}");
        }
    }

    #[test]
    fn locks_are_good_only_if_a_held_one_and_a_free_one_differ() {
        assert_eq!(locks((Lock::Held, Lock::Free)).weight, Weight::Ok);
        for answers in [(Lock::Free, Lock::Free), (Lock::Absent, Lock::Absent)] {
            assert_eq!(locks(answers).weight, Weight::Finding);
        }
    }

    #[test]
    fn a_clock_that_differs_and_stamps_in_whole_seconds_are_told_apart() {
        const NOW: u64 = 1_000_000;
        let at = |seconds, nanoseconds| {
            let now = UNIX_EPOCH + Duration::from_secs(NOW);
            Times {
                before: now,
                written: Stamp {
                    seconds,
                    nanoseconds,
                },
                after: now,
            }
        };
        for (seconds, nanoseconds, about) in [
            (1_000_000, 5, vec![("clock", Weight::Ok)]),
            (999_998, 5, vec![("clock", Weight::Ok)]),
            (1_000_000, 0, vec![("stamps", Weight::Note)]),
            (999_900, 5, vec![("clock", Weight::Finding)]),
            (1_000_100, 5, vec![("clock", Weight::Finding)]),
            (
                999_900,
                0,
                vec![("clock", Weight::Finding), ("stamps", Weight::Note)],
            ),
        ] {
            let said = clock(&[at(seconds, nanoseconds); 3]);
            let found: Vec<_> = said.iter().map(|it| (&*it.about, it.weight)).collect();
            assert_eq!(found, about, "{seconds} {nanoseconds}");
        }
        assert!(clock(&[]).is_empty());
    }
}
