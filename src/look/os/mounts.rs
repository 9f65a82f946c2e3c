//! Which filesystem a path is on, on Linux: by the table of mounts, and by `statfs`.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use replug_plugin::shown::spelled;

use super::system::{self, has_plain_looks, look, look_open};
use crate::look::files::{Filesystem, Locality, Names, Writers};

/// The table of mounts of this process (`man 5 proc_pid_mountinfo`).
const MOUNTS: &str = "/proc/self/mountinfo";

/// Asks which filesystem `path` is on. A 9p server answers `statfs` for the filesystem behind it, so the type in the
/// table of mounts counts for more.
pub(crate) fn filesystem(path: &Path) -> io::Result<Filesystem> {
    // The field's type differs between architectures; the magic numbers all have 32 bits.
    let magic = rustix::fs::statfs(path)?.f_type as u32;
    let filesystem = match known(magic, look(path)?.device) {
        Some(known) => known.into(),
        None => Filesystem {
            name: format!("{magic:#x}").into(),
            ..Filesystem::unknown()
        },
    };
    let is_remote = filesystem.locality == Locality::Remote;
    Ok(match filesystem.names {
        // Such a look does not ask the server; only opening a file does.
        Names::ByLook if is_remote && has_plain_looks() => Filesystem {
            looks_can_lag: true,
            names: Names::ByListing,
            ..filesystem
        },
        _ => filesystem,
    })
}

fn known(magic: u32, device: u64) -> Option<&'static Known> {
    // Without a procfs there is no table of mounts.
    let mounts = fs::read(MOUNTS).unwrap_or_default();
    let known = type_of_device(&mounts, device).and_then(known_as);
    known.or_else(|| FILESYSTEMS.iter().find(|known| known.magic == magic))
}

/// Whether anybody could write to an open file. The file itself is asked where it is: a link, or a mount below, may have led
/// to another filesystem than that of the path.
pub(crate) fn writers(file: &File) -> Writers {
    let tells = || -> io::Result<bool> {
        let magic = rustix::fs::fstatfs(file)?.f_type as u32;
        let known = known(magic, look_open(file)?.device);
        Ok(known.is_some_and(|known| known.tells_writers))
    };
    match tells() {
        Ok(true) => system::writers(file),
        Ok(false) | Err(_) => Writers::Unknown,
    }
}

/// The filesystem that the table of mounts has where the absolute `path` is spelled to be. Asks no filesystem, so
/// that none can hang; symbolic links are not followed.
pub(crate) fn mounted(path: &Path) -> Option<Filesystem> {
    let mounts = fs::read(MOUNTS).ok()?;
    let name = type_of_path(&mounts, path)?;
    let known = known_as(name).or_else(|| {
        // A FUSE daemon that is not known by itself is one like all others.
        known_as(OsStr::new("fuse")).filter(|_| name.as_bytes().starts_with(b"fuse."))
    });
    Some(known?.into())
}

fn known_as(name: &OsStr) -> Option<&'static Known> {
    let name = match name.as_bytes() {
        b"nfs4" => OsStr::new("nfs"),
        _ => name,
    };
    FILESYSTEMS.iter().find(|known| name == known.name)
}

/// One mount: its number and that of the mount below, its device, the directory that it is mounted on, and its type.
struct Mount<'a> {
    number: &'a [u8],
    below: &'a [u8],
    device: &'a [u8],
    on: &'a [u8],
    named: &'a OsStr,
    /// The options of the filesystem, as opposed to those of the mount.
    options: &'a [u8],
}

fn mounts(table: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    table.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let (number, below) = (fields.next()?, fields.next()?);
        let (device, on) = (fields.next()?, fields.nth(1)?);
        // The number of the fields before the dash differs.
        fields.find(|field| *field == b"-")?;
        let named = OsStr::from_bytes(fields.next()?);
        let options = fields.nth(1).unwrap_or_default();
        Some(Mount {
            number,
            below,
            device,
            on,
            named,
            options,
        })
    })
}

