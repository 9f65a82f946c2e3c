//! `Check`: a command of the user's that says whether a host is well.

use std::process::Stdio;
use std::time::Duration;

use replug::shown::spelled;

use crate::child;
use crate::on_load::shell;

/// How long it may take, and how long its end may.
const PATIENCE: Duration = Duration::from_secs(10);
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// A command that is asked now and then.
#[derive(Debug)]
pub(crate) struct Check {
    command: String,
}

impl Check {
    pub(crate) fn by(command: &str) -> Check {
        Check {
            command: command.to_owned(),
        }
    }

    /// Asks; what is not well, in words.
    pub(crate) fn ask(&self) -> Result<(), String> {
        let name = spelled(&self.command).into_owned();
        let mut command = shell(&self.command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let cannot = |error| format!("cannot run the check `{name}`: {error}");
        let mut running = child::start(&mut command).map_err(cannot)?;
        match child::wait_for(&mut running, PATIENCE).map_err(cannot)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("the check `{name}` ended with {status}")),
            None => {
                child::end_within(running, LAST_MOMENTS).map_err(cannot)?;
                Err(format!(
                    "the check `{name}` did not end within {} s",
                    PATIENCE.as_secs()
                ))
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_of_the_command_is_the_answer() {
        assert_eq!(Check::by("true").ask(), Ok(()));
        let failed = Check::by("exit 3").ask().unwrap_err();
        assert_eq!(failed, "the check `exit 3` ended with exit status: 3");
    }
}
