//! The library on this machine's filesystem, by hosts and pollers in the test's own process.
//! For Linux and Windows; `vocabulary::Rule` has what is left out where.

#![cfg(any(target_os = "linux", windows))]

mod absence;
mod admission;
mod decided;
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
