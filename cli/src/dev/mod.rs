//! `replug dev`: builds packages, watches their sources, builds again, and loads what was built, or runs a host beside
//! it.
//!
//! The session drives: it alone knows the order. What decides is pure (`depinfo`, `quiet`, `rounds`, `verdict`); what
//! touches the world decides nothing (`content`, `listing`, `eyes` look; `ahead`, `building`, `beside`, `earlier`, `keys`, `stale` act).

// Which files are sources.
mod depinfo;
mod sources;

// Their content and their names, and all of them together.
mod content;
mod eyes;
mod listing;

// When a save is over, the thread that finds out, and the build that does not wait for that.
mod ahead;
mod quiet;
mod watch;

// The workspace, one build of it, what the build said, and the build before.
mod building;
mod earlier;
mod project;
mod stale;
mod verdict;

// What follows from a save, a key and the end of a build.
mod rounds;

// The terminal, what is said there, and what was built: loaded, or for a command beside.
mod beside;
mod keys;
mod loaded;
mod said;

// All of it, in order.
mod session;

pub(crate) use self::session::dev;
