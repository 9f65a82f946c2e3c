//! A spy on the files of this machine, who hears each question that a poller asks of them.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use replug::watch::{
    Files, Filesystem, Kind, Listing, Locality, Lock, Names, OsFiles, Rights, Route, Snapshot,
    Standing,
};

/// A question to the filesystem, called like the function of [`Files`] that asks it, with the path that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// [`Files::look`].
    Look(PathBuf),
    /// [`Files::open_directory`], with the number of looks that are to follow.
    OpenDirectory(PathBuf, usize),
    /// [`Files::look_from`].
    LookFrom(PathBuf),
    /// [`Files::look_link`].
    LookLink(PathBuf),
    /// [`Files::look_open`].
    LookOpen,
    /// [`Files::ask_for_name`].
    Name(PathBuf),
    /// [`Files::names`].
    Names(PathBuf),
    /// [`Files::list`].
    List(PathBuf),
    /// [`Files::open`].
    Open(PathBuf),
    /// [`Files::forget_content`].
    ForgetContent,
    /// [`Files::route`].
    Route(PathBuf),
    /// [`Files::filesystem`].
    Filesystem(PathBuf),
    /// [`Files::rights`].
    Rights(PathBuf),
    /// [`Files::probe`].
    Probe(PathBuf),
}

/// The files of this machine. Each question to them is told to `hear` first, and waits until that returns.
pub struct Spy<H> {
    hear: H,
    /// A number that is added to the number of each device, as if something else were mounted there.
    pub mounted: Arc<AtomicU64>,
    /// Whether each look gets another inode number, as some daemons give them.
    pub makes_numbers_up: bool,
    looks: AtomicU64,
    /// A directory that is the root of an NFS mount, as long as it exists.
    pub nfs: Nfs,
    /// The questions that fail.
    pub faults: Faults,
}

/// The error number with which a question fails, if it does.
type Fault = Box<dyn Fn(&Asked) -> Option<i32> + Send>;

/// The questions of a spy that fail for now, if any. Clones are one.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Option<Fault>>>);

impl Faults {
    /// From now on, a question fails if `fault` gives an error number for it.
    pub fn begin(&self, fault: impl Fn(&Asked) -> Option<i32> + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(fault));
    }

    /// No question fails any more.
    pub fn end(&self) {
        *self.0.lock().unwrap() = None;
    }
}

/// Where NFS is mounted, as a spy has it, if anywhere. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Nfs(Arc<Mutex<Mounts>>);

#[derive(Debug, Default)]
struct Mounts {
    nfs: Option<PathBuf>,
    /// How often it was mounted: each time from another server, on a device of its own.
    number: u64,
    /// A directory below, where a local filesystem is mounted.
    local: Option<PathBuf>,
}

impl Nfs {
    /// Mounts a filesystem there, another one than before.
    pub fn mount(&self, root: &Path) {
        let mut mounts = self.0.lock().unwrap();
        mounts.nfs = Some(root.to_owned());
        mounts.number += 1;
    }

    /// Unmounts the filesystem. What its files were is for the test to remove.
    pub fn unmount(&self) {
        self.0.lock().unwrap().nfs = None;
    }

    /// Mounts a local filesystem over a directory on NFS. Its files, too, are for the test to put there and remove.
    pub fn cover(&self, directory: &Path) {
        self.0.lock().unwrap().local = Some(directory.to_owned());
    }

    /// Unmounts the local filesystem.
    pub fn uncover(&self) {
        self.0.lock().unwrap().local = None;
    }
}

impl<H: Fn(Asked)> Spy<H> {
    /// A spy on the files of this machine, who changes nothing about them.
    pub fn on_this_machine(hear: H) -> Spy<H> {
        Spy {
            hear,
            mounted: Arc::default(),
            makes_numbers_up: false,
            looks: AtomicU64::new(0),
            nfs: Nfs::default(),
            faults: Faults::default(),
        }
    }

    /// Tells of a question, which may fail.
    fn ask(&self, asked: Asked) -> io::Result<()> {
        let faults = self.faults.0.lock().unwrap();
        let failed = faults.as_ref().and_then(|fault| fault(&asked));
        drop(faults);
        (self.hear)(asked);
        failed.map_or(Ok(()), |number| Err(io::Error::from_raw_os_error(number)))
    }

    fn is_on_nfs(&self, path: &Path) -> bool {
        let mounts = self.nfs.0.lock().unwrap();
        let route = OsFiles.route(path);
        let path = as_people_spell_it(route.as_ref().map_or(path, |route| &route.end));
        let is_in = |root: &Option<PathBuf>| {
            let mut root = root.iter();
            root.any(|root| root.exists() && path.starts_with(as_people_spell_it(root)))
        };
        is_in(&mounts.nfs) && !is_in(&mounts.local)
    }

