//! What became of builds, as the events of a journal add up, and what follows from it: which build is not loaded again, to
//! which one goes back, and which copies may leave. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::lines::{Build, Entry, Event, Parts};
use crate::look::digest::Digest;
use crate::look::naming::plugin_name;

/// How many deaths make a build one that is not loaded any more. One can be chance.
const QUARANTINED: u32 = 2;

/// How many builds of one library without a copy are remembered, the latest of them.
const REMEMBERED: usize = 64;

/// The history of a store: each build that it has met.
#[derive(Debug, Clone, Default)]
pub struct History {
    past: BTreeMap<Build, Past>,
    /// The run that has not ended, as far as the journal tells.
    pub(crate) running: Option<Run>,
    /// How many events there were: what comes later has the higher number.
    events: u64,
}

/// A host's use of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) run: u64,
    pub(crate) boot: String,
    pub(crate) process: u32,
}

/// The past of one build: what became of it.
#[derive(Debug, Clone)]
pub struct Past {
    pub(crate) build: Build,
    /// What there are copies of, while there are.
    pub(crate) parts: Option<Parts>,
    pub(crate) seen: u64,
    pub(crate) lives: Vec<Life>,
    pub(crate) kept: Option<(u64, String, String)>,
    pub(crate) is_handed: bool,
    pub(crate) is_proven: bool,
    pub(crate) deaths: u32,
    pub(crate) died: Option<String>,
    pub(crate) left: Option<String>,
    /// The numbers of events: when it was last handed over or live, when it last died, and when it was
    /// last chosen, and last released, by somebody.
    used_at: u64,
    live_at: u64,
    died_at: u64,
    chosen_at: u64,
    released_at: u64,
}

/// One time in which a build was live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The generation's number in its process.
    pub generation: u64,
    /// The time when it went live, in milliseconds since 1970.
    pub from_ms: u64,
    /// How it ended, or that it has not.
    pub end: End,
}

/// The end of a time in which a build was live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is live, or its process has ended since and no host has started after it.
    Open,
    /// Another generation took its place, or its host ended, at this time in milliseconds since 1970.
    At(u64),
    /// Its process ended without a word, nobody knows when.
    Unknown,
}

/// Why a build is not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Until its bytes differ or it is released.
    Always(String),
    /// In this run, if there is another one to be loaded.
    Once(String),
}

impl Hold {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Hold::Always(reason) | Hold::Once(reason) => reason,
        }
    }
}

impl Past {
    fn new(build: &Build, at: u64) -> Past {
        Past {
            build: build.clone(),
            parts: None,
            seen: at,
            lives: Vec::new(),
            kept: None,
            is_handed: false,
            is_proven: false,
            deaths: 0,
            died: None,
            left: None,
            used_at: 0,
            live_at: 0,
            died_at: 0,
            chosen_at: 0,
            released_at: 0,
        }
    }

    pub(crate) fn build(&self) -> &Build {
        &self.build
    }

    /// What there are copies of, while there are.
    pub(crate) fn parts(&self) -> Option<&Parts> {
        self.parts.as_ref()
    }

    /// The path of the library.
    pub fn artifact(&self) -> &Path {
        &self.build.artifact
    }

    /// The name of the plugin.
    pub fn plugin(&self) -> String {
        plugin_name(&self.build.artifact)
    }

    /// The digest of the build, and of what it brings along.
    pub fn digest(&self) -> Digest {
        self.build.digest
    }

    /// The time when it was first seen, in milliseconds since 1970.
    pub fn seen_ms(&self) -> u64 {
        self.seen
    }

    /// The times in which it was live; the latest eight.
    pub fn lives(&self) -> &[Life] {
        &self.lives
    }

    /// The step at which it was kept out last, and why, if it has not been live since.
    pub fn kept(&self) -> Option<(&str, &str)> {
        let kept = self.kept.as_ref();
        kept.map(|(_, step, reason)| (step.as_str(), reason.as_str()))
    }

