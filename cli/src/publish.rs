//! `replug publish`: puts a library into its place, so that no reader anywhere ever sees half of it.
//!
//! The library is copied aside into the directory of its place, under a name that no watcher takes for a library, vetted
//! there, and written to the disk; then it is renamed over the one before. Whatever fails until then leaves the one before
//! as it is, and nothing else behind.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crossbeam_channel::Receiver;
use replug::inspect::{Inspection, inspect, inspect_open};
use replug::shown::{shown, spelled};
use replug::{Digest, Options, Trust};
use serde_json::json;
use tempfile::{NamedTempFile, TempPath};

use crate::args::Publish;
use crate::output::{Output, absolute};
use crate::stop::Stop;

/// How much is copied at once, in bytes; a request to stop is heeded in between.
const CHUNK: usize = 1024 * 1024;

/// What is behind the name of the library that was there before, which no watcher of a directory takes for a library.
const BEFORE: &str = ".before";

/// Every error that ends the work.
type Failure = Box<dyn Error>;

/// Why a library was not published, or not as it should be.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("cannot read `{}`", shown(path))]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot publish `{}`: it is no regular file", shown(.0))]
    NotAFile(PathBuf),
    #[error("cannot publish to `{}`", shown(path))]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot publish to `{}`: it is neither a file nor a directory", shown(.0))]
    NoPlace(PathBuf),
    #[error("cannot publish to `{}`: that is the very file which is to be published", shown(.0))]
    Itself(PathBuf),
    #[error("cannot keep what is at `{}` as `{}`", shown(path), shown(before))]
    Keep {
        path: PathBuf,
        before: PathBuf,
        source: io::Error,
    },
    #[error(
        "cannot publish to `{}`: the library has {size} bytes, and this process may write files of at most {limit}; raise \
         that limit (`ulimit -f`, RLIMIT_FSIZE)",
        shown(path)
    )]
    FileLimit {
        path: PathBuf,
        size: u64,
        limit: u64,
    },
    #[error("cannot publish to `{}`: it was told to stop", shown(.0))]
    Stopped(PathBuf),
    #[error(
        "cannot write the directory of `{}` to the disk: the new library is in its place, and may not be after a crash of \
         the system",
        shown(path)
    )]
    Unsynced { path: PathBuf, source: io::Error },
}

/// What is in the place already.
struct Before {
    metadata: Metadata,
    digest: Option<Digest>,
}

/// A library that is in its place.
struct Published {
    path: PathBuf,
    seen: Inspection,
    /// What was there before.
    replaced: Option<Digest>,
    /// Where that is kept.
    before: Option<PathBuf>,
    is_unchanged: bool,
    /// Whether owner and group are others than those of the library before.
    is_anothers: bool,
}

/// Publishes the library, and says so.
pub(crate) fn run(args: &Publish) -> Result<ExitCode, Failure> {
    let output = Output::new(args.json, Instant::now());
    let stop = Stop::on_signals()?;
    stop.fails_if_stuck();
    let published = publish(args, stop.requested())?;
    say(&output, &published)?;
    Ok(ExitCode::SUCCESS)
}

