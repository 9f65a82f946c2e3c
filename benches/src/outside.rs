//! Packages as users have them: each a workspace outside ours, without a line about profiles, built by cargo itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use crate::cargo;
use crate::library::NAME;

/// The plugin, but for what it uses. Its developer edits the number.
const PLUGIN: &str = include_str!("../outside/plugin.rs");

/// The number in it, and what stands before it.
const EDITED: &str = "NUMBER: u64 = 1;";

/// A build script that makes a check last.
const CHECKED: &str = include_str!("../outside/checked.rs");

/// That it runs.
const MARK: &str = "checking";

/// As long as a build script could need to be compiled.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a plugin uses besides.
pub struct Uses {
    /// A crate.
    pub name: &'static str,
    version: &'static str,
    code: &'static str,
}

/// Makes a plugin of some 5 MB without optimisation.
pub const SERDE_JSON: Uses = Uses {
    name: "serde_json",
    version: "1.0",
    code: include_str!("../outside/serde_json.rs"),
};

/// Makes one of some 20 MB.
pub const REGEX: Uses = Uses {
    name: "regex",
    version: "1.12",
    code: include_str!("../outside/regex.rs"),
};

/// A package.
pub struct Package {
    directory: PathBuf,
}

impl Package {
    /// A plugin, which is not built yet.
    pub fn plugin(uses: &Uses) -> Package {
        let package = Package::called(uses.name);
        let dependencies = format!("{}\n{} = {:?}", Package::ours(), uses.name, uses.version);
        package.put("Cargo.toml", &manifest(&dependencies));
        // The versions that are ours too, unless cargo has chosen already.
        if !package.directory.join("Cargo.lock").exists() {
            package.put("Cargo.lock", include_str!("../Cargo.lock"));
        }
        package.put("src/used.rs", uses.code);
        package.edit(1);
        package
    }

    /// A plugin that uses nothing.
    pub fn small() -> Package {
        let package = Package::called("small");
        package.put("Cargo.toml", &manifest(&Package::ours()));
        package.put("src/used.rs", "pub use bench_plugins::touch;\n");
        package.edit(1);
        package
    }

    /// A plugin that uses the last of a chain of crates in its workspace.
    pub fn workspace() -> Package {
        /// Besides the plugin.
        const CRATES: usize = 19;
        let package = Package::called("workspace");
        let mut uses = String::new();
        for number in 1..=CRATES {
            let name = format!("part{number}");
            package.put(
                &format!("{name}/Cargo.toml"),
                &format!(
                    "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{uses}"
                ),
            );
            let before = match number {
                1 => "number".to_owned(),
                _ => format!("part{}::part(number)", number - 1),
            };
            let code = format!("pub fn part(number: u64) -> u64 {{\n    {before} + 1\n}}\n");
            package.put(&format!("{name}/src/lib.rs"), &code);
            uses = format!("{name}.path = {:?}\n", package.directory.join(&name));
        }
        let dependencies = format!("{}\n{uses}", Package::ours());
        let manifest = manifest(&dependencies) + "members = [\"part*\"]\n";
        package.put("Cargo.toml", &manifest);
        let code = format!(
            "pub fn touch(number: u64) {{\n    bench_plugins::touch(part{CRATES}::part(number));\n}}\n"
        );
        package.put("src/used.rs", &code);
        package.edit(1);
        package
    }

    /// What each plugin depends on.
    fn ours() -> String {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
        format!(
            "bench-plugins.path = {:?}\nreplug-plugin.path = {:?}",
            ours.join("plugins"),
            ours.join("../plugin")
        )
    }

    /// One that is no plugin, whose check lasts until it is told to end.
    pub fn checked() -> Package {
        let package = Package::called("checked");
        package.put("Cargo.toml", &manifest(""));
        package.put("src/lib.rs", "");
        package.put("build.rs", CHECKED);
        package
    }

    /// It stays from run to run, so that what it depends on is built once.
    fn called(name: &str) -> Package {
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/outside");
        Package {
            directory: all.join(name),
        }
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        let directory = path.parent().expect("it is in the package");
        fs::create_dir_all(directory).expect("a directory can be made");
        fs::write(path, text).expect("the package can be written to");
    }

    /// Its root.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its manifest.
    pub fn manifest(&self) -> PathBuf {
        self.directory.join("Cargo.toml")
    }

    /// What cargo builds into.
    pub fn target(&self) -> PathBuf {
        self.directory.join("target")
    }

    /// Where cargo puts the library.
    pub fn output(&self) -> PathBuf {
        self.target().join("debug")
    }

    /// Makes another plugin of it: library `number`.
    pub fn edit(&self, number: u64) {
        let edited = PLUGIN.replace(EDITED, &format!("NUMBER: u64 = {number};"));
        self.put("src/lib.rs", &edited);
    }

    /// Builds it, and says when cargo had ended.
    pub fn build(&self) -> Instant {
        cargo::build(&self.manifest(), &self.target(), &[]);
        Instant::now()
    }

    /// Starts `cargo check`, which has the lock of the target directory when this returns.
    pub fn check(&self) -> Check {
        let mark = self.directory.join(MARK);
        // Of a check that was killed.
        let _ = fs::remove_file(&mark);
        let mut check = cargo::command("check", &self.manifest(), &self.target());
        let cargo = check.spawn().expect("cargo can be started");
        let check = Check { cargo, mark };
        let begun = Instant::now();
        while !check.mark.exists() {
            assert!(begun.elapsed() < PATIENCE, "cargo does not check");
            thread::sleep(Duration::from_millis(10));
        }
        check
    }
}

/// A `cargo check` that lasts until this is dropped.
pub struct Check {
    cargo: Child,
    mark: PathBuf,
}

impl Drop for Check {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.mark);
        let _ = self.cargo.wait();
    }
}

fn manifest(dependencies: &str) -> String {
    format!(
        "[package]
name = \"{NAME}\"
version = \"0.0.0\"
edition = \"2024\"

[lib]
crate-type = [\"cdylib\"]

[dependencies]
{dependencies}

[workspace]
"
    )
}