    /// Whether a copy of it is in the store.
    pub fn has_copy(&self) -> bool {
        self.parts.is_some()
    }

    /// Whether it has outlived its probation.
    pub fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// How many times it has ended its process, since it was last released.
    pub fn deaths(&self) -> u32 {
        self.deaths
    }

    /// Whether it is not loaded any more for that.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.deaths >= QUARANTINED
    }

    /// Why its process ended last, as far as is known, if that was within its probation.
    pub fn died(&self) -> Option<&str> {
        self.died.as_deref()
    }

    /// Why it is not loaded again, if it is not.
    pub fn left(&self) -> Option<String> {
        match self.always_held() {
            Some(Hold::Always(reason) | Hold::Once(reason)) => Some(reason),
            None => None,
        }
    }

    /// Whether it is live, as far as the journal tells.
    pub fn is_live(&self) -> bool {
        self.lives.last().is_some_and(|life| life.end == End::Open)
    }

    fn always_held(&self) -> Option<Hold> {
        if let Some(reason) = &self.left {
            return Some(Hold::Always(reason.clone()));
        }
        self.is_quarantined().then(|| {
            let why = self.died.as_deref().unwrap_or("its process has died");
            Hold::Always(format!(
                "it is quarantined, for it has ended its host {} times: {why}",
                self.deaths
            ))
        })
    }

    fn end_life(&mut self, end: End) {
        if let Some(life) = self.lives.last_mut()
            && life.end == End::Open
        {
            life.end = end;
        }
    }
}

impl History {
    /// The history that these events add up to.
    pub(crate) fn of(entries: &[Entry]) -> History {
        let mut history = History::default();
        entries.iter().for_each(|entry| history.add(entry));
        history
    }

    /// All builds, in the order in which they were last used.
    pub fn builds(&self) -> Vec<&Past> {
        let mut all: Vec<_> = self.past.values().collect();
        all.sort_by_key(|past| (past.used_at, past.seen));
        all
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, entry: &Entry) {
        self.events += 1;
        let (at, number) = (entry.at, self.events);
        match &entry.event {
            Event::Started { run, boot, process } => {
                self.end_run(End::Unknown);
                self.running = Some(Run {
                    run: *run,
                    boot: boot.clone(),
                    process: *process,
                });
            }
            Event::Stopped => {
                self.end_run(End::At(at));
                self.running = None;
            }
            Event::Handed { build } => {
                let past = self.past(build, at);
                (past.is_handed, past.used_at) = (true, number);
            }
            Event::Stored { build, parts } => self.past(build, at).parts = Some(parts.clone()),
            Event::Gone { build } => self.past(build, at).parts = None,
            Event::Live { build, generation } => self.goes_live(build, *generation, at, number),
            Event::Kept {
                build,
                step,
                reason,
            } => {
                let past = self.past(build, at);
                past.is_handed = false;
                past.kept = Some((at, step.clone(), reason.clone()));
            }
            Event::Proven { build } => self.past(build, at).is_proven = true,
            Event::Died {
                build,
                counts,
                reason,
                ..
            } => {
                let past = self.past(build, at);
                past.died = Some(reason.clone());
                past.end_life(End::Unknown);
                past.is_handed = false;
                if *counts {
                    past.deaths += 1;
                    past.died_at = number;
                }
            }
            Event::Left { build, to, reason } => {
                self.past(build, at).left = Some(reason.clone());
                let chosen = Build::new(&build.artifact, *to);
                let chosen = self.past(&chosen, at);
                chosen.chosen_at = number;
                chosen.forgive();
            }
            Event::Released { build } => {
                let past = self.past(build, at);
                past.forgive();
                past.released_at = number;
            }
        }
    }

    fn past(&mut self, build: &Build, at: u64) -> &mut Past {
        let new = || Past::new(build, at);
        self.past.entry(build.clone()).or_insert_with(new)
    }

