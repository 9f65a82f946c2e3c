//! What the program says: JSON lines for programs, sentences for people, and on a terminal a status line that
//! stays where it is. The JSON lines are a contract; `docs/cli.md` lists them.

use std::io::{self, Write};
use std::iter::Sum;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use replug::inspect::Declared;
use replug::outcome::Loaded;
use replug::shown::{Shown, is_hidden, shown, spelled};
use replug::watch::{Place, plugin_name};
use replug::{AnyPlugin, Digest, GatePolicy, Outcome, Plugin};
use serde_json::{Value, json};

use crate::on_load::Failed;
use crate::stream::Stream;

/// The columns of a terminal that does not tell its width.
const USUAL_WIDTH: usize = 80;

/// Back to the start of the line, and clear it.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// Clear the screen, and begin at its top.
const CLEAR_SCREEN: &str = "\x1b[2J\x1b[H";

/// The place where everything goes that is not a log.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    style: Style,
    started: Instant,
    /// The directory that people started the program in: plugins can go elsewhere.
    here: Option<PathBuf>,
    /// The last value shown on a terminal, which shows no value twice in a row.
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

impl Sum for Totals {
    fn sum<I: Iterator<Item = Totals>>(all: I) -> Totals {
        all.fold(Totals::default(), |sum, it| Totals {
            polls: sum.polls + it.polls,
            digests: sum.digests + it.digests,
            reloads: sum.reloads + it.reloads,
        })
    }
}

impl Output {
    /// The output of a program that began at `started`.
    pub(crate) fn new(json: bool, started: Instant) -> Output {
        let style = match json {
            true => Style::Json,
            false if Stream::Out.is_terminal() => Style::Terminal,
            false => Style::Plain,
        };
        Output {
            style,
            started,
            here: std::env::current_dir().ok(),
            shown: None,
        }
    }

    /// Says what is watched, where that is, and what follows from it. `gate` is what the user chose.
    pub(crate) fn started(
        &self,
        path: &Path,
        interval_ms: u64,
        gate: GatePolicy,
        place: &Place,
    ) -> io::Result<()> {
        let placed = json!({
            "event": "started", "path": spelled(path), "interval_ms": interval_ms,
        });
        let words = format!("watching {} every {interval_ms} ms", self.short(path));
        self.say_place(placed, words, gate, place)
    }

    /// Says that the path turned out to be at another place than was said before.
    pub(crate) fn placed(&self, path: &Path, gate: GatePolicy, place: &Place) -> io::Result<()> {
        let placed = json!({ "event": "placed", "path": spelled(path) });
        let words = format!(
            "{} turned out to be on another filesystem",
            self.short(path)
        );
        self.say_place(placed, words, gate, place)
    }

    /// Adds to a line the place of the path, and what follows from the place.
    fn say_place(
        &self,
        mut line: Value,
        words: String,
        gate: GatePolicy,
        place: &Place,
    ) -> io::Result<()> {
        let (gate, why) = why_gate(gate, place);
        extend(&mut line, serde_json::to_value(place)?);
        line["gate"] = gate.into();
        line["why"] = why.into();
        let mut words = format!(
            "{words}\n  filesystem {place}: {}\n  gate {gate}: {why}",
            place.manner()
        );
        if let Some(advice) = place.advice() {
            words = format!("{words}\n  advice: {advice}");
        }
        self.say(line, words)
    }

    /// Says what became of an update of `artifact`: the words are those of the outcome itself.
    /// Of a new generation with an interface, `declared` is what it implements.
    pub(crate) fn outcome(
        &self,
        artifact: &Path,
        outcome: &Outcome,
        declared: Option<&Declared>,
    ) -> io::Result<()> {
        let plugin = plugin_name(artifact);
        let short = self.short(artifact).to_string();
        let words = outcome.to_string();
        let words = words.replace(&shown(artifact).to_string(), &short);
        let words = format!("{plugin}: {words}");
        // For a person, the news of the new generation is enough.
        if matches!(outcome, Outcome::Retired(_)) && self.style != Style::Json {
            return Ok(());
        }
        let mut line = serde_json::to_value(outcome.line(artifact))?;
        if let Some(declared) = declared {
            line["interface"] = declared.interface().into();
            line["level"] = declared.level().to_string().into();
        }
        let words = match outcome {
            // The path is the news, or where to look for the reason.
            Outcome::Waiting(_) | Outcome::Missing | Outcome::Returned => {
                format!("{words} ({short})")
            }
            _ => match declared {
                Some(it) => format!("{words}; {}", uncalled(it)),
                None => words,
            },
        };
        self.say(line, words)?;
        match outcome {
            Outcome::Loaded(Loaded {
                retired: Some(retired),
                ..
            }) if self.style == Style::Json => {
                let retired = Outcome::Retired(retired.clone());
                self.write_json(serde_json::to_value(retired.line(artifact))?)
            }
            _ => Ok(()),
        }
    }

