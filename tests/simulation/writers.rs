//! Writers of libraries: each plans its steps into the world's future.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::ground::Ground;
use crate::library::library;
use crate::random::Random;
use crate::world::{DEPS, MS, Op, SECOND, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Cargo up to 1.95, and later cargo: they unlink, then link, and hold different locks.
    Cargo,
    LaterCargo,
    /// Cargo where hard links fail: it copies in place, under its lock.
    CargoCopy,
    /// A build that hangs after its work, and never lets go of its lock.
    HungCargo,
    /// A `cargo check` that never lets go of the lock, which it shares with builds, while a library is renamed into place.
    HungCheck,
    /// A build that fails: the other name goes, and nothing comes.
    FailedBuild,
    /// GNU ld, gold: truncates, then writes pieces.
    Ld,
    /// lld, mold: a temporary file, renamed.
    Lld,
    Cp,
    /// A `cp` that copies the times as well, so that those of two versions can be equal.
    CpPreserving,
    Rsync,
    /// Writes over the old content, without truncating.
    RsyncInplace,
    /// Writes through a shared mapping, which moves no stamp.
    Mapped,
    /// Swaps a link to a directory.
    Kubernetes,
    TouchStorm,
    /// One version, another, and the first again.
    Flap,
    /// Two versions of one size within one tick.
    SameTick,
    /// Writes half a file and dies.
    Dying,
    /// Writes in place, and never closes the file.
    Keeper,
    /// Writes something that is no library.
    Garbage,
    /// Deletes the file, and after a while puts a new version there.
    Removal,
    /// Deletes the file for good.
    Deletion,
    /// Puts another directory in the place of one on the way.
    ReplaceDirectory,
    /// Removes a directory on the way and all that is in it, and builds all anew.
    CleanBuild,
    /// Makes the directories on the way that are not there at the start, and then the libraries.
    LateDirectory,
    /// Swaps a link to a directory on the way.
    SwapDirectoryLink,
    /// Mounts another filesystem over a directory on the way.
    Cover,
}

/// The writers of files.
pub const WRITERS: [Writer; 22] = [
    Writer::Cargo,
    Writer::LaterCargo,
    Writer::CargoCopy,
    Writer::HungCargo,
    Writer::HungCheck,
    Writer::FailedBuild,
    Writer::Ld,
    Writer::Lld,
    Writer::Cp,
    Writer::CpPreserving,
    Writer::Rsync,
    Writer::RsyncInplace,
    Writer::Mapped,
    Writer::Kubernetes,
    Writer::TouchStorm,
    Writer::Flap,
    Writer::SameTick,
    Writer::Dying,
    Writer::Keeper,
    Writer::Garbage,
    Writer::Removal,
    Writer::Deletion,
];

/// Plans what writers do to one world.
pub struct Plan<'a> {
    pub world: &'a mut World,
    pub random: &'a mut Random,
    /// The longest pause between the pieces of one write, without a lock that others can see and with one.
    pub pause: u64,
    pub locked_pause: u64,
    pub has_hard_links: bool,
    /// Whether all versions have equal sizes.
    pub same_size: bool,
    pub ground: Ground,
    pub next_number: u64,
    pub at: u64,
}

