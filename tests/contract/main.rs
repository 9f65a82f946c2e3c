//! Hosts and plugins that share a declaration. Written for Linux, where replug is proven; there is nothing to run
//! elsewhere.

#![cfg(target_os = "linux")]

mod c;
mod calls;
mod crates;
mod ends;
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
mod unload;
mod waiting;
mod words;
