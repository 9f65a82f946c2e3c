//! What the end of the last run says of the builds that were loaded then: which of them has ended the process, as far as that
//! can be known. Pure: the note, the boots and the history are arguments.

use super::history::{History, Past, Run};
use super::lines::{Build, Event};
use crate::look::digest::Digest;

/// The note that a process leaves when it ends by a signal, or by `exit`: written by its signal handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// The process.
    pub(crate) process: u32,
    /// The signal; 0 if the process ended itself by `exit`.
    pub(crate) signal: u32,
    /// The process that has sent the signal; 0 if it was the system, for what the code did.
    pub(crate) sender: u32,
    /// The build whose code was at work, by the first 16 digits of its digest, and how that is known.
    pub(crate) at_work: Option<(u64, AtWork)>,
}

/// How it is known that a build's code was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtWork {
    /// The instruction lies within the build's image.
    Code,
    /// The thread was in a call of the build.
    Call,
    /// The thread was loading the build, or in one of its hooks.
    Load,
}

impl Note {
    /// Reads a note: words as the handler writes them. `None` if there is none, or it was cut.
    pub(crate) fn read(text: &str) -> Option<Note> {
        let text = text.strip_prefix("note ")?.split('\n').next()?;
        let mut numbers = text.split(' ').map(|word| u64::from_str_radix(word, 16));
        let mut next = || numbers.next()?.ok();
        let (process, signal, sender) = (next()?, next()?, next()?);
        let (how, prefix, end) = (next()?, next()?, next()?);
        let at_work = match how {
            0 => None,
            1 => Some((prefix, AtWork::Code)),
            2 => Some((prefix, AtWork::Call)),
            3 => Some((prefix, AtWork::Load)),
            _ => return None,
        };
        // The last word says that the note is whole.
        (end == END).then_some(Note {
            process: process.try_into().ok()?,
            signal: signal.try_into().ok()?,
            sender: sender.try_into().ok()?,
            at_work,
        })
    }
}

/// The last word of a note.
pub(crate) const END: u64 = 0xe;

/// The first 16 digits of a digest as a number: by them a note names a build.
pub(crate) fn prefix_of(digest: Digest) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

/// What became of the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What is to be taken down: a death for each build that was on probation.
    pub(crate) deaths: Vec<Event>,
}

/// Judges the end of the last run, which has left no word of its own, by the note and by whether the machine is still up. No
/// build is blamed for what is not known.
pub(crate) fn judge(history: &History, boot: &str, note: Option<&Note>) -> Verdict {
    let Some(run) = &history.running else {
        return Verdict { deaths: Vec::new() };
    };
    let note = note.filter(|note| note.process == run.process);
    let suspects = history.unfinished().filter(|past| !past.is_proven);
    let blamed = note.and_then(|note| blame(history, note));
    let deaths = suspects.map(|past| {
        let counts = blamed.as_ref() == Some(&past.build);
        let reason = reason(run, boot, note, past, counts);
        Event::Died {
            build: past.build.clone(),
            run: run.run,
            counts,
            reason,
        }
    });
    Verdict {
        deaths: deaths.collect(),
    }
}

/// The build whose code has ended the process, if that is known.
fn blame(history: &History, note: &Note) -> Option<Build> {
    let (prefix, _) = note.at_work?;
    if is_from_outside(note) {
        return None;
    }
    let mut loaded = history.unfinished();
    let at_work = loaded.find(|past| prefix_of(past.build.digest) == prefix)?;
    Some(at_work.build.clone())
}

/// Whether another process has sent the signal.
fn is_from_outside(note: &Note) -> bool {
    note.sender != 0 && note.sender != note.process
}

fn reason(run: &Run, boot: &str, note: Option<&Note>, past: &Past, counts: bool) -> String {
    let Some(note) = note else {
        return match boot == run.boot {
            false => "the machine went down while it was on probation; that is not held against it"
                .to_owned(),
            true => "its process ended without a word while it was on probation: killed from outside, or by the system for \
                 want of memory, as far as is known; that is not held against it"
                .to_owned(),
        };
    };
    let what = match note.signal {
        0 => "the process ended itself by `exit`".to_owned(),
        signal => format!("the process ended by {}", signal_name(signal)),
    };
    if is_from_outside(note) {
        let sender = note.sender;
        return format!(
            "{what}, which process {sender} sent from outside; that is not held against it"
        );
    }
    let is_its_own = note
        .at_work
        .filter(|(prefix, _)| *prefix == prefix_of(past.build.digest));
    match (is_its_own, counts) {
        (Some((_, AtWork::Code)), true) => format!("{what} in its code"),
        (Some((_, AtWork::Call)), true) => format!("{what} in a call of it"),
        (Some((_, AtWork::Load)), true) => {
            format!("{what} while it was loaded, or in a hook of it")
        }
        _ if note.at_work.is_some() => {
            format!("{what} in another build; that is not held against it")
        }
        _ => format!("{what} outside of all calls of plugins; that is not held against it"),
    }
}

