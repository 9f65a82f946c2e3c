//! Programs that write a library onto the path that is watched.

use std::env::consts::ARCH;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::tools::inotify;
use crate::watched::Watched;

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// `cp`, which writes over what is there.
    Copy,
    /// A linker of this name, as `cc -fuse-ld=` knows it, which is given an archive.
    Linker(&'static str),
}

/// What comes after its work, in the watched directory.
const END: &str = "end";

impl Writer {
    /// Why it cannot write here, in words.
    pub fn is_absent(self) -> Option<String> {
        let Writer::Linker(name) = self else {
            return None;
        };
        let mut asked = linker(name);
        asked.arg("-Wl,--version").stdout(Stdio::null());
        let status = asked.stderr(Stdio::null()).status();
        let is_there = status.is_ok_and(|status| status.success());
        (!is_there).then(|| format!("{name} is not installed"))
    }

    /// Makes the library of what is at `from`, and says when it was closed for the last time, or got its name.
    pub fn write(self, from: &Path, watched: &Watched) -> Instant {
        let library = watched.library();
        let mut command = match self {
            Writer::Copy => Command::new("cp"),
            Writer::Linker(name) => linker(name),
        };
        match self {
            Writer::Copy => command.args([from, &library]),
            // All of it, for what is exported is not called from within; and without the debug information of std, as the
            // other libraries are.
            Writer::Linker(_) => command
                .args(["-shared", "-Wl,--strip-debug", "-Wl,--whole-archive"])
                .arg(from)
                .args(["-Wl,--no-whole-archive", "-lgcc_s", "-lm", "-o"])
                .arg(&library),
        };
        last_closed(watched, || {
            let status = command.status().expect("it can be started");
            assert!(status.success(), "{command:?}: {status}");
        })
    }
}

fn linker(name: &str) -> Command {
    let mut command = Command::new("cc");
    command.arg(format!("-fuse-ld={name}"));
    // Rust brings an lld, which not all systems have.
    if let Some(directory) = linkers_of_rust() {
        command.arg("-B").arg(directory);
    }
    command
}

/// Where they are, under the names by which a compiler asks for them.
fn linkers_of_rust() -> Option<PathBuf> {
    let said = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = String::from_utf8(said.ok()?.stdout).ok()?;
    let target = format!("lib/rustlib/{ARCH}-unknown-linux-gnu/bin/gcc-ld");
    Some(Path::new(sysroot.trim_end()).join(target))
}

/// When the watched library was closed after writing, or renamed into its place, for the last time during `work`.
fn last_closed(watched: &Watched, work: impl FnOnce()) -> Instant {
    let mut events = inotify::watch(watched.directory());
    let library = watched.library();
    thread::scope(|scope| {
        let last = scope.spawn(|| {
            let mut buffer = [0; 4096];
            let mut last = None;
            loop {
                let seen = events.read_events_blocking(&mut buffer);
                for event in seen.expect("the directory is watched") {
                    if event.name == library.file_name() {
                        last = Some(Instant::now());
                    }
                    if event.name.is_some_and(|name| name == END) {
                        return last;
                    }
                }
            }
        });
        work();
        File::create(watched.directory().join(END)).expect("the directory can be written to");
        let last = last.join().expect("a thread that reads events");
        last.expect("the library was written")
    })
}
