//! A cargo package of a test's own, in a workspace and a target directory of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::Scratch;
use super::fixture::plugin_source;

/// A package called `tiny`.
pub struct Package {
    directory: PathBuf,
}

impl Package {
    pub const NAME: &str = "tiny";

    /// One whose library is of this crate type, and empty.
    pub fn of_type(scratch: &Scratch, crate_type: &str) -> Package {
        let package = Package {
            directory: scratch.join(Package::NAME),
        };
        fs::create_dir_all(package.directory.join("src")).unwrap();
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [lib]\ncrate-type = [\"{crate_type}\"]\n\n[workspace]\n",
            Package::NAME
        );
        fs::write(package.manifest(), manifest).unwrap();
        package.write("src/lib.rs", "");
        package
    }

    /// A plugin whose answer holds `version`.
    pub fn plugin(scratch: &Scratch, version: &str) -> Package {
        let package = Package::of_type(scratch, "cdylib");
        package.edit(version);
        package
    }

    /// Edits the plugin's source: from the next build on its answer holds `version`.
    pub fn edit(&self, version: &str) {
        let answer =
            format!("fn answer(input: &str) -> String {{ format!(\"{version}, {{input}}\") }}");
        self.write("src/lib.rs", &plugin_source(&answer));
    }

    pub fn write(&self, file: &str, content: &str) {
        fs::write(self.directory.join(file), content).unwrap();
    }

    pub fn manifest(&self) -> PathBuf {
        self.directory.join("Cargo.toml")
    }

    pub fn target(&self) -> PathBuf {
        self.directory.join("target")
    }

    /// Where cargo puts the library of a build with the `dev` profile.
    pub fn library(&self) -> PathBuf {
        self.target()
            .join("debug")
            .join(format!("lib{}.so", Package::NAME))
    }

    /// The options by which cargo and replug build this package and no other, into its own target directory.
    pub fn options(&self) -> [PathBuf; 6] {
        [
            "-p".into(),
            Package::NAME.into(),
            "--manifest-path".into(),
            self.manifest(),
            "--target-dir".into(),
            self.target(),
        ]
    }

    /// Builds it as a person would, with further `options`.
    #[track_caller]
    pub fn build(&self, options: &[&str]) {
        let mut cargo = cargo();
        cargo.args(options);
        self.build_with(cargo);
    }

    /// Builds it with a given `cargo build`.
    #[track_caller]
    pub fn build_with(&self, cargo: Command) {
        let built = self.run(cargo);
        assert!(built.status.success(), "{}", said(&built));
    }

    /// Builds it although it does not compile.
    #[track_caller]
    pub fn build_in_vain(&self) {
        let built = self.run(cargo());
        assert!(!built.status.success(), "{}", said(&built));
    }

    fn run(&self, mut cargo: Command) -> Output {
        cargo
            .args(self.options())
            .current_dir(&self.directory)
            .output()
            .expect("cargo can be started")
    }
}

/// `cargo build`, by the cargo that runs the tests.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build");
    cargo
}

fn said(built: &Output) -> String {
    String::from_utf8_lossy(&built.stderr).into_owned()
}
