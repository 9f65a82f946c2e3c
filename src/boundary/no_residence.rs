//! The residence on systems where plugins ask libc itself: nobody knows what their threads still need, so images stay
//! mapped.

use replug_plugin::__private::Attach;

pub(super) fn leave_rest() -> bool {
    true
}

pub(super) fn leave_all() {}

/// Why no image can be unmapped in this process.
pub(super) fn forbidden() -> Option<&'static str> {
    Some("images are unmapped on Linux with glibc on x86-64 and aarch64 only")
}

#[derive(Debug)]
pub(super) struct Residence;

impl Residence {
    pub(super) unsafe fn attach(_attach: Attach, _is_to_go: bool) -> Residence {
        Residence
    }

    pub(super) fn forever(&self) -> Option<&'static str> {
        forbidden()
    }

    pub(super) fn signal(&self) -> Option<i32> {
        None
    }

    pub(super) fn way_back(&self) -> Option<&'static str> {
        None
    }

    pub(super) fn leave(&self) {}

    pub(super) fn threads(&self, _only_started: bool) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn is_empty(&self) -> bool {
        false
    }

    pub(super) fn set_closing(&self, _is_closing: bool) {}

    pub(super) unsafe fn end(self) {}
}
