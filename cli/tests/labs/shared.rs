//! A directory on a server's side, and where a client mounts it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vocabulary::lookers::{self, Looker};
use vocabulary::{Artifact, Program, Scratch, library, version};

/// The longest time until a fresh change is seen. A change that is found only when a mount's own memory runs out
/// takes a minute; a change that is asked for takes a moment. This is far from both.
pub const FRESH: Duration = Duration::from_secs(20);

/// How long a library may be gone without a word.
pub const UNSAID: Duration = Duration::from_secs(1);

const INTERVAL: Duration = Duration::from_millis(250);

/// A server's directory, and where it is to be mounted.
pub struct Shared {
    pub scratch: Scratch,
    pub server: PathBuf,
    pub client: PathBuf,
}

impl Shared {
    pub fn new() -> Shared {
        let scratch = Scratch::new();
        let [server, client] = ["server", "client"].map(|name| scratch.join(name));
        for directory in [&server, &client] {
            fs::create_dir(directory).unwrap();
        }
        Shared {
            scratch,
            server,
            client,
        }
    }

    /// The library as writers write it.
    pub fn artifact(&self) -> Artifact {
        Artifact::at(self.server.join("libplugin01.so"))
    }

    /// The library as the program sees it.
    pub fn seen(&self) -> PathBuf {
        self.client.join("libplugin01.so")
    }

    pub fn watch(&self, path: &Path) -> Program {
        Program::watch(
            &self.scratch,
            path,
            &["--interval-ms", "250", "--every-ms", "100"],
        )
    }
}

/// When the file got its present name.
pub fn linked_at(path: &Path) -> SystemTime {
    let found = fs::metadata(path).unwrap();
    let since = Duration::new(found.ctime() as u64, found.ctime_nsec() as u32);
    UNIX_EPOCH + since
}

/// The time from `change` until the program answers from the new library.
#[track_caller]
pub fn time_to_answer(program: &mut Program, number: u32, change: impl FnOnce()) -> Duration {
    change();
    let changed = Instant::now();
    program.wait_for_answer(&version(number));
    changed.elapsed()
}

/// Waits for `event`, and returns how long it took from `since`, while calls go on.
#[track_caller]
pub fn time_to(program: &mut Program, event: &str, since: Instant) -> Duration {
    program.wait_for_event(event);
    since.elapsed()
}

/// The name of a change, and the function that makes it.
type Change = (&'static str, fn(&Artifact, &[u8]));

/// Changes on the server's side.
pub const CHANGES: [Change; 4] = [
    ("new", Artifact::link),
    ("renamed", Artifact::replace_with),
    ("in place", Artifact::overwrite),
    ("linked", Artifact::link),
];

/// Measures how long after each change replug has loaded it, and how long until pollers as they are usually written
/// see it, each through a mount of its own. Prints the times as a row of a table, and returns those of replug.
///
/// The library is looked for in vain before it is there. Nothing is loaded twice or called missing.
#[track_caller]
pub fn compare<M>(name: &str, mount: impl Fn(&Path, &Path) -> M) -> Vec<(&'static str, Duration)> {
    /// How long to wait for the other pollers.
    const PATIENCE: Duration = Duration::from_secs(5);
    let shared = Shared::new();
    let artifact = shared.artifact();
    let _mount = mount(&shared.server, &shared.client);
    let mut mounts = Vec::new();
    let mut others = Vec::new();
    for kind in lookers::KINDS {
        let at = shared.scratch.join(kind);
        fs::create_dir(&at).unwrap();
        mounts.push(mount(&shared.server, &at));
        others.push((
            Looker::start(kind, &at.join("libplugin01.so"), INTERVAL),
            Vec::new(),
        ));
    }
    let mut program = shared.watch(&shared.seen());
    program.wait_for_waiting("missing");
    let mut times = Vec::new();
    for (number, (change, publish)) in (1..).zip(CHANGES) {
        // Some pollers compare write times in whole seconds, which is not measured here. And nobody's polls are in
        // step with the changes.
        program.go_on_for(Duration::from_millis(2_000 + 61 * u64::from(number)));
        let changed = lookers::now();
        times.push((
            change,
            time_to_answer(&mut program, number, || {
                publish(&artifact, &library(number))
            }),
        ));
        for (other, delays) in &mut others {
            delays.push(other.delay(changed, PATIENCE));
            program.go_on_for(Duration::ZERO);
        }
    }
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("loaded").len(), 4);
    assert_eq!(
        ended.said("missing").len() + ended.said("degraded").len(),
        0
    );

    let cells = |cells: Vec<String>| cells.join(" | ");
    let took = |(_, time): &(_, Duration)| time.as_millis().to_string();
    println!(
        "| {name}, replug | {} |",
        cells(times.iter().map(took).collect())
    );
    for (kind, (_, delays)) in lookers::KINDS.iter().zip(&others) {
        let delay = |delay: &Option<u128>| match delay {
            Some(delay) => delay.to_string(),
            None => format!("> {}", PATIENCE.as_millis()),
        };
        println!(
            "| {name}, {kind} | {} |",
            cells(delays.iter().map(delay).collect())
        );
    }
    drop(others);
    shared.scratch.assert_nothing_staged();
    times
}
