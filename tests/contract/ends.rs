//! Calls from within calls, and ends of all sorts: of hosts, of threads and of the process.

use std::cell::RefCell;
use std::env;
use std::process::{Command, Output};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fixtures::{Bell, Fixture, Thing, Visitor};
use replug::outcome::{Mapped, Retired};
use replug::{CallError, Caller, Handle, Host, Lent, Options, Outcome, Unload};
use vocabulary::{
    Artifact, DEADLINE, Rule, Scratch, TEMP_VARIABLE, World, has_aborted, holds, specimen,
};

/// How many threads come and go.
const VISITORS: usize = 400;

/// After how many of them the plugin is reloaded.
const VISITORS_OF_A_GENERATION: usize = 16;

/// The number that makes a plugin call back.
fn bell(bell: extern "C" fn() -> u64) -> u64 {
    (bell as *const ()).expose_provenance() as u64
}

#[test]
fn hooks_that_call_back_while_the_host_swaps_reach_what_is_live() {
    if !holds(Rule::Unmaps) {
        return;
    }
    static HANDLE: Mutex<Option<Handle<Fixture>>> = Mutex::new(None);
    static REACHED: Mutex<Vec<Result<u64, CallError>>> = Mutex::new(Vec::new());
    extern "C" fn ring() -> u64 {
        let handle = HANDLE.lock().unwrap().clone().unwrap();
        let reached = handle.live().act(0);
        REACHED.lock().unwrap().push(reached);
        0
    }
    let mut world = World::unloading("diary_one");
    *HANDLE.lock().unwrap() = Some(world.host.handle());
    world.host.act(bell(ring)).unwrap();
    assert_eq!(world.load("diary_two").retired.unwrap().mapped, None);
    let reached = || REACHED.lock().unwrap().drain(..).collect::<Vec<_>>();
    assert_eq!(
        reached(),
        [Ok(1), Ok(1), Ok(2)],
        "in `save`, in `restore` and in `stop`"
    );
    drop(world);
    assert_eq!(reached(), [Err(CallError::Absent)], "in the last `stop`");
}

thread_local!(static DROPPED_IN_A_CALL: RefCell<Option<World>> = const { RefCell::new(None) });

#[test]
fn a_host_that_is_dropped_inside_a_call_leaves_the_call_its_plugin() {
    extern "C" fn ring() -> u64 {
        drop(DROPPED_IN_A_CALL.take());
        41
    }
    let world = World::unloading("rings");
    let handle = world.host.handle();
    DROPPED_IN_A_CALL.set(Some(world));
    assert_eq!(handle.live().act(bell(ring)), Ok(42));
    assert_eq!(handle.live().act(0), Err(CallError::Absent));
}

#[test]
fn a_host_that_moves_to_another_thread_leaves_the_thread_locals_of_the_first_behind() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut world = World::unloading("thread_local");
    assert_eq!(world.host.act(1), Ok(1));
    assert_eq!(world.host.act(1), Ok(2));
    let second = thread::spawn(move || {
        assert_eq!(world.host.act(1), Ok(1), "the second one has its own");
        let mapped = world.load("thread_local").retired.unwrap().mapped;
        assert!(matches!(mapped, Some(Mapped::Callers(_))), "{mapped:?}");
        world
    });
    let mut world = second.join().unwrap();
    // Back on the first thread, its thread-locals can be dropped.
    assert_unmapped(&mut world);
}

#[test]
fn a_host_outlives_the_thread_that_made_it() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let first = thread::spawn(|| {
        let world = World::unloading("thread_local");
        world.host.act(1).unwrap();
        world
    });
    let mut world = first.join().unwrap();
    assert_eq!(world.host.act(1), Ok(1));
    assert_eq!(world.load("thread_local").retired.unwrap().mapped, None);
}

/// The first generation was retired before, and goes now.
#[track_caller]
fn assert_unmapped(world: &mut World) {
    let unmapped = world.host.poll();
    let expected = matches!(
        unmapped,
        Some(Outcome::Retired(Retired {
            generation: 1,
            mapped: None,
            ..
        }))
    );
    assert!(expected, "{unmapped:?}");
}

thread_local! {
    static CALLER: RefCell<Option<Caller<Fixture>>> = const { RefCell::new(None) };
    static LENT: RefCell<Option<Lent<Fixture>>> = const { RefCell::new(None) };
}

