//! What `replug dev` says of its builds: in JSON and in words, and the status for the last line of a terminal.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use replug::Digest;
use replug::shown::{shown, spelled};
use replug::watch::plugin_name;
use serde_json::{Value, json};

use super::building::Made;
use super::verdict::{Mistake, Verdict};
use crate::output::{Output, millis};

/// How many changed files are named to a person.
const NAMED: usize = 2;

/// Says that a build begins, and which files asked for it.
pub(super) fn building(
    output: &Output,
    packages: &[String],
    changed: &[PathBuf],
) -> io::Result<()> {
    let paths: Vec<_> = changed.iter().map(|path| spelled(path)).collect();
    let mut words = format!("building {}", packages.join(", "));
    if !changed.is_empty() {
        let named: Vec<_> = changed.iter().take(NAMED).collect();
        let named: Vec<_> = named
            .iter()
            .map(|it| output.short(it).to_string())
            .collect();
        words = format!("{words}: {} changed", named.join(", "));
        if changed.len() > NAMED {
            words = format!("{words}, and {} more", changed.len() - NAMED);
        }
    }
    let packages = packages.to_vec();
    output.say(
        json!({ "event": "building", "packages": packages, "changed": paths }),
        words,
    )
}

/// Says that cargo waits for another cargo, and what to do about that.
pub(super) fn blocked(output: &Output) -> io::Result<()> {
    let reason = "cargo waits for another cargo that works in the same target directory, such as the check of an editor; \
                  with `--target-dir DIR` this build has a directory of its own, or give the editor one";
    output.say(
        json!({ "event": "blocked", "reason": reason }),
        format!("blocked: {reason}"),
    )
}

/// Says what a build has made.
pub(super) fn built(
    output: &Output,
    took: Duration,
    warnings: usize,
    artifacts: &Made,
) -> io::Result<()> {
    let line = |(path, digest): &(PathBuf, Option<Digest>)| json!({ "path": spelled(path), "sha256": digest.map(|it| it.to_string()) });
    let lines: Vec<_> = artifacts.iter().map(line).collect();
    let words = format!("built in {} ms{}", millis(took), and_warnings(warnings));
    output.say(
        json!({ "event": "built", "ms": millis(took), "artifacts": lines, "warnings": warnings }),
        words,
    )
}

/// Shows the first error of a build that failed, as the compiler does, and says how many more there are.
pub(super) fn failed(
    output: &Output,
    took: Duration,
    verdict: &Verdict,
    live: Option<u64>,
) -> io::Result<()> {
    let errors: Vec<_> = verdict.mistakes.iter().map(mistake).collect();
    let first = verdict.mistakes.first();
    let first = first.map_or(String::new(), |it| lines(output, &it.rendered));
    let goes_on = match live {
        Some(generation) => format!("; generation {generation} goes on"),
        None => String::new(),
    };
    let words = format!(
        "{first}failed after {} ms: {}{}{goes_on}",
        millis(took),
        count(verdict.mistakes.len(), "error"),
        and_warnings(verdict.warnings)
    );
    output.say(
        json!({
            "event": "failed", "ms": millis(took), "errors": errors, "warnings": verdict.warnings,
        }),
        words,
    )
}

/// The lines of an error. With the compiler's colours they are as the compiler shows them; without, what moves the cursor is
/// spelled out in each.
fn lines(output: &Output, rendered: &str) -> String {
    let line = |line: &str| match output.is_terminal() {
        true => format!("{line}\n"),
        false => format!("{}\n", shown(line)),
    };
    rendered.lines().map(line).collect()
}

fn mistake(mistake: &Mistake) -> Value {
    let mut line = json!({ "message": mistake.message });
    if let Some((file, number, column)) = &mistake.place {
        line["path"] = file.as_str().into();
        line["line"] = (*number).into();
        line["column"] = (*column).into();
    }
    line["rendered"] = mistake.rendered.as_str().into();
    line
}

/// Says that a build made the bytes that were there before.
pub(super) fn unchanged(output: &Output, library: &Path, digest: Digest) -> io::Result<()> {
    let plugin = plugin_name(library);
    let words = format!(
        "{plugin}: unchanged: the build made the bytes of before ({})",
        digest.short()
    );
    output.say(
        json!({ "event": "unchanged", "plugin": plugin, "sha256": digest.to_string() }),
        words,
    )
}

/// Says that what is live is what cargo built, for programs; people see it in the status.
pub(super) fn live(
    output: &Output,
    library: &Path,
    generation: u64,
    digest: Digest,
    times: &Times,
) -> io::Result<()> {
    let ms = times.live.map(millis);
    let line = json!({
        "event": "live", "plugin": plugin_name(library), "generation": generation,
        "sha256": digest.to_string(), "ms": ms,
    });
    let live = Some((generation, digest));
    let status = Status {
        times: *times,
        live,
        ..Status::default()
    };
    output.say(line, format!("{}: {status}", plugin_name(library)))
}

