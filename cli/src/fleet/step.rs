//! Steps: the next manifest, by what a person says or by a verdict. Pure.

use super::manifest::{Build, Decided, Manifest, Rollout, State};
use super::verdict::Verdict;
use super::waves::{Share, waves};

/// Why there is no such step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoStep {
    #[error(
        "a rollout is under way, of {0}; bring it to its end with `promote`, or end it with `back`"
    )]
    UnderWay(String),
    #[error("no rollout is under way; `start DIGEST` begins one")]
    Nothing,
    #[error("this build is the stable one already")]
    Stable,
    #[error("it is held already; `promote` goes on, `back` ends it")]
    Held,
    #[error(
        "the build is not well on `{}`: {}; `back` ends the rollout",
        replug::shown::shown(host),
        replug::shown::shown(why)
    )]
    NotWell { host: String, why: String },
    #[error("there is no build to go back to")]
    NothingBefore,
    #[error(
        "no host of this fleet has reported, so a wave of {0} hosts cannot be chosen; start mirrors first, or say waves \
         in per cent"
    )]
    NobodyKnown(u64),
    #[error("sequence numbers have come to an end")]
    NoNumber,
}

/// The decision of a person, or the name of one who drives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a>(pub(crate) &'a str);

/// A manifest with the next number.
fn following(
    manifest: &Manifest,
    By(by): By<'_>,
    what: &str,
    why: Option<String>,
) -> Result<Manifest, NoStep> {
    let mut next = manifest.clone();
    next.sequence = manifest.sequence.checked_add(1).ok_or(NoStep::NoNumber)?;
    next.decided = Decided {
        by: by.to_owned(),
        what: what.to_owned(),
        why,
    };
    Ok(next)
}

/// The rollout that is under way.
fn under_way(manifest: &mut Manifest) -> Result<&mut Rollout, NoStep> {
    let rollout = manifest.rollout.as_mut();
    rollout
        .filter(|it| it.is_under_way())
        .ok_or(NoStep::Nothing)
}

/// Begins a rollout, with its first wave open.
pub(crate) fn start(
    manifest: &Manifest,
    build: Build,
    shares: &[Share],
    bake_s: u64,
    hosts: &[&str],
    by: By<'_>,
) -> Result<Manifest, NoStep> {
    if let Some(rollout) = manifest.rollout.as_ref().filter(|it| it.is_under_way()) {
        return Err(NoStep::UnderWay(rollout.build.sha256.short().to_string()));
    }
    let stable = manifest.stable.as_ref();
    if stable.is_some_and(|it| it.sha256 == build.sha256) {
        return Err(NoStep::Stable);
    }
    if let (true, Some(Share::Hosts(count))) = (hosts.is_empty(), shares.first()) {
        return Err(NoStep::NobodyKnown(*count));
    }
    let mut next = following(manifest, by, "start", None)?;
    let id = format!("r{}", next.sequence);
    next.rollout = Some(Rollout {
        waves: waves(&id, shares, hosts),
        id,
        began: next.sequence,
        build,
        open: 0,
        bake_s,
        state: State::Going,
    });
    Ok(next)
}

/// Holds a rollout: it goes on when a person says so.
pub(crate) fn hold(manifest: &Manifest, by: By<'_>) -> Result<Manifest, NoStep> {
    let mut next = following(manifest, by, "hold", None)?;
    let rollout = under_way(&mut next)?;
    match rollout.state {
        State::Held => Err(NoStep::Held),
        _ => {
            rollout.state = State::Held;
            Ok(next)
        }
    }
}

/// Opens the next wave by a person's word, however long the build has been live; after the last one it is stable. Not
/// against the word of a host.
pub(crate) fn promote(
    manifest: &Manifest,
    verdict: Option<&Verdict>,
    by: By<'_>,
) -> Result<Manifest, NoStep> {
    let next = following(manifest, by, "promote", None)?;
    if let Some(Verdict::Bad { host, why }) = verdict {
        return Err(NoStep::NotWell {
            host: host.clone(),
            why: why.clone(),
        });
    }
    go_on(next)
}

/// Goes back: from a rollout that is under way to the stable build, or else to the stable build before.
pub(crate) fn back(
    manifest: &Manifest,
    by: By<'_>,
    why: Option<String>,
) -> Result<Manifest, NoStep> {
    let mut next = following(manifest, by, "back", why)?;
    match under_way(&mut next) {
        Ok(rollout) => rollout.state = State::Back,
        Err(_) => {
            let before = next.before.take().ok_or(NoStep::NothingBefore)?;
            if let Some(rollout) = &mut next.rollout {
                rollout.state = State::Back;
            }
            next.stable = Some(before);
        }
    }
    Ok(next)
}

/// The step that follows from a verdict by itself, if one does. A rollout that is held goes back, and not on.
pub(crate) fn next(
    manifest: &Manifest,
    verdict: &Verdict,
    by: By<'_>,
) -> Option<Result<Manifest, NoStep>> {
    let rollout = manifest.rollout.as_ref().filter(|it| it.is_under_way())?;
    match (verdict, rollout.state) {
        (Verdict::Bad { host, why }, _) => {
            let why = format!("{host}: {why}");
            Some(back(manifest, by, Some(why)))
        }
        (Verdict::Well, State::Going) => {
            let what = if rollout.is_at_last_wave() {
                "done"
            } else {
                "next"
            };
            let why = "each host of the open waves is well".to_owned();
            Some(following(manifest, by, what, Some(why)).and_then(go_on))
        }
        _ => None,
    }
}

