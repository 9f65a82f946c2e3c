//! Rights: who could have written what is loaded, as far as the system tells. Facts only; what follows from them is
//! for `decide/trust` to say.

use std::path::PathBuf;

use super::snapshot::Kind;

/// The rights at one thing on the way to an artifact: at a directory, at a symbolic link, or at the artifact itself.
///
/// They are no part of a [`Snapshot`](super::snapshot::Snapshot): other rights are not another content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The path of the thing. No symbolic link is left in front of its name.
    pub path: PathBuf,
    /// The kind of thing.
    pub kind: Kind,
    /// The number of the user to whom the thing belongs.
    pub owner: u32,
    /// The number of the group to which the thing belongs.
    pub group: u32,
    /// The bits of its mode that say who can do what, the sticky bit included. Where there is an access control list,
    /// the group's bits hold the most that the list gives to anybody but the owner and the others.
    pub mode: u32,
    /// Whether the owner is the only one to whom the group's bits give anything: the group has no other member, and
    /// there is no access control list.
    pub group_is_private: bool,
    /// The name of the filesystem that the thing is on, if that filesystem makes owners up.
    pub invented_by: Option<String>,
}

/// The standing of this process: for whom it runs, and whether somebody else started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The number of the user whose files this process trusts beside root's. `None` if it trusts root's only: it runs
    /// as the user who started it, and has rights that this user lacks.
    pub user: Option<u32>,
    /// Whether the process has more rights than the user who started it, as a set-user-ID program has.
    pub has_more_rights: bool,
}

impl Standing {
    /// Whether the process still is the user who started it, and has rights that this user lacks. What belongs to the
    /// process is then that user's to change.
    pub(crate) fn is_of_its_starter(self) -> bool {
        self.has_more_rights && self.user.is_none()
    }
}
