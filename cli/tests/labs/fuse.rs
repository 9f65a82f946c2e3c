//! A lab for filesystems whose changes are made elsewhere: FUSE mounts that keep names and attributes for a minute,
//! that hang, die and come back, and sshfs, which keeps them in a process of its own. Writers work on the server's
//! side, the program watches through the mount.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use replug::watch::{Files as _, OsFiles};
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{DEADLINE, Program, Scratch, library, pause, version, wait_for_exit, wait_until};

use crate::assert_installed;
use crate::shared::{CHANGES, FRESH, Shared, compare, time_to_answer};

/// A mount, and the daemon that serves it. Both end when this is dropped.
struct Mount {
    daemon: Child,
    at: PathBuf,
}

impl Mount {
    /// A mount that shows `server` through a daemon that keeps names and attributes for a minute.
    fn bindfs(server: &Path, at: &Path) -> Mount {
        assert_installed("bindfs");
        let mut command = Command::new("bindfs");
        command.args(["-f", "-o", "attr_timeout=60,entry_timeout=60"]);
        command.args([server, at]);
        Mount::serve(command, at)
    }

    fn serve(mut command: Command, at: &Path) -> Mount {
        let daemon = command.stdin(Stdio::null()).spawn();
        let mount = Mount {
            daemon: daemon.expect("the daemon can be started"),
            at: at.to_owned(),
        };
        wait_until("mount", || mount.is_there());
        mount
    }

    fn is_there(&self) -> bool {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let at = self.at.to_str().expect("a path that is text");
        mounts
            .lines()
            .any(|line| line.split(' ').nth(1) == Some(at))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.daemon), signal).unwrap();
    }

    /// Takes the filesystem away, and leaves the empty directory it was mounted on.
    fn unmount(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.at).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "cannot unmount"
        );
        wait_for_exit(&mut self.daemon);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A daemon that was stopped must go on to end; a daemon that has ended does not hear this.
        let _ = kill_process(Pid::from_child(&self.daemon), Signal::CONT);
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.at)
            .stderr(Stdio::null())
            .status();
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn a_mount_that_remembers_for_a_minute_is_asked_and_answers() {
    let times = compare("bindfs, 60 s", Mount::bindfs);
    for (change, time) in times {
        assert!(time < FRESH, "{change}: {time:?}");
    }
}

#[test]
fn a_directory_on_such_a_mount_is_asked_too() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    let _mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.client);
    assert_eq!(program.wait_for_event("started").text("locality"), "remote");
    program.go_on_for(Duration::from_secs(1));
    for (number, (change, publish)) in (1..).zip(CHANGES) {
        let publish = || publish(&artifact, &library(number));
        let time = time_to_answer(&mut program, number, publish);
        assert!(time < FRESH, "{change}: {time:?}");
    }
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 4);
    assert_eq!(
        ended.said("missing").len() + ended.said("degraded").len(),
        0
    );
    shared.scratch.assert_nothing_staged();
}

/// Waits for `event`, and returns how long it took from `since`, while calls go on.
#[track_caller]
fn time_to(program: &mut Program, event: &str, since: Instant) -> Duration {
    program.wait_for_event(event);
    since.elapsed()
}

#[test]
fn a_daemon_that_is_killed_and_comes_back_costs_two_words_and_no_reload() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mut mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));

    let killed = Instant::now();
    mount.signal(Signal::KILL);
    wait_for_exit(&mut mount.daemon);
    let degraded = time_to(&mut program, "degraded", killed);
    program.go_on_for(Duration::from_secs(3));
    program.wait_for_answer(&version(1));
    drop(mount);

    let back = Instant::now();
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let recovered = time_to(&mut program, "recovered", back);
    program.go_on_for(Duration::from_secs(2));
    assert_eq!(
        program.said("loaded").len(),
        1,
        "the bytes are what they were"
    );
    let updated = time_to_answer(&mut program, 2, || artifact.link(&library(2)));
    println!(
        "killed: degraded after {degraded:?}, recovered after {recovered:?}, next build after {updated:?}"
    );
    for time in [degraded, recovered, updated] {
        assert!(time < FRESH, "{time:?}");
    }
    let ended = program.stop();
    assert_eq!(ended.said("missing").len(), 0);
    // While nobody serves the mount, it is not connected; once it is taken away, there is another device without the
    // library.
    let degraded = ended.said("degraded");
    assert!(degraded.len() <= 2, "{degraded:#?}");
    assert_eq!(ended.said("recovered").len(), 1);
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_mount_that_is_lost_is_no_removal_and_what_was_built_meanwhile_is_loaded_when_it_is_back() {
    for watches_directory in [false, true] {
        let shared = Shared::new();
        let artifact = shared.artifact();
        artifact.link(&library(1));
        let mut mount = Mount::bindfs(&shared.server, &shared.client);
        let path = if watches_directory {
            shared.client.clone()
        } else {
            shared.seen()
        };
        let mut program = shared.watch(&path);
        program.wait_for_answer(&version(1));

        mount.unmount();
        let line = program.wait_for_event("degraded");
        assert!(line.text("reason").contains("is gone"), "{line:?}");
        program.go_on_for(Duration::from_secs(3));
        artifact.link(&library(2));
        let mount = Mount::bindfs(&shared.server, &shared.client);
        program.wait_for_answer(&version(2));
        program.wait_for_event("recovered");
        let ended = program.stop();
        assert_eq!(
            ended.said("missing").len(),
            0,
            "directory {watches_directory}"
        );
        assert_eq!(ended.said("degraded").len(), 1);
        assert_eq!(ended.said("loaded").len(), 2);
        drop(mount);
        shared.scratch.assert_nothing_staged();
    }
}

