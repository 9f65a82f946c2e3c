//! A lab of what `replug doctor` says of filesystems: of one behind a daemon, of one that hangs, of those that are full
//! or let no code be mapped, and of a file that is mounted by itself. It leaves nothing, also if it is stopped
//! half-way.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use vocabulary::{Ended, Line, Program, Scratch, library, program, wait_until};

use crate::mounts::{Mounted, with_mounts};
use crate::served::Mount;
use crate::shared::Shared;

fn command(path: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(["doctor", "--json"]).arg(path);
    command
}

/// The line of this weight about a subject.
#[track_caller]
fn line<'a>(ended: &'a Ended, event: &str, about: &str) -> &'a Line {
    let lines = ended.said(event);
    let line = lines.into_iter().find(|line| line.text("about") == about);
    line.unwrap_or_else(|| panic!("no {event} about {about} in {:#?}", ended.said))
}

/// A directory of this name in a scratch directory.
fn directory(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.join(name);
    fs::create_dir(&path).unwrap();
    path
}

#[test]
fn behind_a_daemon_changes_are_measured_and_it_is_said_that_no_events_would_arrive() {
    let shared = Shared::new();
    fs::write(shared.server.join("libx.so"), library(1)).unwrap();
    let _mount = Mount::bindfs(&shared.server, &shared.client);
    let ended = Program::start(command(&shared.client)).end();
    assert_eq!(ended.said("finding"), [] as [&Line; 0]);
    assert!(
        line(&ended, "ok", "filesystem")
            .text("words")
            .contains("remote")
    );
    assert!(
        line(&ended, "note", "events")
            .text("words")
            .contains("`fuse`")
    );
    let changes = line(&ended, "note", "changes").text("words");
    assert!(changes.contains("ms (renamed over)"), "{changes}");
    assert!(
        line(&ended, "note", "leases")
            .text("words")
            .contains("does not tell")
    );
    line(&ended, "ok", "locks");
    assert_eq!(fs::read_dir(&shared.server).unwrap().count(), 1);
}

#[test]
fn stopped_half_way_it_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let shared = Shared::new();
        let _mount = Mount::bindfs(&shared.server, &shared.client);
        let mut command = command(&shared.client);
        command
            .env("TMPDIR", shared.scratch.stage())
            .env_remove("XDG_RUNTIME_DIR");
        let program = Program::start(command);
        let made = || fs::read_dir(&shared.server).unwrap().count();
        wait_until("its file", || made() == 1);
        program.signal(signal);
        let ended = program.end();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        assert_eq!(
            ended.said("doctor"),
            [] as [&Line; 0],
            "it was stopped half-way"
        );
        assert_eq!(made(), 0);
        shared.scratch.assert_nothing_staged();
    }
}

#[test]
fn a_filesystem_that_does_not_answer_is_a_finding_and_the_machine_is_looked_at_all_the_same() {
    let shared = Shared::new();
    let mount = Mount::bindfs(&shared.server, &shared.client);
    mount.hang();
    let mut command = command(&shared.client);
    command
        .env("TMPDIR", shared.scratch.stage())
        .env_remove("XDG_RUNTIME_DIR");
    let mut program = Program::start(command);
    program.wait_for_event("finding");
    program.wait_for_event("doctor");
    // The kernel may keep a process of which a thread waits for the daemon.
    mount.go_on();
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(1));
    let hung = line(&ended, "finding", "hung");
    assert!(
        hung.text("words").contains("(`fuse`) does not answer"),
        "{hung:?}"
    );
    line(&ended, "ok", "limits");
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_place_without_room_is_a_finding_for_the_path_and_for_copies() {
    let scratch = Scratch::new();
    let full = directory(&scratch, "full");
    // A page for the directory and none for what is in it.
    let tmpfs = || Mounted::tmpfs(&full, "nr_inodes=1,mode=1777".to_owned());
    let ended = Program::start(with_mounts(&command(&full), &[tmpfs()])).end();
    assert_eq!(ended.status.code(), Some(1));
    line(&ended, "finding", "room");

    let little = Mounted::tmpfs(&full, "size=1m,mode=1777".to_owned());
    let mut of_copies = command(scratch.path());
    of_copies.env("TMPDIR", &full).env_remove("XDG_RUNTIME_DIR");
    let ended = Program::start(with_mounts(&of_copies, &[little])).end();
    assert_eq!(ended.status.code(), Some(1));
    let stage = line(&ended, "finding", "stage").text("words");
    assert!(stage.contains("MiB of room"), "{stage}");
}

