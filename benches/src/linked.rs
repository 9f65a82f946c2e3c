//! Libraries that get into a directory as cargo puts them there: linked in when they are complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Between a builder's last write and its link. At once, and the two would be one to a coarse clock, which is no
/// evidence of being complete.
const LINKED_AFTER: Duration = Duration::from_millis(50);

/// Copies a library to `complete`, and then links that to each of `names`.
pub fn put(library: &Path, complete: &Path, names: impl IntoIterator<Item = PathBuf>) {
    fs::copy(library, complete).expect("the plugins are built");
    thread::sleep(LINKED_AFTER);
    for name in names {
        // Of an earlier trial.
        let _ = fs::remove_file(&name);
        fs::hard_link(complete, name).expect("a second name");
    }
}
