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
    let pause = "how long the owner thread was held by a load";
    metrics::describe_histogram!(names::PAUSE, Seconds, pause);
    let latency = "from the first sight of a change until it was live";
    metrics::describe_histogram!(names::LATENCY, Seconds, latency);
}
