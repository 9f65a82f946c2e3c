//! Outcomes as lines for programs: the JSON of the program `replug`, whatever format a host writes them in. Here is the one
//! place that says which fields a line has; `docs/cli.md` lists them. Only with the feature `serde`.

use std::path::Path;
use std::time::Duration;

use replug_plugin::shown::spelled;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::outcome::{Kept, Loaded, Outcome, Retired};
use crate::boundary::Mapped;
use crate::decide::change::Waiting;
use crate::look::digest::Digest;
use crate::look::naming::plugin_name;
use crate::look::place::Place;
use crate::warning::Warning;

/// An outcome with the artifact that it is about: all that the program `replug` writes on a line, but for the time.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    outcome: &'a Outcome,
    /// The artifact, unless it goes without saying.
    artifact: Option<&'a Path>,
}

impl Outcome {
    /// The line that the program writes for this outcome of `artifact`, to be serialised. An outcome that is serialised by
    /// itself has the same fields without `plugin` and `path`, for a host of one plugin.
    ///
    /// A generation whose place was taken has a line of its own, `Outcome::Retired(retired.clone()).line(artifact)` for the
    /// [`Loaded::retired`] of the new one.
    pub fn line<'a>(&'a self, artifact: &'a Path) -> Line<'a> {
        Line {
            outcome: self,
            artifact: Some(artifact),
        }
    }

    /// The line's word for what happened, and whether its fields have the path.
    fn event(&self) -> (&'static str, bool) {
        match self {
            Outcome::Loaded(_) => ("loaded", true),
            Outcome::Kept(_) => ("kept", false),
            Outcome::Waiting(_) => ("waiting", false),
            Outcome::Trying(_) => ("trying", false),
            Outcome::Unchanged(_) => ("unchanged", false),
            Outcome::Missing => ("missing", true),
            Outcome::Returned => ("returned", true),
            Outcome::Degraded(_) => ("degraded", true),
            Outcome::Stalled(_) => ("stalled", true),
            Outcome::Recovered => ("recovered", true),
            Outcome::Placed(_) => ("placed", true),
            Outcome::Warned(_) => ("warning", true),
            Outcome::Retired(_) => ("retired", false),
        }
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object(serializer, |map| {
            let (event, has_path) = self.outcome.event();
            map.serialize_entry("event", event)?;
            // A place is that of a watch, and not of a plugin.
            let has_plugin = !matches!(self.outcome, Outcome::Placed(_));
            if let Some(artifact) = self.artifact.filter(|_| has_plugin) {
                map.serialize_entry("plugin", &plugin_name(artifact))?;
            }
            if let Some(artifact) = self.artifact.filter(|_| has_path) {
                map.serialize_entry("path", &spelled(artifact))?;
            }
            match self.outcome {
                Outcome::Loaded(loaded) => loaded.write(map),
                Outcome::Kept(kept) => kept.write(map),
                Outcome::Waiting(reason) => reason.write(map),
                Outcome::Trying(digest) | Outcome::Unchanged(digest) => {
                    map.serialize_entry("sha256", digest)
                }
                Outcome::Missing | Outcome::Returned => Ok(()),
                Outcome::Degraded(_) | Outcome::Stalled(_) | Outcome::Recovered => {
                    map.serialize_entry("reason", &self.outcome.reason())
                }
                Outcome::Placed(place) => place.write(map),
                Outcome::Warned(warning) => warning.write(map),
                Outcome::Retired(retired) => retired.write(map),
            }
        })
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = Line {
            outcome: self,
            artifact: None,
        };
        line.serialize(serializer)
    }
}

impl Serialize for Digest {
    /// 64 hexadecimal digits.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The part of an outcome that has fields of its own.
trait Fields {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

/// An object of what `write` writes. How many fields there are shows only then.
fn object<S: Serializer>(
    serializer: S,
    write: impl FnOnce(&mut S::SerializeMap) -> Result<(), S::Error>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    write(&mut map)?;
    map.end()
}

/// Makes each part of an outcome an object of its own fields.
macro_rules! serialize_by_its_fields {
    ($($part:ty),+) => {
        $(impl Serialize for $part {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                object(serializer, |map| self.write(map))
            }
        })+
    };
}

serialize_by_its_fields!(Loaded, Kept, Retired, Waiting, Warning, Place);

impl Fields for Loaded {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("generation", &self.generation)?;
        map.serialize_entry("sha256", &self.digest)?;
        map.serialize_entry("staged", &spelled(&self.staged))?;
        map.serialize_entry("latency_ms", &millis(self.latency))?;
        map.serialize_entry("pause_us", &micros(self.pause))
    }
}

