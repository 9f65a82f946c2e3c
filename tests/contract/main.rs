//! Hosts and plugins that share a declaration. `unload` is about what Linux's libc and kernel say of images, and `examples`
//! ends programs by signals.

#![cfg(any(target_os = "linux", windows))]

mod c;
mod calls;
mod crates;
mod ends;
#[cfg(unix)]
mod examples;
mod futures;
mod handing;
mod handles;
mod heaps;
mod hooks;
mod left_out;
mod listed;
mod logs;
mod market;
mod matrix;
mod mismatches;
mod misuses;
mod ordinary;
mod panics;
mod sets;
mod state;
mod uncalled;
#[cfg(unix)]
mod unload;
mod waiting;
mod words;
