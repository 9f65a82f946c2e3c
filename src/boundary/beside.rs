//! The directory of an artifact, as a place for what its copy needs. On Windows the loader is told of it; elsewhere a
//! library says itself where the loader looks, and what lies beside it is copied along.

#[cfg(windows)]
pub(super) use super::system::Beside;

/// How a library comes to be found beside another one, for whoever reads that it is missing.
#[cfg(windows)]
pub(super) const THERE: &str = "";
#[cfg(not(windows))]
pub(super) const THERE: &str = " and link this one with `-Wl,-rpath,$ORIGIN`";

/// Nothing that the loader is told.
#[cfg(not(windows))]
pub(super) struct Beside;

#[cfg(not(windows))]
impl Beside {
    pub(super) fn of(_artifact: &std::path::Path) -> Beside {
        Beside
    }

    /// Nothing: the loader's own words have the name.
    pub(super) fn lacks(&self, _staged: &std::path::Path) -> Option<String> {
        None
    }
}
