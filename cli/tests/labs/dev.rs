//! A lab for `replug dev` where file events never arrive: sources are saved on the server's side, or under another path,
//! and cargo builds through a mount. And a long storm of saves.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use vocabulary::{Package, Program, Saves, Scratch, Terminal, pause, program};

use crate::faulty::Faulty;
use crate::mounts::{Mounted, with_mounts};
use crate::served::Mount;

/// How long a client remembers attributes and names: longer than this lab waits for anything.
const REMEMBERED: Duration = Duration::from_secs(60);

/// `replug dev` for the package as it is seen at `at`, with a target directory of its own.
fn dev_at(scratch: &Scratch, at: &Path) -> Command {
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

/// A package on a mount that can hang, and a cargo that fails at a draft once the mount hangs.
struct Hanging {
    scratch: Scratch,
    at: PathBuf,
    /// The source on the server's side.
    source: PathBuf,
    mount: Faulty,
    /// Lets cargo go on.
    go_on: PathBuf,
    cargo: PathBuf,
}

impl Hanging {
    fn new() -> Hanging {
        let scratch = Scratch::new();
        let package = Package::plugin(&scratch, "as it was");
        let at = scratch.join("mounted");
        fs::create_dir(&at).unwrap();
        let server = package.manifest().with_file_name("");
        package.build(&[]);
        let (source, go_on) = (server.join("src/lib.rs"), scratch.join("go_on"));
        let steps = format!(
            "if [ \"$1\" = build ] && grep -q draft {source:?}; then
                while [ ! -e {go_on:?} ]; do sleep 0.01; done
                exit 101
            fi
            exec {cargo:?} \"$@\"",
            cargo = env!("CARGO"),
        );
        Hanging {
            cargo: scratch.script("cargo", &steps),
            mount: Faulty::mount(&server, &at, Duration::ZERO),
            scratch,
            at,
            source,
            go_on,
        }
    }

    /// Saves another answer on the server's side, in one step, for half a save would go to the cargo that does not fail.
    fn save(&self, before: &str, after: &str) {
        let aside = self.scratch.join("aside");
        let text = fs::read_to_string(&self.source).unwrap();
        fs::write(&aside, text.replace(before, after)).unwrap();
        fs::rename(&aside, &self.source).unwrap();
    }

    /// Hangs until what is returned is dropped: also by a test that fails, which could not end its program otherwise.
    fn hang(&self) -> Hung<'_> {
        self.mount.set(|faults| faults.hangs = true);
        Hung(&self.mount)
    }

    fn hang_and_let_the_build_fail(&self) -> Hung<'_> {
        let hung = self.hang();
        fs::write(&self.go_on, "").unwrap();
        hung
    }
}

struct Hung<'a>(&'a Faulty);

impl Drop for Hung<'_> {
    fn drop(&mut self) {
        self.0.heal();
    }
}

#[test]
fn calls_go_on_and_a_failure_is_told_although_the_filesystem_of_the_sources_hangs() {
    let ground = Hanging::new();
    let mut command = dev_at(&ground.scratch, &ground.at);
    command.env("CARGO", &ground.cargo);
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    let hung = ground.hang();
    assert_is_called(&mut program);
    drop(hung);
    ground.save("as it was", "a draft");
    program.wait_for_event("building");
    let hung = ground.hang_and_let_the_build_fail();
    program.wait_for_event("failed");
    assert_is_called(&mut program);
    drop(hung);
    ground.save("a draft", "at the end");
    program.wait_for_answer("at the end");
    program.stop_cleanly(&ground.scratch);
}

#[test]
fn a_failure_that_is_not_told_yet_is_told_before_the_build_before_comes_back() {
    let ground = Hanging::new();
    let mut command = Command::new(program());
    command.args(["dev", "--every-ms", "50", "-p", "tiny", "--manifest-path"]);
    command.arg(ground.at.join("Cargo.toml"));
    command
        .arg("--target-dir")
        .arg(ground.scratch.join("target"));
    command.arg("--stage-dir").arg(ground.scratch.stage());
    command.env("CARGO", &ground.cargo);
    let mut terminal = Terminal::start_with_keyboard(&command, 120);
    let shows = |text: &'static str| move |it: &Terminal| it.text().contains(text);
    terminal.wait_for("the first build", shows("generation 1 · "));
    ground.save("as it was", "as edited");
    terminal.wait_for("the second build", shows("generation 2 · "));
    // Right after a build, marks of cargo's on the mount would be looked for, and the program would hang there.
    pause(Duration::from_millis(100));
    ground.save("as edited", "a draft");
    terminal.wait_for("a build of the draft", |it| {
        it.text().matches("building tiny").count() == 3
    });
    let hung = ground.hang_and_let_the_build_fail();
    // The status says so at once, and the words wait for a look at the sources.
    terminal.wait_for("the failure", shows("failed · "));
    terminal.press('b');
    terminal.wait_for("the build before", shows("the build before is back"));
    assert!(terminal.text().contains("failed after "));
    drop(hung);
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
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
    let kept = ended.said("kept");
    assert!(kept.is_empty(), "{kept:?}");
    let failed = ended.said("failed").len() as u128;
    assert!(failed <= halves, "{failed} failed, of {halves} half saves");
}
