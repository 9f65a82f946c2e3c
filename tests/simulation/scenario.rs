//! A scenario, as one seed draws it: a filesystem, a client, writers, faults, an owner, and how long each may take.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use replug::watch::Locality;
use replug::{Audit, GatePolicy, Options};
use vocabulary::{failure, library_name};

use crate::cache::{self, Cache};
use crate::client::{self, Leases, Locks};
use crate::faults::{Fault, Wrong};
use crate::ground::{DEEPEST, Ground};
use crate::random::Random;
use crate::tree;
use crate::world::{Absences, LINK, MOUNT, MS, Op, SECOND, World};
use crate::writers::{Plan, WRITERS, Writer};

/// A scenario: everything that a run follows from.
pub struct Scenario {
    pub seed: u64,
    pub options: Options,
    pub interval: u64,
    pub settle: u64,
    pub gate_max: u64,
    pub audits: bool,
    /// Whether polls of a local filesystem keep the interval while something changes.
    pub is_steady: bool,
    pub server: tree::Nature,
    pub client: client::Nature,
    /// The path that is watched: a library's, or that of a directory of libraries.
    pub path: PathBuf,
    pub artifacts: Vec<PathBuf>,
    pub is_directory: bool,
    pub ground: Ground,
    pub same_size: bool,
    pub pause: u64,
    pub locked_pause: u64,
    /// The writers: how long after the one before, who, and which artifact.
    pub writers: Vec<(u64, Writer, usize)>,
    /// From when to when the filesystem is not mounted, and the device that it comes back on. From the beginning, if
    /// it is mounted late.
    pub detached: Option<(u64, u64, u64)>,
    /// Whether there are libraries below the mount, which show while it is not there.
    pub is_filled_below: bool,
    pub clock_steps: Vec<(u64, i64)>,
    /// In how many of a hundred polls the owner looks at its updates.
    pub attention: u64,
}

/// How long a stamp of whole seconds is racy.
pub const COARSE_TICK: u64 = 2100 * MS;

pub const ERRNOS: [i32; 8] = [
    failure::BROKEN,
    failure::STALE,
    failure::DENIED,
    failure::TIMED_OUT,
    failure::NOT_CONNECTED,
    failure::UNREACHABLE,
    failure::DOWN,
    failure::TOO_MANY,
];

