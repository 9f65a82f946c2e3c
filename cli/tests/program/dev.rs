//! `replug dev`: builds, watches the sources, builds again, and what is live is what cargo built.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use replug::Digest;
use vocabulary::{Doorbell, Ended, Package, Program, Scratch, is_there, program, wait_until};

/// How long a build that should not be would take to be seen: several times the pauses between looks.
const A_WHILE: Duration = Duration::from_millis(600);

/// `replug dev` for `package`, with further `options`.
pub(crate) fn dev(scratch: &Scratch, package: &Package, options: &[&str]) -> Program {
    Program::start(command(scratch, package, options))
}

pub(crate) fn command(scratch: &Scratch, package: &Package, options: &[&str]) -> Command {
    let mut command = Program::command_of("dev", scratch);
    command.args(["--every-ms", "20"]).args(package.options());
    command.args(options);
    command
}

#[test]
fn a_save_is_built_and_answers_in_the_same_process_and_is_proven_to_be_what_cargo_built() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut program = dev(&scratch, &package, &["--arg", "everybody"]);
    program.wait_for_answer("as it was, everybody");
    package.edit("as edited");
    let building = program.wait_for_event("building");
    assert_eq!(building.0["packages"][0], "tiny");
    let saved = building.0["changed"][0].as_str().unwrap();
    assert!(saved.ends_with("src/lib.rs"), "{building:?}");
    let built = program.wait_for_event("built");
    let digest = built.0["artifacts"][0]["sha256"].clone();
    assert!(digest.is_string(), "{built:?}");
    let loaded = program.wait_for_generation(2);
    assert_eq!(loaded.0["sha256"], digest);
    let live = program.wait_for_event("live");
    assert_eq!(live.number("generation"), 2);
    assert_eq!(live.0["sha256"], digest);
    program.wait_for_answer("as edited, everybody");
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.stderr, "", "what cargo says is told in other words");
    assert_eq!(ended.said("built").len(), 2);
    assert_eq!(ended.said("loaded").len(), 2);
    assert_eq!(ended.said.last().unwrap().event(), "stopped");
}

#[test]
fn a_build_that_fails_shows_the_first_error_and_the_generation_goes_on_until_it_is_mended() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("as it was");
    package.write(
        "src/lib.rs",
        "fn a() -> u8 { \"\" }\nfn b() -> u8 { \"\" }\n",
    );
    let failed = program.wait_for_event("failed");
    let errors = failed.0["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{failed:?}");
    assert_eq!(errors[0]["message"], "mismatched types");
    assert_eq!(errors[0]["path"], "src/lib.rs");
    assert_eq!(errors[0]["line"], 1);
    let rendered = errors[0]["rendered"].as_str().unwrap();
    assert!(
        rendered.contains("expected `u8`, found `&str`"),
        "{rendered}"
    );
    let line = program.wait_for_answer("as it was");
    assert_eq!(line.number("generation"), 1);
    package.edit("as mended");
    program.wait_for_answer("as mended");
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("live").len(), 2);
}

#[test]
fn a_first_build_that_fails_waits_for_the_next_save() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    package.write("src/lib.rs", "this is no Rust");
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_event("failed");
    package.edit("as mended");
    program.wait_for_answer("as mended");
    program.stop_cleanly(&scratch);
}

#[test]
fn a_workspace_that_cargo_cannot_read_waits_for_the_next_save() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let manifest = std::fs::read_to_string(package.manifest()).unwrap();
    package.write("Cargo.toml", "[package\n");
    let mut program = dev(&scratch, &package, &[]);
    let failed = program.wait_for_event("failed");
    let message = failed.0["errors"][0]["rendered"].as_str().unwrap();
    assert!(message.contains("Cargo.toml"), "{message}");
    package.write("Cargo.toml", &manifest);
    program.wait_for_answer("as it was");
    package.edit("as edited");
    program.wait_for_answer("as edited");
    program.stop_cleanly(&scratch);
}

#[test]
fn a_build_that_changes_no_byte_says_unchanged() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut program = dev(&scratch, &package, &["--release"]);
    let live = program.wait_for_event("live");
    package.edit("as it was");
    program.go_on_for(A_WHILE);
    assert_eq!(program.said("building").len(), 1, "equal bytes are no save");
    let source = std::fs::read_to_string(package.manifest().with_file_name("src").join("lib.rs"));
    package.write("src/lib.rs", &(source.unwrap() + "\n// A comment.\n"));
    let unchanged = program.wait_for_event("unchanged");
    assert_eq!(unchanged.text("sha256"), live.text("sha256"));
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("loaded").len(), 1);
}

