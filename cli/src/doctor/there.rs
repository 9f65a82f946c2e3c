//! Everything that is asked of the path's own filesystem, in order. All of it may hang.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use replug::shown::shown;
use replug::watch::{Files as _, Kind, Monotonic, News, OsFiles, Place, Poller, StageDirectory};
use replug::{GatePolicy, Options, Trust, chain};

use super::attended::Teller;
use super::finding::{Said, page};
use super::library::{self, Rights};
use super::locks;
use super::place;
use super::probe::{Fate, Probe};
use super::seen;
use super::ways::Way;
use super::workspace::Workspace;

/// Looks at the path and at what lies there, and changes a file beside it.
pub(super) fn examine(
    path: &Path,
    stage: &StageDirectory,
    workspace: Option<&Workspace>,
    teller: &Teller,
) {
    teller.begins("looked at the path");
    let Some(survey) = survey(path, stage, teller) else {
        return;
    };
    let mut rights = Rights::default();
    what_lies_there(path, &survey, &mut rights, teller);
    teller.begins("made a file beside the path");
    let directory = directory_of(path, survey.kind);
    if !beside(&directory, &survey.place, stage, &mut rights, teller) {
        return;
    }
    rights.end(teller);
    if survey.place.gate != GatePolicy::Off {
        teller.begins("asked for cargo's locks");
        say(locks::judge(&locks::ask(&directory)), teller);
    }
    if let Some(Workspace { root, .. }) = workspace {
        say(locks::judge_editors(&locks::editors(root), root), teller);
    }
}

fn say(said: impl IntoIterator<Item = Said>, teller: &Teller) {
    said.into_iter().for_each(|said| teller.says(said));
}

/// Looks at the library, or at those of the directory. What cannot be looked at was said.
fn what_lies_there(path: &Path, survey: &Survey, rights: &mut Rights, teller: &Teller) {
    let Some(kind @ (Kind::File | Kind::Directory)) = survey.kind else {
        return;
    };
    if survey.is_troubled {
        return;
    }
    let untold = library::examine(path, kind, rights, teller);
    let untold = untold.filter(|_| survey.place.tells_writers);
    say(untold.map(|it| seen::leases_refused(&it)), teller);
}

/// What a host sees of a path at first.
struct Survey {
    place: Place,
    kind: Option<Kind>,
    /// Whether the path cannot be looked at, or listed.
    is_troubled: bool,
}

/// Looks at the path as a host would, without reading what lies there, and says what a host would. Returns where it is
/// and what it is; nothing if it is to stop.
fn survey(path: &Path, stage: &StageDirectory, teller: &Teller) -> Option<Survey> {
    /// Two looks, for a warning may wait for the second, and the time between them.
    const LOOKS: usize = 2;
    const APART: Duration = Duration::from_millis(20);
    // Of a library with more than a byte nothing is read.
    let options = Options::new(path).trust(Trust::Off).max_size(1);
    let mut poller = Poller::with(options, OsFiles, stage.clone(), Monotonic);
    let kind = poller.survey();
    let place = poller.place().clone();
    let words = format!("looking at `{}`", shown(path));
    teller.says(Said::ok("path", words, page::DOCTOR));
    say(place::judge(&place), teller);
    let mut is_troubled = false;
    for _ in 0..LOOKS {
        poller.poll(poller.now());
        for update in poller.updates().try_iter() {
            is_troubled |= matches!(update.news, News::Degraded(_));
            say(news(update.news), teller);
        }
        if !teller.pause(APART) {
            return None;
        }
    }
    say(kind_of(path, kind).filter(|_| !is_troubled), teller);
    Some(Survey {
        place,
        kind,
        is_troubled,
    })
}

/// What is to be said of a host's news. What becomes of the library itself is told elsewhere.
fn news<S>(news: News<S>) -> Option<Said> {
    match news {
        News::Warned(warning) => Some(Said::of_clause(
            warning.about(),
            &warning.to_string(),
            page::WARNINGS,
        )),
        News::Degraded(error) => Some(Said::finding(
            "path",
            chain(&error),
            "let this user look at it, and mount its filesystem again if the cause is there",
            page::ERRORS,
        )),
        _ => None,
    }
}

/// Why a path cannot be looked at, if that is not because nothing is there.
fn cannot_look(path: &Path) -> Option<io::Error> {
    let error = OsFiles.look(path).err()?;
    let is_absent = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    (!is_absent).then_some(error)
}

