//! A filesystem that shows a directory and fails as it is told to. It serves by number of file, not by path, and
//! fills in names when it lists, as virtiofs and libfuse's passthrough do; the kernel may remember its answers.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEntry, ReplyOpen, Request,
};
use rustix::fs::{Mode, OFlags, openat, readlinkat};
use vocabulary::pause;

/// A request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Find,
    Look,
    List,
    Open,
    Read,
}

impl Operation {
    pub const ALL: [Operation; 5] = [
        Operation::Find,
        Operation::Look,
        Operation::List,
        Operation::Open,
        Operation::Read,
    ];
}

/// The errno of an error on the way to the content.
pub const EIO: i32 = 5;

/// The faults of the filesystem. None, at first.
#[derive(Debug, Default)]
pub struct Faults {
    /// These operations are answered with an errno.
    pub errors: HashMap<Operation, i32>,
    /// Such an answer takes so long.
    pub errors_take: Duration,
    /// This name is listed, and not found.
    pub hides: Option<&'static str>,
    /// Listings fail after the first name.
    pub lists_half: bool,
    /// Nothing is answered, until this is false again.
    pub hangs: bool,
    /// Times are in steps of so many seconds.
    pub stamps: Option<u64>,
    /// Each look finds another inode number.
    pub made_up_numbers: bool,
    /// No read gives more than so many bytes.
    pub most_per_read: Option<usize>,
    /// Reads find the end here, whatever the size is said to be.
    pub ends_at: Option<u64>,
    /// Reads give these bytes, whatever is in the file.
    pub stale: Option<Vec<u8>>,
}

/// The mount, which ends when this is dropped.
pub struct Faulty {
    session: Option<BackgroundSession>,
    shared: Arc<Shared>,
}

impl Faulty {
    /// Mounts `server` at `at`. The kernel may remember names and attributes for so long.
    pub fn mount(server: &Path, at: &Path, remembers: Duration) -> Faulty {
        let shared = Arc::new(Shared::default());
        let directory = openat(
            rustix::fs::CWD,
            server,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let served = Served {
            shared: Arc::clone(&shared),
            nodes: Mutex::new(Nodes::new(directory.unwrap().into())),
            remembers,
        };
        let mut config = Config::default();
        config.mount_options = vec![MountOption::RO, MountOption::FSName("faulty".to_owned())];
        let session = fuser::spawn_mount(served, at, &config).expect("this lab needs FUSE");
        Faulty {
            session: Some(session),
            shared,
        }
    }

    pub fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.faults.lock().unwrap());
        self.shared.changed.notify_all();
    }

    pub fn heal(&self) {
        self.set(|faults| *faults = Faults::default());
    }

    /// When each request of this kind came.
    pub fn asked(&self, operation: Operation) -> Vec<Instant> {
        let asked = self.shared.asked.lock().unwrap();
        let of_this_kind = asked.iter().filter(|(_, it)| *it == operation);
        of_this_kind.map(|(when, _)| *when).collect()
    }

    /// How many requests there were, of all kinds.
    pub fn requests(&self) -> usize {
        self.shared.asked.lock().unwrap().len()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        // A mount that hangs could not be unmounted.
        self.heal();
        if let Some(session) = self.session.take() {
            let _ = session.umount_and_join();
        }
    }
}

#[derive(Default)]
struct Shared {
    faults: Mutex<Faults>,
    changed: Condvar,
    asked: Mutex<Vec<(Instant, Operation)>>,
}

impl Shared {
    /// Notes the request, waits while nothing is answered, and returns the present faults, or the error that is
    /// wanted.
    fn ask(&self, operation: Operation) -> Result<MutexGuard<'_, Faults>, Errno> {
        self.asked.lock().unwrap().push((Instant::now(), operation));
        let faults = self.faults.lock().unwrap();
        let faults = self
            .changed
            .wait_while(faults, |faults| faults.hangs)
            .unwrap();
        match faults.errors.get(&operation) {
            Some(&code) => {
                let takes = faults.errors_take;
                drop(faults);
                pause(takes);
                Err(Errno::from_i32(code))
            }
            None => Ok(faults),
        }
    }
}

/// The files that the kernel knows, by the numbers it knows them by. They are held open, so that no number is used
/// twice.
struct Nodes {
    files: HashMap<u64, Arc<File>>,
    numbers: HashMap<(u64, u64), u64>,
    last: u64,
}

impl Nodes {
    fn new(root: File) -> Nodes {
        Nodes {
            files: HashMap::from([(INodeNo::ROOT.0, Arc::new(root))]),
            numbers: HashMap::new(),
            last: INodeNo::ROOT.0,
        }
    }

    fn number(&mut self, file: File, found: &Metadata, made_up: bool) -> u64 {
        let identity = (found.dev(), found.ino());
        match self.numbers.get(&identity) {
            Some(&number) if !made_up => number,
            _ => {
                self.last += 1;
                self.numbers.insert(identity, self.last);
                self.files.insert(self.last, Arc::new(file));
                self.last
            }
        }
    }
}

struct Served {
    shared: Arc<Shared>,
    nodes: Mutex<Nodes>,
    remembers: Duration,
}

impl Served {
    fn file(&self, number: INodeNo) -> Result<Arc<File>, Errno> {
        let nodes = self.nodes.lock().unwrap();
        nodes.files.get(&number.0).cloned().ok_or(Errno::ESTALE)
    }

