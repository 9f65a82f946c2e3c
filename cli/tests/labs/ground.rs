//! A lab for strange ground: a system that refuses calls, a file that is mounted alone, and a filesystem that takes the
//! place of its twin.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use vocabulary::{Artifact, Program, Scratch, library, version};

use crate::assert_installed;
use crate::mounts::{Mounted, with_mounts};

/// The calls that filters of containers refuse, or refused before they knew them, with the error that they answer.
const REFUSED: [(&str, &str); 8] = [
    ("statx", "EPERM"),
    ("statx", "ENOSYS"),
    ("statfs", "EPERM"),
    ("memfd_create", "ENOSYS"),
    ("fadvise64", "EPERM"),
    ("linkat", "EPERM"),
    ("flock", "EPERM"),
    ("getrandom", "ENOSYS"),
];

/// The program, which watches `path`, on a system that answers a call with this error.
fn refusing(scratch: &Scratch, path: &Path, (call, error): (&str, &str), fs: &str) -> Program {
    assert_installed("strace");
    let program = Program::command(scratch);
    let mut command = Command::new("strace");
    command
        // The tracer runs as a grandchild of ours, so that the program itself is our child.
        .args(["-D", "-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:error={error}")])
        .arg(program.get_program())
        .args(program.get_args())
        .args(["--interval-ms", "20", "--every-ms", "20", "--fs", fs])
        .arg(path);
    Program::start(command)
}

#[test]
fn a_call_that_the_system_refuses_ends_no_reloading() {
    for refused in REFUSED {
        for fs in ["local", "remote"] {
            let scratch = Scratch::new();
            let artifact = scratch.artifact();
            artifact.link(&library(1));
            let mut program = refusing(&scratch, artifact.path(), refused, fs);
            for number in 1..=3 {
                artifact.link(&library(number));
                program.wait_for_answer(&version(number));
            }
            let ended = program.stop();
            assert_eq!(ended.said("degraded").len(), 0, "{refused:?}, {fs}");
            let warnings = ended.said("warning");
            let about: Vec<_> = warnings.iter().map(|line| line.text("about")).collect();
            match refused {
                ("statx", _) => assert_eq!(about, ["plain-looks"], "{refused:?}, {fs}"),
                _ => assert_eq!(about, [] as [&str; 0], "{refused:?}, {fs}"),
            }
        }
    }
}

#[test]
fn a_mount_of_one_file_whose_name_is_gone_is_said_once() {
    let scratch = Scratch::new();
    let (artifact, built) = (scratch.artifact(), Artifact::at(scratch.join("built.so")));
    built.replace_with(&library(1));
    artifact.link(b"what is mounted over");
    let mut command = Program::command(&scratch);
    command.args(["--interval-ms", "20", "--every-ms", "20"]);
    command.arg(artifact.path());
    let bound = Mounted::bound(built.path(), artifact.path());
    let mut program = Program::start(with_mounts(&command, &[bound]));
    program.wait_for_answer(&version(1));
    built.replace_with(&library(2));
    let warning = program.wait_for_event("warning");
    assert_eq!(warning.text("about"), "no-name");
    assert!(warning.text("reason").contains("mount its directory"));
    program.go_on_for(Duration::from_millis(300));
    let ended = program.stop();
    assert_eq!(ended.said("warning").len(), 1);
    assert_eq!(ended.said("loaded").len(), 1);
}

/// Runs a command that must succeed.
#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A loop device, which is let go of at the end of the lab.
struct Device(PathBuf);

impl Device {
    /// Attaches an image to a free device, which is found and taken in one step: others look for one too.
    #[track_caller]
    fn of(image: &Path) -> Device {
        let mut losetup = Command::new("losetup");
        losetup.args(["--find", "--show"]).arg(image);
        let output = losetup.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Device(String::from_utf8(output.stdout).unwrap().trim().into())
    }

    /// Forgets what was read.
    fn forget(&self) {
        run(Command::new("blockdev").arg("--flushbufs").arg(&self.0));
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .arg("--detach")
            .arg(&self.0)
            .output();
    }
}

#[test]
fn a_filesystem_in_the_place_of_its_twin_is_noticed_though_every_stamp_is_equal() {
    let scratch = Scratch::new();
    let (image, at) = (scratch.join("image"), scratch.join("at"));
    fs::create_dir(&at).unwrap();
    let source = scratch.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("libx.so"), library(1)).unwrap();
    run(Command::new("mkfs.ext4")
        .arg("-q")
        .arg("-d")
        .arg(&source)
        .arg(&image)
        .arg("64M"));
    let device = Device::of(&image);
    let artifact = at.join("libx.so");
    let mut command = Program::command(&scratch);
    command
        .args(["--every-ms", "20", "--audit", "off"])
        .arg(&artifact);
    let mounted = Mounted::device(&device.0, &at);
    let mut program = Program::start(with_mounts(&command, &[mounted]));
    program.wait_for_answer(&version(1));
    // Stamps in whole seconds are in doubt for two seconds, and the library is read once more then.
    program.go_on_for(Duration::from_secs(3));
    // The program looks at nothing meanwhile, so that no look finds the file gone.
    program.signal(Signal::STOP);
    let inside = |script: &str| {
        let number = program.id().to_string();
        run(Command::new("nsenter")
            .args(["--mount", "--target", &number, "sh", "-c", script, "sh"])
            .args([&device.0, &at]));
    };
    inside("umount \"$2\"");
    let twin = replaced(fs::read(&image).unwrap(), &version(1), &version(2));
    // In the very file: a device that is let go of for a moment can be taken by others.
    let mut file = File::options().write(true).open(&image).unwrap();
    file.write_all(&twin).unwrap();
    device.forget();
    inside("mount \"$1\" \"$2\"");
    program.signal(Signal::CONT);
    program.wait_for_answer(&version(2));
    program.stop();
}

/// The bytes with each `old` text replaced by a `new` one of the same length.
fn replaced(mut bytes: Vec<u8>, old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut at = 0;
    while let Some(end) = bytes.get(at..at + old.len()) {
        if end == old.as_bytes() {
            bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
        }
        at += 1;
    }
    bytes
}