fn publish(args: &Publish, stop: &Receiver<()>) -> Result<Published, Failure> {
    let path = place(&args.file, &args.dest)?;
    let unwritten = |source| PublishError::Write {
        path: path.clone(),
        source,
    };
    let mut library = open(&args.file)?;
    let before = before(&library, &path)?;
    check_limit(&library, &path)?;
    let mut aside = aside(&path).map_err(unwritten)?;
    copy(args, &path, &mut library, &mut aside, stop)?;
    // The copy is what is vetted: the library may change meanwhile. Its own name stands in the words.
    let copy = aside.reopen().map_err(unwritten)?;
    let seen = inspect_open(copy, &options(&args.file))?;
    let seen = match seen {
        Inspection {
            verdict: Err(error),
            ..
        } if keeps_out_anywhere(&error) => return Err(error.into()),
        seen => seen,
    };
    let replaced = before.as_ref().and_then(|it| it.digest);
    let mut published = Published {
        is_unchanged: replaced.is_some() && replaced == seen.digest,
        seen,
        replaced,
        before: None,
        is_anothers: false,
        path: path.clone(),
    };
    if published.is_unchanged {
        return Ok(published);
    }
    published.is_anothers =
        !rights::take_over(aside.as_file(), before.as_ref().map(|it| &it.metadata))
            .map_err(unwritten)?;
    aside.as_file().sync_all().map_err(unwritten)?;
    if args.keep && before.is_some() {
        published.before = Some(keep(&path)?);
    }
    if stop.try_recv().is_ok() {
        return Err(PublishError::Stopped(path).into());
    }
    let renamed = aside.persist(&path).map_err(|failed| failed.error);
    renamed.map_err(unwritten)?;
    sync_directory(&path)?;
    Ok(published)
}

/// The choices by which a library is looked at. Whoever publishes one vouches for it.
fn options(path: &Path) -> Options {
    Options::new(path).trust(Trust::Off)
}

/// Whether a library would be kept out wherever it lies. What it needs beside it may be there, and not here.
fn keeps_out_anywhere(error: &replug::Error) -> bool {
    matches!(
        error,
        replug::Error::Vet { .. }
            | replug::Error::Handshake { .. }
            | replug::Error::TooLarge { .. }
    )
}

/// The place that a person named: in a directory, a file of the library's own name; behind a link, the file that it leads to.
fn place(library: &Path, dest: &Path) -> Result<PathBuf, PublishError> {
    let unwritten = |source| PublishError::Write {
        path: dest.to_owned(),
        source,
    };
    let place = match fs::metadata(dest) {
        Ok(found) if found.is_dir() => match library.file_name() {
            Some(name) => dest.join(name),
            None => return Err(PublishError::NotAFile(library.to_owned())),
        },
        Ok(_) => dest.to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound && !names_directory(dest) => {
            dest.to_owned()
        }
        Err(error) => return Err(unwritten(error)),
    };
    match fs::symlink_metadata(&place) {
        Ok(found) if found.is_symlink() => fs::canonicalize(&place).map_err(unwritten),
        _ => Ok(place),
    }
}

/// Whether a path can only be that of a directory.
fn names_directory(path: &Path) -> bool {
    let spelled = spelled(path);
    spelled.ends_with(std::path::is_separator) || path.file_name().is_none()
}

/// Opens the library. What is no file is not opened: a FIFO would be waited for.
fn open(path: &Path) -> Result<File, PublishError> {
    let unread = |source| PublishError::Read {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path).map_err(unread)?.is_file() {
        true => File::open(path).map_err(unread),
        false => Err(PublishError::NotAFile(path.to_owned())),
    }
}

