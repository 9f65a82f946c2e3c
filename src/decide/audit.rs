//! Audits: when to digest a file that seems unchanged, because a look cannot see everything. Pure.

use std::time::Duration;

use crate::options::Audit;

/// The pauses between audits. A write that no look can see mostly follows a write that a look can see, so doubt
/// fades.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
];

/// How long after a digest to take the next one, if `made` audits found nothing. An artifact is `in_doubt` if it
/// arrived with weak evidence, or lies where looks can lie.
pub(crate) fn pause(audit: Audit, made: u8, in_doubt: bool) -> Option<Duration> {
    match audit {
        Audit::Off => None,
        Audit::Every(pause) => Some(pause),
        Audit::Auto if in_doubt => {
            let [.., last] = PAUSES;
            Some(*PAUSES.get(usize::from(made)).unwrap_or(&last))
        }
        Audit::Auto => (made == 0).then_some(PAUSES[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(audit: Audit, in_doubt: bool) -> Vec<Option<u64>> {
        let seconds = |made| pause(audit, made, in_doubt).map(|pause| pause.as_secs());
        (0..6).map(seconds).collect()
    }

    #[test]
    fn doubt_fades_but_never_ends_and_a_good_arrival_is_audited_once() {
        let fading = [2, 10, 60, 300, 300, 300].map(Some);
        assert_eq!(seconds(Audit::Auto, true), fading);
        assert_eq!(
            seconds(Audit::Auto, false),
            [Some(2), None, None, None, None, None]
        );
        assert_eq!(seconds(Audit::Off, true), [None; 6]);
        let every = Audit::Every(Duration::from_secs(7));
        assert_eq!(seconds(every, false), [Some(7); 6]);
    }
}
