//! `--on-load`: a command of the user's that runs after each load. It holds up nothing, runs once at a time, and ends with
//! the run.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use replug::Digest;

use crate::child::{self, Group, Running};

/// How often a command that runs is looked at, to see its end.
pub(crate) const LOOKS: Duration = Duration::from_millis(20);

/// How long the command has to end by itself when the run ends: a person waits for that, and the whole program has 0.7 s.
const LAST_MOMENTS: Duration = Duration::from_millis(300);

/// How long what the command started has to end when it is asked to.
const HEED: Duration = Duration::from_millis(100);

/// One load, as the command hears of it.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) plugin: String,
    pub(crate) path: PathBuf,
    pub(crate) generation: u64,
    pub(crate) digest: Digest,
}

/// The command failed after this load.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) load: Load,
    pub(crate) reason: String,
}

/// The command, and the loads that it has not heard of yet. While it runs, a later load of a plugin takes the place of an
/// earlier one that waits, so no more wait than there are plugins.
#[derive(Debug)]
pub(crate) struct OnLoad {
    command: Option<String>,
    /// Whether what the command says is to stay out of the program's own output.
    is_aside: bool,
    running: Option<(Load, Running)>,
    /// The same for the thread that ends a run which is stuck.
    group: Group,
    waiting: BTreeMap<PathBuf, Load>,
}

impl OnLoad {
    /// The command, if there is one. What it says goes to stderr if it `is_aside`.
    pub(crate) fn new(command: Option<String>, is_aside: bool) -> OnLoad {
        OnLoad {
            command,
            is_aside,
            running: None,
            group: Group::default(),
            waiting: BTreeMap::new(),
        }
    }

    /// The processes of the command, for whoever has to end them while the run is stuck.
    pub(crate) fn group(&self) -> Group {
        self.group.clone()
    }

    /// Whether the command runs, and is to be [looked at](OnLoad::look) again.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Takes down a load, and runs the command if it does not run already.
    pub(crate) fn loaded(&mut self, load: Load) -> Option<Failed> {
        self.command.as_ref()?;
        self.waiting.insert(load.path.clone(), load);
        self.look()
    }

    /// Sees whether the command has ended, and runs it for the next load. Returns a failure.
    pub(crate) fn look(&mut self) -> Option<Failed> {
        let mut failed = None;
        if let Some((load, mut child)) = self.running.take() {
            match self.group.look(&mut child) {
                Ok(None) => self.running = Some((load, child)),
                Ok(Some(status)) if status.success() => {}
                Ok(Some(status)) => failed = Some(failure(load, format!("it ended with {status}"))),
                Err(error) => failed = Some(failure(load, format!("cannot wait for it: {error}"))),
            }
        }
        if self.running.is_none() && failed.is_none() {
            let (_, load) = self.waiting.pop_first()?;
            match self.start(&load) {
                Ok(child) => {
                    self.group.is(&child);
                    self.running = Some((load, child));
                }
                Err(error) => failed = Some(failure(load, format!("cannot start it: {error}"))),
            }
        }
        failed
    }

    /// Waits for the command's end, and ends it after some time. Loads that it has not heard of, it never hears of.
    pub(crate) fn finish(&mut self) -> Option<Failed> {
        let (load, mut child) = self.running.take()?;
        self.group.clear();
        match child::wait_for(&mut child, LAST_MOMENTS) {
            Ok(Some(status)) if status.success() => None,
            Ok(Some(status)) => Some(failure(load, format!("it ended with {status}"))),
            Ok(None) => {
                let reason = match child::end_within(child, HEED) {
                    Ok(()) => "it was ended with the run".to_owned(),
                    Err(error) => format!("cannot end it: {error}"),
                };
                Some(failure(load, reason))
            }
            Err(error) => Some(failure(load, format!("cannot wait for it: {error}"))),
        }
    }

    fn start(&self, load: &Load) -> io::Result<Running> {
        let mut command = shell(self.command.as_deref().unwrap_or_default());
        command
            .env("REPLUG_PLUGIN", &load.plugin)
            .env("REPLUG_PATH", &load.path)
            .env("REPLUG_GENERATION", load.generation.to_string())
            .env("REPLUG_DIGEST", load.digest.to_string())
            .stdin(Stdio::null());
        if self.is_aside {
            command.stdout(io::stderr());
        }
        child::start(&mut command)
    }
}

fn failure(load: Load, reason: String) -> Failed {
    Failed { load, reason }
}

/// The system's shell, to run a command of a user's.
pub(crate) fn shell(command: &str) -> Command {
    let (shell, option) = match cfg!(windows) {
        true => ("cmd", "/C"),
        false => ("sh", "-c"),
    };
    let mut started = Command::new(shell);
    started.args([option, command]);
    started
}