#[test]
fn a_daemon_that_hangs_is_noticed_by_the_owner_who_goes_on_calling() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.link(&library(1));
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));

    let hung = Instant::now();
    mount.signal(Signal::STOP);
    let stalled = time_to(&mut program, "stalled", hung);
    let calls = program.said("result").len();
    artifact.link(&library(2));
    program.go_on_for(Duration::from_secs(2));
    assert!(program.said("result").len() > calls, "calls go on");

    let back = Instant::now();
    mount.signal(Signal::CONT);
    // Which of the two is reported first is open.
    wait_until("its return", || {
        program.go_on_for(Duration::from_millis(50));
        program.said("recovered").len() == 1 && program.said("loaded").len() == 2
    });
    let updated = back.elapsed();
    program.wait_for_answer(&version(2));
    println!("hung: stalled after {stalled:?}; next build {updated:?} after its return");
    for time in [stalled, updated] {
        assert!(time < FRESH, "{time:?}");
    }
    let ended = program.stop();
    assert_eq!(
        ended.said("missing").len() + ended.said("degraded").len(),
        0
    );
    assert_eq!(ended.said("stalled").len(), 1);
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

#[test]
fn a_program_whose_filesystem_hangs_ends_its_work_when_told_to() {
    let shared = Shared::new();
    shared.artifact().link(&library(1));
    let mount = Mount::bindfs(&shared.server, &shared.client);
    let mut program = shared.watch(&shared.seen());
    program.wait_for_answer(&version(1));
    mount.signal(Signal::STOP);
    program.wait_for_event("stalled");
    program.signal(Signal::TERM);
    // The program has said its last word; whether the kernel can end a thread that waits for the daemon is another
    // matter.
    program.wait_for_event("stopped");
    // Time for the program to find that its thread does not end.
    pause(Duration::from_secs(2));
    mount.signal(Signal::CONT);
    let ended = program.end();
    assert!(ended.status.success(), "{:?}", ended.status);
    assert!(ended.stderr.contains("left behind"), "{}", ended.stderr);
    drop(mount);
    shared.scratch.assert_nothing_staged();
}

/// An sshd of the lab's own.
struct Sshd {
    daemon: Child,
    port: u16,
    directory: PathBuf,
}

impl Sshd {
    fn start(scratch: &Scratch) -> Sshd {
        let directory = scratch.join("ssh");
        fs::create_dir(&directory).unwrap();
        // The sshd refuses to start without this directory, which its package makes at boot.
        fs::create_dir_all("/run/sshd").unwrap();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(directory.join(key))
                .status();
            assert!(
                made.is_ok_and(|status| status.success()),
                "this lab needs openssh"
            );
        }
        let port = free_port();
        let shown = directory.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/user.pub\n\
             StrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\nPermitRootLogin yes\n"
        );
        let config_path = directory.join("config");
        fs::write(&config_path, config).unwrap();
        let daemon = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f"])
            .arg(&config_path)
            .spawn()
            .expect("this lab needs openssh-server");
        let sshd = Sshd {
            daemon,
            port,
            directory,
        };
        wait_until("answer of sshd", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        sshd
    }

    fn mount(&self, server: &Path, at: &Path, options: &str) -> Mount {
        let mut command = Command::new("sshfs");
        let key = self.directory.join("user");
        command
            .arg("-f")
            .arg(format!("127.0.0.1:{}", server.display()))
            .arg(at)
            .args(["-p", &self.port.to_string(), "-o"])
            .arg(format!("IdentityFile={}", key.display()))
            .args([
                "-o",
                "StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,LogLevel=ERROR",
            ]);
        if !options.is_empty() {
            command.args(["-o", options]);
        }
        Mount::serve(command, at)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn what_sshfs_remembers_delays_a_reload_and_does_not_prevent_it() {
    assert_installed("sshfs");
    for (name, options, bound) in [
        ("sshfs, defaults", "", DEADLINE),
        ("sshfs, `dir_cache=no`", "dir_cache=no", FRESH),
    ] {
        let scratch = Scratch::new();
        let sshd = Sshd::start(&scratch);
        let times = compare(name, |server, at| sshd.mount(server, at, options));
        for (change, time) in times {
            assert!(time < bound, "{name}, {change}: {time:?}");
        }
    }
}

/// A plain look, for comparison: it sees the mount's memory.
#[test]
fn a_plain_look_at_such_a_mount_sees_what_was() {
    let shared = Shared::new();
    let artifact = shared.artifact();
    artifact.overwrite(&library(1));
    let _mount = Mount::bindfs(&shared.server, &shared.client);
    let plain = || -> io::Result<_> { fs::metadata(shared.seen())?.modified() };
    let before = plain().unwrap();
    pause(Duration::from_millis(50));
    artifact.overwrite(&library(2));
    pause(Duration::from_secs(1));
    assert_eq!(
        plain().unwrap(),
        before,
        "were this fresh, none of this were needed"
    );
    let asked = OsFiles.look(&shared.seen()).unwrap();
    let written = fs::metadata(artifact.path()).unwrap();
    let real = std::os::unix::fs::MetadataExt::mtime_nsec(&written);
    assert_eq!(i64::from(asked.modified.nanoseconds), real);
}
