//! Tests of the real program and library on this machine's filesystem.

mod damage;
mod host;
mod vocabulary;
mod watcher;
mod writers;
