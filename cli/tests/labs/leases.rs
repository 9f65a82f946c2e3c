//! A lab for leases: on each filesystem whose word about writers is believed, a writer in place that pauses; and on FUSE,
//! whose word is not.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use replug::Digest;
use vocabulary::{Artifact, Program, Scratch, library, version};

use crate::ground::run;
use crate::mounts::{Mounted, as_seen_by, with_mounts};
use crate::served::Mount;
use crate::shared::Shared;

/// The pauses of the writer: longer than any settle time that is usual.
const PAUSE: Duration = Duration::from_millis(700);

/// The size of an image, in bytes: as small as xfs can be. The file is empty but for what a filesystem writes.
const IMAGE: u64 = 320 * 1024 * 1024;

/// A writer that overwrites the library in place and pauses twice: when a whole library is there that it does not want
/// there, and half-way through the one that it wants.
fn is_waited_for(scratch: &Scratch, mounts: &[Mounted<'_>], at: &Path) {
    let path = at.join("libplugin01.so");
    let mut command = Program::command(scratch);
    command
        .args(["--interval-ms", "20", "--every-ms", "20"])
        .arg(&path);
    let mut program = Program::start(with_mounts(&command, mounts));
    program.wait_for_event("started");
    let seen = as_seen_by(program.id(), &path);
    Artifact::at(&seen).replace_with(&library(1));
    program.wait_for_answer(&version(1));

    let mut writer = File::create(&seen).unwrap();
    writer.write_all(&library(2)).unwrap();
    program.wait_for_waiting("written");
    program.go_on_for(PAUSE);
    writer.rewind().unwrap();
    let new = library(3);
    writer.write_all(&new[..new.len() / 2]).unwrap();
    program.go_on_for(PAUSE);
    writer.write_all(&new[new.len() / 2..]).unwrap();
    drop(writer);
    program.wait_for_answer(&version(3));
    let wanted = [library(1), new].map(|content| Digest::of(&content).to_string());
    assert_eq!(program.loaded(), wanted);
    program.stop();
}

/// A filesystem of this kind in a file of its own.
fn in_an_image(kind: &str) {
    let scratch = Scratch::new();
    let (image, at) = (scratch.join("image"), scratch.join("mounted"));
    File::create(&image).unwrap().set_len(IMAGE).unwrap();
    fs::create_dir(&at).unwrap();
    run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&image));
    is_waited_for(&scratch, &[Mounted::image(kind, &image, &at)], &at);
}

#[test]
fn a_writer_that_pauses_is_waited_for_on_ext4() {
    in_an_image("ext4");
}

#[test]
fn a_writer_that_pauses_is_waited_for_on_xfs() {
    in_an_image("xfs");
}

#[test]
fn a_writer_that_pauses_is_waited_for_on_btrfs() {
    in_an_image("btrfs");
}

#[test]
fn a_writer_that_pauses_is_waited_for_on_tmpfs() {
    let scratch = Scratch::new();
    let at = scratch.join("mounted");
    fs::create_dir(&at).unwrap();
    let mounts = [Mounted::tmpfs(&at, "size=64m".to_owned())];
    is_waited_for(&scratch, &mounts, &at);
}

/// The writer writes to the directory, and the program sees it under another path.
#[test]
fn a_writer_that_pauses_is_waited_for_through_a_bind_mount() {
    let scratch = Scratch::new();
    let (source, at) = (scratch.join("source"), scratch.join("mounted"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&at).unwrap();
    let mounts = [Mounted::bound(&source, &at)];
    is_waited_for(&scratch, &mounts, &at);
}

#[test]
fn a_writer_that_pauses_is_waited_for_on_an_overlay() {
    let scratch = Scratch::new();
    let memory = scratch.join("memory");
    let [lower, upper, work, at] = ["lower", "upper", "work", "at"].map(|name| memory.join(name));
    for directory in [&memory, &lower, &upper, &work, &at] {
        fs::create_dir(directory).unwrap();
    }
    let mounts = [Mounted::overlay(&lower, &upper, &work, &at)];
    is_waited_for(&scratch, &mounts, &at);
}

/// A lease on FUSE says nothing of who writes to the file behind it, so such a file must hold still, whatever the user
/// says of the filesystem.
#[test]
fn on_fuse_nobody_is_asked_who_writes() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.replace_with(&library(1));
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = Program::watch(&shared.scratch, &shared.seen(), &["--fs", "local"]);
    program.wait_for_answer(&version(1));
    let writer = artifact.overwrite_and_keep_open(&library(2));
    program.wait_for_waiting("settling");
    program.wait_for_answer(&version(2));
    drop(writer);
    let ended = program.stop();
    drop(mount);
    let waits = ended.said("waiting");
    assert!(waits.iter().all(|line| line.text("reason") != "written"));
}

/// The library is on another filesystem than the link that is watched.
#[test]
fn on_fuse_nobody_is_asked_who_writes_behind_a_link_either() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.replace_with(&library(1));
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let link = shared.scratch.join("libplugin01.so");
    symlink(shared.seen(), &link).unwrap();
    let mut program = Program::watch(&shared.scratch, &link, &[]);
    program.wait_for_answer(&version(1));
    let writer = artifact.overwrite_and_keep_open(&library(2));
    program.wait_for_waiting("settling");
    program.wait_for_answer(&version(2));
    drop(writer);
    program.stop();
    drop(mount);
}
