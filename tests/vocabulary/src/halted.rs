//! A cargo that halts in the middle of its work, with its locks held.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::{Package, wait_for_exit, wait_until};

/// The build script in which cargo halts. It says so by a file, and goes on when there is another one. Should the test
/// have ended, nobody keeps it.
const SCRIPT: &str = r#"
fn main() {
    println!("cargo::rerun-if-changed=never");
    std::fs::write("halted", "").unwrap();
    let since = std::time::Instant::now();
    while !std::path::Path::new("on").exists() && since.elapsed().as_secs() < 120 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
"#;

/// A cargo that works at a package, and halts before it compiles the library.
pub struct Halted {
    cargo: Child,
    on: PathBuf,
}

impl Halted {
    /// Starts `cargo`, which is given the package last, and waits until it has halted.
    #[track_caller]
    pub fn start(mut cargo: Command, package: &Package) -> Halted {
        let [halted, on] = ["halted", "on"].map(|name| package.manifest().with_file_name(name));
        package.write("build.rs", SCRIPT);
        for left_over in [&halted, &on] {
            let _ = fs::remove_file(left_over);
        }
        let mut cargo = cargo
            .args(package.options())
            .current_dir(halted.parent().expect("it is in the package"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("cargo can be started");
        wait_until("halt of cargo", || {
            let ended = cargo.try_wait().unwrap();
            assert!(ended.is_none(), "cargo has ended: {ended:?}");
            halted.exists()
        });
        Halted { cargo, on }
    }

    /// The number of the process that was started.
    pub fn id(&self) -> u32 {
        self.cargo.id()
    }

    /// Lets cargo go on, and waits for its end.
    #[track_caller]
    pub fn goes_on(mut self) {
        File::create(&self.on).unwrap();
        let status = wait_for_exit(&mut self.cargo);
        assert!(status.success(), "{status}");
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        // A test that has failed leaves no process behind.
        let _ = File::create(&self.on);
        let _ = self.cargo.wait();
    }
}
