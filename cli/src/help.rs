//! `replug completions` and `replug man`: the help in other forms, made from the very options that `--help` shows.

use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use replug::shown::shown;

use crate::args::{self, Cli};
use crate::stream::Stream;

/// The name of the program, as people call it.
const PROGRAM: &str = "replug";

/// A page that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", shown(path))]
struct Unwritten {
    path: PathBuf,
    source: io::Error,
}

/// Writes what completes the options in a shell.
pub(crate) fn completions(args: &args::Completions) -> Result<(), Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), PROGRAM, &mut script);
    Ok(say(&script)?)
}

/// Writes one manual page to stdout, or all of them into a directory.
pub(crate) fn man(args: &args::Man) -> Result<(), Box<dyn Error>> {
    let program = commands();
    match (&args.dir, &args.command) {
        (Some(directory), _) => write_all(&program, directory),
        (None, None) => Ok(say(&page(&program)?)?),
        (None, Some(name)) => match program.get_subcommands().find(|it| it.get_name() == name) {
            Some(command) => Ok(say(&page(command)?)?),
            None => {
                let words = format!("there is no subcommand `{}`", shown(name));
                Err(args::misuse("man", clap::error::ErrorKind::InvalidValue, words).into())
            }
        },
    }
}

/// The program, with all its subcommands, each of which has its whole name: `replug-run`.
fn commands() -> Command {
    // `replug help` has no page: it shows what the pages show.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

/// Each page with the name of its file.
fn write_all(program: &Command, directory: &Path) -> Result<(), Box<dyn Error>> {
    let unwritten = |path: &Path| {
        let path = path.to_owned();
        move |source| Unwritten { path, source }
    };
    fs::create_dir_all(directory).map_err(unwritten(directory))?;
    for command in [program].into_iter().chain(program.get_subcommands()) {
        let name = command.get_display_name().unwrap_or(PROGRAM);
        let path = directory.join(format!("{name}.1"));
        fs::write(&path, page(command)?).map_err(unwritten(&path))?;
    }
    Ok(())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source);
    man.manual("replug").render(&mut page)?;
    Ok(page)
}

/// Writes to stdout. Whoever has gone has read enough.
fn say(text: &[u8]) -> io::Result<()> {
    match Stream::Out.write_all(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