/// Says that what is live is something else than cargo built.
pub(super) fn not_built(output: &Output, library: &Path, digest: Digest) -> io::Result<()> {
    let plugin = plugin_name(library);
    let reason = format!(
        "what is live now ({}) is not what cargo built: something else has written to the library since; `r` builds it once \
         more, if a source is saved first",
        digest.short()
    );
    let words = format!("{plugin}: warning, {reason}");
    output.say(
        json!({
            "event": "warning", "plugin": plugin, "path": spelled(library), "about": "other-build",
            "reason": reason,
        }),
        words,
    )
}

/// Says that a file seems to be written by the builds that it asks for.
pub(super) fn suspect(output: &Output, file: &Path) -> io::Result<()> {
    let reason = "it changes during each build, so a build seems to write it; builds that it alone asks for come later and \
                  later; a build script writes to the directory in `OUT_DIR`, where nothing is watched";
    let words = format!("warning, {}: {reason}", output.short(file));
    output.say(
        json!({ "event": "warning", "path": spelled(file), "about": "written-by-build", "reason": reason }),
        words,
    )
}

/// Says that the command beside the builds runs.
pub(super) fn beside(output: &Output, command: &str, process: u32) -> io::Result<()> {
    output.say(
        json!({ "event": "command", "command": command, "pid": process }),
        format!("running `{}` as process {process}", shown(command)),
    )
}

/// Says that the system has stopped the command.
pub(super) fn halted(output: &Output, command: &str) -> io::Result<()> {
    let reason = "it wants to read from the terminal, or to change it, and is stopped for that: the terminal is this program's; give                   the command another input, such as `< /dev/null`, or start it in a terminal of its own";
    output.say(
        json!({ "event": "warning", "command": command, "about": "command-stopped", "reason": reason }),
        format!("warning, `{}`: {reason}", shown(command)),
    )
}

/// Says how the command ended.
pub(super) fn ended(output: &Output, command: &str, status: &str) -> io::Result<()> {
    let words = format!(
        "`{}` ended: {status}; the next build starts it again",
        shown(command)
    );
    output.say(
        json!({ "event": "ended", "command": command, "status": status }),
        words,
    )
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn and_warnings(warnings: usize) -> String {
    match warnings {
        0 => String::new(),
        some => format!(", {}", count(some, "warning")),
    }
}

/// How long the steps of the last round took.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Times {
    pub(super) built: Option<Duration>,
    /// From cargo's end to the swap.
    pub(super) live: Option<Duration>,
}

/// How things stand, for the last line of a terminal.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// How long the build that is running has taken so far.
    pub(super) building: Option<Duration>,
    pub(super) has_failed: bool,
    pub(super) times: Times,
    pub(super) live: Option<(u64, Digest)>,
    pub(super) is_held: bool,
    pub(super) is_ready: bool,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        match (self.building, self.has_failed, self.times.built) {
            (Some(since), ..) => {
                let tenths = since.as_millis() / 100;
                parts.push(format!("building {}.{} s", tenths / 10, tenths % 10));
            }
            (None, true, _) => parts.push("failed".to_owned()),
            (None, false, Some(built)) => parts.push(format!("built {} ms", millis(built))),
            (None, false, None) => {}
        }
        if self.building.is_none() && !self.has_failed {
            let live = self.times.live.map(|it| format!("live {} ms", millis(it)));
            parts.extend(live);
        }
        match self.live {
            Some((generation, digest)) => {
                parts.push(format!("generation {generation}"));
                parts.push(digest.short().to_string());
            }
            None => parts.push("nothing loaded yet".to_owned()),
        }
        match (self.is_held, self.is_ready) {
            (true, true) => parts.push("a build is ready, h applies it".to_owned()),
            (true, false) => parts.push("held, h lets go".to_owned()),
            (false, _) => {}
        }
        f.write_str(&parts.join(" · "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_has_phase_times_and_what_is_live() {
        let digest = Digest::of(b"");
        let ms = |ms| Some(Duration::from_millis(ms));
        let times = Times {
            built: ms(214),
            live: ms(9),
        };
        let live = Some((7, digest));
        let held = |is_ready| Status {
            times,
            live,
            is_held: true,
            is_ready,
            ..Status::default()
        };
        for (status, words) in [
            (Status::default(), "nothing loaded yet"),
            (
                Status {
                    building: ms(1290),
                    ..Status::default()
                },
                "building 1.2 s · nothing loaded yet",
            ),
            (
                Status {
                    times,
                    live,
                    ..Status::default()
                },
                "built 214 ms · live 9 ms · generation 7 · e3b0c442",
            ),
            (
                Status {
                    has_failed: true,
                    times,
                    live,
                    ..Status::default()
                },
                "failed · generation 7 · e3b0c442",
            ),
            (
                held(false),
                "built 214 ms · live 9 ms · generation 7 · e3b0c442 · held, h lets go",
            ),
            (
                held(true),
                "built 214 ms · live 9 ms · generation 7 · e3b0c442 · a build is ready, h applies it",
            ),
        ] {
            assert_eq!(status.to_string(), words);
        }
    }
}
