//! The stage: where private copies live. One directory per process, readable by nobody else, gone when the process
//! is. The stage does not know what its copies hold.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::owned::{OwnedDirectory, sweep};
use super::pen::{Pen, PrivateCopy};
use crate::boundary;
use crate::look::os;

/// Where private copies live, as a seam: all that a [`Poller`](crate::watch::Poller) asks of it.
pub trait Stage {
    /// A private copy: written once, then read by vet, removed when dropped.
    type Staged: PrivateCopy;

    /// Makes an empty private copy for `artifact`, under a name never used before.
    ///
    /// # Errors
    ///
    /// If there is no room, or no right.
    fn create(&self, artifact: &Path) -> io::Result<Self::Staged>;

    /// The directory that the copies are in, if they are in one.
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// Numbers the copies of this process, so that no name is ever used twice. The loader takes a path it has seen
/// before for the library it loaded then.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// The largest page of memory, in bytes, on any system of today.
const LARGEST_PAGE: u64 = 64 * 1024;

/// A place for private copies from which code can be mapped.
///
/// A directory with mode 0700 in the temporary directory, or in a directory that the user chose. Where none of them
/// allows mapping code (`noexec`), the place is memory, on Linux. The directory is removed when this and the last
/// [`Staged`] in it are dropped.
#[derive(Debug, Clone)]
pub struct StageDirectory {
    /// The directory; `None` if copies are kept in memory.
    directory: Option<Arc<OwnedDirectory>>,
}

/// No directory for private copies could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a stage directory in `{}`", parent.display())]
pub struct StageError {
    /// Where the directory was to be.
    pub parent: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

impl StageDirectory {
    /// Makes a stage directory in `chosen`, or in the first usable of the system's temporary directories, and removes
    /// the stage directories that dead processes left there.
    ///
    /// # Errors
    ///
    /// If `chosen` cannot hold a directory; or if no directory can hold one from which code can be mapped, and
    /// this system has no memory files.
    pub fn new(chosen: Option<&Path>) -> Result<StageDirectory, StageError> {
        let temporary = std::env::temp_dir();
        let usual =
            std::iter::once(temporary.as_path()).chain(os::MORE_TEMP_DIRS.iter().map(Path::new));
        if let Some(chosen) = chosen {
            // A person named this directory, so a failure to make one in it is an error and not a reason to go on.
            if let Some(stage) = StageDirectory::try_in(chosen, boundary::can_map_code)? {
                return Ok(stage);
            }
        }
        StageDirectory::among(usual, boundary::can_map_code)
    }

    /// A stage in the first of `parents` that can be used, or in memory.
    fn among<'a>(
        parents: impl Iterator<Item = &'a Path>,
        can_map_code: fn(&File) -> io::Result<()>,
    ) -> Result<StageDirectory, StageError> {
        let mut last = None;
        for parent in parents {
            match StageDirectory::try_in(parent, can_map_code) {
                Ok(Some(stage)) => return Ok(stage),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!("{error}: {}; trying the next place", error.source);
                    last = Some(error);
                }
            }
        }
        if os::HAS_MEMORY_FILES {
            tracing::warn!("no directory can hold staged copies, so they are kept in memory");
            return Ok(StageDirectory { directory: None });
        }
        let parent = std::env::temp_dir();
        Err(last.unwrap_or(StageError {
            parent,
            source: ErrorKind::PermissionDenied.into(),
        }))
    }

    /// Makes a stage directory in `parent`; `None` if code cannot be mapped from there.
    fn try_in(
        parent: &Path,
        can_map_code: fn(&File) -> io::Result<()>,
    ) -> Result<Option<StageDirectory>, StageError> {
        sweep(parent);
        let failed = |source| StageError {
            parent: parent.to_owned(),
            source,
        };
        let owned = OwnedDirectory::make(parent).map_err(failed)?;
        if let Err(error) = can_map_code(&owned.owner()) {
            tracing::warn!(
                "cannot map code from `{}`: {error}; trying the next place",
                parent.display()
            );
            return Ok(None);
        }
        Ok(Some(StageDirectory {
            directory: Some(Arc::new(owned)),
        }))
    }
}

impl Stage for StageDirectory {
    type Staged = Staged;

    fn create(&self, artifact: &Path) -> io::Result<Staged> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let (file, path) = match &self.directory {
            Some(owned) => match in_directory(owned.path(), artifact, serial) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    // Somebody tidied the temporary directory. That must not end reloading for good.
                    owned.restore()?;
                    in_directory(owned.path(), artifact, serial)?
                }
                made => made?,
            },
            None => os::memory_file(c"replug", serial)?,
        };
        Ok(Staged {
            file: Some(file),
            path,
            cut_at: None,
            stage: self.clone(),
        })
    }

    /// The directory, unless copies are kept in memory.
    fn path(&self) -> Option<&Path> {
        self.directory.as_deref().map(OwnedDirectory::path)
    }
}

/// Makes the file of a copy. Its name begins with the artifact's, for whoever reads a backtrace or a process's
/// mappings.
fn in_directory(directory: &Path, artifact: &Path, serial: u64) -> io::Result<(File, PathBuf)> {
    /// The longest stem, in characters. Names have 255 bytes, of which the number and the extension need some, and a
    /// byte that is not text becomes three bytes.
    const LONGEST_STEM: usize = 64;
    let stem = artifact
        .file_stem()
        .unwrap_or(artifact.as_os_str())
        .to_string_lossy();
    let stem: String = stem.chars().take(LONGEST_STEM).collect();
    let path = directory.join(format!("{stem}.{serial}{}", std::env::consts::DLL_SUFFIX));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    Ok((file, path))
}

