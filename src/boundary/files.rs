//! What Windows tells of an open file and of the volume that a path is on, and std does not ask for. Decides nothing.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use replug_plugin::shown::spelled;
use windows_sys::Win32::Foundation::MAX_PATH;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_BASIC_INFO, FILE_ID_INFO, FILE_INFO_BY_HANDLE_CLASS,
    FILE_STANDARD_INFO, FileBasicInfo, FileIdInfo, FileStandardInfo, GetDriveTypeW,
    GetFileInformationByHandle, GetFileInformationByHandleEx, GetVolumeInformationW,
    GetVolumePathNameW,
};

/// What Windows tells of an open file. Times count 100 ns from 1601.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// The serial number of the volume.
    pub(crate) volume: u64,
    /// The number of the file on its volume. NTFS gives a number that was used before with another count in its upper
    /// bits.
    pub(crate) number: u128,
    pub(crate) basics: Basics,
}

/// What Windows tells of an open file by itself, without a question to its volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Basics {
    pub(crate) attributes: u32,
    pub(crate) links: u32,
    pub(crate) size: u64,
    /// The time of the last write.
    pub(crate) written: u64,
    /// The time of the last change of content, name or attributes; 0 where the filesystem keeps none (FAT).
    pub(crate) changed: u64,
}

/// Asks about an open file. The right to read its attributes is enough.
pub(crate) fn tell(file: &File) -> io::Result<Told> {
    let basics = basics(file)?;
    let (volume, number) = number(file)?;
    Ok(Told {
        volume,
        number,
        basics,
    })
}

/// Asks for the basics of an open file.
pub(crate) fn basics(file: &File) -> io::Result<Basics> {
    let mut basic = FILE_BASIC_INFO::default();
    let mut standard = FILE_STANDARD_INFO::default();
    ask(file, FileBasicInfo, &mut basic)?;
    ask(file, FileStandardInfo, &mut standard)?;
    Ok(Basics {
        attributes: basic.FileAttributes,
        links: standard.NumberOfLinks,
        size: standard.EndOfFile.cast_unsigned(),
        written: basic.LastWriteTime.cast_unsigned(),
        changed: basic.ChangeTime.cast_unsigned(),
    })
}

/// The serial number of the volume of an open file, and the file's number there: these two tell a file from all others.
pub(crate) fn number(file: &File) -> io::Result<(u64, u128)> {
    let mut id = FILE_ID_INFO::default();
    match ask(file, FileIdInfo, &mut id) {
        Ok(()) => {
            let number = u128::from_le_bytes(id.FileId.Identifier);
            Ok((id.VolumeSerialNumber, number))
        }
        // FAT has only the short numbers, and so have some servers.
        Err(_) => short_number(file),
    }
}

fn short_number(file: &File) -> io::Result<(u64, u128)> {
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open for as long as the file is borrowed, and the structure is the one that is filled.
    let done = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) };
    succeeded(done)?;
    let (high, low) = (found.nFileIndexHigh, found.nFileIndexLow);
    let number = u128::from(high) << 32 | u128::from(low);
    Ok((found.dwVolumeSerialNumber.into(), number))
}

/// Has the system fill one of the structures that it knows by `class`.
fn ask<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, answer: &mut T) -> io::Result<()> {
    let length = size_of::<T>() as u32;
    let answer = (&raw mut *answer).cast();
    // SAFETY: the handle is open for as long as the file is borrowed; the answer has so many bytes, all of which are numbers.
    let done = unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), class, answer, length) };
    succeeded(done)
}

/// The volume that a path is on.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    /// The name of its filesystem, such as `NTFS`.
    pub(crate) filesystem: String,
    /// The sort of drive: one of the system's `DRIVE_` numbers.
    pub(crate) drive: u32,
}

/// Asks which volume a path is on. What is there need not exist, as long as its volume does.
pub(crate) fn volume(path: &Path) -> io::Result<Volume> {
    let path = wide(path)?;
    // The root is a part of the path, and may get a separator.
    let mut root = vec![0; path.len() + 1 + MAX_PATH as usize];
    let length = root.len() as u32;
    // SAFETY: the path ends with a zero, and the buffer has as many elements as it says.
    let done = unsafe { GetVolumePathNameW(path.as_ptr(), root.as_mut_ptr(), length) };
    succeeded(done)?;
    // SAFETY: the call above has ended the root with a zero.
    let drive = unsafe { GetDriveTypeW(root.as_ptr()) };
    let mut name = [0; MAX_PATH as usize + 1];
    // SAFETY: the root ends with a zero, the name has as many elements as it says, and nothing else is asked for.
    let done = unsafe {
        GetVolumeInformationW(
            root.as_ptr(),
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            name.as_mut_ptr(),
            name.len() as u32,
        )
    };
    succeeded(done)?;
    let end = name.iter().position(|it| *it == 0).unwrap_or(name.len());
    let filesystem = OsString::from_wide(&name[..end]);
    Ok(Volume {
        filesystem: spelled(&filesystem).into_owned(),
        drive,
    })
}

/// A path as the system takes it, with a zero at its end.
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = path.as_os_str().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    wide.push(0);
    Ok(wide)
}

/// The error of the last call, if that said that it failed.
fn succeeded(done: i32) -> io::Result<()> {
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
