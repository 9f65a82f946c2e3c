//! `replug dev` on a terminal: the status, the first error, and the keys.

use std::process::Command;

use rustix::process::{Signal, kill_process};
use vocabulary::{Package, Scratch, Terminal, program, wait_until};

/// Enough columns for the whole status.
const COLUMNS: u16 = 120;

const CLEAR_LINE: &str = "\r\x1b[2K";

fn on_a_terminal(scratch: &Scratch, package: &Package) -> Terminal {
    let mut command = Command::new(program());
    command
        .args(["dev", "--every-ms", "20", "--stage-dir"])
        .arg(scratch.stage())
        .args(package.options());
    Terminal::start_with_keyboard(&command, COLUMNS)
}

fn shows(terminal: &Terminal, text: &str) -> bool {
    terminal.screen().iter().any(|line| line.contains(text))
}

#[track_caller]
fn wait_for_text(terminal: &mut Terminal, text: &str) {
    terminal.wait_for(text, |it| shows(it, text));
}

/// Waits until the last line has all of these words.
#[track_caller]
fn wait_for_status(terminal: &mut Terminal, words: &[&str]) {
    terminal.wait_for(&format!("{words:?} in the status"), |it| {
        let screen = it.screen();
        let status = screen.last().unwrap();
        words.iter().all(|word| status.contains(word))
    });
}

#[test]
fn the_status_shows_phase_times_generation_and_digest() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut terminal = on_a_terminal(&scratch, &package);
    wait_for_status(&mut terminal, &["building "]);
    let live = ["built ", " ms · live ", " ms · generation 1 · "];
    wait_for_status(&mut terminal, &live);
    package.edit("as edited");
    wait_for_text(&mut terminal, "as edited");
    wait_for_status(&mut terminal, &["built ", " · live ", " · generation 2 · "]);
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
    scratch.assert_nothing_staged();
}

#[test]
fn an_error_is_shown_whole_with_colours_and_the_others_are_counted() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut terminal = on_a_terminal(&scratch, &package);
    wait_for_text(&mut terminal, "as it was");
    package.write(
        "src/lib.rs",
        "fn a() -> u8 { \"\" }\nfn b() -> u16 { \"\" }\n",
    );
    wait_for_text(&mut terminal, "2 errors");
    let text = terminal.text();
    assert!(text.contains("src/lib.rs:1:16"), "{text}");
    assert!(!text.contains("src/lib.rs:2:17"), "only the first is shown");
    assert!(text.contains("merror[E0308]"), "no colour before: {text:?}");
    assert!(!text.contains("\x1b[2J"), "the screen is not cleared");
    wait_for_status(&mut terminal, &["failed", "generation 1"]);
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_build_that_is_held_waits_for_the_key() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut terminal = on_a_terminal(&scratch, &package);
    wait_for_status(&mut terminal, &["generation 1"]);
    terminal.press('h');
    wait_for_status(&mut terminal, &["held"]);
    package.edit("as edited");
    let ready = ["generation 1", "a build is ready, h applies it"];
    wait_for_status(&mut terminal, &ready);
    // The program does all that it does between two looks at the status, some times over.
    let changes = |terminal: &Terminal| terminal.text().matches(CLEAR_LINE).count();
    let before = changes(&terminal);
    terminal.wait_for("changing status", |it| changes(it) > before + 30);
    wait_for_status(&mut terminal, &ready);
    assert!(!shows(&terminal, "as edited"));
    terminal.press('h');
    wait_for_status(&mut terminal, &["generation 2"]);
    wait_for_text(&mut terminal, "as edited");
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn the_build_before_comes_back_at_a_key_and_the_newer_one_at_the_next() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut terminal = on_a_terminal(&scratch, &package);
    wait_for_status(&mut terminal, &["generation 1"]);
    terminal.press('b');
    wait_for_text(&mut terminal, "there is no build before this one");
    package.edit("as edited");
    wait_for_status(&mut terminal, &["generation 2"]);
    let digests = |terminal: &Terminal| {
        let status = terminal.screen().pop().unwrap();
        let digest = status.rsplit(" · ").next().unwrap().trim().to_owned();
        (digest, terminal.text().matches("as it was").count())
    };
    let (edited, calls) = digests(&terminal);
    terminal.press('b');
    wait_for_text(&mut terminal, "the build before is back");
    wait_for_status(&mut terminal, &["generation 3"]);
    let was = digests(&terminal).0;
    assert_ne!(was, edited);
    terminal.wait_for("calls of what was", |it| digests(it).1 > calls);
    // What cargo has made is there still, and needs no build.
    terminal.press('r');
    wait_for_status(&mut terminal, &["generation 4", &edited]);
    terminal.press('b');
    wait_for_status(&mut terminal, &["generation 5", &was]);
    terminal.press('b');
    wait_for_status(&mut terminal, &["generation 6", &edited]);
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
    scratch.assert_nothing_staged();
}

