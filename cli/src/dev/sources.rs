//! The sources of a build: the files and directories whose change asks for another build. Nothing is read here but
//! dep-infos; what is at a path is for the eyes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, Package};

use super::depinfo;

/// The names of cargo's manifest and lock file.
const MANIFEST: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";

/// The files that cargo and rustup look for in the working directory and in each directory above it.
const SETTINGS: [&str; 4] = [
    ".cargo/config.toml",
    ".cargo/config",
    "rust-toolchain.toml",
    "rust-toolchain",
];

/// The sources of some packages, as far as they are known.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sources {
    /// The files that decide about a build, whether they exist yet or not; and, named by a build script, directories
    /// with all that is in them.
    pub(super) named: BTreeSet<PathBuf>,
    /// Directories in which any new file may become a source, with all directories below.
    pub(super) trees: BTreeSet<PathBuf>,
    /// Directories in which a new Rust file may become a source.
    pub(super) rooms: BTreeSet<PathBuf>,
    /// Directories that builds write, and in which nothing is a source.
    pub(super) outside: BTreeSet<PathBuf>,
    /// Cargo's lock file, which builds write too.
    pub(super) lock: Option<PathBuf>,
    /// Whether every file in the trees counts, because it is not known which of them are sources.
    pub(super) all_count: bool,
}

impl Sources {
    /// The sources of `packages`, and of the packages that they depend on by path. `metadata` is what cargo says of the
    /// workspace, without dependencies, if it could.
    pub(super) fn of(metadata: Option<&Metadata>, packages: &[&Package], here: &Path) -> Sources {
        let mut sources = Sources {
            all_count: true,
            ..Sources::default()
        };
        for above in here.ancestors() {
            sources.named.extend(SETTINGS.map(|name| above.join(name)));
        }
        let Some(metadata) = metadata else {
            // Which of them is the manifest is unknown: cargo could not tell.
            let manifests = here.ancestors().map(|above| above.join(MANIFEST));
            sources.named.extend(manifests);
            return sources;
        };
        let root = metadata.workspace_root.as_std_path();
        sources.lock = Some(root.join(LOCK));
        sources
            .named
            .extend([MANIFEST, LOCK].map(|it| root.join(it)));
        let built = [
            Some(&metadata.target_directory),
            metadata.build_directory.as_ref(),
        ];
        let built = built
            .into_iter()
            .flatten()
            .map(|it| it.as_std_path().into());
        sources.outside.extend(built);
        let mut met = BTreeSet::new();
        for package in packages {
            sources.add(package, metadata, &mut met);
        }
        sources
    }

    fn add(&mut self, package: &Package, metadata: &Metadata, met: &mut BTreeSet<PathBuf>) {
        let manifest = package.manifest_path.as_std_path();
        let root = directory_of(manifest);
        if !met.insert(root.to_owned()) {
            return;
        }
        self.named.insert(manifest.to_owned());
        self.rooms.insert(root.to_owned());
        let of_library = |it: &&cargo_metadata::Target| {
            !(it.is_test() || it.is_bench() || it.is_example() || it.is_bin())
        };
        for target in package.targets.iter().filter(of_library) {
            let file = target.src_path.as_std_path();
            self.named.insert(file.to_owned());
            if directory_of(file) != root {
                self.trees.insert(directory_of(file).to_owned());
            }
        }
        let paths = package
            .dependencies
            .iter()
            .filter_map(|it| it.path.as_ref());
        for path in paths {
            let mut members = metadata.packages.iter();
            match members.find(|it| directory_of(it.manifest_path.as_std_path()) == path) {
                Some(member) => self.add(member, metadata, met),
                None => {
                    self.named.insert(path.join(MANIFEST).into());
                    self.trees.insert(path.join("src").into());
                }
            }
        }
    }

    /// Adds the files that cargo names in the dep-infos of `libraries`. Returns whether all of them could be read: then
    /// these files are the sources, and the others in the trees are not.
    pub(super) fn add_named_by(&mut self, libraries: &[PathBuf], root: &Path) -> bool {
        let mut are_read = !libraries.is_empty();
        for library in libraries {
            match fs::read_to_string(depinfo::beside(library)) {
                Ok(text) => self.add_files(depinfo::files(&text), root),
                Err(error) => {
                    tracing::debug!(%error, "cannot read a dep-info");
                    are_read = false;
                }
            }
        }
        are_read
    }

