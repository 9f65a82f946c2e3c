//! `replug run`: builds if asked to, watches, loads what is ready, calls, and stops when told to.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::select_biased;
use replug::{Host, Outcome, Plugin, Stall, Text, Update, Watcher};

use super::args::Run;
use super::build;
use super::output::{Output, Totals};
use super::stop::{Stop, remove_stage};

/// How often the status is shown while nothing is loaded.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Everything that can end a run before it is told to stop.
type Failure = Box<dyn Error>;

/// Runs until told to stop.
pub(crate) fn run(args: &Run) -> Result<(), Failure> {
    let output = Output::new(args.json, Instant::now());
    let stop = Stop::on_signals()?;
    let Some(path) = path(args, &stop)? else {
        return Ok(());
    };
    let watcher = Watcher::new(args.options(path.clone()))?;
    let mut session = Session::new(args, output, watcher);
    let stage = session.watcher.watched().stage.clone();
    stop.if_stuck(stage.clone(), session.last_words());
    let result = session.run(&path, &stop);
    drop(session);
    // A worker that reads a large file on a slow disk is left behind, and its copy with it.
    if let Some(Err(error)) = stage.as_deref().map(remove_stage) {
        tracing::warn!("cannot remove the stage directory: {error}");
    }
    match result {
        // Whoever read the output has seen enough.
        Err(failure) if is_broken_pipe(&failure) => Ok(()),
        result => result,
    }
}

/// What to watch: what the user named, or what cargo made. `None` if the user stopped the build.
fn path(args: &Run, stop: &Stop) -> Result<Option<PathBuf>, Failure> {
    match (&args.build.package, args.path()) {
        (Some(package), _) => Ok(build::build(package, &args.build, stop.requested())?),
        (None, path) => Ok(path),
    }
}

fn is_broken_pipe(failure: &Failure) -> bool {
    failure
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The worker ended although nobody let go of it.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch any longer: the worker thread ended by a fault in replug")]
struct WorkerEnded;

/// A run between its start and its end.
struct Session<'a> {
    args: &'a Run,
    output: Output,
    watcher: Watcher,
    /// One host for each artifact that there was news of.
    hosts: BTreeMap<Arc<Path>, Host<Text>>,
    calls: u64,
    /// Shared with whoever has to end a run that is stuck.
    reloads: Arc<AtomicU64>,
    /// When the last generation went live.
    last_load: Instant,
}

impl<'a> Session<'a> {
    fn new(args: &'a Run, output: Output, watcher: Watcher) -> Session<'a> {
        Session {
            args,
            output,
            watcher,
            hosts: BTreeMap::new(),
            calls: 0,
            reloads: Arc::default(),
            last_load: Instant::now(),
        }
    }

    fn run(&mut self, path: &Path, stop: &Stop) -> Result<(), Failure> {
        self.output
            .started(path, self.args.interval_ms, self.watcher.watched())?;
        self.serve(path, stop)?;
        Ok(self.output.stopped(self.totals()())?)
    }

    /// Loads, calls and reloads until told to stop, or until there were enough calls.
    fn serve(&mut self, path: &Path, stop: &Stop) -> Result<(), Failure> {
        let mut next_call = Instant::now();
        while !self.has_called_enough() {
            select_biased! {
                recv(stop.requested()) -> _ => break,
                recv(self.watcher.updates()) -> update => {
                    if self.apply(update.map_err(|_| WorkerEnded)?)? {
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
            self.check_on_worker(path)?;
            self.show_status()?;
        }
        Ok(())
    }

    /// Says what the worker cannot say itself while it hangs in the filesystem.
    fn check_on_worker(&mut self, path: &Path) -> io::Result<()> {
        match self.watcher.stall() {
            Some(Stall::Begun(since)) => self.output.stalled(path, since),
            Some(Stall::Over) => self.output.goes_on(path),
            None => Ok(()),
        }
    }

    /// Time between two rounds of calls. With nothing to call, a pause of nothing would be a spin.
    fn pause(&self) -> Duration {
        let is_idle = self.hosts.values().all(|host| host.live().is_none());
        self.args
            .every()
            .max(if is_idle { IDLE_PAUSE } else { Duration::ZERO })
    }

    /// Applies an update; says whether a new generation is live.
    fn apply(&mut self, update: Update) -> io::Result<bool> {
        let artifact = Arc::clone(&update.artifact);
        let new_host = || Host::<Text>::new(&self.args.call);
        let host = self
            .hosts
            .entry(Arc::clone(&artifact))
            .or_insert_with(new_host);
        let Some(outcome) = host.apply(update) else {
            return Ok(false);
        };
        let live = host.live().map(Plugin::generation);
        let loaded = matches!(outcome, Outcome::Loaded(_));
        if loaded {
            self.last_load = Instant::now();
            let is_reload = live.is_some_and(|generation| generation > 1);
            self.reloads.fetch_add(is_reload.into(), Ordering::Relaxed);
        }
        self.output.outcome(&artifact, live, &outcome)?;
        Ok(loaded)
    }

    fn has_called_enough(&self) -> bool {
        self.args.count.is_some_and(|count| self.calls >= count)
    }

    /// Calls every live plugin once.
    fn call(&mut self) -> io::Result<()> {
        for (artifact, host) in &self.hosts {
            let Some(plugin) = host.live() else { continue };
            if self.has_called_enough() {
                break;
            }
            self.calls += 1;
            let value = plugin.call(&self.args.arg);
            if let Err(error) = &value {
                tracing::error!("cannot call `{}`: {error}", artifact.display());
            }
            self.output
                .result(artifact, plugin, value.ok().as_deref())?;
        }
        Ok(())
    }

    fn show_status(&self) -> io::Result<()> {
        let live = self.hosts.values().filter_map(Host::live).next();
        let live = live.map(|plugin| (plugin.generation(), plugin.digest()));
        self.output
            .status(live, self.last_load.elapsed(), self.watcher.polls())
    }

    /// Counts that go on counting, for whoever asks last.
    fn totals(&self) -> impl Fn() -> Totals + Send + 'static {
        let (worker, reloads) = (self.watcher.counts(), Arc::clone(&self.reloads));
        move || Totals {
            polls: worker.polls(),
            digests: worker.digests(),
            reloads: reloads.load(Ordering::Relaxed),
        }
    }

    /// What to say if the run has to be ended from outside.
    fn last_words(&self) -> impl FnOnce() + Send + 'static {
        let (output, totals) = (self.output.clone(), self.totals());
        move || {
            // The process ends next, whether anybody could read this or not.
            let _ = output.stopped(totals());
        }
    }
}