/// What is in the place already; `None` if nothing is.
fn before(library: &File, path: &Path) -> Result<Option<Before>, PublishError> {
    let unread = |source| PublishError::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(PublishError::NoPlace(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    if rights::are_one(&library.metadata().map_err(unread)?, &metadata) {
        return Err(PublishError::Itself(path.to_owned()));
    }
    // What cannot be read, or is none, is as good as any other to be replaced.
    let digest = inspect(&options(path)).ok().and_then(|it| it.digest);
    Ok(Some(Before { metadata, digest }))
}

/// Refuses a library that is larger than the files which this process may write: the system would end the process.
fn check_limit(library: &File, path: &Path) -> Result<(), PublishError> {
    let size = library.metadata().map_or(0, |it| it.len());
    match rights::largest_file() {
        Some(limit) if size > limit => {
            let path = path.to_owned();
            Err(PublishError::FileLimit { path, size, limit })
        }
        _ => Ok(()),
    }
}

/// A file beside the place, which is removed unless it is renamed. Its name begins with a dot, and does not end as that of a
/// library.
fn aside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let prefix = name_with(path, ".", ".");
    builder.prefix(&prefix).suffix(".publish");
    // As a linker makes one, less what the umask takes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(rights::USUAL));
    builder.tempfile_in(directory_of(path))
}

/// The name of a file with something in front of it and behind it.
fn name_with(path: &Path, before: &str, behind: &str) -> OsString {
    let mut name = OsString::from(before);
    name.push(path.file_name().unwrap_or(OsStr::new("library")));
    name.push(behind);
    name
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Copies the library.
fn copy(
    args: &Publish,
    path: &Path,
    library: &mut File,
    aside: &mut NamedTempFile,
    stop: &Receiver<()>,
) -> Result<(), PublishError> {
    let mut piece = vec![0; CHUNK];
    loop {
        if stop.try_recv().is_ok() {
            return Err(PublishError::Stopped(path.to_owned()));
        }
        let read = match library.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(source) => {
                let path = args.file.clone();
                return Err(PublishError::Read { path, source });
            }
        };
        let written = aside.write_all(&piece[..read]);
        written.map_err(|source| PublishError::Write {
            path: path.to_owned(),
            source,
        })?;
    }
}

/// Gives what is in the place a second name, in place of what had that name.
fn keep(path: &Path) -> Result<PathBuf, PublishError> {
    let before = path.with_file_name(name_with(path, "", BEFORE));
    let unkept = |source| PublishError::Keep {
        path: path.to_owned(),
        before: before.clone(),
        source,
    };
    let second = second_name(path).map_err(unkept)?;
    second
        .persist(&before)
        .map_err(|failed| unkept(failed.error))?;
    Ok(before)
}

/// A second name of a file, aside; or where files have one name each, a copy.
fn second_name(path: &Path) -> io::Result<TempPath> {
    let mut builder = tempfile::Builder::new();
    let prefix = name_with(path, ".", ".");
    builder.prefix(&prefix).suffix(".publish");
    let linked = builder.make_in(directory_of(path), |name| fs::hard_link(path, name));
    if let Ok(linked) = linked {
        return Ok(linked.into_temp_path());
    }
    let copied = aside(path)?;
    fs::copy(path, copied.path())?;
    copied.as_file().sync_all()?;
    Ok(copied.into_temp_path())
}

/// Writes the directory to the disk, where that is possible.
fn sync_directory(path: &Path) -> Result<(), PublishError> {
    let synced = match cfg!(unix) {
        true => File::open(directory_of(path)).and_then(|directory| directory.sync_all()),
        false => Ok(()),
    };
    match synced {
        // Not a thing that this filesystem does for directories.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced.map_err(|source| PublishError::Unsynced {
            path: path.to_owned(),
            source,
        }),
    }
}

fn say(output: &Output, published: &Published) -> io::Result<()> {
    let Published {
        path,
        seen,
        replaced,
        before,
        is_unchanged,
        is_anothers,
    } = published;
    let mut warnings: Vec<_> = seen.warnings.iter().map(ToString::to_string).collect();
    if let Err(error) = &seen.verdict {
        warnings.push(replug::chain(error));
    }
    if *is_anothers {
        warnings.push("it could not be given the owner and group of the one before".to_owned());
    }
    let digest = seen.digest.map_or_else(String::new, |it| it.to_string());
    let event = if *is_unchanged {
        "unchanged"
    } else {
        "published"
    };
    let line = json!({
        "event": event, "path": spelled(&absolute(path)), "size": seen.size, "sha256": seen.digest.map(|it| it.to_string()),
        "replaced": replaced.map(|it| it.to_string()), "before": before.as_ref().map(|it| spelled(&absolute(it)).into_owned()),
        "warnings": warnings,
    });
    let mut words = match is_unchanged {
        true => format!("{} has these bytes already: {digest}", shown(path)),
        false => format!(
            "{} is published: {digest}, {} bytes",
            shown(path),
            seen.size
        ),
    };
    if let (Some(replaced), false) = (replaced, is_unchanged) {
        words = format!("{words}, in place of {}", replaced.short());
    }
    if let Some(before) = before {
        words = format!("{words}, which is kept as {}", shown(before));
    }
    for warning in warnings {
        words = format!("{words}\n  warning: {warning}");
    }
    output.say(line, words)
}

