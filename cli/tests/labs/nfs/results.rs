//! The lines that the guest wrote down: `MOUNT NAME [KEY VALUE]..`, where a value can be several with commas between them.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use vocabulary::{lookers, program, target_tmp, workspace};

/// What the guest found, by mount, name and key.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<[String; 3], String>);

impl Results {
    /// Runs the lab. It fails if the guest did not come to its end.
    pub(crate) fn of_guest() -> Results {
        let output = Command::new(workspace().join("cli/tests/labs/nfs/host.sh"))
            .arg(target_tmp().join("nfs"))
            .arg(program())
            .arg(lookers::program())
            .output()
            .expect("the script can be started");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the guest failed:\n{printed}\n{errors}"
        );
        println!("{printed}");
        assert!(!printed.contains("FAILED"), "the guest failed");
        Results::of_lines(&printed)
    }

    fn of_lines(printed: &str) -> Results {
        let mut results = Results::default();
        for line in printed.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let (Some(mount), Some(name)) = (words.next(), words.next()) else {
                continue;
            };
            while let (Some(key), Some(value)) = (words.next(), words.next()) {
                results.0.insert([mount.clone(), name.clone(), key], value);
            }
        }
        results
    }

    /// Whether this case had its turn.
    pub(crate) fn has(&self, mount: &str, case: &str) -> bool {
        self.words(mount, "time", case).is_some()
    }

    /// The value, or values, as they were written.
    pub(crate) fn words(&self, mount: &str, name: &str, key: &str) -> Option<&str> {
        let place = [mount, name, key].map(str::to_owned);
        self.0.get(&place).map(String::as_str)
    }

    /// A value for a table.
    pub(crate) fn shown(&self, mount: &str, name: &str, key: &str) -> String {
        let words = self.words(mount, name, key).unwrap_or("-");
        words.replace(',', ", ")
    }
}

/// Whether only a part of the lab was asked for, to work on it.
pub(crate) fn is_part() -> bool {
    env::var("REPLUG_NFS").is_ok_and(|asked| !asked.trim().is_empty())
}