#[test]
fn a_thread_that_ends_with_a_caller_and_a_loan_in_its_thread_locals_gives_both_back() {
    if !holds(Rule::Unmaps) {
        return;
    }
    for reload_first in [false, true] {
        let mut world = World::unloading("thread_local");
        let handle = world.host.handle();
        let (end, ended) = mpsc::channel::<()>();
        let (called, was_called) = mpsc::channel();
        let visitor = thread::spawn(move || {
            let (mut caller, lent) = (handle.caller(), handle.live());
            caller.live().act(1).unwrap();
            lent.act(1).unwrap();
            CALLER.set(Some(caller));
            LENT.set(Some(lent));
            called.send(()).unwrap();
            // Until the test hangs up.
            let _ = ended.recv();
        });
        was_called.recv().unwrap();
        if reload_first {
            let mapped = world.load("thread_local").retired.unwrap().mapped;
            assert_eq!(mapped, Some(Mapped::Lent));
        }
        drop(end);
        visitor.join().unwrap();
        if reload_first {
            assert_unmapped(&mut world);
        } else {
            assert_eq!(world.load("thread_local").retired.unwrap().mapped, None);
        }
    }
}

#[test]
fn hundreds_of_threads_that_come_and_go_hold_no_generation() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut world = World::unloading("thread_local");
    let handle = world.host.handle();
    let mut visitors = Vec::new();
    let mut unmapped = 0;
    for number in 1..=VISITORS {
        let handle = handle.clone();
        visitors.push(thread::spawn(move || {
            let mut caller = handle.caller();
            let first = caller.live().act(1).unwrap();
            let second = handle.live().act(1).unwrap();
            (first, second)
        }));
        if number % VISITORS_OF_A_GENERATION == 0 {
            let retired = world.load("thread_local").retired.unwrap();
            unmapped += usize::from(retired.mapped.is_none());
        }
    }
    for visitor in visitors {
        let (first, second) = visitor.join().unwrap();
        assert_eq!(first, 1, "each thread has thread-locals of its own");
        assert!(second <= 2, "{second}");
    }
    while let Some(outcome) = world.host.poll() {
        if let Outcome::Retired(retired) = outcome {
            world.retired.push(retired);
        }
    }
    let later = world.retired.iter().filter(|it| it.mapped.is_none());
    unmapped += later.count();
    assert_eq!(unmapped, VISITORS / VISITORS_OF_A_GENERATION);
}

/// A host of a plugin that calls back, and what happens in the middle of that call.
struct Visited {
    host: Option<Host<Visitor>>,
    caller: Option<Caller<Visitor>>,
    artifact: Artifact,
    _scratch: Scratch,
    then: fn(&mut Visited),
}

impl Visited {
    fn new(then: fn(&mut Visited)) -> Visited {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        artifact.link(&specimen("visits", 1));
        let options = Options::new(artifact.path())
            .stage_dir(scratch.stage())
            .interval(Duration::from_millis(2))
            .settle(Duration::from_millis(10));
        let host = Host::<Visitor>::watch(options).unwrap();
        let mut host = host.unloading(Unload::WhenProven);
        host.wait_for_generation(1, Instant::now() + DEADLINE)
            .unwrap();
        let caller = Some(host.handle().caller());
        Visited {
            host: Some(host),
            caller,
            artifact,
            _scratch: scratch,
            then,
        }
    }

    fn renew(&mut self) {
        self.caller.as_mut().unwrap().live();
    }

    /// What becomes of the first generation, which was replaced before.
    #[track_caller]
    fn first(&mut self) -> Option<Mapped> {
        let first = self.host.as_mut().unwrap().sweep();
        let Some(Outcome::Retired(Retired { mapped, .. })) = first else {
            panic!("{first:?}");
        };
        mapped
    }
}

impl Bell for Visited {
    fn ring(&mut self) {
        self.artifact.link(&specimen("visits", 2));
        let deadline = Instant::now() + DEADLINE;
        let host = self.host.as_mut().unwrap();
        host.wait_for_generation(2, deadline).unwrap();
        (self.then)(self);
    }

    fn touch(&mut self, thing: &dyn Thing) {
        thing.touched();
    }
}

#[test]
fn a_plugin_that_calls_back_keeps_its_thread_locals_until_its_call_ends() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let ways: [fn(&mut Visited); 2] = [Visited::renew, |visited| drop(visited.caller.take())];
    for then in ways {
        let mut visited = Visited::new(then);
        let mut caller = visited.host.as_ref().unwrap().handle().caller();
        assert_eq!(caller.live().visit(&mut visited), Ok(0), "by a caller");
        caller.live();
        assert_eq!(visited.first(), None);

        let mut visited = Visited::new(then);
        let lent = visited.host.as_ref().unwrap().handle().live();
        assert_eq!(lent.visit(&mut visited), Ok(0), "by a loan");
        drop(lent);
        assert_eq!(visited.first(), None);
    }
}