/// One private copy of an artifact. Removed from the disk when dropped.
#[derive(Debug)]
pub struct Staged {
    /// The open file, until the copy is sealed; a copy in memory stays open for as long as it lives.
    file: Option<File>,
    path: PathBuf,
    /// The size to which the file is cut when the copy is dropped, if most of the file need not stay for a loaded
    /// image: often most of a library is for debuggers.
    cut_at: Option<u64>,
    /// Keeps the directory for as long as a copy is in it.
    stage: StageDirectory,
}

impl Staged {
    /// The path by which the loader can open it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Cuts off the part of the file that no loader maps. A removed file keeps its room on the disk for as long as it
    /// is mapped.
    fn trim(&self) -> io::Result<()> {
        let Some(end) = self.cut_at else {
            return Ok(());
        };
        match &self.file {
            Some(file) => file.set_len(end),
            None => OpenOptions::new()
                .write(true)
                .open(&self.path)?
                .set_len(end),
        }
    }

    fn open_file(&mut self) -> io::Result<&mut File> {
        let sealed = || io::Error::other("the staged copy is sealed");
        self.file.as_mut().ok_or_else(sealed)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = self.trim() {
            tracing::debug!(staged = %self.path.display(), %error, "what is not mapped stays with the rest");
        }
        if self.stage.path().is_none() {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            // Windows keeps the file of a loaded library; the next start sweeps it away.
            tracing::debug!(staged = %self.path.display(), %error, "the staged copy stays for now");
        }
    }
}

impl Read for Staged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.open_file()?.read(buffer)
    }
}

impl PrivateCopy for Staged {
    fn append(&mut self, bytes: &[u8], _pen: &Pen) -> io::Result<()> {
        self.open_file()?.write_all(bytes)
    }

    /// Closes the copy's file. Thousands of copies can be live at a time, and a process can have only so many files
    /// open.
    fn seal(&mut self, mapped: u64, _pen: &Pen) {
        let found = self.file.as_ref().and_then(|file| file.metadata().ok());
        // To the end of a page, because the loader maps whole pages.
        let end = mapped.checked_next_multiple_of(LARGEST_PAGE);
        let is_little = |end: &u64| found.is_some_and(|found| *end < found.len() / 2);
        self.cut_at = end.filter(is_little);
        if self.stage.path().is_some() {
            self.file = None;
        }
    }
}

impl Seek for Staged {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.open_file()?.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::owned::tests::names_in;

    fn refuse(_: &File) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    #[test]
    fn a_stage_directory_is_private_and_leaves_nothing_behind() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = StageDirectory::new(Some(scratch.path())).unwrap();
        let path = stage.path().unwrap().to_owned();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        let staged = stage.create(Path::new("libx.so")).unwrap();
        drop(stage);
        assert!(path.exists(), "a copy that is alive keeps its directory");
        drop(staged);
        assert!(names_in(scratch.path()).is_empty());
    }

    #[test]
    fn an_artifact_can_have_the_longest_name_there_is() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = StageDirectory::new(Some(scratch.path())).unwrap();
        for letter in ["x", "\u{1f980}"] {
            let name = format!("lib{}.so", letter.repeat(248 / letter.len()));
            stage.create(Path::new(&name)).unwrap();
        }
    }

    #[test]
    fn names_of_copies_are_never_used_twice() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = StageDirectory::new(Some(scratch.path())).unwrap();
        let first = stage.create(Path::new("libx.so")).unwrap();
        let first_path = first.path().to_owned();
        drop(first);
        let second = stage.create(Path::new("libx.so")).unwrap();
        assert_ne!(second.path(), first_path);
    }

    #[test]
    fn a_directory_that_cannot_map_code_is_passed_over() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(
            StageDirectory::try_in(scratch.path(), refuse)
                .unwrap()
                .is_none()
        );
        assert!(
            names_in(scratch.path()).is_empty(),
            "the try leaves nothing"
        );
    }

    #[test]
    fn a_chosen_directory_that_cannot_be_used_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        let error = StageDirectory::new(Some(&scratch.path().join("nowhere"))).unwrap_err();
        let told = error.to_string();
        assert!(
            told.starts_with("cannot make a stage directory in"),
            "{told}"
        );
    }

    #[test]
    fn a_stage_directory_that_was_tidied_away_is_made_again() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = StageDirectory::new(Some(scratch.path())).unwrap();
        fs::remove_dir_all(stage.path().unwrap()).unwrap();
        let staged = stage.create(Path::new("libx.so")).unwrap();
        assert!(staged.path().exists());
        sweep(scratch.path());
        assert!(
            staged.path().exists(),
            "and it is as much ours as the first one"
        );
        drop((stage, staged));
        assert!(names_in(scratch.path()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_the_last_resort() {
        let scratch = tempfile::tempdir().unwrap();
        let parents = [scratch.path(), Path::new("/nowhere")];
        let stage = StageDirectory::among(parents.into_iter(), refuse).unwrap();
        assert!(stage.path().is_none());
        let mut staged = stage.create(Path::new("libx.so")).unwrap();
        staged.append(b"copy", &Pen::new()).unwrap();
        assert_eq!(fs::read(staged.path()).unwrap(), b"copy");
    }
}
