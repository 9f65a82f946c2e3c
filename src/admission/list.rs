//! The list of builds that may run: SHA-256 digests, a line each. Pure.

use std::io;
use std::path::Path;
use std::str::FromStr as _;

use replug_plugin::HookError;
use replug_plugin::shown::shown;

use crate::look::digest::Digest;

/// Reads a small text that somebody may have put there, and waits for nobody.
pub(crate) type Texts<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Checks that a digest stands in the list at this path.
pub(super) fn check(list: &Path, digest: Digest, texts: Texts<'_>) -> Result<(), HookError> {
    let unread = |error| format!("cannot read the list `{}`: {error}", shown(list));
    let text = texts(list).map_err(unread)?;
    let unlisted = |unlisted| format!("{unlisted} `{}`", shown(list));
    Ok(find(&text, digest).map_err(unlisted)?)
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
