//! A plugin in a workspace, built in every way that cargo has: its bytes do not depend on what is built beside it, so
//! that a host which is running reloads it for nothing.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use replug::Digest;
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{
    Scratch, cargo, cargo_build, pause, target_tmp, wait_for_exit, wait_until, workspace,
};

/// The plugin of an example, which depends on `replug-plugin`; other members of the workspace depend on the host's
/// crate.
const PLUGIN: &str = "game_rules";

/// How often each way of building has its turn.
const TURNS: usize = 5;

/// Builds a part of the workspace, as a person does, and returns the digest of the plugin.
#[track_caller]
fn build(target: &Path, profile: &str, which: &[&str]) -> Digest {
    let mut cargo = cargo_build();
    cargo.args(["--locked", "--profile", profile]).args(which);
    run(cargo, workspace(), target);
    let directory = match profile {
        "dev" => "debug",
        profile => profile,
    };
    plugin_in(&target.join(directory))
}

/// Runs cargo in a workspace.
#[track_caller]
fn run(mut cargo: Command, workspace: &Path, target: &Path) {
    cargo.arg("--quiet").arg("--target-dir").arg(target);
    let built = cargo.current_dir(workspace).status();
    assert!(built.unwrap().success(), "the workspace does not compile");
}

/// The digest of the plugin in a directory.
#[track_caller]
fn plugin_in(directory: &Path) -> Digest {
    Digest::of(&fs::read(directory.join(format!("lib{PLUGIN}.so"))).unwrap())
}

/// What a person writes who has a macro of their own among what host and plugin share.
const MACRO: &str = "[profile.dev.build-override]\ndebug = false";

/// A workspace of somebody else's: a host, a plugin, and what they share, whose types derive. With `settings` for all of it
/// there is also a macro of their own.
fn someone_elses(directory: &Path, settings: &str) {
    let write = |path: &str, content: String| {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let package = |name: &str, lib: &str, uses: &str| {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\n{lib}\n[dependencies]\n{uses}\n"
        );
        write(&format!("{name}/Cargo.toml"), manifest);
    };
    let replug = workspace().display();
    let plugin = format!("replug-plugin.path = \"{replug}/plugin\"\n");
    let derive = format!("replug-derive.path = \"{replug}/derive\"\n");
    let has_macro = !settings.is_empty();
    let (macros, uses_macro) = match has_macro {
        true => ("\"words\", ", "words.path = \"../words\"\n"),
        false => ("", ""),
    };
    write(
        "Cargo.toml",
        format!(
            "[workspace]\nresolver = \"3\"\nmembers = [{macros}\"town\", \"declared\", \"{PLUGIN}\"]\n{settings}\n"
        ),
    );
    // The versions that are here already.
    fs::copy(workspace().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    let declared = "#[derive(replug_derive::Shared)]\npub struct Town {\n    pub people: Vec<String>,\n}\n\
         replug_plugin::interface! {\n    pub interface Census, plugin trait Count, version 1 {\n        \
         fn count(town: &Town) -> Option<u64>;\n    }\n}\n";
    package("declared", "", &format!("{plugin}{derive}{uses_macro}"));
    let declared = match has_macro {
        true => format!("words::many! {{}}\n{declared}"),
        false => declared.to_owned(),
    };
    write("declared/src/lib.rs", declared);
    package(
        PLUGIN,
        "crate-type = [\"cdylib\"]",
        &format!("{plugin}declared.path = \"../declared\"\n"),
    );
    write(
        &format!("{PLUGIN}/src/lib.rs"),
        "use declared::*;\nstruct Mine;\nimpl Count for Mine {\n    fn count(town: &Town) -> Option<u64> {\n        \
         Some(town.people.len() as u64)\n    }\n}\nreplug_plugin::export!(Mine: Census);\n"
            .to_owned(),
    );
    // With a test, for which cargo builds the plugin too.
    write(
        &format!("{PLUGIN}/tests/all.rs"),
        "#[test]\nfn is_built() {}\n".to_owned(),
    );
    package(
        "town",
        "",
        &format!("replug.path = \"{replug}\"\ndeclared.path = \"../declared\"\n"),
    );
    write(
        "town/src/lib.rs",
        "pub type Host = replug::Host<declared::Census>;\n".to_owned(),
    );
    if has_macro {
        package("words", "proc-macro = true", "");
        write(
            "words/src/lib.rs",
            "#[proc_macro]\npub fn many(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    \
             \"pub fn many() -> u64 { 2 }\".parse().unwrap()\n}\n"
                .to_owned(),
        );
    }
}

#[test]
fn the_plugin_of_another_workspace_has_the_same_bytes_however_it_is_built() {
    let target = target_tmp().join("someone_elses");
    for settings in ["", MACRO] {
        let scratch = Scratch::new();
        let directory = scratch.join("town");
        someone_elses(&directory, settings);
        let run = |command: &str, options: &[&str]| {
            let mut cargo = cargo();
            cargo.args([command, "--offline"]).args(options);
            run(cargo, &directory, &target);
            plugin_in(&target.join("debug"))
        };
        let by_itself = run("build", &["-p", PLUGIN]);
        let beside: [&[&str]; 4] = [
            &["build", "--workspace"],
            &["build", "--workspace", "--all-targets"],
            &["test", "--workspace", "--no-run"],
            &["build", "-p", "town", "-p", PLUGIN],
        ];
        for way in beside {
            assert_eq!(run(way[0], &way[1..]), by_itself, "{way:?}, {settings}");
        }
        let source = directory.join(PLUGIN).join("src/lib.rs");
        let written = fs::read_to_string(&source).unwrap();
        fs::write(&source, written.replace("as u64", "as u64 + 1")).unwrap();
        assert_ne!(run("build", &["-p", PLUGIN]), by_itself);
        fs::write(&source, written).unwrap();
        assert_eq!(run("build", &["-p", PLUGIN]), by_itself, "built on");
        let replug = ["replug-plugin", "replug-derive", "declared", PLUGIN];
        for package in replug {
            let mut clean = cargo();
            clean.args(["clean", "--offline", "-p", package]);
            super::bytes::run(clean, &directory, &target);
        }
        let one_by_one = ["-j", "1", "-p", PLUGIN];
        assert_eq!(run("build", &one_by_one), by_itself, "built anew");
    }
}

#[test]
fn a_plugin_has_the_same_bytes_whatever_is_built_beside_it_and_nothing_is_reloaded() {
    let target = target_tmp().join("workspace");
    let (alone, all) = (["-p", PLUGIN], ["--workspace"]);
    for profile in ["dev", "release"] {
        let by_itself = build(&target, profile, &alone);
        assert_eq!(build(&target, profile, &all), by_itself, "{profile}");
    }
    let scratch = Scratch::new();
    let said = scratch.join("said");
    // The example's own host, which watches the plugin that lies beside it.
    let mut game = Command::new(target.join("debug/game"))
        .env("TMPDIR", scratch.stage())
        .env_remove("XDG_RUNTIME_DIR")
        .stdin(Stdio::null())
        .stdout(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let loads = || {
        let said = fs::read_to_string(&said).unwrap();
        said.lines()
            .filter(|line| line.contains(" is live, "))
            .count()
    };
    wait_until("first generation", || loads() == 1);
    for _ in 0..TURNS {
        build(&target, "dev", &all);
        build(&target, "dev", &alone);
    }
    // Longer than a change takes to be loaded.
    pause(Duration::from_secs(2));
    kill_process(Pid::from_child(&game), Signal::INT).unwrap();
    assert!(wait_for_exit(&mut game).success());
    assert_eq!(loads(), 1, "the same bytes were loaded again");
}
