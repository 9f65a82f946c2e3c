//! The rounds of building: what a save, a key or the end of a build leads to. Pure; the clock is given.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many builds in a row one file may change, and no other, before the file is suspected to be written by the builds
/// themselves: more often than a person saves within the builds of one thought.
const SUSPECT_AFTER: u32 = 5;

/// How many builds in a row may come to nothing because something was saved. The next one comes to its end and counts, whatever
/// is saved meanwhile: somebody may save without end, or a tool.
const MOST_IN_VAIN: u32 = 12;

/// How many of them may have come to their end before. Whoever saves just then does not do so again and again, but builds do.
const MOST_ENDS_IN_VAIN: u32 = 2;

/// How long the first build that a suspect asks for is put off; each further one twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest that a build is put off.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The next step after a save or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To end the build that is running, if one is, and to begin another.
    Build,
    /// To let the build that is running come to its end, and to build once more then.
    Later,
}

/// The builds so far, as far as they decide about the next one.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    is_building: bool,
    /// Whether something was saved that the running build does not show, and that did not end the build.
    is_behind: bool,
    /// Whether the build that has ended counts for nothing.
    is_void: bool,
    /// How many builds began since the end of one counted.
    begun: u32,
    /// How many of them came to their end.
    ends: u32,
    /// When the next build begins that was put off.
    due: Option<Instant>,
    suspect: Option<Suspect>,
}

/// A file that was the only one to change while builds were running.
#[derive(Debug)]
struct Suspect {
    file: PathBuf,
    /// In how many builds in a row it changed.
    builds: u32,
    /// Whether it changed in the build that is running.
    has_changed: bool,
    /// Whether the suspicion was told.
    is_told: bool,
}

impl Rounds {
    /// A build begins.
    pub(super) fn began(&mut self) {
        // A build in which nothing changed acquits. What it wrote may have been noticed after its end.
        self.suspect.take_if(|suspect| !suspect.has_changed);
        self.is_building = true;
        self.is_behind = false;
        self.is_void = false;
        self.begun += 1;
        self.due = None;
        if let Some(suspect) = &mut self.suspect {
            suspect.has_changed = false;
        }
    }

    /// The end of a build counts: what it made is loaded, or its failure is told.
    pub(super) fn counted(&mut self) {
        self.begun = 0;
        self.ends = 0;
    }

    /// Whether the end of the build that began last counts, whatever is saved.
    pub(super) fn must_count(&self) -> bool {
        self.begun > MOST_IN_VAIN || self.ends > MOST_ENDS_IN_VAIN
    }

    /// The user asks for a build.
    pub(super) fn asked(&mut self) -> Step {
        self.suspect = None;
        Step::Build
    }

    /// These files were saved; or, by the times of their writes, the last build has written them, and that is noticed only
    /// now.
    pub(super) fn saved(&mut self, files: &[PathBuf], is_by_build: bool, now: Instant) -> Step {
        let is_within_build = self.is_building || is_by_build;
        match (is_within_build, files) {
            (true, [file]) => self.suspect(file),
            (true, _) => self.suspect = None,
            // Between builds no build writes: this was a person, whose saves came within builds before.
            (false, files) => {
                self.suspect
                    .take_if(|suspect| files.contains(&suspect.file));
            }
        }
        let is_put_off = self.is_suspicious() && is_within_build;
        if !is_put_off && !self.must_count() {
            return Step::Build;
        }
        match self.is_building {
            true => self.is_behind = true,
            false => self.put_off(now),
        }
        Step::Later
    }

    /// The running build was ended, and nothing follows.
    pub(super) fn dropped(&mut self) {
        self.is_building = false;
        self.is_behind = false;
        self.is_void = false;
        self.due = None;
    }

    fn suspect(&mut self, file: &Path) {
        let before = self.suspect.take_if(|suspect| suspect.file == file);
        let mut suspect = before.unwrap_or_else(|| Suspect {
            file: file.to_owned(),
            builds: 0,
            has_changed: false,
            is_told: false,
        });
        suspect.builds += u32::from(!suspect.has_changed);
        suspect.has_changed = true;
        self.suspect = Some(suspect);
    }

    /// In how many builds in a row the suspect changed.
    fn builds(&self) -> u32 {
        self.suspect.as_ref().map_or(0, |suspect| suspect.builds)
    }

    fn is_suspicious(&self) -> bool {
        self.builds() > SUSPECT_AFTER
    }

    /// The running build came to its end.
    pub(super) fn ended(&mut self, now: Instant) {
        self.is_building = false;
        self.ends += 1;
        if self.is_behind {
            self.put_off(now);
        }
    }

    /// Puts off the build that shows what was saved. The one that has ended may have read half of that: if the suspicion is
    /// new, a person may save within builds, and that one counts for nothing. The next one, which begins after a time in which
    /// nobody saved, shows who writes.
    fn put_off(&mut self, now: Instant) {
        self.due = Some(now + self.pause());
        self.is_void = self.builds() == SUSPECT_AFTER + 1 && !self.must_count();
    }

    fn pause(&self) -> Duration {
        let doublings = self.builds().saturating_sub(SUSPECT_AFTER + 1).min(16);
        (PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE)
    }

    /// Whether the build that has ended counts for nothing.
    pub(super) fn is_void(&self) -> bool {
        self.is_void
    }

