//! Cargo's version, and what follows from it for its locks.

use std::process::{Command, Stdio};

use replug::shown::{shown, spelled_bytes};
use replug::watch::{Files as _, OsFiles};

use super::finding::{Said, page};
use crate::build::cargo;

/// The first version with a lock for artifacts alone.
const OWN_LOCK: (u32, u32) = (1, 96);

/// The words in which cargo tells its version.
pub(super) fn version() -> Option<String> {
    // Cargo would run with rights that its user may lack.
    if OsFiles.standing().has_more_rights {
        return None;
    }
    let mut command = Command::new(cargo());
    let command = command.arg("--version").stdin(Stdio::null());
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| spelled_bytes(&output.stdout).trim().to_owned())
}

/// What is to be said of this cargo.
pub(super) fn judge(version: Option<&str>) -> Said {
    let Some(version) = version else {
        return Said::note(
            "cargo",
            "there is no cargo here, so libraries come from elsewhere, and no lock of it tells when a build has ended",
            Some("bring libraries whole, by `replug publish` or `mv`"),
            page::LOCKS,
        );
    };
    let named = shown(version);
    match numbers(version) {
        Some(numbers) if numbers >= OWN_LOCK => Said::ok(
            "cargo",
            format!(
                "{named}: it holds `.cargo-artifact-lock` while it writes libraries; a check holds another lock"
            ),
            page::LOCKS,
        ),
        Some(_) => Said::ok(
            "cargo",
            format!(
                "{named}: it holds `.cargo-lock`, for a check as for a build; who holds it is asked, on Linux"
            ),
            page::LOCKS,
        ),
        None => Said::note(
            "cargo",
            format!(
                "`{named}` tells no version, so which lock it holds is not known; both are asked"
            ),
            None,
            page::LOCKS,
        ),
    }
}

/// The first two numbers of `cargo 1.95.0 (f2d3ce0bd 2026-03-21)`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let number = version.strip_prefix("cargo ")?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::*;

    #[test]
    fn the_lock_follows_from_the_version() {
        for (version, weight, telling) in [
            (
                Some("cargo 1.95.0 (f2d3ce0bd 2026-03-21)"),
                Weight::Ok,
                "`.cargo-lock`",
            ),
            (
                Some("cargo 1.97.0-nightly (a 2026-04-01)"),
                Weight::Ok,
                "`.cargo-artifact-lock`",
            ),
            (Some("cargo 2.0.0"), Weight::Ok, "`.cargo-artifact-lock`"),
            (Some("freight"), Weight::Note, "tells no version"),
            (None, Weight::Note, "no cargo"),
        ] {
            let said = judge(version);
            assert_eq!(said.weight, weight, "{version:?}");
            assert!(said.words.contains(telling), "{said:?}");
        }
    }
}
