//! The program on Windows, started as people do. The other tests of the program speak of signals, modes and mounts, and
//! run on Linux; here is what Windows has of its own. Under wine these tests run as on Windows: `.ci/windows` does that.

#![cfg(windows)]

mod program;

mod linkers;
mod logs;
mod neighbours;
mod reloads;
