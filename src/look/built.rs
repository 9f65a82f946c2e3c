//! Where cargo leaves the library of a package, seen from a program that cargo built too. Pure.

use std::env::consts::{ARCH, DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::look::naming::CARGO_MARK;

/// The directory in which cargo leaves what was built for one profile and one target: `target/debug`, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile(PathBuf);

/// The directories of a profile in which cargo runs programs from: tests, and examples.
const INNER: [&str; 2] = ["deps", "examples"];

/// The profile of a program whose own directory does not tell it.
pub(crate) const OWN_PROFILE: &str = if cfg!(debug_assertions) {
    "debug"
} else {
    "release"
};

impl Profile {
    /// The profile that a program at this path belongs to, if cargo built it.
    pub(crate) fn of_program(program: &Path) -> Option<Profile> {
        let directory = program.parent()?;
        let name = directory.file_name();
        let is_inner = name.is_some_and(|name| INNER.iter().any(|inner| name == *inner));
        let profile = match is_inner {
            true => directory.parent()?,
            false => directory,
        };
        Some(Profile(profile.to_owned()))
    }

    /// A directory that is there if cargo builds in this one. Then the profile's library is here or nowhere: one of another
    /// profile or target would not be renewed by the builds that renew the program.
    pub(crate) fn mark(&self) -> PathBuf {
        self.0.join(CARGO_MARK)
    }

    /// The profile of this name in a target directory.
    pub(crate) fn in_target(target: &Path, name: &str) -> Profile {
        Profile(target.join(name))
    }

    /// The paths at which the library of a package can be, the usual one first. Cargo gives what it was told to build a
    /// second name beside the program; what others need, for tests say, it leaves in `deps`.
    pub(crate) fn libraries(&self, package: &str) -> [PathBuf; 2] {
        let name = library_name(package);
        [self.0.join(&name), self.0.join("deps").join(name)]
    }

    /// The command that builds a package for this profile and target.
    pub(crate) fn command(&self, package: &str) -> String {
        let words = [format!("cargo build -p {package}")];
        words
            .into_iter()
            .chain(self.flags())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What `cargo build` must be told to build for this profile and target.
    pub(crate) fn flags(&self) -> Vec<String> {
        let name = |path: Option<&Path>| Some(path?.file_name()?.to_str()?.to_owned());
        let mut flags = match name(Some(&self.0)).as_deref() {
            // Cargo calls the directory of profile `dev` so.
            None | Some("debug") => Vec::new(),
            Some("release") => vec!["--release".to_owned()],
            Some(profile) => vec!["--profile".to_owned(), profile.to_owned()],
        };
        let above = name(self.0.parent());
        if let Some(target) = above.filter(|above| above.starts_with(ARCH)) {
            flags.extend(["--target".to_owned(), target]);
        }
        flags
    }
}

/// Whether this is a name that cargo allows a package to have. Others could lead to any file.
pub(crate) fn is_package_name(name: &str) -> bool {
    let is_allowed = |at: char| at.is_alphanumeric() || at == '_' || at == '-';
    !name.is_empty() && name.chars().all(is_allowed)
}

/// The file name of the library of a package.
fn library_name(package: &str) -> String {
    format!("{DLL_PREFIX}{}{DLL_SUFFIX}", package.replace('-', "_"))
}

/// The file that was written last, of those that are there: a name that a build has not renewed leads to old code. Of
/// two names of one file the first.
pub(crate) fn newest(there: impl IntoIterator<Item = (PathBuf, SystemTime)>) -> Option<PathBuf> {
    let later = |newest: (PathBuf, SystemTime), next: (PathBuf, SystemTime)| match next.1 > newest.1
    {
        true => next,
        false => newest,
    };
    there.into_iter().reduce(later).map(|(path, _)| path)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The paths at which a program at `program` looks for the library of `package`.
    fn libraries(program: &str, package: &str) -> [PathBuf; 2] {
        let profile = Profile::of_program(Path::new(program)).unwrap();
        profile.libraries(package)
    }

    #[test]
    fn a_program_a_test_and_an_example_of_one_profile_find_one_library() {
        let expected = [
            "/w/target/debug/librules.so",
            "/w/target/debug/deps/librules.so",
        ];
        for program in [
            "/w/target/debug/game",
            // As the system calls a program that was built anew since it was started.
            "/w/target/debug/game (deleted)",
            "/w/target/debug/deps/game-0123456789abcdef",
            "/w/target/debug/examples/demo",
        ] {
            assert_eq!(
                libraries(program, "rules"),
                expected.map(PathBuf::from),
                "{program}"
            );
        }
    }

    #[test]
    fn profiles_targets_and_target_directories_are_those_of_the_program() {
        for (program, library) in [
            ("/w/target/release/game", "/w/target/release/librules.so"),
            (
                "/w/target/aarch64-unknown-linux-gnu/profiling/game",
                "/w/target/aarch64-unknown-linux-gnu/profiling/librules.so",
            ),
            (
                "/var/cache/builds/debug/deps/game-01",
                "/var/cache/builds/debug/librules.so",
            ),
            ("/opt/game/bin/game", "/opt/game/bin/librules.so"),
        ] {
            assert_eq!(
                libraries(program, "rules")[0],
                Path::new(library),
                "{program}"
            );
        }
    }

    #[test]
    fn a_library_has_underscores_where_its_package_has_hyphens() {
        let found = libraries("/w/target/debug/game", "game-rules-2d");
        assert_eq!(found[0], Path::new("/w/target/debug/libgame_rules_2d.so"));
    }

    #[test]
    fn the_command_builds_for_the_profile_and_the_target_of_the_program() {
        for (profile, flags) in [
            ("/w/target/debug", ""),
            ("/w/target/release", " --release"),
            ("/w/target/profiling", " --profile profiling"),
        ] {
            let command = Profile(profile.into()).command("rules");
            assert_eq!(command, format!("cargo build -p rules{flags}"));
        }
        let target = format!("{ARCH}-unknown-linux-musl");
        let crossed = Profile::in_target(&Path::new("/w/target").join(&target), "debug");
        let command = crossed.command("rules");
        assert_eq!(command, format!("cargo build -p rules --target {target}"));
    }

    #[test]
    fn a_path_is_no_name_of_a_package() {
        for name in ["rules", "game-rules", "r_2", "größe"] {
            assert!(is_package_name(name), "{name}");
        }
        for name in [
            "",
            "../rules",
            "a/b",
            "a\\b",
            "rules.so",
            "rules@1.0.0",
            "-p rules",
        ] {
            assert!(!is_package_name(name), "{name}");
        }
    }

    #[test]
    fn of_two_files_the_later_one_counts_and_of_two_names_the_first() {
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let (beside, deps) = (
            PathBuf::from("librules.so"),
            PathBuf::from("deps/librules.so"),
        );
        for (of_beside, of_deps, expected) in [(2, 1, &beside), (1, 1, &beside), (1, 2, &deps)] {
            let found = newest([(beside.clone(), at(of_beside)), (deps.clone(), at(of_deps))]);
            assert_eq!(found.as_ref(), Some(expected), "{of_beside} {of_deps}");
        }
        assert_eq!(newest([]), None);
    }
}
