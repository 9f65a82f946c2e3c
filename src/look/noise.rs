//! Noise: identity fields that a filesystem makes up anew at every look, such as the inode numbers of some FUSE
//! daemons. Such a field says nothing. Without this module the file would be suspect for ever. Pure.

use std::time::{Duration, Instant};

use super::snapshot::{Fields, Snapshot};

/// The number of false alarms in a row that demotes a field. A file that is replaced within one timestamp tick raises
/// one or two.
const ENOUGH: u8 = 4;

/// The longest time between two false alarms of one row. Alarms that are further apart have nothing to do with each
/// other.
const IN_A_ROW: Duration = Duration::from_secs(60);

/// The noise of one artifact, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Noise {
    /// The demoted fields, which count for nothing until other bytes are found behind equal looks.
    demoted: Fields,
    /// The last false alarms: the fields that all of them have in common, their number, and the time of the last one.
    suspected: Fields,
    alarms: u8,
    last: Option<Instant>,
}

impl Noise {
    /// The snapshot without its noise.
    pub(crate) fn strip(&self, snapshot: Snapshot) -> Snapshot {
        match self.is_known() {
            true => snapshot.without(self.demoted),
            false => snapshot,
        }
    }

    /// The fields that are noise.
    pub(crate) fn fields(&self) -> Fields {
        self.demoted
    }

    /// Whether any field is noise.
    pub(crate) fn is_known(&self) -> bool {
        !self.demoted.is_empty()
    }

    /// Whether a false alarm was raised lately that no demoted field explains.
    pub(crate) fn is_suspected(&self, now: Instant) -> bool {
        self.alarms > 0 && self.last.is_some_and(|last| now < last + IN_A_ROW)
    }

    /// Takes down a false alarm: two snapshots of one content differ. Says whether that demotes a field.
    pub(crate) fn alarm(&mut self, now: Instant, one: &Snapshot, other: &Snapshot) -> bool {
        let Some(fields) = one.noise_against(other).filter(|fields| !fields.is_empty()) else {
            return false;
        };
        let goes_on = self.last.is_some_and(|last| now < last + IN_A_ROW);
        let common = self.suspected.common(fields);
        self.last = Some(now);
        if !goes_on || common.is_empty() {
            self.alarms = 0;
            self.suspected = fields;
        } else {
            self.suspected = common;
        }
        self.alarms += 1;
        if self.alarms < ENOUGH {
            return false;
        }
        self.demoted = self.demoted.with(self.suspected);
        self.alarms = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::snapshot::{Kind, Stamp};

    fn seen(inode: u64, links: u64, size: u64) -> Snapshot {
        Snapshot {
            kind: Kind::File,
            device: 1,
            mount: 1,
            inode,
            links,
            size,
            modified: Stamp::default(),
            changed: Stamp::default(),
            born: None,
        }
    }

    #[test]
    fn a_field_that_differs_every_time_says_nothing_any_more() {
        let mut noise = Noise::default();
        let now = Instant::now();
        for inode in 2..5 {
            assert!(!noise.alarm(now, &seen(1, 1, 9), &seen(inode, 1, 9)));
        }
        assert!(noise.alarm(now, &seen(1, 1, 9), &seen(5, 2, 9)));
        assert_eq!(noise.strip(seen(7, 1, 9)), noise.strip(seen(8, 1, 9)));
        assert_ne!(
            noise.strip(seen(7, 1, 9)),
            noise.strip(seen(7, 2, 9)),
            "only what differed each time"
        );
    }

    #[test]
    fn a_size_is_never_noise_and_neither_are_alarms_far_apart() {
        let mut noise = Noise::default();
        let mut now = Instant::now();
        for other in 2..20 {
            assert!(!noise.alarm(now, &seen(1, 1, 9), &seen(other, 1, other)));
        }
        for inode in 2..20 {
            now += IN_A_ROW;
            assert!(!noise.alarm(now, &seen(1, 1, 9), &seen(inode, 1, 9)));
        }
        assert!(!noise.is_known());
    }
}
