//! What must occur in the seeds of a usual run. If something does not, the simulation does not reach it.

use vocabulary::failure::FULL;

use crate::scenario::ERRNOS;

/// Everything that must occur in some seed; if it does not, the simulation does not reach it.
pub fn must_occur() -> Vec<String> {
    let mut all: Vec<String> = OCCURRENCES.iter().map(|name| (*name).to_owned()).collect();
    for (from, states) in EDGES {
        all.extend(states.iter().map(|to| format!("{from} -> {to}")));
    }
    all.push(format!("errno {FULL}"));
    all.push(format!("said: cannot stage, errno {FULL}"));
    for errno in ERRNOS {
        all.push(format!("errno {errno}"));
        let steps = ["look", "list", "read"];
        all.extend(steps.map(|step| format!("said: cannot {step}, errno {errno}")));
    }
    all
}

const OCCURRENCES: &[&str] = &[
    "news Ready",
    "news Kept",
    "news Waiting",
    "news Unchanged",
    "news Missing",
    "news Returned",
    "news Degraded",
    "news Recovered",
    "news Placed",
    "waiting Gated",
    "waiting Settling",
    "waiting Incomplete",
    "waiting Missing",
    "waiting Written",
    "lease granted",
    "lease refused",
    "lease refused wrongly",
    "fault: slow",
    "fault: NotFound",
    "fault: HalfList",
    "fault: ShortFile",
    "fault: torn",
    "content forgotten",
    "directory opened",
    "directory not opened",
    "unmounted",
    "mounted late",
    "mount linked to",
    "client local",
    "client nfs",
    "client fuse",
    "client fuse, cache=always",
    "client fuse, only lists",
    "client bindfs",
    "client sshfs",
    "client vboxsf",
    "locks Shared",
    "locks LocalOnly",
    "locks Unknown",
    "locks Hanging",
    "writer Cargo",
    "writer LaterCargo",
    "writer CargoCopy",
    "writer HungCargo",
    "writer HungCheck",
    "writer FailedBuild",
    "writer Ld",
    "writer Lld",
    "writer Cp",
    "writer CpPreserving",
    "writer Rsync",
    "writer RsyncInplace",
    "writer Mapped",
    "writer Kubernetes",
    "writer TouchStorm",
    "writer Flap",
    "writer SameTick",
    "writer Dying",
    "writer Keeper",
    "writer Garbage",
    "writer Removal",
    "writer Deletion",
    "writer ReplaceDirectory",
    "writer CleanBuild",
    "writer LateDirectory",
    "writer SwapDirectoryLink",
    "writer Cover",
    "said: cannot vet",
    "said: mount lost, all",
    "said: mount lost, one",
    "said: not found though listed",
];

/// The edges between an artifact's states, as its owner hears of them: from each state to those that must occur after
/// it.
const EDGES: [(&str, &[&str]); 11] = [
    ("unknown", &["settling", "degraded"]),
    (
        "settling",
        &[
            "live",
            "kept out",
            "incomplete",
            "gated",
            "missing",
            "degraded",
        ],
    ),
    ("written", &["live", "kept out", "settling", "missing"]),
    (
        "gated",
        &["live", "settling", "written", "incomplete", "degraded"],
    ),
    (
        "incomplete",
        &["live", "settling", "gated", "missing", "degraded"],
    ),
    (
        "live",
        &["live", "settling", "gated", "missing", "degraded"],
    ),
    (
        "kept out",
        &["live", "settling", "gated", "missing", "degraded"],
    ),
    ("missing", &["returned", "degraded"]),
    ("returned", &["live", "settling", "gated"]),
    ("degraded", &["degraded", "recovered", "live", "missing"]),
    ("recovered", &["live", "settling", "gated", "degraded"]),
];
