//! The library of a cargo package: found as cargo leaves it, for hosts that are built by cargo themselves.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use replug_plugin::shown::spelled_bytes;

use crate::error::Error;
use crate::look::built::{OWN_PROFILE, Profile, is_package_name, newest};
use crate::look::files::Files as _;
use crate::look::machine::OsFiles;
use crate::options::Options;

impl Options {
    /// The options to watch the library of a cargo package, which must have been built.
    ///
    /// The library is the one that cargo built for the profile and the target of the running program: cargo leaves both in
    /// one directory, be that `target/debug`, another profile's, that of a `--target`, or one that `CARGO_TARGET_DIR` or a
    /// `build.target-dir` named. Tests and examples find it from their directories below. Where a program that cargo runs
    /// is elsewhere, as the test of a documentation's example is, cargo is asked for the workspace. A library of another
    /// profile or target is never taken, since a build would not renew it.
    ///
    /// A library whose `[lib]` has a name of its own is found by that name.
    ///
    /// # Errors
    ///
    /// If the library is not there: the error has the paths that were tried, and the command that builds the package.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # replug::interface! {
    /// #     /// Adds.
    /// #     pub interface Adder, plugin trait Add, version 1 {
    /// #         /// The sum.
    /// #         fn add(one: u32, other: u32) -> u32;
    /// #     }
    /// # }
    /// use replug::{Host, Options};
    ///
    /// # fn main() -> Result<(), replug::Error> {
    /// let mut host = Host::<Adder>::watch(Options::package("adder")?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn package(name: &str) -> Result<Options, Error> {
        find(name, &Surroundings::of_this_process()).map(Options::new)
    }
}

/// The facts about this process that say where cargo leaves things.
#[derive(Debug)]
struct Surroundings {
    program: Option<PathBuf>,
    /// The package of the program, if cargo runs it.
    package: Option<PathBuf>,
    /// The cargo that runs it.
    cargo: OsString,
    target_directory: Option<PathBuf>,
}

impl Surroundings {
    fn of_this_process() -> Surroundings {
        // Somebody who lends this process rights does not lend them to a cargo that the environment names.
        let is_for_cargo = !OsFiles.standing().has_more_rights;
        let package = env::var_os("CARGO_MANIFEST_DIR").filter(|_| is_for_cargo);
        let target_directory = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"];
        Surroundings {
            program: env::current_exe().ok(),
            package: package.map(Into::into),
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            target_directory: target_directory
                .into_iter()
                .find_map(env::var_os)
                .map(Into::into),
        }
    }

    /// The target directory of the package, unless a configuration names another one.
    fn target(&self, package: &Path) -> io::Result<PathBuf> {
        match &self.target_directory {
            Some(directory) => Ok(directory.clone()),
            None => Ok(workspace(&self.cargo, package)?.join("target")),
        }
    }
}

/// Finds the library of a package.
fn find(package: &str, around: &Surroundings) -> Result<PathBuf, Error> {
    let mut missing = Missing::of(package);
    if !is_package_name(package) {
        return Err(missing.into_error(None));
    }
    if let Some(profile) = around.program.as_deref().and_then(Profile::of_program) {
        match missing.unless_in(&profile) {
            Some(library) => return Ok(library),
            None if profile.mark().is_dir() => return Err(missing.into_error(None)),
            None => {}
        }
    }
    // Nobody runs cargo for a program that cargo does not run.
    let Some(own) = &around.package else {
        return Err(missing.into_error(None));
    };
    let target = around
        .target(own)
        .map_err(|error| missing.clone().into_error(Some(error)))?;
    let profile = Profile::in_target(&target, OWN_PROFILE);
    missing
        .unless_in(&profile)
        .ok_or_else(|| missing.into_error(None))
}

/// A search so far.
#[derive(Debug, Clone)]
struct Missing {
    package: String,
    tried: Vec<PathBuf>,
    /// The command that would have built it where it was looked for last.
    command: String,
}

impl Missing {
    fn of(package: &str) -> Missing {
        Missing {
            package: package.to_owned(),
            tried: Vec::new(),
            command: format!("cargo build -p {package}"),
        }
    }

    /// The library in a profile's directory, or else one more place where it is not.
    fn unless_in(&mut self, profile: &Profile) -> Option<PathBuf> {
        let libraries = profile.libraries(&self.package);
        let written =
            |path: &PathBuf| Some((path.clone(), fs::metadata(path).ok()?.modified().ok()?));
        let found = newest(libraries.iter().filter_map(written));
        if found.is_none() {
            self.tried.extend(libraries);
            self.command = profile.command(&self.package);
        }
        found
    }

    fn into_error(self, source: Option<io::Error>) -> Error {
        Error::Package {
            package: self.package,
            tried: self.tried,
            command: self.command,
            source,
        }
    }
}

