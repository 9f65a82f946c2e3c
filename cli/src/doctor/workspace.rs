//! The cargo workspace of the working directory. Cargo is asked there and nowhere else: a directory can name the very
//! compiler that cargo runs in it (`rust-toolchain.toml`), and the path that is looked at may be anybody's.

use std::path::PathBuf;

use cargo_metadata::MetadataCommand;
use replug::watch::{Files as _, OsFiles};

use crate::build::cargo;

/// A cargo workspace.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    /// The directory of its Cargo.toml.
    pub(super) root: PathBuf,
    /// The directory that cargo builds into.
    pub(super) target: PathBuf,
    /// Whether that directory is there.
    pub(super) is_built: bool,
}

impl Workspace {
    /// The workspace of the working directory; `None` if it is in none, or cargo does not tell.
    pub(super) fn of_here() -> Option<Workspace> {
        // Cargo would run with rights that its user may lack.
        if OsFiles.standing().has_more_rights {
            return None;
        }
        let mut command = MetadataCommand::new();
        command.cargo_path(cargo()).no_deps();
        let asked = command.other_options(["--offline".to_owned()]).exec();
        let found =
            asked.inspect_err(|error| tracing::debug!(%error, "there is no workspace here"));
        let found = found.ok()?;
        let target = PathBuf::from(found.target_directory);
        Some(Workspace {
            root: found.workspace_root.into(),
            is_built: target.is_dir(),
            target,
        })
    }
}
