//! What is live of each library, in the words of its signature: nothing older takes its place unless somebody asks for that. Touches
//! nothing but memory.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use replug_plugin::HookError;

/// A signature that was found to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    /// All of it.
    pub(crate) text: String,
    /// What it says of the build: the trusted comment.
    pub(crate) comment: String,
}

/// The trusted comments of what is live, by library. Owners write them down, and the worker reads them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standings(Arc<Mutex<HashMap<PathBuf, String>>>);

impl Standings {
    /// What the signature of the live build says, if one is live that was signed.
    pub(crate) fn of(&self, artifact: &Path) -> Option<String> {
        self.all().get(artifact).cloned()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<PathBuf, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a build that is ready says that it is, for the owner who makes it live.
#[derive(Clone, Default)]
pub(crate) struct Claim {
    comment: Option<String>,
    /// Whether somebody has asked for just this build, whatever is live.
    is_asked_for: bool,
    standings: Standings,
}

impl Claim {
    pub(crate) fn new(comment: Option<String>, is_asked_for: bool, standings: &Standings) -> Claim {
        Claim {
            comment,
            is_asked_for,
            standings: standings.clone(),
        }
    }

    /// Checks once more that the build is not older than what is live by now: what was live when the worker looked may have been
    /// the one before.
    pub(crate) fn check(&self, artifact: &Path) -> Result<(), HookError> {
        let live = self.standings.of(artifact).filter(|_| !self.is_asked_for);
        follows(live.as_deref(), self.comment.as_deref())
    }

    /// The build is live.
    pub(crate) fn stands(&self, artifact: &Path) {
        if let Some(comment) = &self.comment {
            let mut all = self.standings.all();
            all.insert(artifact.to_owned(), comment.clone());
        }
    }

    /// The build was live, and nothing has taken its place.
    pub(crate) fn falls(&self, artifact: &Path) {
        if self.comment.is_some() {
            self.standings.all().remove(artifact);
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("comment", &self.comment)
            .field("is_asked_for", &self.is_asked_for)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "signatures")]
pub(crate) use self::versions::follows;

/// Without signatures no build says what it is.
#[cfg(not(feature = "signatures"))]
pub(crate) fn follows(_live: Option<&str>, _new: Option<&str>) -> Result<(), HookError> {
    Ok(())
}

#[cfg(feature = "signatures")]
mod versions {
    use replug_plugin::HookError;
    use replug_plugin::shown::shown;
    use semver::Version;

    /// The way out of a refusal.
    const WAY_OUT: &str = "if it is wanted all the same, go back with `replug back`, sign it anew, or allow downgrades \
                           (`Options::allow_downgrade`, `--allow-downgrade`)";

    /// The name and the version that a trusted comment begins with, if it does.
    fn named(comment: &str) -> Option<(&str, Version)> {
        let mut words = comment.split_whitespace();
        let (name, version) = (words.next()?, words.next()?);
        let version = version.strip_prefix('v').unwrap_or(version);
        Some((name, Version::parse(version).ok()?))
    }

    /// Checks that a build may take the place of the live one, by what their signatures say of them. Where the live one has no
    /// version, there is nothing to be compared.
    pub(crate) fn follows(live: Option<&str>, new: Option<&str>) -> Result<(), HookError> {
        let Some((live_comment, (live_name, live_version))) =
            live.and_then(|live| Some((live, named(live)?)))
        else {
            return Ok(());
        };
        let new = new.unwrap_or_default();
        let why = match named(new) {
            None => {
                "which begins with no name and version as `NAME 1.2.3`, so nobody knows whether it is older"
            }
            Some((name, _)) if name != live_name => "which is another name",
            // What is behind a plus sign is no order.
            Some((_, version)) if version.cmp_precedence(&live_version).is_lt() => "which is older",
            Some(_) => return Ok(()),
        };
        Err(format!(
            "its signature says `{}`, {why}, and that of the live build says `{}`; {WAY_OUT}",
            shown(new),
            shown(live_comment)
        )
        .into())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_what_has_the_name_and_no_lower_version_takes_the_place_of_what_has_both() {
            const FINE: &str = "";
            for (live, new, expected) in [
                (None, Some("rules 1.0.0"), FINE),
                (None, None, FINE),
                (Some("librules.so"), Some("librules.so"), FINE),
                (Some("librules.so"), Some("rules 1.0.0"), FINE),
                (Some("rules next"), None, FINE),
                (Some("rules 1.4.2"), Some("rules 1.4.2"), FINE),
                (Some("rules 1.4.2"), Some("rules v1.4.3 by ada"), FINE),
                (Some("rules 1.9.0"), Some("rules 1.10.0"), FINE),
                (Some("rules 2.0.0-rc.1"), Some("rules 2.0.0"), FINE),
                (Some("rules 1.4.2+b"), Some("rules 1.4.2+a"), FINE),
                (
                    Some("rules 1.10.0"),
                    Some("rules 1.9.0"),
                    "`rules 1.9.0`, which is older, and that of the live build says `rules 1.10.0`; ",
                ),
                (Some("rules 2.0.0"), Some("rules 2.0.0-rc.1"), "older"),
                (Some("rules 1.0.0"), Some("prices 2.0.0"), "another name"),
                (
                    Some("rules 1.0.0"),
                    Some("librules.so"),
                    "no name and version",
                ),
                (
                    Some("rules 1.0.0"),
                    Some("rules 2.0"),
                    "no name and version",
                ),
                (Some("rules 1.0.0"), None, "no name and version"),
            ] {
                let said = follows(live, new)
                    .err()
                    .map_or_else(String::new, |it| it.to_string());
                let is_as_expected = match expected {
                    FINE => said.is_empty(),
                    words => said.contains(words) && said.ends_with(WAY_OUT),
                };
                assert!(is_as_expected, "{live:?} then {new:?}: {said}");
            }
        }

        #[test]
        fn foreign_words_move_nothing() {
            let said = follows(Some("rules 1.0.0"), Some("a\u{1b}[2Jb")).unwrap_err();
            assert!(said.to_string().contains(r"`a\x1b[2Jb`"), "{said}");
        }
    }
}
