//! Helping: a host that was asked to try a build does what a host does on the way to a new generation, in a process of its own.

use std::any::type_name;
use std::panic::{self, AssertUnwindSafe};
use std::process;

use replug_plugin::{CallError, HookError};

use super::owner::Host;
use super::succeed::restore;
use crate::boundary::{self, Bound, BoundHooks, Image, State};
use crate::error::chain;
use crate::trials::asked::Asked;
use crate::trials::part;
use crate::trials::verdict::TrialPart;
use crate::trials::words::Word;

/// The status of a process that was asked for a trial and cannot hold one.
const UNABLE: i32 = 70;

/// The longest reason, in characters, so that it fits into a word.
const LONGEST_REASON: usize = 4096;

/// Tries a build, if this process was started to do that with a host of `T`, and does not return then. In any other process it
/// takes down that this program takes part, without which [`Options::trial`](crate::Options::trial) is an error, and returns.
///
/// It belongs at the beginning of `main`, before threads are started and arguments are read. The `host` watches nothing: it is
/// made like the one that does, by [`Host::new`] or [`Host::with`], [`expecting`](Host::expecting) what that one expects. For a
/// [`HostSet`](crate::HostSet) it is the host of one plugin. The `self_test` is what the program wants to see of a build before it
/// is live: it calls functions of the build, which is initialised by then, lends them what they need, and returns an error if it
/// is not content. It has the time of the trial, and a process for itself.
///
/// # Examples
///
/// Those of [`Trial`](crate::Trial).
pub fn run_if_asked<T>(host: Host<T>, self_test: impl FnOnce(&T) -> Result<(), HookError>) {
    let kind = type_name::<T>();
    if part::asked().as_deref() != Some(kind) {
        part::takes_part(kind);
        return;
    }
    match Asked::begin() {
        Ok(asked) => help(host, asked, self_test),
        Err(error) => {
            eprintln!("cannot try a build: {}", chain(&error));
            process::exit(UNABLE);
        }
    }
}

/// Tries the build that was asked about, and says what became of it.
fn help<T>(
    mut host: Host<T>,
    mut asked: Asked,
    self_test: impl FnOnce(&T) -> Result<(), HookError>,
) -> ! {
    let tried = pass_through(&mut host, &mut asked, self_test);
    let cut = |reason: String| Word::Failed(reason.chars().take(LONGEST_REASON).collect());
    let word = tried.map_or_else(cut, |()| Word::Passed);
    asked.end(&word)
}

/// Everything on the way to a live generation, and out of it again. The error is a line.
fn pass_through<T>(
    host: &mut Host<T>,
    asked: &mut Asked,
    self_test: impl FnOnce(&T) -> Result<(), HookError>,
) -> Result<(), String> {
    asked.say(&Word::Begins(TrialPart::Load));
    let request = asked.request.clone();
    for sibling in &request.siblings {
        boundary::keep(sibling).map_err(|failure| chain(&failure))?;
    }
    let image = Image::open(&request.library, &request.artifact, false);
    let image = image.map_err(|failure| chain(&failure))?;
    asked.say(&Word::Begins(TrialPart::Handshake));
    let Bound { table, hooks } = host.bind(&image).map_err(|failure| chain(&failure))?;
    let refused = |error: CallError| chain(&error);
    asked.say(&Word::Begins(TrialPart::Init));
    hooks
        .as_ref()
        .map_or(Ok(()), BoundHooks::init)
        .map_err(refused)?;
    if let Some((version, bytes)) = request.state {
        asked.say(&Word::Begins(TrialPart::Restore));
        let state = State::new(version, bytes);
        restore(hooks.as_ref(), &state).map_err(refused)?;
    }
    asked.say(&Word::Begins(TrialPart::SelfTest));
    let tested = panic::catch_unwind(AssertUnwindSafe(|| self_test(&table)));
    let tested = tested.unwrap_or_else(|_| Err("the self-test panicked".into()));
    tested.map_err(|error| chain(error.as_ref()))?;
    asked.say(&Word::Begins(TrialPart::Stop));
    if let Some(Err(error)) = hooks.as_ref().map(BoundHooks::stop) {
        // A generation that does not stop is retired all the same.
        eprintln!("it did not stop: {}", chain(&error));
    }
    Ok(())
}
