//! A lab for `replug dev` where file events never arrive: sources are saved on the server's side, or under another path,
//! and cargo builds through a mount. And a long storm of saves.

use std::any::Any;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use vocabulary::{Package, Program, Saves, Scratch, pause};

use crate::faulty::Faulty;
use crate::mounts::{Mounted, with_mounts};
use crate::served::Mount;

/// How long a client remembers attributes and names: longer than this lab waits for anything.
const REMEMBERED: Duration = Duration::from_secs(60);

/// `replug dev` for the package as it is seen at `at`, with a target directory of its own.
fn dev_at(scratch: &Scratch, at: &Path) -> std::process::Command {
    let mut command = Program::command_of("dev", scratch);
    command.args(["--every-ms", "50", "-p", "tiny", "--manifest-path"]);
    command.arg(at.join("Cargo.toml")).arg("--target-dir");
    command.arg(scratch.join("target-of-dev"));
    command
}

/// Saves in the ways of editors, on the server's side, and waits for each.
#[track_caller]
fn assert_saves_are_seen(program: &mut Program, package: &Package) {
    let source = package.manifest().with_file_name("src").join("lib.rs");
    program.wait_for_answer("as it was");
    package.edit("by truncation");
    program.wait_for_answer("by truncation");
    let aside = source.with_extension("aside");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&aside, text.replace("by truncation", "by renaming!!")).unwrap();
    fs::rename(&aside, &source).unwrap();
    program.wait_for_answer("by renaming!!");
    package.write("src/lib.rs", &format!("mod late;\n{text}"));
    program.wait_for_event("failed");
    package.write("src/late.rs", "");
    program.wait_for_event("built");
    program.wait_for_answer("by truncation");
    package.edit("at the end");
    program.wait_for_answer("at the end");
}

#[test]
fn dev_sees_saves_on_the_other_side_of_a_bind_mount() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let server = package.manifest().with_file_name("");
    let at = scratch.join("bound");
    fs::create_dir(&at).unwrap();
    let command = with_mounts(&dev_at(&scratch, &at), &[Mounted::bound(&server, &at)]);
    let mut program = Program::start(command);
    assert_saves_are_seen(&mut program, &package);
    program.stop_cleanly(&scratch);
}

#[track_caller]
fn assert_saves_are_seen_through(mount: impl Fn(&Path, &Path) -> Box<dyn Any>) {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let at = scratch.join("mounted");
    fs::create_dir(&at).unwrap();
    let server = package.manifest().with_file_name("");
    // A mount that cannot be written to needs cargo's lock file.
    package.build(&[]);
    let mount = mount(&server, &at);
    let mut program = Program::start(dev_at(&scratch, &at));
    assert_saves_are_seen(&mut program, &package);
    program.stop_cleanly(&scratch);
    drop(mount);
}

#[test]
fn dev_sees_saves_on_the_server_of_a_bindfs_that_remembers_for_a_minute() {
    assert_saves_are_seen_through(|server, at| Box::new(Mount::bindfs(server, at)));
}

#[test]
fn dev_sees_saves_on_the_server_of_a_mount_that_remembers_names_for_a_minute() {
    assert_saves_are_seen_through(|server, at| Box::new(Faulty::mount(server, at, REMEMBERED)));
}

/// Waits for a call that was not made before now.
#[track_caller]
fn assert_is_called(program: &mut Program) {
    program.go_on_for(Duration::from_millis(300));
    program.wait_for_event("result");
}

#[test]
fn calls_go_on_and_a_failure_is_told_although_the_filesystem_of_the_sources_hangs() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let at = scratch.join("mounted");
    fs::create_dir(&at).unwrap();
    let server = package.manifest().with_file_name("");
    package.build(&[]);
    // A cargo that fails at a draft, when it is let.
    let hangs = scratch.join("hangs");
    let steps = format!(
        "if [ \"$1\" = build ] && grep -q draft {source:?}; then
            while [ ! -e {hangs:?} ]; do sleep 0.01; done
            exit 101
        fi
        exec {cargo:?} \"$@\"",
        source = server.join("src/lib.rs"),
        cargo = env!("CARGO"),
    );
    let mount = Faulty::mount(&server, &at, Duration::ZERO);
    let mut command = dev_at(&scratch, &at);
    command.env("CARGO", scratch.script("cargo", &steps));
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    mount.set(|faults| faults.hangs = true);
    assert_is_called(&mut program);
    mount.heal();
    // In one step, for half a save would go to the cargo that does not fail.
    let (source, aside) = (server.join("src/lib.rs"), scratch.join("aside"));
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&aside, text.replace("as it was", "a draft")).unwrap();
    fs::rename(&aside, &source).unwrap();
    program.wait_for_event("building");
    mount.set(|faults| faults.hangs = true);
    fs::write(&hangs, "").unwrap();
    program.wait_for_event("failed");
    assert_is_called(&mut program);
    mount.heal();
    fs::write(&source, text.replace("as it was", "at the end")).unwrap();
    program.wait_for_answer("at the end");
    program.stop_cleanly(&scratch);
}

#[test]
fn after_each_burst_of_two_hundred_saves_the_last_state_is_live_and_nothing_is_built_after_it() {
    const SAVES: u32 = 200;
    /// How many saves come before the last of them must be live.
    const BURST: u32 = 10;
    const LONGEST_PAUSE_MS: u64 = 400;
    /// How long nothing may change before a build begins: what stays so for as long is a state that was saved.
    const QUIET: Duration = Duration::from_millis(30);
    /// How long a build that nobody needs would take to be seen.
    const A_WHILE: Duration = Duration::from_millis(600);
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let file = package.manifest().with_file_name("src").join("lib.rs");
    let source = fs::read_to_string(&file).unwrap();
    let at = package.manifest().with_file_name("");
    let mut program = Program::start(dev_at(&scratch, &at));
    program.wait_for_answer("as it was");
    let (mut saves, mut halves) = (Saves::new(2), 0);
    for number in 1..=SAVES {
        let text = source.replace("as it was", &format!("save {number}."));
        let begun = Instant::now();
        saves.save(&file, text.as_bytes());
        // On a busy machine a save can stop halfway for as long as that.
        halves += begun.elapsed().as_millis() / QUIET.as_millis();
        pause(Duration::from_millis(saves.below(LONGEST_PAUSE_MS)));
        if number % BURST == 0 {
            program.wait_for_answer(&format!("save {number}."));
            let builds = program.said("building").len();
            program.go_on_for(A_WHILE);
            assert_eq!(
                program.said("building").len(),
                builds,
                "after save {number}"
            );
        }
    }
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("kept").len(), 0);
    let failed = ended.said("failed").len() as u128;
    assert!(failed <= halves, "{failed} failed, of {halves} half saves");
}
