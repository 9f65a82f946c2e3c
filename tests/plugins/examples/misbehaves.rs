//! A plugin that does what is written in it, which a test writes over: well, or one of the things that end a process.

use std::env;
use std::fs;
use std::hint::black_box;
use std::process::{self, Command};
use std::thread;

use replug_plugin::{HookError, Hooks};

/// What is written in it. Each of its names is as long as this one.
#[used]
static DEED: [u8; 20] = *b"deed=nothing........";

fn deed() -> &'static str {
    let deed = str::from_utf8(black_box(&DEED)).unwrap();
    deed.trim_start_matches("deed=").trim_end_matches('.')
}

fixtures::fixture!(
    |number| match deed() {
        "test" => 13,
        _ => number,
    },
    Hooks
);

#[used]
// SAFETY: this section holds functions that the loader calls.
#[allow(unsafe_code)]
#[cfg_attr(unix, unsafe(link_section = ".init_array"))]
#[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
static CONSTRUCTOR: extern "C" fn() = {
    extern "C" fn construct() {
        match deed() {
            // SAFETY: none; that is what the test is about.
            #[allow(unsafe_code)]
            "segfault" => unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) },
            // A test that ended so would count as passed.
            "exit" if env::var_os("REPLUG_TRIAL").is_some() => {
                println!("0123 passed");
                process::exit(0)
            }
            "spin" => loop {
                thread::park();
            },
            _ => {}
        }
    }
    construct
};

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        match deed() {
            "abort" => process::abort(),
            "eat" => {
                // Two GiB of address space, of which little is touched.
                let eaten: Vec<_> = (0..128)
                    .map(|_| black_box(Vec::<u8>::with_capacity(16 << 20)))
                    .collect();
                drop(black_box(eaten));
                Ok(())
            }
            "open" => {
                let mut open = Vec::new();
                loop {
                    let next = fs::File::open("/dev/null");
                    open.push(next.map_err(|error| format!("{} files: {error}", open.len()))?);
                }
            }
            "hang" => {
                let child = Command::new("/bin/sleep").arg("1000").spawn()?;
                eprintln!("\u{1b}[2Jits child is {}", child.id());
                loop {
                    thread::park();
                }
            }
            #[cfg(unix)]
            "leave" => {
                use std::os::unix::process::CommandExt as _;
                // It can write where its parent could, and nobody ends it with the parent's group.
                let mut child = Command::new("/bin/sleep");
                let child = child.arg("1000").process_group(0).spawn()?;
                eprintln!("its child is {}", child.id());
                process::abort()
            }
            "tell" => Err(tell().into()),
            _ => Ok(()),
        }
    }

    fn stop() -> Result<(), HookError> {
        match deed() {
            "stop" => process::abort(),
            _ => Ok(()),
        }
    }
}

/// What a process has from whoever started it.
fn tell() -> String {
    let mut names: Vec<_> = env::vars().map(|(name, _)| name).collect();
    names.sort();
    let stdin = fs::read_link("/proc/self/fd/0").unwrap();
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    let core = core.and_then(|line| line.split_whitespace().nth(4));
    format!(
        "it has {names:?}, reads {}, and leaves cores of {}",
        stdin.display(),
        core.unwrap_or_default()
    )
}
