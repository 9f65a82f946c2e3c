//! Retired generations: which are unmapped, which are not, and why.

#![allow(unsafe_code)]

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use replug::outcome::{Loaded, Mapped, Retired};
use replug::{Outcome, Unload};
use vocabulary::{Rule, World, damaged, holds, mapped_below, specimen, wait_until};

/// How often each kind of plugin is reloaded.
const RELOADS: u32 = 50;

/// Loads the fixture, calls it, and loads its next build. Returns what became of the first generation.
#[track_caller]
fn retire(name: &str) -> (World, Retired) {
    let mut world = World::unloading(name);
    world.host.act(1).unwrap();
    let retired = world.load(name).retired.unwrap();
    (world, retired)
}

/// How many files of staged copies are mapped into this process.
fn images(world: &World) -> usize {
    mapped_below(&world.scratch.stage())
}

/// Reloads a fixture many times under calls of the owner, each of which answers, and returns how many images are
/// left.
fn reload_many_times(name: &str) -> usize {
    let mut world = World::unloading(name);
    for generation in 2..=u64::from(RELOADS) {
        assert!(world.host.act(generation).is_ok(), "{name}");
        assert_eq!(world.load(name).generation, generation, "{name}");
    }
    images(&world)
}

#[test]
fn what_a_plugin_does_with_threads_and_output_keeps_no_image_mapped() {
    if !holds(Rule::Unmaps) {
        return;
    }
    for name in [
        "pure",
        "println",
        "thread_local",
        "current",
        "spawn",
        "channel",
        "runtime",
        "traced",
        "counter",
        "c11",
    ] {
        assert_eq!(reload_many_times(name), 1, "{name}");
    }
}

#[test]
fn images_stay_mapped_unless_the_host_asks_for_it() {
    let mut world = World::with("pure");
    assert_eq!(
        world.load("pure").retired.unwrap().mapped,
        Some(Mapped::Kept)
    );
    assert_eq!(images(&world), 2);
}

#[test]
fn of_what_stays_mapped_the_rest_leaves_the_disk() {
    let mut world = World::new();
    let mut library = specimen("pure", 0);
    // No loader maps this part, as no loader maps sections for debuggers.
    library.resize(3 * library.len(), 1);
    world.put(&library);
    assert!(matches!(world.next_outcome(), Outcome::Loaded(_)));
    let staged = world.host.live().unwrap().staged().to_owned();
    let file = File::open(&staged).unwrap();
    // In blocks of 512 bytes: the room that the file takes.
    let room = || file.metadata().unwrap().blocks();
    let (before, length) = (room(), library.len() as u64);
    let handle = world.host.handle();
    let lent = handle.live();
    world.load("pure");
    world.poll_now();
    assert!(!staged.exists());
    assert!(
        room() < before / 2,
        "{} of {before} blocks are left",
        room()
    );
    assert_eq!(
        file.metadata().unwrap().len(),
        length,
        "a debugger or a symbolizer that has it mapped dies if it is cut"
    );
    assert_eq!(lent.act(1), Ok(2), "what is mapped is whole");
}

#[test]
fn a_thread_that_a_plugin_forgot_keeps_it_mapped_and_is_named() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let (mut world, retired) = retire("detached");
    let forgotten = Mapped::Threads(vec!["forgotten-1".to_owned()]);
    assert_eq!(retired.mapped, Some(forgotten));
    assert_eq!(
        retired.mapped.unwrap().to_string(),
        "kept mapped, because it started threads that did not stop: forgotten-1"
    );
    assert!(world.host.poll().is_none(), "and it stays so");
    assert_eq!(images(&world), 2);
}

#[test]
fn a_thread_that_a_plugin_forgot_is_named_even_if_nothing_is_to_be_unmapped() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut world = World::with("detached");
    world.host.act(7).unwrap();
    let retired = world.load("detached").retired.unwrap();
    assert_eq!(
        retired.mapped,
        Some(Mapped::Threads(vec!["forgotten-7".to_owned()]))
    );
}

#[test]
fn a_worker_that_called_a_plugin_keeps_it_mapped_until_the_worker_ends() {
    if !holds(Rule::Unmaps) {
        return;
    }
    for name in ["thread_local", "current"] {
        let mut world = World::unloading(name);
        let handle = world.host.handle();
        let (end, ended) = mpsc::channel::<()>();
        let (called, was_called) = mpsc::channel();
        let worker = thread::Builder::new().name("worker".to_owned());
        let worker = worker.spawn(move || {
            handle.live().act(1).unwrap();
            called.send(()).unwrap();
            // Until the test hangs up.
            let _ = ended.recv();
        });
        was_called.recv().unwrap();
        let retired = world.load(name).retired.unwrap();
        assert_eq!(
            retired.mapped,
            Some(Mapped::Callers(vec!["worker".to_owned()]))
        );
        assert_eq!(images(&world), 2);
        drop(end);
        worker.unwrap().join().unwrap();
        let unloaded = world.host.poll();
        assert!(
            matches!(
                unloaded,
                Some(Outcome::Retired(Retired {
                    generation: 1,
                    mapped: None,
                    ..
                }))
            ),
            "{name}: {unloaded:?}"
        );
        assert_eq!(images(&world), 1);
    }
}