impl Scenario {
    pub fn draw(seed: u64) -> Scenario {
        let random = &mut Random::new(seed);
        let cache = random.one_of(&[
            cache::LOCAL,
            cache::LOCAL,
            cache::LOCAL,
            cache::NFS,
            cache::NFS,
            cache::FUSE,
            cache::ALWAYS,
            cache::LISTED,
            cache::BINDFS,
            cache::SERVER,
            cache::PAGES,
        ]);
        let is_local = cache.name == cache::LOCAL.name;
        let server = tree::Nature {
            granularity: random.one_of(&[1, 1, 4 * MS, 100 * MS, SECOND, 2 * SECOND]),
            reuses_inodes: random.percent(50),
            has_hard_links: random.percent(75),
            has_birth: random.percent(60),
            has_change_time: random.percent(75),
            // A client of NFS has nothing but stamps, or a number.
            counts_changes: random.percent(50),
            stamps_directories: is_local || cache.name == cache::NFS.name || random.percent(75),
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
        // By stamps alone, a client may not even find a lock that was made within a tick. On NFS no lock is ever asked.
        let is_blind = cache.name == cache::NFS.name && !server.counts_changes;
        let locks = match locks {
            Locks::Shared if is_blind => Locks::Hanging,
            locks => locks,
        };
        let interval = random.one_of(&[50, 100, 250, 500, 1000]) * MS;
        let settle = random.one_of(&[100, 200, 500]) * MS;
        let gate_max = random.one_of(&[2, 20, 60]) * SECOND;
        let audits = random.percent(85);
        let is_steady = random.percent(if is_local { 50 } else { 20 });
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
        let ground = draw_ground(random, count, is_linked);
        let artifacts = ground.artifacts();
        let path = match is_directory {
            true => ground.directory(),
            false => artifacts[0].clone(),
        };
        let options = Options::new(&path)
            .interval(Duration::from_nanos(interval))
            .settle(Duration::from_nanos(settle))
            .gate(gate)
            .gate_max(Duration::from_nanos(gate_max))
            .audit(if audits { Audit::Auto } else { Audit::Off })
            .steady(is_steady)
            .seed(seed);
        // A lock that shows gives a writer time: the gate holds the poller back.
        let is_gated = locks == Locks::Shared && gate == GatePolicy::Auto;
        let mut pause = settle / 4;
        let locked_pause = if is_gated { 240 * MS } else { pause };
        let same_size = random.percent(50);
        let writers = draw_writers(random, &ground, same_size);
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
            leases: Leases::Unsupported,
            opens_directories: false,
            faults: draw_faults(random),
        };
        if is_local || cache.attributes > 0 {
            // One kernel does not contradict itself; and where a list is remembered, nobody could tell.
            client.faults.retain(|fault| fault.what != Wrong::NotFound);
        }
        let detached = random.percent(15).then(|| {
            let from = match random.percent(30) {
                true => 0,
                false => random.between(2, 30) * SECOND,
            };
            let device = match from {
                0 => 1,
                _ => random.one_of(&[1, 2]),
            };
            (from, from + random.between(1, 20) * SECOND, device)
        });
        let is_filled_below = detached.is_some() && random.percent(20);
        let steps = random.between(0, 2);
        let step = |_| {
            let by = random.between(0, 7200) as i64 - 3600;
            (random.between(1, 40) * SECOND, by * SECOND as i64)
        };
        let clock_steps = (0..steps).map(step).collect();
        client.opens_directories = random.percent(50);
        if is_local {
            client.leases = random.one_of(&[
                Leases::Unsupported,
                Leases::True,
                Leases::True,
                Leases::Wary,
            ]);
        }
        // Where writers show, a writer can pause for as long as it is asked whether it is still there.
        if client.leases != Leases::Unsupported && gate_max >= 20 * SECOND && random.percent(20) {
            pause = 3 * SECOND;
        }
        Scenario {
            seed,
            options,
            interval,
            settle,
            gate_max,
            audits,
            is_steady,
            server,
            client,
            path,
            artifacts,
            is_directory,
            ground,
            same_size,
            pause,
            locked_pause,
            writers,
            detached,
            is_filled_below,
            clock_steps,
            attention,
        }
    }

    /// Whether the filesystem is mounted only after the start.
    pub fn is_late(&self) -> bool {
        matches!(self.detached, Some((0, ..)))
    }

    /// Plans the scenario. Returns its world, and when its last event is over.
    pub fn plan(&self) -> (World, u64) {
        let mut world = World::new(self.server);
        for path in self.artifacts.iter().chain([&self.path]) {
            world.absences.insert(path.clone(), Absences::default());
        }
        let mut random = Random::new(self.seed ^ 0x5eed);
        let mut plan = Plan {
            world: &mut world,
            random: &mut random,
            pause: self.pause,
            locked_pause: self.locked_pause,
            has_hard_links: self.server.has_hard_links,
            same_size: self.same_size,
            ground: self.ground.clone(),
            next_number: 0,
            at: 0,
        };
        plan.op(Op::Symlink(MOUNT.into(), LINK.into()));
        if self.is_filled_below {
            plan.begin_below_the_mount();
        }
        plan.op(Op::Serve);
        if !self.is_late() {
            plan.op(Op::Attach { device: 1 });
        }
        plan.begin_all();
        for (pause, writer, artifact) in &self.writers {
            plan.at += pause;
            plan.write(*writer, &self.artifacts[*artifact]);
        }
        let mut end = plan.at;
        if let Some((from, until, device)) = self.detached {
            let arrived = || self.artifacts.iter().cloned().map(Op::Arrived);
            if !self.is_late() {
                world.plan(from, Op::Detach);
                arrived().for_each(|op| world.plan(from, op));
            }
            world.plan(until, Op::Attach { device });
            arrived().for_each(|op| world.plan(until, op));
            end = end.max(until);
        }
        for (at, by) in &self.clock_steps {
            world.plan(*at, Op::StepClock(*by));
        }
        let healed = self.client.faults.iter().map(|fault| fault.until).max();
        let end = end.max(healed.unwrap_or(0)).max(world.last_event());
        // Such a tick lasts long, and a file and the directory above it can have one each.
        let ticks = 2 * COARSE_TICK;
        match world.has_whole_stamps_after(end.saturating_sub(ticks)) {
            true => (world, end + ticks),
            false => (world, end),
        }
    }
}

