//! The session of `replug dev`, from the first build to the end. It waits for whatever comes next: a save, a word of
//! cargo, an update of a library, a key, the next call, or the request to stop.

mod builds;
mod waiting;

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, never};
use replug::shown::spelled;
use replug::watch::{Files as _, OsFiles, Stamp};

use self::waiting::Woken;
use super::ahead::Ahead;
use super::beside::Beside;
use super::building::{Building, Made, Said, Told};
use super::earlier::{Earlier, Kept};
use super::eyes::Saved;
use super::keys::{HELP, Key, Keys};
use super::loaded::Plugin;
use super::project::Project;
use super::rounds::{Rounds, Step};
use super::said::{self, Status, Times};
use super::sources::Sources;
use super::stale::stamp;
use super::watch::Watch;
use crate::args::Dev;
use crate::build::BuildError;
use crate::child;
use crate::output::{Output, Totals};
use crate::run::{Failure, is_broken_pipe};
use crate::stop::Stop;

/// How long the first look at all sources may take before the first build begins without it.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// How long the end of a build is kept back while no look at the sources comes back.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Builds, watches, loads and calls until told to stop.
pub(crate) fn dev(args: &Dev) -> Result<(), Failure> {
    let output = Output::new(args.serving.json, Instant::now());
    let stop = Stop::on_signals()?;
    if OsFiles.standing().has_more_rights {
        let package = args.packages.join("`, `");
        return Err(BuildError::MoreRights { package }.into());
    }
    let keys = Keys::take(output.is_terminal());
    let mut session = Session::new(args, output, &stop, &keys)?;
    session.tell_last_words();
    let result = session.run();
    let result = session.end(result);
    match result {
        // Whoever read the output has seen enough.
        Err(failure) if is_broken_pipe(&failure) => Ok(()),
        result => result,
    }
}

/// The processes to be killed if the program has to be ended from outside: cargo, and the command beside.
#[derive(Default)]
struct Groups {
    cargo: AtomicU32,
    beside: AtomicU32,
}

/// A build that has ended well, until its libraries are digested, and no [`Rest`] is waited for.
struct Done {
    took: Duration,
    ended: Instant,
    warnings: usize,
    made: Option<Made>,
}

/// A build that has failed, until no [`Rest`] is waited for.
struct Failed {
    told: Told,
    took: Duration,
    since: SystemTime,
}

/// The wait, after a build, for a look at the sources which finds that nothing was being saved while the build read them.
struct Rest {
    /// How many looks have come back, and until when to wait for another one.
    looks: u32,
    due: Instant,
}

struct Session<'a> {
    args: &'a Dev,
    output: Output,
    stop: &'a Stop,
    keys: &'a Keys,
    project: Project<'a>,
    sources: Sources,
    watch: Watch,
    rounds: Rounds,
    building: Option<Building>,
    ahead: Ahead,
    done: Option<Done>,
    digested: Receiver<Made>,
    failed: Option<Failed>,
    rest: Option<Rest>,
    rested: Receiver<()>,
    plugins: Vec<Plugin<'a>>,
    beside: Option<Beside>,
    /// What the last build made, where nothing is loaded here.
    made: Made,
    /// The build before, and what is kept of the one that has just ended.
    earlier: Earlier,
    kept: Option<Vec<Kept>>,
    /// What the next build is to show: whether a manifest is in it, and the earliest write time.
    has_other_manifest: bool,
    oldest: Option<Stamp>,
    /// When a build last began, and when one last ended, well or not.
    last_begin: Option<SystemTime>,
    last_end: Option<SystemTime>,
    has_failed: bool,
    is_held: bool,
    next_call: Instant,
    groups: Arc<Groups>,
}

