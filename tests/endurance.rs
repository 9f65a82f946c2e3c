//! A process that reloads for weeks. A binary of its own, because other tests take memory and keys too. The binary
//! runs itself once more, so that the plugin's output is not in the way. `REPLUG_RELOADS=10000` makes the test go on
//! for longer.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use vocabulary::{Rule, World, holds};

/// The environment variable that tells the second run of this program from the first.
const INNER: &str = "REPLUG_ENDURANCE";

/// The number of reloads until everything that grows once has grown.
const WARM: u64 = 100;

/// The most memory that a reload may cost, in bytes.
const MOST: f64 = 1024.0;

/// The things that a process holds and that reloads could use up.
#[derive(Debug, PartialEq)]
struct Holdings {
    keys: usize,
    mappings: usize,
    descriptors: usize,
}

impl Holdings {
    fn count() -> Holdings {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        // Mappings of an allocator come and go; mapped files should not.
        let files = maps.lines().filter(|line| line.contains(".so"));
        Holdings {
            keys: free_keys(),
            mappings: files.count(),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }
}

fn free_keys() -> usize {
    let new_key = || {
        let mut key = 0;
        // SAFETY: `key` can be written to; no destructor is given.
        (unsafe { libc::pthread_key_create(&mut key, None) } == 0).then_some(key)
    };
    let keys: Vec<_> = std::iter::from_fn(new_key).collect();
    for &key in &keys {
        // SAFETY: the key was made above, and nothing was stored under it.
        unsafe { libc::pthread_key_delete(key) };
    }
    keys.len()
}

fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<f64>().unwrap() * 1024.0
}

#[test]
fn reloads_without_end_cost_neither_memory_nor_keys_nor_mappings_nor_descriptors() {
    if !holds(Rule::Unmaps) {
        return;
    }
    if env::var_os(INNER).is_some() {
        return reload();
    }
    let run = Command::new(env::current_exe().unwrap())
        .arg("--nocapture")
        .env(INNER, "")
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    println!("{said}");
}

fn reload() {
    let reloads = env::var("REPLUG_RELOADS").map_or(600, |number| number.parse().unwrap());
    let mut world = World::unloading("busy");
    let mut warm = None;
    for generation in 2..=reloads {
        world.host.act(generation).unwrap();
        let retired = world.load("busy").retired.unwrap();
        assert_eq!(retired.mapped, None, "generation {generation}");
        if generation == WARM {
            warm = Some((Holdings::count(), resident()));
        }
    }
    let (before, least) = warm.expect("there are more reloads than it takes to get warm");
    let after = Holdings::count();
    let growth = (resident() - least) / (reloads - WARM) as f64;
    eprintln!("{reloads} reloads: {growth:.1} bytes for each, {after:?}");
    assert_eq!(after, before);
    assert!(growth <= MOST, "{growth} bytes for each reload");
}
