//! Measures: counts and times of what hosts and watchers do, for whoever collects them in this process. They reach a
//! recorder of the crate `metrics`, with the feature of that name; without the feature nothing of this is compiled.
//! `docs/observing.md` has the names.

use std::path::Path;
use std::time::Duration;

use crate::error::Step;

#[cfg(feature = "metrics")]
mod names {
    pub(super) const POLLS: &str = "replug_polls_total";
    pub(super) const LOADS: &str = "replug_loads_total";
    pub(super) const KEPT: &str = "replug_kept_total";
    pub(super) const PAUSE: &str = "replug_pause_seconds";
    pub(super) const LATENCY: &str = "replug_latency_seconds";
    pub(super) const ADMISSIONS: &str = "replug_admissions_total";
    pub(super) const TRIALS: &str = "replug_trials_total";
    pub(super) const TRIAL: &str = "replug_trial_seconds";
    pub(super) const BACKS: &str = "replug_backs_total";
    pub(super) const PROBATIONS: &str = "replug_probations_total";
    pub(super) const QUARANTINES: &str = "replug_quarantines_total";
}

/// The count of the polls of one path. The recorder is asked for it once, so that a poll allocates nothing.
pub(crate) struct Polls {
    #[cfg(feature = "metrics")]
    counter: metrics::Counter,
}

impl Polls {
    /// The count for a watched path, in the recorder that is installed now.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
    pub(crate) fn of(watched: &Path) -> Polls {
        #[cfg(feature = "metrics")]
        describe();
        Polls {
            #[cfg(feature = "metrics")]
            counter: metrics::counter!(names::POLLS, "artifact" => spelled(watched)),
        }
    }

    /// One more poll.
    pub(crate) fn count(&self) {
        #[cfg(feature = "metrics")]
        self.counter.increment(1);
    }
}

/// A new generation of an artifact is live.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(crate) fn loaded(artifact: &Path, latency: Duration, pause: Duration) {
    #[cfg(feature = "metrics")]
    {
        let artifact = spelled(artifact);
        metrics::counter!(names::LOADS, "artifact" => artifact.clone()).increment(1);
        metrics::histogram!(names::LATENCY, "artifact" => artifact.clone()).record(latency);
        metrics::histogram!(names::PAUSE, "artifact" => artifact).record(pause);
    }
}

/// A build of an artifact was kept out at this step.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(crate) fn kept(artifact: &Path, step: Step) {
    #[cfg(feature = "metrics")]
    {
        let (artifact, step) = (spelled(artifact), step.to_string());
        metrics::counter!(names::KEPT, "artifact" => artifact, "step" => step).increment(1);
    }
}

/// The checks of a person were asked about a library, and this is what they said.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(crate) fn admission(library: &Path, is_admitted: bool) {
    #[cfg(feature = "metrics")]
    {
        let verdict = if is_admitted { "admitted" } else { "refused" };
        let artifact = spelled(library);
        let labels = [("artifact", artifact), ("verdict", verdict.to_owned())];
        metrics::counter!(names::ADMISSIONS, &labels).increment(1);
    }
}

/// A build was tried, with this verdict; in a helper that has run for so long, if one was started.
#[cfg(feature = "trial")]
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(crate) fn tried(artifact: &Path, verdict: &'static str, took: Option<Duration>) {
    #[cfg(feature = "metrics")]
    {
        let artifact = spelled(artifact);
        let labels = [
            ("artifact", artifact.clone()),
            ("verdict", verdict.to_owned()),
        ];
        metrics::counter!(names::TRIALS, &labels).increment(1);
        if let Some(took) = took {
            metrics::histogram!(names::TRIAL, "artifact" => artifact).record(took);
        }
    }
}

/// A build that came out of the store is live.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(crate) fn went_back(artifact: &Path) {
    #[cfg(feature = "metrics")]
    metrics::counter!(names::BACKS, "artifact" => spelled(artifact)).increment(1);
}

/// The probation of a build has ended so.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(crate) fn probation_ended(artifact: &Path, end: &'static str) {
    #[cfg(feature = "metrics")]
    {
        let labels = [("artifact", spelled(artifact)), ("end", end.to_owned())];
        metrics::counter!(names::PROBATIONS, &labels).increment(1);
    }
}

/// A build is not loaded any more, for it has ended its host too often.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(crate) fn quarantined(artifact: &Path) {
    #[cfg(feature = "metrics")]
    metrics::counter!(names::QUARANTINES, "artifact" => spelled(artifact)).increment(1);
}

/// A path as the value of a label.
#[cfg(feature = "metrics")]
fn spelled(path: &Path) -> String {
    replug_plugin::shown::spelled(path).into_owned()
}

/// Tells the recorder what each name means.
#[cfg(feature = "metrics")]
fn describe() {
    use metrics::Unit::{Count, Seconds};
    metrics::describe_counter!(names::POLLS, Count, "polls of a watched path");
    metrics::describe_counter!(names::LOADS, Count, "generations that went live");
    metrics::describe_counter!(names::KEPT, Count, "builds that were kept out, by step");
    let admissions = "answers of a person's checks about libraries, by verdict";
    metrics::describe_counter!(names::ADMISSIONS, Count, admissions);
    let trials = "builds that were tried in a helper process, by verdict";
    metrics::describe_counter!(names::TRIALS, Count, trials);
    let trial = "how long a helper process has tried a build";
    metrics::describe_histogram!(names::TRIAL, Seconds, trial);
    let backs = "builds out of the store that went live";
    metrics::describe_counter!(names::BACKS, Count, backs);
    let probations = "probations that have ended, by end";
    metrics::describe_counter!(names::PROBATIONS, Count, probations);
    let quarantines = "builds that have ended their host too often";
    metrics::describe_counter!(names::QUARANTINES, Count, quarantines);
    let pause = "how long the owner thread was held by a load";
    metrics::describe_histogram!(names::PAUSE, Seconds, pause);
    let latency = "from the first sight of a change until it was live";
    metrics::describe_histogram!(names::LATENCY, Seconds, latency);
}