/// The type under which a device is mounted. Some devices are not in the table: each subvolume of btrfs has a device
/// number of its own.
fn type_of_device(table: &[u8], device: u64) -> Option<&OsStr> {
    mount_of_device(table, device).map(|mount| mount.named)
}

fn mount_of_device(table: &[u8], device: u64) -> Option<Mount<'_>> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let device = format!("{major}:{minor}");
    let mut mounts = mounts(table);
    mounts.find(|mount| mount.device == device.as_bytes())
}

/// The type of the mount that a walk along `path` ends on. On each mount, the next one is that which is met first: it
/// covers all that is mounted further down.
fn type_of_path<'a>(table: &'a [u8], path: &Path) -> Option<&'a OsStr> {
    let on_the_way: Vec<_> = mounts(table)
        .map(|mount| (unescaped(mount.on), mount))
        .filter(|(on, _)| path.starts_with(on))
        .collect();
    let is_above = |number| on_the_way.iter().any(|(_, mount)| mount.number == number);
    let first = on_the_way.iter().find(|(_, mount)| !is_above(mount.below));
    let mut reached = &first?.1;
    // A table that was damaged may lead in a circle.
    for _ in 0..on_the_way.len() {
        let next = on_the_way
            .iter()
            .filter(|(_, mount)| mount.below == reached.number && mount.number != mount.below)
            .min_by_key(|(on, _)| on.components().count());
        match next {
            Some((_, mount)) => reached = mount,
            None => break,
        }
    }
    Some(reached.named)
}

/// A path out of the table, where spaces and the like are written as a backslash and three octal digits.
fn unescaped(path: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        let octal = behind.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &behind[3..];
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    OsString::from_vec(plain).into()
}

/// The filesystems that make owners up, by the table of mounts as it was read once.
pub(crate) struct Inventors {
    table: Vec<u8>,
    /// The answer for the device that was asked for last: most of a way is on one.
    last: RefCell<Option<(u64, Option<String>)>>,
}

impl Inventors {
    pub(crate) fn read() -> Inventors {
        // Without a procfs there is no table of mounts.
        let table = fs::read(MOUNTS).unwrap_or_default();
        Inventors::by(table)
    }

    fn by(table: Vec<u8>) -> Inventors {
        let last = RefCell::default();
        Inventors { table, last }
    }

    /// The name of the filesystem on this device, if it makes owners up.
    pub(crate) fn of_device(&self, device: u64) -> Option<String> {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((asked, inventor)) if *asked == device => inventor.clone(),
            _ => last.insert((device, self.find(device))).1.clone(),
        }
    }

    fn find(&self, device: u64) -> Option<String> {
        let mount = mount_of_device(&self.table, device)?;
        let name = spelled(mount.named).into_owned();
        makes_owners_up(&name, mount.options).then_some(name)
    }
}

/// Whether the owners on a filesystem are no facts: they come out of the options of a mount, or somebody else has changed
/// them on the way, and somebody else judges who may write.
fn makes_owners_up(name: &str, options: &[u8]) -> bool {
    /// Those without owners on the disk, and those that can map the owners of another system.
    const INVENTORS: &[&str] = &[
        "msdos",
        "vfat",
        "exfat",
        "ntfs",
        "ntfs3",
        "fuseblk",
        "hfs",
        "9p",
        "cifs",
        "smb3",
        "vboxsf",
        "vmhgfs",
        "prl_fs",
        "fakeowner",
        "drvfs",
        "fuse.sshfs",
        "fuse.vmhgfs-fuse",
    ];
    let is_fuse = name == "fuse" || name.starts_with("fuse.");
    // A daemon that leaves it to the system to judge rights has owners that hold.
    let mut options = options.split(|byte| *byte == b',');
    let is_judged_here = options.any(|option| option == b"default_permissions");
    INVENTORS.contains(&name) || is_fuse && !is_judged_here
}

