//! What lies at the path: a library, or a directory of libraries, as a host would judge each. Nothing of it runs.

use std::collections::BTreeSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use replug::error::Distrust;
use replug::inspect::inspect;
use replug::shown::shown;
use replug::watch::{Files as _, Kind, OsFiles, Writers};
use replug::{Options, Warning, chain};

use super::attended::Teller;
use super::finding::{Said, page};

/// The most libraries of a directory that are looked at, each of which is read.
const MOST: usize = 32;

/// What was found wrong with rights, each flaw once.
#[derive(Default)]
pub(super) struct Rights {
    flaws: BTreeSet<String>,
    is_judged: bool,
}

impl Rights {
    /// Takes down what was judged of a file and the way to it.
    fn judged(&mut self, distrust: Option<&Distrust>, teller: &Teller) {
        self.is_judged = true;
        let flaws = distrust.map_or(&[][..], |it| &it.flaws);
        for clause in flaws.iter().map(ToString::to_string) {
            if self.flaws.insert(clause.clone()) {
                teller.says(Said::of_clause("trust", &clause, page::JUDGED));
            }
        }
    }

    /// Judges the way to a file, whatever is in it.
    pub(super) fn judge(&mut self, file: &Path, teller: &Teller) {
        match inspect(&Options::new(file)) {
            Ok(seen) => self.judged(distrust_in(&seen.warnings), teller),
            Err(error) => tracing::debug!(%error, "the rights on the way are not known"),
        }
    }

    /// Says that nothing is wrong, or that nothing was judged.
    pub(super) fn end(self, teller: &Teller) {
        match (self.is_judged, self.flaws.is_empty()) {
            (true, false) => {}
            (true, true) if cfg!(unix) => teller.says(Said::ok(
                "trust",
                "nobody but this user and root can change what is loaded from here",
                page::JUDGED,
            )),
            _ => teller.says(Said::note(
                "trust",
                "who can change what is loaded from here is not known",
                Some("keep libraries where only their builder can write"),
                page::JUDGED,
            )),
        }
    }
}

fn distrust_in(warnings: &[Warning]) -> Option<&Distrust> {
    warnings.iter().find_map(|warning| match warning {
        Warning::Trust(distrust) => Some(distrust),
        _ => None,
    })
}

/// Looks at the library, or at those of the directory. Returns the first of which the system does not tell this user
/// who writes to it.
pub(super) fn examine(
    path: &Path,
    kind: Kind,
    rights: &mut Rights,
    teller: &Teller,
) -> Option<PathBuf> {
    let found = match kind {
        Kind::Directory => libraries_in(path),
        _ => Ok(vec![path.to_owned()]),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            teller.says(unlisted(path, &error));
            return None;
        }
    };
    if found.len() > MOST {
        let words = format!(
            "only the first {MOST} of {} libraries are looked at",
            found.len()
        );
        let remedy = Some("name one of the others to look at it");
        teller.says(Said::note("library", words, remedy, page::DOCTOR));
    }
    for library in found.iter().take(MOST) {
        teller.begins("read a library");
        examine_one(library, rights, teller);
    }
    found.into_iter().find(|library| is_untold(library))
}

/// Whether the system does not tell this user who writes to a library. To tell is for its owner, and for root.
fn is_untold(library: &Path) -> bool {
    let is_file = OsFiles.look(library).is_ok_and(|it| it.kind == Kind::File);
    let open = is_file.then(|| OsFiles.open(library));
    open.is_some_and(|it| it.is_ok_and(|open| OsFiles.writers(&open) == Writers::Unknown))
}

fn unlisted(path: &Path, error: &io::Error) -> Said {
    let words = format!("cannot list `{}`: {error}", shown(path));
    let remedy = "let this user read the directory";
    Said::finding("library", words, remedy, page::ERRORS)
}

/// The files of a directory that are named as libraries are.
fn libraries_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let is_wanted = |name: &OsStr, kind: Kind| {
        let name = name.as_encoded_bytes();
        kind != Kind::Directory
            && name.starts_with(DLL_PREFIX.as_bytes())
            && name.ends_with(DLL_SUFFIX.as_bytes())
    };
    Ok(OsFiles.list(directory, 1, &is_wanted)?.files)
}

fn examine_one(library: &Path, rights: &mut Rights, teller: &Teller) {
    let seen = match inspect(&Options::new(library)) {
        Ok(seen) => seen,
        Err(error) => return teller.says(refused(&chain(&error))),
    };
    rights.judged(distrust_in(&seen.warnings), teller);
    let name = shown(library);
    let others = || {
        seen.warnings
            .iter()
            .filter(|it| !matches!(it, Warning::Trust(_)))
    };
    for warning in others() {
        let clause = format!("of `{name}`: {warning}");
        teller.says(Said::of_clause(warning.about(), &clause, page::WARNINGS));
    }
    match &seen.verdict {
        Err(error) => teller.says(refused(&chain(error))),
        Ok(()) if others().next().is_none() => {
            let words = format!("`{name}` would be loaded");
            teller.says(Said::ok("library", words, page::INSPECT));
        }
        Ok(()) => {}
    }
}

/// The finding that a library would be kept out. Many reasons end with what to do.
fn refused(why: &str) -> Said {
    let said = Said::of_clause(
        "library",
        &format!("it would be kept out: {why}"),
        page::LIBRARIES,
    );
    let remedy = said.remedy.unwrap_or_else(|| {
        "build it anew, for this machine, and bring it there whole; `replug inspect` says more of it".to_owned()
    });
    Said {
        remedy: Some(remedy),
        ..said
    }
}
