//! `replug doctor`: says what would make replug late, wrong or unsafe at a path, and what to do about it.
//!
//! The findings are pure (`finding`, `place`, `seen`, `limits`, `profile`, `toolchain`). What looks at the world, or
//! makes a file to see what becomes of it, decides nothing, and does so on a thread that may hang (`attended`). Nothing
//! of a library runs.

// One thing that was found, and the pages that say more.
mod finding;

// A thread that looks, and may hang.
mod attended;

// The path: its filesystem, what lies there, and changes that are made beside it.
mod corner;
mod library;
mod locks;
mod place;
mod probe;
mod seen;
mod there;
mod ways;

// This machine: directories for copies, limits, cargo.
mod here;
mod limits;
mod profile;
mod stages;
mod toolchain;
mod workspace;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use replug::shown::{shown, spelled};
use replug::watch::{Files as _, OsFiles, Stage as _, StageDirectory};
use serde_json::json;

use self::attended::{End, Teller, attend};
use self::finding::{Counts, Said, page};
use self::workspace::Workspace;
use crate::args::Doctor;
use crate::output::{Output, absolute};
use crate::stop::Stop;

/// Looks at the path and at this machine, and says what was found. A failure if anything should be mended.
pub(crate) fn run(args: &Doctor) -> Result<ExitCode, Box<dyn Error>> {
    let stop = Stop::on_signals()?;
    stop.fails_if_stuck();
    let mut report = Report {
        output: Output::new(args.json, Instant::now()),
        counts: Counts::default(),
    };
    match examine(args, &stop, &mut report) {
        Ok(true) => {}
        Ok(false) => return Ok(ExitCode::FAILURE),
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(error.into()),
    }
    Ok(match report.counts.is_well() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Looks at everything, in order. False if the user stopped it.
fn examine(args: &Doctor, stop: &Stop, report: &mut Report) -> io::Result<bool> {
    let Some(workspace) = workspace(stop, report)? else {
        return Ok(false);
    };
    let path = absolute(&chosen(args, workspace.as_ref()));
    let stage = match stages::make(None) {
        Ok(stage) => stage,
        // No host can start here, whatever else there is.
        Err(error) => {
            report.say(stages::nowhere(&error))?;
            return report.end(&path).map(|()| true);
        }
    };
    // A thread that hangs keeps the stage, and the program ends without it.
    let remover = stage.remover();
    stop.if_stuck(vec![remover.clone()], || {}, || {});
    stop.fails_if_stuck();
    let is_finished = examine_at(&path, stage, workspace, stop, report);
    if let Err(error) = remover.remove() {
        tracing::warn!(
            "cannot remove the directory for copies, which the next start sweeps away: {error}"
        );
    }
    is_finished
}

/// Looks at the path, and then at this machine.
fn examine_at(
    path: &Path,
    stage: StageDirectory,
    workspace: Option<Workspace>,
    stop: &Stop,
    report: &mut Report,
) -> io::Result<bool> {
    let there = (path.to_owned(), stage.clone(), workspace.clone());
    let work = move |teller: &Teller| there::examine(&there.0, &there.1, there.2.as_ref(), teller);
    match attend("path", work, stop.requested(), &mut |said| report.say(said))? {
        End::Done => {}
        End::Stopped => return Ok(false),
        End::Silent(at) => report.say(hung(path, at))?,
    }
    let work = move |teller: &Teller| here::examine(&stage, workspace.as_ref(), teller);
    match attend("machine", work, stop.requested(), &mut |said| {
        report.say(said)
    })? {
        End::Done => {}
        End::Stopped => return Ok(false),
        End::Silent(at) => report.say(silent(at))?,
    }
    report.end(path)?;
    Ok(true)
}

/// Asks cargo for the workspace of the working directory. `None` in the place of all if the user stopped it.
fn workspace(stop: &Stop, report: &mut Report) -> io::Result<Option<Option<Workspace>>> {
    let (found, finds) = crossbeam_channel::bounded(1);
    let work = move |teller: &Teller| {
        teller.begins("asked cargo for the workspace");
        // Nobody waits any more after a request to stop.
        let _ = found.send(Workspace::of_here());
    };
    match attend("workspace", work, stop.requested(), &mut |said| {
        report.say(said)
    })? {
        End::Done => Ok(Some(finds.try_recv().ok().flatten())),
        End::Stopped => Ok(None),
        End::Silent(at) => report.say(silent(at)).map(|()| Some(None)),
    }
}

/// The path that was named, or else where cargo builds, or else this directory.
fn chosen(args: &Doctor, workspace: Option<&Workspace>) -> PathBuf {
    let built = workspace.filter(|it| it.is_built);
    let built = built.map(|it| it.target.clone());
    args.path
        .clone()
        .or(built)
        .unwrap_or_else(|| PathBuf::from("."))
}

/// The finding that a filesystem does not answer.
fn hung(path: &Path, at: &str) -> Said {
    // The table of mounts, which asks no filesystem.
    let name = OsFiles.mounted(path).map_or("unknown".into(), |it| it.name);
    let words = format!(
        "nothing was heard of `{}` for {} s, while the program {at}: its filesystem (`{}`) does not answer, and a host \
         says `stalled` then and goes on with what it has",
        shown(path),
        attended::SILENT.as_secs(),
        shown(&*name)
    );
    let remedy = "see whether its server or daemon runs, and mount it again; what was made for the measurement may be \
                  left there, as `.replug-doctor-..`";
    Said::finding("hung", words, remedy, page::ERRORS)
}

/// The finding that this machine does not answer.
fn silent(at: &str) -> Said {
    let words = format!(
        "nothing was heard for {} s, while the program {at}",
        attended::SILENT.as_secs()
    );
    let remedy = "see what holds that up, and try again; what comes after it was not looked at";
    Said::finding("hung", words, remedy, page::DOCTOR)
}

/// The findings, as they are said and counted.
struct Report {
    output: Output,
    counts: Counts,
}

impl Report {
    fn say(&mut self, said: Said) -> io::Result<()> {
        self.counts.count(&said);
        self.output.say(said.line(), said.words_for_people())
    }

    fn end(&self, path: &Path) -> io::Result<()> {
        let Counts {
            findings,
            notes,
            well,
        } = self.counts;
        let line = json!({
            "event": "doctor", "path": spelled(path), "findings": findings, "notes": notes, "ok": well,
        });
        self.output.say(line, self.counts.to_string())
    }
}