impl<'a> Session<'a> {
    fn new(
        args: &'a Dev,
        output: Output,
        stop: &'a Stop,
        keys: &'a Keys,
    ) -> Result<Session<'a>, Failure> {
        let project = Project::of(&args.packages, &args.build);
        let sources = project.sources(None);
        let is_coloured = output.is_terminal() && wants_colours();
        let (packages, build) = (args.packages.clone(), args.build.clone());
        let ahead = Ahead::new(move || Building::start(&packages, &build, is_coloured));
        let watch = Watch::start(sources.clone(), ahead.clone(), FIRST_LOOK)?;
        Ok(Session {
            args,
            output,
            stop,
            keys,
            project,
            sources,
            watch,
            rounds: Rounds::default(),
            building: None,
            ahead,
            done: None,
            digested: never(),
            failed: None,
            rest: None,
            rested: never(),
            plugins: Vec::new(),
            beside: None,
            made: Vec::new(),
            earlier: Earlier::default(),
            kept: None,
            has_other_manifest: true,
            oldest: None,
            last_begin: None,
            last_end: None,
            has_failed: false,
            is_held: false,
            next_call: Instant::now(),
            groups: Arc::default(),
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        if self.keys.are_taken() {
            self.help()?;
        }
        self.begin(&[])?;
        while !self.has_called_enough() {
            match self.wait()? {
                Woken::Stop | Woken::Key(Key::Quit) => break,
                Woken::Key(key) => self.press(key)?,
                Woken::Saved(saved) => self.save(saved)?,
                Woken::Said(Said::Blocked) => said::blocked(&self.output)?,
                Woken::Said(Said::Ended(told)) => self.finish(told)?,
                Woken::Digested(libraries) => self.know(libraries),
                Woken::Rested => self.come_to_rest(true)?,
                Woken::Update(number, update) => {
                    if self.plugins[number].apply(update)? {
                        // A new generation is called at once: that is what everybody waits for.
                        self.next_call = Instant::now();
                    }
                }
                Woken::Time => {}
            }
            self.hand_over()?;
            self.go_on()?;
        }
        Ok(())
    }

    /// Does what is due by now.
    fn go_on(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if self.is_rest_overdue(now) {
            self.come_to_rest(false)?;
        }
        if self.rounds.due().is_some_and(|due| now >= due) {
            self.begin(&[])?;
        }
        if now >= self.next_call && !self.plugins.is_empty() {
            let mut pause = Duration::MAX;
            for plugin in &mut self.plugins {
                plugin.session.call()?;
                pause = pause.min(plugin.session.pause());
            }
            self.next_call = (self.next_call + pause).max(Instant::now());
        }
        for plugin in &mut self.plugins {
            // The news of a stall, which the worker cannot tell itself while it hangs in the filesystem.
            let stall = plugin.session.plugins.stall();
            plugin.session.tell(stall)?;
        }
        if self.beside.as_mut().is_some_and(Beside::has_stopped) {
            said::halted(&self.output, &self.command())?;
        }
        let status = self.beside.as_mut().and_then(Beside::ended);
        if let Some(status) = status {
            said::ended(&self.output, &self.command(), &status.to_string())?;
            // What it started and left behind ends with it.
            self.end_beside();
        }
        self.ahead.allow(self.is_at_rest(), self.last_end);
        Ok(self.show_status()?)
    }

    /// Whether the next build needs no preparation and waits for a save.
    fn is_at_rest(&self) -> bool {
        let is_over = self.building.is_none() && self.done.is_none() && self.failed.is_none();
        let is_put_off = self.rounds.due().is_some() || self.oldest.is_some();
        is_over && !is_put_off && !self.may_write_lock()
    }

    /// Whether there were as many calls as the user asked for, of all plugins together.
    fn has_called_enough(&self) -> bool {
        let calls = self.plugins.iter().map(|it| it.session.calls).sum();
        self.args
            .serving
            .count
            .is_some_and(|count: u64| count <= calls)
    }

    fn press(&mut self, key: Key) -> Result<(), Failure> {
        match key {
            Key::Build => {
                self.rounds.asked();
                self.begin(&[])?;
            }
            Key::Hold if !self.args.command.is_empty() => {
                let words = "the command loads what was built by itself; there is nothing to hold";
                self.output.tell(words)?;
            }
            Key::Hold => self.is_held = !self.is_held,
            Key::Back => self.go_back()?,
            Key::Start => self.start_again()?,
            Key::Clear => self.output.clear()?,
            Key::Help => self.help()?,
            Key::Quit => {}
        }
        Ok(())
    }

    fn help(&self) -> Result<(), Failure> {
        Ok(self.output.tell(&format!("keys: {HELP}"))?)
    }

    fn save(&mut self, saved: Saved) -> Result<(), Failure> {
        self.has_other_manifest |= saved.files.iter().any(|it| Project::is_manifest(it));
        self.oldest = [self.oldest, saved.oldest].into_iter().flatten().min();
        let is_by_build = saved.oldest.is_some_and(|oldest| self.is_by_build(oldest));
        match self.rounds.saved(&saved.files, is_by_build, Instant::now()) {
            Step::Build => self.begin_or_go_on(&saved.files),
            Step::Later => {
                if self.rounds.is_void() {
                    self.forget_end();
                }
                match self.rounds.tell_suspect() {
                    Some(file) => Ok(said::suspect(&self.output, file)?),
                    None => Ok(()),
                }
            }
        }
    }

    /// Whether a file that was written then, and is noticed only now, was written while the last build ran.
    fn is_by_build(&self, written: Stamp) -> bool {
        let end = self.last_end.is_some_and(|end| written <= stamp(end));
        end && self.last_begin.is_some_and(|begin| written >= stamp(begin))
    }

    fn command(&self) -> String {
        let words = self.args.command.iter().map(spelled);
        words.collect::<Vec<_>>().join(" ")
    }

    /// Shows how things stand. Beside a command there is no place for a line that stays.
    fn show_status(&self) -> std::io::Result<()> {
        if !self.output.is_terminal() || !self.args.command.is_empty() {
            return Ok(());
        }
        let plugin = self.plugins.first();
        let status = Status {
            building: self.building.as_ref().map(|it| it.began.elapsed()),
            has_failed: self.has_failed,
            times: plugin.map_or(Times::default(), |it| it.times),
            live: plugin.and_then(Plugin::live),
            is_held: self.is_held,
            is_ready: self.plugins.iter().any(Plugin::is_ready),
        };
        self.output.status_line(&status.to_string())
    }

    /// Sets what is to be done and said if the program has to be ended from outside.
    fn tell_last_words(&self) {
        let (output, groups) = (self.output.clone(), Arc::clone(&self.groups));
        let ahead = self.ahead.clone();
        let keys = self.keys.restore();
        let plugins = self.plugins.iter().map(|it| &it.session);
        let stages = plugins
            .clone()
            .map(|it| it.plugins.watcher().remover().clone());
        let totals: Vec<_> = plugins.map(|it| it.totals()).collect();
        let end = move || {
            ahead.kill();
            for group in [&groups.cargo, &groups.beside] {
                match group.load(Ordering::Relaxed) {
                    0 => {}
                    group => child::kill(group),
                }
            }
            // Last: where the program is in the background, the system stops it for that.
            keys.restore();
        };
        self.stop.if_stuck(stages.collect(), end, move || {
            // The process ends next, whether anybody could read this or not.
            let _ = output.stopped(totals.iter().map(|it| it()).sum());
        });
    }

    /// Ends all that was begun, and says the counts if all went well.
    fn end(mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        self.end_build();
        self.end_beside();
        let totals: Totals = self.plugins.iter().map(|it| it.session.totals()()).sum();
        let result = result.and_then(|()| Ok(self.output.stopped(totals)?));
        for plugin in self.plugins.drain(..) {
            let stage = plugin.session.plugins.watcher().remover().clone();
            drop(plugin);
            // A worker that reads a large file on a slow disk is left behind, and its copy with it.
            if let Err(error) = stage.remove() {
                tracing::warn!("cannot remove the stage directory: {error}");
            }
        }
        result
    }
}

/// Whether the user has not chosen to see no colours, by the word for all programs or by that for cargo.
fn wants_colours() -> bool {
    let is_refused = env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    !is_refused && env::var_os("CARGO_TERM_COLOR").is_none_or(|it| it != "never")
}
