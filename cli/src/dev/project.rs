//! The project: what cargo says of the workspace, the packages that are built out of it, and their sources.

use std::env;
use std::path::{Path, PathBuf};

use super::building::Made;
use cargo_metadata::{Artifact, Metadata, MetadataCommand, Package};

use super::sources::Sources;
use crate::args::Build;
use crate::build;

/// The workspace of the packages that are built.
pub(super) struct Project<'a> {
    packages: &'a [String],
    options: &'a Build,
    here: PathBuf,
    metadata: Option<Metadata>,
}

impl<'a> Project<'a> {
    /// Asks cargo. A workspace that cargo cannot make sense of is asked again when it has changed.
    pub(super) fn of(packages: &'a [String], options: &'a Build) -> Project<'a> {
        let mut project = Project {
            packages,
            options,
            here: env::current_dir().unwrap_or_default(),
            metadata: None,
        };
        project.ask();
        project
    }

    /// Asks cargo once more: a manifest has changed. What it said before holds on if it cannot say anything now.
    pub(super) fn ask(&mut self) {
        let mut command = MetadataCommand::new();
        command.cargo_path(build::cargo()).no_deps();
        if let Some(manifest) = &self.options.manifest_path {
            command.manifest_path(manifest);
        }
        match command.exec() {
            Ok(metadata) => self.metadata = Some(metadata),
            // The build says the same, to the user.
            Err(error) => tracing::debug!(%error, "cargo cannot tell about the workspace"),
        }
    }

    /// The packages as cargo knows them: by their names, by name and version, or by the whole of a package's identity.
    fn members(&self) -> Vec<&Package> {
        let all = self.metadata.iter().flat_map(|it| &it.packages);
        let is_meant = |package: &&Package| {
            let name = package.name.as_str();
            let versioned = format!("{name}@{}", package.version);
            let spelled = [name, &versioned, &package.id.repr];
            self.packages
                .iter()
                .any(|it| spelled.contains(&it.as_str()))
        };
        let meant: Vec<_> = all.clone().filter(is_meant).collect();
        match meant.len() < self.packages.len() {
            // Cargo knows further ways to name a package; then any of them may be meant.
            true => all.collect(),
            false => meant,
        }
    }

    /// The names of the packages of the workspace, which name their directories among cargo's fingerprints.
    pub(super) fn names(&self) -> Vec<String> {
        let all = self.metadata.iter().flat_map(|it| &it.packages);
        all.map(|package| package.name.to_string()).collect()
    }

    /// The directories of the profile that is built, in which cargo keeps what it knows of builds: beside the libraries
    /// that were made, or else where the target directory has it.
    pub(super) fn profiles(&self, made: &Made) -> Vec<PathBuf> {
        let beside = made.iter().filter_map(|(path, _)| path.parent());
        let mut profiles: Vec<_> = beside.map(Path::to_owned).collect();
        let name = match (self.options.release, self.options.profile.as_deref()) {
            (true, _) => "release",
            (false, None | Some("dev")) => "debug",
            (false, Some(name)) => name,
        };
        let metadata = self.metadata.iter();
        let told =
            metadata.flat_map(|it| [Some(&it.target_directory), it.build_directory.as_ref()]);
        let told = told.flatten().map(|it| it.as_std_path().to_owned());
        let chosen = self.options.target_dir.iter().map(|it| self.here.join(it));
        profiles.extend(told.chain(chosen).map(|it| it.join(name)));
        profiles.sort();
        profiles.dedup();
        profiles
    }

    /// The sources, given the libraries that the last build made; `None` if it made none.
    pub(super) fn sources(&self, libraries: Option<&[PathBuf]>) -> Sources {
        let metadata = self.metadata.as_ref();
        let mut sources = Sources::of(metadata, &self.members(), &self.here);
        if let Some(manifest) = &self.options.manifest_path {
            sources.named.insert(self.here.join(manifest));
        }
        if let Some(target) = &self.options.target_dir {
            sources.outside.insert(self.here.join(target));
        }
        let root = metadata.map_or(self.here.as_path(), |it| it.workspace_root.as_std_path());
        if let Some(libraries) = libraries {
            sources.all_count = !sources.add_named_by(libraries, root);
        }
        sources
    }

    /// The library of each package, out of what cargo says it built; or the name of a package that makes none.
    pub(super) fn libraries(&self, artifacts: &[Artifact]) -> Result<Vec<PathBuf>, String> {
        let members = self.members();
        let is_known = members.len() == self.packages.len();
        let last = artifacts.last().map(|it| &it.package_id);
        let members = members.iter().map(|it| &it.id);
        // Cargo finishes a package last, after all that it depends on.
        let built: Vec<_> = match is_known {
            true => members.collect(),
            false => last.into_iter().collect(),
        };
        let library = |package| {
            let nameless = || self.packages.join("`, `");
            build::library_of(package, artifacts).ok_or_else(nameless)
        };
        built.into_iter().map(library).collect()
    }

    /// Whether a file decides which packages there are, and what they depend on.
    pub(super) fn is_manifest(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == "Cargo.toml")
    }
}
