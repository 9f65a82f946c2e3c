//! `replug run`: builds if asked to, watches, loads plugins that are ready, calls them, and stops when told to.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select_biased};
use replug::shown::shown;
use replug::watch::{Watcher, plugin_name};
use replug::{AnyPlugin, Host, HostSet, Outcome, TextFunction, trial};

use crate::args::{Run, Serving};
use crate::build;
use crate::on_load::{self, Failed, Load, OnLoad};
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
    session.on_load = OnLoad::new(args.on_load.clone(), args.serving.json);
    let stage = session.plugins.watcher().remover().clone();
    let command = session.on_load.group();
    stop.if_stuck(
        vec![stage.clone()],
        move || command.kill(),
        session.last_words(),
    );
    let result = session.run(args, &stop);
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
        TextFunction::new(args.called())
    }
}

/// Takes part in trials, if builds are tried.
pub(crate) fn take_part(args: &Serving) {
    if let Some(is_called) = args.tries() {
        let host = Host::<AnyPlugin>::new(function(args));
        trial::run_if_asked(host, |plugin| {
            let text = plugin.text().filter(|_| is_called);
            text.map_or(Ok(()), |text| Ok(text.call(&args.arg).map(drop)?))
        });
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

/// The reason why a run ends that was to end when nothing is live in time.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot wait any longer for `{}`: nothing of it is live after {} s (`--timeout-s`); {last_word}", shown(path),
    timeout.as_secs()
)]
struct NothingLive {
    path: PathBuf,
    timeout: Duration,
    last_word: String,
}

/// The reason why a run ends that was to end with the first build that is kept out. The build's own reason was said.
#[derive(Debug, thiserror::Error)]
#[error("cannot go on: a build was kept out, and `--exit-on-kept` asks to end then")]
struct KeptOut;

/// A run between its start and its end: the plugins of one path, what is said of them, and how they are called.
pub(crate) struct Session<'a> {
    args: &'a Serving,
    output: Output,
    pub(crate) plugins: HostSet<AnyPlugin>,
    on_load: OnLoad,
    pub(crate) calls: u64,
    /// What was last said of why nothing is live.
    last_word: Option<String>,
    /// Whether a build was kept out.
    has_kept_out: bool,
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
            plugins: HostSet::<AnyPlugin>::watch(function(args), args.options(path))?,
            on_load: OnLoad::new(None, false),
            has_kept_out: false,
            calls: 0,
            last_word: None,
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

    fn run(&mut self, args: &Run, stop: &Stop) -> Result<(), Failure> {
        self.started()?;
        let served = self.serve(args, stop);
        if let Some(failed) = self.on_load.finish() {
            self.output.command_failed(&failed)?;
        }
        // Whoever reads the output has gone, or there is a last line for him.
        let stopped = self.output.stopped(self.totals()());
        served?;
        Ok(stopped?)
    }

    /// Loads, calls and reloads until told to stop, or until there were enough calls.
    fn serve(&mut self, args: &Run, stop: &Stop) -> Result<(), Failure> {
        let mut next_call = Instant::now();
        let timeout = args.timeout();
        let mut too_late = timeout.map_or_else(crossbeam_channel::never, crossbeam_channel::after);
        while !self.has_called_enough() {
            select_biased! {
                recv(stop.requested()) -> _ => break,
                recv(too_late) -> _ => return Err(self.nothing_live(timeout).into()),
                recv(self.plugins.updates()) -> update => {
                    let applied = self.plugins.apply(update.map_err(|_| WorkerEnded)?);
                    if self.tell(applied)? {
                        // A new generation is called at once: that is what everybody waits for.
                        next_call = Instant::now();
                        too_late = crossbeam_channel::never();
                    }
                }
                recv(self.look_at_command()) -> _ => {
                    let failed = self.on_load.look();
                    self.tell_failed(failed)?;
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
            if self.has_kept_out && args.exit_on_kept {
                return Err(KeptOut.into());
            }
            self.show_status()?;
        }
        Ok(())
    }

    fn nothing_live(&self, timeout: Option<Duration>) -> NothingLive {
        let last_word = self.last_word.as_ref();
        NothingLive {
            path: self.plugins.watcher().path().to_path_buf(),
            timeout: timeout.unwrap_or_default(),
            last_word: match last_word {
                Some(word) => format!("the last word of it was: {word}"),
                None => "there was no word of it".to_owned(),
            },
        }
    }

    /// A channel that receives when the command that runs after a load is to be looked at.
    fn look_at_command(&self) -> Receiver<Instant> {
        match self.on_load.is_running() {
            true => crossbeam_channel::after(on_load::LOOKS),
            false => crossbeam_channel::never(),
        }
    }

    fn tell_failed(&self, failed: Option<Failed>) -> io::Result<()> {
        failed.map_or(Ok(()), |failed| self.output.command_failed(&failed))
    }

    /// Time between two rounds of calls. With nothing to call, a pause of nothing would be a spin.
    pub(crate) fn pause(&self) -> Duration {
        let mut live = self.plugins.iter().filter_map(|plugin| plugin.live());
        let is_idle = live.all(|plugin| plugin.text().is_none());
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
            Outcome::Loaded(loaded) => {
                let mut plugins = self.plugins.iter();
                let plugin = plugins.find(|it| it.artifact() == &*artifact);
                let live = plugin.and_then(|plugin| plugin.live());
                let declared = live.as_ref().and_then(|plugin| plugin.declared());
                self.output.outcome(&artifact, &outcome, declared)?;
                let failed = self.on_load.loaded(Load {
                    plugin: plugin_name(&artifact),
                    path: artifact.to_path_buf(),
                    generation: loaded.generation,
                    digest: loaded.digest,
                });
                self.tell_failed(failed)?;
            }
            outcome => self.output.outcome(&artifact, outcome, None)?,
        }
        match &outcome {
            Outcome::Loaded(_) | Outcome::Warned(_) | Outcome::Placed(_) => {}
            outcome => self.last_word = Some(outcome.to_string()),
        }
        self.has_kept_out |= matches!(outcome, Outcome::Kept(_));
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
            // Of a plugin with an interface nothing is called.
            let Some(text) = plugin.text() else {
                continue;
            };
            if self.has_called_enough() {
                break;
            }
            self.calls += 1;
            let value = text.call(&self.args.arg);
            if let Err(error) = &value {
                tracing::error!("cannot call `{}`: {error}", shown(artifact));
                if self.args.counts_failures() {
                    // Failures can be counted only with a store.
                    let _ = self.plugins.call_failed(artifact);
                }
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
