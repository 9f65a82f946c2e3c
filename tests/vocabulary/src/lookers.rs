//! Lookers: pollers as they are usually written, to compare with. Their program is `cli/tests/labs/looker`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{built, cargo_build, target_tmp, workspace};

/// The kinds of lookers: with `stat` in a loop, and as notify's `PollWatcher` does.
pub const KINDS: [&str; 2] = ["stat", "notify"];

/// The program of both kinds, built once. Its dependencies are nobody else's.
pub fn program() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = target_tmp().join("looker");
        let status = cargo_build()
            .args(["--quiet", "--locked", "-p", "looker", "--manifest-path"])
            .arg(workspace().join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the pollers to compare with do not compile"
        );
        built(&target, "debug").join("looker")
    });
    &BUILT
}

/// Milliseconds since 1970, as lookers print them.
pub fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_millis()
}

/// A running looker at one path. Killed at the end of the test.
pub struct Looker {
    child: Child,
    seen: Receiver<u128>,
}

impl Looker {
    /// Starts a looker of one of the [`KINDS`], and waits until it looks.
    pub fn start(kind: &str, path: &Path, interval: Duration) -> Looker {
        let mut child = Command::new(program())
            .arg(kind)
            .arg(path)
            .arg(interval.as_millis().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "looking");
        let (sender, seen) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line.parse().expect("a time"));
            }
        });
        Looker { child, seen }
    }

    /// The milliseconds from `changed` until the looker first saw something, if it does within `patience` from now.
    pub fn delay(&self, changed: u128, patience: Duration) -> Option<u128> {
        loop {
            let seen = self.seen.recv_timeout(patience).ok()?;
            if seen >= changed {
                return Some(seen - changed);
            }
        }
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
