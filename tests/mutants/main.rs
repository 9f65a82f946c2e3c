//! A test of the simulation: it takes one rule at a time out of the product, in a copy of it, and sees that a
//! property fails which must notice. `cargo test --features mutants --test mutants`; it builds as often as there are
//! rules.
//! Written for Linux, as the vocabulary of all tests is; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vocabulary::workspace;

/// How many seeds a mutant must survive to count as alive. The rarest mutant is missed once in some 70,000 seeds.
const SEEDS: &str = "100000";

/// A mutant: a rule, the place of the rule, the text in its place, and the properties of which one must fail then.
struct Mutant {
    rule: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    caught_by: &'static [&'static str],
}

const fn mutant(
    rule: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    caught_by: &'static [&'static str],
) -> Mutant {
    Mutant {
        rule,
        file,
        from,
        to,
        caught_by,
    }
}

const MUTANTS: &[Mutant] = &[
    mutant(
        "identity: the size",
        "src/decide/change.rs",
        "settled.snapshot == *snapshot",
        "settled.snapshot == (Snapshot { size: settled.snapshot.size, ..*snapshot })",
        &["final state"],
    ),
    mutant(
        "identity: when it was written",
        "src/decide/change.rs",
        "settled.snapshot == *snapshot",
        "settled.snapshot == (Snapshot { modified: settled.snapshot.modified, changed: if snapshot.changed == snapshot.modified { settled.snapshot.changed } else { snapshot.changed }, ..*snapshot })",
        &["final state"],
    ),
    mutant(
        "identity: when it was changed",
        "src/decide/change.rs",
        "settled.snapshot == *snapshot",
        "settled.snapshot == (Snapshot { changed: settled.snapshot.changed, ..*snapshot })",
        &["final state"],
    ),
    mutant(
        "identity: the inode",
        "src/decide/change.rs",
        "settled.snapshot == *snapshot",
        "settled.snapshot == (Snapshot { inode: settled.snapshot.inode, ..*snapshot })",
        &["final state"],
    ),
    mutant(
        "names first, in a directory",
        "src/look/scan.rs",
        "let has_names = is_local || names.is_some() && names == self.names;",
        "let has_names = true;",
        &["final state"],
    ),
    mutant(
        "names first, for a file",
        "src/watch/shared.rs",
        "let names = names.and_then(|_| self.files.names(directory, &mut |_| {}));",
        "",
        &["final state"],
    ),
    mutant(
        "a racy reading is confirmed",
        "src/decide/change.rs",
        "confirm_at: suspect.confirm_at(reading),",
        "confirm_at: None,",
        &["final state"],
    ),
    mutant(
        "audits",
        "src/decide/change.rs",
        "self.audit_at = pause.map(|pause| reading.ended + pause);",
        "self.audit_at = pause.map(|pause| reading.ended + pause).and(None);",
        &["final state"],
    ),
    mutant(
        "an open gate speaks for what held still behind it",
        "src/decide/settle.rs",
        "let looks = if self.still {",
        "let looks = if self.still || true {",
        &["torn"],
    ),
    mutant(
        "a second name proves nothing",
        "src/decide/settle.rs",
        "let arrived_whole = is_another && self.snapshot.was_changed_after_its_last_write();",
        "let arrived_whole = is_another;",
        &["torn"],
    ),
    mutant(
        "two digests",
        "src/decide/settle.rs",
        ".is_some_and(|first| first.digest == reading.digest),",
        ".is_some(),",
        &["torn"],
    ),
    mutant(
        "a settle time between them",
        "src/decide/settle.rs",
        "Some(first)) if now >= first.ended + settle",
        "Some(first)) if now >= first.ended + settle / 50",
        &["torn"],
    ),
    mutant(
        "content is asked for anew",
        "src/stage/reading.rs",
        "if terms.locality == Locality::Remote",
        "if terms.locality == Locality::Local",
        &["torn", "final state"],
    ),
    mutant(
        "the gate is asked",
        "src/decide/change.rs",
        "(None, GatePolicy::Auto | GatePolicy::Require) => Order::Ask,",
        "(None, GatePolicy::Auto | GatePolicy::Require) => suspect.order(now, rules),",
        &["gate"],
    ),
    mutant(
        "the gate has a cap",
        "src/decide/settle.rs",
        "if now < since + rules.options.gate_max",
        "if now < since + rules.options.gate_max * 1000",
        &["final state"],
    ),
    mutant(
        "a partial listing proves nothing",
        "src/watch/doubt.rs",
        "let (cause, path) = (Cause::from(&source), directory.to_owned());\n            Err((cause, Error::List { path, source }))",
        "Ok(false)",
        &["missing"],
    ),
    mutant(
        "what is listed is there",
        "src/watch/doubt.rs",
        "Ok(is_listed) => Ok(is_listed),",
        "Ok(is_listed) => Ok(is_listed && false),",
        &["missing"],
    ),
    mutant(
        "a short absence is no removal",
        "src/decide/absence.rs",
        "Duration::from_secs(1)",
        "Duration::ZERO",
        &["missing"],
    ),
    mutant(
        "unmounted is not removed",
        "src/watch/doubt.rs",
        "Ok(seen) if seen.device != home => {",
        "Ok(seen) if seen.device != home && home == 0 => {",
        &["missing"],
    ),
    mutant(
        "polls are as frequent as the user said",
        "src/decide/schedule.rs",
        "(self.interval * factor).min(SLOWEST.max(self.interval))",
        "10 * self.interval * factor",
        &["final state"],
    ),
    mutant(
        "noise is demoted",
        "src/look/noise.rs",
        "self.demoted = self.demoted.with(self.suspected);",
        "",
        &["final state"],
    ),
    mutant(
        "equal bytes are no news",
        "src/decide/change.rs",
        "if self.decided != Some(reading.digest) {",
        "if self.decided.is_none() || self.decided.is_some() {",
        &["no update without changed bytes"],
    ),
    mutant(
        "the latest wins",
        "src/watch/reading.rs",
        "if has_decided && self.shared.outbox.withdraw_content(&self.artifact.path) {",
        "if has_decided && false {",
        &["copies", "latest wins"],
    ),
    mutant(
        "each cause is said once",
        "src/decide/trouble.rs",
        "self.said.push((self.at, cause));",
        "",
        &["once", "recovery"],
    ),
    mutant(
        "the end of a trouble is said",
        "src/watch/followed.rs",
        "self.say(News::Recovered);",
        "",
        &["recovery"],
    ),
];

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
fn each_rule_is_missed_by_a_property_of_the_simulation() {
    let copy = Copy::new();
    let (passes, printed) = copy.simulate(&[]);
    assert!(passes, "the simulation fails without a mutant:\n{printed}");
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        let original = fs::read_to_string(copy.path(mutant.file)).unwrap();
        let found = original.matches(mutant.from).count();
        assert_eq!(
            found, 1,
            "`{}` is in {} {found} times",
            mutant.from, mutant.file
        );
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
