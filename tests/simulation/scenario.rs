//! A scenario, as one seed draws it: a filesystem, a client, writers, faults, an owner, and how long each may take.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use replug::watch::Locality;
use replug::{Audit, GatePolicy, Options};

use crate::client::{self, Cache, Fault, Locks, Wrong};
use crate::random::Random;
use crate::world::{self, MS, Op, ROOT, SECOND, World};
use crate::writers::{Plan, WRITERS, Writer};

/// A scenario: everything that a run follows from.
pub struct Scenario {
    pub seed: u64,
    pub options: Options,
    pub interval: u64,
    pub settle: u64,
    pub gate_max: u64,
    pub audits: bool,
    pub server: world::Nature,
    pub client: client::Nature,
    pub artifacts: Vec<PathBuf>,
    pub is_directory: bool,
    pub is_linked: bool,
    pub same_size: bool,
    pub pause: u64,
    pub locked_pause: u64,
    /// The writers: how long after the one before, who, and which artifact.
    pub writers: Vec<(u64, Writer, usize)>,
    /// From when to when the filesystem is not mounted, and the device that it comes back on.
    pub detached: Option<(u64, u64, u64)>,
    pub clock_steps: Vec<(u64, i64)>,
    /// In how many of a hundred polls the owner looks at its updates.
    pub attention: u64,
}

pub const ERRNOS: [i32; 8] = [
    5,   // EIO
    116, // ESTALE
    13,  // EACCES
    110, // ETIMEDOUT
    107, // ENOTCONN
    113, // EHOSTUNREACH
    112, // EHOSTDOWN
    23,  // ENFILE
];

impl Scenario {
    pub fn draw(seed: u64) -> Scenario {
        let random = &mut Random::new(seed);
        let cache = random.one_of(&[
            client::LOCAL,
            client::LOCAL,
            client::LOCAL,
            client::NFS,
            client::FUSE,
            client::ALWAYS,
            client::SERVER,
            client::PAGES,
        ]);
        let is_local = cache.name == client::LOCAL.name;
        let server = world::Nature {
            granularity: random.one_of(&[1, 1, 4 * MS, 100 * MS, SECOND, 2 * SECOND]),
            reuses_inodes: random.percent(50),
            has_hard_links: random.percent(75),
            has_birth: random.percent(60),
            has_change_time: random.percent(75),
            stamps_directories: is_local || random.percent(75),
        };
        let locks = match is_local {
            true => random.one_of(&[Locks::Shared, Locks::Shared, Locks::Unknown]),
            false => random.one_of(&[
                Locks::Shared,
                Locks::LocalOnly,
                Locks::Unknown,
                Locks::Hanging,
            ]),
        };
        let interval = random.one_of(&[50, 100, 250, 500, 1000]) * MS;
        let settle = random.one_of(&[100, 200, 500]) * MS;
        let gate_max = random.one_of(&[2, 20, 60]) * SECOND;
        let audits = random.percent(85);
        let is_steady = random.percent(20);
        let gate = if random.percent(85) {
            GatePolicy::Auto
        } else {
            GatePolicy::Off
        };
        let is_directory = random.percent(50);
        let is_linked = !is_directory && random.percent(15);
        let count = if is_directory {
            random.between(1, 4)
        } else {
            1
        };
        let artifacts = (0..count).map(|number| Path::new(ROOT).join(format!("lib{number}.so")));
        let artifacts: Vec<_> = artifacts.collect();
        let path = match is_directory {
            true => PathBuf::from(ROOT),
            false => artifacts[0].clone(),
        };
        let options = Options::new(path)
            .interval(Duration::from_nanos(interval))
            .settle(Duration::from_nanos(settle))
            .gate(gate)
            .gate_max(Duration::from_nanos(gate_max))
            .audit(if audits { Audit::Auto } else { Audit::Off })
            .steady(is_steady)
            .seed(seed);
        // A lock that shows gives a writer time: the gate holds the poller back.
        let is_gated = locks == Locks::Shared && gate == GatePolicy::Auto;
        let pause = settle / 4;
        let locked_pause = if is_gated { 240 * MS } else { pause };
        let same_size = random.percent(50);
        let writers = draw_writers(random, artifacts.len(), is_linked, same_size);
        let attention = random.one_of(&[100, 100, 60, 10]);
        let mut client = client::Nature {
            cache,
            locks,
            // Only an owner that looks after each poll tells when a change was over.
            is_judged: is_gated && attention == 100,
            locality: if is_local {
                Locality::Local
            } else {
                Locality::Remote
            },
            looks_can_lag: !is_local && cache.name != "nfs",
            unstable_inodes: !is_local && random.percent(20),
            latency: match is_local {
                true => random.one_of(&[MS / 1000, MS / 100, MS / 10]),
                false => random.one_of(&[MS / 100, MS / 10, MS, 5 * MS]),
            },
            chunk: random.between(64, 400) as usize,
            opens_directories: false,
            faults: draw_faults(random),
        };
        if is_local {
            // One kernel does not contradict itself.
            client.faults.retain(|fault| fault.what != Wrong::NotFound);
        }
        let detached = random.percent(15).then(|| {
            let from = random.between(2, 30) * SECOND;
            let device = random.one_of(&[1, 2]);
            (from, from + random.between(1, 20) * SECOND, device)
        });
        let steps = random.between(0, 2);
        let step = |_| {
            let by = random.between(0, 7200) as i64 - 3600;
            (random.between(1, 40) * SECOND, by * SECOND as i64)
        };
        let clock_steps = (0..steps).map(step).collect();
        client.opens_directories = random.percent(50);
        Scenario {
            seed,
            options,
            interval,
            settle,
            gate_max,
            audits,
            server,
            client,
            artifacts,
            is_directory,
            is_linked,
            same_size,
            pause,
            locked_pause,
            writers,
            detached,
            clock_steps,
            attention,
        }
    }