#[test]
fn the_threads_of_a_pool_let_a_generation_go_when_they_have_nothing_to_do() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut world = World::unloading("thread_local");
    let pool = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .on_thread_park(replug::leave_plugins)
        .build()
        .unwrap();
    let handle = world.host.handle();
    for generation in 1..=10 {
        let all = Arc::new(Barrier::new(4));
        let calls = (0..4).map(|_| {
            let (handle, all) = (handle.clone(), Arc::clone(&all));
            pool.spawn(async move {
                // Nobody goes on before there is one on each thread.
                all.wait();
                handle.live().act(1)
            })
        });
        for call in calls.collect::<Vec<_>>() {
            pool.block_on(call).unwrap().unwrap();
        }
        let mut retired = world.load("thread_local").retired.unwrap();
        wait_until("the threads to have nothing to do", || {
            if let Some(Outcome::Retired(later)) = world.host.poll() {
                retired = later;
            }
            retired.mapped.is_none()
        });
        assert_eq!(retired.generation, generation);
        assert_eq!(images(&world), 1);
    }
}

#[test]
fn a_thread_that_leaves_finds_new_thread_locals_in_what_is_to_be_unmapped_and_its_own_in_what_stays()
 {
    if !holds(Rule::Unmaps) {
        return;
    }
    for (world, next) in [
        (World::unloading("thread_local"), 1),
        (World::with("thread_local"), 3),
    ] {
        let plugin = world.host.handle();
        assert_eq!(plugin.live().act(1), Ok(1));
        assert_eq!(plugin.live().act(1), Ok(2));
        replug::leave_plugins();
        assert_eq!(plugin.live().act(1), Ok(next));
    }
}

#[test]
fn a_caller_lets_go_of_a_retired_generation_at_its_next_call() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut world = World::unloading("thread_local");
    let handle = world.host.handle();
    let (next, turns) = mpsc::channel::<()>();
    let (answers, answered) = mpsc::channel();
    let worker = thread::spawn(move || {
        let mut caller = handle.caller();
        for () in turns {
            answers.send(caller.live().act(1)).unwrap();
        }
    });
    let call = || {
        next.send(()).unwrap();
        answered.recv().unwrap().unwrap()
    };
    assert_eq!((call(), call()), (1, 2));
    assert_eq!(
        world.load("thread_local").retired.unwrap().mapped,
        Some(Mapped::Lent)
    );
    assert_eq!(call(), 1, "a new generation, with thread-locals of its own");
    assert!(matches!(world.host.poll(), Some(Outcome::Retired(_))));
    assert_eq!(images(&world), 1);
    drop(next);
    worker.join().unwrap();
}

#[test]
fn what_becomes_of_an_image_is_decided_when_it_is_loaded() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut world = World::with("thread_local");
    world.host = world.host.unloading(Unload::WhenProven);
    let mapped = |loaded: Loaded| loaded.retired.unwrap().mapped;
    let first = mapped(world.load("thread_local"));
    assert_eq!(first, Some(Mapped::Kept));
    assert_eq!(mapped(world.load("thread_local")), None);
    world.host = world.host.unloading(Unload::Never);
    assert_eq!(mapped(world.load("thread_local")), None, "it was to go");
    assert_eq!(mapped(world.load("thread_local")), Some(Mapped::Kept));
}

/// The signal that the fixture handles.
const SIGNAL: i32 = rustix::process::Signal::WINCH.as_raw();

#[test]
fn a_plugin_that_handled_a_signal_stays_mapped_though_it_handles_it_no_more() {
    if !holds(Rule::Unmaps) {
        return;
    }
    for how in [1, 2] {
        let mut world = World::unloading("signal");
        world.host.act(how).unwrap();
        // SAFETY: this asks for what the system does by itself, which is nothing.
        unsafe { libc::signal(SIGNAL, libc::SIG_DFL) };
        let retired = world.load("signal").retired.unwrap();
        assert_eq!(retired.mapped, Some(Mapped::Signal(SIGNAL)), "{how}");
        assert_eq!(
            retired.mapped.unwrap().to_string(),
            "kept mapped, because it handled signal 28, and a later handler may call its own"
        );
    }
}

#[test]
fn handlers_of_retired_generations_can_be_called_by_later_ones() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let mut world = World::unloading("signal");
    for how in 1..=5 {
        world.host.act(how).unwrap();
        world.load("signal");
    }
    // SAFETY: the signal is handled on this thread, before the call returns.
    assert_eq!(unsafe { libc::raise(SIGNAL) }, 0);
    assert_eq!(images(&world), 6);
}

/// The name in the fixture's table of imports that others are written over.
const PLACEHOLDER: &[u8] = b"replug_placeholder_for_the_name_of_an_import";

