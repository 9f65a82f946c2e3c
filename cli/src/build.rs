//! Builds a package with cargo, and learns from cargo itself where the library is.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;

use cargo_metadata::{Artifact, CrateType, Message, PackageId};
use crossbeam_channel::{Receiver, select_biased};
use replug::shown::shown;
use replug::watch::{Files, OsFiles};

use crate::args::Build;
use crate::child;

/// Why there is no library to watch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(
        "cannot build `{}`: this program has more rights than the user who started it, and cargo would run with them what \
         that user wants; build first, and name the library",
        shown(package)
    )]
    MoreRights { package: String },
    #[error("cannot start cargo to build `{}`", shown(package))]
    Start { package: String, source: io::Error },
    #[error("cannot read what cargo says of `{}`", shown(package))]
    Messages { package: String, source: io::Error },
    #[error(
        "cannot build `{}`: cargo ended with {status}; its output is above",
        shown(package)
    )]
    Failed { package: String, status: ExitStatus },
    #[error(
        "cannot watch `{}`: it makes no library that can be loaded; its Cargo.toml needs \
         `crate-type = [\"cdylib\"]` in `[lib]`",
        shown(package)
    )]
    NoCdylib { package: String },
}

/// Builds `package`, showing cargo's own output, and returns its library's path; `None` if `stop` came first.
pub(crate) fn build(
    package: &str,
    options: &Build,
    stop: &Receiver<()>,
) -> Result<Option<PathBuf>, BuildError> {
    let name = || package.to_owned();
    let unread = |source| BuildError::Messages {
        package: name(),
        source,
    };
    if OsFiles.standing().has_more_rights {
        return Err(BuildError::MoreRights { package: name() });
    }
    let mut command = command(&[package], options, "json-render-diagnostics");
    let start = child::start(&mut command);
    let mut cargo = start.map_err(|source| BuildError::Start {
        package: name(),
        source,
    })?;
    let artifacts = listen(&mut cargo).map_err(unread)?;
    let artifacts = select_biased! {
        recv(stop) -> _ => {
            if let Err(error) = child::end(cargo) {
                tracing::warn!("cannot end cargo: {error}");
            }
            return Ok(None);
        }
        recv(artifacts) -> artifacts => artifacts.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())),
    };
    let status = cargo.wait().map_err(unread)?;
    if !status.success() {
        return Err(BuildError::Failed {
            package: name(),
            status,
        });
    }
    library(&artifacts.map_err(unread)?)
        .map(Some)
        .ok_or_else(|| BuildError::NoCdylib { package: name() })
}

/// Cargo. It names itself to the programs that it runs, so that `cargo +nightly run` builds with nightly too.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The call of cargo that builds `packages`, and says what it does on stdout in JSON of this `format`.
pub(crate) fn command(packages: &[impl AsRef<str>], options: &Build, format: &str) -> Command {
    let mut cargo = Command::new(cargo());
    cargo.args(["build", "--message-format", format]);
    for package in packages {
        cargo.args(["--package", package.as_ref()]);
    }
    if options.release {
        cargo.arg("--release");
    }
    if let Some(profile) = &options.profile {
        cargo.args(["--profile", profile]);
    }
    for features in &options.features {
        cargo.args(["--features", features]);
    }
    if options.no_default_features {
        cargo.arg("--no-default-features");
    }
    if let Some(target_dir) = &options.target_dir {
        cargo.arg("--target-dir").arg(target_dir);
    }
    if let Some(manifest_path) = &options.manifest_path {
        cargo.arg("--manifest-path").arg(manifest_path);
    }
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    cargo
}

/// Collects the artifacts that cargo names, on a thread, so that a request to stop need not wait for cargo.
fn listen(cargo: &mut Child) -> io::Result<Receiver<io::Result<Vec<Artifact>>>> {
    let stdout = cargo.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (sender, receiver) = crossbeam_channel::bounded(1);
    thread::Builder::new()
        .name("replug-cargo".to_owned())
        .spawn(move || {
            // Nobody listens any more after a request to stop.
            let _ = sender.send(artifacts(stdout));
        })?;
    Ok(receiver)
}

fn artifacts(stdout: ChildStdout) -> io::Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message? {
            artifacts.push(artifact);
        }
    }
    Ok(artifacts)
}

/// The library of the package that was asked for. Cargo finishes that package last, after all it depends on.
fn library(artifacts: &[Artifact]) -> Option<PathBuf> {
    library_of(&artifacts.last()?.package_id, artifacts)
}

/// The library of a package, among all that cargo built.
pub(crate) fn library_of(package: &PackageId, artifacts: &[Artifact]) -> Option<PathBuf> {
    let is_library = |artifact: &&Artifact| {
        artifact.package_id == *package && artifact.target.crate_types.contains(&CrateType::CDyLib)
    };
    let files = &artifacts.iter().rev().find(is_library)?.filenames;
    let suffix = env::consts::DLL_EXTENSION;
    files
        .iter()
        .find(|file| file.extension() == Some(suffix))
        .map(|file| file.as_std_path().to_owned())
}
