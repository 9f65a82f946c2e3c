//! A cargo package of a test's own, in a workspace and a target directory of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::fixture::plugin_source;
use crate::{Scratch, built, cargo_build, library_name, put_in_place, workspace};

/// A package with one library.
pub struct Package {
    directory: PathBuf,
}

impl Package {
    /// The name of every such package.
    const NAME: &str = "tiny";

    /// A package whose library is of this crate type, and empty.
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

    /// A package whose library is a plugin that answers with a text that holds `version`.
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

    /// Writes one of the package's files, in one step: who watches the file never finds it empty.
    pub fn write(&self, file: &str, content: &str) {
        let aside = self.directory.with_file_name("to-be-written");
        fs::write(&aside, content).unwrap();
        put_in_place(|| fs::rename(&aside, self.directory.join(file)));
    }

    /// Where its `Cargo.toml` is.
    pub fn manifest(&self) -> PathBuf {
        self.directory.join("Cargo.toml")
    }

    /// Its target directory.
    pub fn target(&self) -> PathBuf {
        self.directory.join("target")
    }

    /// The path of the library that cargo builds with the `dev` profile.
    pub fn library(&self) -> PathBuf {
        built(&self.target(), "debug").join(library_name(Package::NAME))
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

    /// Builds the package as a person would, with further `options`.
    #[track_caller]
    pub fn build(&self, options: &[&str]) {
        let mut cargo = cargo_build();
        cargo.args(options);
        self.build_with(cargo);
    }

    /// Builds the package with a given `cargo build`.
    #[track_caller]
    pub fn build_with(&self, cargo: Command) {
        let built = self.run(cargo);
        assert!(built.status.success(), "{}", said(&built));
    }

    /// Fails to build it, for it does not compile.
    #[track_caller]
    pub fn build_in_vain(&self) {
        let built = self.run(cargo_build());
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

/// Makes a scratch directory a workspace with a copy of `plugin01` in it, and returns the path of the plugin's source.
pub fn workspace_of_plugin01(scratch: &Scratch) -> PathBuf {
    let source = "plugin01/src/lib.rs";
    fs::create_dir_all(scratch.join("plugin01/src")).unwrap();
    fs::copy(workspace().join(source), scratch.join(source)).unwrap();
    let manifest = "[package]\nname = \"plugin01\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                    [lib]\ncrate-type = [\"cdylib\"]\n";
    fs::write(scratch.join("plugin01/Cargo.toml"), manifest).unwrap();
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"plugin01\"]\n";
    fs::write(scratch.join("Cargo.toml"), members).unwrap();
    scratch.join(source)
}

fn said(built: &Output) -> String {
    String::from_utf8_lossy(&built.stderr).into_owned()
}