/// Loads a plugin that imports this symbol, and returns why it is still mapped when it is retired.
fn mapped_with_import(symbol: &str) -> Option<Mapped> {
    let mut name = symbol.as_bytes().to_vec();
    name.resize(PLACEHOLDER.len(), 0);
    let mut world = World::unloading("pure");
    world.put(&damaged("imports", PLACEHOLDER, &name));
    assert!(
        matches!(world.next_outcome(), Outcome::Loaded(_)),
        "{symbol}"
    );
    world.load("pure").retired.unwrap().mapped
}

/// The names in the table of `docs/contract.md` that says which of them keep an image.
fn names_that_keep_an_image() -> Vec<String> {
    let page = fs::read_to_string("docs/contract.md").unwrap();
    let (_, table) = page
        .split_once("| of libc's, imported | because |")
        .unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap().to_owned());
    let names = |cell: String| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    cells.flat_map::<Vec<_>, _>(names).collect()
}

#[test]
fn each_import_by_which_libc_keeps_a_pointer_keeps_the_image_and_is_named() {
    if !holds(Rule::Unmaps) {
        return;
    }
    for symbol in names_that_keep_an_image() {
        let Some(Mapped::WayBack(way)) = mapped_with_import(&symbol) else {
            panic!("{symbol} keeps no image");
        };
        assert_eq!(way, symbol);
    }
    assert_eq!(
        mapped_with_import("putenv").unwrap().to_string(),
        "kept mapped, because it uses `putenv`, by which it can still be reached"
    );
}

#[test]
fn a_plugin_whose_imports_cannot_be_read_stays_mapped() {
    if !holds(Rule::Unmaps) {
        return;
    }
    /// Where the header of a library says where the table of sections is, and how long it is.
    const SECTIONS: [Range<usize>; 2] = [0x28..0x30, 0x3c..0x40];
    let mut world = World::unloading("pure");
    let mut stripped = specimen("println", 0);
    SECTIONS
        .into_iter()
        .for_each(|range| stripped[range].fill(0));
    world.put(&stripped);
    assert!(matches!(world.next_outcome(), Outcome::Loaded(_)));
    let retired = world.load("pure").retired.unwrap();
    let unread = Mapped::Forever("what it imports cannot be read");
    assert_eq!(retired.mapped, Some(unread));
}

#[test]
fn imports_that_leave_nothing_behind_keep_no_image() {
    if !holds(Rule::Unmaps) {
        return;
    }
    for symbol in [
        "bsearch",
        "dl_iterate_phdr",
        "ftw",
        "glob",
        "iconv_open",
        "makecontext",
        "newlocale",
        "prctl",
        "pthread_setname_np",
        "qsort",
        "sem_open",
        "setenv",
        "setlocale",
        "shm_open",
        "signalfd",
        "uselocale",
    ] {
        assert_eq!(mapped_with_import(symbol), None, "{symbol}");
    }
}

#[test]
fn a_plugin_that_needs_another_library_stays_mapped_and_the_library_is_named() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let (_world, retired) = retire("needs");
    let library = Mapped::Library("libstdc++.so.6".to_owned());
    assert_eq!(retired.mapped, Some(library));
    assert_eq!(
        retired.mapped.unwrap().to_string(),
        "kept mapped, because it needs `libstdc++.so.6`, by which it can still be reached"
    );
}

#[test]
fn what_a_plugin_looks_up_by_its_name_counts_as_an_import() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let looked_up = |number| {
        let mut world = World::unloading("looks_up");
        world.host.act(number).unwrap();
        world.load("looks_up").retired.unwrap().mapped
    };
    assert_eq!(looked_up(0), None);
    assert_eq!(looked_up(1), Some(Mapped::WayBack("sigaltstack")));
    assert_eq!(looked_up(2), Some(Mapped::WayBack("putenv")));
    assert_eq!(looked_up(3), Some(Mapped::WayBack("pthread_create")));
}

#[test]
fn destructors_of_a_plugin_run_when_it_is_unmapped_and_may_use_thread_locals() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let notes = AtomicU64::new(0);
    let mut world = World::unloading("destructors");
    let address = (&raw const notes).expose_provenance();
    world.host.act(address as u64).unwrap();
    assert_eq!(notes.load(Ordering::SeqCst), 0);
    assert_eq!(world.load("destructors").retired.unwrap().mapped, None);
    assert_eq!(
        notes.load(Ordering::SeqCst),
        0b1111,
        "those of `atexit` and of the library, and the thread-locals that they used"
    );
    // What libc took back is not called: this process forks, and ends.
    let status = std::process::Command::new("true").status().unwrap();
    assert!(status.success());
}

#[test]
fn a_dropped_host_unmaps_what_it_had_and_its_handles_find_nothing() {
    if !holds(Rule::Unmaps) {
        return;
    }
    let world = World::unloading("println");
    let handle = world.host.handle();
    world.host.act(1).unwrap();
    let World { host, scratch, .. } = world;
    drop(host);
    assert_eq!(handle.live().act(1), Err(replug::CallError::Absent));
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains(scratch.stage().to_str().unwrap()));
    scratch.assert_nothing_staged();
}
