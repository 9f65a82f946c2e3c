//! A plugin in a workspace, built in every way that cargo has: its bytes do not depend on what is built beside it, so
//! that a host which is running reloads it for nothing.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use replug::Digest;
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{Scratch, cargo_build, pause, target_tmp, wait_for_exit, wait_until, workspace};

/// The plugin of an example, which depends on `replug-plugin`; other members of the workspace depend on the host's
/// crate.
const PLUGIN: &str = "game_rules";

/// How often each way of building has its turn.
const TURNS: usize = 5;

/// Builds a part of the workspace, as a person does, and returns the digest of the plugin.
#[track_caller]
fn build(target: &Path, profile: &str, which: &[&str]) -> Digest {
    let built = cargo_build()
        .args(["--quiet", "--locked", "--profile", profile, "--target-dir"])
        .arg(target)
        .args(which)
        .current_dir(workspace())
        .status();
    assert!(built.unwrap().success(), "the workspace does not compile");
    let directory = match profile {
        "dev" => "debug",
        profile => profile,
    };
    let library = target.join(directory).join(format!("lib{PLUGIN}.so"));
    Digest::of(&fs::read(library).unwrap())
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