/// What is to be said of the kind of thing at the path.
fn kind_of(path: &Path, kind: Option<Kind>) -> Option<Said> {
    match kind {
        None => Some(match cannot_look(path) {
            // A host says so only when it has lasted.
            Some(error) => Said::finding(
                "path",
                format!("cannot look at `{}`: {error}", shown(path)),
                "mend the path: a host waits for that as for a server that is away",
                page::ERRORS,
            ),
            None => Said::note(
                "path",
                format!("there is nothing at `{}` that can be looked at; a host waits for it", shown(path)),
                Some("build the library, or name its path as cargo prints it"),
                page::DOCTOR,
            ),
        }),
        Some(Kind::File) => is_mounted_alone(path).then(|| {
            Said::finding(
                "mount",
                format!(
                    "`{}` is mounted by itself: a builder that renames or links another file over it, outside, changes \
                     nothing here",
                    shown(path)
                ),
                "mount its directory instead",
                page::HOW_LONG,
            )
        }),
        Some(Kind::Directory) => None,
        Some(kind) => Some(Said::finding(
            "path",
            format!("`{}` is {kind}, neither a library nor a directory, and is not watched", shown(path)),
            "name a library, or a directory of libraries",
            page::ERRORS,
        )),
    }
}

/// Whether a file is on another mount than its directory, for it alone was mounted.
fn is_mounted_alone(path: &Path) -> bool {
    let Ok(end) = OsFiles.route(path).map(|route| route.end) else {
        return false;
    };
    let directory = end.parent().unwrap_or(Path::new("/"));
    match (OsFiles.look(&end), OsFiles.look(directory)) {
        (Ok(file), Ok(directory)) => file.mount != directory.mount,
        _ => false,
    }
}

/// The directory in which builds of the path appear, wherever links lead: the nearest one that exists.
fn directory_of(path: &Path, kind: Option<Kind>) -> PathBuf {
    let end = OsFiles.route(path).map(|route| route.end);
    let end = end.unwrap_or_else(|_| path.to_owned());
    let beside = match kind {
        Some(Kind::Directory) => Some(&*end),
        _ => end.parent(),
    };
    let mut above = beside.unwrap_or(&end).ancestors();
    let directory = above.find(|it| it.is_dir()).unwrap_or(Path::new("/"));
    directory.to_owned()
}

/// Makes a file in a directory, changes it, and says what became of that. False if it is to stop.
fn beside(
    directory: &Path,
    place: &Place,
    stage: &StageDirectory,
    rights: &mut Rights,
    teller: &Teller,
) -> bool {
    let mut probe = match Probe::make_in(directory, stage) {
        Ok(probe) => probe,
        Err(error) => {
            teller.says(unmade(directory, &error));
            return true;
        }
    };
    rights.judge(probe.file(), teller);
    teller.begins("changed a file beside the path");
    let Some(made) = changes(&mut probe, teller) else {
        return false;
    };
    let mut said = seen::changes(&made, place);
    said.push(match probe.ask_for_writers() {
        Ok(told) => seen::leases(told, place),
        Err(error) => unasked("leases", &error),
    });
    teller.begins("asked for a lock beside the path");
    said.push(match place.gate {
        GatePolicy::Off => seen::locks_unasked(),
        _ => match probe.ask_for_lock() {
            Ok(answers) => seen::locks(answers),
            Err(error) => seen::no_locks(&error.to_string()),
        },
    });
    match probe.take_times() {
        Ok(times) => said.extend(seen::clock(&times)),
        Err(error) => said.push(unasked("clock", &error)),
    }
    say(said, teller);
    true
}

/// Changes the file in each way. Where one change is not read, the next ones would tell nothing.
fn changes(probe: &mut Probe, teller: &Teller) -> Option<Vec<(Way, Fate)>> {
    let mut made = Vec::new();
    match probe.wait_for_first(teller)? {
        Fate::Read(_) => {}
        fate => return Some(vec![(Way::MadeAgain, fate)]),
    }
    for way in Way::ALL {
        let fate = probe.change(way, teller)?;
        let is_lost = matches!(fate, Fate::Unread);
        made.push((way, fate));
        if is_lost {
            break;
        }
    }
    Some(made)
}

fn unmade(directory: &Path, error: &io::Error) -> Said {
    let (directory, why) = (shown(directory), error.kind());
    let words = format!("no file can be made in `{directory}`, so nothing was measured: {why}");
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Said::finding(
            "room",
            format!("{words}; a build that is written there is cut off, or fails"),
            "make room there, or build into another directory",
            page::DOCTOR,
        ),
        _ => Said::note(
            "changes",
            words,
            Some("run it as the user who builds there, or on the machine that does"),
            page::DOCTOR,
        ),
    }
}

fn unasked(about: &'static str, error: &io::Error) -> Said {
    let words = format!("cannot ask a file that was made beside the path: {error}");
    Said::note(about, words, None, page::DOCTOR)
}
