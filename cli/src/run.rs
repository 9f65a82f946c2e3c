//! `replug run`: builds if asked to, watches, loads plugins that are ready, calls them, and stops when told to.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::select_biased;
use replug::shown::shown;
use replug::watch::Watcher;
use replug::{HostSet, Outcome, Text, TextFunction};

use crate::args::{Run, Serving};
use crate::build;
use crate::output::{Output, Totals};
use crate::stop::Stop;

/// How often the status is shown while nothing is loaded.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Every error that can end a run before it is told to stop.
pub(crate) type Failure = Box<dyn Error>;

/// Runs until told to stop.
pub(crate) fn run(args: &Run) -> Result<(), Failure> {
    let output = Output::new(args.serving.json, Instant::now());
    let stop = Stop::on_signals()?;
    let Some(path) = path(args, &stop)? else {
        return Ok(());
    };
    let mut session = Session::watch(&args.serving, output, path.clone())?;
    Run::check_kind(&path, session.plugins.watcher())?;
    let stage = session.plugins.watcher().remover().clone();
    stop.if_stuck(stage.clone(), session.last_words());
    let result = session.run(&stop);
    drop(session);
    // A worker that reads a large file on a slow disk is left behind, and its copy with it.
    if let Err(error) = stage.remove() {
        tracing::warn!("cannot remove the stage directory: {error}");
    }
    match result {
        // Whoever read the output has seen enough.
        Err(failure) if is_broken_pipe(&failure) => Ok(()),
        result => result,
    }
}

/// The function that is called: text to text, by the word of the person at the command line.
fn function(args: &Serving) -> TextFunction {
    // SAFETY: nothing in a library says so. Whoever starts the program names a function and a library, and vouches for
    // both: `--help` and README tell them what the function must be.
    #[allow(unsafe_code)]
    unsafe {
        TextFunction::new(args.call.clone())
    }
}

/// The path to watch: the one that the user named, or the library that cargo made. `None` if the user stopped the
/// build.
fn path(args: &Run, stop: &Stop) -> Result<Option<PathBuf>, Failure> {
    match (&args.package, args.path()) {
        (Some(package), _) => Ok(build::build(package, &args.build, stop.requested())?),
        (None, path) => Ok(path),
    }
}

pub(crate) fn is_broken_pipe(failure: &Failure) -> bool {
    failure
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The failure of a worker that ended although nobody dropped its watcher.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch any longer: the worker thread ended by a fault in replug")]
pub(crate) struct WorkerEnded;

/// A run between its start and its end: the plugins of one path, what is said of them, and how they are called.
pub(crate) struct Session<'a> {
    args: &'a Serving,
    output: Output,
    pub(crate) plugins: HostSet<Text>,
    pub(crate) calls: u64,
    /// The number of reloads, shared with the thread that has to end a run that is stuck.
    reloads: Arc<AtomicU64>,
    /// When the last generation went live.
    last_load: Instant,
}