#[test]
fn a_save_during_a_build_ends_the_build_with_all_that_it_started() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let doorbell = Doorbell::new();
    // The script rings, and waits for us to hang up, or to be ended.
    let script = format!(
        "fn main() {{
            use std::io::Read;
            let mut bell = std::net::TcpStream::connect({:?}).unwrap();
            let _ = bell.read(&mut [0]);
        }}",
        doorbell.address()
    );
    package.write("build.rs", &script);
    let mut program = dev(&scratch, &package, &[]);
    let build_script = doorbell.wait();
    package.write("build.rs", "fn main() {}");
    program.wait_for_answer("as it was");
    build_script.wait_for_end();
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("building").len(), 2);
    assert_eq!(ended.said("built").len(), 1);
}

/// A cargo that does `first` and then saves the source of `package` once more, with `last` for a draft, before it builds a
/// draft, as a formatter does; and then ends by `end`.
fn cargo_that_saves_drafts(
    scratch: &Scratch,
    package: &Package,
    first: &str,
    last: &str,
    end: &str,
) -> PathBuf {
    let steps = format!(
        "if [ \"$1\" = build ] && grep -q draft {source:?}; then
            {first}
            sed 's/draft/{last}/' {source:?} > {aside:?} && mv {aside:?} {source:?}
            {end}
        fi
        exec {cargo:?} \"$@\"",
        source = package.manifest().with_file_name("src").join("lib.rs"),
        aside = scratch.join("aside"),
        cargo = env!("CARGO"),
    );
    scratch.script("cargo", &steps)
}

/// The end of a program after five drafts, each of which its cargo has made final.
fn after_drafts(command: Command, scratch: &Scratch, package: &Package) -> Ended {
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    for number in 1..=5 {
        package.edit(&format!("draft {number}."));
        program.wait_for_answer(&format!("final {number}."));
    }
    program.stop_cleanly(scratch)
}

/// Longer after a build than the clocks of files are apart.
const AFTER_A_BUILD: Duration = Duration::from_millis(100);

/// The end of a cargo that builds for longer than a test lasts.
const BUILDS_ON: &str = "exec sleep 600";

#[test]
fn a_failure_is_not_told_of_a_build_into_which_a_save_came() {
    const FAILS: &str = "exit 101";
    // Longer than the quiet that ends the first save.
    const LATER: &str = "sleep 0.2";
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut command = command(&scratch, &package, &[]);
    let cargo = cargo_that_saves_drafts(&scratch, &package, LATER, "final", FAILS);
    command.env("CARGO", cargo);
    let ended = after_drafts(command, &scratch, &package);
    assert_eq!(ended.said("failed").len(), 0);
}

#[test]
fn nothing_is_loaded_of_a_build_into_which_a_save_came() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut command = command(&scratch, &package, &[]);
    // It builds the draft, and the save is over when it ends.
    let build = format!("{:?} \"$@\"", env!("CARGO"));
    let cargo = cargo_that_saves_drafts(&scratch, &package, &build, "final", "exit 0");
    command.env("CARGO", cargo);
    let ended = after_drafts(command, &scratch, &package);
    let answers = ended.said("result");
    let of_draft = answers.iter().find(|it| it.text("value").contains("draft"));
    assert!(of_draft.is_none(), "{of_draft:?}");
}

#[test]
fn nothing_is_said_of_a_build_that_took_an_empty_file_for_a_source() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let file = package.manifest().with_file_name("src").join("lib.rs");
    let source = fs::read_to_string(file).unwrap();
    let mut command = command(&scratch, &package, &[]);
    let build = format!("{:?} \"$@\"", env!("CARGO"));
    // Of the draft, the compiler sees this line and nothing else.
    let (draft, whole) = ("#![cfg(any(/*draft*/))]", "*\\/not(any())\\/*");
    let cargo = cargo_that_saves_drafts(&scratch, &package, &build, whole, "exit 0");
    command.env("CARGO", cargo);
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    for number in 1..=5 {
        let text = source.replace("as it was", &format!("save {number}."));
        package.write("src/lib.rs", &format!("{draft}\n{text}"));
        program.wait_for_answer(&format!("save {number}."));
    }
    let ended = program.stop_cleanly(&scratch);
    let kept = ended.said("kept");
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_build_begins_at_the_first_sign_of_a_save_and_is_told_only_if_it_shows_all_of_the_save() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut command = command(&scratch, &package, &[]);
    let cargo = cargo_that_saves_drafts(&scratch, &package, "", "final", BUILDS_ON);
    command.env("CARGO", cargo);
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    // On a machine that is busy, the quiet can be over before cargo has come to its second save.
    let is_one_save = |number: u32| {
        // Right after a build no build begins at the first sign: cargo would take what was saved for built.
        program.go_on_for(AFTER_A_BUILD);
        let before = program.said("building").len();
        package.edit(&format!("draft {number}."));
        program.wait_for_answer(&format!("final {number}."));
        program.said("building").len() == before + 1
    };
    assert!((1..=20).any(is_one_save));
    program.stop_cleanly(&scratch);
}

