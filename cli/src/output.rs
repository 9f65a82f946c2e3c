//! What the program says: JSON lines for programs, sentences for people, and on a terminal a status line that
//! stays where it is. The JSON lines are a contract; the README lists them.

use std::io::{self, IsTerminal, Write};
use std::path::{Display, Path};
use std::time::{Duration, Instant};

use replug::{
    Digest, GatePolicy, Kept, Loaded, Locality, Mapped, Outcome, Plugin, Retired, Text, Waiting,
    Watched, chain, plugin_name,
};
use serde_json::{Value, json};

/// Columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;

/// Back to the start of the line, and clear it.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// Where everything goes that is not a log.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    style: Style,
    started: Instant,
    /// The last value shown on a terminal, which repeats none.
    shown: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Json,
    Plain,
    Terminal,
}

/// The counts that end a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) polls: u64,
    pub(crate) digests: u64,
    pub(crate) reloads: u64,
}

impl Output {
    /// For a program that began at `started`.
    pub(crate) fn new(json: bool, started: Instant) -> Output {
        let style = match json {
            true => Style::Json,
            false if io::stdout().is_terminal() => Style::Terminal,
            false => Style::Plain,
        };
        Output {
            style,
            started,
            shown: None,
        }
    }

    pub(crate) fn started(
        &self,
        path: &Path,
        interval_ms: u64,
        watched: &Watched,
    ) -> io::Result<()> {
        let Watched {
            filesystem,
            locality,
            looks,
            gate,
            why,
            ..
        } = watched;
        let locality = match locality {
            Locality::Local => "local",
            Locality::Remote => "remote",
        };
        let gate = if *gate == GatePolicy::Off {
            "off"
        } else {
            "on"
        };
        let shown = short(path);
        let path = path.display();
        self.say(
            json!({
                "event": "started", "path": path.to_string(), "interval_ms": interval_ms,
                "filesystem": filesystem, "locality": locality, "looks": looks,
                "gate": gate, "why": why,
            }),
            format!(
                "watching {shown} every {interval_ms} ms\n  filesystem {filesystem}, {locality}: {looks}\n  gate {gate}: {why}"
            ),
        )
    }

    /// What became of an update of `artifact`, while `live` is the generation that runs.
    pub(crate) fn outcome(
        &self,
        artifact: &Path,
        live: Option<u64>,
        outcome: &Outcome,
    ) -> io::Result<()> {
        match outcome {
            Outcome::Loaded(loaded) => self.loaded(artifact, loaded),
            Outcome::Kept(kept) => self.kept(artifact, live, kept),
            Outcome::Waiting(reason) => self.waiting(artifact, *reason),
            Outcome::Missing => {
                self.whereabouts(artifact, "missing", "is gone; what was loaded stays")
            }
            Outcome::Returned => self.whereabouts(artifact, "returned", "is back"),
            Outcome::Degraded(error) => {
                let advice = error
                    .advice()
                    .map_or(String::new(), |advice| format!("; {advice}"));
                self.health(artifact, "degraded", &format!("{}{advice}", chain(error)))
            }
            Outcome::Recovered => {
                self.health(artifact, "recovered", "it can be looked at and read again")
            }
            Outcome::Stalled(since) => self.stalled(artifact, *since),
            Outcome::Retired(retired) => self.retired(&plugin_name(artifact), retired),
            other => {
                tracing::warn!(?other, "an outcome this program does not know");
                Ok(())
            }
        }
    }

    fn loaded(&self, artifact: &Path, loaded: &Loaded) -> io::Result<()> {
        let plugin = plugin_name(artifact);
        let Loaded {
            generation,
            digest,
            staged,
            latency,
            pause,
            retired,
        } = loaded;
        self.say(
            json!({
                "event": "loaded", "plugin": plugin, "generation": generation,
                "sha256": digest.to_string(), "path": artifact.display().to_string(),
                "staged": staged.display().to_string(), "latency_ms": millis(*latency),
                "pause_us": u64::try_from(pause.as_micros()).unwrap_or(u64::MAX),
            }),
            format!(
                "{plugin}: generation {generation} ({}) is live, {} ms after the change was seen",
                digest.short(),
                millis(*latency)
            ),
        )?;
        retired
            .as_ref()
            .map_or(Ok(()), |retired| self.retired(&plugin, retired))
    }

    fn retired(&self, plugin: &str, retired: &Retired) -> io::Result<()> {
        if self.style != Style::Json {
            // To a person, one generation's coming is the other's going.
            return Ok(());
        }
        let generation = retired.generation;
        let mapped = retired.mapped.as_ref();
        let unloaded = mapped.is_none();
        let reason = mapped.map_or(
            "nothing can reach it any more".to_owned(),
            Mapped::to_string,
        );
        self.write_json(json!({
            "event": "retired", "plugin": plugin, "generation": generation,
            "unloaded": unloaded, "reason": reason,
        }))
    }