impl<'a> Session<'a> {
    /// Begins to watch `path`, and says nothing yet.
    pub(crate) fn watch(
        args: &'a Serving,
        output: Output,
        path: PathBuf,
    ) -> Result<Session<'a>, Failure> {
        Ok(Session {
            args,
            output,
            plugins: HostSet::<Text>::watch(function(args), args.options(path))?,
            calls: 0,
            reloads: Arc::default(),
            last_load: Instant::now(),
        })
    }

    /// Says what is watched.
    pub(crate) fn started(&self) -> io::Result<()> {
        self.output.started(
            self.plugins.watcher().path(),
            self.args.interval_ms,
            self.args.gate(),
            self.plugins.watcher().place(),
        )
    }

    fn run(&mut self, stop: &Stop) -> Result<(), Failure> {
        self.started()?;
        self.serve(stop)?;
        Ok(self.output.stopped(self.totals()())?)
    }

    /// Loads, calls and reloads until told to stop, or until there were enough calls.
    fn serve(&mut self, stop: &Stop) -> Result<(), Failure> {
        let mut next_call = Instant::now();
        while !self.has_called_enough() {
            select_biased! {
                recv(stop.requested()) -> _ => break,
                recv(self.plugins.updates()) -> update => {
                    let applied = self.plugins.apply(update.map_err(|_| WorkerEnded)?);
                    if self.tell(applied)? {
                        // A new generation is called at once: that is what everybody waits for.
                        next_call = Instant::now();
                    }
                }
                recv(crossbeam_channel::at(next_call)) -> _ => {
                    self.call()?;
                    next_call = (next_call + self.pause()).max(Instant::now());
                }
                default(Watcher::STALL_CHECK) => {}
            }
            // The news of a stall, which the worker cannot tell itself while it hangs in the filesystem.
            let stall = self.plugins.stall();
            self.tell(stall)?;
            self.show_status()?;
        }
        Ok(())
    }

    /// Time between two rounds of calls. With nothing to call, a pause of nothing would be a spin.
    pub(crate) fn pause(&self) -> Duration {
        let is_idle = self.plugins.iter().all(|plugin| plugin.live().is_none());
        self.args
            .every()
            .max(if is_idle { IDLE_PAUSE } else { Duration::ZERO })
    }

    /// Tells what became of an update; returns whether a new generation is live.
    pub(crate) fn tell(&mut self, applied: Option<(Arc<Path>, Outcome)>) -> io::Result<bool> {
        let Some((artifact, outcome)) = applied else {
            return Ok(false);
        };
        let mut has_loaded = false;
        if let Outcome::Loaded(loaded) = &outcome {
            has_loaded = true;
            self.last_load = Instant::now();
            let is_reload = loaded.generation > 1;
            self.reloads.fetch_add(is_reload.into(), Ordering::Relaxed);
        }
        match &outcome {
            Outcome::Placed(place) => self.output.placed(&artifact, self.args.gate(), place)?,
            outcome => self.output.outcome(&artifact, outcome)?,
        }
        Ok(has_loaded)
    }

    pub(crate) fn has_called_enough(&self) -> bool {
        self.args.count.is_some_and(|count| self.calls >= count)
    }

    /// Calls every live plugin once.
    pub(crate) fn call(&mut self) -> io::Result<()> {
        for member in self.plugins.iter() {
            let (artifact, Some(plugin)) = (member.artifact(), member.live()) else {
                continue;
            };
            if self.has_called_enough() {
                break;
            }
            self.calls += 1;
            let value = plugin.call(&self.args.arg);
            if let Err(error) = &value {
                tracing::error!("cannot call `{}`: {error}", shown(artifact));
            }
            self.output
                .result(artifact, &plugin, value.ok().as_deref())?;
        }
        Ok(())
    }

    fn show_status(&self) -> io::Result<()> {
        let live = self.plugins.iter().find_map(|plugin| plugin.live());
        let live = live.map(|plugin| (plugin.generation(), plugin.digest()));
        self.output.status(
            live,
            self.last_load.elapsed(),
            self.plugins.watcher().polls(),
        )
    }

    /// The counts of the run, as they are when somebody asks for them.
    pub(crate) fn totals(&self) -> impl Fn() -> Totals + Send + 'static {
        let (worker, reloads) = (self.plugins.watcher().counts(), Arc::clone(&self.reloads));
        move || Totals {
            polls: worker.polls(),
            digests: worker.digests(),
            reloads: reloads.load(Ordering::Relaxed),
        }
    }

    /// The last line of output, if the run has to be ended from outside.
    fn last_words(&self) -> impl FnOnce() + Send + 'static {
        let (output, totals) = (self.output.clone(), self.totals());
        move || {
            // The process ends next, whether anybody could read this or not.
            let _ = output.stopped(totals());
        }
    }
}