    fn as_mounted(&self, path: &Path, seen: io::Result<Snapshot>) -> io::Result<Snapshot> {
        let nfs = match self.is_on_nfs(path) {
            true => 1000 * self.nfs.0.lock().unwrap().number,
            false => 0,
        };
        seen.map(|seen| Snapshot {
            device: seen.device + self.mounted.load(Ordering::Relaxed) + nfs,
            inode: match self.makes_numbers_up {
                true => self.looks.fetch_add(1, Ordering::Relaxed),
                false => seen.inode,
            },
            ..seen
        })
    }
}

/// A path without what Windows puts before it when it is asked where a path leads.
fn as_people_spell_it(path: &Path) -> &Path {
    let spelled = path.to_str().and_then(|path| path.strip_prefix(r"\\?\"));
    spelled.map_or(path, Path::new)
}

/// An open artifact, and the path at which it was opened.
pub struct Opened {
    artifact: <OsFiles as Files>::Artifact,
    #[cfg(windows)]
    path: PathBuf,
}

impl Opened {
    /// The path at which it is now.
    #[cfg(unix)]
    fn path_now(&self) -> io::Result<PathBuf> {
        use std::os::fd::AsRawFd as _;
        std::fs::read_link(format!("/proc/self/fd/{}", self.artifact.as_raw_fd()))
    }

    /// The path at which it was opened: nobody tells here where it is now.
    #[cfg(windows)]
    fn path_now(&self) -> io::Result<PathBuf> {
        Ok(self.path.clone())
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.artifact.read(buffer)
    }
}

impl<H: Fn(Asked)> Files for Spy<H> {
    type Artifact = Opened;
    type Directory = <OsFiles as Files>::Directory;

    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        self.ask(Asked::Look(path.to_owned()))?;
        self.as_mounted(path, OsFiles.look(path))
    }

    fn open_directory(&self, directory: &Path, looks: usize) -> Option<Self::Directory> {
        (self.hear)(Asked::OpenDirectory(directory.to_owned(), looks));
        OsFiles.open_directory(directory, looks)
    }

    fn look_from(&self, directory: &Self::Directory, path: &Path) -> io::Result<Snapshot> {
        self.ask(Asked::LookFrom(path.to_owned()))?;
        self.as_mounted(path, OsFiles.look_from(directory, path))
    }

    fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot> {
        self.ask(Asked::LookOpen)?;
        self.as_mounted(&artifact.path_now()?, OsFiles.look_open(&artifact.artifact))
    }

    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        self.ask(Asked::LookLink(path.to_owned()))?;
        self.as_mounted(path, OsFiles.look_link(path))
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        OsFiles.absolute(path)
    }

    fn ask_for_name(&self, path: &Path) {
        (self.hear)(Asked::Name(path.to_owned()));
        OsFiles.ask_for_name(path);
    }

    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        self.ask(Asked::Names(directory.to_owned()))?;
        OsFiles.names(directory, each)
    }

    fn list(
        &self,
        directory: &Path,
        depth: usize,
        is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
    ) -> io::Result<Listing> {
        self.ask(Asked::List(directory.to_owned()))?;
        OsFiles.list(directory, depth, is_wanted)
    }

    fn open(&self, path: &Path) -> io::Result<Self::Artifact> {
        self.ask(Asked::Open(path.to_owned()))?;
        Ok(Opened {
            artifact: OsFiles.open(path)?,
            #[cfg(windows)]
            path: path.to_owned(),
        })
    }

    fn forget_content(&self, artifact: &Self::Artifact) -> io::Result<()> {
        self.ask(Asked::ForgetContent)?;
        OsFiles.forget_content(&artifact.artifact)
    }

    fn route(&self, path: &Path) -> io::Result<Route> {
        self.ask(Asked::Route(path.to_owned()))?;
        OsFiles.route(path)
    }

    fn filesystem(&self, path: &Path) -> io::Result<Filesystem> {
        self.ask(Asked::Filesystem(path.to_owned()))?;
        match self.is_on_nfs(path) {
            true => Ok(Filesystem {
                name: "nfs".into(),
                locality: Locality::Remote,
                locks_can_hang: true,
                looks_can_lag: false,
                names: Names::ByLook,
                tells_writers: false,
            }),
            false => OsFiles.filesystem(path),
        }
    }

    fn rights(&self, artifact: &Self::Artifact, path: &Path) -> io::Result<Vec<Rights>> {
        self.ask(Asked::Rights(path.to_owned()))?;
        OsFiles.rights(&artifact.artifact, path)
    }

    fn standing(&self) -> Standing {
        OsFiles.standing()
    }

    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        self.ask(Asked::Probe(lock.to_owned()))?;
        OsFiles.probe(lock)
    }
}
