//! Tests of the real program and library on this machine's filesystem.
//! Written for Linux, where replug is proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

mod building;
mod damage;
mod directory;
mod gate;
mod host;
mod hosts;
mod idle;
mod input;
mod remote;
mod stopping;
mod storm;
mod vocabulary;
mod watcher;
mod writers;