    /// Plans the scenario. Returns its world, and when its last event is over.
    pub fn plan(&self) -> (World, u64) {
        let mut world = World::new(self.server);
        for artifact in &self.artifacts {
            world.absences.insert(artifact.clone(), Vec::new());
        }
        world.plan(0, Op::Mkdir("/d".into()));
        let mut random = Random::new(self.seed ^ 0x5eed);
        let mut plan = Plan {
            world: &mut world,
            random: &mut random,
            pause: self.pause,
            locked_pause: self.locked_pause,
            has_hard_links: self.server.has_hard_links,
            same_size: self.same_size,
            next_number: 0,
            at: 0,
        };
        for artifact in &self.artifacts {
            match self.is_linked {
                true => plan.begin_linked(artifact),
                false => plan.begin(artifact),
            }
        }
        for (pause, writer, artifact) in &self.writers {
            plan.at += pause;
            plan.write(*writer, &self.artifacts[*artifact]);
        }
        let mut end = plan.at;
        if let Some((from, until, device)) = self.detached {
            world.plan(from, Op::Detach);
            world.plan(until, Op::Attach { device });
            end = end.max(until);
        }
        for (at, by) in &self.clock_steps {
            world.plan(*at, Op::StepClock(*by));
        }
        let healed = self.client.faults.iter().map(|fault| fault.until).max();
        let end = end.max(healed.unwrap_or(0)).max(world.last_event());
        (world, end)
    }

    /// The bound: how long after the last change, and the last fault, the final state may be unknown. It is the bound
    /// of `docs/filesystems.md`, in terms of what this client and these writers do.
    pub fn bound(&self) -> u64 {
        let is_remote = self.client.locality == Locality::Remote;
        let step = self.client.latency * 3 / 2 + 1;
        let artifacts = self.artifacts.len() as u64;
        let poll = step * (8 + 8 * artifacts);
        let reading = step * (12 + 900 / self.client.chunk as u64);
        let pace = match is_remote {
            true => self.interval.max((4 * self.interval).min(2 * SECOND)) + 20 * poll,
            false => self.interval,
        };
        // The last digests are a settle time apart, and follow a racy tick.
        let tick = match self.server.granularity {
            coarse if coarse >= SECOND => 2100 * MS,
            middle if middle >= 10 * MS => 200 * MS,
            _ => 20 * MS,
        };
        let mut settled = tick + 2 * self.settle + 100 * MS;
        if self.can_seem_cut() {
            settled += 10 * SECOND;
        }
        if self.detached.is_some() || !self.client.faults.is_empty() {
            // The artifact is looked at again after two seconds, and is well when all was well for one second, at the
            // next poll.
            settled += 2 * SECOND + SECOND + pace;
        }
        if artifacts > 1 {
            // The libraries of one build wait for each other.
            settled += SECOND;
        }
        // The last step of a slow poll may have begun just before the fault was healed.
        let slow = self.client.faults.iter().map(|fault| match fault.what {
            Wrong::Slow(time) => time,
            _ => 0,
        });
        let slow = slow.sum::<u64>();
        // Slow looks are paid for with rest, even after they are fast again.
        let rest = match is_remote {
            true => (20 * slow * (4 + 4 * artifacts)).min(60 * SECOND),
            false => 0,
        };
        let seen =
            slow + rest + pace + settled + 8 * artifacts * reading + self.client.cache.attributes;
        // A build that hangs holds everything back for as long as the cap says, and then for two digests a second
        // apart.
        let is_hung = self.is_written_by(&[Writer::HungCargo]);
        let seen = seen
            + if is_hung {
                self.gate_max + 2 * SECOND
            } else {
                0
            };
        match self.needs_audit() {
            true => seen + 372 * SECOND,
            false => seen,
        }
    }

    fn is_written_by(&self, wanted: &[Writer]) -> bool {
        let mut writers = self.writers.iter();
        writers.any(|(_, writer, _)| wanted.contains(writer))
    }

