//! Cargo, as it is asked about a package and told to build it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use replug_plugin::shown::{spelled, spelled_bytes};
use serde_json::Value;

use super::error::Error;
use crate::look::built::{OWN_PROFILE, Profile};

/// A package, as cargo describes it.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) name: String,
    /// Where its `Cargo.toml` is.
    pub(super) directory: PathBuf,
    /// Where the `Cargo.lock` is that holds for it.
    pub(super) workspace: PathBuf,
    /// Where cargo builds it.
    pub(super) target: PathBuf,
}

/// Whom a test wants to copy.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// The package of this name, in the workspace of this manifest; of the test's own, if there is none.
    Named(&'a str, Option<&'a Path>),
    /// The package in this directory.
    In(&'a Path),
}

/// Asks cargo for a package. Nothing is fetched, and no lock is taken.
pub(super) fn package(wanted: Wanted<'_>) -> Result<Package, Error> {
    let (asked, manifest) = match wanted {
        Wanted::Named(name, manifest) => {
            let manifest = manifest.map(Path::to_owned);
            (name.to_owned(), manifest.or_else(own_manifest))
        }
        Wanted::In(directory) => (
            spelled(directory).into_owned(),
            Some(directory.join("Cargo.toml")),
        ),
    };
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    if let Some(manifest) = &manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    let answered = run(command)?;
    let metadata = serde_json::from_slice::<Value>(&answered.stdout);
    let metadata = metadata.map_err(|_| Error::Ask {
        package: asked.clone(),
        said: spelled_bytes(&answered.stderr).into_owned(),
    })?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let is_wanted = |it: &&Value| match (wanted, &manifest) {
        (Wanted::Named(name, _), _) => it["name"] == name,
        (Wanted::In(_), Some(manifest)) => is_same(&path(&it["manifest_path"]), manifest),
        (Wanted::In(_), None) => false,
    };
    let found = packages.clone().find(is_wanted);
    let found = found.ok_or_else(|| Error::NoPackage {
        package: asked,
        there: packages.map(|it| text(&it["name"])).collect(),
    })?;
    let manifest = path(&found["manifest_path"]);
    Ok(Package {
        name: text(&found["name"]),
        directory: manifest.parent().unwrap_or(&manifest).to_owned(),
        workspace: path(&metadata["workspace_root"]),
        target: path(&metadata["target_directory"]),
    })
}

/// The manifest of the test's own package, if cargo runs the test.
fn own_manifest() -> Option<PathBuf> {
    let own = env::var_os("CARGO_MANIFEST_DIR")?;
    Some(Path::new(&own).join("Cargo.toml"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize()
        .ok()
        .is_some_and(|one| other.canonicalize().is_ok_and(|it| it == one))
}

/// Builds the copy of a package, for the profile and the target of the running test, and returns its library.
///
/// Cargo is run in the directory of the original, so that the original's configuration holds.
pub(super) fn build(package: &Package, copy: &Path, target: &Path) -> Result<PathBuf, Error> {
    let manifest = copy.join("Cargo.toml");
    let mut command = cargo();
    command
        .args([
            "build",
            "--quiet",
            "--message-format",
            "json-render-diagnostics",
        ])
        .args(["--package", &package.name])
        .args(flags())
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(target)
        .current_dir(&package.directory);
    let ended = run(command)?;
    if !ended.status.success() {
        return Err(Error::Build {
            package: package.name.clone(),
            status: ended.status,
            said: spelled_bytes(&ended.stderr).into_owned(),
        });
    }
    let said = spelled_bytes(&ended.stdout);
    library(&said, &manifest).ok_or_else(|| Error::NoLibrary {
        package: package.name.clone(),
    })
}

/// The profile and the target of the running test, as flags.
fn flags() -> Vec<String> {
    let program = env::current_exe().ok();
    let profile = program.as_deref().and_then(Profile::of_program);
    // The test of a documentation's example is run from elsewhere.
    let built = profile.filter(|profile| profile.mark().is_dir());
    built
        .unwrap_or_else(|| Profile::in_target(Path::new(""), OWN_PROFILE))
        .flags()
}

/// The library of the package with this manifest, by cargo's messages.
fn library(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let mut messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_library = |message: &Value| {
        let types = message["target"]["crate_types"].as_array();
        message["reason"] == "compiler-artifact"
            && path(&message["manifest_path"]) == manifest
            && types.is_some_and(|types| types.iter().any(|it| it == "cdylib"))
    };
    let files = messages.rfind(is_library)?["filenames"].take();
    let mut files = files.as_array()?.iter().map(path);
    files.find(|file| file.extension() == Some(env::consts::DLL_EXTENSION.as_ref()))
}

/// The cargo that runs the test, or else the one on the path.
fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn run(mut command: Command) -> Result<Output, Error> {
    command.stdin(Stdio::null());
    command.output().map_err(|source| Error::Start {
        cargo: command.get_program().into(),
        source,
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn path(value: &Value) -> PathBuf {
    text(value).into()
}