    /// Tells a call's result. A terminal shows the result only if it is another than the last one.
    pub(crate) fn result(
        &mut self,
        artifact: &Path,
        plugin: &Plugin<'_, AnyPlugin>,
        value: Option<&str>,
    ) -> io::Result<()> {
        let (name, generation) = (plugin_name(artifact), plugin.generation());
        let words = format!(
            "{name}: generation {generation} ({}): {}",
            plugin.digest().short(),
            shown(value.unwrap_or("no answer"))
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

    /// Says that the user's command failed after a load.
    pub(crate) fn command_failed(&self, failed: &Failed) -> io::Result<()> {
        let Failed { load, reason } = failed;
        self.say(
            json!({
                "event": "command", "plugin": load.plugin, "generation": load.generation, "reason": reason,
            }),
            format!(
                "{}: the command of `--on-load` failed for generation {}: {reason}",
                load.plugin, load.generation
            ),
        )
    }

    /// Shows the status line, on a terminal only.
    pub(crate) fn status(
        &self,
        live: Option<(u64, Digest)>,
        age: Duration,
        polls: u64,
    ) -> io::Result<()> {
        let live = live.map_or("nothing loaded yet".to_owned(), |(generation, digest)| {
            format!(
                "generation {generation} | {} | for {} s",
                digest.short(),
                age.as_secs()
            )
        });
        self.status_line(&format!("{live} | {polls} polls"))
    }

    /// Shows a status line, on a terminal only.
    pub(crate) fn status_line(&self, status: &str) -> io::Result<()> {
        if self.style != Style::Terminal {
            return Ok(());
        }
        let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| width.0.into());
        // One column less than there are, so that no terminal wraps.
        let line: String = status.chars().take(width.saturating_sub(1)).collect();
        Stream::Out.write_all(format!("{CLEAR_LINE}{line}").as_bytes())
    }

    /// A path for people, without the directory that they are in.
    pub(crate) fn short<'p>(&self, path: &'p Path) -> Shown<'p> {
        let here = self.here.as_ref();
        let below = here.and_then(|here| path.strip_prefix(here).ok());
        shown(match below {
            Some(below) if below.as_os_str().is_empty() => Path::new("."),
            Some(below) => below,
            None => path,
        })
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

    /// Whether people see this on a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.style == Style::Terminal
    }

    /// Clears the screen, on a terminal only.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match self.style {
            Style::Terminal => Stream::Out.write_all(CLEAR_SCREEN.as_bytes()),
            Style::Json | Style::Plain => Ok(()),
        }
    }

    /// Tells a person something that is nothing to a program.
    pub(crate) fn tell(&self, words: &str) -> io::Result<()> {
        match self.style {
            Style::Json => Ok(()),
            Style::Plain => write_line(words),
            Style::Terminal => write_line(&format!("{CLEAR_LINE}{words}")),
        }
    }

    /// Tells a program something that is nothing to a person, or was told to that one in another way.
    #[cfg(feature = "fleet")]
    pub(crate) fn only_json(&self, line: Value) -> io::Result<()> {
        match self.style {
            Style::Json => self.write_json(line),
            Style::Plain | Style::Terminal => Ok(()),
        }
    }

    /// Says one thing: a line of JSON, or words for people.
    pub(crate) fn say(&self, json: Value, words: String) -> io::Result<()> {
        match self.style {
            Style::Json => self.write_json(json),
            Style::Plain => write_line(&words),
            Style::Terminal => write_line(&format!("{CLEAR_LINE}{words}")),
        }
    }

    fn write_json(&self, mut line: Value) -> io::Result<()> {
        if let Some(fields) = line.as_object_mut() {
            // The time goes behind the event, where a reader looks for it.
            fields.shift_insert(1, "t_ms".to_owned(), millis(self.started.elapsed()).into());
        }
        write_line(&in_ascii_where_hidden(&line.to_string()))
    }
}

/// A path as JSON has it: absolute, if the working directory is known.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Writes a line in one piece.
fn write_line(line: &str) -> io::Result<()> {
    Stream::Out.write_all(format!("{line}\n").as_bytes())
}

/// A JSON line in which no character moves what is printed beside it: JSON itself spells only some of them out. Such
/// characters are within its strings only.
fn in_ascii_where_hidden(line: &str) -> String {
    let mut spelled = String::with_capacity(line.len());
    for character in line.chars() {
        match is_hidden(character) {
            false => spelled.push(character),
            true => {
                let units = character.encode_utf16(&mut [0; 2]).to_vec();
                spelled.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    spelled
}

/// Whether the gate is asked in a place, and why, for people.
fn why_gate(chosen: GatePolicy, place: &Place) -> (&'static str, &'static str) {
    match (chosen, place.gate) {
        (GatePolicy::Off, _) => ("off", "switched off"),
        (_, GatePolicy::Off) => ("off", "asking for a lock on this filesystem can hang"),
        _ => place.why_gate(),
    }
}

/// Adds the fields of one JSON object to another.
fn extend(line: &mut Value, fields: Value) {
    if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
        line.extend(fields);
    }
}

/// The word for a plugin with an interface, of which nothing is called.
fn uncalled(declared: &Declared) -> String {
    let (interface, level) = (declared.interface(), declared.level());
    format!(
        "it implements `{}` ({level}), of which nothing is called here",
        shown(interface)
    )
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
