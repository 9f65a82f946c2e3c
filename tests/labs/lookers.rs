//! Pollers as they are usually written, to compare with.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How they look: with `stat` in a loop, and as notify's `PollWatcher` does.
pub const KINDS: [&str; 2] = ["stat", "notify"];

/// The program they are in, built once. Its dependencies are nobody else's.
pub fn program() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("looker");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--locked",
                "-p",
                "looker",
                "--manifest-path",
            ])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the pollers to compare with do not compile"
        );
        target.join("debug/looker")
    });
    &BUILT
}

/// Milliseconds since 1970, as they print them.
pub fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_millis()
}

/// One that looks at a path.
pub struct Looker {
    child: Child,
    seen: Receiver<u128>,
}

impl Looker {
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

    /// How many milliseconds after `changed` it first saw something, if it does within `patience` from now.
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
