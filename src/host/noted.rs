//! Outcomes as they are noted: in the log, and in the measures. Nobody need do anything with them for that.

use std::path::Path;

use replug_plugin::shown::shown;

use super::outcome::{Kept, Loaded, Outcome};
use crate::measures;

/// Notes an outcome of an artifact, and hands it back. Whoever owns the plugin is told of it, so nothing here is a warning
/// in the log: a program that shows its outcomes would say it twice.
pub(super) fn noted(artifact: &Path, outcome: Outcome) -> Outcome {
    match &outcome {
        Outcome::Loaded(loaded) => note_loaded(artifact, loaded),
        Outcome::Kept(kept) => note_kept(artifact, kept),
        // Said by whoever retired it.
        Outcome::Retired(_) => {}
        other => tracing::debug!(artifact = %shown(artifact), "{other}"),
    }
    outcome
}

fn note_loaded(artifact: &Path, loaded: &Loaded) {
    measures::loaded(artifact, loaded.latency, loaded.pause);
    tracing::info!(
        artifact = %shown(artifact),
        generation = loaded.generation,
        digest = %loaded.digest,
        latency = ?loaded.latency,
        pause = ?loaded.pause,
        "a generation is live"
    );
}

/// The generation in the log is the one that goes on.
fn note_kept(artifact: &Path, kept: &Kept) {
    let step = kept.error.step();
    measures::kept(artifact, step);
    tracing::info!(
        artifact = %shown(artifact),
        generation = kept.live,
        digest = kept.digest.map(tracing::field::display),
        %step,
        "a build is kept out: {}",
        kept.reason()
    );
}
