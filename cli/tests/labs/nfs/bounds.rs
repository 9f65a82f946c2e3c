//! What must hold of the lines that the guest wrote down. The guest is emulated, and slow, so a bound says that
//! something did not wait for a client's memory, which is half a minute old at least; the rows that are printed say
//! how long it took.

use crate::results::{Results, is_part};

/// The longest time from a change to its load, in milliseconds, and from a server's return.
const FRESH: f64 = 5_000.0;

/// How long a directory is not believed whose server counts whole seconds, in milliseconds.
const COARSE: f64 = 2_100.0;

/// The longest time until an audit finds a change, in milliseconds. A client of 9p that was told to believe itself
/// never asks again, so only an audit finds a change, and the third audit comes a minute after the second.
const AUDITED: f64 = 75_000.0;

/// The longest time among many libraries, in milliseconds: the longest rest after polls that were slow, and the poll.
const RESTED: f64 = 75_000.0;

/// A line of the guest, a number in it, and the least and the most that it may be.
type Bound = (&'static str, &'static str, f64, f64);

/// The cases of an NFS turn, by their names in `guest.sh`, and what must hold of each.
const CASES: &[(&str, &[Bound])] = &[
    (
        "files",
        &[
            ("files-new-file", "replug", 0.0, FRESH),
            ("files-rename", "replug", 0.0, FRESH),
            ("files-in-place", "replug", 0.0, FRESH),
            ("files-link", "replug", 0.0, FRESH),
            ("files-quiet-rename", "replug", 0.0, FRESH),
            ("files-said", "loads", 5.0, 5.0),
            ("files-said", "missing", 0.0, 0.0),
            ("files-said", "degraded", 0.0, 0.0),
        ],
    ),
    (
        "second",
        &[
            ("second-new-file", "replug", 0.0, FRESH),
            ("second-rename", "replug", 0.0, FRESH),
            ("second-in-place", "replug", 0.0, FRESH),
            ("second-link", "replug", 0.0, FRESH),
            ("second-said", "loads", 4.0, 4.0),
            ("second-said", "missing", 0.0, 0.0),
            ("second-said", "degraded", 0.0, 0.0),
        ],
    ),
    ("way_server", &WAY_SERVER),
    ("way_second", &WAY_SECOND),
    (
        "cargo_builds",
        &[
            // The library is there a moment before cargo has ended.
            ("cargo_builds", "took", -FRESH, FRESH),
            ("cargo_builds-said", "loads", 10.0, 10.0),
            ("cargo_builds-said", "untrue", 0.0, 0.0),
            ("cargo_builds-said", "degraded", 0.0, 0.0),
            ("cargo_builds-said", "kept", 0.0, 0.0),
        ],
    ),
    ("same_tick", &[("same_tick", "took", 0.0, FRESH)]),
    (
        "whole_seconds",
        &[("whole_seconds", "took", 0.0, FRESH + COARSE)],
    ),
    (
        "outage",
        &[
            ("outage", "stalled", 0.0, FRESH),
            ("outage", "calls", 50.0, 1_000.0),
            ("outage", "early", 0.0, 0.0),
            ("outage", "recovered", 0.0, FRESH),
            ("outage", "loaded", 0.0, FRESH),
            ("outage-said", "loads", 2.0, 2.0),
            ("outage-said", "missing", 0.0, 0.0),
        ],
    ),
    (
        "soft",
        &[
            ("soft", "calls", 50.0, 1_000.0),
            ("soft", "early", 0.0, 0.0),
            ("soft", "recovered", 0.0, FRESH),
            ("soft", "loaded", 0.0, FRESH),
            ("soft-said", "loads", 2.0, 2.0),
            ("soft-said", "missing", 0.0, 0.0),
            ("soft-said", "recovered", 1.0, 1.0),
        ],
    ),
    (
        "hung_start",
        &[
            ("hung_start", "started", 0.0, 1_000.0),
            ("hung_start", "stalled", 0.0, FRESH),
            ("hung_start", "said", 0.0, 1_500.0),
            ("hung_start", "ended", 0.0, FRESH),
            ("hung_back", "started", 0.0, 1_000.0),
            ("hung_back", "stalled", 0.0, FRESH),
            ("hung_back", "loaded", 0.0, FRESH),
            ("hung_back-said", "missing", 0.0, 0.0),
        ],
    ),
    (
        "hung_stop",
        &[
            ("hung_stop", "said", 0.0, 1_500.0),
            ("hung_stop", "ended", 0.0, FRESH),
        ],
    ),
    (
        "unmounted",
        &[
            ("unmounted-file", "degraded", 0.0, FRESH),
            ("unmounted-directory", "degraded", 0.0, FRESH),
            ("unmounted-file-said", "missing", 0.0, 0.0),
            ("unmounted-directory-said", "missing", 0.0, 0.0),
            ("mounted-file", "recovered", 0.0, FRESH),
            ("mounted-directory", "recovered", 0.0, FRESH),
            ("mounted-file", "loaded", 0.0, FRESH),
            ("mounted-directory", "loaded", 0.0, FRESH),
        ],
    ),
    (
        "before_mount",
        &[
            ("before_mount", "placed", 0.0, FRESH),
            ("before_mount", "loaded", 0.0, FRESH),
            ("before_mount-said", "loads", 1.0, 1.0),
        ],
    ),
    (
        "withdrawn",
        &[
            ("withdrawn", "degraded", 0.0, FRESH),
            ("withdrawn", "missing", 0.0, 0.0),
            ("given-again", "recovered", 0.0, FRESH),
            ("given-again", "loaded", 0.0, FRESH),
        ],
    ),
    (
        "requests",
        &[
            ("requests-depth-0", "each", 0.5, 6.0),
            ("requests-depth-3", "each", 0.5, 12.0),
        ],
    ),
    (
        "many",
        &[
            ("requests-many-100", "each", 0.5, 204.0),
            ("requests-many-200", "each", 0.5, 404.0),
            ("many-renamed", "took", 0.0, RESTED),
        ],
    ),
];

