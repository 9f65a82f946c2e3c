//! The bound of a scenario: how long after the last change, and the last fault, the final state may be unknown.

use std::ops::Range;

use replug::watch::{Locality, Names};

use crate::client::Leases;
use crate::faults::Wrong;
use crate::scenario::{COARSE_TICK, Scenario};
use crate::world::{MS, SECOND};
use crate::writers::Writer;

impl Scenario {
    /// The bound: how long after the last change, and the last fault, the final state may be unknown. It is the bound
    /// of `docs/filesystems.md`, in terms of what this client and these writers do.
    pub fn bound(&self) -> u64 {
        let is_remote = self.client.locality == Locality::Remote;
        let step = self.client.latency * 3 / 2 + 1;
        let artifacts = self.artifacts.len() as u64;
        // Each directory on the way is looked at and listed, and a link is asked for by itself.
        let way = 3 * self.directories();
        let poll = step * (8 + 8 * artifacts + way);
        let reading = step * (12 + 900 / self.client.chunk as u64);
        let pace = match is_remote {
            true => self.interval.max((4 * self.interval).min(2 * SECOND)) + 20 * poll,
            false => self.interval,
        };
        // What lies above the libraries is there within two polls.
        let polls = if self.has_another_way() {
            2 * pace
        } else {
            pace
        };
        // The last digests are a settle time apart, and follow a racy tick.
        let tick = match self.server.granularity {
            coarse if coarse >= SECOND => COARSE_TICK,
            middle if middle >= 10 * MS => 200 * MS,
            _ => 20 * MS,
        };
        let mut settled = tick + 2 * self.settle + 100 * MS;
        if self.client.cache.names == Names::ByLook && !self.server.counts_changes {
            // A name that comes within a tick of another change is asked for when the tick is over.
            settled += tick;
        }
        // A file that is gone is called missing when it was for a second.
        settled = settled.max(SECOND + 100 * MS);
        if self.can_seem_cut() {
            settled += 10 * SECOND;
        }
        let is_unmounted = self.detached.is_some() || self.is_written_by(&[Writer::Cover]);
        if is_unmounted || !self.client.faults.is_empty() {
            // The artifact is looked at again after two seconds, and is well when all was well for one second, at the
            // next poll.
            settled += 2 * SECOND + SECOND + pace;
        }
        if artifacts > 1 {
            // The libraries of one build wait for each other.
            settled += SECOND;
        }
        // The last step of a slow poll may have begun just before the fault was healed.
        let slow = self.slow();
        // Slow looks are paid for with rest, even after they are fast again.
        let rest = match is_remote {
            true => {
                let steps = 4 + 4 * artifacts + 5 * self.directories();
                (20 * slow * steps).min(60 * SECOND)
            }
            false => 0,
        };
        let seen =
            slow + rest + polls + settled + 8 * artifacts * reading + self.client.cache.attributes;
        // A build that hangs holds everything back for as long as the cap says, and then for two digests a second
        // apart.
        let is_hung = self.is_written_by(&[Writer::HungCargo])
            || self.is_written_by(&[Writer::HungCheck]) && is_remote;
        let seen = seen
            + if is_hung {
                self.gate_max + 2 * SECOND
            } else {
                0
            };
        // A file that is kept open for ever is asked about for as long as the cap says, and settles then.
        let is_kept_open = self.is_written_by(&[Writer::Keeper]) && self.tells_writers();
        let seen = seen
            + match is_kept_open {
                true => self.gate_max + 2 * SECOND,
                false => 0,
            };
        match self.needs_audit() {
            true => seen + 372 * SECOND,
            false => seen,
        }
    }

    /// Whether the client's system says who writes to a file.
    fn tells_writers(&self) -> bool {
        self.client.leases != Leases::Unsupported
    }

    /// How much longer a step can take than usual.
    pub fn slow(&self) -> u64 {
        let slow = self.client.faults.iter().map(|fault| match fault.what {
            Wrong::Slow(time) => time,
            _ => 0,
        });
        slow.sum()
    }

    /// For how much of a time something was wrong with the client.
    pub fn blind(&self, times: Range<u64>) -> u64 {
        let faults = self.client.faults.iter();
        let shared = faults.map(|fault| {
            let until = fault.until.min(times.end);
            until.saturating_sub(fault.from.max(times.start))
        });
        shared.sum()
    }

    /// Whether anything above the libraries is replaced, or mounted.
    fn has_another_way(&self) -> bool {
        let directories = [
            Writer::ReplaceDirectory,
            Writer::CleanBuild,
            Writer::LateDirectory,
            Writer::SwapDirectoryLink,
            Writer::Cover,
        ];
        self.is_written_by(&directories) || self.detached.is_some()
    }

    /// The most directories on the way to a library, those behind links included.
    pub fn directories(&self) -> u64 {
        self.ground.depth as u64 + 1 + self.links()
    }

    pub fn links(&self) -> u64 {
        let ground = &self.ground;
        let hops = 2 * u64::from(ground.is_linked);
        hops + u64::from(ground.linked.is_some()) + u64::from(ground.is_linked_to)
    }

    /// The steps of an idle poll: on the way, each directory that the client must be asked for, is looked at, and asked for
    /// by itself and read if only that asks for names; then the watched directory, each library, and each link.
    pub fn idle_steps(&self) -> u64 {
        let links = self.links();
        let artifacts = self.artifacts.len() as u64;
        let way = match (self.client.locality, self.client.cache.names) {
            (Locality::Local, _) => 0,
            // The directory of the path, and those of the links on it.
            (_, Names::ByPath) => 2 * (1 + links),
            (_, Names::ByLook) => self.directories(),
            // Each name is asked for by itself.
            (_, Names::ByListing) => 3 * self.directories() + links,
        };
        // To look at a library, it is opened.
        let look = match (self.client.locality, self.client.cache.names) {
            (Locality::Local, _) | (_, Names::ByLook) => 1,
            (_, Names::ByPath) => 2,
            (_, Names::ByListing) => 3,
        };
        let watched = match self.is_directory {
            true => 2 + links,
            false => 0,
        };
        // What is made up at each look makes for a listing, and for a look at where each link leads.
        let noise = match self.client.unstable_inodes {
            true => 2 + artifacts,
            false => 0,
        };
        way + watched + artifacts * (look + links) + noise
    }

    pub fn is_written_by(&self, wanted: &[Writer]) -> bool {
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