#[cfg(unix)]
mod rights {
    use std::fs::{File, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    /// The rights of a new library, before the umask.
    pub(super) const USUAL: u32 = 0o644;

    /// Whether two looks were at one file.
    pub(super) fn are_one(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }

    /// The size, in bytes, of the largest file that this process may write, if there is a limit.
    pub(super) fn largest_file() -> Option<u64> {
        rustix::process::getrlimit(rustix::process::Resource::Fsize).current
    }

    /// Gives a new file the rights of the one before, and its owner and group where this user may. Returns whether it has
    /// that owner and group.
    pub(super) fn take_over(file: &File, before: Option<&Metadata>) -> io::Result<bool> {
        let Some(before) = before else {
            return Ok(true);
        };
        let own = file.metadata()?;
        let has_owner = own.uid() == before.uid() || fchown(file, Some(before.uid()), None).is_ok();
        let has_group = own.gid() == before.gid() || fchown(file, None, Some(before.gid())).is_ok();
        let mode = mode(before.mode(), has_group);
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(has_owner && has_group)
    }

    /// The rights of a new file, by those of the one before. Another group gets no right that was not everybody's.
    pub(super) fn mode(before: u32, has_group: bool) -> u32 {
        let mode = before & 0o777;
        match has_group {
            true => mode,
            false => (mode & !0o070) | (((mode & 0o007) << 3) & mode),
        }
    }
}

#[cfg(not(unix))]
mod rights {
    use std::fs::{File, Metadata};
    use std::io;

    /// Whether two looks were at one file: nobody knows.
    pub(super) fn are_one(_one: &Metadata, _other: &Metadata) -> bool {
        false
    }

    /// The size, in bytes, of the largest file that this process may write: there is no such limit.
    pub(super) fn largest_file() -> Option<u64> {
        None
    }

    /// Gives a new file the rights of the one before: the directory's say what they are.
    pub(super) fn take_over(_file: &File, _before: Option<&Metadata>) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_aside_is_in_the_directory_and_named_as_no_library_is() {
        let directory = tempfile::tempdir().unwrap();
        let aside = aside(&directory.path().join("libx.so")).unwrap();
        assert_eq!(aside.path().parent(), Some(directory.path()));
        let name = aside.path().file_name().unwrap().to_str().unwrap();
        assert!(
            name.starts_with(".libx.so.") && name.ends_with(".publish"),
            "{name}"
        );
        drop(aside);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_request_to_stop_ends_the_work_before_anything_is_renamed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, dest) = (
            directory.path().join("liba.so"),
            directory.path().join("libb.so"),
        );
        fs::write(&file, "a library").unwrap();
        fs::write(&dest, "the one before").unwrap();
        let (request, requested) = crossbeam_channel::bounded(1);
        request.send(()).unwrap();
        let (keep, json) = (false, false);
        let stopped = publish(
            &Publish {
                file,
                dest: dest.clone(),
                keep,
                json,
            },
            &requested,
        );
        let Err(stopped) = stopped else {
            panic!("it was published")
        };
        assert!(
            stopped.to_string().ends_with("it was told to stop"),
            "{stopped}"
        );
        assert_eq!(fs::read(dest).unwrap(), b"the one before");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn another_group_gets_no_right_that_was_not_everybodys() {
        for (before, has_group, after) in [
            (0o640, true, 0o640),
            (0o640, false, 0o600),
            (0o664, false, 0o644),
            (0o777, false, 0o777),
            (0o755, false, 0o755),
            (0o4750, true, 0o750),
        ] {
            assert_eq!(rights::mode(before, has_group), after, "{before:o}");
        }
    }
}