#[test]
fn what_a_build_put_into_place_that_does_not_show_all_of_a_save_is_never_loaded() {
    for last in ["final", "as it was"] {
        let scratch = Scratch::new();
        let package = Package::plugin(&scratch, "draft");
        package.build(&[]);
        let draft = scratch.join("draft.so");
        fs::copy(package.library(), &draft).unwrap();
        package.edit("as it was");
        let first = format!(
            "cp {draft:?} {library:?}~ && mv {library:?}~ {library:?}",
            library = package.library()
        );
        let mut command = command(&scratch, &package, &[]);
        let cargo = cargo_that_saves_drafts(&scratch, &package, &first, last, BUILDS_ON);
        command.env("CARGO", cargo);
        let mut program = Program::start(command);
        program.wait_for_answer("as it was");
        for _ in 0..5 {
            package.edit("draft");
            program.wait_for_event("built");
            program.go_on_for(A_WHILE);
        }
        program.wait_for_answer(last);
        let ended = program.stop_cleanly(&scratch);
        let draft = Digest::of(&fs::read(&draft).unwrap()).to_string();
        let loaded = ended.said("loaded");
        assert!(loaded.iter().all(|it| it.text("sha256") != draft), "{last}");
    }
}

#[test]
fn a_cargo_that_waits_for_another_is_said_with_the_remedy() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    package.build(&[]);
    package.edit("as edited");
    let lock = File::open(package.target().join("debug/.cargo-lock")).unwrap();
    lock.lock().unwrap();
    let mut program = dev(&scratch, &package, &[]);
    let blocked = program.wait_for_event("blocked");
    assert!(blocked.text("reason").contains("--target-dir"));
    drop(lock);
    program.wait_for_answer("as edited");
    program.stop_cleanly(&scratch);
}

#[test]
fn a_package_that_makes_no_library_any_more_keeps_what_is_live_until_it_is_mended() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let manifest = std::fs::read_to_string(package.manifest()).unwrap();
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("as it was");
    package.write("Cargo.toml", &manifest.replace("cdylib", "lib"));
    let failed = program.wait_for_event("failed");
    let message = failed.0["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("crate-type"), "{message}");
    program.wait_for_answer("as it was");
    // Its new sources are followed.
    let elsewhere = manifest.replace("[\"cdylib\"]", "[\"lib\"]\npath = \"far/code.rs\"");
    let far = package.manifest().with_file_name("far");
    fs::create_dir(&far).unwrap();
    fs::write(far.join("code.rs"), "").unwrap();
    package.write("Cargo.toml", &elsewhere);
    program.wait_for_event("failed");
    fs::write(far.join("code.rs"), "// edited").unwrap();
    let building = program.wait_for_event("building");
    let saved = building.0["changed"].to_string();
    assert!(saved.contains("far/code.rs"), "{saved}");
    package.write("Cargo.toml", &manifest);
    package.edit("as mended");
    program.wait_for_answer("as mended");
    program.stop_cleanly(&scratch);
}

/// A package that answers `one`, and another one beside it, which answers `two`, with its source.
fn two_packages(scratch: &Scratch) -> (Package, String) {
    let package = Package::plugin(scratch, "one");
    let root = package.manifest().with_file_name("");
    let source = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let manifest = std::fs::read_to_string(package.manifest()).unwrap();
    let other = manifest
        .replace("tiny", "other")
        .replace("[workspace]\n", "");
    std::fs::create_dir_all(root.join("other/src")).unwrap();
    let source = source.replace("one", "two");
    package.write("other/Cargo.toml", &other);
    package.write("other/src/lib.rs", &source);
    let members = manifest.replace("[workspace]", "[workspace]\nmembers = [\"other\"]");
    package.write("Cargo.toml", &members);
    (package, source)
}

#[test]
fn several_packages_are_built_together_and_each_answers() {
    let scratch = Scratch::new();
    let (package, source) = two_packages(&scratch);
    let mut program = dev(&scratch, &package, &["-p", "other"]);
    program.wait_for_answer("two");
    package.write("other/src/lib.rs", &source.replace("two", "three"));
    let line = program.wait_for_answer("three");
    assert_eq!(
        (line.text("plugin"), line.number("generation")),
        ("other", 2)
    );
    let line = program.wait_for_answer("one");
    assert_eq!(
        (line.text("plugin"), line.number("generation")),
        ("tiny", 1)
    );
    program.stop_cleanly(&scratch);
}

