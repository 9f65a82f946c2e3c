//! `replug new`: a workspace of a declaration, a plugin and a host, which builds, runs and tests as it is.
//!
//! Its files are the templates in `cli/templates/`. It is made as a whole, or nothing is left of it.

mod crates;
mod name;
mod templates;

use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use replug::shown::shown;

use self::crates::Crates;
pub(crate) use self::name::name;
use self::templates::{File, files, plugin};
use crate::args::New;
use crate::stream::Stream;

/// The reasons why a workspace is not made.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error(
        "cannot make `{}`: something is there already; choose another name, or another directory by `--path`",
        shown(.0)
    )]
    Exists(PathBuf),
    #[error("cannot make `{}`", shown(path))]
    Make { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", shown(path))]
    Write { path: PathBuf, source: io::Error },
}

/// Makes the workspace, and says what comes next.
pub(crate) fn run(args: &New) -> Result<(), Box<dyn Error>> {
    let crates = Crates::chosen(args.replug.as_deref())?;
    let files = files(args.host, &args.name, &crates);
    let directory = args.path.clone().unwrap_or_else(|| (&args.name).into());
    make(&directory, &files)?;
    let words = next_steps(&directory, args, &crates);
    match Stream::Out.write_all(words.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Makes the directory, which must not be there, and the files in it.
fn make(directory: &Path, files: &[File]) -> Result<(), NewError> {
    fs::create_dir(directory).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => NewError::Exists(directory.to_owned()),
        _ => NewError::Make {
            path: directory.to_owned(),
            source,
        },
    })?;
    let written = files.iter().try_for_each(|file| write(directory, file));
    if written.is_err() {
        // The error says what failed. What cannot be taken away either is in the directory that the error names.
        let _ = fs::remove_dir_all(directory);
    }
    written
}

fn write(directory: &Path, file: &File) -> Result<(), NewError> {
    let path = directory.join(&file.path);
    let room = path.parent().unwrap_or(directory);
    let written = fs::create_dir_all(room).and_then(|()| fs::write(&path, &file.content));
    written.map_err(|source| NewError::Write { path, source })
}

fn next_steps(directory: &Path, args: &New, crates: &Crates) -> String {
    let (directory, name, plugin) = (shown(directory), &args.name, plugin(args.host));
    format!(
        "`{directory}` is made, with {crates}. Now:\n\n  \
         cd {directory}\n  \
         replug dev -p {name}-{plugin} -- cargo run\n\n\
         Then save a change in {plugin}/src/lib.rs. `cargo test` tests a reload.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File {
            path: path.to_owned(),
            content: "x".to_owned(),
        }
    }

    #[test]
    fn a_workspace_is_made_as_a_whole_or_nothing_is_left_of_it() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("made");
        // A file cannot be a directory as well.
        let failed = make(&directory, &[file("a"), file("a/b")]).unwrap_err();
        let path = directory.join("a/b");
        let words = format!("cannot write `{}`", path.display());
        assert_eq!(failed.to_string(), words);
        assert!(!directory.exists());
        make(&directory, &[file("a"), file("b/c")]).unwrap();
        assert_eq!(fs::read_to_string(directory.join("b/c")).unwrap(), "x");
    }

    #[test]
    fn whatever_is_there_is_refused_and_left_as_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let failed = make(scratch.path(), &[file("a")]).unwrap_err();
        assert!(failed.to_string().contains("--path"), "{failed}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
