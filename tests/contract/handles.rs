//! Calls from other threads than the owner's.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fixtures::Fixture;
use replug::{CallError, Handle, Sink};
use vocabulary::{Doorbell, World};

/// The number of threads that call.
const CALLERS: usize = 8;

/// The number of times that the plugin is swapped under the callers.
const RELOADS: u64 = 50;

/// The number of the fixture that these functions belong to. All of them must have one number, or two generations
/// were mixed.
fn number_of(functions: &Fixture) -> u64 {
    let number = functions.act(0).unwrap();
    let mut name = Vec::new();
    functions.greet("you", Sink::new(&mut name)).unwrap();
    assert_eq!(str::from_utf8(&name).unwrap(), number.to_string());
    assert_eq!(functions.act(0), Ok(number));
    number
}

/// Calls over and over, by one of the two ways, until there will be no more reloads. Returns the number that the last
/// call reached.
fn call_until(done: &AtomicBool, calling: &Barrier, handle: &Handle<Fixture>, way: usize) -> u64 {
    let mut caller = handle.caller();
    let mut call = || match way % 2 {
        0 => number_of(&handle.live()),
        _ => number_of(caller.live()),
    };
    assert_eq!(call(), 1);
    calling.wait();
    loop {
        let is_last = done.load(Ordering::Acquire);
        let number = call();
        if is_last {
            return number;
        }
    }
}

#[test]
fn calls_from_many_threads_never_fail_and_see_one_whole_generation() {
    let mut world = World::with("diary_one");
    let handle = world.host.handle();
    let (done, calling) = (AtomicBool::new(false), Barrier::new(CALLERS + 1));
    let last: Vec<_> = thread::scope(|scope| {
        let call = |way| {
            let (done, calling, handle) = (&done, &calling, handle.clone());
            scope.spawn(move || call_until(done, calling, &handle, way))
        };
        let callers: Vec<_> = (0..CALLERS).map(call).collect();
        calling.wait();
        for reload in 1..=RELOADS {
            let next = ["diary_one", "diary_two"][reload as usize % 2];
            assert_eq!(world.load(next).generation, 1 + reload);
        }
        world.load("diary_two");
        done.store(true, Ordering::Release);
        let join = |caller: thread::ScopedJoinHandle<_>| caller.join().unwrap();
        callers.into_iter().map(join).collect()
    });
    assert_eq!(last, [2; CALLERS]);
}

#[test]
fn a_call_that_has_begun_ends_on_its_generation_and_holds_up_no_reload() {
    let mut world = World::with("waits");
    let doorbell = Doorbell::new();
    let address = doorbell.address().to_owned();
    for way in 0..2 {
        let handle = world.host.handle();
        let address = address.clone();
        let begun = thread::spawn(move || {
            let mut answer = Vec::new();
            let sink = Sink::new(&mut answer);
            match way {
                0 => handle.live().greet(&address, sink).unwrap(),
                _ => handle.caller().live().greet(&address, sink).unwrap(),
            }
            String::from_utf8(answer).unwrap()
        });
        let visitor = doorbell.wait();
        world.load("pure");
        assert_eq!(world.host.act(1), Ok(2));
        assert_eq!(world.host.handle().live().act(1), Ok(2));
        assert!(!begun.is_finished());
        drop(visitor);
        assert_eq!(begun.join().unwrap(), "at last");
        world.load("waits");
    }
}

#[test]
fn what_is_lent_goes_on_answering_after_it_was_replaced() {
    let mut world = World::with("diary_one");
    let handle = world.host.handle();
    let lent = handle.live();
    world.load("diary_two");
    assert_eq!(number_of(&lent), 1);
    assert_eq!(number_of(&handle.live()), 2);
}

#[test]
fn a_handle_says_so_while_nothing_is_live_and_finds_what_comes() {
    let mut world = World::new();
    let handle = world.host.handle();
    let mut caller = handle.caller();
    assert_eq!(handle.live().act(1), Err(CallError::Absent));
    assert_eq!(caller.live().act(1), Err(CallError::Absent));
    assert_eq!(
        CallError::Absent.to_string(),
        "no generation of the plugin is live yet"
    );
    world.load("pure");
    assert_eq!(handle.live().act(1), Ok(2));
    assert_eq!(caller.live().act(1), Ok(2));
}

#[test]
fn a_handle_that_outlives_its_host_finds_nothing_live() {
    let world = World::with("pure");
    let handle = world.host.handle();
    let (lent, mut caller) = (handle.live(), handle.caller());
    drop(world);
    assert_eq!(handle.live().act(1), Err(CallError::Absent));
    assert_eq!(caller.live().act(1), Err(CallError::Absent));
    assert_eq!(lent.act(1), Ok(2), "what was lent before goes on");
}