    fn find(&self, parent: INodeNo, name: &OsStr, faults: &Faults) -> Result<FileAttr, Errno> {
        let parent = self.file(parent)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, name, flags, Mode::empty()).map_err(io::Error::from)?;
        let file = File::from(file);
        let found = file.metadata()?;
        let mut nodes = self.nodes.lock().unwrap();
        let number = nodes.number(file, &found, faults.made_up_numbers);
        Ok(attributes(number, &found, faults))
    }

    fn look(&self, number: INodeNo) -> Result<FileAttr, Errno> {
        let faults = self.shared.ask(Operation::Look)?;
        let found = self.file(number)?.metadata()?;
        let mut shown = number.0;
        if faults.made_up_numbers && number != INodeNo::ROOT {
            let mut nodes = self.nodes.lock().unwrap();
            nodes.last += 1;
            shown = nodes.last;
        }
        Ok(attributes(shown, &found, &faults))
    }

    /// The entries of a directory from `offset` on, each with its own offset.
    fn list(
        &self,
        directory: INodeNo,
        offset: u64,
        faults: &Faults,
    ) -> Result<Vec<(u64, fs::DirEntry)>, Errno> {
        if faults.lists_half && offset > 0 {
            return Err(Errno::EIO);
        }
        let file = self.file(directory)?;
        let mut entries = fs::read_dir(reached(&file))?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        if faults.lists_half {
            entries.truncate(1);
        }
        let numbered = (1..).zip(entries).skip(usize::try_from(offset).unwrap());
        Ok(numbered.collect())
    }

    fn read(&self, number: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let faults = self.shared.ask(Operation::Read)?;
        let end = faults.ends_at.unwrap_or(u64::MAX).saturating_sub(offset);
        let size = usize::try_from(u64::from(size).min(end)).unwrap();
        let size = size.min(faults.most_per_read.unwrap_or(size));
        if let Some(stale) = &faults.stale {
            let from = usize::try_from(offset).unwrap().min(stale.len());
            return Ok(stale[from..stale.len().min(from + size)].to_vec());
        }
        let mut file = File::open(reached(&*self.file(number)?))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(size as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A path to a file that is open already.
fn reached(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn attributes(number: u64, found: &Metadata, faults: &Faults) -> FileAttr {
    let stamp = |seconds: i64, nanoseconds: i64| {
        let (seconds, nanoseconds) = (seconds as u64, nanoseconds as u64);
        let since = match faults.stamps {
            Some(step) => Duration::from_secs(seconds / step * step),
            None => Duration::new(seconds, nanoseconds as u32),
        };
        SystemTime::UNIX_EPOCH + since
    };
    FileAttr {
        ino: INodeNo(number),
        size: found.size(),
        blocks: found.blocks(),
        atime: SystemTime::UNIX_EPOCH,
        mtime: stamp(found.mtime(), found.mtime_nsec()),
        ctime: stamp(found.ctime(), found.ctime_nsec()),
        crtime: SystemTime::UNIX_EPOCH,
        kind: FileType::from_std(found.file_type()).expect("a kind that this system has"),
        perm: (found.mode() & 0o7777) as u16,
        nlink: found.nlink() as u32,
        uid: found.uid(),
        gid: found.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Served {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // As virtiofsd asks for them, and whatever uses libfuse: the kernel wants to be told what it may remember of the
        // first names of a directory, and of the others if somebody has looked for one lately.
        let wanted = InitFlags::FUSE_DO_READDIRPLUS | InitFlags::FUSE_READDIRPLUS_AUTO;
        let added = config.add_capabilities(wanted);
        added.map_err(|_| io::ErrorKind::Unsupported.into())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.shared.ask(Operation::Find).and_then(|faults| {
            if faults.hides.is_some_and(|hidden| name == hidden) {
                return Err(Errno::ENOENT);
            }
            self.find(parent, name, &faults)
        });
        match found {
            Ok(found) => reply.entry(&self.remembers, &found, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.look(number) {
            Ok(found) => reply.attr(&self.remembers, &found),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let target = self.file(number).and_then(|link| {
            let target = readlinkat(&link, "", Vec::new());
            target.map_err(|error| io::Error::from(error).into())
        });
        match target {
            Ok(target) => reply.data(target.to_bytes()),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.shared.ask(Operation::Open) {
            // With these faults a reader sees how many bytes each read gave.
            Ok(faults) if faults.most_per_read.is_some() || faults.ends_at.is_some() => {
                reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
            }
            Ok(_) => reply.opened(FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match Served::read(self, number, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        directory: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = self.shared.ask(Operation::List);
        let listed = listed.and_then(|faults| self.list(directory, offset, &faults));
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => return reply.error(error),
        };
        for (offset, entry) in entries {
            let kind = FileType::from_std(entry.file_type().unwrap()).unwrap();
            if reply.add(INodeNo(offset), offset, kind, entry.file_name()) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _: &Request,
        directory: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let faults = match self.shared.ask(Operation::List) {
            Ok(faults) => faults,
            Err(error) => return reply.error(error),
        };
        let entries = match self.list(directory, offset, &faults) {
            Ok(entries) => entries,
            Err(error) => return reply.error(error),
        };
        let remembers = if faults.hides.is_some() {
            Duration::ZERO
        } else {
            self.remembers
        };
        for (offset, entry) in entries {
            let name = entry.file_name();
            // A file that went away meanwhile is not listed.
            let Ok(found) = self.find(directory, &name, &faults) else {
                continue;
            };
            if reply.add(found.ino, offset, &name, &remembers, &found, Generation(0)) {
                break;
            }
        }
        reply.ok();
    }
}
