//! Admission: who may run, as a person says. A check is asked about each build, once all else is known to be right with it.

use std::fmt;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{self, Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;

use replug_plugin::HookError;
use replug_plugin::shown::shown;

use crate::look::digest::Digest;

/// A build that asks to run: a plugin, or a library that a plugin brings along.
#[derive(Debug)]
pub struct Applicant<'a> {
    path: &'a Path,
    digest: Digest,
}

impl<'a> Applicant<'a> {
    pub(crate) fn new(path: &'a Path, digest: Digest) -> Applicant<'a> {
        Applicant { path, digest }
    }

    /// The path of the library.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// The SHA-256 of exactly the bytes that would run.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// A check of a person's own.
type Check = dyn Fn(&Applicant<'_>) -> Result<(), HookError> + Send + Sync;

/// The checks that an applicant must pass, all of them.
#[derive(Clone, Default)]
pub(crate) struct Checks(Vec<Arc<Check>>);

impl Checks {
    pub(crate) fn add(
        &mut self,
        check: impl Fn(&Applicant<'_>) -> Result<(), HookError> + Send + Sync + 'static,
    ) {
        self.0.push(Arc::new(check));
    }

    /// Adds the check that the digest stands in a file.
    pub(crate) fn add_list(&mut self, list: PathBuf) {
        // A plugin that changes the working directory must not lead to another list.
        let list = path::absolute(&list).unwrap_or(list);
        self.add(move |applicant| {
            let unread = |error| format!("cannot read the list `{}`: {error}", shown(&list));
            let text = fs::read_to_string(&list).map_err(unread)?;
            let unlisted = |unlisted| format!("{unlisted} `{}`", shown(&list));
            Ok(find(&text, applicant.digest()).map_err(unlisted)?)
        });
    }

    /// Asks each check. One that panics refuses, and the watch goes on.
    pub(crate) fn ask(&self, applicant: &Applicant<'_>) -> Result<(), HookError> {
        self.0.iter().try_for_each(|check| {
            let asked = panic::catch_unwind(AssertUnwindSafe(|| check(applicant)));
            asked.unwrap_or_else(|_| Err("the check panicked".into()))
        })
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} checks", self.0.len())
    }
}

/// The reason why a list does not say whether a build may run, or says that it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Unlisted {
    #[error("{0} is not in the list")]
    Absent(Digest),
    #[error("line {0} begins with no SHA-256, as `sha256sum` writes it, in the list")]
    Line(usize),
}

/// Finds a digest in a list as `sha256sum` writes it: whatever follows a digest is for people. Empty lines and those that
/// begin with `#` say nothing. One line that cannot be read makes the whole list doubtful, so nothing is found in it.
fn find(list: &str, digest: Digest) -> Result<(), Unlisted> {
    let mut is_found = false;
    for (at, line) in list.lines().enumerate() {
        let word = line.split_whitespace().next().unwrap_or("#");
        if word.starts_with('#') {
            continue;
        }
        // `sha256sum` begins a line with a backslash if a name in it is written with some.
        let word = word.strip_prefix('\\').unwrap_or(word);
        let listed = Digest::from_str(word).map_err(|_| Unlisted::Line(at + 1))?;
        is_found |= listed == digest;
    }
    match is_found {
        true => Ok(()),
        false => Err(Unlisted::Absent(digest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_in_a_list_as_sha256sum_writes_it_and_in_none_that_cannot_be_read() {
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let absent = Err(Unlisted::Absent(one));
        for (list, expected) in [
            (format!("{one}  librules.so\n"), Ok(())),
            (
                format!("# good ones\n\n{other} *a\n\\{one}  b\\\\c\n"),
                Ok(()),
            ),
            (format!("  {}", one.to_string().to_uppercase()), Ok(())),
            (format!("{other}  a\n#{one}  b\n"), absent.clone()),
            (String::new(), absent),
            (format!("{one}  a\n{one}0  b\n"), Err(Unlisted::Line(2))),
            (format!("{}  a", one.short()), Err(Unlisted::Line(1))),
        ] {
            assert_eq!(find(&list, one), expected, "{list}");
        }
    }
}
