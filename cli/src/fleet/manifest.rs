//! `Manifest`: which build is for which part of a fleet's hosts, as one small text. Pure.

use replug::Digest;
use replug::shown::shown;
use serde::{Deserialize, Serialize};

use super::refused::Refused;
use super::waves::Wave;

/// The form of a manifest that this program writes, and the only one that it reads.
const FORMAT: u32 = 1;

/// The most characters of a name that becomes part of an object's name: a file's has 255 bytes, and something stands behind.
const LONGEST_NAME: usize = 64;

/// The most bytes of a manifest with its signature: ten times of what any has, and nothing to a mirror.
pub(crate) const MOST: u64 = 64 * 1024;

/// The word of whoever steers a fleet on what its hosts are to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    /// The fleet that this is for.
    pub(crate) fleet: String,
    /// The number of this decision, from 1: of two manifests the newer has the higher one.
    pub(crate) sequence: u64,
    /// The name of the library's file.
    pub(crate) name: String,
    /// The build for all hosts that no wave has reached; none before the first rollout has come to its end.
    pub(crate) stable: Option<Build>,
    /// The stable build before that one, to which `back` leads when no rollout is under way.
    pub(crate) before: Option<Build>,
    /// The last rollout, under way or at its end.
    pub(crate) rollout: Option<Rollout>,
    /// Who decided this, and why.
    pub(crate) decided: Decided,
}

/// A build, as an object in the storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Build {
    #[serde(with = "hex")]
    pub(crate) sha256: Digest,
    /// Its length in bytes. More than these are never taken.
    pub(crate) size: u64,
    /// Whether it has a signature beside it, which is published with it.
    pub(crate) signed: bool,
}

/// A build on its way through the waves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollout {
    /// The name by which hosts are dealt out to waves: another rollout begins with other hosts.
    pub(crate) id: String,
    /// The sequence number with which it began: what a mirror says of an earlier one is no word on this.
    pub(crate) began: u64,
    pub(crate) build: Build,
    pub(crate) waves: Vec<Wave>,
    /// The wave that is open, from 0; those before it are open, too.
    pub(crate) open: usize,
    /// How long the build must have been live on each host of the waves that are open, in seconds.
    pub(crate) bake_s: u64,
    pub(crate) state: State,
}

/// What has become of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It goes on when its wave is well.
    Going,
    /// It goes on when a person says so.
    Held,
    /// It has gone back: nobody is to have its build.
    Back,
    /// Its build is the stable one.
    Done,
}

/// A decision, and who made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decided {
    pub(crate) by: String,
    /// The step in a word: `start`, `next`, `done`, `hold`, `promote`, `back`.
    pub(crate) what: String,
    pub(crate) why: Option<String>,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            State::Going => "going",
            State::Held => "held",
            State::Back => "back",
            State::Done => "done",
        }
    }
}

impl Rollout {
    /// Whether hosts of the open waves are to have the build.
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self.state, State::Going | State::Held)
    }

    /// Whether a host is in a wave that is open.
    pub(crate) fn reaches(&self, host: &str) -> bool {
        self.waves
            .get(self.open)
            .is_some_and(|wave| wave.has(&self.id, host))
    }

    /// Whether the wave that is open is the last.
    pub(crate) fn is_at_last_wave(&self) -> bool {
        self.open + 1 >= self.waves.len()
    }
}

impl Manifest {
    /// The first manifest of a fleet, before anything is decided.
    pub(crate) fn first(fleet: &str, name: &str) -> Manifest {
        Manifest {
            format: FORMAT,
            fleet: fleet.to_owned(),
            sequence: 0,
            name: name.to_owned(),
            stable: None,
            before: None,
            rollout: None,
            decided: Decided {
                by: String::new(),
                what: String::new(),
                why: None,
            },
        }
    }

    /// The build that a host is to have; `None` if none is for it yet.
    pub(crate) fn wanted(&self, host: &str) -> Option<&Build> {
        match &self.rollout {
            Some(rollout) if rollout.is_under_way() && rollout.reaches(host) => {
                Some(&rollout.build)
            }
            _ => self.stable.as_ref(),
        }
    }

    /// Each build that a host may need without another manifest: its own, and the one to which it would go back.
    pub(crate) fn builds(&self) -> impl Iterator<Item = &Build> {
        let under_way = self.rollout.as_ref().filter(|it| it.is_under_way());
        let builds = [self.stable.as_ref(), under_way.map(|it| &it.build)];
        builds.into_iter().flatten()
    }