#[test]
fn to_go_back_to_nothing_ends_no_build() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut terminal = on_a_terminal(&scratch, &package);
    for (version, generation) in [("as it was", "generation 1"), ("as edited", "generation 2")] {
        package.edit(version);
        wait_for_status(&mut terminal, &["building "]);
        terminal.press('b');
        wait_for_status(&mut terminal, &["built ", generation]);
    }
    wait_for_text(&mut terminal, "there is no build before this one");
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_key_starts_the_command_again() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut command = Command::new(program());
    command.arg("dev").args(package.options());
    command.args(["--", "sh", "-c", "printf 'b%s\\n' egun; exec sleep 600"]);
    let mut terminal = Terminal::start_with_keyboard(&command, COLUMNS);
    let begun = |terminal: &Terminal| terminal.text().matches("begun").count();
    terminal.wait_for("the command", |it| begun(it) == 1);
    terminal.press('s');
    terminal.wait_for("the command once more", |it| begun(it) == 2);
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_command_that_wants_the_terminal_is_said_to_be_stopped() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut command = Command::new(program());
    command.arg("dev").args(package.options());
    command.args(["--", "sh", "-c", "read word < /dev/tty"]);
    let mut terminal = Terminal::start_with_keyboard(&command, COLUMNS);
    wait_for_text(&mut terminal, "it wants to read from the terminal");
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_host_beside_the_builds_goes_back_too() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let said = scratch.join("said");
    let host = format!(
        "exec '{}' run --json --every-ms 20 '{}' > '{}'",
        program().display(),
        package.library().display(),
        said.display()
    );
    let mut command = Command::new(program());
    command.arg("dev").args(package.options());
    command.args(["--", "sh", "-c", &host]);
    let mut terminal = Terminal::start_with_keyboard(&command, COLUMNS);
    let answer = || {
        let said = std::fs::read_to_string(&said).unwrap_or_default();
        let mut results = said.lines().filter(|line| line.contains("\"result\""));
        results.next_back().unwrap_or_default().to_owned()
    };
    wait_until("the host to answer", || answer().contains("as it was"));
    package.edit("as edited");
    wait_until("the new answer", || answer().contains("as edited"));
    // The host can be faster than the news of the build's end.
    terminal.wait_for("the end of the second build", |it| {
        it.text().matches("built in ").count() == 2
    });
    terminal.press('b');
    wait_until("the answer before", || answer().contains("as it was"));
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn keys_build_clear_and_tell_of_themselves() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut terminal = on_a_terminal(&scratch, &package);
    wait_for_status(&mut terminal, &["generation 1"]);
    assert!(shows(&terminal, "keys: r build"));
    terminal.press('r');
    wait_for_text(&mut terminal, "unchanged");
    terminal.press('c');
    let clear = "\x1b[2J\x1b[H";
    terminal.wait_for("cleared screen", |it| it.text().contains(clear));
    terminal.press('?');
    terminal.wait_for("help", |it| it.text().matches("keys: r build").count() == 2);
    terminal.press('q');
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn the_terminal_is_left_as_it_was_by_a_key_and_by_each_signal() {
    let signals = [Signal::INT, Signal::TERM, Signal::HUP].map(Some);
    for end in [None].into_iter().chain(signals) {
        let scratch = Scratch::new();
        let package = Package::plugin(&scratch, "as it was");
        let mut terminal = on_a_terminal(&scratch, &package);
        wait_for_text(&mut terminal, "as it was");
        assert!(!terminal.is_as_shells_expect());
        // A program that is stopped leaves a terminal that shows nothing.
        assert!(!terminal.has_a_key_that_stops());
        match end {
            Some(signal) => kill_process(terminal.id(), signal).unwrap(),
            None => terminal.press('q'),
        }
        assert_eq!(terminal.end().code(), Some(0), "{end:?}");
        assert!(terminal.is_as_shells_expect(), "{end:?}");
        assert!(terminal.has_a_key_that_stops(), "{end:?}");
        assert!(shows(&terminal, "stopped;"), "{end:?}");
        scratch.assert_nothing_staged();
    }
}

#[test]
fn a_terminal_that_is_closed_ends_the_session_well_with_all_that_it_began() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let mut terminal = on_a_terminal(&scratch, &package);
    wait_for_text(&mut terminal, "as it was");
    assert_eq!(terminal.close().code(), Some(0));
    scratch.assert_nothing_staged();
}