    fn kept(&self, artifact: &Path, live: Option<u64>, kept: &Kept) -> io::Result<()> {
        let plugin = plugin_name(artifact);
        let step = kept.error.step().to_string();
        let reason = chain(&kept.error);
        let digest = kept
            .digest
            .map_or(String::new(), |digest| format!(" {}", digest.short()));
        let told = reason.replace(
            &artifact.display().to_string(),
            &short(artifact).to_string(),
        );
        let words = match live {
            Some(live) => format!("{plugin}: kept generation {live}, not{digest}: {told}"),
            None => format!("{plugin}: kept out{digest}, nothing is loaded yet: {told}"),
        };
        self.say(
            json!({
                "event": "kept", "plugin": plugin, "generation": live,
                "sha256": kept.digest.map(|digest| digest.to_string()),
                "step": step, "reason": reason,
            }),
            words,
        )
    }

    fn waiting(&self, artifact: &Path, reason: Waiting) -> io::Result<()> {
        let plugin = plugin_name(artifact);
        let (reason, words) = match reason {
            Waiting::Missing => ("missing", "there is no library yet"),
            Waiting::Gated => ("gated", "a cargo build is running"),
            Waiting::Settling => ("settling", "the file must hold still"),
            Waiting::Incomplete => ("incomplete", "the file is the beginning of a library"),
        };
        self.say(
            json!({ "event": "waiting", "plugin": plugin, "reason": reason }),
            format!("{plugin}: waiting at {}: {words}", short(artifact)),
        )
    }

    fn whereabouts(&self, artifact: &Path, event: &str, words: &str) -> io::Result<()> {
        let (plugin, path) = (plugin_name(artifact), artifact.display());
        self.say(
            json!({ "event": event, "plugin": plugin, "path": path.to_string() }),
            format!("{plugin}: {} {words}", short(artifact)),
        )
    }

    fn health(&self, artifact: &Path, event: &str, reason: &str) -> io::Result<()> {
        let (plugin, path) = (plugin_name(artifact), artifact.display());
        self.say(
            json!({ "event": event, "plugin": plugin, "path": path.to_string(), "reason": reason }),
            format!("{plugin}: {event}, {reason}"),
        )
    }

    /// The filesystem hangs, and the worker in it.
    fn stalled(&self, path: &Path, since: Duration) -> io::Result<()> {
        let seconds = since.as_secs();
        let reason = format!(
            "the filesystem has not answered for {seconds} s; what was loaded goes on, and nothing is reloaded until \
             it answers; if it stays so, start its server or daemon"
        );
        self.health(path, "stalled", &reason)
    }

    /// A call's result. A terminal shows it only when it is another than the last one.
    pub(crate) fn result(
        &mut self,
        artifact: &Path,
        plugin: &Plugin<'_, Text>,
        value: Option<&str>,
    ) -> io::Result<()> {
        let (name, generation) = (plugin_name(artifact), plugin.generation());
        let words = format!(
            "{name}: generation {generation} ({}): {}",
            plugin.digest().short(),
            value.unwrap_or("no answer")
        );
        if self.style == Style::Terminal && self.shown.as_ref() == Some(&words) {
            return Ok(());
        }
        self.say(
            json!({ "event": "result", "plugin": name, "generation": generation, "value": value }),
            words.clone(),
        )?;
        self.shown = Some(words);
        Ok(())
    }

    /// The status line, on a terminal only.
    pub(crate) fn status(
        &self,
        live: Option<(u64, Digest)>,
        age: Duration,
        polls: u64,
    ) -> io::Result<()> {
        if self.style != Style::Terminal {
            return Ok(());
        }
        let live = live.map_or("nothing loaded yet".to_owned(), |(generation, digest)| {
            format!(
                "generation {generation} | {} | for {} s",
                digest.short(),
                age.as_secs()
            )
        });
        let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| width.0.into());
        // One column less than there are, so that no terminal wraps.
        let line: String = format!("{live} | {polls} polls")
            .chars()
            .take(width.saturating_sub(1))
            .collect();
        let mut stdout = io::stdout().lock();
        write!(stdout, "{CLEAR_LINE}{line}")?;
        stdout.flush()
    }

    pub(crate) fn stopped(&self, totals: Totals) -> io::Result<()> {
        let Totals {
            polls,
            digests,
            reloads,
        } = totals;
        self.say(
            json!({ "event": "stopped", "polls": polls, "digests": digests, "reloads": reloads }),
            format!("stopped; polls {polls}, digests {digests}, reloads {reloads}"),
        )
    }

    fn say(&self, json: Value, words: String) -> io::Result<()> {
        match self.style {
            Style::Json => self.write_json(json),
            Style::Plain => writeln!(io::stdout(), "{}", words),
            Style::Terminal => writeln!(io::stdout(), "{CLEAR_LINE}{}", words),
        }
    }

    fn write_json(&self, mut line: Value) -> io::Result<()> {
        if let Some(fields) = line.as_object_mut() {
            // Behind the event, where a reader looks for it.
            fields.shift_insert(1, "t_ms".to_owned(), millis(self.started.elapsed()).into());
        }
        writeln!(io::stdout(), "{line}")
    }
}

/// A path for people, who are spared the directory they are in.
fn short(path: &Path) -> Display<'_> {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    match below {
        Some(below) if below.as_os_str().is_empty() => Path::new("."),
        Some(below) => below,
        None => path,
    }
    .display()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