impl Fields for Kept {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("generation", &self.live)?;
        map.serialize_entry("sha256", &self.digest)?;
        map.serialize_entry("step", &self.error.step().to_string())?;
        map.serialize_entry("reason", &self.reason())
    }
}

impl Fields for Retired {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let mapped = self.mapped.as_ref();
        let gone = || "nothing can reach it any more".to_owned();
        map.serialize_entry("generation", &self.generation)?;
        map.serialize_entry("unloaded", &mapped.is_none())?;
        map.serialize_entry("reason", &mapped.map_or_else(gone, Mapped::to_string))
    }
}

impl Fields for Waiting {
    /// Who holds a build's lock, or has the file open, is a field if that is known.
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("reason", self.word())?;
        match self {
            Waiting::Gated(Some(holder)) => {
                let command = holder.subcommand.map(|word| format!("cargo {word}"));
                map.serialize_entry("pid", &holder.pid)?;
                map.serialize_entry("command", &command)
            }
            Waiting::Written(Some(process)) => map.serialize_entry("pid", process),
            _ => Ok(()),
        }
    }
}

impl Fields for Warning {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("about", self.about())?;
        map.serialize_entry("reason", &self.to_string())
    }
}

impl Fields for Place {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (gate, why) = self.why_gate();
        map.serialize_entry("filesystem", &self.filesystem)?;
        map.serialize_entry("locality", self.locality.word())?;
        map.serialize_entry("looks", &self.manner())?;
        map.serialize_entry("gate", gate)?;
        map.serialize_entry("why", why)?;
        match self.advice() {
            Some(advice) => map.serialize_entry("advice", advice),
            None => Ok(()),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::Error;
    use crate::look::files::{Filesystem, Locality};
    use crate::look::holder::Holder;
    use crate::options::{GatePolicy, Options};

    const ARTIFACT: &str = match cfg!(windows) {
        true => "/plugins/x.dll",
        false => "/plugins/libx.so",
    };

    /// The line of an outcome of [`ARTIFACT`].
    fn line(outcome: &Outcome) -> Value {
        serde_json::to_value(outcome.line(Path::new(ARTIFACT))).unwrap()
    }

    fn kept() -> Outcome {
        Outcome::Kept(Kept {
            live: Some(1),
            digest: None,
            error: Error::Vet {
                path: ARTIFACT.into(),
                source: crate::stage::vet::Refusal::Empty,
            },
        })
    }

    fn loaded() -> Outcome {
        Outcome::Loaded(Loaded {
            generation: 2,
            digest: Digest::of(b""),
            staged: "/tmp/replug-1/libx.so".into(),
            latency: Duration::from_micros(3999),
            pause: Duration::from_nanos(5999),
            retired: Some(retired(None)),
        })
    }

    fn retired(mapped: Option<Mapped>) -> Retired {
        Retired {
            generation: 1,
            mapped,
            stop: None,
        }
    }

    fn place() -> Place {
        let filesystem = Filesystem {
            locality: Locality::Local,
            ..Filesystem::unknown()
        };
        Place {
            gate: GatePolicy::Auto,
            ..Place::on(filesystem, &Options::new(ARTIFACT))
        }
    }

    #[test]
    fn each_outcome_has_the_fields_of_the_programs_line() {
        let of_empty = Digest::of(b"").to_string();
        let cases = [
            (
                loaded(),
                json!({
                    "event": "loaded", "plugin": "x", "path": ARTIFACT, "generation": 2, "sha256": of_empty,
                    "staged": "/tmp/replug-1/libx.so", "latency_ms": 3, "pause_us": 5,
                }),
            ),
            (
                Outcome::Waiting(Waiting::Missing),
                json!({ "event": "waiting", "plugin": "x", "reason": "missing" }),
            ),
            (
                Outcome::Waiting(Waiting::Gated(Some(Holder::new(7, Some(b"build"))))),
                json!({
                    "event": "waiting", "plugin": "x", "reason": "gated", "pid": 7, "command": "cargo build",
                }),
            ),
            (
                Outcome::Waiting(Waiting::Gated(Some(Holder::new(7, None)))),
                json!({ "event": "waiting", "plugin": "x", "reason": "gated", "pid": 7, "command": null }),
            ),
            (
                Outcome::Waiting(Waiting::Written(Some(8))),
                json!({ "event": "waiting", "plugin": "x", "reason": "written", "pid": 8 }),
            ),
            (
                Outcome::Trying(Digest::of(b"")),
                json!({ "event": "trying", "plugin": "x", "sha256": of_empty }),
            ),
            (
                Outcome::Unchanged(Digest::of(b"")),
                json!({ "event": "unchanged", "plugin": "x", "sha256": of_empty }),
            ),
            (
                Outcome::Missing,
                json!({ "event": "missing", "plugin": "x", "path": ARTIFACT }),
            ),
            (
                Outcome::Returned,
                json!({ "event": "returned", "plugin": "x", "path": ARTIFACT }),
            ),
            (
                Outcome::Recovered,
                json!({
                    "event": "recovered", "plugin": "x", "path": ARTIFACT,
                    "reason": "it can be looked at and read again",
                }),
            ),
            (
                Outcome::Retired(retired(None)),
                json!({
                    "event": "retired", "plugin": "x", "generation": 1, "unloaded": true,
                    "reason": "nothing can reach it any more",
                }),
            ),
            (
                Outcome::Retired(retired(Some(Mapped::Lent))),
                json!({
                    "event": "retired", "plugin": "x", "generation": 1, "unloaded": false,
                    "reason": Mapped::Lent.to_string(),
                }),
            ),
            (
                Outcome::Warned(Warning::NoName),
                json!({
                    "event": "warning", "plugin": "x", "path": ARTIFACT, "about": "no-name",
                    "reason": Warning::NoName.to_string(),
                }),
            ),
            (
                Outcome::Placed(place()),
                json!({
                    "event": "placed", "path": ARTIFACT, "filesystem": "unknown", "locality": "local",
                    "looks": "one look at each library per poll; the directory is listed when it changes",
                    "gate": "on", "why": "waits while a cargo build holds its lock",
                }),
            ),
        ];
        for (outcome, expected) in cases {
            assert_eq!(line(&outcome), expected);
        }
    }

    #[test]
    fn reasons_are_those_for_people() {
        let kept = kept();
        let reason = kept.reason().unwrap();
        let expected = json!({
            "event": "kept", "plugin": "x", "generation": 1, "sha256": null, "step": "vet", "reason": reason,
        });
        assert_eq!(line(&kept), expected);
        for (event, outcome) in [
            ("stalled", Outcome::Stalled(Duration::from_secs(3))),
            (
                "degraded",
                Outcome::Degraded(Error::MountLost {
                    path: ARTIFACT.into(),
                }),
            ),
        ] {
            let expected = json!({
                "event": event, "plugin": "x", "path": ARTIFACT, "reason": outcome.reason(),
            });
            assert_eq!(line(&outcome), expected);
        }
    }

    #[test]
    fn an_outcome_by_itself_has_the_fields_without_the_artifact() {
        for outcome in [loaded(), kept(), Outcome::Missing, Outcome::Placed(place())] {
            let mut with_artifact = line(&outcome);
            let fields = with_artifact.as_object_mut().unwrap();
            fields.remove("plugin");
            fields.remove("path");
            assert_eq!(serde_json::to_value(&outcome).unwrap(), with_artifact);
        }
    }

    #[test]
    fn a_part_of_an_outcome_is_an_object_of_its_fields() {
        let waiting = serde_json::to_value(Waiting::Settling).unwrap();
        assert_eq!(waiting, json!({ "reason": "settling" }));
        let retired = serde_json::to_value(retired(None)).unwrap();
        assert_eq!(retired["generation"], 1);
    }
}
