//! `replug new`: a workspace that builds, runs, tests and reloads as it is.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vocabulary::{Scratch, Speaker, cargo, program, target_tmp, workspace};

/// A workspace that `replug new` made, in a scratch directory.
struct Made {
    scratch: Scratch,
    name: &'static str,
    /// What the program said.
    said: String,
}

impl Made {
    #[track_caller]
    fn new(name: &'static str, host: &[&str]) -> Made {
        let scratch = Scratch::new();
        let made = new(&scratch, &[&[name], host].concat());
        assert!(made.status.success(), "{made:?}");
        let said = String::from_utf8(made.stdout).unwrap();
        Made {
            scratch,
            name,
            said,
        }
    }

    fn directory(&self) -> PathBuf {
        self.scratch.join(self.name)
    }

    /// A command in the workspace. What cargo builds for one workspace serves the next.
    fn command(&self, mut command: Command) -> Command {
        command
            .current_dir(self.directory())
            .env("CARGO_NET_OFFLINE", "true")
            // Nobody debugs what is built here, and it would be most of what is written.
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        command
    }

    /// Runs cargo in the workspace, which must succeed and warn of nothing.
    #[track_caller]
    fn cargo(&self, arguments: &[&str]) -> String {
        let mut cargo = self.command(cargo());
        cargo.args(arguments).env("CARGO_TARGET_DIR", target());
        let ended = cargo.output().unwrap();
        let [said, errors] =
            [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(ended.status.success(), "{said}{errors}");
        assert!(!errors.contains("warning"), "{errors}");
        said
    }

    /// Builds all of it, and tests a reload, as a new user does.
    #[track_caller]
    fn assert_builds_and_tests(&self) {
        self.cargo(&["build"]);
        let said = self.cargo(&["test"]);
        assert!(said.contains("test result: ok. 1 passed"), "{said}");
        self.cargo(&["fmt", "--check"]);
    }
}

/// The target directory of all such workspaces. Their packages have names of their own.
fn target() -> PathBuf {
    target_tmp().join("made")
}

/// Lets one test at a time build in that directory: another build in it is waited for, and a test waits no longer than it must.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new(scratch: &Scratch, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("new").args(arguments);
    command.current_dir(scratch.path()).output().unwrap()
}

#[track_caller]
fn assert_refused(scratch: &Scratch, arguments: &[&str], status: i32, words: &str) {
    let refused = new(scratch, arguments);
    assert_eq!(refused.status.code(), Some(status), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_loop_builds_and_tests_as_it_is_and_dev_brings_a_change_into_the_world_that_goes_on() {
    let _alone = alone();
    let made = Made::new("pendulum", &[]);
    made.assert_builds_and_tests();
    let next = "replug dev -p pendulum-rules -- cargo run\n";
    assert!(made.said.contains(next), "{}", made.said);

    let mut dev = made.command(Command::new(program()));
    dev.args(["dev", "-p", "pendulum-rules", "--target-dir"])
        .arg(target())
        // A host on a busy machine can be ended before it has taken its copies away.
        .args(["--", "env"])
        .arg(format!("TMPDIR={}", made.scratch.path().display()))
        .args(["cargo", "run", "--quiet", "--target-dir"])
        .arg(target());
    let mut dev = Speaker::start(&mut dev, &made.scratch);
    dev.wait_for(" m so far");
    let rules = made.directory().join("rules/src/lib.rs");
    let source = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, source.replace("so far", "by now")).unwrap();
    let line = dev.wait_for(" m by now");
    assert!(!line.starts_with("step 1:"), "the world began anew: {line}");
    dev.end(&made.scratch);
}

#[test]
fn a_server_builds_and_tests_as_it_is_and_answers() {
    let _alone = alone();
    let made = Made::new("kiosk", &["--host", "server"]);
    made.assert_builds_and_tests();
    assert!(made.said.contains("-p kiosk-handler "), "{}", made.said);

    let mut server = made.command(Command::new(target().join("debug/kiosk")));
    // Port 0 is any port that is free.
    let mut server = Speaker::start(server.arg("0"), &made.scratch);
    let listening = server.wait_for("listening on ");
    let (_, address) = listening.split_once("listening on ").unwrap();
    server.wait_for("is live");
    for (path, status, text) in [
        ("/greet/you", "200", "hello, you"),
        ("/none", "404", "no such thing"),
    ] {
        let mut client = TcpStream::connect(address).unwrap();
        write!(client, "GET {path} HTTP/1.1\r\nhost: kiosk\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        let head = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&head), "{response}");
        assert!(response.contains(text), "{response}");
    }
    server.end(&made.scratch);
}

#[test]
fn the_crates_are_those_of_the_checkout_that_the_program_was_built_in_and_that_is_said() {
    let made = Made::new("pendulum", &["--path", "elsewhere"]);
    let root = workspace().to_str().unwrap();
    let said = format!("`elsewhere` is made, with replug's crates from the checkout `{root}`");
    assert!(made.said.contains(&said), "{}", made.said);
    assert!(made.said.contains("cd elsewhere\n"), "{}", made.said);
    let manifest = fs::read_to_string(made.scratch.join("elsewhere/Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("replug = {{ path = \"{root}\" }}")));
    assert!(!made.directory().exists());
}

#[test]
fn what_is_there_already_is_left_as_it_is() {
    let made = Made::new("pendulum", &[]);
    let manifest = made.directory().join("Cargo.toml");
    fs::write(&manifest, "mine").unwrap();
    let words = "cannot make `pendulum`: something is there already";
    assert_refused(&made.scratch, &["pendulum"], 1, words);
    assert_eq!(fs::read_to_string(manifest).unwrap(), "mine");
}

#[test]
fn a_wrong_name_and_a_wrong_checkout_are_refused_and_nothing_is_made() {
    let scratch = Scratch::new();
    for (name, words) in [("2d", "it begins with a letter"), ("fn", "a word of Rust")] {
        assert_refused(&scratch, &[name], 2, words);
        assert!(!scratch.join(name).exists());
    }
    let words = "cannot read `";
    assert_refused(&scratch, &["game", "--replug", "."], 1, words);
    assert!(!scratch.join("game").exists());
    assert_refused(
        &scratch,
        &["game", "--path", "no/such"],
        1,
        "cannot make `no/such`: ",
    );
}
