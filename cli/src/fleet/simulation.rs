//! A simulation of a fleet over many seeds: hosts, their mirrors, a storage that fails, shows what it had before and what
//! others put there, and two who steer. All decisions are made by the very functions that the program calls.
//!
//! A step of a mirror or of who steers can be the last one for now: whatever it had not written down is gone then.

use std::collections::BTreeMap;

use replug::Digest;

use super::accept::{Seen, accept};
use super::manifest::{Build, Manifest, State};
use super::report::{Health, Report};
use super::step::{self, By};
use super::verdict::judge;
use super::waves::Share;

/// How many seeds are tried.
const SEEDS: u64 = if cfg!(feature = "fleets") { 400 } else { 25 };

/// The steps of one run in which everything can happen, and those in which nothing fails any more.
const WILD: usize = 600;
const CALM: usize = 20_000;

/// A good build, that of before, and one that no host is well with.
const BUILDS: [&str; 3] = ["stable", "good", "bad"];

/// Numbers from a seed, by xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn is(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What is at the manifest's place, and whether its signature is good.
#[derive(Clone)]
struct Object {
    manifest: Manifest,
    is_signed: bool,
}

/// The storage.
#[derive(Default)]
struct Storage {
    object: Option<Object>,
    /// How often the object was written, which is its ETag.
    version: u64,
    /// Whatever was signed, for replays.
    before: Vec<Object>,
    reports: BTreeMap<String, Report>,
    /// Who won each number.
    winners: BTreeMap<u64, &'static str>,
}

impl Storage {
    /// A conditional write.
    fn put(&mut self, by: &'static str, manifest: Manifest, version: u64) -> bool {
        if version != self.version {
            return false;
        }
        let before = self.winners.insert(manifest.sequence, by);
        assert_eq!(before, None, "number {} has two winners", manifest.sequence);
        let object = Object {
            manifest,
            is_signed: true,
        };
        self.before.push(object.clone());
        self.object = Some(object);
        self.version += 1;
        true
    }

    /// What a mirror is shown, which can be anything.
    fn shown(&self, chance: &mut Chance, is_wild: bool) -> Option<Object> {
        let object = self.object.clone()?;
        if !is_wild {
            return Some(object);
        }
        Some(match chance.below(10) {
            0 => self.before[chance.below(self.before.len())].clone(),
            1 => Object {
                is_signed: false,
                manifest: forged(&object.manifest, &object.manifest.fleet),
            },
            2 => Object {
                is_signed: true,
                manifest: forged(&object.manifest, "another"),
            },
            _ => object,
        })
    }
}

/// A manifest that would bring a build of somebody else to all hosts.
fn forged(manifest: &Manifest, fleet: &str) -> Manifest {
    let mut forged = Manifest::first(fleet, &manifest.name);
    forged.sequence = manifest.sequence + 1000;
    forged.stable = Some(build("foreign"));
    forged
}

fn build(name: &str) -> Build {
    Build {
        sha256: Digest::of(name.as_bytes()),
        size: 1,
        signed: false,
    }
}

/// A host with its mirror.
struct Host {
    name: String,
    /// The manifest that the mirror follows, written down.
    followed: Option<Manifest>,
    /// The build in the directory.
    published: Option<Digest>,
    /// What the host has live, and for how many steps.
    live: Option<(Digest, u64)>,
    kept: bool,
    highest: u64,
    /// Each build that was ever in the directory.
    had: Vec<Digest>,
}

impl Host {
    fn new(name: String) -> Host {
        Host {
            name,
            followed: None,
            published: None,
            live: None,
            kept: false,
            highest: 0,
            had: Vec::new(),
        }
    }

    /// One step of the mirror, which may be killed after any part of it.
    fn mirror(&mut self, storage: &mut Storage, chance: &mut Chance, is_wild: bool) {
        let mut is_killed = || is_wild && chance.is(10);
        if is_killed() {
            return;
        }
        let mut killed = [false; 3];
        killed.fill_with(is_killed);
        if let Some(Object {
            manifest,
            is_signed: true,
        }) = storage.shown(chance, is_wild)
        {
            let seen = self.followed.as_ref().map(Seen::of);
            if accept(&manifest, Some("rules"), seen.as_ref()).is_ok() {
                assert!(
                    manifest.sequence >= self.highest,
                    "{} goes back to {}",
                    self.name,
                    manifest.sequence
                );
                self.highest = manifest.sequence;
                self.followed = Some(manifest);
            }
        }
        if killed[0] {
            return;
        }
        let Some(followed) = &self.followed else {
            return;
        };
        let wanted = followed.wanted(&self.name).map(|it| it.sha256);
        if let Some(wanted) = wanted
            && self.published != Some(wanted)
        {
            self.published = Some(wanted);
            self.had.push(wanted);
            if killed[1] {
                return;
            }
        }
        if killed[2] {
            return;
        }
        let (health, live_s) = match (wanted, self.live) {
            (None, _) => (Health::Waiting, 0),
            (Some(wanted), Some((live, steps))) if live == wanted => (Health::Live, steps),
            _ if self.kept => (Health::Kept, 0),
            _ => (Health::Waiting, 0),
        };
        let report = Report {
            fleet: followed.fleet.clone(),
            host: self.name.clone(),
            sequence: followed.sequence,
            wanted,
            published: self.published,
            health,
            live: None,
            live_s,
            why: None,
        };
        storage.reports.insert(self.name.clone(), report);
    }

