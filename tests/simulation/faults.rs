//! Faults: what goes wrong between a client and its server, from when to when, and which steps each fault strikes.

/// A fault: what goes wrong, from when to when.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub from: u64,
    pub until: u64,
    pub what: Wrong,
    /// In how many of a hundred cases the fault strikes.
    pub percent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Look(i32),
    Open(i32),
    Read(i32),
    List(i32),
    Stage(i32),
    /// Every operation fails, as when a server is down.
    All(i32),
    /// A name is listed, but not found.
    NotFound,
    /// Listing stops in the middle.
    HalfList,
    /// A file ends early.
    ShortFile,
    /// Each step takes this long.
    Slow(u64),
}

/// The errno with which a step of some sort fails.
pub type Hits = fn(Wrong) -> Option<i32>;

fn hits_all(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::All(errno) => Some(errno),
        _ => None,
    }
}

pub fn hits_look(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Look(errno) => Some(errno),
        other => hits_all(other),
    }
}

pub fn hits_open(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Open(errno) => Some(errno),
        other => hits_all(other),
    }
}

pub fn hits_read(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Read(errno) => Some(errno),
        other => hits_all(other),
    }
}

pub fn hits_list(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::List(errno) => Some(errno),
        other => hits_all(other),
    }
}

pub fn hits_stage(wrong: Wrong) -> Option<i32> {
    match wrong {
        Wrong::Stage(errno) => Some(errno),
        _ => None,
    }
}