const WAY_SERVER: [Bound; 10] = way(["way-server", "way-server-said"]);
const WAY_SECOND: [Bound; 10] = way(["way-second", "way-second-said"]);

const fn way([line, said]: [&'static str; 2]) -> [Bound; 10] {
    [
        (line, "appeared", 0.0, FRESH),
        (line, "way", 0.0, FRESH),
        (line, "first", 0.0, FRESH),
        (line, "target", 0.0, FRESH),
        (line, "debug", 0.0, FRESH),
        (line, "link", 0.0, FRESH),
        (line, "rebuilt", 0.0, FRESH),
        (said, "loads", 7.0, 7.0),
        (said, "untrue", 0.0, 0.0),
        (said, "degraded", 0.0, 0.0),
    ]
}

const OF_9P: &[Bound] = &[
    ("files-new-file", "replug", 0.0, AUDITED),
    ("files-rename", "replug", 0.0, AUDITED),
    ("files-in-place", "replug", 0.0, AUDITED),
    ("files-link", "replug", 0.0, AUDITED),
    ("files-said", "missing", 0.0, 0.0),
    ("files-said", "degraded", 0.0, 0.0),
    ("files-said", "loads", 4.0, 4.0),
];

/// What does not hold, a sentence for each.
pub(crate) fn broken(results: &Results) -> Vec<String> {
    let mut broken = Vec::new();
    for mount in ["v4", "v3"] {
        for (case, bounds) in CASES {
            judge(results, mount, case, bounds, &mut broken);
        }
    }
    judge(results, "9p", "files", OF_9P, &mut broken);
    broken
}

fn judge(results: &Results, mount: &str, case: &str, bounds: &[Bound], broken: &mut Vec<String>) {
    if !results.has(mount, case) {
        if !is_part() {
            broken.push(format!("{mount} {case} had no turn"));
        }
        return;
    }
    for &(name, key, least, most) in bounds {
        let words = results.words(mount, name, key).unwrap_or("nothing");
        let mut numbers = words.split(',').map(str::parse::<f64>);
        if !numbers.all(|number| number.is_ok_and(|number| (least..=most).contains(&number))) {
            broken.push(format!(
                "{mount} {name} {key}: {words}, not {least} to {most}"
            ));
        }
    }
}
