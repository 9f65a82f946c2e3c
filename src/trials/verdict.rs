//! The verdict on a build that was tried: what its end means, in words. Pure.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use replug_plugin::shown::{shown, spelled_bytes};

/// The parts of a trial, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TrialPart {
    /// The helper's own beginning.
    Start,
    /// Loading the copy, and what it brings along: constructors run.
    Load,
    /// Comparing the declarations, and looking up the functions.
    Handshake,
    /// The `init` of the build.
    Init,
    /// The `restore` of the build, with the state of the live generation.
    Restore,
    /// The self-test that the program has for its plugins.
    SelfTest,
    /// The `stop` of the build, at the end.
    Stop,
}

impl fmt::Display for TrialPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrialPart::Start => "before it was loaded",
            TrialPart::Load => "while it was loaded, in which its constructors run",
            TrialPart::Handshake => "in the handshake",
            TrialPart::Init => "in `init`",
            TrialPart::Restore => "in `restore`",
            TrialPart::SelfTest => "in its self-test",
            TrialPart::Stop => "in `stop`",
        })
    }
}

/// The signal of which a process dies without a word, whoever sends it.
pub(super) const KILLED: i32 = 9;

/// How a trial ended that was not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrialEnd {
    /// A part of it failed, with this error.
    Failed(String),
    /// The helper died of this signal.
    Signal(i32),
    /// The helper ended with this status before all was done, as by `exit` in a constructor.
    Exit(Option<i32>),
    /// The helper was not done within this time, and was killed.
    TimeLimit(Duration),
    /// The program was started and took no part: its `main` did not call
    /// [`run_if_asked`](crate::trial::run_if_asked) for a host of this type.
    NoPart(&'static str),
}

/// Why a build did not pass its trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialFailure {
    pub(super) end: TrialEnd,
    pub(super) part: TrialPart,
    pub(super) took: Duration,
    pub(super) last_words: String,
}

impl TrialFailure {
    /// How it ended.
    pub fn end(&self) -> &TrialEnd {
        &self.end
    }

    /// Whether the helper was killed, by whomever; not for the time that it took.
    pub(super) fn was_killed(&self) -> bool {
        self.end == TrialEnd::Signal(KILLED)
    }

    /// How far it had come.
    pub fn part(&self) -> TrialPart {
        self.part
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The end of what the helper wrote to stderr, and of what plugins write to stdout on Unix systems. Foreign text:
    /// [`shown`] makes it safe to print.
    pub fn last_words(&self) -> &str {
        &self.last_words
    }
}

impl fmt::Display for TrialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrialFailure { part, took, .. } = self;
        f.write_str("a helper process that tried it ")?;
        match &self.end {
            TrialEnd::Failed(reason) => write!(f, "failed {part}: {}", shown(reason))?,
            TrialEnd::Signal(signal) => {
                write!(f, "died of signal {signal}{} {part}", name_of(*signal))?;
            }
            TrialEnd::Exit(Some(status)) => {
                write!(f, "ended with status {status} {part}, and was not done")?;
            }
            TrialEnd::Exit(None) => write!(f, "ended {part}, and was not done")?,
            TrialEnd::TimeLimit(limit) => write!(
                f,
                "was not done after {} ms, was then {part}, and was killed; if it needs longer, allow that (`Trial::time`, \
                 `--trial-ms`)",
                limit.as_millis()
            )?,
            TrialEnd::NoPart(kind) => write!(
                f,
                "took no part in that: let `main` begin with `replug::trial::run_if_asked` for a host of `{kind}`, and \
                 let helpers have the environment and the arguments that this program needs to come so far \
                 (`Trial::environment`, `Trial::arguments`)"
            )?,
        }
        if !matches!(self.end, TrialEnd::TimeLimit(_)) {
            write!(f, " (after {} ms)", took.as_millis())?;
        }
        match self.last_words.as_str() {
            "" => Ok(()),
            words => write!(f, "; its last words: `{}`", shown(words)),
        }
    }
}

impl Error for TrialFailure {}

/// The name of a signal that programs die of, in brackets, and who sends it if that is not the program itself.
#[cfg(unix)]
fn name_of(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGTRAP => " (SIGTRAP)",
        libc::SIGSYS => " (SIGSYS)",
        libc::SIGTERM => " (SIGTERM)",
        KILLED => {
            " (SIGKILL: somebody killed it, or the system for want of memory, or it itself; a second try ended so, too)"
        }
        _ => "",
    }
}

/// There are none.
#[cfg(not(unix))]
fn name_of(_signal: i32) -> &'static str {
    ""
}

/// The last words in the end of what was written: whole characters, without the space around them.
pub(super) fn last_words(written: &[u8]) -> String {
    // The first bytes may be the rest of a character.
    let begin = written.iter().position(|byte| byte & 0xc0 != 0x80);
    let written = &written[begin.unwrap_or(written.len())..];
    spelled_bytes(written).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(end: TrialEnd, part: TrialPart, words: &[u8]) -> String {
        let failure = TrialFailure {
            end,
            part,
            took: Duration::from_millis(7),
            last_words: last_words(words),
        };
        failure.to_string()
    }

    #[test]
    fn each_end_is_told_with_its_part_its_time_and_its_last_words() {
        let failed = TrialEnd::Failed("no licence".to_owned());
        for (end, part, words, expected) in [
            (
                failed,
                TrialPart::Init,
                "",
                "a helper process that tried it failed in `init`: no licence (after 7 ms)",
            ),
            (
                TrialEnd::Exit(Some(0)),
                TrialPart::Load,
                " bye\n",
                "a helper process that tried it ended with status 0 while it was loaded, in which its constructors run, \
                 and was not done (after 7 ms); its last words: `bye`",
            ),
            (
                TrialEnd::TimeLimit(Duration::from_secs(2)),
                TrialPart::SelfTest,
                "",
                "a helper process that tried it was not done after 2000 ms, was then in its self-test, and was killed; if \
                 it needs longer, allow that (`Trial::time`, `--trial-ms`)",
            ),
        ] {
            assert_eq!(said(end, part, words.as_bytes()), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_signal_has_its_name() {
        let told = said(TrialEnd::Signal(libc::SIGSEGV), TrialPart::Load, b"");
        assert!(told.contains("signal 11 (SIGSEGV) while"), "{told}");
    }

    #[test]
    fn last_words_begin_with_a_whole_character_and_move_nothing() {
        assert_eq!(last_words(b"\x9d\x84e\xcc\x81nd "), "e\u{301}nd");
        assert_eq!(last_words(b"\x80\x80"), "");
        let told = said(TrialEnd::Exit(None), TrialPart::Load, b"a\n\x1b[2J\xff");
        assert!(told.ends_with(r"`a\n\x1b[2J\xff`"), "{told}");
    }
}
