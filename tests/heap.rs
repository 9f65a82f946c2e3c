//! A host with an allocator of its own, which knows its blocks: a block of any other allocator that is given to it ends the
//! process, and so does a block of it that is given to the system's. Its plugin allocates from it, and frees what is its.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use replug::{Host, Options, Outcome, chain};
use vocabulary::{DEADLINE, Scratch, cargo_build, target_tmp, workspace};

#[path = "contract/ordinary/town.rs"]
#[allow(dead_code)]
mod town;

use town::{Colour, Council, Grid, Mood, Person, Rules, Town};

/// The allocator: before each block of the system's it writes this mark.
struct Marked;

const MARK: usize = 0x5eed_0020;

/// The blocks that were asked for so far.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static MARKED: Marked = Marked;

/// The layout of a block with its mark, and the place of the block in it. As with `malloc`, a block is aligned for anything:
/// an unwinder asks for 16 bytes of an exception's block, and the standard library for 8.
fn marked(layout: Layout) -> (Layout, usize) {
    Layout::new::<u128>()
        .extend(layout)
        .expect("a block is small")
}

// SAFETY: a block lies behind its mark, in a block of the system's.
unsafe impl GlobalAlloc for Marked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
        let (whole, place) = marked(layout);
        // SAFETY: the layout has room for a mark.
        let start = unsafe { System.alloc(whole) };
        if start.is_null() {
            return start;
        }
        // SAFETY: the place is within.
        let block = unsafe { start.add(place) };
        // SAFETY: the mark has its room just before the block.
        let mark = unsafe { block.cast::<usize>().sub(1) };
        // SAFETY: as above.
        unsafe { mark.write_unaligned(MARK) };
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: before each block there is something, if only what malloc has for itself.
        let mark = unsafe { block.cast::<usize>().sub(1) };
        // SAFETY: as above.
        if unsafe { mark.read_unaligned() } != MARK {
            std::process::abort();
        }
        // SAFETY: the mark is of this block, which is not used again.
        unsafe { mark.write_unaligned(0) };
        let (whole, place) = marked(layout);
        // SAFETY: the block lies in one of the system's.
        let start = unsafe { block.sub(place) };
        // SAFETY: as above.
        unsafe { System.dealloc(start, whole) };
    }
}

/// The plugin, built apart, once for all tests.
static PLUGIN: LazyLock<Vec<u8>> = LazyLock::new(plugin);

fn plugin() -> Vec<u8> {
    let root = target_tmp().join("heap");
    let path = |folder: &str| workspace().join(folder);
    let manifest = format!(
        "[workspace]\n\n[package]\nname = \"rules\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\n\
        crate-type = [\"cdylib\"]\n\n[dependencies]\nreplug-plugin = {{ path = {:?} }}\nreplug-derive = {{ path = {:?} }}\n",
        path("plugin"),
        path("derive")
    );
    fs::create_dir_all(root.join("src")).unwrap();
    write(&root.join("Cargo.toml"), &manifest);
    write(
        &root.join("src/town.rs"),
        include_str!("contract/ordinary/town.rs"),
    );
    write(
        &root.join("src/lib.rs"),
        include_str!("contract/ordinary/rules.rs"),
    );
    let built = cargo_build()
        .args(["--quiet", "--offline", "--target-dir"])
        .arg(root.join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(&root)
        .status();
    assert!(built.unwrap().success(), "the plugin does not compile");
    fs::read(vocabulary::built(&root.join("target"), "debug").join("librules.so")).unwrap()
}

fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).ok().as_deref() != Some(content) {
        fs::write(path, content).unwrap();
    }
}

/// A host with a generation of this library.
fn host(library: &[u8], scratch: &Scratch) -> Host<Rules> {
    let artifact = scratch.artifact();
    let options = Options::new(artifact.path()).stage_dir(scratch.stage());
    artifact.link(library);
    let mut host = Host::<Rules>::watch(options).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        match host.wait(Duration::from_secs(1)) {
            Some(Outcome::Loaded(_)) => return host,
            Some(Outcome::Kept(kept)) => panic!("{}", chain(&kept.error)),
            _ => {}
        }
    }
    panic!("nothing happened in time");
}

/// Nobody to ask.
struct Nobody;

impl Council for Nobody {
    fn decide(&mut self, question: &str, _: Person) -> Option<Vec<String>> {
        Some(vec![question.to_owned()])
    }

    fn count(&self) -> u32 {
        0
    }
}

#[test]
fn what_either_side_allocates_is_freed_by_the_other_whatever_allocator_the_host_has() {
    let scratch = Scratch::new();
    let host = host(&PLUGIN, &scratch);
    let mut town = Town::default();
    let person = Person {
        mood: Mood::Says("hello".repeat(100)),
        notes: ['x'; 100].into(),
        ..Person::default()
    };
    for _ in 0..20 {
        let moods = host.day(&mut town, &[person.clone(), Person::default()], 1.0);
        drop(moods.unwrap().unwrap());
        assert!(host.day(&mut town, &[], -1.0).unwrap().is_err());
        // The host grows what the plugin has made, and shrinks it.
        town.people.reserve(1000);
        town.people.shrink_to_fit();
        drop(host.turn(person.clone(), Colour::Red).unwrap());
        let mut spread = host.spread(Grid(vec![[1, 2, 3]; 50])).unwrap();
        spread.extend(0..1000);
        drop(host.consult(&mut Nobody, &Nobody, "who?").unwrap());
    }
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut lent = Town::default();
    drop(host.day(&mut lent, &[], 1.0));
    let asked = ALLOCATED.load(Ordering::Relaxed) - before;
    assert!(asked > 0, "the plugin did not ask its host for memory");
    drop((town, lent, host));
}

#[test]
fn a_panic_in_the_plugin_is_told_and_freed() {
    let scratch = Scratch::new();
    let host = host(&PLUGIN, &scratch);
    let mut town = Town {
        people: vec![Person::default(); 100],
        ..Town::default()
    };
    assert!(host.day(&mut town, &[Person::default()], 1.0).is_err());
}