    /// Reads a manifest, whose signature was verified.
    pub(crate) fn parse(text: &str) -> Result<Manifest, Refused> {
        let manifest: Manifest =
            serde_json::from_str(text).map_err(|error| Refused::NoManifest(error.to_string()))?;
        match manifest.flaw() {
            None => Ok(manifest),
            Some(flaw) => Err(Refused::NoManifest(flaw)),
        }
    }

    /// What makes no sense in a manifest.
    fn flaw(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!(
                "it has the form {}, and this program knows form {FORMAT}",
                self.format
            ));
        }
        if self.sequence == 0 {
            return Some("its sequence number is 0".to_owned());
        }
        let names = [is_name(&self.fleet), is_library(&self.name)];
        if let Some(Err(flaw)) = names.into_iter().find(Result::is_err) {
            return Some(flaw);
        }
        let rollout = self.rollout.as_ref()?;
        let is_ascending = rollout.waves.is_sorted_by_key(|it| it.up_to);
        match rollout.open < rollout.waves.len() && is_ascending {
            true => None,
            false => Some("its waves do not follow on each other".to_owned()),
        }
    }

    /// The manifest as text.
    pub(crate) fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("texts and numbers are JSON") + "\n"
    }
}

/// Whether a text can be the name of a host or a fleet: it becomes part of the names of objects and files.
pub(crate) fn is_name(name: &str) -> Result<(), String> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    match !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.chars().all(fits)
        && !name.starts_with(['.', '-'])
    {
        true => Ok(()),
        false => Err(format!(
            "`{}` is no name: that is up to {LONGEST_NAME} letters of ASCII, digits and `._-`, and begins with a letter or a digit",
            shown(name)
        )),
    }
}

/// Whether a text can be the name of a library's file that a watcher of a directory takes up.
pub(crate) fn is_library(name: &str) -> Result<(), String> {
    is_name(name)?;
    let endings = [".so", ".dylib", ".dll"];
    match endings
        .iter()
        .any(|it| name.ends_with(it) || name.contains(".so."))
    {
        true => Ok(()),
        false => Err(format!(
            "`{}` is not named as a library is: `libx.so`, `libx.dylib`, `x.dll`",
            shown(name)
        )),
    }
}

/// Digests as 64 hexadecimal digits.
pub(crate) mod hex {
    use replug::Digest;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        digest: &Digest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Digests that there may be.
pub(crate) mod maybe_hex {
    use replug::Digest;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.collect_str(digest),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let digest = text.map(|text| text.parse().map_err(serde::de::Error::custom));
        digest.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let build = |bytes: &[u8]| Build {
            sha256: Digest::of(bytes),
            size: 7,
            signed: false,
        };
        let mut manifest = Manifest::first("rules", "librules.so");
        manifest.sequence = 3;
        manifest.stable = Some(build(b"stable"));
        manifest.rollout = Some(Rollout {
            id: "r3".to_owned(),
            began: 3,
            build: build(b"new"),
            waves: vec![Wave {
                share: "100%".to_owned(),
                up_to: super::super::waves::LAST,
            }],
            open: 0,
            bake_s: 1,
            state: State::Going,
        });
        manifest
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        assert_eq!(Manifest::parse(&manifest().text()).unwrap(), manifest());
    }

    #[test]
    fn the_state_says_who_is_to_have_the_build() {
        let mut manifest = manifest();
        for (state, wanted) in [
            (State::Going, "new"),
            (State::Held, "new"),
            (State::Back, "stable"),
            (State::Done, "stable"),
        ] {
            manifest.rollout.as_mut().unwrap().state = state;
            let build = manifest.wanted("h1").unwrap();
            assert_eq!(build.sha256, Digest::of(wanted.as_bytes()), "{state:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_no_manifest() {
        let text = manifest().text();
        for (from, to, words) in [
            ("\"format\": 1", "\"format\": 2", "it has the form 2"),
            (
                "\"sequence\": 3",
                "\"sequence\": 0",
                "its sequence number is 0",
            ),
            ("\"sequence\": 3", "\"sequence\": -3", "invalid value"),
            ("librules.so", "../librules.so", "is no name"),
            ("librules.so", ".librules.so", "is no name"),
            ("librules.so", "librules.txt", "is not named as a library"),
            ("\"rules\"", "\"ru/les\"", "is no name"),
            ("\"rules\"", "\"\"", "is no name"),
            ("\"open\": 0", "\"open\": 1", "waves do not follow"),
            ("\"fleet\"", "\"flat\"", "unknown field"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            let refused = Manifest::parse(&changed).unwrap_err();
            assert_eq!(refused.word(), "no-manifest");
            assert!(refused.to_string().contains(words), "{refused}");
        }
    }
}
