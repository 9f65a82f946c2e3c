//! Acceptance: whether a signed manifest is followed, by what was followed before. Pure.
//!
//! No clock has a say in it. A manifest with a lower number is a replay, whoever signed it.

use replug::Digest;

use super::manifest::Manifest;
use super::refused::Refused;

/// The highest that was seen of a fleet, which is kept over restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) fleet: String,
    pub(crate) sequence: u64,
    /// The digest of the manifest's text.
    pub(crate) text: Digest,
}

impl Seen {
    /// What is to be remembered of a manifest.
    pub(crate) fn of(manifest: &Manifest) -> Seen {
        Seen {
            fleet: manifest.fleet.clone(),
            sequence: manifest.sequence,
            text: Digest::of(manifest.text().as_bytes()),
        }
    }
}

/// Whether a manifest, whose signature is good, is followed. `fleet` is the one that a person named.
pub(crate) fn accept(
    manifest: &Manifest,
    fleet: Option<&str>,
    seen: Option<&Seen>,
) -> Result<(), Refused> {
    let ours = seen.map(|it| it.fleet.as_str());
    for ours in [fleet, ours].into_iter().flatten() {
        if manifest.fleet != ours {
            return Err(Refused::Foreign {
                theirs: manifest.fleet.clone(),
                ours: ours.to_owned(),
            });
        }
    }
    let Some(seen) = seen else { return Ok(()) };
    if manifest.sequence < seen.sequence {
        return Err(Refused::Older {
            sequence: manifest.sequence,
            seen: seen.sequence,
        });
    }
    match manifest.sequence == seen.sequence && Seen::of(manifest).text != seen.text {
        true => Err(Refused::Twice(manifest.sequence)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(fleet: &str, sequence: u64) -> Manifest {
        let mut manifest = Manifest::first(fleet, "librules.so");
        manifest.sequence = sequence;
        manifest
    }

    #[test]
    fn only_what_is_newer_and_of_this_fleet_is_followed() {
        let seen = Seen::of(&manifest("rules", 5));
        let mut other = manifest("rules", 5);
        other.decided.by = "eve".to_owned();
        for (manifest, fleet, seen, word) in [
            (manifest("rules", 5), None, None, None),
            (manifest("rules", 5), None, Some(&seen), None),
            (manifest("rules", 6), None, Some(&seen), None),
            (manifest("rules", 900), Some("rules"), Some(&seen), None),
            (manifest("rules", 4), None, Some(&seen), Some("older")),
            (other, None, Some(&seen), Some("twice")),
            (manifest("other", 6), None, Some(&seen), Some("foreign")),
            (manifest("other", 6), Some("rules"), None, Some("foreign")),
            (
                manifest("rules", 6),
                Some("other"),
                Some(&seen),
                Some("foreign"),
            ),
        ] {
            let refused = accept(&manifest, fleet, seen).err();
            let found = refused.as_ref().map(Refused::word);
            assert_eq!(found, word, "{manifest:?}, {fleet:?}");
        }
    }
}