#[test]
fn a_panic_of_what_a_plugin_hands_to_its_host_is_the_plugins() {
    let mut visited = Visited::new(|_| {});
    let mut caller = visited.host.as_ref().unwrap().handle().caller();
    let panicked = CallError::Panicked("it is sharp".to_owned());
    assert_eq!(caller.live().hand(&mut visited), Err(panicked));
}

#[test]
fn a_host_that_is_dropped_by_what_it_offers_leaves_the_plugin_its_thread_locals() {
    let mut visited = Visited::new(|visited| drop(visited.host.take()));
    let lent = visited.host.as_ref().unwrap().handle().live();
    assert_eq!(lent.visit(&mut visited), Ok(0));
}

/// What a thread of its own offers: the owner thread swaps, and the thread notices that.
struct Told {
    rung: mpsc::Sender<()>,
    swapped: mpsc::Receiver<()>,
    caller: Caller<Visitor>,
}

impl Bell for Told {
    fn ring(&mut self) {
        self.rung.send(()).unwrap();
        self.swapped.recv().unwrap();
        self.caller.live();
    }

    fn touch(&mut self, _: &dyn Thing) {}
}

#[test]
fn a_thread_that_could_not_leave_a_plugin_in_a_call_leaves_it_at_the_next() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut visited = Visited::new(|_| {});
    let handle = visited.host.as_ref().unwrap().handle();
    let (rung, was_rung) = mpsc::channel();
    let (swap, swapped) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let visitor = thread::spawn(move || {
        let (lent, caller) = (handle.live(), handle.caller());
        let mut told = Told {
            rung,
            swapped,
            caller,
        };
        let dropped = lent.visit(&mut told);
        drop(lent);
        told.caller.live();
        leave.send(()).unwrap();
        // Until the test hangs up.
        let _ = ended.recv();
        dropped
    });
    was_rung.recv().unwrap();
    visited.ring();
    drop(visited.caller.take());
    swap.send(()).unwrap();
    left.recv().unwrap();
    assert_eq!(visited.first(), None, "the thread still runs");
    drop(end);
    assert_eq!(visitor.join().unwrap(), Ok(0));
}

/// The environment variable that tells a process that is to end from the one that looks.
const INNER: &str = "REPLUG_ENDS";

/// Runs the test of this name in a process of its own, to its end. The process leaves its files in `scratch`.
fn ended(test: &str, scratch: &Scratch) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INNER, "")
        .env(TEMP_VARIABLE, scratch.path())
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap()
}

fn is_to_end() -> bool {
    env::var_os(INNER).is_some()
}

#[test]
fn a_plugin_that_exits_ends_the_process_with_its_status() {
    if is_to_end() {
        let world = World::unloading("exits");
        let _ = world.host.act(0);
        unreachable!("the process has ended");
    }
    let ended = ended(
        "ends::a_plugin_that_exits_ends_the_process_with_its_status",
        &Scratch::new(),
    );
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
}

/// Asserts that the process was ended by std, and said this.
#[track_caller]
fn assert_aborted(ended: &Output, said: &str) {
    assert!(has_aborted(ended.status), "{ended:?}");
    let all = String::from_utf8_lossy(&ended.stderr);
    assert!(all.contains(said), "{all}");
}

#[test]
fn a_thread_local_of_a_plugin_that_panics_when_it_is_dropped_ends_the_process_as_in_any_program() {
    if is_to_end() {
        let mut world = World::unloading("exits");
        world.host.act(1).unwrap();
        world.load("exits");
        unreachable!("the process has ended");
    }
    let ended = ended(
        "ends::a_thread_local_of_a_plugin_that_panics_when_it_is_dropped_ends_the_process_as_in_any_program",
        &Scratch::new(),
    );
    assert_aborted(&ended, "in a drop");
}

#[test]
fn a_destructor_of_a_plugin_that_panics_ends_the_process_as_in_any_program() {
    if is_to_end() {
        let mut world = World::unloading("exits");
        world.host.act(2).unwrap();
        world.load("exits");
        unreachable!("the process has ended");
    }
    let ended = ended(
        "ends::a_destructor_of_a_plugin_that_panics_ends_the_process_as_in_any_program",
        &Scratch::new(),
    );
    assert_aborted(&ended, "in a destructor");
}