    fn end_run(&mut self, end: End) {
        for past in self.past.values_mut() {
            past.end_life(end);
            past.is_handed = false;
        }
    }

    fn goes_live(&mut self, build: &Build, generation: u64, at: u64, number: u64) {
        /// The most times in which one build was live that are remembered.
        const LIVES: usize = 8;
        for past in self.of_artifact_mut(&build.artifact) {
            past.end_life(End::At(at));
        }
        let past = self.past(build, at);
        past.lives.push(Life {
            generation,
            from_ms: at,
            end: End::Open,
        });
        if past.lives.len() > LIVES {
            past.lives.remove(0);
        }
        past.kept = None;
        past.is_handed = false;
        (past.used_at, past.live_at) = (number, number);
    }

    fn of_artifact_mut(&mut self, artifact: &Path) -> impl Iterator<Item = &mut Past> {
        let all = self.past.values_mut();
        all.filter(move |past| past.build.artifact == *artifact)
    }

    fn of_artifact(&self, artifact: &Path) -> impl Iterator<Item = &Past> {
        let all = self.past.values();
        all.filter(move |past| past.build.artifact == *artifact)
    }

    /// The past of a build, if it was ever met.
    pub(crate) fn get(&self, build: &Build) -> Option<&Past> {
        self.past.get(build)
    }

