//! Looks: at files, directories, links, locks and filesystems; and the facts that each look tells by itself.

// The snapshot of one look, and the digest of the content that a look cannot see.
pub(crate) mod snapshot;

pub(crate) mod digest;

// Which fields of a snapshot are made up anew at every look. Pure.
pub(crate) mod noise;

// Who could have written what is loaded.
pub(crate) mod rights;

// Who holds a lock.
pub(crate) mod holder;

// The seams: the filesystem that is watched, and the clock.
pub(crate) mod files;

pub(crate) mod clock;

// A text that a person writes.
pub(crate) mod text;

// Where systems differ, and this machine behind the seam.
pub(crate) mod os;

pub(crate) mod machine;

// Which process made a thing.
pub(crate) mod process;

// Which artifacts exist, and the names in directories.
pub(crate) mod naming;

// Where cargo leaves the library of a package.
pub(crate) mod built;

pub(crate) mod scan;

pub(crate) mod names;

// How an artifact must be looked at by where it is, and the way to it.
pub(crate) mod place;

pub(crate) mod way;

pub(crate) mod home;

// Is a build running here?
pub(crate) mod gate;