#[test]
fn a_directory_that_lets_no_code_be_mapped_is_passed_over_with_the_reason() {
    let scratch = Scratch::new();
    let temporary = directory(&scratch, "tmp");
    let tmpfs = Mounted::tmpfs(&temporary, "noexec,mode=1777".to_owned());
    let mut command = command(scratch.path());
    command
        .env("TMPDIR", &temporary)
        .env_remove("XDG_RUNTIME_DIR");
    let ended = Program::start(with_mounts(&command, &[tmpfs])).end();
    let stage = line(&ended, "note", "stage");
    assert!(stage.text("words").contains("`noexec`"), "{stage:?}");
    assert_eq!(ended.stderr, "", "the log does not say it again");
}

#[test]
fn a_file_that_is_mounted_by_itself_is_a_finding_and_a_directory_is_none() {
    let scratch = Scratch::new();
    let (outside, inside) = (
        directory(&scratch, "outside"),
        directory(&scratch, "inside"),
    );
    let (build, seen) = (outside.join("libx.so"), inside.join("libx.so"));
    fs::write(&build, library(1)).unwrap();
    fs::write(&seen, "").unwrap();
    let alone = with_mounts(&command(&seen), &[Mounted::bound(&build, &seen)]);
    let ended = Program::start(alone).end();
    assert_eq!(ended.status.code(), Some(1));
    let mount = line(&ended, "finding", "mount");
    assert!(
        mount.text("remedy").contains("mount its directory"),
        "{mount:?}"
    );
    let whole = with_mounts(&command(&seen), &[Mounted::bound(&outside, &inside)]);
    let ended = Program::start(whole).end();
    assert_eq!(ended.said("finding"), [] as [&Line; 0]);
}

#[test]
fn where_nothing_can_be_made_nothing_is_measured_and_that_is_said() {
    let scratch = Scratch::new();
    let directory = directory(&scratch, "plugins");
    fs::write(directory.join("libx.so"), library(1)).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let tmpfs = Mounted::tmpfs(&directory, "ro".to_owned());
    let ended = Program::start(with_mounts(&command(&directory), &[tmpfs])).end();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.said);
    let changes = line(&ended, "note", "changes").text("words");
    assert!(changes.contains("nothing was measured"), "{changes}");
}

/// What the program says to a user who owns nothing here.
fn of_a_stranger(scratch: &Scratch, path: &Path) -> Ended {
    const NOBODY: u32 = 65_534;
    // The target directory may be one that only root can enter.
    let copy = scratch.join("replug");
    let copied = Command::new("cp").args([&program(), &copy]).status();
    assert!(copied.unwrap().success());
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(copy);
    command
        .args(["doctor", "--json"])
        .arg(path)
        .current_dir(scratch.path());
    command.uid(NOBODY).gid(NOBODY);
    Program::start(command).end()
}

#[test]
fn what_a_user_may_not_do_is_said_once() {
    let scratch = Scratch::new();
    let directory = directory(&scratch, "plugins");
    fs::write(directory.join("libx.so"), library(1)).unwrap();
    let open = of_a_stranger(&scratch, &directory);
    let leases = line(&open, "note", "leases").text("words");
    assert!(leases.contains("as it tells its owner"), "{leases}");
    for (mode, telling) in [(0o700, "cannot list"), (0o711, "cannot list")] {
        fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        let ended = of_a_stranger(&scratch, &directory);
        assert_eq!(ended.status.code(), Some(1));
        let findings = ended.said("finding");
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(findings[0].text("words").contains(telling), "{findings:?}");
        assert!(
            ended
                .said("ok")
                .iter()
                .all(|line| line.text("about") != "library")
        );
    }
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    let ended = of_a_stranger(&scratch, &directory.join("libx.so"));
    let of_path = |line: &&Line| line.text("about") == "path";
    assert_eq!(ended.said("finding").into_iter().filter(of_path).count(), 1);
    assert_eq!(
        ended.said("note").into_iter().filter(of_path).count(),
        0,
        "something may be there"
    );
}