    /// The builds that were live or about to be loaded when the last run ended, in the order of their paths.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &Past> {
        let all = self.past.values();
        all.filter(|past| past.is_live() || past.is_handed)
    }

    /// Why a build is not to be loaded, if it is not.
    pub(crate) fn hold(&self, build: &Build) -> Option<Hold> {
        let past = self.past.get(build)?;
        if let Some(hold) = past.always_held() {
            return Some(hold);
        }
        if past.deaths == 0 {
            return None;
        }
        let another_since = self
            .of_artifact(&build.artifact)
            .any(|other| other.build != *build && other.live_at > past.died_at);
        (!another_since).then(|| {
            let why = past.died.as_deref().unwrap_or("its process has died");
            Hold::Once(format!("it has ended its host within its probation: {why}"))
        })
    }

    /// The builds to which the library goes back from `from`, the best first: what somebody has chosen, then what was live last
    /// and has outlived its probation, then what was live last.
    pub(crate) fn ways_back(&self, artifact: &Path, from: Option<Digest>) -> Vec<&Past> {
        let is_fit = |past: &&Past| {
            let was_wanted = past.live_at > 0 || past.chosen_at > 0;
            let is_another = Some(past.build.digest) != from;
            was_wanted && is_another && past.parts.is_some() && self.hold(&past.build).is_none()
        };
        let mut fit: Vec<_> = self.of_artifact(artifact).filter(is_fit).collect();
        let best = |past: &&Past| {
            // A choice holds until another build was live.
            let is_chosen = past.chosen_at > 0
                && self
                    .of_artifact(artifact)
                    .all(|it| it.build == past.build || it.live_at < past.chosen_at);
            Reverse((is_chosen, past.is_proven, past.live_at))
        };
        fit.sort_by_key(best);
        fit
    }

    /// The build before the live one: what was live last of all that may be loaded and has a copy.
    pub(crate) fn before(&self, artifact: &Path, live: Option<Digest>) -> Option<&Past> {
        let fit = self.of_artifact(artifact).filter(|past| {
            let is_another = Some(past.build.digest) != live;
            let may_run = past.always_held().is_none() && past.deaths == 0;
            past.live_at > 0 && is_another && may_run && past.parts.is_some()
        });
        fit.max_by_key(|past| past.live_at)
    }

    /// The build of a library that is live, or was live last.
    pub(crate) fn last_live(&self, artifact: &Path) -> Option<&Past> {
        let lived = self.of_artifact(artifact).filter(|past| past.live_at > 0);
        lived.max_by_key(|past| past.live_at)
    }

    /// The build of a library that was live last, or that somebody has chosen since.
    pub(crate) fn standing(&self, artifact: &Path) -> Option<&Past> {
        let wanted_at = |past: &&Past| past.live_at.max(past.chosen_at);
        let wanted = self.of_artifact(artifact).filter(|it| wanted_at(it) > 0);
        wanted.max_by_key(wanted_at)
    }

    /// Whether somebody has chosen or released the build whose own bytes have this digest, and no other one was live since.
    pub(crate) fn is_asked_for(&self, artifact: &Path, own: Digest) -> bool {
        let is_meant = |past: &&Past| {
            let parts = past.parts.as_ref();
            own == parts.map_or(past.build.digest, |parts| parts.own)
        };
        self.of_artifact(artifact).filter(is_meant).any(|past| {
            let asked_at = past.chosen_at.max(past.released_at);
            let mut others = self
                .of_artifact(artifact)
                .filter(|it| it.build != past.build);
            asked_at > 0 && others.all(|it| it.live_at < asked_at)
        })
    }

    /// The builds whose copies may leave: of each library the `most` latest stay, among them what is live, what is about to be,
    /// and the latest that has outlived its probation.
    pub(crate) fn surplus(&self, artifact: &Path, most: usize) -> Vec<Build> {
        let stored = || {
            let all = self.of_artifact(artifact);
            all.filter(|past| past.parts.is_some())
        };
        let proven = stored().filter(|past| past.is_proven);
        let proven = proven.max_by_key(|past| past.live_at).map(|it| &it.build);
        let is_needed =
            |past: &&Past| past.is_live() || past.is_handed || Some(&past.build) == proven;
        let room = most.saturating_sub(stored().filter(is_needed).count());
        let mut others: Vec<_> = stored().filter(|past| !is_needed(past)).collect();
        others.sort_by_key(|past| Reverse(past.used_at.max(past.chosen_at)));
        let surplus = others.into_iter().skip(room);
        surplus.map(|past| past.build.clone()).collect()
    }

    /// The digests of all copies that builds in the store consist of.
    pub(crate) fn copies(&self) -> HashSet<Digest> {
        let parts = self.past.values().filter_map(|past| past.parts.as_ref());
        parts.flat_map(Parts::digests).collect()
    }

    /// The libraries of which there are builds.
    pub(crate) fn artifacts(&self) -> Vec<&PathBuf> {
        let mut all: Vec<_> = self.past.keys().map(|build| &build.artifact).collect();
        all.dedup();
        all
    }

    /// The events of these entries that say all that is still worth knowing: of each library, what has a copy or is not to
    /// be loaded, and the latest of the rest.
    pub(crate) fn condensed(&self, entries: &[Entry]) -> Vec<Entry> {
        /// How often one kind of event about one build is remembered.
        const EACH: usize = 8;
        let mut remembered = HashSet::new();
        for artifact in self.artifacts() {
            let mut all: Vec<_> = self.of_artifact(artifact).collect();
            all.sort_by_key(|past| Reverse(past.used_at.max(past.chosen_at)));
            let (dear, rest): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|past| past.parts.is_some() || past.is_live());
            let rest = rest.into_iter().take(REMEMBERED);
            remembered.extend(dear.into_iter().chain(rest).map(|past| &past.build));
        }
        let last_run = entries
            .iter()
            .rposition(|it| matches!(it.event, Event::Started { .. }));
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        let mut kept: Vec<Entry> = Vec::new();
        for (at, entry) in entries.iter().enumerate().rev() {
            let is_kept = match entry.event.build() {
                None => last_run.is_some_and(|run| at >= run),
                Some(build) => {
                    let count = counts.entry((build, entry.event.word())).or_default();
                    *count += 1;
                    remembered.contains(build) && *count <= EACH
                }
            };
            if is_kept {
                kept.push(entry.clone());
            }
        }
        kept.reverse();
        kept
    }
}

