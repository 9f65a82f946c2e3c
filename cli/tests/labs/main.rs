//! Labs: the real program under a tracer, on mounts of its own, and with tools that not everybody has.
//!
//! The labs need Linux, root or user namespaces, and what `.ci/run` installs: strace, rsync, util-linux, gdb,
//! systemd-tmpfiles, a nightly toolchain, FUSE and sshd. Those with two users need root. A lab that cannot run has failed. `docs/testing.md` has the command.
//! Written for Linux, where replug is proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

mod builds;
mod bytes;
mod calls;
mod containers;
mod counted;
mod debugged;
mod dev;
mod doctor;
mod faults;
mod faulty;
mod fuse;
mod ground;
mod hung;
mod idle;
mod leases;
mod mounts;
mod neighbours;
mod polls;
mod publishing;
mod served;
mod shared;
mod stage;
mod store;
mod tools;
mod unmounted;
mod users;
mod ways;

/// Runs a tool to see whether it is there.
#[track_caller]
fn assert_installed(tool: &str) {
    let output = std::process::Command::new(tool).arg("--version").output();
    assert!(
        output.as_ref().is_ok_and(|output| output.status.success()),
        "this lab needs {tool}: {output:?}"
    );
}