impl Plan<'_> {
    pub fn version(&mut self) -> Rc<Vec<u8>> {
        self.next_number += 1;
        let payload = match self.same_size {
            true => 256,
            // No two versions of one size in a row.
            false => 128 + 8 * (self.next_number as usize % 32),
        };
        Rc::new(library(self.next_number, payload))
    }

    pub fn op(&mut self, op: Op) {
        self.world.plan(self.at, op);
    }

    pub fn wait(&mut self, low: u64, high: u64) {
        self.at += self.random.between(low, high);
    }

    pub fn published(&mut self, path: &Path) {
        self.op(Op::Published(path.to_owned()));
    }

    /// Writes content piece by piece into a file that is there.
    fn pieces(&mut self, path: &Path, content: &Rc<Vec<u8>>, pause: u64, mapped: bool) {
        let size = content.len();
        // The header, which all versions share, is one piece: every other one changes bytes.
        let mut start = 0;
        let mut end = 328.min(size);
        while start < size {
            let piece = Rc::new(content[start..end].to_vec());
            let op = match mapped {
                true => Op::WriteMapped(path.to_owned(), start, piece),
                false => Op::Write(path.to_owned(), start, piece),
            };
            self.op(op);
            start = end;
            end = (start + 96).min(size);
            if start < size {
                self.wait(MS / 100, pause);
            }
        }
    }

    fn in_place(&mut self, path: &Path, content: &Rc<Vec<u8>>, pause: u64) {
        self.op(Op::Open(path.to_owned()));
        self.while_open(path, |plan| {
            plan.op(Op::Truncate(path.to_owned(), 0));
            plan.pieces(path, content, pause, false);
        });
    }

    /// Has a file open for writing while something is done.
    fn while_open(&mut self, path: &Path, work: impl FnOnce(&mut Self)) {
        self.op(Op::OpenToWrite(path.to_owned()));
        work(self);
        self.op(Op::Close(path.to_owned()));
    }

    /// Makes a finished file beside the artifact.
    fn aside(&mut self, directory: &str, content: &Rc<Vec<u8>>) -> PathBuf {
        let path = Path::new(directory).join(format!(".tmp{}", self.next_number));
        self.op(Op::Create(path.clone()));
        self.while_open(&path, |plan| plan.pieces(&path, content, plan.pause, false));
        path
    }

    /// Makes a finished file and links it into place, where that is possible.
    pub fn link_into_place(&mut self, path: &Path, pause: u64) {
        let content = self.version();
        if self.has_hard_links {
            let directory = match self.ground.is_covered() {
                true => path.parent().unwrap_or(path).to_owned(),
                false => PathBuf::from(DEPS),
            };
            let deps = self.aside(&directory.to_string_lossy(), &content);
            self.wait(MS, 150 * MS);
            self.op(Op::Unlink(path.to_owned()));
            self.wait(MS / 10, 8 * MS);
            self.op(Op::Link(deps, path.to_owned()));
        } else {
            self.in_place(path, &content, pause);
        }
        self.published(path);
    }

    pub fn rename_into_place(&mut self, path: &Path, content: &Rc<Vec<u8>>) {
        let directory = path.parent().unwrap_or(path).to_owned();
        let aside = self.aside(&directory.to_string_lossy(), content);
        self.op(Op::Rename(aside, path.to_owned()));
        self.published(path);
    }

    /// Puts the first version of an artifact there at once.
    pub fn begin(&mut self, path: &Path) {
        let content = self.version();
        self.op(Op::Create(path.to_owned()));
        self.op(Op::Write(path.to_owned(), 0, content));
        self.published(path);
    }

    /// Puts the first version there behind a link through a link, as Kubernetes does it.
    pub fn begin_linked(&mut self, path: &Path) {
        self.kubernetes(path);
        let name = Path::new("..data").join(path.file_name().unwrap_or_default());
        self.op(Op::Symlink(name, path.to_owned()));
        self.published(path);
    }

    fn kubernetes(&mut self, path: &Path) {
        let content = self.version();
        let root = path.parent().unwrap_or(path).to_owned();
        let directory = PathBuf::from(format!("..v{}", self.next_number));
        let file = root
            .join(&directory)
            .join(path.file_name().unwrap_or_default());
        self.op(Op::Mkdir(root.join(&directory)));
        self.op(Op::Create(file.clone()));
        self.while_open(&file, |plan| {
            plan.pieces(&file, &content, plan.pause, false)
        });
        self.op(Op::Symlink(directory, root.join("..data_tmp")));
        self.wait(MS / 10, 5 * MS);
        self.op(Op::Rename(root.join("..data_tmp"), root.join("..data")));
        self.published(path);
    }

    pub fn under_lock(&mut self, path: &Path, name: &str, work: impl FnOnce(&mut Self)) {
        let lock = path.parent().unwrap_or(path).join(name);
        self.op(Op::Lock(lock.clone()));
        self.wait(10 * MS, 900 * MS);
        work(self);
        self.wait(4 * MS, 31 * MS);
        self.op(Op::Unlock(lock));
    }

    /// Does once what `writer` does, which is over at `self.at`.
    pub fn write(&mut self, writer: Writer, path: &Path) {
        let (pause, locked_pause) = (self.pause, self.locked_pause);
        match writer {
            Writer::Cargo => {
                self.under_lock(path, ".cargo-lock", |plan| {
                    plan.link_into_place(path, locked_pause)
                });
            }
            Writer::LaterCargo => {
                self.under_lock(path, ".cargo-artifact-lock", |plan| {
                    plan.link_into_place(path, locked_pause);
                });
            }
            Writer::CargoCopy => {
                self.under_lock(path, ".cargo-lock", |plan| {
                    let content = plan.version();
                    plan.in_place(path, &content, locked_pause);
                    plan.published(path);
                });
            }
            Writer::HungCargo | Writer::HungCheck => {
                let lock = path.with_file_name(".cargo-lock");
                self.op(match writer {
                    Writer::HungCheck => Op::LockToCheck(lock),
                    _ => Op::Lock(lock),
                });
                let content = self.version();
                self.rename_into_place(path, &content);
            }
            Writer::FailedBuild => {
                self.under_lock(path, ".cargo-lock", |plan| {
                    // The last link's other name is unlinked: names and attributes change, bytes do not.
                    let other = path.with_file_name(".other-name");
                    if plan.has_hard_links {
                        plan.op(Op::Link(path.to_owned(), other.clone()));
                        plan.wait(MS, 400 * MS);
                        plan.op(Op::Unlink(other));
                    }
                });
            }
            Writer::Ld | Writer::Cp => {
                let content = self.version();
                self.in_place(path, &content, pause);
                self.published(path);
            }
            Writer::Lld => {
                let content = self.version();
                self.rename_into_place(path, &content);
            }
            Writer::CpPreserving => {
                let content = self.version();
                self.in_place(path, &content, pause);
                self.published(path);
                self.op(Op::SetModified(path.to_owned(), 1_500_000_000 * SECOND));
            }
            Writer::Rsync => {
                let content = self.version();
                let directory = path.parent().unwrap_or(path).to_owned();
                let aside = self.aside(&directory.to_string_lossy(), &content);
                self.op(Op::SetModified(aside.clone(), 1_500_000_000 * SECOND));
                self.op(Op::Rename(aside, path.to_owned()));
                self.published(path);
            }
            Writer::RsyncInplace => {
                let content = self.version();
                self.op(Op::Open(path.to_owned()));
                self.while_open(path, |plan| {
                    plan.pieces(path, &content, pause, false);
                    plan.op(Op::Truncate(path.to_owned(), content.len()));
                });
                self.published(path);
            }
            Writer::Mapped => {
                let content = self.version();
                self.op(Op::Open(path.to_owned()));
                self.while_open(path, |plan| {
                    plan.op(Op::Truncate(path.to_owned(), content.len()));
                    plan.wait(MS, 5 * SECOND);
                    plan.pieces(path, &content, pause, true);
                });
                self.published(path);
            }
            Writer::Kubernetes => self.kubernetes(path),
            Writer::TouchStorm => {
                for _ in 0..self.random.between(5, 30) {
                    self.op(Op::Touch(path.to_owned()));
                    self.wait(MS, 400 * MS);
                }
            }
            Writer::Flap => {
                let versions = [self.version(), self.version()];
                for content in [&versions[0], &versions[1], &versions[0]] {
                    self.rename_into_place(path, content);
                    self.wait(MS, 600 * MS);
                }
            }
            Writer::SameTick => {
                let same_size = std::mem::replace(&mut self.same_size, true);
                let directory = path.parent().unwrap_or(path).to_string_lossy();
                let versions = [self.version(), self.version()];
                let asides = versions.map(|content| {
                    self.next_number += 1;
                    let aside = self.aside(&directory, &content);
                    self.op(Op::SetModified(aside.clone(), 1_500_000_000 * SECOND));
                    aside
                });
                for aside in asides {
                    self.op(Op::Rename(aside, path.to_owned()));
                    self.published(path);
                    self.wait(MS / 100, 3 * MS);
                }
                self.same_size = same_size;
            }
            Writer::Dying => {
                let content = self.version();
                self.op(Op::Open(path.to_owned()));
                self.op(Op::OpenToWrite(path.to_owned()));
                self.op(Op::Truncate(path.to_owned(), 0));
                // The last bytes of a library are zeros: without them the file would count as complete.
                let half = self.random.between(0, content.len() as u64 - 100) as usize;
                self.pieces(path, &Rc::new(content[..half].to_vec()), pause, false);
                // The system closes what a dead process had open.
                self.op(Op::Close(path.to_owned()));
            }
            Writer::Keeper => {
                let content = self.version();
                self.in_place(path, &content, pause);
                self.op(Op::KeepOpen(path.to_owned()));
                self.published(path);
            }
            Writer::Garbage => {
                self.next_number += 1;
                let content = Rc::new(format!("<html>{}", self.next_number).into_bytes());
                self.rename_into_place(path, &content);
            }
            Writer::Removal => {
                self.op(Op::Unlink(path.to_owned()));
                self.wait(10 * MS, 5 * SECOND);
                let content = self.version();
                self.rename_into_place(path, &content);
            }
            Writer::Deletion => self.op(Op::Unlink(path.to_owned())),
            Writer::ReplaceDirectory => self.replace_directory(),
            Writer::CleanBuild => self.clean_build(),
            Writer::LateDirectory => self.late_directory(),
            Writer::SwapDirectoryLink => self.swap_directory_link(),
            Writer::Cover => self.cover(),
        }
    }
}