/// The next wave is open, or the build is stable.
fn go_on(mut next: Manifest) -> Result<Manifest, NoStep> {
    let rollout = under_way(&mut next)?;
    if !rollout.is_at_last_wave() {
        rollout.open += 1;
        rollout.state = State::Going;
        return Ok(next);
    }
    rollout.state = State::Done;
    let build = rollout.build.clone();
    next.before = next.stable.replace(build);
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Early;
    use super::super::verdict::tests::{build, manifest, names};
    use super::*;

    const BY: By<'static> = By("ada");

    fn bad() -> Verdict {
        Verdict::Bad {
            host: "h3".to_owned(),
            why: "at init: no".to_owned(),
        }
    }

    fn state(manifest: &Manifest) -> (u64, State, usize) {
        let rollout = manifest.rollout.as_ref().unwrap();
        (manifest.sequence, rollout.state, rollout.open)
    }

    fn with(state: State, open: usize) -> Manifest {
        let mut manifest = manifest();
        let rollout = manifest.rollout.as_mut().unwrap();
        (rollout.state, rollout.open) = (state, open);
        manifest
    }

    #[test]
    fn a_verdict_leads_on_or_back_or_nowhere() {
        let early = Verdict::Early(Early::default());
        use State::*;
        for (was, open, verdict, follows) in [
            (Going, 0, Verdict::Well, Some((8, Going, 1))),
            (Going, 3, Verdict::Well, Some((8, Done, 3))),
            (Going, 1, bad(), Some((8, Back, 1))),
            (Going, 1, early.clone(), None),
            (Held, 0, Verdict::Well, None),
            (Held, 0, bad(), Some((8, Back, 0))),
            (Back, 0, Verdict::Well, None),
            (Back, 0, bad(), None),
            (Done, 3, bad(), None),
            (Done, 3, Verdict::Well, None),
        ] {
            let next = next(&with(was, open), &verdict, BY).map(|it| state(&it.unwrap()));
            assert_eq!(next, follows, "{was:?} {open} {verdict:?}");
        }
    }

    #[test]
    fn the_build_of_a_rollout_that_is_done_is_stable_and_back_leads_to_the_one_before() {
        let done = next(&with(State::Going, 3), &Verdict::Well, BY)
            .unwrap()
            .unwrap();
        assert_eq!(done.stable, Some(build("new")));
        assert_eq!(done.before, Some(build("stable")));
        let gone_back = back(&done, BY, None).unwrap();
        assert_eq!(gone_back.stable, Some(build("stable")));
        assert_eq!(back(&gone_back, BY, None), Err(NoStep::NothingBefore));
    }

    #[test]
    fn a_person_starts_holds_and_goes_on() {
        let first = Manifest::first("rules", "librules.so");
        let names = names();
        let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
        let shares = [Share::Hosts(1), Share::Percent(100)];
        let nobody = start(&first, build("new"), &shares, 1, &[], BY);
        assert_eq!(nobody, Err(NoStep::NobodyKnown(1)));
        let going = start(&first, build("new"), &shares, 1, &hosts, BY).unwrap();
        assert_eq!(state(&going), (1, State::Going, 0));
        let reached = hosts.iter().filter(|it| going.wanted(it).is_some());
        assert_eq!(reached.count(), 1);
        let again = start(&going, build("other"), &shares, 1, &hosts, BY);
        assert!(matches!(again, Err(NoStep::UnderWay(_))));
        let held = hold(&going, BY).unwrap();
        assert_eq!(state(&held), (2, State::Held, 0));
        assert_eq!(hold(&held, BY), Err(NoStep::Held));
        assert!(matches!(
            promote(&held, Some(&bad()), BY),
            Err(NoStep::NotWell { .. })
        ));
        let all = promote(&held, None, BY).unwrap();
        assert_eq!(state(&all), (3, State::Going, 1));
        assert!(hosts.iter().all(|it| all.wanted(it).is_some()));
        let done = promote(&all, None, BY).unwrap();
        assert_eq!(state(&done), (4, State::Done, 1));
        assert_eq!(promote(&done, None, BY), Err(NoStep::Nothing));
        assert_eq!(hold(&done, BY), Err(NoStep::Nothing));
        let same = start(&done, build("new"), &shares, 1, &hosts, BY);
        assert_eq!(same, Err(NoStep::Stable));
        assert_eq!(done.decided.by, "ada");
    }

    #[test]
    fn going_back_names_the_host_and_the_reason() {
        let gone_back = next(&manifest(), &bad(), BY).unwrap().unwrap();
        let why = gone_back.decided.why.as_deref();
        assert_eq!(why, Some("h3: at init: no"));
        for host in names() {
            assert_eq!(gone_back.wanted(&host), Some(&build("stable")));
        }
    }
}