    fn add_files(&mut self, files: Vec<PathBuf>, root: &Path) {
        let packages = self.rooms.clone();
        let mut met = BTreeSet::new();
        for file in files.into_iter().map(|file| root.join(file)) {
            if self.is_outside(&file) {
                continue;
            }
            let directory = directory_of(&file);
            if met.insert(directory.to_owned()) {
                // Cargo's word leaves out packages outside of the workspace, but for those that one of it names itself.
                let mut manifests = directory.ancestors().map(|it| it.join(MANIFEST));
                let own = manifests.find(|it| self.named.contains(it) || it.is_file());
                self.named.extend(own);
            }
            // The directory of a whole package holds much that is no source.
            if !packages.iter().any(|root| root.starts_with(directory)) {
                self.rooms.insert(directory.to_owned());
            }
            self.named.insert(file);
        }
    }

    /// Whether builds write what is at a path.
    pub(super) fn is_outside(&self, path: &Path) -> bool {
        self.outside.iter().any(|it| path.starts_with(it))
    }

    /// Whether a new file of this name, in a tree or a room, may be a source. Editors put files of their own beside
    /// those that they save, for a moment or for as long as they are open.
    pub(super) fn may_be_source(name: &str, is_in_room: bool) -> bool {
        const NO_SOURCES: [&str; 8] = ["swp", "swo", "swx", "tmp", "bak", "orig", "rej", "part"];
        let Some((stem, extension)) = name.rsplit_once('.') else {
            return false;
        };
        let is_hidden = stem.is_empty() || name.starts_with(['.', '#', '~']);
        let is_backup = name.ends_with(['~', '#']) || NO_SOURCES.contains(&extension);
        !is_hidden && !is_backup && (!is_in_room || extension == "rs")
    }
}

/// The directory of a file; all paths here are absolute.
fn directory_of(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_editors_are_no_sources() {
        for (name, is_source) in [
            ("lib.rs", true),
            ("table.csv", true),
            ("mod.gen.rs", true),
            (".lib.rs.swp", false),
            ("lib.rs~", false),
            ("#lib.rs#", false),
            (".#lib.rs", false),
            ("lib.rs.orig", false),
            ("4913", false),
            ("sedAbCdE", false),
            (".rs", false),
        ] {
            assert_eq!(Sources::may_be_source(name, false), is_source, "{name}");
        }
        assert!(Sources::may_be_source("lib.rs", true));
        assert!(!Sources::may_be_source("README.md", true));
    }

    #[test]
    fn the_files_that_a_build_writes_are_no_sources() {
        let mut sources = Sources {
            rooms: ["/w/tiny".into()].into(),
            outside: ["/w/target".into()].into(),
            ..Sources::default()
        };
        let files = [
            "tiny/build.rs",
            "/w/target/debug/out/made.rs",
            "/w/data/a.txt",
        ];
        sources.add_files(files.map(PathBuf::from).into(), Path::new("/w"));
        let named = ["/w/data/a.txt", "/w/tiny/build.rs"];
        assert_eq!(sources.named, named.map(PathBuf::from).into());
        let rooms = ["/w/data", "/w/tiny"];
        assert_eq!(sources.rooms, rooms.map(PathBuf::from).into());
    }

    #[test]
    fn the_manifest_of_a_package_elsewhere_is_a_source() {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("far");
        fs::create_dir_all(package.join("src/below")).unwrap();
        fs::write(package.join(MANIFEST), "").unwrap();
        let file = package.join("src/below/mod.rs");
        let mut sources = Sources::default();
        sources.add_files(vec![file.clone()], Path::new("/w"));
        assert_eq!(sources.named, [package.join(MANIFEST), file].into());
    }

    #[test]
    fn without_a_word_of_cargo_each_manifest_above_counts() {
        let sources = Sources::of(None, &[], Path::new("/a/b"));
        for manifest in ["/a/b/Cargo.toml", "/a/Cargo.toml", "/Cargo.toml"] {
            assert!(sources.named.contains(Path::new(manifest)), "{manifest}");
        }
        assert!(sources.all_count);
    }
}