/// A filesystem that is known.
struct Known {
    /// Its magic number (`man 2 statfs`).
    magic: u32,
    name: &'static str,
    locality: Locality,
    /// Whether `flock` goes to a server and can hang, for which reason cargo itself takes no locks on NFS.
    locks_can_hang: bool,
    /// Whether a fresh look can lag behind the content. On NFS, a look asks the server; for the other remote
    /// filesystems nobody has shown that.
    looks_can_lag: bool,
    names: Names,
    /// Whether leases were tried there, and tell the truth.
    tells_writers: bool,
}

impl From<&Known> for Filesystem {
    fn from(known: &Known) -> Filesystem {
        Filesystem {
            name: known.name.into(),
            locality: known.locality,
            locks_can_hang: known.locks_can_hang,
            looks_can_lag: known.looks_can_lag,
            names: known.names,
            tells_writers: known.tells_writers,
        }
    }
}

const fn local(magic: u32, name: &'static str) -> Known {
    Known {
        magic,
        name,
        locality: Locality::Local,
        locks_can_hang: false,
        looks_can_lag: false,
        names: Names::ByLook,
        tells_writers: false,
    }
}

/// A local filesystem on which a lease is granted only if nobody can write to the file.
const fn leasing(magic: u32, name: &'static str) -> Known {
    Known {
        tells_writers: true,
        ..local(magic, name)
    }
}

const fn remote(magic: u32, name: &'static str, locks_can_hang: bool, names: Names) -> Known {
    Known {
        magic,
        name,
        locality: Locality::Remote,
        locks_can_hang,
        looks_can_lag: true,
        names,
        // FUSE grants leases whoever writes to the file behind it.
        tells_writers: false,
    }
}

const FUSE: u32 = 0x6573_5546;

