//! A real NFS server, v4.2 and v3, in a guest under software emulation, and 9p between the guest and its host:
//! `host.sh` boots it, `guest.sh` works in it and writes lines, which are judged here. The command in `docs/testing.md`
//! takes some twenty minutes, of which most is quiet, because that is when clients stop asking. Prints the rows of the
//! table in `docs/filesystems.md`.

#![cfg(target_os = "linux")]

use std::process::Command;

use vocabulary::{lookers, program, target_tmp, workspace};

/// The longest time until a change is seen, in milliseconds. A plain look is half a minute late there, and a look
/// that asks the server takes a moment: this is far from both, for emulation is slow.
const FRESH_MS: u64 = 5_000;

/// The longest time until an audit finds a change, in milliseconds. A client of 9p that was told to believe itself
/// never asks again, so only an audit finds a change, and the third audit comes a minute after the second.
const AUDITED_MS: u64 = 75_000;

/// The lines that the guest wrote down.
struct Results(Vec<Vec<String>>);

impl Results {
    fn of_guest() -> Results {
        let output = Command::new(workspace().join("cli/tests/labs/nfs/host.sh"))
            .arg(target_tmp().join("nfs"))
            .arg(program())
            .arg(lookers::program())
            .output()
            .expect("the script can be started");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the guest failed:\n{printed}\n{errors}"
        );
        assert!(!printed.contains("FAILED"), "{printed}");
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        Results(printed.lines().map(words).collect())
    }

    /// The words after these, in the only line that begins with them.
    #[track_caller]
    fn after(&self, beginning: &[&str]) -> &[String] {
        let mut lines = self.0.iter().filter(|line| {
            line.len() > beginning.len()
                && line
                    .iter()
                    .zip(beginning)
                    .all(|(word, wanted)| word == wanted)
        });
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("nothing about {beginning:?}"));
        assert!(lines.next().is_none(), "{beginning:?} is there twice");
        &line[beginning.len()..]
    }

    /// The number behind a word in the line that begins so.
    #[track_caller]
    fn number(&self, beginning: &[&str], word: &str) -> u64 {
        let words = self.after(beginning);
        let at = words.iter().position(|it| it == word);
        let number = at.and_then(|at| words.get(at + 1)?.parse().ok());
        number.unwrap_or_else(|| panic!("no number `{word}` in {beginning:?} {words:?}"))
    }

    fn requests_per_poll(&self, mount: &str, artifacts: u32) -> f64 {
        let artifacts = artifacts.to_string();
        let beginning = [mount, "requests", "artifacts", &artifacts];
        let polls = self.number(&beginning, "polls");
        self.number(&beginning, "requests") as f64 / polls as f64
    }

    fn print_times(&self, mount: &str, name: &str, changes: &[&str]) {
        for (who, shown) in [
            ("replug", "replug"),
            ("stat", "`stat`"),
            ("notify", "notify"),
        ] {
            let took = changes
                .iter()
                .map(|change| self.after(&[mount, change, who])[0].as_str());
            println!(
                "| {name}, {shown} | {} |",
                took.collect::<Vec<_>>().join(" | ")
            );
        }
    }

    /// The rows of the tables in the docs.
    fn print(&self) {
        self.print_times("9p", "9p, `cache=loose`", &CHANGES[..4]);
        for (mount, name) in [("v4", "NFS v4.2"), ("v3", "NFS v3")] {
            self.print_times(mount, name, &CHANGES);
            let took = CHANGES[..4].iter().map(|change| {
                let change = format!("second-{change}");
                self.after(&[mount, &change, "replug"])[0].clone()
            });
            let took: Vec<_> = took.collect();
            println!("| {name}, another client writes | {} | |", took.join(" | "));
            println!(
                "{name} outage: {}",
                self.after(&[mount, "outage"]).join(" ")
            );
            println!(
                "{name} stopped while the server is: {}",
                self.after(&[mount, "hung-stop"]).join(" ")
            );
            for artifacts in [1, 100] {
                let each = self.requests_per_poll(mount, artifacts);
                println!("{name}, {artifacts} libraries: {each:.1} requests in an idle poll");
            }
        }
    }
}

const CHANGES: [&str; 5] = ["new-file", "rename", "in-place", "link", "quiet-rename"];

#[test]
fn what_changes_on_a_server_is_seen_and_an_outage_is_survived() {
    let results = Results::of_guest();
    results.print();
    for change in &CHANGES[..4] {
        let took = results.after(&["9p", change, "replug"])[0].parse();
        let took: u64 = took.expect("it was seen at all");
        assert!(took < AUDITED_MS, "9p {change}: {took} ms");
    }
    for (word, times) in [("missing", 0), ("degraded", 0), ("loaded", 4)] {
        assert_eq!(results.number(&["9p", "said"], word), times, "9p {word}");
    }
    for mount in ["v4", "v3"] {
        let seen_by_replug = |change: &str| {
            let took = results.after(&[mount, change, "replug"]);
            let took: u64 = took[0].parse().expect("it was seen at all");
            assert!(took < FRESH_MS, "{mount} {change}: {took} ms");
        };
        CHANGES.into_iter().for_each(seen_by_replug);
        for change in ["new-file", "rename", "in-place", "link"] {
            seen_by_replug(&format!("second-{change}"));
        }
        for (said, loads) in [("said", 5), ("second-said", 4)] {
            assert_eq!(results.number(&[mount, said], "missing"), 0);
            assert_eq!(results.number(&[mount, said], "degraded"), 0);
            assert_eq!(results.number(&[mount, said], "loaded"), loads);
        }

        let outage = |word| results.number(&[mount, "outage"], word);
        for what in ["stalled", "recovered", "loaded"] {
            let took = outage(what);
            assert!(took < FRESH_MS, "{mount} {what}: {took} ms");
        }
        assert!(outage("calls") > 50, "calls go on: {}", outage("calls"));
        assert_eq!(outage("missing"), 0);
        assert_eq!(outage("loads"), 2, "one before and one after");

        for what in ["said", "ended"] {
            let took = results.number(&[mount, "hung-stop"], what);
            assert!(took < FRESH_MS, "{mount} {what}: {took} ms");
        }

        for artifacts in [1, 100] {
            let each = results.requests_per_poll(mount, artifacts);
            let most = 4.0 + 2.0 * f64::from(artifacts);
            assert!(
                each <= most,
                "{mount}, {artifacts}: {each} requests in a poll"
            );
        }
    }
}