impl Past {
    /// Forgets what speaks against it.
    fn forgive(&mut self) {
        self.left = None;
        self.deaths = 0;
        self.died = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history that a test writes, of the library `/liba.so`.
    #[derive(Default)]
    struct Written {
        entries: Vec<Entry>,
    }

    fn build(name: &str) -> Build {
        Build::new(Path::new("/liba.so"), Digest::of(name.as_bytes()))
    }

    impl Written {
        fn says(&mut self, event: Event) -> &mut Written {
            let at = self.entries.len() as u64;
            self.entries.push(Entry { at, event });
            self
        }

        fn starts(&mut self) -> &mut Written {
            self.says(Event::Started {
                run: 1,
                boot: String::new(),
                process: 1,
            })
        }

        fn lives(&mut self, name: &str) -> &mut Written {
            let parts = Parts {
                own: build(name).digest,
                along: Vec::new(),
            };
            self.says(Event::Handed { build: build(name) });
            self.says(Event::Stored {
                build: build(name),
                parts,
            });
            self.says(Event::Live {
                build: build(name),
                generation: 1,
            })
        }

        fn proven(&mut self, name: &str) -> &mut Written {
            self.says(Event::Proven { build: build(name) })
        }

        fn died(&mut self, name: &str) -> &mut Written {
            self.says(Event::Died {
                build: build(name),
                run: 1,
                counts: true,
                reason: "SIGSEGV".to_owned(),
            })
        }

        fn left(&mut self, name: &str, to: &str) -> &mut Written {
            self.says(Event::Left {
                build: build(name),
                to: build(to).digest,
                reason: "asked".to_owned(),
            })
        }

        fn history(&self) -> History {
            History::of(&self.entries)
        }

        fn before(&self, live: &str) -> Option<Digest> {
            let history = self.history();
            let before = history.before(Path::new("/liba.so"), Some(build(live).digest));
            before.map(|past| past.build.digest)
        }

        fn way_back(&self, from: &str) -> Option<Digest> {
            let history = self.history();
            let ways = history.ways_back(Path::new("/liba.so"), Some(build(from).digest));
            ways.first().map(|past| past.build.digest)
        }
    }

    fn digest(name: &str) -> Option<Digest> {
        Some(build(name).digest)
    }

    #[test]
    fn the_build_before_is_the_one_that_was_live_last_and_each_step_goes_one_further_back() {
        let mut written = Written::default();
        written.starts().lives("a").lives("b").lives("c");
        assert_eq!(written.before("c"), digest("b"));
        written.left("c", "b").lives("b");
        assert_eq!(written.before("b"), digest("a"), "c was left");
        written.left("b", "a").lives("a");
        assert_eq!(written.before("a"), None);
        written.says(Event::Released { build: build("c") });
        assert_eq!(written.before("a"), digest("c"));
    }

    #[test]
    fn a_build_without_a_copy_is_nowhere_to_go_back_to() {
        let mut written = Written::default();
        written.starts().lives("a").lives("b");
        written.says(Event::Gone { build: build("a") });
        assert_eq!(written.before("b"), None);
        assert_eq!(written.way_back("b"), None);
    }

    #[test]
    fn what_was_left_is_held_until_it_is_released_or_gone_back_to() {
        let mut written = Written::default();
        written.starts().lives("a").lives("b").left("b", "a");
        let hold = |written: &Written| written.history().hold(&build("b"));
        assert_eq!(hold(&written), Some(Hold::Always("asked".to_owned())));
        assert_eq!(written.history().hold(&build("a")), None);
        let mut released = Written {
            entries: written.entries.clone(),
        };
        released.says(Event::Released { build: build("b") });
        assert_eq!(hold(&released), None);
        written.left("a", "b");
        assert_eq!(hold(&written), None, "somebody chose it");
    }

    #[test]
    fn a_death_holds_a_build_until_another_was_live_and_the_second_for_good() {
        let mut written = Written::default();
        let hold = |written: &Written| written.history().hold(&build("b"));
        written.starts().lives("a").lives("b").died("b").starts();
        assert!(matches!(hold(&written), Some(Hold::Once(why)) if why.contains("SIGSEGV")));
        written.lives("a");
        assert_eq!(hold(&written), None);
        written.lives("b").died("b").starts().lives("a");
        assert!(matches!(hold(&written), Some(Hold::Always(why)) if why.contains("2 times")));
        written.says(Event::Released { build: build("b") });
        assert_eq!(hold(&written), None);
    }

    #[test]
    fn the_way_back_leads_to_what_was_proven_before_what_was_only_live() {
        let mut written = Written::default();
        written
            .starts()
            .lives("a")
            .proven("a")
            .lives("b")
            .lives("c");
        assert_eq!(written.way_back("c"), digest("a"));
        written.proven("b");
        assert_eq!(written.way_back("c"), digest("b"));
    }

    #[test]
    fn the_way_back_leads_to_what_somebody_chose_until_another_is_live() {
        let mut written = Written::default();
        written.starts().lives("a").lives("b").proven("b");
        written.lives("c").left("c", "a");
        assert_eq!(written.way_back("c"), digest("a"));
        written
            .lives("a")
            .lives("b")
            .lives("d")
            .proven("d")
            .lives("e");
        assert_eq!(written.way_back("e"), digest("d"));
    }

    #[test]
    fn the_latest_copies_stay_and_what_is_live_or_proven_last_always() {
        let mut written = Written::default();
        written.starts().lives("a").proven("a");
        for name in ["b", "c", "d", "e"] {
            written.lives(name);
        }
        let surplus = written.history().surplus(Path::new("/liba.so"), 3);
        assert_eq!(surplus, [build("c"), build("b")]);
        let none = written.history().surplus(Path::new("/liba.so"), 5);
        assert!(none.is_empty(), "{none:?}");
    }

    #[test]
    fn a_run_that_ended_without_a_word_leaves_the_end_of_its_builds_unknown() {
        let mut written = Written::default();
        written.starts().lives("a");
        assert_eq!(written.history().unfinished().count(), 1);
        written.starts();
        let history = written.history();
        assert_eq!(history.builds()[0].lives()[0].end, End::Unknown);
        assert_eq!(history.unfinished().count(), 0);
        written.lives("a").says(Event::Stopped);
        let history = written.history();
        assert!(matches!(history.builds()[0].lives()[1].end, End::At(_)));
        assert_eq!(history.running, None);
    }

    #[test]
    fn a_condensed_journal_says_the_same_of_what_counts() {
        let mut written = Written::default();
        written.starts();
        for number in 0..500 {
            let name = format!("old {number}");
            written.lives(&name);
            written.says(Event::Gone {
                build: build(&name),
            });
        }
        written.lives("a").proven("a").lives("b").died("b").starts();
        for _ in 0..100 {
            written.lives("a");
        }
        written
            .lives("b")
            .died("b")
            .lives("c")
            .left("c", "a")
            .lives("a");
        let history = written.history();
        let condensed = history.condensed(&written.entries);
        assert!(condensed.len() < 400, "{}", condensed.len());
        let after = History::of(&condensed);
        for name in ["a", "b", "c"] {
            assert_eq!(
                after.hold(&build(name)),
                history.hold(&build(name)),
                "{name}"
            );
            let past = |history: &History| {
                let past = history.get(&build(name)).unwrap();
                (
                    past.lives.clone(),
                    past.parts.clone(),
                    past.is_proven,
                    past.deaths,
                )
            };
            assert_eq!(past(&after), past(&history), "{name}");
        }
        assert_eq!(after.running, history.running);
        let last = |history: &History| {
            let last = history.last_live(Path::new("/liba.so"));
            last.map(|past| past.build.clone())
        };
        assert_eq!(last(&after), last(&history));
    }
}
