//! The process that made a thing. A process that is forked has a copy of all that its parent has in memory, and none of
//! the parent's threads; the files are still the parent's.

/// The process that made the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This process.
    pub(crate) fn this() -> Process {
        Process(std::process::id())
    }

    /// Whether this is another process: one that was forked from the one that made the value.
    pub(crate) fn is_another(self) -> bool {
        self != Process::this()
    }
}