    /// Whether a file can look as before although it was torn or cut, so that it is tried again only after a while.
    fn can_seem_cut(&self) -> bool {
        let mut faults = self.client.faults.iter();
        self.is_written_by(&[Writer::Dying, Writer::Mapped])
            || faults.any(|fault| fault.what == Wrong::ShortFile)
            || self.client.unstable_inodes
            || self.client.cache.attributes > 0
            || self.client.cache.keeps_content
    }

    /// Whether something changes that no look can see.
    pub fn needs_audit(&self) -> bool {
        let writes = |wanted: &[Writer]| self.is_written_by(wanted);
        let server = &self.server;
        // Times that are set back, and no stamp that tells: a new file shows in its number or its birth.
        let hides_in_place =
            !server.has_change_time && self.same_size && writes(&[Writer::CpPreserving]);
        let hides_new = !server.has_change_time && server.reuses_inodes && !server.has_birth;
        writes(&[Writer::Mapped])
            || hides_in_place
            || hides_new && writes(&[Writer::Rsync, Writer::SameTick])
            || self.client.unstable_inodes
            || self.client.cache.keeps_content
    }
}

fn draw_writers(
    random: &mut Random,
    artifacts: usize,
    is_linked: bool,
    same_size: bool,
) -> Vec<(u64, Writer, usize)> {
    let can = |writer: &Writer| match writer {
        Writer::Kubernetes => is_linked,
        Writer::TouchStorm | Writer::Deletion => true,
        Writer::Mapped => same_size,
        _ => !is_linked,
    };
    let mut able: Vec<_> = WRITERS.into_iter().filter(can).collect();
    if is_linked {
        // A swap of links is the usual way to change a linked file.
        able.extend([Writer::Kubernetes; 6]);
    }
    let mut writers = Vec::new();
    for _ in 0..random.between(1, 6) {
        let pause = match random.between(0, 9) {
            0..=3 => random.between(0, 300 * MS),
            4..=8 => random.between(0, 8 * SECOND),
            _ => random.between(10 * SECOND, 40 * SECOND),
        };
        let artifact = random.between(0, artifacts as u64 - 1) as usize;
        writers.push((pause, random.one_of(&able), artifact));
    }
    if random.percent(3) {
        // One writer comes after long quiet.
        writers.push((660 * SECOND, random.one_of(&able), 0));
    }
    writers
}

fn draw_faults(random: &mut Random) -> Vec<Fault> {
    if random.percent(50) {
        return Vec::new();
    }
    let fault = |random: &mut Random| {
        let errno = random.one_of(&ERRNOS);
        let from = random.between(0, 30 * SECOND);
        let what = match random.between(0, 9) {
            0 => Wrong::Look(errno),
            1 => Wrong::Open(errno),
            2 => Wrong::Read(errno),
            3 => Wrong::List(errno),
            4 => Wrong::Stage(28),
            5 => Wrong::NotFound,
            6 => Wrong::HalfList,
            7 => Wrong::ShortFile,
            8 => Wrong::Slow(random.one_of(&[50 * MS, SECOND, 20 * SECOND])),
            _ => Wrong::All(errno),
        };
        Fault {
            from,
            until: from + random.between(100 * MS, 12 * SECOND),
            what,
            percent: random.one_of(&[100, 50, 10]),
        }
    };
    (0..random.between(1, 3)).map(|_| fault(random)).collect()
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cache { name, .. } = self.client.cache;
        writeln!(f, "seed {}: {name}, {:?}", self.seed, self.server)?;
        writeln!(
            f,
            "  {} artifacts, directory {}, linked {}, same size {}, unstable inodes {}, locks {:?}",
            self.artifacts.len(),
            self.is_directory,
            self.is_linked,
            self.same_size,
            self.client.unstable_inodes,
            self.client.locks
        )?;
        writeln!(
            f,
            "  interval {} ms, settle {} ms, latency {} us, chunk {}, attention {} %, audits {}",
            self.interval / MS,
            self.settle / MS,
            self.client.latency / 1000,
            self.client.chunk,
            self.attention,
            self.audits
        )?;
        for (pause, writer, artifact) in &self.writers {
            writeln!(
                f,
                "  after {} ms {writer:?} writes artifact {artifact}",
                pause / MS
            )?;
        }
        for fault in &self.client.faults {
            let (from, until) = (fault.from / MS, fault.until / MS);
            writeln!(
                f,
                "  {:?} in {} % from {from} to {until} ms",
                fault.what, fault.percent
            )?;
        }
        if let Some((from, until, device)) = self.detached {
            let (from, until) = (from / MS, until / MS);
            writeln!(
                f,
                "  unmounted from {from} to {until} ms, then on device {device}"
            )?;
        }
        writeln!(f, "  clock steps {:?}", self.clock_steps)
    }
}