fn draw_ground(random: &mut Random, count: u64, is_linked: bool) -> Ground {
    let depth = random.between(0, DEEPEST as u64) as usize;
    let mut level = |percent| {
        let is_drawn = depth > 0 && random.percent(percent);
        is_drawn.then(|| random.between(1, depth.max(1) as u64) as usize)
    };
    let (linked, late) = (level(25), level(12));
    Ground {
        depth,
        is_linked_to: random.percent(15),
        linked,
        late,
        libraries: (0..count)
            .map(|number| library_name(format!("{number}")))
            .collect(),
        is_linked,
        link_target: String::new(),
        covered: Vec::new(),
    }
}

fn draw_writers(
    random: &mut Random,
    ground: &Ground,
    same_size: bool,
) -> Vec<(u64, Writer, usize)> {
    let can = |writer: &Writer| match writer {
        Writer::Kubernetes => ground.is_linked,
        Writer::TouchStorm | Writer::Deletion => true,
        Writer::Mapped => same_size,
        _ => !ground.is_linked,
    };
    let mut able: Vec<_> = WRITERS.into_iter().filter(can).collect();
    if ground.is_linked {
        // A swap of links is the usual way to change a linked file.
        able.extend([Writer::Kubernetes; 6]);
    }
    if random.percent(50) {
        able.push(Writer::Cover);
        if ground.depth > 0 {
            able.extend([Writer::ReplaceDirectory; 5]);
            able.extend([Writer::CleanBuild; 4]);
        }
        if ground.linked.is_some() {
            able.extend([Writer::SwapDirectoryLink; 8]);
        }
    }
    let mut writers = Vec::new();
    if ground.late.is_some() {
        writers.push((0, Writer::LateDirectory, 0));
    }
    let artifacts = ground.libraries.len() as u64;
    for _ in 0..random.between(1, 6) {
        let pause = match random.between(0, 9) {
            0..=3 => random.between(0, 300 * MS),
            4..=8 => random.between(0, 8 * SECOND),
            _ => random.between(10 * SECOND, 40 * SECOND),
        };
        let artifact = random.between(0, artifacts - 1) as usize;
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
            4 => Wrong::Stage(failure::FULL),
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
            "  {} with {} artifacts, directory {}, linked {}, same size {}, unstable inodes {}, locks {:?}",
            self.path.display(),
            self.artifacts.len(),
            self.is_directory,
            self.ground.is_linked,
            self.same_size,
            self.client.unstable_inodes,
            self.client.locks
        )?;
        writeln!(
            f,
            "  interval {} ms, steady {}, settle {} ms, latency {} us, chunk {}, attention {} %, audits {}",
            self.interval / MS,
            self.is_steady,
            self.settle / MS,
            self.client.latency / 1000,
            self.client.chunk,
            self.attention,
            self.audits
        )?;
        let Ground { linked, late, .. } = self.ground;
        writeln!(f, "  link at level {linked:?}, late from level {late:?}")?;
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
                "  unmounted from {from} to {until} ms, then on device {device}; filled below {}",
                self.is_filled_below
            )?;
        }
        writeln!(f, "  clock steps {:?}", self.clock_steps)
    }
}
