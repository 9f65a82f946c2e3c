//! The process that holds a lock of cargo's, and what it was told to do. Pure.

use std::fmt;

/// A process that holds one of cargo's locks exclusively.
///
/// Its `Display` names it in a sentence: `` `cargo build`, process 4711 ``.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Holder {
    /// Its number, by which this process can find it.
    pub pid: u32,
    /// The subcommand of cargo that it is, such as `build`; `None` for a word that cargo does not come with, which may be
    /// an alias for anything, and for whatever is not cargo.
    pub subcommand: Option<&'static str>,
}

/// The subcommands that hold the lock and surely build no library that a host could load: those that only check or
/// document. What they need of procedural macros and build scripts lies in `deps` and `build`.
///
/// `clippy` runs `cargo check`, and its own word is an alias where it holds the lock. `fmt`, `metadata` and `fetch` take
/// no lock there.
const CHECKS: [&str; 4] = ["check", "doc", "fix", "rustdoc"];

/// The other subcommands that come with cargo and hold the lock.
///
/// The short names, such as `c` for `check`, are in neither list: a configuration may give them another meaning, which
/// it cannot for those that are spelled out.
const BUILDS: [&str; 9] = [
    "bench", "build", "clean", "install", "package", "publish", "run", "rustc", "test",
];

impl Holder {
    /// The process of this number, if `word` is the subcommand that cargo runs in it.
    pub fn new(pid: u32, word: Option<&[u8]>) -> Holder {
        let known = CHECKS.into_iter().chain(BUILDS);
        let subcommand = word.and_then(|word| {
            let mut known = known;
            known.find(|known| known.as_bytes() == word)
        });
        Holder { pid, subcommand }
    }

    /// Whether it surely builds no library. In doubt it is a build.
    pub fn is_check(&self) -> bool {
        self.subcommand
            .is_some_and(|subcommand| CHECKS.contains(&subcommand))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subcommand) = self.subcommand {
            write!(f, "`cargo {subcommand}`, ")?;
        }
        write!(f, "process {}", self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_checks_or_documents_is_a_check() {
        for (word, is_check) in [
            ("check", true),
            ("doc", true),
            ("rustdoc", true),
            ("fix", true),
            ("build", false),
            ("test", false),
            ("rustc", false),
            // A configuration may have made these anything.
            ("c", false),
            ("d", false),
            ("clippy", false),
            ("lint", false),
            ("", false),
        ] {
            let holder = Holder::new(1, Some(word.as_bytes()));
            assert_eq!(holder.is_check(), is_check, "{word}");
        }
        assert!(!Holder::new(1, None).is_check());
    }

    #[test]
    fn a_holder_is_named_by_its_own_word_only_if_cargo_comes_with_that_word() {
        let name = |word: &[u8]| Holder::new(4711, Some(word)).to_string();
        assert_eq!(name(b"build"), "`cargo build`, process 4711");
        assert_eq!(name(b"\x1b[2J"), "process 4711");
    }
}
