//! Waves: which part of a fleet's hosts a build reaches, one after the other. Pure.
//!
//! A host's rank in a rollout is a hash of both names. A wave has all hosts up to a rank, so a mirror knows by itself whether
//! it is in one, and a host that comes later falls into some wave, too.

use std::str::FromStr;

use replug::Digest;
use replug::shown::shown;
use serde::{Deserialize, Serialize};

/// The highest rank. A rank has 48 bits, which each reader of JSON keeps exact.
pub(crate) const LAST: u64 = (1 << 48) - 1;

/// The waves of a rollout that are usual: one host, some, half, all.
#[cfg(test)]
pub(crate) const USUAL: &str = "1,10%,50%,100%";

/// A part of the hosts. It has those of the waves before it, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wave {
    /// What a person asked for: `1`, `10%`.
    pub(crate) share: String,
    /// The highest rank that is in it.
    pub(crate) up_to: u64,
}

/// The size of a wave, as a person says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    Hosts(u64),
    Percent(u64),
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let wrong = || {
            format!(
                "`{}` is no wave: that is a number of hosts, or a share of them as in `10%`",
                shown(text)
            )
        };
        let (number, is_percent) = match text.strip_suffix('%') {
            Some(number) => (number, true),
            None => (text, false),
        };
        match (number.parse(), is_percent) {
            (Ok(percent @ 1..=100), true) => Ok(Share::Percent(percent)),
            (Ok(hosts @ 1..), false) => Ok(Share::Hosts(hosts)),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Share::Hosts(hosts) => write!(f, "{hosts}"),
            Share::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Share {
    /// How many of the known hosts these are, at least one.
    fn of(self, known: usize) -> usize {
        match self {
            Share::Hosts(hosts) => usize::try_from(hosts).unwrap_or(usize::MAX).min(known),
            Share::Percent(percent) => {
                let percent = usize::try_from(percent).unwrap_or(100);
                (known * percent).div_ceil(100)
            }
        }
    }
}

impl Wave {
    /// Whether a host is in the wave of this rollout.
    pub(crate) fn has(&self, rollout: &str, host: &str) -> bool {
        rank(rollout, host) <= self.up_to
    }
}

/// The place of a host in the order of a rollout.
pub(crate) fn rank(rollout: &str, host: &str) -> u64 {
    // Neither name has a line's end in it, so no two pairs are one text.
    let digest = Digest::of(format!("{rollout}\n{host}").as_bytes()).to_string();
    u64::from_str_radix(&digest[..12], 16).expect("a digest has hexadecimal digits")
}

/// The waves of a rollout among the hosts that are known. Each is as large as the one before at least, and the last has all
/// hosts.
pub(crate) fn waves(rollout: &str, shares: &[Share], hosts: &[&str]) -> Vec<Wave> {
    let mut ranks: Vec<u64> = hosts.iter().map(|host| rank(rollout, host)).collect();
    ranks.sort_unstable();
    let mut waves: Vec<Wave> = Vec::new();
    for share in shares {
        let up_to = match share {
            Share::Percent(100) => LAST,
            _ => match share.of(ranks.len()) {
                // Nobody is known: a share of the ranks.
                0 => part_of_ranks(*share),
                count => ranks[count - 1],
            },
        };
        let before = waves.last().map_or(0, |it| it.up_to);
        waves.push(Wave {
            share: share.to_string(),
            up_to: up_to.max(before),
        });
    }
    if waves.last().is_none_or(|it| it.up_to != LAST) {
        waves.push(Wave {
            share: Share::Percent(100).to_string(),
            up_to: LAST,
        });
    }
    waves
}

/// The highest rank of a share, where nobody is known who could be counted.
fn part_of_ranks(share: Share) -> u64 {
    match share {
        Share::Percent(percent) => LAST / 100 * percent,
        Share::Hosts(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(text: &str) -> Vec<Share> {
        text.split(',').map(|it| it.parse().unwrap()).collect()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("h{number}")).collect()
    }

    #[test]
    fn waves_have_as_many_of_the_known_hosts_as_they_say_and_each_those_before() {
        let names = names(20);
        let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
        for (text, counts) in [
            ("1,10%,50%,100%", &[1, 2, 10, 20][..]),
            ("3", &[3, 20]),
            ("1%,100%", &[1, 20]),
            ("50%,10%", &[10, 10, 20]),
            ("500", &[20, 20]),
        ] {
            let waves = waves("r1", &shares(text), &hosts);
            let members = |wave: &Wave| hosts.iter().filter(|it| wave.has("r1", it)).count();
            let found: Vec<usize> = waves.iter().map(members).collect();
            assert_eq!(found, counts, "{text}");
            assert_eq!(waves.last().unwrap().up_to, LAST, "{text}");
        }
    }

    #[test]
    fn a_host_that_nobody_knew_falls_into_some_wave() {
        let waves = waves("r1", &shares(USUAL), &["h1", "h2"]);
        for name in names(50) {
            let in_waves: Vec<bool> = waves.iter().map(|it| it.has("r1", &name)).collect();
            assert!(in_waves.is_sorted(), "{name}: {in_waves:?}");
            assert!(in_waves[in_waves.len() - 1]);
        }
    }

    #[test]
    fn a_share_of_hosts_that_nobody_knows_is_about_that_share() {
        let waves = waves("r1", &shares("10%,100%"), &[]);
        let count = names(1000)
            .iter()
            .filter(|it| waves[0].has("r1", it))
            .count();
        assert!((60..140).contains(&count), "{count}");
    }

    #[test]
    fn another_rollout_begins_with_other_hosts() {
        let names = names(20);
        let first = |rollout: &str| names.iter().min_by_key(|it| rank(rollout, it)).unwrap();
        let firsts: std::collections::BTreeSet<_> =
            (0..20).map(|it| first(&format!("r{it}"))).collect();
        assert!(firsts.len() > 5, "{firsts:?}");
    }

    #[test]
    fn ranks_are_those_of_other_programs_of_this_kind() {
        // `printf 'r1\nh1' | sha256sum | cut -c1-12`: mirrors of all versions agree.
        assert_eq!(format!("{:012x}", rank("r1", "h1")), RANK);
    }

    const RANK: &str = "58c4633a92c5";

    #[test]
    fn what_is_no_wave_is_refused() {
        for text in ["", "0", "0%", "101%", "-1", "1.5%", "ten", "%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