/// The name of a signal, on the systems whose numbers are those of POSIX for these.
fn signal_name(signal: u32) -> String {
    let name = match signal {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        11 => "SIGSEGV",
        7 if cfg!(target_os = "linux") => "SIGBUS",
        10 if !cfg!(target_os = "linux") => "SIGBUS",
        31 if cfg!(target_os = "linux") => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::lines::Entry;
    use super::*;

    const BOOT: &str = "this boot";

    fn build(name: &str) -> Build {
        Build::new(
            Path::new(&format!("/lib{name}.so")),
            Digest::of(name.as_bytes()),
        )
    }

    fn history(events: Vec<Event>) -> History {
        let started = Event::Started {
            run: 5,
            boot: BOOT.to_owned(),
            process: 100,
        };
        let events = [started].into_iter().chain(events);
        let entries: Vec<_> = events.map(|event| Entry { at: 0, event }).collect();
        History::of(&entries)
    }

    fn live(name: &str) -> Event {
        Event::Live {
            build: build(name),
            generation: 1,
        }
    }

    fn note(signal: u32, sender: u32, at_work: Option<(&str, AtWork)>) -> Note {
        let at_work = at_work.map(|(name, how)| (prefix_of(build(name).digest), how));
        Note {
            process: 100,
            signal,
            sender,
            at_work,
        }
    }

    /// Who is blamed, and all reasons.
    fn judged(history: &History, boot: &str, note: Option<Note>) -> (Vec<Build>, String) {
        let verdict = judge(history, boot, note.as_ref());
        let mut blamed = Vec::new();
        let mut reasons = String::new();
        for death in verdict.deaths {
            let Event::Died {
                build,
                run,
                counts,
                reason,
            } = death
            else {
                panic!("{death:?}")
            };
            assert_eq!(run, 5);
            reasons = reasons + &reason + "|";
            if counts {
                blamed.push(build);
            } else {
                assert!(reason.contains("not held against it"), "{reason}");
            }
        }
        (blamed, reasons)
    }

    #[test]
    fn a_build_is_blamed_for_a_signal_in_its_code_its_calls_and_its_loading_only() {
        use AtWork::{Call, Code, Load};
        let live = || history(vec![live("a")]);
        let loading = || history(vec![Event::Handed { build: build("a") }]);
        let segv = |at_work| Some(note(11, 0, at_work));
        let cases = [
            (live(), segv(Some(("a", Code))), true, "SIGSEGV in its code"),
            (live(), segv(Some(("a", Call))), true, "in a call of it"),
            (
                loading(),
                segv(Some(("a", Load))),
                true,
                "while it was loaded",
            ),
            (
                live(),
                Some(note(6, 100, Some(("a", Call)))),
                true,
                "SIGABRT",
            ),
            (live(), Some(note(0, 0, Some(("a", Call)))), true, "`exit`"),
            (
                live(),
                Some(note(0, 0, None)),
                false,
                "outside of all calls",
            ),
            (live(), segv(None), false, "outside of all calls"),
            (live(), segv(Some(("b", Code))), false, "another build"),
            // Whoever sends a signal from outside meets a call by chance.
            (
                live(),
                Some(note(11, 9, Some(("a", Call)))),
                false,
                "process 9",
            ),
            (live(), None, false, "without a word"),
            (loading(), None, false, "without a word"),
        ];
        for (history, note, is_blamed, words) in cases {
            let (blamed, reasons) = judged(&history, BOOT, note.clone());
            assert_eq!(blamed == [build("a")], is_blamed, "{note:?}");
            assert!(reasons.contains(words), "{reasons} for {note:?}");
        }
    }

    #[test]
    fn a_machine_that_went_down_is_held_against_nobody() {
        let (blamed, reasons) = judged(&history(vec![live("a")]), "the next boot", None);
        assert!(blamed.is_empty());
        assert!(reasons.contains("the machine went down"), "{reasons}");
    }

    #[test]
    fn the_note_of_another_process_says_nothing() {
        let of_another = Note {
            process: 99,
            ..note(11, 0, Some(("a", AtWork::Code)))
        };
        let (blamed, reasons) = judged(&history(vec![live("a")]), BOOT, Some(of_another));
        assert!(blamed.is_empty());
        assert!(reasons.contains("without a word"), "{reasons}");
    }

    #[test]
    fn only_what_was_on_probation_is_judged() {
        let segv = || Some(note(11, 0, Some(("a", AtWork::Code))));
        let proven = history(vec![live("a"), Event::Proven { build: build("a") }]);
        assert_eq!(judged(&proven, BOOT, segv()), (Vec::new(), String::new()));
        let ended = history(vec![live("a"), Event::Stopped]);
        assert_eq!(judged(&ended, BOOT, segv()), (Vec::new(), String::new()));
        let two = history(vec![live("a"), live("b")]);
        let (blamed, reasons) = judged(&two, BOOT, segv());
        assert_eq!(blamed, [build("a")]);
        assert!(reasons.contains("in another build"), "{reasons}");
    }

    #[test]
    fn a_note_is_read_whole_or_not_at_all() {
        let text = "note 64 b 0 2 00112233aabbccdd e\n";
        let whole = Note {
            process: 100,
            signal: 11,
            sender: 0,
            at_work: Some((0x0011_2233_aabb_ccdd, AtWork::Call)),
        };
        assert_eq!(Note::read(text), Some(whole));
        for cut in 0..text.len() - 2 {
            assert_eq!(Note::read(&text[..cut]), None, "cut at {cut}");
        }
        assert_eq!(Note::read("\0\0\0"), None);
    }
}