/// The known filesystems. A filesystem that is not in the table counts as [`Filesystem::unknown`] says. Where several
/// have one magic number, the first stands for those that are not told apart by the table of mounts.
const FILESYSTEMS: &[Known] = &[
    leasing(0xef53, "ext4"),
    leasing(0x0102_1994, "tmpfs"),
    leasing(0x9123_683e, "btrfs"),
    leasing(0x5846_5342, "xfs"),
    // Not a mapping whose descriptor was closed: audits find what is written through that.
    leasing(0x794c_7630, "overlay"),
    local(0x2fc1_2fc1, "zfs"),
    local(0xf2f5_2010, "f2fs"),
    local(0xca45_1a4e, "bcachefs"),
    local(0x858458f6, "ramfs"),
    local(0x4d44, "vfat"),
    local(0x2011_bab0, "exfat"),
    local(0x7366_746e, "ntfs3"),
    Known {
        looks_can_lag: false,
        ..remote(0x6969, "nfs", true, Names::ByLook)
    },
    remote(0xff53_4d42, "cifs", true, Names::ByListing),
    remote(0xfe53_4d42, "smb2", true, Names::ByListing),
    remote(0x0102_1997, "9p", true, Names::ByListing),
    remote(FUSE, "fuse", false, Names::ByListing),
    // The library of these daemons keeps the path of each file, and gives it to the daemon as a whole.
    remote(FUSE, "fuse.sshfs", false, Names::ByPath),
    remote(FUSE, "fuse.bindfs", false, Names::ByPath),
    remote(0x00c3_6400, "ceph", true, Names::ByListing),
    remote(0x786f_4256, "vboxsf", false, Names::ByListing),
];

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"23 27 0:22 / /sys rw,relatime shared:1 - sysfs sysfs rw\n\
          24 26 0:40 / /mnt/a\\040-\\040b rw - 9p behind rw,cache=loose\n\
          27 1 0:41 / / rw - ext4 /dev/x rw\n\
          26 27 0:42 / /mnt rw - nfs4 server:/ rw\n\
          28 26 0:43 / /mnt/over rw - tmpfs x rw\n\
          29 28 0:44 / /mnt/over rw - fuse.other x rw\n";

    #[test]
    fn what_is_mounted_as_9p_is_9p_whatever_its_server_keeps_it_on() {
        let device = |minor| rustix::fs::makedev(0, minor);
        assert_eq!(type_of_device(TABLE, device(40)), Some(OsStr::new("9p")));
        assert_eq!(type_of_device(TABLE, device(22)), Some(OsStr::new("sysfs")));
        assert_eq!(type_of_device(TABLE, device(50)), None);
        assert_eq!(type_of_device(b"nonsense\n - \n", device(40)), None);
    }

    #[test]
    fn the_table_tells_what_is_mounted_at_a_path_whether_it_answers_or_not() {
        for (path, wanted) in [
            ("/mnt/a - b/libx.so", "9p"),
            ("/mnt/a/libx.so", "nfs4"),
            ("/mnt/overture", "nfs4"),
            ("/mnt/over/there", "fuse.other"),
            ("/home", "ext4"),
        ] {
            let named = type_of_path(TABLE, Path::new(path));
            assert_eq!(named, Some(OsStr::new(wanted)), "{path}");
        }
        assert_eq!(type_of_path(b"", Path::new("/")), None);
        let covered = b"25 1 0:41 / / rw - ext4 /dev/x rw\n\
              26 25 0:42 / /mnt rw - tmpfs x rw\n\
              27 26 0:43 / /mnt/inner rw - xfs /dev/y rw\n\
              28 26 0:44 / /mnt rw - nfs4 server:/ rw\n";
        let named = type_of_path(covered, Path::new("/mnt/inner/libx.so"));
        assert_eq!(named, Some(OsStr::new("nfs4")));
        assert_eq!(known_as(OsStr::new("nfs4")).unwrap().name, "nfs");
    }

    #[test]
    fn only_the_filesystems_on_which_leases_were_tried_are_believed_about_writers() {
        let believed = FILESYSTEMS.iter().filter(|known| known.tells_writers);
        let believed: Vec<_> = believed.map(|known| known.name).collect();
        assert_eq!(believed, ["ext4", "tmpfs", "btrfs", "xfs", "overlay"]);
        let other = b"44 1 0:44 / / rw - fuse.other x rw\n";
        let named = type_of_path(other, Path::new("/libx.so"));
        assert_eq!(named, Some(OsStr::new("fuse.other")));
        let fuse: Filesystem = known_as(OsStr::new("fuse")).unwrap().into();
        assert!(!fuse.tells_writers);
    }

    #[test]
    fn owners_that_come_out_of_options_or_from_a_daemon_mean_nothing() {
        for (name, options, is_so) in [
            ("ext4", "rw", false),
            ("nfs4", "rw,vers=4.2", false),
            ("vfat", "rw,uid=1000,default_permissions", true),
            ("9p", "rw,trans=virtio", true),
            ("fuse", "rw,user_id=0", true),
            (
                "fuse",
                "rw,user_id=0,default_permissions,allow_other",
                false,
            ),
            ("fuse.sshfs", "rw,default_permissions", true),
            ("fuseblk", "rw,default_permissions", true),
        ] {
            let said = makes_owners_up(name, options.as_bytes());
            assert_eq!(said, is_so, "{name} {options}");
        }
        let inventors = Inventors::by(TABLE.to_vec());
        let device = |minor| rustix::fs::makedev(0, minor);
        assert_eq!(inventors.of_device(device(40)).as_deref(), Some("9p"));
        assert_eq!(
            inventors.of_device(device(44)).as_deref(),
            Some("fuse.other")
        );
        assert_eq!(inventors.of_device(device(41)), None);
    }

    #[test]
    fn the_filesystem_of_a_path_has_a_name() {
        assert_eq!(filesystem(Path::new("/proc")).unwrap().name, "0x9fa0");
        assert_eq!(filesystem(Path::new("/dev/shm")).unwrap().name, "tmpfs");
        assert_eq!(mounted(Path::new("/dev/shm/x")).unwrap().name, "tmpfs");
        assert!(mounted(Path::new("/proc")).is_none());
    }
}
