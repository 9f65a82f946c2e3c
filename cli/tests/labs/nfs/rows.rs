//! The rows of the tables in `docs/filesystems.md`.

use crate::results::Results;

const MOUNTS: [(&str, &str); 2] = [("v4", "NFS v4.2"), ("v3", "NFS v3")];
const CHANGES: [&str; 5] = ["new-file", "rename", "in-place", "link", "quiet-rename"];

/// The tables of a row for each version: their titles, and the lines and keys of their columns.
const TABLES: &[(&str, &[(&str, &str)])] = &[
    (
        "an outage",
        &[
            ("outage", "stalled"),
            ("outage", "calls"),
            ("outage", "recovered"),
            ("outage", "loaded"),
            ("outage-said", "missing"),
            ("outage-said", "loads"),
            ("hung_stop", "said"),
            ("hung_stop", "ended"),
        ],
    ),
    (
        "mounted `soft`",
        &[
            ("soft", "calls"),
            ("soft", "early"),
            ("soft", "recovered"),
            ("soft", "loaded"),
            ("soft-said", "missing"),
        ],
    ),
    (
        "begun while the server is away",
        &[
            ("hung_start", "started"),
            ("hung_start", "stalled"),
            ("hung_start", "said"),
            ("hung_start", "ended"),
            ("hung_back", "loaded"),
        ],
    ),
    (
        "unmounted, mounted, begun before the mount",
        &[
            ("unmounted-file", "degraded"),
            ("mounted-file", "recovered"),
            ("mounted-file", "loaded"),
            ("unmounted-directory", "degraded"),
            ("mounted-directory", "recovered"),
            ("mounted-directory", "loaded"),
            ("before_mount", "placed"),
            ("before_mount", "loaded"),
        ],
    ),
    (
        "the export withdrawn",
        &[
            ("withdrawn", "degraded"),
            ("given-again", "recovered"),
            ("given-again", "loaded"),
            ("withdrawn", "reason"),
        ],
    ),
    (
        "`rm -r target; cargo build`",
        &[
            ("cargo_builds", "took"),
            ("cargo_builds-said", "loads"),
            ("cargo_builds-said", "missing"),
            ("cargo_builds-said", "untrue"),
        ],
    ),
    ("written and renamed in one tick", &[("same_tick", "took")]),
    (
        "two changes within a second of a server that counts seconds",
        &[("whole_seconds", "took"), ("whole_seconds-said", "missing")],
    ),
    (
        "requests in an idle poll",
        &[
            ("requests-depth-0", "each"),
            ("requests-depth-3", "each"),
            ("requests-many-100", "each"),
            ("requests-many-200", "each"),
            ("many-renamed", "took"),
        ],
    ),
];

/// Prints all of them.
pub(crate) fn print(results: &Results) {
    print_changes(results, "9p", "9p, `cache=loose`", &CHANGES[..4]);
    for (mount, name) in MOUNTS {
        print_changes(results, mount, name, &CHANGES);
        let seconds = CHANGES[..4].iter().map(|change| format!("second-{change}"));
        let seconds = seconds.map(|change| results.shown(mount, &change, "replug"));
        print_row(&format!("{name}, another client writes"), seconds);
    }
    println!(
        "\n| directories on the way | appeared | `way` | `first` | `target` | `debug` | the link | removed and made again |"
    );
    for (mount, name) in MOUNTS {
        for (line, who) in [
            ("way-server", "on the server"),
            ("way-second", "another client"),
        ] {
            let changes = [
                "appeared", "way", "first", "target", "debug", "link", "rebuilt",
            ];
            let took = changes
                .iter()
                .map(|change| results.shown(mount, line, change));
            print_row(&format!("{name}, {who}"), took);
        }
    }
    for (title, columns) in TABLES {
        println!();
        print_row(
            title,
            columns.iter().map(|(line, key)| format!("{line} {key}")),
        );
        for (mount, name) in MOUNTS {
            let values = columns
                .iter()
                .map(|(line, key)| results.shown(mount, line, key));
            print_row(name, values);
        }
    }
}

fn print_changes(results: &Results, mount: &str, name: &str, changes: &[&str]) {
    for who in ["replug", "stat", "notify"] {
        let took = changes
            .iter()
            .map(|change| results.shown(mount, &format!("files-{change}"), who));
        print_row(&format!("{name}, {who}"), took);
    }
}

fn print_row(name: &str, values: impl Iterator<Item = String>) {
    println!("| {name} | {} |", values.collect::<Vec<_>>().join(" | "));
}