    /// One step of the host: it loads what is in its directory, unless that is bad.
    fn host(&mut self) {
        self.kept = self.published == Some(build("bad").sha256);
        match (self.published, &mut self.live) {
            (Some(published), Some((live, steps))) if *live == published => *steps += 1,
            (Some(published), live) if !self.kept => *live = Some((published, 0)),
            _ => {}
        }
    }
}

/// One who steers: what was read, until it is written.
struct Steerer {
    name: &'static str,
    ahead: Option<(Manifest, u64)>,
    won: usize,
    lost: usize,
}

impl Steerer {
    fn new(name: &'static str) -> Steerer {
        Steerer {
            name,
            ahead: None,
            won: 0,
            lost: 0,
        }
    }

    /// Reads and decides, or writes what was decided, however much later.
    fn step(&mut self, storage: &mut Storage, chance: &mut Chance, is_wild: bool) {
        if let Some((manifest, version)) = self.ahead.take() {
            if is_wild && chance.is(10) {
                return;
            }
            match storage.put(self.name, manifest, version) {
                true => self.won += 1,
                false => self.lost += 1,
            }
            return;
        }
        let Some(Object { manifest, .. }) = storage.object.clone() else {
            return;
        };
        let reports: Vec<Report> = storage.reports.values().cloned().collect();
        let Some(verdict) = judge(&manifest, &reports) else {
            return;
        };
        if let Some(next) = step::next(&manifest, &verdict, By(self.name)) {
            self.ahead = Some((next.unwrap(), storage.version));
        }
    }
}

/// Whether nothing is left to be done.
fn is_over(hosts: &[Host], storage: &Storage) -> bool {
    let Some(Object { manifest, .. }) = &storage.object else {
        return false;
    };
    let has_wanted = |host: &Host| {
        let wanted = manifest.wanted(&host.name).map(|it| it.sha256);
        host.live.map(|(live, _)| live) == wanted && host.published == wanted
    };
    manifest
        .rollout
        .as_ref()
        .is_some_and(|it| !it.is_under_way())
        && hosts.iter().all(has_wanted)
}

/// What came of a run.
struct Ran {
    hosts: Vec<Host>,
    storage: Storage,
    first_wave: Vec<String>,
    steerers: [Steerer; 2],
}

fn run(seed: u64, new: &str) -> Ran {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let count = 3 + chance.below(17);
    let mut hosts: Vec<Host> = (0..count).map(|it| Host::new(format!("h{it}"))).collect();
    let mut storage = Storage::default();
    let mut steerers = ["ada", "bob"].map(Steerer::new);
    let mut first = Manifest::first("rules", "librules.so");
    first.sequence = 1;
    first.stable = Some(build("stable"));
    assert!(storage.put("ada", first.clone(), 0));
    let calm = |hosts: &mut Vec<Host>, storage: &mut Storage| {
        for host in hosts {
            host.mirror(storage, &mut Chance(1), false);
            host.host();
        }
    };
    calm(&mut hosts, &mut storage);
    let names: Vec<String> = storage.reports.keys().cloned().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shares = [Share::Hosts(1), Share::Percent(50), Share::Percent(100)];
    let started = step::start(&first, build(new), &shares, 3, &names, By("ada")).unwrap();
    let rollout = started.rollout.clone().unwrap();
    let first_wave = names.iter().filter(|it| rollout.reaches(it));
    let first_wave = first_wave.map(|it| (*it).to_owned()).collect();
    assert!(storage.put("ada", started, 1));
    for step in 0..WILD + CALM {
        let is_wild = step < WILD;
        if !is_wild && step % 100 == 0 && is_over(&hosts, &storage) {
            break;
        }
        let is_out = is_wild && step % 200 > 150;
        match chance.below(4) {
            0 if !is_out => {
                steerers[chance.below(2)].step(&mut storage, &mut chance, is_wild);
            }
            1 => {
                let host = chance.below(count);
                hosts[host].host();
            }
            _ if !is_out => {
                let host = chance.below(count);
                hosts[host].mirror(&mut storage, &mut chance, is_wild);
            }
            _ => {}
        }
    }
    Ran {
        hosts,
        storage,
        first_wave,
        steerers,
    }
}

#[test]
fn whatever_fails_no_host_gets_what_is_not_for_it_and_each_rollout_comes_to_its_end() {
    let known: Vec<Digest> = BUILDS.iter().map(|it| build(it).sha256).collect();
    let (mut won, mut lost) = ([0; 2], 0);
    for seed in 0..SEEDS {
        for new in ["good", "bad"] {
            let ran = run(seed, new);
            let end = ran.storage.object.as_ref().unwrap();
            let state = end.manifest.rollout.as_ref().unwrap().state;
            let (wanted, last) = match new {
                "good" => (State::Done, build("good").sha256),
                _ => (State::Back, build("stable").sha256),
            };
            assert_eq!(state, wanted, "seed {seed}, {new}");
            for host in &ran.hosts {
                let name = &host.name;
                assert!(
                    host.had.iter().all(|it| known.contains(it)),
                    "seed {seed}: {name} had what nobody signed for it"
                );
                let had_bad = host.had.contains(&build("bad").sha256);
                assert!(
                    !had_bad || ran.first_wave.contains(name),
                    "seed {seed}: the bad build left the first wave for {name}"
                );
                assert_eq!(host.published, Some(last), "seed {seed}, {new}: {name}");
                assert_eq!(host.live.map(|(live, _)| live), Some(last), "{name}");
            }
            for (steerer, won) in ran.steerers.iter().zip(&mut won) {
                *won += steerer.won;
                lost += steerer.lost;
            }
        }
    }
    // Both have won, and one has lost to the other now and then: it was about something.
    assert!(won.iter().all(|it| *it > 10) && lost > 5, "{won:?}, {lost}");
}
