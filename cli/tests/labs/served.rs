//! Mounts, and the daemons that serve them: bindfs, which keeps names and attributes in the kernel, and sshfs, which
//! keeps them in a process of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{Scratch, wait_for_exit, wait_until};

use crate::assert_installed;

/// A mount, and the daemon that serves it. Both end when this is dropped.
pub struct Mount {
    daemon: Child,
    at: PathBuf,
    /// The processes without which the mount does not answer.
    serving: Vec<Pid>,
}

impl Mount {
    /// A mount that shows `server` through a daemon that keeps names, found or not, and attributes for a minute.
    pub fn bindfs(server: &Path, at: &Path) -> Mount {
        assert_installed("bindfs");
        let mut command = Command::new("bindfs");
        let remembers = "attr_timeout=60,entry_timeout=60,negative_timeout=60";
        command.args(["-f", "-o", remembers]);
        command.args([server, at]);
        Mount::serve(command, at)
    }

    fn serve(mut command: Command, at: &Path) -> Mount {
        let daemon = command.stdin(Stdio::null()).spawn();
        let daemon = daemon.expect("the daemon can be started");
        let mount = Mount {
            serving: vec![Pid::from_child(&daemon)],
            daemon,
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

    /// Nothing is answered until it is told to [go on](Mount::go_on).
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for process in &self.serving {
            // A process that has ended does not hear this.
            let _ = kill_process(*process, signal);
        }
    }

    /// Ends the daemon, and leaves a mount that nobody serves.
    pub fn kill(&mut self) {
        self.daemon.kill().unwrap();
        wait_for_exit(&mut self.daemon);
    }

    /// Takes the filesystem away, and leaves the empty directory it was mounted on.
    pub fn unmount(mut self) {
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
        // A daemon that was stopped must go on to end.
        self.go_on();
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.at)
            .stderr(Stdio::null())
            .status();
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// An sshd of the lab's own.
pub struct Sshd {
    daemon: Child,
    port: u16,
    directory: PathBuf,
}

impl Sshd {
    pub fn start(scratch: &Scratch) -> Sshd {
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
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        sshd
    }

    pub fn mount(&self, server: &Path, at: &Path, options: &str) -> Mount {
        assert_installed("sshfs");
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
        let others = self.servers();
        let mut mount = Mount::serve(command, at);
        // A mount is there before anybody serves it.
        wait_until("server of this mount", || {
            mount.serving = self.servers();
            mount.serving.retain(|server| !others.contains(server));
            !mount.serving.is_empty()
        });
        mount
    }

    /// The processes that serve its mounts.
    fn servers(&self) -> Vec<Pid> {
        let mut servers = below(Pid::from_child(&self.daemon));
        servers.retain(|server| {
            let number = server.as_raw_nonzero();
            let command = fs::read_to_string(format!("/proc/{number}/cmdline"));
            command.is_ok_and(|command| command.contains("sftp"))
        });
        servers
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
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The processes that a process has started, and those that they have started.
fn below(process: Pid) -> Vec<Pid> {
    let number = process.as_raw_nonzero();
    // A process that has ended has started nothing that is still below it.
    let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().map(|child| {
        let number = child.parse().expect("the number of a process");
        Pid::from_raw(number).expect("a number above zero")
    });
    children
        .flat_map(|child| [vec![child], below(child)].concat())
        .collect()
}
