//! States for trials: the last saved state of each plugin, which its host leaves here and a trial restores.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A saved state: its version and its bytes.
pub(crate) type Saved = (u32, Vec<u8>);

/// The saved states by artifact, shared by a worker and its owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct States(Arc<Mutex<HashMap<PathBuf, Saved>>>);

impl States {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Saved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down the state of an artifact's live generation; `None` if it has none.
    pub(crate) fn keep(&self, artifact: &Path, state: Option<Saved>) {
        match state {
            Some(state) => self.lock().insert(artifact.to_owned(), state),
            None => self.lock().remove(artifact),
        };
    }

    /// The state that was left for an artifact.
    pub(crate) fn of(&self, artifact: &Path) -> Option<Saved> {
        self.lock().get(artifact).cloned()
    }
}
