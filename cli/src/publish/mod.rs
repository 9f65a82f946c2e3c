//! `replug publish`: puts a library into its place, so that no reader anywhere ever sees half of it.
//!
//! The library is copied aside into the directory of its place, under a name that no watcher takes for a library, vetted
//! there, and written to the disk; then it is renamed over the one before. Whatever fails until then leaves the one before
//! as it is, and nothing else behind.

mod aside;
mod failure;
mod place;
mod rights;
mod sign;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crossbeam_channel::Receiver;
use replug::inspect::{Inspection, inspect_open};
use replug::shown::{shown, spelled};
use replug::{Digest, Options, Trust};
use serde_json::json;
use tempfile::NamedTempFile;

use self::aside::{aside, keep, sync_directory};
pub(crate) use self::aside::{link_aside, rename_over};
use self::failure::PublishError;
use self::place::{before, place};
use self::sign::Signer;
pub(crate) use self::sign::is_line;
#[cfg(feature = "fleet")]
pub(crate) use self::sign::secret_key;
use crate::args::Publish;
use crate::output::{Output, absolute};
use crate::stop::Stop;

/// How much is copied at once, in bytes; a request to stop is heeded in between.
const CHUNK: usize = 1024 * 1024;

/// Every error that ends the work.
type Failure = Box<dyn Error>;

/// A library that is in its place.
struct Published {
    path: PathBuf,
    seen: Inspection,
    /// What was there before.
    replaced: Option<Digest>,
    /// Where that is kept.
    before: Option<PathBuf>,
    is_unchanged: bool,
    /// Where its signature is.
    signature: Option<PathBuf>,
    /// Whether owner and group are others than those of the library before.
    is_anothers: bool,
}

/// Publishes the library, and says so.
pub(crate) fn run(args: &Publish) -> Result<ExitCode, Failure> {
    let output = Output::new(args.json, Instant::now());
    let stop = Stop::on_signals()?;
    stop.fails_if_stuck();
    let published = publish(args, None, stop.requested())?;
    say(&output, &published)?;
    Ok(ExitCode::SUCCESS)
}

/// Publishes a library that must have this digest, with its signature. What is refused as a library is a
/// [`replug::Error`].
#[cfg(feature = "fleet")]
pub(crate) fn publish_exactly(
    file: PathBuf,
    dest: PathBuf,
    digest: Digest,
    signature: Option<&str>,
    stop: &Receiver<()>,
) -> Result<(), Failure> {
    // First, so that whoever sees the library finds its signature.
    if let Some(signature) = signature {
        sign::put(&dest, signature)?;
    }
    let args = Publish {
        file,
        dest,
        keep: false,
        sign: None,
        comment: None,
        json: false,
    };
    publish(&args, Some(digest), stop).map(drop)
}

/// Publishes a library; if there is a digest, only what has that one.
fn publish(
    args: &Publish,
    digest: Option<Digest>,
    stop: &Receiver<()>,
) -> Result<Published, Failure> {
    let path = place(&args.file, &args.dest)?;
    let comment = args.comment.as_deref().map(Into::into);
    let comment = comment.unwrap_or_else(|| spelled(path.file_name().unwrap_or_default()));
    let signer = args.sign.as_deref().map(|key| Signer::read(key, &comment));
    let signer = signer.transpose()?;
    let unwritten = |source| PublishError::Write {
        path: path.clone(),
        source,
    };
    let mut library = open(&args.file)?;
    let before = before(&library, &path)?;
    check_limit(&library, &path)?;
    let mut aside = aside(&path).map_err(unwritten)?;
    copy(args, &path, &mut library, &mut aside, stop)?;
    let seen = vet(&aside, args, digest, &path)?;
    let replaced = before.as_ref().and_then(|it| it.digest);
    let mut published = Published {
        is_unchanged: replaced.is_some() && replaced == seen.digest,
        seen,
        replaced,
        before: None,
        signature: None,
        is_anothers: false,
        path: path.clone(),
    };
    let sign = |published: &mut Published| {
        let digest = published.seen.digest;
        let signer = signer.as_ref().zip(digest);
        let signed = signer.map(|(signer, digest)| signer.sign(digest, &path));
        published.signature = signed.transpose()?;
        Ok::<_, PublishError>(())
    };
    if published.is_unchanged {
        sign(&mut published)?;
        return Ok(published);
    }
    published.is_anothers =
        !rights::take_over(aside.as_file(), before.as_ref().map(|it| &it.metadata))
            .map_err(unwritten)?;
    aside.as_file().sync_all().map_err(unwritten)?;
    if stop.try_recv().is_ok() {
        return Err(PublishError::Stopped(path).into());
    }
    if args.keep && before.is_some() {
        published.before = Some(keep(&path)?);
    }
    // First, so that whoever sees the library finds its signature.
    sign(&mut published)?;
    let renamed = aside.persist(&path).map_err(|failed| failed.error);
    renamed.map_err(unwritten)?;
    sync_directory(&path)?;
    Ok(published)
}

/// Looks at the copy, as the library may change meanwhile; in the words about it the library's own name stands.
fn vet(
    aside: &NamedTempFile,
    args: &Publish,
    digest: Option<Digest>,
    path: &Path,
) -> Result<Inspection, Failure> {
    let copy = aside.reopen().map_err(|source| PublishError::Write {
        path: path.to_owned(),
        source,
    })?;
    let seen = inspect_open(copy, &options(&args.file))?;
    if let (Some(wanted), Some(found)) = (digest, seen.digest)
        && wanted != found
    {
        let path = args.file.clone();
        return Err(PublishError::Another { path, found }.into());
    }
    match seen {
        Inspection {
            verdict: Err(error),
            ..
        } if keeps_out_anywhere(&error) => Err(error.into()),
        seen => Ok(seen),
    }
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

/// The choices by which a library is looked at. Whoever publishes one vouches for it.
fn options(path: &Path) -> Options {
    Options::new(path).trust(Trust::Off)
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

fn say(output: &Output, published: &Published) -> io::Result<()> {
    let Published {
        path,
        seen,
        replaced,
        before,
        is_unchanged,
        signature,
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
    let line = json!({
        "event": "published", "changed": !is_unchanged, "path": spelled(&absolute(path)), "size": seen.size, "sha256": seen.digest.map(|it| it.to_string()),
        "replaced": replaced.map(|it| it.to_string()), "before": before.as_ref().map(|it| spelled(&absolute(it)).into_owned()),
        "signature": signature.as_ref().map(|it| spelled(&absolute(it)).into_owned()), "warnings": warnings,
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
    if let Some(signature) = signature {
        words = format!("{words}, signed as {}", shown(signature));
    }
    for warning in warnings {
        words = format!("{words}\n  warning: {warning}");
    }
    output.say(line, words)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

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
                sign: None,
                comment: None,
                json,
            },
            None,
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
}