    /// When a build begins that was put off.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The file that the builds write themselves, told once: it changes in each of them, and at no other time.
    pub(super) fn tell_suspect(&mut self) -> Option<&Path> {
        let is_certain = self.builds() > SUSPECT_AFTER + 1;
        let suspect = self.suspect.as_mut().filter(|_| is_certain)?;
        match std::mem::replace(&mut suspect.is_told, true) {
            true => None,
            false => Some(&suspect.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Vec<PathBuf> {
        vec![name.into()]
    }

    #[test]
    fn a_save_during_a_build_begins_anew() {
        let mut rounds = Rounds::default();
        assert_eq!(
            rounds.saved(&file("lib.rs"), false, Instant::now()),
            Step::Build
        );
        rounds.began();
        assert_eq!(
            rounds.saved(&file("lib.rs"), false, Instant::now()),
            Step::Build
        );
        rounds.began();
        rounds.ended(Instant::now());
        assert_eq!(rounds.due(), None);
    }

    /// The rounds after as many builds as it takes to suspect `made.rs`; the last one is running.
    fn suspicious() -> Rounds {
        let mut rounds = Rounds::default();
        for _ in 0..SUSPECT_AFTER {
            rounds.began();
            assert_eq!(
                rounds.saved(&file("made.rs"), false, Instant::now()),
                Step::Build
            );
            assert_eq!(rounds.tell_suspect(), None);
        }
        rounds.began();
        assert_eq!(
            rounds.saved(&file("made.rs"), false, Instant::now()),
            Step::Later
        );
        rounds
    }

    #[test]
    fn a_file_that_each_build_changes_puts_the_next_one_off_for_longer_and_longer() {
        let (mut rounds, now) = (suspicious(), Instant::now());
        let mut told = Vec::new();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            told.extend(rounds.tell_suspect().map(Path::to_owned));
            rounds.ended(now);
            assert_eq!(rounds.due(), Some(now + Duration::from_secs(pause)));
            assert_eq!(told.is_empty(), rounds.is_void(), "after {pause} s");
            rounds.began();
            assert_eq!(rounds.due(), None);
            assert_eq!(
                rounds.saved(&file("made.rs"), false, Instant::now()),
                Step::Later
            );
        }
        assert_eq!(told, file("made.rs"), "it is told once");
    }

    #[test]
    fn the_last_save_of_a_suspect_is_built() {
        let mut rounds = suspicious();
        rounds.ended(Instant::now());
        assert!(rounds.due().is_some());
    }

    #[test]
    fn a_build_in_which_a_suspect_changed_counts_once_nobody_else_can_have_changed_it() {
        let (mut rounds, now) = (suspicious(), Instant::now());
        assert!(!rounds.is_void(), "it has not ended");
        rounds.ended(now);
        assert!(rounds.is_void());
        for _ in 0..3 {
            rounds.began();
            assert!(!rounds.is_void());
            assert_eq!(rounds.saved(&file("made.rs"), false, now), Step::Later);
            rounds.ended(now);
            assert!(!rounds.is_void());
        }
        let mut rounds = suspicious();
        rounds.ended(now);
        assert_eq!(rounds.saved(&file("lib.rs"), false, now), Step::Build);
        rounds.began();
        rounds.ended(now);
        assert!(!rounds.is_void());
    }

    #[test]
    fn of_builds_that_come_to_nothing_one_counts_in_the_end_whatever_is_saved() {
        let now = Instant::now();
        // Saved during each build, or behind the end of each, by files in turn, and the user asks for one in between.
        for (is_behind, most) in [(false, MOST_IN_VAIN), (true, MOST_ENDS_IN_VAIN)] {
            let (mut rounds, mut began) = (Rounds::default(), 0);
            let both = [file("made.rs"), file("other.rs")];
            for saved in both.iter().cycle() {
                if began == most / 2 {
                    rounds.asked();
                }
                rounds.began();
                began += 1;
                if is_behind {
                    rounds.ended(now);
                }
                if rounds.saved(saved, false, now) == Step::Later {
                    break;
                }
            }
            assert_eq!(began, most + 1);
            assert!(rounds.must_count() && !rounds.is_void());
            if !is_behind {
                rounds.ended(now);
            }
            rounds.counted();
            assert!(!rounds.is_void());
            assert!(rounds.due().is_some(), "what was saved is built");
            assert_eq!(rounds.saved(&both[0], false, now), Step::Build);
        }
    }

    #[test]
    fn a_suspect_that_changes_between_builds_was_saved_by_a_person() {
        let mut rounds = suspicious();
        rounds.ended(Instant::now());
        assert_eq!(
            rounds.saved(&file("made.rs"), false, Instant::now()),
            Step::Build
        );
        rounds.began();
        let within = rounds.saved(&file("made.rs"), false, Instant::now());
        assert_eq!(within, Step::Build, "a person is suspected no longer");
    }

    #[test]
    fn what_a_build_wrote_and_is_noticed_after_its_end_is_suspected_as_well() {
        let (mut rounds, now) = (Rounds::default(), Instant::now());
        for _ in 0..SUSPECT_AFTER {
            rounds.began();
            rounds.ended(now);
            rounds.counted();
            assert_eq!(rounds.saved(&file("made.rs"), true, now), Step::Build);
        }
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            rounds.began();
            rounds.ended(now);
            rounds.counted();
            assert_eq!(rounds.saved(&file("made.rs"), true, now), Step::Later);
            assert_eq!(rounds.due(), Some(now + Duration::from_secs(pause)));
        }
    }

    #[test]
    fn another_file_a_key_and_a_build_without_a_change_acquit() {
        let mut rounds = suspicious();
        assert_eq!(
            rounds.saved(&file("lib.rs"), false, Instant::now()),
            Step::Build
        );
        let mut rounds = suspicious();
        assert_eq!(rounds.asked(), Step::Build);
        let mut rounds = suspicious();
        rounds.ended(Instant::now());
        rounds.began();
        rounds.ended(Instant::now());
        rounds.began();
        assert_eq!(
            rounds.saved(&file("made.rs"), false, Instant::now()),
            Step::Build
        );
    }
}