/// The root of the workspace that a package is in, by cargo's word.
fn workspace(cargo: &OsString, package: &Path) -> io::Result<PathBuf> {
    let mut command = Command::new(cargo);
    command.args([
        "locate-project",
        "--workspace",
        "--message-format",
        "plain",
        "--manifest-path",
    ]);
    command.arg(package.join("Cargo.toml")).stdin(Stdio::null());
    let said = command.output()?;
    if !said.status.success() {
        let words = spelled_bytes(&said.stderr);
        return Err(io::Error::other(words.trim().to_owned()));
    }
    let manifest = str::from_utf8(&said.stdout).map_err(io::Error::other)?;
    let root = Path::new(manifest.trim_end()).parent();
    root.map(Path::to_owned)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::error::chain;

    /// A directory with a workspace of one package, and a target directory in it.
    struct Workspace(TempDir);

    impl Workspace {
        fn new() -> Workspace {
            let workspace = Workspace(tempfile::tempdir().unwrap());
            let manifest = "[package]\nname = \"game\"\nedition = \"2024\"\n\n[workspace]\n";
            workspace.write("Cargo.toml", manifest);
            workspace.write("src/lib.rs", "");
            workspace.write("target/debug/.fingerprint/game-01/lib-game", "");
            workspace
        }

        fn path(&self, below: &str) -> PathBuf {
            self.0.path().join(below)
        }

        fn write(&self, below: &str, content: &str) -> PathBuf {
            let path = self.path(below);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        }

        /// What a program of this path sees, which was not started by cargo.
        fn seen_by(&self, program: &str) -> Surroundings {
            Surroundings {
                program: Some(self.path(program)),
                package: None,
                cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
                target_directory: None,
            }
        }

        /// What a program sees that cargo runs from a directory of its own choice.
        fn seen_from_elsewhere(&self) -> Surroundings {
            Surroundings {
                package: Some(self.path("")),
                ..self.seen_by("doctest/rust_out")
            }
        }
    }

    #[test]
    fn a_library_is_found_beside_the_program_the_test_and_the_example() {
        let workspace = Workspace::new();
        let library = workspace.write("target/debug/libgame_rules.so", "");
        for program in [
            "target/debug/game",
            "target/debug/deps/game-01",
            "target/debug/examples/demo",
        ] {
            let found = find("game-rules", &workspace.seen_by(program)).unwrap();
            assert_eq!(found, library, "{program}");
        }
    }

    #[test]
    fn what_only_a_test_needed_is_found_where_cargo_left_it() {
        let workspace = Workspace::new();
        let library = workspace.write("target/debug/deps/librules.so", "");
        let found = find("rules", &workspace.seen_by("target/debug/deps/game-01"));
        assert_eq!(found.unwrap(), library);
    }

    #[test]
    fn a_library_that_was_not_built_is_told_with_the_places_and_the_command() {
        let workspace = Workspace::new();
        let error = find("rules", &workspace.seen_by("target/debug/game")).unwrap_err();
        let root = workspace.path("target/debug");
        let expected = format!(
            "cannot find the library of `rules`: there is no file `{root}/librules.so` or `{root}/deps/librules.so`; \
             build it first, `cargo build -p rules`, with `crate-type = [\"cdylib\"]` in its `[lib]`; a `[lib]` with a \
             `name` of its own is found by that name",
            root = root.display()
        );
        assert_eq!(chain(&error), expected);
    }

    #[test]
    fn no_library_of_another_profile_or_target_is_taken() {
        let workspace = Workspace::new();
        workspace.write("target/debug/librules.so", "");
        workspace.write("target/some-target/debug/.fingerprint/game-01/lib-game", "");
        workspace.write("target/release/.fingerprint/game-01/lib-game", "");
        for program in [
            "target/release/game",
            "target/some-target/debug/deps/game-01",
        ] {
            let around = Surroundings {
                package: Some(workspace.path("")),
                ..workspace.seen_by(program)
            };
            assert!(find("rules", &around).is_err(), "{program}");
        }
    }

    #[test]
    fn a_program_that_cargo_runs_from_elsewhere_finds_the_library_of_its_workspace() {
        let workspace = Workspace::new();
        let library = workspace.write(&format!("target/{OWN_PROFILE}/librules.so"), "");
        let around = workspace.seen_from_elsewhere();
        let found = find("rules", &around).unwrap();
        assert_eq!(
            found.canonicalize().unwrap(),
            library.canonicalize().unwrap()
        );
        let elsewhere = workspace.write(&format!("elsewhere/{OWN_PROFILE}/librules.so"), "");
        let around = Surroundings {
            target_directory: Some(workspace.path("elsewhere")),
            ..around
        };
        assert_eq!(find("rules", &around).unwrap(), elsewhere);
    }

    #[test]
    fn a_cargo_that_cannot_say_where_the_workspace_is_is_told() {
        let workspace = Workspace::new();
        fs::write(workspace.path("Cargo.toml"), "no manifest").unwrap();
        let error = find("rules", &workspace.seen_from_elsewhere()).unwrap_err();
        let said = chain(&error);
        assert!(
            said.starts_with("cannot find the library of `rules`: there is no file"),
            "{said}"
        );
        assert!(std::error::Error::source(&error).is_some(), "{said}");
    }

    #[test]
    fn a_name_that_is_a_path_leads_nowhere() {
        let workspace = Workspace::new();
        workspace.write("target/debug/x.so", "");
        fs::create_dir(workspace.path("target/debug/lib..")).unwrap();
        let error = find("../../x", &workspace.seen_by("target/debug/game")).unwrap_err();
        let expected = "cannot find the library of `../../x`: no package can have that name; a path is for `Options::new`";
        assert_eq!(chain(&error), expected);
    }
}
