//! What there is to see: looks at files, directories, links, locks and filesystems, and what each look says by itself.

// What one look said, and the content that a look cannot see.
pub(crate) mod snapshot;

pub(crate) mod digest;

// Which fields of a snapshot are made up anew at every look. Pure.
pub(crate) mod noise;

// The seams: the filesystem that is watched, and the clock.
pub(crate) mod files;

pub(crate) mod clock;

// Where systems differ, and this machine behind the seam.
pub(crate) mod os;

pub(crate) mod machine;

// Which artifacts exist, and what directories name.
pub(crate) mod naming;

pub(crate) mod scan;

pub(crate) mod names;

// How an artifact must be looked at by where it is, and the links on the way to it.
pub(crate) mod place;

pub(crate) mod hops;

// Is a build running here?
pub(crate) mod gate;
