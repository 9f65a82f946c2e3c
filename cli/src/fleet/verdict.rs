//! Verdicts: whether the hosts of the open waves are well with a rollout's build. Pure.

use super::manifest::{Manifest, Rollout};
use super::report::{Health, Report};

/// What the reports say of the waves that are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A host speaks against the build.
    Bad { host: String, why: String },
    /// Each host of the open waves has had it live for long enough.
    Well,
    /// It is too early to say.
    Early(Early),
}

/// How far the hosts of the open waves are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Early {
    /// The hosts that are in them.
    pub(crate) hosts: usize,
    /// Those that have had the build live for long enough.
    pub(crate) well: usize,
    /// Those that have it live, and not for long enough.
    pub(crate) baking: usize,
    /// Those of which nobody tells what they made of it.
    pub(crate) unknown: usize,
}

impl std::fmt::Display for Early {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Early {
            hosts,
            well,
            baking,
            unknown,
        } = self;
        if *hosts == 0 {
            return f.write_str("no host of the open wave has reported");
        }
        let rest = hosts - well - baking - unknown;
        write!(
            f,
            "of {hosts} hosts {well} well, {baking} baking, {unknown} unknown, {rest} not there yet"
        )
    }
}

/// What the reports say of a rollout; `None` if none is under way.
pub(crate) fn judge(manifest: &Manifest, reports: &[Report]) -> Option<Verdict> {
    let rollout = manifest.rollout.as_ref().filter(|it| it.is_under_way())?;
    let mut early = Early::default();
    let members = reports
        .iter()
        .filter(|it| it.fleet == manifest.fleet && rollout.reaches(&it.host));
    for report in members {
        early.hosts += 1;
        if !is_about(report, rollout) {
            continue;
        }
        match report.health {
            health if health.is_bad() => {
                let why = report.why.clone();
                return Some(Verdict::Bad {
                    host: report.host.clone(),
                    why: why.unwrap_or_else(|| health.word().to_owned()),
                });
            }
            Health::Live if report.live_s >= rollout.bake_s => early.well += 1,
            Health::Live => early.baking += 1,
            Health::Unknown => early.unknown += 1,
            _ => {}
        }
    }
    // An empty wave says nothing of the build.
    Some(match early.hosts > 0 && early.well == early.hosts {
        true => Verdict::Well,
        false => Verdict::Early(early),
    })
}

/// Whether a report is about this rollout's build, and was written since it began.
fn is_about(report: &Report, rollout: &Rollout) -> bool {
    report.sequence >= rollout.began && report.wanted == Some(rollout.build.sha256)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fleet::manifest::{Build, State};
    use crate::fleet::waves::{USUAL, waves};
    use replug::Digest;

    pub(crate) fn build(name: &str) -> Build {
        Build {
            sha256: Digest::of(name.as_bytes()),
            size: 7,
            signed: false,
        }
    }

    pub(crate) fn names() -> Vec<String> {
        (0..10).map(|number| format!("h{number}")).collect()
    }

    /// A fleet of ten hosts, with a rollout whose second wave is open, which has one host, too.
    pub(crate) fn manifest() -> Manifest {
        let names = names();
        let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
        let shares: Vec<_> = USUAL.split(',').map(|it| it.parse().unwrap()).collect();
        let mut manifest = Manifest::first("rules", "librules.so");
        manifest.sequence = 7;
        manifest.stable = Some(build("stable"));
        manifest.rollout = Some(Rollout {
            id: "r6".to_owned(),
            began: 6,
            build: build("new"),
            waves: waves("r6", &shares, &hosts),
            open: 2,
            bake_s: 300,
            state: State::Going,
        });
        manifest
    }

    pub(crate) fn report(host: &str, health: Health, live_s: u64) -> Report {
        Report {
            fleet: "rules".to_owned(),
            host: host.to_owned(),
            sequence: 7,
            wanted: Some(build("new").sha256),
            published: None,
            health,
            live: None,
            live_s,
            why: None,
        }
    }

    /// Reports of all hosts of the fleet: well, but for what is changed.
    fn reports(change: impl Fn(&mut Report)) -> Vec<Report> {
        let all = names();
        let mut reports: Vec<_> = all.iter().map(|it| report(it, Health::Live, 300)).collect();
        let manifest = manifest();
        let rollout = manifest.rollout.as_ref().unwrap();
        let member = reports.iter_mut().find(|it| rollout.reaches(&it.host));
        change(member.unwrap());
        reports
    }

    fn word(manifest: &Manifest, reports: &[Report]) -> &'static str {
        match judge(manifest, reports) {
            None => "none",
            Some(Verdict::Bad { .. }) => "bad",
            Some(Verdict::Well) => "well",
            Some(Verdict::Early(_)) => "early",
        }
    }

    #[test]
    fn a_wave_is_well_when_each_of_its_hosts_has_had_the_build_live_for_long_enough() {
        use Health::*;
        let manifest = manifest();
        let with = |health| word(&manifest, &reports(|it| it.health = health));
        assert_eq!(with(Live), "well");
        for health in [Waiting, Unknown, Trouble] {
            assert_eq!(with(health), "early", "{health:?}");
        }
        for health in [Kept, Died, Left, Refused] {
            assert_eq!(with(health), "bad", "{health:?}");
        }
        assert_eq!(word(&manifest, &reports(|it| it.live_s = 299)), "early");
        assert_eq!(word(&manifest, &[]), "early");
    }

    #[test]
    fn what_was_said_of_something_else_says_nothing() {
        let manifest = manifest();
        let is_early = |change: &dyn Fn(&mut Report)| {
            for health in [Health::Live, Health::Kept] {
                let reports = reports(|it| {
                    it.health = health;
                    change(it);
                });
                assert_eq!(word(&manifest, &reports), "early");
            }
        };
        is_early(&|it| it.sequence = 5);
        is_early(&|it| it.wanted = Some(build("stable").sha256));
        is_early(&|it| it.wanted = None);
        // Of another fleet, it is no host of this one at all.
        let others = reports(|it| {
            it.health = Health::Kept;
            it.fleet = "other".to_owned();
        });
        assert_eq!(word(&manifest, &others), "well");
    }

    #[test]
    fn only_hosts_of_open_waves_are_asked() {
        let mut manifest = manifest();
        let rollout = manifest.rollout.as_mut().unwrap();
        rollout.open = 0;
        let rollout = manifest.rollout.clone().unwrap();
        let mut reports = reports(|_| {});
        for report in &mut reports {
            if !rollout.reaches(&report.host) {
                report.health = Health::Kept;
            }
        }
        assert_eq!(word(&manifest, &reports), "well");
        manifest.rollout.as_mut().unwrap().state = State::Done;
        assert_eq!(word(&manifest, &reports), "none");
    }
}
