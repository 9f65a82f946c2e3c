//! The library on this machine's filesystem, by hosts and pollers in the test's own process.
//! Written for Linux, where replug is proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

mod absence;
mod admission;
mod downgrade;
mod faults;
mod host;
mod idle;
mod pace;
mod remote;
mod store;
mod stream;
mod trust;
mod turns;
mod watcher;
mod way;
