//! Everything that is asked of this machine, whatever the path: where copies are made, the limits of a process, cargo.

use std::env;
use std::fs;

use replug::watch::StageDirectory;

use super::attended::Teller;
use super::finding::Said;
use super::limits;
use super::profile;
use super::stages;
use super::toolchain;
use super::workspace::Workspace;

/// Looks at this machine.
pub(super) fn examine(stage: &StageDirectory, workspace: Option<&Workspace>, teller: &Teller) {
    teller.begins("asked for directories for private copies");
    say(stages::examine(stage), teller);
    say(limits::judge(limits::of_this_process()), teller);
    teller.begins("asked cargo for its version");
    say([toolchain::judge(toolchain::version().as_deref())], teller);
    if let Some(workspace) = workspace {
        teller.begins("read the workspace's Cargo.toml");
        say(profile_of(workspace), teller);
    }
}

fn say(said: impl IntoIterator<Item = Said>, teller: &Teller) {
    said.into_iter().for_each(|said| teller.says(said));
}

/// What is to be said of the workspace's profile for development. Whoever comes first has said it: the environment,
/// then cargo's configuration, then Cargo.toml.
fn profile_of(workspace: &Workspace) -> Option<Said> {
    let in_environment = env::var("CARGO_PROFILE_DEV_DEBUG").ok();
    let files = [".cargo/config.toml", "Cargo.toml"];
    let files = files.map(|name| fs::read_to_string(workspace.root.join(name)));
    let written = files.into_iter().flatten();
    profile::judge(in_environment.as_deref(), written)
}
