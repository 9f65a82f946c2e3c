//! A test of the simulation: it takes one rule at a time out of the product, in a copy of it, and sees that a
//! property fails which must notice. `cargo test --features mutants --test mutants`; it builds as often as there are
//! rules. `REPLUG_MUTANTS=mount` takes only those rules whose name has the word in it.
//! Written for Linux; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

mod rules;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rules::{FILES, WAYS};
use vocabulary::workspace;

/// How many seeds a mutant must survive to count as alive. The rarest mutant is missed once in some 70,000 seeds.
const SEEDS: &str = "100000";

/// A copy of the files that the simulation is built from.
struct Copy {
    root: tempfile::TempDir,
}

impl Copy {
    fn new() -> Copy {
        let copy = Copy {
            root: tempfile::tempdir().unwrap(),
        };
        for part in [
            "Cargo.toml",
            "Cargo.lock",
            "README.md",
            "src",
            "plugin",
            "derive",
            "cli",
            "tests",
            "plugin01",
            "examples",
            "docs",
        ] {
            copy_all(&workspace().join(part), &copy.path(part));
        }
        copy
    }

    fn path(&self, part: &str) -> PathBuf {
        self.root.path().join(part)
    }

    /// Runs the simulation, at most until one of these properties fails, and returns whether it passed and what it
    /// printed.
    fn simulate(&self, until: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO"))
            .args([
                "test",
                "--release",
                "-p",
                "replug",
                "--test",
                "simulation",
                "whatever",
            ])
            .current_dir(self.root.path())
            .env("CARGO_TARGET_DIR", workspace().join("target/mutants"))
            .env("RUSTFLAGS", "-A warnings")
            .env("REPLUG_SEEDS", SEEDS)
            .env("REPLUG_UNTIL", until.join(","))
            .output()
            .expect("cargo can be started");
        let printed =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (output.status.success(), printed.concat())
    }
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_all(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn each_rule_is_found_once_in_its_file() {
    for mutant in FILES.iter().chain(WAYS) {
        let file = fs::read_to_string(workspace().join(mutant.file)).unwrap();
        let found = file.matches(mutant.from).count();
        assert_eq!(
            found, 1,
            "`{}` is in {} {found} times",
            mutant.from, mutant.file
        );
    }
}

#[test]
fn each_rule_is_missed_by_a_property_of_the_simulation() {
    let copy = Copy::new();
    let wanted = std::env::var("REPLUG_MUTANTS").unwrap_or_default();
    if wanted.is_empty() {
        let (passes, printed) = copy.simulate(&[]);
        assert!(passes, "the simulation fails without a mutant:\n{printed}");
    }
    let mut survivors = Vec::new();
    let mutants = FILES.iter().chain(WAYS);
    for mutant in mutants.filter(|mutant| mutant.rule.contains(&wanted)) {
        let original = fs::read_to_string(copy.path(mutant.file)).unwrap();
        fs::write(
            copy.path(mutant.file),
            original.replace(mutant.from, mutant.to),
        )
        .unwrap();
        let (passes, printed) = copy.simulate(mutant.caught_by);
        fs::write(copy.path(mutant.file), &original).unwrap();
        assert!(
            printed.contains("running 1 test"),
            "{}: does not build:\n{printed}",
            mutant.rule
        );
        let failed = |property: &&&str| printed.contains(&format!("\n{property}: "));
        let caught: Vec<_> = mutant.caught_by.iter().filter(failed).collect();
        println!(
            "{}: {}",
            mutant.rule,
            if caught.is_empty() {
                "SURVIVES"
            } else {
                "killed"
            }
        );
        let line = |line: &&str| line.contains(" seeds, first ");
        printed
            .lines()
            .filter(line)
            .for_each(|line| println!("    {line}"));
        if passes || caught.is_empty() {
            survivors.push(mutant.rule);
        }
    }
    assert!(
        survivors.is_empty(),
        "nobody misses these rules: {survivors:#?}"
    );
}