#[test]
fn what_is_built_beside_a_package_that_fails_goes_live_with_it_when_that_is_mended() {
    let scratch = Scratch::new();
    let (package, source) = two_packages(&scratch);
    let mut program = dev(&scratch, &package, &["-p", "other"]);
    program.wait_for_answer("two");
    program.wait_for_answer("one");
    package.write("other/src/lib.rs", &format!("{source} mistake"));
    program.wait_for_event("failed");
    package.edit("as edited");
    program.wait_for_event("failed");
    program.go_on_for(A_WHILE);
    let live = |program: &Program| program.said("live").len();
    assert_eq!(live(&program), 2, "{:?}", program.said("loaded"));
    package.write("other/src/lib.rs", &source.replace("two", "three"));
    program.wait_for_answer("as edited");
    program.wait_for_answer("three");
    assert_eq!(live(&program), 4);
    let ended = program.stop_cleanly(&scratch);
    assert!(ended.said("warning").is_empty());
}

#[test]
fn a_package_that_makes_no_library_is_an_error() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "lib");
    let ended = dev(&scratch, &package, &[]).end();
    ended.assert_failed(1, &["`tiny`", "crate-type = [\"cdylib\"]"]);
}

#[test]
fn without_a_package_it_is_bad_usage() {
    let scratch = Scratch::new();
    let ended = Program::start(Program::command_of("dev", &scratch)).end();
    ended.assert_failed(2, &["--package", "replug dev"]);
}

#[test]
fn a_host_of_the_users_own_runs_beside_the_builds_and_ends_with_them() {
    /// A busy machine can be so slow that the host is killed before it has ended by itself.
    const TRIES: u32 = 10;
    let is_asked = (0..TRIES).any(|_| host_beside_builds_ends_by_itself());
    assert!(is_asked, "the host is killed each time");
}

/// Runs a host beside builds, and ends both. Returns whether the host has ended by itself; then it has left nothing.
#[track_caller]
fn host_beside_builds_ends_by_itself() -> bool {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let (said, stage) = (scratch.join("said"), scratch.join("stage-of-host"));
    fs::create_dir(&stage).unwrap();
    let host = format!(
        "exec '{}' run --json --every-ms 20 --stage-dir '{}' '{}' > '{}'",
        program().display(),
        stage.display(),
        package.library().display(),
        said.display()
    );
    let mut program = dev(&scratch, &package, &["--", "sh", "-c", &host]);
    let host = program.wait_for_event("command").number("pid");
    let answers = |text: &str| {
        let said = std::fs::read_to_string(&said).unwrap_or_default();
        said.lines()
            .any(|line| line.contains(r#""event":"result""#) && line.contains(text))
    };
    wait_until("the host to answer", || answers("as it was"));
    package.edit("as edited");
    program.wait_for_event("built");
    wait_until("the host to answer anew", || answers("as edited"));
    let ended = program.stop_cleanly(&scratch);
    wait_until("the end of the host", || !is_there(host));
    assert_eq!(ended.said("command").len(), 1);
    assert_eq!(ended.said("ended").len(), 0);
    let said = fs::read_to_string(&said).unwrap();
    let has_stopped = said.contains(r#""event":"stopped""#);
    assert!(!has_stopped || fs::read_dir(&stage).unwrap().count() == 0);
    has_stopped
}

#[test]
fn the_end_of_the_command_is_said_and_the_next_build_starts_it_again() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    // Each line of the program's output is JSON, whatever the command writes.
    let options = ["--", "sh", "-c", "echo no JSON; exit 7"];
    let mut program = dev(&scratch, &package, &options);
    let ended = program.wait_for_event("ended");
    assert!(ended.text("status").contains('7'), "{ended:?}");
    package.edit("as edited");
    program.wait_for_event("command");
    program.wait_for_event("ended");
    program.stop_cleanly(&scratch);
}

#[test]
fn a_command_that_does_not_heed_the_end_is_killed() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let trapped = scratch.join("trapped");
    let stubborn = format!(
        "trap '' TERM; : > '{}'; while :; do sleep 1; done",
        trapped.display()
    );
    let options = ["--", "sh", "-c", &stubborn];
    let mut program = dev(&scratch, &package, &options);
    let command = program.wait_for_event("command").number("pid");
    wait_until("the command to be stubborn", || trapped.exists());
    program.stop_cleanly(&scratch);
    wait_until("end of the command", || !is_there(command));
}

#[test]
fn a_command_that_cannot_be_run_is_an_error() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let ended = dev(&scratch, &package, &["--", "/no/such/host"]).end();
    ended.assert_failed(1, &["cannot run `/no/such/host`", "No such file"]);
}
