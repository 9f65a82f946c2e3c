//! Packages outside of the workspace, as a user has them: README's plugin and host, built from its own lines, and the
//! crates that each of the two brings.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vocabulary::{Scratch, Speaker, built, target_tmp, workspace};

/// Crates that only the program needs, or hosts that ask for a feature.
const OF_OTHERS: [&str; 9] = [
    "cargo_metadata",
    "clap",
    "ctrlc",
    "metrics",
    "serde",
    "serde_core",
    "serde_json",
    "terminal_size",
    "tracing-subscriber",
];

/// The pages that a user reads.
fn readme() -> String {
    fs::read_to_string(workspace().join("README.md")).unwrap()
}

/// The block of code that README has under the name of a file.
#[track_caller]
fn block(readme: &str, file: &str) -> String {
    let named = format!("`{file}`:\n\n```rust\n");
    let (_, rest) = readme
        .split_once(&named)
        .unwrap_or_else(|| panic!("README has no {file}"));
    rest.split("```").next().unwrap().to_owned()
}

/// The two cells, for plugin and host, of a row of README's table of packages.
#[track_caller]
fn row(readme: &str, head: &str) -> [String; 2] {
    let start = format!("| {head} | ");
    let line = readme.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("README has no row {head}"));
    let mut cells = line.trim_end_matches(" |").split(" | ");
    let mut cell = || {
        let cell = cells.next().unwrap_or_default().replace("<br>", "\n");
        cell.replace('`', "")
    };
    [cell(), cell()]
}

/// A source as somebody has it who allows the compiler nothing.
fn strict(source: &str) -> String {
    format!("#![forbid(unsafe_code)]\n#![deny(warnings)]\n\n{source}")
}

/// README's two packages, in a scratch directory beside a link to this repository.
struct Packages {
    scratch: Scratch,
}

impl Packages {
    fn of(readme: &str) -> Packages {
        let packages = Packages {
            scratch: Scratch::new(),
        };
        std::os::unix::fs::symlink(workspace(), packages.scratch.join("replug")).unwrap();
        let lib = row(readme, "in `Cargo.toml`");
        let dependencies = row(readme, "`[dependencies]`");
        for (at, name) in ["greeter", "host"].into_iter().enumerate() {
            let package = format!(
                "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{}\n\n[dependencies]\n{}\n\n[workspace]\n",
                lib[at].trim_matches(['|', ' ']),
                dependencies[at]
            );
            packages.write(&format!("{name}/Cargo.toml"), &package);
            // The versions that the workspace was tested with.
            let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
            packages.write(&format!("{name}/Cargo.lock"), &lock);
        }
        let declaration = "greeter/src/declaration.rs";
        packages.write(declaration, &block(readme, declaration));
        for file in ["greeter/src/lib.rs", "host/src/main.rs"] {
            packages.write(file, &strict(&block(readme, file)));
        }
        packages
    }

    fn write(&self, file: &str, content: &str) {
        let path = self.scratch.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn cargo(&self, package: &str, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(arguments)
            .current_dir(self.scratch.join(package))
            // Of a user's own, not of whoever runs the tests.
            .env_remove("CARGO_TARGET_DIR");
        cargo
    }

    /// The crates that a package brings, one a line.
    #[track_caller]
    fn tree(&self, package: &str) -> Vec<String> {
        let arguments = ["tree", "--offline", "--edges", "normal", "--prefix", "none"];
        let tree = self.cargo(package, &arguments).output().unwrap();
        let said = String::from_utf8_lossy(&tree.stderr);
        assert!(tree.status.success(), "{said}");
        let tree = String::from_utf8(tree.stdout).unwrap();
        tree.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn build(&self, package: &str, target: &Path) {
        let mut cargo = self.cargo(package, &["build", "--offline", "--quiet"]);
        let built = cargo.arg("--target-dir").arg(target).status().unwrap();
        assert!(built.success(), "README's {package} does not compile");
    }
}

#[test]
fn what_readme_shows_of_structs_threads_and_sets_compiles() {
    let readme = readme();
    let packages = Packages::of(&readme);
    let (_, rest) = readme
        .split_once("A directory of plugins is a set:\n\n```rust\n")
        .unwrap();
    let lines = rest.split("```").next().unwrap();
    let calls = format!(
        "use replug::{{Host, HostSet, Options}};\n\npub fn calls() -> Result<(), Box<dyn std::error::Error>> {{\n{lines}\nOk(())\n}}\n"
    );
    packages.write("host/src/lib.rs", &strict(&calls));
    packages.build("host", &target_tmp().join("readme-host"));
}

#[test]
fn a_plugin_brings_no_other_crate_and_a_host_none_that_it_did_not_ask_for() {
    let packages = Packages::of(&readme());
    let plugin = packages.tree("greeter");
    assert_eq!(plugin.len(), 2, "{plugin:#?}");
    assert!(plugin[1].starts_with("replug-plugin "), "{plugin:#?}");
    let host = packages.tree("host");
    assert!(host.iter().any(|it| it.starts_with("replug ")), "{host:#?}");
    for name in OF_OTHERS {
        let named = format!("{name} ");
        assert!(!host.iter().any(|it| it.starts_with(&named)), "{name}");
    }
}

#[test]
fn the_plugin_and_the_host_of_readme_greet_and_greet_anew() {
    let packages = Packages::of(&readme());
    // Crates of the host's are the same each time; the plugin is where the host looks for it.
    let host = target_tmp().join("readme-host");
    let greeter: PathBuf = packages.scratch.join("greeter/target");
    packages.build("greeter", &greeter);
    // Where another system was named to cargo, it builds elsewhere, and README's host does not look there.
    if !greeter.join("debug").exists() {
        std::os::unix::fs::symlink(built(&greeter, "debug"), greeter.join("debug")).unwrap();
    }
    packages.build("host", &host);
    let mut command = Command::new(built(&host, "debug").join("host"));
    let mut running = Speaker::start(&mut command, &packages.scratch);
    running.wait_for("generation 1 (");
    running.wait_for("hello, world");
    let source = block(&readme(), "greeter/src/lib.rs");
    packages.write(
        "greeter/src/lib.rs",
        &strict(&source.replace("hello", "howdy")),
    );
    packages.build("greeter", &greeter);
    running.wait_for("generation 2 (");
    running.wait_for("howdy, world");
    // Forgotten on one side, a change of the declaration is told.
    let declaration = block(&readme(), "greeter/src/declaration.rs");
    let changed = declaration.replace("name: &str, greeting: Sink<'_>", "greeting: Sink<'_>");
    packages.write("greeter/src/declaration.rs", &changed);
    let changed = source.replace("name: &str, mut greeting", "mut greeting");
    packages.write("greeter/src/lib.rs", &changed.replace("{name}", "you"));
    packages.build("greeter", &greeter);
    running.wait_for("`greet`: plugin takes (Sink), host calls (&str, Sink)");
    running.wait_for("howdy, world");
}
